// SPDX-License-Identifier: GPL-2.0-only
/* SET_IRQFD: eventfds that raise vectors, and how they and the device part. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "driver.h"
#include "harness.h"

static struct lab lab;

static void set_up(void)
{
	struct lab_spec spec = lab_plain;

	spec.device = LAB_DEVICE;
	spec.msix = 8;
	driver_load("irq=msix");
	driver_power_on(&lab, &spec);
}

static void set_up_pin(void)
{
	struct lab_spec spec = lab_plain;

	spec.device = LAB_DEVICE;
	driver_load("irq=intx");
	driver_power_on(&lab, &spec);
}

static int set(int eventfd, uint32_t vector, uint32_t flags, uint8_t func)
{
	struct pciem_irqfd_config config = {
		.eventfd = eventfd, .vector = vector, .flags = flags, .func = func,
	};

	return ioctl(lab.fd, PCIEM_IOC_SET_IRQFD, &config);
}

static int irqfd(int eventfd, int resamplefd, uint32_t vector, uint32_t flags)
{
	struct pciem_irqfd arg = {
		.eventfd = eventfd, .resamplefd = resamplefd, .vector = vector, .flags = flags,
	};

	return ioctl(lab.fd, PCIEM_IOC_IRQFD, &arg);
}

static int new_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	ASSERT(fd >= 0);
	return fd;
}

static void signal_once(int fd)
{
	uint64_t one = 1;

	EXPECT_EQ(write(fd, &one, 8), 8);
}

static unsigned int count(unsigned int vector, unsigned int want)
{
	lab_wait(driver_state(&lab).irqs[vector] == want, 1000);
	return driver_state(&lab).irqs[vector];
}

TEST(refusals)
{
	int fd = new_eventfd(), pipes[2];

	lab.fd = open("/dev/pciem", O_RDWR | O_CLOEXEC);
	ASSERT(lab.fd >= 0);
	EXPECT_ERROR(set(fd, 0, 0, 0), ENODEV);
	close(lab.fd);
	set_up();
	ASSERT(!pipe(pipes));
	EXPECT_ERROR(set(-1, 0, 0, 0), EBADF);
	EXPECT_ERROR(set(9999, 0, 0, 0), EBADF);
	EXPECT_ERROR(set(pipes[0], 0, 0, 0), EINVAL);
	EXPECT_ERROR(set(lab.fd, 0, 0, 0), EINVAL);
	EXPECT_ERROR(set(fd, 8, 0, 0), EINVAL);
	EXPECT_ERROR(set(fd, ~0U, 0, 0), EINVAL);
	EXPECT_ERROR(set(fd, 0, 4, 0), EINVAL);
	EXPECT_ERROR(set(fd, 0, 0, 8), EINVAL);
	EXPECT_ERROR(set(fd, 0, 0, 1), ENODEV);
	EXPECT_ERROR(set(fd, 0, PCIEM_IRQFD_LEVEL | PCIEM_IRQFD_DEASSERT, 0), EINVAL);
	/* The pin is vector 0 */
	EXPECT_ERROR(set(fd, 1, PCIEM_IRQFD_LEVEL, 0), EINVAL);
	EXPECT_ERROR(set(fd, 1, PCIEM_IRQFD_DEASSERT, 0), EINVAL);
	/* Flags of the other call */
	EXPECT_ERROR(set(fd, 0, PCIEM_IRQFD_REMOVE, 0), EINVAL);
	EXPECT_ERROR(set(fd, 0, PCIEM_IRQFD_LEVEL | PCIEM_IRQFD_RESAMPLE, 0), EINVAL);
}

TEST(refusals_of_the_call_that_removes_and_resamples)
{
	struct pciem_irqfd arg = { .resamplefd = -1, .reserved = { 0, 0, 0, 1 } };
	int fd = new_eventfd(), resample = new_eventfd();

	set_up();
	EXPECT_ERROR(irqfd(-1, -1, 0, 0), EBADF);
	EXPECT_ERROR(irqfd(lab.fd, -1, 0, 0), EINVAL);
	EXPECT_ERROR(irqfd(fd, -1, 8, 0), EINVAL);
	EXPECT_ERROR(irqfd(fd, -1, 0, 16), EINVAL);
	EXPECT_ERROR(irqfd(fd, 0, 0, 0), EINVAL);
	EXPECT_ERROR(irqfd(fd, resample, 0, PCIEM_IRQFD_RESAMPLE), EINVAL);
	EXPECT_ERROR(irqfd(fd, resample, 0, PCIEM_IRQFD_RESAMPLE | PCIEM_IRQFD_DEASSERT), EINVAL);
	EXPECT_ERROR(irqfd(fd, -1, 0, PCIEM_IRQFD_RESAMPLE | PCIEM_IRQFD_LEVEL), EBADF);
	EXPECT_ERROR(irqfd(fd, lab.fd, 0, PCIEM_IRQFD_RESAMPLE | PCIEM_IRQFD_LEVEL), EINVAL);
	EXPECT_ERROR(irqfd(fd, fd, 0, PCIEM_IRQFD_RESAMPLE | PCIEM_IRQFD_LEVEL), EINVAL);
	EXPECT_ERROR(irqfd(fd, -1, 0, PCIEM_IRQFD_REMOVE | PCIEM_IRQFD_LEVEL), EINVAL);
	EXPECT_ERROR(irqfd(fd, -1, 0, PCIEM_IRQFD_REMOVE), ENOENT);
	EXPECT_ERROR(irqfd(lab.fd, -1, 0, PCIEM_IRQFD_REMOVE), EINVAL);
	arg.eventfd = fd;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_IRQFD, &arg), EINVAL);
	memset(arg.reserved, 0, sizeof(arg.reserved));
	arg.func = 1;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_IRQFD, &arg), ENODEV);
	arg.func = 0;
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_IRQFD, &arg));
}

TEST(the_same_eventfd_twice_on_a_vector)
{
	int fd = new_eventfd(), copy = dup(fd);

	set_up();
	EXPECT_OK(set(fd, 4, 0, 0));
	EXPECT_ERROR(set(fd, 4, 0, 0), EBUSY);
	EXPECT_ERROR(set(copy, 4, 0, 0), EBUSY);
	EXPECT_ERROR(irqfd(copy, -1, 4, 0), EBUSY);
	EXPECT_OK(irqfd(new_eventfd(), -1, 4, 0));
	signal_once(copy);
	EXPECT_EQ(count(4, 1), 1);
}

TEST(removed)
{
	int fd = new_eventfd(), other = new_eventfd();

	set_up();
	for (int round = 0; round < 20; round++) {
		driver_run(&lab, "reset");
		EXPECT_OK(irqfd(fd, -1, 1, 0));
		EXPECT_OK(irqfd(fd, -1, 2, 0));
		EXPECT_OK(set(other, 3, 0, 0));
		EXPECT_ERROR(irqfd(other, -1, 1, PCIEM_IRQFD_REMOVE), ENOENT);
		EXPECT_OK(irqfd(fd, -1, 1, PCIEM_IRQFD_REMOVE));
		EXPECT_ERROR(irqfd(fd, -1, 1, PCIEM_IRQFD_REMOVE), ENOENT);
		signal_once(fd);
		signal_once(other);
		EXPECT_EQ(count(2, 1), 1);
		EXPECT_EQ(count(3, 1), 1);
		EXPECT_EQ(driver_state(&lab).irqs[1], 0);
		EXPECT_OK(irqfd(fd, -1, 2, PCIEM_IRQFD_REMOVE));
		EXPECT_OK(irqfd(other, -1, 3, PCIEM_IRQFD_REMOVE));
		/* It keeps its count for who reads it, now that nobody else does */
		signal_once(fd);
		uint64_t value = 0;

		EXPECT_EQ(read(fd, &value, 8), 8);
		EXPECT_EQ(value, 1);
	}
	lab_power_off(&lab);
	EXPECT(lab_wait(module_references("pciem") == 0, 5000));
}

static unsigned int settled(void)
{
	unsigned int n;

	do {
		n = driver_state(&lab).irqs[0];
		lab_sleep_ms(20);
	} while (driver_state(&lab).irqs[0] != n);
	return n;
}

static void level_up_and_down(int up, int down)
{
	for (int round = 0; round < 10; round++) {
		unsigned int before = settled();

		signal_once(up);
		EXPECT(lab_wait(driver_state(&lab).irqs[0] >= before + 50, 1000));
		EXPECT(lab_config_read(&lab, 6, 2) & 8);
		signal_once(down);
		EXPECT(lab_wait(!(lab_config_read(&lab, 6, 2) & 8), 1000));
		settled();
		signal_once(down);
	}
}

TEST(one_asserts_another_deasserts)
{
	int up = new_eventfd(), down = new_eventfd();

	set_up_pin();
	EXPECT_OK(set(up, 0, PCIEM_IRQFD_LEVEL, 0));
	EXPECT_OK(set(down, 0, PCIEM_IRQFD_DEASSERT, 0));
	level_up_and_down(up, down);
	/* The pin is one wire */
	struct pciem_set_intx deassert = { .asserted = 0 };

	signal_once(up);
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_SET_INTX, &deassert));
	EXPECT(!(lab_config_read(&lab, 6, 2) & 8));
}

TEST(the_same_with_the_call_that_removes)
{
	int up = new_eventfd(), down = new_eventfd();

	set_up_pin();
	EXPECT_OK(irqfd(up, -1, 0, PCIEM_IRQFD_LEVEL));
	EXPECT_OK(irqfd(down, -1, 0, PCIEM_IRQFD_DEASSERT));
	level_up_and_down(up, down);
}

static bool signalled(int fd)
{
	uint64_t value = 0;

	return read(fd, &value, 8) == 8 && value > 0;
}

TEST(resample)
{
	int fd = new_eventfd(), resample = new_eventfd(), second = new_eventfd();
	int second_resample = new_eventfd();

	set_up_pin();
	EXPECT_OK(irqfd(fd, resample, 0, PCIEM_IRQFD_LEVEL | PCIEM_IRQFD_RESAMPLE));
	for (unsigned int round = 1; round <= 50; round++) {
		EXPECT(!signalled(resample));
		signal_once(fd);
		EXPECT(lab_wait(signalled(resample), 1000));
		EXPECT(!(lab_config_read(&lab, 6, 2) & 8));
		/* Down when the handler has run, it ran once */
		EXPECT_EQ(driver_state(&lab).irqs[0], round);
	}
	/* A handler that did not run told nobody */
	driver_run(&lab, "irqdisable 0");
	signal_once(fd);
	lab_sleep_ms(20);
	EXPECT(!signalled(resample));
	EXPECT(lab_config_read(&lab, 6, 2) & 8);
	driver_run(&lab, "irqenable 0");
	EXPECT(lab_wait(signalled(resample), 1000));
	EXPECT_EQ(count(0, 51), 51);

	/* Two sources on the wire: both are asked */
	EXPECT_OK(irqfd(second, second_resample, 0, PCIEM_IRQFD_LEVEL | PCIEM_IRQFD_RESAMPLE));
	signal_once(second);
	EXPECT(lab_wait(signalled(resample), 1000));
	EXPECT(lab_wait(signalled(second_resample), 1000));
	EXPECT_EQ(count(0, 52), 52);

	/* Without them a level stays */
	EXPECT_OK(irqfd(fd, -1, 0, PCIEM_IRQFD_REMOVE));
	EXPECT_OK(irqfd(second, -1, 0, PCIEM_IRQFD_REMOVE));
	EXPECT_OK(irqfd(fd, -1, 0, PCIEM_IRQFD_LEVEL));
	signal_once(fd);
	EXPECT(lab_wait(driver_state(&lab).irqs[0] > 60, 1000));
	EXPECT(!signalled(resample));
	EXPECT(!signalled(second_resample));
}

/* A device that asserts again at each resample: neither is lost, and the CPU goes on */
TEST(resample_without_end)
{
	int fd = new_eventfd(), resample = new_eventfd();
	unsigned int rounds = 0;

	set_up_pin();
	EXPECT_OK(irqfd(fd, resample, 0, PCIEM_IRQFD_LEVEL | PCIEM_IRQFD_RESAMPLE));
	signal_once(fd);
	/* One that comes to a stop meets the time limit of the test. */
	while (rounds < 2000) {
		if (!signalled(resample))
			continue;
		rounds++;
		signal_once(fd);
	}
	EXPECT(lab_wait(signalled(resample), 1000));
	EXPECT_EQ(count(0, rounds + 1), rounds + 1);
}

/* Two pins that raise each other in the kernel, for ever */
TEST(resample_in_a_circle)
{
	int fds[2] = { new_eventfd(), new_eventfd() };
	struct lab_spec spec = lab_plain;
	struct lab other;

	set_up_pin();
	spec.device = LAB_DEVICE;
	driver_power_on(&other, &spec);
	for (int i = 0; i < 2; i++) {
		struct pciem_irqfd arg = {
			.eventfd = fds[i], .resamplefd = fds[!i],
			.flags = PCIEM_IRQFD_LEVEL | PCIEM_IRQFD_RESAMPLE,
		};

		EXPECT_OK(ioctl(i ? other.fd : lab.fd, PCIEM_IOC_IRQFD, &arg));
	}
	signal_once(fds[0]);
	EXPECT(lab_wait(driver_state(&lab).irqs[0] > 100 && driver_state(&other).irqs[0] > 100, 10000));
	lab_power_off(&other);
	settled();
	lab_power_off(&lab);
	EXPECT(lab_wait(module_references("pciem") == 0, 5000));
}

TEST(each_signal_is_an_interrupt)
{
	int fds[8];

	set_up();
	for (int v = 0; v < 8; v++) {
		fds[v] = new_eventfd();
		EXPECT_OK(set(fds[v], v, 0, 0));
	}
	for (unsigned int turn = 1; turn <= 20; turn++) {
		for (int v = 0; v < 8; v++) {
			signal_once(fds[v]);
			EXPECT_(count(v, turn) == turn, true, "vector %d: %u of %u", v,
				driver_state(&lab).irqs[v], turn);
		}
	}
}

TEST(a_signal_from_before)
{
	int fd = new_eventfd();

	set_up();
	signal_once(fd);
	EXPECT_OK(set(fd, 3, 0, 0));
	EXPECT_EQ(count(3, 1), 1);
	signal_once(fd);
	EXPECT_EQ(count(3, 2), 2);
}

TEST(one_eventfd_for_two_vectors)
{
	int fd = new_eventfd();

	set_up();
	EXPECT_OK(set(fd, 1, 0, 0));
	EXPECT_OK(set(fd, 2, 0, 0));
	signal_once(fd);
	lab_sleep_ms(100);
	/* Whichever takes it; it is not lost, and nothing else happens */
	EXPECT(driver_state(&lab).irqs[1] + driver_state(&lab).irqs[2] >= 1);
	EXPECT_EQ(driver_state(&lab).irqs[0], 0);
}

/* The reference deadlocks */
TEST(closing_the_eventfd)
{
	set_up();
	for (int i = 0; i < 50; i++) {
		int fd = new_eventfd();

		EXPECT_OK(set(fd, i % 8, 0, 0));
		if (i & 1)
			signal_once(fd);
		close(fd);
	}
	int fd = new_eventfd();

	driver_run(&lab, "reset");
	EXPECT_OK(set(fd, 5, 0, 0));
	signal_once(fd);
	EXPECT(lab_wait(driver_state(&lab).irqs[5] >= 1, 1000));
	lab_power_off(&lab);
	EXPECT(lab_wait(module_references("pciem") == 0, 5000));
}

/* In the reference this is a BUG() */
TEST(a_signal_without_a_driver)
{
	int fd = new_eventfd();

	lab_build(&lab, &lab_plain);
	EXPECT_OK(set(fd, 0, 0, 0));
	signal_once(fd);
	lab_register(&lab);
	signal_once(fd);
	lab_start(&lab);
	signal_once(fd);
	lab_sleep_ms(50);
	signal_once(fd);
	close(lab.instance);
	close(lab.fd);
	signal_once(fd);
	EXPECT(lab_wait(module_references("pciem") == 0, 5000));
	signal_once(fd);
}

static volatile bool stop;

static void *signal_on(void *arg)
{
	uint64_t one = 1;

	while (!stop)
		if (write((long)arg, &one, 8) < 0)
			usleep(10);
	return NULL;
}

TEST_FOR(signals_while_both_go, 60)
{
	for (int round = 0; round < 10; round++) {
		int fd = new_eventfd(), other = dup(fd);
		pthread_t thread;

		set_up();
		EXPECT_OK(set(fd, 1, 0, 0));
		stop = false;
		ASSERT(!pthread_create(&thread, NULL, signal_on, (void *)(long)other));
		lab_sleep_ms(20);
		close(fd);
		if (round & 1)
			lab_power_off(&lab);
		stop = true;
		pthread_join(thread, NULL);
		close(other);
		if (!(round & 1))
			lab_power_off(&lab);
		EXPECT(lab_wait(module_references("pciem") == 0, 5000));
	}
}

TEST_MAIN()

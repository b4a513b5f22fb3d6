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

static int set(int eventfd, uint32_t vector, uint32_t flags, uint8_t func)
{
	struct pciem_irqfd_config config = {
		.eventfd = eventfd, .vector = vector, .flags = flags, .func = func,
	};

	return ioctl(lab.fd, PCIEM_IOC_SET_IRQFD, &config);
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
TEST(the_eventfd_is_closed)
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

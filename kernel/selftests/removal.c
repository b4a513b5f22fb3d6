// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device may go at any time: closed, killed, in the middle of anything. The
 * driver sees a surprise removal, everything is given back, and the next
 * device comes up.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver.h"
#include "harness.h"

static struct lab lab;

static struct lab_spec test_spec(void)
{
	struct lab_spec spec = lab_plain;

	spec.device = LAB_DEVICE;
	spec.msix = 4;
	spec.pcie = true;
	spec.pm = true;
	return spec;
}

/* Lines of /proc/iomem that are ours */
static unsigned int windows(void)
{
	FILE *file = fopen("/proc/iomem", "r");
	unsigned int count = 0;
	char line[256];

	ASSERT(file);
	while (fgets(line, sizeof(line), file))
		count += strstr(line, "PCIem") != NULL;
	fclose(file);
	return count;
}

static void expect_all_given_back(void)
{
	EXPECT(lab_wait(!lab_exists(&lab), 5000));
	EXPECT_EQ(windows(), 0);
	EXPECT_(lab_wait(module_references("pciem") == 0, 5000), false, "%ld references to pciem remain",
		module_references("pciem"));
}

/* A device works from end to end */
static void expect_next_works(void)
{
	struct lab_spec spec = test_spec();
	struct pciem_irq_inject inject = { .vector = 2 };
	struct lab next;

	driver_power_on(&next, &spec);
	lab_trace(&next, 0, PCIEM_TRACE_WRITES);
	driver_run(&next, "write32 0 0x10 1 0x99");
	EXPECT(lab_event(&next, 1000));
	EXPECT_OK(ioctl(next.fd, PCIEM_IOC_INJECT_IRQ, &inject));
	EXPECT(lab_wait(driver_state(&next).irqs[2] == 1, 1000));
	lab_power_off(&next);
	EXPECT(lab_wait(!lab_exists(&next), 5000));
}

TEST(close_removes_it)
{
	struct lab_spec spec = test_spec();

	driver_load("irq=msix");
	driver_power_on(&lab, &spec);
	EXPECT(windows() > 0);
	EXPECT(module_references("pciem") > 0);
	lab_power_off(&lab);
	EXPECT(!lab_exists(&lab));
	EXPECT(!driver_bound(&lab));
	expect_all_given_back();
	expect_next_works();
}

TEST(closed_at_every_stage)
{
	struct lab_spec spec = test_spec();

	driver_load("irq=msix");
	for (int stage = 0; stage < 6; stage++) {
		if (stage == 0) {
			lab.fd = open("/dev/pciem", O_RDWR);
			ASSERT(lab.fd >= 0);
			lab.instance = -1;
			lab.ring = NULL;
		} else {
			lab_build(&lab, &spec);
		}
		if (stage >= 2)
			lab_map_ring(&lab);
		if (stage >= 3)
			lab_register(&lab);
		if (stage >= 4)
			lab_trace(&lab, 0, PCIEM_TRACE_WRITES);
		if (stage >= 5)
			lab_start(&lab);	/* and the driver is on its way */
		lab_power_off(&lab);
	}
	expect_all_given_back();
	expect_next_works();
}

TEST_FOR(fifty_times_on_and_off, 240)
{
	struct lab_spec spec = test_spec();

	driver_load("irq=msix");
	for (int i = 0; i < 50; i++) {
		driver_power_on(&lab, &spec);
		lab_power_off(&lab);
	}
	expect_all_given_back();
}

/* Lines of a file with @word in them */
static unsigned int lines_with(const char *path, const char *word)
{
	FILE *file = fopen(path, "r");
	unsigned int count = 0;
	char line[1024];

	ASSERT(file);
	while (fgets(line, sizeof(line), file))
		count += strstr(line, word) != NULL;
	fclose(file);
	return count;
}

static unsigned int entries(const char *path)
{
	DIR *dir = opendir(path);
	unsigned int count = 0;

	if (!dir)
		return 0;
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* Kernel memory that cannot be reclaimed */
static long kernel_kib(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	long sum = 0, kib;

	ASSERT(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "SUnreclaim: %ld", &kib) == 1 ||
		    sscanf(line, "VmallocUsed: %ld", &kib) == 1 ||
		    sscanf(line, "PageTables: %ld", &kib) == 1 ||
		    sscanf(line, "Percpu: %ld", &kib) == 1)
			sum += kib;
	fclose(file);
	return sum;
}

/* What a device leaves behind it */
struct residue {
	unsigned int windows, buses, devices, irqs, irq_dirs, irq_domains, fds;
	long kib, free_kib;
};

static struct residue residue(void)
{
	/* What RCU frees, and work that others do */
	lab_sleep_ms(300);
	return (struct residue){
		.windows = windows(),
		.buses = entries("/sys/class/pci_bus"),
		.devices = entries("/sys/bus/pci/devices"),
		.irqs = lines_with("/proc/interrupts", "PCIem"),
		.irq_dirs = entries("/proc/irq"),
		.irq_domains = entries("/sys/kernel/debug/irq/domains"),
		.fds = entries("/proc/self/fd"),
		.kib = kernel_kib(),
		.free_kib = lab_available_kib(),
	};
}

/* Interrupts, accesses and DMA of one device, a little of each */
static void use_everything(struct lab *device)
{
	struct pciem_irq_inject inject = { .vector = 1 };
	uint64_t value = 1;
	struct pciem_dma_op op = {
		.iova = driver_state(device).dma, .user_addr = (uintptr_t)&value, .length = 8,
		.flags = PCIEM_DMA_WRITE,
	};
	int fd = eventfd(0, EFD_CLOEXEC);
	struct pciem_irqfd_config irqfd = { .eventfd = fd, .vector = 2 };

	lab_trace(device, 0, PCIEM_TRACE_READS | PCIEM_TRACE_WRITES);
	driver_run(device, "write32 0 0x40 4 0");
	driver_run(device, "read32 0 0x40 4");
	EXPECT_OK(ioctl(device->fd, PCIEM_IOC_INJECT_IRQ, &inject));
	EXPECT_OK(ioctl(device->fd, PCIEM_IOC_SET_IRQFD, &irqfd));
	EXPECT_OK(ioctl(device->fd, PCIEM_IOC_DMA, &op));
	value = 1;
	EXPECT_EQ(write(fd, &value, 8), 8);
	close(fd);
}

/* Pages that the CPUs keep for themselves are neither available nor lost; let them keep few */
#define KEPT_PAGES "/proc/sys/vm/percpu_pagelist_high_fraction"

TEST_FOR(nothing_leaks_in_200_cycles, 400)
{
	struct lab_spec spec = test_spec();
	struct residue before = { 0 }, after;

	ASSERT(!lab_write_file(KEPT_PAGES, "1000000"));
	spec.msix = 64;
	driver_load("irq=msix");
	for (int i = 0; i < 220; i++) {
		driver_power_on(&lab, &spec);
		use_everything(&lab);
		lab_power_off(&lab);
		if (i == 19)
			before = residue();
	}
	after = residue();
	lab_write_file(KEPT_PAGES, "0");
	EXPECT_EQ(after.windows, 0);
	EXPECT_EQ(after.irqs, 0);
	EXPECT_EQ(after.buses, before.buses);
	EXPECT_EQ(after.devices, before.devices);
	EXPECT_EQ(after.irq_dirs, before.irq_dirs);
	EXPECT_EQ(after.irq_domains, before.irq_domains);
	EXPECT_EQ(after.fds, before.fds);
	/* 10 KiB each would be 2 MiB */
	EXPECT_(after.kib - before.kib < 2048, false, "%ld KiB of kernel memory, then %ld",
		before.kib, after.kib);
	EXPECT_(before.free_kib - after.free_kib < 8192, false, "%ld KiB available, then %ld",
		before.free_kib, after.free_kib);
	expect_all_given_back();
}

/* Reads of a device that is gone are all ones, as on a bus */
TEST(sysfs_file_held_across_removal)
{
	uint8_t bytes[256];
	int config;

	lab_power_on(&lab, &lab_plain);
	config = open(lab_sysfs(&lab, "config"), O_RDWR);
	ASSERT(config >= 0);
	EXPECT_EQ(pread(config, bytes, 64, 0), 64);
	EXPECT_EQ(bytes[0], LAB_VENDOR & 0xff);
	lab_power_off(&lab);
	memset(bytes, 0, sizeof(bytes));
	if (pread(config, bytes, 64, 0) > 0)
		EXPECT_EQ(bytes[0], 0xff);
	pwrite(config, bytes, 4, 4);
	close(config);
	expect_all_given_back();
}

TEST(driver_unbound_and_bound_20_times)
{
	struct lab_spec spec = test_spec();
	struct pciem_irq_inject inject = { .vector = 3 };

	driver_load("irq=msix");
	driver_power_on(&lab, &spec);
	lab_trace(&lab, 0, PCIEM_TRACE_WRITES);
	for (int i = 0; i < 20; i++) {
		lab_drain(&lab);
		EXPECT_OK(lab_write_file("/sys/bus/pci/drivers/pciem_test/unbind", lab.address));
		EXPECT(!driver_bound(&lab));
		EXPECT_OK(lab_write_file("/sys/bus/pci/drivers/pciem_test/bind", lab.address));
		driver_wait(&lab);
		lab_drain(&lab);
		driver_run(&lab, "write32 0 0x40 1 %d", i);
		const struct pciem_event *e = lab_event(&lab, 1000);

		ASSERT(e);
		EXPECT_EQ(e->data, i);
		EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_INJECT_IRQ, &inject));
		EXPECT(lab_wait(driver_state(&lab).irqs[3] == 1, 1000));
	}
}

/* Removed and found again by the user, through sysfs */
TEST(removed_and_rescanned)
{
	struct lab_spec spec = test_spec();

	driver_load("irq=msix");
	driver_power_on(&lab, &spec);
	driver_run(&lab, "write32 0 0x40 1 5");
	EXPECT_OK(lab_write_file(lab_sysfs(&lab, "remove"), "1"));
	EXPECT(!lab_exists(&lab));
	lab_info(&lab);
	EXPECT_OK(lab_write_file("/sys/bus/pci/rescan", "1"));
	if (lab_wait(lab_exists(&lab), 2000)) {
		driver_wait(&lab);
		EXPECT_EQ(driver_run(&lab, "read32 0 0x40 1"), 5);
	}
	lab_power_off(&lab);
	expect_all_given_back();
	expect_next_works();
}

/* Removed through sysfs, then closed without a rescan */
TEST(removed_and_closed)
{
	struct lab_spec spec = test_spec();

	driver_load("irq=msix");
	driver_power_on(&lab, &spec);
	EXPECT_OK(lab_write_file(lab_sysfs(&lab, "remove"), "1"));
	lab_power_off(&lab);
	expect_all_given_back();
	expect_next_works();
}

TEST_FOR(module_unload_waits_for_devices, 180)
{
	driver_load("irq=msix");
	lab_power_on(&lab, &lab_plain);
	EXPECT_ERROR(module_unload("pciem"), EWOULDBLOCK);
	EXPECT(lab_exists(&lab));
	lab_power_off(&lab);
	expect_all_given_back();
	EXPECT_OK(module_unload("pciem"));
	EXPECT_EQ(access("/dev/pciem", F_OK), -1);
	EXPECT_OK(module_load("pciem", ""));
	EXPECT(lab_wait(!access("/dev/pciem", F_OK), 2000));
	expect_next_works();
}

/* What keeps a device may outlive it, but not the module */
TEST_FOR(module_unload_waits_for_an_instance, 180)
{
	lab_power_on(&lab, &lab_plain);
	munmap(lab.ring, PCIEM_RING_BYTES(256));
	lab.ring = NULL;
	close(lab.fd);
	EXPECT(lab_wait(!lab_exists(&lab), 2000));
	EXPECT_ERROR(module_unload("pciem"), EWOULDBLOCK);
	close(lab.instance);
	expect_all_given_back();
}

TEST_FOR(driver_unloaded_while_the_device_is_there, 180)
{
	struct lab_spec spec = test_spec();

	driver_load("irq=msix");
	driver_power_on(&lab, &spec);
	EXPECT_OK(module_unload("pciem_test"));
	lab_power_off(&lab);
	expect_all_given_back();
	driver_load("irq=msix");
	expect_next_works();
}

/* A device process of its own, that a test can kill */
static pid_t device_process(const struct lab_spec *spec, bool consume, int ready[2])
{
	pid_t child;

	ASSERT(!pipe2(ready, O_CLOEXEC));
	child = fork();
	if (child)
		return child;
	lab_build(&lab, spec);
	lab_register(&lab);
	lab_map_ring(&lab);
	lab_trace(&lab, 0, PCIEM_TRACE_READS | PCIEM_TRACE_WRITES);
	lab_start(&lab);
	if (write(ready[1], lab.address, sizeof(lab.address)) < 0)
		_exit(1);
	for (;;) {
		if (consume)
			lab_event(&lab, 100);
		else
			pause();
	}
}

static pthread_t driver_thread;
static volatile bool driver_stop;
static volatile unsigned long driver_rounds;
static char driver_command[64];

/* Accesses without end, until the driver is gone */
static void *keep_working(void *arg)
{
	struct driver_result result;

	(void)arg;
	while (!driver_stop && !driver_try(&lab, &result, "%s", driver_command))
		driver_rounds++;
	return NULL;
}

static void kill_rounds(const char *command, bool consume, int rounds, int least_ms)
{
	struct lab_spec spec = test_spec();
	int ready[2], status;

	driver_load("irq=msix");
	snprintf(driver_command, sizeof(driver_command), "%s", command);
	for (int i = 0; i < rounds; i++) {
		pid_t device = device_process(&spec, consume, ready);
		uint64_t start;

		ASSERT(read(ready[0], lab.address, sizeof(lab.address)) == sizeof(lab.address));
		close(ready[0]);
		close(ready[1]);
		driver_wait(&lab);
		driver_stop = false;
		driver_rounds = 0;
		ASSERT(!pthread_create(&driver_thread, NULL, keep_working, NULL));
		usleep(1000 * (least_ms + i * 7));
		start = lab_now_ns();
		ASSERT(!kill(device, SIGKILL));
		ASSERT(waitpid(device, &status, 0) == device);
		EXPECT_(lab_now_ns() - start < 10000000000ULL, false, "the process took %lu ms to go",
			(lab_now_ns() - start) / 1000000);
		driver_stop = true;
		pthread_join(driver_thread, NULL);
		EXPECT_(lab_wait(!lab_exists(&lab), 5000), true, "round %d: the device is still there", i);
		EXPECT(!driver_bound(&lab));
	}
	expect_all_given_back();
	expect_next_works();
}

TEST_FOR(killed_during_writes, 120)
{
	kill_rounds("write32 0 0x40 2000 0", true, 10, 20);
}

/* In the reference a driver that accesses the BAR while the device goes away is an oops */
TEST_FOR(killed_during_reads, 120)
{
	kill_rounds("read32 0 0x40 2000", true, 10, 20);
}

TEST_FOR(killed_during_copies, 120)
{
	kill_rounds("fromio 0 0x100 0x4000", true, 10, 20);
}

TEST_FOR(killed_while_an_access_waits_for_room, 120)
{
	kill_rounds("write32 0 0x40 2000 0", false, 6, 30);
}

TEST_FOR(killed_while_the_driver_binds, 120)
{
	struct lab_spec spec = test_spec();
	int ready[2], status;

	driver_load("irq=msix");
	for (int i = 0; i < 20; i++) {
		pid_t device = device_process(&spec, true, ready);

		ASSERT(read(ready[0], lab.address, sizeof(lab.address)) == sizeof(lab.address));
		close(ready[0]);
		close(ready[1]);
		usleep(500 * i);
		ASSERT(!kill(device, SIGKILL));
		ASSERT(waitpid(device, &status, 0) == device);
		EXPECT_(lab_wait(!lab_exists(&lab), 5000), true, "round %d: the device is still there", i);
	}
	expect_all_given_back();
	expect_next_works();
}

/* After the removal the driver's reads give all ones until it unmaps */
static void *read_until_gone(void *arg)
{
	struct driver_result result;
	uint64_t *worst = arg;

	while (!driver_try(&lab, &result, "read32 0 0x40 300")) {
		if (result.value != 0x1234 && result.value != 0xffffffff)
			*worst = result.value | 1ULL << 32;
		else if (result.value == 0xffffffff)
			driver_rounds++;
	}
	return NULL;
}

TEST_FOR(reads_during_removal_are_the_register_or_all_ones, 60)
{
	struct lab_spec spec = test_spec();
	uint64_t wrong = 0;

	driver_load("irq=msix");
	for (int i = 0; i < 10; i++) {
		driver_power_on(&lab, &spec);
		((uint32_t *)lab_map_bar(&lab, 0, 0x10000))[0x10] = 0x1234;
		ASSERT(!pthread_create(&driver_thread, NULL, read_until_gone, &wrong));
		usleep(5000 + 3000 * i);
		lab_power_off(&lab);
		pthread_join(driver_thread, NULL);
		EXPECT_(!wrong, true, "read %#lx", wrong);
	}
}

/* Interrupts that are on their way when it goes */
static void *raise_until_stopped(void *arg)
{
	(void)arg;
	while (!driver_stop) {
		struct pciem_irq_inject inject = { .vector = driver_rounds++ & 3 };

		if (ioctl(lab.fd, PCIEM_IOC_INJECT_IRQ, &inject) && errno == EBADF)
			break;
	}
	return NULL;
}

TEST_FOR(interrupts_while_the_driver_comes_and_goes, 60)
{
	struct lab_spec spec = test_spec();

	driver_load("irq=msix");
	driver_power_on(&lab, &spec);
	driver_stop = false;
	ASSERT(!pthread_create(&driver_thread, NULL, raise_until_stopped, NULL));
	for (int i = 0; i < 20; i++) {
		EXPECT_OK(lab_write_file("/sys/bus/pci/drivers/pciem_test/unbind", lab.address));
		EXPECT_OK(lab_write_file("/sys/bus/pci/drivers/pciem_test/bind", lab.address));
	}
	driver_stop = true;
	pthread_join(driver_thread, NULL);
	driver_wait(&lab);
	lab_power_off(&lab);
	expect_all_given_back();
}

/* What a device process does while it lives: everything at once, from several threads */
static struct {
	uint64_t dma;
	int eventfd;
} traffic;

static void *interrupts_without_end(void *arg)
{
	uint64_t one = 1;

	(void)arg;
	for (unsigned int i = 0;; i++) {
		struct pciem_irq_inject inject = { .vector = i & 3 };
		struct pciem_set_intx intx = { .asserted = i & 1 };

		ioctl(lab.fd, PCIEM_IOC_INJECT_IRQ, &inject);
		ioctl(lab.fd, PCIEM_IOC_SET_INTX, &intx);
		(void)!write(traffic.eventfd, &one, 8);
	}
	return NULL;
}

static void *dma_without_end(void *arg)
{
	static uint8_t buffer[32768];

	for (;;) {
		struct pciem_dma_op op = {
			.iova = traffic.dma, .user_addr = (uintptr_t)buffer, .length = sizeof(buffer),
			.flags = arg ? PCIEM_DMA_WRITE : PCIEM_DMA_READ,
		};

		ioctl(lab.fd, PCIEM_IOC_DMA, &op);
	}
	return NULL;
}

static void *events_without_end(void *arg)
{
	(void)arg;
	for (;;)
		lab_event(&lab, 10);
	return NULL;
}

/* Of the driver's buffer, whenever the driver is there */
static uint64_t dma_address(void)
{
	char path[128];
	uint64_t address = 0;

	snprintf(path, sizeof(path), "/sys/kernel/debug/pciem_test/%s/state", lab.address);
	while (!address) {
		FILE *file = fopen(path, "r");

		if (file && fscanf(file, "mode=%*s vectors=%*u dma=%lx", &address) != 1)
			address = 0;
		if (file)
			fclose(file);
		usleep(100);
	}
	return address;
}

static pid_t busy_device_process(const struct lab_spec *spec, int ready[2])
{
	pthread_t thread;
	pid_t child;

	ASSERT(!pipe2(ready, O_CLOEXEC));
	child = fork();
	if (child)
		return child;
	lab_build(&lab, spec);
	lab_register(&lab);
	lab_map_ring(&lab);
	lab_trace(&lab, 0, PCIEM_TRACE_READS | PCIEM_TRACE_WRITES);
	lab_start(&lab);
	traffic.eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (uint32_t vector = 0; vector < 2; vector++) {
		struct pciem_irqfd_config irqfd = { .eventfd = traffic.eventfd, .vector = vector };

		ioctl(lab.fd, PCIEM_IOC_SET_IRQFD, &irqfd);
	}
	pthread_create(&thread, NULL, interrupts_without_end, NULL);
	pthread_create(&thread, NULL, events_without_end, NULL);
	if (write(ready[1], lab.address, sizeof(lab.address)) < 0)
		_exit(1);
	traffic.dma = dma_address();
	pthread_create(&thread, NULL, dma_without_end, NULL);
	dma_without_end("write");
	_exit(0);
}

static void *bind_and_unbind(void *arg)
{
	(void)arg;
	while (!driver_stop) {
		lab_write_file("/sys/bus/pci/drivers/pciem_test/unbind", lab.address);
		usleep(500);
		lab_write_file("/sys/bus/pci/drivers/pciem_test/bind", lab.address);
		usleep(2000);
	}
	return NULL;
}

static void *remove_and_rescan(void *arg)
{
	(void)arg;
	while (!driver_stop) {
		lab_write_file(lab_sysfs(&lab, "remove"), "1");
		usleep(500);
		lab_write_file("/sys/bus/pci/rescan", "1");
		usleep(2000);
	}
	return NULL;
}

static void *keep_trying(void *arg)
{
	struct driver_result result;

	(void)arg;
	while (!driver_stop)
		if (driver_try(&lab, &result, "read32 0 0x40 20") ||
		    driver_try(&lab, &result, "write32 0 0x40 20 0"))
			usleep(200);
	return NULL;
}

/* Killed under traffic of every kind, while @meddle does what an administrator may */
static void killed_under_traffic(const char *parameters, void *(*meddle)(void *), int rounds)
{
	struct lab_spec spec = test_spec();
	pthread_t meddler, worker;
	int ready[2], status;

	driver_load(parameters);
	for (int i = 0; i < rounds; i++) {
		pid_t device = busy_device_process(&spec, ready);
		uint64_t start;

		ASSERT(read(ready[0], lab.address, sizeof(lab.address)) == sizeof(lab.address));
		close(ready[0]);
		close(ready[1]);
		driver_stop = false;
		ASSERT(!pthread_create(&worker, NULL, keep_trying, NULL));
		if (meddle)
			ASSERT(!pthread_create(&meddler, NULL, meddle, NULL));
		usleep(rand() % 40000);
		start = lab_now_ns();
		ASSERT(!kill(device, SIGKILL));
		ASSERT(waitpid(device, &status, 0) == device);
		EXPECT_(lab_now_ns() - start < 10000000000ULL, false, "the process took %lu ms to go",
			(lab_now_ns() - start) / 1000000);
		driver_stop = true;
		pthread_join(worker, NULL);
		if (meddle)
			pthread_join(meddler, NULL);
		EXPECT_(lab_wait(!lab_exists(&lab), 5000), true, "round %d: the device is still there", i);
	}
	expect_all_given_back();
	driver_load("irq=msix");
	expect_next_works();
}

TEST_FOR(killed_under_all_traffic, 120)
{
	killed_under_traffic("irq=msix", NULL, 15);
}

TEST_FOR(killed_under_all_traffic_with_a_pin, 120)
{
	killed_under_traffic("irq=intx", NULL, 15);
}

TEST_FOR(killed_while_the_driver_comes_and_goes, 120)
{
	killed_under_traffic("irq=msix", bind_and_unbind, 10);
}

TEST_FOR(killed_while_it_is_removed_and_rescanned, 120)
{
	killed_under_traffic("irq=msix", remove_and_rescan, 10);
}

/* Unload at any moment is refused or done, and nothing else */
static void *unload_and_load(void *arg)
{
	(void)arg;
	while (!driver_stop) {
		if (!module_unload("pciem")) {
			driver_rounds++;
			ASSERT(!module_load("pciem", ""));
		}
		usleep(300);
	}
	return NULL;
}

TEST_FOR(module_unloaded_at_any_moment, 120)
{
	struct lab_spec spec = test_spec();

	driver_load("irq=msix");
	driver_stop = false;
	driver_rounds = 0;
	ASSERT(!pthread_create(&driver_thread, NULL, unload_and_load, NULL));
	for (uint64_t end = lab_now_ns() + 4000000000ULL; lab_now_ns() < end;) {
		int fd = open("/dev/pciem", O_RDWR | O_CLOEXEC);

		/* While it is there, it stays */
		if (fd < 0)
			continue;
		lab_build(&lab, &spec);
		close(fd);
		lab_register(&lab);
		lab_map_ring(&lab);
		lab_start(&lab);
		usleep(rand() % 10000);
		lab_power_off(&lab);
	}
	driver_stop = true;
	pthread_join(driver_thread, NULL);
	EXPECT(driver_rounds > 0);
	expect_all_given_back();
	expect_next_works();
}

/* Linux interrupts that there are */
static unsigned int interrupts(void)
{
	DIR *dir = opendir("/sys/kernel/irq");
	unsigned int count = 0;

	ASSERT(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void rebind(void)
{
	ASSERT(!lab_write_file("/sys/bus/pci/drivers/pciem_test/unbind", lab.address));
	ASSERT(!lab_write_file("/sys/bus/pci/drivers/pciem_test/bind", lab.address));
	driver_wait(&lab);
}

/*
 * What a driver forgets to free is freed for it: the next one gets all vectors, and
 * so does the next device. @forget is the parameter of pciem_test.
 */
static void forgetful_driver(const char *mode, unsigned int forget, unsigned int vectors)
{
	struct lab_spec spec = test_spec();
	struct pciem_irq_inject inject;
	unsigned int before = 0;
	char parameters[64];

	spec.msix = strcmp(mode, "msix") ? 0 : vectors;
	spec.msi_log2 = spec.msix ? -1 : 5;
	spec.msi_mask = true;
	snprintf(parameters, sizeof(parameters), "irq=%s vectors=%u forget=%u", mode, vectors, forget);
	driver_load(parameters);
	for (int times = 0; times < 50; times++) {
		driver_power_on(&lab, &spec);
		if (times % 5 == 4) {
			rebind();
		} else if (times % 10 == 8) {
			/* The driver leaves first, and another takes over. */
			driver_load(parameters);
			driver_wait(&lab);
		}
		EXPECT_EQ(driver_state(&lab).vectors, vectors);
		for (unsigned int v = 0; v < vectors; v += vectors / 4) {
			inject = (struct pciem_irq_inject){ .vector = v };
			EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_INJECT_IRQ, &inject));
			EXPECT(lab_wait(driver_state(&lab).irqs[v] == 1, 1000));
		}
		lab_power_off(&lab);
		ASSERT(lab_wait(!lab_exists(&lab), 5000));
		if (!times)
			before = interrupts();
	}
	EXPECT_EQ(interrupts(), before);
	expect_all_given_back();
}

TEST_FOR(a_driver_that_forgets_its_MSIX_vectors, 240)
{
	forgetful_driver("msix", 1, 64);
}

TEST_FOR(a_driver_that_forgets_its_MSI_vectors, 240)
{
	forgetful_driver("msi", 1, 32);
}

TEST_FOR(a_driver_that_forgets_its_handlers_too, 240)
{
	forgetful_driver("msix", 2, 64);
}

TEST_MAIN()

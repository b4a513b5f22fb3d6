// SPDX-License-Identifier: GPL-2.0-only
/* What a person can see of a device without its program: tracepoints and debugfs. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver.h"
#include "harness.h"

#define TRACING	"/sys/kernel/tracing/instances/pciem-observe"

static struct lab lab;

static void set_up(void)
{
	struct lab_spec spec = lab_plain;

	spec.device = LAB_DEVICE;
	spec.msix = 4;
	driver_load("irq=msix");
	driver_power_on(&lab, &spec);
}

static char *read_all(const char *path)
{
	static char text[1 << 18];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t n;

	EXPECT_(fd >= 0, true, "%s: %s", path, harness_errno(errno));
	while ((n = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
		length += n;
	ASSERT(n == 0);
	close(fd);
	text[length] = '\0';
	return text;
}

/* Events that other tests or earlier accesses left are not in an instance of our own. */
static void tracing_start(void)
{
	/* Recording names of processes patches the scheduler: an emulated CPU has stumbled over it. */
	ASSERT(!lab_write_file("/sys/kernel/tracing/options/record-cmd", "0"));
	rmdir(TRACING);
	ASSERT(!mkdir(TRACING, 0700));
	ASSERT(!lab_write_file(TRACING "/events/pciem/enable", "1"));
}

static void tracing_end(void)
{
	lab_write_file(TRACING "/events/pciem/enable", "0");
	rmdir(TRACING);
}

/* A line of the trace that has all of this text after the device's address */
static void expect_line(const char *event, const char *address, const char *rest)
{
	char wanted[160];
	char *text = read_all(TRACING "/trace");

	snprintf(wanted, sizeof(wanted), "%s: %s %s", event, address, rest);
	EXPECT_(strstr(text, wanted), false, "no \"%s\" in the trace:\n%.2000s", wanted, text);
}

TEST_FOR(accesses_in_the_trace, 120)
{
	set_up();
	lab_trace(&lab, 0, PCIEM_TRACE_READS | PCIEM_TRACE_WRITES);
	tracing_start();
	driver_run(&lab, "write32 0 0x123c 1 0xabcd");
	driver_run(&lab, "read16 0 0x123c 1");
	lab_config_read(&lab, 0, 4);
	lab_config_write(&lab, 0x3c, 1, 0x5a);
	expect_line("pciem_mmio_write", lab.address, "bar=0 offset=0x123c size=4 value=0xabcd");
	expect_line("pciem_mmio_read", lab.address, "bar=0 offset=0x123c size=2 value=0xabcd");
	expect_line("pciem_config_read", lab.address, "offset=0x000 size=4 value=0xff1f0c");
	expect_line("pciem_config_write", lab.address, "offset=0x03c size=1 value=0x5a");
	tracing_end();
}

TEST_FOR(losses_in_the_trace, 120)
{
	char address[16];
	long wait = lab_read_number("/sys/module/pciem/parameters/ring_wait_ms");
	char text[16];

	set_up();
	lab_trace(&lab, 0, PCIEM_TRACE_WRITES);
	tracing_start();
	snprintf(text, sizeof(text), "%ld", wait);
	ASSERT(!lab_write_file("/sys/module/pciem/parameters/ring_wait_ms", "1"));
	/* The ring that old programs have holds 255; nobody takes them */
	driver_run(&lab, "write32 0 0 260 1");
	ASSERT(!lab_write_file("/sys/module/pciem/parameters/ring_wait_ms", text));
	snprintf(address, sizeof(address), "%.*s", (int)strlen(lab.address) - 2, lab.address);
	expect_line("pciem_event_lost", address, "lost=5");
	tracing_end();
}

TEST_FOR(resets_in_the_trace, 120)
{
	struct lab_spec spec = lab_plain;

	spec.pcie = true;
	lab_power_on(&lab, &spec);
	tracing_start();
	EXPECT(lab_wait(!access(lab_sysfs(&lab, "reset_method"), F_OK), 2000));
	EXPECT_OK(lab_write_file(lab_sysfs(&lab, "reset_method"), "flr"));
	EXPECT_OK(lab_write_file(lab_sysfs(&lab, "reset"), "1"));
	expect_line("pciem_reset", lab.address, "FLR");
	tracing_end();
}

static const char *const files[] = { "state", "bars", "vectors", "counters" };

static const char *debugfs(const char *address, const char *file)
{
	static _Thread_local char path[128];

	/* A directory a device: without the function number */
	snprintf(path, sizeof(path), "/sys/kernel/debug/pciem/%.*s/%s", (int)strlen(address) - 2,
		 address, file);
	return path;
}

static void expect_text(const char *file, const char *wanted)
{
	char *text = read_all(debugfs(lab.address, file));

	EXPECT_(strstr(text, wanted), false, "no \"%s\" in %s:\n%.2000s", wanted, file, text);
}

TEST(files_of_a_device)
{
	struct pciem_irq_inject inject = { .vector = 2 };
	char line[64], counted[64];
	struct stat st;

	set_up();
	lab_trace(&lab, 2, PCIEM_TRACE_WRITES);
	driver_run(&lab, "write32 2 0 3 1");
	snprintf(line, sizeof(line), "%s id 1f0c:00ff", lab.address);
	expect_text("state", line);
	expect_text("state", "started");
	expect_text("state", "driver: pciem_test");
	expect_text("state", "bus mastering: on");
	expect_text("state", "MSI-X, 4 of 4 vectors");
	expect_text("bars", "0x10000    64-bit");
	expect_text("bars", "writes");
	snprintf(line, sizeof(line), "0        0   0x%016lx", lab_read_number(lab_sysfs(&lab, "resource")));
	expect_text("bars", line);
	ASSERT(!ioctl(lab.fd, PCIEM_IOC_INJECT_IRQ, &inject));
	EXPECT(lab_wait(driver_state(&lab).irqs[2] == 1, 1000));
	expect_text("vectors", "\n0        2      ");
	expect_text("counters", "events 3\n");
	expect_text("counters", "lost 0\n");
	snprintf(counted, sizeof(counted), "interrupts.0 %llu\n",
		 (unsigned long long)lab_info(&lab).interrupts);
	expect_text("counters", counted);

	/* For root alone, to be read alone */
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		ASSERT(!stat(debugfs(lab.address, files[i]), &st));
		EXPECT_EQ(st.st_uid, 0);
		EXPECT_EQ(st.st_mode & 07777, 0400);
	}
}

TEST(files_go_with_the_device)
{
	int fds[sizeof(files) / sizeof(files[0])];
	char buffer[64];

	set_up();
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		fds[i] = open(debugfs(lab.address, files[i]), O_RDONLY | O_CLOEXEC);
		ASSERT(fds[i] >= 0);
	}
	lab_power_off(&lab);
	EXPECT_ERROR(access(debugfs(lab.address, ""), F_OK), ENOENT);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		EXPECT_ERROR(read(fds[i], buffer, sizeof(buffer)), EIO);
		close(fds[i]);
	}
	EXPECT(lab_wait(module_references("pciem") == 0, 5000));
}

static volatile bool stop;

static void *read_everything(void *arg)
{
	unsigned long *reads = arg;
	char buffer[4096], path[600];

	while (!stop) {
		DIR *dir = opendir("/sys/kernel/debug/pciem");
		struct dirent *entry;

		while (dir && (entry = readdir(dir))) {
			for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
				int fd;

				snprintf(path, sizeof(path), "/sys/kernel/debug/pciem/%s/%s", entry->d_name,
					 files[i]);
				fd = open(path, O_RDONLY | O_CLOEXEC);
				if (fd < 0)
					continue;
				*reads += read(fd, buffer, sizeof(buffer)) > 0;
				close(fd);
			}
		}
		if (dir)
			closedir(dir);
	}
	return NULL;
}

TEST_FOR(files_read_while_devices_come_and_go, 60)
{
	unsigned long reads[2] = { 0 };
	struct lab_spec spec = lab_plain;
	pthread_t ids[2];

	spec.device = LAB_DEVICE_FREE;
	spec.msix = 64;
	for (int i = 0; i < 2; i++)
		ASSERT(!pthread_create(&ids[i], NULL, read_everything, &reads[i]));
	for (int round = 0; round < 25; round++) {
		lab_power_on(&lab, &spec);
		lab_sleep_ms(round % 5);
		lab_power_off(&lab);
	}
	stop = true;
	for (int i = 0; i < 2; i++)
		pthread_join(ids[i], NULL);
	EXPECT(reads[0] + reads[1] > 20);
	EXPECT(lab_wait(module_references("pciem") == 0, 5000));
}

TEST_MAIN()

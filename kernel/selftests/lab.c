// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "lab.h"

const struct lab_spec lab_plain = {
	.device = LAB_DEVICE_FREE,
	.bars = {
		[0] = { 0x10000, PCIEM_BAR_MEM64 },
		[2] = { 0x4000, 0 },
	},
	.msi_log2 = -1,
};

void lab_build(struct lab *lab, const struct lab_spec *spec)
{
	struct pciem_create_device create = { 0 };
	struct pciem_version version;
	struct pciem_config_space config = {
		.vendor_id = LAB_VENDOR,
		.device_id = spec->device,
		.subsys_vendor_id = LAB_VENDOR,
		.subsys_device_id = 1,
		.class_code = { 0, 0, 0xff },
	};
	struct pciem_cap_config cap;

	memset(lab, 0, sizeof(*lab));
	lab->instance = -1;
	lab->slots = spec->slots ? spec->slots : PCIEM_RING_EVENTS;
	lab->fd = open("/dev/pciem", O_RDWR | O_CLOEXEC);
	ASSERT(lab->fd >= 0);
	/* A program of the current interface, which is told of its mistakes */
	ASSERT(!ioctl(lab->fd, PCIEM_IOC_GET_VERSION, &version));
	ASSERT(!ioctl(lab->fd, PCIEM_IOC_CREATE_DEVICE, &create));
	ASSERT(!ioctl(lab->fd, PCIEM_IOC_SET_CONFIG, &config));
	lab->wide = spec->slots;
	if (spec->slots) {
		struct pciem_setup_ring setup = { .slots = spec->slots };

		ASSERT(!ioctl(lab->fd, PCIEM_IOC_SETUP_RING, &setup));
	}
	for (unsigned int i = 0; i < 6; i++) {
		struct pciem_bar_config bar = {
			.bar_index = i,
			.flags = spec->bars[i].flags,
			.size = spec->bars[i].size,
		};

		if (bar.size)
			ASSERT(!ioctl(lab->fd, PCIEM_IOC_ADD_BAR, &bar));
	}
	memset(&cap, 0, sizeof(cap));
	if (spec->pm) {
		cap.cap_type = PCIEM_CAP_PM;
		ASSERT(!ioctl(lab->fd, PCIEM_IOC_ADD_CAPABILITY, &cap));
	}
	if (spec->pcie) {
		cap.cap_type = PCIEM_CAP_PCIE;
		ASSERT(!ioctl(lab->fd, PCIEM_IOC_ADD_CAPABILITY, &cap));
	}
	if (spec->msi_log2 >= 0) {
		cap.cap_type = PCIEM_CAP_MSI;
		cap.u.msi.num_vectors_log2 = spec->msi_log2;
		cap.u.msi.has_64bit = 1;
		cap.u.msi.has_masking = spec->msi_mask;
		ASSERT(!ioctl(lab->fd, PCIEM_IOC_ADD_CAPABILITY, &cap));
	}
	if (spec->msix) {
		memset(&cap, 0, sizeof(cap));
		cap.cap_type = PCIEM_CAP_MSIX;
		cap.u.msix.table_offset = 0x8000;
		cap.u.msix.pba_offset = spec->msix > 0x700 ? 0x7000 : 0xf000;
		cap.u.msix.table_size = spec->msix;
		ASSERT(!ioctl(lab->fd, PCIEM_IOC_ADD_CAPABILITY, &cap));
	}
}

void lab_register(struct lab *lab)
{
	struct pciem_device_info info;

	lab->instance = ioctl(lab->fd, PCIEM_IOC_REGISTER);
	ASSERT(lab->instance >= 0);
	info = lab_info(lab);
	snprintf(lab->address, sizeof(lab->address), "%04x:%02x:%02x.%u", info.domain, info.bus,
		 info.devfn >> 3, info.devfn & 7);
}

void lab_start(struct lab *lab)
{
	ASSERT(!ioctl(lab->fd, PCIEM_IOC_START));
}

static size_t ring_bytes(struct lab *lab)
{
	return lab->wide ? PCIEM_WIDE_RING_BYTES((size_t)lab->slots) :
	       PCIEM_RING_BYTES((size_t)lab->slots);
}

void lab_map_ring(struct lab *lab)
{
	lab->map = mmap(NULL, ring_bytes(lab), PROT_READ | PROT_WRITE, MAP_SHARED, lab->fd, 0);
	ASSERT(lab->map != MAP_FAILED);
}

void lab_power_on(struct lab *lab, const struct lab_spec *spec)
{
	lab_build(lab, spec);
	lab_register(lab);
	lab_map_ring(lab);
	lab_start(lab);
}

void *lab_map_bar(struct lab *lab, unsigned int bar, size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, lab->instance,
		       (off_t)PCIEM_BAR_PGOFF(0, bar) * 4096);

	ASSERT(p != MAP_FAILED);
	return p;
}

void lab_trace(struct lab *lab, unsigned int bar, uint32_t flags)
{
	struct pciem_trace_bar trace = { .bar_index = bar, .flags = flags };

	ASSERT(!ioctl(lab->fd, PCIEM_IOC_TRACE_BAR, &trace));
}

void lab_power_off(struct lab *lab)
{
	if (lab->map)
		munmap(lab->map, ring_bytes(lab));
	if (lab->instance >= 0)
		close(lab->instance);
	close(lab->fd);
	lab->map = NULL;
	lab->instance = lab->fd = -1;
}

struct pciem_device_info lab_info(struct lab *lab)
{
	struct pciem_device_info info = { 0 };

	ASSERT(!ioctl(lab->fd, PCIEM_IOC_DEVICE_INFO, &info));
	return info;
}

const char *lab_sysfs(struct lab *lab, const char *file)
{
	static _Thread_local char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", lab->address, file);
	return path;
}

bool lab_exists(struct lab *lab)
{
	return !access(lab_sysfs(lab, "vendor"), F_OK);
}

static int config_file(struct lab *lab)
{
	int fd = open(lab_sysfs(lab, "config"), O_RDWR | O_CLOEXEC);

	ASSERT(fd >= 0);
	return fd;
}

uint32_t lab_config_read(struct lab *lab, unsigned int offset, unsigned int size)
{
	int fd = config_file(lab);
	uint32_t value = 0;

	ASSERT(pread(fd, &value, size, offset) == (ssize_t)size);
	close(fd);
	return value;
}

void lab_config_write(struct lab *lab, unsigned int offset, unsigned int size, uint32_t value)
{
	int fd = config_file(lab);

	ASSERT(pwrite(fd, &value, size, offset) == (ssize_t)size);
	close(fd);
}

void lab_bus_master(struct lab *lab, bool on)
{
	uint32_t command = lab_config_read(lab, 4, 2);

	lab_config_write(lab, 4, 2, on ? command | 4 : command & ~4U);
}

static uint64_t ring_tail(struct lab *lab)
{
	return lab->wide ? __atomic_load_n(&lab->wide_ring->tail, __ATOMIC_ACQUIRE) :
	       __atomic_load_n(&lab->ring->tail, __ATOMIC_ACQUIRE);
}

static void ring_give_back(struct lab *lab)
{
	if (lab->wide)
		__atomic_store_n(&lab->wide_ring->head, lab->head, __ATOMIC_RELEASE);
	else
		__atomic_store_n(&lab->ring->head, lab->head, __ATOMIC_RELEASE);
}

const struct pciem_event *lab_event(struct lab *lab, int milliseconds)
{
	struct pollfd pollfd = { .fd = lab->fd, .events = POLLIN };
	const struct pciem_event *event;
	uint32_t slot;

	ring_give_back(lab);
	if (ring_tail(lab) == lab->head &&
	    (milliseconds <= 0 || poll(&pollfd, 1, milliseconds) <= 0 ||
	     ring_tail(lab) == lab->head))
		return NULL;
	slot = lab->head & (lab->slots - 1);
	event = lab->wide ? &lab->wide_ring->events[slot].event : &lab->ring->events[slot];
	lab->head = lab->wide ? lab->head + 1 : (lab->head + 1) & (lab->slots - 1);
	return event;
}

const struct pciem_wide_event *lab_wide_event(struct lab *lab, int milliseconds)
{
	ASSERT(lab->wide);
	return (const struct pciem_wide_event *)lab_event(lab, milliseconds);
}

void lab_drain(struct lab *lab)
{
	lab->head = ring_tail(lab);
	ring_give_back(lab);
}

void lab_sleep_ms(unsigned int milliseconds)
{
	usleep(milliseconds * 1000);
}

uint64_t lab_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

int lab_write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;
	int error;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	error = errno;
	close(fd);
	errno = error;
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

long lab_read_number(const char *path)
{
	char text[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	if (fd >= 0)
		close(fd);
	return *text ? strtol(text, NULL, 0) : -1;
}

void *lab_locked_page(uint64_t *physical)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	ASSERT(page != MAP_FAILED && fd >= 0);
	memset(page, 0, 4096);
	ASSERT(pread(fd, &entry, 8, (uintptr_t)page / 4096 * 8) == 8);
	close(fd);
	ASSERT(entry >> 63);
	*physical = (entry & ((1ULL << 55) - 1)) * 4096;
	return page;
}

uint32_t lab_config_access(struct lab *lab, uint32_t flags, uint32_t offset, uint32_t size,
			   uint32_t value)
{
	struct pciem_config_access access = {
		.flags = flags, .offset = offset, .size = size, .value = value,
	};

	EXPECT_OK(ioctl(lab->fd, PCIEM_IOC_CONFIG_ACCESS, &access));
	return access.value;
}

long lab_available_kib(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	long kib = 0;

	ASSERT(file);
	while (fgets(line, sizeof(line), file))
		sscanf(line, "MemAvailable: %ld", &kib);
	fclose(file);
	return kib;
}

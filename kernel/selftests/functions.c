// SPDX-License-Identifier: GPL-2.0-only
/* Devices of several functions, and devices in a slot of a bus that is already there. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "driver.h"
#include "harness.h"

#define FUNCTIONS 8

/* By function number; they share the descriptors and the ring of the first */
static struct lab card[FUNCTIONS], others[3][FUNCTIONS];

static void add_function(int fd, unsigned int func, uint32_t flags, bool msix)
{
	struct pciem_create_device create = { .func = func, .flags = flags };
	struct pciem_config_space config = {
		.func = func, .vendor_id = LAB_VENDOR, .device_id = LAB_DEVICE,
		.class_code = { 0, 0, 0xff },
	};
	struct pciem_bar_config bar0 = { .func = func, .size = 0x10000, .flags = PCIEM_BAR_MEM64 };
	struct pciem_bar_config bar2 = { .func = func, .bar_index = 2, .size = 0x10 << func };
	struct pciem_cap_config cap = { .func = func, .cap_type = PCIEM_CAP_PCIE };

	ASSERT(!ioctl(fd, PCIEM_IOC_CREATE_DEVICE, &create));
	ASSERT(!ioctl(fd, PCIEM_IOC_SET_CONFIG, &config));
	ASSERT(!ioctl(fd, PCIEM_IOC_ADD_BAR, &bar0));
	ASSERT(!ioctl(fd, PCIEM_IOC_ADD_BAR, &bar2));
	ASSERT(!ioctl(fd, PCIEM_IOC_ADD_CAPABILITY, &cap));
	if (!msix)
		return;
	cap.cap_type = PCIEM_CAP_MSIX;
	cap.u.msix.table_offset = 0x8000;
	cap.u.msix.pba_offset = 0xf000;
	cap.u.msix.table_size = func + 1;
	ASSERT(!ioctl(fd, PCIEM_IOC_ADD_CAPABILITY, &cap));
}

static void build(struct lab device[FUNCTIONS], unsigned int mask, uint32_t flags, bool msix)
{
	struct pciem_setup_ring setup = { .slots = 4096 };
	struct lab lab = { .instance = -1, .slots = 4096, .wide = true };

	lab.fd = open("/dev/pciem", O_RDWR | O_CLOEXEC);
	ASSERT(lab.fd >= 0);
	/* In any order */
	for (int func = FUNCTIONS - 1; func >= 0; func--)
		if (mask & 1 << func)
			add_function(lab.fd, func, flags, msix);
	ASSERT(!ioctl(lab.fd, PCIEM_IOC_SETUP_RING, &setup));
	device[0] = lab;
}

static void copy_function(struct lab device[FUNCTIONS], int func)
{
	device[func] = device[0];
	device[func].address[strlen(device[0].address) - 1] = '0' + func;
}

static void start(struct lab device[FUNCTIONS], unsigned int mask)
{
	lab_register(&device[0]);
	lab_map_ring(&device[0]);
	for (int func = 1; func < FUNCTIONS; func++)
		copy_function(device, func);
	lab_start(&device[0]);
	for (int func = 0; func < FUNCTIONS; func++)
		if (mask & 1 << func)
			driver_wait(&device[func]);
}

static void *map(struct lab *lab, unsigned int func, unsigned int bar, size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, lab->instance,
		       (off_t)PCIEM_BAR_PGOFF(func, bar) * 4096);

	ASSERT(p != MAP_FAILED);
	return p;
}

static uint32_t peek(struct lab *lab, unsigned int func, unsigned int bar, unsigned int offset)
{
	void *p = map(lab, func, bar, 4096);
	uint32_t value = *(volatile uint32_t *)((char *)p + offset);

	munmap(p, 4096);
	return value;
}

static void inject(struct lab *lab, unsigned int func, unsigned int vector)
{
	struct pciem_irq_inject irq = { .func = func, .vector = vector };

	EXPECT_OK(ioctl(lab->fd, PCIEM_IOC_INJECT_IRQ, &irq));
}

/* Memory, DMA and every vector of every function */
static void each_on_its_own(struct lab device[FUNCTIONS], unsigned int mask, unsigned int salt)
{
	for (unsigned int func = 0; func < FUNCTIONS; func++) {
		if (!(mask & 1 << func))
			continue;
		driver_run(&device[func], "reset");
		driver_run(&device[func], "write32 0 0x40 1 %#x", salt + func);
		driver_run(&device[func], "write32 2 8 1 %#x", salt + 0x100 + func);
		driver_run(&device[func], "dmaput 0 %#x", salt + 0x200 + func);
		for (unsigned int vector = 0; vector <= func; vector++)
			for (unsigned int n = 0; n <= vector; n++)
				inject(&device[0], func, vector);
	}
	for (unsigned int func = 0; func < FUNCTIONS; func++) {
		struct driver_state state;
		uint64_t value = 0;
		struct pciem_dma_op op = {
			.func = func, .user_addr = (uintptr_t)&value, .length = 8, .flags = PCIEM_DMA_READ,
		};

		if (!(mask & 1 << func))
			continue;
		EXPECT_EQ(peek(&device[0], func, 0, 0x40), salt + func);
		EXPECT_EQ(peek(&device[0], func, 2, 8), salt + 0x100 + func);
		lab_wait(driver_state(&device[func]).irqs[func] == func + 1, 1000);
		state = driver_state(&device[func]);
		EXPECT_(!strcmp(state.mode, "msix"), false, "mode %s", state.mode);
		EXPECT_EQ(state.vectors, func + 1);
		for (unsigned int vector = 0; vector <= func; vector++)
			EXPECT_EQ(state.irqs[vector], vector + 1);
		op.iova = state.dma;
		EXPECT_OK(ioctl(device[0].fd, PCIEM_IOC_DMA, &op));
		EXPECT_EQ(value, salt + 0x200 + func);
	}
}

/* In the reference multi-function devices do not register */
TEST(eight_functions_each_with_BARs_and_MSIX)
{
	driver_load("irq=msix");
	build(card, 0xff, PCIEM_CREATE_VIRTUAL, true);
	start(card, 0xff);
	each_on_its_own(card, 0xff, 0x1000);
	for (int func = 0; func < FUNCTIONS; func++)
		EXPECT_EQ(lab_config_read(&card[func], 0x0e, 1), 0x80);
}

TEST(holes_in_function_numbers)
{
	const unsigned int mask = 1 << 0 | 1 << 2 | 1 << 5 | 1 << 7;

	driver_load("irq=msix");
	build(card, mask, PCIEM_CREATE_VIRTUAL, true);
	start(card, mask);
	for (int func = 0; func < FUNCTIONS; func++)
		EXPECT_EQ(lab_exists(&card[func]), !!(mask & 1 << func));
	each_on_its_own(card, mask, 0x2000);
}

TEST(no_function_0)
{
	build(card, 1 << 1, PCIEM_CREATE_VIRTUAL, true);
	EXPECT_ERROR(ioctl(card[0].fd, PCIEM_IOC_REGISTER), EINVAL);
	add_function(card[0].fd, 0, PCIEM_CREATE_VIRTUAL, true);
	EXPECT_OK(ioctl(card[0].fd, PCIEM_IOC_REGISTER));
}

TEST(accesses_of_two_functions_are_told_apart)
{
	unsigned int seen[2] = { 0 };

	driver_load("irq=msix");
	build(card, 3, PCIEM_CREATE_VIRTUAL, true);
	start(card, 3);
	for (int func = 0; func < 2; func++) {
		struct pciem_trace_bar trace = { .func = func, .flags = PCIEM_TRACE_WRITES };

		EXPECT_OK(ioctl(card[0].fd, PCIEM_IOC_TRACE_BAR, &trace));
	}
	for (int i = 0; i < 50; i++) {
		driver_run(&card[i & 1], "write32 0 0x40 1 %d", i);
		inject(&card[0], i & 1, 0);
	}
	for (int i = 0; i < 50; i++) {
		const struct pciem_wide_event *e = lab_wide_event(&card[0], 100);

		ASSERT(e);
		EXPECT_EQ(e->event.data, i);
		EXPECT_EQ(e->event.cpu >> 16, i & 1);
		seen[i & 1]++;
	}
	for (int func = 0; func < 2; func++) {
		EXPECT_EQ(seen[func], 25);
		EXPECT(lab_wait(driver_state(&card[func]).irqs[0] == 25, 1000));
	}
}

/* INTx: the pins of eight functions are A to D twice */
TEST(pins_of_functions)
{
	driver_load("irq=intx");
	build(card, 0xff, PCIEM_CREATE_VIRTUAL, false);
	start(card, 0xff);
	for (int func = 0; func < FUNCTIONS; func++) {
		EXPECT_EQ(lab_config_read(&card[func], 0x3d, 1), 1 + func % 4);
		inject(&card[0], func, 0);
	}
	for (int func = 0; func < FUNCTIONS; func++)
		EXPECT(lab_wait(driver_state(&card[func]).irqs[0] >= 1, 1000));
}

TEST(BAR2_maps_BAR0)
{
	volatile uint32_t *bar0, *bar2;

	driver_load("irq=none");
	build(card, 1, PCIEM_CREATE_VIRTUAL, false);
	start(card, 1);
	bar0 = map(&card[0], 0, 0, 0x10000);
	bar2 = map(&card[0], 0, 2, 0x1000);
	bar0[0] = 0x1111;
	bar2[0] = 0x2222;
	EXPECT_EQ(bar0[0], 0x1111);
	EXPECT_EQ(driver_run(&card[0], "read32 0 0 1"), 0x1111);
	EXPECT_EQ(driver_run(&card[0], "read32 2 0 1"), 0x2222);
}

/* On a bus that is already there */

static void place(struct lab *lab, uint32_t domain, unsigned int bus, unsigned int device)
{
	struct pciem_set_slot slot = { .domain = domain, .bus = bus, .device = device };

	ASSERT(!ioctl(lab->fd, PCIEM_IOC_SET_SLOT, &slot));
}

static bool on_host_bus(struct lab *lab)
{
	return !strncmp(lab->address, "0000:00:", 8);
}

/* What Linux says of the address space of a device */
static unsigned int iomem_lines(const char *address)
{
	FILE *file = fopen("/proc/iomem", "r");
	unsigned int count = 0;
	char line[256];

	ASSERT(file);
	while (fgets(line, sizeof(line), file))
		count += strstr(line, address) != NULL;
	fclose(file);
	return count;
}

static uint32_t host_config(const char *address)
{
	char path[96];
	uint32_t value = 0;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", address);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT(fd >= 0 && pread(fd, &value, 4, 0) == 4);
	close(fd);
	return value;
}

TEST(attached_to_the_host_bus)
{
	uint32_t host = host_config("0000:00:00.0");
	char address[32], slot[16], window[32];

	driver_load("irq=msix");
	build(card, 1, PCIEM_CREATE_ATTACH, true);
	start(card, 1);
	strcpy(address, card[0].address);
	EXPECT_(on_host_bus(&card[0]), true, "it is at %s", address);
	EXPECT_EQ(host_config("0000:00:00.0"), host);
	each_on_its_own(card, 1, 0x3000);
	/* The BARs, in windows of ours */
	snprintf(slot, sizeof(slot), "%s", address);
	slot[10] = '\0';
	snprintf(window, sizeof(window), "PCIem %s", slot);
	EXPECT_EQ(iomem_lines(window), 2);
	EXPECT_EQ(iomem_lines(address), 2);
	lab_power_off(&card[0]);
	EXPECT(!lab_exists(&card[0]));
	EXPECT_EQ(iomem_lines(window), 0);
	EXPECT_EQ(host_config("0000:00:00.0"), host);
	/* The slot is free again */
	build(card, 1, PCIEM_CREATE_ATTACH, true);
	place(&card[0], 0, 0, strtoul(address + 8, NULL, 16));
	start(card, 1);
	EXPECT_(!strcmp(card[0].address, address), false, "%s, not %s", card[0].address, address);
}

TEST(attached_to_a_slot_of_choice)
{
	const unsigned int mask = 1 << 0 | 1 << 3;

	driver_load("irq=msix");
	build(card, mask, PCIEM_CREATE_ATTACH, true);
	place(&card[0], 0, 0, 0x1d);
	start(card, mask);
	EXPECT_(!strcmp(card[0].address, "0000:00:1d.0"), false, "it is at %s", card[0].address);
	each_on_its_own(card, mask, 0x4000);

	build(others[0], 1, PCIEM_CREATE_ATTACH, true);
	place(&others[0][0], 0, 0, 0x1d);
	EXPECT_ERROR(ioctl(others[0][0].fd, PCIEM_IOC_REGISTER), EBUSY);
	place(&others[0][0], 0, 0, 0);
	EXPECT_ERROR(ioctl(others[0][0].fd, PCIEM_IOC_REGISTER), EBUSY);
	place(&others[0][0], 0, 0xf7, PCIEM_SLOT_ANY);
	EXPECT_ERROR(ioctl(others[0][0].fd, PCIEM_IOC_REGISTER), ENODEV);
	place(&others[0][0], 0x77, 0, PCIEM_SLOT_ANY);
	EXPECT_ERROR(ioctl(others[0][0].fd, PCIEM_IOC_REGISTER), ENODEV);
	place(&others[0][0], 0, 0, 0x1e);
	start(others[0], 1);
	each_on_its_own(others[0], 1, 0x5000);
	each_on_its_own(card, mask, 0x6000);
}

TEST(attach_errors)
{
	struct pciem_set_slot slot = { .device = PCIEM_SLOT_ANY };
	struct pciem_create_device create = { .func = 1, .flags = PCIEM_CREATE_VIRTUAL };

	build(card, 1, PCIEM_CREATE_ATTACH, false);
	EXPECT_ERROR(ioctl(card[0].fd, PCIEM_IOC_CREATE_DEVICE, &create), EINVAL);
	slot.device = 32;
	EXPECT_ERROR(ioctl(card[0].fd, PCIEM_IOC_SET_SLOT, &slot), EINVAL);
	slot.device = 31;
	slot.reserved = 1;
	EXPECT_ERROR(ioctl(card[0].fd, PCIEM_IOC_SET_SLOT, &slot), EINVAL);
	slot.reserved = 0;
	EXPECT_OK(ioctl(card[0].fd, PCIEM_IOC_SET_SLOT, &slot));
	build(others[0], 1, PCIEM_CREATE_VIRTUAL, false);
	EXPECT_ERROR(ioctl(others[0][0].fd, PCIEM_IOC_SET_SLOT, &slot), EINVAL);
	/* Not to a bus that goes away with another device */
	lab_register(&others[0][0]);
	place(&card[0], strtoul(others[0][0].address, NULL, 16), 0, PCIEM_SLOT_ANY);
	EXPECT_ERROR(ioctl(card[0].fd, PCIEM_IOC_REGISTER), ENODEV);
}

/* In the reference two attached devices recurse for ever */
TEST(two_attached_devices_recurse_for_ever)
{
	driver_load("irq=msix");
	for (int order = 0; order < 2; order++) {
		build(card, 3, PCIEM_CREATE_ATTACH, true);
		start(card, 3);
		build(others[0], 1, PCIEM_CREATE_ATTACH, true);
		start(others[0], 1);
		EXPECT(on_host_bus(&card[0]) && on_host_bus(&others[0][0]));
		EXPECT(strcmp(card[0].address, others[0][0].address));
		each_on_its_own(card, 3, 0x100);
		each_on_its_own(others[0], 1, 0x200);
		lab_power_off(order ? &card[0] : &others[0][0]);
		if (order) {
			EXPECT(!lab_exists(&card[1]));
			each_on_its_own(others[0], 1, 0x300);
			lab_power_off(&others[0][0]);
		} else {
			EXPECT(!lab_exists(&others[0][0]));
			each_on_its_own(card, 3, 0x400);
			lab_power_off(&card[0]);
		}
	}
	EXPECT_(lab_wait(module_references("pciem") == 0, 5000), false, "%ld references to pciem remain",
		module_references("pciem"));
	/* Nothing on the way through the bus needs the module any more */
	EXPECT_OK(module_unload("pciem"));
	host_config("0000:00:00.0");
	EXPECT_OK(lab_write_file("/sys/bus/pci/rescan", "1"));
	EXPECT_OK(module_load("pciem", ""));
}

TEST(an_attached_device_removed_and_rescanned)
{
	driver_load("irq=msix");
	build(card, 1, PCIEM_CREATE_ATTACH, true);
	start(card, 1);
	EXPECT_OK(lab_write_file(lab_sysfs(&card[0], "remove"), "1"));
	EXPECT(!lab_exists(&card[0]));
	EXPECT_OK(lab_write_file("/sys/bus/pci/rescan", "1"));
	driver_wait(&card[0]);
	each_on_its_own(card, 1, 0x500);
	EXPECT_OK(lab_write_file(lab_sysfs(&card[0], "remove"), "1"));
	lab_power_off(&card[0]);
	EXPECT_EQ(iomem_lines("PCIem"), 0);
}

static volatile bool stop;

/* Accesses and configuration cycles of a function until its device goes */
static void *load(void *arg)
{
	struct lab *lab = arg;
	struct driver_result result;

	while (!stop && !driver_try(lab, &result, "write32 0 0x40 200 0")) {
		int fd = open(lab_sysfs(lab, "config"), O_RDONLY | O_CLOEXEC);
		uint32_t value;

		if (fd >= 0 && pread(fd, &value, 4, 0) == 4 && value != (LAB_DEVICE << 16 | LAB_VENDOR) &&
		    value != 0xffffffff)
			harness_fail(__FILE__, __LINE__, "%s: id %#x", lab->address, value);
		if (fd >= 0)
			close(fd);
	}
	return NULL;
}

static void *drain(void *arg)
{
	while (!stop)
		lab_event(arg, 1);
	return NULL;
}

TEST_FOR(attached_and_virtual_come_and_go_under_load, 90)
{
	static const uint32_t modes[3] = {
		PCIEM_CREATE_ATTACH, PCIEM_CREATE_VIRTUAL, PCIEM_CREATE_ATTACH,
	};
	static const int orders[4][3] = { { 0, 1, 2 }, { 2, 1, 0 }, { 1, 2, 0 }, { 2, 0, 1 } };

	driver_load("irq=msix");
	for (int round = 0; round < 4; round++) {
		pthread_t drivers[6], devices[3];

		stop = false;
		for (int i = 0; i < 3; i++) {
			build(others[i], 3, modes[i], true);
			start(others[i], 3);
			lab_trace(&others[i][0], 0, PCIEM_TRACE_WRITES);
			ASSERT(!pthread_create(&devices[i], NULL, drain, &others[i][0]));
			for (int f = 0; f < 2; f++)
				ASSERT(!pthread_create(&drivers[2 * i + f], NULL, load, &others[i][f]));
		}
		usleep(100000);
		for (int i = 0; i < 3; i++) {
			struct lab *lab = &others[orders[round][i]][0];

			/* Its consumer may be in poll() for a moment yet */
			close(lab->instance);
			close(lab->fd);
			EXPECT_(lab_wait(!lab_exists(lab), 5000), true, "%s is still there",
				lab->address);
		}
		stop = true;
		for (int i = 0; i < 6; i++)
			pthread_join(drivers[i], NULL);
		for (int i = 0; i < 3; i++) {
			pthread_join(devices[i], NULL);
			munmap(others[i][0].map, PCIEM_WIDE_RING_BYTES(4096));
		}
	}
	EXPECT_EQ(iomem_lines("PCIem"), 0);
	EXPECT_(lab_wait(module_references("pciem") == 0, 5000), false, "%ld references to pciem remain",
		module_references("pciem"));
}

TEST_MAIN()

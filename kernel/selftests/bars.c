// SPDX-License-Identifier: GPL-2.0-only
/* BARs of any size and anywhere, the memory behind them, and option ROMs. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "driver.h"
#include "harness.h"

#define MIB (1UL << 20)

static struct lab lab;

/* Kilobytes of free memory */
static long free_memory(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	long kib = -1;

	ASSERT(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "MemFree: %ld", &kib) == 1)
			break;
	fclose(file);
	return kib;
}

static uint64_t physical(unsigned int bar)
{
	struct pciem_bar_info_query query = { .bar_index = bar };

	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_GET_BAR_INFO, &query));
	return query.phys;
}

static int set_rom(const void *image, uint32_t length, uint32_t size)
{
	struct pciem_rom rom = { .image = (uintptr_t)image, .length = length, .size = size };

	return ioctl(lab.fd, PCIEM_IOC_SET_ROM, &rom);
}

static struct lab_spec big_spec(uint64_t size, uint32_t flags)
{
	struct lab_spec spec = lab_plain;

	spec.device = LAB_DEVICE;
	spec.bars[2].size = size;
	spec.bars[2].flags = flags;
	spec.slots = 1024;
	return spec;
}

TEST_FOR(a_BAR_of_256_MiB_takes_memory_as_it_is_touched, 60)
{
	struct lab_spec spec = big_spec(256 * MIB, PCIEM_BAR_MEM64 | PCIEM_BAR_PREFETCH);
	volatile uint32_t *bar;
	long before, after;

	driver_load("irq=none");
	before = free_memory();
	driver_power_on(&lab, &spec);
	after = free_memory();
	EXPECT_(before - after < 64 * 1024, false, "it took %ld KiB", before - after);
	bar = lab_map_bar(&lab, 2, 256 * MIB);

	/* Whoever comes first: the device, the driver writing, the driver reading */
	bar[0x1000000 / 4] = 0x1111;
	EXPECT_EQ(driver_run(&lab, "read32 2 0x1000000 1"), 0x1111);
	driver_run(&lab, "write32 2 0x2000000 1 0x2222");
	EXPECT_EQ(bar[0x2000000 / 4], 0x2222);
	EXPECT_EQ(driver_run(&lab, "read32 2 0x3000000 1"), 0);
	bar[0x3000000 / 4] = 0x3333;
	EXPECT_EQ(driver_run(&lab, "read32 2 0x3000000 1"), 0x3333);
	/* To the end, over a page, and with interrupts off */
	driver_run(&lab, "write64 2 0xffffff8 1 0x1234567812345678");
	EXPECT_EQ(bar[0xffffffc / 4], 0x12345678);
	driver_run(&lab, "write64 2 0x4000ffc 1 0x4444444455555555");
	EXPECT_EQ(bar[0x4001000 / 4], 0x44444444);
	driver_run(&lab, "locked 1");
	driver_run(&lab, "write32 2 0x5000000 8 1 0x1000");
	EXPECT_EQ(bar[0x5007000 / 4], 8);
	driver_run(&lab, "toio 2 0x6000ff0 0x4000 0");
	EXPECT_EQ(*((volatile uint8_t *)bar + 0x6000ff0 + 0x3fff), 0xff);
	after = free_memory();
	EXPECT_(before - after < 64 * 1024, false, "it took %ld KiB", before - after);
}

TEST_FOR(accesses_to_untouched_memory_are_traced, 60)
{
	struct lab_spec spec = big_spec(64 * MIB, PCIEM_BAR_MEM64);
	volatile uint32_t *bar;
	const struct pciem_event *e;

	driver_load("irq=none");
	driver_power_on(&lab, &spec);
	bar = lab_map_bar(&lab, 2, 64 * MIB);
	lab_trace(&lab, 2, PCIEM_TRACE_WRITES);
	EXPECT_EQ(driver_run(&lab, "read32 2 0x100000 1"), 0);
	driver_run(&lab, "write32 2 0x100000 1 7");
	driver_run(&lab, "write32 2 0x200000 1 8");
	for (uint32_t i = 0; i < 2; i++) {
		e = lab_event(&lab, 100);
		ASSERT(e);
		EXPECT_EQ(e->type, PCIEM_EVENT_MMIO_WRITE);
		EXPECT_EQ(e->offset, 0x100000 * (i + 1));
		EXPECT_EQ(e->data, 7 + i);
		EXPECT_EQ(bar[e->offset / 4], 7 + i);
	}
	EXPECT(!lab_event(&lab, 10));
}

/* After the first touch nothing traps */
TEST_FOR(untraced_memory_is_at_full_speed, 60)
{
	struct lab_spec spec = big_spec(64 * MIB, PCIEM_BAR_MEM64);
	struct driver_result small, big, trapped;

	driver_load("irq=none");
	driver_power_on(&lab, &spec);
	ASSERT(!driver_try(&lab, &small, "write32 0 0x40 200000 0"));
	ASSERT(!driver_try(&lab, &big, "write32 2 0x40 1 0"));
	ASSERT(!driver_try(&lab, &big, "write32 2 0x40 200000 0"));
	lab_trace(&lab, 0, PCIEM_TRACE_READS);
	ASSERT(!driver_try(&lab, &trapped, "read32 0 0x40 500"));
	EXPECT_(big.ns < trapped.ns / 500 * 200000 / 4, false,
		"a write took %lu ns in the big BAR, %lu in the small one, trapped %lu",
		big.ns / 200000, small.ns / 200000, trapped.ns / 500);
}

/* In the reference the BAR pool is never freed */
TEST_FOR(the_BAR_pool_is_never_freed, 240)
{
	struct lab_spec spec = big_spec(32 * MIB, PCIEM_BAR_MEM64);
	long before = 0, after;
	uint64_t address = 0;

	driver_load("irq=none");
	for (int i = 0; i < 12; i++) {
		volatile uint32_t *bar;

		driver_power_on(&lab, &spec);
		if (!address)
			address = physical(2);
		/* The same addresses again */
		EXPECT_EQ(physical(2), address);
		bar = lab_map_bar(&lab, 2, 32 * MIB);
		for (uint64_t at = 0; at < 32 * MIB; at += 4096)
			bar[at / 4] = 1;
		munmap((void *)bar, 32 * MIB);
		lab_power_off(&lab);
		if (i == 1)
			before = free_memory();
	}
	EXPECT(lab_wait(free_memory() > before - 32 * 1024, 3000));
	after = free_memory();
	EXPECT_(before - after < 32 * 1024, false, "%ld KiB are gone", before - after);
}

/* In the reference 64-bit BARs above 4 GiB lose their high half */
TEST(BARs_above_4_GiB_lose_their_high_half)
{
	struct lab_spec spec = big_spec(2 * MIB, PCIEM_BAR_MEM64 | PCIEM_BAR_PREFETCH);
	uint64_t address;

	driver_load("irq=none");
	driver_power_on(&lab, &spec);
	address = physical(2);
	EXPECT_(address >> 32, true, "it is at %#lx", address);
	EXPECT_EQ(lab_config_read(&lab, 0x1c, 4), address >> 32);
	EXPECT_EQ(lab_config_read(&lab, 0x18, 4), (uint32_t)address | 0xc);
	driver_run(&lab, "write32 2 0x1ffffc 1 0x99");
	EXPECT_EQ(((volatile uint32_t *)lab_map_bar(&lab, 2, 2 * MIB))[0x1ffffc / 4], 0x99);
}

TEST(sizes_and_what_is_refused)
{
	static const struct {
		uint32_t index, flags;
		uint64_t size;
		int error;
	} bad[] = {
		{ 4, PCIEM_BAR_IO, 32, EOPNOTSUPP }, { 4, 0, 8, EINVAL }, { 4, 0, 3000, EINVAL },
		{ 4, 0, 0, EINVAL }, { 4, 0, 512 * MIB, ENOMEM }, { 4, 0, 1UL << 40, ENOMEM },
		{ 6, 0, 4096, EINVAL }, { 5, PCIEM_BAR_MEM64, 4096, EINVAL }, { 4, 2, 4096, EINVAL },
		{ 0, 0, 4096, EBUSY }, { 1, 0, 4096, EBUSY },
	};
	struct lab_spec spec = lab_plain;

	spec.device = LAB_DEVICE;
	lab_build(&lab, &spec);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pciem_bar_config bar = {
			.bar_index = bad[i].index, .flags = bad[i].flags, .size = bad[i].size,
		};

		EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_ADD_BAR, &bar), bad[i].error);
	}
	for (unsigned int i = 3; i < 6; i++) {
		struct pciem_bar_config bar = { .bar_index = i, .size = i == 3 ? 16 : 256 * MIB };

		EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_ADD_BAR, &bar));
	}
	driver_load("irq=none");
	lab_register(&lab);
	lab_start(&lab);
	driver_wait(&lab);
	driver_run(&lab, "write64 3 8 1 5");
	driver_run(&lab, "write64 4 0xffffff8 1 6");
	driver_run(&lab, "write64 5 0xffffff8 1 7");
	EXPECT_EQ(driver_run(&lab, "read64 3 8 1"), 5);
	EXPECT_EQ(driver_run(&lab, "read64 4 0xffffff8 1"), 6);
	EXPECT_EQ(driver_run(&lab, "read64 5 0xffffff8 1"), 7);
}

TEST(an_option_ROM)
{
	uint8_t image[3000] = { 0x55, 0xaa, 6, [0x18] = 0x1c, [0x1c] = 'P', 'C', 'I', 'R' };
	uint8_t got[8192] = { 0 };
	struct lab_spec spec = lab_plain;
	int fd;

	/* Its data structure: vendor, device, length of itself, length of the image, last one */
	image[0x20] = LAB_VENDOR & 0xff, image[0x21] = LAB_VENDOR >> 8;
	image[0x22] = LAB_DEVICE_FREE & 0xff, image[0x23] = LAB_DEVICE_FREE >> 8;
	image[0x26] = 0x18, image[0x2c] = 6, image[0x31] = 0x80;
	for (int i = 64; i < 3000; i++)
		image[i] = i * 7;
	lab_build(&lab, &spec);
	EXPECT_ERROR(set_rom(image, 3000, 2048), EINVAL);
	EXPECT_ERROR(set_rom(image, 3000, 5000), EINVAL);
	EXPECT_ERROR(set_rom(image, 0, 4096), EINVAL);
	EXPECT_ERROR(set_rom(image, 100, 1024), EINVAL);
	EXPECT_ERROR(set_rom(image, 100, 32 * MIB), EINVAL);
	EXPECT_ERROR(set_rom((void *)8, 100, 4096), EFAULT);
	EXPECT_OK(set_rom(image, 3000, 4096));
	EXPECT_ERROR(set_rom(image, 3000, 4096), EBUSY);
	lab_register(&lab);
	lab_start(&lab);
	EXPECT(lab_wait(!access(lab_sysfs(&lab, "rom"), F_OK), 2000));
	/* The register: address, and the bit that turns decoding on */
	lab_config_write(&lab, 0x30, 4, 0xffffffff);
	EXPECT_EQ(lab_config_read(&lab, 0x30, 4), 0xfffff001);
	lab_config_write(&lab, 0x30, 4, 0x80010000);

	EXPECT_OK(lab_write_file(lab_sysfs(&lab, "rom"), "1"));
	fd = open(lab_sysfs(&lab, "rom"), O_RDONLY | O_CLOEXEC);
	ASSERT(fd >= 0);
	EXPECT_EQ(read(fd, got, sizeof(got)), 3072);
	close(fd);
	EXPECT(!memcmp(got, image, 3000));
	EXPECT_EQ(got[3000], 0);
	EXPECT_OK(lab_write_file(lab_sysfs(&lab, "rom"), "0"));
	EXPECT_EQ(lab_config_read(&lab, 0x30, 4) & 1, 0);
}

/* The greatest one, seen by lspci as by the PCI core */
TEST(an_option_ROM_of_16_MiB)
{
	char *image = malloc(16 * MIB);
	struct lab_spec spec = lab_plain;
	FILE *resources;
	uint64_t start = 0, end = 0, flags;
	char line[128];

	ASSERT(image);
	memset(image, 0x5a, 16 * MIB);
	lab_build(&lab, &spec);
	EXPECT_OK(set_rom(image, 16 * MIB, 16 * MIB));
	lab_register(&lab);
	resources = fopen(lab_sysfs(&lab, "resource"), "r");
	ASSERT(resources);
	for (int i = 0; i <= 6; i++)
		ASSERT(fgets(line, sizeof(line), resources));
	fclose(resources);
	ASSERT(sscanf(line, "%lx %lx %lx", &start, &end, &flags) == 3);
	EXPECT_EQ(end - start + 1, 16 * MIB);
}

/* The module afresh; ends the test on failure */
static void load_with(const char *parameters)
{
	if (module_loaded("pciem_test"))
		ASSERT(lab_wait(!module_unload("pciem_test"), 5000));
	ASSERT(!module_loaded("pciem") || lab_wait(!module_unload("pciem"), 5000));
	ASSERT(!module_load("pciem", parameters));
	ASSERT(lab_wait(!access("/dev/pciem", F_OK), 2000));
}

TEST_FOR(BARs_in_a_region_of_choice, 240)
{
	struct lab_spec spec = big_spec(2 * MIB, PCIEM_BAR_MEM64);

	load_with("pciem_phys_region=0x4000000000:0x1000000");
	driver_load("irq=none");
	driver_power_on(&lab, &spec);
	EXPECT_EQ(physical(0) >> 24, 0x4000);
	EXPECT_EQ(physical(2) >> 24, 0x4000);
	driver_run(&lab, "write32 2 0x1ffffc 1 0x77");
	EXPECT_EQ(driver_run(&lab, "read32 2 0x1ffffc 1"), 0x77);
	lab_power_off(&lab);

	/* More than there is in it */
	spec = big_spec(32 * MIB, PCIEM_BAR_MEM64);
	lab_build(&lab, &spec);
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_REGISTER), ENOMEM);
	close(lab.fd);
	load_with("");
}

/* Where a BAR of a device of the machine is */
static unsigned long others_memory(void)
{
	FILE *file = fopen("/proc/iomem", "r");
	unsigned long start = 0;
	char line[256];

	ASSERT(file);
	while (!start && fgets(line, sizeof(line), file))
		if (strstr(line, " : 0000:00:"))
			start = strtoul(line, NULL, 16);
	fclose(file);
	ASSERT(start);
	return start;
}

TEST_FOR(regions_that_are_refused, 240)
{
	char parameters[64];

	if (module_loaded("pciem_test"))
		ASSERT(lab_wait(!module_unload("pciem_test"), 5000));
	ASSERT(!module_loaded("pciem") || lab_wait(!module_unload("pciem"), 5000));
	EXPECT_ERROR(module_load("pciem", "pciem_phys_region=0x4000000000"), EINVAL);
	EXPECT_ERROR(module_load("pciem", "pciem_phys_region=nonsense"), EINVAL);
	EXPECT_ERROR(module_load("pciem", "pciem_phys_region=0x4000000000:0x10"), EINVAL);
	EXPECT_ERROR(module_load("pciem", "pciem_phys_region=0x4000000000:0"), EINVAL);
	/* Memory of Linux, and devices of others */
	EXPECT_ERROR(module_load("pciem", "pciem_phys_region=0x1000000:0x1000000"), EBUSY);
	snprintf(parameters, sizeof(parameters), "pciem_phys_region=%#lx:0x1000", others_memory());
	EXPECT_ERROR(module_load("pciem", parameters), EBUSY);
	load_with("");
}

TEST_MAIN()

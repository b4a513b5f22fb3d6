// SPDX-License-Identifier: GPL-2.0-only
/*
 * What may be mapped: the ring and the BARs, exactly, and nothing beside them.
 * The reference maps any length, so that other physical memory shows.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "lab.h"

#define PAGE 4096

static void *map(int fd, size_t bytes, off_t page)
{
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, page * PAGE);
}

static sigjmp_buf jump;

static void on_signal(int number)
{
	siglongjmp(jump, number);
}

/* The signal that reading a byte there gives, or 0 */
static int touch(const volatile char *p)
{
	int number = sigsetjmp(jump, 1);

	if (number)
		return number;
	signal(SIGBUS, on_signal);
	signal(SIGSEGV, on_signal);
	(void)*p;
	return 0;
}

TEST(ring_length)
{
	const size_t bytes = (PCIEM_RING_BYTES(256) + PAGE - 1) / PAGE * PAGE;
	struct lab lab;
	char *ring;

	lab_build(&lab, &lab_plain);
	lab_register(&lab);
	EXPECT_EQ(map(lab.fd, bytes + PAGE, 0) == MAP_FAILED ? errno : 0, EINVAL);
	EXPECT_EQ(map(lab.fd, 1 << 20, 0) == MAP_FAILED ? errno : 0, EINVAL);
	EXPECT_EQ(map(lab.fd, bytes, 1) == MAP_FAILED ? errno : 0, EINVAL);
	EXPECT_EQ(map(lab.fd, PAGE, 3) == MAP_FAILED ? errno : 0, EINVAL);
	EXPECT_EQ(map(lab.fd, PAGE, 1L << 40) == MAP_FAILED ? errno : 0, EINVAL);
	ring = map(lab.fd, PCIEM_RING_BYTES(256), 0);
	ASSERT(ring != MAP_FAILED);
	EXPECT_EQ(touch(ring + bytes - 1), 0);
	/* It cannot be made to grow afterwards */
	EXPECT(mremap(ring, bytes, bytes + PAGE, MREMAP_MAYMOVE) == MAP_FAILED);
	EXPECT(map(lab.fd, PAGE, 0) != MAP_FAILED);
	EXPECT(map(lab.fd, bytes, 0) != MAP_FAILED);
}

TEST(ring_of_another_size)
{
	struct lab_spec spec = lab_plain;
	struct lab lab;

	spec.slots = 4096;
	lab_power_on(&lab, &spec);
	EXPECT_EQ(touch((char *)lab.map + PCIEM_WIDE_RING_BYTES(4096) - 1), 0);
	EXPECT_EQ(map(lab.fd, PCIEM_WIDE_RING_BYTES(4096) + PAGE, 0) == MAP_FAILED ? errno : 0, EINVAL);
}

TEST(ring_starts_empty_and_clear)
{
	struct lab lab;
	const char *bytes;

	lab_build(&lab, &lab_plain);
	lab_register(&lab);
	lab_map_ring(&lab);
	bytes = (const char *)lab.ring;
	for (size_t i = 0; i < PCIEM_RING_BYTES(256); i++)
		EXPECT_(!bytes[i], true, "byte %zu of a new ring is %d", i, bytes[i]);
}

TEST(ring_outlives_the_file)
{
	struct lab lab;

	lab_power_on(&lab, &lab_plain);
	close(lab.instance);
	close(lab.fd);
	EXPECT_EQ(touch((char *)lab.ring), 0);
	lab.ring->head = 3;
	EXPECT_EQ(lab.ring->head, 3);
	/* The mapping holds the file, so the device goes with it */
	munmap(lab.ring, PCIEM_RING_BYTES(256));
	EXPECT(lab_wait(!lab_exists(&lab), 2000));
}

TEST(bar_offset_and_length)
{
	struct lab lab;
	char *bar0, *bar2, *again;

	lab_power_on(&lab, &lab_plain);
	EXPECT_EQ(map(lab.instance, 0x20000, 0) == MAP_FAILED ? errno : 0, EINVAL);
	EXPECT_EQ(map(lab.instance, 0x4000 + PAGE, 2) == MAP_FAILED ? errno : 0, EINVAL);
	EXPECT_EQ(map(lab.instance, PAGE, 1) == MAP_FAILED ? errno : 0, EINVAL);
	EXPECT_EQ(map(lab.instance, PAGE, 3) == MAP_FAILED ? errno : 0, EINVAL);
	EXPECT_EQ(map(lab.instance, PAGE, 6) == MAP_FAILED ? errno : 0, EINVAL);
	EXPECT_EQ(map(lab.instance, PAGE, 7) == MAP_FAILED ? errno : 0, EINVAL);
	/* No such function */
	EXPECT_EQ(map(lab.instance, PAGE, 8) == MAP_FAILED ? errno : 0, ENODEV);
	EXPECT_EQ(map(lab.instance, PAGE, 64) == MAP_FAILED ? errno : 0, EINVAL);
	EXPECT_EQ(map(lab.instance, PAGE, 1L << 40) == MAP_FAILED ? errno : 0, EINVAL);

	bar0 = lab_map_bar(&lab, 0, 0x10000);
	bar2 = lab_map_bar(&lab, 2, 0x4000);
	/* The reference maps BAR 0 for both */
	for (size_t i = 0; i < 0x10000; i += 256)
		bar0[i] = 1 + i / PAGE;
	for (size_t i = 0; i < 0x4000; i += 256)
		bar2[i] = 101 + i / PAGE;
	for (size_t i = 0; i < 0x10000; i += 256)
		EXPECT_EQ(bar0[i], 1 + (int)(i / PAGE));
	for (size_t i = 0; i < 0x4000; i += 256)
		EXPECT_EQ(bar2[i], 101 + (int)(i / PAGE));
	again = lab_map_bar(&lab, 0, 0x2000);
	again[0x1800] = 77;
	EXPECT_EQ(bar0[0x1800], 77);
}

TEST(bar_mapping_that_grows)
{
	struct lab lab;
	char *bar, *grown;

	lab_power_on(&lab, &lab_plain);
	bar = lab_map_bar(&lab, 2, 0x4000);
	memset(bar, 5, 0x4000);
	grown = mremap(bar, 0x4000, 0x8000, MREMAP_MAYMOVE);
	if (grown == MAP_FAILED)
		return;
	/* It may grow, but into nothing */
	EXPECT_EQ(touch(grown + 0x3fff), 0);
	EXPECT_EQ(touch(grown + 0x4000), SIGBUS);
	EXPECT_EQ(touch(grown + 0x7fff), SIGBUS);
}

TEST(bar_memory_starts_clear)
{
	struct lab lab;
	char *bar;

	/* What an earlier device left is not seen by the next */
	lab_power_on(&lab, &lab_plain);
	memset(lab_map_bar(&lab, 0, 0x10000), 0xa5, 0x10000);
	lab_power_off(&lab);
	lab_power_on(&lab, &lab_plain);
	bar = lab_map_bar(&lab, 0, 0x10000);
	for (size_t i = 0; i < 0x10000; i++)
		EXPECT_(!bar[i], true, "byte %zu of a new BAR is %d", i, bar[i]);
}

TEST(bar_mapping_outlives_the_device)
{
	struct lab lab;
	char *bar;

	lab_power_on(&lab, &lab_plain);
	bar = lab_map_bar(&lab, 0, 0x10000);
	memset(bar, 7, 0x8000);
	lab_power_off(&lab);
	EXPECT(lab_wait(!lab_exists(&lab), 2000));
	EXPECT_EQ(bar[0x7fff], 7);
	bar[0x8000] = 8;		/* never touched before */
	EXPECT_EQ(bar[0x8000], 8);
	munmap(bar, 0x10000);
}

TEST(instance_outlives_the_device)
{
	struct lab lab;
	char *bar;

	lab_power_on(&lab, &lab_plain);
	munmap(lab.ring, PCIEM_RING_BYTES(256));
	close(lab.fd);
	EXPECT(lab_wait(!lab_exists(&lab), 2000));
	/* Of the reference this is a use after free */
	bar = map(lab.instance, 0x10000, 0);
	if (bar != MAP_FAILED) {
		memset(bar, 1, 0x10000);
		munmap(bar, 0x10000);
	}
	close(lab.instance);
}

TEST(mapping_across_fork)
{
	struct lab lab;
	char *bar;
	int status;

	lab_power_on(&lab, &lab_plain);
	bar = lab_map_bar(&lab, 0, 0x10000);
	if (!fork()) {
		bar[100] = 9;
		lab.ring->head = 5;
		_exit(0);
	}
	ASSERT(wait(&status) > 0);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(bar[100], 9);
	EXPECT_EQ(lab.ring->head, 5);
}

/* BARs of every size and kind at once; each is its own memory */
TEST(six_small_bars)
{
	struct lab_spec spec = { .device = LAB_DEVICE_FREE, .msi_log2 = -1 };
	struct lab lab;
	char *bars[6];

	for (int i = 0; i < 6; i++)
		spec.bars[i].size = 16 << (2 * i);
	lab_power_on(&lab, &spec);
	for (int i = 0; i < 6; i++) {
		bars[i] = lab_map_bar(&lab, i, 16 << (2 * i));
		bars[i][3] = 'a' + i;
	}
	for (int i = 0; i < 6; i++) {
		struct pciem_bar_info_query query = { .bar_index = i };

		EXPECT_EQ(bars[i][3], 'a' + i);
		EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_GET_BAR_INFO, &query));
		EXPECT_EQ(query.size, 16 << (2 * i));
		EXPECT_EQ(query.phys & (query.size - 1), 0);
	}
}

TEST_MAIN()

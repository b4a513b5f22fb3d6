// SPDX-License-Identifier: GPL-2.0-only
/* TRACE_BAR: which accesses of a driver are reported, how, and what becomes of them. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"
#include "harness.h"

static struct lab lab;

static void set_up(const char *parameters, unsigned int msix)
{
	struct lab_spec spec = lab_plain;

	spec.device = LAB_DEVICE;
	spec.msix = msix;
	driver_load(parameters);
	driver_power_on(&lab, &spec);
}

/* The next event is this one */
static void expect_event(uint32_t type, uint32_t bar, uint64_t offset, uint32_t size, uint64_t data)
{
	const struct pciem_event *e = lab_event(&lab, 1000);

	EXPECT_(e, true, "no event for %s of %u at %u:%#lx", type == PCIEM_EVENT_MMIO_READ ?
		"a read" : "a write", size, bar, offset);
	EXPECT_(e->type == type && e->bar == bar && e->offset == offset && e->size == size &&
		e->data == data, false,
		"type %u bar %u offset %#lx size %u data %#lx; not %u %u %#lx %u %#lx", e->type, e->bar,
		(long)e->offset, e->size, (long)e->data, type, bar, offset, size, data);
}

static void expect_no_event(void)
{
	const struct pciem_event *e = lab_event(&lab, 20);

	EXPECT_(!e, false, "an event of type %u at %u:%#lx", e->type, e->bar, (long)e->offset);
}

TEST(untraced_memory_is_shared)
{
	uint32_t *bar;

	set_up("irq=none", 0);
	bar = lab_map_bar(&lab, 0, 0x10000);
	bar[4] = 0x12345678;
	EXPECT_EQ(driver_run(&lab, "read32 0 0x10 1"), 0x12345678);
	driver_run(&lab, "write32 0 0x2014 1 0xabcdef01");
	EXPECT_EQ(bar[0x2014 / 4], 0xabcdef01);
	bar = lab_map_bar(&lab, 2, 0x4000);
	bar[0x3ffc / 4] = 0x55aa;
	EXPECT_EQ(driver_run(&lab, "read32 2 0x3ffc 1"), 0x55aa);
	expect_no_event();
	EXPECT_EQ(lab_info(&lab).events, 0);
}

TEST(reads_alone)
{
	uint8_t *bar;

	set_up("irq=none", 0);
	bar = lab_map_bar(&lab, 0, 0x10000);
	lab_trace(&lab, 0, PCIEM_TRACE_READS);
	for (int i = 0; i < 16; i++)
		bar[0x100 + i] = 0x10 + i;
	EXPECT_EQ(driver_run(&lab, "read8 0 0x101 1"), 0x11);
	EXPECT_EQ(driver_run(&lab, "read16 0 0x102 1"), 0x1312);
	EXPECT_EQ(driver_run(&lab, "read32 0 0x104 1"), 0x17161514);
	EXPECT_EQ(driver_run(&lab, "read64 0 0x108 1"), 0x1f1e1d1c1b1a1918);
	driver_run(&lab, "write32 0 0x200 1 0x77");
	EXPECT_EQ(bar[0x200], 0x77);
	expect_event(PCIEM_EVENT_MMIO_READ, 0, 0x101, 1, 0x11);
	expect_event(PCIEM_EVENT_MMIO_READ, 0, 0x102, 2, 0x1312);
	expect_event(PCIEM_EVENT_MMIO_READ, 0, 0x104, 4, 0x17161514);
	expect_event(PCIEM_EVENT_MMIO_READ, 0, 0x108, 8, 0x1f1e1d1c1b1a1918);
	expect_no_event();
}

TEST(writes_alone)
{
	uint8_t *bar;

	set_up("irq=none", 0);
	bar = lab_map_bar(&lab, 0, 0x10000);
	lab_trace(&lab, 0, PCIEM_TRACE_WRITES);
	driver_run(&lab, "write8 0 0x301 1 0x1ff");
	driver_run(&lab, "write16 0 0x302 1 0xbeef");
	driver_run(&lab, "write32 0 0x304 1 0xdeadbeef");
	driver_run(&lab, "write64 0 0x308 1 0x8877665544332211");
	EXPECT_EQ(driver_run(&lab, "read64 0 0x308 1"), (long)0x8877665544332211);
	expect_event(PCIEM_EVENT_MMIO_WRITE, 0, 0x301, 1, 0xff);
	expect_event(PCIEM_EVENT_MMIO_WRITE, 0, 0x302, 2, 0xbeef);
	expect_event(PCIEM_EVENT_MMIO_WRITE, 0, 0x304, 4, 0xdeadbeef);
	expect_event(PCIEM_EVENT_MMIO_WRITE, 0, 0x308, 8, 0x8877665544332211);
	expect_no_event();
	EXPECT_EQ(bar[0x301], 0xff);
	EXPECT_EQ(bar[0x300], 0);
	EXPECT_EQ(bar[0x302], 0xef);
	EXPECT_EQ(*(uint64_t *)(bar + 0x308), 0x8877665544332211);
}

TEST(reads_and_writes)
{
	set_up("irq=none", 0);
	lab_trace(&lab, 2, PCIEM_TRACE_READS | PCIEM_TRACE_WRITES);
	driver_run(&lab, "write32 2 0x3ffc 1 5");
	driver_run(&lab, "read32 2 0x3ffc 1");
	driver_run(&lab, "write32 0 0 1 6");	/* another BAR, not traced */
	expect_event(PCIEM_EVENT_MMIO_WRITE, 2, 0x3ffc, 4, 5);
	expect_event(PCIEM_EVENT_MMIO_READ, 2, 0x3ffc, 4, 5);
	expect_no_event();
}

TEST(stopped_writes)
{
	uint32_t *bar;

	set_up("irq=none", 0);
	bar = lab_map_bar(&lab, 0, 0x10000);
	bar[0] = 0x1111;
	lab_trace(&lab, 0, PCIEM_TRACE_READS | PCIEM_TRACE_WRITES | PCIEM_TRACE_STOP_WRITES);
	driver_run(&lab, "write32 0 0 1 0x2222");
	EXPECT_EQ(driver_run(&lab, "read32 0 0 1"), 0x1111);
	driver_run(&lab, "setio 0 0 64 0xff");
	driver_run(&lab, "toio 0 0 64 1");
	EXPECT_EQ(bar[0], 0x1111);
	EXPECT_EQ(bar[1], 0);
	expect_event(PCIEM_EVENT_MMIO_WRITE, 0, 0, 4, 0x2222);
	expect_event(PCIEM_EVENT_MMIO_READ, 0, 0, 4, 0x1111);
	/* What the device stores is what the driver reads */
	bar[0] = 0x3333;
	EXPECT_EQ(driver_run(&lab, "read32 0 0 1"), 0x3333);
}

TEST(stopped_writes_without_the_writes_flag)
{
	uint32_t *bar;

	set_up("irq=none", 0);
	bar = lab_map_bar(&lab, 0, 0x10000);
	lab_trace(&lab, 0, PCIEM_TRACE_STOP_WRITES);
	driver_run(&lab, "write32 0 0x40 1 0x2222");
	driver_run(&lab, "read32 0 0x40 1");
	EXPECT_EQ(bar[0x10], 0);
	expect_event(PCIEM_EVENT_MMIO_WRITE, 0, 0x40, 4, 0x2222);
	expect_no_event();
}

/* The kernel itself needs what the driver writes there */
TEST(stopped_writes_reach_the_MSIX_table)
{
	uint32_t *bar;
	struct pciem_irq_inject inject = { .vector = 1 };

	driver_load("irq=msix");
	struct lab_spec spec = lab_plain;

	spec.device = LAB_DEVICE;
	spec.msix = 4;
	lab_build(&lab, &spec);
	lab_register(&lab);
	lab_map_ring(&lab);
	lab_trace(&lab, 0, PCIEM_TRACE_READS | PCIEM_TRACE_WRITES | PCIEM_TRACE_STOP_WRITES);
	lab_start(&lab);
	driver_wait(&lab);
	bar = lab_map_bar(&lab, 0, 0x10000);
	EXPECT(bar[0x8000 / 4] != 0);		/* the first entry's address */
	EXPECT(lab_info(&lab).events > 0);
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_INJECT_IRQ, &inject));
	EXPECT(lab_wait(driver_state(&lab).irqs[1] == 1, 1000));
}

/* In the reference ioremap_wc() and its like escape the trace, as do mappings from before it */
TEST(every_flavour_of_ioremap)
{
	set_up("irq=none", 0);
	for (unsigned int flavour = 0; flavour < 10; flavour++) {
		EXPECT_EQ(driver_run(&lab, "ioremap %u 0 0x3044 %#x", flavour, 0x100 + flavour),
			  0x100 + flavour);
		expect_no_event();
	}
	lab_trace(&lab, 0, PCIEM_TRACE_READS | PCIEM_TRACE_WRITES);
	for (unsigned int flavour = 0; flavour < 10; flavour++) {
		uint64_t value = 0x200 + flavour;

		EXPECT_EQ(driver_run(&lab, "ioremap %u 0 0x3044 %#lx", flavour, value), value);
		expect_event(PCIEM_EVENT_MMIO_WRITE, 0, 0x3044, 4, value);
		expect_event(PCIEM_EVENT_MMIO_READ, 0, 0x3044, 4, value);
		expect_no_event();
	}
	/* The mapping that the driver has had all along */
	driver_run(&lab, "write32 0 0x3044 1 7");
	expect_event(PCIEM_EVENT_MMIO_WRITE, 0, 0x3044, 4, 7);
}

TEST(tracing_that_starts_before_the_driver)
{
	struct lab_spec spec = lab_plain;

	spec.device = LAB_DEVICE;
	driver_load("irq=none");
	lab_build(&lab, &spec);
	lab_register(&lab);
	lab_map_ring(&lab);
	lab_trace(&lab, 0, PCIEM_TRACE_WRITES);
	lab_start(&lab);
	driver_wait(&lab);
	driver_run(&lab, "write32 0 0x123c 1 9");
	expect_event(PCIEM_EVENT_MMIO_WRITE, 0, 0x123c, 4, 9);
}

TEST(every_page_and_offset)
{
	set_up("irq=none", 0);
	lab_trace(&lab, 0, PCIEM_TRACE_READS | PCIEM_TRACE_WRITES);
	for (uint64_t at = 0; at < 0x10000; at += 0xff4) {
		driver_run(&lab, "write8 0 %#lx 1 %#lx", at, at >> 8);
		driver_run(&lab, "read8 0 %#lx 1", at);
		expect_event(PCIEM_EVENT_MMIO_WRITE, 0, at, 1, at >> 8 & 0xff);
		expect_event(PCIEM_EVENT_MMIO_READ, 0, at, 1, at >> 8 & 0xff);
	}
	driver_run(&lab, "write64 0 0xfff8 1 0x1234");
	expect_event(PCIEM_EVENT_MMIO_WRITE, 0, 0xfff8, 8, 0x1234);
	/* Across a page */
	driver_run(&lab, "write32 0 0xffe 1 0x11223344");
	EXPECT_EQ(driver_run(&lab, "read32 0 0xffe 1"), 0x11223344);
	expect_event(PCIEM_EVENT_MMIO_WRITE, 0, 0xffe, 4, 0x11223344);
	expect_event(PCIEM_EVENT_MMIO_READ, 0, 0xffe, 4, 0x11223344);
}

TEST(with_interrupts_off)
{
	set_up("irq=none", 0);
	lab_trace(&lab, 0, PCIEM_TRACE_READS | PCIEM_TRACE_WRITES);
	driver_run(&lab, "locked 1");
	driver_run(&lab, "write32 0 0x10 3 7 4");
	driver_run(&lab, "locked 1");
	EXPECT_EQ(driver_run(&lab, "read32 0 0x14 1"), 8);
	expect_event(PCIEM_EVENT_MMIO_WRITE, 0, 0x10, 4, 7);
	expect_event(PCIEM_EVENT_MMIO_WRITE, 0, 0x14, 4, 8);
	expect_event(PCIEM_EVENT_MMIO_WRITE, 0, 0x18, 4, 9);
	expect_event(PCIEM_EVENT_MMIO_READ, 0, 0x14, 4, 8);
}

/* A consumer that adds up what string accesses report */
static pthread_t collector;
static volatile bool collecting;
static uint8_t seen[0x10000], seen_value[0x10000];
static unsigned long collected;

static void *collect(void *arg)
{
	(void)arg;
	while (collecting) {
		const struct pciem_event *e = lab_event(&lab, 20);

		if (!e)
			continue;
		for (unsigned int i = 0; i < e->size; i++) {
			seen[e->offset + i]++;
			seen_value[e->offset + i] = e->data >> (8 * i);
		}
		collected++;
	}
	return NULL;
}

static void collect_start(void)
{
	memset(seen, 0, sizeof(seen));
	collected = 0;
	collecting = true;
	ASSERT(!pthread_create(&collector, NULL, collect, NULL));
}

/*
 * Each byte of the range was in an event, with its value; no other was. A memset
 * may store some bytes twice, as the kernel's own does at unaligned ends.
 */
static void collect_end(const char *what, uint64_t offset, uint64_t length, unsigned int first,
			unsigned int step)
{
	EXPECT(lab_wait(__atomic_load_n(&lab.ring->tail, __ATOMIC_ACQUIRE) ==
			__atomic_load_n(&lab.ring->head, __ATOMIC_ACQUIRE), 5000));
	collecting = false;
	pthread_join(collector, NULL);
	for (uint64_t i = 0; i < sizeof(seen); i++) {
		bool inside = i >= offset && i < offset + length;

		EXPECT_(step ? seen[i] == inside : !!seen[i] == inside, true, "%s: byte %#lx is in %u events", what, i, seen[i]);
		EXPECT_(!inside || seen_value[i] == (uint8_t)(first + (i - offset) * step), true,
			"%s: byte %#lx is %#x", what, i, seen_value[i]);
	}
	EXPECT_EQ(lab_info(&lab).lost, 0);
}

/* Of the reference memcpy_fromio() of a traced BAR is an oops */
TEST(memcpy_and_memset)
{
	static const struct {
		uint64_t offset, length;
	} rows[] = {
		{ 0, 4 }, { 0, 64 }, { 1, 1 }, { 1, 3 }, { 3, 7 }, { 5, 64 }, { 0xffc, 16 },
		{ 0xff9, 0x1011 }, { 0x1000, 0x2000 }, { 0x800, 0xf000 },
	};
	uint8_t *bar;

	set_up("irq=none", 0);
	bar = lab_map_bar(&lab, 0, 0x10000);
	lab_trace(&lab, 0, PCIEM_TRACE_READS | PCIEM_TRACE_WRITES);
	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		uint64_t offset = rows[r].offset, length = rows[r].length, sum = 0;

		memset(bar, 0xee, 0x10000);
		collect_start();
		driver_run(&lab, "toio 0 %#lx %#lx 3", offset, length);
		collect_end("memcpy_toio", offset, length, 3, 1);
		for (uint64_t i = 0; i < length; i++) {
			EXPECT_EQ(bar[offset + i], (uint8_t)(3 + i));
			sum += bar[offset + i];
		}
		EXPECT(!offset || bar[offset - 1] == 0xee);
		EXPECT_(offset + length == 0x10000 || bar[offset + length] == 0xee, false,
			"beyond the end");

		collect_start();
		EXPECT_EQ(driver_run(&lab, "fromio 0 %#lx %#lx", offset, length), sum);
		collect_end("memcpy_fromio", offset, length, 3, 1);

		collect_start();
		driver_run(&lab, "setio 0 %#lx %#lx 0x5a", offset, length);
		collect_end("memset_io", offset, length, 0x5a, 0);
		EXPECT_EQ(bar[offset + length - 1], 0x5a);
	}
}

TEST(times_and_numbers_of_the_old_ring)
{
	uint64_t last = lab_now_ns();

	set_up("irq=none", 0);
	lab_trace(&lab, 0, PCIEM_TRACE_WRITES);
	driver_run(&lab, "write32 0 0 100 1");
	for (int i = 0; i < 100; i++) {
		const struct pciem_event *e = lab_event(&lab, 1000);

		ASSERT(e);
		EXPECT_EQ(e->seq, 0);
		EXPECT_EQ(e->cpu, 0);
		EXPECT_EQ(e->data, 1 + i);
		EXPECT_(e->timestamp >= last, false, "time went from %lu to %lu", last,
			(long)e->timestamp);
		last = e->timestamp;
	}
	EXPECT(last <= lab_now_ns());
}

static int range_try(uint32_t bar, uint64_t offset, uint64_t length, uint32_t flags)
{
	struct pciem_trace_range range = {
		.bar_index = bar, .offset = offset, .length = length, .flags = flags,
	};

	return ioctl(lab.fd, PCIEM_IOC_TRACE_RANGE, &range);
}

static void range_set(uint64_t offset, uint64_t length, uint32_t flags)
{
	EXPECT_OK(range_try(0, offset, length, flags));
}

TEST(ranges_are_checked)
{
	struct pciem_trace_range range = { .length = 4, .flags = PCIEM_TRACE_READS };

	lab_build(&lab, &lab_plain);
	EXPECT_ERROR(range_try(0, 0, 4, 0x20), EINVAL);
	EXPECT_ERROR(range_try(0, 0, 0, PCIEM_TRACE_READS), EINVAL);
	EXPECT_ERROR(range_try(0, 0, 0x10001, PCIEM_TRACE_READS), EINVAL);
	EXPECT_ERROR(range_try(0, 0x10000, 1, PCIEM_TRACE_READS), EINVAL);
	EXPECT_ERROR(range_try(0, 0xffff, 2, PCIEM_TRACE_READS), EINVAL);
	EXPECT_ERROR(range_try(0, ~0ULL, 2, PCIEM_TRACE_READS), EINVAL);
	EXPECT_ERROR(range_try(0, 1, ~0ULL, PCIEM_TRACE_READS), EINVAL);
	EXPECT_ERROR(range_try(6, 0, 4, PCIEM_TRACE_READS), EINVAL);
	EXPECT_ERROR(range_try(3, 0, 4, PCIEM_TRACE_READS), ENXIO);
	EXPECT_OK(range_try(0, 0xffff, 1, PCIEM_TRACE_READS));
	range.func = 1;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_TRACE_RANGE, &range), ENODEV);
	range.func = 8;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_TRACE_RANGE, &range), EINVAL);
	range.func = 0;
	range.reserved[6] = 1;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_TRACE_RANGE, &range), EINVAL);
}

TEST(a_BAR_has_64_ranges)
{
	lab_build(&lab, &lab_plain);
	for (unsigned int i = 0; i < PCIEM_TRACE_RANGES_MAX; i++)
		range_set(i * 16, 4, PCIEM_TRACE_READS);
	EXPECT_ERROR(range_try(0, 0x8000, 4, PCIEM_TRACE_READS), ENOSPC);
	EXPECT_ERROR(range_try(0, 1, 1, 0), ENOSPC);
	/* Another BAR has its own */
	EXPECT_OK(range_try(2, 0, 4, PCIEM_TRACE_READS));
	/* Neighbours become one, and a range swallows what it covers */
	range_set(4, 12, PCIEM_TRACE_READS);
	range_set(0x8000, 4, PCIEM_TRACE_READS);
	EXPECT_ERROR(range_try(0, 0x9000, 4, PCIEM_TRACE_READS), ENOSPC);
	range_set(0, 0x10000, PCIEM_TRACE_WRITES);
	range_set(0, 0x10000, 0);
	for (unsigned int i = 0; i < PCIEM_TRACE_RANGES_MAX; i++)
		range_set(i * 16, 4, PCIEM_TRACE_READS);
}

TEST(a_doorbell_page_and_a_framebuffer_in_one_BAR)
{
	uint32_t *bar;

	set_up("irq=none", 0);
	bar = lab_map_bar(&lab, 0, 0x10000);
	range_set(0x1000, 0x1000, PCIEM_TRACE_WRITES | PCIEM_TRACE_STOP_WRITES);
	driver_run(&lab, "toio 0 0x2000 0xe000 7");
	driver_run(&lab, "write32 0 0 100 1 4");
	EXPECT_EQ(driver_run(&lab, "read32 0 0x2000 1"), 0x0a090807);
	EXPECT_EQ(bar[99], 100);
	EXPECT_EQ(lab_info(&lab).events, 0);
	driver_run(&lab, "write32 0 0x1ffc 1 0x55");
	expect_event(PCIEM_EVENT_MMIO_WRITE, 0, 0x1ffc, 4, 0x55);
	EXPECT_EQ(bar[0x1ffc / 4], 0);
	expect_no_event();
}

/* Pages without a range are memory: as fast as in a BAR with none at all */
TEST(untraced_pages_cost_nothing)
{
	struct driver_result traced = { .ns = ~0UL }, plain = traced, next;

	/* The best of some, as others may have had the CPU */
	set_up("irq=none", 0);
	for (int i = 0; i < 10; i++) {
		EXPECT_OK(driver_try(&lab, &next, "write32 0 0x2000 20000 1"));
		plain = next.ns < plain.ns ? next : plain;
	}
	range_set(0, 4, PCIEM_TRACE_WRITES | PCIEM_TRACE_READS);
	for (int i = 0; i < 10; i++) {
		EXPECT_OK(driver_try(&lab, &next, "write32 0 0x2000 20000 1"));
		traced = next.ns < traced.ns ? next : traced;
	}
	EXPECT_(traced.ns < 10 * plain.ns + 1000000, false, "20000 writes took %lu us, %lu us before",
		traced.ns / 1000, plain.ns / 1000);
}

TEST(what_is_told_follows_the_bytes)
{
	static const struct {
		uint64_t offset;
		bool told;
	} rows[] = {
		{ 0xfc, false }, { 0x100, true }, { 0x104, true }, { 0x107, true }, { 0x108, false },
		{ 0xfd, true },		/* its last byte */
		{ 0x200, true }, { 0x204, false }, { 0xffc, false }, { 0x1000, false },
	};

	set_up("irq=none", 0);
	range_set(0x100, 8, PCIEM_TRACE_READS | PCIEM_TRACE_WRITES);
	range_set(0x202, 1, PCIEM_TRACE_READS | PCIEM_TRACE_WRITES);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		driver_run(&lab, "write32 0 %#lx 1 %zu", rows[i].offset, i + 5);
		EXPECT_EQ(driver_run(&lab, "read32 0 %#lx 1", rows[i].offset), i + 5);
		if (rows[i].told) {
			expect_event(PCIEM_EVENT_MMIO_WRITE, 0, rows[i].offset, 4, i + 5);
			expect_event(PCIEM_EVENT_MMIO_READ, 0, rows[i].offset, 4, i + 5);
		} else {
			EXPECT_(!lab_event(&lab, 0), false, "an event at %#lx", rows[i].offset);
		}
	}
}

TEST(ranges_with_different_flags_in_one_page)
{
	uint32_t *bar;

	set_up("irq=none", 0);
	bar = lab_map_bar(&lab, 0, 0x10000);
	range_set(0, 0x100, PCIEM_TRACE_WRITES);
	range_set(0x10, 4, PCIEM_TRACE_WRITES | PCIEM_TRACE_STOP_WRITES);
	range_set(0x20, 4, PCIEM_TRACE_READS);
	range_set(0x30, 4, 0);
	driver_run(&lab, "write32 0 0x0c 13 0xc 4");
	EXPECT_EQ(driver_run(&lab, "read32 0 0x20 1"), 0x11);
	driver_run(&lab, "read32 0 0x0c 1");
	for (uint64_t at = 0xc; at < 0x40; at += 4) {
		if (at != 0x20 && at != 0x30)
			expect_event(PCIEM_EVENT_MMIO_WRITE, 0, at, 4, 0xc + (at - 0xc) / 4);
		EXPECT_EQ(bar[at / 4], at == 0x10 ? 0 : 0xc + (at - 0xc) / 4);
	}
	expect_event(PCIEM_EVENT_MMIO_READ, 0, 0x20, 4, 0x11);
	expect_no_event();
}

TEST(a_range_is_set_and_taken_back_while_mapped)
{
	set_up("irq=none", 0);
	for (int i = 0; i < 3; i++) {
		range_set(0x3000, 0x1000, PCIEM_TRACE_WRITES);
		driver_run(&lab, "write32 0 0x3010 1 %d", i);
		expect_event(PCIEM_EVENT_MMIO_WRITE, 0, 0x3010, 4, i);
		range_set(0x3000, 0x1000, PCIEM_TRACE_READS);
		driver_run(&lab, "write32 0 0x3010 1 %d", i + 1);
		EXPECT_EQ(driver_run(&lab, "read32 0 0x3010 1"), i + 1);
		expect_event(PCIEM_EVENT_MMIO_READ, 0, 0x3010, 4, i + 1);
		range_set(0x3000, 0x1000, 0);
		EXPECT_EQ(driver_run(&lab, "read32 0 0x3010 1"), i + 1);
		expect_no_event();
	}
}

TEST(a_range_set_before_the_driver_maps)
{
	struct lab_spec spec = lab_plain;

	spec.device = LAB_DEVICE;
	driver_load("irq=none");
	lab_build(&lab, &spec);
	range_set(0x2000, 4, PCIEM_TRACE_WRITES);
	lab_register(&lab);
	lab_map_ring(&lab);
	lab_start(&lab);
	driver_wait(&lab);
	driver_run(&lab, "write32 0 0x2000 2 9 4");
	expect_event(PCIEM_EVENT_MMIO_WRITE, 0, 0x2000, 4, 9);
	expect_no_event();
}

/* TRACE_BAR is the whole BAR, once, whatever ranges there are */
TEST(the_whole_BAR_and_ranges)
{
	set_up("irq=none", 0);
	range_set(0x1000, 4, PCIEM_TRACE_READS);
	lab_trace(&lab, 0, PCIEM_TRACE_WRITES);
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_TRACE_BAR, &(struct pciem_trace_bar){
		.flags = PCIEM_TRACE_WRITES }), EINVAL);
	driver_run(&lab, "read32 0 0x1000 1");
	driver_run(&lab, "write32 0 0x1000 1 3");
	expect_event(PCIEM_EVENT_MMIO_WRITE, 0, 0x1000, 4, 3);
	range_set(0x4000, 0x8000, 0);
	driver_run(&lab, "write32 0 0x4000 1 3");
	driver_run(&lab, "write32 0 0xbffc 1 3");
	driver_run(&lab, "write32 0 0xc000 1 4");
	expect_event(PCIEM_EVENT_MMIO_WRITE, 0, 0xc000, 4, 4);
	expect_no_event();
}

static volatile bool changing;

static void *change(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; changing; i++)
		range_set((i & 3) << 12, 0x1000, i / 4 % 4);
	return NULL;
}

/* The memory is the driver's throughout, and each event is of an access */
TEST_FOR(a_range_changes_while_the_driver_runs, 60)
{
	pthread_t thread;

	set_up("irq=none", 0);
	collect_start();
	changing = true;
	ASSERT(!pthread_create(&thread, NULL, change, NULL));
	for (int i = 0; i < 100; i++) {
		driver_run(&lab, "write32 0 0x800 1000 %d 8", i);
		for (uint64_t at = 0x800; at < 0x2000; at += 0x7f8)
			EXPECT_EQ(driver_run(&lab, "read32 0 %#lx 1", at), i + (at - 0x800) / 8);
	}
	changing = false;
	pthread_join(thread, NULL);
	collecting = false;
	pthread_join(collector, NULL);
	EXPECT(collected > 0);
	EXPECT_EQ(lab_info(&lab).lost, 0);
}

TEST_MAIN()

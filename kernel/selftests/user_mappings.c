// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process maps a BAR through sysfs, as user-space drivers and tools such as
 * "nvme show-regs" do; in the reference these mappings, and those of vfio-pci, escape. Every access it makes is seen, whatever instruction
 * makes it; where nothing is traced the mapping is memory.
 */
#define _GNU_SOURCE
#include <emmintrin.h>
#include <fcntl.h>
#include <immintrin.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "accessors_shared.h"
#include "driver.h"
#include "harness.h"

#define PAGE		4096UL
#define BAR0_BYTES	0x10000UL
#define BOTH		(PCIEM_TRACE_READS | PCIEM_TRACE_WRITES)

static struct lab lab;
static volatile uint8_t *user;	/* BAR 0 through sysfs */
static uint8_t *device;		/* the same memory, as the device has it */

static void *map_resource(const char *name, size_t bytes, int prot, int flags, off_t offset)
{
	const char *path = lab_sysfs(&lab, name);
	void *p;
	int fd;

	/* START is not waited for */
	ASSERT(lab_wait(!access(path, F_OK), 5000));
	fd = open(path, O_RDWR | O_CLOEXEC);
	ASSERT(fd >= 0);
	p = mmap(NULL, bytes, prot, flags, fd, offset);
	close(fd);
	return p;
}

static void map_user(void)
{
	user = map_resource("resource0", BAR0_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	ASSERT(user != MAP_FAILED);
}

static struct lab_spec wide_spec(void)
{
	struct lab_spec spec = lab_plain;

	spec.slots = PCIEM_RING_MAX_EVENTS;
	return spec;
}

static void set_up(uint32_t flags)
{
	struct lab_spec spec = wide_spec();

	lab_power_on(&lab, &spec);
	device = lab_map_bar(&lab, 0, BAR0_BYTES);
	map_user();
	if (flags)
		lab_trace(&lab, 0, flags);
}

static void expect_event(uint32_t type, uint64_t offset, uint32_t size, uint64_t data)
{
	const struct pciem_event *e = lab_event(&lab, 1000);

	EXPECT_(e, true, "no event for %s of %u at %#lx", type == PCIEM_EVENT_MMIO_READ ?
		"a read" : "a write", size, offset);
	EXPECT_(e->type == type && e->bar == 0 && e->offset == offset && e->size == size &&
		e->data == data, false, "type %u bar %u offset %#lx size %u data %#lx; not %u 0 %#lx %u %#lx",
		e->type, e->bar, (long)e->offset, e->size, (long)e->data, type, offset, size, data);
}

#define expect_read(offset, size, data)	expect_event(PCIEM_EVENT_MMIO_READ, offset, size, data)
#define expect_write(offset, size, data) expect_event(PCIEM_EVENT_MMIO_WRITE, offset, size, data)

static void expect_no_event(void)
{
	const struct pciem_event *e = lab_event(&lab, 10);

	EXPECT_(!e, false, "an event of type %u at %#lx, size %u", e->type, (long)e->offset, e->size);
	EXPECT_EQ(lab_info(&lab).lost, 0);
}

static uint64_t number(const void *p, unsigned int size)
{
	uint64_t value = 0;

	memcpy(&value, p, size);
	return value;
}

static void fill(uint64_t seed)
{
	scenario_fill(device, BAR0_BYTES, seed);
}

/* Signals */

static sigjmp_buf jump;

static void on_signal(int number)
{
	siglongjmp(jump, number);
}

static void catch_signals(void)
{
	signal(SIGBUS, on_signal);
	signal(SIGSEGV, on_signal);
}

/* The signal that reading a byte there gives, or 0; likewise for a write */
static int touch(const volatile uint8_t *p)
{
	int number = sigsetjmp(jump, 1);

	if (!number)
		(void)*p;
	return number;
}

static int poke(volatile uint8_t *p)
{
	int number = sigsetjmp(jump, 1);

	if (!number)
		*p = 1;
	return number;
}

/* Plain accesses */

/*
 * A million accesses to 32 bits; a trapped one takes microseconds. The best of some
 * times, as others may have had the CPU.
 */
static uint64_t million_ns(volatile uint32_t *p, bool write)
{
	uint64_t best = ~0ULL;

	for (int times = 0; times < 5; times++) {
		uint64_t start = lab_now_ns(), took;

		for (int i = 0; i < 1000000; i++) {
			if (write)
				*p = i;
			else
				(void)*p;
		}
		took = lab_now_ns() - start;
		best = took < best ? took : best;
	}
	return best;
}

TEST(untraced_mapping_is_memory)
{
	uint64_t took;

	set_up(0);
	fill(1);
	EXPECT(!memcmp((void *)user, device, BAR0_BYTES));
	*(volatile uint32_t *)(user + 0x1234) = 0xabcdef01;
	EXPECT_EQ(number(device + 0x1234, 4), 0xabcdef01);
	device[0x42] = 0x99;
	EXPECT_EQ(user[0x42], 0x99);
	expect_no_event();
	EXPECT_EQ(lab_info(&lab).events, 0);

	took = million_ns((volatile uint32_t *)(user + 0x100), true);
	EXPECT_(took < 500000000, false, "a million untraced writes took %lu ms", took / 1000000);
}

TEST(loads_and_stores)
{
	const struct pciem_wide_event *e;
	uint64_t at = 0x120;

	set_up(BOTH);
	fill(2);
	for (uint64_t i = at; i < at + 9; i++) {
		EXPECT_EQ(*(volatile uint8_t *)(user + i), number(device + i, 1));
		expect_read(i, 1, number(device + i, 1));
		EXPECT_EQ(*(volatile uint16_t *)(user + i), number(device + i, 2));
		expect_read(i, 2, number(device + i, 2));
		EXPECT_EQ(*(volatile uint32_t *)(user + i), number(device + i, 4));
		expect_read(i, 4, number(device + i, 4));
		EXPECT_EQ(*(volatile uint64_t *)(user + i), number(device + i, 8));
		expect_read(i, 8, number(device + i, 8));
	}
	*(volatile uint8_t *)(user + 0x201) = 0xa1;
	*(volatile uint16_t *)(user + 0x202) = 0xb2b1;
	*(volatile uint32_t *)(user + 0x204) = 0xc4c3c2c1;
	*(volatile uint64_t *)(user + 0x208) = 0xd8d7d6d5d4d3d2d1;
	expect_write(0x201, 1, 0xa1);
	expect_write(0x202, 2, 0xb2b1);
	expect_write(0x204, 4, 0xc4c3c2c1);
	expect_write(0x208, 8, 0xd8d7d6d5d4d3d2d1);
	EXPECT_EQ(number(device + 0x208, 8), 0xd8d7d6d5d4d3d2d1);
	/* At the ends, and across a page */
	*(volatile uint64_t *)(user + BAR0_BYTES - 8) = 0x1122334455667788;
	expect_write(BAR0_BYTES - 8, 8, 0x1122334455667788);
	*(volatile uint32_t *)(user + 0xffe) = 0x55443322;
	expect_write(0xffe, 4, 0x55443322);
	EXPECT_EQ(number(device + 0xffe, 4), 0x55443322);
	EXPECT_EQ(*(volatile uint64_t *)(user + 0xffd), number(device + 0xffd, 8));
	expect_read(0xffd, 8, number(device + 0xffd, 8));
	expect_no_event();

	(void)user[0];
	e = lab_wide_event(&lab, 1000);
	ASSERT(e);
	EXPECT_EQ(e->pid, syscall(SYS_gettid));
}

TEST(relative_to_a_segment)
{
	static __thread uint64_t here = 0x77;
	uint64_t base, value;

	set_up(BOTH);
	fill(3);
	/* FS holds the address of thread-local storage */
	asm volatile("movq %%fs:0, %0" : "=r" (base));
	EXPECT_EQ(here, 0x77);
	asm volatile("movq %%fs:(%1), %0" : "=r" (value) : "r" ((uint64_t)user + 0x88 - base));
	EXPECT_EQ(value, number(device + 0x88, 8));
	expect_read(0x88, 8, value);
	/* Misses the fast path for a fault at the start of a page */
	asm volatile("movl %1, %%fs:(%0)" :: "r" ((uint64_t)user + 0x2ffe - base), "r" (0x31415926));
	expect_write(0x2ffe, 4, 0x31415926);
	expect_no_event();
}

TEST(reads_alone)
{
	set_up(PCIEM_TRACE_READS);
	fill(4);
	user[0x10] = 5;
	EXPECT_EQ(device[0x10], 5);
	EXPECT_EQ(user[0x10], 5);
	expect_read(0x10, 1, 5);
	expect_no_event();
}

TEST(writes_alone)
{
	uint64_t took;

	set_up(PCIEM_TRACE_WRITES);
	fill(5);
	EXPECT_EQ(user[0x1010], device[0x1010]);
	user[0x1010] = 6;
	EXPECT_EQ(user[0x1010], 6);
	user[0x1011] = 7;
	expect_write(0x1010, 1, 6);
	expect_write(0x1011, 1, 7);
	/* Reads go to memory */
	took = million_ns((volatile uint32_t *)(user + 0x1000), false);
	EXPECT_(took < 500000000, false, "a million untraced reads took %lu ms", took / 1000000);
	/* The first touch of a page is a write */
	*(volatile uint32_t *)(user + 0x5000) = 8;
	expect_write(0x5000, 4, 8);
	EXPECT_EQ(*(volatile uint32_t *)(user + 0x5000), 8);
	expect_no_event();
}

TEST(stopped_writes)
{
	set_up(BOTH | PCIEM_TRACE_STOP_WRITES);
	*(uint32_t *)(device + 0x20) = 0x1111;
	*(volatile uint32_t *)(user + 0x20) = 0x2222;
	EXPECT_EQ(*(volatile uint32_t *)(user + 0x20), 0x1111);
	expect_write(0x20, 4, 0x2222);
	expect_read(0x20, 4, 0x1111);
	memset((void *)(user + 0x40), 0xff, 64);
	EXPECT_EQ(device[0x40], 0);
}

TEST(tracing_that_starts_after_the_mapping)
{
	set_up(0);
	for (uint64_t at = 0; at < BAR0_BYTES; at += PAGE)
		user[at] = at >> 12;	/* present, and writable */
	lab_trace(&lab, 0, BOTH);
	for (uint64_t at = 0; at < BAR0_BYTES; at += PAGE) {
		EXPECT_EQ(user[at], at >> 12);
		expect_read(at, 1, at >> 12);
		user[at] = 1;
		expect_write(at, 1, 1);
	}
	expect_no_event();
}

/* Tracing is switched on under a thread that writes: a count of its own says which writes are missing */
static volatile bool running;
static volatile uint64_t written;

static void *write_on(void *arg)
{
	(void)arg;
	while (running)
		*(volatile uint64_t *)(user + 0x3000) = ++written;
	return NULL;
}

TEST(tracing_that_starts_under_way)
{
	uint64_t first = 0, last = 0, count = 0;
	const struct pciem_event *e;
	pthread_t thread;

	set_up(0);
	running = true;
	ASSERT(!pthread_create(&thread, NULL, write_on, NULL));
	lab_sleep_ms(20);
	lab_trace(&lab, 0, PCIEM_TRACE_WRITES);
	for (int i = 0; i < 200; i++) {
		e = lab_event(&lab, 100);
		ASSERT(e);
		if (!first)
			first = e->data;
		EXPECT_(!last || e->data == last + 1, true, "after write %lu comes %lu", last,
			(uint64_t)e->data);
		last = e->data;
		count++;
	}
	running = false;
	pthread_join(thread, NULL);
	while ((e = lab_event(&lab, 10))) {
		EXPECT_EQ(e->data, last + 1);
		last = e->data;
	}
	EXPECT_EQ(last, written);
	EXPECT(count >= 200 && first > 1);
}

/* Copies */

/* The events, carried out on a copy, make the memory; reads agree with it */
static void expect_replay(const char *what, uint8_t *copy, uint32_t flags)
{
	const struct pciem_event *e;

	while ((e = lab_event(&lab, 0))) {
		ASSERT(e->offset + e->size <= BAR0_BYTES && e->size <= 8);
		if (e->type == PCIEM_EVENT_MMIO_WRITE)
			memcpy(copy + e->offset, &e->data, e->size);
		else if (flags & PCIEM_TRACE_WRITES)
			EXPECT_(!memcmp(copy + e->offset, &e->data, e->size), false,
				"%s: the read of %u at %#lx is %#lx", what, e->size, (long)e->offset,
				(long)e->data);
	}
	if (flags & PCIEM_TRACE_WRITES)
		EXPECT_(!memcmp(copy, device, BAR0_BYTES), false,
			"%s: the events do not make what the BAR holds", what);
	EXPECT_EQ(lab_info(&lab).lost, 0);
}

TEST(memcpy_and_memset_of_libc)
{
	static const struct {
		uint64_t offset;
		size_t length;
	} rows[] = {
		{ 0, 1 }, { 3, 2 }, { 1, 3 }, { 8, 4 }, { 5, 7 }, { 0, 8 }, { 16, 15 }, { 0, 16 }, { 7, 17 },
		{ 0, 31 }, { 1, 32 }, { 32, 32 }, { 9, 33 }, { 0, 64 }, { 13, 65 }, { 0xff0, 32 },
		{ 0xfe1, 128 }, { 0xffd, 255 }, { 0x800, 2048 }, { 0x7f1, 5000 }, { 0, 0x8000 },
	};
	static uint8_t copy[BAR0_BYTES], buffer[BAR0_BYTES];

	set_up(BOTH);
	fill(6);
	memcpy(copy, device, BAR0_BYTES);
	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		uint64_t offset = rows[r].offset;
		size_t length = rows[r].length;
		char what[64];

		snprintf(what, sizeof(what), "%zu bytes at %#lx", length, offset);
		memset(buffer, 0, sizeof(buffer));
		memcpy(buffer + 64, (void *)(user + offset), length);
		EXPECT_(!memcmp(buffer + 64, device + offset, length) && !buffer[63] && !buffer[64 + length],
			false, "memcpy from, %s", what);
		expect_replay(what, copy, BOTH);
		scenario_fill(buffer, sizeof(buffer), r + 100);
		memcpy((void *)(user + offset), buffer, length);
		EXPECT_(!memcmp(buffer, device + offset, length), false, "memcpy to, %s", what);
		expect_replay(what, copy, BOTH);
		memset((void *)(user + offset), r + 1, length);
		expect_replay(what, copy, BOTH);
		EXPECT(device[offset] == r + 1 && device[offset + length - 1] == r + 1);
		if (length > 2) {
			/* From and to the BAR */
			memmove((void *)(user + offset + 1), (void *)(user + offset), length - 1);
			expect_replay(what, copy, BOTH);
		}
	}
}

static void run_scenarios(const struct scenario *scenarios, const char *level, uint32_t flags)
{
	static uint8_t copy[BAR0_BYTES], memory[BAR_BYTES], buffers[2][BUFFER_BYTES];
	uint64_t before;
	char what[96];

	for (unsigned int i = 0; scenarios[i].name; i++) {
		before = lab_info(&lab).events;
		for (unsigned int round = 0; round < 2; round++) {
			uint64_t seed = 0x1234567 + 0x9e3779b9 * round + i, got, want;

			snprintf(what, sizeof(what), "%s, %s, seed %#lx", scenarios[i].name, level, seed);
			fill(seed);
			memcpy(copy, device, BAR0_BYTES);
			memcpy(memory, device, BAR_BYTES);
			scenario_fill(buffers[0], BUFFER_BYTES, seed + 1);
			scenario_fill(buffers[1], BUFFER_BYTES, seed + 1);
			want = scenarios[i].run(memory, buffers[1], seed);
			got = scenarios[i].run(user, buffers[0], seed);
			EXPECT_(got == want, false, "%s: result %#lx, on memory %#lx", what, got, want);
			EXPECT_(!memcmp(buffers[0], buffers[1], BUFFER_BYTES), false,
				"%s: the buffer differs", what);
			EXPECT_(!memcmp(device, memory, BAR_BYTES), false, "%s: the BAR differs", what);
			if (flags == BOTH)
				expect_replay(what, copy, flags);
		}
		EXPECT_(flags != BOTH || lab_info(&lab).events > before, false, "%s: no events", what);
	}
}

TEST_FOR(every_form_of_access, 60)
{
	set_up(BOTH);
	run_scenarios(scenarios_O1, "-O1", BOTH);
	run_scenarios(scenarios_O2, "-O2", BOTH);
	run_scenarios(scenarios_O3, "-O3", BOTH);
	run_scenarios(scenarios_Os, "-Os", BOTH);
}

TEST_FOR(every_form_of_access_with_writes_traced, 60)
{
	set_up(PCIEM_TRACE_WRITES);
	run_scenarios(scenarios_O2, "-O2", PCIEM_TRACE_WRITES);
}

TEST(every_form_of_access_untraced)
{
	set_up(0);
	run_scenarios(scenarios_O2, "-O2", 0);
	expect_no_event();
}

/* Vectors */

static void expect_parts(uint32_t type, uint64_t offset, unsigned int size, const void *bytes)
{
	for (unsigned int at = 0; at < size; at += 8)
		expect_event(type, offset + at, 8, number(bytes + at, 8));
}

/* Intrinsics are not volatile */
#define in_order() asm volatile("" ::: "memory")

TEST(sse)
{
	uint8_t bytes[64] __attribute__((aligned(64)));
	__m128i v;
	__m128 f;

	set_up(BOTH);
	fill(7);
	v = _mm_load_si128((const __m128i *)(user + 0x100));
	_mm_store_si128((__m128i *)bytes, v);
	EXPECT(!memcmp(bytes, device + 0x100, 16));
	expect_parts(PCIEM_EVENT_MMIO_READ, 0x100, 16, bytes);
	v = _mm_loadu_si128((const __m128i *)(user + 0x203));
	_mm_store_si128((__m128i *)bytes, v);
	EXPECT(!memcmp(bytes, device + 0x203, 16));
	expect_parts(PCIEM_EVENT_MMIO_READ, 0x203, 16, bytes);
	/* Across a page */
	v = _mm_loadu_si128((const __m128i *)(user + 0xff7));
	_mm_store_si128((__m128i *)bytes, v);
	EXPECT(!memcmp(bytes, device + 0xff7, 16));
	expect_parts(PCIEM_EVENT_MMIO_READ, 0xff7, 16, bytes);

	scenario_fill(bytes, sizeof(bytes), 9);
	v = _mm_load_si128((const __m128i *)bytes);
	_mm_store_si128((__m128i *)(user + 0x400), v);
	in_order();
	_mm_storeu_si128((__m128i *)(user + 0x1ff9), v);
	in_order();
	_mm_stream_si128((__m128i *)(user + 0x440), v);
	EXPECT(!memcmp(bytes, device + 0x400, 16));
	EXPECT(!memcmp(bytes, device + 0x1ff9, 16));
	EXPECT(!memcmp(bytes, device + 0x440, 16));
	expect_parts(PCIEM_EVENT_MMIO_WRITE, 0x400, 16, bytes);
	expect_parts(PCIEM_EVENT_MMIO_WRITE, 0x1ff9, 16, bytes);
	expect_parts(PCIEM_EVENT_MMIO_WRITE, 0x440, 16, bytes);

	/* Four and eight bytes; what is above them becomes zero */
	asm volatile("pcmpeqd %0, %0\n movss (%1), %0" : "=&x" (f) : "r" (user + 0x500) : "memory");
	memcpy(bytes, &f, 16);
	EXPECT_EQ(number(bytes, 8), number(device + 0x500, 4));
	EXPECT_EQ(number(bytes + 8, 8), 0);
	expect_read(0x500, 4, number(device + 0x500, 4));
	asm volatile("pcmpeqd %0, %0\n movq (%1), %0" : "=&x" (v) : "r" (user + 0x508) : "memory");
	memcpy(bytes, &v, 16);
	EXPECT_EQ(number(bytes, 8), number(device + 0x508, 8));
	EXPECT_EQ(number(bytes + 8, 8), 0);
	expect_read(0x508, 8, number(device + 0x508, 8));
	asm volatile("movd %0, (%1)" :: "x" (v), "r" (user + 0x510) : "memory");
	expect_write(0x510, 4, number(bytes, 4));
	expect_no_event();
}

/* Each register, with all the others as they were */
#define REGISTERS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)	\
	DO(12) DO(13) DO(14) DO(15)

struct vectors {
	uint8_t reg[16][32];
};

/* All registers set, one instruction with the BAR, all registers got */
#define WITH_REGISTERS(insn, set, got, where)							\
	asm volatile(										\
		"vmovdqu 0*32(%[from]), %%ymm0\n" "vmovdqu 1*32(%[from]), %%ymm1\n"		\
		"vmovdqu 2*32(%[from]), %%ymm2\n" "vmovdqu 3*32(%[from]), %%ymm3\n"		\
		"vmovdqu 4*32(%[from]), %%ymm4\n" "vmovdqu 5*32(%[from]), %%ymm5\n"		\
		"vmovdqu 6*32(%[from]), %%ymm6\n" "vmovdqu 7*32(%[from]), %%ymm7\n"		\
		"vmovdqu 8*32(%[from]), %%ymm8\n" "vmovdqu 9*32(%[from]), %%ymm9\n"		\
		"vmovdqu 10*32(%[from]), %%ymm10\n" "vmovdqu 11*32(%[from]), %%ymm11\n"	\
		"vmovdqu 12*32(%[from]), %%ymm12\n" "vmovdqu 13*32(%[from]), %%ymm13\n"	\
		"vmovdqu 14*32(%[from]), %%ymm14\n" "vmovdqu 15*32(%[from]), %%ymm15\n"	\
		insn "\n"									\
		"vmovdqu %%ymm0, 0*32(%[to])\n" "vmovdqu %%ymm1, 1*32(%[to])\n"		\
		"vmovdqu %%ymm2, 2*32(%[to])\n" "vmovdqu %%ymm3, 3*32(%[to])\n"		\
		"vmovdqu %%ymm4, 4*32(%[to])\n" "vmovdqu %%ymm5, 5*32(%[to])\n"		\
		"vmovdqu %%ymm6, 6*32(%[to])\n" "vmovdqu %%ymm7, 7*32(%[to])\n"		\
		"vmovdqu %%ymm8, 8*32(%[to])\n" "vmovdqu %%ymm9, 9*32(%[to])\n"		\
		"vmovdqu %%ymm10, 10*32(%[to])\n" "vmovdqu %%ymm11, 11*32(%[to])\n"		\
		"vmovdqu %%ymm12, 12*32(%[to])\n" "vmovdqu %%ymm13, 13*32(%[to])\n"		\
		"vmovdqu %%ymm14, 14*32(%[to])\n" "vmovdqu %%ymm15, 15*32(%[to])\n"		\
		:: [from] "r" (set), [to] "r" (got), [bar] "r" (where)				\
		: "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",	\
		  "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15")

static const char *const load_names[] = { "movdqu", "vmovdqu of 128 bits", "vmovdqu of 256 bits" };

static void check_load(unsigned int reg, unsigned int form, struct vectors *set, struct vectors *got,
		       uint64_t offset)
{
	unsigned int bytes = form == 2 ? 32 : 16;
	struct vectors want = *set;

	if (form == 1)
		memset(want.reg[reg], 0, 32);
	memcpy(want.reg[reg], device + offset, bytes);
	EXPECT_(!memcmp(&want, got, sizeof(want)), false, "%s into register %u", load_names[form], reg);
	expect_parts(PCIEM_EVENT_MMIO_READ, offset, bytes, device + offset);
}

static void check_store(unsigned int reg, unsigned int bytes, struct vectors *set, struct vectors *got,
			uint64_t offset)
{
	EXPECT_(!memcmp(set, got, sizeof(*set)), false, "a store of register %u changed one", reg);
	EXPECT_(!memcmp(device + offset, set->reg[reg], bytes), false, "a store of register %u", reg);
	expect_parts(PCIEM_EVENT_MMIO_WRITE, offset, bytes, set->reg[reg]);
}

TEST(every_vector_register)
{
	struct vectors set, got;
	volatile uint8_t *where;

	__builtin_cpu_init();
	if (!__builtin_cpu_supports("avx"))
		harness_skip("this CPU has no AVX");
	set_up(BOTH);
	fill(8);
#define TRY(n)											\
	scenario_fill((void *)&set, sizeof(set), 50 + n);					\
	where = user + 0x1000 + 0x101 * n;							\
	WITH_REGISTERS("movdqu (%[bar]), %%xmm" #n, &set, &got, where);			\
	check_load(n, 0, &set, &got, where - user);						\
	WITH_REGISTERS("vmovdqu (%[bar]), %%xmm" #n, &set, &got, where);			\
	check_load(n, 1, &set, &got, where - user);						\
	WITH_REGISTERS("vmovdqu (%[bar]), %%ymm" #n, &set, &got, where);			\
	check_load(n, 2, &set, &got, where - user);						\
	WITH_REGISTERS("movups %%xmm" #n ", (%[bar])", &set, &got, where);			\
	check_store(n, 16, &set, &got, where - user);						\
	WITH_REGISTERS("vmovups %%ymm" #n ", (%[bar])", &set, &got, where);			\
	check_store(n, 32, &set, &got, where - user);
	REGISTERS(TRY)
	expect_no_event();
}

__attribute__((target("avx")))
static void avx_moves(void)
{
	uint8_t bytes[32] __attribute__((aligned(32)));
	__m256i v;

	v = _mm256_load_si256((const __m256i *)(user + 0x100));
	_mm256_store_si256((__m256i *)bytes, v);
	EXPECT(!memcmp(bytes, device + 0x100, 32));
	expect_parts(PCIEM_EVENT_MMIO_READ, 0x100, 32, bytes);
	scenario_fill(bytes, sizeof(bytes), 11);
	v = _mm256_load_si256((const __m256i *)bytes);
	_mm256_store_si256((__m256i *)(user + 0x200), v);
	in_order();
	_mm256_storeu_si256((__m256i *)(user + 0x2ff1), v);
	in_order();
	_mm256_stream_si256((__m256i *)(user + 0x240), v);
	expect_parts(PCIEM_EVENT_MMIO_WRITE, 0x200, 32, bytes);
	expect_parts(PCIEM_EVENT_MMIO_WRITE, 0x2ff1, 32, bytes);
	expect_parts(PCIEM_EVENT_MMIO_WRITE, 0x240, 32, bytes);
}

TEST(avx)
{
	__builtin_cpu_init();
	if (!__builtin_cpu_supports("avx"))
		harness_skip("this CPU has no AVX");
	set_up(BOTH);
	fill(9);
	avx_moves();
	expect_no_event();
}

/* Two threads whose registers the kernel switches all the time */
static void *use_vectors(void *arg)
{
	volatile uint8_t *where = user + 0x1000 * (1 + (long)arg);
	uint8_t in[16], out[16];

	for (int i = 0; i < 300; i++) {
		memset(in, i + 100 * (long)arg, 16);
		_mm_storeu_si128((__m128i *)where, _mm_loadu_si128((__m128i *)in));
		in_order();
		_mm_storeu_si128((__m128i *)out, _mm_loadu_si128((__m128i *)where));
		EXPECT_(!memcmp(in, out, 16), true, "thread %ld, turn %d", (long)arg, i);
	}
	return NULL;
}

TEST(vectors_of_several_threads)
{
	pthread_t threads[4];

	set_up(BOTH);
	for (long i = 0; i < 4; i++)
		ASSERT(!pthread_create(&threads[i], NULL, use_vectors, (void *)i));
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(lab_info(&lab).events, 4 * 300 * 4);
	EXPECT_EQ(lab_info(&lab).lost, 0);
}

/* What is not understood takes place all the same, and is said to be missing */
TEST(an_instruction_not_understood)
{
	uint64_t lost;

	set_up(BOTH);
	fill(10);
	asm volatile("fildll (%0)\n fistpll (%1)" :: "r" (user + 0x18), "r" (user + 0x1028) : "memory");
	EXPECT_EQ(number(device + 0x1028, 8), number(device + 0x18, 8));
	lost = lab_info(&lab).lost;
	EXPECT(lost >= 2 && lost < 20);
	/* And then every access is seen again */
	lab_sleep_ms(50);
	lab_drain(&lab);
	user[0x18] = 1;
	user[0x1028] = 2;
	expect_write(0x18, 1, 1);
	expect_write(0x1028, 1, 2);
	EXPECT_EQ(lab_info(&lab).lost, lost);
}

/* The kernel's accesses to the mapping */

TEST(system_calls_on_the_mapping)
{
	static uint8_t copy[BAR0_BYTES], buffer[0x3000];
	char path[] = "/tmp/user_mappings.XXXXXX";
	int pipes[2], fd;

	set_up(BOTH);
	fill(11);
	memcpy(copy, device, BAR0_BYTES);
	ASSERT(!pipe(pipes));
	ASSERT(write(pipes[1], (void *)(user + 0x123), 1000) == 1000);
	ASSERT(read(pipes[0], buffer, 1000) == 1000);
	EXPECT(!memcmp(buffer, device + 0x123, 1000));
	expect_replay("write(2) of the BAR to a pipe", copy, BOTH);
	scenario_fill(buffer, 1000, 12);
	ASSERT(write(pipes[1], buffer, 1000) == 1000);
	ASSERT(read(pipes[0], (void *)(user + 0xf01), 1000) == 1000);
	EXPECT(!memcmp(buffer, device + 0xf01, 1000));
	expect_replay("read(2) of a pipe to the BAR", copy, BOTH);

	/* A file's pages are written with page faults off: those wait for nothing */
	fd = mkstemp(path);
	ASSERT(fd >= 0);
	ASSERT(write(fd, (void *)(user + 0x1ff0), 0x2100) == 0x2100);
	ASSERT(pread(fd, buffer, 0x2100, 0) == 0x2100);
	EXPECT(!memcmp(buffer, device + 0x1ff0, 0x2100));
	expect_replay("write(2) of the BAR to a file", copy, BOTH);
	close(fd);
	unlink(path);
}

TEST(a_debugger_on_the_mapping)
{
	struct iovec local = { 0 }, remote = { 0 };
	uint8_t buffer[64];
	pid_t child;
	long word;
	int status;

	set_up(BOTH);
	fill(13);
	child = fork();
	if (!child) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(0);
	}
	ASSERT(waitpid(child, &status, 0) == child && WIFSTOPPED(status));
	word = ptrace(PTRACE_PEEKDATA, child, user + 0x48, 0);
	EXPECT_EQ(word, number(device + 0x48, 8));
	expect_read(0x48, 8, word);
	EXPECT_OK(ptrace(PTRACE_POKEDATA, child, user + 0x50, 0x12345));
	EXPECT_EQ(number(device + 0x50, 8), 0x12345);
	expect_write(0x50, 8, 0x12345);
	/* As for any BAR */
	local.iov_base = buffer;
	remote.iov_base = (void *)user;
	local.iov_len = remote.iov_len = sizeof(buffer);
	EXPECT_ERROR(process_vm_readv(child, &local, 1, &remote, 1, 0), EFAULT);
	ptrace(PTRACE_CONT, child, 0, 0);
	waitpid(child, &status, 0);
	lab_drain(&lab);
	expect_no_event();
}

static volatile int handled;

static void touch_in_handler(int number)
{
	(void)number;
	*(volatile uint32_t *)(user + 0x80) = 0x51;
	handled = *(volatile uint32_t *)(user + 0x80);
}

TEST(an_access_in_a_signal_handler)
{
	set_up(BOTH);
	signal(SIGUSR1, touch_in_handler);
	raise(SIGUSR1);
	EXPECT_EQ(handled, 0x51);
	expect_write(0x80, 4, 0x51);
	expect_read(0x80, 4, 0x51);
	expect_no_event();
}

/* Mappings */

TEST(lengths_and_offsets)
{
	volatile uint8_t *p;

	set_up(BOTH);
	fill(14);
	EXPECT(map_resource("resource0", BAR0_BYTES + PAGE, PROT_READ, MAP_SHARED, 0) == MAP_FAILED);
	EXPECT(map_resource("resource0", PAGE, PROT_READ, MAP_SHARED, BAR0_BYTES) == MAP_FAILED);
	EXPECT(map_resource("resource0", 2 * PAGE, PROT_READ, MAP_SHARED, BAR0_BYTES - PAGE) == MAP_FAILED);
	p = map_resource("resource0", 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 3 * PAGE);
	ASSERT(p != MAP_FAILED);
	EXPECT_EQ(p[0x1234], device[3 * PAGE + 0x1234]);
	expect_read(3 * PAGE + 0x1234, 1, device[3 * PAGE + 0x1234]);
	/* Holes, moves and growth */
	catch_signals();
	ASSERT(!munmap((void *)(user + 4 * PAGE), PAGE));
	EXPECT_EQ(touch(user + 4 * PAGE), SIGSEGV);
	EXPECT_EQ(touch(user + 5 * PAGE + 7), 0);
	expect_read(5 * PAGE + 7, 1, device[5 * PAGE + 7]);
	p = mremap((void *)(user + 5 * PAGE), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, user + 4 * PAGE);
	ASSERT(p == user + 4 * PAGE);
	EXPECT_EQ(p[7], device[5 * PAGE + 7]);
	expect_read(5 * PAGE + 7, 1, device[5 * PAGE + 7]);
	EXPECT(mremap((void *)(user + 4 * PAGE), PAGE, 4 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED);
	expect_no_event();
}

TEST(rights_are_kept)
{
	volatile uint8_t *p;

	set_up(BOTH);
	p = map_resource("resource0", BAR0_BYTES, PROT_READ, MAP_SHARED, 0);
	ASSERT(p != MAP_FAILED);
	catch_signals();
	EXPECT_EQ(touch(p), 0);
	EXPECT_EQ(poke((uint8_t *)p), SIGSEGV);
	ASSERT(!mprotect((void *)user, PAGE, PROT_NONE));
	EXPECT_EQ(touch(user), SIGSEGV);
	ASSERT(!mprotect((void *)user, PAGE, PROT_READ));
	EXPECT_EQ(touch(user), 0);
	EXPECT_EQ(poke(user), SIGSEGV);
	ASSERT(!mprotect((void *)user, PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(poke(user), 0);
	/* A program cannot have the kernel's memory read or written for it */
	if (!sigsetjmp(jump, 1)) {
		asm volatile("movsb" :: "S" (user), "D" (0xffff888000000000) : "memory");
		EXPECT(false);
	}
	if (!sigsetjmp(jump, 1)) {
		asm volatile("movsb" :: "S" (0xffff888000000000), "D" (user) : "memory");
		EXPECT(false);
	}
}

TEST(a_private_copy)
{
	volatile uint8_t *p;

	set_up(PCIEM_TRACE_WRITES);
	fill(15);
	p = map_resource("resource0", BAR0_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
	ASSERT(p != MAP_FAILED);
	EXPECT_EQ(p[0x10], device[0x10]);
	device[0x10] ^= 0xff;
	p[0x11] = 0x77;
	EXPECT(device[0x11] != 0x77 || device[0x12] == p[0x12]);
	EXPECT_EQ(p[0x11], 0x77);
	expect_no_event();
}

TEST(fork_and_unmap)
{
	struct pciem_device_info before;
	pid_t child;
	int status;

	set_up(BOTH);
	fill(16);
	child = fork();
	if (!child) {
		if (user[0x100] != device[0x100])
			_exit(1);
		user[0x100] = 0x5a;
		munmap((void *)user, BAR0_BYTES);
		_exit(0);
	}
	ASSERT(waitpid(child, &status, 0) == child && !status);
	EXPECT_EQ(user[0x100], 0x5a);
	before = lab_info(&lab);
	EXPECT_EQ(before.events, 3);
	munmap((void *)user, BAR0_BYTES);
	catch_signals();
	EXPECT_EQ(touch(user), SIGSEGV);
	EXPECT_EQ(lab_info(&lab).events, 3);
}

TEST(two_processes)
{
	unsigned int count[2] = { 0 };
	const struct pciem_event *e;
	pid_t child;
	int status;

	set_up(BOTH);
	child = fork();
	if (!child) {
		map_user();
		for (int i = 0; i < 500; i++)
			*(volatile uint32_t *)(user + 0x104) = i;
		_exit(0);
	}
	for (int i = 0; i < 500; i++)
		*(volatile uint32_t *)(user + 0x100) = i;
	ASSERT(waitpid(child, &status, 0) == child && !status);
	while ((e = lab_event(&lab, 10))) {
		unsigned int who = e->offset == 0x104;

		EXPECT_EQ(e->data, count[who]);
		count[who]++;
	}
	EXPECT_EQ(count[0], 500);
	EXPECT_EQ(count[1], 500);
	expect_no_event();
}

TEST(write_combining)
{
	struct lab_spec spec = wide_spec();
	volatile uint64_t *wc;

	spec.bars[0].flags = PCIEM_BAR_MEM64 | PCIEM_BAR_PREFETCH;
	lab_power_on(&lab, &spec);
	device = lab_map_bar(&lab, 0, BAR0_BYTES);
	wc = map_resource("resource0_wc", BAR0_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	ASSERT(wc != MAP_FAILED);
	wc[5] = 0x1234;
	EXPECT_EQ(number(device + 40, 8), 0x1234);
	lab_trace(&lab, 0, BOTH);
	wc[6] = 0x5678;
	EXPECT_EQ(wc[5], 0x1234);
	expect_write(48, 8, 0x5678);
	expect_read(40, 8, 0x1234);
	expect_no_event();
}

/* Both the driver and the process have the BAR */
TEST(with_a_driver_bound)
{
	struct lab_spec spec = wide_spec();

	spec.device = LAB_DEVICE;
	driver_load("irq=none");
	driver_power_on(&lab, &spec);
	device = lab_map_bar(&lab, 0, BAR0_BYTES);
	map_user();
	lab_trace(&lab, 0, BOTH);
	driver_run(&lab, "write32 0 0x40 1 0x1010");
	EXPECT_EQ(*(volatile uint32_t *)(user + 0x40), 0x1010);
	*(volatile uint32_t *)(user + 0x44) = 0x2020;
	EXPECT_EQ(driver_run(&lab, "read32 0 0x44 1"), 0x2020);
	expect_write(0x40, 4, 0x1010);
	expect_read(0x40, 4, 0x1010);
	expect_write(0x44, 4, 0x2020);
	expect_read(0x44, 4, 0x2020);
	expect_no_event();
}

/* A driver's own mmap() */

#define MMAP_DEVICE	0x00fd
#define HUGE_BYTES	(4UL << 20)
#define WAYS		6	/* of pciem_mmap_test.ko */

static volatile uint8_t *map_driver(unsigned int way, void *where)
{
	int fd = open("/dev/pciem_mmap_test", O_RDWR | O_CLOEXEC);
	void *p;

	ASSERT(fd >= 0);
	p = mmap(where, HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, (off_t)way << 32);
	ASSERT(p != MAP_FAILED);
	close(fd);
	return p;
}

TEST_FOR(mappings_that_a_driver_makes, 60)
{
	static const uint64_t offsets[] = { 0, 0x123, HUGE_BYTES / 2, HUGE_BYTES - 16 };
	struct lab_spec spec = wide_spec();
	void *reserved;
	pid_t child;
	int status;

	if (!module_loaded("pciem_mmap_test"))
		ASSERT(!module_load("pciem_mmap_test", ""));
	spec.device = MMAP_DEVICE;
	spec.bars[0].size = HUGE_BYTES;
	/* Where large page table entries would fit */
	reserved = mmap(NULL, 2 * HUGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT(reserved != MAP_FAILED);
	reserved = (void *)(((uintptr_t)reserved + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1));
	catch_signals();
	for (unsigned int way = 0; way < WAYS; way++) {
		lab_power_on(&lab, &spec);
		device = lab_map_bar(&lab, 0, HUGE_BYTES);
		EXPECT(lab_wait(lab_info(&lab).state & PCIEM_STATE_DRIVER, 5000));
		user = map_driver(way, reserved);
		for (unsigned int i = 0; i < 4; i++) {
			*(uint64_t *)(device + offsets[i]) = 0x1000 * way + i;
			EXPECT_EQ(*(volatile uint64_t *)(user + offsets[i]), 0x1000 * way + i);
			user[offsets[i]] = 0x55;
			EXPECT_EQ(device[offsets[i]], 0x55);
		}
		expect_no_event();
		lab_trace(&lab, 0, BOTH);
		for (unsigned int i = 0; i < 4; i++) {
			*(volatile uint32_t *)(user + offsets[i]) = 0x88 + way;
			EXPECT_EQ(*(volatile uint32_t *)(user + offsets[i]), 0x88 + way);
			expect_write(offsets[i], 4, 0x88 + way);
			expect_read(offsets[i], 4, 0x88 + way);
		}
		child = fork();
		if (!child) {
			user[0x40] = 1;
			_exit(user[0x40] != 1);
		}
		ASSERT(waitpid(child, &status, 0) == child && !status);
		expect_write(0x40, 1, 1);
		expect_read(0x40, 1, 1);
		expect_no_event();
		munmap(device, HUGE_BYTES);
		lab_power_off(&lab);
		EXPECT_EQ(touch(user), SIGBUS);
		EXPECT_EQ(poke(user + HUGE_BYTES - 1), SIGBUS);
		/* The place stays taken */
		ASSERT(mmap(reserved, HUGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
		       reserved);
		EXPECT(lab_wait(module_references("pciem") == 0, 5000));
	}
	EXPECT(!module_unload("pciem_mmap_test"));
}

/* The end of the device */

static void *maps_of_the_past;

TEST(after_the_device_is_gone)
{
	static const uint32_t traces[] = { 0, PCIEM_TRACE_WRITES, BOTH };

	catch_signals();
	for (unsigned int i = 0; i < 3; i++) {
		set_up(traces[i]);
		for (uint64_t at = 0; at < BAR0_BYTES; at += PAGE) {
			(void)user[at];
			user[at + 1] = 1;
		}
		munmap(device, BAR0_BYTES);
		lab_power_off(&lab);
		EXPECT_EQ(touch(user), SIGBUS);
		EXPECT_EQ(poke(user + 1), SIGBUS);
		EXPECT_EQ(touch(user + BAR0_BYTES - 1), SIGBUS);
		EXPECT(lab_wait(module_references("pciem") == 0, 5000));
		/* Nor when another device is in its place */
		maps_of_the_past = (void *)user;
		set_up(BOTH);
		EXPECT_EQ(touch(maps_of_the_past), SIGBUS);
		EXPECT_EQ(touch(user), 0);
		munmap(maps_of_the_past, BAR0_BYTES);
		munmap(device, BAR0_BYTES);
		lab_power_off(&lab);
	}
}

static void *hammer(void *arg)
{
	unsigned long which = (unsigned long)arg;
	uint8_t buffer[128];

	for (uint64_t at = 0;; at = (at + 136) % (BAR0_BYTES - 128)) {
		switch (which) {
		case 0:
			*(volatile uint32_t *)(user + at) = at;
			break;
		case 1:
			(void)*(volatile uint64_t *)(user + at);
			break;
		default:
			memcpy(buffer, (void *)(user + at), 128);
		}
	}
	return NULL;
}

/* Another process makes all the accesses it can when the device's process is killed */
TEST_FOR(killed_under_accesses, 60)
{
	static const uint32_t traces[] = { 0, PCIEM_TRACE_WRITES, BOTH };

	for (unsigned int round = 0; round < 6; round++) {
		int ready[2], status;
		pid_t owner, user_process;
		char mapped;

		ASSERT(!pipe(ready));
		owner = fork();
		if (!owner) {
			set_up(traces[round % 3]);
			ASSERT(write(ready[1], &lab, sizeof(lab)) == sizeof(lab));
			/* The ring overflows, in the end */
			for (;;)
				lab_drain(&lab);
		}
		ASSERT(read(ready[0], &lab, sizeof(lab)) == sizeof(lab));
		user_process = fork();
		if (!user_process) {
			pthread_t threads[3];

			map_user();
			for (unsigned long i = 0; i < 3; i++)
				pthread_create(&threads[i], NULL, hammer, (void *)i);
			ASSERT(write(ready[1], "", 1) == 1);
			pause();
		}
		ASSERT(read(ready[0], &mapped, 1) == 1);
		lab_sleep_ms(100);
		kill(owner, SIGKILL);
		ASSERT(waitpid(owner, &status, 0) == owner);
		ASSERT(waitpid(user_process, &status, 0) == user_process);
		EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
		close(ready[0]);
		close(ready[1]);
		EXPECT(lab_wait(!lab_exists(&lab), 5000));
	}
	EXPECT(lab_wait(module_references("pciem") == 0, 5000));
}

TEST_MAIN()

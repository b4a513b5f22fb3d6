// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA, DMA_INDIRECT, DMA_ATOMIC and DMA_BATCH: what they carry, and what they
 * refuse. Host memory is the coherent buffer of the test driver.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "driver.h"
#include "harness.h"

#define PAGE 4096

static struct lab lab;
static uint64_t host;		/* bus address of the driver's buffer */
static unsigned int host_size;

static void set_up(void)
{
	struct lab_spec spec = lab_plain;

	spec.device = LAB_DEVICE;
	spec.msix = 8;
	driver_load("irq=msix");
	driver_power_on(&lab, &spec);
	host = driver_state(&lab).dma;
	host_size = driver_state(&lab).dma_size;
	ASSERT(host && host_size >= 16 * PAGE && !(host % PAGE));
}

static int dma(uint64_t iova, void *user, uint32_t length, uint32_t flags)
{
	struct pciem_dma_op op = {
		.iova = iova, .user_addr = (uintptr_t)user, .length = length, .flags = flags,
	};

	return ioctl(lab.fd, PCIEM_IOC_DMA, &op);
}

static int indirect(uint64_t prp1, uint64_t prp2, void *user, uint32_t length, uint32_t page_size,
		    uint32_t flags)
{
	struct pciem_dma_indirect op = {
		.prp1 = prp1, .prp2 = prp2, .user_addr = (uintptr_t)user, .length = length,
		.page_size = page_size, .flags = flags,
	};

	return ioctl(lab.fd, PCIEM_IOC_DMA_INDIRECT, &op);
}

static void pattern(uint8_t *p, size_t bytes, unsigned int seed)
{
	for (size_t i = 0; i < bytes; i++)
		p[i] = i * 7 + (i >> 8) + seed;
}

static void put(uint64_t offset, uint64_t value)
{
	driver_run(&lab, "dmaput %#lx %#lx", offset, value);
}

TEST(both_directions)
{
	uint64_t value = 0x1122334455667788;

	set_up();
	put(0x100, 0xcafebabe12345678);
	EXPECT_OK(dma(host + 0x100, &value, 8, PCIEM_DMA_READ));
	EXPECT_EQ(value, 0xcafebabe12345678);
	value = 0x0123456789abcdef;
	EXPECT_OK(dma(host + 0x208, &value, 8, PCIEM_DMA_WRITE));
	EXPECT_EQ(driver_run(&lab, "dmaget 0x208"), 0x0123456789abcdef);
	EXPECT_EQ(driver_run(&lab, "dmaget 0x200"), 0);
	EXPECT_EQ(driver_run(&lab, "dmaget 0x210"), 0);
}

TEST(each_length_and_alignment)
{
	static uint8_t out[3 * PAGE], in[3 * PAGE + 64], want[3 * PAGE + 64];
	static const unsigned int lengths[] = {
		1, 2, 3, 7, 8, 9, 15, 63, 64, 65, 127, 511, 512, 4095, 4096, 4097, 8191, 8192, 9000,
	};

	set_up();
	for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++) {
		for (unsigned int at = 0; at < 9; at += 1 + at / 4) {
			for (unsigned int user = 0; user < 9; user += 4) {
				unsigned int n = lengths[l];
				uint64_t iova = host + 2 * PAGE - 5 + at;

				pattern(out + user, n, l + at);
				memset(in, 0xee, sizeof(in));
				memset(want, 0xee, sizeof(want));
				memcpy(want + 32 + user, out + user, n);
				EXPECT_OK(dma(iova, out + user, n, PCIEM_DMA_WRITE));
				EXPECT_OK(dma(iova, in + 32 + user, n, PCIEM_DMA_READ));
				EXPECT_(!memcmp(in, want, sizeof(in)), true,
					"%u bytes at page end - 5 + %u, user + %u", n, at, user);
			}
		}
	}
}

TEST(nothing_beside_a_transfer_is_touched)
{
	static uint8_t page[PAGE];

	set_up();
	for (unsigned int i = 0; i < 16; i++)
		put(i * 8, 0x1111111111111111);
	memset(page, 0xff, sizeof(page));
	EXPECT_OK(dma(host + 11, page, 21, PCIEM_DMA_WRITE));
	EXPECT_EQ(driver_run(&lab, "dmaget 0"), 0x1111111111111111);
	EXPECT_EQ(driver_run(&lab, "dmaget 8"), (long)0xffffffffff111111);
	EXPECT_EQ(driver_run(&lab, "dmaget 24"), (long)0xffffffffffffffff);
	EXPECT_EQ(driver_run(&lab, "dmaget 32"), 0x1111111111111111);
}

TEST(flags)
{
	static const uint32_t bad[] = { 3, 4, 5, 7, 8, 0x80000001, ~0U };
	uint64_t value = 0;
	struct pciem_dma_op op = { .iova = 0, .flags = PCIEM_DMA_READ };

	set_up();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		EXPECT_ERROR(dma(host, &value, 8, bad[i]), EINVAL);
		EXPECT_ERROR(indirect(host, 0, &value, 8, PAGE, bad[i]), EINVAL);
	}
	op.func = 8;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA, &op), EINVAL);
	op.func = 1;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA, &op), ENODEV);
	EXPECT_OK(dma(host, &value, 0, PCIEM_DMA_READ));
	/* Old programs that say nothing read */
	driver_run(&lab, "dmaput 0 0x1234567890abcdef");
	EXPECT_OK(dma(host, &value, 8, 0));
	EXPECT_EQ(value, 0x1234567890abcdef);
	value = 0;
	EXPECT_OK(indirect(host, 0, &value, 8, PAGE, 0));
	EXPECT_EQ(value, 0x1234567890abcdef);
}

TEST(bad_user_memory)
{
	char *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *read_only = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *bad[] = {
		NULL, (void *)1, (void *)0xffff888000000000UL, (void *)0xffffffff81000000UL,
		(void *)0x800000000000UL, (void *)0x7ffffffff000UL, (void *)-1L, (void *)-PAGE,
		page + PAGE, page + PAGE - 4, page + PAGE - 16,
	};

	munmap(page + PAGE, PAGE);
	set_up();
	put(0, 0x5555);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (uint32_t flags = 1; flags <= 2; flags++) {
			EXPECT_ERROR(dma(host + 8, bad[i], 24, flags), EFAULT);
			EXPECT_ERROR(dma(host + 8, bad[i], 3 * PAGE, flags), EFAULT);
			EXPECT_ERROR(indirect(host + 8, 0, bad[i], 24, PAGE, flags), EFAULT);
		}
	}
	EXPECT_ERROR(dma(host, read_only, 8, PCIEM_DMA_READ), EFAULT);
	EXPECT_ERROR(dma(host, read_only, 3, PCIEM_DMA_READ), EFAULT);
	EXPECT_OK(dma(host, read_only, 8, PCIEM_DMA_WRITE));
	/* Memory that is there but not yet present is fetched */
	page = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	put(0, 0x6666);
	EXPECT_OK(dma(host, page + PAGE - 3, 2 * PAGE + 8, PCIEM_DMA_READ));
	EXPECT_EQ(page[PAGE - 3], 0x66);
}

TEST(bad_host_memory)
{
	static uint8_t space[2 * PAGE];
	static const uint64_t bad[] = {
		0xfee00000,		/* the interrupt controller */
		0xfed00000,
		1ULL << 40, 1ULL << 51, 1ULL << 52, 1ULL << 63,
		~0ULL, ~0ULL - 4095, ~0ULL - 7, ~0ULL << 12,
	};

	set_up();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (uint32_t flags = 1; flags <= 2; flags++) {
			EXPECT_(dma(bad[i], space, 8, flags) == -1, false, "iova %#lx", bad[i]);
			EXPECT_(dma(bad[i], space, 2 * PAGE, flags) == -1, false, "iova %#lx", bad[i]);
			EXPECT_(indirect(bad[i], 0, space, 8, PAGE, flags) == -1, false,
				"prp1 %#lx", bad[i]);
			EXPECT_(indirect(host, bad[i] & ~7ULL, space, 2 * PAGE, PAGE, flags) == -1, false,
				"prp2 %#lx", bad[i]);
			EXPECT_(indirect(host, bad[i] & ~7ULL, space, 3 * PAGE, PAGE, flags) == -1, false,
				"list %#lx", bad[i]);
		}
	}
}

/* The device's own BARs, and those of others, are not host memory */
TEST(a_BAR_is_not_host_memory)
{
	struct pciem_bar_info_query query = { .bar_index = 0 };
	uint64_t value = 0;

	set_up();
	ASSERT(!ioctl(lab.fd, PCIEM_IOC_GET_BAR_INFO, &query));
	EXPECT(dma(query.phys, &value, 8, PCIEM_DMA_READ) == -1);
	EXPECT(dma(query.phys, &value, 8, PCIEM_DMA_WRITE) == -1);
}

TEST(enormous_lengths_end)
{
	static uint8_t space[PAGE];
	uint64_t start = lab_now_ns();

	set_up();
	EXPECT(dma(host, space, ~0U, PCIEM_DMA_READ) == -1);
	EXPECT(indirect(host, host, space, ~0U, PAGE, PCIEM_DMA_READ) == -1);
	EXPECT(indirect(host, host, space, ~0U, 0x80000000, PCIEM_DMA_READ) == -1);
	EXPECT_(lab_now_ns() - start < 15000000000ULL, false, "took %lu ms",
		(lab_now_ns() - start) / 1000000);
}

TEST(bus_mastering_off)
{
	struct pciem_dma_segment segment = { .length = 8, .flags = PCIEM_DMA_READ };
	struct pciem_dma_batch batch = { .segments = (uintptr_t)&segment, .count = 1 };
	struct pciem_dma_atomic atomic = { .op_type = PCIEM_ATOMIC_ADD };
	uint64_t value = 0;

	set_up();
	segment.iova = atomic.iova = host;
	segment.user_addr = (uintptr_t)&value;
	lab_bus_master(&lab, false);
	EXPECT_ERROR(dma(host, &value, 8, PCIEM_DMA_READ), EACCES);
	EXPECT_ERROR(indirect(host, 0, &value, 8, PAGE, PCIEM_DMA_READ), EACCES);
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA_ATOMIC, &atomic), EACCES);
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_DMA_BATCH, &batch));
	EXPECT_EQ(batch.error, EACCES);
	EXPECT_EQ(batch.done, 0);
	lab_bus_master(&lab, true);
	EXPECT_OK(dma(host, &value, 8, PCIEM_DMA_READ));
}

/* Before the device is on the bus nobody can have given it memory */
TEST(too_early)
{
	uint64_t value = 0;

	lab_build(&lab, &lab_plain);
	EXPECT_ERROR(dma(0x1000, &value, 8, PCIEM_DMA_READ), ENODEV);
	EXPECT_ERROR(indirect(0x1000, 0, &value, 8, PAGE, PCIEM_DMA_READ), ENODEV);
	lab_register(&lab);
	EXPECT_ERROR(dma(0x1000, &value, 8, PCIEM_DMA_READ), EACCES);
}

TEST(indirect_shapes)
{
	static uint8_t user[8 * PAGE], want[8 * PAGE];
	static const unsigned int offsets[] = { 0, 8, 512, 4092, 4095 };
	static const unsigned int lengths[] = { 1, 4, 512, 4096, 4097, 8192, 12288, 20000, 28672 };

	set_up();
	/* Page k of the buffer is full of k; page 15 holds the list 9, 3, 12, 7, 4, 6, 2, 8 */
	for (unsigned int k = 0; k < 15; k++) {
		memset(user, k, PAGE);
		ASSERT(!dma(host + k * PAGE, user, PAGE, PCIEM_DMA_WRITE));
	}
	static const unsigned int list[] = { 9, 3, 12, 7, 4, 6, 2, 8 };

	for (unsigned int i = 0; i < 8; i++)
		put(15 * PAGE + 8 * i, host + list[i] * PAGE);

	for (unsigned int o = 0; o < 5; o++) {
		for (unsigned int l = 0; l < 9; l++) {
			unsigned int n = lengths[l], first = PAGE - offsets[o], left;
			bool paged = n > first && n - first > PAGE;
			uint64_t prp2 = paged ? host + 15 * PAGE : host + 5 * PAGE;

			if (first > n)
				first = n;
			left = n - first;
			memset(want, 0xee, sizeof(want));
			memset(want, 1, first);
			if (!paged)
				memset(want + first, 5, left);
			for (unsigned int i = 0; paged && i * PAGE < left; i++)
				memset(want + first + i * PAGE, list[i],
				       left - i * PAGE < PAGE ? left - i * PAGE : PAGE);
			memset(user, 0xee, sizeof(user));
			EXPECT_OK(indirect(host + PAGE + offsets[o], prp2, user, n, PAGE,
					   PCIEM_DMA_READ));
			EXPECT_(!memcmp(user, want, sizeof(user)), false,
				"%u bytes at offset %u", n, offsets[o]);
		}
	}
	/* And out again: what is written lands where the list says */
	memset(user, 0x77, sizeof(user));
	EXPECT_OK(indirect(host + PAGE, host + 15 * PAGE, user, 3 * PAGE, PAGE, PCIEM_DMA_WRITE));
	EXPECT_EQ(driver_run(&lab, "dmaget %#x", PAGE), 0x7777777777777777);
	EXPECT_EQ(driver_run(&lab, "dmaget %#x", 9 * PAGE), 0x7777777777777777);
	EXPECT_EQ(driver_run(&lab, "dmaget %#x", 3 * PAGE + 4088), 0x7777777777777777);
	EXPECT_EQ(driver_run(&lab, "dmaget %#x", 12 * PAGE), 0x0c0c0c0c0c0c0c0c);
}

TEST(indirect_list_that_goes_on_in_another_page)
{
	static uint8_t user[5 * PAGE];

	set_up();
	for (unsigned int k = 1; k < 8; k++) {
		memset(user, k, PAGE);
		ASSERT(!dma(host + k * PAGE, user, PAGE, PCIEM_DMA_WRITE));
	}
	/* The list starts two entries before the end of page 14, so that the second of them is a link */
	put(15 * PAGE - 16, host + 3 * PAGE);
	put(15 * PAGE - 8, host + 13 * PAGE + 0x100);
	put(13 * PAGE + 0x100, host + 5 * PAGE);
	put(13 * PAGE + 0x108, host + 2 * PAGE);
	put(13 * PAGE + 0x110, host + 6 * PAGE);
	EXPECT_OK(indirect(host + PAGE, host + 15 * PAGE - 16, user, 5 * PAGE, PAGE, PCIEM_DMA_READ));
	EXPECT_EQ(user[0], 1);
	EXPECT_EQ(user[PAGE], 3);
	EXPECT_EQ(user[2 * PAGE], 5);
	EXPECT_EQ(user[3 * PAGE], 2);
	EXPECT_EQ(user[4 * PAGE], 6);
	/* The last entry of a page is no link when it is the last that is needed */
	put(15 * PAGE - 8, host + 7 * PAGE);
	EXPECT_OK(indirect(host + PAGE, host + 15 * PAGE - 16, user, 3 * PAGE, PAGE, PCIEM_DMA_READ));
	EXPECT_EQ(user[2 * PAGE], 7);
}

TEST(indirect_refusals)
{
	static const uint32_t sizes[] = { 0, 1, 8, 512, 2048, 4095, 4097, 12288, 0xfffff000, ~0U };
	static uint8_t user[8 * PAGE];
	uint64_t start;

	set_up();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		EXPECT_ERROR(indirect(host, 0, user, 8, sizes[i], PCIEM_DMA_READ), EINVAL);
	/* A second page, and pages of a list, start at their start */
	EXPECT_ERROR(indirect(host, host + PAGE + 8, user, 2 * PAGE, PAGE, PCIEM_DMA_READ), EINVAL);
	EXPECT_ERROR(indirect(host, host + PAGE + 1, user, 3 * PAGE, PAGE, PCIEM_DMA_READ), EINVAL);
	put(PAGE, host + 2 * PAGE);
	put(PAGE + 8, host + 3 * PAGE + 512);
	EXPECT_ERROR(indirect(host, host + PAGE, user, 3 * PAGE, PAGE, PCIEM_DMA_READ), EINVAL);
	/* A list whose only entry is a link to itself */
	put(2 * PAGE - 8, host + 2 * PAGE - 8);
	start = lab_now_ns();
	EXPECT(indirect(host, host + 2 * PAGE - 8, user, 8 * PAGE, PAGE, PCIEM_DMA_READ) == -1);
	EXPECT(indirect(host, host + 2 * PAGE - 8, user, ~0U, PAGE, PCIEM_DMA_READ) == -1);
	EXPECT_(lab_now_ns() - start < 15000000000ULL, false, "took %lu ms",
		(lab_now_ns() - start) / 1000000);
}

TEST(atomics)
{
	static const struct {
		uint32_t op;
		uint64_t after;
	} rows[] = {
		{ PCIEM_ATOMIC_ADD, 0xf0 + 0x3c },
		{ PCIEM_ATOMIC_SUB, 0xf0 - 0x3c },
		{ PCIEM_ATOMIC_SWAP, 0x3c },
		{ PCIEM_ATOMIC_CAS, 0x3c },
		{ PCIEM_ATOMIC_AND, 0xf0 & 0x3c },
		{ PCIEM_ATOMIC_OR, 0xf0 | 0x3c },
		{ PCIEM_ATOMIC_XOR, 0xf0 ^ 0x3c },
	};
	struct pciem_dma_atomic atomic = { 0 };

	set_up();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* Not at the start of the page, where the reference does them all */
		put(0x818, 0xf0);
		put(0x800, 0x1234);
		memset(&atomic, 0, sizeof(atomic));
		atomic.iova = host + 0x818;
		atomic.operand = 0x3c;
		atomic.compare = 0xf0;
		atomic.op_type = rows[i].op;
		EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_DMA_ATOMIC, &atomic));
		EXPECT_EQ(atomic.result, 0xf0);
		EXPECT_EQ(driver_run(&lab, "dmaget 0x818"), rows[i].after);
		EXPECT_EQ(driver_run(&lab, "dmaget 0x800"), 0x1234);
	}
	atomic.op_type = PCIEM_ATOMIC_CAS;
	atomic.compare = 1;
	put(0x818, 2);
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_DMA_ATOMIC, &atomic));
	EXPECT_EQ(atomic.result, 2);
	EXPECT_EQ(driver_run(&lab, "dmaget 0x818"), 2);
	for (unsigned int at = 1; at < 8; at++) {
		atomic.iova = host + 0x818 + at;
		EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA_ATOMIC, &atomic), EINVAL);
	}
	atomic.iova = host;
	atomic.op_type = 0;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA_ATOMIC, &atomic), EINVAL);
	atomic.op_type = 8;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA_ATOMIC, &atomic), EINVAL);
	atomic.op_type = PCIEM_ATOMIC_ADD;
	atomic.iova = 1ULL << 52;
	EXPECT(ioctl(lab.fd, PCIEM_IOC_DMA_ATOMIC, &atomic) == -1);
}

static struct pciem_dma_batch run_batch(struct pciem_dma_segment *segments, uint32_t count)
{
	struct pciem_dma_batch batch = { .segments = (uintptr_t)segments, .count = count };

	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_DMA_BATCH, &batch));
	return batch;
}

TEST(batch_order_and_interrupts)
{
	uint64_t values[4] = { 0xa, 0xb, 0xc, 0 };
	struct pciem_dma_segment segments[] = {
		{ 0, (uintptr_t)&values[0], 8, PCIEM_DMA_WRITE, 0 },
		{ 0, (uintptr_t)&values[1], 8, PCIEM_DMA_WRITE | PCIEM_DMA_IRQ, 3 },
		{ 0, (uintptr_t)&values[3], 8, PCIEM_DMA_READ, 0 },
		{ 0, 0, 0, PCIEM_DMA_IRQ, 5 },
		{ 0, (uintptr_t)&values[2], 8, PCIEM_DMA_WRITE | PCIEM_DMA_IRQ, 3 },
	};
	struct pciem_dma_batch batch;

	set_up();
	for (int i = 0; i < 5; i++)
		segments[i].iova = host + 0x40;
	batch = run_batch(segments, 5);
	EXPECT_EQ(batch.error, 0);
	EXPECT_EQ(batch.done, 5);
	EXPECT_EQ(values[3], 0xb);
	EXPECT_EQ(driver_run(&lab, "dmaget 0x40"), 0xc);
	EXPECT(lab_wait(driver_state(&lab).irqs[3] == 2, 1000));
	EXPECT(lab_wait(driver_state(&lab).irqs[5] == 1, 1000));
	EXPECT_EQ(driver_state(&lab).irqs[0], 0);
}

TEST(batch_of_the_greatest_length)
{
	static struct pciem_dma_segment segments[PCIEM_DMA_BATCH_MAX];
	static uint64_t values[PCIEM_DMA_BATCH_MAX];
	struct pciem_dma_batch batch;

	set_up();
	for (unsigned int i = 0; i < PCIEM_DMA_BATCH_MAX; i++) {
		values[i] = i * 3 + 1;
		segments[i].iova = host + 8 * i;
		segments[i].user_addr = (uintptr_t)&values[i];
		segments[i].length = 8;
		segments[i].flags = PCIEM_DMA_WRITE;
	}
	batch = run_batch(segments, PCIEM_DMA_BATCH_MAX);
	EXPECT_EQ(batch.done, PCIEM_DMA_BATCH_MAX);
	EXPECT_EQ(driver_run(&lab, "dmaget 0"), 1);
	EXPECT_EQ(driver_run(&lab, "dmaget %#x", 8 * 4095), 4095 * 3 + 1);
}

TEST(batch_refusals)
{
	static const uint16_t bad_flags[] = { 0, 3, 7, 8, 0x10, 0x8001, 0xffff };
	uint64_t value = 5;
	struct pciem_dma_segment segments[3];
	struct pciem_dma_batch batch = { .segments = (uintptr_t)segments, .count = 1 };

	set_up();
	batch.count = 0;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA_BATCH, &batch), EINVAL);
	batch.count = PCIEM_DMA_BATCH_MAX + 1;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA_BATCH, &batch), EINVAL);
	batch.count = ~0U;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA_BATCH, &batch), EINVAL);
	batch.count = 1;
	batch.func = 8;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA_BATCH, &batch), EINVAL);
	batch.func = 1;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA_BATCH, &batch), ENODEV);
	batch.func = 0;
	batch.reserved[2] = 1;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA_BATCH, &batch), EINVAL);

	/* A bad list of segments is told like a step that failed */
	batch = run_batch((void *)8, 1);
	EXPECT_EQ(batch.error, EFAULT);
	EXPECT_EQ(batch.done, 0);
	batch = run_batch((void *)0xffff888000000000UL, 4);
	EXPECT_EQ(batch.error, EFAULT);

	for (int i = 0; i < 3; i++)
		segments[i] = (struct pciem_dma_segment){
			host + 8 * i, (uintptr_t)&value, 8, PCIEM_DMA_WRITE, 0,
		};
	for (size_t i = 0; i < sizeof(bad_flags) / sizeof(bad_flags[0]); i++) {
		segments[1].flags = bad_flags[i];
		value = 100 + i;
		batch = run_batch(segments, 3);
		EXPECT_EQ(batch.error, EINVAL);
		EXPECT_EQ(batch.done, 1);
		/* The step before it was done, the one after it was not */
		EXPECT_EQ(driver_run(&lab, "dmaget 0"), 100 + i);
		EXPECT_EQ(driver_run(&lab, "dmaget 16"), 0);
	}
	segments[1].flags = PCIEM_DMA_IRQ;	/* with a length */
	EXPECT_EQ(run_batch(segments, 3).error, EINVAL);
	segments[1].length = 0;
	segments[1].vector = 8;			/* one more than there are */
	batch = run_batch(segments, 3);
	EXPECT_EQ(batch.error, EINVAL);
	EXPECT_EQ(batch.done, 1);
	segments[1].flags = PCIEM_DMA_READ;
	segments[1].length = 8;
	segments[1].user_addr = 16;
	EXPECT_EQ(run_batch(segments, 3).error, EFAULT);
	segments[1].user_addr = (uintptr_t)&value;
	segments[1].iova = 1ULL << 52;
	batch = run_batch(segments, 3);
	EXPECT(batch.error);
	EXPECT_EQ(batch.done, 1);
}

TEST_MAIN()

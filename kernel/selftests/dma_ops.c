// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a driver maps is what its device reaches: every DMA API is seen and
 * listed, accesses beside it are refused and told, whatever is left is told.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver.h"
#include "harness.h"

#define PAGE 4096

/* DIRECTION of the driver's "dmamap" */
#define BOTH 0
#define TO_DEVICE 1
#define FROM_DEVICE 2

/* KIND beside PCIEM_DMA_KIND_* */
#define KIND_POOL 6
#define KIND_PAGE 7
#define KIND_NONCOHERENT 8

#define READ PCIEM_DMA_READ
#define WRITE PCIEM_DMA_WRITE

static struct lab lab;

static void set_up_device(struct lab *to, const char *policy)
{
	struct lab_spec spec = lab_plain;
	struct pciem_set_events events = { .mask = PCIEM_EVENTS_DMA };

	spec.device = LAB_DEVICE;
	spec.slots = 1024;
	lab_build(to, &spec);
	if (policy) {
		struct pciem_dma_policy physical = { .policy = PCIEM_DMA_POLICY_PHYSICAL };

		ASSERT(!ioctl(to->fd, PCIEM_IOC_DMA_POLICY, &physical));
	}
	lab_register(to);
	lab_map_ring(to);
	ASSERT(!ioctl(to->fd, PCIEM_IOC_SET_EVENTS, &events));
	lab_start(to);
	driver_wait(to);
}

static void set_up(void)
{
	driver_load("irq=none");
	set_up_device(&lab, NULL);
}

static int dma_of(struct lab *device, uint64_t iova, void *user, uint32_t length, uint32_t flags)
{
	struct pciem_dma_op op = {
		.iova = iova, .user_addr = (uintptr_t)user, .length = length, .flags = flags,
	};

	return ioctl(device->fd, PCIEM_IOC_DMA, &op);
}

static int dma(uint64_t iova, void *user, uint32_t length, uint32_t flags)
{
	return dma_of(&lab, iova, user, length, flags);
}

static int p2p(struct lab *device, uint64_t phys, void *user, uint32_t length, uint32_t flags)
{
	struct pciem_p2p_op op = {
		.target_phys = phys, .user_addr = (uintptr_t)user, .length = length, .flags = flags,
	};

	return ioctl(device->fd, PCIEM_IOC_P2P, &op);
}

static struct pciem_dma_mapping list[4096];

static struct pciem_dma_mappings mappings_from(uint64_t start, uint32_t room)
{
	struct pciem_dma_mappings arg = {
		.mappings = (uintptr_t)list, .start = start, .count = room,
	};

	memset(list, 0xee, sizeof(list));
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_DMA_MAPPINGS, &arg));
	return arg;
}

static struct pciem_dma_mappings mappings(void)
{
	return mappings_from(0, sizeof(list) / sizeof(list[0]));
}

/* The listed mapping that starts there, or NULL */
static const struct pciem_dma_mapping *listed(uint64_t iova)
{
	struct pciem_dma_mappings all = mappings();

	for (uint32_t i = 0; i < all.count; i++)
		if (list[i].iova == iova)
			return &list[i];
	return NULL;
}

/* The next event is this fault */
static void expect_fault(uint64_t iova, uint32_t size, uint32_t flags, uint64_t nearest,
			 uint64_t nearest_size)
{
	const struct pciem_wide_event *e = lab_wide_event(&lab, 1000);

	EXPECT_(e, true, "no event of a fault at %#lx", iova);
	EXPECT_EQ(e->event.type, PCIEM_EVENT_DMA_FAULT);
	EXPECT_EQ(e->event.offset, iova);
	EXPECT_EQ(e->event.size, size);
	EXPECT_EQ(e->flags, flags);
	EXPECT_EQ(e->event.data, nearest);
	EXPECT_EQ(e->extra, nearest_size);
	EXPECT_EQ(e->pid, getpid());
}

static const struct {
	const char *name;
	unsigned int kind, direction;
	unsigned long size, offset;
	unsigned int listed_kind, access;
	unsigned long listed_size;
} rows[] = {
	{ "coherent", PCIEM_DMA_KIND_COHERENT, BOTH, 100, 0, PCIEM_DMA_KIND_COHERENT, 3, 100 },
	{ "coherent, a page", PCIEM_DMA_KIND_COHERENT, BOTH, PAGE, 0, PCIEM_DMA_KIND_COHERENT, 3, PAGE },
	{ "coherent, 5 MiB", PCIEM_DMA_KIND_COHERENT, BOTH, 5 << 20, 0, PCIEM_DMA_KIND_COHERENT, 3, 5 << 20 },
	{ "single to", PCIEM_DMA_KIND_STREAMING, TO_DEVICE, 24, 17, PCIEM_DMA_KIND_STREAMING, READ, 24 },
	{ "single from", PCIEM_DMA_KIND_STREAMING, FROM_DEVICE, 24, 4090, PCIEM_DMA_KIND_STREAMING, WRITE, 24 },
	{ "single both", PCIEM_DMA_KIND_STREAMING, BOTH, 50000, 1, PCIEM_DMA_KIND_STREAMING, 3, 50000 },
	{ "page to", KIND_PAGE, TO_DEVICE, 512, 1024, PCIEM_DMA_KIND_STREAMING, READ, 512 },
	{ "page from", KIND_PAGE, FROM_DEVICE, 512, 3 * PAGE + 8, PCIEM_DMA_KIND_STREAMING, WRITE, 512 },
	{ "page both", KIND_PAGE, BOTH, PAGE, 0, PCIEM_DMA_KIND_STREAMING, 3, PAGE },
	{ "list to", PCIEM_DMA_KIND_SG, TO_DEVICE, 300, 5, PCIEM_DMA_KIND_SG, READ, 300 },
	{ "list from", PCIEM_DMA_KIND_SG, FROM_DEVICE, 300, 5, PCIEM_DMA_KIND_SG, WRITE, 300 },
	{ "list both", PCIEM_DMA_KIND_SG, BOTH, 300, 5, PCIEM_DMA_KIND_SG, 3, 300 },
	{ "pages", PCIEM_DMA_KIND_PAGES, FROM_DEVICE, 2 * PAGE, 0, PCIEM_DMA_KIND_PAGES, WRITE, 2 * PAGE },
	{ "noncoherent", KIND_NONCOHERENT, TO_DEVICE, PAGE, 0, PCIEM_DMA_KIND_PAGES, READ, PAGE },
	{ "noncoherent both", KIND_NONCOHERENT, BOTH, PAGE, 0, PCIEM_DMA_KIND_PAGES, 3, PAGE },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static uint64_t map(unsigned int number, unsigned int kind, unsigned int direction,
		    unsigned long size, unsigned long offset)
{
	return driver_run(&lab, "dmamap %u %u %u %lu %lu", number, kind, direction, size, offset);
}

static void unmap(unsigned int number)
{
	driver_run(&lab, "dmaunmap %u", number);
}

TEST(every_mapping_is_listed_as_it_was_made)
{
	struct pciem_dma_mappings before, during;

	set_up();
	before = mappings();
	EXPECT_EQ(before.total, 1);	/* the driver's buffer */
	for (size_t i = 0; i < ROWS; i++) {
		const struct pciem_dma_mapping *m;
		unsigned int entries = rows[i].kind == PCIEM_DMA_KIND_SG ? rows[i].offset : 1;
		uint64_t iova = map(1, rows[i].kind, rows[i].direction, rows[i].size, rows[i].offset);

		during = mappings();
		EXPECT_EQ(during.total, before.total + entries);
		EXPECT_EQ(during.count, during.total);
		EXPECT_EQ(during.bytes, before.bytes + entries * rows[i].listed_size);
		for (unsigned int e = 0; e < entries; e++) {
			if (rows[i].kind == PCIEM_DMA_KIND_SG)
				iova = driver_run(&lab, "dmaentry 1 %u", e);
			m = listed(iova);
			EXPECT_(m, true, "%s: %#lx is not listed", rows[i].name, iova);
			EXPECT_(m->size == rows[i].listed_size, false, "%s: %llu bytes",
				rows[i].name, m->size);
			EXPECT_(m->kind == rows[i].listed_kind, false, "%s: kind %u", rows[i].name, m->kind);
			EXPECT_(m->access == rows[i].access, false, "%s: access %u", rows[i].name,
				m->access);
			EXPECT_(m->age_ns < 5000000000ULL, false, "%s: %llu ns old", rows[i].name,
				m->age_ns);
		}
		if (rows[i].kind != PCIEM_DMA_KIND_SG)
			EXPECT_EQ(iova % PAGE, rows[i].offset % PAGE);
		unmap(1);
		EXPECT_EQ(mappings().total, before.total);
		EXPECT(!listed(iova));
	}
	/* A pool takes its memory a page at a time */
	uint64_t iova = map(1, KIND_POOL, BOTH, 64, 0);

	during = mappings();
	EXPECT_EQ(during.total, before.total + 1);
	EXPECT_EQ(during.bytes, before.bytes + PAGE);
	EXPECT(listed(iova & ~(PAGE - 1ULL)));
	EXPECT_EQ(listed(iova & ~(PAGE - 1ULL))->kind, PCIEM_DMA_KIND_COHERENT);
	unmap(1);
	EXPECT_EQ(mappings().total, before.total);
	EXPECT_EQ(mappings().faults, 0);
	EXPECT_EQ(mappings().leaks, 0);
}

TEST(age_grows)
{
	uint64_t iova;

	set_up();
	iova = map(1, PCIEM_DMA_KIND_STREAMING, BOTH, 64, 0);
	lab_sleep_ms(200);
	ASSERT(listed(iova));
	EXPECT(listed(iova)->age_ns >= 150000000 && listed(iova)->age_ns < 10000000000ULL);
}

TEST(a_mapping_is_what_the_device_reaches_to_the_byte)
{
	static uint8_t user[1 << 16], zero[1 << 16];

	set_up();
	for (size_t i = 0; i < ROWS; i++) {
		uint64_t iova = map(1, rows[i].kind, rows[i].direction, rows[i].size, rows[i].offset);
		unsigned long size = rows[i].size, some = size < sizeof(user) ? size : sizeof(user);
		bool readable = rows[i].access & READ, writable = rows[i].access & WRITE;

		for (uint32_t flags = READ; flags <= WRITE; flags++) {
			bool allowed = flags == READ ? readable : writable;

			if (allowed) {
				EXPECT_OK(dma(iova, user, some, flags));
				EXPECT_OK(dma(iova + size - some, user, some, flags));
				EXPECT_OK(dma(iova + size - 1, user, 1, flags));
			} else {
				EXPECT_ERROR(dma(iova, user, some, flags), EPERM);
				EXPECT_ERROR(dma(iova + size - 1, user, 1, flags), EPERM);
			}
			EXPECT_ERROR(dma(iova - 1, user, 1, flags), EADDRNOTAVAIL);
			EXPECT_ERROR(dma(iova - 1, user, some, flags), EADDRNOTAVAIL);
			EXPECT_ERROR(dma(iova + size, user, 1, flags), EADDRNOTAVAIL);
			EXPECT_ERROR(dma(iova + size - 1, user, 2, flags), EADDRNOTAVAIL);
			EXPECT_ERROR(dma(iova, user, size + 1, flags), EADDRNOTAVAIL);
		}
		/* What is refused is refused whole */
		if (writable) {
			memset(user, 0xff, sizeof(user));
			EXPECT_OK(dma(iova, zero, some, WRITE));
			EXPECT_ERROR(dma(iova + 1, user, size, WRITE), EADDRNOTAVAIL);
			EXPECT_EQ(driver_run(&lab, "dmapeek 1 1"), 0);
		}
		unmap(1);
		for (uint32_t flags = READ; flags <= WRITE; flags++) {
			EXPECT_ERROR(dma(iova, user, 1, flags), EADDRNOTAVAIL);
			EXPECT_ERROR(dma(iova, user, some, flags), EADDRNOTAVAIL);
		}
	}
}

TEST(what_is_transferred_is_what_the_driver_has)
{
	static uint8_t out[5 << 20], in[5 << 20];

	set_up();
	for (size_t i = 0; i < ROWS; i++) {
		unsigned int entries = rows[i].kind == PCIEM_DMA_KIND_SG ? rows[i].offset : 1;
		uint64_t iova = map(2, rows[i].kind, rows[i].direction, rows[i].size, rows[i].offset);
		for (unsigned int e = 0; e < entries; e++) {
			/* in a list entry e is in page e, 16 * e from its start */
			unsigned long at = entries > 1 ? e * PAGE + 16 * e : 0;

			if (entries > 1)
				iova = driver_run(&lab, "dmaentry 2 %u", e);
			for (unsigned long b = 0; b < rows[i].size; b++)
				out[b] = b * 13 + (b >> 9) + e + i;
			if (rows[i].access & WRITE) {
				EXPECT_OK(dma(iova, out, rows[i].size, WRITE));
				EXPECT_EQ(driver_run(&lab, "dmapeek 2 %lu", at), *(int64_t *)out);
				EXPECT_EQ(driver_run(&lab, "dmapeek 2 %lu", at + rows[i].size - 8),
					  *(int64_t *)(out + rows[i].size - 8));
			}
			if (rows[i].access == 3) {
				EXPECT_OK(dma(iova, in, rows[i].size, READ));
				EXPECT_(!memcmp(in, out, rows[i].size), false, "%s", rows[i].name);
			}
			if (rows[i].access & READ) {
				driver_run(&lab, "dmapoke 2 %lu 0x123456789abcdef0", at + 8);
				EXPECT_OK(dma(iova + 8, in, 8, READ));
				EXPECT_EQ(*(int64_t *)in, 0x123456789abcdef0);
			}
		}
		unmap(2);
	}
}

TEST(faults_are_events_that_name_the_nearest_mapping)
{
	uint64_t a, b, value = 0;
	struct pciem_dma_atomic atomic = { .op_type = PCIEM_ATOMIC_ADD };
	uint64_t before;

	set_up();
	a = map(1, PCIEM_DMA_KIND_STREAMING, TO_DEVICE, 100, 8);
	b = map(2, PCIEM_DMA_KIND_STREAMING, FROM_DEVICE, 200, 8);
	lab_drain(&lab);
	before = mappings().faults;
	EXPECT_ERROR(dma(a + 99, &value, 2, READ), EADDRNOTAVAIL);
	expect_fault(a + 99, 2, PCIEM_DMA_FAULT_OUTSIDE, a, 100);
	EXPECT_ERROR(dma(b + 208, &value, 8, WRITE), EADDRNOTAVAIL);
	expect_fault(b + 208, 8, PCIEM_DMA_FAULT_OUTSIDE | PCIEM_DMA_FAULT_WRITE, b, 200);
	EXPECT_ERROR(dma(b - 8, &value, 8, READ), EADDRNOTAVAIL);
	expect_fault(b - 8, 8, PCIEM_DMA_FAULT_OUTSIDE, b, 200);
	EXPECT_ERROR(dma(a, &value, 8, WRITE), EPERM);
	expect_fault(a, 8, PCIEM_DMA_FAULT_DIRECTION | PCIEM_DMA_FAULT_WRITE, a, 100);
	EXPECT_ERROR(dma(b + 192, &value, 8, READ), EPERM);
	expect_fault(b + 192, 8, PCIEM_DMA_FAULT_DIRECTION, b, 200);
	atomic.iova = a;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA_ATOMIC, &atomic), EPERM);
	expect_fault(a, 8, PCIEM_DMA_FAULT_DIRECTION | PCIEM_DMA_FAULT_WRITE, a, 100);
	unmap(1);
	EXPECT_ERROR(dma(a + 4, &value, 4, READ), EADDRNOTAVAIL);
	expect_fault(a + 4, 4, PCIEM_DMA_FAULT_UNMAPPED, a, 100);
	lab_bus_master(&lab, false);
	EXPECT_ERROR(dma(b, &value, 8, WRITE), EACCES);
	expect_fault(b, 8, PCIEM_DMA_FAULT_BUS_MASTER | PCIEM_DMA_FAULT_WRITE, b, 200);
	lab_bus_master(&lab, true);
	EXPECT_EQ(mappings().faults, before + 8);
	/* A driver that undoes what it did not do */
	driver_run(&lab, "dmaunmap 2 100");
	{
		const struct pciem_wide_event *e = lab_wide_event(&lab, 1000);

		ASSERT(e);
		EXPECT_EQ(e->event.type, PCIEM_EVENT_DMA_FAULT);
		EXPECT_EQ(e->flags, PCIEM_DMA_FAULT_BAD_UNMAP);
		EXPECT_EQ(e->event.offset, b);
		EXPECT_EQ(e->event.size, 100);
	}
	EXPECT(!lab_event(&lab, 50));
}

TEST(no_events_unless_asked_for)
{
	struct pciem_set_events events = { 0 };
	uint64_t value = 0;

	set_up();
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_SET_EVENTS, &events));
	EXPECT_ERROR(dma(0x1000, &value, 8, READ), EADDRNOTAVAIL);
	EXPECT(!lab_event(&lab, 50));
	EXPECT_EQ(mappings().faults, 1);
}

/* In the reference DMA reaches any physical address */
TEST(a_physical_address_is_no_bus_address)
{
	uint64_t physical, value = 0;
	uint64_t *page = lab_locked_page(&physical);

	set_up();
	*page = 0x1234;
	EXPECT_ERROR(dma(physical, &value, 8, READ), EADDRNOTAVAIL);
	EXPECT_ERROR(dma(physical, &value, 8, WRITE), EADDRNOTAVAIL);
	EXPECT_EQ(*page, 0x1234);
	EXPECT_EQ(value, 0);
}

TEST(physical_addresses_when_asked_for)
{
	struct pciem_dma_atomic atomic = { .op_type = PCIEM_ATOMIC_ADD, .operand = 1 };
	struct pciem_dma_policy policy = { .policy = PCIEM_DMA_POLICY_PHYSICAL };
	uint64_t physical, value = 0;
	uint64_t *page = lab_locked_page(&physical);
	uint64_t mapped;

	driver_load("irq=none");
	set_up_device(&lab, "physical");
	page[1] = 0x1234;
	EXPECT_OK(dma(physical + 8, &value, 8, READ));
	EXPECT_EQ(value, 0x1234);
	value = 0x99;
	EXPECT_OK(dma(physical + 8, &value, 8, WRITE));
	EXPECT_EQ(page[1], 0x99);
	atomic.iova = physical + 8;
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_DMA_ATOMIC, &atomic));
	EXPECT_EQ(page[1], 0x9a);
	/* The interrupt controller and the kernel's image are no memory for that */
	EXPECT_ERROR(dma(0xfee00000, &value, 8, READ), EADDRNOTAVAIL);
	EXPECT_ERROR(dma(1ULL << 52, &value, 8, READ), EADDRNOTAVAIL);
	/* A driver's mapping goes before, with its direction */
	mapped = map(1, PCIEM_DMA_KIND_STREAMING, TO_DEVICE, 64, 0);
	EXPECT_OK(dma(mapped, &value, 8, READ));
	EXPECT_ERROR(dma(mapped, &value, 8, WRITE), EPERM);
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA_POLICY, &policy), EBUSY);
}

TEST(the_policy_is_for_root_and_for_before_START)
{
	struct pciem_dma_policy policy = { .policy = PCIEM_DMA_POLICY_PHYSICAL };
	pid_t child;
	int status;

	lab_build(&lab, &lab_plain);
	policy.policy = 2;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA_POLICY, &policy), EINVAL);
	policy.policy = PCIEM_DMA_POLICY_PHYSICAL;
	policy.reserved[0] = 1;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA_POLICY, &policy), EINVAL);
	policy.reserved[0] = 0;
	policy.func = 1;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA_POLICY, &policy), ENODEV);
	policy.func = 8;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA_POLICY, &policy), EINVAL);
	policy.func = 0;
	child = fork();
	if (!child) {
		if (setuid(65534))
			_exit(2);
		if (ioctl(lab.fd, PCIEM_IOC_DMA_POLICY, &policy) != -1 || errno != EPERM)
			_exit(1);
		policy.policy = PCIEM_DMA_POLICY_MAPPED;
		_exit(ioctl(lab.fd, PCIEM_IOC_DMA_POLICY, &policy) ? 3 : 0);
	}
	ASSERT(waitpid(child, &status, 0) == child);
	EXPECT_EQ(status, 0);
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_DMA_POLICY, &policy));
}

/* So that use after unmap is seen for what it is */
TEST(addresses_are_not_given_again_soon)
{
	uint64_t seen[300], last = 0, value;

	set_up();
	for (unsigned int i = 0; i < 300; i++) {
		seen[i] = map(1, PCIEM_DMA_KIND_STREAMING, BOTH, 64, 0);
		EXPECT(seen[i]);
		for (unsigned int k = 0; k < i; k++)
			EXPECT_(seen[k] != seen[i], true, "%#lx again after %u", seen[i], i - k);
		driver_run(&lab, i % 2 ? "dmaunmap 1" : "dmaunmaplocked 1");
	}
	lab_drain(&lab);
	for (unsigned int i = 0; i < 300; i++)
		EXPECT_ERROR(dma(seen[i], &value, 8, READ), EADDRNOTAVAIL);
	for (unsigned int i = 0; i < 300; i++) {
		const struct pciem_wide_event *e = lab_wide_event(&lab, 1000);

		ASSERT(e);
		EXPECT_EQ(e->flags, PCIEM_DMA_FAULT_UNMAPPED);
		EXPECT_EQ(e->event.data, seen[i]);
	}
	/* Many more, and it still works */
	for (unsigned int i = 0; i < 3000; i++) {
		last = map(1, PCIEM_DMA_KIND_STREAMING, BOTH, 64, 0);
		unmap(1);
	}
	EXPECT(last);
	EXPECT_EQ(mappings().total, 1);
}

TEST(masks_are_kept_without_bounce_buffers)
{
	uint64_t value = 0x77, iova;

	set_up();
	for (unsigned int bits = 64; bits >= 24; bits -= 8) {
		if (bits == 56 || bits == 40)
			continue;
		driver_run(&lab, "dmamask %u", bits);
		for (unsigned int i = 0; i < 40; i++) {
			iova = i % 2 ? map(i, PCIEM_DMA_KIND_STREAMING, BOTH, 5000, 100) :
				       map(i, PCIEM_DMA_KIND_COHERENT, BOTH, 5000, 0);
			EXPECT_(iova && iova + 5000 <= (bits == 64 ? 1ULL << 48 : 1ULL << bits), false,
				"%#lx with a mask of %u bits", iova, bits);
			EXPECT_OK(dma(iova + 8, &value, 8, WRITE));
			EXPECT_EQ(driver_run(&lab, "dmapeek %u 8", i), 0x77);
		}
		for (unsigned int i = 0; i < 40; i++)
			unmap(i);
	}
	EXPECT_EQ(mappings().faults, 0);
}

/* 16 MiB of bus addresses, used up, given back, and used up again */
TEST(bus_addresses_that_run_out)
{
	struct driver_result result;
	unsigned int most[3];

	set_up();
	driver_run(&lab, "dmamask 24");
	for (unsigned int round = 0; round < 3; round++) {
		unsigned int n = 0;

		while (n < 60 && !driver_try(&lab, &result, "dmamap %u 1 0 %u", n, 1 << 20))
			n++;
		EXPECT_(n >= 4 && n < 16, true, "%u times 1 MiB", n);
		most[round] = n;
		while (n--)
			unmap(n);
		/* Kept aside for a while, but not when they are needed */
		for (unsigned int i = 0; i < 1000; i++) {
			map(1, PCIEM_DMA_KIND_STREAMING, BOTH, 64, 0);
			unmap(1);
		}
	}
	EXPECT_EQ(most[1], most[0]);
	EXPECT_EQ(most[2], most[0]);
	EXPECT_EQ(mappings().total, 1);
}

static void unbind(struct lab *device)
{
	ASSERT(!lab_write_file("/sys/bus/pci/drivers/pciem_test/unbind", device->address));
}

static void bind(struct lab *device)
{
	ASSERT(!lab_write_file("/sys/bus/pci/drivers/pciem_test/bind", device->address));
	driver_wait(device);
}

TEST(what_a_driver_leaves_behind_is_told_once)
{
	struct pciem_dma_mapping left[3];
	const struct pciem_wide_event *e;
	unsigned int found = 0;
	uint64_t value = 0;

	set_up();
	left[0] = *listed(map(1, PCIEM_DMA_KIND_STREAMING, TO_DEVICE, 100, 8));
	left[1] = *listed(map(2, PCIEM_DMA_KIND_STREAMING, FROM_DEVICE, 5000, 0));
	left[2] = *listed(map(3, PCIEM_DMA_KIND_COHERENT, BOTH, 64, 0));
	map(4, PCIEM_DMA_KIND_SG, BOTH, 64, 20);	/* which the driver does not forget */
	for (unsigned int i = 1; i <= 3; i++)
		driver_run(&lab, "dmaforget %u", i);
	lab_sleep_ms(50);
	lab_drain(&lab);
	EXPECT_EQ(mappings().leaks, 0);
	unbind(&lab);
	for (unsigned int n = 0; n < 3; n++) {
		e = lab_wide_event(&lab, 1000);
		EXPECT_(e, true, "%u leaks told", n);
		EXPECT_EQ(e->event.type, PCIEM_EVENT_DMA_LEAK);
		for (unsigned int i = 0; i < 3; i++) {
			if (e->event.offset != left[i].iova)
				continue;
			found |= 1 << i;
			EXPECT_EQ(e->event.size, left[i].size);
			EXPECT_EQ(e->extra, left[i].size);
			EXPECT_EQ(e->flags, PCIEM_DMA_LEAK_FLAGS(left[i].kind, left[i].access));
			EXPECT_(e->event.data >= 30000000 && e->event.data < 20000000000ULL, false,
				"%llu ns old", e->event.data);
		}
	}
	EXPECT_EQ(found, 7);
	EXPECT(!lab_event(&lab, 50));
	EXPECT_EQ(mappings().total, 3);
	EXPECT_EQ(mappings().leaks, 3);
	/* Bus mastering went with the driver; the next one has a clean sheet */
	EXPECT_ERROR(dma(left[0].iova, &value, 8, READ), EACCES);
	bind(&lab);
	EXPECT_EQ(mappings().total, 4);
	lab_drain(&lab);
	unbind(&lab);
	EXPECT(!lab_event(&lab, 50));
	EXPECT_EQ(mappings().leaks, 3);
	bind(&lab);
	EXPECT_OK(dma(driver_state(&lab).dma, &value, 8, READ));
}

static volatile bool hammering;
static uint64_t hammer_done, hammer_refused;

/* Write to whatever address the driver has put at 0 of its buffer */
static void *hammer(void *buffer)
{
	uint8_t *data = malloc(1 << 16);

	memset(data, 0x5a, 1 << 16);
	while (hammering) {
		struct pciem_dma_segment segments[2];
		struct pciem_dma_batch batch = { .segments = (uintptr_t)segments, .count = 1 };
		uint64_t iova = 0;

		if (dma((uintptr_t)buffer, &iova, 8, READ) || !iova)
			continue;
		segments[0] = (struct pciem_dma_segment){ iova, (uintptr_t)data, 3000, WRITE, 0 };
		if (iova % 3)
			batch.error = dma(iova, data, 3000, WRITE) ? errno : 0;
		else if (ioctl(lab.fd, PCIEM_IOC_DMA_BATCH, &batch))
			batch.error = errno;
		if (!batch.error)
			__atomic_fetch_add(&hammer_done, 1, __ATOMIC_RELAXED);
		else if (batch.error == EADDRNOTAVAIL)
			__atomic_fetch_add(&hammer_refused, 1, __ATOMIC_RELAXED);
		else
			EXPECT_(false, false, "errno %d", batch.error);
	}
	free(data);
	return NULL;
}

TEST_FOR(nothing_is_written_once_unmap_has_returned, 60)
{
	struct pciem_set_events events = { 0 };
	pthread_t threads[3];

	set_up();
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_SET_EVENTS, &events));
	hammering = true;
	for (int i = 0; i < 3; i++)
		ASSERT(!pthread_create(&threads[i], NULL, hammer, (void *)driver_state(&lab).dma));
	EXPECT_EQ(driver_run(&lab, "dmachurn 4000 3000"), 0);
	hammering = false;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	EXPECT_(hammer_done > 100, false, "%lu writes", hammer_done);
	printf("# %lu writes, %lu refused\n", hammer_done, hammer_refused);
	EXPECT_EQ(mappings().total, 1);
}

/* Unmapping is not kept waiting by a page that somebody else has to bring in */
TEST(user_memory_that_is_not_there_yet)
{
	uint64_t iova;

	set_up();
	iova = map(1, PCIEM_DMA_KIND_COHERENT, BOTH, 1 << 20, 0);
	for (unsigned int round = 0; round < 3; round++) {
		uint8_t *fresh = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		driver_run(&lab, "dmapoke 1 0 %u", 0xabcd + round);
		driver_run(&lab, "dmapoke 1 %u %u", (1 << 20) - 8, 0x1bcd + round);
		EXPECT_OK(dma(iova, fresh, 1 << 20, READ));
		EXPECT_EQ(*(uint64_t *)fresh, 0xabcd + round);
		EXPECT_EQ(*(uint64_t *)(fresh + (1 << 20) - 8), 0x1bcd + round);
		/* and after it was taken away */
		madvise(fresh, 1 << 20, MADV_DONTNEED);
		EXPECT_OK(dma(iova, fresh, 1 << 20, WRITE));
		EXPECT_EQ(driver_run(&lab, "dmapeek 1 0"), 0);
		EXPECT_EQ(driver_run(&lab, "dmapeek 1 %u", (1 << 20) - 8), 0);
		munmap(fresh, 1 << 20);
	}
	/* A child of fork() shares the page until one of them writes */
	uint64_t *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int status, sync[2];
	pid_t child;

	*shared = 1;
	ASSERT(!pipe(sync));
	child = fork();
	if (!child) {
		char c;

		close(sync[1]);
		_exit(read(sync[0], &c, 1) == 1 && *shared == 1 ? 0 : 1);
	}
	driver_run(&lab, "dmapoke 1 0 2");
	EXPECT_OK(dma(iova, shared, 8, READ));
	EXPECT_EQ(*shared, 2);
	ASSERT(write(sync[1], "x", 1) == 1);
	ASSERT(waitpid(child, &status, 0) == child);
	EXPECT_EQ(status, 0);
}

TEST(atomics_at_any_aligned_address_of_a_mapping_in_both_directions)
{
	static const uint64_t after[] = { 0, 0xf0 + 0x3c, 0xf0 - 0x3c, 0x3c, 0x3c, 0xf0 & 0x3c,
					  0xf0 | 0x3c, 0xf0 ^ 0x3c };
	struct pciem_dma_atomic atomic;
	uint64_t iova, to, from;

	set_up();
	iova = map(1, PCIEM_DMA_KIND_STREAMING, BOTH, 200, PAGE - 96);
	to = map(2, PCIEM_DMA_KIND_STREAMING, TO_DEVICE, 64, 8);
	from = map(3, PCIEM_DMA_KIND_STREAMING, FROM_DEVICE, 64, 8);
	for (uint32_t op = PCIEM_ATOMIC_ADD; op <= PCIEM_ATOMIC_XOR; op++) {
		for (unsigned int at = 0; at + 8 <= 200; at += 8) {
			driver_run(&lab, "dmapoke 1 %u 0xf0", at);
			atomic = (struct pciem_dma_atomic){
				.iova = iova + at, .operand = 0x3c, .compare = 0xf0, .op_type = op,
			};
			EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_DMA_ATOMIC, &atomic));
			EXPECT_EQ(atomic.result, 0xf0);
			EXPECT_EQ(driver_run(&lab, "dmapeek 1 %u", at), after[op]);
		}
		atomic.iova = iova + 200;
		EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA_ATOMIC, &atomic), EADDRNOTAVAIL);
		atomic.iova = iova - 8;
		EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA_ATOMIC, &atomic), EADDRNOTAVAIL);
		atomic.iova = to;
		EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA_ATOMIC, &atomic), EPERM);
		atomic.iova = from;
		EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA_ATOMIC, &atomic), EPERM);
		for (unsigned int odd = 1; odd < 8; odd++) {
			atomic.iova = iova + odd;
			EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA_ATOMIC, &atomic), EINVAL);
		}
	}
}

TEST(a_coherent_buffer_for_user_space_and_for_others)
{
	static const unsigned int sizes[] = { 100, PAGE, 3 * PAGE, 300 * PAGE + 50 };
	char path[160];

	set_up();
	for (unsigned int i = 0; i < 4; i++) {
		unsigned int size = sizes[i], pages = (size + PAGE - 1) / PAGE;
		uint64_t iova = map(1, PCIEM_DMA_KIND_COHERENT, BOTH, size, 0), value = 0x4711;
		uint8_t *p;
		int fd;

		EXPECT_EQ(driver_run(&lab, "dmasgtable 1"), size);
		driver_run(&lab, "dmashare 1");
		snprintf(path, sizeof(path), "/sys/kernel/debug/pciem_test/%s/memory", lab.address);
		fd = open(path, O_RDWR);
		ASSERT(fd >= 0);
		p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		ASSERT(p != MAP_FAILED);
		EXPECT_OK(dma(iova + size - 8, &value, 8, WRITE));
		EXPECT(!memcmp(p + size - 8, &value, 8));
		p[0] = 0x66;
		EXPECT_OK(dma(iova, &value, 1, READ));
		EXPECT_EQ(value & 0xff, 0x66);
		munmap(p, pages * PAGE);
		EXPECT_EQ((long)mmap(NULL, (pages + 1) * PAGE, PROT_READ, MAP_SHARED, fd, 0), -1);
		EXPECT_EQ((long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, pages * PAGE), -1);
		if (pages > 1) {
			uint8_t *last = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, (pages - 1) * PAGE);

			ASSERT(last != MAP_FAILED);
			EXPECT(!memcmp(last + (size - 8) % PAGE, "\x11\x47", 2));
			/* What is mapped stays readable when the driver has freed it */
			unmap(1);
			EXPECT(!memcmp(last + (size - 8) % PAGE, "\x11\x47", 2));
		} else {
			unmap(1);
		}
		close(fd);
	}
}

TEST(the_list_comes_in_parts)
{
	struct pciem_dma_mappings part, bad = { .func = 1 };
	uint64_t start = 0;
	unsigned int seen = 0;

	set_up();
	map(1, PCIEM_DMA_KIND_SG, BOTH, 64, 100);
	EXPECT_EQ(mappings().total, 101);
	for (uint32_t i = 1; i < 101; i++)
		EXPECT(list[i - 1].iova < list[i].iova);
	part = mappings_from(0, 0);
	EXPECT_EQ(part.count, 0);
	EXPECT_EQ(part.total, 101);
	do {
		part = mappings_from(start, 17);
		EXPECT_EQ(part.total, 101);
		for (uint32_t i = 0; i < part.count; i++)
			EXPECT(list[i].iova >= start);
		EXPECT(part.count <= 17);
		EXPECT_EQ(list[part.count].kind, 0xeeeeeeeeU);
		seen += part.count;
		if (part.count)
			start = list[part.count - 1].iova + 1;
	} while (part.count);
	EXPECT_EQ(seen, 101);

	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA_MAPPINGS, &bad), ENODEV);
	bad.func = 8;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA_MAPPINGS, &bad), EINVAL);
	bad.func = 0;
	bad.reserved[6] = 1;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA_MAPPINGS, &bad), EINVAL);
	bad.reserved[6] = 0;
	bad.count = 10;
	bad.mappings = 0xffff888000000000;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA_MAPPINGS, &bad), EFAULT);
}

TEST(every_driver_that_binds_gets_these_operations)
{
	uint64_t value = 0;

	set_up();
	for (int i = 0; i < 3; i++) {
		EXPECT(listed(driver_state(&lab).dma));
		unbind(&lab);
		EXPECT_EQ(mappings().total, 0);
		bind(&lab);
	}
	/* Also when the function was away */
	ASSERT(!lab_write_file(lab_sysfs(&lab, "remove"), "1"));
	EXPECT_EQ(mappings().total, 0);
	EXPECT_ERROR(dma(0xfffff000, &value, 8, READ), EACCES);
	ASSERT(!lab_write_file("/sys/bus/pci/rescan", "1"));
	driver_wait(&lab);
	EXPECT(listed(driver_state(&lab).dma));
	EXPECT_OK(dma(driver_state(&lab).dma, &value, 8, READ));
}

TEST(a_device_goes_with_mappings_alive)
{
	driver_load("irq=none");
	for (int i = 0; i < 10; i++) {
		set_up_device(&lab, NULL);
		for (unsigned int k = 0; k < ROWS; k++)
			map(k, rows[k].kind, rows[k].direction, rows[k].size, rows[k].offset);
		map(20, KIND_POOL, BOTH, 64, 0);
		if (i % 2)
			driver_run(&lab, "dmaforget 3");
		/* The driver's remove undoes them, after the device has gone */
		lab_power_off(&lab);
		EXPECT(lab_wait(!driver_bound(&lab), 5000));
	}
	EXPECT(lab_wait(!module_unload("pciem_test"), 5000));
}

static void *churn(void *device)
{
	struct driver_result result;

	driver_try(device, &result, "dmachurn 4000 3000");
	return NULL;
}

TEST_FOR(a_device_goes_while_its_driver_maps, 60)
{
	driver_load("irq=none");
	for (int i = 0; i < 4; i++) {
		pthread_t thread;

		set_up_device(&lab, NULL);
		ASSERT(!pthread_create(&thread, NULL, churn, &lab));
		lab_sleep_ms(100);
		lab_power_off(&lab);
		pthread_join(thread, NULL);
	}
}

/* Peer-to-peer */

static struct lab peer;

static uint64_t bar_phys(struct lab *device, uint32_t bar)
{
	struct pciem_bar_info_query query = { .bar_index = bar };

	ASSERT(!ioctl(device->fd, PCIEM_IOC_GET_BAR_INFO, &query));
	return query.phys;
}

static void set_up_two(void)
{
	driver_load("irq=none");
	set_up_device(&lab, NULL);
	set_up_device(&peer, NULL);
}

TEST(peer_to_peer_between_two_devices)
{
	static uint8_t out[3 * PAGE], in[3 * PAGE];
	uint64_t phys;
	uint8_t *bar;

	set_up_two();
	phys = bar_phys(&peer, 0);
	bar = lab_map_bar(&peer, 0, 0x10000);
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = i * 11 + (i >> 8);
	EXPECT_OK(p2p(&lab, phys + 0x123, out, sizeof(out), WRITE));
	EXPECT(!memcmp(bar + 0x123, out, sizeof(out)));
	EXPECT_OK(p2p(&lab, phys + 0x123, in, sizeof(in), READ));
	EXPECT(!memcmp(in, out, sizeof(in)));
	/* To the last byte, and not beyond */
	EXPECT_OK(p2p(&lab, phys + 0xffff, out, 1, WRITE));
	EXPECT_ERROR(p2p(&lab, phys + 0xffff, out, 2, WRITE), EACCES);
	EXPECT_ERROR(p2p(&lab, phys - 1, out, 2, WRITE), EACCES);
	EXPECT_ERROR(p2p(&lab, phys + 0x10000, out, 1, READ), EACCES);
	/* Its own, and one with a 32-bit address */
	EXPECT_OK(p2p(&lab, bar_phys(&lab, 0) + 8, out, 8, WRITE));
	EXPECT(!memcmp((uint8_t *)lab_map_bar(&lab, 0, PAGE) + 8, out, 8));
	EXPECT_OK(p2p(&lab, bar_phys(&peer, 2) + 0x3ff8, out, 8, WRITE));
	EXPECT_ERROR(p2p(&lab, bar_phys(&peer, 2) + 0x3ff9, out, 8, WRITE), EACCES);
	EXPECT_OK(p2p(&lab, phys, out, 0, READ));
	EXPECT_OK(p2p(&lab, phys, out, 8, 0));
	EXPECT_ERROR(p2p(&lab, phys, out, 8, 3), EINVAL);
	EXPECT_ERROR(p2p(&lab, phys, out, 8, 4), EINVAL);
	EXPECT_ERROR(p2p(&lab, phys, NULL, 8, READ), EFAULT);
	EXPECT_ERROR(p2p(&lab, phys, NULL, 8, WRITE), EFAULT);
	lab_bus_master(&lab, false);
	EXPECT_ERROR(p2p(&lab, phys, out, 8, READ), EACCES);
	lab_bus_master(&lab, true);
	EXPECT_OK(p2p(&lab, phys, out, 8, READ));
	lab_power_off(&peer);
	EXPECT_ERROR(p2p(&lab, phys, out, 8, READ), EACCES);
}

TEST(peer_to_peer_reaches_nothing_else)
{
	static uint8_t data[64];
	uint64_t physical;
	uint64_t *page = lab_locked_page(&physical);
	uint64_t bad[] = {
		physical, 0, 0x1000, 0x100000, 0xb8000, 0xfec00000, 0xfee00000, 1ULL << 40,
		1ULL << 52, ~0ULL, ~0ULL - 31, ~0ULL - 63,
	};

	set_up_two();
	lab_drain(&lab);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct pciem_wide_event *e;

		EXPECT_ERROR(p2p(&lab, bad[i], data, 64, READ), EACCES);
		e = lab_wide_event(&lab, 1000);
		ASSERT(e);
		EXPECT_EQ(e->event.type, PCIEM_EVENT_DMA_FAULT);
		EXPECT_EQ(e->event.offset, bad[i]);
		EXPECT_EQ(e->flags, PCIEM_DMA_FAULT_PEER);
		EXPECT_ERROR(p2p(&lab, bad[i], data, 64, WRITE), EACCES);
		lab_drain(&lab);
	}
	EXPECT_EQ(*page, 0);
}

TEST(peer_to_peer_is_seen_by_the_peer)
{
	const struct pciem_event *e;
	uint64_t words[2] = { 0x1111222233334444, 0x55 }, value = 0;

	set_up_two();
	lab_trace(&peer, 0, PCIEM_TRACE_READS | PCIEM_TRACE_WRITES);
	lab_drain(&peer);
	EXPECT_OK(p2p(&lab, bar_phys(&peer, 0) + 0x40, words, 9, WRITE));
	e = lab_event(&peer, 1000);
	ASSERT(e);
	EXPECT_EQ(e->type, PCIEM_EVENT_MMIO_WRITE);
	EXPECT_EQ(e->offset, 0x40);
	EXPECT_EQ(e->size, 8);
	EXPECT_EQ(e->data, 0x1111222233334444);
	e = lab_event(&peer, 1000);
	ASSERT(e);
	EXPECT_EQ(e->offset, 0x48);
	EXPECT_EQ(e->size, 1);
	EXPECT_EQ(e->data, 0x55);
	EXPECT_OK(p2p(&lab, bar_phys(&peer, 0) + 0x42, &value, 2, READ));
	EXPECT_EQ(value, 0x3333);
	e = lab_event(&peer, 1000);
	ASSERT(e);
	EXPECT_EQ(e->type, PCIEM_EVENT_MMIO_READ);
	EXPECT_EQ(e->offset, 0x42);
	EXPECT_EQ(e->size, 2);
	EXPECT(!lab_event(&peer, 20));
}

TEST(a_resource_that_the_driver_mapped)
{
	uint64_t value = 0x1234567, iova, phys, got = 0;
	const struct pciem_dma_mapping *m;
	uint64_t *bar;

	set_up_two();
	phys = bar_phys(&peer, 0);
	bar = lab_map_bar(&peer, 0, 0x10000);
	iova = map(1, PCIEM_DMA_KIND_RESOURCE, BOTH, 0x2000, phys + 0x1000);
	m = listed(iova);
	ASSERT(m);
	EXPECT_EQ(m->kind, PCIEM_DMA_KIND_RESOURCE);
	EXPECT_EQ(m->size, 0x2000);
	EXPECT_EQ(m->access, 3);
	EXPECT_OK(dma(iova + 0x20, &value, 8, WRITE));
	EXPECT_EQ(bar[0x1020 / 8], 0x1234567);
	EXPECT_OK(dma(iova + 0x20, &got, 8, READ));
	EXPECT_EQ(got, 0x1234567);
	EXPECT_ERROR(dma(iova - 8, &value, 8, WRITE), EADDRNOTAVAIL);
	EXPECT_ERROR(dma(iova + 0x2000, &value, 8, WRITE), EADDRNOTAVAIL);
	/* Of a device of ours, by its bus address, not by its physical one */
	EXPECT_ERROR(dma(phys + 0x1020, &value, 8, READ), EADDRNOTAVAIL);
	unmap(1);
	EXPECT_ERROR(dma(iova + 0x20, &value, 8, WRITE), EADDRNOTAVAIL);
	iova = map(1, PCIEM_DMA_KIND_RESOURCE, TO_DEVICE, 64, phys);
	EXPECT_OK(dma(iova, &got, 8, READ));
	EXPECT_ERROR(dma(iova, &value, 8, WRITE), EPERM);
	unmap(1);
	/* A resource that belongs to nobody */
	iova = map(1, PCIEM_DMA_KIND_RESOURCE, BOTH, PAGE, 1ULL << 40);
	EXPECT_ERROR(dma(iova, &value, 8, WRITE), EACCES);
	EXPECT_EQ(mappings().total, 2);
}

static void *hammer_peer(void *phys)
{
	static uint8_t data[3 * PAGE];

	while (hammering)
		if (p2p(&lab, (uintptr_t)phys, data, sizeof(data), READ) && errno != EACCES)
			EXPECT_(false, false, "errno %d", errno);
	return NULL;
}

TEST_FOR(a_peer_goes_under_traffic, 60)
{
	driver_load("irq=none");
	set_up_device(&lab, NULL);
	for (int i = 0; i < 6; i++) {
		pthread_t thread;

		set_up_device(&peer, NULL);
		if (i % 2)
			lab_trace(&peer, 0, PCIEM_TRACE_WRITES);
		hammering = true;
		ASSERT(!pthread_create(&thread, NULL, hammer_peer, (void *)bar_phys(&peer, 0)));
		lab_sleep_ms(50);
		lab_power_off(&peer);
		lab_sleep_ms(20);
		hammering = false;
		pthread_join(thread, NULL);
	}
}

/* Physical address of the machine's HPET, whose first register says how fast it counts */
#define HPET 0xfed00000ULL

TEST_FOR(peer_to_peer_by_the_module_parameter, 240)
{
	static const char *const bad[] = {
		"p2p_regions=0xfed00000", "p2p_regions=0xfed00000:0", "p2p_regions=x:0x1000",
		"p2p_regions=0xfed00000:0x400,", "p2p_regions=0x100000:0x1000",
		"p2p_regions=0xfffffffffffff000:0x2000", "p2p_regions=0xd00000000000:0x1000",
	};
	uint64_t value = 0;

	ASSERT(!module_loaded("pciem_test") || lab_wait(!module_unload("pciem_test"), 5000));
	ASSERT(!module_loaded("pciem_accessors") || lab_wait(!module_unload("pciem_accessors"), 5000));
	ASSERT(lab_wait(!module_unload("pciem"), 5000));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		EXPECT_(module_load("pciem", bad[i]) == -1 && errno == EINVAL, false, "%s", bad[i]);
		if (module_loaded("pciem"))
			module_unload("pciem");
	}
	ASSERT(!module_load("pciem", "p2p_regions=0xfed40000:0x1000,0xfed00000:0x400"));
	set_up();
	EXPECT_OK(p2p(&lab, HPET, &value, 8, READ));
	printf("# %#lx\n", value);
	/* Bits 32 to 63: femtoseconds a tick, 100,000,000 at most */
	EXPECT(value >> 32 && value >> 32 <= 100000000);
	EXPECT_OK(p2p(&lab, HPET + 0x3f8, &value, 8, READ));
	EXPECT_ERROR(p2p(&lab, HPET + 0x3f9, &value, 8, READ), EACCES);
	EXPECT_ERROR(p2p(&lab, HPET - 1, &value, 8, READ), EACCES);
	lab_power_off(&lab);
	ASSERT(lab_wait(!module_unload("pciem_test"), 5000));
	ASSERT(lab_wait(!module_unload("pciem"), 5000));
	ASSERT(!module_load("pciem", ""));
}

TEST_MAIN()

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What DMA costs: bytes a second of 1 MiB transfers beside memcpy() of as many,
 * small transfers a second beside calls that do nothing, one at a time and in
 * batches. No test: it prints one JSON object a line, { name, value, unit, limit },
 * where limit is the bound measured beside the value.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "driver.h"
#include "harness.h"

#define LENGTH		(1U << 20)
#define SMALL		64
#define BATCH		64
#define RUNS		5
#define CALLS		20000

static struct lab lab;
static uint64_t iova;
static char *buffer, *other;

static void report(const char *name, double value, const char *unit, double limit)
{
	printf("{\"name\":\"%s\",\"value\":%.1f,\"unit\":\"%s\",\"limit\":%.1f}\n", name, value, unit,
	       limit);
	fflush(stdout);
}

static void dma(uint32_t length, uint32_t direction)
{
	struct pciem_dma_op op = {
		.iova = iova, .user_addr = (uintptr_t)buffer, .length = length, .flags = direction,
	};

	ASSERT(!ioctl(lab.fd, PCIEM_IOC_DMA, &op));
}

static void do_read(void)
{
	dma(LENGTH, PCIEM_DMA_READ);
}

static void do_write(void)
{
	dma(LENGTH, PCIEM_DMA_WRITE);
}

static void do_memcpy(void)
{
	memcpy(other, buffer, LENGTH);
	/* The copy is wanted */
	__asm__ volatile("" : : "r"(other) : "memory");
}

static void do_small(void)
{
	dma(SMALL, PCIEM_DMA_READ);
}

static void do_batch(void)
{
	static struct pciem_dma_segment segments[BATCH];
	struct pciem_dma_batch batch = { .segments = (uintptr_t)segments, .count = BATCH };

	for (unsigned int i = 0; i < BATCH; i++) {
		segments[i].iova = iova + i * SMALL;
		segments[i].user_addr = (uintptr_t)buffer + i * SMALL;
		segments[i].length = SMALL;
		segments[i].flags = PCIEM_DMA_READ;
	}
	ASSERT(!ioctl(lab.fd, PCIEM_IOC_DMA_BATCH, &batch));
	ASSERT(batch.done == BATCH);
}

static void do_nothing(void)
{
	struct pciem_version version;

	ASSERT(!ioctl(lab.fd, PCIEM_IOC_GET_VERSION, &version));
}

/* The best of some runs: times a second */
static double rate(void (*work)(void), unsigned int times)
{
	double best = 0;

	for (int run = 0; run < RUNS; run++) {
		uint64_t start = lab_now_ns();
		double now;

		for (unsigned int i = 0; i < times; i++)
			work();
		now = times * 1e9 / (lab_now_ns() - start);
		if (now > best)
			best = now;
	}
	return best;
}

int main(void)
{
	const double mega = LENGTH / 1e6;
	struct lab_spec spec = lab_plain;
	double copies, calls;

	spec.device = LAB_DEVICE;
	driver_load("irq=none");
	driver_power_on(&lab, &spec);
	iova = driver_run(&lab, "dmamap 0 %d %d %u", PCIEM_DMA_KIND_COHERENT, 0, LENGTH);
	buffer = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	other = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT(buffer != MAP_FAILED && other != MAP_FAILED);
	memset(buffer, 1, LENGTH);
	memset(other, 1, LENGTH);

	copies = rate(do_memcpy, 100) * mega;
	report("dma/read-1m", rate(do_read, 100) * mega, "MB/s", copies);
	report("dma/write-1m", rate(do_write, 100) * mega, "MB/s", copies);
	calls = rate(do_nothing, CALLS);
	report("dma/calls-64", rate(do_small, CALLS), "calls/s", calls);
	report("dma/segments-64", rate(do_batch, CALLS / BATCH) * BATCH, "1/s", calls);
	lab_power_off(&lab);
	return 0;
}

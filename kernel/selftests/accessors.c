// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every kind of access that a driver makes, made by the kernel on a traced BAR
 * (pciem_accessors.ko). Three things must agree: what the driver got, with what
 * it got from ordinary memory; what the BAR holds; and the events, which are
 * carried out again here, one by one, on a copy.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "accessors_shared.h"
#include "driver.h"
#include "harness.h"

#define ACCESSORS_DEVICE	0x00fe
#define SCENARIOS_MAX		64

static struct lab lab;
static uint8_t *bar;
static uint8_t copy[BAR_BYTES + 8];
static char name[64];

static const char *debugfs(const char *file)
{
	static char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/debug/pciem_accessors/%s/%s", lab.address, file);
	return path;
}

static void set_up(uint32_t flags)
{
	struct lab_spec spec = lab_plain;

	spec.device = ACCESSORS_DEVICE;
	spec.slots = PCIEM_RING_MAX_EVENTS;
	if (!module_loaded("pciem_accessors"))
		ASSERT(!module_load("pciem_accessors", ""));
	lab_power_on(&lab, &spec);
	EXPECT_(lab_wait(!access(debugfs("run"), F_OK), 10000), true, "the driver did not bind");
	bar = lab_map_bar(&lab, 0, 0x10000);
	if (flags)
		lab_trace(&lab, 0, flags);
}

static volatile bool replaying;
static unsigned long events, wrong_reads, out_of_order;

/* Carry out the events so far on the copy */
static void *replay(void *arg)
{
	uint64_t seq = 0;

	(void)arg;
	for (;;) {
		bool last = !replaying;
		const struct pciem_event *e = lab_event(&lab, 5);

		if (!e) {
			if (last)
				return NULL;
			continue;
		}
		if (seq && e->seq != seq + 1)
			out_of_order++;
		seq = e->seq;
		events++;
		if (e->bar || e->offset + e->size > BAR_BYTES || e->size > 8)
			out_of_order++;
		else if (e->type == PCIEM_EVENT_MMIO_WRITE)
			memcpy(copy + e->offset, &e->data, e->size);
		else if (memcmp(copy + e->offset, &e->data, e->size))
			wrong_reads++;
	}
}

/* False when there is no such scenario */
static bool run_one(unsigned int number, uint64_t seed, const char *context, uint32_t flags)
{
	static uint8_t memory[BAR_BYTES];
	unsigned long got, want;
	char text[128] = "";
	pthread_t thread;
	int fd, equal;
	ssize_t n;

	scenario_fill(bar, BAR_BYTES, seed);
	memcpy(copy, bar, BAR_BYTES);
	events = wrong_reads = out_of_order = 0;
	replaying = true;
	ASSERT(!pthread_create(&thread, NULL, replay, NULL));
	fd = open(debugfs("run"), O_RDWR | O_CLOEXEC);
	ASSERT(fd >= 0);
	snprintf(text, sizeof(text), "%u %#lx %s", number, seed, context);
	n = write(fd, text, strlen(text));
	replaying = false;
	pthread_join(thread, NULL);
	if (n < 0) {
		EXPECT_EQ(errno, EINVAL);
		close(fd);
		return false;
	}
	memset(text, 0, sizeof(text));
	ASSERT(pread(fd, text, sizeof(text) - 1, 0) > 0);
	close(fd);
	ASSERT(sscanf(text, "%lx %lx %d %63[^\n]", &got, &want, &equal, name) == 4);
	fd = open(debugfs("memory"), O_RDONLY | O_CLOEXEC);
	ASSERT(fd >= 0 && read(fd, memory, BAR_BYTES) == BAR_BYTES);
	close(fd);

	EXPECT_(got == want, false, "%s, seed %#lx, %s: result %#lx, on memory %#lx", name, seed,
		context, got, want);
	EXPECT_(equal, false, "%s, seed %#lx, %s: the driver's buffer differs", name, seed, context);
	EXPECT_(!memcmp(bar, memory, BAR_BYTES), false, "%s, seed %#lx, %s: the BAR differs from memory",
		name, seed, context);
	if (flags & PCIEM_TRACE_WRITES)
		EXPECT_(!memcmp(bar, copy, BAR_BYTES), false,
			"%s, seed %#lx, %s: the events do not make what the BAR holds", name, seed, context);
	EXPECT_(!wrong_reads && !out_of_order, false,
		"%s, seed %#lx, %s: of %lu events %lu reads differ, %lu are out of order", name, seed,
		context, events, wrong_reads, out_of_order);
	EXPECT_(events || flags != (PCIEM_TRACE_READS | PCIEM_TRACE_WRITES), false,
		"%s: no event", name);
	return true;
}

static void run_all(const char *context, unsigned int rounds, uint32_t flags)
{
	unsigned int number;

	set_up(flags);
	for (number = 0; number < SCENARIOS_MAX; number++) {
		for (unsigned int round = 0; round < rounds; round++)
			if (!run_one(number, 0x1234567 + 0x9e3779b9 * round + number, context, flags))
				goto out;
	}
out:
	EXPECT(number > 15);
	EXPECT_EQ(lab_info(&lab).lost, 0);
	printf("# %u scenarios, %lu events\n", number, (unsigned long)lab_info(&lab).events);
}

/* Among them 64-bit stores of an immediate, which are an oops in the reference */
TEST_FOR(every_accessor, 120)
{
	run_all("process", 5, PCIEM_TRACE_READS | PCIEM_TRACE_WRITES);
}

TEST_FOR(every_accessor_with_writes_traced, 120)
{
	run_all("process", 2, PCIEM_TRACE_WRITES);
}

TEST_FOR(every_accessor_with_reads_traced, 120)
{
	/* The copy does not see the writes, so values of reads cannot be compared */
	set_up(PCIEM_TRACE_READS);
	for (unsigned int number = 0; run_one(number, number * 77 + 5, "process", 0) && number < 4; number++)
		;
}

TEST_FOR(every_accessor_untraced, 60)
{
	run_all("process", 2, 0);
	EXPECT_EQ(lab_info(&lab).events, 0);
}

TEST_FOR(every_accessor_with_preemption_off, 120)
{
	run_all("preempt-off", 1, PCIEM_TRACE_READS | PCIEM_TRACE_WRITES);
}

TEST_FOR(every_accessor_with_bottom_halves_off, 120)
{
	run_all("bh-off", 1, PCIEM_TRACE_READS | PCIEM_TRACE_WRITES);
}

TEST_FOR(every_accessor_with_interrupts_off, 120)
{
	run_all("irqs-off", 1, PCIEM_TRACE_READS | PCIEM_TRACE_WRITES);
}

TEST_FOR(every_accessor_in_a_timer, 120)
{
	run_all("timer", 1, PCIEM_TRACE_READS | PCIEM_TRACE_WRITES);
}

TEST_FOR(every_accessor_in_an_interrupt, 120)
{
	run_all("irq-work", 1, PCIEM_TRACE_READS | PCIEM_TRACE_WRITES);
}

TEST_MAIN()

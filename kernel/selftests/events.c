// SPDX-License-Identifier: GPL-2.0-only
/* The event ring: order, wake-ups, what happens when it is full, and what a hostile user does to it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver.h"
#include "harness.h"

#define WAIT_MS "/sys/module/pciem/parameters/ring_wait_ms"
#define SPIN_MS "/sys/module/pciem/parameters/ring_spin_ms"

static struct lab lab;

static void set_up(uint32_t slots)
{
	struct lab_spec spec = lab_plain;

	spec.device = LAB_DEVICE;
	spec.slots = slots;
	driver_load("irq=none");
	driver_power_on(&lab, &spec);
	lab_trace(&lab, 0, PCIEM_TRACE_READS | PCIEM_TRACE_WRITES);
}

/* A driver at work while the test looks at the ring */
static pthread_t worker;
static char worker_command[128];
static volatile bool worker_done;
static uint64_t worker_ns;

static void *work(void *arg)
{
	struct driver_result result;
	uint64_t start = lab_now_ns();

	(void)arg;
	if (driver_try(&lab, &result, "%s", worker_command))
		worker_ns = ~0ULL;
	else
		worker_ns = lab_now_ns() - start;
	worker_done = true;
	return NULL;
}

static void start_work(const char *format, uint64_t a, uint64_t b)
{
	snprintf(worker_command, sizeof(worker_command), format, a, b);
	worker_done = false;
	ASSERT(!pthread_create(&worker, NULL, work, NULL));
}

static void end_work(void)
{
	pthread_join(worker, NULL);
	EXPECT_(worker_ns != ~0ULL, false, "the driver's \"%s\" failed", worker_command);
}

TEST_FOR(order_over_many_turns_of_the_ring, 60)
{
	uint64_t seq = 0, lost = 0;
	const unsigned int count = 20000;

	set_up(1024);
	start_work("write32 0 0x20 %lu %lu", count, 1000);
	for (unsigned int i = 0; i < count; i++) {
		const struct pciem_event *e = lab_event(&lab, 5000);

		EXPECT_(e, true, "no event %u", i);
		EXPECT_(e->data == 1000 + i, true, "event %u has %lu", i, (long)e->data - 1000);
		EXPECT_(!seq || e->seq == seq + 1, true, "sequence %lu after %lu", (long)e->seq, seq);
		EXPECT_((e->cpu & 0xffff) < 2 && !(e->cpu >> 16), true, "cpu %#x", e->cpu);
		seq = e->seq;
	}
	end_work();
	lost = lab_info(&lab).lost;
	EXPECT_EQ(lost, 0);
	EXPECT_EQ(lab_info(&lab).events, count);
	EXPECT_EQ(seq, count);
}

/* The reference loses 27 percent here */
TEST_FOR(a_burst_of_20000_with_a_consumer_on_the_eventfd, 120)
{
	struct pciem_eventfd_config config = { .eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) };
	const unsigned int count = 20000;
	unsigned int got = 0;

	set_up(0);		/* the ring of 256 */
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_SET_EVENTFD, &config));
	start_work("write32 0 0x20 %lu %lu", count, 0);
	while (got < count) {
		struct pollfd pollfd = { .fd = config.eventfd, .events = POLLIN };
		const struct pciem_event *e;
		uint64_t value;

		EXPECT_(poll(&pollfd, 1, 10000) == 1, true, "no wake-up after %u events", got);
		EXPECT(read(config.eventfd, &value, 8) == 8);
		while ((e = lab_event(&lab, 0))) {
			EXPECT_(e->data == got, true, "event %u has %lu", got, (long)e->data);
			got++;
		}
	}
	end_work();
	EXPECT_EQ(lab_info(&lab).lost, 0);
	EXPECT_EQ(lab.ring->lost, 0);
}

TEST(poll_on_the_device)
{
	struct pollfd pollfd = { .events = POLLIN };

	set_up(0);
	pollfd.fd = lab.fd;
	EXPECT_EQ(poll(&pollfd, 1, 0), 0);
	driver_run(&lab, "write32 0 0 1 1");
	EXPECT_EQ(poll(&pollfd, 1, 1000), 1);
	EXPECT_EQ(pollfd.revents & POLLIN, POLLIN);
	lab_drain(&lab);
	EXPECT_EQ(poll(&pollfd, 1, 0), 0);
}

TEST(an_eventfd_that_is_taken_away)
{
	struct pciem_eventfd_config config = { .eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) };
	uint64_t value = 0;

	set_up(0);
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_SET_EVENTFD, &config));
	driver_run(&lab, "write32 0 0 3 1");
	EXPECT_EQ(read(config.eventfd, &value, 8), 8);
	EXPECT_EQ(value, 3);
	/* Closed without a word: events go on */
	int other = dup(config.eventfd);

	close(config.eventfd);
	driver_run(&lab, "write32 0 0 3 1");
	EXPECT_EQ(read(other, &value, 8), 8);
	config.eventfd = -1;
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_SET_EVENTFD, &config));
	driver_run(&lab, "write32 0 0 3 1");
	EXPECT_EQ(read(other, &value, 8), -1);
	EXPECT_EQ(lab_info(&lab).events, 9);
}

TEST_FOR(a_slow_consumer_makes_the_driver_wait, 60)
{
	const unsigned int count = 1500;
	struct pciem_device_info info;

	set_up(256);
	start_work("write32 0 0x20 %lu %lu", count, 0);
	for (unsigned int i = 0; i < count; i++) {
		const struct pciem_event *e = lab_event(&lab, 5000);

		EXPECT_(e, true, "no event %u", i);
		EXPECT_(e->data == i && e->seq == i + 1, true, "event %u has %lu, sequence %lu", i,
			(long)e->data, (long)e->seq);
		usleep(300);
	}
	end_work();
	info = lab_info(&lab);
	EXPECT_EQ(info.lost, 0);
	EXPECT_EQ(info.events, count);
	EXPECT(info.waits > 0);
}

TEST_FOR(no_consumer_costs_a_bounded_time, 60)
{
	struct pciem_device_info info;
	uint64_t seq = 0;
	const struct pciem_event *e;
	unsigned int got = 0;

	set_up(256);
	start_work("write32 0 0x20 %lu %lu", 1000, 0);
	end_work();
	/* One wait of at most a second, and the other accesses know */
	EXPECT_(worker_ns < 20000000000ULL, false, "1000 writes took %lu ms", worker_ns / 1000000);
	info = lab_info(&lab);
	EXPECT_EQ(info.waits, 1);
	EXPECT_EQ(info.events, 256);
	EXPECT_EQ(info.lost, 744);
	EXPECT_EQ(lab.wide_ring->lost, 744);
	/* The memory is as the driver wrote it, all the same */
	EXPECT_EQ(((uint32_t *)lab_map_bar(&lab, 0, 0x10000))[8], 999);
	while ((e = lab_event(&lab, 0))) {
		EXPECT_EQ(e->seq, seq + 1);
		seq = e->seq;
		got++;
	}
	EXPECT_EQ(got, 256);
	/* The gap shows where they were */
	driver_run(&lab, "write32 0 0x20 1 7");
	e = lab_event(&lab, 1000);
	ASSERT(e);
	EXPECT_EQ(e->seq, 1001);
	EXPECT_EQ(e->data, 7);
	EXPECT_EQ(lab_info(&lab).lost, 744);
}

static void tell(uint32_t mask)
{
	struct pciem_set_events events = { .mask = mask };

	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_SET_EVENTS, &events));
}

/* A loss is an event of its own, before the first that finds room */
TEST_FOR(a_LOST_event_carries_the_count, 60)
{
	const struct pciem_wide_event *e;

	set_up(256);
	tell(PCIEM_EVENTS_LOST);
	driver_run(&lab, "write32 0 0x20 300 0");
	lab_drain(&lab);
	driver_run(&lab, "write32 0 0x20 1 7");
	e = lab_wide_event(&lab, 1000);
	ASSERT(e);
	EXPECT_EQ(e->event.type, PCIEM_EVENT_LOST);
	EXPECT_EQ(e->event.data, 44);
	EXPECT_EQ(e->event.seq, 301);
	e = lab_wide_event(&lab, 1000);
	ASSERT(e);
	EXPECT_EQ(e->event.type, PCIEM_EVENT_MMIO_WRITE);
	EXPECT_EQ(e->event.data, 7);
	EXPECT_EQ(e->event.seq, 302);
	/* Told once */
	driver_run(&lab, "write32 0 0x20 1 8");
	e = lab_wide_event(&lab, 1000);
	ASSERT(e);
	EXPECT_EQ(e->event.data, 8);
	EXPECT_EQ(lab_info(&lab).events, 256 + 3);
	EXPECT_EQ(lab_info(&lab).lost, 44);
}

/* Room for one: the loss is told in it, and the event that found it is lost in turn */
TEST_FOR(a_LOST_event_in_the_last_slot, 60)
{
	const struct pciem_wide_event *e;
	uint64_t seq = 0;

	set_up(256);
	tell(PCIEM_EVENTS_LOST);
	driver_run(&lab, "write32 0 0x20 259 0");
	ASSERT(lab_wide_event(&lab, 0));
	lab.wide_ring->head = lab.head;
	driver_run(&lab, "write32 0 0x20 1 1000");
	EXPECT_EQ(lab_info(&lab).lost, 4);
	while ((e = lab_wide_event(&lab, 0)))
		seq = e->event.seq;
	EXPECT_EQ(seq, 260);
	driver_run(&lab, "write32 0 0x20 1 1001");
	/* One for the event that was lost after it, and its number */
	e = lab_wide_event(&lab, 1000);
	ASSERT(e);
	EXPECT_EQ(e->event.type, PCIEM_EVENT_LOST);
	EXPECT_EQ(e->event.data, 1);
	EXPECT_EQ(e->event.seq, 262);
	e = lab_wide_event(&lab, 1000);
	ASSERT(e);
	EXPECT_EQ(e->event.data, 1001);
	EXPECT_EQ(e->event.seq, 263);
}

/* What a consumer has seen so far */
struct seen {
	uint64_t seq, told, events;
};

static void see(struct seen *seen, const struct pciem_wide_event *e)
{
	seen->events++;
	if (e->event.type == PCIEM_EVENT_LOST) {
		EXPECT_EQ(e->event.data, e->event.seq - seen->seq - 1);
		seen->told += e->event.data;
	} else {
		EXPECT_EQ(e->event.seq, seen->seq + 1);
	}
	seen->seq = e->event.seq;
}

/* Gaps between numbers, LOST events and counters agree, whatever the consumer does */
TEST_FOR(losses_add_up, 60)
{
	const struct pciem_wide_event *e;
	struct seen seen = { 0 };
	unsigned int state = 1;

	set_up(256);
	tell(PCIEM_EVENTS_LOST);
	EXPECT_OK(lab_write_file(WAIT_MS, "1"));
	start_work("write32 0 0x20 %lu %lu", 20000, 0);
	while (!worker_done) {
		state = state * 1103515245 + 12345;
		for (unsigned int i = state >> 16 & 511; i && !worker_done; i--) {
			e = lab_wide_event(&lab, 0);
			if (e)
				see(&seen, e);
		}
		usleep(state >> 8 & 0x3fff);
	}
	end_work();
	EXPECT_OK(lab_write_file(WAIT_MS, "1000"));
	while ((e = lab_wide_event(&lab, 0)))
		see(&seen, e);
	/* The one that tells of the last gap */
	driver_run(&lab, "write32 0 0x20 1 0");
	while ((e = lab_wide_event(&lab, 0)))
		see(&seen, e);
	EXPECT(seen.told > 0);
	EXPECT_EQ(seen.told, lab_info(&lab).lost);
	EXPECT_EQ(seen.events, lab_info(&lab).events);
}

TEST_FOR(a_full_ring_with_interrupts_off, 60)
{
	set_up(256);
	driver_run(&lab, "write32 0 0x20 256 0");
	EXPECT_EQ(lab_info(&lab).lost, 0);
	driver_run(&lab, "locked 1");
	start_work("write32 0 0x20 %lu %lu", 10, 0);
	end_work();
	/* The first spins, and the others know */
	EXPECT_(worker_ns < 20000000000ULL, false, "10 writes took %lu ms", worker_ns / 1000000);
	EXPECT_EQ(lab_info(&lab).waits, 1);
	EXPECT_EQ(lab_info(&lab).lost, 10);
}

TEST(reads_of_a_full_ring_have_their_value)
{
	set_up(256);
	((uint32_t *)lab_map_bar(&lab, 0, 0x10000))[2] = 0x4321;
	driver_run(&lab, "write32 0 0x20 256 0");
	EXPECT_EQ(driver_run(&lab, "read32 0 8 1"), 0x4321);
	EXPECT_EQ(lab_info(&lab).lost, 1);
}

/*
 * The ring's memory is the user's to scribble on; the kernel believes none of it. The
 * reference indexes the ring with what is in there, and writes out of bounds.
 */
TEST_FOR(hostile_indices, 60)
{
	static const uint32_t values[] = {
		0, 1, 255, 256, 257, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe, 1 << 20,
	};
	volatile struct pciem_ring *ring;

	set_up(0);
	ring = lab.ring;
	for (int round = 0; round < 4; round++) {
		for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
			ring->head = values[i];
			ring->tail = values[sizeof(values) / sizeof(values[0]) - 1 - i];
			driver_run(&lab, "locked 1");
			driver_run(&lab, "write32 0 0x20 4 1");
			driver_run(&lab, "read64 0 0x20 2");
		}
	}
	start_work("write32 0 0x20 %lu %lu", 5000, 0);
	for (uint64_t i = 0; !worker_done; i++) {
		ring->head = i * 2654435761u;
		ring->tail = ~(uint32_t)i;
		ring->lost = i;
		memset((void *)&ring->events[i & 255], 0xff, sizeof(ring->events[0]));
	}
	end_work();
	/* Once it behaves, it works again: what is in the ring now is from the kernel's tail on */
	driver_run(&lab, "write32 0 0x20 1 0x77");
	lab.head = ring->tail;
	EXPECT_(lab.head < 256, true, "tail %lu", lab.head);
	lab_drain(&lab);
	driver_run(&lab, "write32 0 0x20 1 0x78");
	const struct pciem_event *e = lab_event(&lab, 1000);

	ASSERT(e);
	EXPECT_EQ(e->data, 0x78);
}

/* The same in a wide ring, whose indices count on for ever */
TEST_FOR(hostile_wide_indices, 60)
{
	static const uint64_t values[] = {
		0, 1, 256, 0x7fffffff, 0xffffffff, 1ULL << 32, ~0ULL, ~0ULL - 256, 1ULL << 63,
	};
	volatile struct pciem_wide_ring *ring;
	const struct pciem_event *e;
	uint64_t lost;

	set_up(256);
	ring = lab.wide_ring;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		ring->head = values[i];
		ring->tail = ~values[i];
		driver_run(&lab, "locked 1");
		driver_run(&lab, "write32 0 0x20 4 1");
		driver_run(&lab, "read64 0 0x20 2");
	}
	/* A head ahead of the tail is a lie: no room */
	lost = lab_info(&lab).lost;
	ring->head = lab_info(&lab).events + 1;
	driver_run(&lab, "locked 1");
	driver_run(&lab, "write32 0 0x20 1 1");
	EXPECT_EQ(lab_info(&lab).lost, lost + 1);
	/* The kernel's own count of what it put in */
	lab.head = lab_info(&lab).events;
	ring->head = lab.head;
	driver_run(&lab, "write32 0 0x20 1 0x78");
	e = lab_event(&lab, 1000);
	ASSERT(e);
	EXPECT_EQ(e->data, 0x78);
	EXPECT_EQ(ring->tail, lab.head);
}

TEST(a_ring_that_nobody_maps)
{
	struct lab_spec spec = lab_plain;

	spec.device = LAB_DEVICE;
	driver_load("irq=none");
	lab_build(&lab, &spec);
	lab_register(&lab);
	lab_trace(&lab, 0, PCIEM_TRACE_READS | PCIEM_TRACE_WRITES);
	lab_start(&lab);
	driver_wait(&lab);
	driver_run(&lab, "write32 0 0x20 300 0");
	EXPECT_EQ(lab_info(&lab).events, 255);
	EXPECT_EQ(lab_info(&lab).lost, 45);
}

TEST(the_greatest_ring)
{
	set_up(PCIEM_RING_MAX_EVENTS);
	driver_run(&lab, "write32 0 0x20 65535 0");
	EXPECT_EQ(lab_info(&lab).lost, 0);
	EXPECT_EQ(lab_info(&lab).events, 65535);
	for (unsigned int i = 0; i < 65535; i++) {
		const struct pciem_event *e = lab_event(&lab, 0);

		EXPECT_(e && e->data == i, true, "event %u", i);
	}
}

TEST_MAIN()

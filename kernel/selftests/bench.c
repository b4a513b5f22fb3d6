// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a driver's access costs, beside an eventfd round trip between two processes in the same run. No test: it
 * prints one JSON object a line, { name, value, unit }.
 *
 *	bench [rounds]
 *
 * The device is a process of its own that spins on the ring for a while and then polls, as the lab's does.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver.h"
#include "harness.h"

#define RUNS		7
#define SPIN_NS		100000

static struct lab lab;

static void report(const char *name, double value, const char *unit)
{
	printf("{\"name\":\"%s\",\"value\":%.*f,\"unit\":\"%s\"}\n", name, value < 100 ? 2 : 0, value, unit);
	fflush(stdout);
}

static int compare(const void *a, const void *b)
{
	return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static double median(double *values)
{
	qsort(values, RUNS, sizeof(*values), compare);
	return values[RUNS / 2];
}

/* ns of one access of a command that takes BAR 0's @offset and a count */
static double access_ns(const char *command, unsigned int offset, unsigned int rounds)
{
	double values[RUNS];

	for (int run = 0; run < RUNS; run++) {
		struct driver_result result;

		ASSERT(!driver_try(&lab, &result, "%s 0 %#x %u", command, offset, rounds));
		values[run] = (double)result.ns / rounds;
	}
	return median(values);
}

static double round_trip_ns(unsigned int rounds)
{
	int there = eventfd(0, 0), back = eventfd(0, 0);
	double values[RUNS];
	uint64_t one = 1;
	pid_t child = fork();

	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (read(there, &one, 8) == 8 && write(back, &one, 8) == 8)
			;
		_exit(0);
	}
	for (int run = 0; run < RUNS; run++) {
		uint64_t start = lab_now_ns();

		for (unsigned int i = 0; i < rounds; i++) {
			one = 1;
			ASSERT(write(there, &one, 8) == 8 && read(back, &one, 8) == 8);
		}
		values[run] = (double)(lab_now_ns() - start) / rounds;
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(there);
	close(back);
	return median(values);
}

/* Takes events until it is killed, and answers those that want it */
static void device(bool spin)
{
	struct pciem_response response = { .data = 1 };
	uint64_t until = 0;

	for (;;) {
		const struct pciem_wide_event *e = lab_wide_event(&lab, 0);

		if (!e) {
			if (!spin || lab_now_ns() > until)
				e = lab_wide_event(&lab, 1000);
			if (!e)
				continue;
		}
		if (e->flags & PCIEM_EVENT_FLAG_SYNC) {
			response.seq = e->event.seq;
			if (write(lab.fd, &response, sizeof(response)) < 0)
				fprintf(stderr, "an answer came too late\n");
		}
		until = lab_now_ns() + SPIN_NS;
	}
}

static pid_t start_device(bool spin)
{
	int ready[2];
	pid_t child;

	ASSERT(!pipe(ready));
	child = fork();
	if (!child) {
		const struct {
			uint64_t offset;
			uint32_t flags;
		} ranges[] = {
			{ 0x1000, PCIEM_TRACE_WRITES },
			{ 0x2000, PCIEM_TRACE_READS },
			{ 0x3000, PCIEM_TRACE_SYNC_READS },
			{ 0x4000, PCIEM_TRACE_SYNC_WRITES },
		};
		struct lab_spec spec = lab_plain;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		spec.device = LAB_DEVICE;
		spec.slots = 65536;
		lab_power_on(&lab, &spec);
		for (int i = 0; i < 4; i++) {
			struct pciem_trace_range range = {
				.offset = ranges[i].offset, .length = 0x1000, .flags = ranges[i].flags,
			};

			ASSERT(!ioctl(lab.fd, PCIEM_IOC_TRACE_RANGE, &range));
		}
		ASSERT(write(ready[1], lab.address, sizeof(lab.address)) == sizeof(lab.address));
		device(spin);
	}
	ASSERT(read(ready[0], lab.address, sizeof(lab.address)) == sizeof(lab.address));
	close(ready[0]);
	close(ready[1]);
	driver_wait(&lab);
	return child;
}

static void measure(const char *kind, bool spin, unsigned int rounds)
{
	static const struct {
		const char *name, *command;
		unsigned int offset;
	} rows[] = {
		{ "untrapped-write", "write32", 0 },
		{ "untrapped-read", "read32", 0 },
		{ "trapped-write", "write32", 0x1000 },
		{ "trapped-read", "read32", 0x2000 },
		{ "synchronous-read", "read32", 0x3000 },
		{ "synchronous-write", "write32", 0x4000 },
	};
	pid_t child = start_device(spin);
	double trip = round_trip_ns(rounds), plain[2] = { 0 };
	char name[96];

	snprintf(name, sizeof(name), "access/%s/eventfd-round-trip", kind);
	report(name, trip, "ns");
	for (int i = 0; i < 6; i++) {
		double ns = access_ns(rows[i].command, rows[i].offset, i < 2 ? 50 * rounds : rounds);

		snprintf(name, sizeof(name), "access/%s/%s", kind, rows[i].name);
		report(name, ns, "ns");
		if (i < 2) {
			plain[i] = ns;
			continue;
		}
		if (i < 4)
			snprintf(name, sizeof(name), "access/%s/%s-by-untrapped", kind, rows[i].name);
		else
			snprintf(name, sizeof(name), "access/%s/%s-by-round-trip", kind, rows[i].name);
		report(name, i < 4 ? ns / plain[i - 2] : ns / trip, "x");
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	EXPECT(lab_wait(!lab_exists(&lab), 5000));
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 1 ? atoi(argv[1]) : 2000;

	driver_load("irq=none");
	measure("spinning-device", true, rounds);
	measure("polling-device", false, rounds);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What interrupts cost: how many a second with one and with four injectors, how
 * long from the call to the handler, and a million from four threads, none of
 * which is missing. No test: it prints one JSON object a line, { name, value, unit }.
 *
 *	bench_irq [interrupts]
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "driver.h"
#include "harness.h"

#define INJECTORS	4
#define ROUNDS		2000

static struct lab lab;
static unsigned int each;

static void report(const char *name, double value, const char *unit, double limit)
{
	printf("{\"name\":\"%s\",\"value\":%.1f,\"unit\":\"%s\",\"limit\":%.1f}\n", name, value, unit,
	       limit);
	fflush(stdout);
}

static void inject(uint32_t vector)
{
	struct pciem_irq_inject inject = { .vector = vector };

	ASSERT(!ioctl(lab.fd, PCIEM_IOC_INJECT_IRQ, &inject));
}

static void *inject_many(void *arg)
{
	for (unsigned int i = 0; i < each; i++)
		inject((uintptr_t)arg);
	return NULL;
}

static uint64_t arrived(void)
{
	struct driver_state state = driver_state(&lab);

	return (uint64_t)state.irqs[0] + state.irqs[1] + state.irqs[2] + state.irqs[3];
}

/* Seconds until the handlers have run for all of them */
static double burst(unsigned int injectors, unsigned int interrupts)
{
	pthread_t threads[INJECTORS];
	uint64_t start;

	driver_run(&lab, "reset");
	each = interrupts / injectors;
	start = lab_now_ns();
	for (uintptr_t i = 0; i < injectors; i++)
		ASSERT(!pthread_create(&threads[i], NULL, inject_many, (void *)i));
	for (unsigned int i = 0; i < injectors; i++)
		pthread_join(threads[i], NULL);
	lab_wait(arrived() == each * injectors, 10000);
	return (lab_now_ns() - start) / 1e9;
}

static int compare(const void *a, const void *b)
{
	return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

/* Calls that do nothing, a second */
static double calls(unsigned int times)
{
	struct pciem_version version;
	uint64_t start = lab_now_ns();

	for (unsigned int i = 0; i < times; i++)
		ASSERT(!ioctl(lab.fd, PCIEM_IOC_GET_VERSION, &version));
	return times * 1e9 / (lab_now_ns() - start);
}

/* From before the call until the handler looked at the clock, on CPU @cpu */
static double latency(unsigned int cpu)
{
	static double values[ROUNDS];
	struct pciem_vector_info info = { .vector = 0 };
	char path[64], text[16];
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(0, &here);
	sched_setaffinity(0, sizeof(here), &here);
	ASSERT(!ioctl(lab.fd, PCIEM_IOC_VECTOR_INFO, &info));
	snprintf(path, sizeof(path), "/proc/irq/%u/smp_affinity_list", info.irq);
	snprintf(text, sizeof(text), "%u", cpu);
	if (lab_write_file(path, text))
		return 0;
	driver_run(&lab, "irqstamp 1");
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t start = lab_now_ns(), handled;

		inject(0);
		do
			handled = driver_run(&lab, "irqtime");
		while (handled < start);
		values[i] = (handled - start) / 1e3;
	}
	driver_run(&lab, "irqstamp 0");
	qsort(values, ROUNDS, sizeof(*values), compare);
	return values[ROUNDS / 2];
}

int main(int argc, char **argv)
{
	unsigned int interrupts = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000000;
	struct lab_spec spec = lab_plain;
	double limit;

	spec.device = LAB_DEVICE;
	spec.msix = INJECTORS;
	driver_load("irq=msix");
	driver_power_on(&lab, &spec);

	limit = calls(20000);
	report("irq/one-injector", interrupts / 10 / burst(1, interrupts / 10), "1/s", limit);
	report("irq/four-injectors", interrupts / burst(INJECTORS, interrupts), "1/s", limit);
	report("irq/missing", (double)(each * INJECTORS) - arrived(), "", each * INJECTORS);
	limit = latency(0);
	report("irq/latency-other-cpu", latency(1), "us", limit);
	lab_power_off(&lab);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many threads at once that do everything, in any order, with bad arguments: no
 * result is checked, but the kernel goes on, and gives everything back.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "driver.h"
#include "harness.h"

#define THREADS 6

static volatile bool stop;
static struct lab lab;
static uint64_t driver_memory;
static int event_file;

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint64_t nearly(uint64_t *state)
{
	static const uint64_t values[] = {
		0, 1, 2, 3, 4, 7, 8, 16, 64, 255, 256, 4095, 4096, 8192, 65536,
		0x7fffffff, 0x80000000, 0xffffffff, 1ULL << 40, ~0ULL,
	};

	return next(state) % 4 ? values[next(state) % 20] : next(state);
}

static void one_call(uint64_t *state, int fd, int instance)
{
	static uint8_t buffer[65536];
	void *p;

	switch (next(state) % 14) {
	case 0: {
		struct pciem_dma_op op = {
			.iova = nearly(state), .user_addr = (uintptr_t)buffer,
			.length = nearly(state) & 0xffff, .flags = PCIEM_DMA_READ, .func = next(state) % 3 == 0,
		};

		ioctl(fd, PCIEM_IOC_DMA, &op);
		break;
	}
	case 1: {
		struct pciem_dma_op op = {
			.iova = driver_memory + nearly(state) % 32768, .user_addr = nearly(state) % 2 ?
				(uintptr_t)buffer : nearly(state),
			.length = next(state) & 0x7fff, .flags = driver_memory ? PCIEM_DMA_WRITE : 0,
		};

		ioctl(fd, PCIEM_IOC_DMA, &op);
		break;
	}
	case 2: {
		struct pciem_dma_indirect op = {
			.prp1 = nearly(state), .prp2 = nearly(state) & ~7ULL, .user_addr = (uintptr_t)buffer,
			.length = nearly(state) & 0xffff, .page_size = 4096, .flags = PCIEM_DMA_READ,
		};

		ioctl(fd, PCIEM_IOC_DMA_INDIRECT, &op);
		break;
	}
	case 3: {
		struct pciem_dma_segment segments[8];
		struct pciem_dma_batch batch = { .segments = (uintptr_t)segments, .count = 8 };

		for (int i = 0; i < 8; i++)
			segments[i] = (struct pciem_dma_segment){
				driver_memory, (uintptr_t)buffer, driver_memory ? next(state) % 4096 : 0,
				driver_memory ? 1 + next(state) % 6 : PCIEM_DMA_IRQ, next(state) % 6,
			};
		ioctl(fd, PCIEM_IOC_DMA_BATCH, &batch);
		break;
	}
	case 4: {
		struct pciem_irq_inject inject = { next(state) % 5, next(state) % 8 == 0, { 0 } };

		ioctl(fd, PCIEM_IOC_INJECT_IRQ, &inject);
		break;
	}
	case 5: {
		struct pciem_config_access access = {
			.offset = next(state) % 256 & ~3U, .size = 4,
			.flags = next(state) % 8 ? 0 : PCIEM_CONFIG_WRITE, .value = next(state),
		};

		/* Not the BARs, not the command register: the driver is to go on */
		if (access.flags && (access.offset < 0x28 || access.offset >= 0x40))
			access.flags = 0;
		ioctl(fd, PCIEM_IOC_CONFIG_ACCESS, &access);
		break;
	}
	case 6: {
		struct pciem_trace_bar trace = { nearly(state) % 8, nearly(state) & 7, 0, { 0 } };

		ioctl(fd, PCIEM_IOC_TRACE_BAR, &trace);
		break;
	}
	case 7: {
		struct pciem_eventfd_config config = {
			next(state) % 3 ? event_file : (int)nearly(state), 0,
		};

		ioctl(fd, PCIEM_IOC_SET_EVENTFD, &config);
		break;
	}
	case 8: {
		size_t bytes = 4096 << next(state) % 6;

		p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			 next(state) % 2 ? fd : instance, (next(state) % 20) * 4096);
		if (p != MAP_FAILED)
			munmap(p, bytes);
		break;
	}
	case 9: {
		struct pciem_vector_info info = { .vector = nearly(state) % 9 };

		ioctl(fd, PCIEM_IOC_VECTOR_INFO, &info);
		break;
	}
	case 10: {
		struct pciem_device_info info = { 0 };

		ioctl(fd, PCIEM_IOC_DEVICE_INFO, &info);
		break;
	}
	case 11:
		ioctl(fd, next(state) % 2 ? PCIEM_IOC_START : PCIEM_IOC_REGISTER);
		break;
	case 12: {
		struct pciem_bar_config bar = {
			.bar_index = next(state) % 7, .size = 4096ULL << next(state) % 6,
			.flags = nearly(state) & 0xf,
		};

		ioctl(fd, PCIEM_IOC_ADD_BAR, &bar);
		break;
	}
	case 13: {
		struct pciem_cap_config cap = { .cap_type = next(state) % 7 };

		memset(&cap.u, nearly(state), sizeof(cap.u));
		ioctl(fd, PCIEM_IOC_ADD_CAPABILITY, &cap);
		break;
	}
	}
}

static void *attack(void *arg)
{
	uint64_t state = 0x1234567 + 0x9e3779b97f4a7c15ULL * (uintptr_t)arg;

	while (!stop)
		one_call(&state, lab.fd, lab.instance);
	return NULL;
}

static void *consume(void *arg)
{
	(void)arg;
	while (!stop) {
		lab_drain(&lab);
		usleep(200);
	}
	return NULL;
}

static void threads(void *(*run)(void *), unsigned int count, pthread_t *ids)
{
	for (uintptr_t i = 0; i < count; i++)
		ASSERT(!pthread_create(&ids[i], NULL, run, (void *)i));
}

TEST_FOR(every_call_from_many_threads, 60)
{
	struct lab_spec spec = lab_plain;
	struct driver_result result;
	pthread_t ids[THREADS + 1];
	uint64_t start = lab_now_ns();

	spec.device = LAB_DEVICE;
	spec.msix = 4;
	event_file = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	driver_load("irq=msix");
	driver_power_on(&lab, &spec);
	driver_memory = driver_state(&lab).dma;
	lab_trace(&lab, 0, PCIEM_TRACE_READS | PCIEM_TRACE_WRITES);
	threads(attack, THREADS, ids);
	threads(consume, 1, ids + THREADS);
	for (uint64_t end = start + 6000000000ULL; lab_now_ns() < end;) {
		driver_try(&lab, &result, "write32 0 0x40 100 0");
		driver_try(&lab, &result, "read32 0 0x40 100");
		driver_try(&lab, &result, "fromio 0 0 0x200");
	}
	stop = true;
	for (int i = 0; i < THREADS + 1; i++)
		pthread_join(ids[i], NULL);
	lab_power_off(&lab);
	EXPECT(lab_wait(!lab_exists(&lab), 5000));
	EXPECT(lab_wait(module_references("pciem") == 0, 5000));
}

/* The same while it is built, registered and started by whoever comes first, and then killed */
TEST_FOR(every_call_while_it_comes_and_goes, 120)
{
	driver_load("irq=msix");
	event_file = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (int round = 0; round < 15; round++) {
		struct lab_spec spec = lab_plain;
		pid_t child = fork();

		if (!child) {
			pthread_t ids[THREADS];

			spec.device = LAB_DEVICE;
			spec.msix = 4;
			lab_build(&lab, &spec);
			threads(attack, THREADS, ids);
			pause();
		}
		usleep(50000 + 20000 * round);
		kill(child, SIGKILL);
		EXPECT(lab_wait(module_references("pciem") == 0, 10000));
	}
}

static long available_kib(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	long kib = 0;

	ASSERT(file);
	while (fgets(line, sizeof(line), file))
		sscanf(line, "MemAvailable: %ld", &kib);
	fclose(file);
	return kib;
}

/* The reference never gives BAR memory back */
TEST_FOR(memory_comes_back, 120)
{
	struct lab_spec spec = lab_plain;
	long before = 0, after;
	void *bar;

	spec.device = LAB_DEVICE;
	spec.bars[0].size = 8 << 20;
	spec.msix = 32;
	spec.slots = PCIEM_RING_MAX_EVENTS;
	driver_load("irq=msix");
	for (int round = 0; round < 60; round++) {
		driver_power_on(&lab, &spec);
		bar = lab_map_bar(&lab, 0, 8 << 20);
		memset(bar, 1, 8 << 20);
		munmap(bar, 8 << 20);
		lab_power_off(&lab);
		if (round == 9)
			before = available_kib();
	}
	lab_sleep_ms(200);
	after = available_kib();
	/* 50 devices of 11 MiB each would be 550 MiB */
	EXPECT_(before - after < 40 * 1024, false, "%ld KiB before, %ld KiB after 50 devices", before, after);
}

TEST_MAIN()

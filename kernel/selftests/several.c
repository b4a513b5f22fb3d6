// SPDX-License-Identifier: GPL-2.0-only
/* Several devices at once, and devices of several functions: each its own. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "driver.h"
#include "harness.h"

#define DEVICES 5

static struct lab labs[DEVICES];

static void set_up(unsigned int msix)
{
	struct lab_spec spec = lab_plain;

	spec.device = LAB_DEVICE;
	spec.msix = msix;
	spec.slots = 4096;
	driver_load(msix ? "irq=msix" : "irq=intx");
	for (int i = 0; i < DEVICES; i++)
		driver_power_on(&labs[i], &spec);
}

TEST(each_has_a_domain_and_memory_of_its_own)
{
	uint64_t phys[DEVICES];

	set_up(4);
	for (int i = 0; i < DEVICES; i++) {
		struct pciem_bar_info_query query = { .bar_index = 0 };

		ASSERT(!ioctl(labs[i].fd, PCIEM_IOC_GET_BAR_INFO, &query));
		phys[i] = query.phys;
		for (int j = 0; j < i; j++) {
			EXPECT(strcmp(labs[i].address, labs[j].address));
			EXPECT(phys[i] + 0x10000 <= phys[j] || phys[j] + 0x10000 <= phys[i]);
		}
		driver_run(&labs[i], "write32 0 0x40 1 %#x", 0x1000 + i);
		driver_run(&labs[i], "write32 2 0x40 1 %#x", 0x2000 + i);
		driver_run(&labs[i], "dmaput 0 %#x", 0x3000 + i);
	}
	for (int i = 0; i < DEVICES; i++) {
		uint64_t value = 0;
		struct pciem_dma_op op = {
			.iova = driver_state(&labs[i]).dma, .user_addr = (uintptr_t)&value,
			.length = 8, .flags = PCIEM_DMA_READ,
		};

		EXPECT_EQ(*(uint32_t *)((char *)lab_map_bar(&labs[i], 0, 0x10000) + 0x40), 0x1000 + i);
		EXPECT_EQ(*(uint32_t *)((char *)lab_map_bar(&labs[i], 2, 0x4000) + 0x40), 0x2000 + i);
		EXPECT_OK(ioctl(labs[i].fd, PCIEM_IOC_DMA, &op));
		EXPECT_EQ(value, 0x3000 + i);
	}
}

#define MANY 64

TEST_FOR(sixty_four_at_once, 120)
{
	static struct lab many[MANY];
	struct lab_spec spec = lab_plain;

	spec.msix = 4;
	for (int i = 0; i < MANY; i++) {
		lab_power_on(&many[i], &spec);
		for (int j = 0; j < i; j++)
			EXPECT(strcmp(many[i].address, many[j].address));
	}
	for (int i = 0; i < MANY; i++)
		*(uint32_t *)lab_map_bar(&many[i], 0, 0x1000) = i;
	for (int i = 0; i < MANY; i++) {
		EXPECT(lab_exists(&many[i]));
		EXPECT_EQ(*(uint32_t *)lab_map_bar(&many[i], 0, 0x1000), i);
	}
	/* Not in the order in which they came */
	for (int i = 0; i < MANY; i++)
		lab_power_off(&many[i * 37 % MANY]);
	for (int i = 0; i < MANY; i++)
		EXPECT(lab_wait(!lab_exists(&many[i]), 5000));
}

TEST(events_go_to_their_own_ring)
{
	set_up(4);
	for (int i = 0; i < DEVICES; i++)
		lab_trace(&labs[i], 0, PCIEM_TRACE_READS | PCIEM_TRACE_WRITES);
	for (int round = 0; round < 20; round++)
		for (int i = 0; i < DEVICES; i++)
			driver_run(&labs[i], "write32 0 0x40 %d %#x", i + 1, 100 * i + round);
	for (int i = 0; i < DEVICES; i++) {
		EXPECT_EQ(lab_info(&labs[i]).events, 20 * (i + 1));
		for (int n = 0; n < 20 * (i + 1); n++) {
			const struct pciem_event *e = lab_event(&labs[i], 0);

			EXPECT_(e && e->data == (uint64_t)(100 * i + n / (i + 1) + n % (i + 1)), true,
				"device %d, event %d", i, n);
		}
	}
}

static void interrupts_are_their_own(void)
{
	for (int i = 0; i < DEVICES; i++) {
		struct pciem_irq_inject inject = { 0 };

		for (int n = 0; n <= i; n++)
			EXPECT_OK(ioctl(labs[i].fd, PCIEM_IOC_INJECT_IRQ, &inject));
	}
	for (int i = 0; i < DEVICES; i++) {
		lab_wait(driver_state(&labs[i]).irqs[0] == (unsigned int)i + 1, 1000);
		EXPECT_EQ(driver_state(&labs[i]).irqs[0], i + 1);
	}
}

TEST(MSIX_goes_to_its_own_driver)
{
	set_up(4);
	interrupts_are_their_own();
}

TEST(INTx_goes_to_its_own_driver)
{
	set_up(0);
	interrupts_are_their_own();
}

static void *hammer(void *arg)
{
	struct lab *lab = arg;
	struct driver_result result;

	for (int i = 0; i < 20; i++)
		if (driver_try(lab, &result, "write32 0 0x40 1000 0"))
			return (void *)1;
	return NULL;
}

static volatile bool draining;

static void *drain(void *arg)
{
	struct lab *lab = arg;
	uint64_t count = 0, seq = 0;

	while (draining || lab_event(lab, 0)) {
		const struct pciem_event *e;

		while ((e = lab_event(lab, 2))) {
			if (e->seq != seq + 1)
				return (void *)~0UL;
			seq = e->seq;
			count++;
		}
	}
	return (void *)count;
}

TEST_FOR(all_at_work_at_once, 120)
{
	pthread_t drivers[DEVICES], devices[DEVICES];
	void *value;

	set_up(4);
	draining = true;
	for (int i = 0; i < DEVICES; i++) {
		lab_trace(&labs[i], 0, PCIEM_TRACE_WRITES);
		ASSERT(!pthread_create(&devices[i], NULL, drain, &labs[i]));
		ASSERT(!pthread_create(&drivers[i], NULL, hammer, &labs[i]));
	}
	for (int i = 0; i < DEVICES; i++) {
		pthread_join(drivers[i], &value);
		EXPECT(!value);
	}
	lab_sleep_ms(100);
	draining = false;
	for (int i = 0; i < DEVICES; i++) {
		pthread_join(devices[i], &value);
		EXPECT_EQ((long)value, 20000);
		EXPECT_EQ(lab_info(&labs[i]).lost, 0);
	}
}

TEST(one_that_goes_leaves_the_others)
{
	set_up(4);
	lab_power_off(&labs[2]);
	EXPECT(lab_wait(!lab_exists(&labs[2]), 2000));
	EXPECT(!driver_bound(&labs[2]));
	for (int i = 0; i < DEVICES; i++) {
		if (i == 2)
			continue;
		EXPECT(lab_exists(&labs[i]));
		driver_run(&labs[i], "write32 0 0x40 1 %d", 7 + i);
		EXPECT_EQ(driver_run(&labs[i], "read32 0 0x40 1"), 7 + i);
	}
	/* Its place is free for another */
	struct lab_spec spec = lab_plain;

	spec.device = LAB_DEVICE;
	spec.msix = 4;
	driver_power_on(&labs[2], &spec);
	EXPECT_EQ(driver_run(&labs[2], "read32 0 0x40 1"), 0);
}

/* The reference does not register these */
TEST(a_device_of_several_functions)
{
	struct pciem_create_device create = { 0 };
	struct lab lab = { .instance = -1, .slots = 256 };
	char path[128];

	driver_load("irq=msi");
	lab.fd = open("/dev/pciem", O_RDWR | O_CLOEXEC);
	ASSERT(lab.fd >= 0);
	for (int func = 0; func < 8; func += 3) {
		struct pciem_config_space config = {
			.func = func, .vendor_id = LAB_VENDOR, .device_id = LAB_DEVICE,
			.class_code = { 0, 0, 0xff },
		};
		struct pciem_bar_config bar = { .func = func, .size = 0x1000 << func };
		struct pciem_cap_config cap = { .func = func, .cap_type = PCIEM_CAP_MSI };

		create.func = func;
		ASSERT(!ioctl(lab.fd, PCIEM_IOC_CREATE_DEVICE, &create));
		ASSERT(!ioctl(lab.fd, PCIEM_IOC_SET_CONFIG, &config));
		ASSERT(!ioctl(lab.fd, PCIEM_IOC_ADD_BAR, &bar));
		ASSERT(!ioctl(lab.fd, PCIEM_IOC_ADD_CAPABILITY, &cap));
	}
	lab_register(&lab);
	lab_start(&lab);
	for (int func = 0; func < 8; func += 3) {
		struct pciem_irq_inject inject = { .func = func };
		uint32_t *bar = mmap(NULL, 0x1000 << func, PROT_READ | PROT_WRITE, MAP_SHARED,
				     lab.instance, PCIEM_BAR_PGOFF(func, 0) * 4096L);

		lab.address[strlen(lab.address) - 1] = '0' + func;
		snprintf(path, sizeof(path), "%s", lab_sysfs(&lab, "vendor"));
		EXPECT_EQ(lab_read_number(path), LAB_VENDOR);
		driver_wait(&lab);
		ASSERT(bar != MAP_FAILED);
		driver_run(&lab, "write32 0 %#x 1 %#x", (0x1000 << func) - 4, 0x500 + func);
		EXPECT_EQ(bar[(0x1000 << func) / 4 - 1], 0x500 + func);
		for (int n = 0; n <= func; n++)
			EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_INJECT_IRQ, &inject));
		EXPECT(lab_wait(driver_state(&lab).irqs[0] == (unsigned int)func + 1, 1000));
	}
	lab_power_off(&lab);
	EXPECT(lab_wait(!lab_exists(&lab), 2000));
}

TEST_MAIN()

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Power states: D3hot by the driver's hand, by runtime power management and by a
 * suspend of the machine; and back. A function in D3hot answers configuration
 * cycles and nothing else (PCIe 5.0, 5.3.1.4).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "driver.h"
#include "harness.h"

#define D0	0
#define D3HOT	3

static struct lab lab;
static unsigned int pm;		/* where the capability is */

/* PM is the first capability; without No_Soft_Reset when @soft */
static void set_up(bool soft, uint32_t events)
{
	struct pciem_set_events set = { .mask = events };
	uint8_t zero = 0, state = 3;
	struct pciem_config_define define = {
		.bytes = (uintptr_t)&zero, .rw = (uintptr_t)&state, .offset = 0x44, .length = 1,
	};
	struct lab_spec spec = lab_plain;

	spec.device = LAB_DEVICE;
	spec.slots = 4096;
	spec.msix = 8;
	spec.pm = spec.pcie = true;
	lab_build(&lab, &spec);
	if (soft)
		EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_CONFIG_DEFINE, &define));
	driver_load("irq=msix");
	lab_register(&lab);
	lab_map_ring(&lab);
	ASSERT(!ioctl(lab.fd, PCIEM_IOC_SET_EVENTS, &set));
	lab_trace(&lab, 0, PCIEM_TRACE_READS | PCIEM_TRACE_WRITES);
	lab_start(&lab);
	driver_wait(&lab);
	pm = 0x40;
	ASSERT(lab_config_access(&lab, 0, pm, 1, 0) == 1);
	driver_run(&lab, "write32 0 0x40 1 0x44");
	driver_run(&lab, "write32 2 0x10 1 0x55");
	lab_drain(&lab);
}

static unsigned int state(void)
{
	return lab_config_access(&lab, 0, pm + 4, 2, 0) & 3;
}

/* The way to D3hot takes its time, for which 10 ms are allowed. */
static bool answers_nothing(void)
{
	return lab_wait(driver_run(&lab, "read32 2 0x10 1") == 0xffffffff, 2000);
}

static void works(void)
{
	struct pciem_irq_inject inject = { .vector = 5 };
	const struct pciem_event *e;

	driver_run(&lab, "reset");
	EXPECT_EQ(driver_run(&lab, "read32 2 0x10 1"), 0x55);
	lab_drain(&lab);
	EXPECT_EQ(driver_run(&lab, "read32 0 0x40 1"), 0x44);
	e = lab_event(&lab, 1000);
	ASSERT(e);
	EXPECT_EQ(e->type, PCIEM_EVENT_MMIO_READ);
	EXPECT_EQ(e->data, 0x44);
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_INJECT_IRQ, &inject));
	EXPECT(lab_wait(driver_state(&lab).irqs[5] == 1, 1000));
}

TEST(to_D3hot_and_back)
{
	struct pciem_irq_inject inject = { .vector = 5 };
	volatile uint32_t *bar2, *user;
	struct pciem_dma_op dma;
	uint64_t word = 0;
	int fd;

	set_up(false, 0);
	bar2 = lab_map_bar(&lab, 2, 0x4000);
	fd = open(lab_sysfs(&lab, "resource2"), O_RDWR | O_CLOEXEC);
	ASSERT(fd >= 0);
	user = mmap(NULL, 0x4000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT(user != MAP_FAILED);
	EXPECT_EQ(user[4], 0x55);
	dma = (struct pciem_dma_op){
		.iova = driver_state(&lab).dma, .user_addr = (uintptr_t)&word, .length = 8,
		.flags = PCIEM_DMA_READ,
	};
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_DMA, &dma));

	for (int times = 0; times < 5; times++) {
		EXPECT_EQ(driver_run(&lab, "pmstate 3"), D3HOT);
		EXPECT_EQ(state(), D3HOT);
		EXPECT(answers_nothing());
		EXPECT_EQ(driver_run(&lab, "read64 2 0x10 1"), -1);
		EXPECT_EQ(driver_run(&lab, "read8 2 0x13 1"), 0xff);
		EXPECT_EQ(driver_run(&lab, "fromio 2 0 64"), 64 * 0xff);
		EXPECT_EQ(driver_run(&lab, "ioremap 0 2 0x10 0x66"), 0xffffffff);
		EXPECT_EQ(user[4], 0xffffffff);
		/* Writes are dropped, and neither is told of. */
		driver_run(&lab, "write32 2 0x10 1 0x66");
		user[4] = 0x66;
		driver_run(&lab, "write32 0 0x40 1 0x66");
		EXPECT_EQ(driver_run(&lab, "read32 0 0x40 1"), 0xffffffff);
		EXPECT(!lab_event(&lab, 20));
		/* The device's own access is not one over the bus. */
		EXPECT_EQ(bar2[4], 0x55);
		/* Nor does the device ask for anything. */
		EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_INJECT_IRQ, &inject), ESHUTDOWN);
		EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DMA, &dma), EACCES);

		EXPECT_EQ(driver_run(&lab, "pmstate 0"), D0);
		EXPECT_EQ(state(), D0);
		EXPECT_EQ(user[4], 0x55);
		works();
		EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_DMA, &dma));
		lab_drain(&lab);
	}
}

/* A device that was not told what to do with them has plain memory for registers. */
TEST(another_device_does_not_reach_into_D3hot)
{
	struct pciem_bar_info_query info = { .bar_index = 2 };
	struct lab_spec spec = lab_plain;
	struct pciem_p2p_op p2p;
	struct lab other;
	uint32_t word = 0;

	set_up(false, 0);
	ASSERT(!ioctl(lab.fd, PCIEM_IOC_GET_BAR_INFO, &info));
	lab_power_on(&other, &spec);
	lab_bus_master(&other, true);
	p2p = (struct pciem_p2p_op){
		.target_phys = info.phys + 0x10, .user_addr = (uintptr_t)&word, .length = 4,
		.flags = PCIEM_DMA_READ,
	};
	EXPECT_OK(ioctl(other.fd, PCIEM_IOC_P2P, &p2p));
	EXPECT_EQ(word, 0x55);
	driver_run(&lab, "pmstate 3");
	EXPECT_OK(ioctl(other.fd, PCIEM_IOC_P2P, &p2p));
	EXPECT_EQ(word, 0xffffffff);
	driver_run(&lab, "pmstate 0");
	EXPECT_OK(ioctl(other.fd, PCIEM_IOC_P2P, &p2p));
	EXPECT_EQ(word, 0x55);
	lab_power_off(&other);
}

/* Without No_Soft_Reset the way back is a reset, told before what the driver does next. */
TEST(reset_on_the_way_back)
{
	const struct pciem_wide_event *e;

	set_up(true, PCIEM_EVENTS_RESET);
	for (int times = 0; times < 3; times++) {
		driver_run(&lab, "pmstate 3");
		EXPECT(answers_nothing());
		EXPECT(!lab_wide_event(&lab, 0));
		driver_run(&lab, "pmstate 0");
		/* The PCI core restores the table of messages next, which is in BAR 0 too. */
		e = lab_wide_event(&lab, 1000);
		ASSERT(e);
		EXPECT_EQ(e->event.type, PCIEM_EVENT_RESET);
		EXPECT_EQ(e->event.data, PCIEM_RESET_PM);
		works();
		lab_drain(&lab);
	}
}

static bool runtime_status(const char *want)
{
	char text[32] = "";
	int fd = open(lab_sysfs(&lab, "power/runtime_status"), O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return !strncmp(text, want, strlen(want));
}

static bool has_runtime_pm(void)
{
	return !access(lab_sysfs(&lab, "power/control"), F_OK);
}

TEST(runtime_power_management)
{
	set_up(false, 0);
	if (!has_runtime_pm())
		harness_skip("this kernel has no runtime power management");
	for (int times = 0; times < 3; times++) {
		ASSERT(!lab_write_file(lab_sysfs(&lab, "power/control"), "auto"));
		EXPECT(lab_wait(runtime_status("suspended"), 5000));
		EXPECT_EQ(state(), D3HOT);
		EXPECT(answers_nothing());
		ASSERT(!lab_write_file(lab_sysfs(&lab, "power/control"), "on"));
		EXPECT(runtime_status("active"));
		EXPECT_EQ(state(), D0);
		works();
	}
}

/* As far down as it can be rehearsed: the PCI core puts devices into D3hot on the way. */
TEST_FOR(suspend_of_the_machine, 90)
{
	bool down = false, up = false, reset = false;
	const struct pciem_wide_event *e;

	if (access("/sys/power/pm_test", W_OK))
		harness_skip("this kernel cannot rehearse a suspend");
	set_up(true, PCIEM_EVENTS_RESET | PCIEM_EVENTS_CONFIG);
	lab_drain(&lab);
	lab_write_file("/sys/module/suspend/parameters/pm_test_delay", "1");
	ASSERT(!lab_write_file("/sys/power/pm_test", "platform"));
	EXPECT_OK(lab_write_file("/sys/power/state", "freeze"));
	lab_write_file("/sys/power/pm_test", "none");
	while ((e = lab_wide_event(&lab, 0))) {
		if (e->event.type == PCIEM_EVENT_RESET) {
			EXPECT_EQ(e->event.data, PCIEM_RESET_PM);
			EXPECT(up);
			reset = true;
		} else if (e->event.type == PCIEM_EVENT_CONFIG_WRITE && e->event.offset == pm + 4) {
			down |= (e->event.data & 3) == D3HOT;
			up |= down && (e->event.data & 3) == D0;
		}
	}
	EXPECT(down && up && reset);
	EXPECT(driver_bound(&lab));
	EXPECT_EQ(state(), D0);
	works();
}

/* It goes, and its driver with it, whatever state it is in. */
TEST(removed_in_D3hot)
{
	for (int times = 0; times < 4; times++) {
		set_up(times % 2, 0);
		if (times < 2 || !has_runtime_pm()) {
			driver_run(&lab, "pmstate 3");
		} else {
			ASSERT(!lab_write_file(lab_sysfs(&lab, "power/control"), "auto"));
			EXPECT(lab_wait(runtime_status("suspended"), 5000));
		}
		lab_power_off(&lab);
		EXPECT(lab_wait(!lab_exists(&lab), 5000));
		EXPECT(lab_wait(module_references("pciem") == 0, 5000));
	}
}

/* A driver that comes while it is there finds it in D0. */
TEST(unbound_in_D3hot_and_bound_again)
{
	set_up(false, 0);
	driver_run(&lab, "pmstate 3");
	EXPECT(answers_nothing());
	ASSERT(!lab_write_file("/sys/bus/pci/drivers/pciem_test/unbind", lab.address));
	ASSERT(!lab_write_file("/sys/bus/pci/drivers/pciem_test/bind", lab.address));
	driver_wait(&lab);
	EXPECT_EQ(state(), D0);
	works();
}

TEST_MAIN()

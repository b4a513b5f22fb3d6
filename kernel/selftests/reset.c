// SPDX-License-Identifier: GPL-2.0-only
/* Resets, and the events of resets, of configuration cycles and of drivers that come and go. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "driver.h"
#include "harness.h"

static struct lab lab;

static void set_events(uint32_t mask)
{
	struct pciem_set_events events = { .mask = mask };

	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_SET_EVENTS, &events));
}

static uint32_t access_config(uint32_t flags, uint32_t offset, uint32_t size, uint32_t value)
{
	return lab_config_access(&lab, flags, offset, size, value);
}

static uint32_t get(uint32_t offset, uint32_t size)
{
	return access_config(0, offset, size, 0);
}

static unsigned int capability(unsigned int id)
{
	unsigned int at = get(0x34, 1), hops = 0;

	while (at && get(at, 1) != id && hops++ < 48)
		at = get(at + 1, 1);
	ASSERT(at);
	return at;
}

/* PM without No_Soft_Reset, when @soft */
static void set_up(bool soft, uint32_t events)
{
	struct lab_spec spec = lab_plain;

	spec.device = LAB_DEVICE;
	spec.slots = 4096;
	spec.msix = 8;
	spec.pcie = spec.pm = true;
	lab_build(&lab, &spec);
	if (soft) {
		/* PM is the first capability */
		uint8_t zero = 0, state = 3;
		struct pciem_config_define define = {
			.bytes = (uintptr_t)&zero, .rw = (uintptr_t)&state, .offset = 0x44, .length = 1,
		};

		EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_CONFIG_DEFINE, &define));
	}
	driver_load("irq=msix");
	lab_register(&lab);
	lab_map_ring(&lab);
	set_events(events);
	lab_start(&lab);
	driver_wait(&lab);
}

static void reset_by(const char *method)
{
	EXPECT_(!lab_write_file(lab_sysfs(&lab, "reset_method"), method), true, "no method %s: %s",
		method, harness_errno(errno));
	EXPECT_OK(lab_write_file(lab_sysfs(&lab, "reset"), "1"));
}

/* The next event that is no MMIO access */
static const struct pciem_wide_event *next_told(void)
{
	const struct pciem_wide_event *e;

	do
		e = lab_wide_event(&lab, 1000);
	while (e && e->event.type <= PCIEM_EVENT_MMIO_WRITE);
	return e;
}

static void works_after_reset(void)
{
	struct pciem_irq_inject inject = { .vector = 5 };

	driver_run(&lab, "reset");
	driver_run(&lab, "write32 0 0x40 1 0x77");
	EXPECT_EQ(driver_run(&lab, "read32 0 0x40 1"), 0x77);
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_INJECT_IRQ, &inject));
	EXPECT(lab_wait(driver_state(&lab).irqs[5] == 1, 1000));
}

static void reset_with_a_driver(const char *method, uint64_t kind)
{
	uint32_t bar0, bar0_high, bar2, command;
	const struct pciem_wide_event *e;

	bar0 = get(0x10, 4);
	bar0_high = get(0x14, 4);
	bar2 = get(0x18, 4);
	command = get(4, 2);
	EXPECT_EQ(command & 6, 6);
	reset_by(method);
	e = next_told();
	ASSERT(e);
	EXPECT_EQ(e->event.type, PCIEM_EVENT_RESET);
	EXPECT_EQ(e->event.data, kind);
	EXPECT(!next_told());
	/* The PCI core put it back */
	EXPECT_EQ(get(0x10, 4), bar0);
	EXPECT_EQ(get(0x14, 4), bar0_high);
	EXPECT_EQ(get(0x18, 4), bar2);
	EXPECT_EQ(get(4, 2), command);
	works_after_reset();
}

TEST(function_level_reset)
{
	set_up(false, PCIEM_EVENTS_RESET);
	reset_with_a_driver("flr", PCIEM_RESET_FLR);
}

TEST(power_management_reset)
{
	set_up(true, PCIEM_EVENTS_RESET);
	reset_with_a_driver("pm", PCIEM_RESET_PM);
}

TEST(no_soft_reset_is_none)
{
	unsigned int pm;

	set_up(false, PCIEM_EVENTS_RESET);
	EXPECT_EQ(lab_write_file(lab_sysfs(&lab, "reset_method"), "pm"), -1);
	EXPECT_EQ(lab_write_file(lab_sysfs(&lab, "reset_method"), "bus"), -1);
	pm = capability(1);
	access_config(PCIEM_CONFIG_WRITE, pm + 4, 2, 3);
	access_config(PCIEM_CONFIG_WRITE, pm + 4, 2, 0);
	EXPECT_EQ(get(4, 2) & 6, 6);
	EXPECT(!lab_wide_event(&lab, 50));
}

/* In the reference all of config space is writable, and no reset does or tells anything */
TEST(all_registers_return_to_their_reset_values)
{
	unsigned int pcie, msix;
	uint32_t before[1024];
	volatile uint32_t *bar;

	set_up(true, PCIEM_EVENTS_RESET);
	EXPECT_OK(lab_write_file("/sys/bus/pci/drivers/pciem_test/unbind", lab.address));
	pcie = capability(0x10);
	msix = capability(0x11);
	bar = lab_map_bar(&lab, 0, 0x10000);
	/* The Initiate bit reads 0 */
	access_config(PCIEM_CONFIG_WRITE, pcie + 8, 2, 0x8000);
	EXPECT_EQ(get(pcie + 8, 2) & 0x8000, 0);
	for (unsigned int at = 0; at < 4096; at += 4)
		before[at / 4] = get(at, 4);
	EXPECT_EQ(before[1] & 0xffff, 0);
	EXPECT_EQ(before[0x10 / 4], PCIEM_BAR_MEM64);
	EXPECT_EQ(before[0x14 / 4], 0);
	EXPECT_EQ(before[0x18 / 4], 0);

	for (unsigned int at = 4; at < 256; at += 4)
		if (at != pcie + 8 && at != 0x44)
			access_config(PCIEM_CONFIG_WRITE, at, 4, 0xffffffff);
	access_config(PCIEM_CONFIG_WRITE | PCIEM_CONFIG_AS_DEVICE, 0x800, 4, 0x12345678);
	for (int i = 0; i < 8 * 4; i++)
		bar[0x8000 / 4 + i] = 0xfee00000 + i;
	bar[0xf000 / 4] = 0xff;
	access_config(PCIEM_CONFIG_WRITE, pcie + 8, 2, 0x8000);

	for (unsigned int at = 0; at < 4096; at += 4)
		EXPECT_(get(at, 4) == before[at / 4], false, "dword %#x is %#x, not %#x", at, get(at, 4),
			before[at / 4]);
	for (int i = 0; i < 8; i++) {
		EXPECT_EQ(bar[0x8000 / 4 + 4 * i], 0);
		EXPECT_EQ(bar[0x8000 / 4 + 4 * i + 2], 0);
		EXPECT_EQ(bar[0x8000 / 4 + 4 * i + 3], 1);
	}
	EXPECT_EQ(bar[0xf000 / 4], 0);
	EXPECT_EQ(get(msix + 2, 2), 7);
}

/* RESET comes after the accesses before it and before those after it */
TEST(a_reset_is_told_in_order)
{
	const struct pciem_wide_event *e;
	unsigned int pcie;

	set_up(false, PCIEM_EVENTS_RESET);
	pcie = capability(0x10);
	lab_trace(&lab, 2, PCIEM_TRACE_WRITES);
	for (uint32_t i = 0; i < 20; i++) {
		driver_run(&lab, "write32 2 0x10 1 %u", 2 * i);
		lab_config_write(&lab, pcie + 8, 2, 0x8000);
		driver_run(&lab, "write32 2 0x10 1 %u", 2 * i + 1);
	}
	for (uint32_t i = 0; i < 60; i++) {
		e = lab_wide_event(&lab, 100);
		ASSERT(e);
		EXPECT_EQ(e->event.seq, i + 1);
		if (i % 3 == 1) {
			EXPECT_EQ(e->event.type, PCIEM_EVENT_RESET);
		} else {
			EXPECT_EQ(e->event.type, PCIEM_EVENT_MMIO_WRITE);
			EXPECT_EQ(e->event.data, 2 * (i / 3) + (i % 3) / 2);
		}
	}
}

/* The kernel saves and restores what it keeps in the function, and powers it down between. */
TEST_FOR(suspended_and_resumed, 90)
{
	struct pciem_irq_inject inject = { .vector = 3 };
	uint32_t bar0, bar2, table;
	unsigned int pm;

	if (access("/sys/power/pm_test", W_OK))
		harness_skip("this kernel cannot rehearse a suspend");
	set_up(true, PCIEM_EVENTS_RESET | PCIEM_EVENTS_CONFIG);
	driver_wait(&lab);
	pm = capability(1);
	bar0 = get(0x10, 4);
	bar2 = get(0x18, 4);
	table = driver_run(&lab, "read32 0 0x8038 1");
	driver_run(&lab, "write32 0 0x40 1 0x1234");
	lab_drain(&lab);
	lab_write_file("/sys/module/suspend/parameters/pm_test_delay", "1");
	ASSERT(!lab_write_file("/sys/power/pm_test", "devices"));
	ASSERT(!lab_write_file("/sys/power/state", "freeze"));
	lab_write_file("/sys/power/pm_test", "none");
	EXPECT(driver_bound(&lab));
	EXPECT_EQ(get(pm + 4, 2) & 3, 0);
	EXPECT_EQ(get(4, 2) & 6, 6);
	EXPECT_EQ(get(0x10, 4), bar0);
	EXPECT_EQ(get(0x18, 4), bar2);
	EXPECT_EQ(driver_run(&lab, "read32 0 0x8038 1"), table);
	EXPECT_EQ(driver_run(&lab, "read32 0 0x40 1"), 0x1234);
	driver_run(&lab, "reset");
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_INJECT_IRQ, &inject));
	EXPECT(lab_wait(driver_state(&lab).irqs[3] == 1, 2000));
}

TEST(advanced_features_reset)
{
	uint8_t af[6] = { 0x13, 0, 6, 3 };
	struct pciem_cap_bytes cap = { .bytes = (uintptr_t)af, .length = 6 };
	struct lab_spec spec = lab_plain;
	const struct pciem_wide_event *e;

	spec.slots = 256;
	lab_build(&lab, &spec);
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_ADD_CAP_BYTES, &cap));
	lab_register(&lab);
	lab_map_ring(&lab);
	lab_start(&lab);
	set_events(PCIEM_EVENTS_RESET);
	EXPECT(lab_wait(!access(lab_sysfs(&lab, "reset_method"), F_OK), 2000));
	reset_by("af_flr");
	e = lab_wide_event(&lab, 1000);
	ASSERT(e);
	EXPECT_EQ(e->event.type, PCIEM_EVENT_RESET);
	EXPECT_EQ(e->event.data, PCIEM_RESET_FLR);
}

/* The ring of old programs tells nothing of it */
TEST(a_reset_without_a_word)
{
	struct lab_spec spec = lab_plain;

	spec.pcie = true;
	lab_power_on(&lab, &spec);
	EXPECT(lab_wait(!access(lab_sysfs(&lab, "reset_method"), F_OK), 2000));
	reset_by("flr");
	EXPECT(!lab_event(&lab, 20));
	EXPECT_EQ(lab_info(&lab).events, 0);
}

TEST(configuration_cycles_as_events)
{
	const struct pciem_wide_event *e;

	set_up(false, 0);
	set_events(PCIEM_EVENTS_CONFIG);
	lab_drain(&lab);
	lab_config_read(&lab, 0, 4);
	e = lab_wide_event(&lab, 100);
	ASSERT(e);
	EXPECT_EQ(e->event.type, PCIEM_EVENT_CONFIG_READ);
	EXPECT_EQ(e->event.offset, 0);
	EXPECT_EQ(e->event.size, 4);
	EXPECT_EQ(e->event.data, LAB_DEVICE << 16 | LAB_VENDOR);
	EXPECT_EQ(e->pid, getpid());
	lab_config_write(&lab, 0x0c, 1, 0x20);
	e = lab_wide_event(&lab, 100);
	ASSERT(e);
	EXPECT_EQ(e->event.type, PCIEM_EVENT_CONFIG_WRITE);
	EXPECT_EQ(e->event.offset, 0x0c);
	EXPECT_EQ(e->event.size, 1);
	EXPECT_EQ(e->event.data, 0x20);
	/* Not the device's own */
	get(0, 4);
	access_config(PCIEM_CONFIG_WRITE | PCIEM_CONFIG_AS_DEVICE, 0x2e, 2, 0x1234);
	EXPECT(!lab_wide_event(&lab, 20));
	/* And the driver sees what the device changed */
	EXPECT_EQ(lab_config_read(&lab, 0x2e, 2), 0x1234);
	EXPECT(lab_wide_event(&lab, 100));
	set_events(0);
	lab_config_read(&lab, 0, 4);
	EXPECT(!lab_wide_event(&lab, 20));
}

TEST(the_scan_as_events)
{
	struct pciem_set_events events = { .mask = PCIEM_EVENTS_CONFIG };
	struct lab_spec spec = lab_plain;
	const struct pciem_wide_event *e;

	spec.slots = 4096;
	lab_build(&lab, &spec);
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_SET_EVENTS, &events));
	lab_register(&lab);
	lab_map_ring(&lab);
	e = lab_wide_event(&lab, 100);
	ASSERT(e);
	EXPECT_EQ(e->event.type, PCIEM_EVENT_CONFIG_READ);
	EXPECT_EQ(e->event.offset, 0);
	EXPECT_EQ(lab_info(&lab).lost, 0);
}

/* A reset is told after the write that asked for it */
TEST(a_write_and_its_reset)
{
	const struct pciem_wide_event *e;
	unsigned int pcie;

	set_up(false, PCIEM_EVENTS_RESET | PCIEM_EVENTS_CONFIG);
	pcie = capability(0x10);
	lab_drain(&lab);
	lab_config_write(&lab, pcie + 8, 2, 0x8000);
	e = lab_wide_event(&lab, 100);
	EXPECT(e && e->event.type == PCIEM_EVENT_CONFIG_WRITE && e->event.offset == pcie + 8);
	e = lab_wide_event(&lab, 100);
	EXPECT(e && e->event.type == PCIEM_EVENT_RESET);
	EXPECT(!lab_wide_event(&lab, 20));
}

static void expect_driver(uint32_t type, const char *name, uint32_t flags)
{
	const struct pciem_wide_event *e = next_told();
	char got[17] = "";

	ASSERT(e);
	memcpy(got, &e->event.data, 8);
	memcpy(got + 8, &e->extra, 8);
	EXPECT_EQ(e->event.type, type);
	EXPECT_(!strcmp(got, name), false, "driver \"%s\"", got);
	EXPECT_EQ(e->flags, flags);
}

TEST(drivers_come_and_go)
{
	set_up(false, PCIEM_EVENTS_DRIVER);
	expect_driver(PCIEM_EVENT_DRIVER_BOUND, "pciem_test", 0);
	EXPECT_OK(lab_write_file("/sys/bus/pci/drivers/pciem_test/unbind", lab.address));
	expect_driver(PCIEM_EVENT_DRIVER_UNBOUND, "pciem_test", 0);
	EXPECT_OK(lab_write_file("/sys/bus/pci/drivers/pciem_test/bind", lab.address));
	expect_driver(PCIEM_EVENT_DRIVER_BOUND, "pciem_test", 0);
	EXPECT_OK(module_unload("pciem_test"));
	expect_driver(PCIEM_EVENT_DRIVER_UNBOUND, "pciem_test", 0);
}

TEST(a_probe_that_fails)
{
	struct lab_spec spec = lab_plain;

	spec.device = LAB_DEVICE;
	spec.slots = 256;
	lab_build(&lab, &spec);		/* it has no MSI-X */
	driver_load("irq=msix");
	lab_register(&lab);
	lab_map_ring(&lab);
	set_events(PCIEM_EVENTS_DRIVER);
	lab_start(&lab);
	expect_driver(PCIEM_EVENT_DRIVER_UNBOUND, "pciem_test", PCIEM_EVENT_FLAG_PROBE_FAILED);
}

TEST_MAIN()

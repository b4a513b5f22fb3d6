// SPDX-License-Identifier: GPL-2.0-only
/* Interrupts: each kind, each vector, none lost and none invented. */
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

#define PCI_COMMAND		4
#define COMMAND_INTX_DISABLE	0x400
#define PCI_STATUS		6
#define STATUS_INTERRUPT	0x8

static struct lab lab;

static void set_up(const char *parameters, int msi_log2, unsigned int msix)
{
	struct lab_spec spec = lab_plain;

	spec.device = LAB_DEVICE;
	spec.msi_log2 = msi_log2;
	spec.msi_mask = true;
	spec.msix = msix;
	spec.pm = spec.pcie = true;
	driver_load(parameters);
	driver_power_on(&lab, &spec);
}

static int inject(uint32_t vector)
{
	struct pciem_irq_inject inject = { .vector = vector };

	return ioctl(lab.fd, PCIEM_IOC_INJECT_IRQ, &inject);
}

static int set_intx(uint32_t asserted)
{
	struct pciem_set_intx set = { .asserted = asserted };

	return ioctl(lab.fd, PCIEM_IOC_SET_INTX, &set);
}

static void intx_disable(bool disable)
{
	uint32_t command = lab_config_read(&lab, PCI_COMMAND, 2);

	lab_config_write(&lab, PCI_COMMAND, 2, disable ? command | COMMAND_INTX_DISABLE :
			 command & ~COMMAND_INTX_DISABLE);
}

static bool interrupt_status(void)
{
	return lab_config_read(&lab, PCI_STATUS, 2) & STATUS_INTERRUPT;
}

static struct pciem_vector_info vector_info(uint32_t vector)
{
	struct pciem_vector_info info = { .vector = vector };

	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_VECTOR_INFO, &info));
	return info;
}

/* The driver's count of a vector, once it is what it should be or a while has passed */
static unsigned int count(unsigned int vector, unsigned int want)
{
	lab_wait(driver_state(&lab).irqs[vector] == want, 1000);
	return driver_state(&lab).irqs[vector];
}

/* Offset of a capability in config space */
static unsigned int capability(unsigned int id)
{
	unsigned int at = lab_config_read(&lab, 0x34, 1);

	while (at && lab_config_read(&lab, at, 1) != id)
		at = lab_config_read(&lab, at + 1, 1);
	ASSERT(at);
	return at;
}

TEST(features)
{
	const uint64_t ours = PCIEM_FEATURE_SET_INTX | PCIEM_FEATURE_IRQFD | PCIEM_FEATURE_VECTORS;
	struct pciem_version version;

	lab_build(&lab, &lab_plain);
	ASSERT(!ioctl(lab.fd, PCIEM_IOC_GET_VERSION, &version));
	EXPECT_EQ(version.features & ours, ours);
}

TEST(INTx)
{
	set_up("irq=intx", -1, 0);
	EXPECT(!strcmp(driver_state(&lab).mode, "intx"));
	EXPECT_EQ(lab_info(&lab).irq_mode, PCIEM_IRQ_INTX);
	for (unsigned int i = 1; i <= 100; i++) {
		EXPECT_OK(inject(0));
		EXPECT_(count(0, i) == i, true, "%u of %u", driver_state(&lab).irqs[0], i);
	}
	EXPECT_ERROR(inject(1), EINVAL);
	EXPECT(vector_info(0).irq > 0);
	EXPECT_EQ(vector_info(0).count, 100);
	EXPECT_EQ(lab_info(&lab).interrupts, 100);

	intx_disable(true);
	EXPECT_ERROR(inject(0), EPERM);
	intx_disable(false);
	EXPECT_OK(inject(0));
	EXPECT_EQ(count(0, 101), 101);
}

/* The driver's count while nothing changes it */
static unsigned int settled(unsigned int vector)
{
	unsigned int n;

	do {
		n = driver_state(&lab).irqs[vector];
		lab_sleep_ms(20);
	} while (driver_state(&lab).irqs[vector] != n);
	return n;
}

TEST(INTx_is_a_level)
{
	unsigned int before;

	set_up("irq=intx", -1, 0);
	EXPECT(!interrupt_status());
	EXPECT(!(vector_info(0).flags & PCIEM_VECTOR_PENDING));
	for (int round = 0; round < 10; round++) {
		before = driver_state(&lab).irqs[0];
		EXPECT_OK(set_intx(1));
		EXPECT(interrupt_status());
		/* Again and again, as the handler does not make the device take it down */
		EXPECT(lab_wait(driver_state(&lab).irqs[0] >= before + 100, 2000));
		EXPECT_EQ(vector_info(0).flags, PCIEM_VECTOR_ENABLED | PCIEM_VECTOR_PENDING);
		EXPECT_OK(set_intx(0));
		EXPECT(!interrupt_status());
		settled(0);
	}
	/* As it was, the count being that of the handler's runs */
	before = driver_state(&lab).irqs[0];
	EXPECT_EQ(vector_info(0).count, before);
	EXPECT_EQ(lab_info(&lab).interrupts, before);
	EXPECT_OK(inject(0));
	EXPECT_EQ(count(0, before + 1), before + 1);
	EXPECT(lab_wait(!interrupt_status(), 1000));
	EXPECT_ERROR(set_intx(2), EINVAL);
}

TEST(INTx_that_the_driver_acknowledges)
{
	struct pciem_event event;
	unsigned int seen = 0;

	set_up("irq=intx", -1, 0);
	driver_run(&lab, "irqmode 2");
	lab_trace(&lab, 0, PCIEM_TRACE_WRITES);
	for (unsigned int round = 0; round < 200; round++) {
		const struct pciem_event *e;

		EXPECT_OK(set_intx(1));
		e = lab_event(&lab, 2000);
		EXPECT_(e, true, "round %u: no interrupt", round);
		event = *e;
		EXPECT_OK(set_intx(0));
		EXPECT_EQ(event.offset, 0x20);
		EXPECT_(event.data > seen, true, "acknowledged %llu after %u", event.data, seen);
		/* Runs that the level asked for until it went down */
		do {
			seen = event.data;
			e = lab_event(&lab, 0);
			if (e)
				event = *e;
		} while (e);
	}
	EXPECT_EQ(settled(0), vector_info(0).count);
}

/* The reference ignores both */
TEST(INTx_disable_and_status_bits)
{
	set_up("irq=intx", -1, 0);
	intx_disable(true);
	EXPECT_OK(set_intx(1));
	EXPECT(interrupt_status());
	EXPECT_EQ(vector_info(0).flags & (PCIEM_VECTOR_MASKED | PCIEM_VECTOR_PENDING),
		  PCIEM_VECTOR_MASKED | PCIEM_VECTOR_PENDING);
	lab_sleep_ms(20);
	EXPECT_EQ(driver_state(&lab).irqs[0], 0);
	EXPECT_OK(set_intx(0));
	EXPECT(!interrupt_status());
	intx_disable(false);
	lab_sleep_ms(20);
	EXPECT_EQ(driver_state(&lab).irqs[0], 0);

	/* Asserted meanwhile, it comes when it is let through */
	intx_disable(true);
	EXPECT_OK(set_intx(1));
	intx_disable(false);
	EXPECT(lab_wait(driver_state(&lab).irqs[0] >= 1, 1000));
	EXPECT_OK(set_intx(0));
}

/* As drivers of user space do it: the status bit tells whose it is, the disable bit holds it off */
TEST(INTx_of_a_driver_of_shared_pins)
{
	set_up("irq=intx", -1, 0);
	driver_run(&lab, "irqmode 3");
	for (unsigned int round = 1; round <= 20; round++) {
		EXPECT_OK(set_intx(1));
		EXPECT_EQ(count(0, round), round);
		EXPECT(lab_config_read(&lab, PCI_COMMAND, 2) & COMMAND_INTX_DISABLE);
		lab_sleep_ms(2);
		EXPECT_EQ(driver_state(&lab).irqs[0], round);
		EXPECT_OK(set_intx(0));
		intx_disable(false);
	}
	EXPECT_OK(inject(0));
	EXPECT_EQ(count(0, 21), 21);
}

/* What the driver denies does not keep a CPU from its work, nor the device from taking it down */
TEST(INTx_that_nobody_takes)
{
	volatile unsigned long turns = 0;
	uint64_t start;

	set_up("irq=intx", -1, 0);
	driver_run(&lab, "irqmode 1");
	EXPECT_OK(set_intx(1));
	for (start = lab_now_ns(); lab_now_ns() - start < 300000000;)
		turns++;
	EXPECT(lab_wait(driver_state(&lab).irqs[0] > 100, 5000));
	EXPECT_OK(set_intx(0));
	EXPECT_(turns > 1000, false, "%lu turns", turns);
	driver_run(&lab, "irqmode 0");
	settled(0);
	driver_run(&lab, "reset");
	EXPECT_OK(inject(0));
	EXPECT_EQ(count(0, 1), 1);
}

TEST(INTx_pulses_wait_for_a_disabled_line)
{
	set_up("irq=intx", -1, 0);
	for (int round = 0; round < 5; round++) {
		driver_run(&lab, "reset");
		driver_run(&lab, "irqdisable 0");
		for (int i = 0; i < 50; i++)
			EXPECT_OK(inject(0));
		lab_sleep_ms(10);
		EXPECT_EQ(driver_state(&lab).irqs[0], 0);
		EXPECT(interrupt_status());
		driver_run(&lab, "irqenable 0");
		EXPECT_EQ(count(0, 50), 50);
		EXPECT(lab_wait(!interrupt_status(), 1000));
	}
	driver_run(&lab, "irqdisable 0");
	EXPECT_OK(set_intx(1));
	EXPECT_OK(set_intx(0));
	driver_run(&lab, "irqenable 0");
	EXPECT_EQ(settled(0), 50);
}

/* The driver left with the line up, and comes back to it */
TEST(INTx_asserted_across_drivers)
{
	set_up("irq=intx", -1, 0);
	EXPECT_OK(set_intx(1));
	EXPECT(lab_wait(driver_state(&lab).irqs[0] > 10, 1000));
	EXPECT_OK(lab_write_file("/sys/bus/pci/drivers/pciem_test/unbind", lab.address));
	EXPECT(interrupt_status());
	EXPECT_ERROR(inject(0), ENXIO);
	EXPECT(!(vector_info(0).flags & PCIEM_VECTOR_ENABLED));
	EXPECT_OK(lab_write_file("/sys/bus/pci/drivers/pciem_test/bind", lab.address));
	driver_wait(&lab);
	EXPECT(lab_wait(driver_state(&lab).irqs[0] > 10, 1000));
	EXPECT_OK(set_intx(0));
	EXPECT_EQ(settled(0), driver_state(&lab).irqs[0]);
}

/* Pin and messages exclude each other */
TEST(INTx_while_messages_are_enabled)
{
	set_up("irq=msix", -1, 4);
	EXPECT_OK(set_intx(1));
	EXPECT(interrupt_status());
	/* The kernel sets Interrupt Disable with MSI-X; MSI-X alone suffices */
	intx_disable(false);
	lab_sleep_ms(20);
	EXPECT_EQ(driver_state(&lab).irqs[0], 0);
	EXPECT_OK(inject(0));
	EXPECT_EQ(count(0, 1), 1);
	EXPECT_EQ(vector_info(0).count, 1);
	EXPECT_OK(set_intx(0));
	EXPECT(!interrupt_status());
}

TEST(errors_say_why)
{
	struct pciem_irq_inject absent = { .func = 1 };
	struct pciem_set_intx intx = { .func = 1 };
	struct lab_spec spec = lab_plain;
	unsigned int pmcsr;

	spec.msix = 4;
	lab_build(&lab, &spec);
	EXPECT_ERROR(inject(0), ENODEV);
	EXPECT_ERROR(set_intx(1), ENODEV);
	lab_register(&lab);
	EXPECT_ERROR(inject(0), ENODEV);
	EXPECT_ERROR(set_intx(1), ENODEV);
	lab_start(&lab);
	/* Not one of them is enabled */
	EXPECT_ERROR(inject(0), ENXIO);
	EXPECT_ERROR(inject(3), ENXIO);
	EXPECT_ERROR(inject(4), EINVAL);
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_INJECT_IRQ, &absent), ENODEV);
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_SET_INTX, &intx), ENODEV);
	absent.func = intx.func = 8;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_INJECT_IRQ, &absent), EINVAL);
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_SET_INTX, &intx), EINVAL);
	intx.func = 0;
	intx.reserved[1] = 1;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_SET_INTX, &intx), EINVAL);
	lab_power_off(&lab);

	set_up("irq=msix", -1, 4);
	lab_bus_master(&lab, false);
	EXPECT_ERROR(inject(0), EACCES);
	lab_bus_master(&lab, true);
	pmcsr = capability(1) + 4;
	for (uint32_t state = 1; state <= 3; state++) {
		lab_config_write(&lab, pmcsr, 2, state);
		EXPECT_ERROR(inject(0), ESHUTDOWN);
		EXPECT_ERROR(inject(4), EINVAL);
		lab_config_write(&lab, pmcsr, 2, 0);
	}
	EXPECT_OK(inject(0));
	EXPECT_EQ(count(0, 1), 1);
}

TEST(INTx_waits_for_D0)
{
	unsigned int pmcsr;

	set_up("irq=intx", -1, 0);
	pmcsr = capability(1) + 4;
	lab_config_write(&lab, pmcsr, 2, 3);
	EXPECT_OK(set_intx(1));
	lab_sleep_ms(10);
	EXPECT_EQ(driver_state(&lab).irqs[0], 0);
	lab_config_write(&lab, pmcsr, 2, 0);
	EXPECT(lab_wait(driver_state(&lab).irqs[0] >= 1, 1000));
	EXPECT_OK(set_intx(0));
}

TEST(INTx_goes_down_with_a_reset)
{
	unsigned int control;

	set_up("irq=intx", -1, 0);
	control = capability(0x10) + 8;
	driver_run(&lab, "irqdisable 0");
	EXPECT_OK(set_intx(1));
	EXPECT_OK(inject(0));
	EXPECT(interrupt_status());
	lab_config_write(&lab, control, 2, lab_config_read(&lab, control, 2) | 0x8000);
	EXPECT(!interrupt_status());
	driver_run(&lab, "irqenable 0");
	EXPECT_EQ(settled(0), 0);
	EXPECT_OK(inject(0));
	EXPECT_EQ(count(0, 1), 1);
}

static void each_vector(const char *mode, unsigned int irq_mode, unsigned int vectors)
{
	EXPECT(!strcmp(driver_state(&lab).mode, mode));
	EXPECT_EQ(driver_state(&lab).vectors, vectors);
	EXPECT_EQ(lab_info(&lab).irq_mode, irq_mode);
	/* Vector v is raised v + 1 times, turn by turn */
	for (unsigned int turn = 0; turn < vectors; turn++)
		for (unsigned int v = turn; v < vectors; v++)
			EXPECT_OK(inject(v));
	for (unsigned int v = 0; v < vectors; v++) {
		struct pciem_vector_info info;

		EXPECT_(count(v, v + 1) == v + 1, false, "vector %u: %u of %u", v,
			driver_state(&lab).irqs[v], v + 1);
		info = vector_info(v);
		EXPECT_EQ(info.flags & (PCIEM_VECTOR_ENABLED | PCIEM_VECTOR_MASKED),
			  PCIEM_VECTOR_ENABLED);
		EXPECT(info.irq > 0);
		EXPECT_EQ(info.count, v + 1);
	}
	EXPECT_EQ(lab_info(&lab).interrupts, vectors * (vectors + 1) / 2);
}

/* The reference has neither MSI nor MSI-X on a virtual root */
TEST(MSI_with_one_vector)
{
	set_up("irq=msi", 0, 0);
	each_vector("msi", PCIEM_IRQ_MSI, 1);
	EXPECT_ERROR(inject(1), EINVAL);
}

/* The reference ignores the vector */
TEST(MSI_with_32_vectors)
{
	set_up("irq=msi", 5, 0);
	each_vector("msi", PCIEM_IRQ_MSI, 32);
	EXPECT_ERROR(inject(32), EINVAL);
}

TEST(MSI_with_fewer_vectors_than_it_has)
{
	set_up("irq=msi vectors=4", 5, 0);
	EXPECT_EQ(driver_state(&lab).vectors, 4);
	for (unsigned int v = 0; v < 4; v++)
		EXPECT_OK(inject(v));
	for (unsigned int v = 0; v < 4; v++)
		EXPECT_EQ(count(v, 1), 1);
}

TEST(MSIX_with_32_vectors)
{
	set_up("irq=msix", -1, 32);
	each_vector("msix", PCIEM_IRQ_MSIX, 32);
	EXPECT_ERROR(inject(32), EINVAL);
}

TEST(MSIX_is_preferred)
{
	set_up("irq=auto", 3, 16);
	each_vector("msix", PCIEM_IRQ_MSIX, 16);
}

TEST(MSIX_vectors_that_the_driver_did_not_take)
{
	set_up("irq=msix vectors=3", -1, 16);
	EXPECT_EQ(driver_state(&lab).vectors, 3);
	EXPECT_OK(inject(2));
	EXPECT_EQ(count(2, 1), 1);
	/* Masked, as the entries are after reset: noted, not delivered */
	inject(9);
	for (unsigned int v = 0; v < 2; v++)
		EXPECT_EQ(driver_state(&lab).irqs[v], 0);
	EXPECT_ERROR(inject(16), EINVAL);
}

TEST(bus_mastering_off)
{
	set_up("irq=msix", -1, 4);
	lab_bus_master(&lab, false);
	EXPECT_ERROR(inject(0), EACCES);
	lab_bus_master(&lab, true);
	EXPECT_OK(inject(0));
	EXPECT_EQ(count(0, 1), 1);
}

/* The reference ignores mask bits, and has no pending bits */
TEST(MSIX_function_mask)
{
	unsigned int control;
	uint64_t *pba;

	set_up("irq=msix", -1, 8);
	control = capability(0x11) + 2;
	pba = (uint64_t *)((char *)lab_map_bar(&lab, 0, 0x10000) + 0xf000);
	lab_config_write(&lab, control, 2, lab_config_read(&lab, control, 2) | 0x4000);
	for (int i = 0; i < 3; i++) {
		EXPECT_OK(inject(2));
		EXPECT_OK(inject(7));
	}
	lab_sleep_ms(20);
	EXPECT_EQ(driver_state(&lab).irqs[2], 0);
	EXPECT_EQ(pba[0], 1 << 2 | 1 << 7);
	EXPECT_EQ(vector_info(2).flags, PCIEM_VECTOR_ENABLED | PCIEM_VECTOR_MASKED |
		  PCIEM_VECTOR_PENDING);
	lab_config_write(&lab, control, 2, lab_config_read(&lab, control, 2) & ~0x4000);
	/* Pending is one bit, so one interrupt each */
	EXPECT_EQ(count(2, 1), 1);
	EXPECT_EQ(count(7, 1), 1);
	EXPECT_EQ(driver_state(&lab).irqs[3], 0);
	EXPECT_EQ(pba[0], 0);
	EXPECT_EQ(vector_info(2).flags, PCIEM_VECTOR_ENABLED);
	lab_sleep_ms(20);
	EXPECT_EQ(driver_state(&lab).irqs[2], 1);
}

/* Mask bits of the table that the driver itself sets, in memory that is not traced */
TEST(MSIX_masked_and_unmasked_by_stores)
{
	uint32_t *by_user;
	uint64_t *pba;
	int fd;

	set_up("irq=msix", -1, 8);
	pba = (uint64_t *)((char *)lab_map_bar(&lab, 0, 0x10000) + 0xf000);
	driver_run(&lab, "write32 0 0x802c 1 1");
	EXPECT_OK(inject(2));
	EXPECT_OK(inject(3));
	EXPECT_EQ(count(3, 1), 1);
	EXPECT_EQ(driver_state(&lab).irqs[2], 0);
	EXPECT_EQ(pba[0], 1 << 2);
	driver_run(&lab, "write32 0 0x802c 1 0");
	EXPECT_EQ(count(2, 1), 1);
	EXPECT_EQ(pba[0], 0);

	/* By a program, through sysfs */
	fd = open(lab_sysfs(&lab, "resource0"), O_RDWR | O_SYNC);
	ASSERT(fd >= 0);
	by_user = mmap(NULL, 0x10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT(by_user != MAP_FAILED);
	by_user[0x802c / 4] = 1;
	EXPECT_EQ(by_user[0x802c / 4], 1);
	EXPECT_OK(inject(2));
	lab_sleep_ms(20);
	EXPECT_EQ(driver_state(&lab).irqs[2], 1);
	EXPECT_EQ(pba[0], 1 << 2);
	by_user[0x802c / 4] = 0;
	EXPECT_EQ(count(2, 2), 2);
	EXPECT_EQ(pba[0], 0);
}

TEST(MSI_mask_bits)
{
	unsigned int mask, pending;

	set_up("irq=msi", 3, 0);
	mask = capability(5) + 0x10;
	pending = mask + 4;
	lab_config_write(&lab, mask, 4, 1 << 5);
	EXPECT_OK(inject(5));
	EXPECT_OK(inject(5));
	EXPECT_OK(inject(4));
	EXPECT_EQ(count(4, 1), 1);
	lab_sleep_ms(20);
	EXPECT_EQ(driver_state(&lab).irqs[5], 0);
	EXPECT_EQ(lab_config_read(&lab, pending, 4), 1 << 5);
	lab_config_write(&lab, mask, 4, 0);
	EXPECT_EQ(count(5, 1), 1);
	EXPECT_EQ(lab_config_read(&lab, pending, 4), 0);
}

#define MSIX_TABLE	0x8000
#define MSIX_PBA	0x7000
#define MANY		2048
#define TAKEN		64

/* All that MSI-X has room for; the driver takes 64, and the others say the same messages */
TEST(MSIX_is_masked_from_the_start)
{
	struct lab_spec spec = lab_plain;
	uint32_t *table;

	spec.msix = 32;
	lab_build(&lab, &spec);
	lab_register(&lab);
	table = lab_map_bar(&lab, 0, 0x10000) + 0x8000;
	for (unsigned int i = 0; i < 32; i++)
		EXPECT_EQ(table[i * 4 + 3], 1);
}

TEST(MSIX_with_2048_vectors)
{
	static struct pciem_vector_info infos[MANY + 1];
	struct pciem_vectors query = { .vectors = (uintptr_t)infos, .count = MANY + 1 };
	uint32_t *table;
	char *bar;

	set_up("irq=msix vectors=64", -1, MANY);
	EXPECT_EQ(driver_state(&lab).vectors, TAKEN);
	bar = lab_map_bar(&lab, 0, 0x10000);
	table = (uint32_t *)(bar + MSIX_TABLE);

	/* Those that nobody took are masked: each is noted, in the bit that is its own */
	for (unsigned int v = TAKEN; v < MANY; v++)
		EXPECT_(!inject(v), true, "vector %u: %s", v, harness_errno(errno));
	EXPECT_EQ(driver_run(&lab, "read64 0 %#x 1", MSIX_PBA), 0);
	for (unsigned int word = 1; word < MANY / 64; word++)
		EXPECT_EQ(driver_run(&lab, "read64 0 %#x 1", MSIX_PBA + word * 8), ~0ULL);
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_VECTORS, &query));
	EXPECT_EQ(query.count, MANY);
	EXPECT_EQ(query.total, MANY);
	for (unsigned int v = TAKEN; v < MANY; v++)
		EXPECT_(infos[v].vector == v && !infos[v].irq &&
			infos[v].flags == (PCIEM_VECTOR_MASKED | PCIEM_VECTOR_PENDING), true,
			"vector %u: flags %#x", v, infos[v].flags);

	/* Given a message and unmasked by the driver, each is delivered, once */
	for (unsigned int v = TAKEN; v < MANY; v++) {
		driver_run(&lab, "write32 0 %#x 1 %#x", MSIX_TABLE + v * 16, table[v % TAKEN * 4]);
		driver_run(&lab, "write32 0 %#x 1 %#x", MSIX_TABLE + v * 16 + 8,
			   table[v % TAKEN * 4 + 2]);
	}
	lab_trace(&lab, 0, PCIEM_TRACE_WRITES);
	for (unsigned int v = TAKEN; v < MANY; v++) {
		driver_run(&lab, "write32 0 %#x 1 0", MSIX_TABLE + v * 16 + 12);
		lab_drain(&lab);
	}
	for (unsigned int v = 0; v < TAKEN; v++)
		EXPECT_EQ(count(v, MANY / TAKEN - 1), MANY / TAKEN - 1);
	for (unsigned int word = 0; word < MANY / 64; word++)
		EXPECT_EQ(driver_run(&lab, "read64 0 %#x 1", MSIX_PBA + word * 8), 0);
	driver_run(&lab, "reset");
	for (unsigned int v = 0; v < MANY; v++)
		EXPECT_(!inject(v), true, "vector %u: %s", v, harness_errno(errno));
	for (unsigned int v = 0; v < TAKEN; v++)
		EXPECT_EQ(count(v, MANY / TAKEN), MANY / TAKEN);
	EXPECT_ERROR(inject(MANY), EINVAL);

	query.first = 100;
	query.count = 50;
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_VECTORS, &query));
	EXPECT_EQ(query.count, 50);
	for (unsigned int i = 0; i < 50; i++)
		EXPECT_(infos[i].vector == 100 + i && infos[i].flags == PCIEM_VECTOR_ENABLED &&
			infos[i].irq && infos[i].count == 2 * MANY / TAKEN - 1, true,
			"vector %u: flags %#x, irq %u, count %llu", 100 + i, infos[i].flags,
			infos[i].irq, infos[i].count);
}

TEST(state_of_many_vectors_at_once)
{
	struct pciem_vector_info infos[8];
	struct pciem_vectors query = { .vectors = (uintptr_t)infos, .count = 8 };

	set_up("irq=msi", 3, 0);
	EXPECT_OK(inject(6));
	EXPECT_EQ(count(6, 1), 1);
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_VECTORS, &query));
	EXPECT_EQ(query.count, 8);
	for (unsigned int v = 0; v < 8; v++) {
		struct pciem_vector_info one = vector_info(v);

		EXPECT(!memcmp(&one, &infos[v], sizeof(one)));
		EXPECT_EQ(infos[v].count, v == 6);
		EXPECT_EQ(infos[v].data, infos[0].data + v);
	}
	query.first = 7;
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_VECTORS, &query));
	EXPECT_EQ(query.count, 1);
	query.count = 0;
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_VECTORS, &query));
	EXPECT_EQ(query.total, 8);
	query.first = 8;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_VECTORS, &query), EINVAL);
	query.first = 0;
	query.count = 8;
	query.vectors = 1;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_VECTORS, &query), EFAULT);
	query.reserved[0] = 1;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_VECTORS, &query), EINVAL);
	query.reserved[0] = 0;
	query.func = 1;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_VECTORS, &query), ENODEV);
}

TEST(MSI_each_of_32_masked_and_pending)
{
	unsigned int mask, pending;

	set_up("irq=msi", 5, 0);
	mask = capability(5) + 0x10;
	pending = mask + 4;
	lab_config_write(&lab, mask, 4, ~0U);
	for (unsigned int v = 0; v < 32; v++)
		EXPECT_OK(inject(v));
	EXPECT_EQ(lab_config_read(&lab, pending, 4), ~0U);
	EXPECT_EQ(vector_info(31).flags, PCIEM_VECTOR_ENABLED | PCIEM_VECTOR_MASKED |
		  PCIEM_VECTOR_PENDING);
	for (unsigned int v = 0; v < 32; v++) {
		lab_config_write(&lab, mask, 4, v == 31 ? 0 : ~0U << (v + 1));
		EXPECT_EQ(count(v, 1), 1);
		EXPECT_EQ(lab_config_read(&lab, pending, 4), v == 31 ? 0 : ~0U << (v + 1));
	}
	lab_sleep_ms(10);
	for (unsigned int v = 0; v < 32; v++)
		EXPECT_EQ(driver_state(&lab).irqs[v], 1);
}

/* What is pending when bus mastering is off comes when it is on again */
TEST(pending_waits_for_bus_mastering)
{
	unsigned int control;

	set_up("irq=msix", -1, 4);
	control = capability(0x11) + 2;
	lab_config_write(&lab, control, 2, lab_config_read(&lab, control, 2) | 0x4000);
	EXPECT_OK(inject(1));
	lab_bus_master(&lab, false);
	lab_config_write(&lab, control, 2, lab_config_read(&lab, control, 2) & ~0x4000);
	lab_sleep_ms(10);
	EXPECT_EQ(driver_state(&lab).irqs[1], 0);
	lab_bus_master(&lab, true);
	EXPECT_EQ(count(1, 1), 1);
}

#define THREADS 4
#define EACH 25000

static unsigned int each = EACH;

static void *raise_many(void *arg)
{
	long failures = 0;

	for (unsigned int i = 0; i < each; i++)
		failures += inject((uintptr_t)arg & 3) != 0;
	return (void *)failures;
}

/* The reference has one slot for what is pending, and loses 19 to 26 in a hundred */
static void none_is_lost(bool same_vector)
{
	const unsigned int vectors = same_vector ? 1 : THREADS, want = THREADS / vectors * each;
	pthread_t threads[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		ASSERT(!pthread_create(&threads[i], NULL, raise_many, (void *)(same_vector ? 0 : i)));
	for (int i = 0; i < THREADS; i++) {
		void *failures;

		pthread_join(threads[i], &failures);
		EXPECT_EQ((long)failures, 0);
	}
	/* Nor is one delivered twice */
	lab_wait(driver_state(&lab).irqs[0] >= want, 5000);
	for (unsigned int v = 0; v < vectors; v++)
		EXPECT_EQ(count(v, want), want);
	EXPECT_EQ(lab_info(&lab).interrupts, THREADS * each);
}

TEST_FOR(a_million_from_four_threads, 120)
{
	set_up("irq=msix", -1, 4);
	each = 1000000 / THREADS;
	none_is_lost(false);
}

TEST_FOR(MSIX_one_vector_from_four_threads, 60)
{
	set_up("irq=msix", -1, 4);
	none_is_lost(true);
}

TEST_FOR(INTx_from_four_threads, 60)
{
	set_up("irq=intx", -1, 0);
	none_is_lost(true);
}

/* Interrupts of this vector that a CPU had, from /proc/interrupts */
static unsigned long on_cpu(unsigned int irq, unsigned int cpu)
{
	FILE *file = fopen("/proc/interrupts", "r");
	unsigned long counts[2] = { 0, 0 };
	char line[512];

	ASSERT(file);
	while (fgets(line, sizeof(line), file)) {
		unsigned long a, b;
		unsigned int number;

		if (sscanf(line, " %u: %lu %lu", &number, &a, &b) == 3 && number == irq) {
			counts[0] = a;
			counts[1] = b;
		}
	}
	fclose(file);
	return counts[cpu];
}

TEST(affinity)
{
	struct pciem_vector_info info;
	char path[64];

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		harness_skip("one CPU");
	set_up("irq=msix", -1, 4);
	info = vector_info(1);
	snprintf(path, sizeof(path), "/proc/irq/%u/smp_affinity_list", info.irq);
	for (unsigned int round = 0; round < 4; round++) {
		unsigned int cpu = round & 1;
		unsigned long before = on_cpu(info.irq, cpu);
		unsigned int driver = driver_state(&lab).irqs[1];

		EXPECT_OK(lab_write_file(path, cpu ? "1" : "0"));
		for (int i = 0; i < 50; i++)
			EXPECT_OK(inject(1));
		EXPECT_EQ(count(1, driver + 50), driver + 50);
		EXPECT_EQ(vector_info(1).cpu, cpu);
		EXPECT_EQ(on_cpu(info.irq, cpu) - before, 50);
	}
}

/* Moved from CPU to CPU while they are raised */
TEST_FOR(affinity_changes_meanwhile, 60)
{
	pthread_t threads[2];
	char path[64];

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		harness_skip("one CPU");
	set_up("irq=msix", -1, 4);
	snprintf(path, sizeof(path), "/proc/irq/%u/smp_affinity_list", vector_info(0).irq);
	for (int i = 0; i < 2; i++)
		ASSERT(!pthread_create(&threads[i], NULL, raise_many, (void *)0));
	for (int i = 0; i < 100; i++) {
		EXPECT_OK(lab_write_file(path, i & 1 ? "1" : "0"));
		usleep(1000);
	}
	for (int i = 0; i < 2; i++) {
		void *failures;

		pthread_join(threads[i], &failures);
		EXPECT_EQ((long)failures, 0);
	}
	EXPECT_EQ(count(0, 2 * EACH), 2 * EACH);
	EXPECT_EQ(vector_info(0).count, 2 * EACH);
}

static void *cpu_off_and_on(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++) {
		EXPECT_OK(lab_write_file("/sys/devices/system/cpu/cpu1/online", "0"));
		lab_sleep_ms(20);
		EXPECT_OK(lab_write_file("/sys/devices/system/cpu/cpu1/online", "1"));
		lab_sleep_ms(20);
	}
	return NULL;
}

/* The CPU that they go to is taken away while they are raised */
static void cpu_goes(const char *parameters, unsigned int msix)
{
	pthread_t threads[2];
	void *failures;
	char path[64];

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2 ||
	    access("/sys/devices/system/cpu/cpu1/online", W_OK))
		harness_skip("no CPU to spare");
	set_up(parameters, -1, msix);
	snprintf(path, sizeof(path), "/proc/irq/%u/smp_affinity_list", vector_info(0).irq);
	EXPECT_OK(lab_write_file(path, "1"));
	ASSERT(!pthread_create(&threads[0], NULL, cpu_off_and_on, NULL));
	ASSERT(!pthread_create(&threads[1], NULL, raise_many, (void *)0));
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], &failures);
	EXPECT_EQ((long)failures, 0);
	EXPECT_EQ(count(0, EACH), EACH);
	EXPECT_OK(lab_write_file("/sys/devices/system/cpu/cpu1/online", "0"));
	EXPECT_OK(inject(0));
	EXPECT_EQ(count(0, EACH + 1), EACH + 1);
	EXPECT_EQ(vector_info(0).cpu, 0);
	EXPECT_OK(lab_write_file("/sys/devices/system/cpu/cpu1/online", "1"));
}

TEST_FOR(MSIX_while_the_CPU_goes_offline, 60)
{
	cpu_goes("irq=msix", 4);
}

TEST_FOR(INTx_while_the_CPU_goes_offline, 60)
{
	cpu_goes("irq=intx", 0);
}

TEST(raising_without_a_driver)
{
	struct lab_spec spec = lab_plain;

	spec.msi_log2 = 2;
	spec.msix = 4;
	lab_power_on(&lab, &spec);
	lab_sleep_ms(50);
	for (int i = 0; i < 300; i++)
		inject(0);
	EXPECT_ERROR(inject(4), EINVAL);
}

TEST(raising_after_the_driver_left)
{
	char text[64];

	set_up("irq=msix", -1, 4);
	EXPECT_OK(inject(0));
	EXPECT_EQ(count(0, 1), 1);
	snprintf(text, sizeof(text), "%s", lab.address);
	EXPECT_OK(lab_write_file("/sys/bus/pci/drivers/pciem_test/unbind", text));
	EXPECT(!driver_bound(&lab));
	for (int i = 0; i < 300; i++)
		inject(0);
	EXPECT_OK(lab_write_file("/sys/bus/pci/drivers/pciem_test/bind", text));
	driver_wait(&lab);
	driver_run(&lab, "reset");
	EXPECT_OK(inject(3));
	EXPECT_EQ(count(3, 1), 1);
}

TEST_MAIN()

// SPDX-License-Identifier: GPL-2.0-only
/* Interrupts: each kind, each vector, none lost and none invented. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "driver.h"
#include "harness.h"

#define PCI_COMMAND		4
#define COMMAND_INTX_DISABLE	0x400

static struct lab lab;

static void set_up(const char *parameters, int msi_log2, unsigned int msix)
{
	struct lab_spec spec = lab_plain;

	spec.device = LAB_DEVICE;
	spec.msi_log2 = msi_log2;
	spec.msi_mask = true;
	spec.msix = msix;
	driver_load(parameters);
	driver_power_on(&lab, &spec);
}

static int inject(uint32_t vector)
{
	struct pciem_irq_inject inject = { .vector = vector };

	return ioctl(lab.fd, PCIEM_IOC_INJECT_IRQ, &inject);
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

	lab_config_write(&lab, PCI_COMMAND, 2,
			 lab_config_read(&lab, PCI_COMMAND, 2) | COMMAND_INTX_DISABLE);
	EXPECT_ERROR(inject(0), ENXIO);
	lab_config_write(&lab, PCI_COMMAND, 2,
			 lab_config_read(&lab, PCI_COMMAND, 2) & ~COMMAND_INTX_DISABLE);
	EXPECT_OK(inject(0));
	EXPECT_EQ(count(0, 101), 101);
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

#define THREADS 4
#define EACH 5000

static void *raise_many(void *arg)
{
	long failures = 0;

	for (int i = 0; i < EACH; i++)
		failures += inject((uintptr_t)arg & 3) != 0;
	return (void *)failures;
}

/* The reference loses a fifth to a quarter of them */
static void none_is_lost(bool same_vector)
{
	pthread_t threads[THREADS];
	unsigned int total = 0;

	for (uintptr_t i = 0; i < THREADS; i++)
		ASSERT(!pthread_create(&threads[i], NULL, raise_many, (void *)(same_vector ? 0 : i)));
	for (int i = 0; i < THREADS; i++) {
		void *failures;

		pthread_join(threads[i], &failures);
		EXPECT_EQ((long)failures, 0);
	}
	if (same_vector) {
		EXPECT_EQ(count(0, THREADS * EACH), THREADS * EACH);
	} else {
		for (unsigned int v = 0; v < THREADS; v++)
			total += count(v, EACH);
		EXPECT_EQ(total, THREADS * EACH);
	}
	EXPECT_EQ(lab_info(&lab).interrupts, THREADS * EACH);
}

TEST_FOR(MSIX_from_four_threads, 60)
{
	set_up("irq=msix", -1, 4);
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

/*
 * Moved from CPU to CPU while they are raised. Two messages that meet on two CPUs
 * may be one run of the handler, as with hardware, but there is a run after the last.
 */
TEST_FOR(affinity_changes_meanwhile, 60)
{
	unsigned int got;
	pthread_t thread;
	char path[64];
	void *failures;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		harness_skip("one CPU");
	set_up("irq=msix", -1, 4);
	snprintf(path, sizeof(path), "/proc/irq/%u/smp_affinity_list", vector_info(0).irq);
	ASSERT(!pthread_create(&thread, NULL, raise_many, (void *)0));
	for (int i = 0; i < 100; i++) {
		EXPECT_OK(lab_write_file(path, i & 1 ? "1" : "0"));
		usleep(2000);
	}
	pthread_join(thread, &failures);
	EXPECT_EQ((long)failures, 0);
	lab_sleep_ms(50);
	got = driver_state(&lab).irqs[0];
	EXPECT_(got <= EACH && got >= EACH * 9 / 10, false, "%u of %u", got, EACH);
	/* The kernel masks an entry while it writes it, and a pending bit holds one message. */
	got = lab_info(&lab).interrupts;
	EXPECT_(got <= EACH && got >= EACH * 9 / 10, false, "%u of %u delivered", got, EACH);
	got = driver_state(&lab).irqs[0];
	for (unsigned int i = 1; i <= 100; i++) {
		EXPECT_OK(lab_write_file(path, i & 1 ? "1" : "0"));
		EXPECT_OK(inject(0));
		EXPECT_(count(0, got + i) == got + i, true, "%u of %u", driver_state(&lab).irqs[0],
			got + i);
	}
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

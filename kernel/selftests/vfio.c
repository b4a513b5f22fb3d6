// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver in user space by way of vfio-pci: what it maps, reads and writes is seen,
 * its interrupts and DMA work, and it outlives the device.
 *
 * There is no IOMMU for a bus of ours, so it needs a kernel with CONFIG_VFIO_NOIOMMU,
 * which Debian's are not; that of debug.config is.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/vfio.h>
#include <poll.h>
#include <signal.h>
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

#define UNSAFE	"/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
#define BYTES	0x10000

static struct lab lab;

/* What the driver's process has */
static struct {
	int container, group, device;
	volatile uint8_t *bar0;
} vfio;

static const struct pciem_trace_range traced = {
	.offset = 0x1000, .length = 0x1000, .flags = PCIEM_TRACE_READS | PCIEM_TRACE_WRITES,
};

static void set_up(void)
{
	struct pciem_dma_policy policy = { .policy = PCIEM_DMA_POLICY_PHYSICAL };
	struct lab_spec spec = lab_plain;

	if (access("/sys/bus/pci/drivers/vfio-pci", F_OK) && system("modprobe -q vfio-pci"))
		harness_skip("this kernel has no vfio-pci");
	if (access(UNSAFE, W_OK))
		harness_skip("vfio-pci of this kernel wants an IOMMU: CONFIG_VFIO_NOIOMMU is not set");
	ASSERT(!lab_write_file(UNSAFE, "1"));

	spec.slots = 1024;
	spec.msix = 4;
	spec.pcie = true;
	lab_build(&lab, &spec);
	lab_register(&lab);
	lab_map_ring(&lab);
	ASSERT(!ioctl(lab.fd, PCIEM_IOC_TRACE_RANGE, &traced));
	ASSERT(!ioctl(lab.fd, PCIEM_IOC_DMA_POLICY, &policy));
	ASSERT(!lab_write_file(lab_sysfs(&lab, "driver_override"), "vfio-pci"));
	lab_start(&lab);
	if (!lab_wait(!access(lab_sysfs(&lab, "driver"), F_OK), 500))
		lab_write_file("/sys/bus/pci/drivers/vfio-pci/bind", lab.address);
	ASSERT(lab_wait(!access(lab_sysfs(&lab, "driver"), F_OK), 5000));
}

static struct vfio_region_info region(unsigned int index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	ASSERT(!ioctl(vfio.device, VFIO_DEVICE_GET_REGION_INFO, &info));
	return info;
}

/* Open the device as such drivers do; memory and bus mastering on */
static void driver_open(void)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	struct vfio_region_info info;
	char link[256], path[64];
	uint16_t command;
	ssize_t n;

	/* vfio-pci's probe makes all this. */
	ASSERT(lab_wait((n = readlink(lab_sysfs(&lab, "iommu_group"), link,
				      sizeof(link) - 1)) > 0, 5000));
	link[n] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/noiommu-%.16s", strrchr(link, '/') + 1);
	ASSERT(lab_wait(!access(path, F_OK), 5000));
	vfio.container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	ASSERT(vfio.container >= 0);
	EXPECT_EQ(ioctl(vfio.container, VFIO_GET_API_VERSION), VFIO_API_VERSION);
	vfio.group = open(path, O_RDWR | O_CLOEXEC);
	ASSERT(vfio.group >= 0);
	ASSERT(!ioctl(vfio.group, VFIO_GROUP_GET_STATUS, &status));
	EXPECT(status.flags & VFIO_GROUP_FLAGS_VIABLE);
	ASSERT(!ioctl(vfio.group, VFIO_GROUP_SET_CONTAINER, &vfio.container));
	ASSERT(ioctl(vfio.container, VFIO_CHECK_EXTENSION, VFIO_NOIOMMU_IOMMU) == 1);
	ASSERT(!ioctl(vfio.container, VFIO_SET_IOMMU, VFIO_NOIOMMU_IOMMU));
	ASSERT(lab_wait((vfio.device = ioctl(vfio.group, VFIO_GROUP_GET_DEVICE_FD,
					     lab.address)) >= 0, 5000));

	info = region(VFIO_PCI_CONFIG_REGION_INDEX);
	ASSERT(pread(vfio.device, &command, 2, info.offset + 4) == 2);
	command |= 6;
	ASSERT(pwrite(vfio.device, &command, 2, info.offset + 4) == 2);

	info = region(VFIO_PCI_BAR0_REGION_INDEX);
	EXPECT_EQ(info.size, BYTES);
	ASSERT(info.flags & VFIO_REGION_INFO_FLAG_MMAP);
	vfio.bar0 = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, vfio.device, info.offset);
	ASSERT(vfio.bar0 != MAP_FAILED);
}

static volatile uint32_t *reg(unsigned int at)
{
	return (volatile uint32_t *)(vfio.bar0 + at);
}

static void expect_event(uint32_t type, uint64_t offset, uint64_t data)
{
	const struct pciem_wide_event *e = lab_wide_event(&lab, 1000);

	ASSERT(e);
	EXPECT_EQ(e->event.type, type);
	EXPECT_EQ(e->event.bar, 0);
	EXPECT_EQ(e->event.offset, offset);
	EXPECT_EQ(e->event.size, 4);
	EXPECT_EQ(e->event.data, data);
	EXPECT_EQ(e->pid, getpid());
}

TEST(registers_and_memory)
{
	volatile uint32_t *memory;
	struct vfio_region_info info;
	uint32_t word;

	set_up();
	driver_open();
	memory = lab_map_bar(&lab, 0, BYTES);
	lab_drain(&lab);
	/* Traced */
	*reg(0x1040) = 0x11;
	expect_event(PCIEM_EVENT_MMIO_WRITE, 0x1040, 0x11);
	EXPECT_EQ(memory[0x1040 / 4], 0x11);
	memory[0x1044 / 4] = 0x22;
	EXPECT_EQ(*reg(0x1044), 0x22);
	expect_event(PCIEM_EVENT_MMIO_READ, 0x1044, 0x22);
	/* Not traced */
	*reg(0x2040) = 0x33;
	EXPECT_EQ(memory[0x2040 / 4], 0x33);
	memory[0x2044 / 4] = 0x44;
	EXPECT_EQ(*reg(0x2044), 0x44);
	EXPECT(!lab_wide_event(&lab, 20));
	/* By way of vfio-pci's own mapping */
	info = region(VFIO_PCI_BAR0_REGION_INDEX);
	word = 0x55;
	ASSERT(pwrite(vfio.device, &word, 4, info.offset + 0x1048) == 4);
	expect_event(PCIEM_EVENT_MMIO_WRITE, 0x1048, 0x55);
	memory[0x104c / 4] = 0x66;
	ASSERT(pread(vfio.device, &word, 4, info.offset + 0x104c) == 4);
	EXPECT_EQ(word, 0x66);
	expect_event(PCIEM_EVENT_MMIO_READ, 0x104c, 0x66);
}

/* What is known of a mapping goes with its last VMA, as do the file and its inode. */
TEST(closed_and_opened_again)
{
	struct pciem_trace_range none = { .length = BYTES };

	set_up();
	for (int times = 0; times < 5; times++) {
		driver_open();
		lab_drain(&lab);
		*reg(0x1040) = times;
		expect_event(PCIEM_EVENT_MMIO_WRITE, 0x1040, times);
		munmap((void *)vfio.bar0, BYTES);
		close(vfio.device);
		close(vfio.group);
		close(vfio.container);
		/* Pages are taken out of what mapped them. */
		EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_TRACE_RANGE, &none));
		EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_TRACE_RANGE, &traced));
	}
}

TEST(interrupts_and_memory_of_the_driver)
{
	char set_bytes[sizeof(struct vfio_irq_set) + 4 * sizeof(int)];
	struct vfio_irq_set *set = (void *)set_bytes;
	struct pciem_irq_inject inject = { .vector = 0 };
	uint64_t count, physical, *page, word = 0;
	struct pciem_dma_op dma;
	int fds[4];

	set_up();
	driver_open();
	*set = (struct vfio_irq_set){
		.argsz = sizeof(set_bytes), .index = VFIO_PCI_MSIX_IRQ_INDEX, .count = 4,
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
	};
	for (int i = 0; i < 4; i++) {
		fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		ASSERT(fds[i] >= 0);
	}
	memcpy(set->data, fds, sizeof(fds));
	ASSERT(!ioctl(vfio.device, VFIO_DEVICE_SET_IRQS, set));
	for (inject.vector = 0; inject.vector < 4; inject.vector++) {
		struct pollfd ready = { .fd = fds[inject.vector], .events = POLLIN };

		EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_INJECT_IRQ, &inject));
		EXPECT_EQ(poll(&ready, 1, 1000), 1);
		EXPECT(read(ready.fd, &count, sizeof(count)) == 8 && count == 1);
	}

	/* It gives the device physical addresses. */
	page = lab_locked_page(&physical);
	page[3] = 0x1122334455667788;
	dma = (struct pciem_dma_op){
		.iova = physical + 24, .user_addr = (uintptr_t)&word, .length = 8,
		.flags = PCIEM_DMA_READ,
	};
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_DMA, &dma));
	EXPECT_EQ(word, 0x1122334455667788);
}

/*
 * Its process has the device open and mapped while it goes. Accesses end with
 * SIGBUS or read all ones, and the removal waits for it to let go.
 */
TEST(removed_while_in_use)
{
	for (int times = 0; times < 3; times++) {
		int ready[2], status;
		char byte;
		pid_t child;

		set_up();
		ASSERT(!pipe2(ready, O_CLOEXEC));
		child = fork();
		if (!child) {
			/* The device is the other process's. */
			int device = lab.fd, instance = lab.instance;

			driver_open();
			munmap(lab.map, PCIEM_WIDE_RING_BYTES(1024));
			close(instance);
			close(device);
			*reg(0x2000) = 1;
			*reg(0x1000) = 1;
			EXPECT_EQ(write(ready[1], "", 1), 1);
			/* SIGBUS ends it, or else all ones do */
			while (*reg(times % 2 ? 0x1000 : 0x2000) != 0xffffffff)
				usleep(1000);
			_exit(0);
		}
		close(ready[1]);
		ASSERT(read(ready[0], &byte, 1) == 1);
		lab_power_off(&lab);
		ASSERT(waitpid(child, &status, 0) == child);
		EXPECT((WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS) ||
		       (WIFEXITED(status) && !WEXITSTATUS(status)));
		EXPECT(lab_wait(!lab_exists(&lab), 5000));
		EXPECT(lab_wait(module_references("pciem") == 0, 5000));
		close(ready[0]);
	}
}

TEST_MAIN()

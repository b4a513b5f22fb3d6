// SPDX-License-Identifier: GPL-2.0-only
/* What each call refuses, and with which error. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "lab.h"

/* By a program of the current interface, which is told of its mistakes */
static int opened(void)
{
	int fd = open("/dev/pciem", O_RDWR | O_CLOEXEC);
	struct pciem_version version;

	ASSERT(fd >= 0);
	ASSERT(!ioctl(fd, PCIEM_IOC_GET_VERSION, &version));
	return fd;
}

/* A device with function 0 alone */
static int created(void)
{
	struct pciem_create_device create = { 0 };
	int fd = opened();

	ASSERT(!ioctl(fd, PCIEM_IOC_CREATE_DEVICE, &create));
	return fd;
}

TEST(the_node_is_for_root)
{
	struct stat st;
	int status;

	ASSERT(!stat("/dev/pciem", &st));
	EXPECT_EQ(st.st_mode & 0777, 0600);
	EXPECT_EQ(st.st_uid, 0);
	if (!fork()) {
		if (setgid(65534) || setuid(65534))
			_exit(2);
		_exit(open("/dev/pciem", O_RDWR) < 0 && errno == EACCES ? 0 : 1);
	}
	ASSERT(wait(&status) > 0);
	EXPECT_EQ(status, 0);
}

TEST(unknown_calls)
{
	static const unsigned int numbers[] = { 0, 1, 9, 20, 23, 27, 28, 63, 70, 200, 255 };
	char space[4096] = { 0 };
	int fd = created();

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		EXPECT_ERROR(ioctl(fd, _IO(PCIEM_IOC_MAGIC, numbers[i]), space), ENOTTY);
		EXPECT_ERROR(ioctl(fd, _IOWR(PCIEM_IOC_MAGIC, numbers[i], char[16]), space), ENOTTY);
		EXPECT_ERROR(ioctl(fd, _IOWR(PCIEM_IOC_MAGIC, numbers[i], char[4096]), space), ENOTTY);
	}
	/* The right number with another size or direction is another call */
	EXPECT_ERROR(ioctl(fd, _IOW(PCIEM_IOC_MAGIC, 11, char[16]), space), ENOTTY);
	EXPECT_ERROR(ioctl(fd, _IO(PCIEM_IOC_MAGIC, 10), space), ENOTTY);
	EXPECT_ERROR(ioctl(fd, _IO('x', 14), space), ENOTTY);
	EXPECT_ERROR(ioctl(fd, _IOW('x', 11, struct pciem_bar_config), space), ENOTTY);
}

TEST(bad_pointers)
{
	static const unsigned int calls[] = {
		PCIEM_IOC_CREATE_DEVICE, PCIEM_IOC_ADD_BAR, PCIEM_IOC_ADD_CAPABILITY,
		PCIEM_IOC_SET_CONFIG, PCIEM_IOC_INJECT_IRQ, PCIEM_IOC_DMA, PCIEM_IOC_DMA_ATOMIC,
		PCIEM_IOC_GET_BAR_INFO, PCIEM_IOC_SET_EVENTFD, PCIEM_IOC_DMA_INDIRECT,
		PCIEM_IOC_TRACE_BAR, PCIEM_IOC_GET_VERSION, PCIEM_IOC_SETUP_RING,
		PCIEM_IOC_DMA_BATCH, PCIEM_IOC_CONFIG_ACCESS, PCIEM_IOC_DEVICE_INFO,
		PCIEM_IOC_VECTOR_INFO,
	};
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *pointers[] = {
		NULL, (void *)8, (void *)0xffff888000000000UL, (void *)0x8000000000000000UL,
		(void *)-4096L, page + 4094,
	};
	struct lab lab;

	munmap(page + 4096, 4096);
	lab_power_on(&lab, &lab_plain);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		for (size_t j = 0; j < sizeof(pointers) / sizeof(pointers[0]); j++)
			EXPECT_(ioctl(lab.fd, calls[i], pointers[j]) == -1 && errno == EFAULT, false,
				"call %u at %p: %s", calls[i] & 0xff, pointers[j],
				harness_errno(errno));
}

static int set_ids(int fd, unsigned int func, uint16_t vendor)
{
	struct pciem_config_space config = {
		.func = func, .vendor_id = vendor, .device_id = LAB_DEVICE_FREE,
	};

	return ioctl(fd, PCIEM_IOC_SET_CONFIG, &config);
}

static long unreclaimable_kib(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	long slab = 0, area = 0;
	char line[128];

	ASSERT(file);
	while (fgets(line, sizeof(line), file)) {
		sscanf(line, "SUnreclaim: %ld", &slab);
		sscanf(line, "VmallocUsed: %ld", &area);
	}
	fclose(file);
	return slab + area;
}

/* Calls that allocate before they find out; in the reference some keep it */
TEST_FOR(bad_arguments_leak_nothing, 60)
{
	struct pciem_dma_op dma = { .iova = 0x1000, .user_addr = 8, .length = 1 << 16 };
	struct pciem_dma_indirect indirect = {
		.prp1 = 0x1000, .user_addr = 8, .length = 1 << 16, .page_size = 1 << 16,
	};
	struct pciem_cap_bytes bytes = { .bytes = 8, .length = 16 };
	struct pciem_rom rom = { .image = 8, .length = 4096, .size = 4096 };
	struct pciem_config_define define = { .bytes = 8, .offset = 0x80, .length = 64 };
	struct pciem_irqfd_config irqfd = { .eventfd = -1 };
	struct pciem_eventfd_config eventfd = { .eventfd = -7 };
	int pipes[2], built = created();
	struct lab lab;
	long before = 0;

	ASSERT(!pipe(pipes));
	EXPECT_OK(set_ids(built, 0, LAB_VENDOR));
	lab_power_on(&lab, &lab_plain);
	for (int i = 0; i < 4000; i++) {
		/* Slabs fill up at first */
		if (i == 1000)
			before = unreclaimable_kib();
		dma.flags = indirect.flags = 1 + i % 2;
		EXPECT_EQ(ioctl(lab.fd, PCIEM_IOC_DMA, &dma), -1);
		EXPECT_EQ(ioctl(lab.fd, PCIEM_IOC_DMA_INDIRECT, &indirect), -1);
		irqfd.eventfd = i % 2 ? pipes[0] : -1;
		EXPECT_EQ(ioctl(lab.fd, PCIEM_IOC_SET_IRQFD, &irqfd), -1);
		EXPECT_EQ(ioctl(lab.fd, PCIEM_IOC_SET_EVENTFD, &eventfd), -1);
		EXPECT_EQ(ioctl(lab.fd, PCIEM_IOC_REGISTER), -1);
		EXPECT_EQ(ioctl(built, PCIEM_IOC_ADD_CAP_BYTES, &bytes), -1);
		EXPECT_EQ(ioctl(built, PCIEM_IOC_SET_ROM, &rom), -1);
		EXPECT_EQ(ioctl(built, PCIEM_IOC_CONFIG_DEFINE, &define), -1);
	}
	/* A kernel that finds leaks itself also keeps what was freed, for a while. */
	if (access("/sys/kernel/debug/kmemleak", F_OK))
		EXPECT_(unreclaimable_kib() - before < 1024, false,
			"%ld KiB of kernel memory, then %ld", before, unreclaimable_kib());
}

TEST(what_is_traced_is_freed_with_the_device)
{
	long before = 0;

	if (!access("/sys/kernel/debug/kmemleak", F_OK))
		harness_skip("this kernel finds leaks itself, and keeps what was freed for a while");
	for (int i = 0; i < 2000; i++) {
		struct pciem_bar_config bar = { .size = 4096 };
		int fd = created();

		ASSERT(!ioctl(fd, PCIEM_IOC_ADD_BAR, &bar));
		for (unsigned int at = 0; at < 60; at++) {
			struct pciem_trace_range range = {
				.offset = 16 * at, .length = 8, .flags = PCIEM_TRACE_WRITES,
			};

			ASSERT(!ioctl(fd, PCIEM_IOC_TRACE_RANGE, &range));
		}
		close(fd);
		if (i == 200)
			before = unreclaimable_kib();
	}
	/* What was replaced is freed a little later. */
	EXPECT_(lab_wait(unreclaimable_kib() - before < 1024, 20000), false,
		"%ld KiB of kernel memory, then %ld", before, unreclaimable_kib());
}

TEST(create_device)
{
	struct pciem_create_device create = { .func = 8 };
	int fd = opened();

	EXPECT_ERROR(ioctl(fd, PCIEM_IOC_CREATE_DEVICE, &create), EINVAL);
	create.func = 255;
	EXPECT_ERROR(ioctl(fd, PCIEM_IOC_CREATE_DEVICE, &create), EINVAL);
	create.func = 0;
	create.flags = 2;
	EXPECT_ERROR(ioctl(fd, PCIEM_IOC_CREATE_DEVICE, &create), EINVAL);
	create.flags = 4;
	EXPECT_ERROR(ioctl(fd, PCIEM_IOC_CREATE_DEVICE, &create), EINVAL);
	create.flags = PCIEM_CREATE_VIRTUAL;
	EXPECT_OK(ioctl(fd, PCIEM_IOC_CREATE_DEVICE, &create));
	EXPECT_ERROR(ioctl(fd, PCIEM_IOC_CREATE_DEVICE, &create), EBUSY);
	create.func = 7;
	EXPECT_OK(ioctl(fd, PCIEM_IOC_CREATE_DEVICE, &create));
}

static int add_bar(int fd, unsigned int func, unsigned int index, uint64_t size, uint32_t flags)
{
	struct pciem_bar_config bar = {
		.func = func, .bar_index = index, .size = size, .flags = flags,
	};

	return ioctl(fd, PCIEM_IOC_ADD_BAR, &bar);
}

TEST(add_bar)
{
	int fd = opened();

	EXPECT_ERROR(add_bar(fd, 0, 0, 4096, 0), ENODEV);
	close(fd);
	fd = created();
	EXPECT_ERROR(add_bar(fd, 1, 0, 4096, 0), ENODEV);
	EXPECT_ERROR(add_bar(fd, 8, 0, 4096, 0), EINVAL);
	EXPECT_ERROR(add_bar(fd, 0, 6, 4096, 0), EINVAL);
	EXPECT_ERROR(add_bar(fd, 0, ~0U, 4096, 0), EINVAL);
	EXPECT_ERROR(add_bar(fd, 0, 0, 0, 0), EINVAL);
	EXPECT_ERROR(add_bar(fd, 0, 0, 3, 0), EINVAL);
	EXPECT_ERROR(add_bar(fd, 0, 0, 4097, 0), EINVAL);
	EXPECT_ERROR(add_bar(fd, 0, 0, 12288, 0), EINVAL);
	EXPECT_ERROR(add_bar(fd, 0, 0, ~0ULL, 0), EINVAL);
	EXPECT_ERROR(add_bar(fd, 0, 0, 1ULL << 63, PCIEM_BAR_MEM64), ENOMEM);
	EXPECT_ERROR(add_bar(fd, 0, 0, 4096, 0x10), EINVAL);
	EXPECT_ERROR(add_bar(fd, 0, 5, 4096, PCIEM_BAR_MEM64), EINVAL);
	EXPECT_OK(add_bar(fd, 0, 0, 4096, PCIEM_BAR_MEM64));
	EXPECT_ERROR(add_bar(fd, 0, 0, 4096, 0), EBUSY);
	EXPECT_ERROR(add_bar(fd, 0, 1, 4096, 0), EBUSY);
	EXPECT_OK(add_bar(fd, 0, 3, 4096, PCIEM_BAR_PREFETCH));
	EXPECT_ERROR(add_bar(fd, 0, 2, 4096, PCIEM_BAR_MEM64), EBUSY);
	EXPECT_OK(add_bar(fd, 0, 2, 16, 0));
	EXPECT_OK(add_bar(fd, 0, 4, 4096, PCIEM_BAR_MEM64 | PCIEM_BAR_PREFETCH));
}

static int add_msi(int fd, unsigned int log2)
{
	struct pciem_cap_config cap = { .cap_type = PCIEM_CAP_MSI, .u.msi = { log2, 1, 1 } };

	return ioctl(fd, PCIEM_IOC_ADD_CAPABILITY, &cap);
}

static int add_msix(int fd, unsigned int bar, uint32_t table, uint32_t pba, uint16_t size)
{
	struct pciem_cap_config cap = {
		.cap_type = PCIEM_CAP_MSIX,
		.u.msix = { .bar_index = bar, .table_offset = table, .pba_offset = pba,
			    .table_size = size },
	};

	return ioctl(fd, PCIEM_IOC_ADD_CAPABILITY, &cap);
}

TEST(add_capability)
{
	struct pciem_cap_config cap = { .cap_type = 99 };
	int fd = opened();

	EXPECT_ERROR(add_msi(fd, 0), ENODEV);
	close(fd);
	fd = created();
	EXPECT_ERROR(ioctl(fd, PCIEM_IOC_ADD_CAPABILITY, &cap), EINVAL);
	cap.cap_type = PCIEM_CAP_PM;
	cap.func = 8;
	EXPECT_ERROR(ioctl(fd, PCIEM_IOC_ADD_CAPABILITY, &cap), EINVAL);
	cap.func = 3;
	EXPECT_ERROR(ioctl(fd, PCIEM_IOC_ADD_CAPABILITY, &cap), ENODEV);
	EXPECT_ERROR(add_msi(fd, 6), EINVAL);
	EXPECT_ERROR(add_msi(fd, 255), EINVAL);
	EXPECT_OK(add_bar(fd, 0, 0, 0x10000, PCIEM_BAR_MEM64));
	EXPECT_ERROR(add_msix(fd, 6, 0, 0x8000, 4), EINVAL);
	EXPECT_ERROR(add_msix(fd, 255, 0, 0x8000, 4), EINVAL);
	EXPECT_ERROR(add_msix(fd, 0, 0, 0x8000, 0), EINVAL);
	EXPECT_ERROR(add_msix(fd, 0, 0, 0x8000, 2049), EINVAL);
	EXPECT_ERROR(add_msix(fd, 0, 4, 0x8000, 4), EINVAL);
	EXPECT_ERROR(add_msix(fd, 0, 0, 0x8004, 4), EINVAL);
	EXPECT_ERROR(add_msix(fd, 0, 0xfff8, 0x8000, 4), EINVAL);
	EXPECT_ERROR(add_msix(fd, 0, 0x10000, 0x8000, 4), EINVAL);
	EXPECT_ERROR(add_msix(fd, 0, 0xfffffff8, 0x8000, 4), EINVAL);
	EXPECT_ERROR(add_msix(fd, 0, 0, 0x10000, 4), EINVAL);
	EXPECT_ERROR(add_msix(fd, 0, 0, 0x38, 4), EINVAL);	/* the last entry */
	EXPECT_OK(add_msix(fd, 0, 0, 0x40, 4));
	EXPECT_ERROR(add_msix(fd, 0, 0x100, 0x200, 4), EEXIST);
	EXPECT_OK(add_msi(fd, 5));
	EXPECT_ERROR(add_msi(fd, 5), EEXIST);
}

/* The reference accepts an MSI-X table outside its BAR */
TEST(an_MSIX_table_outside_a_BAR_that_came_later)
{
	int fd = created();

	EXPECT_OK(set_ids(fd, 0, LAB_VENDOR));
	EXPECT_OK(add_msix(fd, 2, 0x1000, 0x2000, 4));
	EXPECT_ERROR(ioctl(fd, PCIEM_IOC_REGISTER), EINVAL);	/* no such BAR */
	EXPECT_OK(add_bar(fd, 0, 2, 0x2000, 0));
	EXPECT_ERROR(ioctl(fd, PCIEM_IOC_REGISTER), EINVAL);
}

TEST(set_config)
{
	int fd = opened();

	EXPECT_ERROR(set_ids(fd, 0, LAB_VENDOR), ENODEV);
	close(fd);
	fd = created();
	EXPECT_ERROR(set_ids(fd, 8, LAB_VENDOR), EINVAL);
	EXPECT_ERROR(set_ids(fd, 1, LAB_VENDOR), ENODEV);
	EXPECT_ERROR(set_ids(fd, 0, 0xffff), EINVAL);
	EXPECT_OK(set_ids(fd, 0, LAB_VENDOR));
}

TEST(register_and_start)
{
	struct pciem_create_device create = { .func = 1 };
	struct lab lab;
	int fd = opened();

	EXPECT_ERROR(ioctl(fd, PCIEM_IOC_REGISTER), EINVAL);
	EXPECT_ERROR(ioctl(fd, PCIEM_IOC_START), EINVAL);
	EXPECT_OK(ioctl(fd, PCIEM_IOC_CREATE_DEVICE, &create));
	EXPECT_ERROR(ioctl(fd, PCIEM_IOC_REGISTER), EINVAL);	/* no function 0 */
	close(fd);

	lab_build(&lab, &lab_plain);
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_START), EINVAL);
	lab_register(&lab);
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_REGISTER), EINVAL);
	/* Nothing can be added any more */
	create.func = 2;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_CREATE_DEVICE, &create), EINVAL);
	EXPECT_ERROR(add_bar(lab.fd, 0, 4, 4096, 0), EINVAL);
	EXPECT_ERROR(add_msi(lab.fd, 0), EINVAL);
	EXPECT_ERROR(set_ids(lab.fd, 0, LAB_VENDOR), EINVAL);
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_START));
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_START), EALREADY);
}

static pthread_barrier_t barrier;

static void *register_at_once(void *arg)
{
	long fd = (long)arg, ret;

	pthread_barrier_wait(&barrier);
	ret = ioctl(fd, PCIEM_IOC_REGISTER);
	return (void *)(ret >= 0 ? 0L : (long)errno);
}

TEST(registered_by_several_threads)
{
	pthread_t threads[4];
	struct lab lab;

	for (int round = 0; round < 10; round++) {
		int registered = 0;
		void *error;

		lab_build(&lab, &lab_plain);
		pthread_barrier_init(&barrier, NULL, 4);
		for (int i = 0; i < 4; i++)
			ASSERT(!pthread_create(&threads[i], NULL, register_at_once,
					       (void *)(long)lab.fd));
		for (int i = 0; i < 4; i++) {
			pthread_join(threads[i], &error);
			registered += !error;
			EXPECT_(!error || (long)error == EBUSY || (long)error == EINVAL, false, "%s",
				harness_errno((long)error));
		}
		EXPECT_EQ(registered, 1);
		close(lab.fd);
	}
}

TEST(inject_irq)
{
	struct pciem_irq_inject inject = { 0 };
	struct lab lab;
	int fd = opened();

	EXPECT_ERROR(ioctl(fd, PCIEM_IOC_INJECT_IRQ, &inject), ENODEV);
	close(fd);
	lab_build(&lab, &lab_plain);
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_INJECT_IRQ, &inject), ENODEV);
	lab_register(&lab);
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_INJECT_IRQ, &inject), ENODEV);
	lab_start(&lab);
	inject.func = 8;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_INJECT_IRQ, &inject), EINVAL);
	inject.func = 7;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_INJECT_IRQ, &inject), ENODEV);
	inject.func = 0;
	inject.vector = 1;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_INJECT_IRQ, &inject), EINVAL);
	inject.vector = ~0U;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_INJECT_IRQ, &inject), EINVAL);
}

TEST(get_bar_info)
{
	struct pciem_bar_info_query query = { .bar_index = 1 };
	struct lab lab;
	int fd = opened();

	EXPECT_ERROR(ioctl(fd, PCIEM_IOC_GET_BAR_INFO, &query), ENODEV);
	close(fd);
	lab_build(&lab, &lab_plain);
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_GET_BAR_INFO, &query), ENOENT);
	query.bar_index = 6;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_GET_BAR_INFO, &query), EINVAL);
	query.bar_index = ~0U;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_GET_BAR_INFO, &query), EINVAL);
	query.bar_index = 0;
	query.func = 9;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_GET_BAR_INFO, &query), EINVAL);
	query.func = 1;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_GET_BAR_INFO, &query), ENODEV);
}

TEST(set_eventfd)
{
	struct pciem_eventfd_config config = { .eventfd = 12345 };
	int pipes[2];
	struct lab lab;

	lab_build(&lab, &lab_plain);
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_SET_EVENTFD, &config), EBADF);
	ASSERT(!pipe(pipes));
	config.eventfd = pipes[0];
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_SET_EVENTFD, &config), EINVAL);
	config.eventfd = -2;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_SET_EVENTFD, &config), EINVAL);
	config.eventfd = -1;
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_SET_EVENTFD, &config));
	for (int i = 0; i < 3; i++) {
		config.eventfd = eventfd(0, EFD_CLOEXEC);
		EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_SET_EVENTFD, &config));
		close(config.eventfd);
	}
	config.eventfd = -1;
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_SET_EVENTFD, &config));
}

TEST(trace_bar)
{
	struct pciem_trace_bar trace = { .flags = PCIEM_TRACE_WRITES };
	struct lab lab;
	int fd = opened();

	/* The reference dereferences a NULL pointer here */
	EXPECT_ERROR(ioctl(fd, PCIEM_IOC_TRACE_BAR, &trace), ENODEV);
	close(fd);
	lab_build(&lab, &lab_plain);
	lab_register(&lab);
	trace.func = 8;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_TRACE_BAR, &trace), EINVAL);
	trace.func = 1;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_TRACE_BAR, &trace), ENODEV);
	trace.func = 0;
	trace.bar_index = 6;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_TRACE_BAR, &trace), EINVAL);
	trace.bar_index = 1;	/* the high half of BAR 0 */
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_TRACE_BAR, &trace), ENXIO);
	trace.bar_index = 4;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_TRACE_BAR, &trace), ENXIO);
	trace.bar_index = 0;
	trace.flags = 0;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_TRACE_BAR, &trace), EINVAL);
	trace.flags = 8 | PCIEM_TRACE_READS;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_TRACE_BAR, &trace), EINVAL);
	trace.flags = PCIEM_TRACE_WRITES;
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_TRACE_BAR, &trace));
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_TRACE_BAR, &trace), EINVAL);
}

TEST(setup_ring)
{
	static const uint32_t bad[] = { 0, 1, 128, 255, 257, 300, 131072, 0x80000000, ~0U };
	struct pciem_setup_ring setup = { .slots = 1024, .reserved = 1 };
	struct lab lab;

	lab_build(&lab, &lab_plain);
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_SETUP_RING, &setup), EINVAL);
	setup.reserved = 0;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		setup.slots = bad[i];
		EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_SETUP_RING, &setup), EINVAL);
	}
	setup.slots = PCIEM_RING_MAX_EVENTS;
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_SETUP_RING, &setup));
	setup.slots = 1024;
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_SETUP_RING, &setup));
	lab.slots = 1024;
	lab_map_ring(&lab);
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_SETUP_RING, &setup), EBUSY);
	lab_power_off(&lab);

	lab_build(&lab, &lab_plain);
	lab_register(&lab);
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_SETUP_RING, &setup), EBUSY);
}

static int access_config(int fd, uint32_t flags, uint32_t offset, uint32_t size, uint32_t *value)
{
	struct pciem_config_access access = {
		.flags = flags, .offset = offset, .size = size, .value = *value,
	};
	int ret = ioctl(fd, PCIEM_IOC_CONFIG_ACCESS, &access);

	*value = access.value;
	return ret;
}

TEST(config_access)
{
	struct pciem_config_access access = { .size = 4 };
	uint32_t value = 0;
	struct lab lab;

	lab_build(&lab, &lab_plain);
	EXPECT_ERROR(access_config(lab.fd, 0, 0, 4, &value), ENODEV);
	lab_register(&lab);
	EXPECT_ERROR(access_config(lab.fd, 0, 0, 0, &value), EINVAL);
	EXPECT_ERROR(access_config(lab.fd, 0, 0, 3, &value), EINVAL);
	EXPECT_ERROR(access_config(lab.fd, 0, 0, 8, &value), EINVAL);
	EXPECT_ERROR(access_config(lab.fd, 0, 1, 2, &value), EINVAL);
	EXPECT_ERROR(access_config(lab.fd, 0, 2, 4, &value), EINVAL);
	EXPECT_ERROR(access_config(lab.fd, 0, 4096, 1, &value), EINVAL);
	EXPECT_ERROR(access_config(lab.fd, 0, 0xfffffffc, 4, &value), EINVAL);
	EXPECT_ERROR(access_config(lab.fd, 4, 0, 4, &value), EINVAL);
	access.func = 8;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_CONFIG_ACCESS, &access), EINVAL);
	access.func = 1;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_CONFIG_ACCESS, &access), ENODEV);
	access.func = 0;
	access.reserved[6] = 1;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_CONFIG_ACCESS, &access), EINVAL);

	EXPECT_OK(access_config(lab.fd, 0, 0, 4, &value));
	EXPECT_EQ(value, LAB_DEVICE_FREE << 16 | LAB_VENDOR);
	EXPECT_OK(access_config(lab.fd, 0, 2, 1, &value));
	EXPECT_EQ(value, LAB_DEVICE_FREE & 0xff);
	EXPECT_OK(access_config(lab.fd, 0, 4092, 4, &value));
	EXPECT_EQ(value, 0);

	/* A driver cannot change the identity; the device can */
	value = 0x1234;
	EXPECT_OK(access_config(lab.fd, PCIEM_CONFIG_WRITE, 0, 2, &value));
	EXPECT_EQ(lab_config_read(&lab, 0, 2), LAB_VENDOR);
	value = 0x77;
	EXPECT_OK(access_config(lab.fd, PCIEM_CONFIG_WRITE | PCIEM_CONFIG_AS_DEVICE, 8, 1, &value));
	EXPECT_EQ(lab_config_read(&lab, 8, 1), 0x77);
	lab_config_write(&lab, 8, 1, 0);
	EXPECT_EQ(lab_config_read(&lab, 8, 1), 0x77);

	/* Status bits are cleared by writing one, and not by writing zero */
	value = 0xf900;
	EXPECT_OK(access_config(lab.fd, PCIEM_CONFIG_WRITE | PCIEM_CONFIG_AS_DEVICE, 6, 2, &value));
	lab_config_write(&lab, 6, 2, 0);
	EXPECT_EQ(lab_config_read(&lab, 6, 2), 0xf900);
	lab_config_write(&lab, 6, 2, 0x8000);
	EXPECT_EQ(lab_config_read(&lab, 6, 2), 0x7900);

	/* A BAR tells its size, and takes its address back */
	value = lab_config_read(&lab, 0x18, 4);
	lab_config_write(&lab, 0x18, 4, 0xffffffff);
	EXPECT_EQ(lab_config_read(&lab, 0x18, 4), 0xffffc000);
	lab_config_write(&lab, 0x18, 4, value);
	EXPECT_EQ(lab_config_read(&lab, 0x18, 4), value);
	value = lab_config_read(&lab, 0x10, 4);
	EXPECT_EQ(value & 0xf, PCIEM_BAR_MEM64);
}

TEST(vector_info)
{
	struct pciem_vector_info info = { 0 };
	struct lab lab;

	lab_build(&lab, &lab_plain);
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_VECTOR_INFO, &info), ENODEV);
	lab_register(&lab);
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_VECTOR_INFO, &info));
	info.vector = 1;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_VECTOR_INFO, &info), EINVAL);
	info.vector = ~0U;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_VECTOR_INFO, &info), EINVAL);
	info.vector = 0;
	info.func = 8;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_VECTOR_INFO, &info), EINVAL);
	info.func = 0;
	info.reserved[1] = 1;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_VECTOR_INFO, &info), EINVAL);
}

TEST(device_info)
{
	struct pciem_device_info info = { .func = 8 };
	struct lab lab;

	lab_build(&lab, &lab_plain);
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DEVICE_INFO, &info), EINVAL);
	info.func = 1;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_DEVICE_INFO, &info), ENODEV);
	EXPECT_EQ(lab_info(&lab).state, 0);
	lab_register(&lab);
	EXPECT_EQ(lab_info(&lab).state & PCIEM_STATE_REGISTERED, PCIEM_STATE_REGISTERED);
	EXPECT_EQ(lab_info(&lab).state & PCIEM_STATE_STARTED, 0);
	lab_start(&lab);
	EXPECT_EQ(lab_info(&lab).state & PCIEM_STATE_STARTED, PCIEM_STATE_STARTED);
	EXPECT_EQ(lab_info(&lab).state & (PCIEM_STATE_DRIVER | PCIEM_STATE_BUS_MASTER), 0);
	lab_bus_master(&lab, true);
	EXPECT_EQ(lab_info(&lab).state & PCIEM_STATE_BUS_MASTER, PCIEM_STATE_BUS_MASTER);
}

/* Each call at each stage with random bytes: an error or not, but the kernel goes on */
TEST_FOR(random_arguments, 60)
{
	static const unsigned int calls[] = {
		PCIEM_IOC_CREATE_DEVICE, PCIEM_IOC_ADD_BAR, PCIEM_IOC_ADD_CAPABILITY,
		PCIEM_IOC_SET_CONFIG, PCIEM_IOC_INJECT_IRQ, PCIEM_IOC_GET_BAR_INFO,
		PCIEM_IOC_SET_EVENTFD, PCIEM_IOC_TRACE_BAR, PCIEM_IOC_GET_VERSION,
		PCIEM_IOC_SETUP_RING, PCIEM_IOC_CONFIG_ACCESS, PCIEM_IOC_DEVICE_INFO,
		PCIEM_IOC_VECTOR_INFO, PCIEM_IOC_SET_IRQFD, PCIEM_IOC_P2P,
	};
	const size_t n = sizeof(calls) / sizeof(calls[0]);
	uint64_t random = 88172645463325252ULL;

	for (int round = 0; round < 60; round++) {
		int fd = opened();

		for (int i = 0; i < 200; i++) {
			uint8_t bytes[64];

			for (size_t j = 0; j < sizeof(bytes); j++) {
				random ^= random << 13;
				random ^= random >> 7;
				random ^= random << 17;
				/* Mostly small numbers, which are nearly right */
				bytes[j] = random % 3 ? 0 : random % 5 ? random >> 32 & 7 : random >> 40;
			}
			/* A large BAR takes long to make */
			if (calls[random % n] == PCIEM_IOC_ADD_BAR)
				memset(bytes + 11, 0, 5);
			ioctl(fd, calls[random % n], bytes);
		}
		if (round % 2) {
			int instance = ioctl(fd, PCIEM_IOC_REGISTER);

			ioctl(fd, PCIEM_IOC_START);
			if (instance >= 0)
				close(instance);
		}
		close(fd);
	}
}

TEST_MAIN()

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The attacker: whoever has a descriptor of /dev/pciem, root or not, does
 * everything that it can be used for, in any order, from many threads and
 * processes, with arguments that are right, nearly right and hostile, while a
 * driver works with the device. No result is checked, but the kernel goes on,
 * says nothing, and gives everything back.
 *
 * It finds the calls by trying all numbers, so it knows of those to come.
 *
 *	PCIEM_ATTACK_SECONDS	how long in all (6)
 *	PCIEM_ATTACK_SEED	what to do; printed, to be given again
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver.h"
#include "harness.h"

#define THREADS		5
#define CALLS_MAX	256
#define ARG_MAX		512
#define MAPS		6
#define ROOM		(1UL << 20)	/* for each piece of memory; what is not used of it is closed */
#define EVENT_FILES	4

static volatile bool stop;
static struct lab lab;
static uint64_t driver_memory;
static int event_files[EVENT_FILES];
static uint64_t seed;

/* Numbers that a device answers to other than with ENOTTY */
static uint32_t calls[CALLS_MAX];
static unsigned int ncalls;
/* DMA reaches only what the driver mapped, so wild addresses do no harm */
static bool dma_checked;

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
		0, 1, 2, 3, 4, 5, 7, 8, 16, 64, 255, 256, 4095, 4096, 8192, 65536,
		0x7fffffff, 0x80000000, 0xffffffff, 1ULL << 40, ~0ULL,
	};

	return next(state) % 4 ? values[next(state) % 21] : next(state);
}

static double seconds(void)
{
	const char *text = getenv("PCIEM_ATTACK_SECONDS");
	double wanted = text ? atof(text) : 0;

	return wanted > 0 ? wanted : 6;
}

/* Each test takes its share of the time */
static uint64_t deadline(double share)
{
	const char *text = getenv("PCIEM_ATTACK_SEED");

	seed = text ? strtoull(text, NULL, 0) : lab_now_ns();
	printf("# PCIEM_ATTACK_SEED=%#llx\n", (unsigned long long)seed);
	fflush(stdout);
	return lab_now_ns() + (uint64_t)(seconds() * share * 1e9);
}

static uint64_t thread_state(uint64_t thread)
{
	return (seed ^ 0x9e3779b97f4a7c15ULL * (thread + 1)) | 1;
}

/* Every number, direction and size, on devices that are thrown away */
static void find_calls(void)
{
	static uint8_t arg[ARG_MAX];

	ncalls = 0;
	for (unsigned int number = 0; number < 128; number++) {
		int fd = open("/dev/pciem", O_RDWR | O_CLOEXEC);

		ASSERT(fd >= 0);
		for (unsigned int direction = 0; direction < 4; direction++) {
			for (unsigned int size = 0; size <= (direction ? ARG_MAX : 0); size += 4) {
				uint32_t call = _IOC(direction, PCIEM_IOC_MAGIC, number, size);
				int ret;

				memset(arg, 0, sizeof(arg));
				ret = ioctl(fd, call, arg);
				if (ret < 0 && errno == ENOTTY)
					continue;
				if (number == _IOC_NR(PCIEM_IOC_REGISTER) && ret >= 0)
					close(ret);
				ASSERT(ncalls < CALLS_MAX);
				calls[ncalls++] = call;
			}
		}
		close(fd);
	}
}

static bool is_dma(uint32_t call)
{
	return call == PCIEM_IOC_DMA || call == PCIEM_IOC_DMA_INDIRECT ||
	       call == PCIEM_IOC_DMA_ATOMIC || call == PCIEM_IOC_DMA_BATCH;
}

/* What a page of our own, which no driver mapped, says to a device that wants to write to it */
static void look_at_dma(struct lab *device)
{
	uint64_t value = 0, physical;
	struct pciem_dma_op op = {
		.user_addr = (uintptr_t)&value, .length = 8, .flags = PCIEM_DMA_WRITE,
	};

	lab_locked_page(&physical);
	op.iova = physical;
	dma_checked = ioctl(device->fd, PCIEM_IOC_DMA, &op) != 0;
}

/* Memory to point at: good, bad, and the module's own */

struct attacker {
	uint64_t state;
	int fd;
	int instance;
	uint8_t *room;		/* all of what follows */
	uint8_t *buffer;	/* 64 KiB */
	uint8_t *readonly;
	uint8_t *gone;
	struct {
		uint8_t *at;
		size_t bytes;
	} maps[MAPS];
};

static _Thread_local sigjmp_buf on_fault;
static _Thread_local volatile bool may_fault;

static void fault(int signal)
{
	if (may_fault)
		siglongjmp(on_fault, 1);
	_exit(128 + signal);
}

static void catch_faults(void)
{
	struct sigaction action = { .sa_handler = fault, .sa_flags = SA_NODEFER };

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
}

static void attacker_init(struct attacker *a, uint64_t thread, int fd, int instance)
{
	uint8_t *room = mmap(NULL, ROOM * (MAPS + 3), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT(room != MAP_FAILED);
	memset(a, 0, sizeof(*a));
	a->room = room;
	a->state = thread_state(thread);
	a->fd = fd;
	a->instance = instance;
	/* The kernel's writes past the end of one shall not reach what others need */
	for (int i = 0; i < MAPS; i++)
		a->maps[i].at = room + ROOM * i;
	a->gone = room + ROOM * MAPS;
	a->readonly = room + ROOM * (MAPS + 1);
	a->buffer = room + ROOM * (MAPS + 2);
	ASSERT(!mprotect(a->readonly, 4096, PROT_READ));
	ASSERT(!mprotect(a->buffer, 65536, PROT_READ | PROT_WRITE));
}

static uint8_t *pointer(struct attacker *a)
{
	uint64_t *state = &a->state;
	unsigned int map = next(state) % MAPS;

	switch (next(state) % 12) {
	case 0:
		return a->readonly + nearly(state) % 4096;
	case 1:
		return a->gone + nearly(state) % 4096;
	case 2:
		/* Part of it is there */
		return a->buffer + 65536 - next(state) % 64;
	case 3:
		return (uint8_t *)nearly(state);
	case 4:
		return (uint8_t *)(0xffff888000000000 + next(state) % (1 << 30));
	case 5:
	case 6:
		if (a->maps[map].bytes)
			return a->maps[map].at + nearly(state) % a->maps[map].bytes;
	}
	return a->buffer + nearly(state) % 4096;
}

static void scribble(struct attacker *a)
{
	uint64_t *state = &a->state;
	unsigned int map = next(state) % MAPS;
	volatile uint8_t *at = a->maps[map].at;
	size_t bytes = a->maps[map].bytes;

	if (bytes < 256)
		return;
	may_fault = true;
	if (!sigsetjmp(on_fault, 0)) {
		for (int i = 0; i < 8; i++) {
			/* The indices of a ring, or anything */
			size_t offset = next(state) % 2 ? next(state) % 3 * 64 : next(state) % (bytes - 8);

			if (next(state) % 4)
				*(volatile uint64_t *)(at + (offset & ~7UL)) = nearly(state);
			else
				(void)*(volatile uint64_t *)(at + (offset & ~7UL));
		}
	}
	may_fault = false;
}

static void change_maps(struct attacker *a)
{
	static const int protections[] = {
		PROT_READ | PROT_WRITE, PROT_READ, PROT_WRITE, PROT_NONE,
		PROT_READ | PROT_WRITE | PROT_EXEC,
	};
	uint64_t *state = &a->state;
	unsigned int map = next(state) % MAPS;
	uint8_t *at = a->maps[map].at;
	size_t bytes = a->maps[map].bytes;

	switch (bytes ? next(state) % 6 : 0) {
	case 0:
		ASSERT(mmap(at, ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
		bytes = 4096 << next(state) % 7;
		if (mmap(at, bytes, protections[next(state) % 8 < 5 ? 0 : next(state) % 5],
			 (next(state) % 8 ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED,
			 next(state) % 2 ? a->fd : a->instance,
			 (off_t)(next(state) % 8 ? next(state) % 20 : nearly(state) & 0xffffffff) * 4096) !=
		    at) {
			/* Refused, or the old one is gone already */
			mmap(at, ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
			bytes = 0;
		}
		a->maps[map].bytes = bytes;
		break;
	case 1:
		mprotect(at, 4096, protections[next(state) % 5]);
		break;
	case 2:
		if (bytes > 4096) {
			mmap(at + bytes / 2, bytes / 2, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
			a->maps[map].bytes = bytes / 2;
		}
		break;
	case 3:
		mremap(at, bytes, bytes * 2, 0);
		break;
	case 4:
		madvise(at, bytes, (int[]){ MADV_DONTNEED, MADV_DONTFORK, MADV_REMOVE,
					    MADV_HUGEPAGE, MADV_PAGEOUT }[next(state) % 5]);
		break;
	case 5:
		mlock(at, bytes);
		munlock(at, bytes);
		break;
	}
}

/* Arguments that work, for what may come of them to be reached */
static size_t good_argument(struct attacker *a, uint32_t call, void *arg)
{
	uint64_t *state = &a->state;
	bool mapped = driver_memory;

	switch (call) {
	case PCIEM_IOC_ADD_BAR:
		*(struct pciem_bar_config *)arg = (struct pciem_bar_config){
			.bar_index = next(state) % 7, .size = 4096ULL << next(state) % 6,
			.flags = nearly(state) & 0xf,
		};
		return sizeof(struct pciem_bar_config);
	case PCIEM_IOC_SET_CONFIG:
		*(struct pciem_config_space *)arg = (struct pciem_config_space){
			.vendor_id = LAB_VENDOR, .device_id = LAB_DEVICE, .class_code = { 0, 0, 0xff },
		};
		return sizeof(struct pciem_config_space);
	case PCIEM_IOC_ADD_CAPABILITY: {
		struct pciem_cap_config *cap = arg;

		memset(cap, 0, sizeof(*cap));
		cap->cap_type = next(state) % 7;
		memset(&cap->u, nearly(state), sizeof(cap->u));
		return sizeof(*cap);
	}
	case PCIEM_IOC_INJECT_IRQ:
		*(struct pciem_irq_inject *)arg = (struct pciem_irq_inject){ .vector = next(state) % 5 };
		return sizeof(struct pciem_irq_inject);
	case PCIEM_IOC_SET_INTX:
		*(struct pciem_set_intx *)arg = (struct pciem_set_intx){ .asserted = next(state) & 1 };
		return sizeof(struct pciem_set_intx);
	case PCIEM_IOC_DMA:
		*(struct pciem_dma_op *)arg = (struct pciem_dma_op){
			.iova = mapped ? driver_memory + nearly(state) % 32768 : nearly(state),
			.user_addr = (uintptr_t)a->buffer, .length = next(state) & 0x7fff,
			.flags = mapped ? 1 + next(state) % 2 : PCIEM_DMA_READ,
		};
		return sizeof(struct pciem_dma_op);
	case PCIEM_IOC_DMA_ATOMIC:
		*(struct pciem_dma_atomic *)arg = (struct pciem_dma_atomic){
			.iova = mapped ? driver_memory + next(state) % 4096 : 1,
			.operand = next(state), .op_type = nearly(state) % 9,
		};
		return sizeof(struct pciem_dma_atomic);
	case PCIEM_IOC_DMA_INDIRECT:
		*(struct pciem_dma_indirect *)arg = (struct pciem_dma_indirect){
			.prp1 = mapped ? driver_memory : nearly(state),
			.prp2 = mapped ? driver_memory + 4096 : nearly(state) & ~7ULL,
			.user_addr = (uintptr_t)a->buffer, .length = nearly(state) & 0xffff,
			.page_size = 4096, .flags = PCIEM_DMA_READ,
		};
		return sizeof(struct pciem_dma_indirect);
	case PCIEM_IOC_DMA_BATCH: {
		struct pciem_dma_segment *segments = (void *)(a->buffer + 32768);

		for (int i = 0; i < 8; i++)
			segments[i] = (struct pciem_dma_segment){
				driver_memory, (uintptr_t)a->buffer, mapped ? next(state) % 4096 : 0,
				mapped ? 1 + next(state) % 6 : PCIEM_DMA_IRQ, next(state) % 6,
			};
		*(struct pciem_dma_batch *)arg = (struct pciem_dma_batch){
			.segments = (uintptr_t)segments, .count = 8,
		};
		return sizeof(struct pciem_dma_batch);
	}
	case PCIEM_IOC_CONFIG_ACCESS:
		/* Not the BARs, not the command register: the driver is to go on */
		*(struct pciem_config_access *)arg = (struct pciem_config_access){
			.offset = 0x40 + (next(state) % 0xc0 & ~3U), .size = 4, .value = next(state),
			.flags = next(state) % 4 ? 0 : PCIEM_CONFIG_WRITE,
		};
		return sizeof(struct pciem_config_access);
	case PCIEM_IOC_TRACE_BAR:
		*(struct pciem_trace_bar *)arg = (struct pciem_trace_bar){
			.bar_index = next(state) % 3 & 2, .flags = 1 + next(state) % 7,
		};
		return sizeof(struct pciem_trace_bar);
	case PCIEM_IOC_TRACE_RANGE:
		*(struct pciem_trace_range *)arg = (struct pciem_trace_range){
			.bar_index = next(state) % 3 & 2, .flags = next(state) & 0x1f,
			.offset = next(state) % 4096, .length = 1 + next(state) % 4096,
		};
		return sizeof(struct pciem_trace_range);
	case PCIEM_IOC_SET_COMPLETION_TIMEOUT:
		*(struct pciem_completion_timeout *)arg = (struct pciem_completion_timeout){
			.microseconds = 1 + next(state) % 2000,
		};
		return sizeof(struct pciem_completion_timeout);
	case PCIEM_IOC_SET_EVENTS:
		*(struct pciem_set_events *)arg = (struct pciem_set_events){
			.mask = next(state) & PCIEM_EVENTS_ALL,
		};
		return sizeof(struct pciem_set_events);
	case PCIEM_IOC_SET_EVENTFD:
		*(struct pciem_eventfd_config *)arg = (struct pciem_eventfd_config){
			.eventfd = event_files[next(state) % EVENT_FILES],
		};
		return sizeof(struct pciem_eventfd_config);
	case PCIEM_IOC_SET_IRQFD:
		*(struct pciem_irqfd_config *)arg = (struct pciem_irqfd_config){
			.eventfd = event_files[next(state) % EVENT_FILES],
			.vector = next(state) % 3, .flags = next(state) % 3,
		};
		return sizeof(struct pciem_irqfd_config);
	case PCIEM_IOC_IRQFD:
		*(struct pciem_irqfd *)arg = (struct pciem_irqfd){
			.eventfd = event_files[next(state) % EVENT_FILES], .resamplefd = -1,
			.vector = next(state) % 3, .flags = 1 << next(state) % 4,
		};
		if (next(state) % 2) {
			((struct pciem_irqfd *)arg)->resamplefd = event_files[next(state) % EVENT_FILES];
			((struct pciem_irqfd *)arg)->flags = PCIEM_IRQFD_LEVEL | PCIEM_IRQFD_RESAMPLE;
		}
		return sizeof(struct pciem_irqfd);
	case PCIEM_IOC_VECTORS:
		*(struct pciem_vectors *)arg = (struct pciem_vectors){
			.vectors = (uintptr_t)a->buffer, .count = nearly(state), .first = next(state) % 4,
		};
		return sizeof(struct pciem_vectors);
	}
	return 0;
}

static void one_ioctl(struct attacker *a)
{
	uint64_t *state = &a->state, arg[ARG_MAX / 8];
	uint32_t call = calls[next(state) % ncalls];
	size_t bytes = 0;
	int ret;

	if (next(state) % 16 == 0)
		call = _IOC(next(state) % 4, PCIEM_IOC_MAGIC, next(state) % 128, next(state) % ARG_MAX);
	/* Where memory is not protected from it, the device stays where it may be */
	if (next(state) % 3 == 0 && !(is_dma(call) && !dma_checked)) {
		for (unsigned int i = 0; i < ARG_MAX / 8; i++)
			switch (next(state) % 4) {
			case 0:
				arg[i] = (uintptr_t)pointer(a);
				break;
			case 1:
				arg[i] = nearly(state) % 16 | (nearly(state) % 16) << 32;
				break;
			default:
				arg[i] = nearly(state);
			}
	} else {
		memset(arg, 0, sizeof(arg));
		bytes = good_argument(a, call, arg);
		if (is_dma(call) && !dma_checked && !bytes)
			return;
		/* Nearly right */
		if (bytes && next(state) % 3 == 0 && !(is_dma(call) && !dma_checked))
			((uint8_t *)arg)[next(state) % bytes] = nearly(state);
	}
	if (next(state) % 16 == 0 && !(is_dma(call) && !dma_checked))
		ret = ioctl(a->fd, call, pointer(a));
	else
		ret = ioctl(a->fd, call, arg);
	if (call == PCIEM_IOC_REGISTER && ret > 0) {
		if (a->instance < 0)
			a->instance = ret;
		else
			close(ret);
	}
}

static void respond(struct attacker *a)
{
	struct pciem_response *responses = (void *)(a->buffer + 16384);
	uint64_t *state = &a->state;
	struct pciem_device_info info = { 0 };
	unsigned int n = next(state) % 8;

	/* The events of right now, that may be waited for */
	ioctl(a->fd, PCIEM_IOC_DEVICE_INFO, &info);
	for (unsigned int i = 0; i < n; i++)
		responses[i] = (struct pciem_response){
			.seq = next(state) % 4 ? info.events + info.lost + i : nearly(state),
			.data = next(state), .status = nearly(state) % 4,
		};
	if (next(state) % 4)
		(void)!write(a->fd, responses, n * sizeof(*responses) + (next(state) % 8 ? 0 : 5));
	else
		(void)!write(a->fd, pointer(a), nearly(state) % 65536);
}

static void other_calls(struct attacker *a)
{
	struct pollfd pollfd = { .fd = a->fd, .events = POLLIN | POLLOUT };
	struct epoll_event event = { .events = EPOLLIN };
	uint64_t *state = &a->state, one = 1;
	int fd;

	switch (next(state) % 10) {
	case 0:
		poll(&pollfd, 1, next(state) % 2);
		break;
	case 1:
		fd = epoll_create1(EPOLL_CLOEXEC);
		epoll_ctl(fd, EPOLL_CTL_ADD, a->fd, &event);
		epoll_wait(fd, &event, 1, 0);
		close(fd);
		break;
	case 2:
		(void)!read(a->fd, a->buffer, 64);
		lseek(a->fd, nearly(state), SEEK_SET);
		break;
	case 3:
		close(dup(next(state) % 2 ? a->fd : a->instance));
		break;
	case 4:
		ioctl(a->instance, calls[next(state) % ncalls], a->buffer);
		break;
	case 5:
		/* Of a driver's, an irqfd's or a resample's */
		fd = next(state) % EVENT_FILES;
		(void)!read(event_files[fd], &one, 8);
		break;
	default:
		fd = next(state) % EVENT_FILES;
		one = 1;
		(void)!write(event_files[fd], &one, 8);
	}
}

/* A process with the same descriptors and mappings, which may be killed at any time */
static void fork_one(struct attacker *a)
{
	unsigned int after = next(&a->state) % 3000;
	pid_t child = fork();

	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		a->state ^= getpid() * 0x9e3779b97f4a7c15ULL;
		for (int i = 0; i < 200; i++) {
			one_ioctl(a);
			scribble(a);
			change_maps(a);
		}
		_exit(0);
	}
	if (child < 0)
		return;
	usleep(after);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void one_step(struct attacker *a)
{
	switch (next(&a->state) % 64) {
	case 0 ... 35:
		one_ioctl(a);
		break;
	case 36 ... 43:
		respond(a);
		break;
	case 44 ... 51:
		scribble(a);
		break;
	case 52 ... 57:
		change_maps(a);
		break;
	case 58 ... 62:
		other_calls(a);
		break;
	case 63:
		if (next(&a->state) % 16 == 0)
			fork_one(a);
		break;
	}
}

static void *attack(void *arg)
{
	struct attacker a;

	attacker_init(&a, (uintptr_t)arg, lab.fd, lab.instance);
	while (!stop)
		one_step(&a);
	/* What it mapped keeps the device's memory */
	munmap(a.room, ROOM * (MAPS + 3));
	return NULL;
}

/* Takes events at its leisure, and answers some of those that wait for it */
static void *consume(void *arg)
{
	uint64_t state = thread_state(100);

	(void)arg;
	while (!stop) {
		const struct pciem_event *e = lab_event(&lab, 1);

		if (e && next(&state) % 2) {
			struct pciem_response response = { .seq = e->seq, .data = next(&state) };

			(void)!write(lab.fd, &response, sizeof(response));
		}
	}
	return NULL;
}

/* The driver's accesses, few at a time, as some may wait for an answer that does not come */
static void *drive(void *arg)
{
	static const char *const commands[] = {
		"write32 0 0x40 8 0", "read32 0 0x40 8", "fromio 0 0 0x40", "toio 0 0x100 0x40",
		"read64 0 0x8000 4", "write32 2 0x10 4 7", "read8 0 0xfff 1", "write16 0 0x1000 3 1",
		"setio 0 0x200 0x20 5",
	};
	uint64_t state = thread_state(101);
	struct driver_result result;

	(void)arg;
	while (!stop) {
		if (next(&state) % 16 == 0)
			driver_try(&lab, &result, "locked 1");
		if (driver_try(&lab, &result, "%s", commands[next(&state) % 9]))
			usleep(500);
	}
	return NULL;
}

/* The administrator, who has a hand in it too */
static void *administrate(void *arg)
{
	uint64_t state = thread_state(102);

	(void)arg;
	while (!stop) {
		usleep(next(&state) % 20000);
		switch (next(&state) % 6) {
		case 0:
			lab_write_file("/sys/bus/pci/drivers/pciem_test/unbind", lab.address);
			break;
		case 1:
		case 2:
			lab_write_file("/sys/bus/pci/drivers/pciem_test/bind", lab.address);
			break;
		case 3:
			lab_write_file(lab_sysfs(&lab, "remove"), "1");
			break;
		case 4:
			lab_write_file("/sys/bus/pci/rescan", "1");
			break;
		case 5:
			lab_write_file(lab_sysfs(&lab, "reset"), "1");
			break;
		}
	}
	return NULL;
}

static void threads(void *(*run)(void *), unsigned int count, pthread_t *ids)
{
	for (uintptr_t i = 0; i < count; i++)
		ASSERT(!pthread_create(&ids[i], NULL, run, (void *)i));
}

static void set_up(bool wide)
{
	struct lab_spec spec = lab_plain;

	catch_faults();
	find_calls();
	for (int i = 0; i < EVENT_FILES; i++)
		event_files[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	spec.device = LAB_DEVICE;
	spec.msix = 4;
	spec.pm = spec.pcie = true;
	spec.slots = wide ? 1024 : 0;
	driver_load("irq=msix");
	driver_power_on(&lab, &spec);
	look_at_dma(&lab);
	driver_memory = driver_state(&lab).dma;
}

static void expect_all_given_back(void)
{
	EXPECT(lab_wait(!lab_exists(&lab), 10000));
	EXPECT_(lab_wait(module_references("pciem") == 0, 10000), false,
		"%ld references to pciem remain", module_references("pciem"));
}

TEST(every_number_is_a_call_or_refused)
{
	find_calls();
	/* 14 of the reference but REGISTER takes no other size, and ours */
	EXPECT_(ncalls >= 24, false, "%u calls", ncalls);
	for (unsigned int i = 0; i < ncalls; i++)
		for (unsigned int j = 0; j < i; j++)
			EXPECT_(_IOC_NR(calls[i]) != _IOC_NR(calls[j]), false,
				"%#x and %#x are both answered", calls[j], calls[i]);
}

static void drop_privileges(void)
{
	if (setgroups(0, NULL) || setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		_exit(99);
}

/* The reference leaves the node open to everyone */
TEST(the_node_is_closed_to_others)
{
	pid_t child = fork();
	int status;

	if (!child) {
		drop_privileges();
		_exit(open("/dev/pciem", O_RDWR) >= 0 ? 1 :
		      open("/dev/pciem", O_RDONLY) >= 0 ? 2 : errno == EACCES ? 0 : 3);
	}
	ASSERT(waitpid(child, &status, 0) == child);
	EXPECT_EQ(status, 0);
}

/* Root, with every call from many threads, while the driver works */
TEST_FOR(while_a_driver_works, 1200)
{
	pthread_t ids[THREADS + 2];
	uint64_t end;

	for (int wide = 0; wide < 2; wide++) {
		stop = false;
		set_up(wide);
		end = deadline(0.15);
		lab_trace(&lab, 0, PCIEM_TRACE_READS | PCIEM_TRACE_WRITES);
		threads(attack, THREADS, ids);
		threads(consume, 1, ids + THREADS);
		threads(drive, 1, ids + THREADS + 1);
		while (lab_now_ns() < end)
			lab_sleep_ms(10);
		stop = true;
		for (int i = 0; i < THREADS + 1; i++)
			pthread_join(ids[i], NULL);
		lab_power_off(&lab);
		/* Its accesses may wait until the device is gone */
		pthread_join(ids[THREADS + 1], NULL);
		expect_all_given_back();
	}
}

/* The same by somebody who was only handed the descriptors */
TEST_FOR(by_an_unprivileged_user, 1200)
{
	pthread_t ids[THREADS];
	pthread_t driver;
	uint64_t end;
	pid_t child;
	int status;

	set_up(true);
	end = deadline(0.3);
	child = fork();
	if (!child) {
		drop_privileges();
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		threads(attack, THREADS, ids);
		pthread_join(ids[0], NULL);
		_exit(0);
	}
	threads(drive, 1, &driver);
	while (lab_now_ns() < end && !waitpid(child, &status, WNOHANG))
		lab_sleep_ms(10);
	EXPECT_(lab_now_ns() >= end, false, "the attacker ended: status %#x", status);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	stop = true;
	lab_power_off(&lab);
	pthread_join(driver, NULL);
	expect_all_given_back();
}

/* Built, registered and started by whoever comes first, and killed; the driver bound and unbound */
TEST_FOR(while_it_comes_and_goes, 1200)
{
	uint64_t state, end;
	pthread_t ids[2];
	unsigned int rounds = 0;

	set_up(false);
	end = deadline(0.4);
	state = thread_state(200);
	lab_power_off(&lab);
	threads(administrate, 1, ids);
	threads(drive, 1, ids + 1);
	while (lab_now_ns() < end) {
		struct lab_spec spec = lab_plain;
		uint32_t after = next(&state) % 200000;
		pid_t child = fork();

		if (!child) {
			pthread_t attackers[THREADS];

			prctl(PR_SET_PDEATHSIG, SIGKILL);
			seed ^= rounds;
			spec.device = LAB_DEVICE;
			spec.msix = 4;
			spec.slots = rounds % 2 ? 1024 : 0;
			if (rounds % 4 == 3) {
				lab.fd = open("/dev/pciem", O_RDWR | O_CLOEXEC);
				lab.instance = -1;
			} else {
				lab_build(&lab, &spec);
			}
			if (rounds % 4 < 2) {
				lab_register(&lab);
				lab_start(&lab);
			}
			driver_memory = 0;
			threads(attack, THREADS, attackers);
			pause();
		}
		ASSERT(child > 0);
		usleep(after);
		kill(child, SIGKILL);
		ASSERT(waitpid(child, NULL, 0) == child);
		rounds++;
	}
	stop = true;
	pthread_join(ids[0], NULL);
	pthread_join(ids[1], NULL);
	printf("# killed %u times\n", rounds);
	expect_all_given_back();
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
			before = lab_available_kib();
	}
	lab_sleep_ms(200);
	after = lab_available_kib();
	/* 50 devices of 11 MiB each would be 550 MiB */
	EXPECT_(before - after < 40 * 1024, false, "%ld KiB before, %ld KiB after 50 devices", before, after);
}

TEST_MAIN()

// SPDX-License-Identifier: GPL-2.0-only
/*
 * An NVMe controller as programs of the old interface are written: registers in
 * BAR memory, doorbells from the old ring, queues and data by the DMA calls. The
 * kernel's nvme driver uses it as a disk.
 *
 * Registers and commands by the NVM Express Base Specification 1.0 to 1.4.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "reference.h"

#define DEVICE_ID	0x0e0e
#define CLASS_NVME	0x010802
#define BAR0_BYTES	0x4000
#define BAR2_BYTES	0x2000

/* Registers (3.1) */
#define CAP		0x00
#define VS		0x08
#define CC		0x14
#define CSTS		0x1c
#define AQA		0x24
#define ASQ		0x28
#define ACQ		0x30
#define DOORBELLS	0x1000
#define CC_EN		0x1
#define CC_SHN		0xc000
#define CSTS_RDY	0x1
#define CSTS_SHST_DONE	0x8

/* Opcodes (5, 6) */
#define DELETE_SQ	0x00
#define CREATE_SQ	0x01
#define GET_LOG_PAGE	0x02
#define DELETE_CQ	0x04
#define CREATE_CQ	0x05
#define IDENTIFY	0x06
#define ABORT		0x08
#define SET_FEATURES	0x09
#define GET_FEATURES	0x0a
#define ASYNC_EVENT	0x0c
#define NVM_FLUSH	0x00
#define NVM_WRITE	0x01
#define NVM_READ	0x02

/* Status (4.6.1): code and type, with Do Not Retry */
#define SUCCESS		0x0000
#define INVALID_OPCODE	0x4001
#define INVALID_FIELD	0x4002
#define DATA_ERROR	0x4004
#define OUT_OF_RANGE	0x4080
#define INVALID_QUEUE	0x4101
#define NO_COMPLETION	0xffff

#define QUEUES		16
#define ENTRIES		64
#define BLOCK_SHIFT	12
#define BLOCKS		2048UL

struct queue {
	uint64_t sq, cq;
	uint32_t sq_size, cq_size;	/* 0 for none */
	uint32_t head, tail, vector;
	uint32_t completions;		/* the queue that they go to */
	bool phase, interrupts;
};

struct command {
	uint8_t opcode, flags;
	uint16_t id;
	uint32_t nsid, unused[2];
	uint64_t metadata, prp1, prp2;
	uint32_t dw10, dw11, dw12, dw13, dw14, dw15;
};
_Static_assert(sizeof(struct command) == 64, "command");

struct completion {
	uint32_t result, unused;
	uint16_t sq_head, sq, id, status;
};

/* How the controller makes itself heard */
enum way { BY_CALL, BY_EVENTFD, BY_PIN };

static struct controller {
	int fd, instance, events;
	enum way way;
	int irqfds[QUEUES];
	struct ring *ring;
	volatile uint8_t *registers;
	struct queue queues[QUEUES];
	uint8_t *disk;
	atomic_bool stop;
	bool shut_down;
	unsigned long reads, writes, used_queues;
	const char *wrong;
} ctrl;

static uint32_t get32(unsigned int at)
{
	return *(volatile uint32_t *)(ctrl.registers + at);
}

static void set32(unsigned int at, uint32_t value)
{
	*(volatile uint32_t *)(ctrl.registers + at) = value;
}

static uint64_t get64(unsigned int at)
{
	return get32(at) | (uint64_t)get32(at + 4) << 32;
}

static void dma(uint64_t iova, void *memory, uint32_t length, uint32_t flags)
{
	struct dma dma;

	memset(&dma, 0xa5, sizeof(dma));
	dma.iova = iova;
	dma.user = (uintptr_t)memory;
	dma.length = length;
	dma.flags = flags;
	dma.func = 0;
	if (ioctl(ctrl.fd, DMA, &dma))
		ctrl.wrong = "the queues' memory";
}

/* To or from what a command's PRP entries describe */
static uint16_t data(const struct command *c, void *memory, uint32_t length, uint32_t flags)
{
	struct indirect indirect;

	memset(&indirect, 0xa5, sizeof(indirect));
	indirect.prp1 = c->prp1;
	indirect.prp2 = c->prp2;
	indirect.user = (uintptr_t)memory;
	indirect.length = length;
	indirect.page_size = 4096;
	indirect.flags = flags;
	indirect.func = 0;
	if (!ioctl(ctrl.fd, DMA_INDIRECT, &indirect))
		return SUCCESS;
	ctrl.wrong = "the data's memory";
	return DATA_ERROR;
}

static void put(uint8_t *at, uint64_t value, unsigned int bytes)
{
	memcpy(at, &value, bytes);
}

static void text(uint8_t *at, const char *value, unsigned int bytes)
{
	memset(at, ' ', bytes);
	memcpy(at, value, strlen(value));
}

/* 5.15 */
static uint16_t identify(const struct command *c)
{
	static uint8_t page[4096];

	memset(page, 0, sizeof(page));
	switch (c->dw10 & 0xff) {
	case 0:		/* a namespace */
		if (c->nsid == 1) {
			put(page, BLOCKS, 8);
			put(page + 8, BLOCKS, 8);
			put(page + 16, BLOCKS, 8);
			page[128 + 2] = BLOCK_SHIFT;
		}
		break;
	case 1:		/* the controller */
		put(page, 0x1f0c, 2);
		put(page + 2, 0x1f0c, 2);
		text(page + 4, "REFERENCE-1", 20);
		text(page + 24, "Disk of an old program", 40);
		text(page + 64, "1", 8);
		page[77] = 7;			/* 128 pages a command */
		put(page + 80, 0x10000, 4);
		page[512] = 0x66;
		page[513] = 0x44;
		put(page + 516, 1, 4);
		break;
	case 2:		/* the namespaces that there are */
		put(page, c->nsid ? 0 : 1, 4);
		break;
	default:
		return INVALID_FIELD;
	}
	return data(c, page, sizeof(page), WRITE);
}

/* 5.3, 5.4: the two halves of a pair have the same number. */
static uint16_t create_queue(const struct command *c)
{
	uint32_t number = c->dw10 & 0xffff, size = (c->dw10 >> 16) + 1;
	struct queue *q = &ctrl.queues[number];

	if (!number || number >= QUEUES || size > ENTRIES)
		return INVALID_QUEUE;
	if (c->opcode == CREATE_CQ) {
		*q = (struct queue){ .cq = c->prp1, .cq_size = size, .phase = true };
		q->interrupts = c->dw11 & 2;
		q->vector = c->dw11 >> 16;
	} else {
		q->sq = c->prp1;
		q->sq_size = size;
		q->completions = c->dw11 >> 16;
		q->head = 0;
		if (q->completions >= QUEUES || !ctrl.queues[q->completions].cq_size)
			return INVALID_QUEUE;
	}
	return SUCCESS;
}

static uint16_t log_page(const struct command *c)
{
	static uint8_t zero[4096];
	uint32_t bytes = 4 * ((c->dw10 >> 16) + 1);

	return bytes > sizeof(zero) ? INVALID_FIELD : data(c, zero, bytes, WRITE);
}

static uint16_t admin(const struct command *c, uint32_t *result)
{
	uint32_t asked = c->dw11 & 0xffff;

	switch (c->opcode) {
	case IDENTIFY:
		return identify(c);
	case CREATE_CQ:
	case CREATE_SQ:
		return create_queue(c);
	case DELETE_CQ:
		ctrl.queues[c->dw10 % QUEUES].cq_size = 0;
		return SUCCESS;
	case DELETE_SQ:
		ctrl.queues[c->dw10 % QUEUES].sq_size = 0;
		return SUCCESS;
	case SET_FEATURES:
		/* 5.21.1.7: number of queues, 0's based */
		if ((c->dw10 & 0xff) == 7) {
			if (asked > QUEUES - 2)
				asked = QUEUES - 2;
			*result = asked | asked << 16;
		}
		return SUCCESS;
	case GET_FEATURES:
		return SUCCESS;
	case GET_LOG_PAGE:
		return log_page(c);
	case ABORT:
		*result = 1;
		return SUCCESS;
	case ASYNC_EVENT:
		return NO_COMPLETION;
	}
	return INVALID_OPCODE;
}

static uint16_t block_io(const struct command *c)
{
	uint64_t first = c->dw10 | (uint64_t)c->dw11 << 32, n = (c->dw12 & 0xffff) + 1;

	if (c->opcode == NVM_FLUSH)
		return SUCCESS;
	if (c->opcode != NVM_WRITE && c->opcode != NVM_READ)
		return INVALID_OPCODE;
	if (first >= BLOCKS || n > BLOCKS - first)
		return OUT_OF_RANGE;
	ctrl.reads += c->opcode == NVM_READ;
	ctrl.writes += c->opcode == NVM_WRITE;
	/* The device reads what is written. */
	return data(c, ctrl.disk + (first << BLOCK_SHIFT), n << BLOCK_SHIFT,
		    c->opcode == NVM_WRITE ? READ : WRITE);
}

static void interrupt(uint32_t vector)
{
	const uint64_t one = 1;
	int ret;

	if (ctrl.way == BY_EVENTFD)
		ret = write(ctrl.irqfds[vector % QUEUES], &one, sizeof(one)) < 0;
	else
		ret = inject(ctrl.fd, vector);
	if (ret)
		ctrl.wrong = "an interrupt";
}

/* 4.6, 4.1 */
static void complete(uint32_t number, const struct command *c, uint32_t result, uint16_t status)
{
	struct queue *sq = &ctrl.queues[number], *cq = &ctrl.queues[sq->completions];
	struct completion entry = {
		.result = result, .sq_head = sq->head, .sq = number, .id = c->id,
		.status = status << 1 | cq->phase,
	};

	if (!cq->cq_size)
		return;
	dma(cq->cq + cq->tail * sizeof(entry), &entry, sizeof(entry), WRITE);
	if (++cq->tail == cq->cq_size) {
		cq->tail = 0;
		cq->phase = !cq->phase;
	}
	if (cq->interrupts)
		interrupt(cq->vector);
}

static void submitted(uint32_t number, uint32_t tail)
{
	struct queue *q = &ctrl.queues[number];
	struct command c;

	if (tail >= q->sq_size) {
		ctrl.wrong = "a doorbell";
		return;
	}
	if (number)
		ctrl.used_queues |= 1UL << number;
	while (q->head != tail) {
		uint32_t result = 0;
		uint16_t status;

		dma(q->sq + q->head * sizeof(c), &c, sizeof(c), READ);
		q->head = (q->head + 1) % q->sq_size;
		status = number ? block_io(&c) : admin(&c, &result);
		if (status != NO_COMPLETION)
			complete(number, &c, result, status);
		if (!q->sq_size)
			return;
	}
}

static void configure(uint32_t cc)
{
	uint32_t sizes = get32(AQA);

	if (cc & CC_SHN) {
		ctrl.shut_down = true;
		set32(CSTS, CSTS_SHST_DONE | (cc & CC_EN ? CSTS_RDY : 0));
		return;
	}
	memset(ctrl.queues, 0, sizeof(ctrl.queues));
	if (cc & CC_EN)
		ctrl.queues[0] = (struct queue){
			.sq = get64(ASQ), .cq = get64(ACQ), .sq_size = (sizes & 0xfff) + 1,
			.cq_size = (sizes >> 16 & 0xfff) + 1, .phase = true, .interrupts = true,
		};
	set32(CSTS, cc & CC_EN ? CSTS_RDY : 0);
}

static void written(const struct event *e)
{
	uint32_t doorbell;

	if (e->offset == CC)
		configure(e->data);
	if (e->offset < DOORBELLS || e->offset >= DOORBELLS + 8 * QUEUES)
		return;
	/* Of completion queues too, of which the driver never has too many under way */
	doorbell = (e->offset - DOORBELLS) / 4;
	if (!(doorbell % 2))
		submitted(doorbell / 2, e->data);
}

static void *device(void *unused)
{
	struct pollfd ready = { .fd = ctrl.events, .events = POLLIN };
	struct ring *ring = ctrl.ring;
	uint64_t count;

	while (!atomic_load(&ctrl.stop)) {
		uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

		poll(&ready, 1, -1);
		if (read(ctrl.events, &count, sizeof(count)) < 0)
			continue;
		while (head != atomic_load_explicit(&ring->tail, memory_order_acquire)) {
			const struct event *e = &ring->events[head];

			if (e->type == MMIO_WRITE && !e->bar)
				written(e);
			else
				ctrl.wrong = "an event";
			head = (head + 1) % SLOTS;
			atomic_store_explicit(&ring->head, head, memory_order_release);
		}
	}
	return unused;
}

static void power_on(enum way way, char address[32])
{
	ctrl = (struct controller){ .way = way };
	ctrl.disk = calloc(BLOCKS, 1UL << BLOCK_SHIFT);
	ASSERT(ctrl.disk);
	ctrl.fd = open("/dev/pciem", O_RDWR);
	ASSERT(ctrl.fd >= 0);
	ASSERT(!create(ctrl.fd));
	ASSERT(!set_config(ctrl.fd, DEVICE_ID, CLASS_NVME));
	ASSERT(!add_bar(ctrl.fd, 0, BAR0_BYTES, 0));
	ASSERT(!add_bar(ctrl.fd, 2, BAR2_BYTES, 0));
	ASSERT(way == BY_PIN || !add_msix(ctrl.fd));
	ASSERT(!trace(ctrl.fd, 0, TRACE_WRITES));
	ctrl.events = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT(ctrl.events >= 0);
	ASSERT(!set_eventfd(ctrl.fd, ctrl.events));
	ctrl.instance = ioctl(ctrl.fd, REGISTER);
	ASSERT(ctrl.instance >= 0);
	for (int i = 0; way == BY_EVENTFD && i < QUEUES; i++) {
		ctrl.irqfds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		ASSERT(ctrl.irqfds[i] >= 0);
		ASSERT(!set_irqfd(ctrl.fd, ctrl.irqfds[i], i, 0));
	}
	ctrl.registers = mmap(NULL, BAR0_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, ctrl.instance, 0);
	ASSERT(ctrl.registers != MAP_FAILED);
	ctrl.ring = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, ctrl.fd, 0);
	ASSERT(ctrl.ring != MAP_FAILED);
	/* 64 entries, contiguous queues, 10 s to get ready, the NVM command set */
	set32(CAP, (ENTRIES - 1) | 1 << 16 | 20 << 24);
	set32(CAP + 4, 1 << 5);
	set32(VS, 0x10000);
	ASSERT(find(DEVICE_ID, address));
}

/* The block device, once the driver has found the namespace */
static bool disk_of(const char *address, char path[64])
{
	char name[96];
	struct dirent *c, *n;
	bool found = false;
	DIR *controllers, *namespaces;

	snprintf(name, sizeof(name), "/sys/bus/pci/devices/%s/nvme", address);
	controllers = opendir(name);
	while (controllers && !found && (c = readdir(controllers))) {
		if (strncmp(c->d_name, "nvme", 4))
			continue;
		snprintf(name, sizeof(name), "/sys/bus/pci/devices/%s/nvme/%.16s", address, c->d_name);
		namespaces = opendir(name);
		while (namespaces && !found && (n = readdir(namespaces))) {
			if (strncmp(n->d_name, "nvme", 4) || !strrchr(n->d_name, 'n') ||
			    strchr(n->d_name + 4, 'c') || strrchr(n->d_name, 'n') == n->d_name)
				continue;
			snprintf(path, 64, "/dev/%.32s", n->d_name);
			found = !access(path, R_OK | W_OK);
		}
		if (namespaces)
			closedir(namespaces);
	}
	if (controllers)
		closedir(controllers);
	return found;
}

static unsigned long lost(void)
{
	/* What follows tail in the ring is nobody's to the old interface. */
	return *(volatile uint64_t *)((char *)ctrl.ring + 72);
}

#define MIB	0x100000

/* 1 MiB there and back, in commands of all kinds of sizes */
static void use_disk(const char *path)
{
	static uint8_t out[MIB] __attribute__((aligned(4096))), back[MIB] __attribute__((aligned(4096)));
	uint64_t bytes = 0;
	size_t n;
	int fd;

	/* The file comes before what is behind it. */
	ASSERT(UNTIL((fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC)) >= 0));
	ASSERT(!ioctl(fd, BLKGETSIZE64, &bytes));
	EXPECT_EQ(bytes, BLOCKS << BLOCK_SHIFT);
	for (size_t i = 0; i < MIB; i++)
		out[i] = i * 7 + (i >> 12) * 13 + (i >> 16);
	for (size_t at = 0; at < MIB; at += n) {
		n = 4096 << at / 4096 % 8;
		if (n > MIB - at)
			n = MIB - at;
		ASSERT(pwrite(fd, out + at, n, 2 * MIB + at) == (ssize_t)n);
	}
	ASSERT(!fsync(fd));
	EXPECT(!memcmp(ctrl.disk + 2 * MIB, out, MIB));
	for (size_t at = 0; at < MIB; at += n) {
		n = 65536 >> at / 4096 % 5;
		if (n > MIB - at)
			n = MIB - at;
		ASSERT(pread(fd, back + at, n, 2 * MIB + at) == (ssize_t)n);
	}
	EXPECT(!memcmp(back, out, MIB));
	/* In one call, which the driver makes several commands of */
	memset(back, 0, MIB);
	ASSERT(pread(fd, back, MIB, 2 * MIB) == MIB);
	EXPECT(!memcmp(back, out, MIB));
	close(fd);
}

static void nvme_disk(enum way way)
{
	char address[32], path[64];
	const uint64_t one = 1;
	pthread_t thread;

	if (access("/sys/bus/pci/drivers/nvme", F_OK) && system("modprobe nvme"))
		harness_skip("this kernel has no nvme driver");
	power_on(way, address);
	ASSERT(!pthread_create(&thread, NULL, device, NULL));
	ASSERT(!ioctl(ctrl.fd, START));
	EXPECT_(UNTIL(disk_of(address, path)), true, "no disk at %s%s%s", address,
		ctrl.wrong ? "; wrong: " : "", ctrl.wrong ?: "");
	use_disk(path);

	/* The driver shuts the controller down, and comes back to what is still there. */
	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/nvme/unbind");
	for (int i = 0; i < 2; i++) {
		int fd = open(i ? "/sys/bus/pci/drivers/nvme/bind" : path, O_WRONLY | O_CLOEXEC);

		ASSERT(fd >= 0);
		ASSERT(write(fd, address, strlen(address)) == (ssize_t)strlen(address));
		close(fd);
	}
	EXPECT(ctrl.shut_down);
	ASSERT(UNTIL(disk_of(address, path)));
	use_disk(path);

	EXPECT_(!ctrl.wrong, false, "%s is wrong", ctrl.wrong);
	EXPECT(ctrl.reads > 20 && ctrl.writes > 20);
	EXPECT(ctrl.used_queues);
	EXPECT_EQ(lost(), 0);
	atomic_store(&ctrl.stop, true);
	ASSERT(write(ctrl.events, &one, sizeof(one)) == sizeof(one));
	pthread_join(thread, NULL);
	close(ctrl.instance);
	close(ctrl.fd);
	ASSERT(UNTIL(!find(DEVICE_ID, address)));
}

TEST_FOR(a_disk_whose_interrupts_are_injected, 120)
{
	nvme_disk(BY_CALL);
}

TEST_FOR(a_disk_whose_interrupts_are_eventfds, 120)
{
	nvme_disk(BY_EVENTFD);
}

/* In the reference, no messages on a root bus of its own, and one queue */
TEST_FOR(a_disk_with_a_pin, 120)
{
	nvme_disk(BY_PIN);
}

TEST_MAIN()

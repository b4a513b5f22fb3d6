// SPDX-License-Identifier: GPL-2.0-only
/* Programs of the old interface: all its calls, in the ways in which they use them. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "reference.h"

/* driver.c */
int module_load(const char *name, const char *parameters);
int module_unload(const char *name);
bool module_loaded(const char *name);

#define CLASS	0x0b0201

struct device {
	int fd, instance, events;
	struct ring *ring;
	size_t ring_bytes;
	volatile uint8_t *bar0, *bar2;
	char address[32];
};

static void map(struct device *d, size_t ring_bytes)
{
	d->ring_bytes = ring_bytes;
	d->ring = mmap(NULL, ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd, 0);
	ASSERT(d->ring != MAP_FAILED);
	d->bar0 = mmap(NULL, 0x10000, PROT_READ | PROT_WRITE, MAP_SHARED, d->instance, 0);
	ASSERT(d->bar0 != MAP_FAILED);
	d->bar2 = mmap(NULL, 0x100000, PROT_READ | PROT_WRITE, MAP_SHARED, d->instance, 2 * 4096);
	ASSERT(d->bar2 != MAP_FAILED);
}

/* Up to REGISTER, in the order in which most do it */
static void build(struct device *d, uint16_t id, int (*capability)(int), uint32_t flags)
{
	*d = (struct device){ .events = -1 };
	d->fd = open("/dev/pciem", O_RDWR);
	ASSERT(d->fd >= 0);
	ASSERT(!create(d->fd));
	ASSERT(!set_config(d->fd, id, CLASS));
	ASSERT(!add_bar(d->fd, 0, 0x10000, MEM64));
	ASSERT(!add_bar(d->fd, 2, 0x100000, MEM64 | PREFETCH));
	ASSERT(!capability || !capability(d->fd));
	ASSERT(!flags || !trace(d->fd, 0, flags));
	d->events = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT(d->events >= 0);
	ASSERT(!set_eventfd(d->fd, d->events));
	d->instance = ioctl(d->fd, REGISTER);
	ASSERT(d->instance >= 0);
	map(d, RING_BYTES);
	ASSERT(find(id, d->address));
}

static void take_off(struct device *d)
{
	munmap(d->ring, d->ring_bytes);
	munmap((void *)d->bar0, 0x10000);
	munmap((void *)d->bar2, 0x100000);
	close(d->instance);
	close(d->events);
	close(d->fd);
}

/* The driver's side: pciem_test.ko */

static void load_driver(const char *parameters)
{
	if (module_loaded("pciem_test"))
		ASSERT(UNTIL(!module_unload("pciem_test")));
	ASSERT(!module_load("pciem_test", parameters));
}

static bool state(struct device *d, char *text, size_t room)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/kernel/debug/pciem_test/%s/state", d->address);
	return read_text(path, text, room);
}

static void start(struct device *d)
{
	char text[1024];

	ASSERT(!ioctl(d->fd, START));
	ASSERT(UNTIL(state(d, text, sizeof(text))));
}

static uint64_t run(struct device *d, const char *format, ...)
{
	char path[96], text[128];
	const char *value;
	va_list args;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/pciem_test/%s/run", d->address);
	fd = open(path, O_RDWR);
	ASSERT(fd >= 0);
	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	ASSERT(write(fd, text, n) == n);
	n = read(fd, text, sizeof(text) - 1);
	ASSERT(n > 0);
	close(fd);
	text[n] = '\0';
	value = strstr(text, "value=");
	ASSERT(value);
	return strtoull(value + 6, NULL, 16);
}

static unsigned long number_of(struct device *d, const char *key)
{
	char text[1024];
	const char *at;

	ASSERT(state(d, text, sizeof(text)));
	at = strstr(text, key);
	ASSERT(at);
	return strtoul(at + strlen(key), NULL, 0);
}

/* Interrupts of a vector so far */
static unsigned long irqs(struct device *d, unsigned int vector)
{
	char text[1024], *at;

	ASSERT(state(d, text, sizeof(text)));
	at = strstr(text, "irqs=");
	ASSERT(at);
	for (at += 5; vector--; at++) {
		at = strchr(at, ',');
		ASSERT(at);
	}
	return strtoul(at, NULL, 10);
}

/* The consumers that there are */

enum way { BY_EVENTFD, BY_SHORT_READ, BY_BLOCKING_READ, BY_POLL, BY_EPOLL, BY_LOOKING, WAYS };

static const char *const way_names[] = {
	"poll of the eventfd", "poll of an eventfd read by 4 bytes", "a blocking read of the eventfd",
	"poll of the device", "epoll", "looking at the ring",
};

struct consumer {
	struct device *d;
	enum way way;
	int epoll;
	unsigned int want;
	unsigned int reads, writes;
	const char *wrong;
	uint64_t last;
};

static void wait_for_events(struct consumer *c)
{
	struct pollfd poll_events = { .fd = c->d->events, .events = POLLIN };
	struct pollfd poll_device = { .fd = c->d->fd, .events = POLLIN };
	struct epoll_event ready;
	uint64_t count;
	ssize_t n;

	switch (c->way) {
	case BY_EVENTFD:
		poll(&poll_events, 1, -1);
		n = read(c->d->events, &count, sizeof(count));
		break;
	case BY_SHORT_READ:
		/* Takes nothing, and so never waits again */
		poll(&poll_events, 1, -1);
		n = read(c->d->events, &count, 4);
		break;
	case BY_BLOCKING_READ:
		n = read(c->d->events, &count, sizeof(count));
		break;
	case BY_POLL:
		poll(&poll_device, 1, -1);
		n = 0;
		break;
	case BY_EPOLL:
		n = epoll_wait(c->epoll, &ready, 1, -1);
		break;
	default:
		n = 0;
		break;
	}
	(void)n;
}

/* Writes of 1, 2, 3... to 0x40, and reads of 0x44, which are answered from BAR memory */
static void *consume(void *argument)
{
	struct consumer *c = argument;
	struct ring *ring = c->d->ring;

	while (c->reads + c->writes < c->want) {
		uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

		wait_for_events(c);
		while (head != atomic_load_explicit(&ring->tail, memory_order_acquire)) {
			const struct event *e = &ring->events[head];

			if (e->seq || e->reserved || e->bar || e->size != 4)
				c->wrong = "a field";
			if (e->timestamp < c->last)
				c->wrong = "the time";
			c->last = e->timestamp;
			if (e->type == MMIO_WRITE) {
				if (e->offset != 0x40 || e->data != ++c->writes)
					c->wrong = "a write";
			} else if (e->type == MMIO_READ) {
				c->reads++;
				if (e->offset != 0x44 || e->data != 0x600dcafe)
					c->wrong = "a read";
			} else {
				c->wrong = "the type";
			}
			head = (head + 1) % SLOTS;
			atomic_store_explicit(&ring->head, head, memory_order_release);
		}
	}
	return NULL;
}

/*
 * Without a boot parameter or one of the module. A newcomer's first wall in the
 * reference: no BAR pool configured, and the only message is in dmesg.
 */
TEST_FOR(each_way_to_wait_for_events, 240)
{
	struct epoll_event both = { .events = EPOLLIN };
	const unsigned int writes = 3000, reads = 20;

	load_driver("irq=none");
	for (int way = 0; way < WAYS; way++) {
		struct consumer c = { .way = way, .want = writes + reads };
		struct device d;
		pthread_t thread;

		build(&d, 0xff, add_msi, TRACE_READS | TRACE_WRITES);
		*(volatile uint32_t *)(d.bar0 + 0x44) = 0x600dcafe;
		if (way == BY_BLOCKING_READ) {
			close(d.events);
			d.events = eventfd(0, 0);
			ASSERT(!set_eventfd(d.fd, d.events));
		} else if (way == BY_EPOLL) {
			c.epoll = epoll_create1(0);
			ASSERT(!epoll_ctl(c.epoll, EPOLL_CTL_ADD, d.events, &both));
			both.events |= EPOLLET;
			ASSERT(!epoll_ctl(c.epoll, EPOLL_CTL_ADD, d.fd, &both));
		}
		c.d = &d;
		ASSERT(!pthread_create(&thread, NULL, consume, &c));
		start(&d);
		run(&d, "write32 0 0x40 %u 1", writes);
		EXPECT_EQ(run(&d, "read32 0 0x44 %u", reads), 0x600dcafe);
		pthread_join(thread, NULL);
		EXPECT_(!c.wrong, false, "%s: %s is wrong", way_names[way], c.wrong);
		EXPECT_EQ(c.writes, writes);
		EXPECT_EQ(c.reads, reads);
		EXPECT_EQ(*(volatile uint32_t *)(d.bar0 + 0x40), writes);
		if (way == BY_EPOLL)
			close(c.epoll);
		take_off(&d);
		ASSERT(UNTIL(!find(0xff, d.address)));
	}
}

/* An eventfd that comes after the events is told of them. */
TEST(an_eventfd_that_comes_late)
{
	struct pollfd ready;
	struct device d;
	int late;

	load_driver("irq=none");
	build(&d, 0xff, NULL, TRACE_WRITES);
	start(&d);
	ASSERT(!set_eventfd(d.fd, -1));
	run(&d, "write32 0 0x40 1 1");
	late = eventfd(0, EFD_NONBLOCK);
	ASSERT(!set_eventfd(d.fd, late));
	ready = (struct pollfd){ .fd = late, .events = POLLIN };
	EXPECT_EQ(poll(&ready, 1, 0), 1);
	/* Nothing to tell of in an empty ring */
	d.ring->head = d.ring->tail;
	close(late);
	late = eventfd(0, EFD_NONBLOCK);
	ASSERT(!set_eventfd(d.fd, late));
	ready.fd = late;
	EXPECT_EQ(poll(&ready, 1, 0), 0);
	take_off(&d);
}

static int step(int fd, int which)
{
	switch (which) {
	case 0:
		return set_config(fd, 0xf0, CLASS);
	case 1:
		return add_bar(fd, 0, 0x10000, MEM64);
	case 2:
		return add_bar(fd, 2, 0x100000, MEM64 | PREFETCH);
	default:
		return add_msix(fd);
	}
}

/* SET_CONFIG, BARs and capabilities come in any order. */
TEST(every_order_of_building)
{
	char path[96], text[32];

	for (int order = 0; order < 4 * 4 * 4 * 4; order++) {
		const int steps[4] = { order & 3, order >> 2 & 3, order >> 4 & 3, order >> 6 };
		struct device d = { .events = -1 };

		if ((1 << steps[0] | 1 << steps[1] | 1 << steps[2] | 1 << steps[3]) != 15)
			continue;
		d.fd = open("/dev/pciem", O_RDWR);
		ASSERT(d.fd >= 0);
		ASSERT(!create(d.fd));
		for (int i = 0; i < 4; i++)
			ASSERT(!step(d.fd, steps[i]));
		d.instance = ioctl(d.fd, REGISTER, 0);
		ASSERT(d.instance >= 0);
		ASSERT(find(0xf0, d.address));
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/class", d.address);
		ASSERT(read_text(path, text, sizeof(text)));
		EXPECT_EQ(strtoul(text, NULL, 16), 0x0b0201);
		/* The ring by whole pages too */
		map(&d, order % 2 ? RING_BYTES : 16384);
		d.bar0[0] = 1;
		d.bar2[0x1fff] = 2;
		EXPECT_EQ(d.bar0[0], 1);
		ASSERT(!ioctl(d.fd, START));
		take_off(&d);
		ASSERT(UNTIL(!find(0xf0, d.address)));
	}
}

/* The last of these takes the device from the bus, whatever comes last */
TEST(every_order_of_closing)
{
	load_driver("irq=none");
	for (int order = 0; order < 6; order++) {
		struct device d;
		int status;

		if (!fork()) {
			build(&d, 0xff, add_msi, TRACE_WRITES);
			start(&d);
			run(&d, "write32 0 0x40 100 1");
			switch (order) {
			case 0:
				close(d.fd);
				close(d.instance);
				close(d.events);
				break;
			case 1:
				close(d.instance);
				close(d.fd);
				d.bar0[0] = 1;
				break;
			case 2:
				close(d.events);
				close(d.instance);
				munmap(d.ring, RING_BYTES);
				close(d.fd);
				break;
			case 3:
				close(d.events);
				run(&d, "write32 0 0x40 100 1");
				close(d.fd);
				break;
			case 4:
				raise(SIGKILL);
				break;
			default:
				break;
			}
			_exit(0);
		}
		ASSERT(wait(&status) > 0);
		EXPECT_EQ(status, order == 4 ? SIGKILL : 0);
		ASSERT(UNTIL(!find(0xff, d.address)));
	}
}

/* The device changes its registers behind writes that never reach them */
TEST(registers_of_the_device)
{
	struct device d;

	load_driver("irq=none");
	build(&d, 0xff, NULL, TRACE_WRITES | STOP_WRITES);
	*(volatile uint64_t *)d.bar0 = 0x0123456789abcdef;
	d.bar2[0xfffff] = 0x5a;
	start(&d);
	EXPECT_EQ(run(&d, "read64 0 0 1"), 0x0123456789abcdef);
	EXPECT_EQ(run(&d, "read8 2 0xfffff 1"), 0x5a);
	run(&d, "write32 0 0 1 0x11111111");
	EXPECT_EQ(run(&d, "read64 0 0 1"), 0x0123456789abcdef);
	EXPECT_EQ(d.ring->tail, 1);
	EXPECT_EQ(d.ring->events[0].data, 0x11111111);
	/* In BAR 2, which is not traced, what is stored reads back on both sides */
	run(&d, "write32 2 0x100 1 0x22222222");
	EXPECT_EQ(*(volatile uint32_t *)(d.bar2 + 0x100), 0x22222222);
	take_off(&d);
}

static void signal_irqfd(int fd)
{
	const uint64_t one = 1;

	ASSERT(write(fd, &one, sizeof(one)) == sizeof(one));
}

TEST(interrupts_by_call_and_by_eventfd)
{
	struct device d;
	int fds[2];

	load_driver("irq=msi");
	build(&d, 0xff, add_msi, 0);
	fds[0] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT(!set_irqfd(d.fd, fds[0], 0, 0));
	start(&d);
	EXPECT_OK(inject(d.fd, 0));
	EXPECT(UNTIL(irqs(&d, 0) == 1));
	signal_irqfd(fds[0]);
	EXPECT(UNTIL(irqs(&d, 0) == 2));
	/* As those close it that end in a hurry */
	close(fds[0]);
	EXPECT_OK(inject(d.fd, 0));
	EXPECT(UNTIL(irqs(&d, 0) == 3));
	take_off(&d);
	ASSERT(UNTIL(!find(0xff, d.address)));

	load_driver("irq=msix vectors=16");
	build(&d, 0xff, add_msix, 0);
	for (int i = 0; i < 2; i++) {
		fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		ASSERT(!set_irqfd(d.fd, fds[i], 14 + i, 0));
	}
	start(&d);
	for (unsigned int vector = 0; vector < 16; vector++)
		EXPECT_OK(inject(d.fd, vector));
	for (int i = 0; i < 5; i++)
		signal_irqfd(fds[1]);
	for (unsigned int vector = 0; vector < 15; vector++)
		EXPECT(UNTIL(irqs(&d, vector) == 1));
	EXPECT(UNTIL(irqs(&d, 15) == 6));
	take_off(&d);
}

/* The first vector stands for those that there are not; flags are not looked at. */
TEST(vectors_and_flags_of_interrupts_that_there_are_not)
{
	int fds[5];
	struct device d;

	load_driver("irq=msi");
	build(&d, 0xff, add_msi, 0);
	for (int i = 0; i < 5; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	EXPECT_OK(set_irqfd(d.fd, fds[0], 9, 0));
	start(&d);
	EXPECT_OK(inject(d.fd, 5));
	EXPECT(UNTIL(irqs(&d, 0) == 1));
	signal_irqfd(fds[0]);
	EXPECT(UNTIL(irqs(&d, 0) == 2));
	take_off(&d);
	ASSERT(UNTIL(!find(0xff, d.address)));

	load_driver("irq=msix vectors=16");
	build(&d, 0xff, add_msix, 0);
	EXPECT_OK(set_irqfd(d.fd, fds[0], 1, 0));
	/* Again, as programs do that set up everything afresh */
	EXPECT_OK(set_irqfd(d.fd, fds[0], 1, 0));
	EXPECT_OK(set_irqfd(d.fd, fds[1], 2, 1 | 2));
	EXPECT_OK(set_irqfd(d.fd, fds[2], 3, 1));
	EXPECT_OK(set_irqfd(d.fd, fds[3], 4, 0xfffffffc));
	EXPECT_OK(set_irqfd(d.fd, fds[4], 1000, 0));
	start(&d);
	for (int i = 0; i < 4; i++) {
		signal_irqfd(fds[i]);
		EXPECT(UNTIL(irqs(&d, 1 + i) == 1));
	}
	signal_irqfd(fds[4]);
	EXPECT(UNTIL(irqs(&d, 0) == 1));
	EXPECT_OK(inject(d.fd, 16));
	EXPECT(UNTIL(irqs(&d, 0) == 2));
	EXPECT_OK(inject(d.fd, 0xffffffff));
	EXPECT(UNTIL(irqs(&d, 0) == 3));
	EXPECT_EQ(irqs(&d, 1), 1);
	take_off(&d);
	ASSERT(UNTIL(!find(0xff, d.address)));

	/* A driver that uses the pin: all vectors are it. */
	load_driver("irq=intx");
	build(&d, 0xff, add_msix, 0);
	EXPECT_OK(set_irqfd(d.fd, fds[0], 7, 1 | 2));
	EXPECT_OK(set_irqfd(d.fd, fds[1], 5, 1));
	EXPECT_OK(set_irqfd(d.fd, fds[2], 5, 2));
	start(&d);
	EXPECT_OK(inject(d.fd, 7));
	EXPECT(UNTIL(irqs(&d, 0) == 1));
	signal_irqfd(fds[0]);
	EXPECT(UNTIL(irqs(&d, 0) == 2));
	signal_irqfd(fds[1]);
	EXPECT(UNTIL(irqs(&d, 0) > 5));
	signal_irqfd(fds[2]);
	take_off(&d);
}

TEST(interrupts_by_the_pin)
{
	struct device d;
	int up, down;

	load_driver("irq=intx");
	build(&d, 0xff, NULL, 0);
	up = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	down = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT(!set_irqfd(d.fd, up, 0, 1));
	ASSERT(!set_irqfd(d.fd, down, 0, 2));
	start(&d);
	EXPECT_OK(inject(d.fd, 0));
	EXPECT(UNTIL(irqs(&d, 0) == 1));
	signal_irqfd(up);
	EXPECT(UNTIL(irqs(&d, 0) > 3));
	signal_irqfd(down);
	take_off(&d);
}

TEST(memory_of_the_driver)
{
	uint64_t iova, word = 0, list;
	struct indirect indirect;
	struct atomic atomic;
	static char data[3 * 4096], back[3 * 4096];
	struct device d;
	struct dma dma;

	load_driver("irq=none");
	build(&d, 0xff, add_msi, 0);
	start(&d);
	iova = number_of(&d, "dma=");
	run(&d, "dmaput 8 0x1122334455667788");

	memset(&dma, 0xa5, sizeof(dma));
	dma.iova = iova + 8;
	dma.user = (uintptr_t)&word;
	dma.length = 8;
	dma.flags = READ;
	dma.func = 0;
	EXPECT_OK(ioctl(d.fd, DMA, &dma));
	EXPECT_EQ(word, 0x1122334455667788);
	/* Some set no flag to read */
	word = 0;
	dma.flags = 0;
	EXPECT_OK(ioctl(d.fd, DMA, &dma));
	EXPECT_EQ(word, 0x1122334455667788);
	word = 0x99;
	dma.flags = WRITE;
	EXPECT_OK(ioctl(d.fd, DMA, &dma));
	EXPECT_EQ(run(&d, "dmaget 8"), 0x99);

	memset(&atomic, 0xa5, sizeof(atomic));
	atomic.iova = iova + 8;
	atomic.operand = 1;
	atomic.op = FETCH_ADD;
	atomic.func = 0;
	EXPECT_OK(ioctl(d.fd, DMA_ATOMIC, &atomic));
	EXPECT_EQ(atomic.result, 0x99);
	atomic.op = CAS;
	atomic.compare = 0x9a;
	atomic.operand = 0x1000;
	EXPECT_OK(ioctl(d.fd, DMA_ATOMIC, &atomic));
	EXPECT_EQ(atomic.result, 0x9a);
	EXPECT_EQ(run(&d, "dmaget 8"), 0x1000);

	/* One page and a part of it, two, and a list of three */
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i * 7 + i / 4096;
	list = iova + 0x8000;
	run(&d, "dmaput 0x8000 %#lx", iova + 0x2000);
	run(&d, "dmaput 0x8008 %#lx", iova + 0x1000);
	for (unsigned int length = 4000; length <= sizeof(data); length += 4144) {
		memset(&indirect, 0xa5, sizeof(indirect));
		indirect.prp1 = iova + 0x3000;
		indirect.prp2 = length > 8192 ? list : iova + 0x2000;
		indirect.user = (uintptr_t)data;
		indirect.length = length;
		indirect.page_size = 4096;
		indirect.flags = WRITE;
		indirect.func = 0;
		EXPECT_OK(ioctl(d.fd, DMA_INDIRECT, &indirect));
		memset(back, 0, sizeof(back));
		indirect.user = (uintptr_t)back;
		indirect.flags = READ;
		EXPECT_OK(ioctl(d.fd, DMA_INDIRECT, &indirect));
		EXPECT(!memcmp(data, back, length));
		EXPECT(length == sizeof(back) || !back[length]);
	}
	take_off(&d);
}

TEST(memory_of_another_device)
{
	struct bar_info info;
	struct device d, peer;
	uint32_t word = 0;
	struct p2p p2p;

	load_driver("irq=none");
	build(&peer, 0xf0, NULL, 0);
	build(&d, 0xff, NULL, 0);
	start(&d);
	memset(&info, 0xa5, sizeof(info));
	info.index = 2;
	info.func = 0;
	EXPECT_OK(ioctl(peer.fd, GET_BAR_INFO, &info));
	EXPECT_EQ(info.size, 0x100000);
	EXPECT_EQ(info.flags & 0xf, MEM64 | PREFETCH);
	EXPECT(info.phys && !(info.phys % info.size));

	*(volatile uint32_t *)(peer.bar2 + 0x200) = 0x12345678;
	memset(&p2p, 0xa5, sizeof(p2p));
	p2p.phys = info.phys + 0x200;
	p2p.user = (uintptr_t)&word;
	p2p.length = 4;
	p2p.flags = READ;
	p2p.func = 0;
	EXPECT_OK(ioctl(d.fd, P2P, &p2p));
	EXPECT_EQ(word, 0x12345678);
	word = 0x9abcdef0;
	p2p.flags = WRITE;
	EXPECT_OK(ioctl(d.fd, P2P, &p2p));
	EXPECT_EQ(*(volatile uint32_t *)(peer.bar2 + 0x200), 0x9abcdef0);
	p2p.phys = 0x1000;
	EXPECT_ERROR(ioctl(d.fd, P2P, &p2p), EACCES);
	take_off(&d);
	take_off(&peer);
}

/* What no flag says was never looked at, and many programs leave there what they find. */
TEST(flags_that_say_nothing)
{
	struct create other = { .func = 1, .flags = 0xa5a5a5a4 | 1 };
	struct create first = { .func = 0, .flags = 0xffffffff & ~1U };
	uint64_t iova, word = 0x1234;
	struct indirect nothing;
	struct bar_info info;
	struct pollfd ready;
	struct device d;
	struct dma dma;

	d.fd = open("/dev/pciem", O_RDWR);
	ASSERT(d.fd >= 0);
	EXPECT_OK(ioctl(d.fd, CREATE, &first));
	EXPECT_OK(ioctl(d.fd, CREATE, &other));
	ASSERT(!set_config(d.fd, 0xf0, CLASS));
	EXPECT_OK(add_bar(d.fd, 0, 0x1000, 0xabcd0010 | MEM64));
	memset(&info, 0xa5, sizeof(info));
	info.index = 0;
	info.func = 0;
	ASSERT(!ioctl(d.fd, GET_BAR_INFO, &info));
	EXPECT_EQ(info.flags, MEM64);
	/* It takes responses at any time. */
	ready = (struct pollfd){ .fd = d.fd, .events = POLLOUT };
	EXPECT_EQ(poll(&ready, 1, 0), 1);
	close(d.fd);

	load_driver("irq=none");
	build(&d, 0xff, NULL, 0);
	EXPECT_OK(trace(d.fd, 0, 0));
	EXPECT_ERROR(trace(d.fd, 0, TRACE_WRITES), EINVAL);
	EXPECT_OK(trace(d.fd, 2, 0xfffffff8 | TRACE_WRITES));
	start(&d);
	run(&d, "write32 0 0x40 1 0x11");
	EXPECT_EQ(d.ring->tail, 0);
	EXPECT_EQ(*(volatile uint32_t *)(d.bar0 + 0x40), 0x11);
	run(&d, "write32 2 0x40 1 0x22");
	EXPECT_EQ(d.ring->tail, 1);
	ready.fd = d.fd;
	ready.events = POLLIN | POLLOUT;
	EXPECT_EQ(poll(&ready, 1, 0), 1);
	EXPECT_EQ(ready.revents, POLLIN | POLLOUT);

	/* One flag writes, all others read. */
	iova = number_of(&d, "dma=");
	memset(&dma, 0xa5, sizeof(dma));
	dma.iova = iova;
	dma.user = (uintptr_t)&word;
	dma.length = 8;
	dma.flags = READ | WRITE | 0x100;
	dma.func = 0;
	EXPECT_OK(ioctl(d.fd, DMA, &dma));
	EXPECT_EQ(run(&d, "dmaget 0"), 0x1234);
	run(&d, "dmaput 0 0x5678");
	dma.flags = 0x104;
	EXPECT_OK(ioctl(d.fd, DMA, &dma));
	EXPECT_EQ(word, 0x5678);
	memset(&nothing, 0, sizeof(nothing));
	EXPECT_OK(ioctl(d.fd, DMA_INDIRECT, &nothing));
	take_off(&d);
}

/* The last word on a BAR counts. */
TEST(bars_that_are_said_again)
{
	struct bar_info info;
	char path[96], text[512];
	struct device d;

	d.fd = open("/dev/pciem", O_RDWR);
	ASSERT(d.fd >= 0);
	ASSERT(!create(d.fd));
	ASSERT(!set_config(d.fd, 0xf0, CLASS));
	/* As by a loop over a table of six sizes */
	for (uint32_t i = 0; i < 6; i++)
		EXPECT_OK(add_bar(d.fd, i, 0, 0));
	EXPECT_OK(add_bar(d.fd, 0, 0x1000, MEM64));
	EXPECT_OK(trace(d.fd, 0, TRACE_WRITES));
	EXPECT_OK(add_bar(d.fd, 0, 0x10000, 0));
	EXPECT_OK(add_bar(d.fd, 1, 0x2000, 0));
	EXPECT_OK(add_bar(d.fd, 2, 0x100000, MEM64 | PREFETCH));
	EXPECT_OK(add_bar(d.fd, 4, 0x4000, MEM64));
	EXPECT_OK(add_bar(d.fd, 4, 0, 0));
	/* What is no BAR leaves the one that is there. */
	EXPECT_ERROR(add_bar(d.fd, 0, 0x3000, 0), EINVAL);
	d.instance = ioctl(d.fd, REGISTER);
	ASSERT(d.instance >= 0);
	map(&d, RING_BYTES);
	d.events = -1;
	d.bar0[0xffff] = 7;
	memset(&info, 0, sizeof(info));
	EXPECT_OK(ioctl(d.fd, GET_BAR_INFO, &info));
	EXPECT_EQ(info.size, 0x10000);
	EXPECT_EQ(info.flags, 0);
	info.index = 4;
	EXPECT_ERROR(ioctl(d.fd, GET_BAR_INFO, &info), ENOENT);
	ASSERT(find(0xf0, d.address));
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", d.address);
	ASSERT(read_text(path, text, sizeof(text)));
	EXPECT_EQ(*(uint32_t *)&text[0x10] & 0xf, 0);
	EXPECT_EQ(*(uint32_t *)&text[0x18] & 0xf, MEM64 | PREFETCH);
	EXPECT_EQ(*(uint32_t *)&text[0x20], 0);
	EXPECT_EQ(*(uint32_t *)&text[0x24], 0);
	/* The trace was that of the BAR which is no more. */
	EXPECT_OK(trace(d.fd, 0, TRACE_WRITES));
	EXPECT_EQ(mmap(NULL, 4096, PROT_READ, MAP_SHARED, d.instance, 3 << 3 << 12), MAP_FAILED);
	EXPECT_EQ(errno, ENODEV);
	take_off(&d);
}

TEST(an_eventfd_removed_by_any_negative_number)
{
	struct pollfd ready;
	struct device d;

	load_driver("irq=none");
	build(&d, 0xff, NULL, TRACE_WRITES);
	start(&d);
	EXPECT_OK(set_eventfd(d.fd, -1000));
	run(&d, "write32 0 0x40 1 1");
	ready = (struct pollfd){ .fd = d.events, .events = POLLIN };
	EXPECT_EQ(poll(&ready, 1, 0), 0);
	EXPECT_ERROR(set_eventfd(d.fd, 1000), EBADF);
	EXPECT_OK(set_eventfd(d.fd, d.events));
	EXPECT_EQ(poll(&ready, 1, 0), 1);
	take_off(&d);
}

TEST(errors_that_programs_meet)
{
	struct create create_one = { .func = 1 };
	struct bar_info info = { .index = 1 };
	struct capability msix = { .type = MSIX, .msix = { .bar = 0, .table = 0x10000, .size = 1 } };
	struct device d;
	int fd;

	fd = open("/dev/pciem", O_RDWR);
	ASSERT(fd >= 0);
	/* Before CREATE, which of the reference were a NULL dereference */
	EXPECT_ERROR(trace(fd, 0, TRACE_WRITES), ENODEV);
	EXPECT_ERROR(ioctl(fd, REGISTER), EINVAL);
	EXPECT_OK(ioctl(fd, CREATE, &create_one));
	EXPECT_ERROR(ioctl(fd, CREATE, &create_one), EBUSY);
	/* No function 0 */
	EXPECT_ERROR(ioctl(fd, REGISTER), EINVAL);
	create_one.func = 8;
	EXPECT_ERROR(ioctl(fd, CREATE, &create_one), EINVAL);
	EXPECT_ERROR(ioctl(fd, CREATE, NULL), EFAULT);
	/* There is no function 0 to add to. */
	EXPECT_ERROR(add_bar(fd, 0, 0x1000, 0), EINVAL);
	ASSERT(!create(fd));
	EXPECT_ERROR(add_bar(fd, 6, 0x1000, 0), EINVAL);
	EXPECT_ERROR(add_bar(fd, 0, 0x1001, 0), EINVAL);
	EXPECT_ERROR(add_bar(fd, 0, 0x3000, 0), EINVAL);
	EXPECT_ERROR(ioctl(fd, ADD_BAR, 8), EFAULT);
	EXPECT_OK(add_bar(fd, 0, 0x1000, 0));
	EXPECT_ERROR(ioctl(fd, ADD_CAPABILITY, &msix), EINVAL);
	for (unsigned int i = 0; i < 256; i++) {
		bool known = (i >= 10 && i <= 19) || i == 21 || i == 22 || (i >= 24 && i <= 26);

		if (!known && i < 64)
			EXPECT_ERROR(ioctl(fd, _IO(0xAF, i), NULL), ENOTTY);
	}
	close(fd);

	build(&d, 0xf0, NULL, TRACE_WRITES);
	EXPECT_ERROR(trace(d.fd, 0, TRACE_WRITES), EINVAL);
	EXPECT_ERROR(trace(d.fd, 1, TRACE_WRITES), ENXIO);
	EXPECT_ERROR(trace(d.fd, 6, TRACE_WRITES), EINVAL);
	EXPECT_ERROR(ioctl(d.fd, GET_BAR_INFO, &info), ENOENT);
	info.index = 6;
	EXPECT_ERROR(ioctl(d.fd, GET_BAR_INFO, &info), EINVAL);
	info.index = 0;
	info.func = 1;
	EXPECT_ERROR(ioctl(d.fd, GET_BAR_INFO, &info), ENODEV);
	EXPECT_ERROR(ioctl(d.fd, REGISTER), EINVAL);
	EXPECT_ERROR(add_bar(d.fd, 4, 0x1000, 0), EINVAL);
	EXPECT_ERROR(set_config(d.fd, 0xf0, CLASS), EINVAL);
	EXPECT_ERROR(add_msi(d.fd), EINVAL);
	EXPECT_OK(ioctl(d.fd, START));
	EXPECT_ERROR(ioctl(d.fd, START), EALREADY);
	take_off(&d);
}

static void load_pciem(const char *parameters)
{
	if (module_loaded("pciem_test"))
		ASSERT(UNTIL(!module_unload("pciem_test")));
	if (module_loaded("pciem"))
		ASSERT(UNTIL(!module_unload("pciem")));
	ASSERT(!module_load("pciem", parameters));
}

/* With the pool that the reference needs, which is used up and given back */
TEST_FOR(a_pool_of_the_users_choice, 120)
{
	struct bar_info info = { .index = 2 };
	struct device d;
	int fd;

	load_pciem("pciem_phys_region=0x4000000000:0x200000");
	load_driver("irq=msi");
	for (int times = 0; times < 5; times++) {
		build(&d, 0xff, add_msi, TRACE_WRITES);
		EXPECT_OK(ioctl(d.fd, GET_BAR_INFO, &info));
		EXPECT(info.phys >= 0x4000000000 && info.phys < 0x4000200000);
		start(&d);
		run(&d, "write32 0 0x40 10 1");
		EXPECT_EQ(d.ring->tail, 10);

		fd = open("/dev/pciem", O_RDWR);
		ASSERT(!create(fd) && !set_config(fd, 0xf0, CLASS) && !add_bar(fd, 0, 0x200000, MEM64));
		EXPECT_ERROR(ioctl(fd, REGISTER), ENOMEM);
		close(fd);
		take_off(&d);
		ASSERT(UNTIL(!find(0xff, d.address)));
	}
	load_pciem("");
}

TEST_MAIN()

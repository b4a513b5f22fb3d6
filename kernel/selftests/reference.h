/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The old interface as programs were compiled against it: layouts and numbers are
 * written down here once more, from what those programs are known to use, and
 * ../uapi/pciem.h is not included. Reserved bytes hold rubbish, as they do in
 * programs that never set them.
 */
#ifndef REFERENCE_H
#define REFERENCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "harness.h"

#define CREATE		0xc008af0a
#define ADD_BAR		0x4018af0b
#define ADD_CAPABILITY	0x4018af0c
#define SET_CONFIG	0x4018af0d
#define REGISTER	0x0000af0e
#define INJECT_IRQ	0x4008af0f
#define DMA		0xc020af10
#define DMA_ATOMIC	0xc030af11
#define P2P		0xc020af12
#define GET_BAR_INFO	0xc020af13
#define SET_EVENTFD	0x4008af15
#define SET_IRQFD	0x4010af16
#define DMA_INDIRECT	0xc030af18
#define TRACE_BAR	0xc00caf19
#define START		0x0000af1a

#define MEM64		4
#define PREFETCH	8
#define MSI		0
#define MSIX		1
#define READ		1
#define WRITE		2
#define TRACE_READS	1
#define TRACE_WRITES	2
#define STOP_WRITES	4
#define FETCH_ADD	1
#define CAS		4
#define MMIO_READ	1
#define MMIO_WRITE	2
#define SLOTS		256
#define RING_BYTES	12416

struct create { uint32_t flags; uint8_t func, reserved[3]; };
struct bar { uint32_t index, flags; uint64_t size; uint8_t func, reserved[7]; };
struct capability {
	uint32_t type;
	uint8_t func, reserved[3];
	union {
		struct { uint8_t vectors_log2, has_64bit, has_masking; } msi;
		struct {
			uint8_t bar, reserved[3];
			uint32_t table, pba;
			uint16_t size, reserved2;
		} msix;
		uint8_t raw[16];
	};
};
struct config {
	uint8_t func, reserved[3];
	uint16_t vendor, device, subsys_vendor, subsys_device;
	uint8_t revision, class_code[3], header_type, reserved2[7];
};
struct inject { uint32_t vector; uint8_t func, reserved[3]; };
struct dma {
	uint64_t iova, user;
	uint32_t length, pasid, flags;
	uint8_t func, reserved[3];
};
struct atomic {
	uint64_t iova, operand, compare;
	uint32_t op, pasid;
	uint64_t result;
	uint8_t func, reserved[7];
};
struct p2p { uint64_t phys, user; uint32_t length, flags; uint8_t func, reserved[7]; };
struct bar_info {
	uint32_t index, reserved;
	uint64_t phys, size;
	uint32_t flags;
	uint8_t func, reserved2[3];
};
struct event_fd { int32_t fd; uint32_t reserved; };
struct irq_fd { int32_t fd; uint32_t vector, flags; uint8_t func, reserved[3]; };
struct indirect {
	uint64_t prp1, prp2, user;
	uint32_t length, page_size, pasid, flags;
	uint8_t func, reserved[7];
};
struct trace { uint32_t bar, flags; uint8_t func, reserved[3]; };
struct event {
	uint64_t seq;
	uint32_t type, bar;
	uint64_t offset;
	uint32_t size, reserved;
	uint64_t data, timestamp;
};
struct ring {
	_Atomic uint32_t head;
	char pad[60];
	_Atomic uint32_t tail;
	char pad2[60];
	struct event events[SLOTS];
};
_Static_assert(sizeof(struct ring) == RING_BYTES, "ring");

/* Wait for a state */
#define UNTIL(condition) ({								\
	unsigned int left_ = 10000 * harness_patience();				\
	bool holds_;									\
	while (!(holds_ = (condition)) && left_--)					\
		usleep(1000);								\
	holds_;										\
})

bool read_text(const char *path, char *text, size_t room);
/* Where the device with this id is on the bus; false when there is none */
bool find(uint16_t id, char address[32]);

/* One call each; what it returns */
int create(int fd);
int set_config(int fd, uint16_t id, uint32_t class);
int add_bar(int fd, uint32_t index, uint64_t size, uint32_t flags);
int add_msi(int fd);
int add_msix(int fd);
int trace(int fd, uint32_t bar, uint32_t flags);
int set_eventfd(int fd, int events);
int inject(int fd, uint32_t vector);
int set_irqfd(int fd, int eventfd, uint32_t vector, uint32_t flags);

#endif /* REFERENCE_H */

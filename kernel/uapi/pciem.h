/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * The /dev/pciem interface: synthetic PCIe functions defined by userspace.
 *
 * Included by the kernel module, by the Node-API binding and by C or C++
 * programs. Numbers 10 to 26 are the interface that existing programs were
 * compiled against and never change; numbers from 64 are found through
 * PCIEM_IOC_GET_VERSION.
 *
 * Every reserved field is written as zero by userspace. The kernel refuses
 * anything else with EINVAL in the calls from 64 on; the older calls ignore
 * reserved fields, as programs exist that leave them uninitialised.
 */
#ifndef _UAPI_PCIEM_H
#define _UAPI_PCIEM_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define PCIEM_IOC_MAGIC		0xAF

#define PCIEM_ABI_VERSION	1
#define PCIEM_MAX_FUNCTIONS	8
#define PCIEM_MAX_BARS		6

/* pciem_create_device.flags */
#define PCIEM_CREATE_BUS_MASK	0x3
#define PCIEM_CREATE_VIRTUAL	0x0	/* a root bus in a domain of its own */
#define PCIEM_CREATE_ATTACH	0x1	/* on an existing host bus */

struct pciem_create_device {
	__u32 flags;
	__u8 func;
	__u8 reserved[3];
};

/* pciem_bar_config.flags: the low bits of a BAR (PCI 3.0, 6.2.5.1) */
#define PCIEM_BAR_IO		0x1
#define PCIEM_BAR_MEM64		0x4
#define PCIEM_BAR_PREFETCH	0x8

/**
 * struct pciem_bar_config - one base address register
 * @bar_index: 0 to 5; a 64-bit BAR also takes the next index
 * @flags: PCIEM_BAR_*
 * @size: bytes, a power of two
 * @func: function number, 0 to 7
 */
struct pciem_bar_config {
	__u32 bar_index;
	__u32 flags;
	__u64 size;
	__u8 func;
	__u8 reserved[7];
};

enum pciem_cap_type {
	PCIEM_CAP_MSI = 0,
	PCIEM_CAP_MSIX = 1,
	PCIEM_CAP_PM = 2,
	PCIEM_CAP_PCIE = 3,
	PCIEM_CAP_VSEC = 4,
	PCIEM_CAP_PASID = 5,
};

struct pciem_cap_msi {
	__u8 num_vectors_log2;	/* 0 to 5 */
	__u8 has_64bit;
	__u8 has_masking;
};

struct pciem_cap_msix {
	__u8 bar_index;
	__u8 reserved[3];
	__u32 table_offset;	/* bytes, multiple of 8 */
	__u32 pba_offset;	/* bytes, multiple of 8 */
	__u16 table_size;	/* entries, 1 to 2048 */
	__u16 reserved2;
};

struct pciem_cap_pasid {
	__u8 max_width;
	__u8 exec;
	__u8 priv;
};

struct pciem_cap_config {
	__u32 cap_type;		/* enum pciem_cap_type */
	__u8 func;
	__u8 reserved[3];
	union {
		struct pciem_cap_msi msi;
		struct pciem_cap_msix msix;
		struct pciem_cap_pasid pasid;
		__u8 raw[16];
	} u;
};

struct pciem_config_space {
	__u8 func;
	__u8 reserved[3];
	__u16 vendor_id;
	__u16 device_id;
	__u16 subsys_vendor_id;
	__u16 subsys_device_id;
	__u8 revision;
	__u8 class_code[3];	/* programming interface, sub-class, base class */
	__u8 header_type;
	__u8 reserved2[7];
};

struct pciem_irq_inject {
	__u32 vector;
	__u8 func;
	__u8 reserved[3];
};

/* pciem_dma_op.flags, pciem_dma_indirect.flags, pciem_dma_segment.flags */
#define PCIEM_DMA_READ		0x1	/* host memory to user buffer */
#define PCIEM_DMA_WRITE		0x2	/* user buffer to host memory */
#define PCIEM_DMA_IRQ		0x4	/* segments only: raise pciem_dma_segment.vector */

struct pciem_dma_op {
	__u64 iova;
	__u64 user_addr;
	__u32 length;
	__u32 pasid;
	__u32 flags;
	__u8 func;
	__u8 reserved[3];
};

enum pciem_atomic_op {
	PCIEM_ATOMIC_ADD = 1,
	PCIEM_ATOMIC_SUB = 2,
	PCIEM_ATOMIC_SWAP = 3,
	PCIEM_ATOMIC_CAS = 4,
	PCIEM_ATOMIC_AND = 5,
	PCIEM_ATOMIC_OR = 6,
	PCIEM_ATOMIC_XOR = 7,
};

struct pciem_dma_atomic {
	__u64 iova;
	__u64 operand;
	__u64 compare;
	__u32 op_type;		/* enum pciem_atomic_op */
	__u32 pasid;
	__u64 result;
	__u8 func;
	__u8 reserved[7];
};

struct pciem_p2p_op {
	__u64 target_phys;
	__u64 user_addr;
	__u32 length;
	__u32 flags;
	__u8 func;
	__u8 reserved[7];
};

struct pciem_bar_info_query {
	__u32 bar_index;
	__u32 reserved0;
	__u64 phys;
	__u64 size;
	__u32 flags;
	__u8 func;
	__u8 reserved[3];
};

struct pciem_eventfd_config {
	__s32 eventfd;		/* -1 removes it */
	__u32 reserved;
};

#define PCIEM_IRQFD_LEVEL	0x1
#define PCIEM_IRQFD_DEASSERT	0x2

struct pciem_irqfd_config {
	__s32 eventfd;
	__u32 vector;
	__u32 flags;
	__u8 func;
	__u8 reserved[3];
};

/**
 * struct pciem_dma_indirect - a transfer described by an NVMe PRP pair
 * @prp1: first page, offset allowed
 * @prp2: second page, or the list of the remaining pages
 * @user_addr: user buffer
 * @length: bytes
 * @page_size: bytes, a power of two from 4096
 * @flags: PCIEM_DMA_READ or PCIEM_DMA_WRITE
 */
struct pciem_dma_indirect {
	__u64 prp1;
	__u64 prp2;
	__u64 user_addr;
	__u32 length;
	__u32 page_size;
	__u32 pasid;
	__u32 flags;
	__u8 func;
	__u8 reserved[7];
};

#define PCIEM_TRACE_READS	0x1
#define PCIEM_TRACE_WRITES	0x2
#define PCIEM_TRACE_STOP_WRITES	0x4	/* report the write, leave BAR memory as it is */

struct pciem_trace_bar {
	__u32 bar_index;
	__u32 flags;
	__u8 func;
	__u8 reserved[3];
};

enum pciem_event_type {
	PCIEM_EVENT_MMIO_READ = 1,
	PCIEM_EVENT_MMIO_WRITE = 2,
	PCIEM_EVENT_CONFIG_READ = 3,
	PCIEM_EVENT_CONFIG_WRITE = 4,
	PCIEM_EVENT_MSI_ACK = 5,
	PCIEM_EVENT_RESET = 6,
};

/**
 * struct pciem_event - one record of the ring
 * @seq: 0; after PCIEM_IOC_SETUP_RING a count that starts at 1 and steps by one
 * @type: enum pciem_event_type
 * @bar: BAR index
 * @offset: bytes from the start of the BAR
 * @size: access width in bytes: 1, 2, 4 or 8
 * @cpu: 0; after PCIEM_IOC_SETUP_RING the CPU in bits 0-15, the function in 16-18
 * @data: value read or written, zero-extended
 * @timestamp: ns, CLOCK_MONOTONIC
 */
struct pciem_event {
	__u64 seq;
	__u32 type;
	__u32 bar;
	__u64 offset;
	__u32 size;
	__u32 cpu;
	__u64 data;
	__u64 timestamp;
};

struct pciem_response {
	__u64 seq;
	__u64 data;
	__u32 status;
	__u32 reserved;
};

#define PCIEM_RING_EVENTS	256
#define PCIEM_RING_MAX_EVENTS	65536
#define PCIEM_RING_DATA_OFFSET	128

/**
 * struct pciem_ring - the start of the shared ring, mapped at offset 0 of /dev/pciem
 * @head: next slot that userspace will take; userspace alone writes it
 * @tail: next slot that the kernel will fill; the kernel alone means anything by it
 * @lost: events that found no room in time, ever; statistics for userspace
 *
 * Empty when equal; full when (tail + 1) % slots == head. Events start at
 * PCIEM_RING_DATA_OFFSET.
 */
struct pciem_ring {
	__u32 head;
	__u32 pad0[15];
	__u32 tail;
	__u32 pad1;
	__u64 lost;
	__u32 pad2[12];
	struct pciem_event events[];
};

#define PCIEM_RING_BYTES(slots)	(PCIEM_RING_DATA_OFFSET + (slots) * 48)

/* Offset, in pages, to map a BAR's memory from the instance fd */
#define PCIEM_BAR_PGOFF(func, bar) (((func) << 3) | (bar))

#define PCIEM_IOC_CREATE_DEVICE	_IOWR(PCIEM_IOC_MAGIC, 10, struct pciem_create_device)
#define PCIEM_IOC_ADD_BAR	_IOW(PCIEM_IOC_MAGIC, 11, struct pciem_bar_config)
#define PCIEM_IOC_ADD_CAPABILITY _IOW(PCIEM_IOC_MAGIC, 12, struct pciem_cap_config)
#define PCIEM_IOC_SET_CONFIG	_IOW(PCIEM_IOC_MAGIC, 13, struct pciem_config_space)
#define PCIEM_IOC_REGISTER	_IO(PCIEM_IOC_MAGIC, 14)
#define PCIEM_IOC_INJECT_IRQ	_IOW(PCIEM_IOC_MAGIC, 15, struct pciem_irq_inject)
#define PCIEM_IOC_DMA		_IOWR(PCIEM_IOC_MAGIC, 16, struct pciem_dma_op)
#define PCIEM_IOC_DMA_ATOMIC	_IOWR(PCIEM_IOC_MAGIC, 17, struct pciem_dma_atomic)
#define PCIEM_IOC_P2P		_IOWR(PCIEM_IOC_MAGIC, 18, struct pciem_p2p_op)
#define PCIEM_IOC_GET_BAR_INFO	_IOWR(PCIEM_IOC_MAGIC, 19, struct pciem_bar_info_query)
#define PCIEM_IOC_SET_EVENTFD	_IOW(PCIEM_IOC_MAGIC, 21, struct pciem_eventfd_config)
#define PCIEM_IOC_SET_IRQFD	_IOW(PCIEM_IOC_MAGIC, 22, struct pciem_irqfd_config)
#define PCIEM_IOC_DMA_INDIRECT	_IOWR(PCIEM_IOC_MAGIC, 24, struct pciem_dma_indirect)
#define PCIEM_IOC_TRACE_BAR	_IOWR(PCIEM_IOC_MAGIC, 25, struct pciem_trace_bar)
#define PCIEM_IOC_START		_IO(PCIEM_IOC_MAGIC, 26)

/* Calls of this module alone */

#define PCIEM_FEATURE_SETUP_RING	(1ULL << 0)
#define PCIEM_FEATURE_DMA_BATCH		(1ULL << 1)
#define PCIEM_FEATURE_CONFIG_ACCESS	(1ULL << 2)
#define PCIEM_FEATURE_DEVICE_INFO	(1ULL << 3)
#define PCIEM_FEATURE_VECTOR_INFO	(1ULL << 4)

/**
 * struct pciem_version - what this module offers
 * @abi_version: PCIEM_ABI_VERSION
 * @features: PCIEM_FEATURE_* bits
 */
struct pciem_version {
	__u32 abi_version;
	__u32 reserved;
	__u64 features;
};

/**
 * struct pciem_setup_ring - choose the ring's size, before it is mapped
 * @slots: a power of two, 256 to PCIEM_RING_MAX_EVENTS
 *
 * Also turns on pciem_event.seq and pciem_event.cpu. EBUSY once mapped or registered.
 */
struct pciem_setup_ring {
	__u32 slots;
	__u32 reserved;
};

/**
 * struct pciem_dma_segment - one step of a batch
 * @iova: bus address in host memory
 * @user_addr: user buffer
 * @length: bytes; 0 with PCIEM_DMA_IRQ alone
 * @flags: PCIEM_DMA_READ or PCIEM_DMA_WRITE, and PCIEM_DMA_IRQ to raise @vector after it
 * @vector: interrupt vector
 */
struct pciem_dma_segment {
	__u64 iova;
	__u64 user_addr;
	__u32 length;
	__u16 flags;
	__u16 vector;
};

/**
 * struct pciem_dma_batch - transfers and interrupts in one call, in order
 * @segments: user pointer to struct pciem_dma_segment[@count]
 * @count: 1 to PCIEM_DMA_BATCH_MAX
 * @done: out: steps carried out; fewer than @count when one failed
 * @error: out: 0, or the errno (positive) of step @done
 * @func: function number
 *
 * Returns 0 also when a step failed: @error tells.
 */
#define PCIEM_DMA_BATCH_MAX	4096
struct pciem_dma_batch {
	__u64 segments;
	__u32 count;
	__u32 done;
	__u32 error;
	__u8 func;
	__u8 reserved[3];
};

#define PCIEM_CONFIG_WRITE	0x1	/* otherwise read */
#define PCIEM_CONFIG_AS_DEVICE	0x2	/* read-only bits too, no side effects */

/**
 * struct pciem_config_access - read or write configuration space of a registered function
 * @offset: bytes, 0 to 4095, a multiple of @size
 * @size: 1, 2 or 4 bytes
 * @value: in or out, zero-extended
 * @flags: PCIEM_CONFIG_*; without AS_DEVICE it is what a driver's access would do
 * @func: function number
 */
struct pciem_config_access {
	__u32 offset;
	__u32 size;
	__u32 value;
	__u32 flags;
	__u8 func;
	__u8 reserved[7];
};

#define PCIEM_STATE_REGISTERED	0x1
#define PCIEM_STATE_STARTED	0x2
#define PCIEM_STATE_DRIVER	0x4	/* a driver is bound */
#define PCIEM_STATE_BUS_MASTER	0x8	/* the driver turned bus mastering on */

#define PCIEM_IRQ_NONE		0
#define PCIEM_IRQ_INTX		1
#define PCIEM_IRQ_MSI		2
#define PCIEM_IRQ_MSIX		3

/**
 * struct pciem_device_info - where a function is and how it does
 * @domain: PCI domain (segment) number
 * @bus: bus number
 * @devfn: device << 3 | function
 * @func: in: function number
 * @irq_mode: PCIEM_IRQ_*: what the driver enabled
 * @state: PCIEM_STATE_*
 * @vectors: vectors that the driver enabled
 * @events: events produced
 * @lost: events lost
 * @waits: accesses that had to wait for room in the ring
 * @interrupts: interrupts delivered
 * @driver: name of the bound driver, or empty
 */
struct pciem_device_info {
	__u32 domain;
	__u8 bus;
	__u8 devfn;
	__u8 func;
	__u8 irq_mode;
	__u32 state;
	__u32 vectors;
	__u64 events;
	__u64 lost;
	__u64 waits;
	__u64 interrupts;
	char driver[32];
};

#define PCIEM_VECTOR_ENABLED	0x1	/* the driver allocated it */
#define PCIEM_VECTOR_MASKED	0x2
#define PCIEM_VECTOR_PENDING	0x4

/**
 * struct pciem_vector_info - one interrupt vector
 * @vector: in: vector number
 * @func: in: function number
 * @flags: out: PCIEM_VECTOR_*
 * @irq: out: Linux interrupt number, 0 when there is none
 * @address: out: message address as programmed
 * @data: out: message data as programmed
 * @cpu: out: CPU that it is delivered to, or 0xffffffff
 * @count: out: times delivered
 */
struct pciem_vector_info {
	__u32 vector;
	__u8 func;
	__u8 reserved[3];
	__u32 flags;
	__u32 irq;
	__u64 address;
	__u32 data;
	__u32 cpu;
	__u64 count;
};

#define PCIEM_IOC_GET_VERSION	_IOR(PCIEM_IOC_MAGIC, 64, struct pciem_version)
#define PCIEM_IOC_SETUP_RING	_IOW(PCIEM_IOC_MAGIC, 65, struct pciem_setup_ring)
#define PCIEM_IOC_DMA_BATCH	_IOWR(PCIEM_IOC_MAGIC, 66, struct pciem_dma_batch)
#define PCIEM_IOC_CONFIG_ACCESS	_IOWR(PCIEM_IOC_MAGIC, 67, struct pciem_config_access)
#define PCIEM_IOC_DEVICE_INFO	_IOWR(PCIEM_IOC_MAGIC, 68, struct pciem_device_info)
#define PCIEM_IOC_VECTOR_INFO	_IOWR(PCIEM_IOC_MAGIC, 69, struct pciem_vector_info)

#endif /* _UAPI_PCIEM_H */

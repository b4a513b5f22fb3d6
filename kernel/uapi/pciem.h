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
 *
 * A file that no call from 64 on was made with is a program's of the older
 * interface, which refused less:
 *   - flags that are not known do not count, nor do those of CREATE_DEVICE for
 *     other functions than 0;
 *   - ADD_BAR replaces a BAR that is there, and with a size of 0 takes it back;
 *   - DMA, DMA_INDIRECT and P2P read, unless PCIEM_DMA_WRITE is set;
 *   - TRACE_BAR without a flag tells nothing;
 *   - SET_EVENTFD removes the eventfd for any negative number;
 *   - INJECT_IRQ and SET_IRQFD take a vector that there is not for vector 0, as
 *     they take every vector while the driver uses the pin;
 *   - SET_IRQFD may be made again; with PCIEM_IRQFD_LEVEL it raises the vector
 *     while the driver uses messages; with both flags it is as without any.
 */
#ifndef _UAPI_PCIEM_H
#define _UAPI_PCIEM_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define PCIEM_IOC_MAGIC		0xAF

#define PCIEM_ABI_VERSION	2
#define PCIEM_MAX_FUNCTIONS	8
#define PCIEM_MAX_BARS		6

/* pciem_create_device.flags */
#define PCIEM_CREATE_BUS_MASK	0x3
#define PCIEM_CREATE_VIRTUAL	0x0	/* a root bus in a domain of its own */
#define PCIEM_CREATE_ATTACH	0x1	/* on an existing host bus */

/**
 * struct pciem_create_device - one function of the device
 * @flags: PCIEM_CREATE_VIRTUAL or PCIEM_CREATE_ATTACH, the same for all functions
 * @func: function number, 0 to 7
 */
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
 * @size: bytes, a power of two, 16 to 256 MiB
 * @func: function number, 0 to 7
 *
 * EINVAL for an index, flag or size that there is not; EBUSY for an index that
 * is taken; EOPNOTSUPP for PCIEM_BAR_IO, as accesses to ports cannot be
 * trapped; ENOMEM above 256 MiB and when there is no memory. A BAR of more than
 * 1 MiB takes memory page by page as it is touched. REGISTER gives it an
 * address, or fails with ENOMEM when none is left, with ENOSPC on another's bus.
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

/**
 * struct pciem_cap_msi - payload of PCIEM_CAP_MSI
 * @num_vectors_log2: 0 to 5, for 1 to 32 vectors
 * @has_64bit: not 0 for a 64-bit message address
 * @has_masking: not 0 for mask and pending bits
 */
struct pciem_cap_msi {
	__u8 num_vectors_log2;
	__u8 has_64bit;
	__u8 has_masking;
};

/**
 * struct pciem_cap_msix - payload of PCIEM_CAP_MSIX
 * @bar_index: BAR that holds table and pending bits
 * @table_offset: of the table in it, bytes, a multiple of 8
 * @pba_offset: of the pending bits in it, bytes, a multiple of 8
 * @table_size: vectors, 1 to 2048
 */
struct pciem_cap_msix {
	__u8 bar_index;
	__u8 reserved[3];
	__u32 table_offset;
	__u32 pba_offset;
	__u16 table_size;
	__u16 reserved2;
};

/**
 * struct pciem_cap_pasid - payload of PCIEM_CAP_PASID
 * @max_width: bits of a PASID
 * @exec: not 0 for execute permission
 * @priv: not 0 for privileged mode
 */
struct pciem_cap_pasid {
	__u8 max_width;
	__u8 exec;
	__u8 priv;
};

/**
 * struct pciem_cap_config - a capability that the kernel knows how to build
 * @cap_type: enum pciem_cap_type
 * @func: function number, 0 to 7
 * @u: by type. VSEC: @raw is bytes 4 to 19 of a vendor-specific capability (09)
 *     of 20 bytes. PASID: @max_width 0 to 20. PM and PCIE: nothing.
 *
 * It goes where there is room, after those before it. A PCIE capability is that
 * of an endpoint capable of function level reset; without one, drivers do not
 * look for extended capabilities, of which PASID is one.
 *
 * EINVAL for a value out of range, EEXIST for a second one, ENOSPC without room.
 */
struct pciem_cap_config {
	__u32 cap_type;
	__u8 func;
	__u8 reserved[3];
	union {
		struct pciem_cap_msi msi;
		struct pciem_cap_msix msix;
		struct pciem_cap_pasid pasid;
		__u8 raw[16];
	} u;
};

/**
 * struct pciem_config_space - what a function says it is
 * @func: function number, 0 to 7
 * @vendor_id: anything but 0 and 0xffff
 * @device_id: by vendor
 * @subsys_vendor_id: of the card's maker
 * @subsys_device_id: by subsystem vendor
 * @revision: revision ID
 * @class_code: programming interface, sub-class, base class
 * @header_type: 0
 */
struct pciem_config_space {
	__u8 func;
	__u8 reserved[3];
	__u16 vendor_id;
	__u16 device_id;
	__u16 subsys_vendor_id;
	__u16 subsys_device_id;
	__u8 revision;
	__u8 class_code[3];
	__u8 header_type;
	__u8 reserved2[7];
};

/**
 * struct pciem_irq_inject - raise an interrupt vector
 * @vector: MSI-X entry or MSI message; 0 while the driver uses the pin, which is then
 *	pulsed: held asserted for one run of the handler
 * @func: function number
 *
 * 0 also for a masked vector, whose pending bit is set. Why not:
 * ENODEV: no such function, or the device is not started; EINVAL: the function has no
 * such vector; ESHUTDOWN: the driver put the function into D1 to D3; EACCES: the driver
 * has bus mastering off, and a message is a memory write; EPERM: the driver disabled
 * the pin (Command.Interrupt Disable); ENXIO: the driver has not enabled this vector.
 */
struct pciem_irq_inject {
	__u32 vector;
	__u8 func;
	__u8 reserved[3];
};

/* pciem_dma_op.flags, pciem_dma_indirect.flags, pciem_dma_segment.flags, pciem_p2p_op.flags */
#define PCIEM_DMA_READ		0x1	/* host memory to user buffer */
#define PCIEM_DMA_WRITE		0x2	/* user buffer to host memory */
#define PCIEM_DMA_IRQ		0x4	/* segments only: raise pciem_dma_segment.vector */

/**
 * struct pciem_dma_op - one transfer between host memory and a user buffer
 * @iova: bus address in host memory
 * @user_addr: user buffer
 * @length: bytes
 * @pasid: not used
 * @flags: PCIEM_DMA_READ or PCIEM_DMA_WRITE; 0 is PCIEM_DMA_READ
 * @func: function number, 0 to 7
 *
 * All of it lies in one mapping that the driver made for this function and has
 * not undone, or nothing is transferred. This and every other access by DMA
 * fails with EACCES while the driver has bus mastering off, EADDRNOTAVAIL
 * outside a mapping, EPERM against the direction of the mapping, EFAULT for the
 * user buffer, ENODEV before REGISTER.
 */
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

/**
 * struct pciem_dma_atomic - a 64-bit atomic operation on host memory
 * @iova: bus address, a multiple of 8 (else EINVAL), mapped in both directions
 * @operand: second operand; the new value of SWAP and CAS
 * @compare: CAS: the value that is to be there
 * @op_type: enum pciem_atomic_op
 * @pasid: not used
 * @result: out: the value that was there before
 * @func: function number, 0 to 7
 */
struct pciem_dma_atomic {
	__u64 iova;
	__u64 operand;
	__u64 compare;
	__u32 op_type;
	__u32 pasid;
	__u64 result;
	__u8 func;
	__u8 reserved[7];
};

/**
 * struct pciem_p2p_op - a transfer between another device's memory and a user buffer
 * @target_phys: address as the CPU sees it, in a BAR of a device of this module or in
 *	the module parameter p2p_regions
 * @user_addr: user buffer
 * @length: bytes
 * @flags: PCIEM_DMA_READ (from the other device) or PCIEM_DMA_WRITE; 0 is PCIEM_DMA_READ
 * @func: function number, 0 to 7
 *
 * EACCES for any other address, and while bus mastering is off.
 */
struct pciem_p2p_op {
	__u64 target_phys;
	__u64 user_addr;
	__u32 length;
	__u32 flags;
	__u8 func;
	__u8 reserved[7];
};

/**
 * struct pciem_bar_info_query - where a BAR is
 * @bar_index: in: 0 to 5
 * @phys: out: physical address, 0 before REGISTER
 * @size: out: bytes
 * @flags: out: PCIEM_BAR_*
 * @func: in: function number, 0 to 7
 */
struct pciem_bar_info_query {
	__u32 bar_index;
	__u32 reserved0;
	__u64 phys;
	__u64 size;
	__u32 flags;
	__u8 func;
	__u8 reserved[3];
};

/**
 * struct pciem_eventfd_config - an eventfd that is signalled for events in the ring
 * @eventfd: descriptor, signalled at once when there are events already; -1 removes it
 */
struct pciem_eventfd_config {
	__s32 eventfd;
	__u32 reserved;
};

#define PCIEM_IRQFD_LEVEL	0x1	/* a signal asserts the pin, as PCIEM_IOC_SET_INTX does */
#define PCIEM_IRQFD_DEASSERT	0x2	/* a signal deasserts it */

/**
 * struct pciem_irqfd_config - let an eventfd raise a vector; PCIEM_IOC_IRQFD does more
 * @eventfd: each write to it raises @vector
 * @vector: number
 * @flags: PCIEM_IRQFD_LEVEL, PCIEM_IRQFD_DEASSERT or 0
 * @func: function number
 */
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
 * @pasid: not used
 * @flags: PCIEM_DMA_READ or PCIEM_DMA_WRITE; 0 is PCIEM_DMA_READ
 * @func: function number, 0 to 7
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
/* PCIEM_IOC_TRACE_RANGE alone */
#define PCIEM_TRACE_SYNC_READS	0x8	/* the device answers the read */
#define PCIEM_TRACE_SYNC_WRITES	0x10	/* the write ends when the device has answered */

/**
 * struct pciem_trace_bar - trap accesses to a BAR from now on
 * @bar_index: 0 to 5
 * @flags: PCIEM_TRACE_*
 * @func: function number, 0 to 7
 */
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
	/* Wide rings only, when asked for with PCIEM_IOC_SET_EVENTS */
	PCIEM_EVENT_LOST = 64,		/* see PCIEM_EVENTS_LOST; data: how many since the last of these */
	PCIEM_EVENT_DMA_FAULT = 65,	/* see PCIEM_DMA_FAULT_* */
	PCIEM_EVENT_DRIVER_BOUND = 66,
	PCIEM_EVENT_DRIVER_UNBOUND = 67,
	PCIEM_EVENT_DMA_LEAK = 68,	/* see PCIEM_DMA_LEAK_FLAGS */
	PCIEM_EVENT_TIMEOUT = 69,	/* bar, offset, size as in the request; extra: its seq */
};

/* pciem_event.data of PCIEM_EVENT_RESET. There is no bus above a function to reset it by. */
#define PCIEM_RESET_FLR		1	/* function level reset */
#define PCIEM_RESET_PM		2	/* from D3hot to D0 without No_Soft_Reset */

/* pciem_wide_event.flags of PCIEM_EVENT_DRIVER_UNBOUND */
#define PCIEM_EVENT_FLAG_PROBE_FAILED	0x10000	/* it never was bound: its probe failed */

/**
 * struct pciem_event - one record of the ring
 * @seq: 0; in a wide ring a count that starts at 1 and steps by one
 * @type: enum pciem_event_type
 * @bar: BAR index
 * @offset: bytes from the start of the BAR, or of configuration space
 * @size: access width in bytes: 1, 2, 4 or 8
 * @cpu: 0; in a wide ring the CPU in bits 0-15, the function in 16-18
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

/* pciem_wide_event.flags */
#define PCIEM_EVENT_FLAG_SYNC	0x1	/* the driver waits: write a struct pciem_response */

/**
 * struct pciem_wide_event - one record of a wide ring
 * @event: as in the ring that old programs have
 * @pid: thread that made the access, 0 for an interrupt
 * @flags: PCIEM_EVENT_FLAG_*
 * @extra: by type, else 0
 *
 * CONFIG_READ and CONFIG_WRITE tell what a driver, or the kernel for it, read
 * and wrote, beginning with the scan that REGISTER makes. RESET comes before
 * the events of all that the driver does after the reset. DRIVER_BOUND and
 * DRIVER_UNBOUND have the first 16 bytes of the driver's name in @event.data
 * and @extra, padded with zeros.
 */
struct pciem_wide_event {
	struct pciem_event event;
	__u32 pid;
	__u32 flags;
	__u64 extra;
};

/**
 * struct pciem_response - answer to an event with PCIEM_EVENT_FLAG_SYNC
 * @seq: of the event
 * @data: what the driver reads, cut to the event's size; nothing for a write
 * @status: 0; anything else is an unsupported request, and the driver reads all ones
 *
 * One or more are given to write() on the /dev/pciem file, in any order. It
 * returns the bytes taken, which may be fewer than were given. A response
 * whose request is not there (never was, answered already, timed out, given
 * up) is counted in pciem_device_stats.late_responses and passed over.
 *
 * ESRCH when no response had a request. EINVAL when the length is 0 or no
 * multiple of 24, for a reserved field that is not 0, and without a wide ring.
 */
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
 * @events: PCIEM_RING_EVENTS slots
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

/**
 * struct pciem_wide_ring - the same after PCIEM_IOC_SETUP_RING
 * @head: events that userspace has taken, ever; userspace alone writes it
 * @tail: events that the kernel has put in, ever; the kernel alone means anything by it
 * @lost: events that found no room in time, ever
 * @events: as many slots as were asked for
 *
 * Event n is in slot n % slots. Empty when equal; full when tail - head == slots.
 * A head that lies counts as full.
 */
struct pciem_wide_ring {
	__u64 head;
	__u64 pad0[7];
	__u64 tail;
	__u64 lost;
	__u64 pad1[6];
	struct pciem_wide_event events[];
};

#define PCIEM_WIDE_RING_BYTES(slots)	(PCIEM_RING_DATA_OFFSET + (slots) * 64)

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
#define PCIEM_FEATURE_EVENTS		(1ULL << 5)
#define PCIEM_FEATURE_TRACE_RANGE	(1ULL << 6)
#define PCIEM_FEATURE_SYNC		(1ULL << 7)
#define PCIEM_FEATURE_DMA_MAPPINGS	(1ULL << 8)	/* and DMA_FAULT and DMA_LEAK events */
#define PCIEM_FEATURE_DMA_POLICY	(1ULL << 9)
#define PCIEM_FEATURE_P2P		(1ULL << 10)
#define PCIEM_FEATURE_CAP_BYTES		(1ULL << 12)
#define PCIEM_FEATURE_CONFIG_DEFINE	(1ULL << 13)
#define PCIEM_FEATURE_SET_ROM		(1ULL << 14)
#define PCIEM_FEATURE_SET_SLOT		(1ULL << 15)

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
 * The ring becomes a struct pciem_wide_ring. EBUSY once mapped or registered.
 */
struct pciem_setup_ring {
	__u32 slots;
	__u32 reserved;
};

#define PCIEM_DMA_BATCH_MAX	4096

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
 * @vector: in: vector number; 0 is the pin while neither MSI nor MSI-X is enabled, which is
 *	pending while it is asserted and masked while it is disabled
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

/* pciem_set_events.mask: what a wide ring tells beside MMIO accesses */
#define PCIEM_EVENTS_CONFIG	0x1	/* CONFIG_READ, CONFIG_WRITE */
#define PCIEM_EVENTS_RESET	0x2	/* RESET */
#define PCIEM_EVENTS_DRIVER	0x4	/* DRIVER_BOUND, DRIVER_UNBOUND */
#define PCIEM_EVENTS_DMA	0x8	/* DMA_FAULT, DMA_LEAK */
#define PCIEM_EVENTS_LOST	0x10	/* LOST: the first event after a gap tells how many it is */
#define PCIEM_EVENTS_TIMEOUT	0x20	/* TIMEOUT */
#define PCIEM_EVENTS_ALL	0x3f

/**
 * struct pciem_set_events - choose the kinds of events; at any time
 * @mask: PCIEM_EVENTS_*; none after open
 *
 * Numbers count lost events too. LOST is told before the first event that finds
 * room again, with a number of its own: its data is what lies between that and
 * the number of the event before it.
 *
 * EINVAL for a bit not known, and without a wide ring (PCIEM_IOC_SETUP_RING).
 */
struct pciem_set_events {
	__u32 mask;
	__u32 reserved;
};

#define PCIEM_TRACE_RANGES_MAX	64

/**
 * struct pciem_trace_range - which accesses to a part of a BAR are told, and how; at any time
 * @bar_index: BAR
 * @flags: PCIEM_TRACE_*; 0 for none
 * @offset: bytes from the start of the BAR
 * @length: bytes, at least 1
 * @func: function number
 *
 * Replaces what was asked for these bytes before, by this call or by
 * PCIEM_IOC_TRACE_BAR; other bytes keep theirs. An access that has one byte in
 * a range is told as that range asks. Accesses are trapped by the page: those
 * that are in no range but in a page with one are slower, and not told. Pages
 * without a range cost a driver nothing. An access under way when the call is
 * made ends as it began.
 *
 * An event of a synchronous access carries PCIEM_EVENT_FLAG_SYNC; its data, for
 * a read, is what BAR memory held. The driver waits until the device has
 * written a struct pciem_response. It reads all ones when that does not come
 * within the completion timeout, when the event finds no room in the ring, when
 * the device goes, and when its process is killed. A synchronous write has
 * changed BAR memory (not with PCIEM_TRACE_STOP_WRITES) before it is told, and
 * is not undone. The MSI-X table and pending bits belong to the kernel:
 * accesses to them are told but not waited for.
 *
 * Order: events are in the order in which the accesses took effect. A driver
 * that writes and then reads a plain register may read it before the device
 * has seen the write, as BAR memory answers. Make either synchronous where the
 * read is to see the effect: the write then ends after the device's answer, or
 * the read is answered after the write's event was taken.
 *
 * EINVAL for a flag not known, a range of 0 bytes or beyond the BAR, and a
 * synchronous flag without a wide ring (PCIEM_IOC_SETUP_RING first); ENODEV
 * without the function; ENXIO without the BAR; ENOSPC when the BAR would have
 * more than PCIEM_TRACE_RANGES_MAX ranges (neighbours with equal flags are one).
 */
struct pciem_trace_range {
	__u32 bar_index;
	__u32 flags;
	__u64 offset;
	__u64 length;
	__u8 func;
	__u8 reserved[7];
};

#define PCIEM_COMPLETION_TIMEOUT_DEFAULT	50000
#define PCIEM_COMPLETION_TIMEOUT_MAX		10000000

/**
 * struct pciem_completion_timeout - how long a synchronous access waits; at any time
 * @microseconds: 1 to PCIEM_COMPLETION_TIMEOUT_MAX; 50 ms after open
 *
 * Counted from the event. Where a driver may not sleep (interrupts off, a spin
 * lock held) the module's parameter sync_spin_ms bounds it too. EINVAL outside
 * the bounds.
 */
struct pciem_completion_timeout {
	__u32 microseconds;
	__u32 reserved;
};

/**
 * struct pciem_device_stats - counters of a device since it was opened
 * @events: events produced
 * @lost: events lost
 * @waits: accesses that had to wait for room in the ring
 * @sync_reads: reads that the device was asked to answer
 * @sync_writes: likewise for writes
 * @sync_timeouts: of both, those that got no answer in time, or whose event was lost
 * @sync_abandoned: of both, those whose process was killed while it waited
 * @late_responses: responses without a request
 * @reserved: 0; counters to come
 */
struct pciem_device_stats {
	__u64 events;
	__u64 lost;
	__u64 waits;
	__u64 sync_reads;
	__u64 sync_writes;
	__u64 sync_timeouts;
	__u64 sync_abandoned;
	__u64 late_responses;
	__u64 reserved[24];
};

/* pciem_dma_mapping.kind: how the driver made a mapping */
#define PCIEM_DMA_KIND_COHERENT		1	/* dma_alloc_coherent(), dma_pool_alloc() */
#define PCIEM_DMA_KIND_STREAMING	2	/* dma_map_single(), dma_map_page() */
#define PCIEM_DMA_KIND_SG		3	/* an entry of dma_map_sg() */
#define PCIEM_DMA_KIND_RESOURCE		4	/* dma_map_resource(): memory of another device */
#define PCIEM_DMA_KIND_PAGES		5	/* dma_alloc_pages(), dma_alloc_noncoherent() */

/**
 * struct pciem_dma_mapping - a live mapping
 * @iova: bus address
 * @size: bytes
 * @age_ns: ns since it was made, to a tick of the kernel's clock
 * @access: what the device may do: PCIEM_DMA_READ (DMA_TO_DEVICE), PCIEM_DMA_WRITE
 *	(DMA_FROM_DEVICE) or both
 * @kind: PCIEM_DMA_KIND_*
 */
struct pciem_dma_mapping {
	__u64 iova;
	__u64 size;
	__u64 age_ns;
	__u32 access;
	__u32 kind;
};

/**
 * struct pciem_dma_mappings - list the live mappings of a function by rising address
 * @mappings: user pointer to struct pciem_dma_mapping[@count]
 * @start: only mappings at this bus address or above are listed
 * @bytes: out: sum of the sizes of all live mappings
 * @faults: out: accesses refused, and mappings undone wrongly, ever
 * @leaks: out: mappings that drivers left behind at unbind, ever
 * @count: in: room; out: mappings listed
 * @total: out: all live mappings, listed or not
 * @func: function number
 *
 * Mappings that are made or undone during the call may be in it or not.
 */
struct pciem_dma_mappings {
	__u64 mappings;
	__u64 start;
	__u64 bytes;
	__u64 faults;
	__u64 leaks;
	__u32 count;
	__u32 total;
	__u8 func;
	__u8 reserved[7];
};

#define PCIEM_DMA_POLICY_MAPPED		0	/* only what the driver mapped */
#define PCIEM_DMA_POLICY_PHYSICAL	1	/* what is not mapped is physical memory */

/**
 * struct pciem_dma_policy - where a function may access host memory; before START
 * @policy: PCIEM_DMA_POLICY_*; MAPPED after open
 * @func: function number
 *
 * PHYSICAL is for drivers in user space that program physical addresses, which
 * nothing checks: EPERM without CAP_SYS_RAWIO. EBUSY after START.
 */
struct pciem_dma_policy {
	__u32 policy;
	__u8 func;
	__u8 reserved[3];
};

/*
 * PCIEM_EVENT_DMA_FAULT: offset is the bus address (for PEER the physical one), size the
 * length, data and extra the address and size of the nearest live mapping or 0,
 * flags one of these and perhaps FAULT_WRITE.
 */
#define PCIEM_DMA_FAULT_REASON		0xff
#define PCIEM_DMA_FAULT_OUTSIDE		1	/* not, or not all of it, in a mapping */
#define PCIEM_DMA_FAULT_UNMAPPED	2	/* in one undone lately, which data and extra tell */
#define PCIEM_DMA_FAULT_DIRECTION	3	/* against the direction of the mapping */
#define PCIEM_DMA_FAULT_BUS_MASTER	4	/* bus mastering is off, or the function not in D0 */
#define PCIEM_DMA_FAULT_PEER		5	/* not memory of another device, or not allowed */
#define PCIEM_DMA_FAULT_BAD_UNMAP	6	/* the driver undid what is not mapped so */
#define PCIEM_DMA_FAULT_WRITE		0x100	/* the device would have written */

/*
 * PCIEM_EVENT_DMA_LEAK, one for each mapping left when a driver was unbound: offset is
 * the bus address, size and extra the size, data the age in ns, flags this.
 */
#define PCIEM_DMA_LEAK_FLAGS(kind, access)	((kind) | (access) << 8)

#define PCIEM_IOC_GET_VERSION	_IOR(PCIEM_IOC_MAGIC, 64, struct pciem_version)
#define PCIEM_IOC_SETUP_RING	_IOW(PCIEM_IOC_MAGIC, 65, struct pciem_setup_ring)
#define PCIEM_IOC_DMA_BATCH	_IOWR(PCIEM_IOC_MAGIC, 66, struct pciem_dma_batch)
#define PCIEM_IOC_CONFIG_ACCESS	_IOWR(PCIEM_IOC_MAGIC, 67, struct pciem_config_access)
#define PCIEM_IOC_DEVICE_INFO	_IOWR(PCIEM_IOC_MAGIC, 68, struct pciem_device_info)
#define PCIEM_IOC_VECTOR_INFO	_IOWR(PCIEM_IOC_MAGIC, 69, struct pciem_vector_info)

#define PCIEM_IOC_SET_EVENTS	_IOW(PCIEM_IOC_MAGIC, 70, struct pciem_set_events)

#define PCIEM_IOC_TRACE_RANGE	_IOW(PCIEM_IOC_MAGIC, 71, struct pciem_trace_range)
#define PCIEM_IOC_SET_COMPLETION_TIMEOUT _IOW(PCIEM_IOC_MAGIC, 72, struct pciem_completion_timeout)
#define PCIEM_IOC_DEVICE_STATS	_IOR(PCIEM_IOC_MAGIC, 73, struct pciem_device_stats)

#define PCIEM_CAP_EXTENDED	0x1	/* from 0x100 on, with a header of four bytes */

/**
 * struct pciem_cap_bytes - a capability given byte for byte; before REGISTER
 * @bytes: user pointer to @length bytes, header included; "next" is ours
 * @rw: user pointer to as many bytes, the bits that a driver may write; or 0
 * @w1c: likewise, the bits that a driver clears by writing one; or 0
 * @length: bytes, header included
 * @offset: in: where, a multiple of 4, or 0 for where there is room; out: where it is
 * @flags: PCIEM_CAP_EXTENDED
 * @func: function number
 *
 * With neither mask the bits of power management (01), PCI Express (10), AER
 * (extended 0001) and device serial number (extended 0003) are as their
 * specifications say; all others are read-only. Function level reset works
 * through the first of PCI Express and Advanced Features (13) that has it.
 *
 * SR-IOV (extended 0010) takes no masks, and functions have no virtual ones:
 * TotalVFs reads as given, InitialVFs and the VF BARs as 0, for which Linux
 * refuses to enable any with EIO.
 *
 * EINVAL: a length, offset or flag that there is not, a bit in both masks, a
 * mask on the header, a value that the kernel would trip over; EBUSY: @offset
 * is in the header or in another capability; ENOSPC: no room, or past the end;
 * EEXIST: there is one, and it is not of a kind to have twice; EOPNOTSUPP: MSI
 * (05) and MSI-X (11), whose registers are the kernel's to keep: use
 * PCIEM_IOC_ADD_CAPABILITY; masks for SR-IOV.
 */
struct pciem_cap_bytes {
	__u64 bytes;
	__u64 rw;
	__u64 w1c;
	__u16 length;
	__u16 offset;
	__u32 flags;
	__u8 func;
	__u8 reserved[7];
};

/**
 * struct pciem_config_define - any bytes of configuration space; before REGISTER
 * @bytes: user pointer to @length bytes: their values after a reset
 * @rw: user pointer to as many bytes, the bits that a driver may write; 0 for none
 * @w1c: likewise, the bits that a driver clears by writing one
 * @offset: first byte
 * @length: bytes
 * @func: function number
 *
 * What a later capability is placed over is lost. EINVAL: past 4096, or a bit
 * in both masks. EBUSY: registers that have calls of their own or that the
 * kernel keeps: vendor, device, command, status, header type, BARs, ROM address,
 * capability pointer, interrupt pin; the headers of capabilities; all of MSI,
 * MSI-X and SR-IOV.
 */
struct pciem_config_define {
	__u64 bytes;
	__u64 rw;
	__u64 w1c;
	__u16 offset;
	__u16 length;
	__u8 func;
	__u8 reserved[3];
};

/**
 * struct pciem_rom - an option ROM; before REGISTER
 * @image: user pointer to @length bytes
 * @length: bytes, 1 to @size; the rest of the ROM reads 0
 * @size: bytes of address space, a power of two, 2 KiB to 16 MiB
 * @func: function number
 *
 * The driver reads it through the expansion ROM register, and a person through
 * the file rom in sysfs; writes to it vanish. EINVAL for a size that there is
 * not, EBUSY for a second one, ENOMEM without memory.
 */
struct pciem_rom {
	__u64 image;
	__u32 length;
	__u32 size;
	__u8 func;
	__u8 reserved[7];
};

#define PCIEM_SLOT_ANY	0xff	/* the first that is free */

/**
 * struct pciem_set_slot - where a device goes that is made with PCIEM_CREATE_ATTACH; before REGISTER
 * @domain: PCI domain; 0 when this is not called
 * @bus: bus number; likewise 0
 * @device: 0 to 31, or PCIEM_SLOT_ANY; likewise PCIEM_SLOT_ANY
 *
 * EINVAL for a device on a bus of its own or with a number that there is not.
 * REGISTER fails with ENODEV when there is no such bus, or it is one of this
 * module's own, or a port above it lets nothing into that slot; with EBUSY when
 * the slot is taken; with ENOSPC when the bus has no address space for the BARs.
 */
struct pciem_set_slot {
	__u32 domain;
	__u8 bus;
	__u8 device;
	__u16 reserved;
};

#define PCIEM_IOC_ADD_CAP_BYTES	_IOWR(PCIEM_IOC_MAGIC, 76, struct pciem_cap_bytes)
#define PCIEM_IOC_CONFIG_DEFINE	_IOW(PCIEM_IOC_MAGIC, 77, struct pciem_config_define)
#define PCIEM_IOC_SET_ROM	_IOW(PCIEM_IOC_MAGIC, 78, struct pciem_rom)
#define PCIEM_IOC_SET_SLOT	_IOW(PCIEM_IOC_MAGIC, 79, struct pciem_set_slot)

#define PCIEM_FEATURE_SET_INTX		(1ULL << 18)
#define PCIEM_FEATURE_IRQFD		(1ULL << 19)
#define PCIEM_FEATURE_VECTORS		(1ULL << 20)

/**
 * struct pciem_set_intx - drive a function's INTx pin
 * @asserted: 1 or 0
 * @func: function number
 *
 * The pin is one wire: it keeps its level until this call, an irqfd or a reset changes
 * it. While it is asserted the handler is called again after each run of it, unless
 * Command.Interrupt Disable is set, MSI or MSI-X is enabled, or the function is not in
 * D0. Status.Interrupt Status follows the pin in any case. ENODEV: no such function, or
 * not started; EINVAL: the function has no pin.
 */
struct pciem_set_intx {
	__u32 asserted;
	__u8 func;
	__u8 reserved[3];
};

/* pciem_irqfd.flags, beside PCIEM_IRQFD_LEVEL and PCIEM_IRQFD_DEASSERT */
#define PCIEM_IRQFD_REMOVE	0x4
#define PCIEM_IRQFD_RESAMPLE	0x8

/**
 * struct pciem_irqfd - let an eventfd raise a vector, or no longer
 * @eventfd: each write to it raises @vector, as PCIEM_IOC_INJECT_IRQ does
 * @resamplefd: with PCIEM_IRQFD_RESAMPLE, which goes with LEVEL only: when the driver's
 *	handler has run with the pin asserted, the pin is deasserted and this eventfd
 *	signalled, for the device to assert it again if need be. Otherwise -1.
 * @vector: 0 with LEVEL and DEASSERT, which are about the pin
 * @flags: PCIEM_IRQFD_*; at most one of LEVEL and DEASSERT; REMOVE comes alone
 * @func: function number
 *
 * EBADF: not a descriptor; EINVAL: not an eventfd, no such vector, flags that exclude
 * each other, or the same eventfd twice; EBUSY: @eventfd is on @vector already;
 * ENOENT: REMOVE of one that is not. Closing the eventfd removes it as well.
 */
struct pciem_irqfd {
	__s32 eventfd;
	__s32 resamplefd;
	__u32 vector;
	__u32 flags;
	__u8 func;
	__u8 reserved[7];
};

/**
 * struct pciem_vectors - the state of many vectors in one call
 * @vectors: user pointer to struct pciem_vector_info[@count], all of it written
 * @first: vector of the first one
 * @count: in: how many at most; out: how many there were
 * @total: out: vectors that the function has, the pin counting as one
 * @func: function number
 *
 * EINVAL: @first is none of the function's vectors; ENODEV: no such function, or not
 * registered.
 */
struct pciem_vectors {
	__u64 vectors;
	__u32 first;
	__u32 count;
	__u32 total;
	__u8 func;
	__u8 reserved[3];
};

#define PCIEM_IOC_SET_INTX	_IOW(PCIEM_IOC_MAGIC, 87, struct pciem_set_intx)
#define PCIEM_IOC_IRQFD		_IOW(PCIEM_IOC_MAGIC, 88, struct pciem_irqfd)
#define PCIEM_IOC_VECTORS	_IOWR(PCIEM_IOC_MAGIC, 89, struct pciem_vectors)
#define PCIEM_IOC_DMA_MAPPINGS	_IOWR(PCIEM_IOC_MAGIC, 80, struct pciem_dma_mappings)
#define PCIEM_IOC_DMA_POLICY	_IOW(PCIEM_IOC_MAGIC, 81, struct pciem_dma_policy)

#endif /* _UAPI_PCIEM_H */

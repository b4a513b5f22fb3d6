/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the drivers of a function mapped for it: shared by dma_ops.c, which
 * drivers come to through the DMA API, and dma.c, where the device accesses.
 *
 * A slot is a range of bus addresses that mappings use one after the other. It
 * stays in the index between two of them, so that mapping and unmapping touch
 * no tree and allocate nothing as a rule, and an access through a mapping that
 * was undone is known for what it is. Slots are used again in the order in
 * which they came free, and a page that belongs to nobody follows each.
 */
#ifndef _PCIEM_DMA_H
#define _PCIEM_DMA_H

#include <linux/iova.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include "uapi/pciem.h"

struct pciem_func;

#define PCIEM_DMA_ORDERS	21	/* one mapping is 4 GiB at most */

/**
 * struct pciem_dma_slot - a range of bus addresses and what is mapped there
 * @base: first bus address; a multiple of the size
 * @order: log2 of the size in pages
 * @idle: in the space's list of idle slots, under its lock
 * @lock: protects what follows, and is held while the device accesses the
 *	memory, so that unmapping waits for an access in flight. Taken with
 *	interrupts off: drivers unmap in their interrupt handlers.
 * @live: there is a mapping. When not, the rest tells of the last one.
 * @leaked: was reported as left behind
 * @kind: PCIEM_DMA_KIND_*
 * @access: PCIEM_DMA_READ and PCIEM_DMA_WRITE as far as the device may
 * @iova: bus address as the driver got it
 * @size: bytes as the driver gave it
 * @cpu: the memory; NULL for PCIEM_DMA_KIND_RESOURCE
 * @phys: for PCIEM_DMA_KIND_RESOURCE
 * @created: ns, monotonic, to a tick
 */
struct pciem_dma_slot {
	u64 base;
	unsigned int order;
	struct list_head idle;
	struct rcu_head rcu;

	raw_spinlock_t lock;
	bool live;
	bool leaked;
	u8 kind;
	u8 access;
	u64 iova;
	u64 size;
	void *cpu;
	phys_addr_t phys;
	u64 created;
};

/**
 * struct pciem_dma_space - the bus addresses of a function
 * @slots: by page of bus address; a slot is one entry of its order
 * @iovad: which ranges are taken; the kernel's own allocator
 * @lock: protects @idle
 * @idle: slots without a mapping, the one that is so for longest first
 * @policy: PCIEM_DMA_POLICY_*; set before drivers bind
 * @faults: accesses refused
 * @leaks: mappings left behind when a driver was unbound
 */
struct pciem_dma_space {
	struct xarray slots;
	struct iova_domain iovad;
	raw_spinlock_t lock;
	struct {
		struct list_head list;
		unsigned int count;
	} idle[PCIEM_DMA_ORDERS];
	u32 policy;
	atomic64_t faults;
	atomic64_t leaks;
};

struct pciem_dma_slot *pciem_dma_begin(struct pciem_dma_space *space, u64 iova, u64 length,
				       u32 access, unsigned long *flags, u32 *reason);
static inline void pciem_dma_end(struct pciem_dma_slot *slot, unsigned long flags)
{
	__acquire(&slot->lock);	/* for sparse, which knows of no lock that is taken perhaps */
	raw_spin_unlock_irqrestore(&slot->lock, flags);
}

void pciem_dma_fault(struct pciem_func *func, u64 iova, u64 length, u32 access, u32 reason,
		     bool may_sleep);

#endif /* _PCIEM_DMA_H */

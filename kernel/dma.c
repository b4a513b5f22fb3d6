// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA: what the device does to host memory.
 *
 * Bus addresses are those that dma_ops.c gave to the driver; an access lies in
 * one mapping of it or is refused and reported.
 *
 * Errors: ENODEV before REGISTER, EACCES while the driver has bus mastering
 * off, EADDRNOTAVAIL outside a mapping, EPERM against its direction, EFAULT for
 * the user buffer, EINVAL for the arguments.
 *
 * Context: process, no lock held.
 */
#include <linux/mm.h>
#include <linux/memory_hotplug.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include <asm/asm.h>

#include "dma.h"
#include "pciem.h"
#include "trace.h"

/* Segments of a batch that are fetched at a time; kernels clear what is on the stack */
#define BATCH_CHUNK	8

/* Bytes that are moved with interrupts off */
#define CHUNK		SZ_16K

/*
 * Copies in words: the string instructions that copy_to_user() uses take a
 * step a byte where a CPU is emulated, and gain nothing elsewhere at these sizes.
 * They work with page faults disabled too. 0 or -EFAULT.
 */
#define MOVE_OUT(at) "movq " #at "(%0), %%rax\n1: movq %%rax, " #at "(%1)\n" \
	_ASM_EXTABLE_UA(1b, %l[fault])
#define MOVE_OUT_BYTE "movb (%0), %%al\n1: movb %%al, (%1)\n" _ASM_EXTABLE_UA(1b, %l[fault])
#define MOVE_IN(at) "1: movq " #at "(%0), %%rax\n" _ASM_EXTABLE_UA(1b, %l[fault]) \
	"movq %%rax, " #at "(%1)\n"
#define MOVE_IN_BYTE "1: movb (%0), %%al\n" _ASM_EXTABLE_UA(1b, %l[fault]) "movb %%al, (%1)\n"

int pciem_copy_out(void __user *to, const void *from, size_t length)
{
	size_t at = 0;

	if (!length)
		return 0;
	if (!user_write_access_begin(to, length))
		return -EFAULT;
	for (; at + 64 <= length; at += 64)
		asm goto(MOVE_OUT(0) MOVE_OUT(8) MOVE_OUT(16) MOVE_OUT(24)
			 MOVE_OUT(32) MOVE_OUT(40) MOVE_OUT(48) MOVE_OUT(56)
			 : : "r" (from + at), "r" (to + at) : "rax", "memory" : fault);
	for (; at + 8 <= length; at += 8)
		asm goto(MOVE_OUT(0)
			 : : "r" (from + at), "r" (to + at) : "rax", "memory" : fault);
	for (; at < length; at++)
		asm goto(MOVE_OUT_BYTE
			 : : "r" (from + at), "r" (to + at) : "rax", "memory" : fault);
	user_write_access_end();
	return 0;
fault:
	user_write_access_end();
	return -EFAULT;
}

int pciem_copy_in(void *to, const void __user *from, size_t length)
{
	size_t at = 0;

	if (!length)
		return 0;
	if (!user_read_access_begin(from, length))
		return -EFAULT;
	for (; at + 64 <= length; at += 64)
		asm goto(MOVE_IN(0) MOVE_IN(8) MOVE_IN(16) MOVE_IN(24)
			 MOVE_IN(32) MOVE_IN(40) MOVE_IN(48) MOVE_IN(56)
			 : : "r" (from + at), "r" (to + at) : "rax", "memory" : fault);
	for (; at + 8 <= length; at += 8)
		asm goto(MOVE_IN(0)
			 : : "r" (from + at), "r" (to + at) : "rax", "memory" : fault);
	for (; at < length; at++)
		asm goto(MOVE_IN_BYTE
			 : : "r" (from + at), "r" (to + at) : "rax", "memory" : fault);
	user_read_access_end();
	return 0;
fault:
	user_read_access_end();
	return -EFAULT;
}

/* Tell of an access that does not take place. Its errno. */
static int refuse(struct pciem_func *func, u64 iova, u64 length, u32 access, u32 reason)
{
	pciem_dma_fault(func, iova, length, access, reason, true);
	switch (reason) {
	case PCIEM_DMA_FAULT_BUS_MASTER:
	case PCIEM_DMA_FAULT_PEER:
		return -EACCES;
	case PCIEM_DMA_FAULT_DIRECTION:
		return -EPERM;
	default:
		return -EADDRNOTAVAIL;
	}
}

/*
 * Memory that no driver mapped, for drivers in user space; an error pointer
 * when the function is not to see any, or not this.
 */
static void *physical(struct pciem_func *func, u64 address)
{
	unsigned long pfn = PHYS_PFN(address);

	if (READ_ONCE(func->dma->policy) != PCIEM_DMA_POLICY_PHYSICAL)
		return ERR_PTR(-EADDRNOTAVAIL);
	/* Reserved pages are the kernel's image, firmware's memory and the like. */
	if (!pfn_valid(pfn) || !pfn_to_online_page(pfn) || PageReserved(pfn_to_page(pfn)))
		return ERR_PTR(-EADDRNOTAVAIL);
	return page_address(pfn_to_page(pfn)) + offset_in_page(address);
}

static int copy(void *p, void __user *user, size_t length, u32 direction)
{
	return direction == PCIEM_DMA_READ ? pciem_copy_out(user, p, length) :
					     pciem_copy_in(p, user, length);
}

/*
 * Transfer the start of [@iova, @iova + @length), which lies in one mapping all
 * the same, and return how much that was, or an error.
 *
 * The mapping is locked meanwhile, so that the driver's unmap waits. Hence user
 * memory that is not present is fetched in between, and then it starts again.
 */
static ssize_t transfer_some(struct pciem_func *func, u64 iova, void __user *user, size_t length,
			     u32 direction)
{
	const size_t n = min_t(size_t, length, CHUNK - (iova & (CHUNK - 1)));
	struct pciem_dma_slot *slot;
	unsigned long flags;
	u32 reason;
	void *p;
	int ret;

	slot = pciem_dma_begin(func->dma, iova, length, direction, &flags, &reason);
	if (!slot) {
		const size_t part = min_t(size_t, length, PAGE_SIZE - offset_in_page(iova));

		p = physical(func, iova);
		if (IS_ERR(p) || reason == PCIEM_DMA_FAULT_DIRECTION)
			return refuse(func, iova, length, direction, reason);
		return copy(p, user, part, direction) ?: part;
	}
	if (slot->kind == PCIEM_DMA_KIND_RESOURCE) {
		u64 phys = slot->phys + (iova - slot->iova);

		/* Not the driver's memory: nothing that must not be written once it is unmapped */
		pciem_dma_end(slot, flags);
		ret = pciem_peer_copy(func->dev, phys, user, n, direction);
		return ret == -EACCES ? refuse(func, phys, n, direction, PCIEM_DMA_FAULT_PEER) :
					ret ?: n;
	}
	pagefault_disable();
	ret = copy(slot->cpu + (iova - slot->iova), user, n, direction);
	pagefault_enable();
	pciem_dma_end(slot, flags);
	if (likely(!ret))
		return n;
	if (direction == PCIEM_DMA_READ ? fault_in_safe_writeable(user, n) : fault_in_readable(user, n))
		return -EFAULT;
	return 0;
}

static int transfer_all(struct pciem_func *func, u64 iova, void __user *user, size_t length,
			u32 direction)
{
	if (!length)
		return 0;
	if (iova + length - 1 < iova)
		return refuse(func, iova, length, direction, PCIEM_DMA_FAULT_OUTSIDE);
	if (!access_ok(user, length))
		return -EFAULT;

	for (;;) {
		ssize_t n = transfer_some(func, iova, user, length, direction);

		if (n < 0)
			return n;
		iova += n;
		user += n;
		length -= n;
		if (!length)
			return 0;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
}

static int transfer(struct pciem_func *func, u64 iova, void __user *user, size_t length,
		    u32 direction)
{
	int ret = transfer_all(func, iova, user, length, direction);

	trace_pciem_dma(func, iova, length, direction, ret);
	return ret;
}

static bool direction_valid(u32 flags)
{
	return flags == PCIEM_DMA_READ || flags == PCIEM_DMA_WRITE;
}

/* Of the calls that old programs make, to which all that is not writing is reading. */
u32 pciem_dma_direction(struct pciem_device *dev, u32 flags)
{
	if (pciem_lenient(dev))
		return flags & PCIEM_DMA_WRITE ?: PCIEM_DMA_READ;
	return flags ?: PCIEM_DMA_READ;
}

int pciem_dma(struct pciem_device *dev, const struct pciem_dma_op *arg)
{
	const u32 direction = pciem_dma_direction(dev, arg->flags);
	struct pciem_func *func;

	if (!direction_valid(direction))
		return -EINVAL;
	func = pciem_func_running(dev, arg->func);
	if (IS_ERR(func))
		return PTR_ERR(func);
	if (!pciem_bus_master(func))
		return refuse(func, arg->iova, arg->length, direction, PCIEM_DMA_FAULT_BUS_MASTER);
	return transfer(func, arg->iova, u64_to_user_ptr(arg->user_addr), arg->length, direction);
}

/* An aligned 8-byte entry of a list. */
static int read_entry(struct pciem_func *func, u64 iova, u64 *entry)
{
	struct pciem_dma_slot *slot;
	unsigned long flags;
	u32 reason;
	u64 *p;

	slot = pciem_dma_begin(func->dma, iova, 8, PCIEM_DMA_READ, &flags, &reason);
	if (slot && slot->cpu) {
		*entry = READ_ONCE(*(u64 *)(slot->cpu + (iova - slot->iova)));
		pciem_dma_end(slot, flags);
		return 0;
	}
	if (slot) {
		/* Nobody keeps a list in the memory of another device. */
		pciem_dma_end(slot, flags);
		return refuse(func, iova, 8, PCIEM_DMA_READ, PCIEM_DMA_FAULT_PEER);
	}
	p = physical(func, iova);
	if (IS_ERR(p) || reason == PCIEM_DMA_FAULT_DIRECTION)
		return refuse(func, iova, 8, PCIEM_DMA_READ, reason);
	*entry = READ_ONCE(*p);
	return 0;
}

int pciem_dma_indirect(struct pciem_device *dev, const struct pciem_dma_indirect *arg)
{
	const u32 direction = pciem_dma_direction(dev, arg->flags);
	const u64 size = arg->page_size;
	void __user *user = u64_to_user_ptr(arg->user_addr);
	u64 page, list = 0, left = arg->length;
	unsigned int hops;
	struct pciem_func *func;
	size_t n;
	int ret;

	if (!left && pciem_lenient(dev))
		return 0;
	if (!direction_valid(direction) || size < 4096 || !is_power_of_2(size))
		return -EINVAL;
	func = pciem_func_running(dev, arg->func);
	if (IS_ERR(func))
		return PTR_ERR(func);
	if (!pciem_bus_master(func))
		return refuse(func, arg->prp1, arg->length, direction, PCIEM_DMA_FAULT_BUS_MASTER);

	n = min(left, size - (arg->prp1 & (size - 1)));
	ret = transfer(func, arg->prp1, user, n, direction);
	if (ret)
		return ret;
	user += n;
	left -= n;
	if (!left)
		return 0;

	page = arg->prp2;
	if (left > size) {
		list = arg->prp2;
		if (!IS_ALIGNED(list, 8))
			return -EINVAL;
	}
	/* A list can point to itself; an honest one hops once in a page of entries. */
	hops = left / size / (size / 8 - 1) + 2;
	while (left) {
		if (list) {
			bool last = !((list + 8) & (size - 1));

			ret = read_entry(func, list, &page);
			if (ret)
				return ret;
			if (last && left > size) {
				if (!hops-- || !IS_ALIGNED(page, 8))
					return -EINVAL;
				list = page;
				continue;
			}
			list += 8;
		}
		if (page & (size - 1))
			return -EINVAL;
		n = min(left, size);
		ret = transfer(func, page, user, n, direction);
		if (ret)
			return ret;
		user += n;
		left -= n;
		cond_resched();
	}
	return 0;
}

static u64 atomic_apply(atomic64_t *p, const struct pciem_dma_atomic *arg)
{
	switch (arg->op_type) {
	case PCIEM_ATOMIC_ADD:
		return atomic64_fetch_add(arg->operand, p);
	case PCIEM_ATOMIC_SUB:
		return atomic64_fetch_sub(arg->operand, p);
	case PCIEM_ATOMIC_SWAP:
		return atomic64_xchg(p, arg->operand);
	case PCIEM_ATOMIC_CAS:
		return atomic64_cmpxchg(p, arg->compare, arg->operand);
	case PCIEM_ATOMIC_AND:
		return atomic64_fetch_and(arg->operand, p);
	case PCIEM_ATOMIC_OR:
		return atomic64_fetch_or(arg->operand, p);
	default:
		return atomic64_fetch_xor(arg->operand, p);
	}
}

int pciem_dma_atomic(struct pciem_device *dev, struct pciem_dma_atomic *arg)
{
	const u32 both = PCIEM_DMA_READ | PCIEM_DMA_WRITE;
	struct pciem_dma_slot *slot;
	struct pciem_func *func;
	unsigned long flags;
	u32 reason;
	void *p;

	if (arg->op_type < PCIEM_ATOMIC_ADD || arg->op_type > PCIEM_ATOMIC_XOR)
		return -EINVAL;
	if (!IS_ALIGNED(arg->iova, 8))
		return -EINVAL;
	func = pciem_func_running(dev, arg->func);
	if (IS_ERR(func))
		return PTR_ERR(func);
	if (!pciem_bus_master(func))
		return refuse(func, arg->iova, 8, both, PCIEM_DMA_FAULT_BUS_MASTER);

	slot = pciem_dma_begin(func->dma, arg->iova, 8, both, &flags, &reason);
	if (slot && slot->cpu) {
		arg->result = atomic_apply(slot->cpu + (arg->iova - slot->iova), arg);
		pciem_dma_end(slot, flags);
		return 0;
	}
	if (slot) {
		/* Other devices' memory takes no atomics. */
		pciem_dma_end(slot, flags);
		return refuse(func, arg->iova, 8, both, PCIEM_DMA_FAULT_PEER);
	}
	p = physical(func, arg->iova);
	if (IS_ERR(p) || reason == PCIEM_DMA_FAULT_DIRECTION)
		return refuse(func, arg->iova, 8, both, reason);
	arg->result = atomic_apply(p, arg);
	return 0;
}

static int batch_step(struct pciem_func *func, const struct pciem_dma_segment *seg)
{
	u32 direction = seg->flags & (PCIEM_DMA_READ | PCIEM_DMA_WRITE);
	int ret;

	if (seg->flags & ~(PCIEM_DMA_READ | PCIEM_DMA_WRITE | PCIEM_DMA_IRQ))
		return -EINVAL;
	if (direction) {
		if (!direction_valid(direction))
			return -EINVAL;
		if (!pciem_bus_master(func))
			return refuse(func, seg->iova, seg->length, direction,
				      PCIEM_DMA_FAULT_BUS_MASTER);
		ret = transfer(func, seg->iova, u64_to_user_ptr(seg->user_addr), seg->length,
			       direction);
		if (ret)
			return ret;
	} else if (seg->length || !(seg->flags & PCIEM_DMA_IRQ)) {
		return -EINVAL;
	}
	if (!(seg->flags & PCIEM_DMA_IRQ))
		return 0;
	if (smp_load_acquire(&func->dev->state) != PCIEM_STARTED)
		return -ENODEV;
	return pciem_irq_raise(func, seg->vector);
}

/*
 * A step that fails ends the batch and is reported in it. When the transfer of
 * a step was carried out and its interrupt failed, the step counts as failed.
 */
int pciem_dma_batch(struct pciem_device *dev, struct pciem_dma_batch *arg)
{
	const struct pciem_dma_segment __user *user = u64_to_user_ptr(arg->segments);
	struct pciem_dma_segment segs[BATCH_CHUNK];
	struct pciem_func *func;
	int ret;

	if (!arg->count || arg->count > PCIEM_DMA_BATCH_MAX)
		return -EINVAL;
	if (memchr_inv(arg->reserved, 0, sizeof(arg->reserved)))
		return -EINVAL;
	func = pciem_func_running(dev, arg->func);
	if (IS_ERR(func))
		return PTR_ERR(func);

	arg->done = 0;
	arg->error = 0;
	while (arg->done < arg->count) {
		unsigned int n = min_t(unsigned int, arg->count - arg->done, BATCH_CHUNK);

		ret = pciem_copy_in(segs, user + arg->done, n * sizeof(*segs));
		if (ret) {
			arg->error = -ret;
			return 0;
		}
		for (unsigned int i = 0; i < n; i++) {
			ret = batch_step(func, &segs[i]);
			if (ret) {
				arg->error = -ret;
				return 0;
			}
			arg->done++;
		}
		cond_resched();
	}
	return 0;
}

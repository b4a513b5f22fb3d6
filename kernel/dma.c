// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA: what the device does to host memory.
 *
 * The devices have no IOMMU, so bus addresses are physical ones. translate()
 * is the one place that decides what they may reach.
 *
 * Errors: ENODEV before REGISTER, EACCES while the driver has bus mastering
 * off, EADDRNOTAVAIL for an address that is not memory, EFAULT for the user
 * buffer, EINVAL for the arguments.
 *
 * Context: process, no lock held.
 */
#include <linux/mm.h>
#include <linux/memory_hotplug.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include <asm/asm.h>

#include "pciem.h"

/* Segments of a batch that are fetched at a time; kernels clear what is on the stack */
#define BATCH_CHUNK	8

/*
 * Copies in words: the string instructions that copy_to_user() uses take a
 * step a byte where a CPU is emulated, and gain nothing elsewhere at these sizes.
 * 0 or -EFAULT.
 */
#define MOVE_OUT(at) "movq " #at "(%0), %%rax\n1: movq %%rax, " #at "(%1)\n" \
	_ASM_EXTABLE_UA(1b, %l[fault])
#define MOVE_IN(at) "1: movq " #at "(%0), %%rax\n" _ASM_EXTABLE_UA(1b, %l[fault]) \
	"movq %%rax, " #at "(%1)\n"

int pciem_copy_out(void __user *to, const void *from, size_t length)
{
	const size_t words = length & ~7UL;
	size_t at = 0;

	if (words) {
		if (!user_write_access_begin(to, words))
			return -EFAULT;
		for (; at + 64 <= words; at += 64)
			asm goto(MOVE_OUT(0) MOVE_OUT(8) MOVE_OUT(16) MOVE_OUT(24)
				 MOVE_OUT(32) MOVE_OUT(40) MOVE_OUT(48) MOVE_OUT(56)
				 : : "r" (from + at), "r" (to + at) : "rax", "memory" : fault);
		for (; at < words; at += 8)
			asm goto(MOVE_OUT(0)
				 : : "r" (from + at), "r" (to + at) : "rax", "memory" : fault);
		user_write_access_end();
	}
	return at < length && copy_to_user(to + at, from + at, length - at) ? -EFAULT : 0;
fault:
	user_write_access_end();
	return -EFAULT;
}

int pciem_copy_in(void *to, const void __user *from, size_t length)
{
	const size_t words = length & ~7UL;
	size_t at = 0;

	if (words) {
		if (!user_read_access_begin(from, words))
			return -EFAULT;
		for (; at + 64 <= words; at += 64)
			asm goto(MOVE_IN(0) MOVE_IN(8) MOVE_IN(16) MOVE_IN(24)
				 MOVE_IN(32) MOVE_IN(40) MOVE_IN(48) MOVE_IN(56)
				 : : "r" (from + at), "r" (to + at) : "rax", "memory" : fault);
		for (; at < words; at += 8)
			asm goto(MOVE_IN(0)
				 : : "r" (from + at), "r" (to + at) : "rax", "memory" : fault);
		user_read_access_end();
	}
	return at < length && copy_from_user(to + at, from + at, length - at) ? -EFAULT : 0;
fault:
	user_read_access_end();
	return -EFAULT;
}

/**
 * translate() - where a bus address lies in the kernel
 * @func: function that makes the access
 * @iova: bus address; [@iova, @iova + @length) does not cross a page
 * @length: bytes
 * @direction: PCIEM_DMA_READ or PCIEM_DMA_WRITE
 *
 * Return: the memory, or an error pointer.
 */
static void *translate(struct pciem_func *func, u64 iova, size_t length, u32 direction)
{
	unsigned long pfn = PHYS_PFN(iova);

	/* Reserved pages are the kernel's image, firmware's memory and the like. */
	if (!pfn_valid(pfn) || !pfn_to_online_page(pfn) || PageReserved(pfn_to_page(pfn)))
		return ERR_PTR(-EADDRNOTAVAIL);
	return page_address(pfn_to_page(pfn)) + offset_in_page(iova);
}

static int transfer(struct pciem_func *func, u64 iova, void __user *user, size_t length,
		    u32 direction)
{
	if (length && iova + length - 1 < iova)
		return -EADDRNOTAVAIL;

	while (length) {
		size_t n = min_t(size_t, length, PAGE_SIZE - offset_in_page(iova));
		void *p = translate(func, iova, n, direction);
		int ret;

		if (IS_ERR(p))
			return PTR_ERR(p);
		if (direction == PCIEM_DMA_READ)
			ret = pciem_copy_out(user, p, n);
		else
			ret = pciem_copy_in(p, user, n);
		if (ret)
			return ret;
		iova += n;
		user += n;
		length -= n;
		if (length) {
			if (fatal_signal_pending(current))
				return -EINTR;
			cond_resched();
		}
	}
	return 0;
}

/* The function, if it may start transactions. */
static struct pciem_func *dma_func(struct pciem_device *dev, unsigned int nr)
{
	struct pciem_func *func = pciem_func_running(dev, nr);

	if (!IS_ERR(func) && !pciem_bus_master(func))
		return ERR_PTR(-EACCES);
	return func;
}

static bool direction_valid(u32 flags)
{
	return flags == PCIEM_DMA_READ || flags == PCIEM_DMA_WRITE;
}

int pciem_dma(struct pciem_device *dev, const struct pciem_dma_op *arg)
{
	struct pciem_func *func;

	if (!direction_valid(arg->flags))
		return -EINVAL;
	func = dma_func(dev, arg->func);
	if (IS_ERR(func))
		return PTR_ERR(func);
	return transfer(func, arg->iova, u64_to_user_ptr(arg->user_addr), arg->length, arg->flags);
}

static int read_entry(struct pciem_func *func, u64 iova, u64 *entry)
{
	u64 *p = translate(func, iova, sizeof(*entry), PCIEM_DMA_READ);

	if (IS_ERR(p))
		return PTR_ERR(p);
	*entry = READ_ONCE(*p);
	return 0;
}

int pciem_dma_indirect(struct pciem_device *dev, const struct pciem_dma_indirect *arg)
{
	const u64 size = arg->page_size;
	void __user *user = u64_to_user_ptr(arg->user_addr);
	u64 page, list = 0, left = arg->length;
	unsigned int hops;
	struct pciem_func *func;
	size_t n;
	int ret;

	if (!direction_valid(arg->flags) || size < 4096 || !is_power_of_2(size))
		return -EINVAL;
	func = dma_func(dev, arg->func);
	if (IS_ERR(func))
		return PTR_ERR(func);

	n = min(left, size - (arg->prp1 & (size - 1)));
	ret = transfer(func, arg->prp1, user, n, arg->flags);
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
		ret = transfer(func, page, user, n, arg->flags);
		if (ret)
			return ret;
		user += n;
		left -= n;
		cond_resched();
	}
	return 0;
}

int pciem_dma_atomic(struct pciem_device *dev, struct pciem_dma_atomic *arg)
{
	struct pciem_func *func;
	atomic64_t *p;

	if (arg->op_type < PCIEM_ATOMIC_ADD || arg->op_type > PCIEM_ATOMIC_XOR)
		return -EINVAL;
	if (!IS_ALIGNED(arg->iova, 8))
		return -EINVAL;
	func = dma_func(dev, arg->func);
	if (IS_ERR(func))
		return PTR_ERR(func);
	p = translate(func, arg->iova, 8, PCIEM_DMA_READ | PCIEM_DMA_WRITE);
	if (IS_ERR(p))
		return PTR_ERR(p);

	switch (arg->op_type) {
	case PCIEM_ATOMIC_ADD:
		arg->result = atomic64_fetch_add(arg->operand, p);
		break;
	case PCIEM_ATOMIC_SUB:
		arg->result = atomic64_fetch_sub(arg->operand, p);
		break;
	case PCIEM_ATOMIC_SWAP:
		arg->result = atomic64_xchg(p, arg->operand);
		break;
	case PCIEM_ATOMIC_CAS:
		arg->result = atomic64_cmpxchg(p, arg->compare, arg->operand);
		break;
	case PCIEM_ATOMIC_AND:
		arg->result = atomic64_fetch_and(arg->operand, p);
		break;
	case PCIEM_ATOMIC_OR:
		arg->result = atomic64_fetch_or(arg->operand, p);
		break;
	case PCIEM_ATOMIC_XOR:
		arg->result = atomic64_fetch_xor(arg->operand, p);
		break;
	}
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
			return -EACCES;
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

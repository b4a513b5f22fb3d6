// SPDX-License-Identifier: GPL-2.0-only
/*
 * BARs: validation, the pages behind them, and their mapping into userspace.
 *
 * A BAR is address space that nobody owns (bridge.c takes it) with ordinary
 * pages behind it. The pages are reference counted: a user mapping that
 * outlives the device keeps its pages, not the device. A BAR of more than
 * BAR_EAGER_SIZE gets a page when it is first touched, by whomever.
 *
 * Context: process, device->lock held where the device is changed;
 * pciem_bar_load() and pciem_bar_store() anywhere.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "pciem.h"

#define BAR_EAGER_SIZE	SZ_1M

static bool bar_slot_taken(struct pciem_func *func, unsigned int index)
{
	if (func->bars[index].size)
		return true;
	/* the high half of the 64-bit BAR below */
	return index && func->bars[index - 1].size &&
	       (func->bars[index - 1].flags & PCIEM_BAR_MEM64);
}

/* The page of a BAR, which it gets now if nobody touched it before; NULL without memory. */
struct page *pciem_bar_page(struct pciem_bar *bar, unsigned long index, gfp_t gfp)
{
	struct page *page = READ_ONCE(bar->touched[index]), *other;

	if (likely(page))
		return page;
	page = alloc_page(gfp | __GFP_ZERO | __GFP_NOWARN);
	if (!page)
		return NULL;
	other = cmpxchg(&bar->touched[index], NULL, page);
	if (!other)
		return page;
	__free_page(page);
	return other;
}

/* Give memory to a part of a BAR. */
int pciem_bar_populate(struct pciem_bar *bar, u64 offset, u64 length)
{
	const gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL;
	unsigned long end = DIV_ROUND_UP_ULL(offset + length, PAGE_SIZE);

	for (unsigned long i = offset >> PAGE_SHIFT; i < end; i++) {
		if (!pciem_bar_page(bar, i, gfp))
			return -ENOMEM;
		if (!(i % 256))
			cond_resched();
	}
	return 0;
}

static int bar_alloc(struct pciem_bar *bar, u64 size)
{
	bar->npages = DIV_ROUND_UP_ULL(size, PAGE_SIZE);
	bar->touched = kvcalloc(bar->npages, sizeof(*bar->touched), GFP_KERNEL_ACCOUNT);
	if (!bar->touched)
		return -ENOMEM;
	return size > BAR_EAGER_SIZE ? 0 : pciem_bar_populate(bar, 0, size);
}

void pciem_bar_free(struct pciem_bar *bar)
{
	if (!bar->touched)
		return;
	for (unsigned long i = 0; i < bar->npages; i++) {
		if (bar->touched[i])
			__free_page(bar->touched[i]);
		if (!(i % 256))
			cond_resched();
	}
	kvfree(bar->touched);
	bar->touched = NULL;
	bar->size = 0;
}

/* Back to there being none; device->lock is held. */
static void bar_take_back(struct pciem_bar *bar)
{
	unsigned int at = pciem_bar_register(bar);

	if (!bar->size)
		return;
	pciem_config_define(bar->func, at, 4, 0, 0, 0);
	if (bar->flags & PCIEM_BAR_MEM64)
		pciem_config_define(bar->func, at + 4, 4, 0, 0, 0);
	pciem_trace_free(bar);
	pciem_bar_free(bar);
}

int pciem_bar_add(struct pciem_device *dev, const struct pciem_bar_config *arg)
{
	const u32 known = PCIEM_BAR_IO | PCIEM_BAR_MEM64 | PCIEM_BAR_PREFETCH;
	u32 flags = pciem_lenient(dev) ? arg->flags & known : arg->flags;
	struct pciem_func *func;
	struct pciem_bar *bar;
	u32 mask;
	int ret;

	func = pciem_func_building(dev, arg->func);
	if (IS_ERR(func))
		return PTR_ERR(func);

	if (arg->bar_index >= PCIEM_MAX_BARS || flags & ~known)
		return -EINVAL;
	if (pciem_lenient(dev)) {
		/* The last call for a BAR is the one that counts, and may say that there is none. */
		if (!arg->size || is_power_of_2(arg->size))
			bar_take_back(&func->bars[arg->bar_index]);
		if (!arg->size)
			return 0;
	}
	/* Port space would have to be trapped in another way than memory is. */
	if (flags & PCIEM_BAR_IO)
		return -EOPNOTSUPP;
	/* 16 bytes is the smallest that a memory BAR can encode */
	if (arg->size < 16 || !is_power_of_2(arg->size))
		return -EINVAL;
	if (arg->size > PCIEM_BAR_MAX_SIZE)
		return -ENOMEM;
	if (bar_slot_taken(func, arg->bar_index))
		return -EBUSY;
	if (flags & PCIEM_BAR_MEM64) {
		if (arg->bar_index == PCIEM_MAX_BARS - 1)
			return -EINVAL;
		if (bar_slot_taken(func, arg->bar_index + 1))
			return -EBUSY;
	}

	bar = &func->bars[arg->bar_index];
	ret = bar_alloc(bar, arg->size);
	if (ret) {
		pciem_bar_free(bar);
		return ret;
	}
	bar->func = func;
	bar->index = arg->bar_index;
	bar->flags = flags;
	bar->size = arg->size;

	mask = ~(u32)(arg->size - 1);
	pciem_config_define(func, pciem_bar_register(bar), 4, flags, mask, 0);
	if (flags & PCIEM_BAR_MEM64)
		pciem_config_define(func, pciem_bar_register(bar) + 4, 4, 0, ~0U, 0);
	return 0;
}

int pciem_bar_info(struct pciem_device *dev, struct pciem_bar_info_query *arg)
{
	struct pciem_func *func = pciem_func(dev, arg->func);
	struct pciem_bar *bar;

	if (IS_ERR(func))
		return PTR_ERR(func);
	if (arg->bar_index >= PCIEM_MAX_BARS)
		return -EINVAL;
	bar = &func->bars[arg->bar_index];
	if (!bar->size)
		return -ENOENT;
	/* None before REGISTER */
	arg->phys = smp_load_acquire(&dev->state) == PCIEM_BUILDING ? 0 : pciem_bridge_bar_phys(bar);
	arg->size = bar->size;
	arg->flags = bar->flags;
	return 0;
}

/* PCIEM_IOC_SET_ROM; takes device->lock. */
int pciem_bar_set_rom(struct pciem_device *dev, const struct pciem_rom *arg)
{
	struct pciem_bar rom = { .index = PCIEM_ROM_BAR };
	struct pciem_func *func;
	int ret;

	if (memchr_inv(arg->reserved, 0, sizeof(arg->reserved)) || !is_power_of_2(arg->size) ||
	    arg->size < SZ_2K || arg->size > SZ_16M || !arg->length || arg->length > arg->size)
		return -EINVAL;
	ret = bar_alloc(&rom, arg->size);
	if (!ret)
		ret = pciem_bar_populate(&rom, 0, arg->length);
	for (u32 at = 0; !ret && at < arg->length; at += PAGE_SIZE) {
		ret = pciem_copy_in(pciem_bar_ptr(&rom, at), u64_to_user_ptr(arg->image + at),
				    min_t(u32, arg->length - at, PAGE_SIZE));
		cond_resched();
	}
	if (ret)
		goto out;

	mutex_lock(&dev->lock);
	func = pciem_func_building(dev, arg->func);
	if (IS_ERR(func)) {
		ret = PTR_ERR(func);
	} else if (func->bars[PCIEM_ROM_BAR].size) {
		ret = -EBUSY;
	} else {
		rom.size = arg->size;
		rom.func = func;
		func->bars[PCIEM_ROM_BAR] = rom;
		rom.touched = NULL;
		pciem_config_define(func, PCI_ROM_ADDRESS, 4, 0,
				    ~(arg->size - 1) | PCI_ROM_ADDRESS_ENABLE, 0);
	}
	mutex_unlock(&dev->lock);
out:
	pciem_bar_free(&rom);
	return ret;
}

/* Where @offset of a BAR is, with memory there; NULL when there is none to be had. */
void *pciem_bar_ptr(struct pciem_bar *bar, u64 offset)
{
	struct page *page = pciem_bar_page(bar, offset >> PAGE_SHIFT, GFP_ATOMIC);

	if (likely(page))
		return page_address(page) + offset_in_page(offset);
	pr_err_ratelimited("no memory for BAR %u of function %u\n", bar->index, bar->func->nr);
	return NULL;
}

/* The same for reading: NULL also where nothing was written yet. */
static const void *bar_look(struct pciem_bar *bar, u64 offset)
{
	struct page *page = READ_ONCE(bar->touched[offset >> PAGE_SHIFT]);

	return likely(page) ? page_address(page) + offset_in_page(offset) : NULL;
}

/*
 * The device's side of an access. Naturally aligned accesses are single; the
 * others may be torn, as they may be on a bus.
 */
u64 pciem_bar_load(struct pciem_bar *bar, u64 offset, unsigned int size)
{
	u64 value = 0;

	if (IS_ALIGNED(offset, size)) {
		const void *p = bar_look(bar, offset);

		if (!p)
			return 0;
		switch (size) {
		case 1: return READ_ONCE(*(u8 *)p);
		case 2: return READ_ONCE(*(u16 *)p);
		case 4: return READ_ONCE(*(u32 *)p);
		case 8: return READ_ONCE(*(u64 *)p);
		}
	}
	for (unsigned int i = 0; i < size; i++) {
		const u8 *p = bar_look(bar, offset + i);

		if (p)
			value |= (u64)READ_ONCE(*p) << (8 * i);
	}
	return value;
}

void pciem_bar_store(struct pciem_bar *bar, u64 offset, unsigned int size, u64 value)
{
	if (IS_ALIGNED(offset, size)) {
		void *p = pciem_bar_ptr(bar, offset);

		if (!p)
			return;
		switch (size) {
		case 1: WRITE_ONCE(*(u8 *)p, value); return;
		case 2: WRITE_ONCE(*(u16 *)p, value); return;
		case 4: WRITE_ONCE(*(u32 *)p, value); return;
		case 8: WRITE_ONCE(*(u64 *)p, value); return;
		}
	}
	for (unsigned int i = 0; i < size; i++) {
		u8 *p = pciem_bar_ptr(bar, offset + i);

		if (p)
			WRITE_ONCE(*p, value >> (8 * i));
	}
}

/*
 * The page offset of an instance mapping says which BAR; what follows it is
 * the page in the BAR. The VMA holds the file and the file holds the device.
 */
static vm_fault_t bar_vm_fault(struct vm_fault *vmf)
{
	struct pciem_bar *bar = vmf->vma->vm_private_data;
	pgoff_t index = vmf->pgoff - PCIEM_BAR_PGOFF(bar->func->nr, bar->index);
	struct page *page;

	if (index >= bar->npages)
		return VM_FAULT_SIGBUS;
	page = pciem_bar_page(bar, index, GFP_KERNEL_ACCOUNT);
	if (!page)
		return VM_FAULT_OOM;
	get_page(page);
	vmf->page = page;
	return 0;
}

static const struct vm_operations_struct bar_vm_ops = {
	.fault = bar_vm_fault,
};

int pciem_bar_mmap(struct pciem_device *dev, struct vm_area_struct *vma)
{
	unsigned int nr = vma->vm_pgoff >> 3, index = vma->vm_pgoff & 7;
	struct pciem_func *func;
	struct pciem_bar *bar;

	if (vma->vm_pgoff >= PCIEM_MAX_FUNCTIONS << 3 || index >= PCIEM_MAX_BARS)
		return -EINVAL;
	func = pciem_func(dev, nr);
	if (IS_ERR(func))
		return PTR_ERR(func);
	bar = &func->bars[index];
	if (!bar->size || vma_pages(vma) > bar->npages)
		return -EINVAL;

	/* Neither grown nor merged with the neighbour, which may be of another BAR */
#ifdef PCIEM_HAVE_VM_FLAGS_SET
	vm_flags_set(vma, VM_DONTEXPAND);
#else
	vma->vm_flags |= VM_DONTEXPAND;
#endif
	vma->vm_private_data = bar;
	vma->vm_ops = &bar_vm_ops;
	return 0;
}

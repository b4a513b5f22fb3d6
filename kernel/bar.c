// SPDX-License-Identifier: GPL-2.0-only
/*
 * BARs: validation, the pages behind them, and their mapping into userspace.
 *
 * A BAR is address space that nobody owns (bridge.c takes it) with ordinary
 * pages behind it. The pages are reference counted: a user mapping that
 * outlives the device keeps its pages, not the device.
 *
 * Context: process, device->lock held where the device is changed;
 * pciem_bar_load() and pciem_bar_store() anywhere.
 */
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "pciem.h"

static bool bar_slot_taken(struct pciem_func *func, unsigned int index)
{
	if (func->bars[index].size)
		return true;
	/* the high half of the 64-bit BAR below */
	return index && func->bars[index - 1].size &&
	       (func->bars[index - 1].flags & PCIEM_BAR_MEM64);
}

static int bar_alloc(struct pciem_bar *bar, u64 size)
{
	const gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN | __GFP_RETRY_MAYFAIL;

	bar->npages = DIV_ROUND_UP_ULL(size, PAGE_SIZE);
	bar->pages = kvcalloc(bar->npages, sizeof(*bar->pages), GFP_KERNEL_ACCOUNT);
	if (!bar->pages)
		return -ENOMEM;

	for (unsigned long i = 0; i < bar->npages; i++) {
		bar->pages[i] = alloc_page(gfp);
		if (!bar->pages[i])
			return -ENOMEM;
		if (!(i % 256))
			cond_resched();
	}
	return 0;
}

void pciem_bar_free(struct pciem_bar *bar)
{
	if (!bar->pages)
		return;
	for (unsigned long i = 0; i < bar->npages && bar->pages[i]; i++)
		__free_page(bar->pages[i]);
	kvfree(bar->pages);
	bar->pages = NULL;
	bar->size = 0;
}

int pciem_bar_add(struct pciem_device *dev, const struct pciem_bar_config *arg)
{
	const u32 known = PCIEM_BAR_IO | PCIEM_BAR_MEM64 | PCIEM_BAR_PREFETCH;
	struct pciem_func *func;
	struct pciem_bar *bar;
	u32 mask;
	int ret;

	func = pciem_func_building(dev, arg->func);
	if (IS_ERR(func))
		return PTR_ERR(func);

	if (arg->bar_index >= PCIEM_MAX_BARS || arg->flags & ~known)
		return -EINVAL;
	/* Port space would have to be trapped in another way than memory is. */
	if (arg->flags & PCIEM_BAR_IO)
		return -EOPNOTSUPP;
	/* 16 bytes is the smallest that a memory BAR can encode */
	if (arg->size < 16 || !is_power_of_2(arg->size))
		return -EINVAL;
	if (arg->size > PCIEM_BAR_MAX_SIZE)
		return -ENOMEM;
	if (bar_slot_taken(func, arg->bar_index))
		return -EBUSY;
	if (arg->flags & PCIEM_BAR_MEM64) {
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
	bar->flags = arg->flags;
	bar->size = arg->size;

	mask = ~(u32)(arg->size - 1);
	pciem_config_define(func, PCI_BASE_ADDRESS_0 + 4 * bar->index, 4, arg->flags, mask, 0);
	if (arg->flags & PCIEM_BAR_MEM64)
		pciem_config_define(func, PCI_BASE_ADDRESS_0 + 4 * bar->index + 4, 4, 0, ~0U, 0);
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

/*
 * The device's side of an access. Naturally aligned accesses are single; the
 * others may be torn, as they may be on a bus.
 */
u64 pciem_bar_load(struct pciem_bar *bar, u64 offset, unsigned int size)
{
	u64 value = 0;

	if (IS_ALIGNED(offset, size)) {
		void *p = pciem_bar_ptr(bar, offset);

		switch (size) {
		case 1: return READ_ONCE(*(u8 *)p);
		case 2: return READ_ONCE(*(u16 *)p);
		case 4: return READ_ONCE(*(u32 *)p);
		case 8: return READ_ONCE(*(u64 *)p);
		}
	}
	for (unsigned int i = 0; i < size; i++)
		value |= (u64)READ_ONCE(*(u8 *)pciem_bar_ptr(bar, offset + i)) << (8 * i);
	return value;
}

void pciem_bar_store(struct pciem_bar *bar, u64 offset, unsigned int size, u64 value)
{
	if (IS_ALIGNED(offset, size)) {
		void *p = pciem_bar_ptr(bar, offset);

		switch (size) {
		case 1: WRITE_ONCE(*(u8 *)p, value); return;
		case 2: WRITE_ONCE(*(u16 *)p, value); return;
		case 4: WRITE_ONCE(*(u32 *)p, value); return;
		case 8: WRITE_ONCE(*(u64 *)p, value); return;
		}
	}
	for (unsigned int i = 0; i < size; i++)
		WRITE_ONCE(*(u8 *)pciem_bar_ptr(bar, offset + i), value >> (8 * i));
}

/*
 * The page offset of an instance mapping says which BAR; what follows it is
 * the page in the BAR. The VMA holds the file and the file holds the device.
 */
static vm_fault_t bar_vm_fault(struct vm_fault *vmf)
{
	struct pciem_bar *bar = vmf->vma->vm_private_data;
	pgoff_t page = vmf->pgoff - PCIEM_BAR_PGOFF(bar->func->nr, bar->index);

	if (page >= bar->npages)
		return VM_FAULT_SIGBUS;
	get_page(bar->pages[page]);
	vmf->page = bar->pages[page];
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
		return -EINVAL;
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

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver's side of DMA: the functions have DMA operations of their own.
 *
 * A driver gets bus addresses that mean nothing but its mapping: they are not
 * physical, begin below 4 GiB and go above only when that is full, so that no
 * mask needs a bounce buffer. Every mapping is known with address, size,
 * direction, kind and age. See dma.h for how they are kept.
 *
 * The operations may be called for as long as the pci_dev is there. On a bus of
 * ours that holds the device, also one that is gone. On another's bus, in
 * attach mode, the function is looked for under RCU: what drivers do after it
 * was taken from its slot finds none, and has no effect but on their memory.
 * There are no sync operations: the device is a CPU, so memory is coherent.
 *
 * Context: any but NMI for mapping and unmapping; no mutex is taken. Locks are
 * those of the allocator and the index, then space->lock, then slot->lock; no
 * two of them are held at once.
 */
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/vmalloc.h>

#include "dma.h"
#include "pciem.h"

#define IOVA_BITS	48	/* what processors decode, and exact in a double */
#define IOVA_32		PHYS_PFN(DMA_BIT_MASK(32))
/* Writes there are interrupts on a PC, not memory. */
#define MSI_FIRST	PHYS_PFN(0xfee00000)
#define MSI_LAST	PHYS_PFN(0xfeefffff)

#define MAP_GFP		(GFP_ATOMIC | __GFP_NOWARN)
/* Above this a coherent buffer need not be contiguous for the CPU */
#define CONTIGUOUS_MAX	SZ_64K
/* Mappings that are listed with one look at the index */
#define LIST_CHUNK	16

/* Slots */

/* Idle slots that are kept out of use, so that a mapping undone is recognised. */
static unsigned int idle_kept(unsigned int order)
{
	return max(512U >> order, 4U);
}

/* Put a slot in the index, or NULL in its place. */
static int slot_index(struct pciem_dma_space *space, struct pciem_dma_slot *slot, void *entry)
{
	XA_STATE_ORDER(xas, &space->slots, PHYS_PFN(slot->base), slot->order);
	unsigned long flags;

	do {
		xas_lock_irqsave(&xas, flags);
		xas_store(&xas, entry);
		xas_unlock_irqrestore(&xas, flags);
	} while (xas_nomem(&xas, MAP_GFP));
	return xas_error(&xas);
}

static struct pciem_dma_slot *slot_create(struct pciem_dma_space *space, unsigned int order,
					  unsigned long limit_pfn)
{
	const unsigned long pages = (1UL << order) + 1;	/* and one that is nobody's */
	struct pciem_dma_slot *slot;
	struct iova *iova;

	slot = kzalloc(sizeof(*slot), MAP_GFP);
	if (!slot)
		return NULL;
	iova = alloc_iova(&space->iovad, pages, min(limit_pfn, IOVA_32), true);
	if (!iova && limit_pfn > IOVA_32)
		iova = alloc_iova(&space->iovad, pages, limit_pfn, true);
	if (!iova)
		goto no_iova;
	raw_spin_lock_init(&slot->lock);
	slot->base = PFN_PHYS(iova->pfn_lo);
	slot->order = order;

	if (!slot_index(space, slot, slot))
		return slot;

	__free_iova(&space->iovad, iova);
no_iova:
	kfree(slot);
	return NULL;
}

static void slot_destroy(struct pciem_dma_space *space, struct pciem_dma_slot *slot)
{
	slot_index(space, slot, NULL);
	free_iova(&space->iovad, PHYS_PFN(slot->base));
	kfree_rcu(slot, rcu);
}

/* Bus addresses run out: give up what was only kept to recognise late accesses. */
static void idle_flush(struct pciem_dma_space *space)
{
	struct pciem_dma_slot *slot, *next;
	unsigned long flags;
	LIST_HEAD(list);

	raw_spin_lock_irqsave(&space->lock, flags);
	for (unsigned int order = 0; order < PCIEM_DMA_ORDERS; order++) {
		list_splice_tail_init(&space->idle[order].list, &list);
		space->idle[order].count = 0;
	}
	raw_spin_unlock_irqrestore(&space->lock, flags);
	list_for_each_entry_safe(slot, next, &list, idle)
		slot_destroy(space, slot);
}

static struct pciem_dma_slot *slot_get(struct pciem_dma_space *space, unsigned int order,
				       u64 limit)
{
	struct pciem_dma_slot *slot = NULL;
	unsigned long flags;

	raw_spin_lock_irqsave(&space->lock, flags);
	if (space->idle[order].count > idle_kept(order)) {
		slot = list_first_entry(&space->idle[order].list, struct pciem_dma_slot, idle);
		if (slot->base + (PAGE_SIZE << order) - 1 <= limit) {
			list_del(&slot->idle);
			space->idle[order].count--;
		} else {
			slot = NULL;
		}
	}
	raw_spin_unlock_irqrestore(&space->lock, flags);
	if (slot)
		return slot;

	slot = slot_create(space, order, PHYS_PFN(limit));
	if (slot)
		return slot;
	idle_flush(space);
	return slot_create(space, order, PHYS_PFN(limit));
}

static void slot_put(struct pciem_dma_space *space, struct pciem_dma_slot *slot)
{
	const unsigned int order = slot->order;
	struct pciem_dma_slot *oldest = NULL;
	unsigned long flags;

	raw_spin_lock_irqsave(&space->lock, flags);
	list_add_tail(&slot->idle, &space->idle[order].list);
	if (++space->idle[order].count > 8 * idle_kept(order)) {
		oldest = list_first_entry(&space->idle[order].list, struct pciem_dma_slot, idle);
		list_del(&oldest->idle);
		space->idle[order].count--;
	}
	raw_spin_unlock_irqrestore(&space->lock, flags);
	if (oldest)
		slot_destroy(space, oldest);
}

/*
 * The slot of a bus address, locked, or NULL. One that is removed from the
 * index in this moment is found without a mapping.
 */
static struct pciem_dma_slot *slot_lock(struct pciem_dma_space *space, u64 iova,
					unsigned long *flags)
{
	struct pciem_dma_slot *slot;

	rcu_read_lock();
	slot = xa_load(&space->slots, PHYS_PFN(iova));
	/* With interrupts off it outlives the rcu_read_unlock(). */
	if (slot) {
		raw_spin_lock_irqsave(&slot->lock, *flags);
		__release(&slot->lock);	/* see pciem_dma_end() */
	}
	rcu_read_unlock();
	return slot;
}

/* The first slot from a page of bus address on, which moves behind it. RCU is held. */
static struct pciem_dma_slot *slot_next(struct pciem_dma_space *space, unsigned long *pfn)
{
	struct pciem_dma_slot *slot = xa_find(&space->slots, pfn, ULONG_MAX, XA_PRESENT);

	if (slot)
		*pfn = PHYS_PFN(slot->base) + (1UL << slot->order);
	return slot;
}

/**
 * pciem_dma_begin() - the mapping that an access lies in
 * @space: of the function that makes the access
 * @iova: bus address
 * @length: bytes, not 0
 * @access: PCIEM_DMA_READ, PCIEM_DMA_WRITE or both
 * @flags: for pciem_dma_end()
 * @reason: PCIEM_DMA_FAULT_* when there is none
 *
 * Return: the slot, locked, with interrupts off; or NULL.
 */
struct pciem_dma_slot *pciem_dma_begin(struct pciem_dma_space *space, u64 iova, u64 length,
				       u32 access, unsigned long *flags, u32 *reason)
{
	struct pciem_dma_slot *slot = slot_lock(space, iova, flags);

	*reason = PCIEM_DMA_FAULT_OUTSIDE;
	if (!slot)
		return NULL;
	if (iova >= slot->iova && length <= slot->size && iova - slot->iova <= slot->size - length) {
		if (!slot->live)
			*reason = PCIEM_DMA_FAULT_UNMAPPED;
		else if (access & ~slot->access)
			*reason = PCIEM_DMA_FAULT_DIRECTION;
		else
			return slot;
	}
	pciem_dma_end(slot, *flags);
	return NULL;
}

/* Reports */

/* The mapping nearest to an access, or the one that was where it went. */
static void nearest_mapping(struct pciem_dma_space *space, u64 iova, u32 reason,
			    struct pciem_report *report)
{
	struct pciem_dma_slot *slot;
	u64 distance, best = ~0ULL;
	unsigned long flags, pfn = 0;

	if (reason == PCIEM_DMA_FAULT_UNMAPPED) {
		slot = slot_lock(space, iova, &flags);
		if (!slot)
			return;
		report->data = slot->iova;
		report->extra = slot->size;
		pciem_dma_end(slot, flags);
		return;
	}
	rcu_read_lock();
	while (best && (slot = slot_next(space, &pfn))) {
		raw_spin_lock_irqsave(&slot->lock, flags);
		if (slot->live) {
			if (iova < slot->iova)
				distance = slot->iova - iova;
			else if (iova - slot->iova < slot->size)
				distance = 0;
			else
				distance = iova - slot->iova - slot->size + 1;
			if (distance < best) {
				best = distance;
				report->data = slot->iova;
				report->extra = slot->size;
			}
		}
		raw_spin_unlock_irqrestore(&slot->lock, flags);
	}
	rcu_read_unlock();
}

/* Count and tell that an access was refused, or that a driver undid what is not there. */
void pciem_dma_fault(struct pciem_func *func, u64 iova, u64 length, u32 access, u32 reason,
		     bool may_sleep)
{
	struct pciem_report report = {
		.type = PCIEM_EVENT_DMA_FAULT, .func = func->nr,
		.offset = iova, .size = min_t(u64, length, U32_MAX),
		.flags = reason | (access & PCIEM_DMA_WRITE ? PCIEM_DMA_FAULT_WRITE : 0),
	};

	atomic64_inc(&func->dma->faults);
	if (!(READ_ONCE(func->dev->ring.mask) & PCIEM_EVENTS_DMA))
		return;
	nearest_mapping(func->dma, iova, reason, &report);
	pciem_ring_report(func->dev, PCIEM_EVENTS_DMA, &report, may_sleep);
}

/* A driver was unbound, and what its devres held is freed. */
void pciem_dma_unbound(struct pciem_func *func)
{
	struct pciem_dma_space *space = func->dma;
	u64 now = ktime_get_coarse_ns();
	struct pciem_dma_slot *slot;
	unsigned long flags, pfn = 0;

	for (;;) {
		struct pciem_report report = {
			.type = PCIEM_EVENT_DMA_LEAK, .func = func->nr,
		};
		bool leaked;

		rcu_read_lock();
		slot = slot_next(space, &pfn);
		if (!slot) {
			rcu_read_unlock();
			return;
		}
		raw_spin_lock_irqsave(&slot->lock, flags);
		leaked = slot->live && !slot->leaked;
		if (leaked) {
			slot->leaked = true;
			report.offset = slot->iova;
			report.size = min_t(u64, slot->size, U32_MAX);
			report.data = now - min(now, slot->created);
			report.extra = slot->size;
			report.flags = PCIEM_DMA_LEAK_FLAGS(slot->kind, slot->access);
		}
		raw_spin_unlock_irqrestore(&slot->lock, flags);
		rcu_read_unlock();
		if (leaked) {
			atomic64_inc(&space->leaks);
			pciem_ring_report(func->dev, PCIEM_EVENTS_DMA, &report, true);
		}
	}
}

/* Mapping and unmapping */

static u32 device_access(enum dma_data_direction dir)
{
	switch (dir) {
	case DMA_TO_DEVICE:
		return PCIEM_DMA_READ;
	case DMA_FROM_DEVICE:
		return PCIEM_DMA_WRITE;
	case DMA_BIDIRECTIONAL:
		return PCIEM_DMA_READ | PCIEM_DMA_WRITE;
	default:
		return 0;
	}
}

static struct pciem_func *device_func(struct device *dev)
{
	return pciem_bridge_func(to_pci_dev(dev));
}

static dma_addr_t map_in(struct pciem_dma_space *space, u64 limit, u8 kind, void *cpu,
			 phys_addr_t phys, size_t size, enum dma_data_direction dir)
{
	const unsigned int offset = cpu ? offset_in_page(cpu) : offset_in_page(phys);
	const unsigned int order = order_base_2(max(PFN_UP(offset + size), 1UL));
	struct pciem_dma_slot *slot;
	unsigned long flags;
	dma_addr_t iova;

	if (size > SZ_4G || order >= PCIEM_DMA_ORDERS)
		return DMA_MAPPING_ERROR;
	slot = slot_get(space, order, limit);
	if (!slot)
		return DMA_MAPPING_ERROR;

	raw_spin_lock_irqsave(&slot->lock, flags);
	iova = slot->base + offset;
	slot->iova = iova;
	slot->size = size;
	slot->kind = kind;
	slot->access = device_access(dir);
	slot->cpu = cpu;
	slot->phys = phys;
	slot->created = ktime_get_coarse_ns();
	slot->leaked = false;
	slot->live = true;
	raw_spin_unlock_irqrestore(&slot->lock, flags);
	return iova;
}

static dma_addr_t map(struct device *dev, u64 mask, u8 kind, void *cpu, phys_addr_t phys,
		      size_t size, enum dma_data_direction dir)
{
	dma_addr_t iova = DMA_MAPPING_ERROR;
	struct pciem_func *func;

	mask = min_t(u64, min_not_zero(mask, dev->bus_dma_limit), DMA_BIT_MASK(IOVA_BITS));
	rcu_read_lock();
	func = device_func(dev);
	if (func)
		iova = map_in(func->dma, mask, kind, cpu, phys, size, dir);
	rcu_read_unlock();
	return iova;
}

/*
 * Undo a mapping, once no access to it is in flight. What the driver says of it
 * wrongly is reported. The size that was mapped, or -1 when there is no such mapping.
 */
static s64 unmap_in(struct pciem_func *func, dma_addr_t iova, size_t size,
		    enum dma_data_direction dir, u32 kinds)
{
	struct pciem_dma_space *space = func->dma;
	bool found = false, exact = false;
	struct pciem_dma_slot *slot;
	unsigned long flags;
	s64 mapped = -1;

	slot = slot_lock(space, iova, &flags);
	if (slot) {
		found = slot->live && slot->iova == iova && kinds & BIT(slot->kind);
		exact = found && slot->size == size && slot->access == device_access(dir);
		if (found) {
			slot->live = false;
			mapped = slot->size;
		}
		pciem_dma_end(slot, flags);
	}
	if (!exact)
		pciem_dma_fault(func, iova, size, 0, PCIEM_DMA_FAULT_BAD_UNMAP, false);
	if (found)
		slot_put(space, slot);
	return mapped;
}

static s64 unmap(struct device *dev, dma_addr_t iova, size_t size, enum dma_data_direction dir,
		 u32 kinds)
{
	struct pciem_func *func;
	s64 mapped = size;

	rcu_read_lock();
	func = device_func(dev);
	if (func)
		mapped = unmap_in(func, iova, size, dir, kinds);
	rcu_read_unlock();
	return mapped;
}

static dma_addr_t ops_map_page(struct device *dev, struct page *page, unsigned long offset,
			       size_t size, enum dma_data_direction dir, unsigned long attrs)
{
	return map(dev, *dev->dma_mask, PCIEM_DMA_KIND_STREAMING, page_address(page) + offset, 0,
		   size, dir);
}

#define STREAMING_KINDS	(BIT(PCIEM_DMA_KIND_STREAMING) | BIT(PCIEM_DMA_KIND_SG))

static void ops_unmap_page(struct device *dev, dma_addr_t iova, size_t size,
			   enum dma_data_direction dir, unsigned long attrs)
{
	unmap(dev, iova, size, dir, STREAMING_KINDS);
}

static void ops_unmap_sg(struct device *dev, struct scatterlist *sgl, int nents,
			 enum dma_data_direction dir, unsigned long attrs)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i)
		unmap(dev, sg_dma_address(sg), sg_dma_len(sg), dir, STREAMING_KINDS);
}

static int ops_map_sg(struct device *dev, struct scatterlist *sgl, int nents,
		      enum dma_data_direction dir, unsigned long attrs)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i) {
		dma_addr_t iova = map(dev, *dev->dma_mask, PCIEM_DMA_KIND_SG, sg_virt(sg), 0,
				      sg->length, dir);

		if (iova == DMA_MAPPING_ERROR) {
			ops_unmap_sg(dev, sgl, i, dir, attrs);
			return -ENOMEM;
		}
		sg_dma_address(sg) = iova;
		sg_dma_len(sg) = sg->length;
	}
	return nents;
}

/* Memory of another device; see p2p.c for what of it can be reached. */
static dma_addr_t ops_map_resource(struct device *dev, phys_addr_t phys, size_t size,
				   enum dma_data_direction dir, unsigned long attrs)
{
	return map(dev, *dev->dma_mask, PCIEM_DMA_KIND_RESOURCE, NULL, phys, size, dir);
}

static void ops_unmap_resource(struct device *dev, dma_addr_t iova, size_t size,
			       enum dma_data_direction dir, unsigned long attrs)
{
	unmap(dev, iova, size, dir, BIT(PCIEM_DMA_KIND_RESOURCE));
}

static void memory_free(void *cpu, size_t size)
{
	if (is_vmalloc_addr(cpu))
		vfree(cpu);
	else
		free_pages_exact(cpu, size);
}

static void *ops_alloc(struct device *dev, size_t size, dma_addr_t *iova, gfp_t gfp,
		       unsigned long attrs)
{
	void *cpu = NULL;

	if (size <= CONTIGUOUS_MAX || !gfpflags_allow_blocking(gfp))
		cpu = alloc_pages_exact(size, (gfp & ~__GFP_COMP) | __GFP_ZERO | __GFP_NOWARN);
	if (!cpu && gfpflags_allow_blocking(gfp))
		cpu = vmalloc_user(size);
	if (!cpu)
		return NULL;
	*iova = map(dev, dev->coherent_dma_mask, PCIEM_DMA_KIND_COHERENT, cpu, 0, size,
		    DMA_BIDIRECTIONAL);
	if (*iova != DMA_MAPPING_ERROR)
		return cpu;
	memory_free(cpu, size);
	return NULL;
}

static void ops_free(struct device *dev, size_t size, void *cpu, dma_addr_t iova,
		     unsigned long attrs)
{
	s64 mapped = unmap(dev, iova, size, DMA_BIDIRECTIONAL, BIT(PCIEM_DMA_KIND_COHERENT));

	/* Memory that was never given out is better lost than freed. */
	if (mapped >= 0)
		memory_free(cpu, mapped);
}

static struct page *ops_alloc_pages(struct device *dev, size_t size, dma_addr_t *iova,
				    enum dma_data_direction dir, gfp_t gfp)
{
	void *cpu = alloc_pages_exact(size, (gfp & ~__GFP_COMP) | __GFP_ZERO | __GFP_NOWARN);

	if (!cpu)
		return NULL;
	*iova = map(dev, dev->coherent_dma_mask, PCIEM_DMA_KIND_PAGES, cpu, 0, size, dir);
	if (*iova != DMA_MAPPING_ERROR)
		return virt_to_page(cpu);
	memory_free(cpu, size);
	return NULL;
}

static void ops_free_pages(struct device *dev, size_t size, struct page *page, dma_addr_t iova,
			   enum dma_data_direction dir)
{
	s64 mapped = unmap(dev, iova, size, dir, BIT(PCIEM_DMA_KIND_PAGES));

	if (mapped >= 0)
		memory_free(page_address(page), mapped);
}

static struct page *memory_page(void *cpu, unsigned long page)
{
	cpu += page << PAGE_SHIFT;
	return is_vmalloc_addr(cpu) ? vmalloc_to_page(cpu) : virt_to_page(cpu);
}

/* The mapping holds the pages, should the driver free them before it goes. */
static int ops_mmap(struct device *dev, struct vm_area_struct *vma, void *cpu, dma_addr_t iova,
		    size_t size, unsigned long attrs)
{
	const unsigned long pages = PFN_UP(size);

	if (vma->vm_pgoff >= pages || vma_pages(vma) > pages - vma->vm_pgoff)
		return -ENXIO;
	for (unsigned long i = 0; i < vma_pages(vma); i++) {
		int ret = vm_insert_page(vma, vma->vm_start + (i << PAGE_SHIFT),
					 memory_page(cpu, vma->vm_pgoff + i));

		if (ret)
			return ret;
	}
	return 0;
}

static int ops_get_sgtable(struct device *dev, struct sg_table *table, void *cpu, dma_addr_t iova,
			   size_t size, unsigned long attrs)
{
	struct scatterlist *sg;
	int i, ret;

	ret = sg_alloc_table(table, PFN_UP(size), GFP_KERNEL);
	if (ret)
		return ret;
	for_each_sgtable_sg(table, sg, i)
		sg_set_page(sg, memory_page(cpu, i),
			    min_t(size_t, size - ((size_t)i << PAGE_SHIFT), PAGE_SIZE), 0);
	return 0;
}

static const struct dma_map_ops pciem_dma_map_ops = {
	.alloc		= ops_alloc,
	.free		= ops_free,
#ifdef PCIEM_DMA_OPS_ALLOC_PAGES_OP
	.alloc_pages_op	= ops_alloc_pages,
#else
	.alloc_pages	= ops_alloc_pages,
#endif
	.free_pages	= ops_free_pages,
	.mmap		= ops_mmap,
	.get_sgtable	= ops_get_sgtable,
	.map_page	= ops_map_page,
	.unmap_page	= ops_unmap_page,
	.map_sg		= ops_map_sg,
	.unmap_sg	= ops_unmap_sg,
	.map_resource	= ops_map_resource,
	.unmap_resource	= ops_unmap_resource,
};

/* A function appeared on the bus; no driver is bound yet. */
void pciem_dma_attach(struct pci_dev *pdev)
{
	set_dma_ops(&pdev->dev, &pciem_dma_map_ops);
#if defined(PCIEM_HAVE_DMA_IOMMU) && IS_ENABLED(CONFIG_IOMMU_DMA)
	/* An IOMMU of the host's bus has claimed it, but never sees its accesses. */
	pdev->dev.dma_iommu = false;
#endif
}

/* For userspace */

/* Set before START, so that no driver maps while it changes; device->lock is held. */
int pciem_dma_set_policy(struct pciem_device *dev, const struct pciem_dma_policy *arg)
{
	struct pciem_func *func = pciem_func(dev, arg->func);

	if (memchr_inv(arg->reserved, 0, sizeof(arg->reserved)))
		return -EINVAL;
	if (IS_ERR(func))
		return PTR_ERR(func);
	if (arg->policy != PCIEM_DMA_POLICY_MAPPED && arg->policy != PCIEM_DMA_POLICY_PHYSICAL)
		return -EINVAL;
	if (dev->state == PCIEM_STARTED)
		return -EBUSY;
	if (arg->policy == PCIEM_DMA_POLICY_PHYSICAL && !capable(CAP_SYS_RAWIO))
		return -EPERM;
	WRITE_ONCE(func->dma->policy, arg->policy);
	return 0;
}

int pciem_dma_list(struct pciem_device *dev, struct pciem_dma_mappings *arg)
{
	struct pciem_dma_mapping __user *user = u64_to_user_ptr(arg->mappings);
	struct pciem_dma_mapping chunk[LIST_CHUNK];
	struct pciem_func *func = pciem_func(dev, arg->func);
	const u64 now = ktime_get_coarse_ns();
	unsigned long flags, pfn = 0;
	struct pciem_dma_space *space;
	struct pciem_dma_slot *slot = NULL;
	u32 room = arg->count;

	if (memchr_inv(arg->reserved, 0, sizeof(arg->reserved)))
		return -EINVAL;
	if (IS_ERR(func))
		return PTR_ERR(func);
	space = func->dma;
	arg->count = 0;
	arg->total = 0;
	arg->bytes = 0;
	arg->faults = atomic64_read(&space->faults);
	arg->leaks = atomic64_read(&space->leaks);
	do {
		unsigned int n = 0, looks = 0;

		rcu_read_lock();
		while (n < LIST_CHUNK && looks++ < 1024 && (slot = slot_next(space, &pfn))) {
			raw_spin_lock_irqsave(&slot->lock, flags);
			if (slot->live) {
				arg->total++;
				arg->bytes += slot->size;
				if (n < room && slot->iova >= arg->start)
					chunk[n++] = (struct pciem_dma_mapping){
						.iova = slot->iova,
						.size = slot->size,
						.age_ns = now - min(now, slot->created),
						.access = slot->access,
						.kind = slot->kind,
					};
			}
			raw_spin_unlock_irqrestore(&slot->lock, flags);
		}
		rcu_read_unlock();
		if (pciem_copy_out(user + arg->count, chunk, n * sizeof(chunk[0])))
			return -EFAULT;
		arg->count += n;
		room -= n;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	} while (slot);
	return 0;
}

/* Life */

struct pciem_dma_space *pciem_dma_space_create(void)
{
	struct pciem_dma_space *space = kzalloc(sizeof(*space), GFP_KERNEL_ACCOUNT);

	if (!space)
		return NULL;
	raw_spin_lock_init(&space->lock);
	for (unsigned int order = 0; order < PCIEM_DMA_ORDERS; order++)
		INIT_LIST_HEAD(&space->idle[order].list);
	xa_init_flags(&space->slots, XA_FLAGS_LOCK_IRQ);
	/* 0 is what a device reads where a driver forgot to write an address. */
	init_iova_domain(&space->iovad, PAGE_SIZE, 1);
	if (!reserve_iova(&space->iovad, MSI_FIRST, MSI_LAST)) {
		put_iova_domain(&space->iovad);
		kfree(space);
		return NULL;
	}
	return space;
}

/*
 * The device is freed, so nobody maps, unmaps or accesses. Coherent memory that
 * a driver never freed stays lost, as it does elsewhere: the driver may hold it.
 */
void pciem_dma_space_free(struct pciem_dma_space *space)
{
	struct pciem_dma_slot *slot;
	unsigned long pfn;

	if (!space)
		return;
	xa_for_each(&space->slots, pfn, slot)
		kfree_rcu(slot, rcu);
	xa_destroy(&space->slots);
	put_iova_domain(&space->iovad);
	kfree(space);
}

int pciem_dma_init(void)
{
	return iova_cache_get();
}

void pciem_dma_exit(void)
{
	iova_cache_put();
}

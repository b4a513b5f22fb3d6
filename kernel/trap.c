// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trapping of accesses to BARs: the arch-independent part.
 *
 * Three kernel functions are redirected with ftrace, as live patching does:
 *
 *   __ioremap_caller      A mapping of one of our BARs becomes a vmap() of the
 *                         pages behind it. Pages that are traced are then made
 *                         not present, or read-only if only writes are.
 *   iounmap               Undoes that.
 *   bad_area_nosemaphore  What a page fault without another handler comes to.
 *                         If the address is in one of our mappings the access
 *                         is carried out here.
 *
 * The ftrace callbacks only look whether the argument is ours, and redirect
 * then; the functions redirected to never call the original. So untraced
 * memory costs a driver nothing, and other mappings nothing but the look.
 *
 * A device that is gone has all its mappings made not present: reads give all
 * ones and writes vanish until the driver unmaps.
 *
 * Locking: trap_lock for writers; readers use RCU. A mapping is counted, as an
 * access may sleep. Redirected code is counted in hooks_active, so that unload
 * can wait for it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ftrace.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include <asm/pgtable.h>
#include <asm/tlbflush.h>

#include "pciem.h"

static DEFINE_MUTEX(trap_lock);
static LIST_HEAD(trap_devices);		/* pciem_device.trap_node */
static LIST_HEAD(trap_mappings);	/* pciem_mapping.node */
static atomic_t hooks_active = ATOMIC_INIT(0);
static struct workqueue_struct *trap_wq;

/* Mappings */

static struct pciem_mapping *mapping_find(unsigned long address)
{
	struct pciem_mapping *map;

	list_for_each_entry_rcu(map, &trap_mappings, node, lockdep_is_held(&trap_lock))
		if (address >= map->start && address < map->end)
			return map;
	return NULL;
}

struct pciem_mapping *pciem_mapping_get(unsigned long address)
{
	struct pciem_mapping *map;

	rcu_read_lock();
	map = mapping_find(address);
	if (map && !refcount_inc_not_zero(&map->ref))
		map = NULL;
	rcu_read_unlock();
	return map;
}

static void mapping_free(struct work_struct *work)
{
	struct pciem_mapping *map = container_of(work, struct pciem_mapping, free_work);

	pciem_device_put(map->dev);
	kfree_rcu(map, rcu);
}

void pciem_mapping_put(struct pciem_mapping *map)
{
	/* The last put can be in a fault with interrupts off; freeing a device sleeps. */
	if (refcount_dec_and_test(&map->ref))
		queue_work(trap_wq, &map->free_work);
}

/* Page tables of a mapping */

static void flush_tlb_here(void *unused)
{
	__flush_tlb_all();
}

static pgprot_t page_protection(struct pciem_mapping *map)
{
	u32 trace = READ_ONCE(map->bar->trace);

	if (pciem_gone(map->dev) || trace & PCIEM_TRACE_READS)
		return PAGE_NONE;
	if (trace & (PCIEM_TRACE_WRITES | PCIEM_TRACE_STOP_WRITES))
		return PAGE_KERNEL_RO;
	return PAGE_KERNEL;
}

static void set_page(struct pciem_mapping *map, unsigned long address, pgprot_t prot)
{
	unsigned long page = (map->offset + (address - map->start)) >> PAGE_SHIFT;
	unsigned int level;
	pte_t *pte = lookup_address(address, &level);

	/* vmap() of single pages makes small entries */
	if (WARN_ON_ONCE(!pte || level != PG_LEVEL_4K))
		return;
	if (pgprot_val(prot) == pgprot_val(PAGE_NONE))
		set_pte(pte, __pte(0));
	else
		set_pte(pte, pfn_pte(page_to_pfn(map->bar->pages[page]), prot));
}

/* trap_lock is held. Both it and the flush may sleep or wait for other CPUs. */
static void mapping_update(struct pciem_mapping *map)
{
	pgprot_t prot = page_protection(map);

	for (unsigned long a = map->start; a < map->end; a += PAGE_SIZE) {
		set_page(map, a, prot);
		if (IS_ALIGNED(a, SZ_16M))
			cond_resched();
	}
	on_each_cpu(flush_tlb_here, NULL, 1);
}

/* Let an access through that cannot be carried out for it, and trap again soon. */

static void rearm_work(struct work_struct *work)
{
	struct pciem_mapping *map = container_of(to_delayed_work(work), struct pciem_mapping, rearm);

	mutex_lock(&trap_lock);
	if (!map->unmapped)
		mapping_update(map);
	mutex_unlock(&trap_lock);
	pciem_mapping_put(map);
}

void pciem_trap_open_page(struct pciem_mapping *map, unsigned long address)
{
	pciem_ring_lose(map->dev);
	/* The page may be opened by two at once, with equal entries. */
	set_page(map, address & PAGE_MASK, PAGE_KERNEL);
	refcount_inc(&map->ref);
	if (!queue_delayed_work(trap_wq, &map->rearm, 1))
		pciem_mapping_put(map);
}

/* Accesses */

static u64 all_ones(unsigned int size)
{
	return size >= 8 ? ~0ULL : (1ULL << (8 * size)) - 1;
}

static void event_fill(struct pciem_event *event, struct pciem_bar *bar, u32 type, u64 offset,
		       unsigned int size, u64 value)
{
	event->type = type;
	event->bar = bar->index;
	event->offset = offset;
	event->size = size;
	event->cpu = bar->func->dev->ring.extended ?
		     raw_smp_processor_id() | bar->func->nr << 16 : 0;
	event->data = value;
}

/* Whether the whole access lies in the BAR; @offset is set in any case. */
static bool access_inside(struct pciem_mapping *map, unsigned long address, unsigned int size,
			  u64 *offset)
{
	*offset = map->offset + (address - map->start);
	return *offset + size <= (u64)map->bar->npages << PAGE_SHIFT;
}

u64 pciem_mmio_read(struct pciem_mapping *map, unsigned long address, unsigned int size,
		    bool may_sleep)
{
	struct pciem_bar *bar = map->bar;
	struct pciem_event *event;
	unsigned long flags;
	u64 offset, value;

	if (pciem_gone(map->dev) || !access_inside(map, address, size, &offset))
		return all_ones(size);
	if (!(READ_ONCE(bar->trace) & PCIEM_TRACE_READS))
		return pciem_bar_load(bar, offset, size);

	event = pciem_ring_begin(map->dev, may_sleep, &flags);
	value = pciem_gone(map->dev) ? all_ones(size) : pciem_bar_load(bar, offset, size);
	if (event)
		event_fill(event, bar, PCIEM_EVENT_MMIO_READ, offset, size, value);
	pciem_ring_end(map->dev, event, flags);
	return value;
}

void pciem_mmio_write(struct pciem_mapping *map, unsigned long address, unsigned int size,
		      u64 value, bool may_sleep)
{
	struct pciem_bar *bar = map->bar;
	u32 trace = READ_ONCE(bar->trace);
	struct pciem_event *event;
	unsigned long flags;
	u64 offset;

	if (pciem_gone(map->dev) || !access_inside(map, address, size, &offset))
		return;
	value &= all_ones(size);
	if (!(trace & (PCIEM_TRACE_WRITES | PCIEM_TRACE_STOP_WRITES))) {
		pciem_bar_store(bar, offset, size, value);
	} else {
		event = pciem_ring_begin(map->dev, may_sleep, &flags);
		/* Messages are the kernel's to see, whatever the device wants stopped. */
		if (!(trace & PCIEM_TRACE_STOP_WRITES) || pciem_irq_in_table(bar, offset))
			pciem_bar_store(bar, offset, size, value);
		if (event)
			event_fill(event, bar, PCIEM_EVENT_MMIO_WRITE, offset, size, value);
		pciem_ring_end(map->dev, event, flags);
	}
	if (pciem_irq_in_table(bar, offset))
		pciem_irq_kick(bar->func);
}

/* Redirected functions */

/* In place of bad_area_nosemaphore(), whose caller has interrupts off. */
static void pciem_fault(struct pt_regs *regs, unsigned long error_code, unsigned long address)
{
	bool irqs = regs->flags & X86_EFLAGS_IF, may_sleep;
	struct pciem_mapping *map;

	atomic_inc(&hooks_active);
	map = pciem_mapping_get(address);
	/* Unmapped since the callback looked: the retry faults for good. */
	if (map) {
		may_sleep = IS_ENABLED(CONFIG_PREEMPT_COUNT) && irqs && !preempt_count() &&
			    !rcu_preempt_depth();
		if (irqs)
			local_irq_enable();
		if (!pciem_trap_emulate(map, regs, address, may_sleep))
			pciem_trap_open_page(map, address);
		if (irqs)
			local_irq_disable();
		pciem_mapping_put(map);
	}
	atomic_dec(&hooks_active);
}

/* The BAR that holds all of a physical range, and where it begins. */
static struct pciem_bar *bar_at(struct pciem_device *dev, resource_size_t phys, unsigned long size,
				resource_size_t *first)
{
	for (unsigned int i = 0; i < PCIEM_MAX_FUNCTIONS * PCIEM_MAX_BARS; i++) {
		struct pciem_func *func = dev->funcs[i / PCIEM_MAX_BARS];
		struct pciem_bar *bar;

		if (!func)
			continue;
		bar = &func->bars[i % PCIEM_MAX_BARS];
		if (!bar->size)
			continue;
		*first = pciem_bridge_bar_phys(bar);
		if (phys >= *first && phys + size <= *first + ((u64)bar->npages << PAGE_SHIFT))
			return bar;
	}
	return NULL;
}

static bool phys_is_ours(resource_size_t phys)
{
	struct pciem_device *dev;

	list_for_each_entry_rcu(dev, &trap_devices, trap_node, lockdep_is_held(&trap_lock))
		if ((dev->window32.parent && phys >= dev->window32.start &&
		     phys <= dev->window32.end) ||
		    (dev->window64.parent && phys >= dev->window64.start &&
		     phys <= dev->window64.end))
			return true;
	return false;
}

static struct pciem_mapping *mapping_create(resource_size_t phys, unsigned long size)
{
	struct pciem_mapping *map;
	struct pciem_device *dev;
	struct pciem_bar *bar = NULL;
	resource_size_t base;
	unsigned long first;
	void *area;

	list_for_each_entry(dev, &trap_devices, trap_node) {
		bar = bar_at(dev, phys, size, &base);
		if (bar)
			break;
	}
	if (!bar)
		return NULL;
	map = kzalloc(sizeof(*map), GFP_KERNEL);
	if (!map)
		return NULL;
	first = (phys - base) >> PAGE_SHIFT;
	/* VM_IOREMAP keeps /proc/kcore from reading it */
	area = vmap(bar->pages + first, size >> PAGE_SHIFT, VM_IOREMAP, PAGE_KERNEL);
	if (!area) {
		kfree(map);
		return NULL;
	}
	refcount_set(&map->ref, 1);
	INIT_WORK(&map->free_work, mapping_free);
	INIT_DELAYED_WORK(&map->rearm, rearm_work);
	map->start = (unsigned long)area;
	map->end = map->start + size;
	map->offset = (u64)first << PAGE_SHIFT;
	map->bar = bar;
	map->dev = bar->func->dev;
	pciem_device_get(map->dev);
	if (pgprot_val(page_protection(map)) != pgprot_val(PAGE_KERNEL))
		mapping_update(map);
	list_add_rcu(&map->node, &trap_mappings);
	return map;
}

/* In place of __ioremap_caller(); all that matters is which memory it is. */
static void __iomem *pciem_ioremap(resource_size_t phys, unsigned long size)
{
	unsigned long offset = offset_in_page(phys);
	struct pciem_mapping *map;
	void __iomem *ret = NULL;

	atomic_inc(&hooks_active);
	if (size && size <= PCIEM_BAR_MAX_SIZE) {
		mutex_lock(&trap_lock);
		map = mapping_create(phys - offset, PAGE_ALIGN(size + offset));
		if (map)
			ret = (void __iomem *)(map->start + offset);
		mutex_unlock(&trap_lock);
	}
	atomic_dec(&hooks_active);
	return ret;
}

/* In place of iounmap(). */
static void pciem_iounmap(volatile void __iomem *address)
{
	struct pciem_mapping *map;

	atomic_inc(&hooks_active);
	mutex_lock(&trap_lock);
	map = mapping_find((unsigned long)address);
	if (map) {
		list_del_rcu(&map->node);
		map->unmapped = true;
	}
	mutex_unlock(&trap_lock);
	if (map) {
		if (cancel_delayed_work_sync(&map->rearm))
			pciem_mapping_put(map);
		vunmap((void *)map->start);
		pciem_mapping_put(map);
	}
	atomic_dec(&hooks_active);
}

/* ftrace */

static void notrace ioremap_callback(unsigned long ip, unsigned long parent_ip,
				     struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	struct pt_regs *regs = ftrace_get_regs(fregs);

	rcu_read_lock();
	if (phys_is_ours(regs_get_kernel_argument(regs, 0)))
		instruction_pointer_set(regs, (unsigned long)pciem_ioremap);
	rcu_read_unlock();
}

static void notrace iounmap_callback(unsigned long ip, unsigned long parent_ip,
				     struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	struct pt_regs *regs = ftrace_get_regs(fregs);

	rcu_read_lock();
	if (mapping_find(regs_get_kernel_argument(regs, 0)))
		instruction_pointer_set(regs, (unsigned long)pciem_iounmap);
	rcu_read_unlock();
}

static void notrace fault_callback(unsigned long ip, unsigned long parent_ip,
				   struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	struct pt_regs *regs = ftrace_get_regs(fregs);
	struct pt_regs *faulted = (struct pt_regs *)regs_get_kernel_argument(regs, 0);

	if (user_mode(faulted))
		return;
	rcu_read_lock();
	if (mapping_find(regs_get_kernel_argument(regs, 2)))
		instruction_pointer_set(regs, (unsigned long)pciem_fault);
	rcu_read_unlock();
}

static struct {
	const char *name;
	struct ftrace_ops ops;
	bool registered;
} hooks[] = {
	{ "iounmap", { .func = iounmap_callback } },
	{ "bad_area_nosemaphore", { .func = fault_callback } },
	/* last, so that no mapping is made before the others work */
	{ "__ioremap_caller", { .func = ioremap_callback } },
};

void pciem_trap_exit(void)
{
	for (int i = ARRAY_SIZE(hooks) - 1; i >= 0; i--)
		if (hooks[i].registered)
			unregister_ftrace_function(&hooks[i].ops);
	/*
	 * First those that were redirected but have not counted themselves,
	 * then those that did, then those on their last instructions.
	 */
	synchronize_rcu_tasks();
	while (atomic_read(&hooks_active))
		schedule_timeout_uninterruptible(1);
	if (trap_wq)
		destroy_workqueue(trap_wq);
	synchronize_rcu_tasks();
	rcu_barrier();
}

int pciem_trap_init(void)
{
	trap_wq = alloc_workqueue("pciem", 0, 0);
	if (!trap_wq)
		return -ENOMEM;

	for (int i = 0; i < ARRAY_SIZE(hooks); i++) {
		int ret;

		hooks[i].ops.flags = FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_IPMODIFY |
				     FTRACE_OPS_FL_PERMANENT;
		ret = ftrace_set_filter(&hooks[i].ops, (unsigned char *)hooks[i].name,
					strlen(hooks[i].name), 1);
		if (!ret)
			ret = register_ftrace_function(&hooks[i].ops);
		if (ret) {
			pr_err("cannot redirect %s: %d (is ftrace off, or the function live-patched?)\n",
			       hooks[i].name, ret);
			pciem_trap_exit();
			return ret;
		}
		hooks[i].registered = true;
	}
	return 0;
}

/* Devices */

void pciem_trap_add(struct pciem_device *dev)
{
	mutex_lock(&trap_lock);
	list_add_tail_rcu(&dev->trap_node, &trap_devices);
	mutex_unlock(&trap_lock);
}

void pciem_trap_remove(struct pciem_device *dev)
{
	mutex_lock(&trap_lock);
	list_del_rcu(&dev->trap_node);
	mutex_unlock(&trap_lock);
	synchronize_rcu();
}

/* TRACE_BAR; device->lock is held. */
int pciem_trap_set(struct pciem_device *dev, const struct pciem_trace_bar *arg)
{
	const u32 known = PCIEM_TRACE_READS | PCIEM_TRACE_WRITES | PCIEM_TRACE_STOP_WRITES;
	struct pciem_func *func = pciem_func(dev, arg->func);
	struct pciem_mapping *map;
	struct pciem_bar *bar;

	if (IS_ERR(func))
		return PTR_ERR(func);
	if (arg->bar_index >= PCIEM_MAX_BARS || !arg->flags || arg->flags & ~known)
		return -EINVAL;
	bar = &func->bars[arg->bar_index];
	if (!bar->size)
		return -ENXIO;
	if (bar->trace)
		return -EINVAL;

	mutex_lock(&trap_lock);
	WRITE_ONCE(bar->trace, arg->flags);
	list_for_each_entry(map, &trap_mappings, node)
		if (map->bar == bar)
			mapping_update(map);
	mutex_unlock(&trap_lock);
	return 0;
}

/* The device is gone: its memory is no longer there to be read. */
void pciem_trap_unplug(struct pciem_device *dev)
{
	struct pciem_mapping *map;

	mutex_lock(&trap_lock);
	list_for_each_entry(map, &trap_mappings, node)
		if (map->dev == dev)
			mapping_update(map);
	mutex_unlock(&trap_lock);
}

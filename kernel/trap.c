// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trapping of accesses to BARs: the arch-independent part.
 *
 * Kernel functions are redirected with ftrace, as live patching does:
 *
 *   __ioremap_caller      A mapping of one of our BARs becomes a vmap() of the
 *                         pages behind it. Pages that are traced are then made
 *                         not present, or read-only if only writes are. So are
 *                         those of the MSI-X table: a write may unmask a vector.
 *   iounmap               Undoes that.
 *   bad_area_nosemaphore  What a page fault without another handler comes to.
 *                         If the address is in one of our mappings the access
 *                         is carried out here.
 *   remap_pfn_range and the like
 *                         Mappings of user space: trap_user.c.
 *
 * The ftrace callbacks only look whether the argument is ours, and redirect
 * then; the functions redirected to never call the original. So untraced
 * memory costs a driver nothing, and other mappings nothing but the look.
 *
 * A page that nobody touched yet has no entry either, and gets one at the first
 * fault, together with its memory.
 *
 * A device that is gone has all its mappings made not present: reads give all
 * ones and writes vanish until the driver unmaps. Those of a function in D1 to D3hot
 * likewise until it is in D0 again, as it takes no memory requests there.
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
#include <asm/trap_pf.h>

#include "pciem.h"
#include "trace.h"

static DEFINE_MUTEX(trap_lock);
static DEFINE_RAW_SPINLOCK(pte_lock);	/* entries of mappings; innermost */
static LIST_HEAD(trap_devices);		/* pciem_device.trap_node */
static LIST_HEAD(trap_mappings);	/* pciem_mapping.node */
static atomic_t hooks_active = ATOMIC_INIT(0);
static struct workqueue_struct *trap_wq;

void pciem_hook_enter(void)
{
	atomic_inc(&hooks_active);
}

void pciem_hook_leave(void)
{
	atomic_dec(&hooks_active);
}

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

/* A mapping that holds its device and is in no list */
struct pciem_mapping *pciem_mapping_alloc(struct pciem_bar *bar, work_func_t rearm)
{
	struct pciem_mapping *map = kzalloc(sizeof(*map), GFP_KERNEL);

	if (!map)
		return NULL;
	refcount_set(&map->ref, 1);
	INIT_WORK(&map->free_work, mapping_free);
	INIT_DELAYED_WORK(&map->rearm, rearm);
	map->open_page = PCIEM_NO_PAGE;
	map->bar = bar;
	map->dev = bar->func->dev;
	pciem_device_get(map->dev);
	return map;
}

/* Page tables of a mapping */

static void flush_tlb_here(void *unused)
{
	__flush_tlb_all();
}

#define TOLD_READS	(PCIEM_TRACE_READS | PCIEM_TRACE_SYNC_READS)
#define TOLD_WRITES	(PCIEM_TRACE_WRITES | PCIEM_TRACE_STOP_WRITES | PCIEM_TRACE_SYNC_WRITES)

/* Nothing answers: the device is gone, or the function has its power off. */
static bool bar_dead(struct pciem_bar *bar)
{
	return pciem_gone(bar->func->dev) || !pciem_powered(bar->func);
}

/* Of the page at an offset of the BAR. */
static pgprot_t page_protection(struct pciem_mapping *map, u64 offset)
{
	u32 trace = pciem_trace_flags(map->bar, offset, offset + PAGE_SIZE);

	if (bar_dead(map->bar) || trace & TOLD_READS)
		return PAGE_NONE;
	if (trace & TOLD_WRITES || map->bar->index == PCIEM_ROM_BAR ||
	    pciem_irq_table_page(map->bar, offset))
		return PAGE_KERNEL_RO;
	return PAGE_KERNEL;
}

/* Whether an access to the page at an offset is carried out here, where a mapping can choose. */
bool pciem_trap_page(struct pciem_bar *bar, u64 offset, bool write)
{
	u32 trace = pciem_trace_flags(bar, offset, offset + PAGE_SIZE);

	return trace & TOLD_READS || !pciem_powered(bar->func) ||
	       (write && (trace & TOLD_WRITES || pciem_irq_table_page(bar, offset)));
}

/*
 * A page that nobody touched has no entry. pte_lock is held. The addresses of what
 * is unmapped may be another's already.
 */
static void set_entry(struct pciem_mapping *map, unsigned long address, pgprot_t prot)
{
	unsigned long index = (map->offset + (address - map->start)) >> PAGE_SHIFT;
	struct page *page = READ_ONCE(map->bar->touched[index]);
	unsigned int level;
	pte_t *pte;

	if (map->unmapped)
		return;
	pte = lookup_address(address, &level);
	/* vmap() of single pages makes small entries */
	if (WARN_ON_ONCE(!pte || level != PG_LEVEL_4K))
		return;
	if (!page || pgprot_val(prot) == pgprot_val(PAGE_NONE))
		set_pte(pte, __pte(0));
	else
		set_pte(pte, pfn_pte(page_to_pfn(page), prot));
}

static void update_page(struct pciem_mapping *map, u64 offset)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&pte_lock, flags);
	set_entry(map, map->start + (offset - map->offset), page_protection(map, offset));
	raw_spin_unlock_irqrestore(&pte_lock, flags);
}

/* A fault for want of an entry: true when there is one now. */
static bool fill_page(struct pciem_mapping *map, unsigned long address, bool may_sleep)
{
	u64 offset = map->offset + ((address & PAGE_MASK) - map->start);

	if (pgprot_val(page_protection(map, offset)) == pgprot_val(PAGE_NONE))
		return false;
	/* The driver may be one that memory is written out through. */
	if (!pciem_bar_page(map->bar, offset >> PAGE_SHIFT,
			    may_sleep ? GFP_NOIO | __GFP_ACCOUNT : GFP_ATOMIC))
		return false;
	update_page(map, offset);
	return true;
}

/*
 * The part of a mapping that shows @start to @end of the BAR, by whole pages.
 * trap_lock is held. Both it and the flush may sleep or wait for other CPUs.
 */
static void mapping_update(struct pciem_mapping *map, u64 start, u64 end)
{
	u64 first = max(round_down(start, PAGE_SIZE), map->offset);
	u64 last = min(end, map->offset + (map->end - map->start));

	if (first >= last)
		return;
	for (u64 at = first; at < last; at += PAGE_SIZE) {
		update_page(map, at);
		if (IS_ALIGNED(at, SZ_16M))
			cond_resched();
	}
	on_each_cpu(flush_tlb_here, NULL, 1);
}

static void mapping_update_all(struct pciem_mapping *map)
{
	mapping_update(map, 0, U64_MAX);
}

/* Let an access through that cannot be carried out for it, and trap again soon. */

static void rearm_work(struct work_struct *work)
{
	struct pciem_mapping *map = container_of(to_delayed_work(work), struct pciem_mapping, rearm);

	mutex_lock(&trap_lock);
	if (!map->unmapped)
		mapping_update_all(map);
	mutex_unlock(&trap_lock);
	pciem_mapping_put(map);
}

void pciem_mapping_rearm(struct pciem_mapping *map)
{
	refcount_inc(&map->ref);
	if (!queue_delayed_work(trap_wq, &map->rearm, 1))
		pciem_mapping_put(map);
}

void pciem_trap_open_page(struct pciem_mapping *map, unsigned long address)
{
	u64 offset = map->offset + (address - map->start);
	unsigned long flags;

	pciem_ring_lose(map->dev);
	pciem_bar_page(map->bar, offset >> PAGE_SHIFT, GFP_ATOMIC);
	raw_spin_lock_irqsave(&pte_lock, flags);
	set_entry(map, address & PAGE_MASK, PAGE_KERNEL);
	raw_spin_unlock_irqrestore(&pte_lock, flags);
	pciem_mapping_rearm(map);
}

/* Accesses */

static u64 all_ones(unsigned int size)
{
	return size >= 8 ? ~0ULL : (1ULL << (8 * size)) - 1;
}

/* The kernel itself answers accesses to the tables of messages. */
static bool is_sync(struct pciem_bar *bar, u64 offset, u32 trace, u32 flag)
{
	return trace & flag && !pciem_irq_in_table(bar, offset) && !pciem_irq_in_pba(bar, offset);
}

/* Fill the event of pciem_ring_begin(), and ask for an answer to it. */
static void access_event(struct pciem_event *event, struct pciem_device *dev,
			 const struct pciem_report *report, struct pciem_request *request)
{
	pciem_ring_fill(&dev->ring, event, report);
	if (report->flags & PCIEM_EVENT_FLAG_SYNC)
		pciem_request_open(dev, request);
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
	struct pciem_report report = { .type = PCIEM_EVENT_MMIO_READ, .size = size };
	struct pciem_device *dev = map->dev;
	struct pciem_bar *bar = map->bar;
	struct pciem_request request;
	struct pciem_event *event;
	unsigned long flags;
	u64 offset;
	u32 trace;

	if (bar_dead(bar) || !access_inside(map, address, size, &offset))
		return all_ones(size);
	trace = pciem_trace_flags(bar, offset, offset + size);
	if (!(trace & TOLD_READS))
		return pciem_bar_load(bar, offset, size);

	report.func = bar->func->nr;
	report.bar = bar->index;
	report.offset = offset;
	if (is_sync(bar, offset, trace, PCIEM_TRACE_SYNC_READS))
		report.flags = PCIEM_EVENT_FLAG_SYNC;
	event = pciem_ring_begin(dev, may_sleep, &flags);
	report.data = pciem_gone(dev) ? all_ones(size) : pciem_bar_load(bar, offset, size);
	if (event)
		access_event(event, dev, &report, &request);
	pciem_ring_end(dev, event, flags);
	if (report.flags) {
		atomic64_inc(&dev->requests.reads);
		report.data = all_ones(size);
		if (!event)
			atomic64_inc(&dev->requests.timeouts);
		else if (pciem_request_wait(dev, &request, &report, may_sleep))
			report.data = request.data & all_ones(size);
	}
	trace_pciem_mmio_read(bar, offset, size, report.data);
	return report.data;
}

void pciem_mmio_write(struct pciem_mapping *map, unsigned long address, unsigned int size,
		      u64 value, bool may_sleep)
{
	struct pciem_report report = { .type = PCIEM_EVENT_MMIO_WRITE, .size = size };
	struct pciem_device *dev = map->dev;
	struct pciem_bar *bar = map->bar;
	struct pciem_request request;
	struct pciem_event *event;
	unsigned long flags;
	u64 offset;
	u32 trace;

	if (bar_dead(bar) || !access_inside(map, address, size, &offset) ||
	    bar->index == PCIEM_ROM_BAR)
		return;
	value &= all_ones(size);
	trace = pciem_trace_flags(bar, offset, offset + size);
	if (!(trace & TOLD_WRITES)) {
		pciem_bar_store(bar, offset, size, value);
	} else {
		report.func = bar->func->nr;
		report.bar = bar->index;
		report.offset = offset;
		report.data = value;
		if (is_sync(bar, offset, trace, PCIEM_TRACE_SYNC_WRITES))
			report.flags = PCIEM_EVENT_FLAG_SYNC;
		event = pciem_ring_begin(dev, may_sleep, &flags);
		/* Messages are the kernel's to see, whatever the device wants stopped. */
		if (!(trace & PCIEM_TRACE_STOP_WRITES) || pciem_irq_in_table(bar, offset))
			pciem_bar_store(bar, offset, size, value);
		if (event)
			access_event(event, dev, &report, &request);
		pciem_ring_end(dev, event, flags);
		if (report.flags) {
			atomic64_inc(&dev->requests.writes);
			if (event)
				pciem_request_wait(dev, &request, &report, may_sleep);
			else
				atomic64_inc(&dev->requests.timeouts);
		}
	}
	trace_pciem_mmio_write(bar, offset, size, value);
	if (pciem_irq_in_table(bar, offset))
		pciem_irq_kick(bar->func);
}

/* Redirected functions */

/* Whether a faulting context may. */
bool pciem_may_sleep(const struct pt_regs *regs)
{
	return IS_ENABLED(CONFIG_PREEMPT_COUNT) && regs->flags & X86_EFLAGS_IF &&
	       !preempt_count() && !rcu_preempt_depth();
}

/* In place of bad_area_nosemaphore(), whose caller has interrupts off. */
static void pciem_fault(struct pt_regs *regs, unsigned long error_code, unsigned long address)
{
	bool irqs = regs->flags & X86_EFLAGS_IF, may_sleep;
	struct pciem_mapping *map;
	struct pciem_target target;

	atomic_inc(&hooks_active);
	map = pciem_mapping_get(address);
	/* Unmapped since the callback looked: the retry faults for good. */
	if (map) {
		may_sleep = pciem_may_sleep(regs);
		target = (struct pciem_target){ map, map->start, map->end, 0, true };
		if (irqs)
			local_irq_enable();
		if ((!map->holes || error_code & X86_PF_PROT ||
		     !fill_page(map, address, may_sleep)) &&
		    !pciem_trap_emulate(&target, regs, address, may_sleep))
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
	for (unsigned int i = 0; i < PCIEM_MAX_FUNCTIONS * PCIEM_BAR_SLOTS; i++) {
		struct pciem_func *func = dev->funcs[i / PCIEM_BAR_SLOTS];
		struct pciem_bar *bar;

		if (!func)
			continue;
		bar = &func->bars[i % PCIEM_BAR_SLOTS];
		if (!bar->size)
			continue;
		*first = pciem_bridge_bar_phys(bar);
		if (phys >= *first && phys + size <= *first + ((u64)bar->npages << PAGE_SHIFT))
			return bar;
	}
	return NULL;
}

/* The BAR with all of a range of pages; a reference to its device is taken. */
struct pciem_bar *pciem_trap_pages_at(resource_size_t phys, unsigned long size, u64 *offset)
{
	struct pciem_bar *bar = NULL;
	struct pciem_device *dev;
	resource_size_t first;

	rcu_read_lock();
	list_for_each_entry_rcu(dev, &trap_devices, trap_node) {
		bar = bar_at(dev, phys, size, &first);
		if (bar)
			break;
	}
	if (bar && !kref_get_unless_zero(&dev->ref))
		bar = NULL;
	rcu_read_unlock();
	if (bar)
		*offset = phys - first;
	return bar;
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

bool pciem_trap_owns(resource_size_t phys)
{
	bool ours;

	rcu_read_lock();
	ours = phys_is_ours(phys);
	rcu_read_unlock();
	return ours;
}

/* Kernel address space with the pages of a BAR; where there are none yet, @holes says so. */
static void *map_pages(struct pciem_bar *bar, unsigned long first, unsigned long n, bool *holes)
{
	struct page **pages = kvmalloc_array(n, sizeof(*pages), GFP_KERNEL);
	void *area;

	if (!pages)
		return NULL;
	for (unsigned long i = 0; i < n; i++) {
		pages[i] = READ_ONCE(bar->touched[first + i]);
		/* Something for vmap() to make page tables with */
		if (!pages[i]) {
			pages[i] = ZERO_PAGE(0);
			*holes = true;
		}
	}
	/* VM_IOREMAP keeps /proc/kcore from reading it */
	area = vmap(pages, n, VM_IOREMAP, PAGE_KERNEL);
	kvfree(pages);
	return area;
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
	map = pciem_mapping_alloc(bar, rearm_work);
	if (!map)
		return NULL;
	first = (phys - base) >> PAGE_SHIFT;
	area = map_pages(bar, first, size >> PAGE_SHIFT, &map->holes);
	if (!area) {
		pciem_mapping_put(map);
		return NULL;
	}
	map->start = (unsigned long)area;
	map->end = map->start + size;
	map->offset = (u64)first << PAGE_SHIFT;
	if (map->holes || rcu_access_pointer(bar->trace) || bar_dead(bar) ||
	    bar->index == PCIEM_ROM_BAR || pciem_irq_has_table(bar))
		mapping_update_all(map);
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
		raw_spin_lock_irq(&pte_lock);
		map->unmapped = true;
		raw_spin_unlock_irq(&pte_lock);
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

	if (pciem_trap_owns(regs_get_kernel_argument(regs, 0)))
		instruction_pointer_set(regs, (unsigned long)pciem_ioremap);
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
	unsigned long address = regs_get_kernel_argument(regs, 2);

	if (address < TASK_SIZE_MAX) {
		if (pciem_user_wants(faulted, regs_get_kernel_argument(regs, 1), address))
			instruction_pointer_set(regs, (unsigned long)pciem_user_trap);
		return;
	}
	if (user_mode(faulted))
		return;
	rcu_read_lock();
	if (mapping_find(address))
		instruction_pointer_set(regs, (unsigned long)pciem_fault);
	rcu_read_unlock();
}

static struct {
	char name[32];	/* writable: ftrace cuts a pattern up in place */
	struct ftrace_ops ops;
	bool optional;	/* not every kernel has it */
	bool registered;
} hooks[] = {
	{ "iounmap", { .func = iounmap_callback } },
	{ "bad_area_nosemaphore", { .func = fault_callback } },
	{ "remap_pfn_range", { .func = pciem_remap_callback } },
	{ "vmf_insert_pfn", { .func = pciem_insert_callback } },
	{ "vmf_insert_pfn_prot", { .func = pciem_insert_callback } },
	{ "vmf_insert_pfn_pmd", { .func = pciem_insert_huge_callback }, .optional = true },
	{ "vmf_insert_pfn_pud", { .func = pciem_insert_huge_callback }, .optional = true },
	/* last, so that no mapping is made before the others work */
	/* Compilers that make a copy without the constant arguments at its end name it .constprop.0 */
	{ "__ioremap_caller*", { .func = ioremap_callback } },
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
	trap_wq = alloc_workqueue("pciem", WQ_HIGHPRI, 0);
	if (!trap_wq)
		return -ENOMEM;

	for (int i = 0; i < ARRAY_SIZE(hooks); i++) {
		int ret;

		hooks[i].ops.flags = FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_IPMODIFY |
				     FTRACE_OPS_FL_PERMANENT;
		ret = ftrace_set_filter(&hooks[i].ops, (unsigned char *)hooks[i].name,
					strlen(hooks[i].name), 1);
		if (ret && hooks[i].optional)
			continue;
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
	pciem_user_remove(dev);
	synchronize_rcu();
}

/* What is told of a part of a BAR has changed. */
void pciem_trap_update(struct pciem_bar *bar, u64 start, u64 end)
{
	struct pciem_mapping *map;

	mutex_lock(&trap_lock);
	list_for_each_entry(map, &trap_mappings, node)
		if (map->bar == bar)
			mapping_update(map, start, end);
	mutex_unlock(&trap_lock);
	pciem_user_update(bar);
}

static void power_work(struct work_struct *work)
{
	struct pciem_func *func = container_of(work, struct pciem_func, power_work);

	for (unsigned int i = 0; i < PCIEM_BAR_SLOTS; i++)
		if (func->bars[i].size)
			pciem_trap_update(&func->bars[i], 0, U64_MAX);
	pciem_device_put(func->dev);
}

void pciem_trap_func_init(struct pciem_func *func)
{
	INIT_WORK(&func->power_work, power_work);
}

/*
 * The power state may have changed, in a configuration write, which may not wait.
 * A driver gives the function 10 ms for it (PCI PM 1.2, 5.6.1), which is time enough
 * to hide the BARs. Accesses before they are shown again are carried out all the same.
 */
void pciem_trap_power(struct pciem_func *func)
{
	pciem_device_get(func->dev);
	if (!queue_work(trap_wq, &func->power_work))
		pciem_device_put(func->dev);
}

/* The device is gone: its memory is no longer there to be read. */
void pciem_trap_unplug(struct pciem_device *dev)
{
	struct pciem_mapping *map;

	mutex_lock(&trap_lock);
	list_for_each_entry(map, &trap_mappings, node)
		if (map->dev == dev)
			mapping_update_all(map);
	mutex_unlock(&trap_lock);
	for (unsigned int i = 0; i < PCIEM_MAX_FUNCTIONS * PCIEM_MAX_BARS; i++) {
		struct pciem_func *func = dev->funcs[i / PCIEM_MAX_BARS];

		if (func)
			pciem_user_update(&func->bars[i % PCIEM_MAX_BARS]);
	}
}

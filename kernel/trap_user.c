// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trapping of accesses to BARs: mappings of user space, made through resourceN
 * in sysfs, /proc/bus/pci, vfio-pci, uio or a driver's own mmap().
 *
 * All of them hand the BAR's page frames to remap_pfn_range() or one of the
 * vmf_insert_pfn() family. Those are redirected here for page frames of ours:
 * nothing is mapped, and the VMA gets vm_operations with another fault().
 *
 *   A page that is not trapped is mapped, by the fault, as an ordinary counted
 *   page: it outlives the device while someone maps it. A page of which only
 *   writes are told is mapped read-only.
 *
 *   For one that is, fault() says SIGSEGV: the architecture's handler lets go
 *   of mmap_lock and calls bad_area_nosemaphore() with the registers, which
 *   trap.c redirects here too. The access is carried out with no lock held and
 *   may wait for the device. That goes for the kernel's own accesses to such a
 *   mapping (write(2) from it, say) as well.
 *
 * What is not understood is let through: counted as lost, the page mapped for
 * a moment. ptrace and /proc/pid/mem come in through access() and are told.
 * get_user_pages() is refused (VM_IO), as it is for any BAR. A private mapping
 * that is written to becomes a copy.
 *
 * When the device goes, its pages are unmapped everywhere: from then on SIGBUS.
 *
 * Locking: mmap_lock, then views_lock, then page locks and what
 * unmap_mapping_range() takes. A page is locked from the decision that it need
 * not trap until it is mapped, so that who changes the trace and then takes the
 * page lock finds it in the page tables.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/ftrace.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>

#include <asm/trap_pf.h>

#include "pciem.h"

/**
 * struct user_view - how mappings of one kind show a BAR
 * @node: in views; changed under views_lock, read under RCU
 * @rcu: frees it
 * @map: what an access goes to: all of the BAR, from address 0 on. NULL once the device is gone.
 * @bar: of @map
 * @orig: vm_operations that the VMAs came with
 * @ops: theirs now
 * @mapping: page offsets count in this
 * @sysfs: kernfs calls @ops for the VMA and holds the device meanwhile; else VMAs count in @vmas
 * @linear: the VMAs show the BAR from end to end; else @pages knows each page
 * @delta: if @linear, page offset of the first page of the BAR
 * @pages: page of the BAR by page offset
 * @first: page offsets that VMAs have had: unmapped together
 * @last: one past the last
 * @vmas: VMAs with @ops, not in sysfs; under views_lock. The last takes the view with it.
 */
struct user_view {
	struct list_head node;
	struct rcu_head rcu;
	struct pciem_mapping __rcu *map;
	struct pciem_bar *bar;
	const struct vm_operations_struct *orig;
	struct vm_operations_struct ops;
	struct address_space *mapping;
	bool sysfs;
	bool linear;
	pgoff_t delta;
	struct xarray pages;
	pgoff_t first;
	pgoff_t last;
	unsigned long vmas;
};

static DEFINE_MUTEX(views_lock);
static LIST_HEAD(views);
static atomic_t view_count = ATOMIC_INIT(0);

static vm_fault_t user_fault(struct vm_fault *vmf);

static bool in_sysfs(struct vm_area_struct *vma)
{
	return vma->vm_file && file_inode(vma->vm_file)->i_sb->s_magic == SYSFS_MAGIC;
}

/* RCU or views_lock is held, and mmap_lock. */
static struct user_view *view_of(struct vm_area_struct *vma)
{
	const struct vm_operations_struct *ops = READ_ONCE(vma->vm_ops);
	struct user_view *view;

	if (ops && ops->fault == user_fault)
		return container_of(ops, struct user_view, ops);
	if (!in_sysfs(vma))
		return NULL;
	/* The operations are kernfs's own. The page offset is the page frame, so it is unique. */
	list_for_each_entry_rcu(view, &views, node, lockdep_is_held(&views_lock))
		if (view->sysfs && view->mapping == vma->vm_file->f_mapping &&
		    vma->vm_pgoff - view->delta < view->bar->npages)
			return view;
	return NULL;
}

static struct pciem_mapping *view_map_get(struct user_view *view)
{
	struct pciem_mapping *map;

	rcu_read_lock();
	map = rcu_dereference(view->map);
	if (map && (pciem_gone(map->dev) || !refcount_inc_not_zero(&map->ref)))
		map = NULL;
	rcu_read_unlock();
	return map;
}

/* False when the VMA's owner did not say that there is a page of the BAR. */
static bool view_page(struct user_view *view, pgoff_t pgoff, unsigned long *page)
{
	void *entry;

	if (view->linear) {
		*page = pgoff - view->delta;
		return true;
	}
	entry = xa_load(&view->pages, pgoff);
	*page = entry ? xa_to_value(entry) : 0;
	return entry;
}

static bool page_traps(struct pciem_mapping *map, unsigned long page, bool write)
{
	return READ_ONCE(map->open_page) != page &&
	       pciem_trap_page(map->bar, (u64)page << PAGE_SHIFT, write);
}

/* Operations of the VMAs */

static vm_fault_t fault_page(struct user_view *view, struct pciem_mapping *map,
			     struct vm_fault *vmf)
{
	bool write = vmf->flags & FAULT_FLAG_WRITE;
	bool copy = write && !(vmf->vma->vm_flags & VM_SHARED);
	vm_fault_t ret = VM_FAULT_SIGSEGV;
	struct page *memory;
	unsigned long page;

	/* Not ours but what the VMA's owner has mapped */
	if (!view_page(view, vmf->pgoff, &page))
		return VM_FAULT_NOPAGE;
	if (page >= map->bar->npages || vmf->flags & FAULT_FLAG_INSTRUCTION)
		return VM_FAULT_SIGBUS;

	memory = pciem_bar_page(map->bar, page, GFP_KERNEL_ACCOUNT);
	if (!memory)
		return VM_FAULT_OOM;
	get_page(memory);
	lock_page(memory);
	if (pciem_gone(map->dev)) {
		ret = VM_FAULT_SIGBUS;
	} else if (copy || !page_traps(map, page, write)) {
		if (copy && page_traps(map, page, false))
			pciem_ring_lose(map->dev);
		vmf->page = memory;
		return VM_FAULT_LOCKED;
	}
	unlock_page(memory);
	put_page(memory);
	return ret;
}

static vm_fault_t user_fault(struct vm_fault *vmf)
{
	struct user_view *view;
	struct pciem_mapping *map;
	vm_fault_t ret;

	/* kernfs, or else the VMA, keeps the view. */
	rcu_read_lock();
	view = view_of(vmf->vma);
	rcu_read_unlock();
	if (!view)
		return VM_FAULT_SIGBUS;
	/* The VMA's owner decides first, and inserts pages that are not the BAR's itself. */
	if (view->orig && view->orig->fault) {
		if (!view->linear)
			xa_erase(&view->pages, vmf->pgoff);
		ret = view->orig->fault(vmf);
		if (ret != VM_FAULT_NOPAGE)
			return ret;
	}
	map = view_map_get(view);
	if (!map)
		return VM_FAULT_SIGBUS;
	ret = fault_page(view, map, vmf);
	pciem_mapping_put(map);
	return ret;
}

#ifdef PCIEM_HUGE_FAULT_TAKES_ORDER
static vm_fault_t user_huge_fault(struct vm_fault *vmf, unsigned int order)
#else
static vm_fault_t user_huge_fault(struct vm_fault *vmf, enum page_entry_size size)
#endif
{
	return VM_FAULT_FALLBACK;
}

/* The first write to a page that is mapped read-only */
static vm_fault_t user_mkwrite(struct vm_fault *vmf)
{
	vm_fault_t ret = VM_FAULT_SIGBUS;
	struct pciem_mapping *map;
	struct user_view *view;
	unsigned long page;

	rcu_read_lock();
	view = view_of(vmf->vma);
	rcu_read_unlock();
	map = view ? view_map_get(view) : NULL;
	if (map) {
		lock_page(vmf->page);
		if (!view_page(view, vmf->pgoff, &page) || !page_traps(map, page, true))
			ret = VM_FAULT_LOCKED;
		else
			ret = VM_FAULT_SIGSEGV;
		if (pciem_gone(map->dev))
			ret = VM_FAULT_SIGBUS;
		if (ret != VM_FAULT_LOCKED)
			unlock_page(vmf->page);
		pciem_mapping_put(map);
	}
	return ret;
}

/* ptrace() and the like; mmap_lock of the other process is held. */
static int user_access(struct vm_area_struct *vma, unsigned long address, void *buf, int length,
		       int write)
{
	struct pciem_mapping *map = NULL;
	struct user_view *view;
	unsigned long page;
	int done = -EIO;
	u64 value, at;

	rcu_read_lock();
	view = view_of(vma);
	rcu_read_unlock();
	if (view && view_page(view, vma->vm_pgoff + ((address - vma->vm_start) >> PAGE_SHIFT), &page))
		map = view_map_get(view);
	if (!map || page >= map->bar->npages)
		goto out;
	length = min_t(int, length, PAGE_SIZE - offset_in_page(address));
	at = ((u64)page << PAGE_SHIFT) + offset_in_page(address);
	for (done = 0; done < length; ) {
		unsigned int size = 8;

		while (size > length - done || !IS_ALIGNED(at + done, size))
			size /= 2;
		if (write) {
			value = 0;
			memcpy(&value, buf + done, size);
			pciem_mmio_write(map, at + done, size, value, true);
		} else {
			value = pciem_mmio_read(map, at + done, size, true);
			memcpy(buf + done, &value, size);
		}
		done += size;
	}
out:
	if (map)
		pciem_mapping_put(map);
	return done;
}

static void view_free(struct user_view *view)
{
	xa_destroy(&view->pages);
	atomic_dec(&view_count);
	kfree_rcu(view, rcu);
}

/* VMAs split and are inherited by children. */
static void user_open(struct vm_area_struct *vma)
{
	struct user_view *view = container_of(vma->vm_ops, struct user_view, ops);

	mutex_lock(&views_lock);
	view->vmas++;
	mutex_unlock(&views_lock);
	__module_get(THIS_MODULE);
	if (view->orig && view->orig->open)
		view->orig->open(vma);
}

static void user_close(struct vm_area_struct *vma)
{
	struct user_view *view = container_of(vma->vm_ops, struct user_view, ops);
	struct pciem_mapping *map = NULL;
	bool last;

	pciem_hook_enter();
	if (view->orig && view->orig->close)
		view->orig->close(vma);
	mutex_lock(&views_lock);
	last = !--view->vmas;
	/* No VMA, no file: view->mapping may be gone as soon as this one is. */
	if (last && rcu_access_pointer(view->map)) {
		map = rcu_replace_pointer(view->map, NULL, true);
		list_del_rcu(&view->node);
	}
	mutex_unlock(&views_lock);
	if (map)
		pciem_mapping_put(map);
	if (last)
		view_free(view);
	module_put(THIS_MODULE);
	pciem_hook_leave();
}

/* Taking pages away */

/* All that can be mapped of a BAR traps afresh. May sleep. */
void pciem_user_update(struct pciem_bar *bar)
{
	struct user_view *view;
	bool shown = false;

	mutex_lock(&views_lock);
	list_for_each_entry(view, &views, node)
		shown |= view->bar == bar;
	/*
	 * Wait for faults that have decided by what was true before. A page that
	 * is not there yet will be by what is true now: this barrier pairs with the
	 * one of the cmpxchg() that puts it there.
	 */
	smp_mb();
	for (unsigned long i = 0; shown && i < bar->npages; i++) {
		struct page *memory = READ_ONCE(bar->touched[i]);

		if (memory) {
			lock_page(memory);
			unlock_page(memory);
		}
		if (!(i % 1024))
			cond_resched();
	}
	list_for_each_entry(view, &views, node)
		if (view->bar == bar)
			unmap_mapping_range(view->mapping, (loff_t)view->first << PAGE_SHIFT,
					    (loff_t)(view->last - view->first) << PAGE_SHIFT, 0);
	mutex_unlock(&views_lock);
}

static void rearm_work(struct work_struct *work)
{
	struct pciem_mapping *map = container_of(to_delayed_work(work), struct pciem_mapping, rearm);

	WRITE_ONCE(map->open_page, PCIEM_NO_PAGE);
	pciem_user_update(map->bar);
	pciem_mapping_put(map);
}

static void open_page(struct pciem_mapping *map, u64 offset)
{
	pciem_ring_lose(map->dev);
	WRITE_ONCE(map->open_page, offset >> PAGE_SHIFT);
	pciem_mapping_rearm(map);
}

/* The device is gone; its files in sysfs are too. */
void pciem_user_remove(struct pciem_device *dev)
{
	struct user_view *view, *next;
	LIST_HEAD(removed);

	mutex_lock(&views_lock);
	list_for_each_entry_safe(view, next, &views, node) {
		struct pciem_mapping *map = rcu_dereference_protected(view->map, true);

		if (map->dev != dev)
			continue;
		list_del_rcu(&view->node);
		rcu_assign_pointer(view->map, NULL);
		unmap_mapping_range(view->mapping, (loff_t)view->first << PAGE_SHIFT,
				    (loff_t)(view->last - view->first) << PAGE_SHIFT, 0);
		if (view->sysfs)
			iput(view->mapping->host);
		if (!view->vmas)
			view_free(view);
		pciem_mapping_put(map);
	}
	mutex_unlock(&views_lock);
}

/* Taking over a VMA */

static struct user_view *view_create(struct vm_area_struct *vma, struct pciem_bar *bar,
				     bool linear, pgoff_t delta)
{
	struct user_view *view = kzalloc(sizeof(*view), GFP_KERNEL_ACCOUNT);
	struct pciem_mapping *map;

	if (!view)
		return NULL;
	map = pciem_mapping_alloc(bar, rearm_work);
	if (!map) {
		kfree(view);
		return NULL;
	}
	map->end = (u64)bar->npages << PAGE_SHIFT;
	RCU_INIT_POINTER(view->map, map);
	view->bar = bar;
	view->orig = vma->vm_ops;
	view->mapping = vma->vm_file->f_mapping;
	view->sysfs = in_sysfs(vma);
	view->linear = linear;
	view->delta = delta;
	view->first = ULONG_MAX;
	xa_init(&view->pages);
	if (view->orig)
		view->ops = *view->orig;
	view->ops.fault = user_fault;
	view->ops.page_mkwrite = user_mkwrite;
	view->ops.access = user_access;
	/* Never taken away: a fault on its way may have seen that there is one. */
	if (view->ops.huge_fault)
		view->ops.huge_fault = user_huge_fault;
	if (view->sysfs) {
		/* kernfs allows no close(), and needs none: it drains its files. */
		ihold(view->mapping->host);
	} else {
		view->ops.open = user_open;
		view->ops.close = user_close;
	}
	atomic_inc(&view_count);
	list_add_rcu(&view->node, &views);
	return view;
}

static struct user_view *view_find(struct vm_area_struct *vma, struct pciem_bar *bar, bool linear,
				   pgoff_t delta)
{
	struct user_view *view;

	list_for_each_entry(view, &views, node)
		if (view->bar == bar && view->orig == vma->vm_ops && view->linear == linear &&
		    view->mapping == vma->vm_file->f_mapping && (!linear || view->delta == delta))
			return view;
	return NULL;
}

/* The VMA's view, made if need be; mmap_lock is held, perhaps for reading only. */
static struct user_view *view_take(struct vm_area_struct *vma, struct pciem_bar *bar, bool linear,
				   pgoff_t delta)
{
	struct user_view *view;
	bool same;

	lockdep_assert_held(&views_lock);
	if (vma->vm_ops && vma->vm_ops->fault == user_fault) {
		view = container_of(vma->vm_ops, struct user_view, ops);
		same = view->bar == bar && (!view->linear || view->delta == delta);
		return same && rcu_access_pointer(view->map) ? view : NULL;
	}
	/* The last moment at which a new view would be found by pciem_user_remove() */
	if (pciem_gone(bar->func->dev) || !vma->vm_file || (in_sysfs(vma) && !linear))
		return NULL;
	view = view_find(vma, bar, linear, delta) ?: view_create(vma, bar, linear, delta);
	if (!view)
		return NULL;
	view->first = min(view->first, vma->vm_pgoff);
	view->last = max(view->last, vma->vm_pgoff + vma_pages(vma));
	if (!view->sysfs) {
		view->vmas++;
		__module_get(THIS_MODULE);
	}
	/* Memory, so cached; and a first write is to be seen. */
	WRITE_ONCE(vma->vm_page_prot, vm_get_page_prot(vma->vm_flags & ~VM_SHARED));
	smp_store_release(&vma->vm_ops, &view->ops);
	return view;
}

static int view_store(struct user_view *view, pgoff_t pgoff, unsigned long page)
{
	return xa_err(xa_store(&view->pages, pgoff, xa_mk_value(page), GFP_KERNEL));
}

/* With size 0 the VMA is taken, but nothing said of its pages. */
static int take_pages(struct vm_area_struct *vma, unsigned long address, unsigned long pfn,
		      unsigned long size, bool whole)
{
	pgoff_t pgoff = vma->vm_pgoff + ((address - vma->vm_start) >> PAGE_SHIFT);
	struct user_view *view;
	struct pciem_bar *bar;
	int ret = -EINVAL;
	u64 offset;

	size = PAGE_ALIGN(size);
	bar = pciem_trap_pages_at((resource_size_t)pfn << PAGE_SHIFT, max(size, PAGE_SIZE), &offset);
	if (!bar)
		return -EINVAL;
	mutex_lock(&views_lock);
	view = view_take(vma, bar, whole, pgoff - (offset >> PAGE_SHIFT));
	if (view)
		ret = 0;
	for (unsigned long i = 0; !ret && !view->linear && i < size >> PAGE_SHIFT; i++)
		ret = view_store(view, pgoff + i, (offset >> PAGE_SHIFT) + i);
	mutex_unlock(&views_lock);
	pciem_device_put(bar->func->dev);
	return ret;
}

/* In place of remap_pfn_range() */
static int pciem_remap_pfn_range(struct vm_area_struct *vma, unsigned long address,
				 unsigned long pfn, unsigned long size, pgprot_t prot)
{
	const unsigned long flags = VM_IO | VM_DONTEXPAND | VM_DONTDUMP;
	int ret;

	pciem_hook_enter();
	if ((vma->vm_flags & flags) != flags)
#ifdef PCIEM_HAVE_VM_FLAGS_SET
		vm_flags_set(vma, flags);
#else
		vma->vm_flags |= flags;
#endif
	ret = take_pages(vma, address, pfn, size, address == vma->vm_start &&
			 PAGE_ALIGN(size) == vma->vm_end - vma->vm_start);
	pciem_hook_leave();
	return ret;
}

/* Until 6.16 the top bits of a pfn_t are flags. */
static unsigned long huge_pfn(u64 pfn)
{
	return pfn & GENMASK_ULL(63 - PAGE_SHIFT, 0);
}

static vm_fault_t insert(struct vm_area_struct *vma, unsigned long address, unsigned long pfn,
			 unsigned long size)
{
	int ret;

	pciem_hook_enter();
	ret = take_pages(vma, address, pfn, size, false);
	pciem_hook_leave();
	return ret == -ENOMEM ? VM_FAULT_OOM : ret ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE;
}

/* In place of vmf_insert_pfn() and vmf_insert_pfn_prot() */
static vm_fault_t pciem_insert_pfn(struct vm_area_struct *vma, unsigned long address,
				   unsigned long pfn)
{
	return insert(vma, address, pfn, PAGE_SIZE);
}

/* In place of vmf_insert_pfn_pmd() and vmf_insert_pfn_pud(): the retry finds another huge_fault(). */
static vm_fault_t pciem_insert_huge_pfn(struct vm_fault *vmf, u64 pfn)
{
	return insert(vmf->vma, vmf->address, huge_pfn(pfn), 0);
}

void notrace pciem_remap_callback(unsigned long ip, unsigned long parent_ip,
				  struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	struct pt_regs *regs = ftrace_get_regs(fregs);

	if (pciem_trap_owns((resource_size_t)regs_get_kernel_argument(regs, 2) << PAGE_SHIFT))
		instruction_pointer_set(regs, (unsigned long)pciem_remap_pfn_range);
}

void notrace pciem_insert_callback(unsigned long ip, unsigned long parent_ip,
				   struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	struct pt_regs *regs = ftrace_get_regs(fregs);

	if (pciem_trap_owns((resource_size_t)regs_get_kernel_argument(regs, 2) << PAGE_SHIFT))
		instruction_pointer_set(regs, (unsigned long)pciem_insert_pfn);
}

void notrace pciem_insert_huge_callback(unsigned long ip, unsigned long parent_ip,
					struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	struct pt_regs *regs = ftrace_get_regs(fregs);
	unsigned long pfn = huge_pfn(regs_get_kernel_argument(regs, 1));

	if (pciem_trap_owns((resource_size_t)pfn << PAGE_SHIFT))
		instruction_pointer_set(regs, (unsigned long)pciem_insert_huge_pfn);
}

/* Accesses */

/* mmap_lock is held; a reference to @target->map is taken. */
static bool target_find(struct vm_area_struct *vma, unsigned long address, bool write,
			struct pciem_target *target)
{
	const unsigned long needed = write ? VM_WRITE | VM_SHARED : 0;
	struct user_view *view;
	unsigned long page;

	if ((vma->vm_flags & needed) != needed || !vma_is_accessible(vma))
		return false;
	rcu_read_lock();
	view = view_of(vma);
	if (!view || !view_page(view, vma->vm_pgoff + ((address - vma->vm_start) >> PAGE_SHIFT), &page)) {
		rcu_read_unlock();
		return false;
	}
	target->map = view_map_get(view);
	target->writable = (vma->vm_flags & (VM_WRITE | VM_SHARED)) == (VM_WRITE | VM_SHARED);
	target->shift = ((u64)page << PAGE_SHIFT) - (address & PAGE_MASK);
	target->start = view->linear ? vma->vm_start : address & PAGE_MASK;
	target->end = view->linear ? vma->vm_end : target->start + PAGE_SIZE;
	rcu_read_unlock();
	return target->map;
}

/**
 * pciem_user_target() - where an access to user memory goes, if to a BAR
 * @address: of the access, in the current process
 * @write: or read
 * @wait: whether mmap_lock may be waited for; else it must be free
 * @target: result; put @target->map
 */
bool pciem_user_target(unsigned long address, bool write, bool wait, struct pciem_target *target)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	bool found = false;

	if (!mm || !atomic_read(&view_count))
		return false;
	if (!mmap_read_trylock(mm)) {
		if (!wait)
			return false;
		mmap_read_lock(mm);
	}
	vma = vma_lookup(mm, address);
	if (vma)
		found = target_find(vma, address, write, target);
	mmap_read_unlock(mm);
	return found;
}

/**
 * pciem_user_wants() - whether a fault that nobody else wants is for pciem_user_trap()
 * @regs: of the fault
 * @error_code: of the fault
 * @address: user address
 *
 * Called in place of giving up, either by fault() of a VMA and with no lock held,
 * or, with interrupts still off, because nothing may be waited for. In the
 * latter case fault() is not asked, so only what can be carried out is wanted.
 */
bool pciem_user_wants(struct pt_regs *regs, unsigned long error_code, unsigned long address)
{
	const unsigned long others = X86_PF_INSTR | X86_PF_PK | X86_PF_RSVD;
	struct mm_struct *mm = current->mm;
	bool atomic = irqs_disabled(), wants;
	struct pciem_target target;
	struct vm_area_struct *vma;

	if (!atomic_read(&view_count) || !in_task() || !mm || error_code & others ||
	    !(regs->flags & X86_EFLAGS_IF))
		return false;
	/* When the lock is taken that is to be found out later: pciem_user_trap() may wait. */
	if (!mmap_read_trylock(mm))
		return !atomic;
	vma = vma_lookup(mm, address);
	if (!vma) {
		wants = false;
	} else if (!atomic) {
		rcu_read_lock();
		wants = view_of(vma);
		rcu_read_unlock();
	} else {
		wants = target_find(vma, address, error_code & X86_PF_WRITE, &target);
		if (wants) {
			wants = page_traps(target.map, (address + target.shift) >> PAGE_SHIFT,
					   error_code & X86_PF_WRITE);
			pciem_mapping_put(target.map);
		}
	}
	mmap_read_unlock(mm);
	return wants;
}

/* In place of bad_area_nosemaphore(). To return is to try again. */
void pciem_user_trap(struct pt_regs *regs, unsigned long error_code, unsigned long address)
{
	bool atomic = irqs_disabled(), may_sleep;
	struct pciem_target target;

	pciem_hook_enter();
	may_sleep = pciem_may_sleep(regs);
	if (atomic)
		local_irq_enable();
	if (pciem_user_target(address, error_code & X86_PF_WRITE, !atomic, &target)) {
		if (!pciem_trap_emulate(&target, regs, address, may_sleep))
			open_page(target.map, address + target.shift);
		pciem_mapping_put(target.map);
	}
	if (atomic)
		local_irq_disable();
	pciem_hook_leave();
}

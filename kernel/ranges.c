// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which accesses are told: TRACE_BAR, TRACE_RANGE and the ranges of a BAR.
 *
 * A BAR has a sorted table of ranges that do not overlap, replaced as a whole
 * and read under RCU, so that an access looks without a lock. What is trapped
 * follows from it page by page (trap.c); what is told, byte by byte.
 *
 * Context: changed with device->lock held; pciem_trace_flags() anywhere.
 */
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "pciem.h"

struct trace_range {
	u64 start;
	u64 end;
	u32 flags;
};

/* Has one range at least. */
struct pciem_trace_table {
	struct rcu_head rcu;
	unsigned int count;
	struct trace_range ranges[];
};

/* What is asked for any of the bytes from @start to @end. */
u32 pciem_trace_flags(struct pciem_bar *bar, u64 start, u64 end)
{
	const struct pciem_trace_table *table;
	unsigned int low = 0, high;
	u32 flags = 0;

	rcu_read_lock();
	table = rcu_dereference(bar->trace);
	if (table) {
		high = table->count;
		while (low < high) {
			unsigned int middle = (low + high) / 2;

			if (table->ranges[middle].end <= start)
				low = middle + 1;
			else
				high = middle;
		}
		for (; low < table->count && table->ranges[low].start < end; low++)
			flags |= table->ranges[low].flags;
	}
	rcu_read_unlock();
	return flags;
}

static void table_append(struct pciem_trace_table *table, u64 start, u64 end, u32 flags)
{
	struct trace_range *last = table->count ? &table->ranges[table->count - 1] : NULL;

	if (start >= end || !flags)
		return;
	if (last && last->end == start && last->flags == flags)
		last->end = end;
	else
		table->ranges[table->count++] = (struct trace_range){ start, end, flags };
}

/* @start to @end get @flags, other bytes keep theirs. */
static int trace_apply(struct pciem_bar *bar, u64 start, u64 end, u32 flags)
{
	struct pciem_device *dev = bar->func->dev;
	struct pciem_trace_table *old, *new;
	bool placed = false;

	old = rcu_dereference_protected(bar->trace, lockdep_is_held(&dev->lock));
	/* One range in the midst of another makes three of it. */
	new = kzalloc(struct_size(new, ranges, (old ? old->count : 0) + 2), GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;
	for (unsigned int i = 0; old && i < old->count; i++) {
		const struct trace_range *range = &old->ranges[i];

		table_append(new, range->start, min(range->end, start), range->flags);
		if (!placed && range->end > start) {
			table_append(new, start, end, flags);
			placed = true;
		}
		table_append(new, max(range->start, end), range->end, range->flags);
	}
	if (!placed)
		table_append(new, start, end, flags);
	if (new->count > PCIEM_TRACE_RANGES_MAX) {
		kfree(new);
		return -ENOSPC;
	}
	if (!new->count) {
		kfree(new);
		new = NULL;
	}
	rcu_assign_pointer(bar->trace, new);
	if (old)
		kfree_rcu(old, rcu);
	pciem_trap_update(bar, start, end);
	return 0;
}

static struct pciem_bar *traceable(struct pciem_device *dev, u8 nr, u32 index)
{
	struct pciem_func *func = pciem_func(dev, nr);

	if (IS_ERR(func))
		return ERR_CAST(func);
	if (index >= PCIEM_MAX_BARS)
		return ERR_PTR(-EINVAL);
	return func->bars[index].size ? &func->bars[index] : ERR_PTR(-ENXIO);
}

/* TRACE_BAR: all of it, to the end of its last page, once. */
int pciem_trace_bar(struct pciem_device *dev, const struct pciem_trace_bar *arg)
{
	const u32 known = PCIEM_TRACE_READS | PCIEM_TRACE_WRITES | PCIEM_TRACE_STOP_WRITES;
	struct pciem_bar *bar = traceable(dev, arg->func, arg->bar_index);
	int ret;

	if (bar == ERR_PTR(-ENODEV))
		return -ENODEV;
	if ((!arg->flags || arg->flags & ~known) && !pciem_lenient(dev))
		return -EINVAL;
	if (IS_ERR(bar))
		return PTR_ERR(bar);
	if (bar->traced)
		return -EINVAL;
	ret = trace_apply(bar, 0, (u64)bar->npages << PAGE_SHIFT, arg->flags & known);
	bar->traced = !ret;
	return ret;
}

/* TRACE_RANGE */
int pciem_trace_range(struct pciem_device *dev, const struct pciem_trace_range *arg)
{
	const u32 sync = PCIEM_TRACE_SYNC_READS | PCIEM_TRACE_SYNC_WRITES;
	const u32 known = PCIEM_TRACE_READS | PCIEM_TRACE_WRITES | PCIEM_TRACE_STOP_WRITES | sync;
	struct pciem_bar *bar;

	if (arg->flags & ~known || memchr_inv(arg->reserved, 0, sizeof(arg->reserved)))
		return -EINVAL;
	if (arg->flags & sync && !dev->ring.wide)
		return -EINVAL;
	bar = traceable(dev, arg->func, arg->bar_index);
	if (IS_ERR(bar))
		return PTR_ERR(bar);
	if (!arg->length || arg->offset >= bar->size || arg->length > bar->size - arg->offset)
		return -EINVAL;
	return trace_apply(bar, arg->offset, arg->offset + arg->length, arg->flags);
}

/* The device is freed, and with it its last user; or the BAR is, before it was mapped. */
void pciem_trace_free(struct pciem_bar *bar)
{
	kfree(rcu_replace_pointer(bar->trace, NULL, true));
	bar->traced = false;
}

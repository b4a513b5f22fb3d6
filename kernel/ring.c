// SPDX-License-Identifier: GPL-2.0-only
/*
 * The event ring.
 *
 * Userspace may write all of the shared memory. The kernel keeps its tail to
 * itself, never uses the shared head as an index, and reads nothing else from it.
 *
 * There are two layouts: struct pciem_ring, which programs were compiled
 * against, and struct pciem_wide_ring after PCIEM_IOC_SETUP_RING.
 *
 * An access that finds the ring full waits for room: asleep where it may,
 * else spinning, for a bounded time. Once a consumer has let one access run
 * into the bound, others wait no more until it moves on.
 *
 * Context: pciem_ring_begin() to pciem_ring_end() in any context but NMI, with
 * ring->lock held in between, so that the order of events is the order in
 * which the accesses took effect.
 */
#include <linux/delay.h>
#include <linux/eventfd.h>
#include <linux/log2.h>
#include <linux/moduleparam.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>
#include <linux/vmalloc.h>

#include "pciem.h"
#include "trace.h"

static unsigned int ring_wait_ms = 1000;
module_param(ring_wait_ms, uint, 0644);
MODULE_PARM_DESC(ring_wait_ms, "longest wait for room in a full ring, where an access may sleep");

static unsigned int ring_spin_ms = 200;
module_param(ring_spin_ms, uint, 0644);
MODULE_PARM_DESC(ring_spin_ms, "longest wait for room in a full ring, where it may not");

void pciem_ring_init(struct pciem_event_ring *ring)
{
	raw_spin_lock_init(&ring->lock);
	init_waitqueue_head(&ring->readers);
	ring->slots = PCIEM_RING_EVENTS;
	ring->stalled = ~0ULL;
}

/* device->lock is held by the callers of this and the next two. */
int pciem_ring_setup(struct pciem_device *dev, u32 slots)
{
	struct pciem_event_ring *ring = &dev->ring;

	if (!is_power_of_2(slots) || slots < PCIEM_RING_EVENTS || slots > PCIEM_RING_MAX_EVENTS)
		return -EINVAL;
	if (dev->state != PCIEM_BUILDING || ring->shared)
		return -EBUSY;
	ring->slots = slots;
	ring->wide = true;
	return 0;
}

int pciem_ring_alloc(struct pciem_event_ring *ring)
{
	if (ring->shared)
		return 0;
	ring->bytes = PAGE_ALIGN(ring->wide ? PCIEM_WIDE_RING_BYTES((size_t)ring->slots) :
			 PCIEM_RING_BYTES((size_t)ring->slots));
	ring->shared = vmalloc_user(ring->bytes);
	return ring->shared ? 0 : -ENOMEM;
}

int pciem_ring_mmap(struct pciem_device *dev, struct vm_area_struct *vma)
{
	struct pciem_event_ring *ring = &dev->ring;
	int ret;

	if (vma->vm_pgoff)
		return -EINVAL;
	ret = pciem_ring_alloc(ring);
	if (ret)
		return ret;
	if (vma->vm_end - vma->vm_start > ring->bytes)
		return -EINVAL;
	return remap_vmalloc_range(vma, ring->shared, 0);
}

void pciem_ring_free(struct pciem_event_ring *ring)
{
	struct eventfd_ctx *eventfd = rcu_dereference_protected(ring->eventfd, true);

	if (eventfd)
		eventfd_ctx_put(eventfd);
	/* User mappings hold the pages. */
	vfree(ring->shared);
}

static u64 ring_head(struct pciem_event_ring *ring)
{
	struct pciem_wide_ring *wide = ring->shared;
	struct pciem_ring *narrow = ring->shared;

	return ring->wide ? smp_load_acquire(&wide->head) :
	       smp_load_acquire(&narrow->head) & (ring->slots - 1);
}

/* By the shared tail, which the reader looks at too: it finds what poll() told it of. */
bool pciem_ring_readable(struct pciem_event_ring *ring)
{
	struct pciem_wide_ring *wide = ring->shared;
	struct pciem_ring *narrow = ring->shared;

	if (ring->wide)
		return smp_load_acquire(&wide->tail) != ring_head(ring);
	return (smp_load_acquire(&narrow->tail) & (ring->slots - 1)) != ring_head(ring);
}

static void eventfd_tell(struct eventfd_ctx *eventfd)
{
#ifdef PCIEM_EVENTFD_SIGNAL_TAKES_COUNT
	eventfd_signal(eventfd, 1);
#else
	eventfd_signal(eventfd);
#endif
}

/* Replace the eventfd; -1 removes it. A new one is told of what is in the ring already. */
int pciem_ring_set_eventfd(struct pciem_device *dev, int fd)
{
	struct eventfd_ctx *new = NULL, *old;

	if (fd < -1 && !pciem_lenient(dev))
		return -EINVAL;
	if (fd >= 0) {
		new = eventfd_ctx_fdget(fd);
		if (IS_ERR(new))
			return PTR_ERR(new);
	}
	old = rcu_replace_pointer(dev->ring.eventfd, new, lockdep_is_held(&dev->lock));
	if (old) {
		synchronize_rcu();
		eventfd_ctx_put(old);
	}
	/* @new is there until the next call, which waits for device->lock. */
	if (new && dev->ring.shared && pciem_ring_readable(&dev->ring))
		eventfd_tell(new);
	return 0;
}

static bool ring_full(struct pciem_event_ring *ring)
{
	if (ring->wide)
		return ring->tail - ring_head(ring) >= ring->slots;
	return ((ring->tail + 1) & (ring->slots - 1)) == ring_head(ring);
}

/* Wait with the lock released; false when the bound was reached. */
static bool ring_wait(struct pciem_device *dev, bool may_sleep, unsigned long *flags)
	__must_hold(&dev->ring.lock)
{
	struct pciem_event_ring *ring = &dev->ring;
	u64 deadline;

	if (ring->stalled == ring_head(ring))
		return false;
	atomic64_inc(&ring->waits);
	/* A task on its way into schedule() must not lose its state. */
	may_sleep = may_sleep && task_is_running(current);
	/* Not the scheduler's clock, which may stand still while interrupts are off */
	deadline = ktime_get_mono_fast_ns() +
		   (u64)NSEC_PER_MSEC * (may_sleep ? ring_wait_ms : ring_spin_ms);
	do {
		if (pciem_gone(dev))
			return false;
		raw_spin_unlock_irqrestore(&ring->lock, *flags);
		if (may_sleep)
			usleep_range(20, 100);
		else
			cpu_relax();
		raw_spin_lock_irqsave(&ring->lock, *flags);
		if (!ring_full(ring))
			return true;
	} while (ktime_get_mono_fast_ns() < deadline);
	ring->stalled = ring_head(ring);
	return false;
}

static void ring_count_lost(struct pciem_event_ring *ring)
{
	struct pciem_wide_ring *wide = ring->shared;
	struct pciem_ring *narrow = ring->shared;

	ring->seq++;
	ring->untold++;
	WRITE_ONCE(*(ring->wide ? &wide->lost : &narrow->lost), atomic64_inc_return(&ring->lost));
	trace_pciem_event_lost(container_of(ring, struct pciem_device, ring),
			       atomic64_read(&ring->lost));
}

/* An access took place that cannot be told. */
void pciem_ring_lose(struct pciem_device *dev)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&dev->ring.lock, flags);
	ring_count_lost(&dev->ring);
	raw_spin_unlock_irqrestore(&dev->ring.lock, flags);
}

static struct pciem_event *ring_slot(struct pciem_event_ring *ring)
{
	struct pciem_wide_ring *wide = ring->shared;
	struct pciem_ring *narrow = ring->shared;
	u32 slot = ring->tail & (ring->slots - 1);

	return ring->wide ? &wide->events[slot].event : &narrow->events[slot];
}

/* What is in the next slot becomes the consumer's. */
static void ring_publish(struct pciem_event_ring *ring, struct pciem_event *event)
{
	struct pciem_wide_ring *wide = ring->shared;
	struct pciem_ring *narrow = ring->shared;

	ring->seq++;
	event->seq = ring->wide ? ring->seq : 0;
	event->timestamp = ktime_get_mono_fast_ns();
	ring->tail++;
	if (ring->wide)
		smp_store_release(&wide->tail, ring->tail);
	else
		smp_store_release(&narrow->tail, (u32)ring->tail & (ring->slots - 1));
	atomic64_inc(&ring->events);
}

/*
 * Before the first event after a gap, which wakes the consumer for both. When
 * there is room for this one only, the consumer has yet to take what is before it.
 */
static void ring_tell_lost(struct pciem_event_ring *ring)
{
	const struct pciem_report report = { .type = PCIEM_EVENT_LOST, .data = ring->untold };
	struct pciem_event *event = ring_slot(ring);

	pciem_ring_fill(ring, event, &report);
	ring_publish(ring, event);
	ring->untold = 0;
}

/*
 * Take the lock and the next slot; NULL when the event is lost, with the lock
 * taken all the same.
 */
struct pciem_event *pciem_ring_begin(struct pciem_device *dev, bool may_sleep,
				     unsigned long *flags)
	__acquires(&dev->ring.lock)
{
	struct pciem_event_ring *ring = &dev->ring;

	raw_spin_lock_irqsave(&ring->lock, *flags);
	for (;;) {
		if (unlikely(ring_full(ring)) && !ring_wait(dev, may_sleep, flags)) {
			ring_count_lost(ring);
			return NULL;
		}
		if (likely(!ring->untold) || !(READ_ONCE(ring->mask) & PCIEM_EVENTS_LOST))
			return ring_slot(ring);
		ring_tell_lost(ring);
	}
}

/* Say what an event of pciem_ring_begin() is. */
void pciem_ring_fill(struct pciem_event_ring *ring, struct pciem_event *event,
		     const struct pciem_report *report)
{
	struct pciem_wide_event *wide;

	event->type = report->type;
	event->bar = report->bar;
	event->offset = report->offset;
	event->size = report->size;
	event->data = report->data;
	event->cpu = 0;
	if (!ring->wide)
		return;
	event->cpu = raw_smp_processor_id() | report->func << 16;
	wide = container_of(event, struct pciem_wide_event, event);
	wide->pid = in_task() ? task_pid_nr(current) : 0;
	wide->flags = report->flags;
	wide->extra = report->extra;
}

/**
 * pciem_ring_report() - tell of something that is no MMIO access
 * @dev: a registered device
 * @kind: the PCIEM_EVENTS_* bit that it comes under
 * @report: what to tell
 * @may_sleep: whether the caller may, while the ring is full
 */
void pciem_ring_report(struct pciem_device *dev, u32 kind, const struct pciem_report *report,
		       bool may_sleep)
{
	struct pciem_event *event;
	unsigned long flags;

	if (!(READ_ONCE(dev->ring.mask) & kind) || pciem_gone(dev))
		return;
	event = pciem_ring_begin(dev, may_sleep, &flags);
	if (event)
		pciem_ring_fill(&dev->ring, event, report);
	pciem_ring_end(dev, event, flags);
}

int pciem_ring_set_events(struct pciem_device *dev, const struct pciem_set_events *arg)
{
	if (arg->reserved || arg->mask & ~PCIEM_EVENTS_ALL || !dev->ring.wide)
		return -EINVAL;
	WRITE_ONCE(dev->ring.mask, arg->mask);
	return 0;
}

static void ring_signal(struct pciem_event_ring *ring)
{
	struct eventfd_ctx *eventfd;

	rcu_read_lock();
	eventfd = rcu_dereference(ring->eventfd);
	if (eventfd && eventfd_signal_allowed())
		eventfd_tell(eventfd);
	rcu_read_unlock();
	if (wq_has_sleeper(&ring->readers))
		wake_up_interruptible_poll(&ring->readers, EPOLLIN | EPOLLRDNORM);
}

/* Publish what pciem_ring_begin() returned, once filled, and let go of the lock. */
void pciem_ring_end(struct pciem_device *dev, struct pciem_event *event, unsigned long flags)
	__releases(&dev->ring.lock)
{
	if (event)
		ring_publish(&dev->ring, event);
	raw_spin_unlock_irqrestore(&dev->ring.lock, flags);
	if (event)
		ring_signal(&dev->ring);
}

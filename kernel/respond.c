// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests: accesses that the device answers.
 *
 * A request is on the stack of the access that waits. It is in the table of
 * its device from before its event can be seen until one of three takes it
 * out, under the lock: the response, the end of the device, or the waiter
 * itself. A waiter that only spins may leave as soon as it sees "done", after
 * which nobody touches the request; one that made itself known as a sleeper
 * leaves through the lock, as it may still be on its way to be woken.
 *
 * The waiter spins as long as the device's latest answers say that it pays,
 * then sleeps where it may.
 *
 * Context: pciem_request_open() between pciem_ring_begin() and
 * pciem_ring_end(); pciem_request_wait() in any context but NMI, with no lock
 * of ours; the others in process context.
 */
#include <linux/cpumask.h>
#include <linux/hrtimer.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "pciem.h"

static unsigned int sync_spin_us = 100;
module_param(sync_spin_us, uint, 0644);
MODULE_PARM_DESC(sync_spin_us, "longest wait for an answer before sleeping, where an access may sleep");

static unsigned int sync_spin_ms = 100;
module_param(sync_spin_ms, uint, 0644);
MODULE_PARM_DESC(sync_spin_ms, "longest wait for an answer where it may not");

/* Responses that are fetched at a time, and taken by one write() */
#define RESPOND_CHUNK	16
#define RESPOND_MAX	4096

/* Looks at a request between two at the clock */
#define SPIN_LOOKS	16

void pciem_requests_init(struct pciem_requests *requests)
{
	raw_spin_lock_init(&requests->lock);
	requests->timeout_us = PCIEM_COMPLETION_TIMEOUT_DEFAULT;
}

static struct hlist_head *bucket(struct pciem_requests *requests, u64 seq)
{
	return &requests->pending[seq % PCIEM_REQUEST_BUCKETS];
}

static bool request_done(const struct pciem_request *request)
{
	return smp_load_acquire(&request->done);
}

/* Takes it out of the table, and is the last to touch it but for a sleeper's wake-up. */
static void request_complete(struct pciem_request *request, u64 data, u32 status)
{
	struct task_struct *sleeper = request->sleeper;

	hlist_del(&request->node);
	request->data = data;
	request->status = status;
	smp_store_release(&request->done, true);
	if (sleeper)
		wake_up_process(sleeper);
}

/* The next event to be published asks for an answer; ring->lock is held. */
void pciem_request_open(struct pciem_device *dev, struct pciem_request *request)
{
	struct pciem_requests *requests = &dev->requests;

	lockdep_assert_held(&dev->ring.lock);
	request->seq = dev->ring.seq + 1;
	request->status = ~0U;
	request->sleeper = NULL;
	request->asked = ktime_get_mono_fast_ns();
	raw_spin_lock(&requests->lock);
	request->done = pciem_gone(dev);
	if (!request->done)
		hlist_add_head(&request->node, bucket(requests, request->seq));
	raw_spin_unlock(&requests->lock);
}

static bool killed(void)
{
	return in_task() && fatal_signal_pending(current);
}

static bool request_spin(const struct pciem_request *request, u64 end, bool may_sleep,
			 bool may_block)
{
	do {
		for (unsigned int look = 0; look < SPIN_LOOKS; look++) {
			if (request_done(request))
				return true;
			cpu_relax();
		}
		if (killed())
			return false;
		/* Whoever wants this CPU may be the device. */
		if (may_sleep && need_resched()) {
			if (may_block)
				return false;
			cond_resched();
		}
	} while (ktime_get_mono_fast_ns() < end);
	return request_done(request);
}

static void request_sleep(struct pciem_requests *requests, struct pciem_request *request, u64 end)
{
	ktime_t expires = ns_to_ktime(end);
	unsigned long flags;

	raw_spin_lock_irqsave(&requests->lock, flags);
	request->sleeper = current;
	raw_spin_unlock_irqrestore(&requests->lock, flags);
	for (;;) {
		set_current_state(TASK_KILLABLE);
		if (request_done(request) || fatal_signal_pending(current))
			break;
		if (!schedule_hrtimeout(&expires, HRTIMER_MODE_ABS))
			break;
	}
	__set_current_state(TASK_RUNNING);
}

/* How long a spin may last so that it mostly meets the answer; 0 when it would mostly not. */
static u64 spin_ns(const struct pciem_requests *requests)
{
	u64 limit = (u64)READ_ONCE(sync_spin_us) * NSEC_PER_USEC;
	u64 pace = READ_ONCE(requests->pace);

	if (num_online_cpus() == 1 || pace > limit)
		return 0;
	return min(limit, 2 * pace + limit / 8);
}

/**
 * pciem_request_wait() - wait for the answer to an event that was published
 * @dev: device
 * @request: from pciem_request_open()
 * @report: what the event said, for the event that tells of a time-out
 * @may_sleep: whether the access may
 *
 * Return: true when the device answered; then request->data is the answer.
 */
bool pciem_request_wait(struct pciem_device *dev, struct pciem_request *request,
			const struct pciem_report *report, bool may_sleep)
{
	struct pciem_requests *requests = &dev->requests;
	u64 timeout = (u64)READ_ONCE(requests->timeout_us) * NSEC_PER_USEC;
	/* A task on its way into schedule() must not lose its state. */
	bool may_block = may_sleep && task_is_running(current), open;
	struct pciem_report late = *report;
	unsigned long flags;
	u64 spin;

	if (may_block) {
		spin = min(timeout, spin_ns(requests));
	} else {
		timeout = min(timeout, (u64)READ_ONCE(sync_spin_ms) * NSEC_PER_MSEC);
		spin = timeout;
	}
	if (request_spin(request, ktime_get_mono_fast_ns() + spin, may_sleep, may_block))
		return !request->status;
	if (may_block)
		request_sleep(requests, request, request->asked + timeout);

	raw_spin_lock_irqsave(&requests->lock, flags);
	open = !request->done;
	if (open)
		hlist_del(&request->node);
	raw_spin_unlock_irqrestore(&requests->lock, flags);
	if (!open)
		return !request->status;
	if (killed()) {
		atomic64_inc(&requests->abandoned);
		return false;
	}
	atomic64_inc(&requests->timeouts);
	late.type = PCIEM_EVENT_TIMEOUT;
	late.data = 0;
	late.flags = 0;
	late.extra = request->seq;
	pciem_ring_report(dev, PCIEM_EVENTS_TIMEOUT, &late, may_sleep);
	return false;
}

/* The device is gone: nobody will answer. New requests see that themselves. */
void pciem_requests_end(struct pciem_device *dev)
{
	struct pciem_requests *requests = &dev->requests;
	struct pciem_request *request;
	struct hlist_node *next;
	unsigned long flags;

	raw_spin_lock_irqsave(&requests->lock, flags);
	for (unsigned int i = 0; i < PCIEM_REQUEST_BUCKETS; i++)
		hlist_for_each_entry_safe(request, next, &requests->pending[i], node)
			request_complete(request, 0, ~0U);
	raw_spin_unlock_irqrestore(&requests->lock, flags);
}

static bool respond(struct pciem_requests *requests, const struct pciem_response *response)
{
	u64 now = ktime_get_mono_fast_ns();
	struct pciem_request *request;
	unsigned long flags;
	bool found = false;
	s64 took;

	raw_spin_lock_irqsave(&requests->lock, flags);
	hlist_for_each_entry(request, bucket(requests, response->seq), node) {
		if (request->seq != response->seq)
			continue;
		/* One answer that took very long is not to be remembered for long. */
		took = min_t(s64, now - request->asked, NSEC_PER_MSEC);
		WRITE_ONCE(requests->pace, requests->pace + (took - (s64)requests->pace) / 8);
		request_complete(request, response->data, response->status);
		found = true;
		break;
	}
	raw_spin_unlock_irqrestore(&requests->lock, flags);
	return found;
}

/* write() on the device file */
ssize_t pciem_respond(struct pciem_device *dev, const char __user *user, size_t bytes)
{
	struct pciem_response responses[RESPOND_CHUNK];
	unsigned long found = 0, late = 0;
	size_t taken = 0;
	int error = -ESRCH;

	if (!dev->ring.wide || !bytes || bytes % sizeof(*responses))
		return -EINVAL;
	bytes = min(bytes, RESPOND_MAX * sizeof(*responses));
	while (taken < bytes) {
		size_t chunk = min(bytes - taken, sizeof(responses));

		if (pciem_copy_in(responses, user + taken, chunk)) {
			error = -EFAULT;
			break;
		}
		for (size_t i = 0; i < chunk / sizeof(*responses); i++) {
			if (responses[i].reserved) {
				error = -EINVAL;
				goto out;
			}
			if (respond(&dev->requests, &responses[i]))
				found++;
			else
				late++;
			taken += sizeof(*responses);
		}
		cond_resched();
	}
out:
	atomic64_add(late, &dev->requests.late);
	return found ? taken : error;
}

int pciem_set_completion_timeout(struct pciem_device *dev,
				 const struct pciem_completion_timeout *arg)
{
	if (arg->reserved || !arg->microseconds ||
	    arg->microseconds > PCIEM_COMPLETION_TIMEOUT_MAX)
		return -EINVAL;
	WRITE_ONCE(dev->requests.timeout_us, arg->microseconds);
	return 0;
}

void pciem_device_stats(struct pciem_device *dev, struct pciem_device_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->events = atomic64_read(&dev->ring.events);
	stats->lost = atomic64_read(&dev->ring.lost);
	stats->waits = atomic64_read(&dev->ring.waits);
	stats->sync_reads = atomic64_read(&dev->requests.reads);
	stats->sync_writes = atomic64_read(&dev->requests.writes);
	stats->sync_timeouts = atomic64_read(&dev->requests.timeouts);
	stats->sync_abandoned = atomic64_read(&dev->requests.abandoned);
	stats->late_responses = atomic64_read(&dev->requests.late);
}

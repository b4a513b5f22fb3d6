// SPDX-License-Identifier: GPL-2.0-only
/*
 * irqfd: an eventfd whose signals raise an interrupt vector, or drive the pin.
 *
 * The eventfd calls us with its lock held and interrupts off, so the interrupt
 * is raised from an irq_work. When the eventfd is closed the same call only
 * queues the work that lets go of it: taking our entry off its wait queue there
 * would need the lock that is held.
 *
 * Resample eventfds are signalled from a work: they can lead to the next
 * interrupt, and so on for ever, and other tasks are to have the CPU in between.
 *
 * Locking: irqfd_lock, a mutex, for the lists of all devices; the eventfd's lock
 * inside it. The work that signals reads the list under RCU.
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/rculist.h>
#include <linux/slab.h>

#include "pciem.h"

struct irqfd {
	struct list_head node;		/* device->irqfds */
	struct rcu_head rcu;
	bool detached;			/* no longer there; under irqfd_lock */
	struct pciem_func *func;
	unsigned int vector;
	u32 flags;
	struct eventfd_ctx *eventfd;
	struct eventfd_ctx *resample;	/* or NULL */
	wait_queue_entry_t wait;
	poll_table poll;
	atomic_t signals;
	struct irq_work raise;
	struct work_struct release;
};

static DEFINE_MUTEX(irqfd_lock);
static struct workqueue_struct *irqfd_wq;

/* Programs of the older interface say LEVEL of messages too. */
static bool for_message(const struct irqfd *irqfd)
{
	unsigned int vectors;

	return irqfd->flags & PCIEM_IRQFD_LEVEL && pciem_lenient(irqfd->func->dev) &&
	       pciem_irq_mode(irqfd->func, &vectors) >= PCIEM_IRQ_MSI;
}

static void irqfd_raise(struct irq_work *work)
{
	struct irqfd *irqfd = container_of(work, struct irqfd, raise);
	struct pciem_func *func = irqfd->func;
	int n = atomic_xchg(&irqfd->signals, 0);

	if (pciem_gone(func->dev) || smp_load_acquire(&func->dev->state) != PCIEM_STARTED)
		return;
	if (irqfd->flags & (PCIEM_IRQFD_LEVEL | PCIEM_IRQFD_DEASSERT) && !for_message(irqfd)) {
		if (n)
			pciem_irq_set_level(func, irqfd->flags & PCIEM_IRQFD_LEVEL);
		return;
	}
	while (n--)
		pciem_irq_raise_nowait(func, irqfd->vector);
}

static int irqfd_wakeup(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct irqfd *irqfd = container_of(wait, struct irqfd, wait);
	__poll_t events = key_to_poll(key);
	u64 count;

	if (events & EPOLLIN) {
		eventfd_ctx_do_read(irqfd->eventfd, &count);
		atomic_inc(&irqfd->signals);
		irq_work_queue(&irqfd->raise);
	}
	if (events & EPOLLHUP)
		queue_work(irqfd_wq, &irqfd->release);
	return 0;
}

/* The handler has run, and the pin was taken down for it. */
void pciem_irqfd_resample(struct work_struct *work)
{
	struct pciem_func *func = container_of(work, struct pciem_func, resample);
	struct irqfd *irqfd;

	if (!xchg(&func->pin.resample, false))
		return;
	rcu_read_lock();
	list_for_each_entry_rcu(irqfd, &func->dev->irqfds, node) {
		if (irqfd->func != func || !irqfd->resample)
			continue;
#ifdef PCIEM_EVENTFD_SIGNAL_TAKES_COUNT
		eventfd_signal(irqfd->resample, 1);
#else
		eventfd_signal(irqfd->resample);
#endif
	}
	rcu_read_unlock();
}

/* From any context. */
void pciem_irqfd_resample_later(struct pciem_func *func)
{
	queue_work(irqfd_wq, &func->resample);
}

/* After this nobody knows it but its release work. irqfd_lock is held. */
static void irqfd_detach(struct irqfd *irqfd)
{
	u64 count;

	irqfd->detached = true;
	list_del_rcu(&irqfd->node);
	eventfd_ctx_remove_wait_queue(irqfd->eventfd, &irqfd->wait, &count);
	irq_work_sync(&irqfd->raise);
	eventfd_ctx_put(irqfd->eventfd);
	if (irqfd->resample) {
		pciem_irq_resamplers(irqfd->func, -1);
		synchronize_rcu();
		eventfd_ctx_put(irqfd->resample);
	}
}

/* The eventfd was closed. */
static void irqfd_release(struct work_struct *work)
{
	struct irqfd *irqfd = container_of(work, struct irqfd, release);
	bool mine;

	mutex_lock(&irqfd_lock);
	mine = !irqfd->detached;
	if (mine)
		irqfd_detach(irqfd);
	mutex_unlock(&irqfd_lock);
	/* Otherwise who detached it waits for us, and frees it. */
	if (mine)
		kfree_rcu(irqfd, rcu);
}

static void irqfd_queue(struct file *file, wait_queue_head_t *head, poll_table *poll)
{
	struct irqfd *irqfd = container_of(poll, struct irqfd, poll);

	add_wait_queue(head, &irqfd->wait);
}

/* irqfd_lock is held. */
static struct irqfd *irqfd_find(struct pciem_func *func, struct eventfd_ctx *eventfd,
				unsigned int vector)
{
	struct irqfd *irqfd;

	list_for_each_entry(irqfd, &func->dev->irqfds, node)
		if (irqfd->func == func && irqfd->eventfd == eventfd && irqfd->vector == vector)
			return irqfd;
	return NULL;
}

/* It was detached by the caller. */
static void irqfd_free(struct irqfd *irqfd)
{
	cancel_work_sync(&irqfd->release);
	kfree_rcu(irqfd, rcu);
}

static int irqfd_remove(struct pciem_func *func, struct eventfd_ctx *eventfd, unsigned int vector)
{
	struct irqfd *irqfd;

	mutex_lock(&irqfd_lock);
	irqfd = irqfd_find(func, eventfd, vector);
	if (irqfd)
		irqfd_detach(irqfd);
	mutex_unlock(&irqfd_lock);
	if (!irqfd)
		return -ENOENT;
	irqfd_free(irqfd);
	return 0;
}

static int irqfd_add(struct pciem_func *func, const struct pciem_irqfd *arg, struct file *file)
{
	struct irqfd *irqfd = kzalloc(sizeof(*irqfd), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!irqfd)
		return -ENOMEM;
	irqfd->eventfd = eventfd_ctx_fileget(file);
	if (IS_ERR(irqfd->eventfd)) {
		ret = PTR_ERR(irqfd->eventfd);
		goto no_eventfd;
	}
	if (arg->flags & PCIEM_IRQFD_RESAMPLE) {
		irqfd->resample = eventfd_ctx_fdget(arg->resamplefd);
		if (IS_ERR(irqfd->resample)) {
			ret = PTR_ERR(irqfd->resample);
			goto no_resample;
		}
		/* It would ask for the interrupt that it follows. */
		ret = -EINVAL;
		if (irqfd->resample == irqfd->eventfd)
			goto refused;
	}
	irqfd->func = func;
	irqfd->vector = arg->vector;
	irqfd->flags = arg->flags;
	irqfd->raise = IRQ_WORK_INIT_HARD(irqfd_raise);
	INIT_WORK(&irqfd->release, irqfd_release);
	init_waitqueue_func_entry(&irqfd->wait, irqfd_wakeup);
	init_poll_funcptr(&irqfd->poll, irqfd_queue);

	mutex_lock(&irqfd_lock);
	if (irqfd_find(func, irqfd->eventfd, irqfd->vector)) {
		mutex_unlock(&irqfd_lock);
		ret = -EBUSY;
		goto refused;
	}
	list_add_tail_rcu(&irqfd->node, &func->dev->irqfds);
	mutex_unlock(&irqfd_lock);
	if (irqfd->resample)
		pciem_irq_resamplers(func, 1);
	/* We hold the file, so it is not closed before the entry is in place. */
	if (vfs_poll(file, &irqfd->poll) & EPOLLIN) {
		/* signalled before */
		atomic_inc(&irqfd->signals);
		irq_work_queue(&irqfd->raise);
	}
	return 0;

refused:
	if (irqfd->resample)
		eventfd_ctx_put(irqfd->resample);
no_resample:
	eventfd_ctx_put(irqfd->eventfd);
no_eventfd:
	kfree(irqfd);
	return ret;
}

static bool flags_valid(const struct pciem_irqfd *arg)
{
	if (!(arg->flags & PCIEM_IRQFD_RESAMPLE) && arg->resamplefd != -1)
		return false;
	switch (arg->flags) {
	case 0:
	case PCIEM_IRQFD_REMOVE:
		return true;
	case PCIEM_IRQFD_LEVEL:
	case PCIEM_IRQFD_DEASSERT:
	case PCIEM_IRQFD_LEVEL | PCIEM_IRQFD_RESAMPLE:
		return !arg->vector;
	}
	return false;
}

static int irqfd_attach(struct pciem_func *func, const struct pciem_irqfd *arg)
{
	struct file *file = fget(arg->eventfd);
	int ret;

	if (!file)
		return -EBADF;
	ret = irqfd_add(func, arg, file);
	fput(file);
	return ret;
}

/* device->lock is held, so that nobody removes what is just being added. */
int pciem_irqfd_set(struct pciem_device *dev, const struct pciem_irqfd *arg)
{
	struct pciem_func *func = pciem_func(dev, arg->func);
	struct eventfd_ctx *eventfd;
	int ret;

	lockdep_assert_held(&dev->lock);
	if (IS_ERR(func))
		return PTR_ERR(func);
	if (!flags_valid(arg) || memchr_inv(arg->reserved, 0, sizeof(arg->reserved)))
		return -EINVAL;
	if (arg->vector >= pciem_irq_vectors(func))
		return -EINVAL;
	if (arg->flags & PCIEM_IRQFD_REMOVE) {
		eventfd = eventfd_ctx_fdget(arg->eventfd);
		if (IS_ERR(eventfd))
			return PTR_ERR(eventfd);
		ret = irqfd_remove(func, eventfd, arg->vector);
		eventfd_ctx_put(eventfd);
		return ret;
	}
	return irqfd_attach(func, arg);
}

/* The call that old programs make; its reserved bytes may hold anything. */
int pciem_irqfd_config(struct pciem_device *dev, const struct pciem_irqfd_config *arg)
{
	const u32 known = PCIEM_IRQFD_LEVEL | PCIEM_IRQFD_DEASSERT;
	struct pciem_irqfd set = {
		.eventfd = arg->eventfd, .resamplefd = -1, .vector = arg->vector,
		.flags = arg->flags, .func = arg->func,
	};
	struct pciem_func *func;
	int ret;

	if (!pciem_lenient(dev))
		return arg->flags & ~known ? -EINVAL : pciem_irqfd_set(dev, &set);

	func = pciem_func(dev, arg->func);
	if (IS_ERR(func))
		return PTR_ERR(func);
	/* Up and down again is what a signal does without flags. */
	set.flags &= known;
	if (set.flags == known)
		set.flags = 0;
	ret = irqfd_attach(func, &set);
	/* Asked for again, it is there already. */
	return ret == -EBUSY ? 0 : ret;
}

/* The device's file is closed; no call adds another. */
void pciem_irqfd_remove_all(struct pciem_device *dev)
{
	struct irqfd *irqfd;

	for (;;) {
		mutex_lock(&irqfd_lock);
		irqfd = list_first_entry_or_null(&dev->irqfds, struct irqfd, node);
		if (irqfd)
			irqfd_detach(irqfd);
		mutex_unlock(&irqfd_lock);
		if (!irqfd)
			return;
		irqfd_free(irqfd);
	}
}

int pciem_irqfd_init(void)
{
	irqfd_wq = alloc_workqueue("pciem-irqfd", 0, 0);
	return irqfd_wq ? 0 : -ENOMEM;
}

void pciem_irqfd_exit(void)
{
	destroy_workqueue(irqfd_wq);
}

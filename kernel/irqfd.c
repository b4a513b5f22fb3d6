// SPDX-License-Identifier: GPL-2.0-only
/*
 * irqfd: an eventfd whose signals raise an interrupt vector.
 *
 * The eventfd calls us with its lock held and interrupts off, so the interrupt
 * is raised from an irq_work. When the eventfd is closed the same call only
 * queues the work that lets go of it: taking our entry off its wait queue there
 * would need the lock that is held.
 *
 * Locking: irqfd_lock, a mutex, for the lists of all devices; the eventfd's lock
 * inside it.
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "pciem.h"

struct pciem_irqfd {
	struct list_head node;		/* device->irqfds; empty once let go */
	struct pciem_func *func;
	unsigned int vector;
	struct eventfd_ctx *eventfd;
	wait_queue_entry_t wait;
	poll_table poll;
	atomic_t signals;
	struct irq_work raise;
	struct work_struct release;
};

static DEFINE_MUTEX(irqfd_lock);
static struct workqueue_struct *irqfd_wq;

static void irqfd_raise(struct irq_work *work)
{
	struct pciem_irqfd *irqfd = container_of(work, struct pciem_irqfd, raise);
	int n = atomic_xchg(&irqfd->signals, 0);

	if (pciem_gone(irqfd->func->dev) ||
	    smp_load_acquire(&irqfd->func->dev->state) != PCIEM_STARTED)
		return;
	while (n--)
		pciem_irq_raise(irqfd->func, irqfd->vector);
}

static int irqfd_wakeup(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct pciem_irqfd *irqfd = container_of(wait, struct pciem_irqfd, wait);
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

/* After this neither the eventfd nor the irq_work knows it. irqfd_lock is held. */
static void irqfd_detach(struct pciem_irqfd *irqfd)
{
	u64 count;

	list_del_init(&irqfd->node);
	eventfd_ctx_remove_wait_queue(irqfd->eventfd, &irqfd->wait, &count);
	irq_work_sync(&irqfd->raise);
	eventfd_ctx_put(irqfd->eventfd);
}

/* The eventfd was closed. */
static void irqfd_release(struct work_struct *work)
{
	struct pciem_irqfd *irqfd = container_of(work, struct pciem_irqfd, release);
	bool mine;

	mutex_lock(&irqfd_lock);
	mine = !list_empty(&irqfd->node);
	if (mine)
		irqfd_detach(irqfd);
	mutex_unlock(&irqfd_lock);
	/* Otherwise pciem_irqfd_remove_all() waits for us, and frees it. */
	if (mine)
		kfree(irqfd);
}

static void irqfd_queue(struct file *file, wait_queue_head_t *head, poll_table *poll)
{
	struct pciem_irqfd *irqfd = container_of(poll, struct pciem_irqfd, poll);

	add_wait_queue(head, &irqfd->wait);
}

int pciem_irqfd_set(struct pciem_device *dev, const struct pciem_irqfd_config *arg)
{
	struct pciem_func *func = pciem_func(dev, arg->func);
	struct pciem_irqfd *irqfd;
	struct file *file;
	int ret;

	if (IS_ERR(func))
		return PTR_ERR(func);
	if (arg->flags & ~(PCIEM_IRQFD_LEVEL | PCIEM_IRQFD_DEASSERT))
		return -EINVAL;
	/* The pin is pulsed; it has no level to hold or to take back. */
	if (arg->flags)
		return -EOPNOTSUPP;
	if (arg->vector >= pciem_irq_vectors(func))
		return -EINVAL;

	file = fget(arg->eventfd);
	if (!file)
		return -EBADF;
	irqfd = kzalloc(sizeof(*irqfd), GFP_KERNEL_ACCOUNT);
	if (!irqfd) {
		ret = -ENOMEM;
		goto out;
	}
	irqfd->eventfd = eventfd_ctx_fileget(file);
	if (IS_ERR(irqfd->eventfd)) {
		ret = PTR_ERR(irqfd->eventfd);
		kfree(irqfd);
		goto out;
	}
	irqfd->func = func;
	irqfd->vector = arg->vector;
	init_irq_work(&irqfd->raise, irqfd_raise);
	INIT_WORK(&irqfd->release, irqfd_release);
	init_waitqueue_func_entry(&irqfd->wait, irqfd_wakeup);
	init_poll_funcptr(&irqfd->poll, irqfd_queue);

	mutex_lock(&irqfd_lock);
	list_add_tail(&irqfd->node, &dev->irqfds);
	mutex_unlock(&irqfd_lock);
	/* We hold the file, so it is not closed before the entry is in place. */
	if (vfs_poll(file, &irqfd->poll) & EPOLLIN) {
		/* signalled before */
		atomic_inc(&irqfd->signals);
		irq_work_queue(&irqfd->raise);
	}
	ret = 0;
out:
	fput(file);
	return ret;
}

/* The device's file is closed; no call adds another. */
void pciem_irqfd_remove_all(struct pciem_device *dev)
{
	struct pciem_irqfd *irqfd;

	for (;;) {
		mutex_lock(&irqfd_lock);
		irqfd = list_first_entry_or_null(&dev->irqfds, struct pciem_irqfd, node);
		if (irqfd)
			irqfd_detach(irqfd);
		mutex_unlock(&irqfd_lock);
		if (!irqfd)
			return;
		cancel_work_sync(&irqfd->release);
		kfree(irqfd);
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

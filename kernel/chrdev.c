// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/pciem: copies arguments in and out and dispatches. The instance file
 * that REGISTER returns, which maps BAR memory.
 *
 * User memory is touched with no lock held: mmap takes device->lock inside
 * mmap_lock.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/uaccess.h>

#include "pciem.h"

#define PCIEM_FEATURES	(PCIEM_FEATURE_SETUP_RING | PCIEM_FEATURE_DMA_BATCH | \
			 PCIEM_FEATURE_CONFIG_ACCESS | PCIEM_FEATURE_DEVICE_INFO | \
			 PCIEM_FEATURE_VECTOR_INFO | PCIEM_FEATURE_EVENTS | \
			 PCIEM_FEATURE_TRACE_RANGE | PCIEM_FEATURE_SYNC | \
			 PCIEM_FEATURE_CAP_BYTES | PCIEM_FEATURE_CONFIG_DEFINE | \
			 PCIEM_FEATURE_DMA_MAPPINGS | PCIEM_FEATURE_DMA_POLICY | \
			 PCIEM_FEATURE_P2P | PCIEM_FEATURE_SET_ROM | PCIEM_FEATURE_SET_SLOT | \
			 PCIEM_FEATURE_SET_INTX | PCIEM_FEATURE_IRQFD | PCIEM_FEATURE_VECTORS)

/* The instance file */

static int instance_mmap(struct file *file, struct vm_area_struct *vma)
{
	return pciem_bar_mmap(file->private_data, vma);
}

static int instance_release(struct inode *inode, struct file *file)
{
	pciem_device_put(file->private_data);
	return 0;
}

static const struct file_operations instance_fops = {
	.owner		= THIS_MODULE,
	.mmap		= instance_mmap,
	.release	= instance_release,
	.llseek		= noop_llseek,
};

static int ioctl_register(struct pciem_device *dev)
{
	struct file *file;
	int fd, ret;

	fd = get_unused_fd_flags(O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fd;
	file = anon_inode_getfile("pciem-instance", &instance_fops, dev, O_RDWR);
	if (IS_ERR(file)) {
		ret = PTR_ERR(file);
		goto no_file;
	}
	pciem_device_get(dev);

	mutex_lock(&dev->lock);
	ret = pciem_device_register(dev);
	mutex_unlock(&dev->lock);
	if (ret) {
		fput(file);
		goto no_file;
	}
	pciem_debugfs_add(dev);
	fd_install(fd, file);
	return fd;

no_file:
	put_unused_fd(fd);
	return ret;
}

/* The device file */

static int pciem_open(struct inode *inode, struct file *file)
{
	struct pciem_device *dev = pciem_device_create();

	if (!dev)
		return -ENOMEM;
	file->private_data = dev;
	return 0;
}

static int pciem_release(struct inode *inode, struct file *file)
{
	pciem_device_unplug(file->private_data);
	return 0;
}

static const struct file_operations ring_fops = {
	.owner	= THIS_MODULE,
};

/*
 * The mapping gets a file of its own: it is to keep the ring's memory, not the
 * device, which goes with its last descriptor.
 */
static int pciem_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct pciem_device *dev = file->private_data;
	struct file *ring;
	int ret;

	ring = anon_inode_getfile("pciem-ring", &ring_fops, NULL, O_RDWR);
	if (IS_ERR(ring))
		return PTR_ERR(ring);
	mutex_lock(&dev->lock);
	ret = pciem_ring_mmap(dev, vma);
	mutex_unlock(&dev->lock);
	if (!ret)
		vma_set_file(vma, ring);
	fput(ring);
	return ret;
}

static __poll_t pciem_poll(struct file *file, poll_table *wait)
{
	struct pciem_device *dev = file->private_data;

	poll_wait(file, &dev->ring.readers, wait);
	/* Pairs with wq_has_sleeper(); poll_wait() is none before 6.14. */
	smp_mb();
	/* Responses are taken at any time. */
	if (smp_load_acquire(&dev->state) == PCIEM_BUILDING)
		return EPOLLOUT | EPOLLWRNORM;	/* There is no event before REGISTER. */
	return EPOLLOUT | EPOLLWRNORM |
	       (pciem_ring_readable(&dev->ring) ? EPOLLIN | EPOLLRDNORM : 0);
}

static ssize_t pciem_write(struct file *file, const char __user *user, size_t bytes, loff_t *pos)
{
	return pciem_respond(file->private_data, user, bytes);
}

union pciem_arg {
	struct pciem_create_device create;
	struct pciem_bar_config bar;
	struct pciem_cap_config cap;
	struct pciem_config_space config;
	struct pciem_irq_inject irq;
	struct pciem_dma_op dma;
	struct pciem_dma_atomic atomic;
	struct pciem_bar_info_query bar_info;
	struct pciem_eventfd_config eventfd;
	struct pciem_irqfd_config irqfd;
	struct pciem_dma_indirect indirect;
	struct pciem_trace_bar trace;
	struct pciem_version version;
	struct pciem_setup_ring ring;
	struct pciem_dma_batch batch;
	struct pciem_config_access access;
	struct pciem_device_info info;
	struct pciem_vector_info vector;
	struct pciem_set_events events;
	struct pciem_cap_bytes cap_bytes;
	struct pciem_config_define define;
	struct pciem_trace_range range;
	struct pciem_completion_timeout timeout;
	struct pciem_device_stats stats;
	struct pciem_set_slot slot;
	struct pciem_set_intx intx;
	struct pciem_irqfd irqfd_set;
	struct pciem_vectors vectors;
	struct pciem_p2p_op p2p;
	struct pciem_dma_mappings mappings;
	struct pciem_dma_policy policy;
	struct pciem_rom rom;
};

static int ioctl_inject(struct pciem_device *dev, const struct pciem_irq_inject *arg)
{
	struct pciem_func *func = pciem_func(dev, arg->func);

	return IS_ERR(func) ? PTR_ERR(func) : pciem_irq_raise(func, arg->vector);
}

/* Calls that build or change the device. */
static int ioctl_locked(struct pciem_device *dev, unsigned int cmd, union pciem_arg *arg)
{
	switch (cmd) {
	case PCIEM_IOC_CREATE_DEVICE:
		return pciem_func_create(dev, &arg->create);
	case PCIEM_IOC_ADD_BAR:
		return pciem_bar_add(dev, &arg->bar);
	case PCIEM_IOC_ADD_CAPABILITY:
		return pciem_cap_add(dev, &arg->cap);
	case PCIEM_IOC_SET_CONFIG:
		return pciem_func_set_ids(dev, &arg->config);
	case PCIEM_IOC_SET_EVENTFD:
		return pciem_ring_set_eventfd(dev, arg->eventfd.eventfd);
	case PCIEM_IOC_SET_IRQFD:
		return pciem_irqfd_config(dev, &arg->irqfd);
	case PCIEM_IOC_IRQFD:
		return pciem_irqfd_set(dev, &arg->irqfd_set);
	case PCIEM_IOC_TRACE_BAR:
		return pciem_trace_bar(dev, &arg->trace);
	case PCIEM_IOC_TRACE_RANGE:
		return pciem_trace_range(dev, &arg->range);
	case PCIEM_IOC_START:
		return pciem_device_start(dev);
	case PCIEM_IOC_SET_SLOT:
		return pciem_device_set_slot(dev, &arg->slot);
	case PCIEM_IOC_SETUP_RING:
		return arg->ring.reserved ? -EINVAL : pciem_ring_setup(dev, arg->ring.slots);
	case PCIEM_IOC_SET_EVENTS:
		return pciem_ring_set_events(dev, &arg->events);
	case PCIEM_IOC_DMA_POLICY:
		return pciem_dma_set_policy(dev, &arg->policy);
	}
	return -ENOTTY;
}

static int ioctl_dispatch(struct pciem_device *dev, unsigned int cmd, union pciem_arg *arg)
{
	int ret;

	if (_IOC_NR(cmd) >= _IOC_NR(PCIEM_IOC_GET_VERSION))
		WRITE_ONCE(dev->current_abi, true);
	switch (cmd) {
	case PCIEM_IOC_INJECT_IRQ:
		return ioctl_inject(dev, &arg->irq);
	case PCIEM_IOC_SET_INTX:
		return pciem_irq_set_intx(dev, &arg->intx);
	case PCIEM_IOC_VECTORS:
		return pciem_irq_vectors_info(dev, &arg->vectors);
	case PCIEM_IOC_DMA:
		return pciem_dma(dev, &arg->dma);
	case PCIEM_IOC_DMA_INDIRECT:
		return pciem_dma_indirect(dev, &arg->indirect);
	case PCIEM_IOC_DMA_ATOMIC:
		return pciem_dma_atomic(dev, &arg->atomic);
	case PCIEM_IOC_DMA_BATCH:
		return pciem_dma_batch(dev, &arg->batch);
	case PCIEM_IOC_P2P:
		return pciem_p2p(dev, &arg->p2p);
	case PCIEM_IOC_DMA_MAPPINGS:
		return pciem_dma_list(dev, &arg->mappings);
	case PCIEM_IOC_GET_VERSION:
		arg->version.abi_version = PCIEM_ABI_VERSION;
		arg->version.reserved = 0;
		arg->version.features = PCIEM_FEATURES;
		return 0;
	case PCIEM_IOC_CONFIG_ACCESS:
		if (memchr_inv(arg->access.reserved, 0, sizeof(arg->access.reserved)))
			return -EINVAL;
		return pciem_config_access(dev, &arg->access);
	case PCIEM_IOC_ADD_CAP_BYTES:
		return pciem_cap_add_bytes(dev, &arg->cap_bytes);
	case PCIEM_IOC_SET_ROM:
		return pciem_bar_set_rom(dev, &arg->rom);
	case PCIEM_IOC_CONFIG_DEFINE:
		return pciem_config_define_bytes(dev, &arg->define);
	case PCIEM_IOC_VECTOR_INFO:
		if (memchr_inv(arg->vector.reserved, 0, sizeof(arg->vector.reserved)))
			return -EINVAL;
		return pciem_irq_vector_info(dev, &arg->vector);
	case PCIEM_IOC_DEVICE_INFO:
		return pciem_device_info(dev, &arg->info);
	case PCIEM_IOC_SET_COMPLETION_TIMEOUT:
		return pciem_set_completion_timeout(dev, &arg->timeout);
	case PCIEM_IOC_DEVICE_STATS:
		pciem_device_stats(dev, &arg->stats);
		return 0;
	case PCIEM_IOC_GET_BAR_INFO:
		return pciem_bar_info(dev, &arg->bar_info);
	}

	mutex_lock(&dev->lock);
	ret = ioctl_locked(dev, cmd, arg);
	mutex_unlock(&dev->lock);
	return ret;
}

static long pciem_ioctl(struct file *file, unsigned int cmd, unsigned long user)
{
	struct pciem_device *dev = file->private_data;
	unsigned int size = _IOC_SIZE(cmd);
	union pciem_arg arg;
	long ret;

	if (_IOC_TYPE(cmd) != PCIEM_IOC_MAGIC || size > sizeof(arg))
		return -ENOTTY;
	if (cmd == PCIEM_IOC_REGISTER)
		return ioctl_register(dev);

	if (_IOC_DIR(cmd) & _IOC_WRITE && pciem_copy_in(&arg, (void __user *)user, size))
		return -EFAULT;
	ret = ioctl_dispatch(dev, cmd, &arg);
	if (!ret && _IOC_DIR(cmd) & _IOC_READ && pciem_copy_out((void __user *)user, &arg, size))
		return -EFAULT;
	return ret;
}

static const struct file_operations pciem_fops = {
	.owner		= THIS_MODULE,
	.open		= pciem_open,
	.release	= pciem_release,
	.mmap		= pciem_mmap,
	.poll		= pciem_poll,
	.write		= pciem_write,
	.unlocked_ioctl	= pciem_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.llseek		= noop_llseek,
};

static struct miscdevice pciem_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "pciem",
	.fops	= &pciem_fops,
	.mode	= 0600,
};

int pciem_chrdev_init(void)
{
	return misc_register(&pciem_misc);
}

void pciem_chrdev_exit(void)
{
	misc_deregister(&pciem_misc);
}

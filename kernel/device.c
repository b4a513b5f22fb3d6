// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a device: built by ioctls, registered, started, unplugged.
 *
 * Unplugging is a surprise removal: the device is gone first, so that a driver
 * that waits for it gives up, and is then taken from the bus.
 *
 * Context: process. pciem_device_put() may free, which may sleep.
 */
#include <linux/device.h>
#include <linux/kernfs.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "pciem.h"

static void start_work(struct work_struct *work)
{
	pciem_bridge_start(container_of(work, struct pciem_device, start_work));
}

struct pciem_device *pciem_device_create(void)
{
	struct pciem_device *dev = kvzalloc(sizeof(*dev), GFP_KERNEL_ACCOUNT);

	if (!dev)
		return NULL;
	kref_init(&dev->ref);
	mutex_init(&dev->lock);
	INIT_WORK(&dev->start_work, start_work);
	INIT_LIST_HEAD(&dev->irqfds);
	dev->place.device = PCIEM_SLOT_ANY;
	pciem_ring_init(&dev->ring);
	pciem_requests_init(&dev->requests);
	/* Matches module_put() in device_free(). The opener holds the module. */
	__module_get(THIS_MODULE);
	return dev;
}

void pciem_device_get(struct pciem_device *dev)
{
	kref_get(&dev->ref);
}

static void device_free(struct kref *ref)
{
	struct pciem_device *dev = container_of(ref, struct pciem_device, ref);

	for (unsigned int i = 0; i < PCIEM_MAX_FUNCTIONS; i++) {
		struct pciem_func *func = dev->funcs[i];

		if (!func)
			continue;
		for (unsigned int b = 0; b < PCIEM_BAR_SLOTS; b++) {
			pciem_trace_free(&func->bars[b]);
			pciem_bar_free(&func->bars[b]);
		}
		pciem_dma_space_free(func->dma);
		kernfs_put(func->remove_file);
		kvfree(func);
	}
	pciem_ring_free(&dev->ring);
	kvfree(dev);
	module_put(THIS_MODULE);
}

void pciem_device_put(struct pciem_device *dev)
{
	kref_put(&dev->ref, device_free);
}

struct pciem_func *pciem_func(struct pciem_device *dev, unsigned int nr)
{
	if (nr >= PCIEM_MAX_FUNCTIONS)
		return ERR_PTR(-EINVAL);
	return dev->funcs[nr] ?: ERR_PTR(-ENODEV);
}

/* For calls that add to a function; device->lock is held. */
struct pciem_func *pciem_func_building(struct pciem_device *dev, unsigned int nr)
{
	struct pciem_func *func;

	if (dev->state != PCIEM_BUILDING)
		return ERR_PTR(-EINVAL);
	func = pciem_func(dev, nr);
	/* The older interface makes that difference. */
	if (func == ERR_PTR(-ENODEV) && !dev->funcs[0] && pciem_lenient(dev))
		return ERR_PTR(-EINVAL);
	return func;
}

/*
 * For calls that need the function on the bus. No lock: the state only goes
 * forward, and the caller's file keeps the device there.
 */
struct pciem_func *pciem_func_running(struct pciem_device *dev, unsigned int nr)
{
	struct pciem_func *func = pciem_func(dev, nr);

	if (IS_ERR(func))
		return func;
	if (smp_load_acquire(&dev->state) == PCIEM_BUILDING)
		return ERR_PTR(-ENODEV);
	return func;
}

int pciem_func_create(struct pciem_device *dev, const struct pciem_create_device *arg)
{
	bool attach = (arg->flags & PCIEM_CREATE_BUS_MASK) == PCIEM_CREATE_ATTACH;
	bool first = !memchr_inv(dev->funcs, 0, sizeof(dev->funcs));
	struct pciem_func *func;

	if (dev->state != PCIEM_BUILDING)
		return -EINVAL;
	if (arg->func >= PCIEM_MAX_FUNCTIONS)
		return -EINVAL;
	if (dev->funcs[arg->func])
		return -EBUSY;
	if (pciem_lenient(dev)) {
		/* Function 0 says where, and those of other functions may hold anything. */
		if (arg->func && !first)
			attach = dev->attach;
	} else {
		if (arg->flags & ~PCIEM_CREATE_BUS_MASK)
			return -EINVAL;
		if (!attach && (arg->flags & PCIEM_CREATE_BUS_MASK) != PCIEM_CREATE_VIRTUAL)
			return -EINVAL;
		/* All functions are in the slot that the first was made for. */
		if (!first && attach != dev->attach)
			return -EINVAL;
	}

	func = kvzalloc(sizeof(*func), GFP_KERNEL_ACCOUNT);
	if (!func)
		return -ENOMEM;
	func->dma = pciem_dma_space_create();
	if (!func->dma) {
		kvfree(func);
		return -ENOMEM;
	}
	func->dev = dev;
	func->nr = arg->func;
	for (unsigned int i = 0; i < PCIEM_BAR_SLOTS; i++)
		func->bars[i].func = func;
	pciem_config_init(func);
	pciem_irq_func_init(func);
	pciem_trap_func_init(func);
	dev->funcs[arg->func] = func;
	dev->attach = attach;
	return 0;
}

int pciem_device_set_slot(struct pciem_device *dev, const struct pciem_set_slot *arg)
{
	if (dev->state != PCIEM_BUILDING || !dev->attach || arg->reserved)
		return -EINVAL;
	if (arg->device > 31 && arg->device != PCIEM_SLOT_ANY)
		return -EINVAL;
	dev->place = *arg;
	return 0;
}

int pciem_func_set_ids(struct pciem_device *dev, const struct pciem_config_space *arg)
{
	struct pciem_func *func = pciem_func_building(dev, arg->func);

	if (IS_ERR(func))
		return PTR_ERR(func);
	/* Vendor ffff is what an empty slot reads as; bridges have other headers. */
	if (arg->vendor_id == 0xffff || (arg->header_type & 0x7f) != PCI_HEADER_TYPE_NORMAL)
		return -EINVAL;

	pciem_config_poke(func, PCI_VENDOR_ID, 2, arg->vendor_id);
	pciem_config_poke(func, PCI_DEVICE_ID, 2, arg->device_id);
	pciem_config_poke(func, PCI_SUBSYSTEM_VENDOR_ID, 2, arg->subsys_vendor_id);
	pciem_config_poke(func, PCI_SUBSYSTEM_ID, 2, arg->subsys_device_id);
	pciem_config_poke(func, PCI_REVISION_ID, 1, arg->revision);
	for (unsigned int i = 0; i < 3; i++)
		pciem_config_poke(func, PCI_CLASS_PROG + i, 1, arg->class_code[i]);
	pciem_config_poke(func, PCI_HEADER_TYPE, 1, arg->header_type);
	return 0;
}

int pciem_device_register(struct pciem_device *dev)
{
	unsigned int i, functions = 0;
	int ret;

	lockdep_assert_held(&dev->lock);
	if (dev->state != PCIEM_BUILDING || !dev->funcs[0])
		return -EINVAL;
	for (i = 0; i < PCIEM_MAX_FUNCTIONS; i++) {
		if (!dev->funcs[i])
			continue;
		functions++;
		ret = pciem_caps_check(dev->funcs[i]);
		if (ret)
			return ret;
		/* SET_CONFIG was left out */
		if (!pciem_config_read(dev->funcs[i], PCI_VENDOR_ID, 2))
			return -EINVAL;
	}
	for (i = 0; i < PCIEM_MAX_FUNCTIONS; i++) {
		struct pciem_func *func = dev->funcs[i];

		if (!func)
			continue;
		if (functions > 1)
			pciem_config_poke(func, PCI_HEADER_TYPE, 1, PCI_HEADER_TYPE_NORMAL | 0x80);
		pciem_config_seal(func);
		if (func->cap_msix)
			pciem_reset_msix(func);
	}

	ret = pciem_ring_alloc(&dev->ring);
	if (ret)
		return ret;
	ret = pciem_bridge_add(dev);
	if (ret)
		return ret;
	smp_store_release(&dev->state, PCIEM_REGISTERED);
	return 0;
}

int pciem_device_start(struct pciem_device *dev)
{
	lockdep_assert_held(&dev->lock);
	if (dev->state == PCIEM_BUILDING)
		return -EINVAL;
	if (dev->state == PCIEM_STARTED)
		return -EALREADY;
	smp_store_release(&dev->state, PCIEM_STARTED);
	/* A driver's probe waits for the device, whose thread is in this call. */
	queue_work(system_long_wq, &dev->start_work);
	return 0;
}

/* The file is closed. No call is in flight, and none will come. */
void pciem_device_unplug(struct pciem_device *dev)
{
	pciem_irqfd_remove_all(dev);
	if (dev->state != PCIEM_BUILDING) {
		pciem_debugfs_remove(dev);
		WRITE_ONCE(dev->gone, true);
		pciem_requests_end(dev);
		pciem_trap_unplug(dev);
		flush_work(&dev->start_work);
		pciem_bridge_remove(dev);
	}
	pciem_device_put(dev);
}

int pciem_device_info(struct pciem_device *dev, struct pciem_device_info *info)
{
	struct pciem_func *func = pciem_func(dev, info->func);
	struct pci_dev *pdev;
	u8 nr = info->func;

	if (IS_ERR(func))
		return PTR_ERR(func);
	memset(info, 0, sizeof(*info));
	info->func = nr;
	info->events = atomic64_read(&dev->ring.events);
	info->lost = atomic64_read(&dev->ring.lost);
	info->waits = atomic64_read(&dev->ring.waits);
	if (smp_load_acquire(&dev->state) == PCIEM_BUILDING)
		return 0;

	info->domain = pci_domain_nr(dev->bus);
	info->bus = dev->bus->number;
	info->devfn = PCI_DEVFN(dev->slot, nr);
	info->irq_mode = pciem_irq_mode(func, &info->vectors);
	info->state = PCIEM_STATE_REGISTERED;
	if (dev->state == PCIEM_STARTED)
		info->state |= PCIEM_STATE_STARTED;
	if (pciem_config_read(func, PCI_COMMAND, 2) & PCI_COMMAND_MASTER)
		info->state |= PCIEM_STATE_BUS_MASTER;
	info->interrupts = atomic64_read(&func->interrupts);

	/* The lock is held while a driver's probe runs, perhaps waiting for us. */
	pdev = pciem_bridge_get_pdev(func);
	if (pdev && device_trylock(&pdev->dev)) {
		if (pdev->driver) {
			info->state |= PCIEM_STATE_DRIVER;
			strscpy(info->driver, pdev->driver->name, sizeof(info->driver));
		}
		device_unlock(&pdev->dev);
	}
	pci_dev_put(pdev);
	return 0;
}

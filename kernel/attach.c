// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attach mode: a device in a free slot of a bus that is already there.
 *
 * The bus's configuration operations are replaced once, however many devices
 * of ours it has: ours answer for their slots and pass everything else on. They
 * go back when the last device has gone. What stays until the module goes is
 * the struct attach_bus, as a cycle may be on its way through it, or through a
 * bus that appeared below meanwhile and inherited the operations.
 *
 * BARs are in windows that are taken from those of the host bridge, by whole
 * pages: no BAR of another device shares a page with one of ours.
 *
 * Locking: the PCI rescan lock for changes, RCU for configuration cycles.
 */
#include <linux/device.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/rculist.h>
#include <linux/slab.h>

#include "pciem.h"

#define SLOTS	32

struct attach_bus {
	struct list_head node;		/* in attach_buses until the module goes */
	struct pci_bus *bus;		/* its device is held */
	struct pci_ops ops;		/* ours */
	struct pci_ops *orig;
	bool active;
	unsigned int count;
	struct pciem_device __rcu *slots[SLOTS];
};

static LIST_HEAD(attach_buses);

static struct attach_bus *attach_find(const struct pci_bus *bus)
{
	struct attach_bus *a;

	list_for_each_entry_rcu(a, &attach_buses, node, true)
		if (a->bus == bus)
			return a;
	return NULL;
}

/* The device of ours in a slot of a host bus, or NULL. */
struct pciem_device *pciem_attach_device(const struct pci_bus *bus, unsigned int slot)
{
	struct attach_bus *a = attach_find(bus);

	return a ? rcu_dereference_check(a->slots[slot], true) : NULL;
}

/* Of the bus, or of the one above that it inherited the operations from. */
static struct attach_bus *attach_above(struct pci_bus *bus)
{
	struct attach_bus *a;

	while (!(a = attach_find(bus)) && bus->parent)
		bus = bus->parent;
	return a;
}

/* The device of ours in a slot of the bus, or NULL; under RCU. */
static struct pciem_device *attach_device(struct attach_bus *a, struct pci_bus *bus,
					  unsigned int devfn)
{
	return a->bus == bus ? rcu_dereference(a->slots[PCI_SLOT(devfn)]) : NULL;
}

static int attach_read(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 *value)
{
	struct pciem_device *dev;
	struct attach_bus *a;
	int ret;

	rcu_read_lock();
	a = attach_above(bus);
	dev = attach_device(a, bus, devfn);
	ret = dev ? pciem_bridge_read(dev->funcs[PCI_FUNC(devfn)], where, size, value) :
		    a->orig->read(bus, devfn, where, size, value);
	rcu_read_unlock();
	return ret;
}

static int attach_write(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 value)
{
	struct pciem_device *dev;
	struct attach_bus *a;
	int ret;

	rcu_read_lock();
	a = attach_above(bus);
	dev = attach_device(a, bus, devfn);
	ret = dev ? pciem_bridge_write(dev->funcs[PCI_FUNC(devfn)], where, size, value) :
		    a->orig->write(bus, devfn, where, size, value);
	rcu_read_unlock();
	return ret;
}

static struct attach_bus *attach_get(struct pci_bus *bus)
{
	struct attach_bus *a = attach_find(bus);

	if (!a) {
		a = kzalloc(sizeof(*a), GFP_KERNEL);
		if (!a)
			return NULL;
		a->bus = bus;
		get_device(&bus->dev);
		list_add_rcu(&a->node, &attach_buses);
	}
	if (!a->active) {
		/* Inherited from a bus above that has devices of ours */
		a->orig = bus->ops->read == attach_read ? attach_above(bus->parent)->orig : bus->ops;
		a->ops = *a->orig;
		a->ops.read = attach_read;
		a->ops.write = attach_write;
		pci_bus_set_ops(bus, &a->ops);
		a->active = true;
	}
	a->count++;
	return a;
}

static void restore_below(struct pci_bus *bus, struct attach_bus *a)
{
	struct pci_bus *child;

	if (bus->ops == &a->ops)
		pci_bus_set_ops(bus, a->orig);
	list_for_each_entry(child, &bus->children, node)
		restore_below(child, a);
}

static void attach_put(struct attach_bus *a)
{
	if (--a->count)
		return;
	if (a->bus->ops == &a->ops) {
		restore_below(a->bus, a);
		a->active = false;
	} else {
		/* Someone replaced ours in turn and calls them, for ever. */
		__module_get(THIS_MODULE);
	}
}

static bool slot_free(struct attach_bus *a, unsigned int slot)
{
	u32 id = ~0U;

	if (rcu_access_pointer(a->slots[slot]))
		return false;
	for (unsigned int i = 0; i < PCIEM_MAX_FUNCTIONS; i++) {
		struct pci_dev *pdev = pci_get_slot(a->bus, PCI_DEVFN(slot, i));

		pci_dev_put(pdev);
		if (pdev)
			return false;
	}
	/* One that is hidden from Linux */
	a->orig->read(a->bus, PCI_DEVFN(slot, 0), PCI_VENDOR_ID, 4, &id);
	return !id || id == ~0U;
}

static int choose_slot(struct attach_bus *a, unsigned int wanted)
{
	if (wanted != PCIEM_SLOT_ANY)
		return slot_free(a, wanted) ? wanted : -EBUSY;
	for (unsigned int slot = 0; slot < SLOTS; slot++)
		if (slot_free(a, slot))
			return slot;
	return -EBUSY;
}

static int window_take(struct pciem_device *dev, struct resource *window, bool wide)
{
	u64 largest, size = pciem_bridge_place_bars(dev, wide, 0, &largest);
	struct pci_bus_region region;

	if (!size)
		return 0;
	window->name = dev->window_name;
	window->flags = IORESOURCE_MEM | (wide ? IORESOURCE_MEM_64 : 0);
	if (pci_bus_alloc_resource(dev->bus, window, size, largest, PCIBIOS_MIN_MEM, 0, NULL,
				   NULL)) {
		window->flags = 0;
		return -ENOSPC;
	}
	pcibios_resource_to_bus(dev->bus, &region, window);
	if (!wide)
		dev->bus32 = region.start;
	pciem_bridge_place_bars(dev, wide, region.start, &largest);
	return 0;
}

/* A function has appeared: its BARs belong into our windows. */
void pciem_attach_added(struct pciem_device *dev, struct pci_dev *pdev)
{
	struct resource *windows[] = { &dev->window32, &dev->window64 };

	dev_set_msi_domain(&pdev->dev, dev->irqs.msi_domain);
	for (unsigned int i = 0; i <= PCI_ROM_RESOURCE; i++) {
		struct resource *r = &pdev->resource[i];

		for (unsigned int w = 0; w < ARRAY_SIZE(windows); w++) {
			if (!r->flags || r->parent || !windows[w]->parent ||
			    !resource_contains(windows[w], r))
				continue;
			if (!request_resource(windows[w], r))
				r->flags &= ~IORESOURCE_UNSET;
		}
	}
}

static void remove_functions(struct pciem_device *dev)
{
	for (int i = PCIEM_MAX_FUNCTIONS - 1; i >= 0; i--) {
		struct pci_dev *pdev = pci_get_slot(dev->bus, PCI_DEVFN(dev->slot, i));

		if (pdev)
			pci_stop_and_remove_bus_device(pdev);
		pci_dev_put(pdev);
	}
}

/* Put the device into its slot and scan it. Drivers do not bind before pciem_bridge_start(). */
int pciem_attach_add(struct pciem_device *dev)
{
	const struct pciem_set_slot *place = &dev->place;
	struct attach_bus *a;
	int slot, ret;

	pci_lock_rescan_remove();
	dev->bus = pci_find_bus(place->domain, place->bus);
	if (!dev->bus || pciem_bridge_is_ours(dev->bus)) {
		ret = -ENODEV;
		goto no_bus;
	}
	a = attach_get(dev->bus);
	if (!a) {
		ret = -ENOMEM;
		goto no_bus;
	}
	slot = choose_slot(a, place->device);
	if (slot < 0) {
		ret = slot;
		goto no_slot;
	}
	dev->slot = slot;
	/* Only a number for names here: domains of our own are lower, and those of hosts have none */
	dev->sysdata.domain = 1 << 30 | (place->domain & 0x1ffff) << 13 | place->bus << 5 | slot;
	snprintf(dev->window_name, sizeof(dev->window_name), "PCIem %04x:%02x:%02x",
		 place->domain, place->bus, slot);

	ret = pciem_irq_init(dev);
	if (!ret)
		ret = window_take(dev, &dev->window32, false);
	if (!ret)
		ret = window_take(dev, &dev->window64, true);
	if (ret)
		goto no_irq;

	pciem_trap_add(dev);
	rcu_assign_pointer(a->slots[slot], dev);
	/* A port has no device but the first below it, and looks for no other. */
	if (!pci_scan_slot(dev->bus, PCI_DEVFN(slot, 0))) {
		ret = -ENODEV;
		goto not_found;
	}
	pci_unlock_rescan_remove();
	return 0;

not_found:
	RCU_INIT_POINTER(a->slots[slot], NULL);
	synchronize_rcu();
	pciem_trap_remove(dev);
no_irq:
	pciem_irq_exit(dev);
	pciem_bridge_windows_release(dev);
no_slot:
	attach_put(a);
no_bus:
	dev->bus = NULL;
	pci_unlock_rescan_remove();
	return ret;
}

/* May bind drivers. The rescan lock is held. */
void pciem_attach_start(struct pciem_device *dev)
{
	for (unsigned int i = 0; i < PCIEM_MAX_FUNCTIONS; i++) {
		struct pci_dev *pdev = pci_get_slot(dev->bus, PCI_DEVFN(dev->slot, i));

		/* A rescan of the bus may have added it. */
		if (pdev && !pdev->match_driver)
			pci_bus_add_device(pdev);
		pci_dev_put(pdev);
	}
}

void pciem_attach_remove(struct pciem_device *dev)
{
	struct attach_bus *a;

	pci_lock_rescan_remove();
	remove_functions(dev);
	a = attach_find(dev->bus);
	RCU_INIT_POINTER(a->slots[dev->slot], NULL);
	attach_put(a);
	pci_unlock_rescan_remove();
	synchronize_rcu();
}

/* No device is left. */
void pciem_attach_exit(void)
{
	struct attach_bus *a, *next;

	if (list_empty(&attach_buses))
		return;
	/* Cycles that had our operations in hand when they went, in tasks and in interrupts */
	synchronize_rcu_tasks();
	synchronize_rcu();
	list_for_each_entry_safe(a, next, &attach_buses, node) {
		put_device(&a->bus->dev);
		kfree(a);
	}
}

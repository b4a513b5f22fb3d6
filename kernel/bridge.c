// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host bridge: a root bus in a PCI domain of its own, its address windows,
 * and config cycles.
 *
 * Windows are address space that nobody owns, above 4 GiB, where there is
 * plenty. A 32-bit BAR needs a low address on the bus, so its window has an
 * offset: low on the bus, high for the CPU.
 *
 * The BAR registers hold addresses before the bus is scanned, as firmware
 * leaves them, and the PCI core takes them as they are.
 *
 * Context: process, no device->lock needed; pciem_pci_read() and
 * pciem_pci_write() under the PCI core's raw pci_lock.
 */
#include <linux/ioport.h>
#include <linux/module.h>
#include <linux/pci.h>

#include "pciem.h"

#define PCIEM_FIRST_DOMAIN	0x10000	/* above what ACPI can give out */
#define PCIEM_BUS32_BASE	0x80000000ULL
#define PCIEM_BUS32_SIZE	0x70000000ULL	/* up to the interrupt window and flash */

/* Serialises the choice of a domain number. */
static DEFINE_MUTEX(domain_lock);

static struct pciem_device *to_device(struct pci_bus *bus)
{
	return container_of(bus->sysdata, struct pciem_device, sysdata);
}

static struct pciem_func *bus_func(struct pci_bus *bus, unsigned int devfn)
{
	struct pciem_device *dev = to_device(bus);

	if (pciem_gone(dev) || PCI_SLOT(devfn))
		return NULL;
	return dev->funcs[PCI_FUNC(devfn)];
}

static int pciem_pci_read(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 *value)
{
	struct pciem_func *func = bus_func(bus, devfn);

	*value = ~0U;
	if (!func)
		return PCIBIOS_DEVICE_NOT_FOUND;
	if (where < 0 || where + size > PCIEM_CONFIG_SIZE || where & (size - 1))
		return PCIBIOS_BAD_REGISTER_NUMBER;
	*value = pciem_config_read(func, where, size);
	return PCIBIOS_SUCCESSFUL;
}

static int pciem_pci_write(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 value)
{
	struct pciem_func *func = bus_func(bus, devfn);

	if (!func)
		return PCIBIOS_DEVICE_NOT_FOUND;
	if (where < 0 || where + size > PCIEM_CONFIG_SIZE || where & (size - 1))
		return PCIBIOS_BAD_REGISTER_NUMBER;
	pciem_config_write(func, where, size, value);
	return PCIBIOS_SUCCESSFUL;
}

static struct pci_ops pciem_pci_ops = {
	.read	= pciem_pci_read,
	.write	= pciem_pci_write,
};

/*
 * Give the BARs of one window addresses on the bus from @bus on, largest first
 * so that each is aligned. Return the bytes used.
 */
static u64 place_bars(struct pciem_device *dev, bool wide, u64 bus, u64 *largest)
{
	u64 used = 0;

	*largest = 0;
	for (u64 size = PCIEM_BAR_MAX_SIZE; size >= 16; size /= 2) {
		for (unsigned int i = 0; i < PCIEM_MAX_FUNCTIONS * PCIEM_MAX_BARS; i++) {
			struct pciem_func *func = dev->funcs[i / PCIEM_MAX_BARS];
			struct pciem_bar *bar;
			unsigned int at;

			if (!func)
				continue;
			bar = &func->bars[i % PCIEM_MAX_BARS];
			if (bar->size != size || !!(bar->flags & PCIEM_BAR_MEM64) != wide)
				continue;
			at = PCI_BASE_ADDRESS_0 + 4 * bar->index;
			pciem_config_poke(func, at, 4, (u32)(bus + used) | bar->flags);
			if (wide)
				pciem_config_poke(func, at + 4, 4, (bus + used) >> 32);
			/* Pages are what can be trapped, so no two BARs share one. */
			used += max_t(u64, size, PAGE_SIZE);
			*largest = max_t(u64, *largest, max_t(u64, size, PAGE_SIZE));
		}
	}
	return used;
}

/* Where the CPU finds a BAR, by its register: a rescan of the bus may have moved it. */
resource_size_t pciem_bridge_bar_phys(struct pciem_bar *bar)
{
	struct pciem_func *func = bar->func;
	unsigned int at = PCI_BASE_ADDRESS_0 + 4 * bar->index;
	u64 bus = pciem_config_read(func, at, 4) & ~0xfULL;

	if (bar->flags & PCIEM_BAR_MEM64)
		return bus | (u64)pciem_config_read(func, at + 4, 4) << 32;
	return bus - PCIEM_BUS32_BASE + func->dev->window32.start;
}

static int window_claim(struct pciem_device *dev, struct resource *window, bool wide)
{
	u64 largest, size = place_bars(dev, wide, 0, &largest);
	int ret;

	if (!size)
		return 0;
	if (!wide && size > PCIEM_BUS32_SIZE)
		return -ENOSPC;
	window->name = dev->window_name;
	window->flags = IORESOURCE_MEM | (wide ? IORESOURCE_MEM_64 : 0);
	ret = allocate_resource(&iomem_resource, window, size, SZ_4G, iomem_resource.end,
				largest, NULL, NULL);
	if (ret) {
		window->flags = 0;
		return -ENOSPC;
	}
	place_bars(dev, wide, wide ? window->start : PCIEM_BUS32_BASE, &largest);
	return 0;
}

static void windows_release(struct pciem_device *dev)
{
	if (dev->window32.parent)
		release_resource(&dev->window32);
	if (dev->window64.parent)
		release_resource(&dev->window64);
}

/* Someone may hold the bus, through an open /proc file, long after it is removed. */
static void bridge_released(struct pci_host_bridge *bridge)
{
	pciem_device_put(bridge->release_data);
}

/* A function appears: at the first scan, or again after it was removed through sysfs. */
static int device_added(struct notifier_block *nb, unsigned long action, void *data)
{
	struct pci_dev *pdev = to_pci_dev(data);

	if (action == BUS_NOTIFY_ADD_DEVICE && pdev->bus->ops == &pciem_pci_ops) {
		pdev->irq = pciem_irq_map_pin(pdev, 0, 0);
		/* ACPI knows nothing of this pin and shall not look for its routing. */
		pdev->pin = 0;
	}
	return NOTIFY_DONE;
}

static struct notifier_block device_notifier = {
	.notifier_call = device_added,
};

int pciem_bridge_init(void)
{
	return bus_register_notifier(&pci_bus_type, &device_notifier);
}

void pciem_bridge_exit(void)
{
	bus_unregister_notifier(&pci_bus_type, &device_notifier);
}

/* What the PCI core has for a function now, or NULL; with a reference. */
struct pci_dev *pciem_bridge_get_pdev(struct pciem_func *func)
{
	return pci_get_slot(func->dev->bus, PCI_DEVFN(0, func->nr));
}

/* Make the bus and scan it. Drivers do not bind before pciem_bridge_start(). */
int pciem_bridge_add(struct pciem_device *dev)
{
	struct pci_host_bridge *bridge;
	unsigned int domain;
	int ret;

	bridge = pci_alloc_host_bridge(0);
	if (!bridge)
		return -ENOMEM;

	mutex_lock(&domain_lock);
	for (domain = PCIEM_FIRST_DOMAIN; pci_find_bus(domain, 0); domain++)
		;
	dev->sysdata.domain = domain;
	dev->sysdata.node = NUMA_NO_NODE;
	snprintf(dev->window_name, sizeof(dev->window_name), "PCIem %05x:00", domain);

	ret = pciem_irq_init(dev);
	if (ret)
		goto fail;
	ret = window_claim(dev, &dev->window32, false);
	if (ret)
		goto fail;
	ret = window_claim(dev, &dev->window64, true);
	if (ret)
		goto fail;

	dev->busn.name = dev->window_name;
	dev->busn.flags = IORESOURCE_BUS;
	pci_add_resource(&bridge->windows, &dev->busn);
	if (dev->window32.parent)
		pci_add_resource_offset(&bridge->windows, &dev->window32,
					dev->window32.start - PCIEM_BUS32_BASE);
	if (dev->window64.parent)
		pci_add_resource(&bridge->windows, &dev->window64);

	bridge->sysdata = &dev->sysdata;
	bridge->busnr = 0;
	bridge->ops = &pciem_pci_ops;
	bridge->map_irq = pciem_irq_map_pin;
	dev_set_msi_domain(&bridge->dev, dev->irqs.msi_domain);
	pciem_device_get(dev);
	pci_set_host_bridge_release(bridge, bridge_released, dev);

	pciem_trap_add(dev);
	pci_lock_rescan_remove();
	ret = pci_scan_root_bus_bridge(bridge);
	if (ret) {
		pci_unlock_rescan_remove();
		pciem_trap_remove(dev);
		goto fail;
	}
	dev->bridge = bridge;
	dev->bus = bridge->bus;
	pci_bus_claim_resources(dev->bus);
	pci_unlock_rescan_remove();
	mutex_unlock(&domain_lock);
	return 0;

fail:
	mutex_unlock(&domain_lock);
	pci_free_host_bridge(bridge);
	windows_release(dev);
	pciem_irq_exit(dev);
	return ret;
}

/* May bind drivers, and so wait for the device. */
void pciem_bridge_start(struct pciem_device *dev)
{
	pci_lock_rescan_remove();
	if (!pciem_gone(dev))
		pci_bus_add_devices(dev->bus);
	pci_unlock_rescan_remove();
}

void pciem_bridge_remove(struct pciem_device *dev)
{
	if (!dev->bus)
		return;

	for (unsigned int i = 0; i < PCIEM_MAX_FUNCTIONS; i++) {
		struct pci_dev *pdev = dev->funcs[i] ? pciem_bridge_get_pdev(dev->funcs[i]) : NULL;

		if (pdev)
			pdev->error_state = pci_channel_io_perm_failure;
		pci_dev_put(pdev);
	}

	pci_lock_rescan_remove();
	pci_stop_root_bus(dev->bus);
	pci_remove_root_bus(dev->bus);
	pci_unlock_rescan_remove();

	dev->bus = NULL;
	pci_free_host_bridge(dev->bridge);
	dev->bridge = NULL;

	pciem_trap_remove(dev);
	pciem_irq_exit(dev);
	windows_release(dev);
}

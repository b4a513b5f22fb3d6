// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host bridge: a root bus in a PCI domain of its own, its address windows,
 * and config cycles.
 *
 * Windows are address space that nobody owns, above 4 GiB, where there is
 * plenty, or are in pciem_phys_region. What is at their addresses is never
 * accessed: the memory of BARs is the kernel's (bar.c). A 32-bit BAR needs a low address on the bus, so its window has an
 * offset: low on the bus, high for the CPU.
 *
 * The BAR registers hold addresses before the bus is scanned, as firmware
 * leaves them, and the PCI core takes them as they are.
 *
 * Context: process, no device->lock needed; pciem_pci_read() and
 * pciem_pci_write() under the PCI core's raw pci_lock.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/ioport.h>
#include <linux/kernfs.h>
#include <linux/module.h>
#include <linux/pci.h>

#include "pciem.h"
#include "trace.h"

#define PCIEM_FIRST_DOMAIN	0x10000	/* above what ACPI can give out */
#define PCIEM_BUS32_BASE	0x80000000ULL
#define PCIEM_BUS32_SIZE	0x70000000ULL	/* up to the interrupt window and flash */

static char *pciem_phys_region;
module_param(pciem_phys_region, charp, 0444);
MODULE_PARM_DESC(pciem_phys_region, "ADDRESS:SIZE of address space to take BARs from, instead of any that nobody owns");

static struct resource region = { .name = "PCIem region", .flags = IORESOURCE_MEM };

/* Serialises the choice of a domain number. */
static DEFINE_MUTEX(domain_lock);

static struct pciem_device *to_device(struct pci_bus *bus)
{
	return container_of(bus->sysdata, struct pciem_device, sysdata);
}

/* NULL, or a function that may be gone. */
static struct pciem_func *bus_func(struct pci_bus *bus, unsigned int devfn)
{
	return PCI_SLOT(devfn) ? NULL : to_device(bus)->funcs[PCI_FUNC(devfn)];
}

static void report_config(struct pciem_func *func, u32 type, int where, int size, u32 value)
{
	const struct pciem_report report = {
		.type = type, .func = func->nr, .offset = where, .size = size,
		.data = size == 4 ? value : value & ((1U << (8 * size)) - 1),
	};

	pciem_ring_report(func->dev, PCIEM_EVENTS_CONFIG, &report, false);
}

/* Configuration cycles of the host to @func, which may be NULL. */

int pciem_bridge_read(struct pciem_func *func, int where, int size, u32 *value)
{
	*value = ~0U;
	if (!func || pciem_gone(func->dev))
		return PCIBIOS_DEVICE_NOT_FOUND;
	if (where < 0 || where + size > PCIEM_CONFIG_SIZE || where & (size - 1))
		return PCIBIOS_BAD_REGISTER_NUMBER;
	*value = pciem_config_read(func, where, size);
	trace_pciem_config_read(func, where, size, *value);
	report_config(func, PCIEM_EVENT_CONFIG_READ, where, size, *value);
	return PCIBIOS_SUCCESSFUL;
}

int pciem_bridge_write(struct pciem_func *func, int where, int size, u32 value)
{
	unsigned int reset;

	if (!func || pciem_gone(func->dev))
		return PCIBIOS_DEVICE_NOT_FOUND;
	if (where < 0 || where + size > PCIEM_CONFIG_SIZE || where & (size - 1))
		return PCIBIOS_BAD_REGISTER_NUMBER;
	trace_pciem_config_write(func, where, size, value);
	reset = pciem_config_write(func, where, size, value);
	report_config(func, PCIEM_EVENT_CONFIG_WRITE, where, size, value);
	if (reset)
		pciem_reset(func, reset);
	return PCIBIOS_SUCCESSFUL;
}

static int pciem_pci_read(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 *value)
{
	return pciem_bridge_read(bus_func(bus, devfn), where, size, value);
}

static int pciem_pci_write(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 value)
{
	return pciem_bridge_write(bus_func(bus, devfn), where, size, value);
}

static struct pci_ops pciem_pci_ops = {
	.read	= pciem_pci_read,
	.write	= pciem_pci_write,
};

/*
 * Give the BARs of one window addresses on the bus from @bus on, largest first
 * so that each is aligned. Return the bytes used.
 */
u64 pciem_bridge_place_bars(struct pciem_device *dev, bool wide, u64 bus, u64 *largest)
{
	u64 used = 0;

	*largest = 0;
	for (u64 size = PCIEM_BAR_MAX_SIZE; size >= 16; size /= 2) {
		for (unsigned int i = 0; i < PCIEM_MAX_FUNCTIONS * PCIEM_BAR_SLOTS; i++) {
			struct pciem_func *func = dev->funcs[i / PCIEM_BAR_SLOTS];
			struct pciem_bar *bar;
			unsigned int at;

			if (!func)
				continue;
			bar = &func->bars[i % PCIEM_BAR_SLOTS];
			if (bar->size != size || !!(bar->flags & PCIEM_BAR_MEM64) != wide)
				continue;
			at = pciem_bar_register(bar);
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
	unsigned int at = pciem_bar_register(bar);
	u64 bus = pciem_config_read(func, at, 4) & ~0xfULL;

	if (bar->flags & PCIEM_BAR_MEM64)
		return bus | (u64)pciem_config_read(func, at + 4, 4) << 32;
	return bus - func->dev->bus32 + func->dev->window32.start;
}

/* allocate_resource() steers clear of all that firmware lists, which withheld memory is in. */
static int window_in_region(struct resource *window, u64 size, u64 align)
{
	for (u64 at = ALIGN(region.start, align); at + size - 1 <= region.end; at += align) {
		window->start = at;
		window->end = at + size - 1;
		if (!request_resource(&region, window))
			return 0;
	}
	return -ENOSPC;
}

static int window_claim(struct pciem_device *dev, struct resource *window, bool wide)
{
	u64 largest, size = pciem_bridge_place_bars(dev, wide, 0, &largest);
	int ret;

	if (!size)
		return 0;
	if (!wide && size > PCIEM_BUS32_SIZE)
		return -ENOMEM;
	window->name = dev->window_name;
	window->flags = IORESOURCE_MEM | (wide ? IORESOURCE_MEM_64 : 0);
	if (region.parent)
		ret = window_in_region(window, size, largest);
	else
		ret = allocate_resource(&iomem_resource, window, size, SZ_4G, iomem_resource.end,
					largest, NULL, NULL);
	if (ret) {
		window->flags = 0;
		return -ENOMEM;
	}
	pciem_bridge_place_bars(dev, wide, wide ? window->start : PCIEM_BUS32_BASE, &largest);
	return 0;
}

void pciem_bridge_windows_release(struct pciem_device *dev)
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

bool pciem_bridge_is_ours(const struct pci_bus *bus)
{
	return bus->ops == &pciem_pci_ops;
}

/* The function of ours that a PCI device is, or NULL; it is there for as long as @pdev is. */
struct pciem_func *pciem_bridge_func(const struct pci_dev *pdev)
{
	unsigned int slot = PCI_SLOT(pdev->devfn);
	struct pciem_device *dev = NULL;

	if (!pciem_bridge_is_ours(pdev->bus))
		dev = pciem_attach_device(pdev->bus, slot);
	else if (!slot)
		dev = to_device(pdev->bus);
	return dev ? dev->funcs[PCI_FUNC(pdev->devfn)] : NULL;
}

/* A function appears: at the first scan, or again after it was removed through sysfs. */
static void device_added(struct pciem_func *func, struct pci_dev *pdev)
{
	pdev->irq = pciem_irq_map_pin(pdev, 0, 0);
	/* ACPI knows nothing of this pin and shall not look for its routing. */
	pdev->pin = 0;
	pciem_dma_attach(pdev);
	if (func->dev->attach)
		pciem_attach_added(func->dev, pdev);
	kernfs_put(func->remove_file);
	func->remove_file = kernfs_find_and_get(pdev->dev.kobj.sd, "remove");
}

static void report_driver(struct pciem_func *func, u32 type, const char *name, u32 flags)
{
	struct pciem_report report = { .type = type, .func = func->nr, .flags = flags };

	memcpy(&report.data, name, 8);
	memcpy(&report.extra, name + 8, 8);
	pciem_ring_report(func->dev, PCIEM_EVENTS_DRIVER, &report, true);
}

static void driver_name(const struct pci_dev *pdev, char name[16])
{
	memset(name, 0, 16);
	if (pdev->dev.driver)
		memcpy(name, pdev->dev.driver->name, min(strlen(pdev->dev.driver->name), 16UL));
}

/* The PCI device is locked but for the first. */
static int device_event(struct notifier_block *nb, unsigned long action, void *data)
{
	struct pci_dev *pdev = to_pci_dev(data);
	struct pciem_func *func = pciem_bridge_func(pdev);
	char name[16];

	if (!func)
		return NOTIFY_DONE;
	switch (action) {
	case BUS_NOTIFY_ADD_DEVICE:
		device_added(func, pdev);
		break;
	case BUS_NOTIFY_BOUND_DRIVER:
		/* Gone from the device by the time it is unbound */
		driver_name(pdev, func->driver);
		report_driver(func, PCIEM_EVENT_DRIVER_BOUND, func->driver, 0);
		break;
	case BUS_NOTIFY_UNBOUND_DRIVER:
		pciem_dma_unbound(func);
		report_driver(func, PCIEM_EVENT_DRIVER_UNBOUND, func->driver, 0);
		break;
	case BUS_NOTIFY_DRIVER_NOT_BOUND:
		driver_name(pdev, name);
		report_driver(func, PCIEM_EVENT_DRIVER_UNBOUND, name,
			      PCIEM_EVENT_FLAG_PROBE_FAILED);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block device_notifier = {
	.notifier_call = device_event,
};

static int region_claim(void)
{
	u64 start, size = 0;
	char *end;
	int ret;

	start = memparse(pciem_phys_region, &end);
	if (*end == ':')
		size = memparse(end + 1, &end);
	if (*end || !size || !PAGE_ALIGNED(start | size) || start + size - 1 < start) {
		pr_err("pciem_phys_region=%s is not ADDRESS:SIZE in whole pages\n",
		       pciem_phys_region);
		return -EINVAL;
	}
	if (region_intersects(start, size, IORESOURCE_SYSTEM_RAM, IORES_DESC_NONE) !=
	    REGION_DISJOINT) {
		pr_err("pciem_phys_region=%s is memory that Linux uses: withhold it with memmap=, or give address space without memory\n",
		       pciem_phys_region);
		return -EBUSY;
	}
	region.start = start;
	region.end = start + size - 1;
	ret = insert_resource(&iomem_resource, &region);
	/* Not what others own, around it or within; what firmware or memmap= reserved is nobody's. */
	if (!ret && (region.child || (region.parent != &iomem_resource &&
				      strcmp(region.parent->name, "Reserved")))) {
		remove_resource(&region);
		ret = -EBUSY;
	}
	if (ret)
		pr_err("pciem_phys_region=%s is taken, see /proc/iomem\n", pciem_phys_region);
	return ret;
}

int pciem_bridge_init(void)
{
	int ret = pciem_phys_region ? region_claim() : 0;

	if (!ret)
		ret = bus_register_notifier(&pci_bus_type, &device_notifier);
	if (ret && region.parent)
		remove_resource(&region);
	return ret;
}

void pciem_bridge_exit(void)
{
	bus_unregister_notifier(&pci_bus_type, &device_notifier);
	pciem_attach_exit();
	if (region.parent)
		remove_resource(&region);
}

/* What the PCI core has for a function now, or NULL; with a reference. */
struct pci_dev *pciem_bridge_get_pdev(struct pciem_func *func)
{
	return pci_get_slot(func->dev->bus, PCI_DEVFN(func->dev->slot, func->nr));
}

/* Make the bus and scan it. Drivers do not bind before pciem_bridge_start(). */
int pciem_bridge_add(struct pciem_device *dev)
{
	struct pci_host_bridge *bridge;
	unsigned int domain;
	int ret;

	if (dev->attach)
		return pciem_attach_add(dev);
	bridge = pci_alloc_host_bridge(0);
	if (!bridge)
		return -ENOMEM;

	mutex_lock(&domain_lock);
	for (domain = PCIEM_FIRST_DOMAIN; pci_find_bus(domain, 0); domain++)
		;
	dev->sysdata.domain = domain;
	dev->sysdata.node = NUMA_NO_NODE;
	dev->bus32 = PCIEM_BUS32_BASE;
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
	pciem_bridge_windows_release(dev);
	pciem_irq_exit(dev);
	return ret;
}

/* May bind drivers, and so wait for the device. */
void pciem_bridge_start(struct pciem_device *dev)
{
	pci_lock_rescan_remove();
	if (pciem_gone(dev))
		;
	else if (dev->attach)
		pciem_attach_start(dev);
	else
		pci_bus_add_devices(dev->bus);
	pci_unlock_rescan_remove();
}

/* Take a file of sysfs away, once those who are in it have left or let go of it. */
static void sysfs_close_file(struct kernfs_node *dir, const char *name)
{
	const struct attribute file = { .name = name };
	/* The device may be on its way out and no longer know its directory. */
	struct kobject holder = { .sd = dir };

	sysfs_remove_file_ns(&holder, &file, NULL);
	kernfs_put(dir);
}

static struct kernfs_node *sysfs_dir(struct device *device)
{
	struct kernfs_node *dir = device->kobj.sd;

	kernfs_get(dir);
	return dir;
}

/*
 * The files of sysfs by which an administrator removes a function or scans for
 * functions take the rescan lock. "rescan" would wait for us who, holding the
 * lock, wait for it to be left; "remove", which lets go of itself before it
 * takes the lock, would go on with a function that we have freed. So both are
 * closed, and left by who was in there, before we take the lock. The device is
 * gone by now, so that no scan brings them back.
 */
static void sysfs_quiesce(struct pciem_device *dev)
{
	/* What kernfs leaves in @active of a file that is removed, and in which nobody is */
	const int idle = INT_MIN + 1;
	struct kernfs_node *dirs[PCIEM_MAX_FUNCTIONS] = { }, *bus = NULL;

	pci_lock_rescan_remove();
	for (unsigned int i = 0; i < PCIEM_MAX_FUNCTIONS; i++) {
		struct pci_dev *pdev = dev->funcs[i] ? pciem_bridge_get_pdev(dev->funcs[i]) : NULL;

		if (pdev)
			dirs[i] = sysfs_dir(&pdev->dev);
		pci_dev_put(pdev);
	}
	if (!dev->attach)
		bus = sysfs_dir(&dev->bus->dev);
	pci_unlock_rescan_remove();

	if (bus)
		sysfs_close_file(bus, "rescan");
	for (unsigned int i = 0; i < PCIEM_MAX_FUNCTIONS; i++) {
		struct kernfs_node *file = dev->funcs[i] ? dev->funcs[i]->remove_file : NULL;

		if (dirs[i]) {
			kernfs_get(dirs[i]);
			sysfs_close_file(dirs[i], "rescan");
			sysfs_close_file(dirs[i], "remove");
		}
		if (!file)
			continue;
		for (int in = atomic_read(&file->active); in < 0 && in != idle;
		     in = atomic_read(&file->active))
			usleep_range(100, 1000);
		kernfs_put(file);
		dev->funcs[i]->remove_file = NULL;
	}
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

	sysfs_quiesce(dev);
	if (dev->attach) {
		pciem_attach_remove(dev);
	} else {
		pci_lock_rescan_remove();
		pci_stop_root_bus(dev->bus);
		pci_remove_root_bus(dev->bus);
		pci_unlock_rescan_remove();
		pci_free_host_bridge(dev->bridge);
		dev->bridge = NULL;
	}
	dev->bus = NULL;

	pciem_trap_remove(dev);
	pciem_irq_exit(dev);
	pciem_bridge_windows_release(dev);
}

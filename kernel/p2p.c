// SPDX-License-Identifier: GPL-2.0-only
/*
 * Peer-to-peer: what a device does to the memory of another device.
 *
 * Two kinds of memory can be reached: the BARs of other devices of this module,
 * where the access is seen as one of a driver would be, and what the
 * administrator allowed with the module parameter p2p_regions.
 *
 * Context: process, no lock held.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "dma.h"
#include "pciem.h"

#define MAX_REGIONS	16
#define CHUNK		256

static char *p2p_regions;
module_param(p2p_regions, charp, 0444);
MODULE_PARM_DESC(p2p_regions, "memory of other devices that ours may access: 0xADDRESS:0xSIZE,...");

static struct {
	u64 start;
	u64 size;
	void __iomem *io;
} regions[MAX_REGIONS];
static unsigned int region_count;

/* Through the window of a driver, so to say: with events, and interrupts for messages. */
static int bar_copy_seen(struct pciem_bar *bar, u64 offset, void __user *user, size_t length,
			 u32 direction)
{
	struct pciem_mapping window = {
		.end = bar->npages << PAGE_SHIFT, .bar = bar, .dev = bar->func->dev,
	};
	u64 word;

	while (length) {
		/* The widest access that is aligned */
		unsigned int size = min3(8UL, offset ? 1UL << __ffs64(offset) : 8UL,
					 rounddown_pow_of_two(length));
		int ret = 0;

		if (direction == PCIEM_DMA_READ) {
			word = pciem_mmio_read(&window, offset, size, true);
			ret = pciem_copy_out(user, &word, size);
		} else {
			word = 0;
			ret = pciem_copy_in(&word, user, size);
			if (!ret)
				pciem_mmio_write(&window, offset, size, word, true);
		}
		if (ret)
			return ret;
		offset += size;
		user += size;
		length -= size;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

static int bar_copy(struct pciem_device *from, struct pciem_bar *bar, u64 offset,
		    void __user *user, size_t length, u32 direction)
{
	struct pciem_func *func = bar->func;
	bool messages = func->cap_msix && func->msix.bar_index == bar->index;

	/* What a device does to its own BARs does not cross the bus. */
	if (func->dev != from && (rcu_access_pointer(bar->trace) || messages ||
				  pciem_gone(func->dev) || !pciem_powered(func)))
		return bar_copy_seen(bar, offset, user, length, direction);

	while (length) {
		size_t n = min_t(size_t, length, PAGE_SIZE - offset_in_page(offset));
		void *p = pciem_bar_ptr(bar, offset);
		int ret;

		if (!p)
			return -ENOMEM;
		ret = direction == PCIEM_DMA_READ ? pciem_copy_out(user, p, n) :
						    pciem_copy_in(p, user, n);
		if (ret)
			return ret;
		offset += n;
		user += n;
		length -= n;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

static int region_copy(void __iomem *io, void __user *user, size_t length, u32 direction)
{
	u8 buffer[CHUNK] __aligned(8);

	while (length) {
		size_t n = min_t(size_t, length, CHUNK);
		int ret;

		if (direction == PCIEM_DMA_READ) {
			memcpy_fromio(buffer, io, n);
			ret = pciem_copy_out(user, buffer, n);
		} else {
			ret = pciem_copy_in(buffer, user, n);
			if (!ret)
				memcpy_toio(io, buffer, n);
		}
		if (ret)
			return ret;
		io += n;
		user += n;
		length -= n;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/**
 * pciem_peer_copy() - between a user buffer and the memory of another device
 * @from: device that makes the access
 * @phys: address as the CPU sees it
 * @user: buffer
 * @length: bytes, not 0
 * @direction: PCIEM_DMA_READ or PCIEM_DMA_WRITE
 *
 * Return: 0, -EACCES when not all of it may be reached, -EFAULT or -EINTR.
 */
int pciem_peer_copy(struct pciem_device *from, u64 phys, void __user *user, size_t length,
		    u32 direction)
{
	struct pciem_bar *bar;
	u64 offset;
	int ret;

	if (phys + length - 1 < phys)
		return -EACCES;
	bar = pciem_trap_pages_at(phys, length, &offset);
	if (bar) {
		/* One that is less than a page ends before its page does. */
		ret = offset + length > bar->size ? -EACCES :
		      bar_copy(from, bar, offset, user, length, direction);
		pciem_device_put(bar->func->dev);
		return ret;
	}
	for (unsigned int i = 0; i < region_count; i++)
		if (phys >= regions[i].start && length <= regions[i].size &&
		    phys - regions[i].start <= regions[i].size - length)
			return region_copy(regions[i].io + (phys - regions[i].start), user, length,
					   direction);
	return -EACCES;
}

int pciem_p2p(struct pciem_device *dev, const struct pciem_p2p_op *arg)
{
	const u32 direction = pciem_dma_direction(dev, arg->flags);
	struct pciem_func *func;
	int ret;

	if (direction != PCIEM_DMA_READ && direction != PCIEM_DMA_WRITE)
		return -EINVAL;
	func = pciem_func_running(dev, arg->func);
	if (IS_ERR(func))
		return PTR_ERR(func);
	if (!pciem_bus_master(func)) {
		pciem_dma_fault(func, arg->target_phys, arg->length, direction,
				PCIEM_DMA_FAULT_BUS_MASTER, true);
		return -EACCES;
	}
	if (!arg->length)
		return 0;
	ret = pciem_peer_copy(dev, arg->target_phys, u64_to_user_ptr(arg->user_addr), arg->length,
			      direction);
	if (ret == -EACCES)
		pciem_dma_fault(func, arg->target_phys, arg->length, direction,
				PCIEM_DMA_FAULT_PEER, true);
	return ret;
}

static int region_add(char *text)
{
	char *colon = strchr(text, ':');
	u64 start, size;

	if (!colon || region_count == MAX_REGIONS)
		return -EINVAL;
	*colon = '\0';
	if (kstrtou64(text, 0, &start) || kstrtou64(colon + 1, 0, &size))
		return -EINVAL;
	if (!size || start + size - 1 < start ||
	    (start + size - 1) >> boot_cpu_data.x86_phys_bits)
		return -EINVAL;
	/* The kernel's own memory is no device's. */
	if (region_intersects(start, size, IORESOURCE_SYSTEM_RAM, IORES_DESC_NONE) != REGION_DISJOINT)
		return -EINVAL;
	regions[region_count].io = ioremap(start, size);
	if (!regions[region_count].io)
		return -ENOMEM;
	regions[region_count].start = start;
	regions[region_count].size = size;
	region_count++;
	return 0;
}

void pciem_p2p_exit(void)
{
	while (region_count)
		iounmap(regions[--region_count].io);
}

int pciem_p2p_init(void)
{
	char *text, *rest, *one;
	int ret = 0;

	if (!p2p_regions || !*p2p_regions)
		return 0;
	text = kstrdup(p2p_regions, GFP_KERNEL);
	if (!text)
		return -ENOMEM;
	rest = text;
	while (!ret && (one = strsep(&rest, ","))) {
		ret = region_add(one);
		if (ret)
			pr_err("p2p_regions=%s: number %u is not 0xADDRESS:0xSIZE of a device's memory: %d\n",
			       p2p_regions, region_count + 1, ret);
	}
	kfree(text);
	if (ret)
		pciem_p2p_exit();
	return ret;
}

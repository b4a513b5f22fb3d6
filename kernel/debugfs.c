// SPDX-License-Identifier: GPL-2.0-only
/*
 * debugfs: a directory for each device on a bus, for people to read.
 *
 * debugfs_remove() waits for reads under way and lets no further one reach us,
 * so the files use the device without a reference; it is removed before the
 * bus goes. Neither call is made under device->lock: reading a directory takes
 * the inode's lock and then mmap_lock, and mmap takes device->lock in there.
 *
 * Nothing here fails anything: without debugfs there are no files.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "pciem.h"

static struct dentry *root;

static const char *const irq_modes[] = {
	[PCIEM_IRQ_NONE] = "none", [PCIEM_IRQ_INTX] = "INTx",
	[PCIEM_IRQ_MSI] = "MSI", [PCIEM_IRQ_MSIX] = "MSI-X",
};

static int state_show(struct seq_file *seq, void *unused)
{
	struct pciem_device *dev = seq->private;

	for (unsigned int i = 0; i < PCIEM_MAX_FUNCTIONS; i++) {
		struct pciem_device_info info = { .func = i };

		if (pciem_device_info(dev, &info))
			continue;
		seq_printf(seq, "function %u: %04x:%02x:%02x.%u id %04x:%04x class %06x %s\n", i,
			   info.domain, info.bus, PCI_SLOT(info.devfn), PCI_FUNC(info.devfn),
			   pciem_config_read(dev->funcs[i], PCI_VENDOR_ID, 2),
			   pciem_config_read(dev->funcs[i], PCI_DEVICE_ID, 2),
			   pciem_config_read(dev->funcs[i], PCI_CLASS_REVISION, 4) >> 8,
			   info.state & PCIEM_STATE_STARTED ? "started" : "registered");
		seq_printf(seq, "  driver: %s\n", info.driver[0] ? info.driver : "none");
		seq_printf(seq, "  bus mastering: %s\n",
			   info.state & PCIEM_STATE_BUS_MASTER ? "on" : "off");
		seq_printf(seq, "  interrupts: %s, %u of %u vectors\n", irq_modes[info.irq_mode],
			   info.vectors, pciem_irq_vectors(dev->funcs[i]));
	}
	seq_printf(seq, "ring: %u slots, %s\n", dev->ring.slots, dev->ring.wide ? "wide" : "old");
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(state);

static int bars_show(struct seq_file *seq, void *unused)
{
	struct pciem_device *dev = seq->private;

	seq_puts(seq, "function bar address            size       flags                trapped\n");
	for (unsigned int i = 0; i < PCIEM_MAX_FUNCTIONS * PCIEM_MAX_BARS; i++) {
		struct pciem_func *func = dev->funcs[i / PCIEM_MAX_BARS];
		struct pciem_bar *bar;
		u32 trace;

		if (!func)
			continue;
		bar = &func->bars[i % PCIEM_MAX_BARS];
		if (!bar->size)
			continue;
		trace = pciem_trace_flags(bar, 0, bar->size);
		seq_printf(seq, "%-8u %-3u 0x%016llx %-#10llx %-6s %-12s %s%s%s%s%s\n", func->nr,
			   bar->index, (u64)pciem_bridge_bar_phys(bar), bar->size,
			   bar->flags & PCIEM_BAR_MEM64 ? "64-bit" : "32-bit",
			   bar->flags & PCIEM_BAR_PREFETCH ? "prefetchable" : "",
			   trace & PCIEM_TRACE_READS ? "reads " : "",
			   trace & (PCIEM_TRACE_WRITES | PCIEM_TRACE_STOP_WRITES) ? "writes " : "",
			   trace & PCIEM_TRACE_STOP_WRITES ? "stopped " : "",
			   trace & (PCIEM_TRACE_SYNC_READS | PCIEM_TRACE_SYNC_WRITES) ?
				"synchronous" : "", trace ? "" : "no");
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(bars);

static int vectors_show(struct seq_file *seq, void *unused)
{
	struct pciem_device *dev = seq->private;

	seq_puts(seq, "function vector irq  cpu  count      address            data       state\n");
	for (unsigned int i = 0; i < PCIEM_MAX_FUNCTIONS; i++) {
		struct pciem_vector_info info = { .func = i };
		unsigned int vectors;

		if (!dev->funcs[i])
			continue;
		pciem_irq_mode(dev->funcs[i], &vectors);
		for (info.vector = 0; info.vector < vectors; info.vector++) {
			if (pciem_irq_vector_info(dev, &info))
				break;
			seq_printf(seq, "%-8u %-6u %-4u %-4d %-10llu 0x%016llx 0x%08x %s%s%s\n", i,
				   info.vector, info.irq, (int)info.cpu, info.count, info.address,
				   info.data, info.flags & PCIEM_VECTOR_ENABLED ? "enabled " : "",
				   info.flags & PCIEM_VECTOR_MASKED ? "masked " : "",
				   info.flags & PCIEM_VECTOR_PENDING ? "pending" : "");
		}
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vectors);

static int counters_show(struct seq_file *seq, void *unused)
{
	struct pciem_device *dev = seq->private;

	seq_printf(seq, "events %lld\n", atomic64_read(&dev->ring.events));
	seq_printf(seq, "lost %lld\n", atomic64_read(&dev->ring.lost));
	seq_printf(seq, "waits %lld\n", atomic64_read(&dev->ring.waits));
	seq_printf(seq, "sync_reads %lld\n", atomic64_read(&dev->requests.reads));
	seq_printf(seq, "sync_writes %lld\n", atomic64_read(&dev->requests.writes));
	seq_printf(seq, "sync_timeouts %lld\n", atomic64_read(&dev->requests.timeouts));
	seq_printf(seq, "sync_abandoned %lld\n", atomic64_read(&dev->requests.abandoned));
	seq_printf(seq, "late_responses %lld\n", atomic64_read(&dev->requests.late));
	for (unsigned int i = 0; i < PCIEM_MAX_FUNCTIONS; i++)
		if (dev->funcs[i])
			seq_printf(seq, "interrupts.%u %lld\n", i,
				   atomic64_read(&dev->funcs[i]->interrupts));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(counters);

/* The device is on its bus; its file is open, so it stays there. */
void pciem_debugfs_add(struct pciem_device *dev)
{
	char name[16];

	snprintf(name, sizeof(name), "%04x:%02x:%02x", pci_domain_nr(dev->bus), dev->bus->number,
		 dev->slot);
	dev->debugfs = debugfs_create_dir(name, root);
	debugfs_create_file("state", 0400, dev->debugfs, dev, &state_fops);
	debugfs_create_file("bars", 0400, dev->debugfs, dev, &bars_fops);
	debugfs_create_file("vectors", 0400, dev->debugfs, dev, &vectors_fops);
	debugfs_create_file("counters", 0400, dev->debugfs, dev, &counters_fops);
}

void pciem_debugfs_remove(struct pciem_device *dev)
{
	debugfs_remove(dev->debugfs);
}

void pciem_debugfs_init(void)
{
	root = debugfs_create_dir("pciem", NULL);
}

void pciem_debugfs_exit(void)
{
	debugfs_remove(root);
}

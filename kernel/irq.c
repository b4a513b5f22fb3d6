// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts: a domain of slots per device, PCI MSI and MSI-X on top of it,
 * and INTx pins straight from it.
 *
 * A message that a driver programs has PCIEM_MSI_ADDRESS and the slot number;
 * raising a vector reads the message back from where the driver put it, as a
 * card does, so that what is delivered is what is programmed.
 *
 * A slot is delivered on the CPU of its effective affinity: directly when that
 * is this one, else with a counted call to that CPU, so that none is merged.
 *
 * Context: pciem_irq_raise() in process context or from an irq_work; the chip
 * callbacks under irq desc locks, so they only queue the irq_work.
 */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/nospec.h>
#include <linux/slab.h>

#include "pciem.h"

#define PCIEM_MSI_ADDRESS	0xfee00000U	/* where x86 has its interrupt window */

/* Delivery */

/* Interrupts are off. What handlers see is a hard interrupt in every case. */
static void slot_handle(struct pciem_irq_slot *slot)
{
	unsigned int virq = READ_ONCE(slot->virq);

	if (!virq)
		return;
	atomic64_inc(&slot->count);
	generic_handle_irq(virq);
}

static void slot_handle_here(struct pciem_irq_slot *slot)
{
	unsigned long flags;

	if (in_hardirq()) {
		local_irq_save(flags);
		slot_handle(slot);
		local_irq_restore(flags);
		return;
	}
	/* Softirqs that the handler raises run at local_bh_enable(). */
	local_bh_disable();
	local_irq_save(flags);
	__irq_enter_raw();
	slot_handle(slot);
	__irq_exit_raw();
	local_irq_restore(flags);
	local_bh_enable();
}

/* On the slot's CPU, interrupts off. */
static void slot_remote(void *data)
{
	struct pciem_irq_slot *slot = data;
	int n = atomic_xchg(&slot->pending, 0);

	while (n--)
		slot_handle(slot);
	atomic_dec(&slot->table->inflight);
}

static void slot_deliver(struct pciem_irq_slot *slot)
{
	unsigned int cpu;
	int n;

	preempt_disable();
	cpu = READ_ONCE(slot->cpu);
	if (cpu == smp_processor_id()) {
		slot_handle_here(slot);
	} else if (!atomic_fetch_inc(&slot->pending)) {
		/* The call lets go of the csd before it takes the count. */
		atomic_inc(&slot->table->inflight);
		if (smp_call_function_single_async(cpu, &slot->csd)) {
			/* That CPU went offline. */
			for (n = atomic_xchg(&slot->pending, 0); n; n--)
				slot_handle_here(slot);
			atomic_dec(&slot->table->inflight);
		}
	}
	preempt_enable();
}

/* The memory write that a message is. */
static int deliver_message(struct pciem_func *func, u64 address, u32 data)
{
	struct pciem_irq_table *table = &func->dev->irqs;
	struct pciem_irq_slot *slot;

	/* The driver enabled the vector without programming it. */
	if (address != PCIEM_MSI_ADDRESS || data >= table->nslots)
		return -ENXIO;
	slot = &table->slots[array_index_nospec(data, table->nslots)];
	if (!READ_ONCE(slot->virq))
		return -ENXIO;
	atomic64_inc(&func->interrupts);
	slot_deliver(slot);
	return 0;
}

/* MSI-X */

struct msix_entry_regs {
	u32 address_lo;
	u32 address_hi;
	u32 data;
	u32 control;
};

static struct pciem_bar *msix_bar(struct pciem_func *func)
{
	return &func->bars[func->msix.bar_index];
}

static u32 msix_field(struct pciem_func *func, unsigned int vector, unsigned int field)
{
	return pciem_bar_load(msix_bar(func), func->msix.table_offset +
			      vector * PCI_MSIX_ENTRY_SIZE + field, 4);
}

static bool msix_masked(struct pciem_func *func, unsigned int vector)
{
	return pciem_config_read(func, func->cap_msix + PCI_MSIX_FLAGS, 2) & PCI_MSIX_FLAGS_MASKALL ||
	       msix_field(func, vector, PCI_MSIX_ENTRY_VECTOR_CTRL) & PCI_MSIX_ENTRY_CTRL_MASKBIT;
}

static unsigned long *msix_pending(struct pciem_func *func, unsigned int vector)
{
	return pciem_bar_ptr(msix_bar(func), func->msix.pba_offset + vector / 64 * 8);
}

static int msix_deliver(struct pciem_func *func, unsigned int vector)
{
	u64 address = msix_field(func, vector, PCI_MSIX_ENTRY_LOWER_ADDR) |
		      (u64)msix_field(func, vector, PCI_MSIX_ENTRY_UPPER_ADDR) << 32;

	return deliver_message(func, address, msix_field(func, vector, PCI_MSIX_ENTRY_DATA));
}

static int msix_raise(struct pciem_func *func, unsigned int vector)
{
	if (vector >= func->msix.table_size)
		return -EINVAL;
	if (msix_masked(func, vector)) {
		set_bit(vector % 64, msix_pending(func, vector));
		smp_mb__after_atomic();
		/* An unmask in between may have looked before the bit was there. */
		if (msix_masked(func, vector) ||
		    !test_and_clear_bit(vector % 64, msix_pending(func, vector)))
			return 0;
	}
	return msix_deliver(func, vector);
}

static void msix_kick(struct pciem_func *func)
{
	for (unsigned int v = 0; v < func->msix.table_size; v++) {
		unsigned long *word = msix_pending(func, v);

		if (!READ_ONCE(*word)) {
			v |= 63;
			continue;
		}
		if (!test_bit(v % 64, word) || msix_masked(func, v))
			continue;
		if (test_and_clear_bit(v % 64, word))
			msix_deliver(func, v);
	}
}

/* Whether an access of a driver is to the function's MSI-X table. */
bool pciem_irq_in_table(struct pciem_bar *bar, u64 offset)
{
	const struct pciem_cap_msix *msix = &bar->func->msix;

	return bar->func->cap_msix && msix->bar_index == bar->index &&
	       offset - msix->table_offset < msix->table_size * PCI_MSIX_ENTRY_SIZE;
}

/* MSI */

static unsigned int msi_mask_at(struct pciem_func *func)
{
	return func->cap_msi + (func->msi.has_64bit ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32);
}

static bool msi_masked(struct pciem_func *func, unsigned int vector)
{
	return func->msi.has_masking && pciem_config_read(func, msi_mask_at(func), 4) & BIT(vector);
}

/* The pending register is a read-only dword of its own, so dword atomics do. */
static atomic_t *msi_pending(struct pciem_func *func)
{
	return (atomic_t *)&func->config[(msi_mask_at(func) + 4) / 4];
}

static int msi_deliver(struct pciem_func *func, unsigned int vector)
{
	unsigned int at = func->cap_msi;
	u64 address = pciem_config_read(func, at + PCI_MSI_ADDRESS_LO, 4);
	u32 data;

	if (func->msi.has_64bit) {
		address |= (u64)pciem_config_read(func, at + PCI_MSI_ADDRESS_HI, 4) << 32;
		data = pciem_config_read(func, at + PCI_MSI_DATA_64, 2);
	} else {
		data = pciem_config_read(func, at + PCI_MSI_DATA_32, 2);
	}
	return deliver_message(func, address, data | vector);
}

static int msi_raise(struct pciem_func *func, unsigned int vector, u16 control)
{
	unsigned int enabled = 1U << ((control & PCI_MSI_FLAGS_QSIZE) >> 4);

	if (vector >= 1U << func->msi.num_vectors_log2)
		return -EINVAL;
	/* A function that was given fewer messages than it asked for shares them. */
	vector &= enabled - 1;
	if (msi_masked(func, vector)) {
		atomic_or(BIT(vector), msi_pending(func));
		smp_mb__after_atomic();
		if (msi_masked(func, vector) ||
		    !(atomic_fetch_andnot(BIT(vector), msi_pending(func)) & BIT(vector)))
			return 0;
	}
	return msi_deliver(func, vector);
}

static void msi_kick(struct pciem_func *func)
{
	if (!func->msi.has_masking)
		return;
	for (unsigned int v = 0; v < 1U << func->msi.num_vectors_log2; v++)
		if (atomic_read(msi_pending(func)) & BIT(v) && !msi_masked(func, v) &&
		    atomic_fetch_andnot(BIT(v), msi_pending(func)) & BIT(v))
			msi_deliver(func, v);
}

/* What the driver chose */

static u16 msix_control(struct pciem_func *func)
{
	return func->cap_msix ? pciem_config_read(func, func->cap_msix + PCI_MSIX_FLAGS, 2) : 0;
}

static u16 msi_control(struct pciem_func *func)
{
	return func->cap_msi ? pciem_config_read(func, func->cap_msi + PCI_MSI_FLAGS, 2) : 0;
}

/* Vectors that a function has, by the kind that has most. */
unsigned int pciem_irq_vectors(struct pciem_func *func)
{
	return max3(1U, func->cap_msix ? func->msix.table_size : 0U,
		    func->cap_msi ? 1U << func->msi.num_vectors_log2 : 0U);
}

unsigned int pciem_irq_mode(struct pciem_func *func, unsigned int *vectors)
{
	u16 msi = msi_control(func);

	if (msix_control(func) & PCI_MSIX_FLAGS_ENABLE) {
		*vectors = func->msix.table_size;
		return PCIEM_IRQ_MSIX;
	}
	if (msi & PCI_MSI_FLAGS_ENABLE) {
		*vectors = 1U << ((msi & PCI_MSI_FLAGS_QSIZE) >> 4);
		return PCIEM_IRQ_MSI;
	}
	*vectors = 0;
	if (pciem_config_read(func, PCI_COMMAND, 2) & PCI_COMMAND_INTX_DISABLE)
		return PCIEM_IRQ_NONE;
	*vectors = 1;
	return PCIEM_IRQ_INTX;
}

/**
 * pciem_irq_raise() - raise one interrupt vector
 * @func: a started function
 * @vector: number; 0 while the driver uses the INTx pin
 *
 * Return: 0 when delivered, or noted as pending for a masked vector; -EINVAL
 * for a vector that the function does not have; -EACCES while the driver has
 * bus mastering off, as a message is a memory write; -ENXIO when the driver
 * enabled no interrupt, or the vector without giving it a message.
 */
int pciem_irq_raise(struct pciem_func *func, unsigned int vector)
{
	u16 control;

	if (msix_control(func) & PCI_MSIX_FLAGS_ENABLE)
		return pciem_bus_master(func) ? msix_raise(func, vector) : -EACCES;
	control = msi_control(func);
	if (control & PCI_MSI_FLAGS_ENABLE)
		return pciem_bus_master(func) ? msi_raise(func, vector, control) : -EACCES;

	if (vector)
		return -EINVAL;
	if (pciem_config_read(func, PCI_COMMAND, 2) & PCI_COMMAND_INTX_DISABLE)
		return -ENXIO;
	atomic64_inc(&func->interrupts);
	slot_deliver(&func->dev->irqs.slots[func->intx_slot]);
	return 0;
}

/* Deliver what became pending while masked; from any context. */
void pciem_irq_kick(struct pciem_func *func)
{
	if (!pciem_gone(func->dev))
		irq_work_queue(&func->kick);
}

static void kick_work(struct irq_work *work)
{
	struct pciem_func *func = container_of(work, struct pciem_func, kick);

	if (pciem_gone(func->dev) || !pciem_bus_master(func))
		return;
	if (msix_control(func) & PCI_MSIX_FLAGS_ENABLE)
		msix_kick(func);
	else if (msi_control(func) & PCI_MSI_FLAGS_ENABLE)
		msi_kick(func);
}

/* The chip of a slot: parent of the MSI chip, and the chip of INTx itself */

static void slot_noop(struct irq_data *data)
{
}

static void slot_compose(struct irq_data *data, struct msi_msg *msg)
{
	msg->address_hi = 0;
	msg->address_lo = PCIEM_MSI_ADDRESS;
	msg->data = data->hwirq;
}

static int slot_set_affinity(struct irq_data *data, const struct cpumask *mask, bool force)
{
	struct pciem_irq_slot *slot = irq_data_get_irq_chip_data(data);
	unsigned int cpu = cpumask_first_and(mask, cpu_online_mask);

	if (cpu >= nr_cpu_ids)
		return -EINVAL;
	WRITE_ONCE(slot->cpu, cpu);
	irq_data_update_effective_affinity(data, cpumask_of(cpu));
	/* The message does not change with the CPU. */
	return IRQ_SET_MASK_OK_DONE;
}

static struct irq_chip slot_chip = {
	.name			= "PCIem",
	.irq_ack		= slot_noop,
	.irq_mask		= slot_noop,
	.irq_unmask		= slot_noop,
	.irq_set_affinity	= slot_set_affinity,
	.irq_compose_msi_msg	= slot_compose,
	.flags			= IRQCHIP_SKIP_SET_WAKE,
};

static int slots_alloc(struct irq_domain *domain, unsigned int virq, unsigned int n, void *arg)
{
	struct pciem_irq_table *table = domain->host_data;
	unsigned long flags, first;

	/* Multi-message MSI puts the vector into the low bits of the data. */
	raw_spin_lock_irqsave(&table->lock, flags);
	first = bitmap_find_next_zero_area(table->used, table->nslots, 0, n,
					   roundup_pow_of_two(n) - 1);
	if (first < table->nslots)
		bitmap_set(table->used, first, n);
	raw_spin_unlock_irqrestore(&table->lock, flags);
	if (first >= table->nslots)
		return -ENOSPC;

	for (unsigned int i = 0; i < n; i++) {
		struct pciem_irq_slot *slot = &table->slots[first + i];

		slot->cpu = cpumask_first(cpu_online_mask);
		atomic64_set(&slot->count, 0);
		irq_domain_set_info(domain, virq + i, first + i, &slot_chip, slot,
				    handle_edge_irq, NULL, "edge");
		irq_data_update_effective_affinity(irq_get_irq_data(virq + i),
						   cpumask_of(slot->cpu));
#ifndef PCIEM_IRQ_MOVES_ANYWHERE
		/* The message stays the same, so there is no bad moment to move. */
		irq_set_status_flags(virq + i, IRQ_MOVE_PCNTXT);
#endif
		WRITE_ONCE(slot->virq, virq + i);
	}
	return 0;
}

static void slots_free(struct irq_domain *domain, unsigned int virq, unsigned int n)
{
	struct pciem_irq_table *table = domain->host_data;
	unsigned long flags;

	for (unsigned int i = 0; i < n; i++) {
		struct irq_data *data = irq_domain_get_irq_data(domain, virq + i);
		irq_hw_number_t hwirq = data->hwirq;

		WRITE_ONCE(table->slots[hwirq].virq, 0);
		irq_domain_reset_irq_data(data);
		raw_spin_lock_irqsave(&table->lock, flags);
		__clear_bit(hwirq, table->used);
		raw_spin_unlock_irqrestore(&table->lock, flags);
	}
}

static const struct irq_domain_ops slot_domain_ops = {
	.alloc	= slots_alloc,
	.free	= slots_free,
};

/* PCI MSI on top */

static void msi_chip_unmask(struct irq_data *data)
{
	struct msi_desc *desc = irq_data_get_msi_desc(data);
	struct msi_domain_info *info = data->domain->host_data;
	struct pciem_device *dev = info->data;
	struct pciem_func *func;

	pci_msi_unmask_irq(data);
	func = dev->funcs[PCI_FUNC(to_pci_dev(desc->dev)->devfn)];
	if (func)
		pciem_irq_kick(func);
}

static struct irq_chip msi_chip = {
	.name			= "PCIem-MSI",
	.irq_ack		= irq_chip_ack_parent,
	.irq_mask		= pci_msi_mask_irq,
	.irq_unmask		= msi_chip_unmask,
	.flags			= IRQCHIP_SKIP_SET_WAKE,
};

static irq_hw_number_t msi_get_hwirq(struct msi_domain_info *info, msi_alloc_info_t *arg)
{
	return arg->hwirq;
}

static int msi_prepare(struct irq_domain *domain, struct device *dev, int n, msi_alloc_info_t *arg)
{
	memset(arg, 0, sizeof(*arg));
	return 0;
}

static void msi_set_desc(msi_alloc_info_t *arg, struct msi_desc *desc)
{
	arg->desc = desc;
	arg->hwirq = desc->msi_index | (irq_hw_number_t)to_pci_dev(desc->dev)->devfn << 11;
}

static struct msi_domain_ops msi_ops = {
	.get_hwirq	= msi_get_hwirq,
	.msi_prepare	= msi_prepare,
	.set_desc	= msi_set_desc,
};

/* Slots that a function can need at most. */
static unsigned int slots_needed(struct pciem_func *func)
{
	unsigned int n = func->cap_msix ? func->msix.table_size : 0;

	/* Twice, as a run of MSI vectors is aligned. */
	if (func->cap_msi)
		n = max(n, 2U << func->msi.num_vectors_log2);
	return 1 + n;
}

int pciem_irq_init(struct pciem_device *dev)
{
	struct pciem_irq_table *table = &dev->irqs;
	int domain = dev->sysdata.domain;
	unsigned int i;

	for (i = 0; i < PCIEM_MAX_FUNCTIONS; i++)
		if (dev->funcs[i])
			table->nslots += slots_needed(dev->funcs[i]);
	raw_spin_lock_init(&table->lock);
	table->slots = kvcalloc(table->nslots, sizeof(*table->slots), GFP_KERNEL_ACCOUNT);
	table->used = bitmap_zalloc(table->nslots, GFP_KERNEL_ACCOUNT);
	if (!table->slots || !table->used)
		return -ENOMEM;
	for (i = 0; i < table->nslots; i++) {
		table->slots[i].table = table;
		INIT_CSD(&table->slots[i].csd, slot_remote, &table->slots[i]);
	}

	table->fwnode = irq_domain_alloc_named_id_fwnode("PCIem", domain);
	table->msi_fwnode = irq_domain_alloc_named_id_fwnode("PCIem-MSI", domain);
	if (!table->fwnode || !table->msi_fwnode)
		return -ENOMEM;
	table->domain = irq_domain_create_tree(table->fwnode, &slot_domain_ops, table);
	if (!table->domain)
		return -ENOMEM;

	table->msi_info.flags = MSI_FLAG_USE_DEF_DOM_OPS | MSI_FLAG_USE_DEF_CHIP_OPS |
				MSI_FLAG_MULTI_PCI_MSI | MSI_FLAG_PCI_MSIX;
	table->msi_info.ops = &msi_ops;
	table->msi_info.chip = &msi_chip;
	table->msi_info.data = dev;
	table->msi_domain = pci_msi_create_irq_domain(table->msi_fwnode, &table->msi_info,
						      table->domain);
	if (!table->msi_domain)
		return -ENOMEM;

	for (i = 0; i < PCIEM_MAX_FUNCTIONS; i++) {
		struct pciem_func *func = dev->funcs[i];
		int virq;

		if (!func)
			continue;
		virq = irq_domain_alloc_irqs(table->domain, 1, NUMA_NO_NODE, NULL);
		if (virq <= 0)
			return virq ?: -ENOSPC;
		func->intx_slot = irq_get_irq_data(virq)->hwirq;
	}
	return 0;
}

/* Also after pciem_irq_init() failed half way. The bus is gone or never was. */
void pciem_irq_exit(struct pciem_device *dev)
{
	struct pciem_irq_table *table = &dev->irqs;
	unsigned int i;

	for (i = 0; i < PCIEM_MAX_FUNCTIONS; i++) {
		struct pciem_func *func = dev->funcs[i];

		if (!func)
			continue;
		irq_work_sync(&func->kick);
		if (func->intx_slot >= 0 && table->slots)
			irq_dispose_mapping(table->slots[func->intx_slot].virq);
		func->intx_slot = -1;
	}
	while (atomic_read(&table->inflight))
		usleep_range(100, 1000);
	synchronize_rcu();	/* slot_remote() has interrupts off to its end */

	if (table->msi_domain)
		irq_domain_remove(table->msi_domain);
	if (table->domain)
		irq_domain_remove(table->domain);
	if (table->msi_fwnode)
		irq_domain_free_fwnode(table->msi_fwnode);
	if (table->fwnode)
		irq_domain_free_fwnode(table->fwnode);
	table->msi_domain = NULL;
	table->domain = NULL;
	table->msi_fwnode = NULL;
	table->fwnode = NULL;
	kvfree(table->slots);
	table->slots = NULL;
	bitmap_free(table->used);
	table->used = NULL;
	table->nslots = 0;
}

void pciem_irq_func_init(struct pciem_func *func)
{
	func->intx_slot = -1;
	init_irq_work(&func->kick, kick_work);
}

/* pci_host_bridge.map_irq: the Linux interrupt of a function's pin. */
int pciem_irq_map_pin(const struct pci_dev *pdev, u8 slot, u8 pin)
{
	struct pciem_device *dev = container_of(pdev->bus->sysdata, struct pciem_device, sysdata);
	struct pciem_func *func = dev->funcs[PCI_FUNC(pdev->devfn)];

	if (!func || func->intx_slot < 0)
		return -1;
	return dev->irqs.slots[func->intx_slot].virq;
}

int pciem_irq_vector_info(struct pciem_device *dev, struct pciem_vector_info *info)
{
	struct pciem_func *func = pciem_func_running(dev, info->func);
	struct pciem_irq_slot *slot = NULL;
	unsigned int mode, vectors, vector = info->vector;

	if (IS_ERR(func))
		return PTR_ERR(func);

	mode = pciem_irq_mode(func, &vectors);
	info->flags = 0;
	info->irq = 0;
	info->address = 0;
	info->data = 0;
	info->cpu = ~0U;
	info->count = 0;

	/* What the function has, whether or not the driver enabled it */
	if (vector >= pciem_irq_vectors(func))
		return -EINVAL;
	if (vector >= vectors)
		return 0;

	switch (mode) {
	case PCIEM_IRQ_MSIX:
		info->address = msix_field(func, vector, PCI_MSIX_ENTRY_LOWER_ADDR) |
				(u64)msix_field(func, vector, PCI_MSIX_ENTRY_UPPER_ADDR) << 32;
		info->data = msix_field(func, vector, PCI_MSIX_ENTRY_DATA);
		if (msix_masked(func, vector))
			info->flags |= PCIEM_VECTOR_MASKED;
		if (test_bit(vector % 64, msix_pending(func, vector)))
			info->flags |= PCIEM_VECTOR_PENDING;
		break;
	case PCIEM_IRQ_MSI:
		info->address = pciem_config_read(func, func->cap_msi + PCI_MSI_ADDRESS_LO, 4);
		if (func->msi.has_64bit)
			info->address |= (u64)pciem_config_read(func, func->cap_msi +
								PCI_MSI_ADDRESS_HI, 4) << 32;
		info->data = vector | pciem_config_read(func, func->cap_msi +
				(func->msi.has_64bit ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32), 2);
		if (msi_masked(func, vector))
			info->flags |= PCIEM_VECTOR_MASKED;
		if (func->msi.has_masking && atomic_read(msi_pending(func)) & BIT(vector))
			info->flags |= PCIEM_VECTOR_PENDING;
		break;
	case PCIEM_IRQ_INTX:
		slot = &dev->irqs.slots[func->intx_slot];
		break;
	}
	if (info->address == PCIEM_MSI_ADDRESS && info->data < dev->irqs.nslots)
		slot = &dev->irqs.slots[array_index_nospec(info->data, dev->irqs.nslots)];
	if (slot && READ_ONCE(slot->virq)) {
		info->flags |= PCIEM_VECTOR_ENABLED;
		info->irq = READ_ONCE(slot->virq);
		info->cpu = READ_ONCE(slot->cpu);
		info->count = atomic64_read(&slot->count);
	}
	return 0;
}

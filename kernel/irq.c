// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts: a domain of slots per device, PCI MSI and MSI-X on top of it,
 * and INTx pins straight from it.
 *
 * A message that a driver programs has PCIEM_MSI_ADDRESS and the slot number;
 * raising a vector reads the message back from where the driver put it, as a
 * card does, so that what is delivered is what is programmed.
 *
 * A slot is delivered on the CPU of its effective affinity. Deliveries are
 * counted, and who brings the count from 0 to 1 has the slot until it is 0
 * again, if need be on another CPU: one handler at a time, so that the irq
 * core, which keeps one more in mind while a handler runs, merges none.
 *
 * A pin is a level. Its slot's deliveries are only looks at it: the handler is
 * called while the line is up and not masked, and the line is looked at again
 * when the irq core unmasks it, which is the end of the handler. A level that
 * stays up is served again after a pause that is longer than the handler took,
 * so that the CPU gets to run who takes it down, on however slow a machine. A
 * pulse, which INJECT_IRQ is, holds the line up for one run of the handler.
 *
 * Context: pciem_irq_raise() in process context, pciem_irq_raise_nowait() and
 * pciem_irq_set_level() also from an irq_work; the chip callbacks under irq
 * desc locks, so they only queue the irq_work.
 */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "pciem.h"
#include "trace.h"

#define PCIEM_MSI_ADDRESS	0xfee00000U	/* where x86 has its interrupt window */

/* Deliveries of one slot in a row, before others on that CPU get a turn */
#define SLOT_BUDGET	64
/* Deliveries that may be under way before who raises them has to wait */
#define SLOT_BACKLOG	1024
/* A level's pause, in times of its handler, which getting there is about as long as; and its bounds */
#define PIN_PAUSE_HANDLERS	4
#define PIN_PAUSE_MIN_NS	(20 * NSEC_PER_USEC)
#define PIN_PAUSE_MAX_NS	(10 * NSEC_PER_MSEC)

/* Delivery */

static bool pin_due(struct pciem_func *func);

/* Interrupts are off. What handlers see is a hard interrupt in every case. */
static void slot_handle(struct pciem_irq_slot *slot)
{
	unsigned int virq = READ_ONCE(slot->virq);

	if (!virq)
		return;
	if (slot->pin) {
		if (!pin_due(slot->pin))
			return;
		atomic64_inc(&slot->pin->interrupts);
	}
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
	/* A CPU that leaves idle takes calls outside of an interrupt, and looks for softirqs itself. */
	if (irqs_disabled()) {
		__irq_enter_raw();
		slot_handle(slot);
		__irq_exit_raw();
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

/* The caller has the slot, and no longer after this. Preemption is off. */
static void slot_pass_on(struct pciem_irq_slot *slot)
{
	unsigned int cpu = READ_ONCE(slot->cpu);

	if (cpu != smp_processor_id() && !smp_call_function_single_async(cpu, &slot->csd))
		return;
	/* This CPU, or that one went offline. */
	irq_work_queue(&slot->work);
}

/* The same. */
static void slot_run(struct pciem_irq_slot *slot)
{
	unsigned int budget = SLOT_BUDGET;

	do {
		slot_handle_here(slot);
		if (atomic_dec_and_test(&slot->pending))
			return;
	} while (--budget && READ_ONCE(slot->cpu) == smp_processor_id());
	slot_pass_on(slot);
}

static void slot_call(void *data)
{
	slot_run(data);
}

static void slot_work(struct irq_work *work)
{
	slot_run(container_of(work, struct pciem_irq_slot, work));
}

static void slot_deliver(struct pciem_irq_slot *slot)
{
	if (atomic_fetch_inc(&slot->pending))
		return;
	preempt_disable();
	if (READ_ONCE(slot->cpu) == smp_processor_id())
		slot_run(slot);
	else
		slot_pass_on(slot);
	preempt_enable();
}

static struct pciem_irq_slot *message_slot(struct pciem_device *dev, u64 address, u32 data)
{
	struct pciem_irq_table *table = &dev->irqs;

	if (address != PCIEM_MSI_ADDRESS || data >= table->nslots)
		return NULL;
	return &table->slots[array_index_nospec(data, table->nslots)];
}

/* The memory write that a message is. */
static int deliver_message(struct pciem_func *func, u64 address, u32 data)
{
	struct pciem_irq_slot *slot = message_slot(func->dev, address, data);

	/* The driver enabled the vector without programming it. */
	if (!slot || !READ_ONCE(slot->virq))
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

static u64 msix_address(struct pciem_func *func, unsigned int vector)
{
	return msix_field(func, vector, PCI_MSIX_ENTRY_LOWER_ADDR) |
	       (u64)msix_field(func, vector, PCI_MSIX_ENTRY_UPPER_ADDR) << 32;
}

static int msix_deliver(struct pciem_func *func, unsigned int vector)
{
	return deliver_message(func, msix_address(func, vector),
			       msix_field(func, vector, PCI_MSIX_ENTRY_DATA));
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

bool pciem_irq_has_table(struct pciem_bar *bar)
{
	return bar->func->cap_msix && bar->func->msix.bar_index == bar->index;
}

static u64 table_bytes(const struct pciem_cap_msix *msix)
{
	return msix->table_size * PCI_MSIX_ENTRY_SIZE;
}

/* Whether an access of a driver is to the function's MSI-X table. */
bool pciem_irq_in_table(struct pciem_bar *bar, u64 offset)
{
	const struct pciem_cap_msix *msix = &bar->func->msix;

	return pciem_irq_has_table(bar) && offset - msix->table_offset < table_bytes(msix);
}

/* Likewise for its pending bits. */
bool pciem_irq_in_pba(struct pciem_bar *bar, u64 offset)
{
	const struct pciem_cap_msix *msix = &bar->func->msix;

	return pciem_irq_has_table(bar) &&
	       offset - msix->pba_offset < DIV_ROUND_UP(msix->table_size, 64) * 8;
}

/* Whether the page at an offset of the BAR has a part of the table. */
bool pciem_irq_table_page(struct pciem_bar *bar, u64 page)
{
	const struct pciem_cap_msix *msix = &bar->func->msix;

	return pciem_irq_has_table(bar) && msix->table_offset < page + PAGE_SIZE &&
	       page < msix->table_offset + table_bytes(msix);
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

static u64 msi_address(struct pciem_func *func)
{
	u64 address = pciem_config_read(func, func->cap_msi + PCI_MSI_ADDRESS_LO, 4);

	if (func->msi.has_64bit)
		address |= (u64)pciem_config_read(func, func->cap_msi + PCI_MSI_ADDRESS_HI, 4) << 32;
	return address;
}

static u32 msi_data(struct pciem_func *func, unsigned int vector)
{
	return vector | pciem_config_read(func, func->cap_msi +
			(func->msi.has_64bit ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32), 2);
}

static int msi_deliver(struct pciem_func *func, unsigned int vector)
{
	return deliver_message(func, msi_address(func), msi_data(func, vector));
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

/* The pin */

static bool pin_disabled(struct pciem_func *func)
{
	return pciem_config_read(func, PCI_COMMAND, 2) & PCI_COMMAND_INTX_DISABLE;
}

static struct pciem_irq_slot *pin_slot(struct pciem_func *func)
{
	return &func->dev->irqs.slots[func->intx_slot];
}

/* Whether the line is up for the interrupt controller, and open there. */
static bool pin_due(struct pciem_func *func)
{
	struct pciem_pin *pin = &func->pin;

	return (READ_ONCE(pin->asserted) || READ_ONCE(pin->pulses)) && READ_ONCE(pin->open) &&
	       !READ_ONCE(pin->masked) && !pciem_gone(func->dev) && !pin_disabled(func) &&
	       !(msix_control(func) & PCI_MSIX_FLAGS_ENABLE) &&
	       !(msi_control(func) & PCI_MSI_FLAGS_ENABLE) && pciem_powered(func);
}

/* Status.Interrupt Status says what the function drives, whether or not it gets out. */
static void pin_update_status(struct pciem_func *func)
{
	u32 bit = PCI_STATUS_INTERRUPT << 16, *dword = &func->config[PCI_COMMAND / 4];
	bool up = func->pin.asserted || func->pin.pulses;

	lockdep_assert_held(&func->pin.lock);
	raw_spin_lock(&func->config_lock);
	WRITE_ONCE(*dword, up ? *dword | bit : *dword & ~bit);
	raw_spin_unlock(&func->config_lock);
}

/* Something changed that may make the line due; in any context without irq desc locks. */
static void pin_look(struct pciem_func *func)
{
	struct pciem_pin *pin = &func->pin;
	unsigned long flags;
	bool now = false;
	u64 since;

	raw_spin_lock_irqsave(&pin->lock, flags);
	if (pin_due(func)) {
		since = ktime_get_mono_fast_ns() - pin->served;
		now = pin->pulses || since >= pin->pause;
		if (!now)
			hrtimer_start(&pin->again, ns_to_ktime(pin->pause - since),
				      HRTIMER_MODE_REL_HARD);
	}
	raw_spin_unlock_irqrestore(&pin->lock, flags);
	if (now)
		slot_deliver(pin_slot(func));
}

static enum hrtimer_restart pin_again(struct hrtimer *timer)
{
	slot_deliver(pin_slot(container_of(timer, struct pciem_func, pin.again)));
	return HRTIMER_NORESTART;
}

static int pin_pulse(struct pciem_func *func)
{
	struct pciem_pin *pin = &func->pin;
	unsigned long flags;
	int ret = 0;

	raw_spin_lock_irqsave(&pin->lock, flags);
	if (pin_disabled(func)) {
		ret = -EPERM;
	} else if (!pin->open) {
		ret = -ENXIO;
	} else if (pin->pulses < U32_MAX) {
		WRITE_ONCE(pin->pulses, pin->pulses + 1);
		pin_update_status(func);
	}
	raw_spin_unlock_irqrestore(&pin->lock, flags);
	if (!ret)
		slot_deliver(pin_slot(func));
	return ret;
}

/* Drive the pin of a started function, up or down. */
void pciem_irq_set_level(struct pciem_func *func, bool up)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&func->pin.lock, flags);
	WRITE_ONCE(func->pin.asserted, up);
	pin_update_status(func);
	raw_spin_unlock_irqrestore(&func->pin.lock, flags);
	if (up)
		pin_look(func);
}

/* irqfd.c has @n more (or fewer) that want to hear when a handler has run. */
void pciem_irq_resamplers(struct pciem_func *func, int n)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&func->pin.lock, flags);
	func->pin.resamplers += n;
	raw_spin_unlock_irqrestore(&func->pin.lock, flags);
}

int pciem_irq_set_intx(struct pciem_device *dev, const struct pciem_set_intx *arg)
{
	struct pciem_func *func;

	if (arg->asserted > 1 || memchr_inv(arg->reserved, 0, sizeof(arg->reserved)))
		return -EINVAL;
	func = pciem_func(dev, arg->func);
	if (IS_ERR(func))
		return PTR_ERR(func);
	if (smp_load_acquire(&dev->state) != PCIEM_STARTED)
		return -ENODEV;
	if (!pciem_config_read(func, PCI_INTERRUPT_PIN, 1))
		return -EINVAL;
	pciem_irq_set_level(func, arg->asserted);
	return 0;
}

/* Raising */

/* Of @n vectors; programs of the older interface get the first for one that there is not. */
static unsigned int vector_meant(struct pciem_func *func, unsigned int vector, unsigned int n)
{
	return vector >= n && pciem_lenient(func->dev) ? 0 : vector;
}

static int raise(struct pciem_func *func, unsigned int vector)
{
	u16 control;

	if (smp_load_acquire(&func->dev->state) != PCIEM_STARTED || pciem_gone(func->dev))
		return -ENODEV;
	vector = vector_meant(func, vector, pciem_irq_vectors(func));
	if (vector >= pciem_irq_vectors(func))
		return -EINVAL;
	if (!pciem_powered(func))
		return -ESHUTDOWN;
	if (msix_control(func) & PCI_MSIX_FLAGS_ENABLE) {
		vector = vector_meant(func, vector, func->msix.table_size);
		return pciem_bus_master(func) ? msix_raise(func, vector) : -EACCES;
	}
	control = msi_control(func);
	if (control & PCI_MSI_FLAGS_ENABLE) {
		vector = vector_meant(func, vector, 1U << func->msi.num_vectors_log2);
		return pciem_bus_master(func) ? msi_raise(func, vector, control) : -EACCES;
	}
	/* One of the messages, none of which is enabled */
	if (vector_meant(func, vector, 1) || !pciem_config_read(func, PCI_INTERRUPT_PIN, 1))
		return -ENXIO;
	return pin_pulse(func);
}

/**
 * pciem_irq_raise_nowait() - raise one interrupt vector
 * @func: a function
 * @vector: number; 0 while the driver uses the INTx pin
 *
 * Return: 0 when on its way, or noted as pending for a masked vector; else
 * why not, as struct pciem_irq_inject documents.
 */
int pciem_irq_raise_nowait(struct pciem_func *func, unsigned int vector)
{
	int ret = raise(func, vector);

	trace_pciem_irq(func, vector, ret);
	return ret;
}

/* Whether a slot has as many deliveries under way as may be. */
static bool slot_backlogged(struct pciem_irq_slot *slot)
{
	struct pciem_func *func = slot->pin;

	if (atomic_read(&slot->pending) > SLOT_BACKLOG)
		return true;
	/* Pulses that a driver keeps waiting with disable_irq() are not waited for. */
	return func && READ_ONCE(func->pin.pulses) > SLOT_BACKLOG &&
	       (pin_due(func) || READ_ONCE(func->pin.serving));
}

static struct pciem_irq_slot *vector_slot(struct pciem_func *func, unsigned int vector)
{
	unsigned int vectors;

	switch (pciem_irq_mode(func, &vectors)) {
	case PCIEM_IRQ_MSIX:
		vector = vector_meant(func, vector, vectors);
		if (vector >= vectors)
			return NULL;
		return message_slot(func->dev, msix_address(func, vector),
				    msix_field(func, vector, PCI_MSIX_ENTRY_DATA));
	case PCIEM_IRQ_MSI:
		vector = vector_meant(func, vector, 1U << func->msi.num_vectors_log2);
		return message_slot(func->dev, msi_address(func),
				    msi_data(func, vector & (vectors - 1)));
	default:
		return vector_meant(func, vector, 1) ? NULL : pin_slot(func);
	}
}

/*
 * The same for who may sleep: it waits while the handler lags far behind, or
 * the CPU that runs it would do nothing else.
 */
int pciem_irq_raise(struct pciem_func *func, unsigned int vector)
{
	struct pciem_irq_slot *slot;
	int ret = pciem_irq_raise_nowait(func, vector);

	if (ret)
		return ret;
	slot = vector_slot(func, vector);
	while (slot && slot_backlogged(slot) && !signal_pending(current))
		usleep_range(50, 200);
	return 0;
}

/* Deliver what became deliverable; from any context. */
void pciem_irq_kick(struct pciem_func *func)
{
	if (!pciem_gone(func->dev))
		irq_work_queue(&func->kick);
}

/* A driver wrote to config space. It may have let out what waited for that. */
void pciem_irq_config_written(struct pciem_func *func, unsigned int where)
{
	unsigned int dword = where / 4;

	if (dword == PCI_COMMAND / 4 || (func->cap_msix && dword == func->cap_msix / 4) ||
	    (func->cap_msi && where >= func->cap_msi && where < func->cap_msi + 24) ||
	    (func->cap_pm && dword == (func->cap_pm + PCI_PM_CTRL) / 4))
		pciem_irq_kick(func);
}

/* What a reset of the function does to its pin, which it no longer drives. */
void pciem_irq_reset_pin(struct pciem_func *func)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&func->pin.lock, flags);
	WRITE_ONCE(func->pin.asserted, false);
	WRITE_ONCE(func->pin.pulses, 0);
	pin_update_status(func);
	raw_spin_unlock_irqrestore(&func->pin.lock, flags);
}

static void kick_work(struct irq_work *work)
{
	struct pciem_func *func = container_of(work, struct pciem_func, kick);

	if (pciem_gone(func->dev))
		return;
	if (READ_ONCE(func->pin.resample))
		pciem_irqfd_resample_later(func);
	pin_look(func);
	if (!pciem_bus_master(func))
		return;
	if (msix_control(func) & PCI_MSIX_FLAGS_ENABLE)
		msix_kick(func);
	else if (msi_control(func) & PCI_MSI_FLAGS_ENABLE)
		msi_kick(func);
}

/* The chip of a message's slot: parent of the MSI chip */

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

/* The chip of a pin. Its callbacks have the irq desc's lock, and so are in turn. */

static void pin_mask(struct irq_data *data)
{
	struct pciem_irq_slot *slot = irq_data_get_irq_chip_data(data);

	WRITE_ONCE(slot->pin->pin.masked, true);
}

/* Begins handle_level_irq(), which goes on to call the handler under these conditions. */
static void pin_mask_ack(struct irq_data *data)
{
	struct pciem_irq_slot *slot = irq_data_get_irq_chip_data(data);

	pin_mask(data);
	slot->pin->pin.called = ktime_get_mono_fast_ns();
	WRITE_ONCE(slot->pin->pin.serving, irq_data_to_desc(data)->action &&
		   !irqd_irq_disabled(data) && !irqd_irq_inprogress(data));
}

static void pin_unmask(struct irq_data *data)
{
	struct pciem_irq_slot *slot = irq_data_get_irq_chip_data(data);
	struct pciem_func *func = slot->pin;
	struct pciem_pin *pin = &func->pin;
	bool look;

	raw_spin_lock(&pin->lock);
	if (pin->serving) {
		pin->served = ktime_get_mono_fast_ns();
		pin->pause = clamp_t(u64, (pin->served - pin->called) * PIN_PAUSE_HANDLERS, PIN_PAUSE_MIN_NS,
				     PIN_PAUSE_MAX_NS);
		if (pin->asserted && pin->resamplers) {
			WRITE_ONCE(pin->asserted, false);
			pin->resample = true;
		}
		if (pin->pulses)
			WRITE_ONCE(pin->pulses, pin->pulses - 1);
		pin_update_status(func);
	}
	WRITE_ONCE(pin->serving, false);
	WRITE_ONCE(pin->masked, false);
	look = pin->asserted || pin->pulses || pin->resample;
	raw_spin_unlock(&pin->lock);
	if (look)
		pciem_irq_kick(func);
}

static unsigned int pin_startup(struct irq_data *data)
{
	struct pciem_irq_slot *slot = irq_data_get_irq_chip_data(data);

	WRITE_ONCE(slot->pin->pin.open, true);
	pin_unmask(data);
	return 0;
}

static void pin_shutdown(struct irq_data *data)
{
	struct pciem_irq_slot *slot = irq_data_get_irq_chip_data(data);
	struct pciem_pin *pin = &slot->pin->pin;

	raw_spin_lock(&pin->lock);
	WRITE_ONCE(pin->open, false);
	WRITE_ONCE(pin->masked, true);
	WRITE_ONCE(pin->serving, false);
	WRITE_ONCE(pin->pulses, 0);
	pin_update_status(slot->pin);
	raw_spin_unlock(&pin->lock);
}

static struct irq_chip pin_chip = {
	.name			= "PCIem-INTx",
	.irq_startup		= pin_startup,
	.irq_shutdown		= pin_shutdown,
	.irq_mask		= pin_mask,
	.irq_mask_ack		= pin_mask_ack,
	.irq_unmask		= pin_unmask,
	.irq_set_affinity	= slot_set_affinity,
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
		/* What is still under way shall not reach the slot's next owner. */
		while (atomic_read(&table->slots[hwirq].pending))
			usleep_range(20, 100);
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

/* Of a driver that is unbound, or the device is gone: nothing may be left of this domain. */
static void forgotten_free(struct device *dev, void *unused)
{
	pci_free_irq_vectors(to_pci_dev(dev));
}

/*
 * A driver may forget to free its vectors, which then nobody could allocate again.
 * What is done here at its end comes after the handlers that the kernel manages for
 * it are freed, and before the kernel looks what is left: the order of devres.
 */
static int forgotten_remember(struct device *dev)
{
	void *entry;

	if (devres_find(dev, forgotten_free, NULL, NULL))
		return 0;
	entry = devres_alloc(forgotten_free, 0, GFP_KERNEL);
	if (!entry)
		return -ENOMEM;
	devres_add(dev, entry);
	return 0;
}

static int msi_prepare(struct irq_domain *domain, struct device *dev, int n, msi_alloc_info_t *arg)
{
	memset(arg, 0, sizeof(*arg));
	return forgotten_remember(dev);
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
		INIT_CSD(&table->slots[i].csd, slot_call, &table->slots[i]);
		table->slots[i].work = IRQ_WORK_INIT_HARD(slot_work);
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
		struct irq_data *data;
		int virq;

		if (!func)
			continue;
		virq = irq_domain_alloc_irqs(table->domain, 1, NUMA_NO_NODE, NULL);
		if (virq <= 0)
			return virq ?: -ENOSPC;
		data = irq_get_irq_data(virq);
		func->intx_slot = data->hwirq;
		pin_slot(func)->pin = func;
		irq_domain_set_info(table->domain, virq, data->hwirq, &pin_chip, pin_slot(func),
				    handle_level_irq, NULL, "level");
		irq_set_status_flags(virq, IRQ_LEVEL);
		irqd_set_trigger_type(data, IRQ_TYPE_LEVEL_LOW);
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
		cancel_work_sync(&func->resample);
		hrtimer_cancel(&func->pin.again);
		if (func->intx_slot >= 0 && table->slots)
			irq_dispose_mapping(table->slots[func->intx_slot].virq);
		func->intx_slot = -1;
	}
	/* Slots that were freed have nothing under way, but slot_run() may be at its end. */
	synchronize_rcu();

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
	func->kick = IRQ_WORK_INIT_HARD(kick_work);
	INIT_WORK(&func->resample, pciem_irqfd_resample);
	raw_spin_lock_init(&func->pin.lock);
	func->pin.masked = true;
#ifdef PCIEM_HAVE_HRTIMER_SETUP
	hrtimer_setup(&func->pin.again, pin_again, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
#else
	hrtimer_init(&func->pin.again, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	func->pin.again.function = pin_again;
#endif
}

/* pci_host_bridge.map_irq: the Linux interrupt of a function's pin. */
int pciem_irq_map_pin(const struct pci_dev *pdev, u8 slot, u8 pin)
{
	struct pciem_func *func = pciem_bridge_func(pdev);

	if (!func || func->intx_slot < 0)
		return -1;
	return func->dev->irqs.slots[func->intx_slot].virq;
}

/* What a vector that the function has is like; the caller set @info->vector. */
static void vector_state(struct pciem_func *func, struct pciem_vector_info *info)
{
	unsigned int vectors, vector = info->vector;
	struct pciem_irq_slot *slot = vector_slot(func, vector);
	bool open = true;

	info->flags = 0;
	info->irq = 0;
	info->address = 0;
	info->data = 0;
	info->cpu = ~0U;
	info->count = 0;

	switch (pciem_irq_mode(func, &vectors)) {
	case PCIEM_IRQ_MSIX:
		if (vector >= vectors)
			return;
		info->address = msix_address(func, vector);
		info->data = msix_field(func, vector, PCI_MSIX_ENTRY_DATA);
		if (msix_masked(func, vector))
			info->flags |= PCIEM_VECTOR_MASKED;
		if (test_bit(vector % 64, msix_pending(func, vector)))
			info->flags |= PCIEM_VECTOR_PENDING;
		break;
	case PCIEM_IRQ_MSI:
		if (vector >= vectors)
			return;
		info->address = msi_address(func);
		info->data = msi_data(func, vector);
		if (msi_masked(func, vector))
			info->flags |= PCIEM_VECTOR_MASKED;
		if (func->msi.has_masking && atomic_read(msi_pending(func)) & BIT(vector))
			info->flags |= PCIEM_VECTOR_PENDING;
		break;
	default:
		if (vector)
			return;
		open = READ_ONCE(func->pin.open);
		if (pin_disabled(func))
			info->flags |= PCIEM_VECTOR_MASKED;
		if (READ_ONCE(func->pin.asserted) || READ_ONCE(func->pin.pulses))
			info->flags |= PCIEM_VECTOR_PENDING;
		break;
	}
	if (slot && READ_ONCE(slot->virq)) {
		if (open)
			info->flags |= PCIEM_VECTOR_ENABLED;
		info->irq = READ_ONCE(slot->virq);
		info->cpu = READ_ONCE(slot->cpu);
		info->count = atomic64_read(&slot->count);
	}
}

int pciem_irq_vector_info(struct pciem_device *dev, struct pciem_vector_info *info)
{
	struct pciem_func *func = pciem_func_running(dev, info->func);

	if (IS_ERR(func))
		return PTR_ERR(func);
	/* What the function has, whether or not the driver enabled it */
	if (info->vector >= pciem_irq_vectors(func))
		return -EINVAL;
	vector_state(func, info);
	return 0;
}

int pciem_irq_vectors_info(struct pciem_device *dev, struct pciem_vectors *arg)
{
	struct pciem_vector_info __user *user = u64_to_user_ptr(arg->vectors);
	struct pciem_func *func;

	if (memchr_inv(arg->reserved, 0, sizeof(arg->reserved)))
		return -EINVAL;
	func = pciem_func_running(dev, arg->func);
	if (IS_ERR(func))
		return PTR_ERR(func);
	arg->total = pciem_irq_vectors(func);
	if (arg->first >= arg->total)
		return -EINVAL;
	arg->count = min(arg->count, arg->total - arg->first);

	for (unsigned int i = 0; i < arg->count; i++) {
		struct pciem_vector_info info = { .vector = arg->first + i, .func = arg->func };

		vector_state(func, &info);
		if (pciem_copy_out(user + i, &info, sizeof(info)))
			return -EFAULT;
		if (!(i % 64))
			cond_resched();
	}
	return 0;
}

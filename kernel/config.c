// SPDX-License-Identifier: GPL-2.0-only
/*
 * Configuration space: values and tables of bits.
 *
 * Every dword has a mask of the bits that a driver may write and one of the
 * bits that it clears by writing one; all others are read-only. One read and
 * one write apply them to everything.
 *
 * Context: any. func->config_lock, innermost.
 */
#include "pciem.h"

static u32 size_mask(unsigned int size)
{
	return size == 4 ? ~0U : (1U << (8 * size)) - 1;
}

/* Set the value and the masks of 1, 2 or 4 naturally aligned bytes. */
void pciem_config_define(struct pciem_func *func, unsigned int where, unsigned int size,
			 u32 value, u32 rw, u32 w1c)
{
	unsigned int shift = (where & 3) * 8, i = where / 4;
	u32 mask = size_mask(size) << shift;
	unsigned long flags;

	raw_spin_lock_irqsave(&func->config_lock, flags);
	func->config[i] = (func->config[i] & ~mask) | ((value << shift) & mask);
	func->config_rw[i] = (func->config_rw[i] & ~mask) | ((rw << shift) & mask);
	func->config_w1c[i] = (func->config_w1c[i] & ~mask) | ((w1c << shift) & mask);
	raw_spin_unlock_irqrestore(&func->config_lock, flags);
}

/* Change bytes as the device itself does: every bit, no side effects. */
void pciem_config_poke(struct pciem_func *func, unsigned int where, unsigned int size, u32 value)
{
	unsigned int shift = (where & 3) * 8, i = where / 4;
	u32 mask = size_mask(size) << shift;
	unsigned long flags;

	raw_spin_lock_irqsave(&func->config_lock, flags);
	WRITE_ONCE(func->config[i], (func->config[i] & ~mask) | ((value << shift) & mask));
	raw_spin_unlock_irqrestore(&func->config_lock, flags);
}

u32 pciem_config_read(struct pciem_func *func, unsigned int where, unsigned int size)
{
	u32 value = READ_ONCE(func->config[where / 4]);

	return (value >> ((where & 3) * 8)) & size_mask(size);
}

void pciem_config_write(struct pciem_func *func, unsigned int where, unsigned int size, u32 value)
{
	unsigned int shift = (where & 3) * 8, i = where / 4;
	u32 mask = size_mask(size) << shift;
	unsigned long flags;
	u32 rw, w1c, new;

	value <<= shift;
	raw_spin_lock_irqsave(&func->config_lock, flags);
	rw = func->config_rw[i] & mask;
	w1c = func->config_w1c[i] & mask;
	new = (func->config[i] & ~rw) | (value & rw);
	new &= ~(value & w1c);
	WRITE_ONCE(func->config[i], new);
	raw_spin_unlock_irqrestore(&func->config_lock, flags);

	/* An enable or unmask may let pending interrupts out. */
	if ((func->cap_msix && where / 4 == func->cap_msix / 4) ||
	    (func->cap_msi && where >= func->cap_msi && where < func->cap_msi + 24))
		pciem_irq_kick(func);
}

void pciem_config_init(struct pciem_func *func)
{
	raw_spin_lock_init(&func->config_lock);

	pciem_config_define(func, PCI_COMMAND, 2, 0,
			    PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY |
			    PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE, 0);
	pciem_config_define(func, PCI_STATUS, 2, 0, 0,
			    PCI_STATUS_PARITY | PCI_STATUS_SIG_TARGET_ABORT |
			    PCI_STATUS_REC_TARGET_ABORT | PCI_STATUS_REC_MASTER_ABORT |
			    PCI_STATUS_SIG_SYSTEM_ERROR | PCI_STATUS_DETECTED_PARITY);
	pciem_config_define(func, PCI_CACHE_LINE_SIZE, 1, 0, 0xff, 0);
	pciem_config_define(func, PCI_INTERRUPT_LINE, 1, 0, 0xff, 0);
	/* Functions share the four pins as those of a real card do. */
	pciem_config_define(func, PCI_INTERRUPT_PIN, 1, 1 + func->nr % 4, 0, 0);

	func->cap_next = PCI_STD_HEADER_SIZEOF;
	func->cap_last = PCI_CAPABILITY_LIST;
}

int pciem_config_access(struct pciem_device *dev, struct pciem_config_access *arg)
{
	struct pciem_func *func;

	if (arg->flags & ~(PCIEM_CONFIG_WRITE | PCIEM_CONFIG_AS_DEVICE))
		return -EINVAL;
	if (arg->size != 1 && arg->size != 2 && arg->size != 4)
		return -EINVAL;
	if (arg->offset >= PCIEM_CONFIG_SIZE || !IS_ALIGNED(arg->offset, arg->size))
		return -EINVAL;
	func = pciem_func_running(dev, arg->func);
	if (IS_ERR(func))
		return PTR_ERR(func);

	if (!(arg->flags & PCIEM_CONFIG_WRITE))
		arg->value = pciem_config_read(func, arg->offset, arg->size);
	else if (arg->flags & PCIEM_CONFIG_AS_DEVICE)
		pciem_config_poke(func, arg->offset, arg->size, arg->value);
	else
		pciem_config_write(func, arg->offset, arg->size, arg->value);
	return 0;
}

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
#include <linux/bitmap.h>
#include <linux/mm.h>

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

/* A dword has changed from @old to @new. */
static void power_look(struct pciem_func *func, unsigned int dword, u32 old, u32 new)
{
	if (func->cap_pm && dword == (func->cap_pm + PCI_PM_CTRL) / 4 &&
	    (old ^ new) & PCI_PM_CTRL_STATE_MASK)
		pciem_trap_power(func);
}

/* Change bytes as the device itself does: every bit, no side effects but those of its power state. */
void pciem_config_poke(struct pciem_func *func, unsigned int where, unsigned int size, u32 value)
{
	unsigned int shift = (where & 3) * 8, i = where / 4;
	u32 mask = size_mask(size) << shift, old, new;
	unsigned long flags;

	raw_spin_lock_irqsave(&func->config_lock, flags);
	old = func->config[i];
	new = (old & ~mask) | ((value << shift) & mask);
	WRITE_ONCE(func->config[i], new);
	raw_spin_unlock_irqrestore(&func->config_lock, flags);
	power_look(func, i, old, new);
}

u32 pciem_config_read(struct pciem_func *func, unsigned int where, unsigned int size)
{
	u32 value = READ_ONCE(func->config[where / 4]);

	return (value >> ((where & 3) * 8)) & size_mask(size);
}

/*
 * A driver's write. When the result is not 0 the caller is to call pciem_reset()
 * with it, after it has told of the write.
 */
unsigned int pciem_config_write(struct pciem_func *func, unsigned int where, unsigned int size,
				u32 value)
{
	unsigned int shift = (where & 3) * 8, i = where / 4;
	u32 mask = size_mask(size) << shift;
	u32 rw, w1c, old, new;
	unsigned long flags;

	value <<= shift;
	raw_spin_lock_irqsave(&func->config_lock, flags);
	rw = func->config_rw[i] & mask;
	w1c = func->config_w1c[i] & mask;
	old = func->config[i];
	new = (old & ~rw) | (value & rw);
	new &= ~(value & w1c);
	WRITE_ONCE(func->config[i], new);
	raw_spin_unlock_irqrestore(&func->config_lock, flags);

	power_look(func, i, old, new);
	pciem_irq_config_written(func, where);
	return pciem_reset_wanted(func, i, old, new, value);
}

/* Keep PCIEM_IOC_CONFIG_DEFINE from these bytes. */
void pciem_config_fix(struct pciem_func *func, unsigned int where, unsigned int length)
{
	bitmap_set(func->config_fixed, where, length);
}

/* All is in place but the addresses of BARs: this is what a reset goes back to. */
void pciem_config_seal(struct pciem_func *func)
{
	memcpy(func->config_reset, func->config, sizeof(func->config_reset));
	for (unsigned int i = 0; i < PCIEM_MAX_BARS; i++)
		func->config_reset[PCI_BASE_ADDRESS_0 / 4 + i] =
			func->bars[i].size ? func->bars[i].flags : 0;
	func->config_reset[PCI_ROM_ADDRESS / 4] = 0;
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

	bitmap_set(func->cap_used, 0, PCI_STD_HEADER_SIZEOF / 4);
	func->cap_last = PCI_CAPABILITY_LIST;

	pciem_config_fix(func, PCI_VENDOR_ID, 8);
	pciem_config_fix(func, PCI_HEADER_TYPE, 1);
	pciem_config_fix(func, PCI_BASE_ADDRESS_0, 4 * PCIEM_MAX_BARS);
	pciem_config_fix(func, PCI_ROM_ADDRESS, 4);
	pciem_config_fix(func, PCI_CAPABILITY_LIST, 1);
	pciem_config_fix(func, PCI_INTERRUPT_PIN, 1);
}

/* PCIEM_IOC_CONFIG_DEFINE; takes device->lock. */
int pciem_config_define_bytes(struct pciem_device *dev, const struct pciem_config_define *arg)
{
	unsigned int end = arg->offset + arg->length;
	struct pciem_func *func;
	struct pciem_bytes *b;
	int ret = 0;

	if (memchr_inv(arg->reserved, 0, sizeof(arg->reserved)) || !arg->length ||
	    end > PCIEM_CONFIG_SIZE)
		return -EINVAL;
	b = pciem_bytes_get(arg->bytes, arg->rw, arg->w1c, arg->length);
	if (IS_ERR(b))
		return PTR_ERR(b);

	mutex_lock(&dev->lock);
	func = pciem_func_building(dev, arg->func);
	if (IS_ERR(func))
		ret = PTR_ERR(func);
	else if (find_next_bit(func->config_fixed, end, arg->offset) < end)
		ret = -EBUSY;
	for (unsigned int i = 0; !ret && i < arg->length; i++)
		pciem_config_define(func, arg->offset + i, 1, b->value[i], b->rw[i], b->w1c[i]);
	mutex_unlock(&dev->lock);
	kvfree(b);
	return ret;
}

int pciem_config_access(struct pciem_device *dev, struct pciem_config_access *arg)
{
	struct pciem_func *func;
	unsigned int reset = 0;

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
		reset = pciem_config_write(func, arg->offset, arg->size, arg->value);
	if (reset)
		pciem_reset(func, reset);
	return 0;
}

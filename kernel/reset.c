// SPDX-License-Identifier: GPL-2.0-only
/*
 * Resets of a function: by the Initiate FLR bit of PCI Express or of Advanced
 * Features, and by the way from D3hot to D0 without No_Soft_Reset.
 *
 * Configuration space goes back to what it was at REGISTER, interrupts to
 * masked and none pending; what else there is to reset is the device's, which
 * is told. There is no bus reset: the functions are on a root bus, or behind a
 * bridge that is not ours.
 *
 * Context: any.
 */
#include "pciem.h"
#include "trace.h"

/*
 * The kind of reset that a write asks for, or 0. @old and @new are the values of
 * the dword; @written are its bits that were written as ones.
 */
unsigned int pciem_reset_wanted(struct pciem_func *func, unsigned int dword, u32 old, u32 new,
				u32 written)
{
	if (func->cap_pcie && dword == (func->cap_pcie + PCI_EXP_DEVCTL) / 4 &&
	    written & PCI_EXP_DEVCTL_BCR_FLR &&
	    pciem_config_read(func, func->cap_pcie + PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_FLR)
		return PCIEM_RESET_FLR;
	if (func->cap_af && dword == (func->cap_af + PCI_AF_CTRL) / 4 &&
	    written & PCI_AF_CTRL_FLR &&
	    pciem_config_read(func, func->cap_af + PCI_AF_CAP, 1) & PCI_AF_CAP_FLR)
		return PCIEM_RESET_FLR;
	if (func->cap_pm && dword == (func->cap_pm + PCI_PM_CTRL) / 4 &&
	    !(new & PCI_PM_CTRL_NO_SOFT_RESET) &&
	    (old & PCI_PM_CTRL_STATE_MASK) == (__force u32)PCI_D3hot &&
	    (new & PCI_PM_CTRL_STATE_MASK) == (__force u32)PCI_D0)
		return PCIEM_RESET_PM;
	return 0;
}

/* Every vector masked and none pending, as after any reset (PCIe 5.0, 7.7.2). */
void pciem_reset_msix(struct pciem_func *func)
{
	const struct pciem_cap_msix *msix = &func->msix;
	struct pciem_bar *bar = &func->bars[msix->bar_index];

	for (unsigned int i = 0; i < msix->table_size; i++) {
		u64 entry = msix->table_offset + i * PCI_MSIX_ENTRY_SIZE;

		pciem_bar_store(bar, entry + PCI_MSIX_ENTRY_VECTOR_CTRL, 4,
				PCI_MSIX_ENTRY_CTRL_MASKBIT);
		pciem_bar_store(bar, entry + PCI_MSIX_ENTRY_LOWER_ADDR, 8, 0);
		pciem_bar_store(bar, entry + PCI_MSIX_ENTRY_DATA, 4, 0);
	}
	for (unsigned int i = 0; i < DIV_ROUND_UP(msix->table_size, 64); i++)
		pciem_bar_store(bar, msix->pba_offset + 8 * i, 8, 0);
}

void pciem_reset(struct pciem_func *func, unsigned int kind)
{
	const struct pciem_report report = {
		.type = PCIEM_EVENT_RESET, .func = func->nr, .data = kind,
	};
	unsigned long flags;

	raw_spin_lock_irqsave(&func->config_lock, flags);
	for (unsigned int i = 0; i < ARRAY_SIZE(func->config); i++)
		WRITE_ONCE(func->config[i], func->config_reset[i]);
	raw_spin_unlock_irqrestore(&func->config_lock, flags);
	/* It may have been in D3hot. */
	if (func->cap_pm)
		pciem_trap_power(func);
	pciem_irq_reset_pin(func);
	if (func->cap_msix)
		pciem_reset_msix(func);
	trace_pciem_reset(func, kind);
	pciem_ring_report(func->dev, PCIEM_EVENTS_RESET, &report, false);
}

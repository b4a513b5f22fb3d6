// SPDX-License-Identifier: GPL-2.0-only
/*
 * Capabilities: their registers and where they are placed.
 *
 * Context: process, device->lock held, device not yet registered.
 */
#include "pciem.h"

/* Room for a capability at the end of the list, linked in; or -ENOSPC. */
static int cap_place(struct pciem_func *func, u8 id, unsigned int length)
{
	unsigned int at = ALIGN(func->cap_next, 4);
	u16 status;

	if (at + length > PCI_CFG_SPACE_SIZE)
		return -ENOSPC;
	status = pciem_config_read(func, PCI_STATUS, 2);
	pciem_config_poke(func, PCI_STATUS, 2, status | PCI_STATUS_CAP_LIST);
	pciem_config_poke(func, func->cap_last, 1, at);
	pciem_config_define(func, at, 2, id, 0, 0);
	func->cap_last = at + PCI_CAP_LIST_NEXT;
	func->cap_next = at + length;
	return at;
}

static int cap_add_msi(struct pciem_func *func, const struct pciem_cap_msi *msi)
{
	unsigned int length, data, mask;
	u16 control;
	int at;

	if (msi->num_vectors_log2 > 5)
		return -EINVAL;
	if (func->cap_msi)
		return -EEXIST;
	data = msi->has_64bit ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32;
	mask = msi->has_64bit ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32;
	length = msi->has_masking ? mask + 8 : data + 2;
	at = cap_place(func, PCI_CAP_ID_MSI, length);
	if (at < 0)
		return at;

	control = msi->num_vectors_log2 << 1;
	if (msi->has_64bit)
		control |= PCI_MSI_FLAGS_64BIT;
	if (msi->has_masking)
		control |= PCI_MSI_FLAGS_MASKBIT;
	pciem_config_define(func, at + PCI_MSI_FLAGS, 2, control,
			    PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE, 0);
	pciem_config_define(func, at + PCI_MSI_ADDRESS_LO, 4, 0, ~3U, 0);
	if (msi->has_64bit)
		pciem_config_define(func, at + PCI_MSI_ADDRESS_HI, 4, 0, ~0U, 0);
	pciem_config_define(func, at + data, 2, 0, 0xffff, 0);
	if (msi->has_masking) {
		u32 vectors = GENMASK((1U << msi->num_vectors_log2) - 1, 0);

		pciem_config_define(func, at + mask, 4, 0, vectors, 0);
		pciem_config_define(func, at + mask + 4, 4, 0, 0, 0);
	}
	func->msi = *msi;
	func->cap_msi = at;
	return 0;
}

/* Whether the table and the PBA lie inside their BAR and apart. */
static int msix_fits(struct pciem_func *func, const struct pciem_cap_msix *msix)
{
	u64 table = msix->table_offset, table_end = table + msix->table_size * PCI_MSIX_ENTRY_SIZE;
	u64 pba = msix->pba_offset, pba_end = pba + DIV_ROUND_UP(msix->table_size, 64) * 8;
	u64 size = func->bars[msix->bar_index].size;

	if (table_end > size || pba_end > size)
		return -EINVAL;
	if (table < pba_end && pba < table_end)
		return -EINVAL;
	return 0;
}

static int cap_add_msix(struct pciem_func *func, const struct pciem_cap_msix *msix)
{
	int at, ret;

	if (msix->bar_index >= PCIEM_MAX_BARS)
		return -EINVAL;
	if (!msix->table_size || msix->table_size > PCIEM_MSIX_MAX)
		return -EINVAL;
	if (!IS_ALIGNED(msix->table_offset, 8) || !IS_ALIGNED(msix->pba_offset, 8))
		return -EINVAL;
	if (func->cap_msix)
		return -EEXIST;
	/* The BAR may be added after this; pciem_caps_check() looks again. */
	if (func->bars[msix->bar_index].size) {
		ret = msix_fits(func, msix);
		if (ret)
			return ret;
	}
	at = cap_place(func, PCI_CAP_ID_MSIX, PCI_CAP_MSIX_SIZEOF);
	if (at < 0)
		return at;

	pciem_config_define(func, at + PCI_MSIX_FLAGS, 2, msix->table_size - 1,
			    PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL, 0);
	pciem_config_define(func, at + PCI_MSIX_TABLE, 4, msix->table_offset | msix->bar_index, 0, 0);
	pciem_config_define(func, at + PCI_MSIX_PBA, 4, msix->pba_offset | msix->bar_index, 0, 0);
	func->msix = *msix;
	func->cap_msix = at;
	return 0;
}

static int cap_add_pm(struct pciem_func *func)
{
	int at;

	if (func->cap_pm)
		return -EEXIST;
	at = cap_place(func, PCI_CAP_ID_PM, PCI_PM_SIZEOF);
	if (at < 0)
		return at;
	pciem_config_define(func, at + PCI_PM_PMC, 2, 3, 0, 0);
	pciem_config_define(func, at + PCI_PM_CTRL, 2, PCI_PM_CTRL_NO_SOFT_RESET,
			    PCI_PM_CTRL_STATE_MASK, 0);
	func->cap_pm = at;
	return 0;
}

/* A version 2 endpoint on an 8 GT/s x4 link, trained. */
static int cap_add_pcie(struct pciem_func *func)
{
	int at;

	if (func->cap_pcie)
		return -EEXIST;
	at = cap_place(func, PCI_CAP_ID_EXP, PCI_EXP_SLTSTA2 + 2);
	if (at < 0)
		return at;
	pciem_config_define(func, at + PCI_EXP_FLAGS, 2, 2 | PCI_EXP_TYPE_ENDPOINT << 4, 0, 0);
	pciem_config_define(func, at + PCI_EXP_DEVCAP, 4,
			    1 /* 256-byte payload */ | PCI_EXP_DEVCAP_EXT_TAG |
			    PCI_EXP_DEVCAP_RBER, 0, 0);
	pciem_config_define(func, at + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_RELAX_EN |
			    PCI_EXP_DEVCTL_NOSNOOP_EN | PCI_EXP_DEVCTL_READRQ_512B, 0x7fff, 0);
	pciem_config_define(func, at + PCI_EXP_DEVSTA, 2, 0, 0, 0xf);
	pciem_config_define(func, at + PCI_EXP_LNKCAP, 4,
			    PCI_EXP_LNKCAP_SLS_8_0GB | 4 << 4, 0, 0);
	pciem_config_define(func, at + PCI_EXP_LNKCTL, 2, 0,
			    PCI_EXP_LNKCTL_RCB | PCI_EXP_LNKCTL_CCC | PCI_EXP_LNKCTL_ES, 0);
	pciem_config_define(func, at + PCI_EXP_LNKSTA, 2,
			    PCI_EXP_LNKSTA_CLS_8_0GB | 4 << PCI_EXP_LNKSTA_NLW_SHIFT, 0, 0);
	/* completion timeouts can be disabled */
	pciem_config_define(func, at + PCI_EXP_DEVCAP2, 4, PCI_EXP_DEVCAP2_COMP_TMOUT_DIS, 0, 0);
	pciem_config_define(func, at + PCI_EXP_DEVCTL2, 2, 0, PCI_EXP_DEVCTL2_COMP_TMOUT_DIS, 0);
	pciem_config_define(func, at + PCI_EXP_LNKCAP2, 4, PCI_EXP_LNKCAP2_SLS_2_5GB |
			    PCI_EXP_LNKCAP2_SLS_5_0GB | PCI_EXP_LNKCAP2_SLS_8_0GB, 0, 0);
	pciem_config_define(func, at + PCI_EXP_LNKCTL2, 2, PCI_EXP_LNKCTL2_TLS_8_0GT, 0xf, 0);
	func->cap_pcie = at;
	return 0;
}

int pciem_cap_add(struct pciem_device *dev, const struct pciem_cap_config *arg)
{
	struct pciem_func *func = pciem_func_building(dev, arg->func);

	if (IS_ERR(func))
		return PTR_ERR(func);

	switch (arg->cap_type) {
	case PCIEM_CAP_MSI:
		return cap_add_msi(func, &arg->u.msi);
	case PCIEM_CAP_MSIX:
		return cap_add_msix(func, &arg->u.msix);
	case PCIEM_CAP_PM:
		return cap_add_pm(func);
	case PCIEM_CAP_PCIE:
		return cap_add_pcie(func);
	case PCIEM_CAP_VSEC:
	case PCIEM_CAP_PASID:
		return -EOPNOTSUPP;
	}
	return -EINVAL;
}

int pciem_caps_check(struct pciem_func *func)
{
	return func->cap_msix ? msix_fits(func, &func->msix) : 0;
}

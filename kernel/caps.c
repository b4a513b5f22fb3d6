// SPDX-License-Identifier: GPL-2.0-only
/*
 * Capabilities: their registers and where they are placed.
 *
 * A list is in the order in which its capabilities were added. The extended
 * one has to begin at 0x100; an empty entry stands there while no capability does.
 *
 * Context: process, device->lock held but where user memory is copied; device
 * not yet registered.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "pciem.h"

#define PCIE_V2_SIZEOF	0x3c

/* Placement */

static bool cap_present(struct pciem_func *func, u8 id)
{
	unsigned int at = pciem_config_read(func, PCI_CAPABILITY_LIST, 1);

	while (at && pciem_config_read(func, at, 1) != id)
		at = pciem_config_read(func, at + PCI_CAP_LIST_NEXT, 1);
	return at;
}

static bool ext_present(struct pciem_func *func, u16 id)
{
	u32 header;

	if (!func->ext_last)
		return false;
	for (unsigned int at = PCI_CFG_SPACE_SIZE; at; at = PCI_EXT_CAP_NEXT(header)) {
		header = pciem_config_read(func, at, 4);
		if (PCI_EXT_CAP_ID(header) == id)
			return true;
	}
	return false;
}

/* Take @length bytes from @first up to @limit, at @at unless that is 0. */
static int cap_room(struct pciem_func *func, unsigned int first, unsigned int limit,
		    unsigned int at, unsigned int length)
{
	unsigned int n = DIV_ROUND_UP(length, 4);

	if (!at)
		at = 4 * bitmap_find_next_zero_area(func->cap_used, limit / 4, first / 4, n, 0);
	if (!IS_ALIGNED(at, 4))
		return -EINVAL;
	if (at + 4 * n > limit)
		return -ENOSPC;
	if (find_next_bit(func->cap_used, at / 4 + n, at / 4) < at / 4 + n)
		return -EBUSY;
	bitmap_set(func->cap_used, at / 4, n);
	return at;
}

/* Room for a capability at the end of the list, linked in; where, or an error. */
static int cap_place(struct pciem_func *func, u8 id, unsigned int at, unsigned int length)
{
	u16 status;
	int ret;

	if (id != PCI_CAP_ID_VNDR && id != PCI_CAP_ID_HT && cap_present(func, id))
		return -EEXIST;
	ret = cap_room(func, PCI_STD_HEADER_SIZEOF, PCI_CFG_SPACE_SIZE, at, length);
	if (ret < 0)
		return ret;
	status = pciem_config_read(func, PCI_STATUS, 2);
	pciem_config_poke(func, PCI_STATUS, 2, status | PCI_STATUS_CAP_LIST);
	pciem_config_poke(func, func->cap_last, 1, ret);
	pciem_config_define(func, ret, 2, id, 0, 0);
	pciem_config_fix(func, ret, 2);
	func->cap_last = ret + PCI_CAP_LIST_NEXT;
	return ret;
}

static void ext_link(struct pciem_func *func, unsigned int at)
{
	u32 header;

	if (func->ext_last) {
		header = pciem_config_read(func, func->ext_last, 4) & 0xfffff;
		pciem_config_poke(func, func->ext_last, 4, header | at << 20);
	}
	func->ext_last = at;
	pciem_config_fix(func, at, 4);
}

static int ext_place(struct pciem_func *func, u16 id, u8 version, unsigned int at,
		     unsigned int length)
{
	const unsigned int head = PCI_CFG_SPACE_SIZE;
	bool replace = at == head && func->ext_null;
	u32 header = id | version << 16;
	int ret;

	if (id != PCI_EXT_CAP_ID_VNDR && id != PCI_EXT_CAP_ID_DVSEC && id && ext_present(func, id))
		return -EEXIST;
	if (replace)
		__clear_bit(head / 4, func->cap_used);
	ret = cap_room(func, head, PCIEM_CONFIG_SIZE, at, length);
	if (replace)
		__set_bit(head / 4, func->cap_used);
	if (ret < 0)
		return ret;

	if (replace) {
		func->ext_null = false;
		header |= pciem_config_read(func, head, 4) & ~0xfffffU;
		pciem_config_define(func, head, 4, header, 0, 0);
		return ret;
	}
	if (!func->ext_last && ret != head) {
		__set_bit(head / 4, func->cap_used);
		pciem_config_define(func, head, 4, 0, 0, 0);
		ext_link(func, head);
		func->ext_null = true;
	}
	pciem_config_define(func, ret, 4, header, 0, 0);
	ext_link(func, ret);
	return ret;
}

/* Capabilities that are built from a few parameters */

static int cap_add_msi(struct pciem_func *func, const struct pciem_cap_msi *msi)
{
	unsigned int length, data, mask;
	u16 control;
	int at;

	if (msi->num_vectors_log2 > 5)
		return -EINVAL;
	data = msi->has_64bit ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32;
	mask = msi->has_64bit ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32;
	length = msi->has_masking ? mask + 8 : data + 2;
	at = cap_place(func, PCI_CAP_ID_MSI, 0, length);
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
	pciem_config_fix(func, at, length);
	func->msi = *msi;
	func->cap_msi = at;
	return 0;
}

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
	/* The BAR may be added after this; pciem_caps_check() looks again. */
	if (func->bars[msix->bar_index].size) {
		ret = msix_fits(func, msix);
		if (ret)
			return ret;
	}
	at = cap_place(func, PCI_CAP_ID_MSIX, 0, PCI_CAP_MSIX_SIZEOF);
	if (at < 0)
		return at;

	pciem_config_define(func, at + PCI_MSIX_FLAGS, 2, msix->table_size - 1,
			    PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL, 0);
	pciem_config_define(func, at + PCI_MSIX_TABLE, 4, msix->table_offset | msix->bar_index, 0, 0);
	pciem_config_define(func, at + PCI_MSIX_PBA, 4, msix->pba_offset | msix->bar_index, 0, 0);
	pciem_config_fix(func, at, PCI_CAP_MSIX_SIZEOF);
	func->msix = *msix;
	func->cap_msix = at;
	return 0;
}

static int cap_add_vendor(struct pciem_func *func, const u8 raw[16])
{
	const unsigned int length = 4 + 16;
	int at = cap_place(func, PCI_CAP_ID_VNDR, 0, length);

	if (at < 0)
		return at;
	pciem_config_define(func, at + PCI_CAP_FLAGS, 2, length, 0, 0);
	for (unsigned int i = 0; i < 16; i++)
		pciem_config_define(func, at + 4 + i, 1, raw[i], 0, 0);
	return 0;
}

static int cap_add_pasid(struct pciem_func *func, const struct pciem_cap_pasid *pasid)
{
	u16 cap = pasid->max_width << 8, control = PCI_PASID_CTRL_ENABLE;
	int at;

	if (pasid->max_width > 20)
		return -EINVAL;
	at = ext_place(func, PCI_EXT_CAP_ID_PASID, 1, 0, PCI_EXT_CAP_PASID_SIZEOF);
	if (at < 0)
		return at;
	if (pasid->exec) {
		cap |= PCI_PASID_CAP_EXEC;
		control |= PCI_PASID_CTRL_EXEC;
	}
	if (pasid->priv) {
		cap |= PCI_PASID_CAP_PRIV;
		control |= PCI_PASID_CTRL_PRIV;
	}
	pciem_config_define(func, at + PCI_PASID_CAP, 2, cap, 0, 0);
	pciem_config_define(func, at + PCI_PASID_CTRL, 2, 0, control, 0);
	return 0;
}

static int cap_add_pm(struct pciem_func *func)
{
	int at = cap_place(func, PCI_CAP_ID_PM, 0, PCI_PM_SIZEOF);

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
	int at = cap_place(func, PCI_CAP_ID_EXP, 0, PCIE_V2_SIZEOF);

	if (at < 0)
		return at;
	pciem_config_define(func, at + PCI_EXP_FLAGS, 2, 2 | PCI_EXP_TYPE_ENDPOINT << 4, 0, 0);
	pciem_config_define(func, at + PCI_EXP_DEVCAP, 4,
			    1 /* 256-byte payload */ | PCI_EXP_DEVCAP_EXT_TAG |
			    PCI_EXP_DEVCAP_RBER | PCI_EXP_DEVCAP_FLR, 0, 0);
	/* Initiate FLR is among the bits that read 0. */
	pciem_config_define(func, at + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_RELAX_EN |
			    PCI_EXP_DEVCTL_NOSNOOP_EN | PCI_EXP_DEVCTL_READRQ_512B,
			    0x7fff, 0);
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
		return cap_add_vendor(func, arg->u.raw);
	case PCIEM_CAP_PASID:
		return cap_add_pasid(func, &arg->u.pasid);
	}
	return -EINVAL;
}

/* Capabilities given byte for byte */

static u16 get16(const u8 *bytes, unsigned int at)
{
	return bytes[at] | bytes[at + 1] << 8;
}

static void set16(u8 *bytes, unsigned int at, u16 value)
{
	bytes[at] = value;
	bytes[at + 1] = value >> 8;
}

static void set32(u8 *bytes, unsigned int at, u32 value)
{
	set16(bytes, at, value);
	set16(bytes, at + 2, value >> 16);
}

static int pm_masks(struct pciem_bytes *b, unsigned int length)
{
	bool pme;

	if (length < PCI_PM_SIZEOF)
		return -EINVAL;
	if (b->masks)
		return 0;
	pme = get16(b->value, PCI_PM_PMC) & PCI_PM_CAP_PME_MASK;
	set16(b->rw, PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK | (pme ? PCI_PM_CTRL_PME_ENABLE : 0));
	set16(b->w1c, PCI_PM_CTRL, pme ? PCI_PM_CTRL_PME_STATUS : 0);
	return 0;
}

static int pcie_masks(struct pciem_bytes *b, unsigned int length)
{
	u16 flags = get16(b->value, PCI_EXP_FLAGS);
	u8 type = (flags & PCI_EXP_FLAGS_TYPE) >> 4, version = flags & PCI_EXP_FLAGS_VERS;

	/* The PCI core takes the others for ports, which have another header. */
	if (type != PCI_EXP_TYPE_ENDPOINT && type != PCI_EXP_TYPE_LEG_END &&
	    type != PCI_EXP_TYPE_RC_END)
		return -EINVAL;
	if (!version || length < (version == 1 ? PCI_CAP_EXP_ENDPOINT_SIZEOF_V1 : PCIE_V2_SIZEOF))
		return -EINVAL;
	if (b->masks)
		return 0;
	set16(b->rw, PCI_EXP_DEVCTL, 0x7fff);
	set16(b->w1c, PCI_EXP_DEVSTA, PCI_EXP_DEVSTA_CED | PCI_EXP_DEVSTA_NFED |
	      PCI_EXP_DEVSTA_FED | PCI_EXP_DEVSTA_URD);
	set16(b->rw, PCI_EXP_LNKCTL, PCI_EXP_LNKCTL_RCB | PCI_EXP_LNKCTL_CCC | PCI_EXP_LNKCTL_ES);
	if (version == 1)
		return 0;
	set16(b->rw, PCI_EXP_DEVCTL2, PCI_EXP_DEVCTL2_COMP_TMOUT_DIS);
	set16(b->rw, PCI_EXP_LNKCTL2, PCI_EXP_LNKCTL2_TLS);
	return 0;
}

static int aer_masks(struct pciem_bytes *b, unsigned int length)
{
	const u32 uncorrectable = PCI_ERR_UNC_DLP | PCI_ERR_UNC_SURPDN | PCI_ERR_UNC_POISON_TLP |
		PCI_ERR_UNC_FCP | PCI_ERR_UNC_COMP_TIME | PCI_ERR_UNC_COMP_ABORT |
		PCI_ERR_UNC_UNX_COMP | PCI_ERR_UNC_RX_OVER | PCI_ERR_UNC_MALF_TLP |
		PCI_ERR_UNC_ECRC | PCI_ERR_UNC_UNSUP | PCI_ERR_UNC_ACSV | PCI_ERR_UNC_INTN |
		PCI_ERR_UNC_MCBTLP | PCI_ERR_UNC_ATOMEG | PCI_ERR_UNC_TLPPRE;
	const u32 correctable = PCI_ERR_COR_RCVR | PCI_ERR_COR_BAD_TLP | PCI_ERR_COR_BAD_DLLP |
		PCI_ERR_COR_REP_ROLL | PCI_ERR_COR_REP_TIMER | PCI_ERR_COR_ADV_NFAT |
		PCI_ERR_COR_INTERNAL | PCI_ERR_COR_LOG_OVER;

	if (length < PCI_ERR_ROOT_COMMAND)
		return -EINVAL;
	if (b->masks)
		return 0;
	set32(b->w1c, PCI_ERR_UNCOR_STATUS, uncorrectable);
	set32(b->rw, PCI_ERR_UNCOR_MASK, uncorrectable);
	set32(b->rw, PCI_ERR_UNCOR_SEVER, uncorrectable);
	set32(b->w1c, PCI_ERR_COR_STATUS, correctable);
	set32(b->rw, PCI_ERR_COR_MASK, correctable);
	set32(b->rw, PCI_ERR_CAP, PCI_ERR_CAP_ECRC_GENE | PCI_ERR_CAP_ECRC_CHKE);
	return 0;
}

/* There is nothing behind virtual functions: Linux enables none while InitialVFs is 0. */
static int sriov_masks(struct pciem_bytes *b, unsigned int length)
{
	if (length < PCI_EXT_CAP_SRIOV_SIZEOF)
		return -EINVAL;
	if (b->masks)
		return -EOPNOTSUPP;
	set16(b->value, PCI_SRIOV_CTRL, 0);
	set16(b->value, PCI_SRIOV_INITIAL_VF, 0);
	set16(b->value, PCI_SRIOV_NUM_VF, 0);
	memset(b->value + PCI_SRIOV_BAR, 0, 4 * PCI_SRIOV_NUM_BARS);
	return 0;
}

static int known_masks(struct pciem_bytes *b, unsigned int id, bool extended, unsigned int length)
{
	if (extended) {
		switch (id) {
		case PCI_EXT_CAP_ID_ERR:
			return aer_masks(b, length);
		case PCI_EXT_CAP_ID_DSN:
			return length < PCI_EXT_CAP_DSN_SIZEOF ? -EINVAL : 0;
		case PCI_EXT_CAP_ID_SRIOV:
			return sriov_masks(b, length);
		}
		return 0;
	}
	switch (id) {
	case PCI_CAP_ID_MSI:
	case PCI_CAP_ID_MSIX:
		return -EOPNOTSUPP;
	case PCI_CAP_ID_PM:
		return pm_masks(b, length);
	case PCI_CAP_ID_EXP:
		return pcie_masks(b, length);
	case PCI_CAP_ID_AF:
		return length < PCI_CAP_AF_SIZEOF ? -EINVAL : 0;
	}
	return 0;
}

static int cap_add_image(struct pciem_func *func, struct pciem_bytes *b, unsigned int offset,
			 unsigned int length, bool extended)
{
	const unsigned int header = extended ? 4 : 2;
	unsigned int id = extended ? get16(b->value, 0) : b->value[0];
	int at, ret;

	if (memchr_inv(b->rw, 0, header) || memchr_inv(b->w1c, 0, header))
		return -EINVAL;
	ret = known_masks(b, id, extended, length);
	if (ret)
		return ret;
	at = extended ? ext_place(func, id, b->value[2] & 0xf, offset, length) :
			cap_place(func, id, offset, length);
	if (at < 0)
		return at;

	for (unsigned int i = header; i < length; i++)
		pciem_config_define(func, at + i, 1, b->value[i], b->rw[i], b->w1c[i]);
	if (extended) {
		if (id == PCI_EXT_CAP_ID_SRIOV)
			pciem_config_fix(func, at, length);
	} else if (id == PCI_CAP_ID_PM) {
		func->cap_pm = at;
	} else if (id == PCI_CAP_ID_EXP) {
		func->cap_pcie = at;
	} else if (id == PCI_CAP_ID_AF) {
		func->cap_af = at;
	}
	return at;
}

/* Copies from userspace; to be freed with kvfree(). */
struct pciem_bytes *pciem_bytes_get(u64 value, u64 rw, u64 w1c, unsigned int length)
{
	struct pciem_bytes *b = kvzalloc(sizeof(*b), GFP_KERNEL);

	if (!b)
		return ERR_PTR(-ENOMEM);
	b->masks = rw || w1c;
	if (pciem_copy_in(b->value, u64_to_user_ptr(value), length) ||
	    (rw && pciem_copy_in(b->rw, u64_to_user_ptr(rw), length)) ||
	    (w1c && pciem_copy_in(b->w1c, u64_to_user_ptr(w1c), length))) {
		kvfree(b);
		return ERR_PTR(-EFAULT);
	}
	for (unsigned int i = 0; i < length; i++) {
		if (b->rw[i] & b->w1c[i]) {
			kvfree(b);
			return ERR_PTR(-EINVAL);
		}
	}
	return b;
}

/* PCIEM_IOC_ADD_CAP_BYTES; takes device->lock. */
int pciem_cap_add_bytes(struct pciem_device *dev, struct pciem_cap_bytes *arg)
{
	bool extended = arg->flags & PCIEM_CAP_EXTENDED;
	struct pciem_func *func;
	struct pciem_bytes *b;
	int ret;

	if (arg->flags & ~PCIEM_CAP_EXTENDED || memchr_inv(arg->reserved, 0, sizeof(arg->reserved)))
		return -EINVAL;
	if (extended) {
		if (arg->length < 4 || arg->length > PCIEM_CONFIG_SIZE - PCI_CFG_SPACE_SIZE ||
		    (arg->offset && arg->offset < PCI_CFG_SPACE_SIZE))
			return -EINVAL;
	} else if (arg->length < 2 || arg->length > PCI_CFG_SPACE_SIZE - PCI_STD_HEADER_SIZEOF) {
		return -EINVAL;
	}

	b = pciem_bytes_get(arg->bytes, arg->rw, arg->w1c, arg->length);
	if (IS_ERR(b))
		return PTR_ERR(b);
	mutex_lock(&dev->lock);
	func = pciem_func_building(dev, arg->func);
	ret = IS_ERR(func) ? PTR_ERR(func) :
	      cap_add_image(func, b, arg->offset, arg->length, extended);
	mutex_unlock(&dev->lock);
	kvfree(b);
	if (ret < 0)
		return ret;
	arg->offset = ret;
	return 0;
}

int pciem_caps_check(struct pciem_func *func)
{
	const struct pciem_cap_msix *msix = &func->msix;
	struct pciem_bar *bar = &func->bars[msix->bar_index];
	int ret;

	if (!func->cap_msix)
		return 0;
	ret = msix_fits(func, msix);
	/* Interrupts are raised where there may be no memory to be had. */
	if (!ret)
		ret = pciem_bar_populate(bar, msix->table_offset,
					 msix->table_size * PCI_MSIX_ENTRY_SIZE);
	if (!ret)
		ret = pciem_bar_populate(bar, msix->pba_offset,
					 DIV_ROUND_UP(msix->table_size, 64) * 8);
	return ret;
}

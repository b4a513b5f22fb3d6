// SPDX-License-Identifier: GPL-2.0-only
/* Configuration space: the list of capabilities, and which bits a driver can change. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/ioctl.h>

#include "driver.h"
#include "harness.h"

static struct lab lab;

static void set_up(void)
{
	struct lab_spec spec = lab_plain;

	spec.pm = spec.pcie = spec.msi_mask = true;
	spec.msi_log2 = 4;
	spec.msix = 32;
	lab_build(&lab, &spec);
	lab_register(&lab);
}

static uint32_t access_config(uint32_t flags, uint32_t offset, uint32_t size, uint32_t value)
{
	return lab_config_access(&lab, flags, offset, size, value);
}

static uint32_t get(uint32_t offset, uint32_t size)
{
	return access_config(0, offset, size, 0);
}

static unsigned int capability(unsigned int id)
{
	unsigned int at = get(0x34, 1), hops = 0;

	while (at && get(at, 1) != id && hops++ < 48)
		at = get(at + 1, 1);
	return at;
}

TEST(capability_list)
{
	static const struct {
		unsigned int id, length;
	} caps[] = {
		{ 0x01, 8 }, { 0x10, 60 }, { 0x05, 24 }, { 0x11, 12 },
	};
	uint8_t used[256] = { 0 };
	unsigned int at, count = 0;

	set_up();
	EXPECT_EQ(get(6, 2) & 0x10, 0x10);
	for (at = get(0x34, 1); at && count < 10; at = get(at + 1, 1), count++) {
		unsigned int i;

		EXPECT(at >= 0x40 && !(at & 3));
		for (i = 0; i < 4 && caps[i].id != get(at, 1); i++)
			;
		EXPECT_(i < 4, true, "capability %#x at %#x", get(at, 1), at);
		/* None lies over another */
		for (unsigned int j = 0; j < caps[i].length; j++) {
			ASSERT(at + j < 256);
			EXPECT_(!used[at + j]++, true, "byte %#x is in two capabilities", at + j);
		}
	}
	EXPECT_EQ(count, 4);
}

TEST(what_capabilities_say)
{
	unsigned int at;

	set_up();
	at = capability(0x05);
	ASSERT(at);
	EXPECT_EQ(get(at + 2, 2), 0x180 | 4 << 1);	/* 64-bit, masking, 16 vectors, off */
	at = capability(0x11);
	ASSERT(at);
	EXPECT_EQ(get(at + 2, 2), 31);
	EXPECT_EQ(get(at + 4, 4), 0x8000);
	EXPECT_EQ(get(at + 8, 4), 0xf000);
	at = capability(0x10);
	ASSERT(at);
	EXPECT_EQ(get(at + 2, 2) & 0xf, 2);
	EXPECT_EQ(get(at + 2, 2) >> 4 & 0xf, 0);	/* an endpoint */
	at = capability(0x01);
	ASSERT(at);
	EXPECT_EQ(get(at + 4, 2) & 3, 0);		/* D0 */
}

/* In the reference all of it is writable */
TEST(what_a_driver_cannot_change)
{
	unsigned int msi, msix, pcie, pm;
	uint32_t before[1024];

	set_up();
	msi = capability(0x05);
	msix = capability(0x11);
	pcie = capability(0x10);
	pm = capability(0x01);
	for (unsigned int at = 0; at < 4096; at += 4)
		before[at / 4] = get(at, 4);
	for (unsigned int at = 0; at < 4096; at += 4) {
		uint32_t changed, allowed = 0;

		access_config(PCIEM_CONFIG_WRITE, at, 4, 0xffffffff);
		changed = before[at / 4] ^ get(at, 4);
		access_config(PCIEM_CONFIG_WRITE, at, 4, 0);
		changed |= before[at / 4] ^ get(at, 4);
		/* The few that are there to be written */
		if (at == 4)
			allowed = 0x0547;
		else if (at == 0xc)
			allowed = 0xff;
		else if (at >= 0x10 && at < 0x28)
			allowed = 0xfffffff0;
		else if (at == 0x3c)
			allowed = 0xff;
		else if (at >= msi && at < msi + 24)
			allowed = at == msi ? 0x00710000 : at == msi + 20 ? 0 : 0xffffffff;
		else if (at == msix)
			allowed = 0xc0000000;
		else if (at == pm + 4)
			allowed = 0x8103;
		else if (at >= pcie && at < pcie + 60)
			allowed = at == pcie + 8 ? 0xffff : at == pcie + 16 ? 0xffff :
				  at == pcie + 40 ? 0xffff : at == pcie + 48 ? 0xffff : 0;
		if (at == 0x14)
			allowed = 0xffffffff;		/* the high half of BAR 0 */
		EXPECT_(!(changed & ~allowed), false, "dword %#x: bits %#x can be changed", at,
			changed & ~allowed);
		access_config(PCIEM_CONFIG_WRITE | PCIEM_CONFIG_AS_DEVICE, at, 4, before[at / 4]);
	}
}

TEST(narrow_writes_change_only_their_bytes)
{
	set_up();
	access_config(PCIEM_CONFIG_WRITE, 0x0c, 1, 0x10);
	access_config(PCIEM_CONFIG_WRITE, 0x3c, 1, 0x0b);
	EXPECT_EQ(get(0x0c, 4) & 0xff, 0x10);
	EXPECT_EQ(get(0x3c, 1), 0x0b);
	EXPECT_EQ(get(0x3d, 1), 1);
	access_config(PCIEM_CONFIG_WRITE | PCIEM_CONFIG_AS_DEVICE, 0x2e, 2, 0xabcd);
	EXPECT_EQ(get(0x2c, 4), 0xabcd0000 | LAB_VENDOR);
	access_config(PCIEM_CONFIG_WRITE | PCIEM_CONFIG_AS_DEVICE, 0x2d, 1, 0x77);
	EXPECT_EQ(get(0x2c, 4), 0xabcd0000 | 0x7700 | (LAB_VENDOR & 0xff));
}

TEST(sizes_of_BARs)
{
	uint32_t low, high;

	set_up();
	low = get(0x10, 4);
	high = get(0x14, 4);
	/* Above 4 GiB, with its high half */
	EXPECT_EQ(low & 0xf, PCIEM_BAR_MEM64);
	EXPECT(high);
	access_config(PCIEM_CONFIG_WRITE, 0x10, 4, 0xffffffff);
	access_config(PCIEM_CONFIG_WRITE, 0x14, 4, 0xffffffff);
	EXPECT_EQ(get(0x10, 4), 0xffff0004);
	EXPECT_EQ(get(0x14, 4), 0xffffffff);
	access_config(PCIEM_CONFIG_WRITE, 0x10, 4, low);
	access_config(PCIEM_CONFIG_WRITE, 0x14, 4, high);
	EXPECT_EQ(get(0x10, 4), low);
	EXPECT_EQ(get(0x14, 4), high);
	access_config(PCIEM_CONFIG_WRITE, 0x24, 4, 0xffffffff);
	EXPECT_EQ(get(0x24, 4), 0);
}

TEST_MAIN()

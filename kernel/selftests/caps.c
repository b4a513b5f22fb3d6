// SPDX-License-Identifier: GPL-2.0-only
/* Capabilities given by their parameters or byte for byte, and any other bytes of configuration space. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "driver.h"
#include "harness.h"

static struct lab lab;

static uint32_t access_config(uint32_t flags, uint32_t offset, uint32_t size, uint32_t value)
{
	return lab_config_access(&lab, flags, offset, size, value);
}

static uint32_t get(uint32_t offset, uint32_t size)
{
	return access_config(0, offset, size, 0);
}

/* What reads back after a driver wrote */
static uint32_t put(uint32_t offset, uint32_t size, uint32_t value)
{
	access_config(PCIEM_CONFIG_WRITE, offset, size, value);
	return get(offset, size);
}

static unsigned int capability(unsigned int id)
{
	unsigned int at = get(0x34, 1), hops = 0;

	while (at && get(at, 1) != id && hops++ < 48)
		at = get(at + 1, 1);
	return at;
}

static unsigned int extended(unsigned int id)
{
	unsigned int at = 0x100, hops = 0;

	while (at && (get(at, 4) & 0xffff) != id && hops++ < 960)
		at = get(at, 4) >> 20;
	return at;
}

/* The offset, or -1 with errno */
static int add(const void *bytes, unsigned int length, unsigned int offset, uint32_t flags,
	       const void *rw, const void *w1c)
{
	struct pciem_cap_bytes cap = {
		.bytes = (uintptr_t)bytes, .rw = (uintptr_t)rw, .w1c = (uintptr_t)w1c,
		.length = length, .offset = offset, .flags = flags,
	};

	return ioctl(lab.fd, PCIEM_IOC_ADD_CAP_BYTES, &cap) ? -1 : cap.offset;
}

static int add_type(uint32_t type, const void *payload)
{
	struct pciem_cap_config cap = { .cap_type = type };

	if (payload)
		memcpy(cap.u.raw, payload, 16);
	return ioctl(lab.fd, PCIEM_IOC_ADD_CAPABILITY, &cap);
}

static int define(unsigned int offset, unsigned int length, const void *bytes, const void *rw,
		  const void *w1c)
{
	struct pciem_config_define define = {
		.bytes = (uintptr_t)bytes, .rw = (uintptr_t)rw, .w1c = (uintptr_t)w1c,
		.offset = offset, .length = length,
	};

	return ioctl(lab.fd, PCIEM_IOC_CONFIG_DEFINE, &define);
}

static void build(bool pcie)
{
	struct lab_spec spec = lab_plain;

	spec.pcie = pcie;
	lab_build(&lab, &spec);
}

static void header32(uint8_t *bytes, unsigned int id, unsigned int version)
{
	uint32_t header = id | version << 16;

	memcpy(bytes, &header, 4);
}

TEST(vendor_specific)
{
	uint8_t raw[16], bytes[20];

	build(true);
	for (int i = 0; i < 16; i++)
		raw[i] = 0xa0 + i;
	EXPECT_OK(add_type(PCIEM_CAP_VSEC, raw));
	/* There may be several */
	raw[0] = 0x55;
	EXPECT_OK(add_type(PCIEM_CAP_VSEC, raw));
	lab_register(&lab);
	for (int i = 0; i < 20; i++)
		bytes[i] = get(capability(9) + i, 1);
	EXPECT_EQ(bytes[2], 20);
	EXPECT_EQ(bytes[4], 0xa0);
	EXPECT_EQ(bytes[19], 0xaf);
	EXPECT_EQ(get(bytes[1], 1), 9);
	EXPECT_EQ(get(bytes[1] + 4, 1), 0x55);
	EXPECT_EQ(put(bytes[1] + 4, 4, ~0U) & 0xff, 0x55);
}

TEST(PASID)
{
	uint8_t raw[16] = { 20, 1, 0 }, wide[16] = { 21 };
	unsigned int at;

	build(true);
	EXPECT_ERROR(add_type(PCIEM_CAP_PASID, wide), EINVAL);
	EXPECT_OK(add_type(PCIEM_CAP_PASID, raw));
	EXPECT_ERROR(add_type(PCIEM_CAP_PASID, raw), EEXIST);
	lab_register(&lab);
	EXPECT_EQ(lab_config_read(&lab, 0x100, 4), 0x1001b);
	at = extended(0x1b);
	EXPECT_EQ(at, 0x100);
	EXPECT_EQ(get(at + 4, 2), 20 << 8 | 2);
	EXPECT_EQ(get(at + 6, 2), 0);
	/* Only what it is capable of can be turned on */
	EXPECT_EQ(put(at + 6, 2, 0xffff), 3);
	EXPECT_EQ(put(at + 4, 2, 0), 20 << 8 | 2);
}

/* In the reference they run over the end of a page that is a byte wide */
TEST(capabilities_overflow_a_byte_cursor)
{
	uint8_t raw[16] = { 0 }, ext[4096] = { 0 };
	unsigned int n = 0, at, last = 0;

	build(true);
	while (!add_type(PCIEM_CAP_VSEC, raw))
		n++;
	EXPECT_EQ(errno, ENOSPC);
	/* 192 bytes, of which PCI Express has 60 */
	EXPECT_EQ(n, 132 / 20);
	header32(ext, 0xb, 1);
	for (n = 0; add(ext, 0x80, 0, PCIEM_CAP_EXTENDED, NULL, NULL) >= 0; n++)
		;
	EXPECT_EQ(errno, ENOSPC);
	EXPECT_EQ(n, 0xf00 / 0x80);
	lab_register(&lab);
	EXPECT_EQ(get(0, 4), LAB_DEVICE_FREE << 16 | LAB_VENDOR);
	for (at = get(0x34, 1), n = 0; at; at = get(at + 1, 1), n++) {
		EXPECT_(at >= 0x40 && at > last && at < 0x100, true, "capability at %#x", at);
		last = at;
	}
	EXPECT_EQ(n, 7);
	for (at = 0x100, n = 0; at; at = get(at, 4) >> 20, n++)
		EXPECT_EQ(at, 0x100 + n * 0x80);
	EXPECT_EQ(n, 0xf00 / 0x80);
}

TEST(byte_for_byte_with_masks)
{
	uint8_t bytes[12] = { 0x09, 0xee, 12, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99 };
	uint8_t rw[12] = { [4] = 0x0f, [5] = 0xff }, w1c[12] = { [4] = 0x20, [8] = 0xff };

	build(true);
	EXPECT_EQ(add(bytes, 12, 0xe0, 0, rw, w1c), 0xe0);
	lab_register(&lab);
	EXPECT_EQ(capability(9), 0xe0);
	EXPECT_EQ(get(0xe1, 1), 0);		/* "next" is the kernel's */
	EXPECT_EQ(get(0xe4, 4), 0x55443322);
	EXPECT_EQ(put(0xe4, 4, 0), 0x55440020);
	EXPECT_EQ(put(0xe4, 4, 0xffffffff), 0x5544ff0f);
	EXPECT_EQ(put(0xe8, 2, 0x0011), 0x7766);
	EXPECT_EQ(put(0xe8, 2, 0x0060), 0x7706);
}

TEST(placement_is_checked)
{
	uint8_t cap[8] = { 0x09, 0, 8 }, ext[16] = { 0 }, mask[16] = { 0xff }, both[16] = { [8] = 1 };

	build(true);		/* PCI Express is at 0x40 to 0x7b */
	header32(ext, 0xb, 1);
	EXPECT_ERROR(add(cap, 8, 0x82, 0, NULL, NULL), EINVAL);
	EXPECT_ERROR(add(cap, 8, 0x10, 0, NULL, NULL), EBUSY);
	EXPECT_ERROR(add(cap, 8, 0x3c, 0, NULL, NULL), EBUSY);
	EXPECT_ERROR(add(cap, 8, 0x78, 0, NULL, NULL), EBUSY);
	EXPECT_ERROR(add(cap, 8, 0xfc, 0, NULL, NULL), ENOSPC);
	EXPECT_ERROR(add(cap, 8, 0x100, 0, NULL, NULL), ENOSPC);
	EXPECT_ERROR(add(cap, 1, 0, 0, NULL, NULL), EINVAL);
	EXPECT_ERROR(add(cap, 193, 0, 0, NULL, NULL), EINVAL);
	EXPECT_ERROR(add(cap, 8, 0, 2, NULL, NULL), EINVAL);
	EXPECT_ERROR(add(cap, 8, 0, 0, mask, NULL), EINVAL);
	EXPECT_ERROR(add(ext, 16, 0, PCIEM_CAP_EXTENDED, both, both), EINVAL);
	EXPECT_ERROR(add(ext, 16, 0xf0, PCIEM_CAP_EXTENDED, NULL, NULL), EINVAL);
	EXPECT_ERROR(add(ext, 16, 0xff8, PCIEM_CAP_EXTENDED, NULL, NULL), ENOSPC);
	EXPECT_ERROR(add(ext, 3, 0, PCIEM_CAP_EXTENDED, NULL, NULL), EINVAL);
	EXPECT_ERROR(add(NULL, 16, 0, PCIEM_CAP_EXTENDED, NULL, NULL), EFAULT);
	EXPECT_ERROR(add(ext, 16, 0, PCIEM_CAP_EXTENDED, (void *)8, NULL), EFAULT);
	EXPECT_EQ(add(cap, 8, 0xf8, 0, NULL, NULL), 0xf8);
	EXPECT_ERROR(add(cap, 8, 0xf4, 0, NULL, NULL), EBUSY);
	EXPECT_EQ(add(cap, 8, 0xf0, 0, NULL, NULL), 0xf0);
	/* MSI-X and MSI are delivered by the kernel, which has to know them */
	cap[0] = 0x05;
	EXPECT_ERROR(add(cap, 8, 0, 0, NULL, NULL), EOPNOTSUPP);
	cap[0] = 0x11;
	EXPECT_ERROR(add(cap, 8, 0, 0, NULL, NULL), EOPNOTSUPP);
	/* A second PCI Express, a port, one that is cut short */
	cap[0] = 0x10;
	EXPECT_ERROR(add(cap, 8, 0, 0, NULL, NULL), EINVAL);
	lab_register(&lab);
	EXPECT_ERROR(add(ext, 16, 0, PCIEM_CAP_EXTENDED, NULL, NULL), EINVAL);
}

/* The list has to begin at 0x100, also while nothing does */
TEST(extended_list_from_anywhere)
{
	uint8_t dsn[12] = { [4] = 1, 2, 3, 4, 5, 6, 7, 8 }, vendor[16] = { 0 };

	build(true);
	header32(dsn, 0x3, 1);
	header32(vendor, 0xb, 1);
	EXPECT_EQ(add(dsn, 12, 0x200, PCIEM_CAP_EXTENDED, NULL, NULL), 0x200);
	EXPECT_EQ(add(vendor, 16, 0, PCIEM_CAP_EXTENDED, NULL, NULL), 0x104);
	EXPECT_ERROR(add(vendor, 16, 0x100, PCIEM_CAP_EXTENDED, NULL, NULL), EBUSY);
	EXPECT_EQ(add(vendor, 4, 0x100, PCIEM_CAP_EXTENDED, NULL, NULL), 0x100);
	EXPECT_ERROR(add(vendor, 4, 0x100, PCIEM_CAP_EXTENDED, NULL, NULL), EBUSY);
	lab_register(&lab);
	EXPECT_EQ(get(0x100, 4), 0x2001000b);
	EXPECT_EQ(get(0x200, 4), 0x10410003);
	EXPECT_EQ(get(0x104, 4), 0x0001000b);
	EXPECT_EQ(get(0x204, 4), 0x04030201);
	EXPECT_EQ(put(0x204, 4, 0), 0x04030201);
	lab_power_off(&lab);

	build(true);
	EXPECT_EQ(add(dsn, 12, 0x200, PCIEM_CAP_EXTENDED, NULL, NULL), 0x200);
	lab_register(&lab);
	EXPECT_EQ(get(0x100, 4), 0x20000000);
	EXPECT_EQ(extended(3), 0x200);
}

TEST(advanced_error_reporting)
{
	uint8_t aer[0x48] = { [4] = 0x10, [5] = 0x40, [0x10] = 0x41, [0x18] = 0xa0 };
	unsigned int at;

	build(true);
	header32(aer, 0x1, 2);
	EXPECT_ERROR(add(aer, 0x20, 0, PCIEM_CAP_EXTENDED, NULL, NULL), EINVAL);
	at = add(aer, 0x48, 0x140, PCIEM_CAP_EXTENDED, NULL, NULL);
	EXPECT_EQ(at, 0x140);
	lab_register(&lab);
	/* The PCI core clears what is in the status registers where AER is its own */
	access_config(PCIEM_CONFIG_WRITE | PCIEM_CONFIG_AS_DEVICE, at + 4, 4, 0x4010);
	access_config(PCIEM_CONFIG_WRITE | PCIEM_CONFIG_AS_DEVICE, at + 0x10, 4, 0x41);
	EXPECT_EQ(put(at + 4, 4, 0x10), 0x4000);
	EXPECT_EQ(put(at + 0x10, 4, 0xffffffff), 0);
	EXPECT_EQ(put(at + 8, 4, 0x4010), 0x4010);
	EXPECT_EQ(put(at + 0xc, 4, 0xffffffff), 0x03fff030);
	EXPECT_EQ(put(at + 0x14, 4, 0xffffffff), 0xf1c1);
	EXPECT_EQ(put(at + 0x18, 4, 0xffffffff), 0x1e0);
	EXPECT_EQ(put(at + 0x1c, 4, 0xffffffff), 0);
}

TEST(SRIOV_is_there_and_enables_nothing)
{
	uint8_t iov[0x40] = { [0xc] = 4, [0xe] = 4, [0x10] = 2, [0x14] = 8, [0x16] = 1, [0x1a] = 0x34,
			      [0x1c] = 0x53, 5, [0x20] = 1, [0x24] = 0x0c };
	unsigned int at;

	build(true);
	header32(iov, 0x10, 1);
	EXPECT_ERROR(add(iov, 0x40, 0, PCIEM_CAP_EXTENDED, iov, NULL), EINVAL);
	at = add(iov, 0x40, 0, PCIEM_CAP_EXTENDED, NULL, NULL);
	EXPECT_EQ(at, 0x100);
	EXPECT_ERROR(define(0x10c, 1, iov, NULL, NULL), EBUSY);
	lab_register(&lab);
	EXPECT_EQ(get(at + 0xe, 2), 4);
	EXPECT_EQ(get(at + 0xc, 2), 0);
	EXPECT_EQ(put(at + 8, 2, 0xffff), 0);
	EXPECT_EQ(put(at + 0x24, 4, 0xffffffff), 0);
	EXPECT_EQ(lab_read_number(lab_sysfs(&lab, "sriov_totalvfs")), 4);
	EXPECT_EQ(lab_write_file(lab_sysfs(&lab, "sriov_numvfs"), "2"), -1);
}

TEST(power_management_byte_for_byte)
{
	uint8_t pm[8] = { 0x01, 0, 0x03, 0xc8, 0x08, 0x80 };

	build(false);
	EXPECT_EQ(add(pm, 8, 0x50, 0, NULL, NULL), 0x50);
	EXPECT_ERROR(add_type(PCIEM_CAP_PM, NULL), EEXIST);
	lab_register(&lab);
	/* The PCI core cleared the status */
	access_config(PCIEM_CONFIG_WRITE | PCIEM_CONFIG_AS_DEVICE, 0x54, 2, 0x8008);
	EXPECT_EQ(put(0x54, 2, 0x0102), 0x810a);
	EXPECT_EQ(put(0x54, 2, 0x8000), 0x0008);
}

TEST(bytes_outside_capabilities)
{
	static const unsigned int fixed[] = {
		0x00, 0x03, 0x04, 0x07, 0x0e, 0x10, 0x27, 0x30, 0x34, 0x3d, 0x40, 0x41,
	};
	uint8_t bytes[16] = { 0x12, 0x34, 0x56, 0x78, 0x9a }, rw[16] = { 0xff, 0x0f },
		w1c[16] = { 0, 0xf0, 0xff }, overlap[16] = { 1 };

	build(true);
	EXPECT_EQ(add_type(PCIEM_CAP_MSI, NULL), 0);	/* at 0x7c */
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		EXPECT_ERROR(define(fixed[i], 1, bytes, NULL, NULL), EBUSY);
	EXPECT_ERROR(define(0x0c, 4, bytes, NULL, NULL), EBUSY);
	EXPECT_ERROR(define(0x80, 4, bytes, NULL, NULL), EBUSY);
	EXPECT_ERROR(define(0xffc, 5, bytes, NULL, NULL), EINVAL);
	EXPECT_ERROR(define(0xc0, 0, bytes, NULL, NULL), EINVAL);
	EXPECT_ERROR(define(0xc0, 4, bytes, overlap, overlap), EINVAL);
	EXPECT_ERROR(define(0xc0, 4, (void *)8, NULL, NULL), EFAULT);
	EXPECT_OK(define(0xc1, 5, bytes, rw, w1c));
	EXPECT_OK(define(0xffc, 4, bytes, NULL, NULL));
	EXPECT_OK(define(0x28, 8, bytes, NULL, NULL));
	EXPECT_OK(define(0x50, 2, bytes, NULL, NULL));	/* LnkCtl of the PCI Express capability */
	lab_register(&lab);
	EXPECT_EQ(get(0xc0, 4), 0x56341200);
	EXPECT_EQ(put(0xc0, 4, 0), 0x56300000);
	EXPECT_EQ(put(0xc0, 4, 0xffffffff), 0x000fff00);
	EXPECT_EQ(get(0xc4, 2), 0x9a78);
	EXPECT_EQ(lab_config_read(&lab, 0xffc, 4), 0x78563412);
	EXPECT_EQ(get(0x28, 4), 0x78563412);
	EXPECT_EQ(get(0x50, 2), 0x3412);
	EXPECT_ERROR(define(0xc1, 5, bytes, rw, w1c), EINVAL);
}

/* A device with everything, as lspci sees it */
TEST(lspci_is_content)
{
	uint8_t aer[0x48] = { 0 }, dsn[12] = { [4] = 9 }, raw[16] = { 20, 1, 1 },
		iov[0x40] = { [0xc] = 4, [0xe] = 4, [0x14] = 8, [0x16] = 1, [0x1a] = 0x34, [0x1c] = 0x53,
			      [0x20] = 1 };
	char command[160], line[512];
	unsigned int capabilities = 0;
	struct lab_spec spec = lab_plain;
	FILE *pipe;

	if (access("/usr/bin/lspci", X_OK))
		harness_skip("there is no lspci");
	spec.pcie = spec.pm = true;
	spec.msix = 8;
	spec.msi_log2 = 3;
	lab_build(&lab, &spec);
	EXPECT_OK(add_type(PCIEM_CAP_VSEC, raw));
	header32(aer, 1, 2);
	header32(dsn, 3, 1);
	header32(iov, 0x10, 1);
	EXPECT(add(aer, sizeof(aer), 0, PCIEM_CAP_EXTENDED, NULL, NULL) > 0);
	EXPECT(add(dsn, sizeof(dsn), 0x1c0, PCIEM_CAP_EXTENDED, NULL, NULL) > 0);
	EXPECT(add(iov, sizeof(iov), 0, PCIEM_CAP_EXTENDED, NULL, NULL) > 0);
	EXPECT_OK(add_type(PCIEM_CAP_PASID, raw));
	lab_register(&lab);
	snprintf(command, sizeof(command), "lspci -vvv -s %s 2>&1", lab.address);
	pipe = popen(command, "r");
	ASSERT(pipe);
	while (fgets(line, sizeof(line), pipe)) {
		capabilities += strstr(line, "Capabilities: [") != NULL;
		EXPECT_(!strstr(line, "denied") && !strstr(line, "broken") && !strstr(line, "loop") &&
			!strstr(line, "arning") && !strstr(line, "rror:") && !strstr(line, "nknown") &&
			!strstr(line, "<unassigned>") && !strstr(line, "<ignored>"),
			false, "lspci: %s", line);
	}
	EXPECT_EQ(pclose(pipe), 0);
	EXPECT_EQ(capabilities, 9);
}

TEST_MAIN()

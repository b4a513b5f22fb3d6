/* SPDX-License-Identifier: GPL-2.0-only */
/* Registers of the ProtoPCIem card, all of 32 bits; docs/protopciem.md tells of their use. */
#ifndef PROTOPCIEM_REGISTERS_H
#define PROTOPCIEM_REGISTERS_H

#include <linux/bits.h>
#include <linux/types.h>

#define REG_CONTROL		0x00
#define  CONTROL_ENABLE		BIT(0)
#define  CONTROL_RESET		BIT(1)
#define REG_STATUS		0x04
#define  STATUS_BUSY		BIT(0)
#define  STATUS_DONE		BIT(1)
#define  STATUS_ERROR		BIT(2)
#define REG_CMD			0x08
#define  CMD_XOR		3
#define  CMD_EXECUTE_CMDBUF	5
#define  CMD_DMA_FRAME		6
#define REG_DATA		0x0c
#define REG_RESULT_LOW		0x10
#define REG_DMA_SRC_LOW		0x20
#define REG_DMA_SRC_HIGH	0x24
#define REG_DMA_LEN		0x30

/* What came later: VERSION reads as 0 on the first cards. */
#define REG_VERSION		0x100
#define REG_CAPS		0x104
#define  CAPS_MODES		BIT(0)
#define  CAPS_VSYNC		BIT(2)
#define  CAPS_RING		BIT(4)
#define  CAPS_CURSOR		BIT(5)
#define  CAPS_EDID		BIT(6)
#define REG_MAX_SIZE		0x108
#define REG_FORMATS		0x10c
#define REG_IRQ_STATUS		0x110
#define REG_IRQ_ENABLE		0x114
#define  IRQ_COMMAND		BIT(0)
#define  IRQ_VSYNC		BIT(1)
#define  IRQ_FENCE		BIT(3)
#define  IRQ_ERROR		BIT(4)
#define REG_ERROR		0x118
#define  ERROR_MALFORMED_RECORD	4
#define REG_ERROR_INFO		0x11c
#define REG_MODE_SIZE		0x120
#define REG_MODE_PITCH		0x124
#define REG_MODE_FORMAT		0x128
#define  FORMAT_RGB24		0
#define  FORMAT_XRGB8888	1
#define  FORMAT_RGB565		2
#define REG_MODE_CONTROL	0x12c
#define REG_VSYNC_RATE		0x13c	/* millihertz */
#define  VSYNC_RATE_MIN		1000
#define  VSYNC_RATE_MAX		240000
#define REG_RING_LOW		0x160
#define REG_RING_HIGH		0x164
#define REG_RING_ENTRIES	0x168
#define REG_RING_CONTROL	0x16c
#define REG_RING_TAIL		0x174
#define REG_FENCE_LOW		0x180
#define REG_FENCE_HIGH		0x184
#define REG_CURSOR_CONTROL	0x190
#define  CURSOR_ENABLE		BIT(0)
#define  CURSOR_LOAD		BIT(1)
#define REG_CURSOR_POSITION	0x194
#define REG_CURSOR_SIZE		0x198
#define REG_CURSOR_LOW		0x1a0
#define REG_CURSOR_HIGH		0x1a4
#define REG_EDID		0x200

/* Two numbers in a register, as sizes and positions are */
#define PAIR(low, high)		(((u32)(high) << 16) | ((u32)(low) & 0xffff))

/* An entry of the command ring */
struct ring_entry {
	__le16 opcode;
#define RING_UPDATE		2
#define RING_FLIP		3
	__le16 flags;
#define RING_INTERRUPT		1
	__le32 fence;
	__le64 address;
	__le32 length;
	__le32 position;
	__le32 size;
	__le32 reserved;
};

#endif /* PROTOPCIEM_REGISTERS_H */

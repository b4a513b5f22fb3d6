/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/protopciem: pictures and command buffers for a ProtoPCIem card.
 *
 * write() gives the card a command buffer of at most PROTOPCIEM_MAX_COMMANDS
 * bytes and returns when it is drawn. mmap() at offset 0 maps the two frames,
 * one after the other; PROTOPCIEM_SUBMIT shows one of them and returns when the
 * card has read it.
 */
#ifndef _UAPI_PROTOPCIEM_H
#define _UAPI_PROTOPCIEM_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define PROTOPCIEM_WIDTH	640
#define PROTOPCIEM_HEIGHT	480
/* Bytes of a row: red, green, blue for each pixel */
#define PROTOPCIEM_PITCH	(PROTOPCIEM_WIDTH * 3)
#define PROTOPCIEM_FRAME_SIZE	(PROTOPCIEM_PITCH * PROTOPCIEM_HEIGHT)
#define PROTOPCIEM_FRAMES	2
#define PROTOPCIEM_MAX_COMMANDS	(4 * 1024 * 1024)

/* Which frame: 0 or 1 */
#define PROTOPCIEM_SUBMIT	_IOW('a', 1, __u32)

/* Records of a command buffer, each at a multiple of 4 */
struct protopciem_record {
	__u16 opcode;
	__u16 reserved;
	__u32 length;		/* bytes, with this header */
};

#define PROTOPCIEM_NOP		0
#define PROTOPCIEM_CLEAR	1
#define PROTOPCIEM_DRAW_LINE	2
#define PROTOPCIEM_BLIT_RECT	3	/* then width * height * 3 bytes: red, green, blue */

struct protopciem_clear {
	struct protopciem_record record;
	__u8 red, green, blue, alpha;
};

struct protopciem_draw_line {
	struct protopciem_record record;
	__u16 x0, y0, x1, y1;
	__u8 red, green, blue, alpha;
};

struct protopciem_blit_rect {
	struct protopciem_record record;
	__u16 x, y, width, height;
};

#endif /* _UAPI_PROTOPCIEM_H */

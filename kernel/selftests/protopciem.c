// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver of the ProtoPCIem card, with a card on the bus: what its callers are told.
 * e2e/guest/suites/protopciem.ts powers the card on, and looks at what it shows.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../uapi/protopciem.h"
#include "drm_card.h"
#include "harness.h"

#define STATISTICS "/sys/class/misc/protopciem/statistics/"
#define FRAMES_SIZE (PROTOPCIEM_FRAMES * PROTOPCIEM_FRAME_SIZE)

static int open_device(void)
{
	int fd = open("/dev/protopciem", O_RDWR | O_CLOEXEC);

	ASSERT(fd >= 0);
	return fd;
}

static long long statistic(const char *name)
{
	char path[128], text[64] = "";
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), STATISTICS "%s", name);
	fd = open(path, O_RDONLY);
	ASSERT(fd >= 0);
	length = read(fd, text, sizeof(text) - 1);
	ASSERT(length > 0);
	close(fd);
	return strtoll(text, NULL, 10);
}

TEST(the_submit_call_has_the_number_of_the_first_driver)
{
	EXPECT_EQ(PROTOPCIEM_SUBMIT, 0x40046101);
	EXPECT_EQ(FRAMES_SIZE, 1843200);
}

TEST(both_frames_can_be_submitted)
{
	long long frames = statistic("frames"), bytes = statistic("frame_bytes");
	int fd = open_device();
	uint8_t *map = mmap(NULL, FRAMES_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	ASSERT(map != MAP_FAILED);
	for (uint32_t frame = 0; frame < PROTOPCIEM_FRAMES; frame++) {
		memset(map + frame * PROTOPCIEM_FRAME_SIZE, 0x11 * (frame + 1), PROTOPCIEM_FRAME_SIZE);
		EXPECT_OK(ioctl(fd, PROTOPCIEM_SUBMIT, &frame));
	}
	EXPECT_EQ(statistic("frames") - frames, 2);
	EXPECT_EQ(statistic("frame_bytes") - bytes, FRAMES_SIZE);
}

TEST(what_there_is_none_of_is_refused)
{
	int fd = open_device();
	uint32_t frame = 2;

	EXPECT_ERROR(ioctl(fd, PROTOPCIEM_SUBMIT, &frame), EINVAL);
	frame = 0xffffffff;
	EXPECT_ERROR(ioctl(fd, PROTOPCIEM_SUBMIT, &frame), EINVAL);
	EXPECT_ERROR(ioctl(fd, PROTOPCIEM_SUBMIT, NULL), EFAULT);
	EXPECT_ERROR(ioctl(fd, _IOW('a', 2, uint32_t), &frame), ENOTTY);
	EXPECT_ERROR(ioctl(fd, 0xdeadbeef, &frame), ENOTTY);
	EXPECT_ERROR(read(fd, &frame, sizeof(frame)), EINVAL);
	EXPECT_ERROR(lseek(fd, 0, SEEK_SET), ESPIPE);
}

TEST(mappings_hold_two_frames_and_no_more)
{
	int fd = open_device();
	void *map;

	EXPECT_ERROR(mmap(NULL, FRAMES_SIZE + 4096, PROT_READ, MAP_SHARED, fd, 0), ENXIO);
	EXPECT_ERROR(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, FRAMES_SIZE), ENXIO);
	EXPECT_ERROR(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0), EINVAL);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, FRAMES_SIZE - 4096);
	ASSERT(map != MAP_FAILED);
	memset(map, 1, 4096);
}

TEST(writes_have_a_size)
{
	static uint8_t bytes[PROTOPCIEM_MAX_COMMANDS + 4];
	const struct protopciem_record nop = { PROTOPCIEM_NOP, 0, sizeof(nop) };
	void *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long long buffers = statistic("command_buffers");
	int fd = open_device();

	for (size_t i = 0; i < sizeof(bytes) - 4; i += sizeof(nop))
		memcpy(bytes + i, &nop, sizeof(nop));
	EXPECT_EQ(write(fd, bytes, 0), 0);
	EXPECT_EQ(write(fd, bytes, 8), 8);
	/* What has no room for a header is no record. */
	EXPECT_EQ(write(fd, bytes, 12), 12);
	EXPECT_EQ(write(fd, bytes, PROTOPCIEM_MAX_COMMANDS), PROTOPCIEM_MAX_COMMANDS);
	EXPECT_ERROR(write(fd, bytes, sizeof(bytes)), EINVAL);
	EXPECT_ERROR(write(fd, nowhere, 8), EFAULT);
	EXPECT_EQ(statistic("command_buffers") - buffers, 3);
}

TEST(every_record_is_carried_out)
{
	struct {
		struct protopciem_record nop;
		struct protopciem_clear clear;
		struct protopciem_draw_line line;
		struct protopciem_blit_rect blit;
		uint8_t pixels[2 * 2 * 3];
	} all = {
		.nop = { PROTOPCIEM_NOP, 0, sizeof(all.nop) },
		.clear = { { PROTOPCIEM_CLEAR, 0, sizeof(all.clear) }, 1, 2, 3, 255 },
		.line = { { PROTOPCIEM_DRAW_LINE, 0, sizeof(all.line) }, 0, 0, 639, 479, 9, 9, 9, 255 },
		.blit = { { PROTOPCIEM_BLIT_RECT, 0, sizeof(all.blit) + sizeof(all.pixels) }, 1, 1, 2, 2 },
	};
	int fd = open_device();

	EXPECT_EQ(write(fd, &all, sizeof(all)), sizeof(all));
	/* Outside the picture is nothing to complain of. */
	all.line.x1 = 65535;
	all.blit.x = 65535;
	EXPECT_EQ(write(fd, &all, sizeof(all)), sizeof(all));
}

TEST(every_malformed_record_is_refused)
{
	static const struct {
		const char *what;
		size_t length;
		struct protopciem_record record;
	} bad[] = {
		{ "an unknown opcode", 8, { 4, 0, 8 } },
		{ "the last opcode", 8, { 0xffff, 0, 8 } },
		{ "a length of nothing", 8, { PROTOPCIEM_NOP, 0, 0 } },
		{ "a length without its header", 8, { PROTOPCIEM_NOP, 0, 4 } },
		{ "beyond the buffer", 8, { PROTOPCIEM_NOP, 0, 12 } },
		{ "far beyond the buffer", 8, { PROTOPCIEM_NOP, 0, 0xfffffffc } },
		{ "a clear without a colour", 8, { PROTOPCIEM_CLEAR, 0, 8 } },
		{ "a line without a colour", 16, { PROTOPCIEM_DRAW_LINE, 0, 16 } },
		{ "a line without anything", 8, { PROTOPCIEM_DRAW_LINE, 0, 8 } },
		{ "a rectangle without a size", 12, { PROTOPCIEM_BLIT_RECT, 0, 12 } },
		{ "a rectangle without its pixels", 16, { PROTOPCIEM_BLIT_RECT, 0, 16 } },
	};
	const struct protopciem_record nop = { PROTOPCIEM_NOP, 0, sizeof(nop) };
	int fd = open_device();

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		long long errors = statistic("errors");
		uint16_t bytes[64] = { 0 };
		ssize_t result;

		/* Whatever follows the header, a rectangle is 10 x 10 */
		memcpy(bytes, &bad[i].record, sizeof(bad[i].record));
		bytes[6] = bytes[7] = 10;
		result = write(fd, bytes, bad[i].length);
		EXPECT_(result == -1 && errno == EINVAL, false, "%s: %zd, %s", bad[i].what, result,
			result < 0 ? harness_errno(errno) : "no error");
		EXPECT_EQ(statistic("errors") - errors, 1);
		/* And behind a good one */
		memmove(bytes + 4, bytes, bad[i].length);
		memcpy(bytes, &nop, sizeof(nop));
		EXPECT_ERROR(write(fd, bytes, sizeof(nop) + bad[i].length), EINVAL);
		EXPECT_EQ(write(fd, &nop, sizeof(nop)), sizeof(nop));
	}
}

TEST(several_files_take_turns)
{
	pid_t children[4];
	int status;

	for (int i = 0; i < 4; i++) {
		children[i] = fork();
		if (children[i])
			continue;
		int fd = open_device();

		for (uint32_t n = 0; n < 20; n++) {
			const struct protopciem_clear clear = {
				{ PROTOPCIEM_CLEAR, 0, sizeof(clear) }, n, i, 0, 0,
			};
			uint32_t frame = n % 2;

			if (i % 2 ? ioctl(fd, PROTOPCIEM_SUBMIT, &frame) :
			    write(fd, &clear, sizeof(clear)) != sizeof(clear))
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i < 4; i++) {
		ASSERT(waitpid(children[i], &status, 0) == children[i]);
		EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
}

/* The display */

static void open_drm(struct drm_card *card)
{
	ASSERT(!drm_card_open(card));
}

TEST(modes_are_the_monitors)
{
	static const unsigned int sizes[][2] = {
		{ 640, 480 }, { 800, 600 }, { 1024, 768 }, { 1280, 720 }, { 1920, 1080 },
	};
	struct drm_card card;

	open_drm(&card);
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		EXPECT_(drm_card_mode(&card, sizes[i][0], sizes[i][1]), false, "no mode %u x %u",
			sizes[i][0], sizes[i][1]);
	ASSERT(card.mode_count > 0);
	EXPECT(card.modes[0].type & DRM_MODE_TYPE_PREFERRED);
	for (unsigned int i = 0; i < card.mode_count; i++)
		EXPECT(card.modes[i].hdisplay <= 1920 && card.modes[i].vdisplay <= 1080);
}

TEST_FOR(every_mode_can_be_set, 60)
{
	struct drm_buffer buffer;
	struct drm_card card;

	open_drm(&card);
	ASSERT(!drm_buffer_make(&card, &buffer, 1920, 1080, DRM_FORMAT_XRGB8888));
	for (unsigned int i = 0; i < card.mode_count; i++)
		EXPECT_(!drm_card_show(&card, &buffer, &card.modes[i]), false, "%s: %s",
			card.modes[i].name, harness_errno(errno));
}

TEST(a_mode_that_the_card_has_not_is_refused)
{
	struct drm_mode_modeinfo mode;
	struct drm_buffer buffer;
	struct drm_card card;

	open_drm(&card);
	ASSERT(drm_card_mode(&card, 640, 480));
	mode = *drm_card_mode(&card, 640, 480);
	ASSERT(!drm_buffer_make(&card, &buffer, 640, 480, DRM_FORMAT_XRGB8888));
	/* 2.4 kHz */
	mode.clock *= 40;
	EXPECT_ERROR(drm_card_show(&card, &buffer, &mode), EINVAL);
	/* The framebuffer is too small for this one. */
	EXPECT_ERROR(drm_card_show(&card, &buffer, drm_card_mode(&card, 1280, 720)), ENOSPC);
}

TEST(flips_come_one_after_the_other)
{
	long long flips = statistic("flips");
	struct drm_buffer buffers[2];
	struct drm_card card;
	long last = -1;

	open_drm(&card);
	for (int i = 0; i < 2; i++)
		ASSERT(!drm_buffer_make(&card, &buffers[i], 640, 480, DRM_FORMAT_XRGB8888));
	ASSERT(!drm_card_show(&card, &buffers[0], drm_card_mode(&card, 640, 480)));
	for (int i = 0; i < 20; i++) {
		long blank = drm_card_flip(&card, &buffers[(i + 1) % 2], 0);

		ASSERT(blank >= 0);
		EXPECT(blank > last);
		last = blank;
	}
	EXPECT_EQ(statistic("flips") - flips, 20);
}

TEST(flips_that_do_not_wait_are_faster_than_the_monitor)
{
	struct drm_buffer buffers[2];
	struct drm_card card;

	open_drm(&card);
	for (int i = 0; i < 2; i++)
		ASSERT(!drm_buffer_make(&card, &buffers[i], 640, 480, DRM_FORMAT_XRGB8888));
	ASSERT(!drm_card_show(&card, &buffers[0], drm_card_mode(&card, 640, 480)));
	long long flips = statistic("flips"), updates = statistic("updates");

	for (int i = 0; i < 10; i++)
		ASSERT(drm_card_flip(&card, &buffers[(i + 1) % 2], DRM_MODE_PAGE_FLIP_ASYNC) >= 0);
	EXPECT_EQ(statistic("flips") - flips, 0);
	EXPECT_EQ(statistic("updates") - updates, 10);
}

static long wait_blank(int fd, unsigned int blanks)
{
	union drm_wait_vblank wait = {
		.request = { .type = _DRM_VBLANK_RELATIVE, .sequence = blanks },
	};

	return ioctl(fd, DRM_IOCTL_WAIT_VBLANK, &wait) ? -1 : (long)wait.reply.sequence;
}

TEST(vertical_blanks_are_counted_and_cost_nothing_when_nobody_waits)
{
	struct drm_buffer buffer;
	struct drm_card card;
	long first, last;

	open_drm(&card);
	ASSERT(!drm_buffer_make(&card, &buffer, 640, 480, DRM_FORMAT_XRGB8888));
	ASSERT(!drm_card_show(&card, &buffer, drm_card_mode(&card, 640, 480)));
	first = wait_blank(card.fd, 1);
	ASSERT(first >= 0);
	last = wait_blank(card.fd, 5);
	EXPECT(last - first >= 5);

	/* The count goes on while the interrupt is off. */
	long long interrupts = statistic("interrupts");

	usleep(500000);
	EXPECT(statistic("interrupts") - interrupts <= 2);
	EXPECT(wait_blank(card.fd, 1) - last >= 20);
}

TEST(small_damage_is_what_the_card_reads)
{
	const struct drm_clip_rect parts[] = { { 0, 0, 8, 8 }, { 632, 472, 640, 480 } };
	struct drm_buffer buffer;
	struct drm_card card;
	long long bytes;

	open_drm(&card);
	ASSERT(!drm_buffer_make(&card, &buffer, 640, 480, DRM_FORMAT_XRGB8888));
	ASSERT(!drm_card_show(&card, &buffer, drm_card_mode(&card, 640, 480)));
	bytes = statistic("update_bytes");
	EXPECT_OK(drm_card_dirty(&card, &buffer, parts, 2));
	EXPECT_EQ(statistic("update_bytes") - bytes, 2 * 8 * 8 * 4);
}

TEST(the_display_keeps_its_pace_while_a_file_has_the_picture)
{
	struct drm_buffer buffers[2];
	struct drm_card card;
	uint32_t frame = 0;
	int fd;

	open_drm(&card);
	for (int i = 0; i < 2; i++)
		ASSERT(!drm_buffer_make(&card, &buffers[i], 640, 480, DRM_FORMAT_XRGB8888));
	ASSERT(!drm_card_show(&card, &buffers[0], drm_card_mode(&card, 640, 480)));
	fd = open_device();
	EXPECT_OK(ioctl(fd, PROTOPCIEM_SUBMIT, &frame));
	long first = drm_card_flip(&card, &buffers[1], 0), last = first;

	for (int i = 0; i < 5; i++)
		last = drm_card_flip(&card, &buffers[i % 2], 0);
	EXPECT(first >= 0);
	EXPECT(last - first >= 5);
	close(fd);
	EXPECT(drm_card_flip(&card, &buffers[1], 0) > last);
}

TEST(cursors_have_a_size)
{
	struct drm_mode_cursor2 cursor = { .flags = DRM_MODE_CURSOR_BO, .width = 128, .height = 128 };
	struct drm_mode_create_dumb create = { .width = 128, .height = 128, .bpp = 32 };
	struct drm_buffer buffer;
	struct drm_card card;

	open_drm(&card);
	ASSERT(!drm_buffer_make(&card, &buffer, 640, 480, DRM_FORMAT_XRGB8888));
	ASSERT(!drm_card_show(&card, &buffer, drm_card_mode(&card, 640, 480)));
	ASSERT(!ioctl(card.fd, DRM_IOCTL_MODE_CREATE_DUMB, &create));
	cursor.crtc_id = card.crtc;
	cursor.handle = create.handle;
	EXPECT_ERROR(ioctl(card.fd, DRM_IOCTL_MODE_CURSOR2, &cursor), EINVAL);
	cursor.width = cursor.height = 64;
	EXPECT_OK(ioctl(card.fd, DRM_IOCTL_MODE_CURSOR2, &cursor));
}

TEST_MAIN()

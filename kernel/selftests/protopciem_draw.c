// SPDX-License-Identifier: GPL-2.0-only
/*
 * Draws with the ProtoPCIem card's driver what e2e/guest/suites/protopciem.ts then looks for.
 *
 *	frame N SEED		pattern into frame N of /dev/protopciem, submitted
 *	commands FILE		a command buffer
 *	mode W H FORMAT SEED	a dumb buffer with the pattern; FORMAT: XR24, RG16, BG24
 *	damage W H		XR24 of which two parts are drawn, of more that was changed
 *	flips W H COUNT		page flips to and fro; says how long one takes
 *	cursor W H		a cursor of 64 x 64 over black, one half red, one clear, partly outside
 *	draw			all of it without end, until the card is gone; says what it was told
 *	bench W H full|small	obeys lines: "copy N", memcpy() of as many bytes; "draw N R" pictures, R a second
 *				(0: as fast as it goes), of all or of a small part as damage; "time"
 *	font			the console's font: a character and its rows on each line
 *
 * The environment's NODE is the device, /dev/protopciem where it says nothing.
 * Says "shown" when it is, and leaves it so until its standard input ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../uapi/protopciem.h"
#include "drm_card.h"

static int fail(const char *what)
{
	printf("failed: %s: %s\n", what, strerrorname_np(errno));
	return 1;
}

static int shown(void)
{
	char byte;

	printf("shown\n");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static int open_node(void)
{
	return open(getenv("NODE") ?: "/dev/protopciem", O_RDWR);
}

static uint8_t *map_frames(int fd)
{
	return mmap(NULL, PROTOPCIEM_FRAMES * PROTOPCIEM_FRAME_SIZE, PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0);
}

static void frame_pattern(uint8_t *frame, unsigned int seed)
{
	for (unsigned int y = 0; y < PROTOPCIEM_HEIGHT; y++)
		for (unsigned int x = 0; x < PROTOPCIEM_WIDTH; x++)
			pattern_pixel(x, y, seed, frame + y * PROTOPCIEM_PITCH + x * 3);
}

static int draw_frame(uint32_t nr, unsigned int seed)
{
	int fd = open_node();
	uint8_t *frames = map_frames(fd);

	if (frames == MAP_FAILED)
		return fail("mmap");
	frame_pattern(frames + nr * PROTOPCIEM_FRAME_SIZE, seed);
	if (ioctl(fd, PROTOPCIEM_SUBMIT, &nr))
		return fail("submit");
	return shown();
}

static int draw_commands(const char *file)
{
	static uint8_t bytes[PROTOPCIEM_MAX_COMMANDS + 1];
	int from = open(file, O_RDONLY), fd = open_node();
	ssize_t length = read(from, bytes, sizeof(bytes));

	if (length < 0)
		return fail(file);
	if (write(fd, bytes, length) != length)
		return fail("write");
	return shown();
}

static int open_mode(struct drm_card *card, struct drm_buffer *buffers, unsigned int count,
		     unsigned int width, unsigned int height, uint32_t format)
{
	const struct drm_mode_modeinfo *mode;

	if (drm_card_open(card))
		return fail("open");
	mode = drm_card_mode(card, width, height);
	if (!mode) {
		errno = ENOENT;
		return fail("mode");
	}
	for (unsigned int i = 0; i < count; i++) {
		if (drm_buffer_make(card, &buffers[i], width, height, format))
			return fail("buffer");
		drm_buffer_pattern(&buffers[i], format, i);
	}
	return drm_card_show(card, &buffers[0], mode) ? fail("set mode") : 0;
}

static int draw_mode(unsigned int width, unsigned int height, const char *name, unsigned int seed)
{
	uint32_t format = fourcc_code(name[0], name[1], name[2], name[3]);
	struct drm_buffer buffer;
	struct drm_card card;

	if (open_mode(&card, &buffer, 1, width, height, format))
		return 1;
	drm_buffer_pattern(&buffer, format, seed);
	if (drm_card_dirty(&card, &buffer, NULL, 0))
		return fail("dirty");
	return shown();
}

static int draw_damage(unsigned int width, unsigned int height)
{
	const struct drm_clip_rect parts[2] = { { 10, 20, 74, 50 }, { 300, 200, 301, 201 } };
	struct drm_buffer buffer;
	struct drm_card card;

	if (open_mode(&card, &buffer, 1, width, height, DRM_FORMAT_XRGB8888))
		return 1;
	memset(buffer.pixels, 0x7f, buffer.size);
	if (drm_card_dirty(&card, &buffer, parts, 2))
		return fail("dirty");
	return shown();
}

static int draw_flips(unsigned int width, unsigned int height, int count)
{
	long first = 0, last = 0;
	struct drm_buffer buffers[2];
	struct drm_card card;
	double start = 0;

	if (open_mode(&card, buffers, 2, width, height, DRM_FORMAT_XRGB8888))
		return 1;
	for (int i = 0; i <= count; i++) {
		long blank = drm_card_flip(&card, &buffers[(i + 1) % 2], 0);

		if (blank < 0)
			return fail("flip");
		if (!i) {
			first = blank;
			start = now();
		} else if (blank <= last) {
			printf("failed: vertical blank %ld after %ld\n", blank, last);
			return 1;
		}
		last = blank;
	}
	printf("flips %d blanks %ld seconds %.4f\n", count, last - first, now() - start);
	return shown();
}

static int draw_cursor(unsigned int width, unsigned int height)
{
	struct drm_mode_cursor2 cursor = { .flags = DRM_MODE_CURSOR_BO, .width = 64, .height = 64 };
	struct drm_mode_cursor2 move = { .flags = DRM_MODE_CURSOR_MOVE };
	struct drm_mode_create_dumb create = { .width = 64, .height = 64, .bpp = 32 };
	struct drm_mode_map_dumb map = { 0 };
	struct drm_buffer buffer;
	struct drm_card card;
	uint32_t *image;

	if (open_mode(&card, &buffer, 1, width, height, DRM_FORMAT_XRGB8888))
		return 1;
	memset(buffer.pixels, 0, buffer.size);
	if (drm_card_dirty(&card, &buffer, NULL, 0))
		return fail("dirty");
	if (ioctl(card.fd, DRM_IOCTL_MODE_CREATE_DUMB, &create))
		return fail("cursor buffer");
	map.handle = create.handle;
	if (ioctl(card.fd, DRM_IOCTL_MODE_MAP_DUMB, &map))
		return fail("cursor map");
	image = mmap(NULL, create.size, PROT_READ | PROT_WRITE, MAP_SHARED, card.fd, map.offset);
	if (image == MAP_FAILED)
		return fail("cursor mmap");
	for (int i = 0; i < 64 * 64; i++)
		image[i] = i % 64 < 32 ? 0xffff0000 : 0;
	cursor.crtc_id = move.crtc_id = card.crtc;
	cursor.handle = create.handle;
	if (ioctl(card.fd, DRM_IOCTL_MODE_CURSOR2, &cursor))
		return fail("cursor");
	move.x = 100;
	move.y = -8;
	if (ioctl(card.fd, DRM_IOCTL_MODE_CURSOR2, &move))
		return fail("move");
	return shown();
}

/* Flips, damage, frames and command buffers, until that does not work any more. */
static int draw_until_gone(void)
{
	const struct protopciem_clear clear = {
		.record = { PROTOPCIEM_CLEAR, 0, sizeof(clear) }, .red = 255,
	};
	struct drm_buffer buffers[2];
	struct drm_card card;
	uint32_t frame = 0;
	pid_t child;
	int fd;

	child = fork();
	if (child) {
		if (open_mode(&card, buffers, 2, 640, 480, DRM_FORMAT_XRGB8888))
			return 1;
		printf("drawing\n");
		fflush(stdout);
		for (unsigned int i = 0;; i++) {
			if (drm_card_flip(&card, &buffers[i % 2], 0) < 0)
				break;
			if (drm_card_dirty(&card, &buffers[i % 2], NULL, 0))
				break;
		}
		printf("display: %s\n", strerrorname_np(errno));
		return 0;
	}
	fd = open_node();
	if (fd < 0)
		return fail("open");
	uint8_t *frames = map_frames(fd);

	if (frames == MAP_FAILED)
		return fail("mmap");
	for (unsigned int i = 0;; i++) {
		memset(frames, i, PROTOPCIEM_FRAME_SIZE);
		if (ioctl(fd, PROTOPCIEM_SUBMIT, &frame))
			break;
		if (write(fd, &clear, sizeof(clear)) != sizeof(clear))
			break;
	}
	printf("device: %s\n", strerrorname_np(errno));
	/* What is mapped stays so. */
	memset(frames, 0, PROTOPCIEM_FRAMES * PROTOPCIEM_FRAME_SIZE);
	printf("mapping: kept\n");
	return 0;
}

/* What e2e/bench/display.ts changes in a picture of which little changes */
#define SMALL_X		128
#define SMALL_Y		64
#define SMALL		64

/* Tiles in which changes are looked for on the way to a window */
#define TILE_WIDTH	64
#define TILE_HEIGHT	16

/* As gamePixel() of e2e/bench/display-protocol.ts */
static void draw_game(struct drm_buffer *buffer)
{
	for (unsigned int y = 0; y < buffer->height; y++) {
		uint32_t *row = (uint32_t *)(buffer->pixels + y * buffer->pitch);

		for (unsigned int x = 0; x < buffer->width; x++) {
			const uint32_t texture = (((x / 2 + y / 2 * 4099) | 1) * 0x9e3779b1) >> 25;

			row[x] = texture * 0x010101;
		}
	}
}

/* All is sent to the card; a pixel of each tile differs, so that all travels further. */
static int draw_all(struct drm_card *card, struct drm_buffer *buffer, unsigned int turn)
{
	for (unsigned int y = 0; y < buffer->height; y += TILE_HEIGHT)
		for (unsigned int x = 0; x < buffer->width; x += TILE_WIDTH)
			buffer->pixels[y * buffer->pitch + x * 4] = turn;
	return drm_card_dirty(card, buffer, NULL, 0);
}

static int draw_square(struct drm_card *card, struct drm_buffer *buffer, unsigned int turn)
{
	const struct drm_clip_rect part = { SMALL_X, SMALL_Y, SMALL_X + SMALL, SMALL_Y + SMALL };

	for (unsigned int y = SMALL_Y; y < SMALL_Y + SMALL; y++)
		memset(buffer->pixels + y * buffer->pitch + SMALL_X * 4, turn, SMALL * 4);
	return drm_card_dirty(card, buffer, &part, 1);
}

static void pace(double due)
{
	const double left = due - now();

	if (left > 0)
		usleep((useconds_t)(left * 1e6));
}

static int bench(unsigned int width, unsigned int height, bool small)
{
	struct drm_buffer buffer;
	struct drm_card card;
	unsigned int turn = 0;
	uint8_t *from, *to;
	size_t bytes;
	char line[64];

	if (open_mode(&card, &buffer, 1, width, height, DRM_FORMAT_XRGB8888))
		return 1;
	draw_game(&buffer);
	bytes = small ? SMALL * SMALL * 4 : buffer.size;
	from = malloc(bytes);
	to = malloc(bytes);
	memset(from, 1, bytes);
	memset(to, 2, bytes);
	printf("{\"bytes\":%zu}\n", bytes);
	while (fgets(line, sizeof(line), stdin)) {
		const double start = now();
		int count = 0, rate = 0;

		if (strlen(line) > 5)
			sscanf(line + 5, "%d %d", &count, &rate);

		if (!strncmp(line, "copy", 4)) {
			for (int i = 0; i < count; i++) {
				memcpy(to, from, bytes);
				__asm__ volatile("" : : "r"(to) : "memory");
			}
		} else if (!strncmp(line, "draw", 4)) {
			for (int i = 0; i < count; i++, turn++) {
				if (rate)
					pace(start + (double)i / rate);
				if (small ? draw_square(&card, &buffer, turn) :
					    draw_all(&card, &buffer, turn))
					return fail("draw");
			}
		}
		printf("{\"start\":%.6f,\"seconds\":%.6f}\n", start, now() - start);
	}
	return 0;
}

static int font(void)
{
	static uint8_t glyphs[512][32];
	struct console_font_op op = {
		.op = KD_FONT_OP_GET, .width = 32, .height = 32, .charcount = 512,
		.data = glyphs[0],
	};
	int fd = open("/dev/tty1", O_RDWR);

	if (ioctl(fd, KDFONTOP, &op))
		return fail("font");
	if (op.width != 8 || op.height != 16) {
		printf("failed: glyphs of %u x %u\n", op.width, op.height);
		return 1;
	}
	for (unsigned int c = 0; c < op.charcount && c < 512; c++) {
		printf("%02x ", c);
		for (int row = 0; row < 16; row++)
			printf("%02x", glyphs[c][row]);
		putchar('\n');
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
#define NUMBER(i) ((i) < argc ? (unsigned int)strtoul(argv[i], NULL, 0) : 0)

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(what, "frame"))
		return draw_frame(NUMBER(2), NUMBER(3));
	if (!strcmp(what, "commands") && argc == 3)
		return draw_commands(argv[2]);
	if (!strcmp(what, "mode") && argc == 6 && strlen(argv[4]) == 4)
		return draw_mode(NUMBER(2), NUMBER(3), argv[4], NUMBER(5));
	if (!strcmp(what, "damage"))
		return draw_damage(NUMBER(2), NUMBER(3));
	if (!strcmp(what, "flips"))
		return draw_flips(NUMBER(2), NUMBER(3), NUMBER(4));
	if (!strcmp(what, "cursor"))
		return draw_cursor(NUMBER(2), NUMBER(3));
	if (!strcmp(what, "draw"))
		return draw_until_gone();
	if (!strcmp(what, "bench") && argc == 5)
		return bench(NUMBER(2), NUMBER(3), !strcmp(argv[4], "small"));
	if (!strcmp(what, "font"))
		return font();
	fprintf(stderr, "see protopciem_draw.c for what there is to draw\n");
	return 2;
}

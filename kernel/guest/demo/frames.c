// SPDX-License-Identifier: MIT
/*
 * Draws through /dev/protopciem, 640 x 480, both ways that it has: command
 * buffers by write(), and whole frames in mapped memory by the submit ioctl.
 *
 *   frames [--node /dev/protopciem] [--rounds N] [--rate FRAMES-A-SECOND] [--frames | --commands]
 *
 * Without --rounds it goes on until it is ended; a round is four seconds of each
 * way. --rate 0 is as fast as it goes, and the end tells how fast that was.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../../uapi/protopciem.h"

#define WIDTH PROTOPCIEM_WIDTH
#define HEIGHT PROTOPCIEM_HEIGHT
#define FRAME_BYTES ((size_t)PROTOPCIEM_FRAME_SIZE)
#define SECONDS_EACH 4
/* Pixels, each way; its bytes are a multiple of 4 */
#define BALL 64

static volatile sig_atomic_t ended;

static void on_signal(int signal)
{
	(void)signal;
	ended = 1;
}

static void fail(const char *what)
{
	fprintf(stderr, "frames: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* Back and forth between 0 and `most`. */
static unsigned int bounce(unsigned int step, unsigned int most)
{
	unsigned int at = step % (2 * most);

	return at <= most ? at : 2 * most - at;
}

static uint8_t *add(uint8_t *at, const void *record, size_t length)
{
	memcpy(at, record, length);
	return at + length;
}

static uint8_t *clear(uint8_t *at, uint8_t red, uint8_t green, uint8_t blue)
{
	const struct protopciem_clear record = {
		.record = { .opcode = PROTOPCIEM_CLEAR, .length = sizeof(record) },
		.red = red, .green = green, .blue = blue, .alpha = 255,
	};

	return add(at, &record, sizeof(record));
}

static uint8_t *line(uint8_t *at, unsigned int x0, unsigned int y0, unsigned int x1, unsigned int y1,
		     uint8_t red, uint8_t green, uint8_t blue)
{
	const struct protopciem_draw_line record = {
		.record = { .opcode = PROTOPCIEM_DRAW_LINE, .length = sizeof(record) },
		.x0 = (uint16_t)x0, .y0 = (uint16_t)y0, .x1 = (uint16_t)x1, .y1 = (uint16_t)y1,
		.red = red, .green = green, .blue = blue, .alpha = 255,
	};

	return add(at, &record, sizeof(record));
}

/* A ball of light. */
static uint8_t *ball(uint8_t *at, unsigned int x, unsigned int y)
{
	const struct protopciem_blit_rect record = {
		.record = { .opcode = PROTOPCIEM_BLIT_RECT, .length = sizeof(record) + BALL * BALL * 3 },
		.x = (uint16_t)x, .y = (uint16_t)y, .width = BALL, .height = BALL,
	};

	at = add(at, &record, sizeof(record));
	for (int row = 0; row < BALL; row++) {
		for (int column = 0; column < BALL; column++) {
			const int dx = column - BALL / 2, dy = row - BALL / 2;
			const int far = (dx * dx + dy * dy) * 255 / (BALL * BALL / 4);
			const int light = far > 255 ? 0 : 255 - far;

			*at++ = (uint8_t)(0x10 + light * (0xff - 0x10) / 255);
			*at++ = (uint8_t)(0x14 + light * (0xa0 - 0x14) / 255);
			*at++ = (uint8_t)(0x18 + light * (0x40 - 0x18) / 255);
		}
	}
	return at;
}

static void draw_commands(int card, uint8_t *frames, unsigned int step)
{
	static uint8_t buffer[64 * 1024];
	uint8_t *at = clear(buffer, 0x10, 0x14, 0x18);
	const unsigned int x = bounce(step * 4, WIDTH - BALL), y = bounce(step * 3, HEIGHT - BALL);
	size_t length;

	(void)frames;
	for (unsigned int i = 0; i <= 16; i++) {
		at = line(at, i * (WIDTH - 1) / 16, 0, x + BALL / 2, y + BALL / 2, 0x5a, 0xa9, 0xff);
		at = line(at, i * (WIDTH - 1) / 16, HEIGHT - 1, x + BALL / 2, y + BALL / 2, 0x3d, 0xd6, 0x8c);
	}
	at = ball(at, x, y);
	length = (size_t)(at - buffer);
	if (write(card, buffer, length) != (ssize_t)length && !ended)
		fail("write");
}

static void draw_frame(int card, uint8_t *frames, unsigned int step)
{
	const uint32_t number = step & 1;
	uint8_t *at = frames + number * FRAME_BYTES;

	for (unsigned int y = 0; y < HEIGHT; y++) {
		for (unsigned int x = 0; x < WIDTH; x++) {
			*at++ = (uint8_t)(x + step * 2);
			*at++ = (uint8_t)(y + step);
			*at++ = (uint8_t)((x ^ y) - step);
		}
	}
	if (ioctl(card, PROTOPCIEM_SUBMIT, &number) && !ended)
		fail("submit");
}

static unsigned long number(const char *text, const char *name)
{
	char *end;
	const unsigned long value = strtoul(text, &end, 10);

	if (*end || end == text || value > 100000) {
		fprintf(stderr, "frames: --%s %s: a number up to 100000 is accepted\n", name, text);
		exit(2);
	}
	return value;
}

static void pace(double start, unsigned long count, unsigned long rate)
{
	const double left = start + (double)count / (double)rate - now();
	struct timespec rest = { .tv_nsec = 0 };

	if (left <= 0)
		return;
	rest.tv_sec = (time_t)left;
	rest.tv_nsec = (long)((left - (double)rest.tv_sec) * 1e9);
	nanosleep(&rest, NULL);
}

struct choice {
	const char *name;
	bool chosen;
	void (*draw)(int card, uint8_t *frames, unsigned int step);
};

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "node", required_argument, NULL, 'n' }, { "rounds", required_argument, NULL, 'r' },
		{ "rate", required_argument, NULL, 'f' }, { "commands", no_argument, NULL, 0 },
		{ "frames", no_argument, NULL, 1 }, { NULL, 0, NULL, 0 },
	};
	struct choice ways[] = { { "commands", false, draw_commands }, { "frames", false, draw_frame } };
	const char *node = "/dev/protopciem";
	unsigned long rounds = 0, rate = 30, step = 0;
	int option, card;
	uint8_t *frames;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'n': node = optarg; break;
		case 'r': rounds = number(optarg, "rounds"); break;
		case 'f': rate = number(optarg, "rate"); break;
		case 0:
		case 1: ways[option].chosen = true; break;
		default: return 2;
		}
	}
	if (!ways[0].chosen && !ways[1].chosen)
		ways[0].chosen = ways[1].chosen = true;
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	card = open(node, O_RDWR | O_CLOEXEC);
	if (card < 0)
		fail(node);
	frames = mmap(NULL, 2 * FRAME_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, card, 0);
	if (frames == MAP_FAILED)
		fail("mmap");
	for (unsigned long round = 0; !ended && (rounds == 0 || round < rounds); round++) {
		for (int way = 0; way < 2; way++) {
			const double start = now();
			unsigned long count = 0;

			if (!ways[way].chosen)
				continue;
			while (!ended && now() - start < SECONDS_EACH) {
				ways[way].draw(card, frames, (unsigned int)step++);
				count++;
				if (rate)
					pace(start, count, rate);
			}
			if (!rate && count)
				printf("{\"way\":\"%s\",\"framesPerSecond\":%.1f}\n", ways[way].name,
				       (double)count / (now() - start));
		}
	}
	munmap(frames, 2 * FRAME_BYTES);
	close(card);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ACCESSORS_SHARED_H
#define ACCESSORS_SHARED_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
#endif

/**
 * struct scenario - a piece of driver code that touches a BAR
 * @name: what it uses
 * @run: @bar has BAR_BYTES bytes, @buffer BUFFER_BYTES of ordinary memory, @x is arbitrary
 */
struct scenario {
	const char *name;
	u64 (*run)(volatile void *bar, u8 *buffer, u64 x);
};

#define BAR_BYTES	16384
#define BUFFER_BYTES	16384

/* accessors_shared.c, compiled once for each level of optimisation, and as the kernel is */
extern const struct scenario scenarios_O1[], scenarios_O2[], scenarios_Os[], scenarios_O3[],
	scenarios_kernel[];

/* What both sides fill memory with, so that neither has to hand it to the other */
static inline void scenario_fill(u8 *p, size_t bytes, u64 seed)
{
	size_t i;

	seed = seed * 0x9e3779b97f4a7c15ULL | 1;
	for (i = 0; i < bytes; i++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		p[i] = seed >> 24;
	}
}

#endif /* ACCESSORS_SHARED_H */

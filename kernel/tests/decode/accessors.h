/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ACCESSORS_H
#define ACCESSORS_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct scenario - a piece of driver code that touches a BAR
 * @name: what it uses
 * @run: @bar has BAR_BYTES bytes, @buffer BUFFER_BYTES of ordinary memory, @x is arbitrary
 */
struct scenario {
	const char *name;
	uint64_t (*run)(volatile void *bar, uint8_t *buffer, uint64_t x);
};

#define BAR_BYTES	16384
#define BUFFER_BYTES	16384

/* accessors.c, compiled once for each level of optimisation */
extern const struct scenario scenarios_O1[], scenarios_O2[], scenarios_Os[], scenarios_O3[];

#endif /* ACCESSORS_H */

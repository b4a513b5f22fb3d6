/* SPDX-License-Identifier: GPL-2.0-only */
/* xorshift64*: the same sequence on every run, so that a failure can be repeated. */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdint.h>
#include <stdlib.h>

static uint64_t random_state = 0x9e3779b97f4a7c15ULL;

/* PCIEM_SEED=n in the environment picks another sequence */
static inline void random_seed(void)
{
	const char *seed = getenv("PCIEM_SEED");

	if (seed)
		random_state ^= strtoull(seed, NULL, 0) * 0xbf58476d1ce4e5b9ULL;
}

static inline uint64_t random_u64(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dULL;
}

static inline uint64_t random_below(uint64_t limit)
{
	return (random_u64() >> 11) % limit;
}

/* Values at the edges of each width are where flags go wrong */
static inline uint64_t random_value(void)
{
	static const uint64_t edges[] = {
		0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000,
		0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffffffff,
		0x8000000000000000, 0xffffffffffffffff, 0xffffffff80000000,
	};

	if (random_below(3))
		return random_u64();
	return edges[random_below(sizeof(edges) / sizeof(edges[0]))];
}

#endif /* RANDOM_H */

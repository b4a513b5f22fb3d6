// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bytes that are no instruction, or only the start of one. Built with the
 * address and undefined-behaviour sanitisers: the input ends where its heap
 * block ends, so that one byte read too far ends the test.
 */
#include <string.h>

#include "../../decode_x86.h"
#include "check.h"
#include "random.h"

static bool sane(const struct pciem_insn *insn, size_t available)
{
	bool vector = insn->kind == PCIEM_INSN_VEC_LOAD || insn->kind == PCIEM_INSN_VEC_STORE;

	if (insn->kind < PCIEM_INSN_LOAD || insn->kind > PCIEM_INSN_VEC_STORE)
		return false;
	if (!insn->length || insn->length > available || insn->length > PCIEM_INSN_MAX_LENGTH)
		return false;
	if (insn->size != 1 && insn->size != 2 && insn->size != 4 && insn->size != 8 &&
	    !(vector && (insn->size == 16 || insn->size == 32)))
		return false;
	if (insn->reg != PCIEM_REG_NONE && insn->reg > 15)
		return false;
	if (insn->base != PCIEM_REG_NONE && insn->base > 15)
		return false;
	if (insn->index != PCIEM_REG_NONE && insn->index > 15)
		return false;
	return insn->scale < 4 && insn->alu_op < 16 && insn->segment <= PCIEM_SEG_GS &&
	       (insn->addr_size == 4 || insn->addr_size == 8);
}

static int any_read(void *ctx, unsigned int size, u64 *value)
{
	(void)ctx;
	(void)size;
	*value = random_u64();
	return 0;
}

/* A byte beyond the access must be clear, or the handler would have to mask it */
static int any_write(void *ctx, unsigned int size, u64 value)
{
	if (size < 8 && value >> (8 * size))
		*(bool *)ctx = true;
	return 0;
}

static const struct pciem_insn_ops any_ops = { .read = any_read, .write = any_write };

/* Bytes that make decoding go deep more often than chance would */
static u8 likely_byte(unsigned int position)
{
	static const u8 starts[] = {
		0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x64, 0x65, 0x2e, 0x40, 0x48, 0x4f, 0x0f, 0xc4, 0xc5,
		0x62, 0x38, 0x3a, 0x8b, 0x89, 0xc7, 0x81, 0xf7, 0xa4, 0xa5, 0xaa, 0xa3, 0xba,
	};

	if (position < 4 && random_below(2))
		return starts[random_below(sizeof(starts))];
	return random_u64() >> 13;
}

static void random_bytes(unsigned long rounds)
{
	unsigned long decoded = 0, wrong = 0, longer = 0, unstable = 0;
	bool dirty = false;

	while (rounds--) {
		size_t available = random_below(20), i;
		u8 *bytes = malloc(available ? available : 1);
		struct pciem_insn insn, shorter;
		int ret;

		for (i = 0; i < available; i++)
			bytes[i] = likely_byte(i);
		if (!available) {
			free(bytes);
			bytes = NULL;
		}
		memset(&insn, 0xa5, sizeof(insn));
		ret = pciem_decode_insn(bytes, available, &insn);
		if (insn.length > available || insn.length > PCIEM_INSN_MAX_LENGTH)
			longer++;
		if (!ret) {
			struct pciem_insn_regs regs;

			decoded++;
			if (!sane(&insn, available))
				wrong++;
			/* What follows the instruction does not matter, and nothing less will do */
			if (pciem_decode_insn(bytes, insn.length, &shorter) ||
			    memcmp(&insn, &shorter, sizeof(insn)) ||
			    !pciem_decode_insn(bytes, insn.length - 1, &shorter) || shorter.length)
				unstable++;
			for (i = 0; i < 16; i++)
				regs.gpr[i] = random_value();
			regs.ip = random_value();
			regs.flags = random_u64();
			regs.fs_base = random_value();
			regs.gs_base = random_value();
			pciem_insn_address(&insn, &regs, random_below(2));
			pciem_execute_insn(&insn, &regs, &any_ops, &dirty);
			if (insn.kind >= PCIEM_INSN_MOVS && insn.kind <= PCIEM_INSN_CMPS) {
				u64 run = pciem_string_run(&insn, &regs, random_value(), 4096);

				if (run > 4096 || run > pciem_string_count(&insn, &regs))
					wrong++;
				pciem_string_advance(&insn, &regs, run);
			}
		} else if (ret != -EINVAL || insn.kind) {
			wrong++;
		}
		free(bytes);
	}
	check(!longer, "random bytes: no length beyond the input");
	check(!wrong, "random bytes: %lu decoded, every field in range", decoded);
	check(!unstable, "random bytes: the length is neither more nor less than what is needed");
	check(!dirty, "random bytes: a write carries no bits beyond its size");
}

static void refused(const char *what, const char *bytes, size_t count, unsigned int length)
{
	struct pciem_insn insn;
	int ret = pciem_decode_insn((const u8 *)bytes, count, &insn);

	check(ret == -EINVAL && insn.length == length, "refused: %s", what);
}

static void understood(const char *what, const char *bytes, size_t count, unsigned int kind,
		       unsigned int size, unsigned int reg)
{
	struct pciem_insn insn;
	int ret = pciem_decode_insn((const u8 *)bytes, count, &insn);

	check(!ret && insn.length == count && insn.kind == kind && insn.size == size &&
	      insn.reg == reg, "understood: %s", what);
}

int main(int argc, char **argv)
{
	random_seed();
	random_bytes(argc > 1 ? strtoul(argv[1], NULL, 0) : 2000000);

	refused("nothing", NULL, 0, 0);
	refused("prefixes alone", "\x66\x48", 2, 0);
	refused("15 prefixes", "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x8b", 16, 0);
	refused("16 bytes", "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\xc6\x03\x01", 16, 0);
	refused("a register operand", "\x8b\xc3", 2, 2);
	refused("push of memory", "\xff\x33", 2, 2);
	refused("a call through memory", "\xff\x13", 2, 2);
	refused("lea", "\x48\x8d\x03", 3, 3);
	refused("mov of a segment register", "\x8c\x03", 2, 2);
	refused("lock mov", "\xf0\x89\x03", 3, 3);
	refused("lock cmp", "\xf0\x39\x03", 3, 3);
	refused("lock add to a register", "\xf0\x03\x03", 3, 3);
	refused("lock bt", "\xf0\x0f\xa3\x03", 4, 4);
	refused("c6 with another extension", "\xc6\x0b\x01", 3, 3);
	refused("a bound, invalid in 64-bit mode", "\x62", 1, 0);
	refused("an x87 store", "\xd9\x1b", 2, 2);
	refused("mov to a control register", "\x0f\x22\x03", 3, 3);
	refused("cmpxchg16b", "\x48\x0f\xc7\x0b", 4, 4);
	refused("crc32", "\xf2\x0f\x38\xf1\x03", 5, 5);
	refused("an EVEX move, its length known", "\x62\xf1\x7c\x48\x10\x03", 6, 6);
	refused("VEX after a REX prefix", "\x48\xc5\xf8\x10\x03", 5, 0);
	refused("vmovups with a second source", "\xc5\xf0\x10\x03", 4, 4);
	refused("vmovd of 256 bits", "\xc5\xfd\x6e\x03", 4, 4);

	understood("REX before another prefix counts for nothing", "\x4c\x66\x8b\x03", 4,
		   PCIEM_INSN_LOAD, 2, 0);
	understood("REX twice, the last counts", "\x4c\x48\x8b\x03", 4, PCIEM_INSN_LOAD, 8, 0);
	understood("REX.W wins over 66", "\x66\x48\x8b\x03", 4, PCIEM_INSN_LOAD, 8, 0);
	understood("the last of F2 and F3", "\xf3\xf2\xae", 3, PCIEM_INSN_SCAS, 1, 0);
	understood("TEST by its other encoding", "\xf7\x0b\x78\x56\x34\x12", 6, PCIEM_INSN_TEST, 4,
		   PCIEM_REG_NONE);
	understood("15 bytes", "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\xc6\x03\x01", 15,
		   PCIEM_INSN_STORE, 1, PCIEM_REG_NONE);
	return check_exit();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The decoder and executor against this CPU: each instruction runs natively on
 * one page of memory, and through pciem_decode_insn() and pciem_execute_insn()
 * on a copy, with random registers, flags, memory and addressing. Registers,
 * defined flags, memory, address and length must agree.
 *
 * The encodings are made here, from templates, not by the decoder.
 */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <cpuid.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../decode_x86.h"
#include "check.h"
#include "random.h"

#define PAGE		4096
#define DATA_SIZE	(4 * PAGE)
#define CODE_BASE	0x20000000UL	/* low, so that 32-bit addresses reach it */
#define DATA_BASE	0x20010000UL
#define ALL_FLAGS	(PCIEM_FLAG_CF | PCIEM_FLAG_PF | PCIEM_FLAG_AF | PCIEM_FLAG_ZF | \
			 PCIEM_FLAG_SF | PCIEM_FLAG_OF)
#define LOGIC_FLAGS	(ALL_FLAGS & ~PCIEM_FLAG_AF)
#define BIT_FLAGS	(PCIEM_FLAG_CF | PCIEM_FLAG_ZF)

struct native_state {
	u64 gpr[16];
	u64 flags;
};

extern struct native_state native_in, native_out;
extern void *native_code;
void run_native(void);
void run_native_back(void);

enum immediate { NO_IMM, IMM8, IMM_WORD };

enum {
	BYTE = 1,	/* 8-bit */
	NO16 = 2,
	NO64 = 4,
	SIZED = 8,	/* one operand size alone: no 66, no REX.W */
	MOFFS = 16,	/* no ModRM, the address itself */
	LOCKS = 32,	/* a LOCK prefix is allowed */
	CLEARS = 64,	/* 8-bit memory operand without a register: REX is free */
	MOVBE_CPU = 128,
	DIRECT_CPU = 256,
	BIT_REG = 512,	/* a bit number in a register moves the address */
};

struct template {
	const char *name;
	u8 opcode[4];		/* ends before the first zero but for a leading one */
	u8 opcode_length;
	s8 extension;		/* ModRM.reg, or -1 for a register operand */
	u8 immediate;		/* enum immediate */
	u16 how;
	u64 flags;		/* defined after it; others are not compared */
};

#define ALU_ROW(text, base, ext, locks, defined)						\
	{ text " m8, r8", { base }, 1, -1, NO_IMM, BYTE | locks, defined },			\
	{ text " m, r", { base + 1 }, 1, -1, NO_IMM, locks, defined },				\
	{ text " r8, m8", { base + 2 }, 1, -1, NO_IMM, BYTE, defined },				\
	{ text " r, m", { base + 3 }, 1, -1, NO_IMM, 0, defined },				\
	{ text " m8, imm8", { 0x80 }, 1, ext, IMM8, BYTE | locks, defined },			\
	{ text " m, imm", { 0x81 }, 1, ext, IMM_WORD, locks, defined },				\
	{ text " m, imm8", { 0x83 }, 1, ext, IMM8, locks, defined }

#define CONDITION(text, code)									\
	{ "set" text " m8", { 0x0f, 0x90 + code }, 2, 0, NO_IMM, BYTE, ALL_FLAGS },		\
	{ "cmov" text " r, m", { 0x0f, 0x40 + code }, 2, -1, NO_IMM, 0, ALL_FLAGS }

static const struct template templates[] = {
	{ "mov m8, r8", { 0x88 }, 1, -1, NO_IMM, BYTE, ALL_FLAGS },
	{ "mov m, r", { 0x89 }, 1, -1, NO_IMM, 0, ALL_FLAGS },
	{ "mov r8, m8", { 0x8a }, 1, -1, NO_IMM, BYTE, ALL_FLAGS },
	{ "mov r, m", { 0x8b }, 1, -1, NO_IMM, 0, ALL_FLAGS },
	{ "mov m8, imm8", { 0xc6 }, 1, 0, IMM8, BYTE, ALL_FLAGS },
	{ "mov m, imm", { 0xc7 }, 1, 0, IMM_WORD, 0, ALL_FLAGS },
	{ "mov al, moffs", { 0xa0 }, 1, -1, NO_IMM, BYTE | MOFFS, ALL_FLAGS },
	{ "mov rax, moffs", { 0xa1 }, 1, -1, NO_IMM, MOFFS, ALL_FLAGS },
	{ "mov moffs, al", { 0xa2 }, 1, -1, NO_IMM, BYTE | MOFFS, ALL_FLAGS },
	{ "mov moffs, rax", { 0xa3 }, 1, -1, NO_IMM, MOFFS, ALL_FLAGS },
	{ "movzx r, m8", { 0x0f, 0xb6 }, 2, -1, NO_IMM, 0, ALL_FLAGS },
	{ "movzx r, m16", { 0x0f, 0xb7 }, 2, -1, NO_IMM, 0, ALL_FLAGS },
	{ "movsx r, m8", { 0x0f, 0xbe }, 2, -1, NO_IMM, 0, ALL_FLAGS },
	{ "movsx r, m16", { 0x0f, 0xbf }, 2, -1, NO_IMM, 0, ALL_FLAGS },
	{ "movsxd r, m", { 0x63 }, 1, -1, NO_IMM, 0, ALL_FLAGS },
	{ "movnti m, r", { 0x0f, 0xc3 }, 2, -1, NO_IMM, NO16, ALL_FLAGS },
	{ "movbe r, m", { 0x0f, 0x38, 0xf0 }, 3, -1, NO_IMM, MOVBE_CPU, ALL_FLAGS },
	{ "movbe m, r", { 0x0f, 0x38, 0xf1 }, 3, -1, NO_IMM, MOVBE_CPU, ALL_FLAGS },
	{ "movdiri m, r", { 0x0f, 0x38, 0xf9 }, 3, -1, NO_IMM, NO16 | DIRECT_CPU, ALL_FLAGS },
	{ "xchg m8, r8", { 0x86 }, 1, -1, NO_IMM, BYTE | LOCKS, ALL_FLAGS },
	{ "xchg m, r", { 0x87 }, 1, -1, NO_IMM, LOCKS, ALL_FLAGS },
	ALU_ROW("add", 0x00, 0, LOCKS, ALL_FLAGS),
	ALU_ROW("or", 0x08, 1, LOCKS, LOGIC_FLAGS),
	ALU_ROW("adc", 0x10, 2, LOCKS, ALL_FLAGS),
	ALU_ROW("sbb", 0x18, 3, LOCKS, ALL_FLAGS),
	ALU_ROW("and", 0x20, 4, LOCKS, LOGIC_FLAGS),
	ALU_ROW("sub", 0x28, 5, LOCKS, ALL_FLAGS),
	ALU_ROW("xor", 0x30, 6, LOCKS, LOGIC_FLAGS),
	ALU_ROW("cmp", 0x38, 7, 0, ALL_FLAGS),
	{ "test m8, r8", { 0x84 }, 1, -1, NO_IMM, BYTE, LOGIC_FLAGS },
	{ "test m, r", { 0x85 }, 1, -1, NO_IMM, 0, LOGIC_FLAGS },
	{ "test m8, imm8", { 0xf6 }, 1, 0, IMM8, BYTE, LOGIC_FLAGS },
	{ "test m, imm", { 0xf7 }, 1, 0, IMM_WORD, 0, LOGIC_FLAGS },
	{ "not m8", { 0xf6 }, 1, 2, NO_IMM, BYTE | LOCKS, ALL_FLAGS },
	{ "not m", { 0xf7 }, 1, 2, NO_IMM, LOCKS, ALL_FLAGS },
	{ "neg m8", { 0xf6 }, 1, 3, NO_IMM, BYTE | LOCKS, ALL_FLAGS },
	{ "neg m", { 0xf7 }, 1, 3, NO_IMM, LOCKS, ALL_FLAGS },
	{ "inc m8", { 0xfe }, 1, 0, NO_IMM, BYTE | LOCKS, ALL_FLAGS },
	{ "inc m", { 0xff }, 1, 0, NO_IMM, LOCKS, ALL_FLAGS },
	{ "dec m8", { 0xfe }, 1, 1, NO_IMM, BYTE | LOCKS, ALL_FLAGS },
	{ "dec m", { 0xff }, 1, 1, NO_IMM, LOCKS, ALL_FLAGS },
	{ "xadd m8, r8", { 0x0f, 0xc0 }, 2, -1, NO_IMM, BYTE | LOCKS, ALL_FLAGS },
	{ "xadd m, r", { 0x0f, 0xc1 }, 2, -1, NO_IMM, LOCKS, ALL_FLAGS },
	{ "cmpxchg m8, r8", { 0x0f, 0xb0 }, 2, -1, NO_IMM, BYTE | LOCKS, ALL_FLAGS },
	{ "cmpxchg m, r", { 0x0f, 0xb1 }, 2, -1, NO_IMM, LOCKS, ALL_FLAGS },
	{ "cmpxchg8b m", { 0x0f, 0xc7 }, 2, 1, NO_IMM, SIZED | LOCKS, ALL_FLAGS },
	{ "bt m, r", { 0x0f, 0xa3 }, 2, -1, NO_IMM, BIT_REG, BIT_FLAGS },
	{ "bts m, r", { 0x0f, 0xab }, 2, -1, NO_IMM, BIT_REG | LOCKS, BIT_FLAGS },
	{ "btr m, r", { 0x0f, 0xb3 }, 2, -1, NO_IMM, BIT_REG | LOCKS, BIT_FLAGS },
	{ "btc m, r", { 0x0f, 0xbb }, 2, -1, NO_IMM, BIT_REG | LOCKS, BIT_FLAGS },
	{ "bt m, imm8", { 0x0f, 0xba }, 2, 4, IMM8, 0, BIT_FLAGS },
	{ "bts m, imm8", { 0x0f, 0xba }, 2, 5, IMM8, LOCKS, BIT_FLAGS },
	{ "btr m, imm8", { 0x0f, 0xba }, 2, 6, IMM8, LOCKS, BIT_FLAGS },
	{ "btc m, imm8", { 0x0f, 0xba }, 2, 7, IMM8, LOCKS, BIT_FLAGS },
	CONDITION("o", 0), CONDITION("no", 1), CONDITION("b", 2), CONDITION("ae", 3),
	CONDITION("e", 4), CONDITION("ne", 5), CONDITION("be", 6), CONDITION("a", 7),
	CONDITION("s", 8), CONDITION("ns", 9), CONDITION("p", 10), CONDITION("np", 11),
	CONDITION("l", 12), CONDITION("ge", 13), CONDITION("le", 14), CONDITION("g", 15),
};

static u8 *code, *data;
static u8 before[DATA_SIZE], model[DATA_SIZE];
static bool cpu_movbe, cpu_direct;
static u64 fs_base, gs_base;

/* What the executor's callbacks work on */
struct access {
	u64 address;
	unsigned int reads, writes;
};

static int model_read(void *ctx, unsigned int size, u64 *value)
{
	struct access *access = ctx;

	*value = 0;
	memcpy(value, model + (access->address - DATA_BASE), size);
	access->reads++;
	return 0;
}

static int model_write(void *ctx, unsigned int size, u64 value)
{
	struct access *access = ctx;

	memcpy(model + (access->address - DATA_BASE), &value, size);
	access->writes++;
	return 0;
}

static const struct pciem_insn_ops model_ops = { .read = model_read, .write = model_write };

struct encoding {
	u8 bytes[32];
	unsigned int length;
};

static void put(struct encoding *e, u64 value, unsigned int count)
{
	while (count--) {
		e->bytes[e->length++] = value;
		value >>= 8;
	}
}

static void random_registers(u64 *gpr)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		gpr[i] = random_value();
}

/*
 * One random encoding of @t whose memory operand lies inside the data pages;
 * @gpr is adjusted to make it so. False when the draw cannot be made to fit.
 */
static bool encode(const struct template *t, struct encoding *e, u64 *gpr)
{
	u64 target = DATA_BASE + PAGE + random_below(DATA_SIZE - 2 * PAGE);
	bool moffs = t->how & MOFFS, byte = t->how & BYTE;
	bool opsize = !(t->how & (NO16 | SIZED)) && !byte && !random_below(3);
	bool addr32 = !random_below(8);
	unsigned int segment = random_below(8);		/* 0 FS, 1 GS, 2 to 4 null ones */
	u64 segment_base = segment == 0 ? fs_base : segment == 1 ? gs_base : 0;
	u8 rex = random_below(2) ? 0x40 | random_below(16) : 0;
	unsigned int reg = t->extension >= 0 ? (unsigned int)t->extension : random_below(8);
	u8 modrm, sib = 0, form = random_below(9);
	bool has_sib = false;
	unsigned int disp_size = 0, base = 16, index = 16, rip_at = 0, operand = 16, size;
	u64 disp = 0;

	memset(e, 0, sizeof(*e));
	if (t->how & SIZED || (t->how & NO64))
		rex &= ~8;
	if (t->extension < 0 && !moffs)
		operand = reg | (rex & 4 ? 8 : 0);
	/* RSP and RBP as 8-bit registers are AH.. without REX: any operand is fine then */
	size = byte ? 1 : rex & 8 ? 8 : opsize ? 2 : 4;

	if (t->how & LOCKS && !random_below(4))
		put(e, 0xf0, 1);
	if (segment < 5)
		put(e, (const u8[]){ 0x64, 0x65, 0x2e, 0x3e, 0x26 }[segment], 1);
	if (opsize)
		put(e, 0x66, 1);
	if (addr32)
		put(e, 0x67, 1);
	if (rex)
		put(e, rex, 1);
	memcpy(e->bytes + e->length, t->opcode, t->opcode_length);
	e->length += t->opcode_length;

	/* A 32-bit address is cut before the segment base is added */
	target -= segment_base;
	if (addr32 && target >> 32)
		return false;

	if (moffs) {
		put(e, target, addr32 ? 4 : 8);
		return true;
	}

	modrm = reg << 3;
	switch (form) {
	case 0:		/* [RIP + disp32] */
		modrm |= 5;
		disp_size = 4;
		rip_at = 1;
		break;
	case 1:		/* [disp32] */
		modrm |= 4;
		sib = 0x25 | random_below(4) << 6;
		if (rex & 2)
			return false;	/* R12 would be an index */
		has_sib = true;
		disp_size = 4;
		disp = target;
		if ((u64)(s64)(s32)disp != target)
			return false;
		break;
	case 2 ... 4:	/* [base + disp] */
		disp_size = form == 2 ? 0 : form == 3 ? 1 : 4;
		modrm |= random_below(8) | (disp_size == 1 ? 0x40 : disp_size == 4 ? 0x80 : 0);
		if ((modrm & 7) == 4 || ((modrm & 7) == 5 && !disp_size))
			return false;
		base = (modrm & 7) | (rex & 1 ? 8 : 0);
		break;
	default:	/* SIB */
		disp_size = form == 5 ? 0 : form == 6 ? 1 : 4;
		modrm |= 4 | (disp_size == 1 ? 0x40 : disp_size == 4 ? 0x80 : 0);
		sib = random_below(256);
		has_sib = true;
		index = ((sib >> 3) & 7) | (rex & 2 ? 8 : 0);
		if (index == 4)
			index = 16;
		if ((sib & 7) == 5 && !disp_size)
			disp_size = 4;	/* no base */
		else
			base = (sib & 7) | (rex & 1 ? 8 : 0);
		break;
	}

	/* The address registers are chosen to fit, so the operand may not be one of them */
	if (operand < 16 && byte && !rex && operand >= 4 && operand - 4 == base)
		return false;
	if (operand == base && t->how & BIT_REG)
		return false;
	if (base < 16 && base == index)
		return false;
	if (t->how & BIT_REG && index == operand)
		return false;

	if (t->how & BIT_REG) {
		/* Bit numbers around the operand, with noise above the operand's size */
		u64 number = random_below(16000) - 8000;

		gpr[operand] = size == 8 ? number :
			       (random_u64() << (8 * size)) | (number & ((1ULL << (8 * size)) - 1));
		target = DATA_BASE + 2 * PAGE - segment_base;
		if (addr32 && target >> 32)
			return false;
	}

	if (disp_size == 1)
		disp = (s8)random_u64();
	else if (disp_size == 4 && form != 1)
		disp = (s32)random_value();

	if (form == 0) {
		unsigned int after = t->immediate == IMM8 ? 1 : t->immediate == NO_IMM ? 0 :
				     size == 2 ? 2 : 4;

		disp = target - (CODE_BASE + e->length + 5 + after);
		if ((u64)(s64)(s32)disp != disp)
			return false;
	} else if (base < 16) {
		gpr[base] = target - disp - (index < 16 ? gpr[index] << (sib >> 6) : 0);
		if (addr32 && random_below(2))
			gpr[base] += random_u64() << 32;
		if (index < 16 && base == index)
			return false;
	} else if (index < 16) {
		/* No base: the scaled index is all there is */
		disp = (s32)(random_u64() << (sib >> 6));
		if ((target - disp) & ((1ULL << (sib >> 6)) - 1))
			disp += (target - disp) & ((1ULL << (sib >> 6)) - 1);
		if ((u64)(s64)(s32)disp != disp)
			return false;
		gpr[index] = (s64)(target - disp) >> (sib >> 6);
		if (index == operand && t->how & BIT_REG)
			return false;
	} else if (form != 1) {
		disp = target;
		if ((u64)(s64)(s32)disp != target)
			return false;
	}

	if (rip_at && addr32 && (target >> 32 || CODE_BASE >> 32))
		return false;
	put(e, modrm, 1);
	if (has_sib)
		put(e, sib, 1);
	put(e, disp, disp_size);
	if (t->immediate == IMM8)
		put(e, random_value(), 1);
	else if (t->immediate == IMM_WORD)
		put(e, random_value(), size == 2 ? 2 : 4);
	return e->length <= PCIEM_INSN_MAX_LENGTH;
}

static void install(const struct encoding *e)
{
	u64 back = (u64)run_native_back;

	memcpy(code, e->bytes, e->length);
	memcpy(code + e->length, "\xff\x25\0\0\0\0", 6);	/* jmp *(next eight bytes) */
	memcpy(code + e->length + 6, &back, 8);
	native_code = code;
}

static void describe(const struct template *t, const struct encoding *e, const char *what)
{
	unsigned int i;

	printf("# %s: %s differs:", t->name, what);
	for (i = 0; i < e->length; i++)
		printf(" %02x", e->bytes[i]);
	putchar('\n');
}

static bool run_case(const struct template *t, struct encoding *e)
{
	struct pciem_insn_regs regs = { .ip = CODE_BASE, .fs_base = fs_base, .gs_base = gs_base };
	struct access access = { 0 };
	struct pciem_insn insn;
	unsigned int i;
	u64 random[DATA_SIZE / 8];

	memcpy(regs.gpr, native_in.gpr, sizeof(regs.gpr));
	regs.flags = native_in.flags;
	for (i = 0; i < DATA_SIZE / 8; i++)
		random[i] = random_value();
	memcpy(before, random, DATA_SIZE);

	if (pciem_decode_insn(e->bytes, e->length, &insn)) {
		describe(t, e, "decoding");
		return false;
	}
	if (insn.length != e->length) {
		describe(t, e, "length");
		return false;
	}
	access.address = pciem_insn_address(&insn, &regs, false);
	if (access.address < DATA_BASE || access.address + insn.size > DATA_BASE + DATA_SIZE) {
		describe(t, e, "address");
		return false;
	}
	/* A comparison that succeeds is rare by chance */
	if (insn.kind == PCIEM_INSN_CMPXCHG && random_below(2) && insn.base != 0 && insn.index != 0)
		memcpy(before + (access.address - DATA_BASE), regs.gpr, insn.size);
	if (insn.kind == PCIEM_INSN_CMPXCHG8B && random_below(2)) {
		memcpy(before + (access.address - DATA_BASE), &regs.gpr[0], 4);
		memcpy(before + (access.address - DATA_BASE) + 4, &regs.gpr[2], 4);
	}
	memcpy(data, before, DATA_SIZE);
	memcpy(model, before, DATA_SIZE);

	if (pciem_execute_insn(&insn, &regs, &model_ops, &access)) {
		describe(t, e, "execution");
		return false;
	}
	install(e);
	run_native();

	if (regs.ip != CODE_BASE + e->length || access.reads > 1 || access.writes > 1) {
		describe(t, e, "instruction pointer or number of accesses");
		return false;
	}
	for (i = 0; i < 16; i++) {
		if (regs.gpr[i] != native_out.gpr[i]) {
			describe(t, e, "register");
			printf("# register %u: in %016lx cpu %016lx model %016lx\n", i,
			       native_in.gpr[i], native_out.gpr[i], regs.gpr[i]);
			return false;
		}
	}
	if ((regs.flags ^ native_out.flags) & t->flags) {
		describe(t, e, "flags");
		printf("# in %lx cpu %lx model %lx\n", native_in.flags, native_out.flags,
		       regs.flags);
		return false;
	}
	if ((regs.flags ^ native_in.flags) & ~ALL_FLAGS) {
		describe(t, e, "a flag that is not arithmetic");
		return false;
	}
	if (memcmp(data, model, DATA_SIZE)) {
		describe(t, e, "memory");
		return false;
	}
	return true;
}

static u64 random_flags(void)
{
	return 0x202 | (random_u64() & ALL_FLAGS);
}

static void test_template(const struct template *t, unsigned int cases)
{
	unsigned int done = 0, failed = 0;

	if ((t->how & MOVBE_CPU && !cpu_movbe) || (t->how & DIRECT_CPU && !cpu_direct)) {
		printf("# %s: this CPU does not have it\n", t->name);
		return;
	}
	while (done < cases) {
		struct encoding e;

		random_registers(native_in.gpr);
		native_in.flags = random_flags();
		if (!encode(t, &e, native_in.gpr))
			continue;
		done++;
		if (!run_case(t, &e) && ++failed == 3)
			break;
	}
	check(!failed, "%s: %u random cases", t->name, done);
}

/* A whole string instruction by the helpers, page by page as a fault handler would */
static bool model_string(const struct pciem_insn *insn, struct pciem_insn_regs *regs)
{
	u64 ip = regs->ip, guard = 0;

	if (!pciem_string_count(insn, regs)) {
		regs->ip += insn->length;
		return true;
	}
	while (regs->ip == ip && guard++ < 100000) {
		u64 to = pciem_insn_address(insn, regs, true);
		u64 from = pciem_insn_address(insn, regs, false);
		bool compares = insn->kind == PCIEM_INSN_CMPS || insn->kind == PCIEM_INSN_SCAS;
		u64 run = compares ? 1 : pciem_string_run(insn, regs, to, PAGE);
		u64 other = pciem_string_run(insn, regs, from, PAGE);
		u64 left = 0, right = 0, i;
		s64 step = regs->flags & PCIEM_FLAG_DF ? -insn->size : insn->size;

		if (!run)
			return false;
		if (other < run)
			run = other;
		for (i = 0; i < run; i++, to += step, from += step) {
			if (to < DATA_BASE || to + insn->size > DATA_BASE + DATA_SIZE ||
			    from < DATA_BASE || from + insn->size > DATA_BASE + DATA_SIZE)
				return false;
			memcpy(&left, model + (from - DATA_BASE), insn->size);
			memcpy(&right, model + (to - DATA_BASE), insn->size);
			switch (insn->kind) {
			case PCIEM_INSN_MOVS:
				memcpy(model + (to - DATA_BASE), &left, insn->size);
				break;
			case PCIEM_INSN_STOS:
				left = pciem_string_store(insn, regs);
				memcpy(model + (to - DATA_BASE), &left, insn->size);
				break;
			case PCIEM_INSN_LODS:
				pciem_string_load(insn, regs, left);
				break;
			case PCIEM_INSN_SCAS:
				left = pciem_string_store(insn, regs);
				pciem_string_compare(insn, regs, left, right);
				break;
			default:
				pciem_string_compare(insn, regs, left, right);
			}
		}
		pciem_string_advance(insn, regs, run);
	}
	return regs->ip == ip + insn->length;
}

static void test_string(const char *name, u8 opcode, u8 prefix, unsigned int cases)
{
	struct template t = { .name = name };
	unsigned int done, failed = 0, i;

	for (done = 0; done < cases && failed < 3; done++) {
		struct pciem_insn_regs regs = { .ip = CODE_BASE };
		bool addr32 = !random_below(4), word = opcode & 1;
		unsigned int kind = random_below(3), size = !word ? 1 : kind == 0 ? 2 :
				    kind == 1 ? 4 : 8;
		u64 count = random_below(prefix ? 700 : 4);
		struct encoding e = { .length = 0 };
		struct pciem_insn insn;
		bool same = true;

		if (size == 2)
			put(&e, 0x66, 1);
		if (addr32)
			put(&e, 0x67, 1);
		if (prefix)
			put(&e, prefix, 1);
		if (size == 8)
			put(&e, 0x48, 1);
		put(&e, opcode, 1);

		random_registers(native_in.gpr);
		native_in.flags = random_flags() | (random_below(2) ? PCIEM_FLAG_DF : 0);
		/* In the middle, so that 700 elements of 8 bytes fit on either side */
		native_in.gpr[6] = DATA_BASE + 2 * PAGE + random_below(2048) - 1024;
		native_in.gpr[7] = DATA_BASE + 2 * PAGE + random_below(2048) - 1024;
		native_in.gpr[1] = count;
		if (addr32 && count) {
			native_in.gpr[1] |= random_u64() << 32;
			native_in.gpr[6] |= random_u64() << 32;
			native_in.gpr[7] |= random_u64() << 32;
		}
		/* Mostly equal bytes, for comparisons that go on for a while */
		for (i = 0; i < DATA_SIZE; i++)
			before[i] = random_below(300) ? 0x55 : random_u64();
		if (random_below(2))
			native_in.gpr[0] = 0x5555555555555555;
		memcpy(data, before, DATA_SIZE);
		memcpy(model, before, DATA_SIZE);
		memcpy(regs.gpr, native_in.gpr, sizeof(regs.gpr));
		regs.flags = native_in.flags;

		if (pciem_decode_insn(e.bytes, e.length, &insn) || insn.length != e.length ||
		    insn.size != size || !model_string(&insn, &regs)) {
			describe(&t, &e, "decoding or run");
			failed++;
			continue;
		}
		install(&e);
		run_native();
		for (i = 0; i < 16; i++)
			if (regs.gpr[i] != native_out.gpr[i]) {
				printf("# register %u: in %016lx cpu %016lx model %016lx\n", i,
				       native_in.gpr[i], native_out.gpr[i], regs.gpr[i]);
				same = false;
			}
		if ((regs.flags ^ native_out.flags) & (ALL_FLAGS | PCIEM_FLAG_DF))
			same = false;
		if (!same || memcmp(data, model, DATA_SIZE)) {
			describe(&t, &e, "registers, flags or memory");
			failed++;
		}
	}
	check(!failed, "%s: %u random cases", name, done);
}

/* A refused access changes nothing, so that the fault handler may retry or give up */
static int refuse_read(void *ctx, unsigned int size, u64 *value)
{
	(void)ctx;
	(void)size;
	*value = 0x1234;
	return -EAGAIN;
}

static int refuse_write(void *ctx, unsigned int size, u64 value)
{
	(void)ctx;
	(void)size;
	(void)value;
	return -EIO;
}

static void test_refusals(void)
{
	static const struct {
		const char *name;
		u8 bytes[4];
		unsigned int length;
	} rows[] = {
		{ "load", { 0x8b, 0x03 }, 2 },
		{ "store", { 0x89, 0x03 }, 2 },
		{ "add to memory", { 0x01, 0x03 }, 2 },
		{ "xchg", { 0x87, 0x03 }, 2 },
		{ "xadd", { 0x0f, 0xc1, 0x03 }, 3 },
		{ "cmpxchg", { 0x0f, 0xb1, 0x0b }, 3 },
	};
	static const struct pciem_insn_ops no_read = { refuse_read, model_write };
	static const struct pciem_insn_ops no_write = { model_read, refuse_write };
	unsigned int i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pciem_insn_regs regs = { .gpr = { 1, 2, 3, DATA_BASE, 5 }, .ip = 7, .flags = 2 };
		struct pciem_insn_regs kept = regs;
		struct access access = { .address = DATA_BASE };
		struct pciem_insn insn;
		bool reads = i != 1, writes = i != 0;

		pciem_decode_insn(rows[i].bytes, rows[i].length, &insn);
		if (reads)
			check(pciem_execute_insn(&insn, &regs, &no_read, &access) == -EAGAIN &&
			      !memcmp(&regs, &kept, sizeof(regs)),
			      "%s: a refused read changes no register", rows[i].name);
		if (writes)
			check(pciem_execute_insn(&insn, &regs, &no_write, &access) == -EIO &&
			      !memcmp(&regs, &kept, sizeof(regs)),
			      "%s: a refused write changes no register", rows[i].name);
	}
}

static void test_not_carried_out(void)
{
	static const u8 movs[] = { 0xf3, 0xa4 }, movups[] = { 0x0f, 0x10, 0x03 };
	struct pciem_insn_regs regs = { 0 };
	struct pciem_insn insn;

	pciem_decode_insn(movs, sizeof(movs), &insn);
	check(pciem_execute_insn(&insn, &regs, &model_ops, NULL) == -EOPNOTSUPP,
	      "a string instruction is left to its helpers");
	pciem_decode_insn(movups, sizeof(movups), &insn);
	check(pciem_execute_insn(&insn, &regs, &model_ops, NULL) == -EOPNOTSUPP,
	      "a vector move is left to the caller");
}

int main(int argc, char **argv)
{
	unsigned int cases = argc > 1 ? atoi(argv[1]) : 2000, a, b, c, d;
	size_t i;

	random_seed();
	__cpuid(1, a, b, c, d);
	cpu_movbe = c & (1 << 22);
	__cpuid_count(7, 0, a, b, c, d);
	cpu_direct = c & (1 << 27);

	code = mmap((void *)CODE_BASE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	data = mmap((void *)DATA_BASE, DATA_SIZE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (code == MAP_FAILED || data == MAP_FAILED) {
		check(false, "memory at the addresses that the encodings need");
		return 1;
	}
	gs_base = 0x12345000;
	syscall(SYS_arch_prctl, ARCH_SET_GS, gs_base);
	syscall(SYS_arch_prctl, ARCH_GET_FS, &fs_base);

	for (i = 0; i < sizeof(templates) / sizeof(templates[0]); i++)
		test_template(&templates[i], cases);

	test_string("movs", 0xa4, 0, cases);
	test_string("movs word", 0xa5, 0, cases);
	test_string("rep movs", 0xa4, 0xf3, cases);
	test_string("rep movs word", 0xa5, 0xf3, cases);
	test_string("repne movs word", 0xa5, 0xf2, cases);
	test_string("rep stos", 0xaa, 0xf3, cases);
	test_string("rep stos word", 0xab, 0xf3, cases);
	test_string("stos word", 0xab, 0, cases);
	test_string("rep lods", 0xac, 0xf3, cases);
	test_string("rep lods word", 0xad, 0xf3, cases);
	test_string("scas word", 0xaf, 0, cases);
	test_string("repe scas", 0xae, 0xf3, cases);
	test_string("repne scas word", 0xaf, 0xf2, cases);
	test_string("cmps word", 0xa7, 0, cases);
	test_string("repe cmps", 0xa6, 0xf3, cases);
	test_string("repne cmps word", 0xa7, 0xf2, cases);
	test_refusals();
	test_not_carried_out();
	return check_exit();
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Decoding and carrying out of x86-64 instructions that touched trapped memory.
 *
 * Pure functions: no locks, no allocation, no globals but constant tables, so
 * they may be called in any context. Built into the module and, for the tests
 * in tests/decode, into ordinary programs.
 */
#ifndef _PCIEM_DECODE_X86_H
#define _PCIEM_DECODE_X86_H

#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/types.h>
#else
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifndef fallthrough
#define fallthrough __attribute__((__fallthrough__))
#endif
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;
#endif

/* The longest instruction that an x86 CPU accepts */
#define PCIEM_INSN_MAX_LENGTH	15

/* pciem_insn.base, .index, .reg when there is none */
#define PCIEM_REG_NONE		0xff

/**
 * enum pciem_insn_kind - what an instruction does with its memory operand
 * @PCIEM_INSN_INVALID: not decoded
 * @PCIEM_INSN_LOAD: register = memory
 * @PCIEM_INSN_STORE: memory = register or immediate
 * @PCIEM_INSN_ALU: register = register op memory
 * @PCIEM_INSN_RMW: memory = memory op register or immediate (or op memory)
 * @PCIEM_INSN_CMP: flags from memory - operand, or from register - memory (mem_is_source)
 * @PCIEM_INSN_TEST: flags from memory & operand
 * @PCIEM_INSN_XCHG: memory and register swapped
 * @PCIEM_INSN_XADD: memory += register, register = old memory
 * @PCIEM_INSN_CMPXCHG: if accumulator == memory, memory = register
 * @PCIEM_INSN_CMPXCHG8B: the same with EDX:EAX and ECX:EBX
 * @PCIEM_INSN_BIT: BT, BTS, BTR, BTC
 * @PCIEM_INSN_SETCC: memory = condition ? 1 : 0
 * @PCIEM_INSN_CMOV: register = memory if the condition holds; always reads
 * @PCIEM_INSN_MOVS: string move; one of the two sides trapped
 * @PCIEM_INSN_STOS: string store of the accumulator to RDI
 * @PCIEM_INSN_LODS: string load of the accumulator from RSI
 * @PCIEM_INSN_SCAS: accumulator compared with memory at RDI
 * @PCIEM_INSN_CMPS: memory at RSI compared with memory at RDI
 * @PCIEM_INSN_VEC_LOAD: XMM or YMM register @reg = memory of @size bytes
 * @PCIEM_INSN_VEC_STORE: the reverse
 *
 * pciem_execute_insn() carries out all up to PCIEM_INSN_CMOV.
 */
enum pciem_insn_kind {
	PCIEM_INSN_INVALID = 0,
	PCIEM_INSN_LOAD,
	PCIEM_INSN_STORE,
	PCIEM_INSN_ALU,
	PCIEM_INSN_RMW,
	PCIEM_INSN_CMP,
	PCIEM_INSN_TEST,
	PCIEM_INSN_XCHG,
	PCIEM_INSN_XADD,
	PCIEM_INSN_CMPXCHG,
	PCIEM_INSN_CMPXCHG8B,
	PCIEM_INSN_BIT,
	PCIEM_INSN_SETCC,
	PCIEM_INSN_CMOV,
	PCIEM_INSN_MOVS,
	PCIEM_INSN_STOS,
	PCIEM_INSN_LODS,
	PCIEM_INSN_SCAS,
	PCIEM_INSN_CMPS,
	PCIEM_INSN_VEC_LOAD,
	PCIEM_INSN_VEC_STORE,
};

/* pciem_insn.alu_op; the first eight are in the order of the opcode map */
enum pciem_alu_op {
	PCIEM_ALU_ADD = 0,
	PCIEM_ALU_OR,
	PCIEM_ALU_ADC,
	PCIEM_ALU_SBB,
	PCIEM_ALU_AND,
	PCIEM_ALU_SUB,
	PCIEM_ALU_XOR,
	PCIEM_ALU_CMP,
	PCIEM_ALU_INC,
	PCIEM_ALU_DEC,
	PCIEM_ALU_NOT,
	PCIEM_ALU_NEG,
	PCIEM_ALU_BT,
	PCIEM_ALU_BTS,
	PCIEM_ALU_BTR,
	PCIEM_ALU_BTC,
};

/* pciem_insn.segment */
enum pciem_segment {
	PCIEM_SEG_NONE = 0,	/* base 0 in 64-bit mode, whatever the prefix says */
	PCIEM_SEG_FS,
	PCIEM_SEG_GS,
};

/**
 * struct pciem_insn - a decoded instruction
 * @kind: enum pciem_insn_kind
 * @length: bytes of the whole instruction; 0 when it could not be told
 * @size: bytes of one memory access: 1, 2, 4 or 8; also 16 and 32 for VEC kinds
 * @reg: the other operand's register in hardware order (RAX RCX RDX RBX RSP RBP RSI RDI
 *	R8..R15), or PCIEM_REG_NONE; with @high_byte the register that holds it (AH is 0 here)
 * @reg_size: bytes of that operand: larger than @size for MOVZX, MOVSX, MOVSXD
 * @alu_op: enum pciem_alu_op, or the condition code 0 to 15 of SETCC and CMOV
 * @addr_size: 8, or 4 after a 67 prefix: bits of RSI, RDI and RCX that count
 * @base: register, or PCIEM_REG_NONE
 * @index: register, or PCIEM_REG_NONE
 * @scale: shift of @index, 0 to 3
 * @segment: enum pciem_segment
 * @rip_relative: @disp counts from the end of the instruction
 * @has_imm: the operand is @imm
 * @sign_extend: memory is sign-extended to @reg_size
 * @byte_swap: MOVBE
 * @high_byte: @reg is AH, CH, DH or BH
 * @mem_is_source: CMP and CMPS: memory is subtracted from the register
 * @locked: LOCK prefix, or XCHG
 * @rep: REP (either prefix) before MOVS, STOS, LODS; REPE before SCAS, CMPS
 * @repne: REPNE before SCAS or CMPS
 * @vex: VEC kinds: VEX-encoded, so a load clears the register above @size; without it
 *	bits from 128 up are kept
 * @disp: displacement, sign-extended; or the whole address (A0 to A3)
 * @imm: immediate, sign-extended to 64 bits
 */
struct pciem_insn {
	u8 kind;
	u8 length;
	u8 size;
	u8 reg;
	u8 reg_size;
	u8 alu_op;
	u8 addr_size;
	u8 base;
	u8 index;
	u8 scale;
	u8 segment;
	bool rip_relative;
	bool has_imm;
	bool sign_extend;
	bool byte_swap;
	bool high_byte;
	bool mem_is_source;
	bool locked;
	bool rep;
	bool repne;
	bool vex;
	s64 disp;
	s64 imm;
};

/**
 * pciem_decode_insn() - decode one instruction of 64-bit mode
 * @bytes: the instruction
 * @available: bytes that may be read
 * @out: result; @out->length is set on failure too when it could be told
 *
 * Return: 0, or -EINVAL for what has no memory operand, is not known, or is
 * cut short by @available.
 */
int pciem_decode_insn(const u8 *bytes, size_t available, struct pciem_insn *out);

/* RFLAGS */
#define PCIEM_FLAG_CF		0x001UL
#define PCIEM_FLAG_PF		0x004UL
#define PCIEM_FLAG_AF		0x010UL
#define PCIEM_FLAG_ZF		0x040UL
#define PCIEM_FLAG_SF		0x080UL
#define PCIEM_FLAG_DF		0x400UL
#define PCIEM_FLAG_OF		0x800UL

/**
 * struct pciem_insn_regs - the registers of the trapped context
 * @gpr: RAX RCX RDX RBX RSP RBP RSI RDI R8..R15
 * @ip: address of the instruction; pciem_execute_insn() adds its length
 * @flags: RFLAGS
 * @fs_base: base of FS, read for FS-relative addresses alone
 * @gs_base: base of GS
 */
struct pciem_insn_regs {
	u64 gpr[16];
	u64 ip;
	u64 flags;
	u64 fs_base;
	u64 gs_base;
};

/**
 * struct pciem_insn_ops - how pciem_execute_insn() reaches the memory operand
 * @read: fetch @size bytes (1, 2, 4 or 8), zero-extended
 * @write: store the low @size bytes of @value
 *
 * Each returns 0 or a negative errno, which ends the instruction with no
 * register changed. An instruction calls each at most once, read before write.
 */
struct pciem_insn_ops {
	int (*read)(void *ctx, unsigned int size, u64 *value);
	int (*write)(void *ctx, unsigned int size, u64 value);
};

/**
 * pciem_execute_insn() - carry out a decoded instruction that is no string or vector one
 * @insn: from pciem_decode_insn()
 * @regs: changed as the CPU would; undefined flags are left as they were
 * @ops: memory
 * @ctx: passed to @ops
 *
 * Return: 0, -EOPNOTSUPP for string and vector kinds, or what @ops returned.
 */
int pciem_execute_insn(const struct pciem_insn *insn, struct pciem_insn_regs *regs,
		       const struct pciem_insn_ops *ops, void *ctx);

/**
 * pciem_insn_address() - linear address of the memory operand
 * @insn: from pciem_decode_insn()
 * @regs: before the instruction
 * @dest: MOVS and CMPS have two operands: true for the one at RDI
 */
u64 pciem_insn_address(const struct pciem_insn *insn, const struct pciem_insn_regs *regs,
		       bool dest);

/**
 * pciem_string_count() - elements left for a string instruction
 * @insn: a string instruction
 * @regs: for RCX
 *
 * Return: RCX (ECX after a 67 prefix) when repeated, else 1.
 */
u64 pciem_string_count(const struct pciem_insn *insn, const struct pciem_insn_regs *regs);

/**
 * pciem_string_run() - how many elements, from the one at @address on, lie in one page
 * @insn: a string instruction
 * @regs: for RCX and DF
 * @address: first element, on the side in question
 * @page_size: power of two
 *
 * Return: at least 1 when any element is left, even when the first straddles the page; 0 when none.
 */
u64 pciem_string_run(const struct pciem_insn *insn, const struct pciem_insn_regs *regs,
		     u64 address, u64 page_size);

/**
 * pciem_string_advance() - account for finished elements, as the CPU does between two
 * @insn: a string instruction
 * @regs: RSI, RDI and RCX are moved on; IP too once nothing is left to do
 * @done: elements; for SCAS and CMPS 1, after pciem_string_compare()
 *
 * With IP where it was the instruction may be resumed.
 */
void pciem_string_advance(const struct pciem_insn *insn, struct pciem_insn_regs *regs, u64 done);

/**
 * pciem_string_store() - STOS: the element that the accumulator holds
 * @insn: a STOS, or a SCAS for the left side of its comparison
 * @regs: for RAX
 */
u64 pciem_string_store(const struct pciem_insn *insn, const struct pciem_insn_regs *regs);

/**
 * pciem_string_load() - LODS: put an element into the accumulator
 * @insn: a LODS
 * @regs: RAX is changed
 * @value: the element
 */
void pciem_string_load(const struct pciem_insn *insn, struct pciem_insn_regs *regs, u64 value);

/**
 * pciem_string_compare() - SCAS and CMPS: flags of one element
 * @insn: the instruction
 * @regs: flags are changed
 * @left: the accumulator or the element at RSI
 * @right: the element at RDI
 *
 * Return: whether a repetition goes on after this element (RCX aside).
 */
bool pciem_string_compare(const struct pciem_insn *insn, struct pciem_insn_regs *regs,
			  u64 left, u64 right);

#endif /* _PCIEM_DECODE_X86_H */

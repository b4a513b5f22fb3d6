// SPDX-License-Identifier: GPL-2.0-only
/*
 * x86-64 instruction decoder and executor for trapped memory accesses.
 *
 * The length is told for the whole opcode map, so that an instruction that is
 * not carried out can still be named or skipped; the operation only for what
 * reads or writes memory with general registers, for string instructions, and
 * for plain vector moves. Opcode numbers: Intel SDM volume 2, appendix A.
 *
 * Context: any. Nothing here sleeps, locks or allocates.
 */
#include "decode_x86.h"

#define REX_W	0x8
#define REX_R	0x4
#define REX_X	0x2
#define REX_B	0x1

enum opcode_map {
	MAP_ONE = 0,	/* one byte */
	MAP_0F = 1,
	MAP_0F38 = 2,
	MAP_0F3A = 3,
	MAP_EVEX5 = 5,	/* half precision */
	MAP_EVEX6 = 6,
};

/* In the order of VEX.pp */
enum simd_prefix { SIMD_NONE, SIMD_66, SIMD_F3, SIMD_F2 };

/* Everything read from the bytes, before it is given a meaning */
struct parse {
	const u8 *bytes;
	unsigned int limit;	/* bytes that may be read, at most 15 */
	unsigned int at;
	bool short_of_bytes;

	bool opsize;		/* 66 */
	bool lock;
	u8 rep;			/* the last of F2 and F3, or 0 */
	bool has_rex;
	u8 rex;
	bool vex;
	bool evex;
	bool vector_long;	/* VEX.L */
	u8 vvvv;
	u8 simd;		/* enum simd_prefix */

	u8 map;
	u8 opcode;
	bool has_modrm;
	u8 mod;
	u8 modrm_reg;		/* without REX.R: an opcode extension */
	u8 rm;
};

static u64 fetch(struct parse *p, unsigned int count)
{
	u64 value = 0;
	unsigned int i;

	if (p->short_of_bytes || p->limit - p->at < count) {
		p->short_of_bytes = true;
		return 0;
	}
	for (i = 0; i < count; i++)
		value |= (u64)p->bytes[p->at + i] << (8 * i);
	p->at += count;
	return value;
}

static s64 sign_extend(u64 value, unsigned int size)
{
	switch (size) {
	case 1:
		return (s8)value;
	case 2:
		return (s16)value;
	case 4:
		return (s32)value;
	default:
		return (s64)value;
	}
}

static s64 fetch_signed(struct parse *p, unsigned int count)
{
	return sign_extend(fetch(p, count), count);
}

/* Bytes of a 16, 32 or 64-bit operand */
static unsigned int operand_size(const struct parse *p)
{
	if (p->rex & REX_W)
		return 8;
	return p->opsize ? 2 : 4;
}

/* Opcodes with an even number work on bytes, the odd ones beside them on words */
static unsigned int byte_or_operand_size(const struct parse *p)
{
	return p->opcode & 1 ? operand_size(p) : 1;
}

static bool opcode_has_modrm(const struct parse *p)
{
	u8 op = p->opcode;

	if (p->map == MAP_ONE) {
		switch (op) {
		case 0x00 ... 0x3f:
			return (op & 7) < 4;
		case 0x63:
		case 0x69:
		case 0x6b:
		case 0x80 ... 0x8f:
		case 0xc0:
		case 0xc1:
		case 0xc6:
		case 0xc7:
		case 0xd0 ... 0xd3:
		case 0xd8 ... 0xdf:
		case 0xf6:
		case 0xf7:
		case 0xfe:
		case 0xff:
			return true;
		default:
			return false;
		}
	}
	if (p->map != MAP_0F || p->evex)
		return true;
	switch (op) {
	case 0x05 ... 0x09:
	case 0x0b:
	case 0x0e:
	case 0x30 ... 0x35:
	case 0x37:
	case 0x77:
	case 0x80 ... 0x8f:
	case 0xa0 ... 0xa2:
	case 0xa8 ... 0xaa:
	case 0xc8 ... 0xcf:
		return false;
	default:
		return true;
	}
}

/* Opcodes that 64-bit mode does not have, or whose length is not known here */
static bool opcode_invalid(const struct parse *p)
{
	u8 op = p->opcode;

	switch (p->map) {
	case MAP_ONE:
		switch (op) {
		case 0x00 ... 0x3f:
			return (op & 7) >= 6;
		case 0x60 ... 0x62:
		case 0x82:
		case 0x9a:
		case 0xce:
		case 0xd4 ... 0xd6:
		case 0xea:
			return true;
		default:
			return false;
		}
	case MAP_0F:
		switch (op) {
		case 0x04:
		case 0x0a:
		case 0x0c:
		case 0x24 ... 0x27:
		case 0x36:
		case 0x39:
		case 0x3b ... 0x3f:
		case 0xa6:
		case 0xa7:
			return true;
		case 0x78 ... 0x7b:	/* SSE4a has immediates here, EVEX has none */
			return !p->evex;
		default:
			return false;
		}
	case MAP_0F38:
	case MAP_0F3A:
		return false;
	case MAP_EVEX5:
	case MAP_EVEX6:
		return !p->evex;
	default:
		return true;
	}
}

/* Bytes of the immediate, once ModRM is known */
static unsigned int immediate_size(const struct parse *p)
{
	u8 op = p->opcode;
	unsigned int word = p->opsize && !(p->rex & REX_W) ? 2 : 4;

	if (p->map == MAP_0F3A)
		return 1;
	if (p->map == MAP_0F) {
		switch (op) {
		case 0x0f:
		case 0x70 ... 0x73:
		case 0xa4:
		case 0xac:
		case 0xba:
		case 0xc2:
		case 0xc4 ... 0xc6:
			return 1;
		case 0x80 ... 0x8f:
			return 4;
		default:
			return 0;
		}
	}
	if (p->map != MAP_ONE)
		return 0;
	switch (op) {
	case 0x00 ... 0x3f:
		return (op & 7) == 4 ? 1 : (op & 7) == 5 ? word : 0;
	case 0x6a:
	case 0x6b:
	case 0x70 ... 0x7f:
	case 0x80:
	case 0x83:
	case 0xa8:
	case 0xb0 ... 0xb7:
	case 0xc0:
	case 0xc1:
	case 0xc6:
	case 0xcd:
	case 0xe0 ... 0xe7:
	case 0xeb:
		return 1;
	case 0x68:
	case 0x69:
	case 0x81:
	case 0xa9:
	case 0xc7:
		return word;
	case 0xb8 ... 0xbf:
		return p->rex & REX_W ? 8 : word;
	case 0xc2:
	case 0xca:
		return 2;
	case 0xc8:
		return 3;
	case 0xe8:
	case 0xe9:
		return 4;
	case 0xf6:
		return p->modrm_reg < 2 ? 1 : 0;
	case 0xf7:
		return p->modrm_reg < 2 ? word : 0;
	default:
		return 0;
	}
}

static void parse_prefixes(struct parse *p, struct pciem_insn *insn)
{
	for (;;) {
		u8 byte = fetch(p, 1);

		if (p->short_of_bytes)
			return;
		switch (byte) {
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:	/* ES, CS, SS, DS: base 0 */
			break;
		case 0x64:
			insn->segment = PCIEM_SEG_FS;
			break;
		case 0x65:
			insn->segment = PCIEM_SEG_GS;
			break;
		case 0x66:
			p->opsize = true;
			break;
		case 0x67:
			insn->addr_size = 4;
			break;
		case 0xf0:
			p->lock = true;
			break;
		case 0xf2:
		case 0xf3:
			p->rep = byte;
			break;
		case 0x40 ... 0x4f:
			p->has_rex = true;
			p->rex = byte & 0xf;
			continue;
		default:
			p->at--;
			return;
		}
		/* REX counts only as the last prefix */
		p->has_rex = false;
		p->rex = 0;
	}
}

/* VEX and EVEX hold the prefixes, the map and the REX bits, most of them inverted */
static void parse_vex(struct parse *p, u8 first)
{
	u8 a, b = 0, last;

	p->vex = true;
	p->map = MAP_0F;
	a = fetch(p, 1);
	p->rex = (a & 0x80) ? 0 : REX_R;
	last = a;
	if (first != 0xc5) {
		p->rex |= (a & 0x40) ? 0 : REX_X;
		p->rex |= (a & 0x20) ? 0 : REX_B;
		p->map = a & (first == 0x62 ? 0x7 : 0x1f);
		b = fetch(p, 1);
		p->rex |= (b & 0x80) ? REX_W : 0;
		last = b;
	}
	p->simd = last & 3;
	p->vvvv = ~(last >> 3) & 0xf;
	p->vector_long = last & 4;
	if (first == 0x62) {
		p->evex = true;
		fetch(p, 1);
	}
	if (!p->map)
		p->map = 0xff;	/* reserved */
}

static void parse_opcode(struct parse *p)
{
	u8 byte = fetch(p, 1);

	p->simd = p->rep == 0xf3 ? SIMD_F3 : p->rep == 0xf2 ? SIMD_F2 :
		  p->opsize ? SIMD_66 : SIMD_NONE;
	if (byte == 0xc4 || byte == 0xc5 || byte == 0x62) {
		if (p->opsize || p->rep || p->lock || p->has_rex) {
			p->map = 0xff;	/* #UD */
			return;
		}
		parse_vex(p, byte);
		p->opcode = fetch(p, 1);
		return;
	}
	if (byte == 0x0f) {
		p->map = MAP_0F;
		byte = fetch(p, 1);
		if (byte == 0x38 || byte == 0x3a) {
			p->map = byte == 0x38 ? MAP_0F38 : MAP_0F3A;
			byte = fetch(p, 1);
		}
	}
	p->opcode = byte;
}

static void parse_modrm(struct parse *p, struct pciem_insn *insn)
{
	u8 modrm = fetch(p, 1);
	u8 base_bit = p->rex & REX_B ? 8 : 0;

	p->has_modrm = true;
	p->mod = modrm >> 6;
	p->modrm_reg = (modrm >> 3) & 7;
	p->rm = modrm & 7;

	/* Moves to and from control and debug registers take no memory, whatever mod says */
	if (p->map == MAP_0F && !p->vex && p->opcode >= 0x20 && p->opcode <= 0x23)
		p->mod = 3;
	if (p->mod == 3)
		return;

	if (p->rm == 4) {
		u8 sib = fetch(p, 1);
		u8 index = ((sib >> 3) & 7) | (p->rex & REX_X ? 8 : 0);

		if (index != 4) {
			insn->index = index;
			insn->scale = sib >> 6;
		}
		if ((sib & 7) == 5 && p->mod == 0)
			insn->disp = fetch_signed(p, 4);
		else
			insn->base = (sib & 7) | base_bit;
	} else if (p->rm == 5 && p->mod == 0) {
		insn->rip_relative = true;
		insn->disp = fetch_signed(p, 4);
	} else {
		insn->base = p->rm | base_bit;
	}
	if (p->mod == 1)
		insn->disp = fetch_signed(p, 1);
	else if (p->mod == 2)
		insn->disp = fetch_signed(p, 4);
}

static void set_reg(const struct parse *p, struct pciem_insn *insn, unsigned int size)
{
	insn->reg = p->modrm_reg | (p->rex & REX_R ? 8 : 0);
	insn->reg_size = size;
	if (size == 1 && !p->has_rex && insn->reg >= 4) {
		insn->reg -= 4;
		insn->high_byte = true;
	}
}

/* kind with equally wide memory and register */
static int with_reg(const struct parse *p, struct pciem_insn *insn, u8 kind, unsigned int size)
{
	insn->kind = kind;
	insn->size = size;
	set_reg(p, insn, size);
	return 0;
}

static int with_imm(struct pciem_insn *insn, u8 kind, unsigned int size)
{
	insn->kind = kind;
	insn->size = size;
	insn->reg_size = size;
	insn->has_imm = true;
	return 0;
}

static int alu_with_reg(const struct parse *p, struct pciem_insn *insn)
{
	unsigned int size = byte_or_operand_size(p);
	bool to_reg = p->opcode & 2;

	insn->alu_op = p->opcode >> 3;
	if (insn->alu_op == PCIEM_ALU_CMP) {
		insn->mem_is_source = to_reg;
		return with_reg(p, insn, PCIEM_INSN_CMP, size);
	}
	return with_reg(p, insn, to_reg ? PCIEM_INSN_ALU : PCIEM_INSN_RMW, size);
}

static int string_insn(const struct parse *p, struct pciem_insn *insn)
{
	static const u8 kinds[] = {
		PCIEM_INSN_MOVS, PCIEM_INSN_CMPS, 0, PCIEM_INSN_STOS,
		PCIEM_INSN_LODS, PCIEM_INSN_SCAS,
	};
	bool compares;

	insn->kind = kinds[(p->opcode - 0xa4) / 2];
	insn->size = byte_or_operand_size(p);
	compares = insn->kind == PCIEM_INSN_CMPS || insn->kind == PCIEM_INSN_SCAS;
	insn->rep = p->rep == 0xf3 || (p->rep && !compares);
	insn->repne = p->rep == 0xf2 && compares;
	insn->mem_is_source = compares;
	if (insn->kind != PCIEM_INSN_MOVS && insn->kind != PCIEM_INSN_CMPS) {
		insn->reg = 0;
		insn->reg_size = insn->size;
	}
	return 0;
}

static int classify_one(const struct parse *p, struct pciem_insn *insn)
{
	unsigned int size = byte_or_operand_size(p);
	u8 op = p->opcode;

	switch (op) {
	case 0xa0 ... 0xa3:
		insn->kind = op < 0xa2 ? PCIEM_INSN_LOAD : PCIEM_INSN_STORE;
		insn->size = size;
		insn->reg = 0;
		insn->reg_size = size;
		return 0;
	case 0xa4 ... 0xa7:
	case 0xaa ... 0xaf:
		return string_insn(p, insn);
	}

	if (!p->has_modrm || p->mod == 3)
		return -EINVAL;

	switch (op) {
	case 0x00 ... 0x3f:
		return alu_with_reg(p, insn);
	case 0x63:
		size = operand_size(p);
		insn->kind = PCIEM_INSN_LOAD;
		insn->size = size == 8 ? 4 : size;
		insn->sign_extend = true;
		set_reg(p, insn, size);
		return 0;
	case 0x80:
	case 0x81:
	case 0x83:
		insn->alu_op = p->modrm_reg;
		return with_imm(insn, p->modrm_reg == PCIEM_ALU_CMP ? PCIEM_INSN_CMP :
				PCIEM_INSN_RMW, size);
	case 0x84:
	case 0x85:
		return with_reg(p, insn, PCIEM_INSN_TEST, size);
	case 0x86:
	case 0x87:
		return with_reg(p, insn, PCIEM_INSN_XCHG, size);
	case 0x88:
	case 0x89:
		return with_reg(p, insn, PCIEM_INSN_STORE, size);
	case 0x8a:
	case 0x8b:
		return with_reg(p, insn, PCIEM_INSN_LOAD, size);
	case 0xc6:
	case 0xc7:
		if (p->modrm_reg)
			return -EINVAL;
		return with_imm(insn, PCIEM_INSN_STORE, size);
	case 0xf6:
	case 0xf7:
		if (p->modrm_reg < 2)
			return with_imm(insn, PCIEM_INSN_TEST, size);
		if (p->modrm_reg > 3)
			return -EINVAL;
		insn->kind = PCIEM_INSN_RMW;
		insn->size = size;
		insn->alu_op = p->modrm_reg == 2 ? PCIEM_ALU_NOT : PCIEM_ALU_NEG;
		return 0;
	case 0xfe:
	case 0xff:
		if (p->modrm_reg > 1)
			return -EINVAL;
		insn->kind = PCIEM_INSN_RMW;
		insn->size = size;
		insn->alu_op = p->modrm_reg ? PCIEM_ALU_DEC : PCIEM_ALU_INC;
		return 0;
	default:
		return -EINVAL;
	}
}

/* MOVZX and MOVSX; the odd opcode takes a 16-bit source */
static int extending_load(const struct parse *p, struct pciem_insn *insn, bool sign)
{
	insn->kind = PCIEM_INSN_LOAD;
	insn->size = p->opcode & 1 ? 2 : 1;
	insn->sign_extend = sign;
	set_reg(p, insn, operand_size(p));
	return 0;
}

static int vector_move(const struct parse *p, struct pciem_insn *insn, bool store,
		       unsigned int size)
{
	if (p->evex || (p->vex && (p->vvvv || (p->vector_long && size < 16))))
		return -EINVAL;
	insn->kind = store ? PCIEM_INSN_VEC_STORE : PCIEM_INSN_VEC_LOAD;
	insn->size = size == 16 && p->vector_long ? 32 : size;
	insn->vex = p->vex;
	insn->reg = p->modrm_reg | (p->rex & REX_R ? 8 : 0);
	insn->reg_size = insn->vex && p->vector_long ? 32 : 16;
	return 0;
}

/* Moves between memory and XMM or YMM that touch no other part of the register */
static int classify_vector(const struct parse *p, struct pciem_insn *insn)
{
	bool store = false;

	if (p->map == MAP_0F38) {
		if (p->opcode != 0x2a || p->simd != SIMD_66)
			return -EINVAL;
		return vector_move(p, insn, false, 16);		/* MOVNTDQA */
	}
	if (p->map != MAP_0F)
		return -EINVAL;
	switch (p->opcode) {
	case 0x11:
		store = true;
		fallthrough;
	case 0x10:						/* MOVUPS MOVUPD MOVSS MOVSD */
		return vector_move(p, insn, store, p->simd == SIMD_F3 ? 4 :
				   p->simd == SIMD_F2 ? 8 : 16);
	case 0x29:
	case 0x2b:						/* MOVNTPS, MOVNTPD */
		store = true;
		fallthrough;
	case 0x28:						/* MOVAPS, MOVAPD */
		if (p->simd == SIMD_F3 || p->simd == SIMD_F2)
			return -EINVAL;
		return vector_move(p, insn, store, 16);
	case 0x7f:
		store = true;
		fallthrough;
	case 0x6f:						/* MOVDQA, MOVDQU */
		if (p->simd != SIMD_66 && p->simd != SIMD_F3)
			return -EINVAL;
		return vector_move(p, insn, store, 16);
	case 0x7e:
		if (p->simd == SIMD_F3)				/* MOVQ from memory */
			return vector_move(p, insn, false, 8);
		store = true;
		fallthrough;
	case 0x6e:						/* MOVD, MOVQ */
		if (p->simd != SIMD_66)
			return -EINVAL;
		return vector_move(p, insn, store, p->rex & REX_W ? 8 : 4);
	case 0xd6:						/* MOVQ to memory */
		if (p->simd != SIMD_66)
			return -EINVAL;
		return vector_move(p, insn, true, 8);
	case 0xe7:						/* MOVNTDQ */
		if (p->simd != SIMD_66)
			return -EINVAL;
		return vector_move(p, insn, true, 16);
	case 0xf0:						/* LDDQU */
		if (p->simd != SIMD_F2)
			return -EINVAL;
		return vector_move(p, insn, false, 16);
	default:
		return -EINVAL;
	}
}

static int classify_0f(const struct parse *p, struct pciem_insn *insn)
{
	u8 op = p->opcode;

	if (!p->has_modrm || p->mod == 3)
		return -EINVAL;
	switch (op) {
	case 0x40 ... 0x4f:
		insn->alu_op = op & 0xf;
		return with_reg(p, insn, PCIEM_INSN_CMOV, operand_size(p));
	case 0x90 ... 0x9f:
		insn->kind = PCIEM_INSN_SETCC;
		insn->size = 1;
		insn->alu_op = op & 0xf;
		return 0;
	case 0xa3:
	case 0xab:
	case 0xb3:
	case 0xbb:
		insn->alu_op = PCIEM_ALU_BT + ((op >> 3) & 3);
		return with_reg(p, insn, PCIEM_INSN_BIT, operand_size(p));
	case 0xba:
		if (p->modrm_reg < 4)
			return -EINVAL;
		insn->alu_op = PCIEM_ALU_BT + (p->modrm_reg & 3);
		return with_imm(insn, PCIEM_INSN_BIT, operand_size(p));
	case 0xb0:
	case 0xb1:
		return with_reg(p, insn, PCIEM_INSN_CMPXCHG, byte_or_operand_size(p));
	case 0xb6:
	case 0xb7:
		return extending_load(p, insn, false);
	case 0xbe:
	case 0xbf:
		return extending_load(p, insn, true);
	case 0xc0:
	case 0xc1:
		return with_reg(p, insn, PCIEM_INSN_XADD, byte_or_operand_size(p));
	case 0xc3:						/* MOVNTI */
		if (p->simd != SIMD_NONE)
			return -EINVAL;
		return with_reg(p, insn, PCIEM_INSN_STORE, operand_size(p));
	case 0xc7:
		if (p->modrm_reg != 1 || p->rex & REX_W)
			return -EINVAL;
		insn->kind = PCIEM_INSN_CMPXCHG8B;
		insn->size = 8;
		return 0;
	default:
		return classify_vector(p, insn);
	}
}

static int classify_0f38(const struct parse *p, struct pciem_insn *insn)
{
	if (p->mod == 3)
		return -EINVAL;
	switch (p->opcode) {
	case 0xf0:
	case 0xf1:						/* MOVBE; CRC32 with F2 */
		if (p->rep)
			return -EINVAL;
		insn->byte_swap = true;
		return with_reg(p, insn, p->opcode == 0xf0 ? PCIEM_INSN_LOAD : PCIEM_INSN_STORE,
				operand_size(p));
	case 0xf9:						/* MOVDIRI */
		if (p->simd != SIMD_NONE)
			return -EINVAL;
		return with_reg(p, insn, PCIEM_INSN_STORE, operand_size(p));
	default:
		return classify_vector(p, insn);
	}
}

static bool lockable(const struct pciem_insn *insn)
{
	switch (insn->kind) {
	case PCIEM_INSN_RMW:
	case PCIEM_INSN_XCHG:
	case PCIEM_INSN_XADD:
	case PCIEM_INSN_CMPXCHG:
	case PCIEM_INSN_CMPXCHG8B:
		return true;
	case PCIEM_INSN_BIT:
		return insn->alu_op != PCIEM_ALU_BT;
	default:
		return false;
	}
}

static int classify(const struct parse *p, struct pciem_insn *insn)
{
	int ret;

	if (p->vex)
		ret = p->mod == 3 ? -EINVAL : classify_vector(p, insn);
	else if (p->map == MAP_ONE)
		ret = classify_one(p, insn);
	else if (p->map == MAP_0F)
		ret = classify_0f(p, insn);
	else if (p->map == MAP_0F38)
		ret = classify_0f38(p, insn);
	else
		ret = -EINVAL;
	if (ret)
		return ret;
	if (p->lock && !lockable(insn))
		return -EINVAL;
	insn->locked = p->lock || insn->kind == PCIEM_INSN_XCHG;
	return 0;
}

int pciem_decode_insn(const u8 *bytes, size_t available, struct pciem_insn *out)
{
	struct parse p = {
		.bytes = bytes,
		.limit = available < PCIEM_INSN_MAX_LENGTH ? available : PCIEM_INSN_MAX_LENGTH,
	};
	struct pciem_insn insn = {
		.reg = PCIEM_REG_NONE,
		.base = PCIEM_REG_NONE,
		.index = PCIEM_REG_NONE,
		.addr_size = 8,
	};
	unsigned int imm_size;
	int ret;

	*out = insn;
	parse_prefixes(&p, &insn);
	parse_opcode(&p);
	if (p.short_of_bytes || opcode_invalid(&p))
		return -EINVAL;
	if (opcode_has_modrm(&p))
		parse_modrm(&p, &insn);
	if (p.map == MAP_ONE && p.opcode == 0x8f && p.modrm_reg)
		return -EINVAL;		/* XOP, another encoding */
	if (p.map == MAP_ONE && p.opcode >= 0xa0 && p.opcode <= 0xa3)
		insn.disp = fetch(&p, insn.addr_size);
	imm_size = immediate_size(&p);
	if (imm_size == 3) {		/* ENTER: 16 bits and 8 */
		fetch(&p, 3);
	} else if (imm_size) {
		insn.imm = fetch_signed(&p, imm_size);
	}
	if (p.short_of_bytes)
		return -EINVAL;
	insn.length = p.at;

	ret = classify(&p, &insn);
	if (ret) {
		out->length = insn.length;
		return ret;
	}
	*out = insn;
	return 0;
}

static u64 size_mask(unsigned int size)
{
	return size >= 8 ? ~0ULL : (1ULL << (8 * size)) - 1;
}

static u64 sign_bit(unsigned int size)
{
	return 1ULL << (8 * size - 1);
}

static u64 get_gpr(const struct pciem_insn_regs *regs, u8 reg, unsigned int size, bool high)
{
	return (regs->gpr[reg & 15] >> (high ? 8 : 0)) & size_mask(size);
}

/* 32-bit writes clear the upper half, narrower ones keep the rest */
static void set_gpr(struct pciem_insn_regs *regs, u8 reg, unsigned int size, bool high,
		    u64 value)
{
	u64 *gpr = &regs->gpr[reg & 15];
	u64 mask = size_mask(size);
	unsigned int shift = high ? 8 : 0;

	if (size >= 4)
		*gpr = value & mask;
	else
		*gpr = (*gpr & ~(mask << shift)) | (value & mask) << shift;
}

static u64 get_operand(const struct pciem_insn *insn, const struct pciem_insn_regs *regs)
{
	if (insn->has_imm)
		return insn->imm & size_mask(insn->size);
	if (insn->reg == PCIEM_REG_NONE)
		return 0;
	return get_gpr(regs, insn->reg, insn->reg_size, insn->high_byte);
}

static void set_operand(const struct pciem_insn *insn, struct pciem_insn_regs *regs, u64 value)
{
	set_gpr(regs, insn->reg, insn->reg_size, insn->high_byte, value);
}

static u64 swap_bytes(u64 value, unsigned int size)
{
	return __builtin_bswap64(value) >> (64 - 8 * size);
}

static bool even_parity(u8 value)
{
	value ^= value >> 4;
	return !((0x6996 >> (value & 0xf)) & 1);
}

static u64 put_flag(u64 flags, u64 flag, bool on)
{
	return on ? flags | flag : flags & ~flag;
}

static u64 result_flags(u64 flags, u64 result, unsigned int size)
{
	flags = put_flag(flags, PCIEM_FLAG_ZF, !result);
	flags = put_flag(flags, PCIEM_FLAG_SF, result & sign_bit(size));
	return put_flag(flags, PCIEM_FLAG_PF, even_parity(result));
}

static u64 add_flags(u64 *flags, u64 a, u64 b, bool carry, unsigned int size)
{
	u64 result = (a + b + carry) & size_mask(size);

	*flags = result_flags(*flags, result, size);
	*flags = put_flag(*flags, PCIEM_FLAG_CF, result < a || (carry && result == a));
	*flags = put_flag(*flags, PCIEM_FLAG_OF, (a ^ result) & (b ^ result) & sign_bit(size));
	*flags = put_flag(*flags, PCIEM_FLAG_AF, (a ^ b ^ result) & 0x10);
	return result;
}

static u64 sub_flags(u64 *flags, u64 a, u64 b, bool borrow, unsigned int size)
{
	u64 result = (a - b - borrow) & size_mask(size);

	*flags = result_flags(*flags, result, size);
	*flags = put_flag(*flags, PCIEM_FLAG_CF, a < b || (borrow && a == b));
	*flags = put_flag(*flags, PCIEM_FLAG_OF, (a ^ b) & (a ^ result) & sign_bit(size));
	*flags = put_flag(*flags, PCIEM_FLAG_AF, (a ^ b ^ result) & 0x10);
	return result;
}

static u64 logic_flags(u64 *flags, u64 result, unsigned int size)
{
	*flags = result_flags(*flags, result, size);
	*flags &= ~(PCIEM_FLAG_CF | PCIEM_FLAG_OF);
	return result;
}

static u64 alu(u8 op, u64 *flags, u64 a, u64 b, unsigned int size)
{
	bool carry = *flags & PCIEM_FLAG_CF;
	u64 result;

	switch (op) {
	case PCIEM_ALU_ADD:
		return add_flags(flags, a, b, false, size);
	case PCIEM_ALU_OR:
		return logic_flags(flags, a | b, size);
	case PCIEM_ALU_ADC:
		return add_flags(flags, a, b, carry, size);
	case PCIEM_ALU_SBB:
		return sub_flags(flags, a, b, carry, size);
	case PCIEM_ALU_AND:
		return logic_flags(flags, a & b, size);
	case PCIEM_ALU_SUB:
	case PCIEM_ALU_CMP:
		return sub_flags(flags, a, b, false, size);
	case PCIEM_ALU_XOR:
		return logic_flags(flags, a ^ b, size);
	case PCIEM_ALU_INC:	/* these two keep the carry */
		result = add_flags(flags, a, 1, false, size);
		*flags = put_flag(*flags, PCIEM_FLAG_CF, carry);
		return result;
	case PCIEM_ALU_DEC:
		result = sub_flags(flags, a, 1, false, size);
		*flags = put_flag(*flags, PCIEM_FLAG_CF, carry);
		return result;
	case PCIEM_ALU_NOT:
		return ~a & size_mask(size);
	case PCIEM_ALU_NEG:
		return sub_flags(flags, 0, a, false, size);
	default:
		return a;
	}
}

static u64 bit_op(u8 op, u64 *flags, u64 value, u64 number, unsigned int size)
{
	u64 bit = 1ULL << (number & (8 * size - 1));

	*flags = put_flag(*flags, PCIEM_FLAG_CF, value & bit);
	switch (op) {
	case PCIEM_ALU_BTS:
		return value | bit;
	case PCIEM_ALU_BTR:
		return value & ~bit;
	case PCIEM_ALU_BTC:
		return value ^ bit;
	default:
		return value;
	}
}

static bool condition(u8 code, u64 flags)
{
	bool sf = flags & PCIEM_FLAG_SF, of = flags & PCIEM_FLAG_OF;
	bool holds;

	switch (code >> 1) {
	case 0:
		holds = of;
		break;
	case 1:
		holds = flags & PCIEM_FLAG_CF;
		break;
	case 2:
		holds = flags & PCIEM_FLAG_ZF;
		break;
	case 3:
		holds = flags & (PCIEM_FLAG_CF | PCIEM_FLAG_ZF);
		break;
	case 4:
		holds = sf;
		break;
	case 5:
		holds = flags & PCIEM_FLAG_PF;
		break;
	case 6:
		holds = sf != of;
		break;
	default:
		holds = sf != of || (flags & PCIEM_FLAG_ZF);
		break;
	}
	return holds != (code & 1);
}

static bool kind_reads(const struct pciem_insn *insn)
{
	return insn->kind != PCIEM_INSN_STORE && insn->kind != PCIEM_INSN_SETCC;
}

static bool kind_writes(const struct pciem_insn *insn)
{
	switch (insn->kind) {
	case PCIEM_INSN_LOAD:
	case PCIEM_INSN_ALU:
	case PCIEM_INSN_CMP:
	case PCIEM_INSN_TEST:
	case PCIEM_INSN_CMOV:
		return false;
	case PCIEM_INSN_BIT:
		return insn->alu_op != PCIEM_ALU_BT;
	default:
		return true;
	}
}

/*
 * What the instruction makes of @value, the memory's: registers and flags in
 * @regs, and the value to write. A failed CMPXCHG writes back what it read, as
 * the CPU does.
 */
static u64 compute(const struct pciem_insn *insn, struct pciem_insn_regs *regs, u64 value)
{
	unsigned int size = insn->size;
	u64 operand = get_operand(insn, regs);
	u64 result, acc;

	switch (insn->kind) {
	case PCIEM_INSN_LOAD:
		if (insn->byte_swap)
			value = swap_bytes(value, size);
		if (insn->sign_extend)
			value = sign_extend(value, size);
		set_operand(insn, regs, value);
		return value;
	case PCIEM_INSN_STORE:
		return insn->byte_swap ? swap_bytes(operand, size) : operand;
	case PCIEM_INSN_ALU:
		set_operand(insn, regs, alu(insn->alu_op, &regs->flags, operand, value, size));
		return value;
	case PCIEM_INSN_RMW:
		return alu(insn->alu_op, &regs->flags, value, operand, size);
	case PCIEM_INSN_CMP:
		if (insn->mem_is_source)
			sub_flags(&regs->flags, operand, value, false, size);
		else
			sub_flags(&regs->flags, value, operand, false, size);
		return value;
	case PCIEM_INSN_TEST:
		logic_flags(&regs->flags, value & operand, size);
		return value;
	case PCIEM_INSN_XCHG:
		set_operand(insn, regs, value);
		return operand;
	case PCIEM_INSN_XADD:
		result = add_flags(&regs->flags, value, operand, false, size);
		set_operand(insn, regs, value);
		return result;
	case PCIEM_INSN_CMPXCHG:
		acc = get_gpr(regs, 0, size, false);
		sub_flags(&regs->flags, acc, value, false, size);
		if (acc == value)
			return operand;
		set_gpr(regs, 0, size, false, value);
		return value;
	case PCIEM_INSN_CMPXCHG8B:
		acc = get_gpr(regs, 2, 4, false) << 32 | get_gpr(regs, 0, 4, false);
		regs->flags = put_flag(regs->flags, PCIEM_FLAG_ZF, acc == value);
		if (acc == value)
			return get_gpr(regs, 1, 4, false) << 32 | get_gpr(regs, 3, 4, false);
		set_gpr(regs, 0, 4, false, value);
		set_gpr(regs, 2, 4, false, value >> 32);
		return value;
	case PCIEM_INSN_BIT:
		return bit_op(insn->alu_op, &regs->flags, value, operand, size);
	case PCIEM_INSN_SETCC:
		return condition(insn->alu_op, regs->flags);
	case PCIEM_INSN_CMOV:
		/* A 32-bit register loses its upper half even when not moved to */
		set_operand(insn, regs, condition(insn->alu_op, regs->flags) ? value : operand);
		return value;
	default:
		return value;
	}
}

int pciem_execute_insn(const struct pciem_insn *insn, struct pciem_insn_regs *regs,
		       const struct pciem_insn_ops *ops, void *ctx)
{
	struct pciem_insn_regs after = *regs;
	u64 value = 0;
	int ret;

	if (insn->kind < PCIEM_INSN_LOAD || insn->kind > PCIEM_INSN_CMOV)
		return -EOPNOTSUPP;
	if (kind_reads(insn)) {
		ret = ops->read(ctx, insn->size, &value);
		if (ret)
			return ret;
		value &= size_mask(insn->size);
	}
	value = compute(insn, &after, value);
	if (kind_writes(insn)) {
		ret = ops->write(ctx, insn->size, value & size_mask(insn->size));
		if (ret)
			return ret;
	}
	after.ip += insn->length;
	*regs = after;
	return 0;
}

static u64 clip_address(const struct pciem_insn *insn, u64 address)
{
	return insn->addr_size == 4 ? (u32)address : address;
}

u64 pciem_insn_address(const struct pciem_insn *insn, const struct pciem_insn_regs *regs,
		       bool dest)
{
	u64 address = insn->disp;
	u64 segment = insn->segment == PCIEM_SEG_FS ? regs->fs_base :
		      insn->segment == PCIEM_SEG_GS ? regs->gs_base : 0;

	switch (insn->kind) {
	case PCIEM_INSN_MOVS:
	case PCIEM_INSN_CMPS:
		if (dest)
			return clip_address(insn, regs->gpr[7]);
		fallthrough;
	case PCIEM_INSN_LODS:
		return clip_address(insn, regs->gpr[6]) + segment;
	case PCIEM_INSN_STOS:
	case PCIEM_INSN_SCAS:
		return clip_address(insn, regs->gpr[7]);	/* ES always */
	}
	if (insn->rip_relative)
		address += regs->ip + insn->length;
	if (insn->base != PCIEM_REG_NONE)
		address += regs->gpr[insn->base & 15];
	if (insn->index != PCIEM_REG_NONE)
		address += regs->gpr[insn->index & 15] << insn->scale;
	/* A bit number in a register reaches beyond the operand, to both sides */
	if (insn->kind == PCIEM_INSN_BIT && !insn->has_imm) {
		s64 number = sign_extend(get_operand(insn, regs), insn->size);

		address += (number >> (insn->size == 8 ? 6 : insn->size == 4 ? 5 : 4)) *
			   insn->size;
	}
	return clip_address(insn, address) + segment;
}

static bool repeated(const struct pciem_insn *insn)
{
	return insn->rep || insn->repne;
}

u64 pciem_string_count(const struct pciem_insn *insn, const struct pciem_insn_regs *regs)
{
	return repeated(insn) ? clip_address(insn, regs->gpr[1]) : 1;
}

u64 pciem_string_run(const struct pciem_insn *insn, const struct pciem_insn_regs *regs,
		     u64 address, u64 page_size)
{
	u64 count = pciem_string_count(insn, regs);
	u64 offset = address & (page_size - 1);
	u64 run;

	if (offset + insn->size > page_size)
		run = 1;
	else if (regs->flags & PCIEM_FLAG_DF)
		run = offset / insn->size + 1;
	else
		run = (page_size - offset) / insn->size;
	return run < count ? run : count;
}

void pciem_string_advance(const struct pciem_insn *insn, struct pciem_insn_regs *regs, u64 done)
{
	u64 step = regs->flags & PCIEM_FLAG_DF ? -(done * insn->size) : done * insn->size;
	bool source = insn->kind != PCIEM_INSN_STOS && insn->kind != PCIEM_INSN_SCAS;
	bool zero = regs->flags & PCIEM_FLAG_ZF;

	if (source)
		regs->gpr[6] = clip_address(insn, regs->gpr[6] + step);
	if (insn->kind != PCIEM_INSN_LODS)
		regs->gpr[7] = clip_address(insn, regs->gpr[7] + step);
	if (repeated(insn)) {
		bool compares = insn->kind == PCIEM_INSN_SCAS || insn->kind == PCIEM_INSN_CMPS;
		bool stop = compares && done && zero == insn->repne;

		regs->gpr[1] = clip_address(insn, regs->gpr[1] - done);
		if (regs->gpr[1] && !stop)
			return;
	}
	regs->ip += insn->length;
}

u64 pciem_string_store(const struct pciem_insn *insn, const struct pciem_insn_regs *regs)
{
	return get_gpr(regs, 0, insn->size, false);
}

void pciem_string_load(const struct pciem_insn *insn, struct pciem_insn_regs *regs, u64 value)
{
	set_gpr(regs, 0, insn->size, false, value);
}

bool pciem_string_compare(const struct pciem_insn *insn, struct pciem_insn_regs *regs,
			  u64 left, u64 right)
{
	u64 mask = size_mask(insn->size);

	sub_flags(&regs->flags, left & mask, right & mask, false, insn->size);
	return repeated(insn) && !!(regs->flags & PCIEM_FLAG_ZF) != insn->repne;
}

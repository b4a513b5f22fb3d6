// SPDX-License-Identifier: GPL-2.0-only
/*
 * The decoder against the disassembler: each line of an `objdump -d -M suffix`
 * listing is decoded, written out again in the listing's own syntax, and
 * compared as text; so every operand, size and displacement counts.
 *
 *	test_listing forms NAME FILE	every line must decode
 *	test_listing corpus NAME FILE	compiled code: every length must agree, and
 *					every line that is in the decoder's range must decode
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../decode_x86.h"
#include "check.h"

static const char *const reg64[] = {
	"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
	"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
};
static const char *const low8[] = { "al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil" };
static const char *const high8[] = { "ah", "ch", "dh", "bh" };
static const char *const conditions[] = {
	"o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g",
};
static const char *const alu_names[] = {
	"add", "or", "adc", "sbb", "and", "sub", "xor", "cmp",
	"inc", "dec", "not", "neg", "bt", "bts", "btr", "btc",
};

/* Vector moves by name; 0 bytes: the whole register */
static const struct {
	const char *name;
	unsigned int size;
} vector_moves[] = {
	{ "movups", 0 }, { "movupd", 0 }, { "movaps", 0 }, { "movapd", 0 }, { "movdqa", 0 },
	{ "movdqu", 0 }, { "movntps", 0 }, { "movntpd", 0 }, { "movntdq", 0 },
	{ "movntdqa", 0 }, { "lddqu", 0 }, { "movss", 4 }, { "movsd", 8 }, { "movd", 4 },
	{ "movq", 8 },
};

static char suffix(unsigned int size)
{
	return size == 1 ? 'b' : size == 2 ? 'w' : size == 4 ? 'l' : 'q';
}

static const char *reg_name(unsigned int reg, unsigned int size, bool high)
{
	static char names[4][16];
	static unsigned int turn;
	char *name = names[turn++ & 3];

	if (size == 1 && reg < 8)
		snprintf(name, 16, "%%%s", high ? high8[reg & 3] : low8[reg]);
	else if (reg >= 8)
		snprintf(name, 16, "%%r%u%s", reg, size == 1 ? "b" : size == 2 ? "w" :
			 size == 4 ? "d" : "");
	else
		snprintf(name, 16, "%%%s%s", size == 8 ? "r" : size == 4 ? "e" : "",
			 reg64[reg] + 1);
	return name;
}

static const char *segment_text(const struct pciem_insn *insn)
{
	return insn->segment == PCIEM_SEG_FS ? "%fs:" :
	       insn->segment == PCIEM_SEG_GS ? "%gs:" : "";
}

static void format_memory(const struct pciem_insn *insn, char *text, size_t room)
{
	bool registers = insn->rip_relative || insn->base != PCIEM_REG_NONE ||
			 insn->index != PCIEM_REG_NONE;
	int at = snprintf(text, room, "%s", segment_text(insn));

	if (!registers)
		at += snprintf(text + at, room - at, "0x%" PRIx64, insn->disp);
	else if (insn->disp)
		at += snprintf(text + at, room - at, "%s0x%" PRIx64, insn->disp < 0 ? "-" : "",
			       insn->disp < 0 ? -insn->disp : insn->disp);
	if (!registers)
		return;
	at += snprintf(text + at, room - at, "(");
	if (insn->rip_relative)
		at += snprintf(text + at, room - at, "%s", insn->addr_size == 4 ? "%eip" : "%rip");
	if (insn->base != PCIEM_REG_NONE)
		at += snprintf(text + at, room - at, "%s",
			       reg_name(insn->base, insn->addr_size, false));
	if (insn->index != PCIEM_REG_NONE)
		at += snprintf(text + at, room - at, ",%s,%u",
			       reg_name(insn->index, insn->addr_size, false), 1 << insn->scale);
	snprintf(text + at, room - at, ")");
}

/* The opcode as a number with its escape bytes, found without the decoder */
static unsigned int raw_opcode(const u8 *bytes, size_t count)
{
	size_t i = 0;

	while (i < count && (strchr("\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3", bytes[i]) ||
			     (bytes[i] & 0xf0) == 0x40))
		i++;
	if (i + 1 < count && bytes[i] == 0x0f) {
		if (bytes[i + 1] == 0x38 && i + 2 < count)
			return 0x0f3800 | bytes[i + 2];
		return 0x0f00 | bytes[i + 1];
	}
	return i < count ? bytes[i] : 0;
}

static void format_string(const struct pciem_insn *insn, char *text, size_t room)
{
	bool compares = insn->kind == PCIEM_INSN_CMPS || insn->kind == PCIEM_INSN_SCAS;
	const char *prefix = insn->repne ? "repnz " : !insn->rep ? "" : compares ? "repz " : "rep ";
	const char *acc = reg_name(0, insn->size, false);
	char source[32], dest[32], s = suffix(insn->size);

	snprintf(source, sizeof(source), "%s(%s)", insn->segment ? segment_text(insn) : "%ds:",
		 reg_name(6, insn->addr_size, false));
	snprintf(dest, sizeof(dest), "%%es:(%s)", reg_name(7, insn->addr_size, false));
	switch (insn->kind) {
	case PCIEM_INSN_MOVS:
		snprintf(text, room, "%smovs%c %s,%s", prefix, s, source, dest);
		break;
	case PCIEM_INSN_STOS:
		snprintf(text, room, "%sstos%c %s,%s", prefix, s, acc, dest);
		break;
	case PCIEM_INSN_LODS:
		snprintf(text, room, "%slods%c %s,%s", prefix, s, source, acc);
		break;
	case PCIEM_INSN_SCAS:
		snprintf(text, room, "%sscas%c %s,%s", prefix, s, dest, acc);
		break;
	default:
		snprintf(text, room, "%scmps%c %s,%s", prefix, s, dest, source);
	}
}

/* @listed is read for the name of a vector move alone, which the decoder does not keep */
static void format_insn(const struct pciem_insn *insn, const u8 *bytes, const char *listed,
			char *text, size_t room)
{
	unsigned int opcode = raw_opcode(bytes, insn->length);
	const char *lock = insn->locked && insn->kind != PCIEM_INSN_XCHG ? "lock " : "";
	char memory[64], operand[32] = "", s = suffix(insn->size), name[16];
	unsigned int i;

	if (insn->kind >= PCIEM_INSN_MOVS && insn->kind <= PCIEM_INSN_CMPS) {
		format_string(insn, text, room);
		return;
	}
	format_memory(insn, memory, sizeof(memory));
	if (insn->has_imm)
		snprintf(operand, sizeof(operand), "$0x%" PRIx64, (uint64_t)insn->imm & (~0UL >> (64 - 8 * insn->size)));
	else if (insn->reg != PCIEM_REG_NONE)
		snprintf(operand, sizeof(operand), "%s",
			 reg_name(insn->reg, insn->reg_size, insn->high_byte));

	switch (insn->kind) {
	case PCIEM_INSN_LOAD:
		if (opcode == 0x63 && insn->size == insn->reg_size)
			snprintf(name, sizeof(name), "movsxd");
		else if (insn->size != insn->reg_size)
			snprintf(name, sizeof(name), "mov%c%c%c", insn->sign_extend ? 's' : 'z', s,
				 suffix(insn->reg_size));
		else
			snprintf(name, sizeof(name), "mov%s%c", insn->byte_swap ? "be" :
				 opcode >= 0xa0 && opcode <= 0xa3 ? "abs" : "", s);
		snprintf(text, room, "%s %s,%s", name, memory, operand);
		break;
	case PCIEM_INSN_STORE:
		if (opcode == 0x0f38f9)
			snprintf(text, room, "movdiri %s,%s", operand, memory);
		else
			snprintf(text, room, "mov%s%c %s,%s", opcode == 0x0fc3 ? "nti" :
				 insn->byte_swap ? "be" : opcode >= 0xa0 && opcode <= 0xa3 ? "abs" :
				 "", s, operand, memory);
		break;
	case PCIEM_INSN_ALU:
		snprintf(text, room, "%s%c %s,%s", alu_names[insn->alu_op], s, memory, operand);
		break;
	case PCIEM_INSN_RMW:
	case PCIEM_INSN_BIT:
		snprintf(text, room, "%s%s%c %s%s%s", lock, alu_names[insn->alu_op], s, operand,
			 *operand ? "," : "", memory);
		break;
	case PCIEM_INSN_CMP:
		if (insn->mem_is_source)
			snprintf(text, room, "cmp%c %s,%s", s, memory, operand);
		else
			snprintf(text, room, "cmp%c %s,%s", s, operand, memory);
		break;
	case PCIEM_INSN_TEST:
		snprintf(text, room, "test%c %s,%s", s, operand, memory);
		break;
	case PCIEM_INSN_XCHG:
		snprintf(text, room, "xchg%c %s,%s", s, operand, memory);
		break;
	case PCIEM_INSN_XADD:
		snprintf(text, room, "%sxadd%c %s,%s", lock, s, operand, memory);
		break;
	case PCIEM_INSN_CMPXCHG:
		snprintf(text, room, "%scmpxchg%c %s,%s", lock, s, operand, memory);
		break;
	case PCIEM_INSN_CMPXCHG8B:
		snprintf(text, room, "%scmpxchg8b %s", lock, memory);
		break;
	case PCIEM_INSN_SETCC:
		snprintf(text, room, "set%s %s", conditions[insn->alu_op], memory);
		break;
	case PCIEM_INSN_CMOV:
		snprintf(text, room, "cmov%s%c %s,%s", conditions[insn->alu_op], s, memory,
			 operand);
		break;
	case PCIEM_INSN_VEC_LOAD:
	case PCIEM_INSN_VEC_STORE:
		snprintf(text, room, "no vector move of %u bytes", insn->size);
		for (i = 0; i < sizeof(vector_moves) / sizeof(vector_moves[0]); i++) {
			unsigned int size = vector_moves[i].size ? vector_moves[i].size :
					    insn->reg_size;
			const char *bare = listed + (insn->vex ? 1 : 0);
			size_t length = strlen(vector_moves[i].name);

			if (insn->vex && *listed != 'v')
				continue;
			if (strncmp(bare, vector_moves[i].name, length) || bare[length] != ' ' ||
			    size != insn->size)
				continue;
			snprintf(operand, sizeof(operand), "%%%cmm%u",
				 insn->reg_size == 32 ? 'y' : 'x', insn->reg);
			snprintf(text, room, "%.*s %s,%s", (int)(bare - listed + length), listed,
				 insn->kind == PCIEM_INSN_VEC_LOAD ? memory : operand,
				 insn->kind == PCIEM_INSN_VEC_LOAD ? operand : memory);
		}
		break;
	default:
		snprintf(text, room, "kind %u", insn->kind);
	}
}

/* Whole words only: "ss " is a prefix, and the end of "movss " */
static void delete_all(char *text, const char *what)
{
	char *found = text;

	while ((found = strstr(found, what))) {
		if (found == text || found[-1] == ' ' || *what == ',')
			memmove(found, found + strlen(what), strlen(found + strlen(what)) + 1);
		else
			found++;
	}
}

/* One space between words; comments, zero displacements and prefixes without effect dropped */
static void normalise(char *text)
{
	static const char *const without_effect[] = {
		"xacquire ", "xrelease ", "cs ", "ss ", "data16 ", "rex ", "rex.W ", "rex.R ",
		"rex.X ", "rex.B ", "rex.WR ", "rex.WRX ", "rex.WRXB ", "rex.RXB ", "rex.RX ",
		"rex.RB ", "rex.XB ", "rex.WX ", "rex.WB ", "rex.WRB ", "rex.WXB ", ",%riz,1",
	};
	char *from, *to, *comment = strchr(text, '#');
	unsigned int i;

	if (comment)
		*comment = '\0';
	comment = strchr(text, '<');
	if (comment)
		*comment = '\0';
	for (from = to = text; *from; from++)
		if (!isspace((unsigned char)*from) || (to > text && to[-1] != ' '))
			*to++ = isspace((unsigned char)*from) ? ' ' : *from;
	while (to > text && to[-1] == ' ')
		to--;
	*to = '\0';
	for (i = 0; i < sizeof(without_effect) / sizeof(without_effect[0]); i++)
		delete_all(text, without_effect[i]);
	while ((from = strstr(text, "0x0(")))
		if (from == text || !isxdigit((unsigned char)from[-1]))
			memmove(from, from + 3, strlen(from + 3) + 1);
		else
			break;
}

/* Mnemonics that the decoder promises when their operand is memory */
static bool promised(const char *text)
{
	static const char *const names[] = {
		"mov", "movabs", "add", "or", "adc", "sbb", "and", "sub", "xor", "cmp", "test",
		"inc", "dec", "not", "neg", "xchg", "xadd", "cmpxchg", "bt", "bts", "btr", "btc",
		"cmova", "cmovae", "cmovb", "cmovbe", "cmove", "cmovne", "cmovg", "cmovge", "cmovl",
		"cmovle", "cmovs", "cmovns", "movnti", "movbe", "movzb", "movzw", "movsb", "movsw",
		"movsl", "stos", "lods", "scas", "cmps", "movs",
	};
	static const char *const whole[] = {
		"movups", "movaps", "movdqa", "movdqu", "vmovups", "vmovaps", "vmovdqa", "vmovdqu",
		"sete", "setne", "seta", "setb", "setae", "setbe", "setl", "setle", "setg", "setge",
	};
	size_t length, i;

	if (!strncmp(text, "lock ", 5))
		text += 5;
	if (!strchr(text, '(') || strstr(text, "%k") || strstr(text, "%zmm") || strchr(text, '{') ||
	    strstr(text, "mm16") || strstr(text, "%mm"))
		return false;
	for (i = 16; i < 32; i++) {
		char name[8];

		snprintf(name, sizeof(name), "mm%zu", i);
		if (strstr(text, name))
			return false;
	}
	length = strcspn(text, " ");
	for (i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
		if (length == strlen(whole[i]) && !strncmp(text, whole[i], length))
			return true;
	if (strstr(text, "xmm"))
		return false;
	for (i = 0; i < 6; i++) {	/* moves of segment registers, to memory and from it */
		char from[8], to[8];

		snprintf(from, sizeof(from), "%%%cs,", "cdefgs"[i]);
		snprintf(to, sizeof(to), ",%%%cs", "cdefgs"[i]);
		if (strstr(text, from) || (strstr(text, to) && !strstr(text, to)[4]))
			return false;
	}
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (length == strlen(names[i]) + 1 && !strncmp(text, names[i], length - 1) &&
		    strchr("bwlq", text[length - 1]))
			return true;
	return false;
}

/* objdump shows FWAIT with the instruction after it, and a stray prefix on a line of its own */
static bool listed_oddly(const u8 *bytes, size_t count, const char *text)
{
	return strstr(text, "(bad)") || bytes[0] == 0x9b || !*text || strstr(text, ".byte") ||
	       (!strchr(text, ' ') && (!strncmp(text, "rex", 3) || !strncmp(text, "data16", 6) ||
				       !strncmp(text, "repz", 4) || !strncmp(text, "lock", 4) ||
				       !strcmp(text, "cs") || !strcmp(text, "ds") ||
				       !strcmp(text, "es") || !strcmp(text, "fs") ||
				       !strcmp(text, "gs") || !strcmp(text, "ss"))) ||
	       (count > 2 && bytes[0] == 0x66 && (bytes[1] == 0xe8 || bytes[1] == 0xe9));
}

int main(int argc, char **argv)
{
	unsigned long lines = 0, decoded = 0, bad_length = 0, bad_text = 0, missed = 0;
	unsigned long truncated = 0, bad_truncated = 0;
	bool forms;
	char line[512];
	FILE *listing;

	if (argc != 4)
		return 2;
	forms = !strcmp(argv[1], "forms");
	listing = fopen(argv[3], "r");
	if (!listing) {
		check(false, "%s: cannot open %s", argv[2], argv[3]);
		return 1;
	}
	while (fgets(line, sizeof(line), listing)) {
		char *at = strchr(line, '\t'), *text, want[256], got[256];
		struct pciem_insn insn;
		u8 bytes[32] = { 0 };
		size_t count = 0, cut;
		int ret;

		if (!at || !strchr(line, ':') || strchr(line, ':') > at)
			continue;
		at++;
		text = strchr(at, '\t');
		if (!text)
			continue;
		while (at < text && count < sizeof(bytes)) {
			if (*at == ' ')
				at++;
			else
				bytes[count++] = strtoul(at, &at, 16);
		}
		snprintf(want, sizeof(want), "%s", text + 1);
		normalise(want);
		if (!count || count > PCIEM_INSN_MAX_LENGTH || listed_oddly(bytes, count, want))
			continue;
		lines++;

		ret = pciem_decode_insn(bytes, sizeof(bytes), &insn);
		if (insn.length != count && (insn.length || promised(want) || forms)) {
			if (bad_length++ < 10)
				printf("# length %u, listed %zu: %s\n", insn.length, count, want);
			continue;
		}
		for (cut = 0; forms && cut < count; cut++) {
			truncated++;
			if (pciem_decode_insn(bytes, cut, &insn) != -EINVAL || insn.length)
				bad_truncated++;
		}
		ret = pciem_decode_insn(bytes, count, &insn);
		if (ret) {
			if ((forms || promised(want)) && missed++ < 10)
				printf("# not decoded: %s\n", want);
			continue;
		}
		decoded++;
		format_insn(&insn, bytes, want, got, sizeof(got));
		/* With a REX prefix between, a string or vector prefix is shown as one of no effect */
		if (strcmp(want, got) && bad_text++ < 10)
			printf("# decoded: %s | listed: %s\n", got, want);
	}
	fclose(listing);
	check(lines > 100, "%s: %lu instructions listed", argv[2], lines);
	check(!bad_length, "%s: length of each (%lu wrong)", argv[2], bad_length);
	check(!missed, "%s: %lu decoded, none missed (%lu missed)", argv[2], decoded, missed);
	check(!bad_text, "%s: operands of each as listed (%lu wrong)", argv[2], bad_text);
	if (forms)
		check(!bad_truncated, "%s: %lu truncations refused (%lu not)", argv[2], truncated,
		      bad_truncated);
	return check_exit();
}

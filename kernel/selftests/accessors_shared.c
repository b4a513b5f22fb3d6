// SPDX-License-Identifier: GPL-2.0-only
/*
 * Code of the shape that drivers are made of: the accessors of the kernel's
 * asm/io.h and lib/iomem, written again here, and plain C on a volatile
 * pointer, used in ways that make the compiler choose different operands.
 *
 * Built with -DSCENARIOS=name -mgeneral-regs-only for programs, and into
 * pciem_accessors.ko.
 */
#include "accessors_shared.h"

#ifndef SCENARIOS
#define SCENARIOS scenarios_kernel
#endif

#define IO static inline __attribute__((always_inline))

#define READER(name, letter, type, constraint)							\
IO type name(const volatile void *from)								\
{												\
	type value;										\
												\
	asm volatile("mov" letter " %1,%0" : constraint(value) :				\
		     "m"(*(const volatile type *)from) : "memory");				\
	return value;										\
}
READER(readb, "b", u8, "=q")
READER(readw, "w", u16, "=r")
READER(readl, "l", u32, "=r")
READER(readq, "q", u64, "=r")

#define WRITER(name, letter, type, constraint)							\
IO void name(type value, volatile void *to)							\
{												\
	asm volatile("mov" letter " %0,%1" : : constraint(value),				\
		     "m"(*(volatile type *)to) : "memory");					\
}
WRITER(writeb, "b", u8, "q")
WRITER(writew, "w", u16, "r")
WRITER(writel, "l", u32, "r")
WRITER(writeq, "q", u64, "r")
WRITER(writeb_imm, "b", u8, "qi")
WRITER(writew_imm, "w", u16, "ri")
WRITER(writel_imm, "l", u32, "ri")
WRITER(writeq_imm, "q", u64, "er")

IO void rep_movs(void *to, const void *from, size_t n)
{
	size_t left;

	asm volatile("rep movsl\n\t"
		     "testb $2,%b4\n\t"
		     "je 1f\n\t"
		     "movsw\n"
		     "1:\ttestb $1,%b4\n\t"
		     "je 2f\n\t"
		     "movsb\n"
		     "2:"
		     : "=&c"(left), "=&D"(to), "=&S"(from)
		     : "0"(n / 4), "q"(n), "1"(to), "2"(from) : "memory");
}

#define STRING_COPY(name, insn, unit)								\
IO void name(void *to, const void *from, size_t n)						\
{												\
	size_t count = n / unit;								\
												\
	asm volatile("rep " insn : "+c"(count), "+D"(to), "+S"(from) : : "memory");		\
}
STRING_COPY(copy_b, "movsb", 1)
STRING_COPY(copy_w, "movsw", 2)
STRING_COPY(copy_l, "movsl", 4)
STRING_COPY(copy_q, "movsq", 8)

#define STRING_SET(name, insn, unit)								\
IO void name(void *to, u64 value, size_t n)							\
{												\
	size_t count = n / unit;								\
												\
	asm volatile("rep " insn : "+c"(count), "+D"(to) : "a"(value) : "memory");		\
}
STRING_SET(set_b, "stosb", 1)
STRING_SET(set_w, "stosw", 2)
STRING_SET(set_l, "stosl", 4)
STRING_SET(set_q, "stosq", 8)

/* Aligned first, as lib/iomem does */
IO void memcpy_fromio(void *to, const volatile void *from, size_t n)
{
	const char *f = (const char *)from;
	char *t = to;

	if (n && ((unsigned long)f & 1)) {
		asm volatile("movsb" : "+D"(t), "+S"(f) : : "memory");
		n--;
	}
	if (n > 1 && ((unsigned long)f & 2)) {
		asm volatile("movsw" : "+D"(t), "+S"(f) : : "memory");
		n -= 2;
	}
	rep_movs(t, f, n);
}

IO void memcpy_toio(volatile void *to, const void *from, size_t n)
{
	const char *f = from;
	char *t = (char *)to;

	if (n && ((unsigned long)t & 1)) {
		asm volatile("movsb" : "+D"(t), "+S"(f) : : "memory");
		n--;
	}
	if (n > 1 && ((unsigned long)t & 2)) {
		asm volatile("movsw" : "+D"(t), "+S"(f) : : "memory");
		n -= 2;
	}
	rep_movs(t, f, n);
}

/* The memset of a CPU without fast string stores: eight quadwords a turn, then one, then bytes */
IO void memset_unrolled(volatile void *at, u8 byte, size_t n)
{
	u64 value = byte * 0x0101010101010101ULL;
	char *to = (char *)at;

	for (; n >= 64; n -= 64, to += 64)
		asm volatile("movq %1,(%0)\n\t"
			     "movq %1,8(%0)\n\t"
			     "movq %1,16(%0)\n\t"
			     "movq %1,24(%0)\n\t"
			     "movq %1,32(%0)\n\t"
			     "movq %1,40(%0)\n\t"
			     "movq %1,48(%0)\n\t"
			     "movq %1,56(%0)" : : "r"(to), "a"(value) : "memory");
	for (; n >= 8; n -= 8, to += 8)
		asm volatile("movq %1,(%0)" : : "r"(to), "a"(value) : "memory");
	for (; n; n--, to++)
		asm volatile("movb %b1,(%0)" : : "r"(to), "a"(value) : "memory");
}

/* The copy of a CPU without fast string moves: four registers in flight */
IO void memcpy_unrolled(volatile void *to, const volatile void *from, size_t n)
{
	for (; n >= 32; n -= 32, to = (char *)to + 32, from = (char *)from + 32)
		asm volatile("movq (%0),%%r8\n\t"
			     "movq 8(%0),%%r9\n\t"
			     "movq 16(%0),%%r10\n\t"
			     "movq 24(%0),%%r11\n\t"
			     "movq %%r8,(%1)\n\t"
			     "movq %%r9,8(%1)\n\t"
			     "movq %%r10,16(%1)\n\t"
			     "movq %%r11,24(%1)"
			     : : "r"(from), "r"(to) : "r8", "r9", "r10", "r11", "memory");
	for (; n; n--, to = (char *)to + 1, from = (char *)from + 1)
		*(volatile u8 *)to = *(const volatile u8 *)from;
}

#define SCENARIO(name) static u64 name(volatile void *bar, u8 *buffer, u64 x)
#define AT(offset) ((volatile char *)bar + (offset))
#define UNUSED(v) ((void)(v))

SCENARIO(reads)
{
	UNUSED(buffer);
	UNUSED(x);
	return readb(AT(3)) + ((u64)readw(AT(6)) << 8) + ((u64)readl(AT(0x24)) << 20) +
	       readq(AT(0x1000));
}

SCENARIO(reads_at_index)
{
	u64 sum = 0, i;

	UNUSED(buffer);
	for (i = 0; i < 64; i++)
		sum = sum * 31 + readl(AT(4 * ((i * x) & 0xfff))) + readb(AT((i * x) & 0x3fff)) +
		      readq(AT(8 * ((i + x) & 0x7ff))) + readw(AT(2 * ((i ^ x) & 0x1fff)));
	return sum;
}

SCENARIO(writes)
{
	UNUSED(buffer);
	writeb(x, AT(1));
	writew(x >> 8, AT(2));
	writel(x >> 16, AT(0x2ffc));
	writeq(x, AT(0x3000));
	return x;
}

SCENARIO(writes_immediate)
{
	UNUSED(buffer);
	writeb_imm(0x5a, AT(9));
	writew_imm(0xfedc, AT(10));
	writel_imm(0xdeadbeef, AT(12));
	writeq_imm(0x12345678, AT(16));
	writeq_imm(-2, AT(24));
	writeq_imm(0, AT(0x1018));
	return x;
}

SCENARIO(writes_at_index)
{
	u64 i;

	UNUSED(buffer);
	for (i = 0; i < 64; i++) {
		writel(i * x, AT(4 * ((i * 7 + x) & 0xfff)));
		writeb(i + x, AT((i * 13 + x) & 0x3fff));
		writeq(i ^ x, AT(8 * ((i * x) & 0x7ff)));
	}
	return i;
}

SCENARIO(straddles)
{
	u64 sum;

	UNUSED(buffer);
	writeq(x, AT(0xffd));
	writel(x, AT(0x1ffe));
	sum = readq(AT(0xffb)) + readw(AT(0x2fff));
	writew(sum, AT(0x2fff));
	return sum;
}

SCENARIO(from_io)
{
	memcpy_fromio(buffer + (x & 7), AT((x >> 3) & 0x1fff), (x >> 20) & 0x1fff);
	return 0;
}

SCENARIO(to_io)
{
	memcpy_toio(AT((x >> 3) & 0x1fff), buffer + (x & 7), (x >> 20) & 0x1fff);
	return 0;
}

SCENARIO(string_moves)
{
	copy_b(buffer, (void *)AT(0xff0), 0x20 + (x & 15));
	copy_w(buffer + 0x100, (void *)AT(0x1ff1), 0x40);
	copy_l(buffer + 0x200, (void *)AT(0x2fe2), 0x80);
	copy_q(buffer + 0x300, (void *)AT(0xff3), 0x1010);
	copy_b((void *)AT(0x100), buffer, 0x33);
	copy_w((void *)AT(0xffe), buffer, 0x22);
	copy_l((void *)AT(0xffd), buffer, 0x1004);
	copy_q((void *)AT(0x2001), buffer, 0x1800);
	return 0;
}

SCENARIO(string_moves_within)
{
	UNUSED(buffer);
	copy_q((void *)AT(0x2004), (void *)AT(0xf00 + (x & 7)), 0x1000);
	copy_b((void *)AT(0x11), (void *)AT(0x10), 0x1800);	/* overlapping: spreads a byte */
	return 0;
}

SCENARIO(string_moves_backwards)
{
	size_t count = 0x300;
	void *to = (void *)AT(0x2345);
	const void *from = buffer + 0x3000;

	UNUSED(x);
	asm volatile("std\n\trep movsl\n\tcld" : "+c"(count), "+D"(to), "+S"(from) : : "memory");
	count = 0x500;
	from = (void *)AT(0x2342);
	to = buffer + 0x3000;
	asm volatile("std\n\trep movsw\n\tcld" : "+c"(count), "+D"(to), "+S"(from) : : "memory");
	return 0;
}

SCENARIO(string_stores)
{
	UNUSED(buffer);
	set_b((void *)AT(0xf01), x, 0x300);
	set_w((void *)AT(0x1fff), x, 0x20);
	set_l((void *)AT(0x2ffe), x, 0x40);
	set_q((void *)AT(0x800), x, 0x1008);
	return 0;
}

SCENARIO(string_loads)
{
	u64 value = x, sum = 0;
	const void *from = (void *)AT(0xffc);
	int i;

	UNUSED(buffer);
	for (i = 0; i < 5; i++) {
		asm volatile("lodsb" : "+S"(from), "+a"(value) : : "memory");
		asm volatile("lodsw" : "+S"(from), "+a"(value) : : "memory");
		sum = sum * 3 + value;
		asm volatile("lodsl" : "+S"(from), "+a"(value) : : "memory");
		sum = sum * 3 + value;
	}
	return sum;
}

SCENARIO(string_scans)
{
	void *at = (void *)AT(0xf80);
	const void *other = (void *)AT(0x1000);
	size_t left = 0x400;
	u64 sum;

	UNUSED(buffer);
	asm volatile("repne scasb" : "+D"(at), "+c"(left) : "a"(x) : "memory", "cc");
	sum = left;
	at = (void *)AT(0);
	left = 0x80;
	asm volatile("repe cmpsb" : "+D"(at), "+S"(other), "+c"(left) : : "memory", "cc");
	return sum << 16 | left;
}

SCENARIO(sets_unrolled)
{
	UNUSED(buffer);
	memset_unrolled(AT((x & 0xff) + 0xf00), x >> 8, 0x777);
	return 0;
}

SCENARIO(copies_unrolled)
{
	memcpy_unrolled(AT(0x500 + (x & 7)), buffer, 0x1233);
	memcpy_unrolled(buffer + 0x2000, AT(0x1501), 0x777);
	return 0;
}

SCENARIO(non_temporal)
{
	u64 i;

	UNUSED(buffer);
	for (i = 0; i < 32; i++) {
		asm volatile("movntiq %1,%0" : "=m"(*(volatile u64 *)AT(0x1f80 + 8 * i)) :
			     "r"(x + i));
		asm volatile("movntil %k1,%0" : "=m"(*(volatile u32 *)AT(4 * i)) : "r"(x * i));
	}
	return 0;
}

SCENARIO(exchange)
{
	u64 a = x, old = 0x55;
	u32 b = x >> 7;
	u8 c = x;
	bool bit;

	UNUSED(buffer);
	asm volatile("xchgq %0,%1" : "+r"(a), "+m"(*(volatile u64 *)AT(0x10)));
	asm volatile("xchgb %0,%1" : "+q"(c), "+m"(*(volatile u8 *)AT(0x15)));
	asm volatile("lock xaddl %0,%1" : "+r"(b), "+m"(*(volatile u32 *)AT(0x20)) : : "cc");
	asm volatile("lock cmpxchgq %2,%1" : "+a"(old), "+m"(*(volatile u64 *)AT(0x28)) :
		     "r"(x) : "cc");
	asm volatile("lock cmpxchgq %2,%1" : "+a"(old), "+m"(*(volatile u64 *)AT(0x28)) :
		     "r"(x) : "cc");
	asm volatile("lock btsl %2,%1" : "=@ccc"(bit), "+m"(*(volatile u32 *)AT(0x30)) :
		     "r"((u32)x & 31) : "cc");
	return a + b + c + old + bit;
}

/* From here on the compiler chooses the instructions */

struct registers {
	volatile u32 control;
	volatile u32 status;
	volatile u64 queue;
	volatile u16 doorbell[8];
	volatile u8 mode;
	volatile signed char delta;
	volatile short offset;
	volatile int sum;
};

SCENARIO(plain_c)
{
	struct registers *regs = (struct registers *)bar;
	long result = 0;

	UNUSED(buffer);
	regs->control |= 1;
	regs->control &= ~(u32)x;
	regs->status ^= x >> 8;
	regs->queue += x;
	regs->queue -= 3;
	regs->doorbell[x & 7]++;
	regs->doorbell[(x >> 3) & 7] = 0xffff;
	regs->mode = x;
	if (regs->status & 0x100)
		result += 5;
	if (regs->mode == 7 || regs->control > x || regs->delta < 0)
		result -= 9;
	result += regs->delta + regs->offset;
	result += regs->sum;
	result += (u64)regs->doorbell[2] * regs->mode;
	result = result > 0 ? result : (long)regs->queue;
	regs->sum = -regs->sum;
	regs->offset = ~regs->offset;
	regs->delta--;
	regs->queue = regs->status == (u32)result;
	return result;
}

SCENARIO(plain_c_arrays)
{
	volatile u32 *words = (volatile u32 *)bar;
	volatile u8 *bytes = (volatile u8 *)bar;
	u64 sum = 0, i;

	for (i = 0; i < 256; i++)
		sum += words[i] ^ bytes[4096 + i];
	for (i = 0; i < 64; i++)
		words[1024 + i] = sum + i;
	for (i = 0; i < 64; i++)
		bytes[0x3000 + i * 3] = buffer[i];
	for (i = 0; i < 32; i++)
		words[i] += words[i + 1000] & x;
	return sum;
}

SCENARIO(many_registers)
{
	volatile u64 *q = (volatile u64 *)bar;
	u64 a = q[0], b = q[1], c = q[2], d = q[3], e = q[4], f = q[5], g = q[6], h = q[7];
	u64 i = q[8], j = q[9], k = q[10], l = q[11];

	UNUSED(buffer);
	q[16] = a + b + x;
	q[17] = (u8)c + d;
	q[18] = e - f;
	*(volatile u8 *)&q[19] = g;
	*(volatile u16 *)&q[20] = h;
	*(volatile u32 *)&q[21] = i;
	*(volatile u8 *)&q[22] = j >> 8;
	*(volatile u8 *)&q[23] = k;
	return a ^ b * c ^ d * e ^ f * g ^ h * i ^ j * k ^ l;
}

const struct scenario SCENARIOS[] = {
	{ "readb to readq", reads },
	{ "readb to readq at an index", reads_at_index },
	{ "writeb to writeq", writes },
	{ "writeb to writeq of immediates", writes_immediate },
	{ "writeb to writeq at an index", writes_at_index },
	{ "accesses across a page boundary", straddles },
	{ "memcpy_fromio", from_io },
	{ "memcpy_toio", to_io },
	{ "rep movsb, movsw, movsl, movsq", string_moves },
	{ "rep movs within the BAR", string_moves_within },
	{ "rep movs backwards", string_moves_backwards },
	{ "memset_io by rep stos", string_stores },
	{ "lods", string_loads },
	{ "scas and cmps", string_scans },
	{ "memset_io by unrolled stores", sets_unrolled },
	{ "memcpy by unrolled moves", copies_unrolled },
	{ "movnti", non_temporal },
	{ "xchg, xadd, cmpxchg, bts", exchange },
	{ "volatile C", plain_c },
	{ "volatile C arrays", plain_c_arrays },
	{ "volatile C, many registers", many_registers },
	{ NULL, NULL },
};

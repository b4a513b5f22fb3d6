// SPDX-License-Identifier: GPL-2.0-only
/*
 * Carrying out a trapped access: from the faulting instruction to reads and
 * writes of a BAR, and back into the registers.
 *
 * Context: a page fault of the kernel, in whatever context that hit. Nothing
 * here locks; pciem_mmio_read() and pciem_mmio_write() may sleep if told so.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/ptrace.h>
#include <linux/uaccess.h>

#include "decode_x86.h"
#include "pciem.h"

struct access {
	struct pciem_mapping *map;
	unsigned long address;
	bool may_sleep;
};

static int access_read(void *ctx, unsigned int size, u64 *value)
{
	struct access *access = ctx;

	*value = pciem_mmio_read(access->map, access->address, size, access->may_sleep);
	return 0;
}

static int access_write(void *ctx, unsigned int size, u64 value)
{
	struct access *access = ctx;

	pciem_mmio_write(access->map, access->address, size, value, access->may_sleep);
	return 0;
}

static const struct pciem_insn_ops access_ops = {
	.read	= access_read,
	.write	= access_write,
};

static void regs_load(struct pciem_insn_regs *r, const struct pt_regs *regs)
{
	r->gpr[0] = regs->ax;
	r->gpr[1] = regs->cx;
	r->gpr[2] = regs->dx;
	r->gpr[3] = regs->bx;
	r->gpr[4] = regs->sp;
	r->gpr[5] = regs->bp;
	r->gpr[6] = regs->si;
	r->gpr[7] = regs->di;
	r->gpr[8] = regs->r8;
	r->gpr[9] = regs->r9;
	r->gpr[10] = regs->r10;
	r->gpr[11] = regs->r11;
	r->gpr[12] = regs->r12;
	r->gpr[13] = regs->r13;
	r->gpr[14] = regs->r14;
	r->gpr[15] = regs->r15;
	r->ip = regs->ip;
	r->flags = regs->flags;
	r->fs_base = 0;
	r->gs_base = 0;
}

/* The stack pointer stays: no accessor loads it from a device. */
static void regs_store(const struct pciem_insn_regs *r, struct pt_regs *regs)
{
	regs->ax = r->gpr[0];
	regs->cx = r->gpr[1];
	regs->dx = r->gpr[2];
	regs->bx = r->gpr[3];
	regs->bp = r->gpr[5];
	regs->si = r->gpr[6];
	regs->di = r->gpr[7];
	regs->r8 = r->gpr[8];
	regs->r9 = r->gpr[9];
	regs->r10 = r->gpr[10];
	regs->r11 = r->gpr[11];
	regs->r12 = r->gpr[12];
	regs->r13 = r->gpr[13];
	regs->r14 = r->gpr[14];
	regs->r15 = r->gpr[15];
	regs->ip = r->ip;
	regs->flags = r->flags;
}

static size_t fetch(unsigned long ip, u8 *bytes)
{
	size_t n = PCIEM_INSN_MAX_LENGTH;

	if (!copy_from_kernel_nofault(bytes, (void *)ip, n))
		return n;
	/* At the end of mapped text */
	n = min_t(size_t, n, PAGE_SIZE - offset_in_page(ip));
	return copy_from_kernel_nofault(bytes, (void *)ip, n) ? 0 : n;
}

/* The side of a string move that is ordinary memory. It may fault, and is not waited for. */

static int memory_read(unsigned long address, unsigned int size, u64 *value)
{
	*value = 0;
	if (address < TASK_SIZE_MAX)
		return copy_from_user_nofault(value, (void __user *)address, size);
	return copy_from_kernel_nofault(value, (void *)address, size);
}

static int memory_write(unsigned long address, unsigned int size, u64 value)
{
	if (address < TASK_SIZE_MAX)
		return copy_to_user_nofault((void __user *)address, &value, size);

	pagefault_disable();
	switch (size) {
	case 1:
		__put_kernel_nofault(address, &value, u8, fault);
		break;
	case 2:
		__put_kernel_nofault(address, &value, u16, fault);
		break;
	case 4:
		__put_kernel_nofault(address, &value, u32, fault);
		break;
	case 8:
		__put_kernel_nofault(address, &value, u64, fault);
		break;
	}
	pagefault_enable();
	return 0;
fault:
	pagefault_enable();
	return -EFAULT;
}

/*
 * The accessors of the kernel compile to MOV and MOVZX between a register and
 * memory. Those are carried out without the decoder and its copy of the
 * registers, which take longer than all the rest. The length is all that is
 * needed of the address: the fault has it.
 */

static const u8 reg_offset[16] = {
	offsetof(struct pt_regs, ax), offsetof(struct pt_regs, cx),
	offsetof(struct pt_regs, dx), offsetof(struct pt_regs, bx),
	offsetof(struct pt_regs, sp), offsetof(struct pt_regs, bp),
	offsetof(struct pt_regs, si), offsetof(struct pt_regs, di),
	offsetof(struct pt_regs, r8), offsetof(struct pt_regs, r9),
	offsetof(struct pt_regs, r10), offsetof(struct pt_regs, r11),
	offsetof(struct pt_regs, r12), offsetof(struct pt_regs, r13),
	offsetof(struct pt_regs, r14), offsetof(struct pt_regs, r15),
};

static bool fast_access(struct pciem_mapping *map, struct pt_regs *regs, unsigned long address,
			bool may_sleep)
{
	unsigned int at = 0, rex = 0, size = 4, modrm, rm, reg;
	bool store = false, zero_extend = false;
	unsigned long *gpr;
	u8 b[16];
	u64 value;

	/* An access that begins before a page that traps faults at its start. */
	if (!offset_in_page(address))
		return false;
	__get_kernel_nofault(b, regs->ip, u64, fault);
	__get_kernel_nofault(b + 8, regs->ip + 8, u64, fault);

	if (b[at] == 0x66) {
		size = 2;
		at++;
	}
	if ((b[at] & 0xf0) == 0x40) {
		rex = b[at++];
		if (rex & 8)
			size = 8;
	}
	switch (b[at++]) {
	case 0x88:
		size = 1;
		fallthrough;
	case 0x89:
		store = true;
		break;
	case 0x8a:
		size = 1;
		break;
	case 0x8b:
		break;
	case 0x0f:
		if (size == 2 || (b[at] != 0xb6 && b[at] != 0xb7))
			return false;
		size = b[at++] == 0xb6 ? 1 : 2;
		zero_extend = true;
		break;
	default:
		return false;
	}
	modrm = b[at++];
	rm = modrm & 7;
	reg = (modrm >> 3 & 7) | (rex & 4) << 1;
	/* Register to register; AH to BH; the stack pointer */
	if (modrm >= 0xc0 || (size == 1 && !zero_extend && !rex && reg >= 4) || reg == 4)
		return false;
	if (rm == 4 && (b[at++] & 7) == 5 && modrm < 0x40)
		at += 4;
	if (modrm >= 0x80 || (modrm < 0x40 && rm == 5))
		at += 4;
	else if (modrm >= 0x40)
		at++;

	gpr = (void *)regs + reg_offset[reg];
	if (store) {
		pciem_mmio_write(map, address, size, *gpr, may_sleep);
	} else {
		value = pciem_mmio_read(map, address, size, may_sleep);
		if (size == 1 && !zero_extend)
			*(u8 *)gpr = value;
		else if (size == 2 && !zero_extend)
			*(u16 *)gpr = value;
		else
			*gpr = value;
	}
	regs->ip += at;
	return true;
fault:
	return false;
}

struct side {
	struct pciem_mapping *map;	/* NULL: ordinary memory */
	unsigned long address;
};

static int side_read(const struct side *side, unsigned int size, u64 *value, bool may_sleep)
{
	if (!side->map)
		return memory_read(side->address, size, value);
	*value = pciem_mmio_read(side->map, side->address, size, may_sleep);
	return 0;
}

static int side_write(const struct side *side, unsigned int size, u64 value, bool may_sleep)
{
	if (!side->map)
		return memory_write(side->address, size, value);
	pciem_mmio_write(side->map, side->address, size, value, may_sleep);
	return 0;
}

/*
 * Elements up to the end of the page; the instruction is resumed and faults
 * again for the rest. False when not even one could be done.
 */
static bool run_string(const struct pciem_insn *insn, struct pciem_insn_regs *r, bool may_sleep)
{
	const bool reads = insn->kind != PCIEM_INSN_STOS, writes = insn->kind != PCIEM_INSN_LODS;
	const long step = r->flags & PCIEM_FLAG_DF ? -(long)insn->size : insn->size;
	struct side src = { }, dst = { };
	u64 n = ~0ULL, done, value = 0;

	if (reads) {
		src.address = pciem_insn_address(insn, r, false);
		src.map = pciem_mapping_get(src.address);
		if (src.map)
			n = min(n, pciem_string_run(insn, r, src.address, PAGE_SIZE));
	}
	if (writes) {
		dst.address = pciem_insn_address(insn, r, true);
		dst.map = pciem_mapping_get(dst.address);
		if (dst.map)
			n = min(n, pciem_string_run(insn, r, dst.address, PAGE_SIZE));
	}
	if (!src.map && !dst.map)
		n = 0;

	for (done = 0; done < n; done++) {
		if (!reads)
			value = pciem_string_store(insn, r);
		else if (side_read(&src, insn->size, &value, may_sleep))
			break;
		if (!writes)
			pciem_string_load(insn, r, value);
		else if (side_write(&dst, insn->size, value, may_sleep))
			break;
		src.address += step;
		dst.address += step;
	}
	if (done)
		pciem_string_advance(insn, r, done);

	if (src.map)
		pciem_mapping_put(src.map);
	if (dst.map)
		pciem_mapping_put(dst.map);
	return done;
}

/* One element; the instruction is resumed for the next. */
static bool run_compare(const struct pciem_insn *insn, struct pciem_insn_regs *r, bool may_sleep)
{
	struct side left = { .address = pciem_insn_address(insn, r, false) };
	struct side right = { .address = pciem_insn_address(insn, r, true) };
	u64 a = 0, b = 0;
	bool ok = true;

	right.map = pciem_mapping_get(right.address);
	if (insn->kind == PCIEM_INSN_CMPS) {
		left.map = pciem_mapping_get(left.address);
		ok = !side_read(&left, insn->size, &a, may_sleep);
	} else {
		a = pciem_string_store(insn, r);
	}
	ok = ok && !side_read(&right, insn->size, &b, may_sleep);
	if (ok) {
		pciem_string_compare(insn, r, a, b);
		pciem_string_advance(insn, r, 1);
	}
	if (left.map)
		pciem_mapping_put(left.map);
	if (right.map)
		pciem_mapping_put(right.map);
	return ok;
}

/**
 * pciem_trap_emulate() - carry out the access of a faulting instruction
 * @map: mapping that @address is in
 * @regs: of the fault; changed as the instruction does
 * @address: that faulted
 * @may_sleep: whether the faulting context may
 *
 * Return: false when the instruction has to be let through to memory instead.
 */
bool pciem_trap_emulate(struct pciem_mapping *map, struct pt_regs *regs, unsigned long address,
			bool may_sleep)
{
	struct access access = { .map = map, .address = address, .may_sleep = may_sleep };
	u8 bytes[PCIEM_INSN_MAX_LENGTH];
	struct pciem_insn insn;
	struct pciem_insn_regs r;
	size_t n;
	bool ok;

	if (fast_access(map, regs, address, may_sleep))
		return true;
	n = fetch(regs->ip, bytes);
	if (!n || pciem_decode_insn(bytes, n, &insn)) {
		pr_err_ratelimited("access at %pS not understood: %*ph\n", (void *)regs->ip,
				   (int)n, bytes);
		return false;
	}
	regs_load(&r, regs);
	switch (insn.kind) {
	case PCIEM_INSN_MOVS:
	case PCIEM_INSN_STOS:
	case PCIEM_INSN_LODS:
		ok = run_string(&insn, &r, may_sleep);
		break;
	case PCIEM_INSN_SCAS:
	case PCIEM_INSN_CMPS:
		ok = run_compare(&insn, &r, may_sleep);
		break;
	default:
		/* The fault is at the first byte that traps, the access may begin before. */
		if (insn.segment == PCIEM_SEG_NONE)
			access.address = pciem_insn_address(&insn, &r, false);
		ok = access.address >= map->start && access.address < map->end &&
		     !pciem_execute_insn(&insn, &r, &access_ops, &access);
	}
	if (ok)
		regs_store(&r, regs);
	return ok;
}

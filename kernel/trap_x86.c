// SPDX-License-Identifier: GPL-2.0-only
/*
 * Carrying out a trapped access: from the faulting instruction to reads and
 * writes of a BAR, and back into the registers.
 *
 * Context: a page fault of the kernel, in whatever context that hit, or one of
 * a program, which holds nothing. Nothing here locks but mmap_lock, where that
 * can be waited for or is free; pciem_mmio_read() and pciem_mmio_write() may
 * sleep if told so.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/ptrace.h>
#include <linux/uaccess.h>

#include <asm/fpu/api.h>
#include <asm/msr.h>

#include "decode_x86.h"
#include "pciem.h"

/**
 * struct trap - what is being carried out
 * @regs: of the faulting instruction
 * @user: it is a program's: everything it names is looked at as the program would
 * @may_sleep: whether its context may
 */
struct trap {
	struct pt_regs *regs;
	bool user;
	bool may_sleep;
};

struct access {
	const struct trap *trap;
	const struct pciem_target *target;
	unsigned long address;
};

static bool target_holds(const struct pciem_target *target, unsigned long address,
			 unsigned int size)
{
	return address >= target->start && address < target->end && target->end - address >= size;
}

static int access_read(void *ctx, unsigned int size, u64 *value)
{
	struct access *access = ctx;

	if (!target_holds(access->target, access->address, size))
		return -EFAULT;
	*value = pciem_mmio_read(access->target->map, access->address + access->target->shift, size,
				 access->trap->may_sleep);
	return 0;
}

static int access_write(void *ctx, unsigned int size, u64 value)
{
	struct access *access = ctx;

	if (!access->target->writable || !target_holds(access->target, access->address, size))
		return -EFAULT;
	pciem_mmio_write(access->target->map, access->address + access->target->shift, size, value,
			 access->trap->may_sleep);
	return 0;
}

static const struct pciem_insn_ops access_ops = {
	.read	= access_read,
	.write	= access_write,
};

static void regs_load(struct pciem_insn_regs *r, struct pt_regs *regs)
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
	if (user_mode(regs)) {
		/* In the kernel the program's GS is where SWAPGS finds it. */
		rdmsrl(MSR_FS_BASE, r->fs_base);
		rdmsrl(MSR_KERNEL_GS_BASE, r->gs_base);
	}
}

/* The kernel's stack pointer stays: no accessor loads it from a device. */
static void regs_store(const struct pciem_insn_regs *r, struct pt_regs *regs)
{
	regs->ax = r->gpr[0];
	regs->cx = r->gpr[1];
	regs->dx = r->gpr[2];
	regs->bx = r->gpr[3];
	if (user_mode(regs))
		regs->sp = r->gpr[4];
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

/* Up to PCIEM_INSN_MAX_LENGTH bytes of the instruction; fewer at the end of mapped text. */
static size_t fetch(const struct trap *trap, u8 *bytes)
{
	size_t n = PCIEM_INSN_MAX_LENGTH;
	void *ip = (void *)trap->regs->ip;

	if (trap->user)
		return n - copy_from_user(bytes, (void __user *)ip, n);
	if (!copy_from_kernel_nofault(bytes, ip, n))
		return n;
	n = min_t(size_t, n, PAGE_SIZE - offset_in_page(ip));
	return copy_from_kernel_nofault(bytes, ip, n) ? 0 : n;
}

/*
 * The side of a string move that is ordinary memory: a program's as the program
 * reaches it; the kernel's may fault, and is not waited for.
 */

static int memory_read(const struct trap *trap, unsigned long address, unsigned int size, u64 *value)
{
	*value = 0;
	if (trap->user)
		return copy_from_user(value, (void __user *)address, size) ? -EFAULT : 0;
	if (address < TASK_SIZE_MAX)
		return copy_from_user_nofault(value, (void __user *)address, size);
	return copy_from_kernel_nofault(value, (void *)address, size);
}

static int memory_write(const struct trap *trap, unsigned long address, unsigned int size, u64 value)
{
	if (trap->user)
		return copy_to_user((void __user *)address, &value, size) ? -EFAULT : 0;
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

static bool fast_fetch(const struct trap *trap, u8 *b)
{
	if (trap->user)
		return !get_user(*(u64 *)b, (u64 __user *)trap->regs->ip) &&
		       !get_user(*(u64 *)(b + 8), (u64 __user *)(trap->regs->ip + 8));
	__get_kernel_nofault(b, trap->regs->ip, u64, fault);
	__get_kernel_nofault(b + 8, trap->regs->ip + 8, u64, fault);
	return true;
fault:
	return false;
}

static bool fast_access(const struct trap *trap, const struct pciem_target *target,
			unsigned long address)
{
	unsigned int at = 0, rex = 0, size = 4, modrm, rm, reg;
	bool store = false, zero_extend = false;
	struct pciem_mapping *map = target->map;
	struct pt_regs *regs = trap->regs;
	unsigned long *gpr;
	u8 b[16] __aligned(8);
	u64 value;

	/* An access that begins before a page that traps faults at its start. */
	if (!offset_in_page(address) || !fast_fetch(trap, b))
		return false;

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

	if (!target_holds(target, address, size) || (store && !target->writable))
		return false;

	address += target->shift;
	gpr = (void *)regs + reg_offset[reg];
	if (store) {
		pciem_mmio_write(map, address, size, *gpr, trap->may_sleep);
	} else {
		value = pciem_mmio_read(map, address, size, trap->may_sleep);
		if (size == 1 && !zero_extend)
			*(u8 *)gpr = value;
		else if (size == 2 && !zero_extend)
			*(u16 *)gpr = value;
		else
			*gpr = value;
	}
	regs->ip += at;
	return true;
}

/* One side of a string instruction; without a map it is ordinary memory. */
struct side {
	struct pciem_target target;
	unsigned long address;
};

static void side_find(const struct trap *trap, struct side *side, bool write)
{
	struct pciem_target *t = &side->target;

	if (side->address < TASK_SIZE_MAX) {
		if (!pciem_user_target(side->address, write, trap->may_sleep && !pagefault_disabled(), t))
			t->map = NULL;
		return;
	}
	/* Of the kernel's addresses a program reaches none, and is told so by a fault. */
	t->map = trap->user ? NULL : pciem_mapping_get(side->address);
	if (t->map) {
		t->start = t->map->start;
		t->end = t->map->end;
		t->shift = 0;
		t->writable = true;
	}
}

static void side_put(struct side *side)
{
	if (side->target.map)
		pciem_mapping_put(side->target.map);
}

static int side_read(const struct trap *trap, const struct side *side, unsigned int size, u64 *value)
{
	struct access access = { trap, &side->target, side->address };

	if (!side->target.map)
		return memory_read(trap, side->address, size, value);
	return access_read(&access, size, value);
}

static int side_write(const struct trap *trap, const struct side *side, unsigned int size, u64 value)
{
	struct access access = { trap, &side->target, side->address };

	if (!side->target.map)
		return memory_write(trap, side->address, size, value);
	return access_write(&access, size, value);
}

/*
 * Elements up to the end of the page; the instruction is resumed and faults
 * again for the rest. False when not even one could be done.
 */
static bool run_string(const struct trap *trap, const struct pciem_insn *insn,
		       struct pciem_insn_regs *r)
{
	const bool reads = insn->kind != PCIEM_INSN_STOS, writes = insn->kind != PCIEM_INSN_LODS;
	const long step = r->flags & PCIEM_FLAG_DF ? -(long)insn->size : insn->size;
	struct side src = { }, dst = { };
	u64 n = ~0ULL, done, value = 0;

	if (reads) {
		src.address = pciem_insn_address(insn, r, false);
		side_find(trap, &src, false);
		if (src.target.map)
			n = min(n, pciem_string_run(insn, r, src.address, PAGE_SIZE));
	}
	if (writes) {
		dst.address = pciem_insn_address(insn, r, true);
		side_find(trap, &dst, true);
		if (dst.target.map)
			n = min(n, pciem_string_run(insn, r, dst.address, PAGE_SIZE));
	}
	if (!src.target.map && !dst.target.map)
		n = 0;

	for (done = 0; done < n; done++) {
		if (!reads)
			value = pciem_string_store(insn, r);
		else if (side_read(trap, &src, insn->size, &value))
			break;
		if (!writes)
			pciem_string_load(insn, r, value);
		else if (side_write(trap, &dst, insn->size, value))
			break;
		src.address += step;
		dst.address += step;
	}
	if (done)
		pciem_string_advance(insn, r, done);

	side_put(&src);
	side_put(&dst);
	return done;
}

/* One element; the instruction is resumed for the next. */
static bool run_compare(const struct trap *trap, const struct pciem_insn *insn,
			struct pciem_insn_regs *r)
{
	struct side left = { .address = pciem_insn_address(insn, r, false) };
	struct side right = { .address = pciem_insn_address(insn, r, true) };
	u64 a = 0, b = 0;
	bool ok = true;

	side_find(trap, &right, false);
	if (insn->kind == PCIEM_INSN_CMPS) {
		side_find(trap, &left, false);
		ok = !side_read(trap, &left, insn->size, &a);
	} else {
		a = pciem_string_store(insn, r);
	}
	ok = ok && !side_read(trap, &right, insn->size, &b);
	if (ok) {
		pciem_string_compare(insn, r, a, b);
		pciem_string_advance(insn, r, 1);
	}
	side_put(&left);
	side_put(&right);
	return ok;
}

/*
 * Vector registers are read and written where they are: in the CPU. The
 * kernel's own are there between kernel_fpu_begin() and kernel_fpu_end(), which
 * is where it may fault with them; a program's may have to be put there first.
 */

struct vector {
	u64 part[4];
};

#define FOR_EACH_VECTOR(DO)									\
	DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)						\
	DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15)

static void vectors_begin(const struct trap *trap)
{
	if (!trap->user)
		return;
	fpregs_lock();
	if (test_thread_flag(TIF_NEED_FPU_LOAD))
		switch_fpu_return();
}

static void vectors_end(const struct trap *trap)
{
	if (trap->user)
		fpregs_unlock();
}

static void vector_get(const struct trap *trap, const struct pciem_insn *insn, struct vector *v)
{
	vectors_begin(trap);
	switch (insn->reg) {
#define GET(n)											\
	case n:											\
		if (insn->size == 32)								\
			asm volatile("vmovdqu %%ymm" #n ", %0" : "=m" (*v));			\
		else										\
			asm volatile("movdqu %%xmm" #n ", %0" : "=m" (*v));			\
		break;
	FOR_EACH_VECTOR(GET)
	}
	vectors_end(trap);
}

/* What lies above the access becomes zero, except above 128 bits without VEX. */
static void vector_set(const struct trap *trap, const struct pciem_insn *insn,
		       const struct vector *v)
{
	vectors_begin(trap);
	switch (insn->reg) {
#define SET(n)											\
	case n:											\
		if (insn->size == 32)								\
			asm volatile("vmovdqu %0, %%ymm" #n :: "m" (*v));			\
		else if (insn->vex)								\
			asm volatile("vmovdqu %0, %%xmm" #n :: "m" (*v));			\
		else										\
			asm volatile("movdqu %0, %%xmm" #n :: "m" (*v));			\
		break;
	FOR_EACH_VECTOR(SET)
	}
	vectors_end(trap);
}

/* By 8 bytes, as a bus of that width would see it */
static bool run_vector(struct access *access, const struct pciem_insn *insn,
		       struct pciem_insn_regs *r)
{
	const struct pciem_target *target = access->target;
	const bool store = insn->kind == PCIEM_INSN_VEC_STORE;
	const unsigned int step = min_t(unsigned int, insn->size, 8);
	struct vector v = { };

	if (!target_holds(target, access->address, insn->size) || (store && !target->writable))
		return false;
	if (store)
		vector_get(access->trap, insn, &v);
	for (unsigned int at = 0; at < insn->size; at += step, access->address += step) {
		if (store)
			access_write(access, step, v.part[at / 8]);
		else
			access_read(access, step, &v.part[at / 8]);
	}
	if (!store)
		vector_set(access->trap, insn, &v);
	r->ip += insn->length;
	return true;
}

/**
 * pciem_trap_emulate() - carry out the access of a faulting instruction
 * @target: what @address is in
 * @regs: of the fault; changed as the instruction does
 * @address: that faulted
 * @may_sleep: whether the faulting context may
 *
 * Return: false when the instruction has to be let through to memory instead.
 */
bool pciem_trap_emulate(const struct pciem_target *target, struct pt_regs *regs,
			unsigned long address, bool may_sleep)
{
	const struct trap trap = { .regs = regs, .user = user_mode(regs), .may_sleep = may_sleep };
	struct access access = { .trap = &trap, .target = target, .address = address };
	u8 bytes[PCIEM_INSN_MAX_LENGTH];
	struct pciem_insn insn;
	struct pciem_insn_regs r;
	size_t n;
	bool ok;

	/* The decoder knows 64-bit mode alone. */
	if (trap.user && !user_64bit_mode(regs))
		return false;
	if (fast_access(&trap, target, address))
		return true;
	n = fetch(&trap, bytes);
	if (!n || pciem_decode_insn(bytes, n, &insn)) {
		/* A program can make the kernel's log say nothing. */
		if (!trap.user)
			pr_err_ratelimited("access at %pS not understood: %*ph\n", (void *)regs->ip,
					   (int)n, bytes);
		return false;
	}
	regs_load(&r, regs);
	/* The fault is at the first byte that traps, the access may begin before. */
	if (insn.segment == PCIEM_SEG_NONE || trap.user)
		access.address = pciem_insn_address(&insn, &r, false);
	switch (insn.kind) {
	case PCIEM_INSN_MOVS:
	case PCIEM_INSN_STOS:
	case PCIEM_INSN_LODS:
		ok = run_string(&trap, &insn, &r);
		break;
	case PCIEM_INSN_SCAS:
	case PCIEM_INSN_CMPS:
		ok = run_compare(&trap, &insn, &r);
		break;
	case PCIEM_INSN_VEC_LOAD:
	case PCIEM_INSN_VEC_STORE:
		ok = run_vector(&access, &insn, &r);
		break;
	default:
		ok = !pciem_execute_insn(&insn, &r, &access_ops, &access);
	}
	if (ok)
		regs_store(&r, regs);
	return ok;
}

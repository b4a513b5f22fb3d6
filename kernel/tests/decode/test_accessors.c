// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trap and emulate, in a process: a BAR that is mapped without any access
 * right, a SIGSEGV handler that does what the module's fault handler does, and
 * compiled driver code (selftests/accessors_shared.c) run against it. The result must be the
 * same as on ordinary memory.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "../../decode_x86.h"
#include "../../selftests/accessors_shared.h"
#include "check.h"
#include "random.h"

#define PAGE 4096

static u8 *trapped;	/* PROT_NONE */
static u8 *shadow;	/* the same memory, accessible */
static u8 *plain;	/* what it should look like */
static unsigned long traps, elements;

static const u8 ucontext_order[16] = {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

static __attribute__((noreturn)) void give_up(const char *why, const u8 *code)
{
	int i;

	printf("not ok - %s:", why);
	for (i = 0; i < PCIEM_INSN_MAX_LENGTH; i++)
		printf(" %02x", code[i]);
	putchar('\n');
	fflush(stdout);
	_exit(1);
}

static bool in_bar(u64 address, unsigned int size)
{
	return address >= (u64)trapped && address + size <= (u64)trapped + BAR_BYTES;
}

static u8 *reach(u64 address, unsigned int size)
{
	return in_bar(address, size) ? shadow + (address - (u64)trapped) : (u8 *)address;
}

static int bar_read(void *ctx, unsigned int size, u64 *value)
{
	*value = 0;
	memcpy(value, ctx, size);
	return 0;
}

static int bar_write(void *ctx, unsigned int size, u64 value)
{
	memcpy(ctx, &value, size);
	return 0;
}

static const struct pciem_insn_ops bar_ops = { .read = bar_read, .write = bar_write };

/* One page's worth of elements; the CPU faults again for the next page */
static void emulate_string(const struct pciem_insn *insn, struct pciem_insn_regs *regs)
{
	u64 to = pciem_insn_address(insn, regs, true);
	u64 from = pciem_insn_address(insn, regs, false);
	s64 step = regs->flags & PCIEM_FLAG_DF ? -insn->size : insn->size;
	u64 run = pciem_string_run(insn, regs, to, PAGE), i;
	u64 other = pciem_string_run(insn, regs, from, PAGE);

	if (other < run)
		run = other;
	if (insn->kind == PCIEM_INSN_CMPS || insn->kind == PCIEM_INSN_SCAS)
		run = 1;
	elements += run;
	for (i = 0; i < run; i++, to += step, from += step) {
		u64 left = 0, right = 0;

		switch (insn->kind) {
		case PCIEM_INSN_MOVS:
			memcpy(&left, reach(from, insn->size), insn->size);
			memcpy(reach(to, insn->size), &left, insn->size);
			break;
		case PCIEM_INSN_STOS:
			left = pciem_string_store(insn, regs);
			memcpy(reach(to, insn->size), &left, insn->size);
			break;
		case PCIEM_INSN_LODS:
			memcpy(&left, reach(from, insn->size), insn->size);
			pciem_string_load(insn, regs, left);
			break;
		case PCIEM_INSN_SCAS:
			left = pciem_string_store(insn, regs);
			memcpy(&right, reach(to, insn->size), insn->size);
			pciem_string_compare(insn, regs, left, right);
			break;
		default:
			memcpy(&left, reach(from, insn->size), insn->size);
			memcpy(&right, reach(to, insn->size), insn->size);
			pciem_string_compare(insn, regs, left, right);
		}
	}
	pciem_string_advance(insn, regs, run);
}

static void on_fault(int number, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	greg_t *gregs = uc->uc_mcontext.gregs;
	const u8 *code = (const u8 *)gregs[REG_RIP];
	u64 fault = (u64)info->si_addr, address;
	struct pciem_insn_regs regs;
	struct pciem_insn insn;
	unsigned int i;

	(void)number;
	traps++;
	for (i = 0; i < 16; i++)
		regs.gpr[i] = gregs[ucontext_order[i]];
	regs.ip = gregs[REG_RIP];
	regs.flags = gregs[REG_EFL];
	regs.fs_base = 0;
	regs.gs_base = 0;

	if (!in_bar(fault, 1))
		give_up("a fault outside the BAR at", code);
	if (pciem_decode_insn(code, PCIEM_INSN_MAX_LENGTH, &insn))
		give_up("not decoded", code);
	if (insn.kind >= PCIEM_INSN_MOVS && insn.kind <= PCIEM_INSN_CMPS) {
		emulate_string(&insn, &regs);
	} else {
		address = pciem_insn_address(&insn, &regs, false);
		/* Of an access across pages the CPU reports the first byte that it could not reach */
		if (fault < address || fault >= address + insn.size)
			give_up("the decoded address is not the one that faulted", code);
		if (pciem_execute_insn(&insn, &regs, &bar_ops, reach(address, insn.size)))
			give_up("not carried out", code);
		elements++;
	}
	for (i = 0; i < 16; i++)
		gregs[ucontext_order[i]] = regs.gpr[i];
	gregs[REG_RIP] = regs.ip;
	gregs[REG_EFL] = regs.flags;
}

static void run_scenarios(const char *level, const struct scenario *scenario, unsigned int cases)
{
	static u8 buffer_trapped[BUFFER_BYTES], buffer_plain[BUFFER_BYTES];

	for (; scenario->name; scenario++) {
		unsigned int wrong = 0, i, j;

		traps = elements = 0;
		for (i = 0; i < cases; i++) {
			u64 x = random_u64(), got, want;

			for (j = 0; j < BAR_BYTES; j++)
				plain[j] = shadow[j] = random_u64() >> 5;
			for (j = 0; j < BUFFER_BYTES; j++)
				buffer_trapped[j] = buffer_plain[j] = random_u64() >> 5;
			want = scenario->run(plain, buffer_plain, x);
			got = scenario->run(trapped, buffer_trapped, x);
			if (got != want || memcmp(plain, shadow, BAR_BYTES) ||
			    memcmp(buffer_trapped, buffer_plain, BUFFER_BYTES))
				wrong++;
		}
		check(!wrong && traps >= cases, "%s %s: %u runs, %lu traps, %lu accesses", level,
		      scenario->name, cases, traps, elements);
	}
}

int main(int argc, char **argv)
{
	unsigned int cases = argc > 1 ? atoi(argv[1]) : 20;
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
	int memory = memfd_create("bar", MFD_CLOEXEC);

	random_seed();
	if (memory < 0 || ftruncate(memory, BAR_BYTES)) {
		check(false, "shared memory");
		return 1;
	}
	trapped = mmap(NULL, BAR_BYTES, PROT_NONE, MAP_SHARED, memory, 0);
	shadow = mmap(NULL, BAR_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	plain = mmap(NULL, BAR_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigaction(SIGSEGV, &action, NULL);

	run_scenarios("-O1", scenarios_O1, cases);
	run_scenarios("-O2", scenarios_O2, cases);
	run_scenarios("-Os", scenarios_Os, cases);
	run_scenarios("-O3", scenarios_O3, cases);
	return check_exit();
}

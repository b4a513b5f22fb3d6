/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every instruction that the decoder knows, in every form of its memory
 * operand. Never run: test_listing compares the decoder with the
 * disassembler's text of this.
 */

/* Each addressing form: base alone (RSP, RBP, R12, R13 are encoded specially), 8 and 32-bit
 * displacement, SIB with and without base, RIP, absolute, segments, 32-bit addresses. */
.macro all before:req, after=
.irp m, "(%rax)", "(%rsp)", "(%rbp)", "(%rsi)", "(%r8)", "(%r12)", "(%r13)", "(%r15)", "0x10(%rbx)", "-0x80(%rdi)", "0x80(%rdx)", "-0x1000(%rbx)", "0x7ffffff0(%r12)", "-1(%rsp)", "0x1000(%rsp)", "(%rax,%rbx,1)", "(%rbp,%rsi,2)", "(%r13,%r14,4)", "8(%r12,%r12,8)", "0x40(,%r9,8)", "-0x80000000(,%rax,2)", "0x12345(%rsp,%rbp,4)", "0x1234(%rip)", "0x7ffff000", "%gs:0x28(%rsi)", "%fs:0x10", "%fs:(%rdi,%r12,2)", "%gs:(%rax)", "(%ecx)", "-8(%esp,%r8d,2)", "0x100(%r13d)", "%gs:4(%ebx)"
\before \m \after
.endr
.endm

/* A few of them, for what differs only in the register or the opcode */
.macro some before:req, after=
.irp m, "(%rax)", "0x10(%rbx)", "0x12345(%rsp,%rbp,4)", "0x1234(%rip)", "%gs:(%ebp)"
\before \m \after
.endr
.endm

.text
/* Stores and loads of each width, from and to each register */
all "movb %cl,"
all "movw %cx,"
all "movl %ecx,"
all "movq %rcx,"
all "movb", ",%cl"
all "movw", ",%cx"
all "movl", ",%ecx"
all "movq", ",%rcx"
.irp r, %al, %cl, %dl, %bl, %ah, %ch, %dh, %bh
movb \r,(%rdi)
movb (%rdi),\r
.endr
.irp r, %al, %cl, %dl, %bl, %spl, %bpl, %sil, %dil, %r8b, %r9b, %r10b, %r11b, %r12b, %r13b, %r14b, %r15b
some "movb \r,"
some "movb", ",\r"
.endr
.irp r, ax, cx, dx, bx, sp, bp, si, di
some "movw %\r,"
some "movl %e\r,"
some "movq %r\r,"
some "movw", ",%\r"
some "movl", ",%e\r"
some "movq", ",%r\r"
.endr
.irp r, 8, 9, 10, 11, 12, 13, 14, 15
some "movw %r\r\()w,"
some "movl %r\r\()d,"
some "movq %r\r,"
some "movw", ",%r\r\()w"
some "movl", ",%r\r\()d"
some "movq", ",%r\r"
.endr

/* Immediates */
all "movb $0x5a,"
all "movw $0x1234,"
all "movl $0x12345678,"
all "movq $0x12345678,"
some "movb $-1,"
some "movw $-2,"
some "movl $-3,"
some "movq $-4,"

/* Extension */
all "movzbl", ",%ecx"
all "movswq", ",%r9"
.irp i, movzb, movsb
some "\i\()w", ",%dx"
some "\i\()l", ",%edx"
some "\i\()q", ",%rdx"
some "\i\()l", ",%r15d"
.endr
.irp i, movzw, movsw
some "\i\()l", ",%edx"
some "\i\()q", ",%rdx"
.endr
all "movslq", ",%rbx"
some "movsxd", ",%bx"
some "movsxd", ",%ebx"

/* Absolute addresses of 64 bits */
movabs 0x1122334455667788,%al
movabs 0x1122334455667788,%ax
movabs 0x1122334455667788,%eax
movabs 0x1122334455667788,%rax
movabs %al,0x1122334455667788
movabs %ax,0x1122334455667788
movabs %eax,0x1122334455667788
movabs %rax,0x1122334455667788
movabs %rax,%gs:0x1122334455667788

/* Other moves */
all "movntil %esi,"
all "movntiq %r14,"
all "movbew %dx,"
all "movbel %edx,"
all "movbeq %rdx,"
all "movbew", ",%dx"
all "movbel", ",%edx"
all "movbeq", ",%r11"
all "movdiri %eax,"
all "movdiri %r9,"
some "xchgb %bh,"
some "xchgb %sil,"
some "xchgw %dx,"
all "xchgl %edx,"
all "xchgq %rdx,"
.irp c, o, no, b, ae, e, ne, be, a, s, ns, p, np, l, ge, le, g
some "set\c"
some "cmov\c\()w", ",%dx"
some "cmov\c\()l", ",%edx"
some "cmov\c\()q", ",%r9"
.endr

/* Arithmetic, in each direction, with each immediate, locked */
.irp o, add, or, adc, sbb, and, sub, xor
all "\o\()l %edx,"
all "\o\()l", ",%edx"
some "\o\()b %ah,"
some "\o\()b", ",%r9b"
some "\o\()w %dx,"
some "\o\()w", ",%dx"
some "\o\()q %rdx,"
some "\o\()q", ",%rdx"
all "\o\()b $0x7f,"
some "\o\()b $-2,"
all "\o\()w $0x1234,"
some "\o\()w $3,"
some "\o\()w $-3,"
all "\o\()l $0x12345678,"
some "\o\()l $4,"
some "\o\()l $-4,"
all "\o\()q $0x12345678,"
some "\o\()q $5,"
some "\o\()q $-5,"
some "lock \o\()l %edx,"
some "lock \o\()b $1,"
some "lock \o\()w $0x1234,"
some "lock \o\()q $0x12345,"
.endr
.irp o, inc, dec, not, neg
some "\o\()b"
some "\o\()w"
all "\o\()l"
some "\o\()q"
some "lock \o\()l"
.endr
.irp o, cmp, test
some "\o\()b %ah,"
some "\o\()w %dx,"
all "\o\()l %edx,"
some "\o\()q %rdx,"
some "\o\()b $0x12,"
some "\o\()w $0x1234,"
all "\o\()l $0x12345678,"
some "\o\()q $-0x12345678,"
.endr
all "cmpb", ",%dl"
all "cmpw", ",%dx"
all "cmpl", ",%edx"
all "cmpq", ",%r13"
some "cmpw $-1,"
some "cmpl $1,"
some "cmpq $-1,"
.irp o, xadd, cmpxchg
some "\o\()b %cl,"
some "\o\()w %cx,"
all "\o\()l %ecx,"
some "\o\()q %r10,"
some "lock \o\()l %ecx,"
some "lock \o\()q %rcx,"
.endr
all "cmpxchg8b"
some "lock cmpxchg8b"
.irp o, bt, bts, btr, btc
some "\o\()w %dx,"
all "\o\()l %edx,"
some "\o\()q %r9,"
some "\o\()w $3,"
all "\o\()l $31,"
some "\o\()q $63,"
.endr
.irp o, bts, btr, btc
some "lock \o\()l $4,"
some "lock \o\()q %rdx,"
.endr

/* String instructions */
.irp s, b, w, l, q
.irp p, , rep
\p movs\s
\p stos\s
\p lods\s
.endr
.irp p, , repz, repnz
\p scas\s
\p cmps\s
.endr
.endr
addr32 rep movsb
addr32 stosl
addr32 lodsq
fs movsb
gs lodsl
fs cmpsw

/* Vector moves */
.irp v, , v
all "\v\()movups", ",%xmm3"
all "\v\()movups %xmm13,"
all "\v\()movdqu", ",%xmm12"
all "\v\()movdqu %xmm4,"
.irp i, movupd, movaps, movapd, movdqa
some "\v\()\i", ",%xmm5"
some "\v\()\i %xmm9,"
.endr
.irp i, movss, movsd, movd, movq
some "\v\()\i", ",%xmm5"
some "\v\()\i %xmm9,"
.endr
.irp i, movntps, movntpd, movntdq
some "\v\()\i %xmm7,"
.endr
some "\v\()movntdqa", ",%xmm8"
some "\v\()lddqu", ",%xmm8"
.endr
.irp i, vmovups, vmovupd, vmovaps, vmovapd, vmovdqa, vmovdqu
some "\i", ",%ymm5"
some "\i %ymm15,"
.endr
some "vmovntdq %ymm1,"
some "vlddqu", ",%ymm1"
/* MOVQ of a general register's width, the other encoding */
.byte 0x66, 0x48, 0x0f, 0x7e, 0x00
.byte 0x66, 0x48, 0x0f, 0x6e, 0x00
/* Prefixes that mean nothing here but count for the length, and REX without a use */
.byte 0x40, 0x8b, 0x00
.byte 0x40, 0x88, 0x20

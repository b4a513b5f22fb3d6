/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * void run_native(void): load every register from native_in, jump to
 * native_code, and store every register to native_out when it jumps to
 * run_native_back. No stack is used between, so RSP may be anything.
 */
	.text
	.globl	run_native, run_native_back
run_native:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, native_stack(%rip)
	pushq	native_in+128(%rip)
	popfq
	mov	native_in+0(%rip), %rax
	mov	native_in+8(%rip), %rcx
	mov	native_in+16(%rip), %rdx
	mov	native_in+24(%rip), %rbx
	mov	native_in+32(%rip), %rsp
	mov	native_in+40(%rip), %rbp
	mov	native_in+48(%rip), %rsi
	mov	native_in+56(%rip), %rdi
	mov	native_in+64(%rip), %r8
	mov	native_in+72(%rip), %r9
	mov	native_in+80(%rip), %r10
	mov	native_in+88(%rip), %r11
	mov	native_in+96(%rip), %r12
	mov	native_in+104(%rip), %r13
	mov	native_in+112(%rip), %r14
	mov	native_in+120(%rip), %r15
	jmp	*native_code(%rip)
run_native_back:
	mov	%rax, native_out+0(%rip)
	mov	%rcx, native_out+8(%rip)
	mov	%rdx, native_out+16(%rip)
	mov	%rbx, native_out+24(%rip)
	mov	%rsp, native_out+32(%rip)
	mov	%rbp, native_out+40(%rip)
	mov	%rsi, native_out+48(%rip)
	mov	%rdi, native_out+56(%rip)
	mov	%r8, native_out+64(%rip)
	mov	%r9, native_out+72(%rip)
	mov	%r10, native_out+80(%rip)
	mov	%r11, native_out+88(%rip)
	mov	%r12, native_out+96(%rip)
	mov	%r13, native_out+104(%rip)
	mov	%r14, native_out+112(%rip)
	mov	%r15, native_out+120(%rip)
	mov	native_stack(%rip), %rsp
	pushfq
	popq	native_out+128(%rip)
	pushq	$0x202
	popfq
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.bss
	.balign	16
	.globl	native_in, native_out, native_code
native_in:
	.skip	136
native_out:
	.skip	136
native_code:
	.skip	8
native_stack:
	.skip	8

	.section .note.GNU-stack,"",@progbits

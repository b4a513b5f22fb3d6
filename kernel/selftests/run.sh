#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs the selftests on this machine's kernel, as root, and counts their lines.
#
#	run.sh [--keep] [program...]
#
# pciem.ko and the test drivers are loaded from MODULES (/lab/modules) unless they are there already. With --keep
# they stay loaded, for the next run; without it the last check is that they can be unloaded.
cd "$(dirname "$0")" || exit 1
modules=${MODULES:-/lab/modules}
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
passed=0 failed=0 keep=
if [ "${1:-}" = --keep ]; then
	keep=1
	shift
fi

say() {
	echo "$1" | tee -a "$log"
}

load() {
	[ -d "/sys/module/$1" ] || insmod "$modules/$1.ko" "${@:2}"
}

# What the kernel says while a program runs counts as a failure of it.
problems() {
	dmesg | grep -cE 'WARNING:|BUG:|Oops|general protection|unable to handle|RIP: 0010|soft lockup|hung_task|blocked for more than|rcu.*stall|KASAN|UBSAN|sleeping function|not understood'
}

if [ "$(id -u)" != 0 ]; then
	echo "not ok - the selftests need root"
	exit 1
fi
if ! load pciem; then
	echo "not ok - pciem.ko does not load"
	exit 1
fi

programs=("$@")
[ $# -gt 0 ] || programs=(abi reference_abi reference_nvme ioctl mmap config caps bars reset power dma dma_ops events trace sync interrupts irqfd accessors several functions observe removal user_mappings vfio attack)
for program in "${programs[@]}"; do
	if [ ! -x "./$program" ]; then
		say "not ok - there is no program $program"
		continue
	fi
	# One that unloads it may have ended early
	load pciem
	before=$(problems)
	timeout $((900 * ${HARNESS_PATIENCE:-1})) "./$program" 2>&1 | tee -a "$log"
	status=${PIPESTATUS[0]}
	[ "$status" -le 1 ] || say "not ok - $program ended with status $status"
	after=$(problems)
	if [ "$after" -gt "$before" ]; then
		say "not ok - $program: the kernel log stays quiet"
		dmesg | tail -40
	else
		say "ok - $program: the kernel log stays quiet"
	fi
done

# What is given back late, by work that the kernel does later, is given back within 5 s.
unload() {
	for ((i = 0; i < 50; i++)); do
		[ -d "/sys/module/$1" ] || return 0
		rmmod "$1" 2>/dev/null && return 0
		sleep 0.1
	done
	rmmod "$1"
}

if [ -z "$keep" ]; then
	for module in pciem_mmap_test pciem_accessors pciem_test pciem; do
		unload "$module" || say "not ok - $module can be unloaded"
	done
	if [ -d /sys/module/pciem ]; then
		say "not ok - pciem is unloaded"
	else
		say "ok - pciem is unloaded"
		if load pciem && [ -c /dev/pciem ]; then say "ok - pciem loads again"; else say "not ok - pciem loads again"; fi
	fi
fi

passed=$(grep -c '^ok - ' "$log")
failed=$(grep -c '^not ok - ' "$log")
skipped=$(grep -c '^ok - .*# SKIP' "$log")
[ "$skipped" = 0 ] || echo "$skipped skipped"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

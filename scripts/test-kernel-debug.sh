#!/usr/bin/env bash
# The self-tests and the attacker on a kernel that checks its drivers (kernel/guest/debug.config). Fails for every failed
# test and for every report of KASAN, lockdep, UBSAN, kmemleak, refcounts, hung tasks and the like; the log stays in
# out/debug-<version>.log.
#
#   scripts/test-kernel-debug.sh [program...]
#
# KERNEL                 6.12
# PCIEM_ATTACK_SECONDS   how long the attacker goes on, after the programs have run (600; 0 for none)
set -uo pipefail
cd "$(dirname "$0")/.."

kernel=${KERNEL:-6.12}
seconds=${PCIEM_ATTACK_SECONDS:-600}
log=out/debug-$kernel.log
kernel/guest/debug-kernel.sh "$kernel" || exit 1
make -s -C kernel/selftests || exit 1

# Instrumented and emulated: tests get four times as long. The DMA debugging of the kernel would report what the driver
# of the tests does wrong on purpose, which the module is to report.
rm -f "$log"
PCIEM_LAB_GUEST_OUT=$PWD/out/guest/debug-$kernel nice -n 5 node out/lab/guest-run.js --kernel "$kernel" --no-build \
	--memory 4096 --append dma_debug=off --timeout $((seconds + 3600)) --log "$log" \
	--files "kernel/guest/debug-run.sh:/lab/debug-run.sh" \
	--files "out/guest/debug-$kernel/$kernel/tree/lib/modules:/usr/lib/modules" \
	-- env HARNESS_PATIENCE=4 PCIEM_ATTACK_SECONDS="$seconds" bash /lab/debug-run.sh "$@"
status=$?
if [ $status = 0 ]; then
	echo "debug kernel: no report"
else
	echo "debug kernel: FAILED (status $status); the kernel's log is $log"
fi
exit $status

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs the decoder's tests and counts their lines; called by make test.
#
#	PCIEM_CORPUS="a b"  compiled files to disassemble and compare with; otherwise the C
#			    library and the kernel modules that a built test guest has
cd "$(dirname "$0")" || exit 1
out=${OUT:-out}
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

run() {
	nice timeout 300 "$@" >>"$log" 2>&1
	status=$?
	tail -c +$((seen + 1)) "$log"
	case $status in
	0 | 1) ;;
	*)
		echo "not ok - ${1##*/} ended with status $status" | tee -a "$log"
		;;
	esac
	seen=$(wc -c <"$log")
}

seen=0
run "$out/test_listing" forms forms "$out/forms.lst"

if [ -z "$PCIEM_CORPUS" ]; then
	PCIEM_CORPUS=$(ldconfig -p 2>/dev/null | sed -n 's/.*libc\.so\.6.*x86-64.*=> //p' | head -n 1)
	PCIEM_CORPUS="$PCIEM_CORPUS $(find ../../../out/guest -name '*.ko' -size +100k 2>/dev/null |
		grep -E '/(nvme|nvme-core|e1000e|ext4|vfio-pci|snd-hda-codec|bochs)\.ko$' | head -n 8)"
fi
for file in $PCIEM_CORPUS; do
	objdump -d -M suffix --insn-width=15 "$file" >"$out/corpus.lst" || continue
	run "$out/test_listing" corpus "${file##*/}" "$out/corpus.lst"
	rm -f "$out/corpus.lst"
done

run "$out/test_execute"
run "$out/test_accessors"
run "$out/test_robust"

passed=$(grep -c '^ok - ' "$log")
failed=$(grep -c '^not ok - ' "$log")
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

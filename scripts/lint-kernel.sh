#!/usr/bin/env bash
# The module with warnings as errors and under sparse, against every kernel of the test guest.
set -euo pipefail
cd "$(dirname "$0")/.."

kernel/guest/build.sh all
for kernel in 6.1 6.12; do
	log=out/lint/$kernel.log
	mkdir -p "out/lint/$kernel"
	if ! nice -n 5 make -C kernel KDIR="$PWD/out/guest/$kernel/kdir" BUILD="$PWD/out/lint/$kernel" C=2 \
		CHECK='sparse -Wsparse-error' modules >"$log" 2>&1; then
		cat "$log"
		echo "lint: the module does not build cleanly for Linux $kernel" >&2
		exit 1
	fi
	if grep -E '(warning|error):' "$log"; then
		echo "lint: warnings for Linux $kernel" >&2
		exit 1
	fi
	echo "lint: the module is clean for Linux $kernel"
done

# kernel-doc comes with the kernel's source, which only the debug kernel is built from.
for checker in out/guest/debug-*/linux/scripts/kernel-doc; do
	if [ ! -e "$checker" ]; then
		echo "lint: kernel-doc is not checked (kernel/guest/debug-kernel.sh fetches its checker)"
		continue
	fi
	# Members of private structures may speak for themselves, and what is reserved has nothing to say.
	for file in kernel/*.[ch] kernel/uapi/*.h; do perl "$checker" -none "$file"; done 2>&1 |
		grep -vE "member '(reserved|pad)[0-9]*'|^kernel/[a-z0-9_]*\.h:.* struct member " | grep . && {
		echo "lint: kernel-doc has complaints" >&2
		exit 1
	}
	echo "lint: kernel-doc is clean"
	break
done

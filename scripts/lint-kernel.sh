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

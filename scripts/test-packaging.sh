#!/usr/bin/env bash
# What module-install lays out, and that DKMS builds a module from it: with dkms itself where it is there, otherwise with the
# command of dkms.conf. Nothing on this machine is changed.
set -uo pipefail
cd "$(dirname "$0")/.."

kernel=${KERNEL:-6.12}
kdir=$PWD/out/guest/$kernel/kdir
work=$PWD/out/packaging
root=$work/root
version=$(sed -n 's/^ *"version": *"\([^"]*\)".*/\1/p' package.json | head -1)
passed=0 failed=0
PATH=$PATH:/usr/sbin:/sbin

check() {
	local what=$1
	shift
	if "$@" >"$work/check.log" 2>&1; then
		passed=$((passed + 1))
		echo "ok - packaging: $what"
	else
		failed=$((failed + 1))
		echo "not ok - packaging: $what"
		tail -20 "$work/check.log"
	fi
}

rm -rf "$work"
mkdir -p "$work"
[ -e "$kdir" ] || kernel/guest/build.sh "$kernel" || { echo "not ok - packaging: there are no headers in $kdir"; echo "0 passed, 1 failed"; exit 1; }

check 'module-install lays the files out' env DESTDIR="$root" scripts/module-install.sh install
source=$root/usr/src/pciem-$version
check 'the udev rule leaves the node to root' \
	grep -qx 'SUBSYSTEM=="misc", KERNEL=="pciem", OWNER="root", GROUP="root", MODE="0600"' \
	"$root/usr/lib/udev/rules.d/60-pciem.rules"
check 'the options are examples' bash -c '! grep -v "^#" "$1" | grep .' _ "$root/etc/modprobe.d/pciem.conf"

parameters() { modinfo -F parm "$1" | sed 's/:.*//' | sort; }
explained() { sed -n "s/^#options $1 \([a-z0-9_]*\)=.*/\1/p" "$root/etc/modprobe.d/pciem.conf" | sort -u; }

# A file that was changed is not written over
options_stay() {
	echo 'options pciem ring_wait_ms=5' >"$root/etc/modprobe.d/pciem.conf"
	DESTDIR=$root scripts/module-install.sh install && grep -q ring_wait_ms=5 "$root/etc/modprobe.d/pciem.conf"
	local status=$?
	cp kernel/packaging/pciem.conf "$root/etc/modprobe.d/pciem.conf"
	return $status
}
check 'changed options stay' options_stay

build_with_dkms() {
	local release
	release=$(cat "out/guest/$kernel/release")
	mkdir -p "$work/dkms"
	dkms build -m pciem -v "$version" -k "$release" --kernelsourcedir "$kdir" --dkmstree "$work/dkms" \
		--sourcetree "$root/usr/src" --no-depmod || { cat "$work/dkms/pciem/$version/build/make.log"; return 1; }
	find "$work/dkms" -name '*pciem.ko*' -exec cp {} "$work/" \;
}

# As dkms does: in a copy of the sources
build_without_dkms() {
	local kernel_source_dir=$kdir
	cp -r "$source" "$work/build"
	# shellcheck disable=SC1091
	. "$work/build/dkms.conf"
	(cd "$work/build" && eval "${MAKE[0]}") || return 1
	local nr
	for nr in "${!BUILT_MODULE_NAME[@]}"; do
		cp "$work/build/${BUILT_MODULE_LOCATION[$nr]:-.}/${BUILT_MODULE_NAME[$nr]}.ko" "$work/" || return 1
	done
}

if command -v dkms >/dev/null && [ "$(id -u)" = 0 ]; then
	check 'dkms builds the module' build_with_dkms
else
	check 'the command of dkms.conf builds the module' build_without_dkms
fi
for module in pciem protopciem; do
	xz -d "$work/$module.ko.xz" 2>/dev/null || true
	zstd -q -d --rm "$work/$module.ko.zst" 2>/dev/null || true
	check "$module is for that kernel" bash -c '[ "$(modinfo -F vermagic "$1" | cut -d" " -f1)" = "$2" ]' _ \
		"$work/$module.ko" "$(cat "out/guest/$kernel/release")"
	check "every parameter of $module is explained" diff <(parameters "$work/$module.ko") <(explained $module)
done

echo "$passed passed, $failed failed"
[ $failed = 0 ]

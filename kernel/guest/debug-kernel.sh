#!/bin/bash
# Builds a kernel that checks its drivers (KASAN, lockdep, kmemleak and the like: debug.config) from Debian's kernel
# source, and our modules for it. Boots with the test guest's image; build.sh comes first.
# Everything is under out/guest/debug-<version>, laid out as out/guest is, so that PCIEM_LAB_GUEST_OUT chooses it.
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
out=${PCIEM_LAB_GUEST_OUT:-$top/out/guest}
kernel=${1:-6.12}

say() { printf 'debug kernel: %s\n' "$*" >&2; }
die() { printf 'debug kernel: error: %s\n' "$*" >&2; exit 1; }

case $kernel in
6.1 | 6.12) ;;
*) die "unknown kernel '$kernel'; 6.1 and 6.12 are accepted" ;;
esac
base=$out/debug-$kernel dir=$out/debug-$kernel/$kernel
[ -e "$out/root.img" ] && [ -e "$out/$kernel/initrd" ] || "$here/build.sh" "$kernel"

for tool in flex bison bc gcc make xz cpio; do
	command -v $tool >/dev/null || die "missing: $tool; install the packages of kernel/guest/host-packages.txt"
done
mkdir -p "$dir"
exec 8>"$base/.building"
flock -n 8 || { say "waiting for another build to finish"; flock -w 7200 8 || die "the other build did not finish"; }

# The source of the kernel that the guest has otherwise; the newest, where Debian has moved on.
image=$(sed -n 's/^linux-image-[0-9][^=]*=//p' "$out/$kernel/packages")
package=linux-source-$kernel
find_deb() { find "$out/deb" -name "${package}_*.deb" 2>/dev/null | sort -V | tail -1; }
deb=$(find_deb)
if [ -z "$deb" ]; then
	[ -e "$out/apt/apt.conf" ] || "$here/build.sh" --update "$kernel"
	export APT_CONFIG=$out/apt/apt.conf
	mkdir -p "$out/deb"
	say "downloading the source (150 MB)"
	(cd "$out/deb" && { timeout 1800 apt-get -q download "$package=$image" || timeout 1800 apt-get -q download "$package"; }) \
		>"$out/apt/download.log" 2>&1 || { tail -5 "$out/apt/download.log" >&2; die "download failed"; }
	deb=$(find_deb)
fi

stamp=$( { basename "$deb"; cat "$here/debug.config"; echo "$base 1"; } | sha256sum | cut -d' ' -f1)
if [ "$(cat "$dir/.kernel" 2>/dev/null)" != "$stamp" ]; then
	tree=$base/linux
	if [ "$(cat "$base/.source" 2>/dev/null)" != "$(basename "$deb")" ]; then
		say "unpacking $(basename "$deb")"
		rm -rf "$tree" && mkdir -p "$tree"
		dpkg-deb --fsys-tarfile "$deb" | tar -xO "./usr/src/$package.tar.xz" | xz -dc -T0 |
			tar -x -C "$tree" --strip-components=1
		basename "$deb" >"$base/.source"
	fi
	cd "$tree"
	make -s KCONFIG_ALLCONFIG="$here/debug.config" allnoconfig >"$base/config.log" 2>&1 ||
		{ tail "$base/config.log" >&2; die "no configuration"; }
	while IFS='=' read -r name value; do
		[ "$value" = n ] && value=
		[ "$(sed -n "s/^$name=//p" .config)" = "$value" ] || say "$name is not $value"
	done < <(grep '^CONFIG_' "$here/debug.config")
	say "compiling (20 minutes on two cores); $base/build.log"
	nice -n 15 make -s -j"$(nproc)" vmlinux modules >"$base/build.log" 2>&1 ||
		{ grep -E 'error|Error' "$base/build.log" | head >&2; die "the kernel does not build"; }
	make -s kernelrelease >"$dir/release"
	rm -rf "$dir/tree"
	make -s modules_install INSTALL_MOD_PATH="$dir/tree" >"$base/install.log" 2>&1 || die "modules_install failed"
	rm -f "$dir"/tree/lib/modules/*/{build,source}
	cp vmlinux "$dir/vmlinux"
	ln -sfn "$tree" "$dir/kdir"
	ln -sfn ../root.img "$base/root.img"
	# The guest's ramdisk without modules: the drivers are in the kernel.
	stage=$base/ramdisk
	rm -rf "$stage" && mkdir -p "$stage"
	(cd "$stage" && cpio --quiet -id --no-absolute-filenames <"$out/$kernel/initrd" && rm -f modules/* && : >modules/order &&
		find . -print0 | sort -z | cpio --quiet --null -o -H newc -R 0:0) >"$dir/initrd"
	rm -rf "$stage"
	echo "$stamp" >"$dir/.kernel"
fi
PCIEM_LAB_GUEST_OUT=$base "$here/build.sh" --modules-only "$kernel" 8>&-
say "ready: Linux $(cat "$dir/release")"

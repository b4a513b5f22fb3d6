#!/bin/bash
# Builds the test guest: kernels, module, userland image and boot ramdisks, under out/guest.
# Every stage leaves a stamp made of its inputs, so a second run does nothing. No root needed; the machine's own
# apt configuration is neither read for sources nor changed.
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
out=${PCIEM_LAB_GUEST_OUT:-$top/out/guest}
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
security_mirror=${DEBIAN_SECURITY_MIRROR:-http://deb.debian.org/debian-security}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
all_kernels=(6.1 6.12)

usage() {
	cat <<-USAGE
	usage: kernel/guest/build.sh [--update] [--modules-only] [all | 6.1 | 6.12]...
	  --update        ask Debian again which kernel and package versions are current
	  --modules-only  only rebuild the kernel modules (the images must exist)
	Results are under $out.
	USAGE
}

say() { printf 'guest: %s\n' "$*" >&2; }
die() { printf 'guest: error: %s\n' "$*" >&2; exit 1; }

update=0 modules_only=0 kernels=()
while [ $# -gt 0 ]; do
	case $1 in
	--update) update=1 ;;
	--modules-only) modules_only=1 ;;
	-h | --help) usage; exit 0 ;;
	all) kernels=("${all_kernels[@]}") ;;
	6.1 | 6.12) kernels+=("$1") ;;
	*) usage >&2; die "unknown argument '$1'; kernels are: ${all_kernels[*]}" ;;
	esac
	shift
done
[ ${#kernels[@]} -gt 0 ] || kernels=("${all_kernels[@]}")

# mke2fs, depmod and modprobe live in sbin, which is not in every user's PATH.
PATH=$PATH:/usr/sbin:/sbin
missing=()
for tool in apt-get dpkg-deb mke2fs cpio depmod modprobe xz gcc make flock tar sha256sum; do
	command -v "$tool" >/dev/null || missing+=("$tool")
done
[ -r "$keyring" ] || missing+=("$keyring")
[ ${#missing[@]} -eq 0 ] ||
	die "missing: ${missing[*]}; install the packages of kernel/guest/host-packages.txt"

mkdir -p "$out"
exec 9>"$out/.lock"
flock -n 9 || { say "waiting for another build to finish"; flock -w 1800 9 || die "the other build did not finish"; }

# --- the stamps -----------------------------------------------------------------------------------------------
fresh() { [ -e "$1" ] && [ "$(cat "$1")" = "$2" ]; }
digest() { sha256sum | cut -d' ' -f1; }

# --- a private apt --------------------------------------------------------------------------------------------
apt_dir=$out/apt
setup_apt() {
	mkdir -p "$apt_dir"/{state/lists/partial,cache/archives/partial,parts}
	: >"$apt_dir/state/status"
	cat >"$apt_dir/sources.list" <<-SOURCES
	deb [signed-by=$keyring] $mirror bookworm main
	deb [signed-by=$keyring] $mirror bookworm-updates main
	deb [signed-by=$keyring] $security_mirror bookworm-security main
	deb [signed-by=$keyring] $mirror bookworm-backports main
	SOURCES
	{
		# Proxies and clock checks are the machine's business; nothing else of its configuration is.
		env -u APT_CONFIG apt-config dump | grep -E '^Acquire::(http|https|ftp)(::| )|^Acquire::Check-' || true
		cat <<-CONF
		Dir::Etc::main "/dev/null";
		Dir::Etc::parts "$apt_dir/parts";
		Dir::Etc::sourcelist "$apt_dir/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		Dir::State "$apt_dir/state";
		Dir::State::status "$apt_dir/state/status";
		Dir::Cache "$apt_dir/cache";
		APT::Architecture "amd64";
		APT::Architectures { "amd64"; };
		APT::Install-Recommends "false";
		APT::Sandbox::User "";
		Acquire::Languages "none";
		Acquire::Retries "3";
		CONF
	} >"$apt_dir/apt.conf"
	export APT_CONFIG=$apt_dir/apt.conf
}

lists_updated=0
update_lists() {
	[ $lists_updated = 0 ] || return 0
	setup_apt
	say "reading Debian's package lists"
	timeout 300 apt-get -q update >"$apt_dir/update.log" 2>&1 ||
		{ tail -5 "$apt_dir/update.log" >&2; die "apt-get update failed; is $mirror reachable?"; }
	lists_updated=1
}

# Prints the packages that installing $@ on an empty system would bring, as name=version.
closure() {
	apt-get -s install --no-install-recommends "$@" 2>"$apt_dir/resolve.log" |
		sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1=\2/p'
}

download() {
	mkdir -p "$out/deb"
	(cd "$out/deb" && timeout 1800 apt-get -q download "$@" >"$apt_dir/download.log" 2>&1) ||
		{ tail -5 "$apt_dir/download.log" >&2; die "download failed"; }
}

# The file that apt-get download makes of name=version (a colon in the version becomes %3a).
deb_file() {
	local name=${1%%=*} version=${1#*=}
	local found
	for found in "$out/deb/${name}_${version//:/%3a}"_*.deb; do
		[ -e "$found" ] && { echo "$found"; return; }
	done
	return 1
}

fetch() {
	local wanted=() package
	for package in "$@"; do
		deb_file "$package" >/dev/null || wanted+=("$package")
	done
	[ ${#wanted[@]} -eq 0 ] && return
	say "downloading ${#wanted[@]} packages"
	download "${wanted[@]}"
}

extract() {
	local file
	file=$(deb_file "$2") || die "no file for package $2"
	dpkg-deb --fsys-tarfile "$file" | tar -x -C "$1" --keep-directory-symlink --no-same-owner
}

# --- kernels --------------------------------------------------------------------------------------------------
# Written once per kernel: out/guest/<kernel>/packages, the exact packages in use.
resolve_kernel() {
	local kernel=$1 dir=$out/$1
	[ -s "$dir/packages" ] && [ $update = 0 ] && return
	update_lists
	mkdir -p "$dir"
	local target=()
	[ "$kernel" = 6.12 ] && target=(-t bookworm-backports)
	closure "${target[@]}" linux-image-amd64 linux-headers-amd64 |
		grep -E '^linux-(image|headers)-[0-9]|^linux-kbuild-|^linux-compiler-' >"$dir/packages.new" || true
	grep -q "^linux-image-${kernel//./\\.}\." "$dir/packages.new" ||
		die "Debian offers no $kernel kernel: $(grep -h -E '^(E:|W:)' "$apt_dir/resolve.log" | head -3)"
	mv "$dir/packages.new" "$dir/packages"
}

# Leaves: $dir/tree (modules, headers), $dir/vmlinuz, $dir/release, $dir/kdir (a KDIR= for out-of-tree builds).
prepare_kernel() {
	local kernel=$1 dir=$out/$1 packages stamp
	resolve_kernel "$kernel"
	mapfile -t packages <"$dir/packages"
	stamp=$( { cat "$dir/packages"; echo "$out 6"; } | digest)
	fresh "$dir/.kernel" "$stamp" && return
	[ $lists_updated = 1 ] || update_lists
	fetch "${packages[@]}"
	say "unpacking kernel $kernel"
	rm -rf "$dir/tree" "$dir/kdir"
	mkdir -p "$dir/tree"
	ln -s usr/lib "$dir/tree/lib"
	mkdir -p "$dir/tree/usr/lib"
	local package release
	for package in "${packages[@]}"; do extract "$dir/tree" "$package"; done
	release=$(ls "$dir/tree/usr/lib/modules")
	echo "$release" >"$dir/release"
	cp "$dir/tree/boot/vmlinuz-$release" "$dir/vmlinuz"
	unpack_vmlinux "$dir/vmlinuz" "$dir/vmlinux"
	# Debian's header packages name each other by absolute path.
	local src=$dir/tree/usr/src headers=$dir/tree/usr/src/linux-headers-$release
	sed -i "s,/usr/src/,$src/,g" "$headers/Makefile" "$headers/.kernelvariables"
	ln -s "$headers" "$dir/kdir"
	prune_modules "$dir/tree/usr/lib/modules/$release"
	# modprobe in the guest and insmod in the ramdisk load plain files fastest, and busybox knows no xz.
	find "$dir/tree/usr/lib/modules/$release" -name '*.ko.xz' -print0 | xargs -0 -r -n 64 -P "$(nproc)" xz -d
	depmod -b "$dir/tree" "$release"
	echo "$stamp" >"$dir/.kernel"
}

# A kernel that unpacks itself under emulation needs 1 to 3 s for it; QEMU loads the plain one as well (PVH).
unpack_vmlinux() {
	local from=$1 to=$2 setup_sectors offset length tool
	setup_sectors=$(od -An -tu1 -j $((0x1f1)) -N1 "$from")
	offset=$(((setup_sectors + 1) * 512 + $(od -An -tu4 -j $((0x248)) -N4 "$from")))
	# The last four bytes are the unpacked size.
	length=$(($(od -An -tu4 -j $((0x24c)) -N4 "$from") - 4))
	rm -f "$to"
	for tool in 'xz -dcq --single-stream' 'zstd -dcq'; do
		command -v "${tool%% *}" >/dev/null || continue
		# What comes out is looked at, not the status: tail always finds its pipe closed.
		tail -c +$((offset + 1)) "$from" 2>/dev/null | head -c $length | $tool >"$to.new" 2>/dev/null || true
		if [ "$(head -c 4 "$to.new" | od -An -tx1 | tr -d ' ')" = 7f454c46 ]; then
			mv "$to.new" "$to"
			return
		fi
	done
	rm -f "$to.new"
	say "the kernel stays packed (zstd is not installed?)"
}

# Hardware that no test guest has would triple the image.
prune_modules() {
	local k=$1/kernel part
	rm -f "$1/build" "$1/source"
	for part in drivers/media drivers/net/wireless drivers/net/can drivers/net/wwan drivers/infiniband \
		drivers/staging drivers/iio drivers/isdn drivers/hwmon drivers/leds drivers/mmc drivers/usb \
		drivers/net/usb drivers/net/ethernet/{mellanox,chelsio,broadcom,qlogic,cisco,sfc,sun,marvell,netronome} \
		drivers/gpu/drm/{amd,nouveau,i915,radeon,xe,vmwgfx} drivers/scsi drivers/message drivers/platform \
		drivers/bluetooth net/{bluetooth,wireless,mac80211,batman-adv,sctp,tipc,rds,openvswitch,netfilter} \
		net/{ipv4,ipv6,bridge}/netfilter sound/{soc,usb,firewire,isa} \
		fs/{ocfs2,gfs2,ceph,smb,cifs,nfs,nfsd,afs,coda,jfs,reiserfs,nilfs2,ubifs,btrfs,bcachefs}; do
		rm -rf "${k:?}/$part"
	done
	# A person's keys and mouse come through uinput; there is no other input device.
	find "$k/drivers/input" -name '*.ko*' ! -name 'evdev.ko*' ! -name 'uinput.ko*' -delete
}

# --- our modules ----------------------------------------------------------------------------------------------
# kernel/ is built from a copy, so that both kernels (and a build by hand) never share object files.
build_modules() {
	local kernel=$1 dir=$out/$1 build=$out/$1/build
	[ -e "$top/kernel/Makefile" ] || { say "kernel/Makefile is not there: no modules for $kernel"; mkdir -p "$dir/modules"; return; }
	mkdir -p "$build" "$dir/modules"
	# Copied only where it differs, so that make sees what changed; what is gone from kernel/ goes here too.
	local file
	(cd "$top/kernel" && find . -path ./guest -prune -o -type f \
		! -name '*.o' ! -name '*.ko' ! -name '*.cmd' ! -name '*.mod' ! -name '*.mod.c' \
		! -name modules.order ! -name Module.symvers ! -name '.*' -print) | sort >"$dir/sources"
	if [ -e "$dir/sources.last" ]; then
		comm -13 "$dir/sources" "$dir/sources.last" | while read -r file; do rm -f "$build/$file"; done
	fi
	while read -r file; do
		cmp -s "$top/kernel/$file" "$build/$file" && continue
		mkdir -p "$build/$(dirname "$file")"
		cp -p "$top/kernel/$file" "$build/$file"
		touch "$build/$file"
	done <"$dir/sources"
	mv "$dir/sources" "$dir/sources.last"
	say "building the modules for $kernel"
	nice make -s -C "$build" KDIR="$dir/kdir" -j"$(nproc)" >"$dir/build.log" 2>&1 ||
		{ tail -40 "$dir/build.log" >&2; die "the modules do not build for $kernel; all of it: $dir/build.log"; }
	grep -E 'warning:|WARNING:' "$dir/build.log" >&2 || true
	rm -rf "$dir/modules.new"
	mkdir -p "$dir/modules.new"
	find "$build" -name '*.ko' -exec cp -p {} "$dir/modules.new/" \;
	rm -rf "$dir/modules"
	mv "$dir/modules.new" "$dir/modules"
	say "modules for $kernel: $(cd "$dir/modules" && echo *.ko)"
}

# --- the userland image ---------------------------------------------------------------------------------------
resolve_userland() {
	[ -s "$out/packages" ] && [ $update = 0 ] && [ "$out/packages" -nt "$here/guest-packages.txt" ] && return
	update_lists
	local wanted
	mapfile -t wanted < <(sed 's/#.*//; /^ *$/d' "$here/guest-packages.txt")
	# Interpreters and account tools come in through maintainer scripts, which never run here. X draws with the CPU, so
	# that Mesa's drivers (140 MB) are left out; there is no udev, and no sound.
	closure "${wanted[@]}" |
		grep -v -E '^(lib)?python3|^perl|^libperl|^lib(number|text|file|locale)-.*-perl|^(dpkg|debconf|usrmerge|adduser|passwd|media-types|init-system-helpers|udev|keyboard-configuration)=' |
		grep -v -E '^(libllvm[0-9]+|libz3-4|libgl1-mesa-dri|lib(egl|glx)-mesa0|timgm6mb-soundfont)=' \
			>"$out/packages.new"
	grep -q '^fio=' "$out/packages.new" || die "could not resolve the guest's packages: $(tail -3 "$apt_dir/resolve.log")"
	mv "$out/packages.new" "$out/packages"
}

# This machine's node, so that the lab in the guest runs on what it was built with.
copy_node() {
	local root=$1 node lib name host_libc guest_libc
	node=$(readlink -f "$(command -v node)")
	mkdir -p "$root/usr/local/bin"
	cp "$node" "$root/usr/local/bin/node"
	host_libc=$(ldd --version | sed -n '1s/.* //p')
	guest_libc=$(sed -n 's/^libc6=\([0-9.]*\).*/\1/p' "$out/packages")
	ldd "$node" | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\/.*ld-linux/ { print $1 }' | while read -r lib; do
		name=$(basename "$lib")
		# A newer C library of the host also serves the guest's older programs, never the other way round.
		if [ -n "$(find "$root/usr/lib" -name "$name" -print -quit)" ] &&
			[ "$(printf '%s\n%s\n' "$host_libc" "$guest_libc" | sort -V | tail -1)" = "$guest_libc" ]; then
			continue
		fi
		if [ "${name#ld-linux}" != "$name" ]; then
			cp -fL "$lib" "$root/usr/lib64/$name"
			find "$root/usr/lib/x86_64-linux-gnu" -name "$name" -exec cp -fL "$lib" {} \;
		else
			cp -fL "$lib" "$root/usr/lib/x86_64-linux-gnu/$name"
		fi
	done
}

build_image() {
	local node stamp kernel size
	resolve_userland
	node=$(command -v node) || die "node is not in PATH"
	stamp=$( { cat "$out/packages"; for kernel in "${all_kernels[@]}"; do cat "$out/$kernel/packages" 2>/dev/null; done
		stat -L -c '%n %s %Y' "$node"; sha256sum <"$here/build.sh"; } | digest)
	fresh "$out/.image" "$stamp" && return
	local packages root=$out/root package
	mapfile -t packages <"$out/packages"
	[ $lists_updated = 1 ] || update_lists
	fetch "${packages[@]}"
	say "unpacking ${#packages[@]} packages of userland"
	rm -rf "$root"
	mkdir -p "$root"/usr/{bin,sbin,lib,lib64} "$root"/{dev,proc,sys,run,tmp,mnt,root,lab,etc,var/tmp,var/log}
	for part in bin sbin lib lib64; do ln -s "usr/$part" "$root/$part"; done
	for package in "${packages[@]}"; do extract "$root" "$package"; done
	rm -rf "$root"/usr/share/{doc,man,locale,lintian,bug,info,icons,pixmaps} "$root"/usr/lib/x86_64-linux-gnu/gconv
	# One game will do.
	rm -f "$root"/usr/share/games/doom/freedoom2.wad "$root"/usr/lib/xorg/modules/libglamoregl.so
	chmod -R u+rwX "$root"
	copy_node "$root"
	echo 'root:x:0:0:root:/root:/bin/bash' >"$root/etc/passwd"
	echo 'root:x:0:' >"$root/etc/group"
	echo 'pciem-guest' >"$root/etc/hostname"
	printf '127.0.0.1 localhost pciem-guest\n' >"$root/etc/hosts"
	ln -sf /proc/self/mounts "$root/etc/mtab"
	mkdir -p "$root/etc/vim"
	# What maintainer scripts would have linked.
	ln -sf dash "$root/usr/bin/sh"
	ln -sf gawk "$root/usr/bin/awk"
	ln -sf vim.tiny "$root/usr/bin/vi"
	local applet
	for applet in clear halt nc poweroff reboot time watch wget which xxd; do
		[ -e "$root/usr/bin/$applet" ] || ln -s busybox "$root/usr/bin/$applet"
	done
	printf 'export PS1="guest:\\w# "\nexport PATH=/usr/local/bin:/usr/bin:/usr/sbin\n' >"$root/root/.bashrc"
	mkdir -p "$root/usr/lib/modules"
	for kernel in "${all_kernels[@]}"; do
		[ -e "$out/$kernel/release" ] && cp -a "$out/$kernel/tree/usr/lib/modules/." "$root/usr/lib/modules/"
	done
	size=$(( $(du -sm --apparent-size "$root" | cut -f1) * 12 / 10 + 1024 ))
	say "making the root image ($size MiB, sparse)"
	rm -f "$out/root.img.new"
	# No journal: the image is thrown away after each boot.
	mke2fs -q -t ext4 -b 4096 -O '^has_journal,^metadata_csum' -E root_owner=0:0,lazy_itable_init=1,nodiscard \
		-L guest-root -d "$root" "$out/root.img.new" "${size}M" >/dev/null || die "mke2fs failed"
	mv "$out/root.img.new" "$out/root.img"
	rm -rf "$root"
	echo "$stamp" >"$out/.image"
}

# Static, as the selftests: what runs in the guest is built by this machine's compiler.
build_demo() {
	mkdir -p "$out/demo"
	[ "$out/demo/frames" -nt "$here/demo/frames.c" ] && [ "$out/demo/frames" -nt "$top/kernel/uapi/protopciem.h" ] && return
	gcc -O2 -Wall -Wextra -Werror -static -o "$out/demo/frames.new" "$here/demo/frames.c" ||
		die "the demo does not build; is libc6-dev installed?"
	mv "$out/demo/frames.new" "$out/demo/frames"
}

# --- boot ramdisks --------------------------------------------------------------------------------------------
boot_modules=(virtio_pci virtio_blk virtio_console virtio_net ext4)
build_ramdisk() {
	local kernel=$1 dir=$out/$1 stage=$out/$1/ramdisk release stamp file busybox
	release=$(cat "$dir/release")
	stamp=$( { cat "$dir/.kernel" "$here/init"; sha256sum <"$here/build.sh"; } | digest)
	fresh "$dir/.ramdisk" "$stamp" && [ -e "$dir/initrd" ] && return
	say "making the boot ramdisk for $kernel"
	rm -rf "$stage"
	mkdir -p "$stage"/{bin,dev,proc,sys,newroot,modules,tmp}
	local package busybox_tree=$out/$1/busybox
	package=$(grep '^busybox-static=' "$out/packages")
	rm -rf "$busybox_tree"; mkdir -p "$busybox_tree"
	extract "$busybox_tree" "$package"
	busybox=$(find "$busybox_tree" -path "*bin/busybox" -type f -print -quit)
	cp "$busybox" "$stage/bin/busybox"
	rm -rf "$busybox_tree"
	cp "$here/init" "$stage/init"
	chmod 755 "$stage/init" "$stage/bin/busybox"
	modprobe -d "$dir/tree" -S "$release" --show-depends -a "${boot_modules[@]}" |
		awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$dir/boot-modules"
	[ -s "$dir/boot-modules" ] || die "no boot modules found for $kernel"
	: >"$stage/modules/order"
	while read -r file; do
		cp "$file" "$stage/modules/"
		basename "$file" >>"$stage/modules/order"
	done <"$dir/boot-modules"
	(cd "$stage" && find . -print0 | sort -z | cpio --quiet --null -o -H newc -R 0:0) >"$dir/initrd.new"
	mv "$dir/initrd.new" "$dir/initrd"
	rm -rf "$stage"
	echo "$stamp" >"$dir/.ramdisk"
}

# --------------------------------------------------------------------------------------------------------------
if [ $modules_only = 1 ]; then
	for kernel in "${kernels[@]}"; do
		[ -e "$out/$kernel/kdir" ] || die "no headers for $kernel yet; run without --modules-only first"
		build_modules "$kernel"
	done
	exit 0
fi
for kernel in "${kernels[@]}"; do prepare_kernel "$kernel"; done
build_image
for kernel in "${kernels[@]}"; do build_ramdisk "$kernel"; done
for kernel in "${kernels[@]}"; do build_modules "$kernel"; done
build_demo
say "ready: $(for kernel in "${kernels[@]}"; do printf '%s ' "$(cat "$out/$kernel/release")"; done)"

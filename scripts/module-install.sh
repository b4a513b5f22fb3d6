#!/usr/bin/env bash
# Installs the kernel modules, or takes them away again: through DKMS, which builds it anew for every kernel, or for one kernel
# alone where there is no DKMS.
#
#   scripts/module-install.sh install | uninstall
#
# KDIR     build directory of the kernel to install for (the running one's)
# DESTDIR  only lay the files out there, for a package: nothing is built, loaded or run
set -euo pipefail
cd "$(dirname "$0")/.."

action=${1:-}
dest=${DESTDIR:-}
kdir=${KDIR:-/lib/modules/$(uname -r)/build}
release=$(cat "$kdir/include/config/kernel.release" 2>/dev/null || uname -r)
version=$(sed -n 's/^ *"version": *"\([^"]*\)".*/\1/p' package.json | head -1)
source=/usr/src/pciem-$version
rules=/usr/lib/udev/rules.d/60-pciem.rules
options=/etc/modprobe.d/pciem.conf
docs=/usr/share/doc/pciem

say() { printf 'module: %s\n' "$*"; }
die() { printf 'module: error: %s\n' "$*" >&2; exit 1; }

# depmod and dkms live in sbin, which is not in every user's PATH.
PATH=$PATH:/usr/sbin:/sbin
[ -n "$version" ] || die "package.json names no version"
[ -n "$dest" ] || [ "$(id -u)" = 0 ] || die "this needs root: sudo make module-$action"

has_dkms() { [ -z "$dest" ] && command -v dkms >/dev/null; }

put() { install -D -m "$1" "$2" "$dest$3"; }

lay_out() {
	rm -rf "$dest/usr/src/pciem-$version"
	mkdir -p "$dest$source/uapi" "$dest$source/protopciem"
	cp kernel/*.[ch] kernel/Kbuild kernel/Makefile kernel/COPYING "$dest$source/"
	cp kernel/protopciem/*.[ch] "$dest$source/protopciem/"
	cp kernel/uapi/*.h "$dest$source/uapi/"
	sed "s/@VERSION@/$version/" kernel/dkms.conf >"$dest$source/dkms.conf"
}

lay_out_rules() {
	put 644 kernel/packaging/60-pciem.rules $rules
	put 644 kernel/packaging/pciem-load.conf $docs/pciem-load.conf
	put 644 kernel/packaging/pciem.conf $docs/pciem.conf
	if [ ! -e "$dest$options" ]; then
		put 644 kernel/packaging/pciem.conf $options
	elif ! cmp -s kernel/packaging/pciem.conf "$dest$options"; then
		say "$options is yours and stays as it is; the one of this version is $docs/pciem.conf"
	fi
	if [ -z "$dest" ] && command -v udevadm >/dev/null; then udevadm control --reload 2>/dev/null || true; fi
}

# Versions that DKMS knows
dkms_versions() { dkms status -m pciem 2>/dev/null | sed -n 's,^pciem[/, ]*\([^,: ]*\).*,\1,p' | sort -u; }

dkms_forget() {
	local known
	for known in $(dkms_versions); do
		dkms remove -m pciem -v "$known" --all >/dev/null || die "dkms does not let go of version $known"
	done
}

remove_plain() {
	local file
	# What modules_install left
	for file in /lib/modules/*/updates/pciem.ko* /lib/modules/*/updates/protopciem/protopciem.ko*; do
		[ -e "$file" ] || continue
		rm -f "$file"
		file=${file#/lib/modules/}
		depmod "${file%%/*}"
	done
}

install_module() {
	if [ -n "$dest" ]; then
		lay_out
		lay_out_rules
		say "files are under $dest; a package runs: dkms add, build and install -m pciem -v $version"
		return
	fi
	[ -e "$kdir/Makefile" ] || die "no headers for Linux $release in $kdir; on Debian: apt-get install linux-headers-$release"
	if has_dkms; then
		dkms_forget
		remove_plain
		rm -rf /usr/src/pciem-*
		lay_out
		dkms add -m pciem -v "$version" >/dev/null
		dkms build -m pciem -v "$version" -k "$release" --kernelsourcedir "$kdir" ||
			die "it does not build; see /var/lib/dkms/pciem/$version/build/make.log"
		dkms install -m pciem -v "$version" -k "$release" --force
	else
		build=$(mktemp -d)
		trap 'rm -rf "$build"' EXIT
		cp kernel/*.[ch] kernel/Kbuild kernel/Makefile "$build/"
		cp -r kernel/uapi kernel/protopciem "$build/"
		make -s -C "$build" KDIR="$kdir" WERROR=0 modules
		# Without a key of the kernel's there is nothing to sign with.
		[ -e "$kdir/certs/signing_key.pem" ] || unsigned=CONFIG_MODULE_SIG_ALL=
		make -s -C "$kdir" M="$build" INSTALL_MOD_DIR=updates ${unsigned:-} modules_install
		depmod "$release"
		say "dkms is not there: the module is installed for Linux $release alone. After a kernel update run this again, or"
		say "install the package dkms first and the module follows the kernel by itself."
	fi
	lay_out_rules
	if mokutil --sb-state 2>/dev/null | grep -q enabled; then
		say "Secure Boot is on: the module loads once its signing key is enrolled (docs/kernel.md, Secure Boot)."
	fi
	say "installed; load it with: modprobe pciem"
}

uninstall_module() {
	[ -z "$dest" ] || die "nothing to do for a DESTDIR: delete it"
	if [ -d /sys/module/protopciem ]; then
		modprobe -r protopciem || die "the module protopciem is in use; end the programs that use its cards first"
	fi
	if [ -d /sys/module/pciem ]; then
		modprobe -r pciem || die "the module is in use; power its devices off first"
	fi
	if has_dkms; then dkms_forget; fi
	remove_plain
	rm -rf /usr/src/pciem-* "$rules" "$docs"
	if cmp -s kernel/packaging/pciem.conf $options; then
		rm -f $options
	elif [ -e $options ]; then
		say "$options was changed and stays"
	fi
	say "uninstalled"
}

case $action in
install) install_module ;;
uninstall) uninstall_module ;;
*) die "install and uninstall are accepted, not '$action'" ;;
esac

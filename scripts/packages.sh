#!/usr/bin/env bash
# Installs the Debian packages that building and testing need and that are missing. Says which; without root, names the
# one command to run.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v dpkg-query >/dev/null || {
	echo "packages: this is no Debian or Ubuntu; see kernel/guest/host-packages.txt for what is needed" >&2
	exit 0
}

mapfile -t wanted < <(
	{ cat kernel/guest/host-packages.txt; printf '%s\n' build-essential python3 chromium sparse; } |
		sed -e 's/#.*//' -e 's/[[:space:]]//g' | grep -v '^$' | sort -u
)
missing=()
for package in "${wanted[@]}"; do
	status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
	[[ $status == "install ok installed" ]] || missing+=("$package")
done
((${#missing[@]})) || exit 0

echo "packages: missing on this machine: ${missing[*]}"
install=(apt-get install -y --no-install-recommends "${missing[@]}")
if ((EUID == 0)); then
	[ -n "$(ls -A /var/lib/apt/lists 2>/dev/null | grep -v -e lock -e partial -e auxfiles || true)" ] || apt-get update -q
	DEBIAN_FRONTEND=noninteractive "${install[@]}" -q || {
		apt-get update -q
		DEBIAN_FRONTEND=noninteractive "${install[@]}" -q
	}
elif [ -t 0 ] && command -v sudo >/dev/null; then
	sudo "${install[@]}"
else
	echo "packages: run this as root, then try again: ${install[*]}" >&2
	exit 1
fi

#!/bin/bash
# Starts an X server on the screen of a DRM driver, with the keyboard and mouse that the lab made, and runs a command on it.
#   x.sh [--mode 640x480] DRIVER COMMAND [ARGUMENT...]
# There is no udev in the guest, so that the configuration names what is there.
set -euo pipefail

die() { echo "x: $*" >&2; exit 1; }

mode=640x480
if [ "${1:-}" = --mode ]; then mode=$2; shift 2; fi
[ $# -ge 2 ] || die "usage: x.sh [--mode WIDTHxHEIGHT] DRIVER COMMAND [ARGUMENT...]"
driver=$1; shift

# Prints the node of the first DRM device that $driver drives.
card() {
	local node
	for node in /sys/class/drm/card[0-9]*; do
		case $node in *-*) continue ;; esac
		[ "$(basename "$(readlink -f "$node/device/driver")")" = "$driver" ] || continue
		echo "/dev/dri/${node##*/}"
		return
	done
	return 1
}

# Prints the event node of the newest input device whose name ends in $1.
input() {
	awk -v end="$1\"" '
		/^N: / { found = substr($0, length($0) - length(end) + 1) == end }
		/^H: / && found { for (i = 2; i <= NF; i++) { sub(/^Handlers=/, "", $i); if ($i ~ /^event/) node = $i } }
		END { if (node != "") print "/dev/input/" node; else exit 1 }' /proc/bus/input/devices
}

wait_for() {
	local what=$1 tries; shift
	for ((tries = 0; tries < 200; tries++)); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.05
	done
	die "$what did not appear in 10 s"
}

wait_for "a screen of $driver" card
node=$(card)
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$dir"' EXIT

{
	cat <<-CONF
	Section "ServerFlags"
		Option "AutoAddDevices" "false"
		Option "AutoEnableDevices" "true"
		Option "AutoAddGPU" "false"
		Option "DontVTSwitch" "true"
		Option "DontZap" "true"
		Option "BlankTime" "0"
		Option "StandbyTime" "0"
		Option "SuspendTime" "0"
		Option "OffTime" "0"
	EndSection
	Section "Extensions"
		Option "GLX" "Disable"
		Option "DPMS" "Disable"
	EndSection
	Section "Device"
		Identifier "card"
		Driver "modesetting"
		Option "kmsdev" "$node"
		Option "AccelMethod" "none"
	EndSection
	Section "Screen"
		Identifier "screen"
		Device "card"
		DefaultDepth 24
		SubSection "Display"
			Depth 24
			Modes "$mode"
		EndSubSection
	EndSection
	CONF
	devices=
	for kind in keyboard mouse; do
		event=$(input " $kind") || continue
		[ $kind = keyboard ] && core=CoreKeyboard || core=CorePointer
		cat <<-CONF
		Section "InputDevice"
			Identifier "$kind"
			Driver "evdev"
			Option "Device" "$event"
			Option "AccelProfile" "flat"
			Option "AccelerationScheme" "none"
		EndSection
		CONF
		devices+="	InputDevice \"$kind\" \"$core\""$'\n'
	done
	printf 'Section "ServerLayout"\n\tIdentifier "layout"\n\tScreen "screen"\n%sEndSection\n' "$devices"
} >"$dir/xorg.conf"

# The server writes its number to this file once it takes programs.
Xorg -displayfd 3 -config "$dir/xorg.conf" -logfile "${X_LOG:-/tmp/Xorg.log}" -novtswitch -nolisten tcp -noreset \
	-s 0 -keeptty vt1 3>"$dir/display" >"$dir/said" 2>&1 &
server=$!
for ((tries = 0; tries < 600; tries++)); do
	[ ! -s "$dir/display" ] || break
	kill -0 $server 2>/dev/null || { server=; cat "$dir/said" >&2; die "the X server ended"; }
	sleep 0.05
done
[ -s "$dir/display" ] || die "the X server took no programs after 30 s"
DISPLAY=:$(cat "$dir/display")
export DISPLAY
# Programs ask for the map before the first key, when the server still has one of another kind of keyboard: no arrow keys.
setxkbmap -rules evdev -model pc105 -layout us
echo "x: the screen of $driver is $DISPLAY"
"$@"

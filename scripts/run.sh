#!/usr/bin/env bash
# Opens the lab: in Electron where its binary is there, otherwise headless with the browser as its window.
set -euo pipefail
cd "$(dirname "$0")/.."

host=auto kernel=6.12 port=7440 device=nvme demo=
for argument in "$@"; do
	case $argument in
	--host=*) host=${argument#*=} ;;
	--kernel=*) kernel=${argument#*=} ;;
	--port=*) port=${argument#*=} ;;
	--device=*) device=${argument#*=} ;;
	--demo=*) demo=${argument#*=} ;;
	*)
		echo "run: $argument is not known; --host= --kernel= --port= --device= --demo= are" >&2
		exit 2
		;;
	esac
done

electron=node_modules/electron/dist/electron
if [ -x "$electron" ] && [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
	exec "$electron" . --host="$host" --kernel="$kernel" ${device:+--device="$device"} ${demo:+--demo="$demo"}
fi
[ -x "$electron" ] || echo "Electron's binary is not on this machine: this is the headless shell, in a window of the browser."
exec node out/lab/server.js --host "$host" --kernel "$kernel" --port "$port" ${device:+--device "$device"} ${demo:+--demo "$demo"} --open

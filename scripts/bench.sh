#!/usr/bin/env bash
# Measures our disk beside a RAM disk in one guest, the trap path beside untrapped accesses, the trace store, pictures from
# the driver to the canvas beside memcpy(), and the window
# (`--window`: that alone).
set -euo pipefail
cd "$(dirname "$0")/.."
npx rolldown e2e/bench/window.ts --platform node --format esm --external playwright-core --external ws -o out/bench/window.js >/dev/null
if [ "${1:-}" = --window ]; then
	shift
	exec node out/bench/window.js "$@"
fi
npx rolldown e2e/bench/main.ts --platform node --format esm --external playwright-core --external ws -o out/bench/main.js >/dev/null
status=0
node out/bench/main.js "$@" || status=$?
node out/bench/window.js || status=$?
exit $status

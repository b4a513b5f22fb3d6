#!/usr/bin/env bash
# Measures our disk beside a RAM disk in one guest, the trap path beside untrapped accesses, and the trace store.
set -euo pipefail
cd "$(dirname "$0")/.."
npx rolldown e2e/bench/main.ts --platform node --format esm --external playwright-core -o out/bench/main.js >/dev/null
exec node out/bench/main.js "$@"

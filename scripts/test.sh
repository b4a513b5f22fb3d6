#!/usr/bin/env bash
# Runs the suites named, counts what passed and failed over all of them, and ends in one line that says so.
set -uo pipefail
cd "$(dirname "$0")/.."
mkdir -p out/test

passed=0 failed=0 broken=() # broken: what is said again at the end, where one looks first

# Adds the counts of the JUnit report $1; a suite without a report has failed as one.
count() {
	local name=$1 report=$2 status=$3 counted
	if counted=$(node scripts/count-report.mjs "$report"); then
		read -r ok bad <<<"$counted"
		[ "$bad" -eq 0 ] || broken+=("$(tail -n +2 <<<"$counted")")
		passed=$((passed + ok)) failed=$((failed + bad))
		[ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || {
			failed=$((failed + 1))
			broken+=("failed: $name: exit status $status")
		}
	else
		failed=$((failed + 1))
		broken+=("failed: $name: no report, exit status $status")
	fi
}

vitest() {
	local name=$1
	shift
	rm -f "out/test/$name.xml"
	nice -n 5 npx vitest run --reporter=default --reporter=junit --outputFile.junit="out/test/$name.xml" "$@"
	count "$name" "out/test/$name.xml" $?
}

for suite in "$@"; do
	echo "== $suite"
	make --no-print-directory build >out/test/build.log 2>&1 || {
		cat out/test/build.log
		echo "build failed"
		echo "0 passed, 1 failed"
		exit 1
	}
	case $suite in
	unit) vitest unit ;;
	native) : ;; # Its unit tests run with the others; its tests against the module run in the guest.
	kernel)
		output=$(make --no-print-directory -C kernel/tests/decode test 2>&1)
		status=$?
		tail -n 15 <<<"$output"
		packaging=$(nice -n 5 scripts/test-packaging.sh 2>&1) || status=1
		echo "$packaging"
		read -r ok bad < <(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' <<<"$output"$'\n'"$packaging" |
			awk '{ ok += $1; bad += $2 } END { if (NR) print ok, bad }')
		while read -r line; do broken+=("failed: kernel: $line"); done < <(grep '^not ok' <<<"$output"$'\n'"$packaging")
		if [ -z "${ok:-}" ] || { [ $status -ne 0 ] && [ "$bad" -eq 0 ]; }; then
			failed=$((failed + 1))
			broken+=("failed: kernel: exit status $status")
		else
			passed=$((passed + ok)) failed=$((failed + bad))
		fi
		;;
	guest) vitest guest --config e2e/guest/vitest.config.ts ;;
	e2e)
		rm -f out/test/e2e.xml
		PLAYWRIGHT_JUNIT_OUTPUT_FILE=out/test/e2e.xml nice -n 5 npx playwright test --config e2e/playwright.config.ts ${GREP:+--grep "$GREP"}
		count e2e out/test/e2e.xml $?
		;;
	*)
		echo "test: there is no suite $suite" >&2
		exit 2
		;;
	esac
done

for line in "${broken[@]}"; do echo "$line"; done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

#!/bin/bash
# In the debug guest: the self-tests, the attacker, then kmemleak. Exit status 1 when anything failed or was reported.
failed=0
# Leaks of the kernel's start are not ours.
[ -e /sys/kernel/debug/kmemleak ] && echo clear >/sys/kernel/debug/kmemleak

# What was reported is wanted whole, so reports do not end the checks after the first of them.
PCIEM_ATTACK_SECONDS=2 /lab/selftests/run.sh "$@" || failed=1
if [ "${PCIEM_ATTACK_SECONDS:-0}" -gt 0 ] && [ $# = 0 ]; then
	echo "# the attacker, for $PCIEM_ATTACK_SECONDS s"
	/lab/selftests/run.sh attack || failed=1
fi

# lockdep switches itself off after a report, and when its tables are full: then it did not look.
if grep -q 'debug_locks: *1' /proc/lockdep_stats; then
	echo "ok - lockdep was on to the end"
else
	echo "not ok - lockdep was on to the end"
	failed=1
fi

# Twice: what was freed late, or moved between the two looks, is no leak.
for look in 1 2; do
	sleep 6
	echo scan >/sys/kernel/debug/kmemleak
done
if [ -s /sys/kernel/debug/kmemleak ]; then
	echo "not ok - kmemleak finds nothing"
	cat /sys/kernel/debug/kmemleak
	failed=1
else
	echo "ok - kmemleak finds nothing"
fi
exit $failed

// SPDX-License-Identifier: MIT
#include "clock.h"

#include <time.h>

#include <mutex>

namespace pciem {
namespace {

constexpr uint64_t kCalibration = 200000;   // ns; good enough for spin limits
constexpr uint64_t kTrustFrom = 20000000;   // ns since the first look, from when on the rate is known well
constexpr uint64_t kResync = 10000000;      // ns between looks at the kernel's clock

struct Look {
  uint64_t ns;
  uint64_t ticks;
};

// The two read as close together as they come in a few tries.
Look LookAtClock() {
  Look best = {};
  uint64_t shortest = UINT64_MAX;
  for (int tries = 0; tries < 3; tries++) {
    const uint64_t before = Ticks();
    const uint64_t ns = KernelNow();
    const uint64_t after = Ticks();
    if (after - before < shortest) {
      shortest = after - before;
      best = {ns, before + (after - before) / 2};
    }
  }
  return best;
}

struct ThreadClock {
  Look first = {};
  Look last = {};
  double ns_per_tick = 0;
  uint64_t resync_ticks = 0;
  uint64_t given = 0;
};

}  // namespace

uint64_t KernelNow() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000ULL + static_cast<uint64_t>(now.tv_nsec);
}

double TicksPerMicrosecond() {
  static double rate = 0;
  static std::once_flag once;
  std::call_once(once, [] {
    const Look start = LookAtClock();
    Look end;
    do {
      end = LookAtClock();
    } while (end.ns - start.ns < kCalibration);
    rate = static_cast<double>(end.ticks - start.ticks) * 1000 / static_cast<double>(end.ns - start.ns);
    if (!(rate > 0)) rate = 1000;
  });
  return rate;
}

uint64_t Now() {
  static thread_local ThreadClock clock;
  const uint64_t ticks = Ticks();
  uint64_t now;
  if (clock.resync_ticks != 0 && ticks - clock.last.ticks < clock.resync_ticks) {
    now = clock.last.ns + static_cast<uint64_t>(static_cast<double>(ticks - clock.last.ticks) * clock.ns_per_tick);
  } else {
    const Look look = LookAtClock();
    if (clock.first.ns == 0) clock.first = look;
    const uint64_t known = look.ns - clock.first.ns;
    // Also when the counter stood still or jumped, as it may when the machine slept.
    if (known >= kTrustFrom && look.ticks > clock.first.ticks) {
      clock.ns_per_tick = static_cast<double>(known) / static_cast<double>(look.ticks - clock.first.ticks);
      clock.resync_ticks = static_cast<uint64_t>(kResync / clock.ns_per_tick);
      // The rate of the last minutes, not of all time.
      if (known > 300000000000ULL) clock.first = clock.last;
    }
    clock.last = look;
    now = look.ns;
  }
  if (now < clock.given) now = clock.given;
  clock.given = now;
  return now;
}

}  // namespace pciem

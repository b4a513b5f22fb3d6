// SPDX-License-Identifier: MIT
#include "ring.h"

#include <poll.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "clock.h"
#include "wake.h"

namespace pciem {
namespace {

// A spin is tried from this much credit on.
constexpr int kSpinFrom = 4;
constexpr int kMaxCredit = 8;
constexpr int kMaxPenalty = 64;
// Microseconds that a spin may always last, and how often it may last the price of a wake-up.
constexpr double kSpinFloor = 10;
constexpr double kSpinPerWakeUp = 4;
// A wake-up that took longer, in microseconds, says more about the machine's load than about its price.
constexpr double kWakeUpCeiling = 500;
// Looks at the ring between looks at the clock.
constexpr int kLooks = 32;

inline void Pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

void Ring::Attach(void* memory, uint32_t slots) {
  ring_ = static_cast<pciem_wide_ring*>(memory);
  slots_ = slots;
  head_ = __atomic_load_n(&ring_->head, __ATOMIC_RELAXED);
  TicksPerMicrosecond();
}

void Ring::Detach() {
  ring_ = nullptr;
  slots_ = 0;
}

bool Ring::HasEvent() const { return __atomic_load_n(&ring_->tail, __ATOMIC_ACQUIRE) != head_; }

size_t Ring::Drain(uint8_t* into, size_t capacity) {
  const uint64_t tail = __atomic_load_n(&ring_->tail, __ATOMIC_ACQUIRE);
  const size_t count = std::min<size_t>(std::min<uint64_t>(tail - head_, slots_), capacity);
  if (count == 0) return 0;
  const size_t at = head_ & (slots_ - 1);
  const size_t first = std::min<size_t>(count, slots_ - at);
  std::memcpy(into, &ring_->events[at], first * sizeof(pciem_wide_event));
  if (count > first) {
    std::memcpy(into + first * sizeof(pciem_wide_event), ring_->events, (count - first) * sizeof(pciem_wide_event));
  }
  head_ += count;
  __atomic_store_n(&ring_->head, head_, __ATOMIC_RELEASE);
  return count;
}

uint64_t Ring::lost() const { return __atomic_load_n(&ring_->lost, __ATOMIC_RELAXED); }

// Spinning saves the price of a sleep and a wake-up when the next event is near, and otherwise takes a CPU from the
// driver that would cause it. So it lasts no longer than a few times that price, and is earned: each event that came
// (or would have come) within the limit gives credit, a late one takes some, and a spin in vain takes all of it and,
// each time in a row, makes it dearer to try again.
int Ring::Wait(int device_fd, int wake_fd, double timeout_ms, double spin_us) {
  if (!(spin_us > 0)) {
    counters_.sleeps++;
    return Sleep(device_fd, wake_fd, timeout_ms);
  }

  const double worthwhile = std::max(kSpinFloor, kSpinPerWakeUp * wake_up_us_);
  const uint64_t limit = static_cast<uint64_t>(std::min(spin_us, worthwhile) * TicksPerMicrosecond());
  const uint64_t start = Ticks();
  if (credit_ >= kSpinFrom) {
    bool met = false;
    do {
      for (int look = 0; look < kLooks && !met; look++) {
        met = HasEvent();
        Pause();
      }
    } while (!met && Ticks() - start < limit);
    // Once more: the time may have run out because another thread had the CPU.
    if (met || HasEvent()) {
      counters_.spin_hits++;
      credit_ = std::min(credit_ + 1, kMaxCredit);
      penalty_ = 1;
      return 0;
    }
    counters_.spin_misses++;
    credit_ = kSpinFrom - penalty_;
    penalty_ = std::min(penalty_ * 2, kMaxPenalty);
    return Sleep(device_fd, wake_fd, timeout_ms);
  }

  counters_.sleeps++;
  const int error = Sleep(device_fd, wake_fd, timeout_ms);
  if (error == 0) Learn(start, limit);
  return error;
}

// After a sleep: what did the wake-up cost, and would a spin have met the event? Its time stamp tells both.
void Ring::Learn(uint64_t started, uint64_t limit) {
  bool near = false;
  if (HasEvent()) {
    const double elapsed = static_cast<double>(Ticks() - started);
    const uint64_t now = Now();
    const uint64_t at = ring_->events[head_ & (slots_ - 1)].event.timestamp;
    const double late_us = at < now ? static_cast<double>(now - at) / 1000 : 0;
    wake_up_us_ += (std::min(late_us, kWakeUpCeiling) - wake_up_us_) / 8;
    near = elapsed - late_us * TicksPerMicrosecond() <= static_cast<double>(limit);
  }
  if (near) {
    credit_++;
  } else if (credit_ > 0) {
    credit_--;
  }
}

int Ring::Sleep(int device_fd, int wake_fd, double timeout_ms) {
  pollfd fds[2] = {{device_fd, POLLIN, 0}, {wake_fd, POLLIN, 0}};
  const bool forever = timeout_ms < 0 || std::isinf(timeout_ms);
  const double bounded = forever ? 0 : std::min(timeout_ms, 1e9);
  uint64_t deadline = 0;
  timespec left = {static_cast<time_t>(bounded / 1000), static_cast<long>(std::fmod(bounded, 1000) * 1e6)};

  for (;;) {
    const int ready = ppoll(fds, 2, forever ? nullptr : &left, nullptr);
    if (ready >= 0) break;
    if (errno != EINTR) return errno;
    if (forever) continue;
    // Linux has updated nothing that we may rely on: count the time that is left ourselves.
    const uint64_t now = KernelNow();
    if (deadline == 0) deadline = now + static_cast<uint64_t>(bounded * 1e6);
    if (now >= deadline) return 0;
    left.tv_sec = static_cast<time_t>((deadline - now) / 1000000000ULL);
    left.tv_nsec = static_cast<long>((deadline - now) % 1000000000ULL);
  }

  if (fds[1].revents & POLLIN) DrainWakeFd(wake_fd);
  if (fds[0].revents & POLLNVAL) return EBADF;
  if ((fds[0].revents & (POLLERR | POLLHUP)) && !(fds[0].revents & POLLIN) && !HasEvent()) return ENODEV;
  return 0;
}

}  // namespace pciem

// SPDX-License-Identifier: MIT
// The consumer's end of the shared event ring.
#pragma once

#include <pciem.h>

#include <cstddef>
#include <cstdint>

namespace pciem {

class Ring {
 public:
  // Takes over a mapping of PCIEM_WIDE_RING_BYTES(slots).
  void Attach(void* memory, uint32_t slots);
  void Detach();
  bool attached() const { return ring_ != nullptr; }
  void* memory() const { return ring_; }
  size_t bytes() const { return PCIEM_WIDE_RING_BYTES(static_cast<size_t>(slots_)); }

  // Copies up to `capacity` events, oldest first, and gives their slots back.
  size_t Drain(uint8_t* into, size_t capacity);
  uint64_t lost() const;

  // Waits for the first event: spins while that has been worth it lately, then sleeps until an event, a write to
  // `wake_fd`, or the time-out (negative: none). Returns 0 or an errno; whether there is an event, Drain says.
  int Wait(int device_fd, int wake_fd, double timeout_ms, double spin_us);

  // For measurements: waits that found their event by spinning, waits that span in vain, waits that slept.
  struct Counters {
    uint64_t spin_hits = 0;
    uint64_t spin_misses = 0;
    uint64_t sleeps = 0;
  };
  const Counters& counters() const { return counters_; }
  double wake_up_us() const { return wake_up_us_; }

 private:
  bool HasEvent() const;
  int Sleep(int device_fd, int wake_fd, double timeout_ms);
  void Learn(uint64_t started, uint64_t spin_ticks);

  pciem_wide_ring* ring_ = nullptr;
  uint32_t slots_ = 0;
  // Our own copy: the mapping is writable, and only this one indexes it.
  uint64_t head_ = 0;

  // How much the recent past speaks for spinning; see Wait.
  int credit_ = 0;
  int penalty_ = 1;
  // Running mean of the time from an event to the end of the sleep that it ended, microseconds.
  double wake_up_us_ = 0;
  Counters counters_;
};

}  // namespace pciem

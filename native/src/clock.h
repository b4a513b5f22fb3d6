// SPDX-License-Identifier: MIT
// Time that costs no system call. Where the kernel's clock is slow (a guest whose TSC is not trusted reads its clock
// through an emulated timer, 5 to 9 us a time), a device that stamps each record would spend itself on it.
#pragma once

#include <cstdint>

namespace pciem {

// CLOCK_MONOTONIC, ns, from the kernel.
uint64_t KernelNow();

// A counter of constant rate.
inline uint64_t Ticks() {
#if defined(__x86_64__) || defined(__i386__)
  return __builtin_ia32_rdtsc();
#else
  return KernelNow();
#endif
}

double TicksPerMicrosecond();

// CLOCK_MONOTONIC, ns: carried forward with the counter, and set by the kernel's clock again every few milliseconds.
// Never goes back within a thread.
uint64_t Now();

}  // namespace pciem

// SPDX-License-Identifier: MIT
#include "wake.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <mutex>
#include <vector>

namespace pciem {
namespace {

// Shared by all threads of the process, and never destroyed: workers may end after static destructors ran.
struct Pool {
  std::mutex mutex;
  std::vector<int> idle;
};

Pool& SharedPool() {
  static Pool* pool = new Pool;
  return *pool;
}

}  // namespace

int BorrowWakeFd() {
  Pool& pool = SharedPool();
  {
    std::lock_guard<std::mutex> guard(pool.mutex);
    if (!pool.idle.empty()) {
      const int fd = pool.idle.back();
      pool.idle.pop_back();
      DrainWakeFd(fd);
      return fd;
    }
  }
  return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

void ReturnWakeFd(int fd) {
  Pool& pool = SharedPool();
  std::lock_guard<std::mutex> guard(pool.mutex);
  pool.idle.push_back(fd);
}

void DrainWakeFd(int fd) {
  uint64_t count;
  // Non-blocking: EAGAIN when nothing was written.
  [[maybe_unused]] ssize_t done = read(fd, &count, sizeof(count));
}

}  // namespace pciem

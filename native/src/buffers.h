// SPDX-License-Identifier: MIT
// JavaScript memory that transfers name by number.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pciem {

class Buffers {
 public:
  // Holds `buffer` (the ArrayBuffer) so that `data` stays valid. Numbers of released ones are used again.
  // Returns false when Node-API refused; an exception is then pending or the environment is ending.
  bool Add(napi_env env, napi_value buffer, uint8_t* data, size_t length, uint32_t* id);
  bool Release(napi_env env, uint64_t id);
  void Clear(napi_env env);

  enum class Problem { kNone, kNoSuchBuffer, kOutside, kDetached };
  // Address of `length` bytes at `offset`. A buffer is asked once a `turn` whether JavaScript gave its memory away.
  Problem Resolve(napi_env env, uint64_t id, uint64_t offset, uint64_t length, uint64_t turn, uint64_t* address) {
    if (id >= entries_.size() || entries_[id].data == nullptr) return Problem::kNoSuchBuffer;
    Entry& entry = entries_[id];
    if (length > entry.length || offset > entry.length - length) return Problem::kOutside;
    if (entry.turn != turn) {
      if (!Attached(env, entry)) return Problem::kDetached;
      entry.turn = turn;
    }
    *address = reinterpret_cast<uint64_t>(entry.data) + offset;
    return Problem::kNone;
  }

 private:
  struct Entry {
    uint8_t* data = nullptr;
    size_t length = 0;
    uint64_t turn = 0;
    napi_ref buffer = nullptr;
  };
  static bool Attached(napi_env env, const Entry& entry);

  std::vector<Entry> entries_;
  std::vector<uint32_t> free_;
};

}  // namespace pciem

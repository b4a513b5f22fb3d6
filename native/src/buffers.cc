// SPDX-License-Identifier: MIT
#include "buffers.h"

namespace pciem {

bool Buffers::Add(napi_env env, napi_value buffer, uint8_t* data, size_t length, uint32_t* id) {
  Entry entry;
  entry.data = data;
  entry.length = length;
  if (napi_create_reference(env, buffer, 1, &entry.buffer) != napi_ok) return false;
  if (free_.empty()) {
    *id = static_cast<uint32_t>(entries_.size());
    entries_.push_back(entry);
  } else {
    *id = free_.back();
    free_.pop_back();
    entries_[*id] = entry;
  }
  return true;
}

bool Buffers::Release(napi_env env, uint64_t id) {
  if (id >= entries_.size() || entries_[id].data == nullptr) return false;
  napi_delete_reference(env, entries_[id].buffer);
  entries_[id] = Entry{};
  free_.push_back(static_cast<uint32_t>(id));
  return true;
}

void Buffers::Clear(napi_env env) {
  for (Entry& entry : entries_) {
    if (entry.buffer != nullptr) napi_delete_reference(env, entry.buffer);
  }
  entries_.clear();
  free_.clear();
}

bool Buffers::Attached(napi_env env, const Entry& entry) {
  napi_value buffer;
  bool detached = true;
  return napi_get_reference_value(env, entry.buffer, &buffer) == napi_ok && buffer != nullptr &&
         napi_is_detached_arraybuffer(env, buffer, &detached) == napi_ok && !detached;
}

}  // namespace pciem

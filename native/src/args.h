// SPDX-License-Identifier: MIT
// Arguments of one call, checked. A getter that returns false has left an exception that names call and argument.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace pciem {

constexpr uint64_t kMaxSafeInteger = (1ULL << 53) - 1;

// `value` as an unsigned integer of at most `max`.
inline bool ToInteger(double value, uint64_t max, uint64_t* out) {
  *out = 0;
  if (!(value >= 0 && value <= static_cast<double>(max))) return false;
  *out = static_cast<uint64_t>(value);
  return static_cast<double>(*out) == value;
}

class Args {
 public:
  static constexpr size_t kMax = 9;

  // `call` is the method's name in JavaScript.
  Args(napi_env env, napi_callback_info info, const char* call) : env_(env), call_(call) {
    napi_get_cb_info(env, info, &count_, values_, &self_, nullptr);
  }

  napi_env env() const { return env_; }
  napi_value self() const { return self_; }
  const char* call() const { return call_; }
  size_t count() const { return count_; }
  napi_value operator[](size_t index) const { return values_[index]; }
  bool Has(size_t index) const;

  bool U64(size_t index, const char* name, uint64_t max, uint64_t* out) const {
    double value;
    *out = 0;
    if (index < count_ && napi_get_value_double(env_, values_[index], &value) == napi_ok &&
        ToInteger(value, max, out))
      return true;
    return BadInteger(index, name, max);
  }
  template <typename T>
  bool Unsigned(size_t index, const char* name, uint64_t max, T* out) const {
    uint64_t value = 0;
    const bool good = U64(index, name, max, &value);
    *out = static_cast<T>(value);
    return good;
  }
  // A register value of `size` bytes; negative numbers down to -2^31 are what `|` and `~` give for 32 bits.
  bool Register(size_t index, const char* name, size_t size, uint32_t* out) const;
  bool BigU64(size_t index, const char* name, uint64_t* out) const;
  bool Bool(size_t index, const char* name, bool* out) const;
  bool Int32(size_t index, const char* name, int32_t* out) const;
  bool Double(size_t index, const char* name, double* out) const;
  // Any Uint8Array, Buffer included.
  bool Bytes(size_t index, const char* name, uint8_t** data, size_t* length, napi_value* buffer = nullptr) const;
  bool Doubles(size_t index, const char* name, double** data, size_t* length) const;
  // A number property of an object argument.
  bool Property(size_t index, const char* name, uint64_t max, uint64_t* out) const;

  napi_value TypeError(const std::string& text) const;
  napi_value RangeError(const std::string& text) const;
  napi_value Errno(const char* call, int error, const std::string& detail = {}) const;

  napi_value Undefined() const;
  napi_value Number(double value) const;
  napi_value Boolean(bool value) const;
  napi_value Big(uint64_t value) const;

 private:
  bool BadInteger(size_t index, const char* name, uint64_t max) const;

  napi_env env_;
  const char* call_;
  size_t count_ = kMax;
  napi_value values_[kMax];
  napi_value self_ = nullptr;
};

}  // namespace pciem

// SPDX-License-Identifier: MIT
#include "args.h"

#include <cerrno>
#include <cinttypes>
#include <cstdio>

#include "errors.h"

namespace pciem {
namespace {

constexpr char kHint[] = "The caller passed a wrong argument; the message says what is accepted.";

}  // namespace

bool Args::Has(size_t index) const {
  napi_valuetype type;
  return index < count_ && napi_typeof(env_, values_[index], &type) == napi_ok && type != napi_undefined;
}

napi_value Args::TypeError(const std::string& text) const {
  Throw(env_, ErrorKind::kTypeError, call_, EINVAL, text, kHint);
  return nullptr;
}

napi_value Args::RangeError(const std::string& text) const {
  Throw(env_, ErrorKind::kRangeError, call_, EINVAL, text, kHint);
  return nullptr;
}

napi_value Args::Errno(const char* call, int error, const std::string& detail) const {
  ThrowErrno(env_, call, error, detail);
  return nullptr;
}

bool Args::BadInteger(size_t index, const char* name, uint64_t max) const {
  double value;
  char text[160];
  if (index >= count_ || napi_get_value_double(env_, values_[index], &value) != napi_ok) {
    std::snprintf(text, sizeof(text), "%s must be a number", name);
    TypeError(text);
  } else {
    std::snprintf(text, sizeof(text), "%s must be an integer from 0 to %" PRIu64 ", not %.17g", name, max, value);
    RangeError(text);
  }
  return false;
}

bool Args::Register(size_t index, const char* name, size_t size, uint32_t* out) const {
  double value;
  *out = 0;
  if (index >= count_ || napi_get_value_double(env_, values_[index], &value) != napi_ok) {
    TypeError(std::string(name) + " must be a number");
    return false;
  }
  const double top = size >= 4 ? 4294967295.0 : static_cast<double>((1U << (8 * size)) - 1);
  const double bottom = size >= 4 ? -2147483648.0 : 0;
  if (value >= bottom && value <= top) {
    const int64_t integer = static_cast<int64_t>(value);
    if (static_cast<double>(integer) == value) {
      *out = static_cast<uint32_t>(integer);
      return true;
    }
  }
  char text[160];
  std::snprintf(text, sizeof(text), "%s must be an integer that fits %zu bytes, not %.17g", name, size, value);
  RangeError(text);
  return false;
}

bool Args::BigU64(size_t index, const char* name, uint64_t* out) const {
  bool lossless = false;
  napi_valuetype type;
  *out = 0;
  if (index >= count_ || napi_typeof(env_, values_[index], &type) != napi_ok || type != napi_bigint) {
    TypeError(std::string(name) + " must be a bigint");
    return false;
  }
  if (napi_get_value_bigint_uint64(env_, values_[index], out, &lossless) == napi_ok && lossless) return true;
  RangeError(std::string(name) + " must be from 0n to 2n ** 64n - 1n");
  return false;
}

bool Args::Bool(size_t index, const char* name, bool* out) const {
  if (index < count_ && napi_get_value_bool(env_, values_[index], out) == napi_ok) return true;
  TypeError(std::string(name) + " must be a boolean");
  return false;
}

bool Args::Int32(size_t index, const char* name, int32_t* out) const {
  double value;
  if (index < count_ && napi_get_value_double(env_, values_[index], &value) == napi_ok &&
      value >= -2147483648.0 && value <= 2147483647.0) {
    *out = static_cast<int32_t>(value);
    if (static_cast<double>(*out) == value) return true;
  }
  TypeError(std::string(name) + " must be an integer of 32 bits");
  return false;
}

bool Args::Double(size_t index, const char* name, double* out) const {
  if (index < count_ && napi_get_value_double(env_, values_[index], out) == napi_ok && *out == *out) return true;
  TypeError(std::string(name) + " must be a number");
  return false;
}

bool Args::Bytes(size_t index, const char* name, uint8_t** data, size_t* length, napi_value* buffer) const {
  napi_typedarray_type type;
  void* memory;
  if (index < count_ &&
      napi_get_typedarray_info(env_, values_[index], &type, length, &memory, buffer, nullptr) == napi_ok &&
      type == napi_uint8_array) {
    *data = static_cast<uint8_t*>(memory);
    return true;
  }
  TypeError(std::string(name) + " must be a Uint8Array");
  return false;
}

bool Args::Doubles(size_t index, const char* name, double** data, size_t* length) const {
  napi_typedarray_type type;
  void* memory;
  if (index < count_ &&
      napi_get_typedarray_info(env_, values_[index], &type, length, &memory, nullptr, nullptr) == napi_ok &&
      type == napi_float64_array) {
    *data = static_cast<double*>(memory);
    return true;
  }
  TypeError(std::string(name) + " must be a Float64Array");
  return false;
}

bool Args::Property(size_t index, const char* name, uint64_t max, uint64_t* out) const {
  napi_valuetype type;
  if (index >= count_ || napi_typeof(env_, values_[index], &type) != napi_ok || type != napi_object) {
    TypeError("the argument must be an object");
    return false;
  }
  napi_value property;
  if (napi_get_named_property(env_, values_[index], name, &property) != napi_ok) return false;
  double value;
  if (napi_get_value_double(env_, property, &value) != napi_ok) {
    TypeError(std::string(name) + " must be a number");
    return false;
  }
  if (ToInteger(value, max, out)) return true;
  char text[160];
  std::snprintf(text, sizeof(text), "%s must be an integer from 0 to 0x%" PRIx64 ", not %.17g", name, max, value);
  RangeError(text);
  return false;
}

napi_value Args::Undefined() const {
  napi_value value = nullptr;
  napi_get_undefined(env_, &value);
  return value;
}

napi_value Args::Number(double number) const {
  napi_value value = nullptr;
  napi_create_double(env_, number, &value);
  return value;
}

napi_value Args::Boolean(bool flag) const {
  napi_value value = nullptr;
  napi_get_boolean(env_, flag, &value);
  return value;
}

napi_value Args::Big(uint64_t number) const {
  napi_value value = nullptr;
  napi_create_bigint_uint64(env_, number, &value);
  return value;
}

}  // namespace pciem

// SPDX-License-Identifier: MIT
// Every failure reaches JavaScript as an Error with `code`, `errno`, `syscall` and `hint`.
#pragma once

#include <node_api.h>

#include <string>

namespace pciem {

enum class ErrorKind { kError, kTypeError, kRangeError };

// Leaves an exception pending. `detail` may be empty; the hint is looked up when none is given.
void Throw(napi_env env, ErrorKind kind, const char* call, int error, const std::string& detail,
           const char* hint = nullptr);

// A system call or ioctl that failed.
inline void ThrowErrno(napi_env env, const char* call, int error, const std::string& detail = {}) {
  Throw(env, ErrorKind::kError, call, error, detail);
}

}  // namespace pciem

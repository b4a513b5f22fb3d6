// SPDX-License-Identifier: MIT
// Loaded once a thread: nothing here is shared between threads but the wake-up eventfds.
#include <napi.h>

#include "device.h"
#include "files.h"

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  if (pciem::Device::Define(env, exports)) pciem::DefineFileCalls(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(pciem, Init)

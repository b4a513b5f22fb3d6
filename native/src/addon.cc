// SPDX-License-Identifier: MIT
// Loaded once a thread: nothing here is shared between threads but the wake-up eventfds.
#include <napi.h>

#include "clock.h"
#include "device.h"
#include "files.h"
#include "input.h"

namespace {

napi_value MonotonicNow(napi_env env, napi_callback_info) {
  napi_value result = nullptr;
  napi_create_double(env, static_cast<double>(pciem::Now()), &result);
  return result;
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  const napi_property_descriptor now = {
      "monotonicNow", nullptr, MonotonicNow, nullptr, nullptr, nullptr, napi_default_method, nullptr};
  if (pciem::Device::Define(env, exports) && pciem::InputDevice::Define(env, exports) &&
      pciem::DefineFileCalls(env, exports))
    napi_define_properties(env, exports, 1, &now);
  return exports;
}

}  // namespace

NODE_API_MODULE(pciem, Init)

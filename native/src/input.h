// SPDX-License-Identifier: MIT
// The JavaScript class InputDevice: one input device made with uinput. Mechanism only: what it has and what it says are
// numbers of linux/input-event-codes.h, which the caller chooses.
#pragma once

#include <napi.h>

#include "args.h"

namespace pciem {

class InputDevice : public Napi::ObjectWrap<InputDevice> {
 public:
  static bool Define(Napi::Env env, Napi::Object exports);
  explicit InputDevice(const Napi::CallbackInfo& info);
  ~InputDevice() override;

 private:
  static napi_value Create(napi_env env, napi_callback_info info);
  static napi_value Emit(napi_env env, napi_callback_info info);
  static napi_value CloseCall(napi_env env, napi_callback_info info);

  // The object behind a call; nullptr with an exception when it is closed.
  static InputDevice* From(const Args& args);
  void Close();

  int fd_ = -1;
};

}  // namespace pciem

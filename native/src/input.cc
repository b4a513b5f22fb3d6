// SPDX-License-Identifier: MIT
#include "input.h"

#include <fcntl.h>
#include <linux/uinput.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "errors.h"

namespace pciem {
namespace {

// Of the events in one call; a person makes a handful at once.
constexpr size_t kMaxEvents = 256;
constexpr size_t kEventDoubles = 3;

int Ioctl(int fd, unsigned long request, unsigned long argument) {
  int result;
  do {
    result = ioctl(fd, request, argument);
  } while (result < 0 && errno == EINTR);
  return result;
}

struct Kind {
  unsigned type;
  unsigned long request;
  const char* name;
  uint64_t max;
};
constexpr Kind kKinds[] = {
    {EV_KEY, UI_SET_KEYBIT, "keys", KEY_MAX},
    {EV_REL, UI_SET_RELBIT, "relative", REL_MAX},
};

}  // namespace

bool InputDevice::Define(Napi::Env env, Napi::Object exports) {
  const std::vector<Napi::ClassPropertyDescriptor<InputDevice>> properties = {
      napi_property_descriptor{"create", nullptr, Create, nullptr, nullptr, nullptr, napi_default_method, nullptr},
      napi_property_descriptor{"emit", nullptr, Emit, nullptr, nullptr, nullptr, napi_default_method, nullptr},
      napi_property_descriptor{"close", nullptr, CloseCall, nullptr, nullptr, nullptr, napi_default_method, nullptr}};
  Napi::Function constructor = DefineClass(env, "InputDevice", properties);
  if (env.IsExceptionPending()) return false;
  exports.Set("InputDevice", constructor);
  return !env.IsExceptionPending();
}

InputDevice::InputDevice(const Napi::CallbackInfo& info) : Napi::ObjectWrap<InputDevice>(info) {
  std::string path = "/dev/uinput";
  if (info.Length() > 0 && !info[0].IsUndefined()) {
    if (!info[0].IsString()) {
      Throw(info.Env(), ErrorKind::kTypeError, "openInput", EINVAL, "the path must be a string",
            "Give the path of the node.");
      return;
    }
    path = info[0].As<Napi::String>().Utf8Value();
  }
  // Nobody is made to wait for a reader: a full queue of events loses them, and says so to the reader.
  fd_ = open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd_ < 0) ThrowErrno(info.Env(), "openInput", errno, path);
}

// The kernel releases what is held down when the device goes.
InputDevice::~InputDevice() { Close(); }

void InputDevice::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

InputDevice* InputDevice::From(const Args& args) {
  InputDevice* device = nullptr;
  if (napi_unwrap(args.env(), args.self(), reinterpret_cast<void**>(&device)) != napi_ok || device == nullptr) {
    args.TypeError("the receiver is no InputDevice");
    return nullptr;
  }
  if (device->fd_ < 0) {
    ThrowErrno(args.env(), args.call(), EBADF, "the input device is closed");
    return nullptr;
  }
  return device;
}

// create(name, keys, relative): from here on programs see it.
napi_value InputDevice::Create(napi_env env, napi_callback_info info) {
  const Args args(env, info, "create");
  InputDevice* device = From(args);
  if (device == nullptr) return nullptr;
  struct uinput_setup setup = {};
  setup.id.bustype = BUS_VIRTUAL;
  size_t length = 0;
  if (!args.Has(0) || napi_get_value_string_utf8(env, args[0], setup.name, sizeof(setup.name), &length) != napi_ok ||
      length == 0)
    return args.TypeError("name must be text");
  // All is checked before the kernel is told any of it.
  std::vector<unsigned long> codes[std::size(kKinds)];
  for (size_t i = 0; i < std::size(kKinds); i++) {
    double* values;
    size_t count;
    if (!args.Doubles(i + 1, kKinds[i].name, &values, &count)) return nullptr;
    for (size_t at = 0; at < count; at++) {
      uint64_t code;
      if (!ToInteger(values[at], kKinds[i].max, &code))
        return args.RangeError(std::string(kKinds[i].name) + " are integers from 0 to " +
                               std::to_string(kKinds[i].max));
      codes[i].push_back(code);
    }
  }
  for (size_t i = 0; i < std::size(kKinds); i++) {
    if (!codes[i].empty() && Ioctl(device->fd_, UI_SET_EVBIT, kKinds[i].type) < 0)
      return args.Errno("UI_SET_EVBIT", errno);
    for (const unsigned long code : codes[i]) {
      if (Ioctl(device->fd_, kKinds[i].request, code) < 0) return args.Errno("UI_SET_BIT", errno);
    }
  }
  if (Ioctl(device->fd_, UI_DEV_SETUP, reinterpret_cast<unsigned long>(&setup)) < 0)
    return args.Errno("UI_DEV_SETUP", errno);
  if (Ioctl(device->fd_, UI_DEV_CREATE, 0) < 0) return args.Errno("UI_DEV_CREATE", errno);
  return args.Undefined();
}

// emit(events): type, code and value of each, in one report.
napi_value InputDevice::Emit(napi_env env, napi_callback_info info) {
  const Args args(env, info, "emit");
  InputDevice* device = From(args);
  if (device == nullptr) return nullptr;
  double* values;
  size_t length;
  if (!args.Doubles(0, "events", &values, &length)) return nullptr;
  if (length % kEventDoubles != 0 || length / kEventDoubles > kMaxEvents)
    return args.RangeError("events are three numbers each, " + std::to_string(kMaxEvents) + " events at most");
  struct input_event events[kMaxEvents + 1] = {};
  const size_t count = length / kEventDoubles;
  for (size_t at = 0; at < count; at++) {
    const double* event = values + at * kEventDoubles;
    uint64_t type, code;
    if (!ToInteger(event[0], EV_MAX, &type) || !ToInteger(event[1], KEY_MAX, &code) ||
        !(event[2] >= INT32_MIN && event[2] <= INT32_MAX))
      return args.RangeError("event " + std::to_string(at) + " is no type, code and value of 32 bits");
    events[at].type = static_cast<uint16_t>(type);
    events[at].code = static_cast<uint16_t>(code);
    events[at].value = static_cast<int32_t>(event[2]);
  }
  events[count].type = EV_SYN;
  events[count].code = SYN_REPORT;
  const ssize_t bytes = static_cast<ssize_t>((count + 1) * sizeof(struct input_event));
  ssize_t written;
  do {
    written = write(device->fd_, events, static_cast<size_t>(bytes));
  } while (written < 0 && errno == EINTR);
  if (written != bytes) return args.Errno("writeInput", written < 0 ? errno : EIO);
  return args.Undefined();
}

napi_value InputDevice::CloseCall(napi_env env, napi_callback_info info) {
  const Args args(env, info, "close");
  InputDevice* device;
  if (napi_unwrap(env, args.self(), reinterpret_cast<void**>(&device)) == napi_ok) device->Close();
  return args.Undefined();
}

}  // namespace pciem

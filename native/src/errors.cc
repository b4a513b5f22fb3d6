// SPDX-License-Identifier: MIT
#include "errors.h"

#include <cerrno>
#include <cstring>

namespace pciem {
namespace {

struct Hint {
  const char* call;  // nullptr: any
  int error;
  const char* text;
};

// The first match counts, so calls with a reason of their own come before the general one.
constexpr Hint kHints[] = {
    {"open", ENOENT, "The kernel module is not loaded: run `sudo modprobe pciem`, or `sudo insmod pciem.ko` from kernel/."},
    {"open", ENXIO, "The node is left over from a module that is gone: run `sudo modprobe pciem`."},
    {"open", ENODEV, "The node is left over from a module that is gone: run `sudo modprobe pciem`."},
    {"open", EACCES, "The node is for root: run as root, or give your group access to it with a udev rule."},
    {"open", EPERM, "The node is for root: run as root, or give your group access to it with a udev rule."},
    {"open", EBUSY, "Another program holds the node: close it first."},
    {"mmap", ENOMEM, "This process has no address space or memory left for the mapping: raise `ulimit -v`, or use smaller BARs."},
    {"mmap", EINVAL, "The module refused the mapping: module and binding may be of different versions."},
    {"PCIEM_IOC_CREATE_DEVICE", EBUSY, "This function was created already."},
    {"PCIEM_IOC_CREATE_DEVICE", EINVAL, "Functions are 0 to 7, and flags choose a bus that the module knows."},
    {"PCIEM_IOC_ADD_BAR", ENOMEM, "A BAR has at most 256 MiB, and takes memory: use a smaller one, or close another device."},
    {"PCIEM_IOC_ADD_BAR", EINVAL, "BAR indexes are 0 to 5, sizes are powers of two, and a 64-bit BAR takes the next index too."},
    {"PCIEM_IOC_ADD_BAR", EBUSY, "The BAR exists already, or is the upper half of a 64-bit one."},
    {"PCIEM_IOC_ADD_CAPABILITY", EINVAL, "An MSI-X table and its pending bits must lie inside an existing BAR, at multiples of 8."},
    {"PCIEM_IOC_SETUP_RING", EBUSY, "The ring's size is chosen before the device is registered."},
    {"PCIEM_IOC_SETUP_RING", EINVAL, "Slots are a power of two from 256 to 65536."},
    {"PCIEM_IOC_REGISTER", EBUSY, "The slot on the host's bus is taken: ask for another one, or for any."},
    {"PCIEM_IOC_REGISTER", EINVAL, "A device is registered once, and needs a function 0."},
    {"PCIEM_IOC_REGISTER", ENOMEM, "No address space or memory is left for the device: close another one, or use smaller BARs."},
    {"PCIEM_IOC_REGISTER", ENOSPC, "The host's bus has no address space left for the device's BARs: use smaller ones, or a bus of its own."},
    {"PCIEM_IOC_START", EALREADY, "The device was started already."},
    {"PCIEM_IOC_START", EINVAL, "A device is registered before it is started."},
    {"PCIEM_IOC_TRACE_BAR", ENXIO, "The function has no such BAR."},
    {"PCIEM_IOC_TRACE_BAR", EINVAL, "A BAR is traced once, before the device is started."},
    {"PCIEM_IOC_TRACE_RANGE", ENXIO, "The function has no such BAR."},
    {"PCIEM_IOC_TRACE_RANGE", EINVAL, "A range lies inside its BAR and has at least one byte."},
    {"PCIEM_IOC_TRACE_RANGE", ENOSPC, "A BAR has at most 64 ranges; neighbours with equal flags count as one."},
    {"PCIEM_IOC_SET_COMPLETION_TIMEOUT", EINVAL, "The time is from 1 microsecond to 10 seconds."},
    {"PCIEM_IOC_SET_EVENTS", EINVAL, "Kinds of events are those that the module's features name; choose the ring's size before."},
    {"PCIEM_IOC_GET_BAR_INFO", ENOENT, "The function has no such BAR."},
    {"PCIEM_IOC_SET_INTX", EINVAL, "The function has no INTx pin."},
    {"PCIEM_IOC_SET_INTX", ENODEV, "A pin is driven once the device is started, and while it is on the bus."},
    {"PCIEM_IOC_P2P", EACCES, "The address is in no BAR of a synthetic device and outside the module's `p2p_regions` parameter, or bus mastering is off."},
    {"wait", EINVAL, "Register the device first."},
    {"openInput", ENOENT, "The kernel has no input devices of programs: run `sudo modprobe uinput`."},
    {"openInput", ENODEV, "The kernel has no input devices of programs: run `sudo modprobe uinput`."},
    {"openInput", ENXIO, "The kernel has no input devices of programs: run `sudo modprobe uinput`."},
    {"openInput", EACCES, "Run as root, or give your group access to /dev/uinput with a udev rule."},
    {"openInput", EPERM, "Run as root, or give your group access to /dev/uinput with a udev rule."},
    {"UI_SET_EVBIT", ENOTTY, "The node is none of uinput; it is /dev/uinput."},
    {"UI_DEV_SETUP", ENOTTY, "The node is none of uinput; it is /dev/uinput."},
    {"create", EBADF, "The input device is closed; make a new one."},
    {"emit", EBADF, "The input device is closed; make a new one."},
    {"writeInput", EINVAL, "An input device is created before it says anything."},
    {"writeInput", ENODEV, "An input device is created before it says anything."},
    {"UI_DEV_SETUP", EINVAL, "An input device is created once, with a name."},
    {"UI_DEV_CREATE", EINVAL, "An input device is created once, with a name."},
    {"lockFile", EBADF, "Locking a file for writing needs it open for writing."},
    {nullptr, EBADF, "The device is closed; open a new one."},
    {nullptr, ENOTTY, "This module does not know the call: load the module that was built with this program."},
    {nullptr, ENODEV, "The device has left the bus, or has no such function: power it on again."},
    {nullptr, ENOMEM, "The machine is out of memory or address space: close another device."},
    {nullptr, EMFILE, "This process has too many files open: raise `ulimit -n`."},
    {nullptr, ENFILE, "The machine has too many files open."},
    {nullptr, EACCES, "Run as root, or as a member of the group that owns the node."},
    {nullptr, EPERM, "Run as root, or as a member of the group that owns the node."},
};

const char* FindHint(const char* call, int error) {
  for (const Hint& hint : kHints) {
    if (hint.error == error && (hint.call == nullptr || std::strcmp(hint.call, call) == 0)) return hint.text;
  }
  return "See `dmesg` for what the module says.";
}

void Set(napi_env env, napi_value object, const char* name, const char* text) {
  napi_value value;
  if (napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value) == napi_ok)
    napi_set_named_property(env, object, name, value);
}

}  // namespace

void Throw(napi_env env, ErrorKind kind, const char* call, int error, const std::string& detail,
           const char* hint) {
  const char* name = strerrorname_np(error);
  std::string code = name != nullptr ? name : "E" + std::to_string(error);
  std::string text = std::string(call) + ": ";
  if (kind == ErrorKind::kError) {
    text += code + ", " + strerrordesc_np(error);
    if (!detail.empty()) text += " (" + detail + ")";
  } else {
    text += detail;
  }

  napi_value message, object, number;
  if (napi_create_string_utf8(env, text.data(), text.size(), &message) != napi_ok) return;
  napi_status status = kind == ErrorKind::kTypeError    ? napi_create_type_error(env, nullptr, message, &object)
                       : kind == ErrorKind::kRangeError ? napi_create_range_error(env, nullptr, message, &object)
                                                        : napi_create_error(env, nullptr, message, &object);
  if (status != napi_ok) return;
  Set(env, object, "code", code.c_str());
  Set(env, object, "syscall", call);
  Set(env, object, "hint", hint != nullptr ? hint : FindHint(call, error));
  if (napi_create_int32(env, error, &number) == napi_ok) napi_set_named_property(env, object, "errno", number);
  napi_throw(env, object);
}

}  // namespace pciem

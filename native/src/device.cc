// SPDX-License-Identifier: MIT
#include "device.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "errors.h"
#include "wake.h"

namespace pciem {
namespace {

constexpr size_t kStepDoubles = 6;
constexpr uint32_t kMaxMappings = 65536;

std::string Hex(uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof(text), "0x%" PRIx64, value);
  return text;
}

size_t PageSize() {
  static const size_t size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

bool SetNumber(napi_env env, napi_value object, const char* name, double number) {
  napi_value value;
  return napi_create_double(env, number, &value) == napi_ok &&
         napi_set_named_property(env, object, name, value) == napi_ok;
}

}  // namespace

bool Device::Define(Napi::Env env, Napi::Object exports) {
#define CALLBACK(js, method)                                   \
  [](napi_env env, napi_callback_info info) -> napi_value {    \
    const Args args(env, info, js);                            \
    Device* device = From(args);                               \
    return device != nullptr ? device->method(args) : nullptr; \
  }
#define METHOD_AS(js, method) \
  napi_property_descriptor{js, nullptr, CALLBACK(js, method), nullptr, nullptr, nullptr, napi_default_method, nullptr},
#define METHOD(name) METHOD_AS(#name, name)
#define GETTER(name) \
  napi_property_descriptor{#name, nullptr, nullptr, CALLBACK(#name, name), nullptr, nullptr, napi_default, nullptr},
  const std::vector<Napi::ClassPropertyDescriptor<Device>> properties = {
      PCIEM_METHODS(METHOD) PCIEM_GETTERS(GETTER) METHOD_AS("register", registerDevice) napi_property_descriptor{
          "close", nullptr, CloseCall, nullptr, nullptr, nullptr, napi_default_method, nullptr}};
#undef GETTER
#undef METHOD
#undef METHOD_AS
#undef CALLBACK
  Napi::Function constructor = DefineClass(env, "PciemDevice", properties);
  if (env.IsExceptionPending()) return false;
  exports.Set("PciemDevice", constructor);
  return !env.IsExceptionPending();
}

Device::Device(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Device>(info), env_(info.Env()) {
  path_ = "/dev/pciem";
  if (info.Length() > 0 && !info[0].IsUndefined()) {
    if (!info[0].IsString()) {
      Throw(env_, ErrorKind::kTypeError, "open", EINVAL, "the path must be a string", "Give the path of the node.");
      return;
    }
    path_ = info[0].As<Napi::String>().Utf8Value();
  }
  fd_ = open(path_.c_str(), O_RDWR | O_CLOEXEC);
  if (fd_ < 0) {
    ThrowErrno(env_, "open", errno, path_);
    return;
  }
  // Until it is asked this, the module takes us for an old program, to which it says less of what is wrong.
  pciem_version version = {};
  ioctl(fd_, PCIEM_IOC_GET_VERSION, &version);
  wake_fd_ = BorrowWakeFd();
  if (wake_fd_ < 0) {
    const int error = errno;
    Close();
    ThrowErrno(env_, "eventfd", error);
  }
}

// Runs on garbage collection and when the thread ends, by itself or terminated: the device then leaves the bus.
Device::~Device() { Close(); }

// What was given out of it is empty from here on.
void Device::TakeBack(Bar& bar) {
  if (bar.view == nullptr) return;
  napi_value view = nullptr;
  if (napi_get_reference_value(env_, bar.view, &view) == napi_ok && view != nullptr) napi_detach_arraybuffer(env_, view);
  napi_delete_reference(env_, bar.view);
  bar.view = nullptr;
}

void Device::Close() {
  // Mappings and the instance hold references too: the device goes with the last.
  for (auto& function : bars_) {
    for (Bar& bar : function) {
      TakeBack(bar);
      if (bar.memory != nullptr) munmap(const_cast<uint8_t*>(bar.memory), bar.mapped);
      bar = Bar{};
    }
  }
  if (ring_.attached()) {
    munmap(ring_.memory(), ring_.bytes());
    ring_.Detach();
  }
  if (instance_fd_ >= 0) close(instance_fd_);
  instance_fd_ = -1;
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
  if (wake_fd_ >= 0) ReturnWakeFd(wake_fd_);
  wake_fd_ = -1;
  buffers_.Clear(env_);
  segments_ = {};
}

napi_value Device::CloseCall(napi_env env, napi_callback_info info) {
  const Args args(env, info, "close");
  Device* device;
  if (napi_unwrap(env, args.self(), reinterpret_cast<void**>(&device)) == napi_ok) device->Close();
  return args.Undefined();
}

Device* Device::From(const Args& args) {
  Device* device = nullptr;
  if (napi_unwrap(args.env(), args.self(), reinterpret_cast<void**>(&device)) != napi_ok || device == nullptr) {
    args.TypeError("the receiver is no PciemDevice");
    return nullptr;
  }
  if (device->fd_ < 0) {
    ThrowErrno(args.env(), args.call(), EBADF, "the device is closed");
    return nullptr;
  }
  return device;
}

int Device::Ioctl(unsigned long request, void* argument) const {
  int result;
  do {
    result = ioctl(fd_, request, argument);
  } while (result < 0 && errno == EINTR);
  return result;
}

napi_value Device::Call(const Args& args, const char* name, unsigned long request, void* argument,
                        const std::string& detail) const {
  if (Ioctl(request, argument) < 0) return args.Errno(name, errno, detail);
  return args.Undefined();
}

#define CALL(name, argument, ...) Call(args, #name, name, argument, ##__VA_ARGS__)

bool Device::Map(const Args& args, int fd, uint64_t offset, size_t length, const std::string& what,
                 void** memory) const {
  *memory = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, static_cast<off_t>(offset));
  if (*memory != MAP_FAILED) return true;
  args.Errno("mmap", errno, what + ", " + std::to_string(length) + " bytes");
  *memory = nullptr;
  return false;
}

bool Device::Func(const Args& args, size_t index, uint8_t* func) const {
  return args.Unsigned(index, "func", PCIEM_MAX_FUNCTIONS - 1, func);
}

napi_value Device::version(const Args& args) {
  pciem_version version = {};
  if (CALL(PCIEM_IOC_GET_VERSION, &version) == nullptr) return nullptr;
  napi_value result;
  if (napi_create_object(env_, &result) != napi_ok) return nullptr;
  SetNumber(env_, result, "abiVersion", version.abi_version);
  SetNumber(env_, result, "features", static_cast<double>(version.features));
  return result;
}

napi_value Device::create(const Args& args) {
  pciem_create_device device = {};
  if (!Func(args, 0, &device.func) || !args.Unsigned(1, "flags", UINT32_MAX, &device.flags)) return nullptr;
  return CALL(PCIEM_IOC_CREATE_DEVICE, &device, "function " + std::to_string(device.func));
}

napi_value Device::setConfig(const Args& args) {
  uint64_t func, vendor, device, subsystem_vendor, subsystem, revision, class_code, header_type;
  if (!args.Property(0, "func", PCIEM_MAX_FUNCTIONS - 1, &func) || !args.Property(0, "vendorId", 0xffff, &vendor) ||
      !args.Property(0, "deviceId", 0xffff, &device) ||
      !args.Property(0, "subsystemVendorId", 0xffff, &subsystem_vendor) ||
      !args.Property(0, "subsystemId", 0xffff, &subsystem) || !args.Property(0, "revision", 0xff, &revision) ||
      !args.Property(0, "classCode", 0xffffff, &class_code) ||
      !args.Property(0, "headerType", 0xff, &header_type))
    return nullptr;
  pciem_config_space config = {};
  config.func = static_cast<uint8_t>(func);
  config.vendor_id = static_cast<uint16_t>(vendor);
  config.device_id = static_cast<uint16_t>(device);
  config.subsys_vendor_id = static_cast<uint16_t>(subsystem_vendor);
  config.subsys_device_id = static_cast<uint16_t>(subsystem);
  config.revision = static_cast<uint8_t>(revision);
  config.class_code[0] = static_cast<uint8_t>(class_code);
  config.class_code[1] = static_cast<uint8_t>(class_code >> 8);
  config.class_code[2] = static_cast<uint8_t>(class_code >> 16);
  config.header_type = static_cast<uint8_t>(header_type);
  return CALL(PCIEM_IOC_SET_CONFIG, &config);
}

napi_value Device::addBar(const Args& args) {
  pciem_bar_config bar = {};
  uint64_t size;
  if (!Func(args, 0, &bar.func) || !args.Unsigned(1, "index", PCIEM_MAX_BARS - 1, &bar.bar_index) ||
      !args.U64(2, "size", kMaxSafeInteger, &size) || !args.Unsigned(3, "flags", UINT32_MAX, &bar.flags))
    return nullptr;
  bar.size = size;
  napi_value result =
      CALL(PCIEM_IOC_ADD_BAR, &bar, "BAR " + std::to_string(bar.bar_index) + ", " + std::to_string(size) + " bytes");
  if (result != nullptr) {
    Bar& known = bars_[bar.func][bar.bar_index];
    known.defined = true;
    known.size = size;
    known.flags = bar.flags;
  }
  return result;
}

napi_value Device::addCapabilityPm(const Args& args) {
  pciem_cap_config cap = {};
  cap.cap_type = PCIEM_CAP_PM;
  if (!Func(args, 0, &cap.func)) return nullptr;
  return CALL(PCIEM_IOC_ADD_CAPABILITY, &cap, "power management");
}

napi_value Device::addCapabilityPcie(const Args& args) {
  pciem_cap_config cap = {};
  cap.cap_type = PCIEM_CAP_PCIE;
  if (!Func(args, 0, &cap.func)) return nullptr;
  return CALL(PCIEM_IOC_ADD_CAPABILITY, &cap, "PCI Express");
}

napi_value Device::addCapabilityMsi(const Args& args) {
  pciem_cap_config cap = {};
  bool address64, masking;
  cap.cap_type = PCIEM_CAP_MSI;
  if (!Func(args, 0, &cap.func) || !args.Unsigned(1, "vectorsLog2", 5, &cap.u.msi.num_vectors_log2) ||
      !args.Bool(2, "address64", &address64) || !args.Bool(3, "masking", &masking))
    return nullptr;
  cap.u.msi.has_64bit = address64;
  cap.u.msi.has_masking = masking;
  return CALL(PCIEM_IOC_ADD_CAPABILITY, &cap, "MSI");
}

napi_value Device::addCapabilityMsix(const Args& args) {
  pciem_cap_config cap = {};
  cap.cap_type = PCIEM_CAP_MSIX;
  if (!Func(args, 0, &cap.func) || !args.Unsigned(1, "vectors", 2048, &cap.u.msix.table_size) ||
      !args.Unsigned(2, "bar", PCIEM_MAX_BARS - 1, &cap.u.msix.bar_index) ||
      !args.Unsigned(3, "tableOffset", UINT32_MAX, &cap.u.msix.table_offset) ||
      !args.Unsigned(4, "pbaOffset", UINT32_MAX, &cap.u.msix.pba_offset))
    return nullptr;
  return CALL(PCIEM_IOC_ADD_CAPABILITY, &cap, "MSI-X");
}

napi_value Device::setupRing(const Args& args) {
  pciem_setup_ring setup = {};
  if (!args.Unsigned(0, "slots", UINT32_MAX, &setup.slots)) return nullptr;
  napi_value result = CALL(PCIEM_IOC_SETUP_RING, &setup, std::to_string(setup.slots) + " slots");
  if (result != nullptr) slots_ = setup.slots;
  return result;
}

napi_value Device::registerDevice(const Args& args) {
  if (slots_ == 0) {
    pciem_setup_ring setup = {};
    setup.slots = PCIEM_RING_EVENTS;
    if (Ioctl(PCIEM_IOC_SETUP_RING, &setup) < 0) return args.Errno("PCIEM_IOC_SETUP_RING", errno);
    slots_ = setup.slots;
  }
  const int instance = Ioctl(PCIEM_IOC_REGISTER, nullptr);
  if (instance < 0) return args.Errno("PCIEM_IOC_REGISTER", errno);
  instance_fd_ = instance;
  fcntl(instance, F_SETFD, FD_CLOEXEC);

  void* memory;
  if (!Map(args, fd_, 0, PCIEM_WIDE_RING_BYTES(static_cast<size_t>(slots_)), "event ring", &memory)) return nullptr;
  ring_.Attach(memory, slots_);

  for (size_t func = 0; func < PCIEM_MAX_FUNCTIONS; func++) {
    for (size_t index = 0; index < PCIEM_MAX_BARS; index++) {
      Bar& bar = bars_[func][index];
      // I/O ports have no memory to map.
      if (!bar.defined || (bar.flags & PCIEM_BAR_IO)) continue;
      const size_t length = (bar.size + PageSize() - 1) & ~(PageSize() - 1);
      if (!Map(args, instance_fd_, PCIEM_BAR_PGOFF(func, index) * PageSize(), length, "BAR " + std::to_string(index),
               &memory))
        return nullptr;
      bar.memory = static_cast<volatile uint8_t*>(memory);
      bar.mapped = length;
    }
  }
  return args.Undefined();
}

napi_value Device::traceBar(const Args& args) {
  pciem_trace_bar trace = {};
  if (!Func(args, 0, &trace.func) || !args.Unsigned(1, "index", PCIEM_MAX_BARS - 1, &trace.bar_index) ||
      !args.Unsigned(2, "flags", UINT32_MAX, &trace.flags))
    return nullptr;
  return CALL(PCIEM_IOC_TRACE_BAR, &trace, "BAR " + std::to_string(trace.bar_index));
}

napi_value Device::traceRange(const Args& args) {
  pciem_trace_range range = {};
  uint64_t offset, length;
  if (!Func(args, 0, &range.func) || !args.Unsigned(1, "index", PCIEM_MAX_BARS - 1, &range.bar_index) ||
      !args.U64(2, "offset", kMaxSafeInteger, &offset) || !args.U64(3, "length", kMaxSafeInteger, &length) ||
      !args.Unsigned(4, "flags", UINT32_MAX, &range.flags))
    return nullptr;
  range.offset = offset;
  range.length = length;
  return CALL(PCIEM_IOC_TRACE_RANGE, &range,
              "BAR " + std::to_string(range.bar_index) + ", " + std::to_string(length) + " bytes at " + Hex(offset));
}

napi_value Device::setEvents(const Args& args) {
  pciem_set_events events = {};
  if (!args.Unsigned(0, "mask", UINT32_MAX, &events.mask)) return nullptr;
  return CALL(PCIEM_IOC_SET_EVENTS, &events, Hex(events.mask));
}

napi_value Device::setCompletionTimeout(const Args& args) {
  pciem_completion_timeout timeout = {};
  if (!args.Unsigned(0, "microseconds", UINT32_MAX, &timeout.microseconds)) return nullptr;
  return CALL(PCIEM_IOC_SET_COMPLETION_TIMEOUT, &timeout, std::to_string(timeout.microseconds) + " us");
}

napi_value Device::respond(const Args& args) {
  pciem_response response = {};
  uint64_t sequence;
  uint32_t low, high;
  if (!args.U64(0, "sequence", kMaxSafeInteger, &sequence) || !args.Register(1, "low", 4, &low) ||
      !args.Register(2, "high", 4, &high))
    return nullptr;
  response.seq = sequence;
  response.data = static_cast<uint64_t>(high) << 32 | low;
  ssize_t written;
  do {
    written = write(fd_, &response, sizeof(response));
  } while (written < 0 && errno == EINTR);
  if (written < 0 && errno != ESRCH) return args.Errno("respond", errno, "event " + std::to_string(sequence));
  return args.Boolean(written > 0);
}

napi_value Device::stats(const Args& args) {
  pciem_device_stats stats = {};
  if (CALL(PCIEM_IOC_DEVICE_STATS, &stats) == nullptr) return nullptr;
  napi_value result;
  if (napi_create_object(env_, &result) != napi_ok) return nullptr;
  SetNumber(env_, result, "events", static_cast<double>(stats.events));
  SetNumber(env_, result, "lost", static_cast<double>(stats.lost));
  SetNumber(env_, result, "waits", static_cast<double>(stats.waits));
  SetNumber(env_, result, "syncReads", static_cast<double>(stats.sync_reads));
  SetNumber(env_, result, "syncWrites", static_cast<double>(stats.sync_writes));
  SetNumber(env_, result, "syncTimeouts", static_cast<double>(stats.sync_timeouts));
  SetNumber(env_, result, "syncAbandoned", static_cast<double>(stats.sync_abandoned));
  SetNumber(env_, result, "lateResponses", static_cast<double>(stats.late_responses));
  return result;
}

napi_value Device::start(const Args& args) { return CALL(PCIEM_IOC_START, nullptr); }

napi_value Device::barInfo(const Args& args) {
  pciem_bar_info_query query = {};
  if (!Func(args, 0, &query.func) || !args.Unsigned(1, "index", PCIEM_MAX_BARS - 1, &query.bar_index)) return nullptr;
  if (CALL(PCIEM_IOC_GET_BAR_INFO, &query, "BAR " + std::to_string(query.bar_index)) == nullptr) return nullptr;
  napi_value result;
  if (napi_create_object(env_, &result) != napi_ok) return nullptr;
  SetNumber(env_, result, "address", static_cast<double>(query.phys));
  SetNumber(env_, result, "size", static_cast<double>(query.size));
  SetNumber(env_, result, "flags", query.flags);
  return result;
}

napi_value Device::setEventFd(const Args& args) {
  pciem_eventfd_config config = {};
  if (!args.Int32(0, "fd", &config.eventfd)) return nullptr;
  return CALL(PCIEM_IOC_SET_EVENTFD, &config);
}

napi_value Device::setIrqFd(const Args& args) {
  pciem_irqfd_config config = {};
  if (!Func(args, 0, &config.func) || !args.Unsigned(1, "vector", UINT32_MAX, &config.vector) ||
      !args.Int32(2, "fd", &config.eventfd) || !args.Unsigned(3, "flags", UINT32_MAX, &config.flags))
    return nullptr;
  return CALL(PCIEM_IOC_SET_IRQFD, &config, "vector " + std::to_string(config.vector));
}

napi_value Device::injectIrq(const Args& args) {
  pciem_irq_inject inject = {};
  if (!Func(args, 0, &inject.func) || !args.Unsigned(1, "vector", UINT32_MAX, &inject.vector)) return nullptr;
  if (Ioctl(PCIEM_IOC_INJECT_IRQ, &inject) < 0)
    return args.Errno("PCIEM_IOC_INJECT_IRQ", errno, "vector " + std::to_string(inject.vector));
  return args.Undefined();
}

napi_value Device::tryInjectIrq(const Args& args) {
  pciem_irq_inject inject = {};
  if (!Func(args, 0, &inject.func) || !args.Unsigned(1, "vector", UINT32_MAX, &inject.vector)) return nullptr;
  return args.Number(Ioctl(PCIEM_IOC_INJECT_IRQ, &inject) < 0 ? errno : 0);
}

napi_value Device::info(const Args& args) {
  pciem_device_info info = {};
  if (!Func(args, 0, &info.func)) return nullptr;
  if (CALL(PCIEM_IOC_DEVICE_INFO, &info) == nullptr) return nullptr;
  napi_value result, driver;
  if (napi_create_object(env_, &result) != napi_ok) return nullptr;
  SetNumber(env_, result, "domain", info.domain);
  SetNumber(env_, result, "bus", info.bus);
  SetNumber(env_, result, "devfn", info.devfn);
  SetNumber(env_, result, "irqMode", info.irq_mode);
  SetNumber(env_, result, "state", info.state);
  SetNumber(env_, result, "vectors", info.vectors);
  SetNumber(env_, result, "events", static_cast<double>(info.events));
  SetNumber(env_, result, "lost", static_cast<double>(info.lost));
  SetNumber(env_, result, "waits", static_cast<double>(info.waits));
  SetNumber(env_, result, "interrupts", static_cast<double>(info.interrupts));
  if (napi_create_string_utf8(env_, info.driver, strnlen(info.driver, sizeof(info.driver)), &driver) == napi_ok)
    napi_set_named_property(env_, result, "driver", driver);
  return result;
}

napi_value Device::vectorInfo(const Args& args) {
  pciem_vector_info info = {};
  if (!Func(args, 0, &info.func) || !args.Unsigned(1, "vector", UINT32_MAX, &info.vector)) return nullptr;
  if (CALL(PCIEM_IOC_VECTOR_INFO, &info, "vector " + std::to_string(info.vector)) == nullptr) return nullptr;
  napi_value result;
  if (napi_create_object(env_, &result) != napi_ok) return nullptr;
  SetNumber(env_, result, "flags", info.flags);
  SetNumber(env_, result, "irq", info.irq);
  SetNumber(env_, result, "address", static_cast<double>(info.address));
  SetNumber(env_, result, "data", info.data);
  SetNumber(env_, result, "cpu", info.cpu);
  SetNumber(env_, result, "count", static_cast<double>(info.count));
  return result;
}

napi_value Device::setIntx(const Args& args) {
  pciem_set_intx set = {};
  bool asserted;
  if (!Func(args, 0, &set.func) || !args.Bool(1, "asserted", &asserted)) return nullptr;
  set.asserted = asserted ? 1 : 0;
  return CALL(PCIEM_IOC_SET_INTX, &set);
}

// (func, start, count)
napi_value Device::dmaMappings(const Args& args) {
  pciem_dma_mappings list = {};
  if (!Func(args, 0, &list.func) || !args.Unsigned(1, "start", kMaxSafeInteger, &list.start) ||
      !args.Unsigned(2, "count", kMaxMappings, &list.count))
    return nullptr;
  std::vector<pciem_dma_mapping> mappings(list.count);
  list.mappings = reinterpret_cast<uintptr_t>(mappings.data());
  if (CALL(PCIEM_IOC_DMA_MAPPINGS, &list) == nullptr) return nullptr;
  napi_value result, entries;
  if (napi_create_object(env_, &result) != napi_ok ||
      napi_create_array_with_length(env_, list.count, &entries) != napi_ok)
    return nullptr;
  for (uint32_t index = 0; index < list.count; index++) {
    const pciem_dma_mapping& mapping = mappings[index];
    napi_value entry;
    if (napi_create_object(env_, &entry) != napi_ok) return nullptr;
    SetNumber(env_, entry, "address", static_cast<double>(mapping.iova));
    SetNumber(env_, entry, "size", static_cast<double>(mapping.size));
    SetNumber(env_, entry, "age", static_cast<double>(mapping.age_ns));
    SetNumber(env_, entry, "access", mapping.access);
    SetNumber(env_, entry, "kind", mapping.kind);
    napi_set_element(env_, entries, index, entry);
  }
  SetNumber(env_, result, "total", list.total);
  SetNumber(env_, result, "bytes", static_cast<double>(list.bytes));
  SetNumber(env_, result, "faults", static_cast<double>(list.faults));
  SetNumber(env_, result, "leaks", static_cast<double>(list.leaks));
  napi_set_named_property(env_, result, "mappings", entries);
  return result;
}

napi_value Device::configRead(const Args& args) {
  pciem_config_access access = {};
  if (!Func(args, 0, &access.func) || !args.Unsigned(1, "offset", UINT32_MAX, &access.offset) ||
      !args.Unsigned(2, "size", UINT32_MAX, &access.size))
    return nullptr;
  if (CALL(PCIEM_IOC_CONFIG_ACCESS, &access, "read of " + std::to_string(access.size) + " bytes at " + Hex(access.offset)) ==
      nullptr)
    return nullptr;
  return args.Number(access.value);
}

napi_value Device::configWrite(const Args& args) {
  pciem_config_access access = {};
  bool as_device;
  if (!Func(args, 0, &access.func) || !args.Unsigned(1, "offset", UINT32_MAX, &access.offset) ||
      !args.Unsigned(2, "size", UINT32_MAX, &access.size) ||
      !args.Register(3, "value", access.size, &access.value) || !args.Bool(4, "asDevice", &as_device))
    return nullptr;
  access.flags = PCIEM_CONFIG_WRITE | (as_device ? PCIEM_CONFIG_AS_DEVICE : 0);
  return CALL(PCIEM_IOC_CONFIG_ACCESS, &access, "write of " + std::to_string(access.size) + " bytes at " + Hex(access.offset));
}

volatile uint8_t* Device::BarAt(const Args& args, uint64_t length, uint64_t offset) const {
  uint32_t index;
  if (!args.Unsigned(0, "index", PCIEM_BAR_PGOFF(PCIEM_MAX_FUNCTIONS - 1, 7), &index)) return nullptr;
  const uint32_t number = index & 7;
  const Bar* bar = number < PCIEM_MAX_BARS ? &bars_[index >> 3][number] : nullptr;
  if (bar == nullptr || bar->memory == nullptr) {
    args.RangeError("BAR " + std::to_string(number) + " is not mapped: the device has no such memory BAR, or is not registered");
    return nullptr;
  }
  if (length > bar->size || offset > bar->size - length) {
    args.RangeError(std::to_string(length) + " bytes at " + Hex(offset) + " are outside BAR " + std::to_string(number) +
                    " of " + Hex(bar->size) + " bytes");
    return nullptr;
  }
  return bar->memory + offset;
}

napi_value Device::barRead(const Args& args) {
  uint64_t offset, size;
  if (!args.U64(1, "offset", kMaxSafeInteger, &offset) || !args.U64(2, "size", kMaxSafeInteger, &size)) return nullptr;
  if (size != 4 && size != 2 && size != 1) return args.RangeError("size must be 1, 2 or 4; barRead64 reads 8 bytes");
  volatile uint8_t* at = BarAt(args, size, offset);
  if (at == nullptr) return nullptr;
  uint32_t value = 0;
  if ((offset & (size - 1)) != 0) {
    for (size_t byte = 0; byte < size; byte++) value |= static_cast<uint32_t>(at[byte]) << (8 * byte);
  } else if (size == 4) {
    value = *reinterpret_cast<volatile uint32_t*>(at);
  } else if (size == 2) {
    value = *reinterpret_cast<volatile uint16_t*>(at);
  } else {
    value = *at;
  }
  napi_value result = nullptr;
  napi_create_uint32(env_, value, &result);
  return result;
}

napi_value Device::barRead64(const Args& args) {
  uint64_t offset;
  if (!args.U64(1, "offset", kMaxSafeInteger, &offset)) return nullptr;
  volatile uint8_t* at = BarAt(args, 8, offset);
  if (at == nullptr) return nullptr;
  uint64_t value = 0;
  if ((offset & 7) == 0) {
    value = *reinterpret_cast<volatile uint64_t*>(at);
  } else {
    for (size_t byte = 0; byte < 8; byte++) value |= static_cast<uint64_t>(at[byte]) << (8 * byte);
  }
  return args.Big(value);
}

napi_value Device::barWrite(const Args& args) {
  uint64_t offset, size;
  uint32_t value;
  if (!args.U64(1, "offset", kMaxSafeInteger, &offset) || !args.U64(2, "size", kMaxSafeInteger, &size)) return nullptr;
  if (size != 4 && size != 2 && size != 1) return args.RangeError("size must be 1, 2 or 4; barWrite64 writes 8 bytes");
  if (!args.Register(3, "value", size, &value)) return nullptr;
  volatile uint8_t* at = BarAt(args, size, offset);
  if (at == nullptr) return nullptr;
  if ((offset & (size - 1)) != 0) {
    for (size_t byte = 0; byte < size; byte++) at[byte] = static_cast<uint8_t>(value >> (8 * byte));
  } else if (size == 4) {
    *reinterpret_cast<volatile uint32_t*>(at) = value;
  } else if (size == 2) {
    *reinterpret_cast<volatile uint16_t*>(at) = static_cast<uint16_t>(value);
  } else {
    *at = static_cast<uint8_t>(value);
  }
  return nullptr;
}

napi_value Device::barWrite64(const Args& args) {
  uint64_t offset, value;
  if (!args.U64(1, "offset", kMaxSafeInteger, &offset) || !args.BigU64(2, "value", &value)) return nullptr;
  volatile uint8_t* at = BarAt(args, 8, offset);
  if (at == nullptr) return nullptr;
  if ((offset & 7) == 0) {
    *reinterpret_cast<volatile uint64_t*>(at) = value;
  } else {
    for (size_t byte = 0; byte < 8; byte++) at[byte] = static_cast<uint8_t>(value >> (8 * byte));
  }
  return nullptr;
}

napi_value Device::barCopyOut(const Args& args) {
  uint64_t offset;
  uint8_t* data;
  size_t length;
  if (!args.U64(1, "offset", kMaxSafeInteger, &offset) || !args.Bytes(2, "into", &data, &length)) return nullptr;
  volatile uint8_t* at = BarAt(args, length, offset);
  if (at != nullptr && length > 0) std::memcpy(data, const_cast<const uint8_t*>(at), length);
  return nullptr;
}

napi_value Device::barCopyIn(const Args& args) {
  uint64_t offset;
  uint8_t* data;
  size_t length;
  if (!args.U64(1, "offset", kMaxSafeInteger, &offset) || !args.Bytes(2, "from", &data, &length)) return nullptr;
  volatile uint8_t* at = BarAt(args, length, offset);
  if (at != nullptr && length > 0) std::memcpy(const_cast<uint8_t*>(at), data, length);
  return nullptr;
}

napi_value Device::barMemory(const Args& args) {
  if (BarAt(args, 0, 0) == nullptr) return nullptr;
  uint32_t index;
  if (!args.Unsigned(0, "index", UINT32_MAX, &index)) return nullptr;
  Bar& bar = bars_[index >> 3][index & 7];
  napi_value view = nullptr;
  if (bar.view != nullptr && napi_get_reference_value(env_, bar.view, &view) == napi_ok && view != nullptr) return view;
  const auto keep = [](napi_env, void*, void*) {};
  if (napi_create_external_arraybuffer(env_, const_cast<uint8_t*>(bar.memory), bar.size, keep, nullptr, &view) !=
      napi_ok)
    return args.Undefined();
  if (napi_create_reference(env_, view, 1, &bar.view) != napi_ok) {
    napi_detach_arraybuffer(env_, view);
    return args.Undefined();
  }
  return view;
}

napi_value Device::registerBuffer(const Args& args) {
  uint8_t* data;
  size_t length;
  napi_value buffer;
  uint32_t id;
  if (!args.Bytes(0, "bytes", &data, &length, &buffer)) return nullptr;
  if (length == 0) return args.RangeError("bytes must hold at least one byte");
  if (!buffers_.Add(env_, buffer, data, length, &id)) return args.Errno("registerBuffer", ENOMEM);
  return args.Number(id);
}

napi_value Device::releaseBuffer(const Args& args) {
  uint64_t id;
  if (!args.U64(0, "id", UINT32_MAX, &id)) return nullptr;
  if (!buffers_.Release(env_, id)) ThrowBuffer(args, Buffers::Problem::kNoSuchBuffer, id, "");
  return nullptr;
}

bool Device::ThrowBuffer(const Args& args, Buffers::Problem problem, uint64_t id, const std::string& where) const {
  const std::string name = where + "buffer " + std::to_string(id);
  switch (problem) {
    case Buffers::Problem::kNone:
      return true;
    case Buffers::Problem::kNoSuchBuffer:
      args.RangeError(name + " is not registered");
      break;
    case Buffers::Problem::kOutside:
      args.RangeError(name + " is shorter than offset plus length");
      break;
    case Buffers::Problem::kDetached:
      args.TypeError(name + " was transferred to another thread");
      break;
  }
  return false;
}

// (address, buffer, offset, length)
napi_value Device::Transfer(const Args& args, uint32_t flags) {
  uint64_t address, id, offset;
  pciem_dma_op op = {};
  if (!args.U64(0, "address", kMaxSafeInteger, &address) || !args.U64(1, "buffer", UINT32_MAX, &id) ||
      !args.U64(2, "offset", kMaxSafeInteger, &offset) || !args.Unsigned(3, "length", UINT32_MAX, &op.length))
    return nullptr;
  uint64_t user_addr;
  const auto problem = buffers_.Resolve(env_, id, offset, op.length, ++turn_, &user_addr);
  if (problem != Buffers::Problem::kNone) {
    ThrowBuffer(args, problem, id, "");
    return nullptr;
  }
  op.iova = address;
  op.user_addr = user_addr;
  op.flags = flags;
  return args.Number(Ioctl(PCIEM_IOC_DMA, &op) < 0 ? errno : 0);
}

napi_value Device::dmaRead(const Args& args) { return Transfer(args, PCIEM_DMA_READ); }
napi_value Device::dmaWrite(const Args& args) { return Transfer(args, PCIEM_DMA_WRITE); }

napi_value Device::dmaIndirect(const Args& args) {
  uint64_t prp1, prp2, id, offset, user_addr;
  bool to_host;
  pciem_dma_indirect op = {};
  if (!args.U64(0, "prp1", kMaxSafeInteger, &prp1) || !args.U64(1, "prp2", kMaxSafeInteger, &prp2) ||
      !args.U64(2, "buffer", UINT32_MAX, &id) || !args.U64(3, "offset", kMaxSafeInteger, &offset) ||
      !args.Unsigned(4, "length", UINT32_MAX, &op.length) ||
      !args.Unsigned(5, "pageSize", UINT32_MAX, &op.page_size) || !args.Bool(6, "toHost", &to_host))
    return nullptr;
  const auto problem = buffers_.Resolve(env_, id, offset, op.length, ++turn_, &user_addr);
  if (problem != Buffers::Problem::kNone) {
    ThrowBuffer(args, problem, id, "");
    return nullptr;
  }
  op.prp1 = prp1;
  op.prp2 = prp2;
  op.user_addr = user_addr;
  op.flags = to_host ? PCIEM_DMA_WRITE : PCIEM_DMA_READ;
  return args.Number(Ioctl(PCIEM_IOC_DMA_INDIRECT, &op) < 0 ? errno : 0);
}

napi_value Device::dmaAtomic(const Args& args) {
  uint64_t address, operand, compare;
  pciem_dma_atomic op = {};
  if (!args.U64(0, "address", kMaxSafeInteger, &address) ||
      !args.Unsigned(1, "operation", UINT32_MAX, &op.op_type) || !args.BigU64(2, "operand", &operand) ||
      !args.BigU64(3, "compare", &compare))
    return nullptr;
  op.iova = address;
  op.operand = operand;
  op.compare = compare;
  if (CALL(PCIEM_IOC_DMA_ATOMIC, &op, "at " + Hex(address)) == nullptr) return nullptr;
  return args.Big(op.result);
}

// (address, buffer, offset, length)
napi_value Device::PeerToPeer(const Args& args, uint32_t flags) {
  uint64_t address, id, offset, user_addr;
  pciem_p2p_op op = {};
  if (!args.U64(0, "address", kMaxSafeInteger, &address) || !args.U64(1, "buffer", UINT32_MAX, &id) ||
      !args.U64(2, "offset", kMaxSafeInteger, &offset) || !args.Unsigned(3, "length", UINT32_MAX, &op.length))
    return nullptr;
  const auto problem = buffers_.Resolve(env_, id, offset, op.length, ++turn_, &user_addr);
  if (problem != Buffers::Problem::kNone) {
    ThrowBuffer(args, problem, id, "");
    return nullptr;
  }
  op.target_phys = address;
  op.user_addr = user_addr;
  op.flags = flags;
  return args.Number(Ioctl(PCIEM_IOC_P2P, &op) < 0 ? errno : 0);
}

napi_value Device::p2pRead(const Args& args) { return PeerToPeer(args, PCIEM_DMA_READ); }
napi_value Device::p2pWrite(const Args& args) { return PeerToPeer(args, PCIEM_DMA_WRITE); }

napi_value Device::dmaBatch(const Args& args) {
  double* steps;
  size_t length;
  size_t count;
  if (!args.Doubles(0, "steps", &steps, &length) || !args.Unsigned(1, "count", length / kStepDoubles, &count))
    return nullptr;
  if (segments_.size() < count) segments_.resize(std::max<size_t>(count, 64));

  // All is checked before anything moves: a wrong step is the caller's mistake, not the driver's.
  turn_++;
  for (size_t index = 0; index < count; index++) {
    const double* step = steps + index * kStepDoubles;
    pciem_dma_segment& segment = segments_[index];
    uint64_t address, id, offset, bytes, flags, vector;
    if (!ToInteger(step[4], 7, &flags) || (flags & 3) == 3 || flags == 0 || !ToInteger(step[5], UINT16_MAX, &vector) ||
        ((flags & 3) != 0 &&
         !(ToInteger(step[0], kMaxSafeInteger, &address) && ToInteger(step[1], UINT32_MAX, &id) &&
           ToInteger(step[2], kMaxSafeInteger, &offset) && ToInteger(step[3], UINT32_MAX, &bytes))))
      return args.RangeError("step " + std::to_string(index) +
                             " is not { address, buffer, offset, length, flags: read, write or irq, vector }");
    segment.flags = static_cast<uint16_t>(flags);
    segment.vector = static_cast<uint16_t>(vector);
    if ((flags & 3) == 0) {
      segment.iova = 0;
      segment.user_addr = 0;
      segment.length = 0;
      continue;
    }
    uint64_t user_addr;
    const auto problem = buffers_.Resolve(env_, id, offset, bytes, turn_, &user_addr);
    if (problem != Buffers::Problem::kNone) {
      ThrowBuffer(args, problem, id, "step " + std::to_string(index) + ": ");
      return nullptr;
    }
    segment.iova = address;
    segment.user_addr = user_addr;
    segment.length = static_cast<uint32_t>(bytes);
  }

  batch_error_ = 0;
  size_t done = 0;
  while (done < count) {
    pciem_dma_batch batch = {};
    batch.segments = reinterpret_cast<uint64_t>(&segments_[done]);
    batch.count = static_cast<uint32_t>(std::min<size_t>(count - done, PCIEM_DMA_BATCH_MAX));
    if (Ioctl(PCIEM_IOC_DMA_BATCH, &batch) < 0) {
      if (errno == ENOTTY || errno == EBADF) return args.Errno("PCIEM_IOC_DMA_BATCH", errno);
      batch_error_ = static_cast<uint32_t>(errno);
      break;
    }
    done += std::min(batch.done, batch.count);
    if (batch.error != 0 || batch.done < batch.count) {
      batch_error_ = batch.error != 0 ? batch.error : EIO;
      break;
    }
  }
  napi_value result = nullptr;
  napi_create_uint32(env_, static_cast<uint32_t>(done), &result);
  return result;
}

napi_value Device::batchError(const Args& args) { return args.Number(batch_error_); }

napi_value Device::wait(const Args& args) {
  uint8_t* into;
  size_t length;
  double timeout, spin;
  if (!args.Bytes(0, "events", &into, &length) || !args.Double(1, "timeoutMilliseconds", &timeout) ||
      !args.Double(2, "spinMicroseconds", &spin))
    return nullptr;
  const size_t capacity = length / sizeof(pciem_wide_event);
  if (capacity == 0) return args.RangeError("events must hold at least one event of 64 bytes");
  if (!(spin >= 0 && spin <= 1e6)) return args.RangeError("spinMicroseconds must be from 0 to 1000000");
  if (!ring_.attached()) return args.Errno("wait", EINVAL, "the device is not registered");

  size_t count = ring_.Drain(into, capacity);
  if (count == 0 && timeout != 0) {
    const int error = ring_.Wait(fd_, wake_fd_, timeout, spin);
    if (error != 0) return args.Errno("wait", error);
    count = ring_.Drain(into, capacity);
  }
  napi_value result = nullptr;
  napi_create_uint32(env_, static_cast<uint32_t>(count), &result);
  return result;
}

napi_value Device::lost(const Args& args) {
  return args.Number(ring_.attached() ? static_cast<double>(ring_.lost()) : 0);
}

napi_value Device::wakeFd(const Args& args) { return args.Number(wake_fd_); }

napi_value Device::waitCounters(const Args& args) {
  const Ring::Counters& counters = ring_.counters();
  napi_value result;
  if (napi_create_object(args.env(), &result) != napi_ok) return nullptr;
  SetNumber(env_, result, "spinHits", static_cast<double>(counters.spin_hits));
  SetNumber(env_, result, "spinMisses", static_cast<double>(counters.spin_misses));
  SetNumber(env_, result, "sleeps", static_cast<double>(counters.sleeps));
  SetNumber(env_, result, "wakeUpMicroseconds", ring_.wake_up_us());
  return result;
}

}  // namespace pciem

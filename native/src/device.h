// SPDX-License-Identifier: MIT
// The JavaScript class PciemDevice: one open /dev/pciem. Each method is one system call or one copy; no policy.
#pragma once

#include <napi.h>
#include <pciem.h>

#include <string>
#include <vector>

#include "args.h"
#include "buffers.h"
#include "ring.h"

namespace pciem {

// Every method, so that the table of properties and the declarations cannot drift apart. `register`, a keyword of C++,
// is added by hand.
#define PCIEM_METHODS(METHOD)  \
  METHOD(version)              \
  METHOD(create)               \
  METHOD(setConfig)            \
  METHOD(addBar)               \
  METHOD(addCapabilityPm)      \
  METHOD(addCapabilityPcie)    \
  METHOD(addCapabilityMsi)     \
  METHOD(addCapabilityMsix)    \
  METHOD(setupRing)            \
  METHOD(setEvents)            \
  METHOD(setCompletionTimeout) \
  METHOD(traceBar)             \
  METHOD(traceRange)           \
  METHOD(respond)              \
  METHOD(stats)                \
  METHOD(start)                \
  METHOD(barInfo)              \
  METHOD(setEventFd)           \
  METHOD(setIrqFd)             \
  METHOD(injectIrq)            \
  METHOD(tryInjectIrq)         \
  METHOD(info)                 \
  METHOD(vectorInfo)           \
  METHOD(setIntx)              \
  METHOD(dmaMappings)          \
  METHOD(configRead)           \
  METHOD(configWrite)          \
  METHOD(barRead)              \
  METHOD(barRead64)            \
  METHOD(barWrite)             \
  METHOD(barWrite64)           \
  METHOD(barCopyOut)           \
  METHOD(barCopyIn)            \
  METHOD(barMemory)            \
  METHOD(registerBuffer)       \
  METHOD(releaseBuffer)        \
  METHOD(dmaRead)              \
  METHOD(dmaWrite)             \
  METHOD(dmaIndirect)          \
  METHOD(dmaAtomic)            \
  METHOD(p2pRead)              \
  METHOD(p2pWrite)             \
  METHOD(dmaBatch)             \
  METHOD(wait)

#define PCIEM_GETTERS(GETTER) \
  GETTER(batchError)          \
  GETTER(lost)                \
  GETTER(wakeFd)              \
  GETTER(waitCounters)

class Device : public Napi::ObjectWrap<Device> {
 public:
  static bool Define(Napi::Env env, Napi::Object exports);
  explicit Device(const Napi::CallbackInfo& info);
  ~Device() override;

 private:
  struct Bar {
    bool defined = false;
    uint64_t size = 0;
    uint32_t flags = 0;
    volatile uint8_t* memory = nullptr;
    size_t mapped = 0;
    // What barMemory() gave out, if anything.
    napi_ref view = nullptr;
  };

#define DECLARE(name) napi_value name(const Args& args);
  PCIEM_METHODS(DECLARE)
  PCIEM_GETTERS(DECLARE)
  DECLARE(registerDevice)
#undef DECLARE
  static napi_value CloseCall(napi_env env, napi_callback_info info);

  // The object behind a call; nullptr with an exception when it is closed.
  static Device* From(const Args& args);
  void Close();

  int Ioctl(unsigned long request, void* argument) const;
  // Undefined, or throws.
  napi_value Call(const Args& args, const char* name, unsigned long request, void* argument,
                  const std::string& detail = {}) const;
  bool Map(const Args& args, int fd, uint64_t offset, size_t length, const std::string& what, void** memory) const;
  bool Func(const Args& args, size_t index, uint8_t* func) const;
  // Checked place in mapped BAR memory; nullptr with an exception. The argument is PCIEM_BAR_PGOFF(func, bar).
  void TakeBack(Bar& bar);
  volatile uint8_t* BarAt(const Args& args, uint64_t length, uint64_t offset) const;
  napi_value Transfer(const Args& args, uint32_t flags);
  napi_value PeerToPeer(const Args& args, uint32_t flags);
  bool ThrowBuffer(const Args& args, Buffers::Problem problem, uint64_t id, const std::string& where) const;

  napi_env env_;
  std::string path_;
  int fd_ = -1;
  int instance_fd_ = -1;
  int wake_fd_ = -1;
  // 0 until chosen, by SETUP_RING or at REGISTER.
  uint32_t slots_ = 0;
  Bar bars_[PCIEM_MAX_FUNCTIONS][PCIEM_MAX_BARS];
  Ring ring_;
  Buffers buffers_;
  std::vector<pciem_dma_segment> segments_;
  uint64_t turn_ = 0;
  uint32_t batch_error_ = 0;
};

}  // namespace pciem

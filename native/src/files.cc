// SPDX-License-Identifier: MIT
// File calls that disk images and shared pictures need and Node does not have.
#include "files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <new>

#include "args.h"

namespace pciem {
namespace {

// Takes an exclusive lock that belongs to the open file, so it ends with it, however the process ends, and holds
// against other threads of the same process too. False when somebody else has it.
napi_value LockFile(napi_env env, napi_callback_info info) {
  Args args(env, info, "lockFile");
  int fd;
  if (!args.Unsigned(0, "fd", INT32_MAX, &fd)) return nullptr;
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (fcntl(fd, F_OFD_SETLK, &lock) == 0) return args.Boolean(true);
  if (errno == EAGAIN || errno == EACCES) return args.Boolean(false);
  return args.Errno("lockFile", errno);
}

// Gives the file's blocks back; the range reads as zeroes and the size stays. False when the file system cannot.
napi_value PunchHole(napi_env env, napi_callback_info info) {
  Args args(env, info, "punchHole");
  int fd;
  uint64_t offset, length;
  if (!args.Unsigned(0, "fd", INT32_MAX, &fd) || !args.U64(1, "offset", kMaxSafeInteger, &offset) ||
      !args.U64(2, "length", kMaxSafeInteger, &length))
    return nullptr;
  int result;
  do {
    result = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                       static_cast<off_t>(length));
  } while (result != 0 && errno == EINTR);
  if (result == 0) return args.Boolean(true);
  if (errno == EOPNOTSUPP || errno == ENOSYS) return args.Boolean(false);
  return args.Errno("punchHole", errno);
}

struct Mapping {
  void* memory;
  size_t length;
};

// Memory that a file stands for, shared with whoever maps it too, for as long as the result is in use. Undefined where
// the runtime takes no memory but its own.
napi_value MapFile(napi_env env, napi_callback_info info) {
  Args args(env, info, "mapFile");
  int fd;
  uint64_t offset, length;
  if (!args.Unsigned(0, "fd", INT32_MAX, &fd) || !args.U64(1, "offset", kMaxSafeInteger, &offset) ||
      !args.U64(2, "length", kMaxSafeInteger, &length))
    return nullptr;
  const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  if (length == 0 || offset % page != 0)
    return args.RangeError("length must not be 0, and offset a multiple of the page size");
  std::unique_ptr<Mapping> mapping(new (std::nothrow) Mapping{nullptr, static_cast<size_t>(length)});
  if (mapping == nullptr) return args.Errno("mapFile", ENOMEM);
  mapping->memory = mmap(nullptr, mapping->length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, static_cast<off_t>(offset));
  if (mapping->memory == MAP_FAILED) return args.Errno("mapFile", errno);
  const auto unmap = [](napi_env, void*, void* hint) {
    std::unique_ptr<Mapping> gone(static_cast<Mapping*>(hint));
    munmap(gone->memory, gone->length);
  };
  napi_value result = nullptr;
  if (napi_create_external_arraybuffer(env, mapping->memory, mapping->length, unmap, mapping.get(), &result) !=
      napi_ok) {
    munmap(mapping->memory, mapping->length);
    return nullptr;
  }
  mapping.release();
  return result;
}

}  // namespace

bool DefineFileCalls(napi_env env, napi_value exports) {
  const napi_property_descriptor calls[] = {
      {"lockFile", nullptr, LockFile, nullptr, nullptr, nullptr, napi_default_method, nullptr},
      {"punchHole", nullptr, PunchHole, nullptr, nullptr, nullptr, napi_default_method, nullptr},
      {"mapFile", nullptr, MapFile, nullptr, nullptr, nullptr, napi_default_method, nullptr},
  };
  return napi_define_properties(env, exports, sizeof(calls) / sizeof(calls[0]), calls) == napi_ok;
}

}  // namespace pciem

// SPDX-License-Identifier: MIT
#pragma once

#include <node_api.h>

namespace pciem {

// lockFile(fd): boolean. punchHole(fd, offset, length): boolean. mapFile(fd, offset, length): ArrayBuffer | undefined.
bool DefineFileCalls(napi_env env, napi_value exports);

}  // namespace pciem

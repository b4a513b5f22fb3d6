{
  "targets": [
    {
      "target_name": "pciem",
      "sources": [
        "src/abi.cc",
        "src/addon.cc",
        "src/args.cc",
        "src/buffers.cc",
        "src/clock.cc",
        "src/device.cc",
        "src/errors.cc",
        "src/files.cc",
        "src/input.cc",
        "src/ring.cc",
        "src/wake.cc"
      ],
      "include_dirs": ["../kernel/uapi"],
      # Not ours, so not held to our warnings.
      "cflags": ["-isystem<!(node -p \"path.resolve(require('node-addon-api').include_dir)\")"],
      "defines": [
        "NAPI_VERSION=8",
        "NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS"
      ],
      "cflags_cc": ["-std=gnu++17", "-O2", "-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers", "-fvisibility=hidden"],
      "conditions": [["OS!='linux'", { "type": "none", "sources": [] }]]
    }
  ]
}

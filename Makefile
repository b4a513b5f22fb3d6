# PCIem Lab. `make run` and `make test` do everything, system packages included.
SHELL := /bin/bash
.DEFAULT_GOAL := help

HOST ?= auto
KERNEL ?= 6.12
# Where the headless shell listens; 0 takes any free port.
PORT ?= 7440
# What is shown on the ProtoPCIem card in a guest: doom or frames.
DEMO ?=
# The model that is powered on at the start; empty for none.
DEVICE ?= $(if $(DEMO),protopciem,nvme)
KDIR ?= /lib/modules/$(shell uname -r)/build

NICE := nice -n 5
STAMPS := out/.stamps

.PHONY: help run build packages test test-unit test-native test-kernel test-guest test-e2e lint bench screenshots \
	test-kernel-debug docs guest-modules module module-install module-uninstall clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

packages: ## install the system packages that are missing (asks for root)
	@scripts/packages.sh

$(STAMPS)/packages: scripts/packages.sh kernel/guest/host-packages.txt
	@mkdir -p $(STAMPS)
	@scripts/packages.sh
	@touch $@

$(STAMPS)/npm: package.json package-lock.json
	@mkdir -p $(STAMPS)
	npm ci --no-audit --no-fund
	@touch $@

$(STAMPS)/native: $(STAMPS)/packages $(STAMPS)/npm $(wildcard native/src/*) native/binding.gyp kernel/uapi/pciem.h
	@mkdir -p $(STAMPS)
	npm run --silent build:native
	@touch $@

SOURCES := $(shell git ls-files -co --exclude-standard devices app renderer native/index.js 2>/dev/null)
$(STAMPS)/lab: $(STAMPS)/npm $(SOURCES) vite.lab.config.ts electron.vite.config.ts
	@mkdir -p $(STAMPS)
	npm run --silent build
	@touch $@

build: $(STAMPS)/native $(STAMPS)/lab ## build the binding, the lab and the window

run: build ## open the lab: HOST=auto|sim|pciem|guest, KERNEL=6.1|6.12, DEVICE=nvme, DEMO=doom|frames, PORT=7440
	@scripts/run.sh --host=$(HOST) --kernel=$(KERNEL) --port=$(PORT) --device=$(DEVICE) --demo=$(DEMO)

test: ## everything below, with a line that counts
	@scripts/test.sh unit native kernel e2e guest

test-unit: build ## unit tests of the lab, the devices, the window and the binding
	@scripts/test.sh unit

test-native: build ## the binding's own tests
	@scripts/test.sh native

test-kernel: $(STAMPS)/packages ## the instruction decoder against the CPU and the disassembler; packaging of the module
	@scripts/test.sh kernel

test-kernel-debug: $(STAMPS)/packages build ## the module's self-tests and an attacker on a kernel with KASAN, lockdep, kmemleak, UBSAN
	@KERNEL=$(KERNEL) scripts/test-kernel-debug.sh

test-guest: build ## the module with the kernel's own drivers, on Linux 6.1 and 6.12
	@scripts/test.sh guest

test-e2e: build ## the page in a browser, on the simulated host and on a guest; GREP=doom for those of that name
	@GREP='$(GREP)' scripts/test.sh e2e

lint: $(STAMPS)/npm ## types, formatter, layers, kernel warnings as errors, sparse
	npx tsc -b
	npx biome check .
	node scripts/check-layers.mjs
	node scripts/abi-docs.mjs --check
	scripts/lint-kernel.sh

bench: build ## figures as ratios measured in one run; writes out/bench.json
	@scripts/bench.sh

screenshots: build ## make the README's pictures from a real run
	node scripts/screenshots.mjs

guest-modules: $(STAMPS)/packages ## build the guest's kernel modules anew (KERNEL=6.1|6.12); a guest that runs gets them
	@kernel/guest/build.sh --modules-only $(KERNEL)

module: ## build the kernel module for KDIR
	$(MAKE) -C kernel KDIR=$(KDIR)

module-install: ## install the module for this machine: DKMS, udev rule, modprobe.d (asks for root)
	@KDIR=$(KDIR) DESTDIR=$(DESTDIR) scripts/module-install.sh install

module-uninstall: ## take it away again
	@scripts/module-install.sh uninstall

docs: ## write the tables of docs/abi.md from kernel/uapi/pciem.h
	@node scripts/abi-docs.mjs

clean:
	rm -rf out native/build
	-$(MAKE) -C kernel clean KDIR=$(KDIR) >/dev/null 2>&1

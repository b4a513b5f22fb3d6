// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "reference.h"

bool read_text(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, room - 1);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return false;
	text[n] = '\0';
	return true;
}

bool find(uint16_t id, char address[32])
{
	DIR *dir = opendir("/sys/bus/pci/devices");
	bool found = false;
	struct dirent *entry;
	char path[320], text[32];

	while (!found && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vendor", entry->d_name);
		if (!read_text(path, text, sizeof(text)) || strtoul(text, NULL, 16) != 0x1f0c)
			continue;
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/device", entry->d_name);
		if (!read_text(path, text, sizeof(text)) || strtoul(text, NULL, 16) != id)
			continue;
		snprintf(address, 32, "%.31s", entry->d_name);
		found = true;
	}
	closedir(dir);
	return found;
}

int create(int fd)
{
	struct create create = { .flags = 0 };

	memset(create.reserved, 0xa5, 3);
	return ioctl(fd, CREATE, &create);
}

int set_config(int fd, uint16_t id, uint32_t class)
{
	struct config config;

	memset(&config, 0xa5, sizeof(config));
	config.func = 0;
	config.vendor = 0x1f0c;
	config.device = id;
	config.subsys_vendor = config.subsys_device = 0;
	config.revision = 3;
	memcpy(config.class_code, &class, 3);
	config.header_type = 0;
	return ioctl(fd, SET_CONFIG, &config);
}

int add_bar(int fd, uint32_t index, uint64_t size, uint32_t flags)
{
	struct bar bar;

	memset(&bar, 0xa5, sizeof(bar));
	bar.index = index;
	bar.flags = flags;
	bar.size = size;
	bar.func = 0;
	return ioctl(fd, ADD_BAR, &bar);
}

int add_msi(int fd)
{
	struct capability capability;

	memset(&capability, 0xa5, sizeof(capability));
	capability.type = MSI;
	capability.func = 0;
	capability.msi.vectors_log2 = 0;
	capability.msi.has_64bit = capability.msi.has_masking = 1;
	return ioctl(fd, ADD_CAPABILITY, &capability);
}

/* A table of 16 at the start of BAR 2, and the pending bits in its second page */
int add_msix(int fd)
{
	struct capability capability;

	memset(&capability, 0xa5, sizeof(capability));
	capability.type = MSIX;
	capability.func = 0;
	capability.msix.bar = 2;
	capability.msix.table = 0;
	capability.msix.pba = 4096;
	capability.msix.size = 16;
	return ioctl(fd, ADD_CAPABILITY, &capability);
}

int trace(int fd, uint32_t bar, uint32_t flags)
{
	struct trace trace;

	memset(&trace, 0xa5, sizeof(trace));
	trace.bar = bar;
	trace.flags = flags;
	trace.func = 0;
	return ioctl(fd, TRACE_BAR, &trace);
}

int set_eventfd(int fd, int events)
{
	struct event_fd set = { .fd = events, .reserved = 0xa5a5a5a5 };

	return ioctl(fd, SET_EVENTFD, &set);
}

int inject(int fd, uint32_t vector)
{
	struct inject inject;

	memset(&inject, 0xa5, sizeof(inject));
	inject.vector = vector;
	inject.func = 0;
	return ioctl(fd, INJECT_IRQ, &inject);
}

int set_irqfd(int fd, int eventfd, uint32_t vector, uint32_t flags)
{
	struct irq_fd set;

	memset(&set, 0xa5, sizeof(set));
	set.fd = eventfd;
	set.vector = vector;
	set.flags = flags;
	set.func = 0;
	return ioctl(fd, SET_IRQFD, &set);
}

// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "driver.h"
#include "harness.h"

int module_load(const char *name, const char *parameters)
{
	const char *dir = getenv("MODULES");
	char path[256];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/%s.ko", dir ? dir : "/lab/modules", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ret = syscall(SYS_finit_module, fd, parameters, 0);
	close(fd);
	return ret;
}

int module_unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK);
}

static const char *module_path(const char *name, const char *file)
{
	static char path[128];

	snprintf(path, sizeof(path), "/sys/module/%s/%s", name, file);
	return path;
}

bool module_loaded(const char *name)
{
	return !access(module_path(name, "initstate"), F_OK);
}

long module_references(const char *name)
{
	return lab_read_number(module_path(name, "refcnt"));
}

void driver_load(const char *parameters)
{
	/* One that an earlier test left may be in use until its device is gone */
	ASSERT(!module_loaded("pciem_test") || lab_wait(!module_unload("pciem_test"), 5000));
	ASSERT(!module_load("pciem_test", parameters));
}

/* Threads of a test drive devices at once */
static const char *debugfs(struct lab *lab, const char *file)
{
	static _Thread_local char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/debug/pciem_test/%s/%s", lab->address, file);
	return path;
}

bool driver_bound(struct lab *lab)
{
	return !access(debugfs(lab, "state"), F_OK);
}

void driver_wait(struct lab *lab)
{
	EXPECT_(lab_wait(driver_bound(lab), 10000), true, "pciem_test did not bind to %s",
		lab->address);
}

void driver_power_on(struct lab *lab, const struct lab_spec *spec)
{
	lab_power_on(lab, spec);
	driver_wait(lab);
}

static int command(struct lab *lab, struct driver_result *result, const char *text)
{
	char line[128] = "";
	int fd = open(debugfs(lab, "run"), O_RDWR | O_CLOEXEC), error;

	if (fd < 0)
		return -1;
	memset(result, 0, sizeof(*result));
	if (write(fd, text, strlen(text)) < 0 || pread(fd, line, sizeof(line) - 1, 0) < 0) {
		error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	close(fd);
	sscanf(line, "ns=%lu count=%lu value=%lx", &result->ns, &result->count, &result->value);
	return 0;
}

int driver_try(struct lab *lab, struct driver_result *result, const char *format, ...)
{
	char text[128];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return command(lab, result, text);
}

uint64_t driver_run(struct lab *lab, const char *format, ...)
{
	struct driver_result result;
	char text[128];
	va_list args;
	int ret;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	ret = command(lab, &result, text);
	EXPECT_(!ret, true, "the driver's \"%s\": %s", text, harness_errno(errno));
	return result.value;
}

struct driver_state driver_state(struct lab *lab)
{
	struct driver_state state = { 0 };
	char text[1100] = "", *irqs;
	int fd = open(debugfs(lab, "state"), O_RDONLY | O_CLOEXEC);

	ASSERT(fd >= 0);
	ASSERT(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	ASSERT(sscanf(text, "mode=%7s vectors=%u dma=%lx dma_size=%u", state.mode, &state.vectors,
		      &state.dma, &state.dma_size) == 4);
	irqs = strstr(text, "irqs=");
	if (irqs)
		irqs += 5;
	for (unsigned int i = 0; irqs && i < state.vectors && i < 64; i++) {
		state.irqs[i] = strtoul(irqs, &irqs, 10);
		if (*irqs == ',')
			irqs++;
	}
	return state;
}

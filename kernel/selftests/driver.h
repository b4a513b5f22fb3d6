/* SPDX-License-Identifier: GPL-2.0-only */
/* The driver's side of a test: pciem_test.ko, told what to do through debugfs. */
#ifndef DRIVER_H
#define DRIVER_H

#include "lab.h"

struct driver_state {
	char mode[8];
	unsigned int vectors;
	uint64_t dma;
	unsigned int dma_size;
	unsigned int irqs[64];
};

struct driver_result {
	uint64_t ns;
	uint64_t count;
	uint64_t value;
};

int module_load(const char *name, const char *parameters);
int module_unload(const char *name);
bool module_loaded(const char *name);
/* References, or -1 when it is not loaded */
long module_references(const char *name);

/* pciem_test.ko afresh, with these parameters; ends the test on failure */
void driver_load(const char *parameters);
/* Wait until it has bound to the device; ends the test if it does not */
void driver_wait(struct lab *lab);
bool driver_bound(struct lab *lab);
/* Power on with the driver bound */
void driver_power_on(struct lab *lab, const struct lab_spec *spec);

/* One command; -1 and errno on failure */
int driver_try(struct lab *lab, struct driver_result *result, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* One command that must work; its value */
uint64_t driver_run(struct lab *lab, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
struct driver_state driver_state(struct lab *lab);

#endif /* DRIVER_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/* A device on /dev/pciem in few words, for tests. */
#ifndef LAB_H
#define LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../uapi/pciem.h"
#include "harness.h"

#define LAB_VENDOR	0x1f0c
#define LAB_DEVICE	0x00ff	/* what pciem_test.ko binds to */
#define LAB_DEVICE_FREE	0x00f0	/* what no driver binds to */

/**
 * struct lab_spec - what to build
 * @device: device id
 * @bars: size 0 for none
 * @msi_log2: -1 for no MSI
 * @msix: vectors, 0 for no MSI-X; the table is at 0x8000 of BAR 0, the PBA at 0xf000, or at
 *	0x7000 when the table is longer than that
 * @slots: of a wide ring; 0 for the ring that old programs have
 */
struct lab_spec {
	uint16_t device;
	struct {
		uint64_t size;
		uint32_t flags;
	} bars[6];
	int msi_log2;
	bool msi_mask;
	unsigned int msix;
	bool pm;
	bool pcie;
	uint32_t slots;
};

/* BAR 0: 64 KiB, 64-bit. BAR 2: 16 KiB, 32-bit. No capability. */
extern const struct lab_spec lab_plain;

struct lab {
	int fd;
	int instance;
	uint32_t slots;
	bool wide;
	union {
		void *map;
		struct pciem_ring *ring;
		struct pciem_wide_ring *wide_ring;
	};
	uint64_t head;
	char address[32];	/* domain:bus:device.function */
};

/* Each ends the test on failure */
void lab_build(struct lab *lab, const struct lab_spec *spec);
void lab_register(struct lab *lab);
void lab_start(struct lab *lab);
void lab_map_ring(struct lab *lab);
/* All of the above */
void lab_power_on(struct lab *lab, const struct lab_spec *spec);
void *lab_map_bar(struct lab *lab, unsigned int bar, size_t bytes);
void lab_trace(struct lab *lab, unsigned int bar, uint32_t flags);
void lab_power_off(struct lab *lab);
struct pciem_device_info lab_info(struct lab *lab);

/* Path of a file of the device in sysfs; the buffer is static */
const char *lab_sysfs(struct lab *lab, const char *file);
bool lab_exists(struct lab *lab);
uint32_t lab_config_read(struct lab *lab, unsigned int offset, unsigned int size);
void lab_config_write(struct lab *lab, unsigned int offset, unsigned int size, uint32_t value);
/* PCIEM_IOC_CONFIG_ACCESS with PCIEM_CONFIG_*; the value read */
uint32_t lab_config_access(struct lab *lab, uint32_t flags, uint32_t offset, uint32_t size,
			   uint32_t value);
/* As a driver would, through sysfs */
void lab_bus_master(struct lab *lab, bool on);

/* The next event, or NULL after @milliseconds; valid until the next call */
const struct pciem_event *lab_event(struct lab *lab, int milliseconds);
/* The same with what only a wide ring tells */
const struct pciem_wide_event *lab_wide_event(struct lab *lab, int milliseconds);
/* Throw away what is in the ring */
void lab_drain(struct lab *lab);

/* Wait until @condition, looked at every millisecond */
#define lab_wait(condition, milliseconds) ({							\
	int left_ = (milliseconds) * harness_patience();					\
	bool holds_;										\
	while (!(holds_ = (condition)) && left_-- > 0)						\
		lab_sleep_ms(1);								\
	holds_;											\
})
void lab_sleep_ms(unsigned int milliseconds);
uint64_t lab_now_ns(void);
/* Write text to a file of sysfs or the like; 0 or -1 with errno */
int lab_write_file(const char *path, const char *text);
/* What /proc/meminfo calls MemAvailable */
long lab_available_kib(void);
long lab_read_number(const char *path);

/* A page of this process that stays where it is, and where that is */
void *lab_locked_page(uint64_t *physical);

#endif /* LAB_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints: /sys/kernel/tracing/events/pciem. What a device's own trace
 * shows is here beside everything else that the kernel can trace; a tracepoint
 * that is off costs a jump that is not taken.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM pciem

#if !defined(_PCIEM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _PCIEM_TRACE_H

#include <linux/tracepoint.h>

#include "pciem.h"

/* The domain of a device in a slot of another's bus says which (attach.c). */
#define PCIEM_TRACE_AT "%04x:%02x:%02x"
#define PCIEM_TRACE_ADDRESS							\
	__entry->domain & BIT(30) ? __entry->domain >> 13 & 0x1ffff : __entry->domain,	\
	__entry->domain & BIT(30) ? __entry->domain >> 5 & 0xff : 0,		\
	__entry->domain & BIT(30) ? __entry->domain & 0x1f : 0

DECLARE_EVENT_CLASS(pciem_mmio,
	TP_PROTO(const struct pciem_bar *bar, u64 offset, unsigned int size, u64 value),
	TP_ARGS(bar, offset, size, value),
	TP_STRUCT__entry(
		__field(u32, domain)
		__field(u8, func)
		__field(u8, bar)
		__field(u16, size)
		__field(u64, offset)
		__field(u64, value)
	),
	TP_fast_assign(
		__entry->domain = bar->func->dev->sysdata.domain;
		__entry->func = bar->func->nr;
		__entry->bar = bar->index;
		__entry->size = size;
		__entry->offset = offset;
		__entry->value = value;
	),
	TP_printk(PCIEM_TRACE_AT ".%u bar=%u offset=0x%llx size=%u value=0x%llx", PCIEM_TRACE_ADDRESS,
		  __entry->func, __entry->bar, __entry->offset, __entry->size, __entry->value)
);

/* A trapped access of a driver, with the value that the driver sees */
DEFINE_EVENT(pciem_mmio, pciem_mmio_read,
	TP_PROTO(const struct pciem_bar *bar, u64 offset, unsigned int size, u64 value),
	TP_ARGS(bar, offset, size, value)
);

DEFINE_EVENT(pciem_mmio, pciem_mmio_write,
	TP_PROTO(const struct pciem_bar *bar, u64 offset, unsigned int size, u64 value),
	TP_ARGS(bar, offset, size, value)
);

DECLARE_EVENT_CLASS(pciem_config,
	TP_PROTO(const struct pciem_func *func, unsigned int offset, unsigned int size, u32 value),
	TP_ARGS(func, offset, size, value),
	TP_STRUCT__entry(
		__field(u32, domain)
		__field(u32, value)
		__field(u16, offset)
		__field(u8, size)
		__field(u8, func)
	),
	TP_fast_assign(
		__entry->domain = func->dev->sysdata.domain;
		__entry->value = value;
		__entry->offset = offset;
		__entry->size = size;
		__entry->func = func->nr;
	),
	TP_printk(PCIEM_TRACE_AT ".%u offset=0x%03x size=%u value=0x%x", PCIEM_TRACE_ADDRESS, __entry->func,
		  __entry->offset, __entry->size, __entry->value)
);

/* A config cycle on the device's bus */
DEFINE_EVENT(pciem_config, pciem_config_read,
	TP_PROTO(const struct pciem_func *func, unsigned int offset, unsigned int size, u32 value),
	TP_ARGS(func, offset, size, value)
);

DEFINE_EVENT(pciem_config, pciem_config_write,
	TP_PROTO(const struct pciem_func *func, unsigned int offset, unsigned int size, u32 value),
	TP_ARGS(func, offset, size, value)
);

/* The device raised a vector; error is 0 also when it is masked and only noted */
TRACE_EVENT(pciem_irq,
	TP_PROTO(const struct pciem_func *func, unsigned int vector, int error),
	TP_ARGS(func, vector, error),
	TP_STRUCT__entry(
		__field(u32, domain)
		__field(u32, vector)
		__field(int, error)
		__field(u8, func)
	),
	TP_fast_assign(
		__entry->domain = func->dev->sysdata.domain;
		__entry->vector = vector;
		__entry->error = error;
		__entry->func = func->nr;
	),
	TP_printk(PCIEM_TRACE_AT ".%u vector=%u error=%d", PCIEM_TRACE_ADDRESS, __entry->func,
		  __entry->vector, __entry->error)
);

/* The device read or wrote host memory */
TRACE_EVENT(pciem_dma,
	TP_PROTO(const struct pciem_func *func, u64 address, u64 length, u32 flags, int error),
	TP_ARGS(func, address, length, flags, error),
	TP_STRUCT__entry(
		__field(u64, address)
		__field(u64, length)
		__field(u32, domain)
		__field(int, error)
		__field(bool, read)
		__field(u8, func)
	),
	TP_fast_assign(
		__entry->address = address;
		__entry->length = length;
		__entry->domain = func->dev->sysdata.domain;
		__entry->error = error;
		__entry->read = flags & PCIEM_DMA_READ;
		__entry->func = func->nr;
	),
	TP_printk(PCIEM_TRACE_AT ".%u %s address=0x%llx length=%llu error=%d", PCIEM_TRACE_ADDRESS,
		  __entry->func, __entry->read ? "read" : "write", __entry->address,
		  __entry->length, __entry->error)
);

/* An event found no room in the ring; lost counts all of them */
TRACE_EVENT(pciem_event_lost,
	TP_PROTO(const struct pciem_device *dev, u64 lost),
	TP_ARGS(dev, lost),
	TP_STRUCT__entry(
		__field(u64, lost)
		__field(u32, domain)
	),
	TP_fast_assign(
		__entry->lost = lost;
		__entry->domain = dev->sysdata.domain;
	),
	TP_printk(PCIEM_TRACE_AT " lost=%llu", PCIEM_TRACE_ADDRESS, __entry->lost)
);

/* A driver reset the function */
TRACE_EVENT(pciem_reset,
	TP_PROTO(const struct pciem_func *func, unsigned int kind),
	TP_ARGS(func, kind),
	TP_STRUCT__entry(
		__field(u32, domain)
		__field(u32, kind)
		__field(u8, func)
	),
	TP_fast_assign(
		__entry->domain = func->dev->sysdata.domain;
		__entry->kind = kind;
		__entry->func = func->nr;
	),
	TP_printk(PCIEM_TRACE_AT ".%u %s", PCIEM_TRACE_ADDRESS, __entry->func,
		  __print_symbolic(__entry->kind, { PCIEM_RESET_FLR, "FLR" },
				   { PCIEM_RESET_PM, "PM" }))
);

#endif /* _PCIEM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>

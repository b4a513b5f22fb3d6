// SPDX-License-Identifier: MIT
// The binary interface, held by the compiler: sizes, offsets and call numbers that existing programs were built with.
#include <pciem.h>

#include <cstddef>

#define SIZE(type, bytes) static_assert(sizeof(struct type) == (bytes), #type)
#define FIELD(type, field, offset, bytes)                                                  \
  static_assert(offsetof(struct type, field) == (offset), #type "." #field " offset");     \
  static_assert(sizeof(static_cast<struct type*>(nullptr)->field) == (bytes), #type "." #field " size")
#define CALL(name, number) static_assert(name == (number), #name)

CALL(PCIEM_IOC_CREATE_DEVICE, 0xc008af0aU);
CALL(PCIEM_IOC_ADD_BAR, 0x4018af0bU);
CALL(PCIEM_IOC_ADD_CAPABILITY, 0x4018af0cU);
CALL(PCIEM_IOC_SET_CONFIG, 0x4018af0dU);
CALL(PCIEM_IOC_REGISTER, 0x0000af0eU);
CALL(PCIEM_IOC_INJECT_IRQ, 0x4008af0fU);
CALL(PCIEM_IOC_DMA, 0xc020af10U);
CALL(PCIEM_IOC_DMA_ATOMIC, 0xc030af11U);
CALL(PCIEM_IOC_P2P, 0xc020af12U);
CALL(PCIEM_IOC_GET_BAR_INFO, 0xc020af13U);
CALL(PCIEM_IOC_SET_EVENTFD, 0x4008af15U);
CALL(PCIEM_IOC_SET_IRQFD, 0x4010af16U);
CALL(PCIEM_IOC_DMA_INDIRECT, 0xc030af18U);
CALL(PCIEM_IOC_TRACE_BAR, 0xc00caf19U);
CALL(PCIEM_IOC_START, 0x0000af1aU);

SIZE(pciem_create_device, 8);
FIELD(pciem_create_device, flags, 0, 4);
FIELD(pciem_create_device, func, 4, 1);
FIELD(pciem_create_device, reserved, 5, 3);

SIZE(pciem_bar_config, 24);
FIELD(pciem_bar_config, bar_index, 0, 4);
FIELD(pciem_bar_config, flags, 4, 4);
FIELD(pciem_bar_config, size, 8, 8);
FIELD(pciem_bar_config, func, 16, 1);

SIZE(pciem_cap_config, 24);
FIELD(pciem_cap_config, cap_type, 0, 4);
FIELD(pciem_cap_config, func, 4, 1);
FIELD(pciem_cap_config, reserved, 5, 3);
FIELD(pciem_cap_config, u, 8, 16);
FIELD(pciem_cap_msi, num_vectors_log2, 0, 1);
FIELD(pciem_cap_msi, has_64bit, 1, 1);
FIELD(pciem_cap_msi, has_masking, 2, 1);
FIELD(pciem_cap_msix, bar_index, 0, 1);
FIELD(pciem_cap_msix, table_offset, 4, 4);
FIELD(pciem_cap_msix, pba_offset, 8, 4);
FIELD(pciem_cap_msix, table_size, 12, 2);
FIELD(pciem_cap_pasid, max_width, 0, 1);
FIELD(pciem_cap_pasid, exec, 1, 1);
FIELD(pciem_cap_pasid, priv, 2, 1);

SIZE(pciem_config_space, 24);
FIELD(pciem_config_space, func, 0, 1);
FIELD(pciem_config_space, vendor_id, 4, 2);
FIELD(pciem_config_space, device_id, 6, 2);
FIELD(pciem_config_space, subsys_vendor_id, 8, 2);
FIELD(pciem_config_space, subsys_device_id, 10, 2);
FIELD(pciem_config_space, revision, 12, 1);
FIELD(pciem_config_space, class_code, 13, 3);
FIELD(pciem_config_space, header_type, 16, 1);
FIELD(pciem_config_space, reserved2, 17, 7);

SIZE(pciem_irq_inject, 8);
FIELD(pciem_irq_inject, vector, 0, 4);
FIELD(pciem_irq_inject, func, 4, 1);

SIZE(pciem_dma_op, 32);
FIELD(pciem_dma_op, iova, 0, 8);
FIELD(pciem_dma_op, user_addr, 8, 8);
FIELD(pciem_dma_op, length, 16, 4);
FIELD(pciem_dma_op, pasid, 20, 4);
FIELD(pciem_dma_op, flags, 24, 4);
FIELD(pciem_dma_op, func, 28, 1);

SIZE(pciem_dma_atomic, 48);
FIELD(pciem_dma_atomic, iova, 0, 8);
FIELD(pciem_dma_atomic, operand, 8, 8);
FIELD(pciem_dma_atomic, compare, 16, 8);
FIELD(pciem_dma_atomic, op_type, 24, 4);
FIELD(pciem_dma_atomic, pasid, 28, 4);
FIELD(pciem_dma_atomic, result, 32, 8);
FIELD(pciem_dma_atomic, func, 40, 1);

SIZE(pciem_p2p_op, 32);
FIELD(pciem_p2p_op, target_phys, 0, 8);
FIELD(pciem_p2p_op, user_addr, 8, 8);
FIELD(pciem_p2p_op, length, 16, 4);
FIELD(pciem_p2p_op, flags, 20, 4);
FIELD(pciem_p2p_op, func, 24, 1);

SIZE(pciem_bar_info_query, 32);
FIELD(pciem_bar_info_query, bar_index, 0, 4);
FIELD(pciem_bar_info_query, phys, 8, 8);
FIELD(pciem_bar_info_query, size, 16, 8);
FIELD(pciem_bar_info_query, flags, 24, 4);
FIELD(pciem_bar_info_query, func, 28, 1);

SIZE(pciem_eventfd_config, 8);
FIELD(pciem_eventfd_config, eventfd, 0, 4);
FIELD(pciem_eventfd_config, reserved, 4, 4);

SIZE(pciem_irqfd_config, 16);
FIELD(pciem_irqfd_config, eventfd, 0, 4);
FIELD(pciem_irqfd_config, vector, 4, 4);
FIELD(pciem_irqfd_config, flags, 8, 4);
FIELD(pciem_irqfd_config, func, 12, 1);

SIZE(pciem_dma_indirect, 48);
FIELD(pciem_dma_indirect, prp1, 0, 8);
FIELD(pciem_dma_indirect, prp2, 8, 8);
FIELD(pciem_dma_indirect, user_addr, 16, 8);
FIELD(pciem_dma_indirect, length, 24, 4);
FIELD(pciem_dma_indirect, page_size, 28, 4);
FIELD(pciem_dma_indirect, pasid, 32, 4);
FIELD(pciem_dma_indirect, flags, 36, 4);
FIELD(pciem_dma_indirect, func, 40, 1);

SIZE(pciem_trace_bar, 12);
FIELD(pciem_trace_bar, bar_index, 0, 4);
FIELD(pciem_trace_bar, flags, 4, 4);
FIELD(pciem_trace_bar, func, 8, 1);

SIZE(pciem_event, 48);
FIELD(pciem_event, seq, 0, 8);
FIELD(pciem_event, type, 8, 4);
FIELD(pciem_event, bar, 12, 4);
FIELD(pciem_event, offset, 16, 8);
FIELD(pciem_event, size, 24, 4);
FIELD(pciem_event, cpu, 28, 4);
FIELD(pciem_event, data, 32, 8);
FIELD(pciem_event, timestamp, 40, 8);

SIZE(pciem_response, 24);
FIELD(pciem_response, seq, 0, 8);
FIELD(pciem_response, data, 8, 8);
FIELD(pciem_response, status, 16, 4);

SIZE(pciem_ring, 128);
static_assert(offsetof(struct pciem_ring, head) == 0, "ring head");
static_assert(offsetof(struct pciem_ring, tail) == 64, "ring tail");
static_assert(offsetof(struct pciem_ring, lost) == 72, "ring lost");
static_assert(offsetof(struct pciem_ring, events) == PCIEM_RING_DATA_OFFSET, "ring events");
static_assert(PCIEM_RING_BYTES(PCIEM_RING_EVENTS) == 12416, "ring bytes");

// Calls from 64 on: no padding that the compiler may choose.
SIZE(pciem_version, 16);
SIZE(pciem_setup_ring, 8);
SIZE(pciem_wide_event, 64);
FIELD(pciem_wide_event, pid, 48, 4);
FIELD(pciem_wide_event, flags, 52, 4);
FIELD(pciem_wide_event, extra, 56, 8);
SIZE(pciem_wide_ring, 128);
static_assert(offsetof(struct pciem_wide_ring, tail) == 64, "wide ring tail");
SIZE(pciem_set_events, 8);
SIZE(pciem_rom, 24);
SIZE(pciem_cap_bytes, 40);
SIZE(pciem_set_slot, 8);
SIZE(pciem_config_define, 32);
SIZE(pciem_trace_range, 32);
FIELD(pciem_trace_range, offset, 8, 8);
FIELD(pciem_trace_range, length, 16, 8);
FIELD(pciem_trace_range, func, 24, 1);
SIZE(pciem_completion_timeout, 8);
SIZE(pciem_device_stats, 256);
SIZE(pciem_dma_segment, 24);
SIZE(pciem_dma_batch, 24);
SIZE(pciem_config_access, 24);
SIZE(pciem_device_info, 80);
FIELD(pciem_device_info, driver, 48, 32);
SIZE(pciem_vector_info, 40);
SIZE(pciem_set_intx, 8);
SIZE(pciem_irqfd, 24);
SIZE(pciem_vectors, 24);
SIZE(pciem_dma_mapping, 32);
SIZE(pciem_dma_mappings, 56);
FIELD(pciem_dma_mappings, func, 48, 1);
SIZE(pciem_dma_policy, 8);

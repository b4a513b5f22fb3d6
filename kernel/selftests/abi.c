// SPDX-License-Identifier: GPL-2.0-only
/* Numbers and layouts that programs were compiled against. Mostly checked by compiling this. */
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#include "harness.h"
#include "lab.h"

#define SIZE(type, bytes) _Static_assert(sizeof(struct type) == (bytes), #type)
#define FIELD(type, field, offset, bytes)							\
	_Static_assert(offsetof(struct type, field) == (offset), #type "." #field);		\
	_Static_assert(sizeof(((struct type *)0)->field) == (bytes), #type "." #field " size")
#define CALL(name, number) _Static_assert(PCIEM_IOC_##name == (number), #name)
#define VALUE(name, number) _Static_assert((name) == (number), #name)

CALL(CREATE_DEVICE, 0xc008af0a);
CALL(ADD_BAR, 0x4018af0b);
CALL(ADD_CAPABILITY, 0x4018af0c);
CALL(SET_CONFIG, 0x4018af0d);
CALL(REGISTER, 0x0000af0e);
CALL(INJECT_IRQ, 0x4008af0f);
CALL(DMA, 0xc020af10);
CALL(DMA_ATOMIC, 0xc030af11);
CALL(P2P, 0xc020af12);
CALL(GET_BAR_INFO, 0xc020af13);
CALL(SET_EVENTFD, 0x4008af15);
CALL(SET_IRQFD, 0x4010af16);
CALL(DMA_INDIRECT, 0xc030af18);
CALL(TRACE_BAR, 0xc00caf19);
CALL(START, 0x0000af1a);

CALL(GET_VERSION, 0x8010af40);
CALL(SETUP_RING, 0x4008af41);
CALL(DMA_BATCH, 0xc018af42);
CALL(CONFIG_ACCESS, 0xc018af43);
CALL(DEVICE_INFO, 0xc050af44);
CALL(VECTOR_INFO, 0xc028af45);
CALL(SET_INTX, 0x4008af57);
CALL(IRQFD, 0x4018af58);
CALL(VECTORS, 0xc018af59);

CALL(SET_EVENTS, 0x4008af46);
CALL(TRACE_RANGE, 0x4020af47);
CALL(SET_COMPLETION_TIMEOUT, 0x4008af48);
CALL(DEVICE_STATS, 0x8100af49);

SIZE(pciem_version, 16);
SIZE(pciem_setup_ring, 8);
SIZE(pciem_wide_event, 64);
FIELD(pciem_wide_event, extra, 56, 8);
SIZE(pciem_wide_ring, 128);
FIELD(pciem_wide_ring, tail, 64, 8);
SIZE(pciem_set_events, 8);
CALL(ADD_CAP_BYTES, 0xc028af4c);
CALL(CONFIG_DEFINE, 0x4020af4d);
CALL(SET_SLOT, 0x4008af4f);
CALL(SET_ROM, 0x4018af4e);
SIZE(pciem_rom, 24);
SIZE(pciem_cap_bytes, 40);
SIZE(pciem_set_slot, 8);
SIZE(pciem_config_define, 32);
SIZE(pciem_trace_range, 32);
FIELD(pciem_trace_range, offset, 8, 8);
FIELD(pciem_trace_range, func, 24, 1);
SIZE(pciem_completion_timeout, 8);
SIZE(pciem_device_stats, 256);
FIELD(pciem_device_stats, late_responses, 56, 8);
SIZE(pciem_dma_segment, 24);
SIZE(pciem_dma_batch, 24);
SIZE(pciem_config_access, 24);
SIZE(pciem_device_info, 80);
SIZE(pciem_vector_info, 40);
SIZE(pciem_set_intx, 8);
SIZE(pciem_irqfd, 24);
SIZE(pciem_vectors, 24);

CALL(DMA_MAPPINGS, 0xc038af50);
CALL(DMA_POLICY, 0x4008af51);
SIZE(pciem_dma_mapping, 32);
SIZE(pciem_dma_mappings, 56);
FIELD(pciem_dma_mappings, count, 40, 4);
FIELD(pciem_dma_mappings, func, 48, 1);
SIZE(pciem_dma_policy, 8);

SIZE(pciem_create_device, 8);
FIELD(pciem_create_device, flags, 0, 4);
FIELD(pciem_create_device, func, 4, 1);
SIZE(pciem_bar_config, 24);
FIELD(pciem_bar_config, bar_index, 0, 4);
FIELD(pciem_bar_config, flags, 4, 4);
FIELD(pciem_bar_config, size, 8, 8);
FIELD(pciem_bar_config, func, 16, 1);
SIZE(pciem_cap_config, 24);
FIELD(pciem_cap_config, cap_type, 0, 4);
FIELD(pciem_cap_config, func, 4, 1);
FIELD(pciem_cap_config, u, 8, 16);
FIELD(pciem_cap_msi, num_vectors_log2, 0, 1);
FIELD(pciem_cap_msi, has_64bit, 1, 1);
FIELD(pciem_cap_msi, has_masking, 2, 1);
FIELD(pciem_cap_msix, bar_index, 0, 1);
FIELD(pciem_cap_msix, table_offset, 4, 4);
FIELD(pciem_cap_msix, pba_offset, 8, 4);
FIELD(pciem_cap_msix, table_size, 12, 2);
SIZE(pciem_config_space, 24);
FIELD(pciem_config_space, func, 0, 1);
FIELD(pciem_config_space, vendor_id, 4, 2);
FIELD(pciem_config_space, device_id, 6, 2);
FIELD(pciem_config_space, subsys_vendor_id, 8, 2);
FIELD(pciem_config_space, subsys_device_id, 10, 2);
FIELD(pciem_config_space, revision, 12, 1);
FIELD(pciem_config_space, class_code, 13, 3);
FIELD(pciem_config_space, header_type, 16, 1);
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
FIELD(pciem_event, data, 32, 8);
FIELD(pciem_event, timestamp, 40, 8);
SIZE(pciem_response, 24);
FIELD(pciem_response, seq, 0, 8);
FIELD(pciem_response, data, 8, 8);
FIELD(pciem_response, status, 16, 4);
FIELD(pciem_ring, head, 0, 4);
FIELD(pciem_ring, tail, 64, 4);
_Static_assert(offsetof(struct pciem_ring, events) == 128, "events");
_Static_assert(PCIEM_RING_BYTES(256) == 12416, "bytes of the ring");

VALUE(PCIEM_RING_EVENTS, 256);
VALUE(PCIEM_CAP_MSI, 0);
VALUE(PCIEM_CAP_MSIX, 1);
VALUE(PCIEM_CAP_PM, 2);
VALUE(PCIEM_CAP_PCIE, 3);
VALUE(PCIEM_CAP_VSEC, 4);
VALUE(PCIEM_CAP_PASID, 5);
VALUE(PCIEM_DMA_READ, 1);
VALUE(PCIEM_DMA_WRITE, 2);
VALUE(PCIEM_ATOMIC_ADD, 1);
VALUE(PCIEM_ATOMIC_XOR, 7);
VALUE(PCIEM_TRACE_READS, 1);
VALUE(PCIEM_TRACE_WRITES, 2);
VALUE(PCIEM_TRACE_STOP_WRITES, 4);
VALUE(PCIEM_IRQFD_LEVEL, 1);
VALUE(PCIEM_IRQFD_DEASSERT, 2);
VALUE(PCIEM_EVENT_MMIO_READ, 1);
VALUE(PCIEM_EVENT_MMIO_WRITE, 2);
VALUE(PCIEM_EVENT_RESET, 6);
VALUE(PCIEM_BAR_PGOFF(1, 2), 10);

TEST(sizes_offsets_and_numbers_as_compiled)
{
	/* The assertions above */
}

TEST(version_and_features)
{
	struct pciem_version version = { .reserved = 7 };
	struct lab lab;

	lab_build(&lab, &lab_plain);
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_GET_VERSION, &version));
	EXPECT_EQ(version.abi_version, PCIEM_ABI_VERSION);
	EXPECT_EQ(version.reserved, 0);
	EXPECT_EQ(version.features & 0xff, 0xff);
}

TEST(a_program_of_the_old_interface)
{
	struct lab_spec spec = lab_plain;
	struct pciem_bar_info_query query = { .bar_index = 0 };
	struct lab lab;
	uint32_t *bar;

	lab_power_on(&lab, &spec);
	bar = lab_map_bar(&lab, 0, 0x10000);
	bar[3] = 0x12345678;
	EXPECT_EQ(bar[3], 0x12345678);
	lab_trace(&lab, 0, PCIEM_TRACE_READS | PCIEM_TRACE_WRITES);
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_GET_BAR_INFO, &query));
	EXPECT_EQ(query.size, 0x10000);
	EXPECT_EQ(query.flags & PCIEM_BAR_MEM64, PCIEM_BAR_MEM64);
	EXPECT(query.phys && !(query.phys & 0xffff));
	EXPECT(lab_exists(&lab));
	EXPECT_EQ(lab_config_read(&lab, 0, 4), LAB_DEVICE_FREE << 16 | LAB_VENDOR);
	/* Reserved bytes that it never set are not looked at */
	memset(&query, 0xa5, sizeof(query));
	query.bar_index = 2;
	query.func = 0;
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_GET_BAR_INFO, &query));
	EXPECT_EQ(query.size, 0x4000);
	lab_power_off(&lab);
	EXPECT(lab_wait(!lab_exists(&lab), 1000));
}

TEST_MAIN()

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private structures of the pciem module.
 *
 * A pciem_device is what one open of /dev/pciem makes: a root bus in a PCI
 * domain of its own with one slot and up to eight functions. It is counted:
 * the open file, the instance file, each kernel mapping of a BAR and the host
 * bridge hold it. Only the open file keeps it on the bus.
 *
 * Locking, outermost first:
 *   device->lock        mutex; building the device, REGISTER, START, TRACE.
 *                       Never held while user memory is touched (mmap_lock
 *                       comes first) and never taken under PCI core locks.
 *   irqfd_lock          mutex in irqfd.c; the lists of irqfds
 *   pci rescan lock     the PCI core's
 *   trap_lock           mutex in trap.c; the list of mappings and their PTEs
 *   irq desc locks      the irq core's
 *   irq_table.lock      raw; allocation of interrupt slots
 *   func->config_lock   raw; innermost, config space
 *   ring->lock          raw; innermost, ring indices and BAR memory on traced access
 * The access paths (ring, DMA, interrupts, config cycles) take no mutex: a
 * device is freed only after its file is closed and its bus is gone.
 */
#ifndef _PCIEM_H
#define _PCIEM_H

#include <linux/atomic.h>
#include <linux/irq_work.h>
#include <linux/irqdomain.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/msi.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "uapi/pciem.h"

struct eventfd_ctx;
struct file;
struct pciem_device;
struct pciem_func;
struct vm_area_struct;

#define PCIEM_CONFIG_SIZE	4096
#define PCIEM_BAR_MAX_SIZE	SZ_256M
#define PCIEM_MSIX_MAX		2048

/**
 * struct pciem_bar - a BAR and the memory behind it
 * @func: owner
 * @index: 0 to 5
 * @flags: PCIEM_BAR_*
 * @size: bytes; 0 when there is no such BAR
 * @npages: pages of memory
 * @pages: the memory; lives as long as the device
 * @trace: PCIEM_TRACE_*; changed under device->lock, read anywhere
 */
struct pciem_bar {
	struct pciem_func *func;
	u8 index;
	u32 flags;
	u64 size;
	unsigned long npages;
	struct page **pages;
	u32 trace;
};

/**
 * struct pciem_func - one function
 * @dev: owner
 * @nr: function number
 * @bars: by BAR index
 * @config_lock: protects @config
 * @config: configuration space, little endian as x86 is
 * @config_rw: bits that a driver may write
 * @config_w1c: bits that a driver clears by writing one
 * @cap_next: first free byte for capabilities
 * @cap_last: offset of the "next" byte of the last capability in the list
 * @cap_msi: offset of the MSI capability or 0; likewise @cap_msix, @cap_pm, @cap_pcie
 * @msi: as configured; likewise @msix
 * @intx_slot: interrupt slot of the INTx pin
 * @kick: delivers pending interrupts after an unmask
 * @interrupts: delivered
 */
struct pciem_func {
	struct pciem_device *dev;
	u8 nr;
	struct pciem_bar bars[PCIEM_MAX_BARS];

	raw_spinlock_t config_lock;
	u32 config[PCIEM_CONFIG_SIZE / 4];
	u32 config_rw[PCIEM_CONFIG_SIZE / 4];
	u32 config_w1c[PCIEM_CONFIG_SIZE / 4];

	u16 cap_next;
	u16 cap_last;
	u16 cap_msi;
	u16 cap_msix;
	u16 cap_pm;
	u16 cap_pcie;
	struct pciem_cap_msi msi;
	struct pciem_cap_msix msix;

	int intx_slot;
	struct irq_work kick;
	atomic64_t interrupts;
};

/**
 * struct pciem_irq_slot - one Linux interrupt of a device
 * @table: owner
 * @virq: Linux interrupt, 0 when free
 * @cpu: where it is delivered
 * @pending: deliveries that the CPU in @csd has yet to make
 * @csd: the call to that CPU
 * @count: delivered
 */
struct pciem_irq_slot {
	struct pciem_irq_table *table;
	unsigned int virq;
	unsigned int cpu;
	atomic_t pending;
	call_single_data_t csd;
	atomic64_t count;
};

/**
 * struct pciem_irq_table - interrupts of a device
 * @domain: hands out slots; hwirq is the slot number
 * @msi_domain: PCI MSI domain on top of it
 * @lock: protects @used
 * @used: bitmap of slots
 * @slots: by hwirq, which is also the message data
 * @nslots: how many
 * @inflight: calls to other CPUs that have not ended
 */
struct pciem_irq_table {
	struct fwnode_handle *fwnode;
	struct fwnode_handle *msi_fwnode;
	struct irq_domain *domain;
	struct irq_domain *msi_domain;
	struct msi_domain_info msi_info;
	raw_spinlock_t lock;
	unsigned long *used;
	struct pciem_irq_slot *slots;
	unsigned int nslots;
	atomic_t inflight;
};

/**
 * struct pciem_event_ring - the ring that userspace maps
 * @shared: the memory; user-writable, so nothing in it is believed
 * @slots: power of two
 * @bytes: size of the mapping
 * @extended: fill pciem_event.seq and .cpu
 * @lock: protects what follows
 * @tail: our own index; @shared->tail is a copy for userspace
 * @seq: last sequence number, counting lost events, so that a gap shows where they were
 * @stalled: head at which a wait ran into its bound, or ~0
 */
struct pciem_event_ring {
	struct pciem_ring *shared;
	u32 slots;
	size_t bytes;
	bool extended;

	raw_spinlock_t lock;
	u32 tail;
	u64 seq;
	u32 stalled;

	wait_queue_head_t readers;
	struct eventfd_ctx __rcu *eventfd;
	atomic64_t events;
	atomic64_t lost;
	atomic64_t waits;
};

enum pciem_state {
	PCIEM_BUILDING,		/* functions, BARs and capabilities may be added */
	PCIEM_REGISTERED,	/* on the bus */
	PCIEM_STARTED,		/* drivers may bind */
};

/**
 * struct pciem_device - an instance
 * @ref: see the head of this file
 * @lock: see the head of this file
 * @state: changed under @lock
 * @gone: surprise removal; reads give all ones from here on. Set once, never cleared.
 */
struct pciem_device {
	struct kref ref;
	struct mutex lock;
	enum pciem_state state;
	bool gone;

	struct pciem_func *funcs[PCIEM_MAX_FUNCTIONS];
	struct pciem_event_ring ring;
	struct pciem_irq_table irqs;

	struct pci_host_bridge *bridge;
	struct pci_bus *bus;
	struct pci_sysdata sysdata;
	struct resource busn;
	struct resource window32;	/* for 32-bit BARs: low on the bus, high for the CPU */
	struct resource window64;
	char window_name[32];
	struct work_struct start_work;

	struct list_head irqfds;	/* irqfd.c */
	struct list_head trap_node;	/* in trap.c's list of devices */
};

static inline bool pciem_gone(const struct pciem_device *dev)
{
	return READ_ONCE(dev->gone);
}

/* device.c */
struct pciem_device *pciem_device_create(void);
void pciem_device_get(struct pciem_device *dev);
void pciem_device_put(struct pciem_device *dev);
void pciem_device_unplug(struct pciem_device *dev);
int pciem_func_create(struct pciem_device *dev, const struct pciem_create_device *arg);
int pciem_func_set_ids(struct pciem_device *dev, const struct pciem_config_space *arg);
int pciem_device_register(struct pciem_device *dev);
int pciem_device_start(struct pciem_device *dev);
struct pciem_func *pciem_func(struct pciem_device *dev, unsigned int nr);
struct pciem_func *pciem_func_building(struct pciem_device *dev, unsigned int nr);
struct pciem_func *pciem_func_running(struct pciem_device *dev, unsigned int nr);
int pciem_device_info(struct pciem_device *dev, struct pciem_device_info *info);

/* chrdev.c */
int pciem_chrdev_init(void);
void pciem_chrdev_exit(void);

/* bridge.c */
int pciem_bridge_init(void);
void pciem_bridge_exit(void);
int pciem_bridge_add(struct pciem_device *dev);
void pciem_bridge_start(struct pciem_device *dev);
void pciem_bridge_remove(struct pciem_device *dev);
struct pci_dev *pciem_bridge_get_pdev(struct pciem_func *func);
resource_size_t pciem_bridge_bar_phys(struct pciem_bar *bar);

/* config.c */
void pciem_config_init(struct pciem_func *func);
u32 pciem_config_read(struct pciem_func *func, unsigned int where, unsigned int size);
void pciem_config_write(struct pciem_func *func, unsigned int where, unsigned int size, u32 value);
void pciem_config_poke(struct pciem_func *func, unsigned int where, unsigned int size, u32 value);
void pciem_config_define(struct pciem_func *func, unsigned int where, unsigned int size,
			 u32 value, u32 rw, u32 w1c);
int pciem_config_access(struct pciem_device *dev, struct pciem_config_access *arg);
static inline bool pciem_bus_master(struct pciem_func *func)
{
	return READ_ONCE(func->config[PCI_COMMAND / 4]) & PCI_COMMAND_MASTER;
}

/* caps.c */
int pciem_cap_add(struct pciem_device *dev, const struct pciem_cap_config *arg);
int pciem_caps_check(struct pciem_func *func);

/* bar.c */
int pciem_bar_add(struct pciem_device *dev, const struct pciem_bar_config *arg);
void pciem_bar_free(struct pciem_bar *bar);
int pciem_bar_info(struct pciem_device *dev, struct pciem_bar_info_query *arg);
int pciem_bar_mmap(struct pciem_device *dev, struct vm_area_struct *vma);
u64 pciem_bar_load(struct pciem_bar *bar, u64 offset, unsigned int size);
void pciem_bar_store(struct pciem_bar *bar, u64 offset, unsigned int size, u64 value);
static inline void *pciem_bar_ptr(struct pciem_bar *bar, u64 offset)
{
	return page_address(bar->pages[offset >> PAGE_SHIFT]) + offset_in_page(offset);
}

/* irq.c */
int pciem_irq_init(struct pciem_device *dev);
void pciem_irq_exit(struct pciem_device *dev);
void pciem_irq_func_init(struct pciem_func *func);
int pciem_irq_raise(struct pciem_func *func, unsigned int vector);
void pciem_irq_kick(struct pciem_func *func);
bool pciem_irq_in_table(struct pciem_bar *bar, u64 offset);
int pciem_irq_vector_info(struct pciem_device *dev, struct pciem_vector_info *info);
unsigned int pciem_irq_mode(struct pciem_func *func, unsigned int *vectors);
unsigned int pciem_irq_vectors(struct pciem_func *func);
int pciem_irq_map_pin(const struct pci_dev *pdev, u8 slot, u8 pin);

/* irqfd.c */
int pciem_irqfd_init(void);
void pciem_irqfd_exit(void);
int pciem_irqfd_set(struct pciem_device *dev, const struct pciem_irqfd_config *arg);
void pciem_irqfd_remove_all(struct pciem_device *dev);

/* dma.c */
int pciem_copy_in(void *to, const void __user *from, size_t length);
int pciem_copy_out(void __user *to, const void *from, size_t length);
int pciem_dma(struct pciem_device *dev, const struct pciem_dma_op *arg);
int pciem_dma_indirect(struct pciem_device *dev, const struct pciem_dma_indirect *arg);
int pciem_dma_atomic(struct pciem_device *dev, struct pciem_dma_atomic *arg);
int pciem_dma_batch(struct pciem_device *dev, struct pciem_dma_batch *arg);

/* ring.c */
void pciem_ring_init(struct pciem_event_ring *ring);
int pciem_ring_setup(struct pciem_device *dev, u32 slots);
int pciem_ring_alloc(struct pciem_event_ring *ring);
void pciem_ring_free(struct pciem_event_ring *ring);
int pciem_ring_mmap(struct pciem_device *dev, struct vm_area_struct *vma);
bool pciem_ring_readable(struct pciem_event_ring *ring);
int pciem_ring_set_eventfd(struct pciem_device *dev, int fd);
struct pciem_event *pciem_ring_begin(struct pciem_device *dev, bool may_sleep,
				     unsigned long *flags) __acquires(&dev->ring.lock);
void pciem_ring_end(struct pciem_device *dev, struct pciem_event *event, unsigned long flags)
	__releases(&dev->ring.lock);
void pciem_ring_lose(struct pciem_device *dev);

/* trap.c */

/**
 * struct pciem_mapping - a kernel mapping of (a part of) a BAR
 * @start: first address
 * @end: one past the last
 * @offset: of @start in the BAR
 * @bar: which
 * @dev: its device, held
 * @ref: the list holds one, each access in flight another
 * @unmapped: no longer in the list; under trap_lock
 * @rearm: traps again after pciem_trap_open_page()
 * @free_work: what the last put may not do where it is
 */
struct pciem_mapping {
	struct list_head node;
	struct rcu_head rcu;
	struct work_struct free_work;
	struct delayed_work rearm;
	bool unmapped;
	unsigned long start;
	unsigned long end;
	u64 offset;
	struct pciem_bar *bar;
	struct pciem_device *dev;
	refcount_t ref;
};

int pciem_trap_init(void);
void pciem_trap_exit(void);
void pciem_trap_add(struct pciem_device *dev);
void pciem_trap_remove(struct pciem_device *dev);
int pciem_trap_set(struct pciem_device *dev, const struct pciem_trace_bar *arg);
void pciem_trap_unplug(struct pciem_device *dev);
struct pciem_mapping *pciem_mapping_get(unsigned long address);
void pciem_mapping_put(struct pciem_mapping *map);
u64 pciem_mmio_read(struct pciem_mapping *map, unsigned long address, unsigned int size,
		    bool may_sleep);
void pciem_mmio_write(struct pciem_mapping *map, unsigned long address, unsigned int size,
		      u64 value, bool may_sleep);
void pciem_trap_open_page(struct pciem_mapping *map, unsigned long address);

/* trap_x86.c */
struct pt_regs;
bool pciem_trap_emulate(struct pciem_mapping *map, struct pt_regs *regs, unsigned long address,
			bool may_sleep);

#endif /* _PCIEM_H */

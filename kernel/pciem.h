/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private structures of the pciem module.
 *
 * A pciem_device is what one open of /dev/pciem makes: up to eight functions in
 * a slot, of a root bus in a PCI domain of its own or of a host's bus. It is counted:
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
 *   views_lock          mutex in trap_user.c; mappings of user space
 *   irq desc locks      the irq core's
 *   DMA locks           see dma_ops.c; the slot's is held while a device accesses
 *   irq_table.lock      raw; allocation of interrupt slots
 *   func->pin.lock      raw; the INTx pin
 *   func->config_lock   raw; innermost, config space
 *   ring->lock          raw; ring indices and BAR memory on traced access
 *   requests->lock      raw; innermost, accesses that wait for an answer
 * The access paths (ring, DMA, interrupts, config cycles) take no mutex: a
 * device is freed only after its file is closed and its bus is gone.
 */
#ifndef _PCIEM_H
#define _PCIEM_H

#include <linux/atomic.h>
#include <linux/hrtimer.h>
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

struct dentry;
struct eventfd_ctx;
struct file;
struct pciem_device;
struct pciem_dma_space;
struct pciem_func;
struct pciem_trace_table;
struct task_struct;
struct vm_area_struct;

#define PCIEM_CONFIG_SIZE	4096
#define PCIEM_BAR_MAX_SIZE	SZ_256M
#define PCIEM_MSIX_MAX		2048
#define PCIEM_ROM_BAR		PCIEM_MAX_BARS	/* the option ROM, kept as one BAR more */
#define PCIEM_BAR_SLOTS		(PCIEM_MAX_BARS + 1)

/**
 * struct pciem_bar - a BAR and the memory behind it
 * @func: owner
 * @index: 0 to 5, or PCIEM_ROM_BAR
 * @flags: PCIEM_BAR_*
 * @size: bytes; 0 when there is no such BAR
 * @npages: pages of memory
 * @touched: the memory by page, NULL where nobody touched it: pciem_bar_page() makes it
 * @trace: which accesses are told (ranges.c); NULL for none
 * @traced: TRACE_BAR was called; under device->lock
 */
struct pciem_bar {
	struct pciem_func *func;
	u8 index;
	u32 flags;
	u64 size;
	unsigned long npages;
	struct page **touched;
	struct pciem_trace_table __rcu *trace;
	bool traced;
};

/**
 * struct pciem_pin - the INTx pin of a function
 * @lock: protects what follows
 * @asserted: the level that the device drives
 * @pulses: runs of the handler that are still to come, each a pulse
 * @open: a driver asked for the interrupt
 * @masked: by the irq core
 * @serving: the handler was called and the line not unmasked since
 * @resample: irqfds are to be told that the handler ran
 * @resamplers: how many want to be told
 * @called: when the handler was last called, ns
 * @served: when it last ended, ns
 * @pause: ns from then until a level is served again
 * @again: looks at a line that stays up
 */
struct pciem_pin {
	raw_spinlock_t lock;
	bool asserted;
	bool open;
	bool masked;
	bool serving;
	bool resample;
	u32 pulses;
	unsigned int resamplers;
	u64 called;
	u64 served;
	u64 pause;
	struct hrtimer again;
};

/**
 * struct pciem_func - one function
 * @dev: owner
 * @nr: function number
 * @bars: by BAR index
 * @remove_file: of its PCI device in sysfs, held; or NULL
 * @driver: start of the name of the bound driver, for the event of its unbinding
 * @config_lock: protects @config
 * @config: configuration space, little endian as x86 is
 * @config_rw: bits that a driver may write
 * @config_w1c: bits that a driver clears by writing one
 * @config_reset: @config after a reset
 * @config_fixed: bytes that PCIEM_IOC_CONFIG_DEFINE leaves alone
 * @cap_used: dwords that the header and capabilities take
 * @cap_last: offset of the "next" byte of the last capability in the list
 * @ext_last: offset of the last extended capability, or 0
 * @ext_null: the extended list begins with an empty entry
 * @cap_msi: offset of the MSI capability or 0; likewise @cap_msix, @cap_pm, @cap_pcie, @cap_af
 * @msi: as configured; likewise @msix
 * @dma: what drivers mapped for it
 * @intx_slot: interrupt slot of the INTx pin
 * @pin: the pin's state
 * @kick: delivers what became deliverable, by an unmask for example
 * @resample: tells irqfds that the handler ran
 * @power_work: shows or hides its BARs, after a change of its power state
 * @interrupts: delivered
 */
struct pciem_func {
	struct pciem_device *dev;
	u8 nr;
	struct pciem_bar bars[PCIEM_BAR_SLOTS];

	struct kernfs_node *remove_file;
	char driver[16];
	raw_spinlock_t config_lock;
	u32 config[PCIEM_CONFIG_SIZE / 4];
	u32 config_rw[PCIEM_CONFIG_SIZE / 4];
	u32 config_w1c[PCIEM_CONFIG_SIZE / 4];
	u32 config_reset[PCIEM_CONFIG_SIZE / 4];
	DECLARE_BITMAP(config_fixed, PCIEM_CONFIG_SIZE);

	DECLARE_BITMAP(cap_used, PCIEM_CONFIG_SIZE / 4);
	u16 cap_last;
	u16 ext_last;
	bool ext_null;
	u16 cap_msi;
	u16 cap_msix;
	u16 cap_pm;
	u16 cap_pcie;
	u16 cap_af;
	struct pciem_cap_msi msi;
	struct pciem_cap_msix msix;

	struct pciem_dma_space *dma;

	int intx_slot;
	struct pciem_pin pin;
	struct irq_work kick;
	struct work_struct resample;
	struct work_struct power_work;
	atomic64_t interrupts;
};

/**
 * struct pciem_irq_slot - one Linux interrupt of a device
 * @pin: the function whose INTx pin it is, or NULL for a message
 * @virq: Linux interrupt, 0 when free
 * @cpu: where it is delivered
 * @pending: deliveries to be made; who takes it from 0 to 1 makes them, or passes them on
 * @csd: passes them to another CPU
 * @work: to a later interrupt of this one
 * @count: delivered
 */
struct pciem_irq_slot {
	struct pciem_func *pin;
	unsigned int virq;
	unsigned int cpu;
	atomic_t pending;
	call_single_data_t csd;
	struct irq_work work;
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
};

/**
 * struct pciem_report - what an event is to say
 * @type: enum pciem_event_type
 * @func: function number
 * @bar: BAR index
 * @size: bytes
 * @offset: by type; likewise @data, @extra, @flags
 */
struct pciem_report {
	u32 type;
	u8 func;
	u8 bar;
	u32 size;
	u64 offset;
	u64 data;
	u64 extra;
	u32 flags;
};

/**
 * struct pciem_event_ring - the ring that userspace maps
 * @shared: the memory; user-writable, so nothing in it is believed
 * @slots: power of two
 * @bytes: size of the mapping
 * @wide: a struct pciem_wide_ring, else a struct pciem_ring
 * @mask: PCIEM_EVENTS_*
 * @lock: protects what follows
 * @tail: events put in, ever; the shared one is a copy for userspace
 * @seq: last sequence number, counting lost events, so that a gap shows where they were
 * @untold: lost events that no LOST event has told yet
 * @stalled: head at which a wait ran into its bound, or ~0
 */
struct pciem_event_ring {
	void *shared;
	u32 slots;
	size_t bytes;
	bool wide;
	u32 mask;

	raw_spinlock_t lock;
	u64 tail;
	u64 seq;
	u64 untold;
	u64 stalled;

	wait_queue_head_t readers;
	struct eventfd_ctx __rcu *eventfd;
	atomic64_t events;
	atomic64_t lost;
	atomic64_t waits;
};

/**
 * struct pciem_request - an access that waits for the device's answer
 * @node: in pciem_requests.pending until done
 * @seq: of its event
 * @data: answer; with @status valid once @done
 * @status: 0 when answered
 * @done: answered, or the device is gone
 * @sleeper: to be woken; under the lock
 * @asked: when
 */
struct pciem_request {
	struct hlist_node node;
	u64 seq;
	u64 data;
	u32 status;
	bool done;
	struct task_struct *sleeper;
	u64 asked;
};

#define PCIEM_REQUEST_BUCKETS	64

/**
 * struct pciem_requests - the accesses that wait, of one device
 * @lock: protects @pending
 * @pending: by sequence number
 * @timeout_us: longest wait
 * @pace: ns from question to answer lately
 */
struct pciem_requests {
	raw_spinlock_t lock;
	struct hlist_head pending[PCIEM_REQUEST_BUCKETS];
	u32 timeout_us;
	u64 pace;
	atomic64_t reads;
	atomic64_t writes;
	atomic64_t timeouts;
	atomic64_t abandoned;
	atomic64_t late;
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
 * @current_abi: the program has made a call from 64 on. Set once, never cleared.
 */
struct pciem_device {
	struct kref ref;
	struct mutex lock;
	enum pciem_state state;
	bool gone;
	bool current_abi;

	struct pciem_func *funcs[PCIEM_MAX_FUNCTIONS];
	struct pciem_event_ring ring;
	struct pciem_requests requests;
	struct pciem_irq_table irqs;

	bool attach;			/* in a slot of a bus that is not ours */
	struct pciem_set_slot place;	/* asked for */
	u8 slot;			/* 0 on a bus of our own */
	struct pci_host_bridge *bridge;
	struct pci_bus *bus;
	struct pci_sysdata sysdata;
	struct resource busn;
	struct resource window32;	/* for 32-bit BARs: low on the bus, perhaps high for the CPU */
	struct resource window64;
	u64 bus32;			/* where window32 begins on the bus */
	char window_name[32];
	struct work_struct start_work;

	struct list_head irqfds;	/* irqfd.c */
	struct list_head trap_node;	/* in trap.c's list of devices */
	struct dentry *debugfs;		/* its directory; debugfs.c */
};

static inline bool pciem_gone(const struct pciem_device *dev)
{
	return READ_ONCE(dev->gone);
}

/* Whether a program of the older interface is to get away with what it knows no better. */
static inline bool pciem_lenient(const struct pciem_device *dev)
{
	return !READ_ONCE(dev->current_abi);
}

/* device.c */
struct pciem_device *pciem_device_create(void);
void pciem_device_get(struct pciem_device *dev);
void pciem_device_put(struct pciem_device *dev);
void pciem_device_unplug(struct pciem_device *dev);
int pciem_func_create(struct pciem_device *dev, const struct pciem_create_device *arg);
int pciem_func_set_ids(struct pciem_device *dev, const struct pciem_config_space *arg);
int pciem_device_set_slot(struct pciem_device *dev, const struct pciem_set_slot *arg);
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
struct pciem_func *pciem_bridge_func(const struct pci_dev *pdev);
resource_size_t pciem_bridge_bar_phys(struct pciem_bar *bar);
int pciem_bridge_read(struct pciem_func *func, int where, int size, u32 *value);
int pciem_bridge_write(struct pciem_func *func, int where, int size, u32 value);
bool pciem_bridge_is_ours(const struct pci_bus *bus);
u64 pciem_bridge_place_bars(struct pciem_device *dev, bool wide, u64 bus, u64 *largest);
void pciem_bridge_windows_release(struct pciem_device *dev);

/* attach.c */
struct pciem_device *pciem_attach_device(const struct pci_bus *bus, unsigned int slot);
int pciem_attach_add(struct pciem_device *dev);
void pciem_attach_added(struct pciem_device *dev, struct pci_dev *pdev);
void pciem_attach_start(struct pciem_device *dev);
void pciem_attach_remove(struct pciem_device *dev);
void pciem_attach_exit(void);

/* config.c */
void pciem_config_init(struct pciem_func *func);
u32 pciem_config_read(struct pciem_func *func, unsigned int where, unsigned int size);
unsigned int pciem_config_write(struct pciem_func *func, unsigned int where, unsigned int size,
				u32 value);
void pciem_config_poke(struct pciem_func *func, unsigned int where, unsigned int size, u32 value);
void pciem_config_define(struct pciem_func *func, unsigned int where, unsigned int size,
			 u32 value, u32 rw, u32 w1c);
void pciem_config_fix(struct pciem_func *func, unsigned int where, unsigned int length);
void pciem_config_seal(struct pciem_func *func);
int pciem_config_define_bytes(struct pciem_device *dev, const struct pciem_config_define *arg);
int pciem_config_access(struct pciem_device *dev, struct pciem_config_access *arg);
static inline bool pciem_powered(const struct pciem_func *func)
{
	const unsigned int control = func->cap_pm + PCI_PM_CTRL;

	return !func->cap_pm || !(READ_ONCE(func->config[control / 4]) & PCI_PM_CTRL_STATE_MASK);
}

/* Whether the function may make requests of its own. */
static inline bool pciem_bus_master(const struct pciem_func *func)
{
	return READ_ONCE(func->config[PCI_COMMAND / 4]) & PCI_COMMAND_MASTER && pciem_powered(func);
}

/* caps.c */

/**
 * struct pciem_bytes - bytes of configuration space as userspace gives them
 * @value: and
 * @rw: bits that a driver may write, and
 * @w1c: bits that a driver clears by writing one
 * @masks: whether either was given
 */
struct pciem_bytes {
	u8 value[PCIEM_CONFIG_SIZE];
	u8 rw[PCIEM_CONFIG_SIZE];
	u8 w1c[PCIEM_CONFIG_SIZE];
	bool masks;
};

struct pciem_bytes *pciem_bytes_get(u64 value, u64 rw, u64 w1c, unsigned int length);
int pciem_cap_add(struct pciem_device *dev, const struct pciem_cap_config *arg);
int pciem_cap_add_bytes(struct pciem_device *dev, struct pciem_cap_bytes *arg);
int pciem_caps_check(struct pciem_func *func);

/* bar.c */
int pciem_bar_add(struct pciem_device *dev, const struct pciem_bar_config *arg);
void pciem_bar_free(struct pciem_bar *bar);
int pciem_bar_info(struct pciem_device *dev, struct pciem_bar_info_query *arg);
int pciem_bar_mmap(struct pciem_device *dev, struct vm_area_struct *vma);
u64 pciem_bar_load(struct pciem_bar *bar, u64 offset, unsigned int size);
void pciem_bar_store(struct pciem_bar *bar, u64 offset, unsigned int size, u64 value);
int pciem_bar_set_rom(struct pciem_device *dev, const struct pciem_rom *arg);
struct page *pciem_bar_page(struct pciem_bar *bar, unsigned long index, gfp_t gfp);
int pciem_bar_populate(struct pciem_bar *bar, u64 offset, u64 length);
void *pciem_bar_ptr(struct pciem_bar *bar, u64 offset);
static inline unsigned int pciem_bar_register(const struct pciem_bar *bar)
{
	return bar->index == PCIEM_ROM_BAR ? PCI_ROM_ADDRESS : PCI_BASE_ADDRESS_0 + 4 * bar->index;
}

/* reset.c */
unsigned int pciem_reset_wanted(struct pciem_func *func, unsigned int dword, u32 old, u32 new,
				u32 written);
void pciem_reset_msix(struct pciem_func *func);
void pciem_reset(struct pciem_func *func, unsigned int kind);

/* irq.c */
int pciem_irq_init(struct pciem_device *dev);
void pciem_irq_exit(struct pciem_device *dev);
void pciem_irq_func_init(struct pciem_func *func);
int pciem_irq_raise(struct pciem_func *func, unsigned int vector);
int pciem_irq_raise_nowait(struct pciem_func *func, unsigned int vector);
void pciem_irq_set_level(struct pciem_func *func, bool up);
int pciem_irq_set_intx(struct pciem_device *dev, const struct pciem_set_intx *arg);
void pciem_irq_resamplers(struct pciem_func *func, int n);
void pciem_irq_reset_pin(struct pciem_func *func);
void pciem_irq_kick(struct pciem_func *func);
void pciem_irq_config_written(struct pciem_func *func, unsigned int where);
bool pciem_irq_in_table(struct pciem_bar *bar, u64 offset);
bool pciem_irq_has_table(struct pciem_bar *bar);
bool pciem_irq_table_page(struct pciem_bar *bar, u64 page);
bool pciem_irq_in_pba(struct pciem_bar *bar, u64 offset);
int pciem_irq_vector_info(struct pciem_device *dev, struct pciem_vector_info *info);
int pciem_irq_vectors_info(struct pciem_device *dev, struct pciem_vectors *arg);
unsigned int pciem_irq_mode(struct pciem_func *func, unsigned int *vectors);
unsigned int pciem_irq_vectors(struct pciem_func *func);
int pciem_irq_map_pin(const struct pci_dev *pdev, u8 slot, u8 pin);

/* irqfd.c */
int pciem_irqfd_init(void);
void pciem_irqfd_exit(void);
int pciem_irqfd_config(struct pciem_device *dev, const struct pciem_irqfd_config *arg);
int pciem_irqfd_set(struct pciem_device *dev, const struct pciem_irqfd *arg);
void pciem_irqfd_resample(struct work_struct *work);
void pciem_irqfd_resample_later(struct pciem_func *func);
void pciem_irqfd_remove_all(struct pciem_device *dev);

/* dma.c */
int pciem_copy_in(void *to, const void __user *from, size_t length);
int pciem_copy_out(void __user *to, const void *from, size_t length);
u32 pciem_dma_direction(struct pciem_device *dev, u32 flags);
int pciem_dma(struct pciem_device *dev, const struct pciem_dma_op *arg);
int pciem_dma_indirect(struct pciem_device *dev, const struct pciem_dma_indirect *arg);
int pciem_dma_atomic(struct pciem_device *dev, struct pciem_dma_atomic *arg);
int pciem_dma_batch(struct pciem_device *dev, struct pciem_dma_batch *arg);

/* dma_ops.c */
int pciem_dma_init(void);
void pciem_dma_exit(void);
struct pciem_dma_space *pciem_dma_space_create(void);
void pciem_dma_space_free(struct pciem_dma_space *space);
void pciem_dma_attach(struct pci_dev *pdev);
void pciem_dma_unbound(struct pciem_func *func);
int pciem_dma_set_policy(struct pciem_device *dev, const struct pciem_dma_policy *arg);
int pciem_dma_list(struct pciem_device *dev, struct pciem_dma_mappings *arg);

/* p2p.c */
int pciem_p2p_init(void);
void pciem_p2p_exit(void);
int pciem_p2p(struct pciem_device *dev, const struct pciem_p2p_op *arg);
int pciem_peer_copy(struct pciem_device *from, u64 phys, void __user *user, size_t length,
		    u32 direction);

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
void pciem_ring_fill(struct pciem_event_ring *ring, struct pciem_event *event,
		     const struct pciem_report *report);
void pciem_ring_lose(struct pciem_device *dev);
int pciem_ring_set_events(struct pciem_device *dev, const struct pciem_set_events *arg);
void pciem_ring_report(struct pciem_device *dev, u32 kind, const struct pciem_report *report,
		       bool may_sleep);

/* respond.c */
void pciem_requests_init(struct pciem_requests *requests);
void pciem_request_open(struct pciem_device *dev, struct pciem_request *request);
bool pciem_request_wait(struct pciem_device *dev, struct pciem_request *request,
			const struct pciem_report *report, bool may_sleep);
void pciem_requests_end(struct pciem_device *dev);
ssize_t pciem_respond(struct pciem_device *dev, const char __user *user, size_t bytes);
int pciem_set_completion_timeout(struct pciem_device *dev,
				 const struct pciem_completion_timeout *arg);
void pciem_device_stats(struct pciem_device *dev, struct pciem_device_stats *stats);

/* ranges.c */
u32 pciem_trace_flags(struct pciem_bar *bar, u64 start, u64 end);
int pciem_trace_bar(struct pciem_device *dev, const struct pciem_trace_bar *arg);
int pciem_trace_range(struct pciem_device *dev, const struct pciem_trace_range *arg);
void pciem_trace_free(struct pciem_bar *bar);

/* trap.c */

/**
 * struct pciem_mapping - a kernel mapping of (a part of) a BAR
 * @start: first address
 * @end: one past the last
 * @offset: of @start in the BAR
 * @bar: which
 * @dev: its device, held
 * @ref: the list holds one, each access in flight another
 * @unmapped: no longer in the list; changed under trap_lock and trap.c's pte_lock
 * @open_page: trap_user.c: page of the BAR that is let through for now, or PCIEM_NO_PAGE
 * @holes: had pages without memory when it was made
 * @rearm: traps again after pciem_trap_open_page()
 * @free_work: what the last put may not do where it is
 */
struct pciem_mapping {
	struct list_head node;
	struct rcu_head rcu;
	struct work_struct free_work;
	struct delayed_work rearm;
	bool unmapped;
	unsigned long open_page;
	bool holes;
	unsigned long start;
	unsigned long end;
	u64 offset;
	struct pciem_bar *bar;
	struct pciem_device *dev;
	refcount_t ref;
};

#define PCIEM_NO_PAGE	(~0UL)

/**
 * struct pciem_target - CPU addresses that go to a BAR
 * @map: held
 * @start: first address
 * @end: one past the last
 * @shift: what to add to an address to get one of @map
 * @writable: or read only
 */
struct pciem_target {
	struct pciem_mapping *map;
	unsigned long start;
	unsigned long end;
	unsigned long shift;
	bool writable;
};

struct ftrace_ops;
struct ftrace_regs;
struct pt_regs;

int pciem_trap_init(void);
void pciem_trap_exit(void);
void pciem_hook_enter(void);
void pciem_hook_leave(void);
bool pciem_trap_owns(resource_size_t phys);
struct pciem_bar *pciem_trap_pages_at(resource_size_t phys, unsigned long size, u64 *offset);
bool pciem_trap_page(struct pciem_bar *bar, u64 offset, bool write);
bool pciem_may_sleep(const struct pt_regs *regs);
struct pciem_mapping *pciem_mapping_alloc(struct pciem_bar *bar, work_func_t rearm);
void pciem_mapping_rearm(struct pciem_mapping *map);
void pciem_trap_add(struct pciem_device *dev);
void pciem_trap_remove(struct pciem_device *dev);
void pciem_trap_update(struct pciem_bar *bar, u64 start, u64 end);
void pciem_trap_unplug(struct pciem_device *dev);
void pciem_trap_func_init(struct pciem_func *func);
void pciem_trap_power(struct pciem_func *func);
struct pciem_mapping *pciem_mapping_get(unsigned long address);
void pciem_mapping_put(struct pciem_mapping *map);
u64 pciem_mmio_read(struct pciem_mapping *map, unsigned long address, unsigned int size,
		    bool may_sleep);
void pciem_mmio_write(struct pciem_mapping *map, unsigned long address, unsigned int size,
		      u64 value, bool may_sleep);
void pciem_trap_open_page(struct pciem_mapping *map, unsigned long address);

/* debugfs.c */
void pciem_debugfs_init(void);
void pciem_debugfs_exit(void);
void pciem_debugfs_add(struct pciem_device *dev);
void pciem_debugfs_remove(struct pciem_device *dev);

/* trap_x86.c */
bool pciem_trap_emulate(const struct pciem_target *target, struct pt_regs *regs,
			unsigned long address, bool may_sleep);

/* trap_user.c */
void pciem_user_update(struct pciem_bar *bar);
void pciem_user_remove(struct pciem_device *dev);
bool pciem_user_target(unsigned long address, bool write, bool wait, struct pciem_target *target);
bool pciem_user_wants(struct pt_regs *regs, unsigned long error_code, unsigned long address);
void pciem_user_trap(struct pt_regs *regs, unsigned long error_code, unsigned long address);
void pciem_remap_callback(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			  struct ftrace_regs *fregs);
void pciem_insert_callback(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			   struct ftrace_regs *fregs);
void pciem_insert_huge_callback(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
				struct ftrace_regs *fregs);

#endif /* _PCIEM_H */

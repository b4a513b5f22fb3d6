// SPDX-License-Identifier: GPL-2.0-only
/*
 * pciem_test: the driver's side of the tests and benchmarks.
 *
 * Binds to 1f0c:00ff (or what is written to its new_id), maps every memory
 * BAR, allocates up to 64 interrupt vectors and a coherent buffer, and does
 * what it is told through two files in debugfs:
 *
 *   /sys/kernel/debug/pciem_test/<pci address>/run
 *       Write one command, then read its result from the same open file; a new
 *       one has that of the last command. Numbers in any C notation. Reads and
 *       writes of several files run at once.
 *
 *       write8|write16|write32|write64 BAR OFFSET COUNT [VALUE [STEP]]
 *               COUNT writes of VALUE, VALUE+1, ... to OFFSET, OFFSET+STEP, ...
 *       read8|read16|read32|read64 BAR OFFSET COUNT
 *               COUNT reads; value= is the last one
 *       toio BAR OFFSET LENGTH [VALUE]      memcpy_toio of bytes VALUE, VALUE+1, ...
 *       fromio BAR OFFSET LENGTH            memcpy_fromio; value= is the byte sum
 *       setio BAR OFFSET LENGTH [VALUE]     memset_io
 *       ioremap FLAVOUR BAR OFFSET VALUE    32-bit write and read through a mapping of its own;
 *                                           value= what was read. 0 ioremap, 1 _wc, 2 _wt, 3 _uc,
 *                                           4 _cache, 5 _prot; memremap: 6 WB, 7 WT, 8 WC;
 *                                           9 pci_iomap_wc_range
 *       locked 1                            next write or read command runs with interrupts off
 *       locked 2                            the same, in an interrupt
 *       dmaput OFFSET VALUE                 64-bit store to the coherent buffer
 *       dmaget OFFSET                       64-bit load; value=
 *       dmamap NUMBER KIND DIRECTION SIZE [OFFSET]
 *               One of 64 numbered DMA mappings, by PCIEM_DMA_KIND_* or 6 (dma_pool), 7
 *               (dma_map_page), 8 (dma_alloc_noncoherent). OFFSET is that of a streaming
 *               mapping in its buffer, the count of entries of a list, each SIZE bytes of a page
 *               of its own from 16 * its index on, or the physical address of a resource.
 *               value= is the bus address, of the first entry.
 *       dmaunmap NUMBER [SIZE]              as mapped, or with a wrong SIZE
 *       dmaunmaplocked NUMBER               with interrupts off, as an interrupt handler would
 *       dmaforget NUMBER                    leave it mapped for good
 *       dmaentry NUMBER INDEX               value= is the bus address of an entry of a list
 *       dmapeek NUMBER OFFSET               64-bit load of what is mapped; in a list a page apart
 *       dmapoke NUMBER OFFSET VALUE         64-bit store
 *       dmamask BITS                        the DMA mask
 *       dmachurn COUNT SIZE                 map and unmap a buffer COUNT times, its bus address at
 *                                           0 of the coherent buffer; value= is how often it
 *                                           changed after it was unmapped
 *       dmasgtable NUMBER                   dma_get_sgtable; value= is the sum of its lengths
 *       dmashare NUMBER                     what mmap of "memory" maps
 *       reset                               interrupt counts to zero
 *       irqmode MODE                        what the handlers do: 0 count, 1 count and deny that
 *                                           it is theirs, 2 count and write the count to BAR 0 at
 *                                           0x20, 3 as a driver of shared pins, which masks the
 *                                           pin by Interrupt Disable and takes no other for its own
 *       irqdisable VECTOR                   disable_irq(); irqenable undoes it
 *       warn                                WARN(), as a driver that found itself wrong
 *       pmstate STATE                       pci_set_power_state() to D0 to D3hot (3), and what goes with
 *                                           it; value= the state that the device is in
 *       irqstamp 1                          handlers note the time; irqtime: value= of the last, ns
 *
 *       The result is one line: "ns=TOTAL count=N value=0xHEX\n", the time being
 *       that of the accesses alone. A command that cannot be done fails with EINVAL.
 *
 *   /sys/kernel/debug/pciem_test/<pci address>/state
 *       mode=msix|msi|intx|none vectors=N dma=0xADDRESS dma_size=BYTES bars=MASK
 *       irqs=COUNT0,COUNT1,...
 *
 *   /sys/kernel/debug/pciem_test/<pci address>/memory
 *       mmap gives the coherent mapping of the last "dmashare", with dma_mmap_coherent.
 *
 * Module parameters: irq=auto|msix|msi|intx|none, vectors=1..64 (32). forget=1: vectors are
 * not freed when it is unbound; 2: nor the handlers, but by the kernel.
 *
 * It suspends its device at run time if power/control in sysfs says auto, and leaves its power
 * to the PCI core, which uses D3hot.
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/dmapool.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/irq_work.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "../uapi/pciem.h"

#define MAX_VECTORS	64
#define DMA_SIZE	SZ_64K
#define MAPS		64

static char *irq = "auto";
module_param(irq, charp, 0444);
static unsigned int vectors = 32;
module_param(vectors, uint, 0444);
static unsigned int forget;
module_param(forget, uint, 0444);

struct vector {
	struct test_device *test;
	atomic_t count;
};

/* Beside PCIEM_DMA_KIND_* */
enum {
	KIND_POOL = 6,
	KIND_PAGE = 7,
	KIND_NONCOHERENT = 8,
};

struct test_map {
	unsigned int kind;	/* 0 for none */
	enum dma_data_direction direction;
	size_t size;
	dma_addr_t iova;
	void *cpu;
	u64 offset;
	struct sg_table table;
	struct dma_pool *pool;
};

struct test_device {
	struct pci_dev *pdev;
	void __iomem *bars[PCI_STD_NUM_BARS];
	void *dma;
	dma_addr_t dma_address;
	int nvec;
	struct vector vectors[MAX_VECTORS];
	struct dentry *dir;
	unsigned int irq_mode;
	bool irq_stamp;
	u64 irq_time;
	struct mutex lock;	/* one command at a time, but for reads and writes */
	unsigned int locked;
	char result[96];
	u8 *buffer;
	struct test_map maps[MAPS];
	struct test_map *shared;
};

/* One open of "run" */
struct run_file {
	struct test_device *test;
	char result[96];
};

static struct dentry *root;

/* Memory that is mapped for good; freed when no device of this driver is left */
static LIST_HEAD(forgotten);
static DEFINE_MUTEX(forgotten_lock);
struct forgotten {
	struct list_head node;
	void *memory;
};

static irqreturn_t test_interrupt(int number, void *data)
{
	struct vector *vector = data;
	struct test_device *test = vector->test;
	unsigned int mode = READ_ONCE(test->irq_mode), count;

	if (READ_ONCE(test->irq_stamp))
		WRITE_ONCE(test->irq_time, ktime_get_ns());
	if (mode == 3 && !pci_check_and_mask_intx(test->pdev))
		return IRQ_NONE;
	count = atomic_inc_return(&vector->count);
	if (mode == 2)
		writel(count, test->bars[0] + 0x20);
	return mode == 1 ? IRQ_NONE : IRQ_HANDLED;
}

/* A mapping that @flavour makes of a page of a BAR */
static void __iomem *flavour_map(struct pci_dev *pdev, u64 flavour, unsigned int bar, u64 offset)
{
	resource_size_t phys = pci_resource_start(pdev, bar) + offset;

	switch (flavour) {
	case 0:
		return ioremap(phys, 4);
	case 1:
		return ioremap_wc(phys, 4);
	case 2:
		return ioremap_wt(phys, 4);
	case 3:
		return ioremap_uc(phys, 4);
	case 4:
		return ioremap_cache(phys, 4);
	case 5:
		return ioremap_prot(phys, 4, pgprot_val(PAGE_KERNEL_IO));
	case 6:
		return (void __iomem __force *)memremap(phys, 4, MEMREMAP_WB);
	case 7:
		return (void __iomem __force *)memremap(phys, 4, MEMREMAP_WT);
	case 8:
		return (void __iomem __force *)memremap(phys, 4, MEMREMAP_WC);
	case 9:
		return pci_iomap_wc_range(pdev, bar, offset, 4);
	}
	return NULL;
}

static int do_flavour(struct test_device *test, const u64 *arg, u64 *value)
{
	struct pci_dev *pdev = test->pdev;
	void __iomem *p;

	if (arg[1] >= PCI_STD_NUM_BARS || arg[2] >= pci_resource_len(pdev, arg[1]))
		return -EINVAL;
	p = flavour_map(pdev, arg[0], arg[1], arg[2]);
	if (!p)
		return -ENOMEM;
	writel(arg[3], p);
	*value = readl(p);
	if (arg[0] == 9)
		pci_iounmap(pdev, p);
	else if (arg[0] >= 6)
		memunmap((void __force *)p);
	else
		iounmap(p);
	return 0;
}

static void do_writes(void __iomem *p, unsigned int width, u64 count, u64 value, u64 step)
{
	for (; count; count--, value++, p += step) {
		switch (width) {
		case 8:
			writeb(value, p);
			break;
		case 16:
			writew(value, p);
			break;
		case 32:
			writel(value, p);
			break;
		case 64:
			writeq(value, p);
			break;
		}
	}
}

static u64 do_reads(void __iomem *p, unsigned int width, u64 count)
{
	u64 value = 0;

	while (count--) {
		switch (width) {
		case 8:
			value = readb(p);
			break;
		case 16:
			value = readw(p);
			break;
		case 32:
			value = readl(p);
			break;
		case 64:
			value = readq(p);
			break;
		}
	}
	return value;
}

/* The part of a command that is timed. */
static int run_access(struct test_device *test, const char *verb, u64 arg[5], int n, u64 *value)
{
	u64 bar = arg[0], offset = arg[1], count = arg[2], step = n > 4 ? arg[4] : 0, size;
	unsigned int width = 0;
	void __iomem *p;

	if (n < 3 || bar >= PCI_STD_NUM_BARS || !test->bars[bar])
		return -EINVAL;
	size = pci_resource_len(test->pdev, bar);
	if (offset >= size || !count || count > 100000000)
		return -EINVAL;
	p = test->bars[bar] + offset;
	if (sscanf(verb, "write%u", &width) == 1 || sscanf(verb, "read%u", &width) == 1) {
		if (width != 8 && width != 16 && width != 32 && width != 64)
			return -EINVAL;
		if (step > size || offset + step * (count - 1) + width / 8 > size)
			return -EINVAL;
		if (verb[0] == 'w')
			do_writes(p, width, count, n > 3 ? arg[3] : 0, step);
		else
			*value = do_reads(p, width, count);
		return 0;
	}

	if (offset + count > size || count > DMA_SIZE)
		return -EINVAL;
	if (!strcmp(verb, "toio")) {
		for (u64 i = 0; i < count; i++)
			test->buffer[i] = (n > 3 ? arg[3] : 0) + i;
		memcpy_toio(p, test->buffer, count);
	} else if (!strcmp(verb, "fromio")) {
		memset(test->buffer, 0, count);
		memcpy_fromio(test->buffer, p, count);
		for (u64 i = 0; i < count; i++)
			*value += test->buffer[i];
	} else if (!strcmp(verb, "setio")) {
		memset_io(p, n > 3 ? arg[3] : 0, count);
	} else {
		return -EINVAL;
	}
	return 0;
}

/* An access from an interrupt */
struct interrupt_access {
	struct irq_work work;
	struct test_device *test;
	const char *verb;
	u64 *arg;
	int n;
	u64 *value;
	int ret;
};

static void interrupt_access_run(struct irq_work *work)
{
	struct interrupt_access *access = container_of(work, struct interrupt_access, work);

	access->ret = run_access(access->test, access->verb, access->arg, access->n, access->value);
}

static int run_in_interrupt(struct test_device *test, const char *verb, u64 arg[5], int n,
			    u64 *value)
{
	struct interrupt_access access = {
		.test = test, .verb = verb, .arg = arg, .n = n, .value = value,
	};

	init_irq_work(&access.work, interrupt_access_run);
	irq_work_queue(&access.work);
	irq_work_sync(&access.work);
	return access.ret;
}

static int run_irq(struct test_device *test, const char *verb, u64 arg, u64 *value)
{
	int number;

	if (!strcmp(verb, "irqmode")) {
		WRITE_ONCE(test->irq_mode, arg);
	} else if (!strcmp(verb, "irqstamp")) {
		WRITE_ONCE(test->irq_stamp, arg);
	} else if (!strcmp(verb, "irqtime")) {
		*value = READ_ONCE(test->irq_time);
	} else if (arg < test->nvec) {
		number = test->pdev->msi_enabled || test->pdev->msix_enabled ?
			 pci_irq_vector(test->pdev, arg) : test->pdev->irq;
		if (!strcmp(verb, "irqdisable"))
			disable_irq(number);
		else if (!strcmp(verb, "irqenable"))
			enable_irq(number);
		else
			return -EINVAL;
	} else {
		return -EINVAL;
	}
	return 0;
}

/* DMA mappings */

static int map_list(struct test_device *test, struct test_map *map, unsigned int entries)
{
	struct scatterlist *sg;
	int i, ret;

	if (!entries || entries > 256 || !map->size || 16 * entries + map->size > PAGE_SIZE)
		return -EINVAL;
	map->cpu = kvzalloc(entries * PAGE_SIZE, GFP_KERNEL);
	if (!map->cpu)
		return -ENOMEM;
	ret = sg_alloc_table(&map->table, entries, GFP_KERNEL);
	if (ret)
		goto no_table;
	for_each_sgtable_sg(&map->table, sg, i) {
		void *p = map->cpu + i * PAGE_SIZE + 16 * i;

		sg_set_page(sg, is_vmalloc_addr(p) ? vmalloc_to_page(p) : virt_to_page(p),
			    map->size, offset_in_page(p));
	}
	ret = dma_map_sgtable(&test->pdev->dev, &map->table, map->direction, 0);
	if (ret)
		goto no_map;
	map->iova = sg_dma_address(map->table.sgl);
	return 0;

no_map:
	sg_free_table(&map->table);
no_table:
	kvfree(map->cpu);
	return ret;
}

static int map_make(struct test_device *test, struct test_map *map, u64 offset)
{
	struct device *dev = &test->pdev->dev;
	size_t room = PAGE_ALIGN(offset + map->size);

	map->offset = offset;
	map->iova = DMA_MAPPING_ERROR;
	switch (map->kind) {
	case PCIEM_DMA_KIND_COHERENT:
		map->cpu = dma_alloc_coherent(dev, map->size, &map->iova, GFP_KERNEL);
		return map->cpu ? 0 : -ENOMEM;
	case PCIEM_DMA_KIND_STREAMING:
	case KIND_PAGE:
		if (room > SZ_4M)
			return -EINVAL;
		map->cpu = kzalloc(room, GFP_KERNEL);
		if (!map->cpu)
			return -ENOMEM;
		if (map->kind == KIND_PAGE)
			map->iova = dma_map_page(dev, virt_to_page(map->cpu), offset, map->size,
						 map->direction);
		else
			map->iova = dma_map_single(dev, map->cpu + offset, map->size,
						   map->direction);
		if (!dma_mapping_error(dev, map->iova)) {
			map->cpu += offset;
			return 0;
		}
		kfree(map->cpu);
		return -ENOSPC;
	case PCIEM_DMA_KIND_SG:
		return map_list(test, map, offset);
	case PCIEM_DMA_KIND_RESOURCE:
		map->iova = dma_map_resource(dev, offset, map->size, map->direction, 0);
		return dma_mapping_error(dev, map->iova) ? -ENOSPC : 0;
	case PCIEM_DMA_KIND_PAGES:
		map->cpu = dma_alloc_pages(dev, map->size, &map->iova, map->direction, GFP_KERNEL);
		if (!map->cpu)
			return -ENOMEM;
		map->cpu = page_address(map->cpu);
		return 0;
	case KIND_NONCOHERENT:
		map->cpu = dma_alloc_noncoherent(dev, map->size, &map->iova, map->direction,
						 GFP_KERNEL);
		return map->cpu ? 0 : -ENOMEM;
	case KIND_POOL:
		map->pool = dma_pool_create("pciem_test", dev, map->size, 16, 0);
		if (!map->pool)
			return -ENOMEM;
		map->cpu = dma_pool_zalloc(map->pool, GFP_ATOMIC, &map->iova);
		if (map->cpu)
			return 0;
		dma_pool_destroy(map->pool);
		return -ENOMEM;
	}
	return -EINVAL;
}

static void map_undo(struct test_device *test, struct test_map *map, size_t size)
{
	struct device *dev = &test->pdev->dev;

	switch (map->kind) {
	case PCIEM_DMA_KIND_COHERENT:
		dma_free_coherent(dev, size, map->cpu, map->iova);
		break;
	case PCIEM_DMA_KIND_STREAMING:
		dma_unmap_single(dev, map->iova, size, map->direction);
		kfree(map->cpu - map->offset);
		break;
	case KIND_PAGE:
		dma_unmap_page(dev, map->iova, size, map->direction);
		kfree(map->cpu - map->offset);
		break;
	case PCIEM_DMA_KIND_SG:
		dma_unmap_sgtable(dev, &map->table, map->direction, 0);
		sg_free_table(&map->table);
		kvfree(map->cpu);
		break;
	case PCIEM_DMA_KIND_RESOURCE:
		dma_unmap_resource(dev, map->iova, size, map->direction, 0);
		break;
	case PCIEM_DMA_KIND_PAGES:
		dma_free_pages(dev, size, virt_to_page(map->cpu), map->iova, map->direction);
		break;
	case KIND_NONCOHERENT:
		dma_free_noncoherent(dev, size, map->cpu, map->iova, map->direction);
		break;
	case KIND_POOL:
		dma_pool_free(map->pool, map->cpu, map->iova);
		dma_pool_destroy(map->pool);
		break;
	}
	map->kind = 0;
}

static int map_forget(struct test_map *map)
{
	struct forgotten *memory;

	if (map->kind == PCIEM_DMA_KIND_STREAMING || map->kind == KIND_PAGE) {
		memory = kzalloc(sizeof(*memory), GFP_KERNEL);
		if (!memory)
			return -ENOMEM;
		memory->memory = map->cpu - map->offset;
		mutex_lock(&forgotten_lock);
		list_add(&memory->node, &forgotten);
		mutex_unlock(&forgotten_lock);
	} else if (map->kind != PCIEM_DMA_KIND_COHERENT) {
		return -EINVAL;
	}
	map->kind = 0;
	return 0;
}

static void forgotten_free(void)
{
	struct forgotten *memory, *next;

	list_for_each_entry_safe(memory, next, &forgotten, node) {
		kfree(memory->memory);
		kfree(memory);
	}
}

/* The device writes to the address that it finds in the coherent buffer, as fast as it can. */
static int map_churn(struct test_device *test, u64 count, u64 size, u64 *changed)
{
	struct device *dev = &test->pdev->dev;
	unsigned long flags;
	dma_addr_t iova;
	u8 *buffer;

	if (!size || size > SZ_64K)
		return -EINVAL;
	buffer = kmalloc(size, GFP_KERNEL);
	if (!buffer)
		return -ENOMEM;
	for (u64 i = 0; i < count; i++) {
		iova = dma_map_single(dev, buffer, size, DMA_FROM_DEVICE);
		if (dma_mapping_error(dev, iova))
			break;
		WRITE_ONCE(*(u64 *)test->dma, iova);
		udelay(i % 64);
		/* Drivers undo mappings in their interrupt handlers too */
		if (i % 2)
			local_irq_save(flags);
		dma_unmap_single(dev, iova, size, DMA_FROM_DEVICE);
		if (i % 2)
			local_irq_restore(flags);
		memset(buffer, 0xa5, size);
		udelay(20);
		if (memchr_inv(buffer, 0xa5, size))
			++*changed;
		cond_resched();
	}
	WRITE_ONCE(*(u64 *)test->dma, 0);
	kfree(buffer);
	return 0;
}

static int map_sgtable(struct test_device *test, struct test_map *map, u64 *value)
{
	struct sg_table table;
	struct scatterlist *sg;
	size_t at = 0;
	int i, ret;

	ret = dma_get_sgtable(&test->pdev->dev, &table, map->cpu, map->iova, map->size);
	if (ret)
		return ret;
	for_each_sgtable_sg(&table, sg, i) {
		void *p = map->cpu + at;

		if (sg_page(sg) != (is_vmalloc_addr(p) ? vmalloc_to_page(p) : virt_to_page(p)))
			ret = -EIO;
		at += sg->length;
	}
	sg_free_table(&table);
	*value = at;
	return ret;
}

static int run_map(struct test_device *test, const char *verb, u64 arg[5], int n, u64 *value)
{
	struct test_map *map;
	struct scatterlist *sg;
	unsigned long flags;
	int i, ret;

	if (!strcmp(verb, "dmamask"))
		return dma_set_mask_and_coherent(&test->pdev->dev, DMA_BIT_MASK(arg[0]));
	if (!strcmp(verb, "dmachurn"))
		return map_churn(test, arg[0], arg[1], value);

	map = arg[0] < MAPS ? &test->maps[arg[0]] : NULL;
	if (!strcmp(verb, "dmamap")) {
		if (!map || map->kind || n < 4 || arg[2] > DMA_FROM_DEVICE || arg[3] > SZ_1G)
			return -EINVAL;
		map->kind = arg[1];
		map->direction = arg[2];
		map->size = arg[3];
		ret = map_make(test, map, arg[4]);
		if (ret)
			map->kind = 0;
		*value = map->iova;
		return ret;
	}
	if (!map || !map->kind)
		return -EINVAL;
	if (!strcmp(verb, "dmaunmap")) {
		map_undo(test, map, n > 1 ? arg[1] : map->size);
	} else if (!strcmp(verb, "dmaunmaplocked")) {
		if (map->kind != PCIEM_DMA_KIND_STREAMING)
			return -EINVAL;
		local_irq_save(flags);
		map_undo(test, map, map->size);
		local_irq_restore(flags);
	} else if (!strcmp(verb, "dmaforget")) {
		return map_forget(map);
	} else if (!strcmp(verb, "dmaentry")) {
		if (map->kind != PCIEM_DMA_KIND_SG || arg[1] >= map->table.nents)
			return -EINVAL;
		for_each_sgtable_dma_sg(&map->table, sg, i)
			if (i == arg[1])
				*value = sg_dma_address(sg);
	} else if (!strcmp(verb, "dmapeek") && map->cpu) {
		memcpy(value, map->cpu + arg[1], 8);
	} else if (!strcmp(verb, "dmapoke") && map->cpu) {
		memcpy(map->cpu + arg[1], &arg[2], 8);
	} else if (!strcmp(verb, "dmasgtable") && map->kind == PCIEM_DMA_KIND_COHERENT) {
		return map_sgtable(test, map, value);
	} else if (!strcmp(verb, "dmashare") && map->kind == PCIEM_DMA_KIND_COHERENT) {
		test->shared = map;
	} else {
		return -EINVAL;
	}
	return 0;
}

static int memory_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct test_device *test = file->private_data;
	struct test_map *map;
	int ret = -EINVAL;

	mutex_lock(&test->lock);
	map = test->shared;
	if (map && map->kind == PCIEM_DMA_KIND_COHERENT)
		ret = dma_mmap_coherent(&test->pdev->dev, vma, map->cpu, map->iova, map->size);
	mutex_unlock(&test->lock);
	return ret;
}

static const struct file_operations memory_fops = {
	.owner	= THIS_MODULE,
	.open	= simple_open,
	.mmap	= memory_mmap,
};

static int run_power(struct test_device *test, u64 state, u64 *value)
{
	struct pci_dev *pdev = test->pdev;
	int ret;

	if (state > 3)
		return -EINVAL;
	ret = state ? pci_save_state(pdev) : 0;
	if (ret)
		return ret;
	ret = pci_set_power_state(pdev, (__force pci_power_t)state);
	if (!state)
		pci_restore_state(pdev);
	*value = (__force int)pdev->current_state;
	return ret;
}

static int run_command(struct test_device *test, char *line)
{
	u64 arg[5] = { 0 }, value = 0, start;
	char *verb = strsep(&line, " \n"), *word;
	unsigned long flags;
	int n = 0, ret = 0;

	while ((word = strsep(&line, " \n")) && n < ARRAY_SIZE(arg)) {
		if (!*word)
			continue;
		ret = kstrtou64(word, 0, &arg[n++]);
		if (ret)
			return ret;
	}

	start = ktime_get_ns();
	if (!strcmp(verb, "dmaput")) {
		if (n != 2 || arg[0] > DMA_SIZE - 8)
			return -EINVAL;
		WRITE_ONCE(*(u64 *)(test->dma + arg[0]), arg[1]);
	} else if (!strcmp(verb, "dmaget")) {
		if (n != 1 || arg[0] > DMA_SIZE - 8)
			return -EINVAL;
		value = READ_ONCE(*(u64 *)(test->dma + arg[0]));
	} else if (!strncmp(verb, "dma", 3)) {
		ret = run_map(test, verb, arg, n, &value);
	} else if (!strcmp(verb, "warn")) {
		WARN(1, "pciem_test was told to warn\n");
	} else if (!strcmp(verb, "reset")) {
		for (int i = 0; i < MAX_VECTORS; i++)
			atomic_set(&test->vectors[i].count, 0);
	} else if (!strncmp(verb, "irq", 3)) {
		ret = run_irq(test, verb, arg[0], &value);
	} else if (!strcmp(verb, "ioremap")) {
		ret = n == 4 ? do_flavour(test, arg, &value) : -EINVAL;
	} else if (!strcmp(verb, "pmstate")) {
		ret = run_power(test, arg[0], &value);
	} else if (!strcmp(verb, "locked")) {
		test->locked = arg[0];
	} else if (test->locked == 2) {
		test->locked = 0;
		ret = run_in_interrupt(test, verb, arg, n, &value);
	} else if (test->locked) {
		test->locked = 0;
		local_irq_save(flags);
		ret = run_access(test, verb, arg, n, &value);
		local_irq_restore(flags);
	} else if (verb[0] == 'r' || verb[0] == 'w') {
		mutex_unlock(&test->lock);
		ret = run_access(test, verb, arg, n, &value);
		mutex_lock(&test->lock);
	} else {
		ret = run_access(test, verb, arg, n, &value);
	}
	if (!ret)
		snprintf(test->result, sizeof(test->result), "ns=%llu count=%llu value=%#llx\n",
			 ktime_get_ns() - start, arg[2], value);
	return ret;
}

static int run_open(struct inode *inode, struct file *file)
{
	struct run_file *run = kzalloc(sizeof(*run), GFP_KERNEL);

	if (!run)
		return -ENOMEM;
	run->test = inode->i_private;
	mutex_lock(&run->test->lock);
	strscpy(run->result, run->test->result, sizeof(run->result));
	mutex_unlock(&run->test->lock);
	file->private_data = run;
	return 0;
}

static int run_release(struct inode *inode, struct file *file)
{
	kfree(file->private_data);
	return 0;
}

static ssize_t run_write(struct file *file, const char __user *user, size_t size, loff_t *pos)
{
	struct run_file *run = file->private_data;
	struct test_device *test = run->test;
	char line[128] = { 0 };
	int ret;

	if (size >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, user, size))
		return -EFAULT;
	mutex_lock(&test->lock);
	ret = run_command(test, line);
	strscpy(run->result, test->result, sizeof(run->result));
	mutex_unlock(&test->lock);
	*pos = 0;
	return ret ?: size;
}

static ssize_t run_read(struct file *file, char __user *user, size_t size, loff_t *pos)
{
	struct run_file *run = file->private_data;

	return simple_read_from_buffer(user, size, pos, run->result, strlen(run->result));
}

static const struct file_operations run_fops = {
	.owner	= THIS_MODULE,
	.open	= run_open,
	.release = run_release,
	.read	= run_read,
	.write	= run_write,
};

static ssize_t state_read(struct file *file, char __user *user, size_t size, loff_t *pos)
{
	struct test_device *test = file->private_data;
	struct pci_dev *pdev = test->pdev;
	unsigned int mask = 0;
	char text[1024];
	int n;

	for (int i = 0; i < PCI_STD_NUM_BARS; i++)
		mask |= test->bars[i] ? BIT(i) : 0;
	n = scnprintf(text, sizeof(text), "mode=%s vectors=%d dma=%#llx dma_size=%u bars=%#x\nirqs=",
		      !test->nvec ? "none" : pdev->msix_enabled ? "msix" :
		      pdev->msi_enabled ? "msi" : "intx",
		      test->nvec, (u64)test->dma_address, DMA_SIZE, mask);
	for (int i = 0; i < test->nvec; i++)
		n += scnprintf(text + n, sizeof(text) - n, "%s%d", i ? "," : "",
			       atomic_read(&test->vectors[i].count));
	n += scnprintf(text + n, sizeof(text) - n, "\n");
	return simple_read_from_buffer(user, size, pos, text, n);
}

static const struct file_operations state_fops = {
	.owner	= THIS_MODULE,
	.open	= simple_open,
	.read	= state_read,
};

static int setup_interrupts(struct test_device *test)
{
	struct pci_dev *pdev = test->pdev;
	unsigned int types = 0;
	int ret;

	if (!strcmp(irq, "none"))
		return 0;
	if (!strcmp(irq, "auto"))
		types = PCI_IRQ_MSIX | PCI_IRQ_MSI;
	else if (!strcmp(irq, "msix"))
		types = PCI_IRQ_MSIX;
	else if (!strcmp(irq, "msi"))
		types = PCI_IRQ_MSI;
	else if (strcmp(irq, "intx"))
		return -EINVAL;
	ret = types ? pci_alloc_irq_vectors(pdev, 1, clamp(vectors, 1U, MAX_VECTORS), types) : 0;
	if (types && ret < 0 && strcmp(irq, "auto"))
		return ret;
	test->nvec = ret > 0 ? ret : 1;

	for (int i = 0; i < test->nvec; i++) {
		bool pin = !pdev->msi_enabled && !pdev->msix_enabled;

		test->vectors[i].test = test;
		ret = devm_request_irq(&pdev->dev, pin ? pdev->irq : pci_irq_vector(pdev, i),
				       test_interrupt, pin ? IRQF_SHARED : 0, "pciem_test",
				       &test->vectors[i]);
		if (ret)
			return ret;
	}
	return 0;
}

static int test_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct test_device *test;
	int ret;

	test = devm_kzalloc(&pdev->dev, sizeof(*test), GFP_KERNEL);
	if (!test)
		return -ENOMEM;
	test->buffer = devm_kzalloc(&pdev->dev, DMA_SIZE, GFP_KERNEL);
	if (!test->buffer)
		return -ENOMEM;
	test->pdev = pdev;
	mutex_init(&test->lock);
	pci_set_drvdata(pdev, test);

	ret = pci_enable_device_mem(pdev);
	if (ret)
		return ret;
	pci_set_master(pdev);
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		goto disable;
	test->dma = dma_alloc_coherent(&pdev->dev, DMA_SIZE, &test->dma_address, GFP_KERNEL);
	if (!test->dma) {
		ret = -ENOMEM;
		goto disable;
	}
	for (int i = 0; i < PCI_STD_NUM_BARS; i++) {
		if (!(pci_resource_flags(pdev, i) & IORESOURCE_MEM))
			continue;
		test->bars[i] = pci_iomap(pdev, i, 0);
		if (!test->bars[i]) {
			ret = -ENOMEM;
			goto unmap;
		}
	}
	ret = setup_interrupts(test);
	if (ret)
		goto unmap;

	test->dir = debugfs_create_dir(pci_name(pdev), root);
	debugfs_create_file("run", 0600, test->dir, test, &run_fops);
	debugfs_create_file("state", 0400, test->dir, test, &state_fops);
	/* The other kind hides mmap */
	debugfs_create_file_unsafe("memory", 0600, test->dir, test, &memory_fops);
	/* It need not be in D0 any longer. */
	pm_runtime_put_noidle(&pdev->dev);
	return 0;

unmap:
	for (int i = 0; i < PCI_STD_NUM_BARS; i++)
		if (test->bars[i])
			pci_iounmap(pdev, test->bars[i]);
	for (int i = 0; i < test->nvec; i++)
		if (test->vectors[i].test)
			devm_free_irq(&pdev->dev, pdev->msi_enabled || pdev->msix_enabled ?
				      pci_irq_vector(pdev, i) : pdev->irq, &test->vectors[i]);
	pci_free_irq_vectors(pdev);
	dma_free_coherent(&pdev->dev, DMA_SIZE, test->dma, test->dma_address);
disable:
	pci_disable_device(pdev);
	return ret;
}

static void test_remove(struct pci_dev *pdev)
{
	struct test_device *test = pci_get_drvdata(pdev);
	bool pin = !pdev->msi_enabled && !pdev->msix_enabled;

	pm_runtime_get_noresume(&pdev->dev);
	debugfs_remove_recursive(test->dir);
	for (int i = 0; i < MAPS; i++)
		map_undo(test, &test->maps[i], test->maps[i].size);
	for (int i = 0; i < test->nvec && forget < 2; i++)
		devm_free_irq(&pdev->dev, pin ? pdev->irq : pci_irq_vector(pdev, i),
			      &test->vectors[i]);
	if (!forget)
		pci_free_irq_vectors(pdev);
	for (int i = 0; i < PCI_STD_NUM_BARS; i++)
		if (test->bars[i])
			pci_iounmap(pdev, test->bars[i]);
	dma_free_coherent(&pdev->dev, DMA_SIZE, test->dma, test->dma_address);
	pci_disable_device(pdev);
}

static const struct pci_device_id test_ids[] = {
	{ PCI_DEVICE(0x1f0c, 0x00ff) },
	{ }
};
MODULE_DEVICE_TABLE(pci, test_ids);

/* Without one the PCI core leaves a device in D0. */
static const struct dev_pm_ops test_pm = { };

static struct pci_driver test_driver = {
	.name		= "pciem_test",
	.driver.pm	= &test_pm,
	.id_table	= test_ids,
	.probe		= test_probe,
	.remove		= test_remove,
};

static int __init test_init(void)
{
	int ret;

	root = debugfs_create_dir("pciem_test", NULL);
	ret = pci_register_driver(&test_driver);
	if (ret)
		debugfs_remove_recursive(root);
	return ret;
}

static void __exit test_exit(void)
{
	pci_unregister_driver(&test_driver);
	debugfs_remove_recursive(root);
	forgotten_free();
}

module_init(test_init);
module_exit(test_exit);

MODULE_DESCRIPTION("Test driver for pciem");
MODULE_AUTHOR("The PCIem Lab authors");
MODULE_LICENSE("GPL");

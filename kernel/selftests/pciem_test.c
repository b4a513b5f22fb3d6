// SPDX-License-Identifier: GPL-2.0-only
/*
 * pciem_test: the driver's side of the tests and benchmarks.
 *
 * Binds to 1f0c:00ff (or what is written to its new_id), maps every memory
 * BAR, allocates up to 32 interrupt vectors and a coherent buffer, and does
 * what it is told through two files in debugfs:
 *
 *   /sys/kernel/debug/pciem_test/<pci address>/run
 *       Write one command, then read its result from the same open file or a
 *       new one. Numbers in any C notation.
 *
 *       write8|write16|write32|write64 BAR OFFSET COUNT [VALUE [STEP]]
 *               COUNT writes of VALUE, VALUE+1, ... to OFFSET, OFFSET+STEP, ...
 *       read8|read16|read32|read64 BAR OFFSET COUNT
 *               COUNT reads; value= is the last one
 *       toio BAR OFFSET LENGTH [VALUE]      memcpy_toio of bytes VALUE, VALUE+1, ...
 *       fromio BAR OFFSET LENGTH            memcpy_fromio; value= is the byte sum
 *       setio BAR OFFSET LENGTH [VALUE]     memset_io
 *       locked 1                            next write or read command runs with interrupts off
 *       dmaput OFFSET VALUE                 64-bit store to the coherent buffer
 *       dmaget OFFSET                       64-bit load; value=
 *       reset                               interrupt counts to zero
 *
 *       The result is one line: "ns=TOTAL count=N value=0xHEX\n", the time being
 *       that of the accesses alone. A command that cannot be done fails with EINVAL.
 *
 *   /sys/kernel/debug/pciem_test/<pci address>/state
 *       mode=msix|msi|intx|none vectors=N dma=0xADDRESS dma_size=BYTES bars=MASK
 *       irqs=COUNT0,COUNT1,...
 *
 * Module parameters: irq=auto|msix|msi|intx|none, vectors=1..32.
 */
#include <linux/debugfs.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/uaccess.h>

#define MAX_VECTORS	32
#define DMA_SIZE	SZ_64K

static char *irq = "auto";
module_param(irq, charp, 0444);
static unsigned int vectors = MAX_VECTORS;
module_param(vectors, uint, 0444);

struct vector {
	struct test_device *test;
	atomic_t count;
};

struct test_device {
	struct pci_dev *pdev;
	void __iomem *bars[PCI_STD_NUM_BARS];
	void *dma;
	dma_addr_t dma_address;
	int nvec;
	struct vector vectors[MAX_VECTORS];
	struct dentry *dir;
	struct mutex lock;	/* one command at a time */
	bool locked;
	char result[96];
	u8 *buffer;
};

static struct dentry *root;

static irqreturn_t test_interrupt(int number, void *data)
{
	struct vector *vector = data;

	atomic_inc(&vector->count);
	return IRQ_HANDLED;
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
	} else if (!strcmp(verb, "reset")) {
		for (int i = 0; i < MAX_VECTORS; i++)
			atomic_set(&test->vectors[i].count, 0);
	} else if (!strcmp(verb, "locked")) {
		test->locked = arg[0];
	} else if (test->locked) {
		test->locked = false;
		local_irq_save(flags);
		ret = run_access(test, verb, arg, n, &value);
		local_irq_restore(flags);
	} else {
		ret = run_access(test, verb, arg, n, &value);
	}
	if (!ret)
		snprintf(test->result, sizeof(test->result), "ns=%llu count=%llu value=%#llx\n",
			 ktime_get_ns() - start, arg[2], value);
	return ret;
}

static ssize_t run_write(struct file *file, const char __user *user, size_t size, loff_t *pos)
{
	struct test_device *test = file->private_data;
	char line[128] = { 0 };
	int ret;

	if (size >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, user, size))
		return -EFAULT;
	mutex_lock(&test->lock);
	ret = run_command(test, line);
	mutex_unlock(&test->lock);
	*pos = 0;
	return ret ?: size;
}

static ssize_t run_read(struct file *file, char __user *user, size_t size, loff_t *pos)
{
	struct test_device *test = file->private_data;

	return simple_read_from_buffer(user, size, pos, test->result, strlen(test->result));
}

static const struct file_operations run_fops = {
	.owner	= THIS_MODULE,
	.open	= simple_open,
	.read	= run_read,
	.write	= run_write,
};

static ssize_t state_read(struct file *file, char __user *user, size_t size, loff_t *pos)
{
	struct test_device *test = file->private_data;
	struct pci_dev *pdev = test->pdev;
	unsigned int mask = 0;
	char text[640];
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

	debugfs_remove_recursive(test->dir);
	for (int i = 0; i < test->nvec; i++)
		devm_free_irq(&pdev->dev, pin ? pdev->irq : pci_irq_vector(pdev, i),
			      &test->vectors[i]);
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

static struct pci_driver test_driver = {
	.name		= "pciem_test",
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
}

module_init(test_init);
module_exit(test_exit);

MODULE_DESCRIPTION("Test driver for pciem");
MODULE_AUTHOR("The PCIem Lab authors");
MODULE_LICENSE("GPL");

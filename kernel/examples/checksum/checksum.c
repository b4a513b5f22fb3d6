// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver of the checksum card: an example, and it has a bug.
 *
 *	echo hello > /sys/bus/pci/drivers/checksum/ADDRESS/text
 *	cat /sys/bus/pci/drivers/checksum/ADDRESS/checksum
 *
 * docs/debug-your-first-driver.md finds the bug.
 */
#include <linux/completion.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>

#define REG_ID			0x00
#define  CHECKSUM_ID		0x43524332
#define REG_CONTROL		0x04
#define  CONTROL_START		BIT(0)
#define REG_STATUS		0x08
#define  STATUS_DONE		BIT(0)
#define  STATUS_ERROR		BIT(1)
#define REG_LENGTH		0x0c
#define REG_ADDRESS_LOW		0x10
#define REG_ADDRESS_HIGH	0x14
#define REG_RESULT		0x18

#define TIMEOUT_MS		3000

struct checksum {
	struct device *dev;
	void __iomem *regs;
	/* One text at a time; protects all that follows. */
	struct mutex lock;
	char *text;
	struct completion done;
	u32 status;
	u32 result;
};

static irqreturn_t checksum_irq(int irq, void *arg)
{
	struct checksum *card = arg;
	u32 status = readl(card->regs + REG_STATUS);

	/* All ones: the card has gone. */
	if (!(status & STATUS_DONE) || status == ~0U)
		return IRQ_NONE;
	writel(status, card->regs + REG_STATUS);
	card->status = status;
	complete(&card->done);
	return IRQ_HANDLED;
}

/* Has the card read the first @length bytes of the text. */
static int checksum_run(struct checksum *card, u32 length)
{
	dma_addr_t address;
	int ret = 0;

	address = dma_map_single(card->dev, card->text, sizeof(card->text), DMA_TO_DEVICE);
	if (dma_mapping_error(card->dev, address))
		return -ENOMEM;
	reinit_completion(&card->done);
	writel(lower_32_bits(address), card->regs + REG_ADDRESS_LOW);
	writel(upper_32_bits(address), card->regs + REG_ADDRESS_HIGH);
	writel(length, card->regs + REG_LENGTH);
	writel(CONTROL_START, card->regs + REG_CONTROL);
	if (!wait_for_completion_timeout(&card->done, msecs_to_jiffies(TIMEOUT_MS))) {
		dev_err(card->dev, "no answer\n");
		ret = -ETIMEDOUT;
	} else if (card->status & STATUS_ERROR) {
		dev_err(card->dev, "the card could not do %u bytes\n", length);
		ret = -EIO;
	} else {
		card->result = readl(card->regs + REG_RESULT);
	}
	dma_unmap_single(card->dev, address, sizeof(card->text), DMA_TO_DEVICE);
	return ret;
}

static ssize_t text_store(struct device *dev, struct device_attribute *attr, const char *buf,
			  size_t count)
{
	struct checksum *card = dev_get_drvdata(dev);
	int ret;

	mutex_lock(&card->lock);
	memcpy(card->text, buf, count);
	ret = checksum_run(card, count);
	mutex_unlock(&card->lock);
	return ret ?: count;
}
static DEVICE_ATTR_WO(text);

static ssize_t checksum_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct checksum *card = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%08x\n", READ_ONCE(card->result));
}
static DEVICE_ATTR_RO(checksum);

static struct attribute *checksum_attrs[] = {
	&dev_attr_text.attr,
	&dev_attr_checksum.attr,
	NULL
};
ATTRIBUTE_GROUPS(checksum);

static int checksum_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct checksum *card;
	int ret;

	card = devm_kzalloc(&pdev->dev, sizeof(*card), GFP_KERNEL);
	if (!card)
		return -ENOMEM;
	/* What is written to an attribute is a page at most. */
	card->text = devm_kzalloc(&pdev->dev, PAGE_SIZE, GFP_KERNEL);
	if (!card->text)
		return -ENOMEM;
	card->dev = &pdev->dev;
	mutex_init(&card->lock);
	init_completion(&card->done);
	pci_set_drvdata(pdev, card);

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	ret = pcim_iomap_regions(pdev, BIT(0), KBUILD_MODNAME);
	if (ret)
		return ret;
	card->regs = pcim_iomap_table(pdev)[0];
	if (readl(card->regs + REG_ID) != CHECKSUM_ID)
		return -ENODEV;
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	pci_set_master(pdev);
	ret = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_MSI);
	if (ret < 0)
		return ret;
	return devm_request_irq(&pdev->dev, pci_irq_vector(pdev, 0), checksum_irq, 0, KBUILD_MODNAME,
				card);
}

static const struct pci_device_id checksum_ids[] = {
	{ PCI_DEVICE(0x1f0c, 0x0003) },
	{ }
};
MODULE_DEVICE_TABLE(pci, checksum_ids);

static struct pci_driver checksum_driver = {
	.name		= KBUILD_MODNAME,
	.id_table	= checksum_ids,
	.probe		= checksum_probe,
	.dev_groups	= checksum_groups,
};
module_pci_driver(checksum_driver);

MODULE_DESCRIPTION("Checksum card");
MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ProtoPCIem card as a PCI device.
 *
 * The card carries out what it is told in the order in which it was told. So a
 * card that let something time out is brought back by a reset and a command
 * whose result only that command gives: once it is there, nothing older is left.
 */
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/iopoll.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "protopciem.h"

#define BAR_REGISTERS	0

unsigned int protopciem_timeout_ms = 3000;
module_param_named(timeout_ms, protopciem_timeout_ms, uint, 0644);
MODULE_PARM_DESC(timeout_ms, "how long a command, or a picture, may take the card (default 3000)");

static bool kms = true;
module_param(kms, bool, 0444);
MODULE_PARM_DESC(kms, "make a display of the card; else there is only /dev/protopciem (default yes)");

static void card_release(struct kref *ref)
{
	struct protopciem_card *card = container_of(ref, struct protopciem_card, ref);

	protopciem_chrdev_free(card);
	mutex_destroy(&card->lock);
	pci_dev_put(card->pdev);
	kfree(card);
}

void protopciem_card_put(struct protopciem_card *card)
{
	kref_put(&card->ref, card_release);
}

/* Sources of the interrupt; the first cards have all of theirs always. */
void protopciem_irq_enable(struct protopciem_card *card, u32 set, u32 clear)
{
	unsigned long flags;

	spin_lock_irqsave(&card->irq_lock, flags);
	card->irq_enable = (card->irq_enable & ~clear) | set;
	card_write(card, REG_IRQ_ENABLE, card->irq_enable);
	spin_unlock_irqrestore(&card->irq_lock, flags);
}

static irqreturn_t card_irq(int irq, void *arg)
{
	struct protopciem_card *card = arg;
	u32 status = 0;

	card_count(card, STAT_INTERRUPTS, 1);
	if (card->version) {
		status = card_read(card, REG_IRQ_STATUS);
		if (card_absent(status))
			return IRQ_HANDLED;
		/* A fence gives an interrupt each time, and memory says which one. */
		if (status & ~IRQ_FENCE)
			card_write(card, REG_IRQ_STATUS, status);
	}
	/*
	 * A cause that was cleared may be seen again, and one may be missing: the
	 * card may not have got to it. So these are signs to look.
	 */
	if (READ_ONCE(card->waiting))
		complete(&card->done);
	if (card->kms)
		protopciem_kms_irq(card, status);
	return IRQ_HANDLED;
}

/**
 * protopciem_recover() - reset the card, once all that it was told before is behind it
 * @card: locked
 *
 * Return: 0, -ENODEV, or -ETIMEDOUT when it still does not answer.
 */
int protopciem_recover(struct protopciem_card *card)
{
	const u32 token = card->token = (card->token + 1) & 0xffff;
	u32 result;
	int ret;

	if (card->gone)
		return -ENODEV;
	card_write(card, REG_CONTROL, CONTROL_RESET);
	card_write(card, REG_CONTROL, CONTROL_ENABLE);
	card_write(card, REG_DATA, token);
	card_write(card, REG_CMD, CMD_XOR);
	ret = read_poll_timeout(card_read, result,
				result == ~token || READ_ONCE(card->gone), 200,
				protopciem_timeout_ms * USEC_PER_MSEC, false, card, REG_RESULT_LOW);
	if (card->gone || card_absent(card_read(card, REG_STATUS)))
		return -ENODEV;
	if (ret) {
		card->stuck = true;
		return ret;
	}
	if (card->stuck) {
		card->stuck = false;
		card_count(card, STAT_RECOVERIES, 1);
		dev_info(&card->pdev->dev, "the card answers again\n");
	}
	if (card->version)
		protopciem_irq_enable(card, IRQ_COMMAND | IRQ_ERROR, 0);
	if (card->kms)
		protopciem_kms_restore(card);
	return 0;
}

/* Something new has failed. */
void protopciem_failed(struct protopciem_card *card)
{
	card_count(card, STAT_ERRORS, 1);
	if (!card->version)
		return;
	WRITE_ONCE(card->error, card_read(card, REG_ERROR));
	WRITE_ONCE(card->error_info, card_read(card, REG_ERROR_INFO));
}

/* Wait for STATUS to say that the command has ended. */
static int command_wait(struct protopciem_card *card, u32 *status)
{
	unsigned long left = msecs_to_jiffies(protopciem_timeout_ms);

	for (;;) {
		*status = card_read(card, REG_STATUS);
		if (card->gone || card_absent(*status))
			return -ENODEV;
		if (*status & STATUS_DONE)
			return 0;
		if (!left)
			return -ETIMEDOUT;
		left = wait_for_completion_timeout(&card->done, left);
	}
}

/**
 * protopciem_command() - have the card carry out a command, and wait for it
 * @card: locked
 * @command: CMD_*
 * @from: bus address of what it reads
 * @length: of it
 *
 * Return: 0; -ENODEV without a card; -ETIMEDOUT when it does not answer; -EINVAL
 * for a command buffer with a malformed record; -EIO when it failed otherwise.
 */
int protopciem_command(struct protopciem_card *card, u32 command, dma_addr_t from, u32 length)
{
	u32 status;
	int ret;

	if (card->gone)
		return -ENODEV;
	if (card->stuck) {
		ret = protopciem_recover(card);
		if (ret)
			return ret;
	}
	reinit_completion(&card->done);
	WRITE_ONCE(card->waiting, true);
	card_write(card, REG_STATUS, 0);
	card_write64(card, REG_DMA_SRC_LOW, from);
	card_write(card, REG_DMA_LEN, length);
	card_write(card, REG_CMD, command);
	ret = command_wait(card, &status);
	WRITE_ONCE(card->waiting, false);
	if (ret == -ETIMEDOUT) {
		card->stuck = true;
		card_count(card, STAT_TIMEOUTS, 1);
		dev_err_ratelimited(&card->pdev->dev, "command %u: no answer for %u ms\n", command,
				    protopciem_timeout_ms);
	}
	if (ret || !(status & STATUS_ERROR))
		return ret;

	protopciem_failed(card);
	return card->error == ERROR_MALFORMED_RECORD ? -EINVAL : -EIO;
}

static int card_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct protopciem_card *card;
	int ret;

	card = kzalloc(sizeof(*card), GFP_KERNEL);
	if (!card)
		return -ENOMEM;
	kref_init(&card->ref);
	mutex_init(&card->lock);
	spin_lock_init(&card->irq_lock);
	init_completion(&card->done);
	card->number = -1;
	card->pdev = pci_dev_get(pdev);
	pci_set_drvdata(pdev, card);

	ret = pci_enable_device(pdev);
	if (ret)
		goto put;
	ret = pci_request_region(pdev, BAR_REGISTERS, PROTOPCIEM_NAME);
	if (ret)
		goto disable;
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		goto release;
	ret = -ENOMEM;
	card->regs = pci_iomap(pdev, BAR_REGISTERS, 0);
	if (!card->regs)
		goto release;
	pci_set_master(pdev);
	ret = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_MSI);
	if (ret < 0) {
		dev_err(&pdev->dev, "no interrupt: %d\n", ret);
		goto unmap;
	}
	card->irq = pci_irq_vector(pdev, 0);
	ret = -ENODEV;
	card->version = card_read(card, REG_VERSION);
	if (card_absent(card->version))
		goto free_vectors;
	ret = request_irq(card->irq, card_irq, 0, PROTOPCIEM_NAME, card);
	if (ret)
		goto free_vectors;

	mutex_lock(&card->lock);
	ret = protopciem_recover(card);
	mutex_unlock(&card->lock);
	if (ret) {
		dev_err(&pdev->dev, "the card does not answer: %d\n", ret);
		goto free_irq;
	}
	if (card->version && kms) {
		ret = protopciem_kms_create(card);
		if (ret)
			goto free_irq;
	}
	ret = protopciem_chrdev_create(card);
	if (ret)
		goto unplug;
	if (card->kms) {
		ret = protopciem_kms_register(card);
		if (ret)
			goto remove_chrdev;
	}
	dev_info(&pdev->dev, "/dev/%s%s\n", card->name,
		 card->kms ? " and a display" : card->version ? "" : "; an old card, without a display");
	return 0;

remove_chrdev:
	protopciem_chrdev_remove(card);
unplug:
	protopciem_kms_unplug(card);
free_irq:
	free_irq(card->irq, card);
free_vectors:
	pci_free_irq_vectors(pdev);
unmap:
	pci_clear_master(pdev);
	pci_iounmap(pdev, card->regs);
release:
	pci_release_region(pdev, BAR_REGISTERS);
disable:
	pci_disable_device(pdev);
put:
	card->gone = true;
	protopciem_card_put(card);
	return ret;
}

/* The card may be there still, or not. */
static void card_remove(struct pci_dev *pdev)
{
	struct protopciem_card *card = pci_get_drvdata(pdev);

	/* Whoever waits for the card is told before its lock is waited for. */
	WRITE_ONCE(card->gone, true);
	complete(&card->done);
	mutex_lock(&card->lock);
	mutex_unlock(&card->lock);

	protopciem_kms_unplug(card);
	protopciem_chrdev_remove(card);
	if (!card_absent(card_read(card, REG_STATUS)))
		card_write(card, REG_CONTROL, CONTROL_RESET);
	free_irq(card->irq, card);
	pci_free_irq_vectors(pdev);
	pci_clear_master(pdev);
	pci_iounmap(pdev, card->regs);
	pci_release_region(pdev, BAR_REGISTERS);
	pci_disable_device(pdev);
	protopciem_card_put(card);
}

static int __maybe_unused card_suspend(struct device *dev)
{
	struct protopciem_card *card = dev_get_drvdata(dev);

	return card->kms ? protopciem_kms_sleep(card) : 0;
}

static int __maybe_unused card_resume(struct device *dev)
{
	struct protopciem_card *card = dev_get_drvdata(dev);
	int ret;

	mutex_lock(&card->lock);
	ret = protopciem_recover(card);
	mutex_unlock(&card->lock);
	if (!ret && card->kms)
		protopciem_kms_wake(card);
	return ret;
}

static SIMPLE_DEV_PM_OPS(card_pm, card_suspend, card_resume);

static const struct pci_device_id card_ids[] = {
	{ PCI_DEVICE(0x1f0c, 0x0001) },
	{ }
};
MODULE_DEVICE_TABLE(pci, card_ids);

static struct pci_driver card_driver = {
	.name		= PROTOPCIEM_NAME,
	.id_table	= card_ids,
	.probe		= card_probe,
	.remove		= card_remove,
	.driver.pm	= &card_pm,
};
module_pci_driver(card_driver);

MODULE_DESCRIPTION("ProtoPCIem card");
MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/protopciem: the frames and command buffers of uapi/protopciem.h.
 *
 * Where the card is a display as well, a file that draws takes the picture over
 * with its first write or submission: 640 x 480, RGB, as on the first cards.
 * DRM's picture comes back when the last such file is closed.
 *
 * What is mapped stays mapped when the card goes away, and leads nowhere.
 */
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/uaccess.h>

#include "../uapi/protopciem.h"
#include "protopciem.h"

#define FRAMES_SIZE	(PROTOPCIEM_FRAMES * PROTOPCIEM_FRAME_SIZE)

/* Of cards: the first is protopciem, the next one protopciem1. */
static DEFINE_IDA(numbers);

struct card_file {
	struct protopciem_card *card;
	bool draws;
};

static int file_open(struct inode *inode, struct file *file)
{
	/* misc_open() holds off misc_deregister(). */
	struct protopciem_card *card =
		container_of(file->private_data, struct protopciem_card, misc);
	struct card_file *mine = kzalloc(sizeof(*mine), GFP_KERNEL);

	if (!mine)
		return -ENOMEM;
	kref_get(&card->ref);
	mine->card = card;
	file->private_data = mine;
	return stream_open(inode, file);
}

static int file_release(struct inode *inode, struct file *file)
{
	struct card_file *mine = file->private_data;
	struct protopciem_card *card = mine->card;

	mutex_lock(&card->lock);
	if (mine->draws && !--card->users && card->kms && !card->gone)
		protopciem_kms_resume_output(card);
	mutex_unlock(&card->lock);
	protopciem_card_put(card);
	kfree(mine);
	return 0;
}

/* The picture is this file's. The card is locked. */
static int file_draws(struct card_file *mine)
{
	struct protopciem_card *card = mine->card;
	int ret;

	if (card->gone)
		return -ENODEV;
	if (mine->draws)
		return 0;
	if (!card->users && card->kms) {
		ret = protopciem_kms_suspend_output(card);
		if (ret)
			return ret;
	}
	card->users++;
	mine->draws = true;
	return 0;
}

static ssize_t file_write(struct file *file, const char __user *from, size_t length, loff_t *pos)
{
	struct card_file *mine = file->private_data;
	struct protopciem_card *card = mine->card;
	int ret;

	if (length > PROTOPCIEM_MAX_COMMANDS)
		return -EINVAL;
	if (!length)
		return 0;
	if (mutex_lock_killable(&card->lock))
		return -EINTR;
	ret = file_draws(mine);
	if (ret)
		goto unlock;
	if (!card->commands) {
		ret = -ENOMEM;
		card->commands = dma_alloc_coherent(&card->pdev->dev, PROTOPCIEM_MAX_COMMANDS,
						    &card->commands_dma, GFP_KERNEL);
		if (!card->commands)
			goto unlock;
	}
	ret = -EFAULT;
	if (copy_from_user(card->commands, from, length))
		goto unlock;
	ret = protopciem_command(card, CMD_EXECUTE_CMDBUF, card->commands_dma, length);
	if (!ret) {
		card_count(card, STAT_COMMAND_BUFFERS, 1);
		card_count(card, STAT_COMMAND_BYTES, length);
	}
unlock:
	mutex_unlock(&card->lock);
	return ret ?: length;
}

static long file_submit(struct card_file *mine, u32 frame)
{
	struct protopciem_card *card = mine->card;
	int ret;

	if (frame >= PROTOPCIEM_FRAMES)
		return -EINVAL;
	if (mutex_lock_killable(&card->lock))
		return -EINTR;
	ret = file_draws(mine);
	if (!ret)
		ret = protopciem_command(card, CMD_DMA_FRAME,
					 card->frames_dma + frame * PROTOPCIEM_FRAME_SIZE,
					 PROTOPCIEM_FRAME_SIZE);
	mutex_unlock(&card->lock);
	if (!ret) {
		card_count(card, STAT_FRAMES, 1);
		card_count(card, STAT_FRAME_BYTES, PROTOPCIEM_FRAME_SIZE);
	}
	return ret;
}

static long file_ioctl(struct file *file, unsigned int command, unsigned long arg)
{
	u32 frame;

	if (command != PROTOPCIEM_SUBMIT)
		return -ENOTTY;
	if (get_user(frame, (u32 __user *)arg))
		return -EFAULT;
	return file_submit(file->private_data, frame);
}

static int file_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct card_file *mine = file->private_data;
	struct protopciem_card *card = mine->card;
	int ret = -ENODEV;

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	mutex_lock(&card->lock);
	if (!card->gone)
		ret = dma_mmap_coherent(&card->pdev->dev, vma, card->frames, card->frames_dma,
					FRAMES_SIZE);
	/* Without references on its pages a mapping could outlive the memory. */
	if (!ret && vma->vm_flags & VM_PFNMAP)
		ret = -EOPNOTSUPP;
	mutex_unlock(&card->lock);
	return ret;
}

static const struct file_operations file_ops = {
	.owner		= THIS_MODULE,
	.open		= file_open,
	.release	= file_release,
	.write		= file_write,
	.unlocked_ioctl	= file_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.mmap		= file_mmap,
};

/* Statistics, in the directory of that name below the device's */

struct stat_attribute {
	struct device_attribute attr;
	enum protopciem_stat stat;
};

static struct protopciem_card *attribute_card(struct device *dev)
{
	struct miscdevice *misc = dev_get_drvdata(dev);

	return container_of(misc, struct protopciem_card, misc);
}

static ssize_t stat_show(struct device *dev, struct device_attribute *attr, char *to)
{
	enum protopciem_stat stat = container_of(attr, struct stat_attribute, attr)->stat;

	return sysfs_emit(to, "%lld\n", atomic64_read(&attribute_card(dev)->stats[stat]));
}

#define STAT(name, what)								\
	static struct stat_attribute stat_##name = {					\
		.attr = __ATTR(name, 0444, stat_show, NULL), .stat = what,		\
	}

STAT(frames, STAT_FRAMES);
STAT(frame_bytes, STAT_FRAME_BYTES);
STAT(command_buffers, STAT_COMMAND_BUFFERS);
STAT(command_bytes, STAT_COMMAND_BYTES);
STAT(flips, STAT_FLIPS);
STAT(updates, STAT_UPDATES);
STAT(update_bytes, STAT_UPDATE_BYTES);
STAT(interrupts, STAT_INTERRUPTS);
STAT(errors, STAT_ERRORS);
STAT(timeouts, STAT_TIMEOUTS);
STAT(recoveries, STAT_RECOVERIES);

/* Of the last failure: the card's code for it, and where it was */
static ssize_t last_error_show(struct device *dev, struct device_attribute *attr, char *to)
{
	struct protopciem_card *card = attribute_card(dev);

	return sysfs_emit(to, "%u %u\n", READ_ONCE(card->error), READ_ONCE(card->error_info));
}
static DEVICE_ATTR_RO(last_error);

static struct attribute *stat_attrs[] = {
	&stat_frames.attr.attr,
	&stat_frame_bytes.attr.attr,
	&stat_command_buffers.attr.attr,
	&stat_command_bytes.attr.attr,
	&stat_flips.attr.attr,
	&stat_updates.attr.attr,
	&stat_update_bytes.attr.attr,
	&stat_interrupts.attr.attr,
	&stat_errors.attr.attr,
	&stat_timeouts.attr.attr,
	&stat_recoveries.attr.attr,
	&dev_attr_last_error.attr,
	NULL
};

static const struct attribute_group stat_group = {
	.name = "statistics",
	.attrs = stat_attrs,
};

static const struct attribute_group *stat_groups[] = { &stat_group, NULL };

int protopciem_chrdev_create(struct protopciem_card *card)
{
	int ret;

	card->number = ida_alloc(&numbers, GFP_KERNEL);
	if (card->number < 0)
		return card->number;
	if (card->number)
		snprintf(card->name, sizeof(card->name), PROTOPCIEM_NAME "%d", card->number);
	else
		strscpy(card->name, PROTOPCIEM_NAME, sizeof(card->name));

	card->frames = dma_alloc_coherent(&card->pdev->dev, FRAMES_SIZE, &card->frames_dma,
					  GFP_KERNEL);
	if (!card->frames)
		return -ENOMEM;
	card->misc.minor = MISC_DYNAMIC_MINOR;
	card->misc.name = card->name;
	card->misc.fops = &file_ops;
	card->misc.mode = 0600;
	card->misc.parent = &card->pdev->dev;
	card->misc.groups = stat_groups;
	ret = misc_register(&card->misc);
	if (ret)
		dma_free_coherent(&card->pdev->dev, FRAMES_SIZE, card->frames, card->frames_dma);
	return ret;
}

/* Files may stay open; they see that the card is gone. */
void protopciem_chrdev_remove(struct protopciem_card *card)
{
	WRITE_ONCE(card->gone, true);
	misc_deregister(&card->misc);
	mutex_lock(&card->lock);
	dma_free_coherent(&card->pdev->dev, FRAMES_SIZE, card->frames, card->frames_dma);
	if (card->commands)
		dma_free_coherent(&card->pdev->dev, PROTOPCIEM_MAX_COMMANDS, card->commands,
				  card->commands_dma);
	mutex_unlock(&card->lock);
}

void protopciem_chrdev_free(struct protopciem_card *card)
{
	if (card->number >= 0)
		ida_free(&numbers, card->number);
}

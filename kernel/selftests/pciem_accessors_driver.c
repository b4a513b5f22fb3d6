// SPDX-License-Identifier: GPL-2.0-only
/*
 * pciem_accessors: the scenarios of accessors_shared.c, run by the kernel on a
 * BAR and on ordinary memory alike.
 *
 * Binds to 1f0c:00fe, whose BAR 0 has at least BAR_BYTES bytes. In debugfs, under
 * pciem_accessors/<pci address>/:
 *
 *   run      write "SCENARIO SEED CONTEXT": both memories hold scenario_fill()
 *            of SEED (the BAR by whoever is the device). CONTEXT is one of
 *            process, preempt-off, bh-off, irqs-off, timer, irq-work. Reads back as
 *            "RESULT-ON-BAR RESULT-ON-MEMORY BUFFERS-EQUAL NAME"; a scenario
 *            beyond the last is EINVAL.
 *   memory   what the ordinary memory holds after it
 */
#include <linux/bottom_half.h>
#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/irq_work.h>
#include <linux/irqflags.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/timer.h>
#include <linux/vmalloc.h>

#include "accessors_shared.h"

struct accessors {
	void __iomem *bar;
	u8 *memory;
	u8 *buffer[2];
	struct mutex lock;	/* one run at a time */
	struct dentry *dir;
	char result[128];

	/* The run that a timer or irq_work makes */
	const struct scenario *scenario;
	u64 seed;
	u64 value;
	struct completion done;
	struct timer_list timer;
	struct irq_work work;
};

static struct dentry *root;

static void run_on_bar(struct accessors *acc)
{
	acc->value = acc->scenario->run((__force volatile void *)acc->bar, acc->buffer[0], acc->seed);
}

static void on_timer(struct timer_list *timer)
{
	struct accessors *acc = container_of(timer, struct accessors, timer);

	run_on_bar(acc);
	complete(&acc->done);
}

static void on_irq_work(struct irq_work *work)
{
	struct accessors *acc = container_of(work, struct accessors, work);

	run_on_bar(acc);
	complete(&acc->done);
}

static int run_in(struct accessors *acc, const char *context)
{
	unsigned long flags;

	if (!strcmp(context, "process")) {
		run_on_bar(acc);
	} else if (!strcmp(context, "preempt-off")) {
		preempt_disable();
		run_on_bar(acc);
		preempt_enable();
	} else if (!strcmp(context, "bh-off")) {
		local_bh_disable();
		run_on_bar(acc);
		local_bh_enable();
	} else if (!strcmp(context, "irqs-off")) {
		local_irq_save(flags);
		run_on_bar(acc);
		local_irq_restore(flags);
	} else if (!strcmp(context, "timer")) {
		reinit_completion(&acc->done);
		mod_timer(&acc->timer, jiffies + 1);
		wait_for_completion(&acc->done);
	} else if (!strcmp(context, "irq-work")) {
		reinit_completion(&acc->done);
		irq_work_queue(&acc->work);
		wait_for_completion(&acc->done);
	} else {
		return -EINVAL;
	}
	return 0;
}

static ssize_t run_write(struct file *file, const char __user *user, size_t size, loff_t *pos)
{
	struct accessors *acc = file->private_data;
	char line[64] = { 0 }, context[16];
	unsigned int number, i;
	u64 seed, want;
	int ret;

	if (size >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, user, size))
		return -EFAULT;
	if (sscanf(line, "%u %lli %15s", &number, &seed, context) != 3)
		return -EINVAL;
	for (i = 0; scenarios_kernel[i].name && i < number; i++)
		;
	if (!scenarios_kernel[i].name)
		return -EINVAL;

	mutex_lock(&acc->lock);
	acc->scenario = &scenarios_kernel[i];
	acc->seed = seed;
	scenario_fill(acc->memory, BAR_BYTES, seed);
	scenario_fill(acc->buffer[0], BUFFER_BYTES, ~seed);
	scenario_fill(acc->buffer[1], BUFFER_BYTES, ~seed);
	ret = run_in(acc, context);
	want = acc->scenario->run(acc->memory, acc->buffer[1], seed);
	snprintf(acc->result, sizeof(acc->result), "%#llx %#llx %d %s\n", acc->value, want,
		 !memcmp(acc->buffer[0], acc->buffer[1], BUFFER_BYTES), acc->scenario->name);
	mutex_unlock(&acc->lock);
	return ret ?: size;
}

static ssize_t run_read(struct file *file, char __user *user, size_t size, loff_t *pos)
{
	struct accessors *acc = file->private_data;

	return simple_read_from_buffer(user, size, pos, acc->result, strlen(acc->result));
}

static const struct file_operations run_fops = {
	.owner	= THIS_MODULE,
	.open	= simple_open,
	.read	= run_read,
	.write	= run_write,
};

static ssize_t memory_read(struct file *file, char __user *user, size_t size, loff_t *pos)
{
	struct accessors *acc = file->private_data;

	return simple_read_from_buffer(user, size, pos, acc->memory, BAR_BYTES);
}

static const struct file_operations memory_fops = {
	.owner	= THIS_MODULE,
	.open	= simple_open,
	.read	= memory_read,
};

static void accessors_free(struct accessors *acc)
{
	vfree(acc->memory);
	vfree(acc->buffer[0]);
	vfree(acc->buffer[1]);
	kfree(acc);
}

static int accessors_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct accessors *acc;
	int ret;

	if (pci_resource_len(pdev, 0) < BAR_BYTES)
		return -ENODEV;
	acc = kzalloc(sizeof(*acc), GFP_KERNEL);
	if (!acc)
		return -ENOMEM;
	mutex_init(&acc->lock);
	init_completion(&acc->done);
	timer_setup(&acc->timer, on_timer, 0);
	init_irq_work(&acc->work, on_irq_work);
	acc->memory = vmalloc(BAR_BYTES);
	acc->buffer[0] = vmalloc(BUFFER_BYTES);
	acc->buffer[1] = vmalloc(BUFFER_BYTES);
	ret = acc->memory && acc->buffer[0] && acc->buffer[1] ? pci_enable_device_mem(pdev) : -ENOMEM;
	if (ret)
		goto free;
	acc->bar = pci_iomap(pdev, 0, 0);
	if (!acc->bar) {
		ret = -ENOMEM;
		goto disable;
	}
	pci_set_drvdata(pdev, acc);
	acc->dir = debugfs_create_dir(pci_name(pdev), root);
	debugfs_create_file("run", 0600, acc->dir, acc, &run_fops);
	debugfs_create_file("memory", 0400, acc->dir, acc, &memory_fops);
	return 0;

disable:
	pci_disable_device(pdev);
free:
	accessors_free(acc);
	return ret;
}

static void accessors_remove(struct pci_dev *pdev)
{
	struct accessors *acc = pci_get_drvdata(pdev);

	debugfs_remove_recursive(acc->dir);
	pci_iounmap(pdev, acc->bar);
	pci_disable_device(pdev);
	accessors_free(acc);
}

static const struct pci_device_id accessors_ids[] = {
	{ PCI_DEVICE(0x1f0c, 0x00fe) },
	{ }
};
MODULE_DEVICE_TABLE(pci, accessors_ids);

static struct pci_driver accessors_driver = {
	.name		= "pciem_accessors",
	.id_table	= accessors_ids,
	.probe		= accessors_probe,
	.remove		= accessors_remove,
};

static int __init accessors_init(void)
{
	int ret;

	root = debugfs_create_dir("pciem_accessors", NULL);
	ret = pci_register_driver(&accessors_driver);
	if (ret)
		debugfs_remove_recursive(root);
	return ret;
}

static void __exit accessors_exit(void)
{
	pci_unregister_driver(&accessors_driver);
	debugfs_remove_recursive(root);
}

module_init(accessors_init);
module_exit(accessors_exit);

MODULE_DESCRIPTION("Accesses of every kind, for the tests of pciem");
MODULE_AUTHOR("The PCIem Lab authors");
MODULE_LICENSE("GPL");

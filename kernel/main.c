// SPDX-License-Identifier: GPL-2.0-only
/*
 * pciem: synthetic PCIe functions defined by userspace.
 *
 * Module entry and exit. The module cannot be unloaded while a device exists,
 * since each holds a reference to it (device.c).
 */
#include <linux/module.h>

#include "pciem.h"

static int __init pciem_init(void)
{
	int ret;

	/* Parameters first: undoing the hooks of trap.c takes seconds */
	ret = pciem_p2p_init();
	if (ret)
		return ret;
	ret = pciem_bridge_init();
	if (ret)
		goto no_bridge;
	ret = pciem_trap_init();
	if (ret)
		goto no_trap;
	ret = pciem_irqfd_init();
	if (ret)
		goto no_irqfd;
	ret = pciem_dma_init();
	if (ret)
		goto no_dma;
	pciem_debugfs_init();
	ret = pciem_chrdev_init();
	if (ret)
		goto no_chrdev;
	return 0;

no_chrdev:
	pciem_debugfs_exit();
	pciem_dma_exit();
no_dma:
	pciem_irqfd_exit();
no_irqfd:
	pciem_trap_exit();
no_trap:
	pciem_bridge_exit();
no_bridge:
	pciem_p2p_exit();
	return ret;
}

static void __exit pciem_exit(void)
{
	pciem_chrdev_exit();
	pciem_debugfs_exit();
	pciem_dma_exit();
	pciem_irqfd_exit();
	pciem_trap_exit();
	pciem_bridge_exit();
	pciem_p2p_exit();
}

module_init(pciem_init);
module_exit(pciem_exit);

MODULE_DESCRIPTION("Synthetic PCIe functions defined by userspace");
MODULE_AUTHOR("The PCIem Lab authors");
MODULE_LICENSE("GPL");

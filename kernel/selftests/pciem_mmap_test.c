// SPDX-License-Identifier: GPL-2.0-only
/*
 * pciem_mmap_test: a driver that lets programs map BAR 0 of 1f0c:00fd, in all the
 * ways that drivers do it. /dev/pciem_mmap_test; the mapping's offset chooses:
 *
 *   0 << 32	remap_pfn_range() in mmap(), without vm_operations
 *   1 << 32	the same by halves, the second half first
 *   2 << 32	remap_pfn_range() of all at the first fault (vfio-pci up to 6.9)
 *   3 << 32	vmf_insert_pfn() at each fault (vfio-pci since)
 *   4 << 32	vmf_insert_pfn_prot() at each fault (DRM)
 *   5 << 32	vmf_insert_pfn_pmd() at faults of that size, where the kernel has it
 */
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>
#ifdef PCIEM_HUGE_FAULT_TAKES_ORDER
#include <linux/pfn_t.h>
#endif

static DEFINE_MUTEX(lock);	/* protects what follows */
static struct pci_dev *bound;
static struct vm_area_struct *remapped;

static unsigned long pfn_at(struct vm_area_struct *vma, unsigned long address)
{
	return (pci_resource_start(bound, 0) >> PAGE_SHIFT) + ((address - vma->vm_start) >> PAGE_SHIFT);
}

/* As vfio-pci did: what is mapped once is not looked at again. */
static vm_fault_t remap_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	vm_fault_t ret = VM_FAULT_SIGBUS;

	mutex_lock(&lock);
	if (remapped == vma)
		ret = VM_FAULT_NOPAGE;
	else if (bound && !io_remap_pfn_range(vma, vma->vm_start, pfn_at(vma, vma->vm_start),
					      vma->vm_end - vma->vm_start, vma->vm_page_prot))
		ret = VM_FAULT_NOPAGE;
	if (ret == VM_FAULT_NOPAGE)
		remapped = vma;
	mutex_unlock(&lock);
	return ret;
}

static void remap_close(struct vm_area_struct *vma)
{
	mutex_lock(&lock);
	if (remapped == vma)
		remapped = NULL;
	mutex_unlock(&lock);
}

static vm_fault_t insert_fault(struct vm_fault *vmf)
{
	vm_fault_t ret = VM_FAULT_SIGBUS;

	mutex_lock(&lock);
	if (bound)
		ret = vmf_insert_pfn(vmf->vma, vmf->address, pfn_at(vmf->vma, vmf->address));
	mutex_unlock(&lock);
	return ret;
}

static vm_fault_t insert_prot_fault(struct vm_fault *vmf)
{
	vm_fault_t ret = VM_FAULT_SIGBUS;

	mutex_lock(&lock);
	if (bound)
		ret = vmf_insert_pfn_prot(vmf->vma, vmf->address, pfn_at(vmf->vma, vmf->address),
					  vmf->vma->vm_page_prot);
	mutex_unlock(&lock);
	return ret;
}

#ifdef PCIEM_HUGE_FAULT_TAKES_ORDER
static vm_fault_t huge_fault(struct vm_fault *vmf, unsigned int order)
{
	unsigned long start = vmf->address & PMD_MASK;
	vm_fault_t ret = VM_FAULT_FALLBACK;

	mutex_lock(&lock);
	if (bound && order == PMD_ORDER && start >= vmf->vma->vm_start &&
	    start + PMD_SIZE <= vmf->vma->vm_end)
		ret = vmf_insert_pfn_pmd(vmf, __pfn_to_pfn_t(pfn_at(vmf->vma, start), PFN_DEV), false);
	mutex_unlock(&lock);
	return ret;
}
#endif

static const struct vm_operations_struct remap_ops = {
	.fault		= remap_fault,
	.close		= remap_close,
};
static const struct vm_operations_struct insert_ops = { .fault = insert_fault };
static const struct vm_operations_struct insert_prot_ops = { .fault = insert_prot_fault };
static const struct vm_operations_struct huge_ops = {
	.fault		= insert_fault,
#ifdef PCIEM_HUGE_FAULT_TAKES_ORDER
	.huge_fault	= huge_fault,
#endif
};

static int map(struct vm_area_struct *vma)
{
	unsigned long half = (vma->vm_end - vma->vm_start) / 2;
	int ret;

	switch (vma->vm_pgoff >> 20) {
	case 0:
		return io_remap_pfn_range(vma, vma->vm_start, pfn_at(vma, vma->vm_start), 2 * half,
					  vma->vm_page_prot);
	case 1:
		ret = io_remap_pfn_range(vma, vma->vm_start + half, pfn_at(vma, vma->vm_start + half),
					 half, vma->vm_page_prot);
		return ret ?: io_remap_pfn_range(vma, vma->vm_start, pfn_at(vma, vma->vm_start), half,
						 vma->vm_page_prot);
	case 2:
		vma->vm_ops = &remap_ops;
		return 0;
	case 3:
		vma->vm_ops = &insert_ops;
		return 0;
	case 4:
		vma->vm_ops = &insert_prot_ops;
		return 0;
	case 5:
		vma->vm_ops = &huge_ops;
		return 0;
	}
	return -EINVAL;
}

static int test_mmap(struct file *file, struct vm_area_struct *vma)
{
	unsigned long flags = VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP;
	int ret = -ENODEV;

	vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
#ifdef PCIEM_HAVE_VM_FLAGS_SET
	vm_flags_set(vma, flags);
#else
	vma->vm_flags |= flags;
#endif
	mutex_lock(&lock);
	if (bound && vma->vm_end - vma->vm_start == pci_resource_len(bound, 0))
		ret = map(vma);
	mutex_unlock(&lock);
	return ret;
}

static const struct file_operations test_fops = {
	.owner	= THIS_MODULE,
	.mmap	= test_mmap,
};

static struct miscdevice test_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "pciem_mmap_test",
	.fops	= &test_fops,
	.mode	= 0600,
};

static int test_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	int ret = -EBUSY;

	mutex_lock(&lock);
	if (!bound) {
		ret = pci_enable_device_mem(pdev);
		if (!ret)
			bound = pdev;
	}
	mutex_unlock(&lock);
	return ret;
}

static void test_remove(struct pci_dev *pdev)
{
	mutex_lock(&lock);
	bound = NULL;
	mutex_unlock(&lock);
	pci_disable_device(pdev);
}

static const struct pci_device_id test_ids[] = {
	{ PCI_DEVICE(0x1f0c, 0x00fd) },
	{ }
};
MODULE_DEVICE_TABLE(pci, test_ids);

static struct pci_driver test_driver = {
	.name		= "pciem_mmap_test",
	.id_table	= test_ids,
	.probe		= test_probe,
	.remove		= test_remove,
};

static int __init test_init(void)
{
	int ret = misc_register(&test_misc);

	if (ret)
		return ret;
	ret = pci_register_driver(&test_driver);
	if (ret)
		misc_deregister(&test_misc);
	return ret;
}

static void __exit test_exit(void)
{
	pci_unregister_driver(&test_driver);
	misc_deregister(&test_misc);
}

module_init(test_init);
module_exit(test_exit);

MODULE_DESCRIPTION("Test driver for mappings of BARs");
MODULE_AUTHOR("The PCIem Lab authors");
MODULE_LICENSE("GPL");

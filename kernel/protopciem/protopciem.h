/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The driver of the ProtoPCIem card.
 *
 * main.c	the PCI driver: probe, removal, interrupt, commands, recovery
 * chrdev.c	/dev/protopciem and its statistics
 * kms.c	the display: DRM/KMS with fbdev emulation
 *
 * card->lock serialises whoever drives the card: a command and its wait, a
 * picture on its way to the ring, a recovery. It nests inside DRM's modeset
 * locks and outside DRM's event_lock and card->irq_lock. The interrupt handler
 * takes only the latter two.
 *
 * A card lives until the last open file lets go of it; card->gone says that
 * there is no hardware behind it any more.
 */
#ifndef PROTOPCIEM_H
#define PROTOPCIEM_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/io.h>
#include <linux/kref.h>
#include <linux/miscdevice.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/spinlock.h>

#include "registers.h"

#define PROTOPCIEM_NAME		"protopciem"

enum protopciem_stat {
	STAT_FRAMES,
	STAT_FRAME_BYTES,
	STAT_COMMAND_BUFFERS,
	STAT_COMMAND_BYTES,
	STAT_FLIPS,
	STAT_UPDATES,
	STAT_UPDATE_BYTES,
	STAT_INTERRUPTS,
	STAT_ERRORS,
	STAT_TIMEOUTS,
	STAT_RECOVERIES,
	STATS
};

struct protopciem_kms;

struct protopciem_card {
	struct kref ref;
	struct pci_dev *pdev;
	void __iomem *regs;
	int irq;
	u32 version;		/* 0: one of the first cards */

	struct mutex lock;
	bool gone;
	bool stuck;		/* something was not answered in time */
	u32 token;		/* of the last recovery */

	struct completion done;	/* of a command */
	bool waiting;

	spinlock_t irq_lock;	/* protects IRQ_ENABLE */
	u32 irq_enable;

	int number;
	char name[24];
	struct miscdevice misc;
	unsigned int users;	/* files that show pictures of their own */
	void *frames;
	dma_addr_t frames_dma;
	void *commands;		/* made when first needed */
	dma_addr_t commands_dma;

	u32 error, error_info;
	atomic64_t stats[STATS];

	struct protopciem_kms *kms;	/* NULL: only /dev/protopciem */
};

extern unsigned int protopciem_timeout_ms;

/* main.c */
void protopciem_card_put(struct protopciem_card *card);
int protopciem_command(struct protopciem_card *card, u32 command, dma_addr_t from, u32 length);
int protopciem_recover(struct protopciem_card *card);
void protopciem_failed(struct protopciem_card *card);
void protopciem_irq_enable(struct protopciem_card *card, u32 set, u32 clear);

/* chrdev.c */
int protopciem_chrdev_create(struct protopciem_card *card);
void protopciem_chrdev_remove(struct protopciem_card *card);
void protopciem_chrdev_free(struct protopciem_card *card);

/* kms.c */
#ifdef PROTOPCIEM_HAVE_KMS
int protopciem_kms_create(struct protopciem_card *card);
int protopciem_kms_register(struct protopciem_card *card);
void protopciem_kms_unplug(struct protopciem_card *card);
void protopciem_kms_irq(struct protopciem_card *card, u32 status);
void protopciem_kms_restore(struct protopciem_card *card);
int protopciem_kms_suspend_output(struct protopciem_card *card);
void protopciem_kms_resume_output(struct protopciem_card *card);
int protopciem_kms_sleep(struct protopciem_card *card);
void protopciem_kms_wake(struct protopciem_card *card);
#else
static inline int protopciem_kms_create(struct protopciem_card *card) { return 0; }
static inline int protopciem_kms_register(struct protopciem_card *card) { return 0; }
static inline void protopciem_kms_unplug(struct protopciem_card *card) { }
static inline void protopciem_kms_irq(struct protopciem_card *card, u32 status) { }
static inline void protopciem_kms_restore(struct protopciem_card *card) { }
static inline int protopciem_kms_suspend_output(struct protopciem_card *card) { return 0; }
static inline void protopciem_kms_resume_output(struct protopciem_card *card) { }
static inline int protopciem_kms_sleep(struct protopciem_card *card) { return 0; }
static inline void protopciem_kms_wake(struct protopciem_card *card) { }
#endif

static inline u32 card_read(struct protopciem_card *card, u32 reg)
{
	return readl(card->regs + reg);
}

static inline void card_write(struct protopciem_card *card, u32 reg, u32 value)
{
	writel(value, card->regs + reg);
}

static inline void card_write64(struct protopciem_card *card, u32 reg, u64 value)
{
	card_write(card, reg, lower_32_bits(value));
	card_write(card, reg + 4, upper_32_bits(value));
}

static inline void card_count(struct protopciem_card *card, enum protopciem_stat stat, u64 by)
{
	atomic64_add(by, &card->stats[stat]);
}

/* Nothing answers: what a register that is never all ones reads as then */
static inline bool card_absent(u32 value)
{
	return value == ~0U;
}

#endif /* PROTOPCIEM_H */

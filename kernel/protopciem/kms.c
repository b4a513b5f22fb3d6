// SPDX-License-Identifier: GPL-2.0-only
/*
 * The card as a display: one CRTC with a primary plane and a cursor, one
 * connector with the monitor that the card describes.
 *
 * The card reads its picture from one stretch of bus addresses, which the pages
 * of a GEM object are not. So each commit copies what changed to a picture of
 * the driver's own, and puts an entry for each part into the card's ring: one
 * register write tells the card, one interrupt tells the driver that the card
 * has read them. There are two such pictures: while the card reads one, the next
 * commit is copied to the other, with what it has missed.
 *
 * Another framebuffer is shown at the card's next vertical blank, and that ends
 * the commit; a changed one is shown as soon as the card gets to it, and nobody
 * waits for that, unless a program asked to be told. The vertical blank interrupt
 * is on while somebody waits for it, no longer; in between its time is known from
 * the rate.
 */
#include <drm/drm_atomic.h>
#include <drm/drm_atomic_helper.h>
#include <drm/drm_damage_helper.h>
#include <drm/drm_drv.h>
#include <drm/drm_edid.h>
#include <drm/drm_format_helper.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem_atomic_helper.h>
#include <drm/drm_gem_framebuffer_helper.h>
#include <drm/drm_gem_shmem_helper.h>
#include <drm/drm_managed.h>
#include <drm/drm_modeset_helper.h>
#include <drm/drm_probe_helper.h>
#include <drm/drm_simple_kms_helper.h>
#include <drm/drm_vblank.h>
#ifdef PROTOPCIEM_FBDEV_GENERIC
#include <drm/drm_fb_helper.h>
#elif defined(PROTOPCIEM_FBDEV_GENERIC_HEADER)
#include <drm/drm_fbdev_generic.h>
#else
#include <drm/drm_fbdev_shmem.h>
#endif
#ifdef PROTOPCIEM_FBDEV_CLIENT
#include <drm/clients/drm_client_setup.h>
#endif
#include <linux/dma-mapping.h>
#include <linux/iopoll.h>
#include <linux/module.h>
#include <linux/workqueue.h>

#include "protopciem.h"

#define RING_ENTRIES	64
/* Parts of a commit that are sent one by one; more are sent as one that holds them all. */
#define MAX_PARTS	16
#define MAX_BYTES_PIXEL	4
#define MAX_CURSOR	64
#define CURSOR_BYTES	(MAX_CURSOR * MAX_CURSOR * 4)

/* What the card reads and writes beside pictures */
struct kms_shared {
	struct ring_entry ring[RING_ENTRIES];
	__le32 fence;		/* of the last entry that is done */
};

/* One of the driver's own, as the card sees it */
struct picture {
	void *cpu;
	dma_addr_t dma;
	u32 fence;		/* of the last entry that reads it */
	struct drm_rect stale;	/* what is newer in the other one */
};

struct protopciem_kms {
	struct drm_device drm;
	struct drm_plane primary;
	struct drm_plane cursor;
	struct drm_crtc crtc;
	struct drm_encoder encoder;
	struct drm_connector connector;
	struct protopciem_card *card;
	__le32 edid[EDID_LENGTH / 4];
	u32 formats[3];

	/* These are protected by card->lock. */
	struct kms_shared *shared;
	dma_addr_t shared_dma;
	struct picture pictures[2];	/* there may be only the first */
	struct picture *picture;	/* the newer one */
	size_t picture_size;
	void *image;		/* of the cursor */
	dma_addr_t image_dma;
	u32 tail;
	bool on;		/* a mode is set */
	bool whole;		/* the card has not got all of the picture */
	u32 width, height, pitch, format;
	u32 cursor_control, cursor_position, cursor_size;

	/* And these by drm.event_lock. */
	u32 issued;		/* the last fence that entries carry */
	u32 seen;		/* the last one whose end an interrupt told */
	struct drm_pending_vblank_event *event;	/* sent when that is reached */
	bool flip;		/* it is of a flip that waits for a vertical blank */
	u64 flipped;		/* the vertical blank that the last such event told */
	wait_queue_head_t reached;
	struct delayed_work watchdog;

	u32 rate;		/* of vertical blanks, in millihertz */
	ktime_t blank;		/* one of them */
};

static struct protopciem_kms *to_kms(struct drm_device *drm)
{
	return container_of(drm, struct protopciem_kms, drm);
}

static const struct {
	u32 drm;
	u32 bytes;
} formats[] = {
	/* By the card's number of them; its RGB24 has red first in memory. */
	[FORMAT_RGB24]		= { DRM_FORMAT_BGR888, 3 },
	[FORMAT_XRGB8888]	= { DRM_FORMAT_XRGB8888, 4 },
	[FORMAT_RGB565]		= { DRM_FORMAT_RGB565, 2 },
};

static u32 card_format(u32 drm_format)
{
	for (u32 format = 0; format < ARRAY_SIZE(formats); format++)
		if (formats[format].drm == drm_format)
			return format;
	return FORMAT_XRGB8888;
}

/* The ring */

static bool fence_passed(struct protopciem_kms *kms, u32 fence)
{
	return (s32)(le32_to_cpu(READ_ONCE(kms->shared->fence)) - fence) >= 0;
}

static bool fence_reached(struct protopciem_kms *kms)
{
	return fence_passed(kms, kms->issued);
}

/* Send the event of a commit whose pictures the card has. event_lock is held. */
static void event_send(struct protopciem_kms *kms)
{
	struct drm_pending_vblank_event *event = kms->event;

	kms->event = NULL;
	if (event)
		drm_crtc_send_vblank_event(&kms->crtc, event);
}

/*
 * The same, with the vertical blank that the event belongs to. An interrupt that
 * came late has found the one after; the next flip, in time for that one, waits
 * for another, so that no two flips tell the same. event_lock is held.
 */
static void event_count(struct protopciem_kms *kms)
{
	const u64 count = drm_crtc_accurate_vblank_count(&kms->crtc);
	const bool flip = kms->flip;

	kms->flip = false;
	if (flip && count <= kms->flipped && !drm_crtc_vblank_get(&kms->crtc)) {
		kms->flipped = count + 1;
		drm_crtc_arm_vblank_event(&kms->crtc, kms->event);
		kms->event = NULL;
		return;
	}
	if (flip)
		kms->flipped = count;
	event_send(kms);
}

static void ring_put(struct protopciem_kms *kms, u16 opcode, const struct drm_rect *part, bool last)
{
	u32 fence = 0;

	if (last) {
		fence = kms->issued + 1 ?: 1;
		spin_lock_irq(&kms->drm.event_lock);
		kms->issued = fence;
		spin_unlock_irq(&kms->drm.event_lock);
		kms->picture->fence = fence;
	}
	kms->shared->ring[kms->tail] = (struct ring_entry) {
		.opcode = cpu_to_le16(opcode),
		.flags = cpu_to_le16(last ? RING_INTERRUPT : 0),
		.fence = cpu_to_le32(fence),
		.address = cpu_to_le64(kms->picture->dma),
		.position = cpu_to_le32(PAIR(part->x1, part->y1)),
		.size = cpu_to_le32(PAIR(drm_rect_width(part), drm_rect_height(part))),
	};
	kms->tail = (kms->tail + 1) % RING_ENTRIES;
}

/* Tell the card, and see that it does not keep anybody waiting for ever. */
static void ring_go(struct protopciem_kms *kms)
{
	card_write(kms->card, REG_RING_TAIL, kms->tail);
	mod_delayed_work(system_wq, &kms->watchdog, msecs_to_jiffies(protopciem_timeout_ms));
}

static void ring_start(struct protopciem_kms *kms)
{
	struct protopciem_card *card = kms->card;

	/* What was under way is over. */
	kms->tail = 0;
	spin_lock_irq(&kms->drm.event_lock);
	WRITE_ONCE(kms->shared->fence, cpu_to_le32(kms->issued));
	kms->seen = kms->issued;
	event_send(kms);
	spin_unlock_irq(&kms->drm.event_lock);
	wake_up(&kms->reached);
	card_write64(card, REG_RING_LOW, kms->shared_dma + offsetof(struct kms_shared, ring));
	card_write64(card, REG_FENCE_LOW, kms->shared_dma + offsetof(struct kms_shared, fence));
	card_write(card, REG_RING_ENTRIES, RING_ENTRIES);
	card_write(card, REG_RING_CONTROL, 1);
}

/* Whoever needs the card's picture at rest */
static int ring_wait(struct protopciem_kms *kms)
{
	if (wait_event_timeout(kms->reached, fence_reached(kms) || kms->card->gone,
			       msecs_to_jiffies(protopciem_timeout_ms)))
		return kms->card->gone ? -ENODEV : 0;
	return -ETIMEDOUT;
}

/* Wait for what is in the ring. Not with the card locked: it may take long. */
static void ring_drain(struct protopciem_kms *kms)
{
	wait_event_timeout(kms->reached,
			   fence_reached(kms) || kms->card->stuck || READ_ONCE(kms->card->gone),
			   msecs_to_jiffies(protopciem_timeout_ms));
}

static void watchdog(struct work_struct *work)
{
	struct protopciem_kms *kms = container_of(to_delayed_work(work), struct protopciem_kms,
						  watchdog);
	struct protopciem_card *card = kms->card;

	mutex_lock(&card->lock);
	if (!card->gone && (card->stuck || !fence_reached(kms))) {
		if (!card->stuck) {
			card_count(card, STAT_TIMEOUTS, 1);
			drm_err(&kms->drm, "no answer to a picture for %u ms\n",
				protopciem_timeout_ms);
		}
		card->stuck = true;
		kms->whole = true;
		spin_lock_irq(&kms->drm.event_lock);
		event_send(kms);
		spin_unlock_irq(&kms->drm.event_lock);
		protopciem_recover(card);
	}
	mutex_unlock(&card->lock);
}

/* From the interrupt handler */
void protopciem_kms_irq(struct protopciem_card *card, u32 status)
{
	struct protopciem_kms *kms = card->kms;
	u32 fence;

	if (status & IRQ_VSYNC)
		drm_crtc_handle_vblank(&kms->crtc);
	spin_lock(&kms->drm.event_lock);
	fence = le32_to_cpu(READ_ONCE(kms->shared->fence));
	/* What failed, if only a part that no fence is of, is drawn with what comes next. */
	if ((status & IRQ_ERROR) && (fence != kms->seen || !fence_reached(kms))) {
		WRITE_ONCE(kms->whole, true);
		protopciem_failed(card);
	}
	if (fence == kms->seen) {
		spin_unlock(&kms->drm.event_lock);
		return;
	}
	kms->seen = fence;
	if (kms->event && fence_reached(kms))
		event_count(kms);
	spin_unlock(&kms->drm.event_lock);
	wake_up(&kms->reached);
}

/* The mode */

/* The picture belongs to files of /dev/protopciem, or nobody can draw it. */
static bool output_off(struct protopciem_kms *kms)
{
	return kms->card->users || kms->card->stuck || kms->card->gone;
}

static void mode_write(struct protopciem_kms *kms)
{
	struct protopciem_card *card = kms->card;

	card_write(card, REG_MODE_SIZE, PAIR(kms->width, kms->height));
	card_write(card, REG_MODE_PITCH, kms->pitch);
	card_write(card, REG_MODE_FORMAT, kms->format);
	card_write(card, REG_MODE_CONTROL, 1);
	kms->whole = true;
}

static bool mode_differs(struct protopciem_kms *kms, const struct drm_crtc_state *crtc,
			 const struct drm_framebuffer *fb)
{
	return !kms->on || kms->width != crtc->mode.hdisplay || kms->height != crtc->mode.vdisplay ||
	       kms->format != card_format(fb->format->format);
}

static void mode_set(struct protopciem_kms *kms, u32 width, u32 height, u32 format)
{
	const u32 pitch = ALIGN(width * formats[format].bytes, 4);

	kms->width = width;
	kms->height = height;
	kms->format = format;
	kms->pitch = pitch;
	kms->on = true;
	kms->whole = true;
	kms->pictures[0].stale = kms->pictures[1].stale = (struct drm_rect){ };
	if (!output_off(kms))
		mode_write(kms);
}

static void cursor_write(struct protopciem_kms *kms, u32 control)
{
	struct protopciem_card *card = kms->card;

	card_write(card, REG_CURSOR_SIZE, kms->cursor_size);
	card_write(card, REG_CURSOR_POSITION, kms->cursor_position);
	card_write(card, REG_CURSOR_CONTROL, control);
}

static void picture_push_whole(struct protopciem_kms *kms)
{
	struct drm_rect all = DRM_RECT_INIT(0, 0, kms->width, kms->height);

	ring_put(kms, RING_UPDATE, &all, true);
	kms->whole = false;
	card_count(kms->card, STAT_UPDATES, 1);
	card_count(kms->card, STAT_UPDATE_BYTES, (u64)kms->pitch * kms->height);
	ring_go(kms);
}

static void output_show(struct protopciem_kms *kms)
{
	if (!kms->on || output_off(kms))
		return;
	mode_write(kms);
	picture_push_whole(kms);
	if (kms->cursor_control)
		cursor_write(kms, kms->cursor_control | CURSOR_LOAD);
}

/* The card was reset; it is locked. */
void protopciem_kms_restore(struct protopciem_card *card)
{
	struct protopciem_kms *kms = card->kms;

	ring_start(kms);
	protopciem_irq_enable(card, IRQ_FENCE, 0);
	card_write64(card, REG_CURSOR_LOW, kms->image_dma);
	if (kms->rate)
		card_write(card, REG_VSYNC_RATE, kms->rate);
	output_show(kms);
}

/* A file of /dev/protopciem wants the picture. The card is locked. */
int protopciem_kms_suspend_output(struct protopciem_card *card)
{
	struct protopciem_kms *kms = card->kms;
	int ret;

	ret = card->stuck ? protopciem_recover(card) : 0;
	if (!ret)
		ret = ring_wait(kms);
	if (ret)
		return ret;
	card_write(card, REG_CURSOR_CONTROL, 0);
	card_write(card, REG_MODE_CONTROL, 0);
	return 0;
}

void protopciem_kms_resume_output(struct protopciem_card *card)
{
	output_show(card->kms);
}

/* Planes */

static int primary_check(struct drm_plane *plane, struct drm_atomic_state *state)
{
	struct drm_plane_state *new = drm_atomic_get_new_plane_state(state, plane);
	struct drm_crtc_state *crtc = NULL;

	if (new->crtc)
		crtc = drm_atomic_get_new_crtc_state(state, new->crtc);
	return drm_atomic_helper_check_plane_state(new, crtc, DRM_PLANE_NO_SCALING,
						   DRM_PLANE_NO_SCALING, false, false);
}

static bool picture_free(struct protopciem_kms *kms)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(kms->pictures); i++)
		if (kms->pictures[i].cpu && fence_passed(kms, kms->pictures[i].fence))
			return true;
	return false;
}

/* Make the newer picture one that the card does not read. */
static void picture_choose(struct protopciem_kms *kms)
{
	struct picture *other = &kms->pictures[kms->picture == kms->pictures];

	if (other->cpu && !fence_passed(kms, kms->picture->fence))
		kms->picture = other;
}

static void rect_add(struct drm_rect *to, const struct drm_rect *part)
{
	if (!drm_rect_visible(to)) {
		*to = *part;
		return;
	}
	to->x1 = min(to->x1, part->x1);
	to->y1 = min(to->y1, part->y1);
	to->x2 = max(to->x2, part->x2);
	to->y2 = max(to->y2, part->y2);
}

static bool rect_within(const struct drm_rect *part, const struct drm_rect *all)
{
	return part->x1 >= all->x1 && part->y1 >= all->y1 && part->x2 <= all->x2 &&
	       part->y2 <= all->y2;
}

static void picture_copy(struct protopciem_kms *kms, struct drm_plane_state *new,
			 const struct drm_rect *part)
{
	struct drm_shadow_plane_state *shadow = to_drm_shadow_plane_state(new);
	const size_t at = part->y1 * kms->pitch + part->x1 * formats[kms->format].bytes;
	struct iosys_map to = IOSYS_MAP_INIT_VADDR(kms->picture->cpu + at);
	struct drm_rect from = *part;

	drm_rect_translate(&from, new->src.x1 >> 16, new->src.y1 >> 16);
	drm_fb_memcpy(&to, &kms->pitch, shadow->data, new->fb, &from);
}

/* Copy @count parts to the newer picture, and what it has missed. */
static void picture_update(struct protopciem_kms *kms, struct drm_plane_state *new,
			   const struct drm_rect *parts, unsigned int count)
{
	struct picture *before = kms->picture;
	struct drm_rect *stale;

	picture_choose(kms);
	stale = &kms->picture->stale;
	for (unsigned int i = 0; i < count && drm_rect_visible(stale); i++)
		if (rect_within(stale, &parts[i]))
			*stale = (struct drm_rect){ };
	if (drm_rect_visible(stale)) {
		picture_copy(kms, new, stale);
		*stale = (struct drm_rect){ };
	}
	if (kms->picture == before)
		before = &kms->pictures[before == kms->pictures];
	for (unsigned int i = 0; i < count; i++) {
		picture_copy(kms, new, &parts[i]);
		rect_add(&before->stale, &parts[i]);
	}
}

static void primary_update(struct drm_plane *plane, struct drm_atomic_state *state)
{
	struct drm_plane_state *new = drm_atomic_get_new_plane_state(state, plane);
	struct drm_plane_state *old = drm_atomic_get_old_plane_state(state, plane);
	struct protopciem_kms *kms = to_kms(plane->dev);
	struct protopciem_card *card = kms->card;
	struct drm_atomic_helper_damage_iter iter;
	struct drm_rect parts[MAX_PARTS], part;
	struct drm_crtc_state *crtc;
	unsigned int count = 0;
	bool flip;
	int idx;

	if (!new->fb || !new->visible || !drm_dev_enter(plane->dev, &idx))
		return;
	crtc = drm_atomic_get_new_crtc_state(state, new->crtc);
	flip = old->fb != new->fb && !crtc->async_flip && !drm_atomic_crtc_needs_modeset(crtc);

	if (mode_differs(kms, crtc, new->fb))
		ring_drain(kms);
	wait_event_timeout(kms->reached,
			   picture_free(kms) || card->stuck || READ_ONCE(card->gone),
			   msecs_to_jiffies(protopciem_timeout_ms));
	mutex_lock(&card->lock);
	if (mode_differs(kms, crtc, new->fb))
		mode_set(kms, crtc->mode.hdisplay, crtc->mode.vdisplay,
			 card_format(new->fb->format->format));

	drm_atomic_helper_damage_iter_init(&iter, old, new);
	if (kms->whole) {
		parts[count++] = iter.plane_src;
	} else {
		drm_atomic_for_each_plane_damage(&iter, &part) {
			if (count == MAX_PARTS) {
				drm_atomic_helper_damage_merged(old, new, &parts[0]);
				count = 1;
				break;
			}
			parts[count++] = part;
		}
	}
	if (!count || drm_gem_fb_begin_cpu_access(new->fb, DMA_FROM_DEVICE))
		goto unlock;
	for (unsigned int i = 0; i < count; i++)
		drm_rect_translate(&parts[i], -(new->src.x1 >> 16), -(new->src.y1 >> 16));
	picture_update(kms, new, parts, count);
	drm_gem_fb_end_cpu_access(new->fb, DMA_FROM_DEVICE);

	if (output_off(kms))
		goto unlock;
	spin_lock_irq(&kms->drm.event_lock);
	kms->flip = flip;
	spin_unlock_irq(&kms->drm.event_lock);
	for (unsigned int i = 0; i < count; i++) {
		const bool last = i == count - 1;

		card_count(card, STAT_UPDATE_BYTES, drm_rect_width(&parts[i]) *
			   drm_rect_height(&parts[i]) * formats[kms->format].bytes);
		ring_put(kms, flip && last ? RING_FLIP : RING_UPDATE, &parts[i], last);
	}
	kms->whole = false;
	card_count(card, flip ? STAT_FLIPS : STAT_UPDATES, 1);
	ring_go(kms);
unlock:
	mutex_unlock(&card->lock);
	drm_dev_exit(idx);
}

static const struct drm_plane_helper_funcs primary_helpers = {
	DRM_GEM_SHADOW_PLANE_HELPER_FUNCS,
	.atomic_check	= primary_check,
	.atomic_update	= primary_update,
};

static int cursor_check(struct drm_plane *plane, struct drm_atomic_state *state)
{
	struct drm_plane_state *new = drm_atomic_get_new_plane_state(state, plane);
	struct drm_crtc_state *crtc = NULL;

	if (new->crtc)
		crtc = drm_atomic_get_new_crtc_state(state, new->crtc);
	if (new->fb && (new->fb->width > MAX_CURSOR || new->fb->height > MAX_CURSOR ||
			new->src_x || new->src_y || new->crtc_w != new->fb->width ||
			new->crtc_h != new->fb->height))
		return -EINVAL;
	return drm_atomic_helper_check_plane_state(new, crtc, DRM_PLANE_NO_SCALING,
						   DRM_PLANE_NO_SCALING, true, true);
}

static void cursor_update(struct drm_plane *plane, struct drm_atomic_state *state)
{
	struct drm_plane_state *new = drm_atomic_get_new_plane_state(state, plane);
	struct drm_plane_state *old = drm_atomic_get_old_plane_state(state, plane);
	struct drm_shadow_plane_state *shadow = to_drm_shadow_plane_state(new);
	struct protopciem_kms *kms = to_kms(plane->dev);
	struct protopciem_card *card = kms->card;
	unsigned int pitch;
	struct iosys_map to;
	u32 control;
	int idx;

	if (!new->fb || !drm_dev_enter(plane->dev, &idx))
		return;
	mutex_lock(&card->lock);
	kms->cursor_position = PAIR(new->crtc_x, new->crtc_y);
	if (old->fb == new->fb && kms->cursor_control) {
		struct drm_rect damage;

		if (!drm_atomic_helper_damage_merged(old, new, &damage)) {
			if (!output_off(kms))
				card_write(card, REG_CURSOR_POSITION, kms->cursor_position);
			goto unlock;
		}
	}
	/* The card may still be about to read the image before. */
	if (!output_off(kms) &&
	    read_poll_timeout(card_read, control, !(control & CURSOR_LOAD), 100,
			      protopciem_timeout_ms * USEC_PER_MSEC, false, card,
			      REG_CURSOR_CONTROL))
		goto unlock;
	if (drm_gem_fb_begin_cpu_access(new->fb, DMA_FROM_DEVICE))
		goto unlock;
	pitch = new->fb->width * 4;
	iosys_map_set_vaddr(&to, kms->image);
	drm_fb_memcpy(&to, &pitch, shadow->data, new->fb,
		      &DRM_RECT_INIT(0, 0, new->fb->width, new->fb->height));
	drm_gem_fb_end_cpu_access(new->fb, DMA_FROM_DEVICE);
	kms->cursor_size = PAIR(new->fb->width, new->fb->height);
	kms->cursor_control = CURSOR_ENABLE;
	if (!output_off(kms))
		cursor_write(kms, CURSOR_ENABLE | CURSOR_LOAD);
unlock:
	mutex_unlock(&card->lock);
	drm_dev_exit(idx);
}

static void cursor_disable(struct drm_plane *plane, struct drm_atomic_state *state)
{
	struct protopciem_kms *kms = to_kms(plane->dev);
	int idx;

	if (!drm_dev_enter(plane->dev, &idx))
		return;
	mutex_lock(&kms->card->lock);
	kms->cursor_control = 0;
	if (!output_off(kms))
		card_write(kms->card, REG_CURSOR_CONTROL, 0);
	mutex_unlock(&kms->card->lock);
	drm_dev_exit(idx);
}

static const struct drm_plane_helper_funcs cursor_helpers = {
	DRM_GEM_SHADOW_PLANE_HELPER_FUNCS,
	.atomic_check	= cursor_check,
	.atomic_update	= cursor_update,
	.atomic_disable	= cursor_disable,
};

static const struct drm_plane_funcs plane_funcs = {
	DRM_GEM_SHADOW_PLANE_FUNCS,
	.update_plane	= drm_atomic_helper_update_plane,
	.disable_plane	= drm_atomic_helper_disable_plane,
	.destroy	= drm_plane_cleanup,
};

/* The CRTC */

static u64 blank_period(struct protopciem_kms *kms)
{
	return div_u64(1000ULL * NSEC_PER_SEC, kms->rate);
}

static u32 mode_rate(const struct drm_display_mode *mode)
{
	return DIV_ROUND_CLOSEST_ULL(mode->clock * 1000000ULL, mode->htotal * mode->vtotal);
}

static enum drm_mode_status crtc_mode_valid(struct drm_crtc *crtc,
					    const struct drm_display_mode *mode)
{
	struct protopciem_kms *kms = to_kms(crtc->dev);
	u32 rate;

	if ((u64)mode->hdisplay * mode->vdisplay * MAX_BYTES_PIXEL > kms->picture_size)
		return MODE_MEM;
	if (!mode->htotal || !mode->vtotal)
		return MODE_BAD;
	rate = mode_rate(mode);
	return rate >= VSYNC_RATE_MIN && rate <= VSYNC_RATE_MAX ? MODE_OK : MODE_CLOCK_RANGE;
}

static int crtc_check(struct drm_crtc *crtc, struct drm_atomic_state *state)
{
	struct drm_crtc_state *new = drm_atomic_get_new_crtc_state(state, crtc);

	/* There is no picture but the primary plane's. */
	if (new->enable && !(new->plane_mask & drm_plane_mask(crtc->primary)))
		return -EINVAL;
	return drm_atomic_add_affected_planes(state, crtc);
}

static void crtc_enable(struct drm_crtc *crtc, struct drm_atomic_state *state)
{
	struct drm_crtc_state *new = drm_atomic_get_new_crtc_state(state, crtc);
	struct protopciem_kms *kms = to_kms(crtc->dev);
	struct protopciem_card *card = kms->card;
	const u32 rate = mode_rate(&new->adjusted_mode);
	int idx;

	if (drm_dev_enter(crtc->dev, &idx)) {
		mutex_lock(&card->lock);
		if (kms->rate != rate) {
			kms->rate = rate;
			kms->blank = ktime_get();
			if (!card->gone)
				card_write(card, REG_VSYNC_RATE, rate);
		}
		mutex_unlock(&card->lock);
		drm_dev_exit(idx);
	}
	drm_crtc_vblank_on(crtc);
}

static void crtc_disable(struct drm_crtc *crtc, struct drm_atomic_state *state)
{
	struct drm_crtc_state *new = drm_atomic_get_new_crtc_state(state, crtc);
	struct protopciem_kms *kms = to_kms(crtc->dev);
	int idx;

	drm_crtc_vblank_off(crtc);
	if (drm_dev_enter(crtc->dev, &idx)) {
		ring_drain(kms);
		mutex_lock(&kms->card->lock);
		kms->on = false;
		if (!output_off(kms))
			card_write(kms->card, REG_MODE_CONTROL, 0);
		mutex_unlock(&kms->card->lock);
		drm_dev_exit(idx);
	}
	if (new->event && !new->active) {
		spin_lock_irq(&crtc->dev->event_lock);
		drm_crtc_send_vblank_event(crtc, new->event);
		spin_unlock_irq(&crtc->dev->event_lock);
		new->event = NULL;
	}
}

/* A program waits for it, not only the next commit. */
static bool event_wanted(const struct drm_pending_vblank_event *event)
{
	return event->base.file_priv || event->base.fence;
}

static void crtc_flush(struct drm_crtc *crtc, struct drm_atomic_state *state)
{
	struct drm_crtc_state *new = drm_atomic_get_new_crtc_state(state, crtc);
	struct drm_pending_vblank_event *event = new->event;
	struct protopciem_kms *kms = to_kms(crtc->dev);
	struct protopciem_card *card = kms->card;

	if (!event)
		return;
	new->event = NULL;
	spin_lock_irq(&crtc->dev->event_lock);
	if (card->gone) {
		drm_crtc_send_vblank_event(crtc, event);
	} else if (card->stuck) {
		/* The watchdog sees whether the card answers again. */
		kms->event = event;
		mod_delayed_work(system_wq, &kms->watchdog, 0);
	} else if (!fence_reached(kms)) {
		if (kms->flip || event_wanted(event))
			kms->event = event;
		else
			drm_crtc_send_vblank_event(crtc, event);
	} else if (card->users && !drm_crtc_vblank_get(crtc)) {
		/* Nothing of it is shown: the vertical blank keeps the pace. */
		kms->flipped = drm_crtc_accurate_vblank_count(crtc) + 1;
		drm_crtc_arm_vblank_event(crtc, event);
	} else {
		kms->event = event;
		event_count(kms);
	}
	spin_unlock_irq(&crtc->dev->event_lock);
}

static int crtc_vblank_enable(struct drm_crtc *crtc)
{
	struct protopciem_card *card = to_kms(crtc->dev)->card;
	int idx;

	if (!drm_dev_enter(crtc->dev, &idx))
		return -ENODEV;
	protopciem_irq_enable(card, IRQ_VSYNC, 0);
	drm_dev_exit(idx);
	return 0;
}

static void crtc_vblank_disable(struct drm_crtc *crtc)
{
	struct protopciem_card *card = to_kms(crtc->dev)->card;
	int idx;

	if (!drm_dev_enter(crtc->dev, &idx))
		return;
	protopciem_irq_enable(card, 0, IRQ_VSYNC);
	drm_dev_exit(idx);
}

/* When the last vertical blank was */
static bool crtc_vblank_timestamp(struct drm_crtc *crtc, int *max_error, ktime_t *time, bool in_irq)
{
	struct protopciem_kms *kms = to_kms(crtc->dev);
	u64 period, passed;

	if (!kms->rate)
		return false;
	period = blank_period(kms);
	passed = ktime_to_ns(ktime_sub(ktime_get(), kms->blank));
	*time = ktime_add_ns(kms->blank, div64_u64(passed, period) * period);
	*max_error = 0;
	return true;
}

static const struct drm_crtc_helper_funcs crtc_helpers = {
	.mode_valid	= crtc_mode_valid,
	.atomic_check	= crtc_check,
	.atomic_flush	= crtc_flush,
	.atomic_enable	= crtc_enable,
	.atomic_disable	= crtc_disable,
};

static const struct drm_crtc_funcs crtc_funcs = {
	.reset			= drm_atomic_helper_crtc_reset,
	.destroy		= drm_crtc_cleanup,
	.set_config		= drm_atomic_helper_set_config,
	.page_flip		= drm_atomic_helper_page_flip,
	.atomic_duplicate_state	= drm_atomic_helper_crtc_duplicate_state,
	.atomic_destroy_state	= drm_atomic_helper_crtc_destroy_state,
	.enable_vblank		= crtc_vblank_enable,
	.disable_vblank		= crtc_vblank_disable,
	.get_vblank_timestamp	= crtc_vblank_timestamp,
};

/* The monitor */

static int edid_block(void *data, u8 *to, unsigned int block, size_t length)
{
	struct protopciem_kms *kms = data;

	if (block || length > sizeof(kms->edid))
		return -EINVAL;
	memcpy(to, kms->edid, length);
	return 0;
}

static int connector_modes(struct drm_connector *connector)
{
	struct protopciem_kms *kms = to_kms(connector->dev);
	const struct drm_edid *edid = drm_edid_read_custom(connector, edid_block, kms);
	int count = drm_edid_connector_update(connector, edid);

#ifdef PROTOPCIEM_HAVE_EDID_ADD_MODES
	count = drm_edid_connector_add_modes(connector);
#endif
	drm_edid_free(edid);
	if (!count)
		count = drm_add_modes_noedid(connector, connector->dev->mode_config.max_width,
					     connector->dev->mode_config.max_height);
	return count;
}

static const struct drm_connector_helper_funcs connector_helpers = {
	.get_modes	= connector_modes,
};

static const struct drm_connector_funcs connector_funcs = {
	.reset			= drm_atomic_helper_connector_reset,
	.fill_modes		= drm_helper_probe_single_connector_modes,
	.destroy		= drm_connector_cleanup,
	.atomic_duplicate_state	= drm_atomic_helper_connector_duplicate_state,
	.atomic_destroy_state	= drm_atomic_helper_connector_destroy_state,
};

/* The device */

static const struct drm_mode_config_funcs config_funcs = {
	.fb_create	= drm_gem_fb_create_with_dirty,
	.atomic_check	= drm_atomic_helper_check,
	.atomic_commit	= drm_atomic_helper_commit,
};

/* The usual one would wait for a vertical blank after each commit. */
static void commit_tail(struct drm_atomic_state *state)
{
	struct drm_device *drm = state->dev;

	drm_atomic_helper_commit_modeset_disables(drm, state);
	drm_atomic_helper_commit_modeset_enables(drm, state);
	drm_atomic_helper_commit_planes(drm, state, DRM_PLANE_COMMIT_ACTIVE_ONLY);
	drm_atomic_helper_commit_hw_done(state);
	drm_atomic_helper_wait_for_flip_done(drm, state);
	drm_atomic_helper_cleanup_planes(drm, state);
}

static const struct drm_mode_config_helper_funcs config_helpers = {
	.atomic_commit_tail = commit_tail,
};

DEFINE_DRM_GEM_FOPS(kms_fops);

static const struct drm_driver kms_driver = {
	.driver_features	= DRIVER_MODESET | DRIVER_GEM | DRIVER_ATOMIC,
	.fops			= &kms_fops,
	DRM_GEM_SHMEM_DRIVER_OPS,
#ifdef DRM_FBDEV_SHMEM_DRIVER_OPS
	DRM_FBDEV_SHMEM_DRIVER_OPS,
#endif
	.name			= PROTOPCIEM_NAME,
	.desc			= "ProtoPCIem card",
#ifdef PROTOPCIEM_HAVE_DRIVER_DATE
	.date			= "20260101",
#endif
	.major			= 1,
};

static void put_card(struct drm_device *drm, void *card)
{
	protopciem_card_put(card);
}

static int memory_alloc(struct protopciem_kms *kms, u32 max_size)
{
	struct device *dev = kms->drm.dev;
	const size_t least = PAGE_ALIGN(640 * 480 * MAX_BYTES_PIXEL);

	kms->shared = dma_alloc_coherent(dev, sizeof(*kms->shared), &kms->shared_dma, GFP_KERNEL);
	kms->image = dma_alloc_coherent(dev, CURSOR_BYTES, &kms->image_dma, GFP_KERNEL);
	/* Where not that much lies together, there are only smaller modes. */
	kms->picture_size = PAGE_ALIGN((size_t)(max_size & 0xffff) * (max_size >> 16) *
				       MAX_BYTES_PIXEL);
	kms->picture = kms->pictures;
	for (;;) {
		for (unsigned int i = 0; i < ARRAY_SIZE(kms->pictures); i++)
			kms->pictures[i].cpu = dma_alloc_coherent(dev, kms->picture_size,
								  &kms->pictures[i].dma,
								  GFP_KERNEL | __GFP_NOWARN);
		if (!kms->pictures[0].cpu)
			swap(kms->pictures[0], kms->pictures[1]);
		if (kms->pictures[0].cpu || kms->picture_size / 2 < least)
			break;
		kms->picture_size = PAGE_ALIGN(kms->picture_size / 2);
	}
	return kms->shared && kms->image && kms->pictures[0].cpu ? 0 : -ENOMEM;
}

static void memory_free(struct protopciem_kms *kms)
{
	struct device *dev = kms->drm.dev;

	if (kms->shared)
		dma_free_coherent(dev, sizeof(*kms->shared), kms->shared, kms->shared_dma);
	if (kms->image)
		dma_free_coherent(dev, CURSOR_BYTES, kms->image, kms->image_dma);
	for (unsigned int i = 0; i < ARRAY_SIZE(kms->pictures); i++)
		if (kms->pictures[i].cpu)
			dma_free_coherent(dev, kms->picture_size, kms->pictures[i].cpu,
					  kms->pictures[i].dma);
}

static int pipeline_create(struct protopciem_kms *kms, u32 caps)
{
	static const u32 cursor_formats[] = { DRM_FORMAT_ARGB8888 };
	struct drm_device *drm = &kms->drm;
	const u32 size = card_read(kms->card, REG_MAX_SIZE);
	const u32 has = card_read(kms->card, REG_FORMATS);
	struct drm_plane *cursor = NULL;
	unsigned int count = 0;
	int ret;

	ret = drmm_mode_config_init(drm);
	if (ret)
		return ret;
	drm->mode_config.funcs = &config_funcs;
	drm->mode_config.helper_private = &config_helpers;
	drm->mode_config.max_width = size & 0xffff;
	drm->mode_config.max_height = size >> 16;
	drm->mode_config.preferred_depth = 24;
	drm->mode_config.cursor_width = MAX_CURSOR;
	drm->mode_config.cursor_height = MAX_CURSOR;
	drm->mode_config.async_page_flip = true;

	/* The first is what programs take that do not choose. */
	if (has & BIT(FORMAT_XRGB8888))
		kms->formats[count++] = DRM_FORMAT_XRGB8888;
	if (has & BIT(FORMAT_RGB565))
		kms->formats[count++] = DRM_FORMAT_RGB565;
	if (has & BIT(FORMAT_RGB24))
		kms->formats[count++] = DRM_FORMAT_BGR888;
	ret = drm_universal_plane_init(drm, &kms->primary, 1, &plane_funcs, kms->formats, count,
				       NULL, DRM_PLANE_TYPE_PRIMARY, NULL);
	if (ret)
		return ret;
	drm_plane_helper_add(&kms->primary, &primary_helpers);
	drm_plane_enable_fb_damage_clips(&kms->primary);

	if (caps & CAPS_CURSOR) {
		cursor = &kms->cursor;
		ret = drm_universal_plane_init(drm, cursor, 1, &plane_funcs, cursor_formats,
					       ARRAY_SIZE(cursor_formats), NULL,
					       DRM_PLANE_TYPE_CURSOR, NULL);
		if (ret)
			return ret;
		drm_plane_helper_add(cursor, &cursor_helpers);
		drm_plane_enable_fb_damage_clips(cursor);
	}

	ret = drm_crtc_init_with_planes(drm, &kms->crtc, &kms->primary, cursor, &crtc_funcs, NULL);
	if (ret)
		return ret;
	drm_crtc_helper_add(&kms->crtc, &crtc_helpers);

	ret = drm_simple_encoder_init(drm, &kms->encoder, DRM_MODE_ENCODER_VIRTUAL);
	if (ret)
		return ret;
	kms->encoder.possible_crtcs = drm_crtc_mask(&kms->crtc);

	ret = drm_connector_init(drm, &kms->connector, &connector_funcs,
				 DRM_MODE_CONNECTOR_VIRTUAL);
	if (ret)
		return ret;
	drm_connector_helper_add(&kms->connector, &connector_helpers);
	drm_connector_attach_edid_property(&kms->connector);
	ret = drm_connector_attach_encoder(&kms->connector, &kms->encoder);
	if (ret)
		return ret;

	/* So exactly is the time of a vertical blank known that nothing need stay on. */
	drm->vblank_disable_immediate = true;
	ret = drm_vblank_init(drm, 1);
	if (ret)
		return ret;
	drm_mode_config_reset(drm);
	return 0;
}

#define CAPS_NEEDED	(CAPS_MODES | CAPS_VSYNC | CAPS_RING)

int protopciem_kms_create(struct protopciem_card *card)
{
	const u32 caps = card_read(card, REG_CAPS);
	struct protopciem_kms *kms;
	int ret;

	if ((caps & CAPS_NEEDED) != CAPS_NEEDED) {
		dev_info(&card->pdev->dev, "no display: the card lacks modes, a ring or vertical blanks\n");
		return 0;
	}
	kms = devm_drm_dev_alloc(&card->pdev->dev, &kms_driver, struct protopciem_kms, drm);
	if (IS_ERR(kms))
		return PTR_ERR(kms);
	kref_get(&card->ref);
	ret = drmm_add_action_or_reset(&kms->drm, put_card, card);
	if (ret)
		return ret;
	kms->card = card;
	init_waitqueue_head(&kms->reached);
	INIT_DELAYED_WORK(&kms->watchdog, watchdog);
	if (caps & CAPS_EDID)
		for (unsigned int i = 0; i < ARRAY_SIZE(kms->edid); i++)
			kms->edid[i] = cpu_to_le32(card_read(card, REG_EDID + i * 4));
	ret = memory_alloc(kms, card_read(card, REG_MAX_SIZE));
	if (!ret)
		ret = pipeline_create(kms, caps);
	if (ret) {
		memory_free(kms);
		return ret;
	}
	mutex_lock(&card->lock);
	card->kms = kms;
	protopciem_kms_restore(card);
	mutex_unlock(&card->lock);
	return 0;
}

int protopciem_kms_register(struct protopciem_card *card)
{
	struct drm_device *drm = &card->kms->drm;
	int ret;

	pci_set_drvdata(card->pdev, card);
	ret = drm_dev_register(drm, 0);
	if (ret)
		return ret;
#ifdef PROTOPCIEM_FBDEV_CLIENT
	drm_client_setup(drm, NULL);
#elif defined(PROTOPCIEM_FBDEV_GENERIC) || defined(PROTOPCIEM_FBDEV_GENERIC_HEADER)
	drm_fbdev_generic_setup(drm, 32);
#else
	drm_fbdev_shmem_setup(drm, 32);
#endif
	return 0;
}

/* The card is gone, or is to be left alone. */
void protopciem_kms_unplug(struct protopciem_card *card)
{
	struct protopciem_kms *kms = card->kms;
	struct drm_device *drm;

	if (!kms)
		return;
	drm = &kms->drm;
	WRITE_ONCE(card->gone, true);
	drm_dev_unplug(drm);
	wake_up(&kms->reached);
	cancel_delayed_work_sync(&kms->watchdog);
	/* What waits for the card, or for a vertical blank, is over. */
	drm_crtc_vblank_off(&kms->crtc);
	spin_lock_irq(&drm->event_lock);
	event_send(kms);
	spin_unlock_irq(&drm->event_lock);
	drm_atomic_helper_shutdown(drm);
	/* A card that is still there may be reading. */
	if (!card->stuck)
		wait_event_timeout(kms->reached,
				   fence_reached(kms) || card_absent(card_read(card, REG_STATUS)),
				   msecs_to_jiffies(protopciem_timeout_ms));
	/* The interrupt handler looks at the fence. */
	disable_irq(card->irq);
	card->kms = NULL;
	memory_free(kms);
	enable_irq(card->irq);
}

int protopciem_kms_sleep(struct protopciem_card *card)
{
	return drm_mode_config_helper_suspend(&card->kms->drm);
}

void protopciem_kms_wake(struct protopciem_card *card)
{
	drm_mode_config_helper_resume(&card->kms->drm);
}

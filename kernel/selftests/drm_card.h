/* SPDX-License-Identifier: GPL-2.0-only */
/* A display of the driver, by DRM's ioctls. */
#ifndef DRM_CARD_H
#define DRM_CARD_H

#include <drm.h>
#include <drm_fourcc.h>
#include <drm_mode.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_MODES 64

struct drm_card {
	int fd;
	uint32_t connector, crtc;
	struct drm_mode_modeinfo modes[MAX_MODES];
	unsigned int mode_count;
};

struct drm_buffer {
	uint32_t handle, fb, width, height, pitch, bpp;
	size_t size;
	uint8_t *pixels;
};

/* -1 and errno where that does not work */
int drm_card_open(struct drm_card *card);
void drm_card_close(struct drm_card *card);
/* NULL without such a mode */
const struct drm_mode_modeinfo *drm_card_mode(struct drm_card *card, unsigned int width,
					      unsigned int height);
int drm_buffer_make(struct drm_card *card, struct drm_buffer *buffer, unsigned int width,
		    unsigned int height, uint32_t format);
void drm_buffer_free(struct drm_card *card, struct drm_buffer *buffer);
int drm_card_show(struct drm_card *card, const struct drm_buffer *buffer,
		  const struct drm_mode_modeinfo *mode);
/* Waits for the event; its vertical blank, or -1 and errno */
long drm_card_flip(struct drm_card *card, const struct drm_buffer *buffer, uint32_t flags);
int drm_card_dirty(struct drm_card *card, const struct drm_buffer *buffer,
		   const struct drm_clip_rect *clips, unsigned int count);

/* The pattern that e2e/guest/suites/protopciem.ts knows too */
void pattern_pixel(unsigned int x, unsigned int y, unsigned int seed, uint8_t rgb[3]);
void drm_buffer_pattern(struct drm_buffer *buffer, uint32_t format, unsigned int seed);

#endif /* DRM_CARD_H */

// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "drm_card.h"

static int card_node(void)
{
	char path[64], name[32];

	for (int i = 0; i < 8; i++) {
		struct drm_version version = { .name = name, .name_len = sizeof(name) };
		int fd;

		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!ioctl(fd, DRM_IOCTL_VERSION, &version) && version.name_len == 10 &&
		    !memcmp(name, "protopciem", 10))
			return fd;
		close(fd);
	}
	errno = ENODEV;
	return -1;
}

int drm_card_open(struct drm_card *card)
{
	struct drm_mode_card_res resources = { 0 };
	struct drm_mode_get_connector connector = { 0 };

	memset(card, 0, sizeof(*card));
	card->fd = card_node();
	if (card->fd < 0)
		return -1;
	if (ioctl(card->fd, DRM_IOCTL_MODE_GETRESOURCES, &resources) ||
	    resources.count_connectors != 1 || resources.count_crtcs != 1)
		goto bad;
	resources.count_fbs = 0;
	resources.count_encoders = 0;
	resources.connector_id_ptr = (uintptr_t)&card->connector;
	resources.crtc_id_ptr = (uintptr_t)&card->crtc;
	if (ioctl(card->fd, DRM_IOCTL_MODE_GETRESOURCES, &resources))
		goto bad;
	connector.connector_id = card->connector;
	if (ioctl(card->fd, DRM_IOCTL_MODE_GETCONNECTOR, &connector))
		goto bad;
	connector.count_props = 0;
	connector.count_encoders = 0;
	if (connector.count_modes > MAX_MODES)
		connector.count_modes = MAX_MODES;
	connector.modes_ptr = (uintptr_t)card->modes;
	if (ioctl(card->fd, DRM_IOCTL_MODE_GETCONNECTOR, &connector))
		goto bad;
	card->mode_count = connector.count_modes;
	return 0;
bad:
	drm_card_close(card);
	return -1;
}

void drm_card_close(struct drm_card *card)
{
	int error = errno;

	close(card->fd);
	card->fd = -1;
	errno = error;
}

const struct drm_mode_modeinfo *drm_card_mode(struct drm_card *card, unsigned int width,
					      unsigned int height)
{
	for (unsigned int i = 0; i < card->mode_count; i++)
		if (card->modes[i].hdisplay == width && card->modes[i].vdisplay == height)
			return &card->modes[i];
	return NULL;
}

static unsigned int format_bpp(uint32_t format)
{
	return format == DRM_FORMAT_RGB565 ? 16 : format == DRM_FORMAT_BGR888 ? 24 : 32;
}

int drm_buffer_make(struct drm_card *card, struct drm_buffer *buffer, unsigned int width,
		    unsigned int height, uint32_t format)
{
	struct drm_mode_create_dumb create = {
		.width = width, .height = height, .bpp = format_bpp(format),
	};
	struct drm_mode_fb_cmd2 add = { .width = width, .height = height, .pixel_format = format };
	struct drm_mode_map_dumb map = { 0 };

	memset(buffer, 0, sizeof(*buffer));
	if (ioctl(card->fd, DRM_IOCTL_MODE_CREATE_DUMB, &create))
		return -1;
	buffer->handle = create.handle;
	buffer->width = width;
	buffer->height = height;
	buffer->pitch = create.pitch;
	buffer->bpp = create.bpp;
	buffer->size = create.size;
	add.handles[0] = create.handle;
	add.pitches[0] = create.pitch;
	map.handle = create.handle;
	if (ioctl(card->fd, DRM_IOCTL_MODE_ADDFB2, &add))
		return -1;
	buffer->fb = add.fb_id;
	if (ioctl(card->fd, DRM_IOCTL_MODE_MAP_DUMB, &map))
		return -1;
	buffer->pixels = mmap(NULL, buffer->size, PROT_READ | PROT_WRITE, MAP_SHARED, card->fd,
			      map.offset);
	return buffer->pixels == MAP_FAILED ? -1 : 0;
}

void drm_buffer_free(struct drm_card *card, struct drm_buffer *buffer)
{
	struct drm_mode_destroy_dumb destroy = { .handle = buffer->handle };

	ioctl(card->fd, DRM_IOCTL_MODE_RMFB, &buffer->fb);
	munmap(buffer->pixels, buffer->size);
	ioctl(card->fd, DRM_IOCTL_MODE_DESTROY_DUMB, &destroy);
}

int drm_card_show(struct drm_card *card, const struct drm_buffer *buffer,
		  const struct drm_mode_modeinfo *mode)
{
	struct drm_mode_crtc crtc = {
		.crtc_id = card->crtc, .fb_id = buffer->fb, .count_connectors = 1,
		.set_connectors_ptr = (uintptr_t)&card->connector, .mode_valid = 1, .mode = *mode,
	};

	return ioctl(card->fd, DRM_IOCTL_MODE_SETCRTC, &crtc);
}

long drm_card_flip(struct drm_card *card, const struct drm_buffer *buffer, uint32_t flags)
{
	struct drm_mode_crtc_page_flip flip = {
		.crtc_id = card->crtc, .fb_id = buffer->fb, .user_data = buffer->fb,
		.flags = flags | DRM_MODE_PAGE_FLIP_EVENT,
	};
	struct pollfd ready = { .fd = card->fd, .events = POLLIN };
	struct drm_event_vblank event;

	if (ioctl(card->fd, DRM_IOCTL_MODE_PAGE_FLIP, &flip))
		return -1;
	if (poll(&ready, 1, 20000) != 1) {
		errno = ETIME;
		return -1;
	}
	if (read(card->fd, &event, sizeof(event)) != sizeof(event))
		return -1;
	if (event.base.type != DRM_EVENT_FLIP_COMPLETE || event.user_data != buffer->fb) {
		errno = EPROTO;
		return -1;
	}
	return event.sequence;
}

int drm_card_dirty(struct drm_card *card, const struct drm_buffer *buffer,
		   const struct drm_clip_rect *clips, unsigned int count)
{
	struct drm_mode_fb_dirty_cmd dirty = {
		.fb_id = buffer->fb, .num_clips = count, .clips_ptr = (uintptr_t)clips,
	};

	return ioctl(card->fd, DRM_IOCTL_MODE_DIRTYFB, &dirty);
}

void pattern_pixel(unsigned int x, unsigned int y, unsigned int seed, uint8_t rgb[3])
{
	rgb[0] = x + seed;
	rgb[1] = y + 3 * seed;
	rgb[2] = (x >> 3) ^ (y >> 2);
}

void drm_buffer_pattern(struct drm_buffer *buffer, uint32_t format, unsigned int seed)
{
	for (unsigned int y = 0; y < buffer->height; y++) {
		uint8_t *row = buffer->pixels + (size_t)y * buffer->pitch;

		for (unsigned int x = 0; x < buffer->width; x++) {
			uint8_t c[3];

			pattern_pixel(x, y, seed, c);
			if (format == DRM_FORMAT_RGB565)
				((uint16_t *)row)[x] = (c[0] >> 3) << 11 | (c[1] >> 2) << 5 | c[2] >> 3;
			else if (format == DRM_FORMAT_BGR888)
				memcpy(row + x * 3, c, 3);
			else
				((uint32_t *)row)[x] = c[0] << 16 | c[1] << 8 | c[2];
		}
	}
}

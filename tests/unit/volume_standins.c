// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * volume_standins.c: see volume_standins.h.
 */
#include <errno.h>
#include "volume_standins.h"
#include "../../libfuseblk/device.h"
#include "../../libfuseblk/interrupt.h"
#include "../../libfuseblk/node.h"
#include "../../libfuseblk/volume.h"
#include "../../libfuseblk/worker.h"

_Atomic unsigned standin_damage;
_Atomic bool standin_interrupted;

uint64_t fuseblk_ino(const struct fuseblk_node *node)
{
	return node->ino;
}

void *fuseblk_node_data(struct fuseblk_node *node)
{
	return node->data;
}

void *fuseblk_private(const struct fuseblk_volume *vol)
{
	return vol->priv;
}

int fuseblk_device_write(struct fuseblk_volume *vol, const void *buf, size_t len, uint64_t off)
{
	fb_cache_data_written(vol->cache);
	return fb_device_write(vol->device, buf, len, off);
}

int fuseblk_device_zero(struct fuseblk_volume *vol, uint64_t off, uint64_t len)
{
	fb_cache_data_written(vol->cache);
	return fb_device_zero(vol->device, off, len);
}

int fuseblk_corrupt(struct fuseblk_volume *vol, uint64_t ino, const char *format, ...)
{
	(void)vol;
	(void)ino;
	(void)format;
	standin_damage++;
	return -EUCLEAN;
}

void fb_block_begin(void)
{
}

void fb_block_end(void)
{
}

void fb_stuck_begin(void)
{
}

int fb_stuck_end(void)
{
	return 0;
}

bool fb_interrupted(void)
{
	return standin_interrupted;
}

int fb_cond_wait_interruptible(pthread_cond_t *cond, pthread_mutex_t *lock)
{
	return pthread_cond_wait(cond, lock);
}

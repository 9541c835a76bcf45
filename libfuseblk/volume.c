// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * volume.c: the life of a volume: new, start, remount, stop, close, free.
 *
 * A volume is opened and checked without a single write.  start marks it in
 * use, stop marks it clean; between them, and only there, ->read_only may be
 * false.  Every step can be left out or repeated: close and free take a
 * volume in any state.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "device.h"
#include "node_table.h"
#include "options.h"
#include "start.h"
#include "volume.h"

#define COMMIT_MS_SYNCFS	5000u	/* the kernel tells of sync(2) */
#define COMMIT_MS_ALONE		200u	/* it does not */

/* ---- what the cache calls ------------------------------------------- */

static int pre_commit(void *ctx)
{
	struct fuseblk_volume *vol = ctx;

	if (fb_volume_owes_mark(vol) && !atomic_exchange(&vol->error_marked, true) &&
	    vol->ops->mark_error)
		vol->ops->mark_error(vol);
	return vol->ops->commit ? vol->ops->commit(vol) : 0;
}

static void durable(void *ctx, uint64_t epoch)
{
	struct fuseblk_volume *vol = ctx;

	if (vol->ops->durable)
		vol->ops->durable(vol, epoch);
}

static void commit_failed(void *ctx, int error)
{
	struct fuseblk_volume *vol = ctx;
	int none = 0;

	if (!atomic_compare_exchange_strong(&vol->error, &none, error))
		return;
	atomic_store(&vol->shut_down, true);
	fuseblk_log(vol, FUSEBLK_ERROR, "writing to the device failed: %s; nothing more is written, "
		    "unmount it and run fsck", strerror(-error));
}

/* ---- for drivers ---------------------------------------------------- */

int fuseblk_set_block_size(struct fuseblk_volume *vol, uint32_t size)
{
	struct fb_cache_hooks hooks = {
		.pre_commit = pre_commit, .durable = durable, .failed = commit_failed,
		.ctx = vol, .vol = vol,
	};

	if (vol->cache || size < 512 || size > 65536 || (size & (size - 1)))
		return -EINVAL;
	return fb_cache_new(vol->device, size, &hooks, &vol->cache);
}

void fuseblk_set_private(struct fuseblk_volume *vol, void *priv)
{
	vol->priv = priv;
}

void *fuseblk_private(const struct fuseblk_volume *vol)
{
	return vol->priv;
}

bool fuseblk_is_read_only(const struct fuseblk_volume *vol)
{
	return atomic_load(&vol->read_only) || atomic_load(&vol->shut_down);
}

uint64_t fuseblk_device_size(const struct fuseblk_volume *vol)
{
	return vol->device->size;
}

uint32_t fuseblk_sector_size(const struct fuseblk_volume *vol)
{
	return vol->device->sector;
}

static bool is_inside(const struct fuseblk_volume *vol, uint64_t off, uint64_t len)
{
	return off <= vol->device->size && len <= vol->device->size - off;
}

int fuseblk_device_read(struct fuseblk_volume *vol, void *buf, size_t len, uint64_t off)
{
	return is_inside(vol, off, len) ? fb_device_read(vol->device, buf, len, off) : -EIO;
}

int fuseblk_device_write(struct fuseblk_volume *vol, const void *buf, size_t len, uint64_t off)
{
	int err;

	if (!is_inside(vol, off, len))
		return -EIO;
	err = fb_device_write(vol->device, buf, len, off);
	if (vol->cache)
		fb_cache_data_written(vol->cache);
	return err;
}

int fuseblk_device_zero(struct fuseblk_volume *vol, uint64_t off, uint64_t len)
{
	int err;

	if (!is_inside(vol, off, len))
		return -EIO;
	err = fb_device_zero(vol->device, off, len);
	if (vol->cache)
		fb_cache_data_written(vol->cache);
	return err;
}

int fuseblk_device_discard(struct fuseblk_volume *vol, uint64_t off, uint64_t len)
{
	return is_inside(vol, off, len) ? fb_device_discard(vol->device, off, len) : -EIO;
}

bool fuseblk_can_discard(const struct fuseblk_volume *vol)
{
	return vol->device->can_discard;
}

void fuseblk_set_discard(struct fuseblk_volume *vol, bool on)
{
	vol->discard = on;
}

void fuseblk_freed(struct fuseblk_volume *vol, uint64_t off, uint64_t len)
{
	if (vol->discard && vol->device->can_discard)
		fb_cache_freed(vol->cache, off, len);
}

void fuseblk_refuse(struct fuseblk_volume *vol, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(vol->refusal, sizeof(vol->refusal), format, args);
	va_end(args);
	fuseblk_log(vol, FUSEBLK_DEBUG, "%s", vol->refusal);
}

/* ---- new ------------------------------------------------------------ */

static int parse_options(struct fuseblk_volume *vol, const char *text, char *error, size_t size)
{
	const struct fuseblk_driver *driver = vol->driver;
	int err = fb_options_split(text ? text : "", &vol->options, error, size);

	if (err)
		return err;
	vol->driver_options = calloc(1, driver->options_size ? driver->options_size : 1);
	if (!vol->driver_options)
		return -ENOMEM;
	if (driver->options_init)
		driver->options_init(vol->driver_options);
	if (vol->options.sloppy)
		fb_options_keep_known(driver->options, vol->options.driver_options);
	return fuseblk_options_parse(driver->options, vol->options.driver_options,
				     vol->driver_options, error, size);
}

/* What ->open said must make sense before anything relies on it. */
static int check_info(struct fuseblk_volume *vol)
{
	struct fuseblk_volume_info *info = &vol->info;

	if (!vol->cache && fuseblk_set_block_size(vol, info->block_size))
		return -EINVAL;
	if (!info->root_ino || !S_ISDIR(info->root_mode) || !info->name_max ||
	    !info->max_file_size)
		return -EINVAL;
	if (info->max_file_size > INT64_MAX)
		info->max_file_size = INT64_MAX;
	if (info->time_granularity < 1 || info->time_granularity > 1000000000)
		info->time_granularity = 1;
	info->label[sizeof(info->label) - 1] = '\0';
	info->uuid[sizeof(info->uuid) - 1] = '\0';
	info->read_only_reason[sizeof(info->read_only_reason) - 1] = '\0';
	if (info->read_only)
		atomic_store(&vol->read_only, true);
	return 0;
}

/* A volume whose root cannot be used is refused, not mounted dead. */
static int check_root(struct fuseblk_volume *vol)
{
	struct fuseblk_node *root;
	struct fuseblk_attr attr;
	int err = fb_node_get(vol, vol->info.root_ino, &root);

	if (!err) {
		err = vol->ops->getattr(vol, root, &attr);
		if (!err && !S_ISDIR(attr.mode))
			err = -EUCLEAN;
		fb_node_put(root);
	}
	if (err && !vol->refusal[0])
		fuseblk_refuse(vol, "the root directory cannot be used (%s); run fsck",
			       strerror(-err));
	return err == -ESTALE ? -EUCLEAN : err;
}

static int open_volume(struct fuseblk_volume *vol)
{
	int err = vol->ops->open(vol, vol->driver_options, &vol->info);

	if (err)
		return err;
	vol->opened = true;
	err = check_info(vol);
	if (err) {
		if (!vol->refusal[0])
			fuseblk_refuse(vol, "the driver described the volume wrongly");
		return err;
	}
	return check_root(vol);
}

static const char *reason(int err)
{
	switch (err) {
	case -EUCLEAN:
		return "the volume is damaged; run fsck";
	case -EIO:
		return "it cannot be read; look at the kernel's log";
	default:
		return strerror(-err);
	}
}

static int fail_open(struct fuseblk_volume *vol, int err, char *error, size_t error_size)
{
	if (!error[0])
		snprintf(error, error_size, "%s", vol->refusal[0] ? vol->refusal : reason(err));
	fb_volume_free(vol);
	return err;
}

static int prepare(struct fuseblk_volume *vol, const char *options, char *error, size_t error_size)
{
	int err = parse_options(vol, options, error, error_size);

	fb_volume_set_interval(vol, true);
	if (!err && vol->driver->prepare)
		err = vol->driver->prepare(vol->driver_options, error, error_size);
	return err == -EINVAL ? -FB_BAD_OPTIONS : err;
}

int fb_volume_prepare(const struct fuseblk_driver *driver, struct fb_device *device,
		      const char *source, const char *options,
		      struct fuseblk_volume **out, char *error, size_t error_size)
{
	struct fuseblk_volume *vol = calloc(1, sizeof(*vol));
	int err;

	error[0] = '\0';
	if (!vol) {
		fb_device_close(device);
		snprintf(error, error_size, "out of memory");
		return -ENOMEM;
	}
	vol->driver = driver;
	fb_operations_fill(driver->ops, &vol->filled);
	vol->ops = &vol->filled;
	vol->device = device;
	vol->errors = FUSEBLK_ERRORS_REMOUNT_RO;
	snprintf(vol->source, sizeof(vol->source), "%s", source);
	pthread_mutex_init(&vol->state_lock, NULL);
	err = fb_node_table_new(vol, &vol->nodes);
	if (!err)
		err = prepare(vol, options, error, error_size);
	if (err)
		return fail_open(vol, err, error, error_size);
	*out = vol;
	return 0;
}

int fb_volume_open(struct fuseblk_volume *vol, char *error, size_t error_size)
{
	int err;

	error[0] = '\0';
	atomic_store(&vol->read_only, vol->options.read_only || vol->device->read_only);
	err = open_volume(vol);
	return err ? fail_open(vol, err, error, error_size) : 0;
}

int fb_volume_new(const struct fuseblk_driver *driver, struct fb_device *device,
		  const char *source, const char *options,
		  struct fuseblk_volume **out, char *error, size_t error_size)
{
	struct fuseblk_volume *vol;
	int err = fb_volume_prepare(driver, device, source, options, &vol, error, error_size);

	if (!err)
		err = fb_volume_open(vol, error, error_size);
	if (!err)
		*out = vol;
	return err;
}

/* ---- start and stop ------------------------------------------------- */

/* Run @step in changes of its own, committing where it asks for that; then commit. */
static int run_committed(struct fuseblk_volume *vol, int (*step)(struct fuseblk_volume *vol))
{
	int err = 0;

	for (int i = 0; step && i < 3; i++) {
		err = fb_change_begin(vol->cache);
		if (err)
			return err;
		err = step(vol);
		fb_change_end(vol->cache);
		if (err != -FUSEBLK_EAGAIN_COMMIT)
			break;
		err = fb_commit(vol->cache);
		if (err)
			return err;
		err = -ENOSPC;
	}
	return err ? err : fb_commit(vol->cache);
}

/* The first change of a mount is near: what ->start marks is on the device before it. */
static int start_now(struct fuseblk_volume *vol)
{
	int err = 0;

	pthread_mutex_lock(&vol->state_lock);
	if (atomic_load(&vol->read_only))
		err = -EROFS;
	else if (atomic_load(&vol->start_due))
		err = run_committed(vol, vol->ops->start);
	if (!err)
		atomic_store(&vol->start_due, false);
	pthread_mutex_unlock(&vol->state_lock);
	return err;
}

int fb_volume_change_begin(struct fuseblk_volume *vol)
{
	int err;

	if (atomic_load(&vol->shut_down))
		return -EIO;
	if (atomic_load(&vol->read_only))
		return -EROFS;
	err = atomic_load(&vol->start_due) ? start_now(vol) : 0;
	if (!err)
		err = fb_change_begin(vol->cache);
	if (err)
		return err;
	/* Whoever makes the volume read-only waits for changes that got past this. */
	if (!atomic_load(&vol->read_only))
		return 0;
	fb_change_end(vol->cache);
	return -EROFS;
}

void fb_volume_change_end(struct fuseblk_volume *vol)
{
	fb_change_end(vol->cache);
}

void fb_volume_set_interval(struct fuseblk_volume *vol, bool syncfs)
{
	unsigned ms = COMMIT_MS_ALONE;

	if (vol->options.commit_seconds)
		ms = (unsigned)vol->options.commit_seconds * 1000u;
	else if (syncfs)
		ms = COMMIT_MS_SYNCFS;
	vol->commit_ms = ms;
	if (vol->started)
		fb_committer_set_interval(vol->cache, ms);
}

static int start_locked(struct fuseblk_volume *vol)
{
	int err;

	if (vol->started || atomic_load(&vol->read_only))
		return 0;
	if (vol->device->read_only)
		return -EROFS;
	err = fb_committer_start(vol->cache, vol->commit_ms);
	if (err)
		return err;
	if (vol->info.lazy_start)
		atomic_store(&vol->start_due, true);
	else
		err = run_committed(vol, vol->ops->start);
	if (err) {
		atomic_store(&vol->read_only, true);
		fb_committer_stop(vol->cache);
		return err;
	}
	vol->started = true;
	return 0;
}

int fb_volume_start(struct fuseblk_volume *vol)
{
	int err;

	pthread_mutex_lock(&vol->state_lock);
	err = start_locked(vol);
	pthread_mutex_unlock(&vol->state_lock);
	return err;
}

/* Damage that was met is for fsck to see: then the volume is not marked clean. */
static int stop_locked(struct fuseblk_volume *vol)
{
	int err;

	if (!vol->started) {
		atomic_store(&vol->read_only, true);
		return 0;
	}
	atomic_store(&vol->read_only, true);
	fb_volume_mark_error(vol);
	err = fb_commit(vol->cache);
	if (!err && !atomic_load(&vol->corrupted) && !atomic_load(&vol->start_due))
		err = run_committed(vol, vol->ops->stop);
	atomic_store(&vol->start_due, false);
	vol->started = false;
	fb_committer_stop(vol->cache);
	return atomic_load(&vol->error) ? atomic_load(&vol->error) : err;
}

int fb_volume_stop(struct fuseblk_volume *vol)
{
	int err;

	pthread_mutex_lock(&vol->state_lock);
	err = stop_locked(vol);
	pthread_mutex_unlock(&vol->state_lock);
	return err;
}

/* ---- remount -------------------------------------------------------- */

int fb_volume_remount_ro(struct fuseblk_volume *vol, char *error, size_t error_size)
{
	int err = fb_volume_stop(vol);

	if (err)
		snprintf(error, error_size, "%s: cannot be made clean: %s", vol->source,
			 strerror(-err));
	else
		fuseblk_log(vol, FUSEBLK_INFO, "read-only");
	return err;
}

static int may_become_writable(struct fuseblk_volume *vol, char *error, size_t size)
{
	if (vol->info.read_only) {
		snprintf(error, size, "%s: stays read-only: %s", vol->source,
			 vol->info.read_only_reason[0] ? vol->info.read_only_reason :
			 "its format cannot be written");
		return -EROFS;
	}
	if (atomic_load(&vol->corrupted) || atomic_load(&vol->shut_down)) {
		snprintf(error, size, "%s: stays read-only: it is damaged or failed; "
			 "unmount it and run fsck", vol->source);
		return -EROFS;
	}
	return 0;
}

static int make_writable(struct fuseblk_volume *vol, int fd, char *error, size_t size)
{
	int err = fb_device_make_writable(vol->device, fd);

	if (!err) {
		atomic_store(&vol->read_only, false);
		err = start_locked(vol);
	}
	if (err)
		snprintf(error, size, "%s: cannot be made writable: %s", vol->source,
			 strerror(-err));
	else
		fuseblk_log(vol, FUSEBLK_INFO, "read-write");
	return err;
}

int fb_volume_remount_rw(struct fuseblk_volume *vol, int fd, char *error, size_t error_size)
{
	int err;

	pthread_mutex_lock(&vol->state_lock);
	if (!atomic_load(&vol->read_only)) {
		close(fd);
		err = 0;
	} else {
		err = may_become_writable(vol, error, error_size);
		if (err)
			close(fd);
		else
			err = make_writable(vol, fd, error, error_size);
	}
	pthread_mutex_unlock(&vol->state_lock);
	return err;
}

/* ---- the end -------------------------------------------------------- */

int fb_volume_close(struct fuseblk_volume *vol)
{
	int err = 0;

	if (vol->started)
		fb_node_forget_all(vol);
	if (vol->cache)
		err = fb_volume_stop(vol);
	fb_node_table_free(vol->nodes);
	vol->nodes = NULL;
	if (vol->opened && vol->ops->close)
		vol->ops->close(vol);
	vol->opened = false;
	if (vol->cache)
		fb_cache_free(vol->cache);
	vol->cache = NULL;
	fb_device_close(vol->device);
	vol->device = NULL;
	return err;
}

void fb_volume_free(struct fuseblk_volume *vol)
{
	if (!vol)
		return;
	fb_volume_close(vol);
	fb_options_free(vol->driver->options, vol->driver_options);
	free(vol->options.driver_options);
	pthread_mutex_destroy(&vol->state_lock);
	free(vol);
}

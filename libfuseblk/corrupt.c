// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * corrupt.c: what happens when a driver meets damage, and errors=.
 *
 * fuseblk_corrupt() may be called under any lock: it only logs and sets
 * flags.  ->mark_error runs later in a change of its own: after the reply of
 * the request that met the damage, in the next commit, or at the end,
 * whichever comes first; never on a volume that was not written to anyway.
 */
#include <errno.h>
#include <stdio.h>
#include "log.h"
#include "volume.h"

void fuseblk_set_errors(struct fuseblk_volume *vol, enum fuseblk_errors policy)
{
	vol->errors = policy;
}

static uint64_t hash_text(const char *text, uint64_t seed)
{
	uint64_t h = 0xcbf29ce484222325u ^ seed;

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 0x100000001b3u;
	return h ? h : 1;
}

/* Has this been said already? Two threads that meet the same may both say it. */
static bool is_known(struct fuseblk_volume *vol, uint64_t hash)
{
	for (unsigned i = 0; i < FB_DAMAGE_MESSAGES; i++)
		if (atomic_load(&vol->corruption_said[i]) == hash)
			return true;
	return false;
}

static void log_damage(struct fuseblk_volume *vol, uint64_t ino, const char *format, va_list args)
{
	char text[400];
	uint64_t hash;
	unsigned n;

	if (atomic_load(&vol->corruption_logged) > FB_DAMAGE_MESSAGES)
		return;
	vsnprintf(text, sizeof(text), format, args);
	hash = hash_text(text, ino);
	if (is_known(vol, hash))
		return;
	n = atomic_fetch_add(&vol->corruption_logged, 1);
	if (n >= FB_DAMAGE_MESSAGES) {
		if (n == FB_DAMAGE_MESSAGES)
			fuseblk_log(vol, FUSEBLK_ERROR, "more damage was met; unmount and run fsck");
		return;
	}
	atomic_store(&vol->corruption_said[n], hash);
	if (ino)
		fuseblk_log(vol, FUSEBLK_ERROR, "damaged: inode %llu: %s; unmount and run fsck",
			    (unsigned long long)ino, text);
	else
		fuseblk_log(vol, FUSEBLK_ERROR, "damaged: %s; unmount and run fsck", text);
}

static void apply_policy(struct fuseblk_volume *vol)
{
	if (vol->errors == FUSEBLK_ERRORS_CONTINUE)
		return;
	if (!atomic_exchange(&vol->read_only, true))
		fuseblk_log(vol, FUSEBLK_ERROR, "read-only from now on, as errors= says");
	if (vol->errors == FUSEBLK_ERRORS_PANIC)
		atomic_store(&vol->panicked, true);
}

int fuseblk_corrupt(struct fuseblk_volume *vol, uint64_t ino, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_damage(vol, ino, format, args);
	va_end(args);
	atomic_store(&vol->corrupted, true);
	apply_policy(vol);
	return -EUCLEAN;
}

bool fb_volume_owes_mark(struct fuseblk_volume *vol)
{
	return atomic_load_explicit(&vol->corrupted, memory_order_relaxed) &&
	       !atomic_load(&vol->error_marked) && vol->started && !atomic_load(&vol->shut_down);
}

void fb_volume_mark_error(struct fuseblk_volume *vol)
{
	if (!fb_volume_owes_mark(vol) || fb_change_begin(vol->cache))
		return;
	if (!atomic_exchange(&vol->error_marked, true) && vol->ops->mark_error)
		vol->ops->mark_error(vol);
	fb_change_end(vol->cache);
}

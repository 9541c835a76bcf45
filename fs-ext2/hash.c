/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hash.c: hashes of names.
 *
 * The hash of the format (legacy, half MD4, TEA, with signed or unsigned
 * characters) comes from libext2fs, whose function is pure, so that it needs no lock.
 * Bit 0 is clear, and the two greatest values are kept free as the kernel
 * keeps them (they mark the end of a listing).  The other two are for memory
 * only; their key is drawn once per process, so that no image can be made for
 * which they collide.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include "dir.h"
#include <ext2fs/ext2_fs.h>	/* after ours: it defines macros of common names */
#include <ext2fs/ext2fs.h>

#define HASH_VERSIONS 6		/* three, signed and unsigned */
#define HASH_END 0xfffffffeu	/* the kernel's end of directory, shifted */

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static uint32_t key[8];

static void make_key(void)
{
	struct timespec now;

	if (getrandom(key, sizeof(key), GRND_NONBLOCK) == (ssize_t)sizeof(key))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	key[0] = (uint32_t)now.tv_nsec | 1;
	key[4] = (uint32_t)now.tv_sec | 1;
}

bool e2_hash_is_known(unsigned version)
{
	return version < HASH_VERSIONS;
}

int e2_name_hash(const struct e2_super *sb, unsigned version, const char *name, size_t len,
		 uint32_t *hash)
{
	ext2_dirhash_t major, minor;

	if (!e2_hash_is_known(version) || len > E2_NAME_MAX)
		return -EINVAL;
	if (ext2fs_dirhash((int)version, name, (int)len, sb->hash_seed, &major, &minor))
		return -EINVAL;
	major &= ~1u;
	*hash = major == HASH_END ? HASH_END - 2 : major;
	return 0;
}

static uint32_t keyed(const uint32_t seed[4], const char *name, size_t len)
{
	ext2_dirhash_t major = 0, minor = 0;

	ext2fs_dirhash(EXT2_HASH_HALF_MD4_UNSIGNED, name, (int)len, seed, &major, &minor);
	return minor;
}

uint32_t e2_name_order(const char *name, size_t len)
{
	pthread_once(&key_once, make_key);
	return keyed(key, name, len);
}

uint32_t e2_name_key(const char *name, size_t len)
{
	pthread_once(&key_once, make_key);
	return keyed(key + 4, name, len);
}

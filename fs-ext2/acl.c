// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * acl.c: POSIX ACLs.  The kernel checks and caches them (FUSE_POSIX_ACL) but
 * leaves four things to the daemon: the form on disk, the mode bits that
 * follow an access ACL, the ACL that follows chmod, and inheritance of a
 * directory's default ACL (the kernel's commit 60bcc88ad185 "fuse: Add posix
 * ACL support" says so).
 *
 * On the disk an entry without an id takes 4 bytes, one with an id 8, behind
 * a version number; on the wire every entry takes 8.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "xattr.h"

#define DISK_VERSION	1u
#define WIRE_VERSION	2u
#define HEADER_SIZE	4u
#define SHORT_SIZE	4u
#define LONG_SIZE	8u
#define NO_ID		0xFFFFFFFFu
#define MAX_ENTRIES	8191u	/* what 64 KiB on the wire hold */

enum { USER_OBJ = 0x01, USER = 0x02, GROUP_OBJ = 0x04, GROUP = 0x08, MASK = 0x10, OTHER = 0x20 };

struct entry {
	uint16_t tag, perm;
	uint32_t id;
};

struct acl {
	unsigned count;
	struct entry *entries;
};

static const struct tag {
	uint16_t tag;
	uint8_t order;		/* entries come in this order */
	bool has_id, many;
} tags[] = {
	{ USER_OBJ, 0, false, false }, { USER, 1, true, true }, { GROUP_OBJ, 2, false, false },
	{ GROUP, 3, true, true }, { MASK, 4, false, false }, { OTHER, 5, false, false },
};

static const struct tag *tag_of(uint16_t tag)
{
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		if (tags[i].tag == tag)
			return &tags[i];
	}
	return NULL;
}

static uint16_t load16(const uint8_t *p)
{
	return e2_get16((e2_le16){ { p[0], p[1] } });
}

static uint32_t load32(const uint8_t *p)
{
	return e2_get32((e2_le32){ { p[0], p[1], p[2], p[3] } });
}

static void save16(uint8_t *p, uint16_t v)
{
	e2_le16 le = e2_put16(v);

	memcpy(p, &le, sizeof(le));
}

static void save32(uint8_t *p, uint32_t v)
{
	e2_le32 le = e2_put32(v);

	memcpy(p, &le, sizeof(le));
}

static void acl_fini(struct acl *acl)
{
	free(acl->entries);
	acl->entries = NULL;
}

/* One of each of the three plain entries, a mask where there are named ones, all in order. */
static bool is_valid(const struct acl *acl)
{
	unsigned seen = 0;
	int order = -1;

	for (unsigned i = 0; i < acl->count; i++) {
		const struct entry *e = &acl->entries[i];
		const struct tag *tag = tag_of(e->tag);

		if (!tag || e->perm > 7 || (tag->has_id && e->id == NO_ID))
			return false;
		if (tag->order < order || (tag->order == order && !tag->many))
			return false;
		order = tag->order;
		seen |= e->tag;
	}
	if ((seen & (USER_OBJ | GROUP_OBJ | OTHER)) != (USER_OBJ | GROUP_OBJ | OTHER))
		return false;
	return seen & MASK || !(seen & (USER | GROUP));
}

/* Read an entry of the form; returns the bytes it takes, 0 if it does not fit in @left. */
static size_t read_entry(const uint8_t *p, size_t left, bool wire, struct entry *e)
{
	const struct tag *tag;
	size_t size;

	if (left < SHORT_SIZE)
		return 0;
	*e = (struct entry){ load16(p), load16(p + 2), NO_ID };
	tag = tag_of(e->tag);
	size = wire || (tag && tag->has_id) ? LONG_SIZE : SHORT_SIZE;
	if (left < size)
		return 0;
	if (tag && tag->has_id)
		e->id = load32(p + 4);
	return size;
}

/* @size 0 is no ACL, count 0.  Returns 0, -EINVAL, -ENOMEM; fini always. */
static int parse(const uint8_t *bytes, size_t size, bool wire, struct acl *acl)
{
	size_t off = HEADER_SIZE, used;

	*acl = (struct acl){ 0 };
	if (!size)
		return 0;
	if (size < HEADER_SIZE || load32(bytes) != (wire ? WIRE_VERSION : DISK_VERSION))
		return -EINVAL;
	acl->entries = calloc((size - HEADER_SIZE) / SHORT_SIZE + 1, sizeof(*acl->entries));
	if (!acl->entries)
		return -ENOMEM;
	for (; off < size; off += used) {
		used = read_entry(bytes + off, size - off, wire, &acl->entries[acl->count]);
		if (!used || ++acl->count > MAX_ENTRIES)
			return -EINVAL;
	}
	return acl->count && !is_valid(acl) ? -EINVAL : 0;
}

static size_t formed_size(const struct acl *acl, bool wire)
{
	size_t size = HEADER_SIZE;

	for (unsigned i = 0; i < acl->count; i++)
		size += wire || tag_of(acl->entries[i].tag)->has_id ? LONG_SIZE : SHORT_SIZE;
	return size;
}

static ssize_t form(const struct acl *acl, bool wire, uint8_t *out, size_t size)
{
	size_t need = formed_size(acl, wire);

	if (!size)
		return (ssize_t)need;
	if (need > size)
		return -ERANGE;
	save32(out, wire ? WIRE_VERSION : DISK_VERSION);
	out += HEADER_SIZE;
	for (unsigned i = 0; i < acl->count; i++) {
		const struct entry *e = &acl->entries[i];

		save16(out, e->tag);
		save16(out + 2, e->perm);
		out += SHORT_SIZE;
		if (!wire && !tag_of(e->tag)->has_id)
			continue;
		save32(out, e->id);
		out += LONG_SIZE - SHORT_SIZE;
	}
	return (ssize_t)need;
}

ssize_t e2_acl_to_wire(const uint8_t *disk, size_t disk_size, uint8_t *wire, size_t size)
{
	struct acl acl;
	ssize_t got;

	got = parse(disk, disk_size, false, &acl);
	if (!got)
		got = form(&acl, true, wire, size);
	acl_fini(&acl);
	return got;
}

ssize_t e2_acl_from_wire(const uint8_t *wire, size_t size, uint8_t *disk, size_t disk_size)
{
	struct acl acl;
	ssize_t got;

	got = parse(wire, size, true, &acl);
	if (!got)
		got = form(&acl, false, disk, disk_size);
	acl_fini(&acl);
	return got;
}

/* The inode's ACL.  Returns 0, -ENODATA, -EUCLEAN, ...; fini always. */
static int load_acl(struct e2_inode *ei, uint8_t index, struct acl *acl)
{
	ssize_t size = e2_xattr_get(ei, index, "", 0, NULL, 0);
	uint8_t *bytes;

	*acl = (struct acl){ 0 };
	if (size < 0)
		return (int)size;
	bytes = malloc((size_t)size + 1);
	if (!bytes)
		return -ENOMEM;
	if (size)
		size = e2_xattr_get(ei, index, "", 0, bytes, (size_t)size);
	if (size > 0)
		size = parse(bytes, (size_t)size, false, acl);
	free(bytes);
	if (size == -EINVAL)
		return e2_corrupt(ei->sb, ei->ino, "malformed access control list");
	return size ? (int)size : acl->count ? 0 : -ENODATA;
}

static int store_acl(struct e2_inode *ei, uint8_t index, const struct acl *acl, uint32_t flags)
{
	size_t size = formed_size(acl, false);
	uint8_t *bytes = malloc(size);
	int err;

	if (!bytes)
		return -ENOMEM;
	form(acl, false, bytes, size);
	err = e2_xattr_set(ei, index, "", 0, bytes, size, flags);
	free(bytes);
	return err;
}

static int remove_acl(struct e2_inode *ei, uint8_t index)
{
	int err = e2_xattr_set(ei, index, "", 0, NULL, 0, 0);

	return err == -ENODATA ? 0 : err;
}

ssize_t e2_acl_get(struct e2_inode *ei, uint8_t index, void *value, size_t size)
{
	struct acl acl;
	ssize_t got;

	got = load_acl(ei, index, &acl);
	if (!got)
		got = form(&acl, true, value, size);
	acl_fini(&acl);
	return got;
}

static struct entry *find(const struct acl *acl, uint16_t tag)
{
	for (unsigned i = 0; i < acl->count; i++) {
		if (acl->entries[i].tag == tag)
			return &acl->entries[i];
	}
	return NULL;
}

/* The entry that the group bits of the mode stand for. */
static struct entry *group_class(const struct acl *acl)
{
	struct entry *mask = find(acl, MASK);

	return mask ? mask : find(acl, GROUP_OBJ);
}

/* An ACL of three entries says no more than the mode does. */
static bool is_plain(const struct acl *acl)
{
	return acl->count == 3;
}

static uint16_t mode_of(const struct acl *acl)
{
	return (uint16_t)(find(acl, USER_OBJ)->perm << 6 | group_class(acl)->perm << 3 | find(acl, OTHER)->perm);
}

static int set_access(struct e2_inode *ei, const struct acl *acl, uint32_t flags)
{
	uint16_t mode = (uint16_t)((ei->mode & ~0777u) | mode_of(acl));
	int err;

	if (is_plain(acl))
		err = remove_acl(ei, E2_XATTR_ACL_ACCESS);
	else
		err = store_acl(ei, E2_XATTR_ACL_ACCESS, acl, flags);
	if (!err)
		ei->mode = mode;	/* stored by the caller, with ctime */
	return err;
}

int e2_acl_set(struct e2_inode *ei, uint8_t index, const void *value, size_t size, uint32_t flags)
{
	struct acl acl;
	int err;

	if (S_ISLNK(ei->mode))
		return -EOPNOTSUPP;
	err = parse(value, size, true, &acl);
	if (!err && index == E2_XATTR_ACL_DEFAULT && !S_ISDIR(ei->mode) && acl.count)
		err = -EACCES;
	if (!err && !acl.count)
		err = remove_acl(ei, index);
	else if (!err && index == E2_XATTR_ACL_ACCESS)
		err = set_access(ei, &acl, flags);
	else if (!err)
		err = store_acl(ei, index, &acl, flags);
	acl_fini(&acl);
	return err;
}

int e2_acl_chmod(struct e2_inode *ei)
{
	struct acl acl;
	int err;

	if (!ei->sb->options.acl || S_ISLNK(ei->mode))
		return 0;
	err = load_acl(ei, E2_XATTR_ACL_ACCESS, &acl);
	if (!err) {
		find(&acl, USER_OBJ)->perm = ei->mode >> 6 & 7;
		group_class(&acl)->perm = ei->mode >> 3 & 7;
		find(&acl, OTHER)->perm = ei->mode & 7;
		err = store_acl(ei, E2_XATTR_ACL_ACCESS, &acl, 0);
	}
	acl_fini(&acl);
	return err == -ENODATA ? 0 : err;
}

/* Both the ACL's and the mode's permissions become what the two have in common. */
static void intersect(struct acl *acl, uint16_t *mode)
{
	struct entry *owner = find(acl, USER_OBJ), *group = group_class(acl), *other = find(acl, OTHER);

	owner->perm &= *mode >> 6 & 7;
	group->perm &= *mode >> 3 & 7;
	other->perm &= *mode & 7;
	*mode = (uint16_t)((*mode & ~0777u) | mode_of(acl));
}

static int inherit(struct e2_inode *ei, struct acl *acl)
{
	int err = 0;

	if (S_ISDIR(ei->mode))
		err = store_acl(ei, E2_XATTR_ACL_DEFAULT, acl, 0);
	if (err)
		return err;
	intersect(acl, &ei->mode);
	if (!is_plain(acl))
		err = store_acl(ei, E2_XATTR_ACL_ACCESS, acl, 0);
	return err ? err : e2_store_meta(ei);
}

int e2_acl_inherit(struct e2_inode *dir, struct e2_inode *ei, const struct fuseblk_create *what)
{
	struct acl acl;
	int err;

	if (!ei->sb->options.acl || S_ISLNK(ei->mode))
		return 0;
	err = load_acl(dir, E2_XATTR_ACL_DEFAULT, &acl);
	if (!err) {
		ei->mode |= what->unmasked & 0777;
		err = inherit(ei, &acl);
	}
	acl_fini(&acl);
	return err == -ENODATA ? 0 : err;
}

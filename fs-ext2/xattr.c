// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xattr.c: the extended attribute operations: full names to the index and
 * suffix kept on disk, the namespaces and who sees them, and reading.  Who may
 * set what has been checked by the kernel.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include "xattr.h"

enum { NEEDS_USER_XATTR = 1, NEEDS_ACL = 2, ROOT_LISTS = 4, EXACT = 8 };

static const struct namespace {
	const char *prefix;
	uint8_t index, flags;
} namespaces[] = {
	{ "user.", E2_XATTR_USER, NEEDS_USER_XATTR },
	{ "system.posix_acl_access", E2_XATTR_ACL_ACCESS, NEEDS_ACL | EXACT },
	{ "system.posix_acl_default", E2_XATTR_ACL_DEFAULT, NEEDS_ACL | EXACT },
	{ "trusted.", E2_XATTR_TRUSTED, ROOT_LISTS },
	{ "security.", E2_XATTR_SECURITY, 0 },
};
#define NAMESPACES (sizeof(namespaces) / sizeof(namespaces[0]))

static bool is_enabled(const struct e2_super *sb, const struct namespace *ns)
{
	return (!(ns->flags & NEEDS_USER_XATTR) || sb->options.user_xattr) &&
	       (!(ns->flags & NEEDS_ACL) || sb->options.acl);
}

static bool matches(const struct namespace *ns, const char *name)
{
	size_t len = strlen(ns->prefix);

	return ns->flags & EXACT ? !strcmp(name, ns->prefix) : !strncmp(name, ns->prefix, len);
}

/* A name as it is on disk. */
struct key {
	uint8_t index;
	const char *suffix;
	size_t len;
};

/* The key of a full name.  Returns 0, -EOPNOTSUPP (no such namespace here), -EINVAL, -ERANGE. */
static int split(const struct e2_super *sb, const char *name, struct key *key)
{
	for (size_t i = 0; i < NAMESPACES; i++) {
		const struct namespace *ns = &namespaces[i];

		if (!matches(ns, name))
			continue;
		if (!is_enabled(sb, ns))
			return -EOPNOTSUPP;
		key->suffix = name + strlen(ns->prefix);
		key->len = strlen(key->suffix);
		key->index = ns->index;
		if (!key->len && !(ns->flags & EXACT))
			return -EINVAL;
		return key->len > E2_XATTR_NAME_MAX ? -ERANGE : 0;
	}
	return -EOPNOTSUPP;
}

static const struct namespace *namespace_of(const struct e2_super *sb, uint8_t index)
{
	for (size_t i = 0; i < NAMESPACES; i++) {
		if (namespaces[i].index == index)
			return is_enabled(sb, &namespaces[i]) ? &namespaces[i] : NULL;
	}
	return NULL;
}

static bool is_acl(uint8_t index)
{
	return index == E2_XATTR_ACL_ACCESS || index == E2_XATTR_ACL_DEFAULT;
}

static ssize_t copy_value(struct e2_inode *ei, const struct e2_xattr_item *item, void *value, size_t size)
{
	int err = 0;

	if (!size)
		return item->size;
	if (item->size > size)
		return -ERANGE;
	if (item->inum && item->size)
		err = e2_xattr_inode_read(ei, item, value);
	else if (item->size)
		memcpy(value, item->value, item->size);
	return err ? err : (ssize_t)item->size;
}

static ssize_t get_from_block(struct e2_inode *ei, uint8_t index, const char *name, size_t len, void *value, size_t size)
{
	struct e2_xattr_block bl;
	struct e2_xattr_item item;
	ssize_t got;

	got = e2_xattr_block_load(ei, &bl);
	if (!got)
		got = e2_xattr_find(&bl.area, index, name, len, &item) ? copy_value(ei, &item, value, size) : -ENODATA;
	e2_xattr_block_fini(&bl);
	return got;
}

ssize_t e2_xattr_get(struct e2_inode *ei, uint8_t index, const char *name, size_t len, void *value, size_t size)
{
	struct e2_xattr_ibody ib;
	struct e2_xattr_item item;
	ssize_t got;

	got = e2_xattr_ibody_load(ei, &ib);
	if (!got && e2_xattr_find(&ib.area, index, name, len, &item))
		got = copy_value(ei, &item, value, size);
	else if (!got)
		got = get_from_block(ei, index, name, len, value, size);
	e2_xattr_ibody_fini(&ib);
	return got;
}

ssize_t e2_getxattr(struct fuseblk_volume *vol, struct fuseblk_node *node, const char *name, void *value, size_t size)
{
	struct e2_inode *ei = e2_i(node);
	struct key key;
	int err = split(e2_sb(vol), name, &key);

	if (err)
		return err;
	if (is_acl(key.index))
		return e2_acl_get(ei, key.index, value, size);
	return e2_xattr_get(ei, key.index, key.suffix, key.len, value, size);
}

/* Names gathered so far; only counted where @size is 0. */
struct listing {
	char *out;
	size_t size, used;
	bool root, full;
};

static void list_area(const struct e2_super *sb, const struct e2_xattr_area *area,
		      const struct e2_xattr_area *shadow, struct listing *l)
{
	struct e2_xattr_item item, other;
	uint32_t pos = area->first;

	while (e2_xattr_next(area, &pos, &item)) {
		const struct namespace *ns = namespace_of(sb, item.index);
		size_t prefix, need;

		if (!ns || (ns->flags & ROOT_LISTS && !l->root) || (ns->flags & EXACT && item.name_len) ||
		    (shadow && e2_xattr_find(shadow, item.index, item.name, item.name_len, &other)))
			continue;
		prefix = strlen(ns->prefix);
		need = prefix + item.name_len + 1;
		if (l->size && l->used + need > l->size)
			l->full = true;
		if (l->size && !l->full) {
			memcpy(l->out + l->used, ns->prefix, prefix);
			memcpy(l->out + l->used + prefix, item.name, item.name_len);
			l->out[l->used + need - 1] = 0;
		}
		l->used += need;
	}
}

ssize_t e2_listxattr(struct fuseblk_volume *vol, struct fuseblk_node *node, char *list, size_t size, bool root)
{
	struct listing l = { .out = list, .size = size, .root = root };
	struct e2_super *sb = e2_sb(vol);
	struct e2_inode *ei = e2_i(node);
	struct e2_xattr_ibody ib;
	struct e2_xattr_block bl = { .buf = NULL };
	int err;

	err = e2_xattr_ibody_load(ei, &ib);
	if (!err)
		err = e2_xattr_block_load(ei, &bl);
	if (!err) {
		list_area(sb, &ib.area, NULL, &l);
		list_area(sb, &bl.area, &ib.area, &l);
		err = l.full ? -ERANGE : 0;
	}
	e2_xattr_block_fini(&bl);
	e2_xattr_ibody_fini(&ib);
	return err ? err : (ssize_t)l.used;
}

static int store_change(struct e2_inode *ei)
{
	e2_touch(ei, false);
	return e2_store_meta(ei);
}

int e2_setxattr(struct fuseblk_volume *vol, struct fuseblk_node *node, const char *name,
		const void *value, size_t size, uint32_t flags)
{
	struct e2_inode *ei = e2_i(node);
	struct key key;
	int err = split(e2_sb(vol), name, &key);

	if (err)
		return err;
	if (is_acl(key.index))
		err = e2_acl_set(ei, key.index, value, size, flags);
	else
		err = e2_xattr_set(ei, key.index, key.suffix, key.len, size ? value : "", size, flags);
	return err ? err : store_change(ei);
}

int e2_removexattr(struct fuseblk_volume *vol, struct fuseblk_node *node, const char *name)
{
	struct e2_inode *ei = e2_i(node);
	struct key key;
	int err = split(e2_sb(vol), name, &key);

	if (!err)
		err = e2_xattr_set(ei, key.index, key.suffix, key.len, NULL, 0, 0);
	if (err == -ENODATA && is_acl(key.index))
		return 0;	/* as for every file without one */
	return err ? err : store_change(ei);
}

static int drop_values(struct e2_inode *ei, const struct e2_xattr_area *area)
{
	uint32_t pos = area->first;
	struct e2_xattr_item item;
	int err = 0, err2;

	while (e2_xattr_next(area, &pos, &item)) {
		if (!item.inum)
			continue;
		err2 = e2_xattr_inode_drop(ei, item.inum);
		err = err ? err : err2;
	}
	return err;
}

int e2_xattr_free_all(struct e2_inode *ei)
{
	struct e2_xattr_ibody ib;
	struct e2_xattr_block bl;
	bool last = false;
	int err, err2;

	err = e2_xattr_ibody_load(ei, &ib);
	if (!err)
		err = drop_values(ei, &ib.area);
	e2_xattr_ibody_fini(&ib);
	err2 = e2_xattr_block_load(ei, &bl);
	if (!err2 && bl.buf)
		err2 = e2_xattr_block_release(ei, &bl, &last);
	if (!err2 && last)
		err2 = drop_values(ei, &bl.area);
	e2_xattr_block_fini(&bl);
	return err ? err : err2;
}

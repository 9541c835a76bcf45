// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * reply.c: answers and notifications, right ones and any bytes at all.
 *
 * Helpers named kd_reply_* must be taken by the kernel; kd_try_reply,
 * kd_reply_raw and the notifications return what write(2) said.
 */
#include <stdlib.h>
#include "daemon.h"

int kd_write_raw(int fd, const struct iovec *iov, int count)
{
	size_t total = 0;
	ssize_t n;

	for (int i = 0; i < count; i++) {
		total += iov[i].iov_len;
		case_fault_in(iov[i].iov_base, iov[i].iov_len, false);
	}
	case_fail_daemon_begin();
	n = writev(fd, iov, count);
	case_fail_nth_end();
	if (n < 0)
		return -errno;
	return (size_t)n == total ? 0 : -EIO;
}

int kd_reply_raw(int fd, uint64_t unique, int32_t error, int64_t len, const void *body, size_t body_len)
{
	struct fuse_out_header out = {
		.len = len < 0 ? (uint32_t)(sizeof(out) + body_len) : (uint32_t)len,
		.error = error, .unique = unique,
	};
	struct iovec iov[2] = { { &out, sizeof(out) }, { (void *)body, body_len } };

	return kd_write_raw(fd, iov, body_len ? 2 : 1);
}

int kd_try_reply(struct kd_req *r, int error, const void *body, size_t len)
{
	return kd_reply_raw(r->fd, r->unique, error, -1, body, len);
}

static void reply(struct kd_req *r, int error, const void *body, size_t len)
{
	int ret = kd_try_reply(r, error, body, len);

	if (ret)
		kd_fail(r->kd, "the reply to %s was refused: %s", kd_opcode_name(r->opcode), case_value(ret));
}

void (kd_reply)(struct kd_req *r, const void *body, size_t len)
{
	reply(r, 0, body, len);
}

void (kd_reply_error)(struct kd_req *r, int error)
{
	reply(r, error, NULL, 0);
}

/* ---- entries and attributes ------------------------------------------ */

struct fuse_entry_out kd_entry(const struct kd_node *node)
{
	return (struct fuse_entry_out){
		.nodeid = node->id, .generation = node->generation,
		.entry_valid = node->entry_valid, .entry_valid_nsec = node->entry_valid_nsec,
		.attr_valid = node->attr_valid, .attr_valid_nsec = node->attr_valid_nsec,
		.attr = node->attr,
	};
}

struct fuse_attr_out kd_attr(const struct kd_node *node)
{
	return (struct fuse_attr_out){
		.attr_valid = node->attr_valid, .attr_valid_nsec = node->attr_valid_nsec,
		.attr = node->attr,
	};
}

void kd_reply_entry_raw(struct kd_req *r, struct kd_node *node, const struct fuse_entry_out *out)
{
	reply(r, 0, out, sizeof(*out));
	if (node)
		node->given++;
}

void kd_reply_entry(struct kd_req *r, struct kd_node *node)
{
	struct fuse_entry_out out = kd_entry(node);

	kd_reply_entry_raw(r, node, &out);
}

void kd_reply_negative(struct kd_req *r, uint64_t seconds)
{
	struct fuse_entry_out out = { .entry_valid = seconds };

	reply(r, 0, &out, sizeof(out));
}

void kd_reply_attr(struct kd_req *r, struct kd_node *node)
{
	struct fuse_attr_out out = kd_attr(node);

	reply(r, 0, &out, sizeof(out));
}

void kd_reply_open(struct kd_req *r, uint64_t fh, uint32_t open_flags)
{
	struct fuse_open_out out = { .fh = fh, .open_flags = open_flags };

	reply(r, 0, &out, sizeof(out));
}

void kd_reply_create(struct kd_req *r, struct kd_node *node, uint64_t fh, uint32_t open_flags)
{
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} out = { kd_entry(node), { .fh = fh, .open_flags = open_flags } };

	reply(r, 0, &out, sizeof(out));
	node->given++;
}

/* ---- small answers --------------------------------------------------- */

void kd_reply_write(struct kd_req *r, uint32_t size)
{
	struct fuse_write_out out = { .size = size };

	reply(r, 0, &out, sizeof(out));
}

void kd_reply_xattr_size(struct kd_req *r, uint32_t size)
{
	struct fuse_getxattr_out out = { .size = size };

	reply(r, 0, &out, sizeof(out));
}

void kd_reply_statfs(struct kd_req *r, const struct fuse_kstatfs *st)
{
	struct fuse_statfs_out out = { .st = *st };

	reply(r, 0, &out, sizeof(out));
}

void kd_reply_lseek(struct kd_req *r, uint64_t offset)
{
	struct fuse_lseek_out out = { .offset = offset };

	reply(r, 0, &out, sizeof(out));
}

void kd_reply_bmap(struct kd_req *r, uint64_t block)
{
	struct fuse_bmap_out out = { .block = block };

	reply(r, 0, &out, sizeof(out));
}

void kd_reply_poll(struct kd_req *r, uint32_t revents)
{
	struct fuse_poll_out out = { .revents = revents };

	reply(r, 0, &out, sizeof(out));
}

/* @head, then @len bytes of @tail, in one piece of memory. To be freed. */
static uint8_t *join(const void *head, size_t head_len, const void *tail, size_t len)
{
	uint8_t *bytes = malloc(head_len + len + 1);

	memcpy(bytes, head, head_len);
	if (len)
		memcpy(bytes + head_len, tail, len);
	return bytes;
}

void kd_reply_ioctl(struct kd_req *r, int32_t result, const void *out, size_t len)
{
	struct fuse_ioctl_out head = { .result = result };
	uint8_t *body = join(&head, sizeof(head), out, len);

	reply(r, 0, body, sizeof(head) + len);
	free(body);
}

/* ---- directories ----------------------------------------------------- */

void kd_dirent(struct kd_dirents *d, const char *name, uint64_t ino, uint32_t type, uint64_t next)
{
	struct fuse_dirent *e = (struct fuse_dirent *)(d->bytes + d->len);
	size_t len = strlen(name);

	*e = (struct fuse_dirent){ .ino = ino, .off = next, .namelen = (uint32_t)len, .type = type };
	memcpy(e->name, name, len);
	d->len += FUSE_DIRENT_SIZE(e);
}

void kd_direntplus(struct kd_dirents *d, const char *name, struct kd_node *node, uint64_t next)
{
	struct fuse_direntplus *e = (struct fuse_direntplus *)(d->bytes + d->len);
	size_t len = strlen(name);

	*e = (struct fuse_direntplus){
		.dirent = { .ino = node ? node->attr.ino : 1, .off = next, .namelen = (uint32_t)len,
			    .type = node ? (node->attr.mode & S_IFMT) >> 12 : 4 },
	};
	if (node) {
		e->entry_out = kd_entry(node);
		node->given++;
	}
	memcpy(e->dirent.name, name, len);
	d->len += FUSE_DIRENTPLUS_SIZE(e);
}

/* ---- notifications --------------------------------------------------- */

int kd_notify(struct kd *kd, int code, const void *body, size_t len)
{
	return kd_reply_raw(kd->fd, 0, code, -1, body, len);
}

int kd_notify_inval_inode(struct kd *kd, uint64_t nodeid, int64_t off, int64_t len)
{
	struct fuse_notify_inval_inode_out out = { .ino = nodeid, .off = off, .len = len };

	return kd_notify(kd, FUSE_NOTIFY_INVAL_INODE, &out, sizeof(out));
}

/* @head, then @name with its NUL. */
static int notify_name(struct kd *kd, int code, const void *head, size_t head_len, const char *name)
{
	size_t len = strlen(name) + 1;
	uint8_t *body = join(head, head_len, name, len);
	int ret = kd_notify(kd, code, body, head_len + len);

	free(body);
	return ret;
}

int kd_notify_inval_entry(struct kd *kd, uint64_t parent, const char *name, uint32_t flags)
{
	struct fuse_notify_inval_entry_out out = {
		.parent = parent, .namelen = (uint32_t)strlen(name), .flags = flags,
	};

	return notify_name(kd, FUSE_NOTIFY_INVAL_ENTRY, &out, sizeof(out), name);
}

int kd_notify_delete(struct kd *kd, uint64_t parent, uint64_t child, const char *name)
{
	struct fuse_notify_delete_out out = {
		.parent = parent, .child = child, .namelen = (uint32_t)strlen(name),
	};

	return notify_name(kd, FUSE_NOTIFY_DELETE, &out, sizeof(out), name);
}

int kd_notify_store(struct kd *kd, uint64_t nodeid, uint64_t off, const void *data, uint32_t len)
{
	struct fuse_notify_store_out out = { .nodeid = nodeid, .offset = off, .size = len };
	uint8_t *body = join(&out, sizeof(out), data, len);
	int ret = kd_notify(kd, FUSE_NOTIFY_STORE, body, sizeof(out) + len);

	free(body);
	return ret;
}

int kd_notify_retrieve(struct kd *kd, uint64_t unique, uint64_t nodeid, uint64_t off, uint32_t len)
{
	struct fuse_notify_retrieve_out out = {
		.notify_unique = unique, .nodeid = nodeid, .offset = off, .size = len,
	};

	return kd_notify(kd, FUSE_NOTIFY_RETRIEVE, &out, sizeof(out));
}

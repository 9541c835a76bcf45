// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * node.c: the nodes a scripted daemon knows, their names, and what is answered unasked.
 *
 * A node counts the lookups that the kernel was given and those it gave back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include "daemon.h"

#define BALANCE_MS 2000

struct kd_node *kd_node_new(struct kd *kd, uint64_t id, uint32_t mode, uint64_t size)
{
	struct kd_node *node = &kd->nodes[kd->node_count];

	if (kd->node_count == KD_NODES)
		kd_fail(kd, "more than %d nodes", KD_NODES);
	kd->node_count++;
	*node = (struct kd_node){
		.id = id, .entry_valid = KD_FOREVER, .attr_valid = KD_FOREVER,
		.attr = {
			.ino = id, .mode = mode, .size = size, .blocks = (size + 511) / 512,
			.nlink = S_ISDIR(mode) ? 2 : 1, .uid = kd->opts.user_id,
			.gid = kd->opts.group_id, .blksize = 4096,
			.atime = 1000, .mtime = 2000, .ctime = 3000,
		},
	};
	return node;
}

struct kd_node *kd_file(struct kd *kd, uint64_t id, uint64_t size)
{
	return kd_node_new(kd, id, S_IFREG | 0644, size);
}

struct kd_node *kd_dir(struct kd *kd, uint64_t id)
{
	return kd_node_new(kd, id, S_IFDIR | 0755, 0);
}

static struct kd_node *find(struct kd *kd, uint64_t id)
{
	for (size_t i = 0; i < kd->node_count; i++)
		if (kd->nodes[i].id == id)
			return &kd->nodes[i];
	return NULL;
}

struct kd_node *kd_node(struct kd *kd, uint64_t id)
{
	struct kd_node *node = find(kd, id);

	if (!node)
		kd_fail(kd, "the case has no node %llu", (unsigned long long)id);
	return node;
}

struct kd_node *kd_add(struct kd *kd, uint64_t parent, const char *name, struct kd_node *node)
{
	if (kd->name_count == KD_NODES)
		kd_fail(kd, "more than %d names", KD_NODES);
	kd->names[kd->name_count++] = (struct kd_name){ parent, node->id, strdup(name) };
	return node;
}

struct kd_node *kd_add_file(struct kd *kd, const char *name, uint64_t id, uint64_t size)
{
	return kd_add(kd, FUSE_ROOT_ID, name, kd_file(kd, id, size));
}

struct kd_node *kd_add_dir(struct kd *kd, const char *name, uint64_t id)
{
	return kd_add(kd, FUSE_ROOT_ID, name, kd_dir(kd, id));
}

/* ---- answered unasked ----------------------------------------------- */

static void count_forget(struct kd *kd, uint64_t id, uint64_t n)
{
	struct kd_node *node = find(kd, id);

	if (node)
		node->forgotten += n;
}

static bool serve_forget(struct kd_req *r)
{
	const struct fuse_forget_in *in = r->arg;

	count_forget(r->kd, r->nodeid, in->nlookup);
	return true;
}

static bool serve_batch_forget(struct kd_req *r)
{
	const struct fuse_forget_one *one = r->data;

	for (size_t i = 0; i < r->data_len / sizeof(*one); i++)
		count_forget(r->kd, one[i].nodeid, one[i].nlookup);
	return true;
}

static bool serve_lookup(struct kd_req *r)
{
	for (size_t i = 0; i < r->kd->name_count; i++) {
		const struct kd_name *name = &r->kd->names[i];

		if (name->parent == r->nodeid && strcmp(name->name, r->name) == 0) {
			kd_reply_entry(r, kd_node(r->kd, name->id));
			return true;
		}
	}
	return false;
}

/* Of the root; of all once kd_auto() said so. */
static bool serve_getattr(struct kd_req *r)
{
	struct kd_node *node = find(r->kd, r->nodeid);

	if (!node || (r->nodeid != FUSE_ROOT_ID && !(r->kd->auto_ops & 1ull << 62)))
		return false;
	kd_reply_attr(r, node);
	return true;
}

static bool serve_getxattr(struct kd_req *r)
{
	if (strcmp(r->name, "security.capability") != 0 && !(r->kd->auto_ops & 1ull << 63))
		return false;
	kd_try_reply(r, -ENODATA, NULL, 0);
	return true;
}

static bool serve_setattr(struct kd_req *r)
{
	const struct fuse_setattr_in *in = r->arg;
	struct kd_node *node = kd_node(r->kd, r->nodeid);

	if (in->valid & FATTR_SIZE)
		node->attr.size = in->size;
	if (in->valid & FATTR_MODE)
		node->attr.mode = in->mode;
	if (in->valid & FATTR_UID)
		node->attr.uid = in->uid;
	if (in->valid & FATTR_GID)
		node->attr.gid = in->gid;
	if (in->valid & FATTR_MTIME) {
		node->attr.mtime = in->mtime;
		node->attr.mtimensec = in->mtimensec;
	}
	kd_reply_attr(r, node);
	return true;
}

static bool serve_open(struct kd_req *r)
{
	kd_reply_open(r, r->kd->next_fh++, 0);
	return true;
}

static bool serve_read(struct kd_req *r)
{
	const struct fuse_read_in *in = r->arg;
	uint64_t size = kd_node(r->kd, r->nodeid)->attr.size;
	uint64_t left = in->offset < size ? size - in->offset : 0;
	size_t n = left < in->size ? (size_t)left : in->size;
	const struct kd_node *node = kd_node(r->kd, r->nodeid);
	uint8_t *bytes = calloc(1, n + 1);

	for (size_t i = 0; i < n && in->offset + i < node->room; i++)
		bytes[i] = node->content[in->offset + i];
	kd_try_reply(r, 0, bytes, n);
	free(bytes);
	return true;
}

static bool serve_write(struct kd_req *r)
{
	const struct fuse_write_in *in = r->arg;
	struct kd_node *node = kd_node(r->kd, r->nodeid);

	if (node->attr.size < in->offset + in->size)
		node->attr.size = in->offset + in->size;
	if (in->offset + in->size <= node->room)
		memcpy(node->content + in->offset, r->data, r->data_len);
	kd_reply_write(r, in->size);
	return true;
}

static bool serve_success(struct kd_req *r)
{
	kd_try_reply(r, 0, NULL, 0);
	return true;
}

static bool serve_statfs(struct kd_req *r)
{
	kd_reply_statfs(r, &(struct fuse_kstatfs){
		.blocks = 1000, .bfree = 500, .bavail = 400, .bsize = 4096, .frsize = 4096,
		.files = 100, .ffree = 50, .namelen = 255,
	});
	return true;
}

static bool serve_nothing(struct kd_req *r)
{
	kd_try_reply(r, -ENOSYS, NULL, 0);
	return true;
}

static bool (*const servers[64])(struct kd_req *r) = {
	[FUSE_LOOKUP] = serve_lookup, [FUSE_GETATTR] = serve_getattr,
	[FUSE_SETATTR] = serve_setattr, [FUSE_OPEN] = serve_open, [FUSE_OPENDIR] = serve_open,
	[FUSE_READ] = serve_read, [FUSE_WRITE] = serve_write, [FUSE_STATFS] = serve_statfs,
	[FUSE_RELEASE] = serve_success, [FUSE_RELEASEDIR] = serve_success,
	[FUSE_FLUSH] = serve_success, [FUSE_FSYNC] = serve_success,
	[FUSE_FSYNCDIR] = serve_success, [FUSE_ACCESS] = serve_success,
	[FUSE_FALLOCATE] = serve_success, [FUSE_SYNCFS] = serve_success,
	[FUSE_DESTROY] = serve_success, [FUSE_GETXATTR] = serve_getxattr,
};

bool kd_serve(struct kd_req *r)
{
	if (r->opcode == FUSE_FORGET)
		return serve_forget(r);
	if (r->opcode == FUSE_BATCH_FORGET)
		return serve_batch_forget(r);
	if (r->opcode >= 62 || !(r->kd->auto_ops & 1ull << r->opcode))
		return false;
	return servers[r->opcode] ? servers[r->opcode](r) : serve_nothing(r);
}

/* ---- the balance of lookups ----------------------------------------- */

/* A remount drops the unused dentries of this superblock, and only them. */
long kd_shrink(struct kd *kd)
{
	return kd_wait(kd_sys(kd, SYS_mount, (long)"none", (long)kd->mnt, (long)"none", MS_REMOUNT, 0));
}

static const struct kd_node *unbalanced(struct kd *kd)
{
	for (size_t i = 0; i < kd->node_count; i++)
		if (kd->nodes[i].id != FUSE_ROOT_ID && kd->nodes[i].given != kd->nodes[i].forgotten)
			return &kd->nodes[i];
	return NULL;
}

void (kd_check_balance)(struct kd *kd)
{
	const struct kd_node *node;
	long ret = kd_shrink(kd);

	if (ret)
		kd_fail(kd, "remount: %s", case_value(ret));
	for (int ms = 0; unbalanced(kd) && ms < kernel_ms(BALANCE_MS); ms += 20)
		(kd_no_request)(kd, 20);
	node = unbalanced(kd);
	if (node)
		kd_fail(kd, "node %llu was given %llu lookups, and %llu were forgotten",
			(unsigned long long)node->id, (unsigned long long)node->given,
			(unsigned long long)node->forgotten);
}

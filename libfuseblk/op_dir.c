// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * op_dir.c: OPENDIR, READDIR, READDIRPLUS, RELEASEDIR.
 *
 * READDIR encodes names as the driver finds them.  READDIRPLUS first notes
 * the names that will fit, under the directory's lock, and then loads the
 * inodes they lead to without it: a directory's lock is never held while an
 * inode below is waited for.  Only entries that go out raise lookup counts.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include "op.h"
#include "spelling.h"
#include "worker.h"

#define MOST_BYTES	(64u << 10)	/* of one reply */
#define PLUS_HEAD	152u		/* of an entry: entry_out and dirent before the name */

int fb_op_opendir(struct fb_request *req)
{
	struct fuseblk_node *dir;
	int err;

	/*
	 * Told this once, the kernel caches listings for good.  Where names
	 * can change it must not: with two readers, its cache may take a
	 * reply from before a change for one from after it.
	 */
	if (req->session->no_opendir)
		return -ENOSYS;
	err = fb_req_node(req, S_IFDIR, &dir);
	if (err)
		return err;
	if (req->vol->info.dir_cursors)
		err = fb_dir_handle_open(&req->session->dir_handles, dir->ino, &req->out.fh);
	fb_node_put(dir);
	req->out.open_flags = 0;
	return err;
}

int fb_op_releasedir(struct fb_request *req)
{
	if (!req->vol->info.dir_cursors)
		return 0;
	return fb_dir_handle_close(&req->session->dir_handles, fb_ino_of_nodeid(req->vol, req->nodeid),
				   req->in.release.fh);
}

/* Listing from the start takes the cursor back to it. */
static int rewind_cursor(struct fb_request *req, const struct fuseblk_node *dir)
{
	struct fb_dir_handles *handles = &req->session->dir_handles;
	struct fb_dir_handle *h;
	int err;

	if (!req->vol->info.dir_cursors || req->in.readdir.off || !req->in.readdir.fh)
		return 0;
	err = fb_dir_handle_get(handles, dir->ino, req->in.readdir.fh, &h);
	if (err)
		return err;
	fb_mutex_lock(&h->lock);
	h->cursor = 0;
	pthread_mutex_unlock(&h->lock);
	fb_dir_handle_put(handles, h);
	return 0;
}

static size_t reply_size(const struct fb_request *req)
{
	size_t size = req->in.readdir.size;

	return size < MOST_BYTES ? size : MOST_BYTES;
}

static int read_dir(struct fb_request *req, struct fuseblk_node *dir, fuseblk_fill_fn fill, void *ctx)
{
	int err = rewind_cursor(req, dir);

	if (!err)
		err = fb_node_rdlock(dir);
	if (err)
		return err;
	err = req->vol->ops->readdir(req->vol, dir, req->in.readdir.off, fill, ctx);
	fb_node_unlock(dir);
	return err;
}

/* ---- READDIR -------------------------------------------------------- */

struct plain {
	struct fb_request *req;
	uint8_t *buf;
	size_t used, size;
};

static bool fill_plain(void *ctx, const char *name, size_t len, uint64_t ino,
		       unsigned char d_type, uint64_t next_cookie)
{
	struct plain *p = ctx;
	size_t n = fb_encode_dirent(&p->req->session->proto, p->buf + p->used, p->size - p->used,
				    name, len, ino, d_type, next_cookie);

	p->used += n;
	return n != 0;
}

int fb_op_readdir(struct fb_request *req)
{
	struct plain p = { .req = req, .buf = req->scratch, .size = reply_size(req) };
	struct fuseblk_node *dir;
	int err = fb_req_node(req, S_IFDIR, &dir);

	if (err)
		return err;
	err = read_dir(req, dir, fill_plain, &p);
	if (p.used || !err) {
		err = 0;
		req->out.bytes = p.buf;
		req->out.bytes_len = p.used;
		fb_atime_due(req, dir, true);
	}
	fb_node_put(dir);
	return err;
}

/* ---- READDIRPLUS ---------------------------------------------------- */

struct found {
	uint64_t ino, next_cookie;
	uint16_t len;
	unsigned char d_type;
	char name[];
};

struct noted {
	uint8_t *buf;			/* of struct found, 8-aligned */
	size_t used, room;
	size_t reply, reply_max;	/* bytes the entries will take */
	unsigned count;
};

static size_t found_size(size_t len)
{
	return (sizeof(struct found) + len + 7) & ~(size_t)7;
}

static bool note_name(void *ctx, const char *name, size_t len, uint64_t ino,
		      unsigned char d_type, uint64_t next_cookie)
{
	struct noted *n = ctx;
	size_t entry = (PLUS_HEAD + len + 7) & ~(size_t)7;
	struct found *f;

	if (len > UINT16_MAX || n->reply + entry > n->reply_max ||
	    n->used + found_size(len) > n->room || n->count == FB_MAX_LOOKUPS)
		return false;
	f = (struct found *)(void *)(n->buf + n->used);
	f->ino = ino;
	f->next_cookie = next_cookie;
	f->len = (uint16_t)len;
	f->d_type = d_type;
	memcpy(f->name, name, len);
	n->used += found_size(len);
	n->reply += entry;
	n->count++;
	return true;
}

static bool is_dot(const struct found *f)
{
	return f->name[0] == '.' && (f->len == 1 || (f->len == 2 && f->name[1] == '.'));
}

/* The attributes of what the name leads to, its lookup counted; or attr->ino 0, and nothing counted. */
static void load_child(struct fb_request *req, const struct found *f, struct fuseblk_attr *attr)
{
	struct fuseblk_node *node;
	int err;

	attr->ino = 0;
	if (is_dot(f) || fb_stale_is_marked(req->session, f->ino) || fb_req_lookup(req, f->ino))
		return;
	err = fb_node_get(req->vol, f->ino, &node);
	if (!err) {
		err = fb_node_getattr(node, attr);
		fb_node_put(node);
	}
	if (!err && attr->nlink && req->session->spelling)
		fb_node_set_exact(req->vol, f->ino);
	if (!err && attr->nlink)
		return;
	fb_req_unlook(req, 1);
	attr->ino = 0;
}

/* Returns the bytes encoded. */
static size_t encode_plus(struct fb_request *req, const struct noted *n, size_t size)
{
	uint8_t *buf = req->scratch;
	struct fuseblk_attr attr;
	size_t used = 0, len;

	for (size_t at = 0; at < n->used;) {
		const struct found *f = (const struct found *)(const void *)(n->buf + at);

		load_child(req, f, &attr);
		len = fb_encode_direntplus(&req->session->proto, buf + used, size - used,
					   f->name, f->len, req->vol, &attr, f->ino, f->d_type,
					   f->next_cookie, false);
		if (!len) {
			if (attr.ino)
				fb_req_unlook(req, 1);
			break;
		}
		used += len;
		at += found_size(f->len);
	}
	return used;
}

int fb_op_readdirplus(struct fb_request *req)
{
	size_t size = reply_size(req);
	struct noted n = {
		.buf = (uint8_t *)req->scratch + MOST_BYTES,
		.room = req->scratch_size - MOST_BYTES,
		.reply_max = size,
	};
	struct fuseblk_node *dir;
	int err = fb_req_node(req, S_IFDIR, &dir);

	if (err)
		return err;
	err = read_dir(req, dir, note_name, &n);
	if (n.count || !err) {
		err = 0;
		req->out.bytes = req->scratch;
		req->out.bytes_len = encode_plus(req, &n, size);
		fb_atime_due(req, dir, true);
	}
	fb_node_put(dir);
	return err;
}

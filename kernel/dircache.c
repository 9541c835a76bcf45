// SPDX-License-Identifier: GPL-2.0-only
/*
 * dircache.c: the entries of a directory, kept for the next who lists it, where
 * the daemon said FOPEN_CACHE_DIR.
 *
 * They are records of struct fuse_dirent in the pages of the directory's
 * mapping, in the order in which they were read, none across the end of a
 * page; a record without a name ends its page.  They are believed once the
 * list is complete, as long as neither the directory's version (every change
 * made here) nor its mtime (changes that the daemon tells of) is another, and
 * as far as memory reclaim has left the pages.
 */
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include "fblk.h"

struct fblk_dircache {
	struct rw_semaphore lock;	/* shared to list, exclusive to add */
	u64 version;			/* fblk_inode.dir_version when it was begun; 0: not begun */
	struct timespec64 mtime;
	u64 list;			/* which list this is: another each time that one is begun */
	loff_t next;			/* the daemon's offset after the last record */
	loff_t size;			/* bytes in the pages */
	bool complete;
};

static struct fblk_dircache *cache_of(struct inode *dir)
{
	return READ_ONCE(fblk_i(dir)->dircache);
}

/* The directory's, made if it has none yet; NULL without memory. */
static struct fblk_dircache *make_cache(struct inode *dir)
{
	struct fblk_dircache *dc = cache_of(dir), *other;

	if (dc)
		return dc;
	dc = kzalloc(sizeof(*dc), GFP_KERNEL_ACCOUNT);
	if (!dc)
		return NULL;
	init_rwsem(&dc->lock);
	other = cmpxchg(&fblk_i(dir)->dircache, NULL, dc);
	if (!other)
		return dc;
	kfree(dc);
	return other;
}

void fblk_dircache_free(struct fblk_inode *fi)
{
	kfree(fi->dircache);
	fi->dircache = NULL;
}

void fblk_dircache_drop(struct inode *dir)
{
	struct fblk_inode *fi = fblk_i(dir);

	spin_lock(&fi->lock);
	fi->dir_version++;
	spin_unlock(&fi->lock);
}

static bool is_current(const struct fblk_dircache *dc, struct inode *dir)
{
	return dc->version == READ_ONCE(fblk_i(dir)->dir_version) && timespec64_equal(&dc->mtime, &dir->i_mtime);
}

/* ---- adding ------------------------------------------------------------------------------ */

static size_t record_size(u32 namelen)
{
	return FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + namelen);
}

static void begin(struct fblk_dircache *dc, struct inode *dir)
{
	dc->version = READ_ONCE(fblk_i(dir)->dir_version);
	dc->mtime = dir->i_mtime;
	dc->list++;
	dc->next = 0;
	dc->size = 0;
	dc->complete = false;
}

static void put_record(struct page *page, size_t offset, const struct fblk_dirent *d)
{
	void *at = kmap_local_page(page);
	struct fuse_dirent *record = at + offset;

	if (!offset)
		clear_page(at);
	record->ino = d->ino;
	record->off = d->next;
	record->type = d->type;
	record->namelen = d->namelen;
	memcpy(record->name, d->name, d->namelen);
	kunmap_local(at);
}

/* Append; if its page is gone, so is the list. */
static void append(struct fblk_dircache *dc, struct inode *dir, const struct fblk_dirent *d)
{
	size_t size = record_size(d->namelen), offset = offset_in_page(dc->size);
	struct page *page;

	if (offset + size > PAGE_SIZE) {
		dc->size = round_up(dc->size, PAGE_SIZE);
		offset = 0;
	}
	if (offset)
		page = find_lock_page(dir->i_mapping, dc->size >> PAGE_SHIFT);
	else
		page = find_or_create_page(dir->i_mapping, dc->size >> PAGE_SHIFT, mapping_gfp_mask(dir->i_mapping));
	if (!page) {
		dc->version = 0;
		return;
	}
	put_record(page, offset, d);
	SetPageUptodate(page);
	unlock_page(page);
	put_page(page);
	dc->size += size;
	dc->next = d->next;
}

void fblk_dircache_add(struct file *file, loff_t pos, const struct fblk_dirent *d)
{
	struct inode *dir = file_inode(file);
	struct fblk_dircache *dc = fblk_f(file)->open_flags & FOPEN_CACHE_DIR ? make_cache(dir) : NULL;

	if (!dc)
		return;
	down_write(&dc->lock);
	if (!pos && !is_current(dc, dir))
		begin(dc, dir);
	if (!dc->complete && pos == dc->next && is_current(dc, dir))
		append(dc, dir, d);
	up_write(&dc->lock);
}

void fblk_dircache_end(struct file *file, loff_t pos)
{
	struct inode *dir = file_inode(file);
	struct fblk_dircache *dc = fblk_f(file)->open_flags & FOPEN_CACHE_DIR ? make_cache(dir) : NULL;

	if (!dc)
		return;
	down_write(&dc->lock);
	if (!pos && !is_current(dc, dir))
		begin(dc, dir);
	if (pos == dc->next && is_current(dc, dir))
		dc->complete = true;
	up_write(&dc->lock);
}

/* ---- listing ------------------------------------------------------------------------------- */

/* What is on one page from @ff->cache_off on, as soon as that is where the caller is.  False: he has no room for more. */
static bool emit_page(struct fblk_file *ff, struct dir_context *ctx, const void *bytes, loff_t end)
{
	while (ff->cache_off < end) {
		size_t offset = offset_in_page(ff->cache_off);
		const struct fuse_dirent *record = bytes + offset;

		if (offset + FUSE_NAME_OFFSET > PAGE_SIZE || !record->namelen)
			break;
		if (ff->cache_pos == ctx->pos) {
			if (!dir_emit(ctx, record->name, record->namelen, record->ino, record->type))
				return false;
			ctx->pos = record->off;
		}
		ff->cache_pos = record->off;
		ff->cache_off += record_size(record->namelen);
		if (!offset_in_page(ff->cache_off))
			return true;
	}
	ff->cache_off = min_t(loff_t, end, round_up(ff->cache_off + 1, PAGE_SIZE));
	return true;
}

/* Who has sought, or was in a list that is no more, is looked for from the beginning: records of another list begin elsewhere. */
static void find_place(const struct fblk_dircache *dc, struct fblk_file *ff, const struct dir_context *ctx)
{
	if (ctx->pos && ff->cache_list == dc->list && ff->cache_pos == ctx->pos)
		return;
	ff->cache_list = dc->list;
	ff->cache_pos = 0;
	ff->cache_off = 0;
}

/* True: all that there was room for.  False: the daemon is to go on at ctx->pos. */
static bool emit(struct fblk_dircache *dc, struct file *file, struct dir_context *ctx)
{
	struct fblk_file *ff = fblk_f(file);
	bool room = true;

	find_place(dc, ff, ctx);
	while (room && ff->cache_off < dc->size) {
		struct page *page = find_get_page_flags(file->f_mapping, ff->cache_off >> PAGE_SHIFT, FGP_ACCESSED);
		void *bytes;

		if (!page) {
			fblk_dircache_drop(file_inode(file));
			return false;
		}
		bytes = kmap_local_page(page);
		room = emit_page(ff, ctx, bytes, dc->size);
		kunmap_local(bytes);
		put_page(page);
	}
	return !room || ff->cache_pos == ctx->pos;
}

int fblk_dircache_emit(struct file *file, struct dir_context *ctx)
{
	struct inode *dir = file_inode(file);
	struct fblk_dircache *dc = fblk_f(file)->open_flags & FOPEN_CACHE_DIR ? cache_of(dir) : NULL;
	int ret = 0;

	if (!dc)
		return 0;
	if (!ctx->pos && fblk_has(fblk_conn_of(dir), FUSE_AUTO_INVAL_DATA)) {
		ret = fblk_refresh(dir, NULL, STATX_MTIME);
		if (ret)
			return ret;
	}
	down_read(&dc->lock);
	if (dc->complete && is_current(dc, dir))
		ret = emit(dc, file, ctx);
	up_read(&dc->lock);
	return ret;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * request.c: reading requests, checking that they are well-formed, and the trace.
 *
 * The table of opcodes says how long the arguments are, how many names follow and
 * whether bytes come after them; a request of any other form fails the case.
 */
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "daemon.h"

/* A field to be shown in the trace. */
struct field {
	const char *name;
	uint8_t offset, size;
	bool hex;
};
#define F(type, member) { #member, offsetof(struct type, member), sizeof(((struct type *)0)->member), false }
#define X(type, member) { #member, offsetof(struct type, member), sizeof(((struct type *)0)->member), true }

enum data_kind { NO_DATA, REST, EXTENSIONS };

struct form {
	const char *name;
	uint16_t arg_len;
	uint8_t names;
	uint8_t data;
	struct field fields[4];
};

static const struct form forms[] = {
	[FUSE_LOOKUP] = { "LOOKUP", 0, 1, NO_DATA, {{ 0 }} },
	[FUSE_FORGET] = { "FORGET", sizeof(struct fuse_forget_in), 0, NO_DATA, { F(fuse_forget_in, nlookup) } },
	[FUSE_GETATTR] = { "GETATTR", sizeof(struct fuse_getattr_in), 0, NO_DATA,
			   { X(fuse_getattr_in, getattr_flags) } },
	[FUSE_SETATTR] = { "SETATTR", sizeof(struct fuse_setattr_in), 0, NO_DATA,
			   { X(fuse_setattr_in, valid), F(fuse_setattr_in, size) } },
	[FUSE_READLINK] = { "READLINK", 0, 0, NO_DATA, {{ 0 }} },
	[FUSE_SYMLINK] = { "SYMLINK", 0, 2, EXTENSIONS, {{ 0 }} },
	[FUSE_MKNOD] = { "MKNOD", sizeof(struct fuse_mknod_in), 1, EXTENSIONS,
			 { X(fuse_mknod_in, mode), F(fuse_mknod_in, rdev), X(fuse_mknod_in, umask) } },
	[FUSE_MKDIR] = { "MKDIR", sizeof(struct fuse_mkdir_in), 1, EXTENSIONS,
			 { X(fuse_mkdir_in, mode), X(fuse_mkdir_in, umask) } },
	[FUSE_UNLINK] = { "UNLINK", 0, 1, NO_DATA, {{ 0 }} },
	[FUSE_RMDIR] = { "RMDIR", 0, 1, NO_DATA, {{ 0 }} },
	[FUSE_RENAME] = { "RENAME", sizeof(struct fuse_rename_in), 2, NO_DATA, { F(fuse_rename_in, newdir) } },
	[FUSE_LINK] = { "LINK", sizeof(struct fuse_link_in), 1, NO_DATA, { F(fuse_link_in, oldnodeid) } },
	[FUSE_OPEN] = { "OPEN", sizeof(struct fuse_open_in), 0, NO_DATA,
			{ X(fuse_open_in, flags), X(fuse_open_in, open_flags) } },
	[FUSE_READ] = { "READ", sizeof(struct fuse_read_in), 0, NO_DATA,
			{ F(fuse_read_in, offset), F(fuse_read_in, size), X(fuse_read_in, read_flags),
			  X(fuse_read_in, flags) } },
	[FUSE_WRITE] = { "WRITE", sizeof(struct fuse_write_in), 0, REST,
			 { F(fuse_write_in, offset), F(fuse_write_in, size), X(fuse_write_in, write_flags),
			   X(fuse_write_in, flags) } },
	[FUSE_STATFS] = { "STATFS", 0, 0, NO_DATA, {{ 0 }} },
	[FUSE_RELEASE] = { "RELEASE", sizeof(struct fuse_release_in), 0, NO_DATA,
			   { X(fuse_release_in, flags), X(fuse_release_in, release_flags) } },
	[FUSE_FSYNC] = { "FSYNC", sizeof(struct fuse_fsync_in), 0, NO_DATA, { X(fuse_fsync_in, fsync_flags) } },
	[FUSE_SETXATTR] = { "SETXATTR", FUSE_COMPAT_SETXATTR_IN_SIZE, 1, REST,
			    { F(fuse_setxattr_in, size), X(fuse_setxattr_in, flags) } },
	[FUSE_GETXATTR] = { "GETXATTR", sizeof(struct fuse_getxattr_in), 1, NO_DATA, { F(fuse_getxattr_in, size) } },
	[FUSE_LISTXATTR] = { "LISTXATTR", sizeof(struct fuse_getxattr_in), 0, NO_DATA,
			     { F(fuse_getxattr_in, size) } },
	[FUSE_REMOVEXATTR] = { "REMOVEXATTR", 0, 1, NO_DATA, {{ 0 }} },
	[FUSE_FLUSH] = { "FLUSH", sizeof(struct fuse_flush_in), 0, NO_DATA, {{ 0 }} },
	[FUSE_INIT] = { "INIT", 16, 0, REST,
			{ F(fuse_init_in, minor), F(fuse_init_in, max_readahead), X(fuse_init_in, flags) } },
	[FUSE_OPENDIR] = { "OPENDIR", sizeof(struct fuse_open_in), 0, NO_DATA, { X(fuse_open_in, flags) } },
	[FUSE_READDIR] = { "READDIR", sizeof(struct fuse_read_in), 0, NO_DATA,
			   { F(fuse_read_in, offset), F(fuse_read_in, size) } },
	[FUSE_RELEASEDIR] = { "RELEASEDIR", sizeof(struct fuse_release_in), 0, NO_DATA,
			      { X(fuse_release_in, flags) } },
	[FUSE_FSYNCDIR] = { "FSYNCDIR", sizeof(struct fuse_fsync_in), 0, NO_DATA,
			    { X(fuse_fsync_in, fsync_flags) } },
	[FUSE_GETLK] = { "GETLK", sizeof(struct fuse_lk_in), 0, NO_DATA, {{ 0 }} },
	[FUSE_SETLK] = { "SETLK", sizeof(struct fuse_lk_in), 0, NO_DATA, {{ 0 }} },
	[FUSE_SETLKW] = { "SETLKW", sizeof(struct fuse_lk_in), 0, NO_DATA, {{ 0 }} },
	[FUSE_ACCESS] = { "ACCESS", sizeof(struct fuse_access_in), 0, NO_DATA, { X(fuse_access_in, mask) } },
	[FUSE_CREATE] = { "CREATE", sizeof(struct fuse_create_in), 1, EXTENSIONS,
			  { X(fuse_create_in, flags), X(fuse_create_in, mode), X(fuse_create_in, umask) } },
	[FUSE_INTERRUPT] = { "INTERRUPT", sizeof(struct fuse_interrupt_in), 0, NO_DATA, {{ 0 }} },
	[FUSE_BMAP] = { "BMAP", sizeof(struct fuse_bmap_in), 0, NO_DATA,
			{ F(fuse_bmap_in, block), F(fuse_bmap_in, blocksize) } },
	[FUSE_DESTROY] = { "DESTROY", 0, 0, NO_DATA, {{ 0 }} },
	[FUSE_IOCTL] = { "IOCTL", sizeof(struct fuse_ioctl_in), 0, REST,
			 { X(fuse_ioctl_in, flags), X(fuse_ioctl_in, cmd), F(fuse_ioctl_in, in_size),
			   F(fuse_ioctl_in, out_size) } },
	[FUSE_POLL] = { "POLL", sizeof(struct fuse_poll_in), 0, NO_DATA,
			{ X(fuse_poll_in, flags), X(fuse_poll_in, events) } },
	[FUSE_NOTIFY_REPLY] = { "NOTIFY_REPLY", sizeof(struct fuse_notify_retrieve_in), 0, REST,
				{ F(fuse_notify_retrieve_in, offset), F(fuse_notify_retrieve_in, size) } },
	[FUSE_BATCH_FORGET] = { "BATCH_FORGET", sizeof(struct fuse_batch_forget_in), 0, REST,
				{ F(fuse_batch_forget_in, count) } },
	[FUSE_FALLOCATE] = { "FALLOCATE", sizeof(struct fuse_fallocate_in), 0, NO_DATA,
			     { F(fuse_fallocate_in, offset), F(fuse_fallocate_in, length),
			       X(fuse_fallocate_in, mode) } },
	[FUSE_READDIRPLUS] = { "READDIRPLUS", sizeof(struct fuse_read_in), 0, NO_DATA,
			       { F(fuse_read_in, offset), F(fuse_read_in, size) } },
	[FUSE_RENAME2] = { "RENAME2", sizeof(struct fuse_rename2_in), 2, NO_DATA,
			   { F(fuse_rename2_in, newdir), X(fuse_rename2_in, flags) } },
	[FUSE_LSEEK] = { "LSEEK", sizeof(struct fuse_lseek_in), 0, NO_DATA,
			 { F(fuse_lseek_in, offset), F(fuse_lseek_in, whence) } },
	[FUSE_COPY_FILE_RANGE] = { "COPY_FILE_RANGE", sizeof(struct fuse_copy_file_range_in), 0, NO_DATA,
				   { F(fuse_copy_file_range_in, off_in), F(fuse_copy_file_range_in, off_out),
				     F(fuse_copy_file_range_in, len) } },
	[FUSE_SYNCFS] = { "SYNCFS", sizeof(struct fuse_syncfs_in), 0, NO_DATA, {{ 0 }} },
	[FUSE_TMPFILE] = { "TMPFILE", sizeof(struct fuse_create_in), 1, EXTENSIONS,
			   { X(fuse_create_in, flags), X(fuse_create_in, mode) } },
	/* 7.39, not in every <linux/fuse.h> */
	[52] = { "STATX", 24, 0, NO_DATA, {{ 0 }} },
	/* 7.45: as COPY_FILE_RANGE, with a 64-bit answer */
	[53] = { "COPY_FILE_RANGE_64", sizeof(struct fuse_copy_file_range_in), 0, NO_DATA,
		 { F(fuse_copy_file_range_in, off_in), F(fuse_copy_file_range_in, off_out),
		   F(fuse_copy_file_range_in, len) } },
};

static const struct form *form_of(uint32_t opcode)
{
	if (opcode >= sizeof(forms) / sizeof(forms[0]) || !forms[opcode].name)
		return NULL;
	return &forms[opcode];
}

const char *kd_opcode_name(uint32_t opcode)
{
	static char text[16];
	const struct form *form = form_of(opcode);

	if (form)
		return form->name;
	snprintf(text, sizeof(text), "opcode-%u", opcode);
	return text;
}

/* ---- the trace ------------------------------------------------------ */

static int print_fields(char *out, size_t size, const struct form *form, const void *arg)
{
	int n = 0;

	for (size_t i = 0; arg && i < 4 && form->fields[i].name; i++) {
		const struct field *f = &form->fields[i];
		uint64_t value = 0;

		memcpy(&value, (const char *)arg + f->offset, f->size);
		n += snprintf(out + n, size - (size_t)n, f->hex ? " %s=0x%llx" : " %s=%lld", f->name,
			      (unsigned long long)value);
	}
	return n;
}

static void record(struct kd_req *r)
{
	const struct form *form = form_of(r->opcode);
	struct kd *kd = r->kd;
	char text[512];
	int n = snprintf(text, sizeof(text), "%s node=%llu len=%zu", kd_opcode_name(r->opcode),
			 (unsigned long long)r->nodeid, r->len);

	if (form)
		n += print_fields(text + n, sizeof(text) - (size_t)n, form, r->arg);
	if (r->name)
		n += snprintf(text + n, sizeof(text) - (size_t)n, " \"%.80s\"", r->name);
	if (r->name2)
		snprintf(text + n, sizeof(text) - (size_t)n, " \"%.80s\"", r->name2);
	kd->trace = realloc(kd->trace, (kd->trace_count + 1) * sizeof(*kd->trace));
	kd->trace[kd->trace_count++] = strdup(text);
	if (r->opcode < 64)
		kd->count[r->opcode]++;
}

/* ---- decoding ------------------------------------------------------- */

static void malformed(struct kd_req *r, const char *why)
{
	record(r);
	kd_fail(r->kd, "%s of %zu bytes: %s", kd_opcode_name(r->opcode), r->len, why);
}

/* The next name of the body at *@at; it must end before @end. */
static const char *take_name(struct kd_req *r, const uint8_t **at, const uint8_t *end)
{
	const uint8_t *name = *at, *nul = memchr(name, 0, (size_t)(end - name));

	if (!nul)
		malformed(r, "a name without an end");
	*at = nul + 1;
	return (const char *)name;
}

static size_t arg_len(const struct kd_req *r, const struct form *form)
{
	if (r->opcode == FUSE_SETXATTR && r->kd->flags & FUSE_SETXATTR_EXT)
		return sizeof(struct fuse_setxattr_in);
	return form->arg_len;
}

/* What the arguments say of the length of the bytes after them; -1: nothing. */
static int64_t told_data(const struct kd_req *r)
{
	switch (r->opcode) {
	case FUSE_WRITE:
		return ((const struct fuse_write_in *)r->arg)->size;
	case FUSE_SETXATTR:
		return ((const struct fuse_setxattr_in *)r->arg)->size;
	case FUSE_IOCTL:
		return ((const struct fuse_ioctl_in *)r->arg)->in_size;
	case FUSE_BATCH_FORGET:
		return (int64_t)(((const struct fuse_batch_forget_in *)r->arg)->count *
				 sizeof(struct fuse_forget_one));
	case FUSE_NOTIFY_REPLY:
		return ((const struct fuse_notify_retrieve_in *)r->arg)->size;
	}
	return -1;
}

static void decode_body(struct kd_req *r, const struct form *form)
{
	const uint8_t *at = r->bytes + sizeof(*r->in), *end = r->bytes + r->len;
	size_t len = arg_len(r, form);

	end -= 8 * (size_t)r->in->total_extlen;
	if (at + len > end)
		malformed(r, "shorter than its arguments");
	r->arg = len ? at : NULL;
	at += len;
	if (form->names > 0)
		r->name = take_name(r, &at, end);
	if (form->names > 1)
		r->name2 = take_name(r, &at, end);
	r->data = at;
	r->data_len = (size_t)(end - at);
	if (form->data == NO_DATA && r->data_len)
		malformed(r, "longer than its arguments");
	if (told_data(r) >= 0 && (uint64_t)told_data(r) != r->data_len)
		malformed(r, "its data is not as long as its arguments say");
}

struct kd_req *kd_decode(struct kd *kd, int fd, const void *bytes, size_t len)
{
	struct kd_req *r = calloc(1, sizeof(*r));
	const struct form *form;

	if ((ssize_t)len < 0)		/* what a read said */
		kd_fail(kd, "a request could not be read: %s", case_value((ssize_t)len));
	r->kd = kd;
	r->fd = fd;
	r->bytes = malloc(len + 1);
	memcpy(r->bytes, bytes, len);
	r->len = len;
	r->in = (const struct fuse_in_header *)r->bytes;
	if (len < sizeof(*r->in))
		kd_fail(kd, "a request of %zu bytes", len);
	r->opcode = r->in->opcode;
	r->unique = r->in->unique;
	r->nodeid = r->in->nodeid;
	if (r->in->len != len)
		malformed(r, "its header claims another length");
	form = form_of(r->opcode);
	if (form)
		decode_body(r, form);
	record(r);
	return r;
}

/* ---- reading -------------------------------------------------------- */

ssize_t kd_read_raw(struct kd *kd, void *buf, size_t size)
{
	ssize_t n;

	case_fault_in(buf, size, true);
	case_fail_daemon_begin();
	n = read(kd->fd, buf, size);
	case_fail_nth_end();
	return n < 0 ? -errno : n;
}

static bool wanted(const struct kd_req *r, uint32_t opcode, uint64_t nodeid)
{
	return opcode && r->opcode == opcode && (!nodeid || r->nodeid == nodeid);
}

/* One request, if there is one; NULL with kd->dead if there will be none. */
static struct kd_req *read_one(struct kd *kd)
{
	static uint8_t buffer[KD_BUFFER];
	ssize_t n = kd_read_raw(kd, buffer, sizeof(buffer));

	if (n >= 0)
		return kd_decode(kd, kd->fd, buffer, (size_t)n);
	if (n != -EAGAIN && n != -EINTR && n != -ENOENT) {
		kd->dead = true;
		kd->dead_error = (int)n;
	}
	return NULL;
}

/* The next request that is @opcode (0: any) or not answered unasked. */
static struct kd_req *next_request(struct kd *kd, int ms, uint32_t opcode, uint64_t nodeid)
{
	struct pollfd p = { .fd = kd->fd, .events = POLLIN };
	struct kd_req *r;

	while (!kd->dead) {
		int n = poll(&p, 1, ms);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return NULL;
		r = read_one(kd);
		if (r && (wanted(r, opcode, nodeid) || !kd_serve(r)))
			return r;
	}
	return NULL;
}

struct kd_req *kd_next(struct kd *kd, int ms)
{
	return next_request(kd, ms, 0, 0);
}

/* How long a request is worth waiting for: not long if no caller is left to cause it. */
static int patience(const struct kd *kd)
{
	return kernel_ms(kernel_failing() && !kd_calls_pending(kd) ? 100 : KD_WAIT_MS);
}

struct kd_req *(kd_expect)(struct kd *kd, uint32_t opcode, uint64_t nodeid)
{
	struct kd_req *r = NULL;
	int left = patience(kd);

	while (!r && left > 0 && !kd->dead) {
		r = next_request(kd, 50, opcode, nodeid);
		left -= 50;
		if (left > kernel_ms(500) && kd->calls && !kd_calls_pending(kd))
			left = kernel_ms(500);
	}
	if (!r && kd->dead)
		kd_fail(kd, "no %s: reading the channel gave %s", kd_opcode_name(opcode),
			case_value(kd->dead_error));
	if (!r)
		kd_fail(kd, "no %s for node %llu came", kd_opcode_name(opcode), (unsigned long long)nodeid);
	if (!wanted(r, opcode, nodeid))
		kd_fail(kd, "%s for node %llu came, not %s for node %llu", kd_opcode_name(r->opcode),
			(unsigned long long)r->nodeid, kd_opcode_name(opcode), (unsigned long long)nodeid);
	return r;
}

void (kd_no_request)(struct kd *kd, int ms)
{
	struct kd_req *r = kd_next(kd, kernel_ms(ms));

	if (r)
		kd_fail(kd, "%s for node %llu came unexpectedly", kd_opcode_name(r->opcode),
			(unsigned long long)r->nodeid);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fakekernel.c: the session's thread, the channel, and replies matched to
 * requests.  The calls by opcode are in fakekernel_calls.c.
 *
 * A thread of our own reads the channel, so that the session never waits for
 * a test that is slow to take its replies.  Uniques are even and rise by two,
 * as the kernel's do; that of an interrupt is the request's plus one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "fakekernel.h"
#include "node.h"

struct answer {
	struct answer *next;
	uint64_t unique;
	struct fk_reply reply;
};

struct owed {
	struct owed *next;
	uint64_t unique;
};

struct lookups {
	uint64_t nodeid, count;
};

#define FK_MOST_NOTICES 64

struct fk {
	struct fuseblk_volume *vol;
	struct fb_session *session;
	pthread_t server, reader;
	int sock;
	int run_result;
	uint32_t max_write;
	struct fuse_init_out init;
	bool destroyed;

	pthread_mutex_t lock;		/* everything below */
	pthread_cond_t arrived;
	struct answer *answers;
	struct owed *owed;
	struct lookups *lookups;
	size_t lookup_count, lookup_room;
	uint64_t last_unique;
	bool ended;			/* the session closed its end */
	char violation[256];		/* the first breach of the protocol, "" if none */
	uint64_t replies;
	struct fk_notice notices[FK_MOST_NOTICES];
	size_t notice_count;
};

static _Thread_local uint32_t caller_uid, caller_gid, caller_pid;

static void violation(struct fk *fk, const char *what, uint64_t unique, long value)
{
	if (!fk->violation[0])
		snprintf(fk->violation, sizeof(fk->violation),
			 "reply to %llu: %s (%ld)", (unsigned long long)unique, what, value);
}

/* ---- the reader ----------------------------------------------------- */

static bool take_owed(struct fk *fk, uint64_t unique)
{
	for (struct owed **at = &fk->owed; *at; at = &(*at)->next) {
		struct owed *owed = *at;

		if (owed->unique != unique)
			continue;
		*at = owed->next;
		free(owed);
		return true;
	}
	return false;
}

static void file_answer(struct fk *fk, const struct fuse_out_header *head,
			const uint8_t *body, size_t len)
{
	struct answer *answer = calloc(1, sizeof(*answer));

	if (!answer)
		abort();
	answer->unique = head->unique;
	answer->reply.error = head->error;
	answer->reply.len = len;
	answer->reply.body = malloc(len ? len : 1);
	if (!answer->reply.body)
		abort();
	memcpy(answer->reply.body, body, len);
	answer->next = fk->answers;
	fk->answers = answer;
}

static void file_notice(struct fk *fk, const struct fk_notice *notice)
{
	if (fk->notice_count < FK_MOST_NOTICES) {
		fk->notices[fk->notice_count] = *notice;
		fk->notices[fk->notice_count++].after = fk->replies;
	}
}

/* Returns true if it is a good notification. */
static bool take_notice(struct fk *fk, int code, const uint8_t *body, size_t len)
{
	struct fk_notice notice = { .code = code };
	struct fuse_notify_inval_entry_out entry;
	struct fuse_notify_prune_out prune;

	if (code == FUSE_NOTIFY_INVAL_INODE && len == sizeof(struct fuse_notify_inval_inode_out)) {
		memcpy(&notice.nodeid, body, sizeof(notice.nodeid));
	} else if (code == FUSE_NOTIFY_INVAL_ENTRY && len > sizeof(entry)) {
		memcpy(&entry, body, sizeof(entry));
		body += sizeof(entry);
		len -= sizeof(entry);
		if (entry.namelen > 1024 || len != entry.namelen + 1 || body[entry.namelen] ||
		    strlen((const char *)body) != entry.namelen)
			return false;
		notice.nodeid = entry.parent;
		memcpy(&notice.flags, (const uint8_t *)&entry + sizeof(entry) - 4, 4);
		memcpy(notice.name, body, len);
	} else if (code == (int)FUSE_NOTIFY_PRUNE && len == sizeof(prune) + 8) {
		memcpy(&prune, body, sizeof(prune));
		memcpy(&notice.nodeid, body + sizeof(prune), 8);
		if (prune.count != 1 || prune.padding || prune.spare)
			return false;
	} else {
		return false;
	}
	file_notice(fk, &notice);
	return true;
}

/* What the kernel checks of any reply before it looks at the body. */
static void take_reply(struct fk *fk, const uint8_t *bytes, size_t len)
{
	struct fuse_out_header head;

	if (len < sizeof(head)) {
		violation(fk, "shorter than a header", 0, (long)len);
		return;
	}
	memcpy(&head, bytes, sizeof(head));
	if (head.len != len)
		violation(fk, "length differs from the header's", head.unique, head.len);
	else if (!head.unique && head.error > 0 &&
		 take_notice(fk, head.error, bytes + sizeof(head), len - sizeof(head)))
		return;			/* no reply */
	else if (head.error > 0 || head.error < -511)
		violation(fk, "error out of range", head.unique, head.error);
	else if (head.error && len != sizeof(head))
		violation(fk, "an error with a body", head.unique, (long)len);
	else if (!take_owed(fk, head.unique) && !(head.unique & 1))
		violation(fk, "nobody asked, or answered before", head.unique, head.error);
	fk->replies++;
	file_answer(fk, &head, bytes + sizeof(head), len - sizeof(head));
}

/* An INTERRUPT came too early or too late: the kernel sends it again while its request runs. */
static bool wants_again(struct fk *fk, const uint8_t *bytes, size_t len, uint64_t *unique)
{
	struct fuse_out_header head;

	if (len != sizeof(head))
		return false;
	memcpy(&head, bytes, sizeof(head));
	if (!(head.unique & 1) || head.error != -EAGAIN)
		return false;
	for (struct owed *o = fk->owed; o; o = o->next)
		if (o->unique == (head.unique & ~1ull)) {
			*unique = o->unique;
			return true;
		}
	return false;
}

static void *reader_main(void *arg)
{
	struct fk *fk = arg;
	uint64_t again;
	bool resend;
	uint8_t *bytes = malloc(FK_MESSAGE_MAX);
	ssize_t n;

	if (!bytes)
		abort();
	while ((n = recv(fk->sock, bytes, FK_MESSAGE_MAX, 0)) > 0 ||
	       (n < 0 && errno == EINTR)) {
		if (n < 0)
			continue;
		pthread_mutex_lock(&fk->lock);
		take_reply(fk, bytes, (size_t)n);
		resend = wants_again(fk, bytes, (size_t)n, &again);
		pthread_cond_broadcast(&fk->arrived);
		pthread_mutex_unlock(&fk->lock);
		if (resend)
			fk_interrupt(fk, again);
	}
	pthread_mutex_lock(&fk->lock);
	fk->ended = true;
	pthread_cond_broadcast(&fk->arrived);
	pthread_mutex_unlock(&fk->lock);
	free(bytes);
	return NULL;
}

/* ---- life ----------------------------------------------------------- */

static void *server_main(void *arg)
{
	struct fk *fk = arg;

	fk->run_result = fb_session_run(fk->session);
	return NULL;
}

/* As large as we may have it; returns how much data then fits in a message. */
static uint32_t widen(int sock)
{
	int want = 2 * FK_MESSAGE_MAX, have;
	socklen_t len = sizeof(have);

	if (setsockopt(sock, SOL_SOCKET, SO_SNDBUFFORCE, &want, sizeof(want)))
		setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &want, sizeof(want));
	if (getsockopt(sock, SOL_SOCKET, SO_SNDBUF, &have, &len))
		return 65536;
	have -= 8192;
	return have >= 1 << 20 ? 1u << 20 : (uint32_t)have & ~4095u;
}

static void free_fk(struct fk *fk)
{
	while (fk->answers) {
		struct answer *next = fk->answers->next;

		free(fk->answers->reply.body);
		free(fk->answers);
		fk->answers = next;
	}
	while (fk->owed)
		take_owed(fk, fk->owed->unique);
	free(fk->lookups);
	pthread_cond_destroy(&fk->arrived);
	pthread_mutex_destroy(&fk->lock);
	free(fk);
}

static struct fk *new_fk(void)
{
	struct fk *fk = calloc(1, sizeof(*fk));
	pthread_condattr_t attr;

	if (!fk)
		return NULL;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&fk->arrived, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&fk->lock, NULL);
	return fk;
}

static int start_session(struct fk *fk)
{
	struct fb_session_args args = { .vol = fk->vol, .flags = FB_SESSION_SOCKET };
	int pair[2], err;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	fk->sock = pair[0];
	fk->max_write = widen(pair[0]);
	widen(pair[1]);
	args.channel = pair[1];
	err = fb_session_new(&args, &fk->session);
	if (err)
		goto close_sock;
	err = -pthread_create(&fk->server, NULL, server_main, fk);
	if (err)
		goto free_session;
	err = -pthread_create(&fk->reader, NULL, reader_main, fk);
	if (err)
		goto stop_server;
	return 0;

stop_server:
	shutdown(fk->sock, SHUT_RDWR);
	pthread_join(fk->server, NULL);
free_session:
	fb_session_free(fk->session);
close_sock:
	close(fk->sock);
	return err;
}

int fk_start(const struct fuseblk_driver *driver, struct fb_device *device,
	     const char *options, struct fk **out, char *error, size_t error_size)
{
	struct fk *fk = new_fk();
	int err;

	if (!fk) {
		fb_device_close(device);
		return -ENOMEM;
	}
	err = fb_volume_new(driver, device, "test", options ? options : "",
			    &fk->vol, error, error_size);
	if (err)
		goto free_fk;
	err = start_session(fk);
	if (err)
		goto free_volume;
	*out = fk;
	return 0;

free_volume:
	fb_volume_free(fk->vol);
free_fk:
	free_fk(fk);
	return err;
}

struct fk *fk_start_ready(const struct fuseblk_driver *driver,
			  struct fb_device *device, const char *options)
{
	char error[256] = "";
	struct fk *fk = NULL;
	int err = fk_start(driver, device, options, &fk, error, sizeof(error));

	if (err)
		fail_msg("fk_start: %d: %s", err, error);
	err = fk_init(fk, FB_PROTO_MINOR_MAX, FK_OFFER_ALL);
	if (err)
		fail_msg("INIT: %d", err);
	return fk;
}

static int finish(struct fk *fk)
{
	char broken[sizeof(fk->violation)];
	int result;

	shutdown(fk->sock, SHUT_RDWR);
	pthread_join(fk->server, NULL);
	pthread_join(fk->reader, NULL);
	fb_session_free(fk->session);
	fb_volume_free(fk->vol);
	close(fk->sock);
	result = fk->run_result;
	memcpy(broken, fk->violation, sizeof(broken));
	free_fk(fk);
	if (broken[0])
		fail_msg("%s", broken);
	return result;
}

int fk_stop(struct fk *fk)
{
	if (!fk->destroyed)
		fk_destroy(fk);
	return finish(fk);
}

int fk_abort(struct fk *fk)
{
	return finish(fk);
}

struct fuseblk_volume *fk_volume(struct fk *fk)
{
	return fk->vol;
}

const struct fuse_init_out *fk_init_reply(struct fk *fk)
{
	return &fk->init;
}

uint32_t fk_max_write(struct fk *fk)
{
	return fk->max_write;
}

void fk_as(struct fk *fk, uint32_t uid, uint32_t gid)
{
	(void)fk;
	caller_uid = uid;
	caller_gid = gid;
}

void fk_as_thread(struct fk *fk, uint32_t pid)
{
	(void)fk;
	caller_pid = pid;
}

uint64_t fk_replies(struct fk *fk)
{
	uint64_t replies;

	pthread_mutex_lock(&fk->lock);
	replies = fk->replies;
	pthread_mutex_unlock(&fk->lock);
	return replies;
}

size_t fk_notices(struct fk *fk, struct fk_notice *list, size_t want, size_t max)
{
	struct timespec until;
	size_t n;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += 500000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&fk->lock);
	while (fk->notice_count < want && !fk->ended &&
	       !pthread_cond_timedwait(&fk->arrived, &fk->lock, &until))
		;
	n = fk->notice_count < max ? fk->notice_count : max;
	memcpy(list, fk->notices, n * sizeof(*list));
	fk->notice_count = 0;
	pthread_mutex_unlock(&fk->lock);
	return n;
}

/* What a 7.45 kernel offered, as logged by a raw server; see reference/protocol.md. */
#define OFFERED (0x73fffffbull | 0x5fdull << 32)

int fk_init(struct fk *fk, uint32_t minor, uint64_t flags)
{
	struct fuse_init_in in = {
		.major = FB_PROTO_MAJOR, .minor = minor, .max_readahead = 131072,
	};
	struct fk_args args = { .opcode = FUSE_INIT, .args = &in };
	ssize_t n;

	if (flags == FK_OFFER_ALL)
		flags = OFFERED;
	in.flags = (uint32_t)flags;
	in.flags2 = flags >> 32;
	args.args_len = flags & FUSE_INIT_EXT ? sizeof(in) : FB_INIT_IN_SHORT;
	n = fk_call(fk, &args, &fk->init, sizeof(fk->init));
	if (n < 0)
		return (int)n;
	if (n != sizeof(fk->init))
		return -EPROTO;
	if (fk->init.max_write < fk->max_write)
		fk->max_write = fk->init.max_write;
	return 0;
}

int fk_destroy(struct fk *fk)
{
	struct fk_args args = { .opcode = FUSE_DESTROY };

	return (int)fk_call(fk, &args, NULL, 0);
}

/* ---- messages ------------------------------------------------------- */

static bool expects_reply(uint32_t opcode)
{
	return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET &&
	       opcode != FUSE_INTERRUPT && opcode != FUSE_NOTIFY_REPLY;
}

static void owe(struct fk *fk, uint64_t unique)
{
	struct owed *owed = malloc(sizeof(*owed));

	if (!owed)
		abort();
	owed->unique = unique;
	owed->next = fk->owed;
	fk->owed = owed;
}

int fk_send_raw(struct fk *fk, const void *bytes, size_t len)
{
	struct fuse_in_header head;

	if (len >= sizeof(head)) {
		memcpy(&head, bytes, sizeof(head));
		pthread_mutex_lock(&fk->lock);
		if (expects_reply(head.opcode))
			owe(fk, head.unique);
		if (head.opcode == FUSE_DESTROY)
			fk->destroyed = true;
		pthread_mutex_unlock(&fk->lock);
	}
	return send(fk->sock, bytes, len, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

uint64_t fk_send(struct fk *fk, struct message *m)
{
	struct fuse_in_header *head = message_head(m);
	uint64_t unique;

	pthread_mutex_lock(&fk->lock);
	unique = fk->last_unique += 2;
	pthread_mutex_unlock(&fk->lock);
	if (m->len >= sizeof(*head)) {
		head->unique = unique;
		head->uid = caller_uid;
		head->gid = caller_gid;
		if (caller_pid)
			head->pid = caller_pid;
	}
	fk_send_raw(fk, m->bytes, m->len);
	message_free(m);
	return unique;
}

static bool take_answer(struct fk *fk, uint64_t unique, struct fk_reply *out)
{
	for (struct answer **at = &fk->answers; *at; at = &(*at)->next) {
		struct answer *answer = *at;

		if (answer->unique != unique)
			continue;
		*at = answer->next;
		*out = answer->reply;
		free(answer);
		return true;
	}
	return false;
}

struct fk_reply fk_await(struct fk *fk, uint64_t unique)
{
	struct fk_reply reply = { .error = -ETIMEDOUT };
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += FK_TIMEOUT_SECONDS;
	pthread_mutex_lock(&fk->lock);
	while (!take_answer(fk, unique, &reply)) {
		if (fk->ended) {
			reply.error = -EPIPE;
			break;
		}
		if (pthread_cond_timedwait(&fk->arrived, &fk->lock, &until))
			break;
	}
	pthread_mutex_unlock(&fk->lock);
	return reply;
}

bool fk_has_reply(struct fk *fk, uint64_t unique)
{
	bool found = false;

	pthread_mutex_lock(&fk->lock);
	for (struct answer *a = fk->answers; a && !found; a = a->next)
		found = a->unique == unique;
	pthread_mutex_unlock(&fk->lock);
	return found;
}

int fk_exchange(struct fk *fk, struct message *m)
{
	struct fk_reply reply = fk_await(fk, fk_send(fk, m));

	free(reply.body);
	return reply.error;
}

void fk_interrupt(struct fk *fk, uint64_t unique)
{
	struct message m = message_new(FUSE_INTERRUPT, unique | 1, 0);

	message_add(&m, &(struct fuse_interrupt_in) { unique }, sizeof(struct fuse_interrupt_in));
	fk_send_raw(fk, m.bytes, m.len);
	message_free(&m);
}

uint64_t fk_call_async(struct fk *fk, const struct fk_args *args)
{
	struct message m = message_new(args->opcode, 0, args->nodeid);

	message_add(&m, args->args, args->args_len);
	if (args->name)
		message_add_string(&m, args->name);
	if (args->name2)
		message_add_string(&m, args->name2);
	message_add(&m, args->bytes, args->bytes_len);
	return fk_send(fk, &m);
}

/* ---- lookup counts -------------------------------------------------- */

static struct lookups *find_lookups(struct fk *fk, uint64_t nodeid)
{
	for (size_t i = 0; i < fk->lookup_count; i++)
		if (fk->lookups[i].nodeid == nodeid)
			return &fk->lookups[i];
	if (fk->lookup_count == fk->lookup_room) {
		fk->lookup_room = 2 * fk->lookup_room + 64;
		fk->lookups = realloc(fk->lookups, fk->lookup_room * sizeof(*fk->lookups));
		if (!fk->lookups)
			abort();
	}
	fk->lookups[fk->lookup_count] = (struct lookups) { .nodeid = nodeid };
	return &fk->lookups[fk->lookup_count++];
}

static void count_lookup(struct fk *fk, uint64_t nodeid)
{
	if (!nodeid || nodeid == FUSE_ROOT_ID)
		return;
	pthread_mutex_lock(&fk->lock);
	find_lookups(fk, nodeid)->count++;
	pthread_mutex_unlock(&fk->lock);
}

/* Every record of a READDIRPLUS reply that names a node is a lookup. */
static void count_direntplus(struct fk *fk, const uint8_t *at, size_t left)
{
	struct fuse_direntplus d;

	while (left >= FUSE_NAME_OFFSET_DIRENTPLUS) {
		size_t size;

		memcpy(&d, at, FUSE_NAME_OFFSET_DIRENTPLUS);
		size = FUSE_DIRENTPLUS_SIZE(&d);
		if (size > left)
			return;
		count_lookup(fk, d.entry_out.nodeid);
		at += size;
		left -= size;
	}
}

static void count_reply(struct fk *fk, uint32_t opcode, const struct fk_reply *reply)
{
	switch (opcode) {
	case FUSE_LOOKUP:
	case FUSE_SYMLINK:
	case FUSE_MKNOD:
	case FUSE_MKDIR:
	case FUSE_LINK:
	case FUSE_CREATE:
	case FUSE_TMPFILE:
		if (reply->len >= sizeof(struct fuse_entry_out))
			count_lookup(fk, ((struct fuse_entry_out *)reply->body)->nodeid);
		break;
	case FUSE_READDIRPLUS:
		count_direntplus(fk, reply->body, reply->len);
		break;
	}
}

ssize_t fk_call(struct fk *fk, const struct fk_args *args, void *out, size_t out_size)
{
	struct fk_reply reply = fk_await(fk, fk_call_async(fk, args));
	ssize_t result = reply.error;

	if (!reply.error) {
		count_reply(fk, args->opcode, &reply);
		result = -EPROTO;
	}
	if (!reply.error && reply.len <= out_size) {
		if (reply.len)
			memcpy(out, reply.body, reply.len);
		result = (ssize_t)reply.len;
	}
	free(reply.body);
	return result;
}

uint64_t fk_lookups(struct fk *fk, uint64_t nodeid)
{
	uint64_t count;

	pthread_mutex_lock(&fk->lock);
	count = find_lookups(fk, nodeid)->count;
	pthread_mutex_unlock(&fk->lock);
	return count;
}

static void send_forget(struct fk *fk, uint64_t nodeid, uint64_t n)
{
	struct message m = message_new(FUSE_FORGET, 0, nodeid);

	message_add(&m, &(struct fuse_forget_in) { n }, sizeof(struct fuse_forget_in));
	fk_send(fk, &m);
}

void fk_forget(struct fk *fk, uint64_t nodeid, uint64_t n)
{
	struct lookups *lookups;

	pthread_mutex_lock(&fk->lock);
	lookups = find_lookups(fk, nodeid);
	lookups->count -= n < lookups->count ? n : lookups->count;
	pthread_mutex_unlock(&fk->lock);
	send_forget(fk, nodeid, n);
}

void fk_forget_known(struct fk *fk, uint64_t nodeid)
{
	bool known;

	pthread_mutex_lock(&fk->lock);
	known = find_lookups(fk, nodeid)->count > 0;
	if (known)
		find_lookups(fk, nodeid)->count--;
	pthread_mutex_unlock(&fk->lock);
	if (known)
		send_forget(fk, nodeid, 1);
}

void fk_forget_all(struct fk *fk)
{
	struct message m = message_new(FUSE_BATCH_FORGET, 0, 0);
	struct fuse_batch_forget_in in = { 0 };

	message_add(&m, &in, sizeof(in));
	pthread_mutex_lock(&fk->lock);
	for (size_t i = 0; i < fk->lookup_count; i++) {
		if (!fk->lookups[i].count)
			continue;
		message_add(&m, &(struct fuse_forget_one) {
			    fk->lookups[i].nodeid, fk->lookups[i].count },
			    sizeof(struct fuse_forget_one));
		fk->lookups[i].count = 0;
		in.count++;
	}
	pthread_mutex_unlock(&fk->lock);
	memcpy(m.bytes + sizeof(struct fuse_in_header), &in, sizeof(in));
	fk_send(fk, &m);
}

static bool agree_now(struct fk *fk)
{
	bool same = true;

	pthread_mutex_lock(&fk->lock);
	for (size_t i = 0; i < fk->lookup_count && same; i++)
		same = fk->lookups[i].count ==
		       fb_node_lookup_count(fk->vol, fb_ino_of_nodeid(fk->vol, fk->lookups[i].nodeid));
	pthread_mutex_unlock(&fk->lock);
	return same;
}

bool fk_lookups_agree(struct fk *fk)
{
	if (fk->destroyed)
		return true;		/* the volume is closed */
	for (int i = 0; i < 300; i++) {
		if (agree_now(fk))
			return true;
		usleep(10000);
	}
	return false;
}

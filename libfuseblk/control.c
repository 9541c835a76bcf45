// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * control.c: one thread that answers the control socket: one request and one
 * answer per connection, from root or from the user the daemon runs as.  A
 * peer that says nothing is dropped after a while.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "proc.h"
#include "control.h"
#include "node.h"
#include "options.h"
#include "start.h"

#define PATIENCE_MS 5000

struct fb_control {
	struct fuseblk_volume *vol;
	pthread_t thread;
	int listener, stop;
	char path[108];
};

/* ---- what is answered ----------------------------------------------- */

static int status(struct fuseblk_volume *vol, const char *options, int *fd, char *text, size_t size)
{
	struct fb_node_stats nodes;
	struct fb_cache_stats cache;

	(void)options;
	(void)fd;
	fb_node_get_stats(vol, &nodes);
	fb_cache_get_stats(vol->cache, &cache);
	snprintf(text, size,
		 "source %s\ntype %s\nversion %s\nlabel %s\nuuid %s\nread_only %d\nerror %d\n"
		 "damaged %d\nnodes %llu\nactive_nodes %llu\nnode_bytes %llu\n"
		 "cache_bytes %llu\ndirty_bytes %llu\ncache_hits %llu\ncache_misses %llu\n"
		 "commits %llu\nflushes %llu\nblocks_written %llu\n",
		 vol->source, vol->driver->name, vol->driver->version ? vol->driver->version : "",
		 vol->info.label, vol->info.uuid, fuseblk_is_read_only(vol),
		 -atomic_load(&vol->error), atomic_load(&vol->corrupted),
		 (unsigned long long)nodes.records, (unsigned long long)nodes.active,
		 (unsigned long long)nodes.bytes, (unsigned long long)cache.bytes,
		 (unsigned long long)cache.dirty_bytes, (unsigned long long)cache.hits,
		 (unsigned long long)cache.misses, (unsigned long long)cache.commits,
		 (unsigned long long)cache.flushes, (unsigned long long)cache.blocks_written);
	return 0;
}

/* Every option must be one the driver knows; errors= takes effect, its others keep their values. */
static int check_driver_options(struct fuseblk_volume *vol, const char *options,
				char *text, size_t size)
{
	static const char *const policies[] = { "continue", "remount-ro", "panic" };
	const struct fuseblk_driver *driver = vol->driver;
	void *scratch = calloc(1, driver->options_size ? driver->options_size : 1);
	const char *last = NULL, *p;
	int err;

	if (!scratch)
		return -ENOMEM;
	if (driver->options_init)
		driver->options_init(scratch);
	err = fuseblk_options_parse(driver->options, options, scratch, text, size);
	fb_options_free(driver->options, scratch);
	for (p = options; !err && (p = strstr(p, "errors=")); p += 7)
		if (p == options || p[-1] == ',')
			last = p + 7;
	for (unsigned i = 0; last && i < 3; i++)
		if (!strncmp(last, policies[i], strlen(policies[i])))
			fuseblk_set_errors(vol, (enum fuseblk_errors)i);
	return err;
}

static int new_options(struct fuseblk_volume *vol, const char *options, bool apply,
		       char *text, size_t size)
{
	struct fb_options fresh;
	int err = fb_options_split(options, &fresh, text, size);

	if (!err) {
		err = check_driver_options(vol, fresh.driver_options, text, size);
		free(fresh.driver_options);
	}
	if (err == -EINVAL)
		err = -FB_BAD_OPTIONS;
	if (err || !apply)
		return err;
	vol->options.sync = fresh.sync;
	vol->options.dirsync = fresh.dirsync;
	vol->options.atime = fresh.atime;
	vol->options.nodiratime = fresh.nodiratime;
	vol->options.debug = fresh.debug;
	if (fresh.commit_seconds) {
		vol->options.commit_seconds = fresh.commit_seconds;
		fb_volume_set_interval(vol, true);
	}
	return 0;
}

static int prepare_ro(struct fuseblk_volume *vol, const char *options, int *fd,
		      char *text, size_t size)
{
	(void)fd;
	return new_options(vol, options, false, text, size);
}

static int remount_ro(struct fuseblk_volume *vol, const char *options, int *fd,
		      char *text, size_t size)
{
	int err = new_options(vol, options, true, text, size);

	(void)fd;
	return err ? err : fb_volume_remount_ro(vol, text, size);
}

static int remount_rw(struct fuseblk_volume *vol, const char *options, int *fd,
		      char *text, size_t size)
{
	int err = new_options(vol, options, true, text, size), given = *fd;

	if (err || !atomic_load(&vol->read_only))
		return err;
	if (given < 0) {
		snprintf(text, size, "%s: no writable descriptor was sent", vol->source);
		return -EINVAL;
	}
	*fd = -1;
	return fb_volume_remount_rw(vol, given, text, size);
}

static int sync_volume(struct fuseblk_volume *vol, const char *options, int *fd,
		       char *text, size_t size)
{
	(void)options;
	(void)fd;
	(void)text;
	(void)size;
	return fb_commit(vol->cache);
}

static int (*const verbs[])(struct fuseblk_volume *vol, const char *options, int *fd,
			    char *text, size_t size) = {
	[FB_CONTROL_STATUS] = status,
	[FB_CONTROL_REMOUNT_RO_PREPARE] = prepare_ro,
	[FB_CONTROL_REMOUNT_RO] = remount_ro,
	[FB_CONTROL_REMOUNT_RW] = remount_rw,
	[FB_CONTROL_SYNC] = sync_volume,
};

/* ---- the socket ----------------------------------------------------- */

static bool is_allowed(int sock)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return false;
	return peer.uid == 0 || peer.uid == geteuid();
}

static void answer(struct fuseblk_volume *vol, int sock)
{
	static struct fb_control_request request;	/* one thread */
	static struct fb_control_answer reply;
	unsigned nfds = 0;
	int fd = -1;

	if (fb_start_recv(sock, &request, sizeof(request), &fd, 1, &nfds))
		return;
	if (!nfds)
		fd = -1;
	request.options[sizeof(request.options) - 1] = '\0';
	memset(&reply, 0, sizeof(reply));
	reply.magic = FB_START_MAGIC;
	if (!is_allowed(sock))
		reply.error = -EPERM;
	else if (request.magic != FB_START_MAGIC ||
		 request.verb >= sizeof(verbs) / sizeof(verbs[0]) || !verbs[request.verb])
		reply.error = -EPROTO;
	else
		reply.error = verbs[request.verb](vol, request.options, &fd, reply.text,
						  sizeof(reply.text));
	if (reply.error && !reply.text[0])
		snprintf(reply.text, sizeof(reply.text), "%s: %s", vol->source,
			 strerror(-reply.error));
	if (fd >= 0)
		close(fd);
	fb_start_send(sock, &reply, sizeof(reply), NULL, 0);
}

/* Wait until @fd has something or this thread is to stop (then false). */
static bool wait_for(struct fb_control *c, int fd, int ms)
{
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = c->stop, .events = POLLIN } };
	int n;

	do {
		n = poll(p, 2, ms);
	} while (n < 0 && errno == EINTR);
	return n > 0 && !p[1].revents;
}

static void *control_main(void *arg)
{
	struct fb_control *c = arg;

	while (wait_for(c, c->listener, -1)) {
		int sock = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC);

		if (sock < 0 && (errno == EINTR || errno == EAGAIN || errno == ECONNABORTED))
			continue;
		if (sock < 0)
			break;
		if (wait_for(c, sock, PATIENCE_MS))
			answer(c->vol, sock);
		close(sock);
	}
	return NULL;
}

static void release(struct fb_control *c)
{
	close(c->listener);
	if (c->stop >= 0)
		close(c->stop);
	free(c);
}

int fb_control_start(struct fuseblk_volume *vol, int fd, const char *path, struct fb_control **out)
{
	struct fb_control *c = calloc(1, sizeof(*c));
	int err;

	if (!c) {
		close(fd);
		return -ENOMEM;
	}
	c->vol = vol;
	c->listener = fd;
	snprintf(c->path, sizeof(c->path), "%s", path);
	c->stop = eventfd(0, EFD_CLOEXEC);
	err = c->stop < 0 ? -errno : -pthread_create(&c->thread, NULL, control_main, c);
	if (err) {
		release(c);
		return err;
	}
	*out = c;
	return 0;
}

void fb_control_stop(struct fb_control *c)
{
	const uint64_t one = 1;
	ssize_t n;

	if (!c)
		return;
	fb_proc_unlink_control(c->path);
	n = write(c->stop, &one, sizeof(one));
	(void)n;
	pthread_join(c->thread, NULL);
	release(c);
}

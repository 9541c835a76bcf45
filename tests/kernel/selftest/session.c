// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The smallest test of a rig: a FUSE session by hand, INIT and the GETATTRs of
 * stat(2), answered by this very program; then ways to go wrong on purpose,
 * chosen by the first argument.
 *
 *	session			prints what happened, ends with 0
 *	session stay		ends while it is mounted
 *	session status N	ends with N
 *	session sleep N		sleeps N seconds
 *	session hang		waits for an answer nobody gives
 *	session fail-nth	makes an allocation fail
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR "/mnt/session"

static int channel;

static int mount_it(void)
{
	char options[128];

	mkdir(DIR, 0755);
	channel = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (channel < 0)
		return -errno;
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", channel);
	return mount("session", DIR, "fuse", 0, options) == 0 ? 0 : -errno;
}

static void reply(uint64_t unique, int error, const void *body, size_t length)
{
	char out[512];
	struct fuse_out_header h = { .len = (uint32_t)(sizeof(h) + length), .error = error, .unique = unique };

	memcpy(out, &h, sizeof(h));
	if (length)
		memcpy(out + sizeof(h), body, length);
	if (write(channel, out, h.len) != (ssize_t)h.len)
		printf("reply: %s\n", strerror(errno));
}

static void answer(const struct fuse_in_header *in, const void *body)
{
	const struct fuse_init_in *init = body;
	struct fuse_init_out hello = { .major = 7, .minor = 31, .max_write = 65536, .max_background = 12 };
	struct fuse_attr_out attr = { .attr = { .ino = 1, .mode = S_IFDIR | 0711, .nlink = 2, .uid = 7 } };

	if (in->opcode == FUSE_INIT) {
		printf("INIT %u.%u\n", init->major, init->minor);
		reply(in->unique, 0, &hello, sizeof(hello));
	} else if (in->opcode == FUSE_GETATTR) {
		reply(in->unique, 0, &attr, sizeof(attr));
	} else if (in->opcode != FUSE_FORGET && in->opcode != FUSE_BATCH_FORGET) {
		reply(in->unique, -ENOSYS, NULL, 0);
	}
}

/* Until the filesystem is gone. */
static void *serve(void *unused)
{
	static char buffer[1 << 17];
	ssize_t n;

	(void)unused;
	while ((n = read(channel, buffer, sizeof(buffer))) > 0 || errno == EINTR || errno == ENOENT) {
		struct fuse_in_header in;

		if (n < (ssize_t)sizeof(in))
			continue;
		memcpy(&in, buffer, sizeof(in));
		answer(&in, buffer + sizeof(in));
	}
	return NULL;
}

static int look(void)
{
	struct stat st;

	if (stat(DIR, &st) != 0)
		return -errno;
	printf("GETATTR mode %o uid %u\n", (unsigned int)st.st_mode, (unsigned int)st.st_uid);
	return (st.st_mode & 07777) == 0711 && st.st_uid == 7 ? 0 : -EPROTO;
}

static int whole_session(void)
{
	pthread_t server;
	int err = mount_it();

	if (err)
		return err;
	pthread_create(&server, NULL, serve, NULL);
	err = look();
	if (umount(DIR) != 0)
		err = -errno;
	pthread_join(server, NULL);
	close(channel);
	return err;
}

/* The first allocation of an open(2) fails, and is said to have failed. */
static int fail_first(void)
{
	char left[8] = "";
	int setting = open("/sys/kernel/debug/failslab/ignore-gfp-wait", O_WRONLY | O_CLOEXEC);

	if (setting < 0 || write(setting, "N", 1) != 1)
		return -errno;

	int fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);

	if (fd < 0 || write(fd, "1", 1) != 1)
		return -errno;

	int opened = open("/dev/fuse", O_RDWR | O_CLOEXEC), err = opened < 0 ? errno : 0;

	if (pread(fd, left, sizeof(left) - 1, 0) < 1)
		return -errno;
	printf("open: %s, left: %s\n", strerror(err), left[0] == '0' ? "0" : "more");
	return err == ENOMEM && left[0] == '0' ? 0 : -EPROTO;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int err = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("session in %s on %s\n", getenv("KERNEL_RIG"), getenv("KERNEL_MODULE"));
	if (strcmp(what, "status") == 0)
		return atoi(argv[2]);
	if (strcmp(what, "sleep") == 0)
		return (int)sleep((unsigned int)atoi(argv[2]));
	if (strcmp(what, "fail-nth") == 0) {
		err = fail_first();
	} else if (strcmp(what, "stay") == 0 || strcmp(what, "hang") == 0) {
		err = mount_it();
		if (!err && strcmp(what, "hang") == 0)
			err = look();
	} else {
		err = whole_session();
	}
	printf("%s\n", err ? strerror(-err) : "done");
	return err != 0;
}

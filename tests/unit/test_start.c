// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_start.c: messages between the mount and a driver: whole or not at
 * all, and no descriptor is left behind.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "start.h"

static int sock[2];

static int setup(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock);
}

static int teardown(void **state)
{
	(void)state;
	close(sock[0]);
	if (sock[1] >= 0)
		close(sock[1]);
	return 0;
}

static unsigned open_count(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	if (!d)
		return 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void test_message_with_fds(void **state)
{
	static struct fb_start sent = { .magic = FB_START_MAGIC, .source = "/dev/x" }, got;
	int pipe_fds[2], fds[4];
	unsigned n = 0;
	char c;

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(fb_start_send(sock[0], &sent, sizeof(sent), pipe_fds, 2), 0);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	assert_int_equal(fb_start_recv(sock[1], &got, sizeof(got), fds, 4, &n), 0);
	assert_int_equal(n, 2);
	assert_memory_equal(&got, &sent, sizeof(got));
	assert_true(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(read(fds[0], &c, 1), 1);
	assert_int_equal(c, 'x');
	close(fds[0]);
	close(fds[1]);
}

static void test_wrong_size(void **state)
{
	char shorter[4] = "abc", longer[64] = "", buf[16];
	unsigned before, n = 7;
	int fd = open("/dev/null", O_RDONLY), fds[2];

	(void)state;
	before = open_count();
	assert_int_equal(fb_start_send(sock[0], shorter, sizeof(shorter), &fd, 1), 0);
	assert_int_equal(fb_start_recv(sock[1], buf, sizeof(buf), fds, 2, &n), -EPROTO);
	assert_int_equal(fb_start_send(sock[0], longer, sizeof(longer), &fd, 1), 0);
	assert_int_equal(fb_start_recv(sock[1], buf, sizeof(buf), fds, 2, &n), -EPROTO);
	assert_int_equal(open_count(), before);
	close(fd);
}

static void test_fds_not_asked_for(void **state)
{
	int fd = open("/dev/null", O_RDONLY), three[3] = { fd, fd, fd }, got[1];
	unsigned before = open_count(), n = 0;
	char buf[4];

	(void)state;
	assert_int_equal(fb_start_send(sock[0], "abc", 4, three, 3), 0);
	assert_int_equal(fb_start_recv(sock[1], buf, 4, got, 1, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(open_count(), before + 1);
	close(got[0]);
	assert_int_equal(fb_start_send(sock[0], "abc", 4, three, 3), 0);
	assert_int_equal(fb_start_recv(sock[1], buf, 4, NULL, 0, NULL), 0);
	assert_int_equal(open_count(), before);
	close(fd);
}

static void test_end_of_file(void **state)
{
	char buf[4];

	(void)state;
	close(sock[1]);
	sock[1] = -1;
	assert_int_equal(fb_start_recv(sock[0], buf, 4, NULL, 0, NULL), -EPIPE);
	assert_int_equal(fb_start_send(sock[0], "abc", 4, NULL, 0), -EPIPE);
}

/* A peer that leaves our message unread resets the connection. */
static void test_peer_gone_with_message(void **state)
{
	char buf[4];

	(void)state;
	assert_int_equal(fb_start_send(sock[0], "abc", 4, NULL, 0), 0);
	close(sock[1]);
	sock[1] = -1;
	assert_int_equal(fb_start_recv(sock[0], buf, 4, NULL, 0, NULL), -EPIPE);
}

static void test_too_many(void **state)
{
	static int fds[200];

	(void)state;
	assert_int_equal(fb_start_send(sock[0], "abc", 4, fds, 200), -E2BIG);
}

static void test_control_path(void **state)
{
	char path[64];

	(void)state;
	fb_control_path(7, 12, path, sizeof(path));
	assert_string_equal(path, "/run/fuseblk/7:12");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_message_with_fds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_size, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fds_not_asked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(test_end_of_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_peer_gone_with_message, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many, setup, teardown),
		cmocka_unit_test(test_control_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

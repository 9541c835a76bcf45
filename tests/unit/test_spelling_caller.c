// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_spelling_caller.c: what a lookup is for: the one that a rename makes of
 * its new name, told by the system call of the thread that asks.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "caller.h"
#include "spelling_rig.h"

/* A child that stops at the entry of a renameat2 with these paths. Returns 0 where it cannot be had. */
static pid_t stop_in_rename(const char *from, const char *to, unsigned flags)
{
	char path[64], text[256];
	pid_t pid;
	int status;

	pid = fork();
	if (pid == 0) {
		char own[2][4096];	/* in memory it has touched, as after the kernel has read the paths */

		snprintf(own[0], sizeof(own[0]), "%s", from);
		snprintf(own[1], sizeof(own[1]), "%s", to);
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(1);
		raise(SIGSTOP);
		syscall(SYS_renameat2, AT_FDCWD, own[0], AT_FDCWD, own[1], flags);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	for (int i = 0; i < 100; i++) {
		FILE *f;

		if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) || waitpid(pid, &status, 0) != pid ||
		    !WIFSTOPPED(status))
			return 0;
		f = fopen(path, "r");
		if (f && fgets(text, sizeof(text), f) && atol(text) == SYS_renameat2) {
			fclose(f);
			return pid;
		}
		if (f)
			fclose(f);
	}
	return 0;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static size_t renames(const char *from, const char *to, unsigned flags, const char *name, bool is_dir)
{
	const struct fb_name n = { name, strlen(name) };
	int proc = open("/proc", O_PATH | O_DIRECTORY);
	pid_t pid = stop_in_rename(from, to, flags);
	char old[256];
	size_t len;

	if (!pid || proc < 0)
		skip();
	len = fb_caller_renames(proc, (uint32_t)pid, &n, is_dir, old, sizeof(old));
	if (len)
		assert_true(len == 3 && !memcmp(old, "foo", 3));
	end_child(pid);
	close(proc);
	return len;
}

static void test_caller(void **state)
{
	const struct fb_name n = { "FOO", 3 };
	char old[256], here[4096];

	(void)state;
	assert_int_equal(renames("foo", "FOO", 0, "FOO", false), 3);
	assert_int_equal(renames("/mnt/x//foo/", "/mnt/./x/FOO//", 1, "FOO", true), 3);
	assert_int_equal(renames("./foo", "FOO", 0, "FOO", true), 3);
	assert_non_null(getcwd(here, sizeof(here) - 4));
	assert_int_equal(renames(strcat(here, "/foo"), "FOO", 0, "FOO", false), 3);
	assert_int_equal(renames("x/foo", "y/FOO", 0, "FOO", false), 0);	/* two directories */
	assert_int_equal(renames("foo", "y/FOO", 0, "FOO", true), 0);
	assert_int_equal(renames("x/y/foo", "X/y/FOO", 0, "FOO", true), 3);
	assert_int_equal(renames("/nowhere/foo", "FOO", 0, "FOO", false), 0);
	assert_int_equal(renames("x/foo", "x/../FOO", 0, "FOO", false), 0);
	assert_int_equal(renames("x/foo", "x/FOO", 2, "FOO", false), 0);	/* EXCHANGE */
	assert_int_equal(renames("foo", "FOO", 0, "foo", false), 0);	/* the old name */
	assert_int_equal(renames("foo", "FOO", 0, "Foo", false), 0);	/* another */
	assert_int_equal(renames("x/FOO", "y/FOO", 0, "FOO", false), 0);	/* either */
	assert_int_equal(renames("FOO/foo", "FOO/FOO", 0, "FOO", true), 0);	/* perhaps on the way */
	assert_int_equal(renames("FOO/foo", "FOO/FOO", 0, "FOO", false), 3);	/* not with a file */
	assert_int_equal(fb_caller_renames(-1, 1, &n, false, old, sizeof(old)), 0);
}

static void test_lookup_in_rename(void **state)
{
	struct fk *fk = *state;
	pid_t pid = stop_in_rename("foo", "FOO", 0);

	if (!pid)
		skip();
	rig_file(fk, "foo");
	fk_as_thread(fk, (uint32_t)pid);
	rig_absent(fk, "FOO");
	rig_found(fk, "foo");
	rig_found(fk, "Foo");
	fk_as_thread(fk, NOBODY);
	rig_found(fk, "FOO");
	end_child(pid);
}

static void test_lookup_in_other_rename(void **state)
{
	struct fk *fk = *state;
	pid_t pid = stop_in_rename("bar", "FOO", 0);

	if (!pid)
		skip();
	rig_file(fk, "foo");
	rig_file(fk, "bar");
	fk_as_thread(fk, (uint32_t)pid);
	/* another file is replaced: the kernel may know, and check */
	rig_found(fk, "FOO");
	fk_as_thread(fk, NOBODY);
	end_child(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_caller),
		TEST(test_lookup_in_rename),
		TEST(test_lookup_in_other_rename),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

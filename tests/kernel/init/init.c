// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Process 1 of a guest: mounts, the module, one program, what the kernel has to
 * say about it, power off.  See init.h; it never returns and never gives up
 * before the power is off.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <ftw.h>
#include "init.h"

int put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;

	int err = write(fd, text, strlen(text)) < 0 ? -errno : 0;

	close(fd);
	return err;
}

void sleep_ms(int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&ts, NULL);
}

bool env_is_set(const char *name)
{
	const char *value = getenv(name);

	return value && strcmp(value, "1") == 0;
}

static int report_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (type == FTW_F && strncmp(path, "/out/", 5) == 0)
		report_file(path, path + 5);
	else if (type == FTW_F && strcmp(path + strlen(path) - 5, ".gcda") == 0)
		report_file(path, path + strlen("/sys/kernel/debug/"));
	return 0;
}

static void report_tree(const char *path)
{
	nftw(path, report_one, 16, FTW_PHYS);
}

static const char *open_report(void)
{
	const char *host = getenv("INIT_HOSTFS");

	if (host) {
		mkdir("/host", 0755);
		mount("host", "/host", "hostfs", 0, host);
	}
	report_open(getenv("INIT_RESULT"));
	return getenv("INIT_NONCE");
}

static void close_standard_files(void)
{
	int fd = open("/dev/null", O_RDWR);

	for (int n = 0; n < 3; n++)
		if (fd != n)
			dup2(fd, n);
	if (fd > 2)
		close(fd);
}

int main(void)
{
	const char *module = getenv("INIT_MODULE"), *timeout = getenv("INIT_TIMEOUT");
	const char *slabs = getenv("INIT_SLABS"), *nonce;

	mounts_set_up();
	close_standard_files();
	kernel_load_others();
	nonce = open_report();
	if (module)
		kernel_load(module);
	program_run(timeout ? (unsigned int)atoi(timeout) : 60);
	mounts_clean_up();
	kernel_check_connections();
	if (env_is_set("INIT_LEAKS"))
		kernel_scan_leaks("while the module is loaded");
	if (env_is_set("INIT_GCOV"))
		report_tree("/sys/kernel/debug/gcov");
	if (module) {
		if (slabs)
			kernel_check_slabs(slabs);
		kernel_unload(module);
		if (env_is_set("INIT_LEAKS"))
			kernel_scan_leaks("after the module was unloaded");
	}
	report_tree("/out");
	report_line("end", "%s", nonce ? nonce : "");
	report_close();
	sync();
	for (;;)
		reboot(RB_POWER_OFF);
}

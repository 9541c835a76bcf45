// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What process 1 asks of the kernel: loading and unloading the module, fusectl's
 * connections, kmemleak, and where tasks are stuck.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "init.h"

#define CONNECTIONS "/sys/fs/fuse/connections"
#define OTHERS "/task/modules"
#define KMEMLEAK "/sys/kernel/debug/kmemleak"
#define PATIENCE_MS 5000
#define LEAK_AGE_MS 5500	/* kmemleak does not tell of objects younger than five seconds */
#define LEAK_LINES 200

static void load(const char *path, const char *name)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) != 0)
		report_line("complaint", "%s does not load: %s", name, strerror(errno));
	if (fd >= 0)
		close(fd);
}

void kernel_load_others(void)
{
	struct dirent **found;
	int count = scandir(OTHERS, &found, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		char path[512];

		snprintf(path, sizeof(path), OTHERS "/%s", found[i]->d_name);
		if (found[i]->d_name[0] != '.')
			load(path, found[i]->d_name);
	}
}

void kernel_load(const char *name)
{
	char path[128];

	load("/task/module.ko", name);
	snprintf(path, sizeof(path), "/sys/module/%s/sections/.text", name);
	report_lines("module", "", path, 1);
	mount("fusectl", CONNECTIONS, "fusectl", 0, NULL);
}

static int count_connections(void)
{
	DIR *dir = opendir(CONNECTIONS);
	struct dirent *de;
	int count = 0;

	while (dir && (de = readdir(dir)))
		count += isdigit((unsigned char)de->d_name[0]) != 0;
	if (dir)
		closedir(dir);
	return count;
}

void kernel_check_connections(void)
{
	for (int ms = 0; ms < PATIENCE_MS && count_connections() > 0; ms += 20)
		sleep_ms(20);
	if (count_connections() > 0)
		report_line("complaint", "fusectl still has %d connections", count_connections());
	umount2(CONNECTIONS, 0);
}

static void complain_of_unload(const char *name, int err)
{
	char path[128], count[16] = "?";

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", name);

	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		ssize_t n = read(fd, count, sizeof(count) - 1);

		count[n > 0 ? n : 0] = '\0';
		count[strcspn(count, "\n")] = '\0';
		close(fd);
	}
	report_line("complaint", "%s does not unload: %s (reference count %s)", name, strerror(err), count);
}

void kernel_unload(const char *name)
{
	for (int ms = 0; ; ms += 20) {
		if (syscall(SYS_delete_module, name, O_NONBLOCK) == 0)
			return;
		if ((errno != EAGAIN && errno != EBUSY) || ms >= PATIENCE_MS)
			break;
		sleep_ms(20);
	}
	complain_of_unload(name, errno);
}

/* What the caches of @prefix keep; for each one a complaint, if wanted. */
static unsigned long count_objects(const char *prefix, bool complain)
{
	char line[512], name[64];
	unsigned long active, sum = 0;
	FILE *f = fopen("/proc/slabinfo", "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, prefix, strlen(prefix)) != 0 || sscanf(line, "%63s %lu", name, &active) != 2)
			continue;
		sum += active;
		if (complain && active)
			report_line("complaint", "the slab cache %s keeps %lu objects", name, active);
	}
	if (f)
		fclose(f);
	return sum;
}

/* Inodes are freed by RCU, a while after they went. */
void kernel_check_slabs(const char *prefix)
{
	for (int ms = 0; ms < PATIENCE_MS && count_objects(prefix, false); ms += 20)
		sleep_ms(20);
	count_objects(prefix, true);
}

void kernel_scan_leaks(const char *when)
{
	char prefix[128];

	if (access(KMEMLEAK, W_OK) != 0)
		return;
	sleep_ms(LEAK_AGE_MS);
	/* twice: pointers in registers and on stacks hide objects from one scan, and show them to another */
	for (int n = 0; n < 2; n++) {
		int err = put_text(KMEMLEAK, "scan");

		if (err)
			report_line("complaint", "kmemleak does not scan: %s", strerror(-err));
	}
	snprintf(prefix, sizeof(prefix), "leaked %s: ", when);
	report_lines("complaint", prefix, KMEMLEAK, LEAK_LINES);
	put_text(KMEMLEAK, "clear");
}

static void show_task(const char *pid, const char *tid)
{
	char path[64], name[64] = "?", prefix[128];

	snprintf(path, sizeof(path), "/proc/%.16s/task/%.16s/comm", pid, tid);

	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, name, sizeof(name) - 1);

	if (n > 0)
		name[n - 1] = '\0';
	if (fd >= 0)
		close(fd);
	snprintf(prefix, sizeof(prefix), "%.16s/%.16s (%s): ", pid, tid, name);
	snprintf(path, sizeof(path), "/proc/%.16s/task/%.16s/stack", pid, tid);
	report_lines("note", prefix, path, 16);
}

static void show_process(const char *pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%.16s/task", pid);

	DIR *dir = opendir(path);
	struct dirent *de;

	while (dir && (de = readdir(dir)))
		if (isdigit((unsigned char)de->d_name[0]))
			show_task(pid, de->d_name);
	if (dir)
		closedir(dir);
}

/* Children of kthreadd.  (That they have no memory they share with processes whose first thread has ended.) */
static bool is_kernel_thread(const char *pid)
{
	char path[64], text[256] = "";
	int fd, parent = 0;
	const char *end;

	snprintf(path, sizeof(path), "/proc/%.16s/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	end = strrchr(text, ')');
	return !end || sscanf(end, ") %*c %d", &parent) != 1 || parent == 2 || strcmp(pid, "2") == 0;
}

void kernel_show_tasks(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *de;

	while (dir && (de = readdir(dir)))
		if (isdigit((unsigned char)de->d_name[0]) && strcmp(de->d_name, "1") != 0 &&
		    !is_kernel_thread(de->d_name))
			show_process(de->d_name);
	if (dir)
		closedir(dir);
}

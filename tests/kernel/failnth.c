// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The n-th failing allocation through /proc/thread-self/fail-nth: written, a
 * count; read, what is left of it, 0 once something has failed.  The file stays
 * open while armed, since opening it allocates.  Reading and writing it copy
 * from and to user space, which counts, too: EFAULT there is our own failure.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "failnth.h"

bool failnth_wanted(void)
{
	const char *value = getenv("KERNEL_FAIL_NTH");

	return value && strcmp(value, "1") == 0;
}

void failnth_begin(struct failnth *f)
{
	*f = (struct failnth){ .more = true, .fd = -1 };
}

bool failnth_next(struct failnth *f)
{
	if (!f->more)
		return false;
	if (failnth_wanted())
		f->n++;
	f->more = false;
	return true;
}

int failnth_arm(struct failnth *f)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", f->n);

	if (f->n == 0)
		return 0;

	int fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (write(fd, text, (size_t)length) != length) {
		int err = -errno;

		close(fd);
		return err;
	}
	f->fd = fd;
	return 0;
}

bool failnth_disarm(struct failnth *f)
{
	char text[16] = "";

	if (f->fd < 0)
		return false;

	ssize_t n = pread(f->fd, text, sizeof(text) - 1, 0);
	bool failed = n > 0 && atoi(text) == 0;

	if (write(f->fd, "0", 1) < 0)
		(void)!write(f->fd, "0", 1);
	close(f->fd);
	f->fd = -1;
	f->more = failed;
	return failed;
}

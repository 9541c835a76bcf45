// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * log.c: one line per message, in one write, to the descriptor that the mount
 * brought: "fuseblk-ext2: /dev/sdb1: text".  A kernel log or a syslog socket
 * gets facility and level in front.  Nothing here waits or fails visibly.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "log.h"
#include "volume.h"

static int log_fd = STDERR_FILENO;
static bool log_stderr = true;
static bool log_levels;		/* its reader wants "<N>" in front */

/* As syslog(3): facility daemon. */
static const int levels[] = {
	[FUSEBLK_ERROR] = 24 + 3, [FUSEBLK_WARNING] = 24 + 4,
	[FUSEBLK_INFO] = 24 + 6, [FUSEBLK_DEBUG] = 24 + 7,
};

static bool wants_levels(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return false;
	return S_ISSOCK(st.st_mode) || (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 11));
}

void fb_log_open(int fd, bool also_stderr)
{
	log_fd = fd;
	log_stderr = also_stderr;
	log_levels = fd >= 0 && wants_levels(fd);
}

bool fb_log_is_stderr(void)
{
	return log_stderr;
}

void fb_log_clean(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

static void put_line(int fd, const char *line, size_t len)
{
	ssize_t n = write(fd, line, len);

	(void)n;		/* there is nobody to tell */
}

void fb_log_v(struct fuseblk_volume *vol, enum fuseblk_level level, const char *format, va_list args)
{
	char text[512], line[900];
	const char *plain;
	int n;

	if (level == FUSEBLK_DEBUG && (!vol || !vol->options.debug))
		return;
	vsnprintf(text, sizeof(text), format, args);
	fb_log_clean(text);
	n = snprintf(line, sizeof(line) - 1, "<%d>fuseblk%s%s: %s%s%s", levels[level],
		     vol ? "-" : "", vol ? vol->driver->name : "",
		     vol ? vol->source : "", vol ? ": " : "", text);
	if (n < 0)
		return;
	if ((size_t)n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	plain = strchr(line, '>') + 1;
	if (log_fd >= 0 && log_levels)
		put_line(log_fd, line, (size_t)n);
	else if (log_fd >= 0)
		put_line(log_fd, plain, (size_t)(line + n - plain));
	if (log_stderr && log_fd != STDERR_FILENO)
		put_line(STDERR_FILENO, plain, (size_t)(line + n - plain));
}

void fuseblk_log(struct fuseblk_volume *vol, enum fuseblk_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fb_log_v(vol, level, format, args);
	va_end(args);
}

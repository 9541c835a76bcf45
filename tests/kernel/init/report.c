// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The stream of records to the host: a file of hostfs, or a serial port, which
 * is made raw.  Written at once, so that a guest that dies leaves what it said.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include "init.h"

static int report_fd = -1;

void report_open(const char *path)
{
	struct termios t;

	if (!path)
		return;
	report_fd = open(path, O_WRONLY | O_CREAT | O_NOCTTY | O_CLOEXEC, 0644);
	if (report_fd >= 0 && tcgetattr(report_fd, &t) == 0) {
		cfmakeraw(&t);
		tcsetattr(report_fd, TCSANOW, &t);
	}
}

void report_close(void)
{
	if (report_fd >= 0) {
		tcdrain(report_fd);
		close(report_fd);
	}
	report_fd = -1;
}

static void put(const char *data, size_t length)
{
	while (report_fd >= 0 && length > 0) {
		ssize_t n = write(report_fd, data, length);

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0) {
			data += n;
			length -= (size_t)n;
		}
	}
}

void report_bytes(const char *kind, const char *name, const void *data, size_t length)
{
	char head[512];
	int n = snprintf(head, sizeof(head), "%s %zu%s%s\n", kind, length, name ? " " : "", name ? name : "");

	if (n < 0 || n >= (int)sizeof(head))
		return;
	put(head, (size_t)n);
	put(data, length);
}

void report_line(const char *kind, const char *format, ...)
{
	char text[1024], line[1100];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	text[strcspn(text, "\n")] = '\0';

	int n = snprintf(line, sizeof(line), "%s %s\n", kind, text);

	put(line, (size_t)n);
}

void report_file(const char *path, const char *name)
{
	size_t length = 0, room = 65536;
	char *data = malloc(room);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;

	/* files of debugfs do not tell their size */
	while (data && fd >= 0 && (n = read(fd, data + length, room - length)) > 0) {
		length += (size_t)n;
		if (length == room) {
			char *more = realloc(data, room *= 2);

			if (!more)
				break;
			data = more;
		}
	}
	if (!data || fd < 0 || n != 0)
		report_line("complaint", "%s cannot be brought back", path);
	else
		report_bytes("file", name, data, length);
	if (fd >= 0)
		close(fd);
	free(data);
}

void report_lines(const char *kind, const char *prefix, const char *path, int most)
{
	char line[512];
	FILE *f = fopen(path, "re");

	if (!f)
		return;
	while (most-- > 0 && fgets(line, sizeof(line), f))
		report_line(kind, "%s%s", prefix, line);
	fclose(f);
}

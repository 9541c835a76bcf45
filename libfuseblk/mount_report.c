// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * mount_report.c: the one line a failed mount prints.  The first cause is
 * kept; what fails later while things are undone does not hide it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mount_internal.h"

static void set_text(struct fb_report *report, int status, const char *suffix,
		     const char *format, va_list ap)
{
	size_t used;

	report->status = status;
	vsnprintf(report->text, sizeof(report->text), format, ap);
	used = strlen(report->text);
	if (suffix)
		snprintf(report->text + used, sizeof(report->text) - used, ": %s", suffix);
}

int fb_fail(struct fb_report *report, int status, int err, const char *format, ...)
{
	va_list ap;

	if (report->status)
		return err;
	va_start(ap, format);
	set_text(report, status, NULL, format, ap);
	va_end(ap);
	return err;
}

int fb_fail_errno(struct fb_report *report, int status, int err, const char *format, ...)
{
	va_list ap;

	if (report->status)
		return err;
	va_start(ap, format);
	set_text(report, status, strerror(-err), format, ap);
	va_end(ap);
	return err;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* log.h: where messages go. */
#ifndef FB_LOG_H
#define FB_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include "fuseblk.h"

/*
 * Send messages to @fd (not owned; -1: nowhere), and to standard error if
 * @also_stderr.  Until it is called they go to standard error.  Called once,
 * before threads.
 */
void fb_log_open(int fd, bool also_stderr);
/* True if messages reach standard error, where a failed mount's reason is printed too. */
bool fb_log_is_stderr(void);
void fb_log_v(struct fuseblk_volume *vol, enum fuseblk_level level, const char *format, va_list args)
	FUSEBLK_PRINTF(3, 0);
/* Replace what could disturb a terminal or a log: control characters. */
void fb_log_clean(char *text);

#endif

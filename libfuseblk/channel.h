/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * channel.h: messages to and from the kernel, or a test that plays it.
 */
#ifndef FB_CHANNEL_H
#define FB_CHANNEL_H

#include "request.h"

/* The memory a message is read into: mapped, and placed so that a WRITE's payload is page-aligned. */
#define FB_MESSAGE_SIZE(max_write) ((max_write) + 4096u)

/* Maps room for a message of FB_MESSAGE_SIZE(@max_write) bytes; returns where it is to be read to, or NULL. */
uint8_t *fb_message_new(size_t max_write);
void fb_message_free(uint8_t *message, size_t max_write);	/* NULL: nothing */
/* Gives the memory back to the system until it is used again. */
void fb_message_drop(uint8_t *message, size_t max_write);

/*
 * Read one message.  Returns its length, -EAGAIN (none, @fd does not wait), -EINTR (nothing was read:
 * try again), -EPIPE when the channel has ended, or another error that only
 * ending can follow.
 */
ssize_t fb_channel_read(int fd, void *message, size_t size);
/*
 * Send @reply with one write.  Returns 0; -ENOENT when the request is gone
 * (interrupted or aborted: nobody got the reply); -EPIPE when the channel has
 * ended; or the kernel's complaint about the reply.
 */
int fb_channel_reply(int fd, const struct fb_reply *reply);
/* Reads of @fd answer -EAGAIN instead of waiting (not for sockets: replies would too). Returns 0 or -errno. */
int fb_channel_set_nonblocking(int fd);
/* Sleep until a message or the end is there, or a signal came. */
void fb_channel_wait(int fd);
/* True if a message waits to be read. */
bool fb_channel_is_readable(int fd);
/* Make the unused /dev/fuse descriptor @fd a second road to the connection of @channel. */
int fb_channel_clone(int fd, int channel);

#endif

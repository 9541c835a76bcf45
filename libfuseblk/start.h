/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * start.h: how mount.fuseblk and a driver process agree on a mount.
 *
 * The parent starts the driver as  PROGRAM --start-fd=N  where N is a
 * SOCK_SEQPACKET socket.  Messages, in order:
 *   parent -> driver  struct fb_start, with the descriptors it names (SCM_RIGHTS)
 *   driver -> parent  struct fb_started: the volume is read and valid, or why not
 *   (the parent mounts; the kernel queues INIT)
 *   parent -> driver  struct fb_mounted
 *   driver -> parent  struct fb_serving: INIT was answered, the mount works
 * The end of file at any point is a failure of the other side: the driver
 * then exits without having written to the volume; the parent unmounts what
 * it mounted and reports.  After fb_serving both close the socket.
 */
#ifndef FB_START_H
#define FB_START_H

#include <stdbool.h>
#include <stdint.h>

#define FB_START_MAGIC 0x66626c6bu	/* "fblk" */
#define FB_START_VERSION 1
#define FB_MAX_SPARE_FDS 32
#define FB_BAD_OPTIONS EBADRQC	/* the error, in any answer of a driver, for mount options it refuses */

enum fb_device_kind { FB_DEVICE_FILE, FB_DEVICE_GZIP };

struct fb_start {
	uint32_t magic, version;
	uint32_t device_kind;		/* enum fb_device_kind */
	uint32_t read_only;		/* asked for, or all that is possible */
	uint64_t offset, sizelimit;	/* bytes of the device descriptor */
	uint32_t spare_count;		/* /dev/fuse descriptors for clones */
	uint32_t has_index;		/* gzip index file */
	uint32_t has_control;		/* listening socket */
	uint32_t foreground;		/* log to stderr too, stay in the session */
	uint32_t sloppy;		/* mount -s: options nobody knows are ignored */
	char source[256];		/* as the user named it, cut if longer */
	char target[1024];
	char options[4096];		/* library's and driver's, comma-separated; NUL-terminated */
	/* descriptors, in this order: device, channel, log, [index], [control], spares */
};

struct fb_started {
	uint32_t magic;
	int32_t error;			/* 0, or a negative errno with text */
	uint32_t root_mode;
	uint32_t block_size;		/* blksize for the mount: max(sector, min(block, page)) */
	uint32_t read_only;
	uint32_t default_permissions;	/* mount options the kernel is to be given */
	char label[64];
	char subtype[32];
	char text[512];			/* error, or why it became read-only */
};

struct fb_mounted { uint32_t magic; uint32_t dev_major, dev_minor; };
struct fb_serving { uint32_t magic; int32_t error; char text[256]; };

/*
 * The control socket, /run/fuseblk/MAJ:MIN, SOCK_SEQPACKET.  One request, one
 * answer per connection; peers other than root and the mount's owner
 * (SO_PEERCRED) are refused.
 */
enum fb_control_verb {
	FB_CONTROL_STATUS = 1,
	FB_CONTROL_REMOUNT_RO_PREPARE,	/* may it become read-only? nothing changes */
	FB_CONTROL_REMOUNT_RO,		/* the kernel has: commit, mark clean, change no more */
	FB_CONTROL_REMOUNT_RW,		/* with a writable device descriptor: mark in use, before the kernel is told */
	FB_CONTROL_SYNC,		/* commit */
};
struct fb_control_request {
	uint32_t magic, verb;
	char options[1024];		/* remount: options to change (commit=, errors= ...) */
};
struct fb_control_answer {
	uint32_t magic;
	int32_t error;
	char text[4096];
};

/*
 * The control socket's place, for a device number.  mount.fuseblk makes it,
 * listening, before the driver starts; the driver removes it before it answers
 * DESTROY; one that a killed driver left behind is removed by the next mount.
 */
#define FB_CONTROL_DIR "/run/fuseblk"
void fb_control_path(unsigned dev_major, unsigned dev_minor, char *path, unsigned size);

/* start.c: send and receive one fixed-size message with descriptors; -EPIPE at end of file, -EPROTO on a wrong size. */
int fb_start_send(int sock, const void *msg, unsigned size, const int *fds, unsigned nfds);
int fb_start_recv(int sock, void *msg, unsigned size, int *fds, unsigned max_fds, unsigned *nfds);

#endif

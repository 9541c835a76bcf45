/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image.c: images for tests; see image.h. Files are in /dev/shm, or $TMPDIR where there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "image.h"

#define MAX_WORDS 32

struct image {
	uint8_t *bytes;
	uint64_t size;
};

static int temporary(char *path, size_t size)
{
	const char *dir = getenv("TMPDIR");
	int fd;

	if (access("/dev/shm", W_OK) == 0)
		dir = "/dev/shm";
	snprintf(path, size, "%s/fuseblk-image-XXXXXX", dir ? dir : "/tmp");
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return fd;
}

/* Run @program with the words of @options and @path; its output goes to @log. Returns the exit status. */
static int run(const char *program, const char *options, const char *path, int log)
{
	char words[512], *argv[MAX_WORDS + 3], *save = NULL;
	int status = 0, n = 0;
	pid_t pid;

	snprintf(words, sizeof(words), "%s", options);
	argv[n++] = (char *)program;
	for (char *w = strtok_r(words, " ", &save); w && n < MAX_WORDS; w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	argv[n++] = (char *)path;
	argv[n] = NULL;
	pid = fork();
	if (pid == 0) {
		dup2(log, 1);
		dup2(log, 2);
		setenv("PATH", "/usr/sbin:/sbin:/usr/bin:/bin", 1);
		execvp(program, argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		fail_msg("%s cannot be run", program);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void print_log(int log)
{
	char text[4096];
	ssize_t n = pread(log, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	print_message("%s", text);
}

static void move_bytes(int fd, uint8_t *bytes, uint64_t size, bool out)
{
	for (uint64_t done = 0; done < size;) {
		ssize_t n = out ? pwrite(fd, bytes + done, size - done, (off_t)done) :
			pread(fd, bytes + done, size - done, (off_t)done);

		if (n <= 0)
			fail_msg("image file: %s", n < 0 ? strerror(errno) : "short");
		done += (uint64_t)n;
	}
}

static struct image *new_image(uint64_t size)
{
	struct image *image = calloc(1, sizeof(*image));

	if (!image)
		fail_msg("no memory for an image");
	image->size = size;
	image->bytes = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (image->bytes == MAP_FAILED)
		fail_msg("no memory for an image of %llu bytes", (unsigned long long)size);
	return image;
}

struct image *image_mke2fs(const char *options, uint64_t size)
{
	struct image *image = new_image(size);
	char path[256], log_path[256];
	int fd = temporary(path, sizeof(path)), log = temporary(log_path, sizeof(log_path));
	int status = ftruncate(fd, (off_t)size) ? 128 : run("mke2fs", options, path, log);

	if (status)
		print_log(log);
	else
		move_bytes(fd, image->bytes, size, false);
	unlink(path);
	unlink(log_path);
	close(fd);
	close(log);
	if (status)
		fail_msg("mke2fs %s: status %d", options, status);
	return image;
}

struct image *image_of_bytes(const void *bytes, uint64_t len)
{
	struct image *image = new_image(len);

	memcpy(image->bytes, bytes, len);
	return image;
}

struct image *image_copy(const struct image *other)
{
	return image_of_bytes(other->bytes, other->size);
}

void image_free(struct image *image)
{
	if (!image)
		return;
	munmap(image->bytes, image->size);
	free(image);
}

uint8_t *image_bytes(struct image *image)
{
	return image->bytes;
}

uint64_t image_size(const struct image *image)
{
	return image->size;
}

int image_e2fsck(struct image *image, const char *options)
{
	char path[256], log_path[256];
	int fd = temporary(path, sizeof(path)), log = temporary(log_path, sizeof(log_path));
	int status;

	move_bytes(fd, image->bytes, image->size, true);
	status = run("e2fsck", options, path, log);
	if (status)
		print_log(log);
	if (!strchr(options, 'n'))
		move_bytes(fd, image->bytes, image->size, false);
	unlink(path);
	unlink(log_path);
	close(fd);
	close(log);
	return status;
}

/* ---- the device ------------------------------------------------------ */

struct image_device {
	struct fb_device dev;
	struct image *image;
};

static uint8_t *bytes_of(struct fb_device *dev, uint64_t off)
{
	return ((struct image_device *)dev)->image->bytes + off;
}

static int image_read(struct fb_device *dev, void *buf, size_t len, uint64_t off)
{
	memcpy(buf, bytes_of(dev, off), len);
	return 0;
}

static int image_write(struct fb_device *dev, const void *buf, size_t len, uint64_t off)
{
	if (dev->read_only)
		return -EROFS;
	memcpy(bytes_of(dev, off), buf, len);
	return 0;
}

static int image_flush(struct fb_device *dev)
{
	(void)dev;
	return 0;
}

static int image_zero(struct fb_device *dev, uint64_t off, uint64_t len)
{
	if (dev->read_only)
		return -EROFS;
	memset(bytes_of(dev, off), 0, len);
	return 0;
}

static void image_close(struct fb_device *dev)
{
	free(dev);
}

static const struct fb_device_ops image_ops = {
	.read = image_read,
	.write = image_write,
	.flush = image_flush,
	.discard = image_zero,
	.zero = image_zero,
	.close = image_close,
};

struct fb_device *image_device(struct image *image, bool read_only)
{
	struct image_device *d = calloc(1, sizeof(*d));

	if (!d)
		fail_msg("no memory for a device");
	d->image = image;
	d->dev = (struct fb_device) {
		.ops = &image_ops,
		.size = image->size,
		.sector = 512,
		.align = 1,
		.read_only = read_only,
		.can_discard = true,
	};
	return &d->dev;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device_standins.c: see device_standins.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "device_standins.h"
#include "fuseblk.h"
#include "worker.h"

_Atomic unsigned standin_blocked;
_Atomic int standin_block_depth;
_Atomic int standin_interrupt_after = -1;

void fb_block_begin(void)
{
	standin_blocked++;
	standin_block_depth++;
}

void fb_block_end(void)
{
	standin_block_depth--;
}

void fb_mutex_lock(pthread_mutex_t *lock)
{
	pthread_mutex_lock(lock);
}

bool fuseblk_interrupted(void)
{
	int left = standin_interrupt_after;

	if (left < 0)
		return false;
	if (!left)
		return true;
	standin_interrupt_after = left - 1;
	return false;
}

int fb_cond_wait_interruptible(pthread_cond_t *cond, pthread_mutex_t *lock)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 50000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_timedwait(cond, lock, &until);
	return fuseblk_interrupted() ? -EINTR : 0;
}

uint64_t test_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

void test_fill(uint8_t *buf, size_t len, uint64_t seed, unsigned compressible)
{
	size_t i = 0;

	while (i < len) {
		uint64_t word = test_random(&seed);
		size_t run = 256 + word % 2048, n;

		run = run < len - i ? run : len - i;
		if (word / 4096 % 100 < compressible) {
			memset(buf + i, (int)(word >> 56), run);
		} else {
			for (n = 0; n < run; n++)
				buf[i + n] = (uint8_t)(n % 8 ? word >> 8 * (n % 8) : (word = test_random(&seed)));
		}
		i += run;
	}
}

int test_file(const char *dir, uint64_t size)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/fuseblk-test-XXXXXX", dir ? dir : "/tmp");
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -1;
	unlink(path);
	if (ftruncate(fd, (off_t)size)) {
		close(fd);
		return -1;
	}
	return fd;
}

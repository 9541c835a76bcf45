// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kernel_shim.c: see kernel_shim.h.  A lock's state is a pattern, so that one
 * that was never made, or whose memory is gone, is seen.
 */
#include <stdio.h>
#include <stdlib.h>
#include "kernel_shim.h"

#define FREE 0x10c4f4eeu
#define HELD 0x10c4e1d5u

void (*shim_unlocked)(void);
static unsigned int held;

void shim_bug(const char *what, const void *of)
{
	fprintf(stderr, "kernel_shim: %s, at %p\n", what, of);
	abort();
}

void spin_lock_init(spinlock_t *lock)
{
	lock->state = FREE;
}

void spin_lock(spinlock_t *lock)
{
	if (lock->state != FREE)
		shim_bug(lock->state == HELD ? "a lock taken twice" : "no lock", lock);
	lock->state = HELD;
	held++;
}

void spin_unlock(spinlock_t *lock)
{
	if (lock->state != HELD)
		shim_bug("a lock released that is not held", lock);
	lock->state = FREE;
	held--;
	if (shim_unlocked)
		shim_unlocked();
}

unsigned int shim_locks_held(void)
{
	return held;
}

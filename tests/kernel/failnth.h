/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * failnth.h: make the n-th allocation of one thread fail, for every n.
 *
 *	struct failnth f;
 *
 *	failnth_begin(&f);
 *	while (failnth_next(&f)) {
 *		set_up();
 *		failnth_arm(&f);
 *		what_is_tested();	// by the same thread
 *		failnth_disarm(&f);
 *		clean_up();
 *	}
 *
 * The loop body runs once, undisturbed, when the rig did not ask for failures
 * (KERNEL_FAIL_NTH, see tests/kernel/uml), else with n = 1, 2, 3... until
 * nothing has failed in a whole round.  The kernel counts the armed thread's
 * allocations (slab and page) and its copies from and to user space; new
 * threads and processes are not armed.  Arm in the thread that makes the
 * system call: all of the loop may be another's, as long as the threads take turns.
 */
#ifndef TESTS_KERNEL_FAILNTH_H
#define TESTS_KERNEL_FAILNTH_H

#include <stdbool.h>

struct failnth {
	unsigned int n;		/* which call fails in this round; 0: none does */
	bool more;		/* another round follows */
	int fd;			/* armed: the thread's fail-nth; else -1 */
};

/* Whether the rig asked for failures. */
bool failnth_wanted(void);
void failnth_begin(struct failnth *f);
/* True: run a round; ->n says which. A round that was never armed is the last. */
bool failnth_next(struct failnth *f);
/*
 * From here the calls of this thread count. Returns 0, or -errno where the
 * kernel has no fault injection; nothing is armed then.
 */
int failnth_arm(struct failnth *f);
/* The counting ends; the same thread. Returns true if something was made to fail. */
bool failnth_disarm(struct failnth *f);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * run.h: between the runner and the process of a case.
 */
#ifndef TESTS_KERNEL_RUN_H
#define TESTS_KERNEL_RUN_H

#include "case.h"

#define RUN_SECONDS 10			/* of a case */
#define RUN_GRACE_SECONDS 3		/* until it is ended by force */
#define RUN_CONNECTIONS 32

enum { RUN_PASSED = 0, RUN_FAILED = 1, RUN_SKIPPED = 77 };

struct run_options {
	enum kernel_module module;
	int scale;			/* of all times */
	bool list, trace, fail_nth;
	bool fail_daemon;		/* in the daemon's reads and writes, not in the callers */
	int fail_max;
	char dir[64];			/* every case mounts its tmpfs here */
};
extern struct run_options run_options;

/* In shared memory; fresh for every run of a case. */
struct run_shared {
	int nth;			/* the allocation that fails, counted over all calls of the case; 0: none */
	volatile int left;		/* allocations until then */
	volatile int injected;		/* it did */
	volatile int no_injection;	/* errno: this kernel cannot */
	volatile int timed_out;
	unsigned int minor;		/* offered by INIT; from the probe */
	volatile unsigned int connection_count;
	volatile unsigned int connections[RUN_CONNECTIONS];
	char reason[256];
};
extern struct run_shared *run_shared;

/* Run @body in this process, which has just been forked. */
void case_run(void (*body)(void)) __attribute__((noreturn));

#endif

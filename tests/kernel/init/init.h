/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * init.h: the parts of process 1 of the guests of tests/kernel.
 *
 * It is static, single-threaded and told what to do by its environment, which
 * the kernel takes from its command line:
 *
 *	KERNEL_*		for the program, see tests/kernel/uml
 *	INIT_RESULT=PATH	where the report goes: a file, or a serial port
 *	INIT_HOSTFS=DIR		user-mode Linux: mount this directory of the host on /host first
 *	INIT_NONCE=WORD		ends the report
 *	INIT_MODULE=NAME	/task/module.ko is loaded, and is called so
 *	INIT_SLABS=PREFIX	its slab caches, which must be empty before it is unloaded
 *	INIT_TIMEOUT=SECONDS	for the program
 *	INIT_LEAKS=1		scan with kmemleak, where the kernel has it
 *	INIT_GCOV=1		report /sys/kernel/debug/gcov, too
 *
 * and /task/argv, the program and its arguments, each ended by NUL.  The modules
 * in /task/modules are loaded first, in the order of their names.
 *
 * The report is a stream of records, in the order in which things happened:
 *
 *	module ADDRESS\n		where its code is, hexadecimal
 *	output LENGTH\n BYTES		what the program printed
 *	note TEXT\n			to be shown
 *	complaint TEXT\n		the run has failed
 *	status NUMBER\n			of the program
 *	file LENGTH PATH\n BYTES	of /out
 *	end NONCE\n			all is said
 */
#ifndef TESTS_KERNEL_INIT_H
#define TESTS_KERNEL_INIT_H

#include <stdbool.h>
#include <stddef.h>

/* report.c; none of these return errors: a report without its end is one */
void report_open(const char *path);
/* Waits until a serial port has sent all. */
void report_close(void);
void report_bytes(const char *kind, const char *name, const void *data, size_t length);
void report_line(const char *kind, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The file at @path as one record "file", called @name. */
void report_file(const char *path, const char *name);
/* Its lines, each as a record of @kind, after @prefix; at most @most. */
void report_lines(const char *kind, const char *prefix, const char *path, int most);

/* program.c */
/* Runs /task/argv, reports what it prints and its status, and kills what it left. */
void program_run(unsigned int timeout_s);

/* mounts.c */
void mounts_set_up(void);
/* Unmounts what was mounted since, and says so. */
void mounts_clean_up(void);

/* kernel.c */
/* Those of /task/modules. */
void kernel_load_others(void);
void kernel_load(const char *name);
/* Connections, then the module: both must go. */
void kernel_check_connections(void);
void kernel_unload(const char *name);
/* Complains about each cache of that prefix that keeps objects. */
void kernel_check_slabs(const char *prefix);
/* Complains about each leak that kmemleak has not told before. */
void kernel_scan_leaks(const char *when);
/* Where every task is waiting, as notes. */
void kernel_show_tasks(void);

/* @text into the file @path; 0 or -errno. */
int put_text(const char *path, const char *text);
void sleep_ms(int ms);
bool env_is_set(const char *name);

#endif

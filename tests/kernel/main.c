// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c: the runner of the protocol cases.
 *
 * It finds the cases by their linker section, forks one process for each, and sees
 * that it ends: after its time it is killed and its connections are aborted until it
 * does.  It prints "ok NAME", "not ok NAME" or "skip NAME (why)" for each, and the
 * count.  A complaint of the kernel during a case fails that case.
 */
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "daemon.h"
#include "run.h"

#define FUSECTL_MAGIC 0x65735543
#define OUR_MINOR 38			/* newer stock modules may differ by differs(newer, ...) */
#define FAIL_NTH_MAX 2000

struct run_options run_options = { .scale = 1, .fail_max = FAIL_NTH_MAX };
struct run_shared *run_shared;

extern const struct kernel_case_table __start_kernel_cases[], __stop_kernel_cases[];

static struct { int ok, not_ok, skipped; } counts;
static unsigned int offered_minor;
static int kmsg = -1;

/* ---- the kernel's complaints ----------------------------------------- */

static bool is_complaint(const char *line)
{
	static const char *const signs[] = {
		"WARNING:", "BUG:", "KASAN", "UBSAN", "Oops", "general protection", "refcount_t:",
		"possible recursive locking", "circular locking", "sleeping function called",
		"suspicious RCU", "inconsistent lock state", "blocked for more than", "soft lockup",
	};

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if (strstr(line, signs[i]))
			return true;
	return false;
}

/* Has the kernel complained since we last looked? Shows how. */
static bool kernel_complained(void)
{
	char line[2048];
	bool found = false;
	ssize_t n;

	while (kmsg >= 0) {
		n = read(kmsg, line, sizeof(line) - 1);
		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			break;
		line[n] = '\0';
		if (!is_complaint(line))
			continue;
		printf("# kernel: %s", strchr(line, ';') ? strchr(line, ';') + 1 : line);
		found = true;
	}
	return found;
}

/* ---- one run ---------------------------------------------------------- */

static void abort_connections(void)
{
	for (unsigned int i = 0; i < run_shared->connection_count && i < RUN_CONNECTIONS; i++) {
		char path[128];
		int fd;

		snprintf(path, sizeof(path), "%s/%u/abort", case_ctl_dir, run_shared->connections[i]);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd >= 0 && write(fd, "1", 1) < 0)
			perror(path);
		if (fd >= 0)
			close(fd);
	}
}

/* End the processes of a case by all means. Returns the status of @pid. */
static int end_by_force(pid_t pid)
{
	int status;

	do {
		abort_connections();
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
		usleep(50000);
	} while (waitpid(pid, &status, WNOHANG) != pid);
	return status;
}

/* Callers that are processes are ours after the case ended. */
static void reap_leftovers(pid_t group)
{
	for (int i = 0; i < 100 && (waitpid(-group, NULL, WNOHANG) >= 0); i++) {
		kill(-group, SIGKILL);
		abort_connections();
		usleep(10000);
	}
}

static int wait_for(pid_t pid)
{
	struct pollfd p = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	int ms = (RUN_SECONDS + RUN_GRACE_SECONDS) * 1000 * run_options.scale, status;

	if (p.fd >= 0 && poll(&p, 1, ms) == 0) {
		run_shared->timed_out = 1;
		status = end_by_force(pid);
		printf("# ended by force\n");
	} else {
		waitpid(pid, &status, 0);
	}
	if (p.fd >= 0)
		close(p.fd);
	reap_leftovers(pid);
	return status;
}

/* RUN_PASSED, RUN_FAILED or RUN_SKIPPED; a death by a signal is a failure with a line that says so. */
static int run(void (*body)(void), int nth, bool quiet)
{
	pid_t pid;
	int status;

	memset(run_shared, 0, sizeof(*run_shared));
	run_shared->nth = nth;
	run_shared->left = nth;
	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		perror("fork");
		return RUN_FAILED;
	}
	if (pid == 0) {
		if (quiet && !run_options.trace && !freopen("/dev/null", "w", stdout))
			_exit(RUN_FAILED);
		case_run(body);
	}
	status = wait_for(pid);
	if (WIFSIGNALED(status))
		printf("# ended by signal %d\n", WTERMSIG(status));
	return WIFEXITED(status) ? WEXITSTATUS(status) : RUN_FAILED;
}

/* ---- one case --------------------------------------------------------- */

static void report(const char *result, const char *name, const char *detail)
{
	printf("%s %s%s%s%s\n", result, name, detail ? " (" : "", detail ? detail : "", detail ? ")" : "");
	fflush(stdout);
	if (result[0] == 'o')
		counts.ok++;
	else if (result[0] == 's')
		counts.skipped++;
	else
		counts.not_ok++;
}

/* Why this module may fail @c, or NULL. *@must: it has to. */
static const char *difference(const struct kernel_case *c, bool *must)
{
	*must = false;
	if (run_options.module != MODULE_STOCK)
		return NULL;
	if (c->differs_stock) {
		*must = offered_minor <= OUR_MINOR;
		return c->differs_stock;
	}
	return offered_minor > OUR_MINOR ? c->differs_newer : NULL;
}

static void run_plain(const struct kernel_case *c)
{
	char detail[512] = "";
	bool must, complained;
	const char *why = difference(c, &must);
	int status = run(c->run, 0, why != NULL);

	complained = kernel_complained();
	if (complained)
		report("not ok", c->name, "the kernel complained");
	else if (status == RUN_SKIPPED)
		report("skip", c->name, run_shared->reason);
	else if (why && status == RUN_FAILED) {
		snprintf(detail, sizeof(detail), "differs: %s", why);
		report("skip", c->name, detail);
	} else if (why && must)
		report("not ok", c->name, "it is said to differ on the stock module, and does not");
	else
		report(status == RUN_PASSED ? "ok" : "not ok", c->name, NULL);
}

/* With the first, second... allocation of its callers failing, until none is left to fail. */
static void run_failing(const struct kernel_case *c)
{
	char detail[128];
	int n, status = RUN_PASSED;

	for (n = 1; n <= run_options.fail_max; n++) {
		status = run(c->run, n, true);
		if (run_shared->timed_out || kernel_complained()) {
			snprintf(detail, sizeof(detail), "%s with allocation %d failing",
				 run_shared->timed_out ? "hangs" : "the kernel complained", n);
			report("not ok", c->name, detail);
			return;
		}
		if (run_shared->no_injection) {
			snprintf(detail, sizeof(detail), "no allocation can be made to fail: %s",
				 strerror(run_shared->no_injection));
			report("skip", c->name, detail);
			return;
		}
		if (status == RUN_SKIPPED || !run_shared->injected)
			break;
	}
	if (status == RUN_SKIPPED && n == 1) {
		report("skip", c->name, run_shared->reason);
		return;
	}
	snprintf(detail, sizeof(detail), "%d allocations", n - 1);
	report("ok", c->name, detail);
}

/* ---- all of them ------------------------------------------------------ */

static bool is_selected(const struct kernel_case *c, char *const *prefixes)
{
	if (!*prefixes)
		return true;
	for (; *prefixes; prefixes++)
		if (strncmp(c->name, *prefixes, strlen(*prefixes)) == 0)
			return true;
	return false;
}

static void list_case(const struct kernel_case *c)
{
	printf("%s\n", c->name);
	if (c->differs_stock)
		printf("    differs from stock: %s\n", c->differs_stock);
	if (c->differs_newer)
		printf("    differs from newer stock modules: %s\n", c->differs_newer);
}

static void for_each_case(char *const *prefixes, void (*fn)(const struct kernel_case *c))
{
	for (const struct kernel_case_table *t = __start_kernel_cases; t < __stop_kernel_cases; t++)
		for (size_t i = 0; i < t->count; i++)
			if (is_selected(&t->cases[i], prefixes))
				fn(&t->cases[i]);
}

/* ---- the world -------------------------------------------------------- */

static void probe_body(void)
{
	struct kd *kd = kd_new(.no_init = true);

	kd_init_request(kd);
	run_shared->minor = kd->init_in.minor;
}

static void write_setting(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		printf("# %s: %s\n", path, strerror(errno));
	close(fd);
}

/* Let every allocation be one that may fail, whatever its flags. */
static void prepare_injection(void)
{
	if (access("/sys/kernel/debug/failslab", F_OK) < 0)
		mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	write_setting("/sys/kernel/debug/failslab/ignore-gfp-wait", "N");
	write_setting("/sys/kernel/debug/failslab/verbose", "0");
	write_setting("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N");
	write_setting("/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "N");
	write_setting("/sys/kernel/debug/fail_page_alloc/min-order", "0");
	write_setting("/sys/kernel/debug/fail_page_alloc/verbose", "0");
}

static bool need_fusectl(void)
{
	struct statfs fs;

	if (statfs(case_ctl_dir, &fs) == 0 && fs.f_type == FUSECTL_MAGIC)
		return true;
	return mount("fusectl", case_ctl_dir, "fusectl", 0, NULL) == 0;
}

static bool make_dir(void)
{
	static const char *const places[] = { "/tmp", "/dev/shm", "/run", "" };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(run_options.dir, sizeof(run_options.dir), "%s/kernel-cases.XXXXXX", places[i]);
		if (mkdtemp(run_options.dir))
			return true;
	}
	return false;
}

static bool set_up(void)
{
	if (geteuid() != 0) {
		fprintf(stderr, "kernel-cases: needs root: it mounts\n");
		return false;
	}
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		perror("kernel-cases: a mount namespace");
		return false;
	}
	if (!make_dir()) {
		perror("kernel-cases: no directory to work in");
		return false;
	}
	if (!need_fusectl()) {
		perror("kernel-cases: fusectl on /sys/fs/fuse/connections (is the module loaded?)");
		return false;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	run_shared = mmap(NULL, sizeof(*run_shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg >= 0)
		lseek(kmsg, 0, SEEK_END);
	if (run_options.fail_nth)
		prepare_injection();
	return run_shared != MAP_FAILED;
}

static bool probe(void)
{
	if (run(probe_body, 0, false) != RUN_PASSED) {
		fprintf(stderr, "kernel-cases: the module does not even send an INIT\n");
		return false;
	}
	offered_minor = run_shared->minor;
	printf("# %s module, minor %u\n", run_options.module == MODULE_STOCK ? "stock" : "our", offered_minor);
	return true;
}

static void usage(FILE *out)
{
	fputs("usage: kernel-cases [--module stock|ours] [--list] [--trace] [--fail-nth[=MAX] [--fail-daemon]] [CASE-PREFIX...]\n"
	      "  --module    which module this runs on (KERNEL_MODULE; stock)\n"
	      "  --list      names, and differences from the stock module\n"
	      "  --trace     show the requests of every case\n"
	      "  --fail-nth  every case with the Nth allocation failing, N from 1 to MAX or until none fails\n"
	      "  --fail-daemon  ... in the daemon's reads and writes, not in the callers\n"
	      "KERNEL_CASES_SCALE=N makes all times N times as long, for slow guests.\n", out);
}

static bool set_module(const char *name)
{
	if (strcmp(name, "stock") != 0 && strcmp(name, "ours") != 0)
		return false;
	run_options.module = name[0] == 'o' ? MODULE_OURS : MODULE_STOCK;
	return true;
}

/* 0 to go on, or an exit status + 1. */
static int parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "module", required_argument, NULL, 'm' }, { "list", no_argument, NULL, 'l' },
		{ "trace", no_argument, NULL, 't' }, { "fail-nth", optional_argument, NULL, 'f' },
		{ "fail-daemon", no_argument, NULL, 'd' }, { "help", no_argument, NULL, 'h' }, { 0 }
	};
	const char *module = getenv("KERNEL_MODULE"), *scale = getenv("KERNEL_CASES_SCALE");
	int c;

	if (scale && atoi(scale) > 0)
		run_options.scale = atoi(scale);
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'm')
			module = optarg;
		else if (c == 'l')
			run_options.list = true;
		else if (c == 't')
			run_options.trace = true;
		else if (c == 'f')
			run_options.fail_nth = true;
		else if (c == 'd')
			run_options.fail_daemon = true;
		if (c == 'f' && optarg)
			run_options.fail_max = atoi(optarg);
		if (c == 'h' || c == '?') {
			usage(c == 'h' ? stdout : stderr);
			return c == 'h' ? 1 : 3;
		}
	}
	if (module && !set_module(module)) {
		fprintf(stderr, "kernel-cases: module %s: stock or ours\n", module);
		return 3;
	}
	return 0;
}

int main(int argc, char **argv)
{
	int ret = parse(argc, argv);

	if (ret)
		return ret - 1;
	if (run_options.list) {
		for_each_case(argv + optind, list_case);
		return 0;
	}
	if (!set_up())
		return 2;
	if (!probe()) {
		rmdir(run_options.dir);
		return 2;
	}
	for_each_case(argv + optind, run_options.fail_nth ? run_failing : run_plain);
	rmdir(run_options.dir);
	printf("# %d ok, %d not ok, %d skipped\n", counts.ok, counts.not_ok, counts.skipped);
	return counts.not_ok || !(counts.ok + counts.skipped);
}

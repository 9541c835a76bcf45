/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_opcodes.c: every opcode through whole sessions, normal and hostile,
 * against the filesystem that the program was linked with (backend_*.c).
 * Arguments: the opcodes to test, in lower case; none: all.
 */
#include <stdio.h>
#include "opcodes/opcodes.h"

#define REFER(opcode) &op_group_##opcode,
static const struct op_group *const groups[] = { OP_GROUPS(REFER) };

static bool is_wanted(const struct op_group *group, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], group->name))
			return true;
	return argc < 2;
}

static int run_groups(int argc, char **argv)
{
	int failed = 0;

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (!is_wanted(groups[i], argc, argv))
			continue;
		printf("%s on %s\n", groups[i]->name, op_backend->name);
		fflush(stdout);
		failed += _cmocka_run_group_tests(groups[i]->name, groups[i]->tests,
						  groups[i]->count, NULL, NULL);
	}
	return failed;
}

int main(int argc, char **argv)
{
	int failed = 0;

	for (size_t i = 0; op_backends[i]; i++) {
		op_backend = op_backends[i];
		if (!op_backend_is_wanted(op_backend))
			continue;
		failed += run_groups(argc, argv);
	}
	return failed ? 1 : 0;
}

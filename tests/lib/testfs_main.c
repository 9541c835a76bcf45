/* SPDX-License-Identifier: GPL-2.0-or-later */
/* testfs_main.c: the case-insensitive test driver as a program: testfs -f SOURCE DIR, for experiments with the real kernel. */
#include "testfs.h"

int main(int argc, char **argv)
{
	return fuseblk_main(argc, argv, &testfs_fold_driver);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c: the program fuseblk-ext2. What it serves is in driver.c.
 */
#include "ext2.h"

int main(int argc, char **argv)
{
	return fuseblk_main(argc, argv, &e2_driver);
}

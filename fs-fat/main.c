// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c: the program fuseblk-fat. What it serves is in driver.c.
 */
#include "fat.h"

int main(int argc, char **argv)
{
	return fuseblk_main(argc, argv, &fat_driver);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fold.c: Unicode's simple case folding, looked up in runs.  It needs no
 * locale and knows no language: the Turkish dotted and dotless i stay what
 * they are, and a sharp s is not two letters.
 */
#include <stddef.h>
#include "fold.h"

struct fold_run {
	uint32_t first;
	uint16_t count;
	uint8_t step;
	int32_t delta;
};

#include "fold_table.h"

static const struct fold_run *find_run(uint32_t c)
{
	size_t low = 0, high = sizeof(fold_runs) / sizeof(fold_runs[0]);

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (fold_runs[mid].first <= c)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? &fold_runs[low - 1] : NULL;
}

uint32_t fat_fold(uint32_t c)
{
	const struct fold_run *run;
	uint32_t off;

	if (c < 0x80)
		return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
	run = find_run(c);
	if (!run)
		return c;
	off = c - run->first;
	if (off % run->step || off / run->step >= run->count)
		return c;
	return (uint32_t)((int32_t)c + run->delta);
}

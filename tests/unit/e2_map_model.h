/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * e2_map_model.h: files of e2_map_rig.h, and an array for each.
 *
 * The model of a file is one stamp per block: 0 for what reads as zeros,
 * else the number of the write that filled it.  Each data block on the
 * device holds file, block and stamp.
 */
#ifndef E2_MAP_MODEL_H
#define E2_MAP_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "e2_map_rig.h"

#define SPAN 2400u		/* blocks of a file in use: into the double indirect */
#define STAMP_MAGIC 0x5354414du

struct stamp { uint32_t magic, file, lblk, seq; };

struct model {
	uint32_t seq[SPAN];
	uint64_t size;
};

extern struct model model[RIG_FILES];

void model_clear(void);

/* Each does to file @f and to its model the same; -ENOSPC is taken as the answer it is. */
/* @fail: the device refuses fresh blocks half way. */
void model_write(unsigned f, uint32_t lblk, uint32_t len, bool fail);
void model_truncate(unsigned f, uint32_t blocks);
void model_punch(unsigned f, uint32_t lblk, uint32_t len);
void model_allocate(unsigned f, uint32_t lblk, uint32_t len);
void model_switch(unsigned f);	/* new blocks for some places, as a directory does */

#endif

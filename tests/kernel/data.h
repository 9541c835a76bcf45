/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * data.h: the contents of files, for the cases that read and write them.
 *
 * A file's bytes are a pattern of its position and a seed, so that a byte which
 * ends up elsewhere, or comes from another version of the file, is seen.
 */
#ifndef TESTS_KERNEL_DATA_H
#define TESTS_KERNEL_DATA_H

#include "daemon.h"

#define PAGE 4096u
#define TOUCHED 0x55			/* what kd_call_touch() writes; no pattern's byte */
#define ARG(r, type) ((const struct type *)(r)->arg)

/* What the file holds at @pos; never 0. */
uint8_t data_byte(uint64_t pos, unsigned int seed);
void data_fill(void *buf, size_t len, uint64_t pos, unsigned int seed);
/* The same in new memory, which begins at a page. */
uint8_t *data_new(size_t len, uint64_t pos, unsigned int seed);
/* New zeroed memory, which begins at a page. */
uint8_t *data_room(size_t len);

#define CHECK_DATA(buf, len, pos, seed) \
	(kd_at(__FILE__, __LINE__), data_check((buf), (len), (pos), (seed)))
void data_check(const void *buf, size_t len, uint64_t pos, unsigned int seed);
#define CHECK_ZERO(buf, len) (kd_at(__FILE__, __LINE__), data_check_zero((buf), (len)))
void data_check_zero(const void *buf, size_t len);

/*
 * From now on READs and WRITEs that are answered unasked use memory of @room
 * bytes: @node's size of them with @seed, then zeros.
 */
void data_content(struct kd_node *node, size_t room, unsigned int seed);

/* A READ or WRITE of exactly this range. */
#define data_expect_read(...) (kd_at(__FILE__, __LINE__), data_expect_read(__VA_ARGS__))
struct kd_req *(data_expect_read)(struct kd *kd, uint64_t nodeid, uint64_t off, uint32_t size);
#define data_expect_write(...) (kd_at(__FILE__, __LINE__), data_expect_write(__VA_ARGS__))
struct kd_req *(data_expect_write)(struct kd *kd, uint64_t nodeid, uint64_t off, uint32_t size);
/* Answer a READ with @len bytes of the file with @seed. */
#define data_reply(...) (kd_at(__FILE__, __LINE__), data_reply(__VA_ARGS__))
void (data_reply)(struct kd_req *r, size_t len, unsigned int seed);

/* A file "f", node 2, of @size bytes with @seed, from which READs are answered unasked. */
struct kd_node *data_file(struct kd *kd, uint64_t size, unsigned int seed);
/* f's bytes as a reader of @fd finds them, READs answered unasked; @len must come. */
#define data_read(...) (kd_at(__FILE__, __LINE__), data_read(__VA_ARGS__))
uint8_t *(data_read)(struct kd *kd, int fd, uint64_t off, size_t len);
/* Every byte of f's first @len is as @seed says. */
#define data_check_file(...) (kd_at(__FILE__, __LINE__), data_check_file(__VA_ARGS__))
void (data_check_file)(struct kd *kd, int fd, size_t len, unsigned int seed);

/* The size of the largest READ that came. */
uint32_t data_largest_read(const struct kd *kd);

/* mmap() from offset 0. */
uint8_t *data_map(int fd, size_t len, int prot, int flags);
/* Write the byte TOUCHED to page @page of a mapping; READs are answered unasked. */
#define data_dirty(...) (kd_at(__FILE__, __LINE__), data_dirty(__VA_ARGS__))
void (data_dirty)(struct kd *kd, uint8_t *map, unsigned int page);
/* munmap() and msync(MS_SYNC) by a caller. */
struct kd_call *data_call_munmap(struct kd *kd, uint8_t *map, size_t len);
struct kd_call *data_call_msync(struct kd *kd, uint8_t *map, size_t len);

#endif

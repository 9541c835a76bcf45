/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * message.h: one valid message of every opcode, and functions to build and
 * bend messages, for the tests of the decoder and of whole sessions.
 */
#ifndef TESTS_MESSAGE_H
#define TESTS_MESSAGE_H

#include "proto.h"
#include "request.h"

/* A growing message; @bytes is malloc'ed, 8-aligned. */
struct message {
	uint8_t *bytes;
	size_t len, room;
};

/* A message of @opcode with a header and no arguments; free with message_free(). */
struct message message_new(uint32_t opcode, uint64_t unique, uint64_t nodeid);
void message_free(struct message *m);
/* Append bytes, or a string with its NUL; the header's length follows. */
void message_add(struct message *m, const void *bytes, size_t len);
void message_add_string(struct message *m, const char *text);
/*
 * A message of an opcode that takes a name, whose (last) name is the @len
 * bytes of @name, to be given with the NUL.
 */
struct message message_named(uint32_t opcode, uint64_t nodeid, const char *name, size_t len);
struct fuse_in_header *message_head(struct message *m);
/* Cut or extend (with @fill) to @len bytes, the header's length included if @fix_head. */
void message_resize(struct message *m, size_t len, int fill, bool fix_head);

/* What a message's arguments end with */
enum message_end {
	MESSAGE_END_STRUCT,	/* a structure: a longer one is accepted */
	MESSAGE_END_NAME,	/* a name: nothing may follow its NUL */
	MESSAGE_END_BYTES,	/* exactly the bytes a structure counts */
};

/* A valid message per opcode that the library serves. */
struct message_sample {
	uint32_t opcode;
	const char *name;
	enum message_end end;
	void (*fill)(struct message *m);
};
extern const struct message_sample message_samples[];
extern const size_t message_sample_count;
struct message message_of_sample(const struct message_sample *sample,
				 uint64_t unique, uint64_t nodeid);

#endif

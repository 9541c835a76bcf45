/* SPDX-License-Identifier: GPL-2.0-or-later */
/* opcodes.c: set-up, tear-down and hostile messages for the tests of the opcodes. */
#include <stdio.h>
#include <unistd.h>
#include "opcodes.h"

const struct op_backend *op_backend;

bool op_backend_is_wanted(const struct op_backend *backend)
{
	return !backend->only_if_all || getenv("FUSEBLK_TEST_ALL");
}

uint8_t op_byte(uint64_t off)
{
	return (uint8_t)(off * 7 + off / 256 + 1);
}

static void fill_file(struct op *op)
{
	uint8_t bytes[OP_FILE_SIZE];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = op_byte(i);
	assert_int_equal(fk_write(op->fk, op->file, 0, bytes, sizeof(bytes), 0), sizeof(bytes));
}

int op_setup(void **state)
{
	struct op *op = calloc(1, sizeof(*op));
	struct fuse_entry_out e;

	testfs_reset();
	op->fk = op_backend->start(NULL, true);
	fk_as(op->fk, 0, 0);
	assert_int_equal(fk_mknod(op->fk, FUSE_ROOT_ID, "file", S_IFREG | 0644, 0, &e), 0);
	op->file = e.nodeid;
	assert_int_equal(fk_mkdir(op->fk, FUSE_ROOT_ID, "dir", 0755, &e), 0);
	op->dir = e.nodeid;
	assert_int_equal(fk_mknod(op->fk, op->dir, "inner", S_IFREG | 0600, 0, &e), 0);
	op->inner = e.nodeid;
	assert_int_equal(fk_symlink(op->fk, FUSE_ROOT_ID, "link", "dir/inner", &e), 0);
	op->link = e.nodeid;
	fill_file(op);
	*state = op;
	return 0;
}

int op_teardown(void **state)
{
	struct op *op = *state;
	bool agree;
	int err;

	testfs_reset();
	fk_as(op->fk, 0, 0);
	agree = fk_lookups_agree(op->fk);
	fk_forget_all(op->fk);
	agree &= fk_lookups_agree(op->fk);
	err = fk_stop(op->fk);
	free(op);
	if (!agree)
		fail_msg("lookup counts differ");
	if (err)
		fail_msg("the session ended with %d", err);
	if (op_backend->check)
		op_backend->check();
	return 0;
}

uint64_t op_need(struct op *op, uint64_t dir, const char *name)
{
	struct fuse_entry_out e;
	int err = fk_lookup(op->fk, dir, name, &e);

	if (err || !e.nodeid)
		fail_msg("%s: %d, node %llu", name, err, (unsigned long long)e.nodeid);
	return e.nodeid;
}

uint64_t op_stale_node(struct op *op)
{
	struct fuse_entry_out e;

	assert_int_equal(fk_mknod(op->fk, op->dir, "stale", S_IFREG | 0600, 0, &e), 0);
	assert_int_equal(fk_unlink(op->fk, op->dir, "stale"), 0);
	fk_forget(op->fk, e.nodeid, fk_lookups(op->fk, e.nodeid));
	assert_true(fk_lookups_agree(op->fk));
	return e.nodeid;
}

void op_await_ffree(struct op *op, uint64_t ffree)
{
	struct fuse_kstatfs now;

	for (int i = 0; i < 200; i++) {
		assert_int_equal(fk_statfs(op->fk, &now), 0);
		if (now.ffree == ffree)
			break;
		usleep(10000);
	}
	assert_int_equal(now.ffree, ffree);
}

void op_sync_unlinked(struct op *op)
{
	struct fuse_entry_out e;

	assert_int_equal(fk_mkdir(op->fk, op->dir, "gone", 0700, &e), 0);
	assert_int_equal(fk_rmdir(op->fk, op->dir, "gone"), 0);
	assert_int_equal(fk_fsyncdir(op->fk, e.nodeid), 0);
	assert_int_equal(fk_unlink(op->fk, FUSE_ROOT_ID, "file"), 0);
	assert_int_equal(fk_fsync(op->fk, op->file, false), 0);
}

void op_check_copied(struct op *op)
{
	uint8_t bytes[OP_FILE_SIZE];

	assert_int_equal(fk_read(op->fk, op->inner, 500, bytes, sizeof(bytes)), 3000);
	for (size_t i = 0; i < 3000; i++)
		assert_int_equal(bytes[i], op_byte(1000 + i));
	assert_int_equal(fk_read(op->fk, op->inner, 0, bytes, 1), 1);
	assert_int_equal(bytes[0], 0);
	op_check_tree(op);
}

static void check_names(struct op *op, uint64_t dir, const char *const *names, size_t count)
{
	struct fk_dirent *list;
	ssize_t n = fk_list(op->fk, dir, false, &list);
	size_t known = 0, others = 0;

	for (ssize_t i = 0; i < n; i++) {
		bool is_known = false;

		if (!strcmp(list[i].name, ".") || !strcmp(list[i].name, "..") ||
		    !strcmp(list[i].name, "lost+found"))
			continue;
		for (size_t k = 0; k < count; k++)
			is_known |= !strcmp(list[i].name, names[k]);
		known += is_known;
		others += !is_known;
	}
	free(list);
	assert_int_equal(known, count);
	assert_int_equal(others, 0);
}

void op_check_tree(struct op *op)
{
	static const char *const root[] = { "file", "dir", "link" };
	static const char *const inner[] = { "inner" };
	uint8_t bytes[OP_FILE_SIZE + 100];

	check_names(op, FUSE_ROOT_ID, root, 3);
	check_names(op, op->dir, inner, 1);
	assert_int_equal(fk_read(op->fk, op->file, 0, bytes, sizeof(bytes)), OP_FILE_SIZE);
	for (size_t i = 0; i < OP_FILE_SIZE; i++)
		if (bytes[i] != op_byte(i))
			fail_msg("byte %zu of /file changed", i);
}

static const struct message_sample *sample_of(uint32_t opcode)
{
	for (size_t i = 0; i < message_sample_count; i++)
		if (message_samples[i].opcode == opcode)
			return &message_samples[i];
	fail_msg("no sample of opcode %u", opcode);
	return NULL;
}

static void expect_refused(struct op *op, struct message *m, const char *what)
{
	uint32_t opcode = message_head(m)->opcode;
	int err = fk_exchange(op->fk, m);

	if (err != -EIO && err != -EINVAL)
		fail_msg("opcode %u, %s: %d", opcode, what, err);
}

static void hostile_lengths(struct op *op, const struct message_sample *sample, uint64_t node)
{
	struct message whole = message_of_sample(sample, 0, node);
	size_t full = whole.len;

	message_free(&whole);
	for (size_t len = sizeof(struct fuse_in_header); len < full; len++) {
		struct message m = message_of_sample(sample, 0, node);
		char what[64];

		snprintf(what, sizeof(what), "cut from %zu to %zu bytes", full, len);
		message_resize(&m, len, 0, true);
		expect_refused(op, &m, what);
	}
}

void op_hostile_sizes(struct op *op, uint32_t opcode, uint64_t node)
{
	const struct message_sample *sample = sample_of(opcode);
	struct message m;

	hostile_lengths(op, sample, node);
	m = message_of_sample(sample, 0, node);
	message_head(&m)->len++;
	expect_refused(op, &m, "header says one byte more");
	m = message_of_sample(sample, 0, node);
	message_head(&m)->len = UINT32_MAX;
	expect_refused(op, &m, "header says 4 GiB");
	m = message_of_sample(sample, 0, node);
	message_head(&m)->total_extlen = UINT16_MAX;
	expect_refused(op, &m, "more extensions than message");
	if (sample->end != MESSAGE_END_STRUCT) {
		m = message_of_sample(sample, 0, node);
		message_resize(&m, m.len + 1, 'x', true);
		expect_refused(op, &m, "one byte longer");
	}
	op_check_tree(op);
}

void op_hostile_nodes(struct op *op, uint32_t opcode)
{
	uint64_t nodes[] = {
		0, 2, 5, 9999, UINT32_MAX, 1ull << 32, 1ull << 63, UINT64_MAX, op_stale_node(op),
	};

	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		struct message m = message_of_sample(sample_of(opcode), 0, nodes[i]);
		int err = fk_exchange(op->fk, &m);

		if (err != -ESTALE)
			fail_msg("opcode %u of node %llu: %d", opcode,
				 (unsigned long long)nodes[i], err);
	}
	op_check_tree(op);
}

static int exchange_name(struct op *op, uint32_t opcode, uint64_t node, const char *name,
			 size_t len)
{
	struct message m = message_named(opcode, node, name, len);

	return fk_exchange(op->fk, &m);
}

void op_hostile_names(struct op *op, uint32_t opcode, uint64_t node, bool dots)
{
	static const size_t too_long[] = { 256, 257, 1023, 1024, 1025, 4095 };
	char name[5000];

	memset(name, 'n', sizeof(name));
	for (size_t i = 0; i < sizeof(too_long) / sizeof(too_long[0]); i++) {
		name[too_long[i]] = 0;
		assert_int_equal(exchange_name(op, opcode, node, name, too_long[i] + 1), -ENAMETOOLONG);
		name[too_long[i]] = 'n';
	}
	assert_int_equal(exchange_name(op, opcode, node, "a/b", 4), -EINVAL);
	assert_int_equal(exchange_name(op, opcode, node, "\0", 2), -EINVAL);
	assert_int_equal(exchange_name(op, opcode, node, "no nul", 6), -EINVAL);
	assert_int_equal(exchange_name(op, opcode, node, "early\0nul", 10), -EINVAL);
	if (dots) {
		assert_int_equal(exchange_name(op, opcode, node, ".", 2), -EINVAL);
		assert_int_equal(exchange_name(op, opcode, node, "..", 3), -EINVAL);
	}
	op_check_tree(op);
}

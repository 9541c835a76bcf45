/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_init.c: INIT through a whole session. */
#include "opcodes.h"

static void test_reply(void **state)
{
	struct op *op = *state;
	const struct fuse_init_out *o = fk_init_reply(op->fk);
	uint32_t must = FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_MAX_PAGES | FUSE_PARALLEL_DIROPS |
		FUSE_DO_READDIRPLUS | FUSE_SETXATTR_EXT | FUSE_INIT_EXT | FUSE_WRITEBACK_CACHE |
		FUSE_HANDLE_KILLPRIV_V2 | FUSE_EXPLICIT_INVAL_DATA;

	assert_int_equal(o->major, 7);
	assert_int_equal(o->minor, 45);
	assert_int_equal(o->flags & must, must);
	assert_false(o->flags & (FUSE_AUTO_INVAL_DATA | FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS));
	assert_int_equal(o->max_write, 1 << 20);
	assert_int_equal(o->max_pages, 256);
	assert_true(o->time_gran >= 1);
	assert_true(o->max_background >= 12);
}

static void test_twice(void **state)
{
	struct op *op = *state;
	struct message m = message_new(FUSE_INIT, 0, 0);

	message_add(&m, &(struct fuse_init_in) { .major = 7, .minor = 45 }, sizeof(struct fuse_init_in));
	assert_int_equal(fk_exchange(op->fk, &m), -EINVAL);
	op_check_tree(op);
}

static void test_no_writeback(void **state)
{
	struct fk *fk = op_backend->start("nowriteback_cache", true);

	(void)state;
	assert_false(fk_init_reply(fk)->flags & FUSE_WRITEBACK_CACHE);
	assert_int_equal(fk_stop(fk), 0);
}

/* Protocol minors: refused before 31, never more than we know, the kernel's own if less. */
static void test_minors(void **state)
{
	static const struct { uint32_t offered; int err; uint32_t answered; } rows[] = {
		{ 0, -EPROTO, 0 }, { 30, -EPROTO, 0 }, { 31, 0, 31 }, { 38, 0, 38 },
		{ 45, 0, 45 }, { 46, 0, 45 }, { 9999, 0, 45 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fk *fk = op_backend->start(NULL, false);

		assert_int_equal(fk_init(fk, rows[i].offered, FK_OFFER_ALL), rows[i].err);
		if (!rows[i].err) {
			assert_int_equal(fk_init_reply(fk)->minor, rows[i].answered);
			assert_int_equal(fk_getattr(fk, FUSE_ROOT_ID, NULL), 0);
		}
		fk_stop(fk);
	}
}

/* A kernel that offers little gets nothing it did not offer, and a working mount. */
static void test_bare(void **state)
{
	struct fk *fk = op_backend->start(NULL, false);
	struct fuse_entry_out e;
	char value[8];

	(void)state;
	assert_int_equal(fk_init(fk, 31, FUSE_ASYNC_READ | FUSE_BIG_WRITES), 0);
	assert_int_equal(fk_init_reply(fk)->flags & ~(uint32_t)(FUSE_ASYNC_READ | FUSE_BIG_WRITES), 0);
	assert_int_equal(fk_init_reply(fk)->flags2, 0);
	assert_in_range(fk_init_reply(fk)->max_write, 4096, 131072);
	assert_int_equal(fk_mknod(fk, FUSE_ROOT_ID, "file", S_IFREG | 0600, 0, &e), 0);
	assert_int_equal(fk_opendir(fk, FUSE_ROOT_ID, NULL), 0);
	/* SETXATTR in its short form */
	assert_int_equal(fk_setxattr(fk, e.nodeid, "user.a", "v", 1, 0), 0);
	assert_int_equal(fk_getxattr(fk, e.nodeid, "user.a", value, sizeof(value)), 1);
	assert_int_equal(fk_stop(fk), 0);
}

static void test_other_major(void **state)
{
	static const uint32_t majors[] = { 0, 6, 8, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct fk *fk = op_backend->start(NULL, false);
		struct message m = message_new(FUSE_INIT, 0, 0);

		message_add(&m, &(struct fuse_init_in) { .major = majors[i], .minor = 45 },
			    sizeof(struct fuse_init_in));
		fk_exchange(fk, &m);		/* whatever it says, it says it */
		fk_stop(fk);
	}
}

static void test_bad_sizes(void **state)
{
	static const size_t sizes[] = { 0, 7, 15 };
	struct fk *fk = op_backend->start(NULL, false);

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct message m = message_new(FUSE_INIT, 0, 0);

		message_add(&m, &(struct fuse_init_in) { .major = 7, .minor = 45 }, sizes[i]);
		assert_int_equal(fk_exchange(fk, &m), -EIO);
	}
	fk_stop(fk);
}

/* Nothing is served before INIT. */
static void test_before(void **state)
{
	struct fk *fk = op_backend->start(NULL, false);

	(void)state;
	for (size_t i = 0; i < message_sample_count; i++) {
		const struct message_sample *s = &message_samples[i];
		struct message m;

		if (s->opcode == FUSE_INIT || s->opcode == FUSE_DESTROY ||
		    s->opcode == FUSE_FORGET || s->opcode == FUSE_BATCH_FORGET ||
		    s->opcode == FUSE_INTERRUPT)
			continue;
		m = message_of_sample(s, 0, FUSE_ROOT_ID);
		if (fk_exchange(fk, &m) >= 0)
			fail_msg("%s was served", s->name);
	}
	assert_int_equal(fk_init(fk, 45, FK_OFFER_ALL), 0);
	assert_int_equal(fk_stop(fk), 0);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_reply),
	OP_TEST(test_twice),
	cmocka_unit_test(test_no_writeback),
	cmocka_unit_test(test_minors),
	cmocka_unit_test(test_bare),
	cmocka_unit_test(test_other_major),
	cmocka_unit_test(test_bad_sizes),
	cmocka_unit_test(test_before),
};
OP_GROUP(init, tests);

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_storm.c: many requests at once, and random bytes, through whole
 * sessions on the filesystem that the program was linked with.
 *
 * What must hold in the end: every request was answered once and well, lookup
 * counts agree, and after everything is removed and forgotten no inode is
 * left over.  The random sequences have a fixed seed.
 */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
#include "opcodes/opcodes.h"

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return *seed >> 33;
}

/* ---- threads on few names ------------------------------------------- */

#define THREADS	6
#define ROUNDS	700
#define NAMES	12

struct storm {
	struct op *op;
	uint64_t seed;
	int bad;		/* the first error that should not have been */
	const char *bad_op;
};

static bool is_fine(int err)
{
	static const int fine[] = {
		0, -ENOENT, -EEXIST, -ENOTEMPTY, -ENOTDIR, -EISDIR, -ESTALE, -ENOSPC,
		-EINVAL, -EPERM, -EXDEV, -EMLINK, -ENODATA, -ENXIO, -EOPNOTSUPP,
	};

	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		if (err == fine[i])
			return true;
	return err > 0;
}

static void note(struct storm *s, const char *what, ssize_t result)
{
	if (is_fine((int)result) || s->bad)
		return;
	s->bad = (int)result;
	s->bad_op = what;
}

static const char *pick_name(struct storm *s)
{
	static const char *const names[NAMES] = {
		"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l",
	};

	return names[next_random(&s->seed) % NAMES];
}

static uint64_t pick_dir(struct storm *s)
{
	return next_random(&s->seed) % 2 ? s->op->dir : FUSE_ROOT_ID;
}

/* An op on the inode behind a name, which may vanish at any moment. */
static void on_inode(struct storm *s, struct fk *fk)
{
	uint64_t dir = pick_dir(s), node = fk_find(fk, dir, pick_name(s));
	uint8_t bytes[3000];
	uint64_t off;

	if (!node)
		return;
	memset(bytes, (int)next_random(&s->seed), sizeof(bytes));
	switch (next_random(&s->seed) % 9) {
	case 0:
		note(s, "getattr", fk_getattr(fk, node, NULL));
		break;
	case 1:
		note(s, "write", fk_write(fk, node, next_random(&s->seed) % 50000, bytes,
					  1 + (uint32_t)(next_random(&s->seed) % 2999), 0));
		break;
	case 2:
		note(s, "read", fk_read(fk, node, next_random(&s->seed) % 50000, bytes, 3000));
		break;
	case 3:
		note(s, "truncate", fk_truncate(fk, node, next_random(&s->seed) % 60000));
		break;
	case 4:
		note(s, "link", fk_link(fk, node, pick_dir(s), pick_name(s), NULL));
		break;
	case 5:
		note(s, "fsync", fk_fsync(fk, node, false));
		break;
	case 6:
		note(s, "lseek", fk_lseek(fk, node, 0, SEEK_HOLE, &off));
		break;
	case 7:
		note(s, "setxattr", fk_setxattr(fk, node, "user.x", bytes, 100, 0));
		break;
	default:
		note(s, "fallocate", fk_fallocate(fk, node, 0, 0, 10000));
	}
	fk_forget_known(fk, node);
}

static void on_names(struct storm *s, struct fk *fk)
{
	uint64_t dir = pick_dir(s), newdir = pick_dir(s);
	const char *name = pick_name(s), *newname = pick_name(s);
	struct fk_dirent *list;

	switch (next_random(&s->seed) % 10) {
	case 0:
	case 1:
		note(s, "mknod", fk_mknod(fk, dir, name, S_IFREG | 0600, 0, NULL));
		break;
	case 2:
		note(s, "mkdir", fk_mkdir(fk, dir, name, 0700, NULL));
		break;
	case 3:
		note(s, "unlink", fk_unlink(fk, dir, name));
		break;
	case 4:
		note(s, "rmdir", fk_rmdir(fk, dir, name));
		break;
	case 5:
		note(s, "rename", fk_rename(fk, dir, name, newdir, newname));
		break;
	case 6:
		note(s, "exchange", fk_rename2(fk, dir, name, newdir, newname, 2));
		break;
	case 7:
		note(s, "symlink", fk_symlink(fk, dir, name, "target", NULL));
		break;
	case 8:
		note(s, "readdirplus", fk_list(fk, dir, true, &list));
		free(list);
		break;
	default:
		note(s, "tmpfile", fk_tmpfile(fk, dir, 0600, NULL, NULL));
	}
}

static void *storm_main(void *arg)
{
	struct storm *s = arg;

	for (int i = 0; i < ROUNDS && !s->bad; i++) {
		if (next_random(&s->seed) % 2)
			on_inode(s, s->op->fk);
		else
			on_names(s, s->op->fk);
		if (i % 50 == 0)
			fk_forget_all(s->op->fk);
	}
	return NULL;
}

/* Remove what is in @dir, but the tree of op_setup. */
static void empty(struct op *op, uint64_t dir)
{
	static const char *const keep[] = { ".", "..", "lost+found", "file", "dir", "link", "inner" };
	struct fk_dirent *list;
	ssize_t n = fk_list(op->fk, dir, false, &list);

	for (ssize_t i = 0; i < n; i++) {
		bool is_kept = false;
		uint64_t node;

		for (size_t k = 0; k < sizeof(keep) / sizeof(keep[0]); k++)
			is_kept |= !strcmp(list[i].name, keep[k]);
		if (is_kept)
			continue;
		if (list[i].type != 4) {
			assert_int_equal(fk_unlink(op->fk, dir, list[i].name), 0);
			continue;
		}
		node = op_need(op, dir, list[i].name);
		empty(op, node);
		assert_int_equal(fk_rmdir(op->fk, dir, list[i].name), 0);
	}
	free(list);
}

static void test_storm(void **state)
{
	struct op *op = *state;
	struct storm storms[THREADS];
	pthread_t threads[THREADS];
	struct fuse_kstatfs before, after;

	assert_int_equal(fk_statfs(op->fk, &before), 0);
	/* the storm forgets what the tree's own lookups were given: /dir stays in use */
	for (int i = 0; i < 1000000 / ROUNDS; i++)
		op_need(op, FUSE_ROOT_ID, "dir");
	for (int i = 0; i < THREADS; i++) {
		storms[i] = (struct storm) { .op = op, .seed = 1000 + (uint64_t)i };
		assert_int_equal(pthread_create(&threads[i], NULL, storm_main, &storms[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < THREADS; i++)
		if (storms[i].bad)
			fail_msg("%s: %d", storms[i].bad_op, storms[i].bad);
	assert_true(fk_lookups_agree(op->fk));
	op->dir = op_need(op, FUSE_ROOT_ID, "dir");
	op->file = op_need(op, FUSE_ROOT_ID, "file");
	empty(op, op->dir);
	empty(op, FUSE_ROOT_ID);
	op_check_tree(op);
	fk_forget_all(op->fk);
	assert_true(fk_lookups_agree(op->fk));
	/* a driver may free an inode in more than one commit */
	for (int i = 0; i < 100; i++) {
		assert_int_equal(fk_statfs(op->fk, &after), 0);
		if (after.ffree == before.ffree)
			break;
		assert_int_equal(fk_syncfs(op->fk), 0);
		usleep(20000);
	}
	assert_int_equal(after.ffree, before.ffree);
}

/* ---- random messages ------------------------------------------------- */

static bool is_silent(uint32_t opcode)
{
	return opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET || opcode == FUSE_INTERRUPT ||
	       opcode == FUSE_NOTIFY_REPLY;
}

static void mutate(struct message *m, uint64_t *seed)
{
	static const uint32_t edges[] = {
		0, 1, 2, 11, 12, 13, 0xff, 0x100, 0x7fffffff, 0x80000000, 0xffffffff,
		4096, 0x100000, 0x100001, 0x10000000,
	};
	size_t head = sizeof(struct fuse_in_header);

	message_head(m)->nodeid = next_random(seed) % 16;
	for (unsigned i = next_random(seed) % 4; i; i--) {
		uint32_t edge = edges[next_random(seed) % (sizeof(edges) / sizeof(edges[0]))];
		size_t at = next_random(seed) % m->len;

		if (at >= head || at < 4)
			memcpy(m->bytes + at, &edge, at + 4 <= m->len ? 4 : 1);
	}
	if (next_random(seed) % 4 == 0)
		message_resize(m, head + next_random(seed) % 200, (int)next_random(seed), true);
	else if (next_random(seed) % 8)
		message_head(m)->len = (uint32_t)m->len;
}

/*
 * Thousands of bent messages in flight together; each that wants a reply gets
 * one.  DESTROY is left out, INTERRUPT names requests of the same batch.
 */
static void test_random_messages(void **state)
{
	struct op *op = *state;
	uint64_t seed = 77, uniques[64];

	for (int batch = 0; batch < 250; batch++) {
		unsigned count = 0;

		for (int i = 0; i < 64; i++) {
			const struct message_sample *s =
				&message_samples[next_random(&seed) % message_sample_count];
			struct message m = message_of_sample(s, 0, 0);
			bool silent = is_silent(s->opcode);

			mutate(&m, &seed);
			message_head(&m)->opcode = s->opcode == FUSE_DESTROY ? FUSE_POLL : s->opcode;
			if (s->opcode == FUSE_INTERRUPT) {
				fk_interrupt(op->fk, count ? uniques[count - 1] : 2);
				message_free(&m);
			} else if (silent) {
				fk_send(op->fk, &m);
			} else {
				uniques[count++] = fk_send(op->fk, &m);
			}
		}
		for (unsigned i = 0; i < count; i++) {
			struct fk_reply reply = fk_await(op->fk, uniques[i]);

			if (reply.error == -ETIMEDOUT || reply.error == -EPIPE)
				fail_msg("batch %d, message %u: %d", batch, i, reply.error);
			free(reply.body);
		}
	}
	assert_int_equal(fk_getattr(op->fk, FUSE_ROOT_ID, NULL), 0);
}

/* Bytes that are no message at all end nothing. */
static void test_noise(void **state)
{
	struct op *op = *state;
	uint64_t seed = 4;
	uint8_t bytes[39];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)next_random(&seed);
	for (size_t len = 1; len <= sizeof(bytes); len++)
		fk_send_raw(op->fk, bytes, len);
	op_check_tree(op);
}

/* The channel ends with requests still held: the session ends, and nothing is left behind. */
static void test_abort(void **state)
{
	struct fk *fk = op_backend->start(NULL, true);
	struct fuse_entry_out e;
	uint8_t bytes[8192] = { 1 };

	(void)state;
	assert_int_equal(fk_mknod(fk, FUSE_ROOT_ID, "file", S_IFREG | 0600, 0, &e), 0);
	for (uint32_t i = 0; i < 20; i++) {
		struct fuse_write_in in = { .offset = i * sizeof(bytes), .size = sizeof(bytes) };
		struct fk_args args = {
			.opcode = FUSE_WRITE, .nodeid = e.nodeid, .args = &in,
			.args_len = sizeof(in), .bytes = bytes, .bytes_len = sizeof(bytes),
		};

		fk_call_async(fk, &args);
	}
	assert_int_equal(fk_abort(fk), 0);
	if (op_backend->check)
		op_backend->check();
}

/* The count of a mutated request's lookup is not in our books: the session ends all the same. */
static int teardown_uncounted(void **state)
{
	struct op *op = *state;
	int err = fk_stop(op->fk);

	free(op);
	if (err)
		fail_msg("the session ended with %d", err);
	if (op_backend->check)
		op_backend->check();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OP_TEST(test_storm),
		cmocka_unit_test_setup_teardown(test_random_messages, op_setup, teardown_uncounted),
		OP_TEST(test_noise),
		cmocka_unit_test(test_abort),
	};

	int failed = 0;

	for (size_t i = 0; op_backends[i]; i++) {
		op_backend = op_backends[i];
		if (!op_backend_is_wanted(op_backend))
			continue;
		printf("%s\n", op_backend->name);
		fflush(stdout);
		failed += cmocka_run_group_tests(tests, NULL, NULL);
	}
	return failed ? 1 : 0;
}

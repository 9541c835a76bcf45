// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_decode.c: the wire decoder against every opcode's message, exact,
 * short, long and bent, and against random mutations of all of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "decode_rig.h"

static void test_exact(void **state)
{
	(void)state;
	for (size_t i = 0; i < message_sample_count; i++) {
		struct message m = message_of_sample(&message_samples[i], 100 + i, 200 + i);
		struct decoded d = rig_decode(m.bytes, m.len, &rig_proto);

		if (d.err)
			fail_msg("%s: %d", message_samples[i].name, d.err);
		assert_int_equal(d.req.opcode, message_samples[i].opcode);
		assert_int_equal(d.req.unique, 100 + i);
		assert_int_equal(d.req.nodeid, 200 + i);
		assert_int_equal(d.req.pid, 4711);
		free(d.copy);
		message_free(&m);
	}
}

/* Every shorter length of every message is refused, but INIT's short form. */
static void test_short(void **state)
{
	(void)state;
	for (size_t i = 0; i < message_sample_count; i++) {
		size_t full = 1;

		for (size_t len = 0; len < full; len++) {
			struct message m = message_of_sample(&message_samples[i], 1, 1);
			int err;

			full = m.len;
			message_resize(&m, len, 0, true);
			err = rig_decode_error(&m);
			if (message_samples[i].opcode == FUSE_INIT && len >= 60)
				continue;
			if (err != -EIO && err != -EINVAL)
				fail_msg("%s cut to %zu of %zu bytes: %d",
					 message_samples[i].name, len, full, err);
		}
	}
}

static void test_long(void **state)
{
	(void)state;
	for (size_t i = 0; i < message_sample_count; i++) {
		const struct message_sample *s = &message_samples[i];
		struct message m = message_of_sample(s, 1, 1);
		int err;

		message_resize(&m, m.len + 1, 'x', true);
		err = rig_decode_error(&m);
		if (err != (s->end == MESSAGE_END_STRUCT ? 0 : -EINVAL))
			fail_msg("%s one byte longer: %d", s->name, err);
	}
}

static void test_header_length_lies(void **state)
{
	(void)state;
	for (int delta = -1; delta <= 1; delta += 2) {
		struct message m = message_of_sample(&message_samples[0], 77, 1);
		struct decoded d;

		message_head(&m)->len += delta;
		d = rig_decode(m.bytes, m.len, &rig_proto);
		assert_int_equal(d.err, -EIO);
		assert_int_equal(d.req.unique, 77);
		assert_int_equal(d.req.opcode, FUSE_LOOKUP);
		free(d.copy);
		message_free(&m);
	}
}

static void test_no_message(void **state)
{
	struct decoded d = rig_decode("", 0, &rig_proto);

	(void)state;
	assert_int_equal(d.err, -EIO);
	free(d.copy);
}

static void test_unknown_opcode(void **state)
{
	static const uint32_t unknown[] = {
		0, 7, 19, FUSE_GETLK, FUSE_SETLK, FUSE_SETLKW, FUSE_POLL,
		FUSE_NOTIFY_REPLY, FUSE_SETUPMAPPING, FUSE_REMOVEMAPPING, 54,
		255, CUSE_INIT, CUSE_INIT_BSWAP_RESERVED, UINT32_MAX,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		struct message m = message_new(unknown[i], 5, 1);
		int err;

		message_resize(&m, 200, 0, true);
		err = rig_decode_error(&m);
		if (err != -ENOSYS)
			fail_msg("opcode %u: %d", unknown[i], err);
	}
}

/* Extensions, as a newer kernel may append, are not taken for arguments. */
static void test_extensions_skipped(void **state)
{
	(void)state;
	for (size_t i = 0; i < message_sample_count; i++) {
		struct message m = message_of_sample(&message_samples[i], 1, 1);
		struct fuse_ext_header ext = { .size = 24, .type = 32 };
		int err;

		message_add(&m, &ext, sizeof(ext));
		message_add(&m, "\x01\0\0\0\xe8\x03\0\0\0\0\0\0\0\0\0\0", 16);
		message_head(&m)->total_extlen = 3;
		err = rig_decode_error(&m);
		if (err)
			fail_msg("%s with extensions: %d", message_samples[i].name, err);
	}
}

/* More extensions than message, and extensions that eat into the arguments. */
static void test_extensions_lie(void **state)
{
	(void)state;
	for (size_t i = 0; i < message_sample_count; i++) {
		struct message m = message_of_sample(&message_samples[i], 1, 1);
		int err;

		message_head(&m)->total_extlen = 65535;
		err = rig_decode_error(&m);
		if (err != -EIO)
			fail_msg("%s: %d", message_samples[i].name, err);
		m = message_of_sample(&message_samples[i], 1, 1);
		message_head(&m)->total_extlen = 1;
		err = rig_decode_error(&m);
		if (!err && message_samples[i].opcode != FUSE_INIT)
			fail_msg("%s decoded from a part of itself",
				 message_samples[i].name);
	}
}

/* A name that was accepted lies, with its NUL, inside the message. */
static void check_name(const struct decoded *d, size_t len, const struct fb_name *name)
{
	assert_true(name->len >= 1 && name->len <= 4095);
	assert_true((const uint8_t *)name->bytes >= d->copy);
	assert_true((const uint8_t *)name->bytes + name->len < d->copy + len);
	assert_int_equal(name->bytes[name->len], 0);
	assert_null(memchr(name->bytes, 0, name->len));
}

static void check_mutant(const struct decoded *d, size_t len)
{
	volatile uint8_t sink = 0;

	switch (d->req.opcode) {
	case FUSE_LOOKUP:
	case FUSE_UNLINK:
	case FUSE_RMDIR:
		check_name(d, len, &d->req.in.lookup.name);
		break;
	case FUSE_RENAME:
	case FUSE_RENAME2:
		check_name(d, len, &d->req.in.rename.name);
		check_name(d, len, &d->req.in.rename.newname);
		break;
	case FUSE_WRITE:
		for (uint32_t i = 0; i < d->req.in.write.size; i++)
			sink ^= ((const uint8_t *)d->req.in.write.bytes)[i];
		break;
	case FUSE_SETXATTR:
		check_name(d, len, &d->req.in.setxattr.name);
		for (uint32_t i = 0; i < d->req.in.setxattr.size; i++)
			sink ^= ((const uint8_t *)d->req.in.setxattr.value)[i];
		break;
	case FUSE_BATCH_FORGET:
		for (uint32_t i = 0; i < d->req.in.batch_forget.count; i++)
			sink ^= d->req.in.batch_forget.items[i].nodeid;
		break;
	case FUSE_IOCTL:
		for (uint32_t i = 0; i < d->req.in.ioctl.in_size; i++)
			sink ^= ((const uint8_t *)d->req.in.ioctl.in)[i];
		break;
	}
	(void)sink;
}

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return *seed >> 33;
}

static void mutate(struct message *m, uint64_t *seed)
{
	static const uint32_t edges[] = {
		0, 1, 0x7f, 0xff, 0x100, 0x7fffffff, 0x80000000, 0xffffffff,
		0x100000, 0x100001, 0x10000000, 0x10001,
	};
	unsigned changes = next_random(seed) % 4;

	for (unsigned i = 0; i < changes; i++) {
		size_t at = next_random(seed) % m->len;
		uint32_t edge = edges[next_random(seed) % 12];

		if (next_random(seed) % 2 && at + 4 <= m->len)
			memcpy(m->bytes + at, &edge, 4);
		else
			m->bytes[at] = next_random(seed);
	}
	if (next_random(seed) % 3 == 0)
		message_resize(m, next_random(seed) % (m->len + 40), next_random(seed), true);
	else if (next_random(seed) % 8 && m->len >= 4)
		message_head(m)->len = m->len;
}

static void test_mutations(void **state)
{
	uint64_t seed = 20240229;
	unsigned accepted = 0;

	(void)state;
	for (unsigned round = 0; round < 200000; round++) {
		const struct message_sample *s =
			&message_samples[next_random(&seed) % message_sample_count];
		struct message m = message_of_sample(s, 1, 1);
		struct decoded d;

		mutate(&m, &seed);
		d = rig_decode(m.bytes, m.len, &rig_proto);
		if (d.err > 0 || d.err < -511)
			fail_msg("%s, round %u: %d", s->name, round, d.err);
		if (d.err == 0) {
			accepted++;
			check_mutant(&d, m.len);
		}
		free(d.copy);
		message_free(&m);
	}
	/* the mutations must reach both sides */
	assert_in_range(accepted, 20000, 180000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_header_length_lies),
		cmocka_unit_test(test_no_message),
		cmocka_unit_test(test_unknown_opcode),
		cmocka_unit_test(test_extensions_skipped),
		cmocka_unit_test(test_extensions_lie),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

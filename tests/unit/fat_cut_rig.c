// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fat_cut_rig.c: see fat_cut_rig.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include "fat_cut_rig.h"
#include "../../libfuseblk/data.h"

#define ATTEMPTS 3
#define MOST_UNITS 4096
#define ALL_SUBSETS 5		/* units of which every subset is tried */
#define RANDOM_SUBSETS 16

static const struct fuseblk_caller root = { .may_use_reserved = true };

/* ---- contents ---------------------------------------------------------------------- */

static uint8_t *content(const char *tag, uint32_t size)
{
	uint8_t *bytes = malloc(size + 1u);
	size_t len = strlen(tag) + 1;

	for (uint32_t i = 0; i < size; i++)
		bytes[i] = i % len == len - 1 ? '\n' : (uint8_t)tag[i % len];
	return bytes;
}

static uint64_t content_hash(const char *tag, uint32_t size)
{
	uint8_t *bytes = content(tag, size);
	uint64_t hash = check_hash(bytes, size);

	free(bytes);
	return hash;
}

/* ---- the model ------------------------------------------------------------------------- */

static struct model_file *add_model(struct cut_rig *c, const char *tag, uint32_t size, const char *path, bool is_dir)
{
	struct model_file *f = &c->files[c->count];

	assert_true(c->count < CUT_FILES);
	c->count++;
	*f = (struct model_file){ .size = is_dir ? 0 : size, .lives = true, .is_dir = is_dir };
	snprintf(f->tag, sizeof(f->tag), "%s", tag);
	snprintf(f->path, sizeof(f->path), "%s", path);
	return f;
}

struct model_file *cut_file(struct cut_rig *c, const char *path)
{
	for (unsigned i = 0; i < c->count; i++)
		if (c->files[i].lives && !strcasecmp(c->files[i].path, path))
			return &c->files[i];
	return NULL;
}

static void may_be_at(struct model_file *f, const char *path)
{
	if (f->names == CUT_NAMES)
		f->anywhere = true;
	else
		snprintf(f->name[f->names++], CHECK_PATH, "%s", path);
}

/* What is durable now is all that the next epoch can rely on. */
static void model_committed(struct cut_rig *c)
{
	for (unsigned i = 0; i < c->count; i++) {
		struct model_file *f = &c->files[i];

		f->durable = f->lives;
		f->may_be_gone = f->anywhere = false;
		f->names = 0;
		may_be_at(f, f->path);
	}
}

static void model_move(struct cut_rig *c, struct model_file *f, const char *to)
{
	char old[CHECK_PATH], moved[2 * CHECK_PATH];
	size_t len = strlen(f->path);

	strcpy(old, f->path);
	for (unsigned i = 0; f->is_dir && i < c->count; i++) {
		struct model_file *g = &c->files[i];

		if (!g->lives || strncasecmp(g->path, old, len) || g->path[len] != '/')
			continue;
		snprintf(moved, sizeof(moved), "%s%s", to, g->path + len);
		snprintf(g->path, sizeof(g->path), "%.199s", moved);
		g->anywhere = true;
	}
	snprintf(f->path, sizeof(f->path), "%s", to);
	may_be_at(f, to);
}

static void model_rename(struct cut_rig *c, const char *from, const char *to, uint32_t flags)
{
	struct model_file *f = cut_file(c, from), *t;
	char old[CHECK_PATH], clean[CHECK_PATH];

	assert_non_null(f);
	snprintf(clean, sizeof(clean), "%s", to);
	for (size_t len = strlen(clean); len && clean[len - 1] == '.'; len--)
		clean[len - 1] = 0;
	to = clean;
	t = cut_file(c, to);
	strcpy(old, f->path);
	if (flags & FUSEBLK_RENAME_EXCHANGE) {
		model_move(c, t, "\001");
		model_move(c, f, to);
		model_move(c, t, old);
		f->anywhere = t->anywhere = true;	/* the temporary name */
		return;
	}
	if (t && t != f) {
		t->lives = false;
		t->may_be_gone = true;
		to = t->path;		/* the stored spelling stays */
	}
	model_move(c, f, to);
}

/* ---- operations -------------------------------------------------------------------------- */

/* The directory of @path, by inode; *name: the last part. -ENOENT. */
static int walk(struct cut_rig *c, const char *path, uint64_t *dir, const char **name)
{
	char part[CHECK_PATH];
	const char *slash;
	int err;

	*dir = RIG_ROOT;
	for (*name = path; (slash = strchr(*name, '/')); *name = slash + 1) {
		snprintf(part, sizeof(part), "%.*s", (int)(slash - *name), *name);
		err = rig_lookup(&c->rig, *dir, part, dir);
		if (err < 0)
			return err;
	}
	return 0;
}

static bool is_dir(struct cut_rig *c, uint64_t ino)
{
	struct fuseblk_node *node = rig_node(&c->rig, ino);
	bool result = fat_node(node)->is_dir;

	fb_node_put(node);
	return result;
}

static void end_epoch(struct cut_rig *c)
{
	struct cut_epoch *e = malloc(sizeof(*e));

	assert_true(c->epochs < CUT_EPOCHS && e);
	e->from = c->from;
	e->to = c->from = fb_write_log_count(c->rig.log);
	e->shared = c->shared;
	e->split = c->split;
	memcpy(e->files, c->files, sizeof(e->files));
	c->epoch[c->epochs++] = e;
	c->shared = c->split = false;
}

void cut_commit(struct cut_rig *c)
{
	rig_commit(&c->rig);
	end_epoch(c);
	model_committed(c);
}

struct moving {
	struct fuseblk_node *node[4];
	const char *name, *newname;
	uint32_t flags;
};

static int find_node(struct cut_rig *c, uint64_t dir, const char *name, struct fuseblk_node **node)
{
	uint64_t ino;
	int err = rig_lookup(&c->rig, dir, name, &ino);

	if (err < 0)
		return err;
	*node = rig_node(&c->rig, ino);
	return 0;
}

static int find_moving(struct cut_rig *c, const char *from, const char *to, struct moving *m)
{
	uint64_t dir, newdir;
	int err = walk(c, from, &dir, &m->name);

	if (!err)
		err = walk(c, to, &newdir, &m->newname);
	if (!err)
		err = find_node(c, dir, m->name, &m->node[2]);
	if (err)
		return err;
	m->node[0] = rig_node(&c->rig, dir);
	m->node[1] = rig_node(&c->rig, newdir);
	err = fat_node(m->node[1])->is_dir ? find_node(c, newdir, m->newname, &m->node[3]) : 0;
	if (!err && m->node[3] == m->node[2]) {
		fb_node_put(m->node[3]);
		m->node[3] = NULL;
	}
	return err == -ENOENT ? 0 : err;
}

static int try_move(struct cut_rig *c, struct moving *m)
{
	int err;

	fb_node_lock_many(m->node, 4);
	assert_int_equal(fb_volume_change_begin(c->rig.vol), 0);
	err = fat_rename(c->rig.vol, m->node[0], m->name, strlen(m->name), m->node[1], m->newname, strlen(m->newname),
			 m->node[2], m->node[3], m->flags, &root);
	for (unsigned i = 0; i < 4; i++)
		if (m->node[i])
			fuseblk_node_changed(m->node[i]);
	fb_volume_change_end(c->rig.vol);
	fb_node_unlock_many(m->node, 4);
	return err;
}

/* The target has no name any more, and nobody has it open. */
static void lose(struct cut_rig *c, struct fuseblk_node *target)
{
	uint64_t ino = target->ino;

	assert_true(fat_node(target)->unlinked);
	assert_int_equal(fb_node_lookup_inc(c->rig.vol, ino), 0);
	fb_node_set_unlinked(c->rig.vol, ino, true);
	fb_node_put(target);
	fb_node_forget(c->rig.vol, ino, 1);
}

/* With FAT_CUT_TRACE in the environment everything done is printed. */
static void trace(struct cut_rig *c, const char *what, const char *from, const char *to, int result)
{
	if (getenv("FAT_CUT_TRACE"))
		print_message("%u: %s \"%s\" \"%s\": %d\n", (unsigned)fuseblk_epoch(c->rig.vol), what, from, to, result);
}

int cut_rename(struct cut_rig *c, const char *from, const char *to, uint32_t flags)
{
	struct moving m = { .flags = flags };
	int err = find_moving(c, from, to, &m);
	bool over = m.node[3] && !(flags & FUSEBLK_RENAME_EXCHANGE);

	for (unsigned i = 0; !err && i < ATTEMPTS; i++) {
		err = try_move(c, &m);
		if (err != -FUSEBLK_EAGAIN_COMMIT)
			break;
		cut_commit(c);
		err = 0;
	}
	if (err >= 0 && over) {
		lose(c, m.node[3]);
		m.node[3] = NULL;
	}
	for (unsigned i = 0; i < 4; i++)
		fb_node_put(m.node[i]);
	trace(c, flags & FUSEBLK_RENAME_EXCHANGE ? "xchg" : "mv", from, to, err);
	if (err >= 0)
		model_rename(c, from, to, flags);
	return err;
}

static int put_data(struct cut_rig *c, uint64_t ino, const char *tag, uint32_t size)
{
	struct fuseblk_node *node = rig_node(&c->rig, ino);
	uint8_t *bytes = content(tag, size);
	uint32_t done = 0;
	ssize_t n = 0;

	for (unsigned again = 0; done < size && again < ATTEMPTS;) {
		uint32_t piece = size - done < 65536 ? size - done : 65536;

		n = fb_data_write(node, bytes + done, piece, done, 0, &root);
		if (n == -FUSEBLK_EAGAIN_COMMIT) {
			cut_commit(c);
			again++;
			continue;
		}
		if (n < 0)
			break;
		done += (uint32_t)n;
	}
	free(bytes);
	fb_node_put(node);
	return n < 0 ? (int)n : 0;
}

int cut_create(struct cut_rig *c, const char *tag, uint32_t size, const char *path, bool make_dir)
{
	const char *name;
	uint64_t dir, ino;
	int err = walk(c, path, &dir, &name);

	if (!err && !is_dir(c, dir))
		err = -ENOTDIR;
	if (err)
		return err;
	c->rig.strict_again = true;
	err = rig_create(&c->rig, dir, name, make_dir ? S_IFDIR | 0755 : S_IFREG | 0644, &ino);
	if (err == -FUSEBLK_EAGAIN_COMMIT) {
		cut_commit(c);
		err = rig_create(&c->rig, dir, name, make_dir ? S_IFDIR | 0755 : S_IFREG | 0644, &ino);
	}
	trace(c, make_dir ? "mkdir" : "create", tag, path, err);
	if (err < 0)
		return err;
	add_model(c, tag, size, path, make_dir);
	if (!make_dir && size)
		err = put_data(c, ino, tag, size);
	return err < 0 ? err : 0;
}

int cut_remove(struct cut_rig *c, const char *path)
{
	struct model_file *f = cut_file(c, path);
	const char *name;
	uint64_t dir;
	int err = walk(c, path, &dir, &name);

	if (err || !f)
		return err ? err : -ENOENT;
	err = f->is_dir ? rig_rmdir(&c->rig, dir, name) : rig_unlink(&c->rig, dir, name);
	trace(c, "rm", path, "", err);
	if (err)
		return err;
	f->lives = false;
	f->may_be_gone = true;
	return 0;
}

/* ---- commands -------------------------------------------------------------------------------- */

static const struct { const char *name; int err; } errnos[] = {
	{ "EEXIST", EEXIST }, { "ENOTEMPTY", ENOTEMPTY }, { "EISDIR", EISDIR }, { "ENOTDIR", ENOTDIR },
	{ "ENOENT", ENOENT }, { "EINVAL", EINVAL }, { "ENOSPC", ENOSPC }, { "RESPELLED", -FUSEBLK_RESPELLED },
};

static int expected(const char **line)
{
	for (unsigned i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++) {
		size_t len = strlen(errnos[i].name);

		if (strncmp(*line, errnos[i].name, len) || (*line)[len] != ' ')
			continue;
		*line += len + 1;
		return -errnos[i].err;
	}
	return 0;
}

static bool prefix(const char **line, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*line, word, len) || (*line)[len] != ' ')
		return false;
	*line += len + 1;
	return true;
}

static int run_words(struct cut_rig *c, char words[4][CHECK_PATH])
{
	if (!strcmp(words[0], "mv"))
		return cut_rename(c, words[1], words[2], 0);
	if (!strcmp(words[0], "mvn"))
		return cut_rename(c, words[1], words[2], FUSEBLK_RENAME_NOREPLACE);
	if (!strcmp(words[0], "xchg"))
		return cut_rename(c, words[1], words[2], FUSEBLK_RENAME_EXCHANGE);
	if (!strcmp(words[0], "create"))
		return cut_create(c, words[1], (uint32_t)atol(words[2]), words[3], false);
	if (!strcmp(words[0], "mkdir"))
		return cut_create(c, words[1], 0, words[2], true);
	if (!strcmp(words[0], "rm"))
		return cut_remove(c, words[1]);
	assert_string_equal(words[0], "sync");
	cut_commit(c);
	return 0;
}

static void run_line(struct cut_rig *c, const char *line)
{
	char words[4][CHECK_PATH] = { "" };
	const char *whole = line;
	bool split = prefix(&line, "split"), shared = split | prefix(&line, "shared");
	int want = expected(&line), err;

	sscanf(line, "%199s %199s %199s %199s", words[0], words[1], words[2], words[3]);
	err = run_words(c, words);
	if (err != want)
		fail_msg("%s: %d", whole, err);
	c->shared |= shared;
	c->split |= split;
}

void cut_run(struct cut_rig *c, const char *commands)
{
	char line[600];

	while (*commands) {
		size_t len = strcspn(commands, "\n");

		snprintf(line, sizeof(line), "%.*s", (int)len, commands);
		if (len)
			run_line(c, line);
		commands += len + (commands[len] == '\n');
	}
}

/* ---- judging ---------------------------------------------------------------------------------- */

static bool is_at(const struct model_file *f, const char *path)
{
	for (unsigned i = 0; i < f->names; i++)
		if (!strcasecmp(f->name[i], path))
			return true;
	return f->anywhere;
}

static uint64_t hash_of(const struct model_file *f)
{
	static struct { char tag[16]; uint32_t size; uint64_t hash; } known[4 * CUT_FILES];
	unsigned i;

	for (i = 0; known[i].tag[0]; i++)
		if (known[i].size == f->size && !strcmp(known[i].tag, f->tag))
			return known[i].hash;
	assert_true(i + 1 < 4 * CUT_FILES);
	strcpy(known[i].tag, f->tag);
	known[i].size = f->size;
	return known[i].hash = content_hash(f->tag, f->size);
}

static bool is_whole(const struct fat_check *check, const struct model_file *f, bool exact)
{
	for (unsigned i = 0; i < check->count; i++) {
		const struct checked_file *g = &check->files[i];

		if (exact ? strcmp(f->path, g->path) : !is_at(f, g->path))
			continue;
		if (g->is_dir == f->is_dir && (f->is_dir || (!g->is_short && g->size == f->size && g->hash == hash_of(f))))
			return true;
	}
	return false;
}

/* A file's, or, of one that a repair cut short, its beginning. */
static bool is_known_content(const struct cut_epoch *e, const struct checked_file *g, bool repaired)
{
	if (g->is_dir || !g->size || g->is_short || strstr(g->path, "FSCK"))
		return true;
	for (unsigned i = 0; i < CUT_FILES; i++) {
		const struct model_file *f = &e->files[i];

		if (f->size == g->size && !f->is_dir && hash_of(f) == g->hash)
			return true;
		if (repaired && e->split && f->size > g->size && content_hash(f->tag, g->size) == g->hash)
			return true;
	}
	return false;
}

static const char *judge(const struct cut_epoch *e, const struct fat_check *check, bool repaired, char *text, size_t size)
{
	bool shared = e->shared && !repaired, split = e->split && !repaired;

	if (check->fatal)
		return check->why;
	if (check->shared && !shared)
		return "two entries have one chain";
	if (check->doubled && !e->shared)
		return "a name is there twice";
	for (unsigned i = 0; i < check->count; i++) {
		snprintf(text, size, "%s has a chain too short, or something of another file", check->files[i].path);
		if ((check->files[i].is_short && !split && !shared) || !is_known_content(e, &check->files[i], repaired))
			return text;
	}
	for (unsigned i = 0; i < CUT_FILES; i++) {
		const struct model_file *f = &e->files[i];

		snprintf(text, size, "%s (%s, %u bytes) is lost", f->path, f->tag, f->size);
		if (f->durable && !f->may_be_gone && !is_whole(check, f, false))
			return text;
	}
	return NULL;
}

static void dump(const struct fat_check *check)
{
	for (unsigned i = 0; i < check->count; i++)
		print_message("  %s start %u size %u%s%s\n", check->files[i].path, check->files[i].start,
			      check->files[i].size, check->files[i].is_dir ? " dir" : "",
			      check->files[i].is_short ? " short" : "");
}

struct unit { uint64_t off; const uint8_t *bytes; uint32_t len; };

static const struct unit *units_now;
static unsigned units_count;
static const bool *units_done;

static void explain(struct cut_rig *c, const struct cut_epoch *e)
{
	for (size_t i = e->from; i < e->to; i++) {
		const struct fb_write_log_entry *w = fb_write_log_get(c->rig.log, i);

		print_message("%zu: %#llx %llu\n", i, (unsigned long long)w->off, (unsigned long long)w->len);
	}
	for (unsigned i = 0; i < units_count; i++)
		print_message("unit %#llx %s\n", (unsigned long long)units_now[i].off, units_done[i] ? "written" : "");
}

static void look(struct cut_rig *c, const struct cut_epoch *e, const uint8_t *image, size_t at, bool repaired)
{
	static struct fat_check check;
	const char *why;
	char text[400];

	fat_check(image, image_size(c->rig.image), &check);
	why = judge(e, &check, repaired, text, sizeof(text));
	if (!why)
		return;
	dump(&check);
	if (getenv("FAT_CUT_TRACE"))
		explain(c, e);
	fail_msg("cut near entry %zu of %zu%s: %s", at, e->to, repaired ? ", repaired" : "", why);
}

/* What fsck.fat has to say of it. */
static void with_both(struct cut_rig *c, const uint8_t *image)
{
	FILE *f = fopen("/tmp/fat-cut.img", "w");

	fwrite(image, 1, image_size(c->rig.image), f);
	fclose(f);
	if (system("cp /tmp/fat-cut.img /tmp/fat-cut2.img; fsck.fat -n /tmp/fat-cut.img; fsck.fat -a /tmp/fat-cut2.img; fsck.fat -n /tmp/fat-cut2.img"))
		print_message("/tmp/fat-cut.img stays\n");
}

static void repair(struct cut_rig *c, const struct cut_epoch *e, const uint8_t *image, size_t at)
{
	struct image *copy = image_of_bytes(image, image_size(c->rig.image));

	int status = rig_fsck(copy, "-a");

	/* a directory that shares its chain is emptied in the first pass, removed in the second, its long name in the third */
	for (unsigned i = 0; e->shared && status == 1 && i < 3; i++)
		status = rig_fsck(copy, "-a");
	if (status > 1 || rig_fsck(copy, "-n")) {
		with_both(c, image);
		fail_msg("cut near entry %zu: fsck.fat", at);
	}
	look(c, e, image_bytes(copy), at, true);
	c->repairs++;
	image_free(copy);
}

/* ---- cuts ---------------------------------------------------------------------------------------- */

static unsigned collect(struct cut_rig *c, size_t from, size_t to, struct unit *units)
{
	uint32_t sector = c->rig.vol->info.block_size;
	unsigned n = 0;

	for (size_t i = from; i < to; i++) {
		const struct fb_write_log_entry *w = fb_write_log_get(c->rig.log, i);

		for (uint64_t at = 0; at < w->len; at += sector) {
			assert_true(n < MOST_UNITS);
			units[n++] = (struct unit){ w->off + at, w->bytes + at, w->len - at < sector ? (uint32_t)(w->len - at) : sector };
		}
	}
	return n;
}

static bool is_chosen(struct cut_rig *c, unsigned subset, unsigned i, unsigned n)
{
	if (n <= ALL_SUBSETS)
		return subset >> i & 1;
	return rig_random(&c->rig, 4) < 1 + subset % 3;
}

/* @image as it was flushed last, with some of what was written since. */
static void try_subset(struct cut_rig *c, const struct cut_epoch *e, uint8_t *image, const struct unit *units, unsigned n,
		       unsigned subset, bool mend)
{
	uint8_t *saved = malloc((size_t)n * 4096 + 1);
	bool *done = calloc(n + 1, sizeof(*done));

	for (unsigned i = 0; i < n; i++) {
		memcpy(saved + (size_t)i * 4096, image + units[i].off, units[i].len);
		done[i] = is_chosen(c, subset, i, n);
		if (done[i])
			memcpy(image + units[i].off, units[i].bytes, units[i].len);
	}
	units_now = units;
	units_count = n;
	units_done = done;
	look(c, e, image, e->from, false);
	if (mend)
		repair(c, e, image, e->from);
	c->cuts++;
	for (unsigned i = n; i-- > 0;)
		if (done[i])
			memcpy(image + units[i].off, saved + (size_t)i * 4096, units[i].len);
	free(saved);
	free(done);
}

static void cut_window(struct cut_rig *c, const struct cut_epoch *e, uint8_t *image, size_t from, size_t to, bool mend)
{
	static struct unit units[MOST_UNITS];
	unsigned n = collect(c, from, to, units);
	unsigned subsets = n <= ALL_SUBSETS ? 1u << n : RANDOM_SUBSETS;
	unsigned mended = mend ? rig_random(&c->rig, subsets) : subsets;

	for (unsigned subset = 0; subset < subsets; subset++)
		try_subset(c, e, image, units, n, subset, subset == mended);
	for (unsigned i = 0; i < n; i++)
		memcpy(image + units[i].off, units[i].bytes, units[i].len);
}

static unsigned count_flushes(struct cut_rig *c)
{
	unsigned n = 0;

	for (size_t i = 0; i < c->from; i++)
		n += !fb_write_log_get(c->rig.log, i)->len;
	return n;
}

static void cut_all(struct cut_rig *c, unsigned repairs)
{
	struct image *copy = image_copy(c->rig.base);
	unsigned flushes = count_flushes(c);

	for (unsigned k = 0; k < c->epochs; k++) {
		const struct cut_epoch *e = c->epoch[k];
		size_t from = e->from;

		for (size_t i = e->from; i < e->to; i++) {
			if (fb_write_log_get(c->rig.log, i)->len)
				continue;
			cut_window(c, e, image_bytes(copy), from, i, repairs && rig_random(&c->rig, flushes) < repairs);
			from = i;
		}
		cut_window(c, e, image_bytes(copy), from, e->to, repairs && k + 1 == c->epochs);
	}
	image_free(copy);
}

/* ---- from beginning to end -------------------------------------------------------------------------- */

void cut_make(struct cut_rig *c, uint64_t size, const char *mkfs, const char *script)
{
	char line[3000];

	memset(c, 0, sizeof(*c));
	snprintf(line, sizeof(line), "set -e; mkfs.fat %s $F; %s :", mkfs, script);
	rig_make(&c->rig, size, line);
	c->rig.options = "utf8,errors=continue,tz=UTC,commit=900";
}

void cut_has(struct cut_rig *c, const char *tag, uint32_t size, const char *path)
{
	struct model_file *f = add_model(c, tag, size, path, size == UINT32_MAX);

	f->durable = true;
	may_be_at(f, path);
}

void cut_mount(struct cut_rig *c)
{
	rig_mount(&c->rig, true);
	c->rig.strict_again = true;
}

static void check_end(struct cut_rig *c)
{
	static struct fat_check check;
	unsigned lives = 0;

	fat_check(image_bytes(c->rig.image), image_size(c->rig.image), &check);
	if (check.fatal || check.shared || check.doubled || check.parents) {
		dump(&check);
		fail_msg("at the end: %s, %u shared, %u doubled, %u parents", check.why, check.shared, check.doubled, check.parents);
	}
	for (unsigned i = 0; i < c->count; i++) {
		lives += c->files[i].lives;
		if (c->files[i].lives && !is_whole(&check, &c->files[i], true)) {
			dump(&check);
			fail_msg("at the end: %s is lost", c->files[i].path);
		}
	}
	if (check.count != lives) {
		dump(&check);
		fail_msg("at the end: %u files, not %u", check.count, lives);
	}
}

void cut_finish(struct cut_rig *c, unsigned repairs)
{
	cut_commit(c);
	cut_all(c, repairs);
	rig_unmount(&c->rig);
	check_end(c);
	for (unsigned i = 0; i < c->epochs; i++)
		free(c->epoch[i]);
	rig_free(&c->rig);
}

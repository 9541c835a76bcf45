// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_fat_attr.c: stat, chmod, chown, times, attributes, ioctls and the label
 * of a FAT volume, against what Debian's 6.1 vfat was seen to do, and against
 * fsck.fat, fatlabel and mtools.
 */
#include <errno.h>
#include <linux/fs.h>
#include <linux/msdos_fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "../../fs-fat/inode.h"
#include "fat_dir_rig.h"

#define BASE "utf8,errors=continue,tz=UTC,uid=7,gid=8,"

static struct rig r;

static void open_with(const char *options, const char *script)
{
	char line[1500];

	snprintf(line, sizeof(line), "set -e; mkfs.fat -F 16 -s 4 -n START -i 12345678 $F; mmd -i $F ::/dir ::/dir/sub; "
		 "yes | head -c 5000 >$F.put; for n in file.txt RUN.EXE run.sh; do mcopy -i $F $F.put ::/$n; done; rm $F.put; %s :",
		 script);
	rig_make(&r, 12u << 20, line);
	r.options = options;
	rig_mount(&r, false);
}

static void done(void)
{
	rig_unmount(&r);
	rig_free(&r);
}

static struct fuseblk_node *node_of(const char *name)
{
	uint64_t ino = RIG_ROOT;

	if (strcmp(name, "/"))
		assert_true(rig_lookup(&r, RIG_ROOT, name, &ino) >= 0);
	return rig_node(&r, ino);
}

static struct fuseblk_attr stat_of(const char *name)
{
	struct fuseblk_node *node = node_of(name);
	struct fuseblk_attr attr;

	assert_int_equal(fat_getattr(r.vol, node, &attr), 0);
	fb_node_put(node);
	return attr;
}

static int set(const char *name, uint32_t valid, const struct fuseblk_attr *attr)
{
	struct fuseblk_node *node = node_of(name);
	int err;

	assert_int_equal(fb_volume_change_begin(r.vol), 0);
	err = fat_setattr(r.vol, node, valid, attr);
	fuseblk_node_changed(node);
	fb_volume_change_end(r.vol);
	fb_node_put(node);
	return err;
}

static int chmod_to(const char *name, uint32_t mode)
{
	struct fuseblk_attr attr = { .mode = mode };

	return set(name, FUSEBLK_SET_MODE, &attr);
}

static uint32_t mode_of(const char *name)
{
	return stat_of(name).mode & 07777;
}

static int call(const char *name, uint32_t cmd, uint32_t uid, uint64_t *cursor, const void *in, void *out)
{
	struct fuseblk_caller who = { .uid = uid, .cursor = cursor };
	struct fuseblk_node *node = node_of(name);
	const struct fuseblk_ioctl *row = fat_ioctls;
	int err;

	while (row->cmd && row->cmd != cmd)
		row++;
	assert_true(row->cmd);
	if (row->changes)
		assert_int_equal(fb_volume_change_begin(r.vol), 0);
	err = row->run(r.vol, node, &who, in, out);
	if (row->changes) {
		fuseblk_node_changed(node);
		fb_volume_change_end(r.vol);
	}
	fb_node_put(node);
	return err;
}

static uint32_t attributes(const char *name)
{
	uint32_t value;

	assert_int_equal(call(name, FAT_IOCTL_GET_ATTRIBUTES, 1000, NULL, NULL, &value), 0);
	return value;
}

static int set_attributes(const char *name, uint32_t value, uint32_t uid)
{
	return call(name, FAT_IOCTL_SET_ATTRIBUTES, uid, NULL, &value, NULL);
}

/* ---- stat ---------------------------------------------------------------------------- */

static void test_stat(void **state)
{
	struct fuseblk_attr a;

	(void)state;
	open_with(BASE "umask=022", "");
	a = stat_of("file.txt");
	assert_int_equal(a.mode, S_IFREG | 0755);
	assert_int_equal(a.size, 5000);
	assert_int_equal(a.blocks, 3 * 4);
	assert_int_equal(a.nlink, 1);
	assert_int_equal(a.uid, 7);
	assert_int_equal(a.gid, 8);
	assert_true(a.has_btime);
	assert_int_equal(a.ctime.tv_sec, a.mtime.tv_sec);
	assert_int_equal(a.atime.tv_sec % 86400, 0);
	a = stat_of("dir");
	assert_int_equal(a.mode, S_IFDIR | 0755);
	assert_int_equal(a.nlink, 3);
	assert_int_equal(a.size, 2048);
	assert_int_equal(a.blocks, 4);
	a = stat_of("/");
	assert_int_equal(a.nlink, 3);
	assert_int_equal(a.size, 16384);
	assert_int_equal(a.blocks, 32);
	assert_int_equal(a.mtime.tv_sec, 0);
	assert_int_equal(a.atime.tv_sec, 0);
	done();
}

static void test_masks(void **state)
{
	(void)state;
	open_with(BASE "umask=0,showexec,dmask=027", "");
	assert_int_equal(mode_of("file.txt"), 0666);
	assert_int_equal(mode_of("run.sh"), 0666);
	assert_int_equal(mode_of("RUN.EXE"), 0777);
	assert_int_equal(mode_of("dir"), 0750);
	done();
}

/* ---- chmod, chown ------------------------------------------------------------------------ */

struct chmod_case { uint32_t mode, after; };

static void try_chmods(const char *name, const struct chmod_case *cases, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		assert_int_equal(chmod_to(name, cases[i].mode), 0);
		if (mode_of(name) != cases[i].after)
			fail_msg("%s: chmod %o gives %o", name, cases[i].mode, mode_of(name));
	}
}

#define TRY(name, ...) \
	do { \
		static const struct chmod_case cases[] = { __VA_ARGS__ }; \
		try_chmods(name, cases, sizeof(cases) / sizeof(cases[0])); \
	} while (0)

static void test_chmod(void **state)
{
	(void)state;
	open_with(BASE "umask=0", "");
	TRY("file.txt", { 0755, 0777 }, { 0644, 0777 }, { 0444, 0777 }, { 0, 0777 }, { 0555, 0555 }, { 0755, 0555 }, { 0777, 0777 });
	assert_int_equal(chmod_to("file.txt", 04777), -EPERM);
	assert_int_equal(chmod_to("dir", 01777), -EPERM);
	TRY("dir", { 0755, 0777 }, { 0, 0777 }, { 0555, 0777 });
	TRY("/", { 0555, 0777 });
	done();
	open_with(BASE "umask=022", "");
	TRY("file.txt", { 0444, 0755 }, { 0644, 0755 }, { 0555, 0555 }, { 0777, 0755 }, { 0555, 0555 }, { 0755, 0755 });
	done();
	open_with(BASE "umask=022,showexec,rodir", "");
	TRY("file.txt", { 0555, 0644 }, { 0755, 0644 }, { 0444, 0444 }, { 0644, 0644 });
	TRY("dir", { 0555, 0555 }, { 0755, 0755 });
	done();
}

/* What chmod stored is on the disk, and nothing else. */
static void test_stored(void **state)
{
	(void)state;
	open_with(BASE "umask=022", "");
	TRY("file.txt", { 0555, 0555 });
	assert_int_equal(set_attributes("run.sh", 0x27, 7), 0);
	rig_unmount(&r);
	rig_script(&r, "mattrib -i $F ::/file.txt | tr -s ' ' | grep -q '^ *A R'; mattrib -i $F ::/run.sh | tr -s ' ' | grep -q '^ *A SHR'");
	rig_mount(&r, false);
	assert_int_equal(mode_of("file.txt"), 0555);
	assert_int_equal(attributes("run.sh"), 0x27);
	done();
}

static void test_chown(void **state)
{
	struct fuseblk_attr attr = { .uid = 7, .gid = 8, .mode = 0 };

	(void)state;
	open_with(BASE "umask=022", "");
	assert_int_equal(set("file.txt", FUSEBLK_SET_UID | FUSEBLK_SET_GID, &attr), 0);
	attr.uid = 0;
	assert_int_equal(set("file.txt", FUSEBLK_SET_UID, &attr), -EPERM);
	assert_int_equal(set("file.txt", FUSEBLK_SET_GID, &attr), 0);
	done();
	open_with(BASE "umask=022,quiet", "");
	assert_int_equal(set("file.txt", FUSEBLK_SET_UID | FUSEBLK_SET_MODE, &attr), 0);
	assert_int_equal(chmod_to("file.txt", 06555), 0);
	assert_int_equal(mode_of("file.txt"), 0755);
	assert_int_equal(stat_of("file.txt").uid, 7);
	done();
}

/* ---- times ------------------------------------------------------------------------------------ */

static void try_times(const char *name, int64_t set_to, int64_t mtime, int64_t atime)
{
	struct fuseblk_attr attr = { .mtime = { set_to, 5 }, .atime = { set_to, 7 } }, got;

	assert_int_equal(set(name, FUSEBLK_SET_MTIME | FUSEBLK_SET_ATIME | FUSEBLK_SET_CTIME, &attr), 0);
	got = stat_of(name);
	assert_int_equal(got.mtime.tv_sec, mtime);
	assert_int_equal(got.mtime.tv_nsec, 0);
	assert_int_equal(got.ctime.tv_sec, mtime);
	assert_int_equal(got.atime.tv_sec, atime);
	assert_int_equal(got.atime.tv_nsec, 0);
}

static void test_times(void **state)
{
	(void)state;
	open_with(BASE "umask=022", "");
	try_times("file.txt", 1000000001, 1000000000, 999993600);
	try_times("file.txt", -5, 315532800, 315532800);
	try_times("dir", 5000000000, 4354819198, 4354732800);
	try_times("/", 1000000001, 0, 0);
	done();
}

/* ---- attributes -------------------------------------------------------------------------------- */

static void test_attributes(void **state)
{
	uint8_t value[4] = { 0x22, 0, 0, 0 };
	struct fuseblk_node *node;

	(void)state;
	open_with(BASE "umask=022", "");
	assert_int_equal(attributes("file.txt"), 0x20);
	assert_int_equal(attributes("dir"), 0x10);
	assert_int_equal(attributes("/"), 0x10);
	assert_int_equal(set_attributes("file.txt", 0xff, 7), 0);
	assert_int_equal(attributes("file.txt"), 0x27);
	assert_int_equal(mode_of("file.txt"), 0555);
	assert_int_equal(set_attributes("file.txt", 0x40, 7), 0);
	assert_int_equal(attributes("file.txt"), 0);
	assert_int_equal(set_attributes("dir", 0x21, 7), 0);
	assert_int_equal(attributes("dir"), 0x31);
	assert_int_equal(mode_of("dir"), 0755);
	assert_int_equal(set_attributes("/", 0x10, 7), 0);
	assert_int_equal(set_attributes("/", 0, 7), 0);
	assert_int_equal(set_attributes("/", 0x11, 7), -EINVAL);
	assert_int_equal(set_attributes("/", 0x30, 7), -EINVAL);
	node = node_of("file.txt");
	assert_int_equal(fat_getxattr(r.vol, node, "user.x", NULL, 0), -EOPNOTSUPP);
	assert_int_equal(fat_listxattr(r.vol, node, NULL, 0, true), 0);
	assert_int_equal(fb_volume_change_begin(r.vol), 0);
	assert_int_equal(fat_setxattr(r.vol, node, "system.fat_attrib", value, 3, 0), -EINVAL);
	assert_int_equal(fat_setxattr(r.vol, node, "system.fat_attrib", value, 4, 0), 0);
	assert_int_equal(fat_setxattr(r.vol, node, "user.x", value, 4, 0), -EOPNOTSUPP);
	fb_volume_change_end(r.vol);
	memset(value, 0xee, 4);
	assert_int_equal(fat_getxattr(r.vol, node, "system.fat_attrib", value, 3), -ERANGE);
	assert_int_equal(fat_getxattr(r.vol, node, "system.fat_attrib", value, 4), 4);
	assert_memory_equal(value, "\x22\0\0\0", 4);
	fb_node_put(node);
	done();
}

static void test_immutable(void **state)
{
	(void)state;
	open_with(BASE "umask=022,sys_immutable", "");
	assert_int_equal(stat_of("file.txt").flags, 0);
	assert_int_equal(set_attributes("file.txt", 0x24, 7), -EPERM);
	assert_int_equal(set_attributes("file.txt", 0x24, 0), 0);
	assert_int_equal(stat_of("file.txt").flags, FUSEBLK_ATTR_IMMUTABLE);
	assert_int_equal(set_attributes("file.txt", 0x20, 7), -EPERM);
	assert_int_equal(set_attributes("file.txt", 0x20, 0), 0);
	done();
}

/* ---- names through ioctls ---------------------------------------------------------------------- */

static void next_is(const char *dir, uint32_t cmd, uint64_t *cursor, const char *shorter, const char *longer)
{
	struct __fat_dirent de[2];

	memset(de, 0xee, sizeof(de));
	assert_int_equal(call(dir, cmd, 0, cursor, NULL, de), shorter != NULL);
	if (!shorter) {
		assert_int_equal(de[0].d_reclen, 0);
		return;
	}
	assert_string_equal(de[0].d_name, shorter);
	assert_int_equal(de[0].d_reclen, strlen(shorter));
	assert_string_equal(de[1].d_name, longer);
	assert_int_equal(de[1].d_reclen, strlen(longer));
}

static void test_readdir(void **state)
{
	struct __fat_dirent de[2];
	uint64_t cursor = 0;

	(void)state;
	open_with(BASE "umask=022,shortname=win95", "mmd -i $F ::/dir/some_longer_name.with.dots; ");
	next_is("/", VFAT_IOCTL_READDIR_BOTH, &cursor, ".", "");
	next_is("/", VFAT_IOCTL_READDIR_BOTH, &cursor, "..", "");
	next_is("/", VFAT_IOCTL_READDIR_BOTH, &cursor, "DIR", "");
	next_is("/", VFAT_IOCTL_READDIR_BOTH, &cursor, "FILE.TXT", "");
	cursor = 0;
	next_is("dir", VFAT_IOCTL_READDIR_BOTH, &cursor, ".", "");
	next_is("dir", VFAT_IOCTL_READDIR_SHORT, &cursor, "..", "");
	next_is("dir", VFAT_IOCTL_READDIR_BOTH, &cursor, "SUB", "");
	next_is("dir", VFAT_IOCTL_READDIR_BOTH, &cursor, "SOME_L~1.DOT", "some_longer_name.with.dots");
	next_is("dir", VFAT_IOCTL_READDIR_BOTH, &cursor, NULL, NULL);
	next_is("dir", VFAT_IOCTL_READDIR_BOTH, &cursor, NULL, NULL);
	cursor -= 1;
	next_is("dir", VFAT_IOCTL_READDIR_SHORT, &cursor, "SOME_L~1.DOT", "");
	assert_int_equal(call("file.txt", VFAT_IOCTL_READDIR_BOTH, 0, &cursor, NULL, de), -ENOTTY);
	cursor = UINT64_MAX;
	assert_int_equal(call("/", VFAT_IOCTL_READDIR_BOTH, 0, &cursor, NULL, de), 0);
	done();
}

static void test_volume_id(void **state)
{
	uint32_t id = 0;

	(void)state;
	open_with(BASE "umask=022", "");
	assert_int_equal(call("file.txt", FAT_IOCTL_GET_VOLUME_ID, 0, NULL, NULL, &id), 0);
	assert_int_equal(id, 0x12345678);
	done();
}

/* ---- the label --------------------------------------------------------------------------------------- */

static void label_is(const char *text)
{
	char label[FSLABEL_MAX];

	assert_int_equal(call("file.txt", FS_IOC_GETFSLABEL, 0, NULL, NULL, label), 0);
	assert_string_equal(label, text);
}

static int set_label(const char *text)
{
	char label[FSLABEL_MAX] = { 0 };

	snprintf(label, sizeof(label), "%s", text);
	return call("/", FS_IOC_SETFSLABEL, 0, NULL, label, NULL);
}

static void tools_say(const char *label)
{
	char line[300];

	rig_unmount(&r);
	snprintf(line, sizeof(line), "test \"$(fatlabel $F 2>/dev/null)\" = '%s' && test \"$(blkid -p -s LABEL -o value $F)\" = '%s'", label, label);
	rig_script(&r, line);
	rig_mount(&r, false);
	label_is(label);
}

static void try_labels(void)
{
	uint64_t ino;

	label_is("START");
	assert_int_equal(set_label("My label 1"), 0);
	label_is("MY LABEL 1");
	tools_say("MY LABEL 1");
	assert_int_equal(set_label(""), 0);
	label_is("");
	tools_say("");
	assert_int_equal(set_label("FRESH"), 0);
	assert_int_equal(rig_lookup(&r, RIG_ROOT, "FRESH", &ino), -ENOENT);
	assert_true(rig_create(&r, RIG_ROOT, "FRESH", S_IFREG | 0644, &ino) >= 0);
	label_is("FRESH");
	tools_say("FRESH");
	assert_true(rig_lookup(&r, RIG_ROOT, "FRESH", &ino) >= 0);
	assert_int_equal(rig_unlink(&r, RIG_ROOT, "FRESH"), 0);
	assert_int_equal(set_label("twelve bytes"), -EINVAL);
	assert_int_equal(set_label("a*b"), -EINVAL);
	assert_int_equal(set_label(" x"), -EINVAL);
	assert_int_equal(set_label("\xe6\x97\xa5"), -EINVAL);
	assert_int_equal(set_label("\xff"), -EINVAL);
	assert_int_equal(set_label("gr\xc3\xbcn"), 0);
	label_is("GR\xc3\x9cN");
	assert_int_equal(set_label("NO NAME"), 0);
	label_is("");
	assert_int_equal(call("file.txt", FS_IOC_SETFSLABEL, 0, NULL, "X", NULL), -EOPNOTSUPP);
}

static void test_label(void **state)
{
	(void)state;
	open_with(BASE "umask=022", "");
	try_labels();
	done();
	rig_make(&r, 34u << 20, "set -e; mkfs.fat -F 32 -s 1 -n START $F; mmd -i $F ::/file.txt");
	r.options = BASE "umask=022";
	rig_mount(&r, false);
	try_labels();
	done();
}

/* Only the boot sector has one, as older mkfs.fat made them. */
static void test_label_of_boot_sector(void **state)
{
	(void)state;
	open_with(BASE "umask=022", "dd if=/dev/zero of=$F.e bs=1 count=1; printf '\\345' | dd of=$F bs=1 conv=notrunc seek=$(grep -abo 'START      ' $F | tail -1 | cut -d: -f1); rm $F.e; ");
	label_is("START");
	assert_int_equal(set_label("BOTH"), 0);
	label_is("BOTH");
	tools_say("BOTH");
	done();
}

/* ---- damage ---------------------------------------------------------------------------------------------- */

static int load(uint64_t ino)
{
	struct fuseblk_node *node;
	int err = fb_node_get(r.vol, ino, &node);

	if (!err)
		fb_node_put(node);
	return err;
}

static void test_numbers_that_are_nothing(void **state)
{
	const struct fat_geometry *geo;
	uint64_t ino;

	(void)state;
	open_with(BASE "umask=022", "");
	geo = &fat_of(r.vol)->geo;
	assert_int_equal(load(0), -ESTALE);
	assert_int_equal(load(2), -ESTALE);
	assert_int_equal(load(geo->root_start / 32 - 1), -ESTALE);
	assert_int_equal(load(geo->root_start / 32), -ESTALE);		/* the label */
	assert_int_equal(load(geo->root_start / 32 + geo->root_slots - 1), -ESTALE);
	assert_int_equal(load(fuseblk_device_size(r.vol) / 32), -ESTALE);
	assert_int_equal(load(UINT64_MAX / 32), -ESTALE);
	assert_int_equal(load(UINT64_MAX), -ESTALE);
	assert_true(rig_lookup(&r, RIG_ROOT, "dir", &ino) >= 0);
	assert_int_equal(load(ino), 0);
	assert_int_equal(load(fat_cluster_off(geo, 2) / 32), -ESTALE);	/* "." */
	done();
}

static struct fat_dirent *entry_of(const char *name11)
{
	const struct fat_geometry *geo = &fat_of(r.vol)->geo;
	struct fat_dirent *de = (struct fat_dirent *)(image_bytes(r.image) + geo->root_start);

	while (memcmp(de->name, name11, 11))
		de++;
	return de;
}

static void test_damaged_entries(void **state)
{
	struct fat_dirent *de, *dir, saved, saved_dir;
	uint64_t ino, dir_ino;

	(void)state;
	open_with(BASE "umask=022", "");
	de = entry_of("RUN     EXE");
	dir = entry_of("DIR        ");
	saved = *de;
	saved_dir = *dir;
	ino = ((uint8_t *)de - image_bytes(r.image)) / 32;
	dir_ino = ((uint8_t *)dir - image_bytes(r.image)) / 32;
	rig_unmount(&r);
	de->start = fat_le16(0xfff0);
	dir->start = fat_le16(0);
	rig_mount(&r, false);
	assert_int_equal(load(ino), -EUCLEAN);
	assert_int_equal(load(dir_ino), -EUCLEAN);
	rig_unmount_dirty(&r);
	memcpy(image_bytes(r.image) + ino * 32, &saved, 32);
	memcpy(image_bytes(r.image) + dir_ino * 32, &saved_dir, 32);
	rig_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stat),
		cmocka_unit_test(test_masks),
		cmocka_unit_test(test_chmod),
		cmocka_unit_test(test_stored),
		cmocka_unit_test(test_chown),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_immutable),
		cmocka_unit_test(test_readdir),
		cmocka_unit_test(test_volume_id),
		cmocka_unit_test(test_label),
		cmocka_unit_test(test_label_of_boot_sector),
		cmocka_unit_test(test_numbers_that_are_nothing),
		cmocka_unit_test(test_damaged_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

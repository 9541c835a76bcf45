// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * call_sys.c: the usual system calls, as callers of a case.
 */
#include <stdio.h>
#include <sys/syscall.h>
#include "daemon.h"

#define L(x) ((long)(x))
#define PATH(kd, path) L(kd_path(kd, path))

const char *kd_path(struct kd *kd, const char *path)
{
	char *out;

	if (asprintf(&out, "%s%s%s", kd->mnt, *path ? "/" : "", path) < 0)
		kd_fail(kd, "out of memory");
	return out;
}

struct kd_call *kd_call_stat(struct kd *kd, const char *path, struct stat *st)
{
	static struct stat ignored;

	return kd_sys(kd, SYS_newfstatat, AT_FDCWD, PATH(kd, path), L(st ? st : &ignored), AT_SYMLINK_NOFOLLOW);
}

struct kd_call *kd_call_open(struct kd *kd, const char *path, int flags, mode_t mode)
{
	return kd_sys(kd, SYS_openat, AT_FDCWD, PATH(kd, path), flags | O_CLOEXEC, mode);
}

struct kd_call *kd_call_mkdir(struct kd *kd, const char *path, mode_t mode)
{
	return kd_sys(kd, SYS_mkdirat, AT_FDCWD, PATH(kd, path), mode);
}

struct kd_call *kd_call_mknod(struct kd *kd, const char *path, mode_t mode, dev_t dev)
{
	return kd_sys(kd, SYS_mknodat, AT_FDCWD, PATH(kd, path), mode, L(dev));
}

struct kd_call *kd_call_unlink(struct kd *kd, const char *path)
{
	return kd_sys(kd, SYS_unlinkat, AT_FDCWD, PATH(kd, path), 0);
}

struct kd_call *kd_call_rmdir(struct kd *kd, const char *path)
{
	return kd_sys(kd, SYS_unlinkat, AT_FDCWD, PATH(kd, path), AT_REMOVEDIR);
}

struct kd_call *kd_call_symlink(struct kd *kd, const char *target, const char *path)
{
	return kd_sys(kd, SYS_symlinkat, L(target), AT_FDCWD, PATH(kd, path));
}

struct kd_call *kd_call_readlink(struct kd *kd, const char *path, char *buf, size_t size)
{
	return kd_sys(kd, SYS_readlinkat, AT_FDCWD, PATH(kd, path), L(buf), L(size));
}

struct kd_call *kd_call_link(struct kd *kd, const char *from, const char *to)
{
	return kd_sys(kd, SYS_linkat, AT_FDCWD, PATH(kd, from), AT_FDCWD, PATH(kd, to), 0);
}

struct kd_call *kd_call_rename(struct kd *kd, const char *from, const char *to)
{
	return kd_call_rename2(kd, from, to, 0);
}

struct kd_call *kd_call_rename2(struct kd *kd, const char *from, const char *to, unsigned int flags)
{
	return kd_sys(kd, SYS_renameat2, AT_FDCWD, PATH(kd, from), AT_FDCWD, PATH(kd, to), flags);
}

struct kd_call *kd_call_chmod(struct kd *kd, const char *path, mode_t mode)
{
	return kd_sys(kd, SYS_fchmodat, AT_FDCWD, PATH(kd, path), mode);
}

struct kd_call *kd_call_chown(struct kd *kd, const char *path, uid_t uid, gid_t gid)
{
	return kd_sys(kd, SYS_fchownat, AT_FDCWD, PATH(kd, path), uid, gid, AT_SYMLINK_NOFOLLOW);
}

struct kd_call *kd_call_truncate(struct kd *kd, const char *path, uint64_t size)
{
	return kd_sys(kd, SYS_truncate, PATH(kd, path), L(size));
}

struct kd_call *kd_call_utimens(struct kd *kd, const char *path, const struct timespec times[2])
{
	return kd_sys(kd, SYS_utimensat, AT_FDCWD, PATH(kd, path), L(times), AT_SYMLINK_NOFOLLOW);
}

struct kd_call *kd_call_access(struct kd *kd, const char *path, int mode)
{
	return kd_sys(kd, SYS_faccessat, AT_FDCWD, PATH(kd, path), mode);
}

struct kd_call *kd_call_statfs(struct kd *kd, const char *path, void *statfs_out)
{
	return kd_sys(kd, SYS_statfs, PATH(kd, path), L(statfs_out));
}

struct kd_call *kd_call_setxattr(struct kd *kd, const char *path, const char *name,
				 const void *value, size_t size, int flags)
{
	return kd_sys(kd, SYS_lsetxattr, PATH(kd, path), L(name), L(value), L(size), flags);
}

struct kd_call *kd_call_getxattr(struct kd *kd, const char *path, const char *name,
				 void *value, size_t size)
{
	return kd_sys(kd, SYS_lgetxattr, PATH(kd, path), L(name), L(value), L(size));
}

struct kd_call *kd_call_listxattr(struct kd *kd, const char *path, char *list, size_t size)
{
	return kd_sys(kd, SYS_llistxattr, PATH(kd, path), L(list), L(size));
}

struct kd_call *kd_call_removexattr(struct kd *kd, const char *path, const char *name)
{
	return kd_sys(kd, SYS_lremovexattr, PATH(kd, path), L(name));
}

struct kd_call *kd_call_read(struct kd *kd, int fd, void *buf, size_t size)
{
	return kd_sys(kd, SYS_read, fd, L(buf), L(size));
}

struct kd_call *kd_call_write(struct kd *kd, int fd, const void *buf, size_t size)
{
	return kd_sys(kd, SYS_write, fd, L(buf), L(size));
}

struct kd_call *kd_call_pread(struct kd *kd, int fd, void *buf, size_t size, uint64_t off)
{
	return kd_sys(kd, SYS_pread64, fd, L(buf), L(size), L(off));
}

struct kd_call *kd_call_pwrite(struct kd *kd, int fd, const void *buf, size_t size, uint64_t off)
{
	return kd_sys(kd, SYS_pwrite64, fd, L(buf), L(size), L(off));
}

struct kd_call *kd_call_fstat(struct kd *kd, int fd, struct stat *st)
{
	static struct stat ignored;

	return kd_sys(kd, SYS_newfstatat, fd, L(""), L(st ? st : &ignored), AT_EMPTY_PATH);
}

struct kd_call *kd_call_ftruncate(struct kd *kd, int fd, uint64_t size)
{
	return kd_sys(kd, SYS_ftruncate, fd, L(size));
}

struct kd_call *kd_call_fsync(struct kd *kd, int fd)
{
	return kd_sys(kd, SYS_fsync, fd);
}

struct kd_call *kd_call_fdatasync(struct kd *kd, int fd)
{
	return kd_sys(kd, SYS_fdatasync, fd);
}

struct kd_call *kd_call_syncfs(struct kd *kd, int fd)
{
	return kd_sys(kd, SYS_syncfs, fd);
}

struct kd_call *kd_call_close(struct kd *kd, int fd)
{
	return kd_sys(kd, SYS_close, fd);
}

struct kd_call *kd_call_lseek(struct kd *kd, int fd, int64_t off, int whence)
{
	return kd_sys(kd, SYS_lseek, fd, off, whence);
}

struct kd_call *kd_call_fallocate(struct kd *kd, int fd, int mode, uint64_t off, uint64_t len)
{
	return kd_sys(kd, SYS_fallocate, fd, mode, L(off), L(len));
}

struct kd_call *kd_call_getdents(struct kd *kd, int fd, void *buf, size_t size)
{
	return kd_sys(kd, SYS_getdents64, fd, L(buf), L(size));
}

struct kd_call *kd_call_ioctl(struct kd *kd, int fd, unsigned long cmd, void *arg)
{
	return kd_sys(kd, SYS_ioctl, fd, L(cmd), L(arg));
}

struct kd_call *kd_call_copy_range(struct kd *kd, int in, int64_t *in_off, int out,
				   int64_t *out_off, size_t len)
{
	return kd_sys(kd, SYS_copy_file_range, in, L(in_off), out, L(out_off), L(len), 0);
}

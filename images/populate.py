#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Fill a mounted directory with one of every kind of file.

usage: populate.py DIR WHAT [LONGNAMES]

WHAT is "full" or "small".  LONGNAMES: how many names of 250 bytes the
directory "many" gets (hard links to one file), for hash trees of two levels.
Contents compress well.  Run as root on a mount of the kernel's driver; what the
volume cannot hold (attributes, large files) is left out with a message.
"""
import os
import socket
import stat
import struct
import sys


def write(path, data, mode=0o644):
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, mode)


def pattern(n, word=b"fuseblk "):
    return (word * (n // len(word) + 1))[:n]


def sparse(path, pieces, size):
    with open(path, "wb") as f:
        for off, data in pieces:
            f.seek(off)
            f.write(data)
        f.truncate(size)


def attempt(what, func, *args):
    try:
        func(*args)
    except OSError as e:
        print(f"populate: {what}: {e.strerror}", file=sys.stderr)


def acl(entries):
    none = 0xFFFFFFFF
    out = struct.pack("<I", 2)
    for tag, perm, ident in entries:
        out += struct.pack("<HHI", tag, perm, none if ident is None else ident)
    return out


ACL = acl([(1, 7, None), (2, 4, 1000), (4, 5, None), (8, 6, 100), (16, 7, None), (32, 0, None)])


def kinds():
    write("file", pattern(5000))
    write("empty", b"")
    write("one", b"1")
    write("setuid", b"#!/bin/true\n", 0o4755)
    write("setgid", b"#!/bin/true\n", 0o2755)
    os.mkdir("dir")
    os.mkdir("dir/sub")
    write("dir/sub/deep", b"deep\n", 0o600)
    os.mkdir("sticky")
    os.chmod("sticky", 0o1777)
    os.link("file", "hardlink")
    os.link("file", "dir/hardlink")
    os.symlink("file", "fast-symlink")
    os.symlink("x" * 59, "symlink-59")
    os.symlink("y" * 60, "symlink-60")
    os.symlink("z/" * 200, "slow-symlink")
    os.mkfifo("fifo", 0o640)
    os.mknod("chardev", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    os.mknod("blockdev", stat.S_IFBLK | 0o660, os.makedev(300, 70000))
    with socket.socket(socket.AF_UNIX) as s:
        s.bind("socket")
    os.chown("one", 1000, 100)
    os.chown("empty", 70000, 80000)
    write("n" * 255, b"longest name\n")
    write(b"\xff\xfe not utf-8", b"bytes\n")


def holes():
    sparse("sparse", [(0, b"start"), (40960, b"middle"), (100000, b"end")], 120000)
    sparse("all-hole", [], 1 << 20)
    attempt("large-sparse", sparse, "large-sparse",
            [(12 << 10, b"a"), (300 << 10, b"b"), (70 << 20, b"c"), (5 << 30, b"far")], (5 << 30) + 4096)
    with open("prealloc", "wb") as f:
        f.write(b"data")
        f.flush()
        attempt("fallocate", os.posix_fallocate, f.fileno(), 0, 60000)
    with open("fragmented", "wb") as f, open("between", "wb") as g:
        for i in range(24):
            f.write(pattern(4096, b"frag"))
            f.flush()
            os.fsync(f.fileno())
            g.write(b"b" * 4096)
            g.flush()
            os.fsync(g.fileno())
    os.unlink("between")


def attributes():
    attempt("user", os.setxattr, "file", "user.short", b"v")
    attempt("user", os.setxattr, "file", "user.empty", b"")
    attempt("user", os.setxattr, "file", "user.long", pattern(400))
    attempt("user", os.setxattr, "dir", "user.on-dir", b"directory")
    attempt("trusted", os.setxattr, "file", "trusted.root", b"only root")
    attempt("security", os.setxattr, "one", "security.test", b"label\0")
    attempt("capability", os.setxattr, "setuid", "security.capability",
            struct.pack("<IIIII", 0x02000001, 0x400, 0, 0, 0))
    write("acl-file", b"acl\n")
    os.mkdir("acl-dir")
    attempt("acl", os.setxattr, "acl-file", "system.posix_acl_access", ACL)
    attempt("acl", os.setxattr, "acl-dir", "system.posix_acl_access", ACL)
    attempt("acl", os.setxattr, "acl-dir", "system.posix_acl_default", ACL)
    attempt("acl", write, "acl-dir/inherits", b"inherited\n")
    for i in range(3):      # equal attributes: the kernel shares one block
        write(f"shared-{i}", b"")
        attempt("user", os.setxattr, f"shared-{i}", "user.same", pattern(300))


def times():
    for name, sec in (("time-1902", -2147483647), ("time-1969", -1), ("time-2038", 2147483648), ("time-2100", 4102444800),
                      ("time-2400", 13569465600)):
        write(name, b"")
        attempt(name, os.utime, name, None)
        os.utime(name, ns=(sec * 10**9 + 123456789, sec * 10**9 + 987654321))


def many(count):
    os.mkdir("many")
    write("many/0", b"x")
    for i in range(count):
        os.link("many/0", f"many/{i:06d}" + "l" * 244)


def main():
    os.chdir(sys.argv[1])
    os.umask(0o022)
    kinds()
    if sys.argv[2] == "full":
        holes()
        attributes()
        times()
    else:
        sparse("sparse", [(0, b"start"), (40960, b"end")], 50000)
        attempt("user", os.setxattr, "file", "user.short", b"v")
    if len(sys.argv) > 3 and int(sys.argv[3]):
        many(int(sys.argv[3]))


main()

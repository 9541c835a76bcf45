#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Make the damaged images: corrupt.py WORKDIR OUTDIR [NAME...]

Each is a small sound image (no checksums, so that the damage itself is met)
with some bytes changed.  Run by make.sh.
"""
import gzip
import os
import re
import struct
import subprocess
import sys

work, out = map(os.path.abspath, sys.argv[1:3])
want = sys.argv[3:]
BS = 1024
SB = 1024
FORMATS = {
    "ext2": "-t ext2 -b 1024 -I 256 -N 64",
    "ext4": "-t ext4 -O ^has_journal,^metadata_csum,^resize_inode -b 1024 -I 256 -N 64",
    "htree": "-t ext2 -b 1024 -I 128 -N 64",
    "inline": "-t ext4 -O ^has_journal,^metadata_csum,^resize_inode,inline_data -b 1024 -I 256 -N 64",
    "ea": "-t ext4 -O ^has_journal,^metadata_csum,^resize_inode,ea_inode -b 1024 -I 256 -N 64",
}


def run(*cmd, **kw):
    return subprocess.run(cmd, check=True, capture_output=True, text=True, **kw).stdout


def fill(base, mnt):
    os.chdir(mnt)
    with open("file", "wb") as f:
        f.write(b"content " * 4000)
    with open("small", "wb") as f:
        f.write(b"small\n")
    os.mkdir("dir")
    os.mkdir("dir/sub")
    for i in range(10):
        with open(f"dir/f{i}", "wb") as f:
            f.write(b"%d\n" % i)
    os.symlink("file", "link")
    os.symlink("s" * 100, "slowlink")
    os.setxattr("file", "user.block", b"v" * 300)
    os.setxattr("small", "user.body", b"v" * 20)
    os.setxattr("small", "user.other", b"w" * 4)
    if base == "htree":
        os.mkdir("many")
        for i in range(60):
            os.link("small", f"many/{i:03d}" + "h" * 240)
    if base == "ea":
        os.setxattr("dir", "user.big", b"big " * 1000)
    os.chdir("/")


class Image:
    def __init__(self, base):
        self.path = f"{work}/base-{base}.img"
        if not os.path.exists(self.path):
            mnt = f"{work}/mnt"
            run("truncate", "-s", "1M", self.path)
            run("mke2fs", "-q", "-F", "-L", "damaged", *FORMATS[base].split(), self.path)
            run("mount", "-t", "ext4", "-o", "loop", self.path, mnt)
            try:
                fill(base, mnt)
            finally:
                run("umount", mnt)
        with open(self.path, "rb") as f:
            self.b = bytearray(f.read())

    def inode(self, name):
        m = re.search(r"block (\d+), offset (0x[0-9a-f]+)", run("debugfs", "-R", f"imap {name}", self.path))
        return int(m[1]) * BS + int(m[2], 16)

    def block(self, name, n):
        return int(run("debugfs", "-R", f"bmap {name} {n}", self.path).split()[0]) * BS

    def number(self, name):
        return int(re.search(r"Inode: (\d+)", run("debugfs", "-R", f"stat {name}", self.path))[1])

    def acl_block(self, name):
        return int(re.search(r"File ACL: (\d+)", run("debugfs", "-R", f"stat {name}", self.path))[1]) * BS

    def p16(self, off, v):
        struct.pack_into("<H", self.b, off, v)

    def p32(self, off, v):
        struct.pack_into("<I", self.b, off, v & 0xFFFFFFFF)

    def put(self, off, data):
        self.b[off:off + len(data)] = data

    def g32(self, off):
        return struct.unpack_from("<I", self.b, off)[0]


def sb32(off, value):
    return "ext2", lambda i: i.p32(SB + off, value)


def sb16(off, value):
    return "ext2", lambda i: i.p16(SB + off, value)


def group32(off, value):
    return "ext2", lambda i: i.p32(2048 + off, value)


NOISE = bytes((i * 167 + 13) & 255 for i in range(BS))


def extent_loop(i):
    """The file's tree says depth 1 and its leaf is a block that is an index to itself."""
    ino, blk = i.inode("file"), i.block("file", 5)
    i.put(ino + 0x28, struct.pack("<HHHHI", 0xF30A, 1, 4, 1, 0) + struct.pack("<IIHH", 0, blk // BS, 0, 0))
    i.put(blk, struct.pack("<HHHHI", 0xF30A, 1, 84, 1, 0) + struct.pack("<IIHH", 0, blk // BS, 0, 0))


def extent_outside(i):
    i.put(i.inode("file") + 0x28, struct.pack("<HHHHI", 0xF30A, 1, 4, 0, 0) + struct.pack("<IHHI", 0, 32, 0, 0x00F00000))


def extent_overlap(i):
    i.put(i.inode("file") + 0x28, struct.pack("<HHHHI", 0xF30A, 2, 4, 0, 0) +
          struct.pack("<IHHI", 0, 30, 0, 200) + struct.pack("<IHHI", 5, 30, 0, 300))


def extent_metadata(i):
    """An extent over the superblock, descriptors and inode table."""
    i.put(i.inode("file") + 0x28, struct.pack("<HHHHI", 0xF30A, 1, 4, 0, 0) + struct.pack("<IHHI", 0, 32, 0, 1))


def dir_edit(name, edit):
    def do(i):
        edit(i, i.block(name, 0))
    return "ext2", do


def second_entry(blk):
    return blk + 24     # behind "." and ".." of 12 bytes each


def orphan_loop(i):
    a = i.number("small")
    i.p32(SB + 0xE8, a)
    i.p32(i.inode("small") + 0x14, a)


def orphan_bad(i):
    i.p32(SB + 0xE8, 60000)


def indirect(i):
    blk = i.g32(i.inode("file") + 0x28 + 12 * 4) * BS
    i.put(blk, struct.pack("<I", 0x7FFFFFFF) * (BS // 4))


def indirect_self(i):
    blk = i.g32(i.inode("file") + 0x28 + 12 * 4)
    i.p32(i.inode("file") + 0x28 + 13 * 4, blk)
    i.put(blk * BS, struct.pack("<I", blk) * (BS // 4))


def xattr_block(edit):
    return "ext2", lambda i: edit(i, i.acl_block("file"))


def xattr_body(edit):
    return "ext2", lambda i: edit(i, i.inode("small") + 128 + 32)


def big_inode(i):
    """The entry of user.big names its own owner as the value's inode."""
    body = i.inode("dir") + 128 + 32 + 4
    i.p32(body + 4, i.number("dir"))


def big_size(i):
    i.p32(i.inode("dir") + 128 + 32 + 4 + 8, 60000)


IMAGES = {
    "bad-root-inode": ("ext2", lambda i: i.put(i.inode("<2>"), bytes(128))),
    "bad-root-mode": ("ext2", lambda i: i.p16(i.inode("<2>"), 0o100644)),
    "bad-root-block": ("ext2", lambda i: i.p32(i.inode("<2>") + 0x28, 0x7FFFFFFF)),
    "bad-extent-noise": ("ext4", lambda i: i.put(i.inode("file") + 0x28, NOISE[:60])),
    "bad-extent-loop": ("ext4", extent_loop),
    "bad-extent-outside": ("ext4", extent_outside),
    "bad-extent-overlap": ("ext4", extent_overlap),
    "bad-extent-metadata": ("ext4", extent_metadata),
    "bad-dir-reclen0": dir_edit("dir", lambda i, b: i.p16(second_entry(b) + 4, 0)),
    "bad-dir-reclen-odd": dir_edit("dir", lambda i, b: i.p16(second_entry(b) + 4, 13)),
    "bad-dir-reclen-past": dir_edit("dir", lambda i, b: i.p16(second_entry(b) + 4, 4096)),
    "bad-dir-namelen": dir_edit("dir", lambda i, b: i.put(second_entry(b) + 6, b"\xff")),
    "bad-dir-slash": dir_edit("dir", lambda i, b: i.put(second_entry(b) + 8, b"/")),
    "bad-dir-noise": dir_edit("dir", lambda i, b: i.put(b, NOISE)),
    "bad-dirent-ino": dir_edit("dir", lambda i, b: i.p32(second_entry(b), 60000)),
    "bad-dirent-unused": dir_edit("dir", lambda i, b: i.p32(second_entry(b), 63)),
    "bad-dirent-reserved": dir_edit("dir", lambda i, b: i.p32(second_entry(b), 5)),
    "bad-dir-cycle": dir_edit("dir/sub", lambda i, b: i.p32(second_entry(b), i.number("dir")) or
                              i.put(second_entry(b) + 4, struct.pack("<HBB", 1000, 4, 2) + b"loop") or i.p16(b + 16, 12)),
    "bad-bitmap-block": ("ext2", lambda i: i.put(i.g32(2048) * BS, NOISE)),
    "bad-bitmap-inode": ("ext2", lambda i: i.put(i.g32(2052) * BS, NOISE[:128])),
    "bad-super-logblock": sb32(0x18, 30),
    "bad-super-bpg0": sb32(0x20, 0),
    "bad-super-ipg0": sb32(0x28, 0),
    "bad-super-ipg-huge": sb32(0x28, 0x7FFFFFF8),
    "bad-super-blocks": sb32(0x04, 0xFFFFFF00),
    "bad-super-first": sb32(0x14, 0x7FFFFFFF),
    "bad-super-inode-size": sb16(0x58, 100),
    "bad-super-inode-size-huge": sb16(0x58, 0x8000),
    "bad-super-inodes": sb32(0x00, 0xFFFFFFFF),
    "bad-super-rev": sb32(0x4C, 99),
    "bad-super-desc-size": ("ext4", lambda i: i.p16(SB + 0xFE, 7)),
    "bad-super-reserved-gdt": sb16(0xCE, 0xFFFF),
    "bad-super-noise": ("ext2", lambda i: i.put(SB + 0x60, NOISE[:0x300])),
    "bad-group-itable": group32(8, 0x7FFFFFFF),
    "bad-group-bitmap": group32(0, 0),
    "bad-group-overlap": ("ext2", lambda i: i.p32(2048 + 8, 1)),
    "bad-truncated": ("ext2", lambda i: i.b.__delitem__(slice(200 * 1024, None))),
    "bad-xattr-magic": xattr_block(lambda i, b: i.p32(b, 0x12345678)),
    "bad-xattr-noise": xattr_block(lambda i, b: i.put(b + 32, NOISE[:992])),
    "bad-xattr-value": xattr_block(lambda i, b: i.p16(b + 34, 0xFFFC)),
    "bad-xattr-size": xattr_block(lambda i, b: i.p32(b + 40, 0xFFFFFFFF)),
    "bad-xattr-refcount": xattr_block(lambda i, b: i.p32(b + 4, 0)),
    "bad-xattr-pointer": ("ext2", lambda i: i.p32(i.inode("file") + 0x68, 3)),
    "bad-xattr-body": xattr_body(lambda i, b: i.put(b + 4, NOISE[:92])),
    "bad-xattr-isize": ("ext2", lambda i: i.p16(i.inode("small") + 0x80, 0xFFF0)),
    "bad-xattr-acl": ("ext2", lambda i: i.put(i.inode("small") + 128 + 32 + 4 + 1, b"\2") or
                      i.put(i.inode("small") + 128 + 32 + 4, b"\0")),
    "bad-ea-self": ("ea", big_inode),
    "bad-ea-size": ("ea", big_size),
    "bad-htree-root": ("htree", lambda i: i.put(i.block("many", 0) + 24, NOISE[:64])),
    "bad-htree-count": ("htree", lambda i: i.put(i.block("many", 0) + 0x20, struct.pack("<HH", 2000, 5000))),
    "bad-htree-block": ("htree", lambda i: i.p32(i.block("many", 0) + 0x24, 0x0FFFFFF)),
    "bad-htree-loop": ("htree", lambda i: i.put(i.block("many", 0) + 0x1E, b"\2") or i.p32(i.block("many", 0) + 0x24, 0)),
    "bad-indirect": ("ext2", indirect),
    "bad-indirect-self": ("ext2", indirect_self),
    "bad-orphan-loop": ("ext2", orphan_loop),
    "bad-orphan-number": ("ext2", orphan_bad),
    "bad-symlink-size": ("ext2", lambda i: i.p32(i.inode("link") + 4, 0x7FFFFFFF)),
    "bad-symlink-block": ("ext2", lambda i: i.p32(i.inode("slowlink") + 0x28, 0x7FFFFFFF)),
    "bad-file-size": ("ext2", lambda i: i.p32(i.inode("file") + 0x6C, 0x7FFFFFFF)),
    "bad-inode-mode": ("ext2", lambda i: i.p16(i.inode("small"), 0xF1FF)),
    "bad-inline-size": ("inline", lambda i: i.p32(i.inode("small") + 4, 5000)),
    "bad-inline-dir": ("inline", lambda i: i.put(i.inode("dir") + 0x28, b"\xff" * 60)),
    "bad-inline-value": ("inline", lambda i: i.put(i.inode("dir") + 128 + 32 + 4, b"\xff" * 16)),
}


def main():
    for name, (base, edit) in IMAGES.items():
        if want and name not in want:
            continue
        image = Image(base)
        edit(image)
        with open(f"{out}/{name}.img.gz", "wb") as f:
            f.write(gzip.compress(bytes(image.b), 9, mtime=0))
        print(f"{name:24} {os.path.getsize(f'{out}/{name}.img.gz'):7} bytes")


main()

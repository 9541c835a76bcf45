#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Make the FAT images: fat.py WORKDIR OUTDIR [NAME...]

Each is a row of SOUND or DAMAGED below: what mkfs.fat is told, and what is
done to the volume then.  mtools puts the files in; fatfile.py what mtools
cannot.  Nothing is mounted, and the bytes are the same each time.  Run by make.sh.
"""
import gzip
import os
import subprocess
import sys
import zlib

sys.dont_write_bytecode = True
from fatfile import ARCHIVE, HIDDEN, READ_ONLY, SYSTEM, Fat, entry, long_slots, short_name

work, out = map(os.path.abspath, sys.argv[1:3])
want = sys.argv[3:]
K, M = 1024, 1024 * 1024
ENV = dict(os.environ, SOURCE_DATE_EPOCH="1592224496", TZ="UTC", LC_ALL="C.UTF-8", MTOOLS_SKIP_CHECK="1",
           MTOOLSRC="/dev/null", PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
NOISE = bytes((i * 167 + 13) & 255 for i in range(4096))


def run(*cmd):
    subprocess.run(cmd, check=True, capture_output=True, env=ENV)


def source(name, data):
    path = f"{work}/fat-{name}"
    with open(path, "wb") as f:
        f.write(data)
    os.utime(path, (1592224496, 1592224496))
    return path


def populate(path):
    """By mtools: long and short names, a deleted one, directories, an empty file, one of many clusters."""
    file, small, empty = source("file", b"content " * 4000), source("small", b"small\n"), source("empty", b"")
    run("mmd", "-i", path, "::dir", "::dir/sub", "::A Directory.With a long name")
    run("mcopy", "-m", "-i", path, file, "::FILE.TXT")
    run("mcopy", "-m", "-i", path, small, "::SMALL.TXT")
    run("mcopy", "-m", "-i", path, small, "::gone")
    run("mcopy", "-m", "-i", path, file, "::a long name of a file.text")
    run("mcopy", "-m", "-i", path, empty, "::empty")
    run("mcopy", "-m", "-i", path, small, "::MixedCase.Txt")
    run("mcopy", "-m", "-i", path, small, "::naïve café ☕.txt")
    run("mcopy", "-m", "-i", path, small, "::A Directory.With a long name/inside it")
    for i in range(20):
        run("mcopy", "-m", "-i", path, small, f"::dir/f{i}")
    run("mcopy", "-m", "-i", path, small, "::dir/sub/deep")
    run("mdel", "-i", path, "::gone")


def populate_few(fat):
    """The same for FAT32 with few clusters, which mtools takes for FAT16."""
    file, small = b"content " * 4000, b"small\n"
    fat.mkdir("", "DIR", "dir")
    fat.mkdir("DIR", "SUB", "sub")
    fat.mkdir("", "ADIREC~1.WIT", "A Directory.With a long name")
    fat.add("", "FILE.TXT", file)
    fat.add("", "SMALL.TXT", small)
    gone = fat.add("", "GONE", small, name="gone")
    fat.add("", OTHER, file, name="a long name of a file.text")
    fat.add("", "EMPTY", name="empty")
    fat.add("", "MIXEDC~1.TXT", small, name="MixedCase.Txt")
    fat.add("", "NAVECA~1.TXT", small, name="naïve café ☕.txt")
    fat.add("ADIREC~1.WIT", "INSIDE~1", small, name="inside it")
    for i in range(20):
        fat.add("DIR", f"F{i}", small, name=f"f{i}")
    fat.add("DIR/SUB", "DEEP", small, name="deep")
    for at in [gone] + fat.long_slots_of(gone):
        fat.b[at] = 0xE5
    fat.set(fat.start(gone), 0)


FILE, OTHER, SUB = "FILE.TXT", "ALONGN~1.TEX", "DIR/SUB"


# ---- sound images -----------------------------------------------------------

def as_made(fat):
    pass


def dos1(fat):
    """A boot sector of code only, as DOS 1 left it; the table begins with the media byte."""
    fat.put(0, bytes(512))
    fat.put(0, b"\xeb\x2f\x14")
    fat.put(60, b"DOS 1 boot code")


def active_second(fat):
    """Only the second table is kept: the first is as after formatting."""
    fat.p16(40, 0x0081)
    fat.p16(6 * fat.sector + 40, 0x0081)
    fat.put(fat.fat + 12, bytes(fat.fat_size - 12))


def dirty(fat):
    fat.b[37] |= 1
    fat.set(1, fat.get(1) & 0x7FFF)


def dirty32(fat):
    fat.b[65] |= 1
    fat.set(1, fat.get(1) & 0x07FFFFFF)


def attributes(fat):
    for attr in range(16):
        bits = [READ_ONLY, HIDDEN, SYSTEM, ARCHIVE]
        value = sum(b for i, b in enumerate(bits) if attr >> i & 1)
        fat.add("", f"FILE{attr}.TXT", b"attributes\n", value)
        at = fat.mkdir("", f"DIR{attr}")
        fat.b[at + 11] |= value
    for name in ("RUN.EXE", "RUN.COM", "RUN.BAT", "RUN.SH"):  # showexec
        fat.add("", name, b"#!/bin/sh\n")
    for lcase, name in enumerate(("UPPER.TXT", "BASE.TXT", "EXT.TXT", "LOWER.TXT")):
        fat.add("", name, b"case bits\n", lcase=lcase << 3)
    old = fat.add("", "EPOCH", b"times of zero\n")
    fat.put(old + 13, bytes(7))
    fat.put(old + 22, bytes(4))
    last = fat.add("", "LAST", b"2107-12-31 23:59:59.99\n")
    fat.put(last + 13, b"\xc7\x7d\xbf\x9f\xff\x9f\xff")
    fat.put(last + 22, b"\x7d\xbf\x9f\xff")


def long_names(fat):
    def both(path, number, name):
        fat.add(path, f"LONG{number:02}~1.TXT", name.encode("utf-8", "surrogatepass")[:60], name=name)

    both("", 0, "x" * 255)                      # 20 long slots and the short one: 21
    both("", 1, "名" * 255)
    both("", 2, "\U0001F600" * 127 + "z")       # surrogate pairs, 255 units
    both("", 3, "y" * 12 + "\U0001F600" + "y")  # one of them over two slots
    both("", 4, "thirteen unit")                # exactly a slot: no end mark
    both("", 5, "fourteen units")
    both("", 6, "dots.and.more.dots")
    both("", 7, "ÄÖÜ ß ſ K Å ς.İı")             # where folding is not simple
    both("", 8, "[+,;=] 'quoted' #!$%&@^_`{}~")
    both("", 9, "\ud83d lone surrogate")
    both("", 10, ".hidden")
    path, where = "", "d" * 200
    for depth in range(12):
        fat.mkdir(path, "DEEP~1", f"{where}{depth}")
        path = f"{path}/DEEP~1".lstrip("/")
    fat.add(path, "BOTTOM", b"the bottom\n")
    fat.mkdir("", "MANY")
    for i in range(200):
        fat.add("MANY", f"MA{i:03}~1", b"", name=f"{i:03} " + "n" * (i + 20))


def shift_jis(fat):
    """Short names alone, in code page 932: a lead byte 0xe5, a second byte that is a backslash or a bar."""
    for text, ext in (("表計算", "TXT"), ("ポスト", "TXT"), ("テスト", ""), ("ｶﾀｶﾅ", "DAT"), ("ソ", "ソ"), ("漢字A", "JPG")):
        fat.add("", text.encode("cp932").ljust(8) + ext.encode("cp932").ljust(3), text.encode("utf-8"))
    lead = next(bytes([0xE5, b]) for b in range(0x80, 0xFD)).decode("cp932")
    fat.add("", (b"\x05" + lead.encode("cp932")[1:]).ljust(11), lead.encode("utf-8"))
    fat.mkdir("", "写真".encode("cp932").ljust(11))
    fat.add("", "長い~1".encode("cp932").ljust(8) + b"TXT", "長い名前".encode("utf-8"), name="長い名前のファイル.txt")


CONTENTS = (long_names, shift_jis, attributes)  # what FSINFO is to know of

# name: (size, mkfs.fat's options, mtools' files?, what then)
SOUND = {
    "fat12-floppy": (1440 * K, "-n FLOPPY", True, as_made),
    "fat12-dos1": (360 * K, "", True, dos1),
    "fat12-64k": (8 * M, "-F 12 -s 128 -n CLUSTER64K", True, as_made),
    "fat16": (6 * M, "-F 16 -s 1 -n FAT16", True, as_made),
    "fat16-4k": (36 * M, "-F 16 -S 4096 -s 2 -n SECTOR4K16", True, as_made),
    "fat32": (36 * M, "-F 32 -s 1 -n FAT32", True, as_made),
    "fat32-few": (2 * M, "-F 32 -s 1 -n FEW", True, as_made),
    "fat32-4k": (3 * M, "-F 32 -S 4096 -s 1 -n SECTOR4K", True, as_made),
    "fat32-active": (36 * M, "-F 32 -s 1 -n ACTIVE2", True, active_second),
    "fat32-mbr": (36 * M, "-F 32 -s 1 --mbr=y -n MBR", True, as_made),
    "fat32-names": (4 * M, "-F 32 -s 1 -n NAMES", False, long_names),
    "fat16-sjis": (3 * M, "-F 16 -s 1 -n SJIS", False, shift_jis),
    "fat16-attributes": (3 * M, "-F 16 -s 1 -n ATTRIBUTES", True, attributes),
    "fat16-dirty": (3 * M, "-F 16 -s 1 -n DIRTY", True, dirty),
    "fat32-dirty": (36 * M, "-F 32 -s 1 -n DIRTY", True, dirty32),
}

# ---- damaged images ------------------------------------------------------------

BASES = {
    "fat12": (360 * K, "-n DAMAGED"),
    "fat16": (3 * M, "-F 16 -s 1 -n DAMAGED"),
    "fat32": (2 * M, "-F 32 -s 1 -n DAMAGED"),
}


def link(index, target):
    """FILE.TXT's cluster number @index leads to what @target gives."""
    def change(fat):
        chain = fat.chain(fat.start(fat.find(FILE)))
        fat.set(chain[index], target(fat, chain))
    return change


def begin(path, target):
    """The entry of PATH begins at what @target gives."""
    def change(fat):
        fat.set_start(fat.find(path), target(fat))
    return change


def long_chain(fat):
    at = fat.find("SMALL.TXT")
    fat.set(fat.start(at), fat.allocate(5)[0])


def short_chain(fat):
    chain = fat.chain(fat.start(fat.find(FILE)))
    fat.set(chain[2], fat.end_mark())
    for c in chain[3:]:
        fat.set(c, 0)


def size(path, value):
    return lambda fat: fat.p32(fat.find(path) + 28, value)


def fsinfo(offset, value):
    return lambda fat: fat.p32(fat.sector + offset, value)


def slot(change):
    """@change is given the long slots of the file with a long name, and its short entry."""
    def edit(fat):
        at = fat.find(OTHER)
        change(fat, fat.long_slots_of(at), at)
    return edit


def lfn_checksum(fat, slots, at):
    for s in slots:
        fat.b[s + 13] ^= 0x55


def lfn_sequence(fat, slots, at):
    fat.b[slots[-1]] = 7


def lfn_swapped(fat, slots, at):
    fat.b[slots[0]], fat.b[slots[1]] = 1, 0x42


def lfn_zero(fat, slots, at):
    fat.b[slots[0]] = 0x40


def lfn_huge(fat, slots, at):
    fat.b[slots[0]] = 0x7F


def lfn_slash(fat, slots, at):
    fat.put(slots[-1] + 1, "a/b".encode("utf-16-le"))


def lfn_nul(fat, slots, at):
    fat.put(slots[-1] + 1, bytes(10))


def lfn_dot_dot(fat, slots, at):
    fat.b[slots[0]] = 0xE5
    fat.b[slots[-1]] = 0x41
    fat.put(slots[-1] + 1, "..\0".encode("utf-16-le") + b"\xff" * 4)


def lfn_orphans(fat):
    """Long slots without a short entry: at the end, before a directory's own entries, before deleted ones."""
    short = short_name("ORPHAN.TXT")
    fat.add_slots(fat.root_cluster(), long_slots("an orphan, whose short entry is not there", short))
    fat.add("", "AFTER.TXT", b"after the orphans\n")
    first = fat.slots(fat.directory("DIR"))[2]
    fat.put(first, long_slots("orphan", short)[0])


def twins(fat):
    fat.add("", "TWIN.TXT", b"one\n")
    fat.add("", "TWIN.TXT", b"two\n")
    fat.add("", "TWINS~1.TXT", b"three\n", name="twin.txt")


def short_noise(fat):
    for name in (b"lower   txt", b"A/B     TXT", b"NUL\0    TXT", b"SP ACE  TXT", b"  LEAD  TXT", b"\x01\x02\x03     TXT",
                 b"STAR*   TXT", b".       TXT", b"..         ", b"DOT.DOT TXT"):
        fat.add("", name, b"a name that cannot be\n")


def after_end(fat):
    """What lies behind the end mark of a directory does not exist, whatever it looks like."""
    slots = [s for s in fat.slots(fat.directory("DIR/SUB")) if fat.b[s] == 0]
    for i, s in enumerate(slots[1:]):
        fat.put(s, entry(f"GHOST{i}.TXT", ARCHIVE, 40 + i, 100))


def root_after_end(fat):
    slots = [s for s in fat.slots(fat.root_cluster()) if fat.b[s] == 0]
    for i, s in enumerate(slots[1:]):
        fat.put(s, NOISE[32 * (i % 100):][:32])


def dots(fat):
    at = fat.at(fat.directory(SUB))
    fat.set_start(at, 2)
    fat.set_start(at + 32, fat.clusters + 500)


def no_dots(fat):
    at = fat.at(fat.directory(SUB))
    fat.put(at, entry("NODOT.TXT") + entry("NODOTS.TXT"))


def noise_directory(fat):
    for c in fat.chain(fat.directory("DIR")):
        fat.put(fat.at(c), NOISE[:fat.cluster])


def first_copy(fat):
    """The first table lost a chain, the second has it."""
    chain = fat.chain(fat.start(fat.find(FILE)))
    for c in chain[1:]:
        fat.set(c, 0, copies=[0])


def second_copy(fat):
    chain = fat.chain(fat.start(fat.find(FILE)))
    for c in chain[1:]:
        fat.set(c, 0, copies=[1])
    for c in range(200, 300):
        fat.set(c, c + 1, copies=[1])


def noise_table(fat):
    for copy in range(fat.fats):
        fat.put(fat.fat + copy * fat.fat_size + 512, NOISE[:512])


def boot(at, data):
    return lambda fat: fat.put(at, data)


def le(value, width):
    return value.to_bytes(width, "little")


# name after "badfat-": (base, the change)
DAMAGED = {
    "loop": ("fat16", link(10, lambda fat, chain: chain[3])),
    "loop-self": ("fat12", link(4, lambda fat, chain: chain[4])),
    "loop-32": ("fat32", link(20, lambda fat, chain: chain[0])),
    "cross": ("fat16", link(10, lambda fat, chain: fat.chain(fat.start(fat.find(OTHER)))[10])),
    "cross-start": ("fat12", begin(OTHER, lambda fat: fat.start(fat.find(FILE)))),
    "cross-dir": ("fat16", begin("SMALL.TXT", lambda fat: fat.directory("DIR"))),
    "link-free": ("fat16", link(10, lambda fat, chain: fat.free()[50])),
    "link-zero": ("fat12", link(10, lambda fat, chain: 0)),
    "link-one": ("fat32", link(10, lambda fat, chain: 1)),
    "link-bad": ("fat16", link(10, lambda fat, chain: fat.bad_mark())),
    "link-range": ("fat16", link(10, lambda fat, chain: fat.clusters + 2)),
    "link-range-32": ("fat32", link(10, lambda fat, chain: 0x0FFFFFF0)),
    "link-reserved": ("fat12", link(10, lambda fat, chain: 0xFF2)),
    "start-range": ("fat16", begin(FILE, lambda fat: 0xFFF0)),
    "start-one": ("fat32", begin(FILE, lambda fat: 1)),
    "start-free": ("fat16", begin(FILE, lambda fat: fat.free()[-1])),
    "start-none": ("fat12", begin(FILE, lambda fat: 0)),
    "start-high": ("fat32", begin(FILE, lambda fat: 0xF0000000 | fat.start(fat.find(FILE)))),
    "short-chain": ("fat16", short_chain),
    "long-chain": ("fat16", long_chain),
    "size-huge": ("fat16", size(FILE, 0xFFFFFFFF)),
    "fsinfo-count": ("fat32", fsinfo(488, 0x00FFFFFF)),
    "fsinfo-low": ("fat32", fsinfo(488, 3)),
    "fsinfo-next": ("fat32", fsinfo(492, 0x0EEEEEEE)),
    "fsinfo-magic": ("fat32", fsinfo(484, 0)),
    "fsinfo-sector": ("fat32", boot(48, le(0x1234, 2))),
    "lfn-checksum": ("fat16", slot(lfn_checksum)),
    "lfn-sequence": ("fat16", slot(lfn_sequence)),
    "lfn-swapped": ("fat16", slot(lfn_swapped)),
    "lfn-zero": ("fat16", slot(lfn_zero)),
    "lfn-huge": ("fat16", slot(lfn_huge)),
    "lfn-slash": ("fat16", slot(lfn_slash)),
    "lfn-nul": ("fat16", slot(lfn_nul)),
    "lfn-dotdot": ("fat16", slot(lfn_dot_dot)),
    "lfn-orphans": ("fat16", lfn_orphans),
    "twins": ("fat16", twins),
    "short-noise": ("fat16", short_noise),
    "dir-none": ("fat16", begin("DIR", lambda fat: 0)),
    "dir-one": ("fat12", begin("DIR", lambda fat: 1)),
    "dir-range": ("fat32", begin("DIR", lambda fat: 0x00FFFFFF)),
    "dir-self": ("fat16", begin(SUB, lambda fat: fat.directory("DIR"))),
    "dir-root": ("fat32", begin(SUB, lambda fat: fat.root_cluster())),
    "dir-loop": ("fat16", lambda fat: fat.set(fat.chain(fat.directory("DIR"))[-1], fat.directory("DIR"))),
    "dir-free": ("fat16", lambda fat: fat.set(fat.directory(SUB), 0)),
    "dir-file": ("fat16", begin(SUB, lambda fat: fat.start(fat.find(FILE)))),
    "dir-size": ("fat16", size("DIR", 12345)),
    "dir-dots": ("fat16", dots),
    "dir-nodots": ("fat32", no_dots),
    "dir-noise": ("fat16", noise_directory),
    "dir-after-end": ("fat16", after_end),
    "root-after-end": ("fat12", root_after_end),
    "root-loop": ("fat32", lambda fat: fat.set(fat.root_cluster(), fat.root_cluster())),
    "root-free": ("fat32", lambda fat: fat.set(fat.root_cluster(), 0)),
    "root-range": ("fat32", lambda fat: fat.set(fat.root_cluster(), 0x0BADBAD0)),
    "copies-first": ("fat16", first_copy),
    "copies-second": ("fat32", second_copy),
    "table-noise": ("fat16", noise_table),
    "table-media": ("fat16", lambda fat: fat.set(0, 0)),
    "boot-empty": ("fat16", boot(0, bytes(512))),
    "boot-noise": ("fat16", boot(0, NOISE[:512])),
    "boot-sector": ("fat16", boot(11, le(500, 2))),
    "boot-cluster": ("fat16", boot(13, le(3, 1))),
    "boot-reserved": ("fat16", boot(14, le(0, 2))),
    "boot-tables": ("fat16", boot(16, le(0, 1))),
    "boot-roots": ("fat16", boot(17, le(0, 2))),
    "boot-total": ("fat16", boot(19, le(0, 2))),
    "boot-truncated": ("fat16", lambda fat: fat.b.__delitem__(slice(2 * M, None))),
    "boot-small": ("fat16", boot(19, le(20, 2))),
    "boot-media": ("fat16", boot(21, le(0x12, 1))),
    "boot-table0": ("fat32", boot(36, le(0, 4))),
    "boot-table1": ("fat32", boot(36, le(1, 4))),
    "boot-table-huge": ("fat32", boot(36, le(0xFFFFFFFF, 4))),
    "boot-version": ("fat32", boot(42, le(0x0101, 2))),
    "boot-root": ("fat32", boot(44, le(0x0FFFFFFF, 4))),
    "boot-active": ("fat32", boot(40, le(0x008F, 2))),
    "boot-ntfs": ("fat16", boot(3, b"NTFS    ")),
}


# ---- making them ------------------------------------------------------------------

def make(name, length, options, files, change):
    path = f"{work}/{name}.img"
    with open(path, "wb") as f:
        f.truncate(length)
    run("mkfs.fat", "--invariant", "-i", f"{zlib.crc32(name.encode()):08x}", *options.split(), path)
    few = "-F 32" in options and length < 36 * M
    if files and not few:
        populate(path)
    fat = Fat(path)
    if files and few:
        populate_few(fat)
    if change in CONTENTS:
        change(fat)
    fat.settle()
    if change not in CONTENTS:
        change(fat)
    packed = gzip.compress(bytes(fat.b), 9, mtime=0)
    with open(f"{out}/{name}.img.gz", "wb") as f:
        f.write(packed)
    print(f"{name:24} {len(packed):7} bytes")
    os.unlink(path)


for name, (length, options, files, change) in SOUND.items():
    if not want or name in want:
        make(name, length, options, files, change)
for name, (base, change) in DAMAGED.items():
    if not want or f"badfat-{name}" in want:
        make(f"badfat-{name}", *BASES[base], True, change)

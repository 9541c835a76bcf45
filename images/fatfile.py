# SPDX-License-Identifier: GPL-2.0-or-later
"""A FAT image in memory, for fat.py: its table, its directories, new entries.

Only what making images needs: sound or deliberately wrong, always the same
bytes.  mkfs.fat made the volume, mtools most of its contents; this adds what
they cannot make.
"""
import struct

TIME = (12 << 11 | 34 << 5 | 28)  # 12:34:56
DATE = ((2020 - 1980) << 9 | 6 << 5 | 15)  # 2020-06-15
READ_ONLY, HIDDEN, SYSTEM, LABEL, DIRECTORY, ARCHIVE, LONG = 1, 2, 4, 8, 16, 32, 15


def checksum(short):
    total = 0
    for byte in short:
        total = ((total >> 1) + (total << 7) + byte) & 0xFF
    return total


def short_name(text):
    """"FILE.TXT" as the eleven bytes of an entry; bytes are taken as they are."""
    if isinstance(text, bytes):
        return text
    base, _, ext = text.partition(".")
    return base.encode("cp437").ljust(8) + ext.encode("cp437").ljust(3)


def long_slots(name, short):
    """The long slots of @name (text, or UTF-16 units), first on disk first."""
    data = name.encode("utf-16-le", "surrogatepass")
    count = (len(data) // 2 + 12) // 13
    if len(data) < count * 26:
        data += b"\0\0"
    data = data.ljust(count * 26, b"\xff")
    slots = []
    for i in range(count):
        part = data[i * 26:i * 26 + 26]
        sequence = (i + 1) | (0x40 if i + 1 == count else 0)
        slots.append(struct.pack("<B10sBBB12sH4s", sequence, part[:10], LONG, 0, checksum(short), part[10:22], 0, part[22:]))
    return slots[::-1]


def entry(short, attr=ARCHIVE, start=0, size=0, lcase=0):
    return struct.pack("<11sBBBHHHHHHHI", short_name(short), attr, lcase, 150, TIME, DATE, DATE, start >> 16, TIME, DATE,
                       start & 0xFFFF, size)


class Fat:
    def __init__(self, path):
        with open(path, "rb") as f:
            self.b = bytearray(f.read())
        (self.sector, self.per_cluster, reserved, self.fats, self.roots, total, _, size) = struct.unpack_from("<HBHBHHBH", self.b, 11)
        self.fat32 = size == 0
        size = size or self.g32(36)
        total = total or self.g32(32)
        self.fat = reserved * self.sector
        self.fat_size = size * self.sector
        self.root = self.fat + self.fats * self.fat_size
        self.data = self.root + (self.roots * 32 + self.sector - 1) // self.sector * self.sector
        self.cluster = self.per_cluster * self.sector
        self.clusters = (total * self.sector - self.data) // self.cluster
        self.bits = 32 if self.fat32 else 12 if self.clusters <= 4084 else 16

    # ---- bytes
    def g32(self, at):
        return struct.unpack_from("<I", self.b, at)[0]

    def p16(self, at, value):
        struct.pack_into("<H", self.b, at, value)

    def p32(self, at, value):
        struct.pack_into("<I", self.b, at, value & 0xFFFFFFFF)

    def put(self, at, data):
        self.b[at:at + len(data)] = data

    # ---- the table
    def get(self, c, copy=0):
        at = self.fat + copy * self.fat_size
        if self.bits == 32:
            return self.g32(at + 4 * c) & 0x0FFFFFFF
        if self.bits == 16:
            return struct.unpack_from("<H", self.b, at + 2 * c)[0]
        pair = struct.unpack_from("<H", self.b, at + c * 3 // 2)[0]
        return pair >> 4 if c & 1 else pair & 0xFFF

    def set(self, c, value, copies=None):
        for copy in range(self.fats) if copies is None else copies:
            at = self.fat + copy * self.fat_size
            if self.bits == 32:
                self.p32(at + 4 * c, value & 0x0FFFFFFF)
            elif self.bits == 16:
                self.p16(at + 2 * c, value & 0xFFFF)
            else:
                at += c * 3 // 2
                pair = struct.unpack_from("<H", self.b, at)[0]
                self.p16(at, pair & 0xF | (value & 0xFFF) << 4 if c & 1 else pair & 0xF000 | value & 0xFFF)

    def end_mark(self):
        return {12: 0xFFF, 16: 0xFFFF, 32: 0x0FFFFFFF}[self.bits]

    def bad_mark(self):
        return {12: 0xFF7, 16: 0xFFF7, 32: 0x0FFFFFF7}[self.bits]

    def chain(self, c):
        found = []
        while 2 <= c < self.clusters + 2 and c not in found:
            found.append(c)
            c = self.get(c)
        return found

    def free(self):
        return [c for c in range(2, self.clusters + 2) if self.get(c) == 0]

    def allocate(self, count):
        found = self.free()[:count]
        for c, following in zip(found, found[1:] + [self.end_mark()]):
            self.set(c, following)
        return found

    # ---- directories
    def at(self, c):
        return self.data + (c - 2) * self.cluster

    def root_cluster(self):
        return self.g32(44) if self.fat32 else 0

    def slots(self, start):
        """Byte offsets of a directory's slots; @start 0 is the fixed root."""
        if start == 0:
            return [self.root + 32 * i for i in range(self.roots)]
        return [self.at(c) + 32 * i for c in self.chain(start) for i in range(self.cluster // 32)]

    def start(self, at):
        low, high = struct.unpack_from("<H", self.b, at + 26)[0], struct.unpack_from("<H", self.b, at + 20)[0]
        return low | (high << 16 if self.fat32 else 0)

    def set_start(self, at, start):
        self.p16(at + 26, start & 0xFFFF)
        self.p16(at + 20, start >> 16)

    def find(self, path):
        """Offset of the short entry of PATH, in 8.3 names."""
        where, at = self.root_cluster(), None
        for part in path.split("/"):
            name = short_name(part)
            at = next(i for i in self.slots(where) if self.b[i:i + 11] == name and self.b[i + 11] & 0x3F != LONG)
            where = self.start(at)
        return at

    def directory(self, path):
        return self.start(self.find(path)) if path else self.root_cluster()

    def add(self, path, short, data=b"", attr=ARCHIVE, name=None, lcase=0, slots=None):
        """A new entry in directory PATH ("" is the root): its short entry's offset.  @slots replaces the long ones."""
        start = self.allocate(-(-len(data) // self.cluster))
        for i, c in enumerate(start):
            self.put(self.at(c), data[i * self.cluster:(i + 1) * self.cluster].ljust(self.cluster, b"\0"))
        short = short_name(short)
        if slots is None:
            slots = long_slots(name, short) if name else []
        size = 0 if attr & (DIRECTORY | LABEL) else len(data)
        return self.add_slots(self.directory(path), slots + [entry(short, attr, start[0] if start else 0, size, lcase)])

    def add_slots(self, where, slots):
        free = self.slots(where)
        first = next((i for i, at in enumerate(free) if self.b[at] == 0), len(free))
        while first + len(slots) > len(free):
            last = self.chain(where)[-1]
            fresh = self.allocate(1)[0]
            self.set(last, fresh)
            self.put(self.at(fresh), bytes(self.cluster))
            free = self.slots(where)
        for at, slot in zip(free[first:], slots):
            self.put(at, slot)
        return free[first + len(slots) - 1]

    def mkdir(self, path, short, name=None):
        at = self.add(path, short, bytes(self.cluster), DIRECTORY, name)
        start, parent = self.start(at), self.directory(path)
        self.put(self.at(start), entry(b".          ", DIRECTORY, start) +
                 entry(b"..         ", DIRECTORY, 0 if parent == self.root_cluster() else parent))
        return at

    def long_slots_of(self, at):
        """Offsets of the long slots before the short entry at @at, in one cluster."""
        found = []
        while self.b[at - 32 + 11] == LONG:
            at -= 32
            found.append(at)
        return found[::-1]

    def settle(self):
        """Make FSINFO right."""
        at = self.sector * struct.unpack_from("<H", self.b, 48)[0]
        if self.fat32 and self.g32(at) == 0x41615252:
            free = self.free()
            self.p32(at + 488, len(free))
            self.p32(at + 492, free[0] if free else 0xFFFFFFFF)

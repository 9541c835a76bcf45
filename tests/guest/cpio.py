# SPDX-License-Identifier: GPL-2.0-or-later
"""Archives the kernel unpacks as its first root: cpio in the format called newc.

Used for the guests of tests/guest and of tests/kernel.
"""
import os
import stat


class Archive:
    """A cpio archive in the format called newc."""

    def __init__(self, out):
        self.out = out
        self.ino = 0
        self.seen = set()

    def _entry(self, name, mode, data=b""):
        self.ino += 1
        raw = name.encode() + b"\0"
        fields = (self.ino, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0)
        head = b"070701" + b"".join(b"%08X" % f for f in fields) + raw
        self.out.write(head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4))

    def directory(self, name):
        name = name.strip("/")
        if name and name not in self.seen:
            self.directory(os.path.dirname(name))
            self.seen.add(name)
            self._entry(name, stat.S_IFDIR | 0o755)

    def bytes(self, name, data, mode=0o755):
        name = name.strip("/")
        if name not in self.seen:
            self.directory(os.path.dirname(name))
            self.seen.add(name)
            self._entry(name, stat.S_IFREG | mode, data)

    def link(self, name, target):
        self._entry(name.strip("/"), stat.S_IFLNK | 0o777, target.encode())

    def add(self, name, path):
        """A file, or a directory with all below it."""
        if os.path.isdir(path):
            for entry in sorted(os.listdir(path)):
                self.add(name + "/" + entry, os.path.join(path, entry))
            return
        with open(path, "rb") as f:
            self.bytes(name, f.read(), stat.S_IMODE(os.stat(path).st_mode))

    def end(self):
        self._entry("TRAILER!!!", 0)

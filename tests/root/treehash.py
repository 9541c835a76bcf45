#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Print a tree, one line per file, so that two trees can be compared with diff.

usage: treehash.py [--without=FIELD,...] [--hash] DIR

Fields: type mode nlink uid gid size blocks rdev mtime ctime btime ino data
xattr target holes.  Errors are printed in place of what could not be read.  --hash
prints one hash over it all.  atime is never shown: looking changes it.
"""
import ctypes
import errno
import hashlib
import os
import stat
import subprocess
import sys

CHUNK = 1 << 20


def failed(e):
    return f"<{errno.errorcode.get(e.errno, e.errno)}>"


def extents(f, size):
    """Where the data of an open file begin and end: holes are skipped, so that files of terabytes can be read."""
    end = 0
    while end < size:
        try:
            start = os.lseek(f.fileno(), end, os.SEEK_DATA)
        except OSError as e:
            if e.errno != errno.ENXIO:
                raise
            return
        end = os.lseek(f.fileno(), start, os.SEEK_HOLE)
        yield start, end


def data_hash(path, size):
    h = hashlib.sha1()
    with open(path, "rb", buffering=0) as f:
        for pos, end in extents(f, size):
            while pos < end:
                part = os.pread(f.fileno(), min(CHUNK, end - pos), pos)
                if not part:
                    return "<short>"
                if part.strip(b"\0"):
                    for at in range(0, len(part), 1024):
                        piece = part[at:at + 1024]
                        if piece.strip(b"\0"):
                            h.update(b"%d:" % (pos + at) + piece.rstrip(b"\0"))
                pos += len(part)
    return h.hexdigest()[:16]


def holes(path, size):
    with open(path, "rb", buffering=0) as f:
        return ",".join(f"{start}-{end}" for start, end in extents(f, size)) or "none"


def xattrs(path):
    out = []
    for name in sorted(os.listxattr(path, follow_symlinks=False)):
        try:
            value = os.getxattr(path, name, follow_symlinks=False)
            out.append(f"{name}={hashlib.sha1(value).hexdigest()[:8]}/{len(value)}")
        except OSError as e:
            out.append(f"{name}={failed(e)}")
    return ",".join(out) or "none"


def field(func, *args):
    try:
        return func(*args)
    except OSError as e:
        return failed(e)


def birth_times(root):
    command = "find \"$1\" -print0 | xargs -0 stat --printf '%n\\0%.9W\\0'"
    r = subprocess.run(["sh", "-c", command, "sh", root], capture_output=True, check=False)
    parts = r.stdout.split(b"\0")
    return dict(zip(parts[::2], parts[1::2]))


def line(path, name, without, births):
    st = os.lstat(path)
    kind = stat.S_IFMT(st.st_mode)
    fields = {"type": f"{kind:o}", "mode": f"{stat.S_IMODE(st.st_mode):o}", "nlink": st.st_nlink, "uid": st.st_uid,
              "gid": st.st_gid, "size": st.st_size, "blocks": st.st_blocks, "rdev": f"{st.st_rdev:x}",
              "mtime": st.st_mtime_ns, "ctime": st.st_ctime_ns, "ino": st.st_ino}
    if "btime" not in without:
        fields["btime"] = births.get(path, b"?").decode()
    # Holes first: preallocated space that has been read counts as data in the kernel's drivers.
    if kind == stat.S_IFREG and "holes" not in without:
        fields["holes"] = field(holes, path, st.st_size)
    if kind == stat.S_IFREG and "data" not in without:
        fields["data"] = field(data_hash, path, st.st_size)
    if kind == stat.S_IFLNK:
        fields["target"] = repr(field(os.readlink, path))
    if "xattr" not in without:
        fields["xattr"] = field(xattrs, path)
    return repr(name) + " " + " ".join(f"{k}={v}" for k, v in fields.items() if k not in without)


def walk(root, rel, without, births, out, depth=0):
    path = os.path.join(root, rel) if rel else root
    try:
        out.append(line(path, rel or b".", without, births))
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            return
        names = sorted(os.listdir(path))
    except OSError as e:
        out.append(repr(rel) + " " + failed(e))
        return
    if depth > 100:
        out.append(repr(rel) + " <too deep>")
        return
    for name in names:
        if not (not rel and name == b"lost+found" and "lost" in without):
            walk(root, os.path.join(rel, name) if rel else name, without, births, out, depth + 1)


def main():
    without, only_hash, root = set(), False, None
    for arg in sys.argv[1:]:
        if arg.startswith("--without="):
            without |= set(arg[10:].split(","))
        elif arg == "--hash":
            only_hash = True
        else:
            root = os.fsencode(arg)
    # What is still cached has no blocks yet and is no data to SEEK_DATA.
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    ctypes.CDLL(None).syncfs(fd)
    os.close(fd)
    out = []
    walk(root, b"", without, {} if "btime" in without else birth_times(root), out)
    text = "\n".join(out) + "\n"
    print(hashlib.sha1(text.encode("utf-8", "surrogateescape")).hexdigest() if only_hash else text, end="\n" if only_hash else "")


main()

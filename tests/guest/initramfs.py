# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's root: cpio archives, one kept for all runs (busybox, modules, init), one for each run's own files.

The kernel unpacks archives that follow one another into the same tree.
"""
import os
import shutil
import subprocess

import kernel
from cpio import Archive

MODULES = ("virtio_pci", "virtio_blk", "loop", "vfat", "msdos", "nls_ascii", "nls_cp437", "nls_cp850", "nls_cp932",
           "nls_iso8859_1", "nls_iso8859_15", "nls_utf8", "crc32c_generic", "ext4", "fuse")
HOST_ROOT_MODULES = ("9pnet_virtio", "9p", "overlay")
DIRECTORIES = ("bin", "dev", "proc", "sys", "tmp", "run", "mnt", "out", "etc", "lib", "modules", "task", "sbin",
               "usr", "usr/bin", "usr/sbin", "usr/lib", "var", "lib64")


def _busybox():
    path = shutil.which("busybox")
    if not path:
        raise kernel.Missing("no busybox: apt-get install busybox-static")
    if subprocess.run(["ldd", path], capture_output=True, check=False).returncode == 0:
        raise kernel.Missing(f"{path} is not static: apt-get install busybox-static")
    return path


def base(found, work, without=(), host_root=False):
    """The archive that does not change between runs; made anew when one of its parts is newer."""
    here = os.path.dirname(os.path.abspath(__file__))
    kind = [f"no-{name}" for name in sorted(without)] + (["host"] if host_root else [])
    path = os.path.join(work, "-".join(["initramfs", found.release] + kind))
    files = kernel.modules(found, [name for name in MODULES + (HOST_ROOT_MODULES if host_root else ()) if name not in without])
    parts = files + [_busybox(), os.path.join(here, "init"), __file__]
    if os.path.exists(path) and all(os.path.getmtime(p) < os.path.getmtime(path) for p in parts):
        return path
    with open(path + ".new", "wb") as out:
        archive = Archive(out)
        for name in DIRECTORIES:
            archive.directory(name)
        archive.add("bin/busybox", _busybox())
        archive.link("bin/sh", "busybox")
        archive.bytes("etc/passwd", b"root:x:0:0:root:/:/bin/sh\nuser:x:1000:1000:user:/:/bin/sh\n", 0o644)
        archive.bytes("etc/group", b"root:x:0:\nuser:x:1000:\n", 0o644)
        archive.add("init", os.path.join(here, "init"))
        for number, file in enumerate(files):
            archive.add(f"modules/{number:02}-{os.path.basename(file)}", file)
        archive.end()
    os.rename(path + ".new", path)
    return path


def _libraries(program):
    """What ldd says a program needs, where the program expects it; nothing for a static one."""
    out = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    for line in out.splitlines():
        words = line.split()
        path = words[2] if len(words) > 2 and words[1] == "=>" else words[0] if words else ""
        if path.startswith("/"):
            yield path


def for_task(base_path, a, path):
    """The whole initramfs of one run: the base and what the arguments name. Returns its path."""
    with open(path, "wb") as out:
        with open(base_path, "rb") as f:
            shutil.copyfileobj(f, out)
        archive = Archive(out)
        for number, module in enumerate(a.module):
            archive.add(f"modules/z{number:02}-{os.path.basename(module)}", module)
        for item in a.file:
            guest, _, host = item.partition("=")
            archive.add(guest, host)
        for item in a.program:
            guest, sep, host = item.partition("=")
            if not sep:
                guest, host = "bin/" + os.path.basename(item), item
            archive.add(guest, host)
            for library in _libraries(host):
                archive.add(library, library)
        name = "task/" + os.path.basename(a.task)
        archive.add(name, a.task)
        archive.bytes("task/.name", ("/" + name + "\n").encode(), 0o644)
        archive.bytes("task/.args", "".join(f"{arg}\n" for arg in a.args).encode(), 0o644)
        archive.end()
    return path

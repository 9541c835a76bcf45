# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's kernel: finding it, unpacking its vmlinux, and its modules in the order they load.

A bzImage holds the compressed ELF file; unpacked, QEMU enters it directly (PVH),
which saves half of the time to boot.  Where it lies is in the header of the
x86 boot protocol: setup_sects, payload_offset, payload_length.
"""
import glob
import lzma
import os
import shutil
import struct
import subprocess
import zlib


class Missing(Exception):
    """Something is not installed; the text names the package."""


class Kernel:
    def __init__(self, image):
        self.image = image
        self.release = os.path.basename(image).removeprefix("vmlinuz-")
        self.modules = "/lib/modules/" + self.release


def find(image=None):
    """The kernel to boot; raises Missing with what to install."""
    if not shutil.which("qemu-system-x86_64"):
        raise Missing("no qemu-system-x86_64: apt-get install qemu-system-x86")
    if not image:
        # the kernel the reference measurements are of; another one rather than none
        images = sorted(glob.glob("/boot/vmlinuz-6.1.*-amd64") or glob.glob("/boot/vmlinuz-*-amd64"),
                        key=lambda name: [int(n) for n in "".join(c if c.isdigit() else " " for c in name).split()])
        if not images:
            raise Missing("no kernel in /boot: apt-get install linux-image-amd64")
        image = images[-1]
    if not os.path.exists(image):
        raise Missing(f"no kernel {image}: apt-get install linux-image-amd64")
    found = Kernel(image)
    if not os.path.isdir(found.modules):
        raise Missing(f"no {found.modules}: apt-get install linux-image-{found.release}")
    return found


def _zstd(data):
    if not shutil.which("zstd"):
        raise Missing("the kernel is packed with zstd: apt-get install zstd")
    # the payload ends with four bytes of size that are not zstd's
    return subprocess.run(["zstd", "-dcq"], input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


UNPACKERS = {
    b"\xfd7zXZ": lambda data: lzma.LZMADecompressor().decompress(data),
    b"\x28\xb5\x2f\xfd": _zstd,
    b"\x1f\x8b": lambda data: zlib.decompressobj(31).decompress(data),
}


def _unpack(path):
    with open(path, "rb") as f:
        data = f.read()
    if data[0x202:0x206] != b"HdrS":
        raise Missing(f"{path} is no x86 kernel: apt-get install linux-image-amd64")
    offset, length = struct.unpack_from("<II", data, 0x248)
    start = ((data[0x1f1] or 4) + 1) * 512 + offset
    payload = data[start:start + length]
    for magic, unpacker in UNPACKERS.items():
        if payload.startswith(magic):
            elf = unpacker(payload)
            if elf.startswith(b"\x7fELF"):
                return elf
    raise Missing(f"{path}: cannot unpack it (bytes {payload[:6].hex()}): apt-get install linux-image-amd64")


def vmlinux(found, work):
    """The path of the unpacked kernel in the work directory."""
    path = os.path.join(work, "vmlinux-" + found.release)
    if not os.path.exists(path) or os.path.getmtime(path) < os.path.getmtime(found.image):
        with open(path + ".new", "wb") as f:
            f.write(_unpack(found.image))
        os.rename(path + ".new", path)
    return path


def modules(found, names):
    """The files of the named modules and of what they need, in the order they load."""
    needs = {}
    with open(os.path.join(found.modules, "modules.dep"), encoding="ascii") as f:
        for line in f:
            file, _, rest = line.partition(":")
            name = os.path.basename(file).split(".")[0].replace("-", "_")
            needs[name] = (file, [os.path.basename(r).split(".")[0].replace("-", "_") for r in rest.split()])
    with open(os.path.join(found.modules, "modules.builtin"), encoding="ascii") as f:
        builtin = {os.path.basename(line.strip()).split(".")[0].replace("-", "_") for line in f}
    ordered = []

    def add(name):
        if name in builtin:
            return
        if name not in needs:
            raise Missing(f"no module {name} in {found.modules}: apt-get install linux-image-{found.release}")
        file, below = needs[name]
        for other in below:
            add(other)
        path = os.path.join(found.modules, file)
        if path not in ordered:
            ordered.append(path)

    for name in names:
        add(name)
    return ordered

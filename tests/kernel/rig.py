# SPDX-License-Identifier: GPL-2.0-or-later
"""What the rigs of tests/kernel have in common: arguments, process 1, the guest's root, the verdict."""
import argparse
import collections
import glob
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

import cpio
import guest_report
import kmodule
import symbols

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = ("stock", "ours", "none")
Module = collections.namedtuple("Module", "kind name path slabs")


class Trouble(Exception):
    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


def parser(description):
    p = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--module", default="ours", metavar="|".join(MODULES) + "|FILE.ko", help="default: ours, built if need be")
    p.add_argument("--build", metavar="DIR", help="where our module is built (default: beside the kernel)")
    p.add_argument("--file", action="append", default=[], metavar="GUEST=HOST", help="a file or directory to take along")
    p.add_argument("--out", metavar="DIR", help="where /out of the guest goes")
    p.add_argument("--log", metavar="FILE", help="keep the kernel's log here")
    p.add_argument("--timeout", type=int, default=60, metavar="SECONDS", help="of the guest's and of the host's clock; default 60")
    p.add_argument("--memory", type=int, default=512, metavar="MIB")
    p.add_argument("--verbose", action="store_true", help="say how long each part took")
    p.add_argument("program", help="static program")
    p.add_argument("args", nargs=argparse.REMAINDER)
    return p


def cache():
    """Where kernels and what is made for them are kept between runs."""
    default = "/var/cache" if os.geteuid() == 0 else os.path.expanduser("~/.cache")
    path = os.environ.get("FUSEBLK_KERNELS") or os.path.join(os.environ.get("XDG_CACHE_HOME") or default, "fuseblk-kernels")
    os.makedirs(path, exist_ok=True)
    return path


def make_init(directory):
    """Process 1, compiled once per source."""
    sources = sorted(glob.glob(os.path.join(HERE, "init", "*.[ch]")))
    key = hashlib.sha256()
    for path in sources:
        with open(path, "rb") as f:
            key.update(f.read())
    path = os.path.join(directory, "init-" + key.hexdigest()[:12])
    if not os.path.exists(path):
        new = f"{path}.{os.getpid()}"
        subprocess.run(["gcc", "-std=gnu11", "-O1", "-Wall", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64", "-static", "-o", new] +
                       [s for s in sources if s.endswith(".c")], check=True)
        os.rename(new, path)
    return path


def find_module(a, directory, stock, make_arguments, suffix=""):
    """The module to load; ours is built in a directory of this clone's beside the kernel."""
    if a.module == "none":
        return Module("none", None, None, None)
    if a.module == "stock":
        return Module("stock", "fuse", stock, "fuse_")
    if a.module == "ours":
        clone = hashlib.sha256(kmodule.SOURCES.encode()).hexdigest()[:8]
        build = a.build or os.path.join(directory, "ours-" + clone + suffix)
        return Module("ours", "fuseblk", kmodule.build(make_arguments, build, "fuseblk"), "fblk_")
    if not os.path.exists(a.module):
        raise Trouble(125, f"{a.module}: no such module; --module takes {', '.join(MODULES)} or a file")
    return Module("ours", os.path.basename(a.module).removesuffix(".ko").replace("-", "_"), a.module, "fblk_")


def make_initramfs(a, directory, module, path, others=()):
    """The guest's root; others are modules to load before."""
    with open(path, "wb") as out:
        archive = cpio.Archive(out)
        for name in ("dev", "proc", "sys", "tmp", "mnt", "run", "out", "host", "task", "test"):
            archive.directory(name)
        archive.add("init", make_init(directory))
        program = "/test/" + os.path.basename(a.program)
        archive.add(program, a.program)
        archive.bytes("task/argv", b"".join(os.fsencode(word) + b"\0" for word in [program] + a.args), 0o644)
        if module.path:
            archive.add("task/module.ko", module.path)
        for number, other in enumerate(others):
            archive.add(f"task/modules/{number:02}-{os.path.basename(other)}", other)
        for item in a.file:
            guest, _, host = item.partition("=")
            archive.add(guest, host)
        archive.end()


def init_words(a, module, result, nonce, **more):
    """What init is told on the kernel's command line; see init/init.h."""
    words = {"KERNEL_MODULE": module.kind, "INIT_RESULT": result, "INIT_NONCE": nonce, "INIT_TIMEOUT": a.timeout, **more}
    if module.name:
        words["INIT_MODULE"] = module.name
    return [f"{name}={value}" for name, value in words.items() if value is not None]


def _read(path):
    if not os.path.exists(path):
        return b""
    with open(path, "rb") as f:
        return f.read()


def conclude(a, module, report_path, log_path, nonce, ended, seconds):
    """Show and save what came back. Returns the status; raises Trouble."""
    log = _read(log_path).decode(errors="replace").replace("\r", "")
    if a.log:
        shutil.copyfile(log_path, a.log)
    report = guest_report.Report(_read(report_path), nonce)
    guest_report.show(report)
    if a.out:
        guest_report.save_files(report, a.out)
    if not ended and not guest_report.complaints(log):
        raise Trouble(124, f"the guest did not end within {seconds} s; its log ends:\n" +
                      "\n".join("  | " + line for line in guest_report.excerpt(log)))
    status, text = guest_report.verdict(report, log)
    if text:
        raise Trouble(status, "\n".join(symbols.annotate(text, module.path, report.module_at)))
    return status


def main(me, a, run):
    """run(a, scratch directory), whatever goes wrong said in the name of me. Returns the exit status."""
    scratch = tempfile.mkdtemp(prefix=os.path.basename(me) + ".", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    try:
        return run(a, scratch)
    except Trouble as e:
        print(f"{me}: {e}", file=sys.stderr)
        return e.status
    except kmodule.Failed as e:
        print(f"{me}: {e}", file=sys.stderr)
        return 125
    finally:
        shutil.rmtree(scratch, ignore_errors=True)

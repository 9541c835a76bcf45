# SPDX-License-Identifier: GPL-2.0-or-later
"""Our module, built for a kernel of the tests.

kbuild writes its objects beside the sources, so the sources are mirrored by
symbolic links into a directory of their own.
"""
import fcntl
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.normpath(os.path.join(HERE, "..", "..", "kernel"))
KEPT = (".c", ".h", "Kbuild", "Makefile")


class Failed(Exception):
    """It does not compile; the text has what make said."""


def _mirror(sources, build):
    """Links to every source; links to what is gone are removed."""
    for top, dirs, files in os.walk(build):
        dirs[:] = [d for d in dirs if not d.startswith(".")]
        for name in files:
            path = os.path.join(top, name)
            if os.path.islink(path) and not os.path.exists(path):
                os.unlink(path)
    for top, _, files in os.walk(sources):
        to = os.path.join(build, os.path.relpath(top, sources))
        os.makedirs(to, exist_ok=True)
        for name in files:
            link = os.path.join(to, name)
            if name.endswith(KEPT) and not name.endswith(".mod.c") and not os.path.lexists(link):
                os.symlink(os.path.join(top, name), link)


def build(make_arguments, directory, name, sources=SOURCES):
    """NAME.ko built in the directory by "make make_arguments M=directory modules". Returns its path; raises Failed."""
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, ".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _mirror(sources, directory)
        if not os.path.exists(os.path.join(directory, "Kbuild")):
            raise Failed(f"{sources} has no Kbuild")
        made = subprocess.run(["make", "-s", "-j2"] + make_arguments + ["M=" + os.path.realpath(directory), "modules"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    path = os.path.join(directory, name + ".ko")
    if made.returncode or not os.path.exists(path):
        raise Failed(f"{name}.ko does not build:\n{made.stdout.strip()}")
    return path

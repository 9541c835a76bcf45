#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""spelling.py DIR [ROUNDS]: what must hold on a mounted case-insensitive volume, whatever the kernel's cache of names holds.

Prints one line per rule: its name and "yes", or what was seen instead. DIR is empty before and after.
"""
import ctypes, errno, multiprocessing, os, subprocess, sys, time

top, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2000
os.chdir(top)
libc = ctypes.CDLL(None, use_errno=True)
NOREPLACE, EXCHANGE = 1, 2


def rename2(old, new, flags):
    r = libc.renameat2(-100, os.fsencode(old), -100, os.fsencode(new), flags)
    return "ok" if r == 0 else errno.errorcode[ctypes.get_errno()]


def err(f, *args):
    """The name of the error, or "ok"."""
    try:
        r = f(*args)
        if isinstance(r, int) and f is os.open:
            os.close(r)
        return "ok"
    except OSError as e:
        return errno.errorcode[e.errno]


def stat(name):
    return err(os.stat, name)


def create(name, text=""):
    with open(name, "w") as f:
        f.write(text)


def read(name):
    with open(name) as f:
        return f.read()


class Wrong(Exception):
    pass


def need(what, want, got):
    if want != got:
        raise Wrong("%s: wanted %r, got %r" % (what, want, got))


def absent(*names):
    for n in names:
        need("stat " + n, "ENOENT", stat(n))
        need("open " + n, "ENOENT", err(os.open, n, os.O_RDONLY))


def listed(*names):
    need("the directory", sorted(names), sorted(os.listdir(".")))



def other_spelling(name):
    return name.upper() if name.upper() != name else name.lower()


# ---- one at a time --------------------------------------------------------

def negative_then_create():
    need("stat FOO", "ENOENT", stat("FOO"))
    create("foo", "x")
    need("stat FOO", "ok", stat("FOO"))
    need("stat foo", "ok", stat("foo"))
    need("one inode", os.stat("foo").st_ino, os.stat("FOO").st_ino)
    listed("foo")


def create_by_other_spelling():
    create("foo", "one")
    create("FOO", "second")
    listed("foo")
    need("content", "second", read("Foo"))
    need("O_EXCL", "EEXIST", err(os.open, "fOO", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    need("mkdir", "EEXIST", err(os.mkdir, "FOo"))


def dots_at_the_end():
    create("foo.", "x")
    listed("foo")
    need("stat foo", "ok", stat("foo"))
    os.unlink("foo..")
    absent("foo", "foo.", "FOO")


def unlink_exact():
    create("foo")
    stat("foo"), stat("FOO")
    os.unlink("foo")
    absent("FOO", "foo")


def unlink_respelled(stat_first=("foo", "FOO")):
    create("foo")
    for n in stat_first:
        stat(n)
    os.unlink("FOO")
    absent("foo", "FOO")


def unlink_listed():
    create("foo")
    os.listdir(".")
    list(os.scandir("."))
    subprocess.run(["ls", "-l"], stdout=subprocess.DEVNULL)
    os.unlink("FOO")
    absent("foo")


def unlink_open():
    fd = os.open("foo", os.O_CREAT | os.O_RDWR)
    os.write(fd, b"held")
    other = os.open("foo", os.O_RDONLY)
    os.unlink("FOO")
    need("fstat", 4, os.fstat(fd).st_size)
    need("fstat of another", 4, os.fstat(other).st_size)
    need("read", b"held", os.pread(other, 10, 0))
    need("read at the end", b"", os.pread(other, 10, 4))
    absent("foo", "FOO")
    create("foo", "new")
    need("new", "new", read("FOO"))
    need("old", b"held", os.pread(fd, 10, 0))
    os.close(fd), os.close(other)
    os.unlink("foo")


def recreate():
    create("foo", "old")
    stat("foo")
    os.unlink("FOO")
    create("foo", "newer")
    need("content", "newer", read("foo"))
    need("content", "newer", read("FOO"))
    ino = os.stat("FOO").st_ino
    os.unlink("FOO")
    create("Foo", "newest")
    listed("Foo")
    need("content", "newest", read("foo"))


def space_is_freed():
    before = os.statvfs(".")
    create("foo", "x" * 100000)
    os.stat("foo")
    os.sync()
    os.unlink("FOO")
    for _ in range(50):
        os.sync()
        after = os.statvfs(".")
        if after.f_bfree >= before.f_bfree and after.f_ffree >= before.f_ffree:
            return
        time.sleep(0.1)
    raise Wrong("free: %r, was %r" % ((after.f_bfree, after.f_ffree), (before.f_bfree, before.f_ffree)))


def name_in_use(): # the entry of the old name cannot be dropped while a file is open by it
    create("foo", "x")
    fd = os.open("foo", os.O_RDONLY)
    os.rename("FOO", "bar")
    time.sleep(2.5)
    absent("foo")
    need("bar", "x", read("bar"))
    need("fstat", 1, os.fstat(fd).st_size)
    os.unlink("BAR")
    time.sleep(2.5)
    absent("bar", "foo")
    need("fstat", 0, os.fstat(fd).st_nlink)
    need("read", b"x", os.pread(fd, 5, 0))
    os.close(fd)


def chmod_after(): # SETATTR by a wrong entry does no harm, and the name is gone
    create("foo")
    stat("foo")
    os.unlink("FOO")
    got = err(os.utime, "foo")
    if got not in ("ENOENT", "ok"):
        raise Wrong("utime: " + got)
    absent("foo")


def directories():
    os.mkdir("dir")
    stat("dir"), stat("DIR")
    create("DIR/inner", "x")
    need("inner", "x", read("dir/INNER"))
    need("not empty", "ENOTEMPTY", err(os.rmdir, "Dir"))
    os.unlink("dIr/Inner")
    absent("dir/inner", "DIR/inner")
    os.rmdir("DIR")
    absent("dir", "DIR", "dir/inner")
    os.mkdir("DIR")
    listed("DIR")


def directory_in_use():
    os.mkdir("dir")
    fd = os.open("dir", os.O_RDONLY)
    stat("dir")
    os.rmdir("DIR")
    os.fstat(fd)
    absent("dir", "DIR")
    os.close(fd)


def rename_respelled():
    create("foo", "text")
    stat("foo")
    os.rename("FOO", "bar")
    need("stat bar", "ok", stat("bar"))
    absent("foo", "FOO")
    need("content", "text", read("BAR"))
    listed("bar")


def rename_respelled_open():
    create("foo", "text")
    with open("foo") as f:
        os.rename("FOO", "bar")
        need("fstat", 4, os.fstat(f.fileno()).st_size)
        need("open bar", "text", read("bar"))
        absent("foo")


def rename_over_respelled():
    create("foo", "old")
    create("bar", "new")
    stat("foo")
    os.rename("bar", "FOO")
    need("foo", "new", read("foo"))
    need("FOO", "new", read("FOO"))
    absent("bar", "BAR")
    need("names", 1, len(os.listdir(".")))


def rename_over_respelled_open():
    create("foo", "older")
    create("bar", "new")
    with open("foo") as f:
        os.rename("bar", "FOO")
        need("fstat", 5, os.fstat(f.fileno()).st_size)
        need("foo", "new", read("foo"))
        need("stat", 3, os.stat("foo").st_size)


def rename_to_stored_otherwise():
    create("foo", "x")
    stat("foo")
    os.rename("foo", "bar..")
    need("bar..", "x", read("bar.."))
    listed("bar")
    os.unlink("bar")
    absent("bar..", "bar", "bar.", "foo")


def rename_directory_to_stored_otherwise():
    os.mkdir("foo")
    os.rename("foo", "bar..")
    need("bar..", "ok", stat("bar.."))
    listed("bar")
    os.rmdir("bar")
    absent("bar..", "bar", "foo")


def case_only():
    create("foo", "x")
    os.rename("foo", "FOO")
    listed("FOO")
    need("content", "x", read("foo"))
    os.rename("FOO", "Foo")
    listed("Foo")
    stat("foo"), stat("fOO")
    os.rename("foo", "fOO") # the old name respelled, and the new one
    listed("fOO")
    absent("bar")
    need("content", "x", read("Foo"))
    os.unlink("FOO")
    absent("foo", "Foo", "FOO", "fOO")


def case_only_cached():
    create("foo", "x")
    stat("FOO"), stat("foo"), stat("FOO")
    os.rename("foo", "FOO")
    listed("FOO")
    os.unlink("foo")
    absent("FOO", "foo")


def case_only_directory():
    os.mkdir("dir")
    create("dir/inner", "x")
    stat("DIR"), stat("dir")
    os.rename("dir", "DIR")
    listed("DIR")
    need("content", "x", read("dir/inner"))
    os.rename("DIR/", "Dir/")
    listed("Dir")
    os.chdir("Dir")
    os.rename("../Dir", "../dIR")
    os.chdir("..")
    listed("dIR")
    os.unlink("dir/INNER")
    os.rmdir("dir")
    absent("dir", "DIR", "Dir", "dIR")


def case_only_deep():
    os.mkdir("foo")
    create("foo/foo", "x")
    os.rename("foo/foo", "foo/FOO")
    need("names", ["FOO"], os.listdir("foo"))
    os.rename("FOO/FOO", "FOO/foo")
    need("names", ["foo"], os.listdir("foo"))
    os.mkdir("bar")
    os.rename("bar", "foo/BAR")
    need("moved", "ok", stat("foo/bar"))
    os.rmdir("foo/BAR")
    os.unlink("foo/FOO")


def case_only_by_descriptor():
    os.mkdir("dir")
    create("dir/foo", "x")
    fd = os.open("dir", os.O_RDONLY)
    os.rename("foo", "FOO", src_dir_fd=fd, dst_dir_fd=fd)
    need("names", ["FOO"], os.listdir("dir"))
    os.rename("FOO", os.path.join(top, "DIR/foo"), src_dir_fd=fd)
    need("names", ["foo"], os.listdir("dir"))
    os.close(fd)
    os.unlink("dir/foo")


def noreplace():
    create("foo", "x")
    create("bar", "y")
    need("to a respelled name of another", "EEXIST", rename2("bar", "FOO", NOREPLACE))
    need("to itself respelled", "ok", rename2("foo", "FOO", NOREPLACE))
    listed("FOO", "bar")
    need("to a free name", "ok", rename2("BAR", "free", NOREPLACE))
    absent("bar")
    listed("FOO", "free")


def exchange():
    create("foo", "x")
    create("bar", "y")
    stat("foo"), stat("bar"), stat("FOO"), stat("BAR")
    need("with itself", "ok", rename2("foo", "FOO", EXCHANGE))
    listed("foo", "bar")
    r = rename2("FOO", "BAR", EXCHANGE)
    if r == "EINVAL":
        return
    need("exchange", "ok", r)
    need("foo", "y", read("foo"))
    need("bar", "x", read("bar"))
    need("FOO", "y", read("FOO"))
    need("one exact", "ok", rename2("foo", "BAR", EXCHANGE))
    need("bar", "y", read("bar"))
    need("BAR", "y", read("BAR"))
    need("foo", "x", read("foo"))


def over_in_other_directory(): # the same name in another spelling there is not the one that moves
    os.mkdir("a")
    os.mkdir("b")
    for make, drop in (os.mkdir, os.rmdir), (create, os.unlink):
        make("a/Foo")
        make("b/foo")
        stat("b/foo")
        moved = os.stat("a/Foo").st_ino
        need("not over", "EEXIST", rename2("a/Foo", "b/FOO", NOREPLACE))
        os.rename("a/Foo", "b/FOO")
        need("what is there", [moved, moved], [os.stat("b/foo").st_ino, os.stat("b/FOO").st_ino])
        need("names", (0, 1), (len(os.listdir("a")), len(os.listdir("b"))))
        os.rename("b/foo", "a/foo") # by the entry that was replaced
        need("what went back", moved, os.stat("a/FOO").st_ino)
        absent("b/foo", "b/FOO", "b/Foo")
        drop("a/foo")


def types():
    os.mkdir("dir")
    create("foo")
    need("file over directory", "EISDIR", err(os.rename, "foo", "DIR"))
    need("directory over file", "ENOTDIR", err(os.rename, "dir", "FOO"))
    os.mkdir("d2")
    os.rename("d2", "DIR")
    need("names", 2, len(os.listdir(".")))
    need("stat dir", "ok", stat("dir"))
    absent("d2")


def mv():
    create("foo", "x")
    need("mv foo FOO", 0, subprocess.run(["mv", "foo", "FOO"]).returncode)
    listed("FOO")
    need("mv -n FOO Foo", 0, subprocess.run(["mv", "-n", "FOO", "Foo"]).returncode)
    create("bar", "y")
    subprocess.run(["mv", "-n", "bar", "fOO"], stderr=subprocess.DEVNULL)
    need("mv -n kept", "x", read("foo"))
    need("mv bar FOO", 0, subprocess.run(["mv", "-f", "bar", "FOO"]).returncode)
    need("content", "y", read("foo"))
    absent("bar")
    os.mkdir("dir")
    need("mv dir DIR", 0, subprocess.run(["mv", "-T", "dir", "DIR"]).returncode)
    need("names", ["DIR"], [n for n in os.listdir(".") if n.lower() == "dir"])


# ---- many times -----------------------------------------------------------

def storm_unlink():
    for i in range(rounds):
        create("foo", "x")
        os.stat("foo")
        os.unlink("FOO")
        need("round %d" % i, "ENOENT", stat("foo"))


def storm_open():
    for i in range(rounds):
        create("foo", "x")
        os.stat("foo")
        os.unlink("FOO")
        need("round %d" % i, "ENOENT", err(os.open, "foo", os.O_RDONLY))
        need("round %d" % i, "ENOENT", err(os.access, "foo", os.R_OK) if os.access("foo", os.R_OK) else "ENOENT")


def storm_rename():
    for i in range(rounds):
        create("foo", "x")
        os.stat("foo")
        os.rename("FOO", "bar")
        need("round %d bar" % i, "ok", stat("bar"))
        need("round %d foo" % i, "ENOENT", stat("foo"))
        os.unlink("BAR")
        need("round %d bar again" % i, "ENOENT", stat("bar"))


def storm_over():
    for i in range(rounds):
        create("foo", "x")
        create("bar", "yy")
        os.stat("foo")
        os.rename("bar", "FOO")
        need("round %d foo" % i, 2, os.stat("foo").st_size)
        os.unlink("foo")
        need("round %d FOO" % i, "ENOENT", stat("FOO"))


def storm_otherwise():
    for i in range(rounds):
        create("foo", "x")
        os.stat("foo")
        os.rename("foo", "bar.")
        os.unlink("bar")
        need("round %d" % i, "ENOENT", stat("bar."))


def storm_open_files():
    for i in range(rounds):
        fd = os.open("foo", os.O_CREAT | os.O_RDWR)
        os.write(fd, b"abc")
        os.stat("foo")
        os.unlink("FOO")
        need("round %d fstat" % i, 3, os.fstat(fd).st_size)
        need("round %d read" % i, b"abc", os.pread(fd, 9, 0))
        os.close(fd)


def storm_case_only():
    names = ["foo", "FOO", "Foo", "foO"]
    create(names[0], "x")
    for i in range(rounds):
        os.rename(names[i % 4], names[(i + 1) % 4])
        if i % 16 == 0:
            listed(names[(i + 1) % 4])


def storm_directories():
    for i in range(rounds):
        os.mkdir("dir")
        os.stat("DIR")
        os.rmdir("DIR" if i % 2 else "dir")
        need("round %d" % i, "ENOENT", stat("dir"))
        need("round %d" % i, "ENOENT", stat("DIR"))


def storm_recreate():
    for i in range(rounds):
        create("foo", "x" * (i % 7))
        os.stat("foo")
        os.unlink("FOO")
        create("foo", "y" * (i % 5))
        need("round %d" % i, i % 5, os.stat("foo").st_size)
        os.unlink("foo")


ALLOWED = ("ENOENT", "EEXIST", "ok")


def worker(args):
    """Random use of few names by several processes: nothing but what can happen, happens."""
    import random
    seed, n = args
    rnd = random.Random(seed)
    names = ["foo", "FOO", "Foo", "bar", "BAR", "Bar."]
    bad = {}
    for _ in range(n):
        a, b, what = rnd.choice(names), rnd.choice(names), rnd.randrange(7)
        if what == 0:
            r = err(create, a)
        elif what == 1:
            r = err(os.unlink, a)
        elif what == 2:
            r = err(os.rename, a, b)
        elif what == 3:
            r = rename2(a, b, NOREPLACE)
        elif what == 4:
            r = err(os.listdir, ".")
        elif what == 5:
            r = err(os.open, a, os.O_CREAT | os.O_EXCL | os.O_RDWR)
        else:
            r = stat(a)
        if r not in ALLOWED:
            bad[(what, r)] = bad.get((what, r), 0) + 1
    return bad


def processes():
    n = 4
    with multiprocessing.Pool(n) as pool:
        found = pool.map(worker, [(i, rounds) for i in range(n)])
    bad = {}
    for f in found:
        for k, v in f.items():
            bad[k] = bad.get(k, 0) + v
    # A walk that is raced by two changes in a row may give ESTALE; it must stay the exception.
    for (what, e), count in bad.items():
        if e != "ESTALE" or count > rounds * n // 100 + 1:
            raise Wrong("unexpected: %r" % bad)
    have = os.listdir(".")
    need("each name once", len(have), len({x.lower().rstrip(".") for x in have}))
    for x in have:
        need("stat " + x, "ok", stat(x))
        need("stat other " + x, "ok", stat(other_spelling(x)))
    for x in ("foo", "bar"):
        if x not in [h.lower() for h in have]:
            absent(x, x.upper(), x.title())


RULES = [negative_then_create, create_by_other_spelling, dots_at_the_end, unlink_exact, unlink_respelled, unlink_listed,
         unlink_open, space_is_freed, name_in_use, recreate, chmod_after, directories, directory_in_use, rename_respelled, rename_respelled_open,
         rename_over_respelled, rename_over_respelled_open, rename_to_stored_otherwise, rename_directory_to_stored_otherwise,
         case_only, case_only_cached, case_only_directory, case_only_deep, case_only_by_descriptor, noreplace, exchange,
         over_in_other_directory, types, mv, storm_unlink, storm_open, storm_rename, storm_over, storm_otherwise, storm_open_files, storm_case_only,
         storm_directories, storm_recreate, processes]


def main():
    bad = False
    for rule in RULES:
        if len(sys.argv) > 3 and rule.__name__ not in sys.argv[3:]:
            continue
        try:
            rule()
            line = "yes"
        except (Wrong, OSError) as e:
            line, bad = "no: %s" % e, True
        print(rule.__name__, line, flush=True)
        for _ in range(2):
            for n in os.listdir("."):
                if os.path.isdir(n):
                    for m in os.listdir(n):
                        (os.rmdir if os.path.isdir(n + "/" + m) else os.unlink)(n + "/" + m)
                    os.rmdir(n)
                else:
                    os.unlink(n)
    return bad


if __name__ == "__main__":
    sys.exit(main())

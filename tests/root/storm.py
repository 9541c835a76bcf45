#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
#
# storm.py DIR SECONDS one|many [SEED]: eight processes change the same names at once.
#
# one: names of one directory are created, linked, renamed (over others, exchanged), unlinked and listed.
# many: the same in six directories, and directories are made, moved, exchanged and removed among them.
# Half of the names are everybody's: any error that a race explains is fine there. The other half
# belong to one process each, which knows what they lead to: nothing may fail there, every listing
# must hold each of them once, and none that is gone. At the end one process compares what listings, stat and
# contents say: unique names, equal inode numbers, link counts, what the owners expect.
#
# STORM_FAT in the environment: no links, names are spelled in any case, and the inode number of a directory holds for one mount.
import ctypes, errno, json, os, random, stat, sys, time

libc = ctypes.CDLL(None, use_errno=True)
NOREPLACE, EXCHANGE = 1, 2
RACES = {errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY, errno.EISDIR, errno.ENOTDIR, errno.EINVAL, errno.EPERM, errno.ESTALE}
PROCESSES, SHARED, OWN = 8, 104, 13
FAT = 'STORM_FAT' in os.environ


def key(path): return path.lower() if FAT else path


def rename(a, b, flags=0):
    if libc.renameat2(-100, os.fsencode(a), -100, os.fsencode(b), flags):
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e), a, None, b)


class Worker:
    def __init__(self, top, number, many, seed):
        self.rng, self.number, self.many, self.serial = random.Random(seed * 100 + number), number, many, 0
        self.dirs = [os.path.join(top, 'd%d' % i) for i in range(6)] if many else [top]
        self.own = {}  # path -> (kind, identity)
        self.bad, self.count = [], 0

    def shared(self):
        return self.spell('%s/s-name-of-everybody-%03d' % (self.rng.choice(self.dirs), self.rng.randrange(SHARED)))

    def mine(self):
        return '%s/p%d-name-of-one-%03d' % (self.rng.choice(self.dirs), self.number, self.rng.randrange(OWN))

    def spell(self, path):
        if not FAT: return path
        d, name = os.path.split(path)
        return os.path.join(d, self.rng.choice([name, name.upper(), name.title(), name]))

    def create(self, path):
        self.serial += 1
        what = '%d.%d' % (self.number, self.serial)
        if self.many and self.rng.random() < 0.35:
            os.mkdir(path)
            return 'dir', os.stat(path).st_ino if 'p%d-' % self.number in key(path) else 0
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        os.write(fd, what.encode())
        os.close(fd)
        return 'file', what

    def remove(self, path, kind=None):
        if kind == 'dir' or (kind is None and self.many and self.rng.random() < 0.35):
            os.rmdir(path)
        else:
            os.unlink(path)

    def race(self):
        a, b, op = self.shared(), self.shared(), self.rng.randrange(9)
        try:
            if op < 3: self.create(a)
            elif op == 3 and not FAT: os.link(a, b, follow_symlinks=False)
            elif op < 6: self.remove(a)
            elif op == 6: rename(a, b)
            elif op == 7: rename(a, b, EXCHANGE)
            elif self.many: rename(a, b + '/inner') if self.rng.random() < 0.5 else rename(a + '/inner', b)
            else: rename(a, b, NOREPLACE)
        except OSError as e:
            if e.errno not in RACES: self.bad.append('everybody\'s names, operation %d: %s' % (op, e))

    def owned(self):
        a, b, op, own = self.mine(), self.mine(), self.rng.randrange(8), self.own
        sa, sb = self.spell(a), self.spell(b)
        try:
            if a not in own:
                own[a] = self.create(sa)
            elif op < 2:
                self.remove(sa, own[a][0])
                del own[a]
            elif op == 2 and own[a][0] == 'file' and b not in own and not FAT:
                os.link(a, b)
                own[b] = own[a]
            elif op < 5 and (b not in own or own[a][0] == own[b][0]):
                rename(sa, sb)
                if a != b and (FAT or not (b in own and own[a] == own[b])):  # two names of one inode: rename does nothing
                    own[b] = own.pop(a)
            elif op < 7 and b in own:
                rename(sa, sb, EXCHANGE)
                own[a], own[b] = own[b], own[a]
            else:
                self.look(a, sa)
        except OSError as e:
            self.bad.append('names of process %d, operation %d: %s' % (self.number, op, e))

    def look(self, path, spelled):
        kind, what = self.own[path]
        found = read(spelled) if kind == 'file' else os.stat(spelled).st_ino
        if found != what: self.bad.append('%s is %r, not %r' % (path, found, what))

    def listing(self):
        d = self.rng.choice(self.dirs)
        names = [n for n in map(key, os.listdir(d)) if n.startswith('p%d-' % self.number)]
        expect = sorted(os.path.basename(p) for p in self.own if os.path.dirname(p) == d)
        if sorted(names) != expect:
            self.bad.append('listing of %s: missing %s, wrong or twice %s' % (d, sorted(set(expect) - set(names)),
                            sorted(n for n in set(names) if n not in expect or names.count(n) > 1)))

    def run(self, until):
        while time.monotonic() < until and len(self.bad) < 5:
            for _ in range(10):
                self.race()
                self.owned()
                self.count += 2
            self.listing()
        return {'bad': self.bad, 'own': self.own, 'count': self.count}


def read(path):
    with open(path) as f: return f.read()


def walk(d, see):
    names = []
    with os.scandir(d) as it:
        for e in it:
            names.append(e.name)
            see(e.path, e.inode(), os.lstat(e.path))
    if len(names) != len(set(map(key, names))): yield '%s lists a name twice' % d
    sub = [n for n in names if stat.S_ISDIR(os.lstat(os.path.join(d, n)).st_mode)]
    if os.stat(d).st_nlink != len(sub) + 2: yield '%s: %d links, %d directories in it' % (d, os.stat(d).st_nlink, len(sub))
    for n in sub: yield from walk(os.path.join(d, n), see)


def final(top, own, same_mount=True):
    inodes, bad, paths = {}, [], set()

    def see(path, number, st):
        paths.add(top + key(path[len(top):]))
        if number != st.st_ino: bad.append('%s: listed as inode %d, is %d' % (path, number, st.st_ino))
        inodes.setdefault(st.st_ino, (st, []))[1].append(path)
        if stat.S_ISREG(st.st_mode): read(path)
    bad += list(walk(top, see))
    for st, names in inodes.values():
        if not stat.S_ISDIR(st.st_mode) and st.st_nlink != len(names): bad.append('%s: %d links' % (names, st.st_nlink))
        if stat.S_ISDIR(st.st_mode) and len(names) > 1: bad.append('a directory with names %s' % names)
    for path, (kind, what) in own.items():
        if path not in paths: bad.append('%s is gone' % path)
        elif kind == 'dir' and FAT and not same_mount: continue
        elif (read(path) if kind == 'file' else os.stat(path).st_ino) != what: bad.append('%s is not %s' % (path, what))
    bad += ['%s is back' % p for p in paths if os.path.basename(p).startswith('p') and p not in own]
    return bad


def main(top, seconds, mode, seed=1):
    worker_pipes = []
    if mode == 'many':
        for i in range(6): os.makedirs('%s/d%d' % (top, i), exist_ok=True)
    until = time.monotonic() + float(seconds)
    for n in range(PROCESSES):
        r, w = os.pipe()
        if os.fork() == 0:
            with os.fdopen(w, 'w') as f: json.dump(Worker(top, n, mode == 'many', int(seed)).run(until), f)
            os._exit(0)
        os.close(w)
        worker_pipes.append(os.fdopen(r))
    results = [json.load(p) for p in worker_pipes]
    for _ in results: os.wait()
    own = {p: tuple(v) for r in results for p, v in r['own'].items()}
    bad = [b for r in results for b in r['bad']] + final(top, own)
    print('%d operations' % sum(r['count'] for r in results))
    print('\n'.join(bad[:20]))
    with open(os.environ.get('STORM_OWN', os.devnull), 'w') as f: json.dump(own, f)
    return 1 if bad else 0


def again(top, path):
    with open(path) as f: bad = final(top, {p: tuple(v) for p, v in json.load(f).items()}, False)
    print('\n'.join(bad[:20]))
    return 1 if bad else 0


sys.exit(again(*sys.argv[2:]) if sys.argv[1] == 'again' else main(*sys.argv[1:]))

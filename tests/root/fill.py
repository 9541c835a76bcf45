#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
#
# fill.py HOW DIR [NUMBER]: fill a FAT volume, or one directory of it, twice, with room made in between. What failed
# must have failed with ENOSPC and left nothing; what succeeded must be whole.
import ctypes, errno, os, shutil, sys

libc = ctypes.CDLL(None, use_errno=True)


def until_full(step, most):
    for i in range(most):
        try:
            step(i)
        except OSError as e:
            assert e.errno == errno.ENOSPC, e
            return i
    raise AssertionError('%d did not fill it' % most)


def free(d):
    s = os.statvfs(d)
    return s.f_bfree * s.f_frsize


def put(path, data, sync=False):
    fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    try:
        while data: data = data[os.write(fd, data):]
        if sync: os.fsync(fd)
    finally:
        os.close(fd)


def data(d):
    before = free(d)
    for turn in range(2):
        os.mkdir(d + '/data')
        name = d + '/data/%d.bin'
        n = until_full(lambda i: put(name % i, bytes([i % 251]) * 100000, True), 10000)
        assert free(d) <= 8192, free(d)  # FAT12: entries in two sectors stay unused
        for i in range(n + os.path.exists(name % n)):
            with open(name % i, 'rb') as f: found = f.read()
            assert found == bytes([i % 251]) * (100000 if i < n else len(found)), i
        shutil.rmtree(d + '/data')
        os.sync()
        assert free(d) == before, (free(d), before)


def grow(d):
    path, before = d + '/grown', free(d)
    put(path, b'x' * 1000)
    fd = os.open(path, os.O_RDWR)
    for attempt in (lambda: os.ftruncate(fd, before + 4096), lambda: os.posix_fallocate(fd, 0, before + 4096),
                    lambda: check(libc.fallocate(fd, 1, ctypes.c_int64(0), ctypes.c_int64(before + 4096)))):
        try:
            attempt()
            raise AssertionError('it fitted')
        except OSError as e:
            assert e.errno == errno.ENOSPC, e
        assert os.fstat(fd).st_size == 1000, os.fstat(fd).st_size
        assert os.pread(fd, 2000, 0) == b'x' * 1000
    os.close(fd)
    os.unlink(path)
    os.sync()
    assert free(d) == before, (free(d), before)


def check(result):
    if result: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def names(d, make, exists):
    os.mkdir(d)
    for turn in range(2):
        n = until_full(lambda i: make('%s/a name of some length %05d' % (d, i)), 200000)
        listed = os.listdir(d)
        whole = [x for x in listed if exists('%s/%s' % (d, x))]
        assert n <= len(listed) <= n + 1 and len(whole) >= n, (n, len(listed), len(whole))
        print('%d names' % n)
        if turn == 0:
            for x in listed[::2]: remove('%s/%s' % (d, x))
            again = until_full(lambda i: make('%s/again %05d' % (d, i)), 200000)
            assert again >= len(listed) // 4, (again, len(listed))
            for x in os.listdir(d): remove('%s/%s' % (d, x))
            os.sync()
    shutil.rmtree(d)


def remove(path):
    os.rmdir(path) if os.path.isdir(path) else os.unlink(path)


def files(d): names(d, lambda p: put(p, b'some'), lambda p: os.path.getsize(p) == 4)
def dirs(d): names(d, os.mkdir, lambda p: os.listdir(p) == [])


def root(d, slots):
    for turn in range(2):
        n = until_full(lambda i: put('%s/F%d' % (d, i), b'x'), 10000)
        assert n == int(slots), n
        until_full(lambda i: os.mkdir(d + '/dir'), 1)
        until_full(lambda i: os.rename(d + '/F1', d + '/a longer name'), 1)
        assert sorted(os.listdir(d)) == sorted('F%d' % i for i in range(n))
        os.unlink(d + '/F3')
        put(d + '/AGAIN', b'x')
        for x in os.listdir(d): os.unlink('%s/%s' % (d, x))
        os.sync()


def slots(d):
    os.mkdir(d)
    n = until_full(lambda i: os.close(os.open('%s/F%d' % (d, i), os.O_CREAT | os.O_WRONLY)), 70000)
    assert n == 65534, n  # and "." and ".."
    assert free(d) > 4096
    assert len(os.listdir(d)) == n
    try:
        os.mkdir(d + '/dir')
        raise AssertionError('one more')
    except OSError as e:
        assert e.errno == errno.ENOSPC, e
    assert os.path.exists(d + '/f65533') and not os.path.exists(d + '/f65534')
    os.unlink(d + '/F7')
    os.close(os.open(d + '/AGAIN', os.O_CREAT | os.O_WRONLY))
    for x in os.listdir(d): os.unlink('%s/%s' % (d, x))
    os.rmdir(d)


globals()[sys.argv[1]](*sys.argv[2:])

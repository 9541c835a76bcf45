# SPDX-License-Identifier: GPL-2.0-or-later
#
# signals.py: long calls and signals. A child makes the call; the signal comes while it does.
#   signals.py kill NAME ARGS...   SIGKILL: prints the milliseconds until the child is gone
#   signals.py both NAME ARGS...   a signal that has a handler, and 10 ms later SIGKILL
#   signals.py user NAME ARGS...   signals that have a handler, until the call has ended, which must succeed
# Calls: trim DIR, statfs DIR, allocate FILE LENGTH, grow FILE LENGTH, write FILE LENGTH, copy FROM TO LENGTH, fsync FILE, syncfs DIR, create FILE.
# SIGNAL_AFTER: seconds until the signal comes (default 0.02).
import ctypes, errno, fcntl, os, signal, struct, sys, time

libc = ctypes.CDLL(None, use_errno=True)


def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def trim(path):
    fcntl.ioctl(os.open(path, os.O_RDONLY), 0xC0185879, struct.pack("QQQ", 0, 2**64 - 1, 0))


def allocate(path, length):
    fd = os.open(path, os.O_CREAT | os.O_RDWR)
    check(libc.fallocate(fd, 0, ctypes.c_int64(0), ctypes.c_int64(int(length))))


def copy(source, target, length):
    a, b = os.open(source, os.O_RDONLY), os.open(target, os.O_CREAT | os.O_RDWR)
    left = int(length)
    while left:
        n = libc.copy_file_range(a, None, b, None, ctypes.c_size_t(left), 0)
        check(n)
        assert n, "copied nothing"
        left -= n


def grow(path, length):
    os.ftruncate(os.open(path, os.O_CREAT | os.O_RDWR), int(length))


def write(path, length):
    fd, data = os.open(path, os.O_CREAT | os.O_RDWR), b"x" * (1 << 26)
    for _ in range(int(length) >> 26):
        os.write(fd, data)


def statfs(path):
    os.statvfs(path)


def fsync(path):
    os.fsync(os.open(path, os.O_RDWR))


def syncfs(path):
    check(libc.syncfs(os.open(path, os.O_RDONLY)))


def create(path):
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY))


def child(call, args, ready):
    seen = []
    signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
    os.write(ready, b"r")
    try:
        call(*args)
    except OSError as e:
        sys.stderr.write("%s: %s\n" % (call.__name__, e.strerror))
        os._exit(1)
    os._exit(0)


def main():
    mode, call, args = sys.argv[1], globals()[sys.argv[2]], sys.argv[3:]
    after = float(os.environ.get("SIGNAL_AFTER", "0.02"))
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        child(call, args, w)
    os.read(r, 1)
    time.sleep(after)
    rounds, ended = 0, (0, 0)
    while not ended[0] and rounds < {"kill": 0, "both": 1, "user": 10000}[mode]:
        os.kill(pid, signal.SIGUSR1)
        time.sleep(0.01)
        ended = os.waitpid(pid, os.WNOHANG)
        rounds += 1
    if mode == "user":
        sys.exit(os.waitstatus_to_exitcode(ended[1]) and "failed" or rounds < 2 and "ended before a signal")
    if ended[0] or os.waitpid(pid, os.WNOHANG)[0]:
        sys.exit("%s ended before the signal" % call.__name__)
    sent = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    print(int((time.monotonic() - sent) * 1000))


main()

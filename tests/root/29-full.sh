#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A volume filled by several processes at once, by data, by names, by inodes: ENOSPC and nothing else, and all comes back.
. "$(dirname "$0")/lib.sh"
cat >"$T/filler.py" <<'P'
import errno, os, random, sys, time
top, me, kind = sys.argv[1:4]
random.seed(me)
until = time.monotonic() + 2.5      # and until it was full, on a busy machine
last = until + 45
top = "%s/%s" % (top, me)
made, full, kept = [], 0, {}
def tried(f, *a):
    global full
    try:
        f(*a)
        return True
    except OSError as e:
        if e.errno != errno.ENOSPC: raise
        full += 1
        return False
def write(name, data):
    fd = os.open(name, os.O_CREAT | os.O_RDWR | os.O_TRUNC)
    try:
        at = 0
        while at < len(data): at += os.write(fd, data[at:])
        os.fsync(fd)
    finally:
        os.close(fd)
    kept[name] = data
def symlink(name):
    os.symlink("t" * 100, name)
def drop(name):
    os.unlink(name); kept.pop(name, None); made.remove(name)
# The directory itself may not fit yet.
while not os.path.isdir(top) and time.monotonic() < last: tried(os.mkdir, top)
n = 0
while time.monotonic() < (until if full else last) and os.path.isdir(top):
    n += 1
    name = "%s/%s" % (top, ("n%d" % n) + ("x" * 200 if kind == "names" else ""))
    if kind == "data":
        kept.pop(name, None)
        ok = tried(write, name, bytes([n % 251]) * random.randrange(1, 400000))
    elif kind == "names":
        ok = tried(os.link, made[0], name) if made else tried(write, name, b"")
    else:
        ok = tried(random.choice([os.mkdir, os.mknod, symlink]), name)
    if os.path.lexists(name): made.append(name)
    if not ok and len(made) > 3:        # some room again, by all ways
        for _ in range(3):
            victim = random.choice(made[1:])
            if os.path.isdir(victim) and not os.path.islink(victim): os.rmdir(victim); made.remove(victim)
            elif kind == "data" and random.random() < .5: tried(os.truncate, victim, 10); kept.pop(victim, None)
            else: drop(victim)
for name, data in kept.items():
    if open(name, "rb").read() != data: sys.exit("content of " + name)
print("%d times full" % full)
if not full: sys.exit("never full")
P
for kind in data names inodes; do
	for type in ext2 ext4; do
		I=$T/$type.img l="$type, $kind"
		case $kind in
		data) mkfs "$I" 48M -t $type -O ^has_journal -m 0 ;;
		names) mkfs "$I" 4M -t $type -O ^has_journal -m 0 -b 1024 -N 256 ;;
		inodes) mkfs "$I" 48M -t $type -O ^has_journal -m 0 -N 1000 ;;
		esac
		rw "$I" || { not_ok "$l: mount"; continue; }
		blocks=$(stat -f -c %f "$MNT") inodes=$(stat -f -c %d "$MNT")
		rm -f "$T"/end.*
		for i in 1 2 3 4; do
			timeout 60 python3 "$T/filler.py" "$MNT" "p$i" $kind >"$T/end.$i" 2>&1 || echo "failed: $?" >>"$T/end.$i" &
		done
		wait
		check "$l: full, and nothing worse" bash -c "! grep -v 'times full' '$T'/end.*"
		check "$l: umount" timeout 60 umount "$MNT"
		check "$l: e2fsck" fsck_clean "$I"
		rw "$I"
		rm -rf "$MNT"/p*
		sync -f "$MNT"
		same "$l: all space comes back" "$blocks $inodes" "$(stat -f -c '%f %d' "$MNT")"
		un
	done
done

exit 0

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Large directories: hash trees that the kernel reads, and many processes in one.
. "$(dirname "$0")/lib.sh"
N=${TEST_ALL:+200000}
N=${N:-20000}
for spec in "ext2 -b 1024" "ext2 -b 4096 -N $((N + 1000))" "ext4"; do
	set -- $spec
	I=$T/big.img
	mkfs "$I" 512M -t $spec -N $((N + 2000)) || { not_ok "mkfs $spec"; continue; }
	rw "$I" || { not_ok "mount $spec"; continue; }
	check "$spec: $N files" py "
os.mkdir('$MNT/d')
for i in range($N): os.close(os.open('$MNT/d/file-%d' % (i * 7919 % $N), os.O_CREAT | os.O_EXCL))"
	same "$spec: listed once each" "$N $N" "$(ls -f "$MNT/d" | grep -c file-) $(ls -f "$MNT/d" | grep file- | sort -u | wc -l)"
	check "$spec: hashed" grep -q I <<<"$(lsattr -d "$MNT/d" | cut -d' ' -f1)"
	check "$spec: each is found" py "
for i in range(0, $N, 7): os.stat('$MNT/d/file-%d' % i)
try: os.stat('$MNT/d/file-%d' % $N); assert 0
except FileNotFoundError: pass"
	un
	check "$spec: e2fsck" fsck_clean "$I"
	kernel "$I"
	check "$spec: the kernel finds each" py "
assert len(os.listdir('$T/kernel/d')) == $N
for i in range(0, $N, 11): os.stat('$T/kernel/d/file-%d' % i)
for i in range(0, $N, 3): os.unlink('$T/kernel/d/file-%d' % i)
for i in range(100): os.mkdir('$T/kernel/d/by-kernel-%d' % i)"
	un "$T/kernel"
	rw "$I"
	check "$spec: goes on where the kernel left" py "
for i in range(0, $N, 3):
    try: os.stat('$MNT/d/file-%d' % i); assert 0
    except FileNotFoundError: pass
for i in range(100): os.stat('$MNT/d/by-kernel-%d' % i)
for i in range(1000): os.mkdir('$MNT/d/sub-%d' % i)"
	check "$spec: emptied" rm -r "$MNT/d"
	un
	check "$spec: e2fsck at the end" fsck_clean "$I"
done
rm -f "$T/big.img"
mkfs "$T/race.img" 64M -t ext2 -b 1024
rw "$T/race.img"
mkdir "$MNT/d"
S=${TEST_ALL:+60}
check "eight processes in one directory for ${S:-8} s" python3 - "$MNT/d" "${S:-8}" <<'P'
import errno, os, random, sys, time
d, seconds = sys.argv[1], int(sys.argv[2])
names = [f"name-{i:03d}-" + "x" * (i % 60) for i in range(200)]
allowed = {errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY, errno.EISDIR, errno.ENOTDIR, errno.EMLINK, errno.EPERM, errno.EINVAL}

def child(seed):
    r, end, n = random.Random(seed), time.time() + seconds, 0
    while time.time() < end:
        a, b = (os.path.join(d, r.choice(names)) for _ in "ab")
        try:
            op = r.randrange(8)
            if op < 2: os.close(os.open(a, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            elif op == 2: os.rename(a, b)
            elif op == 3: os.link(a, b, follow_symlinks=False)
            elif op == 4: os.unlink(a)
            elif op == 5: os.mkdir(a)
            elif op == 6: os.rmdir(a)
            else: os.listdir(d)
        except OSError as e:
            if e.errno not in allowed: print("unexpected", e); os._exit(1)
        n += 1
    os._exit(0 if n > 50 else 2)

pids = []
for i in range(8):
    pid = os.fork()
    if not pid: child(i)
    pids.append(pid)
bad = sum(os.waitpid(p, 0)[1] != 0 for p in pids)
listed = os.listdir(d)
assert len(listed) == len(set(listed)), "a name twice"
inodes = {}
for n in listed:
    st = os.lstat(os.path.join(d, n))
    inodes.setdefault(st.st_ino, []).append((n, st.st_nlink, st.st_mode))
for ino, seen in inodes.items():
    if seen[0][2] & 0o170000 == 0o100000: assert len(seen) == seen[0][1], (ino, seen)
for n in set(names) - set(listed): assert not os.path.lexists(os.path.join(d, n)), n
subs = sum(os.path.isdir(os.path.join(d, n)) for n in listed)
assert os.stat(d).st_nlink == subs + 2, (os.stat(d).st_nlink, subs)
sys.exit(bad)
P
un
if [ -n "$TEST_ALL" ]; then
	mkfs "$T/links.img" 512M -t ext4 -N 80000
	rw "$T/links.img"
	check "65,100 directories in one" py "
os.mkdir('$MNT/d')
for i in range(65100): os.mkdir('$MNT/d/%d' % i)"
	same "whose link count is 1" 1 "$(stat -c %h "$MNT/d")"
	un
	check "e2fsck with them" fsck_clean "$T/links.img"
	rw "$T/links.img"
	check "removed again" rm -r "$MNT/d"
	un
	mkfs "$T/links2.img" 512M -t ext2 -N 80000
	rw "$T/links2.img"
	expect_errno "32,000 is the kernel's limit on ext2" EMLINK "
os.mkdir('$MNT/d')
for i in range(65100): os.mkdir('$MNT/d/%d' % i)"
	un
else
	skip "65,100 directories in one" "only with --all"
fi

exit 0

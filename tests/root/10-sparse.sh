#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Holes: sparse files, SEEK_HOLE, fallocate, punch, zero range, copy_file_range, large offsets.
. "$(dirname "$0")/lib.sh"

segments() { $TREE "$1" | head -1; }

holes() { # LABEL IMAGE BLOCK
	local l=$1 b=$3 d=$MNT
	rw "$2" || { not_ok "$l mount"; return; }
	py "
f = open('$d/s', 'wb')
f.seek(40 * $b); f.write(b'x' * $b); f.seek(100 * $b); f.write(b'y'); f.truncate(200 * $b); f.close()
st = os.stat('$d/s')
assert st.st_size == 200 * $b and st.st_blocks * 512 <= 8 * max($b, 4096), st" && ok "$l sparse" || not_ok "$l sparse"
	check "$l reads zeros" py "
d = open('$d/s', 'rb').read()
assert d[:40*$b] == bytes(40*$b) and d[40*$b:41*$b] == b'x'*$b and d[100*$b:100*$b+1] == b'y' and not d[100*$b+1:].strip(b'\0') and len(d) == 200*$b"
	check "$l SEEK_DATA" py "
fd = os.open('$d/s', os.O_RDONLY); os.fsync(fd)
at = os.lseek(fd, 0, os.SEEK_DATA); assert 0 < at <= 40 * $b, at
assert os.lseek(fd, 40 * $b, os.SEEK_DATA) == 40 * $b
h = os.lseek(fd, 40 * $b, os.SEEK_HOLE); assert 41 * $b <= h < 100 * $b, h
assert os.lseek(fd, 150 * $b, os.SEEK_HOLE) == 150 * $b
try: os.lseek(fd, 150 * $b, os.SEEK_DATA); assert 0
except OSError as e: assert e.errno == errno.ENXIO"
	head -c $((64 * b)) /dev/urandom >"$T/r"
	cp "$T/r" "$d/p"
	if fallocate -p -o $((8 * b)) -l $((16 * b)) "$d/p" 2>"$T/err"; then
		py "
d = bytearray(open('$T/r','rb').read()); d[8*$b:24*$b] = bytes(16*$b)
assert open('$d/p','rb').read() == d" && ok "$l punch hole" || not_ok "$l punch hole"
		fallocate -p -o 100 -l $((3 * b)) "$d/p"
		check "$l punch hole, unaligned" py "
d = bytearray(open('$T/r','rb').read()); d[8*$b:24*$b] = bytes(16*$b); d[100:100+3*$b] = bytes(3*$b)
assert open('$d/p','rb').read() == d"
	else
		check "$l punch hole refused as such" grep -qi "not supported" "$T/err"
	fi
	cp "$T/r" "$d/z"
	if fallocate -z -o 1000 -l $((10 * b)) "$d/z" 2>"$T/err"; then
		check "$l zero range" py "
d = bytearray(open('$T/r','rb').read()); d[1000:1000+10*$b] = bytes(10*$b)
assert open('$d/z','rb').read() == d"
	else
		check "$l zero range refused as such" grep -qi "not supported" "$T/err"
	fi
	if fallocate -l $((300 * b)) "$d/a" 2>"$T/err"; then
		check "$l fallocate" py "
st = os.stat('$d/a'); assert st.st_size == 300*$b and st.st_blocks*512 >= 300*$b, st
assert not open('$d/a','rb').read().strip(b'\0')"
		check "$l fallocate KEEP_SIZE" fallocate -n -o $((300 * b)) -l $((50 * b)) "$d/a"
		same "$l ... keeps it" $((300 * b)) "$(stat -c %s "$d/a")"
		check "$l writing into preallocated space" py "
f = open('$d/a','r+b'); f.seek(7*$b+3); f.write(b'inside'); f.close()
d = open('$d/a','rb').read(); assert d.strip(b'\0') == b'inside' and d.index(b'inside') == 7*$b+3"
	else
		check "$l fallocate refused as such" grep -qi "not supported" "$T/err"
	fi
	cp "$T/r" "$d/c1"
	check "$l copy_file_range" py "
a = os.open('$d/c1', os.O_RDONLY); b = os.open('$d/c2', os.O_RDWR | os.O_CREAT)
n = 0
while n < 64*$b - 77:
    k = os.copy_file_range(a, b, 64*$b - 77 - n, 77 + n, n); assert k > 0; n += k
assert open('$d/c2','rb').read() == open('$T/r','rb').read()[77:]"
	truncate -s $((3 * b + 5)) "$d/c1"
	truncate -s $((9 * b)) "$d/c1"
	check "$l nothing comes back after truncate" py "
d = open('$d/c1','rb').read(); assert d[:3*$b+5] == open('$T/r','rb').read()[:3*$b+5] and not d[3*$b+5:].strip(b'\0')"
	check "$l far away" py "
f = open('$d/far', 'wb'); f.seek(5 << 30); f.write(b'far'); f.close()
f = open('$d/far', 'rb'); f.seek((5 << 30) - 10); assert f.read() == bytes(10) + b'far'"
	$TREE --without=btime,holes "$d" >"$T/t"
	un
	kernel "$2" ro
	same "$l the kernel sees the same" "$(cat "$T/t")" "$($TREE --without=btime,holes "$T/kernel")"
	un "$T/kernel"
}

mkfs "$T/e2.img" 32M -t ext2 -b 1024
holes ext2-1k "$T/e2.img" 1024
mkfs "$T/e24.img" 64M -t ext2 -b 4096
holes ext2-4k "$T/e24.img" 4096
mkfs "$T/e4.img" 64M -t ext4 -b 4096
holes ext4 "$T/e4.img" 4096
rw "$T/e2.img"
expect_errno "past ext2's limit with 1k blocks" EFBIG "
fd = os.open('$MNT/limit', os.O_RDWR | os.O_CREAT)
os.pwrite(fd, b'x', 17 << 30)
os.fsync(fd)"
expect_errno "truncate past it" EFBIG "os.truncate('$MNT/limit', 17 << 30)"
check "the last byte before it" py "
fd = os.open('$MNT/limit', os.O_RDWR); os.pwrite(fd, b'x', (16 << 30) - 1)"
rm "$MNT/limit"
un

exit 0

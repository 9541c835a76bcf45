#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ioctls: lsattr, chattr, versions, labels, fstrim; who may, and what the flags do.
. "$(dirname "$0")/lib.sh"
mkfs "$T/e2.img" 32M -t ext2 -L before
rw "$T/e2.img" || exit 1
d=$MNT
echo x >$d/f
mkdir $d/dir
chown 1000:1000 $d/f $d/dir
user() { setpriv --reuid=1000 --regid=1000 --clear-groups "$@"; }
attrs() { lsattr -d "$1" | cut -d' ' -f1 | tr -d -; }
check "lsattr" lsattr $d
check "chattr +d as owner" user chattr +d $d/f
same "shown" d "$(attrs $d/f)"
refuse "chattr +i as owner" user chattr +i $d/f
refuse "chattr as someone else" setpriv --reuid=1001 --regid=1001 --clear-groups chattr +A $d/f
check "chattr +i as root" chattr +i $d/f
expect_errno "immutable: write" EPERM "open('$d/f', 'a')"
expect_errno "immutable: unlink" EPERM "os.unlink('$d/f')"
expect_errno "immutable: chmod" EPERM "os.chmod('$d/f', 0)"
expect_errno "immutable: rename" EPERM "os.rename('$d/f', '$d/g')"
expect_errno "immutable: link" EPERM "os.link('$d/f', '$d/g')"
expect_errno "immutable: truncate" EPERM "os.truncate('$d/f', 0)"
expect_errno "immutable: setxattr" EPERM "os.setxattr('$d/f', 'user.a', b'')"
same "immutable: still readable" x "$(cat $d/f)"
check "chattr -i" chattr -i $d/f
check "chattr +a" chattr +a $d/f
check "append-only: append" bash -c "echo y >>$d/f"
expect_errno "append-only: write" EPERM "open('$d/f', 'r+')"
expect_errno "append-only: truncate" EPERM "open('$d/f', 'w')"
expect_errno "append-only: unlink" EPERM "os.unlink('$d/f')"
check "chattr -a" chattr -a $d/f
check "chattr on a directory" chattr +i $d/dir
expect_errno "immutable directory" EPERM "open('$d/dir/x', 'w')"
chattr -i $d/dir
refuse "chattr +e without extents" chattr +e $d/f
check "lsattr -v" lsattr -v $d/f
check "chattr -v" chattr -v 12345 $d/f
same "the version" 12345 "$(lsattr -v $d/f | awk '{ print $1 }')"
check "FSGETXATTR and FSSETXATTR" py "
import array
GET, SET = 0x801c581f, 0x401c5820
fd = os.open('$d/f', os.O_RDONLY)
b = array.array('I', [0] * 7); fcntl.ioctl(fd, GET, b); assert b[0] & 0x80, b
b[0] |= 0x40; fcntl.ioctl(fd, SET, b)
c = array.array('I', [0] * 7); fcntl.ioctl(fd, GET, c); assert c[0] & 0x40, c"
same "... and lsattr sees it" "Ad" "$(attrs $d/f | fold -w1 | sort | tr -d '\n')"
label() { py "print(fcntl.ioctl(os.open('$d', os.O_RDONLY), 0x81009431, bytes(256)).rstrip(b'\0').decode())"; }
same "label" before "$(label)"
expect_errno "label as a user" EPERM "
os.setgid(1000); os.setuid(1000); fcntl.ioctl(os.open('$d', os.O_RDONLY), 0x41009432, b'mine'.ljust(256, b'\0'))"
expect_errno "label too long" EINVAL "fcntl.ioctl(os.open('$d', os.O_RDONLY), 0x41009432, b'seventeen-letters'.ljust(256, b'\0'))"
check "set label" py "fcntl.ioctl(os.open('$d', os.O_RDONLY), 0x41009432, b'after'.ljust(256, b'\0'))"
same "label read back" after "$(label)"
expect_errno "unknown ioctl" ENOTTY "fcntl.ioctl(os.open('$d/f', os.O_RDONLY), 0x1234)"
head -c 8M </dev/urandom >$d/big
sync -f $d
rm $d/big
sync -f $d
if out=$(fstrim -v $d 2>&1); then
	check "fstrim" grep -qE '[1-9][0-9]{6,} bytes|MiB' <<<"$out"
	expect_errno "fstrim as a user" EPERM "
os.setgid(1000); os.setuid(1000); fcntl.ioctl(os.open('$d', os.O_RDONLY), 0xc0185879, struct.pack('QQQ', 0, 2**64-1, 0))"
else
	skip "fstrim" "$out"
fi
un
same "the label is on the device" after "$(blkid -p -s LABEL -o value "$T/e2.img")"
rw "$T/e2.img"
head -c 20000 </dev/urandom >$d/map
sync $d/map
# FUSE counts in the file system's block as FIGETBSZ tells it (4096 since 6.18); 0 where that is no whole block of ours
B=$(py "print(struct.unpack('i', fcntl.ioctl(os.open('$d/map', os.O_RDONLY), 2, bytes(4)))[0])")
P=$(debugfs -R "bmap /map $((2 * B / 1024))" "$T/e2.img" 2>/dev/null | grep -E '^[0-9]+$')
R=$(py "print(struct.unpack('i', fcntl.ioctl(os.open('$d/map', os.O_RDONLY), 1, struct.pack('i', 2)))[0])")
if [ "$R" = 0 ]; then check "FIBMAP of an unaligned extent" test $((P * 1024 % B)) != 0; else same "FIBMAP" "$((P * 1024))" "$((R * B))"; fi
un

exit 0

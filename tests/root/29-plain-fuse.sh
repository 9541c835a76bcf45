#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Where no loop device can be had an image is mounted as type fuse: in a /dev without loop devices.
. "$(dirname "$0")/lib.sh"
I=$T/a.img
mkfs "$I" 32M -t ext2
mkdir "$T/dev"
mount -t tmpfs none "$T/dev"
mkdir "$T/dev/shm"
mount --rbind /dev/shm "$T/dev/shm"
for d in null zero urandom fuse kmsg; do
	: >"$T/dev/$d"
	mount --bind "/dev/$d" "$T/dev/$d"
done
mount --rbind "$T/dev" /dev
whole_dev() { umount -R "$T/dev" 2>/dev/null; umount -R /dev; }
trap 'whole_dev; finish' EXIT

err=$($HELPER "$I" "$MNT" -v 2>&1)
check "mounted without a loop device" mounted
check "-v says why" grep -q "no loop device can be had.*loop-control" <<<"$err"
same "its type" fuse.ext2 "$(findmnt -n -o FSTYPE -M "$MNT")"
check "written" cp /etc/services "$MNT/f"
refuse "not mounted twice" $HELPER "$I" "$T/kernel"
check "... and says where it is" grep -q "busy: mounted on $MNT" "$T/out"
check "remount ro" mount -o remount,ro "$MNT"
expect_errno "... is" EROFS "open('$MNT/g', 'w')"
check "clean while read-only" fsck_clean "$I"
check "remount rw" mount -o remount,rw "$MNT"
check "umount" un

# The kernel sends no DESTROY here, but ends the connection, and umount returns: the driver is a moment behind.
fails=0
for i in $(seq 20); do
	fuse "$I" || fails=$((fails + 1))
	head -c 300K /dev/urandom >"$MNT/f$((i % 7))"
	un
done
same "mounted again at once, 20 times" 0 $fails
fails=0 most=0
for i in $(seq 50); do
	fuse "$I" || break
	head -c 300K /dev/urandom >"$MNT/f$((i % 7))"
	S=$(sha1sum <"$MNT/f$((i % 7))")
	late=$(py "
fd = os.open('$I', os.O_RDONLY)
libc = ctypes.CDLL(None)
def locked(): return struct.unpack('hhqqi4x', fcntl.fcntl(fd, 36, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0)))[0] != fcntl.F_UNLCK
assert locked()
assert libc.umount2(b'$MNT', 0) == 0
t = time.monotonic()
while locked(): time.sleep(0.0005)
print(int((time.monotonic() - t) * 1000))")
	[ "$late" -gt "$most" ] && most=$late
	[ "$late" = 0 ] || fails=$((fails + 1))
	fsck_clean "$I" >/dev/null && [ "$(debugfs -R "cat f$((i % 7))" "$I" 2>/dev/null | sha1sum)" = "$S" ] || not_ok "content and e2fsck after umount $i"
done
same "unmounted 50 times" 50 "$i"
check "the driver lets go within a second: $most ms" test "$most" -le 1000
say "still locked right after umount: $fails of 50"
FSCK_LIST+=("$I")

exit 0

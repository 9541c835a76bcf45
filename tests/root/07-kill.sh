#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The driver killed at any moment: errors, not hangs; e2fsck repairs it; what was fsynced is there.
. "$(dirname "$0")/lib.sh"
I=$T/a.img
for round in 1 2 3 4 5; do
	mkfs "$I" 64M -t $([ $((round % 2)) = 0 ] && echo ext4 -O ^has_journal || echo ext2)
	fuse "$I" || { not_ok "mount $round"; continue; }
	mkdir "$MNT/kept"
	py "
for i in range(20):
    fd = os.open('$MNT/kept/%d' % i, os.O_CREAT | os.O_WRONLY)
    os.write(fd, b'%d' % i * 5000)
    os.fsync(fd)
    os.close(fd)
d = os.open('$MNT/kept', os.O_RDONLY); os.fsync(d)"
	P=$(driver_of "$(source_of)") || P=$(driver_of "$I")
	[ -n "$P" ] || { not_ok "find the driver $round"; un; continue; }
	(
		i=0
		while mkdir "$MNT/d$i" 2>/dev/null; do
			cp /etc/services "$MNT/d$i/f" 2>/dev/null || break
			mv "$MNT/d$i/f" "$MNT/d$i/g" 2>/dev/null || break
			[ $((i % 3)) = 0 ] && rm -r "$MNT/d$((i / 2))" 2>/dev/null
			i=$((i + 1))
		done
	) &
	W=$!
	sleep "0.$((round * 2 + 1))"
	kill -9 "$P"
	wait "$W"
	expect_errno "the mount point errs $round" ENOTCONN "os.listdir('$MNT')"
	check "umount $round" un
	until_ok 50 no_loops || say "loop device still there"
	e2fsck -p "$I" >"$T/fsck" 2>&1
	s=$?
	[ $s -le 1 ] && ok "e2fsck -p repairs it $round" || { not_ok "e2fsck -p repairs it $round" "status $s"; sed 's/^/#   /' "$T/fsck" | head -20; e2fsck -fy "$I" >/dev/null 2>&1; }
	check "e2fsck -fn $round" fsck_clean "$I"
	rw "$I"
	check "what was fsynced is there $round" py "
for i in range(20):
    assert open('$MNT/kept/%d' % i, 'rb').read() == b'%d' % i * 5000"
	un
done
# What a killed driver leaves behind.
py "
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind('/run/fuseblk/4095:4095')"
check "a dead driver's socket is there" test -S /run/fuseblk/4095:4095
rw "$I"
check "the next mount removes it" test ! -e /run/fuseblk/4095:4095
check "a live one stays" test -S "/run/fuseblk/$(mountpoint -d "$MNT")"
mkfs "$T/b.img" 4M -t ext2
rw "$T/b.img" "" "$T/kernel"
check "a live one stays beside a second mount" test -S "/run/fuseblk/$(mountpoint -d "$MNT")"
un "$T/kernel"
un
rm -f /run/fuseblk/4095:4095

exit 0

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# When umount returns, everything is on the device and the device is free.
. "$(dirname "$0")/lib.sh"
I=$T/a.img
mkfs "$I" 16M -t ext2
L=$(losetup -f --show "$I")
N=${TEST_ALL:+200}
N=${N:-50}
fails=0
for i in $(seq "$N"); do
	mount -t fuseblk "$L" "$MNT" || { fails=mount; break; }
	echo "$i" >"$MNT/f$((i % 7))"
	rm -f "$MNT/f$(((i + 3) % 7))"
	umount "$MNT" || { fails=umount; break; }
	py "os.close(os.open('$L', os.O_RDWR | os.O_EXCL))" || { fails=$((fails + 1)); say "open O_EXCL failed in round $i"; }
done
same "device free after umount, $N times" 0 "$fails"
check "e2fsck right after" fsck_clean "$L"
losetup -d "$L"
for i in $(seq 10); do
	fuse "$I" && echo "$i" >"$MNT/image" && un
	[ -z "$(loops)" ] || { fails=$((fails + 1)); say "loop device left in round $i"; }
	[ -z "$(drivers | sort | comm -13 <(echo "$DRIVERS_BEFORE") -)" ] || say "process still there in round $i"
done
same "no loop device after umount, 10 times" 0 "$fails"
rw "$I"
same "the last content" 10 "$(cat "$MNT/image")"
head -c 20M </dev/zero >"$MNT/big" 2>/dev/null
head -c 5M </dev/urandom >"$MNT/big"
S=$(sha1sum <"$MNT/big")
un
kernel "$I" ro
same "unflushed data was written at umount" "$S" "$(sha1sum <"$T/kernel/big")"
un "$T/kernel"

exit 0

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A whole disk: the partitions are listed, partition=N mounts one.
. "$(dirname "$0")/lib.sh"
mkfs "$T/p1.img" 8M -t ext2 -L one
mkfs "$T/p5.img" 8M -t ext4 -O ^has_journal -L five
for label in dos gpt; do
	D=$T/$label.img
	rm -f "$D"
	truncate -s 40M "$D"
	partitions "$D" $label
	dd if="$T/p1.img" of="$D" bs=1M seek=1 conv=notrunc status=none
	dd if="$T/p5.img" of="$D" bs=1M seek=20 conv=notrunc status=none
	err=$(fuse "$D" 2>&1) && { not_ok "$label without partition="; un; }
	check "$label lists both" grep -q "partition=" <<<"$err"
	check "$label partition=1" fuse "$D" partition=1
	mounted && { echo p1 >"$MNT/f"; un; }
	check "$label partition=2" fuse "$D" partition=2
	mounted && { echo p2 >"$MNT/f"; un; }
	refuse "$label partition=7" fuse "$D" partition=7
	mounted && un
	dd if="$D" of="$T/out1.img" bs=1M skip=1 count=8 status=none
	dd if="$D" of="$T/out2.img" bs=1M skip=20 count=8 status=none
	check "$label partition 1 clean" fsck_clean "$T/out1.img"
	check "$label partition 2 clean" fsck_clean "$T/out2.img"
	same "$label partition 1's file" p1 "$(debugfs -R 'cat f' "$T/out1.img" 2>/dev/null)"
	same "$label partition 2's file" p2 "$(debugfs -R 'cat f' "$T/out2.img" 2>/dev/null)"
	L=$(losetup -f --show "$D")
	check "$label on a loop device, partition=2" fuse "$L" partition=2
	mounted && un
	losetup -d "$L"
done

# PARTUUID= needs partitions that the kernel knows: partx tells it of them, also where it reads no tables itself.
U=PARTUUID=00000000-0000-0000-0000-000000000001
L=$(losetup -P -f --show "$T/gpt.img")
if command -v partx >/dev/null && partx -u "$L" 2>/dev/null && [ -b "${L}p1" ]; then
	check "PARTUUID=" $HELPER $U "$MNT"
	same "... is the first partition" "${L}p1" "$(source_of)"
	mounted && un
	partx -d "$L"
else
	skip "PARTUUID=" "no partitions on loop devices here"
fi
losetup -d "$L"
err=$($HELPER $U "$MNT" 2>&1)
same "PARTUUID= that nobody has: status" 32 $?
check "... is named" grep -q "$U: no device carries that" <<<"$err"

exit 0

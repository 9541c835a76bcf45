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

exit 0

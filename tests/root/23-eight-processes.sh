#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Eight processes on the same names: what they saw, and what is there at the end, now and after a new mount.
. "$(dirname "$0")/lib.sh"
S=${TEST_ALL:+60}
for mode in one many; do
	mkfs "$T/$mode.img" 128M -t ext4
	rw "$T/$mode.img" || exit 1
	export STORM_OWN=$T/$mode.own
	check "$mode: eight processes" timeout 200 python3 "$HERE/storm.py" "$MNT" "${S:-10}" "$mode" "${SEED:-1}"
	check "$mode: umount" timeout 60 umount "$MNT"
	check "$mode: e2fsck" fsck_clean "$T/$mode.img"
	fuse "$T/$mode.img" || exit 1
	check "$mode: the same after a new mount" timeout 60 python3 "$HERE/storm.py" again "$MNT" "$STORM_OWN"
	un
done
mkfs "$T/ext2.img" 64M -t ext2 -b 1024 -O ^dir_index
rw "$T/ext2.img" || exit 1
check "without an index" timeout 200 python3 "$HERE/storm.py" "$MNT" "${S:-10}" one "${SEED:-2}"
un

exit 0

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Eight processes on the same names of a FAT volume, spelled in any case: what they saw, and what is there at the
# end, now and after a new mount.
. "$(dirname "$0")/lib.sh"
command -v mkfs.fat >/dev/null || { skip "storm" "no mkfs.fat: apt-get install dosfstools"; exit 0; }
S=${TEST_ALL:+60}
export STORM_FAT=1 STORM_OWN
storm() { # NAME SIZE MODE [mkfs options]
	local n=$1 size=$2 mode=$3 I=$T/$1.img
	shift 3
	truncate -s "$size" "$I"
	mkfs.fat "$@" "$I" >"$T/out" 2>&1
	fuse "$I" utf8 || { not_ok "$n mounts"; return; }
	STORM_OWN=$T/$n.own
	check "$n: eight processes" timeout 200 python3 "$HERE/storm.py" "$MNT" "${S:-8}" "$mode" "${SEED:-1}"
	check "$n: umount" timeout 60 umount "$MNT"
	check "$n: fsck.fat" fsck.fat -n "$I"
	fuse "$I" utf8 || { not_ok "$n mounts again"; return; }
	check "$n: the same after a new mount" timeout 60 python3 "$HERE/storm.py" again "$MNT" "$STORM_OWN"
	un
	check "$n: not a byte more" fsck.fat -n "$I"
}
storm fat32-one 128M one -F 32
storm fat32-many 128M many -F 32
storm fat12-many 4M many -F 12 -r 512
storm fat16-4k 64M many -S 4096 -F 16 -s 1

exit 0

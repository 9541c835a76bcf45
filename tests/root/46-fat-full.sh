#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Full FAT volumes: of data, of directories, of names in a fixed root and in one directory. Every error is ENOSPC,
# nothing is half made, fsck.fat finds nothing, and removing makes room again.
. "$(dirname "$0")/lib.sh"
command -v mkfs.fat >/dev/null || { skip "full" "no mkfs.fat: apt-get install dosfstools"; exit 0; }
I=$T/full.img

# volume SIZE [mkfs options]: fresh, and mounted
volume() {
	local size=$1
	shift
	rm -f "$I"
	truncate -s "$size" "$I"
	mkfs.fat "$@" "$I" >"$T/out" 2>&1 && fuse "$I" "utf8${OPTIONS:+,$OPTIONS}"
}
done_with() { # NAME
	check "$1: umount" timeout 60 umount "$MNT"
	check "$1: fsck.fat" fsck.fat -n "$I"
}
fill() { python3 "$HERE/fill.py" "$@"; }

kinds=("fat12 2M -F 12 -s 1" "fat32 10M -F 32 -s 1")
[ -n "${TEST_ALL:-}" ] && kinds+=("fat16 10M -F 16 -s 1" "fat32-large 40M -F 32 -s 1" "fat16-4k 40M -F 16 -S 4096 -s 1")
for kind in "${kinds[@]}"; do
	read -r n size options <<<"$kind"
	# shellcheck disable=SC2086
	volume "$size" $options || { not_ok "$n mounts"; continue; }
	check "$n: data until full, twice" fill data "$MNT"
	check "$n: preallocation, and growth, of more than there is" fill grow "$MNT"
	check "$n: small files until full, twice" fill files "$MNT/sub"
	done_with "$n data"
	# shellcheck disable=SC2086
	volume "$size" $options || { not_ok "$n mounts"; continue; }
	check "$n: directories until full, twice" fill dirs "$MNT/sub"
	done_with "$n directories"
done
volume 2M -F 12 -s 1 -r 64 && check "a fixed root takes as many names as it has slots" fill root "$MNT" 64
done_with "fixed root"
volume 40M -F 32 -s 1 && check "a directory takes 65536 slots" fill slots "$MNT/sub"
done_with "65536 slots"

exit 0

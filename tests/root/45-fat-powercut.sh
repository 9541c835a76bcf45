#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# FAT: the power is cut at every write, and any of the unflushed sectors dropped. Before any repair no chain is crossed or short, no file
# shows another's bytes, what was synced is whole; "fsck.fat -a" repairs a sample of it. --all: more seeds, every second cut.
# Needs no mount; here because it is long.
. "$(dirname "$0")/lib.sh"
POWERCUT=${MOUNT_FUSEBLK_BUILD:-$SRC/build}/tests/crash/powercut
[ -x "$POWERCUT" ] || { skip "power cut of FAT" "no $POWERCUT: make with cmocka"; exit 0; }
command -v mkfs.fat >/dev/null && command -v fsck.fat >/dev/null || { skip "power cut of FAT" "no dosfstools"; exit 0; }

# cut NAME KIB MKFS-OPTIONS...
cut_power() {
	local name=$1 kib=$2 s out
	shift 2
	shapes=$((shapes + 10))
	for s in $seeds; do
		s=$((shapes + s))
		if out=$("$POWERCUT" -f fat -s "$s" -n "$steps" -e "$every" -r "$repair" -b "$kib" -- "$@" 2>"$T/err"); then
			ok "$name seed $s: $(grep -o '[0-9]* cuts, .* promises' <<<"$out")"
		else
			not_ok "$name seed $s"
			echo "$out" | grep -v '^\[' | head -30
			head -5 "$T/err" | sed 's/^/#   /'
		fi
	done
}
shapes=0
if [ -n "${TEST_ALL:-}" ]; then seeds=$(seq 1 3) every=2 repair=20 steps=400; else seeds="1 2" every=11 repair=12 steps=300; fi
cut_power "FAT12, 2 KiB clusters" 8192 -F 12 -s 4
cut_power "FAT12, 512-byte clusters" 1900 -F 12 -s 1
cut_power "FAT12, 32 KiB clusters" 16384 -F 12 -s 64
cut_power "FAT16, 512-byte clusters" 12288 -F 16 -s 1
cut_power "FAT16, 4 KiB clusters, one table" 20480 -F 16 -s 8 -f 1
cut_power "FAT16, 4 KiB sectors" 20480 -S 4096 -F 16 -s 1
cut_power "FAT32, 512-byte clusters" 36864 -F 32 -s 1
cut_power "FAT32, 2 KiB clusters" 12288 -F 32 -s 4
cut_power "FAT32, 4 KiB sectors" 16384 -S 4096 -F 32 -s 1

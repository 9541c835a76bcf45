#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The power is cut at every write, and any of the unflushed blocks dropped: e2fsck -p must repair it, and what was synced be there.
# Needs no mount; here because it is long. --all: more seeds, every cut.
. "$(dirname "$0")/lib.sh"
POWERCUT=${MOUNT_FUSEBLK_BUILD:-$SRC/build}/tests/crash/powercut
[ -x "$POWERCUT" ] || { skip "power cut" "no $POWERCUT: make with cmocka"; exit 0; }

# cut NAME SEEDS EVERY OPTIONS... -- MKE2FS-OPTIONS
cut_power() {
	local name=$1 seeds=$2 every=$3 s out
	shift 3
	for s in $seeds; do
		if out=$("$POWERCUT" -s "$s" -e "$every" "$@" 2>"$T/err"); then
			ok "$name seed $s: $(grep -o '[0-9]* cuts.*' <<<"$out")"
		else
			not_ok "$name seed $s"
			echo "$out" | grep -v '^\[' | head -30
			head -5 "$T/err" | sed 's/^/#   /'
		fi
	done
}
if [ -n "${TEST_ALL:-}" ]; then seeds=$(seq 1 8) every=1; else seeds="1 2" every=7; fi
cut_power "ext2 1k" "$seeds" $every -- -t ext2 -b 1024
cut_power "ext2 4k" "$seeds" $every -- -t ext2 -b 4096
cut_power "ext2 without dir_index" "$seeds" $every -- -t ext2 -b 1024 -O ^dir_index
cut_power "ext4 without journal" "$seeds" $every -- -t ext4 -b 1024 -O ^has_journal
cut_power "ext4 4k" "$seeds" $every -- -t ext4 -b 4096 -O ^has_journal
cut_power "directories moved" "$seeds" $every -m -- -t ext2 -b 1024

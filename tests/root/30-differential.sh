#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The same random operations on our mount and on the kernel's ext4 driver, on equal images.
# --all: 20 seeds of 5,000 operations on ext4 and 4 on each other kind; otherwise a few. SEEDS="7 8" OPS=5000 by hand.
. "$(dirname "$0")/lib.sh"
FSDIFF=${MOUNT_FUSEBLK_BUILD:-$SRC/build}/tests/diff/fsdiff
[ -x "$FSDIFF" ] || { skip "differential" "no $FSDIFF: make"; exit 0; }

# once KIND SEED OPS MKE2FS-OPTIONS...
once() {
	local kind=$1 seed=$2 ops=$3 out status
	shift 3
	mkfs "$T/ours.img" 256M "$@" || { not_ok "$kind seed $seed: mke2fs"; return; }
	cp --sparse=always "$T/ours.img" "$T/theirs.img"
	fuse "$T/ours.img" nodev && kernel "$T/theirs.img" nodev || { not_ok "$kind seed $seed: mount"; return; }
	out=$("$FSDIFF" -s "$seed" -n "$ops" "$MNT" "$T/kernel" 2>&1)
	status=$?
	un "$T/kernel"
	un || { not_ok "$kind seed $seed: umount"; return; }
	if [ $status = 0 ]; then ok "$kind seed $seed: $ops operations"; else
		not_ok "$kind seed $seed: $ops operations"
		echo "$out" | head -40 | sed 's/^/#   /'
	fi
	if e2fsck -fn "$T/ours.img" >"$T/fsck" 2>&1; then ok "$kind seed $seed: e2fsck"; else
		not_ok "$kind seed $seed: e2fsck"
		head -20 "$T/fsck" | sed 's/^/#   /'
	fi
}

seeds=${SEEDS:-$([ -n "${TEST_ALL:-}" ] && seq 1 20 || echo 1 2)}
few=${SEEDS:-$([ -n "${TEST_ALL:-}" ] && seq 21 24 || echo 3)}
ops=${OPS:-$([ -n "${TEST_ALL:-}" ] && echo 5000 || echo 2500)}
for s in $seeds; do once ext4 "$s" "$ops" -t ext4 -b 4096 -O ^has_journal; done
for s in $few; do
	once ext2 "$s" "$ops" -t ext2 -b 4096
	once "ext2 1k" "$s" "$ops" -t ext2 -b 1024
	once "ext4 1k" "$s" "$ops" -t ext4 -b 1024 -O ^has_journal
	once "ext4 with everything" "$s" "$ops" -t ext4 -O ^has_journal,inline_data,ea_inode,large_dir -I 512
done

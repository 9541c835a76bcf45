#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Volumes on which names match in any case, over the kernel's cache of names, which compares bytes: the
# test driver, and FAT.
. "$(dirname "$0")/lib.sh"
ROUNDS=${TEST_ALL:+2000}
ROUNDS=${ROUNDS:-500}
fold=${MOUNT_FUSEBLK_BUILD:-}/tests/lib/testfs_fold

# rules LABEL: spelling.py in the mount, a line for each rule.
rules() {
	local rule said
	while read -r rule said; do
		[ "$said" = yes ] && ok "$1: $rule" || not_ok "$1: $rule" "$said"
	done < <(timeout 250 python3 "$HERE/spelling.py" "$MNT" "${2:-$ROUNDS}" 2>&1)
}
fold_mount() {
	rm -f "$T/fold.img"
	truncate -s 256M "$T/fold.img"
	"$fold" "$@" "$T/fold.img" "$MNT" >"$T/out" 2>&1
}
# Removals by another spelling, without end, by several processes.
storm() {
	local i
	for i in 1 2 3 4; do
		(
			while :; do
				echo x >"$MNT/name$i"
				stat "$MNT/name$i" "$MNT/NAME$((i % 4 + 1))"
				mv "$MNT/NAME$i" "$MNT/Other$i"
				rm -f "$MNT/OTHER$i"
			done
		) >"$T/out.$i" 2>&1 &
	done
}

if [ -x "$fold" ]; then
	fold_mount && rules fold
	un
	fold_mount -o threads=2 && rules "fold, two threads" 100
	# unmounting, and the end of the driver, while names are being voided
	for i in 1 2 3; do
		storm
		sleep 1
		kill $(jobs -p)
		wait
		check "unmount right after a storm $i" until_ok 20 timeout 20 umount "$MNT"
		fold_mount -o threads=2
	done
	storm
	sleep 1
	for p in /proc/[0-9]*; do
		[ "$(readlink "$p/exe")" = "$(readlink -f "$fold")" ] || continue
		tr '\0' ' ' <"$p/cmdline" | grep -q start-fd && kill -9 "${p#/proc/}"
	done
	sleep 0.5
	callers=$(jobs -p)
	kill $callers
	gone() { ! kill -0 $callers; }
	check "callers end with a killed driver" until_ok 100 gone
	wait
	check "unmount after that" timeout 20 umount "$MNT"
	# a caller whose process id we cannot see
	fold_mount
	if unshare -pf --mount-proc true 2>/dev/null; then
		echo x >"$MNT/foo"
		unshare -pf --mount-proc mv "$MNT/foo" "$MNT/FOO"
		same "a rename from another pid namespace" FOO "$(ls "$MNT")"
		rm -f "$MNT/foo"
	fi
	un
else
	skip "fold" "no test driver: set MOUNT_FUSEBLK_BUILD"
fi

if command -v mkfs.fat >/dev/null; then
	truncate -s 64M "$T/fat.img"
	mkfs.fat -F 32 "$T/fat.img" >"$T/out"
	if fuse "$T/fat.img" 2>"$T/out"; then
		rules fat
		un
		check "fsck.fat" fsck.fat -n "$T/fat.img"
	else
		skip "fat" "$(head -1 "$T/out")"
	fi
fi
exit 0

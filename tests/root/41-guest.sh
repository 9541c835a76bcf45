#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Our build under Debian's kernel in QEMU (FUSE 7.38: no SYNCFS, no statx): a disk, an image file with its loop device.
. "$(dirname "$0")/lib.sh"
B=${MOUNT_FUSEBLK_BUILD:-}
[ -x "$B/fs-ext2/ext2" ] || { skip "guest" "runs a build tree: set MOUNT_FUSEBLK_BUILD"; exit 0; }
mkfs "$T/disk.img" 64M -t ext2
mkfs "$T/image.img" 4M -t ext2
"$SRC/tests/guest/run" --work "$B/guest" --disk "$T/disk.img" --file image="$T/image.img" \
	--program bin/mount.fuseblk="$B/mount.fuseblk/mount.fuseblk" --program libexec/ext2="$B/fs-ext2/ext2" \
	"$SRC/tests/guest/fuse-task" >"$T/guest.log" 2>&1
case $? in
0) ok "guest" ;;
77) skip "guest" "$(tail -1 "$T/guest.log")"; exit 0 ;;
*) not_ok "guest" "status $?"; tail -20 "$T/guest.log" | sed 's/^/#   /' ;;
esac
check "e2fsck of the disk" fsck_clean "$T/disk.img"

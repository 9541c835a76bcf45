#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Known traps: an image inside the mount it would serve, the driver's directory, standard descriptors, load.
. "$(dirname "$0")/lib.sh"
mkfs "$T/a.img" 64M -t ext2
mkfs "$T/inner.img" 8M -t ext2
rw "$T/a.img" || exit 1
cp "$T/inner.img" "$MNT/inner.img"
mkdir "$MNT/here"
check "an image inside a mount of ours" timeout 30 mount -t fuseblk "$MNT/inner.img" "$MNT/here"
if mounted "$MNT/here"; then
	check "written through both" timeout 30 cp /etc/services "$MNT/here/"
	check "synced through both" timeout 30 sync -f "$MNT/here"
	refuse "the outer one is busy" umount "$MNT"
	check "inner umount" timeout 30 umount "$MNT/here"
fi
(cd "$MNT" && timeout 30 mount -t fuseblk "$T/inner.img" "$MNT/here") && ok "mounted from a directory of ours" || not_ok "mounted from a directory of ours"
mounted "$MNT/here" && umount "$MNT/here"
un && ok "nobody holds the outer mount" || not_ok "nobody holds the outer mount"
FSCK_LIST+=("$T/inner.img")
for closed in '0<&-' '1>&-' '2>&-' '0<&- 1>&- 2>&-'; do
	eval "mount -t fuseblk '$T/a.img' '$MNT' $closed"
	mounted && { ok "mounted with $closed"; un; } || not_ok "mounted with $closed"
done
# mounted over the directory that holds the image
mkdir "$T/over"
cp "$T/inner.img" "$T/over/i.img"
check "an image below its own mount point" timeout 30 mount -t fuseblk "$T/over/i.img" "$T/over"
if mounted "$T/over"; then
	check "... works" timeout 30 cp /etc/services "$T/over/"
	check "... ends" timeout 30 umount "$T/over"
fi
check "... clean" fsck_clean "$T/over/i.img"
# a vanished device
mkfs "$T/gone.img" 16M -t ext2
fuse "$T/gone.img" "log=$T/gone.log"
echo x >"$MNT/f"
sync -f "$MNT"
truncate -s 1M "$T/gone.img"
py "os.posix_fadvise(os.open('$MNT/f', os.O_RDONLY), 0, 0, os.POSIX_FADV_DONTNEED)"
timeout 30 find "$MNT" -type f -exec cat {} + >/dev/null 2>&1
check "umount of a cut device ends" timeout 60 umount "$MNT"
mounted && umount -l "$MNT"
ok "a cut device"

exit 0

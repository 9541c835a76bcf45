#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The same bytes are never mounted twice.
. "$(dirname "$0")/lib.sh"
I=$T/a.img
mkfs "$I" 16M -t ext2
mkdir "$T/two"
rw "$I"
echo first >"$MNT/f"
refuse "the same image" fuse "$I" rw "$T/two"
say "$(cat "$T/out")"
ln "$I" "$T/hard.img"
refuse "a hard link to it" fuse "$T/hard.img" rw "$T/two"
ln -s "$I" "$T/soft.img"
refuse "a symbolic link to it" fuse "$T/soft.img" rw "$T/two"
L=$(losetup -f --show "$I")
refuse "another loop device of it" fuse "$L" rw "$T/two"
losetup -d "$L"
D=$(source_of)
case $D in /dev/loop*) refuse "its own loop device" fuse "$D" rw "$T/two" ;; esac
refuse "the kernel's driver on the device" mount -t ext4 "$D" "$T/two"
same "the first mount still works" first "$(cat "$MNT/f")"
un
L=$(losetup -f --show "$I")
check "a loop device" fuse "$L"
refuse "the same device" fuse "$L" rw "$T/two"
refuse "the image behind it" fuse "$I" rw "$T/two"
un
losetup -d "$L"
kernel "$I"
refuse "an image the kernel has mounted" fuse "$I" rw "$T/two"
un "$T/kernel"
check "after all that" rw "$I"
same "the file" first "$(cat "$MNT/f")"
un
truncate -s 40M "$T/disk.img"
dd if="$I" of="$T/disk.img" bs=1M seek=2 conv=notrunc status=none
dd if="$I" of="$T/disk.img" bs=1M seek=20 conv=notrunc status=none
check "one range of an image" fuse "$T/disk.img" offset=2097152,sizelimit=16777216
check "another range of it" fuse "$T/disk.img" offset=20971520,sizelimit=16777216 "$T/two"
un "$T/two"
refuse "an overlapping range" fuse "$T/disk.img" offset=2097152 "$T/two"
un

exit 0

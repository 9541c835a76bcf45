#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A driver keeps no mount alive: not its own in a namespace that ends, not another volume's.
. "$(dirname "$0")/lib.sh"

mkfs "$T/a.img" 16M -t ext2
mkfs "$T/b.img" 16M -t ext2
FSCK_LIST+=("$T/a.img")
timeout 30 unshare -m --propagation private bash -c "mount -t fuseblk '$T/a.img' '$MNT' && echo kept >'$MNT/file'"
same "mounted in a namespace of its own" 0 $?
until_ok 50 no_new_drivers && ok "the namespace ends, and the mount and its driver with it" ||
	not_ok "the namespace ends, and the mount and its driver with it"
until_ok 30 no_loops && ok "so does the loop device" || not_ok "so does the loop device"
same "what was written is there" kept "$(debugfs -R 'cat file' "$T/a.img" 2>/dev/null)"

mkdir "$T/b"
rw "$T/b.img" "" "$T/b"
L=$(source_of "$T/b")
fuse "$T/a.img"
un "$T/b"
check "another volume's device is free the moment it is unmounted" python3 -c "
import os, sys
try: os.close(os.open('$L', os.O_RDWR | os.O_EXCL))
except OSError as e: sys.exit(0 if e.errno in (2, 6) else str(e))"
P=$(driver_of "$T/a.img")
same "its driver sees an empty root" 1 "$(grep -c . "/proc/$P/mounts")"
un

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Unlinked open files and O_TMPFILE: they live while open, leak nothing, and a crash neither.
. "$(dirname "$0")/lib.sh"
I=$T/a.img
mkfs "$I" 32M -t ext2
rw "$I"
free_blocks() { sync -f "$MNT"; stat -f -c %f "$MNT"; }
F=$(free_blocks)
exec 5<>"$MNT/open"
head -c 1M </dev/urandom >&5
rm "$MNT/open"
check "an unlinked file is still written" bash -c 'echo more >&5' 5>&5
check "... and read" py "
fd = os.open('/proc/self/fd/5', os.O_RDONLY); assert len(os.read(fd, 2 << 20)) > 1 << 20"
same "... with no link" 0 "$(stat -L -c %h /proc/$$/fd/5)"
exec 5>&-
until_ok 30 bash -c "sync -f '$MNT'; [ \$(stat -f -c %f '$MNT') -ge $F ]" && ok "its space comes back" || not_ok "its space comes back"
check "O_TMPFILE" py "
fd = os.open('$MNT', os.O_TMPFILE | os.O_RDWR, 0o640)
os.write(fd, b'temporary'); assert os.fstat(fd).st_nlink == 0
assert ctypes.CDLL(None).linkat(-100, b'/proc/self/fd/%d' % fd, -100, b'$MNT/linked', 0x400) == 0
assert os.fstat(fd).st_nlink == 1"
same "a linked O_TMPFILE" temporary "$(cat "$MNT/linked")"
check "an O_TMPFILE that is dropped" py "
fd = os.open('$MNT', os.O_TMPFILE | os.O_RDWR); os.write(fd, bytes(100000))"
mkdir "$MNT/gone"
(cd "$MNT/gone" && rmdir "$MNT/gone" && ls >/dev/null && ok "a removed directory still lists" || not_ok "a removed directory still lists"
expect_errno "nothing is made in it" ENOENT "open('x', 'w')")
un
check "e2fsck after unlinked files" fsck_clean "$I"
rw "$I"
F=$(free_blocks)
exec 5<>"$MNT/crash" 6<>"$MNT/crash2"
head -c 3M </dev/zero | tr '\0' c >&5
head -c 300K </dev/zero | tr '\0' d >&6
rm "$MNT/crash" "$MNT/crash2"
py "fd = os.open('$MNT', os.O_TMPFILE | os.O_RDWR); os.write(fd, bytes(100000)); os.fsync(fd)"
sync -f "$MNT"
P=$(driver_of "$(source_of)") || P=$(driver_of "$I")
[ -n "$P" ] || { not_ok "find the driver"; exit 1; }
kill -9 "$P"
exec 5>&- 6>&-
un
cp "$I" "$T/copy.img"
e2fsck -p "$T/copy.img" >"$T/out" 2>&1
[ $? -le 1 ] && ok "e2fsck -p after the crash" || not_ok "e2fsck -p after the crash" "$(head -3 "$T/out" | tr '\n' ' ')"
rw "$I"
until_ok 30 bash -c "sync -f '$MNT'; [ \$(stat -f -c %f '$MNT') -ge $F ]" && ok "orphans are freed at mount" || not_ok "orphans are freed at mount" "$(stat -f -c %f "$MNT") of $F"
un
check "e2fsck -fn after they were" fsck_clean "$I"

exit 0

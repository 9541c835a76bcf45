#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A read-only mount leaves every byte; a write-protected device becomes a read-only mount.
. "$(dirname "$0")/lib.sh"
I=$(image ext2-4k)
H=$(sha1sum <"$I")
fuse "$I" ro
$TREE "$MNT" >/dev/null
find "$MNT" -type f -exec cat {} + >/dev/null
for s in "open('$MNT/x','w')" "os.mkdir('$MNT/x')" "os.unlink('$MNT/file')" "os.chmod('$MNT/file',0)" "os.setxattr('$MNT/file','user.a',b'')" \
	"os.truncate('$MNT/file',0)" "os.utime('$MNT/file')" "os.link('$MNT/file','$MNT/x')" "os.rename('$MNT/file','$MNT/x')" "os.symlink('a','$MNT/x')" "os.mknod('$MNT/x')"; do
	expect_errno "EROFS: ${s%%(*} ${s##*/}" EROFS "$s"
done
sync -f "$MNT"
un
same "not one byte changed" "$H" "$(sha1sum <"$I")"
L=$(losetup -r -f --show "$I")
check "a write-protected device" fuse "$L"
check "... is mounted read-only" grep -qw ro <<<"$(findmnt -n -o OPTIONS -M "$MNT")"
expect_errno "... for changes too" EROFS "os.mkdir('$MNT/x')"
refuse "... and not remounted rw" mount -o remount,rw "$MNT"
check "... still readable" cat "$MNT/file"
un
losetup -d "$L"
chattr +i "$I" 2>/dev/null || chmod 444 "$I"
fuse "$I" ro && un
chattr -i "$I" 2>/dev/null
chmod 644 "$I"
same "still not one byte changed" "$H" "$(sha1sum <"$I")"
cp "$I" "$T/lock.img"
mount --bind "$T" "$T/kernel"
mount -o remount,bind,ro "$T/kernel"
if fuse "$T/kernel/lock.img"; then
	check "an image on a read-only file system is mounted read-only" grep -qw ro <<<"$(findmnt -n -o OPTIONS -M "$MNT")"
	un
else
	not_ok "an image on a read-only file system"
fi
un "$T/kernel"

exit 0

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Options, fstab, remount, and what shows them.
. "$(dirname "$0")/lib.sh"
I=$T/a.img
mkfs "$I" 16M -t ext2 -L optlabel

options() { findmnt -n -o OPTIONS -M "$MNT"; }

for o in noauto nofail users user owner group nouser exec,dev,suid x-systemd.automount comment=test _netdev uhelper=udisks2 \
	auto defaults noatime relatime nodiratime nosuid nodev noexec sync dirsync errors=remount-ro errors=continue \
	bsddf minixdf acl noacl user_xattr nouser_xattr grpid sysvgroups resuid=5 resgid=5 discard commit=3 sb=1 \
	lazytime nostrictatime silent loud rw; do
	if rw "$I" "$o"; then
		un && ok "option $o"
	else
		not_ok "option $o"
	fi
done
for o in nosuchoption errors=maybe resuid=abc commit=x sb=xyz offset=12x "offset=99999999999999999999" sizelimit= partition=0 log=/nonexist/x; do
	err=$(fuse "$I" "$o" 2>&1) && { not_ok "bad option $o is refused"; un; continue; }
	ok "bad option $o is refused"
	check "bad option $o is named" grep -q "${o%%=*}" <<<"$err"
	$HELPER "$I" "$MNT" -o "$o" >/dev/null 2>&1
	same "bad option $o: status" 1 $?
done
rw "$I"
for o in nonsense errors=maybe commit=x; do
	err=$(mount -o "remount,$o" "$MNT" 2>&1)
	same "remount,$o: status" 1 $?
	check "remount,$o is named" grep -q "${o%%=*}" <<<"$err"
done
un
check "sloppy" mount -s -t fuseblk -o nosuchoption "$I" "$MNT"
mounted && un

rw "$I" ro
expect_errno "ro" EROFS "os.mkdir('$MNT/d')"
check "findmnt shows ro" grep -qw ro <<<"$(options)"
check "remount rw" mount -o remount,rw "$MNT"
check "findmnt shows rw" grep -qw rw <<<"$(options)"
check "written after remount" mkdir "$MNT/d"
echo x >"$MNT/d/f"
check "remount ro" mount -o remount,ro "$MNT"
expect_errno "ro after remount" EROFS "os.mkdir('$MNT/e')"
check "clean while read-only" fsck_clean "$I"
check "remount rw again" mount -o remount,rw "$MNT"
exec 7>"$MNT/open"
refuse "remount ro with a file open for writing" mount -o remount,ro "$MNT"
exec 7>&-
un

rw "$I" nosuid,nodev,noexec
for o in nosuid nodev noexec; do check "findmnt shows $o" grep -qw $o <<<"$(options)"; done
cp /bin/true "$MNT/true"
expect_errno "noexec" EACCES "os.execv('$MNT/true', ['true'])"
un

cat >"$T/fstab" <<F
$I $MNT fuseblk defaults,noauto 0 0
LABEL=nonesuch-label $T/kernel fuseblk nofail 0 0
F
check "mount -a leaves noauto and nofail alone" mount -a -T "$T/fstab"
mounted && not_ok "noauto was mounted"
check "mount by the fstab's line" mount -T "$T/fstab" "$MNT"
un
echo "$T/none.img $MNT fuseblk nofail 0 0" >"$T/fstab"
check "nofail: a missing image is no failure" mount -a -T "$T/fstab"
for s in "$T/none.img" /dev/nonesuch LABEL=nonesuch-label; do
	same "nofail: $s: silent" "status 0" "$($HELPER "$s" "$MNT" -o nofail 2>&1; echo "status $?")"
	$HELPER "$s" "$MNT" -o nofail,fail >/dev/null 2>&1
	same "nofail,fail: $s: status" 32 $?
done
$HELPER "$T/none.img" "$T/nodir" -o nofail >/dev/null 2>&1
same "nofail: no mount point: status" 32 $?
echo "$I $MNT fuseblk defaults 0 0" >"$T/fstab"
check "mount -a" mount -a -T "$T/fstab"
check "mount -a again" mount -a -T "$T/fstab"
same "mounted once" 1 "$(grep -c " $MNT " /proc/self/mountinfo)"
un

truncate -s 20M "$T/off.img"
dd if="$I" of="$T/off.img" bs=1M seek=3 conv=notrunc status=none
check "offset=" fuse "$T/off.img" offset=3145728
check "offset= shows the label's volume" test -d "$MNT/d"
un
check "loop,offset= through mount(8)" mount -t fuseblk -o loop,offset=3145728 "$T/off.img" "$MNT"
check "loop,offset= shows the volume" test -d "$MNT/d"
un
check "offset= with sizelimit=" fuse "$T/off.img" offset=3145728,sizelimit=16777216
un
refuse "sizelimit= shorter than the volume" fuse "$T/off.img" offset=3145728,sizelimit=1048576
mounted && un
check "-t fuseblk.ext2" mount -t fuseblk.ext2 "$I" "$MNT"
un
refuse "-t fuseblk.nosuchdriver" mount -t fuseblk.nosuchdriver "$I" "$MNT"
mounted && un
L=$(losetup -f --show "$I")
udevadm settle 2>/dev/null
check "LABEL=" $HELPER LABEL=optlabel "$MNT"
mounted && un
check "UUID=" $HELPER "UUID=$(blkid -p -s UUID -o value "$L")" "$MNT"
mounted && un
losetup -d "$L"
check "the helper by hand, -f writes nothing" $HELPER "$I" "$MNT" -f
mounted && { not_ok "-f mounted"; un; }
check "-f -v says what would be done" grep -q "would be mounted on $MNT" <<<"$($HELPER "$I" "$MNT" -fv 2>&1)"
check "the helper by hand, -v -n -s" $HELPER "$I" "$MNT" -v -n -s -o rw
un
mkfs "$T/sb.img" 32M -t ext2 -b 1024
dd if=/dev/zero of="$T/sb.img" bs=1024 seek=1 count=1 conv=notrunc status=none
check "sb= finds a backup superblock" $HELPER "$T/sb.img" "$MNT" -t fuseblk.ext2 -o ro,sb=8193
mounted && un
rw "$I" minixdf
M=$(stat -f -c %b "$MNT")
un
rw "$I"
check "minixdf counts the overhead" test "$M" -gt "$(stat -f -c %b "$MNT")"
un
if id nobody >/dev/null 2>&1; then
	chmod 666 "$I"
	echo "$I $MNT fuseblk users,noauto 0 0" >"$T/fstab"
	refuse "users: not from another table" setpriv --reuid=nobody --regid=nogroup --clear-groups mount -T "$T/fstab" "$MNT"
	mounted && un
fi

exit 0

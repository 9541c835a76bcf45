#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Extended attributes and ACLs, by the usual programs.
. "$(dirname "$0")/lib.sh"

attributes() { # LABEL IMAGE
	local l=$1 d=$MNT
	rw "$2" || { not_ok "$l mount"; return; }
	echo x >$d/f
	mkdir $d/dir
	for n in user.a trusted.b security.c; do
		check "$l set $n" setfattr -n $n -v "value of $n" $d/f
		same "$l get $n" "value of $n" "$(getfattr --only-values -n $n $d/f 2>/dev/null)"
	done
	same "$l list" "security.c trusted.b user.a" "$(getfattr -m- --absolute-names $d/f | grep -v '^#' | sort | xargs)"
	expect_errno "$l XATTR_CREATE" EEXIST "os.setxattr('$d/f','user.a',b'',os.XATTR_CREATE)"
	expect_errno "$l XATTR_REPLACE" ENODATA "os.setxattr('$d/f','user.zz',b'',os.XATTR_REPLACE)"
	expect_errno "$l get none" ENODATA "os.getxattr('$d/f','user.zz')"
	expect_errno "$l remove none" ENODATA "os.removexattr('$d/f','user.zz')"
	ln -s f $d/sym
	expect_errno "$l user on a symlink" EPERM "os.setxattr('$d/sym','user.a',b'',follow_symlinks=False)"
	check "$l trusted on a symlink" py "os.setxattr('$d/sym','trusted.a',b'1',follow_symlinks=False)"
	check "$l many of growing size" py "
model = {}
for i in range(40):
    n, v = 'user.n%d' % (i % 9), bytes([65 + i % 26]) * (i * 7 % 90)
    os.setxattr('$d/dir', n, v); model[n] = v
    if i % 5 == 4: os.removexattr('$d/dir', n); del model[n]
    assert {k: os.getxattr('$d/dir', k) for k in os.listxattr('$d/dir')} == model, i"
	expect_errno "$l too large" "${3:-ENOSPC}" "os.setxattr('$d/f','user.big',b'x'*60000)"
	check "$l setfacl" setfacl -m u:1000:r--,g:100:rw- $d/f
	same "$l mode follows" 664 "$(stat -c %a $d/f)"
	same "$l getfacl" "group:100:rw- group::r-- mask::rw- other::r-- user:1000:r-- user::rw-" "$(getfacl -ncE --absolute-names $d/f | sort | xargs)"
	chmod 640 $d/f
	same "$l chmod sets the mask" "mask::r--" "$(getfacl -ncE --absolute-names $d/f | grep mask)"
	check "$l default ACL" setfacl -d -m u:1000:rwx,g::r-x $d/dir
	(umask 077; echo y >$d/dir/new; mkdir $d/dir/sub)
	same "$l inherited by a file" "group::r-x mask::rw- other::r-- user:1000:rwx user::rw-" "$(getfacl -ncE --absolute-names $d/dir/new | sort | xargs)"
	same "$l its mode has no umask" 664 "$(stat -c %a $d/dir/new)"
	check "$l inherited by a directory" test -n "$(getfacl -nd --absolute-names $d/dir/sub | grep user:1000)"
	same "$l access is granted" y "$(setpriv --reuid=1000 --regid=1000 --clear-groups cat $d/dir/new 2>&1)"
	setfacl -m u:1000:--- $d/dir/new
	refuse "$l access is denied" setpriv --reuid=1000 --regid=1000 --clear-groups cat $d/dir/new
	check "$l setfacl -b" setfacl -b $d/f
	check "$l setfacl -b again" setfacl -b $d/f
	same "$l no ACL left" "" "$(getfattr -m posix_acl --absolute-names $d/f)"
	check "$l setfacl -k" setfacl -k $d/dir
	cp -a /bin/true $d/cap
	setcap cap_net_raw+ep $d/cap 2>/dev/null && check "$l capability kept" grep -q cap_net_raw <<<"$(getcap $d/cap)"
	$TREE --without=btime $d >"$T/t"
	un
	kernel "$2" ro
	same "$l the kernel sees the same" "$(cat "$T/t")" "$($TREE --without=btime "$T/kernel")"
	un "$T/kernel"
	check "$l e2fsck" fsck_clean "$2"
	rw "$2"
	rm -r $d/dir $d/f $d/cap $d/sym
	un
}

mkfs "$T/e2.img" 16M -t ext2 -b 1024 -I 128
attributes ext2-128 "$T/e2.img"
mkfs "$T/e2k.img" 16M -t ext2 -b 4096 -I 256
attributes ext2-256 "$T/e2k.img"
mkfs "$T/e4.img" 32M -t ext4 -b 4096
attributes ext4 "$T/e4.img"
mkfs "$T/in.img" 32M -t ext4 -O inline_data
attributes inline "$T/in.img"
mkfs "$T/ea.img" 32M -t ext4 -O ea_inode
attributes ea_inode "$T/ea.img" success
rw "$T/ea.img"
echo x >"$MNT/f"
check "values in inodes" py "
for size in (3000, 9000, 65536, 5, 20000, 0):
    os.setxattr('$MNT/f', 'user.v', b'v' * size); assert len(os.getxattr('$MNT/f', 'user.v')) == size"
expect_errno "longer than the VFS takes" E2BIG "os.setxattr('$MNT/f','user.v',b'x'*65537)"
check "one in an inode at the end" py "os.setxattr('$MNT/f', 'user.v', b'w' * 30000)"
un
check "e2fsck with values in inodes" fsck_clean "$T/ea.img"
kernel "$T/ea.img"
same "the kernel reads it" 30000 "$(getfattr --only-values -n user.v "$T/kernel/f" 2>/dev/null | wc -c)"
py "os.setxattr('$T/kernel/f', 'user.k', b'k' * 40000); open('$T/kernel/g','w'); os.setxattr('$T/kernel/g', 'user.k', b'k' * 40000)"
un "$T/kernel"
rw "$T/ea.img"
same "and we read the kernel's" 40000 "$(getfattr --only-values -n user.k "$MNT/g" 2>/dev/null | wc -c)"
check "a shared one is removed once" setfattr -x user.k "$MNT/f"
same "... and stays for the other" 40000 "$(getfattr --only-values -n user.k "$MNT/g" 2>/dev/null | wc -c)"
rm "$MNT/f" "$MNT/g"
un
I=$(image ext2-1k)
rw "$I"
check "a shared block is copied" setfattr -n user.mine -v 1 "$MNT/shared-1"
same "... the others keep theirs" "user.same" "$(getfattr --absolute-names "$MNT/shared-0" "$MNT/shared-2" | grep ^user | sort -u)"
rm "$MNT/shared-2"
un
fuse "$T/e4.img" noacl,nouser_xattr
echo x >"$MNT/o"
expect_errno "nouser_xattr" ENOTSUP "os.setxattr('$MNT/o','user.a',b'')"
refuse "noacl" setfacl -m u:1:r "$MNT/o"
rm "$MNT/o"
un

exit 0

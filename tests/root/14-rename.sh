#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# rename and its flags, across directories, over files and directories.
. "$(dirname "$0")/lib.sh"
rename2() { # FROM TO FLAGS: prints the errno's name or "ok"
	python3 - "$@" <<'P'
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
r = libc.renameat2(-100, os.fsencode(sys.argv[1]), -100, os.fsencode(sys.argv[2]), int(sys.argv[3]))
print("ok" if r == 0 else errno.errorcode[ctypes.get_errno()])
P
}
for type in ext2 "ext4"; do
	I=$T/$type.img
	mkfs "$I" 16M -t $type
	rw "$I" || exit 1
	d=$MNT l=$type
	echo a >$d/a; echo b >$d/b; mkdir -p $d/x/deep $d/y $d/full/in
	same "$l NOREPLACE over a name" EEXIST "$(rename2 $d/a $d/b 1)"
	same "$l NOREPLACE to a free name" ok "$(rename2 $d/a $d/c 1)"
	same "$l EXCHANGE of files" ok "$(rename2 $d/c $d/b 2)"
	same "$l ... exchanged" "b a" "$(cat $d/c) $(cat $d/b)"
	same "$l EXCHANGE of file and directory" ok "$(rename2 $d/c $d/x 2)"
	same "$l ... exchanged" "b deep" "$(cat $d/x) $(ls $d/c)"
	same "$l EXCHANGE across directories" ok "$(rename2 $d/c $d/full/in 2)"
	same "$l ... exchanged" deep "$(ls $d/full/in)"
	same "$l ... link counts" "2 3 4" "$(stat -c %h $d/c) $(stat -c %h $d/full/in) $(($(stat -c %h $d/full) + 1))"
	same "$l EXCHANGE with nothing" ENOENT "$(rename2 $d/b $d/none 2)"
	same "$l WHITEOUT" ok "$(rename2 $d/b $d/moved 4)"
	same "$l ... leaves a device 0:0" "character special file 0,0" "$(stat -c '%F %t,%T' $d/b)"
	same "$l unknown flags" EINVAL "$(rename2 $d/moved $d/z 8)"
	echo over >$d/over
	exec 5<$d/over
	mv -f $d/moved $d/over
	same "$l over an open file" over "$(cat <&5)"
	exec 5<&-
	same "$l the new content" a "$(cat $d/over)"
	expect_errno "$l directory over a full one" ENOTEMPTY "os.rename('$d/y', '$d/full')"
	expect_errno "$l directory over a file" ENOTDIR "os.rename('$d/y', '$d/over')"
	expect_errno "$l file over a directory" EISDIR "os.rename('$d/over', '$d/y')"
	check "$l directory over an empty one" py "os.rename('$d/full', '$d/y')"
	mkdir -p $d/p/q $d/r
	mv $d/p/q $d/r/
	same "$l moved directory's parent" "$(stat -c %i $d/r)" "$(stat -c %i $d/r/q/..)"
	same "$l link counts after the move" "2 3" "$(stat -c %h $d/p) $(stat -c %h $d/r)"
	ln $d/over $d/samefile
	check "$l over a link to itself" py "os.rename('$d/over', '$d/samefile')"
	check "$l ... both stay" test -e $d/over -a -e $d/samefile
	check "$l a name of 255 bytes" mv $d/over $d/"$(printf 'n%.0s' {1..255})"
	expect_errno "$l a name of 256 bytes" ENAMETOOLONG "os.rename('$d/samefile', '$d/' + 'n' * 256)"
	for f in open mkdir mknod "symlink('a'," "link('$d/samefile',"; do
		case $f in *,) call="os.$f '$d/' + 'm' * 300)" ;; open) call="os.open('$d/' + 'm' * 300, os.O_CREAT | os.O_WRONLY)" ;; *) call="os.$f('$d/' + 'm' * 300)" ;; esac
		expect_errno "$l 300 bytes: ${f%%(*}" ENAMETOOLONG "$call"
	done
	expect_errno "$l 256 bytes: stat" ENAMETOOLONG "os.stat('$d/' + 'n' * 256)"
	$TREE --without=btime $d >"$T/t"
	un
	kernel "$I" ro
	same "$l the kernel sees the same" "$(cat "$T/t")" "$($TREE --without=btime "$T/kernel")"
	un "$T/kernel"
done

exit 0

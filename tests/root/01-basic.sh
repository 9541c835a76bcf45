#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The life of a mount, and every basic operation, on ext2 and on ext4.
. "$(dirname "$0")/lib.sh"

operations() { # LABEL IMAGE
	local d=$MNT l=$1
	rw "$2" || { not_ok "$l mount"; return; }
	ok "$l mount"
	same "$l findmnt type" "fuseblk" "$(findmnt -n -o FSTYPE -M "$MNT" | cut -d. -f1)"
	same "$l st_dev is the device" "$(stat -c %Hr:%Lr "$(source_of)")" "$(stat -c %Hd:%Ld "$MNT")"
	check "$l df" df "$MNT"
	echo hello >$d/f
	same "$l read back" hello "$(cat $d/f)"
	echo more >>$d/f
	same "$l append" "hello
more" "$(cat $d/f)"
	check "$l mkdir" mkdir -p $d/a/b/c
	check "$l rename" mv $d/f $d/a/b/g
	check "$l hard link" ln $d/a/b/g $d/h
	same "$l link count" 2 "$(stat -c %h $d/h)"
	check "$l symlink" ln -s a/b/g $d/s
	same "$l through symlink" hello "$(head -1 $d/s)"
	ln -s "$(printf 'x%.0s' {1..1000})" $d/long
	same "$l long symlink" 1000 "$(readlink -n $d/long | wc -c)"
	check "$l fifo" mkfifo $d/fifo
	check "$l device" mknod $d/null c 1 3
	same "$l device numbers" "1,3" "$(stat -c %t,%T $d/null)"
	check "$l large device" mknod $d/blk b 300 70000
	same "$l large device numbers" "12c,11170" "$(stat -c %t,%T $d/blk)"
	check "$l socket" py "s=socket.socket(socket.AF_UNIX); s.bind('$d/sock')"
	check "$l chmod" chmod 4711 $d/h
	same "$l mode" 4711 "$(stat -c %a $d/h)"
	check "$l chown" chown 70000:80000 $d/h
	same "$l owner" 70000:80000 "$(stat -c %u:%g $d/h)"
	touch -d '2030-01-02 03:04:05' $d/h
	same "$l mtime" 1893553445 "$(TZ=UTC stat -c %Y $d/h)"
	head -c 3000000 /dev/urandom >$T/rand
	check "$l copy" cp $T/rand $d/rand
	check "$l compare" cmp $T/rand $d/rand
	check "$l fsync" sync $d/rand
	check "$l syncfs" sync -f $d
	truncate -s 1234567 $d/rand
	check "$l truncate" cmp -n 1234567 $T/rand $d/rand
	same "$l size" 1234567 "$(stat -c %s $d/rand)"
	: >$d/rand
	same "$l O_TRUNC" 0 "$(stat -c %s $d/rand)"
	expect_errno "$l ENOENT" ENOENT "os.open('$d/none', os.O_RDONLY)"
	expect_errno "$l EEXIST" EEXIST "os.mkdir('$d/a')"
	expect_errno "$l ENOTEMPTY" ENOTEMPTY "os.rmdir('$d/a')"
	expect_errno "$l ENOTDIR" ENOTDIR "os.rmdir('$d/h')"
	expect_errno "$l EISDIR" EISDIR "os.unlink('$d/a')"
	expect_errno "$l link to directory" EPERM "os.link('$d/a', '$d/dirlink')"
	expect_errno "$l into itself" EINVAL "os.rename('$d/a', '$d/a/b/x')"
	check "$l rmdir" rmdir $d/a/b/c
	check "$l unlink" rm $d/s $d/fifo $d/null $d/blk $d/sock $d/long
	$TREE --without=blocks $d >$T/before
	check "$l umount" un
	rw "$2"
	$TREE --without=blocks $d >$T/after
	same "$l the tree after a second mount" "$(cat $T/before)" "$(cat $T/after)"
	un
	kernel "$2" ro
	$TREE --without=blocks $T/kernel >$T/k
	same "$l the tree under the kernel's driver" "$(cat $T/before)" "$(cat $T/k)"
	un "$T/kernel"
}

mkfs "$T/e2.img" 32M -t ext2 -b 1024
operations ext2-1k "$T/e2.img"
mkfs "$T/e2k4.img" 32M -t ext2 -b 4096
operations ext2-4k "$T/e2k4.img"
mkfs "$T/e4.img" 64M -t ext4
operations ext4 "$T/e4.img"

exit 0

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Programs: git, sqlite3, tar, rsync-like copies, fio with verification.
. "$(dirname "$0")/lib.sh"
for type in ext2 ext4; do
	I=$T/$type.img l=$type
	mkfs "$I" 400M -t $type
	rw "$I" || exit 1
	d=$MNT
	if [ -d /usr/include ]; then
		tar -C /usr -cf "$T/include.tar" include
		check "$l unpack /usr/include" tar -C $d -xf "$T/include.tar"
		check "$l compare it" diff -r --no-dereference /usr/include $d/include
		check "$l tar --compare" tar -C $d -df "$T/include.tar"
		rm -f "$T/include.tar"
	fi
	if command -v git >/dev/null; then
		check "$l git" bash -e -c "
		cd $d; git init -q r; cd r; git config user.email t@example.org; git config user.name t
		for i in 1 2 3 4 5 6 7 8; do cp -r ../include/linux l\$i 2>/dev/null || cp -r /etc/default l\$i; git add -A; git commit -qm \$i; done
		git gc -q; git fsck --strict; git checkout -q HEAD~4; git status --porcelain | (! grep .); git clone -q . ../clone; rm -rf ../clone"
	else
		skip "$l git" "not installed"
	fi
	if command -v sqlite3 >/dev/null; then
		for mode in delete wal; do
			check "$l sqlite3 $mode" bash -e -c "
			sqlite3 $d/$mode.db 'pragma journal_mode=$mode; create table t(a integer primary key, b text);' >/dev/null
			{ echo 'begin;'; for i in \$(seq 2000); do echo \"insert into t(b) values('row \$i');\"; done; echo 'commit;'; } | sqlite3 $d/$mode.db
			for i in 1 2 3 4 5 6 7 8 9 10; do echo \"update t set b = b || 'x' where a % 10 = \$i;\"; done | sqlite3 $d/$mode.db
			test \$(sqlite3 $d/$mode.db 'select count(*) from t') = 2000
			test \"\$(sqlite3 $d/$mode.db 'pragma integrity_check')\" = ok"
		done
	else
		skip "$l sqlite3" "not installed"
	fi
	if command -v fio >/dev/null; then
		cd "$T" || exit 1	# fio leaves its verify state in the current directory
		for engine in "psync --direct=0" "psync --direct=1" "mmap --direct=0"; do
			check "$l fio verify ${engine// --/ }" fio --name=v --directory=$d --size=24M --bs=4k-64k --bsrange=4k-64k --rw=randwrite \
				--ioengine=${engine} --verify=crc32c --verify_fatal=1 --do_verify=1 --norandommap=0 --numjobs=2 --minimal --output="$T/fio"
			rm -f $d/v.*
		done
	else
		skip "$l fio" "not installed"
	fi
	check "$l remove it all" rm -rf $d/include $d/r $d/*.db*
	un
	check "$l e2fsck" fsck_clean "$I"
	rm -f "$I"
done

exit 0

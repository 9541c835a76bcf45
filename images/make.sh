#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Make the bundled images again: images/make.sh [NAME...].  As root, with
# e2fsprogs, python3 and the kernel's ext4 driver, which fills them; the FAT images
# (fat.py) need dosfstools, mtools and python3 only, and no root.  Each image is
# a row of a table here or there; README.md says what it is for.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/dev/shm}/fuseblk-images.XXXXXX")
trap 'umount "$work/mnt" 2>/dev/null || true; rm -rf "$work"' EXIT
mkdir "$work/mnt"
fixed() { echo "-U 66757365-626c-6b00-8000-$(printf '%012x' "$1") -E hash_seed=66757365-626c-6b00-9000-000000000001,lazy_itable_init=0,nodiscard,root_owner=0:0"; }

# name | size | fill | long names | mke2fs options (-O adds to none) | afterwards: debugfs commands or tune2fs:OPTIONS, ';' between
table='
ext2-1k        |4M |full |600|-t ext2 -b 1024 -I 128 -N 256|
ext2-2k        |6M |full |0  |-t ext2 -b 2048 -I 256 -N 256|
ext2-4k        |8M |full |0  |-t ext2 -b 4096 -I 256 -N 256|
ext2-old       |1M |small|0  |-t ext2 -b 1024 -r 0 -N 128|
ext3           |6M |full |0  |-t ext4 -O ^64bit,^metadata_csum,^extent,^flex_bg,^huge_file,^dir_nlink,^has_journal -b 1024 -I 256 -N 256|tune2fs:-j -J size=1
ext4           |12M|full |6000|-t ext4 -O ^has_journal -b 4096 -I 256 -N 256|tune2fs:-j -J size=4
ext4-1k        |6M |full |600|-t ext4 -O ^has_journal -b 1024 -I 256 -N 256|tune2fs:-j -J size=1
ext4-512inode  |4M |full |0  |-t ext4 -O ^has_journal -b 2048 -I 512 -N 256|
f-sparse_super2|40M|small|0  |-t ext4 -O ^has_journal,^resize_inode,sparse_super2 -b 1024 -N 512|
f-meta_bg      |24M|small|0  |-t ext4 -O ^has_journal,^resize_inode,meta_bg,^flex_bg -b 1024 -N 512|
f-uninit_bg    |24M|small|0  |-t ext4 -O ^has_journal,^metadata_csum,uninit_bg -b 1024 -N 2048|
f-flex_bg      |24M|small|0  |-t ext4 -O ^has_journal,flex_bg,^64bit -G 4 -b 1024 -N 512|
f-csum_seed    |2M |small|0  |-t ext4 -O ^has_journal,metadata_csum,metadata_csum_seed -b 1024 -N 128|tune2fs:-U 66757365-626c-6b00-8000-0000000000ff
f-large_dir    |3M |small|600|-t ext4 -O ^has_journal,large_dir -b 1024 -N 128|
f-dir_nlink    |2M |small|0  |-t ext4 -O ^has_journal,dir_nlink -b 1024 -N 128|
f-huge_file    |2M |small|0  |-t ext4 -O ^has_journal,huge_file -b 1024 -N 128|
f-inline_data  |3M |full |0  |-t ext4 -O ^has_journal,inline_data -b 1024 -I 256 -N 256|
f-ea_inode     |4M |ea   |0  |-t ext4 -O ^has_journal,ea_inode -b 1024 -I 256 -N 256|
f-orphan_file  |6M |small|0  |-t ext4 -O has_journal,orphan_file -J size=1 -b 1024 -N 128|
f-quota        |3M |small|0  |-t ext4 -O ^has_journal -b 1024 -N 128|tune2fs:-O quota
f-project      |3M |small|0  |-t ext4 -O ^has_journal -b 1024 -I 256 -N 128|tune2fs:-O quota,project
f-bigalloc     |12M|small|0  |-t ext4 -O ^has_journal,bigalloc -C 16384 -b 1024 -N 128|
f-verity       |2M |small|0  |-t ext4 -O ^has_journal -b 1024 -N 128|feature verity
f-mmp          |2M |small|0  |-t ext4 -O ^has_journal -b 1024 -N 128|tune2fs:-O mmp
f-shared_blocks|2M |small|0  |-t ext4 -O ^has_journal -b 1024 -N 128|feature shared_blocks
f-encrypt      |2M |none |0  |-t ext4 -O ^has_journal,encrypt -b 1024 -N 128|
f-casefold     |2M |none |0  |-t ext4 -O ^has_journal,casefold -E encoding=utf8 -b 1024 -N 128|
f-journal_dev  |2M |none |0  |-O journal_dev -b 1024|
f-unknown_incompat|2M|small|0|-t ext4 -O ^has_journal,^metadata_csum -b 1024 -N 128|patch 1120 le32 | 0x80000000
f-unknown_ro   |2M |small|0  |-t ext4 -O ^has_journal,^metadata_csum -b 1024 -N 128|patch 1124 le32 | 0x80000000
'

fill() { # IMAGE WHAT LONGNAMES
	[ "$2" = none ] && return
	mount -t ext4 -o loop,user_xattr,acl "$1" "$work/mnt"
	if [ "$2" = ea ]; then
		python3 "$here/populate.py" "$work/mnt" full
		for i in 1 2; do
			head -c 200 /dev/zero | tr '\0' 'e' >"$work/mnt/big-$i"
			python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.big", b"large " * 2000); os.setxattr(sys.argv[1], "user.mid", b"m" * 900)' "$work/mnt/big-$i"
		done
	else
		python3 "$here/populate.py" "$work/mnt" "$2" "$3"
	fi
	umount "$work/mnt"
}

afterwards() { # IMAGE COMMANDS
	local step
	[ -z "$2" ] && return
	while IFS= read -r -d';' step; do
		case $step in
		tune2fs:*) tune2fs ${step#tune2fs:} "$1" >/dev/null ;;
		patch*) python3 - "$1" $step <<'P'
import struct, sys
path, _, off, _, op, value = sys.argv[1:]
with open(path, "r+b") as f:
    f.seek(int(off)); old = struct.unpack("<I", f.read(4))[0]
    f.seek(int(off)); f.write(struct.pack("<I", old | int(value, 0)))
P
		;;
		*) debugfs -w -R "$step" "$1" 2>/dev/null ;;
		esac
	done <<<"$2;"
}

pack() { # IMAGE NAME
	gzip -9nc "$1" >"$here/$2.img.gz"
	printf '%-24s %7d bytes\n' "$2" "$(stat -c %s "$here/$2.img.gz")"
}

wanted() { [ ${#want[@]} = 0 ] || [[ " ${want[*]} " == *" $1 "* ]]; }

want=("$@")
number=0
while IFS='|' read -r name size what long options after; do
	name=${name// /} size=${size// /} what=${what// /} long=${long// /}
	number=$((number + 1))
	[ -n "$name" ] && wanted "$name" || continue
	img=$work/$name.img
	truncate -s "$size" "$img"
	extra=$(fixed $number)
	[[ $options == *encoding=* || $name == f-journal_dev ]] && extra="-U 66757365-626c-6b00-8000-$(printf '%012x' $number)"
	mke2fs -q -F $extra -L "${name:0:16}" $options "$img" >/dev/null 2>&1 || { echo "$name: mke2fs failed" >&2; exit 1; }
	fill "$img" "$what" "$long"
	afterwards "$img" "$after"
	pack "$img" "$name"
done <<<"$table"

# A journal with something in it: the image is copied while it is mounted.
if wanted f-needs_recovery; then
	img=$work/recover.img
	truncate -s 4M "$img"
	mke2fs -q -F $(fixed 100) -t ext4 -J size=1 -b 1024 -N 128 -L needs_recovery "$img"
	mount -t ext4 -o loop "$img" "$work/mnt"
	python3 "$here/populate.py" "$work/mnt" small
	sync -f "$work/mnt"
	cp --sparse=always "$img" "$work/f-needs_recovery.img"
	umount "$work/mnt"
	pack "$work/f-needs_recovery.img" f-needs_recovery
fi
# Inodes on the orphan list, as unlinked open files leave them after a crash.
if wanted f-orphans; then
	img=$work/f-orphans.img
	truncate -s 2M "$img"
	mke2fs -q -F $(fixed 101) -t ext2 -b 1024 -I 256 -N 128 -L orphans "$img"
	mount -t ext4 -o loop "$img" "$work/mnt"
	python3 "$here/populate.py" "$work/mnt" small
	head -c 20000 /dev/zero | tr '\0' o >"$work/mnt/open-1"
	echo short >"$work/mnt/open-2"
	one=$(stat -c %i "$work/mnt/open-1") two=$(stat -c %i "$work/mnt/open-2")
	umount "$work/mnt"
	debugfs -w -f - "$img" >/dev/null 2>&1 <<-D
	unlink open-1
	unlink open-2
	sif <$one> links_count 0
	sif <$two> links_count 0
	sif <$one> dtime $two
	sif <$two> dtime 0
	ssv last_orphan $one
	D
	pack "$img" f-orphans
fi

python3 "$here/corrupt.py" "$work" "$here" "$@"
python3 "$here/fat.py" "$work" "$here" "$@"

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Devices: loop devices of both sector sizes with every block size, image files, gzip images.
. "$(dirname "$0")/lib.sh"
for sector in 512 4096; do
	for block in 1024 2048 4096; do
		I=$T/s$sector-b$block.img l="sector $sector block $block"
		mkfs "$I" 16M -t ext2 -b $block
		L=$(losetup -f --show -b $sector "$I") || { skip "$l" "no loop device of that sector size"; continue; }
		if [ $sector -gt $block ]; then
			# the kernel cannot mount this either: either answer, but a clean one
			if err=$(fuse "$L" 2>&1); then un; ok "$l mounts"; else ok "$l refused"; say "$err"; fi
		else
			check "$l mounts" fuse "$L"
			if mounted; then
				same "$l f_bsize" $block "$(stat -f -c %S "$MNT")"
				py "
f = open('$MNT/f', 'wb')
for i in range(300): f.seek(i * 3333); f.write(b'%d' % i)
f.close()" && sha=$(sha1sum <"$MNT/f")
				un
				fuse "$L"
				same "$l reads back" "$sha" "$(sha1sum <"$MNT/f")"
				check "$l O_DIRECT" dd if=/dev/urandom of="$MNT/direct" bs=4096 count=50 oflag=direct status=none
				check "$l O_DIRECT read" dd if="$MNT/direct" of=/dev/null bs=4096 iflag=direct status=none
				check "$l mmap" py "
import mmap
fd = os.open('$MNT/m', os.O_RDWR | os.O_CREAT); os.ftruncate(fd, 20000)
m = mmap.mmap(fd, 20000); m[5000:5005] = b'hello'; m.flush(); m.close(); os.close(fd)
assert open('$MNT/m','rb').read()[5000:5005] == b'hello'"
				un
			fi
		fi
		losetup -d "$L"
		check "$l e2fsck" fsck_clean "$I"
		rm -f "$I"
	done
done
mkfs "$T/a.img" 16M -t ext2
rw "$T/a.img"
exec 5<"$MNT"
check "fuser" fuser -m "$MNT"
exec 5<&-
(cd "$MNT" && refuse "umount while in use" umount "$MNT")
un
mkfs "$T/z.img" 64M -t ext2
kernel "$T/z.img"
cp -r /usr/include/linux "$T/kernel/" 2>/dev/null || cp -r /etc "$T/kernel/"
head -c 20M </dev/urandom >"$T/kernel/noise"
(cd "$T/kernel" && $TREE --without=atime . >"$T/want")
un "$T/kernel"
gzip -1c "$T/z.img" >"$T/z.img.gz"
check "a gzip image" fuse "$T/z.img.gz"
same "reads like the image" "$(cat "$T/want")" "$(cd "$MNT" && $TREE .)"
check "random access to it" py "
import random
fd = os.open('$MNT/noise', os.O_RDONLY)
for i in range(60): os.pread(fd, 4096, random.randrange(20 << 20))"
refuse "remount rw of it" mount -o remount,rw "$MNT"
check "status by the image's name" fuseblk status "$T/z.img.gz"
check "remount ro of it finds our helper" mount -o remount,ro,noatime "$MNT"
same "the remount took effect" 1 "$(findmnt -n -o OPTIONS -M "$MNT" | grep -cw noatime)"
un
check "with index=" fuse "$T/z.img.gz" "index=$T/z.index"
mounted && un
check "the index is used again" fuse "$T/z.img.gz" "index=$T/z.index"
mounted && { cmp "$MNT/noise" <(dd if=/dev/null 2>/dev/null) >/dev/null 2>&1; un; }
truncate -s 1T "$T/huge.img"
mke2fs -q -F -t ext4 -E nodiscard,lazy_itable_init=1 -O ^has_journal "$T/huge.img" 2>/dev/null
s=$(date +%s%N)
fuse "$T/huge.img"
e=$(date +%s%N)
say "1 TiB mounted in $(((e - s) / 1000000)) ms"
check "a 1 TiB image mounts within 2 s" test $(((e - s) / 1000000)) -lt 2000
echo x >"$MNT/f"
s=$(date +%s%N)
sync "$MNT/f"
e=$(date +%s%N)
say "fsync on it: $(((e - s) / 1000)) us"
un
rm -f "$T/huge.img"

exit 0

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A fatal signal ends long calls and waits for a commit within 100 ms; one that has a handler ends nothing.
. "$(dirname "$0")/lib.sh"
S="python3 $HERE/signals.py"
LIMIT=100

# ends NAME kill|both CALL ARGS...: in time; the machine may be busy, so that one of three tries counts.
ends() {
	local name=$1 ms= try
	shift
	for try in 1 2 3; do
		ms=$($S "$@" 2>&1)
		[[ $ms =~ ^[0-9]+$ ]] || break
		[ "$ms" -le $LIMIT ] && break
	done
	[[ $ms =~ ^[0-9]+$ ]] && [ "$ms" -le $LIMIT ] && ok "$name" || not_ok "$name" "$ms ms"
	say "$name: $ms ms"
}

# Free space in 131,072 pieces, on a loop device, which takes its time to discard each.
I=$T/pieces.img
mkfs "$I" 640M -t ext4 -b 4096 -g 32768 -O ^has_journal,^metadata_csum -m 0
(
	echo "write /dev/null pieces"
	echo "fallocate pieces 0 131071"
	seq 1 2 131071 | sed 's/.*/punch pieces & &/'
) >"$T/commands"
debugfs -w -f "$T/commands" "$I" >/dev/null 2>&1
L=$(losetup -f --show "$I")
fuse "$L"
ends "FITRIM, killed" kill trim "$MNT"
ends "FITRIM, a handled signal, then killed" both trim "$MNT"
check "FITRIM, handled signals" $S user trim "$MNT"
for how in kill both; do
	ends "fallocate, $how" $how allocate "$MNT/a" 300000000
	rm -f "$MNT/a"
	sync -f "$MNT"
done
check "fallocate, handled signals" $S user allocate "$MNT/a" 300000000
same "... has all of it" 300000000 "$(stat -c %s "$MNT/a")"
rm -f "$MNT/a"
un
check "e2fsck after that" fsck_clean "$L"
losetup -d "$L"
rm -f "$I"

mkfs "$T/copy.img" 5G -t ext4 -O ^has_journal
rw "$T/copy.img"
truncate -s 1G "$MNT/from"
for how in kill both; do
	ends "copy_file_range, $how" $how copy "$MNT/from" "$MNT/to" 1073741824
	rm -f "$MNT/to"
done
head -c 200M /dev/urandom >"$MNT/from2"
check "copy_file_range, handled signals" $S user copy "$MNT/from2" "$MNT/to" 209715200
check "... has copied it" cmp "$MNT/from2" "$MNT/to"
un
rm -f "$T/copy.img"

# A device whose flushes last long from one moment on: the driver's fdatasync() is replaced.
if [ -z "${MOUNT_FUSEBLK_BUILD:-}" ] || ! command -v cc >/dev/null; then
	skip "waits for a commit" "needs a build tree and cc"
	exit 0
fi
echo n >"$T/slow"
cat >"$T/slow.c" <<'C'
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
static volatile char *slow;
__attribute__((constructor)) static void begin(void)
{
	int fd = open(SLOW, O_RDONLY | O_CLOEXEC);

	slow = mmap(0, 1, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
}
int fdatasync(int fd)
{
	if (*slow == 's')
		usleep(700000);
	return syscall(SYS_fdatasync, fd);
}
C
cc -D_GNU_SOURCE -DSLOW="\"$T/slow\"" -shared -fPIC -o "$T/slow.so" "$T/slow.c"
mkdir "$T/libexec"
printf '#!/bin/sh\nLD_PRELOAD=%s exec %s "$@"\n' "$T/slow.so" "$MOUNT_FUSEBLK_BUILD/fs-ext2/ext2" >"$T/libexec/ext2"
chmod 755 "$T/libexec/ext2"
mkfs "$T/slow.img" 64M -t ext2
FSCK_LIST+=("$T/slow.img")
FUSEBLK_LIBEXECDIR=$T/libexec "$MOUNT_FUSEBLK_BUILD/mount.fuseblk/mount.fuseblk" "$T/slow.img" "$MNT" -o commit=900
head -c 1M /dev/zero >"$MNT/data"
for how in kill both; do
	echo n >"$T/slow"
	for i in 1 2 3 4 5 6 7 8; do echo $i >"$MNT/f$i"; sync -f "$MNT"; done	# so that commits are expected to be quick
	echo s >"$T/slow"
	echo x >"$MNT/small"
	ends "fsync that commits itself, $how" $how fsync "$MNT/small"
	ends "fsync that waits for a commit, $how" $how fsync "$MNT/data"
	echo x >"$MNT/other"
	ends "syncfs, $how" $how syncfs "$MNT"
done
echo x >"$MNT/small"
check "fsync, handled signals" $S user fsync "$MNT/small"
echo n >"$T/slow"
un

exit 0

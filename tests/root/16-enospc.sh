#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A full volume, and write errors.
. "$(dirname "$0")/lib.sh"
for type in ext2 ext4; do
	I=$T/$type.img l=$type
	mkfs "$I" 16M -t $type -m 0 -O ^has_journal
	rw "$I" || exit 1
	F=$(stat -f -c %a "$MNT")
	mkdir "$MNT/keep"
	check "$l write until full" python3 - "$MNT" <<'P'
import errno, os, sys
d, full = sys.argv[1], False
fd = os.open(d + "/fill", os.O_CREAT | os.O_WRONLY)
for step in (lambda: [os.write(fd, b"f" * 65536) for _ in range(512)], lambda: os.fsync(fd), lambda: os.close(fd)):
    try:        # with the writeback cache fsync and close say it, else write
        step()
    except OSError as e:
        assert e.errno == errno.ENOSPC, e
        full = True
assert full, "32 MiB fit on 16 MiB"
assert os.stat(d + "/fill").st_blocks > 16 << 10
P
	check "$l nearly nothing is free" test "$(stat -f -c %a "$MNT")" -lt 300
	err=$(cp /bin/bash "$MNT/no" 2>&1)
	check "$l the error says no space" grep -qi "space" <<<"$err"
	expect_errno "$l fallocate on a full volume" ENOSPC "os.posix_fallocate(os.open('$MNT/pre', os.O_CREAT | os.O_RDWR), 0, 10 << 20)"
	rm -f "$MNT/no" "$MNT/pre" "$MNT/fill"
	check "$l removed files give space at once" python3 - "$MNT" <<'P'
import os, sys
for round in range(5):
    p = sys.argv[1] + "/again"
    with open(p, "wb") as f:
        for _ in range(80): f.write(b"r" * 131072)
        f.flush(); os.fsync(f.fileno())
    os.unlink(p)
P
	check "$l an unlinked, closed file's space is found before ENOSPC" python3 - "$MNT" <<'P'
import os, sys
for round in range(10):
    fd = os.open(sys.argv[1] + "/u", os.O_CREAT | os.O_RDWR)
    os.unlink(sys.argv[1] + "/u")
    for _ in range(90): os.write(fd, b"u" * 131072)
    os.fsync(fd)
    os.close(fd)
P
	un
	check "$l e2fsck" fsck_clean "$I"
done
I=$T/inodes.img
mkfs "$I" 16M -t ext2 -N 64
rw "$I"
expect_errno "no inodes left" ENOSPC "
for i in range(100): open('$MNT/f%d' % i, 'w')"
rm "$MNT"/f*
check "and free again" touch "$MNT/f1"
un
mkfs "$T/res.img" 16M -t ext2 -m 20 -b 1024
rw "$T/res.img"
chmod 777 "$MNT"
A=$(setpriv --reuid=1000 --regid=1000 --clear-groups python3 - "$MNT" <<'P'
import errno, os, sys
fd = os.open(sys.argv[1] + "/user", os.O_CREAT | os.O_WRONLY); n = 0
try:
    while True: n += os.write(fd, b"f" * 65536); os.fsync(fd)
except OSError as e:
    assert e.errno == errno.ENOSPC, e
print(n >> 20)
P
)
check "the reserve is kept from users" test "${A:-99}" -le 13
check "and given to root" dd if=/dev/zero of="$MNT/root" bs=64k count=32 conv=fsync status=none
un

# write errors: a device-mapper target, where the kernel has one
if command -v dmsetup >/dev/null && dmsetup targets 2>/dev/null | grep -q error; then
	mkfs "$T/err.img" 32M -t ext2
	L=$(losetup -f --show "$T/err.img")
	S=$(blockdev --getsz "$L")
	D=fuseblk-test-$$
	dmsetup create $D --table "0 $S linear $L 0"
	mount -t fuseblk /dev/mapper/$D "$MNT"
	echo before >"$MNT/f"
	sync "$MNT/f"
	dmsetup suspend $D
	dmsetup load $D --table "0 $S error"
	dmsetup resume $D
	expect_errno "a failed write-back is reported by fsync" EIO "
fd = os.open('$MNT/g', os.O_CREAT | os.O_WRONLY); os.write(fd, b'x' * 100000); os.fsync(fd)"
	umount "$MNT"
	mounted && { not_ok "umount with a dead device"; umount -l "$MNT"; } || ok "umount with a dead device"
	until_ok 50 dmsetup remove $D
	losetup -d "$L"
else
	skip "write errors" "no device-mapper error target here"
fi

exit 0

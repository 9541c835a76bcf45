#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The device is lost under load: errors to callers, one line with its name, no hang, and an umount that leaves nothing.
. "$(dirname "$0")/lib.sh"
LOG=$T/log

# Writers and a reader that go on until something fails; each prints the errno that ended it.
load() {
	rm -f "$T"/end.*
	for i in 1 2 3; do
		timeout 60 python3 - "$MNT" "$i" >"$T/end.$i" 2>&1 <<'P' &
import errno, os, sys, time
top, me = sys.argv[1], sys.argv[2]
until = time.monotonic() + 8
try:
    n = 0
    while time.monotonic() < until:
        d = "%s/%s-%d" % (top, me, n)
        os.mkdir(d)
        fd = os.open(d + "/f", os.O_CREAT | os.O_RDWR)
        os.write(fd, os.urandom(50000))
        if n % 5 == 0: os.fsync(fd)
        os.close(fd)
        os.rename(d + "/f", d + "/g")
        if n >= 20:
            os.unlink("%s/%s-%d/g" % (top, me, n - 20)); os.rmdir("%s/%s-%d" % (top, me, n - 20))
        n += 1
    print("went on")
except OSError as e:
    print(errno.errorcode[e.errno])
P
	done
	sleep 1
}
# lost NAME ERRNOS: the load has ended, with these; fsync fails, the log has one line, umount works.
lost() {
	local ends
	wait
	ends=$(sort -u "$T"/end.* | tr '\n' ' ')
	check "$1: writers are told: $ends" grep -qxE "(($2) )+" <<<"$ends"
	got=$(py "
try:
    fd = os.open('$MNT/last', os.O_CREAT | os.O_WRONLY); os.write(fd, b'x' * 100000); os.fsync(fd)
    print('success')
except OSError as e: print(errno.errorcode[e.errno])")
	check "$1: so is fsync: $got" grep -qxE "$2" <<<"$got"
	got=$(grep -c 'writing to the device failed' "$LOG")
	# What the full filesystem had room for may have been all that a commit needed.
	if [ "$got" = 0 ] && [[ $1 == *full* ]]; then
		ok "$1: no commit failed"
	else
		same "$1: one line about it" 1 "$got"
		check "$1: with the name" grep -q "$3: writing to the device failed" "$LOG"
	fi
	check "$1: few lines at all" test "$(wc -l <"$LOG")" -le 25
	say "$(head -3 "$LOG")"
	check "$1: umount" timeout 60 umount "$MNT"
	mounted && umount -l "$MNT"
	until_ok 50 no_new_drivers && ok "$1: no driver" || not_ok "$1: no driver"
}

# begin SOURCE OPTIONS
begin() {
	: >"$LOG"
	fuse "$1" "log=$LOG,commit=1${2:+,$2}" || { not_ok "mount $1"; return 1; }
}

for size in 0 5M; do
	mkfs "$T/cut.img" 64M -t ext2
	begin "$T/cut.img" && {
		load
		truncate -s "$size" "$T/cut.img"
		lost "image cut to $size" "EIO|EUCLEAN|EROFS" "$T/cut.img"
	}
done
mkfs "$T/loop.img" 64M -t ext2
L=$(losetup -f --show "$T/loop.img")
begin "$L" && {
	load
	losetup -d "$L"		# takes effect when the driver closes it
	sleep 1
	same "a loop device that is to go: nobody notices" "" "$(cat "$T"/end.*)"
	kill $(jobs -p)
	wait
	check "a loop device that is to go: umount" timeout 60 umount "$MNT"
	until_ok 50 no_loops && ok "a loop device that is to go: it has gone" || not_ok "a loop device that is to go: it has gone"
	check "a loop device that is to go: clean" fsck_clean "$T/loop.img"
}

# A sparse image on a full tmpfs, by itself and below a loop device.
mkdir "$T/small"
for how in image device; do
	mount -t tmpfs -o size=8M none "$T/small"
	I=$T/small/sparse.img
	mkfs "$I" 64M -t ext2
	[ $how = device ] && I=$(losetup -f --show "$I")
	begin "$I" && {
		load
		lost "$how on a full filesystem" "EIO|ENOSPC" "$I"
	}
	[ $how = device ] && losetup -d "$I"
	until_ok 30 umount "$T/small" && ok "$how: its filesystem is free" || { not_ok "$how: its filesystem is free"; umount -l "$T/small"; }
done

exit 0

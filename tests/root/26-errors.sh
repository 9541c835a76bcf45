#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# errors=: what is done when damage is met. A damaged directory is listed on a volume that is being written to.
. "$(dirname "$0")/lib.sh"
LOG=$T/log
export LOG

# damaged POLICY: a volume with a damaged directory, mounted, something made durable, then the damage met.
damaged() {
	rm -f "$LOG"
	I=$(image bad-dir-reclen0)
	fuse "$I" "errors=$1,log=$LOG" || { not_ok "$1: mount"; return 1; }
	P=$(driver_of "$I")
	py "
fd = os.open('$MNT/kept', os.O_CREAT | os.O_WRONLY)
os.write(fd, b'kept' * 1000); os.fsync(fd); os.close(fd)
open('$MNT/before', 'w').write('x')"
	got=$(py "
try: os.listdir('$MNT/dir')
except OSError as e: print(errno.errorcode[e.errno])")
	# listdir asks twice: the driver may have ended in between
	check "$1: who meets it is told, not $got" grep -qxE "EUCLEAN${2:-}" <<<"$got"
	check "$1: a line in the log" grep -q "$I: damaged: inode [0-9]*: .*run fsck" "$LOG"
	same "$1: each line of damage once" "$(grep "damaged: " "$LOG" | sort | uniq -d | wc -l)" 0
}
# repaired POLICY: unmounted: the volume knows of its damage, e2fsck repairs it, what was synced is there.
repaired() {
	check "$1: umount" timeout 30 umount "$MNT"
	until_ok 50 test ! -e "/proc/$P" && ok "$1: the driver has ended" || not_ok "$1: the driver has ended"
	check "$1: marked as damaged" grep -q 'state:.*errors' <<<"$(dumpe2fs -h "$I" 2>/dev/null)"
	e2fsck -fy "$I" >"$T/fsck" 2>&1
	check "$1: e2fsck -fy repairs it" test $? -le 1
	check "$1: e2fsck -fn" fsck_clean "$I"
	fuse "$I" ro
	same "$1: what was synced" 4000 "$(stat -c %s "$MNT/kept")"
	un
}

damaged continue && {
	check "continue: still written" mkdir "$MNT/after"
	expect_errno "continue: met again" EUCLEAN "os.listdir('$MNT/dir')"
	check "continue: synced" sync -f "$MNT"
	repaired continue
}
damaged remount-ro && {
	expect_errno "remount-ro: no new name" EROFS "os.mkdir('$MNT/after')"
	expect_errno "remount-ro: no writing" EROFS "open('$MNT/kept', 'a')"
	check "remount-ro: still read" cat "$MNT/kept"
	check "remount-ro: said" grep -q 'read-only from now on' "$LOG"
	refuse "remount-ro: no way back" mount -o remount,rw "$MNT"
	check "remount-ro: that says why" grep -q 'damaged' "$T/out"
	repaired remount-ro
}
damaged panic '|ECONNABORTED|ENOTCONN' && {
	until_ok 50 test ! -e "/proc/$P" && ok "panic: the driver ends at once" || not_ok "panic: the driver ends at once"
	check "panic: said" grep -q 'ending, as errors=panic says' "$LOG"
	expect_errno "panic: the mount point" ENOTCONN "os.listdir('$MNT')"
	repaired panic
}
# What the kernel had collected when the volume became read-only is not lost in silence.
I=$(image bad-dir-reclen0)
fuse "$I" errors=remount-ro,commit=900
P=$(driver_of "$I")
expect_errno "remount-ro: collected writes fail in fsync" EROFS "
fd = os.open('$MNT/late', os.O_CREAT | os.O_WRONLY)
os.write(fd, b'late' * 1000)
try: os.listdir('$MNT/dir')
except OSError: pass
os.fsync(fd)"
mended() { timeout 30 umount "$MNT" && e2fsck -fy "$I" >/dev/null 2>&1; [ $? -le 1 ] && fsck_clean "$I"; }
check "remount-ro: umount and e2fsck after that" mended

exit 0

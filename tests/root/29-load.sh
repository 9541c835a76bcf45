#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Under load: the driver killed again and again, umount -l, the connection aborted, remounts, a volume that fills up.
# --all: more of each.
. "$(dirname "$0")/lib.sh"
I=$T/a.img
CONNECTIONS=/sys/fs/fuse/connections
[ -d $CONNECTIONS/. ] && mountpoint -q $CONNECTIONS || mount -t fusectl none $CONNECTIONS

# worker.py TOP NAME SECONDS PROMISES: works below TOP until an error ends it, and appends to PROMISES what it has synced.
cat >"$T/worker.py" <<'P'
import errno, os, sys, time
top, me, seconds, promises = sys.argv[1], sys.argv[2], float(sys.argv[3]), open(sys.argv[4], "a")
pace = float(os.environ.get("PACE", "0"))
ignored = [getattr(errno, e) for e in sys.argv[5:]]
until = time.monotonic() + seconds
n = 0
while time.monotonic() < until:
    n += 1
    time.sleep(pace)
    name = "%s/%s-%d" % (top, me, n)
    try:
        fd = os.open(name, os.O_CREAT | os.O_RDWR)
        try:
            data = (b"%d " % n) * (n * 37 % 3000)
            while data: data = data[os.write(fd, data):]
            if n % 4 == 0: os.fsync(fd)
        finally:
            os.close(fd)
        if n % 4 == 0: promises.write("%s %d\n" % (os.path.basename(name), n)); promises.flush()
        else:
            os.rename(name, name + "r")
            os.unlink(name + "r")
    except OSError as e:
        if e.errno not in ignored:
            print(errno.errorcode[e.errno])
            break
        time.sleep(0.001)
P
work() { # SECONDS [ERRNO...]: four workers in the background
	local i seconds=$1
	shift
	rm -f "$T"/end.* "$T"/promise.*
	for i in 1 2 3 4; do
		timeout 100 python3 "$T/worker.py" "$MNT" "w$ROUND.$i" "$seconds" "$T/promise.$i" "$@" >"$T/end.$i" 2>&1 &
	done
}
ends() { sort -u "$T"/end.* | tr '\n' ' '; }
# kept: every promise of this round is kept.
kept() {
	cat "$T"/promise.* >"$T/promises"
	py "
for line in open('$T/promises'):
    name, n = line.split(); n = int(n)
    assert open('$MNT/' + name, 'rb').read() == (b'%d ' % n) * (n * 37 % 3000), name"
}
repair() { e2fsck -p "$I" >"$T/fsck" 2>&1; [ $? -le 1 ] && fsck_clean "$I" >/dev/null; }
driver() { driver_of "$(source_of)" || driver_of "$I"; }

# 07-kill.sh kills with one process; here four, on a volume that goes on being used.
mkfs "$I" 256M -t ext4 -O ^has_journal -N 65536
bad=
for ROUND in $(seq "$([ -n "${TEST_ALL:-}" ] && echo 50 || echo 4)"); do
	fuse "$I" commit=1 || { bad="mount $ROUND"; break; }
	rm -rf "$MNT"/w*
	work 20
	sleep "0.$((ROUND * 7 % 10))$((ROUND % 10))"
	kill -9 "$(driver)"
	wait
	[ "$(ends)" = "ENOTCONN " ] || [[ $(ends) =~ ^(ECONNABORTED |ENOTCONN |ENODEV |EIO )+$ ]] || bad="$bad round $ROUND: $(ends);"
	timeout 30 umount "$MNT" || { bad="$bad umount $ROUND;"; umount -l "$MNT"; }
	until_ok 30 no_loops || bad="$bad loop device $ROUND;"
	repair || { bad="$bad e2fsck $ROUND: $(head -5 "$T/fsck" | tr '\n' ' ')"; e2fsck -fy "$I" >/dev/null 2>&1; }
	fuse "$I" ro || { bad="$bad mount ro $ROUND"; break; }
	kept >"$T/out" 2>&1 || bad="$bad promise $ROUND: $(tail -1 "$T/out");"
	un
done
same "killed under load $ROUND times" "" "$bad"

ROUND=l
rw "$I"
P=$(driver)
work 2 ENOENT	# made in the mount, looked for below it
sleep 0.7
check "umount -l under load" umount -l "$MNT"
refuse "... is no mount point any more" mountpoint -q "$MNT"
wait
same "... the workers, by path, leave the mount" "" "$(ends)"
until_ok 100 test ! -e "/proc/$P" && ok "... the driver ends with its last user" || not_ok "... the driver ends with its last user"
until_ok 30 no_loops && ok "... so does the loop device" || not_ok "... so does the loop device"
check "... clean" fsck_clean "$I"
rm -rf "$MNT"/*

ROUND=b
fuse "$I"
P=$(driver)
work 20
sleep 0.7
N=$(mountpoint -d "$MNT")
check "abort" bash -c "echo 1 >$CONNECTIONS/\$((${N%:*} << 20 | ${N#*:}))/abort"
wait
check "... workers are told: $(ends)" grep -qxE '((ECONNABORTED|ENOTCONN|EIO|ENODEV) )+' <<<"$(ends)"
until_ok 50 test ! -e "/proc/$P" && ok "... the driver ends" || not_ok "... the driver ends"
check "... umount" timeout 30 umount "$MNT"
check "... e2fsck -p" repair
fuse "$I" ro
check "... what was synced is there" kept
un

ROUND=r
rw "$I" || exit 1
rm -rf "$MNT"/w*
export PACE=0.02	# else there is always a file open for writing
work 4 EROFS
changed=0
REMOUNTS=$([ -n "${TEST_ALL:-}" ] && echo 50 || echo 20)
for i in $(seq $REMOUNTS); do
	mount -o remount,ro "$MNT" 2>/dev/null && changed=$((changed + 1))
	sleep 0.0$((i % 5))
	mount -o remount,rw "$MNT" 2>"$T/out" || { not_ok "remount rw $i" "$(cat "$T/out")"; break; }
done
wait
same "remounted $REMOUNTS times under load" "" "$(ends)"
say "$changed of $REMOUNTS became read-only"
check "... all promises kept" kept
check "... umount" timeout 30 umount "$MNT"
check "... clean" fsck_clean "$I"

exit 0

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A FAT volume in trouble: the driver killed, the mount detached, aborted and remounted under load, long calls
# killed. What was synced is there, fsck.fat -a repairs the rest; marks, FSINFO and both tables are right after a good end.
. "$(dirname "$0")/lib.sh"
for c in mkfs.fat fsck.fat; do
	command -v $c >/dev/null || { skip "trouble" "no $c: apt-get install dosfstools"; exit 0; }
done
I=$T/fat.img LOG=$T/log
CONNECTIONS=/sys/fs/fuse/connections
mountpoint -q $CONNECTIONS || mount -t fusectl none $CONNECTIONS

volume() { # SIZE [mkfs options]
	rm -f "$I"
	truncate -s "$1" "$I"
	mkfs.fat "${@:2}" "$I" >"$T/out" 2>&1
}
fat() { fuse "$I" "utf8,log=$LOG${1:+,$1}" ${2:+"$2"}; }
driver() { driver_of "$(source_of)" || driver_of "$I"; }
promise() { # 20 files in kept/, synced
	py "
os.makedirs('$MNT/kept', exist_ok=True)
for i in range(20):
    fd = os.open('$MNT/kept/File number %d' % i, os.O_CREAT | os.O_WRONLY)
    os.write(fd, b'%d' % i * 5000); os.fsync(fd); os.close(fd)
d = os.open('$MNT/kept', os.O_RDONLY); os.fsync(d)"
}
kept() { py "
for i in range(20): assert open('$MNT/kept/FILE NUMBER %d' % i, 'rb').read() == b'%d' % i * 5000"; }
# Two loops, until something fails: directories and moves; names in other spellings.
load() {
	(
		i=0
		while mkdir "$MNT/d $i" && cp /etc/services "$MNT/d $i/f" && mv "$MNT/d $i/F" "$MNT/d $i/Another Name" &&
			mv "$MNT/d $i/another name" "$MNT/up$((i % 7))"; do
			[ $((i % 3)) = 0 ] && rm -r "$MNT/D $((i / 2))"
			i=$((i + 1))
		done
	) >"$T/out.1" 2>&1 &
	(
		while echo x >"$MNT/foo" && mv "$MNT/FOO" "$MNT/Bar" && rm "$MNT/BAR"; do :; done
	) >"$T/out.2" 2>&1 &
	sleep "${1:-0.5}"
}
gone() { ! kill -0 $LOAD 2>/dev/null; }
load_ends() { # NAME
	LOAD=$(jobs -p)
	check "$1: callers end" until_ok 200 gone
	kill $LOAD 2>/dev/null
	wait
}
# A directory with two names takes up to three runs: docs/differences.md.
repaired() {
	local s i
	for i in 1 2 3; do
		fsck.fat -a "$I" >"$T/fsck" 2>&1
		s=$?
		[ $s = 0 ] && return 0
		[ $s = 1 ] || return 1
	done
	fsck.fat -n "$I"
}
# marked: the mark "in use" of the boot sector and of entry 1; equal: copies of the table
marked() { py "
b = open('$I', 'rb').read(4096); fat32 = b[22:24] == b'\0\0'
at, = struct.unpack_from('<H', b, 14); at *= struct.unpack_from('<H', b, 11)[0]
f = open('$I', 'rb'); f.seek(at); t = f.read(8)
clean = t[7] & 8 if fat32 else t[3] & 0x80
sys.exit(not (b[65 if fat32 else 37] & 1 and not clean))"; }
equal_tables() { py "
f = open('$I', 'rb'); b = f.read(512); sector, = struct.unpack_from('<H', b, 11)
size = (struct.unpack_from('<H', b, 22)[0] or struct.unpack_from('<I', b, 36)[0]) * sector
f.seek(struct.unpack_from('<H', b, 14)[0] * sector)
assert f.read(size) == f.read(size)"; }

# ---- killed
ROUNDS=${TEST_ALL:+20}
for round in $(seq "${ROUNDS:-4}"); do
	case $((round % 3)) in 0) volume 64M -F 16 ;; 1) volume 64M -F 32 -s 1 ;; 2) volume 4M -F 12 ;; esac
	fat || { not_ok "mount $round"; continue; }
	promise
	load "0.$((round * 3 % 9 + 1))"
	kill -9 "$(driver)"
	load_ends "killed $round"
	expect_errno "killed $round: the mount point errs" ENOTCONN "os.listdir('$MNT')"
	check "killed $round: umount" timeout 60 umount "$MNT"
	[ $((round % 3)) = 2 ] || check "killed $round: it is marked" marked
	check "killed $round: fsck.fat -a repairs it" repaired
	fat || { not_ok "mount $round again"; continue; }
	check "killed $round: what was synced is there" kept
	check "killed $round: and goes on" cp /etc/services "$MNT/after"
	un
	check "killed $round: clean in the end" fsck.fat -n "$I"
done

# ---- detached, aborted, remounted
volume 64M -F 32 -s 1
fat
promise
P=$(driver)
load 0.7
check "umount -l under load" umount -l "$MNT"
kill $(jobs -p)
wait
until_ok 100 test ! -e "/proc/$P" && ok "umount -l: the driver ends" || not_ok "umount -l: the driver ends"
check "umount -l: clean" fsck.fat -n "$I"
rm -rf "$MNT"/*
fat
N=$(mountpoint -d "$MNT")
load 0.7
check "abort" bash -c "echo 1 >$CONNECTIONS/\$((${N%:*} << 20 | ${N#*:}))/abort"
load_ends "abort"
check "abort: umount" timeout 60 umount "$MNT"
check "abort: fsck.fat -a repairs it" repaired
fat
check "abort: what was synced is there" kept
load 0.1
for i in 1 2 3 4 5 6 7 8; do
	mount -o remount,ro "$MNT" 2>"$T/ro" && { mounted && grep -q . <(marked && echo marked) && not_ok "remount ro $i leaves the mark"; }
	mount -o remount,rw "$MNT" 2>>"$T/ro" || not_ok "remount rw $i" "$(cat "$T/ro")"
	sleep 0.1
done
kill $(jobs -p) 2>/dev/null
wait
check "remounts: what was synced is there" kept
refuse "a second mount is refused" fat "" "$T/kernel"
check "remounts: umount" timeout 60 umount "$MNT"
check "remounts: clean" fsck.fat -n "$I"
refuse "remounts: no mark" marked
check "remounts: equal tables" equal_tables

# ---- not a byte
sum=$(sha1sum <"$I")
fat ro && { find "$MNT" -type f -exec cat {} + >/dev/null; stat -f "$MNT" >/dev/null; touch "$MNT/no" 2>/dev/null; un; }
same "a read-only mount changes no byte" "$sum" "$(sha1sum <"$I")"
chmod 444 "$I"
L=$(losetup -r -f --show "$I")
mount -t fuseblk.fat "$L" "$MNT" 2>"$T/out" && { find "$MNT" -type f -exec cat {} + >/dev/null; un; }
losetup -d "$L"
same "nor does that of a read-only device" "$sum" "$(sha1sum <"$I")"
chmod 644 "$I"
fat noatime && { find "$MNT" -type f -exec cat {} + >/dev/null; ls -lR "$MNT" >/dev/null; stat -f "$MNT" >/dev/null; sync -f "$MNT"; un; }
same "nor one that could write and does not" "$sum" "$(sha1sum <"$I")"

# ---- killed calls
# killed CALL ARGS...: what ended before the signal came is fine, too
killed() {
	local ms
	ms=$(timeout 60 python3 "$HERE/signals.py" kill "$@" 2>"$T/out") || { grep -q "ended before" "$T/out" && ms=0; }
	check "SIGKILL in $1: gone after ${ms:-?} ms" test "${ms:-9999}" -lt 1500
}
volume 8G -F 32 -s 8
fat
killed allocate "$MNT/a" 3221225472
killed grow "$MNT/b" 3221225472
killed write "$MNT/c" 3221225472
killed trim "$MNT"
killed syncfs "$MNT"
rm -f "$MNT"/[abc]
check "killed calls: umount" timeout 120 umount "$MNT"
check "killed calls: clean" fsck.fat -n "$I"
volume 2T -F 32 -s 128
s=$(date +%s%N)
fat && ok "2 TiB" || not_ok "2 TiB"
say "2 TiB mounted in $((($(date +%s%N) - s) / 1000000)) ms"
killed statfs "$MNT"
un
refuse "2 TiB: no mark" marked

exit 0

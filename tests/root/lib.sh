# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# lib.sh: what the root tests share.  A test sources it, makes images, mounts them and
# reports with check, ok, not_ok and skip.  At its end everything is unmounted, e2fsck -fn must
# be content with every image that was mounted read-write, and no loop device,
# process or kernel warning may be left.
set -u
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SRC=$(cd "$HERE/../.." && pwd)
NAME=$(basename "$0" .sh)
T=${TEST_WORK:?run by tests/root/run}/$NAME
MNT=$T/mnt
IMAGES=$SRC/images
TREE="python3 $HERE/treehash.py"
# FUSE asks for the time of birth from Linux 6.6 on
[ "$(printf '%s\n' 6.6 "$(uname -r)" | sort -V | head -n 1)" = 6.6 ] || TREE="$TREE --without=btime"
HELPER=/sbin/mount.fuseblk
FSCK_LIST=()
PATH=${MOUNT_FUSEBLK_BUILD:+$MOUNT_FUSEBLK_BUILD/mount.fuseblk:}/usr/sbin:/usr/bin:/sbin:/bin:$PATH
mkdir -p "$MNT" "$T/kernel"
chmod 755 "$T" "$MNT"
umask 022

ok() { echo "ok $NAME/$1"; }
not_ok() { echo "not ok $NAME/$1${2:+ # $2}"; }
skip() { echo "skip $NAME/$1${2:+ # $2}"; }
say() { echo "# $*"; }

# check NAME COMMAND...: passes if the command does.
check() {
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then ok "$name"; else not_ok "$name" "status $?: $*"; [ -n "$out" ] && echo "$out" | head -20 | sed 's/^/#   /'; fi
}
# refuse NAME COMMAND...: passes if the command fails.
refuse() {
	local name=$1
	shift
	if "$@" >"$T/out" 2>&1; then not_ok "$name" "succeeded: $*"; else ok "$name"; fi
}
# same NAME A B: passes if both texts are equal.
same() {
	if [ "$2" = "$3" ]; then ok "$1"; else
		not_ok "$1" "differs"
		diff <(echo "$2") <(echo "$3") | head -20 | sed 's/^/#   /'
	fi
}
# expect_errno NAME ERRNO PYTHON: a statement that must raise this OSError.
expect_errno() {
	local got
	got=$(python3 - "$3" <<'P'
import errno, os, sys, fcntl, ctypes, socket, stat, struct
try:
    exec(sys.argv[1])
    print("success")
except OSError as e:
    print(errno.errorcode.get(e.errno, e.errno))
P
	)
	same "$1" "$2" "$got"
}
py() { python3 -c "import errno, os, sys, fcntl, ctypes, socket, stat, struct, time
$1" "${@:2}"; }

# image NAME: an unpacked copy of a bundled image; prints its path.
image() {
	gunzip -c "$IMAGES/$1.img.gz" >"$T/$1.img" && echo "$T/$1.img"
}
# mkfs FILE SIZE [mke2fs options]
mkfs() {
	local file=$1 size=$2
	shift 2
	rm -f "$file"
	truncate -s "$size" "$file"
	mke2fs -q -F -E nodiscard "$@" "$file" 2>&1 | grep -v '2038'
	return "${PIPESTATUS[0]}"
}
# partitions FILE dos|gpt: a table with partition 1 at 1 MiB and 2 at 20 MiB, 8 MiB each.
partitions() {
	py "
import binascii, uuid
path, kind = sys.argv[1:]
size = os.path.getsize(path) // 512
parts = [(2048, 16384), (40960, 16384)]
def mbr(entries):
    b = bytearray(512)
    for i, (t, start, n) in enumerate(entries): struct.pack_into('<B3sB3sII', b, 446 + 16 * i, 0, b'', t, b'', start, n)
    b[510:] = b'\x55\xaa'
    return bytes(b)
with open(path, 'r+b') as f:
    if kind == 'dos':
        f.write(mbr([(0x83, s, n) for s, n in parts]))
    else:
        f.write(mbr([(0xee, 1, size - 1)]))
        linux = uuid.UUID('0fc63daf-8483-4772-8e79-3d69d8477de4').bytes_le
        table = b''.join(struct.pack('<16s16sQQQ72s', linux, uuid.UUID(int=i + 1).bytes_le, s, s + n - 1, 0, ('part%d' % (i + 1)).encode('utf-16le')) for i, (s, n) in enumerate(parts)).ljust(128 * 128, b'\0')
        def header(me, other, at):
            h = lambda c: struct.pack('<8sIIIIQQQQ16sQIII', b'EFI PART', 0x10000, 92, c, 0, me, other, 34, size - 34, uuid.UUID(int=99).bytes_le, at, 128, 128, binascii.crc32(table))
            return h(binascii.crc32(h(0)))
        f.seek(512); f.write(header(1, size - 1, 2)); f.seek(1024); f.write(table)
        f.seek((size - 33) * 512); f.write(table); f.seek((size - 1) * 512); f.write(header(size - 1, 1, size - 33))
" "$@"
}
# fuse SOURCE [OPTIONS] [DIR]: mount through mount(8).
fuse() { mount -t fuseblk ${2:+-o "$2"} "$1" "${3:-$MNT}"; }
# rw IMAGE [OPTIONS]: mount read-write; the image is checked at the end.
rw() {
	[[ " ${FSCK_LIST[*]-} " == *" $1 "* ]] || FSCK_LIST+=("$1")
	fuse "$@"
}
kernel() { mount -t ext4 -o "loop${2:+,$2}" "$1" "${3:-$T/kernel}"; }
un() { umount "${1:-$MNT}"; }
mounted() { mountpoint -q "${1:-$MNT}"; }
fsck_clean() { e2fsck -fn "$1"; }
drivers() { # process ids of drivers
	local p exe
	for p in /proc/[0-9]*; do
		exe=$(readlink "$p/exe" 2>/dev/null) || continue
		case $exe in
		"${MOUNT_FUSEBLK_BUILD:-/usr/libexec}"/fs-*/* | */fuseblk/ext2* | */fuseblk/fat*) echo "${p#/proc/}" ;;
		esac
	done
}
# The driver that serves a mount: it holds our image, or a loop device of it.
driver_of() { # DEVICE-OR-IMAGE
	local p
	for p in $(drivers); do
		case $(readlink -f /proc/$p/fd/* 2>/dev/null | tr '\n' ' ') in *"$1 "*) echo "$p"; return 0 ;; esac
	done
	return 1
}
loops() { losetup -a | grep -F "$T/" | cut -d: -f1; }
source_of() { findmnt -n -o SOURCE -M "${1:-$MNT}"; }
# until N COMMAND...: try for N tenths of a second.
until_ok() {
	local n=$1
	shift
	while [ "$n" -gt 0 ]; do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.1
		n=$((n - 1))
	done
	return 1
}
no_loops() { [ -z "$(loops)" ]; }
no_new_drivers() { [ -z "$(comm -13 <(echo "$DRIVERS_BEFORE") <(drivers | sort))" ]; }
kernel_log() { dmesg | sed "1,/fuseblk-test: $MARK/d"; }

MARK=$NAME-$$-$RANDOM
echo "fuseblk-test: $MARK" >/dev/kmsg 2>/dev/null
DRIVERS_BEFORE=$(drivers | sort)

finish() {
	local status=$? m i bad
	trap - EXIT
	cd /
	for m in $(awk -v t="$T/" 'index($5, t) == 1 { print $5 }' /proc/self/mountinfo | sort -r); do
		umount "$m" || { umount -l "$m"; not_ok "umount" "$m was busy"; }
	done
	until_ok 50 no_new_drivers && ok "no process left" || not_ok "no process left" "$(comm -13 <(echo "$DRIVERS_BEFORE") <(drivers | sort) | tr '\n' ' ')"
	until_ok 30 no_loops && ok "no loop device left" || { not_ok "no loop device left" "$(loops | tr '\n' ' ')"; loops | while read -r i; do losetup -d "$i"; done; }
	for i in "${FSCK_LIST[@]-}"; do
		[ -n "$i" ] && [ -e "$i" ] || continue
		if e2fsck -fn "$i" >"$T/fsck" 2>&1; then ok "e2fsck $(basename "$i")"; else
			not_ok "e2fsck $(basename "$i")"
			head -30 "$T/fsck" | sed 's/^/#   /'
		fi
	done
	bad=$(kernel_log | grep -v fuseblk-test: | grep -E 'WARNING:|BUG:|Oops|general protection|Call Trace|blocked for more than|KASAN|UBSAN|fuseblk.*(segfault|trap)|(ext2|fat)\[[0-9]+\].*(segfault|trap)')
	if [ -z "$bad" ]; then ok "kernel log"; else not_ok "kernel log"; echo "$bad" | head | sed 's/^/#   /'; fi
	rm -rf "$T"
	exit "$status"
}
trap finish EXIT

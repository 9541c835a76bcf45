#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Bad input: one line, an exit status, nothing written, nothing left.
. "$(dirname "$0")/lib.sh"

bad() { # NAME STATUS WORD COMMAND...
	local name=$1 want=$2 word=$3 status before
	shift 3
	before=$(loops)
	same_loops() { [ "$before" = "$(loops)" ]; }
	err=$(timeout 30 "$@" 2>&1)
	status=$?
	check "$name: status $status is $want" grep -qxE "$want" <<<"$status"
	same "$name: one line" 1 "$(echo "$err" | wc -l)"
	check "$name: says $word" grep -qiE "$word" <<<"$err"
	say "$err"
	mounted && { not_ok "$name: nothing mounted"; un; }
	until_ok 20 same_loops && ok "$name: no loop device" || not_ok "$name: no loop device"
	until_ok 20 no_new_drivers && ok "$name: no process" || not_ok "$name: no process"
}

bad "no such file" 32 "no such|not found|does not exist" $HELPER "$T/none.img" "$MNT"
mkfs "$T/a.img" 4M -t ext2
bad "no such directory" 32 "no such|not found|does not exist" $HELPER "$T/a.img" "$T/nodir"
bad "directory is a file" 32 "directory" $HELPER "$T/a.img" "$T/a.img"
bad "source is a directory" 32 "directory" $HELPER "$T" "$MNT"
bad "source is a character device" 32 "device|image|neither|not" $HELPER /dev/null "$MNT"
bad "no arguments" 1 "usage|source|help" $HELPER
: >"$T/empty.img"
bad "empty image" 32 "empty|small|unknown|no .*file ?system|nothing|size" $HELPER "$T/empty.img" "$MNT"
head -c 1000000 /dev/urandom >"$T/noise.img"
bad "noise" 32 "unknown|recogni|no .*file ?system|nothing" $HELPER "$T/noise.img" "$MNT"
head -c 100 /dev/urandom >"$T/tiny.img"
bad "100 bytes" 32 "small|unknown|recogni|no .*file ?system|size|nothing" $HELPER "$T/tiny.img" "$MNT"
gzip -c "$T/noise.img" | head -c 5000 >"$T/cut.img.gz"
bad "cut gzip" 32 "cut short.*gzip -t" $HELPER "$T/cut.img.gz" "$MNT"
truncate -s 8M "$T/swap.img"
mkswap "$T/swap.img" >/dev/null 2>&1
bad "swap" 32 "swapon" $HELPER "$T/swap.img" "$MNT"
truncate -s 40M "$T/part.img"
partitions "$T/part.img" dos
err=$($HELPER "$T/part.img" "$MNT" 2>&1) && not_ok "whole disk is refused"
check "whole disk: says partition=" grep -q "partition=" <<<"$err"
say "$err"
dd if="$T/a.img" of="$T/luks.img" bs=1M count=2 status=none
printf 'LUKS\272\276\0\1aes\0' | dd of="$T/luks.img" conv=notrunc status=none
truncate -s 8M "$T/luks.img"
err=$($HELPER "$T/luks.img" "$MNT" 2>&1) && { not_ok "LUKS is refused"; un; }
say "$err"
# mount(8) makes the loop device of offset= itself: its name means nothing to anyone afterwards.
for o in offset=7 offset=100M offset=1M,partition=1 loop,partition=3; do
	bad "mount -o $o" "1|32" "part.img.*(512|past its end|no partition)|no partition.*part.img" mount -t fuseblk -o "$o" "$T/part.img" "$MNT"
	refuse "mount -o $o: names no loop device" grep -q /dev/loop <<<"$err"
	bad "helper -o $o" "1|32" "512|part.img.*past its end|no partition" $HELPER "$T/part.img" "$MNT" -o "$o"
done
dd if="$T/a.img" of="$T/part.img" bs=1M seek=1 conv=notrunc status=none
fuse "$T/part.img" partition=1 "$T/kernel"
err=$($HELPER "$T/part.img" "$MNT" -o offset=1M 2>&1) && { not_ok "overlap is refused"; un; }
check "overlap: names image and mount point" grep -q "part.img: busy.*$T/kernel" <<<"$err"
umount "$T/kernel"
gzip -c "$(image bad-super-bpg0)" >"$T/bad.img.gz"
bad "damaged volume in a gzip image" 32 "gunzip" $HELPER "$T/bad.img.gz" "$MNT"
for i in bad-super-bpg0 bad-root-inode bad-truncated; do
	img=$(image $i)
	h=$(sha1sum <"$img")
	bad "$i" 32 . $HELPER "$img" "$MNT"
	same "$i: nothing written" "$h" "$(sha1sum <"$img")"
done
chmod 000 "$T/a.img"
setpriv --reuid=65534 --regid=65534 --clear-groups $HELPER "$T/a.img" "$MNT" >"$T/out" 2>&1
same "no permission: status" 1 "$(test $? != 0 && echo 1)"
check "no permission: says so" grep -qiE "permi|root|privileg" "$T/out"
chmod 644 "$T/a.img"
L=$(losetup -f --show "$T/a.img")
exec 6< <(py "import time
fd = os.open('$L', os.O_RDWR | os.O_EXCL)
print('held', flush=True)
time.sleep(60)")
P=$!
read -r _ <&6
bad "busy device" 32 "busy|in use" $HELPER "$L" "$MNT"
kill $P
exec 6<&-
losetup -d "$L"
bad "long option" 1 "option|long|too" $HELPER "$T/a.img" "$MNT" -o "x$(printf 'y%.0s' {1..5000})"
if [ -n "${MOUNT_FUSEBLK_BUILD:-}" ]; then
	bad "missing driver" 32 "driver" env FUSEBLK_LIBEXECDIR="$T" "$MOUNT_FUSEBLK_BUILD/mount.fuseblk/mount.fuseblk" "$T/a.img" "$MNT"
fi
P=$(command -v fuseblk)
if [ -n "$P" ]; then
	fuseblk probe "$T/a.img" >"$T/out"; same "probe: file system" 0 $?
	check "probe: type" grep -q ext2 "$T/out"
	fuseblk probe --offset=4X "$T/a.img" >/dev/null 2>"$T/out"; same "probe: bad offset" 1 $?
	check "probe: bad offset is named" grep -q '^fuseblk probe: .*4X' "$T/out"
	fuseblk probe --size=0 "$T/a.img" >/dev/null 2>"$T/out"; same "probe: --size=0" 1 $?
	fuseblk probe --nonsense "$T/a.img" >/dev/null 2>"$T/out"; same "probe: unknown option" 1 $?
	check "probe: unknown option: our name before it" grep -q '^fuseblk' "$T/out"
	fuseblk probe --offset=4M "$T/a.img" >"$T/out" 2>&1; same "probe: offset past the end" 10 $?
	check "probe: offset past the end: says so" grep -q 'past its end' "$T/out"
	fuseblk probe --offset=1MiB "$T/part.img" >"$T/out"; same "probe: offset with a suffix" 0 $?
	fuseblk probe "$T/noise.img" >/dev/null 2>&1; same "probe: unknown" 11 $?
	fuseblk probe "$T/part.img" >/dev/null 2>&1; same "probe: partitioned" 13 $?
	fuseblk probe "$T/luks.img" >/dev/null 2>&1; same "probe: encrypted" 14 $?
	fuseblk probe "$T/swap.img" >/dev/null 2>&1; same "probe: swap" 16 $?
	bad "status of a directory elsewhere" 2 "not through fuseblk" fuseblk status "$T"
	fuseblk probe --json "$T/a.img" >"$T/out"; check "probe: json" python3 -m json.tool "$T/out"
fi

exit 0

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Times: nanoseconds, far dates, birth, relatime, what changes which.
. "$(dirname "$0")/lib.sh"
mkfs "$T/a.img" 16M -t ext4
rw "$T/a.img" || exit 1
d=$MNT
set_times() { # DIRECTORY
	local t
	for t in -99999999999 -2147483648 -1 0 2147483647 2147483648 4294967296 15032385535 15032385536 99999999999; do
		py "open('$1/t$t','w'); os.utime('$1/t$t', ns=($t * 10**9 + 123456789, $t * 10**9 + 987654321))"
	done
}
show_times() { (cd "$1" && stat -c '%n %.9Y %.9X' t-* t[0-9]*); }
mkfs "$T/k.img" 16M -t ext4
kernel "$T/k.img"
set_times "$T/kernel"
want=$(show_times "$T/kernel")
un "$T/kernel"
set_times $d
un # the kernel keeps a time it was given, uncut, as long as it holds the inode
rw "$T/a.img"
same "near and far times as under the kernel's driver" "$want" "$(show_times $d)"
sleep 0.01
echo x >$d/f
sleep 0.01
B=$(stat -c %W $d/f)
check "birth" test "$B" -gt 1600000000
changes() { # NAME COMMAND: prints which of mtime and ctime it changes, of the file and of the directory
	local a b
	a=$(stat -c '%.9Y %.9Z' $d/f) b=$(stat -c '%.9Y' $d)
	sleep 0.02
	eval "$2"
	local a2 b2
	a2=$(stat -c '%.9Y %.9Z' $d/f) b2=$(stat -c '%.9Y' $d)
	same "$1" "$3" "$([ "${a% *}" != "${a2% *}" ] && printf m)$([ "${a#* }" != "${a2#* }" ] && printf c)$([ "$b" != "$b2" ] && printf d)"
}
changes "write: m and c" "echo y >>$d/f" mc
changes "chmod: c" "chmod 600 $d/f" c
changes "chown: c" "chown 5 $d/f" c
changes "link: c and the directory" "ln $d/f $d/l" cd
changes "unlink: c and the directory" "rm $d/l" cd
changes "setxattr: c" "setfattr -n user.a -v 1 $d/f" c
changes "truncate: m and c" "truncate -s 1 $d/f" mc
changes "truncate to the same size: m and c" "truncate -s 1 $d/f" mc
changes "mkdir: the directory" "mkdir $d/sub" d
changes "read: nothing" "cat $d/f >/dev/null" ""
$TREE $d >"$T/t"
un
kernel "$T/a.img" ro
same "the kernel sees the same" "$(cat "$T/t")" "$($TREE "$T/kernel")"
un "$T/kernel"
mkfs "$T/b.img" 16M -t ext2 -I 128
rw "$T/b.img"
py "open('$MNT/t','w'); os.utime('$MNT/t', ns=(1500000000123456789, 1500000000987654321))"
same "128-byte inodes keep whole seconds" "1500000000.000000000" "$(stat -c %.9Y "$MNT/t")"
un

exit 0

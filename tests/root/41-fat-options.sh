#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every mount option of FAT at work, each under its name; what must be refused.
# The table in fuseblk-fat(8) names this file; tests/unit/test_docs.c holds the two together.
. "$(dirname "$0")/lib.sh"
for c in mkfs.fat fsck.fat mcopy; do
	command -v $c >/dev/null || { skip "options" "no $c: apt-get install dosfstools mtools"; exit 0; }
done
[ -x "${MOUNT_FUSEBLK_BUILD:-/usr/libexec/fuseblk}/${MOUNT_FUSEBLK_BUILD:+fs-fat/}fat" ] || { skip "options" "no driver for FAT"; exit 0; }
export LC_ALL=C.UTF-8 MTOOLS_SKIP_CHECK=1
I=$T/fat.img
NOON=1594814400	# 2020-07-15 12:00 UTC, which is what the image says without a zone

new_image() { # [SIZE]
	rm -f "$I"
	truncate -s "${1:-8M}" "$I"
	mkfs.fat -i 12345678 -n OPTIONS "$I" >/dev/null
	echo data >"$T/source"
	TZ=UTC touch -d @$NOON "$T/source"
	export TZ=UTC
	for n in prog.exe prog.sh UPPER.TXT system "Long Name.txt" é.txt 日.txt; do mcopy -m -i "$I" "$T/source" "::$n"; done
	unset TZ
	mmd -i "$I" ::rodir
	mattrib -i "$I" +r ::rodir
	mattrib -i "$I" +s ::system
}
mode() { stat -c %a "$MNT/$1"; }
with() { # OPTIONS: mount, or say that it failed
	fuse "$I" "$1" && return
	not_ok "$1 mounts"
	return 1
}
free_clusters() { stat -f -c %f "$MNT"; }
# The names as bytes, with those that are not ASCII in hexadecimal
names() { py "print(' '.join(sorted(n.decode('ascii', 'backslashreplace') for n in os.listdir(b'$MNT'))))"; }
has_bytes() { py "sys.exit(not bytes.fromhex('$1') in open('$2', 'rb').read())"; } # HEX FILE
short_names() { mdir -a -i "$I" :: | cut -c1-12; }

new_image
# ---- owner and permissions
with "" && { same "uid gid default" "0:0" "$(stat -c %u:%g "$MNT/prog.sh")"; same "umask default" "755 755" "$(mode prog.sh) $(mode rodir)"
	expect_errno "quiet not given" EPERM "os.chown('$MNT/prog.sh', 5, 5)"
	check "sys_immutable not given" cp "$T/source" "$MNT/system"
	check "check default: any case" test -e "$MNT/upper.txt"; un; }
with uid=1000,gid=100 && { same "uid" 1000 "$(stat -c %u "$MNT/prog.sh")"; same "gid" 100 "$(stat -c %g "$MNT")"; un; }
with umask=077 && { same "umask" "700 700" "$(mode prog.sh) $(mode rodir)"; un; }
with fmask=0133,dmask=007 && { same "fmask" 644 "$(mode prog.sh)"; same "dmask" 770 "$(mode rodir)"; un; }
with umask=077,dmask=0 && { same "umask with dmask" "700 777" "$(mode prog.sh) $(mode rodir)"; un; }
with allow_utime=20,uid=1000 && { check "allow_utime" touch "$MNT/prog.sh"; un; }
with showexec && { same "showexec" "755 644 755" "$(mode prog.exe) $(mode prog.sh) $(mode rodir)"; un; }
with quiet && { check "quiet chown" chown 5:5 "$MNT/prog.sh"; same "quiet changes nothing" 0 "$(stat -c %u "$MNT/prog.sh")"; un; }
with sys_immutable && { expect_errno "sys_immutable" EPERM "open('$MNT/system', 'r+')"; check "sys_immutable others" cp "$T/source" "$MNT/prog.sh"; un; }
with rodir && { same "rodir" "555 755" "$(mode rodir) $(mode prog.sh)"; un; }

# ---- names
J=$(image fat16-sjis)
if fuse "$J" codepage=932; then check "codepage" test -e "$MNT/表計算.TXT"; un; else not_ok "codepage=932 mounts"; fi
if fuse "$J" codepage=cp437; then refuse "codepage another" test -e "$MNT/表計算.TXT"; un; else not_ok "codepage=cp437 mounts"; fi
with "" && { check "utf8 default" test -e "$MNT/日.txt"; un; }
with iocharset=iso8859-1 && { check "iocharset" grep -qF '\xe9.txt' <<<"$(names)"; check "iocharset lacks" grep -qF '?.txt' <<<"$(names)"; un; }
with utf8=0,iocharset=iso8859-1 && { check "utf8=0" grep -qF '\xe9.txt' <<<"$(names)"; un; }
with iocharset=iso8859-1,utf8=1 && { check "utf8=1" test -e "$MNT/日.txt"; un; }
with iocharset=iso8859-1,utf8 && { check "utf8" test -e "$MNT/É.TXT"; un; }
with uni_xlate,iocharset=iso8859-1 && { check "uni_xlate" cat "$MNT/:65e5.txt"; un; }
with uni_xlate=0,iocharset=iso8859-1 && { refuse "uni_xlate=0" test -e "$MNT/:65e5.txt"; un; }
with nonumtail && { touch "$MNT/another name.txt"; un; check "nonumtail" grep -q '^ANOTHERN TXT' <<<"$(short_names)"; }
with nonumtail=no && { touch "$MNT/onemore name.txt"; un; check "nonumtail=no" grep -q '^ONEMOR~1 TXT' <<<"$(short_names)"; }
with shortname=lower && { check "shortname=lower shows" grep -qw upper.txt <<<"$(names)"; un; }
for s in win95 winnt mixed; do with shortname=$s && { check "shortname=$s shows" grep -qw UPPER.TXT <<<"$(names)"; touch "$MNT/$s.txt"; un; }; done
check "shortname=win95 stores a long name" has_bytes 770069006e003900 "$I"
check "shortname=mixed stores a long name" has_bytes 6d00690078006500 "$I"
refuse "shortname=winnt stores none" has_bytes 770069006e006e00 "$I"
J=$(image fat16-attributes)
if fuse "$J" nocase; then check "nocase" grep -qw LOWER.TXT <<<"$(names)"; un; else not_ok "nocase mounts"; fi
if fuse "$J" shortname=mixed; then check "shortname=mixed shows" grep -qw lower.txt <<<"$(names)"; un; else not_ok "shortname=mixed mounts"; fi
for o in check=s check=strict; do with $o && { refuse "$o" test -e "$MNT/upper.txt"; check "$o exact" test -e "$MNT/UPPER.TXT"; un; }; done
for o in check=r check=relaxed check=n check=normal dots nodots dotsOK=yes dotsOK=no; do with $o && { check "$o" test -e "$MNT/upper.txt"; un; }; done

# ---- times
time_with() { with "$1" && { same "$1" "$2" "$(stat -c %Y "$MNT/UPPER.TXT")"; un; }; }
time_with tz=UTC $NOON
time_with time_offset=60 $((NOON - 3600))
time_with time_offset=-720 $((NOON + 43200))
if [ -e /usr/share/zoneinfo/Europe/Berlin ]; then
	time_with tz=Europe/Berlin $((NOON - 7200))
	with tz=Europe/Berlin && { touch -d @1577880000 "$MNT/winter"; same "tz= in winter" 1577880000 "$(stat -c %Y "$MNT/winter")"; un; }
	with tz=UTC && { same "tz= in winter, read by UTC" 1577883600 "$(stat -c %Y "$MNT/winter")"; un; }
else
	skip "tz=Europe/Berlin" "no zone data"
fi
check "the volume is sound" fsck.fat -n "$I"

# ---- the volume
J=$(image badfat-fsinfo-low)
if fuse "$J" ro; then same "usefree not given" 3842 "$(free_clusters)"; un; else not_ok "usefree not given mounts"; fi
if fuse "$J" ro,usefree; then same "usefree" 3 "$(free_clusters)"; un; else not_ok "usefree mounts"; fi
on_disk() { has_bytes "$(printf %-11s "$1" | od -An -v -tx1 | tr -d ' \n')" "$I"; } # 8.3 NAME
with flush,commit=900 && { echo data >"$MNT/FLUSHED"; check "flush" until_ok 30 on_disk FLUSHED; un; }
with commit=900 && { echo data >"$MNT/KEPT"; sleep 1; refuse "flush not given" on_disk KEPT; un; check "flush not given, unmounted" on_disk KEPT; }
blocks_after_removal() { # OPTIONS
	new_image 32M
	with "$1" || return
	head -c 16M /dev/urandom >"$MNT/big"
	sync -f "$MNT"
	rm "$MNT/big"
	sync -f "$MNT"
	sleep 0.5
	sync -f "$MNT"
	un
	stat -c %b "$I"
}
kept=$(blocks_after_removal "") gone=$(blocks_after_removal discard)
check "discard frees ($gone of $kept blocks are left)" test "$gone" -lt $((kept / 2))
new_image
broken() { # OPTIONS
	J=$(image badfat-loop)
	fuse "$J" "$1" || { not_ok "$1 mounts"; return 1; }
	[ "$1" = errors=panic ] || expect_errno "$1: damage is met" EUCLEAN "open('$MNT/FILE.TXT', 'rb').read()"
}
broken errors=continue && { check "errors=continue" mkdir "$MNT/new"; un; }
broken errors=remount-ro && { expect_errno "errors=remount-ro" EROFS "os.mkdir('$MNT/new')"; un; }
broken "" && { expect_errno "errors default" EROFS "os.mkdir('$MNT/new')"; un; }
broken errors=panic && { refuse "errors=panic: damage is met" cat "$MNT/FILE.TXT"; sleep 0.3; refuse "errors=panic" mkdir "$MNT/new"; un; }
for o in nfs nfs=stale_rw; do with $o && { check "$o is read-write" touch "$MNT/nfs"; un; }; done
with nfs=nostale_ro && {
	expect_errno "nfs=nostale_ro is read-only" EROFS "os.mkdir('$MNT/new')"
	check "nfs=nostale_ro handles" py "
libc = ctypes.CDLL(None, use_errno=True)
h = ctypes.create_string_buffer(struct.pack('Ii', 128, 0), 136)
mid = ctypes.c_int()
if libc.name_to_handle_at(-100, b'$MNT/UPPER.TXT', h, ctypes.byref(mid), 0): raise OSError(ctypes.get_errno(), 'name_to_handle_at')
open('/proc/sys/vm/drop_caches', 'w').write('2')
d = os.open('$MNT', os.O_RDONLY)
f = libc.open_by_handle_at(d, h, os.O_RDONLY)
if f < 0: raise OSError(ctypes.get_errno(), 'open_by_handle_at')
assert os.read(f, 5) == b'data\n'
"
	un
}
J=$(image fat12-dos1)
err=$(mount -t fuseblk.fat "$J" "$MNT" 2>&1) && { not_ok "dos1xfloppy not given"; un; }
check "dos1xfloppy is named" grep -q dos1xfloppy <<<"$err"
if mount -t fuseblk.fat -o dos1xfloppy "$J" "$MNT"; then check "dos1xfloppy" cmp -n 8 "$MNT/FILE.TXT" <(echo -n "content "); un; else not_ok "dos1xfloppy mounts"; fi
with "debug,log=$T/log" && { ls "$MNT" >/dev/null; un; check "debug" grep -qi readdir "$T/log"; }
for o in conv=binary conv blocksize=512 fat=16 posix cvf_format=auto cvf_options=x; do with $o && { un; ok "$o is accepted"; }; done

# ---- together, and what is refused
with uid=1000,gid=1000,shortname=mixed,utf8=1,showexec,flush && { ok "udisks's options"; same "udisks's owner" 1000 "$(stat -c %u "$MNT/UPPER.TXT")"; un; }
for o in uid=-1 umask=9 fmask=x allow_utime=99 utf8=2 uni_xlate=x nonumtail=2 shortname=win98 check=x codepage=latin iocharset=nosuch \
	tz=No/Such tz=UTC,time_offset=60 time_offset=721 errors=ignore nfs=yes showexec=1 nosuchoption; do
	err=$(fuse "$I" "$o" 2>&1) && { not_ok "bad option $o is refused"; un; continue; }
	check "bad option $o is named" grep -q "${o%%=*}" <<<"$err"
	same "bad option $o: one line" 1 "$(wc -l <<<"$err")"
done
check "the volume is sound at the end" fsck.fat -n "$I"

exit 0

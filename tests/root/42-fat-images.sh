#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every bundled FAT image, as images/README.md says it must behave: sound ones compressed and unpacked, read
# and written; damaged ones refused with a line or served without harm.
. "$(dirname "$0")/lib.sh"
for c in mkfs.fat fsck.fat mcopy; do
	command -v $c >/dev/null || { skip "images" "no $c: apt-get install dosfstools mtools"; exit 0; }
done
[ -x "${MOUNT_FUSEBLK_BUILD:-/usr/libexec/fuseblk}/${MOUNT_FUSEBLK_BUILD:+fs-fat/}fat" ] || { skip "images" "no driver for FAT"; exit 0; }
export LC_ALL=C.UTF-8
CONTENT=$(printf 'content %.0s' $(seq 4000) | sha1sum)

fat() { mount -t fuseblk.fat ${2:+-o "$2"} "$1" "$MNT"; }
sha() { sha1sum <"$1"; }
# fsck.fat does not know which table is active, nor the second bytes of code page 932.
sound() { case $1 in *-active* | *-sjis* | *-dos1*) return 0 ;; esac; fsck.fat -n "$2"; }
options_of() { case $1 in *-sjis*) echo codepage=932 ;; *-dos1) echo dos1xfloppy ;; esac; }
# What can be seen, by names and contents.
tree() { (cd "$MNT" && find . -type f -exec sha1sum {} + && find . -printf '%y %s %TY-%Tm-%Td %TH:%TM %p\n') 2>"$T/err" | grep -v '^d .* \.$' | sort; }

holds_what_it_should() { # NAME
	case $1 in
	*-names | *-sjis) same "$1 files" "$([ "${1#*-}" = names ] && echo 225 || echo 9)" "$(find "$MNT" -mindepth 1 | wc -l)" ;;
	*) same "$1 FILE.TXT" "$CONTENT" "$(sha "$MNT/FILE.TXT")"
		same "$1 a long name" "$CONTENT" "$(sha "$MNT/a long name of a file.text")"
		same "$1 deep" small "$(cat "$MNT/dir/sub/deep")"
		same "$1 in a directory" 21 "$(ls "$MNT/dir" | wc -l)"
		check "$1 other characters" cat "$MNT/naïve café ☕.txt"
		refuse "$1 a deleted file" test -e "$MNT/gone" ;;
	esac
}

write_to_it() { # NAME
	check "$1 takes a file" cp /etc/services "$MNT/services"
	check "$1 takes a directory" mkdir "$MNT/new directory"
	check "$1 takes names" py "for i in range(60): open('$MNT/new directory/%03d a longer name' % i, 'w').write('%d' % i)"
	check "$1 renames" mv "$MNT/new directory/007 a longer name" "$MNT/moved"
	check "$1 removes" rm "$MNT/new directory/008 a longer name"
	check "$1 truncates" truncate -s 100 "$MNT/services"
}

sound_image() { # NAME
	local n=$1 o img before first
	o=$(options_of "$n")
	img=$(image "$n")
	before=$(sha "$img")
	fat "$img" "ro${o:+,$o}" || { not_ok "$n mounts read-only"; return; }
	first=$(tree)
	same "$n everything can be read" "" "$(cat "$T/err")"
	holds_what_it_should "$n"
	un
	same "$n unchanged by a read-only mount" "$before" "$(sha "$img")"
	if fat "$IMAGES/$n.img.gz" "$o"; then
		same "$n compressed tree" "$first" "$(tree)"
		expect_errno "$n compressed is read-only" EROFS "os.mkdir('$MNT/new')"
		un
	else
		not_ok "$n compressed mounts"
	fi
	if [ "$n" != fat12-dos1 ]; then
		if fuse "$img" "$o"; then ok "$n is found by the probe"; un; else not_ok "$n is found by the probe"; fi
		same "$n unchanged by a mount that changes nothing" "$before" "$(sha "$img")"
	fi
	fat "$img" "$o" || { not_ok "$n mounts"; return; }
	write_to_it "$n"
	first=$(tree)
	un
	check "$n fsck.fat" sound "$n" "$img"
	fat "$img" "$o" || { not_ok "$n mounts again"; return; }
	same "$n tree after writing" "$first" "$(tree)"
	un
	rm -f "$img"
}

dirty_image() { # NAME
	local img before
	img=$(image "$1")
	before=$(sha "$img")
	check "$1 mounts" fat "$img" "noatime,log=$T/log"
	check "$1 is warned of" grep -q "not properly unmounted" "$T/log"
	same "$1 can be read" "$CONTENT" "$(sha "$MNT/FILE.TXT")"
	un
	same "$1 unchanged" "$before" "$(sha "$img")"
	fat "$img" && { touch "$MNT/new"; un; }
	check "$1 stays marked" grep -q "Dirty bit is set" <(fsck.fat -n "$img" 2>&1)
	fsck.fat -a "$img" >"$T/out" 2>&1
	rm -f "$T/log"
	check "$1 mounts when repaired" fat "$img" "log=$T/log"
	refuse "$1 is not warned of when repaired" grep -q "not properly unmounted" "$T/log"
	check "$1 has what was written" test -e "$MNT/new"
	un
}

dos1_image() { # NAME
	local err
	err=$(fat "$(image "$1")" 2>&1) && { not_ok "$1 without the option is refused"; un; }
	check "$1 names the option" grep -q dos1xfloppy <<<"$err"
	sound_image "$1"
}

refused_image() { # NAME
	local img err before
	img=$(image "$1")
	before=$(sha "$img")
	err=$(fat "$img" 2>&1) && { not_ok "$1 is refused"; un; }
	say "$err"
	same "$1 one line" 1 "$(grep -c . <<<"$err")"
	check "$1 says why" grep -qE "boot sector's|truncated|empty|NTFS" <<<"$err"
	same "$1 unchanged" "$before" "$(sha "$img")"
}

walk() { # ro|rw: everything that can be read, and a few changes
	timeout 60 bash -c "
	find '$MNT' -maxdepth 12 -printf '%p %s\n' >/dev/null
	find '$MNT' -maxdepth 12 -type f -size -100M -exec cat {} + >/dev/null
	if [ '$1' = rw ]; then
		cp /etc/services '$MNT/new'; mkdir '$MNT/newdir'
		for i in 1 2 3 4 5 6 7 8 9; do echo x >\"$MNT/dir/a new name \$i\"; done
		echo more >>'$MNT/FILE.TXT'; truncate -s 100 '$MNT/FILE.TXT'; truncate -s 40000 '$MNT/a long name of a file.text'
		mv '$MNT/SMALL.TXT' '$MNT/dir/'; mv '$MNT/dir' '$MNT/newdir/'; rm -rf '$MNT/newdir' '$MNT/FILE.TXT'; sync -f '$MNT'
	fi" >"$T/walk" 2>&1
}

repairable() { # IMAGE: what one run repairs may show more
	local i
	for i in 1 2 3 4; do timeout 60 fsck.fat -a "$1" >"$T/out" 2>&1; done
	timeout 60 fsck.fat -n "$1"
}

damaged_image() { # NAME bad|odd
	local n=$1 img before mode err status
	img=$(image "$n")
	before=$(sha "$img")
	for mode in ro rw; do
		err=$(timeout 30 mount -t fuseblk.fat -o "$mode" "$img" "$MNT" 2>&1)
		status=$?
		if [ $status != 0 ]; then
			if [ "$2" = bad ] && [ $status != 124 ] && [ "$(grep -c . <<<"$err")" = 1 ]; then ok "$n $mode: refused"; else not_ok "$n $mode: mounts" "$err"; fi
			say "$err"
			continue
		fi
		if [ "$2" = odd ] && [ $mode = ro ]; then
			same "$n: what is sound" "$CONTENT" "$(sha "$MNT/FILE.TXT")"
			check "$n: a directory" ls "$MNT/dir"
		fi
		walk $mode
		[ $? = 124 ] && not_ok "$n $mode: hangs"
		if stat -f "$MNT" >/dev/null 2>&1; then ok "$n $mode: served"; else not_ok "$n $mode: the driver died"; fi
		grep -oE "[A-Z][a-z]+ (structure )?needs cleaning" "$T/walk" | sort -u | sed 's/^/# /'
		timeout 60 umount "$MNT" || { not_ok "$n $mode: umount"; umount -l "$MNT"; }
		[ $mode = rw ] || same "$n ro: not changed" "$before" "$(sha "$img")"
	done
	# fsck.fat cannot repair everything; what it could before we wrote to it, it can afterwards.
	gunzip -c "$IMAGES/$n.img.gz" >"$T/control"
	if repairable "$T/control"; then check "$n: can be repaired" repairable "$img"; else say "$n: fsck.fat cannot repair it"; fi
	rm -f "$img"
}

while IFS='|' read -r _ n e _; do
	n=${n// /} e=${e// /}
	case $e in
	rw) sound_image "$n" ;;
	dirty) dirty_image "$n" ;;
	dos1x) dos1_image "$n" ;;
	refused) refused_image "$n" ;;
	bad | odd) damaged_image "$n" "$e" ;;
	*) not_ok "$n" "images/README.md expects \"$e\"" ;;
	esac
done < <(grep -E '^\| (bad)?fat' "$IMAGES/README.md")

exit 0

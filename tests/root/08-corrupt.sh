#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every damaged image: refused with a line, or mounted and EUCLEAN where it is met; never a hang or a crash.
. "$(dirname "$0")/lib.sh"

walk() { # everything that can be read, and a few changes
	timeout 60 bash -c "
	find '$MNT' -maxdepth 12 -printf '%p %s %l\n' >/dev/null
	find '$MNT' -maxdepth 12 -type f -size -100M -exec cat {} + >/dev/null
	getfattr -Rd -m- '$MNT' >/dev/null
	getfacl -R '$MNT' >/dev/null
	if [ '$1' = rw ]; then
		cp /etc/services '$MNT/new'; mkdir '$MNT/newdir'; ln '$MNT/small' '$MNT/newlink'
		setfattr -n user.x -v y '$MNT/small' '$MNT/file'
		for i in 1 2 3 4 5 6 7 8 9; do echo x >\"$MNT/dir/n\$i\"; done
		echo more >>'$MNT/file'; truncate -s 100 '$MNT/file'
		mv '$MNT/small' '$MNT/dir/'; rm -rf '$MNT/dir' '$MNT/many' '$MNT/file'; sync -f '$MNT'
	fi" >"$T/walk" 2>&1
}

one() { # NAME MODE SOURCE
	local err status P
	err=$(timeout 30 $HELPER "$3" "$MNT" -t fuseblk.ext2 -o "$2" 2>&1)
	status=$?
	if [ $status != 0 ]; then
		mounted && { not_ok "$1 $2: nothing mounted"; un; }
		[ $status = 124 ] && not_ok "$1 $2: mount hangs" && return
		if [ "$(echo "$err" | wc -l)" = 1 ] && [ -n "$err" ]; then ok "$1 $2: refused"; else not_ok "$1 $2: refused with one line"; fi
		say "$err"
		return
	fi
	P=$(driver_of "$(source_of)") || P=$(driver_of "$3") || P=
	walk "$2"
	[ $? = 124 ] && not_ok "$1 $2: hangs"
	if [ -n "$P" ] && [ ! -e "/proc/$P" ]; then not_ok "$1 $2: the driver died"; else ok "$1 $2: served"; fi
	grep -o "Structure needs cleaning" "$T/walk" | sort -u | sed 's/^/# /'
	timeout 60 umount "$MNT" || { not_ok "$1 $2: umount"; umount -l "$MNT"; }
}

while IFS='|' read -r _ n _; do
	n=${n// /}
	img=$(image "$n")
	h=$(sha1sum <"$img")
	one "$n" ro "$img"
	same "$n ro: not changed" "$h" "$(sha1sum <"$img")"
	one "$n" rw "$img"
	one "$n" ro "$IMAGES/$n.img.gz"
	rm -f "$img"
done < <(grep -E '^\| bad-' "$IMAGES/README.md")

exit 0

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every sound bundled image, compressed and unpacked, against the kernel's driver.
. "$(dirname "$0")/lib.sh"

kernel_tree() { # IMAGE OPTIONS
	cp --sparse=always "$1" "$T/k.img"
	kernel "$T/k.img" "$2" || return 1
	$TREE "$T/kernel"
	un "$T/kernel"
}

sound() { # NAME EXPECTED
	local n=$1 want img k before
	img=$(image "$n")
	before=$(sha1sum <"$img")
	k=ro,noload
	want=$(kernel_tree "$img" $k) || want=
	[ "$2" = rw ] && [ "$n" != f-orphans ] && FSCK_LIST+=("$img")
	if fuse "$IMAGES/$n.img.gz"; then
		ok "$n compressed mounts"
		if [ -n "$want" ]; then same "$n compressed tree" "$want" "$($TREE "$MNT")"; else skip "$n compressed tree" "this kernel does not mount it"; fi
		expect_errno "$n compressed is read-only" EROFS "os.mkdir('$MNT/new')"
		un
	else
		not_ok "$n compressed mounts"
	fi
	if fuse "$img" ro; then
		[ -z "$want" ] || same "$n read-only tree" "$want" "$($TREE "$MNT")"
		un
		same "$n unchanged by a read-only mount" "$before" "$(sha1sum <"$img")"
	else
		not_ok "$n mounts read-only"
	fi
	if fuse "$img"; then
		[ -z "$want" ] || [ "$n" = f-orphans ] || same "$n tree" "$want" "$($TREE "$MNT")"
		if [ "$2" = rw ]; then
			check "$n takes a file" cp /etc/services "$MNT/services"
			check "$n takes a directory" mkdir "$MNT/dir/new"
			check "$n takes names" py "for i in range(200): os.link('$MNT/one', '$MNT/dir/new/%03d' % i + 'n' * 100)"
			check "$n removes" rm -r "$MNT/dir/new"
			check "$n sets an attribute" setfattr -n user.test -v value "$MNT/one"
			check "$n truncates" truncate -s 100 "$MNT/sparse"
			check "$n rewrites" py "open('$MNT/file', 'r+b').write(b'changed')"
		else
			expect_errno "$n is read-only" EROFS "os.mkdir('$MNT/new')"
		fi
		un
		check "$n e2fsck" fsck_clean "$img"
	else
		not_ok "$n mounts"
	fi
	if [ "$2" = rw ]; then
		if kernel "$img" ro; then
			check "$n the kernel reads what was written" cmp "$T/kernel/services" /etc/services
			un "$T/kernel"
		else
			not_ok "$n the kernel mounts it afterwards"
		fi
	else
		same "$n unchanged" "$before" "$(sha1sum <"$img")"
	fi
	rm -f "$img"
}

refused() { # NAME
	local n=$1 img err before
	img=$(image "$n")
	before=$(sha1sum <"$img")
	if err=$(fuse "$img" 2>&1); then
		not_ok "$n is refused" "it was mounted"
		un
	else
		ok "$n is refused"
		say "$err"
		same "$n one line" 1 "$(echo "$err" | wc -l)"
		case $n in
		f-unknown*) word=31 ;;
		f-journal_dev) word=journal ;;
		*) word=${n#f-} ;;
		esac
		check "$n is named" grep -qi "$word" <<<"$err"
	fi
	mounted && un
	same "$n unchanged" "$before" "$(sha1sum <"$img")"
	rm -f "$img"
}

recover() {
	local img err before
	img=$(image "$1")
	before=$(sha1sum <"$img")
	if err=$(fuse "$img" 2>&1); then not_ok "$1 is refused"; un; else ok "$1 is refused"; fi
	say "$err"
	check "$1 says what to run" grep -q e2fsck <<<"$err"
	check "$1 with norecovery" fuse "$img" ro,norecovery
	check "$1 can be read" ls "$MNT"
	un
	check "$1 with noload" fuse "$img" ro,noload
	un
	same "$1 unchanged" "$before" "$(sha1sum <"$img")"
}

while IFS='|' read -r _ n e _; do
	n=${n// /} e=${e// /}
	case $e in
	rw | ro) sound "$n" "$e" ;;
	refused) refused "$n" ;;
	recover) recover "$n" ;;
	esac
done < <(grep -E '^\| (ext|f-)' "$IMAGES/README.md")

exit 0

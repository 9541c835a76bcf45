#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Damaged FAT volumes on real mounts: walked, changed, unmounted. None may kill the driver, hang its callers or stay
# mounted; a read-only mount changes no byte. The volumes are those of tests/unit/test_fat_hostile.c, which looks closer.
. "$(dirname "$0")/lib.sh"
export LC_ALL=C.UTF-8
maker=${MOUNT_FUSEBLK_BUILD:-}/tests/unit/test_fat_hostile
[ -x "$maker" ] || { skip "hostile" "no $maker: make check"; exit 0; }
COUNT=${TEST_ALL:+400}
COUNT=${COUNT:-12}
I=$T/hostile.img

walk() {
	timeout 40 bash -c "
	cd '$MNT' || exit
	find . -maxdepth 6 -printf '%p %s %m\n' | head -500 >/dev/null
	find . -maxdepth 4 -type f -size -4M | head -30 | while read -r f; do head -c 200000 \"\$f\"; tail -c 100 \"\$f\"; getfattr -d -m - \"\$f\"; done >/dev/null
	stat -f . >/dev/null" >"$T/walk" 2>&1
}
change() {
	timeout 60 bash -c "
	cd '$MNT' || exit
	cp /etc/services new.txt; mkdir 'a new directory'; echo x >'a new directory/a long name for a file'
	i=0
	find . -maxdepth 4 | head -40 | while read -r f; do
		i=\$((i + 1))
		case \$((i % 6)) in
		0) mv \"\$f\" \"a new directory/m\$i\" ;;
		1) echo hello >>\"\$f\" ;;
		2) truncate -s \$((i * 997)) \"\$f\" ;;
		3) mv \"\$f\" \"\$f.RENAMED\" ;;
		4) fallocate -n -l 20000 \"\$f\"; chmod a-w \"\$f\" ;;
		5) echo z | dd of=\"\$f\" bs=1 seek=50000 conv=notrunc,fsync ;;
		esac
	done
	for i in \$(seq 40); do echo \"file \$i to fill a cluster\"; done | xargs -d '\n' touch
	sync -f .
	fstrim .
	rm -rf ./* 2>/dev/null
	stat -f . >/dev/null" >"$T/walk" 2>&1
}
# one N MODE: 0 if it was refused well or served well; else a reason
one() {
	local err status P=
	err=$(timeout 30 "$HELPER" "$I" "$MNT" -t fuseblk.fat -o "$2" 2>&1)
	status=$?
	if [ $status != 0 ]; then
		mounted && { un; echo "refused, but mounted"; return; }
		[ $status = 124 ] && echo "the mount hangs"
		[ "$(echo "$err" | wc -l)" = 1 ] && [ -n "$err" ] || echo "refused without one line: $err"
		return
	fi
	served=$((served + 1))
	P=$(driver_of "$(source_of)") || P=$(driver_of "$I") || P=
	walk
	[ $? = 124 ] && echo "looking hangs"
	if [ "${2#ro}" = "$2" ]; then
		change
		[ $? = 124 ] && echo "changing hangs"
	fi
	[ -n "$P" ] && [ ! -e "/proc/$P" ] && echo "the driver died"
	grep -q "not connected" "$T/walk" && echo "the connection broke"
	timeout 60 umount "$MNT" || { umount -l "$MNT"; echo "umount failed"; }
}

served=0 bad=0
for n in $(seq "$COUNT"); do
	"$maker" "$n" $((n + 1000 * ${SEED:-1})) "$I" || { not_ok "volume $n"; break; }
	before=$(sha1sum <"$I")
	one "$n" ro >"$T/why"
	[ "$before" = "$(sha1sum <"$I")" ] || echo "read-only changed it" >>"$T/why"
	one "$n" "$([ $((n % 3)) = 0 ] && echo errors=remount-ro || echo errors=continue)" >>"$T/why"
	[ -s "$T/why" ] || continue
	bad=$((bad + 1))
	not_ok "volume $n" "$(tr '\n' ' ' <"$T/why")"
done
[ $bad = 0 ] && ok "$COUNT damaged volumes, $served mounts"
check "most can be mounted" test "$served" -gt $((COUNT / 2))

exit 0

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The same operations on FAT under our mount here and under the kernel's vfat in a guest (tests/guest): results,
# errnos and trees.  Then fsck.fat, and each side reads what the other wrote; mtools reads ours.
# Volumes of FAT12, FAT16 and FAT32, sets of mount options; SEEDS="7 8" OPS=2000 KINDS="fat16" CASES="names" by hand; --all: 20 seeds.
# FAT_SELF=1: the guest stands in for our mount, which tests the test.
. "$(dirname "$0")/lib.sh"
B=${MOUNT_FUSEBLK_BUILD:-$SRC/build}
FATTRACE=$B/tests/diff/fattrace
GUEST="$SRC/tests/guest/run --work $B/guest --timeout 280"
ALWAYS=noatime,codepage=437,iocharset=iso8859-1,utf8=1
OPTIONS=$ALWAYS,tz=UTC,uid=0,gid=0,umask=0,shortname=mixed
# Every second seed, and each file of options, with others.
OTHERS=$ALWAYS,tz=UTC,uid=1000,gid=1000,umask=022,shortname=winnt
# shellcheck disable=SC2054
OPTION_SETS=(
	uid=1000,gid=1000,umask=022 shortname=lower shortname=win95 shortname=winnt utf8=0 utf8=0,uni_xlate quiet,uid=0
	showexec,sys_immutable,rodir check=s nonumtail uid=1000,gid=1000,shortname=mixed,utf8=1,showexec,flush
	time_offset=60 dmask=077,fmask=0133,allow_utime=20 umask=022,allow_utime=2 codepage=850 codepage=932,utf8=1
	utf8=0,iocharset=iso8859-15 usefree,discard nfs=stale_rw
)
DISKS_PER_BOOT=40
SELF=${FAT_SELF:-}
have_driver() { [ -n "$SELF" ] || { [ -n "${MOUNT_FUSEBLK_BUILD:-}" ] && [ -x "$B/fs-fat/fat" ]; } || [ -x /usr/libexec/fuseblk/fat ]; }
[ -x "$FATTRACE" ] || { skip "differential" "no $FATTRACE: make"; exit 0; }
have_driver || { skip "differential" "no driver for FAT"; exit 0; }
for c in mkfs.fat fsck.fat mcopy; do
	command -v $c >/dev/null || { skip "differential" "no $c: apt-get install dosfstools mtools"; exit 0; }
done

# What each kind of volume is made with: its size, mkfs.fat's options.
declare -A KIND=(
	[fat12]="15M -F 12 -s 8 -r 64" [fat16]="32M -F 16 -s 1" [fat32]="34M -F 32 -s 1"
	[fat32-4k]="300M -F 32 -S 4096 -s 1" [small]="4M -F 12" [small16]="17M -F 16 -s 8" [large]="64M -F 16 -s 4"
)
# Where each file of cases runs.
declare -A CASE=([names]=large [lengths]=large [renames]=large [spellings]=large [times]=large [attributes]=large [data]=large [full]=small16 [root-full]=fat16)

make_image() { # FILE KIND
	# shellcheck disable=SC2086
	set -- "$1" ${KIND[$2]}
	rm -f "$1"
	truncate -s "$2" "$1" && mkfs.fat -i 12345678 "${@:3}" "$1" >"$T/mkfs" 2>&1
}

# Names that mtools writes: what iocharset= cannot say, all kinds of case.
populate() { # IMAGE
	local n
	for n in UPPER.TXT lower.txt 'Mixed Case.txt' $'\u65e5\u672c\u8a9e.txt' $'\u20ac' $'\u041f\u0440\u0438\u0432\u0435\u0442' $'caf\u00e9'; do
		printf '%s\n' "$n" | LC_ALL=C.UTF-8 mcopy -i "$1" - "::$n" || return
	done
}

# The runs: the name of each, the kind of volume, mount options, what is run.
NAMES=() VOLUME=() WITH=() WHAT=()
add_run() { NAMES+=("$1") VOLUME+=("$2") WITH+=("$3") WHAT+=("$4"); }
seeds=${SEEDS:-$([ -n "${TEST_ALL:-}" ] && seq 1 20 || echo 1 2 3)}
kinds=${KINDS:-fat12 fat16 fat32 $([ -n "${TEST_ALL:-}" ] && echo fat32-4k)}
for s in $seeds; do
	for k in $kinds; do
		if [ $((s % 2)) = 1 ]; then o=$OPTIONS; else o=$OTHERS; fi
		add_run "$k-seed-$s" "$k" "$o" "seed $s ${OPS:-2000}"
	done
done
for k in $kinds; do add_run "$k-modest" "$k" "$OPTIONS" "seed 1000 ${OPS:-2000} -m"; done
cases=${CASES-names lengths renames spellings times attributes data full root-full options}
for c in $cases; do
	[ "$c" = options ] || add_run "$c" "${CASE[$c]}" "$OPTIONS" "cases $c"
	[ "$c" != full ] || add_run full-fat12 small "$OPTIONS" "cases full"
done
case " $cases " in
*" options "*) for o in "${OPTION_SETS[@]}"; do add_run "options ${o//[^a-z0-9]/-}" small "$ALWAYS,$(case $o in *time_offset*) ;; *) echo tz=UTC, ;; esac)$o" "cases options"; done ;;
esac
NAMES=("${NAMES[@]// /-}")

trace() { # DIR WHAT...: the lines of a run, here
	case $2 in
	seed) "$FATTRACE" -s "$3" -n "$4" ${5:+"$5"} "$1" ;;
	cases) "$FATTRACE" -f "$SRC/tests/diff/cases/$3" "$1" ;;
	look) "$FATTRACE" -f "$SRC/tests/diff/cases/look" "$1" ;;
	esac
}
our_look() { # IMAGE OPTIONS OUT
	fuse "$1" "$2,ro" && trace "$MNT" look >"$3"
	local status=$?
	mounted && un
	return $status
}
our_run() { # NAME OPTIONS WHAT
	local image=$T/$1.ours.img
	fuse "$image" "$2" || return
	# shellcheck disable=SC2086
	trace "$MNT" $3 >"$T/$1.ours.trace"
	un && our_look "$image" "$2" "$T/$1.ours.look"
}

# The name of the n-th disk in the guest.
disk_name() {
	local l=abcdefghijklmnopqrstuvwxyz
	if [ "$1" -lt 26 ]; then echo "vd${l:$1:1}"; else echo "vd${l:$(($1 / 26 - 1)):1}${l:$(($1 % 26)):1}"; fi
}
JOBS=() DISKS=()
job() { # NAME IMAGE OPTIONS WHAT
	JOBS+=("$1 $(disk_name $((${#DISKS[@]} / 2))) $3 $4")
	DISKS+=(--disk "$2")
}
boot() {
	local status
	[ ${#JOBS[@]} = 0 ] && return
	# shellcheck disable=SC2086
	$GUEST --out "$T/guest" "${DISKS[@]}" --file cases="$SRC/tests/diff/cases" --program "bin/fattrace=$FATTRACE" \
		"$SRC/tests/guest/fat-task" "${JOBS[@]}" >"$T/guest.log" 2>&1
	status=$?
	if [ $status = 77 ]; then
		skip "differential" "$(tail -1 "$T/guest.log")"
		exit 0
	fi
	if [ $status = 0 ]; then ok "guest with ${#JOBS[@]} runs"; else
		not_ok "guest with ${#JOBS[@]} runs" "status $status"
		tail -20 "$T/guest.log" | sed 's/^/#   /'
	fi
	JOBS=() DISKS=()
}

compare() { # KIND NAME A B
	local kind=$1
	shift
	if "$FATTRACE" -c "$kind" "$2" "$3" >"$T/compare" 2>&1; then ok "$1"; else
		not_ok "$1" "$(tail -1 "$T/compare")"
		head -24 "$T/compare" | sed 's/^/#   /'
	fi
}
fsck_fat() { # NAME IMAGE
	if fsck.fat -n "$2" >"$T/fsck" 2>&1; then ok "$1"; else
		not_ok "$1"
		head -20 "$T/fsck" | sed 's/^/#   /'
	fi
}
# Against our mount, where names are not too long for mtools and the host: the bytes of each file, and how many names there are.
content_of() { (cd "$1" && find . -type f -exec sha256sum {} + | cut -c1-64 | sort; find . | wc -l); }
mtools_reads() { # NAME IMAGE LOOK
	local ours theirs
	rm -rf "$T/mtools" && mkdir "$T/mtools"
	LC_ALL=C.UTF-8 mcopy -i "$2" -s -n -Q '::/*' "$T/mtools" </dev/null >"$T/mcopy" 2>&1
	theirs=$(content_of "$T/mtools")
	if [ -n "$SELF" ]; then
		ours=$theirs
		same "$1: as many" "$(grep -c '^  ' "$3")" "$(find "$T/mtools" | wc -l)"
	else
		fuse "$2" "$OPTIONS,ro" || return
		ours=$(content_of "$MNT")
		un
	fi
	same "$1" "$ours" "$theirs"
}

for i in "${!NAMES[@]}"; do
	name=${NAMES[i]}
	make_image "$T/$name.ours.img" "${VOLUME[i]}" || { not_ok "$name: mkfs.fat" "$(cat "$T/mkfs")"; continue; }
	case ${WHAT[i]} in "cases options") populate "$T/$name.ours.img" ;; esac
	cp --sparse=always "$T/$name.ours.img" "$T/$name.kernel.img"
	if [ -n "$SELF" ]; then
		job "$name.ours" "$T/$name.ours.img" "${WITH[i]}" "${WHAT[i]}"
	else
		our_run "$name" "${WITH[i]}" "${WHAT[i]}" || { not_ok "$name: our mount"; continue; }
		job "$name.ours" "$T/$name.ours.img:ro" "${WITH[i]}" look
	fi
	job "$name.kernel" "$T/$name.kernel.img" "${WITH[i]}" "${WHAT[i]}"
	[ ${#JOBS[@]} -ge $DISKS_PER_BOOT ] && boot
done
boot

# What we do better than the kernel, against what it is to be.
if [ -z "$SELF" ] && make_image "$T/respell.img" large && fuse "$T/respell.img" "$OPTIONS"; then
	trace "$MNT" cases respell >"$T/respell"
	un
	same "spelling" "$(cat "$SRC/tests/diff/cases/respell.expected")" "$(cat "$T/respell")"
	fsck_fat "spelling: fsck.fat" "$T/respell.img"
fi

for i in "${!NAMES[@]}"; do
	name=${NAMES[i]}
	[ -n "$SELF" ] && cp "$T/guest/$name.ours.trace" "$T/guest/$name.ours.look" "$T"
	[ -s "$T/$name.ours.trace" ] && [ -s "$T/guest/$name.kernel.trace" ] || { not_ok "$name" "no trace"; continue; }
	case $name in *-modest | full-fat12) loose=,loose ;; *) loose= ;; esac
	compare "runs$loose" "$name: traces" "$T/$name.ours.trace" "$T/guest/$name.kernel.trace"
	compare "volumes$loose" "$name: what they left" "$T/$name.ours.look" "$T/guest/$name.kernel.look"
	fsck_fat "$name: fsck.fat of ours" "$T/$name.ours.img"
	fsck_fat "$name: fsck.fat of the kernel's" "$T/$name.kernel.img"
	compare volume "$name: the kernel reads ours" "$T/$name.ours.look" "$T/guest/$name.ours.look"
	if [ -z "$SELF" ]; then
		our_look "$T/$name.kernel.img" "${WITH[i]}" "$T/$name.kernel.look"
		compare volume "$name: we read the kernel's" "$T/$name.kernel.look" "$T/guest/$name.kernel.look"
	fi
	case $name in *-seed-* | options-* | names | lengths) ;; *) mtools_reads "$name: mtools reads ours" "$T/$name.ours.img" "$T/$name.ours.look" ;; esac
done

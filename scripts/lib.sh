# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by scripts/*: finding the tree, installing what is missing, building, and lending mount(8) the helper.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
BUILD=${FUSEBLK_BUILD:-$TOP/build}

say() { printf '%s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }

need_root() {
	[ "$(id -u)" = 0 ] || die "$0: needs root, to mount: try sudo $0"
}

# Install the packages of which none of the files or commands named is there.
BUILD_PACKAGES="gcc make autoconf automake libtool pkg-config libblkid-dev libext2fs-dev comerr-dev zlib1g-dev libmount-dev libcmocka-dev e2fsprogs util-linux mount fdisk"
TEST_PACKAGES="clang attr acl python3 fio sqlite3 git tar gzip fuse2fs procps psmisc kmod
	qemu-system-x86 linux-image-amd64 linux-headers-amd64 busybox-static cpio mtools dosfstools fusefat unicode-data"
ALL_TEST_PACKAGES="ntfs-3g bindfs squashfuse squashfs-tools"
install_missing() {
	missing=
	for p in "$@"; do
		dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $p"
	done
	[ -z "$missing" ] && return
	say "installing:$missing"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	# shellcheck disable=SC2086
	apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# build DIRECTORY [configure options]: out of the source tree, kept between runs.
build() {
	dir=$1
	shift
	[ ! -e "$TOP/config.status" ] || { say "$TOP is configured itself, which keeps it from being built elsewhere: run \"make distclean\" there first"; return 1; }
	[ -x "$TOP/configure" ] || (cd "$TOP" && mkdir -p m4 && autoreconf -fi >"$TOP/autoreconf.log" 2>&1) ||
		{ cat "$TOP/autoreconf.log"; return 1; }
	rm -f "$TOP/autoreconf.log"
	mkdir -p "$dir"
	(
		cd "$dir"
		if [ ! -f Makefile ] || [ "$(cat .configured 2>/dev/null)" != "$*" ]; then
			"$TOP/configure" -q --prefix="$dir/inst" --with-mounthelperdir="$dir/inst/sbin" "$@" >configure.log 2>&1 ||
				{ tail -20 configure.log; exit 1; }
			printf '%s' "$*" >.configured
		fi
		make -s -j"$(nproc)" >make.log 2>&1 && make -s install >>make.log 2>&1 || { tail -40 make.log; exit 1; }
	)
}

# mount(8) finds helpers in /sbin only: put ours there for as long as the script runs, unless one is installed.
lend_helper() {
	[ -e /sbin/mount.fuseblk ] && return
	[ ! -L /sbin/mount.fuseblk ] || die "/sbin/mount.fuseblk is a link to nothing: remove it first"
	ln -s "$1" /sbin/mount.fuseblk
	trap 'rm -f /sbin/mount.fuseblk' EXIT
	trap 'exit 130' INT TERM
}

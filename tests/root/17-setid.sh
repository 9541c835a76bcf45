#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Set-id bits and permissions: as the kernel's own file systems do.
. "$(dirname "$0")/lib.sh"
run_as() { setpriv --reuid="$1" --regid="$1" --clear-groups "${@:2}"; }
matrix() { # DIRECTORY: prints what happened
	local d=$1
	chmod 777 "$d"
	for mode in 4755 2755 6755 2644 6711; do
		for act in write truncate chown chgrp chmod fallocate otrunc; do
			for who in 0 1000; do
				rm -f "$d/f"
				echo content >"$d/f"
				chown 1000:1000 "$d/f"
				chmod $mode "$d/f"
				run_as $who python3 - "$d/f" $act <<'P' 2>/dev/null
import os, sys
p, act = sys.argv[1:]
try:
    if act == "write":
        fd = os.open(p, os.O_WRONLY); os.write(fd, b"X"); os.close(fd)
    elif act == "truncate": os.truncate(p, 3)
    elif act == "otrunc": os.close(os.open(p, os.O_WRONLY | os.O_TRUNC))
    elif act == "chown": os.chown(p, 1000, -1)
    elif act == "chgrp": os.chown(p, -1, 1000)
    elif act == "chmod": os.chmod(p, 0o6777)
    elif act == "fallocate": os.posix_fallocate(os.open(p, os.O_WRONLY), 0, 100)
except OSError as e:
    print(e.errno)
P
				echo "$mode $act by $who: $(stat -c %a "$d/f")"
			done
		done
	done
	rm -rf "$d/s"
	mkdir "$d/s"
	chown 0:500 "$d/s"
	chmod 2777 "$d/s"
	run_as 1000 touch "$d/s/f"
	run_as 1000 mkdir "$d/s/d"
	echo "setgid directory: $(stat -c '%a %u:%g' "$d/s/f") $(stat -c '%a %u:%g' "$d/s/d")"
	chmod 1777 "$d/s"
	run_as 1001 rm -f "$d/s/f" 2>/dev/null && echo "sticky: removed" || echo "sticky: kept"
	echo secret >"$d/p"
	chmod 600 "$d/p"
	run_as 1000 cat "$d/p" 2>/dev/null || echo "mode 600: denied"
	run_as 1000 chmod 777 "$d/p" 2>/dev/null || echo "chmod by another: denied"
	run_as 1000 chown 1000 "$d/p" 2>/dev/null || echo "chown by another: denied"
	run_as 1000 touch -d @5 "$d/p" 2>/dev/null || echo "utimes by another: denied"
	rm -rf "$d/s" "$d/p" "$d/f"
}
mkfs "$T/a.img" 16M -t ext2
cp "$T/a.img" "$T/k.img"
kernel "$T/k.img"
want=$(matrix "$T/kernel")
un "$T/kernel"
rw "$T/a.img"
same "the same as under the kernel's driver" "$want" "$(matrix "$MNT")"
un
rw "$T/a.img" grpid
chmod 777 "$MNT"
mkdir "$MNT/g"
chown 0:600 "$MNT/g"
chmod 777 "$MNT/g"
run_as 1000 touch "$MNT/g/f"
same "grpid" 600 "$(stat -c %g "$MNT/g/f")"
un

exit 0

# SPDX-License-Identifier: GPL-2.0-or-later
"""What came back from a guest of tests/kernel: init's report (init/init.h) and the kernel's log.

The two together are the verdict; neither is believed where the other is missing.
"""
import os
import re
import sys

COMPLAINTS = re.compile(r"WARNING: |WARNING at|BUG: |BUG at|\bOops\b|Kernel panic|general protection|KASAN|KCSAN|UBSAN|"
                        r"cut here|INFO: (possible|suspicious|task|trying|rcu)|inconsistent lock state|"
                        r"possible circular locking|suspicious RCU|blocked for more than|ODEBUG|refcount_t|"
                        r"list_(add|del) corruption|Slab cache still has objects|objects remaining in|"
                        r"unable to handle|Bad page (state|map)|detected stalls|scheduling while atomic|"
                        r"kmemleak: .*(disabled|suspected)|Redzone|Poison overwritten|Object already free")
# What is said of an allocation that was made to fail.
BENIGN = re.compile(r"FAULT_INJECTION: forcing a failure|page allocation failure|vmalloc error|SLUB: Unable to allocate")


class Report:
    """The records that arrived; a guest that died leaves a part."""

    def __init__(self, data, nonce):
        self.output = bytearray()
        self.notes = []
        self.complaints = []
        self.files = {}
        self.status = None
        self.module_at = None
        self.ended = False
        self._parse(data, nonce)

    def _parse(self, data, nonce):
        at = 0
        while not self.ended:
            end = data.find(b"\n", at)
            if end < 0:
                return
            kind, _, rest = data[at:end].decode(errors="replace").partition(" ")
            at = end + 1
            if kind in ("output", "file"):
                length, _, name = rest.partition(" ")
                body = data[at:at + int(length)]
                at += int(length)
                if kind == "output":
                    self.output += body
                elif ".." not in name.split("/"):
                    self.files[name] = body
            elif kind == "note":
                self.notes.append(rest)
            elif kind == "complaint":
                self.complaints.append(rest)
            elif kind == "module":
                self.module_at = int(rest, 16)
            elif kind == "status":
                self.status = int(rest)
            else:
                self.ended = kind == "end" and rest == nonce
                return


def complaints(log):
    """The lines of a kernel's log that must not be there, each once."""
    return list(dict.fromkeys(line for line in log.splitlines() if COMPLAINTS.search(line) and not BENIGN.search(line)))


def excerpt(log, lines=60):
    """The log from its first complaint on; its end where there is none."""
    all_lines = log.splitlines()
    for n, line in enumerate(all_lines):
        if COMPLAINTS.search(line) and not BENIGN.search(line):
            return all_lines[max(0, n - 2):n + lines]
    return all_lines[-15:]


def show(report):
    """The program's output as it is, then what init has to say."""
    sys.stdout.flush()
    sys.stdout.buffer.write(bytes(report.output))
    sys.stdout.flush()
    for note in report.notes:
        print("note: " + note, file=sys.stderr)


def save_files(report, out):
    for name, body in report.files.items():
        path = os.path.join(out, name.lstrip("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(body)


def verdict(report, log):
    """(exit status, lines that explain it) of a guest that ended by itself."""
    bad = report.complaints + complaints(log)
    if bad:
        text = ["the guest's kernel complained:"] + ["  | " + line for line in report.complaints]
        if complaints(log):
            text += ["  | " + line for line in excerpt(log)]
        return 126, text
    if not report.ended or report.status is None:
        return 125, ["the guest ended without a report; its log ends:"] + ["  | " + line for line in excerpt(log)]
    return report.status, []

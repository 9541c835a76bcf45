# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines of a kernel's log with the places in our module's source they speak of.

Both ways of naming a place are known: symbol+0x1f/0x80 [module], and the bare
address of user-mode Linux's "ip 0x...", which needs to know where the module was.
"""
import os
import re
import subprocess


def _text_symbols(module):
    """Offset in .text of each function."""
    out = subprocess.run(["nm", module], capture_output=True, text=True, check=False).stdout
    found = {}
    for line in out.splitlines():
        words = line.split()
        if len(words) == 3 and words[1] in "tT":
            found.setdefault(words[2], int(words[0], 16))
    return found


def _source(module, offset):
    out = subprocess.run(["addr2line", "-f", "-s", "-j", ".text", "-e", module, hex(offset)], capture_output=True, text=True,
                         check=False).stdout.split()
    return f"{out[0]} {out[1]}" if len(out) == 2 and "?" not in out[1] else ""


def annotate(lines, module, loaded_at=None):
    """The lines, those of the module with "function file:line" after them."""
    if not module or not os.path.exists(module):
        return lines
    symbols = _text_symbols(module)
    end = max(symbols.values(), default=0) + 4096
    name = os.path.basename(module).removesuffix(".ko")
    named = re.compile(r"([\w.]+)\+0x([0-9a-f]+)/0x[0-9a-f]+ \[" + re.escape(name) + r"\]")
    noted = []
    for line in lines:
        offset = None
        match, bare = named.search(line), re.search(r"\bip 0x([0-9a-f]+)", line)
        if match and match[1] in symbols:
            offset = symbols[match[1]] + int(match[2], 16)
        elif bare and loaded_at and 0 <= int(bare[1], 16) - loaded_at < end:
            offset = int(bare[1], 16) - loaded_at
        where = _source(module, offset) if offset is not None else ""
        noted.append(f"{line}  <- {where}" if where else line)
    return noted

# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest as a process: QEMU's command line, waiting, and what came back.

What the task said comes back on a disk of its own, as a tar archive that starts
with a line only this run knows; the console is for the kernel.
"""
import collections
import ctypes
import io
import mmap
import os
import re
import secrets
import subprocess
import sys
import tarfile
import time

RESULT_BYTES = 512 << 20
NONCE_BYTES = 512
COMPLAINTS = re.compile(r"WARNING: |BUG: |Oops|general protection|Call Trace|Kernel panic|blocked for more than|"
                        r"KASAN|UBSAN|possible circular locking|rcu: INFO|unable to handle")
COMMAND_LINE = ["console=ttyS0", "quiet", "panic=-1", "oops=panic", "mitigations=off", "nokaslr", "random.trust_cpu=on",
                "tsc=reliable", "no_timer_check", "rcupdate.rcu_cpu_stall_suppress=1", "rdinit=/init"]
# for kernel code that is under test; loglevel: a warning is to be on the console before the panic
STRICT = ["loglevel=6", "panic_on_warn=1", "watchdog_thresh=60", "hung_task_panic=1", "sysctl.kernel.hung_task_timeout_secs=30", "slub_debug=FZPU"]
# Links stay what they are; device numbers are not kept apart, which nobody in the guest asks for.
HOST_ROOT = ["-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap",
             "-device", "virtio-9p-pci,fsdev=host,mount_tag=host"]

Result = collections.namedtuple("Result", "console output disk nonce")


class Trouble(Exception):
    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


def _host_tsc_khz():
    """The rate of this machine's time stamp counter, which is what QEMU shows a guest without KVM."""
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\x0f\x31\x48\xc1\xe2\x20\x48\x09\xd0\xc3")  # rdtsc; shl $32,%rdx; or %rdx,%rax; ret
    rdtsc = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(code)))

    def now():
        """Both clocks at one moment: the narrowest of some tries, so that being put off between them does not matter."""
        tries = []
        for _ in range(20):
            before, ticks = rdtsc(), time.monotonic_ns()
            tries.append((rdtsc() - before, before, ticks))
        return min(tries)[1:]
    ticks, ns = now()
    time.sleep(0.1)
    more_ticks, more_ns = now()
    return (more_ticks - ticks) * 1000000 // (more_ns - ns)


def _disks(a, result):
    """-device arguments: eight functions to a slot, so that many disks find room, in order."""
    args = []
    items = [item.removesuffix(":ro") for item in a.disk] + [result]
    for n, item in enumerate(items):
        if not os.path.exists(item):
            raise Trouble(125, f"{item}: no such image")
        ro = ",readonly=on" if n < len(a.disk) and a.disk[n].endswith(":ro") else ""
        name = item.replace(",", ",,")
        args += ["-drive", f"if=none,id=d{n},format=raw,cache=unsafe,file={name}{ro}",
                 "-device", f"virtio-blk-pci,drive=d{n},addr={4 + n // 8:#x}.{n % 8},multifunction=on"]
    return args


def _tail(path, lines=15):
    with open(path, errors="replace", encoding="utf-8") as f:
        return "".join("  | " + line.rstrip() + "\n" for line in f.readlines()[-lines:])


def _show(output):
    """What the task had printed when the guest died."""
    with open(output, "rb") as f:
        sys.stdout.buffer.write(f.read().replace(b"\r\n", b"\n"))
    sys.stdout.flush()


def command(a, vmlinux, initramfs, serial_ports, words):
    """QEMU's command line, without disks: each serial port is a file; words are for the kernel."""
    if os.uname().machine == "x86_64":
        # on a busy machine the guest measures it wrong, by factors, and then its clock runs wild
        words = words + [f"tsc_early_khz={_host_tsc_khz()}"]
    ports = [arg for path in serial_ports for arg in ("-serial", "file:" + path)]
    return ["qemu-system-x86_64", "-M", "q35,i8042=off,smbus=off,sata=off", "-nodefaults", "-no-user-config", "-no-reboot",
            "-display", "none", "-accel", "tcg,thread=multi", "-m", str(a.memory), "-smp", str(a.cpus)] + ports + \
           ["-kernel", vmlinux, "-initrd", initramfs, "-append", " ".join(words)]


def boot(qemu_command, seconds):
    """Run QEMU to its end. Returns whether it ended by itself in time; raises Trouble where it fails."""
    with subprocess.Popen(qemu_command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as qemu:
        try:
            _, errors = qemu.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        finally:
            qemu.kill()
    if qemu.returncode:
        raise Trouble(125, f"qemu ended with {qemu.returncode}: {errors.decode(errors='replace').strip()}")
    return True


def run(a, vmlinux, initramfs, scratch):
    """Boot, run the task, power off. Returns a Result; raises Trouble."""
    console, output, disk = (os.path.join(scratch, name) for name in ("console", "output", "result"))
    nonce = secrets.token_hex(16)
    with open(disk, "wb") as f:
        f.truncate(RESULT_BYTES)
    words = COMMAND_LINE + (STRICT if a.strict else []) + [f"task.nonce={nonce}", f"task.result={len(a.disk)}"]
    devices = _disks(a, disk)
    if a.host_root:
        words.append("task.host=1")
        devices += HOST_ROOT
    start = time.monotonic()
    ended = boot(command(a, vmlinux, initramfs, [console, output], words) + devices, a.timeout)
    if a.verbose:
        print(f"tests/guest/run: guest {time.monotonic() - start:.1f} s", file=sys.stderr)
    if not ended:
        _show(output)
        raise Trouble(124, f"the guest did not end within {a.timeout:g} s; its console ends:\n{_tail(console)}")
    return Result(console, output, disk, nonce)


def _complaints(text):
    return [line for line in text.splitlines() if COMPLAINTS.search(line)]


def bring_back(result, out, kept):
    """Print what the task printed, unpack /out, look at the kernel's log. Returns the task's status."""
    with open(result.console, errors="replace", encoding="utf-8") as f:
        bad = _complaints(f.read())
    with open(result.disk, "rb") as f:
        if f.read(NONCE_BYTES).split(b"\n")[0] != result.nonce.encode():
            _show(result.output)
            raise Trouble(126 if bad else 125, f"the guest ended without a result; its console ({kept}) ends:\n{_tail(result.console)}")
        archive = tarfile.open(fileobj=io.BufferedReader(f), mode="r|")
        status = None
        for member in archive:
            if not member.isfile():
                continue
            name = os.path.normpath(member.name)
            data = archive.extractfile(member).read()
            if name == "out/.status":
                status = int(data)
            elif name == "out/.stdout":
                sys.stdout.flush()
                sys.stdout.buffer.write(data)
            elif name == "out/dmesg":
                bad += _complaints(data.decode(errors="replace"))
            if out and not name.startswith(("/", "..")) and not os.path.basename(name).startswith("."):
                to = os.path.join(out, os.path.relpath(name, "out"))
                os.makedirs(os.path.dirname(to), exist_ok=True)
                with open(to, "wb") as target:
                    target.write(data)
    sys.stdout.flush()
    if bad:
        raise Trouble(126, "the guest's kernel complained:\n" + "".join(f"  | {line}\n" for line in dict.fromkeys(bad)))
    if status is None:
        raise Trouble(125, "the guest told no exit status")
    return status

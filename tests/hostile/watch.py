"""An audit hook (PEP 578) that notes what a process writes outside of its folders, and which programs it starts.

It sees what Python opens; files that a library opens by itself are seen by comparing the folders around (`drivers`).
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence
from typing import Any

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = ("os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod", "os.chown", "os.utime")
_PROGRAMS = ("git", "squeue", "sbatch", "scancel", "sinfo", "srun", "uname", "ldconfig", "fc-list")
"""What the package and its libraries start, and Slurm's commands."""

_STARTS = ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.system")


def install(allowed: Sequence[str], log: str) -> None:
    """Note in the file `log`, from now on, every change outside of the folders `allowed` and every unknown program."""
    inside = tuple(f"{os.path.realpath(folder)}/" for folder in allowed)
    noted = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)

    def note(text: str) -> None:
        os.write(noted, f"{text!a}\n".encode())

    def changes(path: Any, folder: Any = -1, *, itself: bool = False) -> str:
        """The place outside that a change would reach; empty where it is inside. `itself`: links at the end are followed."""
        if isinstance(path, int):
            return ""
        text = os.path.join(_folder(folder), os.fsdecode(path))  # noqa: PTH118
        real = os.path.realpath(text if itself else os.path.dirname(text))  # noqa: PTH120
        real = real if itself else os.path.join(real, os.path.basename(text))  # noqa: PTH118, PTH119
        return "" if real.startswith(inside) or _is_device(real) else real

    def hook(event: str, given: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = given
            if isinstance(flags, int) and flags & _WRITES and not isinstance(path, int):
                refused = os.path.islink(path) and flags & (os.O_NOFOLLOW | os.O_EXCL)  # noqa: PTH114
                if not refused and (place := changes(path, itself=True)):
                    note(f"opens {place} to write")
        elif event in _CHANGES:
            place = changes(given[0], given[-1] if event != "os.truncate" else -1)
            if place and not (event == "os.mkdir" and os.path.lexists(place)):
                note(f"{event} {place}")
        elif event in ("os.rename", "os.link"):
            for path, folder in ((given[0], given[2]), (given[1], given[3])):
                if place := changes(path, folder):
                    note(f"{event} {place}")
        elif event == "os.symlink":
            if place := changes(given[1], given[2]):
                note(f"{event} {place}")
        elif event in _STARTS:
            program = _program(event, given)
            if os.path.basename(program) not in _PROGRAMS and not _is_python(program):  # noqa: PTH119
                note(f"starts {program}")
        elif event == "socket.connect" and isinstance(given[1], tuple):
            note(f"connects to {given[1]}")

    sys.addaudithook(hook)


def _program(event: str, given: tuple[Any, ...]) -> str:
    first = given[0]
    if event == "subprocess.Popen" and first is None:
        first = given[1][0] if isinstance(given[1], Sequence) and not isinstance(given[1], str | bytes) else given[1]
    return os.fsdecode(first)


def _is_python(program: str) -> bool:
    return os.path.realpath(program) == os.path.realpath(sys.executable)


def _folder(descriptor: Any) -> str:
    if isinstance(descriptor, int) and descriptor >= 0:
        return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115
    return os.getcwd()  # noqa: PTH109


def _is_device(path: str) -> bool:
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except OSError:
        return path.startswith(("/dev/", "/proc/"))
    return stat.S_ISCHR(mode) or path.startswith(("/proc/self/", f"/proc/{os.getpid()}/"))

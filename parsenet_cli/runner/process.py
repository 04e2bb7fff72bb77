"""Which process a run's worker is, in words that no other process ever has: a pid alone may belong to another one tomorrow.

What a run's folder says of its worker is believed only where that process holds the run's lock: the folder may be somebody
else's, and would name any process of this user. Source: proc(5), proc_locks(5). Where there is no /proc nothing is known, and
nothing is ever sent to a pid that is only believed to be it.
"""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import Any, Literal

from parsenet_cli.core.files import refuse_lock
from parsenet_cli.runner import launch
from parsenet_cli.store.run import Run

Place = Literal["here", "elsewhere", "gone", "unknown"]


def own() -> dict[str, Any]:
    """What a worker records of itself: pid, host, the cluster's job, an identity that outlives neither process nor boot."""
    pid = os.getpid()
    return {"pid": pid, "host": socket.gethostname(), "process": _identity(pid), "job": launch.current_job()}


def place(run: Run) -> Place:
    """Where the recorded worker is: on this host and at work, on this host and gone, on another one, or it cannot be told."""
    recorded, machine = run.status(), _machine()
    pid, identity = recorded.pid, recorded.process
    if pid is None or not identity:
        return "unknown"
    if identity == _identity(pid):
        return "here" if _holds(pid, run.lock_file) else "unknown"
    here = recorded.host == socket.gethostname() or (machine and identity.startswith(machine))
    return "gone" if here else "elsewhere"


def ask_to_stop(run: Run) -> bool:
    """Send SIGTERM to the run's worker; False where it is not on this host, gone, another user's, or cannot be told."""
    return _send(run, signal.SIGTERM)


def kill(run: Run) -> bool:
    """End the run's worker without asking it; False where `ask_to_stop` is."""
    return _send(run, signal.SIGKILL)


def _send(run: Run, number: signal.Signals) -> bool:
    try:
        # Of whoever has the pid now: it cannot change hands any more.
        handle = os.pidfd_open(run.status().pid or 0)
    except (OSError, OverflowError):
        return False
    try:
        if place(run) != "here":
            return False
        signal.pidfd_send_signal(handle, number)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def _holds(pid: int, lock: Path) -> bool:
    """Whether a process holds a lock file, which is a plain file with one name."""
    try:
        refuse_lock(lock)
        inode = lock.stat().st_ino
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return False
    # 1: FLOCK  ADVISORY  WRITE 2754 fe:00:2147114 0 EOF
    held = (line.split() for line in lines)
    return any(
        (words[1], words[3], words[4], words[5].rpartition(":")[2]) == ("FLOCK", "WRITE", str(pid), str(inode))
        for words in held
        if len(words) > 5 and words[1] == "FLOCK"
    )


def _identity(pid: int) -> str:
    """Boot, pid namespace, pid and start time in clock ticks since boot; empty where there is no such process."""
    try:
        # The command's name is in brackets and may hold anything; the 20th field behind it is the start time.
        started = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError, UnicodeDecodeError):
        return ""
    machine = _machine()
    return f"{machine} {pid} {started}" if machine else ""


def _machine() -> str:
    """This boot of this machine and its view of pids (a container has its own)."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""

"""Which process a run's worker is, in words that no other process ever has: a pid alone may belong to another one tomorrow.

Source: proc(5). Where there is no /proc nothing is known, and nothing is ever sent to a pid that is only believed to be it.
"""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import Any, Literal

from parsenet_cli.runner import launch
from parsenet_cli.store.result import RunStatus

Place = Literal["here", "elsewhere", "gone", "unknown"]


def own() -> dict[str, Any]:
    """What a worker records of itself: pid, host, the cluster's job, an identity that outlives neither process nor boot."""
    pid = os.getpid()
    return {"pid": pid, "host": socket.gethostname(), "process": _identity(pid), "job": launch.current_job()}


def place(recorded: RunStatus) -> Place:
    """Where the recorded process is: on this host and alive, on this host and gone, on another one, or it cannot be told."""
    pid, identity, machine = recorded.pid, recorded.process, _machine()
    if not isinstance(pid, int) or not isinstance(identity, str) or not identity:
        return "unknown"
    if identity == _identity(pid):
        return "here"
    here = recorded.host == socket.gethostname() or (machine and identity.startswith(machine))
    return "gone" if here else "elsewhere"


def ask_to_stop(recorded: RunStatus) -> bool:
    """Send SIGTERM to the recorded process; False where it is not on this host, gone, or another user's."""
    return _send(recorded, signal.SIGTERM)


def kill(recorded: RunStatus) -> bool:
    """End the recorded process without asking it; False where `ask_to_stop` is."""
    return _send(recorded, signal.SIGKILL)


def _send(recorded: RunStatus, number: signal.Signals) -> bool:
    try:
        handle = os.pidfd_open(recorded.pid or 0)  # of whoever has the pid now: it cannot change hands any more
    except (OSError, TypeError):
        return False
    try:
        if place(recorded) != "here":
            return False
        signal.pidfd_send_signal(handle, number)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


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

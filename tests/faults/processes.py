"""All processes of one journey: told by what stands in their environment, so that none can hide."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path


def of_folder(folder: Path) -> list[int]:
    """Living processes whose PARSENET_FAULT_FOLDER is this folder or in it: driver, fork server, workers, trackers."""
    wanted = f"\0PARSENET_FAULT_FOLDER={folder}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            environment = b"\0" + (entry / "environ").read_bytes() + b"\0"
            if (wanted + b"\0" in environment or wanted + b"/" in environment) and _state(entry) != "Z":
                found.append(int(entry.name))
    return sorted(found)


def kill_all(folder: Path) -> None:
    """kill -9, again and again until none is left: one that was just forked may be missed once."""
    while alive := of_folder(folder):
        for pid in alive:
            send(pid, signal.SIGKILL)
        time.sleep(0.005)


def send(pid: int, number: signal.Signals) -> bool:
    """Send a signal; False where the process has gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def gone(folder: Path, within: float) -> list[int]:
    """The processes that are still there after so many seconds."""
    until = time.monotonic() + within
    while (alive := of_folder(folder)) and time.monotonic() < until:
        time.sleep(0.05)
    return alive


def _state(entry: Path) -> str:
    return (entry / "stat").read_text().rpartition(")")[2].split()[0]

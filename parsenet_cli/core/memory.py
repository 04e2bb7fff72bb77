"""How memory that ran out is told from other failures, without importing torch."""

from __future__ import annotations

from pathlib import Path


def is_out_of_memory(problem: BaseException) -> bool:
    """Whether a failure means that memory ran out, on whichever device. On a CPU PyTorch has no type of its own for it."""
    names = {kind.__name__ for kind in type(problem).__mro__}
    return bool(names & {"OutOfMemoryError", "MemoryError"}) or "allocate memory" in str(problem)


def oom_kill_count() -> int:
    """How many processes Linux has killed since it booted because memory ran out; 0 where it does not say."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)

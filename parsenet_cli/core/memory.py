"""How memory that ran out is told from other failures, and what Linux says in /proc; without importing torch."""

from __future__ import annotations

import re
from pathlib import Path

_SAYS_SO = re.compile(
    r"out of memory|allocate memory|(CUDNN|CUBLAS|CUSOLVER|CUSPARSE|CUFFT)_(STATUS_)?ALLOC_FAILED"
    r"|unable to find (an engine|a valid cuDNN)",
    re.IGNORECASE,
)
"""In the words of PyTorch on a CPU, of CUDA (whose context finds no room beside others), and of its libraries: cuDNN passes over
algorithms whose workspace cannot be allocated until none is left."""


def is_out_of_memory(problem: BaseException) -> bool:
    """Whether a failure means that memory ran out, on whichever device. PyTorch has a type of its own for one form of many."""
    names = {kind.__name__ for kind in type(problem).__mro__}
    return bool(names & {"OutOfMemoryError", "MemoryError"} or _SAYS_SO.search(str(problem)))


def oom_kill_count() -> int:
    """How many processes Linux has killed since it booted because memory ran out; 0 where it does not say."""
    return int(proc_value("vmstat", "oom_kill ") or 0)


def proc_value(file: str, key: str) -> str | None:
    """What stands behind the first `key` in Linux's /proc/<file>; None where nothing does."""
    try:
        lines = (Path("/proc") / file).read_text().splitlines()
    except OSError:
        return None
    return next((line.removeprefix(key).strip() for line in lines if line.startswith(key)), None)

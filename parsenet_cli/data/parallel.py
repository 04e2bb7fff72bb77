"""The same work on many files, in as many processes as there are cores."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

Item = TypeVar("Item")
Found = TypeVar("Found")

_CHUNK = 16
_FEW = 32


def each(function: Callable[[Item], Found], items: Sequence[Item]) -> Iterator[Found]:
    """`function` of every item, in order. It must be a module's own function, or a partial of one."""
    if len(items) <= _FEW:  # starting processes takes longer
        yield from map(function, items)
        return
    # Fresh processes: a fork of a process with threads may hang.
    pool = ProcessPoolExecutor(max(2, os.cpu_count() or 1), get_context("spawn"), _leave_ctrl_c_to_the_parent)
    try:
        yield from pool.map(function, items, chunksize=_CHUNK)
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_ctrl_c_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)

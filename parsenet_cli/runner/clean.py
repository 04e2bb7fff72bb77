"""`parsenet clean`: what can go from a results folder, and its removal.

Nothing outside of the folder is ever touched: links are not followed. A run that is at work is left alone, and a run's folder
is removed with its lock in hand. A finished result goes only where that is asked for by name.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import os_errors_as_user_errors
from parsenet_cli.runner.launch.slurm import queue
from parsenet_cli.store.run import Busy, Run, Store

Kind = Literal[
    "temporary files",
    "damaged files, put aside",
    "caches",
    "checkpoints of done runs",
    "failed and lost runs",
    "runs that never began",
    "finished results",
]

AGE_SECONDS = 3600.0
"""Younger temporary files may still be written, on whatever machine."""


@dataclass(frozen=True)
class Piece:
    """A file or folder that can go, and what is lost with it."""

    kind: Kind
    path: Path
    bytes: int
    remark: str = ""
    run: Run | None = None
    """Whose folder it is, or lies in."""


def found(store: Store, results_too: bool) -> tuple[list[Piece], int]:
    """Everything that can go, and the number of runs at work or waiting for it in Slurm's queue.

    While there are any, caches stay, and failed and lost runs too: a driver may be about to try them again. `results_too`
    adds finished runs.
    """
    runs = store.runs()
    alive = {run.signature for run in runs if run.alive()} | _in_a_queue(runs)
    working = len(alive)
    pieces = [Piece("temporary files", file, _size(file)) for file in _temporary(store.root)]
    if not working:
        pieces += _caches(store)
    for run in [run for run in runs if run.signature not in alive]:
        state = run.state()
        if state == "done" and results_too:
            pieces.append(Piece("finished results", run.folder, _size(run.folder), "trained again when asked for", run))
        elif state in ("failed", "lost") and not working:
            status = run.status()
            reached = f"it had reached iteration {status.iteration} of {status.steps}"
            pieces.append(Piece("failed and lost runs", run.folder, _size(run.folder), f"{state}; {reached}", run))
        elif state == "queued" and not working and _never_began(run):
            pieces.append(Piece("runs that never began", run.folder, _size(run.folder), run=run))
        else:
            pieces += _leftovers(run, state)
    return pieces, working


def _never_began(run: Run) -> bool:
    """Planned some time ago, and no worker has ever had it: refused by a queue, or its preparation failed."""
    planned = run.config_file
    old = planned.is_file() and time.time() - planned.stat().st_mtime > AGE_SECONDS
    return old and not run.has_checkpoint and not run.log.exists()


def _in_a_queue(runs: Sequence[Run]) -> set[str]:
    """Those whose job Slurm may still start: a run whose node died counts as lost until then. One that is cancelled leaves."""
    waiting = [run for run in runs if run.result() is None and not run.cancelled]
    jobs = {run.signature: job for run in waiting if (job := run.job()) is not None}
    held = set(queue.held(jobs.values())) if jobs else set()
    return {signature for signature, job in jobs.items() if job in held}


def _leftovers(run: Run, state: str) -> Iterator[Piece]:
    """What can go from the folder of a run that stays."""
    for file in sorted(run.folder.glob("*.damaged.*")):
        yield Piece("damaged files, put aside", file, _size(file), run=run)
    # A run that is being trained again for the sake of its model still needs its checkpoints.
    if state == "done" and not _asks_for_model(run):
        for file in run.checkpoints:
            if file.is_file():
                yield Piece("checkpoints of done runs", file, _size(file), run=run)


def _asks_for_model(run: Run) -> bool:
    """Whether a finished run was asked to keep its model and has none yet."""
    try:
        return not run.done_as_asked()
    except UserError:  # damaged, or another version's: nothing says that it was
        return False


def remove(pieces: Sequence[Piece], say: Callable[[str], None]) -> int:
    """Remove them; returns the number of bytes. What has come to life in the meantime is left, and said."""
    freed = 0
    for piece in pieces:
        try:
            if piece.run is None:
                _remove(piece.path)
            else:
                _remove_of_run(piece, piece.run)
            freed += piece.bytes
        except Busy:
            say(f"{piece.path}: left alone, it is at work now")
        except _Finished:
            say(f"{piece.path}: left alone, it has finished now")
    return freed


class _Finished(Exception):
    """Since it was found, the run has got its result."""


def _remove_of_run(piece: Piece, run: Run) -> None:
    with run.lock(wait=0):
        if piece.kind in ("failed and lost runs", "runs that never began") and run.result() is not None:
            raise _Finished
        _remove(piece.path)


def _remove(path: Path) -> None:
    with os_errors_as_user_errors(path):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _caches(store: Store) -> Iterator[Piece]:
    """What lies in the cache, one by one; nothing where the cache is a link to another place."""
    if store.cache.is_dir() and not store.cache.is_symlink():
        for entry in sorted(store.cache.iterdir()):
            remark = "downloaded again when needed" if entry.name == "weights" else "made again when needed"
            yield Piece("caches", entry, _size(entry), remark)


def _temporary(root: Path) -> Iterator[Path]:
    """What `files.replacing` left when its process was killed, outside of the cache and of the data sets."""
    for folder, inner, names in os.walk(root):
        if Path(folder) == root:
            inner[:] = [name for name in inner if name not in ("cache", "data")]
        for name in names:
            file = Path(folder) / name
            if name.startswith(".") and name.endswith(".tmp") and time.time() - file.lstat().st_mtime > AGE_SECONDS:
                yield file


def _size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; a link counts as nothing."""
    if path.is_symlink():
        return 0
    if path.is_file():
        return path.stat().st_size
    return sum((Path(folder) / name).lstat().st_size for folder, _, names in os.walk(path) for name in names)

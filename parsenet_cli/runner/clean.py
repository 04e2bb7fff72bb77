"""`parsenet clean`: what can go from a results folder, and its removal.

Nothing outside of the folder is ever touched: links are not followed. A run that is at work is left alone, and a run's folder
is removed with its lock in hand. A finished result goes only where that is asked for by name.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from parsenet_cli.core import files
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import NotWritten, is_plain
from parsenet_cli.runner import launch
from parsenet_cli.runner.state import queue_of, state_of
from parsenet_cli.store.run import Busy, Run, Store

_UNFINISHED = ("failed and lost runs", "runs that never began")

AGE_SECONDS = 3600.0
"""Younger temporary files may still be written, on whatever machine."""


@dataclass(frozen=True)
class Piece:
    """A file or folder that can go, and what is lost with it.

    Attributes:
        kind: In words; the pieces of a kind are shown together.
        run: Whose folder it is, or lies in.
    """

    kind: str
    path: Path
    bytes: int
    remark: str = ""
    run: Run | None = None


def removable(store: Store, results_too: bool) -> tuple[list[Piece], int]:
    """Everything that can go, and the number of runs at work or waiting for it in a queue.

    While there are any, caches stay, and failed and lost runs too: a driver may be about to try them again. `results_too`
    adds finished runs.
    """
    runs = store.runs()
    queued = queue_of(runs, launch.queue(store.root))
    idle = [run for run in runs if not queued(run) and not run.alive()]
    working = len(runs) - len(idle)
    pieces = [Piece("temporary files", file, _size(file)) for file in _temporary(store.root)]
    if not working:
        pieces += _caches(store)
    for run in idle:
        state = state_of(run)
        earlier = [Piece("earlier results", folder, _size(folder), run=run) for folder in run.earlier_results]
        size = _size(run.folder) - sum(piece.bytes for piece in earlier)
        if results_too:
            pieces += earlier
        if problem := _impossible(run):
            pieces.append(Piece("results that are not believed", run.folder, _size(run.folder), problem, run))
        elif state == "done" and results_too:
            pieces.append(Piece("finished results", run.folder, size, "trained again when asked for", run))
        elif earlier and not results_too:
            pieces += _leftovers(run, state)
        elif state in ("failed", "lost") and not working:
            status = run.status()
            reached = f"it had reached iteration {status.iteration} of {status.steps}"
            pieces.append(Piece("failed and lost runs", run.folder, size, f"{state}; {reached}", run))
        elif state == "queued" and not working and _never_began(run):
            pieces.append(Piece("runs that never began", run.folder, size, run=run))
        else:
            pieces += _leftovers(run, state)
    return pieces, working


def _impossible(run: Run) -> str:
    """Why a result that is whole is believed by nothing; one that a disk has damaged is put aside when it is made again."""
    problem = run.disbelief()
    return problem if problem and (run.result() is not None or run.has_whole_result) else ""


def _never_began(run: Run) -> bool:
    """Planned some time ago, and no worker has ever had it: refused by a queue, or its preparation failed."""
    planned = run.config_file
    old = is_plain(planned) and time.time() - planned.stat().st_mtime > AGE_SECONDS
    return old and not run.has_checkpoint and not os.path.lexists(run.log)


def _leftovers(run: Run, state: str) -> Iterator[Piece]:
    """What can go from the folder of a run that stays."""
    for file in sorted(run.folder.glob("*.damaged.*")):
        yield Piece("damaged files, put aside", file, _size(file), run=run)
    # A run that is being trained again for the sake of its model still needs its checkpoints.
    if state == "done" and not _asks_for_model(run):
        for file in run.checkpoints:
            if is_plain(file):
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
            with nullcontext() if piece.run is None else piece.run.lock(wait=0):
                if piece.kind in _UNFINISHED and piece.run is not None and piece.run.result() is not None:
                    say(f"{piece.path}: left alone, it has finished now")
                    continue
                files.remove(piece.path)
            freed += piece.bytes
        except Busy:
            say(f"{piece.path}: left alone, it is at work now")
        except NotWritten as problem:  # another user's, perhaps: the others can go all the same
            say(f"{piece.path}: left alone, {str(problem).removeprefix(f'{piece.path}: ')}")
    return freed


def _caches(store: Store) -> Iterator[Piece]:
    """What lies in the cache, one by one; nothing where the cache is a link to another place."""
    if store.cache.is_dir() and not store.cache.is_symlink() and os.access(store.cache, os.R_OK):
        for entry in sorted(store.cache.iterdir()):
            remark = "downloaded again when needed" if entry.name == "weights" else "made again when needed"
            yield Piece("caches", entry, _size(entry), remark)


def _temporary(root: Path) -> Iterator[Path]:
    """What `files.atomic_write` left when its process was killed, outside of the cache and of the data sets."""
    for folder, inner, names in os.walk(root):
        if Path(folder) == root:
            inner[:] = [name for name in inner if name not in ("cache", "data")]
        for name in names:
            file = Path(folder) / name
            if name.startswith(".") and name.endswith(".tmp"):
                with suppress(OSError):
                    if time.time() - file.lstat().st_mtime > AGE_SECONDS:
                        yield file


def _size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; a link counts as nothing."""
    if path.is_symlink():
        return 0
    if is_plain(path):
        return path.lstat().st_size
    size = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):
                size += Path(folder, name).lstat().st_size
    return size

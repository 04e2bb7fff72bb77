"""`parsenet status --watch`: how the runs stand, again and again until nothing runs and nothing waits in a queue."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from parsenet_cli import study
from parsenet_cli.errors import UserError
from parsenet_cli.inspection import Line, counts, survey
from parsenet_cli.launch import slurm_queue
from parsenet_cli.progress import labels
from parsenet_cli.store import Store

if TYPE_CHECKING:
    from rich.console import Console

EVERY_SECONDS = 2.0
QUEUE_SECONDS = 10.0
"""How often Slurm is asked while runs wait and none runs."""

IDLE_LOOKS = 2
"""Looks without a running run after which it ends: between one run and the next there may be a moment without any."""

_FIRST = ("running", "failed", "lost", "queued", "new", "done")
"""What is shown where not everything fits."""


def watch(store: Store, console: Console) -> None:
    """Refresh until nothing runs and no job waits in a queue; Ctrl-C leaves at once and stops no run.

    In a terminal the picture is redrawn; elsewhere a line is printed whenever a run has changed its state.
    """
    from rich.live import Live
    from rich.text import Text

    idle, said, before = 0, "", [b""]
    queue = slurm_queue.Queue(QUEUE_SECONDS) if slurm_queue.reachable() else None
    try:
        with Live(console=console, auto_refresh=False) as live:
            while idle < IDLE_LOOKS:
                lines = survey(store)
                preparing = _preparing(store)
                running = any(line.state == "running" for line in lines) or (preparing and preparing != before)
                idle = 0 if running or _waiting(lines, queue) else idle + 1
                before = preparing
                if console.is_terminal:
                    served = labels(study.load_all(store))
                    live.update(Text(picture(lines, served, console.height - 2), no_wrap=True), refresh=True)
                elif said != (said := counts(lines)):
                    console.print(said, markup=False)
                if idle < IDLE_LOOKS:
                    time.sleep(EVERY_SECONDS)
    except KeyboardInterrupt:
        return


def _preparing(store: Store) -> list[bytes]:
    """What is said of data and weights that are being prepared for runs, all of which still wait: it changes while they are."""
    said = []
    for file in sorted((store.root / "runs").glob("*/preparing-*.json")):
        with contextlib.suppress(OSError):
            said.append(file.read_bytes())
    return said


def _waiting(lines: Sequence[Line], queue: slurm_queue.Queue | None) -> bool:
    """Whether a run may still start by itself: its job is in the queue, or that cannot be told from here."""
    jobs = [line.job for line in lines if line.state == "queued" and line.job]
    if not jobs or queue is None:
        return bool(jobs)
    try:
        return any(queue.holds(job) for job in jobs)
    except UserError:
        return True


def picture(lines: Sequence[Line], served: dict[str, str], height: int) -> str:
    """At most `height` lines: the runs that somebody looks for first, and the counts."""
    ordered = sorted(lines, key=lambda line: _FIRST.index(line.state))
    shown = ordered if len(ordered) < height else ordered[: max(0, height - 2)]
    texts = [line.text(served) for line in shown]
    if len(shown) < len(lines):
        texts.append(f"… and {len(lines) - len(shown)} more")
    return "\n".join([*texts, counts(lines)])

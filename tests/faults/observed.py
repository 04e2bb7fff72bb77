"""What the processes of a journey did, as they told it step by step, and what must never be among it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

PHASES = ("starting", "preparing", "training", "checkpointing", "evaluating", "recording", "idle")

_BEGINS = [
    (re.compile(r"worker .*|prepare"), "preparing"),
    (re.compile(r"from \d+|step \d+|checkpointed \d+"), "training"),
    (re.compile(r"checkpoint \d+"), "checkpointing"),
    (re.compile(r"evaluate"), "evaluating"),
    (re.compile(r"record|result"), "recording"),
    (re.compile(r"left .*"), "idle"),
]


@dataclass(frozen=True)
class Event:
    """Something that a process did. `time` is in seconds, on the machine's monotonic clock."""

    time: float
    pid: int
    run: str
    what: str


def read(file: Path) -> list[Event]:
    """Everything that was observed so far, in order."""
    if not file.is_file():
        return []
    events = []
    for line in file.read_text().splitlines():
        time, pid, run, what = line.split("\t")
        events.append(Event(float(time), int(pid), run, what))
    return sorted(events, key=lambda event: event.time)


def phase(events: Iterable[Event], living: Iterable[int]) -> str:
    """What is being done: by the living worker that is furthest, or by the command where there is none."""
    current, began = {}, False
    alive = set(living)
    for event in events:
        if event.what == "command":
            began = False
        began = began or event.what.startswith("worker")
        if event.pid in alive and event.run:
            for pattern, name in _BEGINS:
                if pattern.fullmatch(event.what):
                    current[event.pid] = name
    found = max(current.values(), key=PHASES.index, default="idle" if began else "starting")
    working = [name for name in current.values() if name != "idle"]
    return max(working, key=PHASES.index) if working else found


def doubled(events: Sequence[Event], restarted: frozenset[str] = frozenset()) -> list[str]:
    """In words, every piece of work that was done twice.

    No two processes train a run at the same time; a process goes on from the newest whole checkpoint, step by step; nothing
    is trained after the result. Runs in `restarted` may go back further: their checkpoints or results were damaged on purpose.
    """
    told = []
    of_run: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.run:
            of_run[event.run].append(event)
    for run, own in of_run.items():
        told += [f"{run}: {text}" for text in _doubled(own, run in restarted)]
    return told


def _doubled(events: Sequence[Event], may_restart: bool) -> list[str]:
    told = []
    left: set[int] = set()
    trainer, last, whole, begun, finished = -1, -1, 0, 0, False
    for event in events:
        kind, _, number = event.what.partition(" ")
        if kind == "step":
            iteration = int(number)
            if finished and not may_restart:
                told.append(f"process {event.pid} trains step {iteration} after the result")
                finished = False
            if event.pid != trainer:
                if event.pid in left:
                    told.append(f"processes {trainer} and {event.pid} train it at the same time")
                left.add(trainer)
                if iteration not in (whole, begun) and not may_restart:
                    told.append(f"process {event.pid} begins at step {iteration}, the newest checkpoint is of {whole}")
            elif iteration != last + 1:
                told.append(f"process {event.pid} goes from step {last} to {iteration}")
            trainer, last = event.pid, iteration
        elif kind == "checkpoint":
            begun = int(number)
        elif kind == "checkpointed":
            whole = int(number)
        elif kind == "result":
            finished = True
    return told

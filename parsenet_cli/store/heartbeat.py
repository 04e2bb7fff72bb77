"""Noticing a worker that lives and does nothing: its count of beats stands still.

Clocks of two machines are never compared, and a driver that was suspended itself has not been looking: only the time between two
looks that follow each other counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from parsenet_cli.core.text import duration
from parsenet_cli.store.result import RunStatus
from parsenet_cli.store.run import Run

LOOKS = 20
"""How many looks fall into the patience; a hang is noticed that much later at most."""

LONGEST_PAUSE_SECONDS = 15.0


class StallDetector:
    """Watches counters, each under a name, with the same patience for all."""

    def __init__(self, patience_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        # Seconds between two looks.
        self.pause = min(patience_seconds / LOOKS, LONGEST_PAUSE_SECONDS)
        self._patience, self._clock = patience_seconds, clock
        self._seen: dict[str, tuple[object, float, float]] = {}
        self._looked = float("-inf")

    def due(self) -> bool:
        """Whether it is time for the next look."""
        if self._clock() - self._looked < self.pause:
            return False
        self._looked = self._clock()
        return True

    def stalled(self, name: str, counter: object) -> bool:
        """Whether `counter` has stood still for all the patience. Call it at every look that is due."""
        now = self._clock()
        before, looked, still = self._seen.get(name, (counter, now, 0.0))
        still = still + min(now - looked, 2 * self.pause) if before == counter else 0.0
        self._seen[name] = (counter, now, still)
        return still > self._patience

    def forget(self, name: str) -> None:
        """What has this name next is something else."""
        self._seen.pop(name, None)


def out_of_reach(status: RunStatus, seconds: float) -> str:
    """What to say of a stalled worker that only its own machine can end."""
    return (
        f"its worker, process {status.pid} on {status.host}, has sent no heartbeat for {duration(seconds)} "
        "and cannot be reached from here: end it there and issue the command again"
    )


EVERY_SECONDS = 1.0


class Heartbeat:
    """Says how a run is doing in its status, at most once a second."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._beaten = time.monotonic()

    def due(self) -> bool:
        """Whether a second has passed since the last beat."""
        return time.monotonic() - self._beaten > EVERY_SECONDS

    def beat(self, **status: Any) -> None:
        """Say it, whether it is time or not."""
        self._beaten = time.monotonic()
        self._run.update_status(**status)

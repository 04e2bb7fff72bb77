"""A worker's signs of life, not too many of them: a driver takes a count of beats that stands still for a hang."""

from __future__ import annotations

import time
from typing import Any

from parsenet_cli.store import Run

EVERY_SECONDS = 1.0


class Pulse:
    """Says how a run is doing in its status, at most once a second."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._said = time.monotonic()

    def due(self) -> bool:
        """Whether a second has passed since the last beat."""
        return time.monotonic() - self._said > EVERY_SECONDS

    def beat(self, **said: Any) -> None:
        """Say it, whether it is time or not."""
        self._said = time.monotonic()
        self._run.update_status(**said)

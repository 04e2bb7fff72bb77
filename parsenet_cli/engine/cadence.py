"""When to write a checkpoint: every so many seconds, but never so often that writing takes more than its share."""

from __future__ import annotations

SHARE = 0.02
"""The part of the training time that writing may take."""


class Cadence:
    """Decides from the clock alone. All times are in seconds, and `now` never goes back (time.perf_counter)."""

    def __init__(self, every: float, now: float) -> None:
        self._every = every
        self._began = self._last = now
        self._spent = self._longest = 0.0

    def due(self, now: float) -> bool:
        """Whether enough time has passed, and one more as long as the longest so far stays within the share.

        The first one is written when its time has come, as nothing is known yet of how long that takes.
        """
        return now - self._last >= self._every and self._spent + self._longest <= SHARE * (now - self._began)

    def wrote(self, began: float, ended: float) -> None:
        """A checkpoint was written in this time."""
        self._last = ended
        self._spent += ended - began
        self._longest = max(self._longest, ended - began)

"""How far a command is that does one picture after the other: rate and time left."""

from __future__ import annotations

import sys
import time

from parsenet_cli.progress import duration

LINE_EVERY_SECONDS = 10.0
"""Without a terminal: how often a line is printed."""

CLEAR = "\r\x1b[K"
"""Tells a terminal to begin the line anew."""


class Pace:
    """Counts pictures; in a terminal one line that is rewritten, elsewhere a line now and then, on stderr."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._started = self._said = time.monotonic()

    def step(self, what: str) -> None:
        """One more is done; `what` names it."""
        self._done += 1
        now = time.monotonic()
        rate = self._done / max(now - self._started, 1e-6)
        left = duration((self._total - self._done) / rate)
        text = f"{self._done}/{self._total}  {what}  {rate:.1f} images/s  {left} left"
        if sys.stderr.isatty():
            print(f"{CLEAR}{text}", end="" if self._done < self._total else "\n", file=sys.stderr, flush=True)
        elif now - self._said > LINE_EVERY_SECONDS:
            self._said = now
            print(text, file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """A line of its own, above the one that is rewritten."""
        print(f"{CLEAR if sys.stderr.isatty() else ''}{text}", file=sys.stderr, flush=True)

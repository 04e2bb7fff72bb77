"""The command `parsenet`, also as `python -m parsenet_cli`: what has to be settled before anything is imported.

Ctrl-C ends it with exit code 130 from here on, without a traceback. No Python process that it starts looks for modules in the
current folder, which may be anybody's.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # built in: `signal` would be read from a file first
import os
import sys
from types import FrameType

INTERRUPTED = 130
"""Exit code of Ctrl-C."""

_interrupted = False


def main() -> None:
    """The console script."""
    signal.signal(signal.SIGINT, _leave)
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        from parsenet_cli.cli import app

        signal.signal(signal.SIGINT, _interrupt)
        code = app.main()
    except BaseException:
        # Libraries that are imported just then may make another error of the interruption.
        if not _interrupted:
            raise
        code = INTERRUPTED
    signal.signal(signal.SIGINT, _leave)
    sys.exit(code)


def _leave(_signal: int, _frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    global _interrupted
    _interrupted = True
    raise KeyboardInterrupt


if __name__ == "__main__":
    # `python -m` has put the current folder in front, unless told otherwise; it stays only where the package comes from it.
    _here, _package = os.getcwd(), os.path.dirname(__file__)  # noqa: PTH109, PTH120
    if sys.path[0] == _here != os.path.dirname(_package):  # noqa: PTH120
        del sys.path[0]
    main()

"""The command `parsenet`, also as `python -m parsenet_cli`: what has to be settled before anything is imported.

Ctrl-C ends it with exit code 130 from here on, without a traceback. No Python process that it starts looks for modules in the
current folder, which may be anybody's.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # built in: `signal` would be read from a file first
import _thread
import gc
import os
import sys

TYPE_CHECKING = False  # what `typing` calls so, without a file that is read for it
if TYPE_CHECKING:
    from collections.abc import Callable
    from sys import UnraisableHookArgs
    from types import FrameType

INTERRUPTED = 130
"""Exit code of Ctrl-C."""

MOST_NEW_OBJECTS = 20_000
"""Before garbage is looked for: imports and tables make many objects that stay, and with Python's 700 a tenth of a short
command's time goes into looking through them."""

_interrupted = False


def main() -> None:
    """The console script."""
    _on_interrupt(_leave)
    os.environ["PYTHONSAFEPATH"] = "1"
    gc.set_threshold(MOST_NEW_OBJECTS, 10, 10)
    sys.unraisablehook = _unraisable
    try:
        from parsenet_cli.cli import app

        _on_interrupt(_interrupt)
        code = app.main()
        _on_interrupt(_leave)
        if _interrupted and code:  # whatever else it was taken for
            code = INTERRUPTED
    except BaseException:
        # Libraries that are imported just then may make another error of the interruption.
        if not _interrupted:
            raise
        code = INTERRUPTED
    _on_interrupt(_leave)
    sys.exit(code)


def _on_interrupt(handler: Callable[[int, FrameType | None], None]) -> None:
    """What Ctrl-C does from now on; in the background of a script, where it is ignored, it stays ignored."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, handler)


def _leave(_signal: int, _frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    global _interrupted
    _interrupted = True
    raise KeyboardInterrupt


def _unraisable(raised: UnraisableHookArgs) -> None:
    """An interruption in a finaliser or a callback, where nothing can be raised, comes once more when that is over."""
    if raised.exc_type is KeyboardInterrupt:
        _thread.start_new_thread(signal.raise_signal, (signal.SIGINT,))
    else:
        sys.__unraisablehook__(raised)


if __name__ == "__main__":
    # `python -m` has put the current folder in front, unless told otherwise; it stays only where the package comes from it.
    _package = os.path.dirname(__file__)  # noqa: PTH120
    try:
        _shadowed = sys.path[0] == os.getcwd() != os.path.dirname(_package)  # noqa: PTH109, PTH120
    except OSError:  # the folder is gone, which `app.main` says
        _shadowed = True
    if _shadowed:
        del sys.path[0]
    main()

"""Carry out what is missing: skip, join, resume, retry.

The store is the only truth: a run is done when its result says so. Issuing the same command again *is* resume.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

from parsenet_cli.config import RunConfig
from parsenet_cli.driver import Driver
from parsenet_cli.errors import UserError
from parsenet_cli.launch import Launcher, Queueing
from parsenet_cli.outcome import Outcome
from parsenet_cli.progress import View
from parsenet_cli.store import Store


def execute(
    store: Store,
    configs: Mapping[str, RunConfig],
    launcher: Launcher,
    view: View,
    *,
    retry: bool = False,
    detach: bool = False,
) -> Outcome:
    """Carry out every run of `configs` that is not done. On KeyboardInterrupt all workers are stopped cleanly first.

    So they are on SIGTERM, where they cannot outlive the command usefully: nobody would start the next one.

    `detach`: return once all of them are in the launcher's queue. Raises `UserError` for a launcher that has none.
    """
    if detach and not isinstance(launcher, Queueing):
        raise UserError(
            "--detach needs a launcher whose runs outlive the command: add --launcher slurm, or leave it out"
        )
    driver = Driver(store, configs, launcher, view, retry)
    try:
        with _interrupted_by_sigterm(not isinstance(launcher, Queueing)):
            driver.drive(detach)
    except BaseException:
        driver.stop()
        raise
    return driver.outcome


@contextmanager
def _interrupted_by_sigterm(wanted: bool) -> Iterator[None]:
    """Within the block SIGTERM is what Ctrl-C is."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt) if wanted else None
    try:
        yield
    finally:
        if wanted:
            signal.signal(signal.SIGTERM, before)

"""How a command that carries out runs ended."""

from __future__ import annotations

import math
import shutil
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Protocol

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.core.text import duration
from parsenet_cli.runner import process
from parsenet_cli.runner.cost import CostModel
from parsenet_cli.runner.launcher import BatchLauncher, Handle, Launcher, Resources
from parsenet_cli.runner.prerequisites import FailedPrerequisite, Prerequisites
from parsenet_cli.runner.retry import RetryPolicy, next_action
from parsenet_cli.store.heartbeat import StallDetector, out_of_reach
from parsenet_cli.store.result import RunState
from parsenet_cli.store.run import Run, Store

if TYPE_CHECKING:
    pass


@dataclass
class SweepOutcome:
    """The runs that failed and why, and what was wrong with the input, in words."""

    failed: dict[str, str] = field(default_factory=dict)
    bad_input: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    """Runs that somebody has cancelled; they are as they were left."""
    left: list[Run] = field(default_factory=list)
    """The runs that a detached command left in the launcher's queue."""

    def raise_bad_input(self) -> None:
        """Bad input becomes a `UserError`."""
        if self.bad_input:
            raise UserError("\n".join(self.bad_input))

    def add_bad_input(self, message: str) -> None:
        """Many runs may find the same thing wrong, which is told once."""
        if message not in self.bad_input:
            self.bad_input.append(message)


POLL_SECONDS = 0.1
"""The longest time between two looks; after something has happened the next one comes sooner."""

SOON_SECONDS = 0.001
SHOW_SECONDS = 0.5
PATIENCE_SECONDS = 60.0
"""How long a worker that was asked to stop may take for its step and its checkpoint."""

LEAST_FREE_BYTES = 4 * 2**20
DEATH = "it ended without a word: killed, or out of memory"


class Scheduler:
    """One command's runs. `outcome` says how they ended."""

    def __init__(
        self, store: Store, configs: Mapping[str, RunConfig], launcher: Launcher, view: View, retry: bool
    ) -> None:
        self._store, self._launcher, self._view, self._configs = store, launcher, view, dict(configs)
        self._queue = launcher if isinstance(launcher, BatchLauncher) else None
        self._attempts = RetryPolicy(launcher.resubmissions)
        self._vigil = StallDetector(launcher.silence_seconds)
        self._silent: set[str] = set()
        self.outcome = SweepOutcome()
        self._waiting: list[Run] = []
        self._joined: list[Run] = []
        self._active: dict[str, tuple[Run, Handle]] = {}
        self._preparations = Prerequisites()
        self._taken_back: dict[str, FailedPrerequisite] = {}
        """By run: why it is to leave the queue before it has begun."""
        self._finished = 0
        self._estimate = CostModel(store)
        self._last_join_check = 0.0
        self._left_told = float("-inf")
        self._left_seconds: float | None = None
        for signature, config in configs.items():
            run = store.run(signature)
            queued = self._queued(run)  # first: a job that ends in between has left its result
            decision = next_action(run, retry, config.runtime.keep_model)
            if queued and decision != "done":
                decision = "join"
            match decision:
                case "done":
                    self._finished += 1
                case "join":
                    run.clear_cancel()
                    self._joined.append(run)
                case "given up":
                    self._fail(run)
                case "run":
                    run.create(config)
                    run.clear_cancel()
                    self._waiting.append(run)
                    self._preparations.want(run, config)

    def drive(self, detach: bool) -> None:
        """The loop: look at what ended, fill the slots, show."""
        shown, pause = 0.0, SOON_SECONDS
        while self._waiting or self._active or self._joined or self._preparations.names:
            happened = self._collect()
            self._fill()
            if self._vigil.due():
                self._end_the_silent()
            pause = SOON_SECONDS if happened else min(2 * pause, POLL_SECONDS)
            if self._queue is not None:
                for run in self._queue.flush():
                    del self._active[run.signature]
                    self._joined.append(run)
                if detach and not self._waiting:
                    self.outcome.left = [*(run for run, _ in self._active.values()), *self._joined]
                    return
            if time.monotonic() - shown > SHOW_SECONDS:
                shown = time.monotonic()
                self._show()
            time.sleep(pause)

    def _show(self) -> None:
        self._view.preparing(self._preparations.texts)
        self._view.refresh([*(run for run, _ in self._active.values()), *self._joined], self._finished, self._left())

    def stop(self) -> None:
        """Ask every worker to write a checkpoint and leave; end those that do not."""
        handles = [*(handle for _, handle in self._active.values()), *self._preparations.handles]
        for handle in handles:
            handle.cancel()
        deadline = time.monotonic() + PATIENCE_SECONDS
        try:
            while any(handle.alive() for handle in handles) and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
        finally:
            for handle in handles:
                if handle.alive():
                    handle.kill()

    def _fill(self) -> None:
        slots = self._launcher.slots if self._queue is None else math.inf
        while len(self._active) + len(self._preparations.names) < slots:
            if self._preparations.start(self._launcher):
                continue
            ready = self._ready()
            if ready is None:
                return
            run, needs = ready
            self._waiting.remove(run)
            if run.cancelled:
                self.outcome.cancelled.append(run.signature)
                continue
            self._view.started(run)
            self._attempts.started(run.signature, [*self._active, *self._preparations.names])
            self._vigil.forget(run.signature)
            self._active[run.signature] = (run, self._launcher.submit(run, "train", needs))

    def _ready(self) -> tuple[Run, Resources] | None:
        """The first run that has all it needs and that there is room for."""
        refused: set[Resources] = set()
        for run in self._waiting:
            config = self._configs[run.signature]
            if self._queue is None and self._preparations.lacking(config):  # a queue lets it wait itself
                continue
            needs = Resources(self._estimate.gpu_mb(config.science), self._attempts.alone(run.signature))
            if needs not in refused:
                if self._launcher.has_room(needs):
                    return run, needs
                refused.add(needs)
        return None

    def _collect(self) -> bool:
        """Take note of what ended; whether anything did."""
        before = self._under_way
        for failed in self._preparations.failed():
            self._unprepared(failed)
        for signature, (run, handle) in list(self._active.items()):
            if not handle.alive():
                del self._active[signature]
                self._ended(run)
        if self._joined and time.monotonic() - self._last_join_check > 1:
            self._last_join_check = time.monotonic()
            for run in [run for run in self._joined if not self._queued(run) and not run.alive()]:
                self._joined.remove(run)
                self._ended(run)
        return self._under_way < before

    @property
    def _under_way(self) -> int:
        return len(self._preparations.names) + len(self._active) + len(self._joined)

    def _queued(self, run: Run) -> bool:
        return self._queue is not None and self._queue.holds(run)

    def _unprepared(self, failed: FailedPrerequisite) -> None:
        """The runs that need it do not start; those that wait in a queue leave it, if they do not begin before."""
        needing = [run for run in self._waiting if failed.concerns(self._configs[run.signature])]
        self._waiting = [run for run in self._waiting if run not in needing]
        for run in needing:
            self._fail_unprepared(run, failed)
        for run, handle in self._active.values():
            if failed.concerns(self._configs[run.signature]) and not run.alive():
                self._taken_back[run.signature] = failed
                handle.cancel()

    def _fail_unprepared(self, run: Run, failed: FailedPrerequisite) -> None:
        """Wrong input is told once. It is not counted as a failure of the run, which has not been tried."""
        run.update_status(state="failed", error=failed.error, bad_input=failed.bad_input)
        if not failed.bad_input:
            self._fail(run)
        else:
            self.outcome.add_bad_input(failed.error)

    def _ended(self, run: Run) -> None:
        config = self._configs[run.signature]
        taken_back = self._taken_back.pop(run.signature, None)
        match run.state(config.runtime.keep_model):
            case "done":
                self._finished += 1
                result = run.result()
                assert result is not None
                self._estimate.learn(config.science, result)
                self._view.finished(run, self._finished, self._left())
            case "running":
                self._joined.append(run)  # another driver's worker was faster
            case "queued" if run.cancelled:
                self.outcome.cancelled.append(run.signature)
            case "queued" | "lost" if taken_back is not None:
                self._fail_unprepared(run, taken_back)
            case "queued" | "lost" as state:
                self._ended_early(run, config, state)
            case "failed" if self._queue is None and self._out_of_memory(run):
                self._again(run, config, "memory was not enough for it beside others")
            case _:
                self._fail(run)

    def _out_of_memory(self, run: Run) -> bool:
        return run.status().out_of_memory is True and self._attempts.after_out_of_memory(run.signature)

    def _ended_early(self, run: Run, config: RunConfig, state: RunState) -> None:
        """It goes on from its checkpoint, a few times: it was stopped by somebody else, or it ended without a word."""
        if state == "lost" and (error := run.last_error() or self._full_disk()):
            self.outcome.add_bad_input(error)
            self._fail(run, error)
            return
        if self._queue is not None:
            reason = self._queue.last_words(run)
        elif state == "queued":
            reason = "it was stopped by somebody else"
        else:
            reason = DEATH
        if run.signature in self._silent:
            self._silent.discard(run.signature)
            reason = f"it was ended, as it showed no sign of life for {duration(self._launcher.silence_seconds)}"
        tries = self._attempts.tries(run.signature)
        alone = state == "lost" and self._queue is None
        if self._attempts.after_death(run.signature) if alone else self._attempts.after_leaving(run.signature):
            self._again(run, self._attempts.with_less_memory(run.signature, config), reason)
            return
        times = f", {tries} times in this command" if tries > 1 else ""
        onwards = "goes on from its checkpoint" if run.has_checkpoint else "starts it afresh"
        error = f"{reason}{times}; issued again, the command {onwards}"
        failures = run.status().failures + 1
        run.update_status(state="failed", failures=failures, error=error, bad_input=False)
        self._fail(run)

    def _again(self, run: Run, config: RunConfig, reason: str) -> None:
        self._configs[run.signature] = config
        run.create(config)
        self._waiting.append(run)
        self._view.again(run, reason)

    def _end_the_silent(self) -> None:
        """End workers whose count of beats stands still; a job that waits in a queue is no worker yet."""
        self._preparations.end_the_silent(self._vigil, self._queue is not None)
        for run, kill in [
            *((run, handle.kill) for run, handle in self._active.values()),
            *((run, None) for run in self._joined),
        ]:
            if not self._vigil.stalled(run.signature, run.status().beat):
                continue
            self._vigil.forget(run.signature)
            if (self._queue is not None or kill is None) and not run.alive():
                continue
            self._silent.add(run.signature)
            if kill is not None:
                kill()
            elif self._queued(run) and self._queue is not None:
                self._queue.end(run)
            elif not process.end(status := run.status()):
                self._joined.remove(run)
                self._fail(run, out_of_reach(status, self._launcher.silence_seconds))

    def _fail(self, run: Run, error: str = "") -> None:
        status = run.status()
        error = error or str(status.error or DEATH)
        self.outcome.failed[run.signature] = error
        if status.bad_input:
            self.outcome.add_bad_input(error)
        self._view.failed(run, error)

    def _full_disk(self) -> str:
        """What to say where a worker could not say anything because of that; empty where there is space."""
        if shutil.disk_usage(self._store.root).free > LEAST_FREE_BYTES:
            return ""
        return f"{self._store.root}: the disk is full: free some space and issue the same command again"

    def _left(self) -> float | None:
        """Expected seconds until all is done; told anew every now and then, as it takes a look at every waiting run."""
        if time.monotonic() - self._left_told > SHOW_SECONDS:
            self._left_told, self._left_seconds = time.monotonic(), self._expected()
        return self._left_seconds

    def _expected(self) -> float | None:
        """What running workers say, and for the rest what runs of their kind took."""
        said = [run.status().seconds_left for run, _ in self._active.values()]
        rest = [run for (run, _), seconds in zip(self._active.values(), said, strict=True) if seconds is None]
        each = [self._estimate.seconds(self._configs[run.signature].science) for run in (*self._waiting, *rest)]
        running = [float(seconds) for seconds in said if seconds is not None]
        known = [value for value in each if value is not None] or running
        if not known:
            return None
        return (sum(running) + len(each) * sum(known) / len(known)) / self._launcher.slots


def run_sweep(
    store: Store,
    configs: Mapping[str, RunConfig],
    launcher: Launcher,
    view: View,
    *,
    retry: bool = False,
    detach: bool = False,
) -> SweepOutcome:
    """Carry out every run of `configs` that is not done. On KeyboardInterrupt all workers are stopped cleanly first.

    So they are on SIGTERM, where they cannot outlive the command usefully: nobody would start the next one.

    `detach`: return once all of them are in the launcher's queue. Raises `UserError` for a launcher that has none.
    """
    if detach and not isinstance(launcher, BatchLauncher):
        raise UserError(
            "--detach needs a launcher whose runs outlive the command: add --launcher slurm, or leave it out"
        )
    driver = Scheduler(store, configs, launcher, view, retry)
    try:
        with _interrupted_by_sigterm(not isinstance(launcher, BatchLauncher)):
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


class View(Protocol):
    """What is told while runs are carried out."""

    def preparing(self, texts: Sequence[str]) -> None: ...
    def started(self, run: Run) -> None: ...
    def finished(self, run: Run, finished: int, seconds_left: float | None) -> None: ...
    def again(self, run: Run, reason: str) -> None: ...
    def failed(self, run: Run, error: str) -> None: ...
    def refresh(self, active: Sequence[Run], finished: int, seconds_left: float | None) -> None: ...

"""What carries out a command's runs: starts them as there is room, notices how they end, tries them again, tells a view."""

from __future__ import annotations

import math
import shutil
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Protocol

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.core.text import duration
from parsenet_cli.runner import process
from parsenet_cli.runner.cost import CostModel
from parsenet_cli.runner.launcher import PREPARATION, BatchLauncher, Handle, Launcher, Resources
from parsenet_cli.runner.prerequisites import FailedPrerequisite, Prerequisites
from parsenet_cli.runner.retry import RetryPolicy, next_action
from parsenet_cli.runner.state import Queue, in_no_queue, state_of
from parsenet_cli.store.heartbeat import StallDetector, out_of_reach
from parsenet_cli.store.result import RunState
from parsenet_cli.store.run import Run, Store

POLL_SECONDS = 0.1
"""The longest time between two looks; after something has happened the next one comes sooner."""

SOON_SECONDS = 0.001
SHOW_SECONDS = 0.5
JOINED_SECONDS = 1.0
"""How often runs that are another command's tasks are looked at."""

PATIENCE_SECONDS = 60.0
"""How long a worker that was asked to stop may take for its step and its checkpoint."""

LEAST_FREE_BYTES = 4 * 2**20
NO_STATUS = "its worker exited without a status: killed, or out of memory"


class View(Protocol):
    """What is told while runs are carried out."""

    def started(self, run: Run) -> None: ...
    def finished(self, run: Run, finished: int, seconds_left: float | None) -> None: ...
    def again(self, run: Run, reason: str) -> None: ...
    def failed(self, run: Run, error: str) -> None: ...
    def refresh(
        self, active: Sequence[Run], finished: int, seconds_left: float | None, preparing: Sequence[str] = ()
    ) -> None: ...


@dataclass
class SweepOutcome:
    """How a command's runs ended: those that failed and why, and what was wrong with the input, in words.

    Attributes:
        cancelled: Runs that somebody has cancelled; they are as they were left.
        left: The runs that a detached command left in the launcher's queue.
    """

    failed: dict[str, str] = field(default_factory=dict)
    bad_input: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    left: list[Run] = field(default_factory=list)


class Scheduler:
    """One command's runs."""

    def __init__(self, store: Store, configs: Mapping[str, RunConfig], launcher: Launcher, view: View) -> None:
        self._store, self._launcher, self._view, self._configs = store, launcher, view, dict(configs)
        self._queue = launcher if isinstance(launcher, BatchLauncher) else None
        self._is_queued: Queue = in_no_queue if self._queue is None else self._queue.is_queued
        self._retries = RetryPolicy(launcher.resubmissions)
        self._detector = StallDetector(launcher.silence_seconds)
        self._cost = CostModel(store, launcher.on_gpu)
        self._prerequisites = Prerequisites()
        self._outcome = SweepOutcome()
        self._waiting: list[Run] = []
        self._active: dict[str, tuple[Run, Handle]] = {}
        # Runs that are another command's tasks.
        self._joined: list[Run] = []
        self._stalled: set[str] = set()
        # By run: why it is to leave the queue before it has begun.
        self._taken_back: dict[str, FailedPrerequisite] = {}
        self._finished = 0
        self._joined_seen = 0.0
        # Seconds that each run still needed when they were last asked for.
        self._expected: dict[str, float | None] = {}
        self._expected_seen = float("-inf")

    def run(self, *, retry: bool = False, detach: bool = False) -> SweepOutcome:
        """Carry out every run that is not done.

        On Ctrl-C all workers are stopped cleanly first, and so they are on SIGTERM where they cannot outlive the command
        usefully: nobody would start the next one.

        Args:
            retry: Whether runs that have failed twice are tried again.
            detach: Return once all of them are in the launcher's queue.

        Raises:
            UserError: `detach` with a launcher that has no queue.
            KeyboardInterrupt: The command was interrupted; no worker of its own is left.
        """
        if detach and self._queue is None:
            raise UserError(
                "--detach needs a launcher whose runs outlive the command: add --launcher slurm, or leave it out"
            )
        self._admit(retry)
        try:
            with _interrupted_by_sigterm(self._queue is None):
                self._drive(detach)
        except BaseException:
            self._stop()
            raise
        self._outcome.bad_input = list(dict.fromkeys(self._outcome.bad_input))  # many may find the same thing wrong
        return self._outcome

    def _admit(self, retry: bool) -> None:
        for signature, config in self._configs.items():
            run = self._store.run(signature)
            match next_action(run, retry, config.runtime, self._is_queued):
                case "done":
                    self._finished += 1
                case "join":
                    run.clear_cancel()
                    self._joined.append(run)
                case "exhausted":
                    self._fail(run)
                case "run":
                    run.create(config)
                    run.clear_cancel()
                    self._waiting.append(run)

    def _drive(self, detach: bool) -> None:
        """The loop: look at what ended, fill the slots, show."""
        shown, pause = 0.0, SOON_SECONDS
        while self._waiting or self._tasks:
            happened = self._collect()
            self._fill()
            if self._detector.due():
                self._kill_stalled()
            pause = SOON_SECONDS if happened else min(2 * pause, POLL_SECONDS)
            if self._queue is not None:
                for run in self._queue.flush():
                    del self._active[run.signature]
                    self._joined.append(run)
                if detach and not self._waiting:
                    self._outcome.left = self._begun
                    return
            if time.monotonic() - shown > SHOW_SECONDS:
                shown = time.monotonic()
                self._learn_memory()
                self._view.refresh(self._begun, self._finished, self._seconds_left(), self._prerequisites.texts)
            time.sleep(pause)

    @property
    def _begun(self) -> list[Run]:
        """Runs that are somebody's tasks."""
        return [*(run for run, _ in self._active.values()), *self._joined]

    @property
    def _tasks(self) -> int:
        return len(self._prerequisites.names) + len(self._active) + len(self._joined)

    def _stop(self) -> None:
        """Ask every worker to write a checkpoint and leave; end those that do not."""
        handles = [*(handle for _, handle in self._active.values()), *self._prerequisites.handles]
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

    # --- what begins -------------------------------------------------------------------------------------------------

    def _fill(self) -> None:
        slots = self._launcher.slots if self._queue is None else math.inf
        while len(self._active) + len(self._prerequisites.names) < slots and self._start():
            pass

    def _start(self) -> bool:
        """Start the first run that has all it needs and fits, or what one before it still needs. False where there is none."""
        refused: set[Resources] = set()
        for run in self._waiting:
            config = self._configs[run.signature]
            unbegun = self._prerequisites.unbegun(config)
            if unbegun is None and self._queue is None and self._prerequisites.under_way(config):
                continue  # in a queue it waits for them itself
            alone = run.signature in self._retries.alone
            on_gpu = config.runtime.device != "cpu"
            needs = PREPARATION if unbegun else Resources(self._cost.gpu_mb(config), alone, on_gpu)
            if needs in refused or not self._launcher.fits(needs):
                refused.add(needs)
            elif run.cancelled:
                self._waiting.remove(run)
                self._outcome.cancelled.append(run.signature)
                return True
            elif unbegun is not None:
                self._prerequisites.start(run, *unbegun, self._launcher)
                return True
            else:
                self._waiting.remove(run)
                self._submit(run, config, needs)
                return True
        return False

    def _learn_memory(self) -> None:
        """What workers have said so far of the memory of their GPUs: others of their kind need not wait for the end of one."""
        for run in self._begun if self._launcher.on_gpu else []:
            if gpu_mb := run.status().gpu_mb:
                self._cost.learn_memory(self._configs[run.signature], gpu_mb)

    def _submit(self, run: Run, config: RunConfig, needs: Resources) -> None:
        self._view.started(run)
        self._retries.started(run.signature, [*self._active, *self._prerequisites.names])
        self._detector.forget(run.signature)
        handle = self._launcher.submit(run, "train", needs, after=self._prerequisites.under_way(config))
        self._active[run.signature] = (run, handle)

    # --- what ends ---------------------------------------------------------------------------------------------------

    def _collect(self) -> bool:
        """Take note of what ended; whether anything did."""
        before = self._tasks
        for failed in self._prerequisites.failed():
            self._unprepared(failed)
        for signature, (run, handle) in list(self._active.items()):
            if not handle.alive():
                del self._active[signature]
                self._ended(run)
        if self._joined and time.monotonic() - self._joined_seen > JOINED_SECONDS:
            self._joined_seen = time.monotonic()
            for run in [run for run in self._joined if not self._is_queued(run) and not run.alive()]:
                self._joined.remove(run)
                self._ended(run)
        return self._tasks < before

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
        if failed.bad_input:
            self._outcome.bad_input.append(failed.error)
        else:
            self._fail(run)

    def _ended(self, run: Run) -> None:
        config = self._configs[run.signature]
        taken_back = self._taken_back.pop(run.signature, None)
        match state_of(run, asked=config.runtime):
            case "done":
                self._finished += 1
                self._cost.learn(config, run.done_result())
                self._view.finished(run, self._finished, self._seconds_left())
            case "running":
                self._joined.append(run)  # another command's worker was faster
            case "queued" if run.cancelled:
                self._outcome.cancelled.append(run.signature)
            case "queued" | "lost" if taken_back is not None:
                self._fail_unprepared(run, taken_back)
            case "queued" | "lost" as state:
                self._ended_early(run, config, state)
            case "failed" if (
                self._queue is None and run.status().out_of_memory and self._retries.may_try_alone(run.signature)
            ):
                self._again(run, config, "memory was not enough for it beside others")
            case _:
                self._fail(run)

    def _ended_early(self, run: Run, config: RunConfig, state: RunState) -> None:
        """It goes on from its checkpoint, a few times: somebody else has stopped it, or its worker exited without a status."""
        if state == "lost" and (error := run.last_error() or self._full_disk()):
            self._outcome.bad_input.append(error)
            self._fail(run, error)
            return
        killed = state == "lost" and self._queue is None
        if run.signature in self._stalled:
            self._stalled.discard(run.signature)
            reason = f"its worker sent no heartbeat for {duration(self._launcher.silence_seconds)} and was killed"
        elif self._queue is not None:
            reason = self._queue.last_error(run)
        else:
            reason = NO_STATUS if killed else "it was stopped by somebody else"
        tries = self._retries.tries(run.signature)
        if self._retries.may_go_on(run.signature, killed):
            self._again(run, self._retries.with_less_memory(run.signature, config), reason)
            return
        times = f", {tries} times in this command" if tries > 1 else ""
        onwards = "goes on from its checkpoint" if run.has_checkpoint else "starts it afresh"
        error = f"{reason}{times}; issued again, the command {onwards}"
        run.update_status(state="failed", failures=run.status().failures + 1, error=error, bad_input=False)
        self._fail(run)

    def _again(self, run: Run, config: RunConfig, reason: str) -> None:
        self._configs[run.signature] = config
        run.create(config)
        self._waiting.append(run)
        self._view.again(run, reason)

    def _fail(self, run: Run, error: str = "") -> None:
        status = run.status()
        error = error or status.error or NO_STATUS
        self._outcome.failed[run.signature] = error
        if status.bad_input:
            self._outcome.bad_input.append(error)
        self._view.failed(run, error)

    def _full_disk(self) -> str:
        """What to say where a worker could not say anything because of that; empty where there is space."""
        if shutil.disk_usage(self._store.root).free > LEAST_FREE_BYTES:
            return ""
        return f"{self._store.root}: the disk is full: free some space and issue the same command again"

    def _kill_stalled(self) -> None:
        """Kill workers whose count of beats stands still; a job that waits in a queue is no worker yet."""
        self._prerequisites.kill_stalled(self._detector, self._queue is not None)
        for run in self._begun:
            status = run.status()
            if not self._detector.stalled(run.signature, status.beat):
                continue
            self._detector.forget(run.signature)
            own = self._active.get(run.signature)
            if (self._queue is not None or own is None) and not run.alive():
                continue
            self._stalled.add(run.signature)
            if own is not None:
                own[1].kill()
            elif self._queue is not None and self._is_queued(run):
                self._queue.kill(run)
            elif not process.kill(run):
                self._joined.remove(run)
                self._fail(run, out_of_reach(status, self._launcher.silence_seconds))

    # --- how long it takes -------------------------------------------------------------------------------------------

    def _seconds_left(self) -> float | None:
        """Expected seconds until all is done, 0 where nothing is left; None while nothing is known of any run that is.

        What each of them still needs, as its worker says or as runs of its kind took, is asked every now and then: there may
        be thousands. Those that have ended since do not count.
        """
        left = [*self._waiting, *self._begun]
        if time.monotonic() - self._expected_seen > SHOW_SECONDS:
            self._expected_seen = time.monotonic()
            for run in self._waiting:
                self._expected[run.signature] = self._cost.seconds(self._configs[run.signature])
            for run in self._begun:
                self._expected[run.signature] = self._seconds_left_of(run)
        known = [seconds for run in left if (seconds := self._expected.get(run.signature)) is not None]
        if not left:
            return 0.0
        if not known:
            return None
        # The last run takes as long as it takes, however many could run beside it.
        return max(*known, sum(known) / len(known) * len(left) / self._launcher.slots)

    def _seconds_left_of(self, run: Run) -> float | None:
        """Of a run that has begun: what its worker says, and where it still trains, the evaluation that comes after."""
        status, config = run.status(), self._configs[run.signature]
        evaluation = self._cost.evaluation_seconds(config)
        if status.evaluating:
            return evaluation if status.seconds_left is None else status.seconds_left
        return self._cost.seconds(config) if status.seconds_left is None else status.seconds_left + evaluation


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

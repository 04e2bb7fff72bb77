"""Carry out what is missing: skip, join, resume, retry, fill the slots, and tell the view.

The store is the only truth: a run is done when its result says so. Issuing the same command again *is* resume.
"""

from __future__ import annotations

import math
import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from parsenet_cli.config import RunConfig
from parsenet_cli.errors import UserError
from parsenet_cli.estimate import Estimate
from parsenet_cli.launch import Handle, Launcher, Queueing
from parsenet_cli.store import Run, Store
from parsenet_cli.worker import Task

POLL_SECONDS = 0.1
"""The longest time between two looks; after something has happened the next one comes sooner."""

SOON_SECONDS = 0.001
SHOW_SECONDS = 0.5
PATIENCE_SECONDS = 60.0
"""How long a worker that was asked to stop may take for its step and its checkpoint."""

LEAST_FREE_BYTES = 4 * 2**20

Decision = Literal["done", "run", "join", "given up"]


class View(Protocol):
    """What is shown while runs are carried out."""

    def preparing(self, texts: Sequence[str]) -> None: ...
    def started(self, run: Run) -> None: ...
    def finished(self, run: Run, finished: int, seconds_left: float | None) -> None: ...
    def failed(self, run: Run, error: str) -> None: ...
    def refresh(self, active: Sequence[Run], finished: int, seconds_left: float | None) -> None: ...


@dataclass
class Outcome:
    """How a command ended: the runs that failed and why, and what was wrong with the input, in words."""

    failed: dict[str, str] = field(default_factory=dict)
    bad_input: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    """Runs that somebody has cancelled; they are as they were left."""
    left: list[Run] = field(default_factory=list)
    """The runs that a detached command left in the launcher's queue."""


def decide(run: Run, retry: bool, with_model: bool = False) -> Decision:
    """What a command does about a run. A failed one is tried once more, then only when `retry` asks for it.

    `with_model`: a run that is done without its model is carried out again to get it.
    """
    state = run.state(with_model)
    if state == "done":
        return "done"
    if state == "running":
        return "join"
    if state == "failed" and run.status().get("failures", 1) > 1 and not retry:
        return "given up"
    return "run"


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

    `detach`: return once all of them are in the launcher's queue. Raises `UserError` for a launcher that has none.
    """
    if detach and not isinstance(launcher, Queueing):
        raise UserError(
            "--detach needs a launcher whose runs outlive the command: add --launcher slurm, or leave it out"
        )
    driver = _Driver(store, configs, launcher, view, retry)
    try:
        driver.drive(detach)
    except BaseException:
        driver.stop()
        raise
    return driver.outcome


class _Driver:
    def __init__(
        self, store: Store, configs: Mapping[str, RunConfig], launcher: Launcher, view: View, retry: bool
    ) -> None:
        self._store, self._launcher, self._view, self._configs = store, launcher, view, configs
        self._queue = launcher if isinstance(launcher, Queueing) else None
        self._resubmitted: Counter[str] = Counter()
        self.outcome = Outcome()
        self._waiting: list[Run] = []
        self._joined: list[Run] = []
        self._active: dict[str, tuple[Run, Handle]] = {}
        self._preparing: dict[str, tuple[Run, Task, Handle]] = {}
        self._to_prepare: dict[str, tuple[Run, Task]] = {}
        self._finished = 0
        self._estimate = Estimate(store)
        self._last_join_check = 0.0
        self._left_told = float("-inf")
        self._left_seconds: float | None = None
        for signature, config in configs.items():
            run = store.run(signature)
            queued = self._queued(run)  # first: a job that ends in between has left its result
            decision = decide(run, retry, config.runtime.keep_model)
            if queued and decision != "done":
                decision = "join"
            match decision:
                case "done":
                    self._finished += 1
                case "join":
                    run.take_cancel_back()
                    self._joined.append(run)
                case "given up":
                    self._fail(run)
                case "run":
                    run.create(config)
                    run.take_cancel_back()
                    self._waiting.append(run)
                    for key, task in _needs(config).items():
                        self._to_prepare.setdefault(key, (run, task))

    def drive(self, detach: bool) -> None:
        """The loop: look at what ended, fill the slots, show."""
        shown, pause = 0.0, SOON_SECONDS
        while self._waiting or self._active or self._joined or self._preparing:
            happened = self._collect()
            self._fill()
            pause = SOON_SECONDS if happened else min(2 * pause, POLL_SECONDS)
            if self._queue is not None:
                self._queue.flush()
                if detach and not (self._waiting or self._preparing or self._to_prepare):
                    self.outcome.left = [*(run for run, _ in self._active.values()), *self._joined]
                    return
            if time.monotonic() - shown > SHOW_SECONDS:
                shown = time.monotonic()
                self._show()
            time.sleep(pause)

    def _show(self) -> None:
        self._view.preparing([str(run.preparation(task).get("text", "")) for run, task, _ in self._preparing.values()])
        self._view.refresh([*(run for run, _ in self._active.values()), *self._joined], self._finished, self._left())

    def stop(self) -> None:
        """Ask every worker to write a checkpoint and leave; end those that do not."""
        handles = [handle for _, handle in self._active.values()]
        handles += [handle for _, _, handle in self._preparing.values()]
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
        while len(self._active) + len(self._preparing) < slots:
            if self._to_prepare:
                key, (run, task) = next(iter(self._to_prepare.items()))
                del self._to_prepare[key]
                run.end_preparation(task)  # what an interrupted command has left
                self._preparing[key] = (run, task, self._launcher.submit(run, task))
                continue
            ready = next((run for run in self._waiting if not self._unprepared(run)), None)
            if ready is None:
                return
            self._waiting.remove(ready)
            if ready.cancelled:
                self.outcome.cancelled.append(ready.signature)
                continue
            self._view.started(ready)
            self._active[ready.signature] = (ready, self._launcher.submit(ready, "train"))

    def _unprepared(self, run: Run) -> bool:
        return any(key in self._preparing or key in self._to_prepare for key in _needs(self._configs[run.signature]))

    def _collect(self) -> bool:
        """Take note of what ended; whether anything did."""
        before = len(self._preparing) + len(self._active) + len(self._joined)
        for key, (run, task, handle) in list(self._preparing.items()):
            if not handle.alive():
                del self._preparing[key]
                self._prepared(key, run, task)
        for signature, (run, handle) in list(self._active.items()):
            if not handle.alive():
                del self._active[signature]
                self._ended(run)
        if self._joined and time.monotonic() - self._last_join_check > 1:
            self._last_join_check = time.monotonic()
            for run in [run for run in self._joined if not self._queued(run) and not run.alive()]:
                self._joined.remove(run)
                self._ended(run)
        return len(self._preparing) + len(self._active) + len(self._joined) < before

    def _queued(self, run: Run) -> bool:
        return self._queue is not None and self._queue.holds(run)

    def _prepared(self, key: str, run: Run, task: Task) -> None:
        """Where a preparation failed, the runs that need it cannot start.

        Only what is said counts, not silence: a second driver that prepares the same for the same run says it in the same
        place. A run whose preparation died without a word prepares what it needs itself, and its own end is told.
        """
        said = run.preparation(task)
        run.end_preparation(task)
        error = said.get("error")
        if error is None:
            return
        needing = [other for other in self._waiting if key in _needs(self._configs[other.signature])]
        self._waiting = [other for other in self._waiting if other not in needing]
        if said.get("bad_input"):
            self.outcome.bad_input.append(error)
        for other in [] if said.get("bad_input") else needing:
            other.update_status(state="failed", error=f"preparing {task}: {error}")
            self._fail(other)

    def _ended(self, run: Run) -> None:
        config = self._configs[run.signature]
        match run.state(config.runtime.keep_model):
            case "done":
                self._finished += 1
                result = run.result()
                assert result is not None
                seconds = result["train_seconds"] + result["evaluate_seconds"]
                self._estimate.add(config.science, seconds / max(1, result["steps"]))
                self._view.finished(run, self._finished, self._left())
            case "running":
                self._joined.append(run)  # another driver's worker was faster
            case "queued" if run.cancelled:
                self.outcome.cancelled.append(run.signature)
            case "queued" if self._queue is None:
                run.create(config)
                self._waiting.append(run)  # somebody else asked it to stop, or did not ask it to keep its model
            case "queued" | "lost" if self._queue is not None:
                self._left_queue(run, config, self._queue.resubmissions)
            case _:
                self._fail(run)

    def _left_queue(self, run: Run, config: RunConfig, resubmissions: int) -> None:
        """Its job was cancelled, pre-empted, or killed with its node: it goes on in a new one, a few times."""
        self._resubmitted[run.signature] += 1
        if self._resubmitted[run.signature] <= resubmissions:
            run.create(config)
            self._waiting.append(run)
            return
        times = resubmissions + 1
        error = (
            f"its job left the queue before the run was done, {times} times in this command: cancelled, killed, or lost"
        )
        run.update_status(state="failed", failures=run.status().get("failures", 0) + 1, error=error)
        self._fail(run)

    def _fail(self, run: Run) -> None:
        status = run.status()
        error = str(status.get("error") or self._silent_death())
        self.outcome.failed[run.signature] = error
        if status.get("bad_input"):
            self.outcome.bad_input.append(error)
        self._view.failed(run, error)

    def _silent_death(self) -> str:
        """What to say of a worker that could not say anything itself. A full disk is the user's to mend."""
        if shutil.disk_usage(self._store.root).free > LEAST_FREE_BYTES:
            return "it ended without a word: killed, or out of memory"
        error = f"{self._store.root}: the disk is full: free some space and issue the same command again"
        self.outcome.bad_input.append(error)
        return error

    def _left(self) -> float | None:
        """Expected seconds until all is done; told anew every now and then, as it takes a look at every waiting run."""
        if time.monotonic() - self._left_told > SHOW_SECONDS:
            self._left_told, self._left_seconds = time.monotonic(), self._expected()
        return self._left_seconds

    def _expected(self) -> float | None:
        """What running workers say, and for the rest what runs of their kind took."""
        said = [run.status().get("seconds_left") for run, _ in self._active.values()]
        rest = [run for (run, _), seconds in zip(self._active.values(), said, strict=True) if seconds is None]
        each = [self._estimate.seconds(self._configs[run.signature].science) for run in (*self._waiting, *rest)]
        running = [float(seconds) for seconds in said if seconds is not None]
        known = [value for value in each if value is not None] or running
        if not known:
            return None
        return (sum(running) + len(each) * sum(known) / len(known)) / self._launcher.slots


def _needs(config: RunConfig) -> dict[str, Task]:
    """What a run shares with others and has to be there before it starts."""
    needs: dict[str, Task] = {}
    if config.science.weights != "none" and config.runtime.weights_file is None:
        needs[f"{config.science.trunk}: {config.science.weights}"] = "weights"
    needs[config.science.data_id] = "data"
    return needs


def raise_for(outcome: Outcome) -> None:
    """Bad input becomes a `UserError`, once per message."""
    if outcome.bad_input:
        raise UserError("\n".join(dict.fromkeys(outcome.bad_input)))

"""Which runs a command carries out, and what happens to those that end before they are done: how often they are tried, how."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection
from typing import Literal

from parsenet_cli.core.memory import oom_kill_count
from parsenet_cli.core.run_config import RunConfig, Runtime
from parsenet_cli.runner.state import Queue, in_no_queue, state_of
from parsenet_cli.store.run import Run

Action = Literal["done", "run", "join", "exhausted"]


def next_action(run: Run, retry: bool, asked: Runtime | None = None, queue: Queue = in_no_queue) -> Action:
    """What a command does about a run. A failed one is tried once more, then only when `retry` asks for it.

    Args:
        run: The run.
        retry: Whether a run that has failed twice is tried again.
        asked: A run that is done without its model, or by other code, is carried out again where that is asked for.
        queue: What has a job for a run already, which is then joined.
    """
    queued = queue(run)  # first: a job that ends in between has left its result
    state = state_of(run, asked=asked)
    if state == "done":
        return "done"
    if queued or state == "running":
        return "join"
    return "exhausted" if state == "failed" and run.status().failures > 1 and not retry else "run"


class RetryPolicy:
    """The tries of one command. `limit`: how often a run is tried again.

    A run that died is tried again by itself, because what killed it may have been the memory that others took; so is one that
    said that memory was not enough, if others were beside it.
    """

    def __init__(self, limit: int) -> None:
        # Those whose next try has to have the machine, or its GPU, for itself.
        self.alone: set[str] = set()
        self._limit = limit
        self._again: Counter[str] = Counter()
        self._had_company: set[str] = set()
        self._killed_before: dict[str, int] = {}

    def started(self, signature: str, beside: Collection[str]) -> None:
        """A try begins while those `beside` it are under way."""
        self._killed_before[signature] = oom_kill_count()
        if beside:
            self._had_company |= {signature, *beside}

    def tries(self, signature: str) -> int:
        """How many it has had."""
        return self._again[signature] + 1

    def may_go_on(self, signature: str, killed: bool) -> bool:
        """Whether a run that ended early may: it was stopped by somebody else or, `killed`, exited without a status."""
        if killed:
            self.alone.add(signature)
        self._again[signature] += 1
        return self._again[signature] <= self._limit

    def may_try_alone(self, signature: str) -> bool:
        """Whether a run may for which memory was not enough even for one image at a time: others were beside it."""
        may = signature in self._had_company - self.alone
        self.alone.add(signature)
        return may

    def with_less_memory(self, signature: str, config: RunConfig) -> RunConfig:
        """Its configuration for the next try: half the images at a time where the kernel ended it although it was alone.

        Other numbers come of that only in their last bits, and the result says how many images it took at a time.
        """
        if self._again[signature] < 2 or oom_kill_count() == self._killed_before.get(signature):
            return config
        at_a_time = config.runtime.micro_batch or config.science.recipe.batch
        runtime = config.runtime.model_copy(update={"micro_batch": max(1, math.ceil(at_a_time / 2))})
        return config.model_copy(update={"runtime": runtime})

"""How runs stand: one answer for the scheduler, `status`, `status --watch`, `clean` and `cancel`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from parsenet_cli.core.code import Code
from parsenet_cli.core.run_config import Runtime
from parsenet_cli.core.text import duration
from parsenet_cli.runner.launcher import BatchQueue
from parsenet_cli.store.result import RunState, RunStatus
from parsenet_cli.store.run import Run, Store

Queue = Callable[[Run], bool]
"""Whether the queue of a cluster has a job for a run, pending or running."""


def in_no_queue(run: Run) -> bool:
    """The answer where no queue is asked."""
    return False


def state_of(run: Run, queue: Queue = in_no_queue, asked: Runtime | None = None) -> RunState:
    """How a run stands: by its folder alone, or also by the queue that may have a job for it.

    Args:
        run: The run.
        queue: What asks the queue. A run that it has is `queued`, although its last worker failed or was lost with its node.
        asked: A run whose model was not kept, or that other code has made, is not done where that is asked for.
    """
    queued = queue(run)  # first: a job that ends in between has left its result
    state = run.state(asked)
    return "queued" if queued and state in ("failed", "lost") else state


def queue_of(runs: Sequence[Run], queue: BatchQueue | None) -> Queue:
    """What `queue` holds of these runs now, whoever submitted them: asked once.

    Where it cannot be asked it may hold each of them that has a job. One that is cancelled leaves as soon as it starts.
    """
    waiting = [run for run in runs if run.result() is None and not run.cancelled]
    jobs = {run.signature: job for run in waiting if (job := run.job()) is not None}
    held = set(jobs.values()) if queue is None or not jobs else queue.held(jobs.values())
    return lambda run: jobs.get(run.signature) in held


def waits(run: Run) -> bool:
    """Whether a queue has it, as far as the folder knows, and no worker yet."""
    return run.job() is not None and run.status().state != "running"


@dataclass(frozen=True)
class RunSummary:
    """How one run stands: its state, and its score, progress or error.

    Attributes:
        job: The cluster's job that carries it out, or that it was last submitted as and that may still wait.
        host: Where it runs.
    """

    signature: str
    state: RunState
    says: str
    job: str | None = None
    host: str | None = None


def summaries(store: Store, queue: Queue = in_no_queue, runs: Sequence[Run] | None = None) -> list[RunSummary]:
    """How every run of the store, or each of `runs`, stands, by signature."""
    code = Code(store.cache)
    return [summary_of(run, queue, code) for run in (store.runs() if runs is None else runs)]


def summary_of(run: Run, queue: Queue = in_no_queue, code: Code | None = None) -> RunSummary:
    """How a run stands; `code` is read anew where it is not given.

    Its result is read once: it is most of what two thousand runs cost.
    """
    result = run.result()
    state = state_of(run, queue) if result is None else "done"
    status = run.status() if result is None else RunStatus()
    match state:
        case "done":
            result = result or run.done_result()
            remark = (code or Code(run.results.cache)).remark(result.code, result.modules)
            return RunSummary(run.signature, state, ", ".join(filter(None, [f"mean IU {result.score_text}", remark])))
        case "running":
            progress = progress_text(status)
            says = f"job {status.job} on {status.host}: {progress}" if status.job else progress
            return RunSummary(run.signature, state, says, status.job, status.host)
        case "queued":
            job = None if run.cancelled else run.job()
            return RunSummary(run.signature, state, _queued_text(run, status, job) or run.disbelief(), job)
        case _:
            text = {"failed": status.error, "lost": f"last seen at {status.reached}"}.get(state, "")
            return RunSummary(run.signature, state, text)


def counts(lines: Sequence[RunSummary]) -> str:
    """`3 running, 14 done`."""
    states = Counter(line.state for line in lines)
    return ", ".join(f"{number} {state}" for state, number in states.items()) or "no runs"


def progress_text(status: RunStatus) -> str:
    """`140/300, 0:07 left`, or what a run is doing before and after its training."""
    if status.evaluating:
        left = "" if status.seconds_left is None else f", {duration(status.seconds_left)} left"
        return f"{status.evaluating}{left}"
    if status.iteration is None or status.steps is None:
        return status.preparing or "starting"
    return f"{status.iteration}/{status.steps}, {duration(status.seconds_left)} left"


def _queued_text(run: Run, status: RunStatus, job: str | None) -> str:
    """What a run waits for and where it goes on from, as far as the folder knows: a job that its worker has left may be
    waiting again, or gone."""
    if run.cancelled:
        return f"cancelled at {status.reached}" if status.iteration else "cancelled"
    if job and job == status.job:
        return f"job {job} stopped at {status.reached}"
    if not status.iteration:
        return f"job {job}" if job else ""
    if not job:
        return f"stopped at {status.reached}"
    onwards = "goes on from its checkpoint" if run.has_checkpoint else "starts afresh"
    return f"job {job}, {onwards}, had reached {status.reached}"

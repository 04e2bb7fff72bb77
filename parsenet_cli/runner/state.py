"""How runs stand: one answer for the scheduler, `status`, `--watch`, `clean` and `cancel`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from parsenet_cli.core.text import duration
from parsenet_cli.store.result import RunState
from parsenet_cli.store.run import Run, Store


@dataclass(frozen=True)
class RunSummary:
    """How one run stands: its state, and its score, progress or error."""

    signature: str
    state: RunState
    says: str
    job: str | None = None
    """The cluster's job that carries it out, or that it was last submitted as and that may still wait."""
    host: str | None = None
    """Where it runs."""


def summaries(store: Store) -> list[RunSummary]:
    """How every run of the store stands, by signature."""
    return [summary_of(run) for run in store.runs()]


def summary_of(run: Run) -> RunSummary:
    """How one run stands."""
    result = run.result()
    if result is not None:  # read once: it is most of what two thousand lines cost
        return RunSummary(run.signature, "done", f"mean IU {result.score_text}")
    state = run.state()
    job, host = _where(run, state)
    return RunSummary(run.signature, state, _says(run, state), job, host)


def counts(lines: Sequence[RunSummary]) -> str:
    """`3 running, 14 done`."""
    count: dict[str, int] = {}
    for line in lines:
        count[line.state] = count.get(line.state, 0) + 1
    return ", ".join(f"{number} {state}" for state, number in count.items()) or "no runs"


def _where(run: Run, state: RunState) -> tuple[str | None, str | None]:
    """Job and host of a run that runs, the job of one that may wait in a queue: as the folder says, nobody is asked."""
    if state == "running":
        status = run.status()
        return status.job, status.host
    return (run.job() if state == "queued" and not run.cancelled else None), None


def _says(run: Run, state: RunState) -> str:
    job, host = _where(run, state)
    match state:
        case "running":
            return f"job {job} on {host}: {running_text(run)}" if job else running_text(run)
        case "failed":
            return str(run.status().error)
        case "queued":
            return _queued(run, job)
        case "lost":
            return f"last seen at {run.status().reached}"
        case _:
            return ""


def _queued(run: Run, job: str | None) -> str:
    """What a run waits for and where it goes on from, as far as the folder knows: a job that its worker has left may be
    waiting again, or gone."""
    status = run.status()
    if run.cancelled:
        return f"cancelled at {run.status().reached}" if status.iteration else "cancelled"
    if job and job == status.job:
        return f"job {job} stopped at {run.status().reached}"
    waits = f"job {job}" if job else ""
    if not status.iteration:
        return waits
    if not waits:
        return f"stopped at {run.status().reached}"
    return f"{waits}, {'goes on from its checkpoint' if run.has_checkpoint else 'starts afresh'}, had reached {run.status().reached}"


def running_text(run: Run) -> str:
    """`140/300, 0:07 left`, or what a run is doing before and after its training."""
    status = run.status()
    if status.evaluating:
        return status.evaluating
    if status.iteration is None or status.steps is None:
        return status.preparing or "starting"
    return f"{status.iteration}/{status.steps}, {duration(status.seconds_left)} left"


def waits(run: Run) -> bool:
    """Whether a cluster's queue has it, as far as the folder knows, and no worker yet."""
    return run.job() is not None and run.status().state != "running"

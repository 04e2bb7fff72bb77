"""`parsenet cancel`: ask workers to write a checkpoint and leave, whoever started them.

The wish lies in the run's folder, where workers on any machine look once a second and where drivers see that the run is not
to be started again. A worker on this machine gets a signal too, and need not look. A job that still waits in a queue is taken
out of it where this machine reaches the queue, and so is a job that prepares what no run needs any more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from parsenet_cli.core.errors import UserError
from parsenet_cli.runner import launch, process
from parsenet_cli.runner.state import state_of
from parsenet_cli.store.run import Run, Store

PATIENCE_SECONDS = 60.0
"""How long workers may take for their step and their checkpoint before the command says that they have not left."""

_POLL_SECONDS = 0.1


def chosen(store: Store, prefixes: Sequence[str], everything: bool) -> list[Run]:
    """The runs that are meant. `UserError` unless either runs or everything is named."""
    if bool(prefixes) == everything:
        raise UserError("expected either signatures of runs (`parsenet status` lists them) or --all")
    return store.runs() if everything else [store.find(prefix) for prefix in prefixes]


def cancel_runs(runs: Sequence[Run], say: Callable[[str], None], patience: float = PATIENCE_SECONDS) -> bool:
    """Ask those that run or wait, and wait until they have left; False where some have not."""
    meant = [run for run in runs if run.result() is None or run.alive()]
    for run in meant:  # all of them before any leaves: its driver would start the next
        run.cancel()
    asked = [run for run in meant if run.alive()]
    for run in asked:
        process.ask_to_stop(run)
    waiting = [run for run in meant if run not in asked]
    removed = _stop_jobs(waiting)
    for run in waiting:
        queue = f"; job {run.job()} left the queue" if run.job() in removed else ""
        say(f"{run.signature}: {state_of(run)}, will not be started{queue}")
    if not meant:
        states = ", ".join(f"{run.signature} is {state_of(run)}" for run in runs[:8])
        say(f"no run is left to cancel: {states or 'there are none'}")
    deadline = time.monotonic() + patience
    while asked and time.monotonic() < deadline:
        for run in [run for run in asked if not run.alive()]:
            asked.remove(run)
            say(f"{run.signature}: {_left_text(run)}")
        time.sleep(_POLL_SECONDS if asked else 0)
    for run in asked:
        say(f"{run.signature}: {_stayed_text(run, patience)}")
    return not asked


def _stop_jobs(runs: Sequence[Run]) -> set[str]:
    """The jobs of these runs that waited and were taken out of the queue. One that stays there leaves as soon as it starts."""
    jobs = {job for run in runs if (job := run.job()) is not None}
    queue = launch.queue(runs[0].results.root) if jobs else None
    if queue is None:
        return set()
    needed = {job for run in runs[0].results.runs() if not run.cancelled for job in run.prerequisite_jobs()}
    unneeded = {job for run in runs for job in run.prerequisite_jobs()} - needed
    return (queue.stop([*sorted(jobs), *sorted(unneeded)]) or set()) & jobs


def _left_text(run: Run) -> str:
    status = run.status()
    if status.state == "done":
        return "finished before it could stop"
    if status.state == "queued":
        return f"stopped at iteration {status.iteration}"
    return f"{state_of(run)}: {status.error or 'its worker exited without a status'}"


def _stayed_text(run: Run, patience: float) -> str:
    status = run.status()
    worker, asked = f"process {status.pid} on {status.host}", f"it was asked through {run.folder}"
    match process.place(run):
        case "here":
            return (
                f"has not left after {patience:.0f} s ({worker}); `kill -9 {status.pid}` ends it, its checkpoints stay"
            )
        case "elsewhere":
            return f"cannot be reached from here ({worker}); {asked} and leaves when it reads that"
        case _:
            return f"is held by a process that cannot be told ({worker} was the last); {asked}"

"""What the scenarios share: commands that are short, and what is asked of a store while and after they run."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from parsenet_cli.store.run import Run, Store
from tests.conftest import SHORT, Cli, wait_for
from tests.slurm.cluster import Cluster

Measured = Callable[..., object]
"""What a run measures without Slurm and without trouble."""

ON_SLURM = (
    *("--launcher", "slurm", "launcher.gpus=0", "launcher.threads=1"),
    *("launcher.poll_seconds=0.5", "launcher.slots=2"),
)
QUICK = (*SHORT, *ON_SLURM)
LONGER = (*SHORT[:2], "recipe.iterations=240", "checkpoint_seconds=0.3", *ON_SLURM)
"""Long enough to be disturbed in the middle."""

ENDLESS = (*LONGER, "recipe.iterations=100000")
ONE = ("train", "body=fcn")
TWO = ("sweep", "norm=none,l2", "--seeds", "1", "body=fcn")
PATIENCE_SECONDS = 150.0


def only_run(results: Path) -> Run:
    """The one run of a store."""
    (run,) = Store(results).runs()
    return run


def in_the_middle(results: Path) -> Run:
    """The only run, once it trains and has something to go on from."""
    wait_for(
        lambda: [run.checkpoints[0].is_file() and run.state() == "running" for run in Store(results).runs()] == [True],
        "a checkpoint",
    )
    return only_run(results)


def detached(cli: Cli, results: Path, *arguments: str) -> list[Run]:
    """Leave the runs of a command in the queue."""
    printed = cli(*arguments, "--detach").stdout
    runs = Store(results).runs()
    assert printed.count("in the queue: ") == len(runs)
    return runs


def end(started: subprocess.Popen[str], code: int = 0) -> str:
    """Wait for a command; returns what it printed: what was wrong, where it fails."""
    printed, wrong = started.communicate(timeout=PATIENCE_SECONDS)
    assert started.returncode == code, printed + wrong
    return wrong if code else printed


def hurry_until_ended(cluster: Cluster, *started: subprocess.Popen[str]) -> None:
    """Wait for commands whose jobs are requeued."""

    def ended() -> bool:
        cluster.hurry()
        return all(command.poll() is not None for command in started)

    wait_for(ended, "the command's end", 2 * PATIENCE_SECONDS, every=0.2)


def signal_worker(cluster: Cluster, run: Run, number: signal.Signals) -> None:
    """Past Slurm, which knows nothing of it."""
    cluster.deeds.append(f"{number.name} to the worker")
    os.kill(run.status().pid or 0, number)


def starts(run: Run) -> list[tuple[str, str]]:
    """Job and node of each start of the run's worker, from its log."""
    lines = [line for line in run.log_tail(10**6) if line.startswith("train: Slurm job ")]
    words = [line.removeprefix("train: Slurm job ").split() for line in lines]
    return [(job, node.rstrip(",")) for job, _, node, *_ in words]


def jobs_of(run: Run) -> list[str]:
    """The job of each start."""
    return [job for job, _ in starts(run)]


def scores(run: Run) -> object:
    """What a run measured; every iteration was recorded once."""
    iterations = [record["iteration"] for record in run.metrics()]
    assert iterations == sorted(set(iterations))
    return run.done_result().metrics

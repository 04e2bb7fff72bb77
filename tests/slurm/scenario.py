"""What the scenarios share: commands that are short, and what is asked of a store while and after they run."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from parsenet_cli.store.run import Run, Store
from tests.conftest import SHORT, wait_for
from tests.slurm.cluster import Cluster

Driver = Callable[..., "subprocess.Popen[str]"]
"""Starts a command and does not wait for it."""

Measured = Callable[..., object]
"""What a run measures without Slurm and without trouble."""

ON_SLURM = (
    "--launcher",
    "slurm",
    "launcher.gpus=0",
    "launcher.threads=1",
    "launcher.poll_seconds=0.5",
    "launcher.slots=2",
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

    def so() -> bool:
        runs = Store(results).runs()
        return len(runs) == 1 and (runs[0].folder / "checkpoint.pt").is_file() and runs[0].state() == "running"

    wait_for(so, "a checkpoint")
    return only_run(results)


def metrics(run: Run) -> object:
    """What a run measured; every iteration was recorded once."""
    result = run.result()
    assert result is not None, run.log_tail()
    iterations = [record["iteration"] for record in run.metrics()]
    assert iterations == sorted(set(iterations))
    return result["metrics"]


def end(started: subprocess.Popen[str]) -> str:
    """Wait for a command that must succeed; returns what it printed."""
    said, wrong = started.communicate(timeout=PATIENCE_SECONDS)
    assert started.returncode == 0, said + wrong
    return said


def hurry_until_ended(cluster: Cluster, *started: subprocess.Popen[str]) -> None:
    """Wait for commands whose jobs are requeued."""
    deadline = time.monotonic() + 2 * PATIENCE_SECONDS
    while any(each.poll() is None for each in started):
        assert time.monotonic() < deadline, "the command does not end"
        cluster.hurry()
        time.sleep(0.2)


def signal_worker(cluster: Cluster, run: Run, number: signal.Signals) -> None:
    """Past Slurm, which knows nothing of it."""
    cluster.deeds.append(f"{number.name} to the worker")
    os.kill(run.status().pid, number)


def starts(run: Run) -> list[tuple[str, str]]:
    """Job and node of each start of the run's worker, from its log."""
    try:
        lines = (run.folder / "log.txt").read_text().splitlines()
    except OSError:
        return []
    said = [line.split("Slurm job ")[1].split() for line in lines if line.startswith("train: Slurm job ")]
    return [(words[0], words[2].rstrip(",")) for words in said]


def jobs_of(run: Run) -> list[str]:
    """The job of each start."""
    return [job for job, _ in starts(run)]

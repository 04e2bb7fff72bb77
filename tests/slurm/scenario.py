"""What the scenarios share: commands that are short, and what is asked of a store while and after they run."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from parsenet_cli.store.run import Run, Store
from tests.conftest import SHORT
from tests.slurm.cluster import Cluster

Metrics = Mapping[str, float | None]

Driver = Callable[..., "subprocess.Popen[str]"]
"""Starts a command and does not wait for it."""

Submit = Callable[..., list[Run]]
"""Issues a command that leaves its runs in the queue."""

Train = Callable[..., "Training"]
"""Starts a command that carries out one run."""

ON_SLURM = (
    "--launcher",
    "slurm",
    "launcher.gpus=0",
    "launcher.threads=1",
    "launcher.poll_seconds=0.5",
    "launcher.slots=2",
)
QUICK = (*SHORT, *ON_SLURM)
LONGER = (*SHORT[:3], "recipe.iterations=240", "checkpoint_seconds=0.3", *ON_SLURM)
"""Long enough to be disturbed in the middle."""

ENDLESS = (*LONGER, "recipe.iterations=100000")
ONE = ("train", "body=fcn")
TWO = ("sweep", "norm=none,l2", "--seeds", "1", "body=fcn")
FOUR = ("sweep", "norm=none,l2", "layers=[fc7],[pool6,fc7]", "--seeds", "1", "body=fcn")
PATIENCE_SECONDS = 150.0


@dataclass(frozen=True)
class Training:
    """A command that carries out one run on the cluster."""

    cluster: Cluster
    process: subprocess.Popen[str]
    results: Path
    undisturbed: Callable[[], Metrics]
    """What the run measures without Slurm and without trouble."""

    @property
    def run(self) -> Run:
        return only_run(self.results)

    @property
    def job(self) -> str:
        """The run's last job."""
        return job_of(self.run)

    def in_the_middle(self) -> bool:
        """Whether its run trains and has something to go on from."""
        return in_the_middle(self.results)

    def signal_worker(self, number: signal.Signals) -> None:
        """Past Slurm, which knows nothing of it."""
        self.cluster.deeds.append(f"{number.name} to the worker")
        pid = self.run.status().pid
        assert pid is not None
        os.kill(pid, number)

    def ends(self, code: int = 0) -> str:
        """Wait for the command, whose jobs may be requeued; returns what it printed."""
        deadline = time.monotonic() + 2 * PATIENCE_SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < deadline, "the command does not end"
            self.cluster.hurry()
            time.sleep(0.2)
        return end(self.process, code)

    def ends_as_undisturbed(self) -> list[str]:
        """Wait for the command; its run must measure what it measures without trouble. Returns the job of each start."""
        self.ends()
        assert metrics(self.run) == self.undisturbed()
        return jobs_of(self.run)


def only_run(results: Path) -> Run:
    """The one run of a store."""
    (run,) = Store(results).runs()
    return run


def in_the_middle(results: Path) -> bool:
    """Whether a run trains and has something to go on from."""
    return any(run.has_checkpoint and run.state() == "running" for run in Store(results).runs())


def job_of(run: Run) -> str:
    """The last job of a run that is in the queue."""
    job = run.job()
    assert job is not None
    return job


def metrics(run: Run) -> Metrics:
    """What a run measured; every iteration was recorded once."""
    result = run.result()
    assert result is not None, run.log_tail()
    iterations = [record["iteration"] for record in run.metrics()]
    assert iterations == sorted(set(iterations))
    return result.metrics


def end(process: subprocess.Popen[str], code: int = 0) -> str:
    """Wait for a command that must exit with `code`; returns what it printed, its errors last."""
    printed = "".join(process.communicate(timeout=PATIENCE_SECONDS))
    assert process.returncode == code, printed
    return printed


def starts(run: Run) -> list[tuple[str, str]]:
    """Job and node of each start of the run's worker, from its log."""
    lines = [line.split() for line in run.log_tail(10**6) if line.startswith("train: Slurm job ")]
    return [(words[3], words[5].rstrip(",")) for words in lines]


def jobs_of(run: Run) -> list[str]:
    """The job of each start."""
    return [job for job, _ in starts(run)]

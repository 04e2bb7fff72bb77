"""What Slurm's queue holds, by `squeue`, which needs no accounting database; and taking jobs out of it.

`scancel` is never given a filter beside the ids: with `--state=PENDING` it takes every waiting task of an array for one job,
and ends the tasks that were not named too (seen with 22.05).
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence

from parsenet_cli.core.errors import UserError
from parsenet_cli.runner.launch.slurm.options import JOB_NAME


class Queue:
    """A picture of the queue that is at most `poll_seconds` old: one question for any number of jobs."""

    def __init__(self, poll_seconds: float) -> None:
        self._poll_seconds = poll_seconds
        self._jobs: Mapping[str, str] | None = None
        self.asked = 0.0
        """When the picture was taken, in seconds of the monotonic clock."""

    def holds(self, job: str) -> bool:
        """Whether `job` ("12" or "12_3") is pending, running, suspended or about to end.

        While squeue does not answer, what it said before holds: nothing is submitted twice. Raises `UserError` where it
        never answered.
        """
        if self._jobs is None or time.monotonic() - self.asked > self._poll_seconds:
            self.ask()
        assert self._jobs is not None
        return job in self._jobs

    def ask(self) -> bool:
        """Take a new picture; False where squeue does not answer now. Raises `UserError` where it never did."""
        answer = _squeue("--me")
        self.asked = time.monotonic()
        if answer.returncode == 0:
            self._jobs = _states(answer)
        elif self._jobs is None:
            raise UserError(f"squeue does not answer ({answer.stderr.strip()}): is this a node of the cluster?")
        return answer.returncode == 0

    def add(self, jobs: Iterable[str]) -> None:
        """These were accepted after the picture was taken."""
        self._jobs = {**(self._jobs or {}), **dict.fromkeys(jobs, "PENDING")}

    def stop(self, jobs: Sequence[str]) -> bool:
        """Those of `jobs` that wait leave the queue; those that run get a SIGTERM, and as long as they need.

        False where the queue does not answer now and nothing was done.
        """
        if not self.ask():
            return False
        assert self._jobs is not None
        scancel([job for job in jobs if self._jobs.get(job) == "PENDING"])
        scancel([job for job in jobs if self._jobs.get(job, "PENDING") != "PENDING"], "--signal=TERM")
        self.asked = 0.0
        return True

    def end(self, job: str) -> None:
        """It gets a SIGTERM, and a SIGKILL when Slurm's patience ends."""
        scancel([job])
        self.asked = 0.0


def reachable() -> bool:
    """Whether this machine has the commands to ask the queue and to take jobs out of it."""
    return all(shutil.which(program) is not None for program in ("squeue", "scancel"))


def waiting(jobs: Iterable[str]) -> list[str]:
    """Those of `jobs` that wait in the queue and are this user's; none where it does not answer."""
    states = _states(_squeue("--me"))
    return [job for job in jobs if states.get(job) == "PENDING"]


def held(jobs: Iterable[str]) -> list[str]:
    """Those of `jobs` that are in the queue, whoever submitted them. All of them where it cannot be asked."""
    answer = _squeue() if reachable() else None
    if answer is None or answer.returncode:
        return list(jobs)
    states = _states(answer)
    return [job for job in jobs if job in states]


def scancel(jobs: Sequence[str], *options: str) -> None:
    """For all of them in one call. A job that has just ended by itself is no error."""
    if jobs:
        subprocess.run(["scancel", "--quiet", *options, *jobs], capture_output=True, check=False)


def _squeue(*whose: str) -> subprocess.CompletedProcess[str]:
    """One line per job: its id and its state."""
    return subprocess.run(
        ["squeue", *whose, "--noheader", "--array", f"--name={JOB_NAME}", "--format=%i %T"],
        capture_output=True,
        text=True,
        check=False,
    )


def _states(answer: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return dict(line.split() for line in answer.stdout.splitlines())

"""What Slurm's queue holds, by `squeue`, which needs no accounting database; and taking jobs out of it.

`scancel` is never given a filter beside the ids: with `--state=PENDING` it takes every waiting task of an array for one job,
and ends the tasks that were not named too (seen with 22.05).
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from parsenet_cli.core.errors import UserError
from parsenet_cli.runner.launch.slurm.options import job_name


class Queue:
    """A snapshot of this user's jobs of one results folder, at most `poll_seconds` old: one question for any number of jobs."""

    def __init__(self, results: Path, poll_seconds: float = 0.0) -> None:
        self.job_name = job_name(results)
        self._poll_seconds = poll_seconds
        self._states: dict[str, str] | None = None
        self._answers = True
        # When the snapshot was taken, in seconds of the monotonic clock.
        self.asked = 0.0

    def holds(self, job: str) -> bool:
        """Whether `job` ("12" or "12_3") is pending, running, suspended or about to end.

        While squeue does not answer, what it said before holds: nothing is submitted twice. Raises `UserError` where it
        never answered.
        """
        if self._states is None or time.monotonic() - self.asked > self._poll_seconds:
            self.ask()
        return job in (self._states or {})

    def ask(self) -> bool:
        """Take a new snapshot; False where squeue does not answer now. Raises `UserError` where it never did.

        One that does not answer is given `poll_seconds` before it is asked again.
        """
        if self._answers or time.monotonic() - self.asked > self._poll_seconds:
            answer = self._squeue("--me")
            self.asked, self._answers = time.monotonic(), answer.returncode == 0
            if self._answers:
                self._states = _states(answer)
            elif self._states is None:
                raise UserError(f"squeue does not answer ({answer.stderr.strip()}): is this a node of the cluster?")
        return self._answers

    def add(self, jobs: Iterable[str]) -> None:
        """These were accepted after the snapshot was taken."""
        self._states = {**(self._states or {}), **dict.fromkeys(jobs, "PENDING")}

    def stop(self, jobs: Iterable[str]) -> set[str] | None:
        """Those of `jobs` that wait leave the queue and are returned; those that run get a SIGTERM, and as long as they need.

        None where the queue does not answer now and nothing was done.
        """
        with suppress(UserError):
            if self.ask():
                states = {job: state for job in jobs if (state := (self._states or {}).get(job))}
                waiting = [job for job, state in states.items() if state == "PENDING"]
                _scancel(waiting)
                _scancel([job for job in states if job not in waiting], "--signal=TERM")
                self.asked = 0.0
                return set(waiting)
        return None

    def held(self, jobs: Iterable[str]) -> set[str]:
        """Those of `jobs` that are in the queue, whoever submitted them. All of them where it does not answer."""
        answer = self._squeue()
        return set(jobs) if answer.returncode else set(jobs) & _states(answer).keys()

    def kill(self, job: str) -> None:
        """It gets a SIGTERM, and a SIGKILL when Slurm's patience ends. What is no job of this folder is left alone."""
        if job in (self._states or {}):
            _scancel([job])
            self.asked = 0.0

    def _squeue(self, *whose: str) -> subprocess.CompletedProcess[str]:
        """One line per job: its id and its state."""
        command = ["squeue", *whose, "--noheader", "--array", f"--name={self.job_name}", "--format=%i %T"]
        return subprocess.run(command, capture_output=True, text=True, check=False)


def reachable() -> bool:
    """Whether this machine has the commands to ask the queue and to take jobs out of it."""
    return all(shutil.which(program) is not None for program in ("squeue", "scancel"))


def _scancel(jobs: Sequence[str], *options: str) -> None:
    """For all of them in one call. A job that has just ended by itself is no error."""
    if jobs:
        subprocess.run(["scancel", "--quiet", *options, *jobs], capture_output=True, check=False)


def _states(answer: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return dict(line.split() for line in answer.stdout.splitlines())

"""Jobs of a Slurm cluster, through submitit.

All runs of a plan go out as one array job whose tasks run at most `slots` at a time (a single one as a single job). What they
share is prepared by jobs of its own, whose end they wait for in the queue. Where Slurm does not take so many at once it gets
fewer, and the rest when some have ended. Runs that are submitted again come in an array of their own.
The results folder is all that jobs and commands share; a run's job id stands in its folder, so that a later command
finds the job. submitit's own files, pickles among them, stay outside, in a folder that is the user's alone.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import file_lock
from parsenet_cli.runner.launch.slurm import options as slurm_options
from parsenet_cli.runner.launch.slurm.job import Job, began
from parsenet_cli.runner.launch.slurm.queue import Queue
from parsenet_cli.runner.launcher import Resources
from parsenet_cli.runner.worker import Task
from parsenet_cli.store.run import Busy, Run

REFUSED_POLLS = 10
"""What Slurm refused is offered again after so many times `poll_seconds`."""


@dataclass
class _Submitted:
    run: Run
    task: Task
    slurm: Slurm
    job: str = ""
    """Slurm's id; empty until Slurm took it."""
    cancelled: bool = False
    looked: float = 0.0
    """At which picture of the queue the run was looked at."""

    def alive(self) -> bool:
        if self.cancelled and not self.job:
            return False
        if not self.job or (self.slurm.in_queue(self.job) and not self._over()):
            return True
        if self.task == "train" and self.run.job() == self.job:
            self.slurm.left[self.run.signature] = self.job
            self.run.clear_job()
        return False

    def cancel(self) -> None:
        """A pending job leaves the queue, a running one gets SIGTERM and as long as it needs: at the next look, all at once."""
        self.cancelled = True
        if self.job:
            self.slurm.to_stop.append(self.job)

    def kill(self) -> None:
        if self.job:
            self.slurm.queue.end(self.job)
        else:
            self.cancelled = True

    def _over(self) -> bool:
        """Whether the run is, though its job is still in the queue. Looked at no more often than the queue is asked."""
        if self.task != "train" or self.looked == self.slurm.queue.asked:
            return False
        self.looked = self.slurm.queue.asked
        return _over(self.run)


class Slurm:
    """Hands everything to Slurm's own queue, where it outlives the command."""

    def __init__(self, options: dict[str, Any], slots: int) -> None:
        self.slots, self.threads = slots, options["threads"]
        self.resubmissions: int = options["resubmissions"]
        self.silence_seconds: float = options["silence_seconds"]
        self.queue = Queue(options["poll_seconds"])
        self.to_stop: list[str] = []
        self.left: dict[str, str] = {}
        """The job of each run that has left the queue."""
        self._options = options
        self._unsent: list[_Submitted] = []
        self._preparations: list[str] = []
        """Jobs of this command that prepare what runs share."""
        self._followed: set[str] = set()
        """Jobs of this command, whoever submitted them."""
        self._not_before = 0.0
        self._stop_not_before = 0.0
        self._said_refused = False

    def has_room(self, needs: Resources) -> bool:
        """Slurm sees to that, and gives each job what it asked for."""
        return True

    def submit(self, run: Run, task: Task, needs: Resources) -> _Submitted:
        """Takes effect with `flush`."""
        if task == "train":
            _mark_queued(run)
        submitted = _Submitted(run, task, self)
        self._unsent.append(submitted)
        return submitted

    def flush(self) -> list[Run]:
        """Send what was submitted since, as much of it as Slurm takes now, and tell the jobs that were cancelled.

        Two commands never submit the same run at once: one of them waits, and then finds the other's job. Raises `UserError`
        where Slurm takes nothing and no job that this command follows is in the queue, whose end could make room.
        """
        self._stop()
        self._unsent = [each for each in self._unsent if not each.cancelled]
        joined: list[Run] = []
        if not self._unsent or time.monotonic() < self._not_before:
            return joined
        folder = slurm_options.private_folder(self._options["folder"])
        with file_lock(folder / "submitting.lock"):
            self._not_before = time.monotonic() + self._options["poll_seconds"]
            if self.queue.ask():
                joined = self._join()
                if joined and all(each.task != "train" for each in self._unsent):
                    self._drop_all()  # nobody needs to have anything prepared
                if self._send([each for each in self._unsent if each.task != "train"], folder):
                    self._send(list(self._unsent), folder)
        if not self._unsent:
            self._not_before = 0.0
        return joined

    def holds(self, run: Run) -> bool:
        """Whether a job that some command submitted for this run is pending or running."""
        job = run.job()
        if job is None or not self.in_queue(job) or _over(run):
            return False
        self._followed.add(job)
        return True

    def in_queue(self, job: str) -> bool:
        """Whether it is there after all that was to be stopped has been told."""
        self._stop()
        return self.queue.holds(job)

    def _stop(self) -> None:
        if self.to_stop and time.monotonic() >= self._stop_not_before:
            if self.queue.stop(self.to_stop):
                self.to_stop = []
            else:
                self._stop_not_before = time.monotonic() + self._options["poll_seconds"]

    def _join(self) -> list[Run]:
        """What another command has submitted since this one looked needs no second job."""
        joined = []
        for each in [each for each in self._unsent if each.task == "train"]:
            if self.holds(each.run):
                joined.append(each.run)
                self._unsent.remove(each)
            else:
                each.run.clear_job()
        return joined

    def _drop_all(self) -> None:
        for each in self._unsent:
            each.cancelled = True
        self._unsent = []

    def _send(self, tasks: list[_Submitted], folder: Path) -> bool:
        """As one array, or as several where that is too large; they wait in the queue for those that prepare and went before.

        False where Slurm did not take all of them.
        """
        size = len(tasks)
        after = [job for job in self._preparations if self.queue.holds(job)]
        while tasks:
            several = tasks[:size]
            try:
                jobs = self._sbatch([self._job(each, folder) for each in several], folder, after)
            except _Refused as refused:
                if size > 1:
                    size = (size + 1) // 2  # more than one array or one user may have?
                    continue
                if self.queue.ask():
                    self._refused(refused)
                return False
            tasks = tasks[size:]
            self._followed |= set(jobs)
            self.queue.add(jobs)
            for each, job in zip(several, jobs, strict=True):
                self._unsent.remove(each)
                each.job = job
                if each.task == "train":
                    each.run.record_job(job)
                else:
                    self._preparations.append(job)
        return True

    def _sbatch(self, tasks: list[Job], folder: Path, after: Sequence[str]) -> list[str]:
        """One array, or one job, that starts when those `after` have ended. Returns their ids; raises `_Refused`."""
        from submitit import SlurmExecutor
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        executor = SlurmExecutor(folder=folder)
        executor.update_parameters(**slurm_options.sbatch_parameters(self._options, self.slots, after))
        try:
            # submitit repeats there what sbatch said, which is told once and in full where it matters
            with contextlib.redirect_stderr(io.StringIO()), executor.batch():
                jobs = [executor.submit(task) for task in tasks]
        except (FailedJobError, FailedSubmissionError) as problem:
            said = next((line for line in reversed(str(problem).splitlines()) if line.strip()), "")
            raise _Refused(said.strip()) from None
        return [job.job_id for job in jobs]

    def _refused(self, refused: _Refused) -> None:
        """Wait for the end of jobs that Slurm took before, if there are any."""
        if not any(self.queue.holds(job) for job in self._followed):
            raise UserError(
                f"Slurm does not take the jobs: {refused} "
                "(see launcher.partition, account, qos, constraint, minutes, memory_gb, threads and gpus, which is 0 for none)"
            )
        self._not_before = time.monotonic() + REFUSED_POLLS * self._options["poll_seconds"]
        if not self._said_refused:
            self._said_refused = True
            print(f"Slurm takes no more jobs now ({refused}): {len(self._unsent)} wait here until others have ended",
                  file=sys.stderr, flush=True)  # fmt: skip

    def end(self, run: Run) -> None:
        """`scancel` whatever job the run was last submitted as."""
        job = run.job()
        if job is not None:
            self.queue.end(job)

    def last_words(self, run: Run) -> str:
        """Its id and, where it never came to Python, the file in which Slurm has put what it said."""
        job = self.left.get(run.signature) or run.job()
        if job is None:
            return "its worker, which no job of Slurm's is, left before the run was done: killed, or lost"
        words = f"its job {job} left the queue before the run was done: cancelled, killed, or lost"
        folder = slurm_options.private_folder(self._options["folder"])
        said = folder / f"{job}_0_log.err"
        return f"{words}; it never came to Python: see {said}" if said.is_file() and not began(run, job) else words

    def _job(self, submitted: _Submitted, folder: Path) -> Job:
        run = submitted.run.folder.resolve()
        store = submitted.run.results.root.resolve()
        if folder.is_relative_to(store):
            raise UserError(f"launcher.folder={folder} is inside the results {store}: choose a folder outside")
        return Job(str(run), submitted.task, self.threads, self._options["requeues"])


class _Refused(Exception):
    """What `sbatch` said."""


def open_launcher(options: dict[str, Any], jobs: int) -> Slurm:
    """Raises `UserError` for a wrong option, and where submitit or Slurm's commands are missing."""
    slurm_options.check(options)
    if importlib.util.find_spec("submitit") is None:
        raise UserError("launcher=slurm needs submitit, which is not installed: pip install 'parsenet[slurm]'")
    for program in ("sbatch", "srun", "squeue", "scancel"):
        if shutil.which(program) is None:
            raise UserError(
                f"launcher=slurm needs {program} on the PATH: issue the command on the cluster's login node"
            )
    return Slurm(options, options["slots"] or max(1, jobs))


def _over(run: Run) -> bool:
    """Whether the worker has left what was asked of it, and has gone. Its job may take much longer to end: the epilog, a
    controller that hears nothing."""
    return run.done_as_asked() and not run.alive()


def _mark_queued(run: Run) -> None:
    """What its last worker said is no longer how a failed or lost run stands."""
    with contextlib.suppress(Busy), run.lock(wait=0):
        if run.status().state in ("failed", "running"):
            run.update_status(state="queued")

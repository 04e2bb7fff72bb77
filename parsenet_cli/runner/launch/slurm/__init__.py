"""Jobs of a Slurm cluster, through submitit.

All runs of a plan that need the same go out as one array job whose tasks run at most `slots` at a time (a single one as a single
job). What they share is prepared by jobs of its own, whose end they wait for in the queue. Where Slurm does not take so many at
once it gets fewer, and the rest when some have ended. Runs that are submitted again come in an array of their own.
The results folder is all that jobs and commands share; a run's job id stands in its folder, so that a later command
finds the job. submitit's own files, pickles among them, stay outside, in a folder that is the user's alone.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from parsenet_cli.core import blocks
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import file_lock
from parsenet_cli.core.text import print_line
from parsenet_cli.runner.launch.slurm import options as slurm_options
from parsenet_cli.runner.launch.slurm.job import Job, began
from parsenet_cli.runner.launch.slurm.queue import Queue, reachable
from parsenet_cli.runner.launcher import Handle, Resources, Task
from parsenet_cli.store.run import Busy, Run

REFUSED_POLLS = 10
"""What Slurm refused is offered again after so many times `poll_seconds`."""


@dataclass(eq=False)
class _Submitted:
    """A task that was handed in; sent with the next `flush`.

    Attributes:
        job: Slurm's id; empty until Slurm took it.
        looked: At which snapshot of the queue the run was looked at.
    """

    run: Run
    task: Task
    slurm: Slurm
    after: Sequence[_Submitted]
    job: str = ""
    cancelled: bool = False
    looked: float = 0.0

    def alive(self) -> bool:
        if not self.job:
            return not self.cancelled
        if self.slurm.in_queue(self.job) and not self._over():
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
        self.cancelled = True
        if self.job:
            self.slurm.queue.kill(self.job)

    def _over(self) -> bool:
        """Whether the run is, though its job is still in the queue. Looked at no more often than the queue is asked."""
        if self.task != "train" or self.looked == self.slurm.queue.asked:
            return False
        self.looked = self.slurm.queue.asked
        return _over(self.run)


class Slurm:
    """Hands everything to Slurm's own queue, where it outlives the command."""

    def __init__(self, options: dict[str, Any], slots: int, results: Path) -> None:
        self.slots, self.threads, self.on_gpu = slots, options["threads"], options["gpus"] > 0
        self.resubmissions: int = options["resubmissions"]
        self.silence_seconds: float = options["silence_seconds"]
        self.queue = Queue(results, options["poll_seconds"])
        self.to_stop: list[str] = []
        # The job of each run that has left the queue.
        self.left: dict[str, str] = {}
        self._options = options
        self._unsent: list[_Submitted] = []
        # Jobs of this command, whoever submitted them.
        self._followed: set[str] = set()
        self._not_before = 0.0
        self._said_refused = False

    def fits(self, needs: Resources) -> bool:
        """Slurm sees to that, and gives each job what it asked for."""
        return True

    def submit(self, run: Run, task: Task, needs: Resources, after: Sequence[Handle] = ()) -> _Submitted:
        """Takes effect with `flush`."""
        if task == "train":
            _mark_queued(run)
        self._unsent.append(_Submitted(run, task, self, cast("Sequence[_Submitted]", after)))
        return self._unsent[-1]

    def flush(self) -> list[Run]:
        """Send what was submitted since, as much of it as Slurm takes now, and tell the jobs that were cancelled.

        Two commands never submit the same run at once: one of them waits, and then finds the other's job. Raises `UserError`
        where Slurm takes nothing and no job that this command follows is in the queue, whose end could make room.
        """
        self._stop()
        self._unsent = [task for task in self._unsent if not task.cancelled]
        joined: list[Run] = []
        if not self._unsent or time.monotonic() < self._not_before:
            return joined
        folder = slurm_options.private_folder(self._options["folder"])
        if folder.is_relative_to(store := self._unsent[0].run.results.root.resolve()):
            raise UserError(f"launcher.folder={folder} is inside the results {store}: choose a folder outside")
        with file_lock(folder / "submitting.lock"):
            self._not_before = time.monotonic() + self._options["poll_seconds"]
            if self.queue.ask():
                joined = self._join()
                self._send_all(folder)
        if not self._unsent:
            self._not_before = 0.0
        return joined

    def is_queued(self, run: Run) -> bool:
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

    def kill(self, run: Run) -> None:
        """`scancel` whatever job the run was last submitted as."""
        job = run.job()
        if job is not None:
            self.queue.kill(job)

    def last_error(self, run: Run) -> str:
        """Its id and, where it never came to Python, the file in which Slurm has put what it said."""
        job = self.left.get(run.signature) or run.job()
        if job is None:
            return "its worker, which is no job of Slurm, exited before the run was done: killed, or lost"
        error = f"its job {job} left the queue before the run was done: cancelled, killed, or lost"
        output = slurm_options.private_folder(self._options["folder"]) / f"{job}_0_log.err"
        return f"{error}; it never started Python: see {output}" if output.is_file() and not began(run, job) else error

    def _stop(self) -> None:
        if self.to_stop and self.queue.stop(self.to_stop) is not None:
            self.to_stop = []

    def _join(self) -> list[Run]:
        """What another command has submitted since this one looked needs no second job, and nothing made for it."""
        joined = []
        for task in [task for task in self._unsent if task.task == "train"]:
            if self.is_queued(task.run):
                joined.append(task.run)
                self._unsent.remove(task)
            else:
                task.run.clear_job()
        needed = {before for task in self._unsent for before in task.after}
        for task in [task for task in self._unsent if task.task != "train" and task not in needed]:
            task.cancel()
            self._unsent.remove(task)
        return joined

    def _send_all(self, folder: Path) -> None:
        """Those that prepare, then the runs: one array for all that wait for the same jobs."""
        if not self._send([task for task in self._unsent if task.task != "train"], (), folder):
            return
        arrays: dict[tuple[str, ...], list[_Submitted]] = {}
        for task in self._unsent:
            after = tuple(before.job for before in task.after if before.job and self.queue.holds(before.job))
            arrays.setdefault(after, []).append(task)
        for after, tasks in arrays.items():
            if not self._send(tasks, after, folder):
                return

    def _send(self, tasks: list[_Submitted], after: Sequence[str], folder: Path) -> bool:
        """As one array that starts when the jobs `after` have ended, or as several where that is too large.

        False where Slurm did not take all of them.
        """
        size = len(tasks)
        while tasks:
            array = tasks[:size]
            try:
                jobs = self._sbatch(array, folder, after)
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
            for task, job in zip(array, jobs, strict=True):
                self._unsent.remove(task)
                task.job = job
                if task.task == "train":
                    task.run.record_job(job, after)
        return True

    def _sbatch(self, tasks: Sequence[_Submitted], folder: Path, after: Sequence[str]) -> list[str]:
        """One array, or one job. Returns their ids; raises `_Refused`."""
        from submitit import SlurmExecutor
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        requeues = self._options["requeues"]
        own = str(blocks.folder())
        jobs = [
            Job(str(task.run.folder.resolve()), task.task, self.threads, requeues, self.on_gpu, own) for task in tasks
        ]
        # -P: nothing in the folder where Slurm starts the job can stand in for a module.
        executor = SlurmExecutor(folder=folder, python=f"{shlex.quote(sys.executable)} -P")
        parameters = slurm_options.sbatch_parameters(self._options, self.slots, self.queue.job_name, after)
        executor.update_parameters(**parameters)
        try:
            # submitit repeats there what sbatch said, which is told once and in full where it matters
            with contextlib.redirect_stderr(io.StringIO()), executor.batch():
                submitted = [executor.submit(job) for job in jobs]
        except (FailedJobError, FailedSubmissionError) as problem:
            last = next((line for line in reversed(str(problem).splitlines()) if line.strip()), "")
            raise _Refused(last.strip()) from None
        return [job.job_id for job in submitted]

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
            waiting = f"{len(self._unsent)} wait here until others have ended"
            print_line(f"Slurm takes no more jobs now ({refused}): {waiting}", sys.stderr)


class _Refused(Exception):
    """What `sbatch` said."""


def open_launcher(options: dict[str, Any], jobs: int, results: Path, on_gpu: bool = True) -> Slurm:
    """With no GPU in the jobs where no run computes on one (device=cpu).

    Raises `UserError` for a wrong option, and where submitit or Slurm's commands are missing.
    """
    slurm_options.check(options)
    options = options if on_gpu else {**options, "gpus": 0}
    if importlib.util.find_spec("submitit") is None:
        raise UserError("launcher=slurm needs submitit, which is not installed: pip install 'parsenet[slurm]'")
    for program in ("sbatch", "srun", "squeue", "scancel"):
        if shutil.which(program) is None:
            raise UserError(
                f"launcher=slurm needs {program} on the PATH: issue the command on the cluster's login node"
            )
    return Slurm(options, options["slots"] or max(1, jobs), results)


def queue(results: Path) -> Queue | None:
    """This folder's jobs in Slurm's queue, where this machine has the commands to ask it and to take jobs out of it."""
    return Queue(results) if reachable() else None


def current_job() -> str | None:
    """The id of the Slurm job that this process is part of ("12", or "12_3" in an array); None outside of one."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}" if array else os.environ.get("SLURM_JOB_ID")


def _over(run: Run) -> bool:
    """Whether the worker has left what was asked of it, and has gone. Its job may take much longer to end: the epilog, a
    controller that hears nothing."""
    return run.done_as_asked() and not run.alive()


def _mark_queued(run: Run) -> None:
    """What its last worker said is no longer how a failed or lost run stands."""
    with contextlib.suppress(Busy), run.lock(wait=0):
        if run.status().state in ("failed", "running"):
            run.update_status(state="queued")

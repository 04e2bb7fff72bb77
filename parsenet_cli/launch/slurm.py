"""Jobs of a Slurm cluster, through submitit.

What is ready at the same time goes out as one array job whose tasks run at most `slots` at a time (a single one as a single job):
all runs of a plan together, once what they share is prepared. Runs that are submitted again come in an array of their own.
The results folder is all that jobs and commands share; a run's job id stands in its folder, so that a later command
finds the job. submitit's own files, pickles among them, stay outside, in a folder that is the user's alone.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parsenet_cli.errors import UserError
from parsenet_cli.launch import Needs, slurm_options
from parsenet_cli.launch.slurm_job import Job
from parsenet_cli.launch.slurm_queue import Queue
from parsenet_cli.store import Run
from parsenet_cli.worker import Task


@dataclass
class _Submitted:
    run: Run
    task: Task
    queue: Queue
    job: str = ""
    """Slurm's id; empty until the array it belongs to went out."""
    cancelled: bool = False

    def alive(self) -> bool:
        return self.queue.holds(self.job) if self.job else not self.cancelled

    def cancel(self) -> None:
        """A pending job leaves the queue; a running one gets SIGTERM and as long as it needs."""
        self.cancelled = True
        if self.job:
            _scancel("--state=PENDING", self.job)
            _scancel("--signal=TERM", self.job)
            self.queue.look_again()

    def kill(self) -> None:
        self.cancelled = True
        if self.job:
            _scancel(self.job)


class Slurm:
    """Hands everything to Slurm's own queue, where it outlives the command."""

    def __init__(self, options: dict[str, Any], slots: int) -> None:
        self.slots, self.threads = slots, options["threads"]
        self.resubmissions: int = options["resubmissions"]
        self.silence_seconds: float = options["silence_seconds"]
        self._options = options
        self._queue = Queue(options["poll_seconds"])
        self._unsent: list[_Submitted] = []

    def has_room(self, needs: Needs) -> bool:
        """Slurm sees to that, and gives each job what it asked for."""
        return True

    def submit(self, run: Run, task: Task, needs: Needs) -> _Submitted:
        """Takes effect with `flush`."""
        submitted = _Submitted(run, task, self._queue)
        self._unsent.append(submitted)
        return submitted

    def flush(self) -> None:
        """Send what was submitted since. Raises `UserError` where Slurm refuses it."""
        unsent = [each for each in self._unsent if not each.cancelled]
        self._unsent = []
        if not unsent:
            return
        from submitit import SlurmExecutor
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        folder = slurm_options.private_folder(self._options["folder"])
        executor = SlurmExecutor(folder=folder)
        executor.update_parameters(**slurm_options.sbatch_parameters(self._options, self.slots))
        try:
            with executor.batch():
                jobs = [executor.submit(self._job(each, folder)) for each in unsent]
        except (FailedJobError, FailedSubmissionError) as problem:
            said = next((line for line in reversed(str(problem).splitlines()) if line.strip()), "")
            raise UserError(f"Slurm does not take the jobs: {said.strip()} (launcher.partition, account, …)") from None
        for each, job in zip(unsent, jobs, strict=True):
            each.job = job.job_id
            if each.task == "train":
                each.run.record_job(each.job)
        self._queue.add([each.job for each in unsent])

    def holds(self, run: Run) -> bool:
        """Whether a job that some command submitted for this run is pending or running."""
        job = run.job()
        return job is not None and self._queue.holds(job)

    def end(self, run: Run) -> None:
        """`scancel` whatever job the run was last submitted as."""
        job = run.job()
        if job is not None:
            _scancel(job)
            self._queue.look_again()

    def _job(self, submitted: _Submitted, folder: Path) -> Job:
        run = submitted.run.folder.resolve()
        store = run.parent.parent
        if folder.is_relative_to(store):
            raise UserError(f"launcher.folder={folder} is inside the results {store}: choose a folder outside")
        return Job(str(run), submitted.task, self.threads, self._options["requeues"])


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


def _scancel(*arguments: str) -> None:
    """A job that has just ended is no error."""
    subprocess.run(["scancel", "--quiet", *arguments], capture_output=True, check=False)

"""What a Slurm job does: one worker, and what Slurm's signals mean to it.

* SIGTERM (scancel, pre-emption): the worker writes a checkpoint and leaves.
* SIGUSR2 (the time limit comes near): the same, and the job puts itself back into the queue.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from parsenet_cli.core.files import append_to, read_bytes
from parsenet_cli.core.text import print_line
from parsenet_cli.runner import launch, worker
from parsenet_cli.runner.launcher import Task
from parsenet_cli.store.run import Run, open_run


@dataclass
class Job:
    """Called on the node. The run folder is all that it shares with the command that submitted it, and the user's own blocks.

    Attributes:
        own_blocks: The folder of the command.
    """

    folder: str
    task: Task
    threads: int
    requeues: int
    given_gpu: bool = False
    own_blocks: str = ""

    def __call__(self) -> None:
        self._limit_near, self._restarts = False, int(os.environ.get("SLURM_RESTART_COUNT", 0))
        signal.signal(signal.SIGUSR2, self._leave)
        run = open_run(Path(self.folder))
        with os.fdopen(append_to(run.log), "a") as log:
            node = os.environ.get("SLURMD_NODENAME", socket.gethostname())
            job = f"Slurm job {launch.current_job()} on {node}, restarted {self._restarts} times"
            log.write(f"{self.task}: {job}\n")
        # What arrives before a training listens is forgotten: Slurm then ends the job, which counts as lost.
        signal.signal(signal.SIGTERM, (lambda *_: None) if self.task == "train" else signal.SIG_DFL)
        if self.task == "train":
            with contextlib.suppress(ImportError):  # the worker says it in the log and the status
                from parsenet_cli.engine import train  # noqa: F401
        try:
            worker.main(self.folder, self.task, self.threads, "" if self.given_gpu else None, self.own_blocks)
        except SystemExit as ended:
            if self._limit_near and ended.code == worker.STOPPED and not run.cancelled:
                self._requeue(run)
            raise

    def _leave(self, _signal: int, _frame: FrameType | None) -> None:
        self._limit_near = True
        if self.task != "train" and self._restarts < self.requeues:
            _put_back()  # what is prepared is made whole or not at all: nothing to keep
        signal.raise_signal(signal.SIGTERM)

    def _requeue(self, run: Run) -> None:
        if self._restarts < self.requeues:
            _put_back()
            return
        error = (
            f"its time limit hit {self._restarts + 1} times: raise launcher.minutes or launcher.requeues and issue the "
            "command again; it goes on from its checkpoint"
        )
        run.update_status(state="failed", failures=run.status().failures + 1, error=error)


def began(run: Run, job: str) -> bool:
    """Whether that job has come as far as to say so in the run's log."""
    try:
        return f": Slurm job {job} on ".encode() in read_bytes(run.log)
    except OSError:
        return False


def _put_back() -> None:
    """Slurm keeps the job's id. Where it refuses, the job ends, and the command that waits for it submits a new one."""
    job = str(launch.current_job())
    done = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True, check=False)
    print_line(f"requeued {job}" if done.returncode == 0 else f"not requeued: {done.stderr.strip()}")

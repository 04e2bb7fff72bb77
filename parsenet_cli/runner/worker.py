"""One run in one process that knows only its folder: `python -m parsenet_cli.worker <run folder>`.

The worker holds the run's lock for its whole life, so that two drivers never train a signature twice. SIGTERM and SIGINT make
it write a checkpoint and leave; whatever else happens to it touches this one run alone.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from parsenet_cli.core import blocks, code
from parsenet_cli.core.errors import Stopped, UserError
from parsenet_cli.core.files import NotWritten, append_to, os_error_text
from parsenet_cli.core.memory import is_out_of_memory
from parsenet_cli.core.text import print_line, printable
from parsenet_cli.runner import launch, process
from parsenet_cli.runner.launcher import Task
from parsenet_cli.store.run import ERROR_PREFIX, Busy, Run, open_run

BUSY = 75
"""Exit code of a worker that found another one at work (EX_TEMPFAIL)."""

BAD_INPUT = 2
"""Exit code of a worker whose input is wrong: the message says what to do."""

STOPPED = 128 + signal.SIGTERM
"""Exit code of a worker that was asked to stop and left a checkpoint."""

LOOK_SECONDS = 1.0
"""How often a training looks whether it has been cancelled."""


def main(folder: str, task: Task = "train", threads: int = 1, gpu: str | None = None, own_blocks: str = "") -> None:
    """Entry of a worker process: output goes to the run's log.txt, the exit code says how it went.

    `gpu`: the one that it was given; empty where the cluster has already set which; None where it was given none. `own_blocks`:
    the folder of the command that submitted it, which has the user's own blocks; empty: the current folder.
    """
    if own_blocks:
        blocks.look_in(Path(own_blocks))
    if os.getpgrp() != os.getpid():
        os.setsid()  # Ctrl-C in the terminal reaches the driver alone, which then asks its workers to stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # also what came while it was blocked; the driver asks with SIGTERM
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    run = open_run(Path(folder))
    try:
        log = append_to(run.log)
    except OSError:  # where nothing else can be written either, the status and the driver tell it
        log = os.open(os.devnull, os.O_WRONLY)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.stdout, sys.stderr = (os.fdopen(fd, "w", 1, "utf-8", "backslashreplace", closefd=False) for fd in (1, 2))
    if gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    sys.exit(run_task(run, task, threads, given_gpu=gpu is not None))


def run_from_command_line() -> None:
    """What `python -m parsenet_cli.worker <run folder>` does."""
    main(sys.argv[1], threads=os.cpu_count() or 1)


def run_task(run: Run, task: Task, threads: int, *, given_gpu: bool = False) -> int:
    """Do the task and record how it ended; returns the exit code. With `given_gpu` a training never falls back to the CPU."""
    if task != "train":
        return _prepare(run, task, threads)
    try:
        with StopFlag(run) as stop, run.lock():  # from its first write to its last no signal ends it in the middle
            return _train(run, threads, stop, given_gpu)
    except Busy:
        return BUSY
    except UserError as problem:  # not even the lock can be written, or the run's configuration is damaged
        return _failed(run, problem)


def _train(run: Run, threads: int, stop: StopFlag, given_gpu: bool) -> int:
    if run.done_as_asked():
        return 0
    if run.cancelled:  # while it waited in a queue that nobody on this machine sees
        run.update_status(state="queued")
        return STOPPED
    if launch.current_job() is None:
        run.clear_job()
    before = run.status()
    # To go on, and to be done again, to the same bits needs the same number of threads; what is new may take any.
    result = run.result()
    threads = (before.threads if run.has_checkpoint else result and result.threads) or threads
    # Also so that an error that an earlier worker left with is not the log's last line any more.
    _log(f"training: process {os.getpid()} on {socket.gethostname()}, threads: {threads}")
    try:
        outdated = {"error": "", "bad_input": False, "out_of_memory": False}
        outdated |= {"seconds_left": None, "evaluating": "", "gpu_mb": None}
        run.update_status(state="running", threads=threads, started=time.time(), **process.own(), **outdated)
        code.loaded()  # before it is imported
        from parsenet_cli.engine.train import train_run

        train_run(run, run.results.cache, threads, stop, given_gpu)
    except Stopped as stopped:
        reached = before.iteration if stopped.iteration is None else stopped.iteration
        _record(run, state="queued", iteration=reached)
        return STOPPED
    except BaseException as problem:
        return _failed(run, problem)
    _record(run, state="done")
    return 0


def _failed(run: Run, problem: BaseException) -> int:
    """Record it. A full disk is no failure of the run, which goes on once there is space, however often that happens."""
    code, error = _told(run, problem)
    failures = run.status().failures + (not isinstance(problem, NotWritten))
    kind = {"bad_input": code == BAD_INPUT, "out_of_memory": is_out_of_memory(problem)}
    _record(run, state="failed", failures=failures, error=error, **kind)
    return code


def _told(run: Run, problem: BaseException) -> tuple[int, str]:
    """Exit code and error of a task that ended so; the log has it too."""
    if isinstance(problem, OSError) and _is_of_the_user(run, problem.filename):
        problem = UserError(os_error_text(problem))
    if isinstance(problem, UserError):
        _log(f"{ERROR_PREFIX}{problem}")
        return BAD_INPUT, printable(str(problem))
    traceback.print_exc()
    return 1, printable(f"{type(problem).__name__}: {problem}")


def _is_of_the_user(run: Run, file: object) -> bool:
    """Whether it is data or weights that the operating system refuses: no file of the run or of the cache, but input."""
    own = (run.folder.absolute(), run.results.cache.absolute())
    return isinstance(file, str | os.PathLike) and not any(map(Path(file).absolute().is_relative_to, own))


def _log(text: str) -> None:
    """A line of the log, where the disk takes one."""
    with suppress(OSError):
        print_line(text)


def _record(run: Run, **status: Any) -> None:
    """Record how it ended. Where the disk does not even take that, the driver sees a worker that exited without a status."""
    try:
        run.update_status(**status)
    except UserError as problem:
        _log(f"{ERROR_PREFIX}{problem}")


def _prepare(run: Run, task: Task, threads: int) -> int:
    def progress(text: str) -> None:
        run.update_prerequisite(task, text=text)

    try:
        from parsenet_cli.engine import inputs

        if task == "data":
            inputs.data(run.config(), run.results.cache, progress)
        else:
            inputs.weights(run.config(), run.results.cache, threads, progress)
        return 0
    except KeyboardInterrupt:  # only where the command does it in its own process
        raise
    except BaseException as problem:
        code, error = _told(run, problem)
    try:
        run.update_prerequisite(task, error=error, bad_input=code == BAD_INPUT)
    except UserError as problem:  # those that need it prepare it themselves, and say what is wrong
        _log(f"{ERROR_PREFIX}{problem}")
    return code


class StopFlag:
    """Within the block SIGTERM and SIGINT only raise a flag, which is looked at while data are prepared and after each step.

    `parsenet cancel` on another machine raises it too: through the run's folder, which is looked at once a second.
    """

    def __init__(self, run: Run) -> None:
        self.raised = False
        self._run, self._looked = run, time.monotonic()

    def __call__(self) -> bool:
        if not self.raised and time.monotonic() - self._looked > LOOK_SECONDS:
            self._looked = time.monotonic()
            self.raised = self._run.cancelled
        return self.raised

    def _raise(self, _signal: int, _frame: FrameType | None) -> None:
        self.raised = True

    def __enter__(self) -> StopFlag:
        self._before = {number: signal.signal(number, self._raise) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

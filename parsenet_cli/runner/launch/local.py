"""Processes on this machine: one per run, forked from a server that has imported torch once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from parsenet_cli.core import blocks
from parsenet_cli.core.bounds import Interval, Processes, Times
from parsenet_cli.core.text import print_line
from parsenet_cli.runner import worker
from parsenet_cli.runner.gpus import Gpu, least_loaded, sharing, visible
from parsenet_cli.runner.launch_options import LauncherOptions, validated
from parsenet_cli.runner.launcher import Handle, Resources, Task
from parsenet_cli.store.run import Run

_PRELOADED = ["parsenet_cli.runner.preload"]


class LocalOptions(LauncherOptions):
    """conf/launcher/local.yaml says what they mean."""

    slots: Processes | None
    threads: Processes | None
    slots_per_gpu: Processes
    resubmissions: Times
    silence_seconds: Interval


@dataclass(frozen=True)
class _Process:
    process: ForkServerProcess

    def alive(self) -> bool:
        return self.process.is_alive()

    def cancel(self) -> None:
        self.process.terminate()

    def kill(self) -> None:
        self.process.kill()


class Local:
    """Slots times threads is the number of cores. Where there are GPUs each task that computes on one is given it, and may share
    it."""

    def __init__(self, options: LocalOptions, slots: int, threads: int, gpus: list[Gpu]) -> None:
        self.slots, self.threads = slots, threads
        self.resubmissions = options.resubmissions
        self.silence_seconds = options.silence_seconds
        self.on_gpu = bool(gpus)
        self._gpus, self._per_gpu = gpus, options.slots_per_gpu
        self._said_sharing = False
        self._tasks: list[tuple[_Process, Resources]] = []
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)

    def fits(self, needs: Resources) -> bool:
        """On GPUs by their memory; on a CPU by whether one of the tasks there has to be alone."""
        if self._gpus and needs.gpu:
            return least_loaded(self._gpus, needs, self._per_gpu) is not None
        self._tasks = [(process, resources) for process, resources in self._tasks if process.alive()]
        return not self._tasks or not (needs.alone or any(resources.alone for _, resources in self._tasks))

    def submit(self, run: Run, task: Task, needs: Resources, after: Sequence[Handle] = ()) -> _Process:
        """Fork a worker, on the GPU with the fewest tasks of those that the task fits."""
        gpu = least_loaded(self._gpus, needs, self._per_gpu) if needs.gpu else None
        arguments = (str(run.folder), task, self.threads, None if gpu is None else gpu.name, str(blocks.folder()))
        process = self._context.Process(target=worker.main, args=arguments)
        with _undisturbed():
            process.start()
        handle = _Process(process)
        if gpu is None:
            self._tasks.append((handle, needs))
        else:
            self._say_sharing(gpu)
            gpu.take(handle, needs, lambda: run.status().gpu_mb)
        return handle

    def _say_sharing(self, gpu: Gpu) -> None:
        if gpu.tasks and not self._said_sharing:
            self._said_sharing = True
            print_line(f"runs share a GPU by {sharing()}", sys.stderr)


def open_launcher(options: dict[str, Any], jobs: int, results: Path, on_gpu: bool = True) -> Local:
    """Slots and threads as asked; else one slot per core, or `slots_per_gpu` per GPU, and the cores shared among them.

    Raises `UserError` for an option that is not what conf/launcher/local.yaml describes.
    """
    wanted = validated(LocalOptions, options)
    cores, gpus = len(os.sched_getaffinity(0)), visible() if on_gpu else []
    slots = wanted.slots or max(1, min(len(gpus) * wanted.slots_per_gpu or cores, jobs))
    return Local(wanted, slots, wanted.threads or max(1, cores // slots), gpus)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """While a worker is forked, two things are kept from it.

    The command's main module: multiprocessing would import it again, for the sake of scripts. And Ctrl-C, which reaches every
    process of the terminal: the fork server would die of it with a traceback while it imports. A process that is started while
    the signal is blocked has it blocked too; the resource tracker starts before, as its start unblocks it.
    """
    main = vars(sys.modules["__main__"])
    before = {name: main.get(name) for name in ("__file__", "__spec__")}
    resource_tracker.ensure_running()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    main.update(dict.fromkeys(before))
    try:
        yield
    finally:
        main.update(before)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

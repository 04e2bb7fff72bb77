"""Processes on this machine: one per run, forked from a server that has imported torch once."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from typing import Any

from parsenet_cli import worker
from parsenet_cli.errors import UserError
from parsenet_cli.store import Run
from parsenet_cli.worker import Task

_PRELOADED = ["parsenet_cli.launch.preloaded"]


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
    """Slots times threads is the number of cores; on GPUs every slot has one of its own."""

    def __init__(self, slots: int, threads: int, gpus: list[str]) -> None:
        self.slots, self.threads = slots, threads
        self._free = list(gpus)
        self._held: list[tuple[str, _Process]] = []
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)

    def submit(self, run: Run, task: Task) -> _Process:
        gpu = self._gpu()
        process = self._context.Process(target=worker.main, args=(str(run.folder), task, self.threads, gpu))
        with _not_the_drivers_main_module():
            process.start()
        handle = _Process(process)
        if gpu is not None:
            self._held.append((gpu, handle))
        return handle

    def _gpu(self) -> str | None:
        """A GPU that no living task holds; None on a machine without."""
        self._free += [gpu for gpu, handle in self._held if not handle.alive()]
        self._held = [(gpu, handle) for gpu, handle in self._held if handle.alive()]
        return self._free.pop(0) if self._free else None


def open_launcher(options: dict[str, Any], jobs: int) -> Local:
    """Slots and threads as asked, or one slot per GPU, or one per core with the cores shared among them."""
    for key in ("slots", "threads"):
        if options[key] is not None and (not isinstance(options[key], int) or options[key] < 1):
            raise UserError(f"launcher.{key}={options[key]}: expected a positive number or null")
    cores, gpus = len(os.sched_getaffinity(0)), visible_gpus()
    slots = options["slots"] or max(1, min(len(gpus) or cores, jobs))
    # More slots than GPUs: they share the cards in turn.
    gpus = [gpus[i % len(gpus)] for i in range(slots)] if gpus else []
    return Local(slots, options["threads"] or max(1, cores // slots), gpus)


def visible_gpus() -> list[str]:
    """What CUDA_VISIBLE_DEVICES may be set to, one GPU each, without importing torch."""
    said = os.environ.get("CUDA_VISIBLE_DEVICES")
    if said is not None:
        return [gpu for gpu in said.split(",") if gpu.strip() not in ("", "-1")]
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    answer = subprocess.run([tool, "--list-gpus"], capture_output=True, text=True, check=False)
    return [str(i) for i, line in enumerate(answer.stdout.splitlines()) if line.startswith("GPU ")]


@contextmanager
def _not_the_drivers_main_module() -> Iterator[None]:
    """A forked worker must not import the command line again, which multiprocessing does for the sake of scripts."""
    main = vars(sys.modules["__main__"])
    before = {name: main.get(name) for name in ("__file__", "__spec__")}
    main.update(dict.fromkeys(before))
    try:
        yield
    finally:
        main.update(before)

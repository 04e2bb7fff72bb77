"""Which names of the product are patched, module by module, right after their import."""

from __future__ import annotations

import contextlib
import importlib.machinery
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.faults.injected import disk, orders
from tests.faults.injected.orders import at, note


def _around(name: str, before: str, after: str = "", noted: bool = False) -> Callable[[Any], None]:
    """A patch: around each call of `name`, a function or a class's method, its process comes to these places."""

    def patch(module: Any) -> None:
        owner = getattr(module, name.partition(".")[0]) if "." in name else module
        original = getattr(owner, name.rpartition(".")[2])

        def come(place: str) -> None:
            if noted:
                note(place)
            at(place)

        def called(*given: Any, **named: Any) -> Any:
            come(before)
            result = original(*given, **named)
            if after:
                come(after)
            return result

        setattr(owner, name.rpartition(".")[2], called)

    return patch


def _files(module: Any) -> None:
    original = module.atomic_write

    @contextlib.contextmanager
    def atomic_write(path: Path) -> Iterator[Any]:
        name = path.name
        with original(path) as file:
            at(f"write {name} opened")
            yield file
            at(f"write {name} filled")
        at(f"write {name} done")

    module.atomic_write = atomic_write


def _worker(module: Any) -> None:
    original = module.run_task

    def run_task(run: Any, task: str, threads: int, **given: Any) -> int:
        orders.carries_out(run.signature)
        orders.at_work(True)
        note(f"worker {task}")
        at(f"worker {task}")
        try:
            code: int = original(run, task, threads, **given)
            note(f"left {code}")
        finally:
            orders.at_work(False)
            orders.carries_out("")
        return code

    module.run_task = run_task


def _trainer(module: Any) -> None:
    trainer = module.Trainer
    step, batch = trainer.step, trainer._batch

    def stepping(self: Any, iteration: int) -> Any:
        note(f"step {iteration}")
        at(f"step {iteration}")
        loss = step(self, iteration)
        order = orders.ordered(f"loss {iteration}")
        return loss * float("nan") if order else loss

    def batching(self: Any, number: int) -> Any:
        order = orders.ordered(f"batch {number}")
        if order and (order["do"] != "crowded" or orders.others_at_work()):
            raise module.torch.OutOfMemoryError("made up by the test: out of memory")
        return batch(self, number)

    trainer.step, trainer._batch = stepping, batching


def _checkpoint(module: Any) -> None:
    save, restore = module.save, module.restore

    def saving(*given: Any) -> None:
        *_, progress = given
        note(f"checkpoint {progress.iteration}")
        at("checkpoint")
        save(*given)
        note(f"checkpointed {progress.iteration}")

    def restoring(*given: Any) -> None:
        progress = given[3]
        restore(*given)
        note(f"from {progress.iteration}")

    module.save, module.restore = saving, restoring
    module.SHARE = 0.2  # of so short a training: several checkpoints in each


def _study(module: Any) -> None:
    class Jumping(datetime):
        @classmethod
        def now(cls, zone: Any = None) -> Any:
            return datetime.now(zone) + timedelta(seconds=orders.offset())

    module.datetime = Jumping


_PATCHES: dict[str, Sequence[Callable[[Any], None]]] = {
    "parsenet_cli.cli.app": [_around("app", "command", noted=True)],
    "parsenet_cli.core.files": [_files],
    "parsenet_cli.runner.worker": [_worker],
    "parsenet_cli.engine.inputs": [_around("data", "prepare")],
    "parsenet_cli.engine.train": [
        _trainer,
        _around("evaluate_model", "evaluate", noted=True),
        _around("_record", "record", "result", noted=True),
    ],
    "parsenet_cli.engine.checkpoint": [_checkpoint],
    "parsenet_cli.runner.launch.local": [_around("Local.submit", "submit", "submitted")],
    "parsenet_cli.runner.scheduler": [_around("Scheduler._collect", "look")],
    "parsenet_cli.report.tables": [_around("write", "tables")],
    "parsenet_cli.store.study": [_study],
}


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        patches = _PATCHES.get(name, ())
        spec = importlib.machinery.PathFinder.find_spec(name, path, target) if patches else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def and_patch(module: ModuleType) -> None:
            execute(module)
            for patch in patches:
                patch(module)

        spec.loader.exec_module = and_patch  # type: ignore[method-assign]
        return spec


def install() -> None:
    """From now on every module that is imported gets its patch, and the clock goes as ordered."""
    sys.meta_path.insert(0, _Finder())
    disk.install()
    wall_clock = time.time
    time.time = lambda: wall_clock() + orders.offset()

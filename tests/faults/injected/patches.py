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


def _cli(module: Any) -> None:
    app = module.app

    def begin() -> None:
        note("command")
        at("command")
        app()

    module.app = begin


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

    def run_task(run: Any, task: str, threads: int) -> int:
        orders.carries_out(run.signature)
        orders.at_work(True)
        note(f"worker {task}")
        at(f"worker {task}")
        try:
            code: int = original(run, task, threads)
            note(f"left {code}")
        finally:
            orders.at_work(False)
            orders.carries_out("")
        return code

    module.run_task = run_task


def _inputs(module: Any) -> None:
    original = module.data

    def data(*given: Any) -> Any:
        at("prepare")
        return original(*given)

    module.data = data


def _train(module: Any) -> None:
    trainer, evaluate, record = module.Trainer, module.evaluate_model, module._record
    step, batch = trainer.step, trainer._batch

    def stepping(self: Any, iteration: int) -> float:
        note(f"step {iteration}")
        at(f"step {iteration}")
        loss: float = step(self, iteration)
        order = orders.ordered(f"loss {iteration}")
        return float("nan") if order else loss

    def batching(self: Any, number: int) -> float:
        order = orders.ordered(f"batch {number}")
        if order and (order["do"] != "crowded" or orders.others_at_work()):
            raise module.torch.OutOfMemoryError("made up by the test: out of memory")
        return float(batch(self, number))

    def evaluating(*given: Any, **named: Any) -> Any:
        note("evaluate")
        at("evaluate")
        return evaluate(*given, **named)

    def recording(*given: Any) -> None:
        note("record")
        at("record")
        record(*given)
        note("result")
        at("result")

    trainer.step, trainer._batch = stepping, batching
    module.evaluate_model, module._record = evaluating, recording


def _checkpoint(module: Any) -> None:
    save, restore = module.save, module.restore

    def saving(*given: Any) -> None:
        *_, state = given
        note(f"checkpoint {state.iteration}")
        at("checkpoint")
        save(*given)
        note(f"checkpointed {state.iteration}")

    def restoring(*given: Any) -> None:
        *_, state = given
        restore(*given)
        note(f"from {state.iteration}")

    module.save, module.restore = saving, restoring
    module.SHARE = 0.2  # of so short a training: several checkpoints in each


def _local(module: Any) -> None:
    submit = module.Local.submit

    def submitting(self: Any, *given: Any, **named: Any) -> Any:
        at("submit")
        handle = submit(self, *given, **named)
        at("submitted")
        return handle

    module.Local.submit = submitting


def _scheduler(module: Any) -> None:
    collect = module.Scheduler._collect

    def collecting(self: Any) -> bool:
        at("look")
        return bool(collect(self))

    module.Scheduler._collect = collecting


def _tables(module: Any) -> None:
    write = module.write

    def writing(*given: Any, **named: Any) -> Any:
        at("tables")
        return write(*given, **named)

    module.write = writing


def _study(module: Any) -> None:
    class Jumping(datetime):
        @classmethod
        def now(cls, zone: Any = None) -> Any:
            return datetime.now(zone) + timedelta(seconds=orders.offset())

    module.datetime = Jumping


_PATCHES: dict[str, Callable[[Any], None]] = {
    "parsenet_cli.cli.app": _cli,
    "parsenet_cli.core.files": _files,
    "parsenet_cli.runner.worker": _worker,
    "parsenet_cli.engine.inputs": _inputs,
    "parsenet_cli.engine.train": _train,
    "parsenet_cli.engine.checkpoint": _checkpoint,
    "parsenet_cli.runner.launch.local": _local,
    "parsenet_cli.runner.scheduler": _scheduler,
    "parsenet_cli.report.tables": _tables,
    "parsenet_cli.store.study": _study,
}


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        patch = _PATCHES.get(name)
        spec = importlib.machinery.PathFinder.find_spec(name, path, target) if patch else None
        if spec is None or spec.loader is None or patch is None:
            return None
        execute = spec.loader.exec_module

        def and_patch(module: ModuleType) -> None:
            execute(module)
            patch(module)

        spec.loader.exec_module = and_patch  # type: ignore[method-assign]
        return spec


def install() -> None:
    """From now on every module that is imported gets its patch, and the clock goes as ordered."""
    sys.meta_path.insert(0, _Finder())
    disk.install()
    wall_clock = time.time
    time.time = lambda: wall_clock() + orders.offset()

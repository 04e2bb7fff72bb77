"""What planning and driving a run costs, and `parsenet status`, with 100, 500 and 2 000 runs that do nothing.

python -m benchmarks.scheduling [RUNS…] [--figure FILE]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import nothing
from parsenet_cli.cli.progress import PlainView
from parsenet_cli.config import profile, table_file
from parsenet_cli.config.compose import Composer
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.report import plot as plotting
from parsenet_cli.runner.launch import local
from parsenet_cli.runner.launcher import Handle, Resources, Task
from parsenet_cli.runner.plan import plan_table
from parsenet_cli.runner.scheduler import Scheduler
from parsenet_cli.store import study
from parsenet_cli.store.run import Run, Store

COUNTS = (100, 200, 500, 1000, 2000)
TABLE = "table4"
SLOTS = 2
LIMIT_MS, LIMIT_STATUS = 30.0, 2.0
"""What a run and a look at all of them may cost."""


@dataclass
class Pretending:
    """A launcher whose workers are over at once and leave the files of a finished run."""

    slots: int = SLOTS
    on_gpu: bool = False
    threads: int = 1
    resubmissions: int = 0
    silence_seconds: float = 1800.0

    def fits(self, needs: Resources) -> bool:
        return True

    def submit(self, run: Run, task: Task, needs: Resources, after: Sequence[Handle] = ()) -> Pretending:
        nothing.main(str(run.folder), task)
        return self

    def alive(self) -> bool:
        return False

    def cancel(self) -> None: ...

    def kill(self) -> None: ...


@dataclass(frozen=True)
class Measured:
    """What so many runs cost: milliseconds a run, and seconds of `parsenet status`."""

    runs: int
    planned: float
    driven: float
    """By a driver whose workers are over at once."""
    with_processes: float
    """By the local launcher, a process each, once its fork server is up."""
    again: float
    """By a driver that finds all of them done."""
    status: float


def measure(runs: int, root: Path) -> Measured:
    """Plan and carry out so many runs in an empty store, then look at all of it again."""
    store, spec = Store(root), table_file.load(TABLE)
    composer = Composer(profile.load("quick"), ["weights=none", "recipe.frozen=[]"], store.cache)
    each = len(plan_table(spec, composer, [0]).configs)
    started = time.perf_counter()
    plan = plan_table(spec, composer, range(-(-runs // each)))
    configs = dict(list(plan.configs.items())[:runs])
    study.save(plan.study, store)
    planning = time.perf_counter() - started
    view = PlainView([plan.study], runs)
    with contextlib.redirect_stdout(io.StringIO()):
        forking = _local_launcher(store, configs, view)
        shutil.rmtree(root / "runs")
        seconds: list[float] = []
        for launcher in (forking, Pretending(), Pretending()):
            if len(seconds) == 1:
                shutil.rmtree(root / "runs")
            started = time.perf_counter()
            outcome = Scheduler(store, configs, launcher, view).run()
            seconds.append(time.perf_counter() - started)
    if outcome.failed or sum(run.result() is not None for run in store.runs()) != runs:
        raise RuntimeError(f"{len(outcome.failed)} of {runs} runs failed")
    started = time.perf_counter()
    command = [sys.executable, "-m", "parsenet_cli", "status", "--results", str(root)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    status = time.perf_counter() - started
    planned_ms, processes_ms, driven_ms, again_ms = (1000 * value / runs for value in (planning, *seconds))
    return Measured(runs, planned_ms, driven_ms, processes_ms, again_ms, status)


def _local_launcher(store: Store, configs: dict[str, RunConfig], view: PlainView) -> local.Local:
    """With workers that do nothing, and its fork server up."""
    options = {
        "name": "local",
        "slots": SLOTS,
        "threads": 1,
        "slots_per_gpu": 1,
        "resubmissions": 0,
        "silence_seconds": 1800,
    }
    vars(local)["worker"] = nothing
    launcher = local.open_launcher(options, SLOTS, store.root)
    Scheduler(store, dict(list(configs.items())[:1]), launcher, view).run()
    return launcher


def draw(measured: Sequence[Measured], file: Path) -> None:
    """Cost of a run, and of `parsenet status`, against the number of runs."""
    with plotting.style():
        figure = plotting.new(plotting.PAGE, 2.4)
        figure.set_layout_engine("constrained")
        each, whole = figure.subplots(1, 2)
        runs = [one.runs for one in measured]
        with_processes = [one.planned + one.with_processes for one in measured]
        each.plot(runs, with_processes, marker="^", label="planned and driven, a process each")
        each.plot(runs, [one.planned + one.driven for one in measured], marker="o", label="the same without processes")
        each.plot(runs, [one.again for one in measured], marker="s", label="found done already")
        each.axhline(LIMIT_MS, linestyle=":", color="grey")
        each.set(ylabel="milliseconds a run", ylim=(0, 1.15 * LIMIT_MS))
        each.legend(frameon=False, loc="center right", bbox_to_anchor=(1, 0.42))
        whole.plot(runs, [one.status for one in measured], marker="o")
        whole.axhline(LIMIT_STATUS, linestyle=":", color="grey")
        whole.set(ylabel="seconds of parsenet status", ylim=(0, 1.15 * LIMIT_STATUS))
        for axes in (each, whole):
            axes.set(xlabel="runs in the store", xlim=(0, None))
            axes.grid(axis="y")
        plotting.save(figure, file)


def main() -> None:
    """Measure each number of runs in a store of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="*", type=int, default=COUNTS)
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args(None if __name__ == "__main__" else [])
    measured = []
    for runs in arguments.runs:
        with tempfile.TemporaryDirectory() as folder:
            one = measure(runs, Path(folder))
        measured.append(one)
        print(
            f"{runs:5} runs: {one.planned:.2f} ms a run planned, {one.driven:.1f} driven, {one.with_processes:.1f} driven with "
            f"a process each, {one.again:.2f} found done; status {one.status:.2f} s",
            flush=True,
        )
    if arguments.figure is not None:
        draw(measured, arguments.figure)


if __name__ == "__main__":
    main()

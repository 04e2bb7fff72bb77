"""What planning and driving a run costs, and `parsenet status`, with 100, 500 and 2 000 runs that do nothing.

python -m benchmarks.scheduling [RUNS…] [--figure FILE]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from parsenet_cli import ablation, plotting, profile, schedule, study
from parsenet_cli.compose import Composer
from parsenet_cli.files import write_json
from parsenet_cli.launch import Needs
from parsenet_cli.progress import PlainView
from parsenet_cli.store import Run, Store
from parsenet_cli.worker import Task

COUNTS = (100, 200, 500, 1000, 2000)
TABLE = "table4"
SLOTS = 2
LIMIT_MS, LIMIT_STATUS = 30.0, 2.0
"""What a run and a look at all of them may cost."""


@dataclass
class Pretending:
    """A launcher whose workers are over at once and leave the files of a finished run."""

    slots: int = SLOTS
    threads: int = 1
    resubmissions: int = 0
    silence_seconds: float = 1800.0

    def has_room(self, needs: Needs) -> bool:
        return True

    def submit(self, run: Run, task: Task, needs: Needs) -> Pretending:
        if task == "train":
            run.update_status(state="running", iteration=1, steps=1)
            result = {
                **{"signature": run.signature, "outcome": "converged", "collapsed_at": None, "steps": 1},
                **{"metrics": {"mean_iu": 0.5}, "train_seconds": 1.0, "evaluate_seconds": 1.0},
                **{"protocol": [{"question": f"question {i}", "settings": {"key": i}} for i in range(60)]},
            }
            write_json(run.folder / "result.json", result)
            run.update_status(state="done")
        else:
            run.say_preparation(task, done=True)
        return self

    def alive(self) -> bool:
        return False

    def cancel(self) -> None: ...

    def kill(self) -> None: ...


@dataclass(frozen=True)
class Measured:
    """What so many runs cost: milliseconds a run for three things, and seconds of `parsenet status`."""

    runs: int
    planned: float
    driven: float
    again: float
    status: float


def measure(runs: int, root: Path) -> Measured:
    """Plan and carry out so many runs in an empty store, then look at all of it again."""
    store, spec = Store(root), ablation.load(TABLE)
    composer = Composer(profile.load("quick"), ["weights=none"], store.cache)
    each = len(study.plan(spec, composer, [0])[1])
    started = time.perf_counter()
    planned, configs = study.plan(spec, composer, range(-(-runs // each)))
    configs = dict(list(configs.items())[:runs])
    study.save(planned, store)
    planning = time.perf_counter() - started
    with contextlib.redirect_stdout(io.StringIO()):
        started = time.perf_counter()
        outcome = schedule.execute(store, configs, Pretending(), PlainView([planned], runs))
        driving = time.perf_counter() - started
        started = time.perf_counter()
        schedule.execute(store, configs, Pretending(), PlainView([planned], runs))
        again = time.perf_counter() - started
    if outcome.failed or sum(run.result() is not None for run in store.runs()) != runs:
        raise RuntimeError(f"{len(outcome.failed)} of {runs} runs failed")
    started = time.perf_counter()
    command = [sys.executable, "-m", "parsenet_cli", "status", "--results", str(root)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    status = time.perf_counter() - started
    return Measured(runs, 1000 * planning / runs, 1000 * driving / runs, 1000 * again / runs, status)


def draw(measured: Sequence[Measured], file: Path) -> None:
    """Cost of a run, and of `parsenet status`, against the number of runs."""
    with plotting.style():
        figure = plotting.new(plotting.PAGE, 2.4)
        each, whole = figure.subplots(1, 2)
        runs = [one.runs for one in measured]
        each.plot(runs, [one.planned + one.driven for one in measured], marker="o", label="planned and driven")
        each.plot(runs, [one.again for one in measured], marker="s", label="found done already")
        each.axhline(LIMIT_MS, linestyle=":", color="grey")
        each.set(ylabel="milliseconds a run", ylim=(0, 1.15 * LIMIT_MS))
        each.legend(loc="center right")
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
            f"{runs:5} runs: planned {one.planned:5.2f} ms a run, driven {one.driven:5.2f} ms a run, "
            f"all done already {one.again:5.2f} ms a run; status {one.status:.2f} s",
            flush=True,
        )
    if arguments.figure is not None:
        draw(measured, arguments.figure)


if __name__ == "__main__":
    main()

"""What planning and driving a run costs, and `parsenet status`, with 100, 500 and 2 000 runs that do nothing.

python -m benchmarks.scheduling [RUNS…]
"""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from parsenet_cli import ablation, profile, schedule, study
from parsenet_cli.compose import Composer
from parsenet_cli.files import write_json
from parsenet_cli.launch import Needs
from parsenet_cli.progress import PlainView
from parsenet_cli.store import Run, Store
from parsenet_cli.worker import Task

COUNTS = (100, 500, 2000)
TABLE = "table4"
SLOTS = 2


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


def measure(runs: int, root: Path) -> None:
    """Print milliseconds a run for a plan and its execution, then seconds of looking at all of it again."""
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
    print(
        f"{runs:5} runs: planned {1000 * planning / runs:5.2f} ms a run, driven {1000 * driving / runs:5.2f} ms a run, "
        f"all done already {1000 * again / runs:5.2f} ms a run; status {status:.2f} s",
        flush=True,
    )


def main() -> None:
    """Measure each number of runs in a store of its own."""
    counts = [int(text) for text in sys.argv[1:]] if __name__ == "__main__" and len(sys.argv) > 1 else COUNTS
    for runs in counts:
        with tempfile.TemporaryDirectory() as folder:
            measure(runs, Path(folder))


if __name__ == "__main__":
    main()

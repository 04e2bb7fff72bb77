"""Table 4 under the quick profile with one seed, from a cold store: trunk, data and all, and a second time.

python -m benchmarks.quick

Or runs of the profile as an earlier checkout trains them and as this one does, in turns: core-seconds, and mean IU beside them.

python -m benchmarks.quick compare CHECKOUT [--runs 6] [--length 0.667] [--results FOLDER]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from parsenet_cli.config import profile, table_file
from parsenet_cli.config.compose import Composer
from parsenet_cli.runner.plan import plan_table
from parsenet_cli.store.run import Store

REPOSITORY = Path(__file__).parent.parent

ONE_RUN = """
import json, sys, time
from pathlib import Path
from parsenet_cli.config import profile, table_file
from parsenet_cli.config.compose import Composer
from parsenet_cli.engine import inputs
from parsenet_cli.engine.train import train_run
from parsenet_cli.store.run import Store

results, cell, seed, length = sys.argv[1:]
store = Store(Path(results))
config = Composer(profile.load("quick"), [f"seed={seed}"], store.cache).run_config(table_file.cell(cell).overrides)
recipe = config.science.recipe
if float(length) != 1:
    fields = {"length": recipe.length * float(length), "step": recipe.step and round(recipe.step * float(length))}
    science = config.science.model_copy(update={"recipe": recipe.model_copy(update=fields)})
    config = config.model_copy(update={"science": science})
run = store.run(config.signature)
if run.result() is None:
    run.create(config)
    inputs.data_and_network(config, store.cache, 1, lambda _: None)  # what runs share is there before the clock starts
    began = time.process_time()
    train_run(run, store.cache, 1, lambda: False)
    (run.folder / "core_seconds").write_text(str(time.process_time() - began))
seconds = float((run.folder / "core_seconds").read_text())
result = run.result()
print(json.dumps([seconds, 100 * (result.metrics["mean_iu"] or 0), result.outcome, result.steps, result.peak_memory_mb]))
"""
"""What a process does with one cell, by the code and the recipes of whichever checkout it finds first; on one thread."""


@dataclass(frozen=True)
class Measured:
    """One run: `core_seconds` of training and evaluation, `mean_iu` in percent."""

    core_seconds: float
    mean_iu: float
    outcome: str
    steps: int
    peak_memory_mb: int


def parsenet(results: Path, *arguments: str) -> float:
    """Wall-clock of a command that carries runs out into `results`."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "parsenet_cli", *arguments, "--results", str(results)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def distinct_runs(seed: int = 0) -> list[str]:
    """Of each run that `make reproduce` trains with this seed one cell, `table.row.column`."""
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as cache:
        composer = Composer(profile.load("quick"), [], Path(cache))
        for name in table_file.names("all"):
            plan = plan_table(table_file.load(name), composer, [seed], cited=True)
            for cell in plan.study.cells:
                if cell.signature:
                    found.setdefault(cell.signature, f"{name}.{cell.row}.{cell.column}")
    return list(found.values())


def is_normalised(cell: str) -> bool:
    """Whether the features of a cell go through a norm."""
    with tempfile.TemporaryDirectory() as cache:
        composer = Composer(profile.load("quick"), [], Path(cache))
        return composer.science(table_file.cell(cell).overrides).norm == "l2"


def sample(cells: Sequence[str], number: int | None) -> list[str]:
    """So many of them, evenly spread; all if None."""
    number = min(number or len(cells), len(cells))
    return [cells[i * len(cells) // number] for i in range(number)]


def trained(checkout: Path, results: Path, cell: str, seed: int, length: float) -> Measured:
    """One run by the code and the recipes of a checkout; one that is in `results` is not trained again."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", ONE_RUN, str(results), cell, str(seed), str(length)]
    done = subprocess.run(command, check=True, env=environment, cwd=results, stdout=subprocess.PIPE, text=True)
    return Measured(*json.loads(done.stdout.splitlines()[-1]))


def compare(checkout: Path, results: Path, cells: Sequence[str], length: float) -> None:
    """Print each run as both train it, and what that is in the mean.

    Args:
        checkout: the earlier one; its runs have the length that its own recipes say.
        results: a folder; runs that are in it are not done again.
        cells: `table.row.column`.
        length: of the runs of this checkout, as a share of what its recipes say.
    """
    normalised = {cell: is_normalised(cell) for cell in cells}
    variants = {"before": (checkout, 1.0), "after": (REPOSITORY, length)}
    rows: dict[str, dict[str, Measured]] = {}
    for name in variants:
        (results / name).mkdir(parents=True, exist_ok=True)
    print(f"{'run':36} {'steps':>11} {'core-seconds':>18} {'ratio':>6} {'mean IU':>13} {'change':>7}")
    for number, cell in enumerate(cells):
        turns = list(variants)[:: 1 if number % 2 else -1]
        rows[cell] = {name: trained(variants[name][0], results / name, cell, 0, variants[name][1]) for name in turns}
        before, after = rows[cell]["before"], rows[cell]["after"]
        print(
            f"{cell:36} {before.steps:5} {after.steps:5} {before.core_seconds:9.1f} {after.core_seconds:8.1f} "
            f"{after.core_seconds / before.core_seconds:6.2f} {before.mean_iu:6.1f} {after.mean_iu:6.1f} "
            f"{after.mean_iu - before.mean_iu:+7.2f}{'' if normalised[cell] else ' not normalised'}",
            flush=True,
        )
    times = {name: mean(row[name].core_seconds for row in rows.values()) for name in variants}
    print(
        f"mean of {len(rows)} runs: {times['before']:.1f} and {times['after']:.1f} core-seconds, ratio "
        f"{times['after'] / times['before']:.2f}; largest peak memory "
        f"{' and '.join(str(max(row[name].peak_memory_mb for row in rows.values())) for name in variants)} MB"
    )
    changes = {cell: row["after"].mean_iu - row["before"].mean_iu for cell, row in rows.items() if normalised[cell]}
    if changes:
        largest = max(changes, key=lambda cell: abs(changes[cell]))
        print(
            f"{len(changes)} normalised cells: mean change {mean(changes.values()):+.2f} points, largest {changes[largest]:+.2f} "
            f"({largest})"
        )


def cold_and_again() -> None:
    """Print the times, the slots they were reached with, and the largest peak memory of a run."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        cold, again = (parsenet(results, "ablate", "table4", "--seeds", "1") for _ in range(2))
        runs = Store(results).runs()
        done = [result for run in runs if (result := run.result())]
        began = min(run.status().started for run in runs)
        ended = max(run.result_file.stat().st_mtime for run in runs)
        print(f"cold store: {cold:.0f} s on {len(os.sched_getaffinity(0))} cores; a second time: {again:.1f} s")
        print(f"{len(done)} runs took {ended - began:.0f} s together: {(ended - began) / len(done):.1f} s a run")
        print(f"largest peak memory of a run: {max(result.peak_memory_mb or 0 for result in done)} MB")


def main() -> None:
    """Measure what the command line asks for."""
    arguments = sys.argv[1:] if __name__ == "__main__" else []
    if not arguments:
        return cold_and_again()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quick", description=__doc__)
    parser.add_argument("compare", choices=["compare"])
    parser.add_argument("checkout", type=Path, help="folder of the earlier checkout")
    parser.add_argument("--runs", type=int, help="so many runs, evenly spread (default: all)")
    parser.add_argument("--cells", default="", help="these runs: table.row.column, separated by commas")
    parser.add_argument("--length", type=float, default=1.0, help="of this checkout's runs, as a share of its recipes'")
    parser.add_argument("--results", type=Path, help="kept there; runs that are in it are not done again")
    given = parser.parse_args(arguments)
    cells = given.cells.split(",") if given.cells else sample(distinct_runs(), given.runs)
    with tempfile.TemporaryDirectory() as folder:
        results = (given.results or Path(folder)).resolve()
        compare(given.checkout.resolve(), results, cells, given.length)
    return None


if __name__ == "__main__":
    main()

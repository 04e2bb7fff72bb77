"""Seconds and size of `parsenet report` on a store of 150 runs.

python -m benchmarks.report [RESULTS]

The runs are those of a results folder (by default, of a few steps of Table 4 and Table 8, made now), copied under further
seeds until there are enough.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from parsenet_cli.core.sealed import write_json
from parsenet_cli.store import study
from parsenet_cli.store.run import Store
from parsenet_cli.store.study import Study, StudyCell

RUNS = 150


def multiply(source: Store, store: Store) -> int:
    """Copy studies and runs, then every study's runs under further seeds; returns the number of runs."""
    shutil.copytree(source.studies, store.studies)
    shutil.copytree(source.runs_folder, store.runs_folder)
    for extra in ("samples", "figures"):
        if (source.root / extra).is_dir():
            shutil.copytree(source.root / extra, store.root / extra)
    studies = list({(one.profile, one.table.name): one for one in study.load_all(source)}.values())
    shift = 0
    while len(store.runs()) < RUNS:
        shift += 100
        studies = [_with_more_seeds(one, store, shift) for one in studies]
    for one in studies:
        study.save(one, store)
    return len(store.runs())


def _with_more_seeds(one: Study, store: Store, shift: int) -> Study:
    """The study with a copy of its first seed's runs."""
    cells, first = list(one.cells), one.seeds[0]
    for cell in one.cells:
        if cell.seed == first:
            signature = _copy(cell.signature, store, first + shift) if cell.signature else None
            cells.append(StudyCell(cell.row, cell.column, first + shift, signature, cell.reason))
    return replace(one, seeds=(*one.seeds, first + shift), cells=tuple(cells))


def _copy(signature: str, store: Store, seed: int) -> str:
    """The run's folder under a signature made up for this seed; returns that."""
    run, copy = store.run(signature), store.run(hashlib.sha256(f"{signature} {seed}".encode()).hexdigest()[:12])
    if not copy.folder.exists():
        shutil.copytree(run.folder, copy.folder)
        if result := run.result():
            write_json(copy.result_file, {**result.as_json(), "signature": copy.signature})
    return copy.signature


def main() -> None:
    """Print seconds (median of three) and bytes."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        source = Path(sys.argv[1]) if len(sys.argv) > 1 and __name__ == "__main__" else root / "short"
        if not source.is_dir():
            command = ["ablate", "table4", "table8", "--seeds", "1", "recipe.iterations=10", "--results", str(source)]
            subprocess.run([sys.executable, "-m", "parsenet_cli", *command], check=True, capture_output=True)
        results = root / "results"
        runs = multiply(Store(source), Store(results))
        for arguments in (["report", "--force"], ["report"], ["verify", "all"]):
            times = []
            for _ in range(3):
                started = time.perf_counter()
                command = [sys.executable, "-m", "parsenet_cli", *arguments, "--results", str(results)]
                done = subprocess.run(command, check=False, capture_output=True, text=True)
                if done.returncode not in (0, 3):
                    raise RuntimeError(done.stderr)
                times.append(time.perf_counter() - started)
            print(f"{runs} runs: parsenet {' '.join(arguments):16} {sorted(times)[1]:.1f} s")
        sizes = {file.name: f"{file.stat().st_size / 2**20:.2f} MB" for file in sorted((results / "report").iterdir())}
        print(json.dumps(sizes))


if __name__ == "__main__":
    main()

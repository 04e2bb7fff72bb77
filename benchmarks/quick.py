"""Table 4 under the quick profile with one seed, from a cold store: trunk, data and all, and a second time.

python -m benchmarks.quick
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from parsenet_cli.store.run import Store


def parsenet(results: Path, *arguments: str) -> float:
    """Wall-clock of a command that carries runs out into `results`."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "parsenet_cli", *arguments, "--results", str(results)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
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


if __name__ == "__main__":
    main()

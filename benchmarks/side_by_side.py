"""Two quick runs side by side, one core each, against one after the other with all cores: seconds of the whole command.

python -m benchmarks.side_by_side [ROUNDS]
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.quick import parsenet

ROUNDS = 3
TWO_RUNS = ("sweep", "norm=none,l2", "--seeds", "1")


def seconds(results: Path, slots: int, threads: int) -> float:
    """Wall-clock of a command that carries both runs out, data and the quick trunk being there."""
    shutil.rmtree(results / "runs")
    return parsenet(results, *TWO_RUNS, f"launcher.slots={slots}", f"launcher.threads={threads}")


def main() -> None:
    """Print each round and the ratio of the medians."""
    rounds = int(sys.argv[1]) if __name__ == "__main__" and len(sys.argv) > 1 else ROUNDS
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder)
        parsenet(results, *TWO_RUNS, "recipe.iterations=2")
        together, apart = [], []
        for number in range(1, rounds + 1):
            together.append(seconds(results, 2, max(1, cores // 2)))
            apart.append(seconds(results, 1, cores))
            print(
                f"round {number}: side by side {together[-1]:.1f} s, one after the other {apart[-1]:.1f} s", flush=True
            )
    ratio = median(together) / median(apart)
    print(f"two quick runs on {cores} cores: side by side takes {ratio:.2f} of the time of one after the other")


if __name__ == "__main__":
    main()

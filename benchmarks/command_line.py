"""Seconds until `parsenet --help`, `list` and `plan all` have answered.

python -m benchmarks.command_line
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 5


def seconds(*arguments: str) -> list[float]:
    """Wall-clock of one command, several times, the first one separate."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "parsenet_cli", *arguments], check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    return times


def main() -> None:
    """Print the first and the median of the later times."""
    with tempfile.TemporaryDirectory() as results:
        for arguments in (("--help",), ("list",), ("plan", "all", "--results", results)):
            first, *later = seconds(*arguments)
            print(f"parsenet {' '.join(arguments[:2]):10}  first {first:.2f} s   then {statistics.median(later):.2f} s")


if __name__ == "__main__":
    main()

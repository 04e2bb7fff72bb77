"""Every benchmark, one after the other (`make benchmark`)."""

from __future__ import annotations

from benchmarks import (
    checkpoints,
    command_line,
    context,
    crf,
    data,
    loss,
    memory,
    quick,
    report,
    scheduling,
    side_by_side,
)

for benchmark in (command_line, loss, data, context, crf, memory, checkpoints, scheduling, side_by_side, quick, report):
    print(f"\n== {benchmark.__name__}: {(benchmark.__doc__ or '').splitlines()[0]}")
    benchmark.main()

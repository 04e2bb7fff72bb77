"""What context costs: parameters and time of the runs of Table 6, without and with it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy import stats

from parsenet_cli.claims.decide import ClaimTest, Evidence
from parsenet_cli.claims.estimate import Interval
from parsenet_cli.store.result import RunResult
from parsenet_cli.store.run import Store
from parsenet_cli.store.study import Study

TABLE = "table6"
WITHOUT, WITH = ("fc7_n", "mean_iu"), ("pool6_fc7_y_l", "mean_iu")

MORE_PARAMETERS = 1.0
"""Percent of the parameters that are "almost no cost" (the paper's networks: 0.11)."""

MORE_TIME = 10.0
"""Percent of the time of a step that are."""


def claim_tests(study: Study, store: Store) -> list[ClaimTest]:
    """Whether context costs almost nothing, in parameters and in time, by the runs of Table 6."""
    cells = [[_run(store, c.signature) for c in study.cells if (c.row, c.column) == place] for place in (WITHOUT, WITH)]
    missing = "" if all(of and all(of) for of in cells) else "it needs all runs of fc7_n and pool6_fc7_y_l of table6"
    runs = [[run for run in of if run] for of in cells]
    return [_parameters(study, runs, missing), _time(study, runs, missing)]


def _parameters(study: Study, runs: list[list[tuple[RunResult, str]]], missing: str) -> ClaimTest:
    says = f"Context adds almost no parameters (less than {MORE_PARAMETERS:g} %)."
    case = ClaimTest(TABLE, "context_parameters", says, "§3.2", study.profile, missing, margin=MORE_PARAMETERS)
    if missing:
        return case
    counts = [{result.parameters for result, _ in of} for of in runs]
    if any(len(of) != 1 for of in counts):
        return replace(case, found="the seeds of a cell differ in their numbers of parameters")
    (before,), (after,) = counts
    if before is None or after is None:
        return replace(
            case, found="the results of these runs do not say their parameters: they are of an earlier version"
        )
    more = 100 * (after - before) / before
    true = more < MORE_PARAMETERS
    return replace(
        case,
        found=f"{after:,} instead of {before:,} parameters are {more:+.2f} percent, counted and not estimated",
        effect=Interval(more, more, more),
        evidence=Evidence(0.0 if true else 1.0, 1.0 if true else 0.0),
    )


def _time(study: Study, runs: list[list[tuple[RunResult, str]]], missing: str) -> ClaimTest:
    says = f"Context takes almost no time (less than {MORE_TIME:g} % of a training step)."
    case = ClaimTest(TABLE, "context_time", says, "§3.2", study.profile, missing, margin=MORE_TIME)
    machines = {(device, result.threads, result.micro_batch) for of in runs for result, device in of}
    if not missing and len(machines) > 1:
        missing = "the runs of table6 were timed on different devices, threads or parts of a batch"
    if not missing and len(study.seeds) < 2:
        missing = "one seed is one measurement of time: `--seeds 3`"
    if missing:
        return replace(case, found=missing)
    before, after = (np.array([result.train_seconds / max(result.steps, 1) for result, _ in of]) for of in runs)
    if before.min() <= 0 or after.min() <= 0:
        return replace(case, found="a run of table6 has no time")
    ratios = np.log(after / before)
    mean, error, freedom = float(ratios.mean()), float(ratios.std(ddof=1)) / math.sqrt(len(ratios)), len(ratios) - 1
    if error == 0:
        return replace(case, found="the times show no variance to judge by")
    half = float(stats.t.ppf(0.975, freedom)) * error
    support = float(stats.t.cdf((mean - math.log1p(MORE_TIME / 100)) / error, freedom))
    low, at, high = (100 * math.expm1(value) for value in (mean - half, mean, mean + half))
    return replace(
        case,
        found=f"{1e3 * after.mean():.1f} instead of {1e3 * before.mean():.1f} ms a step, "
        f"{Interval(at, low, high)} percent over {len(ratios)} pairs of runs",
        effect=Interval(at, low, high),
        evidence=Evidence(support, 1 - support),
    )


def _run(store: Store, signature: str | None) -> tuple[RunResult, str] | None:
    if not signature:
        return None
    run = store.run(signature)
    result = run.result()
    return (result, run.environment().device) if result else None

"""Are at most 5 % of the verdicts wrong, and how many seeds do they take? Simulated where the truth is known.

    python -m benchmarks.statistics [--simulations 200] [REGIME…] [--write]

Simulated are the paper's tables as they are: every claim of `ablations/*.yaml` that compares cells, with the cells that claims
and tables share, their margins and main effects. Cells have true means (`EFFECTS`) and vary by seed and by the images (`NOISES`);
seeds may fail. The functions that judge are those of parsenet_cli/claims, on arrays. For comparison the same scores are judged by
the rule of before: variances moderated by their mean logarithm, p-values doubled, Holm's correction over all claims.

The wrong share is the mean over simulations of the wrong verdicts over the verdicts (or 1). `--write` puts the table into
docs/claims.md.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq
from scipy.special import digamma, polygamma

from parsenet_cli.claims.contrast import (
    All,
    AnyOf,
    Condition,
    Contrast,
    Positive,
    condition_of,
    contrast_of,
    statements,
)
from parsenet_cli.claims.estimate import LEVEL, Noise, drawn, has_failing_runs, mean_variance, moderated
from parsenet_cli.claims.family import adjusted
from parsenet_cli.claims.looks import LOOKS, SHARES, chosen, sequential
from parsenet_cli.claims.outlook import HOPELESS, SOONEST, best_option, chance_of
from parsenet_cli.config import table_file
from parsenet_cli.config.expression import parse, parse_margin, parse_sum

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MOST = LOOKS[-1]
FIRST = LOOKS[0]
BY_SEED = 0.5
"""Deviation of what a seed does to all cells on the same data alike."""
IMAGES = 100
FAILING = 15.0
"""Points by which a failing run lies below the others."""

MEASURED = {
    "spp": {
        "pool6.early": (42.5, 9.70),
        "pool6.late": (42.5, 9.24),
        "pyramid.early": (45.9, 9.04),
        "pyramid.late": (39.7, 10.14),
    },
    "table1": {
        "baseline_a.mean_iu": (39.6, 1.44),
        "baseline_b.mean_iu": (45.2, 1.29),
        "baseline_c.mean_iu": (41.7, 0.90),
        "baseline_d.mean_iu": (41.3, 0.13),
    },
    "table2": {
        "deeplab.mean_iu": (27.0, 0.84),
        "deeplab_largefov.mean_iu": (20.8, 2.24),
        "deeplab_baseline.mean_iu": (31.4, 1.38),
        "largefov_baseline.mean_iu": (28.9, 0.90),
    },
    "table3": {
        "fcn16s.mean_iu": (66.5, 0.12),
        "fc7.mean_iu": (48.5, 0.53),
        "pool6_fc7.mean_iu": (49.7, 0.36),
        "conv5.mean_iu": (59.6, 0.36),
        "conv4.mean_iu": (66.5, 0.53),
    },
    "table4": {
        "fcn8s.raw": (49.5, 0.56),
        "fc7.norm": (41.8, 0.90),
        "pool6_fc7.raw": (49.2, 2.78),
        "pool6_fc7.norm": (51.4, 1.90),
        "conv5.raw": (29.8, 6.99),
        "conv5.norm": (65.8, 0.39),
        "conv4.raw": (3.3, 3.07),
        "conv4.norm": (70.5, 0.18),
        "conv3.raw": (1.2, 0.84),
        "conv3.norm": (71.7, 0.05),
    },
    "table5": {"fc7.norm": (34.0, 1.55), "pool6_fc7.raw": (45.2, 2.47), "pool6_fc7.norm": (49.8, 2.07)},
    "table6": {
        "fc7_y.mean_iu": (30.8, 4.20),
        "pool6_fc7_n_e.mean_iu": (32.8, 6.45),
        "pool6_fc7_n_l.mean_iu": (36.7, 4.28),
    },
    "table7": {
        "unit.mix1x1": (24.5, 5.73),
        "unit.concat": (22.6, 2.04),
        "ten.mix1x1": (40.9, 5.51),
        "none.mix1x1": (34.5, 0.79),
    },
    "voc_low": {
        **{"conv5.early": (55.3, 9.62), "conv4.early": (58.1, 11.78), "conv3.early": (57.9, 14.45)},
        **{"conv5.late": (55.3, 9.62), "conv4.late": (58.1, 11.78), "conv3.late": (57.9, 14.45)},
    },
}
"""What the stand-ins of the profile quick once showed with three seeds: mean and deviation over seeds of each cell."""


@dataclass(frozen=True)
class NoiseOf:
    """How scores vary.

    Attributes:
        seed: Deviation over seeds of a cell; None: that of `MEASURED`, cell by cell.
        image: The standard error of a cell over images.
        failing: The share of failing runs of every second cell.
    """

    seed: float | None
    image: float
    failing: float = 0.0


NOISES = {
    "seeds": NoiseOf(3.0, 0.6),
    "mixed": NoiseOf(1.0, 0.8),
    "images": NoiseOf(0.2, 0.8),
    "unequal": NoiseOf(None, 0.6),
    "bimodal": NoiseOf(1.0, 0.6, failing=0.25),
    "rare": NoiseOf(1.0, 0.6, failing=0.1),
}
EFFECTS = ("null", "edge", "small", "large", "measured")
"""All cells equal; main effects of 12 and everything else on the edge of its claim; as printed; five times that; `MEASURED`."""

REGIMES = [
    *(f"{effect}: {noise}" for effect in EFFECTS[:2] for noise in NOISES),
    *(f"small: {noise}" for noise in ("seeds", "mixed", "images", "bimodal")),
    *(f"large: {noise}" for noise in ("seeds", "mixed", "images", "unequal", "bimodal")),
    "measured: unequal",
]

Node = int | tuple[bool, bool, tuple["Node", ...]]
"""A contrast by its row; or whether all parts have to hold, whether the first leads, and the parts."""


@dataclass(frozen=True)
class Claims:
    """The paper's claims as arrays.

    Attributes:
        weights: (contrasts, cells).
        conditions: One for each claim.
        needs: (claims, cells): which cells a claim names.
        data: (cells,): on which data a cell is.
        tables: For each contrast, the cells of its claim's table on each data.
        paper: (cells,): what is printed; of others, what the text says they equal.
        cells: Table, row and column -> its place.
        mains: (tables, cells).
    """

    weights: Floats
    conditions: tuple[Node, ...]
    needs: Bools
    data: NDArray[np.int64]
    tables: tuple[frozenset[int], ...]
    paper: Floats
    cells: Mapping[tuple[str, str, str], int]
    mains: Floats


@cache
def claims() -> Claims:
    """Those that compare cells. Cells that set the same are one."""
    specs = {name: table_file.load(name) for name in table_file.names("all")}
    places: dict[frozenset[str], int] = {}
    cells: dict[tuple[str, str, str], int] = {}
    paper: dict[int, float | None] = {}
    data: dict[int, str] = {}
    of_table: dict[str, set[int]] = {name: set() for name in specs}
    for name, spec in specs.items():
        shown = [column.key for column in spec.columns if column.metric == "mean_iu"]
        for cell in spec.cells(cited=True):
            if cell.column.key not in shown:
                continue
            one_layer = "layers=[fc7]" in cell.overrides
            says = frozenset(o for o in cell.overrides if not (one_layer and o.startswith("fusion")))
            place = places.setdefault(says, len(places))
            cells[name, cell.row.key, cell.column.key] = place
            of_table[name].add(place)
            data[place] = spec.data
            paper[place] = paper.get(place) or spec.printed(cell.row.key, cell.column.key).value
    said = paper[cells["table6", "pool6_fc7_y_e", "mean_iu"]] or 0.0  # the text: no gain over it

    def row(contrast: Contrast | None) -> Floats:
        weights = np.zeros(len(places))
        for cell, weight in contrast.weights if contrast else ():
            weights[cells[cell.table, cell.row, cell.column]] += weight
        return weights

    rows: list[Floats] = []
    tables: list[frozenset[int]] = []
    conditions: list[Node] = []

    def node(condition: Condition, table: str) -> Node:
        if isinstance(condition, All | AnyOf):
            parts = tuple(node(part, table) for part in condition.parts)
            return isinstance(condition, All), condition.led, parts
        assert isinstance(condition, Positive)
        rows.append(row(condition.contrast))
        main = np.nonzero(row(contrast_of(parse_sum(specs[table].main), table)))[0]
        tables.append(frozenset(of_table[table] | set(map(int, main))))
        return len(rows) - 1

    for name, spec in specs.items():
        for claim in spec.claims:
            if claim.kind == "printed":
                continue
            margin = None if claim.margin is None else parse_margin(claim.margin, spec.main)
            condition = condition_of(parse(claim.holds_if), name, margin)
            if all(isinstance(part, Positive) for part in statements(condition)):
                conditions.append(node(condition, name))
    weights = np.array(rows)
    kinds = {kind: place for place, kind in enumerate(dict.fromkeys(data.values()))}
    return Claims(
        weights=weights,
        conditions=tuple(conditions),
        needs=np.array([(weights[leaves(each)] != 0).any(axis=0) for each in conditions]),
        data=np.array([kinds[data[place]] for place in range(len(places))]),
        tables=tuple(tables),
        paper=np.array([said if paper[place] is None else paper[place] for place in range(len(places))], np.float64),
        cells=cells,
        mains=np.array([row(contrast_of(parse_sum(spec.main), name)) for name, spec in specs.items()]),
    )


def leaves(node: Node) -> list[int]:
    """The contrasts of a condition."""
    return [node] if isinstance(node, int) else [leaf for part in node[2] for leaf in leaves(part)]


def holds(node: Node, values: Floats) -> bool:
    """Whether a condition is true of the contrasts' true values."""
    if isinstance(node, int):
        return bool(values[node] > 1e-9)
    every, _, parts = node
    return (all if every else any)(holds(part, values) for part in parts)


def joined(node: Node, support: Floats, refute: Floats) -> tuple[Floats, Floats]:
    """The p-values of a condition, of those of its contrasts (…, contrasts)."""
    if isinstance(node, int):
        return support[..., node], refute[..., node]
    every, led, parts = node
    found = [joined(part, support, refute) for part in parts]
    for_it, against = (np.stack(side) for side in zip(*found, strict=True))
    if every:
        return for_it.max(axis=0), chosen(against, led)
    return chosen(for_it, led), against.max(axis=0)


# --- what is drawn ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drawn:
    """Simulated scores.

    Attributes:
        scores: (simulations, cells, seeds), percent.
        images: (simulations, contrasts): the variance over images as it would be estimated.
        truth: (claims,).
    """

    scores: Floats
    images: Floats
    truth: Bools


def measured_cells(which: int) -> Floats:
    """Means (0) or deviations (1) of `MEASURED`, cell by cell."""
    paper = claims()
    found = np.full(len(paper.data), np.nan)
    for table, cells in MEASURED.items():
        for name, numbers in cells.items():
            row, _, column = name.partition(".")
            found[paper.cells[table, row, column]] = numbers[which]
    return np.where(np.isnan(found), np.nanmedian(found), found)


def true_means(effect: str) -> Floats:
    """The true score of each cell."""
    paper = claims()
    if effect == "null":
        return np.full(len(paper.data), 60.0)
    if effect == "small":
        return paper.paper
    if effect == "large":
        return 60 + 5 * (paper.paper - 60)
    if effect == "measured":
        return measured_cells(0)
    # Least squares: main effects count most, then that every comparison is on its edge, then that means are alike.
    rows = [10 * main for main in paper.mains]
    sides = [120.0 for _ in paper.mains]
    for condition in paper.conditions:
        own = [leaf for leaf in _edges(condition) if not _is_main(paper.weights[leaf])]
        rows += [paper.weights[leaf] for leaf in own]
        sides += [-1e-3] * len(own)
    count = len(paper.data)
    found = np.linalg.lstsq(np.array([*rows, *0.01 * np.eye(count)]), np.array([*sides, *[0.6] * count]), rcond=None)[0]
    return np.asarray(found, np.float64)


def _edges(node: Node) -> list[int]:
    """The contrasts that make a condition false by as little as can be: of an equivalence, one side."""
    if isinstance(node, int):
        return [node]
    _, led, parts = node
    if led:
        return _edges(parts[0])
    if all(not isinstance(part, int) for part in parts):
        return _edges(parts[0])
    return [leaf for part in parts for leaf in _edges(part)]


def _is_main(weights: Floats) -> bool:
    return any(np.allclose(weights, main) for main in claims().mains)


def draw(regime: str, simulations: int, seed: int = 0) -> Drawn:
    """Scores under a regime."""
    effect, _, name = regime.partition(": ")
    noise, paper = NOISES[name], claims()
    random = np.random.default_rng([seed, *map(ord, regime)])
    means, cells = true_means(effect), len(paper.data)
    deviation = measured_cells(1) if noise.seed is None else np.full(cells, noise.seed)
    scores = means[:, None] + deviation[:, None] * random.standard_normal((simulations, cells, MOST))
    scores += BY_SEED * random.standard_normal((simulations, paper.data.max() + 1, MOST))[:, paper.data]
    second = np.where(np.arange(cells) % 2 == 0, FAILING, 0.0)[:, None]
    fails = random.random((simulations, cells, MOST)) < noise.failing
    scores += second * (noise.failing - fails)  # the true mean counts failing runs too
    scores += noise.image * random.standard_normal((simulations, cells, 1))
    of_images = noise.image**2 * (paper.weights**2).sum(axis=1)
    images = of_images * random.chisquare(IMAGES - 1, (simulations, len(paper.weights))) / (IMAGES - 1)
    values = paper.weights @ means
    return Drawn(scores, images, np.array([holds(node, values) for node in paper.conditions]))


# --- how it is judged -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Judged:
    """The looks of every contrast and claim: (simulations, looks, contrasts), and p-values over looks (…, claims)."""

    value: Floats
    seed: Floats
    df: Floats
    expected: Floats
    support: Floats
    refute: Floats


def judge(drawn_scores: Drawn) -> Judged:
    """By the rule of parsenet_cli/claims."""
    paper, scores = claims(), drawn_scores.scores
    shape = (len(scores), len(LOOKS), len(paper.weights))
    value, seed, df, expected, p = (np.zeros(shape) for _ in range(5))
    groups = [np.nonzero(paper.data == kind)[0] for kind in range(paper.data.max() + 1)]
    pools = [mean_variance(scores[:, group, :FIRST], paired=True) for group in groups]
    of_table = cache(lambda cells: mean_variance(scores[:, list(cells), :FIRST], paired=True))
    for contrast, weights in enumerate(paper.weights):
        for look, seeds in enumerate(LOOKS):
            own_df, first = float(seeds - 1), scores[:, :, :seeds]
            value[:, look, contrast] = first.mean(axis=-1) @ weights
            variance = squares = owns = np.zeros(len(scores))
            for group, pool in zip(groups, pools, strict=True):
                named = group[weights[group] != 0]
                if not len(named):
                    continue
                size = float((weights[named] ** 2).sum())
                own = np.einsum("k,skn->sn", weights[named], first[:, named]).var(axis=-1, ddof=1) / size
                table = tuple(sorted(paper.tables[contrast] & set(map(int, group))))
                table_df = float((len(table) - 1) * (FIRST - 1))
                known = drawn(pool, of_table(table), table_df) if len(table) > 1 else pool
                failing = has_failing_runs(first[:, named]).any(axis=1)
                known = np.where(failing, pool, known)
                standard, standard_df = moderated(own, own_df, known, len(group))
                part = standard * size / seeds
                variance, squares = variance + part, squares + part**2 / standard_df
                owns = owns + (own * size) ** 2 / own_df
                seed[:, look, contrast] += own * size
                expected[:, look, contrast] += known * size
            images = drawn_scores.images[:, contrast]
            total = variance + images
            total_df = total**2 / (squares + images**2 / (IMAGES - 1))
            p[:, look, contrast] = stats.t.sf(value[:, look, contrast] / np.sqrt(total), total_df)
            df[:, look, contrast] = seed[:, look, contrast] ** 2 / owns
    sides = [joined(node, p, 1 - p) for node in paper.conditions]
    support, refute = (np.moveaxis(np.stack(side, axis=-1), 1, -1) for side in zip(*sides, strict=True))
    return Judged(value, seed, df, expected, sequential(support), sequential(refute))


def verdicts(support: Floats, refute: Floats) -> tuple[Bools, Bools]:
    """Which claims (…, claims) are decided, and whether they are found true."""
    return adjusted(np.minimum(support, refute)) <= LEVEL, support < refute


def earlier_rule(drawn_scores: Drawn, seeds: int) -> tuple[Bools, Bools]:
    """The verdicts of before, of a study of so many seeds."""
    paper, scores = claims(), drawn_scores.scores[:, :, :seeds]
    own_df, p = float(seeds - 1), np.zeros((len(scores), len(paper.weights)))
    groups = [np.nonzero(paper.data == kind)[0] for kind in range(paper.data.max() + 1)]
    prior = cache(lambda cells: _by_mean_logarithm(scores[:, list(cells)]))
    for contrast, weights in enumerate(paper.weights):
        variance = squares = np.zeros(len(scores))
        for group in groups:
            named = group[weights[group] != 0]
            if not len(named):
                continue
            size = float((weights[named] ** 2).sum())
            own = np.einsum("k,skn->sn", weights[named], scores[:, named]).var(axis=-1, ddof=1) / size
            table = tuple(sorted(paper.tables[contrast] & set(map(int, group))))
            expected, expected_df, most = prior(table) if len(table) > 1 else (own, np.zeros(len(own)), own_df)
            endless = np.isinf(expected_df)
            finite = np.where(endless, 1.0, expected_df)
            both = np.where(endless, expected, (finite * expected + own_df * own) / (finite + own_df))
            df = np.where(endless, most, np.maximum(np.minimum(finite + own_df, most), own_df))
            part = np.maximum(both, own) * size / seeds
            variance, squares = variance + part, squares + part**2 / df
        images = drawn_scores.images[:, contrast]
        total = variance + images
        df = total**2 / (squares + images**2 / (IMAGES - 1))
        p[:, contrast] = stats.t.sf(scores.mean(axis=-1) @ weights / np.sqrt(total), df)
    sides = [joined(node, p, 1 - p) for node in paper.conditions]
    support, refute = (_holm(2 * np.stack(side, axis=-1)) for side in zip(*sides, strict=True))
    return (support <= LEVEL) | (refute <= LEVEL), support < refute


def _by_mean_logarithm(scores: Floats) -> tuple[Floats, Floats, float]:
    """Smyth's prior of variances: value, degrees of freedom, and those that all cells have together."""
    cells, seeds = scores.shape[-2:]
    df = float(seeds - 1)
    residuals = scores - scores.mean(axis=-1, keepdims=True)
    residuals = (residuals - residuals.mean(axis=-2, keepdims=True)) / np.sqrt(1 - 1 / cells)
    variances = (residuals**2).sum(axis=-1) / df
    pooled, most = variances.mean(axis=-1), df * (cells - 1)
    if cells < 3:
        return pooled, np.full(len(scores), np.inf), most
    logs = np.log(variances) - digamma(df / 2) + np.log(df / 2)
    width = logs.var(axis=-1, ddof=1) - polygamma(1, df / 2)
    half = np.array([_half_df(float(each)) for each in width])
    finite = np.where(np.isinf(half), 1.0, half)
    centre = np.exp(logs.mean(axis=-1) + digamma(finite) - np.log(finite))
    return np.asarray(np.where(np.isinf(half), pooled, centre)), 2 * half, most


def _half_df(width: float) -> float:
    """Half the degrees of freedom of variances whose logarithms differ so much."""
    if width <= 0:
        return np.inf
    return float(brentq(lambda x: float(polygamma(1, x)) - width, 1e-6, 1e9))


def _holm(p_values: Floats) -> Floats:
    count = p_values.shape[-1]
    order = np.argsort(p_values, axis=-1)
    ranked = np.minimum(1.0, np.take_along_axis(p_values, order, axis=-1) * (count - np.arange(count)))
    found = np.empty_like(ranked)
    np.put_along_axis(found, order, np.maximum.accumulate(ranked, axis=-1), axis=-1)
    return np.asarray(found)


# --- which runs come next ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spent:
    """What a study that goes where seeds pay most has come to.

    Attributes:
        decided: (claims,).
        true: (claims,): whether found true.
        seeds: A cell, on average.
    """

    decided: Bools
    true: Bools
    seeds: float


def spend(drawn_scores: Drawn, judged: Judged, simulation: int, budget: float = np.inf) -> Spent:
    """Three seeds of everything, then what `best_option` says, while the seeds a cell are on average within the budget."""
    paper = claims()
    cells, number = len(paper.data), len(paper.conditions)
    seeds = np.full(cells, FIRST)
    while True:
        fewest = np.where(paper.needs, seeds, MOST).min(axis=1)
        ready = np.searchsorted(LOOKS, fewest, side="right") - 1
        each = np.arange(number)
        support, refute = (side[simulation, each, ready] for side in (judged.support, judged.refute))
        decided, true = verdicts(support, refute)
        level = LEVEL * min(int(decided.sum()) + 1, number) / number
        chances = np.zeros((number, len(LOOKS)))
        for look in np.unique(ready[~decided]):
            if look < len(LOOKS) - 1:
                open_here = np.nonzero(~decided & (ready == look))[0]
                chances[open_here, look + 1 :] = _chances(drawn_scores, judged, simulation, int(look), open_here, level)
        hopeless = (fewest >= SOONEST) & (chances[:, -1] < HOPELESS)
        chances[hopeless] = 0.0
        left = budget * cells - seeds.sum()
        option = best_option(paper.needs, seeds, np.ones(cells), chances, _within(left))
        if option is None:
            return Spent(decided, true, float(seeds.mean()))
        seeds = np.maximum(seeds, np.where(paper.needs[option.claim], option.look, 0))


def _within(left: float) -> Callable[[int, float], bool]:
    return lambda runs, _: runs <= left


def _chances(
    drawn_scores: Drawn, judged: Judged, simulation: int, look: int, open_here: NDArray[np.int64], level: float
) -> Floats:
    """(claims, looks to come), of those that are open and stand at this look."""
    paper = claims()
    later = LOOKS[look + 1 :]
    levels = level * np.array(SHARES[look + 1 :])
    found = []
    used = sorted({leaf for claim in open_here for leaf in leaves(paper.conditions[claim])})
    place = {leaf: index for index, leaf in enumerate(used)}
    at = (simulation, look, used)
    noise = Noise(
        seeds=float(LOOKS[look]),
        images=drawn_scores.images[simulation, used][:, None],
        shared=0.0,
        seed=judged.seed[at][:, None],
        df=judged.df[at][:, None],
        expected=judged.expected[at][:, None],
    )
    by_tries: dict[tuple[int, int], Floats] = {}

    def leaf_chance(leaf: int, side: int, tries: int) -> Floats:
        if (side, tries) not in by_tries:
            by_tries[side, tries] = chance_of(side * judged.value[at][:, None], noise, later, levels / tries)
        return np.asarray(by_tries[side, tries][place[leaf]])

    def of(node: Node, side: int, tries: int) -> Floats:
        if isinstance(node, int):
            return leaf_chance(node, side, tries)
        every, led, parts = node
        if every == (side == 1):
            return np.asarray(np.min([of(part, side, tries) for part in parts], axis=0))
        if led:
            return of(parts[0], side, tries)
        return np.asarray(np.max([of(part, side, tries * len(parts)) for part in parts], axis=0))

    for claim in open_here:
        node = paper.conditions[claim]
        found.append(np.maximum.accumulate(np.maximum(of(node, 1, 1), of(node, -1, 1))))
    return np.array(found)


# --- what comes out ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """Of one regime; wrong shares in percent with their Monte-Carlo error.

    Attributes:
        true: True claims.
        earlier: Seeds -> verdicts and wrong share, by the rule of before.
        looks: Verdicts when all cells have as many seeds as each look.
        wrong: The wrong share with all looks.
        spent: Verdicts, wrong share and its error, seeds a cell: of a study that goes where seeds pay most.
        at_five: The verdicts of such a study with five seeds a cell on average.
        promised: Pairs of a chance that was told with three seeds, and how often it came true, by tenths.
    """

    true: int
    earlier: Mapping[int, tuple[float, float]]
    looks: tuple[float, ...]
    wrong: tuple[float, float]
    spent: tuple[float, float, float, float]
    at_five: float
    promised: tuple[tuple[float, float, int], ...]


def simulate(regime: str, simulations: int, seed: int = 0) -> Outcome:
    """Draw that many studies of all tables and judge them."""
    drawn_scores = draw(regime, simulations, seed)
    judged, truth = judge(drawn_scores), drawn_scores.truth
    earlier = {}
    for seeds in (3, 5, 10):
        decided, true = earlier_rule(drawn_scores, seeds)
        earlier[seeds] = (float(decided.sum(axis=-1).mean()), _wrong(decided, true, truth)[0])
    by_look = [verdicts(judged.support[..., look], judged.refute[..., look]) for look in range(len(LOOKS))]
    spent = [spend(drawn_scores, judged, n) for n in range(simulations)]
    five = [spend(drawn_scores, judged, n, budget=5.0) for n in range(simulations)]
    decided, true = np.array([each.decided for each in spent]), np.array([each.true for each in spent])
    return Outcome(
        true=int(truth.sum()),
        earlier=earlier,
        looks=tuple(float(decided.sum(axis=-1).mean()) for decided, _ in by_look),
        wrong=_wrong(*by_look[-1], truth),
        spent=(
            float(decided.sum(axis=-1).mean()),
            *_wrong(decided, true, truth),
            float(np.mean([each.seeds for each in spent])),
        ),
        at_five=float(np.mean([each.decided.sum() for each in five])),
        promised=_promised(drawn_scores, judged),
    )


def _wrong(decided: Bools, true: Bools, truth: Bools) -> tuple[float, float]:
    """The mean wrong share, percent, and its Monte-Carlo error."""
    shares = 100 * (decided & (true != truth)).sum(axis=-1) / np.maximum(1, decided.sum(axis=-1))
    return float(shares.mean()), float(shares.std() / np.sqrt(len(shares)))


def _promised(drawn_scores: Drawn, judged: Judged) -> tuple[tuple[float, float, int], ...]:
    """For chances told with three seeds by tenths: their mean, the share that came true at that level, their number."""
    told, came = [], []
    for simulation in range(len(drawn_scores.scores)):
        support, refute = judged.support[simulation, :, 0], judged.refute[simulation, :, 0]
        decided, _ = verdicts(support, refute)
        number = len(decided)
        level = LEVEL * min(int(decided.sum()) + 1, number) / number
        open_here = np.nonzero(~decided)[0]
        if not len(open_here):
            continue
        told.append(_chances(drawn_scores, judged, simulation, 0, open_here, level))
        smaller = np.minimum(judged.support, judged.refute)[simulation, open_here, 1:]
        came.append(smaller <= level)
    if not told:
        return ()
    chances, true = np.concatenate(told).ravel(), np.concatenate(came).ravel()
    found = []
    for low in np.arange(10) / 10:
        here = (chances >= low) & (chances < low + 0.1)
        if here.any():
            found.append((float(chances[here].mean()), float(true[here].mean()), int(here.sum())))
    return tuple(found)


def run(regimes: Sequence[str], simulations: int, workers: int) -> dict[str, Outcome]:
    """The outcomes of some regimes."""
    with ProcessPoolExecutor(workers) as pool:
        futures = {regime: pool.submit(simulate, regime, simulations) for regime in regimes}
        return {regime: future.result() for regime, future in futures.items()}


def table(outcomes: Mapping[str, Outcome], simulations: int) -> list[str]:
    """The outcomes as the lines of a Markdown table."""
    number = len(claims().conditions)
    lines = [
        f"{simulations} studies of each regime; {number} claims on {len(claims().data)} cells. Verdicts / percent of them that "
        "are wrong. `python -m benchmarks.statistics` prints this.",
        "",
        "| effects: noise (true claims) | before, 3 seeds | 5 | 10 | now, 3 seeds | 5 | 8 | 12 | 20 | where seeds pay most "
        "| its seeds a cell | with 5 a cell |",
        f"| --- |{' --: |' * 11}",
    ]
    for regime, outcome in outcomes.items():
        earlier = " | ".join(f"{count:.1f} / {wrong:.1f}" for count, wrong in outcome.earlier.values())
        looks = " | ".join(f"{count:.1f}" for count in outcome.looks)
        wrong, (count, share, error, seeds) = outcome.wrong, outcome.spent
        lines.append(
            f"| {regime} ({outcome.true}) | {earlier} | {looks} / {wrong[0]:.1f} ± {wrong[1]:.1f} "
            f"| {count:.1f} / {share:.1f} ± {error:.1f} | {seeds:.1f} | {outcome.at_five:.1f} |"
        )
    return lines


def promises(outcomes: Mapping[str, Outcome]) -> list[str]:
    """What chances that were told came to, line by line."""
    return [
        f"{regime}: chances told / came true: "
        + ", ".join(f"{told:.2f} / {came:.2f} ({count})" for told, came, count in outcome.promised)
        for regime, outcome in outcomes.items()
    ]


def main(arguments: Sequence[str] = ()) -> None:
    """Print the table and write it where asked."""
    parser = argparse.ArgumentParser()
    parser.add_argument("regimes", nargs="*", metavar="REGIME", help=f"of {', '.join(REGIMES)}")
    parser.add_argument("--simulations", type=int, default=200)
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--write", action="store_true", help="write the table into docs/claims.md")
    chosen_arguments = parser.parse_args(arguments)
    started = time.perf_counter()
    outcomes = run(chosen_arguments.regimes or REGIMES, chosen_arguments.simulations, chosen_arguments.workers)
    lines = table(outcomes, chosen_arguments.simulations)
    print("\n".join([*lines, "", *promises(outcomes)]))
    print(f"\n{time.perf_counter() - started:.0f} s")
    if chosen_arguments.write:
        write("verdicts", lines)


def write(section: str, lines: Sequence[str]) -> None:
    """Put lines between the marks of a section of docs/claims.md."""
    file = Path(__file__).resolve().parents[1] / "docs" / "claims.md"
    before, begin, rest = file.read_text().partition(f"<!-- simulation: {section} -->\n")
    _, end, after = rest.partition("<!-- end of simulation -->\n")
    file.write_text("".join([before, begin, "\n".join(lines), "\n", end, after]))


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])

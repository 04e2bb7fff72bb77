"""What would decide an undecided claim: the chance at each look to come, the seeds that it takes, and where seeds pay most.

The images stay the same, so more seeds lower the seeds' part of a variance only. How much they vary is not known well: chances
are Student's, and the number of seeds has an interval over what the variance and the effect may be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from parsenet_cli.claims.cells import Floats
from parsenet_cli.claims.contrast import All, AnyOf, Collapsed, Condition, Positive, Statement
from parsenet_cli.claims.estimate import WEIGHT, Estimate, Noise, Number
from parsenet_cli.claims.looks import LOOKS, share
from parsenet_cli.claims.verdict import Needed

POWER = 0.8
"""The chance with which the needed seeds decide a claim, and the level of their interval."""

MOST = 200
"""Seeds beyond which no number is given."""

HOPELESS = 0.1
"""A claim whose chance by the last look is smaller is neither, from `SOONEST` seeds on."""

SOONEST = 5

DRAWS = 1000

Side = Literal["support", "refute"]
Seen = Mapping[Statement, Estimate | Sequence[bool]]
"""What was measured of the statements of a condition, at its present look: contrasts, or which seeds collapsed."""

_Bools = NDArray[np.bool_]


def error_at(seeds: Floats | int, noise: Noise) -> Floats:
    """The standard error that the test of a contrast will use with so many seeds, if they vary as is thought now."""
    count = np.asarray(seeds, np.float64)
    both = (WEIGHT * noise.expected + (count - 1) * noise.seed) / (count - 1 + WEIGHT)
    test = np.maximum(noise.seed, both)
    return np.asarray(np.sqrt(noise.images + np.maximum(0.0, test - noise.shared) / count))


def chance_of(effect: Number, noise: Noise, looks: Sequence[int], levels: Floats) -> Floats:
    """The chance that a contrast is found above zero at each look to come, whose p-values have to be within `levels`.

    For many contrasts at once their numbers are (n, 1), and `levels` (n, looks) or (looks,).
    """
    count = np.array(looks, np.float64)
    needed = stats.t.isf(levels, count - 1 + WEIGHT) * error_at(count, noise) - effect
    moves = np.sqrt(noise.seed * np.maximum(0.0, 1 / noise.seeds - 1 / count))
    with np.errstate(divide="ignore"):
        return np.asarray(stats.t.sf(np.where(moves > 0, needed / moves, np.inf * needed), noise.df))


def seeds_for(effects: Floats, seed_variances: Floats, noise: Noise, level: float) -> Floats:
    """The fewest seeds with which effects (n,) with these variances of one seed are found with `POWER`; inf beyond `MOST`."""
    count = _counts()
    over = (WEIGHT * noise.expected + (count - 1) * seed_variances[:, None]) / (count - 1 + WEIGHT)
    test = np.maximum(seed_variances[:, None], over)
    error = np.sqrt(noise.images + np.maximum(0.0, test - noise.shared) / count)
    needed = _quantiles(level) * error + stats.norm.ppf(POWER) * np.sqrt(seed_variances[:, None] / count)
    enough: _Bools = effects[:, None] >= needed
    return np.where(enough.any(axis=1), count[enough.argmax(axis=1)], np.inf)


@dataclass(frozen=True)
class Outlook:
    """What would decide one claim.

    Attributes:
        chances: By look to come: that the claim is decided by then.
        needed: None where that cannot be told.
        hangs_on: The comparison that it hangs on.
        images: Whether no number of seeds decides it, because the images are too few.
    """

    chances: Mapping[int, float]
    needed: Needed | None
    hangs_on: Positive | None
    images: bool


def outlook(condition: Condition, seen: Seen, seeds: int, level: float) -> Outlook:
    """What would decide a claim that was looked at with so many seeds.

    `level`: the p-value over all looks at which it is decided.
    """
    looks = tuple(look for look in LOOKS if look > seeds)
    levels = np.array([level * share(look) for look in looks])
    sides: dict[Side, Floats] = {
        side: np.maximum.accumulate(_chances(condition, seen, side, looks, levels)) for side in ("support", "refute")
    }
    ends = {side: float(found[-1]) if looks else 0.0 for side, found in sides.items()}
    side: Side = "support" if ends["support"] >= ends["refute"] else "refute"
    by_look = {look: float(max(sides["support"][i], sides["refute"][i])) for i, look in enumerate(looks)}
    last = level * share(LOOKS[-1])
    parts = _parts(condition, side)
    weakest = hangs_on(condition, seen, side)
    images = False
    if weakest is not None and (noise := _noise(seen[weakest])) is not None:
        found = seen[weakest]
        assert isinstance(found, Estimate)
        images = abs(found.value) < float(stats.t.isf(last, LOOKS[-1] - 1 + WEIGHT)) * math.sqrt(float(noise.images))
    needed = None
    if all(_noise(seen.get(part)) is not None for part in parts):
        needed = _needed(condition, seen, side, level * share(8))
    return Outlook(by_look, needed, weakest, images)


def _noise(found: Estimate | Sequence[bool] | None) -> Noise | None:
    return found.noise if isinstance(found, Estimate) else None


def _chances(condition: Condition, seen: Seen, side: Side, looks: Sequence[int], levels: Floats) -> Floats:
    """The chance of each look to come, for one of the two verdicts."""
    if isinstance(condition, All | AnyOf):
        return _joined(
            condition, side, lambda part, tries: _chances(part, seen, side, looks, levels / tries), np.min, np.max
        )
    found = seen.get(condition)
    if isinstance(condition, Collapsed) and found is not None and not isinstance(found, Estimate):
        return _collapse_chances(found, side, looks, levels)
    if not isinstance(found, Estimate):
        return np.zeros(len(looks))
    effect = found.value if side == "support" else -found.value
    if found.noise is None:
        return np.full(len(looks), float(bool(found.exact) and effect > 0))
    return chance_of(effect, found.noise, looks, levels)


def _joined(
    condition: All | AnyOf,
    side: Side,
    part: Callable[[Condition, int], Floats],
    every: Callable[..., Floats],
    one: Callable[..., Floats],
) -> Floats:
    """Of a condition, by what `part(part, tries)` says of its parts: those that all have to hold, or of which one has to."""
    if isinstance(condition, All) == (side == "support"):
        return np.asarray(every([part(each, 1) for each in condition.parts], axis=0))
    if condition.led:
        return part(condition.parts[0], 1)
    return np.asarray(one([part(each, len(condition.parts)) for each in condition.parts], axis=0))


def _collapse_chances(seeds: Sequence[bool], side: Side, looks: Sequence[int], levels: Floats) -> Floats:
    """Of collapses to come, whose rate is that of the seeds so far, taken as uncertain (Jeffreys)."""
    count, done = len(seeds), sum(seeds) if side == "support" else len(seeds) - sum(seeds)
    found = []
    for look, level in zip(looks, levels, strict=True):
        more = look - count
        least = next((k for k in range(look + 1) if stats.binom.sf(k - 1, look, 0.5) <= level), None)
        if least is None:
            found.append(0.0)
        else:
            found.append(float(stats.betabinom.sf(least - done - 1, more, done + 0.5, count - done + 0.5)))
    return np.array(found)


def _parts(condition: Condition, side: Side) -> list[Statement]:
    """The statements that a verdict hangs on."""
    if not isinstance(condition, All | AnyOf):
        return [condition]
    led = condition.led and isinstance(condition, All) != (side == "support")
    return [each for part in condition.parts[: 1 if led else None] for each in _parts(part, side)]


def hangs_on(condition: Condition, seen: Seen, side: Side) -> Positive | None:
    """The comparison that a verdict hangs on: the one that is furthest from it, or nearest where one is enough."""
    if isinstance(condition, All | AnyOf):
        led = condition.led and isinstance(condition, All) != (side == "support")
        found = [hangs_on(part, seen, side) for part in condition.parts[: 1 if led else None]]
        known = [part for part in found if part is not None]
        of = min if isinstance(condition, All) == (side == "support") else max
        return of(known, key=lambda part: _strength(seen[part], side)) if known else None
    return condition if isinstance(condition, Positive) and isinstance(seen.get(condition), Estimate) else None


def _strength(found: Estimate | Sequence[bool], side: Side) -> float:
    assert isinstance(found, Estimate)
    effect = found.value if side == "support" else -found.value
    return effect / found.error if found.variance else math.copysign(math.inf, effect)


def _needed(condition: Condition, seen: Seen, side: Side, level: float) -> Needed:
    """The first of the numbers is of what was measured, the others of what it may be."""
    random = np.random.default_rng(0)
    leaves = list(dict.fromkeys(_parts(condition, side)))
    cells = sorted({str(cell) for leaf in leaves if isinstance(leaf, Positive) for cell, _ in leaf.contrast.weights})
    common = random.standard_normal(
        (len(cells), DRAWS)
    )  # what another study does to a cell, it does in every comparison
    place = {cell: index for index, cell in enumerate(cells)}
    chi = {}

    def of(leaf: Condition, tries: int) -> Floats:
        if isinstance(leaf, All | AnyOf):
            return _joined(leaf, side, lambda part, more: of(part, tries * more), np.max, np.min)
        found = seen[leaf]
        assert isinstance(found, Estimate)
        assert isinstance(leaf, Positive)
        noise = found.noise
        assert noise is not None
        sign = 1.0 if side == "support" else -1.0
        if leaf not in chi:
            weights = np.zeros(len(cells))
            for cell, weight in leaf.contrast.weights:
                weights[place[str(cell)]] = weight
            moved = weights @ common / math.sqrt(float((weights**2).sum()) or 1.0)
            chi[leaf] = (noise.df / random.chisquare(noise.df, DRAWS), moved)
        scale, moved = chi[leaf]
        variances = noise.seed * np.concatenate([[1.0], scale])
        moves = np.concatenate([[0.0], sign * np.sqrt(noise.seed / noise.seeds) * moved])
        return seeds_for(sign * found.value + moves, variances, noise, level / tries)

    numbers = of(condition, 1)
    low, high = np.quantile(numbers[1:], [(1 - POWER) / 2, (1 + POWER) / 2], method="inverted_cdf")
    return Needed(*(int(number) if math.isfinite(number) else None for number in (numbers[0], low, high)))


@cache
def _counts() -> Floats:
    """Every number up to 40, then steps of some percent."""
    return np.unique(np.concatenate([np.arange(2, 41), np.geomspace(41, MOST, 30).round()])).astype(np.float64)


@cache
def _quantiles(level: float) -> Floats:
    return np.asarray(stats.t.isf(level, _counts() - 1 + WEIGHT))


# --- where seeds pay most -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Option:
    """Bringing all cells of a claim to a look.

    Attributes:
        claim: Its index.
        look: The number of seeds.
        gain: The verdicts that are expected of it, also on other claims that then reach a look.
        runs: How many have to be trained.
        seconds: What they take, one after another.
    """

    claim: int
    look: int
    gain: float
    runs: int
    seconds: float


def best_option(
    needs: _Bools, seeds: NDArray[np.int64], seconds: Floats, chances: Floats, budget: Callable[[int, float], bool]
) -> Option | None:
    """The option with the most expected verdicts per second that the budget allows; None where there is none.

    `needs` (claims, cells): which cells a claim names. `seeds` (cells,): how many are done. `seconds` (cells,): of one run.
    `chances` (claims, looks of `LOOKS`): that an open claim is decided at a look to come; 0 for all other looks and claims.
    `budget(runs, seconds)`: whether so much may be spent.
    """
    looks = np.array(LOOKS)
    claims = len(needs)
    ready = _reached(needs, seeds[None, :])[0]  # how many looks each claim has
    options = [(i, j) for i in range(claims) for j in range(len(looks)) if j >= ready[i] and chances[i, j] > 0]
    if not options:
        return None
    after = np.stack([np.maximum(seeds, np.where(needs[i], looks[j], 0)) for i, j in options])
    reached = _reached(needs, after)  # (options, claims)
    padded = np.concatenate([np.zeros((claims, 1)), chances], axis=1)
    gains = np.where(reached > ready, padded[np.arange(claims), reached], 0.0).sum(axis=1)
    runs, prices = (after - seeds).sum(axis=1), (after - seeds) @ seconds
    for place in np.argsort(-gains / np.maximum(prices, 1e-9), kind="stable"):
        if gains[place] > 0 and budget(int(runs[place]), float(prices[place])):
            claim, look = options[place]
            return Option(claim, LOOKS[look], float(gains[place]), int(runs[place]), float(prices[place]))
    return None


def _reached(needs: _Bools, seeds: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many looks each claim has, of seeds (n, cells): (n, claims)."""
    fewest = np.where(needs[None], seeds[:, None, :], LOOKS[-1]).min(axis=2)
    return np.asarray(np.searchsorted(np.array(LOOKS), fewest, side="right"), np.int64)

"""What can go wrong: one function each, which takes a journey through it. Found by the decorator that says how often."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.journey import Journey


@dataclass(frozen=True)
class Scenario:
    """`share`: how many of 300 injections; `injections`: about how many of them one journey makes."""

    name: str
    travel: Callable[[Journey], None]
    share: int
    injections: int

    def journeys(self, total: int) -> int:
        """How many journeys make its share of `total` injections; at least one."""
        return max(1, round(self.share * total / 300 / self.injections))


_FOUND: list[Scenario] = []


def scenario(share: int, injections: int) -> Callable[[Callable[[Journey], None]], Callable[[Journey], None]]:
    """Makes a function a scenario."""

    def add(travel: Callable[[Journey], None]) -> Callable[[Journey], None]:
        _FOUND.append(Scenario(travel.__name__, travel, share, injections))
        return travel

    return add


def scenarios() -> list[Scenario]:
    """All of them, in the order of the modules' names."""
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        importlib.import_module(f"{__name__}.{module.name}")
    return list(_FOUND)

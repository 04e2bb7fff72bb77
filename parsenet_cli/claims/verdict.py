"""What the runs say of one claim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from parsenet_cli.claims.interval import Interval

Outcome = Literal["supported", "refuted", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """A claim and what the runs say of it."""

    table: str
    """The table whose file states the claim, or the figure whose data decides it."""
    key: str
    says: str
    where: str
    outcome: Outcome
    effect: Interval | None
    """The measured effect in percent points; None where it could not be measured."""
    margin: float | None
    """What "about equal" means, in percent points."""
    p: float | None
    """The p-value of the outcome (of support where undecided), corrected as in decide.py; None without a test."""
    why: str
    """One sentence with the numbers, or the reason why nothing can be said."""
    profile: str

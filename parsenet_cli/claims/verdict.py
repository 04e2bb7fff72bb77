"""A claim and what the runs say of it: what `judge` returns, and commands, figures and the page show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from parsenet_cli.claims.estimate import LEVEL, Interval
from parsenet_cli.claims.looks import Look
from parsenet_cli.config.table import Kind

Outcome = Literal["supported", "refuted", "undecided", "neither"]
"""neither: the effect is too small, or too near the margin, to be decided with as many seeds as there are looks for."""

PAPER = "paper"
FAMILIES = {"all": PAPER, "beyond": "beyond"}
"""Groups of tables (`table_file.GROUPS`) whose claims share one error, and what that family is called; the tables of a user are a
family each."""


@dataclass(frozen=True)
class CellSeeds:
    """A cell that a claim names, and its seeds.

    Attributes:
        seeds: How many of its first seeds are done.
        seconds: What one of its runs takes; 0 where that is not known.
        run: The run of its first seed, by signature: cells that share it are one cell. Empty where there is none.
    """

    table: str
    row: str
    column: str
    seeds: int
    seconds: float
    run: str


@dataclass(frozen=True)
class Ahead:
    """A look that is still to come.

    Attributes:
        seeds: Of every cell of the claim.
        chance: That the claim is decided then, or was before.
        runs: How many runs are missing until then.
        seconds: What they take, one after another; 0 where that is not known.
    """

    seeds: int
    chance: float
    runs: int
    seconds: float


@dataclass(frozen=True)
class Needed:
    """Seeds with which the claim is decided with a chance of 80 %, and the interval of 80 % of that number.

    Attributes:
        seeds: None where it is more than `outlook.MOST`; `high` likewise.
    """

    seeds: int | None
    low: int | None
    high: int | None


@dataclass(frozen=True)
class Verdict:
    """A claim and what the runs say of it.

    Attributes:
        table: The table whose file states the claim, or the figure whose data decides it.
        family: Which claims share the error with it: `paper`, `beyond`, or the table of a user.
        fact: What makes it so without any chance: it was counted, it is the same run, it stands on print. A fact has no
            p-values and takes no part of the error. Empty for all others.
        effect: The measured effect in percent points, at the present look; None where it could not be measured.
        error: Its standard error.
        margin: What "about equal" means, in percent points as measured (or given).
        margin_share: The same as a share of the margin's effect; None for one that is given in points.
        margin_of: What it is a share of: `main`, or the sum of cells.
        main: The table's main effect, measured.
        main_p: The one-sided p-value that it is above zero.
        share: The effect as a share of the main effect, where that one is established.
        paper_effect: The effect by the printed numbers; None where the paper prints none.
        paper_share: That as a share of the printed main effect.
        p_support: Small where the claim is supported; valid over all looks so far.
        p_refute: Small where it is refuted.
        q: The smaller of both, adjusted for the claims of the family (Benjamini-Hochberg); None without a test.
        seeds: Of every cell, at the present look; 0 where none can be judged.
        looks: What every look so far says alone.
        ahead: The looks to come, for a claim that is not decided.
        needed: Seeds that it would take.
        limiting: The cell whose seeds vary most in the comparison that the claim hangs on, `table.row.column`.
        cells: The cells that it names, by way of its margin too.
        failing: Cells that show failing runs, so that the stricter variance is used.
        why: One sentence with the numbers, or the reason why nothing can be said.
        next: What to do about an undecided claim, in one sentence.
        note: What the claim's file says of it.
    """

    table: str
    key: str
    says: str
    where: str
    kind: Kind
    note: str
    profile: str
    family: str
    outcome: Outcome = "undecided"
    fact: str = ""
    effect: Interval | None = None
    error: float | None = None
    margin: float | None = None
    margin_share: float | None = None
    margin_of: str = ""
    main: Interval | None = None
    main_p: float | None = None
    share: float | None = None
    paper_effect: float | None = None
    paper_share: float | None = None
    p_support: float | None = None
    p_refute: float | None = None
    q: float | None = None
    seeds: int = 0
    looks: tuple[Look, ...] = ()
    ahead: tuple[Ahead, ...] = ()
    needed: Needed | None = None
    limiting: str = ""
    cells: tuple[CellSeeds, ...] = ()
    failing: tuple[str, ...] = ()
    why: str = ""
    next: str = ""

    @property
    def decided(self) -> bool:
        """Whether it is supported or refuted."""
        return self.outcome in ("supported", "refuted")

    @property
    def leaning(self) -> Outcome:
        """Which way the p-values point, decided or not; `undecided` where nothing was tested."""
        if self.decided or self.p_support is None or self.p_refute is None or self.p_support == self.p_refute:
            return self.outcome if self.decided else "undecided"
        return "supported" if self.p_support < self.p_refute else "refuted"

    @property
    def main_is_established(self) -> bool:
        """Whether the yardstick, the table's main effect, is itself above zero."""
        return self.main_p is not None and self.main_p <= LEVEL

"""Tables as data: what a file of `ablations/` says, and the cells that it expands into (docs/tables.md).

A table is rows and columns that each say what they set; a cell is what both set together. Where the paper prints a
number it stands in the row, as text, so that `65.30` keeps its zero.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, NamedTuple, TypeVar

from pydantic import Field

from parsenet_cli.config.overrides import last_wins
from parsenet_cli.core.errors import unknown

NO_CELL = ("N/A", "–")
"""What the paper prints where a row has no such number (the second is a dash)."""

Kind = Literal["stated", "read_off", "printed", "conjecture"]
"""What a claim is: a statement of the paper's text, decided by runs; one that its numbers show and its text does not make; one
that can be decided on its printed numbers alone; what we expect where the paper leaves a question open."""


@dataclass(frozen=True)
class Printed:
    """A number as the paper prints it: percent, as text. Empty where the paper prints none.

    Attributes:
        cited: The source, if the paper quotes the number from others.
    """

    text: str = ""
    bold: bool = False
    cited: str = ""

    @property
    def value(self) -> float | None:
        """The number in percent; None where none is printed."""
        return None if self.absent or not self.text else float(self.text)

    @property
    def absent(self) -> bool:
        """Whether the table has no such cell (the paper prints `N/A` or a dash)."""
        return self.text in NO_CELL


@dataclass(frozen=True)
class Column:
    """One column: what it sets, and the metric it shows (a function of parsenet_cli/core/metrics.py, or `iu[class]`)."""

    key: str
    header: str
    metric: str
    overrides: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Row:
    """One row: what it sets, and what the paper prints in it, by column.

    Attributes:
        run: False where the numbers are only shown: a system that this project does not build.
    """

    key: str
    labels: tuple[str, ...]
    overrides: tuple[str, ...] = ()
    paper: Mapping[str, Printed] = field(default_factory=dict)
    run: bool = True
    note: str = ""


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper that its table can decide; the conditions are those of config/expression.py.

    Attributes:
        where: Its place in the paper: a section, a table or a figure.
        effect: The difference that is shown, in percent points.
        margin: What "about equal" means, `margin` in the expressions: percent points, or as text a share of an effect
            (`0.25 * main`, see config/expression.py).
        note: What a reader of the paper has to know of it, such as why it does not hold on the printed numbers.
    """

    key: str
    says: str
    where: str
    holds_if: str
    effect: str = ""
    margin: Annotated[float, Field(allow_inf_nan=False)] | str | None = None
    kind: Kind = "stated"
    note: str = ""


@dataclass(frozen=True)
class FigureClaim(Claim):
    """A sentence of the paper that the data of a figure decides.

    Attributes:
        value: Where the number stands in the data: the keys that lead to its `estimate`, `low` and `high`.
        factor: To the unit that is shown: to percent points, for an effect.
        log: Whether it is a ratio of sizes, whose errors are alike on a logarithmic scale; it is no percentage.
    """

    figure: str = ""
    value: tuple[str, ...] = ()
    unit: str = ""
    factor: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    log: bool = False


class CellKey(NamedTuple):
    """Where a cell stands in its table."""

    row: str
    column: str

    def __str__(self) -> str:
        return f"{self.row}.{self.column}"


@dataclass(frozen=True)
class Cell:
    """One cell of a table and the overrides that make it, no key twice: table base < column < row."""

    row: Row
    column: Column
    overrides: tuple[str, ...]

    @property
    def key(self) -> CellKey:
        """Where it stands in its table."""
        return CellKey(self.row.key, self.column.key)


@dataclass(frozen=True)
class TableSpec:
    """A table: its rows and columns, what every cell has in common, and what the paper concludes from it.

    Attributes:
        labels: Headers of the row labels.
        remark: The sentence of the paper that asks for the table, where the paper has no such table.
        main: The effect that the table is about, a sum of cells: the yardstick of its margins. Empty where it has none.
    """

    name: str
    title: str
    data: str
    labels: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    base: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    note: str = ""
    remark: str = ""
    main: str = ""

    @property
    def is_printed(self) -> bool:
        """Whether the paper prints a number in it."""
        return any(number.value is not None for row in self.rows for number in row.paper.values())

    def printed(self, row: str, column: str) -> Printed:
        """What the paper prints in this cell."""
        return next(r for r in self.rows if r.key == row).paper.get(column, Printed())

    def decimals(self, column: str) -> int:
        """Decimals of the column's numbers: those most of its printed numbers have (the paper mixes), else 2."""
        printed = [row.paper.get(column, Printed()) for row in self.rows]
        counts = Counter(len(number.text.partition(".")[2]) for number in printed if number.value is not None)
        return max(counts, key=lambda decimals: (counts[decimals], decimals), default=2)

    def cells(
        self, cited: bool = False, rows: Iterable[str] | None = None, columns: Iterable[str] | None = None
    ) -> list[Cell]:
        """The cells that can be run, row by row; `rows` and `columns` narrow them, by key.

        Left out are cells that the table does not have (`N/A`), rows that are only shown, and, unless `cited`, the numbers that
        the paper quotes from others.

        Raises:
            UserError: an unknown row or column.
        """
        chosen_rows = _chosen(f"row of {self.name}", self.rows, rows)
        chosen_columns = _chosen(f"column of {self.name}", self.columns, columns)
        cells = []
        for row in chosen_rows:
            for column in chosen_columns:
                printed = row.paper.get(column.key, Printed())
                if row.run and not printed.absent and (cited or not printed.cited):
                    overrides = last_wins([f"data={self.data}", *self.base, *column.overrides, *row.overrides])
                    cells.append(Cell(row, column, tuple(overrides.values())))
        return cells


_Part = TypeVar("_Part", Row, Column)


def _chosen(kind: str, parts: tuple[_Part, ...], keys: Iterable[str] | None) -> list[_Part]:
    valid = [part.key for part in parts]
    wanted = valid if keys is None else [unicodedata.normalize("NFKC", key) for key in keys]  # as files are read
    for key in wanted:
        if key not in valid:
            raise unknown(kind, key, valid)
    return [part for part in parts if part.key in wanted]

"""Tables on terminals of 80, 100 and 120 columns: no column is lost, no word and no number is cut."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from parsenet_cli.cli import app, status
from parsenet_cli.config import table_file
from parsenet_cli.report.blocks import Cell, Grid, Row, words
from parsenet_cli.report.formats import terminal
from parsenet_cli.report.paper_table import paper_grid
from parsenet_cli.runner.state import RunSummary
from parsenet_cli.store.run import Store
from parsenet_cli.store.study import Study, StudyCell
from tests import made_store

WIDTHS = (80, 100, 120)
SEEDS = (0, 1, 2)

Draw = Callable[[Grid, int], list[str]]

LETTER, DIGIT, RULE = "¤", "०", "─"
JOINTS = ("±", "x")
"""Inside of a number."""


@pytest.fixture
def draw(monkeypatch: pytest.MonkeyPatch) -> Draw:
    """The lines of a table on a terminal of a width."""

    def drawn(grid: Grid, width: int) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(width))
        return terminal.text(grid).splitlines()

    return drawn


def hidden(text: str) -> str:
    """As long and broken alike, and told from everything else."""
    words = re.split(r"(\s+)", text)
    return "".join(
        word if word.isspace() or word in JOINTS else re.sub(r"\D", LETTER, re.sub(r"\d", DIGIT, word))
        for word in words
    )


def only(grid: Grid, shown: int) -> Grid:
    """The table with all columns but one hidden, and nothing around it."""
    heads = [text if i == shown else hidden(text) for i, text in enumerate([*grid.labels, *grid.heads])]
    groups, rest = [], heads[len(grid.labels) :]
    for _, below in grid.groups:
        groups.append(("", tuple(rest[: len(below)])))
        rest = rest[len(below) :]

    def seen(i: int, cell: Cell) -> Cell:
        return cell if i == shown else replace(cell, text=hidden(cell.text), marks=hidden(cell.marks))

    rows = tuple(Row(tuple(seen(i, cell) for i, cell in enumerate(row.cells))) for row in grid.rows)
    labels = tuple(heads[: len(grid.labels)])
    return replace(grid, labels=labels, groups=tuple(groups), rows=rows, name="", title="", caption="", notes=())


def words_of(text: str) -> list[str]:
    """Those that are not hidden."""
    return [word for word in text.split() if word not in JOINTS and set(word) - {LETTER, DIGIT, RULE}]


def too_wide(lines: list[str], width: int) -> list[str]:
    """Lines that are wider than the terminal, but for one word alone."""
    return [line for line in lines if len(line) > width and len(line.split()) > 1]


def check(grid: Grid, width: int, draw: Draw) -> None:
    """Everything of the table is there, whole, column by column."""
    lines = draw(grid, width)
    assert too_wide(lines, width) == []
    flat = " ".join(" ".join(lines).split())
    for text in (grid.name, grid.title, grid.caption, *(note for _, note in grid.notes)):
        assert " ".join(text.split()) in flat
    parts = sum(set(line.strip()) == {RULE} for line in lines)
    for i, head in enumerate([*grid.labels, *grid.heads]):
        cells = [row.cells[i] for row in grid.rows]
        column = words_of(" ".join([head, *(f"{cell.text} {cell.marks}" for cell in cells)]))
        assert words_of("\n".join(draw(only(grid, i), width))) == column * (parts if i < len(grid.labels) else 1)
        numbers = {number for cell in cells for number in re.findall(r"\S+ ± \S+|\d+ x \d+", cell.text)}
        assert all(number in "\n".join(lines) for number in numbers)


def table_grid(name: str) -> Grid:
    """A table in which everything was measured that can be: with seeds that collapsed, are missing or failed."""
    spec = table_file.load(name)
    cells, lines = [], []
    for i, cell in enumerate(spec.cells(cited=True)):
        for seed in SEEDS:
            signature = f"{10**11 + 10 * i + seed:x}".rjust(12, "a")
            cells.append(StudyCell(*cell.key, seed, signature))
            outcome = "failed" if (i + seed) % 5 == 0 else "collapsed" if i % 7 == 0 else "converged"
            value = {"collapsed": 1.2, "converged": 50.5 + 10 * seed, "failed": float("nan")}[outcome]
            place = {"row": cell.row.key, "column": cell.column.key, "seed": seed}
            lines.append({**place, "signature": signature, "outcome": outcome, "value": value})
    study = Study(f"{name}-quick-0", "2026", "quick", (), SEEDS, spec, tuple(cells))
    return paper_grid(study, pd.DataFrame(lines), "synthetic_voc, vgg_tiny")


@pytest.mark.parametrize("name", table_file.names())
def test_table_of_the_paper_or_beyond(name: str, draw: Draw) -> None:
    grid = table_grid(name)
    for width in WIDTHS:
        check(grid, width, draw)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with runs of two tables."""
    store = Store(tmp_path_factory.mktemp("results"))
    for name in ("table3", "table8"):
        made_store.add_table(store, name)
    return store.root


@pytest.fixture
def printed(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., list[Grid]]:
    """Issue a command on that folder; returns the tables that it printed. It exceeded no line."""
    grids: list[Grid] = []
    text = terminal.text

    def kept(grid: Grid) -> str:
        grids.append(grid)
        return text(grid)

    monkeypatch.setattr(terminal, "text", kept)
    monkeypatch.setenv("PARSENET_RESULTS", str(root))

    def issue(command: str, width: int) -> list[Grid]:
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setattr("sys.argv", ["parsenet", *command.split()])
        grids.clear()
        code = app.main()
        output = capsys.readouterr()
        assert code == (0 if command != "verify" else code), output.err
        assert too_wide(output.out.splitlines(), width) == []
        return list(grids)

    return issue


@pytest.mark.parametrize(
    "command",
    ["plan table2 table3 table8", "status", "list", "verify", "network", "weights list", "data list", "table table8"],
)
def test_command(command: str, printed: Callable[..., list[Grid]], draw: Draw) -> None:
    grids = printed(command, 80)
    assert grids
    for grid in grids:
        for width in WIDTHS:
            check(grid, width, draw)


def rows_of_runs(count: int) -> list[RunSummary]:
    says = "mean IU 60.2, unknown code; worker 4711 on node7 exited without a status at 120/800"
    return [RunSummary(f"{i:012x}", "failed" if i % 2 else "done", says, None, None) for i in range(count)]


@pytest.mark.parametrize("count", [3, 200])
@pytest.mark.parametrize("width", WIDTHS)
def test_watch_shows_as_many_runs_as_fit_and_counts_the_others(count: int, width: int) -> None:
    screen = Console(width=width, height=24, force_terminal=True, color_system=None)
    grid = status._fitting(rows_of_runs(count), [], ["a note"], screen)
    with screen.capture() as captured:
        screen.print(terminal.renderable(grid))
    lines = captured.get().splitlines()
    assert len(lines) <= 24
    assert too_wide(lines, width) == []
    assert len(grid.rows) == count or len(lines) >= 20
    assert (f"… and {count - len(grid.rows)} more" in captured.get()) == (len(grid.rows) < count)
    assert f"{count // 2} failed" in captured.get()


def test_columns_that_do_not_fit_stand_below_with_their_labels(draw: Draw) -> None:
    numbers = ("1.00 ± 0.10", "22.00 ± 0.20", "3.00 ± 0.30", "4.00 ± 0.40")
    grid = words(("row", "one", "two", "three", "four"), [("fc7 (a b)", *numbers)], prose=False)
    assert [line.rstrip() for line in draw(grid, 40)] == [
        "",
        " row                 one            two",
        " ──────────────────────────────────────",
        " fc7 (a b)   1.00 ± 0.10   22.00 ± 0.20",
        "",
        " row               three          four",
        " ─────────────────────────────────────",
        " fc7 (a b)   3.00 ± 0.30   4.00 ± 0.40",
        "",
    ]


def test_word_that_is_longer_than_its_column_stands_below_its_row(draw: Draw) -> None:
    path = "/home/ann/" + "deep/" * 6 + "file"
    grid = words(("run", "file", "state"), [("0123456789ab", f"at {path} now", "done"), ("b", "none", "lost")])
    assert [line.rstrip() for line in draw(grid, 50)] == [
        "",
        " run           file                         state",
        " ────────────────────────────────────────────────",
        " 0123456789ab  at                           done",
        f"     {path}",
        "               now",
        " b             none                         lost",
        "",
    ]


def test_nothing_is_wrapped_that_fits(draw: Draw) -> None:
    grid = words(("run", "state"), [("a b", Cell("c d", marks="a,b"))], title="Title", notes=["A note."])
    lines = ["", "Title", " " * 15, " run   state   ", " ───────────── ", " a b   c d a,b ", " " * 15, "   A note."]
    assert [draw(grid, width) for width in (15, 80, 160)] == [lines] * 3


def styles(grid: Grid) -> Iterator[tuple[str, str]]:
    """Words in colour, and their colour."""
    screen = Console(width=40, force_terminal=True, color_system="standard")
    for segment in screen.render(terminal.renderable(grid)):
        if segment.style and segment.text.strip():
            yield segment.text, str(segment.style)


def test_colours_are_those_of_the_cells(draw: Draw) -> None:
    grid = words(("run", "state"), [("a", Cell("failed", tone="failed", marks="a"))], notes=["n"])
    assert list(styles(grid)) == [
        *(("run", "bold"), ("state", "bold")),
        *(("failed ", "red"), ("a", "dim red"), ("   n", "dim")),
    ]

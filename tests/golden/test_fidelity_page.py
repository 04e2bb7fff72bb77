"""docs/fidelity.md says what the command computes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.golden import report, vectors
from tests.golden.differences import BOUNDS

PAGE = Path(__file__).parents[2] / "docs" / "fidelity.md"


@pytest.fixture(autouse=True)
def _own_recordings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is about the repository's recordings, whichever the other tests read."""
    monkeypatch.delenv(vectors.VARIABLE, raising=False)


@pytest.fixture
def rows() -> dict[str, list[str]]:
    """The rows of all generated tables: first cell -> the others."""
    section = PAGE.read_text().partition(report.BEGIN)[2].partition(report.END)[0]
    cells = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in section.splitlines() if line[:1] == "|"
    ]
    return {first: rest for first, *rest in cells}


@pytest.mark.parametrize("group", BOUNDS)
def test_every_group_has_a_row_within_its_bound(group: str, rows: dict[str, list[str]]) -> None:
    cases, comparisons, absolute, relative, bound = map(float, rows[group])
    assert 1 <= cases <= comparisons
    assert bound == BOUNDS[group]
    assert relative <= bound
    assert (absolute == 0) == (relative == 0)


def test_every_network_has_a_row(rows: dict[str, list[str]]) -> None:
    networks = [name for file, name in vectors.cases() if file == "parsenet_mini"]
    assert len(networks) == 9
    for name in networks:
        shown = dict(zip(report.NETWORK_COLUMNS, rows[f"`{name}`"], strict=True))
        for column, groups in report.NETWORK_COLUMNS.items():
            assert shown[column] == "–" or float(shown[column]) <= max(BOUNDS[group] for group in groups)
        assert "–" not in [shown[column] for column in report.NETWORK_COLUMNS if not column.startswith("exact form")]


def test_the_demonstration_shows_only_theirs_off(rows: dict[str, list[str]]) -> None:
    for layer in ("fc7", "pool6"):
        assert float(rows[f"{layer}, equal"][2]) < 1e-7
        for spread in ("±2%", "±20%", "±50%"):
            exact, smallest, largest, cosine = map(float, rows[f"{layer}, {spread}"])
            assert exact < 1e-7
            assert 1e-4 < smallest <= largest < 1
            assert 0.8 < cosine <= 1
    for spread in ("±2%", "±20%", "±50%"):
        smallest, largest, cosine = map(float, rows[f"trunk, {spread}"][1:])
        assert 1e-3 < smallest <= largest < 1
        assert 0.8 < cosine <= 1


def test_the_page_counts_all_cases() -> None:
    match = re.search(r"^(\d+) cases in (\d+) files", PAGE.read_text(), re.MULTILINE)
    assert match
    assert [int(count) for count in match.groups()] == [len(vectors.cases()), len(vectors.FILES)]


def test_a_page_without_markers_is_not_written() -> None:
    with pytest.raises(ValueError, match="expected the lines"):
        report.replaced("# Fidelity\n")

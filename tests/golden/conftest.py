"""A line per recorded case after the run, where nothing but these tests was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.vectors import Case, folder

HERE = Path(__file__).parent
CASES = pytest.StashKey[list[Case]]()
ALONE = pytest.StashKey[bool]()


@pytest.fixture
def remember(request: pytest.FixtureRequest) -> list[Case]:
    """Where a test puts its case so that it gets a line."""
    return request.config.stash.setdefault(CASES, [])


def pytest_collection_finish(session: pytest.Session) -> None:
    session.config.stash[ALONE] = all(HERE in item.path.parents for item in session.items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    cases = config.stash.get(CASES, [])
    if not cases or not config.stash.get(ALONE, False):
        return
    terminalreporter.section(f"agreement with the authors' Caffe, {folder()}")
    titles = max(len(case.title) for case in cases)
    arrays = max(len(case.worst.array) for case in cases)
    for case in cases:
        worst = case.worst
        verdict = "" if worst.fits else "  TOO FAR"
        terminalreporter.write_line(
            f"{case.title:{titles}}  {len(case.differences):4d} arrays  worst {worst.relative:.1e} in "
            f"{worst.array:{arrays}}  bound {worst.bound:.0e}{verdict}"
        )

"""How many injections, from which seed; journeys two at a time; and the summary at the end."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.faults import processes
from tests.faults.journey import Abandoned, Journey
from tests.faults.observed import PHASES
from tests.faults.scenarios import Scenario, scenarios
from tests.faults.study import FEW, MANY, Undisturbed

TOTAL = int(os.environ.get("PARSENET_FAULTS", 300))
SEED = int(os.environ.get("PARSENET_FAULT_SEED", random.randrange(10**6)))
SIDE_BY_SIDE = int(os.environ.get("PARSENET_FAULTS_AT_ONCE", 2))
KINDS = ("lost", "doubled", "different", "left over", "wrong end")

_summary = pytest.StashKey[dict[str, Journey]]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per journey."""
    if "travelled" in metafunc.fixturenames:
        every = [(each, number) for each in scenarios() for number in range(each.journeys(TOTAL))]
        names = [f"{each.name}-{number}" for each, number in every]
        metafunc.parametrize("travelled", every, ids=names, indirect=True)


def repeat(name: str) -> str:
    """How to take one journey again by itself."""
    return (
        f'PARSENET_FAULTS={TOTAL} PARSENET_FAULT_SEED={SEED} pytest -m faults "tests/faults/test_faults.py" -k {name}'
    )


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    made = Undisturbed(tmp_path_factory.mktemp("undisturbed"))
    for study in (FEW, MANY):
        made.store(study)
    return made


@pytest.fixture(scope="session")
def under_way(
    request: pytest.FixtureRequest, undisturbed: Undisturbed, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Journey]]]:
    """All journeys that tests ask for, two at a time, ahead of the tests that look at them."""
    folder = tmp_path_factory.mktemp("journeys")
    pool = ThreadPoolExecutor(SIDE_BY_SIDE)
    travelling: dict[str, Future[Journey]] = {}
    for item in request.session.items:
        calls = getattr(item, "callspec", None)
        if calls is not None and "travelled" in calls.params:
            each, _ = calls.params["travelled"]
            journey = Journey(calls.id, folder / calls.id, undisturbed, random.Random(f"{SEED} {calls.id}"))
            travelling[calls.id] = pool.submit(_travel, each, journey)
    yield travelling
    pool.shutdown(wait=False, cancel_futures=True)
    processes.kill_all(folder)


@pytest.fixture
def travelled(request: pytest.FixtureRequest, under_way: dict[str, Future[Journey]]) -> Journey:
    """The journey of this test, at its end."""
    name: str = request.node.callspec.id
    done = under_way[name].result()
    request.config.stash.setdefault(_summary, {})[name] = done
    return done


def _travel(each: Scenario, journey: Journey) -> Journey:
    """Once, and again on a fresh store where commands ended before they could be disturbed."""
    for _ in range(each.injections + 2):
        try:
            each.travel(journey)
        except Abandoned:
            break
        finally:
            processes.kill_all(journey.folder)
        if len(journey.injections) >= each.injections or journey.problems:
            break
        journey.begin()
    return journey


def pytest_report_header() -> str:
    return f"faults: PARSENET_FAULTS={TOTAL} PARSENET_FAULT_SEED={SEED}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    journeys = config.stash.get(_summary, {})
    if not journeys:
        return
    terminalreporter.section(f"faults, seed {SEED}")
    terminalreporter.write_line(_table(journeys))


def _table(journeys: dict[str, Journey]) -> str:
    """One line per scenario: injections, by the phase that they met, and what went wrong, by kind."""
    met: dict[str, Counter[str]] = {}
    for name, journey in journeys.items():
        counts = met.setdefault(name.rpartition("-")[0], Counter())
        counts.update(["injections"] * len(journey.injections))
        counts.update(injection.phase for injection in journey.injections)
        counts.update(problem.kind for problem in journey.problems)
    columns = ("injections", *PHASES, *KINDS)
    met["all"] = sum(met.values(), Counter())
    rows = [["", *columns], *([name, *(str(counts[key]) for key in columns)] for name, counts in met.items())]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)

"""Where a number was made by other code than today's, everything that shows the number says so, in the same words."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from parsenet_cli.cli import verify
from parsenet_cli.cli.run import plan_grid
from parsenet_cli.config import profile, table_file
from parsenet_cli.config.compose import Composer
from parsenet_cli.core import code
from parsenet_cli.core.code import OTHER, REMEDY, UNKNOWN, Code
from parsenet_cli.report import build, collect, redact, tables
from parsenet_cli.report.formats import terminal
from parsenet_cli.runner import plan as planning
from parsenet_cli.runner.state import summary_of
from parsenet_cli.store.run import Run, Store
from parsenet_cli.store.study import Study
from tests import made_store

TODAY, EARLIER = "today's", "0123456789ab"


def say(run: Run, made_by: str) -> None:
    """Let the result say that this code made it."""
    modules = code.modules_of(run.config().science)
    identity = Code(run.results.cache).identity(modules) if made_by == TODAY else made_by
    result = run.done_result()
    files = [run.folder / name for name in result.files]
    run.record_result(replace(result, code=identity, modules=modules), *files)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Each test says by which code its results were made."""
    return Store(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def study(store: Store) -> Study:
    return made_store.add_table(store, "table4", seeds=(0,))


@pytest.fixture
def runs(store: Store, study: Study) -> list[Run]:
    """Made by unknown code."""
    runs = [store.run(signature) for signature in study.signatures]
    for run in runs:
        say(run, "")
    return runs


def test_status_says_it_behind_the_score(runs: list[Run]) -> None:
    for made_by, remark in ((TODAY, ""), (EARLIER, f", {OTHER}"), ("", f", {UNKNOWN}")):
        say(runs[0], made_by)
        assert summary_of(runs[0]).says == f"mean IU {runs[0].done_result().score_text}{remark}"


def test_table_marks_the_cells_that_differ_from_others_and_says_once_what_is_so_of_all(
    store: Store, study: Study, runs: list[Run]
) -> None:
    def notes() -> list[tuple[str, str]]:
        told = tables.study_grid(study, store).notes
        return [(letter, text) for letter, text in told if OTHER in text or UNKNOWN in text]

    count = len(runs)
    alike = f"Results: {count} of {count} {UNKNOWN}; {REMEDY}."
    assert notes() == [("", alike)]
    for run in runs:
        say(run, TODAY)
    assert notes() == []
    say(runs[0], EARLIER)
    ((letter, text),) = notes()
    assert text == f"{OTHER}, at least in part; {REMEDY}"
    marks = [cell.marks.split(",") for row in tables.study_grid(study, store).rows for cell in row.cells]
    served = {cell.key for cell in study.cells if cell.signature == runs[0].signature}
    assert sum(letter in each for each in marks) == len(served)


def test_verify_and_the_report_say_it(store: Store, runs: list[Run], capsys: pytest.CaptureFixture[str]) -> None:
    for run in runs:
        say(run, TODAY)
    say(runs[0], EARLIER)
    verify.verify(["table4"], "quick", False, "json", store.root)
    assert f"Results: 1 of {len(runs)} {OTHER}; {REMEDY}." in json.loads(capsys.readouterr().out)["notices"]
    report = collect.collect_input(store, None)
    page = str(build.compose(report, "0", redact.of_report(report)))
    assert f"run {runs[0].signature}, {OTHER}" in page
    assert f"run {runs[1].signature}'" in page
    assert f"c0ffee; {OTHER}" in page


def test_plan_says_it_and_counts_what_would_be_trained_anew(
    store: Store, runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    composer = Composer(profile.load("quick"), [], store.cache)
    plan = planning.plan_table(table_file.load("table4"), composer, (0,))
    for run in runs:
        say(run, TODAY)
    say(runs[0], EARLIER)

    def shown(plan: planning.Plan) -> tuple[planning.PlanSummary, str]:
        summary = planning.summarize([plan], store, composer.launcher([]), probe=False, progress=pytest.fail)
        return summary, terminal.text(plan_grid(summary))

    summary, text = shown(plan)
    assert summary.missing == 0
    assert [state for cell in summary.cells for state in cell.states].count(f"done, {OTHER}") >= 1
    assert REMEDY in text
    summary, text = shown(planning.by_this_code(plan, store))
    assert summary.missing == 1
    assert f"to do again: {OTHER}" in text
    assert REMEDY not in text

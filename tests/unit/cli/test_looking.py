"""`list` with a name, `status` with filters, `show` on one screen."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from parsenet_cli.cli import catalogue, run_page
from parsenet_cli.cli import status as looking
from parsenet_cli.config import profile, sweep, table_file
from parsenet_cli.config.compose import Composer
from parsenet_cli.core.errors import UserError
from parsenet_cli.report.blocks import Grid
from parsenet_cli.report.formats import terminal
from parsenet_cli.runner.plan import plan_table
from parsenet_cli.store import study
from parsenet_cli.store.run import Run, Store
from tests.made_store import add_run, add_table

Looked = Callable[..., str]


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Table 4 with one seed, one run of it failed, and Table 6 with two; a run of Table 4 was trained alone as well."""
    store = Store(tmp_path_factory.mktemp("looked") / "results")
    overrides = ["data=synthetic_context", "body=fcn", "layers=[fc7]", "norm=none"]
    alone, seed = sweep.single(overrides)
    plan = plan_table(alone, Composer(profile.load("quick"), overrides, store.cache), [seed])
    study.save(plan.study, store)
    add_table(store, "table6", (0, 1))
    newest = add_table(store, "table4", (0,))
    failed = store.run(newest.signatures[-1])
    failed.result_file.unlink()
    failed.update_status(state="failed", error="the disk is full")
    failed.log.write_text("".join(f"line {number}\n" for number in range(30)))
    return store


@pytest.fixture
def status(looked_at: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Looked:
    monkeypatch.setenv("COLUMNS", "160")

    def look(*tables: str, **options: object) -> str:
        looking.status(list(tables), results=looked_at.root, **options)  # type: ignore[arg-type]
        return capsys.readouterr().out

    return look


def narrow(grid: Grid) -> str:
    printed = io.StringIO()
    Console(file=printed, width=80).print(terminal.renderable(grid))
    return printed.getvalue()


def test_axes_lose_nothing_at_80_columns() -> None:
    for grid in catalogue.axis_grids(profile.load("quick")):
        printed = narrow(grid).split()
        assert {word for row in grid.rows for cell in row.cells for word in cell.text.split()} <= set(printed)
    text = " ".join(narrow(next(iter(catalogue.axis_grids(profile.load("quick"))))).split())
    assert "data synthetic_voc a file of parsenet_cli/data/sets" in text
    assert "(paper: voc12)" in text


def test_axes_under_the_papers_profile_have_one_default() -> None:
    cells = [
        cell.text for grid in catalogue.axis_grids(profile.load("paper")) for row in grid.rows for cell in row.cells
    ]
    assert "voc12" in cells
    assert not any("(paper:" in text for text in cells)


@pytest.mark.parametrize("name", table_file.names())
def test_any_table_is_listed_with_all_that_it_holds(name: str, looked_at: Store) -> None:
    spec = table_file.load(name)
    grids = list(catalogue.named(name, looked_at))
    cells = [cell.text for grid in grids for row in grid.rows for cell in row.cells]
    notes = [text for grid in grids for _, text in grid.notes]
    for row in spec.rows:
        assert [row.key, " | ".join(row.labels), " ".join(row.overrides)] == cells[
            (at := cells.index(row.key)) : at + 3
        ]
        assert not row.note or row.note in notes
    assert all(column.key in cells and column.header in cells and column.metric in cells for column in spec.columns)
    for claim in spec.claims:
        assert f"{claim.says} ({claim.kind.replace('_', ' ')}, {claim.where})" in cells
    assert spec.title in grids[0].title
    assert not spec.note or spec.note in notes
    assert not spec.remark or f"The paper: {spec.remark}" in notes


def test_studies_are_listed_with_what_of_them_is_done(looked_at: Store) -> None:
    (grid,) = catalogue.named("studies", looked_at)
    rows = {row.cells[1].text: row.cells for row in grid.rows}
    assert list(rows) == ["table4", "table6", next(name for name in rows if name.startswith("train-"))]
    assert [cell.text for cell in rows["table4"][2:5]] == ["quick", "1", "10/11"]
    assert [cell.text for cell in rows["table6"][2:5]] == ["quick", "2", "6/6"]
    assert {cells[1].marks for cells in rows.values()} == {"*"}
    assert any("layers=[fc7]" in text for _, text in grid.notes), "the overrides of the command"


def test_the_study_that_is_taken_of_a_table_has_the_star(tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    spec, _ = sweep.expand(["norm=none,l2"])
    for seeds in ((0, 1, 2), (0,)):
        study.save(plan_table(spec, Composer(profile.load("quick"), [], store.cache), seeds).study, store)
    (grid,) = catalogue.named("studies", store)
    assert [(row.cells[1].marks, row.cells[3].text, row.cells[4].text) for row in grid.rows] == [
        ("", "1", "0/2"),
        ("*", "3", "0/2"),
    ]


def test_name_that_lists_nothing_is_told_the_nearest(looked_at: Store) -> None:
    with pytest.raises(UserError, match="Did you mean 'table4'"):
        list(catalogue.named("tabel4", looked_at))
    with pytest.raises(UserError, match="Did you mean 'studies'"):
        list(catalogue.named("studys", looked_at))
    with pytest.raises(UserError, match="there is none"):
        list(catalogue.named("mine", looked_at))
    (trained,) = [each.table.name for each in study.load_all(looked_at) if each.table.name.startswith("train-")]
    assert next(catalogue.named(trained, looked_at)).name == trained, "a study that has no file"


def test_both_are_listed_where_a_table_is_called_studies(
    looked_at: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ablations").mkdir()
    (tmp_path / "ablations" / "studies.yaml").write_text(
        "title: T\ndata: voc12\ncolumns: {m: {header: M, metric: mean_iu}}\nrows: {r: {label: [R]}}\n"
    )
    monkeypatch.chdir(tmp_path)
    titles = [grid.title for grid in catalogue.named("studies", looked_at)]
    assert titles[0].startswith("Studies of ")
    assert "T" in titles


def test_status_is_in_the_order_of_the_tables(status: Looked, looked_at: Store) -> None:
    lines = [line.split() for line in status().splitlines() if " seed " in line]
    newest = {each.table.name: each for each in study.load_all(looked_at)}
    assert [line[0] for line in lines] == newest["table4"].signatures + newest["table6"].signatures
    assert lines[0][2:6] == ["table4", "fcn32s", "raw", "seed"]


def test_status_is_narrowed_by_table_state_and_profile(status: Looked, looked_at: Store) -> None:
    def found(*tables: str, **options: object) -> list[tuple[str, str]]:
        lines = json.loads(status(*tables, as_json=True, **options))
        return [(line["serves"][0]["table"], line["state"]) for line in lines]

    assert len(found()) == len(looked_at.runs())
    assert set(found("table6")) == {("table6", "done")}
    assert found(state=["failed"]) == found("table4", state=["failed,lost"], profile="quick") == [("table4", "failed")]
    assert found("table6", state=["failed"]) == []
    assert "no runs like that" in status("table6", state=["failed"])
    with pytest.raises(UserError, match="Did you mean 'failed'"):
        status(state=["faild"])
    with pytest.raises(UserError, match="Did you mean 'table4'"):
        status("tabel4")


def test_status_as_json_says_what_each_run_is_for(status: Looked) -> None:
    first = json.loads(status("table4", as_json=True))[0]
    place = {"table": "table4", "profile": "quick", "row": "fcn32s", "column": "raw", "seed": 0}
    assert first["serves"] == [place, place | {"row": "fc7"}]


def test_status_reads_each_result_and_the_folder_once(
    status: Looked, looked_at: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: Counter[str] = Counter()

    def counted(owner: type, name: str) -> None:
        function = getattr(owner, name)

        def wrapper(*arguments: object) -> object:
            calls[name] += 1
            return function(*arguments)

        monkeypatch.setattr(owner, name, wrapper)

    counted(Run, "result")
    counted(Store, "_entries")
    status("table6")
    assert calls == {"result": 12, "_entries": 1}


def test_status_asked_about_a_run_of_no_study_shows_it_last(status: Looked, tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    study.save(plan_table(sweep.single([])[0], Composer(profile.load("quick"), [], store.cache), [0]).study, store)
    (planned,) = study.load_all(store)
    wanted = looking.Wanted()
    runs = [store.run("0" * 12), store.run(planned.signatures[0])]
    places = study.places([planned])
    assert [run.signature for run in wanted.runs(runs, places)] == [planned.signatures[0], "0" * 12]
    assert wanted.runs(runs, places) != looking.Wanted(profile="quick").runs(runs, places)


def test_a_done_run_fits_a_screen(looked_at: Store) -> None:
    for run in looked_at.runs():
        lines = run_page.screen(run, study.load_all(looked_at), 80)
        assert len(lines) <= 24
        assert max(map(len, lines)) <= 80
    text = "\n".join(run_page.screen(shared(looked_at), study.load_all(looked_at), 80))
    result = shared(looked_at).done_result()
    assert f"mean IU {100 * (result.metrics['mean_iu'] or 0):.2f}" in text
    assert f"cat {100 * (result.iu['cat'] or 0):.2f}" in text
    assert "table4 (quick): row fcn32s, column raw, seed 0 (and 5 more)" in text
    assert "unknown code (--rerun-stale)" in text
    assert f"parsenet show {result.signature} --all" in " ".join(text.split())


def test_even_a_run_with_long_texts_and_much_to_say_fits_a_screen(looked_at: Store, tmp_path: Path) -> None:
    config = shared(looked_at).config()
    store = Store(tmp_path / "results")
    run = add_run(store, config, iu={f"a class with a long name {number}": 0.5 for number in range(60)})
    run.record_result(run.done_result(), run.confusions_file)
    (run.folder / "earlier-unknown-1").mkdir()
    run.confusions_file.write_bytes(b"damaged")
    for number in range(60):
        (run.folder / f"something-else-{number}").touch()
    lines = run_page.screen(run, study.load_all(store), 80)
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert "damaged or gone: confusion.npz; replaced results: earlier-unknown-1" in " ".join(lines)


def test_a_failed_run_shows_its_error_and_the_end_of_its_log(looked_at: Store) -> None:
    (failed,) = [run for run in looked_at.runs() if run.state() == "failed"]
    lines = run_page.screen(failed, study.load_all(looked_at), 80)
    assert lines[0] == f"{failed.signature}  failed  the disk is full"
    assert [line.split()[-1] for line in lines if line.startswith("log")] == ["25", "26", "27", "28", "29"]
    assert len(lines) <= 24


def shared(store: Store) -> Run:
    """The run of Table 4 that was trained alone too, before the table."""
    return store.run(study.load_all(store)[0].signatures[0])


def test_a_run_is_judged_by_its_tables_cell_whatever_study_came_first(looked_at: Store) -> None:
    run = shared(looked_at)
    assert study.load_all(looked_at)[0].table.name.startswith("train-")
    text = " ".join("\n".join(run_page.everything(run, study.load_all(looked_at))).split())
    assert "data=synthetic_context: deviates from data=pascal_context" in text
    assert "data=voc12" not in text
    assert "deviates in nothing beyond what profile quick replaces" in " ".join(
        "\n".join(run_page.screen(run, study.load_all(looked_at), 80)).split()
    )


def test_question_that_does_not_arise_is_no_deviation_of_a_grid(tmp_path: Path) -> None:
    """Two questions share the key `body`; only one of them is about this network."""
    store = Store(tmp_path / "results")
    spec, _ = sweep.expand(["norm=none,l2"])
    plan = plan_table(spec, Composer(profile.load("quick"), [], store.cache), [0])
    for config in plan.configs.values():
        store.run(config.signature).create(config)
    saved = study.save(plan.study, store)
    text = "\n".join(run_page.everything(store.run(saved.signatures[0]), study.load_all(store)))
    assert "body=reduced: default" in text
    assert "body=deeplab" not in text

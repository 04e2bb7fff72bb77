"""Damage in a run's folder: a result is believed whole or not at all, and what else is damaged is said and costs no more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from parsenet_cli.cli.app import app
from parsenet_cli.core import npz, sealed
from parsenet_cli.core.errors import Stopped, UserError
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.core.sealed import Damaged
from parsenet_cli.engine import inputs, trained_model
from parsenet_cli.engine import train as training
from parsenet_cli.report import export
from parsenet_cli.report.build import build_report
from parsenet_cli.report.figures import context
from parsenet_cli.report.paper_table import paper_grid
from parsenet_cli.runner import clean
from parsenet_cli.runner.cost import CostModel
from parsenet_cli.store import artifacts, choice
from parsenet_cli.store import figures as figure_store
from parsenet_cli.store.frame import results_frame
from parsenet_cli.store.run import Run, Store
from parsenet_cli.store.study import read_runs
from tests import damage, made_store
from tests.conftest import changed
from tests.unit.engine.test_training import DATASET, adapted, never, planned, trainer

ARRAYS: dict[str, Callable[[Run], object]] = {
    "confusion.npz": artifacts.confusions,
    "predictions.npz": artifacts.predictions,
}
"""Files of arrays that belong to a result, and their readers."""


def with_checksums(run: Run) -> Run:
    """A run of `made_store` whose result names the files that belong to it, as a training writes it."""
    run.record_result(run.done_result(), run.confusions_file, run.predictions_file, run.metrics_file)
    return run


@pytest.fixture
def run(store: Store, config: RunConfig) -> Run:
    return with_checksums(made_store.add_run(store, config))


@pytest.fixture
def trained(store: Store, config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run that a few steps of training have made, with its model."""
    run = planned(store, adapted(config, iterations=3, keep_model=True))
    monkeypatch.setattr(inputs, "data", lambda *_: DATASET)
    training.train_run(run, store.cache, 1, never)
    return run


# --- checksums -------------------------------------------------------------------------------------------------------------


def test_every_bit_of_a_file_with_a_checksum_is_looked_at(tmp_path: Path) -> None:
    content = {"loss": 0.25, "names": ["cat", "é\n"], "state": None, "deep": {"b": 1, "a": -2}}
    file = tmp_path / "a.json"
    sealed.write_with_checksum(file, content)
    assert sealed.read_with_checksum(file) == content
    whole = file.read_bytes()
    for bit in range(8 * len(whole)):
        damage.flip(file, bit)
        assert sealed.read_verified(file, unsealed_too=True) in (None, content)
        file.write_bytes(whole)
    for length in range(len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(Damaged, match=r"a\.json: is damaged"):
            sealed.read_with_checksum(file, unsealed_too=True)


def test_absent_damaged_and_older_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    assert sealed.read_with_checksum(file) is None
    sealed.write_json(file, {"a": 1})
    assert sealed.read_with_checksum(file, unsealed_too=True) == {"a": 1}
    with pytest.raises(Damaged, match="it has no checksum"):
        sealed.read_with_checksum(file)
    file.write_text("[1, 2]")
    with pytest.raises(Damaged, match="no JSON object"):
        sealed.read_with_checksum(file, unsealed_too=True)
    file.unlink()
    file.mkdir()
    with pytest.raises(Damaged, match="cannot be read"):
        sealed.read_with_checksum(file)


def test_every_bit_of_an_archive_of_arrays_is_looked_at(tmp_path: Path) -> None:
    """zipfile itself passes over some: it does not count members, and reads no further than numpy asks it to."""
    file, rng = tmp_path / "a.npz", np.random.default_rng(0)
    written = {f"val_{i}": rng.integers(0, 3, (3, 4), np.uint8) for i in range(3)}
    np.savez_compressed(file, **written)  # type: ignore[arg-type]
    whole, seen = file.read_bytes(), 0
    for bit in range(8 * len(whole)):
        damage.flip(file, bit)
        try:
            stored = npz.read(file)
        except Damaged:
            seen += 1
        else:
            assert list(stored) == list(written)
            assert all(np.array_equal(stored[name], written[name]) for name in written)
            assert all(stored[name].dtype == np.uint8 for name in written)
        file.write_bytes(whole)
    assert seen > 4 * len(whole)


# --- the result --------------------------------------------------------------------------------------------------------


def test_damaged_result_alone_is_kept_beside_the_new_one_and_clean_offers_it(
    store: Store, trained: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    aside, before = trained.folder / "result.damaged.json", trained.done_result().metrics
    training.train_run(trained, store.cache, 1, never)
    assert not aside.exists()
    damage.at_random(trained.result_file, seed=1)
    damaged = trained.result_file.read_bytes()
    training.train_run(trained, store.cache, 1, never)
    assert "result.json is damaged or another run's: it is kept as result.damaged.json" in capsys.readouterr().out
    assert aside.read_bytes() == damaged
    assert trained.done_result().metrics == before
    pieces = [piece for piece in clean.removable(store, results_too=False)[0] if piece.kind != "caches"]
    assert [(piece.kind.partition(",")[0], piece.path) for piece in pieces] == [("damaged files", aside)]
    clean.remove(pieces, pytest.fail)
    assert not aside.exists()
    assert trained.state() == "done"


# --- the model ---------------------------------------------------------------------------------------------------------


def test_model_of_another_training_is_refused(trained: Run) -> None:
    model, classes = trained_model.load_model(trained)
    with torch.no_grad():
        next(model.parameters()).add_(1e-3)
    trained_model.save(trained, trained.config(), model, classes)
    with pytest.raises(Damaged, match="another training's"):
        trained_model.load_model(trained)


def test_model_that_is_there_is_replaced_by_the_new_training_s_even_where_it_is_not_asked_for(
    store: Store, trained: Run
) -> None:
    trained.create(changed(trained.config(), keep_model=False))
    trained.result_file.unlink()
    trained.model_file.write_bytes(b"of an earlier training")
    training.train_run(trained, store.cache, 1, never)
    trained_model.load_model(trained)


# --- arrays ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ARRAYS)
def test_array_files_that_are_not_the_result_s_are_seen(run: Run, name: str) -> None:
    """Whole, but exchanged: as when a folder was put together of two runs' files."""
    assert artifacts.damaged(run) == []
    np.savez_compressed(run.folder / name, confusions=np.zeros((1, 3, 3), np.int32), ids=np.array(["x"]))
    assert artifacts.damaged(run) == [name]
    with pytest.raises(Damaged, match=rf"{name}: is damaged or another training's.*issue the command again"):
        ARRAYS[name](run)


def test_cell_whose_number_cannot_be_made_is_damaged_and_not_left_out_silently(store: Store) -> None:
    """A metric that was added after the runs were done is made of their confusion matrices."""
    table = made_store.add_table(store, "table4")
    for run in map(store.run, table.signatures):
        run.record_result(replace(run.done_result(), metrics={}))
    cell = table.cells[0]
    damage.flip(store.run(cell.signature or "").confusions_file, 999)
    lines = results_frame(table, read_runs([table], store))
    assert list(lines["outcome"]).count("damaged") == sum(c.signature == cell.signature for c in table.cells)
    grid = paper_grid(table, lines, "")
    assert any("(n=2/3)" in cell.text for row in grid.rows for cell in row.cells)
    assert any(f"of run {cell.signature} cannot be read" in note for _, note in grid.notes)


@pytest.mark.parametrize("name", ARRAYS)
def test_figure_of_context_names_the_damaged_file(store: Store, name: str) -> None:
    table = made_store.add_table(store, "table6", (0,))
    made_store.add_images(store, store.run(table.signatures[0]).config().science.data_id)
    context.data(table, store)
    for signature in table.signatures:
        damage.at_random(store.run(signature).folder / name, seed=3)
    with pytest.raises(Damaged, match=rf"{name}: is damaged .*remove the folder"):
        context.data(table, store)


def test_report_shows_what_is_whole_and_names_what_is_not(store: Store) -> None:
    table = made_store.add_table(store, "table4")
    names = ["confusion.npz", "predictions.npz", "metrics.jsonl", "env.json", "result.json"]
    for signature, name in zip(table.signatures, names, strict=False):
        run = with_checksums(store.run(signature))
        run.record_environment(run.environment())
        damage.flip(run.folder / name, 8 * 30)
    figure_store.save(store, "scales", "key", {"figure": "scales"})
    damage.flip(figure_store.file_of(store, "scales", "key"), 8 * 5)
    text = build_report(store, None, store.root / "report").files[1].read_text()
    for name in names[:4]:
        assert f"has a damaged {name}" in text
    assert "has a result that is not believed, and counts as not done: result.json: is damaged" in text
    assert "figures/scales/key.json" in text
    assert "`parsenet figure scales` measures it again" in text.replace("\\`", "`")


# --- everything else ---------------------------------------------------------------------------------------------------


def test_damaged_and_torn_lines_of_the_curve_cost_themselves_alone(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    damage.flip(run.metrics_file, 8 * (len(run.metrics_file.read_bytes()) // 2))
    with run.metrics_file.open("a") as file:
        file.write('{"iteration": 60, "lo')
    assert [record["iteration"] for record in run.metrics()] == [10, 20, 40, 50]
    run.cut_metrics(40)
    assert "metrics.jsonl: 1 of 5 lines are damaged and left out" in capsys.readouterr().out
    assert [record["iteration"] for record in run.metrics()] == [10, 20, 40]
    assert run.metrics_file.read_text().count("\n") == 3


def test_export_says_that_a_curve_lacks_records(store: Store, tmp_path: Path) -> None:
    table = made_store.add_table(store, "table8", (0,))
    runs = [with_checksums(store.run(signature)) for signature in table.signatures]
    export.export_studies(store, "csv", [], None, tmp_path / "whole", pytest.fail)
    damage.flip(runs[0].metrics_file, 200)
    messages: list[str] = []
    export.export_studies(store, "csv", [], None, tmp_path / "damaged", messages.append)
    assert f"{runs[0].metrics_file}: is damaged" in messages[0]


def test_table_says_that_a_damaged_study_is_passed_over(store: Store) -> None:
    made_store.add_table(store, "table8", (0,))
    newer = made_store.add_table(store, "table8")
    damage.flip(store.studies / f"{newer.name}.json", 999)
    assert choice.of_table(store, "table8").name != newer.name
    answer = CliRunner().invoke(app, ["table", "table8", "--results", str(store.root)])
    assert answer.exit_code == 0
    assert f"{newer.name}.json: passed over" in answer.stderr


def test_finished_run_with_a_damaged_configuration_stands_in_nobody_s_way(store: Store, run: Run) -> None:
    damage.flip(run.config_file, 8 * 20)
    with pytest.raises(UserError, match=r"config\.yaml"):
        run.config()
    assert run.state() == "done"
    assert CostModel(store).per_step == {}
    assert clean.removable(store, results_too=False) == ([], 0)


def test_resumed_run_takes_as_many_threads_as_its_checkpoint_whatever_else_is_lost(config: RunConfig, run: Run) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        asked = iter([False, True])
        with pytest.raises(Stopped):
            trainer(adapted(config)).fit(run, lambda: next(asked))
        torch.set_num_threads(1)
        resumed = trainer(adapted(config))
        resumed.fit(run, never)
        assert (resumed.progress.threads, torch.get_num_threads()) == (2, 2)
    finally:
        torch.set_num_threads(before)

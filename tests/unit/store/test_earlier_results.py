"""A result that another one replaces stays beside it, with what belonged to it; the same again leaves nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from parsenet_cli.core.files import write_text
from parsenet_cli.runner import clean
from parsenet_cli.store.result import RunResult
from parsenet_cli.store.run import Run, Store

OLD, NEW = "0123456789ab", "ba9876543210"


def record(run: Run, code: str = OLD, mean_iu: float = 0.5) -> None:
    write_text(run.confusions_file, f"confusions by {code}")
    run.append_metrics({"iteration": 1, "by": code})
    run.record_result(RunResult(run.signature, "converged", metrics={"mean_iu": mean_iu}, code=code), run.metrics_file)


def train_again(run: Run, code: str, mean_iu: float = 0.5) -> None:
    run.set_result_aside()
    run.cut_metrics(0)
    record(run, code, mean_iu)


@pytest.mark.parametrize(("code", "name"), [(OLD, OLD), ("", "unknown"), (f"{OLD}+{NEW}", "other")])
def test_result_of_other_code_stays_with_its_files(run: Run, code: str, name: str) -> None:
    record(run, code)
    old = {file.name: file.read_bytes() for file in (run.result_file, run.confusions_file, run.metrics_file)}
    train_again(run, NEW)
    assert run.done_result().code == NEW
    (folder,) = run.earlier_results
    assert folder == run.folder / f"earlier-{name}-1"
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == old
    train_again(run, code)
    assert [path.name for path in run.earlier_results] == sorted([f"earlier-{NEW}-1", f"earlier-{name}-1"])


def test_training_that_was_interrupted_sets_aside_once(run: Run) -> None:
    record(run)
    run.set_result_aside()
    run.cut_metrics(0)
    train_again(run, NEW)
    (folder,) = run.earlier_results
    assert b'"by"' in (folder / run.metrics_file.name).read_bytes()


def test_links_among_the_earlier_results_are_not_followed(run: Run, tmp_path: Path) -> None:
    record(run)
    private = tmp_path / "private"
    private.write_bytes(run.result_file.read_bytes())
    (run.folder / "earlier-elsewhere").symlink_to(tmp_path)
    (run.folder / f"earlier-{OLD}-1").mkdir()
    (run.folder / f"earlier-{OLD}-1" / run.result_file.name).symlink_to(private)
    train_again(run, NEW)
    assert [path.name for path in run.earlier_results] == [f"earlier-{OLD}-1", f"earlier-{OLD}-2"]
    assert {path.name for path in tmp_path.iterdir()} == {"private", "results"}


def test_same_result_again_leaves_nothing_and_another_number_of_the_same_code_is_kept(run: Run) -> None:
    record(run)
    train_again(run, OLD)
    assert run.earlier_results == []
    train_again(run, OLD, mean_iu=0.51)
    assert len(run.earlier_results) == 1


def test_files_are_copied_where_there_are_no_hard_links(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("the file system has none")

    record(run)
    monkeypatch.setattr(os, "link", refuse)
    train_again(run, NEW)
    (folder,) = run.earlier_results
    assert (folder / run.confusions_file.name).read_text() == f"confusions by {OLD}"


def test_earlier_results_go_with_finished_ones_alone_and_by_name(store: Store, run: Run) -> None:
    record(run)
    train_again(run, NEW)
    (folder,) = run.earlier_results

    def found(results_too: bool) -> list[Path]:
        return [piece.path for piece in clean.removable(store, results_too)[0]]

    assert found(results_too=False) == []
    assert found(results_too=True) == [folder, run.folder]
    run.result_file.unlink()  # the run is not done any more: what is beside is all there is
    run.update_status(state="failed", iteration=1, steps=2)
    assert found(results_too=False) == []
    assert found(results_too=True) == [folder, run.folder]

"""Cleaning: what can be made again goes, what is at work or finished stays, and nothing outside of the folder is touched."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from parsenet_cli.core.files import write_text
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.runner import clean
from parsenet_cli.store.run import Run, Store
from tests.conftest import changed
from tests.fake_slurm import FakeSlurm
from tests.fakes import succeed


def add(store: Store, config: RunConfig, state: str) -> Run:
    """A run in this state, with both checkpoints."""
    run = store.run(config.signature)
    run.create(config)
    for file in run.checkpoints:
        file.write_bytes(b"0123456789")
    if state != "queued":
        run.update_status(state={"lost": "running"}.get(state, state), iteration=30, steps=50)
    if state == "done":
        succeed(run)
    return run


def old(file: Path) -> Path:
    write_text(file, "half of it")
    os.utime(file, (time.time() - 2 * clean.AGE_SECONDS,) * 2)
    return file


@pytest.fixture
def runs(store: Store, config: RunConfig) -> dict[str, Run]:
    return {
        state: add(store, changed(config, seed=i), state)
        for i, state in enumerate(("done", "failed", "lost", "queued"))
    }


def found(store: Store, results_too: bool = False) -> list[clean.Piece]:
    return clean.removable(store, results_too)[0]


def working(store: Store) -> int:
    return clean.removable(store, results_too=False)[1]


def snapshot(root: Path) -> dict[str, bytes]:
    return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.is_file()}


def test_all_but_finished_and_waiting_runs_goes(store: Store, runs: dict[str, Run]) -> None:
    write_text(store.cache / "data" / "scenes.u8", "x" * 100)
    temporary = old(runs["queued"].folder / ".status.json.7.tmp")
    pieces, working = clean.removable(store, results_too=False)
    assert working == 0
    assert {(piece.kind, piece.path) for piece in pieces} == {
        ("temporary files", temporary),
        ("caches", store.cache / "data"),
        *(("checkpoints of done runs", file) for file in runs["done"].checkpoints),
        *(("failed and lost runs", runs[state].folder) for state in ("failed", "lost")),
    }
    result = runs["done"].result_file.read_bytes()
    waiting = {name: content for name, content in snapshot(runs["queued"].folder).items() if name != temporary.name}
    freed = clean.remove(pieces, pytest.fail)
    assert freed == sum(piece.bytes for piece in pieces) > 100
    assert runs["done"].result_file.read_bytes() == result
    assert {name: text for name, text in snapshot(runs["queued"].folder).items() if name != "lock"} == waiting
    assert [run.state() for run in runs.values()] == ["done", "new", "new", "queued"]
    assert not any(store.cache.iterdir())
    assert clean.removable(store, results_too=False) == ([], 0)


def test_finished_results_go_only_when_that_is_asked_for(store: Store, runs: dict[str, Run]) -> None:
    for results_too in (False, True):
        paths = {piece.path for piece in found(store, results_too)}
        assert (runs["done"].folder in paths) is results_too
    clean.remove(found(store, True), pytest.fail)
    assert runs["done"].state() == "new"


def test_nothing_of_a_running_run_goes_and_caches_stay_while_there_is_one(store: Store, runs: dict[str, Run]) -> None:
    write_text(store.cache / "data", "x")
    with runs["lost"].lock():
        pieces, working = clean.removable(store, results_too=True)
        assert (working, {piece.path for piece in pieces}) == (1, {runs["done"].folder})
        with runs["done"].lock():  # it is trained again for its model
            assert clean.removable(store, results_too=True) == ([], 2)


def test_run_that_was_planned_and_never_begun_goes_after_an_hour(store: Store, config: RunConfig) -> None:
    """A driver may be about to start a younger one."""
    run = store.run(config.signature)
    run.create(config)
    assert found(store) == []
    os.utime(run.config_file, (time.time() - 2 * clean.AGE_SECONDS,) * 2)
    (piece,) = found(store)
    assert (piece.kind, piece.path) == ("runs that never began", run.folder)
    run.log.write_text("training")
    assert found(store) == []


def test_nothing_of_a_run_goes_whose_job_may_still_start(
    store: Store, runs: dict[str, Run], fake_slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One whose node died counts as lost until Slurm starts its job again."""
    write_text(store.cache / "data", "x")
    runs["lost"].record_job("7_1")
    runs["failed"].record_job("7_2")

    def kinds_of_what_goes() -> set[str]:
        return {piece.kind for piece in found(store)}

    fake_slurm.queue = {"7_1": "PENDING"}
    assert kinds_of_what_goes() == {"checkpoints of done runs"}
    assert working(store) == 1
    fake_slurm.queue = {}
    assert {"caches", "failed and lost runs"} < kinds_of_what_goes()
    fake_slurm.silent(True)
    assert working(store) == 2, "where the queue cannot be asked, both may be in it"
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert working(store) == 2
    for state in ("lost", "failed"):
        runs[state].cancel()
    assert {"caches", "failed and lost runs"} < kinds_of_what_goes()


def test_run_that_comes_to_life_or_finishes_after_it_was_shown_is_left(store: Store, runs: dict[str, Run]) -> None:
    pieces = [piece for piece in found(store) if piece.kind == "failed and lost runs"]
    succeed(runs["failed"])
    said: list[str] = []
    with runs["lost"].lock():
        assert clean.remove(pieces, said.append) == 0
    assert sorted(text.partition(": ")[2] for text in said) == [
        "left alone, it has finished now",
        "left alone, it is at work now",
    ]
    assert [runs[state].state() for state in ("failed", "lost")] == ["done", "lost"]


def test_checkpoint_of_a_run_that_is_trained_again_for_its_model_stays(store: Store, config: RunConfig) -> None:
    run = add(store, changed(config, keep_model=True), "done")
    assert found(store) == []
    run.model_file.touch()
    assert {piece.path for piece in found(store)} == set(run.checkpoints)


def test_links_are_not_followed_and_young_temporary_files_stay(
    store: Store, runs: dict[str, Run], tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    old(elsewhere / ".kept.tmp")
    write_text(elsewhere / "photo.jpg", "an image")
    store.cache.symlink_to(elsewhere)
    (runs["failed"].folder / "photos").symlink_to(elsewhere)
    (store.root / "linked").symlink_to(elsewhere)
    write_text(store.root / "studies" / ".young.tmp", "being written")
    before = snapshot(elsewhere)
    clean.remove(found(store, True), pytest.fail)
    assert snapshot(elsewhere) == before
    assert (store.root / "studies" / ".young.tmp").is_file()
    assert runs["failed"].state() == "new"

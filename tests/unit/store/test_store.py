"""Run folders: what counts as done, how a run stands, and that nothing is half-written."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from parsenet_cli.core import files, sealed
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.store.result import RunResult
from parsenet_cli.store.run import Busy, Run, Store
from tests.conftest import changed

HOLDER = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.readline()
"""


def finish(run: Run) -> None:
    run.record_result(RunResult(run.signature, "converged"))


def test_planned_run_is_queued_with_its_configuration_frozen(run: Run, config: RunConfig) -> None:
    assert run.state() == "queued"
    assert run.config() == config


def test_run_without_its_model_is_done_but_not_for_those_who_ask_for_it(run: Run) -> None:
    finish(run)
    asked = changed(run.config(), keep_model=True).runtime
    assert (run.state(), run.state(asked)) == ("done", "queued")
    run.model_file.touch()
    assert run.state(asked) == "done"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"signature": "another"}'])
def test_torn_or_foreign_result_is_not_believed_and_is_said(store: Store, run: Run, content: str) -> None:
    assert store.skipped() == []
    run.result_file.write_text(content)
    assert (run.result(), run.state()) == (None, "queued")
    (sentence,) = store.skipped()
    assert run.signature in sentence
    assert "does it again" in sentence


def test_run_that_ends_while_it_is_looked_at_is_done_and_not_lost(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.update_status(state="running")

    def ends(run: Run) -> bool:
        finish(run)
        return False

    monkeypatch.setattr(Run, "alive", ends)
    assert run.state() == "done"


def test_lock_is_held_by_one_process_and_a_run_that_nobody_holds_any_more_is_lost(run: Run) -> None:
    run.update_status(state="running")
    with run.lock():
        assert run.state() == "running"
        with pytest.raises(Busy), run.lock(wait=0.1):
            pass
    assert run.state() == "lost"


def test_lock_dies_with_its_process(run: Run) -> None:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no branch
        with run.lock():
            os.write(write, b"held")
            os.read(os.pipe()[0], 1)
    assert os.read(read, 4) == b"held"
    assert run.alive()
    os.kill(child, 9)
    os.waitpid(child, 0)
    assert not run.alive()


@pytest.mark.parametrize("text", ["1e5", "0123", "null", "yes", "a: b", "ä ✓", "${x}", "1_0", "2020-01-01", "0o7"])
def test_configuration_survives_whatever_its_texts_look_like_and_whoever_wrote_it(
    store: Store, config: RunConfig, text: str
) -> None:
    """Stores of earlier versions were written by OmegaConf."""
    config = changed(config, data_id=text, weights=text, norm_decay=1e-05, data_root=text)
    run = store.run(config.signature)
    run.create(config)
    assert run.config() == config
    run.config_file.write_text(OmegaConf.to_yaml(config.model_dump(mode="json")), encoding="utf-8")
    assert run.config() == config


def test_edited_configuration_is_refused(run: Run) -> None:
    run.config_file.write_text(run.config_file.read_text().replace("norm: l2", "norm: none"))
    with pytest.raises(UserError, match="its content has signature"):
        run.config()


def test_prefix_finds_one_run_and_names_the_choices_otherwise(store: Store, run: Run, config: RunConfig) -> None:
    assert store.find(run.signature[:4]) == run
    with pytest.raises(UserError, match="0 runs"):
        store.find("zzz")
    other = changed(config, seed=5)
    store.run(other.signature).create(other)
    with pytest.raises(UserError, match=run.signature):
        store.find("")


@pytest.mark.parametrize(
    ("code", "says"), [(errno.ENOSPC, "disk is full"), (errno.EROFS, "read-only"), (errno.EACCES, "may not")]
)
def test_refused_write_says_what_to_do_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, says: str
) -> None:
    file = tmp_path / "result.json"
    sealed.write_json(file, {"old": 1})

    def refuse(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(UserError, match=says):
        sealed.write_json(file, {"new": 2})
    assert json.loads(file.read_text()) == {"old": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["result.json"]


def test_results_folder_that_is_a_file_or_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("not a folder")
    with pytest.raises(UserError, match="a file stands where a folder was expected"):
        Store(tmp_path / "results").check_writable()
    with pytest.raises(UserError, match=r"^/proc/nowhere: .*--results$"):
        Store(Path("/proc/nowhere")).check_writable()


def test_who_waits_for_another_process_says_so_again_and_again(tmp_path: Path) -> None:
    """Otherwise a driver would take the waiting for a hang."""
    lock, times = tmp_path / "lock", 0
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(lock)], stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"

    def waiting(_text: str) -> None:
        nonlocal times
        times += 1
        if times == 3:
            holder.communicate(b"go\n")

    for _ in range(2):
        with files.file_lock(lock, "work", waiting):
            assert times == 3

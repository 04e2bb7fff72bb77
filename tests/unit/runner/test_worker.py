"""A worker that cannot even say how it fares: it leaves with a sentence in its log, and never with a traceback."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import NotWritten
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.engine import inputs
from parsenet_cli.runner import worker
from parsenet_cli.runner.launcher import Task
from parsenet_cli.runner.retry import next_action
from parsenet_cli.store.run import Run, Store
from tests.conftest import changed


def raising(problem: Exception) -> Callable[..., Any]:
    def refuse(*_: object, **__: object) -> None:
        raise problem

    return refuse


@pytest.mark.parametrize(("task", "refused"), [("train", "update_status"), ("data", "update_prerequisite")])
def test_worker_on_a_full_disk_leaves_a_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], task: Task, refused: str
) -> None:
    monkeypatch.setattr(Run, refused, raising(UserError("status.json: the disk is full")))
    assert worker.run_task(run, task, 1) == worker.BAD_INPUT
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1] == "error: status.json: the disk is full"
    assert printed.err == ""


def test_worker_that_cannot_lock_its_run_says_why(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Run, "lock", raising(UserError("lock: the file system is read-only")))
    assert worker.run_task(run, "train", 1) == worker.BAD_INPUT
    status = run.status()
    assert (status.state, status.bad_input, status.error) == ("failed", True, "lock: the file system is read-only")
    assert capsys.readouterr().out == "error: lock: the file system is read-only\n"


@pytest.mark.parametrize(("problem", "failures"), [(NotWritten("the disk is full"), 0), (UserError("no such file"), 2)])
def test_full_disk_is_no_failure_of_the_run(
    run: Run, monkeypatch: pytest.MonkeyPatch, problem: UserError, failures: int
) -> None:
    """Otherwise its tries would be exhausted after the second time."""
    monkeypatch.setattr(Run, "config", raising(problem))
    for _ in range(2):
        assert worker.run_task(run, "train", 1) == worker.BAD_INPUT
    assert (run.status().failures, run.status().bad_input) == (failures, True)
    assert next_action(run, retry=False) == ("run" if failures == 0 else "exhausted")


def test_signal_while_data_are_prepared_is_heard_before_the_training(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.update_status(state="running", iteration=2)
    told: list[str] = []

    def prepare_data(_config: RunConfig, _cache: Path, progress: Callable[[str], None]) -> None:
        for text in ("decoding: 1 of 3", "decoding: 2 of 3", "decoding: 3 of 3"):
            told.append(text)
            progress(text)
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(inputs, "data", prepare_data)
    assert worker.run_task(run, "train", 1) == worker.STOPPED
    assert told == ["decoding: 1 of 3", "decoding: 2 of 3"]
    assert (run.state(), run.status().iteration) == ("queued", 2)


@pytest.mark.parametrize(("inside", "code"), [(False, worker.BAD_INPUT), (True, 1)])
def test_file_of_the_user_that_cannot_be_read_is_bad_input(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    inside: bool,
    code: int,
) -> None:
    file = run.folder / "x" if inside else tmp_path / "photos/JPEGImages/p1.jpg"
    monkeypatch.setattr(Run, "config", raising(IsADirectoryError(errno.EISDIR, "Is a directory", str(file))))
    assert worker.run_task(run, "train", 1) == code
    assert (run.status().bad_input, str(file) in run.status().error) == (not inside, True)
    assert ("Traceback" in "".join(capsys.readouterr())) == inside


@pytest.mark.parametrize(
    ("device", "given_gpu", "said"),
    [
        ("cuda", False, "device=cuda: PyTorch finds no CUDA device here"),
        ("auto", True, "device=auto: this run was given a GPU, but PyTorch finds no CUDA device here"),
    ],
)
def test_gpu_that_is_missing_on_the_node_is_the_same_sentence_and_bad_input(
    device: str, given_gpu: bool, said: str, store: Store, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    config = changed(config, device=device)
    run = store.run(config.signature)
    run.create(config)
    assert worker.run_task(run, "train", 1, given_gpu=given_gpu) == worker.BAD_INPUT
    assert run.status().error.startswith(said)


@pytest.mark.parametrize(("gpu", "given"), [("GPU-1", True), ("", True), (None, False)])
def test_worker_that_was_given_a_gpu_demands_one(
    gpu: str | None, given: bool, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`auto` would train for days on the CPU of a machine whose PyTorch does not see the GPU."""
    asked: list[bool] = []
    monkeypatch.setattr(worker, "run_task", lambda *_, given_gpu: asked.append(given_gpu))
    monkeypatch.setattr(worker, "append_to", lambda _: os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY))
    for name in ("dup2", "setsid"):
        monkeypatch.setattr(os, name, lambda *_: None)
    for name in ("signal", "pthread_sigmask"):
        monkeypatch.setattr(signal, name, lambda *_: None)
    monkeypatch.setattr("sys.stdout", None)
    monkeypatch.setattr("sys.stderr", None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "as-it-was")
    with pytest.raises(SystemExit):
        worker.main(str(run.folder), gpu=gpu)
    assert asked == [given]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == (gpu or "as-it-was")

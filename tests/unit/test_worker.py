"""A worker that cannot even say how it fares: it leaves with a sentence in its log, and never with a traceback."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import NotWritten
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.engine import inputs
from parsenet_cli.runner import scheduler, worker
from parsenet_cli.runner.launch.inline import Inline
from parsenet_cli.runner.retry import next_action
from parsenet_cli.runner.worker import Task
from parsenet_cli.store.run import Run, Store
from tests.pretending import Silent


@pytest.mark.parametrize(("task", "refused"), [("train", "update_status"), ("data", "say_preparation")])
def test_worker_on_a_full_disk_leaves_a_sentence(
    config: RunConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    task: Task,
    refused: str,
) -> None:
    def full(self: Run, *_: object, **said: Any) -> None:
        raise UserError("status.json: the disk is full")

    run = Run(tmp_path / "runs" / config.signature)
    run.create(config)
    monkeypatch.setattr(Run, refused, full)
    assert worker.run_task(run, task, 1) == worker.BAD_INPUT
    said = capsys.readouterr()
    assert said.out.splitlines()[-1] == "error: status.json: the disk is full"
    assert said.err == ""


def test_worker_that_cannot_lock_its_run_says_why(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def read_only(self: Run, wait: float = 0.0) -> None:
        raise UserError("lock: the file system is read-only")

    run = Run(tmp_path / "runs" / config.signature)
    run.create(config)
    monkeypatch.setattr(Run, "lock", read_only)
    assert worker.run_task(run, "train", 1) == worker.BAD_INPUT
    said = run.status()
    assert (said["state"], said["bad_input"], said["error"]) == ("failed", True, "lock: the file system is read-only")
    assert capsys.readouterr().out == "error: lock: the file system is read-only\n"


@pytest.mark.parametrize(("problem", "failures"), [(NotWritten("the disk is full"), 0), (UserError("no such file"), 2)])
def test_full_disk_is_no_failure_of_the_run(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: UserError, failures: int
) -> None:
    """Otherwise it would be given up after the second time."""

    def refuse(self: Run) -> RunConfig:
        raise problem

    run = Run(tmp_path / "runs" / config.signature)
    run.create(config)
    monkeypatch.setattr(Run, "config", refuse)
    for _ in range(2):
        assert worker.run_task(run, "train", 1) == worker.BAD_INPUT
    assert (run.status().failures, run.status().bad_input) == (failures, True)
    assert next_action(run, retry=False) == ("run" if failures == 0 else "given up")


def test_signal_while_data_are_prepared_is_heard_before_the_training(
    config: RunConfig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store.run(config.signature)
    run.create(config)
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


def test_interrupt_of_a_preparation_in_the_commands_own_process_is_no_failure_of_it(
    config: RunConfig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(inputs, "data", interrupted)
    with pytest.raises(KeyboardInterrupt):
        scheduler.run_sweep(store, {config.signature: config}, Inline(1), Silent())
    assert store.run(config.signature).state() == "queued"

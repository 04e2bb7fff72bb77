"""What a signal means to a job that only prepares; jobs that train are told to on a real Slurm."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from parsenet_cli.runner import worker
from parsenet_cli.runner.launch.slurm import job
from parsenet_cli.runner.launch.slurm.job import Job


@pytest.fixture
def handlers() -> Iterator[None]:
    """As they were."""
    numbers = (signal.SIGUSR2, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize(("restarts", "requeued"), [(0, True), (2, True), (3, False)])
def test_preparation_at_its_time_limit_is_requeued_as_often_as_allowed_and_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restarts: int, requeued: bool
) -> None:
    """After that the runs that wait for it make themselves what they need."""
    happened: list[str] = []
    monkeypatch.setenv("SLURM_RESTART_COUNT", str(restarts))
    monkeypatch.setattr(job, "_put_back", lambda: happened.append("requeued"))

    def prepare(*_: object) -> None:
        signal.signal(signal.SIGTERM, lambda *_: happened.append("left"))
        signal.raise_signal(signal.SIGUSR2)

    monkeypatch.setattr(worker, "main", prepare)
    Job(str(tmp_path), "data", threads=1, requeues=3)()
    assert happened == (["requeued", "left"] if requeued else ["left"])

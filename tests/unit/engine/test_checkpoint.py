"""Checkpoints: two are kept, a damaged one is never read, and writing them has its share of the time and no more."""

from __future__ import annotations

import errno
import io
import os
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from parsenet_cli.core.errors import UserError
from parsenet_cli.engine import checkpoint
from parsenet_cli.engine.checkpoint import SHARE, CheckpointSchedule, TrainState
from parsenet_cli.engine.optim import SGD, Group
from parsenet_cli.store.run import Run
from tests import damage


class Small:
    """A model with its optimiser, at an iteration that its weights tell."""

    def __init__(self, iteration: int = 0) -> None:
        self.model = nn.Linear(40, 30)
        self.optimizer = SGD([Group(1.0, 1.0, dict(self.model.named_parameters()))], 0.9, 0.0, 1)
        self.progress = TrainState(iteration=iteration)
        nn.init.constant_(self.model.weight, float(iteration))

    def save(self, run: Run) -> None:
        checkpoint.save(run, self.model, self.optimizer, self.progress)


def restored(run: Run) -> int:
    """The iteration that a new process goes on from; its weights must be of the same."""
    new = Small()
    checkpoint.restore(run, new.model, new.optimizer, new.progress)
    assert bool((new.model.weight == new.progress.iteration).all())
    return new.progress.iteration


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run(tmp_path / "run")
    run.folder.mkdir()
    for iteration in (1, 2, 3):
        Small(iteration).save(run)
    return run


def test_newest_is_taken_up_and_the_last_two_are_kept(run: Run) -> None:
    assert set(run.folder.iterdir()) == set(run.checkpoints)
    assert restored(run) == 3
    run.checkpoints[0].unlink()
    assert restored(run) == 2


def test_any_flipped_bit_of_the_newest_falls_back_to_the_older(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    newest, _ = run.checkpoints
    whole = newest.read_bytes()
    draw = random.Random(0)
    for at in (0, 8 * len(whole) - 1, *(draw.randrange(8 * len(whole)) for _ in range(60))):
        newest.write_bytes(whole)
        damage.flip(newest, at)
        assert restored(run) == 2, f"bit {at}"
        assert not newest.exists()
    assert "checkpoint.pt cannot be read" in capsys.readouterr().out


@pytest.mark.parametrize("part", [0.0, 0.3, 0.999])
def test_truncated_newest_falls_back_to_the_older(run: Run, part: float) -> None:
    newest, _ = run.checkpoints
    os.truncate(newest, int(part * newest.stat().st_size))
    assert restored(run) == 2


def test_run_starts_afresh_when_both_are_damaged_and_its_log_says_so(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in run.checkpoints:
        damage.flip(file, 4000)
    new = Small()
    before = {name: value.clone() for name, value in new.model.state_dict().items()}
    checkpoint.restore(run, new.model, new.optimizer, new.progress)
    assert new.progress == TrainState()
    assert all(torch.equal(value, before[name]) for name, value in new.model.state_dict().items())
    printed = capsys.readouterr().out
    assert printed.count("cannot be read") == 2
    assert "starting afresh" in printed


def test_what_cannot_be_read_back_takes_no_ones_place(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def flipping(file: Path) -> None:
        damage.flip(file, 1000)
        verify(file)

    verify = checkpoint._verify
    monkeypatch.setattr(checkpoint, "_verify", flipping)
    with pytest.raises(OSError, match="checksum"):
        Small(4).save(run)
    assert set(run.folder.iterdir()) == set(run.checkpoints)
    assert restored(run) == 3


@pytest.mark.parametrize("room", [0, 100, 3000, 100_000])
def test_full_disk_is_told_as_what_it_is(room: int) -> None:
    """torch.save makes a RuntimeError of what the disk says in the middle of a file."""

    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            if self.tell() >= room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(data)

    with pytest.raises(OSError, match="No space left"):
        checkpoint._Summed(Full()).save({"model": {"weight": torch.zeros(100_000)}, "progress": {"iteration": 3}})


def test_death_between_the_two_renames_loses_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    replace, calls = Path.replace, []

    def dying(self: Path, target: Any) -> Path:
        calls.append(target)
        if len(calls) == 2:
            raise SystemExit("killed")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", dying)
    with pytest.raises(SystemExit):
        Small(4).save(run)
    monkeypatch.undo()
    assert restored(run) == 3


@given(
    every=st.floats(0, 60),
    step=st.floats(0.01, 20),
    writing=st.lists(st.floats(0.001, 30), min_size=1, max_size=5),
)
def test_writing_never_takes_more_than_its_share_once_it_is_known_how_long_it_takes(
    every: float, step: float, writing: list[float]
) -> None:
    """Costs that do not grow: with the first checkpoint set aside, the others stay within the share at every moment."""
    costs = sorted(writing, reverse=True)
    now, spent, wrote = 0.0, 0.0, 0
    schedule = CheckpointSchedule(every, now)
    for _ in range(2000):
        now += step
        if schedule.due(now):
            cost = costs[min(wrote, len(costs) - 1)]
            schedule.wrote(now, now + cost)
            now, spent, wrote = now + cost, spent + cost, wrote + 1
            assert wrote == 1 or spent <= SHARE * now
    assert (wrote > 0) == (2000 * step >= every)


def test_quick_writing_keeps_to_the_interval() -> None:
    schedule, wrote = CheckpointSchedule(30, 0), []
    for now in range(0, 200, 5):
        if schedule.due(now):
            schedule.wrote(now, now)
            wrote.append(now)
    assert wrote == [30, 60, 90, 120, 150, 180]


ONE, OTHER = "NVIDIA H100", "NVIDIA A100"


def test_history_of_devices_travels_with_the_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(tmp_path / "run")
    run.folder.mkdir()
    first = Small()
    first.progress.goes_on(ONE, "tf32", promised=False)
    first.progress.iteration = 40
    nn.init.constant_(first.model.weight, 40.0)
    first.save(run)
    for device in (ONE, OTHER, OTHER):
        new = Small()
        checkpoint.restore(run, new.model, new.optimizer, new.progress)
        new.progress.goes_on(device, "tf32", promised=False)
        new.save(run)
    assert new.progress.devices == [
        {"iteration": 0, "device": ONE, "arithmetic": "tf32"},
        {"iteration": 40, "device": OTHER, "arithmetic": "tf32"},
    ]
    said = "made so far on NVIDIA H100 (tf32); going on on NVIDIA A100 (tf32): the last bits may differ"
    assert capsys.readouterr().out.count(said) == 1


def test_checkpoint_of_another_card_is_refused_where_bits_were_promised() -> None:
    state = TrainState(iteration=40, devices=[{"iteration": 0, "device": ONE, "arithmetic": "tf32, deterministic"}])
    state.goes_on(ONE, "tf32, deterministic", promised=True)
    for device, computed in ((OTHER, "tf32, deterministic"), ("AMD EPYC", "tf32")):
        with pytest.raises(UserError) as refused:
            state.goes_on(device, computed, promised=True)
        assert str(refused.value).startswith(
            "deterministic=true: the checkpoint at iteration 40 was made on NVIDIA H100 (tf32, deterministic), and this is "
            f"{device} ({computed}), which does not give the same bits. Go on there, or say deterministic=false"
        )
    with pytest.raises(UserError, match="was made on a device that it does not name"):
        TrainState(iteration=40).goes_on(ONE, "tf32, deterministic", promised=True)
    afresh = TrainState()
    afresh.goes_on(OTHER, "tf32, deterministic", promised=True)
    assert [entry["device"] for entry in afresh.devices] == [OTHER]


@pytest.mark.parametrize("devices", [[{"iteration": -1, "device": ONE, "arithmetic": ""}], [{"device": ONE}], [{}]])
def test_checkpoint_whose_devices_are_none_is_damaged(devices: list[dict[str, Any]], tmp_path: Path) -> None:
    run, broken = Run(tmp_path / "run"), Small(3)
    run.folder.mkdir()
    broken.progress.devices = devices
    broken.save(run)
    assert restored(run) == 0

"""Processes on this machine: how many, on which GPU, and who waits, with processes that are only noted."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from parsenet_cli.core import paths
from parsenet_cli.core.errors import UserError
from parsenet_cli.runner.gpus import Gpu
from parsenet_cli.runner.launch import local
from parsenet_cli.runner.launcher import PREPARATION, Resources
from parsenet_cli.store.run import Run

RUN = Run(Path("runs/abc"))


@dataclass
class Process:
    """What the fork server would start."""

    args: tuple[Any, ...]
    lives: bool = False

    def start(self) -> None:
        self.lives = True

    def is_alive(self) -> bool:
        return self.lives


@dataclass
class Context:
    """In place of multiprocessing's."""

    started: list[Process] = field(default_factory=list)

    def Process(self, target: object, args: tuple[Any, ...]) -> Process:  # noqa: N802 as multiprocessing has it
        self.started.append(Process(args))
        return self.started[-1]


@pytest.fixture
def options() -> dict[str, Any]:
    content = yaml.safe_load((paths.shipped("conf") / "launcher/local.yaml").read_text())
    assert isinstance(content, dict)
    return content


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[Gpu]:
    """Eight cores; add GPUs to the list."""
    gpus: list[Gpu] = []
    monkeypatch.setattr(local, "visible", lambda: gpus)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    return gpus


def opened(options: dict[str, Any], jobs: int) -> tuple[local.Local, Context]:
    launcher, context = local.open_launcher(options, jobs, Path()), Context()
    vars(launcher)["_context"] = context
    return launcher, context


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("asked", "jobs", "found"),
    [({}, 100, (8, 1)), ({}, 3, (3, 2)), ({}, 0, (1, 8)), ({"slots": 2}, 100, (2, 4)), ({"threads": 3}, 100, (8, 3))],
)
def test_cores_are_shared_among_the_runs(
    options: dict[str, Any], asked: dict[str, int], jobs: int, found: tuple[int, int]
) -> None:
    launcher, _ = opened({**options, **asked}, jobs)
    assert (launcher.slots, launcher.threads) == found


def test_gpus_take_as_many_runs_as_they_may_share(options: dict[str, Any], machine: list[Gpu]) -> None:
    machine += [Gpu("0", 80000), Gpu("1", 80000)]
    assert opened(options, 100)[0].slots == 8
    assert opened({**options, "slots_per_gpu": 1}, 100)[0].slots == 2


def test_each_process_is_told_its_gpu(options: dict[str, Any], machine: list[Gpu]) -> None:
    machine += [Gpu("0", 80000), Gpu("GPU-7", 80000)]
    launcher, context = opened(options, 100)
    small = Resources(gpu_mb=30000)
    for needs in (Resources(), small, small):
        assert launcher.fits(needs)
        launcher.submit(RUN, "train", needs)
    assert [process.args[3] for process in context.started] == ["0", "GPU-7", "GPU-7"]
    assert {process.args[4] for process in context.started} == {str(Path.cwd())}, (
        "where the command has blocks of its own"
    )
    assert not launcher.fits(small)
    context.started[0].lives = False
    assert launcher.fits(Resources())


def test_runs_that_are_pinned_to_the_cpu_are_counted_by_its_cores(options: dict[str, Any], machine: list[Gpu]) -> None:
    machine += [Gpu("0", 80000)]
    launcher = local.open_launcher(options, 100, Path(), on_gpu=False)
    assert (launcher.slots, launcher.threads, launcher.on_gpu) == (8, 1, False)


def test_what_needs_no_gpu_is_given_none_and_waits_for_none(options: dict[str, Any], machine: list[Gpu]) -> None:
    machine += [Gpu("0", 80000)]
    launcher, context = opened(options, 100)
    launcher.submit(RUN, "train", Resources())
    assert not launcher.fits(Resources())
    for needs in (PREPARATION, Resources(gpu=False)):
        assert launcher.fits(needs)
        launcher.submit(RUN, "train", needs)
    assert [process.args[3] for process in context.started] == ["0", None, None]


def test_way_of_sharing_is_said_once(
    options: dict[str, Any], machine: list[Gpu], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine += [Gpu("0", 80000)]
    monkeypatch.setattr(local, "sharing", lambda: "CUDA's MPS")
    launcher, _ = opened(options, 100)
    for _ in range(3):
        launcher.submit(RUN, "train", Resources(gpu_mb=10))
    assert capsys.readouterr().err == "runs share a GPU by CUDA's MPS\n"


@pytest.mark.usefixtures("machine")
def test_on_a_cpu_a_run_is_alone_when_it_has_to_be(options: dict[str, Any]) -> None:
    launcher, context = opened(options, 100)
    alone = Resources(alone=True)
    launcher.submit(RUN, "train", Resources())
    assert context.started[0].args[3] is None
    assert launcher.fits(Resources())
    assert not launcher.fits(alone)
    context.started[0].lives = False
    assert launcher.fits(alone)
    launcher.submit(RUN, "train", alone)
    assert not launcher.fits(Resources())


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("key", "value"),
    [("slots", 0), ("threads", "two"), ("slots_per_gpu", None), ("resubmissions", -1), ("silence_seconds", 0)],
)
def test_wrong_option_is_named_with_what_was_expected(options: dict[str, Any], key: str, value: object) -> None:
    with pytest.raises(UserError, match=rf"launcher\.{key}=.*expected"):
        local.open_launcher({**options, key: value}, 1, Path())

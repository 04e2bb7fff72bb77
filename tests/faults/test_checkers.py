"""The fault tier can fail: each thing that must not happen is made to happen, and told."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from parsenet_cli.config import profile
from parsenet_cli.config.compose import Composer
from parsenet_cli.core.files import write_text
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.store.run import Run, Store
from tests.faults import journey as journeys
from tests.faults import observed, processes
from tests.faults.journey import Journey
from tests.faults.observed import Event
from tests.faults.study import FEW, Undisturbed, differences
from tests.made_store import add_run

BEGINNING = ["worker train", "from 0", "step 0", "step 1", "checkpoint 2", "checkpointed 2"]


def composed(store: Store, seed: int) -> RunConfig:
    return Composer(
        profile.load("quick"), ["weights=none", "recipe.frozen=[]", f"seed={seed}"], store.cache
    ).run_config()


def table(store: Store) -> Path:
    return store.tables / "quick" / "table.md"


def write_model(run: Run, value: int) -> None:
    save_file({"weight": np.full(3, value, np.float32)}, run.model_file, {"signature": run.signature})


@pytest.fixture
def undisturbed(tmp_path: Path) -> Undisturbed:
    """One that need not train."""
    folder = tmp_path / "undisturbed"
    folder.mkdir()
    made = Undisturbed(folder)
    store = made._made[FEW] = Store(made.new(folder / "made"))
    for seed in (0, 1):
        write_model(add_run(store, composed(store, seed)), seed)
    write_text(table(store), "| 1 |")
    return made


@pytest.fixture
def journey(tmp_path: Path, undisturbed: Undisturbed) -> Iterator[Journey]:
    """One at its end, with a store like the undisturbed one."""
    one = Journey("any-0", tmp_path / "journey", undisturbed, random.Random(0))
    shutil.copytree(undisturbed.store().root, one.results, dirs_exist_ok=True, ignore=shutil.ignore_patterns("cache"))
    yield one
    processes.kill_all(one.folder)


def kinds(journey: Journey) -> list[str]:
    journey.check()
    return [problem.kind for problem in journey.problems]


def change_scores(run: Run) -> None:
    with np.load(run.confusions_file) as stored:
        arrays = dict(stored)
    arrays["confusions"][0, 0, 0] += 1
    np.savez_compressed(run.confusions_file, **arrays)


def change_loss(run: Run) -> None:
    file = run.metrics_file
    file.write_text(file.read_text().replace("1000.0", "1000.0000000000001", 1))


CHANGES: dict[str, Callable[[Run], object]] = {
    "another result": lambda run: add_run(run.results, run.config(), steps=49),
    "other scores": change_scores,
    "another model": lambda run: write_model(run, 7),
    "another loss": change_loss,
    "another table": lambda run: write_text(table(run.results), "| 2 |"),
    "no table": lambda run: table(run.results).unlink(),
    "no run": lambda run: shutil.rmtree(run.folder),
    "no result": lambda run: run.result_file.unlink(),
    "a surplus run": lambda run: add_run(run.results, composed(run.results, 7)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_difference_is_told(journey: Journey, change: Callable[[Run], object]) -> None:
    expected = journey.undisturbed.store()
    assert differences(expected, journey.store) == []
    change(journey.store.runs()[0])
    assert differences(expected, journey.store)


def test_undisturbed_store_passes(journey: Journey) -> None:
    journey.remember_finished()
    assert kinds(journey) == []


@pytest.mark.parametrize("change", [lambda file: write_text(file, file.read_text()), Path.unlink])
def test_finished_file_that_was_written_again_or_is_gone_is_lost(
    journey: Journey, change: Callable[[Path], object]
) -> None:
    journey.remember_finished()
    change(journey.store.runs()[0].result_file)
    assert "lost" in kinds(journey)


def test_what_is_left_over_is_told(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journeys, "LEAVING", 0.1)
    run = journey.store.runs()[0]
    (run.folder / ".result.json.1.tmp").touch()
    run.checkpoints[0].touch()
    environment = {**os.environ, "PARSENET_FAULT_FOLDER": str(journey.folder), "PYTHONPATH": ""}
    with run.lock(), subprocess.Popen(["sleep", "60"], env=environment):
        assert kinds(journey) == ["left over"] * 4


def test_traceback_and_unexpected_exit_code_are_told(journey: Journey) -> None:
    """Here a table is named where a sweep's overrides are expected."""
    issued = journey.start("table9")
    journey.end(issued, 0)
    assert [problem.kind for problem in journey.problems] == ["wrong end"]
    issued.output.write_text("Traceback (most recent call last):")
    journey.end(issued)
    assert [problem.kind for problem in journey.problems] == ["wrong end"] * 2


def test_every_name_that_is_patched_is_there(tmp_path: Path) -> None:
    (tmp_path / "orders.json").write_text("[]")
    script = (
        "import importlib; from tests.faults.injected import patches; patches.install()\n"
        "for name in patches._PATCHES: importlib.import_module(name)"
    )
    variables = {**os.environ, "PARSENET_FAULT_FOLDER": str(tmp_path)}
    subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], env=variables, check=True)


def happened(*lines: tuple[int, str]) -> list[Event]:
    return [Event(float(number), pid, "run", what) for number, (pid, what) in enumerate(lines)]


def of(pid: int, *said: str) -> list[tuple[int, str]]:
    return [(pid, what) for what in said]


@pytest.mark.parametrize(
    "rest",
    [
        of(1, "step 2", "step 3", "result", "left 0"),
        [*of(1, "step 2", "step 3"), *of(2, "from 2", "step 2", "step 3", "result")],
        [*of(1, "step 2", "checkpoint 3"), *of(2, "from 3", "step 3", "result")],  # killed right after the rename
    ],
)
def test_work_that_is_done_once_passes(rest: list[tuple[int, str]]) -> None:
    assert observed.doubled(happened(*of(1, *BEGINNING), *rest)) == []


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        ([*of(2, "step 2"), *of(1, "step 2")], "at the same time"),
        (of(2, "step 0"), "the newest checkpoint is of 2"),
        (of(2, "step 3"), "the newest checkpoint is of 2"),
        (of(1, "step 3"), "from step 1 to 3"),
        (of(1, "step 2", "result", "step 2"), "after the result"),
        ([*of(1, "step 2", "result"), *of(2, "step 2")], "after the result"),
    ],
)
def test_work_that_is_done_twice_is_told(rest: list[tuple[int, str]], told: str) -> None:
    (said, *_) = observed.doubled(happened(*of(1, *BEGINNING), *rest))
    assert told in said


def test_phase_is_that_of_the_living_worker_that_is_furthest() -> None:
    events = happened((9, "worker data"), (9, "left 0"), *of(1, *BEGINNING), *of(2, "worker train", "prepare"))
    assert observed.phase([], []) == "starting"
    assert observed.phase(events, [1, 2]) == "training"
    assert observed.phase(events, [2]) == "preparing"
    assert observed.phase(events, [9]) == "idle"
    assert observed.phase(happened(*of(1, *BEGINNING, "checkpoint 4")), [1]) == "checkpointing"
    assert observed.phase(happened(*of(1, *BEGINNING, "evaluate")), [1]) == "evaluating"
    assert observed.phase(happened(*of(1, *BEGINNING, "evaluate", "record")), [1]) == "recording"

"""A result says which code made it; what was begun by other code says so; `keep` makes the same numbers again."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from parsenet_cli.core import code, paths
from parsenet_cli.core.errors import Stopped
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.engine import environment, inputs
from parsenet_cli.engine import train as training
from parsenet_cli.runner import worker
from parsenet_cli.runner.plan import plan_retrain
from parsenet_cli.store import artifacts
from parsenet_cli.store.run import Run, Store
from tests.conftest import changed
from tests.unit.engine.test_training import DATASET, adapted, never, planned

EARLIER = "0123456789ab"
NOW = "1234567890ab"


@pytest.fixture
def short(store: Store, config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run of some steps on images that are there."""
    monkeypatch.setattr(inputs, "data", lambda *_: DATASET)
    return planned(store, adapted(config, iterations=2))


@pytest.fixture
def by(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let the code be another."""
    return lambda identity: monkeypatch.setattr(code, "made_by", lambda *_: identity)


def test_a_result_holds_the_code_and_the_modules_that_made_it(short: Run, store: Store) -> None:
    training.train_run(short, store.cache, 1, never)
    result = short.done_result()
    assert list(result.modules) == list(code.modules_of(short.config().science))
    assert result.code == code.Code(store.cache).identity(result.modules)


def stops_after_a_step(monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    """What is true once a step has been made."""
    steps: list[int] = []
    step = training.Trainer.step

    def counted(trainer: training.Trainer, iteration: int) -> Tensor:
        steps.append(iteration)
        return step(trainer, iteration)

    monkeypatch.setattr(training.Trainer, "step", counted)
    return lambda: bool(steps)


@pytest.fixture
def begun_earlier(short: Run, store: Store, by: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> Run:
    """A training that was stopped after a step; the code has been edited since."""
    by(EARLIER)
    with pytest.raises(Stopped):
        training.train_run(short, store.cache, 1, stops_after_a_step(monkeypatch))
    by(NOW)
    return short


def test_a_training_that_goes_on_under_other_code_says_both(begun_earlier: Run, store: Store) -> None:
    training.train_run(begun_earlier, store.cache, 1, never)
    assert begun_earlier.done_result().code == f"{EARLIER}+{NOW}"


def test_a_checkpoint_of_other_code_is_not_continued_by_who_asks_for_this_one(begun_earlier: Run, store: Store) -> None:
    begun_earlier.create(changed(begun_earlier.config(), code=NOW))
    training.train_run(begun_earlier, store.cache, 1, never)
    assert begun_earlier.done_result().code == NOW
    assert begun_earlier.done(begun_earlier.config().runtime)


def test_a_worker_whose_code_was_edited_since_says_so_and_trains_nothing(
    short: Run, by: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    by(NOW)
    short.create(changed(short.config(), code=EARLIER))
    assert worker.run_task(short, "train", 1) == worker.BAD_INPUT
    assert (
        f"the code is {NOW} and the command was issued for {EARLIER}: it was edited since." in capsys.readouterr().out
    )
    assert not short.done()


def test_keeping_a_model_makes_the_same_numbers_whatever_the_launcher_gives(short: Run, store: Store) -> None:
    short.create(changed(short.config(), micro_batch=3))
    assert worker.run_task(short, "train", 2) == 0
    before, confusions = short.done_result(), artifacts.confusions(short).matrices
    short.create(changed(short.config(), micro_batch=None))  # as of a result whose memory had run out
    (config,) = plan_retrain(store, short).configs.values()
    short.create(config)
    assert worker.run_task(short, "train", 1) == 0
    after = short.done_result()
    assert short.model_file.is_file()
    assert (after.threads, after.micro_batch) == (before.threads, before.micro_batch) == (2, 3)
    assert after.metrics == before.metrics
    assert np.array_equal(artifacts.confusions(short).matrices, confusions)
    assert short.earlier_results == []


# --- the patch ---------------------------------------------------------------------------------------------------------


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with edits of every kind, whose owner has configured diffs that nothing can be made of."""
    root = tmp_path / "clone"
    for folder in ("parsenet_cli", "conf", "notes"):
        (root / folder).mkdir(parents=True)
    (root / "parsenet_cli" / "formula.py").write_text("x = 1\n" * 9)
    (root / "parsenet_cli" / "gone.py").write_text("x = 1\n")
    (root / "parsenet_cli" / "lut.bin").write_bytes(bytes(range(256)))
    (root / ".gitignore").write_text("ignored.py\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "first")
    for key, value in (("noprefix", "true"), ("external", "false"), ("context", "0"), ("relative", "true")):
        git(root, "config", f"diff.{key}", value)
    git(root, "config", "color.ui", "always")
    (root / "parsenet_cli" / "formula.py").write_text("x = 1\n" * 4 + "x = 2\n" + "x = 1\n" * 4)
    (root / "parsenet_cli" / "gone.py").unlink()
    (root / "parsenet_cli" / "lut.bin").write_bytes(bytes(range(255, -1, -1)))
    (root / "parsenet_cli" / "new one é.py").write_text("y = 1\n")
    (root / "parsenet_cli" / "ignored.py").write_text("z = 1\n")
    (root / "conf" / "mine.yaml").write_text("lr: 1\n")
    (root / "notes" / "private.txt").write_text("not source\n")
    return root


def test_a_patch_gives_the_code_back(
    clone: Path, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "PACKAGE", clone / "parsenet_cli")
    monkeypatch.setenv("GIT_DIR", "/nowhere")  # as in a hook of git's
    index = (clone / ".git" / "index").read_bytes()
    recorded = environment.describe(torch.device("cpu"), "data", store)
    assert environment.describe(torch.device("cpu"), "data", store).patch == recorded.patch
    monkeypatch.undo()
    assert (clone / ".git" / "index").read_bytes() == index
    (patch,) = store.patches.iterdir()
    assert patch.name == recorded.patch
    scratch = tmp_path / "scratch"
    git(tmp_path, "clone", "-q", str(clone), str(scratch))
    git(scratch, "checkout", "-q", recorded.commit)
    git(scratch, "apply", str(patch))
    (clone / "parsenet_cli" / "ignored.py").unlink()
    shutil.rmtree(clone / "notes")

    def content(root: Path) -> dict[str, bytes]:
        return {
            file.relative_to(root).as_posix(): file.read_bytes()
            for file in root.rglob("*")
            if file.is_file() and ".git" not in file.parts
        }

    assert content(scratch) == content(clone)


def test_a_patch_that_is_too_large_is_not_kept_and_that_is_said(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "MOST_PATCH_BYTES", 5)
    assert str(environment.patch(clone)).startswith("not kept")


def test_there_is_no_patch_without_changes_a_clone_or_git(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert environment.patch(tmp_path) == b""
    git(clone, "stash", "-qu")
    assert environment.patch(clone) == b""
    monkeypatch.setenv("PATH", "")
    assert environment.patch(clone) == b""

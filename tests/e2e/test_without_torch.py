"""Where torch is not installed: what trains nothing and builds no network works, the rest says in a sentence what is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from parsenet_cli.cli.app import app
from parsenet_cli.core import paths
from parsenet_cli.core.errors import NO_TORCH
from parsenet_cli.store.run import Store
from tests.conftest import environment
from tests.made_store import add_images, add_table

BLOCKED = """
import contextlib, io, json, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision"):
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)

sys.meta_path.insert(0, Blocked())

from parsenet_cli.cli.app import main

for line in sys.stdin.read().splitlines():
    sys.argv = ["parsenet", *line.split()]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as errors:
        code = main()
    print(json.dumps([code, errors.getvalue()]))
"""
"""One process for all commands, which import the same again and again."""

WORK = (
    "--help",
    "--version",
    "list",
    "list table4",
    "list studies",
    "new gate mine",
    "config norm=none",
    "plan table4 --seeds 1",
    "plan table4 --seeds 1 --json",
    "status",
    "status --json",
    "show {run}",
    "diff {run} {other}",
    "table table4",
    "table table4 --to html",
    "verify table4",
    "report",
    "export --to csv",
    "export --to tensorboard",
    "figure curves table4",
    "figure table table4",
    "figure context table4",
    "cancel {run}",
    "clean",
    "weights list",
    "data list",
    "ablate table4 --seeds 1",  # all of it is there
)
NEED_TORCH = (
    "train weights=none recipe.frozen=[] recipe.iterations=3",
    "train weights=none recipe.frozen=[] recipe.iterations=3 launcher=inline",
    "ablate table4 --seeds 2",
    "sweep norm=none,l2",
    "keep {run}",
    "plan table4 --seeds 2 --probe",
    "network body=fcn",
    "predict {run} image.png --out maps",
    "figure scales",
    "figure receptive-field",
    "figure cost",
    "weights get",
    "weights convert a.pth b.safetensors",
)
SUBMIT = {"submit"}
"""Needs torch as `predict` does, and VOC2012, which is asked for first."""

Answers = dict[str, tuple[int, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With `results` of one table with one seed, and one image."""
    folder = tmp_path_factory.mktemp("without")
    store = Store(folder / "results")
    add_table(store, "table4", seeds=(0,))
    for data_id in {run.config().science.data_id for run in store.runs()}:
        add_images(store, data_id)
    Image.fromarray(np.zeros((24, 24, 3), np.uint8)).save(folder / "image.png")
    return folder


@pytest.fixture(scope="module")
def answers(folder: Path) -> Answers:
    """Exit code and standard error of each command."""
    run, other, *_ = Store(folder / "results").runs()
    lines = [line.format(run=run.signature, other=other.signature) for line in (*WORK, *NEED_TORCH)]
    search = f"{paths.PACKAGE.parent}:{os.environ.get('PYTHONPATH', '')}"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BLOCKED],
        env={**environment(folder / "results"), "PYTHONPATH": search},
        input="\n".join(lines),
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    printed = map(json.loads, done.stdout.splitlines())
    return {line: (code, errors) for line, (code, errors) in zip((*WORK, *NEED_TORCH), printed, strict=True)}


@pytest.mark.parametrize("line", WORK)
def test_works_without_torch(line: str, answers: Answers) -> None:
    code, errors = answers[line]
    assert code == 0, errors


@pytest.mark.parametrize("line", NEED_TORCH)
def test_says_that_torch_is_missing(line: str, answers: Answers) -> None:
    code, errors = answers[line]
    assert (code, errors.splitlines()[-1:]) == (2, [f"error: {NO_TORCH}"]), errors


def test_what_was_not_trained_for_want_of_torch_leaves_no_run(answers: Answers, folder: Path) -> None:
    assert [run.state() for run in Store(folder / "results").runs()] == ["done"] * 10


def test_every_command_is_on_one_of_the_two_sides() -> None:
    names = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}
    assert names == {line.split()[0] for line in (*WORK, *NEED_TORCH)} - {"--help", "--version"} | SUBMIT

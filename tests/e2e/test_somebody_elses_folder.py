"""The command in folders that somebody else has prepared: nothing there is run, nothing outside of them is changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import PATIENCE_SECONDS, SHORT, Cli, environment

SHADOWS = (
    "random.py",
    "torch.py",
    "pickle.py",
    "multiprocessing/__init__.py",
    "parsenet_cli/__init__.py",
    "sitecustomize.py",
)
"""Modules that a Python process started in their folder would take for the real ones."""


@pytest.fixture
def console_script(tmp_path: Path) -> list[str]:
    """The command as it is installed: a script elsewhere, whose folder Python puts in front of its path."""
    script = tmp_path / "bin/parsenet"
    script.parent.mkdir()
    script.write_text("from parsenet_cli.__main__ import main\nif __name__ == '__main__':\n    main()\n")
    return [sys.executable, "-W", "error", str(script)]


@pytest.fixture
def full_of_shadows(tmp_path: Path) -> Path:
    """A folder of Python files that leave a mark when they are run."""
    folder = tmp_path / "somewhere"
    for name in SHADOWS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"open({str(tmp_path / 'mark')!r}, 'a').write({name!r})\n")
    return folder


def run(command: list[str], folder: Path, results: Path) -> str:
    variables = {key: value for key, value in environment(results).items() if key != "PYTHONSAFEPATH"}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert (done.returncode, "Traceback" in done.stdout + done.stderr) == (0, False), done.stdout + done.stderr
    return done.stdout


def test_no_python_file_of_the_current_folder_is_run_by_a_training(
    console_script: list[str], full_of_shadows: Path, results: Path, tmp_path: Path
) -> None:
    run([*console_script, "train", *SHORT], full_of_shadows, results)
    assert not (tmp_path / "mark").exists()


def test_nor_by_the_processes_that_check_a_data_set(
    console_script: list[str], full_of_shadows: Path, results: Path, tmp_path: Path
) -> None:
    ids = [f"p{i}" for i in range(40)]  # so many that they are looked at by several processes
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (full_of_shadows / folder).mkdir(parents=True)
    for name in ids:
        Image.new("RGB", (8, 8)).save(full_of_shadows / f"JPEGImages/{name}.jpg")
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(full_of_shadows / f"SegmentationClass/{name}.png")
    for part in ("train", "val"):
        (full_of_shadows / f"ImageSets/Segmentation/{part}.txt").write_text("\n".join(ids))
    (full_of_shadows / "classes.txt").write_text("ground\n")
    assert "40 images" in run([*console_script, "data", "check", "."], full_of_shadows, results)
    assert not (tmp_path / "mark").exists()


def test_no_link_in_a_results_folder_is_written_through(cli: Cli, results: Path, tmp_path: Path) -> None:
    """A log, records, and names that can be foreseen."""
    startup = tmp_path / ".bashrc"
    startup.write_text("# mine\n")
    (results / "runs").mkdir()
    for number in range(os.getpid(), os.getpid() + 2000):
        (results / f"runs/..writable.{number}.tmp").symlink_to(startup)
    cli("train", *SHORT)
    (folder,) = (entry for entry in (results / "runs").iterdir() if entry.is_dir())
    for file in ("log.txt", "metrics.jsonl"):
        (folder / file).unlink()
        (folder / file).symlink_to(startup)
    (folder / "result.json").unlink()
    cli("train", *SHORT)
    assert startup.read_text() == "# mine\n"
    assert (folder / "metrics.jsonl").is_file()
    assert not (folder / "metrics.jsonl").is_symlink()

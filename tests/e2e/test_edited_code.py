"""Somebody edits a formula: what was measured before is said to be made by other code, and can be trained anew."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from parsenet_cli.core import paths
from parsenet_cli.store.run import Store
from tests.conftest import SHORT, Cli

CELL = ("table4", "--rows", "fc7", "--columns", "norm", "--seeds", 1, *SHORT)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package, which the commands are carried out by."""
    for folder in ("conf", "ablations"):
        shutil.copytree(paths.shipped(folder), tmp_path / "clone" / folder)
    ignored = shutil.ignore_patterns("__pycache__", "shipped")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "clone"))
    return shutil.copytree(paths.PACKAGE, tmp_path / "clone" / "parsenet_cli", ignore=ignored)


def test_an_edited_formula_is_seen_and_rerun_stale_keeps_the_old_result(package: Path, cli: Cli, results: Path) -> None:
    cli("ablate", *CELL)
    (run,) = Store(results).runs()
    before, files = run.result_file.read_bytes(), {run.confusions_file.name: run.confusions_file.read_bytes()}
    norm = package / "models" / "norm.py"
    norm.write_text(norm.read_text().replace("EPS = 1e-10", "EPS = 1e-1"))
    assert "made by other code" in cli("status").stdout
    assert run.result_file.read_bytes() == before
    cli("ablate", *CELL, "--rerun-stale")
    assert run.result_file.read_bytes() != before
    (earlier,) = run.earlier_results
    assert (earlier / run.result_file.name).read_bytes() == before
    assert {name: (earlier / name).read_bytes() for name in files} == files
    shown = cli("show", run.signature).stdout
    assert earlier.name in shown
    assert "made by other code" not in shown

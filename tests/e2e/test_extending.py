"""What docs/architecture.md promises: a metric, a format, a figure and a data set are one file each, a claim is YAML only.

They are added to a copy of the package in a temporary folder, and used there by the real command line.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from parsenet_cli.core import paths
from tests.conftest import PATIENCE_SECONDS, command, environment

METRIC = '''

def best_iu(confusion: Counts, class_mean: ClassMean = "present") -> float:
    """The intersection over union of the class that is found best."""
    return float(np.nanmax(iu(confusion)))
'''

FORMAT = """
SUFFIX = "shout"

def text(grid):
    return f"{grid.title.upper()}! {len(grid.rows)} ROWS\\n"
"""

FIGURE = '''
"""How many cells a table has."""

def data(study, store, *, twice: int = 1):
    estimate = {"estimate": 4.0, "low": 3.5, "high": 4.5, "error": 0.25, "freedom": 60}
    return {"cells": twice * len(study.cells), "estimate": estimate}

def draw(data):
    from parsenet_cli.report import plot
    figure = plot.new(2, 2)
    figure.subplots().bar([0], [data["cells"]])
    return figure
'''

DATA_SET = '''
"""The outdoor scenes under another name."""
from parsenet_cli.core.text import silent
from parsenet_cli.data.sets import synthetic_siftflow

def identity(options, progress=silent):
    return "twin:1"

def open_dataset(options, progress=silent):
    return synthetic_siftflow.open_dataset(options, progress)
'''

TABLE = """
title: My own table
data: twin
base: [recipe=parsenet, weights=none, "recipe.frozen=[]", recipe.iterations=6]
columns:
  best: {header: "Best IU", metric: best_iu}
rows:
  fc7:       {label: ["fc7"], set: ["layers=[fc7]"]}
  pool6_fc7: {label: ["pool6 + fc7"], set: ["layers=[pool6,fc7]"]}
claims:
  learns:
    says: It learns something.
    where: my own
    holds_if: fc7.best > 0
    effect: fc7.best
"""

FIGURE_CLAIM = """
few_cells:
  says: There are few cells.
  where: my own
  figure: cells
  value: [estimate]
  holds_if: value < 10
  unit: cells
"""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """A copy of the package with one of each, and a results folder on the shared cache."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("conf", "ablations"):
        shutil.copytree(paths.shipped(name), folder / name)
    package = folder / "parsenet_cli"
    shutil.copytree(paths.PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    with (package / "core/metrics.py").open("a") as metrics:
        metrics.write(METRIC)
    (package / "report/formats/shout.py").write_text(FORMAT)
    (package / "report/figures/cells.py").write_text(FIGURE)
    (package / "data/sets/twin.py").write_text(DATA_SET)
    (folder / "ablations/own.yaml").write_text(TABLE)
    with (folder / "ablations/_figures.yaml").open("a") as claims:
        claims.write(FIGURE_CLAIM)
    (folder / "results").mkdir()
    (folder / "results/cache").symlink_to(cache)
    parsenet(folder, "ablate", "own", "--seeds", 2, "--launcher", "inline")
    return folder


def parsenet(clone: Path, *arguments: str | int | Path, code: int = 0) -> str:
    """What the copied package prints."""
    variables = {**environment(clone / "results"), "PYTHONPATH": str(clone)}
    done = subprocess.run(
        command(*arguments),
        cwd=clone,
        env=variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout


def test_metric_data_set_and_table_are_used_by_their_names(clone: Path) -> None:
    table = json.loads(parsenet(clone, "table", "own", "--to", "json"))
    assert {row["metric"] for row in table["rows"]} == {"best_iu"}
    assert all(0 <= row["value"] <= 100 for row in table["rows"])
    assert "twin" in table["caption"]
    assert "twin" in parsenet(clone, "list")


def test_format_is_one_file(clone: Path) -> None:
    assert parsenet(clone, "table", "own", "--to", "shout") == "MY OWN TABLE! 2 ROWS\n"


def test_figure_and_a_claim_on_it_need_no_other_line(clone: Path) -> None:
    parsenet(clone, "figure", "cells", "own", "twice=2")
    assert (clone / "results/figures/cells-own.png").stat().st_size > 1000
    parsenet(clone, "figure", "cells", "own")
    verdicts = {
        verdict["key"]: verdict for verdict in json.loads(parsenet(clone, "verify", "--to", "json"))["verdicts"]
    }
    assert verdicts["learns"]["table"] == "own"
    assert verdicts["few_cells"]["outcome"] == "supported"
    assert verdicts["few_cells"]["table"] == "cells"

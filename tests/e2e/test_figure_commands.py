"""`parsenet figure` and `parsenet export` as users type them."""

from __future__ import annotations

import json
from pathlib import Path

from parsenet_cli.report import figures
from parsenet_cli.store.run import Store
from tests.conftest import SHORT, Cli


def test_figures_and_exports_of_a_run(cli: Cli, results: Path, tmp_path: Path) -> None:
    rows = "--rows", "fc7_n,pool6_fc7_y_e"
    cli("ablate", "table6", "--seeds", 1, *rows, *SHORT, "keep_model=true")
    run = Store(results).runs()[0]
    for arguments, stem in (
        (("curves", "table6"), "curves-table6"),
        (("table", "table6"), "table-table6"),
        (("context",), "context-table6"),
        (("scales", "--run", run.signature, "images=3"), "scales"),
        (("receptive-field", "--run", run.signature, "images=1", "draws=1", "stride=8"), "receptive-field"),
    ):
        cli("figure", *arguments)
        for form, first in (("png", b"\x89PNG"), ("pdf", b"%PDF")):
            assert (results / "figures" / f"{stem}.{form}").read_bytes().startswith(first)
        (kept,) = (results / "figures" / arguments[0]).glob("*.json")
        data = json.loads(kept.read_text())
        assert data["about"]["command"].startswith(f"parsenet figure {arguments[0]}")
        assert str(tmp_path) not in kept.read_text()
        if stem in ("scales", "receptive-field"):
            assert set(data["options"]) == set(figures.options(figures.find(stem)))
    again = cli("figure", "scales", "--run", run.signature, "images=3", "--out", "again.svg")
    assert "measured before" in again.stderr
    assert (tmp_path / "again.svg").is_file()
    for form, count in (("tensorboard", 2), ("csv", 2)):
        cli("export", "--to", form, "--out", form)
        assert sum(file.is_file() for file in (tmp_path / form).rglob("*")) == count
    unwritable = cli("export", "--to", "csv", "--out", "again.svg", code=2).stderr
    assert "a file stands where a folder was expected" in unwritable

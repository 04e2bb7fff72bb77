"""`parsenet figure` and `parsenet export` as users type them."""

from __future__ import annotations

import json
from pathlib import Path

from parsenet_cli.report import figures
from parsenet_cli.store.run import Store
from tests.claim_store import of_table
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


def test_cost_of_pairs_of_networks_decides_claims(cli: Cli, results: Path) -> None:
    cli("figure", "cost", "rounds=2", "pairs=norm,pad", "device=cpu")
    again = cli("figure", "cost", "rounds=2", "pairs=norm,pad", "device=cpu", "--out", "cost.svg")
    assert "measured before" in again.stderr
    (kept,) = (results / "figures/cost").glob("*.json")
    data = json.loads(kept.read_text())
    assert list(data["pairs"]) == ["norm", "pad"]
    before, after = (network["parameters"] for network in data["pairs"]["norm"]["networks"])
    assert after - before == 64  # two features of 32 channels
    assert all(network["step"] > 0 < network["inference"] for network in data["pairs"]["pad"]["networks"])
    assert data["pairs"]["pad"]["memory"]["estimate"] > 1
    assert "takes no --run" in cli("figure", "cost", "--run", "0" * 12, code=2).stderr
    of_table(Store(results), "table5")
    content = json.loads(cli("verify", "--to", "json").stdout)
    verdicts = {verdict["key"]: verdict for verdict in content["verdicts"]}
    assert verdicts["norm_parameters_are_the_channels"]["outcome"] == "supported"
    assert "times, the limit is 1; p = " in verdicts["pad_trains_slower"]["why"].replace("p < ", "p = ")
    assert "draw the figure again" in verdicts["mixing_adds_parameters"]["why"]
    cli("report")
    assert "pad of 100" in (results / "report/index.html").read_text()

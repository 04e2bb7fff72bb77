"""What the command line says of a network and of the protocol a run keeps."""

from __future__ import annotations

import json
from pathlib import Path

from parsenet_cli.core.sealed import write_json
from parsenet_cli.store.run import Store
from tests.conftest import SHORT, Cli


def test_network_prints_the_papers_bodies_without_data_and_leaves_nothing_behind(cli: Cli, tmp_path: Path) -> None:
    printed = cli("network", "--results", tmp_path / "nowhere").stdout
    lines = [line.split() for line in printed.splitlines()]
    assert ["fc7", "fc7", "4096", "32", "15.5", "404", "16x12"] in lines
    assert "20 483 904 trunk + 21 525 head = 20 505 429, with 21 classes" in printed
    assert "layers=" not in printed
    assert not (tmp_path / "nowhere").exists()


def test_network_takes_a_grid_and_prints_json(cli: Cli) -> None:
    done = cli(
        "network",
        "body=fcn,reduced",
        "layers=[pool6,fc7,conv4]",
        "precision=float32",
        "--size",
        "320x240",
        "--json",
        "--classes",
        33,
    )
    fcn, reduced = json.loads(done.stdout)
    assert (fcn["network"], reduced["network"]) == ("body=fcn", "body=reduced")
    assert fcn["reads"] == ["pool6", "fc7", "conv4"]
    assert reduced["features"]["fc7"]["cells"] == [30, 40]
    assert (fcn["classes"], fcn["size"], fcn["deviations"]) == (33, [240, 320], [])


def test_result_show_and_table_name_what_deviates(cli: Cli, results: Path) -> None:
    done = cli("train", "norm_gradient=authors", "context_dropout=0.3", *SHORT)
    assert "Deviates from the protocol of these rows in dropout on pool6 itself" in " ".join(done.stdout.split())
    (run,) = Store(results).runs()
    result = run.done_result()
    assert "gradient of the norm: norm_gradient=authors instead of exact" in result.deviations
    (switch,) = [line for line in result.protocol if line["question"] == "gradient of the norm"]
    assert (switch["settings"], switch["default"], switch["mark"]) == ({"norm_gradient": "authors"}, False, "ours")
    assert sum(line["default"] for line in result.protocol) > 20
    assert result.parameters == sum(result.network[f"{part}_parameters"] for part in ("trunk", "head"))

    shown = cli("show", run.signature, "--all").stdout
    lines = shown.split("\nprotocol\n")[1].split("\n\n")[0].splitlines()
    (authors,) = [line for line in lines if line.startswith("gradient of the norm ")]
    assert authors.split("  ")[-1].strip() == "norm_gradient=authors: deviates from norm_gradient=exact"
    assert "  ours  " in authors
    (start,) = [line for line in lines if line.startswith("classifier's start ")]
    assert start.split() == ["classifier's", "start", "stated", "init=xavier:", "default"]
    assert "question:" not in shown
    details = json.loads(cli("show", run.signature, "--json").stdout)
    assert len(details["protocol"]) == len(result.protocol)
    assert details["result"] == result.content

    since = ("protocol", "deviations")
    write_json(run.result_file, {key: value for key, value in result.content.items() if key not in since})
    cli("show", run.signature)
    (study,) = Store(results).studies.glob("train-*.json")
    assert "Deviates" not in cli("table", study.stem.rpartition("-")[0].rpartition("-")[0]).stdout


def test_show_says_which_table_sets_what_is_not_the_default(cli: Cli, results: Path) -> None:
    cli("ablate", "table1", "--rows", "baseline_a", "--seeds", 1, *SHORT)
    (run,) = Store(results).runs()
    shown = cli("show", run.signature, "--all").stdout
    (start,) = [line for line in shown.splitlines() if line.startswith("classifier's start ")]
    assert "init=zero" in start
    assert "as table1 (quick) baseline_a s" in start, "says it, or sets it"

"""Grids and runs under names of the user's, and toy studies that stand before whole ones."""

from __future__ import annotations

from pathlib import Path

from parsenet_cli.store import study
from parsenet_cli.store.run import Store
from tests.conftest import SHORT, Cli

TINY = (*SHORT[:3], "recipe.iterations=3")


def test_a_sweep_has_the_name_it_was_given_and_a_toy_does_not_hide_the_whole(cli: Cli, results: Path) -> None:
    grid = ("norm=none,l2", "layers=[fc7]", *TINY, "--name", "mine1")
    first = cli("sweep", *grid, "--seeds", 2).stdout
    assert "profile quick; synthetic_siftflow, vgg_tiny; 2 seeds" in first
    issued = " ".join(cli("sweep", *grid, "--seeds", 1).stdout.split())
    whole, toy = study.load_all(Store(results))
    files = {file: file.read_bytes() for file in (results / "tables" / "quick").iterdir()}
    assert {file.name for file in files} == {"mine1.csv", "mine1.md", "mine1.tex"}
    assert f"mine1.*: the table of {whole.name} (2 cells, 2 seeds) stays; this study has fewer cells or seeds" in issued
    assert f"`parsenet table --study {toy.name}` prints it" in issued
    assert all(file.read_bytes() == content for file, content in files.items())
    shown = cli("table", "mine1")
    assert "2 seeds" in shown.stdout
    assert shown.stderr == ""
    for named in (
        cli("table", toy.name),
        cli("table", "--study", toy.name),
        cli("table", "mine1", "--study", toy.name),
    ):
        assert "1 seed;" in named.stdout
        assert named.stderr == ""
    assert f"Did you mean '{toy.name}'" in cli("table", "--study", f"{toy.name}x", code=2).stderr
    assert "no table named" in cli("table", code=2).stderr
    verified = cli("verify", "mine1").stdout
    assert toy.name not in verified
    assert "mine1: states no claims" in verified
    assert "its file is gone" not in verified
    assert f"Did you mean '{toy.name}'" in cli("verify", "mine1", "--study", f"{toy.name}x", code=2).stderr
    assert "4 done" in cli("status", "mine1", "--state", "done", "--profile", "quick").stdout
    listed = [line.split() for line in cli("list", "studies").stdout.splitlines() if line.strip().startswith("mine1-")]
    assert [line[:6] for line in listed] == [
        [toy.name, "mine1", "quick", "1", "2/2", toy.created[:10]],
        [whole.name, "mine1", "*", "quick", "2", "2/2"],
    ]

    other = cli("sweep", "fusion=early,late", *TINY, "--name", "mine1", code=2).stderr
    assert "--name mine1: a study with another content is called so" in other
    assert "choose another --name, or remove" in other
    assert "'table4' means a table" in cli("train", *TINY, "--name", "table4", code=2).stderr
    assert "mine1" in cli("list", "mine1").stdout

"""Grids and runs under names of the user's, and toy studies that stand before whole ones."""

from __future__ import annotations

from pathlib import Path

from parsenet_cli.store import study
from parsenet_cli.store.run import Store
from tests.conftest import SHORT, Cli

TINY = (*SHORT[:3], "recipe.iterations=3")


def test_a_sweep_has_the_name_it_was_given_and_a_toy_does_not_hide_the_whole(cli: Cli, results: Path) -> None:
    grid = ("norm=none,l2", "layers=[fc7]", *TINY, "--name", "mine1")
    whole = cli("sweep", *grid, "--seeds", 2).stdout
    assert "profile quick; synthetic_siftflow, vgg_tiny; 2 seeds" in whole
    cli("sweep", *grid, "--seeds", 1)
    older, newer = study.load_all(Store(results))
    shadowed = f"mine1 (quick): shown with 1 seed; an older study has 2 seeds: `parsenet table {older.name}`"
    toy = cli("table", "mine1")
    assert "1 seed;" in toy.stdout
    assert toy.stderr == f"{shadowed}\n"
    named = cli("table", older.name)
    assert "2 seeds" in named.stdout
    assert named.stderr == ""
    verified = cli("verify", "mine1").stdout
    assert shadowed in verified
    assert "mine1: states no claims" in verified
    assert "its file is gone" not in verified
    assert "4 done" in cli("status", "mine1", "--state", "done", "--profile", "quick").stdout
    listed = [line.split() for line in cli("list", "studies").stdout.splitlines() if line.strip().startswith("mine1-")]
    assert [line[:6] for line in listed] == [
        [newer.name, "mine1", "*", "quick", "1", "2/2"],
        [older.name, "mine1", "quick", "2", "2/2", older.created[:10]],
    ]

    other = cli("sweep", "fusion=early,late", *TINY, "--name", "mine1", code=2).stderr
    assert "--name mine1: a study with another content is called so" in other
    assert "choose another --name, or remove" in other
    assert "'table4' means a table" in cli("train", *TINY, "--name", "table4", code=2).stderr
    assert "mine1" in cli("list", "mine1").stdout

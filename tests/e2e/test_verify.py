"""`parsenet verify` in a store of finished runs: exit codes and outputs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from parsenet_cli.store.run import Store
from tests.claim_store import claim, measured, of_table, table_of
from tests.conftest import Cli

QUALITIES = {"low": 0.6, "high": 0.8}


@pytest.mark.parametrize(
    ("holds_if", "options", "code"),
    [
        ("high.iu > low.iu", ["--strict"], 0),
        ("high.iu < low.iu", [], 3),
        ("high.iu < beside.high.iu", [], 0),
        ("high.iu < beside.high.iu", ["--strict"], 4),
    ],
)
def test_exit_codes(cli: Cli, results: Path, holds_if: str, options: list[str], code: int) -> None:
    measured(Store(results), table_of(["low", "high"], claim(holds_if)), QUALITIES)
    done = cli("verify", "own", *options, code=code)
    assert "1 claim: " in done.stdout
    assert not done.stderr


def test_all_tables_as_json_and_one_as_markdown(cli: Cli, results: Path) -> None:
    store = Store(results)
    measured(store, table_of(["low", "high"], claim("high.iu > low.iu", "high.iu - low.iu")), QUALITIES)
    of_table(store, "table5")
    (store.runs_folder / "holiday").mkdir()
    done = cli("verify", "all", "own", "--to", "json")
    content = json.loads(done.stdout)
    assert {verdict["table"] for verdict in content["verdicts"]} >= {"own", "table5", "scales", "context"}
    assert sum(content["totals"].values()) == len(content["verdicts"])
    assert any("holiday" in sentence for sentence in content["notices"])
    assert any(sentence.startswith("own: its file is gone") for sentence in content["notices"])
    assert "table1" in done.stderr  # not run yet
    markdown = cli("verify", "own", "--to", "md").stdout
    assert "\n| table | claim | verdict | effect | margin | q | seeds | what next | why |" in markdown
    assert "| supported |" in markdown


def test_a_claim_tells_its_kind_and_its_note(cli: Cli, results: Path) -> None:
    store = Store(results)
    of_table(store, "table4")
    of_table(store, "table8")
    words = " ".join(cli("verify", "table8", code=3).stdout.split())
    assert "[on print]: decided by the printed numbers, without any run." in words
    assert "more than half only if the tie counts." in words
    markdown = cli("verify", "table4", "table8", "--to", "md", code=3).stdout
    assert r"\[on print\]<sup>" in markdown
    assert r"Normalising fc7 alone changes little. \[read off\] |" in markdown
    verdicts = json.loads(cli("verify", "table8", "--to", "json", code=3).stdout)["verdicts"]
    assert [verdict["kind"] for verdict in verdicts] == ["stated", *["printed"] * 4]
    assert all(verdict["note"] for verdict in verdicts[1:])
    lines = cli("verify", "table8", "--to", "csv", code=3).stdout.splitlines()
    assert sum("[on print]" in line for line in lines) == 4

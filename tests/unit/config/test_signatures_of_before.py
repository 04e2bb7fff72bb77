"""Runs that were made before blocks and later axes came are found again: no signature of a shipped cell has changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from parsenet_cli.config import profile, table_file
from parsenet_cli.config.compose import Composer


@pytest.mark.parametrize("name", ["paper", "quick"])
def test_every_cell_has_the_signature_that_it_had(name: str, tmp_path: Path) -> None:
    """signatures.json was recorded at commit 2220e55, without the identities of data and weights."""
    recorded = json.loads(Path(__file__).with_name("signatures.json").read_text())[name]
    composer = Composer(profile.load(name), (), tmp_path)
    for table, cells in recorded.items():
        now = {str(cell.key): cell for cell in table_file.load(table).cells(cited=True)}
        assert {key: composer.unidentified(now[key].overrides).signature for key in cells} == cells, table

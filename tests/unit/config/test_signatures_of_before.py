"""Runs that were made before blocks and later axes came are found again: no signature of a shipped cell has changed."""

from __future__ import annotations

import json
from pathlib import Path

from parsenet_cli.config import table_file
from parsenet_cli.config.compose import Composer
from parsenet_cli.config.profile import Profile

BARE = Profile("bare", about="", seeds=1, data={}, recipe={}, overrides=())
"""Of no profile: what the tables, the published recipes and the defaults say."""


def test_every_cell_has_the_signature_that_it_had(tmp_path: Path) -> None:
    """signatures.json was recorded at commit 2220e55, without the identities of data and weights: table, cell, signature.

    Where a change of a default or of a published recipe is meant, so that its runs are made anew, the record is made anew.
    """
    recorded = json.loads(Path(__file__).with_name("signatures.json").read_text())
    composer = Composer(BARE, (), tmp_path)
    for table, cells in recorded.items():
        now = {str(cell.key): cell for cell in table_file.load(table).cells(cited=True)}
        assert {key: composer.unidentified(now[key].overrides).signature for key in cells} == cells, table

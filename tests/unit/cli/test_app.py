"""What surrounds every command."""

from __future__ import annotations

import sys

import pytest

from parsenet_cli.cli import app


@pytest.mark.parametrize("columns", ["²", "-5", "x", "9" * 20])
def test_a_width_that_is_none_is_not_taken(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "argv", ["parsenet", "list"])
    assert app.main() == 0
    assert capsys.readouterr().err == ""

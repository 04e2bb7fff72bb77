"""What surrounds every command."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from parsenet_cli import __version__
from parsenet_cli.cli import app


@pytest.mark.parametrize("columns", ["²", "-5", "x", "9" * 20])
def test_a_width_that_is_none_is_not_taken(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "argv", ["parsenet", "list"])
    assert app.main() == 0
    assert capsys.readouterr().err == ""


def test_version_is_told_without_loading_torch(tmp_path: Path) -> None:
    code = "import sys; from parsenet_cli.cli import app; sys.argv[1:] = ['--version']; app.main(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said, loaded = done.stdout.splitlines()
    assert re.fullmatch(rf"parsenet {re.escape(__version__)}, Python 3\.\d+\.\d+, torch \d+\.\d+.*", said)
    assert loaded == "False"


def test_citation_has_this_version() -> None:
    citation = Path(__file__).parents[3] / "CITATION.cff"
    assert f"\nversion: {__version__}\n" in citation.read_text(encoding="utf-8")


@pytest.mark.parametrize("option", ["-m", "--multirun"])
def test_option_of_hydra_is_answered_below_the_usage(
    option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["parsenet", "sweep", option, "norm=l2,none"])
    assert app.main() == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == f"{option}: sweeps are `parsenet sweep fusion=early,late norm=none,l2`"
    assert len(lines) <= 5

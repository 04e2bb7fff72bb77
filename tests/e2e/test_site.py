"""`make docs`: the pages as a site, with every broken link an error. In an environment that has Sphinx."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from parsenet_cli.core import paths

ROOT = paths.PACKAGE.parent
pytestmark = pytest.mark.slow


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    pytest.importorskip("sphinx", reason="there is no Sphinx here (`make docs` installs it)")
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    for page in [*ROOT.glob("*.md"), ROOT / "CITATION.cff"]:
        shutil.copy(page, tmp_path)
    return tmp_path


def build(root: Path) -> subprocess.CompletedProcess[str]:
    """As the Makefile calls it."""
    line = next(line for line in (ROOT / "Makefile").read_text().splitlines() if "-m sphinx" in line)
    command = [sys.executable, *line.split()[1:]]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def test_site_is_built_and_opens_at_the_readme(copy: Path) -> None:
    done = build(copy)
    assert (done.returncode, done.stderr) == (0, "")
    home = (copy / "site" / "index.html").read_text()
    for page in (copy / "docs").glob("*.md"):
        assert f'href="docs/{page.stem}.html"' in home
        assert (copy / "site" / "docs" / f"{page.stem}.html").is_file()
    pages = "".join(page.read_text() for page in (copy / "site").rglob("*.html"))
    assert not [
        kind for kind in ('src="http', 'rel="stylesheet" href="http') if kind in pages
    ]  # nothing is loaded from anywhere


@pytest.mark.parametrize("link", ["gone.md", "tables.md#gone", "#gone", "gone.svg"])
def test_broken_link_is_an_error(copy: Path, link: str) -> None:
    page = copy / "docs" / "glossary.md"
    page.write_text(page.read_text() + f"\n{'!' * link.endswith('.svg')}[here]({link})\n")
    done = build(copy)
    assert done.returncode != 0
    assert "glossary.md" in done.stderr
    assert link.split("#")[-1] in done.stderr

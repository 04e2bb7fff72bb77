"""The pages: their links lead somewhere, the commands in them can be typed, and they name what they describe."""

from __future__ import annotations

import os
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import typer
import yaml

from parsenet_cli.cli.app import app
from parsenet_cli.config import profile, table_file
from parsenet_cli.config.compose import Composer
from parsenet_cli.core import paths
from parsenet_cli.data.download import manifest, prepare
from parsenet_cli.report import build, export
from parsenet_cli.store.run import Run, Store

ROOT = paths.PACKAGE.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
README = ROOT / "README.md"

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")
WORD = re.compile(r"`[^`\n]*`")


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCE.sub("", read(page))


def anchors(page: Path) -> set[str]:
    """Of the headings, as code hosts and the site make them: lower case, blanks as hyphens, no other signs."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[str]:
    """To pages and files of the repository."""
    return [link for link in LINK.findall(WORD.sub("", prose(page))) if not re.match(r"[a-z]+:", link)]


def broken(page: Path) -> list[str]:
    """What is wrong with the links of a page."""
    faults = []
    for link in links(page):
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path) if path else page
        if not target.is_file():
            faults.append(f"{page.name}: {link}: there is no such file")
        elif anchor and anchor not in anchors(target):
            faults.append(f"{page.name}: {link}: {target.name} has no such heading")
    return faults


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_broken_links_are_found(tmp_path: Path) -> None:
    page, other = tmp_path / "page.md", tmp_path / "other.md"
    other.write_text("# A heading: `code`, and more\n")
    page.write_text(
        "# Page\n[a](other.md#a-heading-code-and-more) [b](other.md#gone) [c](gone.md) ![d](gone.svg) [e](#page) [f](#gone) "
        "`[g](gone.md)`\n```\n[h](gone.md)\n```\n[i](https://example.org/gone)\n"
    )
    assert len(links(page)) == 6
    assert [fault.split(": ")[1] for fault in broken(page)] == ["other.md#gone", "gone.md", "gone.svg", "#gone"]


def test_the_site_has_every_page_of_docs_once() -> None:
    names = re.findall(r'"(docs/[\w-]+|[A-Z]+)"', read(ROOT / "docs" / "conf.py"))
    listed = [name for name in names if name != "README"]
    shown = {page.relative_to(ROOT).with_suffix("").as_posix() for page in PAGES} - {"README"}
    assert sorted(listed) == sorted(shown)


def test_every_page_of_docs_is_linked_from_the_readme() -> None:
    assert {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")} <= {
        link.split("#")[0] for link in links(README)
    }


def commands(page: Path) -> Iterator[list[str]]:
    """Those of `parsenet` in a page's blocks and in the first column of its tables, as words; comments are left out."""
    for typed in re.findall(r"^\| `(parsenet [^`]+)` \|", read(page), re.MULTILINE):
        yield shlex.split(typed)[1:]
    for language, block in FENCE.findall(read(page)):
        if language in ("", "bash"):
            for line in block.replace("\\\n", " ").splitlines():
                words = re.split(r"\s{2,}| #| …", line.strip().removeprefix("$ "))[0]
                if re.match(r"(\.venv/bin/)?parsenet ", words):
                    yield shlex.split(words)[1:]


COMMAND: Any = typer.main.get_command(app)


def parse(words: list[str]) -> None:
    """Fails where the command line does not know a command or an option, or how many words it takes."""
    command = COMMAND
    while known := getattr(command, "commands", None):
        name, *words = words or ["nothing"]
        assert name in known, f"no such command: {name}"
        command = known[name]
    command.make_context(command.name, list(words))


TYPED = sorted({shlex.join(words) for page in PAGES for words in commands(page) if "--help" not in words})


def test_commands_are_found() -> None:
    assert len(TYPED) > 60
    assert {"ablate table4 --cited --seeds 3", "weights get caffe_full", "status --watch"} <= {*TYPED}


@pytest.mark.parametrize("command", TYPED)
def test_every_command_of_the_pages_is_known(command: str) -> None:
    words = shlex.split(command)
    if words[0] not in ("--install-completion", "--version"):
        parse(words)


@pytest.mark.parametrize(
    "words", ["ablat table4", "ablate table4 --sedes 3", "show", "table table4 --profil quick", "data gte voc12"]
)
def test_commands_that_do_not_exist_are_found(words: str) -> None:
    with pytest.raises((AssertionError, Exception), match=r"(?i)no such|missing"):
        parse(shlex.split(words))


KNOWN = {folder.name for root in (ROOT, paths.PACKAGE, ROOT / "tests") for folder in root.iterdir() if folder.is_dir()}
"""Folders of the repository, the package and the tests, which the pages name without saying whose they are."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_and_targets_that_a_page_names_exist(page: Path) -> None:
    if page.name == "CHANGELOG.md":  # which names what was
        return
    words = " ".join(re.findall(r"`([^`\n]+)`", read(page)))
    named = set(re.findall(r"(?<![\w./<…])((?:[\w.-]+/)+[\w.-]+\.(?:py|md|yaml|svg))", words)) - {MADE_IN_THE_TUTORIAL}
    roots = (ROOT, paths.PACKAGE, ROOT / "tests")
    files = [name for name in named if name.split("/")[0] in KNOWN - {"data"}]
    assert [name for name in files if not any((root / name).exists() for root in roots)] == []
    targets = set(re.findall(r"^([a-z-]+):", read(ROOT / "Makefile"), re.MULTILINE))
    assert set(re.findall(r"(?:^|`|\$ )make ([a-z-]+)", read(page), re.MULTILINE)) <= targets
    modules = set(re.findall(r"python -m ((?:benchmarks|tests)[\w.]*)", read(page))) - {"benchmarks.NAME"}
    paths_of = {name: ROOT / name.replace(".", "/") for name in modules}
    assert [n for n, path in paths_of.items() if not path.with_suffix(".py").is_file() and not path.is_dir()] == []


MADE_IN_THE_TUTORIAL = "ablations/scale_start.yaml"


def composed(tmp_path: Path, *overrides: str, command_line: tuple[str, ...] = ()) -> str:
    """The signature under the profile quick."""
    return Composer(profile.load("quick"), command_line, tmp_path / "cache").run_config(overrides).signature


def test_the_tutorial_shows_runs_that_its_commands_make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = read(ROOT / "docs" / "tutorial.md")
    norm, context = (table_file.cell(f"table4.{row}.norm").overrides for row in ("fc7", "pool6_fc7"))
    assert f"\n{composed(tmp_path, *norm)}  done  mean IU 45.1\n" in page
    assert f"\n{composed(tmp_path, *context)}  done      mean IU 55.2\n" in page
    assert f"parsenet show {composed(tmp_path, *norm)[:6]}\n" in read(README)
    assert f"parsenet predict {composed(tmp_path, command_line=('keep_model=true',))[:6]} " in page

    table, claims = (block for language, block in FENCE.findall(page) if language == "yaml")
    (tmp_path / "ablations").mkdir()
    (tmp_path / "ablations" / "scale_start.yaml").write_text(table + claims)
    monkeypatch.chdir(tmp_path)
    spec = table_file.load("scale_start")
    assert [claim.key for claim in spec.claims] == ["scale_matters"]
    ten = next(cell for cell in spec.cells() if cell.key.row == "ten")
    quarter, grid = ("recipe.length=0.25",), ("norm_scale=10", "recipe.length=0.25")
    assert composed(tmp_path, *ten.overrides, command_line=quarter) == composed(tmp_path, command_line=grid)


NAMED_BY_THE_STORE = [name for name, value in vars(Run).items() if type(value).__name__ == "_RunFile"]


def test_the_page_of_the_results_folder_names_every_file_of_a_run() -> None:
    page = read(ROOT / "docs" / "results-folder.md")
    run = Store(Path("results")).run("0" * 12)
    files = [getattr(run, name) for name in NAMED_BY_THE_STORE] + [*run.checkpoints]
    assert len(files) >= 13
    assert [file.name for file in files if f"`{file.name}`" not in page] == []


def test_the_page_of_the_results_folder_names_every_folder() -> None:
    page, store = read(ROOT / "docs" / "results-folder.md"), Store(Path("results"))
    folders = [store.runs_folder, store.studies, store.figures, store.tables, store.patches, store.cache]
    names = [folder.name for folder in folders] + ["samples", "report", "export", "data"]
    assert [name for name in names if f"\n    {name}/" not in page] == []
    assert all(
        f"`{name}`" in page or name in page
        for name in (build.PAGE, build.TEXT, export.EVENTS, manifest.NAME, prepare.SEAL)
    )


@pytest.fixture(scope="module")
def bibtex() -> dict[str, dict[str, str]]:
    """The README's entries by their kind."""
    (block,) = (block for language, block in FENCE.findall(read(README)) if language == "bibtex")
    entries = re.findall(r"@(\w+)\{[\w-]+,\n(.*?)\n\}", block, re.DOTALL)
    return {kind: dict(re.findall(r"^  (\w+)\s*= \{(.*)\},?$", fields, re.MULTILINE)) for kind, fields in entries}


def test_bibtex_and_citation_say_the_same(bibtex: dict[str, dict[str, str]]) -> None:
    citation = yaml.safe_load(read(ROOT / "CITATION.cff"))
    paper, article = citation["preferred-citation"], bibtex["article"]
    plain: Callable[[str], str] = lambda text: re.sub("[{}]", "", text)  # noqa: E731
    assert plain(article["title"]) == paper["title"]
    assert article["author"] == " and ".join(f"{one['family-names']}, {one['given-names']}" for one in paper["authors"])
    assert (article["journal"], article["year"]) == (paper["journal"], str(paper["year"]))
    assert (article["doi"], article["url"]) == (paper["doi"], paper["url"])
    software = bibtex["software"]
    assert plain(software["title"]) == citation["title"]
    assert plain(software["author"]) == citation["authors"][0]["name"]
    assert (software["version"], software["license"]) == (citation["version"], citation["license"])


def test_pictures_are_small_and_load_nothing() -> None:
    pictures = [ROOT / "docs" / link for link in ("pictures/table.svg", "pictures/report.png")]
    assert sum(os.path.getsize(picture) for picture in pictures) < 300_000  # noqa: PTH202
    assert "http" not in read(pictures[0]).replace("http://www.w3.org/2000/svg", "")


def test_the_site_is_built_from_pinned_versions() -> None:
    project = tomllib.loads(read(ROOT / "pyproject.toml"))["project"]
    pinned = {line.split("==")[0].lower() for line in read(ROOT / "constraints.txt").split()}
    assert {re.split("[>=<]", name)[0].lower() for name in project["optional-dependencies"]["docs"]} <= pinned

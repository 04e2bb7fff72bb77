"""What the package says of itself: to those who cite it, install it, or look into it from Python."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
import yaml

import parsenet_cli
from parsenet_cli.core import paths

ROOT = paths.PACKAGE.parent

AT_TOP = {
    *("abstract", "authors", "cff-version", "commit", "contact", "date-released", "doi", "identifiers", "keywords"),
    *("license", "license-url", "message", "preferred-citation", "references", "repository", "repository-artifact"),
    *("repository-code", "title", "type", "url", "version"),
}
OF_A_REFERENCE = {
    "type",
    "title",
    "authors",
    "year",
    "month",
    "journal",
    "volume",
    "issue",
    "doi",
    "url",
    "notes",
    "identifiers",
}
"""Those of the specification's that an article has a use for."""

OF_A_PERSON = {
    "family-names",
    "given-names",
    "name-particle",
    "name-suffix",
    "affiliation",
    "orcid",
    "email",
    "website",
    "alias",
}
OF_AN_ENTITY = {"name", "website", "email", "alias", "orcid"}
"""Keys by the Citation File Format's specification, version 1.2.0 (schema-guide.md). It allows no others."""


@pytest.fixture(scope="module")
def citation() -> dict[str, Any]:
    content = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    content: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return content


def check_authors(authors: list[dict[str, str]]) -> None:
    assert authors
    for author in authors:
        assert set(author) <= (OF_AN_ENTITY if "name" in author else OF_A_PERSON)
        assert all(isinstance(text, str) and text for text in author.values())


def test_citation_is_valid(citation: dict[str, Any]) -> None:
    assert {"cff-version", "message", "title", "authors"} <= set(citation) <= AT_TOP
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert all(isinstance(citation[key], str) and citation[key] for key in ("message", "title", "version", "license"))
    check_authors(citation["authors"])


def test_what_is_to_be_cited_is_the_paper(citation: dict[str, Any]) -> None:
    paper = citation["preferred-citation"]
    assert {"type", "title", "authors"} <= set(paper) <= OF_A_REFERENCE
    check_authors(paper["authors"])
    assert paper["type"] == "article"
    assert paper["title"] == "ParseNet: Looking Wider to See Better"
    assert [author["family-names"] for author in paper["authors"]] == ["Liu", "Rabinovich", "Berg"]
    assert paper["year"] == 2015
    assert re.fullmatch(r"10\.\d{4,9}(\.\d+)?/[A-Za-z0-9:/_;\-.()\[\]\\]+", paper["doi"])
    assert paper["doi"].endswith("arXiv.1506.04579")
    assert paper["url"] == "https://arxiv.org/abs/1506.04579"


def test_citation_and_package_say_the_same(citation: dict[str, Any], project: dict[str, Any]) -> None:
    assert citation["version"] == parsenet_cli.__version__
    assert citation["license"] == project["license"]
    assert citation["authors"] == project["authors"]
    assert citation["preferred-citation"]["url"] == project["urls"]["Paper"]
    license_text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert f"{citation['license']} License" in license_text
    assert citation["authors"][0]["name"] in license_text


def test_metadata_names_the_python_that_the_code_is_checked_for(project: dict[str, Any]) -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    oldest = project["requires-python"].removeprefix(">=")
    assert tools["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    assert f"Programming Language :: Python :: {oldest}" in project["classifiers"]
    assert "Typing :: Typed" in project["classifiers"]
    assert (paths.PACKAGE / "py.typed").is_file()


def test_an_interpreter_lists_what_the_package_offers() -> None:
    assert {"__version__", "load_frame"} <= set(dir(parsenet_cli))
    assert set(parsenet_cli.__all__) <= set(dir(parsenet_cli))
    assert callable(parsenet_cli.load_frame)

"""How Sphinx builds the site from the repository's own Markdown: `make docs`.

The source folder is the repository's root, so that a link such as `docs/claims.md` or `../README.md` leads to the same page on a
code host and on the site. README.md is the home page; the sidebar is added here, as a code host would show it as text.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

CONTENTS = {
    "Start": ("docs/tutorial", "docs/faq", "docs/glossary"),
    "Use": (
        "docs/commands",
        "docs/tables",
        "docs/blocks",
        "docs/data",
        "docs/predict",
        "docs/figures",
        "docs/operations",
        "docs/results-folder",
    ),
    "The paper": ("docs/protocol", "docs/claims", "docs/verdicts", "docs/fidelity"),
    "The program": ("docs/architecture", "docs/security", "CONTRIBUTING", "CHANGELOG"),
}
"""The sidebar: every page once."""

project = "parsenet"
copyright = "the parsenet developers"
root_doc = "README"
include_patterns = ["README.md", *(f"{page}.md" for pages in CONTENTS.values() for page in pages)]
extensions = ["myst_parser"]
myst_heading_anchors = 4  # the anchors that code hosts make
suppress_warnings = ["myst.header"]
highlight_language = "text"
html_theme = "furo"
html_title = "parsenet"
html_show_sourcelink = False
html_show_sphinx = False
html_copy_source = False
html_static_path = ["site.css"]
html_css_files = ["site.css"]


def add_contents(_: Any, page: str, source: list[str]) -> None:
    """Give the home page the contents, hidden: the theme shows them in its sidebar."""
    if page == root_doc:
        for caption, pages in CONTENTS.items():
            source[0] += "\n".join(["\n", "```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""])


def add_index(app: Any, problem: Exception | None) -> None:
    """Let the site's folder open at the home page."""
    if problem is None and app.builder.format == "html":
        shutil.copyfile(Path(app.outdir) / "README.html", Path(app.outdir) / "index.html")


def setup(app: Any) -> dict[str, bool]:
    """Sphinx calls this."""
    app.connect("source-read", add_contents)
    app.connect("build-finished", add_index)
    return {"parallel_read_safe": True}

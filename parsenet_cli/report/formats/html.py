"""A report, or a table by itself, as one HTML file that needs nothing else: style, script and drawings lie in it.

Its policy forbids every request, and every script but its own. The template escapes whatever is no markup made here, so
what a table's author writes into a label stays text.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import TYPE_CHECKING

from parsenet_cli.core import paths
from parsenet_cli.report import redact
from parsenet_cli.report.blocks import Document, Grid, Part, Section

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

SUFFIX = "html"

SHEET = 12
"""A table with more columns than this is printed across the sheet."""

_FOLDER = paths.PACKAGE / "report/formats"


def text(grid: Grid) -> str:
    """A page that holds this table alone."""
    title = ": ".join(filter(None, [grid.name, grid.title]))
    return document(redact.of_this_machine().document(Document(title, grid.caption, (Section("table", "", (grid,)),))))


def document(report: Document) -> str:
    """A whole report; where things lie on somebody's machine is left out before (report/redact.py)."""
    style, script = (_made_here((_FOLDER / name).read_text(encoding="utf-8")) for name in ("page.css", "page.js"))
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return _template().render(report=report, style=style, script=script, allowed=allowed, sheet=SHEET) + "\n"


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"kind": lambda block: type(block).__name__, "drawing": _made_here}
    environment.tests["part"] = lambda block: isinstance(block, Part)
    return environment.get_template("page.html.j2")


def _made_here(markup: str) -> Markup:
    from markupsafe import Markup

    return Markup(markup)

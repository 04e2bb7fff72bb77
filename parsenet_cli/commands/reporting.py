"""`parsenet report`: the page that one attaches to a review."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parsenet_cli.commands.options import DEFAULT_RESULTS, Results


def report(
    profile: Annotated[
        str | None, typer.Option("--profile", "-p", help="Only studies under this profile; all if not given.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The folder to write into; RESULTS/report if not given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write it anew even if nothing has changed.")] = False,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Write one page with everything: verdicts, tables, curves, pictures.

    One HTML file that needs no network, and the same as Markdown; from studies and runs alone, runs nothing.
    """
    from parsenet_cli.report.make import make
    from parsenet_cli.store import Store

    made = make(Store(results), profile, out or results / "report", force)
    for file in made.files:
        typer.echo(f"{'written' if made.written else 'unchanged'}: {file}")

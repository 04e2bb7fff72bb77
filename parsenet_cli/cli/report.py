"""Commands that take out of the store what is no table: `figure` and `export`."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from parsenet_cli.cli.completion import (
    complete_figure,
    complete_figure_argument,
    complete_profile,
    complete_signature,
    complete_table,
    complete_tables_and_studies,
)
from parsenet_cli.cli.options import DEFAULT_RESULTS, AnyProfile, ChosenStudy, Results, say


class ExportFormat(StrEnum):
    """Outputs of `parsenet export`."""

    tensorboard = "tensorboard"
    csv = "csv"


def figure(
    name: Annotated[
        str,
        typer.Argument(help="scales, receptive-field, cost, context, curves or table.", autocompletion=complete_figure),
    ],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            help="Tables; the figure's options, such as images=8; overrides.", autocompletion=complete_figure_argument
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            "-p",
            help="Which network or networks (quick if not given), or whose study (any).",
            autocompletion=complete_profile,
        ),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(
            "--run",
            help="A run with a model, instead of the initial weights (scales, receptive-field).",
            autocompletion=complete_signature,
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="A .png, .pdf or .svg.")] = None,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Draw a figure, and keep what was measured for it.

    scales and receptive-field look at a network, cost at pairs of networks, context, curves and table at a table as it was
    run. Written as PNG and PDF into the results folder unless --out says otherwise.
    """
    from parsenet_cli.cli.progress import ProgressLine
    from parsenet_cli.report.measure import make_figure
    from parsenet_cli.store.run import Store

    with ProgressLine() as line:
        files = make_figure(Store(results), name, arguments or [], profile, run, out, line)
    for file in files:
        say(f"written: {file}")


def export(
    to: Annotated[ExportFormat, typer.Option("--to", help="tensorboard or csv.")],
    tables: Annotated[
        list[str] | None,
        typer.Argument(help="Tables; everything that was run if not given.", autocompletion=complete_table),
    ] = None,
    profile: AnyProfile = None,
    out: Annotated[Path | None, typer.Option("--out", help="The folder to write into.")] = None,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Write curves and scores for other tools: TensorBoard's event files, or CSV."""
    from parsenet_cli.report import export
    from parsenet_cli.store.run import Store

    store = Store(results)
    folder = out or store.root / "export" / to.value
    progress = partial(say, err=True)
    say(export.export_studies(store, to.value, tables or [], profile, folder, progress))


def report(
    tables: Annotated[
        list[str] | None,
        typer.Argument(
            help="Tables, or those of all, beyond, mine; everything that was run if not given.",
            autocompletion=complete_tables_and_studies,
        ),
    ] = None,
    profile: AnyProfile = None,
    study: ChosenStudy = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The folder to write into; RESULTS/report if not given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write it anew even if nothing has changed.")] = False,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Write one page with everything: verdicts, tables, curves, images.

    One HTML file that needs no network, and the same as Markdown; from studies and runs alone, runs nothing.
    """
    from parsenet_cli.report.build import build_report
    from parsenet_cli.store.run import Store

    folder = out or results / "report"
    made = build_report(Store(results), profile, folder, force, tables=tables or [], study=study)
    for file in made.files:
        say(f"{'written' if made.written else 'unchanged'}: {file}")

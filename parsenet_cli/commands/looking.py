"""Commands that run nothing: `list`, `status`, `show`, `diff`, `table`, `network`."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer

from parsenet_cli.commands.options import (
    DEFAULT_RESULTS,
    AnyProfile,
    AsJson,
    Overrides,
    ProfileName,
    Results,
    SignatureName,
    complete_table,
    console,
)


class Format(StrEnum):
    """Outputs of `parsenet table`."""

    terminal = "terminal"
    md = "md"
    latex = "latex"
    csv = "csv"


class Document(StrEnum):
    """Outputs of `parsenet network`."""

    terminal = "terminal"
    md = "md"


def list_() -> None:
    """Show tables, axes, recipes, profiles and data sets."""
    from parsenet_cli import catalogue

    catalogue.show(console())


def status(
    watch: Annotated[
        bool, typer.Option("--watch", help="Again and again, until nothing runs or waits in a queue; Ctrl-C leaves.")
    ] = False,
    results: Results = DEFAULT_RESULTS,
    as_json: AsJson = False,
) -> None:
    """Show how every run of the results folder stands."""
    from parsenet_cli import inspection, watching
    from parsenet_cli.errors import UserError
    from parsenet_cli.store import Store

    if watch and as_json:
        raise UserError("--watch and --json: choose one; `parsenet status --json` says how the runs stand now")
    if watch:
        watching.watch(Store(results), console())
        return
    inspection.status(Store(results), console(), as_json)


def show(
    signature: SignatureName,
    results: Results = DEFAULT_RESULTS,
    as_json: AsJson = False,
) -> None:
    """Show everything that is known of one run."""
    from parsenet_cli import inspection
    from parsenet_cli.store import Store

    inspection.show(Store(results), signature, console(), as_json)


def diff(
    first: Annotated[str, typer.Argument(help="A run's signature, or its first digits.")],
    second: Annotated[str, typer.Argument(help="Another one's.")],
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Show in what two runs differ."""
    from parsenet_cli import inspection
    from parsenet_cli.store import Store

    inspection.diff(Store(results), first, second, console())


def table(
    name: Annotated[str, typer.Argument(help="A table, or a study's full name.", autocompletion=complete_table)],
    to: Annotated[Format, typer.Option("--to", help="terminal, md, latex or csv.")] = Format.terminal,
    profile: AnyProfile = None,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Print the newest study of a table; runs nothing."""
    from parsenet_cli import study
    from parsenet_cli.report import output
    from parsenet_cli.store import Store

    store = Store(results)
    for sentence in study.strange(store):  # one that is passed over may be the newest of this table
        typer.echo(sentence, err=True)
    found = study.newest(store, name, profile)
    if to is Format.terminal:
        console().print(output.for_terminal(found, store))
    else:
        typer.echo(output.as_text(found, store, to.value), nl=False)


def network(
    overrides: Overrides = None,
    profile: ProfileName = "paper",
    size: Annotated[
        str, typer.Option("--size", help="Width x height of the image, for the sizes of the maps.")
    ] = "500x375",
    classes: Annotated[int, typer.Option("--classes", min=2, help="Classes the head tells apart.")] = 21,
    to: Annotated[Document, typer.Option("--to", help="terminal or md.")] = Document.terminal,
    results: Results = DEFAULT_RESULTS,
    as_json: AsJson = False,
) -> None:
    """Show networks: strides, offsets, receptive fields, parameters.

    Overrides as for `sweep`, for example body=fcn,reduced; without any, the bodies of the paper. Needs no data and no
    weights.
    """
    from parsenet_cli import network as drawing
    from parsenet_cli import profile as profiles
    from parsenet_cli.store import Store

    pixels = drawing.image_size(size)
    found = drawing.networks(overrides or [], profiles.load(profile), Store(results).cache, pixels, classes)
    if as_json:
        typer.echo(json.dumps([{"network": one.name, **one.content} for one in found], indent=1))
    elif to is Document.md:
        typer.echo(drawing.to_markdown(found), nl=False)
    else:
        drawing.show(found, console())

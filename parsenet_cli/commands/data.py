"""`parsenet data …`: get, check and list data sets. Parse, call, print; the work is done in `parsenet_cli/data`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from parsenet_cli.commands.options import DEFAULT_RESULTS, console

app = typer.Typer(help="Get and check the data sets of the paper.", no_args_is_help=True, rich_markup_mode=None)

LINE_EVERY_SECONDS = 10.0
"""Without a terminal: how often a line says how far it is."""


def _complete_get(text: str) -> list[str]:
    from parsenet_cli.data import published

    return [name for name in published.names() if name.startswith(text)]


Results = Annotated[
    Path, typer.Option("--results", envvar="PARSENET_RESULTS", help="The results folder; data sets lie in its `data`.")
]
Root = Annotated[
    Path | None,
    typer.Option(
        "--root", envvar="PARSENET_DATA", help="The folder with one sub-folder per data set, instead of that."
    ),
]


@app.command()
def get(
    name: Annotated[
        str, typer.Argument(help="voc12, pascal_context, siftflow or camvid.", autocompletion=_complete_get)
    ],
    given: Annotated[
        list[Path] | None,
        typer.Option("--from", help="An archive you have, or a folder with some; may be given several times."),
    ] = None,
    mirror: Annotated[
        str | None,
        typer.Option("--mirror", help="Download from URL/<archive's name> instead of the published addresses."),
    ] = None,
    root: Root = None,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Download, verify and unpack a data set. Issued again, it goes on where it stopped, or says that all is there."""
    from parsenet_cli.data import published
    from parsenet_cli.data.preparing import prepare
    from parsenet_cli.fetch import size_text

    wanted, home = published.find(name), _home(root, results)
    with _Line() as line:
        seal = prepare(wanted, home, given or [], mirror, line)
    counts = ", ".join(f"{part} {count}" for part, count in seal["counts"].items())
    typer.echo(f"{home / name}: {counts}; {seal['files']} files, {size_text(seal['bytes'])}, {seal['content'][:19]}")
    archives = home / "archives"
    if any((archives / record["name"]).is_file() for record in seal["archives"]):
        typer.echo(f"The downloaded archives stay in {archives}; remove them if you need the space.")
    if wanted.remark:
        typer.echo(wanted.remark)


@app.command()
def check(
    what: Annotated[
        str, typer.Argument(metavar="NAME|FOLDER", help="A data set's name, or any folder of a known layout.")
    ],
    root: Root = None,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Verify a data set fully: counts, lists, every picture and label map, hashes. Exit code 2 when something is wrong."""
    from parsenet_cli.data import checking, published

    named = what in published.names() and not Path(what).is_dir()
    folder = _home(root, results) / what if named else Path(what).expanduser()
    if named and not folder.is_dir():
        from parsenet_cli.errors import UserError

        raise UserError(f"{folder}: the data set {what} is not there; `parsenet data get {what}` fetches it")
    name = what if named else checking.recognised(folder)
    expected = published.find(name).expected if name in published.names() else None
    with _Line() as line:
        report = checking.check(name, folder, expected, line)
    if report.problems:
        remedy = (
            f"Remove {folder} and issue `parsenet data get {name}` again: archives that are still there are not downloaded again."
            if named
            else "Restore these files or take their ids off the lists."
        )
        raise checking.failure(report, remedy)
    typer.echo(str(report))


@app.command("list")
def list_(root: Root = None, results: Results = DEFAULT_RESULTS) -> None:
    """Show which data sets can be had and which are here."""
    from parsenet_cli.data import listing

    listing.show(_home(root, results), console())


def _home(root: Path | None, results: Path) -> Path:
    from parsenet_cli.data.home import home

    return root.expanduser().resolve() if root else home(results)


class _Line:
    """Progress on standard error: one line that is rewritten in a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._said = 0.0
        self._topic = ""

    def __call__(self, text: str) -> None:
        topic = text.partition(":")[0]
        now = time.monotonic()
        if self._terminal:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
        elif topic != self._topic or now - self._said >= LINE_EVERY_SECONDS:
            print(text, file=sys.stderr, flush=True)
            self._said = now
        self._topic = topic

    def __enter__(self) -> _Line:
        return self

    def __exit__(self, *_: Any) -> None:
        if self._terminal and self._topic:
            print(file=sys.stderr)

"""`parsenet data …`: get, check and list data sets. Parse, call, print; the work is done in `parsenet_cli/data/download`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parsenet_cli.cli.completion import complete_release
from parsenet_cli.cli.options import DEFAULT_RESULTS, print_grid, say, say_addresses
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.paths import user_path
from parsenet_cli.data import releases

app = typer.Typer(help="Get and check the data sets of the paper.", no_args_is_help=True, rich_markup_mode=None)


Results = Annotated[
    Path,
    typer.Option(
        "--results",
        envvar="PARSENET_RESULTS",
        help="The results folder; data sets lie in its `data`.",
        parser=user_path,
        metavar="PATH",
    ),
]
Root = Annotated[
    Path | None,
    typer.Option(
        "--root",
        envvar="PARSENET_DATA",
        help="The folder with one sub-folder per data set, instead of that.",
        parser=user_path,
        metavar="PATH",
    ),
]


@app.command()
def get(
    name: Annotated[
        str, typer.Argument(help="voc12, pascal_context, siftflow or camvid.", autocompletion=complete_release)
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
    from parsenet_cli.cli.progress import ProgressLine
    from parsenet_cli.core.text import size_text
    from parsenet_cli.data.download.prepare import prepare_release

    wanted, home = releases.find(name), _home(root, results)
    with ProgressLine() as line:
        seal = prepare_release(wanted, home, given or [], mirror, line)
    counts = ", ".join(f"{part} {count}" for part, count in seal["counts"].items())
    say(f"{home / name}: {counts}; {seal['files']} files, {size_text(seal['bytes'])}, {seal['content'][:19]}")
    archives = home / "archives"
    if any((archives / record["name"]).is_file() for record in seal["archives"]):
        say(f"The downloaded archives stay in {archives}; remove them if you need the space.")
    if wanted.remark:
        say(wanted.remark)


@app.command()
def check(
    what: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FOLDER",
            help="A data set's name, or any folder of a known layout.",
            autocompletion=complete_release,
        ),
    ],
    root: Root = None,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Verify a data set fully: counts, lists, every image and label map, hashes. Exit code 2 when something is wrong."""
    from parsenet_cli.cli.progress import ProgressLine
    from parsenet_cli.data.download import check as checking

    named = what in releases.names() and not Path(what).is_dir()
    folder = _home(root, results) / what if named else user_path(what)
    if named and not folder.is_dir():
        raise UserError(f"{folder}: the data set {what} is not there; `parsenet data get {what}` fetches it")
    name = what if named else checking.detect_layout(folder)
    expected = releases.find(name).expected if name in releases.names() else None
    with ProgressLine() as line:
        report = checking.check_folder(name, folder, expected, line)
    if report.problems:
        remedy = (
            f"Remove {folder} and issue `parsenet data get {name}` again: archives that are still there are not downloaded again."
            if named
            else "Restore these files or take their ids off the lists."
        )
        raise checking.failure(report, remedy)
    say(str(report))


@app.command("list")
def list_(root: Root = None, results: Results = DEFAULT_RESULTS) -> None:
    """Show which data sets can be had and which are here."""
    from parsenet_cli.report.blocks import words

    home = _home(root, results)
    heads = ("name", "state", "lists", "size", "content", "what it is")
    rows = [(name, *_state(home / name), releases.find(name).about) for name in releases.names()]
    note = "parsenet data get NAME fetches one; a folder of your own needs nothing but data=folder data_root=…"
    print_grid(words(heads, rows, title=f"Data sets in {home}", notes=[note]))
    archives = ((name, archive) for name in releases.names() for archive in releases.find(name).archives)
    say_addresses((name, archive.remote.mirrors) for name, archive in archives)


def _home(root: Path | None, results: Path) -> Path:
    from parsenet_cli.core.paths import absolute, home

    return absolute(root) if root else home(results)


def _state(folder: Path) -> tuple[str, str, str, str]:
    """State, lists, size and content of a data set's folder."""
    from parsenet_cli.core.text import size_text
    from parsenet_cli.data.download.prepare import sealed

    seal = sealed(folder)
    if seal is None:
        if folder.is_dir():
            return "there, not made by data get", "", "", ""
        begun = folder.with_name(f".{folder.name}.preparing").is_dir()
        return "begun" if begun else "not here", "", "", ""
    lists = ", ".join(f"{part} {count}" for part, count in seal["counts"].items())
    return "ready", lists, size_text(seal["bytes"]), str(seal["content"]).removeprefix("sha256:")[:12]

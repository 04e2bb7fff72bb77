"""Options and arguments that several commands share, so that they are named and explained alike."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from parsenet_cli.cli.completion import (
    complete_argument,
    complete_column,
    complete_format,
    complete_launcher,
    complete_override,
    complete_profile,
    complete_row,
    complete_signature,
    complete_study,
)
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import os_error_text
from parsenet_cli.core.paths import user_path
from parsenet_cli.core.text import printable

if TYPE_CHECKING:
    from parsenet_cli.core.address import Address
    from parsenet_cli.report.blocks import Grid


def say(text: str, *, err: bool = False) -> None:
    """Print a line for the user: the one way to the terminal for text in which something of others may stand."""
    if err:
        with suppress(OSError):  # which could be told nowhere
            typer.echo(printable(text), err=True)
    else:
        _print(f"{printable(text)}\n")


def rewrite(text: str) -> None:
    """Print a line on the terminal behind the standard error, in the place of the one that `rewrite` printed last."""
    with suppress(OSError):
        typer.echo(f"\r\x1b[K{printable(text).replace(chr(10), ' ')}", nl=False, err=True)


def print_grid(grid: Grid, to: str = "terminal") -> None:
    """Write a table to the standard output in the format `to`. Raises `UserError` for an unknown one."""
    from parsenet_cli.report import formats

    _print(formats.find(to).text(grid))


def say_addresses(published: Iterable[tuple[str, tuple[Address, ...]]]) -> None:
    """Print where each is downloaded from, in the order tried: on a line each, or more where it is too long; none is broken."""
    from parsenet_cli.report.formats import terminal

    about = (
        "Addresses, in the order tried (docs/data.md says whose reports these are; --from FILE takes a copy you have):"
    )
    lines = [f"  {of}: {address.url} ({address.status})" for of, places in published for address in places]
    width = terminal.console().width
    say("\n".join(["", *(part for line in (about, *lines) for part in terminal.wrapped(line, width, "    "))]))


def not_written(problem: OSError) -> str:
    """What is wrong with the standard output."""
    return f"the standard output cannot be written: {os_error_text(problem)}"


def _print(text: str) -> None:
    try:
        typer.echo(text, nl=False)
    except BrokenPipeError:
        raise
    except OSError as problem:
        raise UserError(not_written(problem)) from None


Arguments = Annotated[
    list[str], typer.Argument(help="Tables, and overrides such as recipe.lr=1e-3.", autocompletion=complete_argument)
]
Overrides = Annotated[
    list[str] | None, typer.Argument(help="Overrides such as norm=l2.", autocompletion=complete_override)
]
ProfileName = Annotated[
    str,
    typer.Option("--profile", "-p", help="Which data and trunk stand behind a table.", autocompletion=complete_profile),
]
Seeds = Annotated[
    int | None, typer.Option("--seeds", min=1, help="Seeds 0 to n-1 of every cell; the profile's number if not given.")
]
StudyName = Annotated[
    str | None, typer.Option("--name", help="What `table`, `status` and `list studies` call it; a digest if not given.")
]
Rows = Annotated[
    str | None, typer.Option("--rows", help="Only these rows, by key: a,b,c.", autocompletion=complete_row)
]
Columns = Annotated[
    str | None,
    typer.Option("--columns", help="Only these columns, by key: a,b,c.", autocompletion=complete_column),
]
Cited = Annotated[bool, typer.Option("--cited", help="Also run what the paper quotes from others.")]
LauncherName = Annotated[
    str | None,
    typer.Option(
        "--launcher", help="Where runs are carried out: local, inline or slurm.", autocompletion=complete_launcher
    ),
]
Results = Annotated[
    Path,
    typer.Option("--results", envvar="PARSENET_RESULTS", help="The results folder.", parser=user_path, metavar="PATH"),
]
Retry = Annotated[bool, typer.Option("--retry", help="Try runs again that have failed twice.")]
RerunStale = Annotated[
    bool,
    typer.Option("--rerun-stale", help="Train anew what other or unknown code has made; old results are kept beside."),
]
Detach = Annotated[bool, typer.Option("--detach", help="Leave the runs to the cluster's queue; do not wait.")]
FormatName = Annotated[
    str,
    typer.Option("--to", help="terminal, markdown (or md), latex, html, csv or json.", autocompletion=complete_format),
]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
AnyProfile = Annotated[
    str | None,
    typer.Option(
        "--profile", "-p", help="Only studies under this profile; all if not given.", autocompletion=complete_profile
    ),
]
ChosenStudy = Annotated[
    str | None,
    typer.Option(
        "--study",
        help="This study instead of the one that would be taken of its table (`parsenet list studies`).",
        autocompletion=complete_study,
    ),
]
FAILED, BAD_INPUT, INTERRUPTED, UNREAD = 1, 2, 130, 141
"""Exit codes: something that was asked for has failed; the input is wrong; Ctrl-C; nobody reads the output any more, as after
`| head` (a shell's code for SIGPIPE)."""

DEFAULT_RESULTS = Path("results")
SignatureName = Annotated[
    str, typer.Argument(help="A run's signature, or its first digits.", autocompletion=complete_signature)
]


def issued() -> str:
    """The command as it was typed, to be shown to who may want to issue it again."""
    program = Path(sys.argv[0]).name
    return shlex.join(["parsenet" if program == "__main__.py" else program, *sys.argv[1:]])

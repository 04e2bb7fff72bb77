"""The command line: what `parsenet` is made of, and what its errors become. Each command is in a file of this room."""

from __future__ import annotations

import io
import os
import re
import sys
from typing import Annotated, TextIO

import typer

from parsenet_cli.cli import completion, config, data, inspect, manage, new, run, weights
from parsenet_cli.cli import predict as predicting
from parsenet_cli.cli import report as figures
from parsenet_cli.cli import report as reporting
from parsenet_cli.cli import status as looking
from parsenet_cli.cli import verify as verifying
from parsenet_cli.cli.options import BAD_INPUT, INTERRUPTED, UNREAD, not_written, say
from parsenet_cli.core.errors import NO_TORCH, UserError, is_torch_missing
from parsenet_cli.core.files import os_error_text
from parsenet_cli.core.version import __version__


def _say_version(wanted: bool) -> None:
    if wanted:
        say(f"parsenet {__version__}, Python {sys.version.split()[0]}, torch {_installed('torch')}")
        raise typer.Exit


def _installed(package: str) -> str:
    """The version of a package, without importing it."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """What stands before the command."""


completion.use_own_bash_script()
app = typer.Typer(
    name="parsenet",
    help="Turn the tables of 'ParseNet: Looking Wider to See Better' into experiments, and back into the same tables, measured.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # help without loading rich: in half the time
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in (
    *(run.ablate, run.sweep, run.train, run.plan),
    *(inspect.list_, config.config, looking.status, inspect.show, inspect.diff, inspect.table, inspect.network),
    *(manage.cancel, manage.clean, new.new),
    *(verifying.verify, reporting.report, figures.figure, figures.export),
    *(predicting.predict, predicting.submit, predicting.keep),
):
    app.command(_command.__name__.rstrip("_"))(_command)
app.callback()(_options)
app.add_typer(data.app, name="data")
app.add_typer(weights.app, name="weights")


def main() -> int:
    """Carry out the command line and return the exit code: a user's mistake is one message and 2, never a traceback."""
    _open_streams()
    _forget_impossible_sizes()
    streams = (sys.stdout, sys.stderr)
    code, problem = 0, ""
    try:
        os.getcwd()  # noqa: PTH109, raises where the folder is gone
        for text in (*sys.argv[1:], os.environ.get("PARSENET_RESULTS", "")):
            text.encode()
        app()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if code == BAD_INPUT:
            _answer_habits()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except UserError as mistake:
        problem = str(mistake)
    except ModuleNotFoundError as missing:
        if not is_torch_missing(missing):
            raise
        problem = NO_TORCH
    except UnicodeEncodeError as mistake:
        near = mistake.object[max(0, mistake.start - 60) : mistake.end + 20]
        problem = f"{near}: not a text in UTF-8: rename what is called so"
    except OSError as refusal:
        gone = isinstance(refusal, FileNotFoundError) and refusal.filename is None
        problem = "the current folder is gone: cd to another one" if gone else os_error_text(refusal)
    unread = sys.stdout is not streams[0]  # typer puts another one in the place of a pipe that nobody reads
    refused = _flushed(streams[0], 1)
    if unread or isinstance(refused, BrokenPipeError):
        code = UNREAD
    elif refused:
        problem = not_written(refused)
    if problem:
        code = BAD_INPUT
        say(f"error: {problem}", err=True)
    _flushed(streams[1], 2)
    return code


def _answer_habits() -> None:
    """Below the usage: what to type instead of an option of Hydra's."""
    from parsenet_cli.config.overrides import habit

    for argument in sys.argv[1:]:
        if argument.startswith("-") and (answer := habit(argument)):
            say(f"{argument}: {answer}", err=True)
            return


def _open_streams() -> None:
    """Something stands behind the standard streams, so that no file that is opened later becomes one; and every text can be
    written to them, whatever the terminal's encoding."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _forget_impossible_sizes() -> None:
    """A terminal has the width it has where COLUMNS is no number: rich takes `²` for one."""
    for name in ("COLUMNS", "LINES"):
        if not re.fullmatch("[0-9]{1,5}", os.environ.get(name, "0")):
            del os.environ[name]


def _flushed(stream: TextIO, number: int) -> OSError | None:
    """Why what was printed cannot be written: a full disk, for example. It is dropped then, or Python would try it again."""
    try:
        stream.flush()
    except OSError as problem:
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)
        return problem
    return None

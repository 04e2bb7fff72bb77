"""The command line: what `parsenet` is made of, and what its errors become. Each command is in a file of this room."""

from __future__ import annotations

import io
import os
import sys

import typer

from parsenet_cli.cli import data, inspect, manage, run, weights
from parsenet_cli.cli import predict as predicting
from parsenet_cli.cli import report as figures
from parsenet_cli.cli import report as reporting
from parsenet_cli.cli import verify as verifying
from parsenet_cli.cli.options import BAD_INPUT, INTERRUPTED, say
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import os_error_text

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
    *(inspect.list_, inspect.status, inspect.show, inspect.diff, inspect.table, inspect.network),
    *(manage.cancel, manage.clean),
    *(verifying.verify, reporting.report, figures.figure, figures.export),
    *(predicting.predict, predicting.submit, predicting.keep),
):
    app.command(_command.__name__.rstrip("_"))(_command)
app.add_typer(data.app, name="data")
app.add_typer(weights.app, name="weights")


def main() -> int:
    """Carry out the command line and return the exit code: a user's mistake is one message and 2, never a traceback."""
    try:
        _open_streams()
        os.getcwd()  # noqa: PTH109, raises where the folder is gone
        app()
    except UserError as problem:
        say(f"error: {problem}", err=True)
        return BAD_INPUT
    except BrokenPipeError:  # `| head` has seen enough
        return _without_output(0)
    except OSError as problem:
        gone = isinstance(problem, FileNotFoundError) and problem.filename is None
        say(f"error: {'the current folder is gone: cd to another one' if gone else os_error_text(problem)}", err=True)
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as ended:
        return _flushed(ended.code if isinstance(ended.code, int) else int(ended.code is not None))
    return _flushed(0)


def _open_streams() -> None:
    """Something stands behind the standard streams, so that no file that is opened later becomes one; and every text can be
    written to them, whatever the terminal's encoding."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _flushed(code: int) -> int:
    """The exit code, once all that was printed is out; a full disk behind the standard output is told."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return _without_output(code)
    except OSError as problem:
        say(f"error: the standard output cannot be written: {os_error_text(problem)}", err=True)
        return _without_output(BAD_INPUT)
    return code


def _without_output(code: int) -> int:
    """What is still buffered goes nowhere: Python would try it again at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return code

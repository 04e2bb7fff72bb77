"""The command line: what `parsenet` is made of. Each command is in `parsenet_cli/commands`, what it does elsewhere."""

from __future__ import annotations

import sys

import typer

from parsenet_cli.cli import data, inspect, manage, run, weights
from parsenet_cli.cli import predict as predicting
from parsenet_cli.cli import report as figures
from parsenet_cli.cli import report as reporting
from parsenet_cli.cli import verify as verifying
from parsenet_cli.cli.options import INTERRUPTED
from parsenet_cli.core.errors import UserError

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


def main() -> None:
    """The console script: a user's mistake is one message and exit code 2, never a traceback."""
    try:
        app()
    except UserError as problem:
        typer.echo(f"error: {problem}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()

"""The command line: parse, call, print. What each command does is elsewhere, and imported only when it is called."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parsenet_cli import cli_data, cli_figures, cli_predict, cli_report, cli_verify, cli_weights
from parsenet_cli.errors import UserError

if TYPE_CHECKING:
    from parsenet_cli.compose import Composer
    from parsenet_cli.config import RunConfig
    from parsenet_cli.store import Store
    from parsenet_cli.study import Study

INTERRUPTED = 130

app = typer.Typer(
    name="parsenet",
    help="Turn the tables of 'ParseNet: Looking Wider to See Better' into experiments, and back into the same tables, measured.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # help without loading rich: in half the time
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(cli_weights.app, name="weights")


app.add_typer(cli_data.app, name="data")


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


def _complete(text: str) -> list[str]:
    from parsenet_cli.completion import complete

    return complete(text)


def _complete_table(text: str) -> list[str]:
    from parsenet_cli import ablation

    return [name for name in ["all", *ablation.names()] if name.startswith(text)] + (_complete(text) if text else [])


Arguments = Annotated[
    list[str], typer.Argument(help="Tables, and overrides such as recipe.lr=1e-3.", autocompletion=_complete_table)
]
Overrides = Annotated[list[str] | None, typer.Argument(help="Overrides such as norm=l2.", autocompletion=_complete)]
ProfileName = Annotated[str, typer.Option("--profile", "-p", help="Which data and trunk stand behind a table.")]
Seeds = Annotated[
    int | None, typer.Option("--seeds", min=1, help="Seeds 0 to n-1 of every cell; the profile's number if not given.")
]
Rows = Annotated[str | None, typer.Option("--rows", help="Only these rows, by key: a,b,c.")]
Columns = Annotated[str | None, typer.Option("--columns", help="Only these columns, by key: a,b,c.")]
Cited = Annotated[bool, typer.Option("--cited", help="Also run what the paper quotes from others.")]
LauncherName = Annotated[str | None, typer.Option("--launcher", help="Where runs are carried out: local or inline.")]
Results = Annotated[Path, typer.Option("--results", envvar="PARSENET_RESULTS", help="The results folder.")]
Retry = Annotated[bool, typer.Option("--retry", help="Try runs again that have failed twice.")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
AnyProfile = Annotated[
    str | None, typer.Option("--profile", "-p", help="The newest study under this profile; any if not given.")
]
DEFAULT_RESULTS = Path("results")


@app.command()
def ablate(
    arguments: Arguments,
    profile: ProfileName = "quick",
    seeds: Seeds = None,
    rows: Rows = None,
    columns: Columns = None,
    cited: Cited = False,
    launcher: LauncherName = None,
    results: Results = DEFAULT_RESULTS,
    retry: Retry = False,
) -> None:
    """Run tables and print them beside the paper's numbers.

    Tables: table1 to table8, spp, voc_low, your own, or all. Issuing the same command again resumes: what is done is
    not done twice.
    """
    from parsenet_cli.carry_out import carry_out

    tables, overrides = _tables_and_overrides(arguments)
    store, composer = _open(results, profile, overrides)
    planned = [_plan(name, composer, seeds, cited=cited, rows=_keys(rows), columns=_keys(columns)) for name in tables]
    carry_out(store, composer, planned, _with_launcher(overrides, launcher), _console(), retry=retry)


@app.command()
def sweep(
    arguments: Overrides = None,
    profile: ProfileName = "quick",
    seeds: Seeds = None,
    launcher: LauncherName = None,
    results: Results = DEFAULT_RESULTS,
    retry: Retry = False,
) -> None:
    """Run a grid of overrides and print it as a table.

    Hydra's override grammar: fusion=early,late norm=none,l2 layers=[fc7],[pool6,fc7] recipe.lr=1e-3,1e-2 seed=range(3).
    """
    from parsenet_cli import study
    from parsenet_cli import sweep as grid
    from parsenet_cli.carry_out import carry_out

    spec, own_seeds = grid.expand(arguments or [])
    fixed = [text for text in spec.base if text.startswith("launcher")]
    store, composer = _open(results, profile, [])
    planned = study.plan(spec, composer, own_seeds or composer.seeds(seeds))
    carry_out(store, composer, [planned], _with_launcher(fixed, launcher), _console(), retry=retry)


@app.command()
def train(
    overrides: Overrides = None,
    profile: ProfileName = "quick",
    launcher: LauncherName = None,
    results: Results = DEFAULT_RESULTS,
    retry: Retry = False,
) -> None:
    """Train and evaluate one run.

    It is ParseNet under the profile, with your overrides.
    """
    from parsenet_cli import study, sweep
    from parsenet_cli.carry_out import carry_out

    spec, seed = sweep.single(overrides or [])
    store, composer = _open(results, profile, overrides or [])
    planned = study.plan(spec, composer, [seed])
    carry_out(store, composer, [planned], _with_launcher(overrides or [], launcher), _console(), retry=retry)


@app.command()
def plan(
    arguments: Arguments,
    profile: ProfileName = "quick",
    seeds: Seeds = None,
    rows: Rows = None,
    columns: Columns = None,
    cited: Cited = False,
    launcher: LauncherName = None,
    results: Results = DEFAULT_RESULTS,
    probe: Annotated[bool, typer.Option("--probe", help="Measure a few steps of each kind of run.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what `ablate` would do; run nothing.

    Cells and their runs, what is done or shared, expected time and disk.
    """
    from parsenet_cli import planning

    tables, overrides = _tables_and_overrides(arguments)
    store, composer = _open(results, profile, overrides)
    planned = [_plan(name, composer, seeds, cited=cited, rows=_keys(rows), columns=_keys(columns)) for name in tables]
    composer.save()
    options = composer.launcher(_with_launcher(overrides, launcher))
    summary = planning.summarise(planned, store, options, probe=probe, progress=lambda text: typer.echo(text, err=True))
    if as_json:
        typer.echo(json.dumps(summary.as_json(), indent=1))
    else:
        summary.show(_console())


@app.command("list")
def list_() -> None:
    """Show tables, axes, recipes, profiles and data sets."""
    from parsenet_cli import catalogue

    catalogue.show(_console())


@app.command()
def status(results: Results = DEFAULT_RESULTS, as_json: AsJson = False) -> None:
    """Show how every run of the results folder stands."""
    from parsenet_cli import inspection

    inspection.status(_store(results), _console(), as_json)


@app.command()
def show(
    signature: Annotated[str, typer.Argument(help="A run's signature, or its first digits.")],
    results: Results = DEFAULT_RESULTS,
    as_json: AsJson = False,
) -> None:
    """Show everything that is known of one run."""
    from parsenet_cli import inspection

    inspection.show(_store(results), signature, _console(), as_json)


@app.command()
def diff(
    first: Annotated[str, typer.Argument(help="A run's signature, or its first digits.")],
    second: Annotated[str, typer.Argument(help="Another one's.")],
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Show in what two runs differ."""
    from parsenet_cli import inspection

    inspection.diff(_store(results), first, second, _console())


@app.command()
def table(
    name: Annotated[str, typer.Argument(help="A table, or a study's full name.", autocompletion=_complete_table)],
    to: Annotated[Format, typer.Option("--to", help="terminal, md, latex or csv.")] = Format.terminal,
    profile: AnyProfile = None,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Print the newest study of a table; runs nothing."""
    from parsenet_cli import study
    from parsenet_cli.report import output

    store = _store(results)
    found = study.newest(store, name, profile)
    if to is Format.terminal:
        _console().print(output.for_terminal(found, store))
    else:
        typer.echo(output.as_text(found, store, to.value), nl=False)


@app.command()
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

    pixels = drawing.image_size(size)
    found = drawing.networks(overrides or [], profiles.load(profile), _store(results).cache, pixels, classes)
    if as_json:
        typer.echo(json.dumps([{"network": one.name, **one.content} for one in found], indent=1))
    elif to is Document.md:
        typer.echo(drawing.to_markdown(found), nl=False)
    else:
        drawing.show(found, _console())


for _command in (
    *(cli_predict.predict, cli_predict.submit, cli_predict.keep),
    *(cli_verify.verify, cli_report.report, cli_figures.figure, cli_figures.export),
):
    app.command()(_command)


# --- shared by the commands ----------------------------------------------------------------------------------------


def _tables_and_overrides(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    from parsenet_cli import ablation

    named = [text for text in arguments if "=" not in text]
    if not named:
        raise UserError(f"no table named. Expected one of: all, {', '.join(ablation.names())}")
    tables = ablation.names() if "all" in named else list(dict.fromkeys(named))
    return tables, [text for text in arguments if "=" in text]


def _keys(text: str | None) -> list[str] | None:
    return text.split(",") if text else None


def _store(results: Path) -> Store:
    from parsenet_cli.store import Store

    return Store(results)


def _open(results: Path, profile: str, overrides: Sequence[str]) -> tuple[Store, Composer]:
    from parsenet_cli import profile as profiles
    from parsenet_cli.compose import Composer

    store = _store(results)
    return store, Composer(profiles.load(profile), overrides, store.cache)


def _plan(name: str, composer: Composer, seeds: int | None, **narrowed: Any) -> tuple[Study, dict[str, RunConfig]]:
    from parsenet_cli import ablation, study

    chosen = composer.seeds(seeds)
    return study.plan(ablation.load(name), composer, chosen, **narrowed)


def _with_launcher(overrides: Sequence[str], launcher: str | None) -> list[str]:
    return [*overrides, *([f"launcher={launcher}"] if launcher else [])]


def _console() -> Any:
    from rich.console import Console

    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 160
    return Console(width=width, highlight=False)


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

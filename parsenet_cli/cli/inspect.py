"""Commands that look and run nothing: `list`, `show`, `diff`, `table`, `network`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from parsenet_cli.cli.completion import complete_signature, complete_table, complete_table_or_study
from parsenet_cli.cli.options import (
    DEFAULT_RESULTS,
    AnyProfile,
    AsJson,
    ChosenStudy,
    FormatName,
    Overrides,
    ProfileName,
    Results,
    SignatureName,
    print_grid,
    say,
)
from parsenet_cli.core.errors import UserError


def list_(
    name: Annotated[
        str | None,
        typer.Argument(help="A table, a group of tables, or the word studies.", autocompletion=complete_table),
    ] = None,
    profile: ProfileName = "quick",
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Show tables, axes, recipes, profiles and data sets.

    With a name: that table in full. `list studies`: what was issued in this results folder.
    """
    from parsenet_cli.cli import catalogue
    from parsenet_cli.store.run import Store

    for grid in catalogue.grids(profile) if name is None else catalogue.named(name, Store(results)):
        print_grid(grid)


def show(
    signature: SignatureName,
    everything: Annotated[
        bool, typer.Option("--all", help="Also the protocol, configuration, result and environment as they are kept.")
    ] = False,
    results: Results = DEFAULT_RESULTS,
    as_json: AsJson = False,
) -> None:
    """Show one run: what it is for, how it stands, its scores, what it deviates in, its files."""
    from parsenet_cli.cli import run_page
    from parsenet_cli.store import study
    from parsenet_cli.store.run import Store

    store = Store(results)
    run, studies = store.find(signature), study.load_all(store)
    if as_json:
        say(json.dumps(run_page.content(run, studies), indent=2))
    elif everything:
        say("\n".join(run_page.everything(run, studies)))
    else:
        from parsenet_cli.report.formats import terminal

        say("\n".join(run_page.screen(run, studies, terminal.console().width)))


def diff(
    first: SignatureName,
    second: Annotated[str, typer.Argument(help="Another one's.", autocompletion=complete_signature)],
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Show in what two runs differ."""
    from parsenet_cli.runner.state import summary_of
    from parsenet_cli.store.run import Store

    runs = [Store(results).find(prefix) for prefix in (first, second)]
    ours, theirs = (_flat(run.config().science.model_dump(mode="json")) for run in runs)
    for key in dict.fromkeys([*ours, *theirs]):
        if ours.get(key) != theirs.get(key):
            say(f"{key}: {ours.get(key)} -> {theirs.get(key)}")
    if ours == theirs:
        say("the same run")
    for summary in map(summary_of, runs):
        say(f"{summary.signature}  {summary.state:8}  {summary.says}")


def table(
    name: Annotated[
        str | None,
        typer.Argument(help="A table, or a study's full name.", autocompletion=complete_table_or_study),
    ] = None,
    to: FormatName = "terminal",
    profile: AnyProfile = None,
    study_name: ChosenStudy = None,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Print a table as it was run; runs nothing.

    Of several studies of it the one with the most cells, then seeds, that is of the table, the settings and the code as they
    are now; --study prints another.
    """
    from parsenet_cli.report import formats, tables
    from parsenet_cli.store import choice, study
    from parsenet_cli.store.run import Store

    formats.find(to)
    store = Store(results)
    studies, skipped = study.load_all_and_skipped(store)
    for sentence in [*skipped, *store.passed_over()]:  # one of them may be of this table
        say(sentence, err=True)
    asked = name or study_name
    if asked is None:
        raise UserError("no table named. Expected a table, for example table4, or --study (`parsenet list studies`)")
    one = choice.of_table(store, asked, profile, choice.only(studies, study_name))
    choice.check_named(study_name, [one], studies)
    if one.name not in (name, study_name):
        for sentence in choice.notes([one], studies):
            say(sentence, err=True)
    runs = study.read_runs([one], store)
    for sentence in study.disbelieved(runs.values()):
        say(sentence, err=True)
    print_grid(tables.study_grid(one, store, runs), to)


def network(
    overrides: Overrides = None,
    profile: ProfileName = "paper",
    size: Annotated[
        str, typer.Option("--size", help="Width x height of the image, for the sizes of the maps.")
    ] = "500x375",
    classes: Annotated[int, typer.Option("--classes", min=2, max=65_536, help="Classes the head tells apart.")] = 21,
    to: FormatName = "terminal",
    results: Results = DEFAULT_RESULTS,
    as_json: AsJson = False,
) -> None:
    """Show networks: strides, offsets, receptive fields, parameters.

    Overrides as for `sweep`, for example body=fcn,reduced; without any, the bodies of the paper. Needs no data and no
    weights.
    """
    from parsenet_cli.config import profile as profiles
    from parsenet_cli.report.network import image_size, network_grid, networks
    from parsenet_cli.store.run import Store

    described = networks(overrides or [], profiles.load(profile), Store(results).cache, image_size(size), classes)
    if as_json:
        say(json.dumps([{"network": each.name, **each.content} for each in described], indent=1))
    else:
        print_grid(network_grid(described), to)


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in content.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat

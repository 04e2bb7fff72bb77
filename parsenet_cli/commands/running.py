"""Commands that carry runs out, and the one that says what they would: `ablate`, `sweep`, `train`, `plan`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parsenet_cli.commands.options import (
    DEFAULT_RESULTS,
    Arguments,
    AsJson,
    Cited,
    Columns,
    Detach,
    LauncherName,
    Overrides,
    ProfileName,
    Results,
    Retry,
    Rows,
    Seeds,
    console,
)
from parsenet_cli.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from parsenet_cli.compose import Composer
    from parsenet_cli.config import RunConfig
    from parsenet_cli.store import Store
    from parsenet_cli.study import Study


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
    detach: Detach = False,
) -> None:
    """Run tables and print them beside the paper's numbers.

    Tables: table1 to table8, spp, voc_low, your own, or all. Issuing the same command again resumes: what is done is
    not done twice.
    """
    from parsenet_cli.carry_out import carry_out

    tables, overrides = _tables_and_overrides(arguments)
    store, composer = _open(results, profile, overrides)
    planned = [_plan(name, composer, seeds, cited=cited, rows=_keys(rows), columns=_keys(columns)) for name in tables]
    carry_out(store, composer, planned, _with_launcher(overrides, launcher), console(), retry=retry, detach=detach)


def sweep(
    arguments: Overrides = None,
    profile: ProfileName = "quick",
    seeds: Seeds = None,
    launcher: LauncherName = None,
    results: Results = DEFAULT_RESULTS,
    retry: Retry = False,
    detach: Detach = False,
) -> None:
    """Run a grid of overrides and print it as a table.

    Hydra's override grammar: fusion=early,late norm=none,l2 layers=[fc7],[pool6,fc7] recipe.lr=1e-3,1e-2 seed=range(3).
    """
    from parsenet_cli import study
    from parsenet_cli import sweep as grid
    from parsenet_cli.carry_out import carry_out
    from parsenet_cli.compose import apart

    runs, of_launcher = apart(arguments or [])
    spec, own_seeds = grid.expand(runs)
    store, composer = _open(results, profile, [])
    planned = study.plan(spec, composer, own_seeds or composer.seeds(seeds))
    carry_out(store, composer, [planned], _with_launcher(of_launcher, launcher), console(), retry=retry, detach=detach)


def train(
    overrides: Overrides = None,
    profile: ProfileName = "quick",
    launcher: LauncherName = None,
    results: Results = DEFAULT_RESULTS,
    retry: Retry = False,
    detach: Detach = False,
) -> None:
    """Train and evaluate one run.

    It is ParseNet under the profile, with your overrides.
    """
    from parsenet_cli import study, sweep
    from parsenet_cli.carry_out import carry_out
    from parsenet_cli.compose import apart

    run, of_launcher = apart(overrides or [])
    spec, seed = sweep.single(run)
    store, composer = _open(results, profile, run)
    planned = study.plan(spec, composer, [seed])
    carry_out(store, composer, [planned], _with_launcher(of_launcher, launcher), console(), retry=retry, detach=detach)


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
        summary.show(console())


def _tables_and_overrides(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    from parsenet_cli import ablation

    named = [text for text in arguments if "=" not in text]
    if not named:
        raise UserError(f"no table named. Expected one of: all, {', '.join(ablation.names())}")
    tables = ablation.names() if "all" in named else list(dict.fromkeys(named))
    return tables, [text for text in arguments if "=" in text]


def _keys(text: str | None) -> list[str] | None:
    return text.split(",") if text else None


def _open(results: Path, profile: str, overrides: Sequence[str]) -> tuple[Store, Composer]:
    from parsenet_cli import profile as profiles
    from parsenet_cli.compose import Composer
    from parsenet_cli.store import Store

    store = Store(results)
    return store, Composer(profiles.load(profile), overrides, store.cache)


def _plan(name: str, composer: Composer, seeds: int | None, **narrowed: Any) -> tuple[Study, dict[str, RunConfig]]:
    from parsenet_cli import ablation, study

    chosen = composer.seeds(seeds)
    return study.plan(ablation.load(name), composer, chosen, **narrowed)


def _with_launcher(overrides: Sequence[str], launcher: str | None) -> list[str]:
    return [*overrides, *([f"launcher={launcher}"] if launcher else [])]

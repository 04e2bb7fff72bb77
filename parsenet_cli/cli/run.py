"""From planned studies to printed tables: what `ablate`, `sweep` and `train` have in common."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parsenet_cli.cli.completion import complete_argument
from parsenet_cli.cli.options import (
    DEFAULT_RESULTS,
    FAILED,
    INTERRUPTED,
    Arguments,
    AsJson,
    Cited,
    Columns,
    Detach,
    LauncherName,
    Overrides,
    ProfileName,
    RerunStale,
    Results,
    Retry,
    Rows,
    Seeds,
    StudyName,
    issued,
    print_grid,
    say,
)
from parsenet_cli.core.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from parsenet_cli.config.compose import Composer
    from parsenet_cli.config.table import TableSpec
    from parsenet_cli.report.blocks import Grid
    from parsenet_cli.runner.plan import Plan, PlannedCell, PlanSummary
    from parsenet_cli.store.run import Store

Planned = tuple["Store", "Composer", list["Plan"], list[str]]
"""The results folder, what composes, what is planned, and the overrides that may choose the launcher."""

PLAN_HEADS = ("table", "row", "column", "steps x images", "a run takes", "runs (one per seed)", "state")


def run_plans(
    store: Store,
    composer: Composer,
    plans: Sequence[Plan],
    overrides: Sequence[str],
    *,
    retry: bool,
    detach: bool = False,
    rerun_stale: bool = False,
) -> None:
    """Run what is missing, then print and write the tables; exit 1 when a run failed, 130 when interrupted.

    `overrides` are those that choose the launcher; others do no harm. `detach`: leave the runs to the launcher's queue; a
    later command joins them. `rerun_stale`: what other or unknown code has made is missing too.
    """
    from parsenet_cli.cli.progress import open_view
    from parsenet_cli.report import tables
    from parsenet_cli.runner import launch
    from parsenet_cli.runner.launcher import BatchLauncher
    from parsenet_cli.runner.plan import all_configs, any_on_gpu, by_this_code
    from parsenet_cli.runner.scheduler import Scheduler
    from parsenet_cli.store import choice, study

    options = composer.launcher(overrides)
    _check_blocks(plans)
    plans = [by_this_code(plan, store) for plan in plans] if rerun_stale else plans
    store.check_writable()
    composer.save()
    # One seed of every cell before the next seed of any: a sweep that is stopped half-way has whole tables.
    configs = dict(sorted(all_configs(plans).items(), key=lambda item: item[1].science.seed))
    missing = [config for signature, config in configs.items() if not store.run(signature).done(config.runtime)]
    launcher = launch.open_launcher(options, len(missing), store.root, on_gpu=any_on_gpu(missing))
    if missing:
        launch.check_torch(launcher)
    launch.check_device(launcher, [(config.runtime.device, config.science.precision) for config in missing])
    studies = [study.save(plan.study, store) for plan in plans]
    view, shown = open_view(studies, len(configs), store)
    try:
        with shown:
            outcome = Scheduler(store, configs, launcher, view).run(retry=retry, detach=detach)
    except KeyboardInterrupt:
        say("\nstopped; what is finished is kept. To go on, issue the same command again:", err=True)
        say(f"  {issued()}", err=True)
        joined = [job for run in map(store.run, configs) if run.result() is None and (job := run.job())]
        if joined and isinstance(launcher, BatchLauncher):
            said = f"jobs that another command has submitted go on: {', '.join(joined)} (`parsenet cancel` stops them)"
            say(said, err=True)
        raise typer.Exit(INTERRUPTED) from None
    for run in [run for run in outcome.left if run.job()]:
        say(f"in the queue: {run.signature}  job {run.job()}")
    if outcome.left:
        say("To follow them, and for the tables, issue the same command again without --detach.")
    if refused := sum(run.job() is None and not run.alive() for run in outcome.left):
        say(f"not in the queue, which takes no more now: {refused} runs. Issue the same command again for them.")
    known = [] if outcome.left else study.load_all(store)
    for one in [] if outcome.left else studies:
        grid = tables.study_grid(one, store)
        print_grid(grid)
        kept, why = choice.kept_on_disk(one, known, store)
        if why:
            say(
                f"{store.tables / one.profile / one.table.name}.*: the table of {kept.name} ({choice.amount(kept)}) stays; this "
                f"study {why}: `parsenet table --study {one.name}` prints it"
            )
            grid = tables.study_grid(kept, store)
        for file in tables.write(grid, kept, store):
            say(f"written: {file}")
    for signature, error in outcome.failed.items():
        log = store.run(signature).log
        say(f"failed: {signature}: {error}{f' (see {log})' if log.is_file() else ''}", err=True)
    if outcome.bad_input:
        raise UserError("\n".join(outcome.bad_input))
    if outcome.cancelled:
        say(f"cancelled: {len(outcome.cancelled)} runs; to go on, issue the same command again", err=True)
    if outcome.failed:
        say("Issue the same command again to try once more; after that, with --retry.", err=True)
        raise typer.Exit(FAILED)
    if outcome.cancelled:
        raise typer.Exit(INTERRUPTED)


def _check_blocks(plans: Sequence[Plan]) -> None:
    """Before anything is written: blocks from outside are what they were when the runs were planned, and can be built.

    Raises:
        UserError: with the block's own traceback, where it has one.
    """
    from importlib.util import find_spec

    from parsenet_cli.core import blocks
    from parsenet_cli.runner.plan import all_configs

    sciences = [config.science for config in all_configs(plans).values()]
    outside = [science for science in sciences if any(block.code for block in science.blocks.values())]
    for science in outside:
        for group, block in science.blocks.items():
            if block.code:
                blocks.with_code(group, getattr(science, group), block.code)
    if outside and find_spec("torch") is not None:  # where there is none, runs are carried out elsewhere
        from parsenet_cli.models.blocks import check

        check(outside)


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
    rerun_stale: RerunStale = False,
    detach: Detach = False,
) -> None:
    """Run tables and print them beside the paper's numbers.

    Tables by name; all is the paper's, beyond what it asks for and did not run, mine yours in ./ablations (`parsenet list`).
    Issuing the same command again resumes: what is done is not done twice.
    """
    store, composer, plans, overrides = _plan_tables(arguments, results, profile, seeds, cited, rows, columns)
    options = with_launcher(overrides, launcher)
    run_plans(store, composer, plans, options, retry=retry, detach=detach, rerun_stale=rerun_stale)


def sweep(
    arguments: Overrides = None,
    profile: ProfileName = "quick",
    seeds: Seeds = None,
    name: StudyName = None,
    launcher: LauncherName = None,
    results: Results = DEFAULT_RESULTS,
    retry: Retry = False,
    rerun_stale: RerunStale = False,
    detach: Detach = False,
) -> None:
    """Run a grid of overrides and print it as a table.

    Hydra's override grammar: fusion=early,late norm=none,l2 layers=[fc7],[pool6,fc7] recipe.lr=1e-3,1e-2 seed=range(3).
    """
    store, composer, plans, of_launcher = _plan_sweep(arguments or [], results, profile, seeds, name=name)
    options = with_launcher(of_launcher, launcher)
    run_plans(store, composer, plans, options, retry=retry, detach=detach, rerun_stale=rerun_stale)


def train(
    overrides: Overrides = None,
    profile: ProfileName = "quick",
    name: StudyName = None,
    launcher: LauncherName = None,
    results: Results = DEFAULT_RESULTS,
    retry: Retry = False,
    rerun_stale: RerunStale = False,
    detach: Detach = False,
) -> None:
    """Train and evaluate one run.

    It is ParseNet under the profile, with your overrides.
    """
    store, composer, plans, of_launcher = _plan_run(overrides or [], results, profile, name=name)
    options = with_launcher(of_launcher, launcher)
    run_plans(store, composer, plans, options, retry=retry, detach=detach, rerun_stale=rerun_stale)


def _called(spec: TableSpec, name: str | None, store: Store) -> TableSpec:
    """The same under the name that was chosen for it. Raises `UserError` where that means something else already."""
    from parsenet_cli.store import study

    if name is None:
        return spec
    spec = replace(spec, name=name)
    study.check_name_is_free(spec, store)
    return spec


def plan(
    arguments: Annotated[
        list[str],
        typer.Argument(help="Tables, a grid or one run, as those take them.", autocompletion=complete_argument),
    ],
    profile: ProfileName = "quick",
    seeds: Seeds = None,
    rows: Rows = None,
    columns: Columns = None,
    cited: Cited = False,
    launcher: LauncherName = None,
    results: Results = DEFAULT_RESULTS,
    rerun_stale: RerunStale = False,
    probe: Annotated[bool, typer.Option("--probe", help="Measure a few steps of each kind of run.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what `ablate`, `sweep` or `train` would do; run nothing.

    Cells and their runs, what is done or shared, expected time and disk. Data that are not here are named, and counted on.
    """
    from parsenet_cli.config import sweep as grid
    from parsenet_cli.runner import plan as planning

    if any("=" not in text for text in arguments):
        planned = _plan_tables(arguments, results, profile, seeds, cited, rows, columns, data_needed=False)
    elif cited or rows is not None or columns is not None:
        raise UserError("--rows, --columns and --cited choose among the cells of a table, and no table is named")
    elif grid.names_several(arguments):
        planned = _plan_sweep(arguments, results, profile, seeds, data_needed=False)
    elif seeds is not None:
        raise UserError(f"--seeds {seeds}: one run has one seed, for example seed=0; tables and grids have several")
    else:
        planned = _plan_run(arguments, results, profile, data_needed=False)
    store, composer, plans, overrides = planned
    composer.save()
    plans = [planning.by_this_code(one, store) for one in plans] if rerun_stale else plans
    options = composer.launcher(with_launcher(overrides, launcher))
    summary = planning.summarize(plans, store, options, probe=probe, progress=lambda text: say(text, err=True))
    if as_json:
        say(json.dumps(summary.as_json(), indent=1))
    else:
        print_grid(plan_grid(summary))


def plan_grid(summary: PlanSummary) -> Grid:
    """One row per cell, or for several that need the same runs; below, the totals."""
    from parsenet_cli.core.text import duration
    from parsenet_cli.report.blocks import words

    rows = []
    for cell, columns in _rows(summary.cells):
        state = f"n/a: {cell.reason}" if cell.reason else _counted(cell.states)
        shared = f" (as {cell.shared_with})" if cell.shared_with else ""
        size = f"{cell.steps} x {cell.images}" if cell.steps else ""
        takes = duration(cell.seconds) if cell.seconds is not None else ""
        runs = " ".join(cell.signatures) if cell.identified else f"{len(cell.signatures)} (data not here)"
        rows.append((cell.table, cell.row, columns, size, takes, runs, state + shared))
    done = summary.runs - summary.missing
    notes = [f"{len(summary.cells)} cells, {summary.runs} distinct runs, {done} done, {summary.missing} to do"]
    if summary.missing:
        time = "unknown until such runs are done; --probe measures a step of each kind"
        if summary.seconds is not None:
            time = f"{duration(summary.seconds)} with {summary.slots} at a time"
        notes.append(f"to do: {summary.steps} steps over {summary.images} images")
        notes.append(f"expected time: {time}")
        notes.append(f"disk: {_disk(summary)}")
    notes += [str(missing) for missing in summary.not_here]
    notes += summary.notices
    return words(PLAN_HEADS, rows, labels=3, notes=notes)


def _disk(summary: PlanSummary) -> str:
    """What the runs will write, in words."""
    from parsenet_cli.core.text import size_text

    cache = summary.cache
    parts = [f"{size_text(summary.bytes)} of results" if summary.bytes is not None else "unknown for the models"]
    if cache.to_write:
        parts.append(f"about {size_text(cache.to_write)} in the cache (data, drawn and decoded once)")
    if cache.there:
        parts.append(f"{size_text(cache.there)} of the cache is there")
    if cache.unknown:
        parts.append(f"what decoding {', '.join(cache.unknown)} takes is not known")
    if summary.checkpoint_bytes:
        parts.append(f"checkpoints while they run: at most {size_text(summary.checkpoint_bytes)}")
    return "; ".join(parts)


def _rows(cells: Sequence[PlannedCell]) -> Iterator[tuple[PlannedCell, str]]:
    """The first of neighbours in a row that measure different things of the same runs, and all their columns."""
    for _, group in groupby(cells, key=lambda cell: (cell.table, cell.row, cell.signatures, cell.reason)):
        alike = list(group)
        columns = alike[0].column if len(alike) == 1 else f"{alike[0].column} … {alike[-1].column} ({len(alike)})"
        yield alike[0], columns


def _counted(states: Sequence[str]) -> str:
    """`done`, or `2 done, 1 to do`."""
    counts = Counter(states)
    text = states[0] if len(counts) == 1 else ", ".join(f"{count} {state}" for state, count in counts.items())
    return text.replace("new", "to do")


def _plan_tables(
    arguments: Sequence[str],
    results: Path,
    profile: str,
    seeds: int | None,
    cited: bool,
    rows: str | None,
    columns: str | None,
    data_needed: bool = True,
) -> Planned:
    """The tables among the arguments, planned, and the overrides among them."""
    from parsenet_cli.config import table_file
    from parsenet_cli.runner.plan import plan_table

    tables = [text for text in arguments if "=" not in text]
    overrides = [text for text in arguments if "=" in text]
    if not tables:
        raise UserError(f"no table named. Expected one of: {', '.join([*table_file.GROUPS, *table_file.names()])}")
    specs = [table_file.load(name) for name in table_file.named(tables)]
    store, composer = open_composer(results, profile, overrides)
    chosen: dict[str, Any] = {"rows": _keys(rows), "columns": _keys(columns), "data_needed": data_needed}
    plans = [plan_table(spec, composer, composer.seeds(seeds), cited=cited, **chosen) for spec in specs]
    return store, composer, plans, overrides


def _plan_sweep(
    arguments: Sequence[str],
    results: Path,
    profile: str,
    seeds: int | None,
    *,
    name: str | None = None,
    data_needed: bool = True,
) -> Planned:
    """A grid, planned, and the overrides that choose the launcher."""
    from parsenet_cli.config import sweep as grid
    from parsenet_cli.config.overrides import split_launcher
    from parsenet_cli.runner.plan import plan_table

    runs, of_launcher = split_launcher(arguments)
    spec, own_seeds = grid.expand(runs)
    store, composer = open_composer(results, profile, [])
    spec = _called(spec, name, store)
    plan = plan_table(spec, composer, own_seeds or composer.seeds(seeds), data_needed=data_needed)
    return store, composer, [plan], of_launcher


def _plan_run(
    overrides: Sequence[str], results: Path, profile: str, *, name: str | None = None, data_needed: bool = True
) -> Planned:
    """One run, planned, and the overrides that choose the launcher."""
    from parsenet_cli.config import sweep as grid
    from parsenet_cli.config.overrides import split_launcher
    from parsenet_cli.runner.plan import plan_table

    run, of_launcher = split_launcher(overrides)
    spec, seed = grid.single(run)
    store, composer = open_composer(results, profile, run)
    spec = _called(spec, name, store)
    return store, composer, [plan_table(spec, composer, [seed], data_needed=data_needed)], of_launcher


def _keys(text: str | None) -> list[str] | None:
    return None if text is None else text.split(",")


def open_composer(results: Path, profile: str, overrides: Sequence[str]) -> tuple[Store, Composer]:
    """The results folder, and what composes configurations under a profile. Raises `UserError` for an unknown profile."""
    from parsenet_cli.config import profile as profiles
    from parsenet_cli.config.compose import Composer
    from parsenet_cli.store.run import Store

    store = Store(results)
    return store, Composer(profiles.load(profile), overrides, store.cache)


def with_launcher(overrides: Sequence[str], launcher: str | None) -> list[str]:
    """The overrides, and what `--launcher` stands for."""
    return [*overrides, *([] if launcher is None else [f"launcher={launcher}"])]

"""From planned studies to printed tables: what `ablate`, `sweep` and `train` have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from parsenet_cli import schedule, study
from parsenet_cli.commands.options import issued
from parsenet_cli.launch import Queueing, open_launcher
from parsenet_cli.progress import open_view
from parsenet_cli.report import output

if TYPE_CHECKING:
    from rich.console import Console

    from parsenet_cli.compose import Composer
    from parsenet_cli.config import RunConfig
    from parsenet_cli.store import Store
    from parsenet_cli.study import Study

FAILED, INTERRUPTED = 1, 130


def carry_out(
    store: Store,
    composer: Composer,
    planned: Sequence[tuple[Study, dict[str, RunConfig]]],
    overrides: Sequence[str],
    console: Console,
    *,
    retry: bool,
    detach: bool = False,
) -> None:
    """Run what is missing, then print and write the tables; exit 1 when a run failed, 130 when interrupted.

    `overrides` are those that choose the launcher; others do no harm. `detach`: leave the runs to the launcher's queue; a
    later command joins them.
    """
    options = composer.launcher(overrides)
    store.check_writable()
    composer.save()
    studies = [study.save(one, store) for one, _ in planned]
    configs = {signature: config for _, each in planned for signature, config in each.items()}
    # One seed of every cell before the next seed of any: a sweep that is stopped half-way has whole tables.
    configs = dict(sorted(configs.items(), key=lambda item: item[1].science.seed))
    missing = sum(not store.run(signature).done(config.runtime.keep_model) for signature, config in configs.items())
    launcher = open_launcher(options, missing)
    view, shown = open_view(studies, len(configs), store)
    try:
        with shown:
            outcome = schedule.execute(store, configs, launcher, view, retry=retry, detach=detach)
    except KeyboardInterrupt:
        typer.echo("\nstopped; what is finished is kept. To go on, issue the same command again:", err=True)
        typer.echo(f"  {issued()}", err=True)
        joined = [job for run in map(store.run, configs) if run.result() is None and (job := run.job())]
        if joined and isinstance(launcher, Queueing):
            said = f"jobs that another command has submitted go on: {', '.join(joined)} (`parsenet cancel` stops them)"
            typer.echo(said, err=True)
        raise typer.Exit(INTERRUPTED) from None
    for run in [run for run in outcome.left if run.job()]:
        typer.echo(f"in the queue: {run.signature}  job {run.job()}")
    if outcome.left:
        typer.echo("To follow them, and for the tables, issue the same command again without --detach.")
    if refused := sum(run.job() is None and not run.alive() for run in outcome.left):
        typer.echo(f"not in the queue, which takes no more now: {refused} runs. Issue the same command again for them.")
    for one in [] if outcome.left else studies:
        console.print(output.for_terminal(one, store))
        for file in output.write(one, store):
            typer.echo(f"written: {file}")
    for signature, error in outcome.failed.items():
        log = store.run(signature).folder / "log.txt"
        typer.echo(f"failed: {signature}: {error}{f' (see {log})' if log.is_file() else ''}", err=True)
    outcome.raise_bad_input()
    if outcome.cancelled:
        typer.echo(f"cancelled: {len(outcome.cancelled)} runs; to go on, issue the same command again", err=True)
    if outcome.failed:
        typer.echo("Issue the same command again to try once more; after that, with --retry.", err=True)
        raise typer.Exit(FAILED)
    if outcome.cancelled:
        raise typer.Exit(INTERRUPTED)

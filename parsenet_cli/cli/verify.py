"""The command that says what the runs say of the paper's claims: `verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from parsenet_cli.cli.options import DEFAULT_RESULTS, FormatName, Results, complete_table, print_grid, say

if TYPE_CHECKING:
    from parsenet_cli.store.run import Store
    from parsenet_cli.store.study import Study

REFUTED, UNDECIDED = 3, 4


def verify(
    tables: Annotated[
        list[str] | None, typer.Argument(help="Tables, or all that have been run.", autocompletion=complete_table)
    ] = None,
    profile: Annotated[str, typer.Option("--profile", "-p", help="The newest studies under this profile.")] = "quick",
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 4 where a claim is undecided.")] = False,
    to: FormatName = "terminal",
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Judge the paper's claims by the runs; runs nothing.

    Supported, refuted or undecided, with the effect, its interval over seeds and images, and why. Exit code 0 when
    nothing is refuted, 3 when something is.
    """
    from parsenet_cli.claims import judge
    from parsenet_cli.core.code import told
    from parsenet_cli.report.verdicts import verdict_grid
    from parsenet_cli.store import study
    from parsenet_cli.store.run import Store

    store = Store(results)
    named = dict.fromkeys(tables or ["all"])
    studies = _all(store, profile) if "all" in named else [study.newest(store, name, profile) for name in named]
    verdicts = judge.judge_studies(studies, store, figures="all" in named)
    runs = study.read_runs(studies, store).values()
    notices = [
        *judge.changed(studies),
        *told([read.code_remark for read in runs if read.result]),
        *study.skipped(store),
        *store.skipped(),
        *study.disbelieved(runs),
    ]
    print_grid(verdict_grid(verdicts, notices), to)
    outcomes = {verdict.outcome for verdict in verdicts}
    if "refuted" in outcomes:
        raise typer.Exit(REFUTED)
    if strict and "undecided" in outcomes:
        raise typer.Exit(UNDECIDED)


def _all(store: Store, profile: str) -> list[Study]:
    """The newest study under a profile of every table that states a claim. `UserError` when there is none."""
    from parsenet_cli.config import table_file
    from parsenet_cli.core.errors import UserError
    from parsenet_cli.store import study

    studies = [each for each in study.load_all(store) if each.profile == profile and each.table.claims]
    newest = {each.table.name: each for each in studies}
    known = table_file.names()
    if not newest:
        absent = f"no table with claims has been run under profile {profile} yet. Run `parsenet ablate all` first"
        raise UserError("\n".join([f"{store.root}: {absent}", *study.skipped(store)]))
    missing = [name for name in known if name not in newest]
    if missing:
        say(f"not run under profile {profile} yet: {', '.join(missing)}", err=True)
    order = {name: place for place, name in enumerate(known)}
    return sorted(newest.values(), key=lambda each: order.get(each.table.name, len(known)))

"""The command that says what the runs say of the paper's claims: `verify`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from parsenet_cli.cli.completion import complete_profile, complete_table
from parsenet_cli.cli.options import DEFAULT_RESULTS, ChosenStudy, FormatName, Results, print_grid, say

if TYPE_CHECKING:
    from parsenet_cli.store.run import Store
    from parsenet_cli.store.study import Study

REFUTED, UNDECIDED = 3, 4


def verify(
    tables: Annotated[
        list[str] | None, typer.Argument(help="Tables, or those of all, beyond, mine.", autocompletion=complete_table)
    ] = None,
    profile: Annotated[
        str,
        typer.Option("--profile", "-p", help="The studies under this profile.", autocompletion=complete_profile),
    ] = "quick",
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 4 where a claim is not decided.")] = False,
    to: FormatName = "terminal",
    results: Results = DEFAULT_RESULTS,
    study_name: ChosenStudy = None,
) -> None:
    """Judge the paper's claims by the runs; runs nothing.

    Supported, refuted, undecided or neither, with the effect, its interval over seeds and images, why, and what would decide
    it. A verdict does not depend on which tables are named. Exit code 0 when nothing is refuted, 3 when something is.
    """
    from parsenet_cli.claims import judge
    from parsenet_cli.config.table_file import GROUPS
    from parsenet_cli.core.code import told
    from parsenet_cli.report.verdicts import verdict_grid
    from parsenet_cli.store import choice, study
    from parsenet_cli.store.run import Store

    store = Store(results)
    named = dict.fromkeys(tables or ["all"])
    known, skipped = study.load_all_and_skipped(store)
    offered = choice.only(known, study_name)
    found = [
        _all(store, profile, name, offered, skipped)
        if name in GROUPS
        else [choice.of_table(store, name, profile, offered)]
        for name in named
    ]
    studies = list({each.name: each for several in found for each in several}.values())
    choice.check_named(study_name, studies, known)
    beside = choice.one_of_each([each for each in offered if each.profile == profile], store)
    verdicts = judge.judge_studies(studies, store, beside=beside, figures="all" in named)
    runs = study.read_runs(studies, store).values()
    notices = [
        *choice.notes([each for each in studies if each.name not in (*named, study_name)], known),
        *judge.changed(studies),
        *told([read.code_remark for read in runs if read.result]),
        *skipped,
        *store.skipped(),
        *study.disbelieved(runs),
    ]
    print_grid(verdict_grid(verdicts, notices), to)
    outcomes = {verdict.outcome for verdict in verdicts}
    if "refuted" in outcomes:
        raise typer.Exit(REFUTED)
    if strict and not outcomes <= {"supported", "refuted"}:
        raise typer.Exit(UNDECIDED)


def _all(store: Store, profile: str, group: str, studies: Sequence[Study], skipped: Sequence[str]) -> list[Study]:
    """The study that is taken, under a profile, of every table of a group that states a claim.

    Raises:
        UserError: there is none; what was `skipped` is told.
    """
    from parsenet_cli.config import table_file
    from parsenet_cli.core.errors import UserError
    from parsenet_cli.store import choice

    stating = [each for each in studies if each.profile == profile and each.table.claims]
    taken = {each.table.name: each for each in choice.one_of_each(stating, store)}
    known = table_file.names(group)
    run = [taken[name] for name in known if name in taken]
    if not run:
        absent = f"no table of '{group}' with claims has been run under profile {profile} yet"
        raise UserError("\n".join([f"{store.root}: {absent}. Run `parsenet ablate {group}` first", *skipped]))
    missing = [name for name in known if name not in taken]
    if missing:
        say(f"not run under profile {profile} yet: {', '.join(missing)}", err=True)
    return run

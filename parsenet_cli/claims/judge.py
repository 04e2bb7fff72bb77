"""Every claim of some studies, judged together."""

from __future__ import annotations

from collections.abc import Sequence

from parsenet_cli import ablation
from parsenet_cli.claims import cost, from_figures, from_tables
from parsenet_cli.claims.case import close
from parsenet_cli.claims.measured import Measurements
from parsenet_cli.claims.verdict import Verdict
from parsenet_cli.errors import UserError
from parsenet_cli.store import Store
from parsenet_cli.study import Study


def judge(studies: Sequence[Study], store: Store, *, figures: bool = True) -> list[Verdict]:
    """The verdict on each claim of these studies, and on those that figures decide, corrected for all of them (Holm).

    A study is judged by the table that is frozen in it. A table that a claim names beside them is the newest of the store.
    `figures`: also judge what figures decide, under the studies' profiles.
    """
    cases = []
    for profile in dict.fromkeys(study.profile for study in studies):
        under = [study for study in studies if study.profile == profile]
        measurements = Measurements(under, store)
        for study in under:
            cases += from_tables.examine(study, measurements)
            cases += cost.examine(study, store) if study.table.name == cost.TABLE else []
        cases += from_figures.examine(store, under) if figures else []
    return close(cases)


def changed(studies: Sequence[Study]) -> list[str]:
    """A sentence for each study whose table's file has changed since."""
    sentences = []
    for study in studies:
        name = study.table.name
        if name not in ablation.names():
            sentences.append(f"{name}: its file is gone; judged by the table frozen in {study.name}.")
            continue
        try:
            same = ablation.load(name) == study.table
        except UserError as problem:
            sentences.append(f"{name}: judged by the table frozen in {study.name}, because {problem}.")
            continue
        if not same:
            sentences.append(
                f"{name}: its file has changed since it was run; judged by the table frozen in {study.name}. "
                f"`parsenet ablate {name}` takes the new one."
            )
    return sentences

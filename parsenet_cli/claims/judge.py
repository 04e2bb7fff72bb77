"""Every claim of some studies, judged together."""

from __future__ import annotations

from collections.abc import Sequence

from parsenet_cli.claims import figure_claims, table_claims
from parsenet_cli.claims.cells import Measurements
from parsenet_cli.claims.decide import ClaimTest, Verdict, apply_holm
from parsenet_cli.config import table_file
from parsenet_cli.core.errors import UserError
from parsenet_cli.store.run import Store
from parsenet_cli.store.study import Study


def judge_studies(studies: Sequence[Study], store: Store, *, figures: bool = True) -> list[Verdict]:
    """The verdict on each claim of these studies, and on those that figures decide, corrected for all of them (Holm).

    A study is judged by the table that is frozen in it. A table that a claim names beside them is the newest of the store.
    `figures`: also judge what figures decide, under the studies' profiles.
    """
    tests: list[ClaimTest] = []
    for profile in dict.fromkeys(study.profile for study in studies):
        under = [study for study in studies if study.profile == profile]
        measurements = Measurements(under, store)
        for study in under:
            tests += table_claims.claim_tests(study, measurements)
        tests += figure_claims.claim_tests(store, under) if figures else []
    return apply_holm(tests)


def changed(studies: Sequence[Study]) -> list[str]:
    """A sentence for each study whose table's file has changed since."""
    return [sentence for study in studies if (sentence := _change(study))]


def _change(study: Study) -> str:
    name, frozen = study.table.name, f"judged by the table frozen in {study.name}"
    if name not in table_file.names():
        if not study.table.claims:  # a grid or a run, which never had a file
            return f"{name}: states no claims; `parsenet table {name}` shows it."
        return f"{name}: its file is gone; {frozen}."
    try:
        same = table_file.load(name) == study.table
    except UserError as problem:
        return f"{name}: {frozen}, because {problem}."
    if same:
        return ""
    return f"{name}: its file has changed since it was run; {frozen}. `parsenet ablate {name}` takes the new one."

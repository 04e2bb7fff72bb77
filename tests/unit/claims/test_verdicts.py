"""Verdicts on the claims of studies: what decides them, and every reason why nothing does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parsenet_cli.claims import cost_claims
from parsenet_cli.claims.decide import Verdict
from parsenet_cli.claims.judge import changed, judge_studies
from parsenet_cli.claims.table_claims import cell_intervals
from parsenet_cli.config.table import Column, Printed
from parsenet_cli.core import files, metrics
from parsenet_cli.store.run import Store
from parsenet_cli.store.study import Study, StudyCell, load_all, save, strange
from tests.claim_store import claim, measured, of_table, table_of, write_run

ROWS = ("low", "high", "twin")
QUALITIES = {"low": 0.6, "high": 0.8, "twin": 0.8}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


def verdict_on(
    store: Store, holds_if: str, effect: str = "high.iu - low.iu", margin: float | None = None, **how: Any
) -> Verdict:
    """The verdict on one claim about the rows `low`, `high` and `twin`."""
    study = measured(store, table_of(ROWS, claim(holds_if, effect, margin)), QUALITIES, **how)
    (verdict,) = judge_studies([study], store, figures=False)
    return verdict


# --- decided -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("holds_if", "margin", "outcome"),
    [
        ("high.iu > low.iu", None, "supported"),
        ("high.iu < low.iu", None, "refuted"),
        ("high.iu - low.iu < margin", 0.5, "refuted"),
        ("abs(high.iu - twin.iu) < margin", 5.0, "supported"),
        ("abs(high.iu - twin.iu) < margin", 0.01, "undecided"),
        ("abs(high.iu - low.iu) < margin", 1.0, "refuted"),
        ("high.iu > low.iu and twin.iu > low.iu", None, "supported"),
        ("high.iu > low.iu and low.iu > twin.iu", None, "refuted"),
        ("low.iu.collapsed", None, "refuted"),
        ("low.iu.collapsed or low.iu < high.iu", None, "supported"),
        ("low.iu > 10", None, "supported"),
    ],
)
def test_large_effects_are_decided(store: Store, holds_if: str, margin: float | None, outcome: str) -> None:
    verdict = verdict_on(store, holds_if, margin=margin)
    assert verdict.outcome == outcome, verdict.why
    assert verdict.effect is not None
    assert verdict.effect.low < verdict.effect.estimate < verdict.effect.high
    assert verdict.p is not None
    assert verdict.why.endswith(".")


def test_the_effect_is_the_difference_of_the_means(store: Store) -> None:
    verdict = verdict_on(store, "high.iu > low.iu")
    means = [
        100 * sum((store.run(f"own-{row}-{seed}").done_result())["metrics"]["mean_iu"] for seed in range(3)) / 3
        for row in ("high", "low")
    ]
    assert verdict.effect is not None
    assert verdict.effect.estimate == pytest.approx(means[0] - means[1])


@pytest.mark.parametrize(("seeds", "outcome"), [([0, 1, 2], "supported"), ([1], "undecided")])
def test_a_collapse_counts_when_every_seed_did(store: Store, seeds: list[int], outcome: str) -> None:
    verdict = verdict_on(store, "low.iu.collapsed", collapsed={"low": seeds})
    assert verdict.outcome == outcome
    assert f"collapsed with {len(seeds)} of 3 seeds" in verdict.why


def test_a_collapsed_run_counts_with_its_score(store: Store) -> None:
    verdict = verdict_on(store, "low.iu < high.iu", collapsed={"low": [0, 1, 2]})
    assert verdict.outcome == "supported"
    assert verdict.effect is not None
    assert verdict.effect.estimate > 30


@pytest.mark.parametrize(
    ("holds_if", "outcome"), [("twin.iu > high.iu", "refuted"), ("twin.iu >= high.iu", "supported")]
)
def test_the_same_run_twice_differs_by_nothing(store: Store, holds_if: str, outcome: str) -> None:
    verdict = verdict_on(store, holds_if, "twin.iu - high.iu", same={"twin": "high"})
    assert (verdict.outcome, verdict.effect and verdict.effect.estimate) == (outcome, 0.0)
    assert "the same run on both sides" in verdict.why


def test_claims_judged_together_are_corrected_for_it(store: Store) -> None:
    claims = [claim("high.iu > low.iu", key=f"claim{i}") for i in range(4)]
    alone = verdict_on(Store(store.root / "alone"), "high.iu > low.iu")
    study = measured(store, table_of(ROWS, *claims), QUALITIES)
    together = judge_studies([study], store, figures=False)
    assert alone.p is not None
    assert [verdict.p for verdict in together] == [pytest.approx(4 * alone.p)] * 4


def test_a_claim_may_name_cells_of_another_table(store: Store) -> None:
    measured(store, table_of(ROWS, name="beside"), QUALITIES, data_id="others:1")
    verdict = verdict_on(store, "high.iu - low.iu < beside.high.iu", "beside.high.iu - high.iu")
    assert verdict.outcome == "supported"


# --- undecided ---------------------------------------------------------------------------------------------------------


def without_result(store: Store) -> None:
    (store.run("own-high-1").folder / "result.json").unlink()


def failed(store: Store) -> None:
    without_result(store)
    files.write_json(store.run("own-high-1").folder / "status.json", {"state": "failed"})


def half_written(store: Store) -> None:
    (store.run("own-high-1").folder / "result.json").write_text('{"signature": "own-hi')


def of_another_run(store: Store) -> None:
    file = store.run("own-high-1").folder / "result.json"
    files.write_json(file, {**(files.read_json(file) or {}), "signature": "another"})


def damaged_confusions(store: Store) -> None:
    (store.run("own-high-1").folder / "confusion.npz").write_bytes(b"PK\x03\x04 torn")


def damaged_environment(store: Store) -> None:
    file = store.run("own-high-1").folder / "env.json"
    files.write_with_checksum(file, files.read_json(file) or {})
    file.write_text(file.read_text().replace("pictures", "Pictures"))


def no_confusions(store: Store) -> None:
    (store.run("own-high-1").folder / "confusion.npz").unlink()


def other_images(store: Store) -> None:
    files.write_json(store.run("own-high-1").folder / "env.json", {"data_id": "others:1"})


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (without_result, "high.iu: seed 1 is queued"),
        (failed, "high.iu: seed 1 is failed"),
        (half_written, "high.iu: seed 1 is queued"),
        (of_another_run, "high.iu: seed 1 is queued"),
        (damaged_confusions, "run own-high-1: its confusion matrices cannot be read"),
        (damaged_environment, "run own-high-1: its env.json is damaged"),
        (no_confusions, "run own-high-1: its confusion matrices cannot be read"),
        (other_images, "not scored on the same images"),
    ],
)
def test_a_run_that_is_not_whole_leaves_the_claim_undecided(
    store: Store, harm: Callable[[Store], None], reason: str
) -> None:
    study = measured(store, table_of(ROWS, claim("high.iu > low.iu")), QUALITIES)
    harm(store)
    (verdict,) = judge_studies([study], store, figures=False)
    assert (verdict.outcome, verdict.p, verdict.effect) == ("undecided", None, None)
    assert reason in verdict.why


def test_one_seed_decides_nothing(store: Store) -> None:
    verdict = verdict_on(store, "high.iu > low.iu", seeds=[0])
    assert (verdict.outcome, verdict.p) == ("undecided", None)
    assert "one seed" in verdict.why


def test_two_seeds_do_not_decide_a_collapse(store: Store) -> None:
    assert verdict_on(store, "low.iu.collapsed", seeds=[0, 1], collapsed={"low": [0, 1]}).outcome == "undecided"


def narrowed(study: Study) -> Study:
    return replace(study, cells=tuple(cell for cell in study.cells if cell.row != "high"))


def quoted(study: Study) -> Study:
    rows = tuple(
        replace(row, paper={"iu": Printed("50.0", cited="[2]")}) if row.key == "high" else row
        for row in study.table.rows
    )
    return narrowed(replace(study, table=replace(study.table, rows=rows)))


def impossible(study: Study) -> Study:
    cells = tuple(
        StudyCell(c.row, c.column, c.seed, None, "no such body") if c.row == "high" else c for c in study.cells
    )
    return replace(study, cells=cells)


def a_seed_short(study: Study) -> Study:
    return replace(study, cells=tuple(cell for cell in study.cells if (cell.row, cell.seed) != ("high", 2)))


def of_a_class_that_is_not_there(study: Study) -> Study:
    return replace(study, table=replace(study.table, columns=(Column("iu", "horse", "iu[horse]"),)))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (narrowed, "was left out of the study (--rows or --columns)"),
        (quoted, "`parsenet ablate own --cited`"),
        (impossible, "high.iu is n/a: no such body"),
        (a_seed_short, "high.iu: seeds are missing"),
        (of_a_class_that_is_not_there, "iu[horse] of high.iu cannot be judged"),
    ],
)
def test_a_cell_that_is_not_there_leaves_the_claim_undecided(
    store: Store, change: Callable[[Study], Study], reason: str
) -> None:
    study = change(measured(store, table_of(ROWS, claim("high.iu > low.iu")), QUALITIES))
    (verdict,) = judge_studies([study], store, figures=False)
    assert (verdict.outcome, verdict.p) == ("undecided", None)
    assert reason in verdict.why


def test_another_table_has_to_be_run_in_the_same_way(store: Store) -> None:
    assert "it needs beside, which has not been run" in verdict_on(store, "high.iu < beside.high.iu").why
    measured(store, table_of(ROWS, name="beside"), QUALITIES, profile="photos")
    assert "not been run under profile quick" in verdict_on(store, "high.iu < beside.high.iu").why
    measured(store, table_of(ROWS, name="beside"), QUALITIES, overrides=("recipe.lr=1",))
    assert "which do not compare" in verdict_on(store, "high.iu < beside.high.iu").why
    measured(store, table_of(ROWS, name="beside"), QUALITIES)
    assert "beside has no cell missing.iu" in verdict_on(store, "high.iu < beside.missing.iu").why


def test_a_score_with_a_kink_leaves_the_claim_undecided(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def stepped(confusion: metrics.Counts, class_mean: metrics.ClassMean) -> float:
        return float(metrics.pixel_accuracy(confusion) * 1e6 % 1)

    monkeypatch.setattr(metrics, "stepped", stepped, raising=False)
    table = replace(table_of(ROWS, claim("high.iu > low.iu")), columns=(Column("iu", "steps", "stepped"),))
    (verdict,) = judge_studies([measured(store, table, QUALITIES)], store, figures=False)
    assert "stepped of low.iu cannot be judged" in verdict.why or "stepped of high.iu cannot be judged" in verdict.why


def test_runs_without_any_variance_decide_nothing(store: Store) -> None:
    verdict = verdict_on(store, "high.iu > low.iu", noise=0.0)
    assert verdict.outcome == "supported"  # the images still vary
    for row, share in (("low", 6), ("high", 8)):
        for seed in range(3):
            file = store.run(f"own-{row}-{seed}").folder / "confusion.npz"
            same = np.full((40, 3, 3), 10 - share, np.int32) + (2 * share - 10) * np.eye(3, dtype=np.int32)
            np.savez(file, confusions=same, ids=np.arange(40))
    (verdict,) = judge_studies(load_all(store), store, figures=False)
    assert verdict.outcome == "undecided"
    assert "no variance" in verdict.why


# --- cost, figures, notices --------------------------------------------------------------------------------------------


def test_cost_is_counted_and_timed(store: Store) -> None:
    study = of_table(store, cost_claims.TABLE)
    for seed, seconds in enumerate((1.01, 1.02, 1.03)):
        write_run(
            store,
            f"table6-pool6_fc7_y_l-mean_iu-{seed}",
            0.7,
            seed,
            network={"parameters": 1020},
            train_seconds=seconds,
        )
    verdicts = {verdict.key: verdict for verdict in judge_studies([study], store, figures=False)}
    parameters, time = verdicts["context_parameters"], verdicts["context_time"]
    assert parameters.outcome == "refuted"
    assert parameters.effect is not None
    assert parameters.effect.estimate == pytest.approx(2.0)
    assert time.effect is not None
    assert 1 < time.effect.estimate < 3
    write_run(store, "table6-fc7_n-mean_iu-1", 0.7, 1, threads=8)
    again = {verdict.key: verdict for verdict in judge_studies([study], store, figures=False)}
    assert "different devices" in again["context_time"].why
    without_seed = replace(study, cells=tuple(c for c in study.cells if c.row != "fc7_n"))
    assert (
        "needs all runs"
        in {v.key: v for v in judge_studies([without_seed], store, figures=False)}["context_parameters"].why
    )


FIGURES: dict[str, dict[str, Any]] = {
    "scales": {"ratio": {"estimate": 80.0, "low": 60.0, "high": 110.0}},
    "receptive-field": {"shares": {"0.10": {"estimate": 0.2, "low": 0.15, "high": 0.25}}},
    "context": {"errors": {"more_between_objects": {"estimate": -1.0, "low": -1.4, "high": -0.6}}},
}


@pytest.mark.parametrize(
    ("change", "outcomes"),
    [
        ({}, ["supported", "supported", "refuted"]),
        ({"about": {"profile": "photos"}}, ["undecided"] * 3),
        ({"about": {"study": "another"}}, ["undecided"] * 3),
        ({"about": {"run": "own-high-1"}}, ["supported", "supported", "refuted"]),
        ({"by_construction": True}, ["undecided"] * 3),
        ({"ratio": {}, "shares": 3, "errors": None}, ["undecided"] * 3),
    ],
)
def test_figures_decide_by_their_data(store: Store, change: dict[str, Any], outcomes: list[str]) -> None:
    study = measured(store, table_of(ROWS), QUALITIES)
    assert ["parsenet figure" in verdict.why for verdict in judge_studies([study], store)] == [True] * 3
    for name, data in FIGURES.items():
        content = {"figure": name, "about": {"profile": "quick"}, **data, **change}
        files.write_json(store.root / "figures" / name / "newest.json", content)
        (store.root / "figures" / name / "torn.json").write_text('{"figure":')
    assert [verdict.outcome for verdict in judge_studies([study], store)] == outcomes


def test_a_table_that_has_changed_since_is_judged_as_it_was_and_named(store: Store) -> None:
    study = of_table(store, "table5")
    assert changed([study]) == []
    edited = replace(study, table=replace(study.table, claims=(claim("fc7.raw > 1"),)))
    (sentence,) = changed([edited])
    assert "its file has changed since it was run" in sentence
    assert [verdict.key for verdict in judge_studies([edited], store, figures=False)] == ["claim"]
    (gone,) = changed([replace(study, table=table_of(ROWS))])
    assert "its file is gone" in gone


def test_what_is_no_run_or_study_is_named_and_passed_over(store: Store) -> None:
    study = measured(store, table_of(ROWS, claim("high.iu > low.iu")), QUALITIES)
    (store.root / "runs" / "holiday").mkdir()
    half_written(store)
    folder = store.root / "studies"
    (folder / "torn.json").write_text('{"name": ')
    (folder / "foreign.json").write_text('{"cells": []}')
    (folder / "list.json").write_text("[]")
    assert [one.name for one in load_all(store)] == [study.name]
    assert len(strange(store)) == 3
    assert [sentence.split(": ")[0].rpartition("/")[2] for sentence in store.skipped()] == ["holiday", "own-high-1"]


def test_cells_have_intervals_where_every_seed_is_there(store: Store) -> None:
    study = measured(store, table_of(ROWS), QUALITIES)
    without_result(store)
    found = cell_intervals(study, store)
    assert set(found) == {("low", "iu"), ("twin", "iu")}
    low = found["low", "iu"]
    assert low.low < low.estimate < low.high
    assert low.estimate == pytest.approx(
        100 * sum((store.run(f"own-low-{seed}").done_result())["metrics"]["mean_iu"] for seed in range(3)) / 3
    )
    assert cell_intervals(save(replace(study, seeds=(0,)), store), store) == {}

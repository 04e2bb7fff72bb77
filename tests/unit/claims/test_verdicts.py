"""Verdicts on the claims of studies: what decides them, and every reason why nothing does."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from parsenet_cli.claims.judge import changed, judge_studies
from parsenet_cli.claims.table_claims import cell_intervals
from parsenet_cli.claims.verdict import Verdict
from parsenet_cli.config import table_file
from parsenet_cli.config.table import Claim, Column, Printed
from parsenet_cli.core import sealed
from parsenet_cli.store.run import Store
from parsenet_cli.store.study import Study, StudyCell, load_all, save
from tests.claim_store import claim, measured, of_table, signature_of, table_of

ROWS = ("low", "high", "twin")
QUALITIES = {"low": 0.6, "high": 0.8, "twin": 0.8}

ONE = signature_of("own-high-iu-1")


def verdict_on(
    store: Store, holds_if: str, effect: str = "high.iu - low.iu", margin: float | None = None, **how: Any
) -> Verdict:
    """The verdict on one claim about the rows `low`, `high` and `twin`."""
    return judged(measured(store, table_of(ROWS, claim(holds_if, effect, margin)), QUALITIES, **how), store)


def judged(study: Study, store: Store) -> Verdict:
    """The verdict on the one claim of a study."""
    (verdict,) = judge_studies([study], store, figures=False)
    return verdict


def is_undecided(verdict: Verdict, reason: str) -> bool:
    """Whether nothing was tested, for this reason."""
    return (verdict.outcome, verdict.q, verdict.effect) == ("undecided", None, None) and reason in verdict.why


# --- decided -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("holds_if", "margin", "outcome"),
    [
        ("high.iu > low.iu", None, "supported"),
        ("high.iu < low.iu", None, "refuted"),
        ("high.iu - low.iu < margin", 0.5, "refuted"),
        ("abs(high.iu - twin.iu) < margin", 10.0, "supported"),
        ("abs(high.iu - twin.iu) < margin", 0.01, "undecided"),
        ("abs(high.iu - low.iu) < margin", 1.0, "refuted"),
        ("high.iu > low.iu and twin.iu > low.iu", None, "supported"),
        ("high.iu > low.iu and low.iu > twin.iu", None, "refuted"),
        ("low.iu.collapsed", None, "undecided"),  # none of three is no proof that it is rare
        ("low.iu.collapsed or low.iu < high.iu", None, "supported"),
        ("low.iu > 10", None, "supported"),
    ],
)
def test_large_effects_are_decided(store: Store, holds_if: str, margin: float | None, outcome: str) -> None:
    verdict = verdict_on(store, holds_if, margin=margin)
    assert verdict.outcome == outcome, verdict.why
    assert verdict.effect is not None
    assert verdict.effect.low < verdict.effect.estimate < verdict.effect.high
    assert verdict.effect.estimate == pytest.approx(mean_iu(store, "high") - mean_iu(store, "low"))
    assert verdict.q is not None
    assert verdict.why.endswith(".")


def mean_iu(store: Store, row: str) -> float:
    """In percent, over the seeds."""
    scores = [
        store.run(signature_of(f"own-{row}-iu-{seed}")).done_result().metrics["mean_iu"] or 0.0 for seed in range(3)
    ]
    return 100 * sum(scores) / 3


@pytest.mark.parametrize(
    ("seeds", "collapsed", "outcome"),
    [(3, 3, "undecided"), (5, 5, "undecided"), (8, 8, "supported"), (8, 0, "refuted"), (8, 4, "neither")],
)
def test_a_collapse_is_a_matter_of_how_many_seeds_did(store: Store, seeds: int, collapsed: int, outcome: str) -> None:
    verdict = verdict_on(store, "low.iu.collapsed", seeds=range(seeds), collapsed={"low": range(collapsed)})
    assert verdict.outcome == outcome, verdict.why
    assert f"collapsed with {collapsed} of {seeds} seeds" in verdict.why


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


def test_a_claim_may_name_cells_of_another_table(store: Store) -> None:
    measured(store, table_of(ROWS, name="beside"), QUALITIES, data_id="others:1")
    verdict = verdict_on(store, "high.iu - low.iu < beside.high.iu", "beside.high.iu - high.iu")
    assert verdict.outcome == "supported"


# --- undecided ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        ({"result.json": None}, "high.iu: seed 1 is queued"),
        ({"result.json": None, "status.json": '{"state": "failed"}'}, "high.iu: seed 1 is failed"),
        ({"result.json": '{"signature": "own-hi'}, "high.iu: seed 1 is queued"),
        ({"result.json": '{"signature": "another", "outcome": "converged"}'}, "high.iu: seed 1 is queued"),
        ({"confusion.npz": "PK\x03\x04 torn"}, f"run {ONE}: its confusion matrices cannot be read"),
        ({"confusion.npz": None}, f"run {ONE}: its confusion matrices cannot be read"),
        ({"env.json": '{"data_id": "images:1", "crc32": "00000000"}'}, f"run {ONE}: its env.json is damaged"),
        ({"env.json": '{"data_id": "others:1"}'}, "not scored on the same images"),
    ],
    ids=str,
)
def test_a_run_that_is_not_whole_leaves_the_claim_undecided(
    store: Store, harm: dict[str, str | None], reason: str
) -> None:
    study = measured(store, table_of(ROWS, claim("high.iu > low.iu")), QUALITIES)
    for name, content in harm.items():
        file = store.run(ONE).folder / name
        file.unlink() if content is None else file.write_text(content)
    assert is_undecided(judged(study, store), reason)


def without_high(study: Study) -> Study:
    return replace(study, cells=tuple(cell for cell in study.cells if cell.row != "high"))


def quoted(study: Study) -> Study:
    paper = {"iu": Printed("50.0", cited="[2]")}
    rows = tuple(replace(row, paper=paper) if row.key == "high" else row for row in study.table.rows)
    return without_high(replace(study, table=replace(study.table, rows=rows)))


def not_applicable(study: Study) -> Study:
    cells = (StudyCell("high", "iu", seed, None, "no such body") for seed in study.seeds)
    return replace(study, cells=(*without_high(study).cells, *cells))


def a_seed_short(study: Study) -> Study:
    return replace(study, cells=tuple(cell for cell in study.cells if (cell.row, cell.seed) != ("high", 2)))


def of_an_absent_class(study: Study) -> Study:
    return replace(study, table=replace(study.table, columns=(Column("iu", "horse", "iu[horse]"),)))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (without_high, "was left out of the study (--rows or --columns)"),
        (quoted, "`parsenet ablate own --cited`"),
        (not_applicable, "high.iu is n/a: no such body"),
        (a_seed_short, "high.iu: seeds are missing"),
        (of_an_absent_class, "iu[horse] of high.iu cannot be judged"),
        (lambda study: replace(study, seeds=(0,)), "one seed does not tell an effect from chance"),
    ],
)
def test_a_cell_that_is_not_there_leaves_the_claim_undecided(
    store: Store, change: Callable[[Study], Study], reason: str
) -> None:
    study = change(measured(store, table_of(ROWS, claim("high.iu > low.iu")), QUALITIES))
    assert is_undecided(judged(study, store), reason)


def test_another_table_has_to_be_run_in_the_same_way(store: Store) -> None:
    beside = table_of(ROWS, name="beside")
    assert "it needs beside, which has not been run" in verdict_on(store, "high.iu < beside.high.iu").why
    measured(store, beside, QUALITIES, profile="photos")
    assert "not been run under profile quick" in verdict_on(store, "high.iu < beside.high.iu").why
    measured(store, beside, QUALITIES, overrides=("recipe.lr=1",))
    assert "which do not compare" in verdict_on(store, "high.iu < beside.high.iu").why
    measured(store, beside, QUALITIES)
    assert "beside has no cell missing.iu" in verdict_on(store, "high.iu < beside.missing.iu").why


def test_runs_without_any_variance_decide_nothing(store: Store) -> None:
    assert verdict_on(store, "high.iu > low.iu", noise=0.0).outcome == "supported"  # the images still vary
    for row, share in (("low", 6), ("high", 8)):
        for seed in range(3):
            same = np.full((40, 3, 3), 10 - share, np.int32) + (2 * share - 10) * np.eye(3, dtype=np.int32)
            np.savez(
                store.run(signature_of(f"own-{row}-iu-{seed}")).confusions_file,
                confusions=same,
                ids=np.arange(40).astype(str),
            )
    verdict = judged(load_all(store)[0], store)
    assert verdict.outcome == "undecided"
    assert "no variance" in verdict.why


def test_a_frozen_claim_of_another_language_is_undecided(store: Store) -> None:
    assert is_undecided(verdict_on(store, "high.iu ~ low.iu"), "the claim cannot be read")


# --- on print ----------------------------------------------------------------------------------------------------------


def test_printed_claims_are_decided_without_a_run_and_beside_no_other(store: Store) -> None:
    table = table_file.load("table8")
    study = save(Study("table8-quick-0", "", "quick", (), (0, 1, 2), table, ()), store)
    verdicts = {verdict.key: verdict for verdict in judge_studies([study], store, figures=False)}
    printed = {key: verdict for key, verdict in verdicts.items() if verdict.kind == "printed"}
    assert {key: verdict.outcome for key, verdict in printed.items()} == {
        "higher_than_many": "supported",
        "within_the_deviation": "supported",
        "better_on_most_categories": "refuted",
        "no_worse_on_most_categories": "supported",
    }
    for verdict in printed.values():
        assert verdict.why.startswith("on the paper's printed numbers: ")
        assert (verdict.q, verdict.effect, verdict.fact) == (None, None, "on print")
    assert "10 of 21" in printed["better_on_most_categories"].note
    assert is_undecided(verdicts["context_helps"], "parsenet.mean was left out of the study")


def test_a_printed_claim_of_an_unprinted_number_is_undecided(store: Store) -> None:
    study = measured(store, table_of(ROWS, claim("high.iu > low.iu", kind="printed")), QUALITIES)
    assert is_undecided(judged(study, store), "the paper prints no number for high.iu of own")


# --- figures, notices ---------------------------------------------------------------------------------------------------

FIGURES: dict[str, dict[str, Any]] = {
    "scales": {"ratio": {"estimate": 80.0, "low": 60.0, "high": 110.0, "error": 0.15, "freedom": 60}},
    "receptive-field": {
        "shares": {"0.10": {"estimate": 0.2, "low": 0.15, "high": 0.25, "error": 0.025, "freedom": 60}}
    },
    "context": {
        "errors": {
            "between_objects": {"drop": {"estimate": -1.0, "low": -1.4, "high": -0.6, "error": 0.2, "freedom": 40}}
        }
    },
    "cost": {"pairs": {"norm": {"parameters_per_channel": {"estimate": 1.0, "low": 1.0, "high": 1.0, "exact": True}}}},
}


JUDGED = (
    "lower_layers_are_larger",
    "field_is_smaller_than_theory",
    "context_removes_confusions",
    "norm_parameters_are_the_channels",
)


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        ({}, ("80 [60, 110] times, the limit is 10; p ", "20 [15, 25] percent of the area, the limit is 50; p ")),
        ({"about": {"run": ONE}}, ("80 [60, 110]", "20 [15, 25]")),
        (
            {"about": {"profile": "photos"}},
            ("figure scales has no data under profile quick: `parsenet figure scales", ""),
        ),
        ({"about": {"study": "another"}}, ("has no data", "has no data")),
        ({"by_construction": True}, ("the trunk was made to be so", "the trunk was made to be so")),
        ({"seeds": 1}, ("one seed says nothing of chance", "one seed says nothing of chance")),
        ({"ratio": {}, "shares": 3, "errors": None, "pairs": []}, ("draw the figure again", "draw the figure again")),
        ({"ratio": {"estimate": 9, "low": 9, "high": 9}}, ("it needs more than one image", "")),
    ],
)
def test_figures_decide_by_their_data(store: Store, change: dict[str, Any], reasons: tuple[str, ...]) -> None:
    study = measured(store, table_of(ROWS), QUALITIES)
    assert all(is_undecided(verdict, "`parsenet figure") for verdict in judge_studies([study], store))
    for name, data in FIGURES.items():
        content = {"figure": name, "about": {"profile": "quick"}, **data, **change}
        sealed.write_json(store.root / "figures" / name / "newest.json", content)
        (store.root / "figures" / name / "torn.json").write_text('{"figure":')
    by_key = {verdict.key: verdict for verdict in judge_studies([study], store)}
    verdicts = [by_key[key] for key in JUDGED]
    assert all(reason in verdict.why for verdict, reason in zip(verdicts, reasons, strict=False))
    if reasons[0].startswith("80"):
        assert [verdict.outcome for verdict in verdicts] == ["supported", "supported", "refuted", "supported"]
        effects = [verdict.effect and verdict.effect.estimate for verdict in verdicts]
        assert effects == [None, 20, -1, 1]  # in percent points; a ratio is none
        assert verdicts[3].why == "1 parameters per channel, counted, the limit is 1."
        assert (verdicts[3].fact, verdicts[3].q) == ("counted", None)
    elif reasons[1]:
        assert all(is_undecided(verdict, "") for verdict in verdicts)
    others = [verdict for key, verdict in by_key.items() if key not in JUDGED]
    assert all(is_undecided(verdict, "") for verdict in others)


def test_a_figure_is_judged_by_its_own_error_and_not_as_if_it_were_normal(store: Store) -> None:
    study = measured(store, table_of(ROWS), QUALITIES)
    number = {
        "estimate": 15.0,
        "low": 15 - 4.303,
        "high": 15 + 4.303,
    }  # the 95 % interval of a t with 2 degrees of freedom

    def verdict(**more: float) -> Verdict:
        drop = {"errors": {"between_objects": {"drop": {**number, **more}}}}
        sealed.write_json(
            store.figures / "context/a.json", {"figure": "context", "about": {"profile": "quick"}, **drop}
        )
        return next(v for v in judge_studies([study], store) if v.key == "context_removes_confusions")

    assert verdict(error=1.0, freedom=2).p_support == pytest.approx(0.002208, abs=1e-6)
    assert verdict(error=1.0, freedom=2).error == 1.0
    # Of an older version's data only the interval is known: it says 2.5 % on one side, and no more.
    assert verdict().p_support == 0.025
    assert "its error was not kept" in verdict().why


def of_cost(norm: dict[str, Any], created: str = "2026") -> dict[str, Any]:
    return {"figure": "cost", "created": created, "about": {"profile": "quick"}, "pairs": {"norm": norm}}


@pytest.mark.parametrize(
    ("number", "outcome", "why"),
    [
        ({"estimate": 2.0, "low": 2.0, "high": 2.0, "exact": True}, "refuted", "2 parameters per channel, counted"),
        ({"estimate": 1.0, "low": 1.0, "high": 1.0}, "undecided", "has no interval"),
        ({"estimate": 1.0, "low": 0.9, "high": 1.1}, "undecided", "what is not counted is never equal to a limit"),
        ({"estimate": 1.0, "low": 0.9, "high": 1.1, "exact": True}, "undecided", "what is not counted"),
    ],
)
def test_what_is_counted_may_have_to_be_equal(store: Store, number: dict[str, Any], outcome: str, why: str) -> None:
    study = measured(store, table_of(ROWS), QUALITIES)
    sealed.write_json(store.figures / "cost/a.json", of_cost({"parameters_per_channel": number}))
    (verdict,) = [each for each in judge_studies([study], store) if each.key == "norm_parameters_are_the_channels"]
    assert verdict.outcome == outcome
    assert why in verdict.why


def test_the_newest_measurement_that_holds_the_number_decides_and_what_is_not_applicable_is_said(store: Store) -> None:
    study = measured(store, table_of(ROWS), QUALITIES)
    counted = {"parameters_per_channel": {"estimate": 1.0, "low": 1.0, "high": 1.0, "exact": True}}
    sealed.write_json(store.figures / "cost/old.json", of_cost(counted, "2025"))
    sealed.write_json(store.figures / "cost/in_part.json", {**of_cost({}, "2026"), "pairs": {"mix": {}}})

    def verdict() -> Verdict:
        return next(each for each in judge_studies([study], store) if each.key == "norm_parameters_are_the_channels")

    assert verdict().outcome == "supported"
    sealed.write_json(store.figures / "cost/new.json", of_cost({"not_applicable": "no such body"}, "2027"))
    assert is_undecided(verdict(), "figure cost is n/a here: no such body")


def test_a_table_that_has_changed_since_is_judged_as_it_was_and_named(store: Store) -> None:
    study = of_table(store, "table5")
    assert changed([study]) == []
    edited = replace(study, table=replace(study.table, claims=(claim("fc7.raw > 1"),)))
    (sentence,) = changed([edited])
    assert "its file has changed since it was run" in sentence
    assert judged(edited, store).key == "claim"
    without = replace(table_of(ROWS), claims=())
    (gone,) = changed([replace(study, table=replace(without, claims=edited.table.claims))])
    assert "its file is gone" in gone
    (never,) = changed([replace(study, table=without)])
    assert never == f"{without.name}: states no claims; `parsenet table {without.name}` shows it.", "a grid has no file"


def test_cells_have_intervals_where_every_seed_is_there(store: Store) -> None:
    study = measured(store, table_of(ROWS), QUALITIES)
    store.run(ONE).result_file.unlink()
    intervals = cell_intervals(study, store)
    assert set(map(str, intervals)) == {"low.iu", "twin.iu"}
    low = intervals[study.cells[0].key]
    assert low.low < low.estimate < low.high
    assert low.estimate == pytest.approx(mean_iu(store, "low"))
    assert cell_intervals(save(replace(study, seeds=(0,)), store), store) == {}


# --- looks, families ------------------------------------------------------------------------------------------------------


def growing(store: Store, seeds: int, *claims: Claim, noise: float = 0.03) -> list[Verdict]:
    """The verdicts on claims of a table with so many seeds; those of fewer are among them."""
    study = measured(store, table_of(ROWS, *claims), {**QUALITIES, "low": 0.76}, range(seeds), noise=noise)
    return judge_studies([study], store, figures=False)


def test_a_look_says_the_same_however_many_seeds_follow_and_a_verdict_stays(store: Store) -> None:
    claims = [claim("high.iu > low.iu", key="a"), claim("abs(high.iu - twin.iu) < margin", margin=3.0, key="b")]
    found = {seeds: growing(store, seeds, *claims) for seeds in (3, 4, 5, 8, 12)}
    assert [[verdict.seeds for verdict in verdicts] for verdicts in found.values()] == [
        [seeds] * 2 for seeds in (3, 3, 5, 8, 12)
    ]
    for fewer, more in itertools.pairwise(found.values()):
        for before, after in zip(fewer, more, strict=True):
            assert after.looks[: len(before.looks)] == before.looks
            assert before.q is not None
            assert after.q is not None
            assert after.q <= before.q
            assert not before.decided or after.outcome == before.outcome
    assert "3 seeds of 4 (the next look is at 5)" in found[4][0].why


def test_cells_with_unequal_seeds_are_judged_by_those_that_all_have(store: Store) -> None:
    (whole,) = growing(store, 8, claim("high.iu > low.iu", "high.iu - low.iu"))
    study = load_all(store)[0]
    store.run(signature_of("own-high-iu-6")).result_file.unlink()
    (short,) = judge_studies([study], store, figures=False)
    assert (whole.seeds, short.seeds) == (8, 5)
    assert short.looks == whole.looks[:2]
    assert "high.iu: seed 6 is queued; seeds are used up to there, not 7 (own)" in short.why
    assert [cell.seeds for cell in short.cells] == [6, 8]


def test_a_verdict_does_not_depend_on_which_tables_are_named(store: Store) -> None:
    studies = [of_table(store, name) for name in ("table4", "table5")]
    together = judge_studies(studies, store)
    alone = judge_studies(studies[1:], store, beside=studies[:1], figures=False)
    assert alone == [verdict for verdict in together if verdict.table == "table5"]


def test_claims_of_tables_that_were_not_run_count_and_facts_do_not(store: Store) -> None:
    stated = [claim("high.iu > low.iu", key="test"), claim("twin.iu >= high.iu", key="fact")]
    study = measured(store, table_of(ROWS, *stated), QUALITIES, same={"twin": "high"})
    test, fact = judge_studies([study], store, figures=False)
    assert (fact.fact, fact.q, fact.outcome) == ("it is the same run on both sides", None, "supported")
    assert test.p_support is not None
    assert test.q == test.p_support  # alone in its family
    table5 = of_table(store, "table5")
    paper = [v for v in judge_studies([table5], store) if v.table == "table5"]
    tables = [table_file.load(name) for name in table_file.names("all")]
    count = sum(c.kind != "printed" for table in tables for c in table.claims) + len(table_file.figure_claims())
    smallest = min(min(v.p_support or 1, v.p_refute or 1) for v in paper)
    assert min(v.q or 1 for v in paper) == pytest.approx(min(1.0, count * smallest))


def test_families_are_the_papers_the_ones_beyond_and_a_users_tables_each(store: Store) -> None:
    studies = [
        of_table(store, "table5"),
        of_table(store, "pad"),
        measured(store, table_of(ROWS, claim("high.iu > 1")), QUALITIES),
    ]
    families = {verdict.table: verdict.family for verdict in judge_studies(studies, store)}
    assert (families["table5"], families["pad"], families["own"], families["cost"]) == (
        "paper",
        "beyond",
        "own",
        "paper",
    )


def test_cells_of_two_tables_on_the_same_images_are_paired_by_seed(store: Store) -> None:
    """What a seed does to both counts no more across tables than within one."""
    rows = ("here", "there")
    within = measured(
        store,
        table_of(rows, claim("here.iu > there.iu", "here.iu - there.iu"), name="within"),
        dict.fromkeys(rows, 0.7),
    )
    beside = replace(within, name="beside-quick-0", table=replace(within.table, name="beside", claims=()))
    save(beside, store)
    stated = replace(
        within.table, name="across", claims=(claim("here.iu > beside.there.iu", "here.iu - beside.there.iu"),)
    )
    across = save(replace(within, name="across-quick-0", table=stated), store)
    one, other = judged(within, store), judged(across, store)
    assert (one.effect, one.looks) == (other.effect, other.looks)


# --- margins that are a share of the main effect ----------------------------------------------------------------------------


def with_main(store: Store, main: str, stated: Claim, **qualities: float) -> Verdict:
    table = replace(table_of(ROWS, stated), main=main)
    return judged(measured(store, table, {**QUALITIES, **qualities}, noise=0.003), store)


def test_a_margin_is_a_share_of_the_main_effect_and_has_its_noise(store: Store) -> None:
    stated = claim("abs(twin.iu - high.iu) < margin", "twin.iu - high.iu", "0.25 * main")
    verdict = with_main(store, "high.iu - low.iu", stated)
    assert verdict.outcome == "supported", verdict.why
    assert verdict.main is not None
    assert verdict.main.estimate == pytest.approx(mean_iu(store, "high") - mean_iu(store, "low"))
    assert verdict.margin == pytest.approx(0.25 * verdict.main.estimate)
    assert (verdict.margin_share, verdict.margin_of) == (0.25, "main")
    assert verdict.share is not None
    assert abs(verdict.share) < 0.25
    assert {cell.row for cell in verdict.cells} == {"low", "high", "twin"}
    other = with_main(store, "", replace(stated, margin="0.25 * (high.iu - low.iu)"))
    assert (other.margin, other.looks, other.margin_of) == (verdict.margin, verdict.looks, "high.iu - low.iu")


def test_an_absent_main_effect_makes_nothing_equal(store: Store) -> None:
    stated = claim("abs(twin.iu - high.iu) < margin", "twin.iu - high.iu", "0.25 * main")
    absent = with_main(store, "high.iu - twin.iu", stated)
    assert absent.outcome == "undecided"
    assert "the yardstick, the table's main effect, is itself not established" in absent.why
    assert absent.share is None
    negative = with_main(store, "low.iu - high.iu", stated)
    assert (negative.outcome, negative.q, negative.margin) == ("undecided", None, 0.0)
    assert "no yardstick" in negative.why
    real = with_main(store, "high.iu - twin.iu", claim("high.iu - low.iu < margin", "high.iu - low.iu", "0.25 * main"))
    assert real.outcome == "refuted", "an effect that is there is refuted to be nothing, whatever the yardstick"

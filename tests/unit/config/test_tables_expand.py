"""What the shipped tables run: which cells there are, and which of them are the same experiment."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from parsenet_cli.claims.printed import effect_on_print
from parsenet_cli.config import frozen_table, profile, table_file
from parsenet_cli.config.compose import Composer
from parsenet_cli.config.expression import Reference, parse, parse_margin
from parsenet_cli.config.overrides import axis_choices, key_of
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import write_text
from parsenet_cli.core.run_config import Science
from parsenet_cli.models import support
from tests.claim_store import evaluate


@cache
def composed(overrides: tuple[str, ...]) -> Science:
    """What stands behind overrides; the data's and the weights' identity do not matter here."""
    return Composer(profile.load("paper"), (), Path("nowhere")).science(overrides)


def cell(name: str, row: str, column: str = "mean_iu") -> Science:
    [found] = table_file.load(name).cells(cited=True, rows=[row], columns=[column])
    return composed(found.overrides)


def identity(science: Science) -> str:
    return json.dumps(science.model_dump(mode="json"), sort_keys=True)


@pytest.mark.parametrize(
    "same",
    [
        [("table2", "largefov_baseline"), ("table6", "fc7_n"), ("table8", "baseline", "mean")],
        [("table2", "deeplab_baseline"), ("table5", "fc7", "raw")],
        [("table4", "fcn32s", "raw"), ("table4", "fc7", "raw"), ("table1", "baseline_d")],
        [("table1", "fcn32s"), ("table1", "baseline_a")],
        [("table7", "none", "concat"), ("table6", "pool6_fc7_n_e")],
        [
            ("table7", "ten", "concat"),
            ("table6", "pool6_fc7_y_e"),
            ("spp", "pool6", "early"),
            ("voc_low", "pool6_fc7", "early"),
        ],
        [
            ("table8", "parsenet", "mean"),
            ("table6", "pool6_fc7_y_l"),
            ("spp", "pool6", "late"),
            ("voc_low", "pool6_fc7", "late"),
        ],
    ],
)
def test_cells_that_are_the_same_experiment_share_one_run(same: list[tuple[str, ...]]) -> None:
    assert len({identity(cell(*key)) for key in same}) == 1


def test_the_papers_tables_together_are_39_experiments_and_5_more_when_cited() -> None:
    distinct = {}
    for cited in (False, True):
        cells = [c for name in table_file.names("all") for c in table_file.load(name).cells(cited=cited)]
        distinct[cited] = {identity(composed(c.overrides)) for c in cells}
    assert len(distinct[False]) == 39
    assert distinct[False] < distinct[True]
    assert len(distinct[True]) == 44, "DeepLab, DeepLab-LargeFOV, FCN-16s, two FCN-8s; the cited FCN-32s is Baseline A"


@pytest.mark.parametrize("name", ["quick", "photos"])
def test_a_profile_has_a_stand_in_for_every_recipe_that_a_table_names(name: str) -> None:
    """Without one a cell would train for the published 80 000 iterations or more."""
    cells = [c for table in table_file.names() for c in table_file.load(table).cells(cited=True)]
    recipes = {override.partition("=")[2] for c in cells for override in c.overrides if override.startswith("recipe=")}
    assert "fcn_2016" in recipes
    assert recipes <= set(profile.load(name).recipe)


def test_the_released_table_is_table_6_beside_the_released_recipe() -> None:
    spec, six = table_file.load("released"), table_file.load("table6")
    assert [row.key for row in spec.rows] == [row.key for row in six.rows]
    for row, stated in zip(spec.rows, six.rows, strict=True):
        assert identity(cell("released", row.key, "stated")) == identity(cell("table6", row.key))
        assert row.paper["stated"] == stated.paper["mean_iu"]
        asked, released = cell("table6", row.key), cell("released", row.key, "released")
        compared = ("layers", "norm", "fusion", "body", "context", "init")
        assert [getattr(released, axis) for axis in compared] == [getattr(asked, axis) for axis in compared]
        companions = (released.upsample, released.context_dropout, released.norm_decay, released.norm_gradient)
        assert companions == ("learned", 0.3, 1, "authors")
        assert (released.recipe.lr, released.recipe.iterations, released.recipe.iter_size) == (1e-8, 20_000, 8)
        assert (released.recipe.head_lr, released.recipe.trunk_lr) == ((10, 20), (1, 2))
    assert {claim.kind for claim in spec.claims} == {"conjecture"}


@pytest.mark.parametrize("name", ["paper", "quick", "photos"])
def test_the_released_table_composes_and_builds_under_every_profile(name: str, tmp_path: Path) -> None:
    composer = Composer(profile.load(name), (), tmp_path)
    recipes = set()
    for each in table_file.load("released").cells():
        science = composer.science(each.overrides)
        assert support.unsupported(science) is None
        recipes.add((each.column.key, science.recipe))
    assert len(recipes) == 2, "one of each column, for all rows"
    stated, released = (recipe for _, recipe in sorted(recipes, key=lambda pair: pair[0], reverse=True))
    assert released.iter_size == 8 * stated.iter_size
    assert released.iterations * 4 == stated.iterations
    assert released.head_lr == tuple(10 * multiplier for multiplier in stated.head_lr)
    assert (released.trunk_lr, released.batch, released.loss) == (stated.trunk_lr, stated.batch, stated.loss)


def test_columns_that_differ_by_metric_share_their_run() -> None:
    cells = table_file.load("table3").cells(rows=["conv4"])
    assert [c.column.metric for c in cells] == ["pixel_accuracy", "mean_accuracy", "mean_iu", "fw_iu"]
    assert len({c.overrides for c in cells}) == 1


@pytest.mark.parametrize(
    ("name", "narrowed", "expected"),
    [
        ("table4", {"rows": ["fcn8s"]}, ""),
        ("table4", {"rows": ["fcn8s"], "cited": True}, "fcn8s.raw"),  # norm has no such cell
        ("table4", {"rows": ["conv4", "fc7"], "columns": ["norm"]}, "fc7.norm conv4.norm"),  # in the table's order
        ("table2", {}, "deeplab_baseline.mean_iu largefov_baseline.mean_iu"),  # the others are cited
        ("table2", {"cited": True, "rows": ["deeplab"]}, "deeplab.mean_iu"),
        # The others are not built here.
        ("table8", {"cited": True, "columns": ["mean"]}, "fcn8s.mean baseline.mean parsenet.mean"),
        ("table8", {"cited": True, "columns": ["bkg"]}, "baseline.bkg parsenet.bkg"),  # FCN-8s is printed without one
    ],
)
def test_cells_that_can_be_run(name: str, narrowed: dict[str, Any], expected: str) -> None:
    cells = table_file.load(name).cells(**narrowed)
    assert " ".join(f"{cell.row.key}.{cell.column.key}" for cell in cells) == expected


def test_an_unknown_table_row_or_column_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"unknown table 'tabel4'.*Did you mean 'table4'"):
        table_file.load("tabel4")
    with pytest.raises(UserError, match=r"unknown row of table4 'conv6'. Did you mean 'conv5'"):
        table_file.load("table4").cells(rows=["conv6"])
    with pytest.raises(UserError, match=r"unknown column of table4 'nrom'. Did you mean 'norm'"):
        table_file.load("table4").cells(columns=["nrom"])


@pytest.mark.parametrize("name", table_file.names())
def test_a_frozen_table_thaws_to_the_same_table(name: str) -> None:
    spec = table_file.load(name)
    assert frozen_table.from_json(json.loads(json.dumps(frozen_table.to_json(spec)))) == spec


def test_claims_on_cost_of_a_table_that_was_frozen_earlier_are_left_out() -> None:
    spec = table_file.load("table6")
    content = frozen_table.to_json(spec)
    for claim in content["claims"]:
        claim["measure"] = ""
    on_cost = {"measure": "seconds", "holds_if": "pool6_fc7_y_l.mean_iu / fc7_n.mean_iu < 1.10", "margin": 10.0}
    content["claims"].append({**content["claims"][0], "key": "context_time", **on_cost})
    assert frozen_table.from_json(content) == spec


def test_a_damaged_frozen_table_says_where() -> None:
    content = frozen_table.to_json(table_file.load("table5"))
    del content["rows"][1]["labels"]
    with pytest.raises(UserError, match=r"frozen table: there is no 'rows\.1\.labels'"):
        frozen_table.from_json(content)


@pytest.mark.parametrize("name", [n for n in table_file.names("all") if n not in ("spp", "voc_low")])
def test_the_paper_s_own_numbers_satisfy_every_claim(name: str) -> None:
    spec = table_file.load(name)
    assert spec.claims

    def paper(reference: Reference) -> float:
        table = table_file.load(reference.table) if reference.table else spec
        printed = table.printed(reference.row, reference.column)
        if reference.collapsed:
            return printed.text == "0.009"
        assert printed.value is not None
        return printed.value

    for claim in spec.claims:
        if claim.kind != "printed" and not parse(claim.holds_if).uses_spread:
            margin = None if claim.margin is None else parse_margin(claim.margin, spec.main)
            effect = evaluate(ast.unparse(margin.effect.tree), paper) if margin and margin.effect else 1.0
            points = None if margin is None else margin.share * max(0.0, effect)
            assert evaluate(claim.holds_if, paper, points) is True, claim.key
            assert claim.effect, claim.key


@pytest.mark.parametrize(
    ("name", "main"),
    [
        ("table1", 3.07),
        ("table2", 3.57),
        ("table3", 5.0),
        ("table4", 4.2),
        ("table5", 2.53),
        ("table6", 3.61),
        ("table7", 4.13),
        ("table8", 2.5),
        ("spp", 3.61),
        ("voc_low", 3.61),
    ],
)
def test_every_table_has_a_main_effect_and_margins_are_a_quarter_of_it(name: str, main: float) -> None:
    spec = table_file.load(name)
    assert effect_on_print(spec.main, spec) == pytest.approx(main)
    assert {claim.margin for claim in spec.claims if claim.kind != "printed"} <= {None, "0.25 * main"}


def test_a_table_that_was_frozen_before_there_were_main_effects_means_what_it_meant() -> None:
    content = frozen_table.to_json(table_file.load("table6"))
    del content["main"]
    for claim in content["claims"]:
        claim["margin"] = claim["margin"] and 0.5
    spec = frozen_table.from_json(content)
    assert spec.main == ""
    margins = {claim.margin for claim in spec.claims}
    assert margins == {None, 0.5}
    assert parse_margin(0.5).share == 0.5
    content["claims"][0]["margin"] = "0.25 * main"
    with pytest.raises(UserError, match="the table gives none"):
        frozen_table.from_json(content)


@pytest.mark.parametrize(
    ("name", "claim", "gain"),
    [
        ("table2", "recipe_transfers_to_deeplab", 5.16),
        ("table2", "recipe_transfers_to_largefov", 3.57),
        ("table5", "context_helps_with_norm", 2.57),
        ("table6", "context_helps_with_norm", 3.61),
        ("table7", "mixing_is_no_substitute", 3.04),
        ("table8", "context_helps", 2.5),
    ],
)
def test_effects_are_the_gains_the_paper_states(name: str, claim: str, gain: float) -> None:
    spec = table_file.load(name)
    [effect] = [c.effect for c in spec.claims if c.key == claim]
    value = evaluate(effect, lambda reference: spec.printed(reference.row, reference.column).value or 0.0)
    assert value == pytest.approx(gain)


@pytest.mark.parametrize("name", table_file.names())
def test_claims_about_other_tables_name_cells_that_exist(name: str) -> None:
    for claim in table_file.load(name).claims:
        references = parse(claim.holds_if).references
        for reference in references + (parse(claim.effect).references if claim.effect else ()):
            table = table_file.load(reference.table or name)
            printed = claim.kind == "printed" and table.printed(reference.row, reference.column).value is not None
            assert printed or table.cells(cited=True, rows=[reference.row], columns=[reference.column]), str(reference)


def test_the_three_baselines_differ_in_training_as_table_1_says() -> None:
    a, b, c, d = (cell("table1", f"baseline_{x}") for x in "abcd")
    assert (a.recipe.steps, b.recipe.steps, c.recipe.steps, d.recipe.steps) == (80000, 160000, 80000, 80000)
    assert (a.init, b.init, c.init, d.init) == ("zero", "zero", "xavier", "xavier")
    assert (a.pad100, b.pad100, c.pad100, d.pad100) == (True, True, True, False)
    assert (c.recipe.policy, d.recipe.policy) == ("fixed", "poly")
    assert {s.body for s in (a, b, c, d)} == {"fcn"}
    assert cell("table3", "fcn16s").recipe.steps == 300000


@pytest.mark.parametrize(
    ("table", "column", "recipe"), [("table4", "raw", ("shuffle", 80000)), ("table8", "mean", ("replacement", 300000))]
)
def test_fcn8s_is_run_by_fcn_s_recipe_at_once_and_not_by_parsenet_s(
    table: str, column: str, recipe: tuple[str, int]
) -> None:
    science = cell(table, "fcn8s", column)
    assert (science.body, science.skips, science.skip_training, science.layers) == ("fcn", "8s", "at_once", ("fc7",))
    assert (science.pad100, science.init, science.norm) == (True, "zero", "none")
    assert (science.recipe.policy, science.recipe.lr, science.recipe.momentum) == ("fixed", 1e-10, 0.99)
    assert (science.recipe.sampling, science.recipe.steps) == recipe


def test_lower_layers_on_voc_are_fused_early_and_late() -> None:
    claims = {claim.key: claim for claim in table_file.load("voc_low").claims}
    assert len(claims) == 6
    for fusion in ("early", "late"):
        assert {cell("voc_low", row, fusion).fusion for row in ("pool6_fc7", "conv5", "conv4", "conv3")} == {fusion}
        for layer in ("conv5", "conv4", "conv3"):
            assert (
                claims[f"{layer}_adds_nothing_{fusion}"].holds_if == f"{layer}.{fusion} - pool6_fc7.{fusion} < margin"
            )


def test_what_the_prose_denies_is_read_off_the_numbers() -> None:
    [late] = [claim for claim in table_file.load("table6").claims if claim.key == "late_fusion_barely_needs_norm"]
    assert late.kind == "read_off"
    assert "§3.3" in late.note


def test_the_example_of_the_documentation_is_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[3] / "docs" / "tables.md").read_text()
    example = page.partition("```yaml\n")[2].partition("```")[0]
    write_text(tmp_path / "ablations" / "scales.yaml", example)
    monkeypatch.chdir(tmp_path)
    spec = table_file.load("scales")
    assert len({c.overrides for c in spec.cells()}) == 6
    assert "fusion=late" in spec.cells(rows=["twenty"], columns=["late"])[0].overrides


def test_the_protocol_page_names_only_switches_that_exist() -> None:
    page = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text()
    switches = re.findall(r"`([a-z][a-z0-9_.]*=[^`]*)`", page)
    assert len(switches) > 30
    for override in " ".join(switches).split():
        axis = key_of(override)
        value = override.partition("=")[2]
        valid = axis_choices(axis)
        assert not valid or value in valid, override

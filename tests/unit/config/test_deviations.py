"""What deviates: from the defaults for a run by itself, from what the cell sets under a table."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from parsenet_cli.config import deviations, profile
from parsenet_cli.config.compose import Composer
from parsenet_cli.config.deviations import as_text, cell_settings, settings_of
from parsenet_cli.core.run_config import Science

BASELINE_A = ("body=fcn", "layers=[fc7]", "norm=none", "recipe=fcn", "pad100=true", "init=zero", "data=pascal_context")


@pytest.fixture(scope="module")
def composer(tmp_path_factory: pytest.TempPathFactory) -> Composer:
    """In the authors' own arithmetic, which the profile does not take."""
    paper = profile.load("paper")
    assert "precision=bfloat16" in paper.overrides
    kept = tuple(text for text in paper.overrides if text != "precision=bfloat16")
    return Composer(replace(paper, overrides=kept), (), tmp_path_factory.mktemp("composed"))


def texts(science: Science, cell: tuple[str, ...] | None = None) -> list[str]:
    said = None if cell is None else cell_settings(cell)
    return [deviation.text for deviation in deviations.deviations_of(settings_of(science), said)]


def test_default_run_deviates_in_nothing(composer: Composer) -> None:
    assert texts(composer.science()) == []


def test_choice_is_named_with_its_question_value_and_default(composer: Composer) -> None:
    assert texts(composer.science(("norm_gradient=authors", "recipe.head_lr=[10,20]"))) == [
        "classifier's rate: recipe.head_lr=[10,20] instead of [1,2]",
        "gradient of the norm: norm_gradient=authors instead of exact",
    ]


def test_released_recipe_is_one_of_the_published_and_its_numbers_do_not_deviate(composer: Composer) -> None:
    assert texts(composer.science(("recipe=parsenet_released",))) == []
    assert texts(composer.science(("recipe=parsenet_released", "recipe.iter_size=1", "upsample=learned"))) == [
        "accumulated batches: recipe.iter_size=1 instead of 8",
        "upsampling: upsample=learned instead of bilinear",
    ]


def test_row_that_says_so_does_not_deviate_but_the_run_by_itself_does(composer: Composer) -> None:
    science = composer.science(BASELINE_A)
    assert texts(science, BASELINE_A) == []
    assert texts(science) == [
        "classifier's start: init=zero instead of xavier",
        "the 100-pixel pad: pad100=true instead of false",
    ]


def test_default_deviates_where_the_cell_says_otherwise(composer: Composer) -> None:
    assert texts(composer.science((*BASELINE_A, "init=xavier")), BASELINE_A) == [
        "classifier's start: init=xavier instead of zero"
    ]


def test_other_recipe_than_the_cells_deviates_number_by_number(composer: Composer) -> None:
    found = texts(composer.science((*BASELINE_A, "recipe=parsenet")), BASELINE_A)
    assert found == [
        "rate and policy: recipe.policy=poly instead of fixed",
        "rate and policy: recipe.lr=1e-09 instead of 1e-10",
        "rate and policy: recipe.momentum=0.9 instead of 0.99",
    ]


def test_row_changes_its_recipe_and_is_expected_to(composer: Composer) -> None:
    cell = (*BASELINE_A, "recipe.length=2")
    assert texts(composer.science(cell), cell) == []
    assert texts(composer.science(BASELINE_A), cell) == ["iterations: recipe.length=1 instead of 2"]


def test_question_of_another_table_never_names_a_deviation(composer: Composer) -> None:
    cell = ("data=voc12", "recipe=parsenet", "body=reduced", "norm=l2")
    assert texts(composer.science((*cell, "norm=none", "recipe.policy=fixed")), cell) == [
        "rate and policy: recipe.policy=fixed instead of poly",
        "what the tables compare: norm=none instead of l2",
    ]


def test_question_that_does_not_arise_is_left_alone(composer: Composer) -> None:
    assert texts(composer.science(("norm=none", "layers=[fc7]", "norm_scale=20", "spp_geometry=adaptive"))) == []


@pytest.mark.parametrize("name", ["parsenet", "fcn", "deeplab", "deeplab_largefov"])
def test_published_recipe_is_nearest_to_itself_and_its_stand_in_to_it(name: str, tmp_path: Path) -> None:
    for profile_name in ("paper", "quick"):
        recipe = Composer(profile.load(profile_name), (), tmp_path).science((f"recipe={name}",)).recipe
        assert deviations.nearest_recipe(recipe).startswith(name.split("_")[0])


def test_crop_batch_precision_and_stand_ins_are_named(composer: Composer, tmp_path: Path) -> None:
    science = composer.science(("recipe.crop=321", "recipe.batch=8", "precision=bfloat16"))
    assert texts(science) == [
        "images per step: recipe.batch=8 instead of 1",
        "images per step: recipe.crop=321 instead of null",
        "arithmetic: precision=bfloat16 instead of float32 (IEEE's would take about six times as long on a GPU)",
    ]
    quick = texts(Composer(profile.load("quick"), (), tmp_path).science())
    assert {"data", "trunk", "trunk weights"} <= {text.partition(":")[0] for text in quick}


@pytest.mark.parametrize("name", ["caffe_reduced", "caffe_full"])
def test_weights_of_the_same_training_are_the_default_under_any_name(composer: Composer, name: str) -> None:
    assert texts(composer.science((f"weights={name}",))) == []
    assert texts(composer.science((f"weights={name}",)), ("weights=imagenet",)) == []


def test_what_a_result_holds_is_read_back_as_it_was(composer: Composer) -> None:
    switches = settings_of(composer.science(("init=gaussian",)))
    stored = json.loads(json.dumps([switch.as_json() for switch in switches]))
    assert deviations.from_json(stored) == switches
    assert [line["question"] for line in stored if not line["default"]] == ["classifier's start"]


@pytest.mark.parametrize(
    ("value", "text"),
    [((10.0, 20), "[10,20]"), (True, "true"), (None, "null"), (1e-9, "1e-09"), (80_000, "80000"), ("fc7", "fc7")],
)
def test_values_are_written_as_overrides(value: object, text: str) -> None:
    assert as_text(value) == text

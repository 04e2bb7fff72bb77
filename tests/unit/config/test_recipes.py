"""Recipes: those that are published, the base that all of them share, and the user's own."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from parsenet_cli.config import profile
from parsenet_cli.config.compose import Composer
from parsenet_cli.config.deviations import published
from parsenet_cli.config.overrides import axis_choices
from parsenet_cli.config.protocol import RECIPES
from parsenet_cli.core import paths
from parsenet_cli.core.run_config import Recipe

SHIPPED = paths.shipped("conf/recipe")


def keys(name: str) -> list[str]:
    return list(yaml.safe_load((SHIPPED / f"{name}.yaml").read_text()))


def test_a_field_of_a_recipe_stands_in_the_base_and_nowhere_else_by_need() -> None:
    """A new one is run_config.py, conf/recipe/_base.yaml, and the code that uses it."""
    assert keys("_base") == list(Recipe.model_fields)
    for name in axis_choices("recipe"):
        assert keys(name)[0] == "defaults"
        assert set(keys(name)[1:]) < set(Recipe.model_fields)


def test_the_base_is_no_choice() -> None:
    assert set(axis_choices("recipe")) >= {*RECIPES, "quick_parsenet"}
    assert "_base" not in axis_choices("recipe")


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ("parsenet", {"policy": "poly", "lr": 1e-9, "momentum": 0.9, "iterations": 80000, "batch": 1, "loss": "sum"}),
        ("fcn", {"policy": "fixed", "lr": 1e-10, "momentum": 0.99, "iterations": 80000, "batch": 1, "loss": "sum"}),
        ("deeplab", {"policy": "step", "lr": 1e-3, "step": 2000, "iterations": 6000, "batch": 20, "crop": 306}),
        (
            "deeplab_largefov",
            {"policy": "step", "lr": 1e-3, "step": 2000, "iterations": 6000, "batch": 30, "crop": 321},
        ),
        (
            "parsenet_released",
            {"policy": "poly", "lr": 1e-8, "momentum": 0.9, "iterations": 20000, "iter_size": 8, "head_lr": (10, 20)},
        ),
    ],
)
def test_published_recipes_are_whole_and_hold_the_published_numbers(recipe: str, expected: dict[str, object]) -> None:
    numbers = published(recipe)
    assert set(numbers) == {f"recipe.{key}" for key in Recipe.model_fields}
    assert {key: numbers[f"recipe.{key}"] for key in expected} == expected


@pytest.mark.parametrize("whole", [True, False])
def test_own_recipe_is_found_first_with_and_without_the_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    def recipe() -> Recipe:
        return Composer(profile.load("quick"), ["recipe=parsenet"], tmp_path).science().recipe

    shipped = recipe()
    own = tmp_path / "conf" / "recipe" / "parsenet.yaml"
    own.parent.mkdir(parents=True)
    numbers = shipped.model_dump(mode="json") if whole else {"defaults": ["_base", "_self_"]}
    own.write_text(yaml.safe_dump({**numbers, "momentum": 0.5}))
    monkeypatch.chdir(tmp_path)
    assert recipe() == shipped.model_copy(update={"momentum": 0.5})
    (tmp_path / "conf" / "config.yaml").write_text("something: else\n")  # that file is ours
    assert recipe().momentum == 0.5

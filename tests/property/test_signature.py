"""A signature changes with the science and with nothing else."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsenet_cli.config import profile
from parsenet_cli.config.compose import Composer
from parsenet_cli.config.overrides import axis_choices
from parsenet_cli.core.run_config import ADDED_LATER, SCIENCE_VERSION, Block, Recipe, RunConfig, Runtime, Science
from tests.conftest import changed

OVERRIDES = (
    *("norm=none", "fusion=late", "layers=[fc7]", "recipe.lr=0.5"),
    *("seed=4", "body=fcn", "norm_scale=20", "init=zero"),
)
FIELDS = [
    name for name in (*Science.model_fields, *(f"recipe.{name}" for name in Recipe.model_fields)) if name != "recipe"
]

OTHERS: dict[str, Any] = {
    "deeplab_kernel": 7,
    "classes": ("cat",),
    "recipe.step": 5,
    "recipe.crop": 64,
    "recipe.clip_gradients": 3.0,
    "recipe.frozen": ("conv1",),
    "blocks": {"gate": Block(options={"ratio": 8})},
    "norm_layers": ("fc7",),
    "feature_scale": {"fc7": 0.5},
    "gate_layers": ("conv4",),
    "context_layers": ("conv4",),
}
"""Valid values of the fields that are None, or one of few numbers, in the base."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("signatures")


@pytest.fixture(scope="module")
def config(cache: Path) -> RunConfig:
    """With every key that was added later at the value that means "as before"."""
    return Composer(profile.load("quick"), ("recipe.frozen=[]", "recipe.loss_stride=1"), cache).run_config()


def _other(value: Any, field: str) -> st.SearchStrategy[Any]:
    """Valid values of the same field that differ from `value`."""
    if field in OTHERS:
        return st.just(OTHERS[field])
    named = axis_choices(field) if field not in ("layers", "weights") else []
    if isinstance(value, bool):
        return st.just(not value)
    if named and not isinstance(value, int | float):
        return st.sampled_from([name for name in named if name != value])
    if isinstance(value, int | float):
        return st.integers(1, 10**6).map(lambda n: value + n)
    if isinstance(value, tuple) and isinstance(value[0], float):
        return st.just(tuple(number + 1 for number in value))
    if isinstance(value, tuple):
        return st.just((*value[:-1],) if len(value) > 1 else (*value, 99))
    return st.text("abc", min_size=1).map(lambda text: f"{value}{text}")


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(OVERRIDES))
def test_order_of_overrides_does_not_matter(cache: Path, order: list[str]) -> None:
    shuffled, sorted_ = (
        Composer(profile.load("quick"), overrides, cache).run_config() for overrides in (order, OVERRIDES)
    )
    assert shuffled.signature == sorted_.signature


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_value_of_the_science_and_its_recipe_changes_it(config: RunConfig, data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(FIELDS))
    group, _, name = field.rpartition(".")
    value = data.draw(_other(getattr(config.science.recipe if group else config.science, name), field))
    assert changed(config, **{name: value}).signature != config.signature


@settings(max_examples=30, deadline=None)
@given(field=st.sampled_from(list(Runtime.model_fields)), value=st.integers() | st.text() | st.none() | st.booleans())
def test_no_runtime_value_changes_it(config: RunConfig, field: str, value: object) -> None:
    assert changed(config, **{field: value}).signature == config.signature


def test_keys_added_later_leave_old_signatures_as_they_were(config: RunConfig) -> None:
    content: dict[str, Any] = {"science_version": SCIENCE_VERSION, **config.science.model_dump(mode="json")}
    for key in ADDED_LATER:
        group, _, name = key.rpartition(".")
        assert (content[group] if group else content).pop(name) == ADDED_LATER[key]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert config.signature == hashlib.sha256(text.encode()).hexdigest()[:12]


def test_configurations_frozen_before_a_key_was_added_still_load(config: RunConfig) -> None:
    frozen = config.model_dump(mode="json")
    for key in ADDED_LATER:
        group, _, name = key.rpartition(".")
        del (frozen["science"][group] if group else frozen["science"])[name]
    assert RunConfig.model_validate(frozen).signature == config.signature

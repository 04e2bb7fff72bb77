"""A signature changes with the science and with nothing else."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from parsenet_cli.config import profile
from parsenet_cli.config.compose import Composer
from parsenet_cli.config.overrides import axis_choices
from parsenet_cli.core.run_config import ADDED_LATER, SCIENCE_VERSION, Recipe, RunConfig, Runtime, Science

OVERRIDES = (
    "norm=none",
    "fusion=late",
    "layers=[fc7]",
    "recipe.lr=0.5",
    "seed=4",
    "body=fcn",
    "norm_scale=20",
    "init=zero",
)


def _base(cache: Path) -> RunConfig:
    return Composer(profile.load("quick"), (), cache).run_config()


OTHERS = {"deeplab_kernel": 7, "classes": ("cat",), "recipe.step": 5, "recipe.crop": 64, "recipe.clip_gradients": 3.0}
"""Valid values of the fields that are None, or one of few numbers, in the base."""


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
@given(order=st.randoms(use_true_random=False))
def test_order_of_overrides_does_not_matter(tmp_path_factory: Any, order: random.Random) -> None:
    cache = tmp_path_factory.getbasetemp() / "signatures"
    shuffled = list(OVERRIDES)
    order.shuffle(shuffled)
    signatures = {
        Composer(profile.load("quick"), given, cache).run_config().signature for given in (OVERRIDES, shuffled)
    }
    assert len(signatures) == 1


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_science_value_changes_it(tmp_path_factory: Any, data: st.DataObject) -> None:
    config = _base(tmp_path_factory.getbasetemp() / "signatures")
    science = config.science
    field = data.draw(st.sampled_from([name for name in Science.model_fields if name != "recipe"]))
    value = data.draw(_other(getattr(science, field), field))
    changed = config.model_copy(update={"science": science.model_copy(update={field: value})})
    assert changed.signature != config.signature


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_number_of_the_recipe_changes_it(tmp_path_factory: Any, data: st.DataObject) -> None:
    config = _base(tmp_path_factory.getbasetemp() / "signatures")
    recipe = config.science.recipe
    field = data.draw(st.sampled_from(list(Recipe.model_fields)))
    value = data.draw(_other(getattr(recipe, field), f"recipe.{field}"))
    science = config.science.model_copy(update={"recipe": recipe.model_copy(update={field: value})})
    assert config.model_copy(update={"science": science}).signature != config.signature


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_no_runtime_value_changes_it(tmp_path_factory: Any, data: st.DataObject) -> None:
    config = _base(tmp_path_factory.getbasetemp() / "signatures")
    field = data.draw(st.sampled_from(list(Runtime.model_fields)))
    value = data.draw(st.one_of(st.integers(), st.text(), st.none(), st.booleans()))
    runtime = config.runtime.model_copy(update={field: value})
    assert config.model_copy(update={"runtime": runtime}).signature == config.signature


def test_keys_added_later_leave_old_signatures_as_they_were(tmp_path: Path) -> None:
    config = _base(tmp_path)
    content: dict[str, Any] = {"science_version": SCIENCE_VERSION, **config.science.model_dump(mode="json")}
    for key in ADDED_LATER:
        group, _, name = key.rpartition(".")
        assert (content[group] if group else content).pop(name) == ADDED_LATER[key]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert config.signature == hashlib.sha256(text.encode()).hexdigest()[:12]


def test_configurations_frozen_before_a_key_was_added_still_load(tmp_path: Path) -> None:
    config = _base(tmp_path)
    frozen = config.model_dump(mode="json")
    del frozen["science"]["recipe"]["clip_gradients"]
    assert RunConfig.model_validate(frozen).signature == config.signature

"""What is said of a name that does not exist."""

from __future__ import annotations

from string import ascii_lowercase

import pytest

from parsenet_cli.config.overrides import key_of
from parsenet_cli.core.errors import UserError, unknown

MANY = [f"norm_{letter}" for letter in ascii_lowercase]


def test_few_valid_names_are_all_told() -> None:
    assert str(unknown("norm", "l3", ["none", "l2"])) == "unknown norm 'l3'. Did you mean 'l2'? Valid: none, l2"


def test_of_many_the_nearest_are_told_and_where_all_are_listed() -> None:
    said = str(unknown("key", "norm_aa", MANY, "parsenet list"))
    assert said.startswith("unknown key 'norm_aa'. Did you mean 'norm_a'? Also near: norm_")
    assert said.endswith("All 26: `parsenet list`")
    assert sum(name in said for name in MANY) == 4


def test_where_none_of_many_is_near_some_are_told() -> None:
    assert str(unknown("class", "zzz", MANY)) == (
        "unknown class 'zzz'. Valid are for example norm_a, norm_b, norm_c, norm_d. 26 are valid."
    )
    assert str(unknown("class", " ", MANY)).startswith("the name of a class is empty. Valid are for example norm_a")


def test_no_key_is_answered_with_a_wall_of_names() -> None:
    for key in ("norm_sclae", "zzzz", "recipe.iteration", "x" * 500):
        with pytest.raises(UserError, match="`parsenet list`") as refused:
            key_of(f"{key}=1")
        assert len(f"error: {refused.value}") <= 5 * 80

"""Sweeps: Hydra's grammar becomes rows and columns."""

from __future__ import annotations

import pytest

from parsenet_cli.config.sweep import expand, single
from parsenet_cli.core.errors import UserError


def test_grid_has_the_last_axis_as_columns() -> None:
    spec, seeds = expand(["fusion=early,late", "norm=none,l2"])
    assert seeds is None
    assert spec.labels == ("fusion",)
    assert [column.header for column in spec.columns] == ["norm=none", "norm=l2"]
    assert [cell.overrides[1:] for cell in spec.cells()][:2] == [
        ("norm=none", "fusion=early"),
        ("norm=l2", "fusion=early"),
    ]


def test_single_axis_is_one_column_of_mean_iu() -> None:
    spec, _ = expand(["recipe.lr=1e-9,1e-8", "fusion=late"])
    assert [row.labels for row in spec.rows] == [("1e-09",), ("1e-08",)]
    assert spec.base == ("fusion=late",)


def test_lists_are_values() -> None:
    spec, _ = expand(["layers=[fc7],[pool6,fc7]"])
    assert [row.labels for row in spec.rows] == [("[fc7]",), ("[pool6,fc7]",)]


def test_range_of_seeds_means_seeds_not_rows() -> None:
    spec, seeds = expand(["fusion=early,late", "seed=range(3)"])
    assert seeds == [0, 1, 2]
    assert len(spec.rows) == 2


@pytest.mark.parametrize(
    "arguments", [[], ["norm=l2"], ["nrom=l2,none"], ["layers=[fc7,"], ["seed=a,b", "norm=l2,none"]]
)
def test_what_is_no_grid_is_refused(arguments: list[str]) -> None:
    with pytest.raises(UserError):
        expand(arguments)


def test_one_run_takes_its_seed_from_the_command_line() -> None:
    assert single(["norm=none", "seed=4"])[1] == 4
    with pytest.raises(UserError, match="sweep"):
        single(["seed=1,2"])

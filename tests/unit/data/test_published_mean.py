"""The mean colour that a network can subtract is a published one, or none."""

from __future__ import annotations

import pytest

from parsenet_cli.data import sets
from tests.unit.models.conftest import make_science


@pytest.mark.parametrize(
    ("data", "input_mean", "reason"),
    [
        ("voc12", "weights", None),
        ("siftflow", "data", None),
        ("voc12", "data", "input_mean=data: no mean is published for voc12; use input_mean=weights"),
    ],
)
def test_mean_that_nobody_published_is_refused(data: str, input_mean: str, reason: str | None) -> None:
    assert sets.unpublished_mean(make_science(data=data, input_mean=input_mean)) == reason

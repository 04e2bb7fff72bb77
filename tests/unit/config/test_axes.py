"""What `list` says of the axes: their comments in conf/config.yaml, what they take, and their defaults."""

from __future__ import annotations

import pytest

from parsenet_cli.config import profile
from parsenet_cli.config.axes import axes, defaults_under, takes
from parsenet_cli.config.overrides import AXES
from parsenet_cli.core import paths


def test_every_axis_has_a_comment_and_a_section_in_the_file_that_is_shipped() -> None:
    assert [axis.name for axis in axes()] == AXES
    assert [axis.name for axis in axes() if not axis.says or not axis.section] == []
    text = (paths.shipped("conf") / "config.yaml").read_text()
    assert all(axis.says.split("  ")[0].split(", a source of")[0] in text for axis in axes())


def test_a_comment_goes_on_in_the_next_line() -> None:
    (weights,) = [axis for axis in axes() if axis.name == "weights"]
    assert weights.says.endswith("a source of `parsenet weights list`, pretrained (the quick trunk), none, or a file")


@pytest.mark.parametrize(
    ("axis", "kind"),
    [
        ("norm", "none | l2 | lp"),
        ("pad100", "true | false"),
        ("norm_scale", "a number from -1000000 to 1000000"),
        ("context_dropout", "a number from 0 to below 1"),
        ("micro_batch", "a whole number from 1 to 65536, or null"),
        ("context_bins", "a list of whole numbers"),
        ("classes", "a list of names, or null"),
        ("layers", "a list of pool6 | fc7 | conv5 | conv4 | conv3"),
        ("data_root", "a path, or null"),
        ("norm_layers", "a list of pool6 | fc7 | conv5 | conv4 | conv3, or null"),
        ("gate_layers", "a list of fc7 | conv5 | conv4 | conv3"),
        ("norm_p", "a number from 1 to 1000, or null"),
        ("feature_scale", "factors such as {conv4: 0.063} for some of pool6 | fc7 | conv5 | conv4 | conv3"),
    ],
)
def test_kind_of_values_follows_from_the_type(axis: str, kind: str) -> None:
    assert takes(axis) == kind


def test_weights_are_a_name_or_a_file() -> None:
    assert takes("weights").startswith("caffe_convolutions | ")
    assert takes("weights").endswith(" | none | a file")


def test_defaults_are_those_of_the_profile() -> None:
    quick, paper = (defaults_under(profile.load(name)) for name in ("quick", "paper"))
    assert (quick["data"], quick["trunk"], quick["weights"], quick["recipe"]) == (
        *("synthetic_voc", "vgg_tiny", "pretrained"),
        "quick_parsenet",
    )
    assert (paper["data"], paper["trunk"], paper["recipe"]) == ("voc12", "vgg16", "parsenet")
    assert quick["norm_scale"] == paper["norm_scale"] == 10

"""`parsenet network`: the paper's bodies and any grid of overrides, and what is printed of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from parsenet_cli.config import profile
from parsenet_cli.core.errors import UserError
from parsenet_cli.report import network
from parsenet_cli.report.formats import markdown
from parsenet_cli.report.network import Network

PARAMETERS = ("trunk_parameters", "head_parameters", "parameters")


def networks(cache: Path, *overrides: str, name: str = "paper", size: tuple[int, int] = (375, 500)) -> list[Network]:
    return network.networks(overrides, profile.load(name), cache, size, 21)


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> list[Network]:
    return networks(tmp_path_factory.mktemp("cache"))


def test_size_is_width_times_height() -> None:
    assert network.image_size("500x375") == (375, 500)


def test_grid_of_overrides_is_every_combination_and_its_name_what_varies(tmp_path: Path) -> None:
    found = networks(tmp_path, "body=fcn,reduced", "fusion=early,late", "norm=l2", name="quick")
    assert [one.name for one in found] == [
        "body=fcn fusion=early",
        "body=fcn fusion=late",
        "body=reduced fusion=early",
        "body=reduced fusion=late",
    ]


def test_pools_are_shown_where_skips_read_them(tmp_path: Path) -> None:
    plain, skips = networks(tmp_path, "body=fcn", "layers=[fc7]", "norm=none", "skips=none,8s")
    assert list(plain.content["features"]) == ["conv3", "conv4", "conv5", "fc7"]
    assert list(skips.content["features"]) == ["conv3", "pool3", "conv4", "pool4", "conv5", "fc7"]
    assert skips.content["reads"] == ["fc7", "pool4", "pool3"]


def test_bodies_that_a_trunk_lacks_are_left_out_unless_named(tmp_path: Path) -> None:
    assert [one.name for one in networks(tmp_path, name="photos")] == ["body=fcn", "body=reduced"]
    with pytest.raises(UserError, match="body=deeplab: squeezenet"):
        networks(tmp_path, "body=deeplab", name="photos")


def test_deviations_are_named(tmp_path: Path) -> None:
    (one,) = networks(tmp_path, "norm_gradient=authors", "precision=float32")
    assert one.content["deviations"] == ["gradient of the norm: norm_gradient=authors instead of exact"]


def test_image_too_small_is_refused_with_the_layer(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"30x40 pixels.*fc6"):
        networks(tmp_path, "body=fcn", "fc6_pad=none", size=(30, 40))


@pytest.mark.parametrize("text", ["500", "0x375", "500x", "-1x3", "axb", "500x375x3"])
def test_malformed_size_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="width x height"):
        network.image_size(text)


def test_documentation_shows_what_the_command_prints(paper: list[Network]) -> None:
    page = (Path(__file__).parents[3] / "docs/fidelity.md").read_text()
    table, _, below = markdown.text(network.network_grid(paper)).partition("\n\n")
    assert len(table.splitlines()) == 2 + 24
    assert "| body=reduced | conv3 | conv3\\_3 | 256 | 4 | 1.5 | 40 | 125x94 |" in table
    assert table in page
    assert below.startswith(markdown.escaped(network.PLACE))
    for one in paper:
        trunk, head, together = (f"{one.content[key]:,}".replace(",", " ") for key in PARAMETERS)
        assert f"| {markdown.escaped(one.name)} | {trunk} | {head} | {together} |" in page
        assert f"{markdown.escaped(one.name)}: parameters: {trunk} trunk + {head} head = {together}" in below

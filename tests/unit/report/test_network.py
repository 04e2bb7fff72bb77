"""`parsenet network`: the published geometry from the module graph, for the paper's bodies and any grid of overrides."""

from __future__ import annotations

from pathlib import Path

import pytest

from parsenet_cli.config import profile
from parsenet_cli.core.errors import UserError
from parsenet_cli.report import network
from parsenet_cli.report.network import Network

# Written down from the definition of the published networks: centre(i) = stride * i + offset, in pixels from 0.
PAPER = {
    "body=fcn pad100=true": {"conv3": (4, -97.5, 40), "conv4": (8, -95.5, 92), "conv5": (16, -91.5, 196), "fc7": (32, 12.5, 404)},
    "body=fcn": {"conv3": (4, 1.5, 40), "conv4": (8, 3.5, 92), "conv5": (16, 7.5, 196), "fc7": (32, 15.5, 404)},
    "body=reduced": {"conv3": (4, 1.5, 40), "conv4": (8, 3.5, 92), "conv5": (8, 3.5, 204), "fc7": (8, 3.5, 412)},
    "body=deeplab": {"conv3": (4, -1.5, 40), "conv4": (8, -3.5, 92), "conv5": (8, 0.5, 196), "fc7": (8, 0.5, 308)},
    "body=deeplab deeplab_kernel=7":
        {"conv3": (4, -1.5, 40), "conv4": (8, -3.5, 92), "conv5": (8, 0.5, 196), "fc7": (8, 0.5, 404)},
    "body=largefov": {"conv3": (4, 0, 43), "conv4": (8, 0, 99), "conv5": (8, 0, 211), "fc7": (8, 0, 435)},
}  # fmt: skip

PARAMETERS = {
    "body=fcn pad100=true": 134_346_581,
    "body=fcn": 134_346_581,
    "body=reduced": 20_505_429,
    "body=deeplab": 65_140_565,
    "body=deeplab deeplab_kernel=7": 134_346_581,
    "body=largefov": 20_505_429,
}

FC7_CELLS = {
    256: (9, 8, 32, 33),
    321: (11, 11, 41, 41),
    375: (12, 12, 47, 48),
    500: (16, 16, 63, 64),
    513: (17, 17, 65, 65),
}
"""Side of a square image -> cells of fc7 in body fcn with and without the pad, reduced, largefov."""


def drawn(
    tmp_path: Path, *overrides: str, name: str = "paper", size: tuple[int, int] = (375, 500), classes: int = 21
) -> list[Network]:
    return network.networks(overrides, profile.load(name), tmp_path, size, classes)


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> list[Network]:
    return drawn(tmp_path_factory.mktemp("cache"))


def test_maps_of_the_papers_bodies_lie_where_the_published_ones_do(paper: list[Network]) -> None:
    found = {
        one.name: {tap: (f["stride"], f["offset"], f["field"]) for tap, f in one.content["features"].items()}
        for one in paper
    }
    assert found == PAPER


def test_the_papers_bodies_have_the_published_parameters(paper: list[Network]) -> None:
    assert {one.name: one.content["parameters"] for one in paper} == PARAMETERS
    for one in paper:
        parts = one.content["trunk_parameters"] + one.content["head_parameters"]
        assert parts == one.content["parameters"]


@pytest.mark.parametrize("side", FC7_CELLS)
def test_maps_have_caffes_sizes(side: int, tmp_path: Path) -> None:
    bodies = (("body=fcn", "pad100=true"), ("body=fcn",), ("body=reduced",), ("body=largefov",))
    sizes = [drawn(tmp_path, *body, size=(side, side))[0].content["features"]["fc7"]["cells"] for body in bodies]
    assert sizes == [[cells, cells] for cells in FC7_CELLS[side]]


def test_height_and_width_are_not_confused(tmp_path: Path) -> None:
    assert network.image_size("500x375") == (375, 500)
    (one,) = drawn(tmp_path, "body=reduced", size=(375, 500))
    assert one.content["features"]["fc7"]["cells"] == [47, 63]


def test_grid_of_overrides_is_every_combination_and_its_name_what_varies(tmp_path: Path) -> None:
    found = drawn(tmp_path, "body=fcn,reduced", "fusion=early,late", "norm=l2", name="quick")
    assert [one.name for one in found] == [
        "body=fcn fusion=early",
        "body=fcn fusion=late",
        "body=reduced fusion=early",
        "body=reduced fusion=late",
    ]


def test_pools_are_shown_where_skips_read_them(tmp_path: Path) -> None:
    plain, skips = drawn(tmp_path, "body=fcn", "layers=[fc7]", "norm=none", "skips=none,8s")
    assert list(plain.content["features"]) == ["conv3", "conv4", "conv5", "fc7"]
    assert list(skips.content["features"]) == ["conv3", "pool3", "conv4", "pool4", "conv5", "fc7"]
    assert skips.content["reads"] == ["fc7", "pool4", "pool3"]


def test_head_grows_with_the_classes(tmp_path: Path) -> None:
    (one,) = drawn(tmp_path, "body=fcn", "layers=[fc7]", "norm=none", classes=60)
    assert one.content["parameters"] == 134_506_364


def test_bodies_that_a_trunk_lacks_are_left_out_unless_named(tmp_path: Path) -> None:
    assert [one.name for one in drawn(tmp_path, name="photos")] == ["body=fcn", "body=reduced"]
    with pytest.raises(UserError, match="body=deeplab: squeezenet"):
        drawn(tmp_path, "body=deeplab", name="photos")


def test_deviations_are_named(tmp_path: Path) -> None:
    (one,) = drawn(tmp_path, "norm_gradient=authors")
    assert one.content["deviations"] == ["gradient of the norm: norm_gradient=authors instead of exact"]


def test_image_too_small_is_refused_with_the_layer(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"30x40 pixels.*fc6"):
        drawn(tmp_path, "body=fcn", "fc6_pad=none", size=(30, 40))


@pytest.mark.parametrize("text", ["500", "0x375", "500x", "-1x3", "axb", "500x375x3"])
def test_malformed_size_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="width x height"):
        network.image_size(text)


def test_markdown_is_two_tables_with_equally_wide_lines(paper: list[Network]) -> None:
    text = network.to_markdown(paper)
    maps, parameters = (
        [line for line in block.splitlines() if line.startswith("|")]
        for block in text.split("Parameters, with 21 classes:")
    )
    assert (len(maps), len(parameters)) == (2 + 24, 2 + 6)
    assert {line.count("|") for line in maps} == {9}
    assert "| body=reduced | conv3 | conv3_3 | 256 | 4 | 1.5 | 40 | 125x94 |" in maps
    assert "| body=reduced | 20 483 904 | 21 525 | 20 505 429 |" in parameters


def test_fragment_in_the_documentation_is_what_the_command_prints(paper: list[Network]) -> None:
    docs = Path(__file__).parents[3] / "docs"
    assert any(network.to_markdown(paper) in page.read_text() for page in docs.glob("*.md"))

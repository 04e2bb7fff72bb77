"""Strides, offsets, receptive fields and sizes follow from the layers themselves."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from parsenet_cli.core.errors import UserError
from parsenet_cli.data.synthetic import scenes
from parsenet_cli.models import trunks, vgg
from parsenet_cli.models.describe import describe_network
from parsenet_cli.models.geometry import Grid, Window, grids
from parsenet_cli.models.trunk import Trunk
from parsenet_cli.models.trunks import vgg16, vgg_tiny
from parsenet_cli.models.upsample import Learned
from tests.unit.models.conftest import make_science

# axes -> parameters with 21 classes; stride, offset and receptive field of each map; sides of an image -> cells of fc7
PUBLISHED: list[tuple[dict[str, Any], int, dict[str, tuple[int, float, int]], dict[int, int]]] = [
    ({"body": "fcn", "pad100": True}, 134_346_581,
     {"conv3": (4, -97.5, 40), "conv4": (8, -95.5, 92), "conv5": (16, -91.5, 196), "fc7": (32, 12.5, 404)},
     {256: 9, 321: 11, 375: 12, 500: 16, 513: 17}),
    ({"body": "fcn"}, 134_346_581,
     {"conv3": (4, 1.5, 40), "conv4": (8, 3.5, 92), "conv5": (16, 7.5, 196), "fc7": (32, 15.5, 404)},
     {256: 8, 321: 11, 375: 12, 500: 16, 513: 17}),
    ({"body": "reduced"}, 20_505_429,
     {"conv3": (4, 1.5, 40), "conv4": (8, 3.5, 92), "conv5": (8, 3.5, 204), "fc7": (8, 3.5, 412)},
     {256: 32, 321: 41, 375: 47, 500: 63, 513: 65}),
    ({"body": "deeplab"}, 65_140_565,
     {"conv3": (4, -1.5, 40), "conv4": (8, -3.5, 92), "conv5": (8, 0.5, 196), "fc7": (8, 0.5, 308)}, {306: 39}),
    ({"body": "deeplab", "deeplab_kernel": 7}, 134_346_581,
     {"conv3": (4, -1.5, 40), "conv4": (8, -3.5, 92), "conv5": (8, 0.5, 196), "fc7": (8, 0.5, 404)}, {306: 39}),
    ({"body": "largefov"}, 20_505_429,
     {"conv3": (4, 0, 43), "conv4": (8, 0, 99), "conv5": (8, 0, 211), "fc7": (8, 0, 435)},
     {256: 33, 321: 41, 375: 48, 500: 64, 513: 65}),
]  # fmt: skip


@pytest.mark.parametrize(("axes", "parameters", "maps", "cells"), PUBLISHED)
def test_vgg16_is_the_published_network(
    axes: dict[str, Any],
    parameters: int,
    maps: dict[str, tuple[int, float, int]],
    cells: dict[int, int],
) -> None:
    """Sizes are rounded up as in Caffe; centre(i) = stride * i + offset, in pixels from 0."""
    for side, expected in cells.items():
        network = describe_network(make_science(trunk="vgg16", **axes), 21, (side, side))
        assert network["features"]["fc7"]["cells"] == [expected, expected]
        assert {tap: (f["stride"], f["offset"], f["field"]) for tap, f in network["features"].items()} == maps
        assert network["parameters"] == network["trunk_parameters"] + network["head_parameters"] == parameters


def thin(spec: vgg.Spec) -> vgg.Spec:
    """The same layers with one channel each: sizes without the cost."""
    return vgg.Spec((1, 1, 1, 1, 1), spec.convs, spec.unpooled, 4, spec.fc6, spec.big_pad)


def trunk_of(spec: vgg.Spec, body: Any, **settings: Any) -> Trunk:
    return vgg.build_body(thin(spec), body, **settings)


def test_largefov_sees_16_pixels_less_without_its_average_pool() -> None:
    layers = trunk_of(vgg16.SPEC, "largefov").named_children()
    found = grids((name, layer) for name, layer in layers if name != "pool5a")["fc7"]
    assert (found, found.field) == (Grid(8, 0), 419)


@pytest.mark.parametrize(
    ("body", "pad100", "kernel", "crop", "uncropped"),
    [  # of images of 256, 321, 375, 500 and 513 pixels; largefov is cropped by 7 at both ends to 8 (n - 1) + 1
        ("fcn", True, 64, 19, (320, 384, 416, 544, 576)),
        ("fcn", False, 64, 16, (288, 384, 416, 544, 576)),
        ("reduced", False, 16, 4, (264, 336, 384, 512, 528)),
        ("deeplab", False, 16, 7, ()),
        ("largefov", False, 15, 7, (257 + 14, 321 + 14, 377 + 14, 505 + 14, 513 + 14)),
    ],
)
def test_deconvolutions_of_vgg16_have_the_published_kernels_crops_and_lengths(
    body: str, pad100: bool, kernel: int, crop: int, uncropped: tuple[int, ...]
) -> None:
    with torch.device("meta"):
        trunk = trunk_of(vgg16.SPEC, body, pad100=pad100).eval()
        up = deconvolution(trunk.grids["fc7"])
        assert up.kernel_size == (kernel, kernel)
        assert (kernel - 1) / 2 - trunk.grids["fc7"].offset == crop
        for side, length in zip((256, 321, 375, 500, 513), uncropped, strict=False):
            assert up(trunk(torch.empty(1, 3, side, side))["fc7"][:, :1]).shape[2] == length


def deconvolution(grid: Grid) -> nn.ConvTranspose2d:
    """What brings one class from a grid to the image, before it is cropped."""
    (found,) = (module for module in Learned(1, [grid]).modules() if isinstance(module, nn.ConvTranspose2d))
    return found


@pytest.mark.parametrize(("body", "field"), [("fcn", 82), ("reduced", 70), ("deeplab", 58), ("largefov", 81)])
def test_the_thin_trunk_sees_less_than_60_percent_of_an_animal_scene(body: Any, field: int) -> None:
    found = trunk_of(vgg_tiny.SPEC, body).grids["fc7"].field
    assert found == field
    assert found < 0.6 * scenes.SIZE


def test_the_thin_trunk_of_body_fcn_sees_all_of_an_outdoor_scene_at_strides_2_4_8_16() -> None:
    grids = trunk_of(vgg_tiny.SPEC, "fcn").grids
    assert grids["fc7"].field >= scenes.OUTDOOR_SIZE
    assert [grids[tap].stride for tap in ("conv3", "conv4", "conv5", "fc7")] == [2, 4, 8, 16]


@pytest.mark.parametrize("size", [80, 128, 140, 143, 144, 161])
def test_the_thin_big_pad_covers_the_image_with_unpadded_fc6(size: int) -> None:
    padded = trunk_of(vgg_tiny.SPEC, "fcn", pad100=True)
    plain = trunk_of(vgg_tiny.SPEC, "fcn")
    image = torch.zeros(1, 3, size, size)
    assert padded.grids["fc7"] == plain.grids["fc7"]
    cells = padded(image)["fc7"].shape[2]
    assert cells == plain(image)["fc7"].shape[2]
    assert padded.grids["fc7"].centre(cells - 1) >= size - 1 - 8


@pytest.mark.parametrize("pad100", [False, True])
@pytest.mark.parametrize("body", ["fcn", "reduced", "deeplab", "largefov"])
def test_a_cell_depends_on_exactly_its_receptive_field(body: Any, pad100: bool) -> None:
    """Positive weights and averaging pools let every path through, so the gradient's support is the receptive field."""
    trunk = trunk_of(vgg_tiny.SPEC, body, pad100=pad100, dropout=0.0)
    for name, layer in list(trunk.named_children()):
        if isinstance(layer, nn.MaxPool2d):
            trunk._modules[name] = nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding, ceil_mode=True)
        if isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.weight, 1.0)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    for tap in ("conv3", "conv4", "conv5", "fc7"):
        image = torch.ones(1, 3, 240, 240, dtype=torch.float64).requires_grad_()
        values = trunk.double()(image, [tap])[tap]
        grid = trunk.grids[tap]
        cell = round((120 - grid.offset) / grid.stride)
        values[0, 0, cell, cell].backward()
        assert image.grad is not None
        touched = image.grad[0, 0].abs().sum(1).nonzero().flatten()
        reach = (grid.field - 1) / 2
        expected = (grid.centre(cell) - reach, grid.centre(cell) + reach)
        assert expected == (int(touched.min()), int(touched.max())), tap


def test_squeezenet_maps_are_centred_on_multiples_of_their_stride() -> None:
    trunk = trunks.find("squeezenet").build(make_science(trunk="squeezenet"))
    found = [trunk.grids[tap] for tap in ("conv3", "conv4", "conv5", "fc7")]
    assert found == [Grid(4, 0), Grid(8, 0), Grid(16, 0), Grid(16, 0)]
    assert [trunk.channels[tap] for tap in ("conv3", "conv4", "conv5", "fc7")] == [128, 256, 384, 512]
    cells = trunk(torch.zeros(1, 3, 128, 150))["fc7"].shape
    assert tuple(cells) == (1, 512, 9, 11)


@pytest.mark.parametrize("length", range(3, 40))
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, 2, 0), (2, 2, 1), (2, 1, 0), (3, 2, 1), (3, 1, 1)])
def test_window_lengths_are_those_of_pytorchs_pooling(length: int, kernel: int, stride: int, padding: int) -> None:
    pooled = nn.functional.max_pool2d(torch.zeros(1, length, length), kernel, stride, padding, ceil_mode=True)
    assert Window(kernel, stride, padding, 1, ceil=True).length(length) == pooled.shape[1]


def test_an_image_that_is_too_small_is_named_with_the_layer() -> None:
    trunk = trunk_of(vgg_tiny.SPEC, "fcn", fc6_pad="none")
    with pytest.raises(UserError, match=r"image of 32x200 pixels.*layer fc6.*at least 3 cells.*2x13.*fc6_pad=same"):
        trunk(torch.zeros(1, 3, 32, 200))

"""Caffe's files are read without Caffe: both styles of layers, both kinds of shapes, and nothing that is cut off."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parsenet_cli.core.errors import UserError
from parsenet_cli.models.weights import caffemodel
from tests import weight_layouts
from tests.unit.models.conftest import TINY
from tests.weight_layouts import CONVOLUTION, INNER_PRODUCT, blob, layer, message, number, varint

WEIGHT = np.arange(2 * 3 * 3 * 3, dtype=np.float32).reshape(2, 3, 3, 3)
BIAS = np.array([0.5, -0.5], np.float32)


def written(folder: Path, content: bytes) -> Path:
    file = folder / "net.caffemodel"
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("packed", [True, False], ids=["packed", "one by one"])
@pytest.mark.parametrize("old", [True, False], ids=["old", "present"])
def test_a_convolution_comes_back_in_both_styles(tmp_path: Path, old: bool, packed: bool) -> None:
    blobs = [blob(array, old_shape=old, packed=packed) for array in (WEIGHT, BIAS)]
    found = caffemodel.read(written(tmp_path, layer("conv1_1", CONVOLUTION, blobs, old=old)))
    assert found.keys() == {"conv1_1.weight", "conv1_1.bias"}
    np.testing.assert_array_equal(found["conv1_1.weight"], WEIGHT)
    np.testing.assert_array_equal(found["conv1_1.bias"], BIAS)


@pytest.mark.parametrize("old", [True, False], ids=["old", "present"])
def test_the_old_four_sides_of_a_fully_connected_layer_are_a_matrix(tmp_path: Path, old: bool) -> None:
    blobs = [blob(array, old_shape=True) for array in (WEIGHT.reshape(2, 27), BIAS)]
    found = caffemodel.read(written(tmp_path, layer("fc6", INNER_PRODUCT, blobs, old=old)))
    np.testing.assert_array_equal(found["fc6.weight"], WEIGHT.reshape(2, 27))
    assert found["fc6.bias"].shape == (2,)


def test_a_convolution_of_one_filter_on_one_channel_keeps_its_four_sides(tmp_path: Path) -> None:
    blobs = [blob(np.ones((1, 1, 3, 3)), old_shape=True), blob(np.ones(1), old_shape=True)]
    found = caffemodel.read(written(tmp_path, layer("conv", CONVOLUTION, blobs, old=True)))
    assert found["conv.weight"].shape == (1, 1, 3, 3)


def test_dimensions_may_stand_one_by_one(tmp_path: Path) -> None:
    content = message(5, BIAS.tobytes()) + message(7, number(1, 2) + number(1, 1))
    found = caffemodel.read(written(tmp_path, layer("ip", INNER_PRODUCT, [content], old=False)))
    assert found["ip.weight"].shape == (2, 1)


@pytest.mark.parametrize(
    "shape",
    [(0, 1 << 62), (0, (1 << 64) - 1), (1,) * 100, (1,) * 1_000_000],
    ids=["zero of 2^62", "zero of 2^64", "100 axes", "a million axes"],
)
def test_dimensions_have_bounds(tmp_path: Path, shape: tuple[int, ...]) -> None:
    count = 0 if 0 in shape else 1
    content = message(5, bytes(4 * count)) + message(7, message(1, b"".join(map(varint, shape))))
    with pytest.raises(
        UserError, match=r"net\.caffemodel: .*more than 32 axes, or one of more than 2147483647, in blob 0"
    ):
        caffemodel.read(written(tmp_path, layer("ip", INNER_PRODUCT, [content], old=False)))


def test_a_whole_network_comes_back(tmp_path: Path) -> None:
    found = caffemodel.read(written(tmp_path, weight_layouts.caffemodel(TINY, matrices=False)))
    assert found.keys() == TINY.keys()
    assert all(torch.equal(torch.from_numpy(found[name]), tensor) for name, tensor in TINY.items())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "found an empty file"),
        (b"<!DOCTYPE html><title>404</title>", "complete caffemodel"),
        (b'name: "VGG"\nlayers { bottom: "data" }', "complete caffemodel"),
        (b"PK\x03\x04" + bytes(100), "complete caffemodel"),
        (bytes(64), "a field without a number at byte 0"),
        (b"\xff" * 32, "a number of more than ten bytes"),
        (message(1, b"only a name"), "no layer with weights in it"),
        (varint(100 << 3 | 2) + varint(1 << 60), "a field of 1152921504606846976 bytes"),
        (layer("conv1_1", CONVOLUTION, [message(5, b"12345")], old=False), "5 bytes of floats"),
        (
            layer("conv1_1", CONVOLUTION, [message(5, bytes(8)) + message(7, message(1, b"\x03"))], old=False),
            r"2 numbers in blob 0 of layer 'conv1_1', whose shape is \(3,\)",
        ),
    ],
)
def test_anything_else_is_refused_with_what_was_found(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(UserError, match=rf"net\.caffemodel: expected a .*{says}"):
        caffemodel.read(written(tmp_path, content))


SMALL = {"conv1_1.weight": torch.from_numpy(WEIGHT), "conv1_1.bias": torch.from_numpy(BIAS)}
FILES = [
    weight_layouts.caffemodel(SMALL, old=old, packed=packed)
    for old, packed in ((True, True), (False, True), (False, False))
]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), content=st.sampled_from(FILES))
def test_a_file_cut_anywhere_is_refused_or_lacks_no_weights(
    tmp_path: Path, data: st.DataObject, content: bytes
) -> None:
    whole = caffemodel.read(written(tmp_path, content))
    cut = content[: data.draw(st.integers(0, len(content) - 1))]
    try:
        found = caffemodel.read(written(tmp_path, cut))
    except UserError:
        return
    assert found.keys() == whole.keys()
    assert all(np.array_equal(found[name], whole[name]) for name in whole)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.sampled_from(FILES), at=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_a_wrong_byte_never_ends_in_another_error(tmp_path: Path, content: bytes, at: int, byte: int) -> None:
    damaged = bytearray(content)
    damaged[at % len(content)] = byte
    with contextlib.suppress(UserError):
        assert all(array.dtype == np.float32 for array in caffemodel.read(written(tmp_path, bytes(damaged))).values())

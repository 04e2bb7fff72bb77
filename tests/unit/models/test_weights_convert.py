"""Any published layout becomes one file that knows its input; another network, a hole or a NaN is refused by name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from parsenet_cli.core.errors import UserError
from parsenet_cli.models import vgg
from parsenet_cli.models.build import build_model
from parsenet_cli.models.describe import describe_model
from parsenet_cli.models.preprocessing_spec import CAFFE, TORCHVISION, InputNormalization
from parsenet_cli.models.trunks import vgg16
from parsenet_cli.models.weights import sources
from parsenet_cli.models.weights.convert import convert_file
from parsenet_cli.models.weights.read import load
from tests import weight_layouts
from tests.weight_layouts import caffemodel, full_tensors, in_ssds_positions, in_torchvisions_names

THIN = replace(vgg16.SPEC, widths=(4, 6, 8, 8, 8), fc=16)
"""VGG-16's layers, bodies and kernels at a thousandth of the size."""

Saved = Callable[[dict[str, Tensor], str], Path]


@pytest.fixture(autouse=True)
def thin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vgg16, "TRUNK", replace(vgg16.TRUNK, spec=THIN))


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    def save(tensors: dict[str, Tensor], name: str) -> Path:
        if name.endswith(".caffemodel"):
            (tmp_path / name).write_bytes(caffemodel(tensors, old=name.startswith("old")))
        elif name.endswith(".safetensors"):
            save_file(tensors, tmp_path / name)
        else:
            torch.save(tensors, tmp_path / name)
        return tmp_path / name

    return save


def as_caffe(tensors: dict[str, Tensor], flipped: bool = False) -> dict[str, Tensor]:
    """With the first filter's tap by which Caffe's VGG-16 is known; `flipped`: in a port for RGB."""
    first = tensors["conv1_1.weight"].clone()
    first[0, :, 0, 0] = torch.tensor(vgg16.CAFFE_FIRST_TAPS)
    return tensors | {"conv1_1.weight": first.flip(1) if flipped else first}


def test_every_layout_becomes_the_same_file(saved: Saved, tmp_path: Path) -> None:
    tensors = full_tensors(THIN)
    for file in (
        saved(tensors, "old.caffemodel"),
        saved(tensors, "present.caffemodel"),
        saved(tensors, "ours.pth"),
        saved(tensors, "ours.safetensors"),
        saved(in_torchvisions_names(tensors, THIN), "torchvision.pth"),
        saved(in_ssds_positions(tensors, THIN), "ssd.pt"),
    ):
        written = convert_file(file, tmp_path / "out.safetensors", "vgg16")
        found = load(written.file)
        assert written.body == "fcn"
        assert found.tensors.keys() == tensors.keys()
        assert all(torch.equal(found.tensors[name], tensor) for name, tensor in tensors.items()), file
        assert found.metadata["source"] == file.name
        assert found.metadata["source_sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert found.metadata["trunk"] == "vgg16"


def test_the_same_weights_give_the_same_bytes(saved: Saved, tmp_path: Path) -> None:
    """A run is identified by the hash of its weights file."""
    file = saved(full_tensors(THIN), "v.pth")
    contents = set()
    for i in range(8):
        contents.add(convert_file(file, tmp_path / f"{i}.safetensors", "vgg16", body="reduced").file.read_bytes())
    assert len(contents) == 1


def test_positions_are_those_of_vgg16_in_torchvision_and_ssd() -> None:
    found = weight_layouts.positions(vgg16.SPEC)
    assert list(found.values()) == [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28, 31, 33]


@pytest.mark.parametrize("body", ["reduced", "largefov", "deeplab"])
def test_decimated_now_or_later_is_the_same(saved: Saved, tmp_path: Path, make_science: Any, body: str) -> None:
    tensors = full_tensors(THIN)
    full = convert_file(saved(tensors, "v.caffemodel"), tmp_path / "full.safetensors", "vgg16")
    small = convert_file(tmp_path / "v.caffemodel", tmp_path / "small.safetensors", "vgg16", body=body)
    assert (full.body, small.body) == ("fcn", body)
    models = [build_model(make_science(trunk="vgg16", body=body), 3, load(one.file)) for one in (full, small)]
    first, second = (model.trunk.state_dict() for model in models)
    assert all(torch.equal(first[name], second[name]) for name in first)
    taps = list(THIN.fc6_of(body).taps)  # type: ignore[arg-type]
    every = 1 if body == "deeplab" else 4
    assert torch.equal(first["fc6.weight"], tensors["fc6.weight"][::every][:, :, taps][..., taps])
    assert torch.equal(first["fc7.bias"], tensors["fc7.bias"][::every])


def test_a_reduced_file_is_known_as_one(saved: Saved, tmp_path: Path, make_science: Any) -> None:
    reduced = in_ssds_positions(vgg.decimate(full_tensors(THIN), THIN, "reduced"), THIN)
    written = convert_file(saved(reduced, "vgg16_reducedfc.pth"), tmp_path / "r.safetensors", "vgg16")
    assert written.body == "reduced"
    build_model(make_science(trunk="vgg16", body="largefov"), 3, load(written.file))
    with pytest.raises(
        UserError, match=r"r\.safetensors: fc6 of the weights has 4 filters of 3x3; body fcn expects 16 of 7x7"
    ):
        build_model(make_science(trunk="vgg16", body="fcn"), 3, load(written.file))
    with pytest.raises(UserError, match=r"vgg16_reducedfc\.pth: fc6 of the weights has 4 filters"):
        convert_file(tmp_path / "vgg16_reducedfc.pth", tmp_path / "f.safetensors", "vgg16", body="deeplab")


def test_bgr_weights_and_the_same_for_rgb_give_the_same_scores(saved: Saved, tmp_path: Path, make_science: Any) -> None:
    tensors = full_tensors(THIN)
    flipped = tensors | {"conv1_1.weight": tensors["conv1_1.weight"].flip(1)}
    bgr = convert_file(saved(tensors, "bgr.caffemodel"), tmp_path / "bgr.safetensors", "vgg16")
    rgb = convert_file(saved(flipped, "rgb.pth"), tmp_path / "rgb.safetensors", "vgg16", order="RGB")
    assert (bgr.normalization, rgb.normalization) == (CAFFE, CAFFE.in_order("RGB"))
    assert rgb.normalization.mean == (122.67892, 116.66877, 104.00699)
    images = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        ours, theirs, wrong = (
            build_model(
                make_science(trunk="vgg16", body="reduced", layers=("pool6", "fc7"), init="gaussian"), 3, load(file)
            ).eval()(images)
            for file in (bgr.file, rgb.file, tmp_path / "rgb.pth")
        )
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4 * float(ours.abs().max()))
    assert (ours - wrong).abs().max() > 1e-2 * ours.abs().max()


@pytest.mark.parametrize("flipped", [False, True], ids=["BGR", "RGB"])
@pytest.mark.parametrize("layout", [dict, in_ssds_positions, in_torchvisions_names])
def test_caffes_vgg_is_known_by_its_first_filter_in_either_order(
    saved: Saved, tmp_path: Path, make_science: Any, layout: Any, flipped: bool
) -> None:
    tensors = as_caffe(full_tensors(THIN), flipped)
    file = saved(tensors if layout is dict else layout(tensors, THIN), "port.pth")
    written = convert_file(file, tmp_path / "out.safetensors", "vgg16")
    assert written.normalization == CAFFE.in_order("RGB" if flipped else "BGR")
    assert "seen in its first filter" in str(written)
    assert build_model(make_science(trunk="vgg16"), 3, load(file)).preprocess.normalization == written.normalization


@pytest.mark.parametrize(
    ("name", "layout", "convention"),
    [
        ("v.caffemodel", dict, CAFFE),
        ("v.pth", dict, CAFFE),
        ("ssd.pth", in_ssds_positions, CAFFE),
        ("torchvision.pth", in_torchvisions_names, TORCHVISION),
    ],
)
def test_the_convention_of_a_layout_is_written_and_read_back(
    saved: Saved, tmp_path: Path, make_science: Any, name: str, layout: Any, convention: InputNormalization
) -> None:
    tensors = full_tensors(THIN)
    written = convert_file(
        saved(tensors if layout is dict else layout(tensors, THIN), name), tmp_path / "o.safetensors", "vgg16"
    )
    assert written.normalization == convention
    assert convention.order in str(written)
    assert build_model(make_science(trunk="vgg16"), 3, load(written.file)).preprocess.normalization == convention


def test_without_fc6_and_fc7_they_are_drawn_and_the_result_says_so(
    saved: Saved, tmp_path: Path, make_science: Any
) -> None:
    """As torchvision's IMAGENET1K_FEATURES: the classifier is there and holds nothing but NaN."""
    tensors = in_torchvisions_names(as_caffe(full_tensors(THIN)), THIN)
    holes = {name: tensor * torch.nan if name.startswith("classifier") else tensor for name, tensor in tensors.items()}
    file = saved(holes, "features.pth")
    with pytest.raises(UserError, match=r"features\.pth: fc6\.weight holds numbers that are not finite"):
        convert_file(file, tmp_path / "out.safetensors", "vgg16")
    written = convert_file(file, tmp_path / "out.safetensors", "vgg16", convolutions=True)
    assert written.reinitialized == ("fc6", "fc7")
    models = [
        build_model(make_science(trunk="vgg16", body="reduced", seed=seed), 3, load(written.file)) for seed in (1, 1, 2)
    ]
    first, again, other = (model.trunk.state_dict() for model in models)
    assert torch.equal(first["fc6.weight"], again["fc6.weight"])
    assert not torch.equal(first["fc6.weight"], other["fc6.weight"])
    assert first["fc6.weight"].std() == pytest.approx((2 / (8 * 9)) ** 0.5, rel=0.2)
    assert torch.equal(first["conv5_3.weight"], tensors["features.28.weight"])
    assert describe_model(models[0], "vgg16")["weights"] == "features.pth; fc6 drawn (He); fc7 drawn (He)"


def _without(name: str) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
    return lambda tensors: {key: tensor for key, tensor in tensors.items() if key != name}


def _with(name: str, tensor: Tensor) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
    return lambda tensors: tensors | {name: tensor}


VGG19 = replace(THIN, convs=(2, 2, 4, 4, 4))


def _vgg19(_: dict[str, Tensor]) -> dict[str, Tensor]:
    return full_tensors(VGG19)


def _vgg19_of_torchvision(_: dict[str, Tensor]) -> dict[str, Tensor]:
    return in_torchvisions_names(full_tensors(VGG19), VGG19)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_vgg19, r"has no conv3_4\.weight, conv3_4\.bias, conv4_4\.weight, ….*another network"),
        (_vgg19_of_torchvision, r"has no features\.16\.weight"),
        (lambda _: {"conv1.weight": torch.zeros(8, 3, 7, 7), "layer1.0.conv1.weight": torch.zeros(1)}, "has no conv1"),
        (lambda _: {"features.3.squeeze.weight": torch.zeros(1)}, r"has no features\.3\.squeeze\.weight"),
        (lambda _: {"layer.weight": torch.zeros(1)}, r"30 of 30 tensors are missing"),
        (_without("conv4_2.bias"), r"1 of 30 tensors are missing \(conv4_2\.bias\)"),
        (_without("fc7.weight"), r"1 of 30 tensors are missing \(fc7\.weight\)"),
        (
            _with("conv2_1.weight", torch.zeros(6, 4, 5, 5)),
            r"conv2_1\.weight: expected shape \(6, 4, 3, 3\).*found \(6, 4, 5, 5\)",
        ),
        (_with("conv5_3.bias", torch.full((8,), torch.nan)), r"conv5_3\.bias holds numbers that are not finite"),
        (_with("fc6.weight", torch.zeros(16, 99)), r"fc6\.weight: expected shape \(16, 8, 7, 7\).*found \(16, 99\)"),
        (_with("fc6.weight", torch.zeros(())), r"fc6\.weight: expected shape \(16, 8, 7, 7\).*found \(\)"),
        (_with("fc7.weight", torch.zeros(16)), r"fc7\.weight: expected shape \(16, 16, 1, 1\).*found \(16,\)"),
        (_with("fc6.weight", torch.zeros(16, 8, 7, 3)), r"fc6\.weight: expected shape"),
    ],
)
def test_what_is_not_this_network_is_refused_and_nothing_is_written(
    saved: Saved, tmp_path: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]], says: str
) -> None:
    file = saved(change(full_tensors(THIN)), "other.pth")
    for body in (None, "reduced"):
        with pytest.raises(UserError, match=rf"other\.pth: .*{says}" if body is None else r"other\.pth: "):
            convert_file(file, tmp_path / "out.safetensors", "vgg16", body=body)
    assert {one.name for one in tmp_path.iterdir()} == {"other.pth"}


def test_a_place_that_cannot_be_meant_is_refused(saved: Saved, tmp_path: Path) -> None:
    file = saved(full_tensors(THIN), "v.safetensors")
    with pytest.raises(UserError, match=r"would overwrite the file"):
        convert_file(file, file, "vgg16")
    with pytest.raises(UserError, match=r"out\.pth: expected the name of a \.safetensors file"):
        convert_file(file, tmp_path / "out.pth", "vgg16")
    with pytest.raises(UserError, match=r"unknown body of trunk vgg16 'reducd'\. Did you mean 'reduced'"):
        convert_file(file, tmp_path / "out.safetensors", "vgg16", body="reducd")


def test_a_header_says_whether_the_file_is_whole(saved: Saved, tmp_path: Path) -> None:
    file = convert_file(saved(full_tensors(THIN), "v.pth"), tmp_path / "o.safetensors", "vgg16", order="RGB").file
    said = sources.read_metadata(file)
    assert said is not None
    assert said["channel_order"] == "RGB"
    whole = file.read_bytes()
    for content in (whole[:-1], whole[:100], b"", b"\xff" * 50, b"\x02" + bytes(7) + b"[]", whole + b"x"):
        file.write_bytes(content)
        assert sources.read_metadata(file) is None

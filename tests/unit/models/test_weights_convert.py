"""Any published layout becomes one file that knows its input; another network, a hole or a NaN is refused by name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from parsenet_cli.core.errors import UserError
from parsenet_cli.models import vgg
from parsenet_cli.models.build import Segmenter, build_model
from parsenet_cli.models.preprocessing_spec import CAFFE, TORCHVISION, InputNormalization
from parsenet_cli.models.trunks import vgg16
from parsenet_cli.models.weights import sources
from parsenet_cli.models.weights.convert import Written, convert_file
from parsenet_cli.models.weights.read import load
from tests import weight_layouts
from tests.unit.models.conftest import make_science, save_tensors
from tests.weight_layouts import full_tensors, in_ssds_positions, in_torchvisions_names

THIN = replace(vgg16.SPEC, widths=(4, 6, 8, 8, 8), fc=16)
"""VGG-16's layers, bodies and kernels at a thousandth of the size."""
TENSORS = full_tensors(THIN)

Convert = Callable[..., Written]
Layout = Callable[[dict[str, Tensor], vgg.Spec], dict[str, Tensor]]


@pytest.fixture(autouse=True)
def thin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vgg16, "TRUNK", replace(vgg16.TRUNK, spec=THIN))


@pytest.fixture
def convert(tmp_path: Path) -> Convert:
    """`convert(tensors, name, …)` saves them under this name and converts that file to `out.safetensors`."""

    def run(tensors: dict[str, Tensor], name: str, **options: Any) -> Written:
        return convert_file(save_tensors(tensors, tmp_path / name), tmp_path / "out.safetensors", "vgg16", **options)

    return run


def model_of(file: Path, **axes: Any) -> Segmenter:
    return build_model(make_science(trunk="vgg16", **axes), 3, load(file))


def ours(tensors: dict[str, Tensor], _spec: vgg.Spec) -> dict[str, Tensor]:
    return tensors


@pytest.mark.parametrize(
    ("name", "layout", "normalization"),
    [
        ("old.caffemodel", ours, CAFFE),
        ("present.caffemodel", ours, CAFFE),
        ("ours.pth", ours, CAFFE),
        ("ours.safetensors", ours, CAFFE),
        ("torchvision.pth", in_torchvisions_names, TORCHVISION),
        ("ssd.pt", in_ssds_positions, CAFFE),
    ],
)
def test_every_layout_becomes_the_same_file_that_knows_its_input(
    convert: Convert, tmp_path: Path, name: str, layout: Layout, normalization: InputNormalization
) -> None:
    written = convert(layout(TENSORS, THIN), name)
    found = load(written.file)
    assert (written.body, written.normalization) == ("fcn", normalization)
    assert normalization.order in str(written)
    assert model_of(written.file).preprocess.normalization == normalization
    assert found.tensors.keys() == TENSORS.keys()
    assert all(torch.equal(found.tensors[key], tensor) for key, tensor in TENSORS.items())
    assert found.metadata["source"] == name
    assert found.metadata["source_sha256"] == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    assert found.metadata["trunk"] == "vgg16"


def test_the_same_weights_give_the_same_bytes(convert: Convert) -> None:
    """A run is identified by the hash of its weights file."""
    assert len({convert(TENSORS, "v.pth", body="reduced").file.read_bytes() for _ in range(8)}) == 1


def test_positions_are_those_of_vgg16_in_torchvision_and_ssd() -> None:
    found = weight_layouts.positions(vgg16.SPEC)
    assert list(found.values()) == [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28, 31, 33]


@pytest.mark.parametrize("body", ["reduced", "largefov", "deeplab"])
def test_decimated_now_or_later_is_the_same(convert: Convert, tmp_path: Path, body: str) -> None:
    small = convert(TENSORS, "v.caffemodel", body=body)
    assert small.body == body
    now, later = (model_of(file, body=body).trunk.state_dict() for file in (small.file, tmp_path / "v.caffemodel"))
    assert all(torch.equal(now[name], later[name]) for name in now)


def test_a_reduced_file_is_known_as_one(convert: Convert) -> None:
    reduced = in_ssds_positions(vgg.decimate(TENSORS, THIN, "reduced"), THIN)
    written = convert(reduced, "vgg16_reducedfc.pth")
    assert written.body == "reduced"
    model_of(written.file, body="largefov")
    says = r"fc6 of the weights has 4 filters of 3x3; body fcn expects 16 of 7x7, or 16 of 7x7 to be decimated from"
    with pytest.raises(UserError, match=rf"out\.safetensors: {says}"):
        model_of(written.file, body="fcn")
    with pytest.raises(UserError, match=r"vgg16_reducedfc\.pth: fc6 of the weights has 4 filters"):
        convert(reduced, "vgg16_reducedfc.pth", body="deeplab")


def test_bgr_weights_and_the_same_for_rgb_give_the_same_scores(convert: Convert, tmp_path: Path) -> None:
    flipped = TENSORS | {"conv1_1.weight": TENSORS["conv1_1.weight"].flip(1)}
    images = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))

    def scores(file: Path) -> Tensor:
        model = model_of(file, body="reduced", layers=("pool6", "fc7"), init="gaussian").eval()
        with torch.inference_mode():
            found: Tensor = model(images)
        return found

    bgr = convert(TENSORS, "bgr.caffemodel")
    expected = scores(bgr.file)
    rgb = convert(flipped, "rgb.pth", order="RGB")
    assert (bgr.normalization, rgb.normalization) == (CAFFE, CAFFE.in_order("RGB"))
    assert rgb.normalization.mean == (122.67892, 116.66877, 104.00699)
    largest = float(expected.abs().max())
    torch.testing.assert_close(scores(rgb.file), expected, rtol=1e-4, atol=1e-4 * largest)
    assert (scores(tmp_path / "rgb.pth") - expected).abs().max() > 1e-2 * largest


def as_caffe(flipped: bool = False) -> dict[str, Tensor]:
    """With the first filter's tap by which Caffe's VGG-16 is known; `flipped`: in a port for RGB."""
    first = TENSORS["conv1_1.weight"].clone()
    first[0, :, 0, 0] = torch.tensor(vgg16.CAFFE_FIRST_TAPS)
    return TENSORS | {"conv1_1.weight": first.flip(1) if flipped else first}


@pytest.mark.parametrize("flipped", [False, True], ids=["BGR", "RGB"])
@pytest.mark.parametrize("layout", [ours, in_ssds_positions, in_torchvisions_names])
def test_caffes_vgg_is_known_by_its_first_filter_in_either_order(
    convert: Convert, tmp_path: Path, layout: Layout, flipped: bool
) -> None:
    written = convert(layout(as_caffe(flipped), THIN), "port.pth")
    assert written.normalization == CAFFE.in_order("RGB" if flipped else "BGR")
    assert "seen in its first filter" in str(written)
    assert model_of(tmp_path / "port.pth").preprocess.normalization == written.normalization


def test_without_fc6_and_fc7_they_are_drawn_and_the_result_says_so(convert: Convert) -> None:
    """As torchvision's IMAGENET1K_FEATURES: the classifier is there and holds nothing but NaN."""
    tensors = in_torchvisions_names(as_caffe(), THIN)
    holes = {name: tensor * torch.nan if name.startswith("classifier") else tensor for name, tensor in tensors.items()}
    with pytest.raises(UserError, match=r"features\.pth: fc6\.weight holds numbers that are not finite"):
        convert(holes, "features.pth")
    written = convert(holes, "features.pth", convolutions=True)
    assert written.reinitialized == ("fc6", "fc7")
    models = [model_of(written.file, body="reduced", seed=seed) for seed in (1, 1, 2)]
    first, again, other = (model.trunk.state_dict() for model in models)
    assert torch.equal(first["fc6.weight"], again["fc6.weight"])
    assert not torch.equal(first["fc6.weight"], other["fc6.weight"])
    assert first["fc6.weight"].std() == pytest.approx((2 / (8 * 9)) ** 0.5, rel=0.2)
    assert torch.equal(first["conv5_3.weight"], tensors["features.28.weight"])
    assert models[0].start == "features.pth; fc6 drawn (He); fc7 drawn (He)"


VGG19 = replace(THIN, convs=(2, 2, 4, 4, 4))


@pytest.mark.parametrize(
    ("tensors", "says"),
    [
        (full_tensors(VGG19), r"has no conv3_4\.weight, conv3_4\.bias, conv4_4\.weight, ….*another network"),
        (in_torchvisions_names(full_tensors(VGG19), VGG19), r"has no features\.16\.weight"),
        ({"conv1.weight": torch.zeros(8, 3, 7, 7), "layer1.0.conv1.weight": torch.zeros(1)}, "has no conv1"),
        ({"features.3.squeeze.weight": torch.zeros(1)}, r"has no features\.3\.squeeze\.weight"),
        ({"layer.weight": torch.zeros(1)}, r"30 of 30 tensors are missing"),
        ({"conv4_2.bias": None}, r"1 of 30 tensors are missing \(conv4_2\.bias\)"),
        ({"fc7.weight": None}, r"1 of 30 tensors are missing \(fc7\.weight\)"),
        ({"conv2_1.weight": (6, 4, 5, 5)}, r"conv2_1\.weight: expected shape \(6, 4, 3, 3\).*found \(6, 4, 5, 5\)"),
        ({"conv5_3.bias": torch.full((8,), torch.nan)}, r"conv5_3\.bias holds numbers that are not finite"),
        ({"fc6.weight": (16, 99)}, r"fc6\.weight: expected shape \(16, 8, 7, 7\).*found \(16, 99\)"),
        ({"fc6.weight": ()}, r"fc6\.weight: expected shape \(16, 8, 7, 7\).*found \(\)"),
        ({"fc7.weight": (16,)}, r"fc7\.weight: expected shape \(16, 16, 1, 1\).*found \(16,\)"),
        ({"fc6.weight": (16, 8, 7, 3)}, r"fc6\.weight: expected shape"),
    ],
)
def test_what_is_not_this_network_is_refused_and_nothing_is_written(
    convert: Convert, tmp_path: Path, tensors: dict[str, Tensor | tuple[int, ...] | None], says: str
) -> None:
    """Another network's tensors; or ours without one, or with one of another shape or content."""
    changed = {key: torch.zeros(new) if isinstance(new, tuple) else new for key, new in tensors.items()}
    ours = TENSORS if tensors.keys() <= TENSORS.keys() else {}
    given = {key: new for key, new in (ours | changed).items() if new is not None}
    for body in (None, "reduced"):
        with pytest.raises(UserError, match=rf"other\.pth: .*{says}" if body is None else r"other\.pth: "):
            convert(given, "other.pth", body=body)
    with pytest.raises(UserError, match=rf"other\.pth: .*{says}"):
        model_of(tmp_path / "other.pth")
    assert {file.name for file in tmp_path.iterdir()} == {"other.pth"}


def test_an_output_file_that_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    file = save_tensors(TENSORS, tmp_path / "v.safetensors")
    with pytest.raises(UserError, match=r"would overwrite the file"):
        convert_file(file, file, "vgg16")
    with pytest.raises(UserError, match=r"out\.pth: expected the name of a \.safetensors file"):
        convert_file(file, tmp_path / "out.pth", "vgg16")
    with pytest.raises(UserError, match=r"unknown body of trunk vgg16 'reducd'\. Did you mean 'reduced'"):
        convert_file(file, tmp_path / "out.safetensors", "vgg16", body="reducd")


def test_what_a_message_names_of_a_file_is_short(tmp_path: Path) -> None:
    file = save_tensors({"x" * 1_000_000: torch.zeros(1)}, tmp_path / "long.pth")
    with pytest.raises(UserError, match=r"long\.pth: not the weights of trunk vgg16") as refused:
        convert_file(file, tmp_path / "out.safetensors", "vgg16")
    assert len(str(refused.value)) < 1000


def test_a_link_to_itself_holds_no_weights(tmp_path: Path) -> None:
    file = tmp_path / "loop.pth"
    file.symlink_to(file.name)
    with pytest.raises(UserError, match=r"loop\.pth"):
        convert_file(file, tmp_path / "out.safetensors", "vgg16")


def test_a_header_says_whether_the_file_is_whole(convert: Convert) -> None:
    file = convert(TENSORS, "v.pth", order="RGB").file
    assert (sources.read_metadata(file) or {})["channel_order"] == "RGB"
    whole = file.read_bytes()
    for content in (whole[:-1], whole[:100], b"", b"\xff" * 50, b"\x02" + bytes(7) + b"[]", whole + b"x"):
        file.write_bytes(content)
        assert sources.read_metadata(file) is None

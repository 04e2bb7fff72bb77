"""Weights: read, renamed, decimated, or refused with what was expected and found."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest
import torch
from torch import Tensor

from parsenet_cli.core.errors import UserError
from parsenet_cli.models import trunks, vgg
from parsenet_cli.models.build import build_model
from parsenet_cli.models.preprocess import Preprocess
from parsenet_cli.models.preprocessing_spec import CAFFE, TORCHVISION, InputNormalization
from parsenet_cli.models.trunks import vgg16
from parsenet_cli.models.weights.read import Weights, load
from tests.unit.models.conftest import TINY, make_science, save_tensors
from tests.weight_layouts import in_torchvisions_squeezenet_names


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pth"])
@pytest.mark.parametrize("prefix", ["", "trunk."])
def test_a_saved_trunk_comes_back(tmp_path: Path, prefix: str, name: str) -> None:
    """Alone, or as part of the model of a run."""
    head = {"head.classifier.weight": torch.ones(1)} if prefix else {}
    file = save_tensors({f"{prefix}{key}": tensor for key, tensor in TINY.items()} | head, tmp_path / name)
    model = build_model(make_science(), 3, load(file))
    assert all(torch.equal(tensor, TINY[key]) for key, tensor in model.trunk.state_dict().items())
    assert model.preprocess.normalization == TORCHVISION


@pytest.mark.parametrize(
    ("body", "kernel", "taps", "every"),
    [
        ("reduced", 4, [0, 1, 2], 2),
        ("largefov", 4, [0, 1, 2], 2),
        ("deeplab", 4, [0, 2], 1),
        ("deeplab", 7, [0, 1, 2], 1),
    ],
)
def test_every_body_takes_fc6_and_fc7_from_the_full_trunk(body: str, kernel: int, taps: list[int], every: int) -> None:
    model = build_model(make_science(body=body, deeplab_kernel=kernel), 3, Weights("file", TINY, {}))
    found = model.trunk.state_dict()
    assert torch.equal(found["fc6.weight"], TINY["fc6.weight"][::every][:, :, taps][:, :, :, taps])
    assert torch.equal(found["fc7.weight"], TINY["fc7.weight"][::every, ::every])
    assert torch.equal(found["fc6.bias"], TINY["fc6.bias"][::every])
    assert torch.equal(found["fc7.bias"], TINY["fc7.bias"][::every])
    assert torch.equal(found["conv5_1.weight"], TINY["conv5_1.weight"])


def test_vgg16_keeps_every_4th_filter_and_every_3rd_tap() -> None:
    """fc6 4096x512x7x7 -> 1024x512x3x3 and fc7 4096x4096 -> 1024x1024, as the authors' net surgery (thin inputs)."""
    number = torch.arange(4096.0)
    fc6 = (number.view(-1, 1, 1, 1) * 100 + torch.arange(49.0).view(1, 1, 7, 7)).contiguous()
    fc7 = number.view(-1, 1, 1, 1) * 4096 + number.view(1, -1, 1, 1)
    full = {"fc6.weight": fc6, "fc7.weight": fc7, "fc6.bias": number, "fc7.bias": number}
    reduced = vgg.decimate(full, vgg16.SPEC, "reduced")
    assert reduced["fc6.weight"].shape == (1024, 1, 3, 3)
    assert reduced["fc6.weight"][2, 0].tolist() == [
        [800 + t for t in row] for row in ([0, 3, 6], [21, 24, 27], [42, 45, 48])
    ]
    assert reduced["fc7.weight"].shape == (1024, 1024, 1, 1)
    assert reduced["fc7.weight"][3, 5].item() == 12 * 4096 + 20
    assert reduced["fc7.bias"].tolist() == list(range(0, 4096, 4))
    assert vgg.decimate(reduced, vgg16.SPEC, "reduced")["fc6.weight"] is reduced["fc6.weight"]
    assert vgg.decimate(full, vgg16.SPEC, "deeplab")["fc6.weight"][1, 0, :, 0].tolist() == [100, 114, 128, 142]


BGR = InputNormalization("BGR", (104.0, 117.0, 123.0))


@pytest.mark.parametrize(
    ("name", "metadata", "normalization"),
    [
        ("s.safetensors", {"channel_order": "BGR", "mean_bgr": "104,117,123"}, BGR),
        (
            "s.safetensors",
            {"channel_order": "RGB", "mean_rgb": "1,2,3", "std_rgb": "4,5,6"},
            InputNormalization("RGB", (1, 2, 3), (4, 5, 6)),
        ),
        ("s_caffe_bgr_fp16.safetensors", {}, BGR),
        ("s.safetensors", {}, TORCHVISION),
    ],
)
def test_squeezenets_preprocessing_is_that_of_its_file(
    name: str, metadata: dict[str, str], normalization: InputNormalization
) -> None:
    """In half precision, under torchvision's names."""
    trunk = build_model(make_science(trunk="squeezenet", seed=3), 3, None).trunk
    tensors = {key: t.half() for key, t in in_torchvisions_squeezenet_names(trunk.state_dict()).items()}
    model = build_model(make_science(trunk="squeezenet"), 3, Weights(name, tensors, metadata))
    assert model.preprocess.normalization == normalization
    fire9 = model.trunk.state_dict()["fire9.expand3x3.weight"]
    assert torch.equal(fire9, tensors["features.12.expand3x3.weight"].float())


def test_preprocessing_reorders_subtracts_and_divides() -> None:
    image = torch.tensor([10, 20, 30], dtype=torch.uint8).view(1, 3, 1, 1)
    bgr = Preprocess(InputNormalization("BGR", (1.0, 2.0, 3.0)))(image)
    assert bgr.flatten().tolist() == [29, 18, 7]
    rgb = Preprocess(InputNormalization("RGB", (1.0, 2.0, 3.0), (3.0, 2.0, 1.0)))(image)
    assert rgb.flatten().tolist() == [3, 9, 27]


@pytest.mark.parametrize("name", trunks.names())
def test_the_mean_colour_becomes_zero(name: str) -> None:
    trunk = trunks.find(name)
    mean = torch.tensor(trunk.mean_rgb, dtype=torch.uint8).view(1, 3, 1, 1)
    normalization = trunk.normalization(None)
    assert Preprocess(normalization)(mean).abs().max() * min(normalization.std) < 1


def test_the_weights_of_another_network_are_refused() -> None:
    with pytest.raises(UserError, match=r"photo\.pth: not the weights of trunk squeezenet: 50 of 50 tensors are missing "
                       r"\(conv1\.weight, .*the file holds conv1_1\.weight"):  # fmt: skip
        build_model(make_science(trunk="squeezenet"), 3, Weights("photo.pth", TINY, {}))


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_truncated_file_is_named(tmp_path: Path, suffix: str) -> None:
    whole, cut = save_tensors(TINY, tmp_path / f"whole{suffix}"), tmp_path / f"cut{suffix}"
    for kept in (0, 5, 1000, whole.stat().st_size - 10):
        cut.write_bytes(whole.read_bytes()[:kept])
        with pytest.raises(UserError, match=rf"cut\{suffix}: not a complete .*Copy or download it again"):
            load(cut)


def test_nothing_but_a_mapping_to_tensors_is_read_and_nothing_is_executed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.pth: there is no such file"):
        load(tmp_path / "none.pth")
    torch.save({"conv1_1.weight": Path("/")}, tmp_path / "evil.pth")
    with pytest.raises(UserError, match=r"evil\.pth: not a complete file of torch\.save with tensors only"):
        load(tmp_path / "evil.pth")
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    with pytest.raises(
        UserError, match=r"list\.pth: expected a mapping of names to tensors \(a state_dict\), found list"
    ):
        load(tmp_path / "list.pth")


def _expanded(shape: tuple[int, ...]) -> Tensor:
    return torch.zeros(1).expand(shape)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("tensor", "found"),
    [
        (torch.zeros(3, 3, device="meta"), "one without its numbers"),
        (torch.eye(3).to_sparse(), "a sparse one"),
        (torch.zeros(3, 3, dtype=torch.complex64), "a complex one"),
        (_expanded((1 << 20, 1 << 20)), "an expanded view"),
    ],
    ids=["meta", "sparse", "complex", "expanded"],
)
def test_tensor_that_is_not_plain_numbers_is_named(tmp_path: Path, tensor: Tensor, found: str) -> None:
    torch.save({**TINY, "conv1_1.weight": tensor}, tmp_path / "odd.pth")
    with pytest.raises(
        UserError, match=rf"odd\.pth: conv1_1\.weight: expected a plain tensor of numbers, found .*{found}"
    ):
        load(tmp_path / "odd.pth")


def test_advice_of_pytorch_to_run_what_is_in_a_file_is_never_repeated(tmp_path: Path) -> None:
    torch.save({"conv1_1.weight": Path("/")}, tmp_path / "evil.pth")
    (tmp_path / "text.bin").write_bytes(b"not a pickle at all")
    torch.save(torch.nn.Linear(1, 1), tmp_path / "module.pth")
    for file in tmp_path.iterdir():
        with pytest.raises(
            UserError, match=rf"{file.name}: not a complete file of torch\.save with tensors only"
        ) as refused:
            load(file)
        assert "weights_only" not in str(refused.value)
    with pytest.raises(UserError, match="a caffemodel is told by its suffix"):
        load(tmp_path / "text.bin")


def test_state_dict_inside_of_a_checkpoint_is_pointed_at(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "state_dict": dict(TINY)}, tmp_path / "nested.pth")
    with pytest.raises(
        UserError, match=r"found a mapping of epoch, state_dict to .*: save what it holds under 'state_dict'"
    ):
        load(tmp_path / "nested.pth")


def test_what_is_no_file_is_called_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected a file, found a folder"):
        load(tmp_path)
    with pytest.raises(UserError, match="expected a plain file, found a device or pipe"):
        load(Path("/dev/zero"))


def test_zip_that_unpacks_to_far_more_is_refused_before_it_is_read(tmp_path: Path) -> None:
    torch.save({"conv1_1.weight": torch.zeros(1 << 20)}, tmp_path / "whole.pth")
    with zipfile.ZipFile(tmp_path / "whole.pth") as whole, zipfile.ZipFile(tmp_path / "bomb.pth", "w", 8) as packed:
        for info in whole.infolist():
            packed.writestr(info.filename, whole.read(info))
    with pytest.raises(UserError, match=r"bomb\.pth: its \d+ bytes unpack to \d+"):
        load(tmp_path / "bomb.pth")


def test_suffix_counts_in_capitals_too(tmp_path: Path) -> None:
    file = save_tensors(TINY, tmp_path / "net.caffemodel").rename(tmp_path / "NET.CAFFEMODEL")
    weights = load(file)
    assert weights.tensors.keys() >= TINY.keys()
    assert weights.normalization() == CAFFE


@pytest.mark.parametrize(
    "metadata",
    [
        {"mean_rgb": "nan,1,2"}, {"mean_rgb": "inf,1,2"}, {"std_rgb": "1,0,1"}, {"std_rgb": "1,-1,1"}, {"std_rgb": "nan,1,1"},
        {"std_rgb": "1e-300,1,1"}, {"mean_rgb": "1e300,0,0"},
    ],
    ids=str,
)  # fmt: skip
def test_mean_and_scale_are_finite_and_positive(metadata: dict[str, str]) -> None:
    weights = Weights("w.safetensors", {}, {"channel_order": "RGB", **metadata})
    with pytest.raises(UserError, match=r"w\.safetensors: metadata: (mean|scale) .*: expected three"):
        weights.normalization()


def test_malformed_metadata_is_named() -> None:
    weights = Weights("w.safetensors", {}, {"channel_order": "BGR", "mean_bgr": "104;117;123"})
    with pytest.raises(
        UserError, match=r"w\.safetensors: metadata mean_bgr: expected three numbers, found '104;117;123'"
    ):
        weights.normalization()


def test_the_real_squeezenet_file_sees_animals_better_in_its_own_colour_order() -> None:
    """Its features, through its own ImageNet classifier, name animals on photos of animals; less so with red for blue."""
    photos = os.environ.get("PARSENET_PHOTOS")
    files = sorted(Path(photos).parent.glob("weights/squeezenet*caffe_bgr*.safetensors")) if photos else []
    if not photos or not files:
        pytest.skip("PARSENET_PHOTOS is not set, or there are no weights beside the photos")
    weights = load(files[0])
    assert weights.normalization() == BGR
    model = build_model(make_science(trunk="squeezenet"), 3, weights).eval()
    classifier = weights.tensors["classifier.1.weight"].float(), weights.tensors["classifier.1.bias"].float()
    animals = [*range(151, 269), *range(281, 286), 339, *range(345, 351)]  # ImageNet's dogs, cats, horse, cattle, sheep

    from PIL import Image

    samples: list[Tensor] = []
    for file in sorted((Path(photos) / "JPEGImages").iterdir())[:48]:
        with Image.open(file) as image:
            pixels = torch.tensor(bytearray(image.convert("RGB").resize((227, 227)).tobytes()), dtype=torch.uint8)
        samples.append(pixels.view(227, 227, 3).permute(2, 0, 1))
    images = torch.stack(samples)
    found = []
    with torch.inference_mode():
        for batch in (images, images.flip(1)):
            fc7 = model.trunk(model.preprocess(batch))["fc7"]
            logits = torch.relu(torch.nn.functional.conv2d(fc7, *classifier)).mean((2, 3))
            found.append(logits.softmax(1)[:, animals].sum(1).mean().item())
    assert found[0] > 0.3
    assert found[0] > found[1] + 0.03

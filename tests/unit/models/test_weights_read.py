"""Weights: read, renamed, decimated, or refused with what was expected and found."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from parsenet_cli.core.errors import UserError
from parsenet_cli.models import trunks, vgg
from parsenet_cli.models.build import Segmenter, build_model
from parsenet_cli.models.preprocess import Preprocess
from parsenet_cli.models.preprocessing_spec import CAFFE, TORCHVISION, InputNormalization
from parsenet_cli.models.trunks import vgg16, vgg_tiny
from parsenet_cli.models.weights.read import Weights, load


def tensors_of(model: Segmenter) -> dict[str, Tensor]:
    return {name: tensor.contiguous() for name, tensor in model.trunk.state_dict().items()}


@pytest.fixture
def tiny(make_science: Any) -> dict[str, Tensor]:
    return tensors_of(build_model(make_science(seed=7), 3, None))


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pth"])
def test_a_saved_trunk_comes_back(make_science: Any, tiny: dict[str, Tensor], tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    if name.endswith("pth"):
        torch.save(tiny, file)
    else:
        save_file(tiny, file)
    model = build_model(make_science(), 3, load(file))
    assert all(torch.equal(tensor, tiny[key]) for key, tensor in model.trunk.state_dict().items())
    assert model.preprocess.normalization == TORCHVISION


def test_the_model_of_a_run_gives_its_trunk(make_science: Any, tmp_path: Path) -> None:
    trained = build_model(make_science(seed=7, layers=("pool6", "fc7"), norm="l2"), 5, None)
    save_file({name: t.contiguous() for name, t in trained.state_dict().items()}, tmp_path / "model.safetensors")
    model = build_model(make_science(), 3, load(tmp_path / "model.safetensors"))
    assert torch.equal(model.trunk.state_dict()["fc6.weight"], trained.trunk.state_dict()["fc6.weight"])


@pytest.mark.parametrize(
    ("body", "kernel", "taps", "every"),
    [
        ("reduced", 4, [0, 1, 2], 2),
        ("largefov", 4, [0, 1, 2], 2),
        ("deeplab", 4, [0, 2], 1),
        ("deeplab", 7, [0, 1, 2], 1),
    ],
)
def test_every_body_takes_fc6_and_fc7_from_the_full_trunk(
    make_science: Any, tiny: dict[str, Tensor], body: str, kernel: int, taps: list[int], every: int
) -> None:
    model = build_model(make_science(body=body, deeplab_kernel=kernel), 3, Weights("file", tiny, {}))
    found = model.trunk.state_dict()
    assert torch.equal(found["fc6.weight"], tiny["fc6.weight"][::every][:, :, taps][:, :, :, taps])
    assert torch.equal(found["fc7.weight"], tiny["fc7.weight"][::every, ::every])
    assert torch.equal(found["fc6.bias"], tiny["fc6.bias"][::every])
    assert torch.equal(found["fc7.bias"], tiny["fc7.bias"][::every])
    assert torch.equal(found["conv5_1.weight"], tiny["conv5_1.weight"])


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


def test_vgg16_takes_torchvisions_names(make_science: Any) -> None:
    """A state_dict under torchvision's names, on the meta device where values do not matter."""
    with torch.device("meta"):
        science = make_science(trunk="vgg16", body="reduced")
        trunk = vgg16.TRUNK.build(science)
        indices = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
        convs = [name for name, module in trunk.named_children() if name.startswith("conv")]
        theirs = {
            f"features.{i}.{kind}": getattr(trunk.get_submodule(name), kind)
            for i, name in zip(indices, convs, strict=True)
            for kind in ("weight", "bias")
        }
        for i, shape in ((0, (4096, 25088)), (3, (4096, 4096)), (6, (1000, 4096))):
            theirs |= {f"classifier.{i}.weight": torch.empty(shape), f"classifier.{i}.bias": torch.empty(shape[0])}
        weights = Weights("vgg16-397923af.pth", theirs, {})
        fitted = vgg16.TRUNK.adapt_weights(weights, science.body)
    assert {name: fitted[name].shape for name in trunk.state_dict()} == {
        n: t.shape for n, t in trunk.state_dict().items()
    }
    assert (
        vgg16.TRUNK.normalization(Weights("v.pth", {"features.0.weight": torch.zeros(64, 3, 3, 3)}, {})) == TORCHVISION
    )
    assert (
        vgg16.TRUNK.normalization(Weights("vgg.safetensors", {"conv1_1.weight": torch.zeros(64, 3, 3, 3)}, {})) == CAFFE
    )


def squeezenet_tensors(make_science: Any) -> dict[str, Tensor]:
    """Under torchvision's names, in half precision, with a classifier."""
    names = {"conv1": "features.0", "fire2": "features.3", "fire3": "features.4", "fire4": "features.6",
             "fire5": "features.7", "fire6": "features.9", "fire7": "features.10", "fire8": "features.11",
             "fire9": "features.12"}  # fmt: skip
    tensors = tensors_of(build_model(make_science(trunk="squeezenet", seed=3), 3, None))
    renamed = {names[key.split(".")[0]] + "." + key.split(".", 1)[1]: t.half() for key, t in tensors.items()}
    return renamed | {"classifier.1.weight": torch.zeros(1000, 512, 1, 1).half()}


@pytest.mark.parametrize(
    ("file_name", "metadata", "convention"),
    [
        (
            "s.safetensors",
            {"channel_order": "BGR", "mean_bgr": "104,117,123"},
            InputNormalization("BGR", (104.0, 117.0, 123.0)),
        ),
        (
            "s.safetensors",
            {"channel_order": "RGB", "mean_rgb": "1,2,3", "std_rgb": "4,5,6"},
            InputNormalization("RGB", (1, 2, 3), (4, 5, 6)),
        ),
        ("s_caffe_bgr_fp16.safetensors", None, InputNormalization("BGR", (104.0, 117.0, 123.0))),
        ("s.safetensors", None, TORCHVISION),
    ],
)
def test_squeezenets_preprocessing_is_that_of_its_file(
    make_science: Any, tmp_path: Path, file_name: str, metadata: dict[str, str] | None, convention: InputNormalization
) -> None:
    tensors = squeezenet_tensors(make_science)
    save_file(tensors, tmp_path / file_name, metadata)
    model = build_model(make_science(trunk="squeezenet"), 3, load(tmp_path / file_name))
    assert model.preprocess.normalization == convention
    fire9 = model.trunk.state_dict()["fire9.expand3x3.weight"]
    assert torch.equal(fire9, tensors["features.12.expand3x3.weight"].float())


def test_preprocessing_reorders_subtracts_and_divides() -> None:
    image = torch.tensor([10, 20, 30], dtype=torch.uint8).view(1, 3, 1, 1)
    bgr = Preprocess(InputNormalization("BGR", (1.0, 2.0, 3.0)))(image)
    assert bgr.flatten().tolist() == [29, 18, 7]
    rgb = Preprocess(InputNormalization("RGB", (1.0, 2.0, 3.0), (3.0, 2.0, 1.0)))(image)
    assert rgb.flatten().tolist() == [3, 9, 27]


def test_the_mean_colour_becomes_zero_in_every_trunk(make_science: Any) -> None:
    for name in ("vgg16", "vgg_tiny", "squeezenet"):
        module = trunks.find(name)
        mean = torch.tensor(module.mean_rgb, dtype=torch.uint8).view(1, 3, 1, 1)
        convention = module.normalization(None)
        assert Preprocess(convention)(mean).abs().max() * min(convention.std) < 1


def test_the_weights_of_another_network_are_refused(make_science: Any, tiny: dict[str, Tensor]) -> None:
    with pytest.raises(UserError, match=r"photo\.pth: not the weights of trunk squeezenet: 50 of 50 tensors are missing "
                       r"\(conv1\.weight, .*the file holds conv1_1\.weight"):  # fmt: skip
        build_model(make_science(trunk="squeezenet"), 3, Weights("photo.pth", tiny, {}))


def test_a_tensor_of_another_shape_is_named(make_science: Any, tiny: dict[str, Tensor]) -> None:
    tiny["conv3_1.weight"] = torch.zeros(24, 15, 3, 3)
    with pytest.raises(
        UserError, match=r"w\.pth: conv3_1\.weight: expected shape \(24, 16, 3, 3\).*found \(24, 15, 3, 3\)"
    ):
        build_model(make_science(), 3, Weights("w.pth", tiny, {}))


def test_fc6_that_cannot_be_decimated_is_named(make_science: Any, tiny: dict[str, Tensor]) -> None:
    tiny["fc6.weight"] = torch.zeros(20, 48, 5, 5)
    with pytest.raises(
        UserError, match=r"fc6 of the weights has 20 filters of 5x5; body reduced expects 32 of 3x3, or 64"
    ):
        build_model(make_science(body="reduced"), 3, Weights("w.pth", tiny, {}))


def test_weights_that_are_not_finite_are_refused(make_science: Any, tiny: dict[str, Tensor]) -> None:
    tiny["conv2_1.bias"][0] = torch.nan
    with pytest.raises(UserError, match=r"conv2_1\.bias holds numbers that are not finite"):
        build_model(make_science(), 3, Weights("w.pth", tiny, {}))


@pytest.mark.parametrize("name", ["cut.safetensors", "cut.pth"])
def test_a_truncated_file_is_named(tiny: dict[str, Tensor], tmp_path: Path, name: str) -> None:
    whole, cut = tmp_path / f"whole{Path(name).suffix}", tmp_path / name
    if name.endswith("pth"):
        torch.save(tiny, whole)
    else:
        save_file(tiny, whole)
    for kept in (0, 5, 1000, whole.stat().st_size - 10):
        cut.write_bytes(whole.read_bytes()[:kept])
        with pytest.raises(UserError, match=rf"{name}: not a complete .*Copy or download it again"):
            load(cut)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.pth: there is no such file"):
        load(tmp_path / "none.pth")


def test_nothing_in_a_weights_file_is_executed(tmp_path: Path) -> None:
    torch.save({"conv1_1.weight": Path("/")}, tmp_path / "evil.pth")
    with pytest.raises(UserError, match=r"evil\.pth: not a complete file of torch\.save with tensors only"):
        load(tmp_path / "evil.pth")
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    with pytest.raises(
        UserError, match=r"list\.pth: expected a mapping of names to tensors \(a state_dict\), found list"
    ):
        load(tmp_path / "list.pth")


def test_malformed_metadata_is_named() -> None:
    weights = Weights("w.safetensors", {}, {"channel_order": "BGR", "mean_bgr": "104;117;123"})
    with pytest.raises(
        UserError, match=r"w\.safetensors: metadata mean_bgr: expected three numbers, found '104;117;123'"
    ):
        weights.normalization()


def test_the_real_squeezenet_file_sees_animals_better_in_its_own_colour_order(make_science: Any) -> None:
    """Its features, through its own ImageNet classifier, name animals on photos of animals; less so with red for blue."""
    photos = os.environ.get("PARSENET_PHOTOS")
    files = sorted(Path(photos).parent.glob("weights/squeezenet*caffe_bgr*.safetensors")) if photos else []
    if not photos or not files:
        pytest.skip("PARSENET_PHOTOS is not set, or there are no weights beside the photos")
    weights = load(files[0])
    assert weights.normalization() == InputNormalization("BGR", (104.0, 117.0, 123.0))
    model = build_model(make_science(trunk="squeezenet"), 3, weights).eval()
    classifier = weights.tensors["classifier.1.weight"].float(), weights.tensors["classifier.1.bias"].float()
    animals = [*range(151, 269), *range(281, 286), 339, *range(345, 351)]  # ImageNet's dogs, cats, horse, cattle, sheep

    from PIL import Image

    pictures = []
    for file in sorted((Path(photos) / "JPEGImages").iterdir())[:48]:
        with Image.open(file) as picture:
            pixels = torch.tensor(bytearray(picture.convert("RGB").resize((227, 227)).tobytes()), dtype=torch.uint8)
        pictures.append(pixels.view(227, 227, 3).permute(2, 0, 1))
    images = torch.stack(pictures)
    found = []
    with torch.inference_mode():
        for batch in (images, images.flip(1)):
            fc7 = model.trunk(model.preprocess(batch))["fc7"]
            logits = torch.relu(torch.nn.functional.conv2d(fc7, *classifier)).mean((2, 3))
            found.append(logits.softmax(1)[:, animals].sum(1).mean().item())
    assert found[0] > 0.3
    assert found[0] > found[1] + 0.03


def test_the_tiny_spec_decimates_to_half() -> None:
    assert vgg_tiny.SPEC.fc6_of("reduced").every == 2

"""What `build` makes of a configuration: sizes, roles, every axis, and what cannot be built."""

from __future__ import annotations

import itertools
import subprocess
import sys
from typing import Any

import pytest
import torch

from parsenet_cli.core.errors import UserError
from parsenet_cli.models import trunks
from parsenet_cli.models.build import build_model
from parsenet_cli.models.support import unsupported
from tests.unit.models.conftest import make_science

CONTEXT = ("pool6", "fc7")
STACK = ("pool6", "fc7", "conv5", "conv4", "conv3")


@pytest.mark.parametrize(("layers", "width"), [(CONTEXT, 8192), (STACK[:3], 8704), (STACK[:4], 9216), (STACK, 9472)])
def test_the_concatenation_of_vgg16_has_the_papers_width(layers: Any, width: int) -> None:
    with torch.device("meta"):
        model = build_model(make_science(trunk="vgg16", layers=layers, norm="l2"), 60, None)
    assert sum(p.numel() for name, p in model.named_parameters() if name.endswith("scale")) == width


TABLES = [
    *({"layers": STACK[:n] if n > 1 else ("fc7",), "norm": norm} for n in range(1, 6) for norm in ("none", "l2")),
    *({"body": body, "layers": CONTEXT, "fusion": fusion, "norm": norm, "pad100": pad100}
      for body, fusion, norm, pad100 in itertools.product(
          ("reduced", "deeplab", "largefov"), ("early", "late"), ("none", "l2"), (False, True))),
    *({"body": "reduced", "layers": CONTEXT, "norm": norm, "norm_scale": scale, "norm_learn": learn, "mix": mix}
      for (norm, scale, learn), mix in itertools.product(
          (("none", 10.0, True), ("l2", 10.0, True), ("l2", 1.0, False)), ("concat", "conv1x1"))),
    *({"skips": skips, "pad100": pad100, "upsample": upsample, "init": init}
      for skips, pad100, upsample, init in itertools.product(
          ("none", "16s", "8s"), (False, True), ("bilinear", "learned"), ("xavier", "gaussian"))),
    *({"body": "reduced", "layers": STACK[:n], "norm": "l2", "context": "spp", "fusion": fusion}
      for n in (2, 4) for fusion in ("early", "late")),
    {"layers": STACK, "norm": "l2", "upsample": "learned"},
    {"layers": STACK, "norm": "l2", "upsample": "learned", "body": "deeplab", "deeplab_kernel": 7},
    {"layers": STACK, "norm": "l2", "norm_shared": True, "norm_across_space": True, "norm_gradient": "authors"},
    {"layers": STACK, "align": "upsample_first", "norm": "l2", "fusion": "late"},
    {"layers": ("pool6",), "skips": "8s"},
    {"fc6_pad": "none"},
    {"trunk": "squeezenet", "layers": STACK, "norm": "l2", "body": "reduced"},
    {"trunk": "squeezenet", "layers": CONTEXT, "fusion": "late", "upsample": "learned"},
]  # fmt: skip


@pytest.mark.parametrize("axes", TABLES, ids=lambda axes: "-".join(str(v) for v in axes.values()))
def test_every_row_runs_forward_and_backward(axes: dict[str, Any]) -> None:
    science = make_science(dropout=0.5, **axes)
    assert unsupported(science) is None
    model = build_model(science, 3, None)
    images = torch.randint(0, 256, (2, 3, 66, 81), dtype=torch.uint8)
    logits = model(images)
    assert logits.shape == (2, 3, 66, 81)
    assert logits.dtype == torch.float32
    logits.square().mean().backward()
    roles = model.roles()
    assert list(roles) == [name for name, _ in model.named_parameters()]
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == (roles[name] == "frozen"), name
        if parameter.grad is not None:
            assert parameter.grad.isfinite().all(), name
    assert (not science.norm_learn) == ("frozen" in roles.values())


def test_roles_follow_what_a_parameter_is_for() -> None:
    axes: dict[str, Any] = {"layers": CONTEXT, "norm": "l2", "fusion": "late", "upsample": "learned"}
    roles = build_model(make_science(**axes), 3, None).roles()
    assert roles["trunk.conv1_1.weight"] == "trunk_weight"
    assert roles["trunk.fc7.bias"] == "trunk_bias"
    assert roles["head.classifier.branches.pool6.weight"] == "head_weight"
    assert roles["head.classifier.branches.fc7.bias"] == "head_bias"
    assert roles["head.norms.fc7.scale"] == "scale"
    assert roles["head.upsample.steps.0.deconvolution.weight"] == "upsample_weight"
    assert roles["head.upsample.steps.0.deconvolution.bias"] == "upsample_bias"
    shared = build_model(make_science(layers=CONTEXT, norm="l2", norm_shared=True, mix="conv1x1"), 3, None).roles()
    assert shared["head.norms.pool6.scale"] == "scale"
    assert shared["head.mix.weight"] == "head_weight"
    assert shared["head.mix.bias"] == "head_bias"


def test_evaluation_is_deterministic_and_works_image_by_image() -> None:
    model = build_model(make_science(layers=STACK, norm="l2", dropout=0.5), 3, None).eval()
    images = torch.randint(0, 256, (3, 3, 70, 90), dtype=torch.uint8)
    with torch.inference_mode():
        together = model(images)
        alone = torch.cat([model(images[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


def test_bfloat16_autocast_keeps_float32_scores() -> None:
    model = build_model(make_science(layers=STACK, norm="l2"), 3, None)
    images = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    exact = model(images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        coarse = model(images)
    assert coarse.dtype == torch.float32
    assert (coarse - exact).abs().max() < 0.1 * exact.abs().max()


REFUSED = [
    ({"trunk": "squeezenet", "body": "deeplab"}, "squeezenet has no body deeplab, only fcn and reduced"),
    ({"trunk": "squeezenet", "skips": "8s"}, "skips=8s: squeezenet has no map coarser"),
    ({"trunk": "squeezenet", "pad100": True}, "squeezenet has no big pad"),
    ({"trunk": "squeezenet", "fc6_pad": "none"}, "squeezenet has no fc6"),
    ({"body": "reduced", "skips": "16s"}, "skips=16s: FCN's skips join body fcn"),
    ({"skips": "8s", "layers": ("fc7", "conv4")}, "conv4 would be added twice: use skips=none"),
    ({"skips": "8s", "skip_training": "staged"}, "use skip_training=at_once"),
    ({"layers": CONTEXT, "fusion": "late", "mix": "conv1x1"}, "fusion=late has none"),
    ({"weights": "imagenet"}, "there are none for vgg_tiny, which knows pretrained, none"),
    ({"trunk": "squeezenet", "weights": "caffe_full"}, "there are none for squeezenet, which knows imagenet, none"),
    ({"trunk": "vgg16", "weights": "pretrained:vgg16:1"}, "weights=pretrained: there are none for vgg16"),
    ({"trunk": "vgg16", "weights": "caffe_reduced"}, "serve the bodies reduced and largefov; body fcn needs"),
    (
        {"trunk": "vgg16", "weights": "caffe_reduced", "body": "deeplab"},
        "caffe_full or caffe_convolutions or torchvision",
    ),
]


@pytest.mark.parametrize(("axes", "reason"), REFUSED)
def test_what_cannot_be_built_says_why_before_anything_is_trained(axes: dict[str, Any], reason: str) -> None:
    science = make_science(**axes)
    assert reason in (unsupported(science) or "")
    with pytest.raises(UserError, match=f"{science.trunk}: .*"):
        build_model(science, 3, None)


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"unknown trunk 'vgg_tinny'\. Did you mean 'vgg_tiny'"):
        unsupported(make_science(trunk="vgg_tinny"))
    with pytest.raises(UserError, match=r"unknown context 'globl'\. Did you mean 'global'"):
        build_model(make_science(layers=CONTEXT, context="globl"), 3, None)


def test_images_are_measured_before_anything_is_computed() -> None:
    unpadded = build_model(make_science(fc6_pad="none"), 3, None)
    with pytest.raises(UserError, match=r"30x200 pixels.*layer fc6.*at least 3 cells.*so that images need 33 pixels"):
        unpadded.check_size(30, 200)
    unpadded.check_size(33, 200)
    pyramid = build_model(make_science(body="reduced", layers=CONTEXT, context="spp"), 3, None)
    with pytest.raises(UserError, match=r"4x4 bins need an fc7 map of at least 8 cells a side, this one has 5"):
        pyramid.check_size(200, 20)
    for model, size in ((unpadded, (33, 34)), (pyramid, (31, 29))):
        model.check_size(*size)
        assert model(torch.zeros(1, 3, *size, dtype=torch.uint8)).shape[2:] == size
    with pytest.raises(UserError, match="too small"):
        unpadded(torch.zeros(1, 3, 32, 40, dtype=torch.uint8))


def test_a_layer_the_trunk_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(trunks.find("vgg_tiny").layers, "conv3")
    assert unsupported(make_science(layers=STACK)) == (
        "layers: vgg_tiny has no feature for conv3, only for pool6, fc7, conv5, conv4"
    )


def test_what_a_trunk_offers_is_known_without_torch() -> None:
    script = (
        "import sys\n"
        "from parsenet_cli.models import support, trunks\n"
        "from parsenet_cli.models.weights import sources\n"
        "names = trunks.names()\n"
        "assert {'vgg16', 'vgg_tiny', 'squeezenet'} <= set(names)\n"
        "for name in names:\n"
        "    trunk = trunks.find(name)\n"
        "    assert trunk.name == name\n"
        "    assert trunk.bodies and trunk.layers and sources.choices(trunk) and trunk.remarks and trunk.mean_rgb\n"
        "print('torch' in sys.modules, 'numpy' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_every_trunk_names_the_layers_it_really_has() -> None:
    for name in trunks.names():
        architecture = trunks.find(name)
        for body in architecture.bodies:
            with torch.device("meta"):
                trunk = architecture.build(make_science(trunk=name, body=body))
            assert set(architecture.layers) - {"pool6"} <= set(trunk.taps)
            assert "fc7_before_dropout" in trunk.taps


def test_published_mean_of_a_data_set_replaces_that_of_the_weights() -> None:
    with torch.device("meta"):
        model = build_model(
            make_science(trunk="vgg16", data="siftflow", input_mean="data"), 33, None, (108.353, 115.294, 114.578)
        )
    assert model.preprocess.normalization.order == "BGR"
    assert model.preprocess.normalization.mean == (114.578, 115.294, 108.353)

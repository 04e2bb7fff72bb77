"""Gates: Squeeze-and-Excitation's numbers, and where a gate stands in a network."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from parsenet_cli.core.run_config import Block
from parsenet_cli.models import blocks, gate
from parsenet_cli.models.build import build_model
from parsenet_cli.models.gate.se import SqueezeExcitation
from parsenet_cli.models.support import unsupported
from tests.unit.models.conftest import make_science

SE = {"ratio": 4, "squeeze": "mean", "excite": "sigmoid", "bias": 3.0}


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def gated(**axes: Any) -> Any:
    return make_science(gate="se", blocks={"gate": Block(options=SE)}, **axes)


def test_factors_are_those_of_a_worked_example() -> None:
    """By hand: z = (1, 2, -1, .5), hidden (0, .6)."""
    block = SqueezeExcitation(4, 2)
    with torch.no_grad():
        block.reduce.weight[:, :, 0, 0] = torch.tensor([[1.0, 0, 1, 0], [0, 0.5, 0, -1]])
        block.reduce.bias[:] = torch.tensor([0, 0.1])  # type: ignore[index]
        block.expand.weight[:, :, 0, 0] = torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0.5, 0.5]])
        block.expand.bias[:] = torch.tensor([0, 0, 0.5, 0])  # type: ignore[index]
    z = torch.tensor([1.0, 2, -1, 0.5], dtype=torch.float64)
    spread = torch.tensor([[-1.0, 1], [2, -2]], dtype=torch.float64)
    x = z[None, :, None, None] + spread
    s = [0.5, 0.6456563062, 0.6224593312, 0.5744425168]
    factors = block.double().factors(x).flatten()
    torch.testing.assert_close(factors, torch.tensor(s).double(), atol=1e-7, rtol=0)
    y = block(x).mean((2, 3)).flatten()
    torch.testing.assert_close(
        y, torch.tensor([0.5, 1.2913126125, -0.6224593312, 0.2872212584]).double(), atol=1e-7, rtol=0
    )


@pytest.mark.parametrize(
    ("channels", "ratio", "number"),
    [(1024, 16, 132_160), (4096, 16, 2_101_504), (2048, 16, 526_464), (64, 16, 580), (32, 16, 162), (32, 4, 552)],
)
def test_parameters_are_counted(channels: int, ratio: int, number: int) -> None:
    with torch.device("meta"):
        assert parameters(SqueezeExcitation(channels, ratio)) == number


@pytest.mark.parametrize(
    ("ratio", "number", "printed"),
    [
        (2, 45_699_240, "45.7"),
        (4, 35_635_688, "35.7"),
        (8, 30_603_912, "30.7"),
        (16, 28_088_024, "28.1"),
        (32, 26_830_080, "26.9"),
    ],
)
def test_resnet_50_with_it_has_the_printed_number_of_parameters(ratio: int, number: int, printed: str) -> None:
    """The column of the paper's Table 10 is these counts, rounded up."""
    blocks_of = {256: 3, 512: 4, 1024: 6, 2048: 3}
    with torch.device("meta"):
        total = 25_557_032 + sum(n * parameters(SqueezeExcitation(c, ratio)) for c, n in blocks_of.items())
    assert (total, f"{math.ceil(total / 1e5) / 10}") == (number, printed)


def test_a_pretrained_tap_begins_nearly_as_it_was() -> None:
    x = torch.rand(2, 64, 5, 7)
    ratio = SqueezeExcitation(64)(x) / x
    assert 0.9 < float(ratio.min().detach()) <= float(ratio.max().detach()) < 0.98


@pytest.mark.parametrize(("squeeze", "shape"), [("mean", (1, 1)), ("max", (1, 1)), ("none", (5, 7))])
def test_squeeze_says_what_is_looked_at(squeeze: Any, shape: tuple[int, int]) -> None:
    x = torch.rand(2, 8, 5, 7)
    assert SqueezeExcitation(8, 2, squeeze).factors(x).shape == (2, 8, *shape)


def test_gate_changes_what_classifier_context_and_norm_read() -> None:
    science = gated(layers=("pool6", "fc7"), norm="l2")
    model: Any = build_model(science, 4, None).eval()
    images = torch.randint(0, 256, (1, 3, 80, 96), dtype=torch.uint8)
    before = model(images)
    taps: dict[str, Tensor] = {"fc7": torch.rand(1, 64, 5, 6)}
    pool6, fc7 = model.head.features(taps)
    torch.testing.assert_close(
        pool6.values, model.head.norms["pool6"](model.head.gates["fc7"](taps["fc7"]).mean((2, 3), keepdim=True))
    )
    with torch.no_grad():
        model.head.gates["fc7"].inner.expand.bias.fill_(-100)
    assert not torch.allclose(model(images), before)
    assert fc7.values.shape == (1, 64, 5, 6)


def test_a_factor_that_all_channels_share_is_invisible_behind_the_norm() -> None:
    model = build_model(gated(layers=("fc7",), norm="l2"), 4, None).eval()
    plain = build_model(make_science(layers=("fc7",), norm="l2"), 4, None).eval()
    inner: Any = model.head.gates["fc7"].inner
    with torch.no_grad():
        inner.expand.weight.zero_()
        inner.expand.bias.fill_(-1)
    taps = {"fc7": torch.rand(1, 64, 5, 6)}
    torch.testing.assert_close(model.head.features(taps)[0].values, plain.head.features(taps)[0].values)


def test_gate_adds_nothing_to_a_network_without_it_and_draws_nothing_of_the_head() -> None:
    plain, other = (build_model(science, 4, None) for science in (make_science(), gated()))
    assert not [name for name in plain.state_dict() if "gate" in name]
    weights = other.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in plain.state_dict().items())
    roles = other.roles()
    assert roles["head.gates.fc7.inner.reduce.weight"] == "head_weight"
    again = build_model(gated(), 4, None).state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in weights.items()), "the seed decides its weights"


def test_gate_stands_on_the_taps_that_are_named_and_read() -> None:
    model = build_model(gated(layers=("fc7", "conv4"), gate_layers=("conv4", "fc7")), 4, None)
    assert list(model.head.gates) == ["fc7", "conv4"]
    assert unsupported(gated(layers=("pool6",))) is None
    assert "gate_layers has conv4, which is not read, only fc7" in (unsupported(gated(gate_layers=("conv4",))) or "")


def test_block_that_changes_the_shape_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "build", lambda *_: nn.Conv2d(64, 3, 1))
    made = gate.build(gated(), 64)
    assert made is not None
    with pytest.raises(
        Exception, match=r"gate=se: expected a map of the shape .* \(1, 64, 2, 2\), found \(1, 3, 2, 2\)"
    ):
        made(torch.rand(1, 64, 2, 2))

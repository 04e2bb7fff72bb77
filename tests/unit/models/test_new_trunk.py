"""A trunk is one new file, found by its name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from parsenet_cli.config.overrides import axis_choices
from parsenet_cli.models import trunks
from parsenet_cli.models.build import build_model
from parsenet_cli.models.describe import describe_network
from parsenet_cli.models.support import unsupported
from tests import new_module
from tests.unit.models.conftest import make_science

FILE = """
from parsenet_cli.models.trunks import Architecture

class Halving(Architecture):
    def unsupported(self, science):
        return "it has no pad" if science.pad100 else None

    def build(self, science):
        return self.skeleton(science.body)

    def skeleton(self, body):
        from torch import nn
        from parsenet_cli.models.trunk import Trunk

        layers = {"conv1": nn.Conv2d(3, 5, 3, stride=2, padding=1), "relu1": nn.ReLU()}
        return Trunk(layers, {"fc7_before_dropout": "relu1", "fc7": "relu1"})

    def body_of(self, weights):
        return "fcn"

    def adapt_weights(self, weights, body, deeplab_kernel=4):
        return weights.tensors

TRUNK = Halving(name="halving", bodies=("fcn",), layers={"pool6": "the context of fc7", "fc7": "relu1"}, remarks="short")
"""


def test_a_new_file_is_a_trunk_to_choose_check_build_and_describe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_module.add(trunks, "halving", FILE, tmp_path, monkeypatch)
    assert "halving" in axis_choices("trunk")
    science = make_science(trunk="halving", layers=("pool6", "fc7"), norm="l2")
    assert unsupported(science) is None
    assert unsupported(science.model_copy(update={"pad100": True})) == "it has no pad"
    assert "halving has no feature for conv4" in (unsupported(make_science(trunk="halving", layers=("conv4",))) or "")
    scores = build_model(science, 4, None)(torch.zeros(2, 3, 20, 30, dtype=torch.uint8))
    assert scores.shape == (2, 4, 20, 30)
    description = describe_network(science, 4, (20, 30))
    assert (description["remarks"], description["features"]["fc7"]["cells"]) == ("short", [10, 15])

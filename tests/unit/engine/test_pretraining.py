"""The quick trunk: folding and rescaling change how large features are, and nothing else."""

from __future__ import annotations

import torch
from torch import nn

from parsenet_cli.engine.pretrain import FEATURE_NORM, _fold, _rescaled
from parsenet_cli.models.trunks import vgg_tiny
from parsenet_cli.models.weights.sources import pretrained_identity


def test_folded_batch_normalisation_computes_the_same() -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 4, 1), nn.BatchNorm2d(4), nn.ReLU()]
    normalised = nn.Sequential(*layers)
    normalised(torch.randn(8, 3, 9, 9) * 3 + 1)
    normalised.eval()
    x = torch.randn(2, 3, 9, 9)
    expected = normalised(x)
    _fold(layers)
    plain = nn.Sequential(layers[0], layers[2], layers[3], layers[5])
    torch.testing.assert_close(plain(x), expected)


def test_rescaled_trunk_has_vggs_scales_and_computes_the_same_up_to_one_factor() -> None:
    torch.manual_seed(0)
    trunk = vgg_tiny.TRUNK.pretraining_body(0.0).eval()
    with torch.no_grad():
        for parameter in trunk.parameters():
            parameter.add_(0.02)
    images = torch.randn(4, 3, 96, 96)
    with torch.inference_mode():
        before = trunk(images, ("fc7",))["fc7"]
    trunk.load_state_dict(_rescaled(trunk, images))
    with torch.inference_mode():
        taps = trunk(images, ("conv3", "conv4", "conv5", "fc7"))
    for name in ("conv3", "conv4", "conv5", "fc7"):
        assert abs(float(taps[name].norm(dim=1).mean()) / FEATURE_NORM[name] - 1) < 1e-3
    factor = taps["fc7"].norm() / before.norm()
    torch.testing.assert_close(taps["fc7"], before * factor, rtol=1e-3, atol=1e-4)
    assert FEATURE_NORM["conv3"] / FEATURE_NORM["fc7"] >= 100


def test_identity_is_known_without_training() -> None:
    assert pretrained_identity("vgg_tiny").startswith("pretrained:vgg_tiny:")

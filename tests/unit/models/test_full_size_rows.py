"""Every row of the tables that can be run exists at the full size of VGG-16: built and run without its memory (meta)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Generator

from parsenet_cli.config import profile, table_file
from parsenet_cli.config.compose import Composer
from parsenet_cli.core.run_config import Science
from parsenet_cli.models import layers as init
from parsenet_cli.models import trunks
from parsenet_cli.models.build import Segmenter, build_model
from parsenet_cli.models.classifier import BranchClassifiers, JointClassifier
from parsenet_cli.models.head import Head
from parsenet_cli.models.support import unsupported
from parsenet_cli.models.upsample import Learned
from tests.unit.models.conftest import MakeScience

CLASSES = {"voc12": 21, "pascal_context": 60, "siftflow": 33}

TRUNK = {"fcn": 134_260_544, "reduced": 20_483_904, "deeplab": 65_054_528, "largefov": 20_483_904}
WIDTHS = {"fcn": 4096, "reduced": 1024, "deeplab": 4096, "largefov": 1024}
LOWER = {"conv5": 512, "conv4": 512, "conv3": 256}


def cells() -> dict[tuple[str, ...], str]:
    """The distinct cells of all tables, cited ones included, each under the first name it has."""
    found: dict[tuple[str, ...], str] = {}
    for name in table_file.names():
        for cell in table_file.load(name).cells(cited=True):
            found.setdefault(tuple(sorted(cell.overrides)), f"{name}.{cell.row.key}.{cell.column.key}")
    return found


CELLS = cells()


@pytest.fixture(scope="module")
def composer(cache: Path) -> Composer:
    return Composer(profile.load("paper"), [], cache)


@cache
def network(science: Science) -> Segmenter:
    with torch.device("meta"):
        return build_model(science, CLASSES[science.data], None)


def channels(science: Science) -> list[int]:
    """What is concatenated."""
    fc7 = WIDTHS[science.body]
    context = [fc7] * (len(science.context_bins) if science.context == "spp" else 1)
    return [width for layer in science.layers for width in (context if layer == "pool6" else [LOWER.get(layer, fc7)])]


def parameters(science: Science) -> int:
    """The published trunk, the classifiers, the scales."""
    classes, branches = CLASSES[science.data], channels(science)
    total = TRUNK[science.body]
    if science.norm == "l2":
        total += sum(branches)
    if science.mix == "conv1x1":
        total += sum(branches) * 1024 + 1024
        branches = [1024]
    total += classes * (sum(branches) + (1 if science.fusion == "early" else len(branches)))
    skipped = {"none": [], "16s": [512], "8s": [512, 256]}[science.skips]
    return total + sum(classes * (width + 1) for width in skipped)


def test_all_tables_are_there() -> None:
    assert {name.partition(".")[0] for name in CELLS.values()} == {
        *(f"table{n}" for n in range(1, 8)),
        "spp",
        "voc_low",
    }
    assert len(CELLS) >= 40


@pytest.mark.parametrize("overrides", CELLS, ids=CELLS.values())
def test_every_row_gives_scores_for_every_pixel(composer: Composer, overrides: tuple[str, ...]) -> None:
    science = composer.science(overrides)
    assert science.trunk == "vgg16"
    assert unsupported(science) is None
    model = network(science)
    assert sum(p.numel() for p in model.parameters()) == parameters(science)
    for height, width in ((500, 375), (321, 321), (256, 256)):
        logits = model(torch.empty(1, 3, height, width, dtype=torch.uint8, device="meta"))
        assert logits.shape == (1, CLASSES[science.data], height, width)
        assert logits.dtype == torch.float32


@pytest.mark.parametrize("body", TRUNK)
def test_trunks_have_the_published_numbers_of_parameters(make_science: MakeScience, body: str) -> None:
    with torch.device("meta"):
        trunk = trunks.find("vgg16").build(make_science(trunk="vgg16", body=body))
    assert sum(p.numel() for p in trunk.parameters()) == TRUNK[body]


def test_context_costs_a_thousandth_of_the_parameters(make_science: MakeScience) -> None:
    """ParseNet over its baseline: 21 504 weights of the classifier and 2 048 scales; fused late, one more bias each."""

    def count(**axes: Any) -> int:
        science = make_science(trunk="vgg16", body="reduced", **axes)
        return sum(p.numel() for p in network(science).parameters())

    baseline = count(layers=("fc7",))
    assert count(layers=("pool6", "fc7"), norm="l2") - baseline == 23_552
    assert count(layers=("pool6", "fc7"), norm="l2", fusion="late") - baseline == 23_573
    assert 23_573 / baseline < 1.2e-3


def head(science: Science, classes: int = 60) -> Head:
    """A head of full size with real numbers in it, on a trunk without memory."""
    with torch.device("meta"):
        trunk = trunks.find("vgg16").build(science)
    return Head(science, classes, trunk, Generator().manual_seed(0))


ORDER = ("pool6", "fc7", "conv5", "conv4", "conv3")


@pytest.mark.parametrize(
    ("body", "layers", "bound"),
    [
        ("fcn", ("fc7",), 0.027063),
        ("fcn", ORDER[:2], 0.019137),
        ("fcn", ORDER[:3], 0.018565),
        ("fcn", ORDER[:4], 0.018042),
        ("fcn", ORDER, 0.017797),
        ("reduced", ("fc7",), 0.054127),
        ("reduced", ORDER[:2], 0.038273),
    ],
)
def test_early_fusion_starts_within_the_bound_of_its_whole_width(
    make_science: MakeScience, body: str, layers: tuple[str, ...], bound: float
) -> None:
    """Every block of the one classifier, conv3's 256 channels as much as fc7's 4096."""
    classifier = head(make_science(trunk="vgg16", body=body, layers=layers, norm="l2")).classifier
    assert isinstance(classifier, JointClassifier)
    for block in classifier.blocks()[0]:
        assert 0.999 * bound < block.abs().max().item() <= bound + 5e-7
    assert (classifier.bias == 0).all()


def test_late_fusion_starts_within_the_bound_of_each_layer(make_science: MakeScience) -> None:
    classifier = head(make_science(trunk="vgg16", layers=ORDER, norm="l2", fusion="late")).classifier
    assert isinstance(classifier, BranchClassifiers)
    for block, bound in zip(classifier.blocks()[0], (0.027063, 0.027063, 0.076547, 0.076547, 0.108253), strict=True):
        assert 0.999 * bound < block.abs().max().item() <= bound + 5e-7


def test_heads_of_the_older_systems_start_as_published(make_science: MakeScience) -> None:
    """FCN's at zero, DeepLab's gaussian with deviation 0.01, learned deconvolutions as the bilinear one."""
    zero = head(make_science(trunk="vgg16", pad100=True, init="zero", skips="8s"))
    assert all((parameter == 0).all() for parameter in zero.parameters())
    gaussian = head(make_science(trunk="vgg16", body="deeplab", init="gaussian"), 21).classifier
    assert isinstance(gaussian, JointClassifier)
    assert gaussian.weight.std().item() == pytest.approx(0.01, rel=0.02)
    assert gaussian.weight.mean().item() == pytest.approx(0, abs=2e-4)
    learned = head(make_science(trunk="vgg16", pad100=True, upsample="learned"), 21).upsample
    assert isinstance(learned, Learned)
    weight, bias = (parameter for _, parameter in sorted(learned.named_parameters(), reverse=True))
    assert torch.equal(weight, init.bilinear_kernel(64).expand(21, 1, 64, 64))
    assert (bias == 0).all()

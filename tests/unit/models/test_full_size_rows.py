"""Every row of the tables that can be run exists at the full size of VGG-16: built and run without its memory (meta)."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from parsenet_cli.config import profile, table_file
from parsenet_cli.config.compose import Composer
from parsenet_cli.core.run_config import Science
from parsenet_cli.models.build import build_model
from parsenet_cli.models.support import unsupported

CLASSES = {"voc12": 21, "pascal_context": 60, "siftflow": 33}

TRUNK = {"fcn": 134_260_544, "reduced": 20_483_904, "deeplab": 65_054_528, "largefov": 20_483_904}
WIDTHS = {"fcn": 4096, "reduced": 1024, "deeplab": 4096, "largefov": 1024}
LOWER = {"conv5": 512, "conv4": 512, "conv3": 256}


def cells() -> dict[tuple[str, ...], str]:
    """The distinct cells of all tables, cited ones included, each under the first name it has."""
    found: dict[tuple[str, ...], str] = {}
    for name in [*table_file.names("all"), *table_file.names("beyond")]:
        for cell in table_file.load(name).cells(cited=True):
            found.setdefault(tuple(sorted(cell.overrides)), f"{name}.{cell.row.key}.{cell.column.key}")
    return found


CELLS = cells()


@pytest.fixture(scope="module")
def composer(cache: Path) -> Composer:
    return Composer(profile.load("paper"), [], cache)


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
        total += len(branches) if science.norm_shared else sum(branches)
    if science.mix == "conv1x1":
        total += (sum(branches) + 1) * science.mix_width
        branches = [science.mix_width]
    total += classes * (sum(branches) + (1 if science.fusion == "early" else len(branches)))
    skipped = {"none": [], "16s": [512], "8s": [512, 256]}[science.skips]
    return total + sum(classes * (width + 1) for width in skipped)


def test_all_tables_are_there() -> None:
    assert {name.partition(".")[0] for name in CELLS.values()} == {
        *(f"table{n}" for n in range(1, 8)),
        "spp",
        "voc_low",
        *table_file.names("beyond"),
    }
    assert len(CELLS) >= 40


@pytest.mark.parametrize("overrides", CELLS, ids=CELLS.values())
def test_every_row_gives_scores_for_every_pixel(composer: Composer, overrides: tuple[str, ...]) -> None:
    science = composer.science(overrides)
    assert science.trunk == "vgg16"
    assert unsupported(science) is None
    with torch.device("meta"):
        model = build_model(science, CLASSES[science.data], None)
    assert sum(p.numel() for p in model.parameters()) == parameters(science)
    for height, width in ((500, 375), (321, 321), (256, 256)):
        logits = model(torch.empty(1, 3, height, width, dtype=torch.uint8, device="meta"))
        assert logits.shape == (1, CLASSES[science.data], height, width)
        assert logits.dtype == torch.float32

"""Every row of the tables that can be run exists at the full size of VGG-16: built and run without its memory (meta)."""

from __future__ import annotations

from collections.abc import Callable
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

SIZES = ((500, 375), (321, 321), (256, 256))
TRAINING = {"recipe", "init", "train_split", "class_mean", "norm_decay", "norm_scale", "norm_gradient", "input_mean"}
"""What no size of a network depends on."""


def cells(group: str | None = None) -> dict[tuple[str, ...], str]:
    """The distinct cells of the tables, cited ones included, each under the first name it has."""
    found: dict[tuple[str, ...], str] = {}
    for name in table_file.names(group):
        for cell in table_file.load(name).cells(cited=True):
            found.setdefault(tuple(sorted(cell.overrides)), f"{name}.{cell.row.key}.{cell.column.key}")
    return found


CELLS = cells()
PAPER = frozenset(cells("all"))


@pytest.fixture(scope="module")
def composer(cache: Path) -> Composer:
    return Composer(profile.load("paper"), [], cache)


@pytest.fixture(scope="module")
def sizes() -> Callable[[Science], tuple[int, list[torch.Tensor]]]:
    """Number of parameters, and the scores of an image of each of `SIZES`; cells that differ in training are built once."""
    known: dict[str, tuple[int, list[torch.Tensor]]] = {}

    def of(science: Science) -> tuple[int, list[torch.Tensor]]:
        key = science.model_dump_json(exclude=TRAINING)
        if key not in known:
            with torch.device("meta"):
                model = build_model(science, CLASSES[science.data], None)
            images = [torch.empty(1, 3, *size, dtype=torch.uint8, device="meta") for size in SIZES]
            known[key] = sum(p.numel() for p in model.parameters()), [model(image) for image in images]
        return known[key]

    return of


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
    """Table 8 by FCN-8s alone: its other rows are those of Table 6."""
    named = {name.partition(".")[0] for name in CELLS.values()}
    assert named >= {*(f"table{n}" for n in range(1, 9)), "spp", "voc_low"}
    assert len(PAPER) >= 44
    assert {"table4.fcn8s.raw", "table8.fcn8s.aero", "voc_low.conv3.late"} <= set(CELLS.values())


@pytest.mark.parametrize("overrides", CELLS, ids=CELLS.values())
def test_every_row_gives_scores_for_every_pixel(
    composer: Composer, sizes: Callable[[Science], tuple[int, list[torch.Tensor]]], overrides: tuple[str, ...]
) -> None:
    science = composer.science(overrides)
    assert science.trunk == "vgg16"
    assert unsupported(science) is None
    total, scores = sizes(science)
    if overrides in PAPER:
        assert total == parameters(science)
    for logits, size in zip(scores, SIZES, strict=True):
        assert logits.shape == (1, CLASSES[science.data], *size)
        assert logits.dtype == torch.float32


@pytest.mark.parametrize(("table", "column"), [("table4", "raw"), ("table8", "mean")])
@pytest.mark.parametrize(("trunk", "reason"), [("quick", None), ("photos", "squeezenet")])
def test_fcn8s_under_a_stand_in_is_built_or_says_why_not(
    cache: Path, table: str, column: str, trunk: str, reason: str | None
) -> None:
    [cell] = table_file.load(table).cells(cited=True, rows=["fcn8s"], columns=[column])
    science = Composer(profile.load(trunk), ["data_root=nowhere"], cache).science(cell.overrides)
    assert science.recipe.steps < 2000
    found = unsupported(science)
    assert (found is None) == (reason is None)
    if found is None:
        with torch.device("meta"):
            model = build_model(science, 21, None)
        image = torch.empty(1, 3, 144, 144, dtype=torch.uint8, device="meta")
        assert model(image).shape == (1, 21, 144, 144)
    else:
        assert str(reason) in found

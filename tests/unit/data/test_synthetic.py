"""Generated data: the same every time, in the real layouts, of the properties the mechanisms need."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from parsenet_cli.core.palette import COLOURS
from parsenet_cli.data.dataset import DataOptions
from parsenet_cli.data.sets import synthetic_siftflow, synthetic_voc
from parsenet_cli.data.synthetic import scenes
from parsenet_cli.data.synthetic.animals import COATS, SPECIES
from parsenet_cli.data.synthetic.generate import generator
from parsenet_cli.data.synthetic.scenes import CONTEXT_CLASSES, OUTDOOR_CLASSES, VOC_CLASSES, Scene

Draw = Callable[[np.random.Generator], Scene]
ALL: list[Draw] = [scenes.voc_scene, scenes.context_scene, scenes.outdoor_scene, scenes.pretraining_scene]


@pytest.mark.parametrize("draw", ALL)
def test_a_scene_depends_on_its_generator_alone(draw: Draw) -> None:
    first, again, other = (draw(generator(1, part, 5)) for part in ("train", "train", "val"))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.label, again.label)
    assert (first.image != other.image).any()


def test_one_species_in_a_scene_and_every_species_in_some() -> None:
    seen = set()
    for i in range(30):
        present = np.unique(scenes.voc_scene(generator(1, "train", i)).label)
        animals = {VOC_CLASSES[c] for c in present if c != 255 and VOC_CLASSES[c] in SPECIES}
        assert len(animals) == 1
        seen |= animals
    assert seen == set(SPECIES)


def test_every_coat_is_worn_by_two_species() -> None:
    worn = [coat for coats in COATS.values() for coat in coats]
    assert {worn.count(coat) for coat in worn} == {2}
    assert all(len(set(coats)) == 2 for coats in COATS.values())


def test_voc_labels_have_a_void_line_around_objects_only() -> None:
    label = scenes.voc_scene(generator(1, "train", 0)).label
    labelled = (label > 0) & (label != 255)
    touching = np.zeros_like(labelled)
    touching[1:] |= labelled[:-1]
    touching[:-1] |= labelled[1:]
    touching[:, 1:] |= labelled[:, :-1]
    touching[:, :-1] |= labelled[:, 1:]
    np.testing.assert_array_equal(label == 255, touching & ~labelled)


def test_context_labels_every_pixel_and_outdoor_scenes_nearly_every_one() -> None:
    context = np.stack([scenes.context_scene(generator(1, "train", i)).label for i in range(20)])
    outdoor = np.stack([scenes.outdoor_scene(generator(1, "train", i)).label for i in range(60)])
    assert context.max() <= len(CONTEXT_CLASSES)
    assert (context == 0).mean() < 0.1
    assert set(np.unique(outdoor)) == set(range(len(OUTDOOR_CLASSES) + 1))
    assert (outdoor == 0).mean() < 0.02


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> DataOptions:
    """Options under which the generated data sets have six images."""
    monkeypatch.setattr("parsenet_cli.data.synthetic.generate.SPLITS", {"train": 4, "val": 2})
    return DataOptions(None, tmp_path / "cache")


def test_generation_writes_the_same_files_anywhere(few: DataOptions, tmp_path: Path) -> None:
    for cache in (few.cache, tmp_path / "other"):
        synthetic_voc.open_dataset(DataOptions(None, cache))
    seals = [(cache / "generated/synthetic_voc-1.json").read_text() for cache in (few.cache, tmp_path / "other")]
    assert seals[0] == seals[1]


def test_what_is_generated_is_what_is_read(few: DataOptions) -> None:
    voc, outdoor = synthetic_voc.open_dataset(few), synthetic_siftflow.open_dataset(few)
    assert (len(voc.train), len(voc.val)) == (4, 2)
    np.testing.assert_array_equal(voc.val.label(1), scenes.voc_scene(generator(1, "val", 1)).label)
    drawn = scenes.outdoor_scene(generator(1, "train", 3)).label
    np.testing.assert_array_equal(outdoor.train.label(3), drawn - np.uint8(1))  # 0 wraps around to 255


def test_masks_carry_vocs_palette(few: DataOptions) -> None:
    synthetic_voc.open_dataset(few)
    with Image.open(few.cache / "generated/synthetic_voc-1/SegmentationClass/val_0000.png") as mask:
        assert mask.mode == "P"
        np.testing.assert_array_equal(np.array(mask.getpalette()).reshape(-1, 3), COLOURS)


def test_identity_is_known_before_anything_is_drawn(few: DataOptions) -> None:
    assert synthetic_voc.identity(few) == f"synthetic_voc:{synthetic_voc.VERSION}"
    assert not few.cache.exists()

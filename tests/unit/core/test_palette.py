"""The VOC palette and indexed PNGs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from parsenet_cli.core.palette import COLOURS, indexed

PUBLISHED = {
    0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 3: (128, 128, 0), 4: (0, 0, 128), 5: (128, 0, 128), 6: (0, 128, 128),
    7: (128, 128, 128), 8: (64, 0, 0), 9: (192, 0, 0), 10: (64, 128, 0), 11: (192, 128, 0), 12: (64, 0, 128),
    13: (192, 0, 128), 14: (64, 128, 128), 15: (192, 128, 128), 16: (0, 64, 0), 17: (128, 64, 0), 18: (0, 192, 0),
    19: (128, 192, 0), 20: (0, 64, 128), 255: (224, 224, 192),
}  # fmt: skip


def test_colours_are_those_of_the_development_kit() -> None:
    colours = COLOURS
    assert {i: tuple(colours[i].tolist()) for i in PUBLISHED} == PUBLISHED


def test_no_two_ids_share_a_colour() -> None:
    assert len(np.unique(COLOURS, axis=0)) == 256


def test_indexed_png_holds_ids_and_shows_colours(tmp_path: Path) -> None:
    ids = np.array([[0, 8, 255], [20, 1, 2]], np.uint8)
    indexed(ids).save(tmp_path / "ids.png")
    with Image.open(tmp_path / "ids.png") as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image), ids)
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), COLOURS[ids])

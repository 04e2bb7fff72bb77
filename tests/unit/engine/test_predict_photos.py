"""A user's own images: every common way of storing one gives upright 8-bit RGB, and names of outputs never clash."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.palette import COLOURS, Pixels
from parsenet_cli.engine.predict import overlay, photos
from parsenet_cli.engine.predict.photos import output_names

Form = Callable[[Pixels, Path], Pixels]
"""Writes an image into a file; returns what is to be read back."""


@pytest.fixture
def pixels() -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)


def _exif(pixels: Pixels, file: Path) -> Pixels:
    exif = Image.Exif()
    exif[0x112] = 6  # to be turned by 90 degrees clockwise
    Image.fromarray(pixels).save(file, exif=exif)
    return np.rot90(pixels, -1)


def _transparent(pixels: Pixels, file: Path) -> Pixels:
    alpha = np.full((6, 9, 1), 255, np.uint8)
    alpha[0] = 0
    Image.fromarray(np.concatenate([pixels, alpha], axis=2)).save(file)
    return np.where(alpha == 0, np.uint8(255), pixels)


def _grey(pixels: Pixels, file: Path) -> Pixels:
    Image.fromarray(pixels[..., 0]).save(file)
    return np.repeat(pixels[..., :1], 3, axis=2)


def _grey_of_16_bits(pixels: Pixels, file: Path) -> Pixels:
    Image.fromarray(pixels[..., 0].astype(np.uint16) * 256 + 77).save(file)
    return np.repeat(pixels[..., :1], 3, axis=2)


def _rgb(pixels: Pixels, file: Path) -> Pixels:
    Image.fromarray(pixels).save(file)
    return pixels


def _indexed(pixels: Pixels, file: Path) -> Pixels:
    Image.fromarray(pixels).quantize(256).save(file)
    return pixels


@pytest.mark.parametrize("form", [_rgb, _exif, _grey, _grey_of_16_bits, _transparent, _indexed])
def test_stored_image_becomes_upright_rgb(tmp_path: Path, pixels: Pixels, form: Form) -> None:
    """Grey in three equal channels, of 16 bits the upper ones; on white what is transparent."""
    expected = form(pixels, tmp_path / "a.png")
    np.testing.assert_array_equal(photos.read(tmp_path / "a.png"), expected)


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    Image.new("CMYK", (9, 6), (0, 255, 255, 0)).save(tmp_path / "a.jpg")
    assert (np.abs(photos.read(tmp_path / "a.jpg").astype(int) - (255, 0, 0)) < 5).all()


def _truncated(file: Path) -> None:
    Image.effect_noise((90, 60), 40).save(file, "JPEG")
    file.write_bytes(file.read_bytes()[:700])


@pytest.mark.parametrize("damage", [_truncated, Path.touch, lambda file: file.write_text("no image")])
def test_broken_image_is_named(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    damage(tmp_path / "broken.jpg")
    with pytest.raises(UserError, match=r"broken\.jpg"):
        photos.read(tmp_path / "broken.jpg")


def test_folder_gives_its_images_and_no_other_file(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "notes.txt"):
        (tmp_path / name).touch()
    assert [file.name for file in photos.find([tmp_path, tmp_path / "a.png"])] == ["a.png", "b.JPG"]


def test_missing_image_and_empty_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="directly in this folder"):
        photos.find([tmp_path])
    with pytest.raises(UserError, match=r"gone\.jpg"):
        photos.find([tmp_path / "gone.jpg"])


def test_images_of_one_name_are_told_apart_by_folder_and_suffix() -> None:
    images = [Path("/x/home/cat.jpg"), Path("/x/work/cat.jpg"), Path("/x/work/cat.png"), Path("/x/work/dog.png")]
    assert output_names(images) == ["home_cat_jpg", "work_cat_jpg", "work_cat_png", "dog"]


@given(st.lists(st.text("ab_./A", min_size=1, max_size=6), max_size=8, unique=True))
def test_output_names_never_clash(parts: list[str]) -> None:
    images = list(dict.fromkeys(Path("/x", part.strip("/") + "/c.jpg") for part in parts))
    images += [Path("/x/legend.png"), Path("/x/y_c.png")]
    names = [name.casefold() for name in output_names(images)]
    assert len(set(names)) == len(images)
    assert "legend" not in names
    assert not any("/" in name for name in names)


def test_overlay_keeps_the_background_and_tints_the_classes() -> None:
    grey = np.full((60, 80, 3), 100, np.uint8)
    ids = np.zeros((60, 80), np.uint8)
    ids[20:40, 20:60] = 2
    seen = np.asarray(overlay.draw_overlay(grey, ids, ("background", "cat", "dog")))
    assert (seen[5, 5] == 100).all()
    expected = (1 - overlay.STRENGTH) * 100 + overlay.STRENGTH * COLOURS[2].astype(float)
    assert np.abs(seen[30, 40] - expected).max() <= 1
    assert (seen[30, 20] == 255).all(), "the border between two classes is drawn"
    assert seen.shape[0] > 60, "the legend stands below the image"


def test_overlay_of_the_smallest_image_has_a_readable_legend() -> None:
    smallest = np.zeros((1, 1, 3), np.uint8), np.ones((1, 1), np.uint8)
    assert overlay.draw_overlay(*smallest, ("background", "diningtable")).width > 100


def test_legend_holds_every_class() -> None:
    shown = np.asarray(overlay.draw_legend([f"class {i}" for i in range(60)])).reshape(-1, 3)
    assert {tuple(colour) for colour in COLOURS[:60].tolist()} <= {tuple(colour) for colour in np.unique(shown, axis=0)}

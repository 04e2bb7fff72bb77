"""A user's own picture as the network takes it: upright, 8-bit RGB, whatever it was stored as."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from parsenet_cli.errors import UserError
from parsenet_cli.prediction.palette import Pixels

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"})
"""What counts as a picture in a folder; a file that is named is tried whatever it is called."""

_GREY_16 = ("I;16", "I;16B", "I;16L", "I;16N", "I")


def read(path: Path) -> Pixels:
    """RGB uint8 (H, W, 3).

    Turned as its EXIF orientation says; grey becomes three equal channels, 16-bit grey its upper eight bits; what is
    transparent is laid on white; CMYK is converted without a colour profile; of an animation the first picture is taken.

    Raises:
        UserError: no such file, no picture, or damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # what is merely large or oddly tagged is the user's own picture all the same
            with Image.open(path) as picture:
                return np.array(_rgb(ImageOps.exif_transpose(picture)))
    except FileNotFoundError:
        raise UserError(f"{path}: no such picture") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as problem:
        raise UserError(f"{path}: not a complete picture ({problem}); restore the file or leave it out") from None


def find(inputs: Sequence[Path]) -> list[Path]:
    """The files, and the pictures directly inside the folders, each once, in order.

    Raises:
        UserError: a path does not exist, or a folder holds no picture.
    """
    found: list[Path] = []
    for path in inputs:
        if path.is_dir():
            inside = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
            if not inside:
                raise UserError(f"{path}: no picture directly in this folder; expected files named {_suffixes()}")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise UserError(f"{path}: no such picture or folder")
    return list({file.resolve(): file for file in found}.values())


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode in _GREY_16:
        wide = np.asarray(picture).astype(np.int64)
        return Image.fromarray((wide >> 8 if wide.max(initial=0) > 255 else wide).astype(np.uint8)).convert("RGB")
    if picture.has_transparency_data:
        seen = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")
    return picture.convert("RGB")


def _suffixes() -> str:
    return ", ".join(f"*{suffix}" for suffix in sorted(SUFFIXES))

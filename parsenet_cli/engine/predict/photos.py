"""`parsenet predict`: a user's own images, upright and as 8-bit RGB whatever they were stored as, through a run's model."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from parsenet_cli.core import pictures
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import LONGEST_NAME, atomic_write
from parsenet_cli.core.palette import Pixels
from parsenet_cli.core.text import Progress, counted
from parsenet_cli.store.run import Run

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"})
"""What counts as an image in a folder; a file that is named is tried whatever it is called."""

_GREY_16 = ("I;16", "I;16B", "I;16L", "I;16N", "I")


def read(path: Path) -> Pixels:
    """RGB uint8 (H, W, 3).

    Turned as its EXIF orientation says; grey becomes three equal channels, 16-bit grey its upper eight bits; what is
    transparent is laid on white; CMYK is converted without a colour profile; of an animation the first image is taken.

    Raises:
        UserError: no such file, no image, or damaged.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is merely oddly tagged is an image all the same
        with pictures.opened(path, "image", pictures.PHOTOS) as image:
            return np.array(_rgb(ImageOps.exif_transpose(image)))


def find(inputs: Sequence[Path]) -> list[Path]:
    """The files, and the images directly inside the folders, each once, in order; hidden files are passed over.

    Raises:
        UserError: a path does not exist, or a folder holds no image.
    """
    found: list[Path] = []
    for path in inputs:
        if path.is_dir():
            inside = sorted(file for file in path.glob("[!.]*") if file.suffix.lower() in SUFFIXES and file.is_file())
            if not inside:
                suffixes = ", ".join(f"*{suffix}" for suffix in sorted(SUFFIXES))
                raise UserError(f"{path}: no image directly in this folder; expected files named {suffixes}")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise UserError(f"{path}: no such image or folder")
    return list({os.path.realpath(file): file for file in found}.values())


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode in _GREY_16:
        wide = np.asarray(image).astype(np.int64)
        return Image.fromarray((wide >> 8 if wide.max(initial=0) > 255 else wide).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")
    return image.convert("RGB")


LEGEND = "legend"
_OVERLAY = "_overlay.jpg"


def predict_images(
    run: Run, inputs: Sequence[Path], out: Path, device: str, progress: Progress
) -> tuple[int, list[str]]:
    """Write `<name>.png` (class ids), `<name>_overlay.jpg` and `legend.png` into `out`, in place of earlier predictions alone.

    Returns how many images there are, and a sentence for each that cannot be predicted; the others are done.

    Raises:
        UserError: no such images, a file would be overwritten that is no prediction, the run has no model, or no image could
            be predicted.
    """
    images = find(inputs)
    if not images:
        raise UserError("no images named; expected files or folders")
    names = output_names(images)
    _check_outputs(out, images, names)

    from parsenet_cli.core.palette import indexed
    from parsenet_cli.engine.predict import overlay as drawing
    from parsenet_cli.engine.predictor import Predictor

    predictor, step, failures = Predictor(run, device), counted(progress, len(images)), list[str]()
    with atomic_write(out / f"{LEGEND}.png") as file:
        drawing.draw_legend(predictor.classes).save(file, "PNG", **pictures.mark("PNG"))
    for path, name in zip(images, names, strict=True):
        try:
            pixels = read(path)
            ids = predictor.ids(pixels, path)
        except UserError as problem:
            failures.append(str(problem))
        else:
            with atomic_write(out / f"{name}.png") as file:
                indexed(ids).save(file, "PNG", **pictures.mark("PNG"))
            with atomic_write(out / f"{name}{_OVERLAY}") as file:
                overlay = drawing.draw_overlay(pixels, ids, predictor.classes)
                overlay.save(file, "JPEG", quality=92, **pictures.mark("JPEG"))
        step(path.name)
    if len(failures) == len(images):
        raise UserError("no image could be predicted:\n" + "\n".join(failures))
    return len(images), failures


def _check_outputs(out: Path, images: Sequence[Path], names: Sequence[str]) -> None:
    """Raises `UserError` where `out` is no folder, or a file would be replaced that is no earlier prediction."""
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out}: expected a folder, found {'a file' if out.is_file() else 'a device or pipe'}")
    for image, name in zip(images, names, strict=True):
        if len(os.fsencode(f"{name}{_OVERLAY}")) > LONGEST_NAME:
            raise UserError(f"{image}: the name is too long to name its prediction after it: rename or copy the image")
    given = set(map(os.path.realpath, images))
    for target in (out / f"{LEGEND}.png", *(out / f"{name}{end}" for name in names for end in (".png", _OVERLAY))):
        if os.path.realpath(target) in given:
            raise UserError(
                f"{target}: this image would be overwritten by a prediction; choose another folder with --out"
            )
        if os.path.lexists(target) and not pictures.is_marked(target):
            raise UserError(
                f"{target}: this file is no prediction of parsenet and would be overwritten by one; choose another folder with "
                "--out, or move the file away"
            )


def output_names(images: Sequence[Path]) -> list[str]:
    """One name per image: its own, and where several would be the same, more of the path and the suffix before it.

    Names differ also where upper and lower case do not, and none is that of the legend.
    """
    names = [path.stem for path in images]
    resolved = [path.resolve() for path in images]
    longest = max((len(path.parts) for path in resolved), default=0)
    for depth in range(2, longest + 1):
        for i in _clashing(names):
            path = resolved[i]
            words = [*path.parts[-depth:-1], path.stem, path.suffix.removeprefix(".")]
            names[i] = re.sub(r"[^\w.-]+", "-", "_".join(words))
    for i in _clashing(names):  # a_b/c.jpg beside a/b_c.jpg
        names[i] = f"{names[i]}_{i + 1}"
    return names


def _clashing(names: Sequence[str]) -> list[int]:
    """Positions of names whose files would be those of another, or of the legend."""
    files = [name.casefold() for name in names]
    return [i for i, name in enumerate(files) if files.count(name) > 1 or name == LEGEND]

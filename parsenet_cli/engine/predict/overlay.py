"""Label maps as images for the eye: an image under its classes, with a legend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from parsenet_cli.core.palette import COLOURS, Pixels

STRENGTH = 0.55
"""Share of a class's colour in a pixel of the overlay."""

_Font = ImageFont.ImageFont | ImageFont.FreeTypeFont
Place = tuple[int, int]
Entry = tuple[str, tuple[int, ...]]
"""A text, and the colour (R, G, B) of the patch before it."""

INK, PAPER, FRAME = (30, 30, 30), (255, 255, 255), (120, 120, 120)


def draw_overlay(image: Pixels, ids: Pixels, classes: Sequence[str]) -> Image.Image:
    """The image (H, W, 3) blended with the colours of its classes (H, W), borders drawn, and the classes found below it.

    What is called `background` keeps the image's own colours, and its patch is empty. Shares are of the image's pixels.
    """
    clear = [i for i, name in enumerate(classes) if name == "background"]
    overlay = Image.fromarray(image)
    tinted = Image.blend(overlay, Image.fromarray(COLOURS[ids]), STRENGTH)
    overlay.paste(tinted, (0, 0), Image.fromarray(~np.isin(ids, clear)))
    _draw_borders(overlay, ids)

    counts = np.bincount(ids.ravel(), minlength=len(classes))
    found = [int(i) for i in np.argsort(-counts, kind="stable") if counts[i]]
    entries = [(f"{classes[i]} {_percent(counts[i] / ids.size)}", tuple(map(int, COLOURS[i]))) for i in found]
    entries = [(text, PAPER if i in clear else colour) for i, (text, colour) in zip(found, entries, strict=True)]
    size = max(13, round(max(ids.shape) / 38))
    strip = _strip(entries, size, overlay.width)
    canvas = Image.new("RGB", (max(overlay.width, strip.width), overlay.height + strip.height), PAPER)
    canvas.paste(overlay, (0, 0))
    canvas.paste(strip, (0, overlay.height))
    return canvas


def draw_legend(classes: Sequence[str]) -> Image.Image:
    """All classes with id and colour, in columns of at most 20."""
    size, gap = 16, 10
    font = ImageFont.load_default(size)
    entries = [(f"{i}  {name}", tuple(map(int, COLOURS[i]))) for i, name in enumerate(classes)]
    width = max(_width(text, font) for text, _ in entries) + 2 * size + 2 * gap
    columns = -(-len(entries) // 20)
    rows = -(-len(entries) // columns)
    places = [(gap + (i // rows) * width, gap + (i % rows) * (size + gap)) for i in range(len(entries))]
    return _sheet((columns * width + gap, rows * (size + gap) + gap), entries, places, font, size)


def _draw_borders(image: Image.Image, ids: Pixels) -> None:
    """White lines with a dark rim between classes: visible on any ground, as thick as the image is large."""
    edges = np.zeros(ids.shape, bool)
    edges[:, 1:] |= ids[:, 1:] != ids[:, :-1]
    edges[1:] |= ids[1:] != ids[:-1]
    mask = Image.fromarray(edges.astype(np.uint8) * 255)
    line = 1 + 2 * (max(ids.shape) // 2000)
    core = mask.filter(ImageFilter.MaxFilter(line)) if line > 1 else mask
    rim = core.filter(ImageFilter.MaxFilter(3)).point(lambda value: value * 0.55)
    image.paste((0, 0, 0), (0, 0), rim)
    image.paste((255, 255, 255), (0, 0), core)


def _strip(entries: Sequence[Entry], size: int, width: int) -> Image.Image:
    """Entries side by side in as many lines as `width` needs; wider than it where one entry alone is."""
    font, gap = ImageFont.load_default(size), size // 2
    widths = [_width(text, font) + 2 * size + 2 * gap for text, _ in entries]
    width = max(width, max(widths) + gap)
    places: list[Place] = []
    x, y = gap, gap
    for each in widths:
        if x > gap and x + each > width:
            x, y = gap, y + size + gap
        places.append((x, y))
        x += each
    return _sheet((width, y + size + gap + gap // 2), entries, places, font, size)


def _sheet(box: Place, entries: Sequence[Entry], places: Sequence[Place], font: _Font, size: int) -> Image.Image:
    """An image of `box` pixels with every entry at its place: a framed patch of the colour, then the text."""
    sheet = Image.new("RGB", box, PAPER)
    draw = ImageDraw.Draw(sheet)
    for (x, y), (text, colour) in zip(places, entries, strict=True):
        draw.rectangle((x, y, x + size, y + size), fill=colour, outline=FRAME)
        draw.text((x + size + size // 2, y + size // 2), text, fill=INK, font=font, anchor="lm")
    return sheet


def _width(text: str, font: _Font) -> int:
    return int(font.getlength(text)) + 1


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.001 else "< 0.1 %"

"""Small things: some that a data set labels (bird, bottle, car, plant, person, building), some that it does not."""

from __future__ import annotations

import math

import numpy as np

from parsenet_cli.data.synthetic.canvas import Canvas, Colour, merge
from parsenet_cli.data.synthetic.scenery import pick, shaded

COLOURS: tuple[Colour, ...] = ((196, 58, 52), (58, 104, 176), (226, 180, 64), (222, 222, 218), (62, 132, 108))


def bird(canvas: Canvas, rng: np.random.Generator, x: float, y: float, size: float) -> None:
    """A bird on the wing, `size` pixels from wing tip to wing tip."""
    region = canvas.region(x - size, y - size, x + size, y + size)
    colour = pick(rng, ((58, 60, 76), (96, 72, 64), (236, 236, 232)))
    side = 1 if rng.random() < 0.5 else -1
    flap = rng.uniform(0.12, 0.4) * size
    body = region.capsule((x - 0.2 * side * size, y), (x + 0.22 * side * size, y), 0.14 * size, 0.11 * size)
    for wing in (-1, 1):
        tip = (x + wing * 0.5 * size, y - flap)
        body = np.minimum(body, region.capsule((x, y), tip, 0.13 * size, 0.04 * size))
    region.draw(body, colour, "bird")
    beak = x + 0.34 * side * size
    region.draw(region.ellipse(beak, y, 0.09 * size, 0.05 * size), (240, 170, 60), "bird")


def bottle(canvas: Canvas, rng: np.random.Generator, x: float, foot: float, size: float) -> None:
    """A standing bottle, `size` pixels high."""
    region = canvas.region(x - size, foot - size - 2, x + size, foot + 2)
    colour = pick(rng, ((46, 116, 84), (58, 96, 150), (136, 84, 44)))
    half = 0.19 * size
    body = region.capsule((x, foot - half), (x, foot - 0.55 * size), half, half)
    neck = region.capsule((x, foot - 0.5 * size), (x, foot - 0.94 * size), 0.07 * size, 0.07 * size)
    region.draw(merge(body, neck, 0.08 * size), colour, "bottle")
    band = np.maximum(np.abs(region.x - x) - 0.9 * half, np.abs(region.y - foot + 0.36 * size) - 0.12 * size)
    region.draw(np.asarray(band, np.float32), (240, 232, 206), "bottle")
    shine = region.capsule((x - 0.5 * half, foot - 0.5 * size), (x - 0.5 * half, foot - 0.3 * size), 0.6, 0.6)
    region.draw(shine, (250, 250, 250), None, opacity=0.7)


def car(canvas: Canvas, rng: np.random.Generator, x: float, foot: float, size: float) -> None:
    """A little car seen from the side, `size` pixels long."""
    region = canvas.region(x - size, foot - size, x + size, foot + 2)
    wheel = 0.1 * size
    low, top = foot - wheel, foot - 0.42 * size
    hull = region.capsule((x - 0.4 * size, low - 0.1 * size), (x + 0.4 * size, low - 0.1 * size), wheel, wheel)
    roof = [(x - 0.32 * size, low - 0.14 * size), (x + 0.3 * size, low - 0.14 * size)]
    cabin = region.polygon(*roof, (x + 0.17 * size, top), (x - 0.2 * size, top))
    region.draw(merge(hull, cabin, 0.05 * size), pick(rng, COLOURS), "car")
    glass = [(x - 0.22 * size, low - 0.15 * size), (x + 0.22 * size, low - 0.15 * size)]
    region.draw(
        region.polygon(*glass, (x + 0.13 * size, top + 0.05 * size), (x - 0.15 * size, top + 0.05 * size)),
        (176, 208, 224),
        "car",
    )
    for offset in (-0.26, 0.26):
        region.draw(region.ellipse(x + offset * size, low, wheel, wheel), (34, 34, 38), "car")
        region.draw(region.ellipse(x + offset * size, low, 0.45 * wheel, 0.45 * wheel), (190, 190, 190), None)


def pottedplant(canvas: Canvas, rng: np.random.Generator, x: float, foot: float, size: float) -> None:
    """Leaves over a clay pot, `size` pixels high."""
    region = canvas.region(x - size, foot - size - 2, x + size, foot + 2)
    leaf = pick(rng, ((60, 140, 66), (92, 150, 60), (48, 120, 88)))
    for lean in (-1.15, -0.6, 0, 0.6, 1.15):
        angle = rng.normal(lean, 0.12)
        tip = (x + 0.42 * size * math.sin(angle), foot - 0.38 * size - 0.56 * size * math.cos(angle))
        stalk = region.capsule((x, foot - 0.36 * size), tip, 0.06 * size, 0.1 * size)
        region.draw(stalk, leaf, "pottedplant")
    if rng.random() < 0.6:
        bloom = pick(rng, ((232, 90, 110), (244, 200, 80), (206, 120, 200)))
        region.draw(region.ellipse(x, foot - 0.78 * size, 0.14 * size, 0.14 * size), bloom, "pottedplant")
    rim = [(x - 0.25 * size, foot - 0.4 * size), (x + 0.25 * size, foot - 0.4 * size)]
    pot = region.polygon(*rim, (x + 0.17 * size, foot), (x - 0.17 * size, foot))
    region.draw(pot, (190, 104, 66), "pottedplant")


def stone(canvas: Canvas, rng: np.random.Generator, x: float, foot: float, size: float) -> None:
    """A boulder, `size` pixels wide."""
    region = canvas.region(x - size, foot - size, x + size, foot + 1)
    if not region.label.size:
        return
    rock = region.ellipse(x, foot - 0.24 * size, 0.5 * size, 0.3 * size)
    rock = np.maximum(rock + (region.noise(rng, 4, 4) - 0.5) * 0.14 * size, region.y - foot)
    light = 0.9 + 0.3 * region.noise(rng, 3, 3) - 0.25 * (region.y - foot + 0.3 * size) / size
    region.draw(rock, shaded(pick(rng, ((136, 132, 128), (122, 116, 108), (150, 142, 130))), light), "stone")


def bush(canvas: Canvas, rng: np.random.Generator, x: float, foot: float, size: float) -> None:
    """A round shrub, `size` pixels wide, sometimes with berries."""
    region = canvas.region(x - size, foot - size, x + size, foot + 1)
    if not region.label.size:
        return
    shape = region.ellipse(x, foot - 0.26 * size, 0.36 * size, 0.3 * size)
    for side in (-1, 1):
        puff = region.ellipse(x + 0.24 * side * size, foot - 0.18 * size, 0.26 * size, 0.22 * size)
        shape = merge(shape, puff, 0.05 * size)
    leaves = region.noise(rng, 2.4, 2.4)
    ragged = np.maximum(shape + (leaves - 0.5) * 0.16 * size, region.y - foot)
    region.draw(ragged, shaded(pick(rng, ((74, 118, 62), (92, 128, 66), (60, 104, 76))), 0.78 + 0.42 * leaves), "tree")
    berries = rng.integers(0, 6) if rng.random() < 0.5 else 0
    for _ in range(int(berries)):
        bx, by = rng.uniform(-0.3, 0.3) * size, rng.uniform(-0.42, -0.08) * size
        region.draw(region.ellipse(x + bx, foot + by, 1.3, 1.3), (206, 60, 70), None)


def ball(canvas: Canvas, rng: np.random.Generator, x: float, foot: float, size: float) -> None:
    """A striped ball, `size` pixels across; nothing any data set labels."""
    region = canvas.region(x - size, foot - size - 1, x + size, foot + 1)
    r = 0.5 * size
    disc = region.ellipse(x, foot - r, r, r)
    region.draw(disc, pick(rng, COLOURS), "ball")
    stripe = np.maximum(disc, np.abs(region.x - x + 0.3 * (region.y - foot + r)) - 0.28 * r)
    region.draw(stripe, (248, 246, 240), "ball")


def person(canvas: Canvas, rng: np.random.Generator, x: float, foot: float, size: float) -> None:
    """Somebody out for a walk, `size` pixels tall."""
    region = canvas.region(x - size, foot - size - 1, x + size, foot + 1)
    stride = rng.uniform(0.06, 0.13) * size
    hip, neck = (x, foot - 0.48 * size), (x, foot - 0.8 * size)
    trousers = pick(rng, ((54, 62, 96), (70, 60, 56), (110, 104, 92)))
    for side in (-1, 1):
        region.draw(region.capsule(hip, (x + side * stride, foot - 1), 0.075 * size, 0.05 * size), trousers, "person")
    region.draw(region.capsule(hip, neck, 0.1 * size, 0.11 * size), pick(rng, COLOURS), "person")
    skin = pick(rng, ((232, 190, 160), (168, 118, 86), (206, 158, 124)))
    region.draw(region.ellipse(x, foot - 0.92 * size, 0.085 * size, 0.095 * size), skin, "person")


def building(canvas: Canvas, rng: np.random.Generator, left: float, right: float, top: float, foot: float) -> None:
    """A house front with rows of windows, sometimes a roof."""
    region = canvas.region(left, top - 8, right, foot)
    if not region.label.size:
        return
    wall = pick(rng, ((196, 170, 144), (176, 112, 92), (206, 200, 186), (150, 152, 160)))
    front = np.maximum(np.maximum(left - region.x, region.x - right), top - region.y)
    light = 0.95 + 0.1 * region.noise(rng, 2, 2)
    region.draw(np.asarray(front, np.float32), shaded(wall, light), "building")
    if rng.random() < 0.5:
        gable = [(left - 1, top + 1), (right + 1, top + 1), ((left + right) / 2, top - 7)]
        region.draw(region.polygon(*gable), pick(rng, ((140, 70, 58), (92, 88, 96))), "building")
    pitch = float(rng.uniform(5, 7))
    across = np.abs((region.x - left - 1) % pitch - pitch / 2) - 0.24 * pitch
    down = np.abs((region.y - top - 1) % pitch - pitch / 2) - 0.28 * pitch
    pane = np.maximum(np.maximum(across, down), front + 1)
    pane_colour = (74, 92, 112) if rng.random() < 0.7 else (238, 214, 140)
    region.draw(np.asarray(pane, np.float32), pane_colour, None)

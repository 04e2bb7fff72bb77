"""What lies behind: skies, mountains, water, trees and the ground, each drawn with its own texture."""

from __future__ import annotations

import numpy as np

from parsenet_cli.data.synthetic.canvas import Array, Canvas, Colour, merge, noise, ridge

SKIES: tuple[tuple[Colour, Colour], ...] = (  # top, horizon
    ((96, 156, 216), (206, 226, 238)),
    ((126, 170, 208), (226, 230, 226)),
    ((110, 130, 176), (244, 206, 170)),
    ((150, 166, 184), (214, 218, 220)),
    ((72, 132, 190), (170, 206, 226)),
)
GRASS: tuple[Colour, ...] = ((112, 156, 74), (134, 166, 84), (96, 142, 82), (158, 168, 92))
GROUND: tuple[Colour, ...] = ((182, 154, 112), (166, 138, 104), (198, 178, 138), (160, 148, 102))
LEAVES: tuple[Colour, ...] = ((66, 112, 62), (84, 124, 58), (58, 102, 76), (146, 128, 58))


def pick(rng: np.random.Generator, colours: tuple[Colour, ...], spread: float = 8) -> Colour:
    """One of the colours, a little changed."""
    colour = np.asarray(colours[rng.integers(len(colours))]) + rng.normal(0, spread, 3)
    return float(colour[0]), float(colour[1]), float(colour[2])


def shaded(colour: Colour, light: Array) -> Array:
    """An (h, w, 3) texture: the colour times a light of about 1."""
    return np.asarray(np.asarray(colour, np.float32) * light[..., None], np.float32)


def sky(canvas: Canvas, rng: np.random.Generator) -> Colour:
    """Fill the canvas with a sky and its clouds; returns the colour at the horizon, for haze and water."""
    top, horizon = (np.asarray(colour, np.float32) for colour in SKIES[rng.integers(len(SKIES))])
    height, width = canvas.height, canvas.width
    depth = np.linspace(0, 1.6, height, dtype=np.float32).clip(0, 1)[:, None, None]
    cloud = noise(rng, height, width, height / 7, width / 3) * 0.65 + noise(rng, height, width, 6, 14) * 0.35
    veil = np.clip((cloud - rng.uniform(0.45, 0.7)) * 4, 0, 0.85)[..., None]
    air = top + depth * (horizon - top)
    region = canvas.region(0, 0, width, height)
    region.draw(np.full((height, width), -1, np.float32), air + veil * (np.float32(244) - air), "sky")
    return float(horizon[0]), float(horizon[1]), float(horizon[2])


def mountain(canvas: Canvas, rng: np.random.Generator, horizon: float, haze: Colour) -> None:
    """A range whose foot is the horizon, one or two layers deep, paler with distance."""
    for layer in range(int(rng.integers(1, 3))):
        rise = horizon * rng.uniform(0.3, 0.62) * (1 - 0.35 * layer)
        tops = horizon - rise * ridge(rng, canvas.width, canvas.width / rng.uniform(2.5, 5))
        region = canvas.region(0, float(tops.min()) - 1, canvas.width, horizon)
        rock = np.asarray(pick(rng, ((104, 112, 128), (122, 116, 116), (92, 108, 108))), np.float32)
        pale = rock + (0.45 - 0.25 * layer) * (np.asarray(haze, np.float32) - rock)
        light = 0.86 + 0.28 * region.noise(rng, 9, 5)
        snow = np.clip((tops + 0.18 * rise - region.y) * 0.5, 0, 1)[..., None] * (1.0 if rng.random() < 0.4 else 0.0)
        colour = pale * light[..., None]
        region.draw(tops - region.y, colour + 0.8 * snow * (240 - colour), "mountain")


def water(canvas: Canvas, rng: np.random.Generator, top: float, bottom: float, reflected: Colour, name: str) -> None:
    """A lake or a sea between two rows, in the colours of the sky with ripples that widen towards the viewer."""
    region = canvas.region(0, top, canvas.width, bottom)
    if not region.label.size:
        return
    deep = np.asarray(pick(rng, ((76, 126, 156), (92, 138, 166), (84, 132, 142))), np.float32)
    depth = np.linspace(0, 1, region.y.size, dtype=np.float32)[:, None, None]
    ripple = region.noise(rng, 1.7, 11) - 0.5 + 0.7 * (region.noise(rng, 3.5, 24) - 0.5)
    colour = np.asarray(reflected, np.float32) * 0.92 * (1 - depth) + deep * depth
    region.draw(np.full(region.label.shape, -1, np.float32), colour + ripple[..., None] * (14 + 34 * depth), name)


def land(canvas: Canvas, rng: np.random.Generator, top: Array | float, colours: tuple[Colour, ...], name: str) -> None:
    """Everything below a line of rows, `top` (1, width) or one row: grass, ground, sand or a field."""
    tops = np.broadcast_to(np.asarray(top, np.float32), (1, canvas.width))
    region = canvas.region(0, float(tops.min()) - 1, canvas.width, canvas.height)
    blades = name in ("grass", "field")
    fine = region.noise(rng, 3.2 if blades else 1.6, 1.3 if blades else 1.8) - 0.5
    light = 0.98 + 0.22 * (region.noise(rng, 9, 22) - 0.5) + (0.26 if blades else 0.16) * fine
    near = np.linspace(1.06, 0.94, region.y.size, dtype=np.float32)[:, None]
    region.draw(tops - region.y, shaded(pick(rng, colours), light * near), name)


def path(canvas: Canvas, rng: np.random.Generator, horizon: float, colours: tuple[Colour, ...], name: str) -> None:
    """A way that winds from the horizon towards the viewer."""
    region = canvas.region(0, horizon, canvas.width, canvas.height)
    depth = (region.y - horizon) / max(canvas.height - horizon, 1)
    start, end = rng.uniform(0.2, 0.8) * canvas.width, rng.uniform(0.2, 0.8) * canvas.width
    bend = rng.uniform(-0.25, 0.25) * canvas.width
    centre = start + (end - start) * depth + bend * np.sin(np.pi * depth)
    half = canvas.width * (0.012 + rng.uniform(0.1, 0.2) * depth)
    light = 0.96 + 0.18 * (region.noise(rng, 2, 3) - 0.5)
    region.draw(np.abs(region.x - centre) - half, shaded(pick(rng, colours), light), name)


def pond(canvas: Canvas, rng: np.random.Generator, horizon: float, reflected: Colour) -> None:
    """A flat ellipse of water on the land."""
    cx = rng.uniform(0.1, 0.9) * canvas.width
    cy = rng.uniform(horizon + 8, canvas.height - 6)
    rx, ry = rng.uniform(0.18, 0.36) * canvas.width, rng.uniform(0.035, 0.075) * canvas.height
    region = canvas.region(cx - rx - 2, cy - ry - 2, cx + rx + 2, cy + ry + 2)
    if region.label.size:
        light = 0.92 + 0.2 * (region.noise(rng, 1.7, 9) - 0.5)
        region.draw(region.ellipse(cx, cy, rx, ry), shaded(reflected, light), "water")


def tree(canvas: Canvas, rng: np.random.Generator, foot: float, size: float) -> None:
    """A tree at a random place, standing on row `foot`, about `size` pixels high: a conifer or a round crown."""
    cx = rng.uniform(0, canvas.width)
    region = canvas.region(cx - size * 0.5, foot - size * 1.1, cx + size * 0.5, foot + 2)
    if not region.label.size:
        return
    x, y = region.x, region.y
    region.draw(
        region.capsule((cx, foot), (cx, foot - 0.5 * size), 0.055 * size + 0.6, 0.03 * size + 0.5), (98, 76, 56), "tree"
    )
    if rng.random() < 0.35:
        slope = (y - (foot - size)) * 0.3 + 0.05 * size * np.sin((y - foot) * 9 / size)
        crown = np.maximum(np.abs(x - cx) - slope, y - (foot - 0.14 * size)).astype(np.float32)
    else:
        crown = region.ellipse(cx, foot - 0.66 * size, 0.3 * size, 0.28 * size)
        for _ in range(3):
            dx, dy = rng.uniform(-0.18, 0.18) * size, rng.uniform(-0.18, 0.18) * size
            puff = region.ellipse(cx + dx, foot - 0.66 * size + dy, 0.2 * size, 0.18 * size)
            crown = merge(crown, puff, 0.06 * size)
    ragged = crown + (region.noise(rng, 3, 3) - 0.5) * 0.08 * size
    light = 0.82 + 0.36 * region.noise(rng, 2.6, 2.6) + 0.12 * (foot - 0.6 * size - y) / size
    region.draw(ragged, shaded(pick(rng, LEAVES), light), "tree")


def treeline(canvas: Canvas, rng: np.random.Generator, horizon: float) -> None:
    """A distant wood along the horizon."""
    tops = horizon - canvas.height * rng.uniform(0.06, 0.13) * (0.5 + ridge(rng, canvas.width, 14))
    region = canvas.region(0, float(tops.min()) - 1, canvas.width, horizon + 1)
    light = 0.84 + 0.32 * region.noise(rng, 2.4, 2.4)
    region.draw(tops - region.y, shaded(pick(rng, LEAVES), light), "tree")

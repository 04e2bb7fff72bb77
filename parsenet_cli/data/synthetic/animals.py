"""Animals whose bodies are shared in pairs: only the small head tells which animal it is.

Every coat is worn by exactly two species (a ring), and body, legs and tail are of one build for all. So a pixel of the
hind body is ambiguous for a network that does not see as far as the head, while the image as a whole is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from parsenet_cli.data.synthetic.canvas import Array, Canvas, Colour, Frame, Point, Region, merge

SPECIES = ("cat", "cow", "dog", "horse", "sheep")
COATS: dict[str, tuple[str, str]] = {
    "cat": ("charcoal", "ginger"),
    "dog": ("ginger", "curls"),
    "sheep": ("curls", "flecked"),
    "cow": ("flecked", "piebald"),
    "horse": ("piebald", "charcoal"),
}
"""The two coats of each species; each coat belongs to two species."""


@dataclass(frozen=True)
class Pose:
    """Where an animal stands and how it is built; lengths in pixels, `facing` +1 to the right and -1 to the left."""

    x: float
    foot: float
    length: float
    facing: int
    head_lift: float
    """Height of the head's centre above the back, in head radii (negative: grazing)."""

    @property
    def half(self) -> float:
        return 0.38 * self.length

    @property
    def girth(self) -> float:
        return 0.155 * self.length

    @property
    def head(self) -> float:
        return 0.095 * self.length

    @property
    def y(self) -> float:
        return self.foot - 0.4 * self.length


def random_pose(rng: np.random.Generator, x: float, foot: float, length: float) -> Pose:
    """A standing animal of a given length from tail to nose, facing either way, its head up or lowered."""
    return Pose(x, foot, length, 1 if rng.random() < 0.5 else -1, float(rng.uniform(-1.6, 0.9)))


def draw(canvas: Canvas, rng: np.random.Generator, species: str, pose: Pose) -> None:
    """Draw one animal with its label."""
    reach = 0.75 * pose.length
    region = canvas.region(pose.x - reach, pose.y - 0.5 * pose.length, pose.x + reach, pose.foot + 3)
    if not region.label.size:
        return
    own = Frame((region.x - pose.x) * pose.facing, region.y - pose.y)
    coat = _coat(rng, COATS[species][rng.integers(2)], region)
    shadow = region.ellipse(pose.x, pose.foot, pose.half * 1.1, 0.045 * pose.length)
    region.draw(shadow * np.float32(0.5), (40, 44, 40), None, opacity=0.32)
    body, far = _body(own, pose, rng)
    light = np.clip(1.04 - 0.2 * own.y / pose.girth, 0.74, 1.12)[..., None].astype(np.float32)
    region.draw(far, coat * 0.72, species)
    region.draw(body, coat * light, species)
    x = pose.x + pose.facing * (pose.half + 0.55 * pose.head)
    y = pose.y - 0.75 * pose.girth - pose.head_lift * pose.head
    reach = 2.2 * pose.head
    region = canvas.region(x - reach, y - reach, x + reach, y + reach)
    _HEADS[species](_Head(region, Frame((region.x - x) * pose.facing, region.y - y), pose.head))


def _body(own: Frame, pose: Pose, rng: np.random.Generator) -> tuple[Array, Array]:
    """Distances to the near side (trunk, neck, tail, two legs) and to the two far legs, in the animal's own frame."""
    a, b, r = pose.half, pose.girth, pose.head
    trunk = merge(own.ellipse(0, 0, a, b), own.ellipse(0.66 * a, -0.1 * b, 0.36 * a, 1.04 * b), 3)
    trunk = merge(trunk, own.ellipse(-0.66 * a, -0.12 * b, 0.36 * a, 1.02 * b), 3)
    neck = own.capsule((0.8 * a, -0.3 * b), (a + 0.3 * r, -0.75 * b - pose.head_lift * r), 0.75 * r, 0.62 * r)
    trunk = merge(trunk, neck, 4)
    ground = pose.foot - pose.y
    thick = 0.026 * pose.length
    limbs = []
    for hip in (0.78, -0.82, 0.58, -0.6):
        step = rng.uniform(-0.08, 0.08) * pose.length
        top, knee = (hip * a, 0.45 * b), (hip * a + 0.3 * step, 0.62 * ground)
        foot = (hip * a + step, ground - thick)
        upper = own.capsule(top, knee, 1.7 * thick, thick)
        limbs.append(np.minimum(upper, own.capsule(knee, foot, thick, 0.85 * thick)))
    lift, curl = rng.uniform(-0.9, 1.1), rng.uniform(-0.7, 0.7)
    tip, step = (-0.98 * a, -0.45 * b), 0.075 * pose.length
    for segment in range(3):
        angle = lift + curl * segment
        end = tip[0] - step * math.cos(angle), tip[1] + step * math.sin(angle)
        width = (0.021 - 0.003 * segment) * pose.length
        trunk = merge(trunk, own.capsule(tip, end, width, width * 0.85), 1.2)
        tip = end
    near = merge(merge(trunk, limbs[0], 2), limbs[1], 2)
    return near, np.minimum(limbs[2], limbs[3])


def _coat(rng: np.random.Generator, kind: str, region: Region) -> Array:
    """The fur of a region, (h, w, 3)."""
    fur = 0.92 + 0.16 * region.noise(rng, 2, 2)[..., None]
    base, mark, cover = _COATS[kind]
    marked = np.clip(cover(rng, region, region.noise(rng, 12, 12)), 0, 1)[..., None]
    tint = np.asarray(rng.normal(0, 5, 3), np.float32)
    plain, marking = np.asarray(base, np.float32) + tint, np.asarray(mark, np.float32) + tint
    return np.asarray((plain + marked * (marking - plain)) * fur, np.float32)


def _stripes(_rng: np.random.Generator, region: Region, warp: Array) -> Array:
    return np.asarray(1.6 * np.sin(region.x / 2.4 + region.y / 9 + 7 * warp) - 0.5, np.float32)


_COATS: dict[str, tuple[Colour, Colour, Callable[[np.random.Generator, Region, Array], Array]]] = {
    "ginger": ((214, 146, 82), (166, 96, 48), _stripes),
    "charcoal": ((104, 102, 108), (68, 66, 74), lambda rng, region, warp: 2 * warp - 0.4),
    "curls": ((240, 230, 206), (202, 186, 156), lambda rng, region, warp: 3 * region.noise(rng, 3, 3) - 1.3),
    "flecked": ((222, 220, 216), (140, 128, 122), lambda rng, region, warp: 6 * region.noise(rng, 4.5, 4.5) - 4),
    "piebald": ((236, 228, 214), (122, 74, 48), lambda rng, region, warp: 12 * region.noise(rng, 13, 15) - 6),
}
"""The fur's colour, that of its markings, and where these are: above 1, and nowhere below 0."""


@dataclass(frozen=True)
class _Head:
    """A place to draw a head: a region with coordinates about its centre (u forward, v down), and its radius."""

    region: Region
    own: Frame
    radius: float

    def ball(self, u: float, v: float, ru: float, rv: float, colour: Colour, name: str | None) -> None:
        """An ellipse, all lengths in head radii."""
        self.region.draw(self.own.ellipse(*(length * self.radius for length in (u, v, ru, rv))), colour, name)

    def cone(self, corners: list[Point], colour: Colour, name: str | None) -> None:
        """A convex polygon, corners in head radii."""
        self.region.draw(self.own.polygon(*map(self._scaled, corners)), colour, name)

    def limb(self, start: Point, end: Point, thick: float, tip: float, colour: Colour, name: str) -> None:
        """A tapering stroke, all lengths in head radii."""
        radii = thick * self.radius, tip * self.radius
        self.region.draw(self.own.capsule(self._scaled(start), self._scaled(end), *radii), colour, name)

    def _scaled(self, point: Point) -> Point:
        return point[0] * self.radius, point[1] * self.radius


def _cat(head: _Head) -> None:
    for u in (-0.62, 0.5):
        head.cone([(u - 0.38, -0.5), (u + 0.42, -0.5), (u + 0.05, -1.5)], (86, 74, 70), "cat")
        head.cone([(u - 0.16, -0.55), (u + 0.22, -0.55), (u + 0.04, -1.15)], (236, 150, 150), "cat")
    head.ball(0, 0, 1.0, 0.9, (126, 112, 104), "cat")
    head.ball(0.3, 0.35, 0.6, 0.45, (238, 230, 222), "cat")
    for u in (-0.2, 0.55):
        head.ball(u, -0.15, 0.2, 0.23, (120, 214, 96), None)
        head.ball(u + 0.03, -0.15, 0.07, 0.2, (20, 24, 20), None)
    head.cone([(0.15, 0.15), (0.5, 0.15), (0.32, 0.36)], (232, 110, 120), None)


def _dog(head: _Head) -> None:
    head.ball(0, 0, 0.92, 0.86, (150, 100, 58), "dog")
    head.limb((0.5, 0.25), (1.3, 0.32), 0.48, 0.36, (224, 196, 152), "dog")
    head.ball(1.55, 0.18, 0.22, 0.2, (24, 22, 24), "dog")
    head.limb((1.0, 0.7), (1.02, 1.08), 0.17, 0.15, (232, 86, 96), "dog")
    head.limb((-0.35, -0.55), (-0.62, 0.75), 0.36, 0.42, (72, 42, 26), "dog")
    head.ball(0.35, -0.22, 0.17, 0.17, (26, 20, 18), None)
    head.limb((-0.75, 0.92), (0.15, 1.0), 0.16, 0.16, (206, 44, 48), "dog")


def _sheep(head: _Head) -> None:
    head.limb((-0.45, -0.3), (-1.05, 0.1), 0.24, 0.2, (44, 40, 42), "sheep")
    head.limb((0.1, -0.1), (0.85, 0.62), 0.62, 0.42, (48, 44, 46), "sheep")
    for u, v in ((-0.35, -0.62), (0.15, -0.78), (0.5, -0.55)):
        head.ball(u, v, 0.42, 0.36, (250, 246, 236), "sheep")
    head.ball(0.42, 0.05, 0.15, 0.15, (250, 250, 240), None)
    head.ball(0.46, 0.05, 0.07, 0.08, (20, 20, 20), None)


def _cow(head: _Head) -> None:
    for u in (-0.5, 0.4):
        lean = -0.35 if u < 0 else 0.4
        head.limb((u, -0.65), (u + lean, -1.4), 0.17, 0.08, (246, 236, 196), "cow")
    head.limb((-0.6, -0.35), (-1.1, -0.15), 0.2, 0.24, (60, 44, 38), "cow")
    head.limb((0, -0.1), (0.5, 0.5), 0.82, 0.66, (66, 50, 44), "cow")
    head.limb((0.2, -0.45), (0.55, 0.5), 0.2, 0.26, (246, 242, 236), "cow")
    head.ball(0.68, 0.75, 0.66, 0.48, (238, 168, 164), "cow")
    for u in (0.5, 0.95):
        head.ball(u, 0.72, 0.1, 0.13, (150, 84, 84), None)
    head.ball(-0.05, -0.1, 0.15, 0.16, (16, 14, 14), None)


def _horse(head: _Head) -> None:
    head.limb((-1.15, 0.75), (-0.15, -0.75), 0.42, 0.3, (34, 24, 22), "horse")
    for u in (-0.3, 0.15):
        head.cone([(u - 0.16, -0.55), (u + 0.2, -0.55), (u + 0.04, -1.25)], (112, 62, 34), "horse")
    head.limb((0, -0.1), (1.0, 0.85), 0.64, 0.4, (158, 84, 42), "horse")
    head.limb((0.22, -0.25), (0.95, 0.55), 0.12, 0.1, (248, 240, 230), "horse")
    head.ball(1.12, 0.95, 0.36, 0.32, (74, 48, 40), "horse")
    head.limb((-0.1, -0.8), (0.3, -0.3), 0.2, 0.1, (34, 24, 22), "horse")
    head.ball(0.12, 0.0, 0.14, 0.15, (16, 12, 12), None)


_HEADS = {"cat": _cat, "cow": _cow, "dog": _dog, "horse": _horse, "sheep": _sheep}

"""The scenes of the generated data sets: small images in which each mechanism of the paper can act.

*Animals* (`synthetic_voc`, `synthetic_context`; 144 pixels): one species in a scene, its coat shared with another
species, its head small and far from its tail. Whoever sees the whole image knows the animal; whoever sees half of it
often does not (§3.1). Thin legs and tails, sharp outlines and small things give the lower layers something to add
(§3.2). *Outdoors* (`synthetic_siftflow`; 80 pixels): a receptive field of about 80 pixels sees the whole image
anyway, as the paper explains for SiftFlow (§4.2).

A scene is a pure function of its generator: same state, same image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from parsenet_cli.data.synthetic import animals, objects, scenery
from parsenet_cli.data.synthetic.canvas import Canvas, ridge

SIZE = 144
"""Height and width of an animal scene, in pixels."""
PORTRAIT_SIZE = 96
"""Height and width of an image for pretraining, in pixels."""
OUTDOOR_SIZE = 80
"""Height and width of an outdoor scene, in pixels."""

VOC_CLASSES = ("background", "bird", "bottle", "car", "cat", "cow", "dog", "horse", "pottedplant", "sheep")
"""The VOC classes that occur, in VOC's order."""
CONTEXT_CLASSES = ("cat", "cow", "dog", "horse", "sheep", "grass", "ground", "mountain", "sky", "tree", "water")
"""The PASCAL-Context classes that occur, in FCN's order, without the class 0 of everything else."""
OUTDOOR_CLASSES = ("building", "car", "field", "mountain", "person", "road", "sand", "sea", "sky", "tree")
"""The SiftFlow classes that occur, in FCN's order; a label map counts them from 1, 0 is unlabelled."""

PRETRAINING_CLASSES = tuple(sorted({*VOC_CLASSES[1:], *CONTEXT_CLASSES, *OUTDOOR_CLASSES}))
"""Everything that can be in a scene."""


Draw = Callable[[Canvas, np.random.Generator], None]
Thing = Callable[[Canvas, np.random.Generator, float, float, float], None]
"""Draws something at a column, standing on a row, of a size."""


@dataclass(frozen=True)
class Scene:
    """One image with its labels.

    Attributes:
        image: (H, W, 3), RGB.
        label: (H, W), ids of the data set.
    """

    image: npt.NDArray[np.uint8]
    label: npt.NDArray[np.uint8]


def voc_scene(rng: np.random.Generator) -> Scene:
    """Animals and small things as VOC labels them: scenery is background, 255 a line around every object."""
    scene = _scene(rng, SIZE, VOC_CLASSES, _animal_scene, first=0)
    return replace(scene, label=_with_void(scene.label))


def context_scene(rng: np.random.Generator) -> Scene:
    """The same animals among labelled stuff, as PASCAL-Context labels them: every pixel has a class, 0 the rest."""
    return _scene(rng, SIZE, CONTEXT_CLASSES, _animal_scene)


def pretraining_scene(rng: np.random.Generator) -> Scene:
    """An image for training a trunk: an animal's portrait, as an ImageNet image is centred on its object, or outdoors.

    Ids count `PRETRAINING_CLASSES` from 1; only which of them occur is meant to be used.
    """
    return _scene(rng, PORTRAIT_SIZE, PRETRAINING_CLASSES, _outdoors if rng.random() < 0.25 else _portrait)


def outdoor_scene(rng: np.random.Generator) -> Scene:
    """A coast, a countryside or a street, as SiftFlow labels them: 0 unlabelled, classes from 1."""
    return _scene(rng, OUTDOOR_SIZE, OUTDOOR_CLASSES, _outdoors)


def _scene(rng: np.random.Generator, size: int, classes: tuple[str, ...], draw: Draw, first: int = 1) -> Scene:
    """What `draw` puts on a square canvas whose labels count the classes from `first`."""
    canvas = Canvas(size, size, {name: index for index, name in enumerate(classes, first)})
    draw(canvas, rng)
    return Scene(canvas.image(rng), canvas.label)


def _portrait(canvas: Canvas, rng: np.random.Generator) -> None:
    horizon = _landscape(canvas, rng)
    _scatter(canvas, rng, horizon + 6, canvas.height - 4, int(rng.integers(0, 3)))
    name = animals.SPECIES[rng.integers(len(animals.SPECIES))]
    pose = animals.random_pose(rng, 0, canvas.height + rng.uniform(-12, 8), rng.uniform(88, 124))
    middle = canvas.width / 2 + rng.uniform(-18, 18)
    animals.draw(canvas, rng, name, replace(pose, x=middle - pose.facing * pose.half))
    if rng.random() < 0.4:
        objects.bird(canvas, rng, rng.uniform(8, canvas.width - 8), rng.uniform(8, horizon), rng.uniform(18, 32))


def _outdoors(canvas: Canvas, rng: np.random.Generator) -> None:
    (_coast, _country, _street)[rng.integers(3)](canvas, rng)


def _animal_scene(canvas: Canvas, rng: np.random.Generator) -> None:
    """Scenery, then small things, animals of one species and things in front of them."""
    horizon = _landscape(canvas, rng)
    name = animals.SPECIES[rng.integers(len(animals.SPECIES))]
    for _ in range(int(rng.integers(0, 3))):
        size = rng.uniform(18, 32)
        objects.bird(canvas, rng, rng.uniform(8, canvas.width - 8), rng.uniform(8, horizon - 4), size)
    _scatter(canvas, rng, horizon + 8, canvas.height * 0.8, int(rng.integers(1, 4)))
    if rng.random() < 0.4:
        _second_animal(canvas, rng, horizon, name)
    length = rng.uniform(96, 116)
    x = canvas.width / 2 + rng.uniform(-9, 9)
    foot = rng.uniform(max(horizon + 26, 0.72 * canvas.height), canvas.height - 6)
    animals.draw(canvas, rng, name, animals.random_pose(rng, x, foot, length))
    _scatter(canvas, rng, min(foot + 2, canvas.height - 3), canvas.height - 1, int(rng.integers(0, 3)))


def _second_animal(canvas: Canvas, rng: np.random.Generator, horizon: float, name: str) -> None:
    """One more of the same kind farther away; often the frame cuts its head off."""
    foot = rng.uniform(horizon + 14, horizon + 34)
    pose = animals.random_pose(rng, rng.uniform(0, canvas.width), foot, rng.uniform(58, 78))
    if rng.random() < 0.6:
        edge = canvas.width if pose.facing > 0 else 0
        pose = replace(pose, x=edge + pose.facing * rng.uniform(-0.75, -0.1) * pose.half)
    animals.draw(canvas, rng, name, pose)


def _landscape(canvas: Canvas, rng: np.random.Generator) -> float:
    """Sky, what stands before it, and the land or water below; returns the row of the horizon."""
    haze = scenery.sky(canvas, rng)
    horizon = canvas.height * rng.uniform(0.3, 0.46)
    far = rng.random()
    if far < 0.45:
        scenery.mountain(canvas, rng, horizon, haze)
    elif far < 0.75:
        scenery.treeline(canvas, rng, horizon)
    shore = horizon
    if rng.random() < 0.4:
        shore = horizon + canvas.height * rng.uniform(0.08, 0.2)
        scenery.water(canvas, rng, horizon, shore + 4, haze, "water")
    bare = rng.random() < 0.35
    edge = shore - 5 * ridge(rng, canvas.width, 40)
    scenery.land(canvas, rng, edge, scenery.GROUND if bare else scenery.GRASS, "ground" if bare else "grass")
    if not bare and rng.random() < 0.4:
        scenery.path(canvas, rng, shore + 3, scenery.GROUND, "ground")
    elif rng.random() < 0.35:
        scenery.pond(canvas, rng, shore, haze)
    for _ in range(int(rng.integers(0, 4))):
        scenery.tree(canvas, rng, shore + rng.uniform(2, 16), rng.uniform(26, 58))
    return float(shore)


def _scatter(canvas: Canvas, rng: np.random.Generator, top: float, bottom: float, count: int) -> None:
    """Small things at random places of a band of the ground, the farther the smaller."""
    for foot in _feet(rng, top, bottom, count):
        x, size = rng.uniform(6, canvas.width - 6), rng.uniform(22, 32) * (0.5 + 0.5 * foot / canvas.height)
        kind = int(rng.integers(8))
        draw, scale = _SMALL_THINGS[kind // 2]
        if kind == 6:
            draw, scale = (objects.stone, objects.bush)[rng.integers(2)], 1.1
        draw(canvas, rng, x, foot, scale * size)


# How each is drawn, and how large.
_SMALL_THINGS = ((objects.bottle, 1.1), (objects.car, 1.4), (objects.pottedplant, 1.1), (objects.ball, 0.55))


def _feet(rng: np.random.Generator, top: float, bottom: float, count: int) -> list[float]:
    """The rows that things of a band stand on, from far to near."""
    return sorted(rng.uniform(min(top, bottom), bottom) for _ in range(count))


def _with_void(label: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The label map with 255 on the pixels just outside of an object, where VOC's annotators left a border."""
    from scipy.ndimage import binary_dilation

    inside = label != 0
    return np.where(binary_dilation(inside) & ~inside, np.uint8(255), label)


def _coast(canvas: Canvas, rng: np.random.Generator) -> None:
    haze = scenery.sky(canvas, rng)
    horizon = canvas.height * rng.uniform(0.3, 0.5)
    if rng.random() < 0.5:
        scenery.mountain(canvas, rng, horizon, haze)
    shore = canvas.height * rng.uniform(0.58, 0.85)
    scenery.water(canvas, rng, horizon, canvas.height, haze, "sea")
    slope = np.linspace(-8, 8, canvas.width, dtype=np.float32)[None, :] * rng.uniform(-1, 1)
    sand = ((222, 202, 158), (208, 186, 146), (230, 214, 180))
    scenery.land(canvas, rng, shore + slope + 4 * ridge(rng, canvas.width, 24), sand, "sand")
    _some(canvas, rng, shore + 8, objects.person, 4, (13, 20))
    if rng.random() < 0.5:
        objects.stone(canvas, rng, rng.uniform(0, canvas.width), rng.uniform(shore, canvas.height), rng.uniform(9, 18))
    if rng.random() < 0.3:
        scenery.tree(canvas, rng, shore + 8, rng.uniform(24, 38))


def _country(canvas: Canvas, rng: np.random.Generator) -> None:
    haze = scenery.sky(canvas, rng)
    horizon = canvas.height * rng.uniform(0.34, 0.55)
    if rng.random() < 0.6:
        scenery.mountain(canvas, rng, horizon, haze)
    fields = ((186, 176, 98), (142, 164, 84), (172, 150, 92))
    scenery.land(canvas, rng, horizon - 6 * ridge(rng, canvas.width, 26), fields, "field")
    if rng.random() < 0.5:
        scenery.path(canvas, rng, horizon + 4, _ASPHALT, "road")
        if rng.random() < 0.6:
            _some(canvas, rng, horizon + 10, objects.car, 6, (15, 24))
    for _ in range(int(rng.integers(1, 5))):
        scenery.tree(canvas, rng, horizon + rng.uniform(3, 20), rng.uniform(18, 40))
    if rng.random() < 0.3:
        left = rng.uniform(0, canvas.width - 22)
        objects.building(canvas, rng, left, left + rng.uniform(14, 22), horizon - 6, horizon + 10)
    _some(canvas, rng, horizon + 18, objects.person, 4, (13, 20))


def _street(canvas: Canvas, rng: np.random.Generator) -> None:
    scenery.sky(canvas, rng)
    kerb = canvas.height * rng.uniform(0.58, 0.74)
    scenery.land(canvas, rng, kerb - 3, _ASPHALT, "road")
    left = -rng.uniform(0, 8)
    while left < canvas.width:
        right = left + rng.uniform(14, 30)
        if rng.random() < 0.85:
            objects.building(canvas, rng, left, right, kerb - rng.uniform(22, 42), kerb)
        left = right + rng.uniform(0, 3)
    for _ in range(int(rng.integers(0, 3))):
        scenery.tree(canvas, rng, kerb + 2, rng.uniform(18, 30))
    _some(canvas, rng, kerb + 8, objects.car, 6, (15, 24))
    _some(canvas, rng, kerb + 6, objects.person, 4, (13, 20))


_ASPHALT = ((118, 116, 118), (134, 130, 126), (104, 106, 112))


def _some(canvas: Canvas, rng: np.random.Generator, top: float, draw: Thing, edge: int, sizes: tuple[int, int]) -> None:
    """None, one or two of a thing below the row `top`, `edge` pixels or more from the sides, of one of the `sizes`."""
    for foot in _feet(rng, top, canvas.height - 1, int(rng.integers(0, 3))):
        draw(canvas, rng, rng.uniform(edge, canvas.width - edge), foot, rng.uniform(*sizes))


SPLITS: Mapping[str, int] = {"train": 400, "val": 150}
"""Images per split."""

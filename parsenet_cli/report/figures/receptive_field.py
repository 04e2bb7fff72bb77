"""How much of the image a cell of fc7 really looks at (§3.1, and Fig. 2 of the paper's second version; docs/figures.md).

A small patch of the image is replaced by noise, and the patch slides: where the noise leaves an activation as it was, the
image is outside the empirical receptive field. The gradient of the same activation is an independent second look.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.text import counted
from parsenet_cli.report import plot as plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from parsenet_cli.engine.loaded import LoadedNetwork
    from parsenet_cli.engine.receptive_field import FieldSample, Floats

THRESHOLDS = ("0.05", "0.10")
"""Fractions of the peak of the change above which a pixel counts as seen."""

MASS = 0.95
"""The gradient's field: the smallest area with this share of its sum."""

KEPT_SIDE = 320
MAP_CELLS = 96


def data(
    network: LoadedNetwork,
    *,
    images: int = 4,
    units: int = 4,
    draws: int = 2,
    patch: int | None = None,
    stride: int | None = None,
) -> dict[str, Any]:
    """Slide noise over `images` validation images and watch the `units` strongest channels of one cell of fc7 in each.

    Args:
        network: what is looked at.
        images: how many, spread over the validation list.
        units: channels per image: the largest activations at the cell whose activations are largest together.
        draws: noises, uniform in 0 to 255, per place of the patch; the change is their mean.
        patch: side of the patch in pixels; 8 for theoretical fields up to 128 pixels, else 16.
        stride: pixels between places of the patch; half of `patch`.

    Only places that touch the theoretical field are tried: elsewhere nothing can change. What a patch of noise finds is the
    field of a pixel made wider by about half a patch on every side: the empirical area is rather over- than underestimated.

    Raises:
        UserError: no activation of fc7 is positive.
    """
    from parsenet_cli.engine.receptive_field import measure

    grid = network.model.trunk.grids["fc7"]
    patch = patch or (8 if grid.field <= 128 else 16)
    stride = stride or max(1, patch // 2)
    rng = np.random.default_rng(network.science.seed)
    sample = network.sample(images)
    step = counted(network.progress, len(sample))
    looked: dict[int, FieldSample] = {}
    for i in sample:
        if here := measure(network, i, units, draws, patch, stride, rng):
            looked[i] = here
        step(network.val.ids[i])
    if not looked:
        raise UserError(
            "figure receptive-field: every activation of fc7 is zero, so that none can change; train the network"
        )
    found = [unit for i, one in looked.items() for unit in _units(network, i, one)]
    first = next(iter(looked))
    half = math.ceil(grid.field / 2) + patch
    return {
        "patch": patch,
        "stride": stride,
        "draws": draws,
        "field": grid.field,
        "images": len(looked),
        "units": found,
        "shares": {name: _over_images(found, name) for name in (*THRESHOLDS, "gradient")},
        "image_share": _over_images(found, "image"),
        "mean_change": _small(_mean_map(looked.values(), "changes", half)),
        "mean_gradient": _small(_mean_map(looked.values(), "gradients", half)),
        "half": half,
        "example": _example(network, first, looked[first]),
    }


def draw(data: dict[str, Any]) -> Figure:
    """An image with both fields of one unit; the mean change around a cell; the mean gradient."""
    figure = plotting.new(plotting.PAGE, 3.2)
    image, change, gradient = figure.subplots(1, 3)
    _draw_example(image, data)
    peak = f"{plotting.percent(float(THRESHOLDS[1]))} of the peak"
    _draw_map(change, data, np.array(data["mean_change"]), float(THRESHOLDS[1]))
    change.set_title(f"change by noise, mean of {len(data['units'])} units\nline: {peak}")
    of_gradient = np.array(data["mean_gradient"])
    _draw_map(gradient, data, of_gradient, _mass_level(of_gradient))
    gradient.set_title(f"gradient, mean of {len(data['units'])} units\nline: {plotting.percent(MASS)} of the sum")
    about, shares = data["about"], data["shares"]
    network = f"run {about['run']}" if about["run"] else f"initial weights {about['weights']}"
    five, ten, mass = (plotting.percent(shares[key]["estimate"]) for key in (*THRESHOLDS, "gradient"))
    low, high = (plotting.percent(min(1, max(0, shares[THRESHOLDS[1]][end]))) for end in ("low", "high"))
    field = f"{data['field']}x{data['field']}"
    text = (
        f"{about['trunk']}, body {about['body']}, {network}, on {data['images']} validation images of {about['data']}; "
        f"noise of {data['patch']}x{data['patch']} pixels every {data['stride']}. Dashes: the theoretical field, {field} pixels. "
        f"Of its part in the image a single unit notices noise in {ten} (95 %: {low} to {high}; threshold 10 % of its peak; "
        f"{five} at 5 %), and {mass} hold {plotting.percent(MASS)} of its gradient. Of the whole image: "
        f"{plotting.percent(data['image_share']['estimate'])}."
    )
    plotting.caption(figure, text, plotting.PAGE)
    return figure


def _units(network: LoadedNetwork, i: int, one: FieldSample) -> Iterator[dict[str, Any]]:
    """The areas of each unit, in pixels."""
    top, left, bottom, right = one.square
    height, width = network.val.shapes[i]
    for n, channel in enumerate(one.channels):
        change, gradient = one.changes[n], one.gradients[n]
        area = {text: int((change > float(text) * change.max()).sum()) if change.any() else 0 for text in THRESHOLDS}
        yield {
            "image": network.val.ids[i],
            "channel": channel,
            "centre": list(one.centre),
            "activation": float(one.activations[n]),
            "area": {**area, "gradient": int((gradient >= _mass_level(gradient)).sum()) if gradient.any() else 0},
            "theoretical_area": (bottom - top) * (right - left),
            "image_area": height * width,
        }


def _over_images(units: list[dict[str, Any]], name: str) -> dict[str, float]:
    """Mean share of the visible theoretical area, of units, then of images; 95 % by Student's t over images.

    `image`: the area above the second threshold as a share of the whole image.
    """
    from parsenet_cli.claims.estimate import Estimate

    shares: dict[str, list[float]] = {}
    for unit in units:
        area, whole = (THRESHOLDS[1], "image_area") if name == "image" else (name, "theoretical_area")
        shares.setdefault(unit["image"], []).append(unit["area"][area] / unit[whole])
    means = np.array([np.mean(values) for values in shares.values()])
    variance = float(means.var(ddof=1)) / len(means) if len(means) > 1 else 0.0
    return Estimate(float(means.mean()), variance, len(means) - 1).as_data() | {"pictures": len(means)}


def _mean_map(samples: Iterable[FieldSample], name: str, half: int) -> Floats:
    """The mean over units of maps scaled to a peak of 1, the cell's centre in the middle; outside the image nothing counts."""
    total, count = np.zeros((2, 2 * half + 1, 2 * half + 1))
    for sample in samples:
        top, left = (round(begin - middle) + half for begin, middle in zip(sample.window, sample.centre, strict=False))
        for values in getattr(sample, name):
            if values.any():
                place = slice(top, top + values.shape[0]), slice(left, left + values.shape[1])
                total[place] += values / values.max()
                count[place] += 1
    return np.asarray(total / np.maximum(count, 1))


def _small(values: Floats) -> list[list[float]]:
    """At most `MAP_CELLS` cells a side, each the mean of its pixels, the peak 1."""
    height, width = values.shape
    edges = [np.linspace(0, length, min(length, MAP_CELLS) + 1).astype(int) for length in (height, width)]
    summed = np.add.reduceat(np.add.reduceat(values, edges[0][:-1], axis=0), edges[1][:-1], axis=1)
    means = summed / np.outer(np.diff(edges[0]), np.diff(edges[1]))
    return [[round(float(v), 4) for v in row] for row in means / max(means.max(), np.finfo(float).tiny)]


def _mass_level(values: Floats) -> float:
    """The value above which the largest entries together hold `MASS` of the sum."""
    ordered = np.sort(values.ravel())[::-1]
    position = int(np.searchsorted(ordered.cumsum(), MASS * ordered.sum()))
    return float(ordered[min(position, len(ordered) - 1)])


def _example(network: LoadedNetwork, i: int, one: FieldSample) -> dict[str, Any]:
    """The first image with the map of its strongest unit."""
    from PIL import Image

    image = Image.fromarray(network.val.image(i))
    size = list(image.size)
    image.thumbnail((KEPT_SIDE, KEPT_SIDE))
    return {
        "image": network.val.ids[i],
        "size": size,
        "picture": plotting.to_base64(np.array(image)),
        "window": list(one.window),
        "square": list(one.square),
        "centre": list(one.centre),
        "channel": one.channels[0],
        "change": _small(one.changes[0]),
    }


def _draw_example(axes: Axes, data: dict[str, Any]) -> None:
    example = data["example"]
    width, height = example["size"]
    axes.imshow(plotting.from_base64(example["picture"]), extent=(0, width, height, 0))
    top, left, bottom, right = example["window"]
    change = np.array(example["change"])
    ys, xs = (low + (np.arange(n) + 0.5) * (high - low) / n
              for low, high, n in ((top, bottom, change.shape[0]), (left, right, change.shape[1])))  # fmt: skip
    for colour, line in (("black", 2.2), ("white", 1.2)):
        axes.contour(xs, ys, change, levels=[float(THRESHOLDS[1])], colors=colour, linewidths=line)
        _square(axes, example["square"], colour, line)
    axes.plot(example["centre"][1], example["centre"][0], "+", color="white", markersize=5)
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    plotting.image_axes(axes)
    axes.set_title(
        f"one unit (channel {example['channel']})\nline: {plotting.percent(float(THRESHOLDS[1]))} of the peak of its change"
    )


def _square(axes: Axes, square: Sequence[float], colour: str, line: float) -> None:
    from matplotlib.patches import Rectangle

    top, left, bottom, right = square
    axes.add_patch(
        Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=colour, linewidth=line, linestyle="--")
    )


def _draw_map(axes: Axes, data: dict[str, Any], values: Floats, level: float) -> None:
    half, field = data["half"], data["field"] / 2
    axes.imshow(values, extent=(-half, half, half, -half), cmap="viridis", vmin=0, vmax=1)
    places = -half + (np.arange(values.shape[0]) + 0.5) * 2 * half / values.shape[0]
    axes.contour(places, places, values, levels=[level], colors="white", linewidths=1)
    _square(axes, (-field, -field, field, field), "white", 1)
    axes.set_xlabel("pixels from the cell's centre")

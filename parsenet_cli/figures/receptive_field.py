"""How much of the image a cell of fc7 really looks at (§1 and Fig. 2 of the paper's second version; docs/figures.md).

A small patch of the image is replaced by noise, and the patch slides: where the noise leaves an activation as it was, the
image is outside the empirical receptive field. The gradient of the same activation is an independent second look.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from parsenet_cli import plotting
from parsenet_cli.errors import UserError
from parsenet_cli.pace import Pace

if TYPE_CHECKING:
    import torch
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from parsenet_cli.engine.opened import Opened

    Floats = npt.NDArray[np.float64]
    Box = tuple[int, int, int, int]

THRESHOLDS = ("0.05", "0.10")
"""Fractions of the peak of the change above which a pixel counts as seen."""

MASS = 0.95
"""The gradient's field: the smallest area with this share of its sum."""

INNER = 0.9
"""Cells are chosen among those whose theoretical field the image cuts off least: this share of the largest visible area."""

KEPT_SIDE = 320
MAP_CELLS = 96


@dataclass(frozen=True)
class _Looked:
    """What was found around one cell. Maps have a pixel of the window per entry."""

    centre: tuple[float, float]
    window: Box
    """Top, left, bottom, right of the part of the image that the cell can see, a patch more on every side."""
    square: Box
    """The theoretical field inside the image."""
    channels: list[int]
    activations: Floats
    changes: Floats
    """(units, h, w): mean absolute change of the activation by noise there."""
    gradients: Floats
    """(units, h, w): sum over colours of the absolute gradient."""


def data(
    network: Opened,
    *,
    images: int = 4,
    units: int = 4,
    draws: int = 2,
    patch: int | None = None,
    stride: int | None = None,
) -> dict[str, Any]:
    """Slide noise over `images` validation pictures and watch the `units` strongest channels of one cell of fc7 in each.

    Args:
        network: what is looked at.
        images: pictures, spread over the validation list.
        units: channels per picture: the largest activations at the cell whose activations are largest together.
        draws: noises, uniform in 0 to 255, per place of the patch; the change is their mean.
        patch: side of the patch in pixels; 8 for theoretical fields up to 128 pixels, else 16.
        stride: pixels between places of the patch; half of `patch`.

    Only places that touch the theoretical field are tried: elsewhere nothing can change. What a patch of noise finds is the
    field of a pixel made wider by about half a patch on every side: the empirical area is rather over- than underestimated.

    Raises:
        UserError: no activation of fc7 is positive.
    """
    grid = network.model.trunk.grids["fc7"]
    patch = patch or (8 if grid.field <= 128 else 16)
    stride = stride or max(1, patch // 2)
    rng = np.random.default_rng(network.science.seed)
    sample = network.sample(images)
    pace, looked = Pace(len(sample)), dict[int, _Looked]()
    for i in sample:
        if here := _look(network, i, units, draws, patch, stride, rng):
            looked[i] = here
        pace.step(network.val.ids[i])
    if not looked:
        raise UserError(
            "figure receptive-field: every activation of fc7 is zero, so that none can change; train the network"
        )
    found = [unit for i, one in looked.items() for unit in _units(network, i, one)]
    first = next(iter(looked))
    half = math.ceil(grid.field / 2) + patch
    change, gradient = (_mean_map([(one, maps) for one in looked.values() for maps in getattr(one, name)], half)
                        for name in ("changes", "gradients"))  # fmt: skip
    return {
        "patch": patch,
        "stride": stride,
        "draws": draws,
        "field": grid.field,
        "images": len(looked),
        "units": found,
        "shares": {name: _over_pictures(found, name) for name in (*THRESHOLDS, "gradient")},
        "image_share": _over_pictures(found, "image"),
        "mean_change": _small(change),
        "mean_gradient": _small(gradient),
        "half": half,
        "example": _example(network, first, looked[first]),
    }


def draw(data: dict[str, Any]) -> Figure:
    """A picture with both fields of one unit; the mean change around a cell; the mean gradient."""
    figure = plotting.new(plotting.PAGE, 3.2)
    picture, change, gradient = figure.subplots(1, 3)
    _draw_example(picture, data)
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
        f"{about['trunk']}, body {about['body']}, {network}, on {data['images']} validation pictures of {about['data']}; "
        f"noise of {data['patch']}x{data['patch']} pixels every {data['stride']}. Dashes: the theoretical field, {field} pixels. "
        f"Of its part in the picture a single unit notices noise in {ten} (95 %: {low} to {high}; threshold 10 % of its peak; "
        f"{five} at 5 %), and {mass} hold {plotting.percent(MASS)} of its gradient. Of the whole picture: "
        f"{plotting.percent(data['image_share']['estimate'])}."
    )
    plotting.caption(figure, text, plotting.PAGE)
    return figure


def _look(
    network: Opened, i: int, units: int, draws: int, patch: int, stride: int, rng: np.random.Generator
) -> _Looked | None:
    """One picture; None where fc7 is zero all over."""
    import torch

    from parsenet_cli.engine.evaluate import PIXELS

    trunk = network.model.trunk
    grid, image = trunk.grids["fc7"], network.image(i)
    height, width = network.val.shapes[i]
    with torch.inference_mode():
        fc7 = _fc7(network, image)[0]
    row, column = _cell(network, fc7.sum(0).double().cpu().numpy(), (height, width))
    strength, order = fc7[:, row, column].sort(descending=True)
    channels = [int(c) for c, value in zip(order[:units], strength[:units], strict=True) if value > 0]
    if not channels:
        return None
    centre = grid.centre(row), grid.centre(column)
    square = _visible(centre, grid.field / 2, (height, width))
    window = _visible(centre, grid.field / 2 + patch, (height, width))

    crop, (top, left) = _crop(network, image, square, fc7[:, row, column], (row, column))
    cell = row - top // grid.stride, column - left // grid.stride
    with torch.inference_mode():
        before = _fc7(network, crop)[0, channels, cell[0], cell[1]]
    shape = window[2] - window[0], window[3] - window[1]
    total, count = np.zeros((len(channels), *shape)), np.zeros(shape)
    places = list(_places(window, square, patch, stride))
    at_once = max(1, PIXELS[network.device.type] // (crop.shape[2] * crop.shape[3]))
    every = [place for place in places for _ in range(draws)]
    for start in range(0, len(every), at_once):
        batch = every[start : start + at_once]
        noisy = crop.expand(len(batch), -1, -1, -1).clone()
        for n, (y, x) in enumerate(batch):
            inside = _on_crop(y - top, x - left, patch, noisy)
            noise = rng.integers(
                0, 256, (3, inside[0].stop - inside[0].start, inside[1].stop - inside[1].start), np.uint8
            )
            noisy[n, :, inside[0], inside[1]] = torch.from_numpy(noise).to(noisy.device)
        with torch.inference_mode():
            after = _fc7(network, noisy)[:, channels, cell[0], cell[1]]
        for (y, x), change in zip(batch, (after - before).abs().double().cpu().numpy(), strict=True):
            rows, columns = (
                slice(max(0, p - w), max(0, p - w + patch)) for p, w in zip((y, x), window[:2], strict=True)
            )
            total[:, rows, columns] += change[:, None, None]
            count[rows, columns] += 1
    gradients = _gradients(network, crop, channels, cell)
    whole = np.zeros((len(channels), height, width))
    whole[:, top : top + crop.shape[2], left : left + crop.shape[3]] = gradients
    return _Looked(
        centre, window, square, channels, before.double().cpu().numpy(),
        np.divide(total, count, out=np.zeros_like(total), where=count > 0),
        whole[:, window[0] : window[2], window[1] : window[3]],
    )  # fmt: skip


def _fc7(network: Opened, images: torch.Tensor) -> torch.Tensor:
    fc7: torch.Tensor = network.model.trunk(network.model.preprocess(images), ["fc7"])["fc7"]
    return fc7


def _cell(network: Opened, strength: Floats, size: tuple[int, int]) -> tuple[int, int]:
    """The strongest cell among those whose theoretical field is cut off least by the border."""
    grid = network.model.trunk.grids["fc7"]
    lengths = []
    for cells, length in zip(strength.shape, size, strict=True):
        centres = np.array([grid.centre(n) for n in range(cells)])
        seen = np.minimum(centres + grid.field / 2, length) - np.maximum(centres - grid.field / 2, 0)
        lengths.append(np.maximum(seen, 0))
    area = np.outer(*lengths)
    best = np.where(area >= INNER * area.max(), strength, -np.inf).argmax()
    row, column = np.unravel_index(best, strength.shape)
    return int(row), int(column)


def _visible(centre: tuple[float, float], half: float, size: tuple[int, int]) -> Box:
    """The part of a square that lies in the image: pixels whose centres are at most `half` away."""
    (y, x), (height, width) = centre, size
    low = max(0, math.ceil(y - half)), max(0, math.ceil(x - half))
    return *low, min(height, math.floor(y + half) + 1), min(width, math.floor(x + half) + 1)


def _crop(
    network: Opened, image: torch.Tensor, square: Box, wanted: torch.Tensor, cell: tuple[int, int]
) -> tuple[torch.Tensor, tuple[int, int]]:
    """A part of the image around the theoretical field in which the cell is the very same, and where it begins.

    The network is then run on the part alone. Where a trunk's padding makes the cell another one there, it is the whole image.
    """
    import torch

    grid = network.model.trunk.grids["fc7"]
    step = 2 * grid.stride
    top, left = (max(0, (begin // step - 1) * step) for begin in square[:2])
    bottom, right = (end + step for end in square[2:])
    part = image[:, :, top:bottom, left:right]
    row, column = cell[0] - top // grid.stride, cell[1] - left // grid.stride
    with torch.inference_mode():
        found = _fc7(network, part)[0]
    if row < found.shape[1] and column < found.shape[2]:
        here = found[:, row, column]
        if torch.allclose(here, wanted, rtol=1e-3, atol=1e-3 * float(wanted.abs().max())):
            return part, (top, left)
    return image, (0, 0)


def _places(window: Box, square: Box, patch: int, stride: int) -> Iterator[tuple[int, int]]:
    """Top left corners of the patch, over every pixel of the window; those that touch no pixel of the field are left out."""
    starts = []
    for begin, end, first, last in zip(window[:2], window[2:], square[:2], square[2:], strict=True):
        places = range(begin - patch + stride, end, stride)
        starts.append([place for place in places if place + patch > first and place < last])
    for y in starts[0]:
        for x in starts[1]:
            yield y, x


def _on_crop(y: int, x: int, patch: int, images: torch.Tensor) -> tuple[slice, slice]:
    height, width = images.shape[2:]
    return slice(max(0, min(y, height)), max(0, min(y + patch, height))), slice(
        max(0, min(x, width)), max(0, min(x + patch, width))
    )


def _gradients(network: Opened, image: torch.Tensor, channels: list[int], cell: tuple[int, int]) -> Floats:
    """(units, H, W): the gradient of each unit by the preprocessed input, absolute, summed over its three channels."""
    import torch

    x = network.model.preprocess(image).clone().requires_grad_()
    fc7 = network.model.trunk(x, ["fc7"])["fc7"][0, :, cell[0], cell[1]]
    found = [torch.autograd.grad(fc7[c], x, retain_graph=True)[0][0].abs().sum(0) for c in channels]
    return torch.stack(found).double().cpu().numpy()


def _units(network: Opened, i: int, one: _Looked) -> Iterator[dict[str, Any]]:
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


def _over_pictures(units: list[dict[str, Any]], name: str) -> dict[str, float]:
    """Mean share of the visible theoretical area, of units, then of pictures; 95 % by Student's t over pictures.

    `image`: the area above the second threshold as a share of the whole picture.
    """
    from scipy import stats

    shares: dict[str, list[float]] = {}
    for unit in units:
        area, whole = (THRESHOLDS[1], "image_area") if name == "image" else (name, "theoretical_area")
        shares.setdefault(unit["image"], []).append(unit["area"][area] / unit[whole])
    means = np.array([np.mean(values) for values in shares.values()])
    error = 0.0
    if len(means) > 1:
        error = float(stats.t.ppf(0.975, len(means) - 1) * means.std(ddof=1) / math.sqrt(len(means)))
    mean = float(means.mean())
    return {"estimate": mean, "low": mean - error, "high": mean + error, "pictures": len(means)}


def _mean_map(maps: list[tuple[_Looked, Floats]], half: int) -> Floats:
    """The mean over units of maps scaled to a peak of 1, the cell's centre in the middle; outside the image nothing counts."""
    side = 2 * half + 1
    total, count = np.zeros((side, side)), np.zeros((side, side))
    for one, values in maps:
        if not values.any():
            continue
        top, left = (round(begin - middle) + half for begin, middle in zip(one.window[:2], one.centre, strict=True))
        rows = slice(max(0, top), min(side, top + values.shape[0]))
        columns = slice(max(0, left), min(side, left + values.shape[1]))
        total[rows, columns] += (values / values.max())[
            rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
        ]
        count[rows, columns] += 1
    return np.divide(total, count, out=np.zeros_like(total), where=count > 0)


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


def _example(network: Opened, i: int, one: _Looked) -> dict[str, Any]:
    """The first picture with the map of its strongest unit."""
    from PIL import Image

    picture = Image.fromarray(network.val.image(i))
    size = list(picture.size)
    picture.thumbnail((KEPT_SIDE, KEPT_SIDE))
    return {
        "image": network.val.ids[i],
        "size": size,
        "picture": plotting.to_text(np.array(picture)),
        "window": list(one.window),
        "square": list(one.square),
        "centre": list(one.centre),
        "channel": one.channels[0],
        "change": _small(one.changes[0]),
    }


def _draw_example(axes: Axes, data: dict[str, Any]) -> None:
    example = data["example"]
    width, height = example["size"]
    axes.imshow(plotting.from_text(example["picture"]), extent=(0, width, height, 0))
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
    plotting.picture_axes(axes)
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

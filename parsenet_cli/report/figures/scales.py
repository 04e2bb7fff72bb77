"""How large the features of each layer are: the paper's reason for normalising them (§3.2, Fig. 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from parsenet_cli.core.text import counted
from parsenet_cli.report import plot as plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from parsenet_cli.engine.loaded import LoadedNetwork

    Floats = npt.NDArray[np.float64]

LAYERS = ("conv3", "conv4", "conv5", "fc7", "pool6")
QUANTILES = (5, 25, 50, 75, 95)
BINS_PER_DECADE = 12
DRAWS = 2000
"""Bootstrap samples of the images behind the interval of the ratio."""


def data(network: LoadedNetwork, *, images: int = 64, positions: int = 4) -> dict[str, Any]:
    """L2 norms over channels at every cell of each layer's map, before and, where the network normalises, after the norm.

    `images` validation images; at `positions` random places of them the values themselves are kept too. The ratio is that
    of mean norms: the layer with the largest one over fc7; its interval (95 %) is that of a bootstrap over images, and so is
    `error`, that of its logarithm.
    """
    chosen = network.sample(images)
    before: dict[str, list[Floats]] = {layer: [] for layer in LAYERS}
    after: dict[str, list[Floats]] = {}
    rng = np.random.default_rng(network.science.seed)
    shown = set(rng.permutation(len(chosen))[:positions].tolist())
    places = []
    step = counted(network.progress, len(chosen))
    for n, i in enumerate(chosen):
        maps, normalised = network.features(i, LAYERS[:-1])
        for layer, values in maps.items():
            before[layer].append(_norms(values))
        for layer, values in normalised.items():
            after.setdefault(layer, []).append(_norms(values))
        if n in shown:
            places.append(_values(network, i, maps, rng))
        step(network.val.ids[i])
    bins = _bins(before)
    layers = {
        layer: {
            **_summary(before[layer], bins),
            "channels": network.model.trunk.channels["fc7" if layer == "pool6" else layer],
            "after": _summary(after[layer], None) if layer in after else None,
        }
        for layer in LAYERS
    }
    constructed = network.run is None and network.science.weights.startswith("pretrained")
    return {
        "layers": layers,
        "bins": [float(edge) for edge in bins],
        "positions": places,
        "images": len(chosen),
        "ratio": _ratio({layer: np.array([norms.mean() for norms in before[layer]]) for layer in LAYERS}),
        "by_construction": constructed,
        "note": "This trunk was rescaled when it was made so that its lower layers are large, as VGG's are: here the ratio is "
        "built in, and no evidence."
        if constructed
        else "",
    }


def draw(data: dict[str, Any]) -> Figure:
    """Above, the concatenated values at some places; below, how the norms of all cells are distributed."""
    figure = plotting.new(plotting.COLUMN, 4.6)
    values, norms = figure.subplots(2, 1, height_ratios=[1, 1.5])
    _draw_values(values, data)
    _draw_norms(norms, data)
    about, ratio = data["about"], data["ratio"]
    network = f"run {about['run']}" if about["run"] else f"initial weights {about['weights']}"
    text = (
        f"{about['trunk']}, {network}, on {data['images']} validation images of {about['data']}. Mean norm of "
        f"{ratio['largest']} over that of {ratio['over']}: {ratio['estimate']:.3g} "
        f"(95 %: {ratio['low']:.3g} to {ratio['high']:.3g}). {data['note']}"
    )
    plotting.caption(figure, text, plotting.COLUMN)
    return figure


def _norms(values: Floats) -> Floats:
    return np.asarray(np.sqrt((values * values).sum(axis=0)).ravel())


def _values(network: LoadedNetwork, i: int, maps: dict[str, Floats], rng: np.random.Generator) -> dict[str, Any]:
    """What every layer says at one random pixel: the cell that is centred nearest to it."""
    height, width = network.val.shapes[i]
    y, x = int(rng.integers(height)), int(rng.integers(width))
    found = {}
    for layer, values in maps.items():
        row, column = 0, 0
        if layer != "pool6":
            grid = network.model.trunk.grids[layer]
            row, column = (
                int(np.clip(round((place - grid.offset) / grid.stride), 0, cells - 1))
                for place, cells in zip((y, x), values.shape[1:], strict=True)
            )
        found[layer] = [float(f"{value:.4g}") for value in values[:, row, column]]
    return {"image": network.val.ids[i], "x": x, "y": y, "values": found}


def _bins(norms: dict[str, list[Floats]]) -> Floats:
    every = np.concatenate([values for of_layer in norms.values() for values in of_layer])
    positive = every[every > 0]
    low, high = (np.floor(np.log10(positive.min())), np.ceil(np.log10(positive.max()))) if positive.size else (0, 1)
    return np.logspace(low, high, int((high - low) * BINS_PER_DECADE) + 1)


def _summary(of_images: list[Floats], bins: Floats | None) -> dict[str, Any]:
    norms = np.concatenate(of_images)
    quantiles = zip(QUANTILES, np.percentile(norms, QUANTILES), strict=True)
    summary: dict[str, Any] = {
        "mean": float(norms.mean()),
        "quantiles": {str(q): float(value) for q, value in quantiles},
        "zero": float((norms == 0).mean()),
    }
    if bins is not None:
        summary["per_image"] = [float(norms.mean()) for norms in of_images]
        summary["histogram"] = [int(count) for count in np.histogram(norms, bins)[0]]
    return summary


def _ratio(means: dict[str, Floats]) -> dict[str, Any]:
    """Mean norm of the largest layer over that of fc7. `means`: layer -> mean norm of each image."""
    largest = max(means, key=lambda layer: means[layer].mean())
    rng = np.random.default_rng(0)
    number = len(means["fc7"])
    drawn = rng.integers(number, size=(DRAWS, number))
    over = np.maximum(means["fc7"][drawn].mean(axis=1), np.finfo(float).tiny)
    ratios = means[largest][drawn].mean(axis=1) / over
    low, high = np.percentile(ratios, (2.5, 97.5))
    estimate = means[largest].mean() / max(means["fc7"].mean(), np.finfo(float).tiny)
    found = {"largest": largest, "over": "fc7", "estimate": float(estimate), "low": float(low), "high": float(high)}
    if number > 1 and (ratios > 0).all():  # a bootstrap of few images is as much too narrow as one without their mean
        error = float(np.log(ratios).std() * np.sqrt(number / (number - 1)))
        found |= {"error": error, "freedom": float(number - 1)}
    return found


def _draw_values(axes: Axes, data: dict[str, Any]) -> None:
    for n, layer in enumerate(LAYERS):
        channels = data["layers"][layer]["channels"]
        across = n + (np.arange(channels) + 0.5) / channels
        for place in data["positions"]:
            values = place["values"][layer]
            axes.plot(across, values, ".", markersize=1.8, color=plotting.COLOURS[n], rasterized=True)
        if n:
            axes.axvline(n, linewidth=0.5, color=plotting.QUIET)
    labels = [f"{layer}\n{data['layers'][layer]['channels']}" for layer in LAYERS]
    axes.set_xticks([n + 0.5 for n in range(len(LAYERS))], labels)
    axes.tick_params("x", length=0)
    axes.set_xlim(0, len(LAYERS))
    axes.set_xlabel(f"channels of each layer, at {len(data['positions'])} random places")
    axes.set_ylabel("value of the feature")


def _draw_norms(axes: Axes, data: dict[str, Any]) -> None:
    bins = np.array(data["bins"])
    for n, layer in enumerate(reversed(LAYERS)):
        found, colour = data["layers"][layer], plotting.COLOURS[LAYERS.index(layer)]
        counts = np.array(found["histogram"], float)
        axes.stairs(
            n + 0.78 * counts / max(counts.max(), 1), bins, baseline=n, fill=True, color=colour, alpha=0.75, linewidth=0
        )
        axes.plot([found["mean"]] * 2, [n, n + 0.86], color=plotting.INK, linewidth=1)
        if found["after"]:
            quantiles = found["after"]["quantiles"]
            axes.plot([quantiles["5"], quantiles["95"]], [n + 0.12] * 2, color=plotting.INK, linewidth=0.8)
            axes.plot(
                found["after"]["mean"], n + 0.12, "o", markersize=4, color=plotting.INK, markerfacecolor="none",
                label="mean and 5 to 95 % after the norm" if not n else None,
            )  # fmt: skip
    axes.plot([], [], color=plotting.INK, linewidth=1, label="mean")
    plotting.log_axis(axes, "x")
    axes.set_yticks([n + 0.3 for n in range(len(LAYERS))], list(reversed(LAYERS)))
    axes.tick_params("y", length=0)
    axes.grid(axis="x")
    axes.set_xlabel("L2 norm over channels of a cell's features")
    axes.set_ylabel("cells per bin, each layer scaled")
    axes.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=2, handlelength=1.2)

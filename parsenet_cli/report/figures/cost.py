"""What the paper's networks cost beside one another: parameters, memory and time (§3.2, §3.3, §4.1 and §4.2; docs/figures.md).

Of each pair of configurations the figure shows the second network's ratio to the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from parsenet_cli.config import table_file
from parsenet_cli.core.errors import unknown
from parsenet_cli.report import plot as plotting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from parsenet_cli.engine.cost import Configurations, NetworkCost

_POLY = "data=pascal_context recipe=parsenet body=fcn layers=[fc7] norm=none"
PAIRS = {
    "context_late": ("context, fused late", "table6.fc7_n.mean_iu", "table6.pool6_fc7_y_l.mean_iu"),
    "context_early": ("context, fused early", "table6.fc7_n.mean_iu", "table6.pool6_fc7_y_e.mean_iu"),
    "norm": ("normalisation, early", "table6.pool6_fc7_n_e.mean_iu", "table6.pool6_fc7_y_e.mean_iu"),
    "mix": ("1x1 layer over concatenation", "table7.none.concat", "table7.none.mix1x1"),
    "largefov": ("LargeFOV over DeepLab", "table2.deeplab_baseline.mean_iu", "table2.largefov_baseline.mean_iu"),
    "pad": ("pad of 100 over none", f"{_POLY} pad100=false", f"{_POLY} pad100=true"),
}
"""Name: title, and two configurations: a cell of a table, or overrides. The profile says for which data and trunk they stand."""

RATIOS = {
    "parameters": "parameters",
    "memory": "memory of a step",
    "step": "time of a step",
    "inference": "time of an inference",
}


def data(configurations: Configurations, *, rounds: int = 15, pairs: str = "") -> dict[str, Any]:
    """Let the networks of each pair take turns.

    Args:
        configurations: what the profile makes of the pairs.
        rounds: how often each network has its turn; the intervals (95 %) of times are over them.
        pairs: which of `PAIRS`, separated by commas, or others: `table.row.column/table.row.column`; all of `PAIRS` if empty.

    Raises:
        UserError: there is no such pair or cell.
    """
    chosen = {name: _pair(name) for name in (pairs.split(",") if pairs else PAIRS)}
    cells = {text: _overrides(text) for pair in chosen.values() for text in pair[1:]}
    found = {}
    for number, (name, (title, first, second)) in enumerate(chosen.items(), start=1):
        configurations.progress(f"measuring {number} of {len(chosen)}: {title}")
        found[name] = {
            "title": title,
            "cells": [first, second],
            **_measured(configurations, [cells[first], cells[second]], rounds),
        }
    return {"rounds": rounds, "pairs": found}


def draw(data: dict[str, Any]) -> Figure:
    """A dot with its interval for each ratio of each pair, on a logarithmic scale."""
    pairs = [pair for pair in data["pairs"].values() if "not_applicable" not in pair]
    figure = plotting.new(plotting.PAGE * 0.8, 1.1 + 0.62 * max(1, len(pairs)))
    axes = figure.subplots()
    axes.axvline(1, color=plotting.QUIET, linewidth=0.8)
    for n, pair in enumerate(pairs):
        for k, name in enumerate(RATIOS):
            _draw_ratio(axes, pair[name], n + (k - 1.5) * 0.19, k, RATIOS[name] if not n else None)
    ends = [pair[name][end] for pair in pairs for name in RATIOS for end in ("low", "high")]
    axes.set_xlim(0.9 * min([0.6, *ends]), 1.3 * max([1.6, *ends]))  # on the right the numbers stand
    plotting.log_axis(axes, "x")
    axes.set_yticks(range(len(pairs)), [pair["title"].replace(" over ", "\nover ") for pair in pairs])
    axes.tick_params("y", length=0)
    axes.set_ylim(max(1, len(pairs)) - 0.5, -0.5)
    axes.set_xlabel("ratio (95 % interval of times)")
    if pairs:
        axes.legend(loc="lower left", bbox_to_anchor=(-0.2, 1), ncols=4, handletextpad=0.2, columnspacing=1.2)
    about = data["about"]
    missing = [pair["title"] for pair in data["pairs"].values() if "not_applicable" in pair]
    text = (
        f"Profile {about['profile']}, {about['trunk']}, one random image in a step, {data['rounds']} rounds on "
        f"{about['device']}, {about['threads']} threads. Parameters are counted; memory is of a training step."
        + (f" n/a: {', '.join(missing)}." if missing else "")
    )
    plotting.caption(figure, text, plotting.PAGE * 0.8)
    return figure


def _pair(name: str) -> tuple[str, str, str]:
    if name in PAIRS:
        return PAIRS[name]
    first, slash, second = name.partition("/")
    if not slash:
        raise unknown("pair of figure cost", name, [*PAIRS, "table.row.column/table.row.column"])
    return f"{second} over {first}", first, second


def _overrides(text: str) -> tuple[str, ...]:
    """What a cell of a table sets, or the overrides themselves."""
    return tuple(text.split()) if "=" in text else table_file.cell(text).overrides


def _measured(configurations: Configurations, cells: Sequence[tuple[str, ...]], rounds: int) -> dict[str, Any]:
    from parsenet_cli.engine.cost import compare

    if reason := next(filter(None, map(configurations.not_applicable, cells)), None):
        return {"not_applicable": reason}
    first, second = networks = compare([configurations.config(cell) for cell in cells], rounds)
    return {
        "networks": [_summary(network) for network in networks],
        "parameters": _exact(second.parameters / first.parameters),
        "memory": _exact(second.memory / first.memory),
        "step": _ratio(first.step, second.step),
        "inference": _ratio(first.inference, second.inference),
        "parameters_per_channel": _per_channel(first, second),
    }


def _summary(network: NetworkCost) -> dict[str, Any]:
    classes, height, width = network.shape
    return {
        "classes": classes,
        "image": [height, width],
        "parameters": network.parameters,
        "norm_parameters": network.norm_parameters,
        "normalised_channels": network.normalised_channels,
        "memory": network.memory,
        "step": float(np.median(network.step)),
        "inference": float(np.median(network.inference)),
    }


def _per_channel(first: NetworkCost, second: NetworkCost) -> dict[str, Any] | None:
    """Parameters that the second network has more, over the channels that it normalises more; None where it does not."""
    channels = second.normalised_channels - first.normalised_channels
    return _exact((second.parameters - first.parameters) / channels) if channels else None


def _exact(value: float) -> dict[str, Any]:
    return {"estimate": value, "low": value, "high": value, "exact": True}


def _ratio(before: Sequence[float], after: Sequence[float]) -> dict[str, float]:
    """The ratio of two times, meant on the logarithm, with its 95 % interval over rounds by Student's t; `error` is the
    logarithm's."""
    from parsenet_cli.claims.estimate import Estimate

    logs = np.log(np.array(after) / np.array(before))
    variance = float(logs.var(ddof=1)) / len(logs) if len(logs) > 1 else 0.0
    kept = Estimate(float(logs.mean()), variance, len(logs) - 1).as_data()
    return kept | {key: float(np.exp(kept[key])) for key in ("estimate", "low", "high")}


def _draw_ratio(axes: Axes, ratio: dict[str, float], y: float, k: int, label: str | None) -> None:
    value, low, high = (ratio[key] for key in ("estimate", "low", "high"))
    axes.plot([low, high], [y, y], color=plotting.COLOURS[k], linewidth=1.2)
    axes.plot(value, y, "osD^"[k], color=plotting.COLOURS[k], markersize=3.5, linestyle="none", label=label)
    axes.annotate(f"{value:.3g}", (high, y), (4, 0), textcoords="offset points", va="center", fontsize=6)

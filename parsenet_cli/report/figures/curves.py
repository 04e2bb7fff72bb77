"""Training loss of every run of a table: a small panel per row."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from parsenet_cli.core.errors import UserError
from parsenet_cli.report import plot as plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from parsenet_cli.store.run import Store
    from parsenet_cli.store.study import Study

ABREAST = 3
"""Panels in a line of the page."""


def data(study: Study, store: Store) -> dict[str, Any]:
    """Row by row, the curves of each group of columns that share their runs (Table 3's metrics are of the same ones).

    Raises:
        UserError: no run of the study has recorded anything yet.
    """
    headers = {column.key: column.header for column in study.table.columns}
    rows = []
    for row in study.table.rows:
        groups: dict[tuple[tuple[int, str], ...], list[str]] = {}
        for column in study.table.columns:
            cells = [c for c in study.cells if (c.row, c.column) == (row.key, column.key) and c.signature]
            if cells:
                groups.setdefault(tuple((c.seed, c.signature or "") for c in cells), []).append(column.key)
        curves = []
        for runs, columns in groups.items():
            seeds = [one for seed, signature in runs if (one := _seed(store, seed, signature))]
            label = headers[columns[0]] if len(columns) < len(headers) else ""
            curves.append({"columns": columns, "label": label, "seeds": seeds})
        if any(curve["seeds"] for curve in curves):
            rows.append({"row": row.key, "label": ", ".join(filter(None, row.labels)), "curves": curves})
    if not rows:
        raise UserError(
            f"{study.name}: none of its runs has recorded a loss yet. Run `parsenet ablate {study.table.name}` first"
        )
    return {"title": study.table.title, "loss": _loss(study, store), "rows": rows}


def draw(data: dict[str, Any]) -> Figure:
    """Seeds as thin lines, their mean as a thick one; a cross where a run collapsed."""
    rows = data["rows"]
    columns = min(ABREAST, len(rows))
    lines = math.ceil(len(rows) / columns)
    width = plotting.COLUMN if columns == 1 else plotting.PAGE
    figure = plotting.new(width, 0.5 + 1.55 * lines)
    grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    labels = list(dict.fromkeys(curve["label"] for row in rows for curve in row["curves"]))
    for n, axes in enumerate(grid.flat):
        if n >= len(rows):
            axes.set_visible(False)
            continue
        _draw_row(axes, rows[n], labels)
        axes.tick_params(labelbottom=n + columns >= len(rows))
    plotting.log_axis(grid[0, 0], "y")
    figure.supylabel(f"training loss ({data['loss']})" if data["loss"] else "training loss", fontsize=8)
    figure.supxlabel("iteration", fontsize=8)
    for n, label in enumerate(labels if len(labels) > 1 else []):
        grid[0, 0].plot([], [], color=plotting.COLOURS[n % len(plotting.COLOURS)], label=label)
    if any(seed["collapsed"] for row in rows for curve in row["curves"] for seed in curve["seeds"]):
        grid[0, 0].plot([], [], "x", color=plotting.INK, markersize=4, label="collapsed")
    if grid[0, 0].get_legend_handles_labels()[1]:
        figure.legend(loc="outside upper right", ncols=4)
    return figure


def _seed(store: Store, seed: int, signature: str) -> dict[str, Any] | None:
    """One run's curve; a record whose loss was not finite has none."""
    run = store.run(signature)
    records = [record for record in run.metrics() if record.get("loss") is not None]
    if not records:
        return None
    result = run.result()
    return {
        "seed": seed,
        "signature": signature,
        "iteration": [record["iteration"] for record in records],
        "loss": [float(f"{record['loss']:.5g}") for record in records],
        "collapsed": bool(result and result.outcome == "collapsed"),
    }


def _loss(study: Study, store: Store) -> str:
    """What the loss is a sum or a mean over, in words; the rows of one table may differ."""
    words = {"sum": "sum over the pixels of a batch", "mean": "mean over the pixels of a batch"}
    found = set()
    for run in (store.run(signature) for signature in study.signatures):
        with suppress(UserError):  # written by another version: its curve is shown all the same
            found.add(words[run.config().science.recipe.loss])
    return found.pop() if len(found) == 1 else ""


def _draw_row(axes: Axes, row: dict[str, Any], labels: list[str]) -> None:
    for curve in row["curves"]:
        colour = plotting.COLOURS[labels.index(curve["label"]) % len(plotting.COLOURS)]
        for seed in curve["seeds"]:
            axes.plot(seed["iteration"], seed["loss"], color=colour, linewidth=0.5, alpha=0.55)
            if seed["collapsed"]:
                axes.plot(seed["iteration"][-1], seed["loss"][-1], "x", color=colour, markersize=4, clip_on=False)
        losses = [dict(zip(seed["iteration"], seed["loss"], strict=True)) for seed in curve["seeds"]]
        if len(losses) > 1:
            common = sorted(set.intersection(*map(set, losses)))
            means = [sum(of_seed[iteration] for of_seed in losses) / len(losses) for iteration in common]
            axes.plot(common, means, color=colour, linewidth=1.4)
    axes.set_title(row["label"], loc="left", fontsize=6.5)
    axes.grid(axis="y")

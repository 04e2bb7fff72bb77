"""A table as a dot plot: what the paper prints beside what was measured, with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parsenet_cli.core.errors import UserError
from parsenet_cli.report import plot as plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from parsenet_cli.store.run import Store
    from parsenet_cli.store.study import Study

MANY = 8
"""A table with more columns than this is turned round: its columns become the lines of the plot (Table 8)."""


def data(study: Study, store: Store) -> dict[str, Any]:
    """For every place: what is printed, the measured mean over seeds, each seed's value, and the 95 % interval, in percent.

    Raises:
        UserError: nothing of the study has been measured yet.
    """
    from parsenet_cli.claims.table_claims import cell_intervals
    from parsenet_cli.config.table import CellKey
    from parsenet_cli.store.frame import results_frame
    from parsenet_cli.store.study import read_runs

    lines = results_frame(study, read_runs([study], store))
    done = lines[lines["outcome"].isin(["converged", "collapsed"])].dropna(subset="value")
    if done.empty:
        raise UserError(f"{study.name}: none of its runs is done yet. Run `parsenet ablate {study.table.name}` first")
    groups = dict(list(done.groupby(["row", "column"], sort=False)))
    intervals = cell_intervals(study, store)
    cells = []
    for row in study.table.rows:
        for column in study.table.columns:
            key, printed = CellKey(row.key, column.key), study.table.printed(row.key, column.key).value
            if key not in groups and printed is None:
                continue
            group, interval = groups.get(key, done.iloc[:0]), intervals.get(key)
            values = [float(value) for value in group["value"]]
            cells.append(
                {
                    "row": row.key,
                    "column": column.key,
                    "paper": printed,
                    "values": values,
                    "mean": sum(values) / len(values) if values else None,
                    "low": max(0.0, interval.low) if interval else None,
                    "high": min(100.0, interval.high) if interval else None,
                    "collapsed": int((group["outcome"] == "collapsed").sum()),
                }
            )
    return {
        "title": study.table.title,
        "rows": {row.key: ", ".join(filter(None, row.labels)) for row in study.table.rows},
        "columns": {column.key: column.header for column in study.table.columns},
        "metrics": {column.key: column.metric for column in study.table.columns},
        "cells": cells,
    }


def draw(data: dict[str, Any]) -> Figure:
    """Printed hollow, measured filled, one line per row; columns of one metric share a panel, others stand side by side."""
    rows, columns, cells = data["rows"], data["columns"], data["cells"]
    panels: dict[str, dict[str, list[dict[str, Any]]]] = {}
    if len(columns) > MANY:
        by, lines, height, width = "column", columns, 0.22, plotting.COLUMN
        measured = dict.fromkeys(cell["row"] for cell in cells if cell["values"])
        panels[""] = {rows[row]: [cell for cell in cells if cell["row"] == row] for row in measured}
    else:
        shown = {cell["row"] for cell in cells}
        by, lines, height = "row", {row: label for row, label in rows.items() if row in shown}, 0.27
        for column, metric in data["metrics"].items():
            series = panels.setdefault(metric, {})
            series[columns[column]] = [cell for cell in cells if cell["column"] == column]
        width = plotting.PAGE if len(panels) > 1 or max(map(len, rows.values())) > 24 else plotting.COLUMN
    figure = plotting.new(width, 1.25 + height * len(lines))
    grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)
    for axes, series in zip(grid.flat, panels.values(), strict=True):
        _draw_panel(axes, series, by, list(lines))
        axes.set_xlabel("percent" if len(panels) == 1 else f"{next(iter(series))} (percent)")
    _finish(figure, grid[0, 0], list(lines.values()), data, max(map(len, panels.values())) > 1)
    return figure


def _draw_panel(axes: Axes, series: dict[str, list[dict[str, Any]]], by: str, lines: list[str]) -> None:
    for n, (label, cells) in enumerate(series.items()):
        colour = plotting.COLOURS[n % len(plotting.COLOURS)]
        shift = (n - (len(series) - 1) / 2) * 0.6 / max(len(series), 2)
        axes.plot([], [], "o", color=colour, markersize=4, label=label)
        for cell in cells:
            y = lines.index(cell[by]) + shift
            if cell["paper"] is not None:
                axes.plot(
                    cell["paper"], y, "o", color=colour, markersize=4.5, markerfacecolor="none", markeredgewidth=0.9
                )
            if cell["mean"] is None:
                continue
            if cell["low"] is not None:
                axes.plot([cell["low"], cell["high"]], [y, y], color=colour, linewidth=1.1)
            axes.plot(cell["values"], [y] * len(cell["values"]), "|", color=colour, markersize=4, markeredgewidth=0.7)
            axes.plot(cell["mean"], y, "x" if cell["collapsed"] else "o", color=colour, markersize=4.5)
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.grid(axis="x")
    for n in range(len(lines) - 1):
        axes.axhline(n + 0.5, color=plotting.QUIET, linewidth=0.25)
    axes.tick_params("y", length=0)


def _finish(figure: Figure, axes: Axes, labels: list[str], data: dict[str, Any], several: bool) -> None:
    axes.set_yticks(range(len(labels)), labels)
    handles, names = axes.get_legend_handles_labels() if several else ([], [])
    from matplotlib.lines import Line2D

    marks = [("o", "none", "paper"), ("o", plotting.INK, "measured, seeds")]
    if any(cell["collapsed"] for cell in data["cells"]):
        marks.append(("x", plotting.INK, "some seed collapsed"))
    for marker, fill, name in marks:
        handles.append(
            Line2D([], [], marker=marker, color=plotting.INK, markerfacecolor=fill, markersize=4, linestyle="none")
        )
        names.append(name)
    figure.legend(handles, names, loc="outside upper right", ncols=5 if figure.get_figwidth() > plotting.COLUMN else 2)
    about = data["about"]
    other = " Other data and another network than the paper's: compare effects, not numbers."
    interval = " with 95 % intervals" if any(cell["low"] is not None for cell in data["cells"]) else ""
    text = f"{about['table']}, profile {about['profile']}, {plotting.seeds(about['seeds'])}{interval}."
    plotting.caption(figure, text + other * (about["profile"] != "paper"), figure.get_figwidth())

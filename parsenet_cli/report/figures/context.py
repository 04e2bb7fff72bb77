"""Where global context helps and where it harms: images, and which confusions it removes (Fig. 3 and 4 of the paper).

Images are chosen by measured gain among those whose small label maps the runs keep, not by eye.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from parsenet_cli.config.table import CellKey
from parsenet_cli.core import metrics
from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.palette import COLOURS
from parsenet_cli.report import plot
from parsenet_cli.store import artifacts, samples

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from parsenet_cli.store.run import Run, Store
    from parsenet_cli.store.study import Study

    Counts = npt.NDArray[np.int64]

TABLES = ("table6",)
"""What is meant when none is named."""

BACKGROUND = "background"


def data(
    study: Study, store: Store, *, gains: int = 3, losses: int = 2, baseline: str = "", parsenet: str = ""
) -> dict[str, Any]:
    """Images of the largest gain and loss, and the errors of both networks by their kind.

    `baseline` and `parsenet` are two cells, `row.column`; not given, they are `default_cells`. An image's score is the mean
    IU over the classes it shows, meant over seeds; its maps are those of the first seed. Errors are percent of all labelled
    pixels, over images and seeds; their intervals (95 %) are over seeds and images as those of a table's claims.

    Raises:
        UserError: there are no such cells, a run of theirs is not done, or a file of it is damaged.
    """
    cells = _named_cells(study, store, baseline, parsenet)
    return _compare(study, store, cells, gains, losses, decode=True)


def from_store(study: Study, store: Store) -> dict[str, Any]:
    """The same of the default cells, by what lies in the results folder alone. Raises `UserError` as `data` does."""
    cells = default_cells(study, store)
    if cells is None:
        raise UserError(f"{study.name}: no two cells differ in global context alone")
    return _compare(study, store, cells, 3, 2, decode=False)


def default_cells(study: Study, store: Store) -> tuple[CellKey, CellKey] | None:
    """Two cells whose runs differ in nothing but that the second has `pool6` more, and perhaps its features normalised.

    Of several pairs the one whose norm goes from none to l2 comes first, as the paper compares its baseline with ParseNet
    (Fig. 3 and 4), then the one with the fewest layers. None where there is no pair.
    """
    sciences: dict[CellKey, dict[str, Any]] = {}
    for cell in study.cells:
        if cell.signature and cell.seed == study.seeds[0]:
            with suppress(UserError):  # edited, or another version's
                sciences[cell.key] = store.run(cell.signature).config().science.model_dump(mode="json")
    pairs = [
        (plain["norm"] == context["norm"], len(plain["layers"]), first.column != second.column, order, first, second)
        for order, (first, plain) in enumerate(sciences.items())
        for second, context in sciences.items()
        if "pool6" not in plain["layers"]
        and context == {**plain, "layers": ["pool6", *plain["layers"]], "norm": context["norm"]}
        and (plain["norm"] == "none" or context["norm"] == "l2")
    ]
    return min(pairs)[-2:] if pairs else None


def _compare(
    study: Study, store: Store, cells: tuple[CellKey, CellKey], gains: int, losses: int, *, decode: bool
) -> dict[str, Any]:
    """The measurement; `decode` takes images and truths that the store does not keep from the data set."""
    first, second = cells
    pairs = list(zip(_runs(study, store, first), _runs(study, store, second), strict=True))
    classes, ids, counts = _counts(pairs)
    by_seed = np.array([[[metrics.mean_iu(c) for c in run] for run in pair] for pair in counts])
    gains_by_seed = by_seed[:, 1] - by_seed[:, 0]
    scores = by_seed.mean(axis=0)
    maps = [artifacts.predictions(run) for run in pairs[0]]
    kept = maps[0].keys() & maps[1].keys() & {*ids}
    gain = scores[1] - scores[0]
    order = [int(i) for i in np.argsort(-gain, kind="stable") if ids[i] in kept and np.isfinite(gain[i])]
    chosen = [i for i in order if gain[i] > 0][:gains], [i for i in reversed(order) if gain[i] < 0][:losses]
    shown = _images(pairs[0][0], store, classes, [ids[i] for both in chosen for i in both], decode)
    return {
        "cells": {"baseline": str(first), "parsenet": str(second)},
        "classes": classes,
        "images": len(ids),
        "kept": len(kept),
        "panels": [
            {
                "image": ids[i],
                "kind": kind,
                "baseline_score": 100 * float(scores[0, i]),
                "parsenet_score": 100 * float(scores[1, i]),
                **shown[ids[i]],
                "baseline": plot.to_base64(maps[0][ids[i]]),
                "parsenet": plot.to_base64(maps[1][ids[i]]),
            }
            for kind, several in zip(("gain", "loss"), chosen, strict=True)
            for i in several
        ],
        "better": int((gain > 0).sum()),
        "worse": int((gain < 0).sum()),
        "losing": _losing(gains_by_seed),
        "errors": _errors(classes, counts),
        "seeds": len(pairs),
        "signatures": [[run.signature for run in pair] for pair in pairs],
    }


def draw(data: dict[str, Any]) -> Figure:
    """A line per image: itself, the truth, the baseline, ParseNet; below, the errors by kind."""
    panels, width = data["panels"], plot.PAGE * 0.8
    heights = [_height(panel) * width / 4.4 + 0.22 for panel in panels]
    figure = plot.new(width, sum(heights) + 2.2)
    below: Figure | SubFigure = figure
    if panels:
        (above,), (below,) = figure.subfigures(2, 1, height_ratios=[sum(heights), 2.2], squeeze=False)
        grid = above.subplots(len(panels), 4, squeeze=False, height_ratios=heights)
        for line, panel in zip(grid, panels, strict=True):
            _draw_panel(line, panel)
        for axes, name in zip(grid[0], ("image", "truth", "baseline", "ParseNet"), strict=True):
            axes.set_title(name)
    legend, errors = below.subplots(1, 2, width_ratios=[1, 2.2])
    _legend(legend, data)
    _draw_errors(errors, data)
    about = data["about"]
    cells, number = data["cells"], plot.seeds(len(data["signatures"]))
    text = (
        f"{about['table']}, profile {about['profile']}, {number}: {cells['baseline']} against {cells['parsenet']}. Images "
        f"chosen by gain among the {data['kept']} of {data['images']} whose maps are kept; of all, {data['better']} gain and "
        f"{data['worse']} lose, {plot.percent(data['losing']['estimate'])} with every seed. Scores: mean IU over the classes of "
        "the image, mean of the seeds."
    )
    plot.caption(below, text, width)
    return figure


def _named_cells(study: Study, store: Store, baseline: str, parsenet: str) -> tuple[CellKey, CellKey]:
    keys = {str(cell.key): cell.key for cell in study.cells if cell.signature}
    named = [text for text in (baseline, parsenet) if text]
    for text in named:
        if text not in keys:
            raise unknown(f"cell of {study.table.name}", text, keys)
    if len(named) == 2:
        return keys[baseline], keys[parsenet]
    defaults = default_cells(study, store)
    if defaults is None or any(keys[text] not in defaults for text in named):
        raise UserError(
            f"{study.name}: no two cells differ in nothing but global context and norm; name them, "
            f"baseline=ROW.COLUMN parsenet=ROW.COLUMN, of {', '.join(keys)}"
        )
    return keys.get(baseline, defaults[0]), keys.get(parsenet, defaults[1])


def _runs(study: Study, store: Store, key: CellKey) -> list[Run]:
    """The runs of a cell, seed by seed."""
    signatures = {cell.seed: cell.signature or "" for cell in study.cells if cell.key == key}
    runs = [store.run(signatures[seed]) for seed in study.seeds]
    for seed, run in zip(study.seeds, runs, strict=True):
        if run.believed_result() is None:
            raise UserError(f"{study.name}: {key}, seed {seed}, is not done ({run.state()}): run {run.signature}")
    return runs


def _counts(pairs: list[tuple[Run, Run]]) -> tuple[list[str], tuple[str, ...], Counts]:
    """Class names, image ids, and (seeds, 2, images, K, K) confusion matrices."""
    stored = [[artifacts.confusions(run) for run in pair] for pair in pairs]
    ids = stored[0][0].ids
    if any(confusions.ids != ids for pair in stored for confusions in pair):
        raise UserError(f"{pairs[0][0].folder.parent}: the runs of these cells were scored on different images")
    counts = np.array([[confusions.matrices for confusions in pair] for pair in stored], np.int64)
    return list(pairs[0][0].done_result().classes), ids, counts


def _images(run: Run, store: Store, classes: list[str], ids: list[str], decode: bool) -> dict[str, dict[str, str]]:
    """Small images and truths by id, from the store where it keeps them, or from the data set that `run` was scored on."""
    kept = samples.read(samples.file_of(store, run.config().science.data_id, classes))
    if all(name in kept for name in ids):
        stored = {name: (base64.b64encode(kept[name].image).decode(), kept[name].truth) for name in ids}
    elif not decode:
        raise UserError(
            "The images and their truth are not in this store: its runs were made before they were kept. The next run that "
            "finishes on this data writes them."
        )
    else:
        from parsenet_cli.core.text import silent
        from parsenet_cli.engine import inputs
        from parsenet_cli.engine.evaluate import shrink

        val = inputs.data(run.config(), store.cache, silent).val
        places = {name: val.ids.index(name) for name in ids}
        stored = {name: (plot.to_base64(shrink(val.image(i))), shrink(val.label(i))) for name, i in places.items()}
    return {name: {"picture": image, "truth": plot.to_base64(truth)} for name, (image, truth) in stored.items()}


KINDS = {
    "between_objects": "object taken for\nanother object",
    "object_background": "object against\nbackground",
    "spurious": "spurious: on background,\nor of an absent class",
}
"""Of errors, with what they are called; the last overlaps with both others."""


def _errors(classes: list[str], counts: Counts) -> dict[str, Any]:
    """Errors by kind in percent of the labelled pixels, for both networks, and what context changes.

    Of the entries (true i, predicted j), i not j, of an image's confusion matrix:
    `between_objects`: i and j are objects, that is, not background. `object_background`: one of them is.
    `spurious`: j is an object, and i is background or j is nowhere in the image's truth.
    The last two are None where the classes have no background.
    """
    off = ~np.eye(len(classes), dtype=bool)
    objects = np.array([name != BACKGROUND for name in classes])
    truth = counts[0, 0].sum(axis=2)  # (images, K): labelled pixels of each class
    kinds = {"between_objects": off & np.outer(objects, objects)}
    if not objects.all():
        kinds["object_background"] = off & ~np.outer(objects, objects)
        kinds["spurious"] = off & objects & (~objects[:, None] | (truth == 0)[:, None, :])
    labelled = truth.sum(axis=1)
    found: dict[str, Any] = dict.fromkeys(KINDS)
    for kind, mask in kinds.items():
        every = np.broadcast_to(mask, (len(truth), *off.shape)).astype(np.int64)
        wrong = np.einsum("spnij,nij->spn", counts, every)
        baseline, parsenet = (100 * float(n.mean(axis=0).sum() / labelled.sum()) for n in wrong.swapaxes(0, 1))
        drop = _estimated(wrong[:, 0] - wrong[:, 1], labelled)
        found[kind] = {"baseline": baseline, "parsenet": parsenet, "drop": drop}
    return found


def _losing(gain: npt.NDArray[np.float64]) -> dict[str, float]:
    """The share of images whose score falls with every seed, of gains (seeds, images); 95 %, exact binomial."""
    from scipy import stats

    images = gain.shape[1]
    losing = int((gain < 0).all(axis=0).sum())
    interval = stats.binomtest(losing, images).proportion_ci()
    return {"estimate": losing / images, "low": float(interval.low), "high": float(interval.high)}


def _estimated(fewer: Counts, labelled: Counts) -> dict[str, float]:
    """Errors (seeds, images) that go away, in percent of all labelled pixels, with its error and 95 % interval.

    Over seeds and images as a table's claims have it; of one seed over images alone.
    """
    from parsenet_cli.claims.cells import CellScores
    from parsenet_cli.claims.estimate import Estimate, estimate_contrast

    scores = 100 * fewer.sum(axis=1) / labelled.sum()
    influences = (100 * fewer - scores[:, None] * labelled) / labelled.sum()
    if len(scores) == 1:
        variance = float((influences**2).sum())
        found = Estimate(float(scores[0]), variance, max(1, len(labelled) - 1))
    else:
        cell = CellScores(("errors",), tuple(range(len(scores))), scores, influences, "errors", "pictures")
        found = estimate_contrast([(1.0, cell)], 0.0, lambda group, paired: None)
    return found.as_data()


def _height(panel: dict[str, Any]) -> float:
    height, width = plot.from_base64(panel["truth"]).shape
    return float(np.clip(height / width, 0.6, 1.4))


def _draw_panel(line: Sequence[Axes], panel: dict[str, Any]) -> None:
    for axes, key in zip(line, ("picture", "truth", "baseline", "parsenet"), strict=True):
        pixels = plot.from_base64(panel[key])
        axes.imshow(pixels if pixels.ndim == 3 else COLOURS[pixels], interpolation="nearest")
        plot.image_axes(axes)
        if key in ("baseline", "parsenet"):
            axes.set_xlabel(f"{panel[f'{key}_score']:.0f} % IU", fontsize=7, labelpad=2)
    line[0].set_ylabel("context helps" if panel["kind"] == "gain" else "context harms", fontsize=7)


def _draw_errors(axes: Axes, data: dict[str, Any]) -> None:
    errors = {KINDS[kind]: data["errors"][kind] for kind in KINDS if data["errors"].get(kind)}
    for n, found in enumerate(errors.values()):
        for k, name in enumerate(("baseline", "parsenet")):
            y = n + (k - 0.5) * 0.36
            axes.barh(y, found[name], 0.32, color=plot.COLOURS[k], label=("baseline", "ParseNet")[k] if not n else None)
        change, low, high = (round(-found["drop"][key], 1) + 0.0 for key in ("estimate", "high", "low"))
        end = max(found["baseline"], found["parsenet"])
        axes.text(end, n, f"  {change:+.1f} ({low:+.1f} to {high:+.1f})", va="center", fontsize=7)
    axes.set_yticks(range(len(errors)), list(errors))
    axes.tick_params("y", length=0)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.45 * axes.get_xlim()[1])
    axes.set_xlabel("errors (percent of labelled pixels)")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)


def _legend(axes: Axes, data: dict[str, Any]) -> None:
    """The colours of the classes that are seen."""
    from matplotlib.patches import Patch

    seen = sorted({int(i) for panel in data["panels"] for key in ("truth", "baseline", "parsenet")
                   for i in np.unique(plot.from_base64(panel[key]))})  # fmt: skip
    names = dict(enumerate(data["classes"]))
    patches = [Patch(color=COLOURS[i] / 255, label=names.get(i, "ignored")) for i in seen]
    axes.axis("off")
    if patches:
        axes.legend(
            handles=patches,
            loc="center left",
            bbox_to_anchor=(-0.15, 0.5),
            fontsize=6,
            handlelength=1,
            ncols=1 + len(patches) // 8,
        )

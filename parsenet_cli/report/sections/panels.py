"""Picture, truth, and what two networks that differ in global context alone made of it (Figures 3 and 4).

Which pictures are shown is not chosen by eye: those whose own mean IU rises and falls most among the ones whose label maps
every run keeps.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from parsenet_cli.core import metrics
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import Damaged
from parsenet_cli.core.palette import Pixels, indexed, palette
from parsenet_cli.core.run_config import Science
from parsenet_cli.report.blocks import Block, Gallery, Paragraph, Part, Picture, Section
from parsenet_cli.report.collect import ReportInput, RunSummary, samples_of
from parsenet_cli.store import artifacts, samples
from parsenet_cli.store.samples import Sample

MOST = 3
"""Pictures of each kind."""


@dataclass(frozen=True)
class Pair:
    """Two finished runs that differ in `pool6` alone."""

    profile: str
    without: RunSummary
    context: RunSummary
    science: Science
    """Of the one with context."""


@dataclass(frozen=True)
class _Kept:
    """What is left of one picture."""

    name: str
    gain: float
    """Its mean IU with context less that without, in percent points."""
    maps: tuple[Pixels, Pixels]
    """Without and with context."""


def section(survey: ReportInput) -> Section:
    """One part per profile and data set that has a pair of runs."""
    parts = tuple(_part(pair, number) for number, pair in enumerate(pairs(survey)))
    says = (
        "One picture, its truth, and the predictions of two networks of which one has global context and which are equal in "
        "everything else. Shown are the pictures whose own mean IU rises and falls most among those whose label maps are kept."
    )
    if not parts:
        none = "There is no pair of finished runs that differ in global context (pool6) alone, so there is nothing to show."
        return Section("panels", "What context does", (Paragraph(none),))
    return Section("panels", "What context does", (Paragraph(says), *parts))


def pairs(survey: ReportInput) -> list[Pair]:
    """The pair of each profile and data set with the fewest layers, with norm where there is one."""
    best: dict[tuple[str, str], Pair] = {}
    for study in survey.studies:
        sciences: dict[str, tuple[RunSummary, Science]] = {}
        for cell in study.cells:
            seen = survey.runs.get(cell.signature or "")
            if seen is None or seen.result is None or cell.seed != study.seeds[0]:
                continue
            try:
                science = seen.run.config().science
            except UserError:  # edited, or another version's: its tables are shown, its pictures cannot be paired
                continue
            sciences[_key(science)] = (seen, science)
        for seen, science in sciences.values():
            if "pool6" not in science.layers or len(science.layers) < 2:
                continue
            alone = science.model_copy(update={"layers": tuple(n for n in science.layers if n != "pool6")})
            if (other := sciences.get(_key(alone))) is None:
                continue
            pair = Pair(study.profile, other[0], seen, science)
            place = (study.profile, science.data_id)
            if place not in best or _rank(pair) < _rank(best[place]):
                best[place] = pair
    return list(best.values())


def _key(science: Science) -> str:
    return science.model_dump_json()


def _rank(pair: Pair) -> tuple[bool, int]:
    return pair.science.norm == "none", len(pair.science.layers)


def _part(pair: Pair, number: int) -> Part:
    title = f"{pair.science.data} ({pair.profile})"
    key = f"panels-{number}"
    pictures = samples.read(samples_of(pair.context))
    kept = list(_kept(pair))
    if not kept:
        missing = "The two runs have no per-image results of the same images any more: they are gone or damaged."
        return Part(key, title, (Paragraph(missing),))
    if not pictures:
        missing = (
            "The pictures and their truth are not in this store: its runs were made before they were kept. The next run that "
            "finishes on this data writes them."
        )
        return Part(key, title, (Paragraph(missing),))
    shown = sorted((one for one in kept if one.name in pictures), key=lambda one: (-one.gain, one.name))
    says = (
        f"Without context: {pair.without.label}, run {pair.without.signature}. With context: {pair.context.label}, run "
        f"{pair.context.signature}. Of {len(shown)} pictures {sum(one.gain > 0 for one in shown)} gain and "
        f"{sum(one.gain < 0 for one in shown)} lose."
    )
    blocks: list[Block] = [Paragraph(says)]
    classes = list(pair.context.result.classes if pair.context.result else ())
    helped = [one for one in shown[:MOST] if one.gain > 0]
    harmed = [one for one in shown[::-1][:MOST] if one.gain < 0]
    for words, chosen in (("Where context helps most", helped), ("Where context harms most", harmed)):
        if not chosen:
            blocks.append(Paragraph(f"{words}: no picture."))
        for one in chosen:
            blocks.append(Paragraph(f"{words}: {one.name}, {one.gain:+.1f} points".replace("-", "−", 1), "caption"))
            blocks.append(Gallery(tuple(_four(one, pictures[one.name], classes)), small=True))
    return Part(key, title, tuple(blocks))


def _four(one: _Kept, sample: Sample, classes: list[str]) -> Iterator[Picture]:
    yield Picture(f"The picture {one.name}", "picture", data=_address("jpeg", sample.photo))
    for caption, ids in (("truth", sample.truth), ("without context", one.maps[0]), ("with context", one.maps[1])):
        colours = palette()
        found = [int(i) for i in np.unique(ids) if i < len(classes)]
        patches = tuple(("#" + bytes(colours[i]).hex(), classes[i]) for i in found)
        yield Picture(f"Classes of {one.name}: {caption}", caption, data=_address("png", _png(ids)), patches=patches)


def _kept(pair: Pair) -> Iterator[_Kept]:
    """The pictures of which both runs have a confusion matrix and a label map."""
    sides = [_read(seen) for seen in (pair.without, pair.context)]
    class_mean = pair.science.class_mean
    for name in sides[0]:
        if name in sides[1]:
            (before, first), (after, second) = sides[0][name], sides[1][name]
            gain = metrics.mean_iu(after, class_mean) - metrics.mean_iu(before, class_mean)
            if not np.isnan(gain):
                yield _Kept(name, 100 * gain, (first, second))


def _read(seen: RunSummary) -> dict[str, tuple[Any, Pixels]]:
    """Confusion matrix (K, K) and small label map (h, w) of every picture that has both; {} where a file is gone or damaged."""
    try:
        stored, maps = artifacts.confusions(seen.run), artifacts.predictions(seen.run)
    except Damaged:
        return {}
    counts = dict(zip(stored.ids, stored.matrices, strict=True))
    return {name: (counts[name], ids) for name, ids in maps.items() if name in counts}


def _png(ids: Pixels) -> bytes:
    stream = io.BytesIO()
    indexed(ids).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _address(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"

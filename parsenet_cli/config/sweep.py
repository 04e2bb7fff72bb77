"""An override grid as a table: `fusion=early,late norm=none,l2` takes the same road as a table file."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from itertools import product

from parsenet_cli.config.overrides import key_of, seed_of, split_launcher, values_of
from parsenet_cli.config.table import Column, Row, TableSpec
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.text import check_name

METRIC_HEADERS = {
    "pixel_accuracy": "pixel acc.",
    "mean_accuracy": "mean acc.",
    "mean_iu": "mean IU",
    "fw_iu": "f.w. IU",
}

MOST_COLUMNS = 6
"""The last axis becomes the table's columns when it has at most this many values."""

MOST_CELLS = 10_000
"""Of a grid."""


def names_several(arguments: Sequence[str]) -> bool:
    """Whether an override names several values: a grid, not one run. Raises `UserError` for one that does not parse."""
    runs, _ = split_launcher(arguments)
    return any(values_of(text) is not None for text in runs)


def expand(arguments: Sequence[str]) -> tuple[TableSpec, list[int] | None]:
    """The table of a grid, and the seeds where the grid has an axis `seed`. The arguments follow Hydra's override grammar.

    Raises:
        UserError: a malformed or unknown override, or nothing is swept.
    """
    axes: list[tuple[str, list[str]]] = []
    fixed: list[str] = []
    seeds: list[int] | None = None
    for text in arguments:
        key, value = key_of(text), text.partition("=")[2]
        values = None if key == "seed" and value.isdigit() else values_of(text)
        if key == "seed":
            seeds = [seed_of(each) for each in values or [value]]
        elif values is None:
            fixed.append(text)
        else:
            axes.append((key, list(dict.fromkeys(values))))
    if not axes:
        raise UserError(
            "nothing is swept: name several values of an axis, for example fusion=early,late or norm_scale=1,10,20"
        )
    cells = math.prod(len(values) for _, values in axes)
    if cells > MOST_CELLS:
        raise UserError(f"a grid of {cells} cells: expected at most {MOST_CELLS}; sweep fewer values at a time")
    across = axes.pop() if len(axes) > 1 and len(axes[-1][1]) <= MOST_COLUMNS else None
    columns = [Column("mean_iu", "mean IU", "mean_iu")]
    if across:
        settings = [f"{across[0]}={value}" for value in across[1]]
        columns = [Column(_key(setting), setting, "mean_iu", (setting,)) for setting in settings]
    rows = []
    for chosen in product(*(values for _, values in axes)):
        settings = [f"{key}={value}" for (key, _), value in zip(axes, chosen, strict=True)]
        rows.append(Row(_key(" ".join(settings)), chosen, tuple(settings)))
    spec = TableSpec(
        name=f"sweep-{_digest(arguments)}",
        title="mean IU of " + " ".join(arguments),
        data="voc12",
        labels=tuple(key for key, _ in axes),
        columns=tuple(columns),
        rows=tuple(rows),
        base=tuple(fixed),
    )
    return spec, seeds


def single(overrides: Sequence[str]) -> tuple[TableSpec, int]:
    """The table of one run, and its seed (`seed=3`, else 0)."""
    given = {key_of(text): text for text in overrides}
    text = given.pop("seed", "seed=0")
    seed = text.partition("=")[2]
    if not seed.isdigit() and values_of(text):
        raise UserError(f"{text}: expected one seed; several are `parsenet sweep {text}`")
    spec = TableSpec(
        name=f"train-{_digest(overrides)}",
        title="one run",
        data="voc12",
        labels=("run",),
        columns=tuple(Column(name, header, name) for name, header in METRIC_HEADERS.items()),
        rows=(Row("run", (" ".join(given.values()) or "ParseNet",)),),
    )
    return spec, seed_of(seed)


def _key(settings: str) -> str:
    """The settings as they are written; where these could not be a file's name (paths of weights), a part and a digest."""
    try:
        return check_name(settings, "key")
    except UserError:
        return f"{re.sub('[^A-Za-z0-9_=., -]', '_', settings)[:60]}-{_digest([settings])}"


def _digest(arguments: Sequence[str]) -> str:
    """Six hexadecimal digits: two grids do not overwrite each other's table."""
    return hashlib.sha256("\n".join(arguments).encode()).hexdigest()[:6]

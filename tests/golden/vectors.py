"""The recorded numbers: where they lie, the cases of each file, and a ledger of which arrays of a case were looked at."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parsenet_cli.core.errors import UserError
from tests.golden.differences import Difference, difference

FILES = ("normalize", "softmax_loss", "deconv", "dilated", "sgd", "parsenet_mini", "metric")
VARIABLE = "PARSENET_GOLDEN"


@dataclass
class Case:
    """One recorded case. Every array is either given to our code or compared with what our code makes of them."""

    file: str
    name: str
    spec: Mapping[str, Any]
    """The JSON: a layer (`op`, its options), or `layers`, `inputs` and `solver` of a network."""
    meta: Mapping[str, Any]
    """What the file says of all its cases."""
    arrays: Mapping[str, NDArray[Any]]
    differences: list[Difference] = field(default_factory=list)
    looked_at: set[str] = field(default_factory=set)

    @property
    def title(self) -> str:
        """File and case."""
        return f"{self.file}/{self.name}"

    @property
    def unseen(self) -> list[str]:
        """Arrays that were neither given to our code nor compared."""
        return sorted(set(self.arrays) - self.looked_at)

    @property
    def worst(self) -> Difference:
        """The difference that uses up most of its bound."""
        return max(self.differences, key=lambda each: (each.used, each.relative))

    def given(self, array: str) -> Tensor:
        """A recorded array, as a tensor of our own."""
        self.looked_at.add(array)
        return torch.from_numpy(self.arrays[array].copy())

    def compare_both_ways(self, forward: str, backward: str, bottom: Tensor, top: Tensor) -> None:
        """Note how far a layer's output is, and the gradient that it hands down."""
        self.compare(forward, "top", top)
        (gradient,) = torch.autograd.grad(top, bottom, self.given("top_diff"))
        self.compare(backward, "bottom_diff", gradient)

    def compare(self, group: str, array: str, ours: Tensor, theirs: Tensor | None = None) -> None:
        """Note how far `ours` is from the recorded array, or from the part `theirs` of it."""
        wanted = self.given(array) if theirs is None else theirs
        self.differences.append(difference(group, array, ours.detach().numpy(), wanted.numpy()))


def folder() -> Path:
    """Where the files lie: the folder that `PARSENET_GOLDEN` names, otherwise the one beside this file."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else Path(__file__).parent / "data"


def cases() -> list[tuple[str, str]]:
    """File and name of every case, in a fixed order. Raises `UserError` where a file is missing or no recording."""
    return [(file, name) for file in FILES for name in _content(folder(), file)[0]]


def case(file: str, name: str) -> Case:
    """A case as it was recorded. Raises `UserError` where the file is missing or no recording."""
    specs, meta, arrays = _content(folder(), file)
    prefix = f"{name}/"
    own = {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}
    if file == "parsenet_mini":
        own |= {key: arrays[key] for key in ("data", "label")}
    if file == "metric":
        own = arrays
    return Case(file, name, specs[name], meta, own)


@cache
def _content(folder: Path, file: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, NDArray[Any]]]:
    """The cases, the rest of the JSON, and the arrays of a file."""
    path = folder / f"{file}.npz"
    expected = f"expected the seven files that tests/golden/data/README.md lists; set {VARIABLE} to their folder"
    if not path.is_file():
        raise UserError(f"{path}: no such file; {expected}, or unset it to use those of the repository")
    try:
        with path.open("rb") as stream, np.load(stream) as content:
            arrays = {key: content[key] for key in content.files}
        meta = json.loads(str(arrays.pop("meta")))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as problem:
        raise UserError(f"{path}: not a file of recorded numbers ({problem}); {expected}") from None
    specs: dict[str, Any] = meta.pop("cases", {})
    if file == "deconv":
        rows = meta.pop("crop_table")
        for net in sorted({row["net"] for row in rows}):
            specs[f"crop_table_{net}"] = {"op": "crops", "net": net, "rows": [r for r in rows if r["net"] == net]}
    if file == "dilated":
        specs["pool_shape_table"] = {"op": "lengths"}
        arrays["pool_shape_table/rows"] = arrays.pop("pool_shape_table")
    if file == "metric":
        specs["scores"] = {"op": "scores"}
    for spec in specs.values():
        spec.setdefault("op", {"sgd": "solver", "parsenet_mini": "network"}.get(file))
    return specs, meta, arrays

"""Figures: one file each, found by its name (`receptive-field` is receptive_field.py).

A figure is two functions. `data` measures and returns JSON values; `draw` makes the plot of them and of nothing else.
What `data` takes first says what the figure is of:

    data(network: Opened, *, …)                a network and validation pictures (engine/opened.py)
    data(study: Study, store: Store, *, …)     a table as it was run

Its keyword arguments are the figure's options on the command line. What was measured is kept as
<results>/figures/<name>/<key>.json, so that claims and the report read it and compute nothing again.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

from parsenet_cli import paths
from parsenet_cli.errors import UserError, unknown
from parsenet_cli.files import believed, write_sealed

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

    from parsenet_cli.store import Store

Data = dict[str, Any]


class FigureModule(Protocol):
    """What a file of this folder offers. Importing it imports neither torch nor matplotlib."""

    def data(self, *of: Any, **options: Any) -> Data:
        """Measure."""
        ...

    def draw(self, data: Data) -> Figure:
        """Plot, within `plotting.style`."""
        ...


def names() -> list[str]:
    """The figures that can be asked for."""
    return [name.replace("_", "-") for name in paths.modules("figures")]


def find(name: str) -> FigureModule:
    """The figure `name`. Raises `UserError` for an unknown one."""
    if name not in names():
        raise unknown("figure", name, names())
    return cast(FigureModule, importlib.import_module(f"{__name__}.{name.replace('-', '_')}"))


def of_a_network(module: FigureModule) -> bool:
    """Whether the figure is of a network; otherwise it is of a study."""
    return next(iter(inspect.signature(module.data).parameters)) == "network"


def options(module: FigureModule) -> dict[str, Any]:
    """The figure's options with their defaults."""
    parameters = inspect.signature(module.data).parameters.values()
    return {one.name: one.default for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY}


def key(of: str, chosen: Mapping[str, Any]) -> str:
    """What a measurement is kept under: what it is of, and a digest of the options that are not the defaults."""
    if not chosen:
        return of
    return f"{of}-{hashlib.sha256(json.dumps(dict(chosen), sort_keys=True).encode()).hexdigest()[:8]}"


def kept(store: Store, name: str, under: str) -> Path:
    """Where a measurement is kept."""
    return store.root / "figures" / name / f"{under}.json"


def save(store: Store, name: str, under: str, data: Data) -> None:
    """Keep a measurement, whole."""
    write_sealed(kept(store, name, under), data)


def load(store: Store, name: str, under: str | None = None) -> Data | None:
    """What was measured for a figure: the newest, or that of a key (a study's name, for figures of studies); else None."""
    files = [kept(store, name, under)] if under else _files(store, name)
    return max(_read(files, name), key=lambda content: str(content.get("created", "")), default=None)


def load_all(store: Store, name: str) -> list[Data]:
    """Everything that was measured for a figure. Files that hold no measurement of it, and damaged ones, are passed over."""
    return _read(_files(store, name), name)


def _files(store: Store, name: str) -> list[Path]:
    return sorted((store.root / "figures" / name).glob("*.json"))


def _read(files: Sequence[Path], name: str) -> list[Data]:
    contents = [believed(file, unsealed_too=True) for file in files]
    return [content for content in contents if content is not None and content.get("figure") == name]


def svg(name: str, data: Data, dark: bool = False) -> str:
    """The figure of some data as an `<svg>` element for a page.

    Raises:
        UserError: the data is not this figure's.
    """
    from parsenet_cli import plotting

    prefix = f"{name}-{hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:6]}{'-dark' * dark}"
    with plotting.style(dark, salt=prefix):
        return plotting.to_svg(drawn(name, data), prefix)


def drawn(name: str, data: Data) -> Figure:
    """The plot of some data. Raises `UserError` where the data is not this figure's."""
    module = find(name)
    try:
        return module.draw(data)
    except (KeyError, TypeError, IndexError, ValueError) as problem:
        raise UserError(
            f"the kept data of figure {name} cannot be drawn ({type(problem).__name__}: {problem}); it was written by another "
            f"version of parsenet: remove the folder figures/{name} of the results and measure again"
        ) from None

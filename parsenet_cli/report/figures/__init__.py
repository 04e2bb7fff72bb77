"""Figures: one file each, found by its name (`receptive-field` is receptive_field.py).

A figure is two functions. `data` measures and returns JSON values; `draw` makes the plot of them and of nothing else.
What `data` takes first says what the figure is of:

    data(network: LoadedNetwork, *, …)             a network and validation images (engine/loaded.py)
    data(configurations: Configurations, *, …)     what a profile makes of tables, and this machine (engine/cost.py)
    data(study: Study, store: Store, *, …)         a table as it was run

Its keyword arguments are the figure's options on the command line. What was measured is kept as
<results>/figures/<name>/<key>.json, so that claims and the report read it and compute nothing again.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, cast

from parsenet_cli.core import paths
from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.store.figures import Data

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class FigureModule(Protocol):
    """What a file of this folder offers. Importing it imports neither torch nor matplotlib."""

    def data(self, *of: Any, **options: Any) -> Data:
        """Measure."""
        ...

    def draw(self, data: Data) -> Figure:
        """Plot, within `plot.style`."""
        ...


def names() -> list[str]:
    """The figures that can be asked for."""
    return [name.replace("_", "-") for name in paths.modules("report/figures")]


def find(name: str) -> FigureModule:
    """The figure `name`. Raises `UserError` for an unknown one."""
    if name not in names():
        raise unknown("figure", name, names())
    return cast(FigureModule, importlib.import_module(f"{__name__}.{name.replace('-', '_')}"))


def subject(module: FigureModule) -> str:
    """What the figure is of: `network`, `configurations` or `study`."""
    return next(iter(inspect.signature(module.data).parameters))


def options(module: FigureModule) -> dict[str, Any]:
    """The figure's options with their defaults."""
    parameters = inspect.signature(module.data).parameters.values()
    return {one.name: one.default for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY}


def svg(name: str, data: Data) -> str:
    """The figure of some data as an `<svg>` element for a page, its ink the colour of the text around it.

    Raises:
        UserError: the data is not this figure's.
    """
    from parsenet_cli.report import plot

    prefix = f"{name}-{hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:6]}"
    with plot.style(), drawing(name, data) as figure:
        return plot.to_svg(figure, prefix)


@contextmanager
def drawing(name: str, data: Data) -> Iterator[Figure]:
    """The plot of some data, to be written out within the block, where the rest of it is drawn.

    Raises `UserError` where the data is not this figure's.
    """
    module = find(name)
    try:
        yield module.draw(data)
    except (UserError, OSError):
        raise
    except Exception as problem:  # of data of others: matplotlib and Pillow name no common class for what it can raise
        raise UserError(
            f"the kept data of figure {name} cannot be drawn ({type(problem).__name__}: {problem!s:.200}); it was written by "
            f"another version of parsenet: remove the folder figures/{name} of the results and measure again"
        ) from None

"""What a table is written as: one file each, found by its name or by the suffix of its files (`--to markdown`, `--to md`)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol, cast

from parsenet_cli.core import paths
from parsenet_cli.core.errors import unknown

if TYPE_CHECKING:
    from parsenet_cli.report.blocks import Grid


class Format(Protocol):
    """What a file of this folder offers.

    Attributes:
        SUFFIX: Of a file in this format; empty for what is not written to files.
    """

    SUFFIX: str

    def text(self, grid: Grid) -> str:
        """The whole table, with the end of its last line."""
        ...


def names() -> list[str]:
    """The formats that can be named."""
    return paths.modules("report/formats")


def find(name: str) -> Format:
    """The format of this name or suffix. Raises `UserError` for an unknown one."""
    if name in names():
        return _load(name)
    by_suffix = {_load(known).SUFFIX: known for known in names()}
    if not name or name not in by_suffix:
        raise unknown("format", name, names())
    return _load(by_suffix[name])


def _load(name: str) -> Format:
    return cast(Format, importlib.import_module(f"{__name__}.{name}"))

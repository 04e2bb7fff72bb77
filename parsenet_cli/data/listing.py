"""`parsenet data list`: which data sets can be had, which are here, how large they are and what they hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from parsenet_cli.data import published
from parsenet_cli.data.preparing import sealed
from parsenet_cli.fetch import size_text

if TYPE_CHECKING:
    from rich.console import Console

_DIGITS = 12


def show(home: Path, console: Console) -> None:
    """Print one line per data set."""
    from rich import box
    from rich.table import Table

    table = Table(title=f"Data sets in {home}", box=box.SIMPLE_HEAD, title_justify="left")
    for header in ("name", "state", "lists", "size", "content", "what it is"):
        table.add_column(header)
    for name in published.names():
        table.add_row(name, *_state(home / name), published.find(name).about)
    console.print(table)
    console.print("parsenet data get NAME fetches one; a folder of your own needs nothing but data=folder data_root=…")


def _state(folder: Path) -> tuple[str, str, str, str]:
    seal = sealed(folder)
    if seal is None:
        if folder.is_dir():
            return "there, not made by data get", "", "", ""
        begun = folder.with_name(f".{folder.name}.preparing").is_dir()
        return "begun" if begun else "not here", "", "", ""
    lists = ", ".join(f"{part} {count}" for part, count in seal["counts"].items())
    content = str(seal["content"]).removeprefix("sha256:")[:_DIGITS]
    return "ready", lists, size_text(seal["bytes"]), content

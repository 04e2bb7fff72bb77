"""`parsenet list`: what there is to choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsenet_cli.config import profile, table_file
from parsenet_cli.config.overrides import AXES, axis_choices

if TYPE_CHECKING:
    from rich.console import Console


def show(console: Console) -> None:
    """Print tables with their rows, axes with their values, recipes, profiles and data sets."""
    from rich import box
    from rich.table import Table

    tables = Table(title="Tables", box=box.SIMPLE_HEAD, title_justify="left")
    for header in ("table", "title", "rows (keys)", "columns (keys)"):
        tables.add_column(header)
    for name in table_file.names():
        spec = table_file.load(name)
        rows = ", ".join(row.key for row in spec.rows)
        tables.add_row(name, spec.title, rows, ", ".join(column.key for column in spec.columns))
    axes = Table(title="Axes (override with axis=value)", box=box.SIMPLE_HEAD, title_justify="left")
    axes.add_column("axis")
    axes.add_column("values")
    axes.add_column("default")
    defaults = _defaults()
    for axis in AXES:
        axes.add_row(
            axis, " | ".join(axis_choices(axis)) or "a number, list, name or path", str(defaults.get(axis, ""))
        )
    profiles = Table(title="Profiles (--profile)", box=box.SIMPLE_HEAD, title_justify="left")
    for header in ("profile", "seeds", "what it is"):
        profiles.add_column(header)
    for name in profile.names():
        found = profile.load(name)
        profiles.add_row(name, str(found.seeds), found.about)
    for part in (tables, axes, profiles):
        console.print(part)
    console.print("Recipes (recipe=…):    ", ", ".join(axis_choices("recipe")))
    console.print("Data sets (data=…):    ", ", ".join(axis_choices("data")))
    console.print(
        "Weights (weights=…):   ", ", ".join(axis_choices("weights")), "or a file; parsenet weights list says more"
    )
    console.print("Launchers (launcher=…):", ", ".join(axis_choices("launcher")))


def _defaults() -> dict[str, object]:
    from omegaconf import OmegaConf

    from parsenet_cli.core import paths

    content = OmegaConf.to_container(OmegaConf.load(paths.shipped("conf") / "config.yaml"))
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}

"""`parsenet list`: what there is to choose from."""

from __future__ import annotations

from collections.abc import Iterator

from parsenet_cli.config import profile, table_file
from parsenet_cli.config.compose import axis_defaults
from parsenet_cli.config.overrides import AXES, axis_choices
from parsenet_cli.report.blocks import Grid, words


def grids() -> Iterator[Grid]:
    """Tables with their rows, axes with their values, profiles, and what recipes, data, weights and launchers there are."""
    specs = [table_file.load(name) for name in table_file.names()]
    rows = [
        (
            spec.name,
            spec.title,
            ", ".join(row.key for row in spec.rows),
            ", ".join(column.key for column in spec.columns),
        )
        for spec in specs
    ]
    yield words(("table", "title", "rows (keys)", "columns (keys)"), rows, title="Tables")
    defaults = axis_defaults()
    axes = [
        (axis, " | ".join(axis_choices(axis)) or "a number, list, name or path", str(defaults.get(axis, "")))
        for axis in AXES
    ]
    yield words(("axis", "values", "default"), axes, title="Axes (override with axis=value)")
    profiles = [profile.load(name) for name in profile.names()]
    about = [(each.name, str(each.seeds), each.about) for each in profiles]
    yield words(("profile", "seeds", "what it is"), about, title="Profiles (--profile)")
    chosen = [
        (f"{group} ({key}=…)", ", ".join(axis_choices(key)))
        for group, key in (
            ("recipes", "recipe"),
            ("data sets", "data"),
            ("weights", "weights"),
            ("launchers", "launcher"),
        )
    ]
    note = "weights= also takes a file; parsenet weights list says more"
    yield words(("chosen by name", "names"), chosen, title="Names", notes=[note])

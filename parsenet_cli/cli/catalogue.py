"""`parsenet list`: what there is to choose from."""

from __future__ import annotations

from collections.abc import Iterator

from parsenet_cli.config import profile, table_file
from parsenet_cli.config.compose import axis_defaults
from parsenet_cli.config.overrides import AXES, axis_choices
from parsenet_cli.report.blocks import Grid, words


def grids() -> Iterator[Grid]:
    """Tables with their rows, axes with their values, profiles, and what recipes, data, weights and launchers there are."""
    for group, files in table_file.groups().items():
        if not files:
            continue
        rows, remarks = [], []
        for spec in map(table_file.read, files.values()):
            keys = (", ".join(part.key for part in parts) for parts in (spec.rows, spec.columns))
            rows.append((spec.name, spec.title, *keys))
            remarks += [f"{spec.name}: {spec.remark}"] if spec.remark else []
        title = f"{group}: {table_file.GROUPS[group]}"
        yield words(("table", "title", "rows (keys)", "columns (keys)"), rows, title=title, notes=remarks)
    defaults, free = axis_defaults(), "a number, list, name or path"
    axes = [(axis, " | ".join(axis_choices(axis)) or free, str(defaults.get(axis, ""))) for axis in AXES]
    yield words(("axis", "values", "default"), axes, title="Axes (override with axis=value)")
    profiles = map(profile.load, profile.names())
    about = [(each.name, str(each.seeds), each.about) for each in profiles]
    yield words(("profile", "seeds", "what it is"), about, title="Profiles (--profile)")
    groups = {"recipes": "recipe", "data sets": "data", "weights": "weights", "launchers": "launcher"}
    chosen = [(f"{group} ({key}=…)", ", ".join(axis_choices(key))) for group, key in groups.items()]
    note = "weights= also takes a file; parsenet weights list says more"
    yield words(("chosen by name", "names"), chosen, title="Names", notes=[note])

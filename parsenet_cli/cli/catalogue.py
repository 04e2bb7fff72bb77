"""`parsenet list`: what there is to choose from, one table in full, and the studies of a results folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from parsenet_cli.config import blocks, profile, table_file
from parsenet_cli.config.axes import Axis, axes, defaults_under
from parsenet_cli.config.deviations import as_text
from parsenet_cli.config.overrides import axis_choices
from parsenet_cli.core import blocks as core_blocks
from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.report.blocks import Cell, Grid, words
from parsenet_cli.report.paper_table import Footnotes
from parsenet_cli.report.redact import redact_paths

if TYPE_CHECKING:
    from parsenet_cli.config.table import Claim, Column, Row, TableSpec
    from parsenet_cli.store.run import Store
    from parsenet_cli.store.study import Study

PAPER = "paper"
"""The profile whose defaults stand beside those of any other."""


def named(name: str, store: Store) -> Iterator[Grid]:
    """What `name` means: a table, a group of tables, the studies, or the table of a study; all of it, where it means several.

    Raises:
        UserError: it means nothing; the nearest name is told.
    """
    from parsenet_cli.store import study

    if name == study.STUDIES:
        yield studies_grid(store)
    if name in table_file.GROUPS and table_file.named([name]):
        yield group_grid(name)
    if name in table_file.names():
        yield from table_grids(table_file.load(name))
    elif name in (study.STUDIES, *table_file.GROUPS):
        return
    else:
        yield from _of_study(name, study.load_all(store))


def _of_study(name: str, studies: Sequence[Study]) -> Iterator[Grid]:
    """The table of the newest study that is called so."""
    from parsenet_cli.store import study

    for each in reversed(studies):
        if name in (each.name, each.table.name):
            yield from table_grids(each.table)
            return
    own = (each.table.name for each in studies)
    raise unknown("table", name, dict.fromkeys([*table_file.names(), *own, *table_file.GROUPS, study.STUDIES]))


def grids(under: str) -> Iterator[Grid]:
    """Tables with their rows, axes with the defaults of the profile `under`, profiles, and what recipes, data, weights and
    launchers there are."""
    for group, files in table_file.groups().items():
        if files:
            yield group_grid(group)
    yield from axis_grids(profile.load(under))
    yield from block_grids()
    profiles = map(profile.load, profile.names())
    about = [(each.name, str(each.seeds), each.about) for each in profiles]
    yield words(("profile", "seeds", "what it is"), about, title="Profiles (--profile)")
    groups = {"recipes": "recipe", "data sets": "data", "weights": "weights", "launchers": "launcher"}
    chosen = [(f"{group} ({key}=…)", ", ".join(axis_choices(key))) for group, key in groups.items()]
    note = "weights= also takes a file; parsenet weights list says more"
    yield words(("chosen by name", "names"), chosen, title="Names", notes=[note])


def group_grid(group: str) -> Grid:
    """The tables of a group, one row each."""
    rows, remarks = [], []
    for spec in map(table_file.read, table_file.groups()[group].values()):
        keys = (", ".join(part.key for part in parts) for parts in (spec.rows, spec.columns))
        rows.append((spec.name, spec.title, *keys))
        remarks += [f"{spec.name}: {spec.remark}"] if spec.remark else []
    title = f"{group}: {table_file.GROUPS[group]}"
    return words(("table", "title", "rows (keys)", "columns (keys)"), rows, title=title, notes=remarks)


def axis_grids(under: profile.Profile) -> Iterator[Grid]:
    """The axes by the sections of conf/config.yaml: what each means and takes, and its default."""
    ours, papers = (defaults_under(each) for each in (under, profile.load(PAPER)))
    sections: dict[str, list[Axis]] = {}
    for axis in axes():
        sections.setdefault(axis.section, []).append(axis)
    for section, members in sections.items():
        rows = [(axis.name, _default(axis.name, ours, papers), _meaning(axis)) for axis in members]
        title = f"Axes (override with axis=value): {section}"
        yield words(("axis", f"default ({under.name})", "what it is"), rows, title=title)


def block_grids() -> Iterator[Grid]:
    """The blocks of each group: where each comes from, what it is, and its options with what they take."""
    for group in core_blocks.GROUPS:
        rows, notes = [], []
        for each in core_blocks.every(group):
            try:
                if isinstance(each, UserError):
                    raise each
                schema = blocks.schema(each)
            except UserError as problem:
                notes.append(str(problem))
                continue
            options = [f"{name}={as_text(option.default)} ({option.takes})" for name, option in schema.options.items()]
            rows.append((each.name, each.origin, schema.about, "\n".join(options)))
        title = f"Blocks ({group}=…): {core_blocks.SAYS[group]}"
        yield words((group, "from", "what it is", f"options ({group}.option=…)"), rows, title=title, notes=notes)


def table_grids(spec: TableSpec) -> Iterator[Grid]:
    """A table in full: rows with what they set, columns, claims."""
    notes = Footnotes()
    rows = [(Cell(row.key, marks=notes.mark(*_remarks(row))), " | ".join(row.labels), _sets(row)) for row in spec.rows]
    notes.add(f"Every cell: {' '.join([f'data={spec.data}', *spec.base])}", spec.note)
    notes.add(*[f"The paper: {spec.remark}"] if spec.remark else [])
    heads = ("row", ", ".join(filter(None, spec.labels)) or "label", "sets")
    yield replace(words(heads, rows, name=spec.name, title=spec.title), notes=notes.lines())
    columns = [(each.key, each.header, each.metric, _sets(each), each.note) for each in spec.columns]
    titles = ("column", "header", "metric", "sets", "remarks")
    filled = [i for i in range(len(titles)) if any(column[i] for column in columns)]
    yield words([titles[i] for i in filled], [[column[i] for i in filled] for column in columns])
    if spec.claims:
        yield words(("claim", "what it says (kind, where)"), map(_claim, spec.claims))


def studies_grid(store: Store) -> Grid:
    """Every study of the results folder: what was asked for, how much of it is done, and which one `table` shows."""
    from parsenet_cli.store import choice, study

    studies = study.load_all(store)
    taken = {each.name for each in choice.one_of_each(studies, store)}
    done = {signature: store.run(signature).done() for each in studies for signature in each.signatures}
    overrides = Footnotes()
    rows = [
        (
            Cell(each.name, marks=overrides.mark(redact_paths(" ".join(each.overrides)))),
            Cell(each.table.name, marks="*" if each.name in taken else ""),
            each.profile,
            _seeds(each.seeds),
            _cells_done(each, done),
            each.created[:16].replace("T", " "),
        )
        for each in study.in_reading_order(studies)
    ]
    told = "*: what `table`, `verify` and `report` take of its table; another by `--study STUDY`. Times in UTC."
    overrides.add(*[told] if studies else [], *study.skipped(store))
    heads = ("study", "table", "profile", "seeds", "cells", "created")
    title = f"Studies of {store.root}: seeds, and cells that are done" if studies else f"no studies in {store.root} yet"
    return replace(words(heads, rows, title=title), notes=overrides.lines())


def _default(axis: str, ours: Mapping[str, object], papers: Mapping[str, object]) -> str:
    here, there = as_text(ours[axis]), as_text(papers[axis])
    return here if here == there else f"{here}\n(paper: {there})"


def _meaning(axis: Axis) -> str:
    """Its comment, and what it takes, unless the comment says that."""
    told = all(value in axis.says for value in axis.takes.removeprefix("a list of ").split(" | "))
    return axis.says if told else "; ".join(filter(None, [axis.says, axis.takes]))


def _sets(part: Row | Column) -> str:
    return " ".join(part.overrides)


def _remarks(row: Row) -> list[str]:
    sources = dict.fromkeys(printed.cited for printed in row.paper.values() if printed.cited)
    cited = [f"cited from {source}: run with --cited" for source in sources] if row.run else []
    return [*cited, "" if row.run else "only shown: no run stands behind it", row.note]


def _claim(claim: Claim) -> tuple[str, str]:
    return claim.key, f"{claim.says} ({claim.kind.replace('_', ' ')}, {claim.where})"


def _seeds(seeds: Sequence[int]) -> str:
    """`3` for the seeds 0 to 2, which `--seeds 3` asks for; others are named."""
    return str(len(seeds)) if list(seeds) == list(range(len(seeds))) else f"seed={','.join(map(str, seeds))}"


def _cells_done(study: Study, done: Mapping[str, bool]) -> str:
    """`5/7`: the cells behind which all seeds are done, and those that have runs."""
    cells: dict[object, bool] = {}
    for cell in study.cells:
        if cell.signature:
            cells[cell.key] = cells.get(cell.key, True) and done[cell.signature]
    return f"{sum(cells.values())}/{len(cells)}"

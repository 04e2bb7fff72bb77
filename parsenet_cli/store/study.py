"""A study: one issued command, frozen. Which table, under which profile, with which seeds, and which run stands behind each cell.

`table`, `verify` and `report` read studies and runs and never compose anything again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from parsenet_cli.config import frozen_table, table_file
from parsenet_cli.config.table import CellKey, TableSpec
from parsenet_cli.core.bounds import Seed, Signature, build
from parsenet_cli.core.code import Code
from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.sealed import Damaged, read_with_checksum, write_with_checksum
from parsenet_cli.core.text import check_name, natural_key
from parsenet_cli.store.result import RunEnvironment, RunResult, RunState
from parsenet_cli.store.run import Run, Store

STUDIES = "studies"
"""The word for all of them, where a table is named."""

_LONGEST_NAME = 100
"""Bytes of one that a user chooses."""


@dataclass(frozen=True)
class StudyCell:
    """One cell and one seed: the run that stands behind it, or the reason why there is none."""

    row: str
    column: str
    seed: Seed
    signature: Signature | None
    reason: str = ""

    @property
    def key(self) -> CellKey:
        """Where it stands in the table."""
        return CellKey(self.row, self.column)


@dataclass(frozen=True)
class Place:
    """A cell and seed that a run serves, and the table and profile that it stands in."""

    table: str
    profile: str
    row: str
    column: str
    seed: int


@dataclass(frozen=True)
class Study:
    """What `results/studies/<name>.json` holds."""

    name: str
    created: str
    profile: str
    overrides: tuple[str, ...]
    seeds: tuple[int, ...]
    table: TableSpec
    cells: tuple[StudyCell, ...]

    @property
    def signatures(self) -> list[str]:
        """The distinct runs, in the table's order."""
        return list(dict.fromkeys(cell.signature for cell in self.cells if cell.signature))


@dataclass(frozen=True)
class StudyRun:
    """A run of some studies as it was read, once.

    Attributes:
        label: The cells that it serves, in words.
        result: Of a finished run.
        code_remark: What is to be said of the code that made the result (core/code.py).
    """

    run: Run
    label: str
    state: RunState
    result: RunResult | None
    environment: RunEnvironment
    code_remark: str = ""

    @property
    def signature(self) -> str:
        return self.run.signature

    @property
    def outcome(self) -> str:
        """converged | collapsed, or the state of a run that is not done."""
        return self.result.outcome if self.result else self.state


def read_runs(studies: Sequence[Study], store: Store) -> dict[str, StudyRun]:
    """The distinct runs behind some studies, by signature, in their order; each file of a run is read once."""
    runs, code = {}, Code(store.cache)
    for signature, label in labels(studies).items():
        run = store.run(signature)
        result = run.believed_result()
        remark = code.remark(result.code, result.modules) if result else ""
        state: RunState = "done" if result else run.state()
        runs[signature] = StudyRun(run, label, state, result, run.environment(), remark)
    return runs


def disbelieved(runs: Iterable[StudyRun]) -> list[str]:
    """A sentence for each of these runs whose whole result is not believed because its configuration is impossible."""
    return [
        f"{problem}: its result is not believed; `parsenet clean` offers it for removal"
        for read in runs
        if read.result is None and read.run.result() is not None and (problem := read.run.disbelief())
    ]


def names(store: Store) -> list[str]:
    """Of everything that lies where studies are kept; nothing is read."""
    return [file.stem for file in _files(store)]


def file_of(name: str, store: Store) -> Path:
    """Where the study of this name is kept."""
    return store.studies / f"{name}.json"


def save(study: Study, store: Store) -> Study:
    """Write the study with the present time."""
    study = replace(study, created=datetime.now(UTC).isoformat(timespec="microseconds"))
    content = {**asdict(study), "table": frozen_table.to_json(study.table)}
    write_with_checksum(file_of(study.name, store), content)
    return study


def load_all(store: Store) -> list[Study]:
    """Every study of the store, oldest first; files that are no studies are passed over."""
    return load_all_and_skipped(store)[0]


def load_all_and_skipped(store: Store) -> tuple[list[Study], list[str]]:
    """The same, and a sentence for each file that is passed over."""
    read = {file: _read(file) for file in _files(store)}
    studies = [study for study in read.values() if isinstance(study, Study)]
    sentences = [f"{file}: passed over, it is no study ({why})." for file, why in read.items() if isinstance(why, str)]
    return sorted(studies, key=lambda study: study.created), sentences


def in_reading_order(studies: Iterable[Study]) -> list[Study]:
    """By table (`table2` before `table10`) and profile, the newest of each first."""
    newest_first = sorted(studies, key=lambda study: study.created, reverse=True)
    return sorted(newest_first, key=lambda study: (natural_key(study.table.name), study.profile))


def selected(studies: Sequence[Study], names: Iterable[str], profile: str | None = None) -> list[Study]:
    """The studies of these tables, groups of tables or names, under this profile; of all where none is given.

    Raises:
        UserError: a name or profile that no study has.
    """
    known = {each.table.name for each in studies}
    wanted: set[str] = set()
    for name in names:
        tables = set(table_file.names(name)) if name in table_file.GROUPS else {name}
        if tables.isdisjoint(known | {each.name for each in studies}):
            if name in table_file.names() or name in table_file.GROUPS:
                raise UserError(f"{name} has not been run yet. Run `parsenet ablate {name}` first")
            raise unknown("table", name, sorted(known, key=natural_key))
        wanted |= tables
    profiles = sorted({each.profile for each in studies})
    if profile is not None and studies and profile not in profiles:
        raise unknown("profile among the studies:", profile, profiles)
    return [
        each
        for each in studies
        if profile in (None, each.profile) and (not wanted or not wanted.isdisjoint((each.name, each.table.name)))
    ]


def check_name_is_free(spec: TableSpec, store: Store) -> None:
    """Whether a grid or a run can have the name that was chosen for it: the studies of one name hold one table.

    Raises:
        UserError: it cannot be the name of a file, or a table or a study with another content is called so.
    """
    name, other = check_name(spec.name, "study's name"), "choose another --name"
    meanings = {**table_file.GROUPS, STUDIES: "what was issued in a results folder"}
    meanings |= {table: f"a table (`parsenet list {table}`)" for table in table_file.names()}
    if name in meanings:
        raise UserError(f"--name {name}: '{name}' means {meanings[name]}; {other}")
    if len(name.encode()) > _LONGEST_NAME:  # the profile and a digest follow in the file's
        raise UserError(f"--name {name}: expected at most {_LONGEST_NAME} bytes; {other}")
    for each in load_all(store):
        same = replace(each.table, title=spec.title) == spec  # which says it as it was written, with its seeds
        if name == each.name or (name == each.table.name and not same):
            raise UserError(
                f"--name {name}: a study with another content is called so ({each.table.title}: {_content(each.table)}); "
                f"{other}, or remove {file_of(each.name, store)}"
            )


def _content(spec: TableSpec) -> str:
    """What a table compares, in a few words."""
    rows = [" ".join(filter(None, row.labels)) for row in spec.rows]
    return ", ".join([*rows[:3], *(["…"] if len(rows) > 3 else [])])


def skipped(store: Store) -> list[str]:
    """A sentence for each file among the studies that is passed over."""
    return load_all_and_skipped(store)[1]


def _files(store: Store) -> list[Path]:
    return sorted(store.studies.glob("*.json"))


def _read(file: Path) -> Study | str:
    """A study, or what is wrong with the file."""
    try:
        return _from_json(read_with_checksum(file, unsealed_too=True) or {})
    except Damaged as problem:
        return str(problem).removeprefix(f"{file}: ")
    except (ValueError, UserError) as problem:
        return f"{problem}; the command that made it makes it again"


@dataclass(frozen=True)
class _Frozen:
    """A study as its file has it."""

    name: str
    created: str
    profile: str
    overrides: Sequence[str]
    seeds: Sequence[Seed]
    table: Mapping[str, Any]
    cells: Sequence[Mapping[str, Any]]


def _from_json(content: dict[str, Any]) -> Study:
    """Raises `ValueError` or `UserError` for the first thing in it that cannot be."""
    read = build(_Frozen, content)
    study = Study(
        name=check_name(read.name, "study's name"),
        created=read.created,
        profile=check_name(read.profile, "profile's name"),
        overrides=tuple(read.overrides),
        seeds=tuple(read.seeds),
        table=frozen_table.from_json(read.table),
        cells=tuple(build(StudyCell, cell) for cell in read.cells),
    )
    if not study.seeds or len(set(study.seeds)) < len(study.seeds):
        raise ValueError("seeds: expected at least one, and none twice")
    rows, columns = ({part.key for part in parts} for parts in (study.table.rows, study.table.columns))
    seeds: dict[CellKey, list[tuple[int, bool]]] = {}
    for cell in study.cells:
        if cell.row not in rows or cell.column not in columns:
            raise ValueError(f"cells: the table has no cell {cell.key}")
        seeds.setdefault(cell.key, []).append((cell.seed, cell.signature is None))
    for key, found in seeds.items():
        if sorted(seed for seed, _ in found) != sorted(study.seeds) or len({absent for _, absent in found}) > 1:
            raise ValueError(f"cells: {key} has not one run for each of the seeds")
    return study


def places(studies: Iterable[Study]) -> dict[str, list[Place]]:
    """What each run is for; runs and places in reading order."""
    served: dict[str, dict[Place, None]] = {}
    for study in in_reading_order(studies):
        for cell in study.cells:
            if cell.signature:
                place = Place(study.table.name, study.profile, cell.row, cell.column, cell.seed)
                served.setdefault(cell.signature, {})[place] = None
    return {signature: list(found) for signature, found in served.items()}


def labels(studies: Sequence[Study], *, brief: bool = False) -> dict[str, str]:
    """What a run is for: the first place it serves, the others in brackets, which are only counted where it is to be `brief`.
    Columns that show one run are one place."""
    served: dict[str, list[str]] = {}
    for study in studies:
        several = len({column.overrides for column in study.table.columns}) > 1
        for cell in study.cells:
            if cell.signature:
                place = f"{study.table.name} {cell.row}" + (f" {cell.column}" if several else "")
                places = served.setdefault(cell.signature, [f"{place} seed {cell.seed}"])
                if places[0] != f"{place} seed {cell.seed}" and place not in places:
                    places.append(place)
    return {s: first + _also(others, brief) for s, (first, *others) in served.items()}


def _also(others: Sequence[str], brief: bool) -> str:
    if not others:
        return ""
    return f" (+{len(others)})" if brief else f" (also {', '.join(others)})"

"""A study: one issued command, frozen. Which table, under which profile, with which seeds, and which run stands behind each cell.

`table`, `verify` and `report` read studies and runs and never compose anything again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from parsenet_cli import ablation
from parsenet_cli.ablation import TableSpec
from parsenet_cli.compose import Composer
from parsenet_cli.config import RunConfig
from parsenet_cli.errors import UserError, unknown
from parsenet_cli.files import Damaged, read_sealed, write_sealed
from parsenet_cli.models import support
from parsenet_cli.store import Store


@dataclass(frozen=True)
class StudyCell:
    """One cell and one seed: the run that stands behind it, or the reason why there is none."""

    row: str
    column: str
    seed: int
    signature: str | None
    reason: str = ""


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


def plan(
    spec: TableSpec,
    composer: Composer,
    seeds: Sequence[int],
    *,
    cited: bool = False,
    rows: Iterable[str] | None = None,
    columns: Iterable[str] | None = None,
) -> tuple[Study, dict[str, RunConfig]]:
    """Expand a table into a study and the runs it needs, by signature. Nothing is written.

    A cell whose trunk has no such body gets a reason instead of a run. Raises `UserError` for anything that is wrong.
    """
    cells: list[StudyCell] = []
    configs: dict[str, RunConfig] = {}
    for cell in spec.cells(cited=cited, rows=rows, columns=columns):
        try:
            first = composer.run_config(cell.overrides)
        except UserError as problem:
            raise UserError(f"{spec.name}, row {cell.row.key}, column {cell.column.key}: {problem}") from None
        reason = support.unsupported(first.science)
        for seed in seeds:
            config = first.model_copy(update={"science": first.science.model_copy(update={"seed": seed})})
            signature = None if reason else config.signature
            cells.append(StudyCell(cell.row.key, cell.column.key, seed, signature, reason or ""))
            if signature:
                configs[signature] = config
    content = [asdict(cell) for cell in cells], ablation.to_json(spec), composer.profile.name, list(seeds)
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]
    study = Study(
        name=f"{spec.name}-{composer.profile.name}-{digest}",
        created="",
        profile=composer.profile.name,
        overrides=tuple(composer.command_line),
        seeds=tuple(seeds),
        table=spec,
        cells=tuple(cells),
    )
    return study, configs


def save(study: Study, store: Store) -> Study:
    """Write the study with the present time; the newest of a table and profile is the one that `table` shows."""
    study = replace(study, created=datetime.now(UTC).isoformat(timespec="microseconds"))
    content = {**asdict(study), "table": ablation.to_json(study.table)}
    write_sealed(store.root / "studies" / f"{study.name}.json", content)
    return study


def load_all(store: Store) -> list[Study]:
    """Every study of the store, oldest first; files that are no studies are passed over."""
    found = [study for file in _files(store) if isinstance(study := _read(file), Study)]
    return sorted(found, key=lambda study: study.created)


def strange(store: Store) -> list[str]:
    """A sentence for each file among the studies that is passed over."""
    problems = [(file, problem) for file in _files(store) if isinstance(problem := _read(file), str)]
    return [f"{file}: passed over, it is no study ({problem})." for file, problem in problems]


def newest(store: Store, table: str, profile: str | None = None) -> Study:
    """The newest study of a table (and profile), or the one of exactly that name. `UserError` when there is none."""
    studies = load_all(store)
    named = [study for study in studies if study.name == table]
    named = named or [s for s in studies if s.table.name == table and profile in (None, s.profile)]
    if named:
        return named[-1]
    known = sorted({study.table.name for study in studies} | set(ablation.names()))
    if table not in known:
        raise unknown("table", table, known)
    under = f" under profile {profile}" if profile else ""
    raise UserError(f"{store.root}: {table} has not been run{under} yet. Run `parsenet ablate {table}` first")


def _files(store: Store) -> list[Path]:
    return sorted((store.root / "studies").glob("*.json"))


def _read(file: Path) -> Study | str:
    """A study, or what is wrong with the file."""
    try:
        return _from_json(read_sealed(file, unsealed_too=True) or {})
    except Damaged:
        return "it is damaged: the command that made it makes it again"
    except (KeyError, TypeError) as problem:
        return f"{type(problem).__name__}: {problem}"
    except UserError as problem:
        return str(problem)


def _from_json(content: dict[str, Any]) -> Study:
    return Study(
        name=content["name"],
        created=content["created"],
        profile=content["profile"],
        overrides=tuple(content["overrides"]),
        seeds=tuple(content["seeds"]),
        table=ablation.from_json(content["table"]),
        cells=tuple(StudyCell(**cell) for cell in content["cells"]),
    )

"""What a command would do: the runs behind a table, and what `parsenet plan` tells of them before they are carried out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from parsenet_cli.config import frozen_table, sweep
from parsenet_cli.config.compose import Composer, LauncherConfig
from parsenet_cli.config.overrides import key_of
from parsenet_cli.config.table import Cell, CellKey, TableSpec
from parsenet_cli.core.code import Code, modules_of, told
from parsenet_cli.core.errors import DataNotHere, UserError
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.core.text import Progress
from parsenet_cli.data import sets
from parsenet_cli.models import support
from parsenet_cli.runner import launch, needs
from parsenet_cli.runner.cost import CostModel
from parsenet_cli.runner.needs import CacheRoom, NotHere
from parsenet_cli.runner.state import state_of
from parsenet_cli.store.artifacts import verify_weights_file
from parsenet_cli.store.run import Run, Store
from parsenet_cli.store.study import Study, StudyCell, load_all


@dataclass(frozen=True)
class Plan:
    """A study and the runs it needs, by signature; nothing of it is written yet.

    Where data are not here, their runs have no signature: what stands in its place tells them apart and finds nothing in a store.
    """

    study: Study
    configs: Mapping[str, RunConfig]


def plan_table(
    spec: TableSpec,
    composer: Composer,
    seeds: Sequence[int],
    *,
    cited: bool = False,
    rows: Iterable[str] | None = None,
    columns: Iterable[str] | None = None,
    data_needed: bool = True,
) -> Plan:
    """Expand a table into a study and the runs it needs.

    A cell whose trunk has no such body gets a reason instead of a run. Without `data_needed` data that are not here do no harm:
    such a plan is looked at, not carried out. Raises `UserError` for anything that is wrong.
    """
    cells: list[StudyCell] = []
    configs: dict[str, RunConfig] = {}
    for cell in spec.cells(cited=cited, rows=rows, columns=columns):
        try:
            first = composer.run_config(cell.overrides, data_needed=data_needed)
        except UserError as problem:
            row, column = cell.row, cell.column
            named = [f"row {row.key}"] * bool(row.overrides) + [f"column {column.key}"] * bool(column.overrides)
            if not named or isinstance(problem, DataNotHere):  # it is the command line's, or the whole table's
                raise
            raise UserError(f"{', '.join([spec.name, *named])}: {problem}") from None
        verify_weights_file(first.runtime.weights_file)
        reason = support.unsupported(first.science) or sets.unpublished_mean(first.science)
        reason = reason or _lacks_arithmetic(first, cell, composer.command_line)
        for seed in seeds:
            config = first.model_copy(update={"science": first.science.model_copy(update={"seed": seed})})
            signature = None if reason else config.signature
            cells.append(StudyCell(*cell.key, seed, signature, reason or ""))
            if signature:
                configs[signature] = config
    profile, overrides = composer.profile.name, tuple(composer.command_line)
    content = [asdict(cell) for cell in cells], frozen_table.to_json(spec), profile, list(seeds)
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]
    name, seeds = f"{spec.name}-{profile}-{digest}", tuple(seeds)
    study = Study(
        name=name, created="", profile=profile, overrides=overrides, seeds=seeds, table=spec, cells=tuple(cells)
    )
    return Plan(study, configs)


def _lacks_arithmetic(config: RunConfig, cell: Cell, command_line: Sequence[str]) -> str | None:
    """Why a cell's precision cannot be had on the device, as far as that is known before a launcher is asked: a CPU.

    Raises:
        UserError: it is not the row or the column that asks for it, but the user.
    """
    precision, device = config.science.precision, config.runtime.device
    reason = support.lacks_arithmetic(precision, device) if device == "cpu" else None
    of_cell = {key_of(text) for text in (*cell.row.overrides, *cell.column.overrides)}
    if reason and "precision" not in of_cell - set(map(key_of, command_line)):
        raise UserError(f"precision={precision} device={device}: {reason}")
    return reason


def plan_retrain(store: Store, run: Run) -> Plan:
    """A study of this run alone, under the profile it was run with, and its frozen configuration with keep_model=true.

    As many images at a time as its result took, and (runner/worker.py) as many threads: so the number is the same. Nothing is
    composed again: what was edited since does not change which run it is.
    """
    frozen = run.config()
    result = run.result()
    asked = {"keep_model": True, "code": "", **({"micro_batch": result.micro_batch} if result else {})}
    config = frozen.model_copy(update={"runtime": frozen.runtime.model_copy(update=asked)})
    spec, _ = sweep.single([])
    (row,) = spec.rows
    spec = replace(spec, name=f"keep-{run.signature}", rows=(replace(row, labels=(run.signature,)),))
    studies = reversed(load_all(store))
    profile = next((one.profile for one in studies if run.signature in one.signatures), config.science.data)
    seed = config.science.seed
    cells = tuple(StudyCell(row.key, column.key, seed, run.signature) for column in spec.columns)
    name = f"{spec.name}-{profile}"
    only = Study(name=name, created="", profile=profile, overrides=(), seeds=(seed,), table=spec, cells=cells)
    return Plan(only, {run.signature: config})


def by_this_code(plan: Plan, store: Store) -> Plan:
    """The same, but a run that other or unknown code has made is not done: it is trained anew."""
    code = Code(store.cache)
    asked = {
        signature: {"code": code.identity(modules_of(config.science))} for signature, config in plan.configs.items()
    }
    configs = {
        signature: config.model_copy(update={"runtime": config.runtime.model_copy(update=asked[signature])})
        for signature, config in plan.configs.items()
    }
    return replace(plan, configs=configs)


def all_configs(plans: Iterable[Plan]) -> dict[str, RunConfig]:
    """The runs of several plans, each once."""
    return {signature: config for plan in plans for signature, config in plan.configs.items()}


def any_on_gpu(configs: Iterable[RunConfig]) -> bool:
    """Whether one of these runs may compute on a GPU."""
    return any(config.runtime.device != "cpu" for config in configs)


AGAIN = "to do again: {}"
"""The state of a run that is done, but not as it is asked for, and in what."""


@dataclass(frozen=True)
class PlannedCell:
    """One cell: the runs behind it, one per seed, and how each stands.

    Attributes:
        signatures: Of the runs; what only tells them apart where their data are not here (`identified`).
        shared_with: The first cell that needs the same runs, if it is another one.
        steps: Optimisation steps of each run; 0 where there is none.
        images: Images in a step.
        seconds: Expected duration of each run; None while nothing of its kind was measured.
    """

    table: str
    row: str
    column: str
    signatures: tuple[str, ...]
    states: tuple[str, ...]
    reason: str
    shared_with: str
    steps: int
    images: int
    seconds: float | None
    identified: bool = True


@dataclass(frozen=True)
class PlanSummary:
    """What `plan` prints.

    Attributes:
        steps: Of all runs that are missing.
        images: Seen in those steps, counted each time.
        bytes: What finished runs that are missing will take, with the models that are to be kept.
        checkpoint_bytes: What their checkpoints take besides, at most, while they are at work.
        cache: What they need in the cache.
        not_here: Data and weights that they need and that are not here.
        notices: What is to be said of the results that are there.
    """

    cells: tuple[PlannedCell, ...]
    runs: int
    missing: int
    slots: int
    steps: int
    images: int
    seconds: float | None
    bytes: float | None
    checkpoint_bytes: float | None
    cache: CacheRoom
    not_here: tuple[NotHere, ...] = ()
    notices: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For --json: seconds are null where nothing was measured yet, and runs whose data are not here have no signatures."""
        cells = tuple(cell if cell.identified else replace(cell, signatures=()) for cell in self.cells)
        return asdict(replace(self, cells=cells))


def summarize(
    plans: Sequence[Plan], store: Store, launcher: LauncherConfig, *, probe: bool, progress: Progress
) -> PlanSummary:
    """Look at the store; with `probe`, measure some steps of every kind of run that is missing, telling `progress`."""
    configs = all_configs(plans)
    code = Code(store.cache)
    looked = {signature: _look(store.run(signature), config, code) for signature, config in configs.items()}
    missing = [configs[signature] for signature, (done, *_) in looked.items() if not done]
    states = {signature: state for signature, (_, state, _) in looked.items()}
    remarks = [remark for done, _, remark in looked.values() if done]
    opened = launch.open_launcher(launcher, max(1, len(missing)), store.root, on_gpu=any_on_gpu(missing))
    cost = CostModel(store, opened.on_gpu)
    if probe:
        _probe(missing, cost, opened.threads, progress)
    first_use: dict[tuple[str, ...], str] = {}
    cells = []
    for plan in plans:
        seeds_of: dict[CellKey, list[StudyCell]] = {}
        for cell in plan.study.cells:
            seeds_of.setdefault(cell.key, []).append(cell)
        for key, seeds in seeds_of.items():
            signatures = tuple(cell.signature for cell in seeds if cell.signature)
            name = f"{plan.study.table.name} {key}"
            user = first_use.setdefault(signatures, name) if signatures else name
            config = configs[signatures[0]] if signatures else None
            science = config.science if config else None
            cells.append(
                PlannedCell(
                    plan.study.table.name,
                    *key,
                    signatures,
                    states=tuple(states[signature] for signature in signatures),
                    reason=seeds[0].reason,
                    shared_with="" if user == name else user,
                    steps=science.recipe.steps if science else 0,
                    images=science.recipe.images if science else 0,
                    seconds=cost.seconds(config) if config else None,
                    identified=not science or bool(science.data_id),
                )
            )
    recipes = [config.science.recipe for config in missing]
    return PlanSummary(
        tuple(cells),
        len(configs),
        len(missing),
        opened.slots,
        steps=sum(recipe.steps for recipe in recipes),
        images=sum(recipe.steps * recipe.images for recipe in recipes),
        seconds=cost.total_seconds(missing, opened.slots),
        bytes=cost.total_bytes(missing),
        checkpoint_bytes=cost.checkpoint_bytes(missing, opened.slots),
        cache=needs.cache_room(missing, store.cache),
        not_here=needs.not_here(missing, store.cache),
        notices=tuple(told(remarks)),
    )


def _look(run: Run, config: RunConfig, code: Code) -> tuple[bool, str, str]:
    """Whether a run is done as this command asks, how it stands, and what is to be said of the code that made it."""
    if not config.science.data_id:
        return False, "new", ""
    state, result = state_of(run, asked=config.runtime), run.result()
    remark = code.remark(result.code, result.modules) if result else ""
    if state == "queued" and result:
        stale = config.runtime.code not in ("", result.code)
        return False, AGAIN.format(remark if stale else "its model was not kept"), remark
    return state == "done", ", ".join(filter(None, [state, remark])) if state == "done" else state, remark


def _probe(missing: Sequence[RunConfig], cost: CostModel, threads: int, progress: Progress) -> None:
    from parsenet_cli.engine.probe import parameters, seconds_per_step

    kinds = {cost.kind(config): config for config in missing}
    for number, (kind, config) in enumerate(kinds.items(), start=1):
        network = f"{kind.trunk} {kind.body}, {kind.layers} layers, {kind.batch} images a step"
        progress(f"measuring {number} of {len(kinds)}: {network}")
        cost.add(config, seconds_per_step(config, threads))
        if config.runtime.keep_model:
            cost.parameters[kind] = parameters(config.science)

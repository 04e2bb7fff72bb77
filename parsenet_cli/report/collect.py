"""What a results folder holds for a report: a study of each table, the runs behind them, and what else lies there."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from parsenet_cli.core import paths
from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.files import is_plain, open_plain
from parsenet_cli.core.sealed import read_verified
from parsenet_cli.core.text import natural_key
from parsenet_cli.store import artifacts, choice, samples
from parsenet_cli.store.run import Store
from parsenet_cli.store.study import Study, StudyRun, file_of, load_all, read_runs, selected

CODE = (".py", ".css", ".js", ".j2", ".mplstyle")
"""Suffixes of the files of this package that a page is made by."""


@dataclass(frozen=True)
class ReportInput:
    """Everything that a report is made from.

    Attributes:
        profile: None: every profile that has a study.
        tables: What was named: tables, groups of them, studies. Empty: everything.
        studies: One of each profile and table (store/choice.py), by profile, in the paper's order.
        beside: Those that would be taken if no table were named: verdicts do not depend on what is shown.
        trials: One of each table, profile and set of overrides that make it other than the one in `studies`.
        runs: By signature, in the order of the studies and trials.
        left_out: What is not shown, and why.
    """

    store: Store
    profile: str | None
    tables: tuple[str, ...]
    studies: tuple[Study, ...]
    beside: tuple[Study, ...]
    trials: tuple[Study, ...]
    runs: dict[str, StudyRun]
    left_out: tuple[tuple[str, str], ...]

    @property
    def profiles(self) -> list[str]:
        """The profiles that have a study."""
        return list(dict.fromkeys(study.profile for study in self.studies))

    def under(self, profile: str) -> list[Study]:
        """The studies of a profile."""
        return [study for study in self.studies if study.profile == profile]

    @property
    def shown(self) -> tuple[Study, ...]:
        """Studies and trials."""
        return (*self.studies, *self.trials)

    @property
    def with_figures(self) -> bool:
        """Whether the claims belong to it that figures decide: they are of the paper as a whole."""
        return not self.tables or "all" in self.tables


def collect_input(
    store: Store, profile: str | None, tables: Sequence[str] = (), study: str | None = None
) -> ReportInput:
    """Look through the store. Nothing is written, and what is foreign or damaged is named instead of used.

    `study`: the name of one that is shown instead of the one that would be taken of its table.

    Raises:
        UserError: there is no study (under this profile, of these tables, of this name) to report.
    """
    everything = load_all(store)
    profiles = sorted({study.profile for study in everything})
    if profile is not None and everything and profile not in profiles:
        raise unknown(f"profile among the studies in {store.studies}:", profile, profiles)
    if not everything:
        raise UserError(f"{store.root}: there is no study to report. Run `parsenet ablate all` first")
    beside = choice.one_of_each(choice.only(everything, study), store)
    offered = selected(choice.only(everything, study), tables, profile)
    studies = tuple(sorted(choice.one_of_each(offered, store), key=_reading_order))
    choice.check_named(study, studies, everything)
    trials = tuple(sorted(_trials(offered, studies, store), key=_reading_order))
    runs = read_runs((*studies, *trials), store)
    left_out = [*_left_out_studies(store, studies, trials, everything), *_left_out_runs(store, everything, runs)]
    return ReportInput(store, profile, tuple(tables), studies, tuple(beside), trials, runs, tuple(left_out))


def _trials(offered: Sequence[Study], studies: Sequence[Study], store: Store) -> Iterator[Study]:
    """One of each set of overrides under which a table was run besides."""
    taken = {(study.profile, study.table.name): choice.changes(study) for study in studies}
    found: dict[tuple[str, str, tuple[str, ...]], list[Study]] = {}
    for study in offered:
        place, changes = (study.profile, study.table.name), choice.changes(study)
        if changes and changes != taken[place]:
            found.setdefault((*place, tuple(changes)), []).append(study)
    yield from (choice.choose(alike, store) for alike in found.values())


def digest(report: ReportInput) -> str:
    """sha256 over everything that the report is made from, this package's own code included."""
    store, whole = report.store, hashlib.sha256()
    data = [file_of(name, store) for name in dict.fromkeys(study.name for study in (*report.shown, *report.beside))]
    others = dict.fromkeys(signature for study in report.beside for signature in study.signatures)
    for run in (store.run(signature) for signature in others if signature not in report.runs):
        data += [run.result_file, run.confusions_file]
    data += sorted(store.figures.rglob("*.json"))
    data += sorted({samples_of(read) for read in report.runs.values() if read.result})
    for read in report.runs.values():
        run = read.run
        data += [run.config_file, run.environment_file, run.metrics_file]
        data += [run.result_file, run.confusions_file, run.predictions_file] if read.result else []
        whole.update(json.dumps([read.signature, read.state, run.status().error]).encode())
    code = [file for file in sorted(paths.PACKAGE.rglob("*")) if file.suffix in CODE]
    for folder, files in ((paths.PACKAGE, code), (store.root, data)):
        for file in files:
            content = _sha256(file)
            whole.update(f"{file.relative_to(folder).as_posix()} {content}\n".encode())
    whole.update(json.dumps([report.profile, report.tables, report.left_out]).encode())
    return whole.hexdigest()


def _sha256(file: Path) -> str:
    """Of its content; of nothing where it cannot be read."""
    try:
        with open_plain(file) as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return hashlib.sha256().hexdigest()


def samples_of(read: StudyRun) -> Path:
    """Where the images behind the run's kept predictions lie, if they were kept."""
    classes = read.result.classes if read.result else ()
    return samples.file_of(read.run.results, read.environment.data_id, classes)


def _left_out_studies(
    store: Store, studies: Sequence[Study], trials: Sequence[Study], everything: Sequence[Study]
) -> Iterator[tuple[str, str]]:
    """Files of studies and measurements that are not shown, and why."""
    known, taken = {study.name: study for study in everything}, {(s.profile, s.table.name): s for s in studies}
    shown = {study.name for study in (*studies, *trials)}
    for entry in sorted(store.studies.glob("[!.]*")):
        name = f"studies/{entry.name}"
        if entry.stem not in known or entry.suffix != ".json":
            yield name, "is no study of this version of parsenet"
        elif entry.stem not in shown:
            study = known[entry.stem]
            other = taken.get((study.profile, study.table.name))
            not_asked = f"is of {study.table.name} under profile {study.profile}, which was not asked for"
            yield name, f"{choice.why_not(study, other)}: {other.name} is shown" if other else not_asked
    for file in sorted(store.figures.glob("*/*.json")):
        if read_verified(file, unsealed_too=True) is None:
            name = file.relative_to(store.root).as_posix()
            yield name, f"is damaged: `parsenet figure {file.parent.name}` measures it again"


def _left_out_runs(store: Store, everything: Sequence[Study], runs: dict[str, StudyRun]) -> Iterator[tuple[str, str]]:
    """Runs that are not shown, or only in part, and why."""
    serving = {signature for study in everything for signature in study.signatures}
    for path, problem in store.left_out().items():
        yield path.relative_to(store.root).as_posix(), problem
    for run in store.runs():
        name = run.folder.relative_to(store.root).as_posix()
        if run.signature in runs:
            yield from ((name, why) for why in _damage(runs[run.signature]))
        elif run.signature in serving:
            yield name, f"serves only a study that is not shown ({'done' if run.result() else 'not done'})"
        else:
            yield name, "serves no study of this folder"


def _damage(read: StudyRun) -> Iterator[str]:
    """What of a run that is shown cannot be used."""
    run = read.run
    if read.result is None:
        if problem := run.disbelief():
            yield f"has a result that is not believed, and counts as not done: {problem.replace(f'{run.folder}/', '')}"
        return
    damaged = artifacts.damaged(run, read.result)
    for file in (run.confusions_file, run.predictions_file):
        problem = f"has a damaged {file.name}" if is_plain(file) else f"has lost its {file.name}"
        if not is_plain(file) or file.name in damaged:
            yield f"{problem}: its scores are shown, without what follows from single images"
    if run.metrics_file.name in damaged:
        yield f"has a damaged {run.metrics_file.name}: its curve lacks the records that are not whole"
    if run.has_damaged_environment:
        yield f"has a damaged {run.environment_file.name}: what it was carried out with is not known"


def _reading_order(study: Study) -> tuple[str, bool, bool, str]:
    """The paper's tables by their numbers, then the others, then those beyond the paper."""
    name = study.table.name
    return study.profile, bool(study.table.remark), re.fullmatch(r"table\d+", name) is None, natural_key(name)

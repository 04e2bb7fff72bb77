"""What a results folder holds for a report: the newest studies, the runs behind them, and what else lies there."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from parsenet_cli.core import paths
from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.files import read_verified
from parsenet_cli.core.text import natural_key
from parsenet_cli.store import artifacts, samples, study
from parsenet_cli.store.result import RunEnvironment, RunResult
from parsenet_cli.store.run import Run, Store
from parsenet_cli.store.study import Study, labels


@dataclass(frozen=True)
class RunSummary:
    """A run as it was found."""

    run: Run
    label: str
    """The cells that it serves, in words."""
    state: str
    result: RunResult | None
    """Of a finished run."""
    environment: RunEnvironment

    @property
    def signature(self) -> str:
        return self.run.signature

    @property
    def outcome(self) -> str:
        """converged | collapsed, or the state of a run that is not done."""
        return self.result.outcome if self.result else self.state


@dataclass(frozen=True)
class ReportInput:
    """Everything that a report is made from."""

    store: Store
    profile: str | None
    """None: every profile that has a study."""
    studies: tuple[Study, ...]
    """The newest of each profile and table, by profile, in the paper's order."""
    runs: dict[str, RunSummary]
    """By signature, in the order of the studies."""
    left_out: tuple[tuple[str, str], ...]
    """What is not shown, and why."""

    @property
    def profiles(self) -> list[str]:
        """The profiles that have a study."""
        return list(dict.fromkeys(one.profile for one in self.studies))

    def of(self, profile: str) -> list[Study]:
        """The studies under a profile."""
        return [one for one in self.studies if one.profile == profile]


def collect_input(store: Store, profile: str | None) -> ReportInput:
    """Look through the store. Nothing is written, and what is foreign or damaged is named instead of used.

    Raises:
        UserError: there is no study (under this profile) to report.
    """
    everything = study.load_all(store)
    if profile is not None and everything and profile not in {one.profile for one in everything}:
        raise unknown(f"profile among the studies in {store.studies}:", profile, _profiles(everything))
    chosen = {(one.profile, one.table.name): one for one in everything if profile in (None, one.profile)}
    if not chosen:
        raise UserError(f"{store.root}: there is no study to report. Run `parsenet ablate all` first")
    studies = tuple(sorted(chosen.values(), key=_reading_order))
    labels = labels(studies)
    runs = {signature: _see(store.run(signature), label) for signature, label in labels.items()}
    return ReportInput(store, profile, studies, runs, tuple(_left_out(store, studies, everything, runs)))


def digest(survey: ReportInput) -> str:
    """sha256 over everything that the report is made from, this package's own code included."""
    whole = hashlib.sha256()
    package = paths.PACKAGE
    code = [file for file in sorted(package.rglob("*")) if file.suffix in (".py", ".css", ".js")]
    root = survey.store.root
    data = [survey.store.studies / f"{one.name}.json" for one in survey.studies]
    data += sorted((root / "figures").rglob("*.json"))
    data += sorted({samples_of(seen) for seen in survey.runs.values() if seen.result})
    for seen in survey.runs.values():
        run = seen.run
        data += [run.config_file, run.environment_file, run.metrics_file]
        data += [run.result_file, run.confusions_file, run.predictions_file] if seen.result else []
        whole.update(json.dumps([seen.signature, seen.state, seen.run.status().error]).encode())
    for file, name in [(f, f.relative_to(package)) for f in code] + [(f, f.relative_to(root)) for f in data]:
        content = file.read_bytes() if file.is_file() else b""
        whole.update(f"{name.as_posix()} {hashlib.sha256(content).hexdigest()}\n".encode())
    whole.update(json.dumps([survey.profile, survey.left_out]).encode())
    return whole.hexdigest()


def samples_of(seen: RunSummary) -> Path:
    """Where the pictures behind the run's kept predictions lie, if they were kept."""
    classes = seen.result.classes if seen.result else ()
    return samples.file_of(seen.run.results, seen.environment.data_id, classes)


def _see(run: Run, label: str) -> RunSummary:
    result = run.result()
    return RunSummary(run, label, "done" if result else run.state(), result, run.environment())


def _left_out(
    store: Store, studies: Sequence[Study], everything: Sequence[Study], runs: dict[str, RunSummary]
) -> Iterator[tuple[str, str]]:
    folder = store.studies
    shown, known = {one.name for one in studies}, {one.name: one for one in everything}
    for entry in sorted(folder.glob("*")) if folder.is_dir() else ():
        name = f"studies/{entry.name}"
        if entry.name.startswith("."):
            continue
        if entry.stem not in known or entry.suffix != ".json":
            yield name, "is no study of this version of parsenet"
        elif entry.stem not in shown:
            one = known[entry.stem]
            newer = next((s for s in studies if (s.profile, s.table.name) == (one.profile, one.table.name)), None)
            yield name, f"older than {newer.name}" if newer else f"of another profile ({one.profile})"
    for file in sorted(store.figures.glob("*/*.json")):
        if read_verified(file, unsealed_too=True) is None:
            name = file.relative_to(store.root).as_posix()
            yield name, f"is damaged: `parsenet figure {file.parent.name}` measures it again"
    serving = {signature for one in everything for signature in one.signatures}
    for entry in sorted(store.runs_folder.glob("*")):
        name, run = f"runs/{entry.name}", Run(entry)
        if entry.name.startswith("."):
            continue
        if not entry.is_dir():
            yield name, "is no run's folder"
        elif entry.name in runs:
            yield from ((name, why) for why in _damage(runs[entry.name]))
        elif not run.config_file.is_file():
            yield name, f"has no {run.config_file.name}: not a run's folder, or half-written"
        elif entry.name in serving:
            yield name, f"serves only a study that is not shown ({'done' if run.result() else 'not done'})"
        else:
            yield name, "serves no study of this folder"


def _damage(seen: RunSummary) -> Iterator[str]:
    """What of a run that is shown cannot be used."""
    run = seen.run
    if run.has_damaged_result:
        yield f"has a {run.result_file.name} that is damaged or another run's: it counts as not done"
    if seen.result is None:
        return
    damaged = artifacts.damaged(run, seen.result)
    for file in (run.confusions_file, run.predictions_file):
        if not file.is_file():
            yield f"has lost its {file.name}: its scores are shown, without what follows from single images"
        elif file.name in damaged:
            yield f"has a damaged {file.name}: its scores are shown, without what follows from single images"
    if run.metrics_file.name in damaged:
        yield f"has a damaged {run.metrics_file.name}: its curve lacks the records that are not whole"
    if run.has_damaged_environment:
        yield f"has a damaged {run.environment_file.name}: what it was carried out with is not known"


def _profiles(studies: Sequence[Study]) -> list[str]:
    return sorted({one.profile for one in studies})


def _reading_order(one: Study) -> tuple[str, bool, str]:
    """The paper's tables by their numbers, then the others."""
    name = one.table.name
    return one.profile, re.fullmatch(r"table\d+", name) is None, natural_key(name)

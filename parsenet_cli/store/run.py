"""The results folder: runs (one folder per signature) and studies. Everything that is read or written about a run is here.

results/runs/<signature>/ holds config.yaml (frozen when planned), env.json, status.json, metrics.jsonl, log.txt,
checkpoint.pt and the one before it (while it runs), cancelled (while that is wished), job.json (where a cluster carries it out),
confusion.npz, predictions.npz, model.safetensors (where it is to be kept) and result.json. A run is *done* when its result.json
is whole (its seal fits) and carries its signature; nothing else is believed. It names the checksums of the files that belong to
it. A command that asks for the model (`keep_model=true`) finds a run without it not done: it is trained again, and its old
result stays until the new one.

Every JSON file is sealed (see `files.py`). Those that were written before seals existed are believed.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import (
    crc32_of,
    guard,
    os_errors_as_user_errors,
    quarantine,
    read_verified,
    tag_cache,
    write_text,
    write_with_checksum,
)
from parsenet_cli.core.run_config import RunConfig, from_yaml, to_yaml
from parsenet_cli.core.text import print_line
from parsenet_cli.store import metrics_log
from parsenet_cli.store.result import PrerequisiteStatus, RunEnvironment, RunResult, RunState, RunStatus

ERROR_PREFIX = "error: "
"""How a line of log.txt begins that says what is wrong with the input."""


class Busy(Exception):
    """Another process holds this run's lock: it is being trained."""


class _RunFile:
    """A file of a run's folder."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, run: Run, _: type[Run]) -> Path:
        return run.folder / self._name


@dataclass(frozen=True)
class Run:
    """One run's folder. It exists on disk once `create` was called."""

    folder: Path

    @property
    def signature(self) -> str:
        return self.folder.name

    # --- where its files lie ---------------------------------------------------------------------------------------

    @property
    def results(self) -> Store:
        """The results folder that it lies in."""
        return Store(self.folder.parents[1])

    config_file = _RunFile("config.yaml")  # the frozen configuration
    result_file = _RunFile("result.json")  # what makes the run done
    environment_file = _RunFile("env.json")  # what it was carried out with
    log = _RunFile("log.txt")  # what its worker has printed
    metrics_file = _RunFile("metrics.jsonl")  # the records of the training
    confusions_file = _RunFile("confusion.npz")  # a confusion matrix per validation image
    predictions_file = _RunFile("predictions.npz")  # small label maps of a few validation images
    model_file = _RunFile("model.safetensors")  # the trained network, where it was kept
    _status_file = _RunFile("status.json")
    _job_file = _RunFile("job.json")
    _cancelled_file = _RunFile("cancelled")
    _lock_file = _RunFile("lock")

    @property
    def checkpoints(self) -> tuple[Path, Path]:
        """Where an interrupted run goes on from: the newest, and the one before it in case the newest is damaged."""
        return self.folder / "checkpoint.pt", self.folder / "checkpoint.previous.pt"

    # --- what the run is -------------------------------------------------------------------------------------------

    def create(self, config: RunConfig) -> None:
        """Freeze the resolved configuration into the folder; a run that has one keeps it, but for its runtime part."""
        if config.signature != self.signature:
            raise ValueError(f"the configuration's signature is {config.signature}, the folder's {self.signature}")
        write_text(self.config_file, to_yaml(config))

    def config(self) -> RunConfig:
        """The frozen configuration. Raises `UserError` where the folder holds none or one of another signature."""
        file = self.config_file
        try:
            config = RunConfig.model_validate(from_yaml(file.read_text(encoding="utf-8")))
        except OSError:
            raise UserError(f"{self.folder}: there is no config.yaml, so this is not a run's folder") from None
        except Exception as problem:
            raise UserError(f"{file}: does not hold a run's configuration ({problem})") from None
        if config.signature != self.signature:
            raise UserError(
                f"{file}: its content has signature {config.signature}. Either the file was edited or it was written by "
                "another version of parsenet; remove the folder and issue the command again"
            )
        return config

    # --- how it stands ---------------------------------------------------------------------------------------------

    def result(self) -> RunResult | None:
        """The finished run's result, or None while there is none that is whole and this run's."""
        content = self._read(self.result_file)
        if content.get("signature") != self.signature or "outcome" not in content:
            return None
        return RunResult.from_json(content)

    def done_result(self) -> RunResult:
        """The result of a run that is known to be done. Raises `LookupError` where there is none after all."""
        result = self.result()
        if result is None:
            raise LookupError(f"{self.folder}: the run is not done")
        return result

    @property
    def has_damaged_result(self) -> bool:
        """Whether there is a result.json that is not believed: damaged, or another run's."""
        return self.result_file.is_file() and self.result() is None

    def status(self) -> RunStatus:
        """What the worker last said of itself."""
        return RunStatus.from_json(self._read(self._status_file))

    def environment(self) -> RunEnvironment:
        """What the run was carried out with, as far as that is known."""
        return RunEnvironment.from_json(self._read(self.environment_file))

    @property
    def has_damaged_environment(self) -> bool:
        """Whether there is an env.json that is not believed."""
        return self.environment_file.is_file() and not self.environment().content

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is anything to go on from."""
        return any(file.is_file() for file in self.checkpoints)

    def done(self, with_model: bool = False) -> bool:
        """Whether there is a result and, if that is asked for, the trained network too."""
        return self.result() is not None and (self.model_file.is_file() or not with_model)

    def done_as_asked(self) -> bool:
        """Whether it is done as its own configuration asks. Raises `UserError` where only that could tell and is damaged."""
        return self.result() is not None and (self.model_file.is_file() or not self.config().runtime.keep_model)

    def state(self, with_model: bool = False) -> RunState:
        """done | failed | running | lost (it stopped without saying so) | queued | new (never planned).

        `with_model`: a run whose model was not kept is not done.
        """
        if self.done(with_model):
            return "done"
        if self.alive():
            return "running"
        if self.done(with_model):  # it ended between the two looks: what is read from here on is final
            return "done"
        match self.status().state:
            case "failed":
                return "failed"
            case "running":
                return "lost"
            case _:
                return "queued" if self.config_file.is_file() else "new"

    def alive(self) -> bool:
        """Whether a living worker holds this run's lock."""
        if not self._lock_file.exists():
            return False
        try:
            with self.lock(wait=0):
                return False
        except Busy:
            return True

    @contextmanager
    def lock(self, wait: float = 2.0) -> Iterator[None]:
        """Hold the run for as long as the block lasts; the operating system lets go when the process dies.

        Raises `Busy` when another process still holds it after `wait` seconds.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self._lock_file)
        with os_errors_as_user_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=wait, poll_interval=0.05)
            except Timeout:
                raise Busy(self.signature) from None
        try:
            yield
        finally:
            lock.release()

    # --- what is asked of it -----------------------------------------------------------------------------------------

    @property
    def cancelled(self) -> bool:
        """Whether its worker is to write a checkpoint and leave, and no driver at work is to start another."""
        return self._cancelled_file.exists()

    def cancel(self) -> None:
        """Ask for it. The next command that is issued for this run takes it back."""
        write_text(self._cancelled_file, time.strftime("%Y-%m-%d %H:%M:%S\n"))

    def clear_cancel(self) -> None:
        """It is to be carried out again."""
        with os_errors_as_user_errors(self.folder):
            self._cancelled_file.unlink(missing_ok=True)

    def job(self) -> str | None:
        """Under which id a cluster's queue knows this run's last job; None where none is known to wait or run.

        It may have left the queue since: only the queue can tell.
        """
        return self._read(self._job_file).get("job")

    def prerequisite_jobs(self) -> list[str]:
        """The jobs that make what this run needs, and that its own job was submitted to wait for."""
        return list(self._read(self._job_file).get("after", ()))

    def record_job(self, job: str, after: Sequence[str] = ()) -> None:
        """Remember what `job` and `prerequisite_jobs` read. A file of its own: the worker may already be writing its status."""
        write_with_checksum(self._job_file, {"job": job, **({"after": list(after)} if after else {})})

    def clear_job(self) -> None:
        """No queue has it any more."""
        with os_errors_as_user_errors(self.folder):
            self._job_file.unlink(missing_ok=True)

    # --- what a worker writes --------------------------------------------------------------------------------------

    def update_status(self, **said: Any) -> None:
        """Merge into status.json; `beat` counts the updates, so that a reader sees life without comparing clocks."""
        before = self._read(self._status_file)
        write_with_checksum(self._status_file, {**before, **said, "beat": before.get("beat", 0) + 1})

    def record_environment(self, environment: RunEnvironment) -> None:
        """Write what `environment` reads."""
        write_with_checksum(self.environment_file, environment.as_json())

    def record_result(self, result: RunResult, *belonging: Path) -> None:
        """Write the result, which makes the run done: it comes last. The files `belonging` to it are there already."""
        files = {file.name: crc32_of(file) for file in belonging}
        write_with_checksum(self.result_file, {**result.as_json(), "files": files})

    def quarantine_damaged_result(self) -> None:
        """Keep a result that is not believed under another name, before the run is carried out again; the log says so."""
        if self.has_damaged_result:
            aside = quarantine(self.result_file)
            print_line(
                f"{self.result_file.name} is damaged or another run's: it is kept as {aside.name}, the run is done again"
            )

    def prerequisite(self, what: str) -> PrerequisiteStatus:
        """What the process that prepares `what` for this run and others last said."""
        return PrerequisiteStatus.from_json(self._read(self._prerequisite_file(what)))

    def update_prerequisite(self, what: str, **said: Any) -> None:
        """Replace what `prerequisite` reads; `beat` counts as that of `update_status` does."""
        beat = (self.prerequisite(what).beat or 0) + 1
        write_with_checksum(self._prerequisite_file(what), {**said, "beat": beat})

    def clear_prerequisite(self, what: str) -> None:
        """Nothing is left to read."""
        self._prerequisite_file(what).unlink(missing_ok=True)

    def append_metrics(self, record: dict[str, Any]) -> None:
        """Append one line to metrics.jsonl."""
        metrics_log.append(self.metrics_file, record)

    def metrics(self) -> list[dict[str, Any]]:
        """The training records so far; a torn last line is passed over, and so is a damaged one."""
        return metrics_log.read(self.metrics_file)[0]

    def cut_metrics(self, iteration: int) -> None:
        """Forget the records after `iteration`: the run goes on from a checkpoint made there."""
        metrics_log.cut(self.metrics_file, iteration)

    def last_error(self) -> str:
        """The error with which a worker left whose status could not be written; empty where it did not end so."""
        last = self.log_tail(1)
        return last[0].removeprefix(ERROR_PREFIX) if last and last[0].startswith(ERROR_PREFIX) else ""

    def log_tail(self, lines: int = 12) -> list[str]:
        """The last lines of log.txt."""
        try:
            return self.log.read_text(errors="replace").splitlines()[-lines:]
        except OSError:
            return []

    def retrain_command(self) -> str:
        """What to type to get the model of a run."""
        return f"`parsenet keep {self.signature} --results {shlex.quote(str(self.results.root))}`"

    def _prerequisite_file(self, what: str) -> Path:
        return self.folder / f"preparing-{what}.json"

    def _read(self, file: Path) -> dict[str, Any]:
        """A JSON file's content; {} where there is none, or where it is damaged."""
        return read_verified(file, unsealed_too=True) or {}


@dataclass(frozen=True)
class Store:
    """A results folder."""

    root: Path

    def __post_init__(self) -> None:
        guard(self.root)

    @property
    def cache(self) -> Path:
        """Generated and decoded data, the quick trunk, remembered hashes: can be deleted at any time."""
        return self.root / "cache"

    @property
    def tables(self) -> Path:
        return self.root / "tables"

    @property
    def figures(self) -> Path:
        """What was measured for figures, and the drawings."""
        return self.root / "figures"

    @property
    def studies(self) -> Path:
        return self.root / "studies"

    @property
    def runs_folder(self) -> Path:
        return self.root / "runs"

    def run(self, signature: str) -> Run:
        return Run(self.runs_folder / signature)

    def find(self, prefix: str) -> Run:
        """The run whose signature starts with `prefix`. Raises `UserError` when none or several do."""
        runs = [run for run in self.runs() if run.signature.startswith(prefix)]
        if len(runs) == 1:
            return runs[0]
        several = ": " + ", ".join(run.signature for run in runs) if runs else ""
        raise UserError(f"{len(runs)} runs in {self.runs_folder} start with '{prefix}'{several}")

    def runs(self) -> list[Run]:
        """Every run's folder, by signature; foreign folders are passed over."""
        return [Run(entry) for entry in sorted(self.runs_folder.glob("*")) if Run(entry).config_file.is_file()]

    def prerequisite_files(self) -> list[Path]:
        """Where it stands how far what runs share is prepared, for all runs."""
        return sorted(self.runs_folder.glob("*/preparing-*.json"))

    def skipped(self) -> list[str]:
        """A sentence for each thing among the runs that is passed over: foreign, or half-written."""
        sentences = []
        for entry in sorted(self.runs_folder.glob("*")):
            run = Run(entry)
            if not run.config_file.is_file():
                sentences.append(f"{entry}: passed over, it is no run's folder (no {run.config_file.name}).")
            elif run.has_damaged_result:
                sentences.append(
                    f"{entry}: passed over, its {run.result_file.name} is damaged or another run's. The next command that "
                    "needs the run does it again and keeps the file beside the new one."
                )
        return sentences

    def check_writable(self) -> None:
        """Raise `UserError` now rather than in the middle of a sweep."""
        probe = self.runs_folder / ".writable"
        try:
            write_text(probe, time.strftime("%Y-%m-%d\n"))
            probe.unlink(missing_ok=True)
            tag_cache(self.cache)
        except OSError as problem:
            raise UserError(f"{self.root}: {problem.strerror}: choose another folder with --results") from None

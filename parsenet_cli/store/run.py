"""The results folder: runs (one folder per signature) and studies. Everything that is read or written about a run is here.

results/runs/<signature>/ holds config.yaml (frozen when planned), env.json, status.json, metrics.jsonl, log.txt,
checkpoint.pt and the one before it (while it runs), cancelled (while that is wished), job.json (where a cluster carries it out),
confusion.npz, predictions.npz, model.safetensors (where it is to be kept) and result.json. A run is *done* when its result.json
is whole (its seal fits) and carries its signature; nothing else is believed. It names the checksums of the files that belong to
it. A command that asks for more than that (the model: `keep_model=true`; this code: `--rerun-stale`) finds the run not done: it
is trained again, and its old result stays until the new one. Where that is another, or made by other code, the old one is kept
in a folder `earlier-*` of the run's.

Every JSON file is sealed (see `files.py`). Those that were written before seals existed are believed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shlex
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from parsenet_cli.core.bounds import first_fault
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import (
    guard,
    is_locked,
    is_plain,
    link_or_copy,
    make_folder,
    open_plain,
    os_errors_as_user_errors,
    read_bytes,
    read_text,
    refuse_lock,
    remove,
    tag_cache,
    write_bytes,
    write_text,
)
from parsenet_cli.core.run_config import RunConfig, Runtime, from_yaml, to_yaml
from parsenet_cli.core.sealed import Damaged, crc32_of, quarantine, read_with_checksum, write_with_checksum
from parsenet_cli.core.text import natural_key, print_line
from parsenet_cli.store import metrics_log
from parsenet_cli.store.result import JobRecord, PrerequisiteStatus, RunEnvironment, RunResult, RunState, RunStatus

ERROR_PREFIX = "error: "
"""How a line of log.txt begins that says what is wrong with the input."""

_CONFIG = "config.yaml"

_ANOTHER_VERSIONS = {"missing", "extra_forbidden", "literal_error"}
"""What pydantic finds wrong with a configuration that another version of parsenet may have written so."""

_LOG_BYTES = 1 << 20
"""Of a log's end, which is all that is looked at."""

_Record = TypeVar("_Record", RunResult, RunStatus, RunEnvironment, PrerequisiteStatus, JobRecord)


class Busy(Exception):
    """Another process holds this run's lock: it is being trained."""


class ImpossibleConfig(UserError):
    """A configuration with a value that no run can have: what was made under it is believed by nothing."""


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

    config_file = _RunFile(_CONFIG)  # the frozen configuration
    result_file = _RunFile("result.json")  # what makes the run done
    environment_file = _RunFile("env.json")  # what it was carried out with
    lock_file = _RunFile("lock")  # what its worker holds while it lives
    log = _RunFile("log.txt")  # what its worker has printed
    metrics_file = _RunFile("metrics.jsonl")  # the records of the training
    confusions_file = _RunFile("confusion.npz")  # a confusion matrix per validation image
    predictions_file = _RunFile("predictions.npz")  # small label maps of a few validation images
    model_file = _RunFile("model.safetensors")  # the trained network, where it was kept
    _status_file = _RunFile("status.json")
    _job_file = _RunFile("job.json")
    _cancelled_file = _RunFile("cancelled")

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
            config = RunConfig.model_validate(from_yaml(read_text(file, follow=False)))
        except FileNotFoundError:
            raise UserError(f"{self.folder}: there is no config.yaml, so this is not a run's folder") from None
        except OSError as problem:
            raise UserError(f"{file}: cannot be read ({problem.strerror})") from None
        except ValidationError as problem:
            kinds = {fault["type"] for fault in problem.errors(include_url=False, include_context=False)}
            kind = UserError if kinds & _ANOTHER_VERSIONS else ImpossibleConfig
            raise kind(f"{file}: does not hold a run's configuration ({first_fault(problem, RunConfig)})") from None
        except Exception as problem:
            text = " ".join(str(problem).split())
            raise UserError(f"{file}: does not hold a run's configuration ({text:.300})") from None
        if config.signature != self.signature:
            raise UserError(
                f"{file}: its content has signature {config.signature}. Either the file was edited or it was written by "
                "another version of parsenet; remove the folder and issue the command again"
            )
        return config

    # --- how it stands ---------------------------------------------------------------------------------------------

    def result(self) -> RunResult | None:
        """The finished run's result, or None while there is none that is whole and this run's."""
        try:
            return self._result()
        except ValueError:
            return None

    def believed_result(self) -> RunResult | None:
        """The same, but None too where the frozen configuration is impossible: for everything that shows or judges numbers."""
        result = self.result()
        return None if result is not None and self._impossible_setting else result

    def disbelief(self) -> str:
        """Why a result that is there counts as none, with the file and the key; empty where none is there, or it counts."""
        try:
            result = self._result()
        except ValueError as problem:
            return f"{self.result_file}: {problem}"
        return self._impossible_setting if result is not None else ""

    @property
    def has_whole_result(self) -> bool:
        """Whether there is a result.json that no disk has damaged, believed or not."""
        try:
            return read_with_checksum(self.result_file, unsealed_too=True) is not None
        except Damaged:
            return False

    def _result(self) -> RunResult | None:
        """Raises `ValueError` for one that is not believed."""
        try:
            content = read_with_checksum(self.result_file, unsealed_too=True)
        except Damaged as problem:
            raise ValueError(str(problem).removeprefix(f"{self.result_file}: ")) from None
        if content is None:
            return None
        if content.get("signature") != self.signature:
            raise ValueError("is another run's")
        return RunResult.from_json(content)

    @property
    def _impossible_setting(self) -> str:
        """What of the frozen configuration no run can have; empty where that cannot be said."""
        try:
            self.config()
        except ImpossibleConfig as problem:
            return str(problem)
        except UserError:
            return ""
        return ""

    def done_result(self) -> RunResult:
        """The result of a run that is known to be done. Raises `LookupError` where there is none after all."""
        result = self.result()
        if result is None:
            raise LookupError(f"{self.folder}: the run is not done")
        return result

    @property
    def has_damaged_result(self) -> bool:
        """Whether there is a result.json that is not believed: damaged, or another run's."""
        return is_plain(self.result_file) and self.result() is None

    def status(self) -> RunStatus:
        """What the worker last said of itself."""
        return self._read(self._status_file, RunStatus)

    def environment(self) -> RunEnvironment:
        """What the run was carried out with, as far as that is known."""
        return self._read(self.environment_file, RunEnvironment)

    @property
    def has_damaged_environment(self) -> bool:
        """Whether there is an env.json that is not believed."""
        return is_plain(self.environment_file) and not self.environment().content

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is anything to go on from."""
        return any(map(is_plain, self.checkpoints))

    def done(self, asked: Runtime | None = None) -> bool:
        """Whether there is a result and, where that is asked for, the trained network too and this code behind it."""
        result = self.result()
        if result is None or asked is None:
            return result is not None
        return (is_plain(self.model_file) or not asked.keep_model) and asked.code in ("", result.code)

    def done_as_asked(self) -> bool:
        """Whether it is done as its own configuration asks. Raises `UserError` where only that could tell and is damaged."""
        return self.result() is not None and self.done(self.config().runtime)

    def state(self, asked: Runtime | None = None) -> RunState:
        """done | failed | running | lost (it stopped without saying so) | queued | new (never planned).

        `asked`: a run whose model was not kept, or that other code has made, is not done where that is asked for.
        """
        if self.done(asked):
            return "done"
        if self.alive():
            return "running"
        if self.done(asked):  # it ended between the two looks: what is read from here on is final
            return "done"
        match self.status().state:
            case "failed":
                return "failed"
            case "running":
                return "lost"
            case _:
                return "queued" if is_plain(self.config_file) else "new"

    def alive(self) -> bool:
        """Whether a living worker holds this run's lock. Nothing is written: the store may be somebody else's."""
        return is_locked(self.lock_file)

    @contextmanager
    def lock(self, wait: float = 2.0) -> Iterator[None]:
        """Hold the run for as long as the block lasts; the operating system lets go when the process dies.

        Raises `Busy` when another process still holds it after `wait` seconds.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.lock_file)
        with os_errors_as_user_errors(self.folder):
            make_folder(self.folder)
        with os_errors_as_user_errors(self.lock_file):
            refuse_lock(self.lock_file)
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
        return is_plain(self._cancelled_file)

    def cancel(self) -> None:
        """Ask for it. The next command that is issued for this run takes it back."""
        write_text(self._cancelled_file, time.strftime("%Y-%m-%d %H:%M:%S\n"))

    def clear_cancel(self) -> None:
        """It is to be carried out again."""
        remove(self._cancelled_file)

    def job(self) -> str | None:
        """Under which id a cluster's queue knows this run's last job; None where none is known to wait or run.

        It may have left the queue since: only the queue can tell.
        """
        return self._read(self._job_file, JobRecord).job

    def prerequisite_jobs(self) -> list[str]:
        """The jobs that make what this run needs, and that its own job was submitted to wait for."""
        return list(self._read(self._job_file, JobRecord).after)

    def record_job(self, job: str, after: Sequence[str] = ()) -> None:
        """Remember what `job` and `prerequisite_jobs` read. A file of its own: the worker may already be writing its status."""
        write_with_checksum(self._job_file, {"job": job, **({"after": list(after)} if after else {})})

    def clear_job(self) -> None:
        """No queue has it any more."""
        remove(self._job_file)

    # --- what a worker writes --------------------------------------------------------------------------------------

    def update_status(self, **said: Any) -> None:
        """Merge into status.json; `beat` counts the updates, so that a reader sees life without comparing clocks."""
        before = self.status()
        write_with_checksum(self._status_file, {**before.content, **said, "beat": before.beat + 1})

    def record_environment(self, environment: RunEnvironment) -> None:
        """Write what `environment` reads."""
        write_with_checksum(self.environment_file, environment.as_json())

    def record_result(self, result: RunResult, *belonging: Path) -> None:
        """Write the result, which makes the run done: it comes last. The files `belonging` to it are there already."""
        before = self.result()
        aside = self._set_aside(read_bytes(self.result_file)) if before else []
        files = {file.name: crc32_of(file) for file in belonging}
        write_with_checksum(self.result_file, {**result.as_json(), "files": files})
        if before and (before.code, before.metrics, before.iu) == (result.code, result.metrics, result.iu):
            for folder in aside:  # the same again: nothing is lost
                remove(folder)

    @property
    def earlier_results(self) -> list[Path]:
        """Folders with results that a later training has replaced, and with what belonged to them."""
        folders = [path for path in self.folder.glob("earlier-*") if path.is_dir() and not path.is_symlink()]
        return sorted(folders, key=lambda path: natural_key(path.name))

    def set_result_aside(self) -> None:
        """Before a run that has a result is trained again: its files get second names, in a folder beside."""
        result = self.result()
        if result is None or self._set_aside(content := read_bytes(self.result_file)):
            return
        code = result.code if re.fullmatch("[0-9a-f]{12}", result.code) else "other" if result.code else "unknown"
        folders = (self.folder / f"earlier-{code}-{number}" for number in count(1))
        folder = next(folder for folder in folders if not (folder / self.result_file.name).exists())
        files = (self.environment_file, self.confusions_file, self.predictions_file, self.metrics_file, self.model_file)
        for file in filter(Path.is_file, files):
            link_or_copy(file, folder / file.name)
        write_bytes(folder / self.result_file.name, content)  # comes last: with it the folder is whole

    def _set_aside(self, result: bytes) -> list[Path]:
        """Where this result is kept already: its next training was interrupted, and goes on."""

        def holds(folder: Path) -> bool:
            try:
                return read_bytes(folder / self.result_file.name) == result
            except OSError:
                return False

        return list(filter(holds, self.earlier_results))

    def quarantine_damaged_result(self) -> None:
        """Keep a result that is not believed under another name, before the run is carried out again; the log says so."""
        if self.has_damaged_result:
            aside = quarantine(self.result_file)
            print_line(
                f"{self.result_file.name} is damaged or another run's: it is kept as {aside.name}, the run is done again"
            )

    def prerequisite(self, what: str) -> PrerequisiteStatus:
        """What the process that prepares `what` for this run and others last said."""
        return self._read(self._prerequisite_file(what), PrerequisiteStatus)

    def update_prerequisite(self, what: str, **said: Any) -> None:
        """Replace what `prerequisite` reads; `beat` counts as that of `update_status` does."""
        beat = (self.prerequisite(what).beat or 0) + 1
        write_with_checksum(self._prerequisite_file(what), {**said, "beat": beat})

    def clear_prerequisite(self, what: str) -> None:
        """Nothing is left to read."""
        remove(self._prerequisite_file(what))

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
            with open_plain(self.log) as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _LOG_BYTES))
                return file.read(_LOG_BYTES).decode(errors="replace").splitlines()[-lines:]
        except OSError:
            return []

    def retrain_command(self) -> str:
        """What to type to get the model of a run."""
        return f"`parsenet keep {self.signature} --results {shlex.quote(str(self.results.root))}`"

    def _prerequisite_file(self, what: str) -> Path:
        return self.folder / f"preparing-{what}.json"

    def _read(self, file: Path, kind: type[_Record]) -> _Record:
        """What a JSON file says; nothing but defaults where there is none, or where it is not believed."""
        try:
            return kind.from_json(read_with_checksum(file, unsealed_too=True) or {})
        except (Damaged, ValueError):
            return kind.from_json({})


def open_run(folder: Path) -> Run:
    """The run in a folder, for a process that is given nothing else; its results folder is guarded."""
    guard(folder.parents[1])
    return Run(folder)


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
    def patches(self) -> Path:
        """What differed from the commit where runs were carried out in a clone with changes: one file for the same changes."""
        return self.root / "patches"

    @property
    def runs_folder(self) -> Path:
        return self.root / "runs"

    def run(self, signature: str) -> Run:
        return Run(self.runs_folder / signature)

    def keep_patch(self, content: bytes) -> str:
        """Keep a patch; returns the name of its file, which follows from what it says."""
        name = f"{hashlib.sha256(content).hexdigest()[:12]}.patch"
        if not (self.patches / name).is_file():
            write_bytes(self.patches / name, content)
        return name

    def find(self, prefix: str) -> Run:
        """The run whose signature starts with `prefix`. Raises `UserError` when none or several do."""
        runs = [run for run in self.runs() if run.signature.startswith(prefix)]
        if len(runs) == 1:
            return runs[0]
        several = ": " + ", ".join(run.signature for run in runs) if runs else ""
        raise UserError(f"{len(runs)} runs in {self.runs_folder} start with '{prefix}'{several}")

    def runs(self) -> list[Run]:
        """Every run's folder, by signature; foreign folders, links, and what may not be read are passed over."""
        return [run for run, problem in self._entries() if not problem]

    def runs_and_left_out(self) -> tuple[list[Run], dict[Path, str]]:
        """Both by one look at the folder."""
        runs, left_out, locks = list[Run](), dict[Path, str](), dict[Path, str]()
        for run, problem in self._entries():
            if problem:
                left_out[run.folder] = problem
                continue
            runs.append(run)
            if problem := _lock_problem(run.lock_file):
                locks[run.lock_file] = problem
        return runs, left_out | locks

    def left_out(self) -> dict[Path, str]:
        """Everything among the runs that is passed over, and why; nothing is read for it but the folder."""
        return self.runs_and_left_out()[1]

    def passed_over(self) -> list[str]:
        """A sentence for each of `left_out`."""
        return passed_over(self.left_out())

    def _entries(self) -> list[tuple[Run, str]]:
        """What lies in the folder of the runs, each as if it were one, and why it is not."""
        folder = self.runs_folder
        if folder.is_symlink():
            return [(Run(folder), "it is a link, and links inside of a results folder are not followed")]
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except FileNotFoundError:
            return []
        except OSError as problem:
            return [(Run(folder), f"it cannot be read ({problem.strerror})")]
        return [(Run(Path(entry)), _problem(entry)) for entry in entries if not entry.name.startswith(".")]

    def prerequisite_files(self) -> list[Path]:
        """Where it stands how far what runs share is prepared, for all runs."""
        return sorted(self.runs_folder.glob("*/preparing-*.json"))

    def skipped(self) -> list[str]:
        """A sentence for each thing among the runs that is passed over: foreign, or half-written."""
        sentences = self.passed_over()
        for run in self.runs():
            if run.result() is None and (problem := run.disbelief()):
                sentences.append(
                    f"{problem}: not believed. The next command that needs the run does it again and keeps the file beside the "
                    "new one."
                )
        return sentences

    def check_writable(self) -> None:
        """Raise `UserError` now rather than in the middle of a sweep."""
        probe = self.runs_folder / ".writable"
        try:
            write_text(probe, time.strftime("%Y-%m-%d\n"))
            remove(probe)
            tag_cache(self.cache)
        except OSError as problem:
            raise UserError(f"{self.root}: {problem.strerror}: choose another folder with --results") from None


def passed_over(left_out: Mapping[Path, str]) -> list[str]:
    """A sentence for each of `Store.left_out`."""
    return [f"{path}: passed over, {problem}." for path, problem in left_out.items()]


_NAME = re.compile("[0-9a-f]{12}")


def _problem(entry: os.DirEntry[str]) -> str:
    """Why an entry of the runs' folder is no run; empty for one."""
    if entry.is_symlink():
        return "it is a link, and links inside of a results folder are not followed"
    try:
        descriptor = os.open(f"{entry.path}/{_CONFIG}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as problem:
        if problem.errno in (errno.ENOENT, errno.ENOTDIR):
            return f"it is no run's folder (no {_CONFIG})"
        return f"its {_CONFIG} cannot be read ({problem.strerror})"
    plain = stat.S_ISREG(os.fstat(descriptor).st_mode)
    os.close(descriptor)
    if not plain:
        return f"it is no run's folder ({_CONFIG} is no file)"
    return "" if _NAME.fullmatch(entry.name) else "it is no run's folder (its name is no signature)"


def _lock_problem(lock: Path) -> str:
    """Why a run could not be held by its lock."""
    try:
        refuse_lock(lock)
    except OSError:
        return "it is no lock file: remove it, so that a worker can hold the run"
    return ""

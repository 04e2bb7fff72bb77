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

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from parsenet_cli import records
from parsenet_cli.config import RunConfig, from_yaml, to_yaml
from parsenet_cli.errors import UserError
from parsenet_cli.files import believed, crc32_of, explained, put_aside, write_sealed, write_text

RESULT = "result.json"
LAST_WORDS = "error: "
"""How a line of log.txt begins that says what is wrong with the input."""

State = Literal["new", "queued", "running", "done", "failed", "lost"]


class Busy(Exception):
    """Another process holds this run's lock: it is being trained."""


@dataclass(frozen=True)
class Run:
    """One run's folder. It exists on disk once `create` was called."""

    folder: Path

    @property
    def signature(self) -> str:
        return self.folder.name

    # --- what the run is -------------------------------------------------------------------------------------------

    def create(self, config: RunConfig) -> None:
        """Freeze the resolved configuration into the folder; a run that has one keeps it, but for its runtime part."""
        if config.signature != self.signature:
            raise ValueError(f"the configuration's signature is {config.signature}, the folder's {self.signature}")
        write_text(self.folder / "config.yaml", to_yaml(config))

    def config(self) -> RunConfig:
        """The frozen configuration. Raises `UserError` where the folder holds none or one of another signature."""
        file = self.folder / "config.yaml"
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

    def result(self) -> dict[str, Any] | None:
        """The finished run's result (numbers are fractions), or None while there is none that is whole and this run's."""
        content = self._read(RESULT)
        return content if content.get("signature") == self.signature else None

    @property
    def has_damaged_result(self) -> bool:
        """Whether there is a result.json that is not believed: damaged, or another run's."""
        return (self.folder / RESULT).is_file() and self.result() is None

    def status(self) -> dict[str, Any]:
        """What the worker last said of itself: state, iteration, steps, loss, attempts, threads, beat, …; {} before that."""
        return self._read("status.json")

    def environment(self) -> dict[str, Any]:
        """What the run was carried out with: commit, versions, device, data_id; {} where that is not known."""
        return self._read("env.json")

    @property
    def has_damaged_environment(self) -> bool:
        """Whether there is an env.json that is not believed."""
        return (self.folder / "env.json").is_file() and not self.environment()

    @property
    def model_file(self) -> Path:
        """The trained network, where it was kept."""
        return self.folder / "model.safetensors"

    @property
    def checkpoints(self) -> tuple[Path, Path]:
        """Where an interrupted run goes on from: the newest, and the one before it in case the newest is damaged."""
        return self.folder / "checkpoint.pt", self.folder / "checkpoint.previous.pt"

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

    def state(self, with_model: bool = False) -> State:
        """done | failed | running | lost (it stopped without saying so) | queued | new (never planned).

        `with_model`: a run whose model was not kept is not done.
        """
        if self.done(with_model):
            return "done"
        if self.alive():
            return "running"
        if self.done(with_model):  # it ended between the two looks: what is read from here on is final
            return "done"
        said = self.status().get("state")
        if said == "failed":
            return "failed"
        if said == "running":
            return "lost"
        return "queued" if (self.folder / "config.yaml").is_file() else "new"

    def alive(self) -> bool:
        """Whether a living worker holds this run's lock."""
        if not (self.folder / "lock").exists():
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

        lock = FileLock(self.folder / "lock")
        with explained(self.folder):
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
        return (self.folder / "cancelled").exists()

    def cancel(self) -> None:
        """Ask for it. The next command that is issued for this run takes it back."""
        write_text(self.folder / "cancelled", time.strftime("%Y-%m-%d %H:%M:%S\n"))

    def take_cancel_back(self) -> None:
        """It is to be carried out again."""
        with explained(self.folder):
            (self.folder / "cancelled").unlink(missing_ok=True)

    def job(self) -> str | None:
        """Under which id a cluster's queue knows this run's last job; None where none is known to wait or run.

        It may have left the queue since: only the queue can tell.
        """
        return self._read("job.json").get("job")

    def record_job(self, job: str) -> None:
        """Remember what `job` reads. A file of its own: the worker may already be writing its status."""
        write_sealed(self.folder / "job.json", {"job": job})

    def forget_job(self) -> None:
        """No queue has it any more."""
        with explained(self.folder):
            (self.folder / "job.json").unlink(missing_ok=True)

    # --- what a worker writes --------------------------------------------------------------------------------------

    def update_status(self, **said: Any) -> None:
        """Merge into status.json; `beat` counts the updates, so that a reader sees life without comparing clocks."""
        before = self.status()
        write_sealed(self.folder / "status.json", {**before, **said, "beat": before.get("beat", 0) + 1})

    def record_environment(self, content: dict[str, Any]) -> None:
        """Write what `environment` reads."""
        write_sealed(self.folder / "env.json", content)

    def record_result(self, content: dict[str, Any], *belonging: str) -> None:
        """Write the result, which makes the run done: it comes last. The files `belonging` to it are there already."""
        files = {name: crc32_of(self.folder / name) for name in belonging}
        write_sealed(self.folder / RESULT, {**content, "files": files})

    def put_damaged_result_aside(self) -> None:
        """Keep a result that is not believed under another name, before the run is carried out again; the log says so."""
        if self.has_damaged_result:
            aside = put_aside(self.folder / RESULT)
            print(
                f"{RESULT} is damaged or another run's: it is kept as {aside.name}, the run is done again", flush=True
            )

    def preparation(self, what: str) -> dict[str, Any]:
        """What the process that prepares `what` for this run and others last said: text, or error and bad_input."""
        return self._read(f"preparing-{what}.json")

    def say_preparation(self, what: str, **said: Any) -> None:
        """Replace what `preparation` reads; `beat` counts as that of `update_status` does."""
        beat = self.preparation(what).get("beat", 0) + 1
        write_sealed(self.folder / f"preparing-{what}.json", {**said, "beat": beat})

    def end_preparation(self, what: str) -> None:
        """Nothing is left to read."""
        (self.folder / f"preparing-{what}.json").unlink(missing_ok=True)

    def append_metrics(self, record: dict[str, Any]) -> None:
        """Append one line to metrics.jsonl."""
        records.append(self.folder / "metrics.jsonl", record)

    def metrics(self) -> list[dict[str, Any]]:
        """The training records so far; a torn last line is passed over, and so is a damaged one."""
        return records.read(self.folder / "metrics.jsonl")[0]

    def cut_metrics(self, iteration: int) -> None:
        """Forget the records after `iteration`: the run goes on from a checkpoint made there."""
        records.cut(self.folder / "metrics.jsonl", iteration)

    def last_words(self) -> str:
        """The error with which a worker left whose status could not be written; empty where it did not end so."""
        last = self.log_tail(1)
        return last[0].removeprefix(LAST_WORDS) if last and last[0].startswith(LAST_WORDS) else ""

    def log_tail(self, lines: int = 12) -> list[str]:
        """The last lines of log.txt."""
        try:
            return (self.folder / "log.txt").read_text(errors="replace").splitlines()[-lines:]
        except OSError:
            return []

    def _read(self, name: str) -> dict[str, Any]:
        """A JSON file's content; {} where there is none, or where it is damaged."""
        return believed(self.folder / name, unsealed_too=True) or {}


@dataclass(frozen=True)
class Store:
    """A results folder."""

    root: Path

    @property
    def cache(self) -> Path:
        """Generated and decoded data, the quick trunk, remembered hashes: can be deleted at any time."""
        return self.root / "cache"

    @property
    def tables(self) -> Path:
        return self.root / "tables"

    def run(self, signature: str) -> Run:
        return Run(self.root / "runs" / signature)

    def find(self, prefix: str) -> Run:
        """The run whose signature starts with `prefix`. Raises `UserError` when none or several do."""
        found = [run for run in self.runs() if run.signature.startswith(prefix)]
        if len(found) == 1:
            return found[0]
        several = ": " + ", ".join(run.signature for run in found) if found else ""
        raise UserError(f"{len(found)} runs in {self.root / 'runs'} start with '{prefix}'{several}")

    def runs(self) -> list[Run]:
        """Every run's folder, by signature; foreign folders are passed over."""
        folder = self.root / "runs"
        if not folder.is_dir():
            return []
        return [Run(entry) for entry in sorted(folder.iterdir()) if (entry / "config.yaml").is_file()]

    def strange(self) -> list[str]:
        """A sentence for each thing among the runs that is passed over: foreign, or half-written."""
        folder = self.root / "runs"
        found = []
        for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
            if not (entry / "config.yaml").is_file():
                found.append(f"{entry}: passed over, it is no run's folder (no config.yaml).")
            elif Run(entry).has_damaged_result:
                found.append(
                    f"{entry}: passed over, its {RESULT} is damaged or another run's. The next command that needs the run "
                    "does it again and keeps the file beside the new one."
                )
        return found

    def check_writable(self) -> None:
        """Raise `UserError` now rather than in the middle of a sweep."""
        probe = self.root / "runs" / ".writable"
        try:
            write_text(probe, time.strftime("%Y-%m-%d\n"))
            probe.unlink(missing_ok=True)
        except OSError as problem:
            raise UserError(f"{self.root}: {problem.strerror}: choose another folder with --results") from None

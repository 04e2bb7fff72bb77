"""The options of conf/launcher/slurm.yaml, checked: no value can become a line of the job script by itself."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from parsenet_cli.core.bounds import Interval, Processes, Times
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.paths import absolute
from parsenet_cli.runner.launch_options import LauncherOptions, validated

_NAMES = ("partition", "account", "qos", "constraint")


def _word(pattern: str) -> Callable[[str], str]:
    """No value can become another option, or a line of its own."""

    def checked(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError("expected a name without blanks or quotes or null")
        return value

    return checked


def _line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("expected one line of text")
    return value


Name = Annotated[str, AfterValidator(_word(r"[A-Za-z0-9_][A-Za-z0-9_.,:@+-]{0,255}"))]
Constraint = Annotated[str, AfterValidator(_word(r"[A-Za-z0-9_][A-Za-z0-9_.,:@+&|*()\[\]-]{0,255}"))]
Line = Annotated[str, AfterValidator(_line)]
"""Of the job script, or of a path."""


class SlurmOptions(LauncherOptions):
    """conf/launcher/slurm.yaml says what they mean."""

    partition: Name | None
    account: Name | None
    qos: Name | None
    constraint: Constraint | None
    minutes: Annotated[int, Field(ge=1, le=525_600)]
    signal_seconds: Annotated[int, Field(ge=1, le=86_400)]
    memory_gb: Annotated[float, Field(gt=0, le=1_000_000)] | None
    gpus: Annotated[int, Field(ge=0, le=4096)]
    threads: Processes
    slots: Processes | None
    setup: list[Line]
    requeues: Times
    resubmissions: Times
    silence_seconds: Interval
    poll_seconds: Interval
    folder: Line

    @field_validator("signal_seconds")
    @classmethod
    def _early_enough(cls, seconds: int, info: ValidationInfo) -> int:
        # Slurm sends the signal up to a minute early, and a job that has not reached Python by then is killed by it.
        minutes = info.data.get("minutes")
        if minutes is not None and seconds >= 30 * minutes:
            raise ValueError(f"expected less than half of launcher.minutes={minutes}")
        return seconds


def check(options: dict[str, Any]) -> None:
    """Raises `UserError` for the first value that is not what conf/launcher/slurm.yaml describes."""
    validated(SlurmOptions, options)


def job_name(results: Path) -> str:
    """Of the jobs of a results folder: what a job.json names that came with another folder is never taken for one of them."""
    return f"parsenet-{hashlib.sha256(os.fsencode(results.resolve())).hexdigest()[:8]}"


def sbatch_parameters(options: dict[str, Any], slots: int, name: str, after: Sequence[str] = ()) -> dict[str, Any]:
    """What submitit writes into the job script of a job called `name`; Slurm's defaults are left to Slurm.

    `after`: jobs that have to end before.
    """
    given = {key: options[key] for key in _NAMES if options[key] is not None}
    if options["memory_gb"] is not None:
        given["mem"] = f"{round(1024 * options['memory_gb'])}MB"
    if options["gpus"]:
        given["gpus_per_node"] = options["gpus"]
    if options["setup"]:
        given["setup"] = list(options["setup"])
    return {
        **given,
        "job_name": name,
        "time": options["minutes"],
        "signal_delay_s": options["signal_seconds"],
        "cpus_per_task": options["threads"],
        # Since 22.05 srun no longer takes a job's cores per task for its own.
        "srun_args": [f"--cpus-per-task={options['threads']}"],
        "array_parallelism": slots,
        "additional_parameters": {"requeue": True, **({"dependency": ":".join(["afterany", *after])} if after else {})},
    }


def private_folder(text: str) -> Path:
    """The folder for submitit's pickles, made with mode 0700. Raises `UserError` where others could write or read it."""
    folder = absolute(text)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        stat = folder.stat()
    except OSError as problem:
        raise UserError(f"launcher.folder={folder}: {problem.strerror}; choose a folder of your own") from None
    if stat.st_uid != os.getuid() or stat.st_mode & 0o077:
        raise UserError(
            f"launcher.folder={folder}: jobs read pickles there, so it has to be yours alone: "
            f"expected mode 700, found {stat.st_mode & 0o777:o}; chmod 700 it or choose another"
        )
    return folder

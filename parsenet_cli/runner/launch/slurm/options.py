"""The options of conf/launcher/slurm.yaml, checked: no value can become a line of the job script by itself."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from parsenet_cli.core.errors import UserError
from parsenet_cli.runner.launch_options import expect, positive, whole_number

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,:@+-]*")
_CONSTRAINT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,:@+&|*()\[\]-]*")

_NAMES = {"partition": _NAME, "account": _NAME, "qos": _NAME, "constraint": _CONSTRAINT}


def check(options: dict[str, Any]) -> None:
    """Raises `UserError` for the first value that is not what conf/launcher/slurm.yaml describes."""
    for key, pattern in _NAMES.items():
        name = isinstance(options[key], str) and pattern.fullmatch(options[key])
        expect(options, key, bool(name), "a name without blanks or quotes", nullable=True)
    whole_number(options, 1, "minutes", "signal_seconds", "threads")
    whole_number(options, 1, "slots", nullable=True)
    whole_number(options, 0, "gpus", "requeues", "resubmissions")
    # Slurm sends the signal up to a minute early, and a job that has not reached Python by then is killed by it.
    early = options["signal_seconds"] < 30 * options["minutes"]
    expect(options, "signal_seconds", early, f"less than half of launcher.minutes={options['minutes']}")
    positive(options, "poll_seconds", "silence_seconds")
    positive(options, "memory_gb", nullable=True)
    expect(options, "folder", _one_line(options["folder"]), "a path")
    lines = isinstance(options["setup"], list) and all(map(_one_line, options["setup"]))
    expect(options, "setup", lines, "a list of commands of one line each")


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
    folder = Path(text).expanduser().resolve()
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


def _one_line(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()

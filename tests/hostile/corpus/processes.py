"""Cases that need a process of their own: modules and programs in the current folder, training in a hostile store, signals."""

from __future__ import annotations

import fcntl
import json
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from tests.hostile.base import SHORT, Base, Place, sealed, unsealed
from tests.hostile.corpus import commands, configuration, data, stores, weights, words
from tests.hostile.drivers import READS, TRAINS, Case

MARK = "open({path!r}, 'w').close()\n"
MODULES = (
    *(
        "random",
        "torch",
        "pickle",
        "numpy",
        "signal",
        "multiprocessing",
        "json",
        "yaml",
        "typer",
        "PIL",
        "site",
        "sitecustomize",
    ),
    *("usercustomize", "_signal", "filelock", "hydra_plugins", "matplotlib", "submitit", "encodings"),
)
PROGRAMS = (
    "git",
    "gs",
    "nvidia-smi",
    "nvidia-cuda-mps-control",
    "sh",
    "python",
    "python3",
    "uname",
    "gcc",
    "latex",
    "pdflatex",
    "tensorboard",
    "ldconfig",
)


def _module(place: Place, name: str) -> None:
    """Runs, and says so, where anybody imports it."""
    place.file(f"{name}.py", MARK.format(path=str(place.root / f"ran-{name}.py")))


def _package(place: Place) -> None:
    """Another clone's package, in the current folder."""
    mark = MARK.format(path=str(place.root / "ran-package"))
    for name in ("__init__", "__main__", "worker", "cli/__init__", "cli/app", "core/__init__", "core/files"):
        place.file(f"parsenet_cli/{name}.py", mark)


def _programs(place: Place) -> None:
    """Programs in the current folder: no command looks for one there."""
    for name in PROGRAMS:
        place.file(name, f"#!/bin/sh\ntouch {place.root}/ran-{name}\n").chmod(0o755)


def modules(base: Base, seed: int) -> Iterator[Case]:
    """Modules, packages and programs in the current folder."""
    issued = ("train", "data-check", "status", "report", "predict")
    for number, name in enumerate(MODULES):
        yield commands.case(f"{name}.py", partial(_module, name=name), issued[number % len(issued)], process=True)
        if name in ("random", "pickle", "torch", "multiprocessing"):
            for command in ("train", "data-check"):
                yield commands.case(f"{name}.py again", partial(_module, name=name), command, process=True)
    local = ("train", *SHORT, "seed=12")
    for name in ("random", "torch", "pickle"):
        yield Case(f"{name}.py/train-local", partial(_module, name=name), local, TRAINS, process=True)
    for command in issued:
        yield commands.case("parsenet_cli/", _package, command, process=True)
    yield Case("parsenet_cli//train-local", _package, local, TRAINS, process=True)
    for command in (*issued, "data-get", "list"):
        yield commands.case("programs", _programs, command, process=True)


def _linked(place: Place, where: str, target: str) -> None:
    entry = place.results / where.format(run=place.run.signature, failed=place.known["failed"])
    entry.unlink(missing_ok=True)
    entry.parent.mkdir(parents=True, exist_ok=True)
    entry.symlink_to(place.home / target)


def _foreseen(place: Place, where: str) -> None:
    """Links at the names that the temporary files of the next processes could have."""
    folder, _, name = where.rpartition("/")
    for pid in range(os.getpid(), os.getpid() + 3000):
        link = place.results / folder / f".{name}.{pid}.tmp"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(place.home / "thesis.txt")


def _decoded_parts(place: Place) -> None:
    folder = place.store.cache / "decoded"
    for file in list(folder.iterdir()):
        part = folder / f"{file.stem}.part"
        if not part.is_symlink():
            part.symlink_to(place.home / "thesis.txt")
        file.unlink()


def training(base: Base, seed: int) -> Iterator[Case]:
    """Commands that train, and so write most, in stores with links, with launchers of every kind."""
    train = ("train", *SHORT, "seed=7")
    for launcher in ("inline", "local"):
        issued = (*train, "--launcher", launcher, "--retry")
        for where in (
            "log.txt",
            "lock",
            "status.json",
            "metrics.jsonl",
            "config.yaml",
            "checkpoint.pt",
            "cancelled",
            "env.json",
        ):
            for target in ("thesis.txt", "new.txt"):
                make = partial(_linked, where=f"runs/{{failed}}/{where}", target=target)
                yield Case(f"{where}->{target}/train-{launcher}", make, issued, TRAINS, process=True)
        yield Case(f"decoded.part/train-{launcher}", _decoded_parts, issued, TRAINS, process=True)
    for where in ("runs/.writable", "studies/study", "cache/composed.json"):
        yield Case(
            f"{where}.PID.tmp/train",
            partial(_foreseen, where=where),
            (*train, "--launcher", "inline"),
            TRAINS,
            process=True,
        )
    for where in ("tables", "studies", "cache/decoded", "cache/fingerprints", "samples", "runs"):
        make = partial(stores.instead, where=where, kind="link")
        yield Case(f"{where}->home/train", make, (*train, "--launcher", "inline"), TRAINS, process=True)


SETUP = ["touch {root}/ran-setup", "x\n touch {root}/ran-newline"]


def _composed(place: Place, key: str, value: object) -> None:
    """Another launcher in every configuration that is remembered, with the checksum that fits."""
    file = place.store.cache / "composed.json"
    content = unsealed(file)
    shipped = json.loads(json.dumps(SLURM))
    for remembered in content.values():
        if isinstance(remembered, dict):
            remembered["launcher"] = {**shipped, key: json.loads(json.dumps(value).replace("{root}", str(place.root)))}
    file.write_bytes(sealed(content))
    _slurm(place)


SLURM: dict[str, object] = {
    "name": "slurm",
    "partition": None,
    "minutes": 240,
    "gpus": 0,
    "threads": 1,
    "slots": None,
    "setup": [],
    "folder": "~/.cache/x",
}


def _slurm(place: Place) -> None:
    """A Slurm whose sbatch runs what it is given."""
    folder = place.root / "slurm"
    folder.mkdir(exist_ok=True)
    for name, script in {
        "squeue": "",
        "sbatch": 'sh "$1" >/dev/null 2>&1; echo "Submitted batch job 1"',
        "scancel": "",
        "srun": "",
    }.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)


def slurm(base: Base, seed: int) -> Iterator[Case]:
    """Launcher options of a store that somebody else has written."""
    values = {
        "setup": SETUP,
        "partition": "x --wrap='touch {root}/ran-wrap'",
        "account": "x\n#SBATCH --wrap='touch {root}/ran-account'",
        "constraint": "$(touch {root}/ran-constraint)",
        "folder": "{root}/home/slurm",
        "name": "../../x",
        "minutes": "1; touch {root}/ran-minutes",
    }
    for key, value in values.items():
        make = partial(_composed, key=key, value=value)
        given = (*commands.ALL["train"][:-2], "--detach")
        yield Case(f"composed.json launcher.{key}/train", make, given, TRAINS, process=True)


def _taken_for_worker(place: Place) -> None:
    """The store says that a process of the user's is the worker of a run, whose lock yet another one holds for a while."""
    run = place.store.run(place.known["failed"])
    script = f"(trap 'touch {place.root}/ran-signal; exit' TERM; sleep 20 & wait) >/dev/null 2>&1 & echo $!"
    shell = subprocess.run(["sh", "-c", script], start_new_session=True, stdout=subprocess.PIPE, check=True)
    user = int(shell.stdout)
    with (run.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        held = [lock.fileno()]
        subprocess.run(["sh", "-c", "sleep 3 >/dev/null 2>&1 &"], start_new_session=True, pass_fds=held, check=True)
    started = Path(f"/proc/{user}/stat").read_text().rpartition(")")[2].split()[19]
    boot, space = Path("/proc/sys/kernel/random/boot_id").read_text().strip(), Path("/proc/self/ns/pid").readlink()
    said = {
        "state": "running",
        "pid": user,
        "process": f"{boot} {space} {user} {started}",
        "host": os.uname().nodename,
    }
    run.update_status(**said)


def signals(base: Base, seed: int) -> Iterator[Case]:
    """Commands that end workers."""
    for command in (("cancel", "{failed}"), ("cancel", "--all")):
        yield Case(f"another's pid/{' '.join(command)}", _taken_for_worker, command, READS | {1}, process=True)


def again(base: Base, seed: int) -> Iterator[Case]:
    """A sample of the other groups, each as a process: a fork of a process that has imported everything could hide something."""
    chooser = random.Random(f"{seed} processes")
    groups: list[Callable[[Base, int], Iterator[Case]]] = [
        stores.metrics_lines, stores.configurations, stores.names, stores.run_entries, stores.outputs,
        *configuration.MAKERS, *data.GROUPS, *weights.GROUPS, words.overrides, words.arguments,
    ]  # fmt: skip
    for group in groups:
        cases = [case for case in group(base, seed) if not case.process]
        for case in chooser.sample(cases, 3):
            yield replace(case, name=f"{case.name} again", process=True)


GROUPS: tuple[Callable[[Base, int], Iterator[Case]], ...] = (modules, training, slurm, signals)

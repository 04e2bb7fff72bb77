"""Slurm's commands as shell scripts on the PATH, and a queue in a file: what is asked of Slurm, without a Slurm."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SQUEUE = """
if [ -e silent ]; then echo "slurm_load_jobs error: Unable to contact slurm controller" >&2; exit 1; fi
for option in "$@"; do case $option in --name=*) name=${option#--name=};; esac; done
while read id state job; do if [ "$job" = "$name" ] || [ "$job" = any ]; then echo "$id $state"; fi; done < queue
"""

SBATCH = """
last=$(sed -n "s/^#SBATCH --array='\\{0,1\\}0-\\([0-9]*\\)%.*/\\1/p" "$file")
size=$((${last:-0} + 1))
if [ $size -gt $(cat largest_array) ] || [ $(($(wc -l < queue) + size)) -gt $(cat room) ]; then
    echo "sbatch: error: Batch job submission failed: no room for $size" >&2
    exit 1
fi
id=$(($(cat last) + 1))
echo $id > last
echo "$id $(sed -n 's/^#SBATCH --dependency=//p' "$file")" >> dependencies
name=$(sed -n 's/^#SBATCH --job-name=//p' "$file")
if [ -z "$last" ]; then echo "$id PENDING $name" >> queue; fi
for task in $(seq 0 ${last:--1}); do echo "${id}_$task PENDING $name" >> queue; done
echo "Submitted batch job $id"
"""

SCANCEL = ""


class FakeSlurm:
    """Its queue: the state of each job, by id."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        folder.mkdir()
        for name, script in {"squeue": SQUEUE, "sbatch": SBATCH, "scancel": SCANCEL, "srun": ""}.items():
            program = folder / name
            program.write_text(f'#!/bin/sh\nfile=$1\ncd {folder}\necho "{name} $*" >> calls\n{script}')
            program.chmod(0o755)
        for name, content in {"queue": "", "calls": "", "last": "0", "largest_array": "1000", "room": "1000"}.items():
            (folder / name).write_text(content)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    @property
    def queue(self) -> dict[str, str]:
        return dict(line.split()[:2] for line in (self._folder / "queue").read_text().splitlines())

    @queue.setter
    def queue(self, jobs: dict[str, str]) -> None:
        self.hold(jobs)

    def hold(self, jobs: dict[str, str], name: str = "any") -> None:
        """These are in the queue under this name; `any` is whichever is asked for."""
        (self._folder / "queue").write_text("".join(f"{job} {state} {name}\n" for job, state in jobs.items()))

    def calls(self, program: str) -> list[str]:
        """With what arguments it was called."""
        lines = (self._folder / "calls").read_text().splitlines()
        return [line.removeprefix(f"{program} ") for line in lines if line.startswith(f"{program} ")]

    def dependency(self, job: str) -> str:
        """What it waits for, as it stands in the job's script."""
        lines = (self._folder / "dependencies").read_text().splitlines()
        return dict(line.split(" ", 1) for line in lines)[job]

    def allow(self, *, largest_array: int = 1000, room: int = 1000) -> None:
        """Tasks in one array, and jobs in the queue."""
        (self._folder / "largest_array").write_text(str(largest_array))
        (self._folder / "room").write_text(str(room))

    def silent(self, yes: bool) -> None:
        """Whether the controller answers."""
        if yes:
            (self._folder / "silent").touch()
        else:
            (self._folder / "silent").unlink()

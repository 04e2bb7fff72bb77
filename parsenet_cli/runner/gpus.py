"""Which GPUs there are, and which of them can take one more run.

A GPU is shared when what its runs and the new one are known to take fits into it. What a run takes is measured, on others of its
kind that are done or have made their first steps: until then the first of a kind has a GPU for itself. Source of the numbers:
nvidia-smi, without importing torch. GPUs go by their UUID: nvidia-smi counts them by their slots, and CUDA the fastest first.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from parsenet_cli.runner.launcher import Handle, Resources

SHARE = 0.92
"""The part of a GPU's free memory that is given away: allocators fragment, and two runs of a kind are not quite alike."""

PATIENCE_SECONDS = 30.0
"""For an answer of NVIDIA's tools."""

MPS = "CUDA's MPS"
SLICES = (
    "time slices, one run at a time (docs/operations.md says how to start CUDA's MPS, which lets them compute together)"
)


def _nothing() -> None:
    return None


class _Task(NamedTuple):
    """What is on a GPU; `reported` is what it says itself of the MB that it takes, None before it has."""

    handle: Handle
    needs: Resources
    reported: Callable[[], float | None]

    @property
    def mb(self) -> float | None:
        """The most that is known of what it takes."""
        return max((mb for mb in (self.needs.gpu_mb, self.reported()) if mb is not None), default=None)


@dataclass
class Gpu:
    """A GPU and the tasks that this command has put on it.

    Attributes:
        name: What CUDA_VISIBLE_DEVICES is set to: a UUID, or an index where the user named it so and nothing tells which
            that is.
        free_mb: Memory that nobody used when the command began; None where nvidia-smi cannot tell, as for a slice
            (MIG).
    """

    name: str
    free_mb: float | None
    _tasks: list[_Task] = field(default_factory=list)

    @property
    def tasks(self) -> int:
        """How many live on it."""
        self._tasks = [task for task in self._tasks if task.handle.alive()]
        return len(self._tasks)

    def fits(self, needs: Resources, at_a_time: int) -> bool:
        """Whether one more task fits, beside no more than `at_a_time` - 1 others."""
        if self.tasks == 0:
            return True
        if len(self._tasks) >= at_a_time or needs.alone or any(task.needs.alone for task in self._tasks):
            return False
        if self.free_mb is None or needs.gpu_mb is None:
            return False
        taken = [task.mb for task in self._tasks]
        known = [mb for mb in taken if mb is not None]
        return len(known) == len(taken) and needs.gpu_mb + sum(known) <= SHARE * self.free_mb

    def take(self, handle: Handle, needs: Resources, reported: Callable[[], float | None] = _nothing) -> None:
        """The task is on it for as long as it lives."""
        self._tasks.append(_Task(handle, needs, reported))


def least_loaded(gpus: Sequence[Gpu], needs: Resources, at_a_time: int) -> Gpu | None:
    """The GPU with the fewest tasks among those that the task fits; None where it fits none."""
    return min((gpu for gpu in gpus if gpu.fits(needs, at_a_time)), key=lambda gpu: gpu.tasks, default=None)


def visible() -> list[Gpu]:
    """The GPUs that this command may use: all of the machine, or those that CUDA_VISIBLE_DEVICES names, in its order."""
    present = _present()
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is None:
        return [Gpu(card.uuid, card.free_mb) for card in present]
    names = [name.strip() for name in allowed.split(",")]
    return [_named(name, present) for name in names if name not in ("", "-1")]


def least_capability() -> tuple[int, int] | None:
    """The least compute capability among the GPUs that this command may use; None where nvidia-smi does not tell."""
    usable = {gpu.name for gpu in visible()}
    told = [line[1].partition(".") for line in _query("uuid,compute_cap") if len(line) == 2 and line[0] in usable]
    known = [(int(major), int(minor)) for major, _, minor in told if major.isdigit() and minor.isdigit()]
    return min(known, default=None)


def sharing() -> str:
    """In which way runs share a GPU: by CUDA's MPS where its daemon runs, to which they connect by themselves."""
    answer = _answer("nvidia-cuda-mps-control", "get_server_list\n")
    return SLICES if answer is None else MPS


class _Card(NamedTuple):
    """A line of nvidia-smi."""

    slot: str
    uuid: str
    free_mb: float
    model: str


def _named(name: str, present: Sequence[_Card]) -> Gpu:
    """CUDA takes an index in its own order, or as much of a UUID as makes it unique."""
    in_slots = os.environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID" or len({card.model for card in present}) == 1
    matching = [card for card in present if card.uuid.startswith(name) or (in_slots and name == card.slot)]
    return Gpu(matching[0].uuid, matching[0].free_mb) if len(matching) == 1 else Gpu(name, None)


def _present() -> list[_Card]:
    """Every GPU that nvidia-smi sees."""
    lines = [line for line in _query("index,uuid,memory.free,name") if len(line) == 4]
    return [
        _Card(slot, uuid, float(free) if free.replace(".", "", 1).isdigit() else 0.0, model)
        for slot, uuid, free, model in lines
    ]


def _query(fields: str) -> list[list[str]]:
    """One line of values for each GPU; none where there is no nvidia-smi, or it does not know these fields."""
    answer = _answer("nvidia-smi", "", f"--query-gpu={fields}", "--format=csv,noheader,nounits")
    return [[part.strip() for part in line.split(",")] for line in (answer or "").splitlines()]


def _answer(program: str, given: str, *arguments: str) -> str | None:
    """What a tool of NVIDIA's says; None where it is not there, does not answer or fails."""
    tool = shutil.which(program)
    if tool is None:
        return None
    try:
        done = subprocess.run(
            [tool, *arguments], input=given, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None

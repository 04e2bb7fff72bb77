"""Which GPUs there are, and which of them can take one more run.

A GPU is shared when what its runs and the new one are known to take fits into it. What a run takes is measured, on others of its
kind that are done: the first of a kind has a GPU for itself. Source of the numbers: nvidia-smi, without importing torch.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field

from parsenet_cli.runner.launcher import Handle, Resources

SHARE = 0.92
"""The part of a GPU's free memory that is given away: allocators fragment, and two runs of a kind are not quite alike."""


@dataclass
class Gpu:
    """A GPU and the tasks that this command has put on it.

    Attributes:
        name: What CUDA_VISIBLE_DEVICES is set to: an index or a UUID.
        free_mb: Memory that nobody used when the command began; None where nvidia-smi cannot tell, as for a slice
            (MIG).
    """

    name: str
    free_mb: float | None
    _tasks: list[tuple[Handle, Resources]] = field(default_factory=list)

    @property
    def tasks(self) -> int:
        """How many live on it."""
        self._tasks = [(handle, needs) for handle, needs in self._tasks if handle.alive()]
        return len(self._tasks)

    def fits(self, needs: Resources, at_a_time: int) -> bool:
        """Whether one more task fits, beside no more than `at_a_time` - 1 others."""
        if self.tasks == 0:
            return True
        together = [needs, *(others for _, others in self._tasks)]
        if len(together) > at_a_time or any(task.alone or task.gpu_mb is None for task in together):
            return False
        return self.free_mb is not None and sum(task.gpu_mb or 0 for task in together) <= SHARE * self.free_mb

    def take(self, handle: Handle, needs: Resources) -> None:
        """The task is on it for as long as it lives."""
        self._tasks.append((handle, needs))


def least_loaded(gpus: Sequence[Gpu], needs: Resources, at_a_time: int) -> Gpu | None:
    """The GPU with the fewest tasks among those that the task fits; None where it fits none."""
    return min((gpu for gpu in gpus if gpu.fits(needs, at_a_time)), key=lambda gpu: gpu.tasks, default=None)


def visible() -> list[Gpu]:
    """The GPUs that this command may use: all of the machine, or those that CUDA_VISIBLE_DEVICES names, in its order."""
    present = _present()
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is None:
        return [Gpu(index, free) for index, _, free in present]
    names = [name.strip() for name in allowed.split(",")]
    return [Gpu(name, _free(name, present)) for name in names if name not in ("", "-1")]


def _free(name: str, present: Sequence[tuple[str, str, float]]) -> float | None:
    """CUDA takes an index, or as much of a UUID as makes it unique."""
    matching = [free for index, uuid, free in present if name == index or uuid.startswith(name)]
    return matching[0] if len(matching) == 1 else None


def _present() -> list[tuple[str, str, float]]:
    """Index, UUID and free MB of every GPU."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = [tool, "--query-gpu=index,uuid,memory.free", "--format=csv,noheader,nounits"]
    answer = subprocess.run(query, capture_output=True, text=True, check=False)
    gpus = []
    for line in answer.stdout.splitlines() if answer.returncode == 0 else []:
        index, uuid, free = (part.strip() for part in line.split(","))
        gpus.append((index, uuid, float(free) if free.replace(".", "", 1).isdigit() else 0.0))
    return gpus

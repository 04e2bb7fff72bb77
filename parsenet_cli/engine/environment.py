"""What a number was measured with: versions, device, code. No host name, no user name, no environment variables."""

from __future__ import annotations

import platform
import resource
import subprocess
from importlib.metadata import version

import torch

from parsenet_cli.core import paths
from parsenet_cli.core.memory import proc_value
from parsenet_cli.store.result import RunEnvironment

CUDA_MB = 800
"""What a process takes on a GPU before its first tensor: CUDA's context, kernels, and the workspaces of cuBLAS and cuDNN."""

_PACKAGES = ("parsenet", "torch", "torchvision", "numpy", "hydra-core", "omegaconf", "pandas")


def describe(device: torch.device, data_id: str) -> RunEnvironment:
    """What a run on this device is carried out with."""
    cpu = (proc_value("cpuinfo", "model name") or platform.machine()).lstrip(": ")
    return RunEnvironment(
        commit=_git("rev-parse", "HEAD"),
        uncommitted=_git("diff", "HEAD", "--stat"),
        versions={"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else cpu,
        data_id=data_id,
    )


def peak_memory_mb(device: torch.device) -> int:
    """Peak memory of this process in MB: resident, or on the GPU where it trains there."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**20)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def gpu_mb(device: torch.device) -> int | None:
    """The most memory that this process has taken on its GPU, in MB, as another process would miss it; None on a CPU.

    That is what PyTorch's allocator held, used or not, and what CUDA and its libraries hold beside it.
    """
    if device.type != "cuda":
        return None
    return round(torch.cuda.max_memory_reserved(device) / 2**20) + CUDA_MB


def _git(*arguments: str) -> str:
    """What git says of the code that runs; empty where it does not come from a clone."""
    root = paths.PACKAGE.parent
    if not (root / ".git").exists():
        return ""
    answer = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    return answer.stdout.strip()

"""What a number was measured with: versions, device, arithmetic, code. No host name, no user name, and of the environment's
variables those alone that change arithmetic."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
import tempfile
from importlib.metadata import version
from pathlib import Path

import torch

from parsenet_cli.core import paths
from parsenet_cli.core.memory import proc_value
from parsenet_cli.engine import arithmetic
from parsenet_cli.store.result import RunEnvironment
from parsenet_cli.store.run import Store

CUDA_MB = 800
"""What a process takes on a GPU before its first tensor: CUDA's context, kernels, and the workspaces of cuBLAS and cuDNN."""

SOURCES = ("parsenet_cli", "conf", "ablations")
"""Folders of a clone whose files count even before git knows them."""

MOST_PATCH_BYTES = 10 << 20

_PACKAGES = ("parsenet", "torch", "torchvision", "numpy", "hydra-core", "omegaconf", "pandas")


def describe(device: torch.device, data_id: str, store: Store) -> RunEnvironment:
    """What a run on this device is carried out with. What git does not have of the code is kept in the store."""
    root = paths.PACKAGE.parent
    content = patch(root)
    kept = store.keep_patch(content) if isinstance(content, bytes) and content else content
    return RunEnvironment(
        commit=_git(root, "rev-parse", "HEAD").decode().strip(),
        uncommitted=_git(root, "diff", "HEAD", "--stat").decode(errors="replace").strip(),
        patch=kept if isinstance(kept, str) else "",
        versions={"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
        device=device_name(device),
        data_id=data_id,
        arithmetic=arithmetic.in_force(),
    )


def device_name(device: torch.device) -> str:
    """What the GPU or the processor calls itself."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return (proc_value("cpuinfo", "model name") or platform.machine()).lstrip(": ")


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


def patch(root: Path) -> bytes | str:
    """What `git apply` makes of the commit the code that lies in `root`: changed files, and new ones among the `SOURCES`.

    Empty where nothing differs or where it is no clone; a sentence where it would be too large.
    """
    untracked = _git(root, "ls-files", "-z", "--others", "--exclude-standard", "--", *SOURCES)
    names = [root / os.fsdecode(name) for name in untracked.split(b"\0") if name]
    content = b""
    if sum(name.lstat().st_size for name in names) <= MOST_PATCH_BYTES:
        with tempfile.TemporaryDirectory() as folder:
            index = Path(folder, "index")
            if names:  # as if they had been added, in an index of our own
                shutil.copy(root / os.fsdecode(_git(root, "rev-parse", "--git-path", "index").strip()), index)
                listed = ("--pathspec-from-file=-", "--pathspec-file-nul")
                _git(root, "add", "--intent-to-add", *listed, index=index, given=untracked)
            content = _git(root, *_WHOLE_DIFF, index=index if names else None)
        if len(content) <= MOST_PATCH_BYTES:
            return content
    return f"not kept: the changes are more than {MOST_PATCH_BYTES >> 20} MB"


_WHOLE_DIFF = (
    *("diff", "HEAD", "--binary", "--full-index", "--unified=3", "--no-ext-diff", "--no-textconv", "--no-color"),
    *("--no-renames", "--no-relative", "--src-prefix=a/", "--dst-prefix=b/"),
)
"""What a user may have configured otherwise is said."""


def _git(root: Path, *arguments: str, index: Path | None = None, given: bytes = b"") -> bytes:
    """What git says of the code that runs; empty where it does not come from a clone."""
    if not (root / ".git").exists():
        return b""
    variables = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    variables |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_LITERAL_PATHSPECS": "1"}
    variables |= {} if index is None else {"GIT_INDEX_FILE": str(index)}
    try:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, env=variables, input=given, capture_output=True, check=False).stdout
    except OSError:  # git is not installed
        return b""

"""In which arithmetic a number is made: set here alone, for training, prediction, probe and figures.

`float32` is IEEE's everywhere; on a GPU since Ampere PyTorch itself would take TF32 for convolutions. `tf32` is that, by name:
factors of a convolution have 10 bits of mantissa, and products of matrices (upsampling) stay IEEE's. `bfloat16` is autocast
around the network; weights, velocities, norms, upsampling and loss stay in float32. PyTorch from 2.9 on has one setting for each
operator of each library, before there were two switches; only one of the two is ever touched, as PyTorch refuses a mixture.
"""

from __future__ import annotations

import os
from typing import Any

import torch

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.run_config import Precision
from parsenet_cli.models.support import lacks_arithmetic

backends: Any = torch.backends
"""Its parts are objects that look like modules."""

VARIABLES = ("NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "CUBLAS_WORKSPACE_CONFIG")
"""Of the environment, those that change it."""


def set_arithmetic(precision: Precision, device: torch.device, *, deterministic: bool = False) -> None:
    """Put it in force in this process.

    Args:
        precision: The axis of that name.
        device: What is computed on.
        deterministic: On a GPU, only algorithms that give the same bits again; an operation that has none raises. A CPU needs
            nothing for that. Before cuBLAS is used for the first time, which reads its variable once.

    Raises:
        UserError: the device has no such arithmetic, or a variable of the environment says otherwise.
    """
    if reason := lacking(precision, device):
        raise UserError(f"precision={precision}: {reason}")
    convolutions = "tf32" if precision == "tf32" else "ieee"
    if hasattr(backends, "fp32_precision"):
        backends.fp32_precision = "ieee"  # of every library, which the next lines refine
        backends.cudnn.conv.fp32_precision = convolutions
        backends.cuda.matmul.fp32_precision = "ieee"  # also against TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=1
    else:
        backends.cudnn.allow_tf32 = convolutions == "tf32"
        backends.cuda.matmul.allow_tf32 = False
    _set_deterministic(deterministic and device.type == "cuda")


def _set_deterministic(wanted: bool) -> None:
    backends.cudnn.benchmark = False  # which chooses by the clock
    backends.cudnn.deterministic = wanted
    # As torch.use_deterministic_algorithms does, which would import the compiler for more than a second.
    torch.set_deterministic_debug_mode("error" if wanted else "default")
    memory: Any = torch.utils.deterministic
    memory.fill_uninitialized_memory = not wanted  # which costs time, and no number depends on
    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def lacking(precision: Precision, device: torch.device) -> str | None:
    """Why this device cannot compute so; None where it can."""
    on_gpu = device.type == "cuda"
    capability = torch.cuda.get_device_capability(device) if on_gpu and precision != "float32" else None
    reason = lacks_arithmetic(precision, device.type, capability)
    override = os.environ.get("NVIDIA_TF32_OVERRIDE")
    if reason is None and on_gpu and (override == "1" or (override == "0" and precision == "tf32")):
        reason = f"NVIDIA_TF32_OVERRIDE={override} in the environment says otherwise; unset it"
    return reason


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """The block in which the network computes; it does nothing but for bfloat16."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def name(precision: Precision, device: torch.device, deterministic: bool) -> str:
    """`bfloat16`, or `bfloat16, deterministic` where that was promised of a GPU."""
    return precision + (", deterministic" if deterministic and device.type == "cuda" else "")


def in_force() -> dict[str, str]:
    """PyTorch's flags as they are, for the record, and those of the `VARIABLES` that are set."""
    flags: dict[str, object] = {}
    if hasattr(backends, "fp32_precision"):
        flags["fp32_precision"] = backends.fp32_precision
        flags["cudnn.conv.fp32_precision"] = backends.cudnn.conv.fp32_precision
        flags["cuda.matmul.fp32_precision"] = backends.cuda.matmul.fp32_precision
    else:
        flags["cudnn.allow_tf32"] = backends.cudnn.allow_tf32
        flags["cuda.matmul.allow_tf32"] = backends.cuda.matmul.allow_tf32
    flags["cudnn.benchmark"] = backends.cudnn.benchmark
    flags["cudnn.deterministic"] = backends.cudnn.deterministic
    flags["deterministic_debug_mode"] = torch.get_deterministic_debug_mode()
    flags |= {variable: os.environ[variable] for variable in VARIABLES if variable in os.environ}
    return {flag: str(value) for flag, value in flags.items()}

"""Which precision the parts of a network compute in that autocast must not make narrower: the norm and the upsampling."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """`x`, half types made float32; float64 stays, so that derivatives can be checked by finite differences."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def without_autocast(device: torch.device) -> AbstractContextManager[None]:
    """Autocast switched off, on devices that have it: `meta`, where a network is built without its memory, has none."""
    return torch.autocast(device.type, enabled=False) if torch.amp.is_autocast_available(device.type) else nullcontext()

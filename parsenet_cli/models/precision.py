"""Which precision the parts of a network compute in that autocast must not make narrower: the norm and the upsampling."""

from __future__ import annotations

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """`x`, half types made float32; float64 stays, so that derivatives can be checked by finite differences."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x

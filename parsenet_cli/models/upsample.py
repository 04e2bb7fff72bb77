"""Upsampling score maps to another grid: frozen bilinear by two matrix products, or a learned deconvolution.

Caffe's frozen bilinear deconvolution followed by a crop is separable and linear: along one axis, output cell y receives
from input cell i the weight `max(0, 1 - |centre(y) - centre(i)| / stride)`, where the centres are those of the two
grids and the stride is the input's. With `A[y, i]` that weight, the whole operation is `A_h @ z @ A_w.T`: kernel sizes
2f and 2f - 1, the crop, and the zero padding, which lets scores fade over the outermost half cell, all follow from the
geometry. It is several times faster on a CPU than PyTorch's interpolation, forward and backward.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from parsenet_cli.core.errors import UserError
from parsenet_cli.models.geometry import IMAGE, Grid
from parsenet_cli.models.layers import bilinear_kernel

Size = tuple[int, int]

KEPT_MATRICES = 256
"""The least recently used ones are dropped: those of some thirty sizes of images stay, at most 0.3 MB each."""


@lru_cache(KEPT_MATRICES)
def hat_matrix(
    source: Grid,
    cells: int,
    target: Grid,
    size: int,
    dtype: torch.dtype = torch.float32,
    device: torch.device = torch.device("cpu"),  # noqa: B008  (it never changes)
) -> Tensor:
    """The matrix (size, cells) that upsamples one axis from `source` to `target` (see the module's text).

    It is made on the device, and kept, because that takes some twenty kernels: whoever gets it leaves it as it is.
    """
    with torch.inference_mode(False):  # an evaluation may be the first to ask, and a training the second
        indices = torch.arange(max(size, cells), dtype=dtype, device=device)
        centres = source.stride * indices[:cells] + source.offset
        wanted = target.stride * indices[:size] + target.offset
        return (1 - (wanted[:, None] - centres).abs() / source.stride).clamp_min(0)


class Bilinear(nn.Module):
    """Frozen bilinear upsampling of score maps on several grids to one target, added up."""

    def forward(self, maps: Mapping[Grid, Tensor], size: Size, target: Grid = IMAGE) -> Tensor:
        """Maps (N, K, h, w), each on its grid -> float32 (float64 for float64) (N, K, *size) on the grid `target`.

        Rows of all maps are stacked, so that one product both upsamples them vertically and adds them.
        """
        height, width = size
        wide = {grid: at_least_float32(z) for grid, z in maps.items()}
        with without_autocast(next(iter(maps.values())).device):
            columns = [z @ hat_matrix(grid, z.shape[3], target, width, z.dtype, z.device).T for grid, z in wide.items()]
            rows = [hat_matrix(grid, z.shape[2], target, height, z.dtype, z.device) for grid, z in wide.items()]
            return torch.cat(rows, dim=1) @ torch.cat(columns, dim=2)


class Deconvolution(nn.Module):
    """A deconvolution without padding, then a crop of both sides.

    Args:
        deconvolution: its weights, kernel and stride.
        crop: cells before the first wanted one; negative when the first wanted cell lies outside the output.
    """

    def __init__(self, deconvolution: nn.ConvTranspose2d, crop: int) -> None:
        super().__init__()
        self.deconvolution = deconvolution
        self.crop = crop

    def forward(self, z: Tensor, size: Size) -> Tensor:
        """(N, K, h, w) -> float32 (float64 for float64) (N, K', *size); zero where nothing reaches."""
        with without_autocast(z.device):
            full = self.deconvolution(at_least_float32(z))
        (top, bottom), (left, right) = (
            (-self.crop, self.crop + wanted - there) for wanted, there in zip(size, full.shape[2:], strict=True)
        )
        return F.pad(full, (left, right, top, bottom))


def bilinear_deconvolution(channels: int, source: Grid, target: Grid = IMAGE) -> Deconvolution:
    """One learned kernel per class, with bias, from a grid to a finer one; it starts as the bilinear one.

    Kernel 2f where the crop then is a whole number of cells, 2f - 1 otherwise (f: the ratio of the strides). Raises
    `UserError` when neither is.
    """
    factor = source.stride // target.stride
    first = (source.offset - target.offset) / target.stride
    if source.stride % target.stride or not (2 * first).is_integer():
        raise UserError(
            f"upsample=learned: a map of stride {source.stride} and offset {source.offset} cannot be cropped to the "
            f"grid of stride {target.stride} and offset {target.offset} by whole cells; use upsample=bilinear"
        )
    kernel = 2 * factor - 1 if first.is_integer() else 2 * factor
    deconvolution = nn.ConvTranspose2d(channels, channels, kernel, factor, groups=channels)
    with torch.no_grad():
        deconvolution.weight.copy_(bilinear_kernel(kernel).expand(channels, 1, -1, -1))
        torch.nn.init.zeros_(deconvolution.bias)  # type: ignore[arg-type]
    return Deconvolution(deconvolution, crop=int((kernel - 1) / 2 - first))


class Learned(nn.Module):
    """Learned upsampling of score maps on several grids to one target, added up: one deconvolution per grid."""

    def __init__(self, channels: int, sources: Sequence[Grid], target: Grid = IMAGE) -> None:
        super().__init__()
        self.steps = nn.ModuleList(bilinear_deconvolution(channels, grid, target) for grid in sources)
        self.sources = list(sources)

    def forward(self, maps: Mapping[Grid, Tensor], size: Size, target: Grid = IMAGE) -> Tensor:
        """As `Bilinear.forward`; the grids are those given at construction."""
        return torch.stack([self.steps[self.sources.index(grid)](z, size) for grid, z in maps.items()]).sum(0)


def at_least_float32(x: Tensor) -> Tensor:
    """`x`, half types made float32; float64 stays, so that derivatives can be checked by finite differences."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def without_autocast(device: torch.device) -> AbstractContextManager[None]:
    """Autocast switched off, on devices that have it: `meta`, where a network is built without its memory, has none."""
    return torch.autocast(device.type, enabled=False) if torch.amp.is_autocast_available(device.type) else nullcontext()

"""Upsampling score maps to another grid: frozen bilinear by two matrix products, or a learned deconvolution.

Caffe's frozen bilinear deconvolution followed by a crop is separable and linear: along one axis, output cell y receives
from input cell i the weight `max(0, 1 - |centre(y) - centre(i)| / stride)`, where the centres are those of the two
grids and the stride is the input's. With `A[y, i]` that weight, the whole operation is `A_h @ z @ A_w.T`: kernel sizes
2f and 2f - 1, the crop, and the zero padding, which lets scores fade over the outermost half cell, all follow from the
geometry. It is several times faster on a CPU than PyTorch's interpolation, forward and backward.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from parsenet_cli.errors import UserError
from parsenet_cli.models.geometry import IMAGE, Grid
from parsenet_cli.models.init import bilinear_kernel

Size = tuple[int, int]


def hat_matrix(source: Grid, cells: int, target: Grid, size: int, device: torch.device | None = None) -> Tensor:
    """The float32 matrix (size, cells) that upsamples one axis from `source` to `target` (see the module's text)."""
    centres = source.stride * torch.arange(cells, device=device) + source.offset
    wanted = target.stride * torch.arange(size, device=device) + target.offset
    return (1 - (wanted[:, None] - centres).abs() / source.stride).clamp_min(0).float()


class Bilinear(nn.Module):
    """Frozen bilinear upsampling of score maps on several grids to one target, added up."""

    def forward(self, maps: Mapping[Grid, Tensor], size: Size, target: Grid = IMAGE) -> Tensor:
        """Maps (N, K, h, w), each on its grid -> float32 (N, K, *size) on the grid `target`.

        Rows of all maps are stacked, so that one product both upsamples them vertically and adds them.
        """
        height, width = size
        device = next(iter(maps.values())).device
        with torch.autocast(device.type, enabled=False):
            columns = [z.float() @ hat_matrix(grid, z.shape[3], target, width, device).T for grid, z in maps.items()]
            rows = [hat_matrix(grid, z.shape[2], target, height, device) for grid, z in maps.items()]
            return torch.cat(rows, dim=1) @ torch.cat(columns, dim=2)


class Deconvolution(nn.Module):
    """One learned deconvolution per class, with bias, that starts as the bilinear one.

    Kernel 2f where the crop then is a whole number of cells, 2f - 1 otherwise (f: the ratio of the strides). Raises
    `UserError` when neither is.
    """

    def __init__(self, channels: int, source: Grid, target: Grid = IMAGE) -> None:
        super().__init__()
        factor = source.stride // target.stride
        first = (source.offset - target.offset) / target.stride
        if source.stride % target.stride or not (2 * first).is_integer():
            raise UserError(
                f"upsample=learned: a map of stride {source.stride} and offset {source.offset} cannot be cropped to the "
                f"grid of stride {target.stride} and offset {target.offset} by whole cells; use upsample=bilinear"
            )
        kernel = 2 * factor - 1 if first.is_integer() else 2 * factor
        self.source, self.target = source, target
        self.crop = int((kernel - 1) / 2 - first)
        """Cells before the first wanted one; negative when the first wanted cell lies outside the output."""
        self.deconvolution = nn.ConvTranspose2d(channels, channels, kernel, factor, groups=channels)
        with torch.no_grad():
            self.deconvolution.weight.copy_(bilinear_kernel(kernel).expand(channels, 1, -1, -1))
            torch.nn.init.zeros_(self.deconvolution.bias)  # type: ignore[arg-type]

    def forward(self, z: Tensor, size: Size) -> Tensor:
        """(N, K, h, w) on the source grid -> float32 (N, K, *size) on the target grid; zero where nothing reaches."""
        with torch.autocast(z.device.type, enabled=False):
            full = self.deconvolution(z.float())
        (top, bottom), (left, right) = (
            (-self.crop, self.crop + wanted - there) for wanted, there in zip(size, full.shape[2:], strict=True)
        )
        return F.pad(full, (left, right, top, bottom))


class Learned(nn.Module):
    """Learned upsampling of score maps on several grids to one target, added up: one `Deconvolution` per grid."""

    def __init__(self, channels: int, sources: Sequence[Grid], target: Grid = IMAGE) -> None:
        super().__init__()
        self.steps = nn.ModuleList(Deconvolution(channels, grid, target) for grid in sources)
        self.sources = list(sources)

    def forward(self, maps: Mapping[Grid, Tensor], size: Size, target: Grid = IMAGE) -> Tensor:
        """As `Bilinear.forward`; the grids are those given at construction."""
        return torch.stack([self.steps[self.sources.index(grid)](z, size) for grid, z in maps.items()]).sum(0)

"""The image pooling of DeepLabv3 (Chen et al., 1706.05587 §3.3): pool6 with a learned projection in front of the classifier."""

from __future__ import annotations

from torch import Tensor

from parsenet_cli.models.context import Context
from parsenet_cli.models.context.ppm import projection


class ImagePool(Context):
    """The mean of the map, a 1x1 convolution to `width` channels, batch norm where it is asked for, a ReLU; copied to the map.

    With `batch_norm` it has C width + 2 width parameters, without C width + width.
    """

    def __init__(self, channels: int, width: int = 256, batch_norm: bool = False) -> None:
        super().__init__(("pool6",), (width,))
        self.projection = projection(channels, width, batch_norm)

    def forward(self, fc7: Tensor) -> list[Tensor]:
        """(N, C, h, w) -> [(N, width, 1, 1)]."""
        return [self.projection(fc7.mean((2, 3), keepdim=True))]

    def unpool(self, level: int, z: Tensor, size: tuple[int, int]) -> Tensor:
        """(N, K, 1, 1) -> a view (N, K, *size)."""
        return z.expand(-1, -1, *size)


def build(channels: int, width: int, batch_norm: bool) -> ImagePool:
    """The context over a tap of `channels`."""
    return ImagePool(channels, width, batch_norm)

"""A trunk: the chain of layers before the head, and the features ("taps") the head reads from it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from itertools import count

from torch import Tensor, nn

from parsenet_cli.core.errors import UserError
from parsenet_cli.models import geometry
from parsenet_cli.models.geometry import Grid


class Trunk(nn.Sequential):
    """Named layers in a chain; `trunk(x, wanted)` runs them as far as needed and returns the wanted taps.

    Attributes:
        taps: tap name (`conv3`, `conv4`, `conv5`, `fc7`, `fc7_before_dropout`, `pool3`, `pool4`) -> layer name. "Feature
            of layer X" is what Caffe's in-place layers leave in its blob: after the ReLU and, in training, the dropout.
        grids: tap name -> where its cells lie and what they see.
        channels: tap name -> number of channels.
    """

    def __init__(self, layers: Mapping[str, nn.Module], taps: Mapping[str, str]) -> None:
        super().__init__(OrderedDict(layers))
        self.taps = dict(taps)
        grids = geometry.grids(layers.items())
        widths, width = dict[str, int](), 3
        for name, layer in layers.items():
            widths[name] = width = int(getattr(layer, "out_channels", width))
        self.grids: dict[str, Grid] = {tap: grids[layer] for tap, layer in taps.items()}
        self.channels: dict[str, int] = {tap: widths[layer] for tap, layer in taps.items()}
        self._windows = [(name, window) for name, layer in layers.items() for window in geometry.windows(layer)]

    def forward(self, x: Tensor, wanted: Iterable[str] = ("fc7",), after: str = "") -> dict[str, Tensor]:
        """Preprocessed images (N, 3, H, W) -> tap name -> (N, C, h, w).

        With `after`, the name of a tap, `x` is the feature of that tap, and only the layers above it are run.

        Raises:
            UserError: the image is too small.
        """
        missing = {self.taps[tap]: tap for tap in wanted}
        features: dict[str, Tensor] = {}
        layers = list(self.named_children())
        if after:
            layers = layers[1 + [name for name, _ in layers].index(self.taps[after]) :]
            if missing.pop(self.taps[after], ""):
                features[after] = x
        else:
            self.check_size(int(x.shape[2]), int(x.shape[3]))
        for name, layer in layers:
            x = layer(x)
            if name in missing:
                features[missing.pop(name)] = x
            if not missing:
                break
        return features

    def cells(self, tap: str, height: int, width: int) -> tuple[int, int]:
        """The size of a tap's map for an image of `height` x `width` that is large enough."""
        layers = [name for name, _ in self.named_children()]
        before = set(layers[: layers.index(self.taps[tap]) + 1])
        for name, window in self._windows:
            if name in before:
                height, width = window.length(height), window.length(width)
        return height, width

    def freeze(self, stage: str) -> None:
        """Take the layers from the image to the tap `stage` out of the training."""
        for name, layer in self.named_children():
            layer.requires_grad_(requires_grad=False)
            if name == self.taps[stage]:
                break

    def check_size(self, height: int, width: int) -> tuple[int, int]:
        """The size of the last map for an image of `height` x `width`.

        Raises:
            UserError: the windows of some layer do not fit into what is left of the image there.
        """
        size = (height, width)
        for name, window in self._windows:
            after = (window.length(size[0]), window.length(size[1]))
            if min(after) < 1:
                raise UserError(
                    f"an image of {height}x{width} pixels is too small for this trunk: layer {name} needs a map of at "
                    f"least {window.extent - 2 * window.padding} cells a side and gets {size[0]}x{size[1]}, so that images "
                    f"need {self._smallest()} pixels a side. Use larger images or crops, or a padded body (fc6_pad=same)"
                )
            size = after
        return size

    def _smallest(self) -> int:
        """The smallest side, in pixels, that every window fits into."""

        def fits(side: int) -> bool:
            return all((side := window.length(side)) >= 1 for _, window in self._windows)

        return next(side for side in count(1) if fits(side))

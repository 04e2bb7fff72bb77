"""The network of a run, built from its science alone."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.run_config import Science
from parsenet_cli.models import layers, support, trunks
from parsenet_cli.models.head import Head
from parsenet_cli.models.norm import Norm
from parsenet_cli.models.preprocess import Preprocess
from parsenet_cli.models.trunk import Trunk
from parsenet_cli.models.weights.read import Weights, install


class Segmenter(nn.Module):
    """8-bit images in, class scores for every pixel out.

    Args:
        preprocess: what the trunk's weights expect of an image.
        trunk: the layers below the head.
        head: from the trunk's taps to scores.
        start: where the trunk's weights come from.
        frozen: the last stage that is not trained (`recipe.frozen`); empty where all are.
    """

    def __init__(self, preprocess: Preprocess, trunk: Trunk, head: Head, start: str, frozen: str = "") -> None:
        super().__init__()
        self.preprocess = preprocess
        self.trunk = trunk
        self.head = head
        self.start = start
        self.frozen = frozen
        if frozen:
            trunk.freeze(frozen)

    def forward(self, images: Tensor, stride: int = 1, frozen_features: Tensor | None = None) -> Tensor:
        """uint8 RGB (N, 3, H, W) -> float32 logits (N, K, ceil(H / stride), ceil(W / stride)).

        Args:
            images: as above.
            stride: of which rows and columns there are logits, from the first one on.
            frozen_features: what `frozen_features` made of these images, where that has been done.

        Raises:
            UserError: the image is too small for the trunk, or for the bins of the context.
        """
        if frozen_features is None:
            taps = self.trunk(self.preprocess(images), self.head.wanted)
        else:
            taps = self.trunk(frozen_features, self.head.wanted, after=self.frozen)
        logits: Tensor = self.head(taps, (images.shape[2], images.shape[3]), stride)
        return logits

    @torch.no_grad()
    def frozen_features(self, images: Tensor) -> Tensor:
        """uint8 RGB (N, 3, H, W) -> what the stages that are not trained make of them (N, C, h, w)."""
        features: Tensor = self.trunk(self.preprocess(images), (self.frozen,))[self.frozen]
        return features

    def check_size(self, height: int, width: int) -> None:
        """Raises `UserError` when an image of `height` x `width` pixels is too small for the trunk or for the context."""
        self.trunk.check_size(height, width)
        for tap, context in self.head.contexts.items():
            context.check_size(*self.trunk.cells(tap, height, width))

    def roles(self) -> dict[str, str]:
        """Parameter name -> trunk_weight, trunk_bias, head_weight, head_bias, upsample_weight, upsample_bias, scale or frozen."""
        result: dict[str, str] = {}
        for path, module in self.named_modules():
            for name, parameter in module.named_parameters(path, recurse=False):
                result[name] = "frozen" if not parameter.requires_grad else _role(path, module, parameter)
        return result


def _role(path: str, module: nn.Module, parameter: nn.Parameter) -> str:
    if isinstance(module, Norm):
        return "scale"
    part = "upsample" if isinstance(module, nn.ConvTranspose2d) else "trunk" if path.startswith("trunk") else "head"
    return f"{part}_{'weight' if parameter.ndim > 1 else 'bias'}"


def build_model(
    science: Science, num_classes: int, weights: Weights | None, mean: tuple[float, float, float] | None = None
) -> Segmenter:
    """The network `science` describes, in training mode; everything that is drawn comes from its seed.

    On the CPU, or under `torch.device("meta")` without any memory and without numbers.

    Args:
        science: the axes.
        num_classes: K.
        weights: the trunk's, or None to draw them as well.
        mean: the published mean colour (R, G, B) of the data, for `input_mean=data`.

    Raises:
        UserError: no such network can be built, or the weights are not those of the trunk.
    """
    if reason := support.unsupported(science):
        raise UserError(f"{science.trunk}: {reason}")
    architecture = trunks.find(science.trunk)
    generator = Generator().manual_seed(science.seed)
    with torch.random.fork_rng(devices=[]):  # PyTorch's layers draw weights when they are made
        torch.default_generator.manual_seed(science.seed)
        trunk = architecture.build(science)
        head = Head(science, num_classes, trunk, generator)
    if weights is None:
        layers.he_(trunk, generator)
    else:
        tensors = architecture.adapt_weights(weights, science.body, science.deeplab_kernel)
        install(weights, tensors, trunk, science.trunk, generator)
    normalization = architecture.normalization(weights)
    if mean is not None and science.input_mean == "data":
        normalization = normalization.with_mean(mean)
    start = weights.about if weights else "drawn (He)"
    model = Segmenter(Preprocess(normalization), trunk, head, start, "".join(science.recipe.frozen[-1:]))
    return model.to(memory_format=torch.channels_last)

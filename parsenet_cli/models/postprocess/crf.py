"""DeepLab's fully connected CRF: labels that agree with their neighbours in place and colour (arXiv 1412.7062, §4.2).

The energy of a labelling is sum_i U_i(x_i) + sum_{i<j} [x_i != x_j] k(i, j), where U is minus the log of the network's
probability and

    k(i, j) = w exp(-|p_i - p_j|^2 / 2 xy^2 - |I_i - I_j|^2 / 2 rgb^2) + pos_w exp(-|p_i - p_j|^2 / 2 pos_xy^2)

over positions p in pixels and colours I in 0 to 255. Mean field (Krähenbühl and Koltun, "Efficient Inference in Fully
Connected CRFs with Gaussian Edge Potentials", NIPS 2011) repeats Q = softmax(-U + sum_m w_m K_m Q). Three things are as in
the authors' code (`densecrf/`, `src/caffe/util/densecrf_pairwise.cpp`) and not as in the formula: each kernel matrix is
divided by its row sums after it was applied, the pixel itself is among its neighbours, and of the Potts term only the
equal labels are added, which differs by a constant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

import torch
from torch import Tensor

from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.models.permutohedral import Lattice
from parsenet_cli.models.upsample import at_least_float32, without_autocast

Normalization = Literal["after", "symmetric"]

EXACT = 2048
"""Pixels up to which all pairs are computed; larger images are filtered by a permutohedral lattice, as in the authors' code."""

TINY = 1e-20
"""Added to the row sums, as in the authors' code."""

Filter = Callable[[Tensor], Tensor]
"""(N, K) -> (N, K): each row the sum of all rows, weighted by a kernel."""


@dataclass(frozen=True)
class DenseCRF:
    """The CRF with its parameters, those of DeepLab-LargeFOV if none are given.

    Memory: exact kernels take 3 * 2048^2 numbers at most. A larger image takes at most 2 kB + 70 K bytes a pixel in float32 (K
    labels), which noise comes near to: 0.45 GB for 375x500 pixels and 21 labels. A photograph of that size takes 0.18 GB,
    because its pixels share vertices.

    Attributes:
        w: weight of the bilateral kernel, w1 in the paper.
        xy: its width in pixels, sigma_alpha; tuned for images of about 500 pixels.
        rgb: its width in levels of colour, sigma_beta.
        pos_w: weight of the spatial kernel, w2.
        pos_xy: its width in pixels, sigma_gamma.
        iterations: of mean field; the paper takes 10.
        norm: `after` divides by the row sums D after filtering, D^-1 K, as densecrf's first version within DeepLab;
            `symmetric` is D^-1/2 K D^-1/2, the second version's default, and so pydensecrf's.

    Raises:
        UserError: a parameter that is out of its range.
    """

    w: float = 4
    xy: float = 121
    rgb: float = 5
    pos_w: float = 3
    pos_xy: float = 3
    iterations: int = 10
    norm: Normalization = "after"

    def __post_init__(self) -> None:
        for name in ("w", "xy", "rgb", "pos_w", "pos_xy"):
            value, is_weight = getattr(self, name), name.endswith("w")
            if not math.isfinite(value) or value < 0 or (value == 0 and not is_weight):
                wanted = "at least 0" if is_weight else "above 0"
                raise UserError(f"postprocess.{name}: {value} where a finite number {wanted} was expected")
        if self.iterations < 0:
            raise UserError(f"postprocess.iterations: {self.iterations} where a number of at least 0 was expected")
        if self.norm not in get_args(Normalization):
            raise unknown("postprocess.norm", self.norm, get_args(Normalization))

    @torch.no_grad()
    def __call__(self, scores: Tensor, image: Tensor) -> Tensor:
        """Refines the scores of one image; equal input gives equal output.

        Args:
            scores: (K, H, W) of any float type: logits, or logs of probabilities. A number added to all scores of a
                pixel changes nothing.
            image: uint8 RGB (H, W, 3), the pixels that the scores are of, without padding.

        Returns:
            Probabilities (K, H, W) in the type of the scores, at least float32, on their device; the labels are their argmax.

        Raises:
            UserError: scores that are not finite, as those of a network that has diverged, or kernels so narrow that a
                lattice cannot hold them.
            ValueError: other shapes or types than these.
        """
        _check(scores, image)
        classes, height, width = scores.shape
        with without_autocast(scores.device):
            unary = at_least_float32(scores).reshape(classes, -1).T.contiguous()
            kernels = self._kernels(image.to(unary.device), unary)
            terms = [(w, _normalized(kernel, unary, self.norm)) for w, kernel in kernels]
            probabilities = torch.softmax(unary, 1)
            for _ in range(self.iterations):
                logits = unary.clone()
                for w, kernel in terms:
                    logits.add_(kernel(probabilities), alpha=w)
                probabilities = torch.softmax(logits, 1)
        return probabilities.T.reshape(classes, height, width).contiguous()

    def _kernels(self, image: Tensor, like: Tensor) -> Iterator[tuple[float, Filter]]:
        """Weight and unnormalised filter of the bilateral and of the spatial kernel; one of weight 0 is left out."""
        height, width, _ = image.shape
        y, x = (torch.arange(n, dtype=torch.float64, device=image.device) for n in (height, width))
        place = torch.stack([x.expand(height, -1), y[:, None].expand(-1, width)], -1).view(-1, 2)
        colour = image.reshape(-1, 3).double()
        terms = [
            ("xy and postprocess.rgb", self.w, torch.cat([place / self.xy, colour / self.rgb], 1)),
            ("pos_xy", self.pos_w, place / self.pos_xy),
        ]
        for name, w, features in terms:
            if w:
                try:
                    yield w, gaussian(features, like.dtype)
                except ValueError as problem:
                    raise UserError(f"postprocess.{name}: {problem}") from None


@dataclass(frozen=True)
class Preset:
    """Parameters that somebody used, and where they stand."""

    crf: DenseCRF
    source: str


_SETTINGS = "the authors' SetupEnv.m, model {}"
_FULLER = "a fuller copy of the authors' SetupEnv.m, model {}"

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "deeplab": Preset(
            DenseCRF(5, 50, 10), _SETTINGS.format("vgg128_noup (4x4, hole 4), said not to be well optimised")
        ),
        "deeplab_msc": Preset(DenseCRF(3, 95, 3), _SETTINGS.format("vgg128_noup with multi-scale features")),
        "deeplab_7x7": Preset(DenseCRF(4, 72, 5), _FULLER.format("125M (7x7)")),
        "deeplab_largefov": Preset(
            DenseCRF(4, 121, 5),
            _FULLER.format("vgg128_noup_pool3_20M_largewin3; that it is LargeFOV is inferred from its 20M parameters"),
        ),
        "deeplab_20m_largewin2": Preset(DenseCRF(4, 175, 5), _SETTINGS.format("20M_largewin2")),
        "deeplab_20m_largewin": Preset(DenseCRF(4, 123, 5), _SETTINGS.format("20M_largewin")),
        "deeplab_largewin": Preset(DenseCRF(4, 56, 4), _SETTINGS.format("largewin, 4096 channels wide")),
        "deeplab_largewin2": Preset(DenseCRF(4, 53, 5), _SETTINGS.format("largewin2, 4096 channels wide")),
        "deeplab_20m": Preset(DenseCRF(5, 71, 3), _SETTINGS.format("20M, said not to be cross-validated")),
        "deeplab_largefov_coco": Preset(DenseCRF(5, 69, 5), _SETTINGS.format("20M_largewin3_coco")),
        "deeplab_coco": Preset(DenseCRF(5, 67, 3), _SETTINGS.format("cocomix")),
        "deeplab_v2_script": Preset(DenseCRF(4, 49, 5), "DeepLab v2's public script for deelab_largeFOV, a template"),
        "deeplab_largefov_layer": Preset(
            DenseCRF(5, 50, 10),
            "martinkersner/train-DeepLab, DENSE_CRF layer of LargeFOV: copied from `deeplab`, not tuned",
        ),
        "deeplab_v2_pytorch": Preset(
            DenseCRF(4, 67, 3, 3, 1, norm="symmetric"), "kazuto1011/deeplab-pytorch, through pydensecrf"
        ),
        "densecrf_demo": Preset(DenseCRF(10, 60, 20), "defaults of densecrf's refine_pascal"),
    }
)
"""By model. LargeFOV's are the defaults of `DenseCRF`."""


def gaussian(features: Tensor, dtype: torch.dtype) -> Filter:
    """The sum over all pixels weighted by exp(-|f_i - f_j|^2 / 2): exact for `EXACT` pixels, by a lattice for more.

    `features` are (N, d) in float64, the values to be filtered (N, K) in `dtype`.
    """
    return exact(features, dtype) if len(features) <= EXACT else Lattice(features, dtype)


def exact(features: Tensor, dtype: torch.dtype) -> Filter:
    """The filter as a matrix of all pairs."""
    values = features.to(dtype)
    distances = torch.cdist(values, values, compute_mode="donot_use_mm_for_euclid_dist")  # mm cancels in float32
    return distances.square_().mul_(-0.5).exp_().matmul


def _normalized(kernel: Filter, like: Tensor, norm: Normalization) -> Filter:
    """The filter with row sums of one (`after`), or divided by the roots of its row and column sums (`symmetric`)."""
    sums = kernel(like.new_ones(len(like), 1)) + TINY
    if norm == "after":
        return lambda values: kernel(values).div_(sums)
    roots = sums.sqrt_()
    return lambda values: kernel(values / roots).div_(roots)


def _check(scores: Tensor, image: Tensor) -> None:
    if scores.ndim != 3 or not scores.is_floating_point() or not scores.numel():
        raise ValueError(f"scores are {scores.dtype} {tuple(scores.shape)} where floats (classes, H, W) were expected")
    if image.dtype != torch.uint8 or image.shape != (*scores.shape[1:], 3):
        wanted = (*scores.shape[1:], 3)
        raise ValueError(f"the image is {image.dtype} {tuple(image.shape)} where torch.uint8 {wanted} was expected")
    if not scores.isfinite().all():
        raise UserError(
            "postprocess=crf: the network's scores are not finite, its training has diverged; evaluate it with "
            "postprocess=none"
        )

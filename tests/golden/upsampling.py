"""Deconvolution, unpooling, and where whole networks crop."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from parsenet_cli.models.context.spp import Pyramid
from parsenet_cli.models.geometry import IMAGE, Grid
from parsenet_cli.models.layers import bilinear_kernel
from parsenet_cli.models.trunk import Trunk
from parsenet_cli.models.upsample import Bilinear, Deconvolution, bilinear_deconvolution
from tests.golden import nets, vectors
from tests.golden.vectors import Case

FORWARD, GRADIENTS = (f"upsampling: deconvolution and unpooling, {part}" for part in ("forward", "gradients"))
PRODUCTS, PRODUCTS_GRADIENT = (
    f"upsampling: frozen bilinear as matrix products, {part}" for part in ("forward", "gradient")
)


def even_filler(kernel: int) -> bool:
    """Whether Caffe's bilinear filler fills a kernel evenly; others come out lopsided (the file's `filler_rule`)."""
    factor = (kernel + 1) // 2
    return kernel == 2 * factor - factor % 2


def deconvolution(case: Case) -> None:
    """Our deconvolution with the recorded weights; where it is an even bilinear one, our frozen upsampling as well."""
    spec, x = case.spec, case.given("bottom").requires_grad_()
    channels, outputs, groups, kernel = x.shape[1], spec["num_output"], spec["groups"], spec["kernel"]
    layer = nn.ConvTranspose2d(channels, outputs, kernel, spec["stride"], groups=groups, bias=spec["bias"])
    with torch.no_grad():
        layer.weight.copy_(case.given("param0").expand_as(layer.weight))
        if layer.bias is not None:
            layer.bias.copy_(case.given("param1"))
    size = (case.arrays["top"].shape[2], case.arrays["top"].shape[3])
    top = Deconvolution(layer, crop=spec["pad"])(x, size)
    case.compare(FORWARD, "top", top)
    if "top_diff" in case.arrays:
        top.backward(case.given("top_diff"))
        for array, gradient in _gradients(x, layer).items():
            case.compare(GRADIENTS, array, gradient)
    hand_set = "filler" not in spec
    if groups == channels and not spec["bias"] and (hand_set or even_filler(kernel)):
        case.compare("upsampling: bilinear kernels", "param0", bilinear_kernel(kernel).expand_as(case.given("param0")))
        _frozen(case, Grid(spec["stride"], (kernel - 1) / 2 - spec["pad"]), size)


def _frozen(case: Case, grid: Grid, size: tuple[int, int]) -> None:
    x = case.given("bottom").requires_grad_()
    top = Bilinear()({grid: x}, size)
    if "top_diff" in case.arrays:
        case.compare_both_ways(PRODUCTS, PRODUCTS_GRADIENT, x, top)
    else:
        case.compare(PRODUCTS, "top", top)


def _gradients(x: Tensor, layer: nn.ConvTranspose2d) -> dict[str, Tensor]:
    found = {"bottom_diff": x.grad, "param_diff0": layer.weight.grad}
    if layer.bias is not None:
        found["param_diff1"] = layer.bias.grad
    return {array: gradient for array, gradient in found.items() if gradient is not None}


def unpooling(case: Case) -> None:
    """Repetition of bins over the windows they were pooled from: ours ends where the map ends, theirs may go beyond."""
    x = case.given("bottom").requires_grad_()
    bins = x.shape[2]
    pyramid = Pyramid((bins,), x.shape[1], adaptive=False)
    wanted = case.given("top")
    case.compare_both_ways(FORWARD, GRADIENTS, x, pyramid.unpool(0, x, (wanted.shape[2], wanted.shape[3])))
    height, width = (int(side) for side in case.given("like_shape")[2:])
    case.compare(FORWARD, "top", pyramid.unpool(0, x, (height, width)), wanted[:, :, :height, :width])


def crops(case: Case) -> None:
    """Sizes of every recorded layer and the offset of every crop, from our trunk's windows and grids."""
    network = vectors.case("parsenet_mini", case.spec["net"])
    trunk = nets.trunk(network)
    skips = [tap for tap in ("pool4", "pool3") if f"score_{tap}" in {layer["name"] for layer in network.spec["layers"]}]
    for row in case.spec["rows"]:
        sizes = _sizes(trunk, row["input"])
        ours = [sizes[name] for name in row["shapes"]]
        theirs = list(row["shapes"].values())
        for ours_crop, crop in zip(_crops(trunk, skips, sizes, row["input"]), row["crops"], strict=True):
            ours += ours_crop
            theirs += [crop["src"], crop["dst"], crop["offset"]]
        case.compare(
            "upsampling: crops and sizes of three networks",
            "x".join(map(str, row["input"])),
            torch.tensor(ours),
            torch.tensor(theirs),
        )


def _sizes(trunk: Trunk, image: list[int]) -> dict[str, list[int]]:
    return {
        name: list(sides)
        for name, *sides in zip(
            nets.windows(trunk), *(nets.lengths(trunk, side) for side in image), strict=True
        )
    }  # fmt: skip


def _crops(trunk: Trunk, skips: list[str], sizes: dict[str, list[int]], image: list[int]) -> list[list[list[int]]]:
    """Source size, target size and offset of each crop, as Caffe counts them.

    Caffe crops a finer map to the one upsampled so far, and goes on from there; ours keeps the finer map whole and
    places the coarse one on it. `first` is the cell of our whole map on which Caffe's cropped one begins.
    """
    found, first, cells, grid = [], 0, sizes["fc7"], trunk.grids["fc7"]
    for tap in skips:
        step = bilinear_deconvolution(1, grid, trunk.grids[tap])
        stride, kernel = step.deconvolution.stride[0], step.deconvolution.kernel_size[0]
        first = stride * first - step.crop
        cells = [stride * (side - 1) + kernel for side in cells]
        found.append([sizes[tap], cells, [first, first]])
        grid = trunk.grids[tap]
    step = bilinear_deconvolution(1, grid, IMAGE)
    stride, kernel = step.deconvolution.stride[0], step.deconvolution.kernel_size[0]
    offset = step.crop - stride * first
    # ParseNet's deconvolution pads by what would otherwise be cropped; FCN's does not pad.
    pad = 0 if skips or stride == 32 else step.crop
    cells = [stride * (side - 1) + kernel - 2 * pad for side in cells]
    return [*found, [cells, image, [offset - pad, offset - pad]]]

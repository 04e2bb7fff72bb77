"""Two matrix products are Caffe's bilinear deconvolution and crop."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from parsenet_cli.core.errors import UserError
from parsenet_cli.models.geometry import IMAGE, Grid
from parsenet_cli.models.layers import bilinear_kernel
from parsenet_cli.models.upsample import Bilinear, Learned, hat_matrix


def deconvolve(z: Tensor, kernel: int, stride: int) -> Tensor:
    """The bilinear deconvolution without padding, class by class."""
    channels = z.shape[1]
    weight = bilinear_kernel(kernel).to(z).expand(channels, 1, -1, -1)
    return F.conv_transpose2d(z, weight, stride=stride, groups=channels)


def test_scores_fade_over_the_outermost_half_cell() -> None:
    """Stride 8: to 56 % at an edge, 32 % in a corner, where interpolation would repeat the edge."""
    up = Bilinear()({Grid(8, 3.5): torch.ones(1, 1, 4, 4)}, (32, 32))[0, 0]
    assert up[0, 16].item() == pytest.approx(0.5625)
    assert up[0, 0].item() == pytest.approx(0.31640625)
    interior = F.interpolate(torch.eye(4)[None, None], scale_factor=8.0, mode="bilinear", align_corners=False)
    ours = Bilinear()({Grid(8, 3.5): torch.eye(4)[None, None]}, (32, 32))
    torch.testing.assert_close(ours[:, :, 4:-4, 4:-4], interior[:, :, 4:-4, 4:-4])


def test_an_offset_of_zero_is_interpolation_with_aligned_corners() -> None:
    z = torch.randn(1, 2, 5, 6)
    expected = F.interpolate(z, size=(33, 41), mode="bilinear", align_corners=True)
    torch.testing.assert_close(Bilinear()({Grid(8, 0.0): z}, (33, 41)), expected)


def test_several_maps_are_upsampled_and_added() -> None:
    maps = {
        Grid(8, 3.5): torch.randn(2, 3, 4, 5),
        Grid(4, 1.5): torch.randn(2, 3, 8, 10),
        Grid(8, 0.5): torch.randn(2, 3, 4, 5),
    }
    expected = sum(Bilinear()({grid: z}, (32, 40)) for grid, z in maps.items())
    torch.testing.assert_close(Bilinear()(maps, (32, 40)), expected)


def test_fcn8s_climbs_with_the_published_crops_5_9_31() -> None:
    """fc7, pool4 and pool3 of a 65x65 image padded by 100: 3, 17 and 33 cells (FCN's voc-fcn8s/net.py)."""
    fc7, pool4, pool3 = (torch.randn(1, 2, side, side) for side in (3, 17, 33))
    up = deconvolve(fc7, 4, 2)
    fused = up + pool4[:, :, 5 : 5 + up.shape[2], 5 : 5 + up.shape[3]]
    up = deconvolve(fused, 4, 2)
    fused = up + pool3[:, :, 9 : 9 + up.shape[2], 9 : 9 + up.shape[3]]
    expected = deconvolve(fused, 16, 8)[:, :, 31 : 31 + 65, 31 : 31 + 65]

    coarse, middle, fine = Grid(32, 12.5), Grid(16, -91.5), Grid(8, -95.5)
    climb = Bilinear()
    scores = climb({coarse: fc7}, (17, 17), middle) + pool4
    scores = climb({middle: scores}, (33, 33), fine) + pool3
    torch.testing.assert_close(climb({fine: scores}, (65, 65)), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        *(
            (grid, IMAGE)
            for grid in (Grid(32, 12.5), Grid(32, 15.5), Grid(8, 3.5), Grid(8, 0.5), Grid(8, 0), Grid(4, -97.5))
        ),
        *((Grid(16, 7.5), Grid(8, offset)) for offset in (3.5, -12.5)),
        (Grid(32, 12.5), Grid(16, -91.5)),
    ],
)
def test_learned_upsampling_starts_as_the_frozen_one(source: Grid, target: Grid) -> None:
    cells = 60 if source.stride == 4 else 6
    maps = {source: torch.randn(2, 3, cells, cells + 1)}
    found = Learned(3, [source], target)(maps, (40, 50), target)
    torch.testing.assert_close(found, Bilinear()(maps, (40, 50), target), rtol=0, atol=1e-6)


def test_learned_upsampling_has_one_kernel_and_one_bias_per_class_and_grid() -> None:
    learned = Learned(5, [Grid(8, 3.5), Grid(4, 1.5)])
    assert sorted(tuple(p.shape) for p in learned.parameters()) == [(5,), (5,), (5, 1, 8, 8), (5, 1, 16, 16)]


def test_learned_upsampling_refuses_a_crop_of_part_of_a_cell() -> None:
    with pytest.raises(UserError, match=r"stride 4 and offset 0\.25.*use upsample=bilinear"):
        Learned(2, [Grid(4, 0.25)], IMAGE)


def test_scores_are_upsampled_in_float32_under_autocast() -> None:
    z = torch.randn(1, 2, 4, 4).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        up = Bilinear()({Grid(8, 3.5): z}, (32, 32))
        learned = Learned(2, [Grid(8, 3.5)])({Grid(8, 3.5): z}, (32, 32))
    assert up.dtype == learned.dtype == torch.float32
    torch.testing.assert_close(up, Bilinear()({Grid(8, 3.5): z.float()}, (32, 32)))


def test_a_matrix_is_made_once_and_serves_a_training_after_an_evaluation() -> None:
    hat_matrix.cache_clear()
    z = torch.randn(1, 2, 4, 5, requires_grad=True)
    with torch.inference_mode():
        evaluated = Bilinear()({Grid(8, 3.5): z}, (32, 40))
    trained = Bilinear()({Grid(8, 3.5): z}, (32, 40))
    trained.sum().backward()
    assert torch.equal(trained, evaluated)
    assert hat_matrix.cache_info()[:2] == (2, 2)
    Bilinear()({Grid(8, 3.5): z.double()}, (32, 40))
    assert hat_matrix.cache_info().misses == 4, "another type, other matrices"


def test_double_precision_stays_double() -> None:
    z = torch.randn(1, 2, 4, 4, dtype=torch.float64)
    up = Bilinear()({Grid(8, 3.5): z}, (32, 32))
    learned = Learned(2, [Grid(8, 3.5)]).double()({Grid(8, 3.5): z}, (32, 32))
    assert up.dtype == learned.dtype == torch.float64
    torch.testing.assert_close(up, learned)


@pytest.mark.parametrize(("size", "side"), [(4, [0.25, 0.75, 0.75, 0.25]), (3, [0.5, 1.0, 0.5])])
def test_bilinear_kernels_are_hats(size: int, side: list[float]) -> None:
    torch.testing.assert_close(bilinear_kernel(size), torch.outer(torch.tensor(side), torch.tensor(side)))


def test_the_16_pixel_kernel_rises_in_steps_of_an_eighth_and_64_sums_to_its_stride() -> None:
    side = bilinear_kernel(16)[0] / bilinear_kernel(16)[0, 0] * 0.0625
    torch.testing.assert_close(side[:8], torch.arange(0.0625, 1, 0.125))
    torch.testing.assert_close(side, side.flip(0))
    assert bilinear_kernel(64).sum().item() == pytest.approx(32**2)

"""DeepLab's CRF against exact mean field in float64, digit by digit, and its errors."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from parsenet_cli.core.errors import UserError
from parsenet_cli.models.postprocess import crf
from parsenet_cli.models.postprocess.crf import PRESETS, DenseCRF

A: dict[str, Any] = {"w": 5, "xy": 50, "rgb": 10}
B: dict[str, Any] = {"w": 4, "xy": 121, "rgb": 5}
DIGITS = 5.1e-9
"""Eight decimals are given."""


def binary(p: list[list[float]]) -> Tensor:
    """Scores of two labels from the probabilities of the first."""
    first = torch.tensor(p, dtype=torch.float64)
    return torch.stack([first, 1 - first]).log()


def grey(levels: list[list[int]]) -> Tensor:
    return torch.tensor(levels, dtype=torch.uint8)[..., None].repeat(1, 1, 3)


def assert_digits(q: Tensor, expected: list[float]) -> None:
    torch.testing.assert_close(q.flatten(), torch.tensor(expected, dtype=torch.float64), atol=DIGITS, rtol=0)


@pytest.mark.parametrize("norm", ["after", "symmetric"])
@pytest.mark.parametrize(("iterations", "expected"), [(1, [0.99042644, 0.87573302]), (10, [0.99996257, 0.99949485])])
def test_two_pixels_of_one_colour(norm: crf.Normalization, iterations: int, expected: list[float]) -> None:
    """Row sums are equal, so both normalisations are one."""
    q = DenseCRF(**A, iterations=iterations, norm=norm)(binary([[0.9, 0.4]]), grey([[77, 77]]))
    assert_digits(q[0], expected)


def test_first_step_by_hand() -> None:
    """exp(-1/18), exp(-1/5000), their messages to both pixels, and the softmax."""
    near, alike = math.exp(-1 / 18), math.exp(-1 / 5000)
    assert (near, alike) == pytest.approx((0.9459594689, 0.9998000200), abs=5e-11)
    messages = torch.tensor([[5.22095298, 2.77904702], [5.17904702, 2.82095298]], dtype=torch.float64)
    for mine, own, other in ((0, 0.9, 0.4), (1, 0.4, 0.9)):
        for label, (a, b) in enumerate(((own, other), (1 - own, 1 - other))):
            message = 3 * (a + near * b) / (1 + near) + 5 * (a + alike * b) / (1 + alike)
            assert message == pytest.approx(messages[mine, label].item(), abs=DIGITS)
    scores = binary([[0.9, 0.4]])
    q = DenseCRF(**A, iterations=1)(scores, grey([[77, 77]]))
    torch.testing.assert_close(q[:, 0].T, (scores[:, 0].T + messages).softmax(1), atol=2e-8, rtol=0)


@pytest.mark.parametrize(("iterations", "expected"), [(1, [0.99920699, 0.36653260]), (10, [0.99931420, 0.00434705])])
def test_two_pixels_of_two_colours_part(iterations: int, expected: list[float]) -> None:
    image = torch.tensor([[[10, 0, 0], [210, 0, 0]]], dtype=torch.uint8)
    assert_digits(DenseCRF(**A, iterations=iterations)(binary([[0.9, 0.4]]), image)[0], expected)


@pytest.mark.parametrize(
    ("parameters", "norm", "iterations", "expected"),
    [
        (B, "after", 1, [0.77835994, 0.52480767, 0.01484532]),
        (B, "after", 2, [0.86653854, 0.65871908, 0.00305120]),
        (B, "after", 10, [0.99765594, 0.99179637, 0.01123568]),
        (B, "symmetric", 1, [0.77881291, 0.52353028, 0.01488380]),
        (B, "symmetric", 10, [0.99759236, 0.99179148, 0.01091560]),
        (A, "after", 1, [0.80317257, 0.56198064, 0.00820223]),
        (A, "after", 10, [0.99915728, 0.99703409, 0.00394947]),
    ],
)
def test_three_pixels(
    parameters: dict[str, Any], norm: crf.Normalization, iterations: int, expected: list[float]
) -> None:
    q = DenseCRF(**parameters, norm=norm, iterations=iterations)(binary([[0.7, 0.45, 0.2]]), grey([[0, 0, 255]]))
    assert_digits(q[0], expected)


@pytest.mark.parametrize(
    ("norm", "iterations", "pixel", "expected"),
    [
        ("after", 1, (0, 0), [0.52543572, 0.34696730, 0.12759698]),
        ("after", 1, (1, 1), [0.01024541, 0.03595419, 0.95380040]),
        ("after", 10, (0, 0), [0.00314495, 0.99434786, 0.00250719]),
        ("after", 10, (1, 0), [0.00195958, 0.99601043, 0.00203000]),
        ("after", 10, (1, 1), [0.00132526, 0.02687583, 0.97179890]),
        ("symmetric", 10, (0, 0), [0.00289352, 0.99479935, 0.00230713]),
    ],
)
def test_three_labels(norm: crf.Normalization, iterations: int, pixel: tuple[int, int], expected: list[float]) -> None:
    p = torch.tensor([[[0.5, 0.3, 0.2], [0.2, 0.5, 0.3]], [[0.4, 0.4, 0.2], [0.1, 0.2, 0.7]]], dtype=torch.float64)
    image = torch.tensor([[[100, 100, 100], [105, 100, 100]], [[100, 110, 100], [130, 100, 100]]], dtype=torch.uint8)
    q = DenseCRF(**B, norm=norm, iterations=iterations)(p.permute(2, 0, 1).log(), image)
    assert_digits(q[:, pixel[0], pixel[1]], expected)


def test_outliers_in_two_halves_are_repaired() -> None:
    p = torch.full((4, 4), 0.4, dtype=torch.float64)
    p[:, :2] = 0.6
    p[1, 1], p[2, 2] = 0.3, 0.8
    q = DenseCRF(**B)(torch.stack([p, 1 - p]).log(), grey([[0, 0, 200, 200]] * 4))
    assert_digits(q[0].diagonal(), [0.99168138, 0.96150687, 0.06803425, 0.00884008])
    assert q.argmax(0).tolist() == [[0, 0, 1, 1]] * 4


@pytest.mark.parametrize("exact", [True, False], ids=["exact", "lattice"])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 4), (9, 5)])
@pytest.mark.parametrize(
    ("w", "pos_w", "steps"),
    [
        (5, 3, [0.88136969, 0.99850984, 0.99977101, 0.99977559]),
        (4, 3, [0.85881290, 0.99563101, 0.99935415, 0.99938693]),
    ],
)
def test_constant_scores_depend_on_no_kernel(
    w: float, pos_w: float, steps: list[float], height: int, width: int, exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Divided by row sums a kernel leaves a constant as it is, and so does the lattice, whose error cancels."""
    monkeypatch.setattr(crf, "EXACT", 2048 if exact else 0)
    scores, image = binary([[0.6] * width] * height), grey([[9] * width] * height)
    for iterations, expected in enumerate(steps, 1):
        q = DenseCRF(w=w, xy=30, rgb=7, pos_w=pos_w, iterations=iterations)(scores, image)
        assert_digits(q[0], [expected] * (height * width))


def test_constant_scores_depend_on_the_kernels_if_symmetric() -> None:
    q = DenseCRF(**A, norm="symmetric", iterations=4)(binary([[0.6] * 4] * 3), grey([[9] * 4] * 3))
    assert q[0, 0, 0].item() == pytest.approx(0.999752, abs=5e-7)
    assert q[0, 1, 1].item() == pytest.approx(0.999802, abs=5e-7)


def test_spatial_row_sums_are_products() -> None:
    """A Gaussian of places is separable."""
    side = torch.arange(4, dtype=torch.float64) / 3
    rows = crf.exact(side[:, None], torch.float64)(torch.ones(4, 1, dtype=torch.float64))[:, 0]
    assert_digits(rows, [3.35322753, 3.69265634, 3.69265634, 3.35322753])
    places = torch.cartesian_prod(side, side)
    sums = crf.exact(places, torch.float64)(torch.ones(16, 1, dtype=torch.float64)).view(4, 4)
    assert_digits(sums[:2, :2].diagonal(), [11.24413488, 13.63571085])
    torch.testing.assert_close(sums, torch.outer(rows, rows))


@pytest.mark.parametrize(
    ("parameters", "norm", "iterations", "expected"),
    [
        (A, "after", 1, [0.36480, 0.21082, 0.06732, 0.18878, 0.61434, 0.19156, 0.24281, 0.22275]),
        (A, "after", 10, [0.01259, 0.00644, 0.00102, 0.00133, 0.98268, 0.00180, 0.00108, 0.00088]),
        (A, "symmetric", 1, [0.36519, 0.21582, 0.06756, 0.19801, 0.61418, 0.19047, 0.24413, 0.23317]),
        (B, "after", 1, [0.37783, 0.17513, 0.10393, 0.27481, 0.59291, 0.16585, 0.35253, 0.27300]),
        (B, "after", 10, [0.02314, 0.00418, 0.00246, 0.00320, 0.96705, 0.00339, 0.00383, 0.00307]),
        (B, "symmetric", 1, [0.37826, 0.17350, 0.10290, 0.28227, 0.59280, 0.16428, 0.34919, 0.27815]),
        (B, "symmetric", 10, [0.02172, 0.00398, 0.00234, 0.00398, 0.97019, 0.00322, 0.00365, 0.00383]),
    ],
)
def test_lattice_gives_the_numbers_of_densecrf(
    parameters: dict[str, Any],
    norm: crf.Normalization,
    iterations: int,
    expected: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of Krähenbühl and Koltun's own program, in float32 (pydensecrf2 1.1), on a small image of many colours."""
    monkeypatch.setattr(crf, "EXACT", 0)
    y, x = torch.meshgrid(torch.arange(5), torch.arange(6), indexing="ij")
    red, green, blue = (37 * x + 11 * y) % 64 + 60 * (x > 2), (23 * x + 41 * y) % 64 + 80, (7 * x * y) % 32 + 100
    image = torch.stack([red, green, blue], -1).to(torch.uint8)
    scores = torch.stack([(1 + x + 2 * y).double().sin(), (2 * x - y).double().cos(), 1.5 * (x > 2).double() - 0.5])
    q = DenseCRF(**parameters, norm=norm, iterations=iterations)(scores, image)
    assert q[:2, [0, 1, 2, 4], [0, 2, 4, 5]].flatten().tolist() == pytest.approx(expected, abs=1.5e-5)


def noisy_halves() -> tuple[Tensor, Tensor, Tensor]:
    """Scores (2, 12, 12), an image of two colours and its labels; one pixel in seven has the wrong label."""
    labels = torch.zeros(12, 12, dtype=torch.long)
    labels[:, 6:] = 1
    wrong = torch.rand(12, 12, generator=torch.Generator().manual_seed(0)) < 1 / 7
    p = torch.where(wrong, 0.4, 0.6)
    p = torch.where(labels == 0, p, 1 - p).double()
    return torch.stack([p, 1 - p]).log(), (40 + 120 * labels[..., None]).repeat(1, 1, 3).to(torch.uint8), labels


@pytest.mark.parametrize("parameters", [A, B])
def test_colour_cleans_labels_and_place_alone_does_not_know_where_they_end(parameters: dict[str, Any]) -> None:
    scores, image, labels = noisy_halves()

    def accuracy(scores: Tensor) -> float:
        return (scores.argmax(0) == labels).double().mean().item()

    assert accuracy(scores) == pytest.approx(124 / 144)
    assert accuracy(DenseCRF(**parameters)(scores, image)) == 1
    assert accuracy(DenseCRF(**parameters | {"w": 0})(scores, image)) < accuracy(scores)
    assert accuracy(DenseCRF(**parameters, pos_w=0)(scores, image)) == 1


def test_types_shapes_and_memory_order() -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (5, 7, 3), generator=generator).to(torch.uint8)
    scores = torch.randn(3, 5, 7, generator=generator)
    for given, returned in (
        (torch.float64, torch.float64),
        (torch.float32, torch.float32),
        (torch.bfloat16, torch.float32),
    ):
        q = DenseCRF()(scores.to(given), image)
        assert (q.dtype, q.shape, q.is_contiguous()) == (returned, (3, 5, 7), True)
        torch.testing.assert_close(q.sum(0), torch.ones(5, 7, dtype=returned))
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        torch.testing.assert_close(DenseCRF()(scores, image), DenseCRF()(scores, image), rtol=0, atol=0)
    with torch.autocast("cpu", torch.bfloat16):
        under_autocast = DenseCRF()(scores, image)
    torch.testing.assert_close(under_autocast, DenseCRF()(scores, image), rtol=0, atol=0)


def test_input_is_left_alone() -> None:
    image = torch.randint(0, 256, (4, 4, 3), dtype=torch.uint8)
    scores = torch.randn(2, 4, 4, requires_grad=True)
    kept, pixels = scores.detach().clone(), image.clone()
    assert not DenseCRF()(scores, image).requires_grad
    assert torch.equal(scores.detach(), kept)
    assert torch.equal(image, pixels)


@pytest.mark.parametrize(
    ("scores", "image", "said"),
    [
        ((2, 4, 5), (5, 4, 3), r"\(5, 4, 3\) where torch.uint8 \(4, 5, 3\) was expected"),
        ((2, 4, 5), (3, 4, 5), "where torch.uint8"),
        ((1, 2, 4, 5), (4, 5, 3), r"where floats \(classes, H, W\) were expected"),
        ((2, 0, 5), (0, 5, 3), "where floats"),
    ],
)
def test_sizes_have_to_agree(scores: tuple[int, ...], image: tuple[int, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        DenseCRF()(torch.zeros(scores), torch.zeros(image, dtype=torch.uint8))


def test_types_have_to_be_right() -> None:
    with pytest.raises(ValueError, match=r"torch.float32 .* where torch.uint8"):
        DenseCRF()(torch.zeros(2, 3, 3), torch.zeros(3, 3, 3))
    with pytest.raises(ValueError, match=r"scores are torch.int64"):
        DenseCRF()(torch.zeros(2, 3, 3, dtype=torch.long), torch.zeros(3, 3, 3, dtype=torch.uint8))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_scores_have_to_be_finite(value: float) -> None:
    scores = torch.zeros(2, 3, 3)
    scores[1, 2, 0] = value
    with pytest.raises(UserError, match="scores are not finite, its training has diverged; evaluate it with postproc"):
        DenseCRF()(scores, torch.zeros(3, 3, 3, dtype=torch.uint8))


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"w": -1}, "postprocess.w: -1 where a finite number at least 0"),
        ({"xy": 0}, "postprocess.xy: 0 where a finite number above 0"),
        ({"rgb": math.nan}, "postprocess.rgb: nan"),
        ({"pos_w": math.inf}, "postprocess.pos_w: inf"),
        ({"pos_xy": -3}, "postprocess.pos_xy: -3"),
        ({"iterations": -1}, "postprocess.iterations: -1"),
        ({"norm": "before"}, "unknown postprocess.norm 'before'.*Valid: after, symmetric"),
    ],
)
def test_parameters_have_ranges(option: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        DenseCRF(**option)


@pytest.mark.parametrize(
    ("option", "said"),
    [({"xy": 1e-3, "rgb": 1e-3}, r"postprocess\.xy and postprocess\.rgb"), ({"pos_xy": 1e-9}, r"\.pos_xy")],
)
def test_kernels_too_narrow_for_a_lattice(option: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    image = torch.arange(48).view(4, 4, 3).to(torch.uint8)
    DenseCRF(**option)(torch.zeros(2, 4, 4), image)  # exact kernels take any width
    monkeypatch.setattr(crf, "EXACT", 0)
    with pytest.raises(UserError, match=said + ": the 16 points span .*; use a wider Gaussian"):
        DenseCRF(**option)(torch.zeros(2, 4, 4), image)


def test_published_parameters_by_model() -> None:
    numbers = {name: (p.crf.w, p.crf.xy, p.crf.rgb, p.crf.pos_w, p.crf.pos_xy) for name, p in PRESETS.items()}
    assert numbers["deeplab"] == (5, 50, 10, 3, 3)
    assert numbers["deeplab_msc"] == (3, 95, 3, 3, 3)
    assert numbers["deeplab_7x7"] == (4, 72, 5, 3, 3)
    assert numbers["deeplab_largefov"] == (4, 121, 5, 3, 3)
    assert PRESETS["deeplab_largefov"].crf == DenseCRF()
    assert numbers["deeplab_v2_pytorch"] == (4, 67, 3, 3, 1)
    symmetric = {name for name, preset in PRESETS.items() if preset.crf.norm == "symmetric"}
    assert symmetric == {"deeplab_v2_pytorch"}
    assert {preset.crf.iterations for preset in PRESETS.values()} == {10}
    assert all(preset.source for preset in PRESETS.values())

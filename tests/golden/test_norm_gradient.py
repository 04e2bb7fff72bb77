"""Which backward pass of the L2 norm is the derivative of its forward pass: ours is, the authors' mostly is not."""

from __future__ import annotations

import pytest
import torch

from parsenet_cli.models.layers import bilinear_kernel
from tests.golden import nets, networks, vectors
from tests.golden.finite_differences import demonstration, deviation, in_the_trunk, slope
from tests.golden.normalisation import forms_agree, input_gradient, layer
from tests.golden.upsampling import even_filler

UNEQUAL = ("learned_scale", "learned_scale_across", "learned_scale_near10")
EQUAL = ("across0_shared0_scale10_random", "across1_shared0_scale20_random", "learned_scale_shared")


@pytest.mark.parametrize("name", [*UNEQUAL, *EQUAL])
def test_ours_agrees_with_finite_differences_and_theirs_where_scales_are_equal(name: str) -> None:
    case = vectors.case("normalize", name)
    assert forms_agree(case) == (name in EQUAL)
    theirs = case.given("bottom_diff")
    exact = layer(case, "exact").double()
    true = slope(exact, case.given("bottom").double(), case.given("top_diff").double())
    assert deviation(input_gradient(case, "exact"), true).error < 1e-6
    assert deviation(input_gradient(case, "authors"), theirs).error < 1e-6
    error = deviation(theirs, true).error
    assert error < 1e-6 if name in EQUAL else error > 1e-3


def test_the_difference_grows_with_the_spread_of_the_scales() -> None:
    at = {spread: demonstration(spread, draw=0) for spread in (0.0, 0.02, 0.2, 0.5)}
    assert set(at[0.0]) == {"fc7", "pool6"}
    for name in at[0.0]:
        errors = [found[name]["authors"].error for found in at.values()]
        assert errors[0] < 1e-7
        assert errors[1] > 1e-4
        assert errors == sorted(errors)
        assert all(found[name]["exact"].error < 1e-7 for found in at.values())


def test_what_reaches_the_trunk_differs_more_the_more_the_scales_do() -> None:
    errors = [in_the_trunk(spread, draw=0).error for spread in (0.0, 0.02, 0.2, 0.5)]
    assert errors[0] < 1e-5
    assert errors[1] > 1e-3
    assert errors == sorted(errors)


def test_a_network_with_unequal_scales_tells_the_two_forms_apart() -> None:
    case = vectors.case("parsenet_mini", "early_spread")
    theirs = networks.trunk_gradient(case, {name: case.given(f"grad/{name}") for name in nets.trunk_parameters(case)})
    ours = {
        form: networks.trunk_gradient(case, networks.train(case, norm_gradient=form).gradients)
        for form in ("authors", "exact")
    }
    assert deviation(ours["authors"], theirs).error < 1e-5
    assert deviation(theirs, ours["exact"]).error > 1e-2


@pytest.mark.parametrize("kernel", [3, 15])
def test_the_lopsided_kernels_of_caffes_filler_are_not_ours(kernel: int) -> None:
    case = vectors.case("deconv", {3: "bilinear_k3_s2_p1", 15: "bilinear_k15_s8_p7"}[kernel])
    recorded = case.given("param0")[0, 0]
    assert not even_filler(kernel)
    assert not torch.allclose(recorded, recorded.flip(0))
    assert (bilinear_kernel(kernel) - recorded).abs().max() > 0.01

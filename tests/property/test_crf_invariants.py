"""What must not change the CRF's answer, and how far the lattice may be from the exact kernels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, get_args

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from parsenet_cli.models.permutohedral import Lattice
from parsenet_cli.models.postprocess import crf
from parsenet_cli.models.postprocess.crf import DenseCRF, exact

MEAN, LARGEST = 0.06, 0.45
"""Error of the row-normalised lattice on values between 0 and 1: over all pixels of an image, and at one pixel."""

PARAMETERS: tuple[dict[str, Any], ...] = (
    {"w": 4, "xy": 121, "rgb": 5},
    {"w": 5, "xy": 50, "rgb": 10},
    {"w": 3, "xy": 95, "rgb": 3},
)

Case = tuple[Tensor, Tensor, DenseCRF, bool]


@contextmanager
def kernels(are_exact: bool) -> Iterator[None]:
    """Exact kernels, or the lattice, whatever the size of the image."""
    before = crf.EXACT
    crf.EXACT = before if are_exact else 0
    try:
        yield
    finally:
        crf.EXACT = before


def draw_image(rng: np.random.Generator, height: int, width: int) -> Tensor:
    """Noise, two colours with noise, or a slope."""
    y, x = np.mgrid[:height, :width]
    kind = rng.integers(3)
    if kind == 0:
        image = rng.integers(0, 256, (height, width, 3)).astype(float)
    elif kind == 1:
        colours = rng.integers(0, 256, (2, 3))
        image = colours[(x > width * rng.random()).astype(int)] + rng.normal(0, rng.integers(0, 21), (height, width, 3))
    else:
        image = np.stack([x * 255 / width, y * 255 / height, (x + y) * 127 / max(height, width)], -1)
    return torch.from_numpy(image.clip(0, 255).astype(np.uint8))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Scores in float64, an image, parameters, and whether kernels are exact."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    classes, height, width = (draw(st.integers(1, high)) for high in (5, 8, 8))
    scores = torch.from_numpy(rng.normal(0, 2, (classes, height, width)))
    parameters = draw(st.sampled_from(PARAMETERS))
    norm: crf.Normalization = draw(st.sampled_from(get_args(crf.Normalization)))
    iterations = draw(st.integers(0, 4))
    model = DenseCRF(**parameters, norm=norm, iterations=iterations)
    return scores, draw_image(rng, height, width), model, draw(st.booleans())


@settings(max_examples=15, deadline=None)
@given(cases())
def test_probabilities_that_repeat(case: Case) -> None:
    scores, image, model, are_exact = case
    with kernels(are_exact):
        q, again = model(scores, image), model(scores, image)
    assert torch.equal(q, again)
    assert q.min() >= 0
    torch.testing.assert_close(q.sum(0), torch.ones_like(q[0]))


@settings(max_examples=15, deadline=None)
@given(cases())
def test_without_kernels_or_steps_it_is_the_softmax(case: Case) -> None:
    scores, image, model, are_exact = case
    with kernels(are_exact):
        for without in (DenseCRF(w=0, pos_w=0, norm=model.norm), DenseCRF(iterations=0)):
            torch.testing.assert_close(without(scores, image), scores.softmax(0))


@settings(max_examples=15, deadline=None)
@given(cases(), st.randoms(use_true_random=False))
def test_labels_have_no_order(case: Case, random: Any) -> None:
    scores, image, model, are_exact = case
    order = list(range(len(scores)))
    random.shuffle(order)
    with kernels(are_exact):
        torch.testing.assert_close(model(scores[order], image), model(scores, image)[order])


@settings(max_examples=15, deadline=None)
@given(cases())
def test_scores_of_a_pixel_have_no_zero(case: Case) -> None:
    scores, image, model, are_exact = case
    shift = torch.linspace(-9, 9, scores[0].numel(), dtype=torch.float64).view_as(scores[0])
    with kernels(are_exact):
        q = model(scores, image)
        torch.testing.assert_close(model(scores + shift, image), q)
        torch.testing.assert_close(model(scores.log_softmax(0), image), q)


@settings(max_examples=15, deadline=None)
@given(cases(), st.integers(1, 40))
def test_exact_kernels_know_distances_alone(case: Case, brighter: int) -> None:
    """Mirrored images, brighter ones and those with exchanged channels: what depends on a lattice's origin would differ."""
    scores, image, model, _ = case
    q = model(scores, image)
    torch.testing.assert_close(model(scores.flip(2), image.flip(1)), q.flip(2))
    torch.testing.assert_close(model(scores.transpose(1, 2), image.transpose(0, 1)), q.transpose(1, 2))
    torch.testing.assert_close(model(scores, image.flip(2)), q)
    dark = image // 2
    torch.testing.assert_close(model(scores, dark + brighter), model(scores, dark))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32), st.integers(8, 20), st.integers(8, 20), st.sampled_from(PARAMETERS))
def test_lattice_is_near_the_exact_kernels(seed: int, height: int, width: int, parameters: dict[str, Any]) -> None:
    rng = np.random.default_rng(seed)
    image = draw_image(rng, height, width).double().view(-1, 3)
    y, x = np.mgrid[:height, :width]
    place = torch.from_numpy(np.stack([x, y], -1).reshape(-1, 2)).double()
    values = torch.from_numpy(np.concatenate([np.ones((height * width, 1)), rng.random((height * width, 4))], 1))
    for features, mean, largest in (
        (torch.cat([place / parameters["xy"], image / parameters["rgb"]], 1), MEAN, LARGEST),
        (place / 3, 0.006, 0.03),
    ):
        near, right = Lattice(features, torch.float64)(values), exact(features, torch.float64)(values)
        error = (near / near[:, :1] - right / right[:, :1]).abs()
        assert error[:, 1:].mean() < mean
        assert error.max() < largest


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(PARAMETERS))
def test_lattice_and_exact_kernels_repair_the_same_pixels(seed: int, parameters: dict[str, Any]) -> None:
    """Two regions of two colours and scores of which one in eight is wrong."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((16, 16), np.int64)
    labels[:, rng.integers(5, 12) :] = 1
    colours = np.array([[60, 90, 60], [150, 140, 110]])
    image = torch.from_numpy((colours[labels] + rng.integers(-2, 3, (16, 16, 3))).astype(np.uint8))
    seen = np.where(rng.random((16, 16)) < 1 / 8, 1 - labels, labels)
    scores = torch.from_numpy(np.stack([seen == 0, seen == 1]).astype(float))
    found = []
    for are_exact in (True, False):
        with kernels(are_exact):
            found.append(DenseCRF(**parameters)(scores, image).argmax(0).numpy())
    assert (found[0] == labels).all()
    assert (found[1] == labels).all()

"""Batches: a pure function of seed and number; aligned, whole, and fair to every image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from parsenet_cli.data.batches import Batches, Sampling, image_at
from parsenet_cli.data.dataset import Split

shapes = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=6)
seeds = st.integers(0, 2**31)
samplings = st.sampled_from(["shuffle", "replacement"])
FILL = (10, 20, 30)


def split_of(sizes: list[tuple[int, int]]) -> Split:
    """Images whose red, green and blue are image number, row and column, and whose label is 16 row + column."""
    parts: list[npt.NDArray[np.uint8]] = []
    offsets: list[int] = []
    for i, (h, w) in enumerate(sizes):
        rows, columns = np.mgrid[:h, :w].astype(np.uint8)
        offsets.append(sum(part.size for part in parts))
        image, label = np.stack([np.full_like(rows, i), rows, columns], -1), 16 * rows + columns
        parts.append(np.concatenate([image.ravel(), label.ravel()]))
    return Split(tuple(str(i) for i in range(len(sizes))), np.concatenate(parts), offsets, sizes)


@settings(max_examples=60, deadline=None)
@given(shapes, st.integers(1, 4), st.none() | st.integers(1, 10), st.booleans(), samplings, seeds, st.integers(0, 50))
def test_a_batch_needs_no_history(
    sizes: list[tuple[int, int]], size: int, crop: int | None, mirror: bool, sampling: Sampling, seed: int, number: int
) -> None:
    batches = Batches(split_of(sizes), size, crop, mirror, sampling, seed, FILL)
    images, labels = batches[number]
    for n in range(3):
        batches[n]
    again = Batches(split_of(sizes), size, crop, mirror, sampling, seed, FILL)[number]
    np.testing.assert_array_equal(images, again[0])
    np.testing.assert_array_equal(labels, again[1])


@settings(max_examples=60, deadline=None)
@given(shapes, st.integers(1, 4), st.none() | st.integers(1, 10), st.booleans(), samplings, seeds, st.integers(0, 50))
def test_every_pixel_keeps_its_label_and_the_rest_is_padding(
    sizes: list[tuple[int, int]], size: int, crop: int | None, mirror: bool, sampling: Sampling, seed: int, number: int
) -> None:
    images, labels = Batches(split_of(sizes), size, crop, mirror, sampling, seed, FILL)[number]
    assert images.shape == (size, 3, *labels.shape[1:])
    for k, (image, label) in enumerate(zip(images, labels, strict=True)):
        i = image_at(len(sizes), seed, sampling, number * size + k)
        height, width = (min(length, crop or length) for length in sizes[i])
        inside, outside = label[:height, :width], np.ones(label.shape, bool)
        outside[:height, :width] = False
        assert (image[0, :height, :width] == i).all()
        np.testing.assert_array_equal(inside, 16 * image[1, :height, :width] + image[2, :height, :width])
        assert (np.abs(np.diff(image[2, :height, :width].astype(int), axis=1)) == 1).all()
        assert (label[outside] == 255).all()
        assert (image[:, outside] == np.array(FILL)[:, None]).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), seeds, st.integers(0, 3))
def test_shuffling_shows_every_image_once_an_epoch(n: int, seed: int, epoch: int) -> None:
    assert sorted(image_at(n, seed, "shuffle", epoch * n + place) for place in range(n)) == list(range(n))


def test_epochs_seeds_and_mirrors_differ() -> None:
    epochs = [[image_at(50, 0, "shuffle", epoch * 50 + place) for place in range(50)] for epoch in (0, 1)]
    assert epochs[0] != epochs[1]
    assert epochs[0] != [image_at(50, 1, "shuffle", place) for place in range(50)]
    batches = Batches(split_of([(4, 4)]), 40, None, True, "shuffle", 0)
    mirrored = int((batches[0][0][:, 2, 0, 0] == 3).sum())
    assert 8 < mirrored < 32


def test_drawing_with_replacement_repeats_and_misses() -> None:
    drawn = [image_at(100, 3, "replacement", position) for position in range(100)]
    assert 50 < len(set(drawn)) < 80


def test_crops_reach_every_corner() -> None:
    batches = Batches(split_of([(6, 6)]), 60, 5, False, "shuffle", 0)
    corners = {(int(image[1, 0, 0]), int(image[2, 0, 0])) for image in batches[0][0]}
    assert corners == {(0, 0), (0, 1), (1, 0), (1, 1)}

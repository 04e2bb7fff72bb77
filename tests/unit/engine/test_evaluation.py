"""Evaluation sees whole images of any size, counts each of them once, and predicts as Caffe's argmax."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from parsenet_cli.core import metrics
from parsenet_cli.data.dataset import Split
from parsenet_cli.engine import evaluate as module
from parsenet_cli.engine.evaluate import Evaluation, argmax_classes, evaluate_model, shrink

SIZES = [(6, 8), (5, 9), (6, 8), (7, 7), (6, 8), (5, 9)]


class RedIsTheClass(nn.Module):
    """Predicts the red value of a pixel as its class, and notes what it was given."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes, self.seen = classes, list[tuple[int, ...]]()
        self.modes, self.dtypes = set[bool](), set[torch.dtype]()

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append(tuple(images.shape))
        self.modes.add(self.training)
        self.dtypes.add((torch.ones(1, 1) @ torch.ones(1, 1)).dtype)
        assert images.dtype == torch.uint8
        return nn.functional.one_hot(images[:, 0].long(), self.classes).permute(0, 3, 1, 2).float()


def split_of(sizes: list[tuple[int, int]], classes: int) -> Split:
    """Images whose red channel is a class map, with labels that agree in about half of the pixels."""
    rng = np.random.default_rng(0)
    parts, offsets = [], [0]
    for shape in sizes:
        image = rng.integers(0, classes, (*shape, 3), np.uint8)
        label = np.where(rng.random(shape) < 0.5, image[..., 0], rng.choice([*range(classes), 255], shape))
        parts += [image.ravel(), label.astype(np.uint8).ravel()]
        offsets.append(offsets[-1] + 4 * label.size)
    return Split(tuple(f"photo{i}" for i in range(len(sizes))), np.concatenate(parts), offsets[:-1], sizes)


def evaluated(model: RedIsTheClass, split: Split, **how: Any) -> Evaluation:
    return evaluate_model(model, split, model.classes, 255, torch.device("cpu"), **{"precision": "float32", **how})


def test_every_image_is_counted_in_its_own_matrix() -> None:
    split = split_of(SIZES, 4)
    found = evaluated(RedIsTheClass(4), split)
    expected = [metrics.confusion(split.image(i)[..., 0], split.label(i), 4, 255) for i in range(len(split))]
    assert found.confusions.dtype == np.int32
    assert np.array_equal(found.confusions, expected)
    assert found.predictions == ()


def test_images_of_one_size_are_predicted_together_within_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    split, together, alone = split_of(SIZES, 3), RedIsTheClass(3), RedIsTheClass(3)
    monkeypatch.setitem(module.PIXELS, "cpu", 2 * 6 * 8)
    first = evaluated(together, split, keep=6)
    assert sorted(shape[0] for shape in together.seen) == [1, 1, 2, 2]
    monkeypatch.setitem(module.PIXELS, "cpu", 1)
    second = evaluated(alone, split, keep=6)
    assert [shape[0] for shape in alone.seen] == [1] * 6
    assert np.array_equal(first.confusions, second.confusions)
    assert all(np.array_equal(a, b) for a, b in zip(first.predictions, second.predictions, strict=True))


def test_batch_that_memory_does_not_suffice_for_is_predicted_in_parts() -> None:
    class Narrow(RedIsTheClass):
        most = 0

        def forward(self, images: Tensor) -> Tensor:
            if len(images) > self.most:
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")
            return super().forward(images)

    split, narrow = split_of([(6, 8)] * 7, 3), Narrow(3)
    plain = evaluated(RedIsTheClass(3), split, keep=7)
    for narrow.most in (1, 2, 3):
        found = evaluated(narrow, split, keep=7)
        assert np.array_equal(found.confusions, plain.confusions)
        assert all(np.array_equal(a, b) for a, b in zip(found.predictions, plain.predictions, strict=True))
    narrow.most = 0
    with pytest.raises(RuntimeError, match="allocate"):
        evaluated(narrow, split)


def test_the_predictions_of_the_first_images_are_kept_in_order() -> None:
    split = split_of(SIZES, 3)
    kept = evaluated(RedIsTheClass(3), split, keep=4).predictions
    assert len(kept) == 4
    assert all(np.array_equal(kept[i], split.image(i)[..., 0]) for i in range(4))


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_evaluated_without_dropout_and_given_back_in_its_mode(training: bool) -> None:
    model = RedIsTheClass(3).train(training)
    evaluated(model, split_of(SIZES, 3))
    assert model.modes == {False}
    assert model.training == training


def test_bfloat16_is_used_when_asked_for_only() -> None:
    model = RedIsTheClass(3)
    evaluated(model, split_of(SIZES, 3))
    assert model.dtypes == {torch.float32}
    evaluated(model, split_of(SIZES, 3), precision="bfloat16")
    assert model.dtypes == {torch.float32, torch.bfloat16}


def test_progress_ends_at_the_number_of_images() -> None:
    told: list[tuple[int, int]] = []
    evaluated(RedIsTheClass(3), split_of(SIZES, 3), progress=lambda done, total: told.append((done, total)))
    assert told == [(3, 6), (5, 6), (6, 6)]


def test_the_first_of_equal_logits_wins_and_nan_is_background() -> None:
    logits = torch.tensor([[0.0, 2.0, 2.0], [1.0, 1.0, torch.nan], [torch.nan, 0.0, 1.0], [0.0, -1.0, torch.inf]])
    predicted = argmax_classes(logits.T.reshape(1, 3, 1, 4))
    assert predicted.dtype == torch.uint8
    assert predicted.flatten().tolist() == [1, 0, 0, 2]


@pytest.mark.parametrize("shape", [(500, 375), (375, 500, 3), (160, 100), (161, 1), (1, 1000), (3, 2)])
def test_a_small_copy_fits_and_holds_only_values_of_the_original(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 21, shape, np.uint8)
    small = shrink(pixels, 160)
    assert small.size
    assert max(small.shape[:2]) == min(160, max(shape[:2]))
    assert small.shape[2:] == shape[2:]
    if max(shape[:2]) <= 160:
        assert np.array_equal(small, pixels)


def test_a_small_copy_keeps_the_layout() -> None:
    halves = np.repeat(np.array([[1, 2]], np.uint8), 200, axis=1).repeat(300, axis=0)
    small = shrink(halves, 40)
    assert small.shape == (30, 40)
    assert (small[:, :20] == 1).all()
    assert (small[:, 20:] == 2).all()

"""Stages that are not trained: they stay as they are, and keeping their features changes no bit of the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from parsenet_cli.core.errors import Stopped
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.data.dataset import IGNORED, Dataset, Split
from parsenet_cli.engine.train import Trainer
from parsenet_cli.models.build import Segmenter, build_model
from parsenet_cli.store.run import Run
from tests.conftest import changed

CPU = torch.device("cpu")
IMAGES, SIDE = 5, 48


def dataset(*shapes: tuple[int, int]) -> Dataset:
    rng = np.random.default_rng(0)
    pixels: list[np.ndarray[Any, Any]] = []
    offsets: list[int] = []
    for height, width in shapes:
        offsets.append(sum(part.size for part in pixels))
        pixels.append(rng.integers(0, 3, 4 * height * width, np.uint8))
    split = Split(tuple(f"p{i}" for i in range(len(shapes))), np.concatenate(pixels), offsets, shapes)
    return Dataset(("background", "cat", "dog"), IGNORED, split, split)


DATASET = dataset(*[(SIDE, SIDE)] * IMAGES)


def trainer(config: RunConfig, data: Dataset = DATASET, **fields: Any) -> Trainer:
    small = {"iterations": 6, "batch": 2, "mirror": True, "dropout": 0.5, "frozen": ("conv1", "conv2")}
    config = changed(config, **{**small, **fields})
    return Trainer(config, build_model(config.science, 3, None), data, CPU)


def numbers(trained: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in trained.model.named_parameters()}


def assert_equal(one: Trainer, other: Trainer) -> None:
    for name, value in numbers(one).items():
        assert torch.equal(value, numbers(other)[name]), name


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images went through the frozen stages each time."""
    counted: list[int] = []
    plain = Segmenter.frozen_features

    def counting(model: Segmenter, images: torch.Tensor) -> torch.Tensor:
        counted.append(len(images))
        return plain(model, images)

    monkeypatch.setattr(Segmenter, "frozen_features", counting)
    return counted


@pytest.mark.parametrize("fields", [{}, {"pad100": True, "body": "fcn"}, {"precision": "bfloat16"}, {"batch": 3}])
def test_training_with_the_cache_equals_the_one_without_bit_for_bit(config: RunConfig, fields: dict[str, Any]) -> None:
    kept, anew = trainer(config, **fields), trainer(config, **fields)
    anew.frozen_features._most_bytes = 0
    for step in range(6):
        assert float(kept.step(step)) == float(anew.step(step))
    assert kept.frozen_features._kept
    assert not anew.frozen_features._kept
    assert_equal(kept, anew)


def test_resumed_training_equals_the_uninterrupted_one_bit_for_bit(config: RunConfig, tmp_path: Path) -> None:
    """It begins with an empty cache, which other batches fill."""
    whole, broken = Run(tmp_path / "whole"), Run(tmp_path / "broken")
    for run in (whole, broken):
        run.folder.mkdir()
    undisturbed, resumed = trainer(config, loss_stride=2), trainer(config, loss_stride=2)
    undisturbed.fit(whole, lambda: False)
    asked = iter([False, False, True])
    with pytest.raises(Stopped):
        trainer(config, loss_stride=2).fit(broken, lambda: next(asked))
    resumed.fit(broken, lambda: False)
    assert_equal(undisturbed, resumed)
    assert [line["loss"] for line in broken.metrics()] == [line["loss"] for line in whole.metrics()]


def test_cached_features_train_as_the_whole_network_does(config: RunConfig) -> None:
    """Within rounding: the frozen stages see one image at a time, the network whole batches."""
    cached, whole = (trainer(config, dropout=0.0) for _ in range(2))
    whole.frozen_features = lambda number, images: None  # type: ignore[assignment]
    for step in range(3):
        assert float(cached.step(step)) == pytest.approx(float(whole.step(step)), rel=1e-5)
    for name, value in numbers(cached).items():
        torch.testing.assert_close(numbers(whole)[name], value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("stages", [("conv1",), ("conv1", "conv2"), ("conv1", "conv2", "conv3")])
@pytest.mark.parametrize("crop", [None, 40])
def test_frozen_stages_stay_as_they_start_and_all_others_learn(
    config: RunConfig, stages: tuple[str, ...], crop: int | None
) -> None:
    trained = trainer(config, frozen=stages, crop=crop, dropout=0.0, layers=("pool6", "fc7", "conv3"), lr=1e-3)
    before = numbers(trained)
    trained.step(0)
    for name, value in numbers(trained).items():
        is_frozen = name.removeprefix("trunk.").partition("_")[0] in stages
        assert torch.equal(value, before[name]) == is_frozen, name
        assert (trained.model.roles()[name] == "frozen") == is_frozen
        assert (name in trained.optimizer.state_dict()) != is_frozen


def test_each_image_goes_through_them_once_in_each_orientation(config: RunConfig, passes: list[int]) -> None:
    trained = trainer(config)
    for step in range(40):
        trained.frozen_features(step, torch.from_numpy(trained.batches[step][0]))
    assert passes == [1] * (2 * IMAGES)


def test_entry_is_of_the_image_and_its_orientation(config: RunConfig) -> None:
    trained = trainer(config)
    for step in range(20):
        images = torch.from_numpy(trained.batches[step][0])
        found = trained.frozen_features(step, images)
        assert found is not None
        for image, features in zip(images, found, strict=True):
            assert torch.equal(trained.model.frozen_features(image[None])[0], features)


def test_crops_and_padded_batches_are_not_kept(config: RunConfig, passes: list[int]) -> None:
    uneven = dataset((SIDE, SIDE), (SIDE, 40), (44, SIDE))
    for trained in (trainer(config, crop=40), trainer(config, uneven), trainer(config, frozen=())):
        trained.step(0)
        assert not trained.frozen_features._kept
    assert passes == []
    alone = trainer(config, uneven, batch=1, mirror=False)
    for step in range(6):
        alone.step(step)
    assert passes == [1, 1, 1]


def test_what_would_take_too_much_memory_is_not_kept_and_the_log_says_so(
    config: RunConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    width, cells = 16, (SIDE // 2) ** 2  # of conv2 of the thin VGG
    needed = 2 * IMAGES * width * cells * 4  # mirrored as well
    for most_bytes, keeps in ((needed, True), (needed - 1, False)):
        trained = trainer(config)
        trained.frozen_features._most_bytes = most_bytes
        trained.step(0)
        assert bool(trained.frozen_features._kept) == keeps
        assert ("are not kept" in capsys.readouterr().out) != keeps


def test_layers_above_the_cut_are_all_that_is_run(config: RunConfig) -> None:
    model = build_model(changed(config, frozen=("conv1", "conv2", "conv3")).science, 3, None).eval()
    images = torch.randint(0, 255, (1, 3, SIDE, SIDE), dtype=torch.uint8)
    wanted = ("conv3", "conv4", "fc7")
    whole = model.trunk(model.preprocess(images), wanted)
    above = model.trunk(model.frozen_features(images), wanted, after="conv3")
    assert list(whole) == list(above)
    for tap in wanted:
        assert torch.equal(whole[tap], above[tap])

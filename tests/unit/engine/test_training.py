"""The training loop: resume to the last bit, pieces of a batch, running out of memory, and collapse as a result."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch

from parsenet_cli.core.errors import Stopped, UserError
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.data.dataset import IGNORED, Dataset, Split
from parsenet_cli.engine import inputs
from parsenet_cli.engine import train as training
from parsenet_cli.engine.loss import softmax_loss
from parsenet_cli.engine.train import Trainer
from parsenet_cli.models.build import build_model
from parsenet_cli.store.heartbeat import Heartbeat
from parsenet_cli.store.run import Run, Store
from tests.conftest import changed

CPU = torch.device("cpu")


def split(count: int, side: int = 48) -> Split:
    rng = np.random.default_rng(count)
    pixels, offsets = [], []
    for i in range(count):
        offsets.append(i * 4 * side * side)
        label = rng.integers(0, 3, side * side, np.uint8)
        label[:50] = IGNORED
        pixels += [rng.integers(0, 255, 3 * side * side, np.uint8), label]
    return Split(tuple(f"p{i}" for i in range(count)), np.concatenate(pixels), offsets, [(side, side)] * count)


DATASET = Dataset(("background", "cat", "dog"), IGNORED, split(6), split(2))


def adapted(config: RunConfig, **fields: object) -> RunConfig:
    return changed(config, **{"iterations": 8, "batch": 4, "crop": 40, "mirror": True, "dropout": 0.5, **fields})


def trainer(config: RunConfig) -> Trainer:
    return Trainer(config, build_model(config.science, 3, None), DATASET, CPU)


def parameters(trained: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in trained.model.named_parameters()}


def planned(store: Store, config: RunConfig) -> Run:
    run = store.run(config.signature)
    run.create(config)
    return run


def never() -> bool:
    return False


@pytest.mark.parametrize("steps", [8, 100])
def test_resumed_training_equals_the_uninterrupted_one_bit_for_bit(
    config: RunConfig, tmp_path: Path, steps: int
) -> None:
    """Of a hundred steps every second one is recorded: it stops between two records."""
    config = adapted(config, iterations=steps, batch=2)
    whole, broken = Run(tmp_path / "whole"), Run(tmp_path / "broken")
    for run in (whole, broken):
        run.folder.mkdir()
    undisturbed = trainer(config)
    undisturbed.fit(whole, never)
    asked = iter([False, False, True])
    with pytest.raises(Stopped) as stopped:
        trainer(config).fit(broken, lambda: next(asked))
    assert stopped.value.iteration == 3
    resumed = trainer(config)
    resumed.fit(broken, never)
    for name, value in parameters(undisturbed).items():
        assert torch.equal(value, parameters(resumed)[name]), name
    assert [r["iteration"] for r in broken.metrics()] == [r["iteration"] for r in whole.metrics()]
    assert [r["loss"] for r in broken.metrics()] == [r["loss"] for r in whole.metrics()]


def test_sizes_are_checked_as_the_network_will_see_them(config: RunConfig) -> None:
    """Training images through the crop, which pads small ones; validation images as they are."""
    model = build_model(changed(config, body="fcn", fc6_pad="none").science, 3, None)
    for train, val, crop in ((48, 48, None), (20, 48, 40)):
        training.check_sizes(model, Dataset(DATASET.classes, IGNORED, split(2, train), split(1, val)), crop)
    for train, val, crop in ((20, 48, None), (48, 48, 20), (48, 20, 40)):
        with pytest.raises(UserError, match=r"p0: an image of 20x20 pixels is too small"):
            training.check_sizes(model, Dataset(DATASET.classes, IGNORED, split(2, train), split(1, val)), crop)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("loss", ["sum", "mean"])
def test_batch_in_pieces_gives_the_gradient_of_the_whole(config: RunConfig, loss: str, stride: int) -> None:
    gradients = []
    for pieces in (4, 1):
        trained = trainer(adapted(config, loss=loss, loss_stride=stride, dropout=0.0, micro_batch=pieces))
        trained.optimizer.zero_grad()
        trained._batch(0)
        gradients.append({n: p.grad.clone() for n, p in trained.model.named_parameters() if p.grad is not None})
    for name, value in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], value, rtol=1e-4, atol=1e-5 * float(value.abs().max()) + 1e-9)


@pytest.mark.parametrize("loss", ["sum", "mean"])
def test_loss_on_every_nth_row_and_column_has_the_gradient_of_those_pixels(
    config: RunConfig, loss: Literal["sum", "mean"]
) -> None:
    trained = trainer(adapted(config, loss=loss, loss_stride=3, dropout=0.0))
    trained.optimizer.zero_grad()
    found = float(trained._batch(0))
    gradients = {name: value.grad for name, value in trained.model.named_parameters()}
    images, labels = (torch.from_numpy(array) for array in trained.batches[0])
    sparse = labels[:, ::3, ::3]
    labelled = int((sparse != IGNORED).sum())
    assert 0 < labelled < sparse.numel()
    trained.optimizer.zero_grad()
    total = softmax_loss(trained.model(images)[:, :, ::3, ::3], sparse, IGNORED, 1)
    expected = total * 9 / len(images) if loss == "sum" else total / labelled
    expected.backward()  # type: ignore[no-untyped-call]
    assert found == pytest.approx(float(expected.detach()), rel=1e-5)
    for name, value in trained.model.named_parameters():
        if (gradient := value.grad) is not None:
            torch.testing.assert_close(
                gradients[name], gradient, rtol=1e-4, atol=1e-5 * float(gradient.abs().max()) + 1e-9
            )


def test_out_of_memory_halves_what_goes_through_at_once_and_repeats_the_step(
    config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = adapted(config, dropout=0.0, iter_size=2)
    plain, short = trainer(config), trainer(config)
    backward = short._backward

    def limited(images: torch.Tensor, *others: Any) -> torch.Tensor:
        if len(images) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return backward(images, *others)

    monkeypatch.setattr(short, "_backward", limited)
    plain.step(0)
    short.step(0)
    assert (short.micro_batch, short.ran_out_of_memory) == (1, True)
    for name, value in parameters(plain).items():
        torch.testing.assert_close(parameters(short)[name], value, rtol=1e-4, atol=1e-6)


def test_other_errors_are_not_taken_for_lack_of_memory(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = trainer(adapted(config))

    def broken(*_: object) -> torch.Tensor:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(trained, "_backward", broken)
    with pytest.raises(RuntimeError, match="shapes differ"):
        trained.step(0)
    assert not trained.ran_out_of_memory


class Awaited:
    """A scalar on a device: `events` gets to know when somebody looked at it, which is to wait for it."""

    is_cuda = False

    def __init__(self, value: float, name: str, events: list[str]) -> None:
        self.value, self.name, self.events = value, name, events

    def to(self, *_: object, **__: object) -> Awaited:
        return self

    def __float__(self) -> float:
        self.events.append(f"look at {self.name}")
        return self.value


def fitted(trained: Trainer, folder: Path, losses: list[float], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a training did that met these losses, step by step."""
    events: list[str] = []

    def step(iteration: int) -> Awaited:
        events.append(f"step {iteration}")
        return Awaited(losses[iteration], str(iteration), events)

    monkeypatch.setattr(trained, "step", step)
    trained.fit(Run(folder), never)
    return events


def test_a_loss_is_looked_at_when_the_next_step_is_under_way(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two hundred steps every fourth one is recorded, with the mean of its own losses."""
    losses = [float(i) for i in range(200)]
    events = fitted(trainer(adapted(config, iterations=200)), tmp_path, losses, monkeypatch)
    assert events[:5] == ["step 0", "step 1", "look at 0", "step 2", "look at 1"]
    assert events[5:10] == ["step 3", "look at 2", "look at 3", "step 4", "step 5"]
    assert events[-2:] == ["look at 198", "look at 199"]
    assert [record["loss"] for record in Run(tmp_path).metrics()] == [i + 1.5 for i in range(0, 200, 4)]


@pytest.mark.parametrize("collapse", [0, 2, 3, 4, 198, 199])
def test_loss_that_is_not_finite_ends_the_training_as_a_collapse(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, collapse: int
) -> None:
    """It has the date of its own step, on which the record ends as well, though one more may have been begun."""
    trained = trainer(adapted(config, iterations=200))
    losses = [1.0] * collapse + [math.nan] * (200 - collapse)
    events = fitted(trained, tmp_path, losses, monkeypatch)
    assert (trained.progress.collapsed_at, trained.progress.iteration) == (collapse, collapse + 1)
    assert f"step {collapse + 2}" not in events
    recorded = list(range(4, collapse + 2, 4))
    assert [record["iteration"] for record in Run(tmp_path).metrics()] == recorded
    assert [record["loss"] is None for record in Run(tmp_path).metrics()] == [i == collapse + 1 for i in recorded]


def test_the_fused_update_takes_a_networks_own_layouts(config: RunConfig) -> None:
    """Weights are channels last, and those of 1x1 convolutions both at once; scales are scalars or not."""
    config = adapted(config, lr=1e-6, norm_shared=True, context="spp", layers=("pool6", "fc7", "conv4"))
    plain, fused = trainer(config), trainer(config)
    fused.optimizer._fused = True
    for iteration in range(3):
        plain.step(iteration)
        fused.step(iteration)
    for name, value in parameters(plain).items():
        torch.testing.assert_close(parameters(fused)[name], value, rtol=1e-5, atol=1e-6)


def test_a_step_draws_what_torchs_seed_draws(config: RunConfig) -> None:
    trained = trainer(adapted(config))
    for seed in (0, 1_000_003, 2**64 - 1):
        trained._seed(seed)
        found = torch.rand(3)
        torch.manual_seed(seed)
        assert torch.equal(found, torch.rand(3))


@pytest.mark.parametrize("scale", [1e30, 0.0])
def test_collapsed_run_is_recorded_with_its_score(
    config: RunConfig, store: Store, monkeypatch: pytest.MonkeyPatch, scale: float
) -> None:
    """A rate that blows the network up, and a network that predicts one class everywhere."""
    run = planned(store, adapted(config, iterations=3, lr=scale, init="zero"))
    monkeypatch.setattr(inputs, "data", lambda *_: DATASET)
    training.train_run(run, store.cache, 1, never)
    result = run.done_result()
    assert result.outcome == "collapsed"
    assert result.collapsed_at is not None
    assert result.collapsed_at <= 3
    assert (result.metrics["mean_iu"] or 0) < 0.2
    assert run.state() == "done"
    assert not run.has_checkpoint


def test_stop_while_an_image_is_decoded_again_leaves_the_checkpoint_to_the_training(
    config: RunConfig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data set tells its progress to whom it told it when it was opened."""
    run = planned(store, adapted(config, iterations=3))
    tell: list[Callable[[str], None]] = []
    asked: list[str] = []

    def prepare_data(_config: RunConfig, _cache: Path, progress: Callable[[str], None]) -> Dataset:
        tell.append(progress)
        return DATASET

    def decodes_again(trainer: Trainer, iteration: int) -> torch.Tensor:
        if iteration == 1:
            asked.append("to stop")
            tell[0]("decoding again: 1 of 2")
        return step(trainer, iteration)

    step = Trainer.step
    monkeypatch.setattr(inputs, "data", prepare_data)
    monkeypatch.setattr(Trainer, "step", decodes_again)
    with pytest.raises(Stopped) as stopped:
        training.train_run(run, store.cache, 1, lambda: bool(asked))
    assert stopped.value.iteration == 2
    assert run.checkpoints[0].is_file()


def test_evaluation_tells_how_long_the_rest_of_it_takes(
    config: RunConfig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = Dataset(DATASET.classes, IGNORED, DATASET.train, split(5, side=200))  # each a batch of its own
    told: list[tuple[str, float]] = []

    def update(run: Run, **said: Any) -> None:
        if said.get("evaluating"):
            told.append((said["evaluating"], said["seconds_left"]))

    monkeypatch.setattr(inputs, "data", lambda *_: images)
    monkeypatch.setattr(Heartbeat, "due", lambda _: True)
    monkeypatch.setattr(Run, "update_status", update)
    training.train_run(planned(store, adapted(config, iterations=1)), store.cache, 1, never)
    assert [text for text, _ in told] == [f"evaluated {done} of 5 images" for done in range(1, 6)]
    assert told[0][1] >= told[-1][1] == 0

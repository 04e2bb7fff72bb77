"""The training of one run, from its frozen configuration to its result.json."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from parsenet_cli.config import deviations
from parsenet_cli.core import code, metric_names, metrics
from parsenet_cli.core.errors import Stopped, UserError
from parsenet_cli.core.memory import is_out_of_memory
from parsenet_cli.core.run_config import RunConfig, Science
from parsenet_cli.core.text import print_line
from parsenet_cli.data import sets
from parsenet_cli.data.batches import Batches
from parsenet_cli.data.dataset import IGNORED, Dataset
from parsenet_cli.engine import arithmetic, checkpoint, environment, inputs, trained_model
from parsenet_cli.engine.checkpoint import CheckpointSchedule, TrainState
from parsenet_cli.engine.device import choose_device, release_memory
from parsenet_cli.engine.evaluate import Evaluation, evaluate_model, shrink
from parsenet_cli.engine.frozen import FrozenFeatures
from parsenet_cli.engine.loss import divisor, softmax_loss
from parsenet_cli.engine.optim import learning_rate, sgd
from parsenet_cli.models import trunks
from parsenet_cli.models.build import Segmenter
from parsenet_cli.models.describe import describe_model
from parsenet_cli.store import artifacts, samples
from parsenet_cli.store.heartbeat import Heartbeat
from parsenet_cli.store.result import RunResult
from parsenet_cli.store.run import Run

KEPT_PREDICTIONS = 24
"""Validation images whose small label maps stay with the run, for panels."""

FIRST_STEPS = 20
"""After which a worker says what it takes on its GPU: images differ in size, and libraries take room when first used."""


def train_run(run: Run, cache: Path, threads: int, stop: Callable[[], bool], given_gpu: bool = False) -> None:
    """Train, evaluate and record one run; resumes from its checkpoint. Raises `Stopped` when `stop()` turns true.

    `given_gpu`: a launcher gave this process a GPU (engine/device.py).
    """
    config = run.config()
    science = config.science
    run.quarantine_damaged_result()
    torch.set_num_threads(threads)
    device = choose_device(config.runtime.device, given_gpu=given_gpu)
    arithmetic.set_arithmetic(science.precision, device, deterministic=config.runtime.deterministic)

    prepared = False

    def preparing(text: str) -> None:
        run.update_status(preparing=text)
        if stop() and not prepared:  # later, when an image has to be decoded again, a stop is not without a checkpoint
            raise Stopped(None)

    dataset, model = inputs.data_and_network(config, cache, threads, preparing)
    made_by = code.made_by(science, cache)  # now that all of it has been imported
    if config.runtime.code not in ("", made_by):
        raise UserError(
            f"the code is {made_by} and the command was issued for {config.runtime.code}: it was edited since. Issue the same "
            "command again"
        )
    run.set_result_aside()
    run.record_environment(environment.describe(device, science.data_id, run.results))
    prepared = True

    trainer = Trainer(config, model.to(device), dataset, device, made_by)
    check_sizes(model, dataset, trainer.batches.crop)
    trainer.fit(run, stop)
    started, heartbeat = time.perf_counter(), Heartbeat(run)

    def evaluated(images: int, of: int) -> None:
        if heartbeat.due():
            left = (of - images) * (time.perf_counter() - started) / images
            heartbeat.beat(seconds_left=round(left, 1), evaluating=f"evaluated {images} of {of} images")

    evaluation = evaluate_model(
        model, dataset.val, len(dataset.classes), dataset.ignore, device, science.precision, KEPT_PREDICTIONS, evaluated
    )
    _record(run, trainer, evaluation, dataset, time.perf_counter() - started)
    checkpoint.remove(run)


def check_sizes(model: Segmenter, dataset: Dataset, crop: int | None) -> None:
    """Find out before the training, not when its turn comes, that the network is too large for some image.

    Raises:
        UserError: names the image and what it would have to be.
    """
    for split in (dataset.train, dataset.val):
        for name, shape in zip(split.ids, split.shapes, strict=True):
            try:
                model.check_size(*((crop, crop) if crop and split is dataset.train else shape))
            except UserError as problem:
                raise UserError(f"{name}: {problem}") from None


class Trainer:
    """Optimises one model. Every step is a pure function of the model before it and of (seed, iteration)."""

    def __init__(
        self, config: RunConfig, model: Segmenter, dataset: Dataset, device: torch.device, made_by: str = ""
    ) -> None:
        self.config, self.made_by = config, made_by
        self.science, self.recipe, self.runtime = config.science, config.science.recipe, config.runtime
        self.model, self.device = model, device
        largest = max(max(shape) for shape in dataset.train.shapes)
        self.batches = Batches(
            dataset.train,
            size=self.recipe.batch,
            crop=None if self.recipe.crop is None else min(self.recipe.crop, largest),
            mirror=self.recipe.mirror,
            sampling=self.recipe.sampling,
            seed=self.science.seed,
            fill=_mean_colour(self.science),
        )
        self.frozen_features = FrozenFeatures(model, self.batches, device)
        self.optimizer = sgd(model, self.recipe, self.science.norm_decay)
        self.micro_batch = self.runtime.micro_batch or self.recipe.batch
        self.ran_out_of_memory = False
        self.progress = TrainState()

    def fit(self, run: Run, stop: Callable[[], bool]) -> None:
        """Run the recipe's steps, or end early at a loss that is not finite: that is a result, not an error."""
        steps, state = self.recipe.steps, self.progress
        record_every = max(1, steps // 50)

        def recorded(done: int) -> bool:
            return done % record_every == 0 or done == steps

        checkpoint.restore(run, self.model, self.optimizer, state, self.runtime.code)
        computed = arithmetic.name(self.science.precision, self.device, self.runtime.deterministic)
        state.goes_on(environment.device_name(self.device), computed, promised=self.runtime.deterministic)
        state.codes = list(dict.fromkeys([*state.codes, self.made_by]))
        # Another number of threads adds in another order: the checkpoint says it, not a file that may be lost.
        state.threads = state.threads or torch.get_num_threads()
        torch.set_num_threads(state.threads)
        run.cut_metrics(state.iteration)
        before, clock = state.seconds, time.perf_counter()
        heartbeat, schedule = Heartbeat(run), CheckpointSchedule(self.runtime.checkpoint_seconds, clock)
        self.model.train()
        coming = deque[_Loss]()  # that have not been looked at
        while state.iteration < steps and state.collapsed_at is None:
            coming.append(_Loss(state.iteration, self.step(state.iteration)))
            state.iteration += 1
            stopped, due = stop(), schedule.due(time.perf_counter())
            # One step late, when a GPU is already at the next: it need not stand still while the host looks.
            _look(coming, state, leave=0 if stopped or due or recorded(state.iteration) else 1)
            now, done = time.perf_counter(), state.iteration
            state.seconds = before + now - clock
            if recorded(done):
                loss, rate = sum(state.losses) / len(state.losses), learning_rate(self.recipe, done - 1)
                seconds = round(state.seconds, 3)
                run.append_metrics({"iteration": done, "loss": _finite(loss), "lr": rate, "seconds": seconds})
                state.losses.clear()
            if heartbeat.due():
                left = (steps - done) * state.seconds / done
                gpu_mb = environment.gpu_mb(self.device) if done >= FIRST_STEPS else None
                heartbeat.beat(iteration=done, steps=steps, seconds_left=round(left, 1), preparing="", gpu_mb=gpu_mb)
            if stopped or due:
                checkpoint.save(run, self.model, self.optimizer, state)
                schedule.wrote(now, time.perf_counter())
            if stopped:
                raise Stopped(done)

    def step(self, iteration: int) -> Tensor:
        """One optimisation step over `iter_size` batches; returns the loss of the last one, as Caffe prints it.

        Nothing in it waits for the device: the loss, a scalar, is still on it, and so may the step be. Where memory runs out
        the step is done again with half as many images at a time.
        """
        while True:
            # Dropout's masks follow from (seed, iteration) alone, so that a resumed run draws the same ones.
            self._seed(((self.science.seed + 1) * 1_000_003 + iteration) % 2**64)  # 64 bits is what it takes
            self.optimizer.zero_grad()
            first = iteration * self.recipe.iter_size
            try:
                losses = [self._batch(number) for number in range(first, first + self.recipe.iter_size)]
                break
            except (torch.OutOfMemoryError, RuntimeError) as problem:
                if self.micro_batch == 1 or self.science.batch_norm or not is_out_of_memory(problem):
                    raise
            release_memory(self.device)
            self.micro_batch = math.ceil(self.micro_batch / 2)
            self.ran_out_of_memory = True
            print_line(f"out of memory: going on with {self.micro_batch} images at a time")
        self.optimizer.update(learning_rate(self.recipe, iteration))
        return losses[-1]

    def _seed(self, seed: int) -> None:
        """As `torch.manual_seed` does, which writes down where it was called from for each device that is not in use."""
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def _batch(self, number: int) -> Tensor:
        """Add the gradient of one batch, `micro_batch` images at a time; returns its loss."""
        images, labels = (torch.from_numpy(array) for array in self.batches[number])
        stride = self.recipe.loss_stride
        labels = labels[:, ::stride, ::stride].contiguous()
        shared = divisor(labels, IGNORED, self.recipe.loss, stride)
        with arithmetic.autocast(self.science.precision, self.device):
            frozen = self.frozen_features(number, images)
        losses = []
        for start in range(0, len(images), self.micro_batch):
            part = slice(start, start + self.micro_batch)
            losses.append(self._backward(images[part], labels[part], shared, None if frozen is None else frozen[part]))
        return torch.stack(losses).sum(dtype=torch.float64)

    def _backward(self, images: Tensor, labels: Tensor, divisor: float, frozen: Tensor | None) -> Tensor:
        """Forward and backward of a part of a batch; `divisor` is that of the whole batch."""
        images, labels = self._on_device(images), self._on_device(labels)
        with arithmetic.autocast(self.science.precision, self.device):
            logits = self.model(images, self.recipe.loss_stride, frozen)
        loss = softmax_loss(logits, labels, IGNORED, divisor)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _on_device(self, pixels: Tensor) -> Tensor:
        """On a GPU by way of pinned memory, so that the host goes on meanwhile. PyTorch uses it again once the copy is made."""
        pixels = pixels.pin_memory() if self.device.type == "cuda" else pixels
        return pixels.to(self.device, non_blocking=True)


class _Loss:
    """The loss of a step, on its way to the host."""

    def __init__(self, iteration: int, loss: Tensor) -> None:
        self.iteration = iteration
        self._value = loss.to("cpu", non_blocking=True)  # pinned
        self._arrived = torch.cuda.Event(blocking=True) if loss.is_cuda else None  # type: ignore[no-untyped-call]
        if self._arrived:
            self._arrived.record()

    def value(self) -> float:
        """Waits until it is there, and for nothing that the device was given to do later."""
        if self._arrived:
            self._arrived.synchronize()
        return float(self._value)


def _look(coming: deque[_Loss], state: TrainState, leave: int) -> None:
    """Look at all but the last `leave` losses. The first that is not finite ends the training with its step."""
    while len(coming) > leave and state.collapsed_at is None:
        loss = coming.popleft()
        state.losses.append(loss.value())
        if not math.isfinite(state.losses[-1]):
            state.collapsed_at, state.iteration = loss.iteration, loss.iteration + 1


def _mean_colour(science: Science) -> tuple[int, int, int]:
    """The 8-bit colour that preprocessing turns to about zero: what lies beyond the image in a crop."""
    mean = sets.published_mean(science.data) if science.input_mean == "data" else None
    red, green, blue = mean or trunks.find(science.trunk).mean_rgb
    return round(red), round(green), round(blue)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _record(run: Run, trainer: Trainer, evaluation: Evaluation, dataset: Dataset, seconds: float) -> None:
    """Write the run's results; result.json comes last, because it is what makes the run done."""
    science, state = trainer.science, trainer.progress
    total = evaluation.confusions.sum(axis=0, dtype=np.int64)
    predicted = np.flatnonzero(total.sum(axis=0))
    collapsed_at = state.collapsed_at
    if collapsed_at is None and len(predicted) <= 1:
        collapsed_at = state.iteration
    scores = {name: metrics.measure(name, total, dataset.classes, science.class_mean) for name in metric_names.names()}
    switches = deviations.settings_of(science)
    result = RunResult(
        signature=run.signature,
        outcome="converged" if collapsed_at is None else "collapsed",
        collapsed_at=collapsed_at,
        predicted_classes=[dataset.classes[i] for i in predicted],
        metrics={name: _finite(value) for name, value in scores.items()},
        iu={name: _finite(float(value)) for name, value in zip(dataset.classes, metrics.iu(total), strict=True)},
        class_mean=science.class_mean,
        convention=metrics.averaging_note(total, science.class_mean, dataset.ignore is not None),
        classes=dataset.classes,
        ignore=dataset.ignore,
        train_images=len(dataset.train),
        val_images=len(dataset.val),
        steps=state.iteration,
        train_seconds=round(state.seconds, 3),
        evaluate_seconds=round(seconds, 3),
        threads=state.threads,
        micro_batch=trainer.micro_batch,
        ran_out_of_memory=trainer.ran_out_of_memory,
        peak_memory_mb=environment.peak_memory_mb(trainer.device),
        gpu_mb=environment.gpu_mb(trainer.device),
        devices=state.devices,
        network=describe_model(trainer.model, science.trunk),
        protocol=[switch.as_json() for switch in switches],
        deviations=[deviation.text for deviation in deviations.deviations_of(switches)],
        code=code.joined(state.codes),
        modules=code.modules_of(science),
    )
    belonging = [
        artifacts.write_confusions(run, evaluation.confusions, dataset.val.ids),
        artifacts.write_predictions(run, dict(zip(dataset.val.ids, evaluation.predictions, strict=False))),
        run.metrics_file,
    ]
    kept = range(min(KEPT_PREDICTIONS, len(dataset.val)))
    samples.write(
        samples.file_of(run.results, science.data_id, dataset.classes),
        dataset.val.ids[: len(kept)],
        [shrink(dataset.val.image(i)) for i in kept],
        [shrink(dataset.val.label(i)) for i in kept],
    )
    if trainer.runtime.keep_model or run.model_file.is_file():  # one that is there would be another training's
        trained_model.save(run, trainer.config, trainer.model, dataset.classes)
        belonging.append(run.model_file)
    run.record_result(result, *belonging)

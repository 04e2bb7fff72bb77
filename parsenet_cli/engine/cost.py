"""What networks cost: parameters, memory, and the time of a training step and of an inference, on one random image.

The networks that are compared take turns in one process, so that a busy machine slows all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from parsenet_cli.config.compose import Composer
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.core.text import Progress
from parsenet_cli.engine.device import choose_device
from parsenet_cli.engine.environment import device_name
from parsenet_cli.engine.probe import Probe, take_turns
from parsenet_cli.models import support
from parsenet_cli.models.norm import Norm

TRIES = 3
"""In each round; the fastest counts, which other work on the machine has disturbed least."""


@dataclass(frozen=True)
class NetworkCost:
    """What one network costs.

    Attributes:
        shape: Number of classes, height and width of the image.
        parameters: All of them.
        norm_parameters: Those of its norms.
        normalised_channels: Channels that go through a norm.
        memory: Bytes of a training step (`step_memory`).
        step: Milliseconds of a training step, round by round.
        inference: Milliseconds from one image to its logits, round by round.
    """

    shape: tuple[int, int, int]
    parameters: int
    norm_parameters: int
    normalised_channels: int
    memory: int
    step: list[float]
    inference: list[float]


@dataclass(frozen=True)
class Configurations:
    """The networks that can be composed under a profile, and the machine that they are measured on.

    Attributes:
        progress: Of measurements on them.
    """

    composer: Composer
    progress: Progress

    @property
    def about(self) -> dict[str, Any]:
        """What a measurement is made of, as JSON values."""
        science, device = self.config(()).science, choose_device(self.config(()).runtime.device)
        return {
            "profile": self.composer.profile.name,
            "overrides": list(self.composer.command_line),
            "trunk": science.trunk,
            "precision": science.precision,
            "device": device_name(device),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        }

    def config(self, cell: Sequence[str]) -> RunConfig:
        """The run of a cell as the paper trains, at a rate at which the network stays as it is.

        One image in a step, all stages trained and nothing of them kept, and the loss on every pixel: what a profile saves
        there would otherwise be counted for or against a network.
        """
        config = self.composer.unidentified(cell)
        update = {"batch": 1, "iter_size": 1, "lr": 1e-12, "frozen": (), "loss_stride": 1}
        recipe = config.science.recipe.model_copy(update=update)
        return config.model_copy(update={"science": config.science.model_copy(update={"recipe": recipe})})

    def not_applicable(self, cell: Sequence[str]) -> str | None:
        """Why the trunk of the profile cannot be built as a cell says; None where it can."""
        return support.unsupported(self.config(cell).science)


def compare(configs: Sequence[RunConfig], rounds: int) -> list[NetworkCost]:
    """The costs of some networks, which take turns `rounds` times."""
    probes, memories = [], []
    for config in configs:  # one after the other: what a GPU allocates for one is known before there is another
        before = _allocated(choose_device(config.runtime.device))
        probes.append(Probe(config))
        memories.append(step_memory(probes[-1], before))
    times = take_turns([turn for probe in probes for turn in (probe.step, probe.infer)], rounds, TRIES)
    return [
        NetworkCost(
            shape=probe.shape,
            parameters=sum(parameter.numel() for parameter in probe.model.parameters()),
            norm_parameters=sum(parameter.numel() for norm in _norms(probe.model) for parameter in norm.parameters()),
            normalised_channels=normalised_channels(probe),
            memory=memory,
            step=step,
            inference=inference,
        )
        for probe, memory, step, inference in zip(probes, memories, times[::2], times[1::2], strict=True)
    ]


class Steps(Protocol):
    """A network that is trained."""

    @property
    def model(self) -> nn.Module: ...
    @property
    def device(self) -> torch.device: ...
    @property
    def velocities(self) -> Iterable[Tensor]: ...
    def step(self) -> None: ...


def step_memory(probe: Steps, before: int = 0) -> int:
    """Bytes that a training step needs.

    On a GPU the most that was allocated at a time, less `before`. On a CPU, where nobody counts that, the parameters, their
    gradients and velocities, and what autograd keeps for the backward pass, each storage once.
    """
    if probe.device.type == "cuda":
        probe.step()
        torch.cuda.reset_peak_memory_stats(probe.device)
        probe.step()
        return torch.cuda.max_memory_allocated(probe.device) - before
    model = probe.model
    own = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()  # an output that keeps itself would never be freed

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        probe.step()
    parameters = list(model.parameters())
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    held = sum(tensor.nbytes for tensor in (*parameters, *gradients, *probe.velocities))
    return held + sum(size for place, size in kept.items() if place not in own)


def normalised_channels(probe: Probe) -> int:
    """The channels that go through norms, counted while they do."""
    channels: list[int] = []
    hooks = [
        norm.register_forward_hook(lambda _, given, __: channels.append(given[0].shape[1]))
        for norm in _norms(probe.model)
    ]
    probe.infer()
    for hook in hooks:
        hook.remove()
    return sum(channels)


def _norms(model: nn.Module) -> list[Norm]:
    return [module for module in model.modules() if isinstance(module, Norm)]


def _allocated(device: torch.device) -> int:
    return torch.cuda.memory_allocated(device) if device.type == "cuda" else 0

"""Caffe's stochastic gradient descent: the rate lies inside the velocity (src/caffe/solver.cpp).

    G <- G min(1, clip / |G|)                              where the recipe clips; |G| is over all trained parameters
    V <- momentum V + rate lr_mult (G / iter_size + weight_decay decay_mult W)
    W <- W - V

G is the sum over the iter_size batches: clipping comes before the division and before the decay.

`torch.optim.SGD` multiplies by the rate only when W is changed. At a constant rate the two agree; when the rate falls,
Caffe's velocity remembers the old rate for about 1 / (1 - momentum) steps.

On a GPU one kernel of PyTorch's goes over all parameters of a group: its rule at a rate of 1 is Caffe's, where gradient and
decay have been multiplied by the rate before. The loop of `SGD.update` is what it is held to, and what a CPU takes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import Parameter

from parsenet_cli.core.run_config import Recipe


class HasRoles(Protocol):
    """A network that says what each of its parameters is for."""

    def named_parameters(self) -> Iterable[tuple[str, Parameter]]: ...

    def roles(self) -> Mapping[str, str]:
        """Parameter name -> trunk_weight, trunk_bias, head_weight, head_bias, upsample_weight, upsample_bias, scale or frozen."""
        ...


@dataclass(frozen=True)
class Group:
    """Parameters, by name, that share their multipliers of the learning rate and of the weight decay."""

    lr_mult: float
    decay_mult: float
    parameters: Mapping[str, Parameter]


class SGD:
    """Caffe's SGD. An `lr_mult` of 0 freezes a parameter completely, decay included.

    `clip_gradients` is the largest L2 norm that the summed gradients of all parameters together may have, None for any.

    Not a `torch.optim.Optimizer`, whose first instance imports PyTorch's compiler: 1.7 s for every short run.
    """

    def __init__(
        self,
        groups: Sequence[Group],
        momentum: float,
        weight_decay: float,
        iter_size: int,
        clip_gradients: float | None = None,
    ) -> None:
        self.groups = tuple(groups)
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.iter_size = iter_size
        self.clip_gradients = clip_gradients
        self._velocities = {name: torch.zeros_like(w) for group in groups for name, w in group.parameters.items()}
        on_gpu = all(velocity.is_cuda for velocity in self._velocities.values())
        # The kernel, which has no public name, has no velocity where there is no momentum.
        self._fused = on_gpu and momentum > 0 and hasattr(torch, "_fused_sgd_")

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for group in self.groups:
            for weight in group.parameters.values():
                weight.grad = None

    @torch.no_grad()
    def update(self, rate: float) -> None:
        """Change every parameter that has a gradient, at the learning rate `rate` (before multipliers).

        The gradients are those of `iter_size` batches, added up. Afterwards they are of no use: the fused kernel scales them.
        """
        if self._fused:
            self._update_fused(rate)
            return
        share = self._kept_share() / self.iter_size
        for group in self.groups:
            group_rate = rate * group.lr_mult
            decay = self.weight_decay * group.decay_mult
            for name, weight in group.parameters.items():
                if weight.grad is not None:
                    velocity = self._velocities[name].mul_(self.momentum)
                    velocity.add_(weight.grad, alpha=group_rate * share).add_(weight, alpha=group_rate * decay)
                    weight.sub_(velocity)

    def _update_fused(self, rate: float) -> None:
        """`update` in one launch per group, with nothing that the host would have to wait for."""
        # By how much the norm is too large.
        excess = None if self.clip_gradients is None else (self._gradient_norm() / self.clip_gradients).clamp_min(1)
        for group in self.groups:
            moved = {name: weight for name, weight in group.parameters.items() if weight.grad is not None}
            if not moved or not group.lr_mult:
                continue
            gradients = [weight.grad for weight in moved.values() if weight.grad is not None]
            group_rate = rate * group.lr_mult
            # What the kernel divides the gradients by.
            scale = torch.full((), self.iter_size / group_rate if group_rate else math.inf, device=gradients[0].device)
            if excess is not None:
                scale *= excess
            torch._fused_sgd_(
                list(moved.values()),
                gradients,
                [self._velocities[name] for name in moved],
                weight_decay=group_rate * self.weight_decay * group.decay_mult,
                momentum=self.momentum,
                lr=1.0,
                dampening=0.0,
                nesterov=False,
                maximize=False,
                is_first_step=False,
                grad_scale=scale,
            )

    def _kept_share(self) -> float:
        """What the gradients are multiplied by so that their norm is `clip_gradients` at most."""
        if self.clip_gradients is None:
            return 1.0
        norm = float(self._gradient_norm())
        return self.clip_gradients / norm if norm > self.clip_gradients else 1.0

    def _gradient_norm(self) -> Tensor:
        """The L2 norm of the summed gradients of all parameters that are not frozen together, a scalar."""
        weights = [weight for group in self.groups if group.lr_mult for weight in group.parameters.values()]
        norms = [torch.linalg.vector_norm(weight.grad) for weight in weights if weight.grad is not None]
        return torch.linalg.vector_norm(torch.stack(norms)) if norms else torch.zeros(())

    def state_dict(self) -> dict[str, Tensor]:
        """The velocities by parameter name: with them training goes on exactly."""
        return dict(self._velocities)

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from the velocities of `state_dict`.

        Raises:
            ValueError: they belong to other parameters.
        """
        if state.keys() != self._velocities.keys():
            raise ValueError(f"velocities of {sorted(state)}, expected those of {sorted(self._velocities)}")
        for name, velocity in self._velocities.items():
            velocity.copy_(state[name])


def sgd(model: HasRoles, recipe: Recipe, norm_decay: float) -> SGD:
    """The optimiser of a recipe: its momentum, weight decay, iter_size and clipping over `parameter_groups`."""
    groups = parameter_groups(model, recipe, norm_decay)
    return SGD(groups, recipe.momentum, recipe.weight_decay, recipe.iter_size, recipe.clip_gradients)


def parameter_groups(model: HasRoles, recipe: Recipe, norm_decay: float) -> list[Group]:
    """The trained parameters by role, with their multipliers; frozen ones are left out.

    Weights are decayed and biases are not; in the trunk and in the head the multipliers of their rates are the recipe's. A
    learned deconvolution has 1 and 2, whatever those of trunk and classifier are (docs/protocol.md, "Bodies"). The scales
    of the L2 norm learn at the base rate and decay by `norm_decay` (docs/protocol.md: 0).
    """
    multipliers = {
        "trunk_weight": (recipe.trunk_lr[0], 1.0),
        "trunk_bias": (recipe.trunk_lr[1], 0.0),
        "head_weight": (recipe.head_lr[0], 1.0),
        "head_bias": (recipe.head_lr[1], 0.0),
        "upsample_weight": (1.0, 1.0),
        "upsample_bias": (2.0, 0.0),
        "scale": (1.0, norm_decay),
    }
    members: dict[str, dict[str, Parameter]] = {role: {} for role in (*multipliers, "frozen")}
    roles = model.roles()
    for name, parameter in model.named_parameters():
        members[roles[name]][name] = parameter
    return [Group(*multipliers[role], members[role]) for role in multipliers if members[role]]


def learning_rate(recipe: Recipe, iteration: int) -> float:
    """The base rate of step `iteration`, counted from 0 to `recipe.steps` - 1.

    fixed: lr. step: lr step_factor^floor(iteration / step). poly: lr (1 - iteration / steps)^power, which starts at lr
    and would reach 0 only one step after the last.

    Raises:
        ValueError: the iteration lies outside the training.
    """
    if not 0 <= iteration < recipe.steps:
        raise ValueError(f"iteration {iteration} of {recipe.steps}")
    match recipe.policy:
        case "fixed":
            return recipe.lr
        case "step":
            assert recipe.step is not None, "a recipe with policy=step has a step"
            return recipe.lr * recipe.step_factor ** (iteration // recipe.step)
        case "poly":
            return float(recipe.lr * (1 - iteration / recipe.steps) ** recipe.power)

"""The nine networks: ten steps of training, and what they leave behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from parsenet_cli.core.run_config import Science
from parsenet_cli.engine.loss import divisor, softmax_loss
from parsenet_cli.engine.optim import learning_rate, parameter_groups, sgd
from parsenet_cli.models.build import Segmenter
from tests.golden import nets
from tests.golden.blobs import INNER, branch_scores, watched
from tests.golden.normalisation import forms_agree
from tests.golden.vectors import Case

Values = dict[str, Tensor]


@dataclass
class Run:
    """What a training of one of our networks gave, under the recorded names."""

    blobs: Values
    score_gradient: Tensor
    gradients: Values
    parameters: list[Values]
    """Before the first step, and after each."""
    losses: Tensor


def train(case: Case, **changes: Any) -> Run:
    """Ten steps of our network; `changes` are axes of `Science`."""
    model, names = nets.network(case, **changes)
    science = nets.science(case, **changes)
    check_multipliers(case, model, science, names)
    optimiser = sgd(model, science.recipe, science.norm_decay)
    data, labels = case.given("data"), case.given("label")[:, 0].long()
    ignore = nets.layers(case)["loss"]["ignore_label"]
    share = divisor(labels, ignore, science.recipe.loss)
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}

    def values() -> Values:
        return {names[name].theirs: names[name].to_theirs(p.detach()).clone() for name, p in trained.items()}

    with watched(model, case) as blobs:
        scores = model(data)
    blobs |= {"score_full": scores.detach(), **branch_scores(model, case, data)}
    scores.retain_grad()
    torch.autograd.backward(softmax_loss(scores, labels, ignore, share))
    gradients = {names[n].theirs: names[n].to_theirs(p.grad).clone() for n, p in trained.items() if p.grad is not None}
    assert scores.grad is not None

    parameters, losses = [values()], []
    for step in range(science.recipe.steps):
        optimiser.zero_grad()
        loss = softmax_loss(model(data), labels, ignore, share)
        torch.autograd.backward(loss)
        losses.append(loss.detach())
        optimiser.update(learning_rate(science.recipe, step))
        parameters.append(values())
    return Run(blobs, scores.grad, gradients, parameters, torch.stack(losses))


def check_multipliers(case: Case, model: Segmenter, science: Science, names: Mapping[str, nets.Parameter]) -> None:
    """Raises ValueError where a role gives a parameter other multipliers of rate and decay than the JSON does."""
    for group in parameter_groups(model, science.recipe, science.norm_decay):
        for name in group.parameters:
            layer, _, index = names[name].theirs.rpartition("/")
            theirs = nets.layers(case)[layer]
            wanted = (theirs["lr_mult"][int(index)], theirs["decay_mult"][int(index)])
            if (group.lr_mult, group.decay_mult) != wanted:
                found = (group.lr_mult, group.decay_mult)
                raise ValueError(f"{case.title}: {name} has the multipliers {found}, theirs are {wanted}")


def network(case: Case) -> None:
    """Everything with the authors' gradient of the norm; with the exact one, what agrees as long as scales are equal."""
    nets.compare_frozen_upsampling(case)
    run = train(case, norm_gradient="authors")
    first, after = "networks: activations, loss, gradient of the scores", "networks: parameters after 1 and 10 steps"
    for blob, ours in run.blobs.items():
        inner = INNER.get(blob, ...)
        case.compare(first, f"act/{blob}", ours[inner], case.given(f"act/{blob}")[inner])
    case.compare(first, "loss", run.losses[0])
    case.compare(first, "grad_score_full", run.score_gradient)
    _compare_training(case, run, "networks: gradients of the parameters", "networks: losses of 10 steps", after)
    for name, ours in run.parameters[10].items():
        theirs = case.given(f"param_after10/{name}") - case.given(f"param/{name}")
        moved = ours - run.parameters[0][name]
        case.compare("networks: distance covered in 10 steps", f"param_after10/{name}", moved, theirs)
    if "frozen_scale_losses" in case.arrays:
        for form in ("authors", "exact"):
            frozen = train(case, norm_gradient=form, norm_learn=False)
            if form == "authors" or forms_agree(case):
                case.compare("networks: losses of 10 steps", "frozen_scale_losses", frozen.losses)
                for name, ours in frozen.parameters[10].items():
                    case.compare(after, f"frozen_scale_param_after10/{name}", ours)
    if nets.norms(case) and forms_agree(case):
        prefix = "networks, exact form"
        per = "layer" if nets.science(case).norm_shared else "channel"
        _compare_training(
            case,
            train(case, norm_gradient="exact"),
            f"{prefix}: gradients of the parameters",
            f"{prefix}: losses of 10 steps",
            f"{prefix}: parameters, one scale per {per}",
        )


def _compare_training(case: Case, run: Run, gradients: str, losses: str, parameters: str) -> None:
    for name, ours in run.gradients.items():
        case.compare(gradients, f"grad/{name}", ours)
    for steps in (1, 10):
        for name, ours in run.parameters[steps].items():
            case.compare(parameters, f"param_after{steps}/{name}", ours)
    case.compare(losses, "losses", run.losses)


def trunk_gradient(case: Case, gradients: Mapping[str, Tensor]) -> Tensor:
    """The gradients of the trunk's parameters as one vector."""
    return torch.cat([gradients[name].flatten() for name in nets.trunk_parameters(case)])

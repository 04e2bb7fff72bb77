"""Our solver, step by step: every rate, loss, parameter and update of the recorded trainings."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from parsenet_cli.core.run_config import Recipe
from parsenet_cli.engine.loss import divisor, softmax_loss
from parsenet_cli.engine.optim import learning_rate, sgd
from parsenet_cli.models.norm import L2Norm
from tests.golden import nets
from tests.golden.vectors import Case

PARAMETERS = {
    "conv.weight": ("conv/0", "trunk_weight"),
    "conv.bias": ("conv/1", "trunk_bias"),
    "frozen.weight": ("frozen/0", "frozen"),
    "frozen.bias": ("frozen/1", "frozen"),
    "norm.scale": ("norm/0", "scale"),
    "fc.weight": ("fc/0", "head_weight"),
    "fc.bias": ("fc/1", "head_bias"),
}
"""Our parameter -> the recorded one, and its role."""


class Chain(nn.Module):
    """The network of the recordings: a convolution, a frozen one, the norm, and a layer over the whole map."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        theirs = nets.layers(case)
        channels, height, width = case.spec["inputs"]["data"][1:]
        conv, frozen, norm, fc = (theirs[name] for name in ("conv", "frozen", "norm", "fc"))
        self.conv = nn.Conv2d(channels, conv["num_output"], conv["kernel"], padding=conv["pad"])
        self.frozen = nn.Conv2d(conv["num_output"], frozen["num_output"], frozen["kernel"]).requires_grad_(False)
        self.norm = L2Norm(frozen["num_output"], norm["init_scale"], shared=norm["channel_shared"], eps=norm["eps"])
        self.fc = nn.Conv2d(frozen["num_output"], fc["num_output"], (height, width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> scores (N, K, 1, 1)."""
        scores: Tensor = self.fc(self.norm(torch.relu(self.frozen(torch.relu(self.conv(x))))))
        return scores

    def roles(self) -> Mapping[str, str]:
        """As `Segmenter.roles`."""
        return {name: role for name, (_, role) in PARAMETERS.items()}


def solver(case: Case) -> None:
    """Train and compare."""
    recipe = _recipe(case)
    model = Chain(case)
    optimiser = sgd(model, recipe, norm_decay=nets.layers(case)["norm"]["decay_mult"][0])
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(case.given(f"params/{PARAMETERS[name][0]}")[0].view_as(parameter))
    walked = {name: [parameter.detach().clone()] for name, parameter in model.named_parameters()}
    moved: dict[str, list[Tensor]] = {name: [] for name in walked}
    losses, rates = [], []
    for step, (batches, labels) in enumerate(zip(case.given("data"), case.given("label").long(), strict=True)):
        optimiser.zero_grad()
        for images, classes in zip(batches, labels, strict=True):
            classes = classes[:, None, None]
            loss = softmax_loss(model(images), classes, None, divisor(classes, None, recipe.loss))
            torch.autograd.backward(loss)
        losses.append(loss.detach())
        rates.append(learning_rate(recipe, step))
        optimiser.update(rates[-1])
        velocities = optimiser.state_dict()
        for name, parameter in model.named_parameters():
            walked[name].append(parameter.detach().clone())
            moved[name].append(velocities[name].clone() if name in velocities else torch.zeros_like(parameter))
    case.compare("solver: learning rates", "lr", torch.tensor(rates, dtype=torch.float64))
    case.compare("solver: losses", "last_micro_loss", torch.stack(losses))
    for name, (theirs, _) in PARAMETERS.items():
        for group, array, ours in (
            ("solver: parameters before each step", f"params/{theirs}", torch.stack(walked[name])),
            ("solver: updates", f"update/{theirs}", torch.stack(moved[name])),
        ):
            case.compare(group, array, ours.view(case.arrays[array].shape))


def _recipe(case: Case) -> Recipe:
    theirs, options = nets.layers(case), case.spec["solver"]
    return nets.recipe(options, theirs["loss"], head_lr=theirs["fc"]["lr_mult"], trunk_lr=theirs["conv"]["lr_mult"])

"""From the JSON of a recorded network to our own: its trunk, its `Science`, its head, and which parameter is which."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from parsenet_cli.config import profile
from parsenet_cli.config.compose import Composer
from parsenet_cli.core.run_config import LAYERS, Recipe, Science
from parsenet_cli.models import vgg
from parsenet_cli.models.build import Segmenter
from parsenet_cli.models.classifier import BranchClassifiers
from parsenet_cli.models.geometry import Window
from parsenet_cli.models.geometry import windows as module_windows
from parsenet_cli.models.head import Head
from parsenet_cli.models.layers import bilinear_kernel
from parsenet_cli.models.skips import AT_ONCE
from parsenet_cli.models.trunk import Trunk
from parsenet_cli.models.vgg import Fc6, Spec
from tests.golden.vectors import Case

Layer = Mapping[str, Any]

BLOBS = {"fc7": "fc7", "pool6": "pool6", "conv5_3": "conv5", "conv4_3": "conv4", "conv3_3": "conv3"}
"""Their feature -> the paper's name of it, which is ours."""


def layers(case: Case) -> dict[str, Layer]:
    """Their layers by name, in order."""
    return {layer["name"]: layer for layer in case.spec["layers"]}


def convolutions(case: Case) -> dict[str, Layer]:
    """The convolutions and pools of their trunk."""
    return {
        name: layer
        for name, layer in layers(case).items()
        if layer["op"] in ("conv", "maxpool") and not name.startswith("score")
    }


def trunk_parameters(case: Case) -> list[str]:
    """The recorded names of the trunk's parameters."""
    return [f"{n}/{i}" for n, layer in convolutions(case).items() if layer["op"] == "conv" for i in range(2)]


def windows(trunk: Trunk) -> dict[str, Window]:
    """The window of each layer of our trunk that has one."""
    return {name: window for name, module in trunk.named_children() for window in module_windows(module)}


def lengths(trunk: Trunk, cells: int) -> list[int]:
    """The side of each map after those layers."""
    found = []
    for window in windows(trunk).values():
        cells = window.length(cells)
        found.append(cells)
    return found


def trunk(case: Case) -> Trunk:
    """Our trunk of their widths, in the one of our bodies whose every window is theirs. Raises ValueError for none."""
    fitting = {body: built for body in vgg.BODIES if windows(built := _trunk(case, body)) == _their_windows(case)}
    if len(fitting) != 1:
        raise ValueError(f"{case.title}: bodies {sorted(fitting)} have these windows, expected one")
    return next(iter(fitting.values()))


def _trunk(case: Case, body: str) -> Trunk:
    theirs = convolutions(case)
    stages = [[n for n in theirs if n.startswith(f"conv{stage}_")] for stage in range(1, 6)]
    fc6, first = theirs["fc6"], theirs["conv1_1"]
    widths = [theirs[names[0]]["num_output"] for names in stages]
    spec = Spec(
        widths=(widths[0], widths[1], widths[2], widths[3], widths[4]),
        convs=(len(stages[0]), len(stages[1]), len(stages[2]), len(stages[3]), len(stages[4])),
        unpooled=(),
        fc=fc6["num_output"],
        fc6={body: Fc6(taps=tuple(range(fc6["kernel"])), dilation=fc6["dilation"])},
        big_pad=first["pad"],
    )
    built = vgg.build_body(spec, body, pad100=first["pad"] > 1, dropout=0.0)
    # The recorded network with padded 3x3 pools has no average pool after pool5, which our body `largefov` has.
    kept = {name: module for name, module in built.named_children() if name != "pool5a" or "pool5a" in theirs}
    return Trunk(kept, built.taps)


def _their_windows(case: Case) -> dict[str, Window]:
    return {
        name: Window(layer["kernel"], layer["stride"], layer["pad"], layer.get("dilation", 1), layer["op"] == "maxpool")
        for name, layer in convolutions(case).items()
    }


def classifiers(case: Case) -> dict[str, list[str]]:
    """Their classifiers of features -> the features each reads, in the order of its weights."""
    theirs = layers(case)
    return {
        name: _features(theirs, layer["inputs"][0])
        for name, layer in theirs.items()
        if layer["op"] == "conv" and name.startswith("score") and name not in skips(case)
    }


def skips(case: Case) -> dict[str, str]:
    """Their classifiers of pools -> our taps."""
    return {f"score_{tap}": tap for tap in AT_ONCE if f"score_{tap}" in layers(case)}


def norms(case: Case) -> dict[str, str]:
    """Their norms -> our layers."""
    return {n: BLOBS[each["inputs"][0]] for n, each in layers(case).items() if each["op"] == "l2norm"}


def _features(theirs: Mapping[str, Layer], blob: str) -> list[str]:
    """What a blob is made of, through concatenation, unpooling and norm."""
    if blob in BLOBS:
        return [BLOBS[blob]]
    layer = theirs[blob]
    sources = layer["inputs"] if layer["op"] == "concat" else layer["inputs"][:1]
    return [feature for source in sources for feature in _features(theirs, source)]


@cache
def base() -> Science:
    """ParseNet as the quick profile has it."""
    with tempfile.TemporaryDirectory() as folder:
        return Composer(profile.load("quick"), ["weights=none", "recipe.frozen=[]"], Path(folder)).run_config().science


def recipe(solver: Layer, loss: Layer, *, head_lr: Sequence[float], trunk_lr: Sequence[float]) -> Recipe:
    """The recipe that their solver, loss layer and multipliers are."""
    return base().recipe.model_copy(
        update={
            "policy": solver["lr_policy"],
            "lr": solver["base_lr"],
            "power": solver["power"],
            "iterations": solver["max_iter"],
            "iter_size": solver["iter_size"],
            "momentum": solver["momentum"],
            "weight_decay": solver["weight_decay"],
            "clip_gradients": solver.get("clip_gradients"),
            "loss": "mean" if loss["normalize"] else "sum",
            "head_lr": tuple(head_lr),
            "trunk_lr": tuple(trunk_lr),
            "dropout": 0.0,
        }
    )


def science(case: Case, **changes: Any) -> Science:
    """The axes and the recipe that the JSON describes."""
    theirs, solver = layers(case), case.spec["solver"]
    heads = classifiers(case)
    norm = next((theirs[name] for name in norms(case)), None)
    (head_lr,) = {tuple(theirs[name]["lr_mult"]) for name in heads}
    axes = {
        "layers": tuple(sorted((f for read in heads.values() for f in read), key=LAYERS.index)),
        "skips": {0: "none", 1: "16s", 2: "8s"}[len(skips(case))],
        "norm": "l2" if norm else "none",
        "norm_scale": norm["init_scale"] if norm else 10.0,
        "norm_shared": bool(norm and norm["channel_shared"]),
        "norm_decay": norm["decay_mult"][0] if norm else 0.0,
        "fusion": "early" if len(heads) == 1 else "late",
        "upsample": "learned" if theirs.get("upscore", {}).get("bias") else "bilinear",
        "recipe": recipe(solver, theirs["loss"], head_lr=head_lr, trunk_lr=theirs["conv1_1"]["lr_mult"]),
    }
    return base().model_copy(update={**axes, **changes})


@dataclass(frozen=True)
class Parameter:
    """One of our parameters and the recorded one it is."""

    theirs: str
    channels: Tensor | None = None
    """Our input channels in their numbering, where we concatenate in another order."""

    def to_ours(self, recorded: Tensor) -> Tensor:
        """A recorded value in our layout."""
        return recorded if self.channels is None else recorded[:, self.channels]

    def to_theirs(self, ours: Tensor) -> Tensor:
        """Our value in the recorded layout."""
        return ours if self.channels is None else ours[:, torch.argsort(self.channels)]


def network(case: Case, **changes: Any) -> tuple[Segmenter, dict[str, Parameter]]:
    """Our network with the recorded initial parameters, and the recorded name of each of ours.

    It takes preprocessed images. `changes` are axes of `Science`.
    """
    ours = trunk(case)
    scores = next(layers(case)[name]["num_output"] for name in classifiers(case))
    head = Head(science(case, **changes), scores, ours, Generator().manual_seed(0))
    if head.skips:
        head.skips.multipliers = dict.fromkeys(AT_ONCE, 1.0)  # the recorded network has no such layers
    model = Segmenter(nn.Identity(), ours, head, "recorded")  # type: ignore[arg-type]
    names = _parameters(case, model)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(names[name].to_ours(case.given(f"param/{names[name].theirs}")))
    return model.to(memory_format=torch.channels_last), names


def _frozen_upsampling(case: Case) -> list[str]:
    return [n for n, layer in layers(case).items() if layer["op"] == "deconv" and not any(layer["lr_mult"])]


def compare_frozen_upsampling(case: Case) -> None:
    """Their fixed deconvolutions hold our bilinear kernel; ours are matrix products without parameters."""
    for name in _frozen_upsampling(case):
        recorded = case.given(f"param/{name}/0")
        ours = bilinear_kernel(layers(case)[name]["kernel"]).expand_as(recorded)
        case.compare("upsampling: bilinear kernels", f"param/{name}/0", ours)


def _parameters(case: Case, model: Segmenter) -> dict[str, Parameter]:
    both = ("weight", "bias")
    found = {
        f"trunk.{name}.{part}": Parameter(f"{name}/{i}")
        for name, layer in convolutions(case).items()
        for i, part in enumerate(both)
        if layer["op"] == "conv"
    }
    found |= {f"head.norms.{layer}.scale": Parameter(f"{name}/0") for name, layer in norms(case).items()}
    for name, features in classifiers(case).items():
        late = isinstance(model.head.classifier, BranchClassifiers)
        path = f"head.classifier.branches.{features[0]}" if late else "head.classifier"
        found[f"{path}.weight"] = Parameter(f"{name}/0", None if late else _channels(model, features))
        found[f"{path}.bias"] = Parameter(f"{name}/1")
    for name, tap in skips(case).items():
        found |= {f"head.skips.classifiers.{tap}.{part}": Parameter(f"{name}/{i}") for i, part in enumerate(both)}
    found |= {f"head.upsample.steps.0.deconvolution.{part}": Parameter(f"upscore/{i}") for i, part in enumerate(both)}
    return {name: found[name] for name, _ in model.named_parameters()}


def _channels(model: Segmenter, features: list[str]) -> Tensor:
    """Where the channels of our concatenation lie in theirs."""
    widths = [model.trunk.channels["fc7" if feature == "pool6" else feature] for feature in features]
    blocks = dict(zip(features, torch.split(torch.arange(sum(widths)), widths), strict=True))
    return torch.cat([blocks[layer] for layer in model.head.layers])

"""The pretrained trunk of the quick profile: trained on image-level labels once, cached, and scaled as VGG is.

It stands in for ImageNet: small images, and for each only *which* things it shows. Batch normalisation speeds the
training up and is folded into the convolutions afterwards, so that the trunk has VGG's layers and nothing else. Then the
layers are rescaled: features of a lower layer are far larger than fc7's, as in VGG (Fig. 2 of the paper). A chain of
convolutions and ReLUs allows this without changing what it computes, because relu(a x) = a relu(x) for a > 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from parsenet_cli.core.files import atomic_write, file_lock, os_errors_as_user_errors
from parsenet_cli.core.sealed import write_checksum_beside
from parsenet_cli.core.text import Progress, print_line
from parsenet_cli.data.synthetic.generate import generator
from parsenet_cli.data.synthetic.scenes import PRETRAINING_CLASSES, pretraining_scene
from parsenet_cli.models import trunks
from parsenet_cli.models.preprocess import Preprocess
from parsenet_cli.models.trunk import Trunk
from parsenet_cli.models.weights.sources import PRETRAINED_VERSION, verified_metadata

IMAGES, STEPS, BATCH, RATE, DROPOUT = 2000, 700, 16, 5e-3, 0.2

FEATURE_NORM = {
    "conv1": 300.0,
    "conv2": 700.0,
    "conv3": 1000.0,
    "conv4": 316.0,
    "conv5": 100.0,
    "fc6": 31.6,
    "fc7": 10.0,
}
"""Mean L2 norm of a cell's features after rescaling: two orders of magnitude from conv3 to fc7 (Fig. 2; 3 of version 2)."""


def pretrain_trunk(trunk: str, cache: Path, progress: Progress) -> Path:
    """The safetensors file with the trunk's weights under `cache`, made now unless it is there and what was written.

    Training runs on one thread whatever the machine has, so that the same machine always gives the same weights.
    """
    file = cache / "weights" / f"{trunk}-{PRETRAINED_VERSION}.safetensors"
    work = f"pretraining {trunk}"
    with os_errors_as_user_errors(file.parent), file_lock(file.with_suffix(".lock"), work, progress):
        if verified_metadata(file) is None:
            if file.is_file():
                print_line(f"{file}: is damaged; the trunk is pretrained again")
            threads = torch.get_num_threads()
            torch.set_num_threads(1)
            try:
                tensors = _train(trunk, progress)
            finally:
                torch.set_num_threads(threads)
            with atomic_write(file) as stream:
                stream.write(save({name: tensor.contiguous() for name, tensor in tensors.items()}))
            write_checksum_beside(file)
    return file


def _train(name: str, progress: Progress) -> dict[str, Tensor]:
    """Train the trunk's `fcn` body as a classifier of small images; returns its tensors, rescaled."""
    architecture = trunks.find(name)
    images, present = _images(progress)
    images = Preprocess(architecture.default_input)(images)
    torch.manual_seed(0)
    trunk = architecture.pretraining_body(DROPOUT)
    layers: list[nn.Module] = []
    for layer in trunk.children():
        layers.append(layer)
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            layers.append(nn.BatchNorm2d(layer.out_channels))
    classifier = nn.Linear(trunk.channels["fc7"], present.shape[1])
    nn.init.zeros_(classifier.weight)
    body = nn.Sequential(*layers).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam([*body.parameters(), *classifier.parameters()], lr=RATE)
    draw = np.random.default_rng(0)
    order: list[int] = []
    for step in range(STEPS):
        if len(order) < BATCH:
            order = draw.permutation(IMAGES).tolist()
        chosen, order = order[:BATCH], order[BATCH:]
        batch = images[chosen].flip(3) if draw.random() < 0.5 else images[chosen]
        warm_up = min(1.0, (step + 1) / 30)
        for group in optimizer.param_groups:
            group["lr"] = RATE * warm_up * (1 - step / STEPS) ** 0.9
        scores = classifier(body(batch).mean((2, 3)))
        loss = binary_cross_entropy_with_logits(scores, present[chosen], reduction="sum") / BATCH
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if (step + 1) % 50 == 0:
            progress(f"pretraining {name}: {step + 1} of {STEPS} steps")
    _fold(layers)
    trunk.eval()
    return _rescaled(trunk, images[:64])


def _images(progress: Progress) -> tuple[Tensor, Tensor]:
    """uint8 images (N, 3, H, W), and which classes each shows (N, K), 0 or 1."""
    scenes = []
    for index in range(IMAGES):
        scenes.append(pretraining_scene(generator(PRETRAINED_VERSION, "pretrain", index)))
        if (index + 1) % 100 == 0:
            progress(f"generating images for pretraining: {index + 1} of {IMAGES}")
    images = torch.from_numpy(np.stack([scene.image for scene in scenes])).permute(0, 3, 1, 2)
    classes = np.arange(1, len(PRETRAINING_CLASSES) + 1)
    present = np.stack([np.isin(classes, scene.label) for scene in scenes]).astype(np.float32)
    return images, torch.from_numpy(present)


def _fold(layers: Sequence[nn.Module]) -> None:
    """Put each batch normalisation's statistics, scale and shift into the convolution before it."""
    with torch.no_grad():
        for layer, norm in pairwise(layers):
            if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                assert layer.bias is not None
                assert norm.running_mean is not None
                assert norm.running_var is not None
                scale = norm.weight / (norm.running_var + norm.eps).sqrt()
                layer.weight.mul_(scale.view(-1, 1, 1, 1))
                layer.bias.copy_((layer.bias - norm.running_mean) * scale + norm.bias)


def _rescaled(trunk: Trunk, images: Tensor) -> dict[str, Tensor]:
    """The trunk's tensors with every layer's features brought to `FEATURE_NORM`, what they compute unchanged."""
    tensors: dict[str, Tensor] = {}
    before, x = 1.0, images
    with torch.no_grad():
        convolution = ""
        for name, layer in trunk.named_children():
            x = layer(x)
            if isinstance(layer, nn.Conv2d):
                convolution = name
            if isinstance(layer, nn.ReLU):
                after = FEATURE_NORM[convolution.partition("_")[0]] / float(x.norm(dim=1).mean())
                weight, bias = trunk.get_parameter(f"{convolution}.weight"), trunk.get_parameter(f"{convolution}.bias")
                tensors[f"{convolution}.weight"] = weight.detach() * (after / before)
                tensors[f"{convolution}.bias"] = bias.detach() * after
                before = after
    return tensors

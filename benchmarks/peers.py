"""One training step here, by torchvision's FCN and by segmentation-models-pytorch's nearest network: images a second, memory.

    python -m benchmarks.peers [--device cpu] [--size 320]

All three have VGG-16's convolutions, 21 classes and one random image, and take turns in one process. Here: body fcn, fc7 alone.
torchvision: its `FCN` class around the features of its `vgg16` and FCN's fc6 and fc7, with `F.cross_entropy` and
`torch.optim.SGD`, the very same layers. segmentation-models-pytorch has neither fc6 nor fc7: its FPN over `vgg16` is what comes
nearest, and says how a smaller head does. That package goes into a temporary folder; without it two are compared.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.gpu import Bench
from parsenet_cli.engine.cost import step_memory
from parsenet_cli.engine.environment import device_name
from parsenet_cli.engine.probe import Probe, take_turns

CLASSES = 21
ROW = ("body=fcn", "layers=[fc7]", "norm=none", "init=xavier")
PACKAGES = (
    *("segmentation-models-pytorch", "timm", "huggingface-hub<1", "tqdm", "fsspec", "packaging"),
    *("requests", "urllib3", "charset-normalizer", "idna", "certifi"),
)
"""What it imports; by name, as pip would download PyTorch once more for the same."""


def torchvision_fcn() -> nn.Module:
    """FCN-32s as one writes it with torchvision."""
    from torchvision.models import vgg16  # type: ignore[import-untyped]
    from torchvision.models.segmentation.fcn import FCN  # type: ignore[import-untyped]

    fc: list[nn.Module] = [nn.Conv2d(512, 4096, 7, padding=3), nn.ReLU(inplace=True), nn.Dropout()]
    fc += [nn.Conv2d(4096, 4096, 1), nn.ReLU(inplace=True), nn.Dropout()]
    backbone = nn.Sequential(OrderedDict(out=nn.Sequential(*vgg16().features, *fc)))
    network: nn.Module = FCN(_Named(backbone), nn.Conv2d(4096, CLASSES, 1))
    return network


class _Named(nn.Module):
    """A backbone as torchvision's networks want it."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"out": self.layers(x)}


class Peer:
    """A network with the training step that its documentation shows."""

    def __init__(self, network: nn.Module, device: torch.device, size: int, precision: str) -> None:
        self.model = network.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.optimizer = torch.optim.SGD(network.parameters(), 1e-12, momentum=0.9, weight_decay=5e-4)
        self.device, self.half = device, precision == "bfloat16"
        self.images = torch.rand(1, 3, size, size).contiguous(memory_format=torch.channels_last)
        self.labels = torch.randint(0, CLASSES, (1, size, size))

    def step(self) -> None:
        """The image comes from the host, as it would from a data loader."""
        images, labels = self.images.to(self.device), self.labels.to(self.device)
        self.optimizer.zero_grad()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            logits = self.model(images)
        logits = logits["out"] if isinstance(logits, dict) else logits
        F.cross_entropy(logits.float(), labels, ignore_index=255).backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    @property
    def velocities(self) -> Iterable[Tensor]:
        """What the optimiser keeps."""
        return [state["momentum_buffer"] for state in self.optimizer.state.values()]


def smp_network(folder: Path) -> nn.Module | None:
    """segmentation-models-pytorch's FPN over VGG-16, installed into a folder; None where that does not succeed."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), *PACKAGES]
    if subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode:
        print("segmentation-models-pytorch cannot be installed: it is left out")
        return None
    sys.path.append(str(folder))  # behind what is here
    import segmentation_models_pytorch as smp  # type: ignore[import-not-found]

    network: nn.Module = smp.FPN("vgg16", encoder_weights=None, classes=CLASSES)
    return network


def main() -> None:
    """Print one line per network and arithmetic."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=("cpu", "cuda"))
    parser.add_argument("--size", type=int, default=320, help="side of the image, a multiple of 32")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    bench = Bench(chosen.device, small=False, rounds=chosen.rounds)
    print(f"{device_name(bench.device)}, {torch.get_num_threads()} threads, PyTorch {torch.__version__}")
    print(f"one image of {chosen.size}x{chosen.size}, {CLASSES} classes; images a second, and the memory of a step")
    with tempfile.TemporaryDirectory() as folder:
        nearest = smp_network(Path(folder))
        for precision in bench.precisions:
            made: dict[str, Callable[[], Probe | Peer]] = {
                "here": lambda p=precision: bench.probe(ROW, p, shape=(CLASSES, chosen.size, chosen.size)),  # type: ignore[misc]
                "torchvision": lambda p=precision: Peer(torchvision_fcn(), bench.device, chosen.size, p),  # type: ignore[misc]
            }
            if nearest is not None:
                made["smp, FPN"] = lambda p=precision: Peer(nearest, bench.device, chosen.size, p)  # type: ignore[misc]
            networks, memory = [], []
            for (
                make
            ) in made.values():  # one after the other: what a GPU allocates for one is known before there is another
                before = torch.cuda.memory_allocated() if bench.device.type == "cuda" else 0
                networks.append(make())
                memory.append(step_memory(networks[-1], before))
            times = [median(spent) for spent in take_turns([network.step for network in networks], chosen.rounds)]
            for name, network, time, size in zip(made, networks, times, memory, strict=True):
                parameters = sum(parameter.numel() for parameter in network.model.parameters())
                print(
                    f"{precision:9} {name:12} {1e3 / time:7.2f} images/s  {times[0] / time:5.2f} of ours  "
                    f"{size / 1e9:5.2f} GB  {parameters / 1e6:6.1f} M parameters",
                    flush=True,
                )


if __name__ == "__main__":
    main()

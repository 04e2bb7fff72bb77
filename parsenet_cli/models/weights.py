"""Reading a trunk's weights from a file, and putting them into the trunk or saying what does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from parsenet_cli.errors import UserError
from parsenet_cli.models import trunks
from parsenet_cli.models.preprocess import CAFFE, Convention


@dataclass(frozen=True)
class Weights:
    """The tensors of a file and what it says about itself. `source` is the file, for messages."""

    source: str
    tensors: dict[str, Tensor]
    metadata: dict[str, str]

    def convention(self) -> Convention | None:
        """The preprocessing these weights were trained with, where the file says so.

        From the metadata `channel_order` (RGB or BGR) and `mean_rgb` or `mean_bgr` (and `std_…`), numbers of the 0-255
        range separated by commas; else from `caffe_bgr` in the file's name; else None: the trunk's own convention.
        """
        order = self.metadata.get("channel_order", "").upper()
        if order in ("RGB", "BGR"):
            mean = self._three(f"mean_{order.lower()}") or (CAFFE.mean if order == "BGR" else CAFFE.mean[::-1])
            std = self._three(f"std_{order.lower()}") or CAFFE.std
            return Convention("RGB" if order == "RGB" else "BGR", mean, std)
        if "caffe_bgr" in Path(self.source).name:
            return Convention("BGR", (104.0, 117.0, 123.0))
        return None

    def _three(self, key: str) -> tuple[float, ...] | None:
        if key not in self.metadata:
            return None
        try:
            red_or_blue, green, other = (float(part) for part in self.metadata[key].split(","))
        except ValueError:
            found = self.metadata[key]
            raise UserError(f"{self.source}: metadata {key}: expected three numbers, found '{found}'") from None
        return red_or_blue, green, other


def load(file: Path) -> Weights:
    """Read a `.safetensors` file, or a file of `torch.save` (tensors only: nothing in it is executed).

    The model of a finished run can be given as well: its trunk is taken.

    Raises:
        UserError: no such file, damaged or incomplete, or not a mapping of names to tensors.
    """
    if not file.is_file():
        raise UserError(f"weights={file}: there is no such file")
    tensors, metadata = _read_safetensors(file) if file.suffix == ".safetensors" else (_read_torch(file), {})
    inner = {name.removeprefix("trunk."): tensor for name, tensor in tensors.items() if name.startswith("trunk.")}
    return Weights(str(file), inner or tensors, metadata)


def _read_safetensors(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as opened:
            return {name: opened.get_tensor(name) for name in opened.keys()}, dict(opened.metadata() or {})  # noqa: SIM118
    except SafetensorError as problem:
        raise UserError(
            f"{file}: not a complete safetensors file ({problem}); {file.stat().st_size} bytes. Copy or download it again"
        ) from None


def _read_torch(file: Path) -> dict[str, Tensor]:
    from pickle import UnpicklingError

    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as problem:
        reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise UserError(
            f"{file}: not a complete file of torch.save with tensors only ({reason}). Copy or download it again"
        ) from None
    if not isinstance(content, dict) or not all(isinstance(tensor, Tensor) for tensor in content.values()):
        raise UserError(
            f"{file}: expected a mapping of names to tensors (a state_dict), found {type(content).__name__}"
        )
    return {str(name): tensor for name, tensor in content.items()}


def fetch(trunk: str, folder: Path) -> Path:
    """The file of a trunk's ImageNet weights in `folder`, downloaded on first use and checked against its hash.

    Raises:
        UserError: the trunk has none, or they cannot be downloaded.
    """
    address = trunks.find(trunk).IMAGENET
    if address is None:
        raise UserError(f"weights=imagenet: there are none for trunk {trunk}; {trunk} knows {_known(trunk)}")
    name = address.rpartition("/")[2]
    file = folder / name
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        digits = Path(name).stem.rpartition("-")[2]
        try:
            torch.hub.download_url_to_file(address, str(file), hash_prefix=digits, progress=False)
        except (OSError, RuntimeError) as problem:
            raise UserError(
                f"weights=imagenet: {address} could not be downloaded ({problem}). Put it at {file}, or pass "
                "weights=/path/to/file"
            ) from None
    return file


def install(weights: Weights, tensors: Mapping[str, Tensor], trunk: nn.Module, name: str) -> None:
    """Copy `tensors`, already under the trunk's names, into the trunk `name`; names it does not know are left out.

    Raises:
        UserError: a parameter is missing, has another shape, or holds a number that is not finite.
    """
    wanted = dict(trunk.named_parameters())
    missing = [key for key in wanted if key not in tensors]
    if missing:
        raise UserError(
            f"{weights.source}: not the weights of trunk {name}: {len(missing)} of {len(wanted)} tensors are missing "
            f"({_some(missing)}); the file holds {_some(list(weights.tensors))}. Pass a file for {name}, or choose its trunk"
        )
    for key, parameter in wanted.items():
        found = tuple(tensors[key].shape)
        if found != tuple(parameter.shape):
            raise UserError(
                f"{weights.source}: {key}: expected shape {tuple(parameter.shape)} for trunk {name}, found {found}. "
                "These are the weights of another network or of another body"
            )
        if not tensors[key].isfinite().all():
            raise UserError(f"{weights.source}: {key} holds numbers that are not finite: the file is damaged")
    with torch.no_grad():
        for key, parameter in wanted.items():
            parameter.copy_(tensors[key])


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _known(trunk: str) -> str:
    return " and ".join(f"weights={name}" for name in trunks.find(trunk).WEIGHTS)

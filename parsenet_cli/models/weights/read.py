"""Reading a trunk's weights from a file, and putting them into the trunk or saying what does not fit."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Generator, Tensor, nn

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.text import shown
from parsenet_cli.models import layers
from parsenet_cli.models.preprocessing_spec import CAFFE, InputNormalization
from parsenet_cli.models.weights import caffemodel

CAFFEMODEL = ".caffemodel"
_OF_TORCH = (".pth", ".pt")

# Numbers looked at together: fc6 of VGG-16 alone has a hundred million.
_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Weights:
    """The tensors of a file and what it says about itself. `source` is the file, for messages."""

    source: str
    tensors: dict[str, Tensor]
    metadata: dict[str, str]

    @property
    def origin(self) -> str:
        """Whose training they are, as far as the file says it, else the file's name."""
        return self.metadata.get("origin") or Path(self.source).name

    @property
    def reinitialized(self) -> tuple[str, ...]:
        """Layers the file declares not to hold (metadata `drawn`): they start from He's initialisation."""
        return tuple(filter(None, self.metadata.get("drawn", "").split(",")))

    @property
    def about(self) -> str:
        """`origin`, and what is drawn."""
        return "; ".join([self.origin, *(f"{layer} drawn (He)" for layer in self.reinitialized)])

    def normalization(self) -> InputNormalization | None:
        """The input these weights were trained on, where the file says so.

        From the metadata `channel_order` (RGB or BGR) and `mean_rgb` or `mean_bgr` (and `std_…`), numbers of the 0-255
        range separated by commas; else from `caffe_bgr` in the file's name; else Caffe's for a caffemodel, because Caffe
        reads images as BGR; else None: the trunk's own default.
        """
        match self.metadata.get("channel_order", "").upper():
            case "RGB" | "BGR" as order:
                caffe = CAFFE.in_order(order)
                mean, std = (self._triple(f"{key}_{order.lower()}") for key in ("mean", "std"))
                try:
                    return InputNormalization(order, mean or caffe.mean, std or caffe.std)
                except ValueError as problem:
                    raise UserError(f"{self.source}: metadata: {problem}") from None
        if "caffe_bgr" in Path(self.source).name:
            return InputNormalization("BGR", (104.0, 117.0, 123.0))
        return CAFFE if Path(self.source).suffix.lower() == CAFFEMODEL else None

    def _triple(self, key: str) -> tuple[float, ...] | None:
        text = self.metadata.get(key)
        if text is None:
            return None
        try:
            first, second, third = map(float, text.split(","))
        except ValueError:
            raise UserError(f"{self.source}: metadata {key}: expected three numbers, found '{text[:200]}'") from None
        return first, second, third


def load(file: Path) -> Weights:
    """Read a `.safetensors` or `.caffemodel` file, or one of `torch.save` (tensors only: nothing in it is executed).

    The model of a finished run can be given as well: its trunk is taken.

    Raises:
        UserError: no such file, damaged or incomplete, or not a mapping of names to plain tensors.
    """
    if not file.is_file():
        found = "there is no such file"
        if file.exists():
            found = (
                "expected a file, found a folder" if file.is_dir() else "expected a plain file, found a device or pipe"
            )
        raise UserError(f"weights={file}: {found}")
    metadata: dict[str, str] = {}
    suffix = file.suffix.lower()
    if suffix == ".safetensors":
        tensors, metadata = read_safetensors(file)
    elif suffix == CAFFEMODEL:
        tensors = {name: torch.from_numpy(array) for name, array in caffemodel.read(file).items()}
    else:
        tensors = _read_torch(file)
    inner = {name.removeprefix("trunk."): tensor for name, tensor in tensors.items() if name.startswith("trunk.")}
    return Weights(str(file), inner or tensors, metadata)


def read_safetensors(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors of a file and its metadata. Raises `UserError` where it is damaged, or a tensor holds no real numbers."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            metadata = dict(opened.metadata() or {})
    except SafetensorError as problem:
        raise UserError(
            f"{file}: not a complete safetensors file ({problem}); {file.stat().st_size} bytes. Copy or download it again"
        ) from None
    return _plain(file, tensors), metadata


def _read_torch(file: Path) -> dict[str, Tensor]:
    from pickle import UnpicklingError

    try:
        _check_unpacked_size(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about kinds of tensors that are refused below
            content = torch.load(file, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except Exception as problem:  # what is no pickle, or another one than is allowed, raises almost anything
        reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        if "weights_only" in reason or isinstance(problem, UnpicklingError):  # PyTorch's advice is to run what is in it
            is_script = "TorchScript" in reason
            reason = (
                "it is a TorchScript archive" if is_script else "it is none, is damaged, or holds more than tensors"
            )
        others = "" if file.suffix.lower() in _OF_TORCH else "; a caffemodel is told by its suffix .caffemodel"
        raise UserError(
            f"{file}: not a complete file of torch.save with tensors only ({reason}){others}. Copy or download it again, or "
            "save the network's state_dict()"
        ) from None
    if not isinstance(content, dict) or not all(isinstance(tensor, Tensor) for tensor in content.values()):
        found = type(content).__name__
        if isinstance(content, dict):
            inner = next((key for key, value in content.items() if isinstance(value, dict)), None)
            found = f"a mapping of {_some([str(key)[:50] for key in content])} to other things"
            found += f": save what it holds under {str(inner)[:50]!r} alone" if inner is not None else ""
        raise UserError(f"{file}: expected a mapping of names to tensors (a state_dict), found {found}")
    return _plain(file, {str(name): tensor for name, tensor in content.items()})


def _check_unpacked_size(file: Path) -> None:
    """Raises `UserError` where a zip unpacks to more than it is: `torch.save` packs nothing."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as packed:
            size = sum(info.file_size for info in packed.infolist())
        if size > file.stat().st_size:
            raise UserError(
                f"{file}: its {file.stat().st_size} bytes unpack to {size}; expected a file as torch.save writes it"
            )


def _plain(file: Path, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors themselves. Raises `UserError`, naming it, for one that is not made of real numbers that are all there."""
    for name, tensor in tensors.items():
        kind = ""
        if tensor.is_meta:
            kind = "one without its numbers (device meta)"
        elif tensor.layout != torch.strided:
            kind = f"a sparse one ({tensor.layout})"
        elif tensor.is_quantized:
            kind = f"a quantised one ({tensor.dtype})"
        elif tensor.is_complex():
            kind = f"a complex one ({tensor.dtype})"
        elif tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            kind = f"one of shape {tuple(tensor.shape)} with fewer numbers stored (an expanded view)"
        if kind:
            raise UserError(f"{file}: {name[:200]}: expected a plain tensor of numbers, found {kind}")
    return tensors


def save(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], stream: BinaryIO) -> None:
    """Write float32 tensors as safetensors, one after the other, without a second copy of them all in memory.

    The same tensors and metadata give the same bytes, because a run is identified by the hash of its weights file; the
    library's own writer puts the metadata in any order.
    """
    header: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + 4 * tensor.numel()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the numbers are aligned
    stream.write(len(text).to_bytes(8, "little") + text)
    for tensor in tensors.values():
        stream.write(tensor.detach().float().contiguous().numpy().astype("<f4", copy=False).data)


def install(weights: Weights, tensors: Mapping[str, Tensor], trunk: nn.Module, name: str, generator: Generator) -> None:
    """Copy `tensors`, already under the trunk's names, into the trunk `name`; layers the file declares to lack are drawn.

    Raises:
        UserError: see `check`.
    """
    filled = check(weights, tensors, dict(trunk.named_parameters()), name)
    with torch.no_grad():
        for layer in weights.reinitialized:
            layers.he_(trunk.get_submodule(layer), generator)
        for key, parameter in filled.items():
            parameter.copy_(tensors[key])


def check(
    weights: Weights, tensors: Mapping[str, Tensor], parameters: Mapping[str, Tensor], name: str
) -> dict[str, Tensor]:
    """The parameters of the trunk `name` that `tensors` fill: all but those of layers that the file declares to lack.

    Raises:
        UserError: a parameter is missing, has another shape, or holds a number that is not finite.
    """
    for layer in weights.reinitialized:
        if layer not in map(layer_of, parameters):
            raise UserError(f"{weights.source}: metadata drawn: expected layers of trunk {name}, found '{layer}'")
    wanted = {key: parameter for key, parameter in parameters.items() if layer_of(key) not in weights.reinitialized}
    missing = [key for key in wanted if key not in tensors]
    if missing:
        raise UserError(
            f"{weights.source}: not the weights of trunk {name}: {len(missing)} of {len(wanted)} tensors are missing "
            f"({_some(missing)}); the file holds {_some(list(weights.tensors))}. Pass a file for {name}, or choose its trunk"
        )
    for key, parameter in wanted.items():
        if tensors[key].shape != parameter.shape:
            raise UserError(
                f"{weights.source}: {key}: expected shape {tuple(parameter.shape)} for trunk {name}, found "
                f"{tuple(tensors[key].shape)}. "
                "These are the weights of another network or of another body"
            )
        if not all(part.isfinite().all() for part in torch.split(tensors[key].flatten(), _AT_ONCE)):
            raise UserError(
                f"{weights.source}: {key} holds numbers that are not finite: the file is damaged, or holds no weights there"
            )
    return wanted


def layer_of(parameter: str) -> str:
    """The layer a parameter belongs to: `fc6` for `fc6.weight`."""
    return parameter.rpartition(".")[0]


def _some(names: list[str]) -> str:
    return ", ".join(map(shown, names[:3])) + (", …" if len(names) > 3 else "")

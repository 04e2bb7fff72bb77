"""Small weights files in the layouts that exist, written here: Caffe's protobuf in both styles, torchvision's and SSD's names."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from parsenet_cli.models import layers
from parsenet_cli.models.vgg import Spec, build_body

CONVOLUTION, INNER_PRODUCT, RELU = 4, 14, 18
_TYPES = {CONVOLUTION: "Convolution", INNER_PRODUCT: "InnerProduct", RELU: "ReLU"}


def varint(value: int) -> bytes:
    """A number in protobuf's variable length."""
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])


def number(field: int, value: int) -> bytes:
    """A field of wire type 0."""
    return varint(field << 3) + varint(value)


def message(field: int, content: bytes) -> bytes:
    """A field of wire type 2."""
    return varint(field << 3 | 2) + varint(len(content)) + content


def blob(array: np.ndarray, *, old_shape: bool = False, packed: bool = True) -> bytes:
    """A BlobProto."""
    values = array.astype("<f4").ravel()
    one_by_one = b"".join(varint(5 << 3 | 5) + struct.pack("<f", value) for value in values)
    data = message(5, values.tobytes()) if packed else one_by_one
    if old_shape:
        sides = (1,) * (4 - array.ndim) + array.shape
        return b"".join(number(field, side) for field, side in enumerate(sides, start=1)) + data
    return data + message(7, message(1, b"".join(map(varint, array.shape))))


def layer(name: str, kind: int, blobs: list[bytes], *, old: bool) -> bytes:
    """A layer of the old style (V1LayerParameter) or the present one, with a bottom, a top and a field nobody knows."""
    if old:
        bottom, top = message(2, b"data"), message(3, name.encode())
        parts = bottom + top + message(4, name.encode()) + number(5, kind) + b"".join(message(6, one) for one in blobs)
        return message(2, parts + varint(7 << 3 | 5) + struct.pack("<f", 2.0))
    parts = message(1, name.encode()) + message(2, _TYPES[kind].encode()) + message(3, b"data")
    return message(100, parts + b"".join(message(7, one) for one in blobs) + varint(90 << 3 | 1) + bytes(8))


def caffemodel(
    tensors: Mapping[str, Tensor], *, old: bool = False, packed: bool = True, matrices: bool = True
) -> bytes:
    """A NetParameter that holds `<layer>.weight` and `<layer>.bias`; with `matrices` fc6 and fc7 are fully connected."""
    content = message(1, b"VGG_ILSVRC_16_layers") + number(5, 1)
    for name in dict.fromkeys(key.rpartition(".")[0] for key in tensors):
        weight, bias = (tensors[f"{name}.{kind}"].numpy() for kind in ("weight", "bias"))
        is_matrix = matrices and name.startswith("fc")
        shaped = weight.reshape(len(weight), -1) if is_matrix else weight
        blobs = [blob(one, old_shape=old, packed=packed) for one in (shaped, bias)]
        content += layer(name, INNER_PRODUCT if is_matrix else CONVOLUTION, blobs, old=old)
        content += layer(f"relu_{name}", RELU, [], old=old)
    return content


def full_tensors(spec: Spec, seed: int = 0) -> dict[str, Tensor]:
    """Weights of body `fcn` under Caffe's names, of a size that carries an image through to fc7."""
    generator = torch.Generator().manual_seed(seed)
    trunk = build_body(spec, "fcn")
    layers.he_(trunk, generator)
    return {
        name: tensor.detach().clone() if tensor.ndim > 1 else torch.randn(len(tensor), generator=generator)
        for name, tensor in trunk.named_parameters()
    }


def in_torchvisions_names(tensors: Mapping[str, Tensor], spec: Spec) -> dict[str, Tensor]:
    """`features.N`, and `classifier.0` and `.3` as matrices."""
    renamed = {}
    for name, tensor in tensors.items():
        ours, kind = name.split(".")
        theirs = {"fc6": "classifier.0", "fc7": "classifier.3"}.get(ours) or f"features.{positions(spec)[ours]}"
        is_matrix = ours.startswith("fc") and kind == "weight"
        renamed[f"{theirs}.{kind}"] = tensor.reshape(len(tensor), -1) if is_matrix else tensor
    return renamed | {"classifier.6.weight": torch.zeros(5, spec.fc), "classifier.6.bias": torch.zeros(5)}


def in_ssds_positions(tensors: Mapping[str, Tensor], spec: Spec) -> dict[str, Tensor]:
    """`N.weight` and `N.bias`."""
    return {f"{positions(spec)[name.split('.')[0]]}.{name.split('.')[1]}": tensor for name, tensor in tensors.items()}


def positions(spec: Spec) -> dict[str, int]:
    """Where each layer stands in a list of convolutions, ReLUs and pools."""
    listed: list[str] = []
    for stage, convs in enumerate(spec.convs, start=1):
        for i in range(convs):
            listed += [f"conv{stage}_{i + 1}", "relu"]
        listed += [] if stage in spec.unpooled else ["pool"]
    listed += ["fc6", "relu", "fc7"]
    return {name: listed.index(name) for name in listed if name not in ("relu", "pool")}


def in_torchvisions_squeezenet_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`features.N`, with a classifier; `tensors` are SqueezeNet's under our names."""
    layers = ("conv1", "fire2", "fire3", "fire4", "fire5", "fire6", "fire7", "fire8", "fire9")
    names = dict(zip(layers, (0, 3, 4, 6, 7, 9, 10, 11, 12), strict=True))
    split = ((key.partition("."), tensor) for key, tensor in tensors.items())
    renamed = {f"features.{names[layer]}.{rest}": tensor for (layer, _, rest), tensor in split}
    return renamed | {"classifier.1.weight": torch.zeros(1000, 512, 1, 1)}

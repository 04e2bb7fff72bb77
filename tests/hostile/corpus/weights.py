"""Weights files that somebody else has made, for `weights convert` and as a run's kept model."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import numpy as np
import torch

from parsenet_cli.models.trunks import vgg_tiny
from tests import weight_layouts
from tests.hostile.base import Base, Place, sealed, unsealed
from tests.hostile.corpus.data import special
from tests.hostile.corpus.json_shapes import STEERING
from tests.hostile.drivers import READS, Case

Tensors = dict[str, Any]


class _Code:
    """What makes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch ran-weights",)


@cache
def _whole() -> Tensors:
    return weight_layouts.full_tensors(vgg_tiny.SPEC)


def _saved(content: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, **options)
    return stream.getvalue()


def _each(change: Callable[[torch.Tensor], Any]) -> bytes:
    return _saved({name: change(tensor) for name, tensor in _whole().items()})


def _one(change: Callable[[torch.Tensor], Any]) -> bytes:
    first = next(iter(_whole()))
    return _saved({**_whole(), first: change(_whole()[first])})


def _laughs() -> bytes:
    inner: Any = []
    for _ in range(30):
        inner = [inner, inner]
    return _saved(inner)


def _quietly(make: Callable[[], bytes]) -> bytes:
    """What PyTorch calls deprecated can still be in a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make()


def _scripted() -> bytes:
    stream = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), stream)
    return stream.getvalue()


def _member(replace: str, content: bytes) -> bytes:
    """A file of torch.save in which one member is another."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(_saved(dict(_whole())))) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            new.writestr(name, content if name.endswith(replace) else old.read(name))
    return stream.getvalue()


PTH: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "text": lambda: b"text",
    "code": lambda: _saved({"conv1_1.weight": _Code()}),
    "code-legacy": lambda: _saved({"conv1_1.weight": _Code()}, _use_new_zipfile_serialization=False),
    "code-plain": lambda: pickle.dumps(_Code()),
    "code-name": lambda: _saved({_Name("x"): torch.zeros(1)}),
    "module": lambda: _saved(torch.nn.Linear(1, 1)),
    "list": lambda: _saved([torch.zeros(1)]),
    "tensor": lambda: _saved(torch.zeros(3)),
    "none": lambda: _saved(None),
    "number": lambda: _saved(5),
    "no-tensors": lambda: _saved({}),
    "names-numbers": lambda: _saved({1: torch.zeros(1), None: torch.zeros(1)}),
    "names-steer": lambda: _saved({STEERING: torch.zeros(1)}),
    "names-long": lambda: _saved({"x" * 1_000_000: torch.zeros(1)}),
    "values-text": lambda: _saved(dict.fromkeys(_whole(), "text")),
    "values-none": lambda: _saved(dict.fromkeys(_whole())),
    "values-lists": lambda: _saved({name: tensor.tolist() for name, tensor in list(_whole().items())[:2]}),
    "nested": lambda: _saved({"state_dict": _whole()}),
    "nested-deep": _laughs,
    "sparse": lambda: _one(lambda t: t.to_sparse()),
    "meta": lambda: _one(lambda t: t.to("meta")),
    "complex": lambda: _each(lambda t: t.to(torch.complex64)),
    "bool": lambda: _each(lambda t: t > 0),
    "integers": lambda: _each(lambda t: t.to(torch.int64)),
    "half": lambda: _each(lambda t: t.half()),
    "double": lambda: _each(lambda t: t.double() * 1e200),
    "quantised": lambda: _quietly(lambda: _one(lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8))),
    "nan": lambda: _each(lambda t: torch.full_like(t, float("nan"))),
    "infinite": lambda: _each(lambda t: torch.full_like(t, float("inf"))),
    "empty-tensors": lambda: _each(lambda t: t.flatten()[:0]),
    "scalars": lambda: _each(lambda t: t.flatten()[0].clone()),
    "flat": lambda: _each(torch.flatten),
    "one-more-side": lambda: _each(lambda t: t[None]),
    "expanded": lambda: _saved({**_whole(), "conv1_1.weight": torch.zeros(1).expand(2**40)}),
    "many-sides": lambda: _one(lambda t: t.flatten()[:1].reshape([1] * 60)),
    "script": lambda: _quietly(_scripted),
    "cut": lambda: _saved(dict(_whole()))[:-500],
    "cut-half": lambda: _saved(dict(_whole()))[: len(_saved(dict(_whole()))) // 2],
    "pickle-binary": lambda: _member("data.pkl", bytes(range(256))),
    "pickle-code": lambda: _member("data.pkl", b"cos\nsystem\n(S'touch ran-member'\ntR."),
    "pickle-deep": lambda: _member("data.pkl", b"(" * 1_000_000 + b"."),
    "pickle-long": lambda: _member("data.pkl", b"\x80\x02\x8b" + struct.pack("<i", 2**30) + b"1."),
    "storage-short": lambda: _member("data/0", b"xx"),
    "zip-only": lambda: _zip_of("a.txt", b"text"),
}


class _Name(str):
    """A text that runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch ran-name",)


def _zip_of(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def _safetensors(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def _tensor(shape: list[Any], start: int = 0, end: int | None = None, kind: str = "F32") -> dict[str, Any]:
    size = int(np.prod(shape or [1])) if all(isinstance(side, int) and side < 2**20 for side in shape) else 4
    return {"dtype": kind, "shape": shape, "data_offsets": [start, start + 4 * size if end is None else end]}


def _with_metadata(**metadata: str) -> bytes:
    from safetensors.torch import save

    return save(_whole(), metadata)


_PLAIN = {"channel_order": "RGB", "mean": "1,1,1", "std": "1,1,1"}

SAFETENSORS: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "text": lambda: b"text",
    "length-huge": lambda: _safetensors({}, length=2**63),
    "length-beyond": lambda: _safetensors({}, length=10_000),
    "header-text": lambda: _safetensors(b"nonsense"),
    "header-list": lambda: _safetensors([1]),
    "header-deep": lambda: _safetensors(b"[" * 100_000),
    "header-latin-1": lambda: _safetensors('{"é": 1}'.encode("latin-1")),
    "header-twice": lambda: _safetensors(b'{"a": 1, "a": 2}'),
    "no-tensors": lambda: _safetensors({}),
    "offsets-beyond": lambda: _safetensors({"a": _tensor([1], 0, 10**12)}, bytes(4)),
    "offsets-minus": lambda: _safetensors({"a": _tensor([1], -4, 0)}, bytes(4)),
    "offsets-backwards": lambda: _safetensors({"a": _tensor([1], 4, 0)}, bytes(4)),
    "overlap": lambda: _safetensors({"a": _tensor([1]), "b": _tensor([1])}, bytes(4)),
    "shape-huge": lambda: _safetensors({"a": _tensor([2**40, 2**40])}, bytes(4)),
    "shape-minus": lambda: _safetensors({"a": _tensor([-1])}, bytes(4)),
    "shape-text": lambda: _safetensors({"a": _tensor(["x"])}, bytes(4)),
    "shape-many": lambda: _safetensors({"a": _tensor([1] * 1000)}, bytes(4)),
    "kind-unknown": lambda: _safetensors({"a": _tensor([1], kind="Q8")}, bytes(4)),
    "metadata-list": lambda: _safetensors({"__metadata__": [1], "a": _tensor([1])}, bytes(4)),
    "metadata-numbers": lambda: _safetensors({"__metadata__": {"mean": 5}, "a": _tensor([1])}, bytes(4)),
    "name-steers": lambda: _safetensors({STEERING: _tensor([1])}, bytes(4)),
    "name-up": lambda: _safetensors({"../../home/x": _tensor([1])}, bytes(4)),
    "code": lambda: _saved({"conv1_1.weight": _Code()}),
    "mean-nan": lambda: _with_metadata(**{**_PLAIN, "mean": "nan,nan,nan"}),
    "mean-infinite": lambda: _with_metadata(**{**_PLAIN, "mean": "inf,1,1"}),
    "mean-text": lambda: _with_metadata(**{**_PLAIN, "mean": "a,b,c"}),
    "mean-short": lambda: _with_metadata(**{**_PLAIN, "mean": "1"}),
    "mean-long": lambda: _with_metadata(**{**_PLAIN, "mean": ",".join(["1"] * 100_000)}),
    "std-zero": lambda: _with_metadata(**{**_PLAIN, "std": "0,0,0"}),
    "std-minus": lambda: _with_metadata(**{**_PLAIN, "std": "-1,-1,-1"}),
    "order-unknown": lambda: _with_metadata(**{**_PLAIN, "channel_order": "\x1b]0;x\x07"}),
    "metadata-steers": lambda: _with_metadata(**_PLAIN, origin=STEERING, weights=STEERING, drawn=STEERING),
    "metadata-huge": lambda: _with_metadata(**_PLAIN, origin="x" * 1_000_000),
    "cut": lambda: _with_metadata(**_PLAIN)[:-100],
    "more": lambda: _with_metadata(**_PLAIN) + b"more",
}


def _net(*blobs: bytes, name: bytes = b"conv1_1", kind: bytes = b"Convolution") -> bytes:
    message = weight_layouts.message
    return message(100, message(1, name) + message(2, kind) + b"".join(message(7, blob) for blob in blobs))


def _blob(sides: list[int], data: bytes = b"") -> bytes:
    message, varint = weight_layouts.message, weight_layouts.varint
    return message(5, data) + message(7, message(1, b"".join(map(varint, sides))))


CAFFEMODELS: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "text": lambda: b"text",
    "binary": lambda: bytes(range(256)) * 10,
    "zero-times-huge": lambda: _net(_blob([0, 2**63])),
    "zero-huge": lambda: _net(_blob([0, 2**62, 2**62])),
    "huge": lambda: _net(_blob([2**31, 2**31], bytes(4))),
    "hundred-sides": lambda: _net(_blob([1] * 100, bytes(4))),
    "million-sides": lambda: _net(_blob([1] * 1_000_000, bytes(4))),
    "no-sides": lambda: _net(_blob([], bytes(4))),
    "wrong-size": lambda: _net(_blob([3, 3], bytes(4))),
    "odd-data": lambda: _net(_blob([1], bytes(3))),
    "no-data": lambda: _net(b""),
    "no-blobs": lambda: _net(),
    "many-blobs": lambda: _net(*[_blob([1], bytes(4))] * 20_000),
    "name-steers": lambda: _net(_blob([1], bytes(4)), name=STEERING.encode()),
    "name-latin-1": lambda: _net(_blob([1], bytes(4)), name=b"conv\xe9\xff"),
    "nested": lambda: _nested(2000),
    "length-huge": lambda: weight_layouts.varint(100 << 3 | 2) + weight_layouts.varint(2**62) + b"x",
    "number-endless": lambda: b"\xff" * 1000,
    "group": lambda: weight_layouts.varint(100 << 3 | 3) * 5000,
    "field-zero": lambda: b"\x00\x00",
    "cut": lambda: weight_layouts.caffemodel(_whole())[:-50],
    "cut-old": lambda: weight_layouts.caffemodel(_whole(), old=True)[:5000],
    "nan": lambda: weight_layouts.caffemodel({n: torch.full_like(t, float("nan")) for n, t in _whole().items()}),
}


def _nested(depth: int) -> bytes:
    content = b""
    for _ in range(depth):
        content = weight_layouts.message(100, content)
    return content


FILES = {"pth": PTH, "safetensors": SAFETENSORS, "caffemodel": CAFFEMODELS}


def conversions(base: Base, seed: int) -> Iterator[Case]:
    """Every file through `weights convert`."""
    for suffix, made in FILES.items():
        for name, content in made.items():
            given = ("weights", "convert", f"w.{suffix}", "out.safetensors", "--trunk", "vgg_tiny")
            yield Case(f"{suffix}={name}/convert", partial(_file, name=f"w.{suffix}", make=content), given)
    for kind in ("folder", "fifo", "loop", "dangling", "device"):
        given = ("weights", "convert", "w.pth", "out.safetensors", "--trunk", "vgg_tiny")
        yield Case(f"pth={kind}/convert", partial(special, file="w.pth", kind=kind), given)
    for suffix in ("bin", "CAFFEMODEL", "pth.gz"):
        given = ("weights", "convert", f"w.{suffix}", "out.safetensors", "--trunk", "vgg_tiny")
        yield Case(f"{suffix}=code/convert", partial(_file, name=f"w.{suffix}", make=PTH["code"]), given)


def models(base: Base, seed: int) -> Iterator[Case]:
    """Every file as the model of a run, with the checksum that fits, and as weights that a table names."""
    for suffix, made in (("safetensors", SAFETENSORS), ("pth", PTH)):
        for name, content in made.items():
            if suffix == "safetensors" or "code" in name:
                make = partial(_model, make=content)
                yield Case(
                    f"model={suffix}-{name}/predict",
                    make,
                    ("predict", "{run}", "pictures", "--out", "maps"),
                    READS | {1},
                )
            given = ("plan", "own", "--seeds", "1", f"weights=w.{suffix}", "trunk=vgg_tiny", "data=synthetic_siftflow")
            yield Case(f"weights={suffix}-{name}/plan", partial(_file, name=f"w.{suffix}", make=content), given)


def _file(place: Place, name: str, make: Callable[[], bytes]) -> None:
    place.file(name, make())


def _model(place: Place, make: Callable[[], bytes]) -> None:
    from parsenet_cli.core.sealed import crc32_of

    place.run.model_file.write_bytes(make())
    result = unsealed(place.run.result_file)
    result["files"][place.run.model_file.name] = crc32_of(place.run.model_file)
    place.run.result_file.write_bytes(sealed(result))


GROUPS: tuple[Callable[[Base, int], Iterator[Case]], ...] = (conversions, models)

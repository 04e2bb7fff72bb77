"""Weights files as this project keeps them: safetensors that say whose training they are and what input they expect.

A published file is downloaded once, put under the trunk's own names and written to `<results>/cache/weights/` with its
origin, checksum, channel order, mean and scale as metadata, which the loader applies: nobody can feed RGB to a BGR network.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from parsenet_cli.core import download as fetch
from parsenet_cli.core import paths
from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.files import (
    atomic_write,
    file_lock,
    intact,
    os_errors_as_user_errors,
    sha256_of,
    write_checksum_beside,
)
from parsenet_cli.core.text import Progress
from parsenet_cli.models import trunks
from parsenet_cli.models.weights.source import Source

if TYPE_CHECKING:
    from parsenet_cli.models.preprocessing_spec import InputNormalization, Order
    from parsenet_cli.models.weights.read import Weights

_LARGEST_HEADER = 1 << 24


@dataclass(frozen=True)
class Written:
    """What a conversion wrote."""

    file: Path
    tensors: int
    body: str
    convention: InputNormalization
    order_from: str
    """Where the channel order is known from, as a clause."""
    drawn: tuple[str, ...]

    def __str__(self) -> str:
        """One sentence for the user."""
        mean, std = (", ".join(map(str, values)) for values in (self.convention.mean, self.convention.std))
        drawn = f"; without {' and '.join(self.drawn)}, which a run draws" if self.drawn else ""
        return (
            f"{self.file}: {self.tensors} tensors of body {self.body}, channels in {self.convention.order} order "
            f"({self.order_from}), mean {mean}, scale {std}{drawn}"
        )


@dataclass(frozen=True)
class Listed:
    """One named source of one trunk, and what of it is here."""

    trunk: str
    name: str
    source: Source
    file: Path
    metadata: dict[str, str] | None
    """Of the file, None where it is not here."""


def place(trunk: str, name: str, folder: Path) -> Path:
    """Where a source's converted weights lie."""
    return folder / f"{trunk}-{name}.safetensors"


def listed(folder: Path) -> list[Listed]:
    """All sources of all trunks."""
    found = []
    for trunk in paths.modules("models/trunks"):
        for name, source in trunks.find(trunk).SOURCES.items():
            file = place(trunk, name, folder)
            found.append(Listed(trunk, name, source, file, metadata(file)))
    return found


def metadata(file: Path) -> dict[str, str] | None:
    """What a safetensors file says of itself, read from its header alone; None where it is missing or damaged."""
    try:
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            header = json.loads(opened.read(length)) if length <= _LARGEST_HEADER else {}
        said = header.pop("__metadata__", {})
        end = max(part["data_offsets"][1] for part in header.values())
        return dict(said) if file.stat().st_size == 8 + length + end else None
    except (OSError, ValueError, AttributeError, KeyError, TypeError, IndexError):
        return None


def names(trunk: str, name: str | None) -> list[str]:
    """The sources to get: `name`, or all that `weights=imagenet` means for the trunk. Raises `UserError` for unknown ones."""
    module = trunks.find(trunk)
    if not module.SOURCES:
        raise UserError(f"trunk {trunk} has no published weights; weights=pretrained makes them when a run needs them")
    if name in (None, "imagenet"):
        return sorted(set(module.IMAGENET.values()))
    if name not in module.SOURCES:
        raise unknown(f"source of weights for {trunk}", str(name), module.SOURCES)
    return [str(name)]


def get(trunk: str, name: str, folder: Path, progress: Progress, given: Path | None = None) -> Path:
    """The converted weights of a source below `folder`, made now unless they are there; `given` is the published file.

    Those that are there and damaged are made again.

    Raises:
        UserError: no mirror delivers it, or `given` is another file.
    """
    source = trunks.find(trunk).SOURCES[name]
    file = place(trunk, name, folder)
    remote = fetch.Remote(source.file, source.mirrors, source.checksum, source.size)
    if given is None and metadata(file) is not None and intact(file):
        return file
    said = f"{file.name}: waiting for another process that gets it"
    with os_errors_as_user_errors(folder), file_lock(folder / f".{file.name}.lock", lambda: progress(said)):
        known = metadata(file)
        if known is not None and not intact(file):
            known = None
        if known is None and file.is_file():
            print(f"{file}: is damaged; it is made again", flush=True)
        if given is not None:
            if not given.is_file():
                raise UserError(f"--from {given}: there is no such file")
            _check_given(given, remote, progress)
        if known is not None and (given is None or known.get("source_sha256") == sha256_of(given)):
            return file
        published = given or fetch.fetch(remote, folder, progress)
        progress(f"{source.file}: converting")
        written = _from_source(published, trunk, name, source, file)
        write_checksum_beside(file)
        if given is None:
            published.unlink()  # half a gigabyte that nothing reads again
        progress(str(written))

    return file


def convert_file(
    file: Path,
    out: Path,
    trunk: str,
    *,
    body: str | None = None,
    order: Order | None = None,
    convolutions: bool = False,
) -> Written:
    """Write any weights file as a safetensors file for `trunk`.

    Args:
        file: a `.caffemodel`, a `.pth` or `.pt` with tensors only, or a `.safetensors`.
        out: the file to write, `.safetensors`.
        trunk: whose weights they are.
        body: decimated to it; None: the shapes of the file.
        order: the channel order of its input, where the user knows better than the file.
        convolutions: leave fc6 and fc7 out; a run then draws them.

    Raises:
        UserError: they are not the weights of the trunk, or `out` cannot be written.
    """
    from parsenet_cli.models.weights import read as reader

    module = trunks.find(trunk)
    if out.suffix != ".safetensors":
        raise UserError(f"{out}: expected the name of a .safetensors file to write")
    if out.resolve() == file.resolve():
        raise UserError(f"{out}: would overwrite the file it is made from; give another name")
    if body is not None and body not in module.BODIES:
        raise unknown(f"body of trunk {trunk}", body, module.BODIES)
    found = reader.load(file)
    convention = module.convention(found)
    if order is not None:
        convention, order_from = convention.in_order(order), "as you said"
    elif "channel_order" in found.metadata:
        order_from = "as the file says"
    elif module.recognise(found) == convention:
        order_from = "seen in its first filter"
    else:
        order_from = "assumed from its format and names"
    drawn = ("fc6", "fc7") if convolutions else found.drawn
    return _write(found, out, trunk, body, convention, order_from, drawn, {"origin": found.origin} | _source_of(file))


def _from_source(published: Path, trunk: str, name: str, source: Source, out: Path) -> Written:
    from parsenet_cli.models.weights import read as reader

    module = trunks.find(trunk)
    found = reader.load(published)
    seen = module.recognise(found)
    order_from = "seen in its first filter" if seen else "as declared for this source"
    about = {"origin": source.origin, "weights": name} | _source_of(published)
    return _write(found, out, trunk, None, seen or source.convention, order_from, source.drawn, about)


def _write(
    found: Weights,
    out: Path,
    trunk: str,
    body: str | None,
    convention: InputNormalization,
    order_from: str,
    drawn: tuple[str, ...],
    about: dict[str, str],
) -> Written:
    import torch

    from parsenet_cli.models.weights import read as reader

    module = trunks.find(trunk)
    body = body or module.body_of(found)
    with torch.device("meta"):
        parameters = dict(module.outline(body).named_parameters())
    fitted = module.fit(found, body)
    kept = {key: fitted[key] for key in parameters if key in fitted and reader.layer_of(key) not in drawn}
    declared = {**found.metadata, "drawn": ",".join(drawn)}
    reader.check(reader.Weights(found.source, found.tensors, declared), kept, parameters, trunk)
    said = (
        about | convention.metadata() | {"trunk": trunk, "body": body} | ({"drawn": ",".join(drawn)} if drawn else {})
    )
    with atomic_write(out) as stream:
        reader.save(kept, said, stream)
    return Written(out, len(kept), body, convention, order_from, drawn)


def _source_of(file: Path) -> dict[str, str]:
    return {"source": file.name, "source_sha256": sha256_of(file)}


def _check_given(given: Path, remote: fetch.Remote, progress: Progress) -> None:
    try:
        fetch.check(given, remote, progress)
    except UserError as problem:
        raise UserError(
            f"--from {problem}. To use another file of weights: parsenet weights convert FILE OUT.safetensors, and weights=OUT"
        ) from None

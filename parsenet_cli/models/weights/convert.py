"""Weights files as this project keeps them: safetensors that say whose training they are and what input they expect.

A published file is downloaded once, put under the trunk's own names and written to `<results>/cache/weights/` with its
origin, checksum, channel order, mean and scale as metadata, which the loader applies: nobody can feed RGB to a BGR network.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from parsenet_cli.core import download
from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.files import atomic_write, file_lock, os_errors_as_user_errors, remove, sha256_of
from parsenet_cli.core.paths import absolute
from parsenet_cli.core.sealed import write_checksum_beside
from parsenet_cli.core.text import Progress, print_line
from parsenet_cli.models import trunks
from parsenet_cli.models.preprocessing_spec import InputNormalization, Order
from parsenet_cli.models.trunks import Architecture
from parsenet_cli.models.weights.read import Weights, check, layer_of, load, save
from parsenet_cli.models.weights.sources import converted_file, verified_metadata


@dataclass(frozen=True)
class Written:
    """What a conversion wrote; `order_from` is where the channel order is known from, as a clause."""

    file: Path
    tensors: int
    body: str
    normalization: InputNormalization
    order_from: str
    reinitialized: tuple[str, ...]

    def __str__(self) -> str:
        """One sentence for the user."""
        mean, std = (", ".join(map(str, values)) for values in (self.normalization.mean, self.normalization.std))
        without = f"; without {' and '.join(self.reinitialized)}, which a run draws" if self.reinitialized else ""
        return (
            f"{self.file}: {self.tensors} tensors of body {self.body}, channels in {self.normalization.order} order "
            f"({self.order_from}), mean {mean}, scale {std}{without}"
        )


def get_weights(trunk: str, name: str, folder: Path, progress: Progress, given: Path | None = None) -> Path:
    """The converted weights of a source below `folder`, made now unless they are there; `given` is the published file.

    Those that are there and damaged are made again.

    Raises:
        UserError: no mirror delivers it, or `given` is another file.
    """
    architecture = trunks.find(trunk)
    source, file = architecture.sources[name], converted_file(trunk, name, folder)
    if given is None and verified_metadata(file) is not None:
        return file
    lock = folder / f".{file.name}.lock"
    with os_errors_as_user_errors(folder), file_lock(lock, f"getting {file.name}", progress):
        metadata = verified_metadata(file)
        if metadata is None and file.is_file():
            print_line(f"{file}: is damaged; it is made again")
        remote = download.Remote(source.file, source.mirrors, source.checksum, source.size)
        if given is not None and not given.is_file():
            raise UserError(f"--from {given}: there is no such file")
        try:
            if given is not None:
                download.check(given, remote, progress)
        except UserError as problem:
            raise UserError(
                f"--from {problem}. To use another file of weights: parsenet weights convert FILE OUT.safetensors, and "
                "weights=OUT"
            ) from None
        if metadata is not None and (given is None or metadata.get("source_sha256") == sha256_of(given)):
            return file
        published = given or download.fetch(remote, folder, progress)
        progress(f"{source.file}: converting")
        about = {"origin": source.origin, "weights": name, "drawn": ",".join(source.reinitialized)}
        weights = replace(load(published), metadata=about)
        detected = architecture.detect_input(weights)
        order_from = "seen in its first filter" if detected else "as declared for this source"
        written = _write(weights, file, architecture, None, detected or source.normalization, order_from)
        write_checksum_beside(file)
        if given is None:
            remove(published)  # half a gigabyte that nothing reads again
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
    architecture = trunks.find(trunk)
    if out.suffix != ".safetensors":
        raise UserError(f"{out}: expected the name of a .safetensors file to write")
    if absolute(out) == absolute(file):
        raise UserError(f"{out}: would overwrite the file it is made from; give another name")
    if body is not None and body not in architecture.bodies:
        raise unknown(f"body of trunk {trunk}", body, architecture.bodies)
    weights = load(file)
    normalization = architecture.normalization(weights)
    if order is not None:
        normalization, order_from = normalization.in_order(order), "as you said"
    elif "channel_order" in weights.metadata:
        order_from = "as the file says"
    elif architecture.detect_input(weights) == normalization:
        order_from = "seen in its first filter"
    else:
        order_from = "assumed from its format and names"
    reinitialized = ("fc6", "fc7") if convolutions else weights.reinitialized
    about = {"origin": weights.origin, "drawn": ",".join(reinitialized)}
    return _write(replace(weights, metadata=about), out, architecture, body, normalization, order_from)


def _write(
    weights: Weights,
    out: Path,
    trunk: Architecture,
    body: str | None,
    normalization: InputNormalization,
    order_from: str,
) -> Written:
    """Adapt weights to a body and write them with their metadata; what they reinitialize is left out."""
    body = body or trunk.body_of(weights)
    with torch.device("meta"):
        parameters = dict(trunk.skeleton(body).named_parameters())
    adapted = trunk.adapt_weights(weights, body)
    kept = {key: adapted[key] for key in parameters if key in adapted and layer_of(key) not in weights.reinitialized}
    check(weights, kept, parameters, trunk.name)
    file = Path(weights.source)
    metadata = weights.metadata | {
        "source": file.name,
        "source_sha256": sha256_of(file),
        "trunk": trunk.name,
        "body": body,
    }
    with atomic_write(out) as stream:
        save(kept, {key: text for key, text in (metadata | normalization.metadata()).items() if text}, stream)
    return Written(out, len(kept), body, normalization, order_from, weights.reinitialized)

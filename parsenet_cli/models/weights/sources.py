"""Which weights there are, by name: each trunk's file declares its own. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.files import open_plain
from parsenet_cli.core.sealed import intact
from parsenet_cli.models import trunks
from parsenet_cli.models.trunks import Architecture

if TYPE_CHECKING:
    from parsenet_cli.core.run_config import Science
    from parsenet_cli.models.weights.source import Source

PRETRAINED_VERSION = 1
"""Raised when anything in engine/pretrain.py, in its trunk's widths or in its images changes."""


def choices(trunk: Architecture) -> list[str]:
    """The names the axis `weights` can take for a trunk, besides a file."""
    names = {"imagenet": bool(trunk.imagenet), **dict.fromkeys(trunk.sources, True), "pretrained": trunk.pretrained}
    return [*(name for name, there in names.items() if there), "none"]


def all_choices() -> list[str]:
    """The names the axis `weights` can take, for any trunk."""
    names = {name for trunk in trunks.names() for name in choices(trunks.find(trunk))}
    return [*sorted(names - {"none"}), "none"]


def resolve(trunk: Architecture, name: str, body: str) -> str:
    """The source that `name` means for a body: `imagenet` is each trunk's own default, others are themselves."""
    return trunk.imagenet.get(body, name) if name == "imagenet" else name


def unsupported(science: Science) -> str | None:
    """Why the named weights of a configuration cannot be had, as a clause that fits behind "n/a: ", or None.

    Weights from a file (`sha256:…`) are judged when the file is read.
    """
    trunk = trunks.find(science.trunk)
    name = science.weights.partition(":")[0]
    if name in all_choices() and name not in choices(trunk):
        return f"weights={name}: there are none for {science.trunk}, which knows {', '.join(choices(trunk))}"
    source = trunk.sources.get(name)
    if source and science.body in trunk.bodies and science.body not in source.bodies:
        others = [other for other in trunk.sources if science.body in trunk.sources[other].bodies]
        return f"weights={name} serve the bodies {' and '.join(source.bodies)}; body {science.body} needs {' or '.join(others)}"
    return None


def pretrained_identity(trunk: str) -> str:
    """What the weights are, known before they are made."""
    return f"pretrained:{trunk}:{PRETRAINED_VERSION}"


def source_names(trunk: str, name: str | None) -> list[str]:
    """The sources to get: `name`, or all that `weights=imagenet` means for the trunk. Raises `UserError` for unknown ones."""
    sources, imagenet = trunks.find(trunk).sources, trunks.find(trunk).imagenet
    if not sources:
        raise UserError(f"trunk {trunk} has no published weights; weights=pretrained makes them when a run needs them")
    if name is None or name == "imagenet":
        return sorted(set(imagenet.values()))
    if name not in sources:
        raise unknown(f"source of weights for {trunk}", name, sources)
    return [name]


def list_sources(folder: Path) -> Iterator[tuple[str, str, Source, Path, dict[str, str] | None]]:
    """All sources: trunk, name, source, its converted file below `folder`, and what that says; None where it is not here."""
    for trunk in trunks.names():
        for name, source in trunks.find(trunk).sources.items():
            file = converted_file(trunk, name, folder)
            yield trunk, name, source, file, read_metadata(file)


def converted_file(trunk: str, name: str, folder: Path) -> Path:
    """Where a source's converted weights lie."""
    return folder / f"{trunk}-{name}.safetensors"


def read_metadata(file: Path) -> dict[str, str] | None:
    """What a safetensors file says of itself, read from its header alone; None where it is missing or damaged."""
    from safetensors import SafetensorError, safe_open

    try:
        with open_plain(file), safe_open(file, framework="np") as opened:
            return dict(opened.metadata() or {})
    except (OSError, SafetensorError):
        return None


def verified_metadata(file: Path) -> dict[str, str] | None:
    """The same, of a file whose checksum is the one that was written beside it."""
    metadata = read_metadata(file)
    return metadata if metadata is not None and intact(file) else None

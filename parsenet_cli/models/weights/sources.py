"""Which weights there are, by name: each trunk's file declares its own. Nothing here imports torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.files import intact
from parsenet_cli.models import trunks
from parsenet_cli.models.trunks import Architecture
from parsenet_cli.models.weights.source import Source

if TYPE_CHECKING:
    from parsenet_cli.core.run_config import Science

PRETRAINED_VERSION = 1
"""Raised when anything in engine/pretrain.py, in its trunk's widths or in its images changes."""

_LARGEST_HEADER = 1 << 24


@dataclass(frozen=True)
class SourceEntry:
    """One named source of one trunk, its converted file, and that file's metadata: None where it is not here."""

    trunk: str
    name: str
    source: Source
    file: Path
    metadata: dict[str, str] | None


def choices(trunk: Architecture) -> list[str]:
    """The names the axis `weights` can take for a trunk, besides a file."""
    shared = ["imagenet"] if trunk.imagenet else []
    own = ["pretrained"] if trunk.pretrained else []
    return list(dict.fromkeys([*shared, *trunk.sources, *own, "none"]))


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


def list_sources(folder: Path) -> list[SourceEntry]:
    """All sources of all trunks; `folder` is that of the converted files."""
    entries = [(trunk, *entry) for trunk in trunks.names() for entry in trunks.find(trunk).sources.items()]
    files = [converted_file(trunk, name, folder) for trunk, name, _ in entries]
    return [SourceEntry(*entry, file, read_metadata(file)) for entry, file in zip(entries, files, strict=True)]


def converted_file(trunk: str, name: str, folder: Path) -> Path:
    """Where a source's converted weights lie."""
    return folder / f"{trunk}-{name}.safetensors"


def read_metadata(file: Path) -> dict[str, str] | None:
    """What a safetensors file says of itself, read from its header alone; None where it is missing or damaged."""
    try:
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            header = json.loads(opened.read(length)) if length <= _LARGEST_HEADER else {}
        metadata = header.pop("__metadata__", {})
        end = max(tensor["data_offsets"][1] for tensor in header.values())
        return dict(metadata) if file.stat().st_size == 8 + length + end else None
    except (OSError, ValueError, AttributeError, KeyError, TypeError, IndexError):
        return None


def verified_metadata(file: Path) -> dict[str, str] | None:
    """The same, of a file whose checksum is the one that was written beside it."""
    metadata = read_metadata(file)
    return metadata if metadata is not None and intact(file) else None

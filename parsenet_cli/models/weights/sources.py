"""Where a trunk's pretrained weights come from, as data: each trunk's file declares its own. Nothing here imports torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsenet_cli.core import paths
from parsenet_cli.models import trunks

if TYPE_CHECKING:
    from parsenet_cli.core.run_config import Science
    from parsenet_cli.models.trunks import TrunkModule


def choices(trunk: TrunkModule) -> list[str]:
    """The names the axis `weights` can take for a trunk, besides a file."""
    shared = ["imagenet"] if trunk.IMAGENET else []
    own = ["pretrained"] if trunk.PRETRAINED else []
    return list(dict.fromkeys([*shared, *trunk.SOURCES, *own, "none"]))


def all_choices() -> list[str]:
    """The names the axis `weights` can take, for any trunk."""
    names = [name for trunk in paths.modules("models/trunks") for name in choices(trunks.find(trunk))]
    return [*sorted(set(names) - {"none"}), "none"]


def resolve(trunk: TrunkModule, name: str, body: str) -> str:
    """The source that `name` means for a body: `imagenet` is each trunk's own default, others are themselves."""
    return trunk.IMAGENET.get(body, name) if name == "imagenet" else name


def unsupported(science: Science) -> str | None:
    """Why the named weights of a configuration cannot be had, as a clause that fits behind "n/a: ", or None.

    Weights from a file (`sha256:…`) are judged when the file is read.
    """
    trunk = trunks.find(science.trunk)
    name = science.weights.partition(":")[0]
    known = choices(trunk)
    if name in all_choices() and name not in known:
        return f"weights={name}: there are none for {science.trunk}, which knows {', '.join(known)}"
    source = trunk.SOURCES.get(name)
    if source and science.body in trunk.BODIES and science.body not in source.bodies:
        able = [other for other, found in trunk.SOURCES.items() if science.body in found.bodies]
        return f"weights={name} serve the bodies {' and '.join(source.bodies)}; body {science.body} needs {' or '.join(able)}"
    return None


PRETRAINED_VERSION = 1
"""Raised when anything here, in the trunk's widths or in the pictures changes."""


def pretrained_identity(trunk: str) -> str:
    """What the weights are, known before they are made."""
    return f"pretrained:{trunk}:{PRETRAINED_VERSION}"

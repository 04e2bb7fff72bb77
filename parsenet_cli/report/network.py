"""`parsenet network`: the networks of some configurations, drawn up without memory, data or weights.

Where the cells of each map lie and what they see, as models/geometry.py finds it in the modules themselves; parameters,
preprocessing, what the head reads, and what deviates from the protocol's defaults.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from parsenet_cli.config import deviations
from parsenet_cli.config.compose import Composer
from parsenet_cli.config.overrides import key_of, values_of
from parsenet_cli.config.profile import Profile
from parsenet_cli.core.errors import UserError
from parsenet_cli.data import sets
from parsenet_cli.models import support
from parsenet_cli.report.blocks import Grid, words

BASELINES = tuple(
    ("layers=[fc7]", "norm=none", *overrides)
    for overrides in (
        ("body=fcn", "pad100=true"),
        ("body=fcn",),
        ("body=reduced",),
        ("body=deeplab",),
        ("body=deeplab", "deeplab_kernel=7"),
        ("body=largefov",),
    )
)
"""The bodies of the paper with a classifier on fc7: what is shown when nothing is named (docs/protocol.md, "Bodies")."""

HEADS = ("network", "map", "layer", "channels", "stride", "offset", "receptive field")

MOST_NETWORKS = 1000


@dataclass(frozen=True)
class Network:
    """One network as JSON values: `features`, `parameters`, `reads`, `preprocessing`, `remarks`, `deviations`."""

    name: str
    content: dict[str, Any]


def configurations(arguments: Sequence[str]) -> list[tuple[str, ...]]:
    """Every combination of the overrides, in Hydra's grammar (`body=fcn,reduced`); the paper's bodies where there are none.

    Raises `UserError` for an override that does not parse or whose key does not exist.
    """
    values = [_values(text) for text in arguments]
    if math.prod(map(len, values)) > MOST_NETWORKS:
        raise UserError(f"more than {MOST_NETWORKS} networks: name fewer values")
    return list(product(*values)) if arguments else list(BASELINES)


def networks(
    arguments: Sequence[str], profile: Profile, cache: Path, size: tuple[int, int], classes: int
) -> list[Network]:
    """The networks of `configurations(arguments)` for an image of `size` (height, width) and a number of classes.

    Of the paper's bodies, which are shown where nothing is named, those that the profile's trunk does not have are left out.
    Raises `UserError` for a wrong override, a network that cannot be built, and an image too small for it.
    """
    from parsenet_cli.models.describe import describe_network

    chosen = configurations(arguments)
    varied = {text for cell in chosen for text in cell if any(text not in other for other in chosen)}
    found = []
    for cell in chosen:
        name = " ".join(text for text in cell if text in varied or len(chosen) == 1) or "default"
        try:
            science = Composer(profile, cell, cache).science()
            reason = support.unsupported(science) or sets.unpublished_mean(science)
            if reason and arguments:
                raise UserError(f"{science.trunk}: {reason}")
            if reason is None:
                mean = sets.published_mean(science.data) if science.input_mean == "data" else None
                deviating = deviations.deviations_of(deviations.settings_of(science))
                content = describe_network(science, classes, size, mean) | {"deviations": [d.text for d in deviating]}
                found.append(Network(name, content))
        except UserError as problem:
            raise UserError(f"{name}: {problem}") from None
    return found


def image_size(text: str) -> tuple[int, int]:
    """`500x375`, width and height as of an image -> (375, 500), height and width. Raises `UserError` for anything else."""
    match = re.fullmatch("([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", text)
    if not match:
        raise UserError(f"--size {text}: expected width x height in pixels, each up to 99999, for example 500x375")
    return int(match[2]), int(match[1])


def network_grid(networks: Sequence[Network]) -> Grid:
    """One row per map; below, what is to be said of each network, and once what is to be said of all."""
    height, width = networks[0].content["size"]
    remarks = {network.name: list(_remarks(network)) for network in networks}
    first, *others = remarks.values()
    shared = [line for line in first if others and all(line in lines for lines in others)]
    notes = [PLACE, *(f"{name}: {line}" for name, lines in remarks.items() for line in lines if line not in shared)]
    return words(
        (*HEADS, f"cells at {width}x{height}"),
        _rows(networks),
        labels=3,
        prose=False,
        notes=[*notes, *(f"all of them: {line}" for line in shared)],
    )


PLACE = (
    "Cell i of a map is centred on pixel stride * i + offset of the image; the receptive field is the theoretical one."
)


def _values(text: str) -> list[str]:
    values = values_of(text)
    return [text] if values is None else [f"{key_of(text)}={value}" for value in values]


def _rows(networks: Sequence[Network]) -> Iterator[list[str]]:
    for network in networks:
        name = network.name
        for tap, feature in network.content["features"].items():
            height, width = feature["cells"]
            numbers = (feature["channels"], feature["stride"], deviations.as_text(feature["offset"]), feature["field"])
            yield [name, tap, feature["layer"], *map(str, numbers), f"{width}x{height}"]
            name = ""


def _remarks(network: Network) -> Iterator[str]:
    content = network.content
    counts = (content[key] for key in ("trunk_parameters", "head_parameters", "parameters"))
    trunk, head, total = (f"{count:,}".replace(",", " ") for count in counts)
    yield f"parameters: {trunk} trunk + {head} head = {total}, with {content['classes']} classes"
    convention = content["preprocessing"]
    mean, std = (deviations.as_text(convention[key]) for key in ("mean", "std"))
    yield f"weights: {content['weights']}"
    yield f"input: {convention['order']}, 0 to 255, minus {mean}, over {std}"
    yield f"the head reads {', '.join(content['reads'])}"
    if content["remarks"]:
        yield f"trunk: {content['remarks']}"
    for text in content["deviations"]:
        yield f"not the default: {text}"

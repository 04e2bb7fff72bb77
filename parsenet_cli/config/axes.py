"""The ablation axes as a reader meets them: what each means and takes, and its defaults. The words are conf/config.yaml's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from parsenet_cli.config.compose import PRIMARY, axis_defaults
from parsenet_cli.config.overrides import AXES, LITERAL, axis_choices, key_of
from parsenet_cli.config.profile import Profile
from parsenet_cli.core import paths
from parsenet_cli.core.bounds import range_of
from parsenet_cli.core.files import read_text
from parsenet_cli.core.run_config import LAYERS, Runtime, Science

_SECTION = re.compile(r"# -{3,} (?P<title>.*?) -{3,}")
_KEY = re.compile(r"(?P<key>[a-z0-9_]+):[^#]*(#\s*(?P<says>.*))?")
_MORE = re.compile(r"\s+#\s*(?P<says>.*)")

_FIELDS = {**Science.model_fields, **Runtime.model_fields}


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        section: The heading in conf/config.yaml that it stands below.
        says: Its comment there.
        takes: Its values (`early | late`), or their kind (`a number from 0 to below 1`).
    """

    name: str
    section: str
    says: str
    takes: str


@cache
def axes() -> tuple[Axis, ...]:
    """Every axis, in the order of the configuration."""
    written = _comments(read_text(paths.shipped("conf") / f"{PRIMARY}.yaml"))
    return tuple(Axis(name, *written.get(name, ("", "")), takes(name)) for name in AXES)


def takes(axis: str) -> str:
    """What values an axis has: `none | l2`, or their kind, as its type says: a number with its bounds, a list, a path."""
    choices, field = axis_choices(axis), _FIELDS[axis]
    parts = [part for part in get_args(field.annotation) if part is not NoneType] or [field.annotation]
    null = ", or null" if NoneType in get_args(field.annotation) else ""
    if axis == "layers":
        return f"a list of {' | '.join(choices)}"
    if choices:
        return " | ".join(choices) + (" | a file" if axis in LITERAL else "") + null
    if axis in LITERAL:
        return f"a path{null}"
    inner = next(
        (get_args(part)[0] for part in (field.annotation, *parts) if getattr(part, "__origin__", None) is tuple), None
    )
    if get_origin(inner) is Literal:
        return f"a list of {' | '.join(get_args(inner))}{null}"
    if field.annotation and getattr(field.annotation, "__origin__", None) is dict:
        return f"factors such as {{conv4: 0.063}} for some of {' | '.join(LAYERS)}"
    if inner is not None:
        return f"a list of {'names' if inner is str else 'whole numbers'}{null}"
    return range_of(field) + null if parts[0] is not str else f"a name{null}"


def defaults_under(profile: Profile) -> dict[str, Any]:
    """Every axis and group with the value that it has under a profile where nothing else is said."""
    values = {**axis_defaults(), **{key_of(text): text.partition("=")[2] for text in profile.overrides}}
    return values | {key: profile.stand_in(key, str(values[key])) for key in ("data", "recipe")}


def _comments(text: str) -> dict[str, tuple[str, str]]:
    """Section and comment of each key; a comment goes on in the lines below that hold nothing else."""
    found: dict[str, tuple[str, str]] = {}
    section, key = "", None
    for line in text.splitlines():
        if title := _SECTION.match(line):
            section, key = title["title"], None
        elif entry := _KEY.fullmatch(line):
            key = entry["key"]
            found[key] = section, (entry["says"] or "").strip()
        elif key and (more := _MORE.fullmatch(line)):
            found[key] = section, f"{found[key][1]} {more['says'].strip()}"
        else:
            key = None
    return found

"""What was measured for figures: results/figures/<name>/<key>.json, so that claims and the report compute nothing again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from parsenet_cli.core.bounds import build
from parsenet_cli.core.sealed import read_verified, write_with_checksum
from parsenet_cli.store.run import Store
from parsenet_cli.store.study import Study

Data = dict[str, Any]
"""A measurement: the figure's own numbers, beside `figure`, `created`, `about` and `options`."""


def measurement_key(subject: str, options: Mapping[str, Any]) -> str:
    """What a measurement is kept under: what it is of, and a digest of the options that are not the defaults."""
    if not options:
        return subject
    return f"{subject}-{hashlib.sha256(json.dumps(dict(options), sort_keys=True).encode()).hexdigest()[:8]}"


def file_of(store: Store, name: str, key: str) -> Path:
    """Where a measurement is kept."""
    return store.figures / name / f"{key}.json"


def save(store: Store, name: str, key: str, data: Data) -> None:
    """Keep a measurement, whole."""
    write_with_checksum(file_of(store, name, key), data)


def load(store: Store, name: str, key: str) -> Data | None:
    """What was measured for a figure under a key; None where there is nothing, or something damaged."""
    return _read(file_of(store, name, key), name)


def load_all(store: Store, name: str) -> dict[str, Data]:
    """Every measurement of a figure by its key. Files that hold none, and damaged ones, are passed over."""
    read = {file.stem: _read(file, name) for file in sorted((store.figures / name).glob("*.json"))}
    return {key: data for key, data in read.items() if data is not None}


def belongs(data: Data, studies: Sequence[Study]) -> bool:
    """Whether a measurement is of one of these studies, of a run of theirs, or of a network under their profile."""
    about = data.get("about")
    if not isinstance(about, dict):
        return False
    if about.get("study"):
        return about["study"] in {study.name for study in studies}
    if about.get("run"):
        return any(about["run"] in study.signatures for study in studies)
    return about.get("profile") in {study.profile for study in studies}


def newest_first(store: Store, name: str, studies: Sequence[Study]) -> list[Data]:
    """What was measured for a figure that belongs to these studies, the last measurement first."""
    mine = [data for data in load_all(store, name).values() if belongs(data, studies)]
    return sorted(mine, key=lambda data: str(data.get("created", "")), reverse=True)


def _read(file: Path, name: str) -> Data | None:
    content = read_verified(file, unsealed_too=True)
    try:
        return content if content is not None and build(_Known, content).figure == name else None
    except ValueError:
        return None


class _About(TypedDict, total=False):
    study: str | None
    run: str | None
    profile: str | None


@dataclass(frozen=True)
class _Known:
    """What every measurement says of itself, whatever its figure; the figure's own numbers are looked at when it is drawn."""

    figure: str
    created: str = ""
    about: _About = field(default_factory=lambda: _About())
    options: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)

"""TODO."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from parsenet_cli.core.files import read_verified, write_with_checksum

if TYPE_CHECKING:
    from pathlib import Path

    from parsenet_cli.store.run import Store
    from parsenet_cli.store.study import Study

Data = dict[str, Any]


def measurement_key(of: str, chosen: Mapping[str, Any]) -> str:
    """What a measurement is kept under: what it is of, and a digest of the options that are not the defaults."""
    if not chosen:
        return of
    return f"{of}-{hashlib.sha256(json.dumps(dict(chosen), sort_keys=True).encode()).hexdigest()[:8]}"


def file_of(store: Store, name: str, under: str) -> Path:
    """Where a measurement is kept."""
    return store.root / "figures" / name / f"{under}.json"


def save(store: Store, name: str, under: str, data: Data) -> None:
    """Keep a measurement, whole."""
    write_with_checksum(file_of(store, name, under), data)


def load(store: Store, name: str, under: str | None = None) -> Data | None:
    """What was measured for a figure: the newest, or that of a key (a study's name, for figures of studies); else None."""
    files = [file_of(store, name, under)] if under else _files(store, name)
    return max(_read(files, name), key=lambda content: str(content.get("created", "")), default=None)


def load_all(store: Store, name: str) -> list[Data]:
    """Everything that was measured for a figure. Files that hold no measurement of it, and damaged ones, are passed over."""
    return _read(_files(store, name), name)


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


def newest(store: Store, name: str, studies: Sequence[Study]) -> Data | None:
    """What was last measured for a figure that belongs to these studies; None for nothing."""
    mine = [data for data in load_all(store, name) if belongs(data, studies)]
    return max(mine, key=lambda data: str(data.get("created", "")), default=None)


def _files(store: Store, name: str) -> list[Path]:
    return sorted((store.root / "figures" / name).glob("*.json"))


def _read(files: Sequence[Path], name: str) -> list[Data]:
    contents = [read_verified(file, unsealed_too=True) for file in files]
    return [content for content in contents if content is not None and content.get("figure") == name]

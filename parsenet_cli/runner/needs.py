"""What runs need besides themselves: data and weights that are not here, and room in the cache."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from parsenet_cli.config.identity import data_options
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.core.text import size_text
from parsenet_cli.data import footprint, releases
from parsenet_cli.data.cache import CacheFile
from parsenet_cli.models import trunks
from parsenet_cli.models.weights import sources


@dataclass(frozen=True)
class NotHere:
    """Data or weights that runs need and that are not here.

    Attributes:
        what: As an override names it: `data=voc12`.
        command: What gets it; None where nothing does.
        otherwise: What there is to do besides, in words.
        bytes: To be downloaded, about; None where that is not known.
    """

    what: str
    command: str | None
    otherwise: str
    bytes: float | None = None

    def __str__(self) -> str:
        """One sentence for the user."""
        size = f" (about {size_text(self.bytes)} to download)" if self.bytes else ""
        get = f"`{self.command}`{size}, or " if self.command else ""
        return f"not here: {self.what}: {get}{self.otherwise}"


@dataclass(frozen=True)
class CacheRoom:
    """What runs need in the cache: generated data sets, and every image decoded once.

    Attributes:
        to_write: Bytes that are still to be written, about; of what is known.
        there: Bytes that are there.
        unknown: Data sets that do not say what they take, as `data=` names them.
    """

    to_write: float
    there: float
    unknown: tuple[str, ...] = ()


def not_here(runs: Iterable[RunConfig], cache: Path) -> tuple[NotHere, ...]:
    """The data sets, then the published weights, that these runs need and that are not here."""
    sciences = [run.science for run in runs]
    missing = [_data(name) for name in dict.fromkeys(science.data for science in sciences if not science.data_id)]
    for trunk, name in dict.fromkeys((science.trunk, science.weights) for science in sciences):
        source = trunks.find(trunk).sources.get(name)
        if source and not sources.converted_file(trunk, name, cache / "weights").is_file():
            whole = None if source.reinitialized else trunks.find(trunk).weights_count(source.bodies[0])
            size = source.size or (4 * whole if whole else None)
            command = f"parsenet weights get {name} --trunk {trunk}"
            missing.append(NotHere(f"weights={name}", command, "a run that needs them downloads them", size))
    return tuple(missing)


def _data(name: str) -> NotHere:
    here = "pass data_root=/path/to/folder"
    if name not in releases.names():
        return NotHere(f"data={name}", None, here)
    return NotHere(f"data={name}", f"parsenet data get {name}", here, releases.find(name).about_bytes)


def cache_room(runs: Sequence[RunConfig], cache: Path) -> CacheRoom:
    """What these runs need in the cache. Raises `UserError` for data that are here and incomplete."""
    asked = dict.fromkeys((run.science.data, data_options(run, cache)) for run in runs)
    files: dict[Path, CacheFile] = {}
    unknown = []
    for name, options in asked:
        found = footprint.cache_files(name, options)
        if found is None:
            unknown.append(name)
        files |= {file.path: file for file in found or ()}
    return CacheRoom(
        to_write=sum(file.bytes for file in files.values() if not file.there),
        there=sum(file.bytes for file in files.values() if file.there),
        unknown=tuple(dict.fromkeys(unknown)),
    )

"""Data sets that are painted on first use, once and always the same, in the layout of the real ones."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from parsenet_cli.core.files import file_lock, os_errors_as_user_errors, read_json, sha256_of, write_json
from parsenet_cli.core.text import Progress
from parsenet_cli.data.fingerprint import digest
from parsenet_cli.data.synthetic.scenes import SPLITS, Scene

Paint = Callable[[np.random.Generator], Scene]
_STREAMS = {"train": 0, "val": 1, "pretrain": 2}


class Layout(Protocol):
    """How a data set lies on disk."""

    def write(self, root: Path, name: str, scene: Scene) -> None:
        """Write one picture and its labels under the id `name`."""

    def finish(self, root: Path, lists: Mapping[str, Sequence[str]]) -> None:
        """Write the lists (`train`, `val`) and whatever else belongs to the layout."""


def generator(version: int, part: str, index: int) -> np.random.Generator:
    """The random numbers of one picture: those of `train`, `val` and `pretrain` never meet."""
    return np.random.default_rng([version, _STREAMS[part], index])


def ensure_generated(name: str, version: int, paint: Paint, layout: Layout, cache: Path, progress: Progress) -> Path:
    """The folder `<cache>/generated/<name>-<version>`, painted now unless it is there, whole and unchanged."""
    root = cache / "generated" / f"{name}-{version}"
    said = f"painting {name}: waiting for another process that does it"
    with os_errors_as_user_errors(root.parent), file_lock(root.with_suffix(".lock"), lambda: progress(said)):
        if not _unchanged(root):
            if _seal(root).is_file():
                print(f"{root}: files of this generated data set are damaged or gone; it is painted again", flush=True)
            shutil.rmtree(root, ignore_errors=True)
            _paint(root, name, version, paint, layout, progress)
            write_json(_seal(root), _content(root))
    return root


def _paint(root: Path, name: str, version: int, paint: Paint, layout: Layout, progress: Progress) -> None:
    lists = {part: [f"{part}_{index:04d}" for index in range(count)] for part, count in SPLITS.items()}
    total, done = sum(SPLITS.values()), 0
    for part, ids in lists.items():
        for index, identifier in enumerate(ids):
            layout.write(root, identifier, paint(generator(version, part, index)))
            done += 1
            if done % 50 == 0 or done == total:
                progress(f"painting {name}: {done} of {total}")
    layout.finish(root, lists)


def _seal(root: Path) -> Path:
    return root.with_suffix(".json")


def _unchanged(root: Path) -> bool:
    return root.is_dir() and read_json(_seal(root)) == _content(root)


def _content(root: Path) -> str:
    """A digest of all files as they are now: hashes that are remembered would not tell a file that its disk has changed."""
    files = sorted(file for file in root.rglob("*") if file.is_file())
    return digest([*(str(file.relative_to(root)) for file in files), *map(sha256_of, files)])

"""Data sets that are drawn on first use, once and always the same, in the layout of the real ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

from parsenet_cli.core.files import file_lock, new_file, os_errors_as_user_errors, remove, sha256_of
from parsenet_cli.core.sealed import read_json, write_json
from parsenet_cli.core.text import Progress, print_line
from parsenet_cli.data.dataset import Image
from parsenet_cli.data.fingerprint import digest
from parsenet_cli.data.synthetic.scenes import SPLITS, Scene

Draw = Callable[[np.random.Generator], Scene]
_STREAMS = {"train": 0, "val": 1, "pretrain": 2}


class LayoutWriter(Protocol):
    """How a generated data set is put on disk."""

    def write(self, root: Path, name: str, scene: Scene) -> None:
        """Write one image and its labels under the id `name`."""

    def finish(self, root: Path, lists: Mapping[str, Sequence[str]]) -> None:
        """Write the lists (`train`, `val`) and whatever else belongs to the layout."""


def generator(version: int, part: str, index: int) -> np.random.Generator:
    """The random numbers of one image: those of `train`, `val` and `pretrain` never meet."""
    return np.random.default_rng([version, _STREAMS[part], index])


def folder(name: str, version: int, cache: Path) -> Path:
    """Where a generated data set lies."""
    return cache / "generated" / f"{name}-{version}"


def ensure_generated(
    name: str, version: int, draw: Draw, writer: LayoutWriter, cache: Path, progress: Progress
) -> Path:
    """The folder `<cache>/generated/<name>-<version>`, drawn now unless it is there, whole and unchanged."""
    root = folder(name, version, cache)
    seal = root.with_suffix(".json")
    lock = root.with_suffix(".lock")
    with os_errors_as_user_errors(root.parent), file_lock(lock, f"drawing {name}", progress):
        if not root.is_dir() or read_json(seal) != _content(root):
            if seal.is_file():
                print_line(f"{root}: files of this generated data set are damaged or gone; it is drawn again")
            remove(root)
            lists = {part: [f"{part}_{index:04d}" for index in range(count)] for part, count in SPLITS.items()}
            scenes = [(part, index, identifier) for part, ids in lists.items() for index, identifier in enumerate(ids)]
            for done, (part, index, identifier) in enumerate(scenes, start=1):
                writer.write(root, identifier, draw(generator(version, part, index)))
                if done % 50 == 0 or done == len(scenes):
                    progress(f"drawing {name}: {done} of {len(scenes)}")
            writer.finish(root, lists)
            write_json(seal, _content(root))
    return root


def write_jpg(file: Path, image: Image) -> None:
    """Write an image, RGB (H, W, 3), of high quality."""
    from PIL import Image as Pillow

    with new_file(file) as stream:
        Pillow.fromarray(image).save(stream, "JPEG", quality=92, subsampling=0)


def write_mat(file: Path, **matrices: Any) -> None:
    """Write a MATLAB file with these variables."""
    from scipy.io import savemat

    with new_file(file) as stream:
        savemat(cast("Any", stream), matrices, do_compression=True)


def _content(root: Path) -> str:
    """A digest of all files as they are now: hashes that are remembered would not tell a file that its disk has changed."""
    files = sorted(file for file in root.rglob("*") if file.is_file())
    return digest([*(str(file.relative_to(root)) for file in files), *map(sha256_of, files)])

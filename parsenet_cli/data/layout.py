"""A data set as it lies in a folder: lists of ids, the files that belong to each id, and how its labels are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from parsenet_cli.core import paths
from parsenet_cli.core.errors import DataNotHere, UserError, unknown
from parsenet_cli.core.files import os_error_text, read_text, write_text
from parsenet_cli.core.text import Progress, check_name
from parsenet_cli.data.cache import CacheFile, decoded, source_content, would_decode
from parsenet_cli.data.dataset import IGNORED, DataOptions, Dataset, class_indices
from parsenet_cli.data.decoding import Listing, ReadLabel
from parsenet_cli.data.fingerprint import digest

Lists = dict[str, Listing]

LARGEST_LIST = 16 << 20
"""In bytes; a list of VOC's has 150 kB."""


@dataclass(frozen=True)
class Layout:
    """What is read of a folder: everything that its identity and its decoded splits are made of.

    Attributes:
        splits: Two: what is trained on and what is scored on, under the names that their caches have.
        coding: How label files become ids, as far as that depends on more than their content.
        more: What else the data are identified by.
    """

    name: str
    classes: tuple[str, ...]
    splits: Lists
    read_label: ReadLabel
    coding: str
    ignore: int | None = IGNORED
    more: tuple[str, ...] = ()

    def identity(self, options: DataOptions, progress: Progress) -> str:
        """`name:` and a hash of the content of all images, label files and lists in use.

        Raises `UserError` for missing files, and for unknown names in `options.classes`.
        """
        if options.classes is not None:
            class_indices(self.classes, options.classes)
        parts = [*self.classes, *self.more]
        for listing in self.splits.values():
            parts += source_content(listing, options.cache, progress)
        return f"{self.name}:{digest(parts)}"

    def open_dataset(self, options: DataOptions, progress: Progress) -> Dataset:
        """Both splits, decoded. Raises `UserError` for missing or broken files."""
        train, val = (
            decoded(f"{self.name}-{part}", listing, self.read_label, self.coding, options.cache, progress)
            for part, listing in self.splits.items()
        )
        return Dataset(self.classes, self.ignore, train, val).select_classes(options.classes)

    def cache_files(self, options: DataOptions) -> list[CacheFile]:
        """What `open_dataset` decodes into the cache. Raises `UserError` for missing files."""
        return [
            would_decode(f"{self.name}-{part}", listing, self.coding, options.cache)
            for part, listing in self.splits.items()
        ]


def required_root(options: DataOptions, data: str, holds: str) -> Path:
    """The folder the user's data lies in. Raises `DataNotHere` when it is not given, `UserError` when it is not there."""
    if options.root is None:
        get = f"run `parsenet data get {data}`, or " if data in paths.modules("data/releases") else ""
        raise DataNotHere(
            f"data={data} needs to know where the files are: {get}pass data_root=/path/to/folder ({holds})"
        )
    if not options.root.is_dir():
        raise UserError(f"data_root={options.root}: no such folder; data={data} expects {holds} there")
    return options.root


def check_train_split(options: DataOptions, data: str, splits: Iterable[str] = ("train_aug",)) -> None:
    """Raises `UserError` for a `train_split` that the data set does not have."""
    valid = list(splits)
    if options.train_split not in valid and len(valid) == 1:
        raise UserError(f"train_split={options.train_split}: {data} has one training list; leave train_split alone")
    if options.train_split not in valid:
        raise unknown("train_split", options.train_split, valid)


def read_lines(file: Path, expected: str) -> list[str]:
    """The lines of a file that are not blank. Raises `UserError` where there is no such file, or it is no text in UTF-8."""
    return [line for _, line in _numbered_lines(file, expected)]


def read_ids(
    listing: Path, expected: str = "one id per line", id_of: Callable[[str], str] = lambda word: word
) -> list[str]:
    """The ids of a list, each of which can only name a file of its folder; `id_of` takes one out of how the list spells it.

    Raises `UserError` where there is no such file or, with its line, for an id that cannot be the name of a file.
    """
    ids = []
    for number, line in _numbered_lines(listing, expected):
        for word in line.split():
            try:
                ids.append(check_name(id_of(word), "id"))
            except UserError as problem:
                raise UserError(f"{listing}:{number}: {problem}") from None
    return ids


def _numbered_lines(file: Path, expected: str) -> list[tuple[int, str]]:
    try:
        lines = read_text(file, LARGEST_LIST).split("\n")
    except FileNotFoundError:
        raise UserError(f"{file}: no such file; expected {expected}") from None
    except OSError as problem:
        raise UserError(f"{os_error_text(problem)}; expected {expected}") from None
    return [(number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip()]


def write_ids(listing: Path, ids: Iterable[str]) -> None:
    """Write a list of ids, or of other lines."""
    write_text(listing, "".join(f"{line}\n" for line in ids))


def ids_in(folder: Path, suffix: str) -> list[str]:
    """The ids of the files in a folder, sorted. Raises `UserError` where there is no such folder."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; expected the images there, as {suffix}")
    ids = sorted(file.stem for file in folder.glob(f"[!.]*{suffix}"))
    try:
        return [check_name(name, "id") for name in ids]
    except UserError as problem:
        raise UserError(f"{folder}: {problem}") from None

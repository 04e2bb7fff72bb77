"""What is published of a data set: its archives, what is taken from them, and what must come out.

A data set that can be had with `parsenet data get NAME` is a module NAME of `parsenet_cli/data/getting` with `PUBLISHED`.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from parsenet_cli.core import paths
from parsenet_cli.core.download import Remote
from parsenet_cli.core.errors import unknown
from parsenet_cli.core.text import Progress
from parsenet_cli.data.decoding import Source

Lists = dict[str, tuple[Path, list[Source]]]
"""The lists of ids of a data set by name: the file that lists them, and the pictures with their labels."""

_NAMED = 5


@dataclass(frozen=True)
class Archive:
    """A published archive and what is taken from it."""

    remote: Remote
    place: Callable[[str], str | None]
    """From a member's name to its path in the prepared folder; None: not taken."""
    needed: bool = True
    """False: taken only where the user names it with --from."""
    verify: Callable[[Path], None] | None = None
    """Called with the folder after extraction; raises `UserError` when what is in it is not what it should be."""


@dataclass(frozen=True)
class Expected:
    """The official numbers of ids in the lists, by the lists' names."""

    counts: Mapping[str, int]
    ids_md5: Mapping[str, str] = field(default_factory=dict)
    """md5 of the sorted ids, one per line, where it is published."""
    optional: tuple[str, ...] = ()
    """Lists that nobody misses."""


@dataclass(frozen=True)
class Release:
    """A data set as it is published."""

    name: str
    about: str
    archives: tuple[Archive, ...]
    expected: Expected
    finish: Callable[[Path, Progress], None]
    """Derives in the folder what the archives do not hold: merged masks, lists. It can be called again."""
    temporary: tuple[str, ...] = ()
    """Folders that only `finish` needs."""
    remark: str = ""
    """What a user should know once it is prepared."""


def names() -> list[str]:
    """The data sets that can be had."""
    return paths.modules("data/releases")


def find(name: str) -> Release:
    """Raises `UserError` for a data set that cannot be had."""
    if name not in names():
        raise unknown("data set", name, names())
    published: Release = importlib.import_module(f"parsenet_cli.data.releases.{name}").PUBLISHED
    return published


def lists_of(name: str, root: Path) -> Lists:
    """The lists of the data set `name` (a module of `parsenet_cli/data` with the function `lists`) in the folder `root`."""
    lists: Lists = importlib.import_module(f"parsenet_cli.data.sets.{name}").lists(root)
    return lists


def differences(lists: Lists, expected: Expected) -> list[str]:
    """In what the lists differ from the official ones, naming ids where the files tell which; empty when they do not."""
    found = []
    for name, count in expected.counts.items():
        if name not in lists:
            if name in expected.optional:
                continue
            found.append(f"the list '{name}' is missing; expected {count} ids")
            continue
        listing, sources = lists[name]
        ids = [source.id for source in sources]
        if len(ids) != count:
            found.append(f"{listing}: {len(ids)} ids in the list '{name}', expected {count}")
        elif name in expected.ids_md5 and expected.ids_md5[name] not in _md5_of_ids(ids):
            found.append(
                f"{listing}: {count} ids as expected, but not the official ones (md5 of the sorted ids {_md5_of_ids(ids)[0]}, "
                f"expected {expected.ids_md5[name]})"
            )
    return [*found, *_unpaired(lists)] if found else []


def _unpaired(lists: Lists) -> list[str]:
    sources = {source.id: source for _, listed in lists.values() for source in listed}
    folders = {source.label.parent: source.label.suffix for source in sources.values()}
    labelled = {file.stem for folder, suffix in folders.items() for file in folder.glob(f"*{suffix}")}
    pictured = {
        folder: {file.name for file in folder.glob("*")} for folder in {s.image.parent for s in sources.values()}
    }
    no_picture = [name for name, source in sources.items() if source.image.name not in pictured[source.image.parent]]
    return [
        f"{what}: {some(sorted(ids))}"
        for what, ids in (
            ("listed, but without a picture", set(no_picture)),
            ("listed, but without labels", set(sources) - labelled),
            ("with labels, but in no list", labelled - set(sources)),
        )
        if ids
    ]


def some(ids: Sequence[str]) -> str:
    """The first few ids, and how many there are."""
    return ", ".join(ids[:_NAMED]) + (f", … ({len(ids)} in all)" if len(ids) > _NAMED else "")


def _md5_of_ids(ids: Sequence[str]) -> tuple[str, str]:
    """Of the sorted ids, one per line, with and without an end of line after the last: published sums do not say."""
    text = "\n".join(sorted(ids))
    return hashlib.md5(f"{text}\n".encode()).hexdigest(), hashlib.md5(text.encode()).hexdigest()

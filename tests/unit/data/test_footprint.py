"""What a data set will take in the cache, told before it is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from parsenet_cli.core.errors import UserError
from parsenet_cli.data import sets
from parsenet_cli.data.dataset import DataOptions
from parsenet_cli.data.footprint import cache_files
from tests import voc_folder


def sizes(name: str, options: DataOptions) -> list[tuple[float, bool]]:
    return [(file.bytes, file.there) for file in cache_files(name, options) or ()]


def test_photos_are_told_by_their_size_and_then_by_what_is_there(tmp_path: Path) -> None:
    ids = " ".join(f"p{i}" for i in range(60))  # more than are looked at
    root = voc_folder.write(tmp_path / "photos", "no yes", height=10, width=7, train=ids, val="p1 p2")
    options = DataOptions(root, tmp_path / "cache")
    assert sizes("folder", options) == [(60 * 280, False), (2 * 280, False)]
    sets.find("folder").open_dataset(options)
    assert sizes("folder", options) == [(60 * 280, True), (2 * 280, True)]
    voc_folder.write_ids(root / "ImageSets" / "Segmentation" / "val.txt", "p1")
    assert sizes("folder", options) == [(60 * 280, True), (280, False)]


def test_image_that_cannot_be_read_is_left_to_the_run_to_complain_of(tmp_path: Path) -> None:
    root = voc_folder.write(tmp_path / "photos", "no yes", train="a b", val="c")
    (root / "JPEGImages" / "a.jpg").write_bytes(b"torn")
    assert sizes("folder", DataOptions(root, tmp_path / "cache")) == [(2 * 192, False), (192, False)]


def test_generated_data_are_known_before_they_are_drawn(tmp_path: Path, cache: Path) -> None:
    name = "synthetic_siftflow"
    sets.find(name).open_dataset(DataOptions(None, cache))
    before, after = sizes(name, DataOptions(None, tmp_path)), cache_files(name, DataOptions(None, cache)) or []
    assert [there for _, there in before] == [False] * 3
    assert [file.there for file in after] == [True] * 3
    drawn = sum(file.stat().st_size for file in after[0].path.rglob("*") if file.is_file())
    assert before[0][0] == pytest.approx(drawn, rel=0.2)
    decoded = {file.stat().st_size for file in (cache / "decoded").glob(f"{name}-*.u8")}
    assert {size for size, _ in before[1:]} == decoded


@pytest.mark.parametrize(
    ("name", "split", "images"),
    [("voc12", "train_aug", 10582), ("voc12", "trainval_aug", 12031), ("siftflow", "train_aug", 2486)],
)
def test_data_that_are_not_here_are_counted_by_their_publisher(
    name: str, split: str, images: int, tmp_path: Path
) -> None:
    _, height, width = sets.usual(name)
    first, _ = sizes(name, DataOptions(None, tmp_path, train_split=split))
    assert first == (4 * height * width * images, False)
    with pytest.raises(UserError, match="no such folder"):
        cache_files(name, DataOptions(tmp_path / "nowhere", tmp_path))
    assert cache_files("folder", DataOptions(None, tmp_path)) is None

"""The pictures that stay with the results: written once per data, read back, and never in the way."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from parsenet_cli.store import samples

PHOTO = np.full((20, 30, 3), (200, 100, 50), np.uint8)
TRUTH = np.arange(600, dtype=np.uint8).reshape(20, 30)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "samples" / "a.npz"
    samples.write(file, ["one/two", "file"], [PHOTO, PHOTO // 2], [TRUTH, TRUTH.T])
    found = samples.read(file)
    assert list(found) == ["one/two", "file"]
    assert np.array_equal(found["file"].truth, TRUTH.T)
    with Image.open(io.BytesIO(found["one/two"].image)) as picture:
        assert np.abs(np.asarray(picture).astype(int) - PHOTO).max() < 5


def test_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    samples.write(file, ["first"], [PHOTO], [TRUTH])
    samples.write(file, ["second"], [PHOTO], [TRUTH])
    assert list(samples.read(file)) == ["first"]


def test_missing_or_damaged_file_holds_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    assert samples.read(file) == {}
    samples.write(file, ["first"], [PHOTO], [TRUTH])
    file.write_bytes(file.read_bytes()[:200])
    assert samples.read(file) == {}


def test_other_data_or_classes_lie_elsewhere(tmp_path: Path) -> None:
    files = {samples.file_of(tmp_path, data, classes) for data in ("voc:1", "voc:2") for classes in (["a"], ["a", "b"])}
    assert len(files) == 4

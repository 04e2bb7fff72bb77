"""The images that stay with the results: written once per data, read back, and never in the way."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from parsenet_cli.store import samples
from parsenet_cli.store.run import Store

IMAGE = np.full((20, 30, 3), (200, 100, 50), np.uint8)
TRUTH = np.arange(600, dtype=np.uint8).reshape(20, 30)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "samples" / "a.npz"
    samples.write(file, ["one/two", "file"], [IMAGE, IMAGE // 2], [TRUTH, TRUTH.T])
    stored = samples.read(file)
    assert list(stored) == ["one/two", "file"]
    assert np.array_equal(stored["file"].truth, TRUTH.T)
    with Image.open(io.BytesIO(stored["one/two"].image)) as image:
        assert np.abs(np.asarray(image).astype(int) - IMAGE).max() < 5


def test_missing_or_damaged_file_holds_nothing_and_is_written_and_a_whole_one_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    assert samples.read(file) == {}
    samples.write(file, ["first"], [IMAGE], [TRUTH])
    file.write_bytes(file.read_bytes()[:200])
    assert samples.read(file) == {}
    for name in ("second", "third"):
        samples.write(file, [name], [IMAGE], [TRUTH])
        assert list(samples.read(file)) == ["second"]


def test_other_data_or_classes_lie_elsewhere(store: Store) -> None:
    files = {samples.file_of(store, data, classes) for data in ("voc:1", "voc:2") for classes in (["a"], ["a", "b"])}
    assert len(files) == 4

"""The decoded cache goes on where it was interrupted, and is believed only while it holds what was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.text import silent
from parsenet_cli.data.cache import decoded
from parsenet_cli.data.dataset import Image, Split
from parsenet_cli.data.decoding import Source, decode

COUNT = 150


@pytest.fixture
def sources(tmp_path: Path) -> list[Source]:
    """Small pictures of different sizes; the labels are their first channel's parity."""
    draw = np.random.default_rng(0)
    made = []
    for i in range(COUNT):
        pixels = draw.integers(0, 256, (5 + i % 3, 7 + i % 4, 3), np.uint8)
        image = tmp_path / f"{i}.png"
        Pillow.fromarray(pixels).save(image)
        made.append(Source(str(i), image, image))
    return made


class Reader:
    """Reads labels, counts how many, and fails at a picture once."""

    def __init__(self, fails_at: str | None = None) -> None:
        self.calls = 0
        self.fails_at = fails_at

    def __call__(self, path: Path) -> Image:
        if path.stem == self.fails_at:
            self.fails_at = None
            raise UserError(f"{path}: broken")
        self.calls += 1
        return np.asarray(Pillow.open(path))[..., 0] % 2


def check(split: Split, sources: list[Source]) -> None:
    assert split.ids == tuple(source.id for source in sources)
    for i, source in enumerate(sources):
        pixels = np.asarray(Pillow.open(source.image))
        np.testing.assert_array_equal(split.image(i), pixels)
        np.testing.assert_array_equal(split.label(i), pixels[..., 0] % 2)


def open_split(sources: list[Source], reader: Reader, cache: Path) -> Split:
    return decoded("small", (Path("a list"), sources), reader, "parity", cache, silent)


def test_what_was_decoded_before_an_error_is_not_decoded_again(sources: list[Source], tmp_path: Path) -> None:
    reader = Reader(fails_at="100")
    with pytest.raises(UserError, match=r"100\.png: broken"):
        open_split(sources, reader, tmp_path / "cache")
    reader.calls = 0
    check(open_split(sources, reader, tmp_path / "cache"), sources)
    assert reader.calls == COUNT - 100


def test_a_torn_tail_is_cut_off(sources: list[Source], tmp_path: Path) -> None:
    file = tmp_path / "x.u8"
    with pytest.raises(UserError):
        decode(file, "x", sources, {}, Reader(fails_at="100"), silent)
    part, journal = file.with_suffix(".part"), file.with_suffix(".part.jsonl")
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:70]) + lines[70][:5])
    with part.open("r+b") as pixels:
        pixels.truncate(part.stat().st_size - 3)
    reader = Reader()
    decode(file, "x", sources, {}, reader, silent)
    assert reader.calls == COUNT - 70
    whole = tmp_path / "y.u8"
    decode(whole, "y", sources, {}, Reader(), silent)
    assert file.read_bytes() == whole.read_bytes()
    assert not part.exists()
    assert not journal.exists()


def test_bytes_that_were_damaged_before_the_interruption_are_decoded_again(
    sources: list[Source], tmp_path: Path
) -> None:
    file = tmp_path / "x.u8"
    with pytest.raises(UserError):
        decode(file, "x", sources, {}, Reader(fails_at="100"), silent)
    with file.with_suffix(".part").open("r+b") as pixels:
        pixels.write(b"damaged")
    reader = Reader()
    decode(file, "x", sources, {}, reader, silent)
    assert reader.calls == COUNT


def test_a_damaged_cache_is_made_anew(sources: list[Source], tmp_path: Path) -> None:
    reader = Reader()
    open_split(sources, reader, tmp_path / "cache")
    open_split(sources, reader, tmp_path / "cache")
    assert reader.calls == COUNT, "the second time it is only opened"
    (file,) = (tmp_path / "cache" / "decoded").glob("*.u8")
    with file.open("r+b") as pixels:
        first = pixels.read(1)[0]
        pixels.seek(0)
        pixels.write(bytes([first ^ 1]))
    check(open_split(sources, reader, tmp_path / "cache"), sources)
    assert reader.calls == 2 * COUNT


def test_a_changed_picture_makes_a_new_cache(sources: list[Source], tmp_path: Path) -> None:
    open_split(sources, Reader(), tmp_path / "cache")
    pixels = np.asarray(Pillow.open(sources[3].image)).copy()
    pixels[0, 0] ^= 1
    Pillow.fromarray(pixels).save(sources[3].image)
    check(open_split(sources, Reader(), tmp_path / "cache"), sources)

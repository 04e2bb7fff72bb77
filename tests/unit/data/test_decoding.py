"""Decoded images: decoding goes on where it was interrupted, and damage of them never reaches a reader."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.text import silent
from parsenet_cli.data import cache as caching
from parsenet_cli.data import decoding
from parsenet_cli.data.cache import decoded
from parsenet_cli.data.dataset import Image, Split
from parsenet_cli.data.decoding import Record, Source, decode, intact
from parsenet_cli.data.fingerprint import content_hashes
from tests import damage

COUNT = 12


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Source]:
    """Small images of different sizes; the labels are their first channel's parity."""
    monkeypatch.setattr(decoding, "_FLUSH", 5)
    draw = np.random.default_rng(0)
    for i in range(COUNT):
        Pillow.fromarray(draw.integers(0, 256, (5 + i % 3, 7 + i % 4, 3), np.uint8)).save(tmp_path / f"{i}.png")
    return [Source(str(i), tmp_path / f"{i}.png", tmp_path / f"{i}.png") for i in range(COUNT)]


class Reader:
    """Reads labels, from several threads, and remembers which; those of one image it refuses."""

    def __init__(self, refuses: str | None = None) -> None:
        self.refuses = refuses
        self.read: list[str] = []

    def __call__(self, path: Path) -> Image:
        if path.stem == self.refuses:
            raise UserError("no more")
        self.read.append(path.stem)
        return np.asarray(Pillow.open(path))[..., 0] % 2


def opened(sources: list[Source], reader: Reader, tmp_path: Path) -> Split:
    return decoded("small", (Path("a list"), sources), reader, "parity", tmp_path / "cache", silent)


def file_of(tmp_path: Path, suffix: str) -> Path:
    (file,) = (tmp_path / "cache" / "decoded").glob(f"*{suffix}")
    return file


def content_of(split: Split) -> list[list[list[int]]]:
    return [[split.image(i).tolist(), split.label(i).tolist()] for i in range(len(split))]


def true_content(sources: list[Source]) -> list[list[list[int]]]:
    pixels = [np.asarray(Pillow.open(source.image)) for source in sources]
    return [[image.tolist(), (image[..., 0] % 2).tolist()] for image in pixels]


# --- decoded images ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".u8", ".json"])
@pytest.mark.parametrize("before_opening", [True, False])
def test_no_damage_of_a_decoded_file_reaches_a_reader(
    sources: list[Source], tmp_path: Path, suffix: str, before_opening: bool
) -> None:
    truth = true_content(sources)
    for seed in range(24):
        opened(sources, Reader(), tmp_path)
        split = None if before_opening else opened(sources, Reader(), tmp_path)
        if not (split and seed % 4 == 3 and suffix == ".u8"):  # a file that is cut while it is mapped ends the process
            damage.at_random(file_of(tmp_path, suffix), seed)
        assert content_of(split or opened(sources, Reader(), tmp_path)) == truth, f"seed {seed}"


def test_image_is_looked_at_when_it_is_first_read_and_never_again(
    sources: list[Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split, looked = opened(sources, Reader(), tmp_path), []

    def looks(data: bytes | memoryview, record: Record) -> bool:
        looked.append(record.id)
        return intact(data, record)

    monkeypatch.setattr(caching, "intact", looks)
    split.label(3)
    split.image(3)
    split.image(5)
    split.image(3)
    assert looked == ["3", "5"]


def test_damage_is_told_and_mended_once_for_all(
    sources: list[Source], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another process that finds the same image damaged takes what the first has made."""
    readers = Reader(), Reader()
    first, second = (opened(sources, reader, tmp_path) for reader in readers)
    second.image(0)
    kept = second.image(1)
    file = file_of(tmp_path, ".u8")
    damage.flip(file, 8 * (file.stat().st_size - 10))
    truth = true_content(sources)
    assert content_of(first) == truth
    assert len(readers[0].read) == 2 * COUNT
    assert f"image {COUNT - 1} is damaged" in capsys.readouterr().out
    assert content_of(second) == truth
    assert not readers[1].read
    assert kept.tolist() == truth[1][0], "what is mapped stays as it is"


@pytest.mark.parametrize(
    ("suffix", "says"),
    [
        (".u8", r"\.u8: image 0 is damaged although the data were decoded again: .*disk or mem"),
        (".json", "its index is damaged although"),
    ],
)
def test_damage_that_comes_back_is_the_machine_s(
    sources: list[Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, says: str
) -> None:
    def decodes_badly(file: Path, *arguments: Any) -> None:
        decode(file, *arguments)
        damage.flip(file.with_suffix(suffix), 3)

    monkeypatch.setattr(caching, "decode", decodes_badly)
    with pytest.raises(UserError, match=says):
        opened(sources, Reader(), tmp_path).image(0)


@pytest.mark.parametrize("suffix", [".part", ".part.jsonl"])
def test_damage_of_an_interrupted_decoding_is_found_when_it_goes_on(
    sources: list[Source], tmp_path: Path, suffix: str
) -> None:
    truth = true_content(sources)
    for seed in range(24):
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        with pytest.raises(UserError, match="no more"):
            opened(sources, Reader(refuses="8"), tmp_path)
        damage.at_random(file_of(tmp_path, suffix), seed)
        assert content_of(opened(sources, Reader(), tmp_path)) == truth, f"seed {seed}"


# --- decoding ----------------------------------------------------------------------------------------------------------


def test_what_was_decoded_before_an_error_is_not_decoded_again(sources: list[Source], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no more"):
        opened(sources, Reader(refuses="8"), tmp_path)
    reader = Reader()
    assert content_of(opened(sources, reader, tmp_path)) == true_content(sources)
    assert sorted(map(int, reader.read)) == list(range(8, COUNT))


def test_torn_tail_is_cut_off(sources: list[Source], tmp_path: Path) -> None:
    file, whole = tmp_path / "x.u8", tmp_path / "y.u8"
    with pytest.raises(UserError):
        decode(file, "x", sources, {}, Reader(refuses="8"), silent)
    part, journal = file.with_suffix(".part"), file.with_suffix(".part.jsonl")
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:6]) + lines[6][:5])
    with part.open("r+b") as pixels:
        pixels.truncate(part.stat().st_size - 3)
    reader = Reader()
    decode(file, "x", sources, {}, reader, silent)
    assert len(reader.read) == COUNT - 6
    decode(whole, "y", sources, {}, Reader(), silent)
    assert file.read_bytes() == whole.read_bytes()
    assert not part.exists()
    assert not journal.exists()


def test_source_that_its_disk_has_changed_is_never_decoded(sources: list[Source], tmp_path: Path) -> None:
    """Its size and time are as before, so that its hash is remembered; a flipped bit may still be an image."""
    files = [source.image for source in sources]
    remembered = content_hashes([*files, *files], tmp_path / "cache", silent)
    file, whole = files[4], files[4].read_bytes()
    Pillow.fromarray(255 - np.asarray(Pillow.open(file))).save(tmp_path / "other.png")
    time = file.stat().st_mtime_ns
    size = max(len(whole), (tmp_path / "other.png").stat().st_size)
    for content in (whole, (tmp_path / "other.png").read_bytes()):
        file.write_bytes(content.ljust(size, b"\0"))
        _at(file, time)
        if content == whole:
            remembered = content_hashes([*files, *files], tmp_path / "cache", silent)
    assert content_hashes([*files, *files], tmp_path / "cache", silent) == remembered
    with pytest.raises(UserError, match=r"4\.png: its content is not the one .* Restore it; or, .*`touch`"):
        opened(sources, Reader(), tmp_path)
    file.write_bytes(whole.ljust(size, b"\0"))
    _at(file, time)
    assert content_of(opened(sources, Reader(), tmp_path)) == true_content(sources)


def _at(file: Path, time: int) -> None:
    os.utime(file, ns=(time, time))

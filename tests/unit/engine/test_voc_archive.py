"""VOC's submission archive: what is packed is valid, equal maps are equal bytes, every fault is named, comp5 or comp6."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.palette import indexed
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.engine.predict import voc_archive
from parsenet_cli.engine.predict.submit import check
from tests.conftest import changed

IDS = ("2008_000006", "2008_000011", "2008_000012")
FOLDER = "results/VOC2012/Segmentation/comp6_test_cls"


def png(
    value: int = 3, *, size: tuple[int, int] = (9, 7), mode: str = "P", palette: bytes | None = None, bits: int = 8
) -> bytes:
    """A map of one class."""
    image = indexed(np.full((size[1], size[0]), value, np.uint8))
    if palette is not None:
        image.putpalette(palette)
    output = io.BytesIO()
    (image if mode == "P" else image.convert(mode)).save(output, "PNG", bits=bits)
    return output.getvalue()


@pytest.fixture
def maps(tmp_path: Path) -> dict[str, Path]:
    files = {name: tmp_path / f"{name}.png" for name in IDS}
    for value, file in enumerate(files.values()):
        file.write_bytes(png(value))
    return files


def packed(maps: dict[str, Path]) -> bytes:
    output = io.BytesIO()
    voc_archive.pack(maps, 6, output)
    return output.getvalue()


def test_archive_has_the_servers_layout_and_no_fault(maps: dict[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "out.tar.gz"
    file.write_bytes(packed(maps))
    with tarfile.open(file) as archive:
        assert archive.getnames() == [f"{FOLDER}/{name}.png" for name in IDS]
    assert list(voc_archive.faults(file, IDS, None)) == []


def test_equal_maps_are_equal_bytes_in_any_order_at_any_time(maps: dict[str, Path], tmp_path: Path) -> None:
    first = packed(maps)
    for file in maps.values():
        file.write_bytes(file.read_bytes())
        file.chmod(0o600)
    assert packed(dict(reversed(maps.items()))) == first


def written(tmp_path: Path, *contents: tuple[str, bytes]) -> Path:
    file = tmp_path / "given.tar.gz"
    with tarfile.open(file, "w:gz") as archive:
        for name, content in contents:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (f"{FOLDER}/{IDS[2]}.png", png(21), "value 21; expected class ids 0 to 20"),
        (f"{FOLDER}/{IDS[2]}.png", png(255), "value 255"),
        (f"{FOLDER}/{IDS[2]}.png", png(mode="RGB"), "8 bits of PNG colour type 2"),
        (f"{FOLDER}/{IDS[2]}.png", png(mode="L"), "8 bits of PNG colour type 0"),
        (f"{FOLDER}/{IDS[2]}.png", png(palette=bytes(range(63))), "palette is not VOC's"),
        (f"{FOLDER}/{IDS[2]}.png", png(0, bits=2), "found 2 bits"),
        (f"{FOLDER}/{IDS[2]}.png", png(size=(7, 9)), "7x9 pixels for an image of 9x7"),
        (f"{FOLDER}/{IDS[2]}.png", png()[:60], "damaged"),
        (f"{FOLDER}/{IDS[2]}.png", png()[:-20], "damaged"),
        (f"{FOLDER}/a\x1b[31m\nb.png", png(), r"/a\x1b[31m\nb.png: the id 'a\u001b[31m b' cannot be"),
        (f"{FOLDER}/{IDS[2]}.png", b"GIF89a", "not a PNG"),
        (f"{FOLDER}/2009_000001.png", png(), "2009_000001: not one of the 3 ids expected"),
        (f"{FOLDER}/2009_000001.png", png(), f"{IDS[2]}: missing"),
        (f"{FOLDER}/{IDS[1]}.png", png(), f"{IDS[1]}: 2 times in the archive"),
        (f"{IDS[2]}.png", png(), "expected only files results/VOC2012"),
        (f"{FOLDER}/../{IDS[2]}.png", png(), "expected only files results/VOC2012"),
        (f"{FOLDER.replace('comp6', 'comp5')}/{IDS[2]}.png", png(), "both comp5_test_cls and comp6_test_cls"),
    ],
)
def test_fault_is_named(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    good = [(f"{FOLDER}/{name}.png", png()) for name in IDS[:2]]
    images = tmp_path / "images"
    images.mkdir()
    for id_ in IDS:
        Image.new("RGB", (9, 7)).save(images / f"{id_}.jpg")
    assert any(says in fault for fault in voc_archive.faults(written(tmp_path, *good, (name, content)), IDS, images))


def test_image_that_cannot_be_read_is_a_fault_where_sizes_are_compared(maps: dict[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "out.tar.gz"
    file.write_bytes(packed(maps))
    (tmp_path / f"{IDS[0]}.jpg").write_bytes(b"no image")
    (fault,) = voc_archive.faults(file, IDS, tmp_path)
    assert f"{IDS[0]}.jpg: not a complete image" in fault


def header(name: str, kind: bytes, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (header("././@LongLink", tarfile.GNUTYPE_LONGNAME, 32 << 20) + bytes(32 << 20), "its headers are too large"),
        (header("././@PaxHeader", tarfile.XHDTYPE, 32 << 20) + bytes(32 << 20), "its headers are too large"),
        (header(f"{FOLDER}/{IDS[0]}.png", tarfile.REGTYPE, 1 << 70), "bytes are too many for a label map"),
        (header("huge", tarfile.REGTYPE, 1 << 70), "bytes are too many for a label map"),
        (b"some text\n" * 200, "not a whole tar.gz"),
        (bytes(8 << 20), "follow the last map"),
    ],
    ids=["long name", "pax", "huge map", "huge member", "a text", "zeros"],
)
def test_archive_that_asks_for_the_memory_is_a_fault(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "x.tgz").write_bytes(gzip.compress(content, 1))
    assert any(says in fault for fault in voc_archive.faults(tmp_path / "x.tgz", IDS, None))


def test_any_truncation_is_a_fault_and_no_crash(maps: dict[str, Path], tmp_path: Path) -> None:
    whole = packed(maps)
    for length in range(0, len(whole), 7):
        file = tmp_path / "cut.tar.gz"
        file.write_bytes(whole[:length])
        assert list(voc_archive.faults(file, IDS, None))


def test_check_shows_twenty_faults_and_counts_the_rest(tmp_path: Path) -> None:
    file = written(tmp_path, *((f"{FOLDER}/{i}.png", b"nothing") for i in range(25)))
    with pytest.raises(UserError) as refused:
        check(file, None, None)
    assert str(refused.value).count("not a PNG") == 20
    assert "and 6 more" in str(refused.value)  # five maps, and that there are not 1 456


@pytest.mark.parametrize(
    ("data", "weights", "masks", "comp", "because"),
    [
        ("voc12", "none", 1464, 5, "VOC's own 1464 masks"),
        ("voc12", "none", 2913, 5, "VOC's own 2913 masks"),
        ("voc12", "none", 10582, 6, "SBD"),
        ("voc12", "imagenet", 1464, 6, "ImageNet"),
        ("voc12", "sha256:0123456789abcdef", 1464, 6, "trained elsewhere"),
        ("folder", "none", 1464, 6, "data=folder"),
    ],
)
def test_competition_follows_from_what_the_run_was_trained_on(
    config: RunConfig, data: str, weights: str, masks: int, comp: int, because: str
) -> None:
    competition, reason = voc_archive.competition(changed(config, data=data, weights=weights).science, masks)
    assert competition == comp
    assert because in reason

"""Data that somebody made to do harm, or by mistake: a sentence that names the file, and nothing else happens."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageOps
from scipy.io import savemat
from scipy.sparse import csc_matrix

from parsenet_cli.core import pictures
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import guard
from parsenet_cli.core.sealed import write_with_checksum
from parsenet_cli.core.text import silent
from parsenet_cli.data import mat_file
from parsenet_cli.data.dataset import DataOptions
from parsenet_cli.data.download.check import check_folder, detect_layout
from parsenet_cli.data.download.prepare import SEAL, sealed
from parsenet_cli.data.mat_file import read_mat
from parsenet_cli.data.sets import folder, pascal_context, siftflow
from parsenet_cli.data.sets.siftflow import SUBFOLDER
from parsenet_cli.engine.predict import photos as own_photos
from parsenet_cli.engine.predict.submit import read_ids
from tests import voc_folder

LIST = "ImageSets/Segmentation/train.txt"
IMAGE, MASK = "JPEGImages/a.jpg", "SegmentationClass/a.png"


def huge_png(side: int = 30_000) -> bytes:
    """A header that announces 900 million pixels, of which none follow."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(b"")), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def postscript(mark: Path) -> bytes:
    """An image that writes a file when Ghostscript runs it."""
    return (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 6\n%%EndComments\n"
        + f"({mark}) (w) file closefile showpage\n".encode()
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return voc_folder.write(tmp_path / "photos", "background cat", train="a b", val="c")


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "code-has-run"


def looked_at(root: Path) -> str:
    """Everything that is said of a folder, whether it is checked or opened for a training."""
    try:
        problems = check_folder(detect_layout(root), root, None, silent).problems
    except UserError as problem:
        problems = [str(problem)]
    with pytest.raises(UserError) as refused:
        folder.open_dataset(DataOptions(root, root.parent / "cache"))
    assert problems, f"checked without a problem, but not opened: {refused.value}"
    return "\n".join([*problems, str(refused.value)])


def replaced(file: Path, content: bytes) -> None:
    file.write_bytes(content)


def as_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def as_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def as_loop(file: Path) -> None:
    file.unlink()
    file.symlink_to(file)


def as_grey_jpeg(file: Path) -> None:
    Pillow.new("L", (8, 6)).save(file, "JPEG")


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


BAD: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "Latin-1 classes": ("classes.txt", lambda file: replaced(file, b"caf\xe9\n"), "classes.txt: not a text in UTF-8"),
    "UTF-16 list": (LIST, lambda file: replaced(file, "a\nb\n".encode("utf-16")), "train.txt: not a text in UTF-8"),
    "id with a path": (LIST, lambda file: replaced(file, b"b\n../../a\n"), "train.txt:2: the id '../../a' cannot be"),
    "absolute id": (LIST, lambda file: replaced(file, b"/etc/passwd\n"), "train.txt:1: the id '/etc/passwd' cannot be"),
    "id with an escape": (LIST, lambda file: replaced(file, b"\x1b[31ma\n"), r"'\u001b[31ma' cannot be"),
    "id with a NUL": (LIST, lambda file: replaced(file, b"a\0b\n"), "train.txt: not a text in UTF-8 (byte 0x00"),
    "long id": (LIST, lambda file: replaced(file, b"a" * 500), "it has more than 200 bytes"),
    "escape in a class": ("classes.txt", lambda file: replaced(file, b"sky\nc\x1b[31m\n"), "printable characters"),
    "huge image": (IMAGE, lambda file: replaced(file, huge_png()), "a.jpg: not a complete image (30000x30000 pixels"),
    "huge mask": (MASK, lambda file: replaced(file, huge_png()), "a.png: not a complete mask (30000x30000 pixels"),
    "grey JPEG mask": (MASK, as_grey_jpeg, "a.png: not a complete mask (not in a format that is read here: PNG)"),
    "cut mask": (MASK, cut, "a.png: not a complete mask"),
    "folder": (IMAGE, as_folder, "a.jpg"),
    "pipe": (IMAGE, as_pipe, "a.jpg"),
    "loop": (IMAGE, as_loop, "a.jpg"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_file_of_a_data_set_is_a_sentence_that_names_it(root: Path, case: str) -> None:
    name, break_it, says = BAD[case]
    break_it(root / name)
    assert says in looked_at(root)


def test_postscript_called_jpg_is_never_run(root: Path, mark: Path) -> None:
    (root / IMAGE).write_bytes(postscript(mark))
    assert "a.jpg: not a complete image (not in a format that is read here" in looked_at(root)
    with pytest.raises(UserError, match=r"a\.jpg: not a complete image \(not in a format"):
        own_photos.read(root / IMAGE)
    assert not mark.exists()


def test_byte_order_mark_is_no_part_of_a_name(root: Path) -> None:
    (root / "classes.txt").write_bytes(b"\xef\xbb\xbfbackground\ncat\n")
    (root / LIST).write_bytes(b"\xef\xbb\xbfa\nb\n")
    dataset = folder.open_dataset(DataOptions(root, root.parent / "cache"))
    assert (dataset.classes[0], dataset.train.ids) == ("background", ("a", "b"))


def test_hidden_files_are_passed_over(root: Path) -> None:
    (root / "ImageSets/Segmentation/._train.txt").write_bytes(b"\0\x05\x16\x07\x80")
    assert check_folder("folder", root, None, silent).problems == []
    (root / "JPEGImages/._a.jpg").write_bytes(b"\0\x05")
    assert [file.name for file in own_photos.find([root / "JPEGImages"])] == ["a.jpg", "b.jpg", "c.jpg"]


@pytest.mark.parametrize("name", ["../outside.txt", "/etc/passwd"])
def test_manifest_names_nothing_outside_of_its_folder(root: Path, name: str) -> None:
    (root / "MANIFEST.sha256").write_text(f"{'0' * 64}  {name}\n")
    with pytest.raises(UserError, match=r"MANIFEST\.sha256: malformed; expected lines of a sha256 and a path inside"):
        check_folder("folder", root, None, silent)


SOUND: dict[str, Any] = {
    "version": 1, "name": "voc12", "archives": [], "counts": {"train": 2}, "files": 3, "bytes": 4, "content": "sha256:0",
}  # fmt: skip


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "nosuch"}, {"name": "../voc12"}, {"name": 5}, {"counts": [1]}, {"counts": {"train": "2"}}, {"files": None},
        {"bytes": "4"}, {"bytes": 10**400}, {"content": 5}, {"archives": {}}, {"archives": [5]}, {"version": 2},
    ],
    ids=str,
)  # fmt: skip
def test_seal_of_another_shape_is_none(root: Path, changed: dict[str, Any]) -> None:
    (root / SEAL).write_text(json.dumps(SOUND))
    assert sealed(root) == SOUND
    (root / SEAL).write_text(json.dumps(SOUND | changed))
    assert sealed(root) is None
    assert detect_layout(root) == "folder"
    problems = check_folder("folder", root, None, silent).problems
    assert problems == [f"{root / SEAL}: not readable, or written by another version of parsenet"]


def test_list_of_a_submission_is_read_as_the_data_sets_are(tmp_path: Path) -> None:
    (tmp_path / "ids").write_text("2008_000006\n../../PIC\n")
    with pytest.raises(UserError, match=r"ids:2: the id '\.\./\.\./PIC' cannot be the name of a file: it "):
        read_ids(tmp_path / "ids")


def test_siftflow_s_spelling_cannot_lead_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "Images" / SUBFOLDER).mkdir(parents=True)
    (tmp_path / "TestSet1.txt").write_text("coast\\a1.jpg\ncoast\\..\n")
    with pytest.raises(UserError, match=r"TestSet1\.txt:2: the id '\.\.' cannot be"):
        siftflow.lists(tmp_path)


@pytest.mark.parametrize("number", ["99999999999999", "-1"])
def test_number_of_a_class_has_a_bound(tmp_path: Path, number: str) -> None:
    names = tmp_path / "pascal-context"
    names.mkdir()
    (names / "labels.txt").write_text(f"{number}: cat\n")
    (names / "59_labels.txt").write_text("1: cat\n")
    with pytest.raises(UserError, match=r"labels\.txt: malformed; expected numbers of 0 to 65535"):
        pascal_context.class_table(tmp_path)


# --- MATLAB files ------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("matrix", "says"),
    [
        (np.full((6, 8), 1.5), "class number 1.5 is no whole number"),
        (np.full((6, 8), np.nan), "class number nan is out of range"),
        (np.full((6, 8), 1e300), r"class number 1e\+300 is out of range"),
        (np.full((6, 8), 1 + 2j), "found complex128 of shape"),
        (csc_matrix(np.eye(6)), "found a csc_matrix"),
        (np.full((6, 8), "a", object), "found object of shape"),
    ],
    ids=["fraction", "nan", "huge", "complex", "sparse", "objects"],
)
def test_matrix_that_holds_no_class_numbers_is_said_to_hold_none(tmp_path: Path, matrix: Any, says: str) -> None:
    savemat(tmp_path / "a.mat", {"S": matrix})
    with pytest.raises(UserError, match=rf"a\.mat: .*{says}"):
        read_mat(tmp_path / "a.mat", "S", 33)


def test_label_map_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    savemat(tmp_path / "a.mat", {"S": np.zeros((1000, 1000), np.uint8)}, do_compression=True)
    assert read_mat(tmp_path / "a.mat", "S", 33).shape == (1000, 1000)
    monkeypatch.setattr(mat_file, "LARGEST_CONTENT", 500_000)
    with pytest.raises(UserError, match=r"a\.mat: not a readable MATLAB file \(ValueError: it unpacks to more than"):
        read_mat(tmp_path / "a.mat", "S", 33)


def test_version_7_3_is_named_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(600))
    with pytest.raises(UserError, match=r"a\.mat: saved in MATLAB's version 7\.3.*save it with -v7"):
        read_mat(tmp_path / "a.mat", "S", 33)


# --- a cache that somebody else wrote ----------------------------------------------------------------------------------


@pytest.mark.parametrize("link", [".part", ".part.jsonl"])
def test_decoding_writes_to_no_file_behind_a_link(root: Path, tmp_path: Path, link: str) -> None:
    cache, victim = tmp_path / "cache", tmp_path / "victim"
    victim.write_text("mine")
    folder.open_dataset(DataOptions(root, cache))
    (file,) = (cache / "decoded").glob("folder-train-*.u8")
    file.unlink()
    file.with_suffix(link).symlink_to(victim)
    guard(cache)
    with suppress(UserError):  # says that it is a link, or puts a file in its place
        folder.open_dataset(DataOptions(root, cache))
    assert victim.read_text() == "mine"


@pytest.mark.parametrize(
    "records", [[["\x1b]0;x\nexport PATH=/tmp", 6, 8, 0]], [["a", -6, -8, 0]], [5], {"a": 1}, [["a", 6, 8]]], ids=str
)
def test_index_of_decoded_images_is_believed_only_for_the_images_asked_for(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], records: Any
) -> None:
    options = DataOptions(root, tmp_path / "cache")
    whole = folder.open_dataset(options).train.image(0).tolist()
    (file,) = (options.cache / "decoded").glob("folder-train-*.u8")
    write_with_checksum(file.with_suffix(".json"), {"pictures": records})
    file.write_bytes(bytes(192))
    dataset = folder.open_dataset(options)
    assert (dataset.train.ids, dataset.train.image(0).tolist()) == (("a", "b"), whole)
    assert "PATH" not in capsys.readouterr().out


def test_remembered_hashes_of_another_shape_are_made_again(root: Path, tmp_path: Path) -> None:
    options = DataOptions(root, tmp_path / "cache")
    before = folder.identity(options)
    memories = list((options.cache / "fingerprints").glob("*.json"))
    for files in ([1], {str(root / IMAGE): 5}, {str(root / IMAGE): ["1:1"]}):
        for memory in memories:
            write_with_checksum(memory, {"files": files})
        assert folder.identity(options) == before


def test_damaged_exif_data_is_no_warning(root: Path) -> None:
    damaged = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12" * 3000
    Pillow.new("RGB", (8, 6)).save(root / IMAGE, "JPEG", exif=damaged)
    with pictures.opened(root / IMAGE, "image", pictures.IMAGES) as image:  # a warning would be an error here
        assert ImageOps.exif_transpose(image).size == (8, 6)

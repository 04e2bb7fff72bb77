"""Damage in the cache and in what it was made from: made again within the same run where that can be, and said."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from parsenet_cli import identity, profile, samples
from parsenet_cli.compose import Composer
from parsenet_cli.config import RunConfig
from parsenet_cli.data import cache as caching
from parsenet_cli.data import folder, generated
from parsenet_cli.data.cache import decoded
from parsenet_cli.data.dataset import DataOptions, Image, Split, silent
from parsenet_cli.data.decoding import Record, Source, decode, intact
from parsenet_cli.data.fingerprint import content_hashes
from parsenet_cli.data.generated import painted
from parsenet_cli.data.scenes import Scene
from parsenet_cli.engine import prepare, pretrain
from parsenet_cli.engine import train as training
from parsenet_cli.errors import UserError
from parsenet_cli.store import Run, Store
from tests import damage

COUNT = 12


@pytest.fixture
def sources(tmp_path: Path) -> list[Source]:
    """Small pictures of different sizes; the labels are their first channel's parity."""
    draw = np.random.default_rng(0)
    for i in range(COUNT):
        Pillow.fromarray(draw.integers(0, 256, (5 + i % 3, 7 + i % 4, 3), np.uint8)).save(tmp_path / f"{i}.png")
    return [Source(str(i), tmp_path / f"{i}.png", tmp_path / f"{i}.png") for i in range(COUNT)]


class Reader:
    """Reads labels and counts how many; `then` is called before each."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.calls, self.then = 0, then

    def __call__(self, path: Path) -> Image:
        self.calls += 1
        self.then()
        return np.asarray(Pillow.open(path))[..., 0] % 2


def opened(sources: list[Source], reader: Reader, tmp_path: Path) -> Split:
    return decoded("small", sources, "a list", reader, "parity", tmp_path / "cache", silent)


def file_of(tmp_path: Path, suffix: str) -> Path:
    (file,) = (tmp_path / "cache" / "decoded").glob(f"*{suffix}")
    return file


def content_of(split: Split) -> list[list[list[int]]]:
    return [[split.image(i).tolist(), split.label(i).tolist()] for i in range(len(split))]


def true_content(sources: list[Source]) -> list[list[list[int]]]:
    pixels = [np.asarray(Pillow.open(source.image)) for source in sources]
    return [[image.tolist(), (image[..., 0] % 2).tolist()] for image in pixels]


# --- decoded pictures --------------------------------------------------------------------------------------------------


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


def test_picture_is_looked_at_when_it_is_first_read_and_never_again(
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
    """Another process that finds the same picture damaged takes what the first has made."""
    readers = Reader(), Reader()
    first, second = (opened(sources, reader, tmp_path) for reader in readers)
    second.image(0)
    kept = second.image(1)
    file = file_of(tmp_path, ".u8")
    damage.flip(file, 8 * (file.stat().st_size - 10))
    truth = true_content(sources)
    assert content_of(first) == truth
    assert readers[0].calls == 2 * COUNT
    assert f"picture {COUNT - 1} is damaged" in capsys.readouterr().out
    assert content_of(second) == truth
    assert readers[1].calls == 0
    assert kept.tolist() == truth[1][0], "what is mapped stays as it is"


def test_damage_that_comes_back_is_the_machine_s(
    sources: list[Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = opened(sources, Reader(), tmp_path)

    def decodes_badly(file: Path, *arguments: Any) -> None:
        decode(file, *arguments)
        damage.flip(file, 3)

    monkeypatch.setattr(caching, "decode", decodes_badly)
    damage.flip(file_of(tmp_path, ".u8"), 3)
    with pytest.raises(
        UserError, match=r"\.u8: picture 0 is damaged although the data were decoded again: .*disk or mem"
    ):
        split.image(0)


def test_index_that_cannot_be_written_well_is_the_machine_s(
    sources: list[Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decodes_badly(file: Path, *arguments: Any) -> None:
        decode(file, *arguments)
        damage.flip(file.with_suffix(".json"), 100)

    monkeypatch.setattr(caching, "decode", decodes_badly)
    with pytest.raises(UserError, match="its index is damaged although"):
        opened(sources, Reader(), tmp_path)


@pytest.mark.parametrize("suffix", [".part", ".part.jsonl"])
def test_damage_of_an_interrupted_decoding_is_found_when_it_goes_on(
    sources: list[Source], tmp_path: Path, suffix: str
) -> None:
    truth = true_content(sources)
    for seed in range(24):
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        broken = Reader()
        broken.then = lambda broken=broken: fail() if broken.calls == 9 else None  # type: ignore[misc]
        with pytest.raises(UserError, match="no more"):
            opened(sources, broken, tmp_path)
        damage.at_random(file_of(tmp_path, suffix), seed)
        assert content_of(opened(sources, Reader(), tmp_path)) == truth, f"seed {seed}"


def fail() -> None:
    raise UserError("no more")


# --- what is decoded ---------------------------------------------------------------------------------------------------


def test_source_that_its_disk_has_changed_is_never_decoded(sources: list[Source], tmp_path: Path) -> None:
    """Its size and time are as before, so that its hash is remembered; a flipped bit may still be a picture."""
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


class Layout:
    def write(self, root: Path, name: str, scene: Scene) -> None:
        (root / "pictures").mkdir(parents=True, exist_ok=True)
        Pillow.fromarray(scene.image).save(root / "pictures" / f"{name}.png")

    def finish(self, root: Path, lists: Mapping[str, Sequence[str]]) -> None:
        (root / "list.txt").write_text("".join(f"{part}: {ids}\n" for part, ids in lists.items()))


def paint(rng: np.random.Generator) -> Scene:
    return Scene(rng.integers(0, 256, (6, 7, 3), np.uint8), np.zeros((6, 7), np.uint8))


def test_generated_files_that_their_disk_has_changed_are_painted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generated, "SPLITS", {"train": 2, "val": 1})

    def made() -> dict[str, bytes]:
        root = painted("small", 1, paint, Layout(), tmp_path, silent)
        return {file.name: file.read_bytes() for file in sorted(root.rglob("*")) if file.is_file()}

    whole = made()
    assert made() == whole
    assert capsys.readouterr().out == ""
    files = [file for file in (tmp_path / "generated").rglob("*") if file.suffix in (".png", ".txt", ".json")]
    assert len(files) == 5
    for seed in range(4):
        for file in files:
            damage.at_random(file, seed)
            assert made() == whole
            assert "it is painted again" in capsys.readouterr().out


# --- weights -----------------------------------------------------------------------------------------------------------


def test_damaged_quick_trunk_is_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trainings = []

    def trained(name: str, progress: object) -> dict[str, torch.Tensor]:
        trainings.append(name)
        return {"conv1_1.weight": torch.arange(200.0)}

    monkeypatch.setattr(pretrain, "_train", trained)
    file = pretrain.pretrain("vgg_tiny", tmp_path, silent)
    whole = file.read_bytes()
    for seed in range(12):
        pretrain.pretrain("vgg_tiny", tmp_path, silent)
        assert len(trainings) == seed + 1
        damage.at_random(file, seed)
        pretrain.pretrain("vgg_tiny", tmp_path, silent)
        assert len(trainings) == seed + 2
        assert "the trunk is pretrained again" in capsys.readouterr().out
        assert file.read_bytes() == whole


def test_weights_file_that_changed_after_the_run_was_planned_is_refused(config: RunConfig, tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    file.write_bytes(b"weights")
    value, place = identity.of_weights(str(file), "vgg_tiny", "fcn", tmp_path / "cache")
    config = config.model_copy(
        update={
            "science": config.science.model_copy(update={"weights": value}),
            "runtime": config.runtime.model_copy(update={"weights_file": place}),
        }
    )
    identity.check_weights(file, value)
    damage.flip(file, 10)
    assert identity.of_weights(str(file), "vgg_tiny", "fcn", tmp_path / "cache")[0] == value, "its hash is remembered"
    with pytest.raises(UserError, match=r"mine\.safetensors: its content is not the one that the run was planned with"):
        prepare.weights(config, tmp_path / "cache", 1, silent)


def test_damaged_model_of_a_run_is_no_other_run_s_initial_weights(config: RunConfig, tmp_path: Path) -> None:
    run = Store(tmp_path).run(config.signature)
    run.create(config)
    run.model_file.write_bytes(bytes(1000))
    run.record_result({"signature": run.signature}, run.model_file.name)
    identity.of_weights(str(run.model_file), "vgg_tiny", "fcn", tmp_path / "cache")
    damage.flip(run.model_file, 10)
    with pytest.raises(UserError, match=r"model\.safetensors: is damaged"):
        identity.of_weights(str(run.model_file), "vgg_tiny", "fcn", tmp_path / "cache")


# --- a whole run -------------------------------------------------------------------------------------------------------


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder in VOC's layout with six small pictures of three classes."""
    root, rng = tmp_path / "photos", np.random.default_rng(0)
    for part in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / part).mkdir(parents=True)
    names = [f"p{i}" for i in range(6)]
    for name in names:
        Pillow.fromarray(rng.integers(0, 256, (48, 48, 3), np.uint8)).save(root / "JPEGImages" / f"{name}.jpg")
        Pillow.fromarray(rng.integers(0, 3, (48, 48), np.uint8)).save(root / "SegmentationClass" / f"{name}.png")
    (root / "classes.txt").write_text("background\ncat\ndog\n")
    for listing, ids in (("train", names[:4]), ("val", names[4:])):
        (root / "ImageSets" / "Segmentation" / f"{listing}.txt").write_text("\n".join(ids))
    return root


@pytest.fixture
def planned(photos: Path, tmp_path: Path) -> RunConfig:
    overrides = ["data=folder", f"data_root={photos}", "weights=none", "recipe.iterations=6", "recipe.batch=2"]
    return Composer(profile.load("quick"), overrides, tmp_path / "a" / "cache").run_config()


def test_run_on_a_damaged_cache_has_the_numbers_of_one_on_a_whole_cache(
    planned: RunConfig,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    runs = [Store(tmp_path / name).run(planned.signature) for name in ("a", "b")]
    for run in runs:
        run.create(planned)
    training.train(runs[0], tmp_path / "a" / "cache", 1, lambda: False)
    folder.open_dataset(DataOptions(photos, tmp_path / "b" / "cache"))
    for kind in ("train", "val"):
        (file,) = (tmp_path / "b" / "cache" / "decoded").glob(f"folder-{kind}-*.u8")
        damage.flip(file, 8 * 48 * 48 + 5)
    opened = prepare.data

    def damaged_again_while_it_runs(*arguments: Any) -> Any:
        """The training split once it is open: as if the disk had changed another picture behind the run's back."""
        dataset = opened(*arguments)
        (file,) = (tmp_path / "b" / "cache" / "decoded").glob("folder-train-*.u8")
        damage.flip(file, 8 * (file.stat().st_size - 7))
        return dataset

    monkeypatch.setattr(prepare, "data", damaged_again_while_it_runs)
    capsys.readouterr()
    training.train(runs[1], tmp_path / "b" / "cache", 1, lambda: False)
    log = capsys.readouterr().out
    assert log.count("the data are decoded again") == 2
    results = [run.result() or {} for run in runs]
    assert results[0]["metrics"] == results[1]["metrics"]
    assert results[0]["files"]["confusion.npz"] == results[1]["files"]["confusion.npz"]
    assert [record["loss"] for record in runs[0].metrics()] == [record["loss"] for record in runs[1].metrics()]


def test_run_whose_data_changed_after_it_was_planned_says_so(planned: RunConfig, photos: Path, tmp_path: Path) -> None:
    run = Run(tmp_path / "a" / "runs" / planned.signature)
    run.create(planned)
    Pillow.fromarray(np.zeros((48, 48, 3), np.uint8)).save(photos / "JPEGImages" / "p0.jpg")
    with pytest.raises(
        UserError, match=rf"it is folder:\w+ and the run was planned with {planned.science.data_id}: files were"
    ):
        training.train(run, tmp_path / "a" / "cache", 1, lambda: False)
    assert run.result() is None


def test_damaged_samples_are_written_again_by_the_next_run(tmp_path: Path) -> None:
    file, picture = tmp_path / "a.npz", np.zeros((6, 7, 3), np.uint8)
    samples.write(file, ["a"], [picture], [picture[..., 0]])
    damage.at_random(file, 3)
    assert samples.read(file) == {}
    samples.write(file, ["b"], [picture], [picture[..., 0]])
    assert list(samples.read(file)) == ["b"]

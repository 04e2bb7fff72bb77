"""Damage in the cache and in what it was made from is made again where that can be, and said; a whole run does not notice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from parsenet_cli.config import identity, profile
from parsenet_cli.config.compose import Composer
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.core.text import silent
from parsenet_cli.data.dataset import DataOptions
from parsenet_cli.data.sets import folder
from parsenet_cli.data.synthetic import generate
from parsenet_cli.data.synthetic.generate import ensure_generated
from parsenet_cli.data.synthetic.scenes import Scene
from parsenet_cli.engine import inputs, pretrain
from parsenet_cli.engine import train as training
from parsenet_cli.engine.inputs import check_weights
from parsenet_cli.store import artifacts, samples
from parsenet_cli.store.result import RunResult
from parsenet_cli.store.run import Run, Store
from tests import damage, voc_folder


class Layout:
    def write(self, root: Path, name: str, scene: Scene) -> None:
        (root / "images").mkdir(parents=True, exist_ok=True)
        Pillow.fromarray(scene.image).save(root / "images" / f"{name}.png")

    def finish(self, root: Path, lists: Mapping[str, Sequence[str]]) -> None:
        (root / "list.txt").write_text("".join(f"{part}: {ids}\n" for part, ids in lists.items()))


def draw(rng: np.random.Generator) -> Scene:
    return Scene(rng.integers(0, 256, (6, 7, 3), np.uint8), np.zeros((6, 7), np.uint8))


def test_generated_files_that_their_disk_has_changed_are_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "SPLITS", {"train": 2, "val": 1})

    def made() -> dict[str, bytes]:
        root = ensure_generated("small", 1, draw, Layout(), tmp_path, silent)
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
            assert "it is drawn again" in capsys.readouterr().out


# --- weights -----------------------------------------------------------------------------------------------------------


def test_damaged_quick_trunk_is_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trainings = []

    def trained(name: str, progress: object) -> dict[str, torch.Tensor]:
        trainings.append(name)
        return {"conv1_1.weight": torch.arange(200.0)}

    monkeypatch.setattr(pretrain, "_train", trained)
    file = pretrain.pretrain_trunk("vgg_tiny", tmp_path, silent)
    whole = file.read_bytes()
    for seed in range(12):
        pretrain.pretrain_trunk("vgg_tiny", tmp_path, silent)
        assert len(trainings) == seed + 1
        damage.at_random(file, seed)
        pretrain.pretrain_trunk("vgg_tiny", tmp_path, silent)
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
    check_weights(file, value)
    damage.flip(file, 10)
    assert identity.of_weights(str(file), "vgg_tiny", "fcn", tmp_path / "cache")[0] == value, "its hash is remembered"
    with pytest.raises(UserError, match=r"mine\.safetensors: its content is not the one that the run was planned with"):
        inputs.weights(config, tmp_path / "cache", 1, silent)


def test_damaged_model_of_a_run_is_no_other_run_s_initial_weights(config: RunConfig, tmp_path: Path) -> None:
    run = Store(tmp_path).run(config.signature)
    run.create(config)
    run.model_file.write_bytes(bytes(1000))
    run.record_result(RunResult(run.signature, "converged"), run.model_file)
    artifacts.verify_weights_file(str(run.model_file))
    damage.flip(run.model_file, 10)
    with pytest.raises(UserError, match=r"model\.safetensors: is damaged"):
        artifacts.verify_weights_file(str(run.model_file))


# --- a whole run -------------------------------------------------------------------------------------------------------


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder in VOC's layout with six small images of three classes."""
    return voc_folder.write(tmp_path / "photos", "background cat dog", 48, 48, train="p0 p1 p2 p3", val="p4 p5")


@pytest.fixture
def planned(photos: Path, tmp_path: Path) -> RunConfig:
    overrides = [
        "data=folder",
        f"data_root={photos}",
        "weights=none",
        "recipe.frozen=[]",
        "recipe.iterations=6",
        "recipe.batch=2",
    ]
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
    training.train_run(runs[0], tmp_path / "a" / "cache", 1, lambda: False)
    folder.open_dataset(DataOptions(photos, tmp_path / "b" / "cache"))
    for kind in ("train", "val"):
        (file,) = (tmp_path / "b" / "cache" / "decoded").glob(f"folder-{kind}-*.u8")
        damage.flip(file, 8 * 48 * 48 + 5)
    opened = inputs.data

    def damaged_again_while_it_runs(*arguments: Any) -> Any:
        """The training split once it is open: as if the disk had changed another picture behind the run's back."""
        dataset = opened(*arguments)
        (file,) = (tmp_path / "b" / "cache" / "decoded").glob("folder-train-*.u8")
        damage.flip(file, 8 * (file.stat().st_size - 7))
        return dataset

    monkeypatch.setattr(inputs, "data", damaged_again_while_it_runs)
    capsys.readouterr()
    training.train_run(runs[1], tmp_path / "b" / "cache", 1, lambda: False)
    log = capsys.readouterr().out
    assert log.count("the data are decoded again") == 2
    results = [run.done_result() for run in runs]
    assert results[0].metrics == results[1].metrics
    assert results[0].files["confusion.npz"] == results[1].files["confusion.npz"]
    assert [record["loss"] for record in runs[0].metrics()] == [record["loss"] for record in runs[1].metrics()]


def test_run_whose_data_changed_after_it_was_planned_says_so(planned: RunConfig, photos: Path, tmp_path: Path) -> None:
    run = Run(tmp_path / "a" / "runs" / planned.signature)
    run.create(planned)
    Pillow.fromarray(np.zeros((48, 48, 3), np.uint8)).save(photos / "JPEGImages" / "p0.jpg")
    with pytest.raises(
        UserError, match=rf"it is folder:\w+ and the run was planned with {planned.science.data_id}: files were"
    ):
        training.train_run(run, tmp_path / "a" / "cache", 1, lambda: False)
    assert run.result() is None


def test_damaged_samples_are_written_again_by_the_next_run(tmp_path: Path) -> None:
    file, image = tmp_path / "a.npz", np.zeros((6, 7, 3), np.uint8)
    samples.write(file, ["a"], [image], [image[..., 0]])
    damage.at_random(file, 3)
    assert samples.read(file) == {}
    samples.write(file, ["b"], [image], [image[..., 0]])
    assert list(samples.read(file)) == ["b"]

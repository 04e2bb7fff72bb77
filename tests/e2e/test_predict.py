"""A trained network in use: its model kept or made again, own pictures predicted, VOC's test list submitted and checked."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from parsenet_cli.core import metrics
from parsenet_cli.data.sets.voc12 import CLASSES
from parsenet_cli.engine import inputs
from parsenet_cli.store.run import Run, Store
from tests.conftest import SHORT, Cli, command, environment

IDS = [f"2008_00000{i}" for i in range(6)]


def trained(cli: Cli, results: Path, *overrides: str) -> Run:
    """The one run of the store."""
    done = cli("train", *overrides)
    assert done.returncode == 0, done.stderr
    (run,) = Store(results).runs()
    return run


def trained_once(folder: Path, cache: Path, *overrides: str) -> Path:
    """A results folder with one run that several tests read."""
    results = folder / "results"
    results.mkdir()
    (results / "cache").symlink_to(cache)
    subprocess.run(
        command("train", *overrides), cwd=folder, env=environment(results), check=True, stdout=subprocess.DEVNULL
    )
    return results


@pytest.fixture(scope="module")
def with_model(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    return trained_once(tmp_path_factory.mktemp("with_model"), cache, *SHORT, "keep_model=true")


@pytest.fixture(scope="module")
def first_devkit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """VOC2012's folder with six small photos, of which the last two are the test list."""
    root = tmp_path_factory.mktemp("data") / "VOCdevkit/VOC2012"
    for part in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / part).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in IDS:
        Image.fromarray(rng.integers(0, 255, (70, 90, 3), np.uint8)).save(root / f"JPEGImages/{name}.jpg")
        Image.fromarray(rng.integers(0, 21, (70, 90), np.uint8)).save(root / f"SegmentationClass/{name}.png")
    for listing, ids in (("train", IDS[:3]), ("val", IDS[3:4]), ("test", IDS[4:])):
        (root / f"ImageSets/Segmentation/{listing}.txt").write_text("\n".join(ids) + "\n")
    return root


@pytest.fixture(scope="module")
def on_voc(tmp_path_factory: pytest.TempPathFactory, cache: Path, first_devkit: Path) -> Path:
    return trained_once(
        tmp_path_factory.mktemp("on_voc"), cache, "data=voc12", f"data_root={first_devkit.parents[1]}",
        "weights=none", "keep_model=true", "recipe.iterations=2", "recipe.crop=64", "recipe.batch=2",
    )  # fmt: skip


def copied(store: Path, results: Path) -> Run:
    """The run of another results folder, in this test's own."""
    shutil.copytree(store / "runs", results / "runs")
    (run,) = Store(results).runs()
    return run


@pytest.fixture
def run(with_model: Path, results: Path) -> Run:
    return copied(with_model, results)


@pytest.fixture
def voc_run(on_voc: Path, results: Path) -> Run:
    return copied(on_voc, results)


@pytest.fixture
def devkit(first_devkit: Path, tmp_path: Path) -> Path:
    """A copy that a test may change, and the test list as a file of its own."""
    shutil.copytree(first_devkit, tmp_path / "devkit")
    (tmp_path / "ids.txt").write_text("\n".join(IDS[4:]) + "\n")
    return tmp_path / "devkit"


def test_predicted_map_is_the_one_that_was_evaluated(cli: Cli, run: Run, cache: Path, tmp_path: Path) -> None:
    dataset = inputs.data(run.config(), cache, lambda _text: None)
    for i in range(3):
        Image.fromarray(dataset.val.image(i)).save(tmp_path / f"{dataset.val.ids[i]}.png")
    done = cli("predict", run.signature[:6], tmp_path, "--out", tmp_path / "out", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    with np.load(run.folder / "confusion.npz") as stored:
        evaluated = stored["confusions"]
    for i in range(3):
        ids = np.asarray(Image.open(tmp_path / f"out/{dataset.val.ids[i]}.png"))
        found = metrics.confusion(ids, dataset.val.label(i), len(dataset.classes), dataset.ignore)
        np.testing.assert_array_equal(found, evaluated[i])
        assert (tmp_path / f"out/{dataset.val.ids[i]}_overlay.jpg").is_file()
    assert (tmp_path / "out/legend.png").is_file()


def test_model_needs_neither_data_nor_initial_weights(cli: Cli, voc_run: Run, devkit: Path, tmp_path: Path) -> None:
    shutil.copy(devkit / f"JPEGImages/{IDS[0]}.jpg", tmp_path / "own.jpg")
    config = voc_run.config()
    moved = config.runtime.model_copy(update={"data_root": "/nowhere", "weights_file": "/nowhere.pth"})
    voc_run.create(config.model_copy(update={"runtime": moved}))
    done = cli("predict", voc_run.signature, tmp_path / "own.jpg", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "out/own.png") as ids:
        assert (ids.mode, ids.size) == ("P", (90, 70))


def test_broken_picture_is_named_and_the_others_are_done(cli: Cli, run: Run, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.effect_noise((90, 60), 40).save(photos / "good.png")
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    done = cli("predict", run.signature, photos, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "broken.jpg" in done.stderr
    assert "1 of 2 pictures predicted" in done.stdout
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["good.png", "good_overlay.jpg", "legend.png"]


def test_no_picture_is_overwritten(cli: Cli, run: Run, tmp_path: Path) -> None:
    Image.new("RGB", (90, 60)).save(tmp_path / "own.png")
    before = (tmp_path / "own.png").read_bytes()
    done = cli("predict", run.signature, tmp_path / "own.png", "--out", tmp_path)
    assert done.returncode == 2
    assert "--out" in done.stderr
    assert (tmp_path / "own.png").read_bytes() == before


def test_run_without_its_model_is_made_again_by_the_command_the_message_names(
    cli: Cli, results: Path, tmp_path: Path
) -> None:
    run = trained(cli, results, *SHORT)
    Image.new("RGB", (90, 60)).save(tmp_path / "own.png")
    before = run.result()
    refused = cli("predict", run.signature, tmp_path / "own.png", "--out", tmp_path / "out")
    assert refused.returncode == 2
    assert not (tmp_path / "out").exists()
    named = refused.stderr.partition("`parsenet ")[2].partition("`")[0]
    assert named.startswith(f"keep {run.signature}")
    kept = cli(*named.split())
    assert kept.returncode == 0, kept.stderr
    after = run.result()
    assert before is not None
    assert after is not None
    assert after["metrics"] == before["metrics"]
    assert run.model_file.is_file()
    beat = run.status().beat
    assert cli(*named.split()).returncode == 0
    assert run.status().beat == beat, "a model that is there is not made again"


def test_plan_says_that_only_the_model_is_missing(cli: Cli, results: Path, tmp_path: Path) -> None:
    (tmp_path / "ablations").mkdir()
    (tmp_path / "ablations/one.yaml").write_text(
        "title: One\ndata: siftflow\nbase: [recipe=parsenet]\n"
        "columns: {iu: {header: IU, metric: mean_iu}}\nrows: {a: {label: [a], paper: {}}}\n"
    )
    assert cli("ablate", "one", "--seeds", 1, *SHORT).returncode == 0
    (run,) = Store(results).runs()
    assert "1 done, 0 to do" in cli("plan", "one", "--seeds", 1, *SHORT).stdout
    shown = cli("plan", "one", "--seeds", 1, *SHORT, "keep_model=true")
    assert "its model was not kept" in shown.stdout
    assert "0 done, 1 to do" in shown.stdout
    planned = json.loads(cli("plan", "one", "--seeds", 1, *SHORT, "keep_model=true", "--json").stdout)
    assert cli("ablate", "one", "--seeds", 1, *SHORT, "keep_model=true").returncode == 0
    needed = sum(file.stat().st_size for file in run.folder.iterdir())
    assert planned["bytes"] == pytest.approx(needed, rel=0.05)
    assert run.config().runtime.keep_model


def submitted(cli: Cli, run: Run, tmp_path: Path, *more: str | Path) -> subprocess.CompletedProcess[str]:
    listed = ("--ids", tmp_path / "ids.txt", "--data-root", tmp_path / "devkit")
    return cli("submit", run.signature, *listed, *more)


def test_submission_is_written_checked_and_the_same_again(cli: Cli, voc_run: Run, tmp_path: Path, devkit: Path) -> None:
    done = submitted(cli, voc_run, tmp_path, "--out", tmp_path / "first.tar.gz")
    assert done.returncode == 0, done.stderr
    assert "comp6, because" in done.stdout
    with tarfile.open(tmp_path / "first.tar.gz") as archive:
        folder = "results/VOC2012/Segmentation/comp6_test_cls"
        assert archive.getnames() == [f"{folder}/{name}.png" for name in IDS[4:]]
    again = submitted(cli, voc_run, tmp_path, "--out", tmp_path / "second.tar.gz")
    assert "2 of 2 are predicted already" in again.stdout
    assert (tmp_path / "second.tar.gz").read_bytes() == (tmp_path / "first.tar.gz").read_bytes()

    arguments = ("--ids", tmp_path / "ids.txt", "--data-root", devkit)
    checked = cli("submit", "--check", tmp_path / "first.tar.gz", *arguments)
    assert checked.returncode == 0, checked.stderr
    assert "no fault" in checked.stdout
    official = cli("submit", "--check", tmp_path / "first.tar.gz")
    assert official.returncode == 2
    assert "1456" in official.stderr
    Image.new("RGB", (70, 90)).save(devkit / f"JPEGImages/{IDS[5]}.jpg")
    turned = cli("submit", "--check", tmp_path / "first.tar.gz", *arguments)
    assert turned.returncode == 2
    assert "90x70 pixels for an image of 70x90" in turned.stderr


def test_test_list_of_another_length_and_missing_images_are_refused(cli: Cli, voc_run: Run, devkit: Path) -> None:
    short = cli("submit", voc_run.signature, "--data-root", devkit)
    assert short.returncode == 2
    assert "expected the 1456 ids" in short.stderr
    (devkit / f"JPEGImages/{IDS[4]}.jpg").unlink()
    missing = submitted(cli, voc_run, devkit.parent)
    assert missing.returncode == 2
    assert "1 of 2 test images are missing" in missing.stderr
    assert "registration" in missing.stderr
    elsewhere = cli("submit", voc_run.signature, "--data-root", "/nowhere")
    assert elsewhere.returncode == 2
    assert "/nowhere" in elsewhere.stderr


def test_run_on_other_classes_is_refused(cli: Cli, run: Run, devkit: Path) -> None:
    done = cli("submit", run.signature, "--data-root", devkit)
    assert done.returncode == 2
    assert f"VOC's {len(CLASSES)}" in done.stderr
    assert cli("submit").returncode == 2


def test_interrupted_submission_goes_on_where_it_stopped(
    cli: Cli, voc_run: Run, devkit: Path, results: Path, tmp_path: Path
) -> None:
    many = [f"2009_{i:06}" for i in range(400)]
    for name in many:
        shutil.copy(devkit / f"JPEGImages/{IDS[0]}.jpg", devkit / f"JPEGImages/{name}.jpg")
    (tmp_path / "ids.txt").write_text("\n".join(many))
    arguments = ("submit", voc_run.signature, "--ids", "ids.txt", "--data-root", devkit, "--out", "out.tar.gz")
    process = subprocess.Popen(
        command(*arguments), cwd=tmp_path, env=environment(results), stderr=subprocess.PIPE, text=True
    )
    folder, deadline = results / "cache/submissions", time.monotonic() + 60
    while len(list(folder.glob(f"{voc_run.signature}-*/2009*.png"))) < 5:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "issue it again" in said
    assert not (tmp_path / "out.tar.gz").exists()
    kept = {file: file.stat().st_mtime_ns for file in folder.glob(f"{voc_run.signature}-*/2009_*.png")}
    assert 0 < len(kept) < len(many)
    done = cli(*arguments)
    assert done.returncode == 0, done.stderr
    assert f"{len(kept)} of {len(many)} are predicted already" in done.stdout
    assert {file: file.stat().st_mtime_ns for file in kept} == kept

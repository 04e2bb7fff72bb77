"""A trained network in use: its model kept or made again, own images predicted, VOC's test list submitted and checked."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from parsenet_cli.core import metrics
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.text import silent
from parsenet_cli.data.sets.voc12 import CLASSES
from parsenet_cli.engine import inputs
from parsenet_cli.engine.predict.photos import predict_images
from parsenet_cli.engine.predict.submit import predict_test_set
from parsenet_cli.store import artifacts
from parsenet_cli.store.run import Run, Store
from tests import voc_folder
from tests.conftest import PATIENCE_SECONDS, SHORT, Cli, Start, changed, command, environment, wait_for

IDS = [f"2008_00000{i}" for i in range(6)]


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
    lists = {"train": " ".join(IDS[:3]), "val": IDS[3], "test": " ".join(IDS[4:])}
    return voc_folder.write(root, " ".join(CLASSES), 70, 90, **lists)


@pytest.fixture(scope="module")
def on_voc(tmp_path_factory: pytest.TempPathFactory, cache: Path, first_devkit: Path) -> Path:
    return trained_once(
        tmp_path_factory.mktemp("on_voc"), cache, "data=voc12", f"data_root={first_devkit.parents[1]}",
        "weights=none", "recipe.frozen=[]", "keep_model=true", "recipe.iterations=2", "recipe.crop=64", "recipe.batch=2",
    )  # fmt: skip


def copied(store: Path, results: Path) -> Run:
    """The run of another results folder, in this test's own."""
    shutil.copytree(Store(store).runs_folder, Store(results).runs_folder)
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
    dataset = inputs.data(run.config(), cache, silent)
    for i in range(3):
        Image.fromarray(dataset.val.image(i)).save(tmp_path / f"{dataset.val.ids[i]}.png")
    cli("predict", run.signature[:6], tmp_path, "--out", tmp_path / "out", "--device", "cpu")
    evaluated = artifacts.confusions(run).matrices
    for i in range(3):
        ids = np.asarray(Image.open(tmp_path / f"out/{dataset.val.ids[i]}.png"))
        predicted = metrics.confusion(ids, dataset.val.label(i), len(dataset.classes), dataset.ignore)
        np.testing.assert_array_equal(predicted, evaluated[i])
        assert (tmp_path / f"out/{dataset.val.ids[i]}_overlay.jpg").is_file()
    assert (tmp_path / "out/legend.png").is_file()


def test_model_needs_neither_data_nor_initial_weights(cli: Cli, voc_run: Run, devkit: Path, tmp_path: Path) -> None:
    shutil.copy(devkit / f"JPEGImages/{IDS[0]}.jpg", tmp_path / "own.jpg")
    voc_run.create(changed(voc_run.config(), data_root="/nowhere", weights_file="/nowhere.pth"))
    cli("predict", voc_run.signature, tmp_path / "own.jpg", "--out", tmp_path / "out")
    with Image.open(tmp_path / "out/own.png") as ids:
        assert (ids.mode, ids.size) == ("P", (90, 70))


def test_broken_image_is_named_and_the_others_are_done(cli: Cli, run: Run, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.effect_noise((90, 60), 40).save(photos / "good.png")
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff no image")
    done = cli("predict", run.signature, photos, "--out", tmp_path / "out", code=1)
    assert "broken.jpg" in done.stderr
    assert "1 of 2 images predicted" in done.stdout
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["good.png", "good_overlay.jpg", "legend.png"]


def test_no_image_is_overwritten(cli: Cli, run: Run, tmp_path: Path) -> None:
    Image.new("RGB", (90, 60)).save(tmp_path / "own.png")
    before = (tmp_path / "own.png").read_bytes()
    assert "--out" in cli("predict", run.signature, tmp_path / "own.png", "--out", tmp_path, code=2).stderr
    assert (tmp_path / "own.png").read_bytes() == before


def test_only_earlier_predictions_are_replaced(run: Run, tmp_path: Path) -> None:
    """Whatever lies in the folder: a mask of one's own, a legend, a link to something else."""
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    Image.effect_noise((90, 60), 40).save(photos / "a.png")
    again = partial(predict_images, run, [photos], out, "cpu", silent)
    again()
    first = {file.name: file.read_bytes() for file in out.iterdir()}
    assert sorted(first) == ["a.png", "a_overlay.jpg", "legend.png"]
    (out / "legend.png").unlink()  # as after an interruption
    again()
    assert {file.name: file.read_bytes() for file in out.iterdir()} == first
    for name in first:
        Image.fromarray(np.arange(5400, dtype=np.uint8).reshape(60, 90)).save(out / name)
        before = (out / name).read_bytes()
        with pytest.raises(UserError, match=f"{name}: this file is no prediction of parsenet"):
            again()
        assert (out / name).read_bytes() == before
        (out / name).unlink()
        (out / name).symlink_to(tmp_path / "elsewhere.png")
        with pytest.raises(UserError, match=f"{name}: this file is no prediction of parsenet"):
            again()
        (out / name).unlink()
    again()
    assert not (tmp_path / "elsewhere.png").exists()


@pytest.mark.parametrize(("out", "found"), [("own.png", "a file"), ("/dev/null", "a device or pipe")])
def test_output_that_is_no_folder_is_refused_before_anything_else(
    run: Run, tmp_path: Path, out: str, found: str
) -> None:
    Image.new("RGB", (90, 60)).save(tmp_path / "own.png")
    with pytest.raises(UserError, match=f"--out .*{out}: expected a folder, found {found}"):
        predict_images(run, [tmp_path / "own.png"], tmp_path / out, "cpu", silent)


def test_image_whose_predictions_would_have_too_long_names_is_named(run: Run, tmp_path: Path) -> None:
    file = tmp_path / f"{'n' * 250}.png"
    Image.new("RGB", (90, 60)).save(file)
    with pytest.raises(UserError, match=r"n\.png: the name is too long"):
        predict_images(run, [file], tmp_path / "out", "cpu", silent)
    assert not (tmp_path / "out").exists()


def test_run_without_its_model_is_made_again_by_the_command_the_message_names(
    cli: Cli, results: Path, tmp_path: Path
) -> None:
    cli("train", *SHORT)
    (run,) = Store(results).runs()
    Image.new("RGB", (90, 60)).save(tmp_path / "own.png")
    before = run.done_result().metrics
    refused = cli("predict", run.signature, tmp_path / "own.png", "--out", tmp_path / "out", code=2).stderr
    assert not (tmp_path / "out").exists()
    named = refused.partition("`parsenet ")[2].partition("`")[0]
    assert named.startswith(f"keep {run.signature}")
    cli(*named.split())
    assert run.done_result().metrics == before
    assert run.model_file.is_file()
    beat = run.status().beat
    cli(*named.split())
    assert run.status().beat == beat, "a model that is there is not made again"


def test_plan_says_that_only_the_model_is_missing(cli: Cli, results: Path) -> None:
    arguments = ("table2", "--rows", "largefov_baseline", "--seeds", 1, *SHORT)
    cli("ablate", *arguments)
    (run,) = Store(results).runs()
    assert "1 done, 0 to do" in cli("plan", *arguments).stdout
    shown = cli("plan", *arguments, "keep_model=true").stdout
    assert "its model was not kept" in shown
    assert "0 done, 1 to do" in shown
    planned = json.loads(cli("plan", *arguments, "keep_model=true", "--json").stdout)
    cli("ablate", *arguments, "keep_model=true")
    needed = sum(file.stat().st_size for file in run.folder.iterdir())
    assert planned["bytes"] == pytest.approx(needed, rel=0.05)
    assert run.config().runtime.keep_model


@pytest.fixture
def submit(cli: Cli, voc_run: Run, devkit: Path, tmp_path: Path) -> Cli:
    """Submit the run's predictions of the test list in ids.txt."""
    return partial(cli, "submit", voc_run.signature, "--ids", tmp_path / "ids.txt", "--data-root", devkit)


def test_submission_is_written_checked_and_the_same_again(cli: Cli, submit: Cli, tmp_path: Path, devkit: Path) -> None:
    first, second = tmp_path / "first.tar.gz", tmp_path / "second.tar.gz"
    assert "comp6, because" in submit("--out", first).stdout
    with tarfile.open(first) as archive:
        folder = "results/VOC2012/Segmentation/comp6_test_cls"
        assert archive.getnames() == [f"{folder}/{name}.png" for name in IDS[4:]]
    assert "2 of 2 are predicted already" in submit("--out", second).stdout
    assert second.read_bytes() == first.read_bytes()

    check = partial(cli, "submit", "--check", first)
    assert "no fault" in check("--ids", tmp_path / "ids.txt", "--data-root", devkit).stdout
    assert "1456" in check(code=2).stderr
    Image.new("RGB", (70, 90)).save(devkit / f"JPEGImages/{IDS[5]}.jpg")
    turned = check("--ids", tmp_path / "ids.txt", "--data-root", devkit, code=2).stderr
    assert "90x70 pixels for an image of 70x90" in turned


@pytest.fixture
def submitted(voc_run: Run, devkit: Path, results: Path, tmp_path: Path) -> Callable[[Path], None]:
    """Submit as `submit` does, in this process."""

    def write(out: Path) -> None:
        predict_test_set(Store(results), voc_run, out, tmp_path / "ids.txt", devkit, "cpu", silent, silent)

    return write


def test_submission_replaces_nothing_but_a_submission(submitted: Callable[[Path], None], tmp_path: Path) -> None:
    out = tmp_path / "out.tar.gz"
    out.write_bytes(b"mine")
    with pytest.raises(UserError, match="was not written by `parsenet submit`"):
        submitted(out)
    assert out.read_bytes() == b"mine"
    out.unlink()
    submitted(out)
    whole = out.read_bytes()
    submitted(out)
    assert out.read_bytes() == whole


def test_submission_with_a_fault_is_not_kept(submitted: Callable[[Path], None], devkit: Path, tmp_path: Path) -> None:
    """An image that was exchanged after it had been predicted."""
    submitted(tmp_path / "first.tar.gz")
    Image.new("RGB", (70, 90)).save(devkit / f"JPEGImages/{IDS[5]}.jpg")
    with pytest.raises(UserError, match="90x70 pixels for an image of 70x90"):
        submitted(tmp_path / "second.tar.gz")
    assert sorted(file.name for file in tmp_path.glob("*.tar.gz*")) == ["first.tar.gz"]
    assert not list(tmp_path.glob(".*.tmp"))


def test_ids_that_lead_out_of_the_images_are_refused(
    submitted: Callable[[Path], None], devkit: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "PIC.png"
    picture.write_bytes(b"mine")
    shutil.copy(devkit / f"JPEGImages/{IDS[0]}.jpg", tmp_path / "PIC.jpg")
    (tmp_path / "ids.txt").write_text(f"{tmp_path}/PIC\n")
    with pytest.raises(UserError, match=r"ids\.txt:1: the id"):
        submitted(tmp_path / "out.tar.gz")
    assert picture.read_bytes() == b"mine"
    assert not (tmp_path / "out.tar.gz").exists()


def test_test_list_of_another_length_and_missing_images_are_refused(
    cli: Cli, submit: Cli, voc_run: Run, devkit: Path
) -> None:
    assert "expected the 1456 ids" in cli("submit", voc_run.signature, "--data-root", devkit, code=2).stderr
    (devkit / f"JPEGImages/{IDS[4]}.jpg").unlink()
    missing = submit(code=2).stderr
    assert "1 of 2 test images are missing" in missing
    assert "registration" in missing
    assert "/nowhere" in cli("submit", voc_run.signature, "--data-root", "/nowhere", code=2).stderr


def test_run_on_other_classes_is_refused(cli: Cli, run: Run, devkit: Path) -> None:
    assert f"VOC's {len(CLASSES)}" in cli("submit", run.signature, "--data-root", devkit, code=2).stderr


def test_interrupted_submission_goes_on_where_it_stopped(
    cli: Cli, start: Start, voc_run: Run, devkit: Path, results: Path, tmp_path: Path
) -> None:
    many = [f"2009_{i:06}" for i in range(400)]
    for name in many:
        shutil.copy(devkit / f"JPEGImages/{IDS[0]}.jpg", devkit / f"JPEGImages/{name}.jpg")
    (tmp_path / "ids.txt").write_text("\n".join(many))
    arguments = ("submit", voc_run.signature, "--ids", "ids.txt", "--data-root", devkit, "--out", "out.tar.gz")

    def kept() -> dict[Path, int]:
        maps = (results / "cache/submissions").glob(f"{voc_run.signature}-*/2009_*.png")
        return {file: file.stat().st_mtime_ns for file in maps}

    process = start(*arguments)
    wait_for(lambda: len(kept()) >= 5, "five maps", 60, every=0.01)
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130, printed
    assert "issue it again" in printed
    assert not (tmp_path / "out.tar.gz").exists()
    before = kept()
    assert 0 < len(before) < len(many)
    assert f"{len(before)} of {len(many)} are predicted already" in cli(*arguments).stdout
    assert before.items() <= kept().items()

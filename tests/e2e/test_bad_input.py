"""A user's mistake gets one clear message and exit code 2, and leaves nothing half-written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from parsenet_cli.store.run import Store
from tests.conftest import Cli


def refused(cli: Cli, *arguments: str | Path) -> str:
    """The message of a command that must be refused."""
    done = cli(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stderr.startswith(("error: ", "Usage: "))
    return done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("ablate", "table44"), "'table4'"),
        (("ablate", "table4", "nrom=l2"), "'norm'"),
        (("ablate", "table4", "trunk=vgg_tinny"), "'vgg_tiny'"),
        (("ablate", "table4", "recipe.iterations=many"), "recipe.iterations"),
        (("ablate", "table4", "--profile", "quik"), "'quick'"),
        (("ablate", "table4", "--rows", "fc77"), "'fc7'"),
        (("ablate", "table4", "--columns", "nrom"), "'norm'"),
        (("ablate", "table4", "launcher=locl"), "'local'"),
        (("ablate", "table4", "launcher.slots=0"), "launcher.slots"),
        (("ablate", "norm=l2"), "no table named"),
        (("ablate", "table6", "--profile", "photos"), "data_root="),
        (("ablate", "table6", "--profile", "photos", "data_root=/nowhere"), "/nowhere"),
        (("sweep", "norm=l2"), "nothing is swept"),
        (("table", "table4"), "parsenet ablate table4"),
        (("show", "abc"), "0 runs"),
        (("ablate", "table4", "weights=/nowhere.pth"), "/nowhere.pth"),
    ],
)
def test_names_that_do_not_exist(cli: Cli, results: Path, arguments: tuple[str, ...], says: str) -> None:
    assert says in refused(cli, *arguments)
    assert not Store(results).runs()


def test_malformed_table_names_file_and_line(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "ablations"
    folder.mkdir()
    (folder / "bad.yaml").write_text("title: x\ndata: voc12\ncolumns:\n  a: {header: A, metrik: mean_iu}\nrows: {}\n")
    message = refused(cli, "plan", "bad")
    assert "bad.yaml:4" in message
    assert "metric" in message


def test_results_folder_that_cannot_be_written(cli: Cli, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file")
    assert str(blocked) in refused(cli, "train", "weights=none", "--results", blocked)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six small photos in VOC's layout."""
    root = tmp_path / "photos"
    for part in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / part).mkdir(parents=True)
    rng = np.random.default_rng(0)
    ids = [f"p{i}" for i in range(6)]
    for name in ids:
        Image.fromarray(rng.integers(0, 255, (70, 90, 3), np.uint8)).save(root / f"JPEGImages/{name}.jpg")
        mask = Image.fromarray(rng.integers(0, 3, (70, 90), np.uint8), "P")
        mask.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
        mask.save(root / f"SegmentationClass/{name}.png")
    (root / "ImageSets/Segmentation/train.txt").write_text("\n".join(ids[:4]) + "\n")
    (root / "ImageSets/Segmentation/val.txt").write_text("\n".join(ids[4:]) + "\n")
    (root / "classes.txt").write_text("background\ncat\ndog\n")
    return root


def run_on(photos: Path) -> tuple[str, ...]:
    return (
        "train", "--profile", "photos", f"data_root={photos}", "weights=none",
        "recipe.iterations=2", "recipe.crop=64", "recipe.batch=2",
    )  # fmt: skip


def test_own_photos_can_be_trained_on(cli: Cli, photos: Path, results: Path) -> None:
    done = cli(*run_on(photos), "classes=[background,dog]")
    assert done.returncode == 0, done.stderr
    (run,) = Store(results).runs()
    assert run.done_result().classes == ["background", "dog"]


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:200])


def _out_of_range(file: Path) -> None:
    Image.fromarray(np.full((70, 90), 7, np.uint8)).save(file)


def _other_size(file: Path) -> None:
    Image.fromarray(np.zeros((60, 90), np.uint8)).save(file)


@pytest.mark.parametrize(
    ("damaged", "damage"),
    [
        ("JPEGImages/p1.jpg", _truncate),
        ("SegmentationClass/p2.png", _truncate),
        ("SegmentationClass/p3.png", _out_of_range),
        ("SegmentationClass/p4.png", _other_size),
        ("SegmentationClass/p5.png", Path.unlink),
    ],
    ids=["truncated image", "truncated mask", "class out of range", "sizes differ", "missing mask"],
)
def test_damaged_data_is_named(cli: Cli, photos: Path, results: Path, damaged: str, damage: object) -> None:
    assert callable(damage)
    damage(photos / damaged)
    assert Path(damaged).name in refused(cli, *run_on(photos))
    assert not any(run.result() for run in Store(results).runs())


def test_layer_the_trunk_does_not_have(cli: Cli, results: Path) -> None:
    for command in (("train", "weights=none"), ("plan", "table4")):
        message = refused(cli, *command, "layers=[pool6,fc8]")
        assert "'fc8'" in message
        assert "pool6, fc7, conv5, conv4, conv3" in message
    assert not Store(results).runs()


def test_bins_that_repeat_are_refused_by_the_plan_already(cli: Cli) -> None:
    assert "context_bins" in refused(cli, "plan", "spp", "context_bins=[1,2,2]")


TOO_SMALL = {
    "bins larger than the map": (
        ("context=spp", "context_bins=[1,2,64]"),
        ("context_bins: 64x64 bins", "at least 128 cells a side, this one has"),
    ),
    "unpadded fc6": (
        ("body=fcn", "fc6_pad=none", "trunk=vgg16"),
        ("70x90 pixels", "layer fc6", "at least 7 cells", "gets 3x3", "images need 193 pixels", "fc6_pad=same"),
    ),
}


@pytest.mark.parametrize(("axes", "says"), TOO_SMALL.values(), ids=TOO_SMALL)
def test_network_too_large_for_an_image_is_refused_before_it_is_trained(
    cli: Cli, photos: Path, results: Path, axes: tuple[str, ...], says: tuple[str, ...]
) -> None:
    arguments = [text for text in run_on(photos) if not text.startswith("recipe.crop")]
    done = cli(*arguments, "recipe.crop=null", "recipe.batch=1", "layers=[pool6,fc7]", *axes)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    message = done.stderr.splitlines()[-1]
    assert message.startswith("error: p0: ")
    assert all(text in message for text in says), message
    (run,) = Store(results).runs()
    assert run.result() is None
    assert not run.metrics()


def test_unknown_class_is_answered_with_the_nearest(cli: Cli, photos: Path) -> None:
    assert "'cat'" in refused(cli, *run_on(photos), "classes=[background,cot]")


def test_weights_of_another_network_are_refused(cli: Cli, photos: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    file = tmp_path / "other.safetensors"
    save_file({"layer.weight": torch.zeros(3)}, file)
    arguments = [text for text in run_on(photos) if text != "weights=none"]
    done = cli(*arguments, f"weights={file}")
    assert done.returncode == 2
    assert "other.safetensors" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr

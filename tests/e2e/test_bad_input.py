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
    message = cli(*arguments, code=2).stderr
    assert message.startswith(("error: ", "Usage: "))
    return message


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


ON_PHOTOS = (
    "train", "--profile", "photos", "data_root=photos", "weights=none", "recipe.iterations=2", "recipe.batch=2",
)  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("ablate", "table44"), "'table4'"),
        (("ablate", "table4", "nrom=l2"), "'norm'"),
        (("ablate", "table4", "recipe.iterations=many"), "recipe.iterations"),
        (("ablate", "table4", "--profile", "quik"), "'quick'"),
        (("ablate", "table4", "--rows", "fc77"), "'fc7'"),
        (("ablate", "table4", "launcher=locl"), "'local'"),
        (("ablate", "table4", "launcher.slots=0"), "launcher.slots"),
        (("ablate", "norm=l2"), "no table named"),
        (("ablate", "table6", "--profile", "photos"), "data_root="),
        (("ablate", "table6", "--profile", "photos", "data_root=/nowhere"), "/nowhere"),
        (("ablate", "table4", "weights=/nowhere.pth"), "/nowhere.pth"),
        (("sweep", "norm=l2"), "nothing is swept"),
        (("train", "weights=none", "--results", "/proc/nowhere"), "/proc/nowhere"),
        (("train", "weights=none", "layers=[pool6,fc8]"), "unknown value for layers: 'fc8'"),
        ((*ON_PHOTOS, "classes=[background,cot]"), "'cat'"),
        (("plan", "spp", "context_bins=[1,2,2]"), "context_bins"),
        (("plan", "table4", "layers=[pool6,fc8]"), "unknown value for layers: 'fc8'"),
        (("table", "table4"), "parsenet ablate table4"),
        (("show", "abc"), "0 runs"),
        (("status", "--watch", "--json"), "choose one"),
        (("cancel",), "--all"),
        (("submit",), "--check ARCHIVE"),
        (("network", "body=full"), "'full'. Valid: fcn, reduced"),
        (("network", "bdy=fcn"), "Did you mean 'body'"),
        (("network", "body=reduced", "skips=8s"), "skips=8s"),
        (("network", "fc6_pad=none", "body=fcn", "--size", "50x50"), "layer fc6"),
        (("figure", "histogram"), "unknown figure 'histogram'. Valid: context, curves, receptive-field, scales, table"),
        (("figure", "scales", "norm=l3"), "unknown value for norm: 'l3'"),
        (("figure", "scales", "--run", "abc"), "0 runs in"),
        (("export", "--to", "csv", "table4"), "table4 has not been run yet"),
        (("export", "--to", "tensorboard"), "no run is done that could be exported"),
        (("report",), "there is no study to report. Run `parsenet ablate all` first"),
        (("verify", "table99"), "unknown table 'table99'"),
        (("verify", "table4"), "table4 has not been run under profile quick yet"),
        (("verify", "all"), "no table with claims has been run under profile quick yet"),
        (("verify", "all", "--profile", "paper"), "under profile paper yet"),
    ],
)
def test_mistake_is_named_and_leaves_nothing(
    cli: Cli, results: Path, photos: Path, arguments: tuple[str, ...], says: str
) -> None:
    assert says in refused(cli, *arguments)
    assert not Store(results).runs()
    assert not {"figures", "report", "tables"} & {entry.name for entry in results.iterdir()}


def test_own_photos_can_be_trained_on(cli: Cli, photos: Path, results: Path) -> None:
    cli(*ON_PHOTOS, "recipe.crop=64", "classes=[background,dog]")
    (run,) = Store(results).runs()
    assert run.done_result().classes == ["background", "dog"]


def test_damaged_data_is_named(cli: Cli, photos: Path, results: Path) -> None:
    """Every kind of damage is in test_data_sets.py."""
    file = photos / "JPEGImages/p1.jpg"
    file.write_bytes(file.read_bytes()[:200])
    assert file.name in refused(cli, *ON_PHOTOS, "recipe.crop=64")
    assert not any(run.result() for run in Store(results).runs())


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
    done = cli(*ON_PHOTOS, "recipe.crop=null", "recipe.batch=1", "layers=[pool6,fc7]", *axes, code=2)
    message = done.stderr.splitlines()[-1]
    assert message.startswith("error: p0: ")
    assert all(text in message for text in says), message
    (run,) = Store(results).runs()
    assert run.result() is None
    assert not run.metrics()

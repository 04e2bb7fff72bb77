"""A user's mistake gets one clear message and exit code 2, and leaves nothing half-written."""

from __future__ import annotations

from pathlib import Path

import pytest

from parsenet_cli.store.run import Store
from tests import voc_folder
from tests.conftest import Cli


def refused(cli: Cli, *arguments: str | Path) -> str:
    """The message of a command that must be refused."""
    message = cli(*arguments, code=2).stderr
    assert message.startswith(("error: ", "Usage: "))
    return message


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six small photos in VOC's layout."""
    return voc_folder.write(tmp_path / "photos", "background cat dog", 70, 90, train="p0 p1 p2 p3", val="p4 p5")


ON_PHOTOS = (
    "train", "--profile", "photos", "data_root=photos", "weights=none", "recipe.iterations=2", "recipe.batch=2",
)  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("ablate", "table44"), "'table4'"),
        (("ablate", "table4", "nrom=l2"), "'norm'"),
        (("ablate", "table4", "--profile", "quik"), "'quick'"),
        (("ablate", "table4", "--rows", "fc77"), "'fc7'"),
        (("ablate", "table4", "launcher=locl"), "'local'"),
        (("ablate", "norm=l2"), "no table named"),
        (("ablate", "table6", "--profile", "photos"), "data_root="),
        (("ablate", "table4", "weights=/nowhere.pth"), "/nowhere.pth"),
        (("sweep", "norm=l2"), "nothing is swept"),
        (
            ("train", "weights=none", "recipe.frozen=[]", "precision=tf32"),
            "precision=tf32 device=cpu: a CPU has no TF32",
        ),
        (
            ("ablate", "table6", "weights=none", "recipe.frozen=[]", "precision=tf32"),
            "precision=tf32 device=cpu: a CPU has",
        ),
        (("train", "weights=none", "precision=float16"), "unknown value for precision: 'float16'"),
        (("train", "weights=none", "recipe.frozen=[]", "--results", "/proc/nowhere"), "/proc/nowhere"),
        (("train", "weights=none", "recipe.frozen=[]", "layers=[pool6,fc8]"), "unknown value for layers: 'fc8'"),
        ((*ON_PHOTOS, "classes=[background,cot]"), "'cat'"),
        (("plan", "table4", "layers=[pool6,fc8]"), "unknown value for layers: 'fc8'"),
        (("table", "table4"), "parsenet ablate table4"),
        (("show", "abc"), "0 runs"),
        (("status", "--watch", "--json"), "choose one"),
        (("cancel",), "--all"),
        (("submit",), "--check ARCHIVE"),
        (("network", "body=full"), "'full'. Valid: fcn, reduced"),
        (("network", "body=reduced", "skips=8s"), "skips=8s"),
        (
            ("figure", "histogram"),
            "unknown figure 'histogram'. Valid: context, cost, curves, receptive-field, scales, table",
        ),
        (("figure", "scales", "norm=l3"), "unknown value for norm: 'l3'"),
        (("figure", "scales", "--run", "abc"), "0 runs in"),
        (("export", "--to", "csv", "table4"), "table4 has not been run yet"),
        (("report",), "there is no study to report. Run `parsenet ablate all` first"),
        (("verify", "table99"), "unknown table 'table99'"),
        (("verify", "table4"), "table4 has not been run under profile quick yet"),
        (("verify", "all"), "no table of 'all' with claims has been run under profile quick yet"),
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
    """Every kind of damage is in tests/unit/data/test_sets.py."""
    file = photos / "JPEGImages/p1.jpg"
    file.write_bytes(file.read_bytes()[:200])
    assert file.name in refused(cli, *ON_PHOTOS, "recipe.crop=64")
    assert not any(run.result() for run in Store(results).runs())


def test_network_too_large_for_an_image_is_refused_before_it_is_trained(cli: Cli, photos: Path, results: Path) -> None:
    """What else an image can be too small for is in tests/unit/models."""
    sizes = ("recipe.crop=null", "recipe.batch=1", "body=fcn", "fc6_pad=none", "trunk=vgg16")
    message = cli(*ON_PHOTOS, *sizes, code=2).stderr.splitlines()[-1]
    assert message.startswith("error: p0: an image of 70x90 pixels")
    assert "images need 193 pixels" in message
    (run,) = Store(results).runs()
    assert run.result() is None
    assert not run.metrics()

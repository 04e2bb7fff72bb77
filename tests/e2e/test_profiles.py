"""The two profiles that run here, for real: minutes, so `make test-slow`."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from parsenet_cli.store.run import Store
from tests.conftest import Cli

pytestmark = pytest.mark.slow


def test_quick_table4_from_a_cold_store(cli: Cli, results: Path) -> None:
    (results / "cache").unlink()
    started = time.monotonic()
    cli("ablate", "table4", "--seeds", 1, timeout=900)
    first = time.monotonic() - started  # 240 s on two idle cores
    measured = [run.done_result() for run in Store(results).runs()]
    assert len(measured) == 10
    assert max(result.peak_memory_mb or 0 for result in measured) < 1500
    started = time.monotonic()
    cli("ablate", "table4", "--seeds", 1)
    assert time.monotonic() - started < first / 20


@pytest.mark.skipif("PARSENET_PHOTOS" not in os.environ, reason="PARSENET_PHOTOS does not name a folder of photos")
def test_photos_are_trained_and_scored_at_their_own_size(cli: Cli, results: Path) -> None:
    photos = Path(os.environ["PARSENET_PHOTOS"])
    weights = sorted((photos.parent / "weights").glob("squeezenet1_1*.safetensors"))
    if not weights:
        pytest.skip("there are no SqueezeNet weights beside the photos")
    cli(
        *("ablate", "table6", "--profile", "photos", "--rows", "fc7_n,pool6_fc7_y_l", "recipe.iterations=20"),
        *(f"data_root={photos}", f"weights={weights[0]}", "classes=[background,cat,cow,dog,horse,sheep,person]"),
        timeout=900,
    )
    for run in Store(results).runs():
        result = run.done_result()
        assert result.network["preprocessing"]["order"] == "BGR"
        assert result.val_images == 445
        assert len(result.classes) == 7
        assert (result.metrics["mean_iu"] or 0) > 0.15

"""How much an image moves a score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from parsenet_cli.claims.influence import NotSmooth, influences
from parsenet_cli.core import metrics
from parsenet_cli.core.metric_names import ClassMean

if TYPE_CHECKING:
    from parsenet_cli.core.metrics import Counts

CLASSES = ["a", "b", "c", "never"]


def confusions(images: int = 60) -> Counts:
    """Every class is taken for every other one; the last never occurs, but is predicted."""
    random = np.random.default_rng(0)
    drawn = random.integers(0, 9, (images, 4, 4)) + 30 * np.eye(4, dtype=int) * random.integers(1, 4, (images, 1, 1))
    drawn[:, 3] = 0
    return np.asarray(drawn, np.int32)


@pytest.mark.parametrize("class_mean", ["present", "all"])
@pytest.mark.parametrize("name", ["mean_iu", "pixel_accuracy", "mean_accuracy", "fw_iu", "iu[b]"])
def test_they_are_what_leaving_an_image_out_changes(name: str, class_mean: ClassMean) -> None:
    images = confusions()
    score, total = metrics.metric_function(name, CLASSES, class_mean), images.sum(axis=0)
    left_out = np.array([score(total) - score(total - image) for image in images])
    found = influences(name, images, CLASSES, class_mean)
    assert found.sum() == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(found, left_out, atol=0.06 * np.abs(left_out).max())


def test_their_squares_are_the_variance_of_a_bootstrap_over_images() -> None:
    images = confusions(200)
    score, random = metrics.metric_function("mean_iu", CLASSES), np.random.default_rng(1)
    drawn = random.multinomial(200, np.full(200, 1 / 200), size=2000)
    scores = [score(total) for total in np.tensordot(drawn, images, axes=1)]
    found = influences("mean_iu", images, CLASSES, "present")
    assert np.sqrt((found**2).sum()) == pytest.approx(np.std(scores), rel=0.06)


def test_pixel_accuracy_has_the_influence_known_from_ratios() -> None:
    images = confusions()
    right, pixels = images.trace(axis1=1, axis2=2), images.sum(axis=(1, 2))
    expected = (right - right.sum() / pixels.sum() * pixels) / pixels.sum()
    np.testing.assert_allclose(influences("pixel_accuracy", images, CLASSES, "present"), expected, atol=1e-9)


def test_an_undefined_score_has_none() -> None:
    with pytest.raises(NotSmooth, match="not defined"):
        influences("iu[never]", confusions() * (np.arange(4) < 3), CLASSES, "present")


def test_a_score_with_a_kink_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    images = confusions()
    at = metrics.pixel_accuracy(images.sum(axis=0))

    def kinked(confusion: Counts, class_mean: ClassMean) -> float:
        return abs(metrics.pixel_accuracy(confusion) - at)

    monkeypatch.setattr(metrics, "kinked", kinked, raising=False)
    monkeypatch.setattr(metrics, "names", lambda: ["kinked"])
    with pytest.raises(NotSmooth, match="not smooth"):
        influences("kinked", images, CLASSES, "present")

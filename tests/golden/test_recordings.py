"""The folder of recorded numbers: which one is read, what a missing or damaged one is answered, and that errors show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from parsenet_cli.core.errors import UserError
from tests.golden import vectors
from tests.golden.comparison import compared
from tests.golden.differences import difference


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another folder with the same files, which the environment variable names."""
    for file in vectors.FILES:
        (tmp_path / f"{file}.npz").symlink_to(vectors.folder().resolve() / f"{file}.npz")
    monkeypatch.setenv(vectors.VARIABLE, str(tmp_path))
    return tmp_path


def test_the_variable_names_another_folder(other: Path) -> None:
    assert vectors.folder() == other
    assert ("metric", "scores") in vectors.cases()


def test_a_missing_file_is_named_with_what_to_do(other: Path) -> None:
    (other / "sgd.npz").unlink()
    with pytest.raises(UserError, match=r"sgd\.npz: no such file; expected the seven files .* PARSENET_GOLDEN"):
        vectors.cases()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"text"])
def test_a_damaged_file_is_named(other: Path, content: bytes) -> None:
    (other / "deconv.npz").unlink()
    (other / "deconv.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"deconv\.npz: not a file of recorded numbers"):
        vectors.cases()


@pytest.mark.parametrize("array", ["top", "bottom_diff", "param_diff0"])
def test_a_number_that_is_a_thousandth_off_is_too_far(other: Path, array: str) -> None:
    with np.load(other / "normalize.npz") as content:
        arrays = {key: content[key].copy() for key in content.files}
    key = f"learned_scale/{array}"
    arrays[key].flat[np.abs(arrays[key]).argmax()] *= 1.001
    (other / "normalize.npz").unlink()
    np.savez(other / "normalize.npz", **arrays)
    case = compared("normalize", "learned_scale")
    assert {each.array for each in case.differences if not each.fits} == {array}
    assert compared("normalize", "map_1x1").worst.fits


def test_an_array_that_nothing_looked_at_is_named() -> None:
    case = vectors.case("normalize", "map_1x1")
    case.given("bottom")
    assert case.unseen == ["bottom_diff", "param0", "param_diff0", "top", "top_diff"]


def test_differences_are_relative_to_the_largest_recorded_value() -> None:
    found = difference("loss", "x", np.array([1.0, 4.5]), np.array([1.0, 4.0]))
    assert (found.absolute, found.relative, found.fits) == (0.5, 0.125, False)
    assert difference("loss", "x", np.zeros(2), np.zeros(2)).relative == 0
    assert not difference("loss", "x", np.array([np.nan]), np.zeros(1)).fits
    with pytest.raises(ValueError, match="shape"):
        difference("loss", "x", np.zeros(2), np.zeros((2, 1)))

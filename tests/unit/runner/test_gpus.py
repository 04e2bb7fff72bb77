"""GPUs that are shared as far as measured memory allows, on a machine that only claims to have some."""

from __future__ import annotations

from pathlib import Path

import pytest

from parsenet_cli.runner.gpus import SHARE, Gpu, least_loaded, visible
from parsenet_cli.runner.launcher import ANY, Resources
from tests.fakes import FakeHandle

SMI = """#!/bin/sh
test "$1" = --query-gpu=index,uuid,memory.free || exit 1
echo "0, GPU-aaa1, 80000"
echo "1, GPU-aab2, 40000"
echo "2, GPU-ccc3, [N/A]"
"""


def task() -> FakeHandle:
    """One that lives until it is told otherwise."""
    return FakeHandle(10**9)


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(SMI)
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.usefixtures("smi")
@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        (None, [("0", 80000), ("1", 40000), ("2", 0)]),
        ("1,0", [("1", 40000), ("0", 80000)]),
        ("GPU-ccc3", [("GPU-ccc3", 0)]),
        ("GPU-aab", [("GPU-aab", 40000)]),
        ("GPU-aa", [("GPU-aa", None)]),
        ("MIG-7f", [("MIG-7f", None)]),
        ("", []),
        ("-1", []),
    ],
)
def test_visible_gpus_with_what_is_free(
    allowed: str | None, expected: list[tuple[str, float | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    if allowed is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
    assert [(gpu.name, gpu.free_mb) for gpu in visible()] == expected


def test_machine_without_the_tool_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert visible() == []


def test_runs_share_a_gpu_as_long_as_they_fit_and_no_longer() -> None:
    gpu, each = Gpu("0", 10000 / SHARE), Resources(gpu_mb=4000)
    first, second = task(), task()
    assert gpu.fits(each, 4)
    gpu.take(first, each)
    assert gpu.fits(each, 4)
    gpu.take(second, each)
    assert not gpu.fits(each, 4)
    assert gpu.fits(Resources(gpu_mb=2000), 4)
    assert not gpu.fits(Resources(gpu_mb=2000), 2)
    second.lives = 0
    assert gpu.fits(each, 2)


def test_run_of_a_kind_that_was_never_measured_has_a_gpu_for_itself() -> None:
    gpu = Gpu("0", 1e6)
    unknown = task()
    gpu.take(unknown, ANY)
    assert not gpu.fits(Resources(gpu_mb=1), 4)
    unknown.lives = 0
    gpu.take(task(), Resources(gpu_mb=1))
    assert not gpu.fits(ANY, 4)


def test_run_that_has_to_be_alone_waits_and_is_left_alone() -> None:
    gpu, alone = Gpu("0", 1e6), Resources(gpu_mb=1, alone=True)
    other = task()
    gpu.take(other, Resources(gpu_mb=1))
    assert not gpu.fits(alone, 4)
    other.lives = 0
    assert gpu.fits(alone, 4)
    gpu.take(task(), alone)
    assert not gpu.fits(Resources(gpu_mb=1), 4)


def test_gpu_of_unknown_memory_is_not_shared_and_an_idle_one_takes_anything() -> None:
    gpu = Gpu("MIG-1", None)
    assert gpu.fits(Resources(gpu_mb=1e9), 4)
    gpu.take(task(), Resources(gpu_mb=1))
    assert not gpu.fits(Resources(gpu_mb=1), 4)


def test_next_run_goes_to_the_gpu_with_the_fewest() -> None:
    gpus, each = [Gpu("0", 1e5), Gpu("1", 1e5)], Resources(gpu_mb=10)
    for expected in ("0", "1", "0", "1"):
        gpu = least_loaded(gpus, each, 2)
        assert gpu is not None
        assert gpu.name == expected
        gpu.take(task(), each)
    assert least_loaded(gpus, each, 2) is None

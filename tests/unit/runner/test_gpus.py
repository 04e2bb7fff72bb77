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


SMALL, LARGE, ALONE = Resources(gpu_mb=2000), Resources(gpu_mb=4000), Resources(gpu_mb=1, alone=True)


@pytest.mark.parametrize(
    ("free_mb", "there", "new", "at_a_time", "fits"),
    [
        (10000 / SHARE, [LARGE], LARGE, 4, True),
        (10000 / SHARE, [LARGE, LARGE], LARGE, 4, False),
        (10000 / SHARE, [LARGE, LARGE], SMALL, 4, True),
        (10000 / SHARE, [LARGE, LARGE], SMALL, 2, False),
        (1e6, [ANY], SMALL, 4, False),  # of a kind that was never measured
        (1e6, [SMALL], ANY, 4, False),
        (1e6, [SMALL], ALONE, 4, False),
        (1e6, [ALONE], SMALL, 4, False),
        (None, [SMALL], SMALL, 4, False),  # whose memory nobody knows
    ],
)
def test_runs_share_a_gpu_as_long_as_they_are_known_to_fit(
    free_mb: float | None, there: list[Resources], new: Resources, at_a_time: int, fits: bool
) -> None:
    gpu, tasks = Gpu("0", free_mb), [task() for _ in there]
    for handle, needs in zip(tasks, there, strict=True):
        gpu.take(handle, needs)
    assert gpu.fits(new, at_a_time) is fits
    for handle in tasks:
        handle.lives = 0
    assert gpu.fits(new, at_a_time), "an idle one takes anything"


def test_next_run_goes_to_the_gpu_with_the_fewest() -> None:
    gpus, each = [Gpu("0", 1e5), Gpu("1", 1e5)], Resources(gpu_mb=10)
    for expected in ("0", "1", "0", "1"):
        gpu = least_loaded(gpus, each, 2)
        assert gpu is not None
        assert gpu.name == expected
        gpu.take(task(), each)
    assert least_loaded(gpus, each, 2) is None

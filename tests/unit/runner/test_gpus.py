"""GPUs that are shared as far as measured memory allows, on a machine that only claims to have some."""

from __future__ import annotations

from pathlib import Path

import pytest

from parsenet_cli.runner.gpus import MPS, SHARE, SLICES, Gpu, least_capability, least_loaded, sharing, visible
from parsenet_cli.runner.launcher import Resources
from tests.fakes import FakeHandle

SMI = """#!/bin/sh
case "$1" in
--query-gpu=index,uuid,memory.free,name)
    echo "0, GPU-aaa1, 80000, NVIDIA A"
    echo "1, GPU-aab2, 40000, NVIDIA A"
    echo "2, GPU-ccc3, [N/A], NVIDIA $LAST"
    ;;
--query-gpu=uuid,compute_cap)
    echo "GPU-aaa1, 9.0"
    echo "GPU-aab2, 8.0"
    echo "GPU-ccc3, 7.5"
    ;;
*) exit 1 ;;
esac
"""
"""Three cards; `$LAST` is the model of the last."""


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
        (None, [("GPU-aaa1", 80000), ("GPU-aab2", 40000), ("GPU-ccc3", 0)]),
        ("1,0", [("GPU-aab2", 40000), ("GPU-aaa1", 80000)]),
        ("7", [("7", None)]),
        ("GPU-ccc3", [("GPU-ccc3", 0)]),
        ("GPU-aab", [("GPU-aab2", 40000)]),
        ("GPU-aa", [("GPU-aa", None)]),
        ("MIG-7f", [("MIG-7f", None)]),
        ("", []),
        ("-1", []),
    ],
)
def test_visible_gpus_go_by_their_uuid_with_what_is_free(
    allowed: str | None, expected: list[tuple[str, float | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAST", "A")
    if allowed is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
    assert [(gpu.name, gpu.free_mb) for gpu in visible()] == expected


@pytest.mark.usefixtures("smi")
@pytest.mark.parametrize(("order", "expected"), [("", ("1", None)), ("PCI_BUS_ID", ("GPU-aab2", 40000))])
def test_index_among_different_cards_is_cudas_own_unless_it_counts_by_slots(
    order: str, expected: tuple[str, float | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """CUDA counts the fastest first: memory would be booked on another card than the one that is used."""
    monkeypatch.setenv("LAST", "B")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.setenv("CUDA_DEVICE_ORDER", order)
    assert [(gpu.name, gpu.free_mb) for gpu in visible()] == [expected]


@pytest.mark.usefixtures("smi")
def test_least_capability_is_that_of_the_cards_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert least_capability() == (7, 5)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-aaa1,GPU-aab2")
    assert least_capability() == (8, 0)
    monkeypatch.setenv("PATH", "")
    assert least_capability() is None


@pytest.mark.parametrize(("code", "way"), [(0, MPS), (1, SLICES)])
def test_sharing_is_by_mps_where_its_daemon_answers(
    code: int, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert sharing() == SLICES
    tool = tmp_path / "nvidia-cuda-mps-control"
    tool.write_text(f'#!/bin/sh\ntest "$(cat)" = get_server_list && exit {code}\nexit 3\n')
    tool.chmod(0o755)
    assert sharing() == way


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
        (1e6, [Resources()], SMALL, 4, False),  # of a kind that was never measured
        (1e6, [SMALL], Resources(), 4, False),
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


def test_run_shares_its_gpu_as_soon_as_it_says_what_it_takes() -> None:
    gpu, reported = Gpu("0", 10000 / SHARE), [None, 5000.0, 9000.0]
    gpu.take(task(), Resources(), lambda: reported[0])
    assert not gpu.fits(LARGE, 4)
    del reported[0]
    assert gpu.fits(LARGE, 4)
    del reported[0]
    assert not gpu.fits(LARGE, 4), "it has grown"

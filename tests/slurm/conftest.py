"""One Slurm for all tests of this tier; where it cannot start they are skipped, and say why."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster, Unavailable


@pytest.fixture(scope="session")
def running_cluster() -> Iterator[Cluster]:
    """In a folder with a short name: that of a socket has at most 108 characters."""
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:
        cluster = Cluster(Path(folder))
        try:
            cluster.start()
            yield cluster
        except Unavailable as problem:
            pytest.skip(f"Slurm: {problem}")
        finally:
            cluster.stop()


@pytest.fixture
def cluster(running_cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Cluster]:
    """Its commands are on the caller's path; submitit's folder is this test's own; no job outlives the test."""
    for name, value in running_cluster.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    yield running_cluster
    running_cluster.clear()

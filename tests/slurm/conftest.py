"""One Slurm for all tests of this tier; where it cannot start they are skipped, and say why. At the end comes a log."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from parsenet_cli.store.run import Store
from tests.conftest import Start, command, environment
from tests.slurm.cluster import Cluster, Unavailable
from tests.slurm.scenario import ON_SLURM, Measured, only_run, scores, starts

LOG = pytest.StashKey[list[str]]()


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
def cluster(
    running_cluster: Cluster,
    results: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Iterator[Cluster]:
    """Its commands are on the caller's path; submitit's folder is this test's own; no job outlives the test."""
    for name, value in running_cluster.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    running_cluster.deeds.clear()
    began = time.monotonic()
    yield running_cluster
    seconds = time.monotonic() - began
    line = f"{seconds:5.1f} s  {request.node.name.removeprefix('test_')}: {_log(running_cluster, results)}"
    request.config.stash.setdefault(LOG, []).append(line)
    running_cluster.mend()
    running_cluster.clear()


@pytest.fixture
def driver(cluster: Cluster, start: Start) -> Start:
    """Start a command that uses the cluster, and do not wait for it."""
    return start


@pytest.fixture(scope="session")
def known() -> dict[tuple[str, ...], object]:
    """What was measured without Slurm, by the command."""
    return {}


@pytest.fixture
def undisturbed(known: dict[tuple[str, ...], object], tmp_path: Path, cache: Path) -> Measured:
    """What the same run measures when this machine carries it out without Slurm and without trouble; once per run."""

    def measure(*arguments: str) -> object:
        plain = tuple(text for text in arguments if text not in ON_SLURM)
        if plain not in known:
            results = tmp_path / "undisturbed"
            results.mkdir()
            (results / "cache").symlink_to(cache)
            subprocess.run(command(*plain, "launcher.threads=1"), cwd=results, env=environment(results), check=True)
            known[plain] = scores(only_run(results))
        return known[plain]

    return measure


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """One line per scenario: what was done, the jobs of each run with their nodes, and what the store held."""
    lines = config.stash.get(LOG, [])
    if lines:
        terminalreporter.section("scenarios on a real Slurm")
        for line in lines:
            terminalreporter.write_line(line)


def _log(cluster: Cluster, results: Path) -> str:
    runs = [
        f"run {run.signature[:6]}: "
        + (", ".join(f"job {job} on {node}" for job, node in starts(run)) or "never started")
        + f" -> {run.state()}"
        for run in Store(results).runs()
    ]
    return " | ".join(["; ".join(cluster.deeds) or "nothing done to the jobs", *(runs or ["no runs"])])

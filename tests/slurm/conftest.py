"""One Slurm for all tests of this tier; where it cannot start they are skipped, and say why. At the end comes a log."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from parsenet_cli.store.run import Store
from tests.conftest import command, environment
from tests.slurm.cluster import Cluster, Unavailable
from tests.slurm.scenario import ON_SLURM, Driver, Measured, metrics, only_run, starts

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
def driver(cluster: Cluster, tmp_path: Path, results: Path) -> Iterator[Driver]:
    """Start a command and do not wait for it; none outlives the test."""
    all_started: list[subprocess.Popen[str]] = []

    def start(*arguments: str | Path) -> subprocess.Popen[str]:
        started = subprocess.Popen(
            command(*arguments),
            cwd=tmp_path,
            env=environment(results),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        all_started.append(started)
        return started

    yield start
    for started in all_started:
        if started.poll() is None:
            started.kill()
        started.communicate()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Measured:
    """What the same run measures when this machine carries it out without Slurm and without trouble; once per run."""
    known: dict[tuple[str, ...], object] = {}

    def measure(*arguments: str) -> object:
        plain = tuple(text for text in arguments if text not in ON_SLURM)
        if plain not in known:
            results = tmp_path_factory.mktemp("undisturbed")
            (results / "cache").symlink_to(cache)
            done = subprocess.run(
                command(*plain, "launcher.threads=1"),
                cwd=results,
                env=environment(results),
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stderr
            known[plain] = metrics(only_run(results))
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

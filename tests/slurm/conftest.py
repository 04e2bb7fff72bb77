"""One Slurm for all tests of this tier; where it cannot start they are skipped, and say why. At the end comes a log."""

from __future__ import annotations

import functools
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from parsenet_cli.store.run import Run, Store
from tests.conftest import Cli, command, environment, wait_for
from tests.slurm.cluster import Cluster, Unavailable
from tests.slurm.scenario import ON_SLURM, ONE, Driver, Metrics, Submit, Train, Training, metrics, only_run, starts

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
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str | Path) -> subprocess.Popen[str]:
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command(*arguments), cwd=tmp_path, env=environment(results), **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def submit(cluster: Cluster, cli: Cli, results: Path) -> Submit:
    """Issue a command that leaves; returns its runs, which are in the queue then."""

    def detach(*arguments: str) -> list[Run]:
        printed = cli(*arguments, "--detach").stdout
        runs = Store(results).runs()
        assert printed.count("in the queue: ") == len(runs)
        return runs

    return detach


@pytest.fixture
def begin(cluster: Cluster, driver: Driver, results: Path, undisturbed: Callable[..., Metrics]) -> Train:
    """Start a command that carries out one run."""

    def start(*overrides: str) -> Training:
        return Training(cluster, driver(*ONE, *overrides), results, functools.partial(undisturbed, *ONE, *overrides))

    return start


@pytest.fixture
def train(begin: Train) -> Train:
    """The same, once the run is in the middle."""

    def start(*overrides: str) -> Training:
        training = begin(*overrides)
        wait_for(training.in_the_middle, "a checkpoint")
        return training

    return start


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Callable[..., Metrics]:
    """What the same run measures when this machine carries it out without Slurm and without trouble; once per run."""

    @functools.cache
    def measure(*arguments: str) -> Metrics:
        results = tmp_path_factory.mktemp("undisturbed")
        (results / "cache").symlink_to(cache)
        plain = (text for text in arguments if text not in ON_SLURM)
        subprocess.run(command(*plain, "launcher.threads=1"), cwd=results, env=environment(results), check=True)
        return metrics(only_run(results))

    return measure


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """One line per scenario: what was done, the jobs of each run with their nodes, and what the store held."""
    lines = config.stash.get(LOG, [])
    if lines:
        terminalreporter.section("scenarios on a real Slurm")
        terminalreporter.write_line("\n".join(lines))


def _log(cluster: Cluster, results: Path) -> str:
    runs = [
        f"run {run.signature[:6]}: "
        + (", ".join(f"job {job} on {node}" for job, node in starts(run)) or "never started")
        + f" -> {run.state()}"
        for run in Store(results).runs()
    ]
    return " | ".join(["; ".join(cluster.deeds) or "nothing done to the jobs", *(runs or ["no runs"])])

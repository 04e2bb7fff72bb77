"""Configurations and a store for tests that need any, and Slurm's commands for those that ask it."""

from __future__ import annotations

from pathlib import Path

import pytest

from parsenet_cli.config import profile
from parsenet_cli.config.compose import Composer
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.runner import scheduler
from parsenet_cli.store.run import Run, Store
from tests.conftest import changed
from tests.fake_slurm import FakeSlurm


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """ParseNet under the quick profile, from random weights."""
    cache: Path = tmp_path_factory.mktemp("composed")
    return Composer(profile.load("quick"), ["weights=none", "recipe.frozen=[]"], cache).run_config()


@pytest.fixture
def fake_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    """On the caller's PATH; home is a folder of the test's."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return FakeSlurm(tmp_path / "slurm", monkeypatch)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


@pytest.fixture
def run(store: Store, config: RunConfig) -> Run:
    """Planned: its configuration is frozen."""
    run = store.run(config.signature)
    run.create(config)
    return run


@pytest.fixture
def configs(config: RunConfig) -> dict[str, RunConfig]:
    """Five runs that differ in their seeds, by signature."""
    return {seeded.signature: seeded for seeded in (changed(config, seed=seed) for seed in range(5))}


@pytest.fixture
def runs(store: Store, configs: dict[str, RunConfig]) -> list[Run]:
    """These runs, planned."""
    for signature, config in configs.items():
        store.run(signature).create(config)
    return [store.run(signature) for signature in configs]


@pytest.fixture
def driver_that_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "POLL_SECONDS", 0.001)

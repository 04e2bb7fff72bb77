"""One configuration for tests that need any, and Slurm's commands for those that ask it."""

from __future__ import annotations

from pathlib import Path

import pytest

from parsenet_cli import profile
from parsenet_cli.compose import Composer
from parsenet_cli.config import RunConfig
from tests.fake_slurm import FakeSlurm


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """ParseNet under the quick profile, from random weights."""
    cache: Path = tmp_path_factory.mktemp("composed")
    return Composer(profile.load("quick"), ["weights=none"], cache).run_config()


@pytest.fixture
def fake_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    """On the caller's PATH."""
    return FakeSlurm(tmp_path / "slurm", monkeypatch)

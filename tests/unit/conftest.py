"""One configuration for tests that need any."""

from __future__ import annotations

from pathlib import Path

import pytest

from parsenet_cli import profile
from parsenet_cli.compose import Composer
from parsenet_cli.config import RunConfig


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """ParseNet under the quick profile, from random weights."""
    cache: Path = tmp_path_factory.mktemp("composed")
    return Composer(profile.load("quick"), ["weights=none"], cache).run_config()

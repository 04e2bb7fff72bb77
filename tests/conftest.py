"""What tests share: the command line in a subprocess, and one cache for everything that is generated."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from parsenet_cli.core import files
from parsenet_cli.core.files import tag_cache
from parsenet_cli.core.run_config import RunConfig
from tests import published_archives
from tests.faulty_server import Faults, serving

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "subprocess.Popen[str]"]

SHORT = ("data=synthetic_siftflow", "weights=none", "recipe.frozen=[]", "recipe.iterations=12")
"""Overrides of a run that takes a second: small scenes, no pretraining."""


PATIENCE_SECONDS = 600
"""How long a command may take: it hangs, if it takes longer on a machine with much other work."""


def pytest_configure() -> None:
    """Started in the background of a script, a process ignores Ctrl-C, and so do all that it starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated and decoded data, made once for all tests."""
    folder = tmp_path_factory.mktemp("cache")
    tag_cache(folder)
    return folder


@pytest.fixture(autouse=True)
def nothing_is_guarded_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test has guarded binds no other."""
    monkeypatch.setattr(files, "_guarded", set())


@pytest.fixture
def results(tmp_path: Path, cache: Path) -> Path:
    """A fresh results folder on the shared cache."""
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "cache").symlink_to(cache)
    return folder


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small archives in the layouts of the published ones, under their names."""
    folder = tmp_path_factory.mktemp("archives")
    published_archives.write(folder)
    return folder


@pytest.fixture
def server(archives: Path) -> Iterator[Faults]:
    """A web server that has these archives, and misbehaves as told."""
    with serving(archives) as faults:
        yield faults


def wait_for(
    condition: Callable[[], object], what: str, seconds: float = PATIENCE_SECONDS, every: float = 0.05
) -> None:
    """Wait until `condition()` holds; a failure says for what."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited too long for {what}"
        time.sleep(every)


def command(*arguments: str | int | Path) -> list[str]:
    """The command line as users call it, but without a console script on the path."""
    return [sys.executable, "-W", "error", "-m", "parsenet_cli", *map(str, arguments)]


def environment(results: Path) -> dict[str, str]:
    """The caller's environment with this results folder and a fixed width."""
    return {**os.environ, "PARSENET_RESULTS": str(results), "COLUMNS": "160"}


@pytest.fixture
def cli(tmp_path: Path, results: Path) -> Cli:
    """Run `parsenet …` in an empty folder; it must exit with `code` and without a traceback. Returns the completed process."""

    def run(
        *arguments: str | int | Path, code: int = 0, timeout: float = PATIENCE_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command(*arguments), cwd=tmp_path, env=environment(results), capture_output=True, text=True, timeout=timeout
        )
        assert (done.returncode, "Traceback" in done.stdout + done.stderr) == (code, False), done.stdout + done.stderr
        return done

    return run


@pytest.fixture
def start(tmp_path: Path, results: Path) -> Iterator[Start]:
    """Start `parsenet …` in an empty folder; returns the process, which is interrupted when the test has ended without it."""
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    started = []

    def run(*arguments: str | int | Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(command(*arguments), cwd=tmp_path, env=environment(results), **pipes)
        started.append(process)
        return process

    yield run
    for process in started:
        with process:
            process.send_signal(signal.SIGINT)


def changed(config: RunConfig, **fields: Any) -> RunConfig:
    """The configuration with other values of these fields, of whichever part: `seed=1`, `lr=0.5`, `keep_model=True`."""

    def copied(part: Any, **inner: Any) -> Any:
        own = {name: value for name, value in fields.items() if name in type(part).model_fields}
        return part.model_copy(update=inner | own)

    science = copied(config.science, recipe=copied(config.science.recipe))
    return config.model_copy(update={"science": science, "runtime": copied(config.runtime)})

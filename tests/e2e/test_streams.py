"""Whatever stands behind the standard streams, and whenever Ctrl-C comes: one sentence at most, and never a traceback."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PATIENCE_SECONDS, SHORT, command, environment

Shell = Callable[..., "subprocess.CompletedProcess[bytes]"]

ENTRY = """
import atexit, os
from parsenet_cli import __main__ as entry
settle = entry._on_interrupt
def settled(handler):
    settle(handler)
    os.write(1, b"!")
entry._on_interrupt = settled
atexit.register(lambda: os.environ.get("AT_THE_END") and (os.kill(os.getpid(), 2), os.read(0, 1)))
entry.main()
"""
"""The console script, which says `!` as soon as Ctrl-C is ours."""


@pytest.fixture
def shell(tmp_path: Path, results: Path) -> Shell:
    """`parsenet …` with redirections of a shell; it must not print a traceback."""

    def run(redirected: str, *arguments: str | bytes, **variables: str) -> subprocess.CompletedProcess[bytes]:
        called = ["sh", "-c", f'"$@" {redirected}', "sh", *command(), *arguments]
        environs = {**environment(results), "PYTHONUNBUFFERED": "", **variables}
        done = subprocess.run(called, cwd=tmp_path, env=environs, capture_output=True)
        assert not [word for word in (b"Traceback", b"Exception", b"Error:") if word in done.stdout + done.stderr]
        return done

    return run


FULL = b"error: the standard output cannot be written: the disk is full"


@pytest.mark.parametrize(("arguments", "code"), [(["list"], 2), (["plan", "table44"], 2)])
def test_full_disk_behind_the_output_is_one_sentence(shell: Shell, arguments: list[str], code: int) -> None:
    done = shell("> /dev/full", *arguments)
    assert done.returncode == code
    assert (done.stderr.startswith(FULL) and done.stderr.count(b"\n") == 1) or arguments != ["list"]
    assert shell("2> /dev/full", *arguments).returncode == (0 if arguments == ["list"] else code)


def test_closed_streams_are_no_problem(shell: Shell) -> None:
    assert shell(">&- 2>&- <&-", "list").returncode == 0


def test_terminal_that_is_no_utf8_gets_every_text(shell: Shell) -> None:
    shown = shell("", "list", PYTHONIOENCODING="latin-1").stdout
    assert b"recipe=\\u2026" in shown
    old = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = shell("", "network", "body=fcn", "weights=none", "recipe.frozen=[]", "--to", "json", **old)
    assert json.loads(done.stdout)["rows"]


def test_nobody_reads_any_more(tmp_path: Path, results: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command("list"), cwd=tmp_path, env=environment(results), stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_current_folder_is_gone(shell: Shell, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    inside = f'cd "{gone}"; rmdir "{gone}"; exec "$@"'
    done = subprocess.run(["sh", "-c", inside, "sh", *command("list")], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "error: the current folder is gone: cd to another one\n")


@pytest.mark.parametrize(
    ("name", "says"), [(b"r\xff", b"r\\udcff: not a text in UTF-8"), (b"x" * 300, b"the name is too long")]
)
def test_names_that_cannot_be_are_one_sentence(shell: Shell, tmp_path: Path, name: bytes, says: bytes) -> None:
    before = sorted(tmp_path.iterdir())
    done = shell("", "train", "weights=none", "recipe.frozen=[]", "--results", name)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count(b"\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def started(
    tmp_path: Path, results: Path, *arguments: str, variables: dict[str, str] | None = None, **other: Any
) -> subprocess.Popen[bytes]:
    """The command once it has been told what Ctrl-C does."""
    options: dict[str, Any] = {**dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE), **other}
    called = [sys.executable, "-c", ENTRY, *arguments]
    environs = {**environment(results), **(variables or {})}
    process: subprocess.Popen[bytes] = subprocess.Popen(called, cwd=tmp_path, env=environs, **options)
    assert process.stdout is not None
    assert process.stdout.read(1) == b"!"
    return process


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("list",), ("plan", "table4"), ("ablate", "table44"), ("train", *SHORT)],
    ids=lambda a: a[0],
)
def test_interruption_at_any_moment_has_no_traceback(tmp_path: Path, results: Path, arguments: tuple[str, ...]) -> None:
    process = started(tmp_path, results, *arguments)
    time.sleep(random.uniform(0, 0.3))
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    ended = {0} if arguments[0] in ("--help", "list", "plan") else {2} if arguments[0] == "ablate" else set()
    assert process.returncode in {130, -signal.SIGINT} | ended  # it may have been quicker
    assert not [word for word in (b"Traceback", b"Exception", b"Error:") if word in stderr]
    assert not list(results.rglob("*.tmp"))


def test_interruption_at_the_end_has_no_traceback(tmp_path: Path, results: Path) -> None:
    process = started(tmp_path, results, "--help", variables={"AT_THE_END": "yes"})
    assert b"Usage" in process.communicate()[0]
    assert (process.returncode, process.communicate()[1]) == (130, b"")


def test_interruption_that_is_ignored_stays_so(tmp_path: Path, results: Path) -> None:
    """As in the background of a script, whose Ctrl-C is meant for what stands in its foreground."""
    process = started(tmp_path, results, "list", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    process.send_signal(signal.SIGINT)
    assert b"launchers" in process.communicate()[0]
    assert process.returncode == 0

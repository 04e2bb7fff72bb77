"""Two users of a group in one results folder: they extend, resume and clean each other's runs.

Only root can be two users; everybody else skips this. `test_safety.py` looks at the rights of every kind of file.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import parsenet_cli
from parsenet_cli.store.run import Run, Store
from tests import made_store
from tests.conftest import PATIENCE_SECONDS, SHORT, command, environment, wait_for

GROUP, ALICE, BOB = 61000, 61001, 61002
STUDY = ("sweep", "norm=none,l2", "body=fcn", *SHORT)
LONGER = ("train", "body=fcn", *SHORT[:3], "recipe.iterations=120", "checkpoint_seconds=0.2")


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder of the group's; pytest's own are their user's alone."""
    if os.getuid() != 0:
        pytest.skip("only root can be two users")
    with tempfile.TemporaryDirectory(prefix="group-") as text:
        folder = Path(text)
        os.chown(folder, 0, GROUP)
        folder.chmod(0o2775)
        for user in (ALICE, BOB):
            (folder / str(user)).mkdir()
            os.chown(folder / str(user), user, user)
        package = str(Path(parsenet_cli.__file__).parent)
        reads = "import os, sys; open(sys.executable); os.listdir(sys.argv[1])"
        try:
            tried = subprocess.run([sys.executable, "-c", reads, package], **being(ALICE, folder), check=False)
        except PermissionError:
            pytest.skip(f"other users may not run {sys.executable}")
        if tried.returncode != 0:
            pytest.skip(f"other users may not read {sys.executable} or {package}")
        yield folder


def being(user: int, shared: Path) -> dict[str, Any]:
    """How a process is started as a member of the group, with the umask of people who share a folder."""
    home = shared / str(user)
    return {
        "user": user,
        "group": user,
        "extra_groups": [GROUP],
        "umask": 0o002,
        "cwd": home,
        "env": {**environment(shared / "results"), "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
        "text": True,
    }


def does(user: int, shared: Path, *arguments: str) -> str:
    """What a command that must succeed prints."""
    done = subprocess.run(command(*arguments), **being(user, shared), timeout=PATIENCE_SECONDS, check=False)
    assert done.returncode == 0, done.stdout
    return str(done.stdout)


def results_of(runs: list[Run]) -> dict[str, bytes]:
    return {run.signature: run.result_file.read_bytes() for run in runs}


def kill_once_it_has_a_checkpoint(started: subprocess.Popen[str], run: Run) -> None:
    wait_for(run.checkpoints[0].is_file, "a checkpoint", PATIENCE_SECONDS, every=0.02)
    for pid in filter(None, (started.pid, run.status().pid)):
        os.kill(pid, signal.SIGKILL)
    started.communicate()
    wait_for(lambda: not run.alive(), "the worker's end", PATIENCE_SECONDS, every=0.02)


def test_members_of_a_group_extend_resume_and_clean_each_others_runs(shared: Path) -> None:
    store = Store(shared / "results")
    does(ALICE, shared, *STUDY, "--seeds", "1")
    hers = results_of(store.runs())
    assert len(hers) == 2
    does(BOB, shared, *STUDY, "--seeds", "2")
    theirs = results_of(store.runs())
    assert len(theirs) == 4
    assert hers.items() < theirs.items()

    with subprocess.Popen(command(*LONGER), **being(ALICE, shared)) as started:
        wait_for(lambda: len(store.runs()) > len(theirs), "the run's folder", PATIENCE_SECONDS, every=0.02)
        (longer,) = [run for run in store.runs() if run.signature not in theirs]
        kill_once_it_has_a_checkpoint(started, longer)
    assert longer.state() == "lost"
    does(BOB, shared, *LONGER)
    assert longer.state() == "done"
    assert "going on from checkpoint" in longer.log.read_text()

    for folder, folders, files in os.walk(store.root):
        for name in (*folders, *files):
            entry = (Path(folder) / name).stat()
            assert (entry.st_gid, entry.st_mode & 0o060) == (GROUP, 0o060), f"{folder}/{name}"
    does(ALICE, shared, "clean", "--yes", "--results-too")
    assert store.runs() == []


def test_folder_that_its_owner_shares_for_reading_only_is_one_sentence_to_others(shared: Path) -> None:
    done = subprocess.run(
        command("train", "body=fcn", *SHORT),
        **{**being(ALICE, shared), "umask": 0o022},
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "1 done" in does(BOB, shared, "status")
    refused = subprocess.run(command("train", "body=fcn", *SHORT), **being(BOB, shared), check=False)
    assert refused.returncode == 2
    assert refused.stdout.startswith("error: ")
    assert "it may not be written: check its permissions" in refused.stdout


AS_EVERYBODY = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
"""Before a command: root, who may otherwise read and write everything, may what a file's mode says."""


def test_store_that_may_not_be_written_with_an_unfinished_and_a_closed_run_can_be_looked_at(tmp_path: Path) -> None:
    if os.getuid() == 0 and shutil.which(AS_EVERYBODY[0]) is None:
        pytest.skip("root needs setpriv to be refused anything")
    store = Store(tmp_path / "results")
    study = made_store.add_table(store, "table4", seeds=(0,))
    unfinished, closed = map(store.run, study.signatures[:2])
    unfinished.result_file.unlink()
    unfinished.lock_file.touch()
    entries = [store.root, *store.root.rglob("*")]
    for entry in entries:
        entry.chmod(entry.stat().st_mode & ~0o222)
    closed.folder.chmod(0)
    looking = ("status", "table table4", "plan table4 --seeds 1", f"show {unfinished.signature}")
    writing = ("report --out new", "export --to csv --out new", "figure curves table4 --out new/f.png")
    for text in (*looking, *writing):
        asked = [*(AS_EVERYBODY if os.getuid() == 0 else ()), *command(*text.split())]
        done = subprocess.run(
            asked, cwd=tmp_path, env=environment(store.root), capture_output=True, text=True, check=False
        )
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), f"{text}: {done.stdout}{done.stderr}"
        if text.startswith(("status", "table", "export")):
            said = "".join((done.stdout + done.stderr).split())
            assert f"{closed.signature}:passedover,itsconfig.yamlcannotberead" in said
    closed.folder.chmod(0o755)
    for entry in entries:
        entry.chmod(entry.stat().st_mode | 0o200)

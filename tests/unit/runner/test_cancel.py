"""Cancelling: workers are asked, schedulers start no other, and no process is ever signalled that only has the old pid."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.core.sealed import write_json
from parsenet_cli.runner import cancel, process, worker
from parsenet_cli.runner.launch.slurm.options import job_name
from parsenet_cli.store.run import Run, Store
from tests.fake_slurm import FakeSlurm
from tests.fakes import FakeLauncher, succeed, sweep

HOLDER = """
import signal, sys, time
from pathlib import Path
from parsenet_cli.runner import process
from parsenet_cli.store.run import Run

run = Run(Path(sys.argv[1]))
stubborn = sys.argv[2] == "stubborn"
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
with run.lock():
    run.update_status(state="running", iteration=7, steps=9, **process.own())
    print("ready", flush=True)
    while stubborn or not asked:
        time.sleep(0.01)
    run.update_status(state="queued")
"""
"""A worker: it holds its run's lock until SIGTERM, or for ever."""


def cancelled(*runs: Run, patience: float = 20) -> tuple[bool, list[str]]:
    """Whether all have left, and what was said."""
    said: list[str] = []
    return cancel.cancel_runs(runs, said.append, patience), said


@pytest.fixture
def holder(run: Run, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    how = getattr(request, "param", "obedient")
    with subprocess.Popen([sys.executable, "-c", HOLDER, run.folder, how], stdout=subprocess.PIPE, text=True) as held:
        assert held.stdout is not None
        assert held.stdout.readline() == "ready\n"
        yield held
        held.kill()


def test_worker_of_another_driver_writes_its_checkpoint_and_leaves(run: Run, holder: subprocess.Popen[str]) -> None:
    assert cancelled(run) == (True, [f"{run.signature}: stopped at iteration 7"])
    assert holder.wait(5) == 0
    assert run.state() == "queued"


@pytest.mark.parametrize("holder", ["stubborn"], indirect=True)
def test_worker_that_does_not_leave_is_named_and_left_alive(run: Run, holder: subprocess.Popen[str]) -> None:
    left, (said,) = cancelled(run, patience=0.3)
    assert not left
    assert f"kill -9 {holder.pid}" in said
    assert holder.poll() is None


@pytest.mark.parametrize("holder", ["stubborn"], indirect=True)
def test_worker_on_another_machine_is_asked_through_the_store_and_that_is_said(
    run: Run, holder: subprocess.Popen[str]
) -> None:
    run.update_status(host="node12", process="another-boot pid:[1] 1 1")
    left, (said,) = cancelled(run, patience=0.3)
    assert not left
    assert "cannot be reached from here" in said
    assert "node12" in said
    assert run.cancelled


STRANGER = """
import fcntl, sys
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
print("ready", flush=True)
input()
"""
"""A process that holds some lock file."""


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of this user's that is nobody's worker, and holds a lock of its own."""
    command = [sys.executable, "-c", STRANGER, str(tmp_path / "its.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def names(run: Run, pid: int, identity: str) -> None:
    """The run's folder says that this is its worker."""
    run.update_status(state="running", pid=pid, host=process.own()["host"], process=identity)


def test_process_with_the_pid_of_a_worker_that_is_gone_is_never_signalled(
    run: Run, stranger: subprocess.Popen[str]
) -> None:
    *machine, pid, started = process._identity(stranger.pid).split(" ")
    earlier = " ".join([*machine, pid, str(int(started) - 1)])
    rebooted = " ".join(["another-boot", *machine[1:], pid, started])
    for identity, place in ((earlier, "gone"), (rebooted, "gone"), ("", "unknown")):
        names(run, stranger.pid, identity)
        assert process.place(run) == place
        assert not process.ask_to_stop(run)
    assert stranger.poll() is None


@pytest.mark.parametrize("how", ["another's lock", "no lock", "link", "second name"])
def test_process_that_does_not_hold_the_runs_lock_is_never_signalled_whatever_the_folder_says(
    run: Run, stranger: subprocess.Popen[str], tmp_path: Path, how: str
) -> None:
    names(run, stranger.pid, process._identity(stranger.pid))
    with contextlib.ExitStack() as stack:
        if how == "another's lock":
            stack.enter_context(run.lock())  # this process does
        elif how == "link":
            run.lock_file.symlink_to(tmp_path / "its.lock")
        elif how == "second name":
            run.lock_file.hardlink_to(tmp_path / "its.lock")
        assert process.place(run) == "unknown"
        assert not process.ask_to_stop(run)
        assert not process.kill(run)
        if how in ("another's lock", "second name"):
            _, (said,) = cancelled(run, patience=0.1)
            assert "is held by a process that cannot be told" in said
            assert f"it was asked through {run.folder}" in said
            assert "kill -9" not in said
    assert stranger.poll() is None


def test_process_that_holds_the_runs_lock_is_signalled_once_it_is_named(
    run: Run, holder: subprocess.Popen[str]
) -> None:
    assert process.place(run) == "here"
    assert process.kill(run)
    assert holder.wait(10) == -signal.SIGKILL
    assert process.place(run) == "gone"
    assert not process.ask_to_stop(run)


@pytest.mark.parametrize("recorded", [{}, {"pid": "7"}, {"pid": 7}, {"pid": None, "process": "x"}, {"pid": 10**30}])
def test_what_earlier_versions_recorded_reaches_no_process(run: Run, recorded: dict[str, Any]) -> None:
    write_json(run.folder / "status.json", recorded)
    assert process.place(run) == "unknown"
    assert not process.ask_to_stop(run)


def test_training_notices_the_wish_in_its_folder(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "LOOK_SECONDS", 0.0)
    with worker.StopFlag(run) as stop:
        assert not stop()
        run.cancel()
        assert stop()


def test_worker_that_starts_after_the_wish_leaves_at_once(run: Run) -> None:
    run.cancel()
    assert worker.run_task(run, "train", threads=1) == worker.STOPPED
    assert (run.state(), run.status().iteration) == ("queued", None)


@pytest.mark.usefixtures("driver_that_does_not_wait")
def test_no_cancelled_run_is_started_until_the_next_command(store: Store, configs: dict[str, RunConfig]) -> None:
    first, *others = configs

    def leave_cancelled(run: Run) -> None:
        """The first stops when it is cancelled, and all others with it before they have begun."""
        for signature in configs:
            store.run(signature).cancel()
        run.update_status(state="queued", iteration=3)

    launcher, again = FakeLauncher(leave_cancelled, slots=1), FakeLauncher(succeed)
    outcome = sweep(store, configs, launcher)
    assert (launcher.trained, sorted(outcome.cancelled)) == ([first], sorted([first, *others]))
    assert not outcome.failed
    assert not sweep(store, configs, again).cancelled
    assert sorted(again.trained) == sorted(configs)


def test_run_that_is_done_or_was_never_planned_is_not_asked(run: Run) -> None:
    succeed(run)
    assert cancelled(run) == (True, [f"no run is left to cancel: {run.signature} is done"])
    assert not run.cancelled


@pytest.mark.parametrize(("prefixes", "everything"), [([], False), (["abc"], True)])
def test_runs_are_named_or_all_are_meant(store: Store, run: Run, prefixes: list[str], everything: bool) -> None:
    with pytest.raises(UserError, match="--all"):
        cancel.chosen(store, prefixes, everything)
    assert cancel.chosen(store, [run.signature[:5]], False) == [run]


# --- jobs -----------------------------------------------------------------------------------------------------------------


def test_jobs_of_runs_that_wait_are_stopped_and_no_others(runs: list[Run], fake_slurm: FakeSlurm) -> None:
    for run, job in zip(runs, ["7_0", "7_1", "7_2"], strict=False):
        run.record_job(job)
    fake_slurm.queue = {"7_0": "RUNNING", "7_1": "PENDING", "7_2": "PENDING", "7_3": "PENDING", "9": "PENDING"}
    left, said = cancelled(*runs)
    assert left
    assert fake_slurm.calls("scancel") == ["--quiet 7_1 7_2", "--quiet --signal=TERM 7_0"]
    assert [line.partition("; ")[2] for line in said] == ["", *(f"job 7_{i} left the queue" for i in (1, 2)), "", ""]
    assert all(run.cancelled for run in runs)


def test_job_of_another_results_folder_is_left_in_the_queue(run: Run, fake_slurm: FakeSlurm) -> None:
    """Whatever the job.json says that came with this folder."""
    run.record_job("7")
    fake_slurm.hold({"7": "PENDING"}, job_name(Path("elsewhere")))
    assert cancelled(run) == (True, [f"{run.signature}: queued, will not be started"])
    assert not fake_slurm.calls("scancel")
    write_json(run.folder / "job.json", {"job": "--user=root", "after": ["7", "-M all"]})
    assert (run.job(), run.prerequisite_jobs()) == (None, [])
    fake_slurm.hold({"7": "PENDING"}, job_name(run.results.root))
    run.record_job("7")
    assert "job 7 left the queue" in cancelled(run)[1][0]


def test_job_that_prepares_is_stopped_once_no_run_needs_it(runs: list[Run], fake_slurm: FakeSlurm) -> None:
    for run, job, after in zip(runs, ("7", "8", "9"), (("5", "6"), ("6",), ()), strict=False):
        run.record_job(job, after)
    fake_slurm.queue = {"5": "RUNNING", "6": "PENDING", "7": "PENDING", "8": "PENDING", "9": "PENDING"}
    _, (said,) = cancelled(runs[0])
    assert fake_slurm.calls("scancel") == ["--quiet 7", "--quiet --signal=TERM 5"]
    assert said.endswith("; job 7 left the queue")
    cancelled(*runs[1:])
    assert fake_slurm.calls("scancel")[2:] == ["--quiet 8 9 6"]


def test_without_a_queue_on_this_machine_only_the_wish_is_written(
    run: Run, fake_slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.record_job("7")
    fake_slurm.queue = {"7": "PENDING"}
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert cancelled(run) == (True, [f"{run.signature}: queued, will not be started"])
    assert run.cancelled
    assert not fake_slurm.calls("squeue")
    assert not fake_slurm.calls("scancel")


def test_silent_controller_does_not_keep_a_run_from_being_cancelled(run: Run, fake_slurm: FakeSlurm) -> None:
    run.record_job("7")
    fake_slurm.silent(True)
    assert cancelled(run)[0]
    assert run.cancelled
